/* SPDX-License-Identifier: MPL-2.0
 * layout.c - between the latents that samplers keep (N, C, H, W) and the networks' (N, H, W, C).
 */
#include <math.h>

#include "pipelines/pipeline-private.h"

void
nchw_to_nhwc (float *out, const float *in, int64_t n, int64_t c, int64_t h, int64_t w)
{
  for (int64_t i = 0; i < n; i++)
    for (int64_t k = 0; k < c; k++)
      for (int64_t p = 0; p < h * w; p++)
        out[(i * h * w + p) * c + k] = in[(i * c + k) * h * w + p];
}

void
nhwc_to_nchw (float *out, const float *in, int64_t n, int64_t c, int64_t h, int64_t w)
{
  for (int64_t i = 0; i < n; i++)
    for (int64_t k = 0; k < c; k++)
      for (int64_t p = 0; p < h * w; p++)
        out[(i * c + k) * h * w + p] = in[(i * h * w + p) * c + k];
}

/* Not a number becomes 0, so that a broken picture is black rather than undefined. */
uint8_t
unit_to_byte (float v)
{
  return v > 0 ? (uint8_t) lrintf (fminf (v, 1) * 255) : 0;
}
