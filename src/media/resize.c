/* SPDX-License-Identifier: MPL-2.0 */
#include "media/resize.h"

#include <math.h>

#include "core/mem.h"

/* How samples of one side become those of the other: output i is the mean of n[i] inputs from
 * first[i] on, which may lie outside of the picture and are then those of its edge.  Their weights
 * are a triangle's as wide as an output, or as an input where those are larger. */
typedef struct
{
  int n_in, n_out, n_taps;
  int *first, *n;  /* (n_out) */
  double *weights; /* (n_out, n_taps) */
  double *sums;    /* (n_out), of the weights */
} Filter;

static void
filter_clear (Filter *f)
{
  mem_free (f->first);
  mem_free (f->n);
  mem_free (f->weights);
  mem_free (f->sums);
}

static void
filter_add (Filter *f, int i, int at, double weight)
{
  if (weight <= 0)
    return;
  if (f->n[i] == 0)
    f->first[i] = at;
  f->weights[(int64_t) i * f->n_taps + f->n[i]++] = weight;
  f->sums[i] += weight;
}

static bool
filter_init (Filter *f, int n_in, int n_out)
{
  double scale = (double) n_in / n_out, reach = scale > 1 ? scale : 1;
  *f = (Filter){ n_in, n_out, (int) ceil (2 * reach) + 3, NULL, NULL, NULL, NULL };
  size_t n = (size_t) n_out;
  f->first = mem_calloc (n, sizeof *f->first);
  f->n = mem_calloc (n, sizeof *f->n);
  f->weights = mem_calloc (n * (size_t) f->n_taps, sizeof *f->weights);
  f->sums = mem_calloc (n, sizeof *f->sums);
  if (!f->first || !f->n || !f->weights || !f->sums)
    return false;
  for (int i = 0; i < n_out; i++)
    {
      double center = (i + 0.5) * scale - 0.5;
      for (int k = (int) floor (center - reach); k <= (int) ceil (center + reach); k++)
        filter_add (f, i, k, 1 - fabs (k - center) / reach);
    }
  return true;
}

/* Where tap @t of output @i lies. */
static int
filter_at (const Filter *f, int i, int t)
{
  int at = f->first[i] + t;
  return at < 0 ? 0 : at >= f->n_in ? f->n_in - 1 : at;
}

/* in: (n_in, 3); out: (n_out, 3) */
static void
resize_row (const Filter *f, float *out, const uint8_t *in)
{
  for (int i = 0; i < f->n_out; i++)
    {
      const double *weights = f->weights + (int64_t) i * f->n_taps;
      double sums[IMAGE_CHANNELS] = { 0 };
      for (int t = 0; t < f->n[i]; t++)
        for (int c = 0, at = filter_at (f, i, t) * IMAGE_CHANNELS; c < IMAGE_CHANNELS; c++)
          sums[c] += weights[t] * in[at + c];
      for (int c = 0; c < IMAGE_CHANNELS; c++)
        out[i * IMAGE_CHANNELS + c] = (float) (sums[c] / f->sums[i]);
    }
}

/* Row @i of the result.  wide: (n_in, n); sums: (n), scratch; out: (n) */
static void
resize_column (const Filter *f, int i, uint8_t *out, const float *wide, double *sums, int64_t n)
{
  const double *weights = f->weights + (int64_t) i * f->n_taps;
  for (int64_t x = 0; x < n; x++)
    sums[x] = 0;
  for (int t = 0; t < f->n[i]; t++)
    {
      const float *in = wide + filter_at (f, i, t) * n;
      for (int64_t x = 0; x < n; x++)
        sums[x] += weights[t] * (double) in[x];
    }
  for (int64_t x = 0; x < n; x++)
    out[x] = (uint8_t) lrintf (fminf (fmaxf ((float) (sums[x] / f->sums[i]), 0), 255));
}

/* Returns: (height, width, 3), the caller's to mem_free; NULL without memory */
static uint8_t *
resize_all (const Image *from, int width, int height)
{
  Filter across = { 0 }, down = { 0 };
  int64_t row = (int64_t) width * IMAGE_CHANNELS;
  float *wide = mem_calloc ((size_t) row * (size_t) from->height, sizeof *wide);
  double *sums = mem_calloc ((size_t) row, sizeof *sums);
  uint8_t *rgb = mem_calloc ((size_t) row * (size_t) height, 1);
  if (wide && sums && rgb && filter_init (&across, from->width, width) &&
      filter_init (&down, from->height, height))
    {
      for (int y = 0; y < from->height; y++)
        resize_row (&across, wide + y * row,
                    from->rgb + (int64_t) y * from->width * IMAGE_CHANNELS);
      for (int y = 0; y < height; y++)
        resize_column (&down, y, rgb + y * row, wide, sums, row);
    }
  else
    {
      mem_free (rgb);
      rgb = NULL;
    }
  filter_clear (&across);
  filter_clear (&down);
  mem_free (wide);
  mem_free (sums);
  return rgb;
}

bool
image_resize (Image *image, int width, int height, Status *status)
{
  if (width < 1 || height < 1 || width > IMAGE_MAX_SIDE || height > IMAGE_MAX_SIDE)
    return status_fail (status, STATUS_ARGUMENT, "A picture cannot be %d x %d pixels.", width,
                        height);
  if (width == image->width && height == image->height)
    return true;
  uint8_t *rgb = resize_all (image, width, height);
  if (!rgb)
    return status_fail (status, STATUS_NO_MEMORY, "Out of memory: choose a smaller picture.");
  mem_free (image->rgb);
  *image = (Image){ width, height, rgb };
  return true;
}
