/* SPDX-License-Identifier: MPL-2.0
 * flux.c - what must hold for any picture drawn with FLUX.1.
 *
 * flux; GESSO_SOURCE names the source tree.  Small models with random weights, f32.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/mem.h"
#include "models/flux.h"
#include "pipelines/pipeline-private.h"
#include "support/fixtures.h"
#include "support/tap.h"

/* Layers of up to 4 rows are summed in another order than those of more. */
static const double BATCH_TOLERANCE = 1e-4;
/* After its last step a sampler's x is the network's answer but for a rounding. */
static const double KEPT_TOLERANCE = 1e-5;
/* ComfyUI's UniPC ends at sigma 0.001, not at 0, and leaves as much noise in x: up to four
 * deviations, and the latent's largest value is about 1. */
static const double KEPT_TOLERANCE_UNIPC = 5e-3;

enum
{
  STEPS = 4,
  WIDTH = 24,
  HEIGHT = 16
};

typedef struct
{
  Backend *backend;
  Pipeline *pipeline;
  uint8_t rgb[WIDTH * HEIGHT * 3], mask[WIDTH * HEIGHT];
} Suite;

static PipelineJob
small_job (const Suite *s, SamplerKind sampler, Convention convention)
{
  PipelineJob job;
  pipeline_job_defaults (pipeline_checkpoint (s->pipeline), &job);
  job.prompt = "a red fox";
  job.weighting = WEIGHTING_NONE;
  job.width = WIDTH;
  job.height = HEIGHT;
  job.steps = STEPS;
  job.seed = 17;
  job.max_tokens = 16;
  job.compute = COMPUTE_F32;
  job.sampler = sampler;
  job.convention = convention;
  job.schedule = schedule_default (sampler, convention, true);
  return job;
}

static bool
is_finite (const PipelineResult *r)
{
  for (size_t i = 0; i < n_latent (r); i++)
    if (!isfinite (r->latents[i]))
      return false;
  return true;
}

/* ---- every sampler: alone as in a batch, resumed as uninterrupted ---- */

static void
test_batch (Suite *s, SamplerKind sampler, Convention convention)
{
  char name[96];
  PipelineJob job = small_job (s, sampler, convention);
  job.batch_size = 2;
  PipelineResult both = generate_or_exit (s->pipeline, &job);
  job.batch_size = 1;
  job.seed++;
  PipelineResult alone = generate_or_exit (s->pipeline, &job);
  double off = difference (alone.latents, both.latents + n_latent (&both), n_latent (&alone));
  tap_ok (off <= BATCH_TOLERANCE && is_finite (&alone),
          sampler_case (name, sizeof name, "batch", sampler, convention), "differ by %.1e", off);
  pipeline_result_clear (&both);
  pipeline_result_clear (&alone);
}

/* Saved after each step and taken up by a run made anew, with guidance, so that two texts count. */
static void
test_resume (Suite *s, SamplerKind sampler, Convention convention)
{
  char name[96];
  Status status = { 0 };
  PipelineJob job = small_job (s, sampler, convention);
  job.guidance_scale = 2;
  job.negative_prompt = "text";
  PipelineResult whole = generate_or_exit (s->pipeline, &job);
  PipelineRun *run = new_run_or_exit (s->pipeline, &job);
  int n_steps = pipeline_run_n_steps (run);
  for (int i = 0; i < n_steps; i++)
    {
      advance_or_exit (run, 1);
      size_t n = pipeline_run_save_size (run);
      void *state = mem_calloc (n, 1);
      pipeline_run_save (run, state);
      pipeline_run_free (run);
      run = new_run_or_exit (s->pipeline, &job);
      if (!pipeline_run_restore (run, state, n, &status))
        tap_bail_out (&status);
      mem_free (state);
    }
  bool same =
      !memcmp (pipeline_run_latents (run), whole.latents, n_latent (&whole) * sizeof (float));
  tap_ok (same, sampler_case (name, sizeof name, "resume", sampler, convention), "%s", "");
  pipeline_run_free (run);
  pipeline_result_clear (&whole);
}

