/* SPDX-License-Identifier: MPL-2.0
 * test-runner.c - the runner in this process, where memory can be made to fail and operators be
 * counted; its journal and its clock.
 */
#include <signal.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include <glib.h>
#include <glib/gstdio.h>

#include "core/guard.h"
#include "core/mem.h"
#include "folder.h"
#include "worker/eta.h"
#include "worker/journal.h"
#include "worker/runner.h"

enum
{
  SIDE = 256, /* larger than the smallest tile */
  STEPS = 2
};

/* ---- a run, and what it said ---- */

typedef struct
{
  BatchControl control;
  GByteArray *rgb; /* of the last picture */
  char *recipe;
  int n_pictures, n_notes, n_failures; /* failures: allocations that fail from the decoding on */
  const char *cut;                     /* a file that is cut short when denoising begins */
  bool wants_previews;
  int n_asked, n_previews, n_loads;
  char *last_note;
} Said;

static void
on_progress (void *data, const char *phase, int done, int total, double eta)
{
  Said *s = data;
  s->n_loads += g_str_equal (phase, "loading") && done == 0;
  if (s->cut && g_str_equal (phase, "denoise") && done == 0)
    g_assert_cmpint (truncate (s->cut, 8192), ==, 0);
  if (g_str_equal (phase, "decode") && done == 0 && s->n_failures > 0)
    {
      s->n_failures--;
      mem_fail_at (1);
    }
}

static bool
on_wants_preview (void *data)
{
  Said *s = data;
  s->n_asked++;
  return s->wants_previews;
}

static void
on_preview (
    void *data, const uint8_t *rgb, int n_frames, double rate, int width, int height, int step)
{
  ((Said *) data)->n_previews++;
}

static bool
on_picture (void *data,
            int index,
            const uint8_t *rgb,
            int width,
            int height,
            const char *recipe,
            Status *status)
{
  Said *s = data;
  s->n_pictures++;
  g_byte_array_set_size (s->rgb, 0);
  g_byte_array_append (s->rgb, rgb, (guint) (width * height * 3));
  g_free (s->recipe);
  s->recipe = g_strdup (recipe);
  return true;
}

static bool
on_settle (void *data, int max_open, Status *status)
{
  return true;
}

static void
on_note (void *data, const char *sentence)
{
  Said *s = data;
  g_test_message ("note: %s", sentence);
  s->n_notes++;
  g_free (s->last_note);
  s->last_note = g_strdup (sentence);
  if (s->n_failures > 0)
    {
      s->n_failures--;
      mem_fail_at (1);
    }
}

static void
said_init (Said *s)
{
  *s = (Said){ .rgb = g_byte_array_new () };
}

static void
said_clear (Said *s)
{
  g_byte_array_unref (s->rgb);
  g_free (s->recipe);
  g_free (s->last_note);
}

typedef struct
{
  Backend *backend;
  Runner *runner;
  Recipe recipe;
  char *journal;
} Fixture;

static void
set_up (Fixture *f, gconstpointer data)
{
  Status status = { 0 };
  g_autofree char *model = g_build_filename (g_getenv ("GESSO_DATA"), "models/gesso-mini", NULL);
  f->backend =
      g_str_equal (data, "cpu") ? backend_cpu_new (NULL, 1, &status) : backend_null_new (&status);
  f->runner = runner_new (f->backend, g_getenv ("GESSO_DATA"), &status);
  f->journal = g_build_filename (g_getenv ("GESSO_TEST_DIR"), "runner.journal", NULL);
  g_unlink (f->journal);
  recipe_init (&f->recipe);
  recipe_set (&f->recipe, "model", model, &status);
  recipe_set (&f->recipe, "prompt", "a red apple", &status);
  f->recipe.steps = STEPS;
  f->recipe.width = f->recipe.height = SIDE;
  g_assert_cmpstr (status.message, ==, "");
}

static void
tear_down (Fixture *f, gconstpointer data)
{
  runner_free (f->runner);
  backend_free (f->backend);
  recipe_clear (&f->recipe);
  g_clear_pointer (&f->journal, g_free);
}

static RunnerEnd
run (Fixture *f, Said *s, Status *status)
{
  const RunnerEvents events = { .progress = on_progress,
                                .wants_preview = on_wants_preview,
                                .preview = on_preview,
                                .picture = on_picture,
                                .settle = on_settle,
                                .note = on_note,
                                .data = s };
  const RunnerBatch batch = {
    .name = "a", .recipe = &f->recipe, .journal = f->journal, .control = &s->control
  };
  int step = 0;
  *status = (Status){ 0 };
  return runner_run (f->runner, &batch, &events, &step, status);
}

