/* SPDX-License-Identifier: MPL-2.0
 * tiles.h - a picture in overlapping tiles, blended so that no seam shows.
 *
 * All tiles of a grid have one size, so one plan serves them; the last ones of a row or column move
 * back to end at the border.  In an overlap the weight of a tile rises linearly from its edge
 * inward.
 */
#pragma once

#include <stdint.h>

#include "core/status.h"

typedef struct
{
  int64_t total, size, overlap; /* along one axis */
  int n;
} TileAxis;

/* @wanted: tile size, 0 or more than @total for a single tile. */
TileAxis tile_axis (int64_t total, int64_t wanted, int64_t overlap);
int64_t tile_start (const TileAxis *axis, int i);

/* Weight of position @p (0 .. size - 1) of tile @i; positive everywhere. */
float tile_weight (const TileAxis *axis, int i, int64_t p);

/* The same as a share: over all tiles that have the position it sums to 1. */
float tile_share (const TileAxis *axis, int i, int64_t p);

/* Gathers blended tiles of (h, w, n_channels). */
typedef struct
{
  int64_t h, w, n_channels;
  float *sum, *weight; /* (h, w, n_channels), (h, w) */
} TileBlend;

bool tile_blend_init (TileBlend *b, int64_t h, int64_t w, int64_t n_channels, Status *status);
void tile_blend_clear (TileBlend *b);

/* @tile: (y->size, x->size, n_channels) */
void tile_blend_add (
    TileBlend *b, const TileAxis *y, int iy, const TileAxis *x, int ix, const float *tile);
/* Divides by the weights: afterwards sum holds the picture. */
void tile_blend_finish (TileBlend *b);
