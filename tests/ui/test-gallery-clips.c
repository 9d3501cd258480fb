/* SPDX-License-Identifier: MPL-2.0
 * test-gallery-clips.c - clips in the gallery: listed, thumbnails, playing, stepping, seeking.
 *
 * Needs a display of its own: tests/ui/xvfb.sh build/tests/ui/test-gallery-clips
 * With GESSO_SCREENSHOTS=FOLDER it leaves pictures there.
 */
#include <adwaita.h>
#include <glib/gstdio.h>
#include <string.h>

#include "app/gallery/gesso-gallery-cell.h"
#include "app/gallery/gesso-gallery-private.h"
#include "app/gallery/gesso-gallery-text.h"
#include "core/mem.h"
#include "media/clip.h"
#include "media/film-writer.h"

enum
{
  WIDTH = 96,
  HEIGHT = 64,
  N_FRAMES = 24,
  RATE = 16,
  CLIP_MS = 1500,
  N_PICTURES = 4 /* a clip, a GIF, a moving WebP and a clip that is cut off */
};
static const gint64 deadline_us = 60 * G_USEC_PER_SEC;

typedef struct
{
  GtkWidget *window;
  GessoGalleryPage *page;
  GessoLibrary *library;
  GessoClipBar *bar;
  char *dir, *pictures, *exported;
} Fixture;

/* ---- waiting ---- */

static gboolean
tick_cb (gpointer unused)
{
  return G_SOURCE_CONTINUE;
}

/* What comes without an event is looked for at each tick. */
static gboolean
pump_until (gboolean (*done) (Fixture *), Fixture *f)
{
  const guint tick_ms = 5;
  gint64 end = g_get_monotonic_time () + deadline_us;
  guint tick = g_timeout_add (tick_ms, tick_cb, NULL);
  gboolean ok;
  while (!(ok = done (f)) && g_get_monotonic_time () < end)
    g_main_context_iteration (NULL, TRUE);
  g_source_remove (tick);
  return ok;
}

#define WAIT(f, done) g_assert_true (pump_until (done, f))

static void
settle (void)
{
  while (g_main_context_iteration (NULL, FALSE))
    ;
}

static void
act (Fixture *f, const char *name)
{
  g_autofree char *full = g_strdup_printf ("gallery.%s", name);
  g_autofree char *action = NULL;
  g_autoptr (GVariant) target = NULL;
  g_assert_true (g_action_parse_detailed_name (full, &action, &target, NULL));
  settle ();
  g_assert_true (gtk_widget_activate_action_variant (GTK_WIDGET (f->page), action, target));
  settle ();
}

static gboolean
is_enabled (Fixture *f, const char *name)
{
  return g_action_group_get_action_enabled (G_ACTION_GROUP (f->page->actions), name);
}

/* ---- clips ---- */

/* A white bar that wanders over a colour, so that each frame is another. */
static void
paint (guint8 *rgb, int frame)
{
  for (int y = 0; y < HEIGHT; y++)
    for (int x = 0; x < WIDTH; x++)
      {
        guint8 *p = rgb + 3 * (y * WIDTH + x);
        gboolean bar = x / 4 == frame;
        p[0] = bar ? 255 : 40;
        p[1] = bar ? 255 : (guint8) (2 * y);
        p[2] = bar ? 255 : 160;
      }
}

static void
write_film (Fixture *f, const char *name, FilmFormat format)
{
  g_autofree char *path = g_build_filename (f->pictures, name, NULL);
  g_autofree guint8 *rgb = g_malloc (WIDTH * HEIGHT * 3);
  Status status = { 0 };
  const FilmInfo info = { WIDTH, HEIGHT, { RATE, 1 }, N_FRAMES };
  const FilmOptions options = { .format = format,
                                .quality = FILM_HIGH,
                                .recipe = "{\"version\": 4, \"prompt\": \"a boat\"}" };
  FilmWriter *writer = film_writer_new_plain (path, &info, &options, &status);
  for (int i = 0; writer && i < N_FRAMES; i++)
    {
      paint (rgb, i);
      g_assert_true (film_writer_add (writer, rgb, &status));
    }
  g_assert_true (writer && film_writer_finish (writer, &status));
  film_writer_close (writer);
}

/* The last frames are gone, as after a crash of another program. */
static void
write_cut_clip (Fixture *f)
{
  g_autofree char *from = g_build_filename (f->pictures, "boat.gclip", NULL);
  g_autofree char *to = g_build_filename (f->pictures, "cut.gclip", NULL);
  g_autofree char *data = NULL;
  gsize n = 0;
  g_assert_true (g_file_get_contents (from, &data, &n, NULL));
  g_assert_true (g_file_set_contents (to, data, (gssize) (n / 2), NULL));
}

/* ---- fixture ---- */

static gboolean
is_listed (Fixture *f)
{
  gboolean loading, scanning;
  g_object_get (f->page->list, "loading", &loading, NULL);
  g_object_get (f->library, "scanning", &scanning, NULL);
  return !loading && !scanning &&
         g_list_model_get_n_items (G_LIST_MODEL (f->page->list)) == N_PICTURES - 1;
}