/* Outside the mask the start picture's latent stays. */
static void
test_inpaint (Suite *s, SamplerKind sampler, Convention convention, const char *test)
{
  char name[96];
  Status status = { 0 };
  PipelineJob job = small_job (s, sampler, convention);
  job.init_rgb = s->rgb;
  job.mask = s->mask;
  job.denoise = 0.7;
  PipelineResult r = generate_or_exit (s->pipeline, &job);
  float *z = mem_calloc (n_latent (&r), sizeof *z);
  if (!pipeline_vae_latent (s->pipeline, &job, s->rgb, NULL, HEIGHT, WIDTH, z, &status))
    tap_bail_out (&status);
  double kept = 0, painted = 0, largest = 0;
  for (size_t i = 0; i < n_latent (&r); i++)
    {
      bool right = (int) i % r.latent_width >= r.latent_width / 2;
      double off = fabs ((double) z[i] - (double) r.latents[i]);
      largest = fmax (largest, fabs ((double) z[i]));
      *(right ? &painted : &kept) = fmax (right ? painted : kept, off);
    }
  bool unipc = sampler == SAMPLER_UNIPC || sampler == SAMPLER_UNIPC_BH2;
  tap_ok (kept / largest <= (unipc ? KEPT_TOLERANCE_UNIPC : KEPT_TOLERANCE) && painted > 0.01,
          sampler_case (name, sizeof name, test, sampler, convention),
          "kept part off by %.1e, painted by %.1e", kept / largest, painted / largest);
  mem_free (z);
  pipeline_result_clear (&r);
}

static void
test_samplers (Suite *s)
{
  for (int c = 0; c < 2; c++)
    for (int k = 0; k < SAMPLER_COUNT; k++)
      if (sampler_has_flow ((SamplerKind) k, (Convention) c, false))
        {
          test_batch (s, (SamplerKind) k, (Convention) c);
          test_resume (s, (SamplerKind) k, (Convention) c);
          test_inpaint (s, (SamplerKind) k, (Convention) c, "inpaint");
        }
}

/* ---- what counts and what does not ---- */

static double
change (const Suite *s, const PipelineJob *a, const PipelineJob *b)
{
  PipelineResult x = generate_or_exit (s->pipeline, a), y = generate_or_exit (s->pipeline, b);
  double off = difference (x.latents, y.latents, n_latent (&x));
  pipeline_result_clear (&x);
  pipeline_result_clear (&y);
  return off;
}

static void
test_guidance (Suite *s)
{
  PipelineJob job = small_job (s, SAMPLER_EULER, CONVENTION_COMFYUI), other = job;
  other.negative_prompt = "anything else";
  tap_ok (change (s, &job, &other) == 0, "guidance-1/no-negative", "%s", "");
  other.guidance_scale = job.guidance_scale = 2;
  tap_ok (change (s, &job, &other) > 1e-3, "guidance-2/negative-matters", "%s", "");
  other = job;
  other.distilled_guidance = 30;
  tap_ok (change (s, &job, &other) > 1e-3, "distilled-guidance/matters", "%s", "");
  other = job;
  other.flow_shift = 0;
  tap_ok (change (s, &job, &other) > 1e-3, "shift/matters", "%s", "");
  other = job;
  other.max_tokens = 32; /* T5 reads its padding */
  tap_ok (change (s, &job, &other) > 1e-4, "tokens/matter", "%s", "");
}

/* ComfyUI pads to 256 tokens and lets longer prompts grow; a negative prompt keeps its own length.
 */
static void
test_lengths (Suite *s)
{
  char prompt[4096] = "";
  PipelineJob job = small_job (s, SAMPLER_EULER, CONVENTION_COMFYUI), fixed;
  for (int i = 0; i < 300; i++)
    strcat (prompt, "fox ");
  job.max_tokens = 0;
  fixed = job;
  fixed.max_tokens = 256;
  tap_ok (change (s, &job, &fixed) == 0, "tokens/comfyui-256", "%s", "");
  job.prompt = prompt;
  job.guidance_scale = 2;
  PipelineResult r = generate_or_exit (s->pipeline, &job);
  tap_ok (r.n_tokens[0] >= 300 && is_finite (&r), "tokens/grow", "%d tokens", r.n_tokens[0]);
  pipeline_result_clear (&r);
}

/* A latent of odd size is continued to whole tokens; the picture keeps its size. */
static void
test_odd_sizes (Suite *s)
{
  PipelineJob job = small_job (s, SAMPLER_EULER, CONVENTION_COMFYUI);
  job.width = WIDTH + 2;
  job.height = HEIGHT - 2;
  PipelineResult r = generate_or_exit (s->pipeline, &job);
  tap_ok (r.width == job.width && r.height == job.height && is_finite (&r), "odd-size", "%d x %d",
          r.latent_width, r.latent_height);
  pipeline_result_clear (&r);
}

