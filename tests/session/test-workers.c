/* SPDX-License-Identifier: MPL-2.0
 * test-workers.c - a session with two workers.  Usage: test-workers FAKE_WORKER WORKER
 *
 * What happens at the same time is shown by jobs that wait ("hold") or workers that are stopped
 * with SIGSTOP, never by how long anything takes.
 */
#include <gio/gio.h>
#include <glib/gstdio.h>
#include <signal.h>
#include <string.h>

#include "tests/session/fixture.h"
#include "tests/worker/folder.h"

static void
set_up_two (Fixture *f, gconstpointer worker)
{
  f->backends = "a,b";
  set_up (f, worker);
}

static void
set_up_real (Fixture *f, gconstpointer worker)
{
  f->backends = "null,null";
  set_up (f, worker);
}

static gboolean
all_are_ready (Fixture *f)
{
  return gesso_session_get_worst_worker_state (f->session) == GESSO_WORKER_READY;
}

/* Jobs that are given out in order: the first to the first worker. */
static void
add_for_all (Fixture *f, const char *prompts)
{
  gesso_queue_set_paused (f->queue, TRUE);
  add (f, prompts);
  WAIT_FOR (all_are_ready (f));
  gesso_queue_set_paused (f->queue, FALSE);
}

/* "hold 1" with the first worker and "hold 2" with the second. */
static void
hold_both (Fixture *f, GessoJob **first, GessoJob **second)
{
  add_for_all (f, "hold 1,hold 2");
  *first = find (f, "hold 1");
  *second = find (f, "hold 2");
  WAIT_FOR (gesso_job_get_step (*first) == 1 && gesso_job_get_step (*second) == 1);
}

static void
assert_undisturbed (GessoJob *job)
{
  g_autofree char *note = NULL;
  g_object_get (job, "note", &note, NULL);
  g_assert_true (is_in (job, GESSO_JOB_RUNNING));
  g_assert_cmpint (gesso_job_get_step (job), ==, 1);
  g_assert_cmpstr (note, ==, "");
}

static gboolean
went_on (GessoJob *job)
{
  return is_in (job, GESSO_JOB_RUNNING) && gesso_job_get_step (job) == 2;
}

/* ---- at the same time ---- */

static void
test_two_at_once (Fixture *f, gconstpointer unused)
{
  GessoJob *first, *second;
  hold_both (f, &first, &second);
  GessoJob *third = add (f, "b");
  g_assert_cmpint (gesso_queue_get_n_running (f->queue), ==, 2);
  g_assert_true (gesso_queue_get_running (f->queue) == second); /* began last */
  gesso_queue_watch (f->queue, first);
  g_assert_true (gesso_queue_get_running (f->queue) == first);
  g_assert_true (is_in (third, GESSO_JOB_WAITING));
  gesso_queue_cancel (f->queue, second);
  WAIT_FOR (is_in (third, GESSO_JOB_DONE));
  g_assert_true (gesso_queue_get_running (f->queue) == first);
  assert_undisturbed (first);
  g_assert_cmpint (f->n_drained, ==, 0); /* one goes on still */
  gesso_queue_cancel (f->queue, first);
  WAIT_FOR (f->n_drained == 1);
  g_assert_cmpint (gesso_queue_get_n_running (f->queue), ==, 0);
  g_assert_null (gesso_queue_get_running (f->queue));
  g_assert_cmpint (f->n_pictures, ==, 1);
}

