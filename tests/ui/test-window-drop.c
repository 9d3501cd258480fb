/* SPDX-License-Identifier: MPL-2.0
 * test-window-drop.c - what another process drops on the window.
 *
 * Alone: tests/ui/xvfb.sh build/tests/ui/test-window-drop build/tests/ui/drag-source, with
 * GESSO_DATA and GESSO_TEST_WORKER set.  No other test runs meanwhile: drags are paced as a hand's.
 */
#include <glib/gstdio.h>

#include "window-fixture.h"

static const char *drag_source;

static gboolean
has_picture (Fixture *f)
{
  return gesso_document_has_picture (gesso_create_page_get_document (f->page));
}

/* From another program's window onto (@x, @y) of the display, where ours begins at 0, 0. */
static void
drag_to (Fixture *f, int x, int y)
{
  g_autofree char *line = g_strdup_printf (
      "sh -c \"w=$(xdotool search --sync --onlyvisible --name '^DragSource$' | tail -1);"
      "xdotool windowmove --sync $w 1195 770; xdotool mousemove 1295 830 sleep 0.2 mousedown 1 "
      "sleep 0.2; for i in 0 1 2 3 4 5 6 7 8 9 10; do xdotool mousemove $((1295 + (%d) * i / 10)) "
      "$((830 + (%d) * i / 10)) sleep 0.06; done; xdotool sleep 0.2 mouseup 1 sleep 0.2\"",
      x - 1295, y - 830);
  press (f, line);
}

static void
drop (Fixture *f, const char *path, int x, int y)
{
  g_autoptr (GSubprocess) source =
      g_subprocess_new (G_SUBPROCESS_FLAGS_STDOUT_SILENCE, NULL, drag_source, path, NULL);
  g_assert_nonnull (source);
  drag_to (f, x, y);
  g_subprocess_force_exit (source);
  g_subprocess_wait (source, NULL, NULL);
}

static gboolean
can_drop (void)
{
  g_autofree char *xdotool = g_find_program_in_path ("xdotool");
  if (!xdotool || !drag_source)
    g_test_skip ("xdotool is not installed, or no drag-source program was given");
  return xdotool && drag_source;
}

static void
test_drop_picture_offers_settings (Fixture *f, gconstpointer unused)
{
  if (!can_drop ())
    return;
  make_picture (f);
  gesso_form_set_text (f->form, "prompt", "something else", NULL);
  drop (f, gesso_job_get_last_picture (job_at (f, 0)), 800, 250);
  WAIT (f, settings_are_offered);
  g_assert_false (has_picture (f));
  g_signal_emit_by_name (find_button_anywhere ("_Use Settings"), "clicked");
  WAIT (f, prompt_is_apple);
}

static void
test_drop_picture_starts_from_it (Fixture *f, gconstpointer unused)
{
  if (!can_drop ())
    return;
  make_picture (f);
  drop (f, gesso_job_get_last_picture (job_at (f, 0)), 800, 250);
  WAIT (f, settings_are_offered);
  g_signal_emit_by_name (find_button_anywhere ("As _Start Picture"), "clicked");
  WAIT (f, has_picture);
}

static gboolean
says_folder (Fixture *f)
{
  return find_label (GTK_WIDGET (f->window), "Looking for models in “my models”") != NULL;
}

static gboolean
has_folder (Fixture *f)
{
  g_auto (GStrv) folders = gesso_library_dup_folders (gesso_window_get_library (f->window));
  g_autofree char *wanted = g_build_filename (f->dir, "my models", NULL);
  return folders && g_strv_contains ((const char *const *) folders, wanted);
}

/* On the canvas, which takes pictures itself, and beside it. */
static void
drop_folder_at (Fixture *f, int x, int y)
{
  if (!can_drop ())
    return;
  g_autofree char *folder = g_build_filename (f->dir, "my models", NULL);
  g_assert_cmpint (g_mkdir (folder, 0700), ==, 0);
  WAIT (f, planned);
  drop (f, folder, x, y);
  WAIT (f, says_folder);
  WAIT (f, has_folder);
}

static void
test_drop_folder_on_canvas_says_so (Fixture *f, gconstpointer unused)
{
  drop_folder_at (f, 800, 250);
}

static void
test_drop_folder_on_sidebar_says_so (Fixture *f, gconstpointer unused)
{
  drop_folder_at (f, 150, 680);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  drag_source = argc > 1 ? argv[1] : NULL;
  gtk_init ();
  ADD ("drop/picture-offers-settings", test_drop_picture_offers_settings);
  ADD ("drop/picture-starts-from-it", test_drop_picture_starts_from_it);
  ADD ("drop/folder-on-canvas-says-so", test_drop_folder_on_canvas_says_so);
  ADD ("drop/folder-on-sidebar-says-so", test_drop_folder_on_sidebar_says_so);
  return g_test_run ();
}
