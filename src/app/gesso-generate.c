/* SPDX-License-Identifier: MPL-2.0
 * gesso-generate.c - from the form and the canvas to jobs in the queue.
 */
#include "app/gesso-generate.h"

#include "app/gesso-fit.h"
#include "app/gesso-inputs.h"
#include "app/gesso-paths.h"

enum
{
  FALLBACK_SIDE = 512 /* px */
};

typedef struct
{
  GessoSession *session;
  GessoLibrary *library;
  char *recipe; /* JSON */
  char *inputs_dir, *wildcards_dir;
  GessoFramePixels *pixels; /* NULL without a start picture */
  GessoRect where;
  GessoQueuePlace place;
  GessoAxis *axes;
  int n_axes;
  char **prompts;
  gboolean animate;
  gint64 edit;
  char **recipes; /* expanded */
  gboolean is_prepared;
  GArray *ids;
} Work;

static void
work_free (gpointer data)
{
  Work *work = data;
  g_object_unref (work->session);
  g_object_unref (work->library);
  g_free (work->recipe);
  g_free (work->inputs_dir);
  g_free (work->wildcards_dir);
  g_clear_pointer (&work->pixels, gesso_frame_pixels_free);
  for (int i = 0; i < work->n_axes; i++)
    gesso_axis_clear (&work->axes[i]);
  g_free (work->axes);
  g_strfreev (work->prompts);
  g_strfreev (work->recipes);
  g_clear_pointer (&work->ids, g_array_unref);
  g_free (work);
}

const char *
gesso_generate_get_mask_key (void)
{
  static const char *const names[] = { "mask", "mask_image" };
  for (gsize i = 0; i < G_N_ELEMENTS (names); i++)
    if (recipe_find_param (names[i]))
      return names[i];
  return NULL;
}

static int
size_of (GessoForm *form, const char *key, int fallback, int value)
{
  g_autofree char *filled = value ? NULL : gesso_form_dup_filled (form, key);
  int known = filled ? (int) g_ascii_strtoll (filled, NULL, 10) : value;
  return known > 0 ? known : fallback;
}

void
gesso_generate_get_size (GessoForm *form, int *width, int *height)
{
  const Recipe *recipe = gesso_form_peek (form);
  *width = size_of (form, "width", FALLBACK_SIDE, recipe->width);
  *height = size_of (form, "height", FALLBACK_SIDE, recipe->height);
}

/* Before the first plan the frame has a size of its own, and not the model's. */
static gboolean
knows_size (GessoForm *form)
{
  return size_of (form, "width", 0, gesso_form_peek (form)->width) > 0 &&
         size_of (form, "height", 0, gesso_form_peek (form)->height) > 0;
}

/* ---- on a thread ---- */

static gboolean
store_input (
    Work *work, GessoForm *form, const char *key, GBytes *bytes, gboolean mask, GError **error)
{
  g_autofree char *path = gesso_inputs_store (work->inputs_dir, bytes, work->pixels->width,
                                              work->pixels->height, mask, error);
  return path && gesso_form_set_text (form, key, path, error);
}

/* The recipe names its start picture by path; the size is the one the frame was taken out at. */
static gboolean
add_inputs (Work *work, GError **error)
{
  g_autoptr (GessoForm) form = gesso_form_new ();
  const char *mask_key = gesso_generate_get_mask_key ();
  if (!gesso_form_load (form, work->recipe, error) ||
      !store_input (work, form, work->animate ? "first_frame" : "init_image", work->pixels->rgb,
                    FALSE, error))
    return FALSE;
  if (mask_key && !work->animate && work->pixels->mask &&
      !store_input (work, form, mask_key, work->pixels->mask, TRUE, error))
    return FALSE;
  g_autofree char *width = g_strdup_printf ("%d", work->pixels->width);
  g_autofree char *height = g_strdup_printf ("%d", work->pixels->height);
  if (!gesso_form_set_text (form, "width", width, error) ||
      !gesso_form_set_text (form, "height", height, error))
    return FALSE;
  g_free (work->recipe);
  work->recipe = gesso_form_to_json (form);
  return TRUE;
}

