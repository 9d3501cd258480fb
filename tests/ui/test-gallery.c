/* SPDX-License-Identifier: MPL-2.0
 * test-gallery.c - the gallery in a real window, with 300 pictures, driven by actions and by keys.
 *
 * Needs a display of its own: tests/ui/xvfb.sh build/tests/ui/test-gallery
 * build/tests/ui/drag-target With GESSO_SCREENSHOTS=FOLDER it leaves a picture of each stage there.
 */
#include <adwaita.h>
#include <glib/gstdio.h>
#include <math.h>
#include <string.h>
#include <unistd.h>
#include <utime.h>

#include "app/gallery/gesso-gallery-cell.h"
#include "app/gallery/gesso-gallery-private.h"
#include "app/gallery/gesso-gallery-text.h"
#include "core/mem.h"
#include "media/png.h"
#include "recipe/recipe.h"

#define WAIT_US (30 * G_USEC_PER_SEC)

enum
{
  TICK_MS = 5,
  N_PICTURES = 300,
  OWN_PICTURE = 3, /* has our recipe; with a model that is not there */
  A1111_PICTURE = 7,
  BROKEN_PICTURE = 11,
  TALL_WIDTH = 96,
  TALL_HEIGHT = 160,
  BIG_SIDE = 1400 /* px; more than two tiles, and a size that halves to odd ones */
};

typedef struct
{
  GtkWidget *window, *page;
  GessoGalleryPage *self; /* the same, for its parts */
  GessoLibrary *library;
  char *dir, *pictures;
  char *recipe, *seed, *canvas;
  guint n_create;
} Fixture;

/* ---- waiting and input ---- */

static void
settle (void)
{
  while (g_main_context_iteration (NULL, FALSE))
    ;
}

static gboolean
tick_cb (gpointer unused)
{
  return G_SOURCE_CONTINUE;
}

/* What comes without an event is looked for at each tick. */
static gboolean
pump_until (gboolean (*done) (Fixture *), Fixture *f)
{
  gint64 end = g_get_monotonic_time () + WAIT_US;
  guint tick = g_timeout_add (TICK_MS, tick_cb, NULL);
  gboolean ok;
  while (!(ok = done (f)) && g_get_monotonic_time () < end)
    g_main_context_iteration (NULL, TRUE);
  g_source_remove (tick);
  settle ();
  return ok;
}

#define WAIT(f, done) g_assert_true (pump_until (done, f))

static void
act (Fixture *f, const char *name)
{
  g_autofree char *full = g_strdup_printf ("gallery.%s", name);
  settle ();
  g_assert_true (gtk_widget_activate_action (f->page, full, NULL));
  settle ();
}

static void
process_done_cb (GObject *source, GAsyncResult *result, gpointer user_data)
{
  g_assert_true (g_subprocess_wait_check_finish (G_SUBPROCESS (source), result, NULL));
  *(gboolean *) user_data = TRUE;
}

/* A shell line with xdotool, while this program goes on handling what it does. */
static void
input (const char *line)
{
  gboolean done = FALSE;
  g_autoptr (GSubprocess) process =
      g_subprocess_new (G_SUBPROCESS_FLAGS_NONE, NULL, "sh", "-ec", line, NULL);
  gint64 end = g_get_monotonic_time () + WAIT_US;
  guint tick = g_timeout_add (TICK_MS, tick_cb, NULL);
  g_assert_nonnull (process);
  g_subprocess_wait_check_async (process, NULL, process_done_cb, &done);
  while (!done)
    {
      g_assert_cmpint (g_get_monotonic_time (), <, end);
      g_main_context_iteration (NULL, TRUE);
    }
  g_source_remove (tick);
  settle ();
}

/* ---- pictures ---- */

static void
paint (Image *image, int n)
{
  for (int y = 0; y < image->height; y++)
    for (int x = 0; x < image->width; x++)
      {
        uint8_t *p = image->rgb + 3 * ((size_t) y * (size_t) image->width + (size_t) x);
        double dx = (double) x / image->width - 0.3 - 0.05 * (n % 9);
        double dy = (double) y / image->height - 0.4;
        double sun = exp (-40 * (dx * dx + dy * dy));
        p[0] = (uint8_t) (60 + 150 * sun + n % 40);
        p[1] = (uint8_t) (80 + 120 * sun + 40.0 * y / image->height);
        p[2] = (uint8_t) (200 - 120.0 * y / image->height - n % 60);
      }
}

