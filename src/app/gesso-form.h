/* SPDX-License-Identifier: MPL-2.0
 * gesso-form.h - the recipe that is being written on the Create page, with change notification.
 *
 * Values are texts as the recipe table takes them, so that a row needs to know nothing but its key.
 * Signals: "changed" (detail: the key; emitted without a detail's meaning for every key after a
 * load), "filled" (what the model itself would choose became known).  Main thread only.
 */
#pragma once

#include <gio/gio.h>

#include "recipe/recipe.h"

G_BEGIN_DECLS

#define GESSO_TYPE_FORM (gesso_form_get_type ())
G_DECLARE_FINAL_TYPE (GessoForm, gesso_form, GESSO, FORM, GObject)

GessoForm *gesso_form_new (void);
/* Returns: the value as text, "" when empty; the caller's to g_free */
char *gesso_form_dup_text (GessoForm *self, const char *key);
/* Fails: G_IO_ERROR_INVALID_ARGUMENT with the sentence of the recipe table; the value stays then */
gboolean gesso_form_set_text (GessoForm *self, const char *key, const char *text, GError **error);
void gesso_form_reset (GessoForm *self, const char *key);
void gesso_form_reset_all (GessoForm *self); /* the prompts stay */
gboolean gesso_form_is_default (GessoForm *self, const char *key);
/* Borrowed; for reading several values at once. */
const Recipe *gesso_form_peek (GessoForm *self);

char *gesso_form_to_json (GessoForm *self);
/* gesso_form_load:
 *
 * Replaces every value; @self is unchanged on failure.
 * Fails: G_IO_ERROR_INVALID_DATA with a sentence for the user
 */
gboolean gesso_form_load (GessoForm *self, const char *json, GError **error);

/* The recipe with everything filled in that it left to the model (GessoPlan.recipe); NULL forgets
 * it. */
void gesso_form_set_filled (GessoForm *self, const char *json);
/* Returns: what @key becomes when it is left to the model, NULL when not known or not left to it */
char *gesso_form_dup_filled (GessoForm *self, const char *key);

G_END_DECLS