static void
prepare_thread (GTask *task, gpointer source, gpointer data, GCancellable *cancellable)
{
  Work *work = data;
  GError *error = NULL;
  if (work->pixels && work->pixels->rgb && !add_inputs (work, &error))
    {
      g_task_return_error (task, error);
      return;
    }
  work->recipes =
      gesso_expand_recipe (work->recipe, work->axes, work->n_axes,
                           (const char *const *) work->prompts, work->wildcards_dir, &error);
  if (work->recipes)
    g_task_return_boolean (task, TRUE);
  else
    g_task_return_error (task, error);
}

/* ---- on the main thread ---- */

/* Those that are being prepared, in the order in which they were asked for: a start picture takes
 * its time, and the next may have none.  Of GTask. */
static GQueue *
turns_of (GessoSession *session)
{
  GQueue *turns = g_object_get_data (G_OBJECT (session), "generate-turns");
  if (!turns)
    {
      turns = g_queue_new ();
      g_object_set_data_full (G_OBJECT (session), "generate-turns", turns,
                              (GDestroyNotify) g_queue_free);
    }
  return turns;
}

static void
added_cb (GObject *source, GAsyncResult *result, gpointer user_data)
{
  g_autoptr (GTask) task = user_data;
  Work *work = g_task_get_task_data (task);
  GError *error = NULL;
  work->ids = gesso_queue_add_finish (GESSO_QUEUE (source), result, &error);
  if (work->ids)
    g_task_return_boolean (task, TRUE);
  else
    g_task_return_error (task, error);
}

static void
edit_job (GTask *task, Work *work, GessoQueue *queue)
{
  GessoJob *job = gesso_queue_find (queue, work->edit);
  if (job && gesso_job_get_state (job) == GESSO_JOB_WAITING)
    gesso_queue_edit (queue, job, work->recipes[0]);
  else
    {
      gesso_queue_add_async (queue, (const char *const *) work->recipes, work->place, NULL,
                             added_cb, g_object_ref (task));
      return;
    }
  work->ids = g_array_new (FALSE, FALSE, sizeof (gint64));
  g_array_append_val (work->ids, work->edit);
  g_task_return_boolean (task, TRUE);
}

/* Each by its own model: that may be an axis. */
static void
take_off_others (Work *work)
{
  for (char **recipe = work->recipes; *recipe; recipe++)
    {
      char *fitting = gesso_fit_dup_recipe (work->library, *recipe);
      g_free (*recipe);
      *recipe = fitting;
    }
}

static void
add (GTask *task)
{
  Work *work = g_task_get_task_data (task);
  GessoQueue *queue = gesso_session_get_queue (work->session);
  take_off_others (work);
  if (work->edit)
    edit_job (task, work, queue);
  else
    gesso_queue_add_async (queue, (const char *const *) work->recipes, work->place, NULL, added_cb,
                           g_object_ref (task));
}

static gboolean
is_prepared (GTask *task)
{
  return task && ((Work *) g_task_get_task_data (task))->is_prepared;
}

static void
take_turns (GessoSession *session)
{
  GQueue *turns = turns_of (session);
  while (is_prepared (g_queue_peek_head (turns)))
    {
      g_autoptr (GTask) task = g_queue_pop_head (turns);
      add (task);
    }
}

static void
fail (GTask *task, GError *error)
{
  Work *work = g_task_get_task_data (task);
  if (g_queue_remove (turns_of (work->session), task))
    g_object_unref (task);
  take_turns (work->session);
  g_task_return_error (task, error);
}

static void
prepared_cb (GObject *source, GAsyncResult *result, gpointer user_data)
{
  g_autoptr (GTask) task = user_data;
  Work *work = g_task_get_task_data (task);
  GError *error = NULL;
  work->is_prepared = g_task_propagate_boolean (G_TASK (result), &error);
  if (work->is_prepared)
    take_turns (work->session);
  else
    fail (task, error);
}

/* The inner task borrows the outer one's data, which outlives it. */
static void
prepare (GTask *task)
{
  g_autoptr (GTask) inner = g_task_new (NULL, NULL, prepared_cb, g_object_ref (task));
  g_task_set_source_tag (inner, gesso_generate_async);
  g_task_set_task_data (inner, g_task_get_task_data (task), NULL);
  g_task_run_in_thread (inner, prepare_thread);
}

static void
extracted_cb (GObject *source, GAsyncResult *result, gpointer user_data)
{
  g_autoptr (GTask) task = user_data;
  Work *work = g_task_get_task_data (task);
  GError *error = NULL;
  work->pixels = gesso_document_extract_frame_finish (GESSO_DOCUMENT (source), result, &error);
  if (!work->pixels)
    {
      fail (task, error);
      return;
    }
  work->where = work->pixels->frame;
  prepare (task);
}

