/* SPDX-License-Identifier: MPL-2.0
 * window-fixture.c - the real window in a test's own process.
 */
#include "window-fixture.h"

#include <glib/gstdio.h>
#include <string.h>

#include "app/gesso-paths.h"

static gboolean
tick_cb (gpointer data)
{
  return G_SOURCE_CONTINUE;
}

/* Conditions on files are looked at again without an event. */
void
wait_until (Fixture *f, Condition condition, const char *what)
{
  guint tick = g_timeout_add (50, tick_cb, NULL);
  gint64 deadline = g_get_monotonic_time () + DEADLINE_S * G_USEC_PER_SEC;
  while (!condition (f))
    {
      if (g_get_monotonic_time () > deadline)
        g_error ("This never happened: %s", what);
      g_main_context_iteration (NULL, TRUE);
    }
  g_source_remove (tick);
}

void
start_in (Fixture *f, const char *dir)
{
  g_autofree char *data = g_build_filename (dir, "data", NULL);
  g_autofree char *pictures = g_build_filename (dir, "pictures", NULL);
  const char *backends = g_getenv ("GESSO_TEST_BACKENDS");
  const char *restart = g_getenv ("GESSO_TEST_RESTART_MS");
  GessoSessionOptions options = { data, pictures, g_getenv ("GESSO_TEST_WORKER"),
                                  backends ? backends : "null" };
  options.restart_delay_ms = restart ? (int) g_ascii_strtoll (restart, NULL, 10) : 0;
  if (g_str_equal (options.backends, "settings"))
    options.backends = NULL;
  g_autoptr (GError) error = NULL;
  f->app = gesso_application_new ();
  GApplication *app = G_APPLICATION (f->app);
  g_application_set_flags (app, g_application_get_flags (app) | G_APPLICATION_NON_UNIQUE);
  gesso_application_set_options (f->app, &options);
  g_application_register (G_APPLICATION (f->app), NULL, &error);
  g_assert_no_error (error);
  g_application_activate (G_APPLICATION (f->app));
  f->window = gesso_application_get_window (f->app);
  g_assert_nonnull (f->window);
  f->page = gesso_window_get_create_page (f->window);
  f->form = gesso_create_page_get_form (f->page);
  f->session = gesso_window_get_session (f->window);
  f->queue = gesso_session_get_queue (f->session);
}

static void
reset_settings (void)
{
  g_autoptr (GSettings) settings = gesso_paths_new_settings (NULL);
  g_assert_nonnull (settings);
  static const char *const keys[] = {
    "show-queue",     "show-parameters", "seed-locked",     "welcome-dismissed", "page",
    "quit-explained", "pictures-folder", "notify",          "devices",           "vram-limit-mib",
    "window-width",   "window-height",   "window-maximized"
  };
  for (gsize i = 0; i < G_N_ELEMENTS (keys); i++)
    g_settings_reset (settings, keys[i]);
  g_settings_set_string (settings, "devices", ""); /* all cards that the tests' worker has */
}

void
setup (Fixture *f, gconstpointer unused)
{
  reset_settings ();
  f->dir = g_dir_make_tmp ("gesso-ui-XXXXXX", NULL);
  start_in (f, f->dir);
}

/* g_application_run() alone shuts an application down; told to end, it does nothing else. */
static int
end_cb (GApplication *app, GVariantDict *options, gpointer unused)
{
  return 0;
}

/* The newest first: what stands before a window holds on to it. */
static void
destroy_windows (void)
{
  GListModel *windows = gtk_window_get_toplevels ();
  for (guint n; (n = g_list_model_get_n_items (windows)) > 0;)
    {
      g_autoptr (GtkWindow) window = g_list_model_get_item (windows, n - 1);
      gtk_window_destroy (window);
    }
}

void
stop (Fixture *f)
{
  destroy_windows ();
  char name[] = "gesso", *argv[] = { name, NULL };
  g_signal_connect (f->app, "handle-local-options", G_CALLBACK (end_cb), NULL);
  g_application_run (G_APPLICATION (f->app), 1, argv);
  while (g_main_context_iteration (NULL, FALSE))
    ;
  g_application_set_default (NULL);
  g_clear_object (&f->app);
}

