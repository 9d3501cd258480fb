/* SPDX-License-Identifier: MPL-2.0
 * gesso-clip-bar.c - plays the clip of a slot: a button, the time, a slider to any frame.
 */
#include "app/gallery/gesso-clip-bar.h"

#include <glib/gi18n.h>

#include "app/gallery/gesso-clip-player.h"
#include "app/gallery/gesso-gallery-style.h"

enum
{
  SLIDER_WIDTH = 220 /* px */
};

struct _GessoClipBar
{
  GtkWidget parent_instance;
  GessoPictureSlot *slot;
  GtkWidget *view; /* borrowed: it and the bar lie in the same viewer */
  GessoClipPlayer *player;
  GessoPicture *picture; /* whose duration may become known later */
  gulong duration_handler;
  gboolean wanted; /* to play; while the view is unmapped it does not */
  gboolean updating;
  GtkWidget *box, *button, *slider, *time;
};

G_DEFINE_FINAL_TYPE (GessoClipBar, gesso_clip_bar, GTK_TYPE_WIDGET)

/* ---- what is shown ---- */

static void
show_button (GessoClipBar *self)
{
  const char *label = self->wanted ? _ ("Pause") : _ ("Play");
  gtk_button_set_icon_name (GTK_BUTTON (self->button), self->wanted
                                                           ? "media-playback-pause-symbolic"
                                                           : "media-playback-start-symbolic");
  gtk_widget_set_tooltip_text (self->button, label);
  gtk_accessible_update_property (GTK_ACCESSIBLE (self->button), GTK_ACCESSIBLE_PROPERTY_LABEL,
                                  label, -1);
}

static void
show_time (GessoClipBar *self)
{
  int n = gesso_clip_player_get_n_frames (self->player);
  int position = gesso_clip_player_get_position (self->player);
  if (n == 0)
    return;
  g_autofree char *text =
      g_strdup_printf (_ ("%.1f / %.1f s"), gesso_clip_player_get_time (self->player, position),
                       gesso_clip_player_get_time (self->player, n));
  gtk_label_set_label (GTK_LABEL (self->time), text);
  self->updating = TRUE;
  gtk_range_set_range (GTK_RANGE (self->slider), 0, MAX (n - 1, 1));
  gtk_range_set_value (GTK_RANGE (self->slider), position);
  self->updating = FALSE;
}

static void
frame_cb (GessoClipBar *self)
{
  GdkTexture *frame = gesso_clip_player_get_texture (self->player);
  if (frame)
    gesso_picture_slot_set_frame (self->slot, frame);
  show_time (self);
}

/* ---- playing ---- */

static void
update_playing (GessoClipBar *self)
{
  if (self->player)
    gesso_clip_player_set_playing (self->player,
                                   self->wanted && gtk_widget_get_mapped (self->view));
  show_button (self);
}

static void
start (GessoClipBar *self)
{
  const char *path = gesso_picture_get_path (self->picture);
  if (self->player || gesso_picture_get_duration (self->picture) == 0 || !*path)
    return;
  self->player = gesso_clip_player_new (path, self->view);
  g_signal_connect_object (self->player, "frame", G_CALLBACK (frame_cb), self, G_CONNECT_SWAPPED);
  self->wanted = TRUE;
  update_playing (self);
  gtk_widget_set_visible (GTK_WIDGET (self), TRUE);
}

static void
finish (GessoClipBar *self)
{
  g_clear_signal_handler (&self->duration_handler, self->picture);
  g_clear_object (&self->picture);
  if (self->player)
    g_object_run_dispose (G_OBJECT (self->player));
  g_clear_object (&self->player);
  gesso_picture_slot_set_frame (self->slot, NULL);
}

void
gesso_clip_bar_restart (GessoClipBar *self)
{
  g_return_if_fail (GESSO_IS_CLIP_BAR (self));
  GessoPicture *picture = gesso_picture_slot_get_picture (self->slot);
  if (picture && picture == self->picture)
    return;
  finish (self);
  gtk_widget_set_visible (GTK_WIDGET (self), FALSE);
  if (!picture)
    return;
  self->picture = g_object_ref (picture);
  /* rows that were never looked at are filled a little later */
  self->duration_handler =
      g_signal_connect_swapped (picture, "notify::duration", G_CALLBACK (start), self);
  start (self);
}

void
gesso_clip_bar_stop (GessoClipBar *self)
{
  g_return_if_fail (GESSO_IS_CLIP_BAR (self));
  finish (self);
  g_signal_handlers_disconnect_by_data (self->view, self);
}

gboolean
gesso_clip_bar_has_clip (GessoClipBar *self)
{
  g_return_val_if_fail (GESSO_IS_CLIP_BAR (self), FALSE);
  return self->player != NULL;
}

