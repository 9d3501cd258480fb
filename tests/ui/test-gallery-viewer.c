/* SPDX-License-Identifier: MPL-2.0
 * test-gallery-viewer.c - pictures of the gallery looked at large, compared and used.
 *
 * Needs a display of its own: tests/ui/xvfb.sh build/tests/ui/test-gallery-viewer
 * With GESSO_SCREENSHOTS=FOLDER it leaves a picture of each stage there.
 */
#include <glib/gstdio.h>
#include <math.h>
#include <string.h>

#include "gallery-fixture.h"

enum
{
  BROKEN_PICTURE = 11
};

static gboolean
got_seed (Fixture *f)
{
  return f->seed != NULL;
}

static void
test_gallery_uses (Fixture *f, gconstpointer data)
{
  g_autofree char *path = picture_path (f->pictures, OWN_PICTURE);
  pick (f, OWN_PICTURE, TRUE);
  act (f, "use-recipe");
  act (f, "use-seed");
  act (f, "send-to-canvas");
  WAIT (f, got_recipe);
  WAIT (f, got_seed);
  g_assert_nonnull (strstr (f->recipe, "lighthouse"));
  g_assert_cmpstr (f->seed, ==, "1003");
  g_assert_cmpstr (f->canvas, ==, path);
  act (f, "copy-prompt");
  GdkContentProvider *content = gdk_clipboard_get_content (gtk_widget_get_clipboard (f->page));
  g_auto (GValue) value = G_VALUE_INIT;
  g_value_init (&value, G_TYPE_STRING);
  g_assert_true (gdk_content_provider_get_value (content, &value, NULL));
  g_assert_cmpstr (g_value_get_string (&value), ==, "a lighthouse in a storm, oil painting");
}

static gboolean
compare_is_complete (Fixture *f)
{
  return gesso_gallery_viewer_is_complete (GESSO_GALLERY_VIEWER (f->self->compare));
}

static void
test_gallery_viewer (Fixture *f, gconstpointer data)
{
  GessoGalleryViewer *viewer = GESSO_GALLERY_VIEWER (f->self->viewer);
  pick (f, OWN_PICTURE, TRUE);
  act (f, "open");
  WAIT (f, viewer_is_complete);
  screenshot (f, "viewer");
  GessoPictureView *view = gesso_gallery_viewer_get_view (viewer);
  double fit = gesso_picture_view_get_zoom (view);
  g_assert_cmpfloat (fit, <, 1);
  act (f, "zoom-original");
  g_assert_cmpfloat (gesso_picture_view_get_zoom (view), ==, 1);
  act (f, "zoom-in");
  g_assert_cmpfloat_with_epsilon (gesso_picture_view_get_zoom (view), 1.25, 1e-9);
  screenshot (f, "viewer-zoomed");
  act (f, "zoom-fit");
  g_assert_cmpfloat (gesso_picture_view_get_zoom (view), ==, fit);
  act (f, "next");
  g_assert_true (gesso_gallery_viewer_get_picture (viewer, 0) == at (f, OWN_PICTURE + 1));
  WAIT (f, viewer_is_complete);
  /* A small one was a stamp in the middle of the window. */
  double enlarged = gesso_picture_view_get_zoom (view);
  g_assert_cmpfloat (enlarged, >=, 2);
  g_assert_cmpfloat (enlarged, ==, floor (enlarged));
  for (int i = 0; i < 30; i++) /* faster than anything decodes */
    act (f, "next");
  WAIT (f, viewer_is_complete);
  g_assert_true (gesso_gallery_viewer_get_picture (viewer, 0) == at (f, OWN_PICTURE + 31));
  act (f, "back");
  g_assert_true (gtk_selection_model_is_selected (selection (f), OWN_PICTURE + 31));
}

static gboolean
is_one_less (Fixture *f)
{
  return is_loaded (f) && n_listed (f) == N_PICTURES - 1;
}

static void
test_gallery_viewer_goes_on_after_trash (Fixture *f, gconstpointer data)
{
  GessoGalleryViewer *viewer = GESSO_GALLERY_VIEWER (f->self->viewer);
  GessoPicture *next = at (f, 21);
  pick (f, 20, TRUE);
  act (f, "open");
  act (f, "trash");
  WAIT (f, is_one_less);
  g_assert_true (gesso_gallery_viewer_get_picture (viewer, 0) == next);
  WAIT (f, can_undo);
  act (f, "undo");
  WAIT (f, has_all);
  g_assert_true (gesso_gallery_viewer_get_picture (viewer, 0) == next); /* stays with its picture */
}

