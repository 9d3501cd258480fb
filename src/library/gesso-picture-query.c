/* SPDX-License-Identifier: MPL-2.0
 * gesso-picture-query.c - numbers from the index in its order, filtered by FTS5.
 */
#include "library/gesso-picture-query.h"

#include "library/gesso-index.h"

GessoPictureQuery *
gesso_picture_query_new (const char *search, gboolean starred_only, guint n_rows)
{
  GessoPictureQuery *q = g_new0 (GessoPictureQuery, 1);
  q->search = gesso_picture_query_dup_match (search ? search : "");
  q->starred_only = starred_only;
  q->n_rows = n_rows;
  q->ids = g_array_new (FALSE, FALSE, sizeof (guint64));
  q->rows = g_ptr_array_new_with_free_func ((GDestroyNotify) gesso_picture_row_free);
  return q;
}

void
gesso_picture_query_free (GessoPictureQuery *query)
{
  if (!query)
    return;
  g_free (query->search);
  g_array_unref (query->ids);
  g_ptr_array_unref (query->rows);
  g_free (query);
}

static gboolean
has_letter (const char *word)
{
  for (const char *p = word; *p; p = g_utf8_next_char (p))
    if (g_unichar_isalnum (g_utf8_get_char (p)))
      return TRUE;
  return FALSE;
}

/* What is in quotes is no operator of FTS5, and is split into words as the texts were. */
char *
gesso_picture_query_dup_match (const char *text)
{
  g_return_val_if_fail (text != NULL, NULL);
  g_autofree char *valid = g_utf8_make_valid (text, -1);
  g_autoptr (GString) match = g_string_new (NULL);
  g_auto (GStrv) words = g_strsplit_set (valid, " \t\r\n\"", -1);
  for (char **word = words; *word; word++)
    if (has_letter (*word))
      g_string_append_printf (match, "%s\"%s\"*", match->len ? " " : "", *word);
  return match->len ? g_strdup (match->str) : NULL;
}

/* The index holds all columns of these, so that the table with its long prompts is not touched. */
static sqlite3_stmt *
prepare (sqlite3 *db, const GessoPictureQuery *q, GError **error)
{
  static const char *const statements[2][2] = {
    { "SELECT id FROM pictures INDEXED BY pictures_newest WHERE hidden = 0"
      " ORDER BY created DESC, id DESC",
      "SELECT id FROM pictures INDEXED BY pictures_newest WHERE hidden = 0 AND starred = 1"
      " ORDER BY created DESC, id DESC" },
    { "SELECT id FROM pictures INDEXED BY pictures_newest WHERE hidden = 0"
      " AND id IN (SELECT rowid FROM words WHERE words MATCH ?) ORDER BY created DESC, id DESC",
      "SELECT id FROM pictures INDEXED BY pictures_newest WHERE hidden = 0 AND starred = 1"
      " AND id IN (SELECT rowid FROM words WHERE words MATCH ?) ORDER BY created DESC, id DESC" },
  };
  sqlite3_stmt *s = gesso_sql_prepare (db, statements[q->search != NULL][q->starred_only], error);
  if (s && q->search)
    sqlite3_bind_text (s, 1, q->search, -1, SQLITE_TRANSIENT);
  return s;
}

gboolean
gesso_picture_query_run (sqlite3 *db, gpointer query, GError **error)
{
  GessoPictureQuery *q = query;
  gboolean row = FALSE;
  sqlite3_stmt *s = prepare (db, q, error);
  if (!s)
    return FALSE;
  do
    {
      if (!gesso_sql_step (s, &row, error))
        return FALSE;
      guint64 id = row ? (guint64) sqlite3_column_int64 (s, 0) : 0;
      if (row)
        g_array_append_val (q->ids, id);
    }
  while (row);
  for (guint i = 0; i < q->ids->len && i < q->n_rows; i++)
    {
      GessoPictureRow *r =
          gesso_index_picture (db, (gint64) g_array_index (q->ids, guint64, i), error);
      if (!r)
        return FALSE;
      g_ptr_array_add (q->rows, r);
    }
  return TRUE;
}
