/* SPDX-License-Identifier: MPL-2.0
 * test-queue.c - the session with a fake worker.  Usage: test-queue FAKE_WORKER
 */
#include <errno.h>
#include <fcntl.h>
#include <gio/gio.h>
#include <glib/gstdio.h>
#include <signal.h>
#include <string.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <unistd.h>

#include "tests/session/fixture.h"
#include "tests/worker/folder.h"

enum
{
  SOME_RETRIES_MS = 500 /* a worker without a lock would be there much earlier */
};

/* ---- order ---- */

static void
test_places (Fixture *f, gconstpointer unused)
{
  gesso_queue_set_paused (f->queue, TRUE);
  add (f, "a,b");
  add (f, "c");
  add_at (f, "n1,n2", GESSO_QUEUE_NOW);
  add_at (f, "x", GESSO_QUEUE_NEXT); /* nothing runs: first */
  assert_titles (f, "x n1 n2 a b c");
  gesso_queue_move (f->queue, find (f, "c"), find (f, "n1"));
  WAIT_FOR (titles_are (f, "x c n1 n2 a b"));
  gesso_queue_move (f->queue, find (f, "x"), NULL);
  WAIT_FOR (titles_are (f, "c n1 n2 a b x"));
  gesso_queue_put_first (f->queue, find (f, "b"));
  WAIT_FOR (titles_are (f, "b c n1 n2 a x"));
  gesso_queue_move (f->queue, find (f, "b"), find (f, "c")); /* where it is */
  gesso_queue_duplicate (f->queue, find (f, "n2"));
  WAIT_FOR (titles_are (f, "b c n1 n2 a x n2"));
  reopen (f);
  assert_titles (f, "b c n1 n2 a x n2");
  g_assert_true (gesso_queue_get_paused (f->queue));
  g_assert_cmpint (f->n_failed, ==, 0);
}

/* Halving the distance between the same two neighbours uses up a double's digits. */
static void
test_moves_for_ever (Fixture *f, gconstpointer unused)
{
  gesso_queue_set_paused (f->queue, TRUE);
  add (f, "a,b,c,d");
  for (int i = 0; i < 200; i++)
    {
      gesso_queue_move (f->queue, find (f, "c"), find (f, "b"));
      WAIT_FOR (titles_are (f, "a c b d"));
      gesso_queue_move (f->queue, find (f, "b"), find (f, "c"));
      WAIT_FOR (titles_are (f, "a b c d"));
    }
  reopen (f);
  assert_titles (f, "a b c d");
}

static void
on_items_changed (GListModel *model, guint position, guint removed, guint added, int *n)
{
  ++*n;
}

static void
test_thousand_at_once (Fixture *f, gconstpointer unused)
{
  g_autoptr (GString) prompts = g_string_new ("p0");
  int n_changes = 0;
  gesso_queue_set_paused (f->queue, TRUE);
  g_signal_connect (f->queue, "items-changed", G_CALLBACK (on_items_changed), &n_changes);
  for (int i = 1; i < 1000; i++)
    g_string_append_printf (prompts, ",p%d", i);
  add (f, prompts->str);
  g_assert_cmpint (n_changes, ==, 1);
  g_assert_cmpint (gesso_queue_get_n_waiting (f->queue), ==, 1000);
  gesso_queue_cancel_all (f->queue);
  WAIT_FOR (gesso_queue_get_n_waiting (f->queue) == 0);
  g_assert_cmpint (f->n_ended, ==, 1000);
  g_assert_cmpint (n_changes, ==, 2);
  gesso_queue_remove_ended (f->queue);
  WAIT_FOR (g_list_model_get_n_items (G_LIST_MODEL (f->queue)) == 0);
  reopen (f);
  assert_titles (f, "");
}

static void
on_refused_cb (GObject *source, GAsyncResult *result, gpointer data)
{
  g_autoptr (GArray) ids = gesso_queue_add_finish (GESSO_QUEUE (source), result, data);
  g_assert_null (ids);
}

