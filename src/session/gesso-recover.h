/* SPDX-License-Identifier: MPL-2.0
 * gesso-recover.h - what a crash or a power cut left of pictures on their way to the disk.
 */
#pragma once

#include "library/gesso-database.h"

G_BEGIN_DECLS

typedef struct _GessoRecovery GessoRecovery;

/* @rows: of GessoJobRow, jobs that have pictures more than before, one for each such picture; the
 * last of a job's is how it is.  Whether or not there is an @error, borrowed. */
typedef void (*GessoRecovered) (const GPtrArray *rows, const GError *error, gpointer user_data);

/* gesso_recovery_new:
 * @database: of the session
 * @done: called on the main thread, once, unless the recovery is freed before
 *
 * At the start, before a job begins: files that were complete are marked (gesso-result.h says when
 * they are not), temporary files removed.  On a thread, as the disk of the pictures may not answer.
 */
GessoRecovery *
gesso_recovery_new (GessoDatabase *database, GessoRecovered done, gpointer user_data);
/* Waits for the thread. */
void gesso_recovery_free (GessoRecovery *self);

G_END_DECLS
