/* SPDX-License-Identifier: MPL-2.0
 * adapters.c - what must hold for any adapters: weights, order, steps, warm pipelines, resuming.
 *
 * adapters; GESSO_SOURCE names the source tree.  Small models with random weights, f32.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "backend/backend.h"
#include "core/mem.h"
#include "pipelines/pipeline-private.h"
#include "support/fixtures.h"
#include "support/tap.h"

/* Two adapters at w sum the same products as one at 2 w, in another order. */
static const double SUM_TOLERANCE = 1e-4;
/* Merged weights are rounded to f16, 2^-11 of each; the network of random weights multiplies that
 * in four steps.  Measured 2e-3. */
static const double MERGED_TOLERANCE = 1e-2;

enum
{
  STEPS = 4,
  SIDE = 48,
  PATH_SIZE = 2048,
  MAX_ADAPTERS = 3
};

typedef struct
{
  Backend *backend;
  Pipeline *pipeline;
  char paths[MAX_ADAPTERS][PATH_SIZE];
  PipelineAdapter adapters[MAX_ADAPTERS];
  int n_notes, width, height;
} Suite;

static void
count_note (void *data, const char *sentence)
{
  ((Suite *) data)->n_notes++;
}

static PipelineAdapter *
adapter (Suite *s, int i, const char *name, double weight, double text_weight)
{
  snprintf (s->paths[i], PATH_SIZE, "%s/tests/golden/fixtures/adapters/%s.safetensors",
            source_root (), name);
  s->adapters[i] = (PipelineAdapter){ s->paths[i], weight, text_weight };
  return &s->adapters[i];
}

static PipelineJob
job_with (Suite *s, int n_adapters)
{
  PipelineJob job;
  pipeline_job_defaults (pipeline_checkpoint (s->pipeline), &job);
  job.prompt = "a red apple";
  job.width = s->width;
  job.height = s->height;
  job.steps = STEPS;
  job.seed = 3;
  job.max_tokens = 16; /* of T5, small as the model */
  job.compute = COMPUTE_F32;
  job.adapters = s->adapters;
  job.n_adapters = n_adapters;
  job.note = count_note;
  job.data = s;
  return job;
}

/* The final latents with the suite's first @n adapters. */
static PipelineResult
draw (Suite *s, int n)
{
  PipelineJob job = job_with (s, n);
  return generate_or_exit (s->pipeline, &job);
}

static double
distance (const PipelineResult *a, const PipelineResult *b)
{
  return difference (a->latents, b->latents, n_latent (a));
}

static bool
same_bits (const PipelineResult *a, const PipelineResult *b)
{
  return memcmp (a->latents, b->latents, n_latent (a) * sizeof (float)) == 0;
}

static void
test_zero_is_none (Suite *s, const char *name)
{
  char title[96];
  PipelineResult none = draw (s, 0);
  adapter (s, 0, name, 0, 0);
  PipelineResult zero = draw (s, 1);
  adapter (s, 0, name, 0.8, 0.8);
  PipelineResult some = draw (s, 1);
  snprintf (title, sizeof title, "zero-is-none/%s", name);
  tap_ok (same_bits (&none, &zero) && distance (&none, &some) > 0.01, title,
          "0.8 changes %.2f of the largest value", distance (&none, &some));
  pipeline_result_clear (&none);
  pipeline_result_clear (&zero);
  pipeline_result_clear (&some);
}

static void
test_two_are_twice (Suite *s, const char *name)
{
  char title[96];
  adapter (s, 0, name, 0.5, 0.25);
  adapter (s, 1, name, 0.5, 0.25);
  PipelineResult two = draw (s, 2);
  adapter (s, 0, name, 1, 0.5);
  PipelineResult one = draw (s, 1);
  snprintf (title, sizeof title, "two-are-twice/%s", name);
  double off = distance (&one, &two);
  tap_ok (off <= SUM_TOLERANCE, title, "%.1e off", off);
  pipeline_result_clear (&one);
  pipeline_result_clear (&two);
}

