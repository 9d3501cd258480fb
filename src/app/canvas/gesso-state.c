/* SPDX-License-Identifier: MPL-2.0
 * gesso-state.c - the contents of a document at one moment, and the rules of its frame.
 */
#include "app/canvas/gesso-state.h"

enum
{
  DEFAULT_FRAME = 512 /* pixels */
};

GessoPlane *
gesso_layer_new_plane (GessoLayer layer)
{
  return layer == GESSO_LAYER_MASK ? gesso_plane_new (GESSO_MASK_TILE, GESSO_MASK_BPP)
                                   : gesso_plane_new (GESSO_PICTURE_TILE, GESSO_PICTURE_BPP);
}

void
gesso_state_init (GessoState *self)
{
  *self = (GessoState){ .frame = { 0, 0, DEFAULT_FRAME, DEFAULT_FRAME } };
  for (int i = 0; i < GESSO_N_LAYERS; i++)
    self->layers[i] = gesso_layer_new_plane ((GessoLayer) i);
}

void
gesso_state_clear (GessoState *self)
{
  for (int i = 0; i < GESSO_N_LAYERS; i++)
    g_clear_pointer (&self->layers[i], gesso_plane_free);
}

GessoState *
gesso_state_copy (const GessoState *self)
{
  GessoState *copy = g_new (GessoState, 1);
  *copy = *self;
  for (int i = 0; i < GESSO_N_LAYERS; i++)
    copy->layers[i] = gesso_plane_copy (self->layers[i]);
  return copy;
}

void
gesso_state_free (GessoState *self)
{
  gesso_state_clear (self);
  g_free (self);
}

static int
snap (int value)
{
  return gesso_floor_div (value + GESSO_FRAME_GRID / 2, GESSO_FRAME_GRID) * GESSO_FRAME_GRID;
}

GessoRect
gesso_frame_snap (const GessoRect *frame)
{
  GessoRect r = {
    .width = snap (CLAMP (frame->width, GESSO_FRAME_MIN_SIDE, GESSO_FRAME_MAX_SIDE)),
    .height = snap (CLAMP (frame->height, GESSO_FRAME_MIN_SIDE, GESSO_FRAME_MAX_SIDE)),
  };
  const int most = GESSO_DOCUMENT_MAX_COORDINATE;
  r.x = snap (CLAMP (frame->x, -most, most - r.width));
  r.y = snap (CLAMP (frame->y, -most, most - r.height));
  return r;
}

GessoRect
gesso_frame_around (const GessoRect *rect)
{
  GessoRect r = { rect->x, rect->y, rect->width + GESSO_FRAME_GRID - 1,
                  rect->height + GESSO_FRAME_GRID - 1 };
  r.width -= r.width % GESSO_FRAME_GRID;
  r.height -= r.height % GESSO_FRAME_GRID;
  return gesso_frame_snap (&r);
}

gboolean
gesso_bounds_are_allowed (const GessoRect *bounds)
{
  const gint64 tile = (gint64) GESSO_PICTURE_TILE * GESSO_PICTURE_TILE;
  return (gint64) bounds->width * bounds->height <= GESSO_PICTURE_MAX_TILES * tile;
}
