/* SPDX-License-Identifier: MPL-2.0
 * norm.c - GroupNorm, LayerNorm and RMSNorm.
 *
 * Shapes   group_norm x, y (n, n_pixels, n_channels); the others x, y (rows, dim).
 * Numbers  mean, then variance (biased: divided by the count), both in f64.
 * Limit    three walks over memory.
 * Aliases  y may equal x: both statistics are known before the first element is written.
 */
#include <math.h>

#include "ref.h"

/* (x - mean) / sqrt (variance + eps) */
typedef struct
{
  double mean, inverse;
} Moments;

/* @n_rows pieces of @width elements, @stride apart. */
static Moments
moments (const float *x, int64_t n_rows, int64_t width, int64_t stride, float eps)
{
  double sum = 0, squares = 0, count = (double) (n_rows * width);
  for (int64_t r = 0; r < n_rows; r++)
    for (int64_t i = 0; i < width; i++)
      sum += x[r * stride + i];
  double mean = sum / count;
  for (int64_t r = 0; r < n_rows; r++)
    for (int64_t i = 0; i < width; i++)
      squares += (x[r * stride + i] - mean) * (x[r * stride + i] - mean);
  return (Moments){ mean, 1 / sqrt (squares / count + eps) };
}

static void
normalize_group (const GroupNormArgs *a, int64_t image, int64_t group)
{
  int64_t width = a->n_channels / a->n_groups;
  int64_t first = image * a->n_pixels * a->n_channels;
  Moments m = moments (a->x + first + group * width, a->n_pixels, width, a->n_channels, a->eps);
  for (int64_t c = group * width; c < (group + 1) * width; c++)
    {
      double weight = ref_param (&a->weight, c, 1), bias = ref_param (&a->bias, c, 0);
      for (int64_t i = first + c; i < first + a->n_pixels * a->n_channels; i += a->n_channels)
        {
          double y = (a->x[i] - m.mean) * m.inverse * weight + bias;
          a->y[i] = (float) (a->silu ? y / (1 + exp (-y)) : y);
        }
    }
}

void
ref_group_norm (const GroupNormArgs *a)
{
  for (int64_t image = 0; image < a->n; image++)
    for (int64_t group = 0; group < a->n_groups; group++)
      normalize_group (a, image, group);
}

void
ref_layer_norm (const LayerNormArgs *a)
{
  for (int64_t r = 0; r < a->n_rows; r++)
    {
      const float *x = a->x + r * a->dim;
      Moments m = moments (x, 1, a->dim, a->dim, a->eps);
      for (int64_t i = 0; i < a->dim; i++)
        a->y[r * a->dim + i] = (float) ((x[i] - m.mean) * m.inverse * ref_param (&a->weight, i, 1) +
                                        ref_param (&a->bias, i, 0));
    }
}

void
ref_norm_modulate (const NormModulateArgs *a)
{
  for (int64_t r = 0; r < a->n * a->n_rows; r++)
    {
      const float *x = a->x + r * a->dim;
      const float *scale = a->scale + r / a->n_rows * a->modulation_stride;
      const float *shift = a->shift + r / a->n_rows * a->modulation_stride;
      Moments m = moments (x, 1, a->dim, a->dim, a->eps);
      for (int64_t i = 0; i < a->dim; i++)
        a->y[r * a->dim + i] =
            (float) ((x[i] - m.mean) * m.inverse * (1 + (double) scale[i]) + shift[i]);
    }
}

/* Zhang and Sennrich, Root Mean Square Layer Normalization, 2019. */
static double
inverse_rms (const float *x, int64_t n, float eps)
{
  double squares = 0;
  for (int64_t i = 0; i < n; i++)
    squares += (double) x[i] * x[i];
  return 1 / sqrt (squares / (double) n + eps);
}

void
ref_rms_norm (const RmsNormArgs *a)
{
  for (int64_t r = 0; r < a->n_rows; r++)
    {
      const float *x = a->x + r * a->dim;
      double inverse = inverse_rms (x, a->dim, a->eps);
      for (int64_t i = 0; i < a->dim; i++)
        {
          double y = x[i] * inverse * ref_param (&a->weight, i, 1);
          a->y[r * a->dim + i] = (float) (a->silu ? y / (1 + exp (-y)) : y);
        }
    }
}

/* Su et al., RoFormer, 2021: one head of one token. */
static void
turn (const RopeArgs *a, const float *x, const float *table, float *y)
{
  double inverse = a->norm.data ? inverse_rms (x, a->head_dim, a->eps) : 1;
  for (int64_t i = 0; i + 1 < a->head_dim; i += 2)
    {
      double x0 = x[i] * inverse * ref_param (&a->norm, i, 1);
      double x1 = x[i + 1] * inverse * ref_param (&a->norm, i + 1, 1);
      y[i] = (float) (table ? x0 * table[i] - x1 * table[i + 1] : x0);
      y[i + 1] = (float) (table ? x1 * table[i] + x0 * table[i + 1] : x1);
    }
}

void
ref_rope (const RopeArgs *a)
{
  int64_t width = a->n_heads * a->head_dim;
  for (int64_t entry = 0; entry < a->n; entry++)
    for (int64_t token = 0; token < a->len; token++)
      for (int64_t c = 0; c < width; c += a->head_dim)
        turn (a, a->x + (entry * a->len + token) * a->x_stride + c,
              a->table ? a->table + token * a->head_dim : NULL,
              a->y + entry * a->y_entry + token * width + c);
}
