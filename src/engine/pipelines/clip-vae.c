/* SPDX-License-Identifier: MPL-2.0
 * clip-vae.c - a clip's chunks through Wan's VAE, tile after tile.
 *
 * A tile goes through the whole clip before the next begins, because most of the memory is what its
 * layers remember.  Without tiles a finished frame is handed on at once; with them frames gather in
 * a ClipCanvas, and the last tile finishes them one after the other.
 */
#include "pipelines/clip-vae.h"

#include <string.h>

#include "core/mem.h"
#include "core/trace.h"
#include "pipelines/clip-frames.h"
#include "pipelines/pipeline-private.h"

enum
{
  /* diffusers' AutoencoderKLWan blends over as many. */
  CLIP_TILE_OVERLAP_PX = 64,
  CLIP_AUTO_TILE_PX = 512
};

/* Clips that need more are made in tiles: reached a little above 832 x 480. */
static const size_t CLIP_WHOLE_LIMIT_BYTES = (size_t) 6 << 30;

/* One way through the VAE. */
typedef struct
{
  const ClipVae *v;
  ClipDirection direction;
  ClipSize size;
  TileAxis y, x; /* latent pixels */
  WanVaeMemory memory;
  void *remembered; /* the memory's, on the device */
  size_t n_remembered_bytes;
  float *inputs;  /* of a chunk: a latent, or frames in patches */
  float *latents; /* normalised, (C, t, h, w): read, or summed up */
  int done;
  /* decoding */
  ClipCanvas canvas; /* all frames of a clip in tiles, else one */
  uint8_t *rgb;
  ClipFrameSink sink;
  void *sink_data;
  /* encoding */
  float *frame;
  ClipFrameSource source;
  void *source_data;
} Pass;

/* As few tiles of @most as reach, all as small as these then may be. */
static TileAxis
even_axis (int64_t total, int64_t most, int64_t overlap)
{
  TileAxis a = tile_axis (total, most, overlap);
  a.size = (total + (a.n - 1) * a.overlap + a.n - 1) / a.n;
  return a;
}

static Pass
pass_of (const ClipVae *v, ClipSize size, ClipDirection direction, int tile_px)
{
  int f = wan_vae_factor (v->config), tile = tile_px / f, overlap = CLIP_TILE_OVERLAP_PX / f;
  return (Pass){ .v = v,
                 .direction = direction,
                 .size = size,
                 .y = even_axis (size.h, tile, overlap),
                 .x = even_axis (size.w, tile, overlap) };
}

static int
n_tiles (const Pass *p)
{
  return p->y.n * p->x.n;
}

static int
frames_of_chunk (bool is_first)
{
  return is_first ? 1 : WAN_VAE_CHUNK;
}

/* Shape of what enters the network: a latent, or a frame in patches. */
static void
input_shape (const Pass *p, int64_t ne[4])
{
  const WanVaeConfig *c = p->v->config;
  int64_t scale = p->direction == CLIP_DECODE ? 1 : wan_vae_factor (c) / c->patch;
  ne[0] = 1;
  ne[1] = p->y.size * scale;
  ne[2] = p->x.size * scale;
  ne[3] = p->direction == CLIP_DECODE ? c->latent_channels : CLIP_COLOURS * c->patch * c->patch;
}

static int64_t
input_floats (const Pass *p)
{
  int64_t ne[4];
  input_shape (p, ne);
  return ne[1] * ne[2] * ne[3];
}

/* ---- one chunk ---- */

/* What tells one plan from another.  n_levels 0: a chunk that nobody needs. */
typedef struct
{
  bool is_first;
  int n_levels;
} ChunkKind;

/* Before the frames that are wanted, only what they need is decoded. */
static ChunkKind
chunk_kind (const Pass *p, int64_t t)
{
  int64_t n_skip = p->v->n_skip, wanted = n_skip > 0 ? 1 + (n_skip - 1) / WAN_VAE_CHUNK : 0;
  bool is_whole = p->direction == CLIP_ENCODE || t >= wanted;
  return (ChunkKind){ .is_first = t == 0,
                      .n_levels = is_whole ? p->v->config->n_levels
                                           : wan_vae_decode_levels (p->v->config, wanted - t) };
}