static char *drawn_dir;

static char *
picture_path (const char *dir, int n)
{
  g_autofree char *name = g_strdup_printf ("picture-%05d.png", n);
  return g_build_filename (dir, name, NULL);
}

static char *
make_recipe (int n)
{
  Recipe recipe;
  Status status = { 0 };
  recipe_init (&recipe);
  g_autofree char *seed = g_strdup_printf ("%d", 1000 + n);
  g_assert_true (recipe_set (&recipe, "prompt", "a lighthouse in a storm, oil painting", &status));
  g_assert_true (recipe_set (&recipe, "negative_prompt", "blurry", &status));
  g_assert_true (recipe_set (&recipe, "model", "unheard-of-model.safetensors", &status));
  g_assert_true (recipe_set (&recipe, "seed", seed, &status));
  g_assert_true (recipe_set (&recipe, "steps", "27", &status));
  g_assert_true (recipe_set (&recipe, "sampler", "dpmpp_2m", &status));
  g_assert_true (recipe_set (&recipe, "weighting", "a1111", &status));
  g_assert_true (recipe_set (
      &recipe, "adapters", "[{\"name\":\"gouache\",\"weight\":0.75},{\"name\":\"ink\"}]", &status));
  char *json = recipe_to_json (&recipe, &status);
  g_assert_nonnull (json);
  char *copy = g_strdup (json);
  mem_free (json);
  recipe_clear (&recipe);
  return copy;
}

static void
draw_picture (const char *path, int n)
{
  g_autofree char *recipe = make_recipe (n);
  g_autofree char *infotext = g_strdup_printf ("%s\nNegative prompt: ugly\nSteps: 20, Sampler: "
                                               "Euler a, CFG scale: 7, Seed: %d, Size: 512x512",
                                               n == A1111_PICTURE ? "a red fox in the snow"
                                               : n % 2            ? "rolling hills at dawn"
                                                                  : "a quiet harbour",
                                               n);
  PngText text = { "parameters", infotext };
  if (n == OWN_PICTURE)
    text = (PngText){ "gesso", recipe };
  PngOptions options = { .texts = &text, .n_texts = n % 5 == 4 ? 0 : 1 };
  Image image = { n % 3 ? 160 : TALL_WIDTH, n % 3 ? 112 : TALL_HEIGHT, NULL };
  if (n == OWN_PICTURE)
    image.width = image.height = BIG_SIDE + 1;
  image.rgb = g_malloc ((gsize) image.width * (gsize) image.height * 3);
  paint (&image, n);
  Status status = { 0 };
  g_assert_true (png_write_file (path, &image, &options, &status));
  g_free (image.rgb);
}

/* Drawn and compressed once for all tests, which have links to it: making files anew in a file
 * system that has just deleted as many is slow. */
static void
write_picture (Fixture *f, int n, gint64 now_s)
{
  g_autofree char *path = picture_path (f->pictures, n), *drawn = picture_path (drawn_dir, n);
  if (!g_file_test (drawn, G_FILE_TEST_EXISTS))
    draw_picture (drawn, n);
  g_assert_cmpint (link (drawn, path), ==, 0);
  /* the first ones are the newest; forty a day */
  struct utimbuf times = { (time_t) (now_s - 60 * n - 86400 * (n / 40)), 0 };
  times.modtime = times.actime;
  g_assert_cmpint (utime (path, &times), ==, 0);
}

static void
delete_tree (const char *path)
{
  g_autoptr (GDir) dir = g_dir_open (path, 0, NULL);
  const char *name;
  while (dir && (name = g_dir_read_name (dir)))
    {
      g_autofree char *child = g_build_filename (path, name, NULL);
      if (g_file_test (child, G_FILE_TEST_IS_DIR) && !g_file_test (child, G_FILE_TEST_IS_SYMLINK))
        delete_tree (child);
      else
        g_unlink (child);
    }
  g_rmdir (path);
}

