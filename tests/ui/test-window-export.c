/* SPDX-License-Identifier: MPL-2.0
 * test-window-export.c - the export dialog: what it says of a clip, films, progress, cancel,
 * errors.
 *
 * Alone: tests/ui/xvfb.sh build/tests/ui/test-window-export, with GESSO_DATA and GESSO_TEST_WORKER
 * set.  GESSO_TEST_SHOTS names a folder for pictures of it.
 */
#include <glib/gstdio.h>
#include <string.h>

#include "app/gesso-export-dialog.h"
#include "app/gesso-open.h"
#include "media/clip.h"
#include "media/video/video.h"
#include "window-fixture.h"

enum
{
  SIDE = 64,
  N_FRAMES = 9,
  MANY_FRAMES = 2000
};

static GessoExportDialog *dialog; /* of the test that runs; NULL once it is gone */

static void
shoot (const char *name)
{
  const char *folder = g_getenv ("GESSO_TEST_SHOTS");
  if (!folder)
    return;
  g_autofree char *path = g_build_filename (folder, name, NULL);
  while (!gesso_window_save_screenshot (GTK_WINDOW (dialog), path, NULL)) /* not drawn yet */
    g_main_context_iteration (NULL, TRUE);
}

static char *
make_clip (Fixture *f, const char *name, int n_frames)
{
  char *path = g_build_filename (f->dir, name, NULL);
  Status status = { 0 };
  ClipWriter clip = { 0 };
  g_autofree guint8 *rgb = g_malloc (SIDE * SIDE * 3);
  const FilmInfo info = { .width = SIDE, .height = SIDE, .rate = { 16, 1 } };
  bool ok = clip_writer_open (&clip, path, &info, &status);
  for (int i = 0; ok && i < n_frames; i++)
    {
      for (int k = 0; k < SIDE * SIDE * 3; k++)
        rgb[k] = (guint8) (k * (i + 1) / 7);
      ok = clip_writer_add (&clip, rgb, &status);
    }
  ok = ok &&
       clip_writer_add_recipe (&clip, "{\"version\": 4, \"prompt\": \"a red apple\"}", &status);
  ok = ok && clip_writer_commit (&clip, false, &status);
  g_assert_cmpstr (status.message, ==, "");
  g_assert_true (ok);
  return path;
}

static void
gone_cb (gpointer data, GObject *where)
{
  dialog = NULL;
}

/* As the menu of the gallery does. */
static void
open_dialog (Fixture *f, const char *path)
{
  g_action_group_activate_action (G_ACTION_GROUP (f->window), "export",
                                  g_variant_new_string (path));
  GListModel *windows = gtk_window_get_toplevels ();
  for (guint i = 0; i < g_list_model_get_n_items (windows); i++)
    {
      g_autoptr (GtkWindow) window = g_list_model_get_item (windows, i);
      if (GESSO_IS_EXPORT_DIALOG (window))
        dialog = GESSO_EXPORT_DIALOG (window);
    }
  g_assert_nonnull (dialog);
  g_object_weak_ref (G_OBJECT (dialog), gone_cb, NULL);
}

static gboolean
is_ready (Fixture *f)
{
  return gesso_export_dialog_is_ready (dialog);
}

static gboolean
has_problem (Fixture *f)
{
  return *gesso_export_dialog_get_problem (dialog) != '\0';
}

static gboolean
is_gone (Fixture *f)
{
  return dialog == NULL;
}

static gboolean
is_stopped (Fixture *f)
{
  return !gesso_export_dialog_is_running (dialog);
}

/* Reads @path back.  Returns: its texts' "gesso", the caller's */
static char *
read_back (const char *path, FilmInfo *info)
{
  Status status = { 0 };
  FrameSource *source = film_open (path, NULL, &status);
  g_assert_cmpstr (status.message, ==, "");
  *info = source->info;
  info->n_frames = 0;
  g_autofree guint8 *rgb = g_malloc (frames_size_bytes (info));
  for (bool end = false; !end; info->n_frames += !end)
    g_assert_true (frames_get (source, info->n_frames, rgb, &end, &status));
  char *recipe = g_strdup (media_texts_find (&source->texts, "gesso"));
  frames_close (source);
  return recipe;
}

static void
close_dialog (Fixture *f)
{
  gtk_window_close (GTK_WINDOW (dialog));
  WAIT (f, is_gone);
}

/* Lossless formats that every machine writes, whatever encoders it has. */
static void
test_exports (Fixture *f, gconstpointer unused)
{
  static const FilmFormat formats[] = { FILM_GIF, FILM_WEBP, FILM_CLIP };
  g_autofree char *clip = make_clip (f, "boat.gclip", N_FRAMES);
  for (gsize i = 0; i < G_N_ELEMENTS (formats); i++)
    {
      FilmInfo info;
      open_dialog (f, clip);
      gesso_export_dialog_set_format (dialog, formats[i]);
      WAIT (f, is_ready);
      if (i == 0)
        shoot ("export.png");
      g_autofree char *target = g_strdup (gesso_export_dialog_get_target (dialog));
      g_assert_true (g_str_has_suffix (target, film_format_info (formats[i])->extension));
      gesso_export_dialog_export (dialog);
      WAIT (f, is_gone);
      g_autofree char *recipe = read_back (target, &info);
      g_assert_cmpint (info.n_frames, ==, N_FRAMES);
      g_assert_cmpint (info.width, ==, SIDE);
      g_assert_nonnull (strstr (recipe, "a red apple"));
    }
}