static int
n_chunks (const Pass *p)
{
  int n = 0;
  for (int64_t t = 0; t < p->size.t; t++)
    n += chunk_kind (p, t).n_levels > 0;
  return n;
}

/* @out: receives what the chunk becomes: frames, or a latent */
static void
forward (Pass *p, Ctx *ctx, ChunkKind kind, Tensor *out[WAN_VAE_CHUNK])
{
  int64_t ne[4];
  input_shape (p, ne);
  const Tensor *in[WAN_VAE_CHUNK] = { NULL };
  for (int i = 0; i < (p->direction == CLIP_DECODE ? 1 : frames_of_chunk (kind.is_first)); i++)
    in[i] = ctx_input (ctx, ctx_activation (ctx), 4, ne,
                       p->inputs ? p->inputs + i * input_floats (p) : NULL);
  if (p->direction == CLIP_DECODE)
    wan_vae_decode_chunk (ctx, p->v->vae, &p->memory, in[0], kind.is_first, kind.n_levels, out);
  else
    out[0] = wan_vae_encode_chunk (ctx, p->v->vae, &p->memory, in, kind.is_first);
}

/* What layers remember keeps its place.  Returns: planned; NULL and @status */
static Ctx *
measure (Pass *p, ChunkKind kind, Status *status)
{
  Tensor *out[WAN_VAE_CHUNK] = { NULL };
  Ctx *ctx = ctx_new (p->v->backend, p->v->compute, p->v->cancel, status);
  if (!ctx)
    return NULL;
  WanVaeMemory placed = p->memory;
  forward (p, ctx, kind, out);
  if (p->remembered)
    p->memory = placed;
  if (ctx_plan (ctx))
    return ctx;
  copy_ctx_status (ctx, status);
  ctx_free (ctx);
  return NULL;
}

/* ---- decoding ---- */

/* Latent @t of a tile, as the network has it. */
static void
read_latent (const Pass *p, int64_t t, int64_t y0, int64_t x0)
{
  const WanVaeConfig *c = p->v->config;
  for (int64_t k = 0; k < c->latent_channels; k++)
    for (int64_t y = 0; y < p->y.size; y++)
      {
        const float *row = p->latents + ((k * p->size.t + t) * p->size.h + y0 + y) * p->size.w + x0;
        float *to = p->inputs + y * p->x.size * c->latent_channels + k;
        for (int64_t x = 0; x < p->x.size; x++)
          to[x * c->latent_channels] = row[x] * c->std[k] + c->mean[k];
      }
}

/* @is_last: no tile follows, so the frames are whole */
static bool
take_frames (Pass *p,
             const ClipTile *tile,
             int64_t t,
             const float *const frames[WAN_VAE_CHUNK],
             bool is_last,
             Status *status)
{
  int64_t first = t ? wan_vae_frames (t) : 0;
  for (int i = 0; i < frames_of_chunk (t == 0); i++)
    {
      if (first + i < p->v->n_skip)
        continue;
      int64_t slot = n_tiles (p) > 1 ? first + i - p->v->n_skip : 0;
      clip_canvas_add (&p->canvas, slot, tile, p->v->config->patch, frames[i]);
      if (!is_last)
        continue;
      clip_canvas_take (&p->canvas, slot, p->rgb);
      if (!p->sink (p->sink_data, first + i, p->rgb, status))
        return false;
    }
  return true;
}

/* ---- encoding ---- */

static bool
read_frames (Pass *p, const ClipTile *tile, int64_t t, Status *status)
{
  int64_t first = t ? wan_vae_frames (t) : 0, width = p->size.w * wan_vae_factor (p->v->config);
  for (int i = 0; i < frames_of_chunk (t == 0); i++)
    {
      if (!p->source (p->source_data, first + i, p->frame, status))
        return false;
      clip_tile_cut (tile, p->v->config->patch, p->frame, width, p->inputs + i * input_floats (p));
    }
  return true;
}

