/* SPDX-License-Identifier: MPL-2.0
 * gesso-clip-bar.h - plays the clip of a slot: a button, the time, a slider to any frame.
 *
 * Invisible, and does nothing, while the slot's picture does not move.
 */
#pragma once

#include "app/gallery/gesso-picture-slot.h"

G_BEGIN_DECLS

#define GESSO_TYPE_CLIP_BAR (gesso_clip_bar_get_type ())
G_DECLARE_FINAL_TYPE (GessoClipBar, gesso_clip_bar, GESSO, CLIP_BAR, GtkWidget)

/* @view: what draws @slot; plays only while it is mapped */
GtkWidget *gesso_clip_bar_new (GessoPictureSlot *slot, GtkWidget *view);
/* The slot has another picture, or none: a clip begins to play. */
void gesso_clip_bar_restart (GessoClipBar *self);
/* For good: the view is about to go. */
void gesso_clip_bar_stop (GessoClipBar *self);
gboolean gesso_clip_bar_has_clip (GessoClipBar *self);
void gesso_clip_bar_toggle (GessoClipBar *self); /* play or pause */
/* Pauses, and shows the frame @by further on, around the ends. */
void gesso_clip_bar_step (GessoClipBar *self, int by);
/* Of the frame that is shown; -1 before the first. */
int gesso_clip_bar_get_position (GessoClipBar *self);
gboolean gesso_clip_bar_get_playing (GessoClipBar *self);
GessoPictureSlot *gesso_clip_bar_get_slot (GessoClipBar *self);

G_END_DECLS
