/* SPDX-License-Identifier: MPL-2.0
 * gesso-draft.h - the unfinished form and canvas, kept a moment after each change for the next
 * start.
 */
#pragma once

#include "app/canvas/gesso-document.h"
#include "app/gesso-form.h"
#include "session/gesso-session.h"

G_BEGIN_DECLS

#define GESSO_TYPE_DRAFT (gesso_draft_get_type ())
G_DECLARE_FINAL_TYPE (GessoDraft, gesso_draft, GESSO, DRAFT, GObject)

/* Restores what was kept, then keeps.  @restored: receives whether there was a form.
 * Signal "restored" (): the canvas, too, is what it was. */
GessoDraft *gesso_draft_new (GessoSession *session,
                             GessoForm *form,
                             GessoDocument *document,
                             gboolean *restored);
/* The canvas is still being unpacked. */
gboolean gesso_draft_is_restoring (GessoDraft *self);
/* Keeps the form at once; the canvas follows when it is packed. */
void gesso_draft_keep (GessoDraft *self);

G_END_DECLS
