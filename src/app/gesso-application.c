/* SPDX-License-Identifier: MPL-2.0
 * gesso-application.c - one program, one session.
 */
#include "app/gesso-application.h"

#include <glib/gi18n.h>
#include <string.h>

#include "app/gesso-commands.h"
#include "app/gesso-compat.h"
#include "app/gesso-dialog.h"
#include "app/gesso-ending.h"
#include "app/gesso-help.h"
#include "app/gesso-inputs.h"
#include "app/gesso-notify.h"
#include "app/gesso-open.h"
#include "app/gesso-paths.h"
#include "app/gesso-preferences.h"
#include "app/gesso-project-actions.h"
#include "app/gesso-watchdog.h"

#define RESOURCES "/io/github/gesso_studio/Gesso"

enum
{
  PATIENCE_MS = 30000, /* far more than workers take to park */
  SCREENSHOT_POLL_MS = 100,
  SCREENSHOT_MAX_POLLS = 100,
  SCREENSHOT_SETTLE_POLLS = 5
};

struct _GessoApplication
{
  AdwApplication parent_instance;
  char *data_dir, *backends, *pictures_dir, *worker, *screenshot;
  int n_polls, restart_delay_ms, patience_ms;
  GSettings *settings;
  GessoSession *session;
  GessoLibrary *library;
  GessoNotify *notify;
  GessoWindow *window; /* borrowed */
};

G_DEFINE_FINAL_TYPE (GessoApplication, gesso_application, ADW_TYPE_APPLICATION)

/* ---- start and end of the session ---- */

static char *
dup_pictures_dir (GessoApplication *self)
{
  if (self->pictures_dir)
    return g_strdup (self->pictures_dir);
  g_autofree char *chosen = g_settings_get_string (self->settings, "pictures-folder");
  return *chosen ? g_steal_pointer (&chosen) : NULL;
}

/* Returns: NULL for all cards, or the CPU where there is none */
static char *
dup_backends (GessoApplication *self)
{
  if (self->backends)
    return g_strdup (self->backends);
  g_autofree char *chosen = g_settings_get_string (self->settings, "devices");
  return *chosen ? g_steal_pointer (&chosen) : NULL;
}

static gboolean
open_session (GessoApplication *self, GError **error)
{
  g_autofree char *pictures = dup_pictures_dir (self);
  g_autofree char *worker = self->worker ? g_strdup (self->worker) : gesso_paths_dup_worker ();
  g_autofree char *backends = dup_backends (self);
  GessoSessionOptions options = { self->data_dir, pictures, worker, backends };
  options.restart_delay_ms = self->restart_delay_ms;
  options.vram_limit_mib = g_settings_get_int (self->settings, "vram-limit-mib");
  self->session = gesso_session_new (&options, error);
  if (!self->session)
    return FALSE;
  g_autofree char *inputs =
      g_build_filename (gesso_session_get_data_dir (self->session), "inputs", NULL);
  gesso_inputs_sweep (inputs, gesso_session_get_queue (self->session));
  return TRUE;
}

/* Preferences refuse a folder of models; a command line may name one. */
static void
add_own_folder (GessoApplication *self)
{
  const char *folder = gesso_session_get_pictures_dir (self->session);
  const char *problem = gesso_library_add_own_folder (self->library, folder);
  if (problem)
    g_message ("%s: %s", folder, problem);
}

/* With a data folder of its own the index goes there, too. */
static gboolean
open_library (GessoApplication *self, GError **error)
{
  g_autofree char *bundled = gesso_paths_dup_bundled_dir ();
  g_autofree char *path =
      self->data_dir ? g_build_filename (self->data_dir, "library.db", NULL) : NULL;
  g_autofree char *cache = self->data_dir ? g_build_filename (self->data_dir, "cache", NULL) : NULL;
  self->library = gesso_library_new (path, cache, bundled, error);
  if (self->library)
    add_own_folder (self);
  return self->library != NULL;
}

