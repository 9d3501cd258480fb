/* SPDX-License-Identifier: MPL-2.0
 * encode.c - one encoder a format.
 *
 * Source: the formats' definitions (core/blocks.c).  The search in q4_k is ours: a few widths of
 * the grid are tried, each then fitted by weighted least squares.
 */
#include "weights/encode.h"

#include <math.h>
#include <string.h>

enum
{
  RUN = 32,
  LONG_RUN = 256,
  K_RUNS = LONG_RUN / RUN,
  Q4_MOST = 15,
  SCALE_MOST = 63, /* of six bits */
  Q8_MOST = 127,
  N_WIDTHS = 9 /* of a grid that are tried */
};

static const float E4M3_MOST = 448, E4M3_NORMAL = 0x1p-6f;

static uint8_t
f32_to_e4m3 (float f)
{
  uint8_t sign = signbit (f) ? 0x80 : 0;
  float a = fabsf (f);
  if (isnan (f))
    return sign | 0x7f;
  if (a >= E4M3_MOST)
    return sign | 0x7e;
  if (a < E4M3_NORMAL) /* multiples of 2^-9; the next one up is the smallest normal number */
    return sign | (uint8_t) lrintf (a * 0x1p9f);
  uint32_t u;
  memcpy (&u, &a, sizeof u);
  u += 0x7ffff + (u >> 20 & 1);
  return sign | (uint8_t) ((u >> 20) - ((127 - 7) << 3));
}

static void
store_half (uint8_t *p, float f)
{
  uint16_t h = f32_to_f16 (f);
  p[0] = (uint8_t) h;
  p[1] = (uint8_t) (h >> 8);
}

static float
half_of (float f)
{
  return f16_to_f32 (f32_to_f16 (f));
}

static int
clamp_round (float x, int most)
{
  int q = (int) lrintf (x);
  return q < 0 ? 0 : q > most ? most : q;
}

static void
encode_q8_0 (uint8_t *b, const float *x)
{
  float most = 0;
  for (int i = 0; i < RUN; i++)
    most = fmaxf (most, fabsf (x[i]));
  float d = most / Q8_MOST, inverse = d > 0 ? 1 / d : 0;
  store_half (b, d);
  for (int i = 0; i < RUN; i++)
    b[2 + i] = (uint8_t) (int8_t) roundf (x[i] * inverse);
}

/* x is about scale q - min, q in 0 .. 15, min not negative. */
typedef struct
{
  float scale, min;
} Fit;

/* The least weighted squares for given codes. */
static Fit
fit_codes (const float *x, const float *weights, const int *q)
{
  double w = 0, wq = 0, wqq = 0, wx = 0, wqx = 0;
  for (int i = 0; i < RUN; i++)
    {
      w += weights[i];
      wq += weights[i] * q[i];
      wqq += weights[i] * q[i] * q[i];
      wx += weights[i] * x[i];
      wqx += weights[i] * q[i] * x[i];
    }
  double det = w * wqq - wq * wq;
  double scale = det > 0 ? (w * wqx - wq * wx) / det : 0;
  double min = det > 0 ? -(wqq * wx - wq * wqx) / det : 0;
  if (min < 0 || det <= 0)
    {
      min = 0;
      scale = wqq > 0 ? wqx / wqq : 0;
    }
  return (Fit){ (float) scale, (float) min };
}

static double
error_of (const float *x, const float *weights, const int *q, Fit fit)
{
  double sum = 0;
  for (int i = 0; i < RUN; i++)
    {
      double e = (double) fit.scale * q[i] - fit.min - x[i];
      sum += weights[i] * e * e;
    }
  return sum;
}

