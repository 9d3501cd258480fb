/* SPDX-License-Identifier: MPL-2.0
 * gesso-memory.c - remembered prompts, styles and drafts.
 */
#define G_LOG_DOMAIN "gesso-session"

#include "session/gesso-memory.h"

#include <string.h>

enum
{
  MAX_PROMPTS = 1000
};

struct _GessoMemory
{
  GessoDatabase *database;
  GPtrArray *prompts; /* of char *, newest first, each once */
  GPtrArray *styles;  /* of GessoStyle, by name */
  GHashTable *drafts; /* key -> GBytes */
};

static void
style_free (gpointer data)
{
  GessoStyle *style = data;
  g_free (style->name);
  g_free (style->prompt);
  g_free (style->negative);
  g_free (style);
}

static void
bytes_unref (gpointer data)
{
  g_bytes_unref (data);
}

GessoMemory *
gesso_memory_new (GessoDatabase *database)
{
  g_return_val_if_fail (GESSO_IS_DATABASE (database), NULL);
  GessoMemory *self = g_new (GessoMemory, 1);
  *self = (GessoMemory){ g_object_ref (database), g_ptr_array_new_with_free_func (g_free),
                         g_ptr_array_new_with_free_func (style_free),
                         g_hash_table_new_full (g_str_hash, g_str_equal, g_free, bytes_unref) };
  return self;
}

void
gesso_memory_free (GessoMemory *self)
{
  if (!self)
    return;
  g_object_unref (self->database);
  g_ptr_array_unref (self->prompts);
  g_ptr_array_unref (self->styles);
  g_hash_table_unref (self->drafts);
  g_free (self);
}

/* ---- reading ---- */

typedef void (*RowFunc) (GessoMemory *self, sqlite3_stmt *s);

static void
take_prompt (GessoMemory *self, sqlite3_stmt *s)
{
  g_ptr_array_add (self->prompts, gesso_sql_dup_text (s, 0));
}

static GessoStyle *
style_new (char *name, char *prompt, char *negative)
{
  GessoStyle *style = g_new (GessoStyle, 1);
  *style = (GessoStyle){ name, prompt, negative };
  return style;
}

static void
take_style (GessoMemory *self, sqlite3_stmt *s)
{
  g_ptr_array_add (self->styles, style_new (gesso_sql_dup_text (s, 0), gesso_sql_dup_text (s, 1),
                                            gesso_sql_dup_text (s, 2)));
}

static void
take_draft (GessoMemory *self, sqlite3_stmt *s)
{
  const void *data = sqlite3_column_blob (s, 1);
  gsize n = (gsize) sqlite3_column_bytes (s, 1);
  g_hash_table_insert (self->drafts, gesso_sql_dup_text (s, 0), g_bytes_new (data ? data : "", n));
}

static gboolean
read_all (GessoMemory *self, sqlite3 *db, const char *sql, RowFunc take, GError **error)
{
  sqlite3_stmt *s = gesso_sql_prepare (db, sql, error);
  gboolean row;
  while (s && gesso_sql_step (s, &row, error))
    {
      if (!row)
        return TRUE;
      take (self, s);
    }
  return FALSE;
}

gboolean
gesso_memory_load (GessoMemory *self, sqlite3 *db, GError **error)
{
  return read_all (self, db, "SELECT prompt FROM prompts ORDER BY used DESC LIMIT 1000",
                   take_prompt, error) &&
         read_all (self, db, "SELECT name, prompt, negative FROM styles ORDER BY name", take_style,
                   error) &&
         read_all (self, db, "SELECT key, value FROM drafts", take_draft, error);
}

/* ---- writing ---- */

/* One statement with texts and perhaps bytes. */
typedef struct
{
  const char *sql, *values;
  char *texts[3];
  GBytes *bytes;
} Write;

static void
write_free (gpointer data)
{
  Write *w = data;
  for (guint i = 0; i < G_N_ELEMENTS (w->texts); i++)
    g_free (w->texts[i]);
  g_clear_pointer (&w->bytes, g_bytes_unref);
  g_free (w);
}

static gboolean
write_row (sqlite3 *db, gpointer data, GError **error)
{
  Write *w = data;
  if (w->bytes)
    return gesso_sql_run (db, error, w->sql, "sb", w->texts[0], w->bytes);
  return gesso_sql_run (db, error, w->sql, w->values, w->texts[0], w->texts[1], w->texts[2]);
}

