/* SPDX-License-Identifier: MPL-2.0
 * bench-clip-vae.c - Wan's VAEs at their real size: CPU seconds and memory of a whole clip.
 *
 *   bench-clip-vae [--model wan21|wan22] [--width PX] [--height PX] [--frames N] [--skip N]
 *                  [--tile PX|-1] [--way decode|encode] [--precision f32|bf16] [--level NAME]
 *                  [--threads N]
 *
 * Weights are random bf16 numbers, made here and scaled so that layers keep the size of what passes
 * through them.  A tile of -1 is what the program chooses by itself.  Prints one JSON object; the
 * memory is the process's largest, weights (147 MB and 1.1 GB decoding) and clip included.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

#include "bench/peak.h"
#include "core/arena.h"
#include "core/mem.h"
#include "pipelines/clip-vae.h"
#include "tools/full-size.h"
#include "weights/weight-set.h"

typedef struct
{
  const WanVaeConfig *config;
  const char *model, *level;
  ClipDirection way;
  Compute compute;
  int width, height, n_frames, n_skip, tile_px, n_threads;
} Options;

static uint32_t seed = 1;

static float
random_float (void)
{
  seed = seed * 1664525u + 1013904223u;
  return (float) (seed >> 8) * 0x1p-23f - 1;
}

/* Uniform values of a variance of one over the inputs, 1 for norms. */
static bool
fill (Weight *w)
{
  int64_t n = 1, n_in = 1;
  for (int i = 0; i < w->rank; i++)
    n *= w->ne[i];
  for (int i = 1; i < w->rank; i++)
    n_in *= w->ne[i];
  uint16_t *data = mem_calloc ((size_t) n, sizeof *data);
  float scale = sqrtf (3.0f / (float) n_in);
  bool is_norm = strstr (w->name, "gamma") != NULL, is_bias = w->rank == 1 && !is_norm;
  for (int64_t i = 0; data && i < n; i++)
    {
      float v = is_norm ? 1 : is_bias ? 0.02f * random_float () : scale * random_float ();
      uint32_t bits;
      memcpy (&bits, &v, sizeof bits);
      data[i] = (uint16_t) (bits >> 16);
    }
  w->dtype = DTYPE_BF16;
  w->data = data;
  return data != NULL;
}

static double
cpu_seconds (void)
{
  struct timespec t;
  clock_gettime (CLOCK_PROCESS_CPUTIME_ID, &t);
  return (double) t.tv_sec + 1e-9 * (double) t.tv_nsec;
}

typedef struct
{
  int64_t n_frames;
  uint64_t sum; /* so that what was made can be told from nothing */
  int64_t n_bytes;
} Taken;

static bool
take (void *data, int64_t index, const uint8_t *rgb, Status *status)
{
  Taken *t = data;
  t->n_frames++;
  for (int64_t i = 0; i < t->n_bytes; i++)
    t->sum += rgb[i];
  return true;
}

static bool
give (void *data, int64_t index, float *pixels, Status *status)
{
  const Taken *t = data;
  for (int64_t i = 0; i < t->n_bytes; i++)
    pixels[i] = random_float ();
  return true;
}