/* The worker that has "a" stands still; all the rest is done by the other. */
static void
test_two_real_workers (Fixture *f, gconstpointer unused)
{
  gesso_queue_set_paused (f->queue, TRUE);
  for (int i = 0; i < 4; i++)
    {
      g_autofree char *json = g_strdup_printf ("{\"version\": 1, \"model\": \"gesso-mini\","
                                               " \"prompt\": \"%d\", \"width\": 64,"
                                               " \"height\": 64, \"steps\": 3}",
                                               i);
      const char *recipes[] = { json, NULL };
      g_autoptr (GArray) ids = NULL;
      gesso_queue_add_async (f->queue, recipes, GESSO_QUEUE_LAST, NULL, on_added_cb, &ids);
      WAIT_FOR (ids != NULL);
    }
  WAIT_FOR (all_are_ready (f) && worker_pid (f, 0) > 1 && worker_pid (f, 1) > 1);
  g_assert_cmpint (kill (worker_pid (f, 0), SIGSTOP), ==, 0);
  gesso_queue_set_paused (f->queue, FALSE);
  WAIT_FOR (f->n_ended == 3);
  assert_titles (f, "0/3 2 1");
  g_assert_true (is_in (find (f, "0"), GESSO_JOB_RUNNING));
  g_assert_cmpint (kill (worker_pid (f, 0), SIGCONT), ==, 0);
  WAIT_FOR (f->n_drained == 1);
  g_assert_true (is_in (find (f, "0"), GESSO_JOB_DONE));
  g_assert_cmpuint (count_files (f->pictures), ==, 4);
  g_assert_cmpint (f->n_died, ==, 0);
}

static void
test_small_job_in_front (Fixture *f, gconstpointer unused)
{
  GessoJob *first, *second;
  hold_both (f, &first, &second);
  GessoJob *next = add_at (f, "next", GESSO_QUEUE_NEXT);
  assert_titles (f, "hold 1 hold 2 next");
  GessoJob *small = add_at (f, "small", GESSO_QUEUE_NOW);
  WAIT_FOR (is_in (small, GESSO_JOB_DONE));
  WAIT_FOR (went_on (second)); /* by itself, from where it was */
  assert_undisturbed (first);
  g_assert_true (is_in (next, GESSO_JOB_WAITING));
  gesso_queue_move (f->queue, next, first);
  WAIT_FOR (is_in (next, GESSO_JOB_DONE));
  WAIT_FOR (gesso_job_get_step (second) == 3);
  assert_undisturbed (first);
  gesso_queue_cancel_all (f->queue);
  WAIT_FOR (f->n_drained == 1);
  g_assert_cmpint (f->n_pictures, ==, 2);
}

static void
test_pause_parks_both (Fixture *f, gconstpointer unused)
{
  GessoJob *first, *second;
  hold_both (f, &first, &second);
  gesso_queue_set_paused (f->queue, TRUE);
  WAIT_FOR (is_in (first, GESSO_JOB_PARKED) && is_in (second, GESSO_JOB_PARKED));
  g_assert_cmpint (gesso_queue_get_n_running (f->queue), ==, 0);
  gesso_queue_set_paused (f->queue, FALSE);
  WAIT_FOR (went_on (first) && went_on (second));
  gesso_queue_cancel_all (f->queue);
  WAIT_FOR (f->n_drained == 1);
}

/* The batches of a job stay where its first one is. */
static void
test_batches_stay (Fixture *f, gconstpointer unused)
{
  add (f, "hold 1");
  GessoJob *many = add_batches (f, "many", 6, 2);
  WAIT_FOR (is_in (many, GESSO_JOB_DONE));
  g_assert_cmpint (f->n_pictures, ==, 12);
  assert_undisturbed (find (f, "hold 1"));
  gesso_queue_cancel_all (f->queue);
  WAIT_FOR (f->n_drained == 1);
}

/* ---- deaths ---- */

static void
test_one_is_killed (Fixture *f, gconstpointer unused)
{
  GessoJob *first, *second;
  hold_both (f, &first, &second);
  int other = worker_pid (f, 0);
  kill (worker_pid (f, 1), SIGKILL);
  WAIT_FOR (f->n_died == 1);
  WAIT_FOR (all_are_ready (f) && gesso_queue_get_n_running (f->queue) == 2 &&
            is_in (second, GESSO_JOB_RUNNING));
  assert_undisturbed (first);
  g_assert_cmpint (worker_pid (f, 0), ==, other);
  g_assert_nonnull (strstr (f->sentence, "b: ")); /* whose end it was */
  gesso_queue_cancel_all (f->queue);
  WAIT_FOR (f->n_drained == 1);
}

