/* SPDX-License-Identifier: MPL-2.0
 * golden.c - whole generations with small models against diffusers' own (cases.json).
 *
 * golden [--level NAME | --cuda bf16|f16|f32] [--precision f32|bf16] [--case NAME] [--every N]
 * [--family flux|wan|control]; GESSO_SOURCE names the source tree.  --every 5 runs each fifth case:
 * the scalar reference is slow.  --case may come several times.  --family flux runs
 * flux-cases.json, wan wan-cases.json, control control-cases.json.  --cuda computes on the card, or
 * on what GESSO_CUDA_MODULE offers in its place: bf16 is what users get (pipelines/precision.c).
 */
#include <json-c/json.h>
#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/mem.h"
#include "media/image.h"
#include "one-file.h"
#include "pipelines/pipeline.h"
#include "weights/mapped.h"
#include "weights/safetensors.h"

/* The final latent, relative to its largest value. */
static const double LATENT_TOLERANCE_F32 = 1e-3;
/* From sigma 4096 (zero terminal SNR) diffusers' Euler computes x + (x - D) / s (s' - s) in f32,
 * which cancels all but 3 of 7 digits in its first step; the network then multiplies that.  The
 * same step is checked to 1e-4 without a network in test-sampler-golden. */
static const double LATENT_TOLERANCE_EULER_ZERO_SNR = 2e-2;
/* bf16 is judged by the picture.  A random network under guidance multiplies rounding, so that
 * latents go up to 0.44 of their largest value apart (measured, zero terminal SNR); beyond this it
 * is a fault. */
static const double LATENT_TOLERANCE_BF16 = 0.6;
/* Of the decoded picture against the reference's, in dB. */
static const double PICTURE_DB_F32 = 50, PICTURE_DB_BF16 = 35;

enum
{
  MAX_NAMED = 32
};

typedef struct
{
  char fixtures[2048];
  Pool pool;
  TensorTable expected;
  Backend *backend;
  Compute compute;
  const char *only[MAX_NAMED];
  int n_only;
  size_t every;
  int n_passed, n_failed;
  double worst;
} Golden;

typedef struct
{
  const char *name;
  json_object *o;
} Case;

static json_object *
get (const Case *c, const char *key)
{
  json_object *v = NULL;
  json_object_object_get_ex (c->o, key, &v);
  return v;
}

static const char *
text (const Case *c, const char *key)
{
  json_object *v = get (c, key);
  return v ? json_object_get_string (v) : "";
}

static double
number (const Case *c, const char *key, double fallback)
{
  json_object *v = get (c, key);
  return v ? json_object_get_double (v) : fallback;
}

static void
report (Golden *g, const Case *c, bool ok, const char *detail)
{
  int n = g->n_passed + g->n_failed + 1;
  printf ("%s %d - %s: %s\n", ok ? "ok" : "not ok", n, c->name, detail);
  *(ok ? &g->n_passed : &g->n_failed) += 1;
}

/* A list of [text, weight] in A1111's or ComfyUI's grammar. */
static void
write_prompt (const Case *c, char *out, size_t size)
{
  json_object *p = get (c, "prompt");
  if (json_object_is_type (p, json_type_string))
    {
      snprintf (out, size, "%s", json_object_get_string (p));
      return;
    }
  size_t used = 0;
  for (size_t i = 0; i < json_object_array_length (p); i++)
    {
      json_object *piece = json_object_array_get_idx (p, i);
      const char *words = json_object_get_string (json_object_array_get_idx (piece, 0));
      double weight = json_object_get_double (json_object_array_get_idx (piece, 1));
      used += (size_t) snprintf (out + used, size - used, weight == 1 ? "%s" : "(%s:%g)", words,
                                 weight);
    }
}

static void
take_schedule (const Case *c, PipelineJob *job)
{
  const char *schedule = text (c, "schedule"), *curve = strchr (schedule, '+');
  char spacing[32];
  snprintf (spacing, sizeof spacing, "%.*s", curve ? (int) (curve - schedule) : 31, schedule);
  schedule_from_name (spacing, &job->spacing);
  job->schedule = job->spacing;
  if (!curve)
    schedule_from_name (spacing, &job->schedule);
  else if (!strcmp (curve, "+ays-timesteps"))
    job->schedule = SCHEDULE_AYS_TIMESTEPS;
  else if (!strcmp (curve, "+ays-sigmas"))
    job->schedule = SCHEDULE_AYS;
  else
    schedule_from_name (curve + 1, &job->schedule);
}