static void
test_all_or_none (Fixture *f, gconstpointer unused)
{
  g_autofree char *good = recipe ("a", 1, 1);
  const char *recipes[] = { good, "{\"version\": 1, \"prompt\": \"no model\"}", NULL };
  g_autoptr (GError) error = NULL;
  gesso_queue_add_async (f->queue, recipes, GESSO_QUEUE_LAST, NULL, on_refused_cb, &error);
  WAIT_FOR (error != NULL);
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_INVALID_ARGUMENT);
  assert_titles (f, "");
  reopen (f);
  assert_titles (f, "");
}

/* ---- running ---- */

static void
test_runs_all (Fixture *f, gconstpointer unused)
{
  add (f, "a");
  GessoJob *job = add_batches (f, "b", 2, 3);
  WAIT_FOR (f->n_drained == 1);
  g_assert_true (is_in (job, GESSO_JOB_DONE));
  g_assert_cmpint (gesso_job_get_n_done (job), ==, 6);
  g_assert_cmpfloat (gesso_job_get_fraction (job), ==, 1);
  g_assert_cmpint (f->n_pictures, ==, 7);
  g_assert_cmpuint (count_files (f->pictures), ==, 7);
  g_assert_cmpfloat (gesso_queue_get_fraction (f->queue), ==, 1);
  assert_titles (f, "/b a");
  reopen (f);
  assert_titles (f, "/b a");
  g_assert_cmpint (gesso_job_get_n_done (find (f, "b")), ==, 6);
  g_assert_cmpint (f->n_failed, ==, 0);
}

static void
on_preview (GessoJob *job, GParamSpec *pspec, Fixture *f)
{
  const GessoFrame *frame = gesso_job_get_preview (job);
  if (!frame)
    return;
  f->n_previews++;
  g_assert_cmpuint (g_bytes_get_size (frame->rgb), ==,
                    (gsize) frame->width * (gsize) frame->height * 3);
}

static void
test_pause_parks_and_goes_on (Fixture *f, gconstpointer unused)
{
  gesso_queue_set_paused (f->queue, TRUE); /* or the preview is there before who looks for it */
  GessoJob *job = add (f, "hold");
  add (f, "b");
  g_signal_connect (job, "notify::preview", G_CALLBACK (on_preview), f);
  gesso_queue_set_paused (f->queue, FALSE);
  WAIT_FOR (gesso_job_get_step (job) == 1 && f->n_previews > 0);
  g_assert_true (gesso_queue_get_running (f->queue) == job);
  gesso_queue_set_paused (f->queue, TRUE);
  WAIT_FOR (is_in (job, GESSO_JOB_PARKED));
  g_assert_null (gesso_job_get_preview (job));
  g_assert_null (gesso_queue_get_running (f->queue));
  gesso_queue_set_paused (f->queue, FALSE);
  g_autofree char *note = NULL;
  WAIT_FOR (gesso_job_get_step (job) == 2);
  g_object_get (job, "note", &note, NULL);
  g_assert_cmpstr (note, ==, "Goes on from step 1");
  gesso_queue_cancel (f->queue, job);
  WAIT_FOR (f->n_drained == 1);
  g_assert_true (is_in (job, GESSO_JOB_CANCELLED));
  g_assert_cmpint (f->n_pictures, ==, 1);
}

