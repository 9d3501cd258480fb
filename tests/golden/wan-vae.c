/* SPDX-License-Identifier: MPL-2.0
 * wan-vae.c - Wan's video VAEs against what diffusers computes, chunk by chunk and as whole clips.
 *
 * wan-vae [--level NAME] [--precision f32|bf16]; GESSO_SOURCE names the source tree.  The files are
 * made by wan_vae_cases.py, which also checks that diffusers' chunks equal the whole clip at once.
 */
#include "pass.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/mem.h"
#include "models/wan-vae.h"
#include "pipelines/clip-vae.h"
#include "support/tap.h"

/* Of the largest value of a result.  Sums in another order than the reference's: measured worst
 * 2.3e-6. */
static const double TOLERANCE_F32 = 1e-5;
/* Factors keep 8 bits, 2^-9 each, through some 40 layers whose errors add up as a random walk. */
static const double TOLERANCE_BF16 = 0.03;
/* A step of 1/255, and what separates values that round to two of them. */
static const double STEP = 1.0 / 255;

typedef struct
{
  Suite *suite;
  const char *name;
  Checkpoint *checkpoint;
  const WanVaeConfig *config;
  Arena arena;
  WanVae *vae;
  Status status;
} VaeModel;

static const FileTensor *
of_model (const VaeModel *m, const char *key)
{
  return expected (m->suite, m->name, key);
}

/* Element (frame, channel, row, column) of @t from one counted (frame, row, column, channel). */
static float
at_nhwc (const FileTensor *t, int64_t i)
{
  int64_t c = t->ne[1], w = t->ne[3], h = t->ne[2];
  int64_t channel = i % c, x = i / c % w, y = i / c / w % h, frame = i / c / w / h;
  return floats (t)[((frame * c + channel) * h + y) * w + x];
}

/* Its largest distance from @want, relative to @want's largest value; @got (frames, h, w, c) */
static double
distance (const FileTensor *want, const float *got)
{
  double worst = 0, largest = 0;
  for (int64_t i = 0; i < elements (want); i++)
    {
      double error = fabs ((double) got[i] - (double) at_nhwc (want, i));
      largest = fmax (largest, fabs ((double) at_nhwc (want, i)));
      worst = error > worst || isnan (error) ? error : worst;
    }
  return worst / largest;
}

/* A test of this model: "wan21/decode". */
static void
tell (const VaeModel *m, bool ok, const char *what, const char *detail)
{
  char name[256];
  snprintf (name, sizeof name, "%s/%s", m->name, what);
  tap_ok (ok, name, "%s", detail);
}

static void
compare_frames (VaeModel *m, const char *what, const FileTensor *want, const float *got)
{
  char detail[128];
  Suite *s = m->suite;
  double d = distance (want, got);
  s->worst = d > s->worst || isnan (d) ? d : s->worst;
  snprintf (detail, sizeof detail, "off by %.1e of its largest value", d);
  tell (m, d <= (s->compute == COMPUTE_F32 ? TOLERANCE_F32 : TOLERANCE_BF16), what, detail);
}

/* ---- chunks ---- */

/* A latent of the file, as the network has it. */
static void
read_latent (const FileTensor *z, int64_t t, float *out)
{
  int64_t n = z->ne[1] * z->ne[2] * z->ne[3];
  for (int64_t i = 0; i < n; i++)
    out[i] = at_nhwc (z, t * n + i);
}

typedef struct
{
  VaeModel *model;
  WanVaeMemory memory;
  float *remembered, *z;
  int64_t ne[4];
  int64_t n_frame; /* elements of a frame */
  int64_t n_done;
  float *frames;
} Chunks;

static Ctx *
measured (Chunks *c, bool is_first)
{
  VaeModel *m = c->model;
  Tensor *out[WAN_VAE_CHUNK] = { NULL };
  Ctx *ctx = ctx_new (m->suite->backend, m->suite->compute, NULL, &m->status);
  WanVaeMemory placed = c->memory;
  wan_vae_decode_chunk (ctx, m->vae, &c->memory, ctx_input (ctx, DTYPE_F32, 4, c->ne, NULL),
                        is_first, m->config->n_levels, out);
  if (c->remembered)
    c->memory = placed;
  if (!ctx_plan (ctx))
    status_fail (&m->status, ctx_status (ctx)->code, "%s", ctx_status (ctx)->message);
  return ctx;
}