/* The mean is the first half of @moments' channels. */
static void
add_latent (Pass *p, int iy, int ix, int64_t t, const float *moments)
{
  const WanVaeConfig *c = p->v->config;
  int64_t y0 = tile_start (&p->y, iy), x0 = tile_start (&p->x, ix);
  for (int64_t y = 0; y < p->y.size; y++)
    for (int64_t x = 0; x < p->x.size; x++)
      {
        float share = tile_share (&p->y, iy, y) * tile_share (&p->x, ix, x);
        const float *from = moments + (y * p->x.size + x) * 2 * c->latent_channels;
        int64_t pixel = (t * p->size.h + y0 + y) * p->size.w + x0 + x;
        for (int64_t k = 0; k < c->latent_channels; k++)
          p->latents[k * p->size.t * p->size.h * p->size.w + pixel] +=
              share * (from[k] - c->mean[k]) / c->std[k];
      }
}

/* ---- a tile, and all of them ---- */

/* What a chunk became, in the program's memory. */
static bool
read_results (Ctx *ctx,
              Tensor *const out[WAN_VAE_CHUNK],
              const float *values[WAN_VAE_CHUNK],
              Status *status)
{
  for (int i = 0; i < WAN_VAE_CHUNK && out[i]; i++)
    if (!(values[i] = ctx_read (ctx, out[i])))
      return copy_ctx_status (ctx, status);
  return true;
}

static bool
run_chunk (Pass *p, Ctx *ctx, const ClipTile *tile, int iy, int ix, int64_t t, Status *status)
{
  Tensor *out[WAN_VAE_CHUNK] = { NULL };
  const float *values[WAN_VAE_CHUNK] = { NULL };
  bool is_last = iy + 1 == p->y.n && ix + 1 == p->x.n;
  if (p->direction == CLIP_DECODE)
    read_latent (p, t, tile_start (&p->y, iy), tile_start (&p->x, ix));
  else if (!read_frames (p, tile, t, status))
    return false;
  if (ctx_begin_run (ctx))
    forward (p, ctx, chunk_kind (p, t), out);
  if (!ctx_end_run (ctx))
    return copy_ctx_status (ctx, status);
  if (!read_results (ctx, out, values, status))
    return false;
  if (p->direction == CLIP_ENCODE)
    add_latent (p, iy, ix, t, values[0]);
  else if (!take_frames (p, tile, t, values, is_last, status))
    return false;
  if (p->v->progress)
    p->v->progress (p->v->data, ++p->done, n_tiles (p) * n_chunks (p));
  return true;
}

static void
clear_remembered (Pass *p, bool is_fresh)
{
  Device *d = &p->v->backend->device;
  if (d->memory)
    d->memory->clear (d, p->remembered, p->n_remembered_bytes);
  else if (!is_fresh) /* else it is zeros already */
    memset (p->remembered, 0, p->n_remembered_bytes);
}

/* Each kind of chunk has a plan of its own, whose memory is given back before the next one's. */
static bool
run_tile (Pass *p, const ClipTile *tile, int iy, int ix, Status *status)
{
  Ctx *ctx = NULL;
  ChunkKind planned = { 0 };
  clear_remembered (p, iy == 0 && ix == 0);
  for (int64_t t = 0; t < p->size.t && status_ok (status); t++)
    {
      ChunkKind kind = chunk_kind (p, t);
      if (kind.n_levels == 0)
        continue;
      if (kind.n_levels != planned.n_levels || kind.is_first != planned.is_first)
        {
          ctx_free (ctx);
          ctx = measure (p, kind, status);
          planned = kind;
        }
      if (ctx)
        run_chunk (p, ctx, tile, iy, ix, t, status);
    }
  if (ctx)
    trace_write (ctx, phase_name (p->direction == CLIP_DECODE ? PHASE_DECODE : PHASE_ENCODE));
  ctx_free (ctx);
  return status_ok (status);
}

static bool
run_tiles (Pass *p, Status *status)
{
  for (int iy = 0; iy < p->y.n; iy++)
    for (int ix = 0; ix < p->x.n; ix++)
      {
        ClipTile tile;
        if (!clip_tile_init (&tile, &p->y, iy, &p->x, ix, wan_vae_factor (p->v->config), status))
          return false;
        run_tile (p, &tile, iy, ix, status);
        clip_tile_clear (&tile);
        if (!status_ok (status))
          return false;
      }
  return true;
}

