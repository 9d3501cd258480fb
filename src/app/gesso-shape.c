/* SPDX-License-Identifier: MPL-2.0
 * gesso-shape.c - sizes for a ratio, at the area a model was trained on.
 */
#include "app/gesso-shape.h"

#include <math.h>

enum
{
  PICTURE_STEP = 8 /* of all models of pictures */
};

static const GessoRatio ratios[] = {
  { "1:1", 1 },         { "4:3", 4.0 / 3 }, { "3:2", 1.5 },     { "16:9", 16.0 / 9 },
  { "21:9", 21.0 / 9 }, { "3:4", 0.75 },    { "2:3", 2.0 / 3 }, { "9:16", 9.0 / 16 },
};

/* Landscape; portrait is the same turned. */
static const struct
{
  double ratio;
  int width, height;
} sdxl_sizes[] = {
  { 4.0 / 3, 1152, 896 },
  { 1.5, 1216, 832 },
  { 16.0 / 9, 1344, 768 },
  { 21.0 / 9, 1536, 640 },
};

const GessoRatio *
gesso_shape_ratios (guint *n)
{
  *n = G_N_ELEMENTS (ratios);
  return ratios;
}

static int
to_grid (double side, int grid)
{
  return MAX (grid, (int) round (side / grid) * grid);
}

void
gesso_shape_fit (double ratio, int native, int step, int *width, int *height)
{
  double landscape = ratio < 1 ? 1 / ratio : ratio;
  int grid = step > PICTURE_STEP ? step : native < 512 ? PICTURE_STEP : 64;
  int w = to_grid (native * sqrt (landscape), grid);
  int h = to_grid (native / sqrt (landscape), grid);
  if (native == 1024)
    for (gsize i = 0; i < G_N_ELEMENTS (sdxl_sizes); i++)
      if (fabs (sdxl_sizes[i].ratio - landscape) < 1e-3)
        {
          w = sdxl_sizes[i].width;
          h = sdxl_sizes[i].height;
        }
  *width = ratio < 1 ? h : w;
  *height = ratio < 1 ? w : h;
}

const char *
gesso_shape_find (int width, int height, int native, int step)
{
  for (gsize i = 0; i < G_N_ELEMENTS (ratios); i++)
    {
      int w, h;
      gesso_shape_fit (ratios[i].ratio, native, step, &w, &h);
      if (w == width && h == height)
        return ratios[i].label;
    }
  return NULL;
}
