/* SPDX-License-Identifier: MPL-2.0
 * test-window-clips-outside.c - clips, films and moving pictures that are dropped on the window or
 * opened: gone on from, or a frame of them taken.
 *
 * Alone: tests/ui/xvfb.sh build/tests/ui/test-window-clips-outside, with GESSO_DATA, GESSO_SOURCE
 * and GESSO_TEST_WORKER set.
 */
#include <string.h>

#include "clips-fixture.h"
#include "media/clip.h"
#include "media/film-writer.h"

enum
{
  FIRST_GREY = 50,
  LAST_GREY = 200
};

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

/* @n_frames of 32 x 32, the first and the last of their greys, those between of the first's. */
static char *
write_moving (Fixture *f, const char *name, FilmFormat format, int n_frames)
{
  Status status = { 0 };
  const FilmInfo info = { 32, 32, { 10, 1 }, n_frames };
  const FilmOptions options = { .format = format, .quality = FILM_HIGH, .overwrite = true };
  guint8 rgb[32 * 32 * 3];
  char *path = g_build_filename (f->dir, name, NULL);
  FilmWriter *writer = film_writer_new_plain (path, &info, &options, &status);
  g_assert_nonnull (writer);
  for (int n = 0; n < n_frames; n++)
    {
      /* a writer joins frames that are alike */
      memset (rgb, n + 1 == n_frames ? LAST_GREY : FIRST_GREY + n % 2, sizeof rgb);
      g_assert_true (film_writer_add (writer, rgb, &status));
    }
  g_assert_true (film_writer_finish (writer, &status));
  film_writer_close (writer);
  return path;
}

static void
assert_grey (Fixture *f, int expected)
{
  enum
  {
    LOSSY = 2 /* what WebP at high quality changes of an even grey */
  };
  g_assert_cmpint (ABS (grey_on_canvas (f) - expected), <=, LOSSY);
}

static const struct
{
  const char *name, *still_name;
  FilmFormat format;
} moving[] = { { "boat.gif", "still.gif", FILM_GIF }, { "boat.webp", "still.webp", FILM_WEBP } };

/* They were once offered as pictures: a GIF could not be read, of a WebP the first frame was taken
 * unasked. */
static void
test_moving_pictures_are_clips (Fixture *f, gconstpointer unused)
{
  WAIT (f, planned);
  for (gsize i = 0; i < G_N_ELEMENTS (moving); i++)
    {
      g_autofree char *path = write_moving (f, moving[i].name, moving[i].format, 3);
      open_from_outside (f, path);
      answer (f, "_First Frame");
      WAIT (f, has_picture);
      assert_grey (f, FIRST_GREY);
      gesso_document_clear (gesso_create_page_get_document (f->page));
      WAIT (f, has_no_picture);
      open_from_outside (f, path);
      answer (f, "_Last Frame");
      WAIT (f, has_picture);
      assert_grey (f, LAST_GREY);
      gesso_document_clear (gesso_create_page_get_document (f->page));
      WAIT (f, has_no_picture);
    }
}

static void
test_still_ones_are_pictures (Fixture *f, gconstpointer unused)
{
  WAIT (f, planned);
  for (gsize i = 0; i < G_N_ELEMENTS (moving); i++)
    {
      g_autofree char *path = write_moving (f, moving[i].still_name, moving[i].format, 1);
      open_from_outside (f, path);
      WAIT (f, has_picture);
      g_assert_false (asks (f));
      assert_grey (f, LAST_GREY);
      gesso_document_clear (gesso_create_page_get_document (f->page));
      WAIT (f, has_no_picture);
    }
}

static void
test_extends_a_gif (Fixture *f, gconstpointer unused)
{
  choose_video_model (f, "wan-tiny");
  set (f, "frames", "9");
  set (f, "steps", "2");
  /* a dialog leaves no window active on a display without a window manager */
  g_settings_set_boolean (gesso_window_get_settings (f->window), "notify", FALSE);
  g_autofree char *gif = write_moving (f, "boat.gif", FILM_GIF, N_FRAMES);
  open_from_outside (f, gif);
  answer (f, "_Extend");
  WAIT (f, extends);
  WAIT (f, allowed);
  act (f, "win.generate");
  WAIT (f, has_one_picture);
  WAIT (f, has_result);
  g_autofree char *path = result_path (f);
  g_assert_cmpint (n_frames_of (path), ==, 2 * N_FRAMES - 1);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  gtk_init ();
  ADD ("clips/from-outside", test_clip_from_outside);
  ADD ("clips/frames-from-outside", test_frames_of_a_clip);
  ADD ("clips/moving-pictures-are-clips", test_moving_pictures_are_clips);
  ADD ("clips/still-ones-are-pictures", test_still_ones_are_pictures);
  ADD ("clips/extends-a-gif", test_extends_a_gif);
  return g_test_run ();
}
