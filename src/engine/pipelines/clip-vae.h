/* SPDX-License-Identifier: MPL-2.0
 * clip-vae.h - clips to latents and back in bounded memory: see models/wan-vae.h.
 *
 * Latents are normalised, (x - mean) / std channel by channel, and lie (C, T, h, w): what
 * transformers work on.  Frames come and go one after the other, (height, width, 3).
 */
#pragma once

#include "models/wan-vae.h"
#include "pipelines/pipeline.h"

typedef struct
{
  const WanVae *vae;
  const WanVaeConfig *config;
  Backend *backend;
  Compute compute;
  int tile_px; /* most of a tile's sides, a multiple of the VAE's factor; 0: no tiles */
  /* Frames at the begin that nobody wants.  They take no memory, and no more work than those behind
   * them need to be what they would be else, to the bit. */
  int64_t n_skip;
  const atomic_bool *cancel; /* may be NULL */
  /* May be NULL.  @done of @total chunks, all tiles together. */
  void (*progress) (void *data, int done, int total);
  void *data;
} ClipVae;

/* Size of a clip in latents. */
typedef struct
{
  int64_t t, h, w;
} ClipSize;

/* One finished frame, in the clip's order.  @rgb: (height, width, 3), borrowed.
 * Returns: false to stop, with @status set */
typedef bool (*ClipFrameSink) (void *data, int64_t index, const uint8_t *rgb, Status *status);

/* Asks for a frame; in the clip's order, and all over again for each tile.  @pixels: receives
 * (height, width, 3) in -1 .. 1.  Returns: false to stop, with @status set */
typedef bool (*ClipFrameSource) (void *data, int64_t index, float *pixels, Status *status);

/* clip_vae_decode:
 * @latents: (C, t, h, w)
 *
 * Without tiles memory does not depend on the clip's length.  With tiles it is that of a tile, and
 * six bytes a pixel of every frame, in which tiles are joined.
 *
 * Fails: NO_MEMORY (retry with smaller tiles), CANCELLED, or as @sink says
 */
bool clip_vae_decode (const ClipVae *v,
                      ClipSize size,
                      const float *latents,
                      ClipFrameSink sink,
                      void *sink_data,
                      Status *status);

/* @latents: receives (C, t, h, w), the means.  Asks for 1 + 4 (t - 1) frames. */
bool clip_vae_encode (const ClipVae *v,
                      ClipSize size,
                      ClipFrameSource source,
                      void *source_data,
                      float *latents,
                      Status *status);

typedef enum
{
  CLIP_DECODE,
  CLIP_ENCODE
} ClipDirection;

/* What a clip needs; plan->activation_bytes is everything but weights and scratch. */
bool clip_vae_plan (
    const ClipVae *v, ClipSize size, ClipDirection direction, PhasePlan *plan, Status *status);

/* Tiles for @size in pixels, 0 for none, from the size alone, so that a recipe gives the same clip
 * on every machine; on a card as large as its memory allows.  -1 and @status when it could not be
 * found out. */
int clip_vae_tile (const ClipVae *v, ClipSize size, ClipDirection direction, Status *status);
/* The next smaller ones of those; 0: there are none. */
int clip_vae_smaller_tile (int tile);