static void
close_session (GessoApplication *self)
{
  gesso_ending_begin (self->patience_ms);
  g_clear_object (&self->notify);
  if (self->session)
    gesso_session_close (self->session);
  if (self->library)
    gesso_library_close (self->library);
  g_clear_object (&self->session);
  g_clear_object (&self->library);
  gesso_ending_done ();
}

static void
quit_answered_cb (int answer, gpointer user_data)
{
  g_application_quit (G_APPLICATION (user_data));
}

static void
refuse_to_start (GessoApplication *self, const GError *error)
{
  g_printerr ("gesso: %s\n", error->message);
  const char *buttons[] = { _ ("_Quit"), NULL };
  GtkWindow *window = gesso_ask (NULL, _ ("Gesso Cannot Start"), error->message, buttons,
                                 GESSO_ASK_PLAIN, quit_answered_cb, self, NULL);
  gtk_window_set_application (window, GTK_APPLICATION (self));
}

/* ---- closing ---- */

static void
close_answered_cb (int answer, gpointer user_data)
{
  GessoApplication *self = user_data;
  if (answer != 1)
    return;
  g_settings_set_boolean (self->settings, "quit-explained", TRUE);
  if (self->window)
    gtk_window_destroy (GTK_WINDOW (self->window));
}

/* Said once: running jobs are parked, nothing is lost. */
static gboolean
explain_quitting (GessoApplication *self)
{
  GessoQueue *queue = gesso_session_get_queue (self->session);
  if (gesso_queue_get_n_waiting (queue) == 0 ||
      g_settings_get_boolean (self->settings, "quit-explained"))
    return FALSE;
  const char *buttons[] = { _ ("_Cancel"), _ ("_Quit"), NULL };
  gesso_ask (
      GTK_WINDOW (self->window), _ ("Quit While Jobs Wait?"),
      _ ("What runs is parked where it is and goes on when Gesso is started again. Nothing is "
         "lost."),
      buttons, GESSO_ASK_SUGGESTED, close_answered_cb, self, NULL);
  return TRUE;
}

static gboolean
close_request_cb (GtkWindow *window, gpointer user_data)
{
  return gesso_project_actions_ask_close (GESSO_WINDOW (window)) || explain_quitting (user_data);
}

static void
window_destroyed_cb (GtkWidget *window, gpointer user_data)
{
  GessoApplication *self = user_data;
  self->window = NULL;
}

static gboolean
open_window (GessoApplication *self)
{
  g_autoptr (GError) error = NULL;
  if (!open_session (self, &error) || !open_library (self, &error))
    {
      refuse_to_start (self, error);
      return FALSE;
    }
  self->window = GESSO_WINDOW (
      gesso_window_new (GTK_APPLICATION (self), self->session, self->library, self->settings));
  self->notify = gesso_notify_new (GTK_APPLICATION (self), self->session, self->settings);
  g_signal_connect (self->window, "close-request", G_CALLBACK (close_request_cb), self);
  g_signal_connect (self->window, "destroy", G_CALLBACK (window_destroyed_cb), self);
  return TRUE;
}

/* ---- picture of the window ---- */

static gboolean
screenshot_cb (gpointer user_data)
{
  GessoApplication *self = user_data;
  GessoCreatePage *page = gesso_window_get_create_page (self->window);
  GessoPlanner *planner = gesso_create_page_get_planner (page);
  gboolean known = gesso_planner_get_native (planner) > 0 || gesso_planner_get_problem (planner);
  self->n_polls++;
  if (known && self->n_polls < SCREENSHOT_MAX_POLLS)
    self->n_polls = SCREENSHOT_MAX_POLLS;
  if (self->n_polls < SCREENSHOT_MAX_POLLS + SCREENSHOT_SETTLE_POLLS)
    return G_SOURCE_CONTINUE;
  g_autoptr (GError) error = NULL;
  if (!gesso_window_save_screenshot (GTK_WINDOW (self->window), self->screenshot, &error))
    g_printerr ("gesso: %s\n", error->message);
  gtk_window_destroy (GTK_WINDOW (self->window));
  return G_SOURCE_REMOVE;
}

/* ---- GApplication ---- */