/* The picture is an axis; what the form says of the canvas's size is nothing to it. */
static void
take_pictures (Work *work, const char *const *pictures)
{
  g_autoptr (GessoForm) form = gesso_form_new ();
  if (!gesso_form_load (form, work->recipe, NULL))
    return;
  gesso_form_reset (form, "width");
  gesso_form_reset (form, "height");
  gesso_form_reset (form, "extend"); /* a clip begins with one thing only */
  if (!work->animate && gesso_form_is_default (form, "denoise"))
    gesso_form_set_text (form, "denoise", GESSO_DEFAULT_STRENGTH, NULL);
  g_free (work->recipe);
  work->recipe = gesso_form_to_json (form);
  work->n_axes = 1;
  work->axes[0] = (GessoAxis){ g_strdup (work->animate ? "first_frame" : "init_image"),
                               g_strdupv ((char **) pictures) };
  work->where = (GessoRect){ 0 };
}

static void
copy_options (Work *work, const GessoGenerateOptions *options)
{
  work->place = options->place;
  work->edit = options->edit;
  work->animate = options->animate;
  work->prompts = g_strdupv ((char **) options->prompts);
  work->axes = g_new0 (GessoAxis, MAX (1, options->n_axes));
  work->n_axes = options->n_axes;
  for (int i = 0; i < options->n_axes; i++)
    work->axes[i] =
        (GessoAxis){ g_strdup (options->axes[i].key), g_strdupv (options->axes[i].values) };
  if (options->pictures)
    take_pictures (work, options->pictures);
}

/* A clip begins with a picture, or a clip, as it is, whatever the strength for the picture on the
 * canvas. */
static char *
dup_recipe (GessoForm *form, gboolean animate)
{
  char *json = gesso_form_to_json (form);
  g_autoptr (GessoForm) copy = gesso_form_new ();
  if (!animate || !gesso_form_load (copy, json, NULL))
    return json;
  g_free (json);
  gesso_form_reset (copy, "denoise");
  return gesso_form_to_json (copy);
}

void
gesso_generate_async (GessoSession *session,
                      GessoLibrary *library,
                      GessoForm *form,
                      GessoDocument *document,
                      const GessoGenerateOptions *options,
                      GAsyncReadyCallback callback,
                      gpointer user_data)
{
  g_return_if_fail (GESSO_IS_SESSION (session) && GESSO_IS_FORM (form) && options);
  g_return_if_fail (GESSO_IS_LIBRARY (library) && GESSO_IS_DOCUMENT (document));
  g_return_if_fail (!options->pictures || options->n_axes == 0);
  Work *work = g_new0 (Work, 1);
  work->session = g_object_ref (session);
  work->library = g_object_ref (library);
  work->recipe = dup_recipe (form, options->animate);
  work->inputs_dir = g_build_filename (gesso_session_get_data_dir (session), "inputs", NULL);
  work->wildcards_dir = gesso_paths_dup_wildcards_dir ();
  if (knows_size (form))
    work->where = gesso_document_get_frame (document);
  copy_options (work, options);
  g_autoptr (GTask) task = g_task_new (session, NULL, callback, user_data);
  g_task_set_source_tag (task, gesso_generate_async);
  g_task_set_task_data (task, work, work_free);
  g_queue_push_tail (turns_of (session), g_object_ref (task));
  int width, height;
  gesso_generate_get_size (form, &width, &height);
  gboolean extends = options->animate && !gesso_form_is_default (form, "extend");
  if (!options->pictures && !extends && gesso_document_frame_has_picture (document))
    gesso_document_extract_frame_async (document, width, height, NULL, extracted_cb,
                                        g_object_ref (task));
  else
    prepare (task);
}

GArray *
gesso_generate_finish (GAsyncResult *result, GessoRect *where, GError **error)
{
  g_return_val_if_fail (g_task_get_source_tag (G_TASK (result)) == gesso_generate_async, NULL);
  Work *work = g_task_get_task_data (G_TASK (result));
  if (!g_task_propagate_boolean (G_TASK (result), error))
    return NULL;
  if (where)
    *where = work->where;
  return g_array_ref (work->ids);
}
