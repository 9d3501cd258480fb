/* SPDX-License-Identifier: MPL-2.0
 * gesso-stage.h - canvas, tools, progress and filmstrip: the picture's side of the Create page.
 */
#pragma once

#include <adwaita.h>

#include "app/canvas/gesso-canvas.h"
#include "app/canvas/gesso-filmstrip.h"
#include "library/gesso-library.h"
#include "session/gesso-session.h"

G_BEGIN_DECLS

#define GESSO_TYPE_STAGE (gesso_stage_get_type ())
G_DECLARE_FINAL_TYPE (GessoStage, gesso_stage, GESSO, STAGE, AdwBin)

/* Signals: "message" (string: a sentence for a toast), "picture-dropped" (GFile: a picture file
 * that may hold a recipe) -> gboolean, TRUE when taken; "discarded" (): a result went to the trash.
 */
GtkWidget *gesso_stage_new (GessoSession *session, GessoLibrary *library, GessoDocument *document);
GessoCanvas *gesso_stage_get_canvas (GessoStage *self);
GessoFilmstrip *gesso_stage_get_filmstrip (GessoStage *self);
/* Where the pictures of @jobs (ids) belong. */
void gesso_stage_set_where (GessoStage *self, const gint64 *jobs, guint n, const GessoRect *where);
void gesso_stage_undo_discard (GessoStage *self);

G_END_DECLS
