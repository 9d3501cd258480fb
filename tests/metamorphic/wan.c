/* SPDX-License-Identifier: MPL-2.0
 * wan.c - what must hold for any clip made with Wan.
 *
 * wan; GESSO_SOURCE names the source tree.  Small models with random weights, f32.
 */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "core/mem.h"
#include "models/wan-vae.h"
#include "pipelines/pipeline-private.h"
#include "support/fixtures.h"
#include "support/tap.h"

/* Clips of a batch are made one after the other: nothing may differ but a sampler's own sums. */
static const double BATCH_TOLERANCE = 1e-6;

enum
{
  STEPS = 4,
  WIDTH = 48,
  HEIGHT = 32,
  FRAMES = 9,
  LATENT_FRAMES = 3
};

typedef struct
{
  Backend *backend;
  Pipeline *experts, *i2v, *ti2v; /* wan-tiny: two experts; the others one task each */
  uint8_t rgb[WIDTH * HEIGHT * 3];
} Suite;

static PipelineJob
small_job (const Pipeline *pipeline, SamplerKind sampler, Convention convention)
{
  PipelineJob job;
  pipeline_job_defaults (pipeline_checkpoint (pipeline), &job);
  job.prompt = "a red fox";
  job.weighting = WEIGHTING_NONE;
  job.width = WIDTH;
  job.height = HEIGHT;
  job.n_frames = FRAMES;
  job.steps = STEPS;
  job.seed = 17;
  job.shift = 8;
  job.max_tokens = 16;
  job.compute = COMPUTE_F32;
  job.sampler = sampler;
  job.convention = convention;
  job.schedule = schedule_default (sampler, convention, true);
  return job;
}

static PipelineResult
generate (Pipeline *pipeline, const PipelineJob *job)
{
  PipelineResult r;
  Status status = { 0 };
  if (!pipeline_generate (pipeline, job, &r, &status))
    tap_bail_out (&status);
  return r;
}

static PipelineRun *
new_run (Pipeline *pipeline, const PipelineJob *job)
{
  Status status = { 0 };
  PipelineRun *run = pipeline_run_new (pipeline, job, &status);
  if (!run)
    tap_bail_out (&status);
  return run;
}

static void
advance (PipelineRun *run, int n)
{
  Status status = { 0 };
  for (int i = 0; i < n; i++)
    if (!pipeline_run_advance (run, &status))
      tap_bail_out (&status);
}

static const char *
sampler_case (char *out, size_t size, const char *test, SamplerKind sampler, Convention convention)
{
  snprintf (out, size, "%s/%s/%s", test,
            convention == CONVENTION_DIFFUSERS ? "diffusers" : "comfyui", sampler_name (sampler));
  return out;
}

/* ---- every sampler: alone as in a batch, resumed as uninterrupted ---- */

static void
test_batch (Suite *s, SamplerKind sampler, Convention convention)
{
  char name[96];
  PipelineJob job = small_job (s->experts, sampler, convention);
  job.batch_size = 2;
  PipelineResult both = generate (s->experts, &job);
  job.batch_size = 1;
  job.seed++;
  PipelineResult alone = generate (s->experts, &job);
  double off = difference (alone.latents, both.latents + n_latent (&both), n_latent (&alone));
  tap_ok (off <= BATCH_TOLERANCE, sampler_case (name, sizeof name, "batch", sampler, convention),
          "differ by %.1e", off);
  pipeline_result_clear (&both);
  pipeline_result_clear (&alone);
}

