/* SPDX-License-Identifier: MPL-2.0
 * ref.h - the scalar specification of every slot: what the other levels must agree with.
 *
 * Plain C that reads like the formula; one thread; sums in f64.  A level uses these wherever it has
 * nothing better, so they accept every shape, stride and dtype that args.h allows.
 */
#pragma once

#include "core/blocks.h"
#include "kernels/args.h"

void ref_linear (const LinearArgs *a);
void ref_conv2d (const ConvArgs *a);
void ref_conv3d (const Conv3dArgs *a);
void ref_attention (const AttentionArgs *a);
void ref_group_norm (const GroupNormArgs *a);
void ref_layer_norm (const LayerNormArgs *a);
void ref_rms_norm (const RmsNormArgs *a);
void ref_norm_modulate (const NormModulateArgs *a);
void ref_rope (const RopeArgs *a);
void ref_unary (const UnaryArgs *a);
void ref_add (const AddArgs *a);
void ref_add_gated (const AddGatedArgs *a);
void ref_gated (const GatedArgs *a);
void ref_scale (const ScaleArgs *a);
void ref_geglu (const GegluArgs *a);
void ref_embed (const EmbedArgs *a);
void ref_concat (const ConcatArgs *a);
void ref_copy (const CopyArgs *a);
void ref_round (const RoundArgs *a);
void ref_avg_down (const AvgDownArgs *a);
void ref_dup_up (const DupUpArgs *a);
void ref_resize (const ResizeArgs *a);
void ref_sinusoid (const SinusoidArgs *a);

/* Element @i of a parameter as f32; @otherwise where there is no parameter. */
static inline float
ref_param (const Param *p, int64_t i, float otherwise)
{
  if (p->data)
    param_to_f32 (&otherwise, p, i, 1);
  return otherwise;
}

/* A factor of a product as the compute type sees it. */
static inline float
ref_factor (float f, Compute compute)
{
  return compute == COMPUTE_BF16 ? bf16_to_f32 (f32_to_bf16 (f)) : f;
}

static inline int64_t
ref_least (int64_t a, int64_t b)
{
  return a < b ? a : b;
}

/* @n factors at once. */
static inline void
ref_factors (double *out, const float *x, int64_t n, Compute compute)
{
  for (int64_t i = 0; i < n; i++)
    out[i] = ref_factor (x[i], compute);
}

/* x . y, in sums side by side: one alone would wait for each addition. */
static inline double
ref_dot (const double *x, const double *y, int64_t n)
{
  enum
  {
    LANES = 8
  };
  double sums[LANES] = { 0 }, sum = 0;
  int64_t whole = n - n % LANES;
  for (int64_t i = 0; i < whole; i += LANES)
    for (int lane = 0; lane < LANES; lane++)
      sums[lane] += x[i + lane] * y[i + lane];
  for (int64_t i = whole; i < n; i++)
    sum += x[i] * y[i];
  for (int lane = 0; lane < LANES; lane++)
    sum += sums[lane];
  return sum;
}

/* y = x W^T + bias; see product.c.  A unit is what lies in a row of w side by side for one input:
 * one factor of a linear layer, the taps of a channel of a convolution. */
typedef struct
{
  const void *args;
  /* @n units of @row of x, from unit @first on, as the compute type sees them */
  void (*load) (double *out, const void *args, int64_t row, int64_t first, int64_t n);
  void (*store) (const void *args, int64_t row, int64_t out, double sum);
  const Param *w, *bias;
  Compute compute;
  int64_t n_rows, n_outs, n_units;
  int unit; /* factors, 1 to 27 */
} RefProduct;

void ref_product (const RefProduct *p);
