/* SPDX-License-Identifier: MPL-2.0 */
#include <glib.h>

#include "session/gesso-batch-clock.h"
#include "session/gesso-eta.h"
#include "session/gesso-recipe.h"

static const GessoWork twenty = { "k", 20, 1 }, ten = { "k", 10, 3 }, own = { "k", 0, 1 },
                       other = { "l", 20, 1 };

static void
test_measured_times_scale_with_steps (void)
{
  GessoEta *eta = gesso_eta_new ();
  GessoTimes times;
  g_assert_cmpfloat (gesso_eta_batch (eta, "cpu", &twenty), ==, -1);
  g_assert_true (gesso_eta_observe (eta, "cpu", &twenty, 0.5, 2, 20, &times));
  g_assert_cmpfloat (gesso_eta_batch (eta, "cpu", &twenty), ==, 12);
  g_assert_cmpfloat (gesso_eta_batch (eta, "cpu", &ten), ==, 7);
  g_assert_cmpfloat (gesso_eta_batch (eta, "cpu", &own), ==,
                     12); /* as many steps as the last had */
  g_assert_cmpfloat (gesso_eta_batch (eta, "cpu", &other), ==, -1);
  g_assert_cmpfloat (gesso_eta_batch (eta, "gpu", &twenty), ==, -1);
  gesso_eta_free (eta);
}

/* A clip in three windows has three times the recipe's steps: what waited was forecast a third of
 * its time. */
static void
test_windows_multiply_steps (void)
{
  GessoEta *eta = gesso_eta_new ();
  GessoTimes times;
  g_assert_true (gesso_eta_observe (eta, "cpu", &twenty, 0.5, 2, 60, &times));
  g_assert_cmpint (times.n_steps, ==, 20);
  g_assert_cmpfloat (gesso_eta_batch (eta, "cpu", &twenty), ==, 32);
  g_assert_cmpfloat (gesso_eta_batch (eta, "cpu", &ten), ==, 17);
  g_assert_cmpfloat (gesso_eta_batch (eta, "cpu", &own), ==, 32);
  gesso_eta_free (eta);
}

/* What decides on the number of windows is part of the kind of work; of pictures nothing is. */
static void
test_keys_tell_windows_apart (void)
{
  Status status = { 0 };
  g_auto (Recipe) recipe;
  recipe_init (&recipe);
  g_autofree char *picture = gesso_work_dup_key (&recipe);
  g_assert_true (recipe_set (&recipe, "overlap", "3", &status));
  g_autofree char *also = gesso_work_dup_key (&recipe);
  g_assert_cmpstr (picture, ==, also);
  g_assert_true (recipe_set (&recipe, "frames", "161", &status));
  g_autofree char *clip = gesso_work_dup_key (&recipe);
  g_assert_true (recipe_set (&recipe, "overlap", "5", &status));
  g_autofree char *overlapping = gesso_work_dup_key (&recipe);
  g_assert_true (recipe_set (&recipe, "steps", "20", &status));
  g_autofree char *in_steps = gesso_work_dup_key (&recipe);
  g_assert_cmpstr (clip, !=, overlapping);
  g_assert_cmpstr (overlapping, !=, in_steps);
  g_assert_cmpstr (clip, !=, picture);
}

static void
test_newer_times_count_more (void)
{
  GessoEta *eta = gesso_eta_new ();
  GessoTimes times;
  double before = 20;
  gesso_eta_observe (eta, "cpu", &twenty, 1, 0, 20, &times);
  for (int i = 0; i < 20; i++)
    {
      gesso_eta_observe (eta, "cpu", &twenty, 2, 0, 20, &times);
      double now = gesso_eta_batch (eta, "cpu", &twenty);
      g_assert_cmpfloat (now, >, before);
      g_assert_cmpfloat (now, <, 40);
      before = now;
    }
  g_assert_cmpfloat (before, >, 39.9);
  g_assert_false (gesso_eta_observe (eta, "cpu", &twenty, -1, 0, 20, &times));
  g_assert_false (gesso_eta_observe (eta, "cpu", &twenty, 1, 0, 0, &times));
  g_assert_cmpfloat (gesso_eta_batch (eta, "cpu", &twenty), ==, before);
  gesso_eta_free (eta);
}

