/* SPDX-License-Identifier: MPL-2.0
 * test-clips.c - batches of clips: whole files with frames, latents and recipe, the same after any
 * death.
 */
#include <signal.h>
#include <string.h>

#include <glib/gstdio.h>

#include "client.h"
#include "core/mem.h"
#include "folder.h"
#include "media/clip.h"

enum
{
  N_FRAMES = 9,
  SIDE = 32
};

static const char *const env[] = { "GESSO_NULL_STEP_MS=10", "GESSO_JOURNAL_MS=0", NULL };

typedef struct
{
  const char *backend;
  char *journal, *recipe;
} Fixture;

static void
set_up (Fixture *f, gconstpointer data)
{
  const char *source = g_getenv ("GESSO_SOURCE");
  f->backend = data;
  f->journal = g_build_filename (g_getenv ("GESSO_TEST_DIR"), "clips.journal", NULL);
  f->recipe = g_strdup_printf (
      "{\"version\":5,\"model\":\"%s/tests/golden/fixtures/wan-tiny\",\"prompt\":\"a red apple\","
      "\"seed\":3,\"steps\":4,\"batch_size\":2,\"width\":%d,\"height\":%d,\"frames\":%d,\"fps\":"
      "12}",
      source ? source : ".", SIDE, SIDE, N_FRAMES);
}

static void
tear_down (Fixture *f, gconstpointer data)
{
  g_clear_pointer (&f->journal, g_free);
  g_clear_pointer (&f->recipe, g_free);
}

/* All frames of the clip, one behind the other. */
static GByteArray *
read_frames (const char *path, FilmInfo *info)
{
  Status status = { 0 };
  bool end = false;
  GByteArray *all = g_byte_array_new ();
  FrameSource *source = frames_open (path, NULL, &status);
  g_assert_cmpstr (status.message, ==, "");
  *info = source->info;
  g_assert_nonnull (strstr (media_texts_find (&source->texts, "gesso"), "a red apple"));
  gsize n_bytes = frames_size_bytes (info);
  g_autofree guint8 *rgb = g_malloc (n_bytes);
  for (int i = 0; !end; i++)
    {
      g_assert_true (frames_get (source, i, rgb, &end, &status));
      if (!end)
        g_byte_array_append (all, rgb, (guint) n_bytes);
    }
  frames_close (source);
  return all;
}

static void
assert_latents (const char *path)
{
  Status status = { 0 };
  gsize n_bytes = 0;
  uint8_t *file = clip_read_latents (path, &n_bytes, &status);
  g_assert_cmpstr (status.message, ==, "");
  g_assert_cmpuint (n_bytes, >, 100);
  g_assert_nonnull (g_strstr_len ((const char *) file + 8, 60, "\"latent\""));
  mem_free (file);
}

static TestPicture *
clip_of (TestClient *c, guint index)
{
  for (guint i = 0; i < c->pictures->len; i++)
    {
      TestPicture *p = c->pictures->pdata[i];
      if (p->index == index)
        return p;
    }
  return NULL;
}

static void
assert_same_clips (TestClient *a, TestClient *b)
{
  for (guint i = 0; i < 2; i++)
    {
      FilmInfo one, other;
      g_assert_nonnull (clip_of (a, i));
      g_assert_nonnull (clip_of (b, i));
      g_autoptr (GByteArray) x = read_frames (clip_of (a, i)->clip, &one);
      g_autoptr (GByteArray) y = read_frames (clip_of (b, i)->clip, &other);
      g_assert_cmpmem (x->data, x->len, y->data, y->len);
      g_assert_cmpstr (clip_of (a, i)->recipe, ==, clip_of (b, i)->recipe);
    }
}

/* What nothing happened to, kept in a folder of its own. */
static TestClient *
run_whole (Fixture *f)
{
  g_autofree char *journal = g_strconcat (f->journal, ".whole", NULL);
  TestClient *c = test_client_new (f->backend, env);
  test_client_run_to_end (c, "a", f->recipe, journal);
  g_assert_cmpstr (c->end, ==, "finished");
  g_assert_cmpuint (c->pictures->len, ==, 2);
  return c;
}

