/* SPDX-License-Identifier: MPL-2.0
 * imported.h - a recipe that was read from what another program wrote, and what was said of it.
 */
#pragma once

#include "recipe/import.h"

typedef struct
{
  Recipe recipe;
  Notes notes;
  ImportSource source;
} Imported;

/* Import what has to be read; the caller's to imported_clear. */
Imported imported_texts (const ImportText *texts, size_t n);
Imported imported_text (const char *key, const char *value);
/* The file @name of tests/unit/graphs. */
Imported imported_file (const char *key, const char *name);
void imported_clear (Imported *im);

/* Returns: that file, the caller's to g_free */
char *imported_graph (const char *name);

void assert_note (const Imported *im, const char *part);
void assert_n_notes (const Imported *im, size_t n);
/* Importing fails with a sentence that has @part, and leaves the recipe as it was. */
void assert_refused (const char *key, const char *value, const char *part);
