/* SPDX-License-Identifier: MPL-2.0
 * gesso-model-file.h - how the library makes a GessoModelFile.
 */
#pragma once

#include "library/gesso-library.h"

G_BEGIN_DECLS

/* A row of the table of models.  Texts are never NULL once it came from the database. */
typedef struct
{
  gint64 id;
  GessoFileKind kind;
  char *path; /* in the file system's encoding, which need not be UTF-8 */
  char *name, *alias, *family, *format, *hash, *problem, *thumbnail, *words;
  gint64 size_bytes, modified_s;
} GessoModelRow;

void gesso_model_row_clear (GessoModelRow *row);

/* Takes what is in @row and leaves it empty. */
GessoModelFile *gesso_model_file_new_take (GessoModelRow *row);
/* TRUE when the user would see no difference. */
gboolean gesso_model_file_equal (GessoModelFile *a, GessoModelFile *b);
/* What the trainer called it (ss_output_name), "" when not said. */
const char *gesso_model_file_get_alias (GessoModelFile *self);
/* By name as people sort, digits by value; then by path. */
int gesso_model_file_compare (GessoModelFile *a, GessoModelFile *b);

/* "checkpoint", "lora", ...: as the database stores kinds. */
const char *gesso_file_kind_nick (GessoFileKind kind);
GessoFileKind gesso_file_kind_from_nick (const char *nick);

G_END_DECLS