static void
take_sizes (const Case *c, PipelineJob *job)
{
  json_object *original = get (c, "original_size"), *crop = get (c, "crop");
  json_object *target = get (c, "target_size");
  if (!original)
    return;
  job->sizes = (SdSizes){
    .original_height = json_object_get_int (json_object_array_get_idx (original, 0)),
    .original_width = json_object_get_int (json_object_array_get_idx (original, 1)),
    .crop_top = json_object_get_int (json_object_array_get_idx (crop, 0)),
    .crop_left = json_object_get_int (json_object_array_get_idx (crop, 1)),
    .target_height = json_object_get_int (json_object_array_get_idx (target, 0)),
    .target_width = json_object_get_int (json_object_array_get_idx (target, 1)),
  };
}

static PromptWeighting
weighting_of (const Case *c)
{
  const char *emphasis = text (c, "emphasis");
  if (!strcmp (emphasis, "none"))
    return WEIGHTING_NONE;
  if (!strcmp (emphasis, "comfy"))
    return WEIGHTING_COMFYUI;
  return !strcmp (emphasis, "no-norm") ? WEIGHTING_A1111_NO_NORM : WEIGHTING_A1111;
}

static Prediction
prediction_of (const Case *c)
{
  const char *prediction = text (c, "prediction");
  if (!strcmp (prediction, "flow"))
    return PREDICTION_FLOW;
  return strcmp (prediction, "v_prediction") ? PREDICTION_EPSILON : PREDICTION_V;
}

static void
make_job (const Golden *g, const Case *c, const Checkpoint *model, PipelineJob *job)
{
  pipeline_job_defaults (model, job);
  job->convention = CONVENTION_DIFFUSERS;
  job->negative_prompt = text (c, "negative");
  job->empty_negative =
      strcmp (text (c, "negative_mode"), "zeros") ? SD_EMPTY_ENCODE : SD_EMPTY_ZEROS;
  job->weighting = weighting_of (c);
  job->clip_skip = (int) number (c, "clip_skip", 0);
  job->seed = (uint64_t) number (c, "seed", 0);
  job->batch_size = (int) number (c, "batch", 1);
  job->width = (int) number (c, "width", 0);
  job->height = (int) number (c, "height", 0);
  job->steps = (int) number (c, "steps", 0);
  job->guidance_scale = number (c, "cfg", 1);
  job->guidance_rescale = number (c, "rescale", 0);
  job->eta = number (c, "eta", -1);
  job->denoise = number (c, "strength", 1);
  job->prediction = prediction_of (c);
  job->distilled_guidance = number (c, "distilled", 0);
  job->max_tokens = (int) number (c, "max_tokens", 0);
  job->zero_terminal_snr = json_object_get_boolean (get (c, "zero_snr"));
  job->compute = g->compute;
  job->n_frames = (int) number (c, "frames", 1);
  job->shift = number (c, "shift", 1);
  job->guidance_scale_2 = number (c, "cfg_2", 1);
  job->boundary = number (c, "boundary", 0);
  sampler_from_name (text (c, "sampler"), &job->sampler);
  if (job->sampler == SAMPLER_UNIPC)
    job->sampler = SAMPLER_UNIPC_BH2;
  take_schedule (c, job);
  take_sizes (c, job);
}

static double
relative_error (const float *got, const FileTensor *want)
{
  const float *w = (const float *) (const void *) want->data;
  int64_t n = 1;
  for (int i = 0; i < want->rank; i++)
    n *= want->ne[i];
  double largest = 0, worst = 0;
  for (int64_t i = 0; i < n; i++)
    {
      largest = fmax (largest, fabs ((double) w[i]));
      double error = fabs ((double) got[i] - (double) w[i]);
      worst = error > worst || isnan (error) ? error : worst;
    }
  return worst / largest;
}

/* @want: (n, 3, h, w) in 0 .. 1, frame after frame */
static double
picture_db (const PipelineResult *r, const FileTensor *want)
{
  const float *w = (const float *) (const void *) want->data;
  int64_t pixels = (int64_t) r->width * r->height, n = (int64_t) r->n * r->n_frames;
  double sum = 0;
  for (int64_t i = 0; i < n; i++)
    for (int64_t p = 0; p < pixels; p++)
      for (int64_t k = 0; k < 3; k++)
        {
          double d =
              r->rgb[(i * pixels + p) * 3 + k] / 255.0 - (double) w[(i * 3 + k) * pixels + p];
          sum += d * d;
        }
  return -10 * log10 (sum / (double) (n * pixels * 3) + 1e-12);
}

