/* SPDX-License-Identifier: MPL-2.0
 * clips-fixture.h - the window with a video model.
 */
#pragma once

#include "window-fixture.h"

enum
{
  N_FRAMES = 9 /* of make_clip() */
};

/* The form. */
void set (Fixture *f, const char *key, const char *text);
char *value (Fixture *f, const char *key);

/* What the button says. */
const char *label (Fixture *f);
gboolean animates (Fixture *f);
gboolean extends (Fixture *f);

/* @name: of a model of the golden tests, which is put into a folder of models that the user named
 */
void choose_video_model (Fixture *f, const char *name);
/* The first clip of the session, by wan-tiny: 32 x 32, 12 frames a second. */
void make_clip (Fixture *f);

/* Results.  The path of the selected one is the caller's to g_free. */
GessoFilmstrip *strip_of (Fixture *f);
char *result_path (Fixture *f);
gboolean has_results (Fixture *f, guint n); /* n > 0, and no live tile, which has no file */
int n_frames_of (const char *path);

/* The canvas. */
gboolean has_picture (Fixture *f);
gboolean has_no_picture (Fixture *f);
