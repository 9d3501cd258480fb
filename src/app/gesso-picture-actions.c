/* SPDX-License-Identifier: MPL-2.0
 * gesso-picture-actions.c - the canvas as a picture file: asking where, encoding, writing.
 */
#include "app/gesso-picture-actions.h"

#include <glib/gi18n.h>

#include "app/gesso-save-as.h"

typedef struct
{
  GessoWindow *window;
  char *path;
} Saving;

/* What the thread has: no widget, as it may be the last to let go of its task. */
typedef struct
{
  char *path;
  GessoPicturePixels *pixels;
} Work;

static Saving *
saving_new (GessoWindow *window, const char *path)
{
  Saving *saving = g_new (Saving, 1);
  *saving = (Saving){ g_object_ref (window), g_strdup (path) };
  return saving;
}

static void
saving_free (gpointer data)
{
  Saving *saving = data;
  g_object_unref (saving->window);
  g_free (saving->path);
  g_free (saving);
}

G_DEFINE_AUTOPTR_CLEANUP_FUNC (Saving, saving_free)

static void
work_free (gpointer data)
{
  Work *work = data;
  gesso_picture_pixels_free (work->pixels);
  g_free (work->path);
  g_free (work);
}

static GessoDocument *
document_of (GessoWindow *window)
{
  return gesso_create_page_get_document (gesso_window_get_create_page (window));
}

static gboolean
is_open (GessoWindow *window)
{
  return gesso_window_get_project (window) != NULL;
}

/* The file appears, or takes the place of another, once it is whole. */
static void
write_thread (GTask *task, gpointer source, gpointer data, GCancellable *cancellable)
{
  const Work *work = data;
  const GessoPicturePixels *pixels = work->pixels;
  g_autoptr (GdkTexture) texture =
      gdk_memory_texture_new (pixels->width, pixels->height, GDK_MEMORY_B8G8R8A8_PREMULTIPLIED,
                              pixels->bgra, (gsize) pixels->width * 4);
  g_autoptr (GBytes) png = gdk_texture_save_to_png_bytes (texture);
  gsize n;
  const char *bytes = g_bytes_get_data (png, &n);
  GError *error = NULL;
  if (g_file_set_contents_full (work->path, bytes, (gssize) n,
                                G_FILE_SET_CONTENTS_CONSISTENT | G_FILE_SET_CONTENTS_DURABLE, 0666,
                                &error))
    g_task_return_boolean (task, TRUE);
  else
    g_task_return_error (task, error);
}

static void
written_cb (GObject *source, GAsyncResult *result, gpointer user_data)
{
  g_autoptr (Saving) saving = user_data;
  g_autoptr (GError) error = NULL;
  if (!g_task_propagate_boolean (G_TASK (result), &error))
    {
      gesso_save_as_tell (saving->window, _ ("“%s” Was Not Saved"), saving->path, error->message);
      return;
    }
  g_autofree char *name = g_filename_display_basename (saving->path);
  g_autofree char *text = g_strdup_printf (_ ("“%s” is saved"), name);
  if (is_open (saving->window))
    gesso_window_say (saving->window, text);
}

static void
extracted_cb (GObject *source, GAsyncResult *result, gpointer user_data)
{
  g_autoptr (Saving) saving = user_data;
  g_autoptr (GError) error = NULL;
  GessoPicturePixels *pixels =
      gesso_document_extract_picture_finish (GESSO_DOCUMENT (source), result, &error);
  if (!pixels)
    {
      gesso_save_as_tell (saving->window, _ ("“%s” Was Not Saved"), saving->path, error->message);
      return;
    }
  Work *work = g_new (Work, 1);
  *work = (Work){ g_strdup (saving->path), pixels };
  g_autoptr (GTask) task = g_task_new (NULL, NULL, written_cb, g_steal_pointer (&saving));
  g_task_set_task_data (task, work, work_free);
  g_task_run_in_thread (task, write_thread);
}

static void
save_to (GessoWindow *window, const char *path)
{
  gesso_document_extract_picture_async (document_of (window), NULL, extracted_cb,
                                        saving_new (window, path));
}

static void
chosen_cb (GessoWindow *window, const char *path, gpointer user_data)
{
  save_to (window, path);
}

static void
save_picture_cb (GSimpleAction *action, GVariant *parameter, gpointer user_data)
{
  static const GessoSaveAs picture = {
    N_ ("Save the Canvas as a Picture"),
    N_ ("PNG pictures"),
    ".png",
    N_ ("Pictures are saved on this computer: choose a folder of it."),
  };
  gesso_save_as (user_data, &picture, chosen_cb, NULL, NULL);
}

/* For tests and scripts: the file chooser is the desktop's and cannot be driven. */
static void
save_picture_to_cb (GSimpleAction *action, GVariant *parameter, gpointer user_data)
{
  save_to (user_data, g_variant_get_bytestring (parameter));
}

static void
update_cb (GessoDocument *document, GParamSpec *pspec, gpointer user_data)
{
  GAction *action = g_action_map_lookup_action (G_ACTION_MAP (user_data), "save-picture");
  g_simple_action_set_enabled (G_SIMPLE_ACTION (action), gesso_document_has_picture (document));
}

void
gesso_picture_actions_add (GessoWindow *window)
{
  static const GActionEntry entries[] = { { "save-picture", save_picture_cb },
                                          { "save-picture-to", save_picture_to_cb, "ay" } };
  g_return_if_fail (GESSO_IS_WINDOW (window));
  g_action_map_add_action_entries (G_ACTION_MAP (window), entries, G_N_ELEMENTS (entries), window);
  g_signal_connect_object (document_of (window), "notify::has-picture", G_CALLBACK (update_cb),
                           window, 0);
  update_cb (document_of (window), NULL, window);
}
