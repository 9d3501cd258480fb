/* SPDX-License-Identifier: MPL-2.0
 * test-window-errors.c - what goes wrong is said where one looks, with what to do about it.
 *
 * Alone: tests/ui/xvfb.sh build/tests/ui/test-window-errors build/tests/session/fake-worker, with
 * GESSO_DATA and GESSO_TEST_WORKER set.
 */
#include <glib/gstdio.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "app/gesso-open.h"
#include "window-fixture.h"

static const char *fake_worker;

/* A worker without an engine, which fails when its prompt tells it to. */
static void
setup_fake (Fixture *f, gconstpointer unused)
{
  g_autofree char *real = g_strdup (g_getenv ("GESSO_TEST_WORKER"));
  g_setenv ("GESSO_TEST_WORKER", fake_worker, TRUE);
  setup (f, NULL);
  g_setenv ("GESSO_TEST_WORKER", real, TRUE);
}

/* It does not matter here for how long a worker that dies is not started again. */
static void
setup_restarting (Fixture *f, gconstpointer unused)
{
  g_setenv ("GESSO_TEST_RESTART_MS", "300", TRUE);
  setup (f, NULL);
  g_unsetenv ("GESSO_TEST_RESTART_MS");
}

static gboolean
has_failed (Fixture *f)
{
  return n_jobs (f) == 1 && gesso_job_get_state (job_at (f, 0)) == GESSO_JOB_FAILED;
}

static gboolean
failure_is_on_the_queue_and_said (Fixture *f)
{
  GtkWidget *said = find_button_anywhere ("Queue");
  return said && says (GTK_WIDGET (f->window), "It was told to fail.");
}

static gboolean
is_in_the_queue_pane (Fixture *f)
{
  return says (GTK_WIDGET (gesso_window_get_queue_pane (f->window)), "It was told to fail.");
}

static void
test_out_of_memory (Fixture *f, gconstpointer unused)
{
  const char *recipes[] = { "{\"version\": 1, \"model\": \"m\", \"prompt\": \"fail:no-memory\", "
                            "\"seed\": 3, \"width\": 64, \"height\": 64}",
                            NULL };
  gesso_queue_add_async (f->queue, recipes, GESSO_QUEUE_LAST, NULL, NULL, NULL);
  WAIT (f, has_failed);
  WAIT (f, failure_is_on_the_queue_and_said);
  act (f, "win.show-queue");
  WAIT (f, is_in_the_queue_pane);
  act_on (f, "win.job-retry", job_at (f, 0));
  WAIT (f, has_failed);
}

static gboolean
both_have_failed (Fixture *f)
{
  return n_jobs (f) == 2 && gesso_job_get_state (job_at (f, 0)) == GESSO_JOB_FAILED &&
         gesso_job_get_state (job_at (f, 1)) == GESSO_JOB_FAILED;
}

static gboolean
both_wait (Fixture *f)
{
  return gesso_queue_get_n_waiting (f->queue) == 2;
}

/* A disk that was unplugged fails a whole night's jobs; each had to be tried again by itself. */
static void
test_all_failed_are_tried_again (Fixture *f, gconstpointer unused)
{
  static const char first[] = "{\"version\": 1, \"model\": \"m\", \"prompt\": "
                              "\"fail:no-memory\", \"seed\": 3, \"width\": 64, \"height\": 64}";
  const char *recipes[] = { first, first, NULL };
  gesso_queue_add_async (f->queue, recipes, GESSO_QUEUE_LAST, NULL, NULL, NULL);
  WAIT (f, both_have_failed);
  gesso_queue_set_paused (f->queue, TRUE);
  act (f, "win.retry-failed");
  WAIT (f, both_wait);
}

static GPid
worker_pid (Fixture *f)
{
  g_autofree char *path = g_build_filename (f->dir, "data", "worker.pid", NULL);
  g_autofree char *text = NULL;
  return g_file_get_contents (path, &text, NULL, NULL) ? (GPid) g_ascii_strtoll (text, NULL, 10)
                                                       : 0;
}

static gboolean
worker_is (Fixture *f, GessoWorkerState state)
{
  return gesso_session_get_worker_state (f->session) == state;
}

static gboolean
engine_is_ready (Fixture *f)
{
  return worker_is (f, GESSO_WORKER_READY);
}

static gboolean
engine_has_ended (Fixture *f)
{
  return worker_is (f, GESSO_WORKER_WAITING) || worker_is (f, GESSO_WORKER_STOPPED);
}

static const char *
banner (Fixture *f)
{
  return gesso_banner_get_text (gesso_window_get_banner (f->window));
}

static gboolean
nothing_is_on_the_banner (Fixture *f)
{
  return !banner (f);
}