/* Saved after each step and taken up by a run made anew: on both sides of the experts' boundary. */
static void
test_resume (Suite *s, SamplerKind sampler, Convention convention)
{
  char name[96];
  Status status = { 0 };
  PipelineJob job = small_job (s->experts, sampler, convention);
  PipelineResult whole = generate (s->experts, &job);
  PipelineRun *run = new_run (s->experts, &job);
  int n_steps = pipeline_run_n_steps (run);
  for (int i = 0; i < n_steps; i++)
    {
      advance (run, 1);
      size_t n = pipeline_run_save_size (run);
      void *state = mem_calloc (n, 1);
      pipeline_run_save (run, state);
      pipeline_run_free (run);
      run = new_run (s->experts, &job);
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

static void
test_samplers (Suite *s)
{
  for (int c = 0; c < 2; c++)
    for (int k = 0; k < SAMPLER_COUNT; k++)
      if (sampler_has_flow ((SamplerKind) k, (Convention) c, true))
        {
          test_batch (s, (SamplerKind) k, (Convention) c);
          test_resume (s, (SamplerKind) k, (Convention) c);
        }
}

/* ---- what counts and what does not ---- */

static double
change (Pipeline *pipeline, const PipelineJob *a, const PipelineJob *b)
{
  PipelineResult x = generate (pipeline, a), y = generate (pipeline, b);
  double off = difference (x.latents, y.latents, n_latent (&x));
  pipeline_result_clear (&x);
  pipeline_result_clear (&y);
  return off;
}

/* Each expert has the guidance that is meant for it; a boundary beyond the levels asks one only:
 * UniPC's first timestep is 999, Euler's 1000 would still be the first's. */
static void
test_experts (Suite *s)
{
  PipelineJob job = small_job (s->experts, SAMPLER_UNIPC_BH2, CONVENTION_DIFFUSERS), other = job;
  other.guidance_scale_2 = 9;
  tap_ok (change (s->experts, &job, &other) > 0, "experts/second-guidance-counts", "%s", "");
  job.boundary = other.boundary = 0;
  tap_ok (change (s->experts, &job, &other) == 0, "experts/high-alone", "%s", "");
  other = job;
  other.boundary = 1;
  tap_ok (change (s->experts, &job, &other) > 0, "experts/differ", "%s", "");
  job = other;
  other.guidance_scale = 9;
  double off = change (s->experts, &job, &other);
  tap_ok (off == 0, "experts/low-alone", "first guidance changes %.1e", off);
}

static void
test_numbers (Suite *s)
{
  PipelineJob job = small_job (s->ti2v, SAMPLER_UNIPC_BH2, CONVENTION_DIFFUSERS), other = job;
  other.fps = 60;
  tap_ok (change (s->ti2v, &job, &other) == 0, "fps/changes-nothing", "%s", "");
  other = job;
  other.shift = 3;
  tap_ok (change (s->ti2v, &job, &other) > 0, "shift/counts", "%s", "");
  other = job;
  other.prompt = " a  red\tfox\n";
  tap_ok (change (s->ti2v, &job, &other) == 0, "prompt/cleaned", "%s", "");
  job.convention = other.convention = CONVENTION_COMFYUI;
  job.schedule = other.schedule = schedule_default (job.sampler, job.convention, true);
  job.prompt = "fox &amp; snow";
  other.prompt = "fox & snow";
  tap_ok (change (s->ti2v, &job, &other) > 0, "prompt/comfyui-takes-it-as-it-is", "%s", "");
}

/* Where a first frame has a time of its own, its latent is in the result as it was encoded. */
static void
test_first_frame (Suite *s)
{
  PipelineJob job = small_job (s->ti2v, SAMPLER_UNIPC_BH2, CONVENTION_DIFFUSERS);
  Status status = { 0 };
  float *first = NULL;
  job.first_rgb = s->rgb;
  PipelineResult r = generate (s->ti2v, &job);
  if (!s->ti2v->family->make_extra (s->ti2v, &job, NULL, &first, &status))
    tap_bail_out (&status);
  size_t n = (size_t) r.latent_width * (size_t) r.latent_height;
  bool same = true;
  for (size_t c = 0; c < (size_t) r.latent_channels; c++)
    same &= !memcmp (r.latents + c * LATENT_FRAMES * n, first + c * n, n * sizeof *first);
  tap_ok (same && r.latent_frames == LATENT_FRAMES, "first-frame/kept", "%s", "");
  PipelineJob other = job;
  other.first_rgb = NULL;
  tap_ok (change (s->ti2v, &job, &other) > 0, "first-frame/counts", "%s", "");
  mem_free (first);
  pipeline_result_clear (&r);
}

static void
test_last_frame (Suite *s)
{
  PipelineJob job = small_job (s->i2v, SAMPLER_EULER, CONVENTION_DIFFUSERS), other = job;
  job.first_rgb = other.first_rgb = s->rgb;
  other.last_rgb = s->rgb;
  tap_ok (change (s->i2v, &job, &other) > 0, "last-frame/counts", "%s", "");
  job = other;
  other.first_rgb = NULL;
  tap_ok (change (s->i2v, &job, &other) > 0, "last-frame/alone", "%s", "");
}

/* ---- frames ---- */

typedef struct
{
  const uint8_t *want; /* (FRAMES, HEIGHT, WIDTH, 3) */
  int next, stop_at;
  bool same;
} Taken;

static bool
take_cb (void *data, const uint8_t *rgb, int first, int n, Status *status)
{
  Taken *t = data;
  size_t bytes = (size_t) WIDTH * HEIGHT * 3;
  t->same &=
      first == t->next && !memcmp (rgb, t->want + (size_t) first * bytes, (size_t) n * bytes);
  t->next += n;
  return t->next < t->stop_at || status_fail (status, STATUS_IO, "The disk is full.");
}

static void
test_frames (Suite *s)
{
  PipelineJob job = small_job (s->ti2v, SAMPLER_EULER, CONVENTION_DIFFUSERS);
  Status status = { 0 };
  PipelineResult r = generate (s->ti2v, &job);
  PipelineRun *run = new_run (s->ti2v, &job);
  Taken t = { .want = r.rgb, .stop_at = FRAMES + 1, .same = true };
  const FrameSink sink = { take_cb, &t };
  tap_ok (!pipeline_run_decode_clip (run, 0, -1, &sink, &status), "frames/not-before-the-end", "%s",
          status.message);
  advance (run, STEPS);
  status = (Status){ 0 };
  bool ok = pipeline_run_decode_clip (run, 0, -1, &sink, &status);
  tap_ok (ok && t.same && t.next == FRAMES, "frames/in-order", "%d of them", t.next);
  t.next = 0;
  t.stop_at = 3;
  ok = pipeline_run_decode_clip (run, 0, -1, &sink, &status);
  tap_ok (!ok && status.code == STATUS_IO && t.next == 3, "frames/sink-stops", "%s",
          status.message);
  status = (Status){ 0 };
  t.next = 0;
  t.stop_at = FRAMES + 1;
  ok = pipeline_run_decode_clip (run, 0, -1, &sink, &status);
  tap_ok (ok && t.same && t.next == FRAMES, "frames/again-after-that", "%d of them", t.next);
  uint8_t picture[WIDTH * HEIGHT * 3];
  ok = pipeline_run_decode (run, 0, -1, picture, &status);
  tap_ok (!ok && strstr (status.message, "clips"), "frames/no-picture", "%s", status.message);
  pipeline_run_free (run);
  pipeline_result_clear (&r);
}

/* ---- going on from a clip ---- */

/* The overlap is what it was, and only frames behind it come; with another overlap, more of them
 * are kept. */
static void
extend (Pipeline *pipeline, const char *name, int overlap)
{
  PipelineJob job = small_job (pipeline, SAMPLER_UNIPC_BH2, CONVENTION_DIFFUSERS);
  PipelineResult before = generate (pipeline, &job);
  size_t n = (size_t) before.latent_width * (size_t) before.latent_height;
  job.seed++;
  PipelineResult other = generate (pipeline, &job);
  job.before = before.latents;
  job.n_before = LATENT_FRAMES;
  job.n_overlap = overlap;
  PipelineResult r = generate (pipeline, &job);
  bool kept = true;
  for (size_t c = 0; c < (size_t) r.latent_channels; c++)
    kept &= !memcmp (r.latents + c * LATENT_FRAMES * n,
                     before.latents + ((c + 1) * LATENT_FRAMES - (size_t) overlap) * n,
                     (size_t) overlap * n * sizeof *r.latents);
  double off = difference (r.latents, other.latents, n_latent (&r));
  tap_ok (kept && off > 0 && r.n_frames == 4 * (LATENT_FRAMES - overlap), name,
          "%d frames, unlike a clip of its own by %.2f", r.n_frames, off);
  pipeline_result_clear (&before);
  pipeline_result_clear (&other);
  pipeline_result_clear (&r);
}

/* Frames behind the join are those of both latents decoded as one clip. */
static void
test_join (Suite *s)
{
  PipelineJob job = small_job (s->ti2v, SAMPLER_EULER, CONVENTION_DIFFUSERS);
  Status status = { 0 };
  PipelineResult before = generate (s->ti2v, &job);
  size_t n = (size_t) before.latent_width * (size_t) before.latent_height;
  job.before = before.latents;
  job.n_before = LATENT_FRAMES;
  job.n_overlap = 1;
  PipelineResult r = generate (s->ti2v, &job);
  enum
  {
    JOINED = 2 * LATENT_FRAMES - 1
  };
  float *joined = mem_calloc ((size_t) r.latent_channels * JOINED * n, sizeof *joined);
  for (size_t c = 0; c < (size_t) r.latent_channels; c++)
    {
      memcpy (joined + c * JOINED * n, before.latents + c * LATENT_FRAMES * n,
              LATENT_FRAMES * n * sizeof *joined);
      memcpy (joined + (c * JOINED + LATENT_FRAMES) * n, r.latents + (c * LATENT_FRAMES + 1) * n,
              (LATENT_FRAMES - 1) * n * sizeof *joined);
    }
  size_t bytes = (size_t) WIDTH * HEIGHT * 3;
  uint8_t *want = mem_calloc ((4 * (JOINED - 1) + 1) * bytes, 1);
  memcpy (want, before.rgb, FRAMES * bytes);
  memcpy (want + FRAMES * bytes, r.rgb, (size_t) r.n_frames * bytes);
  PipelineJob whole = small_job (s->ti2v, SAMPLER_EULER, CONVENTION_DIFFUSERS);
  whole.n_frames = 4 * (JOINED - 1) + 1;
  Taken t = { .want = want, .stop_at = whole.n_frames + 1, .same = true };
  const FrameSink sink = { take_cb, &t };
  bool ok = s->ti2v->family->decode (s->ti2v, &whole, joined, -1, &sink, &status);
  tap_ok (ok && t.same && t.next == whole.n_frames, "extend/as-one-clip", "%d frames", t.next);
  mem_free (joined);
  mem_free (want);
  pipeline_result_clear (&before);
  pipeline_result_clear (&r);
}

static void
test_extend (Suite *s)
{
  extend (s->ti2v, "extend/times", 1);
  extend (s->ti2v, "extend/times-of-two", 2);
  extend (s->experts, "extend/noised", 1);
  extend (s->experts, "extend/noised-two", 2);
  test_join (s);
}

/* ---- what is told on the way ---- */

typedef struct
{
  int n_preview, n_steps, n_chunks;
} Counts;

static void
preview_cb (void *data, const uint8_t *rgb, int n_frames, int width, int height, int step)
{
  Counts *c = data;
  c->n_preview += n_frames == LATENT_FRAMES && width == WIDTH / 8 && height == HEIGHT / 8;
}

static void
progress_cb (void *data, PipelinePhase phase, int done, int total)
{
  Counts *c = data;
  c->n_steps += phase == PHASE_DENOISE;
  c->n_chunks += phase == PHASE_DECODE;
}

static void
test_told (Suite *s)
{
  Counts counts = { 0 };
  PipelineJob job = small_job (s->ti2v, SAMPLER_EULER, CONVENTION_DIFFUSERS);
  job.preview_clip = preview_cb;
  job.progress = progress_cb;
  job.data = &counts;
  PipelineResult r = generate (s->ti2v, &job);
  tap_ok (counts.n_preview == STEPS, "preview/moves", "%d", counts.n_preview);
  tap_ok (counts.n_steps == STEPS && counts.n_chunks == LATENT_FRAMES, "progress",
          "%d steps, %d "
          "chunks",
          counts.n_steps, counts.n_chunks);
  pipeline_result_clear (&r);
}

/* ---- refusals ---- */

static void
refused (Pipeline *pipeline, const PipelineJob *job, const char *name, const char *says)
{
  PipelineResult r;
  Status status = { 0 };
  bool ok = pipeline_generate (pipeline, job, &r, &status);
  tap_ok (!ok && strstr (status.message, says), name, "%s", status.message);
  if (ok)
    pipeline_result_clear (&r);
}

static void
test_refusals (Suite *s)
{
  PipelineJob job = small_job (s->experts, SAMPLER_EULER, CONVENTION_COMFYUI), bad = job;
  bad.n_frames = 8;
  refused (s->experts, &bad, "refused/8-frames", "choose 9 frames");
  bad.n_frames = 0;
  refused (s->experts, &bad, "refused/no-frames", "choose 1 frames");
  bad = job;
  bad.width = 40;
  refused (s->experts, &bad, "refused/odd-size", "multiples of 16");
  bad = job;
  bad.n_frames = 4 * 2000 + 1;
  refused (s->experts, &bad, "refused/too-long", "fewer or smaller");
  bad = job;
  bad.first_rgb = s->rgb;
  refused (s->experts, &bad, "refused/first-frame-of-t2v", "from words alone");
  bad.first_rgb = NULL;
  bad.init_rgb = s->rgb;
  refused (s->experts, &bad, "refused/initial-image", "first frame");
  bad = job;
  bad.shift = NAN;
  refused (s->experts, &bad, "refused/shift-nan", "shift");
  bad = job;
  bad.boundary = 2;
  refused (s->experts, &bad, "refused/boundary", "boundary");
  job = small_job (s->i2v, SAMPLER_EULER, CONVENTION_COMFYUI);
  refused (s->i2v, &job, "refused/i2v-without-frame", "give it a first frame");
  job = small_job (s->ti2v, SAMPLER_EULER, CONVENTION_COMFYUI);
  job.first_rgb = job.last_rgb = s->rgb;
  refused (s->ti2v, &job, "refused/last-frame-of-ti2v", "no last one");
  float nothing[WIDTH * HEIGHT] = { 0 };
  job.first_rgb = job.last_rgb = NULL;
  job.before = nothing;
  job.n_before = 1;
  job.n_overlap = 2;
  refused (s->ti2v, &job, "refused/overlap", "smaller overlap");
}

static void
test_cancel (Suite *s)
{
  atomic_bool cancel = false;
  PipelineJob job = small_job (s->experts, SAMPLER_UNIPC_BH2, CONVENTION_DIFFUSERS);
  Status status = { 0 };
  job.cancel = &cancel;
  PipelineRun *run = new_run (s->experts, &job);
  advance (run, 1);
  cancel = true;
  bool stopped = !pipeline_run_advance (run, &status) && status.code == STATUS_CANCELLED;
  cancel = false;
  advance (run, STEPS - 1);
  PipelineResult whole = generate (s->experts, &job);
  tap_ok (stopped && !memcmp (pipeline_run_latents (run), whole.latents,
                              n_latent (&whole) * sizeof (float)),
          "cancel/step-goes-on", "%s", "");
  pipeline_run_free (run);
  pipeline_result_clear (&whole);
}

int
main (void)
{
  static Suite s;
  Status status = { 0 };
  for (int i = 0; i < WIDTH * HEIGHT * 3; i++)
    s.rgb[i] = (uint8_t) (5 * (i / 3 % WIDTH) + 60 * (i % 3) + 3 * (i / 3 / WIDTH));
  if (!(s.backend = backend_cpu_new (NULL, 0, &status)))
    tap_bail_out (&status);
  s.experts = fixture_open_or_exit ("wan-tiny", s.backend);
  s.i2v = fixture_open_or_exit ("wan-tiny-i2v", s.backend);
  s.ti2v = fixture_open_or_exit ("wan-tiny-ti2v", s.backend);
  test_samplers (&s);
  test_experts (&s);
  test_numbers (&s);
  test_first_frame (&s);
  test_last_frame (&s);
  test_frames (&s);
  test_extend (&s);
  test_told (&s);
  test_refusals (&s);
  test_cancel (&s);
  pipeline_free (s.experts);
  pipeline_free (s.i2v);
  pipeline_free (s.ti2v);
  backend_free (s.backend);
  return tap_end ();
}