/* ---- a model that vanishes ---- */

static void
test_survives_a_model_that_shrinks (Fixture *f, gconstpointer data)
{
  Said whole, failed, again;
  Status status = { 0 };
  test_folder_copy_data (g_getenv ("GESSO_TEST_DIR"));
  g_autofree char *model = g_build_filename (g_getenv ("GESSO_DATA"), "models/gesso-mini", NULL);
  g_autofree char *weights =
      g_build_filename (model, "unet/diffusion_pytorch_model.safetensors", NULL);
  g_autofree char *bytes = NULL;
  gsize n;
  g_assert_true (g_file_get_contents (weights, &bytes, &n, NULL));
  g_assert_true (recipe_set (&f->recipe, "model", model, &status));
  guard_install ();
  said_init (&whole);
  said_init (&failed);
  said_init (&again);
  g_assert_cmpint (run (f, &whole, &status), ==, RUNNER_FINISHED);
  failed.cut = weights;
  g_assert_cmpint (run (f, &failed, &status), ==, RUNNER_FAILED);
  g_test_message ("%s", status.message);
  g_assert_cmpint (status.code, ==, STATUS_IO);
  g_assert_nonnull (strstr (status.message, "diffusion_pytorch_model.safetensors"));
  g_assert_cmpint (failed.n_pictures, ==, 0);
  g_assert_true (g_file_set_contents (weights, bytes, (gssize) n, NULL));
  g_unlink (f->journal);
  g_assert_cmpint (run (f, &again, &status), ==, RUNNER_FINISHED);
  g_assert_cmpmem (whole.rgb->data, whole.rgb->len, again.rgb->data, again.rgb->len);
  said_clear (&whole);
  said_clear (&failed);
  said_clear (&again);
}

/* ---- decoding where memory is short ---- */

static void
test_decodes_with_smaller_tiles (Fixture *f, gconstpointer data)
{
  Said s, tiled;
  Status status;
  said_init (&s);
  s.n_failures = 1;
  g_assert_cmpint (run (f, &s, &status), ==, RUNNER_FINISHED);
  g_assert_cmpint (s.n_pictures, ==, 1);
  g_assert_cmpint (s.n_notes, ==, 1);
  g_assert_nonnull (strstr (s.last_note, "192 pixels"));
  g_assert_nonnull (strstr (s.recipe, "\"vae_tile\":192"));

  said_init (&tiled); /* that recipe makes this very picture */
  f->recipe.vae_tile = 192;
  g_assert_cmpint (run (f, &tiled, &status), ==, RUNNER_FINISHED);
  g_assert_cmpint (tiled.n_notes, ==, 0);
  g_assert_cmpmem (s.rgb->data, s.rgb->len, tiled.rgb->data, tiled.rgb->len);
  said_clear (&s);
  said_clear (&tiled);
}

static void
test_decoding_that_fails_loses_nothing (Fixture *f, gconstpointer data)
{
  Said whole, failed, again;
  Status status;
  said_init (&whole);
  said_init (&failed);
  said_init (&again);
  g_assert_cmpint (run (f, &whole, &status), ==, RUNNER_FINISHED);
  failed.n_failures = 100;
  g_assert_cmpint (run (f, &failed, &status), ==, RUNNER_FAILED);
  g_assert_cmpint (status.code, ==, STATUS_NO_MEMORY);
  g_assert_cmpint (failed.n_notes, ==, 2); /* 192, 128 */
  g_assert_cmpint (failed.n_pictures, ==, 0);
  g_assert_true (g_file_test (f->journal, G_FILE_TEST_EXISTS));
  mem_fail_at (0);
  g_assert_cmpint (run (f, &again, &status), ==, RUNNER_FINISHED);
  g_assert_cmpint (again.n_notes, ==, 0);
  g_assert_cmpmem (whole.rgb->data, whole.rgb->len, again.rgb->data, again.rgb->len);
  said_clear (&whole);
  said_clear (&failed);
  said_clear (&again);
}

