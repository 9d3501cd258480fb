/* SPDX-License-Identifier: MPL-2.0
 * test-film-maker.c - the film beside a clip where it cannot be made: said once, the clip is kept,
 * and the film can be made later.
 *
 * Alone: tests/ui/xvfb.sh build/tests/ui/test-film-maker; needs no display.
 */
#include <glib/gstdio.h>
#include <gst/gst.h>
#include <signal.h>
#include <string.h>
#include <sys/resource.h>

#include "app/gesso-film-maker.h"
#include "app/gesso-paths.h"
#include "media/clip.h"
#include "media/video/film-copy.h"
#include "session/gesso-queue-private.h"
#include "session/gesso-queue-store.h"

enum
{
  SIDE = 64,
  N_FRAMES = 8
};

typedef struct
{
  char *dir, *clip, *film;
  GessoDatabase *database;
  GessoQueue *queue;
  GSettings *settings;
  GessoFilmMaker *maker;
  char *message; /* the last one */
  guint n_messages;
} Fixture;

static void
message_cb (GessoFilmMaker *maker, const char *message, gpointer data)
{
  Fixture *f = data;
  g_free (f->message);
  f->message = g_strdup (message);
  f->n_messages++;
}

/* Noise, so that a film of it does not fit into a few kilobytes. */
static void
write_clip (Fixture *f)
{
  Status status = { 0 };
  ClipWriter clip = { 0 };
  const FilmInfo info = { SIDE, SIDE, { 8, 1 }, N_FRAMES };
  g_autoptr (GRand) rand = g_rand_new_with_seed (1);
  guint8 rgb[SIDE * SIDE * 3];
  bool ok = clip_writer_open (&clip, f->clip, &info, &status);
  for (int n = 0; ok && n < N_FRAMES; n++)
    {
      for (gsize i = 0; i < sizeof rgb; i++)
        rgb[i] = (guint8) g_rand_int_range (rand, 0, 256);
      ok = clip_writer_add (&clip, rgb, &status);
    }
  if (!ok || !clip_writer_commit (&clip, true, &status))
    g_error ("%s", status.message);
}

static void
set_up (Fixture *f, gconstpointer unused)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (GPtrArray) rows = g_ptr_array_new ();
  f->dir = g_dir_make_tmp ("gesso-film-XXXXXX", NULL);
  f->clip = g_build_filename (f->dir, "boat.gclip", NULL);
  f->film = g_build_filename (f->dir, "boat.mp4", NULL);
  g_autofree char *path = g_build_filename (f->dir, "queue.db", NULL);
  f->database = gesso_database_new (path, GESSO_DATABASE_DURABLE, gesso_store_migrations,
                                    gesso_store_n_migrations, &error);
  g_assert_no_error (error);
  f->queue = gesso_queue_new (f->database, rows, FALSE);
  f->settings = gesso_paths_new_settings (&error);
  g_assert_no_error (error);
  g_settings_set_string (f->settings, "film-format", "h264");
  f->maker = gesso_film_maker_new (f->queue, f->settings);
  g_signal_connect (f->maker, "message", G_CALLBACK (message_cb), f);
  write_clip (f);
}

static void
tear_down (Fixture *f, gconstpointer unused)
{
  g_object_run_dispose (G_OBJECT (f->maker));
  g_object_unref (f->maker);
  g_object_unref (f->queue);
  g_object_unref (f->database);
  g_settings_reset (f->settings, "film-format");
  g_object_unref (f->settings);
  g_autoptr (GDir) dir = g_dir_open (f->dir, 0, NULL);
  for (const char *name; (name = g_dir_read_name (dir));)
    {
      g_autofree char *path = g_build_filename (f->dir, name, NULL);
      g_unlink (path);
    }
  g_rmdir (f->dir);
  g_free (f->dir);
  g_free (f->clip);
  g_free (f->film);
  g_free (f->message);
}

/* Until the film of a clip that the queue has just finished is there, or is not to be. */
static void
finish_clip (Fixture *f)
{
  g_signal_emit_by_name (f->queue, "picture", NULL, 0, f->clip);
  g_assert_cmpint (gesso_film_maker_get_n_open (f->maker), ==, 1);
  while (gesso_film_maker_get_n_open (f->maker) > 0)
    g_main_context_iteration (NULL, TRUE);
}

