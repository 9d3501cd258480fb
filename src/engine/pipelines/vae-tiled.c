/* SPDX-License-Identifier: MPL-2.0
 * vae-tiled.c - pictures to latents and back, in tiles where they are large.
 */
#include <string.h>

#include "core/mem.h"
#include "core/trace.h"
#include "pipelines/digest.h"
#include "pipelines/pipeline-private.h"

typedef enum
{
  DECODE,
  ENCODE
} Direction;

/* One network over a picture in tiles.  Sizes are those of the network's input. */
typedef struct
{
  Pipeline *pipeline;
  const PipelineJob *job;
  Direction direction;
  TileAxis y, x;
  int64_t c_in, c_out; /* channels */
  Ctx *ctx;
} VaePass;

/* Output positions for an input position: 8 or 1/8 of it. */
static TileAxis
output_axis (const VaePass *p, TileAxis a)
{
  int f = vae_factor (&p->pipeline->checkpoint->config.vae);
  if (p->direction == DECODE)
    return (TileAxis){ a.total * f, a.size * f, a.overlap * f, a.n };
  return (TileAxis){ a.total / f, a.size / f, a.overlap / f, a.n };
}

/* Tiles are laid out in latent pixels, so that each begins and ends on one. */
static TileAxis
pixel_axis (TileAxis a, int f)
{
  return (TileAxis){ a.total * f, a.size * f, a.overlap * f, a.n };
}

static Tensor *
forward (VaePass *p, float *input)
{
  int64_t ne[4] = { 1, p->y.size, p->x.size, p->c_in };
  Tensor *in = ctx_input (p->ctx, ctx_activation (p->ctx), 4, ne, input);
  Tensor *out = p->direction == DECODE ? vae_decode (p->ctx, p->pipeline->vae, in)
                                       : vae_encode (p->ctx, p->pipeline->vae, in);
  return out;
}

static void
copy_tile (const VaePass *p, float *tile, const float *picture, int iy, int ix)
{
  int64_t y0 = tile_start (&p->y, iy), x0 = tile_start (&p->x, ix);
  for (int64_t r = 0; r < p->y.size; r++)
    memcpy (tile + r * p->x.size * p->c_in, picture + ((y0 + r) * p->x.total + x0) * p->c_in,
            (size_t) (p->x.size * p->c_in) * sizeof (float));
}

static bool
run_tiles (VaePass *p, const float *input, TileBlend *blend, Status *status)
{
  float *tile = mem_calloc ((size_t) (p->y.size * p->x.size * p->c_in), sizeof *tile);
  if (!tile)
    return status_fail (status, STATUS_NO_MEMORY, "Out of memory: choose a smaller picture.");
  TileAxis out_y = output_axis (p, p->y), out_x = output_axis (p, p->x);
  int n_tiles = p->y.n * p->x.n, done = 0;
  PipelinePhase phase = p->direction == DECODE ? PHASE_DECODE : PHASE_ENCODE;
  for (int iy = 0; iy < p->y.n && status_ok (status); iy++)
    for (int ix = 0; ix < p->x.n && status_ok (status); ix++)
      {
        copy_tile (p, tile, input, iy, ix);
        Tensor *out = ctx_begin_run (p->ctx) ? forward (p, tile) : NULL;
        const float *values = ctx_end_run (p->ctx) ? ctx_read (p->ctx, out) : NULL;
        if (!values)
          {
            copy_ctx_status (p->ctx, status);
            break;
          }
        tile_blend_add (blend, &out_y, iy, &out_x, ix, values);
        if (p->job->progress)
          p->job->progress (p->job->data, phase, ++done, n_tiles);
      }
  mem_free (tile);
  tile_blend_finish (blend);
  return status_ok (status);
}

/* Measures, then plans only or runs.  @input and the result in @blend are (h, w, c). */
static bool
run_pass (VaePass *p, const float *input, TileBlend *blend, PhasePlan *plan, Status *status)
{
  Compute compute = pipeline_compute (p->pipeline, p->job, NETWORK_VAE);
  p->ctx = ctx_new (p->pipeline->backend, compute, p->job->cancel, status);
  if (!p->ctx)
    return false;
  forward (p, NULL);
  bool ok = ctx_plan (p->ctx) || copy_ctx_status (p->ctx, status);
  if (ok && plan)
    plan_phase (p->ctx, plan, p->y.n * p->x.n);
  else if (ok)
    {
      TileAxis y = output_axis (p, p->y), x = output_axis (p, p->x);
      ok = tile_blend_init (blend, y.total, x.total, p->c_out, status) &&
           run_tiles (p, input, blend, status);
      if (!ok)
        tile_blend_clear (blend);
    }
  trace_write (p->ctx, phase_name (p->direction == DECODE ? PHASE_DECODE : PHASE_ENCODE));
  ctx_free (p->ctx);
  return ok;
}

