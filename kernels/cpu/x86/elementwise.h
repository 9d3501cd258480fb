/* SPDX-License-Identifier: MPL-2.0
 * elementwise.h - the element-wise and norm kernels of one instruction set.
 *
 * Each takes plain Args and runs on the caller's thread; cpu-elementwise.c cuts Args into tasks.
 * Results do not depend on where the cuts are, except group_moments, whose caller fixes them.
 */
#pragma once

#include "kernels/args.h"

enum
{
  ROPE_MAX_HEAD_DIM = 512
};

/* Pixels and groups of one image that a task works on. */
typedef struct
{
  int64_t image, first_pixel, n_pixels;
  int first_group, n_groups;
} GroupPart;

/* Of @count elements: their mean, and the sum of squared deviations from it. */
typedef struct
{
  double count, mean, squares;
} Moments;

typedef struct
{
  void (*unary) (const UnaryArgs *a);
  void (*add) (const AddArgs *a);
  void (*add_gated) (const AddGatedArgs *a); /* of one entry: n is not looked at */
  void (*gated) (const GatedArgs *a);
  void (*scale) (const ScaleArgs *a);
  void (*geglu) (const GegluArgs *a);
  void (*embed) (const EmbedArgs *a);
  void (*layer_norm) (const LayerNormArgs *a);
  void (*rms_norm) (const RmsNormArgs *a);
  void (*norm_modulate) (const NormModulateArgs *a); /* of one entry */
  void (*rope) (const RopeArgs *a);                  /* of one entry; heads to ROPE_MAX_HEAD_DIM */
  /* One row of output pixels, counted over all pictures. */
  void (*avg_down) (const AvgDownArgs *a, int64_t row);
  void (*dup_up) (const DupUpArgs *a, int64_t row);
  /* Fills out[0 .. part->n_groups - 1] with the moments of the part's pixels. */
  void (*group_moments) (const GroupNormArgs *a, const GroupPart *part, Moments *out);
  /* Normalises the part, given the moments of its groups over all pixels. */
  void (*group_apply) (const GroupNormArgs *a, const GroupPart *part, const Moments *moments);
} ElementwiseKernels;

extern const ElementwiseKernels elementwise_sse2, elementwise_avx2, elementwise_avx512;

/* Chan, Golub, LeVeque, Updating Formulae and a Pairwise Algorithm for Computing Sample Variances,
 * 1979: joins @b to @a. */
static inline void
moments_merge (Moments *a, Moments b)
{
  double count = a->count + b.count;
  if (b.count == 0)
    return;
  double delta = b.mean - a->mean;
  a->squares += b.squares + delta * delta * a->count * b.count / count;
  a->mean += delta * b.count / count;
  a->count = count;
}