/* ---- fixture ---- */

static guint
n_listed (Fixture *f)
{
  return g_list_model_get_n_items (G_LIST_MODEL (f->self->list));
}

static gboolean
is_loaded (Fixture *f)
{
  gboolean loading, scanning;
  g_object_get (f->self->list, "loading", &loading, NULL);
  g_object_get (f->library, "scanning", &scanning, NULL);
  return !loading && !scanning;
}

static gboolean
has_all (Fixture *f)
{
  return is_loaded (f) && n_listed (f) == N_PICTURES;
}

static gboolean
has_thumbnail (Fixture *f)
{
  GtkWidget *view = gesso_gallery_grid_get_view (GESSO_GALLERY_GRID (f->self->grid));
  GtkWidget *row = gtk_widget_get_first_child (view);
  GtkWidget *cell = row ? gtk_widget_get_first_child (row) : NULL;
  return cell && gesso_gallery_cell_has_thumbnail (GESSO_GALLERY_CELL (cell));
}

static void
text_cb (GtkWidget *page, const char *text, gpointer user_data)
{
  char **to = user_data;
  g_free (*to);
  *to = g_strdup (text);
}

static void
create_cb (GtkWidget *page, gpointer user_data)
{
  ((Fixture *) user_data)->n_create++;
}

static void
open_window (Fixture *f)
{
  g_autoptr (GError) error = NULL;
  g_autofree char *database = g_build_filename (f->dir, "library.db", NULL);
  g_autofree char *cache = g_build_filename (f->dir, "cache", NULL);
  f->library = gesso_library_new (database, cache, NULL, &error);
  g_assert_no_error (error);
  f->page = gesso_gallery_page_new (NULL, f->library);
  f->self = GESSO_GALLERY_PAGE (f->page);
  g_signal_connect (f->page, "use-recipe", G_CALLBACK (text_cb), &f->recipe);
  g_signal_connect (f->page, "use-seed", G_CALLBACK (text_cb), &f->seed);
  g_signal_connect (f->page, "send-to-canvas", G_CALLBACK (text_cb), &f->canvas);
  g_signal_connect (f->page, "go-to-create", G_CALLBACK (create_cb), f);
  f->window = adw_window_new ();
  gtk_window_set_default_size (GTK_WINDOW (f->window), 1200, 760);
  adw_window_set_content (ADW_WINDOW (f->window), f->page);
  gtk_window_present (GTK_WINDOW (f->window));
}

static void
set_up_empty (Fixture *f, gconstpointer data)
{
  f->dir = g_dir_make_tmp ("gesso-gallery-XXXXXX", NULL);
  f->pictures = g_build_filename (f->dir, "pictures", NULL);
  g_assert_cmpint (g_mkdir (f->pictures, 0700), ==, 0);
  open_window (f);
}

static void
set_up (Fixture *f, gconstpointer data)
{
  gint64 now_s = g_get_real_time () / G_USEC_PER_SEC;
  set_up_empty (f, data);
  for (int i = 0; i < N_PICTURES; i++)
    write_picture (f, i, now_s);
  gesso_library_add_own_folder (f->library, f->pictures);
  WAIT (f, has_all);
  WAIT (f, has_thumbnail);
}

/* What threads still decode holds on to it until they are through. */
static gboolean
is_ours_alone (Fixture *f)
{
  return G_OBJECT (f->library)->ref_count == 1;
}

static void
tear_down (Fixture *f, gconstpointer data)
{
  gtk_window_destroy (GTK_WINDOW (f->window));
  settle ();
  gesso_library_close (f->library);
  WAIT (f, is_ours_alone);
  g_assert_finalize_object (f->library);
  delete_tree (f->dir);
  g_free (f->dir);
  g_free (f->pictures);
  g_free (f->recipe);
  g_free (f->seed);
  g_free (f->canvas);
}

