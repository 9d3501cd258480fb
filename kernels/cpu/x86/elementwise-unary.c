/* SPDX-License-Identifier: MPL-2.0
 * elementwise-unary.c - activations, sums, gated products and embedding on whole vectors.
 *
 * Shapes   any count; what does not fill a vector is padded with zeros, so that an element's value
 *          does not depend on its place.
 * Numbers  f32; the functions and their errors are in vec.h.
 * Limit    memory, for data outside the caches.
 * Aliases  y may equal an input, but not geglu's.
 */
#include "elementwise-isa.h"

static inline Vec
silu (Vec x)
{
  return vec_swish (x, 1);
}

static inline Vec
quick_gelu (Vec x)
{
  return vec_swish (x, 1.702f);
}

static inline Vec
relu (Vec x)
{
  return vec_select (x < 0, vec_set (0), x);
}

static inline Vec
tanh3 (Vec x)
{
  return 3 * vec_tanh (x / 3);
}

/* Called with a constant @f, which inlining turns into straight code. */
static inline __attribute__ ((always_inline)) void
map (const UnaryArgs *a, Vec (*f) (Vec x))
{
  int64_t i = 0;
  for (; i + VEC_WIDTH <= a->n; i += VEC_WIDTH)
    vec_store (a->y + i, f (vec_load (a->x + i)));
  if (i < a->n)
    vec_store_n (a->y + i, f (vec_load_n (a->x + i, a->n - i)), a->n - i);
}

void
KERNEL (unary) (const UnaryArgs *a)
{
  switch (a->kind)
    {
    case UNARY_SILU:
      map (a, silu);
      return;
    case UNARY_GELU:
      map (a, vec_gelu);
      return;
    case UNARY_GELU_TANH:
      map (a, vec_gelu_tanh);
      return;
    case UNARY_QUICK_GELU:
      map (a, quick_gelu);
      return;
    case UNARY_RELU:
      map (a, relu);
      return;
    case UNARY_TANH3:
      map (a, tanh3);
      return;
    case UNARY_COUNT:
      return;
    }
}

static inline __attribute__ ((always_inline)) void
map_gate (const GatedArgs *a, Vec (*f) (Vec x))
{
  int64_t i = 0;
  for (; i + VEC_WIDTH <= a->n; i += VEC_WIDTH)
    vec_store (a->y + i, vec_load (a->x + i) * f (vec_load (a->gate + i)));
  if (i < a->n)
    {
      int64_t n = a->n - i;
      vec_store_n (a->y + i, vec_load_n (a->x + i, n) * f (vec_load_n (a->gate + i, n)), n);
    }
}

void
KERNEL (gated) (const GatedArgs *a)
{
  switch (a->kind)
    {
    case UNARY_SILU:
      map_gate (a, silu);
      return;
    case UNARY_GELU:
      map_gate (a, vec_gelu);
      return;
    case UNARY_GELU_TANH:
      map_gate (a, vec_gelu_tanh);
      return;
    case UNARY_QUICK_GELU:
      map_gate (a, quick_gelu);
      return;
    case UNARY_RELU:
      map_gate (a, relu);
      return;
    case UNARY_TANH3:
      map_gate (a, tanh3);
      return;
    case UNARY_COUNT:
      return;
    }
}

void
KERNEL (add_gated) (const AddGatedArgs *a)
{
  for (int64_t r = 0; r < a->n_rows; r++)
    {
      const float *x = a->x + r * a->dim, *b = a->b + r * a->dim;
      float *y = a->y + r * a->dim;
      int64_t i = 0;
      for (; i + VEC_WIDTH <= a->dim; i += VEC_WIDTH)
        vec_store (y + i, vec_fma (vec_load (a->gate + i), vec_load (b + i), vec_load (x + i)));
      for (; i < a->dim; i++)
        y[i] = float_fma (a->gate[i], b[i], x[i]);
    }
}

static void
add_rows (float *y, const float *x, const float *b, int64_t n)
{
  int64_t i = 0;
  for (; i + VEC_WIDTH <= n; i += VEC_WIDTH)
    vec_store (y + i, vec_load (x + i) + vec_load (b + i));
  for (; i < n; i++)
    y[i] = x[i] + b[i];
}

void
KERNEL (add) (const AddArgs *a)
{
  for (int64_t i = 0; i < a->n; i += a->n_b)
    add_rows (a->y + i, a->x + i, a->b, a->n - i < a->n_b ? a->n - i : a->n_b);
}

static inline Vec
scaled (Vec x, Vec s)
{
  return vec_select (s == 0, vec_set (0), x * s);
}

void
KERNEL (scale) (const ScaleArgs *a)
{
  for (int64_t row = 0; row < a->n; row += a->n_s)
    {
      const float *x = a->x + row;
      float *y = a->y + row;
      int64_t n = a->n - row < a->n_s ? a->n - row : a->n_s, i = 0;
      for (; i + VEC_WIDTH <= n; i += VEC_WIDTH)
        vec_store (y + i, scaled (vec_load (x + i), vec_load (a->s + i)));
      if (i < n)
        vec_store_n (y + i, scaled (vec_load_n (x + i, n - i), vec_load_n (a->s + i, n - i)),
                     n - i);
    }
}

void
KERNEL (geglu) (const GegluArgs *a)
{
  for (int64_t r = 0; r < a->n_rows; r++)
    {
      const float *x = a->x + r * 2 * a->dim, *gate = x + a->dim;
      float *y = a->y + r * a->dim;
      int64_t i = 0;
      for (; i + VEC_WIDTH <= a->dim; i += VEC_WIDTH)
        vec_store (y + i, vec_load (x + i) * vec_gelu (vec_load (gate + i)));
      if (i < a->dim)
        {
          int64_t n = a->dim - i;
          vec_store_n (y + i, vec_load_n (x + i, n) * vec_gelu (vec_load_n (gate + i, n)), n);
        }
    }
}

void
KERNEL (embed) (const EmbedArgs *a)
{
  enum
  {
    CHUNK = 512
  };
  float position[CHUNK];
  for (int64_t r = 0; r < a->n_rows; r++)
    for (int64_t c = 0; c < a->dim; c += CHUNK)
      {
        int64_t n = a->dim - c < CHUNK ? a->dim - c : CHUNK;
        float *y = a->y + r * a->dim + c;
        vec_param (y, &a->table, a->ids[r] * a->dim + c, n, 0);
        if (!a->positions.data)
          continue;
        vec_param (position, &a->positions, r % a->n_positions * a->dim + c, n, 0);
        add_rows (y, y, position, n);
      }
}

const ElementwiseKernels KERNEL (elementwise) = {
  .unary = KERNEL (unary),
  .add = KERNEL (add),
  .add_gated = KERNEL (add_gated),
  .gated = KERNEL (gated),
  .scale = KERNEL (scale),
  .geglu = KERNEL (geglu),
  .embed = KERNEL (embed),
  .layer_norm = KERNEL (layer_norm),
  .rms_norm = KERNEL (rms_norm),
  .norm_modulate = KERNEL (norm_modulate),
  .rope = KERNEL (rope),
  .avg_down = KERNEL (avg_down),
  .dup_up = KERNEL (dup_up),
  .group_moments = KERNEL (group_moments),
  .group_apply = KERNEL (group_apply),
};