static DType
activation_of (const Pass *p)
{
  return device_activation (&p->v->backend->device, p->v->compute);
}

static size_t
remembered_bytes (const Pass *p)
{
  return wan_vae_memory_bytes (&p->memory, activation_of (p));
}

/* Bytes beside what operators need: what layers remember, and in the program's own memory inputs
 * and frames. */
static size_t
held_bytes (const Pass *p)
{
  int f = wan_vae_factor (p->v->config);
  int64_t h = p->size.h * f, w = p->size.w * f;
  size_t inputs = (size_t) input_floats (p) * sizeof (float);
  size_t n = remembered_bytes (p);
  if (p->v->backend->device.memory)
    return n;
  if (p->direction == CLIP_ENCODE)
    return n + inputs * WAN_VAE_CHUNK + (size_t) (h * w * CLIP_COLOURS) * sizeof (float);
  int64_t n_frames = n_tiles (p) > 1 ? wan_vae_frames (p->size.t) - p->v->n_skip : 1;
  return n + inputs + clip_canvas_bytes (n_frames, h, w) + (size_t) (h * w * CLIP_COLOURS);
}

static bool
allocate (Pass *p, Status *status)
{
  int f = wan_vae_factor (p->v->config);
  int64_t h = p->size.h * f, w = p->size.w * f;
  bool decodes = p->direction == CLIP_DECODE;
  Device *d = &p->v->backend->device;
  p->n_remembered_bytes = remembered_bytes (p);
  p->remembered = d->memory ? d->memory->take (d, p->n_remembered_bytes, status)
                            : mem_map (p->n_remembered_bytes);
  p->inputs =
      mem_calloc ((size_t) input_floats (p) * (decodes ? 1 : WAN_VAE_CHUNK), sizeof (float));
  p->rgb = decodes ? mem_calloc ((size_t) (h * w * CLIP_COLOURS), 1) : NULL;
  p->frame = decodes ? NULL : mem_calloc ((size_t) (h * w * CLIP_COLOURS), sizeof (float));
  if (!p->remembered || !p->inputs || (!p->rgb && !p->frame))
    return status_fail (status, STATUS_NO_MEMORY,
                        "Not enough memory: the video VAE needs %.0f MiB; choose smaller VAE "
                        "tiles or a smaller size, or close programs.",
                        (double) held_bytes (p) / (1 << 20));
  wan_vae_memory_place (&p->memory, activation_of (p), p->remembered);
  int64_t n_frames = n_tiles (p) > 1 ? wan_vae_frames (p->size.t) - p->v->n_skip : 1;
  return !decodes || clip_canvas_init (&p->canvas, n_frames, h, w, status);
}

static void
pass_clear (Pass *p)
{
  Device *d = &p->v->backend->device;
  if (p->remembered && d->memory)
    d->memory->give_back (d, p->remembered);
  else if (p->remembered)
    mem_unmap (p->remembered, p->n_remembered_bytes);
  clip_canvas_clear (&p->canvas);
  mem_free (p->inputs);
  mem_free (p->rgb);
  mem_free (p->frame);
}

static ChunkKind
whole_chunk (const Pass *p)
{
  return (ChunkKind){ p->size.t == 1, p->v->config->n_levels };
}

/* Learns what layers remember from the chunk that has all of them. */
static bool
run_pass (Pass *p, Status *status)
{
  Ctx *ctx = measure (p, whole_chunk (p), status);
  ctx_free (ctx);
  bool ok = ctx && allocate (p, status) && run_tiles (p, status);
  pass_clear (p);
  return ok;
}