static void
test_whole (Fixture *f, gconstpointer data)
{
  g_autoptr (TestClient) c = run_whole (f);
  for (guint i = 0; i < 2; i++)
    {
      FilmInfo info;
      TestPicture *p = clip_of (c, i);
      g_autoptr (GByteArray) frames = read_frames (p->clip, &info);
      g_assert_cmpint (info.n_frames, ==, N_FRAMES);
      g_assert_cmpint (info.width, ==, SIDE);
      g_assert_cmpint (info.rate.num, ==, 12);
      g_assert_cmpmem (frames->data, SIDE * SIDE * 3, g_bytes_get_data (p->rgb, NULL),
                       g_bytes_get_size (p->rgb));
      assert_latents (p->clip);
      g_assert_cmpint (c->preview_frames, ==, 1 + (N_FRAMES - 1) / 4);
      g_assert_cmpfloat (c->preview_rate, ==, 12 / 4.0);
      g_autofree char *left = g_strndup (p->clip, strlen (p->clip) - strlen (".taken"));
      g_assert_false (g_file_test (left, G_FILE_TEST_EXISTS));
    }
}

static void
park_at_two_cb (TestClient *c, const char *phase, int done)
{
  if (g_str_equal (phase, "denoise") && done == 2)
    gesso_ipc_worker1_call_park (c->worker, "a", NULL, NULL, NULL);
}

static void
go_on (Fixture *f)
{
  g_autoptr (TestClient) whole = run_whole (f);
  g_autoptr (TestClient) c = test_client_new (f->backend, env);
  test_client_run_to_end (c, "a", f->recipe, f->journal);
  g_assert_cmpstr (c->end, ==, "finished");
  assert_same_clips (whole, c);
  g_assert_false (g_file_test (f->journal, G_FILE_TEST_EXISTS));
}

static void
test_parked (Fixture *f, gconstpointer data)
{
  g_autoptr (TestClient) c = test_client_new (f->backend, env);
  c->on_step = park_at_two_cb;
  test_client_run_to_end (c, "a", f->recipe, f->journal);
  g_assert_cmpstr (c->end, ==, "parked");
  go_on (f);
}

static void
kill_in_decode_cb (TestClient *c, const char *phase, int done)
{
  gboolean *killed = c->user_data;
  if (!*killed && g_str_equal (phase, "decode") && done > 0)
    {
      *killed = TRUE;
      test_client_kill (c);
    }
}

/* In the middle of a clip: the file that was being written is made again. */
static void
test_killed_while_decoding (Fixture *f, gconstpointer data)
{
  gboolean killed = FALSE;
  g_autoptr (TestClient) c = test_client_new (f->backend, env);
  c->on_step = kill_in_decode_cb;
  c->user_data = &killed;
  g_assert_true (test_client_run (c, "a", f->recipe, f->journal, NULL, NULL));
  test_client_wait (c, &killed);
  go_on (f);
}

/* ---- going on from a clip ---- */

/* The recipe @f->recipe of one clip that goes on from @path; the caller's. */
static char *
extending (Fixture *f, const char *path)
{
  g_autofree char *one =
      g_strndup (f->recipe, (gsize) (strstr (f->recipe, "\"batch_size\"") - f->recipe));
  return g_strdup_printf ("%s\"frames\":%d,\"overlap\":1,\"extend\":\"%s\"}", one, N_FRAMES, path);
}

/* A clip of its own, which lies where nobody takes it away.  The caller's. */
static char *
make_base (Fixture *f)
{
  g_autoptr (TestClient) whole = run_whole (f);
  g_autofree char *path = g_build_filename (g_getenv ("GESSO_TEST_DIR"), "base.gclip", NULL);
  g_unlink (path);
  g_assert_cmpint (g_rename (clip_of (whole, 0)->clip, path), ==, 0);
  return g_steal_pointer (&path);
}

/* Old frames, new frames; the first of them is what is told beside it. */
static void
assert_extended (TestClient *c, const char *base)
{
  FilmInfo info, of_base;
  g_assert_cmpstr (c->end, ==, "finished");
  g_autoptr (GByteArray) joined = read_frames (clip_of (c, 0)->clip, &info);
  g_autoptr (GByteArray) old = read_frames (base, &of_base);
  g_assert_cmpint (info.n_frames, ==, N_FRAMES + N_FRAMES - 1);
  g_assert_cmpint (info.rate.num, ==, 12);
  g_assert_cmpmem (joined->data, old->len, old->data, old->len);
  g_assert_cmpmem (joined->data, SIDE * SIDE * 3, g_bytes_get_data (clip_of (c, 0)->rgb, NULL),
                   SIDE * SIDE * 3);
  assert_latents (clip_of (c, 0)->clip);
}