/* Whatever weights a pipeline had before, the next job's picture is that of a new pipeline. */
static void
test_warm_is_fresh (Suite *s, const char *name)
{
  char title[96];
  static const double before[][2] = { { 1, 1 }, { 0, 0 }, { -0.7, 0.2 } };
  for (size_t i = 0; i < sizeof before / sizeof *before; i++)
    {
      adapter (s, 0, name, before[i][0], before[i][1]);
      PipelineResult r = draw (s, 1);
      pipeline_result_clear (&r);
    }
  adapter (s, 0, name, 0.6, 0.9);
  PipelineResult warm = draw (s, 1);
  Pipeline *p = fixture_open_or_exit ("sd15-tiny", s->backend);
  PipelineJob job = job_with (s, 1);
  PipelineResult fresh = generate_or_exit (p, &job);
  snprintf (title, sizeof title, "warm-is-fresh/%s", name);
  tap_ok (same_bits (&warm, &fresh), title, "%.1e off", distance (&fresh, &warm));
  pipeline_result_clear (&warm);
  pipeline_result_clear (&fresh);
  pipeline_free (p);
}

/* The text's weight alone moves: a cached encoding of the same words must not be taken. */
static void
test_text_weight_counts (Suite *s)
{
  adapter (s, 0, "sd15-kohya", 0, 1);
  PipelineResult one = draw (s, 1);
  adapter (s, 0, "sd15-kohya", 0, 0);
  PipelineResult none = draw (s, 1);
  tap_ok (distance (&one, &none) > 1e-3, "text-weight-counts", "%.1e apart",
          distance (&one, &none));
  pipeline_result_clear (&one);
  pipeline_result_clear (&none);
}

static void
test_steps (Suite *s)
{
  PipelineAdapter *a = adapter (s, 0, "sd15-kohya", 0.7, 0);
  PipelineResult plain = draw (s, 1);
  a->n_points = 2;
  a->points[0].weight = a->points[1].weight = 0.7;
  a->points[1].at = 1;
  PipelineResult curve = draw (s, 1);
  tap_ok (same_bits (&plain, &curve), "flat-curve-is-weight", "%s", "");
  pipeline_result_clear (&curve);
  a->n_points = 0;
  a->first_step = 1;
  a->last_step = STEPS;
  PipelineResult whole = draw (s, 1);
  tap_ok (same_bits (&plain, &whole), "all-steps-are-no-range", "%s", "");
  pipeline_result_clear (&whole);
  a->first_step = STEPS + 1;
  a->last_step = 0;
  PipelineResult late = draw (s, 1), none = draw (s, 0);
  tap_ok (same_bits (&late, &none), "too-late-is-none", "%s", "");
  a->first_step = 2;
  PipelineResult half = draw (s, 1);
  tap_ok (distance (&half, &none) > 1e-3 && distance (&half, &plain) > 1e-3, "a-part-is-between",
          "%s", "");
  pipeline_result_clear (&half);
  pipeline_result_clear (&late);
  pipeline_result_clear (&none);
  pipeline_result_clear (&plain);
}

static void
advance (PipelineRun *run)
{
  Status status = { 0 };
  if (!pipeline_run_advance (run, &status))
    tap_bail_out (&status);
}

/* What a run keeps from step to step (keys of the prompt, modulation) follows weights that move,
 * block weights, and a prompt that changes: as in a run that keeps nothing. */
