/* SPDX-License-Identifier: MPL-2.0 */
#include "pipelines/vision-input.h"

#include <math.h>

#include "core/mem.h"

enum
{
  COLOURS = 3,
  FIXED_BITS = 22, /* Pillow's: 32, less 8 of a byte and 2 of headroom */
  TAPS = 4,
  LARGEST_BYTE = 255
};

static const double CUBIC_REACH = 2;
static const double PILLOW_A = -0.5, TORCH_A = -0.75;
static const float mean[COLOURS] = { 0.48145466f, 0.4578275f, 0.40821073f };
static const float deviation[COLOURS] = { 0.26862954f, 0.26130258f, 0.27577711f };

/* Keys 1981, equation 4. */
static double
cubic (double x, double a)
{
  x = fabs (x);
  if (x < 1)
    return ((a + 2) * x - (a + 3)) * x * x + 1;
  return x < CUBIC_REACH ? (((x - 5) * x + 8) * x - 4) * a : 0;
}

static bool
no_memory (Status *status)
{
  return status_fail (status, STATUS_NO_MEMORY, "Out of memory: choose a smaller picture.");
}

/* ---- as Pillow resizes ---- */

/* Lines of a picture along one direction, @step samples between neighbours. */
typedef struct
{
  int n_in, n_out; /* samples of a line */
  int64_t in_step, out_step;
  int n_lines; /* each of COLOURS interleaved */
  int64_t in_line, out_line;
} Direction;

/* Weights of output sample @i, in fixed point, for samples *first .. *first + n - 1.  Returns: n */
static int
weights_of (const Direction *d, int i, int *weights, double *scratch, int *first)
{
  double scale = (double) d->n_in / d->n_out, wide = scale > 1 ? scale : 1, sum = 0;
  double center = (i + 0.5) * scale, reach = CUBIC_REACH * wide;
  int begin = (int) (center - reach + 0.5), end = (int) (center + reach + 0.5);
  begin = begin > 0 ? begin : 0;
  end = end < d->n_in ? end : d->n_in;
  for (int k = begin; k < end; k++)
    sum += scratch[k - begin] = cubic ((k - center + 0.5) / wide, PILLOW_A);
  for (int k = 0; k < end - begin; k++)
    {
      double w = (sum != 0 ? scratch[k] / sum : scratch[k]) * (1 << FIXED_BITS);
      weights[k] = (int) (w < 0 ? w - 0.5 : w + 0.5);
    }
  *first = begin;
  return end - begin;
}

static uint8_t
to_byte (int fixed)
{
  int v = fixed >> FIXED_BITS;
  return (uint8_t) (v < 0 ? 0 : v > LARGEST_BYTE ? LARGEST_BYTE : v);
}

static bool
resize_direction (const Direction *d, const uint8_t *in, uint8_t *out, Status *status)
{
  int *weights = mem_calloc ((size_t) d->n_in, sizeof *weights);
  double *scratch = mem_calloc ((size_t) d->n_in, sizeof *scratch);
  for (int i = 0; weights && scratch && i < d->n_out; i++)
    {
      int first, n = weights_of (d, i, weights, scratch, &first);
      for (int line = 0; line < d->n_lines; line++)
        for (int c = 0; c < COLOURS; c++)
          {
            const uint8_t *from = in + line * d->in_line + first * d->in_step + c;
            int sum = 1 << (FIXED_BITS - 1);
            for (int k = 0; k < n; k++)
              sum += from[k * d->in_step] * weights[k];
            out[line * d->out_line + i * d->out_step + c] = to_byte (sum);
          }
    }
  bool ok = weights && scratch;
  mem_free (weights);
  mem_free (scratch);
  return ok || no_memory (status);
}

/* Returns: (to_h, to_w, 3), the caller's to mem_free */
static uint8_t *
resize (const uint8_t *rgb, int w, int h, int to_w, int to_h, Status *status)
{
  const Direction across = { w, to_w, COLOURS, COLOURS, h, w * COLOURS, to_w * COLOURS };
  const Direction down = { h, to_h, to_w * COLOURS, to_w * COLOURS, to_w, COLOURS, COLOURS };
  uint8_t *wide = mem_calloc ((size_t) h * (size_t) to_w, COLOURS);
  uint8_t *out = wide ? mem_calloc ((size_t) to_h * (size_t) to_w, COLOURS) : NULL;
  bool ok = out ? resize_direction (&across, rgb, wide, status) &&
                      resize_direction (&down, wide, out, status)
                : no_memory (status);
  mem_free (wide);
  if (ok)
    return out;
  mem_free (out);
  return NULL;
}

static bool
crop (float *pixels, const uint8_t *rgb, int width, int height, int side, Status *status)
{
  int shorter = width < height ? width : height;
  int w = (int) ((int64_t) side * width / shorter), h = (int) ((int64_t) side * height / shorter);
  uint8_t *small = resize (rgb, width, height, w, h, status);
  for (int64_t i = 0; small && i < (int64_t) side * side; i++)
    {
      int64_t y = i / side + (h - side) / 2, x = i % side + (w - side) / 2;
      for (int c = 0; c < COLOURS; c++)
        *pixels++ =
            ((float) small[(y * w + x) * COLOURS + c] / LARGEST_BYTE - mean[c]) / deviation[c];
    }
  mem_free (small);
  return small != NULL;
}

/* ---- as PyTorch interpolates ---- */

/* Four samples around the place of output @i, the outermost repeated beyond the edges. */
static void
samples_of (int n_in, int n_out, int i, int at[TAPS], double weights[TAPS])
{
  double place = (i + 0.5) * n_in / n_out - 0.5, below = floor (place);
  for (int k = 0; k < TAPS; k++)
    {
      int sample = (int) below - 1 + k;
      at[k] = sample < 0 ? 0 : sample < n_in ? sample : n_in - 1;
      weights[k] = cubic (place - below + 1 - k, TORCH_A);
    }
}

static void
squeeze (float *pixels, const uint8_t *rgb, int width, int height, int side)
{
  for (int i = 0; i < side * side; i++)
    {
      int ys[TAPS], xs[TAPS];
      double wy[TAPS], wx[TAPS];
      samples_of (height, side, i / side, ys, wy);
      samples_of (width, side, i % side, xs, wx);
      for (int c = 0; c < COLOURS; c++)
        {
          double sum = 0;
          for (int k = 0; k < TAPS * TAPS; k++)
            sum += wy[k / TAPS] * wx[k % TAPS] *
                   rgb[((int64_t) ys[k / TAPS] * width + xs[k % TAPS]) * COLOURS + c];
          *pixels++ = ((float) (sum / LARGEST_BYTE) - mean[c]) / deviation[c];
        }
    }
}

bool
vision_pixels (float *pixels,
               const uint8_t *rgb,
               int width,
               int height,
               int side,
               VisionFit fit,
               Status *status)
{
  if (fit == VISION_CROP)
    return crop (pixels, rgb, width, height, side, status);
  squeeze (pixels, rgb, width, height, side);
  return true;
}
