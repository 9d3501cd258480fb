/* SPDX-License-Identifier: MPL-2.0
 * gesso-clip-offer.c - a clip or film came from outside: go on from it, or take a frame of it?
 */
#include "app/gesso-clip-offer.h"

#include <glib/gi18n.h>

#include "app/gesso-dialog.h"
#include "app/gesso-recipe-offer.h"
#include "app/gesso-texture.h"
#include "core/mem.h"
#include "media/clip.h"
#if GESSO_VIDEO
#  include "media/video/video.h"
#endif

enum
{
  MAX_ANSWERS = 4
};

typedef enum
{
  ANSWER_FIRST,
  ANSWER_LAST,
  ANSWER_SETTINGS,
  ANSWER_EXTEND
} Answer;

typedef struct
{
  GessoWindow *window;
  char *path;
  char *recipe;                /* NULL: it has none */
  char *program;               /* that wrote the recipe */
  char **notes;                /* about it; may be NULL */
  gboolean kept;               /* its latents were, in it or in the clip beside it */
  Answer answers[MAX_ANSWERS]; /* of the buttons */
} Clip;

static void
clip_free (gpointer data)
{
  Clip *clip = data;
  g_object_unref (clip->window);
  g_free (clip->path);
  g_free (clip->recipe);
  g_free (clip->program);
  g_strfreev (clip->notes);
  g_free (clip);
}

G_DEFINE_AUTOPTR_CLEANUP_FUNC (Clip, clip_free)

gboolean
gesso_clip_offer_is_for (const char *path)
{
  static const char *const endings[] = {
    ".gclip", ".mp4", ".m4v", ".mov", ".mkv", ".webm", ".avi"
  };
  g_return_val_if_fail (path != NULL, FALSE);
  g_autofree char *folded = g_ascii_strdown (path, -1);
  for (gsize i = 0; i < G_N_ELEMENTS (endings); i++)
    if (g_str_has_suffix (folded, endings[i]))
      return TRUE;
  return FALSE;
}

gboolean
gesso_clip_offer_moves (const char *path)
{
  g_return_val_if_fail (path != NULL, FALSE);
  Status ignored = { 0 };
  FrameSource *frames = frames_open (path, NULL, &ignored);
  gboolean moves = frames && frames->info.n_frames != 1;
  frames_close (frames);
  return moves;
}

static FrameSource *
open_frames (const char *path, Status *status)
{
#if GESSO_VIDEO
  return film_open (path, NULL, status);
#else
  return frames_open (path, NULL, status);
#endif
}

static void
return_status (GTask *task, const Status *status)
{
  g_task_return_new_error (task, G_IO_ERROR, G_IO_ERROR_FAILED, "%s", status->message);
}

/* ---- a frame ---- */

/* Frame 0, or the last one, which a film tells only by its end. */
static gboolean
read_frame (FrameSource *source, gboolean last, guint8 *rgb, Status *status)
{
  int n = last && source->info.n_frames > 0 ? source->info.n_frames - 1 : 0;
  bool end = false, ok = frames_get (source, n, rgb, &end, status);
  if (ok && end)
    return status_fail (status, STATUS_FORMAT, "This film has no frames.");
  while (ok && !end && last)
    ok = frames_get (source, ++n, rgb, &end, status); /* @rgb stays as it is at the end */
  return ok;
}

typedef struct
{
  char *path;
  gboolean last;
} Wanted;

static void
wanted_free (gpointer data)
{
  Wanted *wanted = data;
  g_free (wanted->path);
  g_free (wanted);
}

static void
frame_thread (GTask *task, gpointer window, gpointer data, GCancellable *cancellable)
{
  const Wanted *wanted = data;
  Status status = { 0 };
  FrameSource *source = open_frames (wanted->path, &status);
  gsize n = source ? frames_size_bytes (&source->info) : 0;
  guint8 *rgb = source ? g_try_malloc (n) : NULL;
  if (source && !rgb)
    status_fail (&status, STATUS_NO_MEMORY, "Out of memory: close other programs and retry.");
  if (rgb && read_frame (source, wanted->last, rgb, &status))
    {
      g_autoptr (GBytes) bytes = g_bytes_new_take (g_steal_pointer (&rgb), n);
      g_task_return_pointer (
          task, gesso_texture_new (bytes, source->info.width, source->info.height), g_object_unref);
    }
  else
    return_status (task, &status);
  g_free (rgb);
  frames_close (source);
}

static void
frame_cb (GObject *source, GAsyncResult *result, gpointer user_data)
{
  g_autoptr (GessoWindow) window = user_data;
  g_autoptr (GError) error = NULL;
  g_autoptr (GdkTexture) texture = g_task_propagate_pointer (G_TASK (result), &error);
  GessoCreatePage *page = gesso_window_get_create_page (window);
  if (!page) /* closed meanwhile */
    return;
  if (!texture)
    {
      gesso_window_say (window, error->message);
      return;
    }
  gesso_window_show_page (window, "create");
  gesso_canvas_load_texture (gesso_stage_get_canvas (gesso_create_page_get_stage (page)), texture,
                             GESSO_DROP_PICTURE);
}

static void
load_frame (const Clip *clip, gboolean last)
{
  Wanted *wanted = g_new (Wanted, 1);
  *wanted = (Wanted){ g_strdup (clip->path), last };
  g_autoptr (GTask) task = g_task_new (NULL, NULL, frame_cb, g_object_ref (clip->window));
  g_task_set_source_tag (task, load_frame);
  g_task_set_task_data (task, wanted, wanted_free);
  g_task_run_in_thread (task, frame_thread);
}

