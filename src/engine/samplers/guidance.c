/* SPDX-License-Identifier: MPL-2.0
 * guidance.c - classifier-free guidance, composition, rescale.
 */
#include "samplers/guidance.h"

#include <math.h>

void
guidance_cfg (float *out, const float *cond, const float *uncond, double scale, int64_t n)
{
  for (int64_t i = 0; i < n; i++)
    out[i] = (float) (uncond[i] + scale * ((double) cond[i] - uncond[i]));
}

enum
{
  CHUNK = 256 /* values whose sums in f64 stay in the first level cache */
};

/* Part by part, so that loops are of vectors. */
static void
compose_chunk (float *out,
               int64_t at,
               int n,
               const float *const *cond,
               const double *weight,
               int n_cond,
               const float *uncond,
               double scale)
{
  double sums[CHUNK];
  for (int i = 0; i < n; i++)
    sums[i] = weight[0] * ((double) cond[0][at + i] - uncond[at + i]);
  for (int k = 1; k < n_cond; k++)
    for (int i = 0; i < n; i++)
      sums[i] += weight[k] * ((double) cond[k][at + i] - uncond[at + i]);
  for (int i = 0; i < n; i++)
    out[at + i] = (float) (uncond[at + i] + scale * sums[i]);
}

void
guidance_compose (float *out,
                  const float *const *cond,
                  const double *weight,
                  int n_cond,
                  const float *uncond,
                  double scale,
                  int64_t n)
{
  for (int64_t i = 0; i < n; i += CHUNK)
    compose_chunk (out, i, n - i < CHUNK ? (int) (n - i) : CHUNK, cond, weight, n_cond, uncond,
                   scale);
}

/* Standard deviation of @skip * x - x0, which is the model's output up to a factor. */
static double
deviation (const float *x, const float *x0, double skip, int64_t n)
{
  double mean = 0, squares = 0;
  for (int64_t i = 0; i < n; i++)
    mean += skip * x[i] - x0[i];
  mean /= (double) n;
  for (int64_t i = 0; i < n; i++)
    {
      double d = skip * x[i] - x0[i] - mean;
      squares += d * d;
    }
  return sqrt (squares); /* the factor 1 / sqrt (n - 1) cancels in a ratio */
}

static void
rescale_picture (
    float *guided, const float *cond, const float *x, double skip, double phi, int64_t n)
{
  double of_guided = deviation (x, guided, skip, n);
  if (of_guided <= 0) /* a constant has nothing to rescale */
    return;
  double ratio = deviation (x, cond, skip, n) / of_guided;
  double k = phi * ratio + 1 - phi;
  for (int64_t i = 0; i < n; i++)
    guided[i] = (float) (k * guided[i] + (1 - k) * skip * x[i]);
}

void
guidance_rescale (float *guided,
                  const float *cond,
                  const float *x,
                  double sigma,
                  Prediction prediction,
                  double phi,
                  int64_t n_pictures,
                  int64_t n_per_picture)
{
  if (phi == 0)
    return;
  double scale = prediction_input_scale (sigma);
  double skip = prediction == PREDICTION_V ? scale * scale : 1; /* x0 = skip x - factor output */
  for (int64_t i = 0; i < n_pictures; i++)
    {
      int64_t at = i * n_per_picture;
      rescale_picture (guided + at, cond + at, x + at, skip, phi, n_per_picture);
    }
}
