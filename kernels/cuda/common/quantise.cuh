// SPDX-License-Identifier: MPL-2.0
// quantise.cuh - a row of 16-bit values as e4m3 with a scale, by a block.
//
// Numbers  scale = max |x| / 448, the largest e4m3, so that nothing saturates; to nearest even.
#pragma once

#include "gk.cuh"

#if GK_HAS_FP8
static constexpr float E4M3_MAX = 448;

GK_DEV uint32_t
quantise4 (const float *v, float inverse)
{
  return gk_pack_e4m3 (v[0] * inverse, v[1] * inverse) |
         gk_pack_e4m3 (v[2] * inverse, v[3] * inverse) << 16;
}

// The largest of |v| so far.
GK_DEV float
quantise_largest (float largest, const float (&v)[8])
{
  GK_UNROLL
  for (int k = 0; k < 8; k++)
    largest = fmaxf (largest, fabsf (v[k]));
  return largest;
}

// Row @x of @dim values, of which @largest is this thread's share of max |x|: the values that it
// reads itself, eight in every 8 * N_THREADS.  @cells: one for each warp, free.
template <class T, int N_THREADS>
GK_DEV void
quantise_row (const uint16_t *x, int64_t dim, float largest, float *cells, uint8_t *y, float *scale)
{
  largest = gk_warp_max (largest);
  if (gk_thread () % GK_WARP == 0)
    cells[gk_thread () / GK_WARP] = largest;
  gk_sync ();
  GK_UNROLL
  for (int i = 0; i < N_THREADS / GK_WARP; i++)
    largest = fmaxf (largest, cells[i]);
  float inverse = largest > 0 ? E4M3_MAX / largest : 0;
  if (gk_thread () == 0)
    *scale = largest / E4M3_MAX;
  for (int64_t i = gk_thread () * 8; gk_within (i < dim); i += N_THREADS * 8)
    {
      float v[8];
      gk_unpack8<T> (v, *(const uint4 *) (x + i));
      *(uint2 *) (y + i) = uint2{ quantise4 (v, inverse), quantise4 (v + 4, inverse) };
    }
}
#endif