static bool
run_chunk (Chunks *c, Ctx *ctx, bool is_first)
{
  Tensor *out[WAN_VAE_CHUNK] = { NULL };
  if (ctx_begin_run (ctx))
    wan_vae_decode_chunk (ctx, c->model->vae, &c->memory,
                          ctx_input (ctx, DTYPE_F32, 4, c->ne, c->z), is_first,
                          c->model->config->n_levels, out);
  if (!ctx_end_run (ctx))
    return status_fail (&c->model->status, ctx_status (ctx)->code, "%s", ctx_status (ctx)->message);
  for (int i = 0; i < WAN_VAE_CHUNK && out[i]; i++)
    memcpy (c->frames + c->n_frame * c->n_done++, out[i]->data,
            (size_t) c->n_frame * sizeof (float));
  return true;
}

/* Values as the network makes them, which bytes cannot show. */
static void
test_chunks (VaeModel *m)
{
  const FileTensor *z = of_model (m, "z"), *want = of_model (m, "decoded");
  Chunks c = { .model = m, .ne = { 1, z->ne[2], z->ne[3], z->ne[1] } };
  c.n_frame = elements (want) / want->ne[0];
  c.frames = mem_calloc ((size_t) elements (want), sizeof (float));
  c.z = mem_calloc ((size_t) elements (z), sizeof (float));
  ctx_free (measured (&c, false));
  c.remembered = mem_calloc (wan_vae_memory_bytes (&c.memory, DTYPE_F32), 1);
  wan_vae_memory_place (&c.memory, DTYPE_F32, c.remembered);
  Ctx *first = measured (&c, true), *rest = measured (&c, false);
  for (int64_t t = 0; t < z->ne[0] && status_ok (&m->status); t++)
    {
      read_latent (z, t, c.z);
      run_chunk (&c, t ? rest : first, t == 0);
    }
  if (status_ok (&m->status) && c.n_done == want->ne[0])
    compare_frames (m, "chunks", want, c.frames);
  else
    tell (m, false, "chunks", m->status.message);
  ctx_free (first);
  ctx_free (rest);
  mem_free (c.frames);
  mem_free (c.z);
  mem_free (c.remembered);
}

/* ---- clips ---- */

typedef struct
{
  const FileTensor *pictures;
  int64_t next;
  double worst; /* in 0 .. 1 */
  double sum;   /* of errors */
} Frames;

/* Of the file's pictures, -1 .. 1. */
static bool
take_frame (void *data, int64_t index, const uint8_t *rgb, Status *status)
{
  Frames *f = data;
  int64_t n = elements (f->pictures) / f->pictures->ne[0];
  for (int64_t i = 0; i < n; i++)
    {
      double want = (double) at_nhwc (f->pictures, index * n + i) * 0.5 + 0.5;
      double error = fabs ((double) rgb[i] / 255 - want);
      f->worst = fmax (f->worst, error);
      f->sum += error;
    }
  if (index != f->next++)
    return status_fail (status, STATUS_FORMAT, "frame %lld out of turn", (long long) index);
  return true;
}

static bool
give_frame (void *data, int64_t index, float *pixels, Status *status)
{
  const Frames *f = data;
  int64_t n = elements (f->pictures) / f->pictures->ne[0];
  for (int64_t i = 0; i < n; i++)
    pixels[i] = at_nhwc (f->pictures, index * n + i);
  return true;
}

static ClipVae
clip_vae_of (const VaeModel *m)
{
  return (ClipVae){
    .vae = m->vae, .config = m->config, .backend = m->suite->backend, .compute = m->suite->compute
  };
}

/* (t, C, h, w) to (C, t, h, w), normalised. */
static float *
normalised (const VaeModel *m, const FileTensor *z)
{
  int64_t n = z->ne[2] * z->ne[3], c = z->ne[1];
  float *out = mem_calloc ((size_t) elements (z), sizeof *out);
  for (int64_t i = 0; i < elements (z); i++)
    {
      int64_t k = i / n % c, t = i / n / c;
      out[(k * z->ne[0] + t) * n + i % n] =
          (floats (z)[i] - m->config->mean[k]) / m->config->std[k];
    }
  return out;
}