static gboolean
viewer_has_problem (Fixture *f)
{
  return gesso_gallery_viewer_is_complete (GESSO_GALLERY_VIEWER (f->self->viewer));
}

static void
test_gallery_damaged_picture (Fixture *f, gconstpointer data)
{
  g_autofree char *path = picture_path (f->pictures, BROKEN_PICTURE);
  cut_picture (f, BROKEN_PICTURE); /* the header stays, so that it is still listed */
  pick (f, BROKEN_PICTURE, TRUE);
  act (f, "open");
  WAIT (f, viewer_has_problem);
  screenshot (f, "damaged");
  g_unlink (path); /* and now it is gone altogether */
  act (f, "next");
  act (f, "previous");
  WAIT (f, viewer_has_problem);
  act (f, "back");
}

static void
test_gallery_compare (Fixture *f, gconstpointer data)
{
  GessoGalleryViewer *compare = GESSO_GALLERY_VIEWER (f->self->compare);
  GessoPictureView *view = gesso_gallery_viewer_get_view (compare);
  pick (f, OWN_PICTURE, TRUE);
  pick (f, 6, FALSE);
  GessoPicture *first = at (f, OWN_PICTURE), *second = at (f, 6);
  act (f, "compare");
  g_assert_cmpint (gesso_gallery_get_mode (f->self), ==, GESSO_GALLERY_COMPARE);
  WAIT (f, compare_is_complete);
  screenshot (f, "compare");
  input ("xdotool key Right Right");
  g_assert_cmpfloat_with_epsilon (gesso_picture_view_get_divider (view), 0.6, 1e-6);
  input ("xdotool key m");
  g_assert_cmpint (gesso_picture_view_get_mode (view), ==, GESSO_VIEW_WIPE);
  screenshot (f, "compare-wipe");
  /* the divider by mouse: 1200 px wide, the tools are some 50 px high */
  input ("xdotool mousemove 720 400 mousedown 1 && for x in 690 640 560 480 400 360; do xdotool "
         "mousemove $x 400 && "
         "sleep 0.03; done && xdotool mouseup 1");
  g_assert_cmpfloat_with_epsilon (gesso_picture_view_get_divider (view), 0.3, 0.02);
  input ("xdotool key x");
  g_assert_true (gesso_gallery_viewer_get_picture (compare, 0) == second);
  g_assert_true (gesso_gallery_viewer_get_picture (compare, 1) == first);
  input ("xdotool key m Escape");
  g_assert_cmpint (gesso_gallery_get_mode (f->self), ==, GESSO_GALLERY_BROWSE);
}

static gboolean
shows_awaited (Fixture *f)
{
  return gesso_gallery_get_mode (f->self) == GESSO_GALLERY_VIEW && viewer_is_complete (f);
}

/* A picture that was just written, asked for before the library knows it. */
static void
test_gallery_shows_new_picture (Fixture *f, gconstpointer data)
{
  g_autofree char *path = picture_path (f->pictures, N_PICTURES + 1);
  gesso_gallery_page_show_picture (f->self, path);
  write_picture (f, N_PICTURES + 1,
                 g_get_real_time () / G_USEC_PER_SEC + 60 * N_PICTURES + 7 * 86400);
  gesso_library_add_picture_async (f->library, path, NULL, NULL, NULL);
  WAIT (f, shows_awaited);
  g_assert_cmpstr (gesso_picture_get_path (gesso_gallery_viewer_get_picture (
                       GESSO_GALLERY_VIEWER (f->self->viewer), 0)),
                   ==, path);
}

/* The window closes while pictures are decoded, read, starred, trashed and thumbnailed. */
static void
test_gallery_closes_while_busy (Fixture *f, gconstpointer data)
{
  pick (f, OWN_PICTURE, TRUE);
  act (f, "use-recipe");
  act (f, "star");
  act (f, "open");
  act (f, "trash");
  act (f, "next");
}

int
main (int argc, char **argv)
{
  init_tests (&argc, &argv);
  TEST ("recipe/use-and-seed", uses);
  TEST ("viewer/zoom-and-step", viewer);
  TEST ("viewer/goes-on-after-trash", viewer_goes_on_after_trash);
  TEST ("viewer/damaged-picture", damaged_picture);
  TEST ("viewer/new-picture", shows_new_picture);
  TEST ("compare/divider-and-swap", compare);
  TEST ("closing/while-busy", closes_while_busy);
  return run_tests ();
}
