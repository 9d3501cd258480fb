/* SPDX-License-Identifier: MPL-2.0
 * gesso-index.h - reading and writing rows of library.db.  All of it runs in a GessoDatabaseFunc.
 */
#pragma once

#include "library/gesso-database.h"
#include "library/gesso-model-file.h"
#include "library/gesso-picture.h"
#include "library/gesso-recognise.h"

G_BEGIN_DECLS

/* What says whether a file is still the same. */
typedef struct
{
  gint64 size_bytes, mtime_ns;
  guint64 inode;
} GessoIdentity;

gboolean gesso_identity_equal (const GessoIdentity *a, const GessoIdentity *b);

/* A file as the index knows it. */
typedef struct
{
  gint64 id;
  GessoIdentity identity;
  GessoFileKind kind;
  int state;
  int recognised; /* by which GESSO_RECOGNISE_VERSION; 0 for pictures */
  gboolean seen;  /* for the scanner */
  char *thumbnail;
} GessoKnown;

/* A file as it was found and read. */
typedef struct
{
  gint64 id; /* set by gesso_index_put */
  char *path;
  GessoIdentity identity;
  GessoFileKind kind;
  char *name, *thumbnail;     /* of models; name of pictures too */
  GessoRecognised recognised; /* of models */
  GessoPictureRow picture;    /* of pictures */
} GessoEntry;

void gesso_entry_free (GessoEntry *entry);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (GessoEntry, gesso_entry_free)

/* Returns: (transfer full) path -> GessoKnown of everything at or below @dir; NULL @dir for all */
GHashTable *gesso_index_known (sqlite3 *db, const char *dir, GError **error);

/* gesso_index_put:
 *
 * Adds or replaces the row of @entry's path.  A file that was only moved (same identity, and
 * nothing is at its old path) keeps its row: id, star and hash.
 */
gboolean gesso_index_put (sqlite3 *db, GessoEntry *entry, GError **error);
/* Only while it still has that path: it may have moved in the same batch. */
gboolean gesso_index_remove (sqlite3 *db, gint64 id, const char *path, GError **error);
gboolean gesso_index_set_state (sqlite3 *db, gint64 id, int state, GError **error);

/* Returns: (element-type GessoModelFile) all that are present */
GPtrArray *gesso_index_models (sqlite3 *db, GError **error);
/* Returns: NULL without an error when there is no such picture */
GessoPictureRow *gesso_index_picture (sqlite3 *db, gint64 id, GError **error);

/* Folders the user named, by role. */
#define GESSO_ROLE_MODELS "models"
#define GESSO_ROLE_PICTURES "pictures"
#define GESSO_ROLE_OWN "own" /* pictures that Gesso wrote itself */

/* gesso_index_folders:
 * @pictures: of either role; @own: those of them that are Gesso's own
 *
 * Adds their paths.  Each array may be NULL.
 */
gboolean gesso_index_folders (
    sqlite3 *db, GPtrArray *models, GPtrArray *pictures, GPtrArray *own, GError **error);

G_END_DECLS
