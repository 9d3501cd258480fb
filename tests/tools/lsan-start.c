/* SPDX-License-Identifier: MPL-2.0
 * lsan-start.c - part of programs that use GTK or GStreamer, in builds with AddressSanitizer only.
 *
 * GLib keeps its quarks in a table of 16 KiB, and leaves each table to its readers when it makes
 * the next, larger one, on purpose.  GTK, the themes and the window have more than 2048 quarks,
 * GStreamer brings the 4097th.  A leak's stack ends in g_malloc, so that no suppression could tell
 * such a table from a leak of ours: what libraries allocate in their constructors, the first table
 * among it, is not looked at, and the others are recognised as they are made.
 */
#define _GNU_SOURCE /* dladdr */
#include <dlfcn.h>
#include <execinfo.h>
#include <sanitizer/lsan_interface.h>
#include <stddef.h>
#include <string.h>

/* GCC's headers lack sanitizer/allocator_interface.h. */
int __sanitizer_install_malloc_and_free_hooks (void (*malloc_hook) (const volatile void *, size_t),
                                               void (*free_hook) (const volatile void *));

enum
{
  QUARK_BLOCK_BYTES = 2048 * sizeof (char *), /* of glib/gquark.c */
  MAX_BLOCKS = 8,
  MAX_FRAMES = 16
};

static void
begin (void)
{
  __lsan_disable ();
}

/* Before all constructors, those of libraries included. */
__attribute__ ((section (".preinit_array"), used)) static void (*const preinit) (void) = begin;

static int
is_quark_table (void)
{
  void *frames[MAX_FRAMES];
  int n = backtrace (frames, MAX_FRAMES);
  for (int i = 0; i < n; i++)
    {
      Dl_info info;
      if (dladdr (frames[i], &info) && info.dli_sname &&
          (!strncmp (info.dli_sname, "g_quark_", 8) || !strncmp (info.dli_sname, "g_intern_", 9)))
        return 1;
    }
  return 0;
}

static void
malloc_cb (const volatile void *bytes, size_t n_bytes)
{
  static _Thread_local int busy; /* a backtrace may allocate */
  if (busy || n_bytes == 0 || n_bytes % QUARK_BLOCK_BYTES != 0 ||
      n_bytes > (size_t) MAX_BLOCKS * QUARK_BLOCK_BYTES)
    return;
  busy = 1;
  if (is_quark_table ())
    __lsan_ignore_object ((const void *) bytes);
  busy = 0;
}

static void
free_cb (const volatile void *bytes)
{
}

/* Constructors of the program itself run after those of its libraries. */
__attribute__ ((constructor)) static void
end (void)
{
  __sanitizer_install_malloc_and_free_hooks (malloc_cb, free_cb);
  __lsan_enable ();
}