void
remove_tree (const char *path)
{
  g_autoptr (GDir) dir =
      g_file_test (path, G_FILE_TEST_IS_SYMLINK) ? NULL : g_dir_open (path, 0, NULL);
  const char *name;
  while (dir && (name = g_dir_read_name (dir)))
    {
      g_autofree char *child = g_build_filename (path, name, NULL);
      remove_tree (child);
    }
  g_remove (path);
}

void
copy_database (const char *from, const char *to)
{
  g_assert_cmpint (g_mkdir_with_parents (to, 0700), ==, 0);
  g_autoptr (GDir) dir = g_dir_open (from, 0, NULL);
  const char *name;
  while (dir && (name = g_dir_read_name (dir)))
    if (g_str_has_prefix (name, "session.db"))
      {
        g_autofree char *a = g_build_filename (from, name, NULL);
        g_autofree char *b = g_build_filename (to, name, NULL);
        char *bytes;
        gsize n;
        if (g_file_get_contents (a, &bytes, &n, NULL))
          {
            g_file_set_contents (b, bytes, (gssize) n, NULL);
            g_free (bytes);
          }
      }
}

void
teardown (Fixture *f, gconstpointer unused)
{
  stop (f);
  remove_tree (f->dir);
  g_free (f->dir);
}

void
act (Fixture *f, const char *action)
{
  g_assert_true (gtk_widget_activate_action (GTK_WIDGET (f->window), action, NULL));
}

void
act_on (Fixture *f, const char *action, GessoJob *job)
{
  g_assert_true (
      gtk_widget_activate_action (GTK_WIDGET (f->window), action, "x", gesso_job_get_id (job)));
}

gboolean
action_enabled (Fixture *f, const char *name)
{
  return g_action_group_get_action_enabled (G_ACTION_GROUP (f->window), name);
}

/* ---- conditions ---- */

gboolean
planned (Fixture *f)
{
  return gesso_planner_get_native (gesso_create_page_get_planner (f->page)) > 0;
}

gboolean
refused (Fixture *f)
{
  return gesso_planner_get_problem (gesso_create_page_get_planner (f->page)) != NULL;
}

gboolean
allowed (Fixture *f)
{
  return !refused (f) && *gesso_planner_get_text (gesso_create_page_get_planner (f->page));
}

guint
n_jobs (Fixture *f)
{
  return g_list_model_get_n_items (G_LIST_MODEL (f->queue));
}

GessoJob *
job_at (Fixture *f, guint position)
{
  g_autoptr (GessoJob) job = g_list_model_get_item (G_LIST_MODEL (f->queue), position);
  return job; /* the queue keeps it */
}

gboolean
has_one_picture (Fixture *f)
{
  return n_jobs (f) == 1 && gesso_job_get_state (job_at (f, 0)) == GESSO_JOB_DONE;
}

gboolean
nothing_waits (Fixture *f)
{
  return gesso_queue_get_n_waiting (f->queue) == 0;
}

gboolean
has_result (Fixture *f)
{
  GessoFilmstrip *strip = gesso_stage_get_filmstrip (gesso_create_page_get_stage (f->page));
  GListModel *results = gesso_filmstrip_get_model (strip);
  return g_list_model_get_n_items (results) > 0 && !gesso_queue_get_running (f->queue);
}

gboolean
can_generate (Fixture *f)
{
  return gesso_create_page_get_can_generate (f->page);
}

void
make_picture (Fixture *f)
{
  WAIT (f, planned);
  WAIT (f, can_generate);
  act (f, "win.generate");
  WAIT (f, has_one_picture);
}

static void
exited_cb (GPid pid, int status, gpointer user_data)
{
  *(int *) user_data = status;
  g_spawn_close_pid (pid);
}

static int exit_status;

static gboolean
has_exited (Fixture *f)
{
  return exit_status >= 0;
}

