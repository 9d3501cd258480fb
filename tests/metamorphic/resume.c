/* SPDX-License-Identifier: MPL-2.0
 * resume.c - runs that were stopped, saved, taken up again or parked equal those that were not.
 *
 * resume; GESSO_SOURCE names the source tree.  Small models with random weights, f32.
 */
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/mem.h"
#include "pipelines/digest.h"
#include "pipelines/pipeline.h"
#include "support/fixtures.h"
#include "support/tap.h"

enum
{
  STEPS = 3,
  BATCH = 2,
  SIDE = 32,
  CHECKSUM_AT = 8, /* in the saved form, and what it covers begins behind it */
  CHECKED_FROM = 16,
  HEADER_BYTES = 48,
  RNG_BYTES = 2528,
  SAMPLER_HEADER_BYTES = 56
};

typedef struct
{
  Backend *backend;
  Pipeline *pipeline;
} Model;

static Model
open_model (const char *name)
{
  Status status = { 0 };
  Model m = { .backend = backend_cpu_new (NULL, 1, &status) };
  if (!m.backend)
    tap_bail_out (&status);
  m.pipeline = fixture_open_or_exit (name, m.backend);
  return m;
}

static void
close_model (Model *m)
{
  pipeline_free (m->pipeline);
  backend_free (m->backend);
  *m = (Model){ 0 };
}

static uint8_t start_rgb[SIDE * SIDE * 3], start_mask[SIDE * SIDE];

static void
make_pictures (void)
{
  for (int i = 0; i < SIDE * SIDE; i++)
    {
      int x = i % SIDE, y = i / SIDE;
      start_mask[i] = x > 6 && x < 22 && y > 9 && y < 25 ? 255 : x == 6 ? 100 : 0;
      for (int k = 0; k < 3; k++)
        start_rgb[3 * i + k] = (uint8_t) (8 * x + 60 * k + y);
    }
}

static PipelineJob
small_job (const Model *m)
{
  PipelineJob job;
  pipeline_job_defaults (pipeline_checkpoint (m->pipeline), &job);
  job.prompt = "a [cat:dog:0.5] on a (table:1.2)";
  job.negative_prompt = "blurry";
  job.width = job.height = SIDE;
  job.steps = STEPS;
  job.seed = 41;
  job.batch_size = BATCH;
  job.compute = COMPUTE_F32;
  return job;
}

static PipelineJob
job_for (const char *model)
{
  Model m = open_model (model);
  PipelineJob job = small_job (&m);
  close_model (&m);
  return job;
}

static void
use_sampler (PipelineJob *job, SamplerKind sampler, Convention convention)
{
  const SamplerInfo *info = sampler_info (sampler);
  bool diffusers = convention == CONVENTION_DIFFUSERS;
  job->sampler = sampler;
  job->convention = convention;
  job->schedule = diffusers ? info->diffusers_schedule : info->comfyui_schedule;
}

/* To the end and decoded, in the form of pipeline_generate's; frees the run. */
static PipelineResult
finish (PipelineRun *run)
{
  Status status = { 0 };
  advance_or_exit (run, pipeline_run_n_steps (run) - pipeline_run_step (run));
  PipelineResult r = *pipeline_run_result (run);
  size_t n = (size_t) r.n * (size_t) r.latent_channels * (size_t) r.latent_width *
             (size_t) r.latent_height;
  size_t bytes = (size_t) r.width * (size_t) r.height * 3;
  r.rgb = mem_calloc ((size_t) r.n, bytes);
  r.latents = mem_calloc (n, sizeof *r.latents);
  memcpy (r.latents, pipeline_run_latents (run), n * sizeof *r.latents);
  for (int i = 0; i < r.n; i++)
    if (!pipeline_run_decode (run, i, -1, r.rgb + (size_t) i * bytes, &status))
      tap_bail_out (&status);
  pipeline_run_free (run);
  return r;
}

/* Frees @b. */
static bool
same (const PipelineResult *a, PipelineResult b)
{
  bool equal = results_equal (a, &b);
  pipeline_result_clear (&b);
  return equal;
}

typedef struct
{
  char *data;
  size_t size;
} Blob;

static Blob
save (const PipelineRun *run)
{
  Blob b = { .size = pipeline_run_save_size (run) };
  b.data = mem_calloc (b.size, 1);
  pipeline_run_save (run, b.data);
  return b;
}