static void
test_now_goes_between (Fixture *f, gconstpointer unused)
{
  GessoJob *big = add (f, "hold");
  add (f, "last");
  WAIT_FOR (gesso_job_get_step (big) == 1);
  GessoJob *next = add_at (f, "next", GESSO_QUEUE_NEXT);
  assert_titles (f, "hold next last");
  GessoJob *small = add_at (f, "small", GESSO_QUEUE_NOW);
  WAIT_FOR (is_in (small, GESSO_JOB_DONE));
  WAIT_FOR (gesso_job_get_step (big) == 2); /* goes on by itself */
  g_assert_true (is_in (next, GESSO_JOB_WAITING));
  assert_titles (f, "hold next last/small");
  gesso_queue_put_first (f->queue, next);
  WAIT_FOR (is_in (next, GESSO_JOB_DONE));
  gesso_queue_move (f->queue, find (f, "last"),
                    big); /* before the running one: it goes first, too */
  WAIT_FOR (f->n_pictures == 3);
  gesso_queue_cancel_all (f->queue);
  WAIT_FOR (f->n_drained == 1);
  g_assert_true (is_in (big, GESSO_JOB_CANCELLED));
}

static void
test_running_job_is_not_edited (Fixture *f, gconstpointer unused)
{
  g_autofree char *other = recipe ("other", 1, 1);
  GessoJob *job = add (f, "hold"), *waiting = add (f, "b");
  WAIT_FOR (gesso_job_get_step (job) == 1);
  gesso_queue_edit (f->queue, job, other);
  WAIT_FOR (f->n_failed == 1);
  g_assert_nonnull (strstr (f->sentence, "duplicate"));
  gesso_queue_edit (f->queue, waiting, other);
  WAIT_FOR (titles_are (f, "hold other"));
  g_assert_cmpstr (gesso_job_get_recipe (waiting), ==, other);
  gesso_queue_cancel (f->queue, job);
  WAIT_FOR (f->n_drained == 1);
  assert_titles (f, "/other hold");
}

static void
test_failed_job_is_retried (Fixture *f, gconstpointer unused)
{
  GessoJob *unreadable = add (f, "fail:io"); /* the disk has room: it is this job's trouble */
  GessoJob *job = add (f, "fail:no-memory");
  add (f, "b");
  WAIT_FOR (f->n_drained == 1);
  g_assert_true (is_in (unreadable, GESSO_JOB_FAILED));
  gesso_queue_remove (f->queue, unreadable);
  WAIT_FOR (g_list_model_get_n_items (G_LIST_MODEL (f->queue)) == 2);
  g_assert_true (is_in (job, GESSO_JOB_FAILED));
  g_assert_cmpstr (gesso_job_get_error_code (job), ==, "no-memory");
  g_assert_cmpstr (gesso_job_get_error (job), ==, "It was told to fail.");
  g_assert_cmpint (f->n_pictures, ==, 1);
  gesso_queue_set_paused (f->queue, TRUE);
  gesso_queue_retry (f->queue, job);
  WAIT_FOR (is_in (job, GESSO_JOB_WAITING));
  g_assert_cmpstr (gesso_job_get_error (job), ==, "");
  g_autofree char *other = recipe ("better", 1, 1);
  gesso_queue_edit (f->queue, job, other);
  WAIT_FOR (titles_are (f, "better/b"));
  gesso_queue_set_paused (f->queue, FALSE);
  WAIT_FOR (f->n_drained == 2);
  assert_titles (f, "/better b");
  gesso_queue_remove (f->queue, job);
  WAIT_FOR (titles_are (f, "/b"));
}

/* ---- the worker ---- */

/* Or once more: a worker's last words may come after its death is known, and then its step counts
 * as a new one when it is done again. */
static void
assert_died_twice (const Fixture *f)
{
  g_assert_cmpint (f->n_died, >=, 2);
  g_assert_cmpint (f->n_died, <=, 3);
}

static void
test_job_that_kills_twice (Fixture *f, gconstpointer unused)
{
  GessoJob *job = add (f, "die");
  add (f, "b");
  WAIT_FOR (f->n_drained == 1);
  assert_died_twice (f);
  g_assert_true (is_in (job, GESSO_JOB_FAILED));
  g_assert_cmpstr (gesso_job_get_error_code (job), ==, "worker-died");
  g_assert_cmpint (f->n_pictures, ==, 1);
}