/* A thread writes it, and may do so when the engine is ready already. */
static gboolean
pid_is_the_engines (Fixture *f)
{
  GPid pid = worker_pid (f);
  return pid > 0 && kill (pid, 0) == 0;
}

static void
kill_worker (Fixture *f)
{
  WAIT (f, engine_is_ready);
  WAIT (f, pid_is_the_engines);
  g_assert_cmpint (kill (worker_pid (f), SIGKILL), ==, 0);
  WAIT (f, engine_has_ended);
}

static gboolean
stop_is_said_above_generate (Fixture *f)
{
  return says (GTK_WIDGET (f->window), "The engine is stopped.");
}

/* It said everything twice. */
static void
test_worker_that_keeps_dying (Fixture *f, gconstpointer unused)
{
  kill_worker (f);
  g_assert_nonnull (strstr (banner (f), "is being restarted"));
  WAIT (f, engine_is_ready);
  WAIT (f, nothing_is_on_the_banner);
  kill_worker (f);
  kill_worker (f);
  g_assert_true (worker_is (f, GESSO_WORKER_STOPPED));
  const char *first = strstr (banner (f), "in a row");
  g_assert_nonnull (first);
  g_assert_null (strstr (first + 1, "in a row"));
  g_assert_nonnull (strstr (banner (f), "start the engine again"));
  WAIT (f, stop_is_said_above_generate);
  g_signal_emit_by_name (find_button_anywhere ("_Restart"), "clicked");
  WAIT (f, engine_is_ready);
  WAIT (f, nothing_is_on_the_banner);
  WAIT (f, planned);
}

static gboolean
queue_goes_on (Fixture *f)
{
  return !gesso_queue_get_paused (f->queue);
}

/* The sentence stayed after the disk had room again, and named no way to go on. */
static void
test_stopped_queue_goes_on (Fixture *f, gconstpointer unused)
{
  WAIT (f, planned);
  WAIT (f, nothing_is_on_the_banner);
  gesso_queue_set_paused (f->queue, TRUE);
  g_signal_emit_by_name (f->queue, "failed", "Cannot write \"a.png\": the disk is full.");
  g_assert_nonnull (strstr (banner (f), "the disk is full. The queue waits"));
  GtkWidget *button = find_button_anywhere ("_Go On");
  g_assert_true (gtk_widget_get_visible (button));
  g_signal_emit_by_name (button, "clicked");
  WAIT (f, queue_goes_on);
  WAIT (f, nothing_is_on_the_banner);
  /* A user's own pause is no trouble. */
  gesso_queue_set_paused (f->queue, TRUE);
  g_assert_null (banner (f));
}

static const char *
problem (Fixture *f)
{
  const char *text = gesso_planner_get_problem (gesso_create_page_get_planner (f->page));
  return text ? text : "";
}

static gboolean
misses_text_encoder (Fixture *f)
{
  return strstr (problem (f), "no text encoder") &&
         says (GTK_WIDGET (f->window), "no text encoder");
}

/* The shipped model with links to all of its parts but one. */
static char *
make_model_without_encoder (const char *dir)
{
  static const char *const parts[] = { "model_index.json", "scheduler", "tokenizer",
                                       "tokenizer_2",      "unet",      "vae" };
  char *folder = g_build_filename (dir, "half", NULL);
  g_assert_cmpint (g_mkdir (folder, 0700), ==, 0);
  for (gsize i = 0; i < G_N_ELEMENTS (parts); i++)
    {
      g_autofree char *from =
          g_build_filename (g_getenv ("GESSO_DATA"), "models", "gesso-mini", parts[i], NULL);
      g_autofree char *to = g_build_filename (folder, parts[i], NULL);
      g_assert_cmpint (symlink (from, to), ==, 0);
    }
  return folder;
}

static void
test_missing_text_encoder (Fixture *f, gconstpointer unused)
{
  g_autofree char *folder = make_model_without_encoder (f->dir);
  gesso_form_set_text (f->form, "model", folder, NULL);
  WAIT (f, misses_text_encoder);
  g_assert_nonnull (strstr (problem (f), "choose"));
  g_assert_false (can_generate (f));
}

static void
open_file (Fixture *f, const char *path)
{
  g_autoptr (GFile) file = g_file_new_for_path (path);
  GSList list = { file, NULL };
  gesso_open_files (f->window, &list);
}

static char *
write_part (Fixture *f, const char *of, gsize n_bytes, const char *name)
{
  g_autofree char *from = g_build_filename (g_getenv ("GESSO_DATA"), of, NULL);
  g_autofree char *bytes = NULL;
  char *path = g_build_filename (f->dir, name, NULL);
  gsize n;
  g_assert_true (g_file_get_contents (from, &bytes, &n, NULL));
  g_assert_cmpuint (n, >, n_bytes);
  g_assert_true (g_file_set_contents (path, bytes, (gssize) n_bytes, NULL));
  return path;
}

