/* SPDX-License-Identifier: MPL-2.0
 * wan-tokens.c - tokens and their places, on the host.
 */
#include <math.h>

#include "models/wan.h"

static const double THETA = 10000;

/* One token's row: axis by axis, a cosine and a sine for each pair of columns. */
static void
place (float *row, const WanConfig *c, const int64_t position[WAN_N_AXES])
{
  for (int axis = 0; axis < WAN_N_AXES; axis++)
    for (int i = 0; i + 1 < c->axes[axis]; i += 2)
      {
        double angle = (double) position[axis] * pow (THETA, -(double) i / c->axes[axis]);
        *row++ = (float) cos (angle);
        *row++ = (float) sin (angle);
      }
}

void
wan_positions (float *table, const WanConfig *config, WanGrid grid)
{
  for (int64_t t = 0; t < grid.t; t++)
    for (int64_t y = 0; y < grid.h; y++)
      for (int64_t x = 0; x < grid.w; x++, table += config->head_dim)
        place (table, config, (int64_t[WAN_N_AXES]){ t, y, x });
}

/* Where the patch's pixel (row, column) of token (t, y, x) lies in a channel's plane. */
static int64_t
pixel_of (WanGrid g, int64_t t, int64_t y, int64_t x, int row, int column)
{
  return ((t * g.h + y) * WAN_PATCH + row) * g.w * WAN_PATCH + x * WAN_PATCH + column;
}

void
wan_patchify (float *tokens, int64_t stride, const float *latent, WanGrid g, int64_t channels)
{
  int64_t plane = g.t * g.h * g.w * WAN_PATCH * WAN_PATCH;
  for (int64_t i = 0; i < g.t * g.h * g.w; i++, tokens += stride)
    for (int64_t c = 0; c < channels; c++)
      for (int p = 0; p < WAN_PATCH * WAN_PATCH; p++)
        tokens[c * WAN_PATCH * WAN_PATCH + p] =
            latent[c * plane + pixel_of (g, i / (g.h * g.w), i / g.w % g.h, i % g.w, p / WAN_PATCH,
                                         p % WAN_PATCH)];
}

void
wan_unpatchify (float *latent, const float *tokens, WanGrid g, int64_t channels)
{
  int64_t plane = g.t * g.h * g.w * WAN_PATCH * WAN_PATCH;
  for (int64_t i = 0; i < g.t * g.h * g.w; i++)
    for (int p = 0; p < WAN_PATCH * WAN_PATCH; p++)
      for (int64_t c = 0; c < channels; c++)
        latent[c * plane + pixel_of (g, i / (g.h * g.w), i / g.w % g.h, i % g.w, p / WAN_PATCH,
                                     p % WAN_PATCH)] = *tokens++;
}
