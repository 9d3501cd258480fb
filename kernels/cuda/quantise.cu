// SPDX-License-Identifier: MPL-2.0
// quantise.cu - rows of 16-bit values as e4m3 with a scale each, a block a row.
//
// Shapes   x (n_rows, dim) with a stride, y (n_rows, dim) bytes, scale (n_rows); dim a multiple
// of 16. Numbers  quantise.cuh. Limit    memory: 3 bytes an element; the second walk over a row
// hits the first cache.
#include "common/quantise.cuh"

enum
{
  N_THREADS = 128
};

template <class T> GK_KERNEL (N_THREADS, 1) quantise (const GK_CONST GkQuantise a)
{
#if GK_HAS_FP8
  GK_SHARED (float, cells, N_THREADS / GK_WARP);
  int64_t row = gk_block_x ();
  const uint16_t *x = (const uint16_t *) a.x + row * a.x_stride;
  float v[8], largest = 0;
  for (int64_t i = gk_thread () * 8; gk_within (i < a.dim); i += N_THREADS * 8)
    {
      gk_unpack8<T> (v, *(const uint4 *) (x + i));
      largest = quantise_largest (largest, v);
    }
  quantise_row<T, N_THREADS> (x, a.dim, largest, cells, a.y + row * a.dim, a.scale + row);
#endif
}

extern "C" int
gk_quantise (const GkQuantise *u, void *stream)
{
  GkQuantise a = *u;
  dim3 grid ((uint32_t) a.n_rows);
  if (a.type == GK_TYPE_F32 || a.dim % 16 || a.x_stride % 8)
    return GK_INVALID;
  if (a.n_rows <= 0)
    return GK_OK;
  return a.type == GK_TYPE_BF16
             ? GK_LAUNCH (quantise<Bf16>, grid, dim3 (N_THREADS), 0, (GkStream) stream, a)
             : GK_LAUNCH (quantise<F16>, grid, dim3 (N_THREADS), 0, (GkStream) stream, a);
}
