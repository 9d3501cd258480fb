/* SPDX-License-Identifier: MPL-2.0
 * gesso-gallery-cell.c - one thumbnail of the grid.
 *
 * The grid keeps hundreds of these; a box with a picture and overlays in each would cost ten times
 * the memory and the layout.
 */
#include "app/gallery/gesso-gallery-cell.h"

#include "app/gallery/gesso-gallery-text.h"
#include "media/image.h"

enum
{
  SMALL_THUMBNAIL = 192, /* px; two sizes only, so that the cache on the disk holds few files */
  LARGE_THUMBNAIL = 384,
  STAR_SIZE = 16,
  STAR_MARGIN = 6
};
#define CORNER_RADIUS 8

struct _GessoGalleryCell
{
  GtkWidget parent_instance;
  GessoLibrary *library;
  GessoPicture *picture;
  GdkTexture *texture;
  GCancellable *cancellable;
  gulong handler;
  int size, thumbnail_size;
  gboolean failed;

  /* What the label was made of; the strings are the picture's, for comparison only. */
  const char *label_path, *label_prompt;
  gint64 label_created;
  gboolean label_starred;
};

G_DEFINE_FINAL_TYPE (GessoGalleryCell, gesso_gallery_cell, GTK_TYPE_WIDGET)

/* ---- thumbnail ---- */

static void
cancel (GessoGalleryCell *self)
{
  if (self->cancellable)
    g_cancellable_cancel (self->cancellable);
  g_clear_object (&self->cancellable);
}

static void
thumbnail_cb (GObject *source, GAsyncResult *result, gpointer user_data)
{
  g_autoptr (GessoGalleryCell) self = user_data;
  g_autoptr (GError) error = NULL;
  int width, height;
  g_autoptr (GBytes) rgb =
      gesso_library_thumbnail_finish (GESSO_LIBRARY (source), result, &width, &height, &error);
  if (g_error_matches (error, G_IO_ERROR, G_IO_ERROR_CANCELLED))
    return;
  g_clear_object (&self->cancellable);
  if (rgb)
    {
      g_clear_object (&self->texture);
      self->texture = gdk_memory_texture_new (width, height, GDK_MEMORY_R8G8B8, rgb,
                                              (gsize) width * IMAGE_CHANNELS);
    }
  self->failed = rgb == NULL;
  gtk_widget_queue_draw (GTK_WIDGET (self));
}

static int
wanted_size (GessoGalleryCell *self)
{
  int device = self->size * gtk_widget_get_scale_factor (GTK_WIDGET (self));
  return device <= SMALL_THUMBNAIL ? SMALL_THUMBNAIL : LARGE_THUMBNAIL;
}

static void
request_thumbnail (GessoGalleryCell *self)
{
  const char *path = self->picture ? gesso_picture_get_path (self->picture) : "";
  cancel (self);
  if (!*path)
    return;
  self->thumbnail_size = wanted_size (self);
  self->cancellable = g_cancellable_new ();
  gesso_library_thumbnail_async (self->library, path, self->thumbnail_size, self->cancellable,
                                 thumbnail_cb, g_object_ref (self));
}

/* ---- picture ---- */

/* The widget that has the focus is the grid's, not ours. */
static void
update_label (GessoGalleryCell *self)
{
  GtkWidget *parent = gtk_widget_get_parent (GTK_WIDGET (self));
  if (!self->picture || !parent)
    return;
  if (!*gesso_picture_get_path (self->picture)) /* it is not read yet */
    {
      gtk_accessible_reset_property (GTK_ACCESSIBLE (parent), GTK_ACCESSIBLE_PROPERTY_LABEL);
      gtk_accessible_reset_property (GTK_ACCESSIBLE (self), GTK_ACCESSIBLE_PROPERTY_LABEL);
      return;
    }
  g_autofree char *label =
      gesso_gallery_picture_label (self->picture, g_get_real_time () / G_USEC_PER_SEC);
  gtk_accessible_update_property (GTK_ACCESSIBLE (parent), GTK_ACCESSIBLE_PROPERTY_LABEL, label,
                                  -1);
  gtk_accessible_update_property (GTK_ACCESSIBLE (self), GTK_ACCESSIBLE_PROPERTY_LABEL, label, -1);
}

/* A picture that is read tells of each of its properties, and has them all by then.  Returns:
 * whether there is something new to say */
static gboolean
note_label (GessoGalleryCell *self)
{
  GessoPicture *p = self->picture;
  const char *path = gesso_picture_get_path (p), *prompt = gesso_picture_get_prompt (p);
  gint64 created = gesso_picture_get_created (p);
  gboolean starred = gesso_picture_get_starred (p);
  if (path == self->label_path && prompt == self->label_prompt && created == self->label_created &&
      starred == self->label_starred)
    return FALSE;
  self->label_path = path;
  self->label_prompt = prompt;
  self->label_created = created;
  self->label_starred = starred;
  return TRUE;
}