static void
test_kept_follows (Suite *s, const char *name, bool has_blocks)
{
  Status status = { 0 };
  char title[96];
  PipelineAdapter *a = adapter (s, 0, name, 1, 0);
  a->n_points = 2;
  a->points[0].weight = -1;
  a->points[1].at = a->points[1].weight = 1;
  a->has_blocks = has_blocks;
  for (int i = 0; i < ADAPTER_BLOCK_COUNT; i++)
    a->blocks[i] = 0.5 + 0.01 * i;
  PipelineJob job = job_with (s, 1);
  job.prompt = "a [red:green:0.5] apple";
  PipelineRun *whole = pipeline_run_new (s->pipeline, &job, &status);
  PipelineRun *parked = pipeline_run_new (s->pipeline, &job, &status);
  if (!whole || !parked)
    tap_bail_out (&status);
  while (pipeline_run_step (whole) < STEPS)
    advance (whole);
  while (pipeline_run_step (parked) < STEPS)
    {
      pipeline_run_park (parked);
      advance (parked);
    }
  size_t n = n_latent (pipeline_run_result (whole));
  const float *x = pipeline_run_latents (whole), *y = pipeline_run_latents (parked);
  snprintf (title, sizeof title, "kept-follows/%s/%d", name, has_blocks);
  tap_ok (memcmp (x, y, n * sizeof *x) == 0, title, "%.1e off", difference (x, y, n));
  pipeline_run_free (whole);
  pipeline_run_free (parked);
}

/* A run under way, another with other adapters in front of it, then on. */
static void
test_interleaved (Suite *s)
{
  Status status = { 0 };
  adapter (s, 0, "sd15-kohya", 0.7, 0.7);
  PipelineJob job = job_with (s, 1);
  PipelineResult alone = generate_or_exit (s->pipeline, &job);
  PipelineRun *run = pipeline_run_new (s->pipeline, &job, &status);
  if (!run || !pipeline_run_advance (run, &status))
    tap_bail_out (&status);
  adapter (s, 1, "loha", 1, 1);
  PipelineJob other = job_with (s, 2);
  other.seed = 99;
  PipelineResult r = generate_or_exit (s->pipeline, &other);
  pipeline_result_clear (&r);
  other.n_adapters = 0;
  r = generate_or_exit (s->pipeline, &other);
  pipeline_result_clear (&r);
  while (pipeline_run_step (run) < STEPS)
    if (!pipeline_run_advance (run, &status))
      tap_bail_out (&status);
  bool same =
      memcmp (alone.latents, pipeline_run_latents (run), n_latent (&alone) * sizeof (float)) == 0;
  tap_ok (same, "interleaved-is-alone", "%s", "");
  pipeline_run_free (run);
  pipeline_result_clear (&alone);
}

static int n_forgotten;

static void
count_forget (Device *d)
{
  n_forgotten++;
}

/* A job of its weights: mounted, moved, taken off.  Returns: how often a device that has copies of
 * parameters would have had to forget them */
static int
forgets (Suite *s, const char *name)
{
  static const DeviceMemory counting = { .forget = count_forget };
  Device *device = (Device *) s->backend;
  Status status = { 0 };
  adapter (s, 0, name, 0.5, 0.5);
  PipelineJob job = job_with (s, 1);
  PipelineResult first = generate_or_exit (s->pipeline, &job);
  pipeline_result_clear (&first);
  n_forgotten = 0;
  device->memory = &counting; /* nothing is computed meanwhile */
  AdapterSet *set = adapter_set_get (s->pipeline, &job, &status);
  bool ok = set != NULL;
  for (int i = 0; ok && i < 3; i++)
    {
      s->adapters[0].weight = 0.6 + 0.1 * i;
      ok = adapter_set_use (s->pipeline, set, s->adapters, 0, STEPS, NULL, &status) &&
           adapter_set_use (s->pipeline, NULL, NULL, 0, 1, NULL, &status);
    }
  device->memory = NULL;
  if (!ok)
    tap_bail_out (&status);
  adapter_set_release (set);
  return n_forgotten;
}

/* A warm pipeline's next job with another weight opens no file, makes no factors and leaves a
 * device's copies of the model alone; merged kinds and biases change, so that a device forgets. */
