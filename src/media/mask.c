/* SPDX-License-Identifier: MPL-2.0 */
#include "media/mask.h"

#include <math.h>
#include <string.h>

#include "core/mem.h"

enum
{
  BLUR_PASSES = 3,
  FILL_CHANNELS = 4 /* colours times opacity, and opacity */
};

static bool
no_memory (Status *status)
{
  return status_fail (status, STATUS_NO_MEMORY, "Out of memory: choose a smaller picture.");
}

bool
mask_read (Image *mask, const char *path, Status *status)
{
  enum
  {
    RED = 299, /* ITU-R BT.601, thousandths */
    GREEN = 587,
    BLUE = 114
  };
  if (!image_read_opacity (mask, path, status))
    return false;
  size_t n = (size_t) mask->width * (size_t) mask->height;
  for (size_t i = 0; i < n; i++)
    {
      uint8_t *p = mask->rgb + i * IMAGE_CHANNELS;
      memset (p, (RED * p[0] + GREEN * p[1] + BLUE * p[2] + 500) / 1000, IMAGE_CHANNELS);
    }
  return true;
}

uint8_t *
mask_from_image (const Image *image, Status *status)
{
  size_t n = (size_t) image->width * (size_t) image->height;
  uint8_t *mask = mem_calloc (n, 1);
  if (!mask)
    no_memory (status);
  for (size_t i = 0; mask && i < n; i++)
    mask[i] = image->rgb[i * IMAGE_CHANNELS];
  return mask;
}

/* Mean over @reach values to either side, clamped at the ends; @out is packed. */
static void
running_mean (float *out, const float *in, int n, int64_t stride, int reach)
{
  double sum = 0;
  for (int i = -reach; i <= reach; i++)
    sum += (double) in[(i < 0 ? 0 : i >= n ? n - 1 : i) * stride];
  for (int i = 0; i < n; i++)
    {
      out[i] = (float) (sum / (2 * reach + 1));
      int leave = i - reach, enter = i + reach + 1;
      sum += (double) in[(enter >= n ? n - 1 : enter) * stride];
      sum -= (double) in[(leave < 0 ? 0 : leave) * stride];
    }
}

/* One line through all passes; @line holds two of its length. */
static void
blur_line (float *values, int n, int64_t stride, const int *reach, float *line)
{
  running_mean (line, values, n, stride, reach[0]);
  running_mean (line + n, line, n, 1, reach[1]);
  running_mean (line, line + n, n, 1, reach[2]);
  for (int i = 0; i < n; i++)
    values[i * stride] = line[i];
}

/* Widths of the means whose variances add up to sigma^2, each (w^2 - 1) / 12 (Kovesi 2010). */
static void
choose_reaches (double sigma, int reach[BLUR_PASSES])
{
  double ideal = sqrt (12 * sigma * sigma / BLUR_PASSES + 1);
  int low = (int) ideal - ((int) ideal % 2 == 0), high = low + 2;
  double n_low =
      (12 * sigma * sigma - BLUR_PASSES * (low * low + 4.0 * low + 3)) / (-4.0 * low - 4);
  for (int i = 0; i < BLUR_PASSES; i++)
    reach[i] = ((i < lround (n_low) ? low : high) - 1) / 2;
}

/* @values: (height, width, n_channels) */
static bool
blur (float *values, int width, int height, int n_channels, double sigma, Status *status)
{
  int reach[BLUR_PASSES];
  size_t longest = (size_t) (width > height ? width : height);
  float *line = mem_calloc (2 * longest, sizeof *line);
  if (!line)
    return no_memory (status);
  choose_reaches (sigma, reach);
  int64_t row = (int64_t) width * n_channels;
  for (int c = 0; c < n_channels; c++)
    {
      for (int y = 0; y < height; y++)
        blur_line (values + y * row + c, width, n_channels, reach, line);
      for (int x = 0; x < width; x++)
        blur_line (values + (int64_t) x * n_channels + c, height, row, reach, line);
    }
  mem_free (line);
  return true;
}

bool
mask_blur (uint8_t *mask, int width, int height, double sigma_px, Status *status)
{
  size_t n = (size_t) width * (size_t) height;
  if (sigma_px <= 0)
    return true;
  float *values = mem_calloc (n, sizeof *values);
  if (!values)
    return no_memory (status);
  for (size_t i = 0; i < n; i++)
    values[i] = mask[i];
  bool ok = blur (values, width, height, 1, sigma_px, status);
  for (size_t i = 0; ok && i < n; i++)
    mask[i] = (uint8_t) lrintf (values[i]);
  mem_free (values);
  return ok;
}

MaskBox
mask_box (const uint8_t *mask, int width, int height)
{
  int left = width, right = -1, top = height, bottom = -1;
  for (int y = 0; y < height; y++)
    for (int x = 0; x < width; x++)
      if (mask[(int64_t) y * width + x])
        {
          left = x < left ? x : left;
          right = x > right ? x : right;
          top = y < top ? y : top;
          bottom = y;
        }
  return right < 0 ? (MaskBox){ 0 } : (MaskBox){ left, top, right - left + 1, bottom - top + 1 };
}

/* Grows [*from, *from + *size) to @wanted within 0 .. @limit, evenly while there is room. */
static void
grow (int *from, int *size, int wanted, int limit)
{
  wanted = wanted > limit ? limit : wanted;
  if (wanted <= *size)
    return;
  *from -= (wanted - *size) / 2;
  *size = wanted;
  if (*from < 0)
    *from = 0;
  if (*from + *size > limit)
    *from = limit - *size;
}