static bool
check_size (const ClipVae *v, ClipSize size, Status *status)
{
  enum
  {
    MOST = 1 << 16 /* latents of a side, and in time */
  };
  if (size.t < 1 || size.h < 1 || size.w < 1 || size.t > MOST || size.h > MOST || size.w > MOST)
    return status_fail (status, STATUS_ARGUMENT, "A clip of %lld x %lld x %lld latents is none.",
                        (long long) size.t, (long long) size.h, (long long) size.w);
  int f = wan_vae_factor (v->config);
  if (v->tile_px < 0 || v->tile_px % f)
    return status_fail (status, STATUS_ARGUMENT, "A VAE tile of %d pixels is not a multiple of %d.",
                        v->tile_px, f);
  return true;
}

bool
clip_vae_decode (const ClipVae *v,
                 ClipSize size,
                 const float *latents,
                 ClipFrameSink sink,
                 void *sink_data,
                 Status *status)
{
  if (!check_size (v, size, status))
    return false;
  Pass p = pass_of (v, size, CLIP_DECODE, v->tile_px);
  p.latents = (float *) (uintptr_t) latents; /* read only, this way */
  p.sink = sink;
  p.sink_data = sink_data;
  return run_pass (&p, status);
}

bool
clip_vae_encode (const ClipVae *v,
                 ClipSize size,
                 ClipFrameSource source,
                 void *source_data,
                 float *latents,
                 Status *status)
{
  if (!check_size (v, size, status))
    return false;
  Pass p = pass_of (v, size, CLIP_ENCODE, v->tile_px);
  p.latents = latents;
  p.source = source;
  p.source_data = source_data;
  memset (latents, 0,
          (size_t) (v->config->latent_channels * size.t * size.h * size.w) * sizeof (float));
  return run_pass (&p, status);
}

/* @n: chunks of the kind, in each tile */
static bool
plan_chunks (Pass *p, ChunkKind kind, int n, PhasePlan *plan, Status *status)
{
  PhasePlan one;
  Ctx *ctx = kind.n_levels > 0 ? measure (p, kind, status) : NULL;
  if (!ctx)
    return kind.n_levels == 0;
  plan_phase (ctx, &one, n_tiles (p) * n);
  plan_join (plan, &one);
  ctx_free (ctx);
  return true;
}

/* Chunks of a kind come one after the other. */
static bool
plan_pass (Pass *p, PhasePlan *plan, Status *status)
{
  ChunkKind kind = chunk_kind (p, 0);
  int n = 0;
  *plan = (PhasePlan){ 0 };
  for (int64_t t = 0; t < p->size.t; t++, n++)
    {
      ChunkKind next = chunk_kind (p, t);
      if (next.is_first == kind.is_first && next.n_levels == kind.n_levels)
        continue;
      if (!plan_chunks (p, kind, n, plan, status))
        return false;
      kind = next;
      n = 0;
    }
  if (!plan_chunks (p, kind, n, plan, status))
    return false;
  plan->activation_bytes += held_bytes (p);
  plan->bound_bytes += held_bytes (p);
  return true;
}

bool
clip_vae_plan (
    const ClipVae *v, ClipSize size, ClipDirection direction, PhasePlan *plan, Status *status)
{
  Pass p = pass_of (v, size, direction, v->tile_px);
  return check_size (v, size, status) && plan_pass (&p, plan, status);
}

/* 0: whole frames. */
static const int tiles[] = { 0, CLIP_AUTO_TILE_PX, 384, 256 };

int
clip_vae_smaller_tile (int tile)
{
  for (size_t i = 0; i + 1 < sizeof tiles / sizeof *tiles; i++)
    if (tiles[i] == tile)
      return tiles[i + 1];
  return 0;
}

int
clip_vae_tile (const ClipVae *v, ClipSize size, ClipDirection direction, Status *status)
{
  if (!check_size (v, size, status))
    return -1;
  for (size_t i = 0; i < sizeof tiles / sizeof *tiles; i++)
    {
      PhasePlan plan = { 0 };
      Pass p = pass_of (v, size, direction, tiles[i]);
      if (!plan_pass (&p, &plan, status))
        return -1;
      if (!v->backend->device.memory)
        return plan.activation_bytes > CLIP_WHOLE_LIMIT_BYTES ? CLIP_AUTO_TILE_PX : 0;
      if (room_is_enough (v->backend, &plan))
        return tiles[i];
    }
  return tiles[sizeof tiles / sizeof *tiles - 1];
}
