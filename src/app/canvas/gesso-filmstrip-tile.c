/* SPDX-License-Identifier: MPL-2.0
 * gesso-filmstrip-tile.c - what the filmstrip shows of one result; reused for others.
 */
#include "app/canvas/gesso-filmstrip-tile.h"

#include <glib/gi18n.h>
#include <string.h>

#include "app/gesso-name.h"
#include "app/gesso-tooltip.h"

enum
{
  TILE_SIZE = 84 /* logical pixels */
};

struct _GessoFilmstripTile
{
  GtkWidget parent_instance;

  GtkWidget *overlay, *picture, *progress, *star, *kept;
  GessoResult *result;
};

G_DEFINE_FINAL_TYPE (GessoFilmstripTile, gesso_filmstrip_tile, GTK_TYPE_WIDGET)

static void
update_picture (GessoFilmstripTile *self)
{
  gtk_picture_set_paintable (GTK_PICTURE (self->picture),
                             self->result ? gesso_result_get_paintable (self->result) : NULL);
}

static void
update_progress (GessoFilmstripTile *self)
{
  GessoResult *r = self->result;
  gboolean live = r && gesso_result_get_live (r);
  gtk_widget_set_visible (self->progress, live);
  gtk_progress_bar_set_fraction (GTK_PROGRESS_BAR (self->progress),
                                 live ? gesso_result_get_progress (r) : 0);
}

static void
update_texts (GessoFilmstripTile *self)
{
  GessoResult *r = self->result;
  gtk_widget_set_visible (self->star, r && gesso_result_get_starred (r));
  gtk_widget_set_visible (self->kept, r && gesso_result_get_kept (r));
  const char *label = r ? gesso_result_get_label (r) : NULL;
  g_autofree char *name = g_strdup_printf (
      r && gesso_result_get_starred (r) ? _ ("%s, starred") : "%s", label ? label : _ ("Result"));
  gesso_tooltip_set (GTK_WIDGET (self), label);
  gesso_name (GTK_WIDGET (self), name);
  gesso_name_list_item (GTK_WIDGET (self), name);
}

static void
update (GessoFilmstripTile *self)
{
  update_picture (self);
  update_progress (self);
  update_texts (self);
}

static void
notify_cb (GessoResult *result, GParamSpec *pspec, GessoFilmstripTile *self)
{
  const char *name = g_param_spec_get_name (pspec);
  if (strcmp (name, "paintable") == 0)
    update_picture (self);
  else if (strcmp (name, "progress") == 0)
    update_progress (self);
  else
    update (self);
}

void
gesso_filmstrip_tile_set_result (GessoFilmstripTile *self, GessoResult *result)
{
  g_return_if_fail (GESSO_IS_FILMSTRIP_TILE (self));
  if (self->result)
    g_signal_handlers_disconnect_by_func (self->result, notify_cb, self);
  g_set_object (&self->result, result);
  if (result)
    g_signal_connect (result, "notify", G_CALLBACK (notify_cb), self);
  update (self);
}

GessoResult *
gesso_filmstrip_tile_get_result (GessoFilmstripTile *self)
{
  g_return_val_if_fail (GESSO_IS_FILMSTRIP_TILE (self), NULL);
  return self->result;
}

static GtkWidget *
new_badge (GtkWidget *overlay, const char *icon, GtkAlign halign)
{
  GtkWidget *image = gtk_image_new_from_icon_name (icon);
  gtk_image_set_pixel_size (GTK_IMAGE (image), 12);
  gtk_widget_add_css_class (image, "gesso-thumb-badge");
  gtk_widget_set_halign (image, halign);
  gtk_widget_set_valign (image, GTK_ALIGN_START);
  gtk_overlay_add_overlay (GTK_OVERLAY (overlay), image);
  return image;
}

static void
gesso_filmstrip_tile_dispose (GObject *object)
{
  GessoFilmstripTile *self = GESSO_FILMSTRIP_TILE (object);
  if (self->result)
    g_signal_handlers_disconnect_by_func (self->result, notify_cb, self);
  g_clear_object (&self->result);
  g_clear_pointer (&self->overlay, gtk_widget_unparent);
  G_OBJECT_CLASS (gesso_filmstrip_tile_parent_class)->dispose (object);
}

static void
gesso_filmstrip_tile_class_init (GessoFilmstripTileClass *klass)
{
  GtkWidgetClass *widget_class = GTK_WIDGET_CLASS (klass);
  G_OBJECT_CLASS (klass)->dispose = gesso_filmstrip_tile_dispose;
  gtk_widget_class_set_layout_manager_type (widget_class, GTK_TYPE_BIN_LAYOUT);
  gtk_widget_class_set_accessible_role (widget_class, GTK_ACCESSIBLE_ROLE_IMG);
}

static void
gesso_filmstrip_tile_init (GessoFilmstripTile *self)
{
  self->overlay = gtk_overlay_new ();
  self->picture = gtk_picture_new ();
  gtk_widget_set_size_request (self->picture, TILE_SIZE, TILE_SIZE);
  gtk_widget_set_overflow (self->picture, GTK_OVERFLOW_HIDDEN);
  gtk_picture_set_can_shrink (GTK_PICTURE (self->picture), TRUE);
  gtk_widget_set_halign (self->picture, GTK_ALIGN_CENTER);
  gtk_widget_set_valign (self->picture, GTK_ALIGN_CENTER);
  gtk_widget_add_css_class (self->picture, "gesso-thumb");
  gtk_overlay_set_child (GTK_OVERLAY (self->overlay), self->picture);
  self->star = new_badge (self->overlay, "gesso-result-starred-symbolic", GTK_ALIGN_END);
  self->kept = new_badge (self->overlay, "gesso-result-keep-symbolic", GTK_ALIGN_START);
  self->progress = gtk_progress_bar_new ();
  gtk_widget_set_valign (self->progress, GTK_ALIGN_END);
  gtk_overlay_add_overlay (GTK_OVERLAY (self->overlay), self->progress);
  gtk_widget_set_parent (self->overlay, GTK_WIDGET (self));
}

GtkWidget *
gesso_filmstrip_tile_new (void)
{
  return g_object_new (GESSO_TYPE_FILMSTRIP_TILE, NULL);
}