static void
gesso_application_activate (GApplication *app)
{
  GessoApplication *self = GESSO_APPLICATION (app);
  if (!self->window && !open_window (self))
    return;
  gtk_window_present (GTK_WINDOW (self->window));
  if (self->screenshot && self->n_polls == 0)
    g_timeout_add (SCREENSHOT_POLL_MS, screenshot_cb, self);
}

static void
gesso_application_open (GApplication *app, GFile **files, int n_files, const char *hint)
{
  GessoApplication *self = GESSO_APPLICATION (app);
  gesso_application_activate (app);
  if (!self->window)
    return;
  g_autoptr (GSList) list = NULL;
  for (int i = n_files; i > 0; i--)
    list = g_slist_prepend (list, files[i - 1]);
  gesso_open_files (self->window, list);
}

static void
quit_cb (GSimpleAction *action, GVariant *parameter, gpointer user_data)
{
  GessoApplication *self = user_data;
  if (self->window)
    gtk_window_close (GTK_WINDOW (self->window));
  else
    g_application_quit (G_APPLICATION (self));
}

static void
show_cb (GSimpleAction *action, GVariant *parameter, gpointer user_data)
{
  g_application_activate (G_APPLICATION (user_data));
}

static void
preferences_cb (GSimpleAction *action, GVariant *parameter, gpointer user_data)
{
  GessoApplication *self = user_data;
  if (self->window)
    gtk_window_present (gesso_preferences_new (self->window));
}

static void
shortcuts_cb (GSimpleAction *action, GVariant *parameter, gpointer user_data)
{
  GessoApplication *self = user_data;
  if (self->window)
    gtk_window_present (gesso_commands_new_window (GTK_WINDOW (self->window)));
}

static void
help_cb (GSimpleAction *action, GVariant *parameter, gpointer user_data)
{
  GessoApplication *self = user_data;
  if (self->window)
    gtk_window_present (
        gesso_help_new (GTK_WINDOW (self->window), gesso_session_get_pictures_dir (self->session)));
}

static void
about_cb (GSimpleAction *action, GVariant *parameter, gpointer user_data)
{
  GessoApplication *self = user_data;
  if (!self->window)
    return;
  const char *device = gesso_session_get_device (self->session);
  g_autofree char *comments =
      g_strdup_printf (_ ("Make pictures and clips from words on your own machine.\n\nDevice: %s"),
                       device && *device ? device : _ ("starting"));
  g_autofree char *debug = g_strdup_printf (
      "Gesso %s\nGTK %u.%u.%u, libadwaita %u.%u.%u\nDevice: %s\nData: %s\n", GESSO_VERSION,
      gtk_get_major_version (), gtk_get_minor_version (), gtk_get_micro_version (),
      adw_get_major_version (), adw_get_minor_version (), adw_get_micro_version (),
      device ? device : "", gesso_session_get_data_dir (self->session));
  gesso_compat_show_about (GTK_WINDOW (self->window), GESSO_VERSION, comments, debug);
}

/* Pictures that come from now on go there; those of before stay where they are. */
static void
pictures_folder_cb (GSettings *settings, const char *key, gpointer user_data)
{
  GessoApplication *self = user_data;
  g_autofree char *chosen = g_settings_get_string (settings, key);
  if (!self->session)
    return;
  gesso_session_set_pictures_dir (self->session, *chosen ? chosen : NULL);
  if (self->library)
    add_own_folder (self);
}

static void
devices_cb (GSettings *settings, const char *key, gpointer user_data)
{
  GessoApplication *self = user_data;
  g_autofree char *backends = dup_backends (self);
  if (self->session)
    gesso_session_set_backends (self->session, backends);
}

static void
vram_limit_cb (GSettings *settings, const char *key, gpointer user_data)
{
  GessoApplication *self = user_data;
  if (self->session)
    gesso_session_set_vram_limit (self->session, g_settings_get_int (settings, key));
}

static void
look_cb (GSettings *settings, const char *key, gpointer user_data)
{
  static const AdwColorScheme schemes[] = { ADW_COLOR_SCHEME_DEFAULT, ADW_COLOR_SCHEME_FORCE_LIGHT,
                                            ADW_COLOR_SCHEME_FORCE_DARK };
  int look = g_settings_get_enum (settings, "look");
  adw_style_manager_set_color_scheme (adw_style_manager_get_default (), schemes[look]);
}