static bool
run (const Options *o, ClipVae *v, Status *status)
{
  int f = wan_vae_factor (o->config);
  ClipSize size = { wan_vae_latents (o->n_frames), o->height / f, o->width / f };
  size_t n = (size_t) (o->config->latent_channels * size.t * size.h * size.w);
  Taken taken = { .n_bytes = 3 * (int64_t) o->width * o->height };
  PhasePlan plan;
  v->n_skip = o->n_skip;
  v->tile_px = o->tile_px >= 0 ? o->tile_px : clip_vae_tile (v, size, o->way, status);
  float *latents = mem_calloc (n, sizeof *latents);
  bool ok = latents && v->tile_px >= 0 && clip_vae_plan (v, size, o->way, &plan, status);
  for (size_t i = 0; ok && i < n; i++)
    latents[i] = random_float ();
  double t0 = cpu_seconds ();
  if (ok)
    ok = o->way == CLIP_DECODE ? clip_vae_decode (v, size, latents, take, &taken, status)
                               : clip_vae_encode (v, size, give, &taken, latents, status);
  double took = cpu_seconds () - t0;
  mem_free (latents);
  struct rusage usage;
  getrusage (RUSAGE_SELF, &usage);
  if (!ok)
    return false;
  double flops = plan.flops * plan.n_passes, peak = peak_flops (PEAK_AVX2);
  printf ("{\"bench\":\"clip-vae\",\"model\":\"%s\",\"way\":\"%s\",\"width\":%d,\"height\":%d,"
          "\"frames\":%d,\"skipped\":%d,\"tile_px\":%d,\"precision\":\"%s\",\"level\":\"%s\","
          "\"threads\":%d,"
          "\"cpu_s\":%.1f,\"tflop\":%.2f,\"gflops_per_cpu_s\":%.1f,\"peak_avx2_gflops\":%.1f,"
          "\"plan_mib\":%.0f,\"max_rss_mib\":%.0f,\"mean\":%.2f}\n",
          o->model, o->way == CLIP_DECODE ? "decode" : "encode", o->width, o->height, o->n_frames,
          o->n_skip, v->tile_px, o->compute == COMPUTE_F32 ? "f32" : "bf16", v->backend->level,
          o->n_threads, took, flops * 1e-12, flops / took * 1e-9, peak * 1e-9,
          (double) plan.activation_bytes / 0x1p20, (double) usage.ru_maxrss / 1024,
          taken.n_frames ? (double) taken.sum / (double) (taken.n_frames * taken.n_bytes) : 0);
  return true;
}

static bool
parse (Options *o, int argc, char **argv)
{
  *o = (Options){ .config = &full_size_wan21_vae,
                  .model = "wan21",
                  .way = CLIP_DECODE,
                  .compute = COMPUTE_F32,
                  .width = 832,
                  .height = 480,
                  .n_frames = 5,
                  .tile_px = -1,
                  .n_threads = 1 };
  for (int i = 1; i + 1 < argc; i += 2)
    {
      const char *value = argv[i + 1];
      const struct
      {
        const char *flag;
        int *value;
      } numbers[] = { { "--width", &o->width },     { "--height", &o->height },
                      { "--frames", &o->n_frames }, { "--skip", &o->n_skip },
                      { "--tile", &o->tile_px },    { "--threads", &o->n_threads } };
      for (size_t k = 0; k < sizeof numbers / sizeof *numbers; k++)
        if (!strcmp (argv[i], numbers[k].flag))
          *numbers[k].value = atoi (value);
      if (!strcmp (argv[i], "--level"))
        o->level = value;
      else if (!strcmp (argv[i], "--precision"))
        o->compute = strcmp (value, "f32") ? COMPUTE_BF16 : COMPUTE_F32;
      else if (!strcmp (argv[i], "--way"))
        o->way = strcmp (value, "decode") ? CLIP_ENCODE : CLIP_DECODE;
      else if (!strcmp (argv[i], "--model"))
        {
          o->model = value;
          o->config = strcmp (value, "wan21") ? &full_size_wan22_vae : &full_size_wan21_vae;
        }
    }
  return argc % 2 == 1 && o->width > 0 && o->height > 0 && o->n_frames > 0;
}

int
main (int argc, char **argv)
{
  Options o;
  Status status = { 0 };
  Arena arena = { 0 };
  if (!parse (&o, argc, argv))
    {
      fprintf (stderr, "bench-clip-vae: see the head of bench-clip-vae.c for its options\n");
      return 2;
    }
  WanVaeConfig config = *o.config;
  for (int i = 0; i < config.latent_channels; i++)
    config.std[i] = 1;
  Backend *backend = backend_cpu_new (o.level, o.n_threads, &status);
  WeightSet *set = backend ? weights_new_declared (&status) : NULL;
  ClipVae v = { .config = &config, .backend = backend, .compute = o.compute };
  if (set)
    v.vae = wan_vae_bind (&(Binder){ set, &arena, &status }, &config,
                          o.way == CLIP_DECODE ? VAE_DECODER : VAE_ENCODER);
  bool ok = v.vae != NULL;
  for (size_t i = 0; ok && i < set->n_items; i++)
    ok = fill (set->items[i]);
  ok = ok && run (&o, &v, &status);
  if (!ok)
    fprintf (stderr, "bench-clip-vae: %s\n", *status.message ? status.message : "out of memory");
  for (size_t i = 0; set && i < set->n_items; i++)
    mem_free ((void *) set->items[i]->data);
  weights_free (set);
  arena_clear (&arena);
  if (backend)
    backend_free (backend);
  return ok ? 0 : 1;
}