/* The system's own way of saying that memory is short leaves no status, only a journal. */
static int
notes_after_deaths (Fixture *f, int n_started, const char *free_mib)
{
  Said parked, s;
  Status status;
  Journal journal = { 0 };
  said_init (&parked);
  parked.n_failures = 100;
  g_assert_cmpint (run (f, &parked, &status), ==, RUNNER_FAILED);
  mem_fail_at (0);
  g_assert_cmpint (journal_read (&journal, f->journal, &status), ==, JOURNAL_READ);
  g_assert_cmpint (journal.decode_started, ==, 0);
  journal.decode_picture = 0;
  journal.decode_started = n_started;
  status = (Status){ 0 };
  g_assert_true (journal_write (&journal, f->journal, &status));
  journal_clear (&journal);
  g_setenv ("GESSO_FREE_MIB", free_mib, TRUE);
  runner_free (f->runner);
  f->runner = runner_new (f->backend, g_getenv ("GESSO_DATA"), &status);
  g_unsetenv ("GESSO_FREE_MIB");
  said_init (&s);
  g_assert_cmpint (run (f, &s, &status), ==, RUNNER_FINISHED);
  int n_notes = s.n_notes;
  said_clear (&parked);
  said_clear (&s);
  return n_notes;
}

static void
test_decoding_that_kills_gets_smaller_tiles (Fixture *f, gconstpointer data)
{
  g_assert_cmpint (notes_after_deaths (f, 1, "1"), ==, 0);
  g_assert_cmpint (notes_after_deaths (f, 2, "1"), ==, 1);
  g_assert_cmpint (notes_after_deaths (f, 3, "1"), ==, 2);
  g_assert_cmpint (notes_after_deaths (f, 3, "100000"), ==, 0); /* it was not the memory */
}

/* ---- cancelling ---- */

static struct
{
  Backend ops; /* the real one's table */
  BatchControl *control;
  int n, cancel_at, n_after; /* operators: so far; the one in which it is cancelled; begun later */
} counted;

static void
count (void)
{
  counted.n++;
  if (atomic_load (&counted.control->cancel))
    counted.n_after++;
  if (counted.n == counted.cancel_at)
    control_wish (counted.control, WISH_CANCEL);
}

static void
counted_linear (Backend *b, const LinearArgs *a)
{
  count ();
  counted.ops.ops.linear (b, a);
}

static void
counted_conv2d (Backend *b, const ConvArgs *a)
{
  count ();
  counted.ops.ops.conv2d (b, a);
}

static void
counted_attention (Backend *b, const AttentionArgs *a)
{
  count ();
  counted.ops.ops.attention (b, a);
}

static void
counted_group_norm (Backend *b, const GroupNormArgs *a)
{
  count ();
  counted.ops.ops.group_norm (b, a);
}

static void
test_cancels_within_one_operator (Fixture *f, gconstpointer data)
{
  Said s;
  Status status;
  counted.ops = *f->backend;
  f->backend->ops.linear = counted_linear;
  f->backend->ops.conv2d = counted_conv2d;
  f->backend->ops.attention = counted_attention;
  f->backend->ops.group_norm = counted_group_norm;
  f->recipe.width = f->recipe.height = 64; /* as many operators as at any size */
  said_init (&s);
  counted.control = &s.control;
  counted.n = counted.cancel_at = counted.n_after = 0;
  g_assert_cmpint (run (f, &s, &status), ==, RUNNER_FINISHED);
  int n = counted.n;
  g_test_message ("%d operators", n);
  g_assert_cmpint (n, >, 100);
  said_clear (&s);
  for (int at = 1; at <= n; at += n / 23) /* in text, steps and decoding */
    {
      said_init (&s);
      counted.control = &s.control;
      counted.n = counted.n_after = 0;
      counted.cancel_at = at;
      /* the text is remembered: a shorter run may never get there */
      RunnerEnd end = run (f, &s, &status);
      if (counted.n >= at)
        {
          g_assert_cmpint (end, ==, RUNNER_FAILED);
          g_assert_cmpint (status.code, ==, STATUS_CANCELLED);
          g_assert_cmpint (counted.n_after, ==, 0);
        }
      g_assert_false (g_file_test (f->journal, G_FILE_TEST_EXISTS));
      said_clear (&s);
    }
}

/* ---- previews ---- */

static struct
{
  BackendOps ops; /* the real one's */
  int n;
} clamped;

/* The soft clamp in front of the tiny decoder, and of nothing else. */
static void
clamped_unary (Backend *b, const UnaryArgs *a)
{
  clamped.n += a->kind == UNARY_TANH3;
  clamped.ops.unary (b, a);
}

