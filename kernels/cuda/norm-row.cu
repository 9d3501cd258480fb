// SPDX-License-Identifier: MPL-2.0
// norm-row.cu - LayerNorm and RMSNorm with their parameters, modulation and silu, a block a row;
// norms and rotations of single heads, a warp for each.
//
// Shapes   x, y (n, n_rows, dim) 16-bit; weight, bias (dim) f32; scale, shift (n, dim) 16-bit.
// Numbers  mean, then variance about it, both f32 (no E[x^2] - E[x]^2); rounded once at the end.
// Limit    memory: 4 bytes an element, 5 with y8; further walks over a row hit the first cache.
// Aliases  y may equal x: a thread writes only what it alone reads in the last walks.
#include "common/quantise.cuh"

enum
{
  N_THREADS = 128,
  STEP = N_THREADS * 8, // values that the block takes at once
  HEADS_PER_BLOCK = N_THREADS / GK_WARP
};

struct NormRow
{
  GkNormRow u;
  bool wide, wide_modulation;
};

// The sum of f (x) over a row.
template <class T, class F>
GK_DEV float
row_sum (const NormRow &a, const typename T::Element *x, float *cells, F f)
{
  float sum = 0, v[8];
  for (int64_t i = gk_thread () * 8; i < a.u.dim; i += STEP)
    {
      gk_read8<T> (v, x + i, a.u.dim - i, a.wide);
      GK_UNROLL
      for (int k = 0; k < 8; k++)
        sum += i + k < a.u.dim ? f (v[k]) : 0;
    }
  return gk_block_sum<N_THREADS> (sum, cells);
}

// v = v * weight + bias, then * (1 + scale) + shift.
template <class T>
GK_DEV void
apply_parameters (const NormRow &a, float (&v)[8], int64_t entry, int64_t i)
{
  float scale[8], shift[8];
  GK_UNROLL
  for (int k = 0; k < 8; k++)
    if (i + k < a.u.dim)
      v[k] = v[k] * (a.u.weight ? a.u.weight[i + k] : 1) + (a.u.bias ? a.u.bias[i + k] : 0);
  int64_t at = entry * a.u.modulation_stride + i;
  if (a.u.scale)
    {
      gk_read8<T> (scale, gk_input<T> (a.u.scale) + at, a.u.dim - i, a.wide_modulation);
      gk_read8<T> (shift, gk_input<T> (a.u.shift) + at, a.u.dim - i, a.wide_modulation);
    }
  GK_UNROLL
  for (int k = 0; k < 8; k++)
    {
      v[k] = a.u.scale ? v[k] * (1 + scale[k]) + shift[k] : v[k];
      v[k] = a.u.silu ? gk_silu (v[k]) : v[k];
    }
}

// @largest: of the values before they were rounded.
template <class T>
GK_DEV void
quantise_normed (const NormRow &a, const uint16_t *y, int64_t row, float largest, float *cells)
{
#if GK_HAS_FP8
  largest = T::low (T::pack (largest, 0));
  gk_sync (); // the cells are free
  quantise_row<T, N_THREADS> (y, a.u.dim, largest, cells, a.u.y8 + row * a.u.dim, a.u.scale8 + row);
#endif
}

template <class T> GK_KERNEL (N_THREADS, 1) norm_row (const GK_CONST NormRow a)
{
  GK_SHARED (float, cells, HEADS_PER_BLOCK);
  int64_t row = gk_block_x ();
  const typename T::Element *x = gk_input<T> (a.u.x) + row * a.u.dim;
  typename T::Element *y = gk_output<T> (a.u.y) + row * a.u.dim;
  float v[8], mean = 0, dim = (float) a.u.dim;
  if (!a.u.rms)
    mean = row_sum<T> (a, x, cells, [] (float f) { return f; }) / dim;
  float squares = row_sum<T> (a, x, cells, [mean] (float f) { return (f - mean) * (f - mean); });
  float inverse = gk_rsqrt (squares / dim + a.u.eps), largest = 0;
  for (int64_t i = gk_thread () * 8; i < a.u.dim; i += STEP)
    {
      gk_read8<T> (v, x + i, a.u.dim - i, a.wide);
      GK_UNROLL
      for (int k = 0; k < 8; k++)
        v[k] = (v[k] - mean) * inverse;
      apply_parameters<T> (a, v, row / a.u.n_rows, i);
      gk_write8<T> (y + i, v, a.u.dim - i, a.wide);
      GK_UNROLL
      for (int k = 0; k < 8; k++)
        largest = fmaxf (largest, fabsf (v[k]));
    }
  if constexpr (!T::is_f32)
    if (a.u.y8)
      quantise_normed<T> (a, y, row, largest, cells);
}