bool
pipeline_vae_decode (Pipeline *pipeline,
                     const PipelineJob *job,
                     const float *latent,
                     int64_t h,
                     int64_t w,
                     uint8_t *rgb,
                     int tile_px,
                     PhasePlan *plan,
                     Status *status)
{
  const VaeConfig *c = &pipeline->checkpoint->config.vae;
  int f = vae_factor (c), tile = tile_px / f, overlap = VAE_TILE_OVERLAP_PX / f;
  VaePass p = { .pipeline = pipeline,
                .job = job,
                .direction = DECODE,
                .y = tile_axis (h, tile, overlap),
                .x = tile_axis (w, tile, overlap),
                .c_in = c->latent_channels,
                .c_out = c->in_channels };
  if (plan)
    return run_pass (&p, NULL, NULL, plan, status);
  int64_t n = h * w * c->latent_channels;
  float *z = mem_calloc ((size_t) n, sizeof *z);
  if (!z)
    return status_fail (status, STATUS_NO_MEMORY, "Out of memory: choose a smaller picture.");
  nchw_to_nhwc (z, latent, 1, c->latent_channels, h, w);
  for (int64_t i = 0; i < n; i++)
    z[i] = z[i] / c->scaling_factor + c->shift_factor;
  TileBlend blend = { 0 };
  bool ok = run_pass (&p, z, &blend, NULL, status);
  for (int64_t i = 0; ok && i < blend.h * blend.w * blend.n_channels; i++)
    rgb[i] = unit_to_byte (blend.sum[i] * 0.5f + 0.5f);
  tile_blend_clear (&blend);
  mem_free (z);
  return ok;
}

bool
pipeline_vae_encode (Pipeline *pipeline,
                     const PipelineJob *job,
                     const uint8_t *rgb,
                     const uint8_t *hole,
                     int64_t height,
                     int64_t width,
                     float *latent,
                     int tile_px,
                     PhasePlan *plan,
                     Status *status)
{
  const VaeConfig *c = &pipeline->checkpoint->config.vae;
  int f = vae_factor (c), tile = tile_px / f, overlap = VAE_TILE_OVERLAP_PX / f;
  VaePass p = { .pipeline = pipeline,
                .job = job,
                .direction = ENCODE,
                .y = pixel_axis (tile_axis (height / f, tile, overlap), f),
                .x = pixel_axis (tile_axis (width / f, tile, overlap), f),
                .c_in = c->in_channels,
                .c_out = 2 * c->latent_channels };
  if (plan)
    return run_pass (&p, NULL, NULL, plan, status);
  int64_t n = height * width * c->in_channels;
  float *x = mem_calloc ((size_t) n, sizeof *x);
  if (!x)
    return status_fail (status, STATUS_NO_MEMORY, "Out of memory: choose a smaller picture.");
  for (int64_t i = 0; i < n; i++)
    x[i] = hole && hole[i / c->in_channels] >= MASK_HALF ? 0 : (float) rgb[i] / 127.5f - 1.0f;
  TileBlend blend = { 0 };
  bool ok = run_pass (&p, x, &blend, NULL, status);
  /* the mean is the first half of the channels */
  for (int64_t i = 0; ok && i < blend.h * blend.w; i++)
    for (int64_t k = 0; k < c->latent_channels; k++)
      latent[k * blend.h * blend.w + i] =
          (blend.sum[i * blend.n_channels + k] - c->shift_factor) * c->scaling_factor;
  tile_blend_clear (&blend);
  mem_free (x);
  return ok;
}

/* The choice depends on the job alone, not on how much memory happens to be free: the same recipe
 * must give the same picture. */
/* 0: whole pictures.  A tile's edges overlap, so that smaller ones cost much more. */
static const int tiles[] = { 0, VAE_AUTO_TILE_PX, 512, 384, 256 };

enum
{
  N_TILES = sizeof tiles / sizeof *tiles
};