static const GActionEntry entries[] = {
  { "quit", quit_cb },           { "show", show_cb }, { "preferences", preferences_cb },
  { "shortcuts", shortcuts_cb }, { "help", help_cb }, { "about", about_cb },
};

static void
report_main_loop (void)
{
  GessoWatchdogReport report = gesso_watchdog_stop ();
  g_autofree char *line = gesso_watchdog_describe (&report);
  g_printerr ("%s\n", line);
}

static void
watchdog_cb (GSimpleAction *action, GVariant *parameter, gpointer user_data)
{
  report_main_loop ();
  gesso_watchdog_start ();
}

static void
save_picture_cb (GSimpleAction *action, GVariant *parameter, gpointer user_data)
{
  GessoApplication *self = user_data;
  g_autoptr (GError) error = NULL;
  if (self->window &&
      !gesso_window_save_screenshot (GTK_WINDOW (self->window),
                                     g_variant_get_string (parameter, NULL), &error))
    g_printerr ("gesso: %s\n", error->message);
}

/* For the pictures of the manual: GESSO_DEBUG=screenshot adds an action that takes a path. */
static void
add_screenshot_action (GessoApplication *self)
{
  static const GActionEntry entry = { "screenshot", save_picture_cb, "s" };
  const char *debug = g_getenv ("GESSO_DEBUG");
  if (debug && strstr (debug, "screenshot"))
    g_action_map_add_action_entries (G_ACTION_MAP (self), &entry, 1, self);
}

/* Its action ends one measurement and begins the next: the start is not what one wants to know. */
static void
start_watchdog (GessoApplication *self)
{
  static const GActionEntry entry = { "watchdog", watchdog_cb };
  g_action_map_add_action_entries (G_ACTION_MAP (self), &entry, 1, self);
  gesso_watchdog_start ();
}

static void
gesso_application_startup (GApplication *app)
{
  GessoApplication *self = GESSO_APPLICATION (app);
  G_APPLICATION_CLASS (gesso_application_parent_class)->startup (app);
  gtk_window_set_default_icon_name (GESSO_APPLICATION_ID);
  gtk_icon_theme_add_resource_path (gtk_icon_theme_get_for_display (gdk_display_get_default ()),
                                    RESOURCES "/icons");
  g_action_map_add_action_entries (G_ACTION_MAP (self), entries, G_N_ELEMENTS (entries), self);
  gesso_commands_set_accels (GTK_APPLICATION (self));
  g_signal_connect_object (self->settings, "changed::look", G_CALLBACK (look_cb), self, 0);
  look_cb (self->settings, "look", self);
  g_signal_connect_object (self->settings, "changed::pictures-folder",
                           G_CALLBACK (pictures_folder_cb), self, 0);
  g_signal_connect_object (self->settings, "changed::devices", G_CALLBACK (devices_cb), self, 0);
  g_signal_connect_object (self->settings, "changed::vram-limit-mib", G_CALLBACK (vram_limit_cb),
                           self, 0);
  add_screenshot_action (self);
  if (gesso_watchdog_wanted ())
    start_watchdog (self);
}

static void
gesso_application_shutdown (GApplication *app)
{
  close_session (GESSO_APPLICATION (app));
  if (gesso_watchdog_wanted ())
    report_main_loop ();
  G_APPLICATION_CLASS (gesso_application_parent_class)->shutdown (app);
}

/* Without a display GTK would end the program with a line that helps nobody. */
static int
check_display (GessoApplication *self)
{
  g_autoptr (GError) error = NULL;
  if (!gtk_init_check ())
    {
      g_printerr ("%s\n", _ ("gesso: There is no display. In a terminal, "
                             "`gesso-cli generate \"a red apple\"` makes pictures."));
      return GESSO_EXIT_NO_DISPLAY;
    }
  if (!self->settings)
    self->settings = gesso_paths_new_settings (&error);
  if (self->settings)
    return -1;
  g_printerr ("gesso: %s\n", error->message);
  return 1;
}