extern "C" int
gk_norm_row (const GkNormRow *u, void *stream)
{
  NormRow a = { *u, gk_is_wide (u->x, u->dim) && gk_is_wide (u->y, u->dim),
                gk_is_wide (u->scale, u->modulation_stride) &&
                    gk_is_wide (u->shift, u->modulation_stride) };
  dim3 grid ((uint32_t) (u->n * u->n_rows));
  if (u->y8 && (u->type == GK_TYPE_F32 || u->dim % 16 || !a.wide || !u->scale8))
    return GK_INVALID;
  if (u->n * u->n_rows <= 0)
    return GK_OK;
  auto kernel = GK_INSTANCE (u->type, norm_row);
  return GK_LAUNCH (kernel, grid, dim3 (N_THREADS), 0, (GkStream) stream, a);
}

// --- heads ---

// A lane takes the pairs 2 lane, 2 lane + 64, ... of its head.
template <class T> GK_KERNEL (N_THREADS, 1) rope (const GK_CONST GkRope a)
{
  int64_t head = (int64_t) gk_block_x () * HEADS_PER_BLOCK + gk_thread () / GK_WARP;
  int lane = gk_thread () % GK_WARP;
  if (!gk_within (head < a.n * a.len * a.n_heads))
    return;
  int64_t token = head / a.n_heads, column = head % a.n_heads * a.head_dim;
  int64_t entry = token / a.len, position = token % a.len;
  const typename T::Element *x = gk_input<T> (a.x) + token * a.x_stride + column;
  typename T::Element *y = gk_output<T> (a.y) + entry * a.y_entry + position * a.y_stride + column;
  float squares = 0, inverse = 1;
  for (int64_t i = lane * 2; a.norm && i < a.head_dim; i += 2 * GK_WARP)
    {
      float x0, x1;
      gk_read2<T> (x0, x1, x + i);
      squares += x0 * x0 + x1 * x1;
    }
  if (a.norm)
    inverse = gk_rsqrt (gk_warp_sum (squares) / (float) a.head_dim + a.eps);
  for (int64_t i = lane * 2; gk_within (i < a.head_dim); i += 2 * GK_WARP)
    {
      float x0, x1;
      gk_read2<T> (x0, x1, x + i);
      x0 *= inverse * (a.norm ? a.norm[i] : 1);
      x1 *= inverse * (a.norm ? a.norm[i + 1] : 1);
      float c = a.table ? a.table[position * a.head_dim + i] : 1;
      float s = a.table ? a.table[position * a.head_dim + i + 1] : 0;
      gk_write2<T> (y + i, x0 * c - x1 * s, x1 * c + x0 * s);
    }
}

extern "C" int
gk_rope (const GkRope *u, void *stream)
{
  GkRope a = *u;
  int64_t n_heads = a.n * a.len * a.n_heads;
  dim3 grid ((uint32_t) gk_ceil_div (n_heads, HEADS_PER_BLOCK));
  if (a.head_dim % 2 || a.x_stride % 2 || a.y_stride % 2 || a.y_entry % 2)
    return GK_INVALID;
  if (n_heads <= 0)
    return GK_OK;
  auto kernel = GK_INSTANCE (a.type, rope);
  return GK_LAUNCH (kernel, grid, dim3 (N_THREADS), 0, (GkStream) stream, a);
}
