/* SPDX-License-Identifier: MPL-2.0
 * test-service.c - what a client may ask of a worker, and what it must not be able to do to it.
 */
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "client.h"
#include "folder.h"
#include "media/image.h"
#include "recipe/recipe.h"

#define RECIPE(extra)                                                                              \
  "{\"version\":1,\"model\":\"gesso-mini\",\"prompt\":\"a red apple\",\"seed\":7" extra "}"

static const gint64 CANCEL_US = 200000; /* what the user notices as at once */

static const char *const slow_steps[] = { "GESSO_NULL_STEP_MS=20000", NULL };
static const char *const short_steps[] = { "GESSO_NULL_STEP_MS=10", NULL };

static char *
journal_path (const char *name)
{
  return g_build_filename (g_getenv ("GESSO_TEST_DIR"), name, NULL);
}

/* ---- who it is, what it plans ---- */

static void
test_says_who_it_is (void)
{
  g_autoptr (TestClient) c = test_client_new ("cpu", NULL);
  g_assert_cmpstr (gesso_ipc_worker1_get_version (c->worker), ==, "0.1.0");
  g_assert_cmpstr (gesso_ipc_worker1_get_backend (c->worker), ==, "cpu");
  g_test_message ("device: %s", gesso_ipc_worker1_get_device (c->worker));
  g_assert_nonnull (strstr (gesso_ipc_worker1_get_device (c->worker), "1 thread, "));
}

static GVariant *
plan (TestClient *c, const char *recipe, GError **error)
{
  GVariant *plan = NULL;
  gesso_ipc_worker1_call_plan_sync (c->worker, recipe, &plan, NULL, error);
  if (*error)
    g_dbus_error_strip_remote_error (*error);
  return plan;
}

static void
test_plans (void)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (TestClient) c = test_client_new ("cpu", NULL);
  g_autoptr (GVariant) one = plan (c, RECIPE (""), &error);
  g_assert_no_error (error);
  guint64 peak = 0, weights = 0;
  double seconds = 0, seconds_of_three = 0;
  const char *recipe = NULL;
  g_assert_true (g_variant_lookup (one, "peak-bytes", "t", &peak));
  g_assert_true (g_variant_lookup (one, "weight-bytes", "t", &weights));
  g_assert_true (g_variant_lookup (one, "seconds", "d", &seconds));
  g_assert_true (g_variant_lookup (one, "recipe", "&s", &recipe));
  g_assert_cmpuint (peak, >, 1 << 20);
  g_assert_cmpuint (weights, >, 1 << 20);
  g_assert_cmpfloat (seconds, >, 0);
  g_assert_nonnull (strstr (recipe, "\"width\":128"));
  g_autoptr (GVariant) three = plan (c, RECIPE (",\"batch_count\":3"), &error);
  g_assert_no_error (error);
  g_assert_true (g_variant_lookup (three, "seconds", "d", &seconds_of_three));
  g_assert_cmpfloat_with_epsilon (seconds_of_three, 3 * seconds, 1e-6 * seconds_of_three);
}

static void
test_plan_fails_with_a_sentence (void)
{
  g_autoptr (TestClient) c = test_client_new ("null", NULL);
  static const struct
  {
    const char *recipe;
    int code; /* of GESSO_IPC_ERROR */
  } bad[] = {
    { "{\"version\":1,\"model\":\"no-such-model\"}", GESSO_IPC_ERROR_NOT_FOUND },
    { "{", GESSO_IPC_ERROR_FORMAT },
    { "", GESSO_IPC_ERROR_FORMAT },
    { "[]", GESSO_IPC_ERROR_FORMAT },
    { "{\"version\":1,\"steps\":-3}", GESSO_IPC_ERROR_ARGUMENT },
    { "{\"version\":1,\"model\":\"gesso-mini\",\"width\":12}", GESSO_IPC_ERROR_ARGUMENT },
    { "{\"version\":1,\"init_image\":\"/no/such/picture.png\"}", GESSO_IPC_ERROR_NOT_FOUND },
  };
  for (gsize i = 0; i < G_N_ELEMENTS (bad); i++)
    {
      g_autoptr (GError) error = NULL;
      g_assert_null (plan (c, bad[i].recipe, &error));
      g_test_message ("%s", error->message);
      g_assert_error (error, GESSO_IPC_ERROR, bad[i].code);
      g_assert_true (g_str_has_suffix (error->message, "."));
    }
}

