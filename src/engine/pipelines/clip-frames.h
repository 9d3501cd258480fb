/* SPDX-License-Identifier: MPL-2.0
 * clip-frames.h - frames between pixels and what Wan's VAE takes and gives, whole or in tiles.
 */
#pragma once

#include "models/wan-vae.h"
#include "pipelines/tiles.h"

/* A tile of a clip's frames: its place, and how much of each pixel it contributes. */
typedef struct
{
  int64_t y0, x0, h, w;     /* pixels */
  float *share_y, *share_x; /* (h), (w) */
} ClipTile;

/* @y, @x: in latent pixels, of @factor pixels each.  Free with clip_tile_clear. */
bool clip_tile_init (ClipTile *tile,
                     const TileAxis *y,
                     int iy,
                     const TileAxis *x,
                     int ix,
                     int factor,
                     Status *status);
void clip_tile_clear (ClipTile *tile);

/* Frames in which tiles come together: 16 bits a colour, so that four tiles cost no precision. */
typedef struct
{
  int64_t n, height, width;
  uint16_t *sums; /* (n, height, width, 3), in CLIP_CANVAS_ONE */
} ClipCanvas;

enum
{
  CLIP_COLOURS = 3,
  CLIP_CANVAS_ONE = 255 << 8 /* room for what rounding adds */
};

bool
clip_canvas_init (ClipCanvas *canvas, int64_t n, int64_t height, int64_t width, Status *status);
void clip_canvas_clear (ClipCanvas *canvas);
size_t clip_canvas_bytes (int64_t n, int64_t height, int64_t width);

/* @pixels: (h / patch, w / patch, 3 patch^2) in -1 .. 1, as the decoder gives it */
void clip_canvas_add (
    ClipCanvas *canvas, int64_t index, const ClipTile *tile, int patch, const float *pixels);

/* @rgb: receives frame @index, which is empty again afterwards */
void clip_canvas_take (ClipCanvas *canvas, int64_t index, uint8_t *rgb);

/* The tile of a frame (height, @width, 3), in patches as the encoder takes them. */
void
clip_tile_cut (const ClipTile *tile, int patch, const float *frame, int64_t width, float *patches);
