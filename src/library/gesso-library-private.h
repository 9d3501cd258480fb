/* SPDX-License-Identifier: MPL-2.0
 * gesso-library-private.h - what the library's parts share.  Main thread.
 */
#pragma once

#include "library/gesso-database.h"
#include "library/gesso-hasher.h"
#include "library/gesso-library.h"
#include "library/gesso-model-list.h"
#include "library/gesso-picture.h"
#include "library/gesso-scanner.h"
#include "library/gesso-thumbnails.h"
#include "library/gesso-watcher.h"

G_BEGIN_DECLS

enum
{
  GESSO_N_FILE_KINDS = GESSO_FILE_UNKNOWN + 1
};

struct _GessoLibrary
{
  GObject parent_instance;
  /* A second connection, for reading: searches do not wait for a scan's writing. */
  GessoDatabase *writer, *reader;
  char *own_trash;
  char *folder_file; /* beside the database: the folders of models, one a line */
  GessoScanner *scanner;
  GessoWatcher *watcher;
  GessoHasher *hasher;
  GessoThumbnails *thumbnails;
  GessoModelList *models[GESSO_N_FILE_KINDS];
  GHashTable *pictures; /* id -> GessoPicture, not owned: every picture is one object */
  GPtrArray *lists;     /* GessoPictureList, not owned */
  GPtrArray *folders, *picture_folders; /* paths the user named, by role */
  GPtrArray *own_folders;               /* those of picture_folders that Gesso wrote to */
  int n_models, n_pictures;
  gboolean scanning, closed;
  GThread *purge;  /* of the trash, at the start */
  guint reload_id; /* source */
  gboolean reloading, reload_again;
  gint64 reloaded_us;
};

GessoDatabase *gesso_library_get_reader (GessoLibrary *self);

/* NULL when nobody holds it. */
GessoPicture *gesso_library_peek_picture (GessoLibrary *self, gint64 id);
GessoPicture *gesso_library_ref_picture (GessoLibrary *self, gint64 id);

/* At the end of @self: they may outlive it. */
void gesso_library_let_go_of_pictures (GessoLibrary *self);

/* A line for each folder of models, for the worker and gesso-cli: they find adapters by name there
 * and know no database. */
void gesso_library_publish_folders (GessoLibrary *self);

void gesso_library_add_list (GessoLibrary *self, GessoPictureList *list);
void gesso_library_remove_list (GessoLibrary *self, GessoPictureList *list);
/* Rows changed: lists, counts and "changed" follow soon. */
void gesso_library_queue_reload (GessoLibrary *self);

/* Emits "starred". */
void gesso_library_tell_starred (GessoLibrary *self, GessoPicture *picture);

/* gesso_picture_list_refresh:
 * @func: called once the list shows what was in the database at this call; or NULL
 */
typedef void (*GessoRefreshed) (gpointer data);
void gesso_picture_list_refresh (GessoPictureList *self, GessoRefreshed func, gpointer data);
/* Refreshes all lists; @func is called when the last one is done. */
void gesso_library_refresh_lists (GessoLibrary *self, GessoRefreshed func, gpointer data);
/* The library closes: no more queries. */
void gesso_picture_list_detach (GessoPictureList *self);

/* For tests and the benchmark: scanning, about to watch, or about to tell. */
gboolean gesso_library_is_busy (GessoLibrary *self);

G_END_DECLS