static void
test_estimate_holds_until_measured (void)
{
  GessoEta *eta = gesso_eta_new ();
  GessoTimes times;
  gesso_eta_suggest (eta, "cpu", &ten, 30); /* three batches */
  g_assert_cmpfloat (gesso_eta_batch (eta, "cpu", &ten), ==, 10);
  g_assert_cmpfloat (gesso_eta_batch (eta, "cpu", &twenty), ==, 20);
  gesso_eta_observe (eta, "cpu", &ten, 0.1, 0, 10, &times);
  g_assert_cmpfloat (gesso_eta_batch (eta, "cpu", &twenty), ==, 2);
  gesso_eta_suggest (eta, "cpu", &other, 0); /* "not known" */
  g_assert_cmpfloat (gesso_eta_batch (eta, "cpu", &other), ==, -1);
  gesso_eta_free (eta);
}

static void
test_remaining_time_falls (void)
{
  double before = gesso_eta_job (10, -1, 0, 2);
  g_assert_cmpfloat (before, ==, 30);
  for (int step = 1; step <= 10; step++)
    {
      double now = gesso_eta_job (10, -1, step / 10.0, 2);
      g_assert_cmpfloat (now, <, before);
      before = now;
    }
  g_assert_cmpfloat (before, ==, 20);
  g_assert_cmpfloat (gesso_eta_job (10, 4, 0.5, 2), ==, 24); /* the worker knows better */
  g_assert_cmpfloat (gesso_eta_job (-1, 5, 0.5, 2), ==, 25); /* this batch tells about the next */
  g_assert_cmpfloat (gesso_eta_job (-1, -1, 0.5, 0), ==, -1);
  g_assert_cmpfloat (gesso_eta_job (-1, 5, 0, 1), ==, -1);
}

enum
{
  MS = 1000
};

static void
test_clock_measures_a_batch (void)
{
  GessoBatchClock clock;
  double step, rest, before = 0;
  int n_steps;
  gesso_batch_clock_start (&clock, 1000 * MS);
  gesso_batch_clock_progress (&clock, "loading", 1, 1, 5000 * MS); /* does not count */
  gesso_batch_clock_progress (&clock, "text", 1, 1, 5500 * MS);
  for (int i = 0; i <= 4; i++)
    {
      gesso_batch_clock_progress (&clock, "denoise", i, 4, (5700 + 300 * i) * MS);
      g_assert_cmpfloat (gesso_batch_clock_get_fraction (&clock), >=, before);
      before = gesso_batch_clock_get_fraction (&clock);
    }
  g_assert_false (gesso_batch_clock_get (&clock, &step, &rest, &n_steps)); /* not over */
  gesso_batch_clock_progress (&clock, "decode", 0, 2, 7000 * MS);
  g_assert_cmpfloat (gesso_batch_clock_get_fraction (&clock), >=, before);
  gesso_batch_clock_stop (&clock, 7400 * MS);
  g_assert_true (gesso_batch_clock_get (&clock, &step, &rest, &n_steps));
  g_assert_cmpfloat_with_epsilon (step, 0.3, 1e-9);
  g_assert_cmpfloat_with_epsilon (rest, 0.7 + 0.5, 1e-9);
  g_assert_cmpint (n_steps, ==, 4);
}

static void
test_clock_leaves_out_resumed_batches (void)
{
  GessoBatchClock clock;
  double step, rest;
  int n_steps;
  gesso_batch_clock_start (&clock, 1);
  gesso_batch_clock_progress (&clock, "denoise", 3, 4, 2);
  gesso_batch_clock_progress (&clock, "denoise", 4, 4, 3);
  gesso_batch_clock_stop (&clock, 4);
  g_assert_false (gesso_batch_clock_get (&clock, &step, &rest, &n_steps));
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/session/eta/measured-times-scale-with-steps",
                   test_measured_times_scale_with_steps);
  g_test_add_func ("/session/eta/windows-multiply-steps", test_windows_multiply_steps);
  g_test_add_func ("/session/eta/keys-tell-windows-apart", test_keys_tell_windows_apart);
  g_test_add_func ("/session/eta/newer-times-count-more", test_newer_times_count_more);
  g_test_add_func ("/session/eta/estimate-holds-until-measured",
                   test_estimate_holds_until_measured);
  g_test_add_func ("/session/eta/remaining-time-falls", test_remaining_time_falls);
  g_test_add_func ("/session/clock/measures-a-batch", test_clock_measures_a_batch);
  g_test_add_func ("/session/clock/leaves-out-resumed-batches",
                   test_clock_leaves_out_resumed_batches);
  return g_test_run ();
}