static void
restore (PipelineRun *run, const Blob *b)
{
  Status status = { 0 };
  if (!pipeline_run_restore (run, b->data, b->size, &status))
    tap_bail_out (&status);
}

/* ---- stopped after each step ---- */

/* To the end and compared, but for the pictures, which are made of the latents; frees the run. */
static bool
same_latents (const PipelineResult *whole, PipelineRun *run)
{
  advance_or_exit (run, pipeline_run_n_steps (run) - pipeline_run_step (run));
  size_t n = (size_t) whole->n * (size_t) whole->latent_channels * (size_t) whole->latent_width *
             (size_t) whole->latent_height;
  bool equal = !memcmp (pipeline_run_latents (run), whole->latents, n * sizeof *whole->latents);
  pipeline_run_free (run);
  return equal;
}

/* Goes on with what was saved after step @k, in a pipeline that has not seen the run. */
static PipelineRun *
taken_up (const Model *other, const PipelineJob *like, const Blob *saved, int k, bool *ok)
{
  PipelineRun *run = new_run_or_exit (other->pipeline, like);
  restore (run, saved);
  *ok = *ok && pipeline_run_step (run) == k;
  return run;
}

/* Saved after every step, and taken up from each by a pipeline of the same model. */
static void
test_stopped (const char *model, const PipelineJob *job, const char *what)
{
  char name[160];
  Model m = open_model (model);
  PipelineResult whole = generate_or_exit (m.pipeline, job);
  PipelineRun *run = new_run_or_exit (m.pipeline, job);
  int n = pipeline_run_n_steps (run), n_wrong = 0;
  Blob *saved = mem_calloc ((size_t) n + 1, sizeof *saved);
  for (int k = 0; k <= n; k++)
    {
      advance_or_exit (run, k > 0);
      saved[k] = save (run);
    }
  bool ok = same (&whole, finish (run));
  Model other = open_model (model);
  for (int k = 0; k < n; k++)
    n_wrong += !same_latents (&whole, taken_up (&other, job, &saved[k], k, &ok));
  n_wrong += !same (&whole, finish (taken_up (&other, job, &saved[n], n, &ok)));
  for (int k = 0; k <= n; k++)
    mem_free (saved[k].data);
  mem_free (saved);
  close_model (&other);
  close_model (&m);
  snprintf (name, sizeof name, "stopped/%s/%s/%s/%s%s", model, sampler_name (job->sampler),
            job->convention == CONVENTION_DIFFUSERS ? "diffusers" : "comfyui",
            job->noise == RNG_NV ? "nv" : "cpu", what);
  tap_ok (ok && n_wrong == 0, name, "%d of %d differ", n_wrong, n + 1);
  pipeline_result_clear (&whole);
}

static void
test_samplers (const char *model)
{
  const PipelineJob defaults = job_for (model);
  for (int i = 0; i < SAMPLER_COUNT; i++)
    for (int variant = 0; variant < 3; variant++)
      {
        PipelineJob job = defaults;
        Convention convention = variant == 1 ? CONVENTION_DIFFUSERS : CONVENTION_COMFYUI;
        job.noise = variant == 2 ? RNG_NV : RNG_CPU;
        use_sampler (&job, (SamplerKind) i, convention);
        if (sampler_is_of (job.sampler, convention))
          test_stopped (model, &job, "");
      }
}

static void
test_pictures (const char *model)
{
  const PipelineJob defaults = job_for (model);
  for (int variant = 0; variant < 6; variant++)
    {
      static const char *const names[] = { "/from-image", "/masked", "/masked-noise" };
      PipelineJob job = defaults;
      use_sampler (&job, SAMPLER_DPMPP_SDE,
                   variant % 2 ? CONVENTION_DIFFUSERS : CONVENTION_COMFYUI);
      job.init_rgb = start_rgb;
      job.denoise = 0.7;
      job.mask = variant / 2 > 0 ? start_mask : NULL;
      job.masked_content = variant / 2 > 1 ? MASKED_LATENT_NOISE : MASKED_ORIGINAL;
      test_stopped (model, &job, names[variant / 2]);
    }
}

/* ---- saved states that are not ---- */