static GtkWidget *
cell_at (Fixture *f, int n)
{
  GtkWidget *view = gesso_gallery_grid_get_view (GESSO_GALLERY_GRID (f->page->grid));
  GtkWidget *row = gtk_widget_get_first_child (view);
  for (int i = 0; row && i < n; i++)
    row = gtk_widget_get_next_sibling (row);
  return row ? gtk_widget_get_first_child (row) : NULL;
}

static gboolean
has_thumbnails (Fixture *f)
{
  for (int i = 0; i < N_PICTURES - 1; i++)
    {
      GtkWidget *cell = cell_at (f, i);
      if (!cell || !gesso_gallery_cell_has_thumbnail (GESSO_GALLERY_CELL (cell)))
        return FALSE;
    }
  return TRUE;
}

static void
set_up (Fixture *f, gconstpointer data)
{
  g_autoptr (GError) error = NULL;
  f->dir = g_dir_make_tmp ("gesso-clips-XXXXXX", NULL);
  f->pictures = g_build_filename (f->dir, "pictures", NULL);
  g_assert_cmpint (g_mkdir (f->pictures, 0700), ==, 0);
  write_film (f, "boat.gclip", FILM_CLIP);
  write_film (f, "boat.gif", FILM_GIF);
  write_film (f, "boat.webp", FILM_WEBP);
  write_cut_clip (f);
  g_autofree char *database = g_build_filename (f->dir, "library.db", NULL);
  g_autofree char *cache = g_build_filename (f->dir, "cache", NULL);
  f->library = gesso_library_new (database, cache, NULL, &error);
  g_assert_no_error (error);
  f->page = GESSO_GALLERY_PAGE (gesso_gallery_page_new (NULL, f->library));
  f->bar = gesso_gallery_viewer_get_clip_bar (GESSO_GALLERY_VIEWER (f->page->viewer));
  f->window = adw_window_new ();
  gtk_window_set_default_size (GTK_WINDOW (f->window), 1000, 640);
  adw_window_set_content (ADW_WINDOW (f->window), GTK_WIDGET (f->page));
  gtk_window_present (GTK_WINDOW (f->window));
  gesso_library_add_own_folder (f->library, f->pictures);
  WAIT (f, is_listed);
  WAIT (f, has_thumbnails);
}

static void
delete_tree (const char *path)
{
  g_autoptr (GDir) dir = g_dir_open (path, 0, NULL);
  for (const char *name; dir && (name = g_dir_read_name (dir));)
    {
      g_autofree char *child = g_build_filename (path, name, NULL);
      delete_tree (child);
    }
  g_remove (path);
}

static void
tear_down (Fixture *f, gconstpointer data)
{
  gtk_window_destroy (GTK_WINDOW (f->window));
  settle ();
  gesso_library_close (f->library);
  settle ();
  g_assert_finalize_object (f->library);
  delete_tree (f->dir);
  g_free (f->dir);
  g_free (f->pictures);
}

static void
screenshot (Fixture *f, const char *name)
{
  const char *folder = g_getenv ("GESSO_SCREENSHOTS");
  if (!folder)
    return;
  g_autoptr (GdkPaintable) paintable = gtk_widget_paintable_new (f->window);
  int width = gtk_widget_get_width (f->window), height = gtk_widget_get_height (f->window);
  GskRenderNode *node = NULL;
  while (!node) /* not drawn yet */
    {
      GtkSnapshot *snapshot = gtk_snapshot_new ();
      g_main_context_iteration (NULL, FALSE);
      gdk_paintable_snapshot (paintable, snapshot, width, height);
      node = gtk_snapshot_free_to_node (snapshot);
    }
  g_autoptr (GdkTexture) texture =
      gsk_renderer_render_texture (gtk_native_get_renderer (GTK_NATIVE (f->window)), node,
                                   &GRAPHENE_RECT_INIT (0, 0, width, height));
  gsk_render_node_unref (node);
  g_autofree char *path = g_strdup_printf ("%s/clips-%s.png", folder, name);
  g_assert_true (gdk_texture_save_to_png (texture, path));
}

static guint
position_of (Fixture *f, const char *name)
{
  for (guint i = 0; i < N_PICTURES - 1; i++)
    {
      g_autoptr (GessoPicture) picture = g_list_model_get_item (G_LIST_MODEL (f->page->list), i);
      if (g_str_has_suffix (gesso_picture_get_path (picture), name))
        return i;
    }
  g_assert_not_reached ();
}

/* ---- tests ---- */

