/* SPDX-License-Identifier: MPL-2.0
 * test-window-clips.c - with a video model the window animates: button, parameters, clips that are
 * made, kept and shown.
 *
 * Alone: tests/ui/xvfb.sh build/tests/ui/test-window-clips, with GESSO_DATA, GESSO_SOURCE and
 * GESSO_TEST_WORKER set.
 */
#include <glib/gstdio.h>
#include <string.h>

#include "app/gesso-job-text.h"
#include "app/gesso-parameter-list.h"
#include "app/gesso-parameter-row.h"
#include "clips-fixture.h"
#include "media/frames.h"
#include "media/png.h"

static gboolean
generates (Fixture *f)
{
  return g_str_equal (label (f), "Generate");
}

static gboolean
row_is_shown (Fixture *f, const char *key)
{
  GtkWidget *list = nth (GTK_WIDGET (f->window), GESSO_TYPE_PARAMETER_LIST, 0);
  return gtk_widget_get_visible (gesso_parameter_list_get_row (GESSO_PARAMETER_LIST (list), key));
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
}

/* ---- going on from a clip ---- */

static GtkWidget *
row_of (Fixture *f, const char *key)
{
  GtkWidget *list = nth (GTK_WIDGET (f->window), GESSO_TYPE_PARAMETER_LIST, 0);
  return gesso_parameter_list_get_row (GESSO_PARAMETER_LIST (list), key);
}

static char *
newest_path (Fixture *f)
{
  g_autoptr (GessoResult) newest =
      g_list_model_get_item (gesso_filmstrip_get_model (strip_of (f)), 0);
  return g_strdup (gesso_result_get_path (newest));
}

static gboolean
has_one_result (Fixture *f)
{
  return has_results (f, 1);
}

static gboolean
has_two_results (Fixture *f)
{
  return has_results (f, 2);
}

static gboolean
has_three_results (Fixture *f)
{
  return has_results (f, 3);
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
  g_autofree char *longer = newest_path (f);
  g_assert_cmpint (n_frames_of (longer), ==, 2 * N_FRAMES - 1);
  gesso_parameter_row_reset (GESSO_PARAMETER_ROW (row_of (f, "extend")));
  WAIT (f, animates);
}

static gboolean
bar_says (Fixture *f, const char *format, const char *path)
{
  g_autofree char *name = g_path_get_basename (path);
  g_autofree char *text = g_strdup_printf ("%s %s", format, name);
  GtkWidget *bar = GTK_WIDGET (gesso_create_page_get_generate_bar (f->page));
  GtkWidget *label = find_label (bar, "Extends");
  return label && gtk_widget_get_mapped (label) &&
         g_str_has_prefix (gtk_label_get_text (GTK_LABEL (label)), text);
}

static gboolean
is_said_to_be_again (Fixture *f)
{
  return says (GTK_WIDGET (gesso_create_page_get_generate_bar (f->page)), " again");
}

/* It stayed set without a word beside the button, and the next clip, with a picture on the canvas
 * to begin with, was a longer one of what had been extended before. */
static void
test_extending_is_said_and_left (Fixture *f, gconstpointer unused)
{
  make_clip (f);
  g_autofree char *clip = result_path (f);
  g_assert_false (bar_says (f, "Extends", clip));
  gtk_widget_activate_action (GTK_WIDGET (strip_of (f)), "filmstrip.extend", NULL);
  WAIT (f, extends);
  g_assert_true (bar_says (f, "Extends", clip));
  g_assert_false (is_said_to_be_again (f));
  WAIT (f, allowed);
  act (f, "win.generate");
  WAIT (f, has_two_results);
  g_assert_true (is_said_to_be_again (f));
  g_signal_emit_by_name (find_button (GTK_WIDGET (f->page), "New _Clip"), "clicked");
  g_assert_true (animates (f));
  g_assert_false (bar_says (f, "Extends", clip));
  g_signal_emit_by_name (find_button (GTK_WIDGET (f->window), "_Undo"), "clicked");
  g_assert_true (extends (f));
  g_autofree char *blank = g_build_filename (g_getenv ("GESSO_DATA"), "blank.png", NULL);
  g_autoptr (GFile) file = g_file_new_for_path (blank);
  gesso_create_page_load_picture (f->page, file);
  WAIT (f, animates);
  act (f, "win.extend-again");
  g_assert_true (extends (f));
  set (f, "last_frame", blank);
  g_assert_true (animates (f));
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
}