/* Only the clip is in the folder, and a film can be made of it as Export makes one. */
static void
assert_clip_is_kept (Fixture *f)
{
  Status status = { 0 };
  FilmCopied done;
  const FilmCopyOptions options = { .film = { .format = FILM_H264 }, .rate = { 0, 1 } };
  g_autoptr (GDir) dir = g_dir_open (f->dir, 0, NULL);
  for (const char *name; (name = g_dir_read_name (dir));)
    g_assert_true (g_str_equal (name, "boat.gclip") || g_str_has_prefix (name, "queue.db"));
  if (!film_copy (f->clip, f->film, &options, &done, &status))
    g_error ("%s", status.message);
  g_assert_cmpint (done.info.n_frames, ==, N_FRAMES);
  g_assert_cmpint (g_unlink (f->film), ==, 0);
}

static gboolean
can_write (void)
{
  const char *package = NULL;
  if (film_can_write (FILM_H264, &package))
    return TRUE;
  g_test_skip (package);
  return FALSE;
}

static void
test_film_is_made (Fixture *f, gconstpointer unused)
{
  if (!can_write ())
    return;
  finish_clip (f);
  g_assert_true (g_file_test (f->film, G_FILE_TEST_EXISTS));
  g_assert_cmpint (f->n_messages, ==, 0);
}

/* A limit on file sizes fails write() just as a full disk does. */
static void
test_full_disk (Fixture *f, gconstpointer unused)
{
  struct rlimit limit, small;
  if (!can_write ())
    return;
  g_assert_cmpint (getrlimit (RLIMIT_FSIZE, &limit), ==, 0);
  small = limit;
  small.rlim_cur = 4000;
  gpointer before = signal (SIGXFSZ, SIG_IGN);
  g_assert_cmpint (setrlimit (RLIMIT_FSIZE, &small), ==, 0);
  finish_clip (f);
  finish_clip (f);
  g_assert_cmpint (setrlimit (RLIMIT_FSIZE, &limit), ==, 0);
  signal (SIGXFSZ, before);
  g_assert_cmpint (f->n_messages, ==, 1); /* not for each clip of a batch */
  g_assert_nonnull (strstr (f->message, "disk is full"));
  g_assert_nonnull (strstr (f->message, "Export"));
  assert_clip_is_kept (f);
  /* as soon as there is room the next one has its film */
  finish_clip (f);
  g_assert_true (g_file_test (f->film, G_FILE_TEST_EXISTS));
}

static void
test_missing_encoder (Fixture *f, gconstpointer unused)
{
  static const char *const encoders[] = { "nvh264enc", "vah264enc", "qsvh264enc", "x264enc",
                                          "openh264enc" };
  GstPluginFeature *removed[G_N_ELEMENTS (encoders)];
  if (!can_write ())
    return;
  GstRegistry *registry = gst_registry_get ();
  for (gsize i = 0; i < G_N_ELEMENTS (encoders); i++)
    if ((removed[i] = gst_registry_lookup_feature (registry, encoders[i])))
      gst_registry_remove_feature (registry, removed[i]);
  finish_clip (f);
  for (gsize i = 0; i < G_N_ELEMENTS (encoders); i++)
    if (removed[i])
      {
        gst_registry_add_feature (registry, removed[i]);
        gst_object_unref (removed[i]);
      }
  g_assert_cmpint (f->n_messages, ==, 1);
  g_assert_nonnull (strstr (f->message, "install gstreamer1.0-plugins-ugly"));
  g_assert_nonnull (strstr (f->message, "Export"));
  assert_clip_is_kept (f);
}

/* The film of a clip that went to the trash meanwhile would stay alone. */
static void
test_clip_is_gone (Fixture *f, gconstpointer unused)
{
  if (!can_write ())
    return;
  g_assert_cmpint (g_unlink (f->clip), ==, 0);
  finish_clip (f);
  g_assert_false (g_file_test (f->film, G_FILE_TEST_EXISTS));
  g_assert_cmpint (f->n_messages, ==, 0);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add ("/film-maker/makes", Fixture, NULL, set_up, test_film_is_made, tear_down);
  g_test_add ("/film-maker/full-disk", Fixture, NULL, set_up, test_full_disk, tear_down);
  g_test_add ("/film-maker/no-encoder", Fixture, NULL, set_up, test_missing_encoder, tear_down);
  g_test_add ("/film-maker/clip-is-gone", Fixture, NULL, set_up, test_clip_is_gone, tear_down);
  return g_test_run ();
}