static double
latent_tolerance (const Golden *g, const Case *c)
{
  if (g->compute != COMPUTE_F32)
    return LATENT_TOLERANCE_BF16;
  bool euler = !strncmp (text (c, "sampler"), "euler", 5);
  return euler && json_object_get_boolean (get (c, "zero_snr")) ? LATENT_TOLERANCE_EULER_ZERO_SNR
                                                                : LATENT_TOLERANCE_F32;
}

static void
compare (Golden *g, const Case *c, const PipelineResult *r)
{
  char name[256], detail[256];
  snprintf (name, sizeof name, "%s.latent", c->name);
  const FileTensor *latent = table_find (&g->expected, name);
  snprintf (name, sizeof name, "%s.image", c->name);
  const FileTensor *image = table_find (&g->expected, name);
  bool f32 = g->compute == COMPUTE_F32;
  double error = latent ? relative_error (r->latents, latent) : NAN;
  double db = image ? picture_db (r, image) : INFINITY;
  snprintf (detail, sizeof detail, "latent off by %.1e of its largest value, picture %.1f dB",
            error, db);
  if (latent_tolerance (g, c) != LATENT_TOLERANCE_EULER_ZERO_SNR)
    g->worst = fmax (g->worst, error);
  report (g, c, error <= latent_tolerance (g, c) && db >= (f32 ? PICTURE_DB_F32 : PICTURE_DB_BF16),
          detail);
}

static const char *const folder_parts[] = {
  "model_index.json", "scheduler", "text_encoder", "text_encoder_2", "tokenizer",
  "tokenizer_2",      "vae",       "unet",         "transformer"
};

enum
{
  N_PARTS = sizeof folder_parts / sizeof *folder_parts
};

/* A folder of links: the model's own parts, the others from its base.  Links to parts that the base
 * lacks lead nowhere, as if they were not there. */
static bool
compose_folder (const Golden *g, const Case *c, char *folder, size_t size)
{
  char from[PATH_MAX + 64], to[2304], root[PATH_MAX];
  const char *tmp = getenv ("TMPDIR");
  snprintf (folder, size, "%s/gesso-golden-XXXXXX", tmp ? tmp : "/tmp");
  bool ok = realpath (g->fixtures, root) && mkdtemp (folder);
  for (int i = 0; ok && i < N_PARTS; i++)
    {
      snprintf (from, sizeof from, "%s/%s/%s", root, text (c, "model"), folder_parts[i]);
      if (access (from, R_OK) != 0)
        snprintf (from, sizeof from, "%s/%s/%s", root, text (c, "base"), folder_parts[i]);
      snprintf (to, sizeof to, "%s/%s", folder, folder_parts[i]);
      ok = symlink (from, to) == 0;
    }
  return ok;
}

static void
remove_folder (const char *folder)
{
  char path[2304];
  for (int i = 0; i < N_PARTS; i++)
    {
      snprintf (path, sizeof path, "%s/%s", folder, folder_parts[i]);
      unlink (path);
    }
  rmdir (folder);
}

/* An all-in-one checkpoint, which has the program's own vocabularies. */
static Pipeline *
open_one_file (const Golden *g, const Case *c, Status *status)
{
  char fixture[2304], path[2304], data[2304];
  const char *tmp = getenv ("TMPDIR");
  snprintf (fixture, sizeof fixture, "%s/%s.safetensors", g->fixtures, text (c, "model"));
  snprintf (data, sizeof data, "%s/../../../data", g->fixtures);
  snprintf (path, sizeof path, "%s/gesso-golden-%ld.safetensors", tmp ? tmp : "/tmp",
            (long) getpid ());
  Pipeline *pipeline = NULL;
  if (one_file_write (fixture, path, status))
    pipeline = pipeline_open (&(PipelineSource){ .model_path = path, .tokenizers_dir = data },
                              g->backend, status);
  unlink (path); /* it stays mapped */
  return pipeline;
}