/* Nobody may say that the job is bad whose worker had not begun it. */
static void
test_worker_ended_as_it_was_asked (Fixture *f, gconstpointer unused)
{
  GessoJob *job = add (f, "refuse");
  WAIT_FOR (f->n_drained == 1);
  g_assert_cmpint (f->n_died, ==, 2);
  g_assert_cmpstr (gesso_job_get_error (job), ==, "");
  g_assert_true (is_in (job, GESSO_JOB_DONE));
}

/* Every picture is more than there was before, though no step is. */
static void
test_worker_dies_after_each_picture (Fixture *f, gconstpointer unused)
{
  enum
  {
    N_PICTURES = 5
  };
  GessoJob *job = add_batches (f, "one-by-one", 1, N_PICTURES);
  WAIT_FOR (f->n_drained == 1);
  g_assert_cmpstr (gesso_job_get_error (job), ==, "");
  g_assert_true (is_in (job, GESSO_JOB_DONE));
  g_assert_cmpint (f->n_pictures, ==, N_PICTURES);
}

static void
test_worker_stops_after_three (Fixture *f, gconstpointer unused)
{
  close_session (f);
  open_with (f, "/bin/false");
  add (f, "a");
  WAIT_FOR (gesso_session_get_worker_state (f->session) == GESSO_WORKER_STOPPED);
  WAIT_FOR (f->n_died == 3);
  g_assert_nonnull (strstr (f->sentence, "ends before it answers"));
  gesso_session_restart_worker (f->session);
  WAIT_FOR (f->n_died == 6);
  assert_titles (f, "a");
  close_session (f);
  open_with (f, "/nowhere/gesso-worker");
  WAIT_FOR (f->n_died == 7);
  g_assert_nonnull (strstr (f->sentence, "/nowhere/gesso-worker"));
  reopen (f);
  WAIT_FOR (f->n_drained == 1);
}

/* ---- deaths that are not seen at once ---- */

/* The worker is gone, and the call of Run is on its way before anybody knows. */
static void
test_worker_dies_as_it_is_asked (Fixture *f, gconstpointer unused)
{
  enum
  {
    TIMES = 20
  };
  for (int i = 1; i <= TIMES; i++)
    {
      gesso_queue_set_paused (f->queue, TRUE);
      GessoJob *job = add (f, "a");
      WAIT_FOR (gesso_session_get_worker_state (f->session) == GESSO_WORKER_READY);
      WAIT_FOR (worker_pid (f, 0) > 1);
      gesso_queue_set_paused (f->queue, FALSE);
      if (i % 2)
        WAIT_FOR (gesso_queue_get_running (f->queue) == job);
      kill (worker_pid (f, 0), SIGKILL);
      WAIT_FOR (f->n_drained == i);
      g_assert_cmpstr (gesso_job_get_error (job), ==, "");
      g_assert_true (is_in (job, GESSO_JOB_DONE));
    }
}

/* It closes its socket and stays. */
static void
test_worker_that_hangs_up_is_ended (Fixture *f, gconstpointer unused)
{
  GessoJob *job = add (f, "hang-up");
  add (f, "b");
  WAIT_FOR (f->n_drained == 1);
  assert_died_twice (f);
  g_assert_cmpstr (gesso_job_get_error_code (job), ==, "worker-died");
  g_assert_cmpint (f->n_pictures, ==, 1);
}

/* The same before it was ever asked for anything. */
static void
test_worker_that_hangs_up_at_once_is_ended (Fixture *f, gconstpointer unused)
{
  close_session (f);
  g_setenv ("GESSO_FAKE_HANGS_UP", "1", TRUE);
  open_with (f, f->worker);
  WAIT_FOR (f->n_died == 3);
  g_unsetenv ("GESSO_FAKE_HANGS_UP");
  g_assert_cmpint (gesso_session_get_worker_state (f->session), ==, GESSO_WORKER_STOPPED);
}

static void
test_last_words_are_quoted (Fixture *f, gconstpointer unused)
{
  add (f, "speak and die");
  WAIT_FOR (f->n_died > 0);
  g_assert_nonnull (strstr (f->sentence, "“The oil is out.”"));
}