/* ---- asking ---- */

static void
answered_cb (int button, gpointer user_data)
{
  const Clip *clip = user_data;
  if (button < 0 || !gesso_window_get_library (clip->window)) /* closed meanwhile */
    return;
  switch (clip->answers[button])
    {
    case ANSWER_FIRST:
    case ANSWER_LAST:
      load_frame (clip, clip->answers[button] == ANSWER_LAST);
      break;
    case ANSWER_SETTINGS:
      gesso_window_use_recipe (clip->window, clip->recipe, 0);
      break;
    case ANSWER_EXTEND:
      g_action_group_activate_action (G_ACTION_GROUP (clip->window), "extend",
                                      g_variant_new_string (clip->path));
      break;
    }
}

static char *
describe (const Clip *clip)
{
  GString *text = g_string_new (NULL);
  g_autofree char *name = g_filename_display_basename (clip->path);
  g_string_printf (
      text,
      clip->kept
          ? _ ("A video model can go on where “%s” ends, without a seam: what it was made of "
               "was kept. Or a frame of it becomes the picture.")
          : _ ("A video model can go on where “%s” ends, from its last frames. Or a frame of "
               "it becomes the picture."),
      name);
  if (clip->recipe)
    {
      g_string_append (text, "\n\n");
      g_string_append_printf (text, _ ("%s says how it was made (%s)."), name, clip->program);
      gesso_recipe_offer_append_notes (text, clip->notes);
    }
  return g_string_free (text, FALSE);
}

static void
ask (Clip *clip)
{
  const struct
  {
    Answer answer;
    gboolean is_shown;
    const char *label;
  } all[MAX_ANSWERS] = { { ANSWER_FIRST, TRUE, _ ("_First Frame") },
                         { ANSWER_LAST, TRUE, _ ("_Last Frame") },
                         { ANSWER_SETTINGS, clip->recipe != NULL, _ ("_Use Settings") },
                         { ANSWER_EXTEND, TRUE, _ ("_Extend") } };
  const char *buttons[MAX_ANSWERS + 1] = { NULL };
  for (int i = 0, n = 0; i < MAX_ANSWERS; i++)
    if (all[i].is_shown)
      {
        buttons[n] = all[i].label;
        clip->answers[n++] = all[i].answer;
      }
  g_autofree char *body = describe (clip);
  gesso_ask (GTK_WINDOW (clip->window), _ ("Go On From This Clip?"), body, buttons,
             GESSO_ASK_SUGGESTED, answered_cb, clip, clip_free);
}

/* Whether @path, or the clip beside it, holds latents. */
static gboolean
has_latents (const char *path)
{
  Status ignored = { 0 };
  char *beside = clip_path_beside (path, &ignored);
  const char *clip =
      beside && !g_str_equal (beside, path) && clip_has_film (beside, path) ? beside : path;
  gsize n_bytes;
  uint8_t *latents =
      g_str_has_suffix (clip, ".gclip") ? clip_read_latents (clip, &n_bytes, &ignored) : NULL;
  gboolean kept = latents != NULL;
  mem_free (beside);
  mem_free (latents);
  return kept;
}

static void
look_thread (GTask *task, gpointer source, gpointer data, GCancellable *cancellable)
{
  Clip *clip = data;
  Status status = { 0 };
  FrameSource *frames = open_frames (clip->path, &status);
  if (!frames)
    {
      return_status (task, &status);
      return;
    }
  clip->kept = has_latents (clip->path);
  frames_close (frames);
  g_task_return_boolean (task, TRUE);
}

/* What has no settings that can be read is asked about without them. */
static void
recipe_cb (GObject *library, GAsyncResult *result, gpointer user_data)
{
  g_autoptr (Clip) clip = user_data;
  if (!gesso_window_get_library (clip->window)) /* closed meanwhile */
    return;
  clip->recipe = gesso_library_read_recipe_finish (GESSO_LIBRARY (library), result, &clip->program,
                                                   &clip->notes, NULL);
  ask (g_steal_pointer (&clip));
}

static void
looked_cb (GObject *object, GAsyncResult *result, gpointer user_data)
{
  g_autoptr (Clip) clip = user_data;
  g_autoptr (GError) error = NULL;
  if (!gesso_window_get_library (clip->window)) /* closed meanwhile */
    return;
  if (!g_task_propagate_boolean (G_TASK (result), &error))
    {
      gesso_window_say (clip->window, error->message);
      return;
    }
  GessoLibrary *library = gesso_window_get_library (clip->window);
  const char *path = clip->path;
  gesso_library_read_recipe_async (library, path, NULL, recipe_cb, g_steal_pointer (&clip));
}

void
gesso_clip_offer (GessoWindow *window, GFile *file)
{
  g_return_if_fail (GESSO_IS_WINDOW (window) && G_IS_FILE (file));
  Clip *clip = g_new0 (Clip, 1);
  clip->window = g_object_ref (window);
  clip->path = g_file_get_path (file);
  g_autoptr (GTask) task = g_task_new (NULL, NULL, looked_cb, clip);
  g_task_set_source_tag (task, gesso_clip_offer);
  g_task_set_task_data (task, clip, NULL);
  g_task_run_in_thread (task, look_thread);
}
