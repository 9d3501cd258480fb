/* SPDX-License-Identifier: MPL-2.0
 * gesso-document-private.h - what the canvas widget and the model's tests need besides.
 */
#pragma once

#include "app/canvas/gesso-document.h"
#include "app/canvas/gesso-history.h"
#include "app/canvas/gesso-mask-brush.h"

G_BEGIN_DECLS

/* A bound of the history's memory of one's own. */
GessoDocument *gesso_document_new_with_memory (gsize history_bytes);

/* Borrowed, until the next change. */
const GessoState *gesso_document_peek_state (GessoDocument *self);
/* The picture as it was before the last result or picture came; (nullable). */
const GessoPlane *gesso_document_peek_before (GessoDocument *self);
const GessoHistory *gesso_document_peek_history (GessoDocument *self);

/* A stroke is one undo step when it ends; undo, redo and everything else that changes tiles ends
 * it first.  Painting is clipped to the bounds and the frame. */
void gesso_document_stroke_begin (GessoDocument *self,
                                  const GessoBrushShape *shape,
                                  gboolean eraser,
                                  double x,
                                  double y,
                                  double pressure);
void gesso_document_stroke_move (GessoDocument *self, double x, double y, double pressure);
void gesso_document_stroke_end (GessoDocument *self);
void gesso_document_stroke_cancel (GessoDocument *self);
gboolean gesso_document_is_stroking (GessoDocument *self);

/* A change: begin ends a stroke and hands out the state to write to; end takes @step, which notes
 * what was there before, and tells everybody. */
GessoState *gesso_document_begin_edit (GessoDocument *self);
void gesso_document_end_edit (GessoDocument *self, GessoStep *step, const GessoChanges *changes);
/* What Compare shows; @picture: (nullable): shared */
void gesso_document_set_before (GessoDocument *self, const GessoPlane *picture);

/* Arrivals from threads, each one undo step. */

/* What of @where a result may paint: without what rounding the frame up added to it. */
GessoRect gesso_document_clip_put (GessoDocument *self, const GessoRect *where);
gboolean gesso_document_apply_result (GessoDocument *self, const GessoPatch *patch, GError **error);
void gesso_document_apply_picture (GessoDocument *self, const GessoPatch *patch);
void gesso_document_apply_mask (GessoDocument *self, const GessoPatch *patch);
/* @state: (transfer full): in place of everything, history included */
void gesso_document_take_state (GessoDocument *self, GessoState *state);

G_END_DECLS
