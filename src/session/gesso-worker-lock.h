/* SPDX-License-Identifier: MPL-2.0
 * gesso-worker-lock.h - one lock for a session and all its workers.
 *
 * The workers of two sessions never run for one data folder, not even when the window was killed
 * and a worker of it has not noticed yet: the session takes the lock of worker.lock before its
 * first worker is started, and each worker inherits it.  So it is free when the last of them has
 * ended.
 */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

typedef struct _GessoWorkerLock GessoWorkerLock;
GessoWorkerLock *gesso_worker_lock_new (const char *data_dir);
void gesso_worker_lock_free (GessoWorkerLock *self);
/* Returns: a descriptor for a worker, the caller's; -1 with errno EWOULDBLOCK while others have it
 */
int gesso_worker_lock_dup (GessoWorkerLock *self);

G_END_DECLS
