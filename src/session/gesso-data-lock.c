/* SPDX-License-Identifier: MPL-2.0
 * gesso-data-lock.c - one program at a time uses a data folder.
 */
#include "session/gesso-data-lock.h"

#include <errno.h>
#include <fcntl.h>
#include <glib/gi18n.h>
#include <glib/gstdio.h>
#include <sys/file.h>
#include <unistd.h>

static int
fail (const char *data_dir, int code, GError **error)
{
  g_set_error (
      error, G_IO_ERROR, (int) g_io_error_from_errno (code),
      _ ("The folder “%s”, where Gesso keeps its queue, cannot be written: %s. Make it writable "
         "or set XDG_DATA_HOME to another folder."),
      data_dir, g_strerror (code));
  return -1;
}

int
gesso_data_lock_take (const char *data_dir, GError **error)
{
  g_return_val_if_fail (data_dir, -1);
  if (g_mkdir_with_parents (data_dir, 0700) != 0)
    return fail (data_dir, errno, error);
  g_autofree char *path = g_build_filename (data_dir, "session.lock", NULL);
  int fd = g_open (path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  if (fd < 0)
    return fail (data_dir, errno, error);
  if (flock (fd, LOCK_EX | LOCK_NB) == 0)
    return fd;
  int code = errno;
  close (fd);
  if (code != EWOULDBLOCK)
    return fail (data_dir, code, error);
  g_set_error (error, G_IO_ERROR, G_IO_ERROR_BUSY,
               _ ("Gesso is running already with the data in “%s”."), data_dir);
  return -1;
}
