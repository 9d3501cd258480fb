/* SPDX-License-Identifier: MPL-2.0 */
#include "gallery-fixture.h"

#include <glib/gstdio.h>
#include <math.h>
#include <unistd.h>
#include <utime.h>

#include "app/gallery/gesso-gallery-cell.h"
#include "core/mem.h"
#include "media/png.h"
#include "recipe/recipe.h"

#define WAIT_US (30 * G_USEC_PER_SEC)

enum
{
  TICK_MS = 5,
  TALL_WIDTH = 96,
  TALL_HEIGHT = 160,
  BIG_SIDE = 1400 /* px; more than two tiles, and a size that halves to odd ones */
};

/* ---- waiting and input ---- */

void
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
gboolean
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

void
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

void
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

char *
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
void
write_picture (Fixture *f, int n, gint64 now_s)
{
  g_autofree char *path = picture_path (f->pictures, n), *drawn = picture_path (drawn_dir, n);
  if (!g_file_test (drawn, G_FILE_TEST_EXISTS))
    draw_picture (drawn, n);
  g_assert_cmpint (link (drawn, path), ==, 0);
  struct utimbuf times = { (time_t) (now_s - 60 * n - 86400 * (n / 40)), 0 };
  times.modtime = times.actime;
  g_assert_cmpint (utime (path, &times), ==, 0);
}

void
cut_picture (Fixture *f, int n)
{
  g_autofree char *path = picture_path (f->pictures, n), *drawn = picture_path (drawn_dir, n);
  g_autofree char *bytes = NULL;
  gsize size;
  g_assert_true (g_file_get_contents (path, &bytes, &size, NULL));
  FILE *file = g_fopen (path, "wb");
  g_assert_nonnull (file);
  g_assert_cmpuint (fwrite (bytes, 1, size / 2, file), ==, size / 2);
  fclose (file);
  g_unlink (drawn); /* the same file */
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

guint
n_listed (Fixture *f)
{
  return g_list_model_get_n_items (G_LIST_MODEL (f->self->list));
}

gboolean
is_loaded (Fixture *f)
{
  gboolean loading, scanning;
  g_object_get (f->self->list, "loading", &loading, NULL);
  g_object_get (f->library, "scanning", &scanning, NULL);
  return !loading && !scanning;
}

gboolean
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

gboolean
can_undo (Fixture *f)
{
  return f->self->n_undo > 0;
}

gboolean
got_recipe (Fixture *f)
{
  return f->recipe != NULL;
}

gboolean
viewer_is_complete (Fixture *f)
{
  return gesso_gallery_viewer_is_complete (GESSO_GALLERY_VIEWER (f->self->viewer));
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

void
set_up_empty (Fixture *f, gconstpointer unused)
{
  f->dir = g_dir_make_tmp ("gesso-gallery-XXXXXX", NULL);
  f->pictures = g_build_filename (f->dir, "pictures", NULL);
  g_assert_cmpint (g_mkdir (f->pictures, 0700), ==, 0);
  open_window (f);
}

void
set_up (Fixture *f, gconstpointer unused)
{
  gint64 now_s = g_get_real_time () / G_USEC_PER_SEC;
  set_up_empty (f, unused);
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

void
tear_down (Fixture *f, gconstpointer unused)
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

void
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

GtkSelectionModel *
selection (Fixture *f)
{
  return GTK_SELECTION_MODEL (f->self->selection);
}

void
pick (Fixture *f, guint position, gboolean alone)
{
  gtk_selection_model_select_item (selection (f), position, alone);
  settle ();
}

GessoPicture *
at (Fixture *f, guint position)
{
  g_autoptr (GessoPicture) picture = g_list_model_get_item (G_LIST_MODEL (f->self->list), position);
  return picture;
}

void
init_tests (int *argc, char ***argv)
{
  gtk_test_init (argc, argv, NULL);
  adw_init ();
  g_log_set_always_fatal (G_LOG_LEVEL_CRITICAL | G_LOG_LEVEL_ERROR);
  drawn_dir = g_dir_make_tmp ("gesso-gallery-XXXXXX", NULL);
}

int
run_tests (void)
{
  int result = g_test_run ();
  delete_tree (drawn_dir);
  g_free (drawn_dir);
  return result;
}