static int
gesso_application_handle_local_options (GApplication *app, GVariantDict *options)
{
  GessoApplication *self = GESSO_APPLICATION (app);
  if (g_variant_dict_contains (options, "version"))
    {
      g_print ("gesso %s\n", GESSO_VERSION);
      return 0;
    }
  g_variant_dict_lookup (options, "data-dir", "^ay", &self->data_dir);
  g_variant_dict_lookup (options, "screenshot", "^ay", &self->screenshot);
  g_variant_dict_lookup (options, "backend", "s", &self->backends);
  /* another data folder is another session: it does not join the running program */
  if (self->data_dir || self->screenshot)
    g_application_set_flags (app, g_application_get_flags (app) | G_APPLICATION_NON_UNIQUE);
  return check_display (self);
}

static void
gesso_application_finalize (GObject *object)
{
  GessoApplication *self = GESSO_APPLICATION (object);
  g_free (self->data_dir);
  g_free (self->backends);
  g_free (self->pictures_dir);
  g_free (self->worker);
  g_free (self->screenshot);
  g_clear_object (&self->settings);
  G_OBJECT_CLASS (gesso_application_parent_class)->finalize (object);
}

static void
gesso_application_class_init (GessoApplicationClass *klass)
{
  GApplicationClass *app_class = G_APPLICATION_CLASS (klass);
  G_OBJECT_CLASS (klass)->finalize = gesso_application_finalize;
  app_class->activate = gesso_application_activate;
  app_class->open = gesso_application_open;
  app_class->startup = gesso_application_startup;
  app_class->shutdown = gesso_application_shutdown;
  app_class->handle_local_options = gesso_application_handle_local_options;
}

static void
gesso_application_init (GessoApplication *self)
{
  static const GOptionEntry options[] = {
    { "version", 0, 0, G_OPTION_ARG_NONE, NULL, N_ ("Say the version"), NULL },
    { "data-dir", 0, 0, G_OPTION_ARG_FILENAME, NULL, N_ ("Keep queue and index in this folder"),
      N_ ("FOLDER") },
    { "backend", 0, 0, G_OPTION_ARG_STRING, NULL,
      N_ ("What computes: cpu, cuda, auto, several as cuda:0,cuda:1, or null for tests"),
      N_ ("NAMES") },
    { "screenshot", 0, G_OPTION_FLAG_HIDDEN, G_OPTION_ARG_FILENAME, NULL, NULL, NULL },
    { NULL }
  };
  self->patience_ms = PATIENCE_MS;
  g_application_add_main_option_entries (G_APPLICATION (self), options);
}

GessoApplication *
gesso_application_new (void)
{
  return g_object_new (GESSO_TYPE_APPLICATION, "application-id", GESSO_APPLICATION_ID, "flags",
                       G_APPLICATION_HANDLES_OPEN, "resource-base-path", RESOURCES, NULL);
}

void
gesso_application_set_patience (GessoApplication *self, int patience_ms)
{
  g_return_if_fail (GESSO_IS_APPLICATION (self) && patience_ms >= 0);
  self->patience_ms = patience_ms;
}

void
gesso_application_set_options (GessoApplication *self, const GessoSessionOptions *options)
{
  g_return_if_fail (GESSO_IS_APPLICATION (self) && options);
  self->data_dir = g_strdup (options->data_dir);
  self->pictures_dir = g_strdup (options->pictures_dir);
  self->worker = g_strdup (options->worker);
  self->backends = g_strdup (options->backends);
  self->restart_delay_ms = options->restart_delay_ms;
  g_autoptr (GError) error = NULL;
  self->settings = gesso_paths_new_settings (&error);
  if (!self->settings)
    g_warning ("%s", error->message);
}

GessoWindow *
gesso_application_get_window (GessoApplication *self)
{
  g_return_val_if_fail (GESSO_IS_APPLICATION (self), NULL);
  return self->window;
}

gboolean
gesso_application_has_backends (GessoApplication *self)
{
  g_return_val_if_fail (GESSO_IS_APPLICATION (self), FALSE);
  return self->backends != NULL;
}