/* Its client is the window, where there is no such command or variable. */
static void
test_says_where_in_the_window (void)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (GError) of_value = NULL;
  g_autoptr (TestClient) c = test_client_new ("null", NULL);
  g_assert_null (plan (c, "{\"version\":1,\"model\":\"no-such-model\"}", &error));
  g_assert_nonnull (strstr (error->message, "in the Preferences, under Models"));
  g_assert_null (strstr (error->message, "gesso-cli"));
  g_assert_null (plan (c, RECIPE (",\"vae_tile\":9"), &of_value));
  g_assert_true (g_str_has_prefix (of_value->message, "VAE tile has to be 0 or"));
}

static void
test_plans_while_a_batch_runs (void)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (TestClient) c = test_client_new ("null", slow_steps);
  test_client_run (c, "slow", RECIPE (""), "", NULL, &error);
  g_assert_no_error (error);
  g_autoptr (GVariant) answer = plan (c, RECIPE (",\"width\":256"), &error);
  g_assert_no_error (error);
  g_assert_nonnull (answer);
  g_assert_null (c->end);
}

/* ---- pictures ---- */

static void
assert_same_as_file (const TestPicture *p, const char *path)
{
  Image image = { 0 };
  Status status = { 0 };
  image_read (&image, path, &status);
  g_assert_cmpstr (status.message, ==, "");
  g_assert_cmpint (p->width, ==, image.width);
  g_assert_cmpint (p->height, ==, image.height);
  g_assert_cmpmem (g_bytes_get_data (p->rgb, NULL), g_bytes_get_size (p->rgb), image.rgb,
                   (gsize) image.width * (gsize) image.height * 3);
  image_clear (&image);
}

static void
test_draws_what_the_command_line_draws (void)
{
  g_autoptr (GError) error = NULL;
  g_autofree char *folder = g_strconcat (g_getenv ("GESSO_TEST_DIR"), "/cli/", NULL);
  g_autoptr (GSubprocess) cli = g_subprocess_new (
      G_SUBPROCESS_FLAGS_STDOUT_SILENCE, &error, g_getenv ("GESSO_CLI"), "generate", "a red apple",
      "--seed", "7", "--steps", "3", "--batch-size", "2", "--sampler", "dpmpp_2m_sde", "--threads",
      "1", "--output", folder, NULL);
  g_assert_no_error (error);
  g_subprocess_wait_check (cli, NULL, &error);
  g_assert_no_error (error);

  g_autoptr (TestClient) c = test_client_new ("cpu", NULL);
  test_client_run_to_end (
      c, "b", RECIPE (",\"steps\":3,\"batch_size\":2,\"sampler\":\"dpmpp_2m_sde\""), "");
  g_assert_cmpstr (c->end, ==, "finished");
  for (guint i = 0; i < 2; i++)
    {
      g_autofree char *name = g_strdup_printf ("%sa-red-apple-%05u.png", folder, i + 1);
      assert_same_as_file (test_client_picture (c, i), name);
    }
  g_assert_cmpstr (c->phases->str, ==, "loading text denoise decode ");
  g_assert_cmpint (c->step, ==, 3);
}

/* Each picture can be made again alone from the recipe that came with it. */
static void
test_recipe_of_a_picture_is_complete (void)
{
  Recipe recipe;
  Status status = { 0 };
  Notes notes = { 0 };
  g_autoptr (TestClient) c = test_client_new ("cpu", NULL);
  test_client_run_to_end (c, "two", RECIPE (",\"steps\":2,\"batch_size\":2"), "");
  g_autofree char *json = g_strdup (test_client_picture (c, 1)->recipe);
  g_autoptr (GBytes) rgb = g_bytes_ref (test_client_picture (c, 1)->rgb);
  recipe_init (&recipe);
  g_assert_true (recipe_from_json (&recipe, json, strlen (json), &notes, &status));
  g_assert_cmpuint (notes.n, ==, 0);
  g_assert_cmpuint (recipe.seed, ==, 8);
  g_assert_cmpint (recipe.batch_size, ==, 1);
  g_assert_cmpint (recipe.batch_count, ==, 1);
  g_assert_cmpint (recipe.width, ==, 128);
  g_assert_cmpint (recipe.schedule, !=, RECIPE_SCHEDULE_AUTO);
  g_assert_cmpint (recipe.precision, !=, RECIPE_PRECISION_AUTO);
  g_assert_cmpint (recipe.convention, !=, RECIPE_CONVENTION_AUTO);
  test_client_run_to_end (c, "one", json, "");
  g_assert_true (g_bytes_equal (test_client_picture (c, 0)->rgb, rgb));
  g_assert_cmpstr (test_client_picture (c, 0)->recipe, ==, json);
  recipe_clear (&recipe);
  notes_clear (&notes);
}

