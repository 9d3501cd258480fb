/* SPDX-License-Identifier: MPL-2.0
 * test-resume.c - a batch that was parked, killed, or whose journal was spoilt.
 *
 * Whatever happens to the worker, the pictures are those of a run that nothing happened to.
 */
#include <signal.h>
#include <string.h>

#include <glib/gstdio.h>

#include "client.h"
#include "folder.h"

enum
{
  STEPS = 6
};

/* Fresh noise in every step and a memory of the one before: all that a journal has to keep.
 * Small, as it is drawn a hundred times. */
#define RECIPE(seed)                                                                               \
  "{\"version\":1,\"model\":\"gesso-mini\",\"prompt\":\"a red apple\",\"seed\":" seed              \
  ",\"width\":32,\"height\":32,\"steps\":6,\"batch_size\":2,\"sampler\":\"dpmpp_2m_sde\"}"

/* Steps that can be caught in the act, and a journal of each. */
static const char *const env[] = { "GESSO_NULL_STEP_MS=10", "GESSO_JOURNAL_MS=0", NULL };

typedef struct
{
  const char *backend;
  char *journal;
  TestClient *whole; /* nothing happened to it */
} Fixture;

static void
set_up (Fixture *f, gconstpointer data)
{
  f->backend = data;
  f->journal = g_build_filename (g_getenv ("GESSO_TEST_DIR"), "batch.journal", NULL);
  g_autofree char *aside = g_strconcat (f->journal, ".aside", NULL);
  g_unlink (f->journal);
  g_unlink (aside);
  f->whole = test_client_new (f->backend, env);
  test_client_run_to_end (f->whole, "a", RECIPE ("7"), "");
  g_assert_cmpstr (f->whole->end, ==, "finished");
}

static void
tear_down (Fixture *f, gconstpointer data)
{
  g_clear_pointer (&f->whole, test_client_free);
  g_clear_pointer (&f->journal, g_free);
}

static gboolean
exists (const char *path)
{
  return g_file_test (path, G_FILE_TEST_EXISTS);
}

/* Goes on in a new process; gives the first step it reported. */
static void
first_step_cb (TestClient *c, const char *phase, int done)
{
  int *first = c->user_data;
  if (*first < 0 && g_str_equal (phase, "denoise"))
    *first = done;
}

static int
resume (Fixture *f, guint n_notes)
{
  int first = -1;
  g_autoptr (TestClient) c = test_client_new (f->backend, env);
  c->on_step = first_step_cb;
  c->user_data = &first;
  test_client_run_to_end (c, "a", RECIPE ("7"), f->journal);
  g_assert_cmpstr (c->end, ==, "finished");
  g_assert_cmpuint (c->notes->len, ==, n_notes);
  test_assert_same_pictures (f->whole, c);
  g_assert_false (exists (f->journal));
  return first;
}

/* ---- parking ---- */

/* The worker has to wait for its pictures: however late it hears of it, it has not finished. */
static void
park_at_two_cb (TestClient *c, const char *phase, int done)
{
  if (g_str_equal (phase, "denoise") && done == 2)
    gesso_ipc_worker1_call_park (c->worker, "a", NULL, NULL, NULL);
}

static void
test_parked (Fixture *f, gconstpointer data)
{
  g_autoptr (TestClient) c = test_client_new (f->backend, env);
  c->on_step = park_at_two_cb;
  c->hold_pictures = TRUE;
  test_client_run_to_end (c, "a", RECIPE ("7"), f->journal);
  g_assert_cmpstr (c->end, ==, "parked");
  g_assert_cmpint (c->parked_step, >=, 2);
  g_assert_cmpint (c->parked_step, <=, STEPS);
  g_assert_true (exists (f->journal));
  g_assert_cmpint (resume (f, 0), ==, c->parked_step);
}

/* A small job goes first in the same process, with the same model. */
static void
test_parked_for_another (Fixture *f, gconstpointer data)
{
  g_autoptr (TestClient) c = test_client_new (f->backend, env);
  c->on_step = park_at_two_cb;
  c->hold_pictures = TRUE;
  test_client_run_to_end (c, "a", RECIPE ("7"), f->journal);
  g_assert_cmpstr (c->end, ==, "parked");
  c->on_step = NULL;
  c->hold_pictures = FALSE;
  test_client_run_to_end (c, "small", RECIPE ("99"), "");
  g_assert_cmpstr (c->end, ==, "finished");
  test_client_run_to_end (c, "a", RECIPE ("7"), f->journal);
  g_assert_cmpstr (c->end, ==, "finished");
  test_assert_same_pictures (f->whole, c);
}

