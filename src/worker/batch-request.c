/* SPDX-License-Identifier: MPL-2.0 */
#include "worker/batch-request.h"

#include <string.h>

#include "ipc/peer.h"
#include "worker/edge.h"
#include "worker/paths.h"

gboolean
recipe_from_client (Recipe *recipe, const char *json, GError **error)
{
  Status status = { 0 };
  Notes notes = { 0 }; /* keys of a newer version are kept: nothing to tell */
  gsize n_bytes = strlen (json);
  bool ok = n_bytes <= GESSO_IPC_RECIPE_MAX_BYTES ||
            status_fail (&status, STATUS_ARGUMENT, "The recipe is longer than %d MiB.",
                         GESSO_IPC_RECIPE_MAX_BYTES >> 20);
  ok = ok && recipe_from_json (recipe, json, n_bytes, &notes, &status);
  notes_clear (&notes);
  if (!ok)
    g_propagate_error (error, edge_error (&status));
  return ok;
}

static gboolean
fail (GError **error, const char *sentence)
{
  g_set_error_literal (error, GESSO_IPC_ERROR, GESSO_IPC_ERROR_ARGUMENT, sentence);
  return FALSE;
}

static gboolean
check (const BatchRequest *r, GError **error)
{
  if (!gesso_ipc_batch_name_is_valid (r->name))
    return fail (error, "A batch's name is 1 to 64 letters, digits and dashes.");
  if (*r->journal && (!g_path_is_absolute (r->journal) || strlen (r->journal) >= GESSO_PATH_SIZE))
    return fail (error, "A journal's path has to be absolute and shorter than 4096 bytes.");
  if (r->recipe.batch_count != 1)
    return fail (error, "A batch's recipe has to have a batch count of 1.");
  if (r->n_skip > (gsize) r->recipe.batch_size)
    return fail (error, "There are more pictures to skip than the batch has.");
  for (gsize i = 0; i < r->n_skip; i++)
    if (r->skip[i] >= (guint32) r->recipe.batch_size)
      return fail (error, "A picture to skip is not in the batch.");
  return TRUE;
}

static void
clear (gpointer data)
{
  BatchRequest *r = data;
  recipe_clear (&r->recipe);
  g_clear_pointer (&r->name, g_free);
  g_clear_pointer (&r->journal, g_free);
  g_clear_pointer (&r->skip, g_free);
}

BatchRequest *
batch_request_new (
    const char *name, const char *recipe, const char *journal, GVariant *skip, GError **error)
{
  g_return_val_if_fail (g_variant_is_of_type (skip, G_VARIANT_TYPE ("au")), NULL);
  g_autoptr (BatchRequest) r = g_atomic_rc_box_new0 (BatchRequest);
  recipe_init (&r->recipe);
  r->name = g_strdup (name);
  r->journal = g_strdup (journal);
  const guint32 *indices = g_variant_get_fixed_array (skip, &r->n_skip, sizeof *indices);
  r->skip = g_memdup2 (indices, r->n_skip * sizeof *indices);
  if (!recipe_from_client (&r->recipe, recipe, error) || !check (r, error))
    return NULL;
  return g_steal_pointer (&r);
}

BatchRequest *
batch_request_ref (BatchRequest *request)
{
  return g_atomic_rc_box_acquire (request);
}

void
batch_request_unref (BatchRequest *request)
{
  g_atomic_rc_box_release_full (request, clear);
}
