/* SPDX-License-Identifier: MPL-2.0
 * gesso-gallery-viewer.c - a picture, or two to compare, as large as the page.
 */
#include "app/gallery/gesso-gallery-viewer.h"

#include <glib/gi18n.h>

#include "app/gallery/gesso-gallery-keys.h"
#include "app/gallery/gesso-gallery-style.h"
#include "app/gallery/gesso-gallery-text.h"

struct _GessoGalleryViewer
{
  GtkWidget parent_instance;
  gboolean compare;
  GessoPictureSlot *slots[2];
  GtkWidget *box, *view, *title, *zoom, *star, *names[2], *problem, *clip_bar;
  gulong star_handler;
  GessoPicture *watched; /* whose star is shown */
};

G_DEFINE_FINAL_TYPE (GessoGalleryViewer, gesso_gallery_viewer, GTK_TYPE_WIDGET)

/* ---- what is shown ---- */

static void
update_star (GessoGalleryViewer *self)
{
  GessoPicture *picture = self->watched;
  if (self->star)
    gtk_button_set_icon_name (GTK_BUTTON (self->star),
                              picture && gesso_picture_get_starred (picture)
                                  ? "gesso-starred-symbolic"
                                  : "gesso-star-symbolic");
}

static void
watch_star (GessoGalleryViewer *self, GessoPicture *picture)
{
  g_clear_signal_handler (&self->star_handler, self->watched);
  g_set_object (&self->watched, picture);
  if (picture)
    self->star_handler =
        g_signal_connect_swapped (picture, "notify::starred", G_CALLBACK (update_star), self);
  update_star (self);
}

static void
update_zoom (GessoGalleryViewer *self)
{
  double zoom = gesso_picture_view_get_zoom (GESSO_PICTURE_VIEW (self->view));
  g_autofree char *text =
      zoom > 0 ? g_strdup_printf (_ ("%d %%"), (int) (zoom * 100 + 0.5)) : g_strdup ("");
  gtk_label_set_label (GTK_LABEL (self->zoom), text);
}

static void
update_problem (GessoGalleryViewer *self)
{
  const char *problem = gesso_picture_slot_get_problem (self->slots[0]);
  if (!problem && self->slots[1])
    problem = gesso_picture_slot_get_problem (self->slots[1]);
  gtk_label_set_label (GTK_LABEL (self->problem), problem ? problem : "");
  gtk_widget_set_visible (self->problem, problem != NULL);
}

static void
update_names (GessoGalleryViewer *self)
{
  g_autofree char *spoken = NULL;
  for (int i = 0; i < 2; i++)
    {
      GessoPicture *picture =
          self->slots[i] ? gesso_picture_slot_get_picture (self->slots[i]) : NULL;
      g_autofree char *name = picture ? gesso_gallery_picture_name (picture) : g_strdup ("");
      g_autofree char *label =
          picture ? gesso_gallery_picture_label (picture, g_get_real_time () / G_USEC_PER_SEC)
                  : g_strdup ("");
      if (self->names[i])
        gtk_label_set_label (GTK_LABEL (self->names[i]), name);
      if (i == 0)
        gtk_label_set_label (GTK_LABEL (self->title), self->compare ? _ ("Compare") : name);
      char *both = spoken && *label ? g_strdup_printf (_ ("%s; and %s"), spoken, label)
                                    : g_strdup (spoken ? spoken : label);
      g_free (spoken);
      spoken = both;
    }
  gtk_accessible_update_property (GTK_ACCESSIBLE (self->view), GTK_ACCESSIBLE_PROPERTY_LABEL,
                                  spoken, -1);
}

void
gesso_gallery_viewer_show (GessoGalleryViewer *self, GessoPicture *first, GessoPicture *second)
{
  g_return_if_fail (GESSO_IS_GALLERY_VIEWER (self));
  g_return_if_fail (!second || self->compare);
  if (first && first != gesso_picture_slot_get_picture (self->slots[0]))
    gesso_picture_view_fit (GESSO_PICTURE_VIEW (self->view));
  gesso_picture_slot_set_picture (self->slots[0], first);
  if (self->slots[1])
    gesso_picture_slot_set_picture (self->slots[1], second);
  if (self->clip_bar)
    gesso_clip_bar_restart (GESSO_CLIP_BAR (self->clip_bar));
  watch_star (self, first);
  update_names (self);
  if (first)
    gtk_widget_grab_focus (self->view);
}

GessoPicture *
gesso_gallery_viewer_get_picture (GessoGalleryViewer *self, int i)
{
  g_return_val_if_fail (GESSO_IS_GALLERY_VIEWER (self) && i >= 0 && i < 2, NULL);
  return self->slots[i] ? gesso_picture_slot_get_picture (self->slots[i]) : NULL;
}