static void
terminate_cb (TestClient *c, const char *phase, int done)
{
  if (g_str_equal (phase, "denoise") && done == 3)
    g_subprocess_send_signal (c->process, SIGTERM);
}

static void
test_terminated (Fixture *f, gconstpointer data)
{
  g_autoptr (TestClient) c = test_client_new (f->backend, env);
  c->on_step = terminate_cb;
  c->hold_pictures = TRUE;
  test_client_run_to_end (c, "a", RECIPE ("7"), f->journal);
  g_assert_cmpstr (c->end, ==, "parked");
  test_client_wait (c, &c->gone);
  g_assert_cmpint (test_client_wait_exit (c), ==, 0);
  g_assert_cmpint (resume (f, 0), ==, c->parked_step);
}

static void
hang_up_cb (TestClient *c, const char *phase, int done)
{
  if (g_str_equal (phase, "denoise") && done == 3)
    g_dbus_connection_close (c->connection, NULL, NULL, NULL);
}

static void
test_client_gone (Fixture *f, gconstpointer data)
{
  g_autoptr (TestClient) c = test_client_new (f->backend, env);
  c->on_step = hang_up_cb;
  c->hold_pictures = TRUE;
  test_client_run_to_end (c, "a", RECIPE ("7"), f->journal);
  test_client_wait (c, &c->gone);
  g_assert_cmpint (test_client_wait_exit (c), ==, 0);
  g_assert_true (exists (f->journal));
  g_assert_cmpint (resume (f, 0), >=, 3);
}

/* ---- killing ---- */

typedef struct
{
  const char *phase;
  int done;
  gboolean killed;
} Kill;

static void
kill_cb (TestClient *c, const char *phase, int done)
{
  Kill *kill = c->user_data;
  if (kill->killed || !g_str_equal (phase, kill->phase) || done < kill->done)
    return;
  kill->killed = TRUE;
  g_subprocess_send_signal (c->process, SIGKILL);
}

static void
run_and_kill (Fixture *f, const char *phase, int done)
{
  Kill kill = { phase, done, FALSE };
  g_autoptr (TestClient) c = test_client_new (f->backend, env);
  c->on_step = kill_cb;
  c->user_data = &kill;
  c->hold_pictures = TRUE; /* the worker cannot have finished meanwhile */
  test_client_run_to_end (c, "a", RECIPE ("7"), f->journal);
  test_client_kill (c);
  g_assert_true (kill.killed);
}

static void
test_killed_at_each_step (Fixture *f, gconstpointer data)
{
  for (int step = 0; step <= STEPS; step++)
    {
      run_and_kill (f, "denoise", step);
      /* the journal of a step is written after it was told */
      g_assert_cmpint (resume (f, 0), >=, MAX (step - 1, 0));
    }
  for (int picture = 0; picture <= 2; picture++)
    {
      run_and_kill (f, "decode", picture);
      g_assert_cmpint (resume (f, 0), ==, STEPS);
    }
}

/* Again and again, so that each process gets a little further. */
static void
test_killed_repeatedly (Fixture *f, gconstpointer data)
{
  for (int step = 1; step <= STEPS; step++)
    run_and_kill (f, "denoise", step);
  g_assert_cmpint (resume (f, 0), >=, STEPS - 1);
}

/* ---- journals ---- */

static void
flip (char *text, gsize n_bytes, gsize at)
{
  text[at % n_bytes] ^= 0x10;
}

static void
test_damaged_journal (Fixture *f, gconstpointer data)
{
  g_autofree char *good = NULL, *aside = g_strconcat (f->journal, ".aside", NULL);
  gsize n_bytes = 0;
  run_and_kill (f, "denoise", 4);
  g_assert_true (g_file_get_contents (f->journal, &good, &n_bytes, NULL));
  const gsize flips[] = { 0, 9, 12, 40, 180, 300, n_bytes / 2, n_bytes - 33, n_bytes - 1 };
  const gsize cuts[] = { 0, 1, 100, n_bytes / 2, n_bytes - 1 };
  for (gsize i = 0; i < G_N_ELEMENTS (flips) + G_N_ELEMENTS (cuts); i++)
    {
      g_autofree char *bad = g_memdup2 (good, n_bytes);
      gsize n = n_bytes;
      if (i < G_N_ELEMENTS (flips))
        flip (bad, n, flips[i]);
      else
        n = cuts[i - G_N_ELEMENTS (flips)];
      g_assert_true (g_file_set_contents (f->journal, bad, (gssize) n, NULL));
      g_assert_cmpint (resume (f, 1), ==, 0);
      g_assert_true (exists (aside));
      g_unlink (aside);
    }
  g_assert_true (g_file_set_contents (f->journal, good, (gssize) n_bytes, NULL));
  g_assert_cmpint (resume (f, 0), >=, 3); /* and the good one is good */
}