static void
test_both_are_killed (Fixture *f, gconstpointer unused)
{
  GessoJob *first, *second;
  hold_both (f, &first, &second);
  kill (worker_pid (f, 0), SIGKILL);
  kill (worker_pid (f, 1), SIGKILL);
  WAIT_FOR (f->n_died == 2);
  WAIT_FOR (all_are_ready (f) && gesso_queue_get_n_running (f->queue) == 2);
  WAIT_FOR (is_in (first, GESSO_JOB_RUNNING) && is_in (second, GESSO_JOB_RUNNING));
  gesso_queue_cancel_all (f->queue);
  WAIT_FOR (f->n_drained == 1);
  g_assert_cmpint (f->n_failed, ==, 0);
}

/* Each picture is there once, though each ends its worker. */
static void
test_both_die_after_each_picture (Fixture *f, gconstpointer unused)
{
  enum
  {
    N_PICTURES = 4
  };
  add_batches (f, "one-by-one", 1, N_PICTURES);
  add_batches (f, "one-by-one", 2, N_PICTURES / 2);
  WAIT_FOR (f->n_drained == 1);
  g_assert_cmpint (f->n_pictures, ==, 2 * N_PICTURES);
  g_assert_cmpuint (count_files (f->pictures), ==, 2 * N_PICTURES);
}

static void
test_job_that_kills_leaves_the_other_alone (Fixture *f, gconstpointer unused)
{
  add_for_all (f, "hold 1,die");
  GessoJob *bad = find (f, "die");
  WAIT_FOR (is_in (bad, GESSO_JOB_FAILED));
  WAIT_FOR (gesso_job_get_step (find (f, "hold 1")) == 1);
  assert_undisturbed (find (f, "hold 1"));
  g_assert_cmpstr (gesso_job_get_error_code (bad), ==, "worker-died");
  gesso_queue_cancel_all (f->queue);
  WAIT_FOR (f->n_drained == 1);
}

static void
test_restart_with_two_parked (Fixture *f, gconstpointer unused)
{
  GessoJob *first, *second;
  hold_both (f, &first, &second);
  close_session (f);
  open_with (f, f->worker);
  assert_titles (f, "hold 1 hold 2");
  first = find (f, "hold 1");
  second = find (f, "hold 2");
  WAIT_FOR (went_on (first) && went_on (second));
  gesso_queue_cancel_all (f->queue);
  WAIT_FOR (f->n_drained == 1);
}

/* ---- devices ---- */

static void
on_planned_cb (GObject *source, GAsyncResult *result, gpointer data)
{
  char **problem = data;
  g_autoptr (GError) error = NULL;
  g_autoptr (GessoPlan) plan = gesso_session_plan_finish (GESSO_SESSION (source), result, &error);
  *problem = g_strdup (plan ? "" : error->message);
}

/* Returns: why the recipe cannot be planned; "" when it can */
static char *
plan_problem (Fixture *f, const char *json)
{
  char *problem = NULL;
  gesso_session_plan_async (f->session, json, NULL, on_planned_cb, &problem);
  WAIT_FOR (problem != NULL);
  return problem;
}

static void
test_device_is_taken_away (Fixture *f, gconstpointer unused)
{
  GessoJob *first, *second;
  hold_both (f, &first, &second);
  gesso_session_set_backends (f->session, "a");
  WAIT_FOR (is_in (second, GESSO_JOB_PARKED));
  assert_undisturbed (first);
  gesso_queue_cancel (f->queue, first);
  WAIT_FOR (went_on (second)); /* with the worker that is left */
  gesso_session_set_backends (f->session, "a,b");
  WAIT_FOR (all_are_ready (f));
  GessoJob *third = add (f, "c");
  WAIT_FOR (is_in (third, GESSO_JOB_DONE));
  g_assert_true (is_in (second, GESSO_JOB_RUNNING));
  gesso_session_set_backends (f->session, "c"); /* another than both */
  WAIT_FOR (gesso_job_get_step (second) == 3);
  g_assert_cmpint (f->n_died, ==, 0);
  gesso_queue_cancel_all (f->queue);
  WAIT_FOR (f->n_drained == 1);
}

