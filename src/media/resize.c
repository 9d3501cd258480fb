/* SPDX-License-Identifier: MPL-2.0 */
#include "media/resize.h"

#include <math.h>

#include "core/mem.h"

/* One line of @n_in samples to @n_out, both with their strides in samples of a channel. */
static void
resize_line (
    float *out, int n_out, int64_t out_stride, const float *in, int n_in, int64_t in_stride)
{
  double scale = (double) n_in / n_out, reach = scale > 1 ? scale : 1;
  for (int i = 0; i < n_out; i++)
    {
      double center = (i + 0.5) * scale - 0.5, sum = 0, weight_sum = 0;
      for (int k = (int) floor (center - reach); k <= (int) ceil (center + reach); k++)
        {
          double weight = 1 - fabs (k - center) / reach;
          if (weight <= 0)
            continue;
          int at = k < 0 ? 0 : k >= n_in ? n_in - 1 : k;
          sum += weight * (double) in[at * in_stride];
          weight_sum += weight;
        }
      out[i * out_stride] = (float) (sum / weight_sum);
    }
}

static void
resize_all (const Image *from, float *wide, float *tall, int width, int height)
{
  for (int y = 0; y < from->height; y++)
    for (int c = 0; c < IMAGE_CHANNELS; c++)
      {
        float *line = tall; /* scratch: one input row of this channel */
        for (int x = 0; x < from->width; x++)
          line[x] = from->rgb[((int64_t) y * from->width + x) * IMAGE_CHANNELS + c];
        resize_line (wide + (int64_t) y * width * IMAGE_CHANNELS + c, width, IMAGE_CHANNELS, line,
                     from->width, 1);
      }
  int64_t row = (int64_t) width * IMAGE_CHANNELS;
  for (int64_t x = 0; x < row; x++)
    resize_line (tall + x, height, row, wide + x, from->height, row);
}

bool
image_resize (Image *image, int width, int height, Status *status)
{
  if (width < 1 || height < 1 || width > IMAGE_MAX_SIDE || height > IMAGE_MAX_SIDE)
    return status_fail (status, STATUS_ARGUMENT, "A picture cannot be %d x %d pixels.", width,
                        height);
  if (width == image->width && height == image->height)
    return true;
  size_t n = (size_t) width * (size_t) height * IMAGE_CHANNELS;
  size_t n_tall = n > (size_t) image->width ? n : (size_t) image->width;
  float *wide = mem_calloc ((size_t) width * (size_t) image->height * IMAGE_CHANNELS, sizeof *wide);
  float *tall = mem_calloc (n_tall, sizeof *tall);
  uint8_t *rgb = mem_calloc (n, 1);
  bool ok = wide && tall && rgb;
  if (ok)
    {
      resize_all (image, wide, tall, width, height);
      for (size_t i = 0; i < n; i++)
        rgb[i] = (uint8_t) lrintf (fminf (fmaxf (tall[i], 0), 255));
      mem_free (image->rgb);
      *image = (Image){ width, height, rgb };
    }
  else
    {
      mem_free (rgb);
      status_fail (status, STATUS_NO_MEMORY, "Out of memory: choose a smaller picture.");
    }
  mem_free (wide);
  mem_free (tall);
  return ok;
}