static void
test_model_stays_warm (void)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (TestClient) c = test_client_new ("null", NULL);
  test_client_run_to_end (c, "a", RECIPE (",\"steps\":1"), "");
  g_assert_cmpstr (c->phases->str, ==, "loading text denoise decode ");
  test_client_run_to_end (c, "b", RECIPE (",\"steps\":2"), "");
  g_assert_null (strstr (c->phases->str, "loading"));
  gesso_ipc_worker1_call_forget_sync (c->worker, NULL, &error);
  g_assert_no_error (error);
  test_client_run_to_end (c, "c", RECIPE (",\"steps\":2"), "");
  g_assert_nonnull (strstr (c->phases->str, "loading"));
}

static void
test_previews_arrive (void)
{
  g_autoptr (TestClient) c = test_client_new ("null", short_steps);
  test_client_run_to_end (c, "a", RECIPE (",\"steps\":8"), "");
  g_assert_cmpstr (c->end, ==, "finished");
  g_assert_cmpint (c->n_previews, >=, 1);
}

static void
test_previews_never_queue (void)
{
  g_autoptr (TestClient) c = test_client_new ("null", short_steps);
  c->hold_previews = TRUE;
  test_client_run_to_end (c, "a", RECIPE (",\"steps\":8"), "");
  g_assert_cmpstr (c->end, ==, "finished");
  g_assert_cmpint (c->n_previews, ==, 1);
  g_assert_cmpint (c->max_open_previews, ==, 1);
}

static void
test_eta_is_known_after_a_step (void)
{
  g_autoptr (TestClient) c = test_client_new ("null", short_steps);
  test_client_run_to_end (c, "a", RECIPE (",\"steps\":4"), "");
  g_assert_cmpfloat (c->last_eta, >=, 0);
  g_assert_cmpfloat (c->last_eta, <, CLIENT_DEADLINE_S);
}

/* ---- ending ---- */

static gint64
cancel_once (void)
{
  g_autoptr (GError) error = NULL;
  g_autofree char *journal = journal_path ("cancelled.journal");
  g_autoptr (TestClient) c = test_client_new ("null", slow_steps);
  test_client_run (c, "a", RECIPE (""), journal, NULL, &error);
  g_assert_no_error (error);
  while (!strstr (c->phases->str, "denoise"))
    g_main_context_iteration (NULL, TRUE);
  gint64 began = g_get_monotonic_time ();
  gesso_ipc_worker1_call_cancel_sync (c->worker, "a", NULL, &error);
  g_assert_no_error (error);
  test_client_wait_end (c);
  g_assert_cmpstr (c->end, ==, "failed");
  g_assert_cmpstr (c->code, ==, "cancelled");
  g_assert_false (g_file_test (journal, G_FILE_TEST_EXISTS));
  return c->ended_at - began;
}

/* The best of a few, since the machine may be busy with something else. */
static void
test_cancels_at_once (void)
{
  gint64 best = G_MAXINT64;
  for (int i = 0; i < 5 && best > CANCEL_US; i++)
    best = MIN (best, cancel_once ());
  g_test_message ("cancelled after %.1f ms", (double) best / 1e3);
  g_assert_cmpint (best, <=, CANCEL_US);
}

