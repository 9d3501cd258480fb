/* SPDX-License-Identifier: MPL-2.0
 * lsan-start.c - part of programs with a window, in builds with AddressSanitizer only.
 *
 * What libraries allocate in their constructors is not looked at for leaks.  GLib makes its table
 * of quarks there (16 KiB) and leaves it to its readers when the 2049th comes, on purpose: GTK, the
 * themes and the window have more.  Its stack ends in g_malloc, so that no suppression could tell
 * it from a leak of ours.
 */
#include <sanitizer/lsan_interface.h>

static void
begin (void)
{
  __lsan_disable ();
}

/* Before all constructors, those of libraries included. */
__attribute__ ((section (".preinit_array"), used)) static void (*const preinit) (void) = begin;

/* Constructors of the program itself run after those of its libraries. */
__attribute__ ((constructor)) static void
end (void)
{
  __lsan_enable ();
}
