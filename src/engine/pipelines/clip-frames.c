/* SPDX-License-Identifier: MPL-2.0 */
#include "pipelines/clip-frames.h"

#include <string.h>

#include "core/mem.h"

bool
clip_tile_init (ClipTile *tile,
                const TileAxis *y,
                int iy,
                const TileAxis *x,
                int ix,
                int factor,
                Status *status)
{
  *tile = (ClipTile){ .y0 = tile_start (y, iy) * factor,
                      .x0 = tile_start (x, ix) * factor,
                      .h = y->size * factor,
                      .w = x->size * factor };
  TileAxis py = { y->total * factor, tile->h, y->overlap * factor, y->n };
  TileAxis px = { x->total * factor, tile->w, x->overlap * factor, x->n };
  tile->share_y = mem_calloc ((size_t) tile->h, sizeof (float));
  tile->share_x = mem_calloc ((size_t) tile->w, sizeof (float));
  if (!tile->share_y || !tile->share_x)
    {
      clip_tile_clear (tile);
      return status_fail (status, STATUS_NO_MEMORY, "Out of memory: choose a smaller clip.");
    }
  for (int64_t i = 0; i < tile->h; i++)
    tile->share_y[i] = tile_share (&py, iy, i);
  for (int64_t i = 0; i < tile->w; i++)
    tile->share_x[i] = tile_share (&px, ix, i);
  return true;
}

void
clip_tile_clear (ClipTile *tile)
{
  mem_free (tile->share_y);
  mem_free (tile->share_x);
  tile->share_y = tile->share_x = NULL;
}

size_t
clip_canvas_bytes (int64_t n, int64_t height, int64_t width)
{
  return (size_t) (n * height * width * CLIP_COLOURS) * sizeof (uint16_t);
}

bool
clip_canvas_init (ClipCanvas *canvas, int64_t n, int64_t height, int64_t width, Status *status)
{
  *canvas = (ClipCanvas){ .n = n, .height = height, .width = width };
  canvas->sums = mem_map (clip_canvas_bytes (n, height, width));
  return canvas->sums ||
         status_fail (status, STATUS_NO_MEMORY, "Not enough memory for %lld frames of %lld x %lld.",
                      (long long) n, (long long) width, (long long) height);
}

void
clip_canvas_clear (ClipCanvas *canvas)
{
  if (canvas->sums)
    mem_unmap (canvas->sums, clip_canvas_bytes (canvas->n, canvas->height, canvas->width));
  *canvas = (ClipCanvas){ 0 };
}

/* Where pixel (@y, @x) of a tile lies among patches of @side: (colour, column, row) a patch. */
static int64_t
patch_at (const ClipTile *tile, int side, int64_t y, int64_t x)
{
  int64_t patch = y / side * (tile->w / side) + x / side;
  return patch * CLIP_COLOURS * side * side + x % side * side + y % side;
}

void
clip_canvas_add (
    ClipCanvas *canvas, int64_t index, const ClipTile *tile, int patch, const float *pixels)
{
  for (int64_t y = 0; y < tile->h; y++)
    {
      int64_t row = (index * canvas->height + tile->y0 + y) * canvas->width + tile->x0;
      uint16_t *to = canvas->sums + row * CLIP_COLOURS;
      for (int64_t x = 0; x < tile->w; x++)
        {
          const float *from = pixels + patch_at (tile, patch, y, x);
          float share = tile->share_y[y] * tile->share_x[x] * CLIP_CANVAS_ONE;
          for (int c = 0; c < CLIP_COLOURS; c++, to++)
            {
              float v = from[c * patch * patch] * 0.5f + 0.5f;
              v = v > 0 ? v < 1 ? v : 1 : 0; /* NaN is black */
              *to = (uint16_t) (*to + (uint16_t) (v * share + 0.5f));
            }
        }
    }
}

void
clip_canvas_take (ClipCanvas *canvas, int64_t index, uint8_t *rgb)
{
  int64_t n = canvas->height * canvas->width * CLIP_COLOURS;
  uint16_t *sums = canvas->sums + index * n;
  for (int64_t i = 0; i < n; i++)
    rgb[i] = (uint8_t) ((sums[i] + (1 << 7)) >> 8);
  memset (sums, 0, (size_t) n * sizeof *sums);
}

void
clip_tile_cut (const ClipTile *tile, int patch, const float *frame, int64_t width, float *patches)
{
  for (int64_t y = 0; y < tile->h; y++)
    for (int64_t x = 0; x < tile->w; x++)
      for (int c = 0; c < CLIP_COLOURS; c++)
        patches[patch_at (tile, patch, y, x) + c * patch * patch] =
            frame[((tile->y0 + y) * width + tile->x0 + x) * CLIP_COLOURS + c];
}