static gboolean
on_over_cb (gpointer over)
{
  *(gboolean *) over = TRUE;
  return G_SOURCE_REMOVE;
}

/* While one worker has the lock, no other is started, whoever holds it. */
static void
test_one_worker_a_folder (Fixture *f, gconstpointer unused)
{
  g_autofree char *path = g_build_filename (f->data, "worker.lock", NULL);
  WAIT_FOR (gesso_session_get_worker_state (f->session) == GESSO_WORKER_READY);
  int fd = open (path, O_RDWR | O_CLOEXEC);
  g_assert_cmpint (fd, >=, 0);
  g_assert_cmpint (flock (fd, LOCK_EX | LOCK_NB), ==, -1); /* the worker's */
  g_assert_cmpint (errno, ==, EWOULDBLOCK);
  close_session (f);
  g_assert_cmpint (flock (fd, LOCK_EX | LOCK_NB), ==, 0); /* it went with the worker */
  int before = worker_pid (f, 0);
  open_with (f, f->worker);
  gboolean over = FALSE;
  g_timeout_add (SOME_RETRIES_MS, on_over_cb, &over);
  WAIT_FOR (over);
  g_assert_cmpint (gesso_session_get_worker_state (f->session), ==, GESSO_WORKER_STARTING);
  g_assert_cmpint (worker_pid (f, 0), ==, before);
  close (fd);
  WAIT_FOR (gesso_session_get_worker_state (f->session) == GESSO_WORKER_READY);
}

static void
on_planned_cb (GObject *source, GAsyncResult *result, gpointer data)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (GessoPlan) plan = gesso_session_plan_finish (GESSO_SESSION (source), result, &error);
  if (plan)
    g_assert_cmpuint (plan->peak_bytes, ==, 1000);
  *(double *) data = plan ? plan->seconds : -error->code;
}

static void
test_newest_plan_counts (Fixture *f, gconstpointer unused)
{
  double first = 0, second = 0;
  g_autofree char *json = recipe ("a", 1, 1);
  gesso_session_plan_async (f->session, json, NULL, on_planned_cb, &first);
  gesso_session_plan_async (f->session, json, NULL, on_planned_cb, &second);
  WAIT_FOR (first != 0 && second != 0);
  g_assert_cmpfloat (first, ==, -G_IO_ERROR_CANCELLED);
  g_assert_cmpfloat (second, ==, 12);
}

static void
test_estimates_before_measuring (Fixture *f, gconstpointer unused)
{
  gesso_queue_set_paused (f->queue, TRUE);
  add (f, "a,b");
  WAIT_FOR (gesso_queue_get_eta (f->queue) == 24); /* the worker says 12 s for each */
  gesso_queue_set_paused (f->queue, FALSE);
  WAIT_FOR (f->n_drained == 1);
  gesso_queue_set_paused (f->queue, TRUE);
  add (f, "c");
  WAIT_FOR (gesso_queue_get_eta (f->queue) >= 0);
  g_assert_cmpfloat (gesso_queue_get_eta (f->queue), <, 12); /* measured by now */
}

/* ---- the disk ---- */

static void
test_unwritable_pictures_pause_the_queue (Fixture *f, gconstpointer unused)
{
  g_assert_true (g_file_set_contents (f->pictures, "in the way", -1, NULL));
  GessoJob *job = add (f, "a");
  add (f, "b,c");
  WAIT_FOR (f->n_failed == 1 && is_in (job, GESSO_JOB_PARKED));
  g_assert_true (gesso_queue_get_paused (f->queue));
  g_assert_nonnull (strstr (f->sentence, f->pictures));
  assert_titles (f, "a b c");
  g_unlink (f->pictures);
  gesso_queue_set_paused (f->queue, FALSE);
  WAIT_FOR (f->n_drained == 1);
  g_assert_cmpint (f->n_failed, ==, 1);
  g_assert_cmpuint (count_files (f->pictures), ==, 3);
}