/* Refused with one sentence, and the run goes on from where it was. */
static bool
refuses (PipelineRun *run, const void *data, size_t size)
{
  Status status = { 0 };
  int step = pipeline_run_step (run);
  bool restored = pipeline_run_restore (run, data, size, &status);
  size_t n = strlen (status.message);
  return !restored && status.code == STATUS_FORMAT && n > 0 && status.message[n - 1] == '.' &&
         pipeline_run_step (run) == step;
}

static void
sign (Blob *b)
{
  uint64_t sum = digest_bytes (DIGEST_START, b->data + CHECKED_FROM, b->size - CHECKED_FROM);
  memcpy (b->data + CHECKSUM_AT, &sum, sizeof sum);
}

static void
test_damage (SamplerKind sampler)
{
  char name[96];
  Model m = open_model ("sdxl-tiny");
  PipelineJob job = small_job (&m);
  use_sampler (&job, sampler, CONVENTION_COMFYUI);
  PipelineResult whole = generate_or_exit (m.pipeline, &job);
  PipelineRun *run = new_run_or_exit (m.pipeline, &job),
              *other = new_run_or_exit (m.pipeline, &job);
  advance_or_exit (run, 2);
  Blob b = save (run);
  pipeline_run_free (run);
  size_t n_accepted = 0, n_signed = 0;
  for (size_t i = 0; i < b.size; i += i < 1024 ? 1 : 5)
    {
      b.data[i] ^= (char) (1 << i % 8);
      n_accepted += !refuses (other, b.data, b.size);
      b.data[i] ^= (char) (1 << i % 8);
    }
  for (size_t n = 0; n < b.size; n += n < 200 ? 1 : 97)
    n_accepted += !refuses (other, b.data, n);
  char *longer = mem_calloc (b.size + 1, 1);
  memcpy (longer, b.data, b.size);
  n_accepted += !refuses (other, longer, b.size + 1);
  mem_free (longer);
  for (size_t i = CHECKED_FROM; i < HEADER_BYTES; i++) /* signed by someone who can sign */
    {
      b.data[i] ^= 1;
      sign (&b);
      n_signed += !refuses (other, b.data, b.size);
      b.data[i] ^= 1;
    }
  sign (&b);
  restore (other, &b);
  bool equal = same (&whole, finish (other));
  snprintf (name, sizeof name, "damaged/%s", sampler_name (sampler));
  tap_ok (n_accepted == 0 && n_signed == 0 && equal, name,
          "%zu bytes; %zu damaged and %zu signed ones accepted%s", b.size, n_accepted, n_signed,
          equal ? "" : "; the whole one was not taken up");
  mem_free (b.data);
  pipeline_result_clear (&whole);
  close_model (&m);
}

/* With a right checksum, whatever the bytes are: no crash, and nothing out of bounds. */
static void
test_signed_rubbish (void)
{
  Model m = open_model ("sd15-tiny");
  PipelineJob job = small_job (&m);
  use_sampler (&job, SAMPLER_UNIPC, CONVENTION_COMFYUI);
  job.batch_size = 1;
  PipelineRun *run = new_run_or_exit (m.pipeline, &job);
  advance_or_exit (run, 2);
  Blob b = save (run);
  Status status = { 0 };
  int n_refused = 0, n_wrong = 0;
  uint32_t random = 1;
  const PipelineResult *r =
      pipeline_run_result (run); /* the sampler's part is half of what is changed */
  size_t sampler_at = HEADER_BYTES + RNG_BYTES +
                      4 * (size_t) (r->latent_channels * r->latent_height * r->latent_width);
  for (int i = 0; i < 400; i++)
    {
      Blob c = { mem_calloc (b.size, 1), b.size };
      memcpy (c.data, b.data, b.size);
      for (int k = 0; k < 4; k++)
        {
          random = random * 1664525 + 1013904223;
          size_t at = k % 2 ? sampler_at + (random >> 8) % SAMPLER_HEADER_BYTES
                            : HEADER_BYTES + (random >> 8) % (b.size - HEADER_BYTES);
          c.data[at] = (char) (random >> 3);
        }
      sign (&c);
      Status one = { 0 };
      bool ok = pipeline_run_restore (run, c.data, c.size, &one);
      n_refused += !ok;
      n_wrong += !ok && one.code != STATUS_FORMAT;
      if (ok && i % 8 == 0 && pipeline_run_step (run) < pipeline_run_n_steps (run))
        n_wrong += !pipeline_run_advance (run, &status);
      mem_free (c.data);
    }
  tap_ok (n_wrong == 0, "damaged/signed-rubbish", "%d of 400 refused", n_refused);
  mem_free (b.data);
  pipeline_run_free (run);
  close_model (&m);
}

