/* SPDX-License-Identifier: MPL-2.0
 * fixture.c - a session in folders of its own, with a fake worker or the real one.
 */
#include "tests/session/fixture.h"

#include <glib/gstdio.h>
#include <string.h>

enum
{
  PATIENCE_S = 120 /* nothing takes that long; a test that waits so long has failed */
};

static gboolean
on_too_long_cb (gpointer what)
{
  g_error ("Waited in vain for %s", (const char *) what);
  return G_SOURCE_REMOVE;
}

guint
guard_new (const char *what)
{
  return g_timeout_add_seconds (PATIENCE_S, on_too_long_cb, (gpointer) what);
}

static void
on_failed (GessoQueue *queue, const char *sentence, Fixture *f)
{
  f->n_failed++;
  g_free (f->sentence);
  f->sentence = g_strdup (sentence);
}

static void
on_died (GessoSession *session, const char *sentence, Fixture *f)
{
  f->n_died++;
  g_free (f->sentence);
  f->sentence = g_strdup (sentence);
}

static void
on_drained (GessoQueue *queue, Fixture *f)
{
  f->n_drained++;
}

static void
on_ended (GessoQueue *queue, GessoJob *job, Fixture *f)
{
  f->n_ended++;
}

static void
on_picture (GessoQueue *queue, GessoJob *job, int index, const char *path, Fixture *f)
{
  g_assert_true (g_file_test (path, G_FILE_TEST_IS_REGULAR));
  g_assert_cmpstr (path, ==, gesso_job_get_last_picture (job));
  f->n_pictures++;
}

void
open_with (Fixture *f, const char *worker)
{
  g_autoptr (GError) error = NULL;
  const GessoSessionOptions options = { .data_dir = f->data,
                                        .pictures_dir = f->pictures,
                                        .worker = worker,
                                        .backends = f->backends,
                                        .restart_delay_ms = 1 };
  f->session = gesso_session_new (&options, &error);
  g_assert_no_error (error);
  f->queue = gesso_session_get_queue (f->session);
  g_signal_connect (f->queue, "failed", G_CALLBACK (on_failed), f);
  g_signal_connect (f->queue, "drained", G_CALLBACK (on_drained), f);
  g_signal_connect (f->queue, "job-ended", G_CALLBACK (on_ended), f);
  g_signal_connect (f->queue, "picture", G_CALLBACK (on_picture), f);
  g_signal_connect (f->session, "worker-died", G_CALLBACK (on_died), f);
}

void
close_session (Fixture *f)
{
  gesso_session_close (f->session);
  g_clear_object (&f->session);
  while (g_main_context_iteration (NULL, FALSE))
    continue;
}

void
reopen (Fixture *f)
{
  close_session (f);
  open_with (f, f->worker);
}

void
set_up (Fixture *f, gconstpointer worker)
{
  f->worker = worker;
  f->folder = g_build_filename (g_getenv ("GESSO_TEST_DIR"), "session", NULL);
  f->data = g_build_filename (f->folder, "data", NULL);
  f->pictures = g_build_filename (f->folder, "pictures", NULL);
  open_with (f, f->worker);
}

static void
remove_folder (const char *folder)
{
  g_autoptr (GDir) dir = g_dir_open (folder, 0, NULL);
  const char *name;
  while (dir && (name = g_dir_read_name (dir)))
    {
      g_autofree char *path = g_build_filename (folder, name, NULL);
      if (g_file_test (path, G_FILE_TEST_IS_DIR))
        remove_folder (path);
      else
        g_unlink (path);
    }
  g_rmdir (folder);
}

void
tear_down (Fixture *f, gconstpointer unused)
{
  if (f->session)
    close_session (f);
  remove_folder (f->folder);
  g_free (f->folder);
  g_free (f->data);
  g_free (f->pictures);
  g_free (f->sentence);
}

char *
recipe (const char *prompt, int batch_count, int batch_size)
{
  return g_strdup_printf (
      "{\"version\": 1, \"model\": \"m\", \"prompt\": \"%s\", \"seed\": 3, \"width\": 64,"
      " \"height\": 64, \"batch_count\": %d, \"batch_size\": %d}",
      prompt, batch_count, batch_size);
}

