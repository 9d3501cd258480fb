/* SPDX-License-Identifier: MPL-2.0
 * gesso-model-row.h - how a list shows a file of the library, and what a search finds of it.
 */
#pragma once

#include <gtk/gtk.h>

#include "library/gesso-library.h"

G_BEGIN_DECLS

/* For lists of GessoModelFile.  Where two neighbours have the same name, each says its folder. */
GtkListItemFactory *gesso_model_row_new_factory (GListModel *files);

/* gesso_model_row_matches:
 * @folded: what was searched for, case-folded; "" finds everything
 *
 * Each of its words has to be in the name, the family, the folder or a LoRA's trigger words.
 */
gboolean gesso_model_row_matches (GessoModelFile *file, const char *folded);

/* What stands below the name of the file at @position.  The caller frees it. */
char *gesso_model_row_dup_details (GListModel *files, guint position);

G_END_DECLS
