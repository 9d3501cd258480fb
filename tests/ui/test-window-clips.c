/* SPDX-License-Identifier: MPL-2.0
 * test-window-clips.c - with a video model the window animates: button, parameters, clips that are
 * made, kept and shown.
 *
 * Alone: tests/ui/xvfb.sh build/tests/ui/test-window-clips, with GESSO_DATA, GESSO_SOURCE and
 * GESSO_TEST_WORKER set.
 */
#include <string.h>

#include "app/gesso-parameter-list.h"
#include "app/gesso-parameter-row.h"
#include "media/clip.h"
#include "media/frames.h"
#include "media/png.h"
#include "window-fixture.h"

enum
{
  N_FRAMES = 9,
  FIRST_GREY = 50,
  LAST_GREY = 200
};

static char *model; /* of the test that runs */

static void
set (Fixture *f, const char *key, const char *text)
{
  g_autoptr (GError) error = NULL;
  gesso_form_set_text (f->form, key, text, &error);
  g_assert_no_error (error);
}

static const char *
label (Fixture *f)
{
  return gesso_generate_bar_get_label (gesso_create_page_get_generate_bar (f->page));
}

static gboolean
animates (Fixture *f)
{
  return g_str_equal (label (f), "Animate");
}

static gboolean
generates (Fixture *f)
{
  return g_str_equal (label (f), "Generate");
}

static GtkWidget *
find (GtkWidget *widget, GType type)
{
  if (g_type_is_a (G_OBJECT_TYPE (widget), type))
    return widget;
  for (GtkWidget *child = gtk_widget_get_first_child (widget); child;
       child = gtk_widget_get_next_sibling (child))
    {
      GtkWidget *found = find (child, type);
      if (found)
        return found;
    }
  return NULL;
}

static gboolean
row_is_shown (Fixture *f, const char *key)
{
  GtkWidget *list = find (GTK_WIDGET (f->window), GESSO_TYPE_PARAMETER_LIST);
  return gtk_widget_get_visible (gesso_parameter_list_get_row (GESSO_PARAMETER_LIST (list), key));
}

/* The small Wan of the golden tests, in a folder of models that the user named. */
static void
choose_video_model (Fixture *f, const char *name)
{
  const char *source = g_getenv ("GESSO_SOURCE");
  g_autofree char *from =
      g_build_filename (source ? source : ".", "tests/golden/fixtures", name, NULL);
  g_autofree char *folder = g_build_filename (f->dir, "models", NULL);
  g_autofree char *line =
      g_strdup_printf ("mkdir -p '%s' && cp -rL '%s' '%s/'", folder, from, folder);
  const char *argv[] = { "sh", "-c", line, NULL };
  int status;
  g_assert_true (g_spawn_sync (NULL, (char **) argv, NULL, G_SPAWN_SEARCH_PATH, NULL, NULL, NULL,
                               NULL, &status, NULL));
  g_assert_cmpint (status, ==, 0);
  model = g_build_filename (folder, name, NULL);
  gesso_library_add_folder (gesso_window_get_library (f->window), folder);
  set (f, "model", model);
  WAIT (f, animates);
}

static void
test_button_and_rows (Fixture *f, gconstpointer unused)
{
  WAIT (f, planned);
  WAIT (f, generates);
  g_assert_false (row_is_shown (f, "frames"));
  g_autofree char *shipped = gesso_form_dup_text (f->form, "model");
  choose_video_model (f, "wan-tiny");
  g_assert_true (row_is_shown (f, "frames"));
  g_assert_true (row_is_shown (f, "fps"));
  g_assert_true (row_is_shown (f, "first_frame"));
  g_assert_true (row_is_shown (f, "last_frame"));
  set (f, "model", shipped);
  WAIT (f, generates);
  g_assert_false (row_is_shown (f, "frames"));
  g_free (model);
}

static char *
result_path (Fixture *f)
{
  GessoStage *stage = gesso_create_page_get_stage (f->page);
  GessoFilmstrip *strip = gesso_stage_get_filmstrip (stage);
  GessoResult *result = gesso_filmstrip_get_selected (strip);
  return result ? g_strdup (gesso_result_get_path (result)) : NULL;
}