/* The name of the source itself, and of what was exported before, is never taken. */
static void
test_names (Fixture *f, gconstpointer unused)
{
  g_autofree char *clip = make_clip (f, "boat.gclip", 1);
  g_autofree char *second = g_build_filename (f->dir, "boat 2.gclip", NULL);
  g_autofree char *film = g_build_filename (f->dir, "boat.gif", NULL);
  g_autofree char *chosen = g_build_filename (f->dir, "chosen", NULL);
  g_autofree char *with_ending = g_strconcat (chosen, ".gif", NULL);
  open_dialog (f, clip);
  gesso_export_dialog_set_format (dialog, FILM_CLIP);
  WAIT (f, is_ready);
  g_assert_cmpstr (gesso_export_dialog_get_target (dialog), ==, second);
  gesso_export_dialog_set_format (dialog, FILM_GIF);
  WAIT (f, is_ready);
  g_assert_cmpstr (gesso_export_dialog_get_target (dialog), ==, film);
  gesso_export_dialog_set_target (dialog, chosen, TRUE);
  g_assert_cmpstr (gesso_export_dialog_get_target (dialog), ==, with_ending);
  gesso_export_dialog_set_format (dialog, FILM_H264);
  g_assert_true (g_str_has_suffix (gesso_export_dialog_get_target (dialog), "chosen.mp4"));
  close_dialog (f);
}

static void
test_rate (Fixture *f, gconstpointer unused)
{
  g_autofree char *clip = make_clip (f, "boat.gclip", N_FRAMES);
  open_dialog (f, clip);
  gesso_export_dialog_set_format (dialog, FILM_CLIP);
  WAIT (f, is_ready);
  gesso_export_dialog_set_rate (dialog, "fast");
  g_assert_false (is_ready (f));
  g_assert_nonnull (strstr (gesso_export_dialog_get_problem (dialog), "fast"));
  shoot ("export-rate.png");
  gesso_export_dialog_set_rate (dialog, "32");
  g_assert_true (is_ready (f));
  g_autofree char *target = g_strdup (gesso_export_dialog_get_target (dialog));
  gesso_export_dialog_export (dialog);
  WAIT (f, is_gone);
  FilmInfo info;
  g_autofree char *recipe = read_back (target, &info);
  g_assert_cmpint (info.n_frames, ==, 2 * N_FRAMES);
  g_assert_cmpint (info.rate.num, ==, 32);
}

static void
test_not_a_film (Fixture *f, gconstpointer unused)
{
  g_autofree char *path = g_build_filename (f->dir, "words.gclip", NULL);
  g_assert_true (g_file_set_contents (path, "no clip at all", -1, NULL));
  open_dialog (f, path);
  WAIT (f, has_problem);
  shoot ("export-no-film.png");
  g_assert_false (is_ready (f));
  close_dialog (f);
}

/* What is in the way is not replaced unless a file chooser asked; the dialog stays. */
static void
test_in_the_way (Fixture *f, gconstpointer unused)
{
  g_autofree char *clip = make_clip (f, "boat.gclip", N_FRAMES);
  g_autofree char *target = g_build_filename (f->dir, "kept.gif", NULL);
  g_autofree char *text = NULL;
  open_dialog (f, clip);
  gesso_export_dialog_set_format (dialog, FILM_GIF);
  WAIT (f, is_ready);
  gesso_export_dialog_set_target (dialog, target, FALSE);
  g_assert_true (g_file_set_contents (target, "kept", -1, NULL));
  gesso_export_dialog_export (dialog);
  WAIT (f, is_stopped);
  g_assert_true (has_problem (f));
  g_assert_true (g_file_get_contents (target, &text, NULL, NULL));
  g_assert_cmpstr (text, ==, "kept");
  shoot ("export-in-the-way.png");
  gesso_export_dialog_set_target (dialog, target, TRUE);
  gesso_export_dialog_export (dialog);
  WAIT (f, is_gone);
  FilmInfo info;
  g_autofree char *recipe = read_back (target, &info);
  g_assert_cmpint (info.n_frames, ==, N_FRAMES);
}

static gboolean
has_progress (Fixture *f)
{
  return gesso_export_dialog_get_n_done (dialog) > 0;
}

/* Not even what it was writing, once the thread has noticed. */
static gboolean
left_nothing (Fixture *f)
{
  g_autoptr (GDir) dir = g_dir_open (f->dir, 0, NULL);
  for (const char *name; (name = g_dir_read_name (dir));)
    if (strstr (name, "long 2"))
      return FALSE;
  return TRUE;
}