static void
on_written_cb (GObject *source, GAsyncResult *result, gpointer data)
{
  g_autoptr (GError) error = NULL;
  if (!gesso_database_run_finish (GESSO_DATABASE (source), result, &error))
    g_warning ("Not kept for the next start: %s", error->message);
}

static void
write_later (GessoMemory *self, Write write)
{
  gesso_database_run_async (self->database, TRUE, write_row, g_memdup2 (&write, sizeof write),
                            write_free, NULL, on_written_cb, NULL);
}

void
gesso_memory_add_prompt (GessoMemory *self, const char *prompt, const char *negative)
{
  g_return_if_fail (self && prompt);
  for (guint i = 0; i < self->prompts->len; i++)
    if (strcmp (g_ptr_array_index (self->prompts, i), prompt) == 0)
      {
        g_ptr_array_remove_index (self->prompts, i);
        break;
      }
  g_ptr_array_insert (self->prompts, 0, g_strdup (prompt));
  if (self->prompts->len > MAX_PROMPTS)
    {
      Write forget = { .sql = "DELETE FROM prompts WHERE prompt = ?", .values = "s" };
      forget.texts[0] = g_ptr_array_steal_index (self->prompts, MAX_PROMPTS);
      write_later (self, forget);
    }
  /* used counts up, so that the order does not depend on the clock */
  write_later (
      self, (Write){ .sql = "INSERT OR REPLACE INTO prompts VALUES (?, ?,"
                            " (SELECT coalesce (max (used), 0) + 1 FROM prompts))",
                     .values = "ss",
                     .texts = { g_strdup (prompt), g_strdup (negative ? negative : ""), NULL } });
}

char **
gesso_memory_dup_prompts (GessoMemory *self, guint max)
{
  g_autoptr (GStrvBuilder) builder = g_strv_builder_new ();
  for (guint i = 0; i < MIN (max, self->prompts->len); i++)
    g_strv_builder_add (builder, g_ptr_array_index (self->prompts, i));
  return g_strv_builder_end (builder);
}

GPtrArray *
gesso_memory_get_styles (GessoMemory *self)
{
  return self->styles;
}

/* Where @name is or belongs. */
static guint
style_place (GessoMemory *self, const char *name, gboolean *found)
{
  guint i = 0;
  int order = 1;
  while (i < self->styles->len &&
         (order = strcmp (((GessoStyle *) g_ptr_array_index (self->styles, i))->name, name)) < 0)
    i++;
  *found = i < self->styles->len && order == 0;
  return i;
}

void
gesso_memory_save_style (GessoMemory *self,
                         const char *name,
                         const char *prompt,
                         const char *negative)
{
  g_return_if_fail (self && name && prompt && negative);
  gboolean found;
  guint i = style_place (self, name, &found);
  if (found)
    g_ptr_array_remove_index (self->styles, i);
  g_ptr_array_insert (self->styles, (int) i,
                      style_new (g_strdup (name), g_strdup (prompt), g_strdup (negative)));
  write_later (self,
               (Write){ .sql = "INSERT OR REPLACE INTO styles VALUES (?, ?, ?)",
                        .values = "sss",
                        .texts = { g_strdup (name), g_strdup (prompt), g_strdup (negative) } });
}

void
gesso_memory_delete_style (GessoMemory *self, const char *name)
{
  g_return_if_fail (self && name);
  gboolean found;
  guint i = style_place (self, name, &found);
  if (!found)
    return;
  write_later (self, (Write){ .sql = "DELETE FROM styles WHERE name = ?",
                              .values = "s",
                              .texts = { g_strdup (name), NULL, NULL } });
  g_ptr_array_remove_index (self->styles, i);
}

void
gesso_memory_keep_draft (GessoMemory *self, const char *key, GBytes *value)
{
  g_return_if_fail (self && key);
  Write write = { .texts = { g_strdup (key), NULL, NULL } };
  if (value)
    {
      write.sql = "INSERT OR REPLACE INTO drafts VALUES (?, ?)";
      write.bytes = g_bytes_ref (value);
      g_hash_table_insert (self->drafts, g_strdup (key), g_bytes_ref (value));
    }
  else
    {
      write.sql = "DELETE FROM drafts WHERE key = ?";
      write.values = "s";
      g_hash_table_remove (self->drafts, key);
    }
  write_later (self, write);
}

GBytes *
gesso_memory_dup_draft (GessoMemory *self, const char *key)
{
  g_return_val_if_fail (self && key, NULL);
  GBytes *value = g_hash_table_lookup (self->drafts, key);
  return value ? g_bytes_ref (value) : NULL;
}
