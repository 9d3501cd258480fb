/* SPDX-License-Identifier: MPL-2.0
 * pixels.c - opacity laid over white, pictures turned upright.
 */
#include "media/pixels.h"

#include <string.h>

#include "core/mem.h"

/* RGB never overtakes RGBA. */
void
pixels_lay_over_white (uint8_t *rgb, const uint8_t *rgba, size_t n_pixels)
{
  for (size_t i = 0; i < n_pixels; i++, rgba += RGBA_CHANNELS)
    {
      unsigned alpha = rgba[3];
      for (int c = 0; c < IMAGE_CHANNELS; c++)
        *rgb++ = (uint8_t) ((rgba[c] * alpha + 255 * (255 - alpha) + 127) / 255);
    }
}

/* In place: where it is not the same everywhere, opacity becomes the picture. */
static void
show_opacity (uint8_t *pixels, size_t n_pixels)
{
  size_t n_opaque = 0;
  for (size_t i = 0; i < n_pixels; i++)
    n_opaque += pixels[i * RGBA_CHANNELS + 3] == 255;
  for (size_t i = 0; n_opaque < n_pixels && i < n_pixels * RGBA_CHANNELS; i++)
    if (i % RGBA_CHANNELS != 3)
      pixels[i] = pixels[i | 3];
  for (size_t i = 3; i < n_pixels * RGBA_CHANNELS; i += RGBA_CHANNELS)
    pixels[i] = 255;
}

void
pixels_take_rgba (Image *image, uint8_t *rgba, int width, int height, bool opacity)
{
  size_t n_pixels = (size_t) width * (size_t) height;
  if (opacity)
    show_opacity (rgba, n_pixels);
  pixels_lay_over_white (rgba, rgba, n_pixels);
  uint8_t *smaller = mem_realloc (rgba, n_pixels * IMAGE_CHANNELS);
  *image = (Image){ width, height, smaller ? smaller : rgba };
}

bool
pixels_turn_upright (Image *image, int orientation, Status *status)
{
  if (orientation < 2 || orientation > 8)
    return true;
  bool swap = orientation >= 5;
  bool flip_x = orientation == 2 || orientation == 3 || orientation == 7 || orientation == 8;
  bool flip_y = orientation == 3 || orientation == 4 || orientation == 6 || orientation == 7;
  int w = image->width, h = image->height, out_w = swap ? h : w, out_h = swap ? w : h;
  uint8_t *out = mem_calloc ((size_t) w * (size_t) h, IMAGE_CHANNELS), *p = out;
  if (!out)
    return status_fail (status, STATUS_NO_MEMORY, "Out of memory: close other programs and retry.");
  for (int y = 0; y < out_h; y++)
    for (int x = 0; x < out_w; x++, p += IMAGE_CHANNELS)
      {
        int in_x = swap ? y : x, in_y = swap ? x : y;
        in_x = flip_x ? w - 1 - in_x : in_x;
        in_y = flip_y ? h - 1 - in_y : in_y;
        memcpy (p, image->rgb + ((size_t) in_y * (size_t) w + (size_t) in_x) * IMAGE_CHANNELS,
                IMAGE_CHANNELS);
      }
  mem_free (image->rgb);
  *image = (Image){ out_w, out_h, out };
  return true;
}