static GessoPictureList *listed; /* what the gallery shows */

static gboolean
is_listed_as_clip (Fixture *f)
{
  if (g_list_model_get_n_items (G_LIST_MODEL (listed)) == 0)
    return FALSE;
  g_autoptr (GessoPicture) picture = g_list_model_get_item (G_LIST_MODEL (listed), 0);
  return gesso_picture_get_duration (picture) > 0;
}

/* From the button to a file with all frames, in the filmstrip and in the gallery's list. */
static void
test_makes_a_clip (Fixture *f, gconstpointer unused)
{
  FilmInfo info;
  Image first = { 0 };
  Status status = { 0 };
  choose_video_model (f, "wan-tiny");
  set (f, "frames", "9");
  set (f, "fps", "12");
  set (f, "width", "32");
  set (f, "height", "32");
  set (f, "steps", "3");
  WAIT (f, allowed);
  act (f, "win.generate");
  WAIT (f, has_one_picture);
  WAIT (f, has_result);
  g_autofree char *path = result_path (f);
  g_assert_nonnull (path);
  g_assert_true (g_str_has_suffix (path, ".gclip"));
  g_assert_true (frames_read_picture (&first, path, &info, &status));
  g_assert_cmpint (info.n_frames, ==, N_FRAMES);
  g_assert_cmpint (info.rate.num, ==, 12);
  image_clear (&first);
  listed = gesso_picture_list_new (gesso_window_get_library (f->window));
  WAIT (f, is_listed_as_clip);
  g_clear_object (&listed);
  g_free (model);
}

/* ---- going on from a clip ---- */

static GtkWidget *
row_of (Fixture *f, const char *key)
{
  GtkWidget *list = find (GTK_WIDGET (f->window), GESSO_TYPE_PARAMETER_LIST);
  return gesso_parameter_list_get_row (GESSO_PARAMETER_LIST (list), key);
}

static char *
value (Fixture *f, const char *key)
{
  return gesso_form_dup_text (f->form, key);
}

static gboolean
extends (Fixture *f)
{
  return g_str_equal (label (f), "Extend");
}

static int
n_frames_of (const char *path)
{
  FilmInfo info;
  Image first = { 0 };
  Status status = { 0 };
  g_assert_true (frames_read_picture (&first, path, &info, &status));
  image_clear (&first);
  return info.n_frames;
}

static void
make_clip (Fixture *f)
{
  choose_video_model (f, "wan-tiny");
  set (f, "frames", "9");
  set (f, "fps", "12");
  set (f, "width", "32");
  set (f, "height", "32");
  set (f, "steps", "3");
  WAIT (f, allowed);
  act (f, "win.generate");
  WAIT (f, has_one_picture);
  WAIT (f, has_result);
}

static GessoFilmstrip *
strip_of (Fixture *f)
{
  return gesso_stage_get_filmstrip (gesso_create_page_get_stage (f->page));
}

/* The live tile, which has no file, is gone. */
static gboolean
has_two_results (Fixture *f)
{
  GListModel *results = gesso_filmstrip_get_model (strip_of (f));
  g_autoptr (GessoResult) newest = g_list_model_get_item (results, 0);
  return g_list_model_get_n_items (results) == 2 && gesso_result_get_path (newest);
}

/* Of the filmstrip's button: the clip is what comes before, and the result has its frames, too. */
static void
test_extends_a_clip (Fixture *f, gconstpointer unused)
{
  make_clip (f);
  g_autofree char *first = result_path (f);
  g_assert_false (g_str_equal (label (f), "Extend"));
  gtk_widget_activate_action (GTK_WIDGET (strip_of (f)), "filmstrip.extend", NULL);
  WAIT (f, extends);
  g_autofree char *set_to = value (f, "extend"), *width = value (f, "width"),
                  *fps = value (f, "fps");
  g_assert_cmpstr (set_to, ==, first);
  g_assert_cmpstr (width, ==, "0");
  g_assert_cmpstr (fps, ==, "0");
  g_assert_true (gtk_widget_get_visible (row_of (f, "extend")));
  WAIT (f, allowed);
  act (f, "win.generate");
  WAIT (f, has_two_results);
  g_autoptr (GessoResult) newest =
      g_list_model_get_item (gesso_filmstrip_get_model (strip_of (f)), 0);
  g_assert_cmpint (n_frames_of (gesso_result_get_path (newest)), ==, 2 * N_FRAMES - 1);
  gesso_parameter_row_reset (GESSO_PARAMETER_ROW (row_of (f, "extend")));
  WAIT (f, animates);
  g_free (model);
}