static void
test_one_batch_at_a_time (void)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (TestClient) c = test_client_new ("null", slow_steps);
  test_client_run (c, "a", RECIPE (""), "", NULL, &error);
  g_assert_no_error (error);
  g_assert_false (test_client_run (c, "b", RECIPE (""), "", NULL, &error));
  g_assert_error (error, GESSO_IPC_ERROR, GESSO_IPC_ERROR_BUSY);
  g_clear_error (&error);
  gesso_ipc_worker1_call_cancel_sync (c->worker, "b", NULL, &error); /* not the running one */
  g_assert_no_error (error);
  gesso_ipc_worker1_call_park_sync (c->worker, "", NULL, &error);
  g_assert_no_error (error);
  gesso_ipc_worker1_call_forget_sync (c->worker, NULL, &error);
  g_assert_no_error (error);
  g_assert_null (c->end);
  gesso_ipc_worker1_call_cancel_sync (c->worker, "a", NULL, &error);
  g_assert_no_error (error);
  test_client_wait_end (c);
  g_assert_cmpstr (c->code, ==, "cancelled");
}

/* The client may begin the next batch from within the last word about the one before. */
static void
test_runs_again_at_once (void)
{
  g_autoptr (TestClient) c = test_client_new ("null", NULL);
  for (int i = 0; i < 20; i++)
    {
      test_client_run_to_end (c, "a", RECIPE (",\"steps\":1"), "");
      g_assert_cmpstr (c->end, ==, "finished");
    }
}

static void
test_quits_when_asked (void)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (TestClient) c = test_client_new ("null", slow_steps);
  test_client_run (c, "a", RECIPE (""), "", NULL, &error);
  g_assert_no_error (error);
  gesso_ipc_worker1_call_quit_sync (c->worker, NULL, &error);
  g_assert_no_error (error);
  test_client_wait (c, &c->gone);
  g_assert_cmpstr (c->end, ==, "parked");
  g_assert_cmpint (test_client_wait_exit (c), ==, 0);
}

static void
on_refused_cb (GObject *source, GAsyncResult *result, gpointer data)
{
  GError **error = data;
  gesso_ipc_worker1_call_run_finish (GESSO_IPC_WORKER1 (source), result, error);
}

/* A batch that comes while the worker ends is as good as one that comes too late: not at fault. */
static void
test_asked_as_it_ends (void)
{
  g_autoptr (TestClient) c = test_client_new ("null", NULL);
  g_autoptr (GError) error = NULL;
  GVariant *skip = g_variant_new_fixed_array (G_VARIANT_TYPE_UINT32, NULL, 0, sizeof (guint32));
  gesso_ipc_worker1_call_quit (c->worker, NULL, NULL, NULL);
  gesso_ipc_worker1_call_run (c->worker, "a", RECIPE (""), "", skip, NULL, on_refused_cb, &error);
  while (!error)
    g_main_context_iteration (NULL, TRUE);
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_CLOSED);
  g_assert_cmpint (test_client_wait_exit (c), ==, 0);
}

/* ---- what is not asked for politely ---- */

static void
test_refuses_bad_requests (void)
{
  g_autoptr (TestClient) c = test_client_new ("null", NULL);
  g_autofree char *long_name = g_strnfill (65, 'a');
  static const guint32 nine[] = { 9 }, many[] = { 0, 0, 0 };
  const struct
  {
    const char *batch, *recipe, *journal;
    GVariant *skip;
    int code; /* of GESSO_IPC_ERROR */
  } bad[] = {
    { "", RECIPE (""), "", NULL, GESSO_IPC_ERROR_ARGUMENT },
    { "../../x", RECIPE (""), "", NULL, GESSO_IPC_ERROR_ARGUMENT },
    { long_name, RECIPE (""), "", NULL, GESSO_IPC_ERROR_ARGUMENT },
    { "a", "", "", NULL, GESSO_IPC_ERROR_FORMAT },
    { "a", "null", "", NULL, GESSO_IPC_ERROR_FORMAT },
    { "a", "{\"version\":1,\"seed\":\"\\u0000\"}", "", NULL, GESSO_IPC_ERROR_ARGUMENT },
    { "a", RECIPE (",\"batch_count\":2"), "", NULL, GESSO_IPC_ERROR_ARGUMENT },
    { "a", RECIPE (""), "relative", NULL, GESSO_IPC_ERROR_ARGUMENT },
    { "a", RECIPE (""), "",
      g_variant_new_fixed_array (G_VARIANT_TYPE_UINT32, nine, 1, sizeof *nine),
      GESSO_IPC_ERROR_ARGUMENT },
    { "a", RECIPE (""), "",
      g_variant_new_fixed_array (G_VARIANT_TYPE_UINT32, many, 3, sizeof *many),
      GESSO_IPC_ERROR_ARGUMENT },
  };
  for (gsize i = 0; i < G_N_ELEMENTS (bad); i++)
    {
      g_autoptr (GError) error = NULL;
      g_assert_false (
          test_client_run (c, bad[i].batch, bad[i].recipe, bad[i].journal, bad[i].skip, &error));
      g_test_message ("%s", error->message);
      g_assert_error (error, GESSO_IPC_ERROR, bad[i].code);
    }
  test_client_run_to_end (c, "a", RECIPE (",\"steps\":1"), "");
  g_assert_cmpstr (c->end, ==, "finished");
}