static Pipeline *
open_model (const Golden *g, const Case *c, Status *status)
{
  char path[2304];
  if (get (c, "one_file"))
    return open_one_file (g, c, status);
  bool composed = strcmp (text (c, "model"), text (c, "base")) != 0;
  if (!composed)
    snprintf (path, sizeof path, "%s/%s", g->fixtures, text (c, "model"));
  else if (!compose_folder (g, c, path, sizeof path))
    status_fail (status, STATUS_IO, "The folder %s cannot be made.", path);
  Pipeline *pipeline = NULL;
  if (status_ok (status))
    pipeline = pipeline_open (&(PipelineSource){ .model_path = path, .tokenizers_dir = "" },
                              g->backend, status);
  if (composed)
    remove_folder (path); /* the files stay mapped */
  return pipeline;
}

/* Start picture and mask, when the case has them; the mask is one channel of its picture. */
typedef struct
{
  Image init, mask, control, first, last;
  Image references[PIPELINE_MAX_REFERENCES];
  int n_references;
  uint8_t *grey;
} Pictures;

static bool
read_picture (const Golden *g, const Case *c, const char *key, Image *image, Status *status)
{
  char path[2304];
  snprintf (path, sizeof path, "%s/%s", g->fixtures, text (c, key));
  return !get (c, key) || image_read (image, path, status);
}

/* So that one picture serves as two. */
static void
mirror (Image *image)
{
  size_t w = (size_t) image->width, rows = image->rgb ? (size_t) image->height : 0;
  for (size_t y = 0; y < rows; y++)
    for (size_t x = 0; x < w / 2; x++)
      for (size_t k = 0; k < IMAGE_CHANNELS; k++)
        {
          uint8_t *a = image->rgb + (y * w + x) * IMAGE_CHANNELS + k;
          uint8_t *b = image->rgb + (y * w + w - 1 - x) * IMAGE_CHANNELS + k, t = *a;
          *a = *b;
          *b = t;
        }
}

/* The one under "reference", and those in the list "references". */
static bool
read_references (const Golden *g, const Case *c, Pictures *p, Status *status)
{
  json_object *more = get (c, "references");
  char path[2304];
  int n = more ? (int) json_object_array_length (more) : 0;
  if (!get (c, "reference"))
    return true;
  if (!read_picture (g, c, "reference", &p->references[p->n_references++], status))
    return false;
  for (int i = 0; i < n && p->n_references < PIPELINE_MAX_REFERENCES; i++)
    {
      snprintf (path, sizeof path, "%s/%s", g->fixtures,
                json_object_get_string (json_object_array_get_idx (more, (size_t) i)));
      if (!image_read (&p->references[p->n_references++], path, status))
        return false;
    }
  return true;
}

static void
give_references (const Case *c, const Pictures *p, PipelineJob *job)
{
  for (int i = 0; i < p->n_references; i++)
    job->references[i] = (PipelineReference){ p->references[i].rgb, p->references[i].width,
                                              p->references[i].height };
  job->n_references = p->n_references;
  if (get (c, "places"))
    job->reference_places = !strcmp (text (c, "places"), "index") ? REFERENCES_INDEX
                            : !strcmp (text (c, "places"), "uxo") ? REFERENCES_UXO
                                                                  : REFERENCES_OFFSET;
}

static bool
read_pictures (const Golden *g, const Case *c, Pictures *p, Status *status)
{
  if (!read_picture (g, c, "image", &p->init, status) || !read_references (g, c, p, status) ||
      !read_picture (g, c, "control", &p->control, status) ||
      !read_picture (g, c, "first", &p->first, status) ||
      !read_picture (g, c, "last", &p->last, status) ||
      !read_picture (g, c, "mask", &p->mask, status))
    return false;
  mirror (&p->last);
  if (!p->mask.rgb)
    return true;
  size_t n = (size_t) p->mask.width * (size_t) p->mask.height;
  p->grey = mem_calloc (n, 1);
  for (size_t i = 0; i < n; i++)
    p->grey[i] = p->mask.rgb[IMAGE_CHANNELS * i];
  return true;
}

/* Chunks of the frames that a clip's network is shown, and pictures that CLIP looks at for it. */
static int
encodes_frames (const ModelConfig *c, const PipelineJob *job)
{
  if (!job->first_rgb && !job->last_rgb)
    return 0;
  int n_looks = c->wan.image_dim > 0 ? (job->first_rgb != NULL) + (job->last_rgb != NULL) : 0;
  return c->wan.variant == WAN_TI2V ? 1 : 1 + (job->n_frames - 1) / 4 + n_looks;
}

