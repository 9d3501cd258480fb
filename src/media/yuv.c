/* SPDX-License-Identifier: MPL-2.0
 * yuv.c - RGB to Y'CbCr (ITU-R BT.709-6, 3.2 and 3.5) in 16.16 fixed point.
 */
#include "media/yuv.h"

#include <math.h>

enum
{
  ONE = 1 << 16 /* 16.16 */
};

static const double kr = 0.2126, kb = 0.0722;

/* Rows of the matrix with their offsets; of 10 bits all is four times as much. */
typedef struct
{
  int32_t y[3], cb[3], cr[3];
  int32_t y_offset, c_offset;
} Matrix;

typedef struct
{
  const uint8_t *rgb;
  int width, height;
} Picture;

static int32_t
fixed (double v)
{
  return (int32_t) lround (v * ONE);
}

/* Rounding must not tint grey: the green coefficients make the sums exact. */
static Matrix
make_matrix (int n_bits)
{
  double scale = 1 << (n_bits - 8), y = 219 * scale / 255, c = 224 * scale / 255;
  Matrix m = { .y = { fixed (y * kr), 0, fixed (y * kb) },
               .cb = { fixed (-c * kr / (2 * (1 - kb))), 0, fixed (c / 2) },
               .cr = { fixed (c / 2), 0, fixed (-c * kb / (2 * (1 - kr))) },
               .y_offset = (int32_t) (16 * scale),
               .c_offset = (int32_t) (128 * scale) };
  m.y[1] = fixed (y) - m.y[0] - m.y[2];
  m.cb[1] = -m.cb[0] - m.cb[2];
  m.cr[1] = -m.cr[0] - m.cr[2];
  return m;
}

static const uint8_t *
pixel (const Picture *p, int x, int y)
{
  x = x < 0 ? 0 : x >= p->width ? p->width - 1 : x;
  y = y >= p->height ? p->height - 1 : y;
  return p->rgb + ((size_t) y * (size_t) p->width + (size_t) x) * 3;
}

static int32_t
dot (const int32_t m[3], const int32_t rgb[3])
{
  return m[0] * rgb[0] + m[1] * rgb[1] + m[2] * rgb[2];
}

/* @sum: of @weight times a colour */
static int32_t
component (const int32_t m[3], const int32_t sum[3], int32_t weight, int32_t offset)
{
  int32_t half = weight * ONE / 2;
  /* the offset makes it positive, so that the division rounds down */
  return (int32_t) (((int64_t) dot (m, sum) + (int64_t) offset * weight * ONE + half) /
                    ((int64_t) weight * ONE));
}

static void
put (const YuvPlanes *planes, int plane, int x, int y, int n_bits, int32_t value)
{
  uint8_t *row = planes->data[plane] + (size_t) y * planes->stride_bytes[plane];
  if (n_bits == 8)
    row[x] = (uint8_t) value;
  else
    ((uint16_t *) (void *) row)[x] = (uint16_t) value;
}

static void
fill_luma (const Picture *p, const Matrix *m, const YuvPlanes *planes, int w, int h, int n_bits)
{
  for (int y = 0; y < h; y++)
    for (int x = 0; x < w; x++)
      {
        const uint8_t *in = pixel (p, x, y);
        const int32_t rgb[3] = { in[0], in[1], in[2] };
        put (planes, 0, x, y, n_bits, component (m->y, rgb, 1, m->y_offset));
      }
}

/* Colour around a chroma sample that lies on column @x and between two rows (or on one): 1 2 1
 * sideways, 1 1 down.  Returns: the weight of the sum */
static int32_t
sum_around (const Picture *p, int x, int y, bool halve_x, bool halve_y, int32_t sum[3])
{
  int32_t weight = 0;
  sum[0] = sum[1] = sum[2] = 0;
  for (int dy = 0; dy <= halve_y; dy++)
    for (int dx = -halve_x; dx <= halve_x; dx++)
      {
        const uint8_t *in = pixel (p, x + dx, y + dy);
        int32_t tap = halve_x && dx == 0 ? 2 : 1;
        for (int c = 0; c < 3; c++)
          sum[c] += tap * in[c];
        weight += tap;
      }
  return weight;
}

static void
fill_chroma (const Picture *p,
             const Matrix *m,
             const YuvPlanes *planes,
             YuvLayout layout,
             int w,
             int h,
             int n_bits)
{
  bool halve_y = layout == YUV_I420 || layout == YUV_NV12;
  bool halve_x = halve_y || layout == YUV_I422_10;
  int n_x = (w + halve_x) >> halve_x, n_y = (h + halve_y) >> halve_y;
  for (int y = 0; y < n_y; y++)
    for (int x = 0; x < n_x; x++)
      {
        int32_t sum[3];
        int32_t weight = sum_around (p, x << halve_x, y << halve_y, halve_x, halve_y, sum);
        int32_t cb = component (m->cb, sum, weight, m->c_offset);
        int32_t cr = component (m->cr, sum, weight, m->c_offset);
        bool together = layout == YUV_NV12;
        put (planes, 1, together ? 2 * x : x, y, n_bits, cb);
        put (planes, together ? 1 : 2, together ? 2 * x + 1 : x, y, n_bits, cr);
      }
}

static void
fill_bgrx (const Picture *p, const YuvPlanes *planes, int w, int h)
{
  for (int y = 0; y < h; y++)
    {
      uint8_t *out = planes->data[0] + (size_t) y * planes->stride_bytes[0];
      for (int x = 0; x < w; x++, out += 4)
        {
          const uint8_t *in = pixel (p, x, y);
          out[0] = in[2];
          out[1] = in[1];
          out[2] = in[0];
          out[3] = 255;
        }
    }
}

void
yuv_from_rgb (const uint8_t *rgb,
              int in_width,
              int in_height,
              YuvLayout layout,
              const YuvPlanes *planes,
              int width,
              int height)
{
  const Picture p = { rgb, in_width, in_height };
  if (layout == YUV_BGRX)
    {
      fill_bgrx (&p, planes, width, height);
      return;
    }
  int n_bits = layout == YUV_I422_10 || layout == YUV_Y444_10 ? 10 : 8;
  const Matrix m = make_matrix (n_bits);
  fill_luma (&p, &m, planes, width, height, n_bits);
  fill_chroma (&p, &m, planes, layout, width, height, n_bits);
}
