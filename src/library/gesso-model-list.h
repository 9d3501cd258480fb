/* SPDX-License-Identifier: MPL-2.0
 * gesso-model-list.h - the models of one kind, as a GListModel sorted by name.
 */
#pragma once

#include "library/gesso-model-file.h"

G_BEGIN_DECLS

#define GESSO_TYPE_MODEL_LIST (gesso_model_list_get_type ())
G_DECLARE_FINAL_TYPE (GessoModelList, gesso_model_list, GESSO, MODEL_LIST, GObject)

GessoModelList *gesso_model_list_new (void);

/* gesso_model_list_update:
 * @files: (element-type GessoModelFile) all of this kind, in any order
 *
 * Files that are as before keep their objects; the list emits for the others only.
 * Returns: TRUE when something changed
 */
gboolean gesso_model_list_update (GessoModelList *self, GPtrArray *files);

/* gesso_model_list_find:
 * @name: a name, file name or path as some program wrote it, or NULL
 * @hash: the beginning of a SHA-256 in hex, at least 8 digits, or NULL
 *
 * By hash first: names change.  Returns: (transfer none) or NULL
 */
GessoModelFile *gesso_model_list_find (GessoModelList *self, const char *name, const char *hash);

/* The name of @file; where others in the list share it, with as many folders in front as tell them
 * apart: "Lightning/high_noise_model".  Returns: (transfer full) */
char *gesso_model_list_dup_title (GessoModelList *self, GessoModelFile *file);

G_END_DECLS