static void
limit_files (rlim_t size_bytes)
{
  struct rlimit limit;
  getrlimit (RLIMIT_FSIZE, &limit);
  limit.rlim_cur = MIN (size_bytes, limit.rlim_max);
  g_assert_cmpint (setrlimit (RLIMIT_FSIZE, &limit), ==, 0);
}

static void
test_full_disk_pauses_the_queue (Fixture *f, gconstpointer unused)
{
  g_autofree char *json = g_strdup (
      "{\"version\": 1, \"model\": \"m\", \"prompt\": \"big\", \"width\": 512, \"height\": 512}");
  const char *recipes[] = { json, json, json, NULL };
  g_autoptr (GArray) ids = NULL;
  WAIT_FOR (gesso_session_get_worker_state (f->session) == GESSO_WORKER_READY);
  limit_files (400000); /* half of such a picture */
  gesso_queue_add_async (f->queue, recipes, GESSO_QUEUE_LAST, NULL, on_added_cb, &ids);
  WAIT_FOR (ids != NULL);
  GessoJob *job = gesso_queue_find (f->queue, g_array_index (ids, gint64, 0));
  WAIT_FOR (f->n_failed == 1 && is_in (job, GESSO_JOB_PARKED));
  g_assert_true (gesso_queue_get_paused (f->queue));
  g_assert_nonnull (strstr (f->sentence, "the disk is full"));
  g_assert_cmpuint (count_files (f->pictures), ==, 0); /* not even a temporary one */
  limit_files (RLIM_INFINITY);
  gesso_queue_set_paused (f->queue, FALSE);
  WAIT_FOR (f->n_drained == 1);
  g_assert_cmpint (f->n_failed, ==, 1);
  g_assert_cmpuint (count_files (f->pictures), ==, 3);
}

static void
test_full_disk_refuses_jobs (Fixture *f, gconstpointer unused)
{
  g_autofree char *json = recipe ("a", 1, 1);
  const char *recipes[] = { json, NULL };
  g_autoptr (GError) error = NULL;
  gesso_queue_set_paused (f->queue, TRUE);
  add (f, "before");
  limit_files (4096);
  gesso_queue_add_async (f->queue, recipes, GESSO_QUEUE_LAST, NULL, on_refused_cb, &error);
  WAIT_FOR (error != NULL);
  gesso_queue_put_first (f->queue, find (f, "before")); /* needs the disk, too */
  limit_files (RLIM_INFINITY);
  add (f, "after");
  assert_titles (f, "before after");
  reopen (f);
  assert_titles (f, "before after");
}

static void
test_one_session_a_folder (Fixture *f, gconstpointer unused)
{
  g_autoptr (GError) error = NULL;
  GessoSessionOptions options = { .data_dir = f->data, .worker = f->worker };
  g_assert_null (gesso_session_new (&options, &error));
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_BUSY);
  g_clear_error (&error);
  options.data_dir = "/proc/gesso";
  g_assert_null (gesso_session_new (&options, &error));
  g_assert_nonnull (error);
  g_assert_nonnull (strstr (error->message, "/proc/gesso"));
}

/* ---- what is remembered ---- */

