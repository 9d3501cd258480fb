/* SPDX-License-Identifier: MPL-2.0
 * gesso-canvas-drop.c - pictures from outside: dropped, pasted, opened.
 */
#include "app/canvas/gesso-canvas-private.h"

#include <glib/gi18n.h>

#define MASK_ZONE_HEIGHT 96 /* logical pixels, but a quarter at most */

double
gesso_canvas_mask_zone_top (GessoCanvas *self)
{
  int height = gtk_widget_get_height (GTK_WIDGET (self));
  return height - MIN (MASK_ZONE_HEIGHT, height / 4);
}

GessoDropZone
gesso_canvas_zone_at (GessoCanvas *self, double y)
{
  return y >= gesso_canvas_mask_zone_top (self) ? GESSO_DROP_MASK : GESSO_DROP_PICTURE;
}

static void
mask_loaded_cb (GObject *source, GAsyncResult *result, gpointer user_data)
{
  g_autoptr (GessoCanvas) self = user_data;
  g_autoptr (GError) error = NULL;
  if (!gesso_document_load_finish (GESSO_DOCUMENT (source), result, &error) &&
      !g_error_matches (error, G_IO_ERROR, G_IO_ERROR_CANCELLED))
    gesso_canvas_fail (self, error->message);
}

static void
picture_loaded_cb (GObject *source, GAsyncResult *result, gpointer user_data)
{
  g_autoptr (GessoCanvas) self = user_data;
  g_autoptr (GError) error = NULL;
  if (gesso_document_load_finish (GESSO_DOCUMENT (source), result, &error))
    g_signal_emit_by_name (self, "picture-loaded");
  else if (!g_error_matches (error, G_IO_ERROR, G_IO_ERROR_CANCELLED))
    gesso_canvas_fail (self, error->message);
}

static GCancellable *
begin_loading (GessoCanvas *self)
{
  g_cancellable_cancel (self->loading);
  g_clear_object (&self->loading);
  self->loading = g_cancellable_new ();
  return self->loading;
}

void
gesso_canvas_load_file (GessoCanvas *self, GFile *file, GessoDropZone zone)
{
  g_return_if_fail (GESSO_IS_CANVAS (self));
  g_return_if_fail (G_IS_FILE (file));
  GCancellable *cancellable = begin_loading (self);
  if (zone == GESSO_DROP_MASK)
    gesso_document_load_mask_async (self->document, file, cancellable, mask_loaded_cb,
                                    g_object_ref (self));
  else
    gesso_document_load_async (self->document, file, cancellable, picture_loaded_cb,
                               g_object_ref (self));
}

/* (height, width) premultiplied pixels -> RGB over white */
static GBytes *
texture_to_rgb (GdkTexture *texture)
{
  gsize width = (gsize) gdk_texture_get_width (texture);
  gsize n = width * (gsize) gdk_texture_get_height (texture);
  g_autofree guint8 *pixels = g_try_malloc (n * 4);
  guint8 *rgb = pixels ? g_try_malloc (n * 3) : NULL;
  if (!rgb)
    return NULL;
  gdk_texture_download (texture, pixels, width * 4);
  for (gsize i = 0; i < n; i++)
    {
      guint32 p; /* CAIRO_FORMAT_ARGB32: alpha in the highest byte, whatever the byte order */
      memcpy (&p, pixels + 4 * i, sizeof p);
      guint32 white = 255 - (p >> 24);
      rgb[3 * i] = (guint8) ((p >> 16 & 255) + white);
      rgb[3 * i + 1] = (guint8) ((p >> 8 & 255) + white);
      rgb[3 * i + 2] = (guint8) ((p & 255) + white);
    }
  return g_bytes_new_take (rgb, n * 3);
}

typedef struct
{
  GdkTexture *texture;
  GessoDropZone zone;
} Download;

static void
download_free (gpointer data)
{
  Download *download = data;
  g_object_unref (download->texture);
  g_free (download);
}

static void
download_thread (GTask *task, gpointer source, gpointer data, GCancellable *cancellable)
{
  GBytes *rgb = texture_to_rgb (((Download *) data)->texture);
  if (rgb)
    g_task_return_pointer (task, rgb, (GDestroyNotify) g_bytes_unref);
  else
    g_task_return_new_error (task, G_IO_ERROR, G_IO_ERROR_FAILED,
                             _ ("There is not enough memory for this picture."));
}

static void
downloaded_cb (GObject *source, GAsyncResult *result, gpointer user_data)
{
  g_autoptr (GessoCanvas) self = user_data;
  g_autoptr (GError) error = NULL;
  g_autoptr (GBytes) rgb = g_task_propagate_pointer (G_TASK (result), &error);
  const Download *d = g_task_get_task_data (G_TASK (result));
  gboolean as_mask = d->zone == GESSO_DROP_MASK;
  if (rgb)
    gesso_document_load_bytes_async (
        self->document, rgb, gdk_texture_get_width (d->texture),
        gdk_texture_get_height (d->texture), as_mask, g_task_get_cancellable (G_TASK (result)),
        as_mask ? mask_loaded_cb : picture_loaded_cb, g_object_ref (self));
  else if (!g_error_matches (error, G_IO_ERROR, G_IO_ERROR_CANCELLED))
    gesso_canvas_fail (self, error->message);
}

