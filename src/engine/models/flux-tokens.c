/* SPDX-License-Identifier: MPL-2.0
 * flux-tokens.c - tokens and their places, on the host.
 */
#include <math.h>

#include "models/flux.h"

static const double THETA = 10000;

enum
{
  PATCH = 2
};

/* One token's row: axis by axis, a cosine and a sine for each pair of columns. */
static void
place (float *row, const FluxConfig *c, const int64_t position[FLUX_N_AXES])
{
  for (int axis = 0; axis < FLUX_N_AXES; axis++)
    for (int i = 0; i + 1 < c->axes[axis]; i += 2)
      {
        double angle = (double) position[axis] * pow (THETA, -(double) i / c->axes[axis]);
        *row++ = (float) cos (angle);
        *row++ = (float) sin (angle);
      }
}

void
flux_positions (
    float *table, const FluxConfig *config, int64_t n_text, const FluxGrid *grids, int n_grids)
{
  const int64_t origin[FLUX_N_AXES] = { 0 };
  for (int64_t i = 0; i < n_text; i++, table += config->head_dim)
    place (table, config, origin);
  for (int g = 0; g < n_grids; g++)
    for (int64_t y = 0; y < grids[g].h; y++)
      for (int64_t x = 0; x < grids[g].w; x++, table += config->head_dim)
        place (table, config,
               (int64_t[FLUX_N_AXES]){ grids[g].index, grids[g].row + y, grids[g].column + x });
}

/* Where element (channel, row, column of the patch) of token (y, x) lies among the pixels. */
static int64_t
pixel_of (int64_t y, int64_t x, int64_t w, int64_t channels, int64_t element)
{
  int64_t channel = element / (PATCH * PATCH), row = element / PATCH % PATCH,
          column = element % PATCH;
  return ((y * PATCH + row) * w * PATCH + x * PATCH + column) * channels + channel;
}

void
flux_patchify (
    float *tokens, int64_t stride, const float *pixels, int64_t h, int64_t w, int64_t channels)
{
  for (int64_t y = 0; y < h; y++)
    for (int64_t x = 0; x < w; x++)
      for (int64_t i = 0; i < channels * PATCH * PATCH; i++)
        tokens[(y * w + x) * stride + i] = pixels[pixel_of (y, x, w, channels, i)];
}

void
flux_unpatchify (float *pixels, const float *tokens, int64_t h, int64_t w, int64_t channels)
{
  int64_t n = channels * PATCH * PATCH;
  for (int64_t y = 0; y < h; y++)
    for (int64_t x = 0; x < w; x++)
      for (int64_t i = 0; i < n; i++)
        pixels[pixel_of (y, x, w, channels, i)] = tokens[(y * w + x) * n + i];
}