static void
picture_notify_cb (GessoGalleryCell *self, GParamSpec *pspec)
{
  if (g_strcmp0 (pspec->name, "path") == 0)
    request_thumbnail (self);
  if (note_label (self))
    update_label (self);
  gtk_widget_queue_draw (GTK_WIDGET (self));
}

void
gesso_gallery_cell_set_picture (GessoGalleryCell *self, GessoPicture *picture)
{
  g_return_if_fail (GESSO_IS_GALLERY_CELL (self));
  cancel (self);
  g_clear_signal_handler (&self->handler, self->picture);
  g_clear_object (&self->texture);
  g_set_object (&self->picture, picture);
  self->failed = FALSE;
  if (!picture)
    return;
  self->handler =
      g_signal_connect_swapped (picture, "notify", G_CALLBACK (picture_notify_cb), self);
  request_thumbnail (self);
  note_label (self);
  update_label (self);
  gtk_widget_queue_draw (GTK_WIDGET (self));
}

GessoPicture *
gesso_gallery_cell_get_picture (GessoGalleryCell *self)
{
  g_return_val_if_fail (GESSO_IS_GALLERY_CELL (self), NULL);
  return self->picture;
}

void
gesso_gallery_cell_set_size (GessoGalleryCell *self, int size)
{
  g_return_if_fail (GESSO_IS_GALLERY_CELL (self) && size > 0);
  if (self->size == size)
    return;
  self->size = size;
  if (self->picture && wanted_size (self) > self->thumbnail_size)
    request_thumbnail (self);
  gtk_widget_queue_resize (GTK_WIDGET (self));
}

gboolean
gesso_gallery_cell_has_thumbnail (GessoGalleryCell *self)
{
  g_return_val_if_fail (GESSO_IS_GALLERY_CELL (self), FALSE);
  return self->texture != NULL;
}

GdkTexture *
gesso_gallery_cell_get_texture (GessoGalleryCell *self)
{
  g_return_val_if_fail (GESSO_IS_GALLERY_CELL (self), NULL);
  return self->texture;
}

/* ---- drawing ---- */

static void
draw_icon (GessoGalleryCell *self,
           GtkSnapshot *snapshot,
           const char *name,
           float x,
           float y,
           int size,
           const GdkRGBA *color)
{
  GtkWidget *widget = GTK_WIDGET (self);
  g_autoptr (GtkIconPaintable) icon = gtk_icon_theme_lookup_icon (
      gtk_icon_theme_get_for_display (gtk_widget_get_display (widget)), name, NULL, size,
      gtk_widget_get_scale_factor (widget), GTK_TEXT_DIR_NONE, 0);
  gtk_snapshot_save (snapshot);
  gtk_snapshot_translate (snapshot, &GRAPHENE_POINT_INIT (x, y));
  gtk_symbolic_paintable_snapshot_symbolic (GTK_SYMBOLIC_PAINTABLE (icon), snapshot, size, size,
                                            color, 1);
  gtk_snapshot_restore (snapshot);
}

static void
draw_star (GessoGalleryCell *self, GtkSnapshot *snapshot, const graphene_rect_t *picture)
{
  const GdkRGBA white = { 1, 1, 1, 1 }, dark = { 0, 0, 0, 0.72f };
  const float disc = STAR_SIZE + 8;
  graphene_rect_t bounds = GRAPHENE_RECT_INIT (
      picture->origin.x + picture->size.width - disc - STAR_MARGIN,
      picture->origin.y + picture->size.height - disc - STAR_MARGIN, disc, disc);
  GskRoundedRect round;
  gsk_rounded_rect_init_from_rect (&round, &bounds, disc / 2);
  gtk_snapshot_push_rounded_clip (snapshot, &round);
  gtk_snapshot_append_color (snapshot, &dark, &bounds);
  gtk_snapshot_pop (snapshot);
  draw_icon (self, snapshot, "gesso-starred-symbolic", bounds.origin.x + 4, bounds.origin.y + 4,
             STAR_SIZE, &white);
}

/* How long a clip is, in the corner opposite the star. */
static void
draw_duration (GessoGalleryCell *self, GtkSnapshot *snapshot, const graphene_rect_t *picture)
{
  const GdkRGBA white = { 1, 1, 1, 1 }, dark = { 0, 0, 0, 0.72f };
  g_autofree char *text = gesso_gallery_duration_text (gesso_picture_get_duration (self->picture));
  g_autoptr (PangoLayout) layout = gtk_widget_create_pango_layout (GTK_WIDGET (self), text);
  int width, height;
  pango_layout_get_pixel_size (layout, &width, &height);
  const float pad = 4, icon = STAR_SIZE;
  graphene_rect_t bounds = GRAPHENE_RECT_INIT (
      picture->origin.x + STAR_MARGIN,
      picture->origin.y + picture->size.height - (float) height - pad - STAR_MARGIN,
      icon + (float) width + 3 * pad, (float) height + pad);
  GskRoundedRect round;
  gsk_rounded_rect_init_from_rect (&round, &bounds, bounds.size.height / 2);
  gtk_snapshot_push_rounded_clip (snapshot, &round);
  gtk_snapshot_append_color (snapshot, &dark, &bounds);
  gtk_snapshot_pop (snapshot);
  draw_icon (self, snapshot, "media-playback-start-symbolic", bounds.origin.x + pad,
             bounds.origin.y + (bounds.size.height - icon) / 2, STAR_SIZE, &white);
  gtk_snapshot_save (snapshot);
  gtk_snapshot_translate (
      snapshot, &GRAPHENE_POINT_INIT (bounds.origin.x + icon + 2 * pad, bounds.origin.y + pad / 2));
  gtk_snapshot_append_layout (snapshot, layout, &white);
  gtk_snapshot_restore (snapshot);
}