GessoPictureView *
gesso_gallery_viewer_get_view (GessoGalleryViewer *self)
{
  g_return_val_if_fail (GESSO_IS_GALLERY_VIEWER (self), NULL);
  return GESSO_PICTURE_VIEW (self->view);
}

GessoClipBar *
gesso_gallery_viewer_get_clip_bar (GessoGalleryViewer *self)
{
  g_return_val_if_fail (GESSO_IS_GALLERY_VIEWER (self), NULL);
  return self->clip_bar ? GESSO_CLIP_BAR (self->clip_bar) : NULL;
}

gboolean
gesso_gallery_viewer_is_complete (GessoGalleryViewer *self)
{
  g_return_val_if_fail (GESSO_IS_GALLERY_VIEWER (self), FALSE);
  for (int i = 0; i < 2 && self->slots[i]; i++)
    {
      GessoPixels *pixels = gesso_picture_slot_get_pixels (self->slots[i]);
      if ((!pixels || gesso_pixels_is_stand_in (pixels)) &&
          !gesso_picture_slot_get_problem (self->slots[i]))
        return FALSE;
    }
  return TRUE;
}

/* ---- building ---- */

static void
append_button (GtkWidget *box, const char *icon, const char *action, const char *label)
{
  gtk_box_append (GTK_BOX (box), gesso_gallery_icon_button (icon, action, label));
}

static GtkWidget *
new_toggle (const char *icon, const char *action, const char *label)
{
  GtkWidget *toggle = gtk_toggle_button_new ();
  gtk_button_set_icon_name (GTK_BUTTON (toggle), icon);
  gtk_widget_add_css_class (toggle, "flat");
  gtk_actionable_set_detailed_action_name (GTK_ACTIONABLE (toggle), action);
  gtk_widget_set_tooltip_text (toggle, label);
  gtk_accessible_update_property (GTK_ACCESSIBLE (toggle), GTK_ACCESSIBLE_PROPERTY_LABEL, label,
                                  -1);
  return toggle;
}

static GtkWidget *
new_tools (GessoGalleryViewer *self)
{
  GtkWidget *box = gtk_box_new (GTK_ORIENTATION_HORIZONTAL, 4);
  gtk_widget_add_css_class (box, "gallery-stage");
  gtk_widget_add_css_class (box, "tools");
  append_button (box, "go-previous-symbolic", "gallery.back", _ ("Back to the gallery"));
  self->title = gtk_label_new ("");
  gtk_widget_add_css_class (self->title, "heading");
  gtk_label_set_ellipsize (GTK_LABEL (self->title), PANGO_ELLIPSIZE_MIDDLE);
  gtk_label_set_xalign (GTK_LABEL (self->title), 0);
  gtk_widget_set_hexpand (self->title, TRUE);
  gtk_box_append (GTK_BOX (box), self->title);
  self->zoom = gtk_label_new ("");
  gtk_box_append (GTK_BOX (box), self->zoom);
  append_button (box, "zoom-out-symbolic", "gallery.zoom-out", _ ("Zoom out"));
  append_button (box, "zoom-in-symbolic", "gallery.zoom-in", _ ("Zoom in"));
  append_button (box, "zoom-original-symbolic", "gallery.zoom-original", _ ("Original size"));
  append_button (box, "gesso-fit-symbolic", "gallery.zoom-fit", _ ("Fit"));
  if (self->compare)
    {
      append_button (box, "object-flip-horizontal-symbolic", "gallery.swap",
                     _ ("Swap the pictures"));
      gtk_box_append (GTK_BOX (box),
                      new_toggle ("gesso-wipe-symbolic", "gallery.wipe", _ ("One over the other")));
      return box;
    }
  self->star = gesso_gallery_icon_button ("gesso-star-symbolic", "gallery.star", _ ("Star"));
  gtk_box_append (GTK_BOX (box), self->star);
  append_button (box, "user-trash-symbolic", "gallery.trash", _ ("Move to Trash"));
  gtk_box_append (GTK_BOX (box),
                  new_toggle ("gesso-details-symbolic", "gallery.details", _ ("Details")));
  return box;
}

static void
add_over (GtkWidget *overlay, GtkWidget *child, GtkAlign across, GtkAlign down)
{
  gtk_widget_set_halign (child, across);
  gtk_widget_set_valign (child, down);
  gtk_overlay_add_overlay (GTK_OVERLAY (overlay), child);
}

