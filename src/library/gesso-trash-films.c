/* SPDX-License-Identifier: MPL-2.0
 * gesso-trash-films.c - films beside a clip, which go to the trash and come back with it.
 *
 * They are delivery files, which the library does not list.  A film is noted before it moves and
 * again afterwards, as the rows of pictures are; the note goes with the clip's row.
 */
#include <glib/gstdio.h>
#include <unistd.h>

#include "library/gesso-trash.h"
#include "media/clip.h"

typedef struct
{
  gint64 id;      /* the clip's */
  char *path;     /* where the film is */
  char *original; /* where it was before it was trashed */
} Film;

static void
film_clear (gpointer data)
{
  Film *film = data;
  g_free (film->path);
  g_free (film->original);
}

/* "boat.mp4" for "boat.gclip". */
static char *
dup_path_beside (const char *clip, const char *extension)
{
  g_autofree char *stem = g_strndup (clip, strlen (clip) - strlen (GESSO_CLIP_EXTENSION));
  return g_strconcat (stem, extension, NULL);
}

GPtrArray *
gesso_trash_find_films (const char *clip)
{
  g_return_val_if_fail (clip != NULL, NULL);
  GPtrArray *films = g_ptr_array_new_with_free_func (g_free);
  for (int f = 0; f < FILM_N_FORMATS && g_str_has_suffix (clip, GESSO_CLIP_EXTENSION); f++)
    {
      const FilmFormatInfo *info = film_format_info ((FilmFormat) f);
      g_autofree char *path = dup_path_beside (clip, info->extension);
      if (info->needs_gstreamer && g_access (path, F_OK) == 0 &&
          !g_ptr_array_find_with_equal_func (films, path, g_str_equal, NULL) &&
          clip_has_film (clip, path))
        g_ptr_array_add (films, g_steal_pointer (&path));
    }
  return films;
}

static gboolean
write_film (sqlite3 *db, gpointer data, GError **error)
{
  const Film *film = data;
  gboolean row;
  sqlite3_stmt *s = gesso_sql_prepare (
      db, "INSERT OR REPLACE INTO films (id, path, trashed) VALUES (?, ?, ?)", error);
  if (!s)
    return FALSE;
  sqlite3_bind_int64 (s, 1, film->id);
  sqlite3_bind_text (s, 2, film->path, -1, SQLITE_TRANSIENT);
  sqlite3_bind_text (s, 3, film->original, -1, SQLITE_TRANSIENT);
  return gesso_sql_step (s, &row, error);
}

static gboolean
delete_films (sqlite3 *db, gpointer data, GError **error)
{
  gboolean row;
  sqlite3_stmt *s = gesso_sql_prepare (db, "DELETE FROM films WHERE id = ?", error);
  if (!s)
    return FALSE;
  sqlite3_bind_int64 (s, 1, *(gint64 *) data);
  return gesso_sql_step (s, &row, error);
}

static gboolean
trash_film (GessoDatabase *database,
            Film *film,
            const char *own_dir,
            GCancellable *cancellable,
            GError **error)
{
  if (!gesso_database_run (database, TRUE, write_film, film, error))
    return FALSE;
  g_autofree char *trashed = gesso_trash_file (film->original, own_dir, cancellable, error);
  if (!trashed)
    return FALSE;
  g_free (film->path);
  film->path = g_steal_pointer (&trashed);
  return gesso_database_run (database, TRUE, write_film, film, error);
}

gboolean
gesso_trash_films (GessoDatabase *database,
                   gint64 id,
                   GPtrArray *films,
                   const char *own_dir,
                   GCancellable *cancellable,
                   GError **error)
{
  g_return_val_if_fail (GESSO_IS_DATABASE (database), FALSE);
  gboolean ok = TRUE;
  for (guint i = 0; i < films->len; i++)
    {
      const char *path = films->pdata[i];
      Film film = { id, g_strdup (path), g_strdup (path) };
      if (!trash_film (database, &film, own_dir, cancellable, ok ? error : NULL))
        ok = FALSE;
      film_clear (&film);
    }
  return ok;
}

typedef struct
{
  gint64 id;
  GArray *films;
} Found;

static gboolean
read_films (sqlite3 *db, gpointer data, GError **error)
{
  Found *found = data;
  gboolean row = FALSE;
  sqlite3_stmt *s = gesso_sql_prepare (
      db, "SELECT path, trashed FROM films WHERE id = ? ORDER BY trashed", error);
  if (!s)
    return FALSE;
  sqlite3_bind_int64 (s, 1, found->id);
  do
    {
      if (!gesso_sql_step (s, &row, error))
        return FALSE;
      if (!row)
        break;
      Film film = { .id = found->id,
                    .path = g_strdup ((const char *) sqlite3_column_text (s, 0)),
                    .original = g_strdup ((const char *) sqlite3_column_text (s, 1)) };
      g_array_append_val (found->films, film);
    }
  while (row);
  return TRUE;
}

/* Beside the clip, which may have had to take another name. */
static gboolean
untrash_film (const Film *film, const char *clip, GError **error)
{
  const char *extension = strrchr (film->original, '.');
  if (g_str_equal (film->path, film->original)) /* noted, but never moved */
    return TRUE;
  g_autofree char *to = dup_path_beside (clip, extension ? extension : "");
  g_autofree char *back = gesso_untrash_file (film->path, to, error);
  return back != NULL;
}

gboolean
gesso_untrash_films (GessoDatabase *database, gint64 id, const char *clip, GError **error)
{
  g_return_val_if_fail (GESSO_IS_DATABASE (database), FALSE);
  g_autoptr (GArray) films = g_array_new (FALSE, TRUE, sizeof (Film));
  Found found = { id, films };
  gboolean ok = TRUE;
  g_array_set_clear_func (films, film_clear);
  if (!gesso_database_run (database, FALSE, read_films, &found, error))
    return FALSE;
  for (guint i = 0; i < films->len; i++)
    if (!untrash_film (&g_array_index (films, Film, i), clip, ok ? error : NULL))
      ok = FALSE;
  return gesso_database_run (database, TRUE, delete_films, &id, ok ? error : NULL) && ok;
}