typedef void (*Change) (PipelineJob *job);

static void
other_seed (PipelineJob *job)
{
  job->seed++;
}

static void
other_prompt (PipelineJob *job)
{
  job->prompt = "a horse";
}

static void
other_negative (PipelineJob *job)
{
  job->negative_prompt = "";
}

static void
other_steps (PipelineJob *job)
{
  job->steps++;
}

static void
other_guidance (PipelineJob *job)
{
  job->guidance_scale += 0.5;
}

static void
other_sampler (PipelineJob *job)
{
  job->sampler = SAMPLER_EULER;
}

static void
other_eta (PipelineJob *job)
{
  job->eta = 0.5;
}

static void
other_noise (PipelineJob *job)
{
  job->noise = RNG_NV;
}

static void
other_batch (PipelineJob *job)
{
  job->batch_size++;
}

static void
other_precision (PipelineJob *job)
{
  job->compute = COMPUTE_BF16;
}

static void
no_mask (PipelineJob *job)
{
  job->mask = NULL;
}

static void
other_denoise (PipelineJob *job)
{
  job->denoise = 0.75;
}

static void
other_content (PipelineJob *job)
{
  job->masked_content = MASKED_LATENT_NOTHING;
}

static void
other_sizes (PipelineJob *job)
{
  job->sizes.crop_left = 8;
}

/* A copy of @from in which every 16-bit weight is off by its last bit. */
static bool
write_tuned (const char *from, const char *to)
{
  uint64_t header = 0;
  FILE *in = fopen (from, "rb"), *out = fopen (to, "wb");
  bool ok = in && out && fread (&header, sizeof header, 1, in) == 1;
  if (ok)
    {
      fwrite (&header, sizeof header, 1, out);
      uint64_t at = 0;
      for (int c; (c = fgetc (in)) != EOF; at++)
        fputc (at >= header && at % 2 == 0 ? c ^ 1 : c, out);
    }
  if (in)
    fclose (in);
  return out && fclose (out) == 0 && ok;
}

/* A model of the same shapes, as fine-tuned ones are of each other. */
static void
test_other_weights (const PipelineJob *job, const Blob *b)
{
  static const char *const parts[] = {
    "model_index.json", "scheduler",   "text_encoder", "text_encoder_2",
    "tokenizer",        "tokenizer_2", "vae",          "unet/config.json"
  };
  enum
  {
    N_PARTS = sizeof parts / sizeof *parts
  };
  const char *file = "unet/diffusion_pytorch_model.safetensors", *tmp = getenv ("TMPDIR");
  char root[PATH_MAX], folder[256], from[PATH_MAX + 512], to[512], unet[512];
  snprintf (from, sizeof from, "%s/tests/golden/fixtures/sdxl-tiny", source_root ());
  snprintf (folder, sizeof folder, "%.200s/gesso-resume-XXXXXX", tmp ? tmp : "/tmp");
  bool ok = realpath (from, root) && mkdtemp (folder);
  snprintf (unet, sizeof unet, "%s/unet", folder);
  ok = ok && mkdir (unet, 0777) == 0;
  for (int i = 0; i <= N_PARTS; i++)
    {
      snprintf (from, sizeof from, "%s/%s", root, i < N_PARTS ? parts[i] : file);
      snprintf (to, sizeof to, "%s/%s", folder, i < N_PARTS ? parts[i] : file);
      ok = ok && (i < N_PARTS ? symlink (from, to) == 0 : write_tuned (from, to));
    }
  Status status = { 0 };
  Model m = { .backend = backend_cpu_new (NULL, 1, &status) };
  m.pipeline = pipeline_open (&(PipelineSource){ .model_path = folder, .tokenizers_dir = "" },
                              m.backend, &status);
  if (!m.pipeline)
    tap_bail_out (&status);
  PipelineRun *run = new_run_or_exit (m.pipeline, job);
  tap_ok (ok && refuses (run, b->data, b->size), "foreign/model", "%s", "");
  pipeline_run_free (run);
  close_model (&m);
  for (int i = 0; i <= N_PARTS; i++)
    {
      snprintf (to, sizeof to, "%s/%s", folder, i < N_PARTS ? parts[i] : file);
      unlink (to);
    }
  rmdir (unet);
  rmdir (folder);
}