static void
screenshot (Fixture *f, const char *name)
{
  const char *folder = g_getenv ("GESSO_SCREENSHOTS");
  if (!folder)
    return;
  for (int i = 0; i < 40; i++) /* only for the eye: let what is on its way arrive */
    {
      settle ();
      g_usleep (5000);
    }
  int width = gtk_widget_get_width (f->window), height = gtk_widget_get_height (f->window);
  g_autoptr (GdkPaintable) paintable = gtk_widget_paintable_new (f->window);
  GtkSnapshot *snapshot = gtk_snapshot_new ();
  gdk_paintable_snapshot (paintable, snapshot, width, height);
  GskRenderNode *node = gtk_snapshot_free_to_node (snapshot);
  g_autoptr (GdkTexture) texture =
      gsk_renderer_render_texture (gtk_native_get_renderer (GTK_NATIVE (f->window)), node,
                                   &GRAPHENE_RECT_INIT (0, 0, width, height));
  gsk_render_node_unref (node);
  g_autofree char *file = g_strdup_printf ("gallery-%s.png", name);
  g_autofree char *path = g_build_filename (folder, file, NULL);
  g_assert_true (gdk_texture_save_to_png (texture, path));
}

static GtkSelectionModel *
selection (Fixture *f)
{
  return GTK_SELECTION_MODEL (f->self->selection);
}

static void
pick (Fixture *f, guint position, gboolean alone)
{
  gtk_selection_model_select_item (selection (f), position, alone);
  settle ();
}

static GessoPicture *
at (Fixture *f, guint position)
{
  g_autoptr (GessoPicture) picture = g_list_model_get_item (G_LIST_MODEL (f->self->list), position);
  return picture; /* the list keeps it */
}

static char *details_wanted;

static gboolean
details_say (Fixture *f)
{
  g_autofree char *text = gesso_gallery_details_dup_text (GESSO_GALLERY_DETAILS (f->self->details));
  return text && strstr (text, details_wanted);
}

/* ---- tests ---- */

static void
test_gallery_empty (Fixture *f, gconstpointer data)
{
  WAIT (f, is_loaded);
  screenshot (f, "empty");
  act (f, "go-to-create");
  g_assert_cmpuint (f->n_create, ==, 1);
  act (f, "quick-look"); /* with nothing there */
  act (f, "trash");
  act (f, "compare");
  g_assert_cmpint (gesso_gallery_get_mode (f->self), ==, GESSO_GALLERY_BROWSE);
}

static gboolean
is_lighthouse_only (Fixture *f)
{
  return is_loaded (f) && n_listed (f) == 1;
}

static gboolean
is_none (Fixture *f)
{
  return is_loaded (f) && n_listed (f) == 0;
}

static void
test_gallery_search (Fixture *f, gconstpointer data)
{
  screenshot (f, "grid");
  act (f, "search");
  input ("xdotool type --delay 15 'lightho storm'");
  WAIT (f, is_lighthouse_only);
  g_assert_cmpstr (gesso_picture_get_prompt (at (f, 0)), ==,
                   "a lighthouse in a storm, oil painting");
  input ("xdotool type ' nowhere'");
  WAIT (f, is_none);
  screenshot (f, "no-results");
  act (f, "clear-search");
  WAIT (f, has_all);
}

static gboolean
is_two (Fixture *f)
{
  return is_loaded (f) && n_listed (f) == 2;
}

static gboolean
are_starred (Fixture *f)
{
  return gesso_picture_get_starred (at (f, 2)) && gesso_picture_get_starred (at (f, 5));
}

static gboolean
is_first_starred (Fixture *f)
{
  return gesso_picture_get_starred (at (f, 0));
}

static void
test_gallery_stars (Fixture *f, gconstpointer data)
{
  pick (f, 2, TRUE);
  pick (f, 5, FALSE);
  act (f, "star");
  WAIT (f, are_starred);
  screenshot (f, "selected");
  g_action_group_change_action_state (G_ACTION_GROUP (f->self->actions), "starred-only",
                                      g_variant_new_boolean (TRUE));
  WAIT (f, is_two);
  screenshot (f, "starred");
  act (f, "select-all");
  act (f, "star"); /* all have one: takes them away */
  WAIT (f, is_none);
  screenshot (f, "no-stars");
  act (f, "show-all");
  WAIT (f, has_all);
}

static gboolean
is_three_less (Fixture *f)
{
  return is_loaded (f) && n_listed (f) == N_PICTURES - 3;
}

static gboolean
can_undo (Fixture *f)
{
  return f->self->n_undo > 0;
}