void
gesso_clip_bar_toggle (GessoClipBar *self)
{
  g_return_if_fail (GESSO_IS_CLIP_BAR (self));
  self->wanted = !self->wanted;
  update_playing (self);
}

void
gesso_clip_bar_step (GessoClipBar *self, int by)
{
  g_return_if_fail (GESSO_IS_CLIP_BAR (self));
  int n = self->player ? gesso_clip_player_get_n_frames (self->player) : 0;
  if (n == 0)
    return;
  self->wanted = FALSE;
  update_playing (self);
  int to = (gesso_clip_player_get_position (self->player) + by) % n;
  gesso_clip_player_seek (self->player, to < 0 ? to + n : to);
}

int
gesso_clip_bar_get_position (GessoClipBar *self)
{
  g_return_val_if_fail (GESSO_IS_CLIP_BAR (self), -1);
  return self->player ? gesso_clip_player_get_position (self->player) : -1;
}

gboolean
gesso_clip_bar_get_playing (GessoClipBar *self)
{
  g_return_val_if_fail (GESSO_IS_CLIP_BAR (self), FALSE);
  return self->player && gesso_clip_player_get_playing (self->player);
}

GessoPictureSlot *
gesso_clip_bar_get_slot (GessoClipBar *self)
{
  g_return_val_if_fail (GESSO_IS_CLIP_BAR (self), NULL);
  return self->slot;
}

/* ---- building ---- */

/* Moved by hand: it shows what is there, and goes on when it was playing. */
static void
moved_cb (GtkRange *range, gpointer user_data)
{
  GessoClipBar *self = user_data;
  if (!self->updating && self->player)
    gesso_clip_player_seek (self->player, (int) (gtk_range_get_value (range) + 0.5));
}

static void
build (GessoClipBar *self)
{
  self->box = gtk_box_new (GTK_ORIENTATION_HORIZONTAL, 6);
  self->button = gesso_gallery_icon_button ("media-playback-pause-symbolic", "gallery.play", "");
  self->slider = gtk_scale_new_with_range (GTK_ORIENTATION_HORIZONTAL, 0, 1, 1);
  self->time = gtk_label_new ("");
  gtk_scale_set_draw_value (GTK_SCALE (self->slider), FALSE);
  gtk_widget_set_size_request (self->slider, SLIDER_WIDTH, -1);
  gtk_accessible_update_property (GTK_ACCESSIBLE (self->slider), GTK_ACCESSIBLE_PROPERTY_LABEL,
                                  _ ("Frame"), -1);
  gtk_widget_add_css_class (self->time, "numeric");
  gtk_box_append (GTK_BOX (self->box), self->button);
  gtk_box_append (GTK_BOX (self->box), self->slider);
  gtk_box_append (GTK_BOX (self->box), self->time);
  gtk_widget_add_css_class (self->box, "gallery-name");
  gtk_widget_set_parent (self->box, GTK_WIDGET (self));
  g_signal_connect_object (self->slider, "value-changed", G_CALLBACK (moved_cb), self, 0);
  show_button (self);
}

static void
gesso_clip_bar_dispose (GObject *object)
{
  GessoClipBar *self = GESSO_CLIP_BAR (object);
  if (self->slot)
    finish (self);
  g_clear_object (&self->slot);
  g_clear_pointer (&self->box, gtk_widget_unparent);
  G_OBJECT_CLASS (gesso_clip_bar_parent_class)->dispose (object);
}

static void
gesso_clip_bar_class_init (GessoClipBarClass *klass)
{
  G_OBJECT_CLASS (klass)->dispose = gesso_clip_bar_dispose;
  gtk_widget_class_set_layout_manager_type (GTK_WIDGET_CLASS (klass), GTK_TYPE_BIN_LAYOUT);
}

static void
gesso_clip_bar_init (GessoClipBar *self)
{
  gtk_widget_set_visible (GTK_WIDGET (self), FALSE);
}

GtkWidget *
gesso_clip_bar_new (GessoPictureSlot *slot, GtkWidget *view)
{
  g_return_val_if_fail (GESSO_IS_PICTURE_SLOT (slot) && GTK_IS_WIDGET (view), NULL);
  GessoClipBar *self = g_object_new (GESSO_TYPE_CLIP_BAR, NULL);
  self->slot = g_object_ref (slot);
  self->view = view;
  build (self);
  g_signal_connect_object (view, "map", G_CALLBACK (update_playing), self, G_CONNECT_SWAPPED);
  g_signal_connect_object (view, "unmap", G_CALLBACK (update_playing), self, G_CONNECT_SWAPPED);
  return GTK_WIDGET (self);
}