static gboolean
damaged_picture_is_said (Fixture *f)
{
  return says (GTK_WIDGET (f->window), "the PNG is damaged") &&
         says (GTK_WIDGET (f->window), "Get the file again.");
}

static void
test_damaged_picture (Fixture *f, gconstpointer unused)
{
  g_autofree char *path = write_part (f, "screenshots/gallery.png", 5000, "cut.png");
  open_file (f, path);
  WAIT (f, damaged_picture_is_said);
  g_assert_false (gesso_document_has_picture (gesso_create_page_get_document (f->page)));
}

static gboolean
damaged_model_is_said (Fixture *f)
{
  return strstr (problem (f), "cut short") && says (GTK_WIDGET (f->window), "Download it again.");
}

static void
test_damaged_model (Fixture *f, gconstpointer unused)
{
  g_autofree char *path = write_part (
      f, "models/gesso-mini/unet/diffusion_pytorch_model.safetensors", 100000, "cut.safetensors");
  open_file (f, path);
  WAIT (f, damaged_model_is_said);
  g_assert_false (can_generate (f));
}

/* ---- the pill of the running job ---- */

enum
{
  NARROW = 520 /* px: pill in the middle and zoom do not fit beside each other */
};

/* @of_job: with a progress bar; else that of the zoom */
static GtkWidget *
find_pill (GtkWidget *widget, gboolean of_job)
{
  GtkWidget *found = NULL;
  if (gtk_widget_has_css_class (widget, "pill-box"))
    {
      GtkWidget *second = gtk_widget_get_next_sibling (gtk_widget_get_first_child (widget));
      found = GTK_IS_PROGRESS_BAR (second) == of_job ? widget : NULL;
    }
  for (GtkWidget *child = gtk_widget_get_first_child (widget); child && !found;
       child = gtk_widget_get_next_sibling (child))
    found = find_pill (child, of_job);
  return found;
}

static gboolean
pill_is_on_a_narrow_canvas (Fixture *f)
{
  GtkWidget *pill = find_pill (GTK_WIDGET (f->window), TRUE);
  return pill && gtk_widget_get_mapped (pill) && gtk_widget_get_width (pill) > 0 &&
         gtk_widget_get_width (gtk_widget_get_parent (pill)) < NARROW;
}

/* It lay over the zoom where the canvas was narrow. */
static void
test_pill_leaves_room_for_zoom (Fixture *f, gconstpointer unused)
{
  const char *recipes[] = { "{\"version\": 1, \"model\": \"m\", \"prompt\": \"hold\", \"seed\": 3, "
                            "\"width\": 64, \"height\": 64}",
                            NULL };
  gtk_window_set_default_size (GTK_WINDOW (f->window), 820, 600);
  gesso_queue_add_async (f->queue, recipes, GESSO_QUEUE_LAST, NULL, NULL, NULL);
  WAIT (f, pill_is_on_a_narrow_canvas);
  graphene_rect_t pill, zoom;
  GtkWidget *window = GTK_WIDGET (f->window);
  g_assert_true (gtk_widget_compute_bounds (find_pill (window, TRUE), window, &pill));
  g_assert_true (gtk_widget_compute_bounds (find_pill (window, FALSE), window, &zoom));
  g_test_message ("pill ends at %g, zoom begins at %g", pill.origin.x + pill.size.width,
                  zoom.origin.x);
  g_assert_cmpfloat (pill.origin.x + pill.size.width, <, zoom.origin.x);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  gtk_init ();
  g_assert_cmpint (argc, >, 1);
  fake_worker = argv[1];
  g_test_add ("/ui/errors/out-of-memory", Fixture, NULL, setup_fake, test_out_of_memory, teardown);
  g_test_add ("/ui/errors/all-failed-are-tried-again", Fixture, NULL, setup_fake,
              test_all_failed_are_tried_again, teardown);
  g_test_add ("/ui/pill/leaves-room-for-zoom", Fixture, NULL, setup_fake,
              test_pill_leaves_room_for_zoom, teardown);
  ADD ("errors/stopped-queue-goes-on", test_stopped_queue_goes_on);
  g_test_add ("/ui/errors/worker-that-keeps-dying", Fixture, NULL, setup_restarting,
              test_worker_that_keeps_dying, teardown);
  ADD ("errors/missing-text-encoder", test_missing_text_encoder);
  ADD ("errors/damaged-picture", test_damaged_picture);
  ADD ("errors/damaged-model", test_damaged_model);
  return g_test_run ();
}