static const char *wanted_model;

static gboolean
is_listed (Fixture *f, const char *ending)
{
  GListModel *models =
      gesso_library_get_models (gesso_window_get_library (f->window), GESSO_FILE_CHECKPOINT);
  for (guint i = 0; i < g_list_model_get_n_items (models); i++)
    {
      g_autoptr (GessoModelFile) file = g_list_model_get_item (models, i);
      if (g_str_has_suffix (gesso_model_file_get_path (file), ending))
        return TRUE;
    }
  return FALSE;
}

static gboolean
old_model_is_forgotten (Fixture *f)
{
  return !is_listed (f, "/models/wan-tiny");
}

static gboolean
moved_model_is_listed (Fixture *f)
{
  return is_listed (f, "/moved/wan-tiny");
}

static gboolean
model_is_wanted (Fixture *f)
{
  return g_str_equal (recipe_str (gesso_form_peek (f->form)->model), wanted_model);
}

static gboolean
asks_for_model (Fixture *f)
{
  return says (GTK_WIDGET (f->window), "Choose a video model first");
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
}

/* What was chosen before stays where the library does not know the clip's model any more. */
static void
test_extend_finds_a_model_that_was_moved (Fixture *f, gconstpointer unused)
{
  WAIT (f, planned);
  GessoLibrary *library = gesso_window_get_library (f->window);
  g_autofree char *shipped = gesso_form_dup_text (f->form, "model");
  make_clip (f);
  g_autofree char *clip = result_path (f), *was = value (f, "model");
  g_autofree char *from = g_path_get_dirname (was);
  g_autofree char *to = g_build_filename (f->dir, "moved", NULL);
  g_autofree char *there = g_build_filename (to, "wan-tiny", NULL);
  set (f, "model", shipped);
  WAIT (f, generates);
  gesso_library_remove_folder (library, from);
  g_assert_cmpint (g_rename (from, to), ==, 0);
  WAIT (f, old_model_is_forgotten);
  gtk_widget_activate_action (GTK_WIDGET (f->window), "win.extend", "s", clip);
  WAIT (f, asks_for_model);
  wanted_model = shipped;
  g_assert_true (model_is_wanted (f));
  gesso_library_add_folder (library, to);
  WAIT (f, moved_model_is_listed);
  gtk_widget_activate_action (GTK_WIDGET (f->window), "win.extend", "s", clip);
  WAIT (f, extends);
  wanted_model = there;
  WAIT (f, model_is_wanted);
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
}

static void
load_grey_picture (Fixture *f, int width, int height, int grey)
{
  Status status = { 0 };
  gsize n = (gsize) width * height * IMAGE_CHANNELS;
  g_autofree guint8 *rgb = g_malloc (n);
  const Image image = { width, height, memset (rgb, grey, n) };
  const PngOptions options = { .overwrite = true };
  g_autofree char *path = g_build_filename (f->dir, "grey.png", NULL);
  g_assert_true (png_write_file (path, &image, &options, &status));
  g_autoptr (GFile) file = g_file_new_for_path (path);
  gesso_create_page_load_picture (f->page, file);
  WAIT (f, has_picture);
}

/* 3:2, and larger than a frame must be. */
static void
load_picture (Fixture *f)
{
  load_grey_picture (f, 900, 600, 0);
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
}

/* ---- Wan 2.1, which sees the first frame through CLIP, too ---- */

static void
set_up_on_cpu (Fixture *f, gconstpointer unused)
{
  g_setenv ("GESSO_TEST_BACKENDS", "cpu", TRUE);
  setup (f, unused);
  g_unsetenv ("GESSO_TEST_BACKENDS");
}

static const char *
problem (Fixture *f)
{
  const char *text = gesso_planner_get_problem (gesso_create_page_get_planner (f->page));
  return text ? text : "";
}