/* Its place in the cell: as large as it fits, in its own shape. */
static graphene_rect_t
picture_rect (GessoGalleryCell *self)
{
  float width = (float) gtk_widget_get_width (GTK_WIDGET (self));
  float height = (float) gtk_widget_get_height (GTK_WIDGET (self));
  float w = width, h = height;
  if (self->texture)
    {
      w = (float) gdk_texture_get_width (self->texture);
      h = (float) gdk_texture_get_height (self->texture);
    }
  else if (self->picture && gesso_picture_get_width (self->picture) > 0)
    {
      w = (float) gesso_picture_get_width (self->picture);
      h = (float) gesso_picture_get_height (self->picture);
    }
  float scale = MIN (width / w, height / h);
  w = roundf (w * scale);
  h = roundf (h * scale);
  return GRAPHENE_RECT_INIT (roundf ((width - w) / 2), roundf ((height - h) / 2), w, h);
}

static void
gesso_gallery_cell_snapshot (GtkWidget *widget, GtkSnapshot *snapshot)
{
  GessoGalleryCell *self = GESSO_GALLERY_CELL (widget);
  const GdkRGBA faint = { 0.5f, 0.5f, 0.5f, 0.18f }, grey = { 0.5f, 0.5f, 0.5f, 1 };
  graphene_rect_t rect = picture_rect (self);
  GskRoundedRect round;
  gsk_rounded_rect_init_from_rect (&round, &rect, CORNER_RADIUS);
  gtk_snapshot_push_rounded_clip (snapshot, &round);
  if (self->texture)
    gtk_snapshot_append_texture (snapshot, self->texture, &rect);
  else
    gtk_snapshot_append_color (snapshot, &faint, &rect);
  gtk_snapshot_pop (snapshot);
  if (self->failed)
    draw_icon (self, snapshot, "image-missing-symbolic",
               rect.origin.x + (rect.size.width - 2 * STAR_SIZE) / 2,
               rect.origin.y + (rect.size.height - 2 * STAR_SIZE) / 2, 2 * STAR_SIZE, &grey);
  if (self->picture && gesso_picture_get_starred (self->picture))
    draw_star (self, snapshot, &rect);
  if (self->picture && gesso_picture_get_duration (self->picture) > 0)
    draw_duration (self, snapshot, &rect);
}

static void
gesso_gallery_cell_measure (GtkWidget *widget,
                            GtkOrientation orientation,
                            int for_size,
                            int *minimum,
                            int *natural,
                            int *minimum_baseline,
                            int *natural_baseline)
{
  *minimum = *natural = GESSO_GALLERY_CELL (widget)->size;
  *minimum_baseline = *natural_baseline = -1;
}

static void
gesso_gallery_cell_dispose (GObject *object)
{
  GessoGalleryCell *self = GESSO_GALLERY_CELL (object);
  gesso_gallery_cell_set_picture (self, NULL);
  g_clear_object (&self->library);
  G_OBJECT_CLASS (gesso_gallery_cell_parent_class)->dispose (object);
}

static void
gesso_gallery_cell_class_init (GessoGalleryCellClass *klass)
{
  GtkWidgetClass *widget_class = GTK_WIDGET_CLASS (klass);
  G_OBJECT_CLASS (klass)->dispose = gesso_gallery_cell_dispose;
  widget_class->snapshot = gesso_gallery_cell_snapshot;
  widget_class->measure = gesso_gallery_cell_measure;
  gtk_widget_class_set_css_name (widget_class, "thumbnail");
  gtk_widget_class_set_accessible_role (widget_class, GTK_ACCESSIBLE_ROLE_IMG);
}

static void
gesso_gallery_cell_init (GessoGalleryCell *self)
{
}

GtkWidget *
gesso_gallery_cell_new (GessoLibrary *library, int size)
{
  g_return_val_if_fail (GESSO_IS_LIBRARY (library) && size > 0, NULL);
  GessoGalleryCell *self = g_object_new (GESSO_TYPE_GALLERY_CELL, NULL);
  self->library = g_object_ref (library);
  self->size = size;
  return GTK_WIDGET (self);
}