static GtkWidget *
new_label_over (GtkWidget *overlay, GtkAlign across, GtkAlign down)
{
  GtkWidget *label = gtk_label_new ("");
  gtk_widget_add_css_class (label, "gallery-name");
  gtk_widget_set_can_target (label, FALSE);
  gtk_label_set_ellipsize (GTK_LABEL (label), PANGO_ELLIPSIZE_MIDDLE);
  add_over (overlay, label, across, down);
  return label;
}

static void
add_arrow (
    GtkWidget *overlay, const char *icon, const char *action, const char *label, GtkAlign across)
{
  GtkWidget *button = gesso_gallery_icon_button (icon, action, label);
  gtk_widget_remove_css_class (button, "flat");
  gtk_widget_add_css_class (button, "circular");
  add_over (overlay, button, across, GTK_ALIGN_CENTER);
}

static void
build (GessoGalleryViewer *self)
{
  GtkWidget *overlay = gtk_overlay_new ();
  self->view = gesso_picture_view_new (self->slots[0], self->slots[1]);
  gtk_widget_add_css_class (overlay, "gallery-stage");
  gtk_overlay_set_child (GTK_OVERLAY (overlay), self->view);
  if (self->compare)
    {
      self->names[0] = new_label_over (overlay, GTK_ALIGN_START, GTK_ALIGN_END);
      self->names[1] = new_label_over (overlay, GTK_ALIGN_END, GTK_ALIGN_END);
    }
  else
    {
      add_arrow (overlay, "go-previous-symbolic", "gallery.previous", _ ("Newer picture"),
                 GTK_ALIGN_START);
      add_arrow (overlay, "go-next-symbolic", "gallery.next", _ ("Older picture"), GTK_ALIGN_END);
      self->clip_bar = gesso_clip_bar_new (self->slots[0], self->view);
      add_over (overlay, self->clip_bar, GTK_ALIGN_CENTER, GTK_ALIGN_END);
    }
  self->problem = new_label_over (overlay, GTK_ALIGN_CENTER, GTK_ALIGN_CENTER);
  gtk_label_set_wrap (GTK_LABEL (self->problem), TRUE);
  gtk_widget_set_visible (self->problem, FALSE);
  self->box = gtk_box_new (GTK_ORIENTATION_VERTICAL, 0);
  gtk_box_append (GTK_BOX (self->box), new_tools (self));
  gtk_box_append (GTK_BOX (self->box), overlay);
  gtk_widget_set_parent (self->box, GTK_WIDGET (self));
  gesso_gallery_keys_add (GTK_WIDGET (self), self->compare ? GESSO_KEYS_COMPARE : GESSO_KEYS_VIEWER,
                          NULL, NULL);
}

static void
gesso_gallery_viewer_dispose (GObject *object)
{
  GessoGalleryViewer *self = GESSO_GALLERY_VIEWER (object);
  g_clear_signal_handler (&self->star_handler, self->watched);
  g_clear_object (&self->watched);
  if (self->clip_bar)
    gesso_clip_bar_stop (GESSO_CLIP_BAR (self->clip_bar));
  self->clip_bar = NULL;
  for (int i = 0; i < 2; i++)
    {
      if (self->slots[i])
        gesso_picture_slot_set_picture (self->slots[i], NULL);
      g_clear_object (&self->slots[i]);
    }
  g_clear_pointer (&self->box, gtk_widget_unparent);
  G_OBJECT_CLASS (gesso_gallery_viewer_parent_class)->dispose (object);
}

static void
gesso_gallery_viewer_class_init (GessoGalleryViewerClass *klass)
{
  G_OBJECT_CLASS (klass)->dispose = gesso_gallery_viewer_dispose;
  gtk_widget_class_set_layout_manager_type (GTK_WIDGET_CLASS (klass), GTK_TYPE_BIN_LAYOUT);
}

static void
gesso_gallery_viewer_init (GessoGalleryViewer *self)
{
}

GtkWidget *
gesso_gallery_viewer_new (GessoLibrary *library, gboolean compare)
{
  g_return_val_if_fail (GESSO_IS_LIBRARY (library), NULL);
  GessoGalleryViewer *self = g_object_new (GESSO_TYPE_GALLERY_VIEWER, NULL);
  self->compare = compare;
  for (int i = 0; i < (compare ? 2 : 1); i++)
    self->slots[i] = gesso_picture_slot_new (library);
  build (self);
  for (int i = 0; i < 2 && self->slots[i]; i++)
    g_signal_connect_object (self->slots[i], "changed", G_CALLBACK (update_problem), self,
                             G_CONNECT_SWAPPED);
  g_signal_connect_object (self->view, "view-changed", G_CALLBACK (update_zoom), self,
                           G_CONNECT_SWAPPED);
  return GTK_WIDGET (self);
}