static gboolean
refuses (Fixture *f)
{
  return gesso_planner_get_problem (gesso_create_page_get_planner (f->page)) != NULL;
}

/* It has gone: the line above the button says so. */
static void
test_extended_clip_is_gone (Fixture *f, gconstpointer unused)
{
  choose_video_model (f, "wan-tiny");
  gesso_create_page_extend (f->page, "/nowhere/boat.gclip");
  WAIT (f, refuses);
  g_assert_nonnull (
      strstr (gesso_planner_get_problem (gesso_create_page_get_planner (f->page)), "is not there"));
  g_free (model);
}

/* A model that was not chosen yet is the one that made the clip. */
static void
test_extend_chooses_the_model (Fixture *f, gconstpointer unused)
{
  WAIT (f, planned);
  g_autofree char *shipped = gesso_form_dup_text (f->form, "model");
  make_clip (f);
  g_autofree char *clip = result_path (f), *was = value (f, "model");
  set (f, "model", shipped);
  WAIT (f, generates);
  gtk_widget_activate_action (GTK_WIDGET (f->window), "win.extend", "s", clip);
  WAIT (f, extends);
  g_autofree char *now = value (f, "model");
  g_assert_cmpstr (now, ==, was);
  g_free (model);
}

/* ---- a clip from outside ---- */

static void
open_from_outside (Fixture *f, const char *path)
{
  g_autofree char *uri = g_filename_to_uri (path, NULL, NULL);
  const char *uris[] = { uri };
  gtk_widget_activate_action_variant (GTK_WIDGET (f->window), "win.open-uris",
                                      g_variant_new_strv (uris, 1));
}

static gboolean
asks (Fixture *f)
{
  return find_button_anywhere ("_Extend") != NULL;
}

static gboolean
asks_no_more (Fixture *f)
{
  return !asks (f);
}

static void
answer (Fixture *f, const char *button)
{
  WAIT (f, asks);
  g_signal_emit_by_name (find_button_anywhere (button), "clicked");
  WAIT (f, asks_no_more);
}

static gboolean
has_picture (Fixture *f)
{
  return gesso_document_has_picture (gesso_create_page_get_document (f->page));
}

static gboolean
has_no_picture (Fixture *f)
{
  return !has_picture (f);
}

/* Of what a job would be given. */
static int
grey_on_canvas (Fixture *f)
{
  g_autoptr (GError) error = NULL;
  GessoDocument *document = gesso_create_page_get_document (f->page);
  g_autoptr (GessoFramePixels) pixels = gesso_document_extract_frame (document, 32, 32, &error);
  g_assert_no_error (error);
  return *(const guint8 *) g_bytes_get_data (pixels->rgb, NULL);
}

static gboolean
prompt_is_another (Fixture *f)
{
  g_autofree char *prompt = value (f, "prompt");
  return !g_str_equal (prompt, "something else");
}

/* Dropped or opened: Extend goes on from it, or its settings are taken. */
static void
test_clip_from_outside (Fixture *f, gconstpointer unused)
{
  make_clip (f);
  g_autofree char *clip = result_path (f);
  open_from_outside (f, clip);
  answer (f, "_Extend");
  WAIT (f, extends);
  g_autofree char *set_to = value (f, "extend");
  g_assert_cmpstr (set_to, ==, clip);
  gesso_form_reset (f->form, "extend");
  set (f, "prompt", "something else");
  open_from_outside (f, clip);
  answer (f, "_Use Settings");
  WAIT (f, prompt_is_another);
  g_free (model);
}