static void
test_too_large_for_one (Fixture *f, gconstpointer unused)
{
  add_for_all (f, "only:b,only:c");
  WAIT_FOR (f->n_drained == 1);
  g_assert_true (is_in (find (f, "only:b"), GESSO_JOB_DONE));
  g_assert_true (is_in (find (f, "only:c"), GESSO_JOB_FAILED));
  g_assert_cmpstr (gesso_job_get_error_code (find (f, "only:c")), ==, "no-memory");
}

/* The device that a job waits for is busy; the free one takes what stands behind. */
static void
test_others_pass_what_is_too_large (Fixture *f, gconstpointer unused)
{
  GessoJob *first, *second;
  hold_both (f, &first, &second);
  add (f, "only:b,x,y");
  gesso_queue_cancel (f->queue, first); /* "a" tries what is for "b" */
  WAIT_FOR (is_in (find (f, "y"), GESSO_JOB_DONE));
  g_assert_true (is_in (find (f, "only:b"), GESSO_JOB_PARKED));
  assert_undisturbed (second);
  gesso_queue_cancel (f->queue, second);
  WAIT_FOR (f->n_drained == 1);
  g_assert_true (is_in (find (f, "only:b"), GESSO_JOB_DONE));
}

static void
test_all_cards (Fixture *f, gconstpointer unused)
{
  close_session (f);
  g_setenv ("GESSO_FAKE_CARDS", "3", TRUE);
  f->backends = NULL;
  open_with (f, f->worker);
  WAIT_FOR (
      g_str_equal (gesso_session_get_device (f->session), "Fake device\nFake device\nFake device"));
  g_unsetenv ("GESSO_FAKE_CARDS");
  g_assert_cmpint (worker_pid (f, 2), >, 1);
  g_assert_cmpint (worker_pid (f, 3), ==, 0);
}

/* What runs goes on; the card's next batch has the limit, and the processor has none. */
static void
test_vram_limit (Fixture *f, gconstpointer unused)
{
  close_session (f);
  f->backends = "cpu,cuda:0,cuda:1";
  open_with (f, f->worker);
  add_for_all (f, "x,hold 2,y");
  WAIT_FOR (gesso_queue_get_n_waiting (f->queue) == 1 && f->n_ended == 2);
  GessoJob *hold = find (f, "hold 2");
  int cpu = worker_pid (f, 0);
  gesso_session_set_vram_limit (f->session, 2048);
  WAIT_FOR (strstr (gesso_session_get_device (f->session), "at most 2048 MiB"));
  assert_undisturbed (hold);
  gesso_queue_cancel (f->queue, hold);
  WAIT_FOR (g_str_equal (gesso_session_get_device (f->session),
                         "Fake device\nFake device, at most 2048 MiB\n"
                         "Fake device, at most 2048 MiB"));
  g_assert_cmpint (worker_pid (f, 0), ==, cpu);
  gesso_session_set_vram_limit (f->session, 0);
  WAIT_FOR (
      g_str_equal (gesso_session_get_device (f->session), "Fake device\nFake device\nFake device"));
  g_assert_cmpint (f->n_died, ==, 0);
}

/* Two emulated cards with the real worker: found, limited, and asked what they have room for
 * without being opened twice. */
