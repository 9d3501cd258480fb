/* SPDX-License-Identifier: MPL-2.0
 * elementwise-rope.c - RMSNorm, and rotary positions with a norm of each head.
 *
 * Shapes   rms_norm x, y (n_rows, dim); rope x (len, heads x head_dim), one entry of a batch.
 * Numbers  f32; a sum of squares in as many parts as UNROLL vectors have elements.
 * Limit    memory: rope's row of the table stays in the first level cache over all heads.
 * Aliases  rms_norm: y may equal x.
 */
#include <math.h>

#include "elementwise-isa.h"

enum
{
  CHUNK = 512, /* parameters held as f32 */
  ROWS = 16,   /* rows that share a converted chunk */
  UNROLL = 4   /* independent sums hide the adder's latency */
};

_Static_assert((int) ROPE_MAX_HEAD_DIM <= (int) CHUNK, "a head's norm is converted once");

static float
inverse_rms (const float *x, int64_t n, float eps)
{
  Vec sum[UNROLL] = { 0 };
  int64_t i = 0;
  for (; i + UNROLL * VEC_WIDTH <= n; i += UNROLL * VEC_WIDTH)
    for (int u = 0; u < UNROLL; u++)
      {
        Vec v = vec_load (x + i + u * VEC_WIDTH);
        sum[u] = vec_fma (v, v, sum[u]);
      }
  for (; i + VEC_WIDTH <= n; i += VEC_WIDTH)
    {
      Vec v = vec_load (x + i);
      sum[0] = vec_fma (v, v, sum[0]);
    }
  float tail = 0;
  for (; i < n; i++)
    tail = float_fma (x[i], x[i], tail);
  float squares = tail + vec_sum ((sum[0] + sum[1]) + (sum[2] + sum[3]));
  return 1 / sqrtf (squares / (float) n + eps);
}

/* The same, then silu. */
static void
scale_row_silu (float *y, const float *x, float inverse, const float *weight, int64_t n)
{
  for (int64_t i = 0; i < n; i += VEC_WIDTH)
    {
      int64_t left = n - i;
      bool whole = left >= VEC_WIDTH;
      Vec v = whole ? vec_load (x + i) : vec_load_n (x + i, left);
      Vec w = whole ? vec_load (weight + i) : vec_load_n (weight + i, left);
      v = vec_swish (v * inverse * w, 1);
      if (whole)
        vec_store (y + i, v);
      else
        vec_store_n (y + i, v, left);
    }
}

static void
scale_row (float *y, const float *x, float inverse, const float *weight, int64_t n)
{
  int64_t i = 0;
  for (; i + VEC_WIDTH <= n; i += VEC_WIDTH)
    vec_store (y + i, vec_load (x + i) * inverse * vec_load (weight + i));
  for (; i < n; i++)
    y[i] = x[i] * inverse * weight[i];
}

void
KERNEL (rms_norm) (const RmsNormArgs *a)
{
  float weight[CHUNK], inverse[ROWS];
  for (int64_t first = 0; first < a->n_rows; first += ROWS)
    {
      int64_t n_rows = a->n_rows - first < ROWS ? a->n_rows - first : ROWS;
      for (int64_t r = 0; r < n_rows; r++)
        inverse[r] = inverse_rms (a->x + (first + r) * a->dim, a->dim, a->eps);
      for (int64_t c = 0; c < a->dim; c += CHUNK)
        {
          int64_t n = a->dim - c < CHUNK ? a->dim - c : CHUNK;
          vec_param (weight, &a->weight, c, n, 1);
          for (int64_t r = 0; r < n_rows; r++)
            {
              int64_t at = (first + r) * a->dim + c;
              if (a->silu)
                scale_row_silu (a->y + at, a->x + at, inverse[r], weight, n);
              else
                scale_row (a->y + at, a->x + at, inverse[r], weight, n);
            }
        }
    }
}

/* Neighbours in turn: x1 x0 x3 x2 ...; the even or odd ones twice. */
#if VEC_BYTES == 64
#  define EACH(f) f (0), f (2), f (4), f (6), f (8), f (10), f (12), f (14)
#elif VEC_BYTES == 32
#  define EACH(f) f (0), f (2), f (4), f (6)
#else
#  define EACH(f) f (0), f (2)
#endif
#define SWAP(i) i + 1, i
#define EVEN(i) i, i
#define ODD(i) i + 1, i + 1
#define VEC_PICK(x, order) __builtin_shufflevector (x, x, EACH (order))

/* -0 on even places: flips the sign there. */
static inline Vec
negate_even (Vec x)
{
  VecInt sign = { 0 };
  for (int i = 0; i < VEC_WIDTH; i += 2)
    sign[i] = INT32_MIN;
  return (Vec) ((VecInt) x ^ sign);
}

/* The same operations on a tail's pair as on whole vectors. */
static void
turn_row (float *y, const float *x, const float *table, int64_t n)
{
  int64_t i = 0;
  for (; i + VEC_WIDTH <= n; i += VEC_WIDTH)
    {
      Vec v = vec_load (x + i), t = vec_load (table + i);
      Vec crossed = VEC_PICK (v, SWAP) * negate_even (VEC_PICK (t, ODD));
      vec_store (y + i, vec_fma (v, VEC_PICK (t, EVEN), crossed));
    }
  for (; i < n; i += 2)
    {
      float x0 = x[i], x1 = x[i + 1], c = table[i], s = table[i + 1];
      y[i] = float_fma (x0, c, x1 * -s);
      y[i + 1] = float_fma (x1, c, x0 * s);
    }
}

void
KERNEL (rope) (const RopeArgs *a)
{
  float weight[ROPE_MAX_HEAD_DIM];
  int64_t d = a->head_dim, width = a->n_heads * d;
  vec_param (weight, &a->norm, 0, d, 1);
  for (int64_t token = 0; token < a->len; token++)
    for (int64_t c = 0; c < width; c += d)
      {
        const float *x = a->x + token * a->x_stride + c;
        float *y = a->y + token * width + c;
        if (a->norm.data)
          scale_row (y, x, inverse_rms (x, d, a->eps), weight, d);
        else
          memcpy (y, x, (size_t) d * sizeof *y);
        if (a->table)
          turn_row (y, y, a->table + token * d, d);
      }
}
