/* SPDX-License-Identifier: MPL-2.0 */
#include "pipelines/tiles.h"

#include "core/mem.h"

TileAxis
tile_axis (int64_t total, int64_t wanted, int64_t overlap)
{
  if (wanted <= 0 || wanted >= total)
    return (TileAxis){ .total = total, .size = total, .overlap = 0, .n = 1 };
  if (overlap > wanted / 2)
    overlap = wanted / 2;
  int64_t stride = wanted - overlap;
  return (TileAxis){ .total = total,
                     .size = wanted,
                     .overlap = overlap,
                     .n = (int) ((total - overlap + stride - 1) / stride) };
}

int64_t
tile_start (const TileAxis *axis, int i)
{
  int64_t start = i * (axis->size - axis->overlap), last = axis->total - axis->size;
  return start < last ? start : last;
}

float
tile_weight (const TileAxis *axis, int i, int64_t p)
{
  float from_start = 1, from_end = 1, ramp = (float) axis->overlap + 1;
  if (i > 0)
    from_start = (float) (p + 1) / ramp;
  if (i + 1 < axis->n)
    from_end = (float) (axis->size - p) / ramp;
  float weight = from_start < from_end ? from_start : from_end;
  return weight < 1 ? weight : 1;
}

float
tile_share (const TileAxis *axis, int i, int64_t p)
{
  int64_t at = tile_start (axis, i) + p;
  float sum = 0;
  for (int k = 0; k < axis->n; k++)
    {
      int64_t in_tile = at - tile_start (axis, k);
      if (in_tile >= 0 && in_tile < axis->size)
        sum += tile_weight (axis, k, in_tile);
    }
  return tile_weight (axis, i, p) / sum;
}

bool
tile_blend_init (TileBlend *b, int64_t h, int64_t w, int64_t n_channels, Status *status)
{
  *b = (TileBlend){ .h = h, .w = w, .n_channels = n_channels };
  b->sum = mem_calloc ((size_t) (h * w * n_channels), sizeof (float));
  b->weight = mem_calloc ((size_t) (h * w), sizeof (float));
  if (b->sum && b->weight)
    return true;
  tile_blend_clear (b);
  return status_fail (status, STATUS_NO_MEMORY, "Not enough memory for a picture of %lld x %lld.",
                      (long long) w, (long long) h);
}

void
tile_blend_clear (TileBlend *b)
{
  mem_free (b->sum);
  mem_free (b->weight);
  *b = (TileBlend){ 0 };
}

void
tile_blend_add (
    TileBlend *b, const TileAxis *y, int iy, const TileAxis *x, int ix, const float *tile)
{
  for (int64_t r = 0; r < y->size; r++)
    for (int64_t c = 0; c < x->size; c++)
      {
        float weight = tile_weight (y, iy, r) * tile_weight (x, ix, c);
        int64_t at = (tile_start (y, iy) + r) * b->w + tile_start (x, ix) + c;
        b->weight[at] += weight;
        for (int64_t k = 0; k < b->n_channels; k++)
          b->sum[at * b->n_channels + k] += weight * tile[(r * x->size + c) * b->n_channels + k];
      }
}

void
tile_blend_finish (TileBlend *b)
{
  for (int64_t i = 0; i < b->h * b->w; i++)
    for (int64_t k = 0; k < b->n_channels; k++)
      b->sum[i * b->n_channels + k] /= b->weight[i];
}
