/* SPDX-License-Identifier: MPL-2.0
 * gesso-trash.h - to the trash and back.  Nothing is ever deleted here.
 */
#pragma once

#include "library/gesso-database.h"

#define GESSO_CLIP_EXTENSION ".gclip"

G_BEGIN_DECLS

/* gesso_trash_file:
 * @own_dir: our own trash, for where the desktop has none (tmpfs, containers, some network disks);
 * laid out like the desktop's: files/NAME and info/NAME.trashinfo
 *
 * Blocking.  Returns: where the file lies now; "" when the desktop took it but does not say where
 */
char *
gesso_trash_file (const char *path, const char *own_dir, GCancellable *cancellable, GError **error);

/* gesso_untrash_file:
 * @trashed: what gesso_trash_file returned
 * @path: where it was
 *
 * Blocking.  Returns: where the file is now: @path, or a name beside it when that is taken
 */
char *gesso_untrash_file (const char *trashed, const char *path, GError **error);

/* ---- films beside a clip ---- */

/* The films that lie beside @clip under its name and were made by its recipe.  Blocking.
 * Returns: (element-type filename): to g_ptr_array_unref; empty for what is no clip */
GPtrArray *gesso_trash_find_films (const char *clip);

/* gesso_trash_films:
 * @id: of the clip's file, which is in the trash
 *
 * Blocking.  Returns: FALSE and the first error when some film stayed
 */
gboolean gesso_trash_films (GessoDatabase *database,
                            gint64 id,
                            GPtrArray *films,
                            const char *own_dir,
                            GCancellable *cancellable,
                            GError **error);
/* @clip: where the clip of @id is again.  FALSE and the first error when some film is not. */
gboolean gesso_untrash_films (GessoDatabase *database, gint64 id, const char *clip, GError **error);

/* ---- pictures ---- */

/* gesso_trash_pictures:
 * @ids: (element-type gint64)
 *
 * With the films of clips among them, one by one, as one batch that gesso_untrash_last brings back.
 * Blocking; for a thread.  A file that cannot be moved stays and does not stop the others.
 *
 * Returns: FALSE and the first error when some file stayed
 */
gboolean gesso_trash_pictures (GessoDatabase *database,
                               GArray *ids,
                               const char *own_dir,
                               GCancellable *cancellable,
                               GError **error);
/* Returns: FALSE when there is nothing to bring back, or some file could not be */
gboolean gesso_untrash_last (GessoDatabase *database, GError **error);
/* Forgets what was taken out of the trash by others, and what a crash left between two steps.
 * Blocking; for a thread. */
gboolean gesso_trash_purge (GessoDatabase *database, GError **error);

G_END_DECLS