static void
test_unwanted_previews_are_not_computed (Fixture *f, gconstpointer data)
{
  Status status;
  clamped.ops = f->backend->ops;
  f->backend->ops.unary = clamped_unary;
  for (int wanted = 0; wanted < 2; wanted++)
    {
      Said s;
      said_init (&s);
      s.wants_previews = wanted;
      clamped.n = 0;
      g_assert_cmpint (run (f, &s, &status), ==, RUNNER_FINISHED);
      g_assert_cmpint (s.n_asked, ==, STEPS);
      g_assert_cmpint (s.n_previews, ==, wanted ? STEPS : 0);
      g_assert_cmpint (clamped.n, ==, wanted ? STEPS : 0);
      said_clear (&s);
    }
}

/* ---- a warm model ---- */

/* The second job, with an adapter's weight moved, loads nothing; a third without it neither. */
static void
test_moving_a_weight_loads_nothing (Fixture *f, gconstpointer data)
{
  static const char *const lists[] = { "0.3", "0.9", NULL };
  g_autofree char *fixtures =
      g_build_filename (g_getenv ("GESSO_SOURCE"), "tests/golden/fixtures", NULL);
  g_autofree char *model = g_build_filename (fixtures, "sd15-tiny", NULL);
  g_autofree char *lora = g_build_filename (fixtures, "adapters/sd15-kohya.safetensors", NULL);
  g_autoptr (GByteArray) before = g_byte_array_new ();
  Status status = { 0 };
  recipe_set (&f->recipe, "model", model, &status);
  f->recipe.width = f->recipe.height = 48;
  for (gsize i = 0; i < G_N_ELEMENTS (lists); i++)
    {
      Said s;
      g_autofree char *list =
          lists[i] ? g_strdup_printf ("[{\"path\":\"%s\",\"weight\":%s}]", lora, lists[i])
                   : g_strdup ("[]");
      said_init (&s);
      g_assert_true (recipe_set (&f->recipe, "adapters", list, &status));
      g_assert_cmpint (run (f, &s, &status), ==, RUNNER_FINISHED);
      g_assert_cmpint (s.n_loads, ==, i == 0 ? 1 : 0);
      g_assert_false (s.rgb->len == before->len &&
                      !memcmp (s.rgb->data, before->data, before->len));
      g_byte_array_set_size (before, 0);
      g_byte_array_append (before, s.rgb->data, s.rgb->len);
      said_clear (&s);
    }
}

/* ---- the null backend ---- */

static void
test_null_takes_weighted_prompts (Fixture *f, gconstpointer data)
{
  static const char *const prompts[] = { "a (red:1.2) apple", "a [red] ((apple))" };
  for (gsize i = 0; i < G_N_ELEMENTS (prompts); i++)
    {
      Said s;
      Status status = { 0 };
      said_init (&s);
      g_assert_true (recipe_set (&f->recipe, "prompt", prompts[i], &status));
      RunnerEnd end = run (f, &s, &status);
      g_assert_cmpstr (status.message, ==, "");
      g_assert_cmpint (end, ==, RUNNER_FINISHED);
      said_clear (&s);
    }
}

/* ---- memory ---- */

/* Whichever allocation fails: an end with a sentence, nothing leaked, and the next run is well. */
static void
test_survives_each_failing_allocation (Fixture *f, gconstpointer data)
{
  enum
  {
    TRIES = 60
  };
  Said s;
  Status status;
  f->recipe.width = f->recipe.height = 64;
  said_init (&s);
  mem_fail_at (0);
  g_assert_cmpint (run (f, &s, &status), ==, RUNNER_FINISHED);
  int64_t n = mem_count ();
  said_clear (&s);
  for (int64_t nth = 1; nth <= n; nth += MAX (n / TRIES, 1))
    {
      runner_forget (f->runner);
      int64_t live = mem_live ();
      said_init (&s);
      mem_fail_at (nth);
      RunnerEnd end = run (f, &s, &status);
      mem_fail_at (0);
      if (end == RUNNER_FAILED)
        {
          g_assert_cmpint (status.code, ==, STATUS_NO_MEMORY);
          g_assert_true (g_str_has_suffix (status.message, "."));
        }
      runner_forget (f->runner);
      g_assert_cmpint (mem_live (), ==, live);
      said_clear (&s);
    }
  said_init (&s);
  g_assert_cmpint (run (f, &s, &status), ==, RUNNER_FINISHED);
  said_clear (&s);
}

/* ---- the journal ---- */

