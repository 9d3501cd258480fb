/* SPDX-License-Identifier: MPL-2.0 */
#define _GNU_SOURCE
#include "ipc/frame.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#ifndef MFD_NOEXEC_SEAL
#  define MFD_NOEXEC_SEAL 0x0008U
#endif

enum
{
  CHANNELS = 3,
  SEALS = F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE
};

typedef struct
{
  gpointer data;
  gsize n_bytes;
} Mapping;

static void
mapping_free (gpointer data)
{
  Mapping *mapping = data;
  munmap (mapping->data, mapping->n_bytes);
  g_free (mapping);
}

static gboolean
fail_errno (GError **error, int code, const char *what)
{
  g_set_error (error, G_IO_ERROR, g_io_error_from_errno (code), "%s: %s", what, g_strerror (code));
  return FALSE;
}

static gboolean
frame_size (int width, int height, gsize *n_bytes, GError **error)
{
  if (width < 1 || height < 1 || width > GESSO_IPC_FRAME_MAX_SIDE ||
      height > GESSO_IPC_FRAME_MAX_SIDE)
    {
      g_set_error (error, G_IO_ERROR, G_IO_ERROR_INVALID_DATA, "A frame of %d x %d is no picture",
                   width, height);
      return FALSE;
    }
  *n_bytes = (gsize) width * (gsize) height * CHANNELS;
  return TRUE;
}

/* Kernels that enforce non-executable memfds want to be told; older ones do not know the flag. */
static int
create_memfd (void)
{
  const unsigned flags = MFD_CLOEXEC | MFD_ALLOW_SEALING;
  int fd = memfd_create ("gesso-frame", flags | MFD_NOEXEC_SEAL);
  return fd >= 0 || errno != EINVAL ? fd : memfd_create ("gesso-frame", flags);
}

static gboolean
fill_and_seal (int fd, const guint8 *data, gsize n_bytes, GError **error)
{
  for (gsize done = 0; done < n_bytes;)
    {
      gssize n = write (fd, data + done, n_bytes - done);
      if (n < 0 && errno == EINTR)
        continue;
      if (n < 0)
        return fail_errno (error, errno, "A frame could not be written");
      done += (gsize) n;
    }
  return fcntl (fd, F_ADD_SEALS, SEALS) == 0 ||
         fail_errno (error, errno, "A frame could not be sealed");
}

GVariant *
gesso_ipc_frame_send (const guint8 *rgb, int width, int height, GUnixFDList **fds, GError **error)
{
  gsize n_bytes = 0;
  g_return_val_if_fail (rgb != NULL && fds != NULL, NULL);
  *fds = NULL;
  if (!frame_size (width, height, &n_bytes, error))
    return NULL;
  int fd = create_memfd ();
  if (fd < 0)
    {
      fail_errno (error, errno, "A frame could not be made");
      return NULL;
    }
  if (!fill_and_seal (fd, rgb, n_bytes, error))
    {
      close (fd);
      return NULL;
    }
  *fds = g_unix_fd_list_new_from_array (&fd, 1); /* takes the descriptor */
  return g_variant_new_handle (0);
}

static GBytes *
map_sealed (int fd, gsize n_bytes, GError **error)
{
  struct stat st;
  int seals = fcntl (fd, F_GET_SEALS);
  if (seals < 0 || (seals & SEALS) != SEALS)
    {
      g_set_error_literal (error, G_IO_ERROR, G_IO_ERROR_INVALID_DATA, "A frame is not sealed");
      return NULL;
    }
  if (fstat (fd, &st) != 0 || st.st_size < 0 || (guint64) st.st_size < n_bytes)
    {
      g_set_error_literal (error, G_IO_ERROR, G_IO_ERROR_INVALID_DATA, "A frame is cut off");
      return NULL;
    }
  /* Private, because kernels before 6.7 refuse to share a mapping of what is sealed. */
  gpointer data = mmap (NULL, n_bytes, PROT_READ, MAP_PRIVATE, fd, 0);
  if (data == MAP_FAILED)
    {
      fail_errno (error, errno, "A frame could not be mapped");
      return NULL;
    }
  Mapping *mapping = g_new (Mapping, 1);
  *mapping = (Mapping){ data, n_bytes };
  return g_bytes_new_with_free_func (data, n_bytes, mapping_free, mapping);
}

GBytes *
gesso_ipc_frame_receive (GUnixFDList *fds, GVariant *handle, int width, int height, GError **error)
{
  gsize n_bytes = 0;
  g_return_val_if_fail (g_variant_is_of_type (handle, G_VARIANT_TYPE_HANDLE), NULL);
  if (!frame_size (width, height, &n_bytes, error))
    return NULL;
  int index = g_variant_get_handle (handle);
  if (!fds || index < 0 || index >= g_unix_fd_list_get_length (fds))
    {
      g_set_error_literal (error, G_IO_ERROR, G_IO_ERROR_INVALID_DATA, "A frame has no descriptor");
      return NULL;
    }
  int fd = g_unix_fd_list_peek_fds (fds, NULL)[index];
  return map_sealed (fd, n_bytes, error);
}