typedef struct
{
  int n_text, n_encode, n_preview;
} Counts;

static void
count_cb (void *data, PipelinePhase phase, int done, int total)
{
  Counts *c = data;
  c->n_text += phase == PHASE_TEXT;
  c->n_encode += phase == PHASE_ENCODE;
}

/* What the reference shows counts, and it is encoded once for several jobs. */
static void
test_reference (Suite *s)
{
  uint8_t other_rgb[WIDTH * HEIGHT * 3];
  Counts counts = { 0 };
  PipelineJob job = small_job (s, SAMPLER_EULER, CONVENTION_COMFYUI), other;
  for (int i = 0; i < WIDTH * HEIGHT * 3; i++)
    other_rgb[i] = (uint8_t) (255 - s->rgb[i]);
  other = job;
  job.references[0] = (PipelineReference){ s->rgb, HEIGHT, WIDTH }; /* of another shape */
  job.n_references = 1;
  tap_ok (change (s, &job, &other) > 1e-3, "reference/matters", "%s", "");
  other = job;
  other.references[0].rgb = other_rgb;
  tap_ok (change (s, &job, &other) > 1e-3, "reference/its-pixels-matter", "%s", "");
  other = job;
  other.references[other.n_references++] = (PipelineReference){ other_rgb, WIDTH, HEIGHT };
  tap_ok (change (s, &job, &other) > 1e-3, "reference/a-second-matters", "%s", "");
  job = other;
  for (int places = REFERENCES_INDEX; places <= REFERENCES_UXO; places++)
    {
      other.reference_places = (ReferencePlaces) places;
      tap_ok (change (s, &job, &other) > 1e-4, "reference/places-matter", "%d", places);
    }
  job.progress = count_cb;
  job.data = &counts;
  PipelineResult r = generate_or_exit (s->pipeline, &job);
  tap_ok (counts.n_encode == 0, "reference/encoded-once", "%d encodings", counts.n_encode);
  pipeline_result_clear (&r);
}

/* A trace counts matrices; biases and norms are a twentieth of these small models' bytes. */
static bool
is_nearly (int64_t got, int64_t want)
{
  return got <= want && (double) got > 0.95 * (double) want;
}

/* The weights that only make modulation are planned apart, and no step's plan has them. */
static void
test_plan (Suite *s)
{
  Status status = { 0 };
  PipelinePlan plan;
  PipelineJob job = small_job (s, SAMPLER_DPMPP_SDE, CONVENTION_COMFYUI);
  job.guidance_scale = 2;
  job.references[0] = job.references[1] = (PipelineReference){ s->rgb, WIDTH, HEIGHT };
  job.n_references = 2;
  if (!pipeline_plan (s->pipeline, &job, &plan, &status))
    tap_bail_out (&status);
  const PhasePlan *denoise = &plan.phases[PHASE_DENOISE];
  const WeightSet *set = pipeline_checkpoint (s->pipeline)->weights;
  int64_t all = flux_weight_bytes (set, false);
  int64_t rest = flux_weight_bytes (set, true);
  tap_ok (is_nearly (denoise->weight_bytes, rest) &&
              is_nearly (denoise->once_weight_bytes, all - rest),
          "plan/modulation-apart", "%lld + %lld of %lld bytes", (long long) denoise->weight_bytes,
          (long long) denoise->once_weight_bytes, (long long) all);
  tap_ok (denoise->n_passes == 2 * 2 * STEPS && plan.phases[PHASE_ENCODE].n_passes == 2,
          "plan/passes", "%d passes", denoise->n_passes);
}

/* What people draw each variant with. */
static void
test_defaults (Suite *s)
{
  static const struct
  {
    FluxVariant variant;
    int steps;
    double guidance;
  } want[] = { { FLUX_DEV, 20, 3.5 }, { FLUX_SCHNELL, 4, 0 }, { FLUX_KONTEXT, 20, 2.5 },
               { FLUX_FILL, 28, 30 }, { FLUX_CANNY, 28, 30 }, { FLUX_DEPTH, 28, 10 },
               { FLUX_KREA, 28, 3.5 } };
  for (size_t i = 0; i < sizeof want / sizeof *want; i++)
    {
      char name[64];
      PipelineJob job;
      Checkpoint model = *pipeline_checkpoint (s->pipeline);
      model.config.flux.variant = want[i].variant;
      pipeline_job_defaults (&model, &job);
      snprintf (name, sizeof name, "defaults/%s", flux_variant_name (want[i].variant));
      tap_ok (job.steps == want[i].steps && job.distilled_guidance == want[i].guidance &&
                  job.guidance_scale == 1 && job.width == 1024 && job.prediction == PREDICTION_FLOW,
              name, "%d steps, guidance %g", job.steps, job.distilled_guidance);
    }
}