static void
test_journal_survives_a_full_disk (void)
{
  g_autofree char *path = g_build_filename (g_getenv ("GESSO_TEST_DIR"), "full.journal", NULL);
  Status status = { 0 };
  static uint8_t state[100000];
  Journal journal = { .batch = "a",
                      .recipe = (char *) "{}",
                      .step = 1,
                      .state = state,
                      .state_bytes = 1000 },
          back = { 0 };
  g_assert_true (journal_write (&journal, path, &status));
  struct rlimit unlimited, limit;
  getrlimit (RLIMIT_FSIZE, &unlimited);
  limit = unlimited;
  limit.rlim_cur = 50000;
  setrlimit (RLIMIT_FSIZE, &limit);
  signal (SIGXFSZ, SIG_IGN);
  journal.step = 2;
  journal.state_bytes = sizeof state;
  bool written = journal_write (&journal, path, &status);
  setrlimit (RLIMIT_FSIZE, &unlimited);
  g_assert_false (written);
  g_assert_cmpint (status.code, ==, STATUS_IO);
  g_assert_nonnull (strstr (status.message, "the disk is full"));
  status = (Status){ 0 };
  g_assert_cmpint (journal_read (&back, path, &status), ==, JOURNAL_READ);
  g_assert_cmpint (back.step, ==, 1);
  g_assert_cmpuint (back.state_bytes, ==, 1000);
  journal_clear (&back);
}

/* ---- time ---- */

static void
test_eta_ignores_what_disturbs (void)
{
  Eta eta = { .decode_effort = 2 };
  g_assert_cmpfloat (eta_left (&eta, 3, 1), ==, -1);
  for (int i = 0; i < 5; i++)
    eta_add_step (&eta, i == 2 ? 100 : 1);
  g_assert_cmpfloat (eta_step (&eta), ==, 1);
  g_assert_cmpfloat (eta_left (&eta, 3, 1), ==, 3 + 2);
  eta.decode = 0.5;
  g_assert_cmpfloat (eta_left (&eta, 3, 2), ==, 3 + 1);
  for (int i = 0; i < ETA_RECENT; i++)
    eta_add_step (&eta, 4); /* the machine became slower */
  g_assert_cmpfloat (eta_step (&eta), ==, 4);
  g_assert_cmpfloat (eta_left (&eta, 0, 0), ==, 0);
}

static void
test_parking_waits_for_a_step (void)
{
  BatchControl control = { 0 };
  control_set_in_steps (&control, true);
  control_wish (&control, WISH_PARK);
  g_assert_false (atomic_load (&control.cancel));
  control_set_in_steps (&control, false);
  g_assert_true (atomic_load (&control.cancel));
  BatchControl other = { 0 };
  control_set_in_steps (&other, true);
  control_wish (&other, WISH_CANCEL);
  control_wish (&other, WISH_PARK); /* no wish becomes weaker */
  g_assert_cmpint (control_get (&other), ==, WISH_CANCEL);
  g_assert_true (atomic_load (&other.cancel));
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  char *dir = test_folder_new ();
  g_test_add ("/runner/decode/smaller-tiles", Fixture, "cpu", set_up,
              test_decodes_with_smaller_tiles, tear_down);
  g_test_add ("/runner/decode/failure-loses-nothing", Fixture, "cpu", set_up,
              test_decoding_that_fails_loses_nothing, tear_down);
  g_test_add ("/runner/decode/death-means-smaller-tiles", Fixture, "null", set_up,
              test_decoding_that_kills_gets_smaller_tiles, tear_down);
  g_test_add ("/runner/cancel/within-one-operator", Fixture, "cpu", set_up,
              test_cancels_within_one_operator, tear_down);
  g_test_add ("/runner/model/moving-a-weight-loads-nothing", Fixture, "cpu", set_up,
              test_moving_a_weight_loads_nothing, tear_down);
  g_test_add ("/runner/preview/unwanted-is-not-computed", Fixture, "null", set_up,
              test_unwanted_previews_are_not_computed, tear_down);
  g_test_add ("/runner/null/weighted-prompts", Fixture, "null", set_up,
              test_null_takes_weighted_prompts, tear_down);
  g_test_add ("/runner/memory/each-allocation", Fixture, "null", set_up,
              test_survives_each_failing_allocation, tear_down);
  g_test_add ("/runner/model/shrinks", Fixture, "cpu", set_up, test_survives_a_model_that_shrinks,
              tear_down);
  g_test_add_func ("/runner/journal/full-disk", test_journal_survives_a_full_disk);
  g_test_add_func ("/runner/eta/ignores-what-disturbs", test_eta_ignores_what_disturbs);
  g_test_add_func ("/runner/control/parking-waits", test_parking_waits_for_a_step);
  int result = g_test_run ();
  test_folder_free (dir);
  return result;
}