static void
test_a_batch_that_cannot_run_fails_in_words (void)
{
  g_autoptr (TestClient) c = test_client_new ("null", NULL);
  test_client_run_to_end (c, "a", "{\"version\":1,\"model\":\"no-such-model\"}", "");
  g_assert_cmpstr (c->end, ==, "failed");
  g_assert_cmpstr (c->code, ==, "not-found");
  g_assert_nonnull (strstr (c->sentence, "no-such-model"));
  test_client_run_to_end (c, "a", RECIPE (",\"steps\":1"), "/no/such/folder/journal");
  g_assert_cmpstr (c->end, ==, "finished"); /* a journal that cannot be written is no reason */
  g_assert_cmpuint (c->notes->len, ==, 1);
}

static void
test_calls_of_wrong_shape_are_refused (void)
{
  g_autoptr (TestClient) c = test_client_new ("null", NULL);
  static const char *const methods[] = { "Run", "Park", "Plan", "NoSuchMethod" };
  for (gsize i = 0; i < G_N_ELEMENTS (methods); i++)
    {
      g_autoptr (GError) error = NULL;
      g_autoptr (GVariant) reply = g_dbus_connection_call_sync (
          c->connection, NULL, GESSO_IPC_WORKER_PATH, "io.github.gesso_studio.Gesso.Worker1",
          methods[i], g_variant_new ("(ai)", NULL), NULL, G_DBUS_CALL_FLAGS_NONE, -1, NULL, &error);
      g_assert_null (reply);
      g_assert_nonnull (error);
    }
  test_client_run_to_end (c, "a", RECIPE (",\"steps\":1"), "");
  g_assert_cmpstr (c->end, ==, "finished");
}

/* Bytes that are no D-Bus; the worker ends by itself, with a word and without a crash. */
static void
feed (const char *bytes, gsize n_bytes)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (GSubprocessLauncher) launcher =
      g_subprocess_launcher_new (G_SUBPROCESS_FLAGS_STDERR_SILENCE);
  int ours = -1, theirs = -1;
  gesso_ipc_socket_pair (&ours, &theirs, &error);
  g_assert_no_error (error);
  g_subprocess_launcher_take_fd (launcher, theirs, GESSO_IPC_WORKER_FD);
  g_autoptr (GSubprocess) process = g_subprocess_launcher_spawn (
      launcher, &error, g_getenv ("GESSO_WORKER"), "--backend", "null", NULL);
  g_assert_no_error (error);
  g_subprocess_launcher_close (launcher);
  g_assert_cmpint (send (ours, bytes, n_bytes, MSG_NOSIGNAL), ==, (gssize) n_bytes);
  shutdown (ours, SHUT_WR);
  g_subprocess_wait (process, NULL, &error);
  g_assert_no_error (error);
  g_assert_true (g_subprocess_get_if_exited (process));
  close (ours);
}

static void
test_survives_garbage (void)
{
  static const char hello[] = "\0AUTH ANONYMOUS\r\nBEGIN\r\n",
                    header[] =
                        "\0AUTH ANONYMOUS\r\nBEGIN\r\nl\1\0\1\xff\xff\xff\x7f\1\0\0\0\xff\xff"
                        "\xff\x7f";
  guint8 noise[4096];
  for (gsize i = 0; i < sizeof noise; i++)
    noise[i] = (guint8) g_test_rand_int ();
  feed ("", 0);
  feed ("\0", 1);
  feed ("\0AUTH", 5);
  feed (hello, sizeof hello - 1);
  feed (header, sizeof header - 1);
  feed ((const char *) noise, sizeof noise);
}

/* ---- for long ---- */