static void
test_gallery_trash_and_undo (Fixture *f, gconstpointer data)
{
  g_autofree char *path = g_strdup (gesso_picture_get_path (at (f, 4)));
  pick (f, 4, TRUE);
  pick (f, 5, FALSE);
  pick (f, 6, FALSE);
  g_assert_true (g_file_test (path, G_FILE_TEST_EXISTS));
  act (f, "trash");
  WAIT (f, is_three_less);
  WAIT (f, can_undo);
  g_assert_false (g_file_test (path, G_FILE_TEST_EXISTS));
  g_assert_true (
      gtk_selection_model_is_selected (selection (f), 4)); /* the next one: press again */
  screenshot (f, "undo");
  act (f, "undo");
  WAIT (f, has_all);
  g_assert_true (g_file_test (path, G_FILE_TEST_EXISTS));
  g_assert_cmpstr (gesso_picture_get_path (at (f, 4)), ==, path);
}

static void
test_gallery_details (Fixture *f, gconstpointer data)
{
  pick (f, OWN_PICTURE, TRUE);
  details_wanted = "Prompt: a lighthouse in a storm, oil painting";
  WAIT (f, details_say);
  g_autofree char *text = gesso_gallery_details_dup_text (GESSO_GALLERY_DETAILS (f->self->details));
  g_assert_nonnull (strstr (text, "Made with Gesso"));
  g_assert_nonnull (strstr (text, "Negative prompt: blurry"));
  g_assert_nonnull (strstr (text, "Seed: 1003"));
  g_assert_nonnull (strstr (text, "Steps: 27"));
  g_assert_nonnull (strstr (text, "Sampler: DPM++ 2M"));
  g_assert_nonnull (strstr (text, "Prompt weighting: A1111"));
  g_assert_nonnull (strstr (text, "Adapters: gouache 0.75, ink 1"));
  g_assert_nonnull (strstr (text, "! ")); /* the model is missed */
  g_assert_nonnull (strstr (text, "unheard-of-model"));
  screenshot (f, "details");
  pick (f, A1111_PICTURE, TRUE);
  details_wanted = "Prompt: a red fox in the snow";
  WAIT (f, details_say);
  pick (f, 4, TRUE);
  details_wanted = "does not say how it was made";
  WAIT (f, details_say);
  screenshot (f, "details-none");
}

