/* SPDX-License-Identifier: MPL-2.0
 * gesso-frame-link.h - keeps the form's width and height and the canvas's generation frame in step.
 */
#pragma once

#include "app/canvas/gesso-document.h"
#include "app/gesso-form.h"

G_BEGIN_DECLS

#define GESSO_TYPE_FRAME_LINK (gesso_frame_link_get_type ())
G_DECLARE_FINAL_TYPE (GessoFrameLink, gesso_frame_link, GESSO, FRAME_LINK, GObject)

/* Also sets the strength when pixels come into the frame: at 1 they would not matter. */
GessoFrameLink *gesso_frame_link_new (GessoForm *form, GessoDocument *document);
/* gesso_frame_link_set_model:
 * @side: of the square the model was trained on, px; 0 while not known
 * @step: pixels that its sides are multiples of, 0 while not known
 * @animates: a video model, whose clips begin with the picture
 *
 * A clip has the model's own area in the picture's shape, unless a size was set by hand: then the
 * frame takes that one's shape.
 */
void gesso_frame_link_set_model (GessoFrameLink *self, int side, int step, gboolean animates);

G_END_DECLS