static void
test_real_cards (Fixture *f, gconstpointer unused)
{
  static const char large[] = "{\"version\": 1, \"model\": \"gesso-mini\", \"prompt\": \"a\","
                              " \"width\": 1024, \"height\": 1024}";
  static const char small[] = "{\"version\": 1, \"model\": \"gesso-mini\", \"prompt\": \"a\","
                              " \"width\": 64, \"height\": 64}";
  close_session (f);
  f->backends = NULL;
  open_with (f, f->worker);
  WAIT_FOR (g_strrstr (gesso_session_get_device (f->session), "\n"));
  gesso_session_set_vram_limit (f->session, 12);
  WAIT_FOR (all_are_ready (f) && g_strrstr (gesso_session_get_device (f->session), "\n"));
  g_autofree char *refused = plan_problem (f, large), *taken = plan_problem (f, small);
  g_assert_nonnull (strstr (refused, "it may give 12"));
  g_assert_cmpstr (taken, ==, "");
  g_assert_cmpint (f->n_died, ==, 0);
}

static void
test_estimate_of_two (Fixture *f, gconstpointer unused)
{
  gesso_queue_set_paused (f->queue, TRUE);
  add (f, "a,b,c");
  WAIT_FOR (all_are_ready (f));
  WAIT_FOR (gesso_queue_get_eta (f->queue) == 24); /* three of 12 s each for two */
}

/* ---- workers that cannot start ---- */

static gboolean
has_stopped (Fixture *f)
{
  return gesso_session_get_worker_state (f->session) == GESSO_WORKER_STOPPED && f->n_died > 0;
}

static void
test_missing_program (Fixture *f, gconstpointer unused)
{
  close_session (f);
  open_with (f, "/nowhere/gesso-worker");
  add (f, "a");
  WAIT_FOR (has_stopped (f));
  g_assert_nonnull (strstr (f->sentence, "“/nowhere/gesso-worker” is missing"));
  assert_titles (f, "a");
  g_assert_cmpint (f->n_failed, ==, 0);
}

static void
test_program_without_permission (Fixture *f, gconstpointer unused)
{
  g_autofree char *path = g_build_filename (f->folder, "no-worker", NULL);
  close_session (f);
  g_assert_true (g_file_set_contents_full (path, "x", 1, G_FILE_SET_CONTENTS_NONE, 0600, NULL));
  open_with (f, path);
  WAIT_FOR (has_stopped (f));
  g_assert_nonnull (strstr (f->sentence, "may not be run"));
}

/* It is told once, the job waits, and the CPU can take it. */
static void
test_card_that_is_gone (Fixture *f, gconstpointer unused)
{
  close_session (f);
  g_setenv ("GESSO_FAKE_FAILS", "cuda:1", TRUE);
  f->backends = "cuda:1";
  open_with (f, f->worker);
  GessoJob *job = add (f, "a");
  WAIT_FOR (has_stopped (f));
  g_unsetenv ("GESSO_FAKE_FAILS");
  g_assert_cmpint (f->n_died, ==, 1);
  g_assert_cmpstr (f->sentence, ==, "The engine cannot start: There is no such card.");
  g_assert_true (is_in (job, GESSO_JOB_WAITING));
  g_assert_true (gesso_session_offers_cpu (f->session));
  gesso_session_use_cpu (f->session);
  WAIT_FOR (is_in (job, GESSO_JOB_DONE));
  g_assert_false (gesso_session_offers_cpu (f->session));
}

static void
test_one_cannot_start (Fixture *f, gconstpointer unused)
{
  close_session (f);
  g_setenv ("GESSO_FAKE_FAILS", "cuda:1", TRUE);
  f->backends = "cuda:0,cuda:1";
  open_with (f, f->worker);
  add (f, "a,b,c");
  WAIT_FOR (f->n_drained == 1 && f->n_died == 1);
  g_unsetenv ("GESSO_FAKE_FAILS");
  g_assert_cmpstr (f->sentence, ==, "cuda:1: The engine cannot start: There is no such card.");
  g_assert_cmpint (gesso_session_get_worst_worker_state (f->session), ==, GESSO_WORKER_STOPPED);
  g_assert_cmpint (gesso_session_get_worker_state (f->session), ==, GESSO_WORKER_READY);
  g_assert_false (gesso_session_offers_cpu (f->session)); /* the other card goes on */
  gesso_session_restart_worker (f->session);
  WAIT_FOR (all_are_ready (f));
}