static void
test_moving_reloads_nothing (Suite *s)
{
  Status status = { 0 };
  adapter (s, 0, "sd15-kohya", 0.5, 0.5);
  PipelineJob job = job_with (s, 1);
  PipelineResult first = generate_or_exit (s->pipeline, &job);
  const AdapterSet *set = s->pipeline->last_set;
  PipelinePlan plan;
  s->adapters[0].weight = 0.9;
  bool planned = pipeline_plan (s->pipeline, &job, &plan, &status);
  PipelineResult moved = generate_or_exit (s->pipeline, &job);
  tap_ok (planned && set && set == s->pipeline->last_set && !same_bits (&first, &moved),
          "moving-keeps-the-set", "%s", status.message);
  int beside = forgets (s, "sd15-kohya"), merged = forgets (s, "lokr-both");
  int bias = forgets (s, "lora-bias"); /* a side path's bias is summed anew */
  tap_ok (beside == 0 && merged == 3 && bias == 3, "moving-forgets-nothing",
          "%d, merged %d, with a bias %d", beside, merged, bias);
  pipeline_result_clear (&first);
  pipeline_result_clear (&moved);
}

/* A saved run goes on only with the same adapters at the same weights. */
static void
test_resumed (Suite *s)
{
  Status status = { 0 };
  adapter (s, 0, "sd15-kohya", 0.7, 0.7);
  PipelineJob job = job_with (s, 1);
  PipelineResult alone = generate_or_exit (s->pipeline, &job);
  PipelineRun *run = pipeline_run_new (s->pipeline, &job, &status);
  if (!run || !pipeline_run_advance (run, &status))
    tap_bail_out (&status);
  size_t n = pipeline_run_save_size (run);
  void *state = mem_calloc (1, n);
  pipeline_run_save (run, state);
  pipeline_run_free (run);
  s->adapters[0].weight = 0.6;
  run = pipeline_run_new (s->pipeline, &job, &status);
  bool refused = run && !pipeline_run_restore (run, state, n, &status);
  tap_ok (refused && status.code == STATUS_FORMAT, "another-weight-is-another-run", "%s",
          status.message);
  pipeline_run_free (run);
  status = (Status){ 0 };
  s->adapters[0].weight = 0.7;
  run = pipeline_run_new (s->pipeline, &job, &status);
  if (!run || !pipeline_run_restore (run, state, n, &status))
    tap_bail_out (&status);
  while (pipeline_run_step (run) < STEPS)
    if (!pipeline_run_advance (run, &status))
      tap_bail_out (&status);
  bool same =
      memcmp (alone.latents, pipeline_run_latents (run), n_latent (&alone) * sizeof (float)) == 0;
  tap_ok (same, "resumed-is-uninterrupted", "%s", "");
  mem_free (state);
  pipeline_run_free (run);
  pipeline_result_clear (&alone);
}

static void
test_plan (Suite *s)
{
  Status status = { 0 };
  PipelinePlan plain, with;
  adapter (s, 0, "sd15-kohya", 0, 0);
  adapter (s, 1, "loha", 0.5, 0.5);
  PipelineJob job = job_with (s, 0), more = job_with (s, 2);
  if (!pipeline_plan (s->pipeline, &job, &plain, &status) ||
      !pipeline_plan (s->pipeline, &more, &with, &status))
    tap_bail_out (&status);
  const PhasePlan *a = &plain.phases[PHASE_DENOISE], *b = &with.phases[PHASE_DENOISE];
  int more_ops = b->n_ops - a->n_ops; /* three for each layer whose path runs beside it */
  tap_ok (plain.adapter_bytes == 0 && with.adapter_bytes > 0 && b->flops > a->flops &&
              more_ops >= 0 && more_ops % 3 == 0 && more_ops <= 3 * 12,
          "plan-counts-adapters", "%d operators, %d with 12 layers adapted", a->n_ops, b->n_ops);
}