MaskBox
mask_box_fit (MaskBox b, int padding_px, int width, int height, int in_width, int in_height)
{
  int right = b.x + b.width + padding_px, bottom = b.y + b.height + padding_px;
  b.x = b.x > padding_px ? b.x - padding_px : 0;
  b.y = b.y > padding_px ? b.y - padding_px : 0;
  b.width = (right < in_width ? right : in_width) - b.x;
  b.height = (bottom < in_height ? bottom : in_height) - b.y;
  double shape = (double) width / height;
  if ((double) b.width / b.height > shape)
    grow (&b.y, &b.height, (int) lround (b.width / shape), in_height);
  else
    grow (&b.x, &b.width, (int) lround (b.height * shape), in_width);
  return b;
}

/* Lays the blurred picture, weighted by its opacity, over what is there. */
static void
lay_over (float *out, const float *blurred, size_t n)
{
  for (size_t i = 0; i < n; i++, out += IMAGE_CHANNELS, blurred += FILL_CHANNELS)
    for (int c = 0; c < IMAGE_CHANNELS; c++)
      out[c] = out[c] * (1 - blurred[IMAGE_CHANNELS]) + blurred[c];
}

static void
split_known (float *known, const Image *image, const uint8_t *mask, size_t n)
{
  for (size_t i = 0; i < n; i++)
    {
      float opacity = 1 - (float) mask[i] / 255;
      for (int c = 0; c < IMAGE_CHANNELS; c++)
        known[i * FILL_CHANNELS + (size_t) c] =
            (float) image->rgb[i * IMAGE_CHANNELS + (size_t) c] * opacity;
      known[i * FILL_CHANNELS + IMAGE_CHANNELS] = opacity;
    }
}

/* Radii and repeats as A1111 has them for "fill". */
static bool
fill_layers (float *out, float *blurred, const float *known, int width, int height, Status *status)
{
  static const struct
  {
    int sigma_px, repeats;
  } layers[] = { { 256, 1 }, { 64, 1 }, { 16, 2 }, { 4, 4 }, { 2, 2 }, { 0, 1 } };
  size_t n = (size_t) width * (size_t) height;
  for (size_t i = 0; i < sizeof layers / sizeof *layers; i++)
    {
      memcpy (blurred, known, n * FILL_CHANNELS * sizeof *known);
      if (layers[i].sigma_px > 0 &&
          !blur (blurred, width, height, FILL_CHANNELS, layers[i].sigma_px, status))
        return false;
      for (int k = 0; k < layers[i].repeats; k++)
        lay_over (out, blurred, n);
    }
  return true;
}

bool
mask_fill (Image *image, const uint8_t *mask, Status *status)
{
  size_t n = (size_t) image->width * (size_t) image->height;
  float *known = mem_calloc (n * FILL_CHANNELS, sizeof *known);
  float *blurred = mem_calloc (n * FILL_CHANNELS, sizeof *blurred);
  float *out = mem_calloc (n * IMAGE_CHANNELS, sizeof *out);
  bool ok = (known && blurred && out) || no_memory (status);
  if (ok)
    {
      split_known (known, image, mask, n);
      ok = fill_layers (out, blurred, known, image->width, image->height, status);
    }
  for (size_t i = 0; ok && i < n * IMAGE_CHANNELS; i++)
    if (mask[i / IMAGE_CHANNELS])
      image->rgb[i] = (uint8_t) lrintf (fminf (fmaxf (out[i], 0), 255));
  mem_free (known);
  mem_free (blurred);
  mem_free (out);
  return ok;
}

static uint8_t *
crop (const uint8_t *in, int width, int n_channels, MaskBox b, Status *status)
{
  size_t row = (size_t) b.width * (size_t) n_channels;
  uint8_t *out = mem_calloc ((size_t) b.height, row);
  if (!out)
    no_memory (status);
  for (int y = 0; out && y < b.height; y++)
    memcpy (out + (size_t) y * row, in + ((int64_t) (b.y + y) * width + b.x) * n_channels, row);
  return out;
}

bool
image_crop (Image *out, const Image *image, MaskBox box, Status *status)
{
  *out = (Image){ box.width, box.height,
                  crop (image->rgb, image->width, IMAGE_CHANNELS, box, status) };
  return out->rgb != NULL;
}

uint8_t *
mask_crop (const uint8_t *mask, int width, MaskBox box, Status *status)
{
  return crop (mask, width, 1, box, status);
}

void
mask_overlay (Image *base, const Image *top, MaskBox box, const uint8_t *mask)
{
  for (int y = 0; y < box.height; y++)
    for (int x = 0; x < box.width; x++)
      {
        int64_t at = (int64_t) (box.y + y) * base->width + box.x + x;
        int m = mask[at] > 127 ? 255 : 2 * mask[at];
        uint8_t *out = base->rgb + at * IMAGE_CHANNELS;
        const uint8_t *in = top->rgb + ((int64_t) y * box.width + x) * IMAGE_CHANNELS;
        for (int c = 0; c < IMAGE_CHANNELS; c++)
          out[c] = (uint8_t) ((out[c] * (255 - m) + in[c] * m + 127) / 255);
      }
}
