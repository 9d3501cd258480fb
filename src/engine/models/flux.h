/* SPDX-License-Identifier: MPL-2.0
 * flux.h - the transformer of FLUX.1: dev, schnell, Krea, Kontext, Fill, Canny and Depth.
 *
 * A step is two functions.  flux_modulation depends only on time, guidance and pooled text: it runs
 * once for a whole schedule, and the weights that it reads, a quarter of all, are then not touched
 * again.  flux_forward runs every step and takes that schedule's row.
 *
 * Source: Black Forest Labs' reference implementation, 2024; tensors as diffusers'
 * FluxTransformer2DModel names them.
 */
#pragma once

#include "models/common.h"
#include "weights/config.h"

typedef struct Flux Flux;

/* flux_bind:
 *
 * Returns: owned by the binder's arena; NULL and the binder's status when out of memory or when the
 * configuration is outside what a FLUX transformer can be.  Missing weights are listed by the set.
 */
Flux *flux_bind (const Binder *b, const FluxConfig *config);

/* Floats of one row of modulation: shifts, scales and gates of all blocks and the last norm. */
int64_t flux_modulation_size (const FluxConfig *config);

/* flux_modulation:
 * @t: (n), 0 .. 1: sigma
 * @guidance: (n), as the user knows it (3.5); NULL exactly when the model has no guidance
 * @pooled: (n, pooled_dim): CLIP-L's
 *
 * Row i belongs to the i-th time (and picture: any order the caller likes).  A row does not depend
 * on the others.
 *
 * Returns: (n, flux_modulation_size), kept to the end of the run
 */
Tensor *flux_modulation (
    Ctx *ctx, const Flux *flux, const Tensor *t, const Tensor *guidance, const Tensor *pooled);

/* Whether @name (canonical) is read by flux_modulation only: it may leave once that has run. */
bool flux_is_modulation_weight (const char *name);

/* Bytes of the transformer's weights as stored; with @after_modulation without those that may have
 * left by then. */
int64_t flux_weight_bytes (const WeightSet *weights, bool after_modulation);

typedef struct
{
  const Tensor *img;        /* (N, L_img, in_channels): the target's tokens first, then Kontext's */
  const Tensor *txt;        /* (N, L_txt, context_dim): T5's states, padding included */
  const Tensor *modulation; /* (N or 1, flux_modulation_size) */
  const Tensor *positions;  /* (L_txt + L_img, head_dim): flux_positions' table */
  int64_t n_target;         /* of the image tokens: how many come first and are denoised */
} FluxInputs;

/* How many values of a token the network reads: its configuration's in_channels, or more while a
 * control LoRA is mounted on it. */
int64_t flux_n_in (const Flux *flux);

/* flux_forward:
 *
 * Returns: (N, n_target, out_channels): the velocity, noise - data
 * Fails: SHAPE
 */
Tensor *flux_forward (Ctx *ctx, const Flux *flux, const FluxInputs *in);

/* A rectangle of tokens in the space of positions: token (y, x) lies at (index, row + y, column +
 * x).  The target is { 0, 0, 0, h, w }; a reference of Kontext's has index 1. */
typedef struct
{
  int index, row, column;
  int64_t h, w; /* tokens: latent pixels / 2 */
} FluxGrid;

/* flux_positions:
 * @table: (n_text + tokens of all @grids, head_dim): a cosine and a sine for each pair of columns
 *
 * Text lies at (0, 0, 0).  Angles in f64.
 */
void flux_positions (
    float *table, const FluxConfig *config, int64_t n_text, const FluxGrid *grids, int n_grids);

/* flux_patchify:
 * @pixels: (2 h, 2 w, channels)
 * @tokens: row (y, x) is @stride floats behind the one before; 4 * channels of each are written, in
 *          the order channel, row of the patch, column of the patch
 *
 * On the host.  Several maps share a token when each goes to columns of its own (Fill).
 */
void flux_patchify (
    float *tokens, int64_t stride, const float *pixels, int64_t h, int64_t w, int64_t channels);
void flux_unpatchify (float *pixels, const float *tokens, int64_t h, int64_t w, int64_t channels);