static void
test_cancel (Fixture *f, gconstpointer unused)
{
  g_autofree char *clip = make_clip (f, "long.gclip", MANY_FRAMES);
  open_dialog (f, clip);
  gesso_export_dialog_set_format (dialog, FILM_CLIP);
  WAIT (f, is_ready);
  g_autofree char *target = g_strdup (gesso_export_dialog_get_target (dialog));
  gesso_export_dialog_export (dialog);
  WAIT (f, has_progress);
  shoot ("export-progress.png");
  gesso_export_dialog_cancel (dialog);
  WAIT (f, is_stopped);
  g_assert_false (g_file_test (target, G_FILE_TEST_EXISTS));
  g_assert_false (has_problem (f));
  /* and closing in the middle of it */
  gesso_export_dialog_export (dialog);
  WAIT (f, has_progress);
  close_dialog (f);
  WAIT (f, left_nothing);
}

/* ---- films of other programs ---- */

/* A film, and behind it tags of Matroska as ComfyUI's nodes write them. */
static char *
make_foreign_film (Fixture *f, const char *graph)
{
  char *path = g_build_filename (f->dir, "foreign.mkv", NULL);
  Status status = { 0 };
  FilmOptions options = { .format = FILM_FFV1 };
  const FilmInfo info = { .width = SIDE, .height = SIDE, .rate = { 16, 1 }, .n_frames = 2 };
  g_autofree guint8 *rgb = g_malloc0 (SIDE * SIDE * 3);
  FilmWriter *writer = film_writer_open (path, &info, &options, &status);
  g_assert_true (writer && film_writer_add (writer, rgb, &status) &&
                 film_writer_add (writer, rgb, &status) && film_writer_finish (writer, &status));
  film_writer_close (writer);
  g_autofree char *film = NULL;
  gsize n_film;
  g_assert_true (g_file_get_contents (path, &film, &n_film, NULL));
  g_autoptr (GByteArray) all = g_byte_array_new ();
  g_byte_array_append (all, (const guint8 *) film, (guint) n_film);
  guint n = (guint) strlen (graph), n_tag = n + 15, n_set = n_tag + 6, n_all = n_set + 6;
  const guint8 tags[] = { 0x12,       0x54,  0xc3,
                          0x67,       0x10,  n_all >> 16 & 0xff,
                          n_all >> 8, n_all, 0x73,
                          0x73,       0x10,  n_set >> 16 & 0xff,
                          n_set >> 8, n_set, 0x67,
                          0xc8,       0x10,  n_tag >> 16 & 0xff,
                          n_tag >> 8, n_tag, 0x45,
                          0xa3,       0x86,  'P',
                          'R',        'O',   'M',
                          'P',        'T',   0x44,
                          0x87,       0x10,  n >> 16 & 0xff,
                          n >> 8,     n };
  g_byte_array_append (all, tags, sizeof tags);
  g_byte_array_append (all, (const guint8 *) graph, n);
  g_assert_true (g_file_set_contents (path, (const char *) all->data, all->len, NULL));
  return path;
}

static gboolean
has_frames_of_graph (Fixture *f)
{
  g_autofree char *frames = gesso_form_dup_text (f->form, "frames");
  return g_str_equal (frames, "49");
}

static void
test_settings_of_a_comfyui_film (Fixture *f, gconstpointer unused)
{
  if (!film_can_write (FILM_FFV1, NULL))
    {
      g_test_skip ("GStreamer's encoder for FFV1 is not installed");
      return;
    }
  g_autofree char *from =
      g_build_filename (g_getenv ("GESSO_SOURCE"), "tests/unit/graphs/wan22-t2v.prompt.json", NULL);
  g_autofree char *graph = NULL;
  g_assert_true (g_file_get_contents (from, &graph, NULL, NULL));
  g_autofree char *path = make_foreign_film (f, graph);
  g_autoptr (GFile) file = g_file_new_for_path (path);
  g_autoptr (GSList) files = g_slist_prepend (NULL, file);
  gesso_open_files (f->window, files);
  WAIT (f, settings_are_offered);
  g_signal_emit_by_name (find_button_anywhere ("_Use Settings"), "clicked");
  WAIT (f, has_frames_of_graph);
  g_autofree char *prompt = gesso_form_dup_text (f->form, "prompt");
  g_assert_cmpstr (prompt, ==, "a paper boat on a canal");
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  gtk_init ();
  ADD ("export/formats", test_exports);
  ADD ("export/names", test_names);
  ADD ("export/rate", test_rate);
  ADD ("export/not-a-film", test_not_a_film);
  ADD ("export/in-the-way", test_in_the_way);
  ADD ("export/cancel", test_cancel);
  ADD ("export/settings-of-a-comfyui-film", test_settings_of_a_comfyui_film);
  return g_test_run ();
}
