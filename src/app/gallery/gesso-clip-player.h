/* SPDX-License-Identifier: MPL-2.0
 * gesso-clip-player.h - the frames of a clip, one after the other at its rate, over and over.
 *
 * A thread of its own decodes a few frames ahead.  When it cannot keep up every frame is still
 * shown, only slower: whoever looks at a clip of five seconds wants to see all of it.
 *
 * Signal "frame": another frame is to be shown, or the player stopped or went on.
 */
#pragma once

#include <gtk/gtk.h>

G_BEGIN_DECLS

#define GESSO_TYPE_CLIP_PLAYER (gesso_clip_player_get_type ())
G_DECLARE_FINAL_TYPE (GessoClipPlayer, gesso_clip_player, GESSO, CLIP_PLAYER, GObject)

/* gesso_clip_player_new:
 * @path: what frames_open() reads
 * @clock: a widget that is drawn, whose frame clock drives the player; outlives it
 *
 * Plays as soon as the first frame is there.  Nobody waits for the thread, which ends by itself.
 */
GessoClipPlayer *gesso_clip_player_new (const char *path, GtkWidget *clock);

void gesso_clip_player_set_playing (GessoClipPlayer *self, gboolean playing);
gboolean gesso_clip_player_get_playing (GessoClipPlayer *self);
/* Shows frame @n next, playing or not. */
void gesso_clip_player_seek (GessoClipPlayer *self, int n);
/* The frame to be shown; NULL before the first. */
GdkTexture *gesso_clip_player_get_texture (GessoClipPlayer *self);
/* Its number, -1 before the first. */
int gesso_clip_player_get_position (GessoClipPlayer *self);
/* 0 before the first. */
int gesso_clip_player_get_n_frames (GessoClipPlayer *self);
/* Seconds until frame @n begins. */
double gesso_clip_player_get_time (GessoClipPlayer *self, int n);
/* Why it does not play; NULL */
const char *gesso_clip_player_get_problem (GessoClipPlayer *self);

G_END_DECLS
