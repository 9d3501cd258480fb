/* SPDX-License-Identifier: MPL-2.0
 * yuv.h - sRGB pixels as the planes that video encoders take.
 *
 * BT.709 matrix, limited range.  The transfer curve stays as it is: players show BT.709 films on
 * sRGB screens without a change, as every film tool does.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef enum
{
  YUV_NONE,
  YUV_I420,    /* three planes, chroma halved both ways, sited left as MPEG-2, H.264, H.265 say */
  YUV_NV12,    /* the same with the chroma samples side by side */
  YUV_Y444,    /* three planes */
  YUV_I422_10, /* 10 bits in 16, chroma halved sideways */
  YUV_Y444_10, /* 10 bits in 16 */
  YUV_BGRX     /* no YUV: blue, green, red, nothing; exact */
} YuvLayout;

typedef struct
{
  uint8_t *data[3];
  size_t stride_bytes[3];
} YuvPlanes;

/* yuv_from_rgb:
 * @rgb: (in_height, in_width, 3)
 * @width, @height: of the planes; at most one more than the input, whose last column or row is
 *   then repeated
 */
void yuv_from_rgb (const uint8_t *rgb,
                   int in_width,
                   int in_height,
                   YuvLayout layout,
                   const YuvPlanes *planes,
                   int width,
                   int height);