static void
foreign (Fixture *f, const char *batch, const char *recipe)
{
  g_autofree char *aside = g_strconcat (f->journal, ".aside", NULL);
  run_and_kill (f, "denoise", 4);
  g_autoptr (TestClient) c = test_client_new (f->backend, env);
  test_client_run_to_end (c, batch, recipe, f->journal);
  g_assert_cmpstr (c->end, ==, "finished");
  g_assert_cmpuint (c->notes->len, ==, 1);
  g_assert_true (exists (aside));
  g_unlink (aside);
}

static void
test_foreign_journal (Fixture *f, gconstpointer data)
{
  foreign (f, "b", RECIPE ("7"));
  foreign (f, "a", RECIPE ("8"));
}

/* ---- pictures that are not safe ---- */

static void
test_journal_stays_until_pictures_are_safe (Fixture *f, gconstpointer data)
{
  static const guint32 first[] = { 0 }, both[] = { 0, 1 };
  g_autoptr (GError) error = NULL;
  g_autoptr (TestClient) c = test_client_new (f->backend, env);
  c->hold_pictures = TRUE;
  test_client_run (c, "a", RECIPE ("7"), f->journal, NULL, &error);
  g_assert_no_error (error);
  while (c->pictures->len < 2)
    g_main_context_iteration (NULL, TRUE);
  g_assert_null (c->end);
  g_assert_true (exists (f->journal));
  test_client_kill (c);

  g_autoptr (TestClient) d = test_client_new (f->backend, env); /* has the first one */
  test_client_run (d, "a", RECIPE ("7"), f->journal,
                   g_variant_new_fixed_array (G_VARIANT_TYPE_UINT32, first, 1, sizeof *first),
                   &error);
  g_assert_no_error (error);
  test_client_wait_end (d);
  g_assert_cmpstr (d->end, ==, "finished");
  g_assert_cmpuint (d->pictures->len, ==, 1);
  g_assert_true (
      g_bytes_equal (test_client_picture (d, 1)->rgb, test_client_picture (f->whole, 1)->rgb));
  g_assert_false (exists (f->journal));

  test_client_reset (d); /* has both: nothing is left to do */
  test_client_run (d, "a", RECIPE ("7"), f->journal,
                   g_variant_new_fixed_array (G_VARIANT_TYPE_UINT32, both, 2, sizeof *both),
                   &error);
  g_assert_no_error (error);
  test_client_wait_end (d);
  g_assert_cmpstr (d->end, ==, "finished");
  g_assert_cmpuint (d->pictures->len, ==, 0);
  g_assert_cmpstr (d->phases->str, ==, "");
}

static void
test_picture_refused (Fixture *f, gconstpointer data)
{
  g_autoptr (TestClient) c = test_client_new (f->backend, env);
  c->refuse_pictures = TRUE;
  test_client_run_to_end (c, "a", RECIPE ("7"), f->journal);
  g_assert_cmpstr (c->end, ==, "failed");
  g_assert_cmpstr (c->code, ==, "io");
  g_assert_cmpstr (c->sentence, ==, "The disk is full.");
  g_assert_true (exists (f->journal));
  g_assert_cmpint (resume (f, 0), ==, STEPS);
}

int
main (int argc, char **argv)
{
  static const struct
  {
    const char *name;
    void (*func) (Fixture *f, gconstpointer data);
  } tests[] = {
    { "parked", test_parked },
    { "parked-for-another", test_parked_for_another },
    { "terminated", test_terminated },
    { "client-gone", test_client_gone },
    { "killed-at-each-step", test_killed_at_each_step },
    { "killed-repeatedly", test_killed_repeatedly },
    { "damaged-journal", test_damaged_journal },
    { "foreign-journal", test_foreign_journal },
    { "journal-stays", test_journal_stays_until_pictures_are_safe },
    { "picture-refused", test_picture_refused },
  };
  static const char *const backends[] = { "null", "cpu" };
  g_test_init (&argc, &argv, NULL);
  char *dir = test_folder_new ();
  test_folder_copy_data (dir);
  for (gsize b = 0; b < G_N_ELEMENTS (backends); b++)
    for (gsize i = 0; i < G_N_ELEMENTS (tests); i++)
      {
        g_autofree char *path = g_strdup_printf ("/resume/%s/%s", backends[b], tests[i].name);
        g_test_add (path, Fixture, backends[b], set_up, tests[i].func, tear_down);
      }
  int result = g_test_run ();
  test_folder_free (dir);
  return result;
}