static gboolean
wants_a_first_frame (Fixture *f)
{
  return strstr (problem (f), "give it a first frame") != NULL;
}

static void
generate (Fixture *f, Condition done)
{
  WAIT (f, allowed);
  act (f, "win.generate");
  wait_until (f, done, "a clip");
}

/* Of the last frame, which no picture was given for. */
static char *
checksum_of_end (const char *clip)
{
  Status status = { 0 };
  bool end = false;
  FrameSource *frames = frames_open (clip, NULL, &status);
  g_assert_nonnull (frames);
  gsize n = frames_size_bytes (&frames->info);
  g_autofree guint8 *rgb = g_malloc (n);
  g_assert_true (frames_get (frames, frames->info.n_frames - 1, rgb, &end, &status) && !end);
  frames_close (frames);
  return g_compute_checksum_for_data (G_CHECKSUM_SHA256, rgb, n);
}

/* Computed, since what is shown to it has to change what it makes.  With a picture on the canvas no
 * clip could be gone on from: the picture's strength was in the way. */
static void
test_sees_the_first_frame (Fixture *f, gconstpointer unused)
{
  g_settings_set_boolean (gesso_window_get_settings (f->window), "seed-locked", TRUE);
  choose_video_model (f, "wan-tiny-i2v21");
  set (f, "frames", "5");
  set (f, "width", "32");
  set (f, "height", "32");
  set (f, "steps", "2");
  WAIT (f, wants_a_first_frame);
  load_grey_picture (f, 32, 32, 30);
  generate (f, has_one_result);
  g_autofree char *dark = newest_path (f);
  g_autofree char *said = gesso_job_text_dup_details (job_at (f, 0));
  g_assert_cmpstr (said, ==, "1 clip");
  /* The menu's command asked for a file, and there was no other for the clip that had been made. */
  if (g_action_group_has_action (G_ACTION_GROUP (f->window), "export-film"))
    g_assert_true (action_enabled (f, "export-result"));
  g_assert_cmpint (n_frames_of (dark), ==, 5);
  gesso_document_clear (gesso_create_page_get_document (f->page));
  WAIT (f, has_no_picture);
  load_grey_picture (f, 32, 32, 220);
  set (f, "width", "32"); /* whose size followed the picture's shape */
  set (f, "height", "32");
  generate (f, has_two_results);
  g_autofree char *light = newest_path (f);
  g_autofree char *dark_end = checksum_of_end (dark), *light_end = checksum_of_end (light);
  g_assert_cmpstr (dark_end, !=, light_end);
  gtk_widget_activate_action (GTK_WIDGET (strip_of (f)), "filmstrip.extend", NULL);
  WAIT (f, extends);
  generate (f, has_three_results);
  g_autofree char *longer = newest_path (f);
  g_assert_cmpint (n_frames_of (longer), ==, 9);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  gtk_init ();
  ADD ("clips/button-and-rows", test_button_and_rows);
  ADD ("clips/makes-a-clip", test_makes_a_clip);
  ADD ("clips/extends-a-clip", test_extends_a_clip);
  ADD ("clips/extending-is-said-and-left", test_extending_is_said_and_left);
  ADD ("clips/extended-clip-is-gone", test_extended_clip_is_gone);
  ADD ("clips/extend-chooses-the-model", test_extend_chooses_the_model);
  ADD ("clips/extend-finds-a-model-that-was-moved", test_extend_finds_a_model_that_was_moved);
  ADD ("clips/sampler-is-the-model-s", test_sampler_is_the_models);
  ADD ("clips/film-beside-the-clip", test_film_beside_the_clip);
  ADD ("clips/preview-moves", test_preview_moves);
  ADD ("clips/animates-the-picture-on-the-canvas", test_animates_the_picture_on_the_canvas);
  ADD ("clips/size-follows-the-picture", test_size_follows_the_picture);
  ADD ("clips/size-by-hand-is-kept", test_size_by_hand_is_kept);
  g_test_add ("/ui/clips/wan-2.1-sees-the-first-frame", Fixture, NULL, set_up_on_cpu,
              test_sees_the_first_frame, teardown);
  return g_test_run ();
}
