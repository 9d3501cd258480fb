/* SPDX-License-Identifier: MPL-2.0
 * gesso-family.h - the family of what the engine does not say it of: adapters, embeddings, models
 * of other kinds.
 *
 * Names as family_name has them, and of families that this version cannot run; "" when not known.
 */
#pragma once

#include <glib.h>

#include "weights/tensor-table.h"

G_BEGIN_DECLS

/* What a LoRA or ControlNet was trained for. */
const char *gesso_family_of_adapter (const TensorTable *table);

/* Whether the file is all vectors of text embeddings. */
gboolean gesso_family_is_embedding (const TensorTable *table);
const char *gesso_family_of_embedding (const TensorTable *table);

/* Of a model that the engine refuses. */
const char *gesso_family_of_keys (const TensorTable *table);

G_END_DECLS
