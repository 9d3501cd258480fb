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
  gint64 modified_us, size_bytes; /* of the file; 0 when it is not there */
} Work;

/* What is shown in a GtkPicture, or soon will be; the picture owns it. */
typedef struct
{
  Work work; /* its path NULL: nothing */
  GtkWidget *warning;
  GCancellable *cancellable;
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

static void
preview_in_thread (GTask *task, gpointer source, gpointer data, GCancellable *cancellable)
{
  Image image = { 0 };
  Status status = { 0 };
  if (g_task_return_error_if_cancelled (task))
    return;
  if (!make (&image, data, &status))
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

static void
done_cb (GObject *source, GAsyncResult *result, gpointer user_data)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (GdkTexture) texture = g_task_propagate_pointer (G_TASK (result), &error);
  if (g_error_matches (error, G_IO_ERROR, G_IO_ERROR_CANCELLED)) /* with the picture, perhaps */
    return;
  const Preview *preview = g_object_get_data (user_data, KEY);
  show (user_data, preview->warning, texture, error ? error->message : NULL);
}

static gboolean
is_same (const Work *a, const Work *b)
{
  return g_strcmp0 (a->path, b->path) == 0 && a->kind == b->kind && a->a == b->a && a->b == b->b &&
         a->modified_us == b->modified_us && a->size_bytes == b->size_bytes;
}

/* Returns: borrows from @control */
static Work
work_of (const RecipeControl *control)
{
  Work work = { control->image, preprocess_of (control->preprocess), control->a, control->b, 0, 0 };
  GStatBuf info;
  if (!control->image || g_stat (control->image, &info) != 0)
    return work;
  work.modified_us =
      info.st_mtim.tv_sec * G_USEC_PER_SEC + info.st_mtim.tv_nsec / NANOSECONDS_IN_US;
  work.size_bytes = info.st_size;
  return work;
}

void
gesso_control_preview_show (GtkPicture *picture, GtkWidget *warning, const RecipeControl *control)
{
  g_return_if_fail (GTK_IS_PICTURE (picture) && GTK_IS_LABEL (warning) && control);
  const Preview *shown = g_object_get_data (G_OBJECT (picture), KEY);
  Work work = work_of (control);
  if (shown && is_same (&shown->work, &work))
    return;
  Preview *preview = g_new (Preview, 1);
  *preview = (Preview){ work, g_object_ref (warning), g_cancellable_new () };
  preview->work.path = g_strdup (work.path);
  g_object_set_data_full (G_OBJECT (picture), KEY, preview, preview_free);
  if (!work.path)
    {
      show (picture, warning, NULL, NULL);
      return;
    }
  g_autoptr (GTask) task = g_task_new (NULL, preview->cancellable, done_cb, picture);
  work.path = g_strdup (work.path);
  g_task_set_task_data (task, g_memdup2 (&work, sizeof work), work_free);
  g_task_run_in_thread (task, preview_in_thread);
}