static void
test_decode (VaeModel *m)
{
  char detail[128];
  const FileTensor *z = of_model (m, "z");
  Frames f = { .pictures = of_model (m, "picture") };
  ClipVae v = clip_vae_of (m);
  float *latents = normalised (m, z);
  bool ok = clip_vae_decode (&v, (ClipSize){ z->ne[0], z->ne[2], z->ne[3] }, latents, take_frame,
                             &f, &m->status);
  double most = STEP * 0.5 + 1e-3;
  if (m->suite->compute == COMPUTE_BF16)
    most += TOLERANCE_BF16;
  snprintf (detail, sizeof detail, "off by %.2f steps%s%s", f.worst / STEP, ok ? "" : ": ",
            m->status.message);
  tell (m, ok && f.next == f.pictures->ne[0] && f.worst <= most, "decode", detail);
  mem_free (latents);
}

static void
test_encode (VaeModel *m)
{
  const FileTensor *mean = of_model (m, "mean");
  Frames f = { .pictures = of_model (m, "clip") };
  ClipVae v = clip_vae_of (m);
  int64_t n = mean->ne[2] * mean->ne[3], c = mean->ne[1];
  float *latents = mem_calloc ((size_t) elements (mean), sizeof (float));
  float *plain = mem_calloc ((size_t) elements (mean), sizeof (float));
  bool ok = clip_vae_encode (&v, (ClipSize){ mean->ne[0], mean->ne[2], mean->ne[3] }, give_frame,
                             &f, latents, &m->status);
  for (int64_t i = 0; i < elements (mean); i++)
    {
      int64_t k = i % c, pixel = i / c % n, t = i / c / n;
      plain[i] =
          latents[(k * mean->ne[0] + t) * n + pixel] * m->config->std[k] + m->config->mean[k];
    }
  if (ok)
    compare_frames (m, "encode", mean, plain);
  else
    tell (m, false, "encode", m->status.message);
  /* As the model's own statistics have it, which a single file of this size lacks. */
  for (int64_t i = 0; ok && i < elements (mean); i++)
    plain[i] = latents[(i % c * mean->ne[0] + i / c / n) * n + i / c % n];
  if (ok && m->config->mean[0] != 0)
    compare_frames (m, "latents", of_model (m, "latent"), plain);
  mem_free (latents);
  mem_free (plain);
}

/* ---- files ---- */

static void
test_file (Suite *s, const char *path, const char *name)
{
  char full[2304];
  VaeModel m = { .suite = s, .name = name };
  snprintf (full, sizeof full, "%s/%s", s->folder, path);
  printf ("# %s\n", path);
  m.checkpoint = checkpoint_open (full, false, &m.status);
  if (m.checkpoint)
    {
      Binder b = { m.checkpoint->weights, &m.arena, &m.status };
      m.config = &m.checkpoint->config.wan_vae;
      m.vae = wan_vae_bind (&b, m.config,
                            m.config->has_encoder ? VAE_DECODER | VAE_ENCODER : VAE_DECODER);
      weights_check (m.checkpoint->weights, &m.status);
    }
  if (m.vae && status_ok (&m.status))
    {
      int n = weights_unused_count (m.checkpoint->weights, "");
      tell (&m, n == 0 && m.checkpoint->n_unknown == 0, path, "every weight has a place");
      test_chunks (&m);
      test_decode (&m);
      if (m.config->has_encoder)
        test_encode (&m);
    }
  else
    tell (&m, false, path, m.status.message);
  arena_clear (&m.arena);
  checkpoint_free (m.checkpoint);
}

static void
test_all (Suite *s)
{
  test_file (s, "wan21", "wan21");
  test_file (s, "wan21.pth", "wan21");
  test_file (s, "wan22", "wan22");
  test_file (s, "wan22.safetensors", "wan22");
  test_file (s, "broad", "broad");
}

int
main (int argc, char **argv)
{
  Suite s = { .fixtures = "wan-vae",
              .expectation = "expect.safetensors",
              .tolerance_f32 = TOLERANCE_F32,
              .tolerance_bf16 = TOLERANCE_BF16,
              .test_all = test_all };
  return suite_main (&s, argc, argv);
}