void
on_added_cb (GObject *source, GAsyncResult *result, gpointer data)
{
  GArray **ids = data;
  g_autoptr (GError) error = NULL;
  *ids = gesso_queue_add_finish (GESSO_QUEUE (source), result, &error);
  g_assert_no_error (error);
}

GessoJob *
add_at (Fixture *f, const char *prompts, GessoQueuePlace place)
{
  g_auto (GStrv) recipes = g_strsplit (prompts, ",", -1);
  g_autoptr (GArray) ids = NULL;
  for (int i = 0; recipes[i]; i++)
    {
      g_autofree char *prompt = recipes[i];
      recipes[i] = recipe (prompt, 1, 1);
    }
  gesso_queue_add_async (f->queue, (const char *const *) recipes, place, NULL, on_added_cb, &ids);
  WAIT_FOR (ids != NULL);
  g_assert_cmpuint (ids->len, ==, g_strv_length (recipes));
  return gesso_queue_find (f->queue, g_array_index (ids, gint64, ids->len - 1));
}

GessoJob *
add (Fixture *f, const char *prompts)
{
  return add_at (f, prompts, GESSO_QUEUE_LAST);
}

GessoJob *
add_batches (Fixture *f, const char *prompt, int count, int size)
{
  g_autofree char *json = recipe (prompt, count, size);
  const char *recipes[] = { json, NULL };
  g_autoptr (GArray) ids = NULL;
  gesso_queue_add_async (f->queue, recipes, GESSO_QUEUE_LAST, NULL, on_added_cb, &ids);
  WAIT_FOR (ids != NULL);
  return gesso_queue_find (f->queue, g_array_index (ids, gint64, 0));
}

char *
titles (Fixture *f)
{
  g_autoptr (GString) out = g_string_new (NULL);
  const guint n_live = (guint) gesso_queue_get_n_waiting (f->queue);
  for (guint i = 0; i < g_list_model_get_n_items (G_LIST_MODEL (f->queue)); i++)
    {
      g_autoptr (GessoJob) job = g_list_model_get_item (G_LIST_MODEL (f->queue), i);
      g_string_append (out, i == n_live ? "/" : i ? " " : "");
      g_string_append (out, gesso_job_get_title (job));
    }
  return g_strdup (out->str);
}

gboolean
titles_are (Fixture *f, const char *expected)
{
  g_autofree char *now = titles (f);
  return strcmp (now, expected) == 0;
}

void
assert_titles (Fixture *f, const char *expected)
{
  g_autofree char *now = titles (f);
  g_assert_cmpstr (now, ==, expected);
}

GessoJob *
find (Fixture *f, const char *title)
{
  for (guint i = 0; i < g_list_model_get_n_items (G_LIST_MODEL (f->queue)); i++)
    {
      g_autoptr (GessoJob) job = g_list_model_get_item (G_LIST_MODEL (f->queue), i);
      if (strcmp (gesso_job_get_title (job), title) == 0)
        return job; /* the queue keeps it */
    }
  g_error ("no job %s", title);
}

gboolean
is_in (GessoJob *job, GessoJobState state)
{
  return gesso_job_get_state (job) == state;
}

guint
count_files (const char *folder)
{
  g_autoptr (GDir) dir = g_dir_open (folder, 0, NULL);
  const char *name;
  guint n = 0;
  while (dir && (name = g_dir_read_name (dir)))
    {
      g_autofree char *path = g_build_filename (folder, name, NULL);
      n += g_file_test (path, G_FILE_TEST_IS_DIR) ? count_files (path) : 1;
    }
  return n;
}

int
worker_pid (Fixture *f, int number)
{
  g_autofree char *name =
      number ? g_strdup_printf ("worker-%d.pid", number) : g_strdup ("worker.pid");
  g_autofree char *path = g_build_filename (f->data, name, NULL);
  g_autofree char *text = NULL;
  return g_file_get_contents (path, &text, NULL, NULL) ? (int) g_ascii_strtoll (text, NULL, 10) : 0;
}