static void
test_foreign (void)
{
  static const struct
  {
    const char *name;
    Change change;
  } changes[] = { { "seed", other_seed },
                  { "prompt", other_prompt },
                  { "negative", other_negative },
                  { "steps", other_steps },
                  { "guidance", other_guidance },
                  { "sampler", other_sampler },
                  { "eta", other_eta },
                  { "noise", other_noise },
                  { "batch", other_batch },
                  { "precision", other_precision },
                  { "mask", no_mask },
                  { "denoise", other_denoise },
                  { "content", other_content },
                  { "sizes", other_sizes } };
  Model m = open_model ("sdxl-tiny");
  PipelineJob job = small_job (&m);
  use_sampler (&job, SAMPLER_EULER_ANCESTRAL, CONVENTION_COMFYUI);
  job.init_rgb = start_rgb;
  job.mask = start_mask;
  job.denoise = 0.7;
  PipelineRun *run = new_run_or_exit (m.pipeline, &job);
  advance_or_exit (run, 1);
  Blob b = save (run);
  pipeline_run_free (run);
  for (size_t i = 0; i < sizeof changes / sizeof *changes; i++)
    {
      char name[64];
      PipelineJob changed = job;
      changes[i].change (&changed);
      run = new_run_or_exit (m.pipeline, &changed);
      snprintf (name, sizeof name, "foreign/%s", changes[i].name);
      tap_ok (refuses (run, b.data, b.size), name, "%s", "");
      pipeline_run_free (run);
    }
  close_model (&m);
  test_other_weights (&job, &b);
  mem_free (b.data);
}

/* ---- cancelled in the middle of a step ---- */

static struct
{
  void (*conv2d) (Backend *b, const ConvArgs *a);
  int n_convs, cancel_at, n_embeds;
  void (*embed) (Backend *b, const EmbedArgs *a);
  atomic_bool cancel;
} spy;

static void
spy_conv2d (Backend *b, const ConvArgs *a)
{
  if (++spy.n_convs == spy.cancel_at)
    atomic_store (&spy.cancel, true);
  spy.conv2d (b, a);
}

static void
spy_embed (Backend *b, const EmbedArgs *a)
{
  spy.n_embeds++;
  spy.embed (b, a);
}

static void
watch (Backend *b)
{
  spy.conv2d = b->ops.conv2d;
  spy.embed = b->ops.embed;
  b->ops.conv2d = spy_conv2d;
  b->ops.embed = spy_embed;
  spy.n_convs = spy.n_embeds = spy.cancel_at = 0;
  atomic_store (&spy.cancel, false);
}

/* Cancelled every few convolutions and gone on each time. */
static void
test_cancelled (SamplerKind sampler)
{
  char name[96];
  Model m = open_model ("sdxl-tiny");
  PipelineJob job = small_job (&m);
  use_sampler (&job, sampler, CONVENTION_COMFYUI);
  PipelineResult whole = generate_or_exit (m.pipeline, &job);
  watch (m.backend);
  job.cancel = &spy.cancel;
  PipelineRun *run = new_run_or_exit (m.pipeline, &job);
  int n_cancelled = 0, n_wrong = 0, at = 1;
  while (pipeline_run_step (run) < pipeline_run_n_steps (run))
    {
      Status status = { 0 };
      int step = pipeline_run_step (run);
      spy.n_convs = 0;
      spy.cancel_at = at;
      at = at * 2 + 1;
      bool ok = pipeline_run_advance (run, &status);
      at = ok ? 1 : at;
      n_cancelled += !ok;
      n_wrong += pipeline_run_step (run) != step + ok || (!ok && status.code != STATUS_CANCELLED);
      atomic_store (&spy.cancel, false);
      spy.cancel_at = 0;
    }
  bool equal = same (&whole, finish (run));
  snprintf (name, sizeof name, "cancelled/%s", sampler_name (sampler));
  tap_ok (equal && n_wrong == 0 && n_cancelled > STEPS, name, "%d times, %d wrong", n_cancelled,
          n_wrong);
  pipeline_result_clear (&whole);
  close_model (&m);
}

/* ---- several on one pipeline ---- */