/* Two frames, without latents or recipe. */
static char *
write_foreign_clip (Fixture *f)
{
  Status status = { 0 };
  ClipWriter clip = { 0 };
  const FilmInfo info = { 32, 32, { 8, 1 }, 2 };
  guint8 rgb[32 * 32 * 3];
  char *path = g_build_filename (f->dir, "foreign.gclip", NULL);
  g_assert_true (clip_writer_open (&clip, path, &info, &status));
  for (int n = 0; n < 2; n++)
    {
      memset (rgb, n ? LAST_GREY : FIRST_GREY, sizeof rgb);
      g_assert_true (clip_writer_add (&clip, rgb, &status));
    }
  g_assert_true (clip_writer_commit (&clip, true, &status));
  return path;
}

/* With no video model chosen, too. */
static void
test_frames_of_a_clip (Fixture *f, gconstpointer unused)
{
  WAIT (f, planned);
  g_autofree char *clip = write_foreign_clip (f);
  open_from_outside (f, clip);
  WAIT (f, asks);
  g_assert_null (find_button_anywhere ("_Use Settings"));
  answer (f, "_First Frame");
  WAIT (f, has_picture);
  g_assert_cmpint (grey_on_canvas (f), ==, FIRST_GREY);
  gesso_document_clear (gesso_create_page_get_document (f->page));
  WAIT (f, has_no_picture);
  open_from_outside (f, clip);
  answer (f, "_Last Frame");
  WAIT (f, has_picture);
  g_assert_cmpint (grey_on_canvas (f), ==, LAST_GREY);
}

/* What the model's makers sample with is filled in where nothing was chosen. */
static gboolean
sampler_is_filled (Fixture *f)
{
  g_autofree char *filled = gesso_form_dup_filled (f->form, "sampler");
  return filled && g_str_equal (filled, "unipc");
}

static void
test_sampler_is_the_models (Fixture *f, gconstpointer unused)
{
  choose_video_model (f, "wan-tiny");
  WAIT (f, sampler_is_filled);
  g_autofree char *chosen = value (f, "sampler");
  g_assert_cmpstr (chosen, ==, "auto");
  g_free (model);
}

/* ---- the film beside it ---- */

static char *film;

static gboolean
film_is_there (Fixture *f)
{
  return g_file_test (film, G_FILE_TEST_EXISTS);
}

static void
test_film_beside_the_clip (Fixture *f, gconstpointer unused)
{
  make_clip (f);
  g_autofree char *clip = result_path (f);
  g_autofree char *stem = g_strndup (clip, strlen (clip) - strlen (".gclip"));
  film = g_strconcat (stem, ".mp4", NULL);
  WAIT (f, film_is_there);
  g_clear_pointer (&film, g_free);
  g_free (model);
}

/* ---- the moving preview ---- */

static int most_frames;

static gboolean
preview_moved (Fixture *f)
{
  GessoJob *job = gesso_queue_get_running (f->queue);
  const GessoFrame *preview = job ? gesso_job_get_preview (job) : NULL;
  if (preview)
    most_frames = MAX (most_frames, preview->n_frames);
  return most_frames > 1;
}

static gboolean
has_ended (Fixture *f)
{
  return !gesso_queue_get_running (f->queue);
}

/* All latent frames come with each preview; the stage shows them one after the other. */
static void
test_preview_moves (Fixture *f, gconstpointer unused)
{
  most_frames = 0;
  choose_video_model (f, "wan-tiny");
  set (f, "frames", "9");
  set (f, "width", "32");
  set (f, "height", "32");
  set (f, "steps", "400");
  WAIT (f, allowed);
  act (f, "win.generate");
  WAIT (f, preview_moved);
  g_assert_cmpint (most_frames, ==, 3);
  act (f, "win.stop");
  WAIT (f, has_ended);
  g_free (model);
}

/* ---- a picture on the canvas ---- */

static gboolean
starts_from_picture (Fixture *f)
{
  return gesso_document_has_picture (gesso_create_page_get_document (f->page)) &&
         !gesso_form_is_default (f->form, "denoise");
}

/* With a picture on the canvas no clip could be made of it: its strength, which a clip has not, was
 * in the way, and a model that needs a first frame was planned without. */