void
gesso_canvas_load_texture (GessoCanvas *self, GdkTexture *texture, GessoDropZone zone)
{
  g_return_if_fail (GESSO_IS_CANVAS (self));
  g_return_if_fail (GDK_IS_TEXTURE (texture));
  Download *download = g_new (Download, 1);
  *download = (Download){ g_object_ref (texture), zone };
  /* no source: the thread may be the last to let go of the task */
  g_autoptr (GTask) task =
      g_task_new (NULL, begin_loading (self), downloaded_cb, g_object_ref (self));
  g_task_set_source_tag (task, gesso_canvas_load_texture);
  g_task_set_task_data (task, download, download_free);
  /* What comes by drag or clipboard lies in memory and may be read on a thread; a texture of the
   * GPU belongs to its context. */
  if (GDK_IS_MEMORY_TEXTURE (texture))
    g_task_run_in_thread (task, download_thread);
  else
    download_thread (task, NULL, download, NULL);
}

void
gesso_canvas_offer (GessoCanvas *self, GFile *file, GdkTexture *texture, GessoDropZone zone)
{
  gboolean taken = FALSE;
  g_signal_emit_by_name (self, "picture-dropped", file, texture, (guint) zone, &taken);
  if (taken)
    return;
  if (file)
    gesso_canvas_load_file (self, file, zone);
  else
    gesso_canvas_load_texture (self, texture, zone);
}

/* @value: a GdkFileList */
static gboolean
offer_several (GessoCanvas *self, const GValue *value)
{
  gboolean taken = FALSE;
  g_signal_emit_by_name (self, "files-dropped", g_value_get_boxed (value), &taken);
  return taken;
}

/* Returns: FALSE when @value holds nothing that can be used */
static gboolean
offer_value (GessoCanvas *self, const GValue *value, GessoDropZone zone)
{
  if (G_VALUE_HOLDS (value, GDK_TYPE_FILE_LIST))
    {
      g_autoptr (GSList) files = gdk_file_list_get_files (g_value_get_boxed (value));
      if (!files)
        return FALSE;
      if (files->next && zone == GESSO_DROP_PICTURE && offer_several (self, value))
        return TRUE;
      gesso_canvas_offer (self, files->data, NULL, zone);
      return TRUE;
    }
  if (G_VALUE_HOLDS (value, G_TYPE_FILE) && g_value_get_object (value))
    {
      gesso_canvas_offer (self, g_value_get_object (value), NULL, zone);
      return TRUE;
    }
  if (G_VALUE_HOLDS (value, GDK_TYPE_TEXTURE) && g_value_get_object (value))
    {
      gesso_canvas_offer (self, NULL, g_value_get_object (value), zone);
      return TRUE;
    }
  return FALSE;
}

static void
set_hover (GessoCanvas *self, gboolean hover, GessoDropZone zone)
{
  if (hover == self->drop_hover && zone == self->drop_zone)
    return;
  self->drop_hover = hover;
  self->drop_zone = zone;
  gtk_widget_queue_draw (GTK_WIDGET (self));
}

static GdkDragAction
hover_cb (GtkDropTarget *target, double x, double y, GessoCanvas *self)
{
  set_hover (self, TRUE, gesso_canvas_zone_at (self, y));
  return GDK_ACTION_COPY;
}

static void
hover_end_cb (GtkDropTarget *target, GessoCanvas *self)
{
  set_hover (self, FALSE, GESSO_DROP_PICTURE);
}

static gboolean
drop_cb (GtkDropTarget *target, const GValue *value, double x, double y, GessoCanvas *self)
{
  set_hover (self, FALSE, GESSO_DROP_PICTURE);
  gboolean used = offer_value (self, value, gesso_canvas_zone_at (self, y));
  if (!used)
    gesso_canvas_fail (self, _ ("Only pictures can be dropped here."));
  return used;
}

void
gesso_canvas_init_drop (GessoCanvas *self)
{
  GtkDropTarget *target = gtk_drop_target_new (G_TYPE_INVALID, GDK_ACTION_COPY);
  GType types[] = { GDK_TYPE_FILE_LIST, G_TYPE_FILE, GDK_TYPE_TEXTURE };
  gtk_drop_target_set_gtypes (target, types, G_N_ELEMENTS (types));
  g_signal_connect (target, "enter", G_CALLBACK (hover_cb), self);
  g_signal_connect (target, "motion", G_CALLBACK (hover_cb), self);
  g_signal_connect (target, "leave", G_CALLBACK (hover_end_cb), self);
  g_signal_connect (target, "drop", G_CALLBACK (drop_cb), self);
  gtk_widget_add_controller (GTK_WIDGET (self), GTK_EVENT_CONTROLLER (target));
}

static void
pasted_cb (GObject *source, GAsyncResult *result, gpointer user_data)
{
  g_autoptr (GessoCanvas) self = user_data;
  g_autoptr (GError) error = NULL;
  const GValue *value = gdk_clipboard_read_value_finish (GDK_CLIPBOARD (source), result, &error);
  if (!value)
    gesso_canvas_fail (self, error->message);
  else if (!offer_value (self, value, GESSO_DROP_PICTURE))
    gesso_canvas_fail (self, _ ("The clipboard holds no picture."));
}

void
gesso_canvas_paste (GessoCanvas *self)
{
  g_return_if_fail (GESSO_IS_CANVAS (self));
  GdkClipboard *clipboard = gtk_widget_get_clipboard (GTK_WIDGET (self));
  g_autoptr (GdkContentFormats) formats = gdk_content_formats_union_deserialize_gtypes (
      gdk_content_formats_ref (gdk_clipboard_get_formats (clipboard)));
  const GType types[] = { GDK_TYPE_FILE_LIST, GDK_TYPE_TEXTURE };
  for (gsize i = 0; i < G_N_ELEMENTS (types); i++)
    if (gdk_content_formats_contain_gtype (formats, types[i]))
      {
        gdk_clipboard_read_value_async (clipboard, types[i], G_PRIORITY_DEFAULT, NULL, pasted_cb,
                                        g_object_ref (self));
        return;
      }
  gesso_canvas_fail (self, _ ("The clipboard holds no picture."));
}