static gsize
resident_bytes (TestClient *c)
{
  g_autofree char *path =
      g_strdup_printf ("/proc/%s/statm", g_subprocess_get_identifier (c->process));
  g_autofree char *text = NULL;
  unsigned long size = 0, resident = 0;
  g_assert_true (g_file_get_contents (path, &text, NULL, NULL));
  g_assert_cmpint (sscanf (text, "%lu %lu", &size, &resident), ==, 2);
  return (gsize) resident * (gsize) sysconf (_SC_PAGESIZE);
}

static void
test_a_hundred_batches_take_no_more_memory (void)
{
  enum
  {
    WARM = 10,
    ALL = 100,
    SLACK_BYTES = 4 << 20 /* the heap's own coming and going; a leaked latent a batch is 6 MiB */
  };
  g_autofree char *journal = journal_path ("hundred.journal");
  /* Left to itself glibc moves the size from which freed memory goes back at once, and a freed
   * buffer of 6 MiB stays or does not: mallopt(3), M_MMAP_THRESHOLD. */
  g_setenv ("MALLOC_MMAP_THRESHOLD_", "131072", TRUE);
  g_autoptr (TestClient) c = test_client_new ("null", NULL);
  g_unsetenv ("MALLOC_MMAP_THRESHOLD_");
  gsize warm = 0;
  for (int i = 0; i < ALL; i++)
    {
      g_autofree char *recipe = g_strdup_printf (
          "{\"version\":1,\"model\":\"gesso-mini\",\"prompt\":\"apple %d\",\"seed\":%d,"
          "\"steps\":2,\"width\":512,\"height\":512}",
          i, i);
      test_client_run_to_end (c, "a", recipe, journal);
      g_assert_cmpstr (c->end, ==, "finished");
      warm = i == WARM - 1 ? resident_bytes (c) : warm;
    }
  gsize all = resident_bytes (c);
  g_test_message ("%.1f MiB after %d batches, %.1f MiB after %d", (double) warm / (1 << 20), WARM,
                  (double) all / (1 << 20), ALL);
#ifndef __SANITIZE_ADDRESS__ /* which keeps what was freed, to catch its use */
  g_assert_cmpuint (all, <, warm + SLACK_BYTES);
#endif
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  char *dir = test_folder_new ();
  test_folder_copy_data (dir);
  g_test_add_func ("/worker/says-who-it-is", test_says_who_it_is);
  g_test_add_func ("/worker/plan/memory-and-time", test_plans);
  g_test_add_func ("/worker/plan/fails-with-a-sentence", test_plan_fails_with_a_sentence);
  g_test_add_func ("/worker/plan/says-where-in-the-window", test_says_where_in_the_window);
  g_test_add_func ("/worker/plan/while-a-batch-runs", test_plans_while_a_batch_runs);
  g_test_add_func ("/worker/run/as-the-command-line", test_draws_what_the_command_line_draws);
  g_test_add_func ("/worker/run/recipe-is-complete", test_recipe_of_a_picture_is_complete);
  g_test_add_func ("/worker/run/model-stays-warm", test_model_stays_warm);
  g_test_add_func ("/worker/run/previews", test_previews_arrive);
  g_test_add_func ("/worker/run/previews-never-queue", test_previews_never_queue);
  g_test_add_func ("/worker/run/eta", test_eta_is_known_after_a_step);
  g_test_add_func ("/worker/run/again-at-once", test_runs_again_at_once);
  g_test_add_func ("/worker/run/fails-in-words", test_a_batch_that_cannot_run_fails_in_words);
  g_test_add_func ("/worker/cancel/at-once", test_cancels_at_once);
  g_test_add_func ("/worker/busy", test_one_batch_at_a_time);
  g_test_add_func ("/worker/quit", test_quits_when_asked);
  g_test_add_func ("/worker/asked-as-it-ends", test_asked_as_it_ends);
  g_test_add_func ("/worker/garbage/requests", test_refuses_bad_requests);
  g_test_add_func ("/worker/garbage/calls", test_calls_of_wrong_shape_are_refused);
  g_test_add_func ("/worker/garbage/bytes", test_survives_garbage);
  g_test_add_func ("/worker/memory/hundred-batches", test_a_hundred_batches_take_no_more_memory);
  int result = g_test_run ();
  test_folder_free (dir);
  return result;
}