static void
test_prompts_styles_drafts (Fixture *f, gconstpointer unused)
{
  g_autoptr (GBytes) draft = g_bytes_new_static ("draft\0with zero", 15);
  gesso_session_remember_prompt (f->session, "a", "");
  gesso_session_remember_prompt (f->session, "b", "ugly");
  gesso_session_remember_prompt (f->session, "a", "");
  gesso_session_save_style (f->session, "z", "{prompt}, oil", "photo");
  gesso_session_save_style (f->session, "k", "{prompt}", "");
  gesso_session_save_style (f->session, "z", "{prompt}, ink", "");
  gesso_session_save_style (f->session, "gone", "x", "");
  gesso_session_delete_style (f->session, "gone");
  gesso_session_keep_draft (f->session, "canvas", draft);
  gesso_session_keep_draft (f->session, "other", draft);
  gesso_session_keep_draft (f->session, "other", NULL);
  for (int i = 0; i < 2; i++)
    {
      g_auto (GStrv) prompts = gesso_session_dup_prompts (f->session, 10);
      g_autofree char *joined = g_strjoinv (",", prompts);
      g_assert_cmpstr (joined, ==, "a,b");
      GPtrArray *styles = gesso_session_get_styles (f->session);
      g_assert_cmpuint (styles->len, ==, 2);
      g_assert_cmpstr (((GessoStyle *) g_ptr_array_index (styles, 0))->name, ==, "k");
      g_assert_cmpstr (((GessoStyle *) g_ptr_array_index (styles, 1))->prompt, ==, "{prompt}, ink");
      g_autoptr (GBytes) kept = gesso_session_dup_draft (f->session, "canvas");
      g_assert_true (g_bytes_equal (kept, draft));
      g_assert_null (gesso_session_dup_draft (f->session, "other"));
      reopen (f);
    }
}

#define ADD(path, func) g_test_add (path, Fixture, argv[1], set_up, func, tear_down)

int
main (int argc, char **argv)
{
  signal (SIGXFSZ, SIG_IGN);
  g_test_init (&argc, &argv, NULL);
  g_assert_cmpint (argc, ==, 2);
  g_log_set_always_fatal (G_LOG_LEVEL_CRITICAL | G_LOG_LEVEL_ERROR);
  ADD ("/session/queue/places", test_places);
  ADD ("/session/queue/moves-for-ever", test_moves_for_ever);
  ADD ("/session/queue/thousand-at-once", test_thousand_at_once);
  ADD ("/session/queue/all-or-none", test_all_or_none);
  ADD ("/session/queue/runs-all", test_runs_all);
  ADD ("/session/queue/pause-parks-and-goes-on", test_pause_parks_and_goes_on);
  ADD ("/session/queue/now-goes-between", test_now_goes_between);
  ADD ("/session/queue/running-job-is-not-edited", test_running_job_is_not_edited);
  ADD ("/session/queue/failed-job-is-retried", test_failed_job_is_retried);
  ADD ("/session/worker/job-that-kills-twice", test_job_that_kills_twice);
  ADD ("/session/worker/ended-as-it-was-asked", test_worker_ended_as_it_was_asked);
  ADD ("/session/worker/dies-after-each-picture", test_worker_dies_after_each_picture);
  ADD ("/session/worker/stops-after-three", test_worker_stops_after_three);
  ADD ("/session/worker/dies-as-it-is-asked", test_worker_dies_as_it_is_asked);
  ADD ("/session/worker/hangs-up", test_worker_that_hangs_up_is_ended);
  ADD ("/session/worker/hangs-up-at-once", test_worker_that_hangs_up_at_once_is_ended);
  ADD ("/session/worker/last-words", test_last_words_are_quoted);
  ADD ("/session/worker/one-a-folder", test_one_worker_a_folder);
  ADD ("/session/worker/newest-plan-counts", test_newest_plan_counts);
  ADD ("/session/worker/estimates-before-measuring", test_estimates_before_measuring);
  ADD ("/session/disk/unwritable-pictures-pause-the-queue",
       test_unwritable_pictures_pause_the_queue);
  ADD ("/session/disk/full-disk-pauses-the-queue", test_full_disk_pauses_the_queue);
  ADD ("/session/disk/full-disk-refuses-jobs", test_full_disk_refuses_jobs);
  ADD ("/session/disk/one-session-a-folder", test_one_session_a_folder);
  ADD ("/session/memory/prompts-styles-drafts", test_prompts_styles_drafts);
  char *folder = test_folder_new ();
  int result = g_test_run ();
  test_folder_free (folder);
  return result;
}
