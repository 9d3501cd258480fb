/* SPDX-License-Identifier: MPL-2.0 */
#include "app/gesso-control-preview.h"

#include "app/gesso-texture.h"
#include "core/mem.h"
#include "media/preprocess.h"
#include "media/resize.h"

#define LARGEST_SIDE 512

typedef struct
{
  char *path;
  Preprocess kind;
  double a, b;
} Work;

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

static void
preview_in_thread (GTask *task, gpointer source, gpointer data, GCancellable *cancellable)
{
  const Work *work = data;
  Image image = { 0 };
  Status status = { 0 };
  gboolean ok = image_read (&image, work->path, &status);
  int most = MAX (image.width, image.height);
  if (ok && most > LARGEST_SIDE)
    ok = image_resize (&image, MAX (image.width * LARGEST_SIDE / most, 1),
                       MAX (image.height * LARGEST_SIDE / most, 1), &status);
  ok = ok && image_preprocess (&image, work->kind, work->a, work->b, &status);
  if (!ok)
    {
      image_clear (&image);
      g_task_return_new_error (task, G_IO_ERROR, G_IO_ERROR_FAILED, "%s", status.message);
      return;
    }
  g_autoptr (GBytes) rgb = g_bytes_new_with_free_func (
      image.rgb, (gsize) image.width * (gsize) image.height * 3, free_rgb, image.rgb);
  g_task_return_pointer (task, gesso_texture_new (rgb, image.width, image.height), g_object_unref);
}

static void
done_cb (GObject *source, GAsyncResult *result, gpointer user_data)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (GdkTexture) texture = g_task_propagate_pointer (G_TASK (result), &error);
  if (g_error_matches (error, G_IO_ERROR, G_IO_ERROR_CANCELLED))
    return;
  gtk_picture_set_paintable (GTK_PICTURE (source), GDK_PAINTABLE (texture));
  gtk_widget_set_visible (GTK_WIDGET (source), texture != NULL);
}

static void
cancel_and_unref (gpointer data)
{
  g_cancellable_cancel (data);
  g_object_unref (data);
}

void
gesso_control_preview_show (GtkPicture *picture, const RecipeControl *control)
{
  g_return_if_fail (GTK_IS_PICTURE (picture) && control);
  GCancellable *cancellable = g_cancellable_new ();
  g_object_set_data_full (G_OBJECT (picture), "control-preview", cancellable, cancel_and_unref);
  if (!control->image)
    {
      gtk_picture_set_paintable (picture, NULL);
      gtk_widget_set_visible (GTK_WIDGET (picture), FALSE);
      return;
    }
  Work *work = g_new (Work, 1);
  *work = (Work){ g_strdup (control->image), preprocess_of (control->preprocess), control->a,
                  control->b };
  g_autoptr (GTask) task = g_task_new (picture, cancellable, done_cb, NULL);
  g_task_set_task_data (task, work, work_free);
  g_task_run_in_thread (task, preview_in_thread);
}
