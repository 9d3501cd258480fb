/* SPDX-License-Identifier: MPL-2.0
 * gesso-recover.h - what a crash or a power cut left of pictures on their way to the disk.
 */
#pragma once

#include "library/gesso-database.h"

G_BEGIN_DECLS

/* gesso_recover_async:
 * @database: of the session
 *
 * At the start, before a job begins: files that were complete are marked (gesso-result.h says when
 * they are not), temporary files removed.  On a thread, as the disk of the pictures may not answer.
 *
 * Returns (finish): (transfer full): of GessoJobRow, jobs that have pictures more than before, one
 * for each such picture; the last of a job's is how it is
 */
void
gesso_recover_async (GessoDatabase *database, GAsyncReadyCallback callback, gpointer user_data);
GPtrArray *gesso_recover_finish (GAsyncResult *result, GError **error);

G_END_DECLS
