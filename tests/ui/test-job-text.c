/* SPDX-License-Identifier: MPL-2.0
 * test-job-text.c - a running job in words, its time left above all.  Needs no display.
 *
 * Alone: build/tests/ui/test-job-text
 */
#include "app/gesso-job-text.h"
#include "session/gesso-job-private.h"

static GessoJob *
new_running_job (int n_pictures)
{
  const GessoJobRow row = { .id = 1,
                            .state = GESSO_JOB_RUNNING,
                            .recipe = (char *) "{}",
                            .title = (char *) "an apple",
                            .n_pictures = n_pictures,
                            .batch_size = 1 };
  return gesso_job_new (&row);
}

static void
assert_text (GessoJob *job, const char *expected)
{
  g_autofree char *progress = gesso_job_text_dup_progress (job);
  g_autofree char *details = gesso_job_text_dup_details (job); /* the row's */
  g_assert_cmpstr (progress, ==, expected);
  g_assert_cmpstr (details, ==, expected);
}

/* The pill once said "Starting · 0:00 left". */
static void
test_no_time_before_it_computes (void)
{
  g_autoptr (GessoJob) job = new_running_job (1);
  gesso_job_set_eta (job, 0, 0);
  assert_text (job, "Starting");
  gesso_job_set_eta (job, 90, 0);
  assert_text (job, "Starting");
  gesso_job_set_progress (job, "loading", 0, 0, 0);
  assert_text (job, "Loading the model");
  gesso_job_set_progress (job, "text", 0, 0, 0);
  assert_text (job, "Reading the prompt · 1:30 left");
}

static void
test_unknown_time_is_not_shown (void)
{
  g_autoptr (GessoJob) job = new_running_job (3);
  gesso_job_set_progress (job, "denoise", 2, 20, 0.1);
  assert_text (job, "Step 2 of 20 · picture 1 of 3");
  gesso_job_set_eta (job, 3730, 0);
  assert_text (job, "Step 2 of 20 · picture 1 of 3 · 1:02:10 left");
}

static void
test_what_runs_is_not_over (void)
{
  g_autoptr (GessoJob) job = new_running_job (1);
  gesso_job_set_progress (job, "decode", 20, 20, 0.99);
  gesso_job_set_eta (job, 0, 0);
  assert_text (job, "Developing the picture · 0:01 left");
  gesso_job_set_eta (job, 0.2, 0);
  assert_text (job, "Developing the picture · 0:01 left");
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/job-text/no-time-before-it-computes", test_no_time_before_it_computes);
  g_test_add_func ("/job-text/unknown-time-is-not-shown", test_unknown_time_is_not_shown);
  g_test_add_func ("/job-text/what-runs-is-not-over", test_what_runs_is_not_over);
  return g_test_run ();
}