/* A network that reads the mask has the start picture encoded once more without its masked part; a
 * reference and a control picture are encoded, too. */
static bool
check_plan (Pipeline *pipeline, const PipelineJob *job, Status *status)
{
  PipelinePlan plan;
  const ModelConfig *c = &pipeline_checkpoint (pipeline)->config;
  bool reads_mask = job->mask && (c->unet.in_channels > c->unet.out_channels ||
                                  c->flux.in_channels > c->flux.out_channels);
  int n = (job->init_rgb ? 1 : 0) + reads_mask + job->n_references + (job->control_rgb ? 1 : 0) +
          encodes_frames (c, job);
  return pipeline_plan (pipeline, job, &plan, status) &&
         (plan.phases[PHASE_ENCODE].n_passes == n ||
          status_fail (status, STATUS_PLAN, "%d encodings are planned, not %d.",
                       plan.phases[PHASE_ENCODE].n_passes, n));
}

enum
{
  MAX_ADAPTERS = 4
};

/* [path, weight] each. */
typedef struct
{
  PipelineAdapter items[MAX_ADAPTERS];
  char paths[MAX_ADAPTERS][2304];
} Adapters;

static void
take_adapters (const Golden *g, const Case *c, Adapters *a, PipelineJob *job)
{
  json_object *list = get (c, "adapters");
  int n = list ? (int) json_object_array_length (list) : 0;
  for (int i = 0; i < n && i < MAX_ADAPTERS; i++)
    {
      json_object *item = json_object_array_get_idx (list, (size_t) i);
      const char *path = json_object_get_string (json_object_array_get_idx (item, 0));
      double weight = json_object_get_double (json_object_array_get_idx (item, 1));
      snprintf (a->paths[i], sizeof a->paths[i], "%s/%s", g->fixtures, path);
      a->items[i] = (PipelineAdapter){ .path = a->paths[i], .weight = weight };
    }
  job->adapters = a->items;
  job->n_adapters = n;
}

/* [folder, picture, weight, start, end] each. */
typedef struct
{
  int n;
  char paths[PIPELINE_MAX_CONTROLS][2304];
  Image pictures[PIPELINE_MAX_CONTROLS];
} Controls;

static bool
take_controls (const Golden *g, const Case *c, Controls *all, PipelineJob *job, Status *status)
{
  json_object *list = get (c, "controls");
  int n = list ? (int) json_object_array_length (list) : 0;
  for (int i = 0; i < n && i < PIPELINE_MAX_CONTROLS; i++)
    {
      char picture[2304];
      json_object *item = json_object_array_get_idx (list, (size_t) i);
      snprintf (all->paths[i], sizeof all->paths[i], "%s/%s", g->fixtures,
                json_object_get_string (json_object_array_get_idx (item, 0)));
      snprintf (picture, sizeof picture, "%s/%s", g->fixtures,
                json_object_get_string (json_object_array_get_idx (item, 1)));
      if (!image_read (&all->pictures[i], picture, status))
        return false;
      all->n = i + 1;
      job->controls[i] = (PipelineControl){
        .path = all->paths[i],
        .rgb = all->pictures[i].rgb,
        .weight = json_object_get_double (json_object_array_get_idx (item, 2)),
        .start = json_object_get_double (json_object_array_get_idx (item, 3)),
        .end = json_object_get_double (json_object_array_get_idx (item, 4)),
      };
    }
  job->n_controls = all->n;
  return true;
}

static void
show_note (void *data, const char *sentence)
{
  printf ("# note: %s\n", sentence);
}