static gboolean
got_recipe (Fixture *f)
{
  return f->recipe != NULL;
}

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
viewer_is_complete (Fixture *f)
{
  return gesso_gallery_viewer_is_complete (GESSO_GALLERY_VIEWER (f->self->viewer));
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
  g_autofree char *drawn = picture_path (drawn_dir, BROKEN_PICTURE);
  g_autofree char *bytes = NULL;
  gsize n;
  g_assert_true (g_file_get_contents (path, &bytes, &n, NULL));
  /* the header stays, so that it is still listed */
  FILE *file = g_fopen (path, "wb");
  g_assert_nonnull (file);
  g_assert_cmpuint (fwrite (bytes, 1, n / 2, file), ==, n / 2);
  fclose (file);
  g_unlink (drawn); /* the same file */
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
is_viewing (Fixture *f)
{
  return gesso_gallery_get_mode (f->self) == GESSO_GALLERY_VIEW;
}

static gboolean
is_browsing (Fixture *f)
{
  return gesso_gallery_get_mode (f->self) == GESSO_GALLERY_BROWSE;
}

static gboolean
is_first_selected (Fixture *f)
{
  return gtk_selection_model_is_selected (selection (f), 0);
}

/* The keyboard is with a picture of the grid. */
static gboolean
has_keyboard (Fixture *f)
{
  GtkWidget *focus = gtk_root_get_focus (GTK_ROOT (f->window));
  GtkWidget *view = gesso_gallery_grid_get_view (GESSO_GALLERY_GRID (f->self->grid));
  return focus && gtk_widget_get_parent (focus) == view;
}

/* Without results Escape cleared the field and stayed in it: the next letter was searched for. */
static void
test_gallery_escape_leaves_empty_search (Fixture *f, gconstpointer data)
{
  gesso_gallery_page_focus_search (f->self);
  input ("xdotool type --delay 15 'nowhere'");
  WAIT (f, is_none);
  input ("xdotool key Escape");
  WAIT (f, has_all);
  WAIT (f, has_keyboard);
}

/* From the search to stars, a quick look, the recipe and the trash. */
static void
test_gallery_by_keyboard (Fixture *f, gconstpointer data)
{
  gesso_gallery_page_focus_search (f->self);
  input ("xdotool type --delay 15 lighthouse");
  WAIT (f, is_lighthouse_only);
  input ("xdotool key Down");
  WAIT (f, has_keyboard);
  WAIT (f, is_first_selected); /* the details show it without another key */
  gtk_selection_model_unselect_all (selection (f));
  input ("xdotool key ctrl+a");
  WAIT (f, is_first_selected);
  input ("xdotool key s");
  WAIT (f, is_first_starred);
  input ("xdotool key space");
  WAIT (f, is_viewing);
  input ("xdotool key space");
  WAIT (f, is_browsing);
  WAIT (f, has_keyboard);
  input ("xdotool key Return");
  WAIT (f, is_viewing);
  input ("xdotool key u");
  WAIT (f, got_recipe);
  input ("xdotool key Escape");
  WAIT (f, is_browsing);
  WAIT (f, has_keyboard);
  input ("xdotool key Delete");
  WAIT (f, is_none);
  WAIT (f, can_undo);
  input ("xdotool key ctrl+z");
  WAIT (f, is_lighthouse_only);
  WAIT (f, is_first_starred);
  input ("xdotool key ctrl+f");
  input ("xdotool key Escape");
  WAIT (f, has_all);
}

static gboolean
is_250_focused (Fixture *f)
{
  GtkWidget *focus = gtk_root_get_focus (GTK_ROOT (f->window));
  GtkWidget *cell = focus ? gtk_widget_get_first_child (focus) : NULL;
  return cell && GESSO_IS_GALLERY_CELL (cell) &&
         gesso_gallery_cell_get_picture (GESSO_GALLERY_CELL (cell)) == at (f, 250);
}

static gboolean
has_menu (Fixture *f)
{
  GtkWidget *child = gtk_widget_get_last_child (f->self->grid);
  return GTK_IS_POPOVER (child) && gtk_widget_get_mapped (child);
}

static gboolean
has_no_menu (Fixture *f)
{
  return !has_menu (f);
}

static void
test_gallery_keys_select_and_open (Fixture *f, gconstpointer data)
{
  GessoGalleryViewer *viewer = GESSO_GALLERY_VIEWER (f->self->viewer);
  gesso_gallery_select_position (f->self, 0);
  WAIT (f, has_keyboard);
  input ("xdotool key Right Right");
  g_assert_true (gtk_selection_model_is_selected (selection (f), 2));
  input ("xdotool key shift+Right x");
  g_assert_cmpint (gesso_gallery_get_mode (f->self), ==, GESSO_GALLERY_COMPARE);
  input ("xdotool key Escape");
  WAIT (f, is_browsing);
  WAIT (f, has_keyboard);
  gesso_gallery_select_position (f->self, 250); /* far beyond what has widgets now */
  WAIT (f, is_250_focused);
  input ("xdotool key Return");
  WAIT (f, is_viewing);
  g_assert_true (gesso_gallery_viewer_get_picture (viewer, 0) == at (f, 250));
  input ("xdotool key Left");
  g_assert_true (gesso_gallery_viewer_get_picture (viewer, 0) == at (f, 249));
  input ("xdotool key Escape");
  WAIT (f, is_browsing);
  WAIT (f, has_keyboard);
  input ("xdotool key plus plus minus");
  input ("xdotool key shift+F10");
  WAIT (f, has_menu);
  if (g_getenv ("GESSO_SCREENSHOTS")) /* a menu is a surface of its own */
    input ("sleep 0.3; import -window root $GESSO_SCREENSHOTS/gallery-menu.png");
  input ("xdotool key Escape");
  WAIT (f, has_no_menu);
}

static char *dropped;

static gboolean
is_dropped (Fixture *f)
{
  return dropped != NULL;
}

static gboolean
drop_cb (GtkDropTarget *target, const GValue *value, double x, double y, gpointer user_data)
{
  g_autoptr (GSList) files = gdk_file_list_get_files (g_value_get_boxed (value));
  g_assert_cmpuint (g_slist_length (files), ==, 2);
  dropped = g_file_get_path (files->data);
  return TRUE;
}

static void
test_gallery_drags_files (Fixture *f, gconstpointer data)
{
  GtkDropTarget *target = gtk_drop_target_new (GDK_TYPE_FILE_LIST, GDK_ACTION_COPY);
  g_signal_connect (target, "drop", G_CALLBACK (drop_cb), NULL);
  gtk_widget_add_controller (f->self->details, GTK_EVENT_CONTROLLER (target));
  g_clear_pointer (&dropped, g_free);
  pick (f, 0, TRUE);
  pick (f, 1, FALSE);
  input ("xdotool mousemove 90 150 mousedown 1 && sleep 0.15 && for x in 110 200 400 600 800 950 "
         "1000 1010; do "
         "xdotool mousemove $x 300 && sleep 0.05; done && sleep 0.1 && xdotool mouseup 1");
  WAIT (f, is_dropped);
  g_assert_cmpstr (dropped, ==, gesso_picture_get_path (at (f, 0)));
  g_clear_pointer (&dropped, g_free);
}

static void
test_gallery_labels (Fixture *f, gconstpointer data)
{
  g_autofree char *label =
      gesso_gallery_picture_label (at (f, OWN_PICTURE), g_get_real_time () / G_USEC_PER_SEC);
  g_assert_true (g_str_has_prefix (label, "a lighthouse in a storm, oil painting, "));
  const gint64 day = 86400, now = 1700000000;
  g_autofree char *today = gesso_gallery_day_text (now, now);
  g_autofree char *yesterday = gesso_gallery_day_text (now - day, now);
  g_autofree char *long_ago = gesso_gallery_day_text (now - 400 * day, now);
  g_assert_cmpstr (today, ==, "Today");
  g_assert_cmpstr (yesterday, ==, "Yesterday");
  g_assert_nonnull (strstr (long_ago, "2022"));
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

static int
row_height (Fixture *f)
{
  return gtk_widget_get_height (gtk_widget_get_first_child (
      gesso_gallery_grid_get_view (GESSO_GALLERY_GRID (f->self->grid))));
}

static int height_before;

static gboolean
is_larger (Fixture *f)
{
  return row_height (f) > height_before;
}

static void
test_gallery_click_and_wheel (Fixture *f, gconstpointer data)
{
  input ("xdotool mousemove 90 150 click 1");
  WAIT (f, is_first_selected);
  height_before = row_height (f);
  input ("xdotool keydown ctrl click 4 keyup ctrl");
  WAIT (f, is_larger);
  screenshot (f, "large");
  input ("xdotool mousemove 90 150 click --repeat 2 --delay 60 1");
  WAIT (f, is_viewing);
  WAIT (f, viewer_is_complete);
  GessoPictureView *view = gesso_gallery_viewer_get_view (GESSO_GALLERY_VIEWER (f->self->viewer));
  double fit = gesso_picture_view_get_zoom (view);
  input ("xdotool mousemove 300 300 click 4 click 4");
  g_assert_cmpfloat_with_epsilon (gesso_picture_view_get_zoom (view), fit * 1.44, 0.01 * fit);
}

static void
check_labels (GtkWidget *widget)
{
  gboolean named =
      gtk_test_accessible_has_property (GTK_ACCESSIBLE (widget), GTK_ACCESSIBLE_PROPERTY_LABEL);
  gboolean icon = GTK_IS_BUTTON (widget) && gtk_button_get_icon_name (GTK_BUTTON (widget));
  if (icon && !named && !gtk_widget_get_tooltip_text (widget))
    g_error ("a button with the icon %s has no label",
             gtk_button_get_icon_name (GTK_BUTTON (widget)));
  if (GESSO_IS_GALLERY_CELL (widget) &&
      gesso_gallery_cell_get_picture (GESSO_GALLERY_CELL (widget)))
    g_assert_true (named);
  for (GtkWidget *c = gtk_widget_get_first_child (widget); c; c = gtk_widget_get_next_sibling (c))
    check_labels (c);
}

static void
test_gallery_everything_is_labelled (Fixture *f, gconstpointer data)
{
  pick (f, OWN_PICTURE, TRUE);
  details_wanted = "lighthouse";
  WAIT (f, details_say);
  check_labels (f->page);
}

static gboolean
is_narrow (Fixture *f)
{
  return f->self->narrow;
}

static int
minimum_width (GtkWidget *widget)
{
  int minimum;
  gtk_widget_measure (widget, GTK_ORIENTATION_HORIZONTAL, -1, &minimum, NULL, NULL, NULL);
  return minimum;
}

/* For the eye, but for the width: what is too wide would be cut off. */
static void
test_gallery_looks (Fixture *f, gconstpointer data)
{
  pick (f, OWN_PICTURE, TRUE);
  adw_style_manager_set_color_scheme (adw_style_manager_get_default (),
                                      ADW_COLOR_SCHEME_FORCE_DARK);
  details_wanted = "lighthouse";
  WAIT (f, details_say);
  screenshot (f, "dark");
  gtk_window_set_default_size (GTK_WINDOW (f->window), 560, 760);
  WAIT (f, is_narrow);
  g_test_message ("at least %d px wide: grid %d, details %d", minimum_width (f->page),
                  minimum_width (f->self->grid), minimum_width (f->self->details));
  g_assert_cmpint (minimum_width (f->page), <=, 460);
  gtk_window_set_default_size (GTK_WINDOW (f->window), 560, 760);
  screenshot (f, "narrow");
  adw_style_manager_set_color_scheme (adw_style_manager_get_default (), ADW_COLOR_SCHEME_DEFAULT);
}

/* Rubbish in the search field is words that nothing has, or no words. */
static void
test_gallery_hostile_search (Fixture *f, gconstpointer data)
{
  static const char *const texts[] = { "\"",   "*) OR (", "NEAR(a b", "prompt:x AND",
                                       "';--", "日本 \\", "^",        "-" };
  for (gsize i = 0; i < G_N_ELEMENTS (texts); i++)
    {
      gesso_picture_list_set_search (f->self->list, texts[i]);
      WAIT (f, is_loaded);
    }
  act (f, "clear-search");
  WAIT (f, has_all);
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
  gtk_test_init (&argc, &argv, NULL);
  adw_init ();
  g_log_set_always_fatal (G_LOG_LEVEL_CRITICAL | G_LOG_LEVEL_ERROR);
  drawn_dir = g_dir_make_tmp ("gesso-gallery-XXXXXX", NULL);
#define TEST(path, name)                                                                           \
  g_test_add ("/gallery/" path, Fixture, NULL, set_up, test_gallery_##name, tear_down)
  g_test_add ("/gallery/empty/invites", Fixture, NULL, set_up_empty, test_gallery_empty, tear_down);
  TEST ("search/while-typing", search);
  TEST ("stars/and-filter", stars);
  TEST ("trash/and-undo", trash_and_undo);
  TEST ("details/show-recipe", details);
  TEST ("recipe/use-and-seed", uses);
  TEST ("viewer/zoom-and-step", viewer);
  TEST ("viewer/goes-on-after-trash", viewer_goes_on_after_trash);
  TEST ("viewer/damaged-picture", damaged_picture);
  TEST ("viewer/new-picture", shows_new_picture);
  TEST ("compare/divider-and-swap", compare);
  TEST ("keyboard/alone", by_keyboard);
  TEST ("keyboard/escape-leaves-empty-search", escape_leaves_empty_search);
  TEST ("keyboard/select-and-open", keys_select_and_open);
  TEST ("drag/two-files", drags_files);
  TEST ("labels/prompt-and-date", labels);
  TEST ("labels/everything", everything_is_labelled);
  TEST ("mouse/click-and-wheel", click_and_wheel);
  TEST ("search/hostile", hostile_search);
  TEST ("looks/dark-and-narrow", looks);
  TEST ("closing/while-busy", closes_while_busy);
#undef TEST
  int result = g_test_run ();
  delete_tree (drawn_dir);
  g_free (drawn_dir);
  return result;
}