static void
test_wrong_file (Suite *s)
{
  Status status = { 0 };
  PipelineResult r;
  adapter (s, 0, "sd15-kohya", 1, 1);
  adapter (s, 1, "sdxl-kohya", 1, 1);
  PipelineJob job = job_with (s, 2);
  bool ok = pipeline_generate (s->pipeline, &job, &r, &status);
  tap_ok (!ok && strstr (status.message, "is an adapter for SDXL"), "wrong-model-is-refused", "%s",
          status.message);
  PipelineResult after = draw (s, 1), again = draw (s, 1);
  tap_ok (same_bits (&after, &again), "and-nothing-is-harmed", "%s", "");
  pipeline_result_clear (&after);
  pipeline_result_clear (&again);
}

/* An embedding of the words "red apple" stands for them, to the bit. */
static void
test_embedding (Suite *s, const char *model, const char *file, PromptWeighting weighting)
{
  char path[PATH_SIZE], title[160];
  const char *bundle = strstr (file, "bundle") ? "fruit" : NULL;
  const PipelineEmbedding embedding = { "fruit", path, bundle };
  const char *words =
      weighting == WEIGHTING_COMFYUI ? "a embedding:fruit, on a table" : "a fruit, on a table";
  Pipeline *p = fixture_open_or_exit (model, s->backend);
  Pipeline *before = s->pipeline;
  s->pipeline = p;
  PipelineJob job = job_with (s, 0);
  job.width = job.height = 16;
  job.steps = 2;
  job.weighting = weighting;
  snprintf (path, sizeof path, "%s/tests/golden/fixtures/adapters/embeddings/%s", source_root (),
            file);
  job.prompt = "a red apple, on a table";
  PipelineResult plain = generate_or_exit (p, &job);
  job.prompt = words;
  PipelineResult without = generate_or_exit (p, &job);
  job.embeddings = &embedding;
  job.n_embeddings = 1;
  PipelineResult with = generate_or_exit (p, &job);
  snprintf (title, sizeof title, "embedding-is-its-words/%s/%s/%d", model, file, weighting);
  tap_ok (same_bits (&plain, &with) && !same_bits (&plain, &without), title, "%s", "");
  pipeline_result_clear (&plain);
  pipeline_result_clear (&without);
  pipeline_result_clear (&with);
  pipeline_free (p);
  s->pipeline = before;
}

static void
test_embeddings (Suite *s)
{
  static const char *const files[] = { "fruit-a1111.pt", "fruit-diffusers.bin",
                                       "fruit-params.safetensors", "fruit-list.pt",
                                       "bundle-sd15.safetensors" };
  for (size_t i = 0; i < sizeof files / sizeof *files; i++)
    test_embedding (s, "sd15-tiny", files[i], WEIGHTING_A1111);
  test_embedding (s, "sd15-tiny", files[0], WEIGHTING_COMFYUI);
  test_embedding (s, "sdxl-tiny", "fruit-xl.safetensors", WEIGHTING_A1111);
  test_embedding (s, "sdxl-tiny", "bundle-sdxl.safetensors", WEIGHTING_A1111);
  test_embedding (s, "sdxl-tiny", "fruit-xl.safetensors", WEIGHTING_COMFYUI);
}

static void
test_wrong_embedding (Suite *s)
{
  char path[PATH_SIZE];
  Status status = { 0 };
  PipelineResult r;
  const PipelineEmbedding embedding = { "fruit", path, NULL };
  Pipeline *p = fixture_open_or_exit ("sdxl-tiny", s->backend), *before = s->pipeline;
  s->pipeline = p;
  PipelineJob job = job_with (s, 0);
  job.embeddings = &embedding;
  job.n_embeddings = 1;
  snprintf (path, sizeof path,
            "%s/tests/golden/fixtures/adapters/embeddings/fruit-params.safetensors",
            source_root ());
  bool ok = pipeline_generate (p, &job, &r, &status);
  tap_ok (!ok && strstr (status.message, "has vectors of 32 values, which SDXL does not take"),
          "wrong-width-is-refused", "%s", status.message);
  s->pipeline = before;
  pipeline_free (p);
}