static void
count_pixels_cb (void *data, const uint8_t *rgb, int width, int height, int step)
{
  Counts *c = data;
  c->n_preview += width == WIDTH / 2 && height == HEIGHT / 2 && rgb[0] + rgb[1] + rgb[2] > 0;
}

static void
test_preview (Suite *s)
{
  Counts counts = { 0 };
  PipelineJob job = small_job (s, SAMPLER_EULER, CONVENTION_COMFYUI);
  job.preview = count_pixels_cb;
  job.data = &counts;
  PipelineResult r = generate_or_exit (s->pipeline, &job);
  tap_ok (counts.n_preview == STEPS, "preview/each-step", "%d", counts.n_preview);
  pipeline_result_clear (&r);
}

/* ComfyUI keeps the unmasked part with Fill, too; diffusers leaves it to the network. */
static void
test_fill_keeps (Suite *s)
{
  Suite fill = *s;
  fill.pipeline = fixture_open_or_exit ("flux-tiny-fill", s->backend);
  test_inpaint (&fill, SAMPLER_EULER, CONVENTION_COMFYUI, "fill");
  pipeline_free (fill.pipeline);
}

static void
refused (Suite *s, const char *model, const PipelineJob *job, const char *name, const char *says)
{
  PipelineResult r;
  Status status = { 0 };
  Pipeline *pipeline = model ? fixture_open_or_exit (model, s->backend) : s->pipeline;
  bool ok = pipeline_generate (pipeline, job, &r, &status);
  tap_ok (!ok && strstr (status.message, says), name, "%s", status.message);
  if (ok)
    pipeline_result_clear (&r);
  if (model)
    pipeline_free (pipeline);
}

static void
test_refusals (Suite *s)
{
  PipelineJob job = small_job (s, SAMPLER_EULER, CONVENTION_COMFYUI), bad = job;
  refused (s, "flux-tiny-fill", &job, "refused/fill-without-mask", "a mask");
  refused (s, "flux-tiny-control", &job, "refused/control-without-picture", "control picture");
  bad.control_rgb = s->rgb;
  refused (s, NULL, &bad, "refused/control-with-dev", "only FLUX.1 Canny and Depth");
  bad = job;
  bad.sampler = SAMPLER_TCD;
  refused (s, NULL, &bad, "refused/tcd", "TCD");
  bad = job;
  bad.schedule = SCHEDULE_AYS;
  refused (s, NULL, &bad, "refused/ays", "Align Your Steps");
  bad = small_job (s, SAMPLER_HEUN, CONVENTION_DIFFUSERS);
  refused (s, NULL, &bad, "refused/heun-in-diffusers", "Heun");
  bad = job;
  bad.max_tokens = 1;
  refused (s, NULL, &bad, "refused/one-token", "tokens");
  bad = job;
  bad.distilled_guidance = NAN;
  refused (s, NULL, &bad, "refused/guidance-nan", "distilled guidance");
}

static void
count_grammar (void *data, const char *note)
{
  *(int *) data += strstr (note, "AND and BREAK") != NULL;
}