static void
test_animates_the_picture_on_the_canvas (Fixture *f, gconstpointer unused)
{
  const char *source = g_getenv ("GESSO_SOURCE");
  g_autofree char *path =
      g_build_filename (source ? source : ".", "tests/golden/fixtures", "init-48x32.png", NULL);
  g_autoptr (GFile) file = g_file_new_for_path (path);
  WAIT (f, planned);
  gesso_create_page_load_picture (f->page, file);
  WAIT (f, starts_from_picture);
  choose_video_model (f, "wan-tiny-i2v");
  set (f, "frames", "5");
  set (f, "width", "32");
  set (f, "height", "32");
  set (f, "steps", "2");
  WAIT (f, allowed);
  act (f, "win.generate");
  WAIT (f, has_one_picture);
  WAIT (f, has_result);
  g_autofree char *clip = result_path (f);
  g_assert_true (g_str_has_suffix (clip, ".gclip"));
  g_free (model);
}

/* 3:2, and larger than a frame must be. */
static void
load_picture (Fixture *f)
{
  enum
  {
    PICTURE_WIDTH = 900,
    PICTURE_HEIGHT = 600
  };
  Status status = { 0 };
  g_autofree guint8 *rgb = g_malloc0 (PICTURE_WIDTH * PICTURE_HEIGHT * 3);
  const Image image = { PICTURE_WIDTH, PICTURE_HEIGHT, rgb };
  const PngOptions options = { .overwrite = true };
  g_autofree char *path = g_build_filename (f->dir, "wide.png", NULL);
  g_assert_true (png_write_file (path, &image, &options, &status));
  g_autoptr (GFile) file = g_file_new_for_path (path);
  gesso_create_page_load_picture (f->page, file);
  WAIT (f, has_picture);
}

static gboolean
has_size (Fixture *f, int width, int height)
{
  const Recipe *recipe = gesso_form_peek (f->form);
  return recipe->width == width && recipe->height == height;
}

/* 3:2 at the model's 256 x 256, in steps of 16. */
static gboolean
has_shape_of_picture (Fixture *f)
{
  return has_size (f, 320, 208);
}

/* The clip is as large as the model makes them and has the picture's shape, whatever came first: it
 * was as large as the picture, and 900 x 600 is no size of any video model. */
static void
test_size_follows_the_picture (Fixture *f, gconstpointer unused)
{
  WAIT (f, planned);
  load_picture (f);
  choose_video_model (f, "wan-tiny-i2v");
  WAIT (f, has_shape_of_picture);
  gesso_document_clear (gesso_create_page_get_document (f->page));
  WAIT (f, has_no_picture);
  gesso_form_reset (f->form, "width");
  gesso_form_reset (f->form, "height");
  load_picture (f);
  WAIT (f, has_shape_of_picture);
  WAIT (f, allowed);
  g_free (model);
}

/* Of the picture as much is shown as has its shape. */
static void
test_size_by_hand_is_kept (Fixture *f, gconstpointer unused)
{
  WAIT (f, planned);
  choose_video_model (f, "wan-tiny-i2v");
  set (f, "width", "64");
  set (f, "height", "64");
  load_picture (f);
  WAIT (f, allowed);
  g_assert_true (has_size (f, 64, 64));
  GessoRect frame = gesso_document_get_frame (gesso_create_page_get_document (f->page));
  g_assert_cmpint (frame.width, ==, frame.height);
  g_free (model);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  gtk_init ();
  ADD ("clips/button-and-rows", test_button_and_rows);
  ADD ("clips/makes-a-clip", test_makes_a_clip);
  ADD ("clips/extends-a-clip", test_extends_a_clip);
  ADD ("clips/extended-clip-is-gone", test_extended_clip_is_gone);
  ADD ("clips/extend-chooses-the-model", test_extend_chooses_the_model);
  ADD ("clips/from-outside", test_clip_from_outside);
  ADD ("clips/frames-from-outside", test_frames_of_a_clip);
  ADD ("clips/sampler-is-the-model-s", test_sampler_is_the_models);
  ADD ("clips/film-beside-the-clip", test_film_beside_the_clip);
  ADD ("clips/preview-moves", test_preview_moves);
  ADD ("clips/animates-the-picture-on-the-canvas", test_animates_the_picture_on_the_canvas);
  ADD ("clips/size-follows-the-picture", test_size_follows_the_picture);
  ADD ("clips/size-by-hand-is-kept", test_size_by_hand_is_kept);
  return g_test_run ();
}