/* The real worker, whose module is not there. */
static void
test_missing_module (Fixture *f, gconstpointer unused)
{
  close_session (f);
  g_setenv ("GESSO_CUDA_MODULE", "/nowhere/libgesso-cuda.so", TRUE);
  f->backends = "cuda";
  open_with (f, f->worker);
  add (f, "a");
  WAIT_FOR (has_stopped (f));
  g_unsetenv ("GESSO_CUDA_MODULE");
  g_assert_cmpint (f->n_died, ==, 1);
  g_assert_true (g_str_has_prefix (f->sentence, "The engine cannot start: The CUDA module could "
                                                "not be loaded"));
  g_assert_nonnull (strstr (f->sentence, "in the Preferences, under Devices"));
  g_assert_null (strstr (f->sentence, "backend"));
  assert_titles (f, "a");
  g_assert_true (gesso_session_offers_cpu (f->session));
}

#define ADD(path, worker, set_up_func, func)                                                       \
  g_test_add (path, Fixture, worker, set_up_func, func, tear_down)

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_assert_cmpint (argc, ==, 3);
  const char *fake = argv[1], *real = argv[2];
  g_log_set_always_fatal (G_LOG_LEVEL_CRITICAL | G_LOG_LEVEL_ERROR);
  ADD ("/session/workers/two-at-once", fake, set_up_two, test_two_at_once);
  ADD ("/session/workers/two-real", real, set_up_real, test_two_real_workers);
  ADD ("/session/workers/small-job-in-front", fake, set_up_two, test_small_job_in_front);
  ADD ("/session/workers/pause-parks-both", fake, set_up_two, test_pause_parks_both);
  ADD ("/session/workers/batches-stay", fake, set_up_two, test_batches_stay);
  ADD ("/session/workers/one-is-killed", fake, set_up_two, test_one_is_killed);
  ADD ("/session/workers/both-are-killed", fake, set_up_two, test_both_are_killed);
  ADD ("/session/workers/both-die-after-each-picture", fake, set_up_two,
       test_both_die_after_each_picture);
  ADD ("/session/workers/job-that-kills", fake, set_up_two,
       test_job_that_kills_leaves_the_other_alone);
  ADD ("/session/workers/restart-with-two-parked", fake, set_up_two, test_restart_with_two_parked);
  ADD ("/session/workers/device-is-taken-away", fake, set_up_two, test_device_is_taken_away);
  ADD ("/session/workers/too-large-for-one", fake, set_up_two, test_too_large_for_one);
  ADD ("/session/workers/others-pass", fake, set_up_two, test_others_pass_what_is_too_large);
  ADD ("/session/workers/all-cards", fake, set_up_two, test_all_cards);
  ADD ("/session/workers/vram-limit", fake, set_up_two, test_vram_limit);
  if (g_getenv ("FAKE_CUDA_CARDS"))
    ADD ("/session/cards/real", real, set_up_real, test_real_cards);
  ADD ("/session/workers/estimate-of-two", fake, set_up_two, test_estimate_of_two);
  ADD ("/session/start/missing-program", fake, set_up, test_missing_program);
  ADD ("/session/start/no-permission", fake, set_up, test_program_without_permission);
  ADD ("/session/start/card-that-is-gone", fake, set_up, test_card_that_is_gone);
  ADD ("/session/start/one-cannot-start", fake, set_up, test_one_cannot_start);
  ADD ("/session/start/missing-module", real, set_up_real, test_missing_module);
  char *folder = test_folder_new ();
  int result = g_test_run ();
  test_folder_free (folder);
  return result;
}
