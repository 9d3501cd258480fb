/* SPDX-License-Identifier: MPL-2.0
 * batch-request.h - one call of Run: checked, copied, and how to end it.
 */
#pragma once

#include <gio/gio.h>

#include "recipe/recipe.h"
#include "worker/control.h"

G_BEGIN_DECLS

typedef struct
{
  char *name, *journal;
  Recipe recipe;
  guint32 *skip;
  gsize n_skip;
  BatchControl control;
} BatchRequest;

/* batch_request_new:
 * @skip: (au)
 *
 * Returns: a counted reference; NULL and @error (GESSO_IPC_ERROR): ARGUMENT, FORMAT
 */
BatchRequest *batch_request_new (
    const char *name, const char *recipe, const char *journal, GVariant *skip, GError **error);
BatchRequest *batch_request_ref (BatchRequest *request);
void batch_request_unref (BatchRequest *request);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (BatchRequest, batch_request_unref)

/* @recipe: initialised; receives what @json says.  Fails: in GESSO_IPC_ERROR */
gboolean recipe_from_client (Recipe *recipe, const char *json, GError **error);

G_END_DECLS
