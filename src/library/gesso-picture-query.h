/* SPDX-License-Identifier: MPL-2.0
 * gesso-picture-query.h - which pictures answer to a search.  For a GessoDatabaseFunc.
 */
#pragma once

#include "library/gesso-database.h"
#include "library/gesso-picture.h"

G_BEGIN_DECLS

typedef struct
{
  char *search;
  gboolean starred_only;
  guint n_rows; /* how many of the first are wanted with all they have */
  GArray *ids;  /* guint64, newest first */
  GPtrArray *rows;
} GessoPictureQuery;

GessoPictureQuery *
gesso_picture_query_new (const char *search, gboolean starred_only, guint n_rows);
void gesso_picture_query_free (GessoPictureQuery *query);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (GessoPictureQuery, gesso_picture_query_free)

gboolean gesso_picture_query_run (sqlite3 *db, gpointer query, GError **error);

/* Returns: an FTS5 expression: every word, as a prefix; NULL when @text holds no word */
char *gesso_picture_query_dup_match (const char *text);

G_END_DECLS
