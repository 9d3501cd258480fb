/* SPDX-License-Identifier: MPL-2.0
 * gesso-memory.h - remembered prompts, styles and drafts: read once, answered from memory, written
 * on the database's thread.  Main thread only.
 */
#pragma once

#include "session/gesso-session.h"
#include "session/gesso-sql.h"

G_BEGIN_DECLS

typedef struct _GessoMemory GessoMemory;
GessoMemory *gesso_memory_new (GessoDatabase *database);
void gesso_memory_free (GessoMemory *self);
gboolean gesso_memory_load (GessoMemory *self, sqlite3 *db, GError **error);

void gesso_memory_add_prompt (GessoMemory *self, const char *prompt, const char *negative);
char **gesso_memory_dup_prompts (GessoMemory *self, guint max);
GPtrArray *gesso_memory_get_styles (GessoMemory *self);
void gesso_memory_save_style (GessoMemory *self,
                              const char *name,
                              const char *prompt,
                              const char *negative);
void gesso_memory_delete_style (GessoMemory *self, const char *name);
void gesso_memory_keep_draft (GessoMemory *self, const char *key, GBytes *value);
GBytes *gesso_memory_dup_draft (GessoMemory *self, const char *key);

G_END_DECLS