static Fit
fit_run (const float *x)
{
  float low = 0, high = 0, weights[RUN], squares = 0;
  for (int i = 0; i < RUN; i++)
    {
      low = fminf (low, x[i]);
      high = fmaxf (high, x[i]);
      squares += x[i] * x[i];
    }
  if (!(high > low))
    return (Fit){ 0, 0 };
  for (int i = 0; i < RUN; i++) /* large weights matter more in a product */
    weights[i] = sqrtf (squares / RUN) + fabsf (x[i]);
  Fit best = { (high - low) / Q4_MOST, -low };
  double least = INFINITY;
  for (int k = 0; k < N_WIDTHS; k++)
    {
      int q[RUN];
      float steps = (float) Q4_MOST - 0.8f + 0.2f * (float) k;
      for (int i = 0; i < RUN; i++)
        q[i] = clamp_round ((x[i] - low) * (steps / (high - low)), Q4_MOST);
      Fit fit = fit_codes (x, weights, q);
      double error = error_of (x, weights, q, fit);
      if (fit.scale > 0 && error < least)
        {
          least = error;
          best = fit;
        }
    }
  return best;
}

/* Scale @s and minimum @m of run @j into 12 bytes; the first four runs come before the others. */
static void
pack_k_scale (uint8_t *p, int j, int s, int m)
{
  if (j < 4)
    {
      p[j] = (uint8_t) s;
      p[j + 4] = (uint8_t) m;
      return;
    }
  p[j + 4] = (uint8_t) ((s & 15) | (m & 15) << 4);
  p[j - 4] |= (uint8_t) (s >> 4 << 6);
  p[j] |= (uint8_t) (m >> 4 << 6);
}

static void
encode_q4_k (uint8_t *b, const float *x)
{
  Fit fits[K_RUNS];
  float scale_most = 0, min_most = 0;
  for (int j = 0; j < K_RUNS; j++)
    {
      fits[j] = fit_run (x + j * RUN);
      scale_most = fmaxf (scale_most, fits[j].scale);
      min_most = fmaxf (min_most, fits[j].min);
    }
  float d = half_of (scale_most / SCALE_MOST), dmin = half_of (min_most / SCALE_MOST);
  memset (b, 0, 144);
  store_half (b, d);
  store_half (b + 2, dmin);
  for (int j = 0; j < K_RUNS; j++)
    {
      int s = d > 0 ? clamp_round (fits[j].scale / d, SCALE_MOST) : 0;
      int m = dmin > 0 ? clamp_round (fits[j].min / dmin, SCALE_MOST) : 0;
      float ds = d * (float) s, dm = dmin * (float) m, inverse = ds > 0 ? 1 / ds : 0;
      pack_k_scale (b + 4, j, s, m);
      for (int i = 0; i < RUN; i++)
        b[16 + j / 2 * RUN + i] |=
            (uint8_t) (clamp_round ((x[j * RUN + i] + dm) * inverse, Q4_MOST) << j % 2 * 4);
    }
}

bool
encode_can (DType dtype)
{
  return dtype_is_real (dtype) || dtype == DTYPE_F8_E4M3 || dtype == DTYPE_Q8_0 ||
         dtype == DTYPE_Q4_K;
}

void
encode (void *out, DType dtype, const float *x, int64_t n)
{
  uint8_t *b = out;
  int size = dtype_block_elements (dtype), bytes = dtype_block_bytes (dtype);
  if (dtype == DTYPE_F32)
    {
      memcpy (out, x, (size_t) n * sizeof *x);
      return;
    }
  for (int64_t i = 0; i < n; i += size, b += bytes)
    {
      uint16_t half = 0;
      if (dtype == DTYPE_Q8_0)
        encode_q8_0 (b, x + i);
      else if (dtype == DTYPE_Q4_K)
        encode_q4_k (b, x + i);
      else if (dtype == DTYPE_F8_E4M3)
        *b = f32_to_e4m3 (x[i]);
      else
        {
          half = dtype == DTYPE_F16 ? f32_to_f16 (x[i]) : f32_to_bf16 (x[i]);
          memcpy (b, &half, sizeof half);
        }
    }
}