void
press (Fixture *f, const char *command)
{
  g_auto (GStrv) argv = NULL;
  GPid pid;
  g_autoptr (GError) error = NULL;
  g_shell_parse_argv (command, NULL, &argv, NULL);
  exit_status = -1;
  g_spawn_async (NULL, argv, NULL, G_SPAWN_SEARCH_PATH | G_SPAWN_DO_NOT_REAP_CHILD, NULL, NULL,
                 &pid, &error);
  g_assert_no_error (error);
  g_child_watch_add (pid, exited_cb, &exit_status);
  WAIT (f, has_exited);
  g_assert_cmpint (exit_status, ==, 0);
}

gboolean
has_input (void)
{
  g_autofree char *xdotool = g_find_program_in_path ("xdotool");
  if (!xdotool)
    g_test_skip ("xdotool is not installed");
  return xdotool != NULL;
}

gboolean
is_active (Fixture *f)
{
  return gtk_window_is_active (GTK_WINDOW (f->window));
}

void
focus_prompt (Fixture *f)
{
  press (f, "xdotool search --sync --onlyvisible --name Gesso windowmove 0 0 windowfocus --sync");
  WAIT (f, is_active);
  act (f, "win.focus-prompt");
}

static int n_frames;

static gboolean
frame_cb (GtkWidget *widget, GdkFrameClock *clock, gpointer unused)
{
  n_frames++;
  return G_SOURCE_CONTINUE;
}

static gboolean
is_drawn (Fixture *f)
{
  return n_frames > 2;
}

void
draw (Fixture *f, GtkWidget *widget)
{
  n_frames = 0;
  guint id = gtk_widget_add_tick_callback (widget, frame_cb, NULL, NULL);
  WAIT (f, is_drawn);
  gtk_widget_remove_tick_callback (widget, id);
}

/* ---- what the window shows ---- */

typedef gboolean (*IsIt) (GtkWidget *widget, gpointer data);

static GtkWidget *
find_where (GtkWidget *widget, IsIt is_it, gpointer data)
{
  GtkWidget *found = is_it (widget, data) ? widget : NULL;
  for (GtkWidget *child = gtk_widget_get_first_child (widget); child && !found;
       child = gtk_widget_get_next_sibling (child))
    found = find_where (child, is_it, data);
  return found;
}

typedef struct
{
  GType type;
  int n;
} Nth;

static gboolean
is_nth (GtkWidget *widget, gpointer data)
{
  Nth *nth = data;
  return g_type_is_a (G_OBJECT_TYPE (widget), nth->type) && nth->n-- == 0;
}

GtkWidget *
nth (GtkWidget *widget, GType type, int n)
{
  return find_where (widget, is_nth, &(Nth){ type, n });
}

static gboolean
has_text (GtkWidget *widget, gpointer part)
{
  return GTK_IS_LABEL (widget) && strstr (gtk_label_get_text (GTK_LABEL (widget)), part);
}

GtkWidget *
find_label (GtkWidget *widget, const char *part)
{
  return find_where (widget, has_text, (gpointer) part);
}

static gboolean
shows_text (GtkWidget *widget, gpointer part)
{
  return has_text (widget, part) && gtk_widget_get_mapped (widget);
}

gboolean
says (GtkWidget *widget, const char *part)
{
  return find_where (widget, shows_text, (gpointer) part) != NULL;
}

static gboolean
is_button (GtkWidget *widget, gpointer label)
{
  return GTK_IS_BUTTON (widget) &&
         g_strcmp0 (gtk_button_get_label (GTK_BUTTON (widget)), label) == 0;
}

GtkWidget *
find_button (GtkWidget *widget, const char *label)
{
  return find_where (widget, is_button, (gpointer) label);
}

GtkWidget *
find_button_anywhere (const char *label)
{
  GListModel *windows = gtk_window_get_toplevels ();
  for (guint i = 0; i < g_list_model_get_n_items (windows); i++)
    {
      g_autoptr (GtkWidget) window = g_list_model_get_item (windows, i);
      GtkWidget *found = find_button (window, label);
      if (found)
        return found;
    }
  return NULL;
}

gboolean
settings_are_offered (Fixture *f)
{
  return find_button_anywhere ("_Use Settings") != NULL;
}

gboolean
prompt_is_apple (Fixture *f)
{
  return g_str_equal (recipe_str (gesso_form_peek (f->form)->prompt), "a red apple");
}