static void
run_case (Golden *g, const Case *c)
{
  Status status = { 0 };
  PipelineResult result = { 0 };
  Pictures pictures = { 0 };
  Adapters adapters = { 0 };
  Controls controls = { 0 };
  PipelineJob job;
  char prompt[4096];
  Pipeline *pipeline = open_model (g, c, &status);
  bool ok = pipeline != NULL;
  if (ok)
    {
      make_job (g, c, pipeline_checkpoint (pipeline), &job);
      write_prompt (c, prompt, sizeof prompt);
      job.prompt = prompt;
      take_adapters (g, c, &adapters, &job);
      job.note = show_note;
      ok = read_pictures (g, c, &pictures, &status) &&
           take_controls (g, c, &controls, &job, &status);
      job.init_rgb = pictures.init.rgb;
      job.mask = pictures.grey;
      give_references (c, &pictures, &job);
      job.control_rgb = pictures.control.rgb;
      job.first_rgb = pictures.first.rgb;
      job.last_rgb = pictures.last.rgb;
    }
  ok = ok && check_plan (pipeline, &job, &status) &&
       pipeline_generate (pipeline, &job, &result, &status);
  if (ok)
    compare (g, c, &result);
  else
    report (g, c, false, status.message);
  pipeline_result_clear (&result);
  image_clear (&pictures.init);
  image_clear (&pictures.mask);
  for (int i = 0; i < pictures.n_references; i++)
    image_clear (&pictures.references[i]);
  for (int i = 0; i < controls.n; i++)
    image_clear (&controls.pictures[i]);
  image_clear (&pictures.control);
  image_clear (&pictures.first);
  image_clear (&pictures.last);
  mem_free (pictures.grey);
  pipeline_free (pipeline);
}

static bool
is_wanted (const Golden *g, const char *name)
{
  for (int i = 0; i < g->n_only; i++)
    if (!strcmp (g->only[i], name))
      return true;
  return g->n_only == 0;
}

static void
run_all (Golden *g, json_object *cases)
{
  for (size_t i = 0; i < json_object_array_length (cases); i += g->every)
    {
      Case c = { .o = json_object_array_get_idx (cases, i) };
      c.name = text (&c, "name");
      if (is_wanted (g, c.name))
        run_case (g, &c);
    }
}

int
main (int argc, char **argv)
{
  Golden g = { .compute = COMPUTE_F32, .every = 1 };
  Status status = { 0 };
  const char *level = NULL, *source = getenv ("GESSO_SOURCE"), *cuda = NULL;
  char path[2304], family[16] = "";
  for (int i = 1; i + 1 < argc; i += 2)
    if (!strcmp (argv[i], "--level"))
      level = argv[i + 1];
    else if (!strcmp (argv[i], "--precision"))
      g.compute = strcmp (argv[i + 1], "bf16") ? COMPUTE_F32 : COMPUTE_BF16;
    else if (!strcmp (argv[i], "--every"))
      g.every = (size_t) atoi (argv[i + 1]) + (atoi (argv[i + 1]) < 1);
    else if (!strcmp (argv[i], "--family"))
      snprintf (family, sizeof family, "%s-", argv[i + 1]);
    else if (!strcmp (argv[i], "--case") && g.n_only < MAX_NAMED)
      g.only[g.n_only++] = argv[i + 1];
    else if (!strcmp (argv[i], "--cuda"))
      cuda = argv[i + 1];
  snprintf (g.fixtures, sizeof g.fixtures, "%s/tests/golden/fixtures", source ? source : ".");
  if (cuda)
    g.compute = !strcmp (cuda, "f16")   ? COMPUTE_F16
                : !strcmp (cuda, "f32") ? COMPUTE_F32
                                        : COMPUTE_BF16;
  g.backend = cuda ? backend_cuda_new (0, 0, &status) : backend_cpu_new (level, 0, &status);
  if (!g.backend && status.code == STATUS_UNSUPPORTED)
    {
      printf ("1..0 # SKIP %s\n", status.message);
      return 0;
    }
  snprintf (path, sizeof path, "%s/%scases.json", g.fixtures, family);
  json_object *root = json_object_from_file (path), *cases = NULL;
  snprintf (path, sizeof path, "%s/%slatents.safetensors", g.fixtures, family);
  MappedFile file = { 0 };
  table_init (&g.expected, &g.pool);
  bool ok = g.backend && mapped_open (&file, path, &status) &&
            safetensors_parse (&g.expected, file.data, file.size, path, &status);
  if (!root || !ok || !json_object_object_get_ex (root, "cases", &cases))
    {
      fprintf (stderr, "golden: %s\n", status_ok (&status) ? "no cases.json" : status.message);
      return 2;
    }
  run_all (&g, cases);
  printf ("1..%d\n# worst latent error %.2e on %s\n", g.n_passed + g.n_failed, g.worst,
          g.backend->level);
  table_clear (&g.expected);
  pool_clear (&g.pool);
  mapped_close (&file);
  backend_free (g.backend);
  json_object_put (root);
  return g.n_failed > 0 || g.n_passed == 0;
}
