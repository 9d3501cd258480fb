/* SPDX-License-Identifier: MPL-2.0 */
#include "worker/reference.h"

#include <math.h>

#include "media/mask.h"
#include "media/resize.h"

/* Width, height; the transposes besides. */
static const int sizes[][2] = { { 672, 1568 }, { 688, 1504 }, { 720, 1456 },
                                { 752, 1392 }, { 800, 1328 }, { 832, 1248 },
                                { 880, 1184 }, { 944, 1104 }, { 1024, 1024 } };

void
reference_size (int width, int height, int *out_width, int *out_height)
{
  double shape = (double) width / height, nearest = INFINITY;
  for (int i = 0; i < (int) (sizeof sizes / sizeof sizes[0]); i++)
    for (int turned = 0; turned < 2; turned++)
      {
        int w = sizes[i][turned], h = sizes[i][1 - turned];
        double off = fabs (shape - (double) w / h);
        if (off >= nearest)
          continue;
        nearest = off;
        *out_width = w;
        *out_height = h;
      }
}

bool
reference_fit (Image *image, int width, int height, Status *status)
{
  int64_t w = image->width, h = image->height;
  int64_t keep_w = w * height > h * width ? h * width / height : w;
  int64_t keep_h = w * height > h * width ? h : w * height / width;
  if (keep_w < 1)
    keep_w = 1;
  if (keep_h < 1)
    keep_h = 1;
  Image part = { 0 };
  const MaskBox box = { (int) (w - keep_w) / 2, (int) (h - keep_h) / 2, (int) keep_w,
                        (int) keep_h };
  if (!image_crop (&part, image, box, status))
    return false;
  image_clear (image);
  *image = part;
  return image_resize (image, width, height, status);
}
