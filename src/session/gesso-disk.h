/* SPDX-License-Identifier: MPL-2.0
 * gesso-disk.h - small looks at the disk that must not stop the main loop.
 */
#pragma once

#include <gio/gio.h>

G_BEGIN_DECLS

/* Is there hardly any room left where @folder is? */
void
gesso_disk_is_full_async (const char *folder, GAsyncReadyCallback callback, gpointer user_data);
gboolean gesso_disk_is_full_finish (GAsyncResult *result);

/* Removes the journal of a batch and what was put aside beside it; on a thread, without an answer.
 */
void gesso_disk_remove_journal (const char *folder, const char *batch);

/* gesso_disk_sweep_journals: blocking, at the start
 * @name: of this database
 * @keep: is the job still to be gone on with?
 *
 * Removes journals of other jobs and of other databases.
 */
void gesso_disk_sweep_journals (const char *folder,
                                const char *name,
                                gboolean (*keep) (gpointer data, gint64 job),
                                gpointer data);

G_END_DECLS