/* The largest that memory is enough for; the smallest where it never is. */
static int
choose_tile (Pipeline *pipeline, const PipelineJob *job, Status *status)
{
  int f = vae_factor (&pipeline->checkpoint->config.vae);
  bool is_card = pipeline->backend->device.memory != NULL;
  for (int i = 0; i < N_TILES; i++)
    {
      PhasePlan plan = { 0 };
      if (!pipeline_vae_decode (pipeline, job, NULL, job->height / f, job->width / f, NULL,
                                tiles[i], &plan, status))
        return -1;
      if (!is_card)
        return plan.activation_bytes > VAE_WHOLE_LIMIT_BYTES ? VAE_AUTO_TILE_PX : 0;
      if (room_is_enough (pipeline->backend, &plan))
        return tiles[i];
    }
  return tiles[N_TILES - 1];
}

/* The next smaller ones; 0: there are none. */
static int
smaller_tile (int tile)
{
  int i = 0;
  while (i < N_TILES && tiles[i] != tile)
    i++;
  return i + 1 < N_TILES ? tiles[i + 1] : 0;
}

int
pipeline_vae_tile (Pipeline *pipeline, const PipelineJob *job, Status *status)
{
  if (job->vae_tile > 0)
    return job->vae_tile;
  return choose_tile (pipeline, job, status);
}

bool
pipeline_vae_latent (Pipeline *pipeline,
                     const PipelineJob *job,
                     const uint8_t *rgb,
                     const uint8_t *hole,
                     int height,
                     int width,
                     float *latent,
                     Status *status)
{
  const VaeConfig *c = &pipeline->checkpoint->config.vae;
  int tile = pipeline_vae_tile (pipeline, job, status), f = vae_factor (c);
  if (tile < 0)
    return false;
  size_t n_pixels = (size_t) width * (size_t) height;
  size_t n = n_pixels / (size_t) (f * f) * (size_t) c->latent_channels;
  uint64_t key = digest_int (digest_text (DIGEST_START, "latent"), job->compute);
  key = digest_int (digest_int (digest_int (key, tile), width), height);
  key = digest_bytes (key, rgb, n_pixels * (size_t) c->in_channels);
  key = hole ? digest_bytes (key, hole, n_pixels) : key;
  if (encoding_cache_get (&pipeline->cache, key, latent, n))
    return true;
  if (!pipeline_vae_encode (pipeline, job, rgb, hole, height, width, latent, tile, NULL, status))
    return false;
  encoding_cache_put (&pipeline->cache, key, latent, n);
  return true;
}

/* When other programs have taken the card's memory meanwhile, smaller tiles may still do. */
static bool
decode_by_room (Pipeline *pipeline,
                const PipelineJob *job,
                const float *latent,
                uint8_t *rgb,
                int tile,
                Status *status)
{
  LatentShape s = pipeline_latent_shape (pipeline, job);
  for (;;)
    {
      Status own = { 0 };
      if (pipeline_vae_decode (pipeline, job, latent, s.h, s.w, rgb, tile, NULL, &own))
        return true;
      tile = pipeline->backend->device.memory && own.code == STATUS_NO_MEMORY ? smaller_tile (tile)
                                                                              : 0;
      if (tile == 0)
        return status_fail (status, own.code, "%s", own.message);
    }
}

bool
pipeline_decode_picture (Pipeline *pipeline,
                         const PipelineJob *job,
                         const float *latent,
                         int tile_px,
                         const FrameSink *sink,
                         Status *status)
{
  LatentShape s = pipeline_latent_shape (pipeline, job);
  uint8_t *rgb = mem_calloc ((size_t) job->width * (size_t) job->height, 3);
  bool may_choose = tile_px < 0 && job->vae_tile <= 0;
  if (tile_px < 0)
    tile_px = pipeline_vae_tile (pipeline, job, status);
  bool ok =
      rgb || status_fail (status, STATUS_NO_MEMORY, "Out of memory: choose a smaller picture.");
  ok = ok && tile_px >= 0 &&
       (may_choose
            ? decode_by_room (pipeline, job, latent, rgb, tile_px, status)
            : pipeline_vae_decode (pipeline, job, latent, s.h, s.w, rgb, tile_px, NULL, status)) &&
       sink->take (sink->data, rgb, 0, 1, status);
  mem_free (rgb);
  return ok;
}