static void
test_extended (Fixture *f, gconstpointer data)
{
  g_autofree char *base = make_base (f), *recipe = extending (f, base);
  g_autoptr (TestClient) c = test_client_new (f->backend, env);
  test_client_run_to_end (c, "b", recipe, f->journal);
  assert_extended (c, base);
}

/* Killed while it decodes; taken up again the clip is the same as if nothing had happened. */
static void
test_extended_after_a_death (Fixture *f, gconstpointer data)
{
  gboolean killed = FALSE;
  g_autofree char *base = make_base (f), *recipe = extending (f, base);
  g_autoptr (TestClient) whole = test_client_new (f->backend, env);
  test_client_run_to_end (whole, "b", recipe, "");
  g_autoptr (TestClient) c = test_client_new (f->backend, env);
  c->on_step = kill_in_decode_cb;
  c->user_data = &killed;
  g_assert_true (test_client_run (c, "b", recipe, f->journal, NULL, NULL));
  test_client_wait (c, &killed);
  g_autoptr (TestClient) again = test_client_new (f->backend, env);
  test_client_run_to_end (again, "b", recipe, f->journal);
  assert_extended (again, base);
  g_assert_cmpuint (again->n_steps, ==, 4);
  g_assert_cmpuint (again->notes->len, ==, 0);
  FilmInfo one, other;
  g_autoptr (GByteArray) x = read_frames (clip_of (whole, 0)->clip, &one);
  g_autoptr (GByteArray) y = read_frames (clip_of (again, 0)->clip, &other);
  g_assert_cmpmem (x->data, x->len, y->data, y->len);
}

/* The clip has gone since: one sentence, and the steps that were done are not thrown away. */
static void
test_extended_clip_is_gone (Fixture *f, gconstpointer data)
{
  g_autofree char *base = make_base (f), *recipe = extending (f, base);
  g_autoptr (TestClient) c = test_client_new (f->backend, env);
  c->on_step = park_at_two_cb;
  test_client_run_to_end (c, "a", recipe, f->journal);
  g_assert_cmpstr (c->end, ==, "parked");
  g_autofree char *aside = g_strconcat (base, ".aside", NULL);
  g_assert_cmpint (g_rename (base, aside), ==, 0);
  g_autoptr (TestClient) gone = test_client_new (f->backend, env);
  test_client_run_to_end (gone, "a", recipe, f->journal);
  g_assert_cmpstr (gone->end, ==, "failed");
  g_assert_nonnull (strstr (gone->sentence, "is not there"));
  g_assert_cmpint (g_rename (aside, base), ==, 0);
  g_autoptr (TestClient) again = test_client_new (f->backend, env);
  test_client_run_to_end (again, "a", recipe, f->journal);
  assert_extended (again, base);
  g_assert_cmpuint (again->notes->len, ==, 0);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  char *folder = test_folder_new ();
  static const char *const backends[] = { "null", "cpu" };
  for (gsize i = 0; i < G_N_ELEMENTS (backends); i++)
    {
      const char *b = backends[i];
      g_autofree char *whole = g_strdup_printf ("/worker/clips/%s/whole", b);
      g_autofree char *parked = g_strdup_printf ("/worker/clips/%s/parked", b);
      g_autofree char *killed = g_strdup_printf ("/worker/clips/%s/killed-while-decoding", b);
      g_test_add (whole, Fixture, b, set_up, test_whole, tear_down);
      g_test_add (parked, Fixture, b, set_up, test_parked, tear_down);
      g_test_add (killed, Fixture, b, set_up, test_killed_while_decoding, tear_down);
    }
  g_test_add ("/worker/clips/cpu/extended", Fixture, "cpu", set_up, test_extended, tear_down);
  g_test_add ("/worker/clips/cpu/extended-after-a-death", Fixture, "cpu", set_up,
              test_extended_after_a_death, tear_down);
  g_test_add ("/worker/clips/cpu/extended-clip-is-gone", Fixture, "cpu", set_up,
              test_extended_clip_is_gone, tear_down);
  int result = g_test_run ();
  test_folder_free (folder);
  return result;
}