/* FLUX.1: a LoRA under fused and under split names is one and the same; merged by torch, the same
 * but for the rounding of the merged weights to f16. */
static void
test_flux (Suite *s)
{
  Pipeline *p = fixture_open_or_exit ("flux-tiny", s->backend), *before = s->pipeline;
  s->pipeline = p;
  s->width = s->height = 32;
  PipelineResult none = draw (s, 0);
  adapter (s, 0, "flux-kohya", 0, 0);
  PipelineResult zero = draw (s, 1);
  tap_ok (same_bits (&none, &zero), "flux/zero-is-none", "%s", "");
  adapter (s, 0, "flux-kohya", 0.7, 0);
  PipelineResult fused = draw (s, 1);
  adapter (s, 0, "flux-peft", 0.7, 0);
  PipelineResult split = draw (s, 1);
  adapter (s, 0, "flux-diff", 0.7, 0);
  PipelineResult merged = draw (s, 1);
  tap_ok (same_bits (&fused, &split) && distance (&none, &split) > 0.01, "flux/fused-is-split",
          "%.1e off, %.2f from none", distance (&fused, &split), distance (&none, &split));
  tap_ok (distance (&split, &merged) <= MERGED_TOLERANCE, "flux/beside-is-merged", "%.1e off",
          distance (&split, &merged));
  PipelineAdapter *a = adapter (s, 0, "flux-peft", 0.7, 0);
  a->n_points = 2; /* the modulation, computed for all steps at once, must follow */
  a->points[1].at = 1;
  PipelineResult beside = draw (s, 1);
  a = adapter (s, 0, "flux-diff", 0.7, 0);
  a->n_points = 2;
  a->points[1].at = 1;
  a->points[0].weight = a->points[1].weight = 0;
  s->adapters[0].points[0].weight = 0;
  PipelineResult off = draw (s, 1);
  tap_ok (same_bits (&off, &none) && same_bits (&beside, &none), "flux/curve-of-zeros-is-none",
          "%s", "");
  test_kept_follows (s, "flux-peft", false);
  test_kept_follows (s, "flux-diff", false);
  pipeline_result_clear (&none);
  pipeline_result_clear (&zero);
  pipeline_result_clear (&fused);
  pipeline_result_clear (&split);
  pipeline_result_clear (&merged);
  pipeline_result_clear (&beside);
  pipeline_result_clear (&off);
  pipeline_free (p);
  s->pipeline = before;
}

int
main (void)
{
  static const char *const names[] = { "sd15-kohya", "locon-tucker", "lora-bias",
                                       "loha",       "lokr-w2",      "dora-out",
                                       "oft",        "full",         "boft-rescaled" };
  Suite s = { .width = SIDE, .height = SIDE };
  Status status = { 0 };
  if (!(s.backend = backend_cpu_new (NULL, 0, &status)))
    tap_bail_out (&status);
  s.pipeline = fixture_open_or_exit ("sd15-tiny", s.backend);
  for (size_t i = 0; i < sizeof names / sizeof *names; i++)
    {
      test_zero_is_none (&s, names[i]);
      test_warm_is_fresh (&s, names[i]);
    }
  test_two_are_twice (&s, "sd15-kohya");
  test_two_are_twice (&s, "locon-tucker");
  test_two_are_twice (&s, "rslora");
  test_text_weight_counts (&s);
  test_steps (&s);
  test_kept_follows (&s, "sd15-kohya", false);
  test_kept_follows (&s, "sd15-kohya", true);
  test_kept_follows (&s, "lokr-both", false);
  test_kept_follows (&s, "lokr-both", true);
  test_interleaved (&s);
  test_moving_reloads_nothing (&s);
  test_resumed (&s);
  test_plan (&s);
  test_wrong_file (&s);
  test_embeddings (&s);
  test_wrong_embedding (&s);
  test_flux (&s);
  pipeline_free (s.pipeline);
  backend_free (s.backend);
  return tap_end ();
}
