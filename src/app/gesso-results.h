/* SPDX-License-Identifier: MPL-2.0
 * gesso-results.h - what the filmstrip's buttons do: keep on the canvas, star, discard with undo.
 */
#pragma once

#include "app/canvas/gesso-document.h"
#include "app/canvas/gesso-filmstrip.h"
#include "library/gesso-library.h"

G_BEGIN_DECLS

#define GESSO_TYPE_RESULTS (gesso_results_get_type ())
G_DECLARE_FINAL_TYPE (GessoResults, gesso_results, GESSO, RESULTS, GObject)

/* Signals: "message" (string: a sentence for a toast), "discarded" (GessoResult: in the trash;
 * gesso_results_undo_discard brings the last one back). */
GessoResults *
gesso_results_new (GessoFilmstrip *filmstrip, GessoDocument *document, GessoLibrary *library);
/* @where: document rectangle of its job; NULL when not known */
void
gesso_results_add (GessoResults *self, const char *path, const char *label, const GessoRect *where);
/* @result: of an earlier session, at @position among the finished ones */
void gesso_results_restore (GessoResults *self, guint position, GessoResult *result);
void gesso_results_undo_discard (GessoResults *self);

G_END_DECLS
