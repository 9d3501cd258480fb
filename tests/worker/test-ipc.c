/* SPDX-License-Identifier: MPL-2.0
 * test-ipc.c - frames, names and errors, without a worker.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "ipc/peer.h"

static const guint8 pixels[] = { 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18 };

static void
test_frame_arrives_as_sent (void)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (GUnixFDList) fds = NULL;
  g_autoptr (GVariant) handle =
      g_variant_ref_sink (gesso_ipc_frame_send (pixels, 3, 2, &fds, &error));
  g_assert_no_error (error);
  GBytes *rgb = gesso_ipc_frame_receive (fds, handle, 3, 2, &error);
  g_assert_no_error (error);
  g_clear_object (&fds); /* the mapping outlives the descriptor */
  g_assert_cmpmem (g_bytes_get_data (rgb, NULL), g_bytes_get_size (rgb), pixels, sizeof pixels);
  g_bytes_unref (rgb);
}

static void
test_frame_cannot_be_changed (void)
{
  g_autoptr (GUnixFDList) fds = NULL;
  g_autoptr (GVariant) handle =
      g_variant_ref_sink (gesso_ipc_frame_send (pixels, 3, 2, &fds, NULL));
  int fd = g_unix_fd_list_peek_fds (fds, NULL)[0];
  g_assert_cmpint (write (fd, "x", 1), ==, -1);
  g_assert_cmpint (ftruncate (fd, 0), ==, -1);
  g_assert_cmpint (ftruncate (fd, 4096), ==, -1);
  g_assert_true (mmap (NULL, 18, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0) == MAP_FAILED);
  g_assert_cmpint (fcntl (fd, F_ADD_SEALS, F_SEAL_GROW), ==, -1);
}

static GUnixFDList *
memfd_list (int n_bytes, int seals)
{
  int fd = memfd_create ("test", MFD_CLOEXEC | MFD_ALLOW_SEALING);
  g_assert_cmpint (ftruncate (fd, n_bytes), ==, 0);
  g_assert_cmpint (fcntl (fd, F_ADD_SEALS, seals), ==, 0);
  return g_unix_fd_list_new_from_array (&fd, 1);
}

static void
assert_refused (GUnixFDList *fds, int index, int width, int height)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (GVariant) handle = g_variant_ref_sink (g_variant_new_handle (index));
  g_assert_null (gesso_ipc_frame_receive (fds, handle, width, height, &error));
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_INVALID_DATA);
}

static void
test_frame_is_refused_unless_sealed (void)
{
  const int all = F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE;
  const int missing[] = { 0, F_SEAL_SHRINK, F_SEAL_WRITE, all & ~F_SEAL_WRITE,
                          all & ~F_SEAL_SHRINK };
  for (gsize i = 0; i < G_N_ELEMENTS (missing); i++)
    {
      g_autoptr (GUnixFDList) fds = memfd_list (12, missing[i]);
      assert_refused (fds, 0, 2, 2);
    }
  int pipes[2];
  g_assert_cmpint (pipe (pipes), ==, 0);
  g_autoptr (GUnixFDList) no_memfd = g_unix_fd_list_new_from_array (pipes, 2);
  assert_refused (no_memfd, 0, 2, 2);
}

static void
test_frame_is_refused_when_too_small (void)
{
  const int all = F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE;
  g_autoptr (GUnixFDList) fds = memfd_list (12, all);
  g_autoptr (GVariant) handle = g_variant_ref_sink (g_variant_new_handle (0));
  g_autoptr (GBytes) fits = gesso_ipc_frame_receive (fds, handle, 2, 2, NULL);
  g_assert_nonnull (fits);
  assert_refused (fds, 0, 2, 3);
  assert_refused (fds, 0, 32768, 32768);
  assert_refused (fds, 0, 0, 2);
  assert_refused (fds, 0, -2, -2);
  assert_refused (fds, 0, 32769, 1);
  assert_refused (fds, 1, 2, 2);
  assert_refused (fds, -1, 2, 2);
  assert_refused (NULL, 0, 2, 2);
}

static void
test_batch_names (void)
{
  g_autofree char *longest = g_strnfill (64, 'a'), *longer = g_strnfill (65, 'a');
  g_assert_true (gesso_ipc_batch_name_is_valid ("Job-17-b2"));
  g_assert_true (gesso_ipc_batch_name_is_valid (longest));
  g_assert_false (gesso_ipc_batch_name_is_valid (longer));
  g_assert_false (gesso_ipc_batch_name_is_valid (""));
  g_assert_false (gesso_ipc_batch_name_is_valid ("../x"));
  g_assert_false (gesso_ipc_batch_name_is_valid ("a b"));
  g_assert_false (gesso_ipc_batch_name_is_valid ("\xc3\xa4"));
}

static void
test_errors_travel_by_name (void)
{
  for (int code = GESSO_IPC_ERROR_BUSY; code <= GESSO_IPC_ERROR_INTERNAL; code++)
    {
      g_autoptr (GError) error = g_error_new_literal (GESSO_IPC_ERROR, code, "Sentence.");
      g_autofree char *name = g_dbus_error_encode_gerror (error);
      g_assert_true (g_str_has_prefix (name, "io.github.gesso_studio.Gesso.Error."));
      g_autoptr (GError) back = g_dbus_error_new_for_dbus_error (name, "Sentence.");
      g_assert_error (back, GESSO_IPC_ERROR, code);
      const char *short_name = gesso_ipc_error_code_name (code);
      g_assert_cmpint (gesso_ipc_error_from_code_name (short_name), ==, code);
    }
  g_assert_cmpint (gesso_ipc_error_from_code_name ("rubbish"), ==, GESSO_IPC_ERROR_INTERNAL);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/ipc/frame/arrives-as-sent", test_frame_arrives_as_sent);
  g_test_add_func ("/ipc/frame/cannot-be-changed", test_frame_cannot_be_changed);
  g_test_add_func ("/ipc/frame/refused-unless-sealed", test_frame_is_refused_unless_sealed);
  g_test_add_func ("/ipc/frame/refused-when-too-small", test_frame_is_refused_when_too_small);
  g_test_add_func ("/ipc/peer/batch-names", test_batch_names);
  g_test_add_func ("/ipc/errors/travel-by-name", test_errors_travel_by_name);
  return g_test_run ();
}