/* One that is cut off is no clip, and is not listed. */
static void
test_lists (Fixture *f, gconstpointer data)
{
  for (guint i = 0; i < N_PICTURES - 1; i++)
    {
      g_autoptr (GessoPicture) picture = g_list_model_get_item (G_LIST_MODEL (f->page->list), i);
      g_autofree char *label = gesso_gallery_picture_label (picture, 0);
      g_assert_cmpint (gesso_picture_get_width (picture), ==, WIDTH);
      g_assert_cmpint (gesso_picture_get_height (picture), ==, HEIGHT);
      /* GIF counts in hundredths of a second */
      g_assert_cmpint (ABS (gesso_picture_get_duration (picture) - CLIP_MS), <=, 60);
      g_assert_nonnull (strstr (label, "clip of 1.5 seconds"));
      g_assert_cmpstr (gesso_picture_get_prompt (picture), ==, "a boat");
    }
  screenshot (f, "grid");
}

static gboolean
is_half_way (Fixture *f)
{
  return gesso_clip_bar_get_position (f->bar) >= N_FRAMES / 2;
}

static gboolean
began_again (Fixture *f)
{
  int position = gesso_clip_bar_get_position (f->bar);
  return position >= 0 && position < N_FRAMES / 2;
}

static gboolean
is_second (Fixture *f)
{
  return gesso_clip_bar_get_position (f->bar) == 1;
}

static gboolean
is_last (Fixture *f)
{
  return gesso_clip_bar_get_position (f->bar) == N_FRAMES - 1;
}

/* Is the texture that is drawn that of frame @n? */
static void
assert_frame (Fixture *f, int n)
{
  GessoPictureSlot *slot = gesso_clip_bar_get_slot (f->bar);
  GdkTexture *texture = gesso_picture_slot_get_frame (slot);
  g_autofree guint8 *shown = g_malloc (WIDTH * HEIGHT * 4);
  g_assert_nonnull (texture);
  gdk_texture_download (texture, shown, WIDTH * 4);
  g_assert_cmpint (shown[4 * (4 * n + 1)], >, 250);
  g_assert_cmpint (shown[4 * ((4 * n + 9) % WIDTH) + 1], <, 200);
}

static void
test_plays (Fixture *f, gconstpointer name)
{
  gtk_selection_model_select_item (GTK_SELECTION_MODEL (f->page->selection), position_of (f, name),
                                   TRUE);
  g_assert_false (is_enabled (f, "play"));
  act (f, "open");
  WAIT (f, is_half_way);
  g_assert_true (gesso_clip_bar_get_playing (f->bar));
  screenshot (f, "plays");
  WAIT (f, began_again); /* over and over */
  act (f, "play");
  g_assert_false (gesso_clip_bar_get_playing (f->bar));
  while (gesso_clip_bar_get_position (f->bar) != 1)
    {
      int before = gesso_clip_bar_get_position (f->bar);
      act (f, before > 1 ? "step(-1)" : "step(1)");
      for (gint64 end = g_get_monotonic_time () + deadline_us;
           gesso_clip_bar_get_position (f->bar) == before; g_main_context_iteration (NULL, FALSE))
        g_assert_cmpint (g_get_monotonic_time (), <, end);
    }
  WAIT (f, is_second);
  assert_frame (f, 1);
  act (f, "step(-2)");
  WAIT (f, is_last);
  assert_frame (f, N_FRAMES - 1);
  screenshot (f, "stepped");
  act (f, "back");
  g_assert_false (gesso_clip_bar_has_clip (f->bar));
}

/* Left while it plays, and the window closed while it plays. */
static void
test_closes (Fixture *f, gconstpointer data)
{
  gtk_selection_model_select_item (GTK_SELECTION_MODEL (f->page->selection), 0, TRUE);
  act (f, "open");
  act (f, "next");
  WAIT (f, began_again);
  act (f, "next");
}

static void
test_actions (Fixture *f, gconstpointer data)
{
  gtk_selection_model_select_item (GTK_SELECTION_MODEL (f->page->selection), 0, TRUE);
  settle ();
  g_assert_false (is_enabled (f, "send-to-canvas"));
  g_assert_cmpint (is_enabled (f, "export"), ==, GESSO_VIDEO);
  g_assert_true (is_enabled (f, "extend"));
  gtk_selection_model_select_all (GTK_SELECTION_MODEL (f->page->selection));
  settle ();
  g_assert_false (is_enabled (f, "export"));
  g_assert_false (is_enabled (f, "extend"));
}

int
main (int argc, char **argv)
{
  gtk_test_init (&argc, &argv, NULL);
  adw_init ();
  g_log_set_always_fatal (G_LOG_LEVEL_CRITICAL | G_LOG_LEVEL_ERROR);
  g_test_add ("/clips/lists", Fixture, NULL, set_up, test_lists, tear_down);
  g_test_add ("/clips/plays", Fixture, "boat.gclip", set_up, test_plays, tear_down);
  g_test_add ("/clips/plays-gif", Fixture, "boat.gif", set_up, test_plays, tear_down);
  g_test_add ("/clips/plays-webp", Fixture, "boat.webp", set_up, test_plays, tear_down);
  g_test_add ("/clips/closes-while-it-plays", Fixture, NULL, set_up, test_closes, tear_down);
  g_test_add ("/clips/actions", Fixture, NULL, set_up, test_actions, tear_down);
  return g_test_run ();
}
