/* SPDX-License-Identifier: MPL-2.0
 * gesso-worker-lock.c - one lock for a session and all its workers.
 */
#include "session/gesso-worker-lock.h"

#include <errno.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <sys/file.h>
#include <unistd.h>

struct _GessoWorkerLock
{
  char *path;
  int fd; /* -1 while it is not ours */
};

GessoWorkerLock *
gesso_worker_lock_new (const char *data_dir)
{
  g_return_val_if_fail (data_dir, NULL);
  GessoWorkerLock *self = g_new (GessoWorkerLock, 1);
  *self = (GessoWorkerLock){ g_build_filename (data_dir, "worker.lock", NULL), -1 };
  return self;
}

void
gesso_worker_lock_free (GessoWorkerLock *self)
{
  if (!self)
    return;
  if (self->fd >= 0)
    close (self->fd);
  g_free (self->path);
  g_free (self);
}

static gboolean
take (GessoWorkerLock *self)
{
  int fd = g_open (self->path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  if (fd < 0)
    return FALSE;
  if (flock (fd, LOCK_EX | LOCK_NB) == 0)
    {
      self->fd = fd;
      return TRUE;
    }
  int code = errno;
  close (fd);
  errno = code;
  return FALSE;
}

/* A copy of a descriptor shares its lock. */
int
gesso_worker_lock_dup (GessoWorkerLock *self)
{
  g_return_val_if_fail (self, -1);
  return self->fd >= 0 || take (self) ? fcntl (self->fd, F_DUPFD_CLOEXEC, 0) : -1;
}
