/* SPDX-License-Identifier: MPL-2.0 */
#include "app/gesso-control-preview.h"

#include <glib/gstdio.h>

#include "app/gesso-list-row.h"
#include "app/gesso-texture.h"
#include "core/mem.h"
#include "media/frames.h"
#include "media/preprocess.h"
#include "media/resize.h"

#define LARGEST_SIDE 512
#define NANOSECONDS_IN_US 1000
#define KEY "control-preview"

/* What the thread has: no widget, as it may be the last to let go of its task. */
typedef struct
{
  char *path;
  Preprocess kind;
  double a, b;
  gint64 modified_us, size_bytes; /* of the file that is shown; 0 when it is not there */
  gboolean is_shown;              /* a picture, or what is wrong with it */
} Work;

/* What is shown in a GtkPicture, or soon will be; the picture owns it. */
typedef struct
{
  Work work; /* its path NULL: nothing */
  GtkWidget *warning;
  GCancellable *cancellable;
  gboolean is_open;  /* a thread is at it */
  gboolean is_stale; /* it was asked for once more meanwhile: the file may be another by now */
} Preview;

static void
work_free (gpointer data)
{
  Work *work = data;
  g_free (work->path);
  g_free (work);
}

static Preprocess
preprocess_of (RecipePreprocess kind)
{
  static const Preprocess kinds[] = { [RECIPE_PREPROCESS_NONE] = PREPROCESS_NONE,
                                      [RECIPE_PREPROCESS_CANNY] = PREPROCESS_CANNY,
                                      [RECIPE_PREPROCESS_INVERT] = PREPROCESS_INVERT,
                                      [RECIPE_PREPROCESS_BLUR] = PREPROCESS_BLUR,
                                      [RECIPE_PREPROCESS_THRESHOLD] = PREPROCESS_THRESHOLD };
  return kinds[kind];
}

static void
free_rgb (gpointer rgb)
{
  mem_free (rgb);
}

static gboolean
make (Image *image, const Work *work, Status *status)
{
  if (!frames_read_picture (image, work->path, NULL, status))
    return FALSE;
  int most = MAX (image->width, image->height);
  return (most <= LARGEST_SIDE ||
          image_resize (image, MAX (image->width * LARGEST_SIDE / most, 1),
                        MAX (image->height * LARGEST_SIDE / most, 1), status)) &&
         image_preprocess (image, work->kind, work->a, work->b, status);
}

/* Returns: whether the file is another than the one that is shown */
static gboolean
look_on_thread (Work *work)
{
  GStatBuf info = { 0 };
  gint64 modified_us = 0, size_bytes = 0;
  if (g_stat (work->path, &info) == 0)
    {
      modified_us = info.st_mtim.tv_sec * G_USEC_PER_SEC + info.st_mtim.tv_nsec / NANOSECONDS_IN_US;
      size_bytes = info.st_size;
    }
  gboolean is_new =
      !work->is_shown || modified_us != work->modified_us || size_bytes != work->size_bytes;
  work->modified_us = modified_us;
  work->size_bytes = size_bytes;
  return is_new;
}

/* Gives NULL where what is shown is right. */
static void
preview_in_thread (GTask *task, gpointer source, gpointer data, GCancellable *cancellable)
{
  Work *work = data;
  Image image = { 0 };
  Status status = { 0 };
  if (g_task_return_error_if_cancelled (task))
    return;
  work->is_shown = !look_on_thread (work);
  if (work->is_shown)
    {
      g_task_return_pointer (task, NULL, NULL);
      return;
    }
  if (!make (&image, work, &status))
    {
      g_autofree char *message = g_utf8_make_valid (status.message, -1);
      image_clear (&image);
      g_task_return_new_error (task, G_IO_ERROR, G_IO_ERROR_FAILED, "%s", message);
      return;
    }
  g_autoptr (GBytes) rgb = g_bytes_new_with_free_func (
      image.rgb, (gsize) image.width * (gsize) image.height * 3, free_rgb, image.rgb);
  g_task_return_pointer (task, gesso_texture_new (rgb, image.width, image.height), g_object_unref);
}

static void
preview_free (gpointer data)
{
  Preview *preview = data;
  g_cancellable_cancel (preview->cancellable);
  g_object_unref (preview->cancellable);
  g_object_unref (preview->warning);
  g_free (preview->work.path);
  g_free (preview);
}

static void
show (GtkPicture *picture, GtkWidget *warning, GdkTexture *texture, const char *problem)
{
  gtk_picture_set_paintable (picture, GDK_PAINTABLE (texture));
  gtk_widget_set_visible (GTK_WIDGET (picture), texture != NULL);
  gesso_list_row_warn (warning, problem);
}

/* @done: gets the answer; the picture may be gone by then when it is cancelled */
static void
start (GtkPicture *picture, Preview *preview, GAsyncReadyCallback done)
{
  Work *work = g_memdup2 (&preview->work, sizeof preview->work);
  work->path = g_strdup (work->path);
  preview->is_open = TRUE;
  preview->is_stale = FALSE;
  g_autoptr (GTask) task = g_task_new (NULL, preview->cancellable, done, picture);
  g_task_set_task_data (task, work, work_free);
  g_task_run_in_thread (task, preview_in_thread);
}

static void
done_cb (GObject *source, GAsyncResult *result, gpointer user_data)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (GdkTexture) texture = g_task_propagate_pointer (G_TASK (result), &error);
  if (g_error_matches (error, G_IO_ERROR, G_IO_ERROR_CANCELLED)) /* with the picture, perhaps */
    return;
  const Work *work = g_task_get_task_data (G_TASK (result));
  Preview *preview = g_object_get_data (user_data, KEY);
  if (!work->is_shown)
    show (user_data, preview->warning, texture, error ? error->message : NULL);
  preview->work.modified_us = work->modified_us;
  preview->work.size_bytes = work->size_bytes;
  preview->work.is_shown = TRUE;
  preview->is_open = FALSE;
  if (preview->is_stale)
    start (user_data, preview, done_cb);
}

static gboolean
is_same (const Work *work, const RecipeControl *control)
{
  return g_strcmp0 (work->path, control->image) == 0 &&
         work->kind == preprocess_of (control->preprocess) && work->a == control->a &&
         work->b == control->b;
}

static Preview *
preview_new (GtkWidget *warning, const RecipeControl *control)
{
  Preview *preview = g_new0 (Preview, 1);
  preview->work = (Work){ .path = g_strdup (control->image),
                          .kind = preprocess_of (control->preprocess),
                          .a = control->a,
                          .b = control->b };
  preview->warning = g_object_ref (warning);
  preview->cancellable = g_cancellable_new ();
  return preview;
}

void
gesso_control_preview_show (GtkPicture *picture, GtkWidget *warning, const RecipeControl *control)
{
  g_return_if_fail (GTK_IS_PICTURE (picture) && GTK_IS_LABEL (warning) && control);
  Preview *preview = g_object_get_data (G_OBJECT (picture), KEY);
  if (!preview || !is_same (&preview->work, control))
    {
      preview = preview_new (warning, control);
      g_object_set_data_full (G_OBJECT (picture), KEY, preview, preview_free);
      if (!control->image)
        show (picture, warning, NULL, NULL);
    }
  if (preview->is_open)
    preview->is_stale = TRUE;
  else if (control->image)
    start (picture, preview, done_cb);
}