static void
test_parked (const char *model)
{
  char name[96];
  Model m = open_model (model);
  PipelineJob large = small_job (&m), small = small_job (&m);
  use_sampler (&large, SAMPLER_DPMPP_2M_SDE, CONVENTION_COMFYUI);
  small.prompt = "a horse";
  small.batch_size = 1;
  small.width = SIDE - 8;
  PipelineResult want_large = generate_or_exit (m.pipeline, &large),
                 want_small = generate_or_exit (m.pipeline, &small);
  PipelineRun *first = new_run_or_exit (m.pipeline, &large);
  advance_or_exit (first, 1);
  PipelineRun *second = new_run_or_exit (m.pipeline, &small);
  advance_or_exit (second, 1);
  pipeline_run_park (first);
  advance_or_exit (first, 1);
  bool ok = same (&want_small, finish (second));
  ok = same (&want_large, finish (first)) && ok;
  snprintf (name, sizeof name, "parked/%s", model);
  tap_ok (ok, name, "%s", "");
  pipeline_result_clear (&want_large);
  pipeline_result_clear (&want_small);
  close_model (&m);
}

static void
test_order_of_calls (void)
{
  Model m = open_model ("sdxl-tiny");
  PipelineJob job = small_job (&m);
  PipelineRun *run = new_run_or_exit (m.pipeline, &job);
  uint8_t *rgb = mem_calloc (SIDE * SIDE, 3);
  Status early = { 0 }, late = { 0 }, none = { 0 };
  bool ok = !pipeline_run_decode (run, 0, -1, rgb, &early) && early.code == STATUS_ARGUMENT;
  advance_or_exit (run, pipeline_run_n_steps (run));
  ok = ok && !pipeline_run_advance (run, &late) && late.code == STATUS_ARGUMENT;
  ok = ok && !pipeline_run_decode (run, BATCH, -1, rgb, &none) && none.code == STATUS_ARGUMENT;
  tap_ok (ok, "order-of-calls", "%s", early.message);
  mem_free (rgb);
  pipeline_run_free (run);
  close_model (&m);
}

/* The next job with the same prompt or picture encodes neither again. */
static void
test_cache (void)
{
  Model m = open_model ("sdxl-tiny");
  PipelineJob job = small_job (&m);
  watch (m.backend);
  job.init_rgb = start_rgb;
  job.denoise = 0.7;
  PipelineResult first = generate_or_exit (m.pipeline, &job);
  int n_embeds = spy.n_embeds, n_convs = spy.n_convs;
  PipelineRun *run = new_run_or_exit (m.pipeline, &job);
  bool ok = n_embeds > 0 && spy.n_embeds == n_embeds && spy.n_convs == n_convs;
  tap_ok (same (&first, finish (run)) && ok, "cache/same-job", "%s", "");
  PipelineJob other = job;
  other.seed++;
  other.steps++;
  other.prompt = "a dog";
  pipeline_run_free (new_run_or_exit (m.pipeline, &other));
  tap_ok (spy.n_embeds > n_embeds, "cache/other-prompt", "%s", "");
  for (int i = 0; i < 20; i++) /* more than it holds */
    {
      char prompt[32];
      snprintf (prompt, sizeof prompt, "a dog number %d", i);
      other.prompt = prompt;
      pipeline_run_free (new_run_or_exit (m.pipeline, &other));
    }
  n_embeds = spy.n_embeds;
  run = new_run_or_exit (m.pipeline, &job);
  tap_ok (same (&first, finish (run)) && spy.n_embeds > n_embeds, "cache/evicted", "%s", "");
  pipeline_result_clear (&first);
  close_model (&m);
}

int
main (void)
{
  make_pictures ();
  test_samplers ("sdxl-tiny");
  test_pictures ("sdxl-tiny");
  test_pictures ("sd15-tiny");
  test_damage (SAMPLER_EULER_ANCESTRAL);
  test_damage (SAMPLER_UNIPC);
  test_signed_rubbish ();
  test_foreign ();
  test_cancelled (SAMPLER_EULER_ANCESTRAL);
  test_cancelled (SAMPLER_HEUN);
  test_cancelled (SAMPLER_DPMPP_SDE);
  test_cancelled (SAMPLER_LCM);
  test_parked ("sdxl-tiny");
  test_parked ("sd15-tiny");
  test_order_of_calls ();
  test_cache ();
  return tap_end ();
}