/* A1111's grammar is words here, and that is said; brackets and capitals alone are no grammar. */
static void
test_grammar_is_said (Suite *s)
{
  static const struct
  {
    const char *prompt;
    bool is_grammar;
  } cases[] = {
    { "a [red:blue:0.5] fox", true },  { "a fox AND snow", true },
    { "a fox BREAK snow", true },      { "a [red] fox", false },
    { "a BREAKFAST and snow", false },
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
    {
      int said = 0;
      PipelineJob job = small_job (s, SAMPLER_EULER, CONVENTION_DIFFUSERS);
      job.prompt = cases[i].prompt;
      job.steps = 1;
      job.note = count_grammar;
      job.data = &said;
      PipelineResult r = generate_or_exit (s->pipeline, &job);
      tap_ok (said == cases[i].is_grammar, "grammar-is-said", "%s: %d notes", cases[i].prompt,
              said);
      pipeline_result_clear (&r);
    }
}

static void
test_cancel (Suite *s)
{
  atomic_bool cancel = true;
  PipelineJob job = small_job (s, SAMPLER_EULER, CONVENTION_COMFYUI);
  Status status = { 0 };
  job.prompt = "a fox nobody has encoded";
  job.cancel = &cancel;
  PipelineRun *run = pipeline_run_new (s->pipeline, &job, &status);
  tap_ok (!run && status.code == STATUS_CANCELLED, "cancel/text", "%s", status.message);
  cancel = false;
  status = (Status){ 0 };
  run = new_run_or_exit (s->pipeline, &job);
  advance_or_exit (run, 1);
  cancel = true;
  bool stopped = !pipeline_run_advance (run, &status) && status.code == STATUS_CANCELLED;
  cancel = false;
  advance_or_exit (run, STEPS - 1);
  PipelineResult whole = generate_or_exit (s->pipeline, &job);
  tap_ok (stopped && !memcmp (pipeline_run_latents (run), whole.latents,
                              n_latent (&whole) * sizeof (float)),
          "cancel/step-goes-on", "%s", "");
  pipeline_run_free (run);
  pipeline_result_clear (&whole);
}

/* A LoRA that makes a control model of dev, while it is mounted. */
static void
test_control_adapter (Suite *s)
{
  char path[2048];
  uint8_t other_rgb[WIDTH * HEIGHT * 3];
  Status status = { 0 };
  PipelinePlan plan, plain;
  PipelineAdapter adapter = { .path = path, .weight = 1 };
  snprintf (path, sizeof path, "%s/tests/golden/fixtures/adapters/flux/control.safetensors",
            source_root ());
  for (int i = 0; i < WIDTH * HEIGHT * 3; i++)
    other_rgb[i] = (uint8_t) (255 - s->rgb[i]);
  PipelineJob before = small_job (s, SAMPLER_EULER, CONVENTION_COMFYUI), job = before, other;
  PipelineResult first = generate_or_exit (s->pipeline, &before);
  job.adapters = &adapter;
  job.n_adapters = 1;
  refused (s, NULL, &job, "control-adapter/needs-a-picture", "One of the adapters");
  job.control_rgb = s->rgb;
  other = job;
  other.control_rgb = other_rgb;
  tap_ok (change (s, &job, &other) > 1e-3, "control-adapter/its-pixels-matter", "%s", "");
  adapter.weight = 0;
  PipelineResult muted = generate_or_exit (s->pipeline, &job),
                 last = generate_or_exit (s->pipeline, &before);
  tap_ok (difference (muted.latents, first.latents, n_latent (&first)) < BATCH_TOLERANCE,
          "control-adapter/muted-is-none", "%s", "");
  tap_ok (results_equal (&first, &last), "control-adapter/leaves-no-trace", "%s", "");
  other.n_references = 1;
  other.references[0] = (PipelineReference){ s->rgb, WIDTH, HEIGHT };
  refused (s, NULL, &other, "control-adapter/takes-no-reference", "reference picture");
  if (!pipeline_plan (s->pipeline, &job, &plan, &status) ||
      !pipeline_plan (s->pipeline, &before, &plain, &status))
    tap_bail_out (&status);
  tap_ok (plan.phases[PHASE_ENCODE].n_passes == 1 && plain.phases[PHASE_ENCODE].n_passes == 0 &&
              plan.adapter_bytes > 0,
          "control-adapter/is-planned", "%d encodings", plan.phases[PHASE_ENCODE].n_passes);
  pipeline_result_clear (&first);
  pipeline_result_clear (&muted);
  pipeline_result_clear (&last);
}

int
main (void)
{
  static Suite s;
  Status status = { 0 };
  for (int i = 0; i < WIDTH * HEIGHT; i++)
    {
      int x = i % WIDTH, y = i / WIDTH;
      s.mask[i] = x >= WIDTH / 2 ? 255 : 0;
      for (int k = 0; k < 3; k++)
        s.rgb[3 * i + k] = (uint8_t) (8 * x + 60 * k + 3 * y);
    }
  if (!(s.backend = backend_cpu_new (NULL, 0, &status)))
    tap_bail_out (&status);
  s.pipeline = fixture_open_or_exit ("flux-tiny", s.backend);
  test_samplers (&s);
  test_guidance (&s);
  test_lengths (&s);
  test_odd_sizes (&s);
  test_reference (&s);
  test_plan (&s);
  test_defaults (&s);
  test_preview (&s);
  test_fill_keeps (&s);
  test_refusals (&s);
  test_control_adapter (&s);
  test_grammar_is_said (&s);
  test_cancel (&s);
  pipeline_free (s.pipeline);
  backend_free (s.backend);
  return tap_end ();
}
