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
  LATENT_FRAMES = 3,
  LONG_FRAMES = 41,
  LONG_LATENTS = 11,
  LONG_WINDOWS = 5
};

typedef struct
{
  Backend *backend;
  Pipeline *experts, *i2v, *ti2v; /* wan-tiny: two experts; the others one task each */
  Pipeline *looks, *flf;          /* of Wan 2.1, which look at pictures through CLIP, too */
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

/* ---- every sampler: alone as in a batch, resumed as uninterrupted ---- */

static void
test_batch (Suite *s, SamplerKind sampler, Convention convention)
{
  char name[96];
  PipelineJob job = small_job (s->experts, sampler, convention);
  job.batch_size = 2;
  PipelineResult both = denoise_or_exit (s->experts, &job);
  job.batch_size = 1;
  job.seed++;
  PipelineResult alone = denoise_or_exit (s->experts, &job);
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
  PipelineResult whole = denoise_or_exit (s->experts, &job);
  PipelineRun *run = new_run_or_exit (s->experts, &job);
  int n_steps = pipeline_run_n_steps (run);
  for (int i = 0; i < n_steps; i++)
    {
      advance_or_exit (run, 1);
      size_t n = pipeline_run_save_size (run);
      void *state = mem_calloc (n, 1);
      pipeline_run_save (run, state);
      pipeline_run_free (run);
      run = new_run_or_exit (s->experts, &job);
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
  PipelineResult x = denoise_or_exit (pipeline, a), y = denoise_or_exit (pipeline, b);
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
  PipelineResult r = generate_or_exit (s->ti2v, &job);
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
  PipelineResult r = generate_or_exit (s->ti2v, &job);
  PipelineRun *run = new_run_or_exit (s->ti2v, &job);
  Taken t = { .want = r.rgb, .stop_at = FRAMES + 1, .same = true };
  const FrameSink sink = { take_cb, &t };
  tap_ok (!pipeline_run_decode_clip (run, 0, -1, &sink, &status), "frames/not-before-the-end", "%s",
          status.message);
  advance_or_exit (run, STEPS);
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

/* Whether latent frames @first .. of all channels are alike in clips of @a_frames and @b_frames. */
static bool
same_frames (const PipelineResult *r,
             const float *a,
             int a_frames,
             int a_first,
             const float *b,
             int b_frames,
             int b_first,
             int n_frames)
{
  size_t n = (size_t) r->latent_width * (size_t) r->latent_height;
  bool same = true;
  for (size_t c = 0; c < (size_t) r->latent_channels; c++)
    same &= !memcmp (a + (c * (size_t) a_frames + (size_t) a_first) * n,
                     b + (c * (size_t) b_frames + (size_t) b_first) * n,
                     (size_t) n_frames * n * sizeof *a);
  return same;
}

/* What was is there to the bit, only frames behind it come, and what is new is not what would have
 * come without it. */
static void
extend (Suite *s, Pipeline *pipeline, const char *name, int overlap)
{
  PipelineJob job = small_job (pipeline, SAMPLER_UNIPC_BH2, CONVENTION_DIFFUSERS);
  if (pipeline == s->i2v || pipeline == s->looks || pipeline == s->flf)
    job.first_rgb = s->rgb;
  if (pipeline == s->flf)
    job.last_rgb = s->rgb;
  PipelineResult before = generate_or_exit (pipeline, &job);
  job.seed++;
  PipelineResult other = generate_or_exit (pipeline, &job);
  job.first_rgb = NULL;
  job.before = before.latents;
  job.n_before = LATENT_FRAMES;
  job.n_overlap = overlap;
  PipelineResult r = generate_or_exit (pipeline, &job);
  int n_new = LATENT_FRAMES - overlap, joined = LATENT_FRAMES + n_new;
  bool kept =
      r.latent_frames == joined && r.n_frames == 4 * n_new &&
      same_frames (&r, r.latents, joined, 0, before.latents, LATENT_FRAMES, 0, LATENT_FRAMES);
  bool alike = same_frames (&r, r.latents, joined, LATENT_FRAMES, other.latents, LATENT_FRAMES,
                            overlap, n_new);
  tap_ok (kept && !alike, name, "%d latent frames, %d frames", r.latent_frames, r.n_frames);
  pipeline_result_clear (&before);
  pipeline_result_clear (&other);
  pipeline_result_clear (&r);
}

/* Whether the frames of @before and @r are those of all latents decoded at once. */
static void
as_one_clip (Suite *s, const PipelineResult *r, const PipelineResult *before, const char *name)
{
  Status status = { 0 };
  size_t bytes = (size_t) WIDTH * HEIGHT * 3;
  int n_first = before ? before->n_frames : 0, n_all = n_first + r->n_frames;
  uint8_t *want = mem_calloc ((size_t) n_all * bytes, 1);
  if (before)
    memcpy (want, before->rgb, (size_t) n_first * bytes);
  memcpy (want + (size_t) n_first * bytes, r->rgb, (size_t) r->n_frames * bytes);
  PipelineJob whole = small_job (s->ti2v, SAMPLER_EULER, CONVENTION_DIFFUSERS);
  whole.n_frames = n_all;
  whole.window_frames = 0;
  Taken t = { .want = want, .stop_at = n_all + 1, .same = true };
  const FrameSink sink = { take_cb, &t };
  bool ok = s->ti2v->family->decode (s->ti2v, &whole, r->latents, -1, &sink, &status);
  tap_ok (ok && t.same && t.next == n_all, name, "%d frames", t.next);
  mem_free (want);
}

/* Frames behind the join are those of both latents decoded as one clip; and again behind the next
 * one. */
static void
test_join (Suite *s)
{
  PipelineJob job = small_job (s->ti2v, SAMPLER_EULER, CONVENTION_DIFFUSERS);
  PipelineResult before = generate_or_exit (s->ti2v, &job);
  job.before = before.latents;
  job.n_before = before.latent_frames;
  job.n_overlap = 1;
  PipelineResult r = generate_or_exit (s->ti2v, &job);
  as_one_clip (s, &r, &before, "extend/as-one-clip");
  job.before = r.latents;
  job.n_before = r.latent_frames;
  PipelineResult more = generate_or_exit (s->ti2v, &job);
  tap_ok (more.latent_frames == 3 * LATENT_FRAMES - 2 &&
              same_frames (&more, more.latents, more.latent_frames, 0, r.latents, r.latent_frames,
                           0, r.latent_frames),
          "extend/again", "%d latent frames", more.latent_frames);
  pipeline_result_clear (&before);
  pipeline_result_clear (&r);
  pipeline_result_clear (&more);
}

/* Frames in place of latents: what the VAE makes of them is what is gone on from. */
static void
test_extend_frames (Suite *s)
{
  PipelineJob job = small_job (s->ti2v, SAMPLER_EULER, CONVENTION_DIFFUSERS);
  Status status = { 0 };
  PipelineResult before = generate_or_exit (s->ti2v, &job);
  PipelineJob frames = job;
  frames.n_before = LATENT_FRAMES;
  frames.before_rgb = before.rgb;
  float *encoded = mem_calloc (n_latent (&before), sizeof *encoded);
  if (!s->ti2v->family->encode_before (s->ti2v, &frames, encoded, &status))
    tap_bail_out (&status);
  job.n_before = LATENT_FRAMES;
  job.before = encoded;
  PipelineResult a = generate_or_exit (s->ti2v, &job), b = generate_or_exit (s->ti2v, &frames);
  tap_ok (!memcmp (a.latents, b.latents, n_latent (&a) * sizeof (float)),
          "extend/frames-as-latents", "%s", "");
  PipelinePlan plan;
  bool ok = pipeline_plan (s->ti2v, &frames, &plan, &status);
  tap_ok (ok && plan.phases[PHASE_ENCODE].n_passes == LATENT_FRAMES, "extend/frames-planned",
          "%d passes", plan.phases[PHASE_ENCODE].n_passes);
  mem_free (encoded);
  pipeline_result_clear (&before);
  pipeline_result_clear (&a);
  pipeline_result_clear (&b);
}

/* CLIP is shown the last frame of the clip before: the kept one, the last of frames, or the one
 * that its latents are decoded to; any other counts. */
static void
test_extend_looks (Suite *s)
{
  PipelineJob job = small_job (s->looks, SAMPLER_EULER, CONVENTION_DIFFUSERS);
  PipelinePlan planned, kept;
  Status status = { 0 };
  job.first_rgb = s->rgb;
  PipelineResult before = generate_or_exit (s->looks, &job);
  job.first_rgb = NULL;
  job.before = before.latents;
  job.n_before = LATENT_FRAMES;
  PipelineJob other = job;
  other.before_last_rgb = before.rgb + (size_t) (FRAMES - 1) * WIDTH * HEIGHT * 3;
  tap_ok (change (s->looks, &job, &other) == 0, "extend/looks-at-last-frame", "%s", "");
  bool ok = pipeline_plan (s->looks, &job, &planned, &status) &&
            pipeline_plan (s->looks, &other, &kept, &status);
  int n_decoded = planned.phases[PHASE_ENCODE].n_passes - kept.phases[PHASE_ENCODE].n_passes;
  tap_ok (ok && n_decoded == LATENT_FRAMES, "extend/looks-planned", "%d passes", n_decoded);
  other.before_last_rgb = s->rgb;
  tap_ok (change (s->looks, &job, &other) > 0, "extend/looks-at-another", "%s", "");
  job.before = NULL;
  job.before_rgb = before.rgb;
  other = job;
  other.before_last_rgb = before.rgb + (size_t) (FRAMES - 1) * WIDTH * HEIGHT * 3;
  tap_ok (change (s->looks, &job, &other) == 0, "extend/looks-at-last-of-frames", "%s", "");
  pipeline_result_clear (&before);
}

static void
test_extend (Suite *s)
{
  extend (s, s->ti2v, "extend/times", 1);
  extend (s, s->ti2v, "extend/times-of-two", 2);
  extend (s, s->experts, "extend/noised", 1);
  extend (s, s->experts, "extend/noised-two", 2);
  extend (s, s->i2v, "extend/shown", 1);
  extend (s, s->i2v, "extend/shown-two", 2);
  extend (s, s->looks, "extend/looks", 1);
  extend (s, s->looks, "extend/looks-two", 2);
  extend (s, s->flf, "extend/first-last", 1);
  test_extend_looks (s);
  test_join (s);
  test_extend_frames (s);
}

/* ---- windows ---- */

/* Of 3 latent frames, going on from 1 each: 5 windows. */
static PipelineJob
long_job (const Pipeline *pipeline, SamplerKind sampler, Convention convention)
{
  PipelineJob job = small_job (pipeline, sampler, convention);
  job.n_frames = LONG_FRAMES;
  job.window_frames = FRAMES;
  job.n_overlap = 1;
  return job;
}

/* The first window is the clip that would have been made alone. */
static void
test_windows (Suite *s, Pipeline *pipeline, const char *name)
{
  PipelineJob job = long_job (pipeline, SAMPLER_UNIPC_BH2, CONVENTION_DIFFUSERS);
  if (pipeline == s->i2v || pipeline == s->looks)
    job.first_rgb = s->rgb;
  PipelineJob first = job;
  first.n_frames = FRAMES;
  PipelineResult r = generate_or_exit (pipeline, &job), one = generate_or_exit (pipeline, &first);
  bool begins =
      same_frames (&r, r.latents, r.latent_frames, 0, one.latents, LATENT_FRAMES, 0, LATENT_FRAMES);
  float most = 0;
  for (size_t i = 0; i < n_latent (&r); i++)
    most = fmaxf (most, fabsf (r.latents[i]));
  tap_ok (begins && r.n_frames == LONG_FRAMES && r.latent_frames == LONG_LATENTS && isfinite (most),
          name, "%d latent frames, up to %g", r.latent_frames, (double) most);
  if (pipeline == s->ti2v)
    as_one_clip (s, &r, NULL, "windows/as-one-clip");
  pipeline_result_clear (&r);
  pipeline_result_clear (&one);
}

static void
test_window_counts (Suite *s)
{
  PipelineJob job = long_job (s->ti2v, SAMPLER_EULER, CONVENTION_DIFFUSERS);
  PipelinePlan one, all;
  Status status = { 0 };
  const ClipWindows w = clip_windows (&job);
  bool even = w.n == LONG_WINDOWS && w.length == LATENT_FRAMES && w.total == LONG_LATENTS &&
              clip_window_start (&w, w.n - 1) + w.length == w.total;
  for (int i = 1; i < w.n; i++)
    even &= clip_window_known (&w, i) >= 1 && clip_window_known (&w, i) < LATENT_FRAMES;
  tap_ok (even, "windows/evenly-spaced", "%d of %d", w.n, (int) w.length);
  bool ok = pipeline_plan (s->ti2v, &job, &all, &status);
  job.n_frames = FRAMES;
  ok = ok && pipeline_plan (s->ti2v, &job, &one, &status);
  const PhasePlan *a = &all.phases[PHASE_DENOISE], *b = &one.phases[PHASE_DENOISE];
  tap_ok (ok && a->activation_bytes == b->activation_bytes &&
              a->n_passes == LONG_WINDOWS * b->n_passes,
          "windows/memory-of-one", "%zu bytes, %d passes", a->activation_bytes, a->n_passes);
  job.n_frames = 81;
  job.window_frames = 81;
  job.n_overlap = 0;
  tap_ok (pipeline_overlap (&job) == 5, "windows/usual-overlap", "%d", pipeline_overlap (&job));
}

/* Each clip of a batch goes on from its own window before. */
static void
test_windows_in_batch (Suite *s)
{
  PipelineJob job = long_job (s->ti2v, SAMPLER_EULER, CONVENTION_DIFFUSERS);
  job.batch_size = 2;
  PipelineResult both = denoise_or_exit (s->ti2v, &job);
  job.batch_size = 1;
  job.seed++;
  PipelineResult alone = denoise_or_exit (s->ti2v, &job);
  double off = difference (alone.latents, both.latents + n_latent (&both), n_latent (&alone));
  tap_ok (off <= BATCH_TOLERANCE, "windows/batch", "differ by %.1e", off);
  pipeline_result_clear (&both);
  pipeline_result_clear (&alone);
}

/* Tiles are joined in memory for the new frames alone. */
static void
test_extend_in_tiles (Suite *s)
{
  PipelineJob job = small_job (s->ti2v, SAMPLER_EULER, CONVENTION_DIFFUSERS);
  Status status = { 0 };
  PipelinePlan of_new, of_all;
  job.vae_tile = 32;
  PipelineResult before = generate_or_exit (s->ti2v, &job);
  job.before = before.latents;
  job.n_before = before.latent_frames;
  job.n_overlap = 1;
  PipelineResult r = generate_or_exit (s->ti2v, &job);
  PipelineJob whole = small_job (s->ti2v, SAMPLER_EULER, CONVENTION_DIFFUSERS);
  whole.n_frames = FRAMES + r.n_frames;
  whole.window_frames = 0;
  whole.vae_tile = job.vae_tile;
  size_t bytes = (size_t) WIDTH * HEIGHT * 3;
  uint8_t *want = mem_calloc ((size_t) whole.n_frames * bytes, 1);
  memcpy (want, before.rgb, (size_t) FRAMES * bytes);
  memcpy (want + (size_t) FRAMES * bytes, r.rgb, (size_t) r.n_frames * bytes);
  Taken t = { .want = want, .stop_at = whole.n_frames + 1, .same = true };
  const FrameSink sink = { take_cb, &t };
  bool ok = s->ti2v->family->decode (s->ti2v, &whole, r.latents, -1, &sink, &status);
  tap_ok (ok && t.same && t.next == whole.n_frames, "extend/in-tiles", "%d frames", t.next);
  ok = pipeline_plan (s->ti2v, &job, &of_new, &status) &&
       pipeline_plan (s->ti2v, &whole, &of_all, &status);
  tap_ok (ok && of_new.phases[PHASE_DECODE].activation_bytes <
                    of_all.phases[PHASE_DECODE].activation_bytes,
          "extend/in-tiles-memory", "%zu bytes", of_new.phases[PHASE_DECODE].activation_bytes);
  mem_free (want);
  pipeline_result_clear (&before);
  pipeline_result_clear (&r);
}

/* In every window, and between two. */
static void
test_resume_windows (Suite *s, SamplerKind sampler, Convention convention)
{
  char name[96];
  Status status = { 0 };
  PipelineJob job = long_job (s->ti2v, sampler, convention);
  job.batch_size = 2;
  job.steps = 2;
  PipelineResult whole = generate_or_exit (s->ti2v, &job);
  PipelineRun *run = new_run_or_exit (s->ti2v, &job);
  int n_steps = pipeline_run_n_steps (run);
  for (int i = 0; i < n_steps; i++)
    {
      advance_or_exit (run, 1);
      size_t n = pipeline_run_save_size (run);
      void *state = mem_calloc (n, 1);
      pipeline_run_save (run, state);
      pipeline_run_free (run);
      run = new_run_or_exit (s->ti2v, &job);
      if (!pipeline_run_restore (run, state, n, &status))
        tap_bail_out (&status);
      mem_free (state);
    }
  bool same =
      pipeline_run_step (run) == n_steps &&
      !memcmp (pipeline_run_latents (run), whole.latents, n_latent (&whole) * sizeof (float));
  tap_ok (same, sampler_case (name, sizeof name, "windows/resume", sampler, convention), "%d steps",
          n_steps);
  pipeline_run_free (run);
  pipeline_result_clear (&whole);
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
  PipelineResult r = generate_or_exit (s->ti2v, &job);
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
  bad.n_frames = bad.window_frames = 4 * 2000 + 1;
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
  job.n_overlap = LATENT_FRAMES;
  job.n_before = LATENT_FRAMES;
  refused (s->ti2v, &job, "refused/nothing-new", "nothing new");
  job.n_overlap = 1;
  job.first_rgb = s->rgb;
  refused (s->ti2v, &job, "refused/first-frame-of-extension", "take the first frame away");
  job = small_job (s->flf, SAMPLER_EULER, CONVENTION_COMFYUI);
  job.before = nothing;
  job.n_before = 1;
  refused (s->flf, &job, "refused/extension-without-last", "goes on to a last frame");
  job = small_job (s->ti2v, SAMPLER_EULER, CONVENTION_COMFYUI);
  job.window_frames = 8;
  refused (s->ti2v, &job, "refused/window-of-8", "choose 9 frames");
}

static void
test_cancel (Suite *s)
{
  atomic_bool cancel = false;
  PipelineJob job = small_job (s->experts, SAMPLER_UNIPC_BH2, CONVENTION_DIFFUSERS);
  Status status = { 0 };
  job.cancel = &cancel;
  PipelineRun *run = new_run_or_exit (s->experts, &job);
  advance_or_exit (run, 1);
  cancel = true;
  bool stopped = !pipeline_run_advance (run, &status) && status.code == STATUS_CANCELLED;
  cancel = false;
  advance_or_exit (run, STEPS - 1);
  PipelineResult whole = generate_or_exit (s->experts, &job);
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
  s.looks = fixture_open_or_exit ("wan-tiny-i2v21", s.backend);
  s.flf = fixture_open_or_exit ("wan-tiny-flf", s.backend);
  test_samplers (&s);
  test_experts (&s);
  test_numbers (&s);
  test_first_frame (&s);
  test_last_frame (&s);
  test_frames (&s);
  test_extend (&s);
  test_windows (&s, s.ti2v, "windows/times");
  test_windows (&s, s.experts, "windows/noised");
  test_windows (&s, s.i2v, "windows/shown");
  test_windows (&s, s.looks, "windows/looks");
  test_window_counts (&s);
  test_windows_in_batch (&s);
  test_extend_in_tiles (&s);
  test_resume_windows (&s, SAMPLER_UNIPC_BH2, CONVENTION_DIFFUSERS);
  test_resume_windows (&s, SAMPLER_DPMPP_SDE, CONVENTION_COMFYUI);
  test_told (&s);
  test_refusals (&s);
  test_cancel (&s);
  pipeline_free (s.experts);
  pipeline_free (s.i2v);
  pipeline_free (s.ti2v);
  pipeline_free (s.looks);
  pipeline_free (s.flf);
  backend_free (s.backend);
  return tap_end ();
}
