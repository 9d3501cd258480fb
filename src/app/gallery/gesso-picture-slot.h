/* SPDX-License-Identifier: MPL-2.0
 * gesso-picture-slot.h - one picture of the library being shown large: its thumbnail at once, its
 * pixels when they are decoded.
 *
 * Signal "changed": there are other pixels, or none, or a problem.  One decode runs at a time: when
 * pictures change faster, those between are never decoded.
 */
#pragma once

#include "app/gallery/gesso-pixels.h"
#include "library/gesso-library.h"

G_BEGIN_DECLS

#define GESSO_TYPE_PICTURE_SLOT (gesso_picture_slot_get_type ())
G_DECLARE_FINAL_TYPE (GessoPictureSlot, gesso_picture_slot, GESSO, PICTURE_SLOT, GObject)

GessoPictureSlot *gesso_picture_slot_new (GessoLibrary *library);
void gesso_picture_slot_set_picture (GessoPictureSlot *self, GessoPicture *picture); /* or NULL */
GessoPicture *gesso_picture_slot_get_picture (GessoPictureSlot *self);
/* Borrowed; NULL when there is nothing to show yet. */
GessoPixels *gesso_picture_slot_get_pixels (GessoPictureSlot *self);
/* A frame of a clip, shown in place of the pixels; NULL ends that. */
void gesso_picture_slot_set_frame (GessoPictureSlot *self, GdkTexture *frame);
GdkTexture *gesso_picture_slot_get_frame (GessoPictureSlot *self);
/* A sentence for the user, or NULL. */
const char *gesso_picture_slot_get_problem (GessoPictureSlot *self);

G_END_DECLS
