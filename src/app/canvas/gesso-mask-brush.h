/* SPDX-License-Identifier: MPL-2.0
 * gesso-mask-brush.h - painting one stroke into a mask plane.
 */
#pragma once

#include "app/canvas/gesso-plane.h"

G_BEGIN_DECLS

/* Pixels; larger ones take longer than a frame for each step of the stroke. */
#define GESSO_BRUSH_MIN_RADIUS 0.5
#define GESSO_BRUSH_MAX_RADIUS 2000.0

typedef struct
{
  double radius;              /* document pixels at full pressure */
  double softness;            /* 0: hard with a smoothed edge; 1: falls off from the middle */
  gboolean pressure_softness; /* pressure makes it harder in place of larger */
} GessoBrushShape;

/* A stroke that is under way.  Dabs lie a quarter of the radius apart.  Within one stroke they are
 * joined by their maximum, so that the spacing does not show; the stroke is then laid over what was
 * there before: before + stroke (1 - before), or before (1 - stroke) when it erases. */
typedef struct _GessoMaskBrush GessoMaskBrush;

/* gesso_mask_brush_begin:
 * @mask: borrowed until the stroke is freed
 * @clip: pixels outside it are not touched
 * @dirty: receives the pixels that changed
 */
GessoMaskBrush *gesso_mask_brush_begin (GessoPlane *mask,
                                        const GessoRect *clip,
                                        const GessoBrushShape *shape,
                                        gboolean eraser,
                                        double x,
                                        double y,
                                        double pressure,
                                        GessoRect *dirty);
void
gesso_mask_brush_move (GessoMaskBrush *self, double x, double y, double pressure, GessoRect *dirty);
void gesso_mask_brush_free (GessoMaskBrush *self);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (GessoMaskBrush, gesso_mask_brush_free)

/* Puts the mask back as it was; the stroke can only be freed afterwards. */
void gesso_mask_brush_cancel (GessoMaskBrush *self, GessoRect *dirty);

/* @before: (nullable): what a tile that the stroke touched was */
typedef void (*GessoBrushTileFunc) (int tx, int ty, GessoTile *before, gpointer user_data);
/* Drops tiles that are all 0 from the mask, and calls @func for each tile that is not what it was.
 */
void gesso_mask_brush_finish (GessoMaskBrush *self, GessoBrushTileFunc func, gpointer user_data);

G_END_DECLS
