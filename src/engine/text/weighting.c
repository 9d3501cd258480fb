/* SPDX-License-Identifier: MPL-2.0
 * weighting.c - emphasis on the encoder's output, one chunk at a time. */
#include "text/weighting.h"

#include <math.h>

static double
mean (const float *z, size_t n)
{
  double sum = 0;
  for (size_t i = 0; i < n; i++)
    sum += (double) z[i];
  return sum / (double) n;
}

/* z: (n, dim), w: (n) */
static void
scale_tokens (float *z, const float *w, int n, int dim)
{
  for (int i = 0; i < n; i++)
    for (int k = 0; k < dim; k++)
      z[(size_t) i * (size_t) dim + (size_t) k] *= w[i];
}

static bool
apply_a1111 (float *z, const float *w, int n, int dim, Status *status)
{
  size_t n_values = (size_t) n * (size_t) dim;
  double before = mean (z, n_values);
  scale_tokens (z, w, n, dim);
  double ratio = before / mean (z, n_values);
  if (!isfinite (ratio))
    return status_fail (status, STATUS_ARGUMENT,
                        "The prompt's weights leave nothing of it to restore the mean from: change "
                        "them, or choose weighting without normalisation.");
  for (size_t i = 0; i < n_values; i++)
    z[i] = (float) ((double) z[i] * ratio);
  return true;
}

static void
apply_comfyui (float *z, const float *z_empty, const float *w, int n, int dim)
{
  for (int i = 0; i < n; i++)
    for (int k = 0; w[i] != 1 && k < dim; k++)
      {
        size_t at = (size_t) i * (size_t) dim + (size_t) k;
        z[at] = z_empty[at] + (z[at] - z_empty[at]) * w[i];
      }
}

static bool
is_weighted (const float *w, int n)
{
  for (int i = 0; i < n; i++)
    if (w[i] != 1)
      return true;
  return false;
}

bool
weighting_apply (PromptWeighting weighting,
                 const TokenChunks *chunks,
                 float *z,
                 const float *z_empty,
                 int dim,
                 Status *status)
{
  if (weighting == WEIGHTING_COMFYUI && !z_empty)
    return status_fail (status, STATUS_ARGUMENT,
                        "ComfyUI's weighting needs the encoding of the empty prompt.");
  int n = chunks->length;
  for (int chunk = 0; weighting != WEIGHTING_NONE && chunk < chunks->n_chunks; chunk++)
    {
      const float *w = chunks->weights + (size_t) chunk * (size_t) n;
      float *zc = z + (size_t) chunk * (size_t) n * (size_t) dim;
      if (!is_weighted (w, n))
        continue;
      if (weighting == WEIGHTING_A1111_NO_NORM)
        scale_tokens (zc, w, n, dim);
      else if (weighting == WEIGHTING_COMFYUI)
        apply_comfyui (zc, z_empty, w, n, dim);
      else if (!apply_a1111 (zc, w, n, dim, status))
        return false;
    }
  return true;
}
