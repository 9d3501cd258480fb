/* SPDX-License-Identifier: MPL-2.0
 * gesso-window-actions.c - the commands of the window.
 */
#include "app/gesso-window-actions.h"

#include <glib/gi18n.h>

#include "app/gesso-compat.h"
#include "app/gesso-export-actions.h"
#include "app/gesso-extend-action.h"
#include "app/gesso-grid-dialog.h"
#include "app/gesso-job-actions.h"
#include "app/gesso-paths.h"
#include "app/gesso-picture-actions.h"
#include "app/gesso-recipe-offer.h"
#include "app/gesso-seed-editor.h"

static GessoQueue *
queue_of (GessoWindow *window)
{
  return gesso_session_get_queue (gesso_window_get_session (window));
}

/* ---- generating ---- */

static void
generate_at (GessoWindow *window, GessoQueuePlace place)
{
  GessoGenerateOptions options = { .place = place };
  gesso_create_page_generate (gesso_window_get_create_page (window), &options);
}

static void
generate_cb (GSimpleAction *action, GVariant *parameter, gpointer user_data)
{
  generate_at (user_data, GESSO_QUEUE_LAST);
}

static void
generate_next_cb (GSimpleAction *action, GVariant *parameter, gpointer user_data)
{
  generate_at (user_data, GESSO_QUEUE_NEXT);
}

static void
generate_now_cb (GSimpleAction *action, GVariant *parameter, gpointer user_data)
{
  generate_at (user_data, GESSO_QUEUE_NOW);
}

static void
grid_cb (GSimpleAction *action, GVariant *parameter, gpointer user_data)
{
  GessoWindow *window = user_data;
  gtk_window_present (GTK_WINDOW (
      gesso_grid_dialog_new (GTK_WINDOW (window), gesso_window_get_create_page (window))));
}

static void
prompts_read_cb (GObject *source, GAsyncResult *result, gpointer user_data)
{
  g_autoptr (GessoWindow) window = user_data;
  g_autoptr (GError) error = NULL;
  g_auto (GStrv) prompts = g_task_propagate_pointer (G_TASK (result), &error);
  if (!prompts)
    {
      gesso_window_say (window, error->message);
      return;
    }
  GessoGenerateOptions options = { .prompts = (const char *const *) prompts };
  gesso_create_page_generate (gesso_window_get_create_page (window), &options);
}

static void
prompts_thread (GTask *task, gpointer source, gpointer data, GCancellable *cancellable)
{
  GError *error = NULL;
  char **prompts = gesso_prompts_from_file (data, &error);
  if (prompts)
    g_task_return_pointer (task, prompts, (GDestroyNotify) g_strfreev);
  else
    g_task_return_error (task, error);
}

static void
prompts_chosen_cb (GFile *file, gpointer user_data)
{
  g_autoptr (GessoWindow) window = user_data;
  if (!file)
    return;
  /* no source: the thread may be the last to let go of the task */
  g_autoptr (GTask) task = g_task_new (NULL, NULL, prompts_read_cb, g_object_ref (window));
  g_task_set_source_tag (task, prompts_chosen_cb);
  g_task_set_task_data (task, g_file_get_path (file), g_free);
  g_task_run_in_thread (task, prompts_thread);
}

static void
prompts_from_file_cb (GSimpleAction *action, GVariant *parameter, gpointer user_data)
{
  gesso_compat_choose (GTK_WINDOW (user_data), GESSO_CHOOSE_FILE, _ ("Prompts From File"), NULL,
                       NULL, prompts_chosen_cb, g_object_ref (user_data));
}

static void
stop_editing_cb (GSimpleAction *action, GVariant *parameter, gpointer user_data)
{
  gesso_create_page_stop_editing (gesso_window_get_create_page (user_data));
}

static void
new_seed_cb (GSimpleAction *action, GVariant *parameter, gpointer user_data)
{
  gesso_seed_editor_draw (gesso_create_page_get_form (gesso_window_get_create_page (user_data)));
}

static void
reset_cb (GSimpleAction *action, GVariant *parameter, gpointer user_data)
{
  gesso_form_reset_all (gesso_create_page_get_form (gesso_window_get_create_page (user_data)));
}

/* ---- queue ---- */

static void
stop_cb (GSimpleAction *action, GVariant *parameter, gpointer user_data)
{
  GessoQueue *queue = queue_of (user_data);
  GessoJob *job = gesso_queue_get_running (queue);
  if (job)
    gesso_queue_cancel (queue, job);
}

static void
cancel_all_cb (GSimpleAction *action, GVariant *parameter, gpointer user_data)
{
  gesso_queue_cancel_all (queue_of (user_data));
}

static void
clear_ended_cb (GSimpleAction *action, GVariant *parameter, gpointer user_data)
{
  gesso_queue_remove_ended (queue_of (user_data));
}

/* In the order in which they were to be done; the list has the newest first. */
static void
retry_failed_cb (GSimpleAction *action, GVariant *parameter, gpointer user_data)
{
  GessoQueue *queue = queue_of (user_data);
  g_autoptr (GPtrArray) failed = g_ptr_array_new_with_free_func (g_object_unref);
  for (guint i = g_list_model_get_n_items (G_LIST_MODEL (queue)); i > 0; i--)
    {
      g_autoptr (GessoJob) job = g_list_model_get_item (G_LIST_MODEL (queue), i - 1);
      if (gesso_job_get_state (job) == GESSO_JOB_FAILED)
        g_ptr_array_add (failed, g_steal_pointer (&job));
    }
  for (guint i = 0; i < failed->len; i++)
    gesso_queue_retry (queue, failed->pdata[i]);
  if (!failed->len)
    gesso_window_say (user_data, _ ("No job has failed."));
}

static void
job_edit_cb (GSimpleAction *action, GVariant *parameter, gpointer user_data)
{
  GessoJob *job = gesso_queue_find (queue_of (user_data), g_variant_get_int64 (parameter));
  if (!job)
    return;
  gboolean waiting = gesso_job_get_state (job) == GESSO_JOB_WAITING;
  gesso_window_use_recipe (user_data, gesso_job_get_recipe (job),
                           waiting ? gesso_job_get_id (job) : 0);
}

/* Where there is no room for all, the picture comes in front of the queue and the parameters. */
static void
show_stage (GessoWindow *window)
{
  gboolean collapsed;
  GSettings *settings = gesso_window_get_settings (window);
  g_object_get (gesso_window_get_create_page (window), "collapsed", &collapsed, NULL);
  gesso_window_show_page (window, "create");
  if (!collapsed)
    return;
  g_settings_set_boolean (settings, "show-queue", FALSE);
  g_settings_set_boolean (settings, "show-parameters", FALSE);
}

/* The job's newest picture, on the canvas. */
static void
job_view_cb (GSimpleAction *action, GVariant *parameter, gpointer user_data)
{
  GessoJob *job = gesso_queue_find (queue_of (user_data), g_variant_get_int64 (parameter));
  const char *path = job ? gesso_job_get_last_picture (job) : NULL;
  GessoStage *stage = gesso_create_page_get_stage (gesso_window_get_create_page (user_data));
  GessoFilmstrip *strip = gesso_stage_get_filmstrip (stage);
  GessoResult *result = path ? gesso_filmstrip_find (strip, path) : NULL;
  if (!result)
    {
      gesso_window_say (user_data, _ ("This picture is not below the canvas any more."));
      return;
    }
  show_stage (user_data);
  gesso_filmstrip_set_selected (strip, result);
}

static void
restart_worker_cb (GSimpleAction *action, GVariant *parameter, gpointer user_data)
{
  gesso_session_restart_worker (gesso_window_get_session (user_data));
}

static void
use_cpu_cb (GSimpleAction *action, GVariant *parameter, gpointer user_data)
{
  gesso_session_use_cpu (gesso_window_get_session (user_data));
}

/* ---- folders and files ---- */

static void
folder_chosen_cb (GFile *file, gpointer user_data)
{
  g_autoptr (GessoWindow) window = user_data;
  const char *path = file ? g_file_peek_path (file) : NULL;
  const char *problem =
      path ? gesso_library_add_folder (gesso_window_get_library (window), path) : NULL;
  if (problem)
    gesso_window_say (window, problem);
}

static void
add_folder_cb (GSimpleAction *action, GVariant *parameter, gpointer user_data)
{
  gesso_compat_choose (GTK_WINDOW (user_data), GESSO_CHOOSE_FOLDER, _ ("Choose a Models Folder"),
                       NULL, NULL, folder_chosen_cb, g_object_ref (user_data));
}

static void
open_pictures_cb (GSimpleAction *action, GVariant *parameter, gpointer user_data)
{
  const char *path = gesso_session_get_pictures_dir (gesso_window_get_session (user_data));
  g_autofree char *uri = g_filename_to_uri (path, NULL, NULL);
  if (uri)
    g_app_info_launch_default_for_uri_async (uri, NULL, NULL, NULL, NULL);
}

/* ---- view ---- */

static void
fullscreen_cb (GSimpleAction *action, GVariant *parameter, gpointer user_data)
{
  if (gtk_window_is_fullscreen (user_data))
    gtk_window_unfullscreen (user_data);
  else
    gtk_window_fullscreen (user_data);
}

/* Hides both panes, or brings the parameters back. */
static void
toggle_panes_cb (GSimpleAction *action, GVariant *parameter, gpointer user_data)
{
  GSettings *settings = gesso_window_get_settings (user_data);
  gboolean any = g_settings_get_boolean (settings, "show-parameters") ||
                 g_settings_get_boolean (settings, "show-queue");
  g_settings_set_boolean (settings, "show-parameters", !any);
  if (any)
    g_settings_set_boolean (settings, "show-queue", FALSE);
}

static void
focus_prompt_cb (GSimpleAction *action, GVariant *parameter, gpointer user_data)
{
  gesso_window_show_page (user_data, "create");
  g_settings_set_boolean (gesso_window_get_settings (user_data), "show-parameters", TRUE);
  gesso_create_page_focus_prompt (gesso_window_get_create_page (user_data));
}

static gboolean
is_within (GtkWidget *focus, GtkWidget *region)
{
  return focus && (focus == region || gtk_widget_is_ancestor (focus, region));
}

/* F6: prompt and parameters, canvas, filmstrip, queue. */
static void
next_region_cb (GSimpleAction *action, GVariant *parameter, gpointer user_data)
{
  GessoCreatePage *page = gesso_window_get_create_page (user_data);
  GessoStage *stage = gesso_create_page_get_stage (page);
  GtkWidget *const regions[] = {
    GTK_WIDGET (gesso_create_page_get_prompt_view (page)),
    GTK_WIDGET (gesso_stage_get_canvas (stage)),
    GTK_WIDGET (gesso_stage_get_filmstrip (stage)),
    GTK_WIDGET (gesso_window_get_queue_pane (user_data)),
  };
  GtkWidget *focus = gtk_window_get_focus (user_data);
  gsize now = 0;
  while (now < G_N_ELEMENTS (regions) && !is_within (focus, regions[now]))
    now++;
  for (gsize i = 1; i <= G_N_ELEMENTS (regions); i++)
    {
      GtkWidget *next = regions[(now + i) % G_N_ELEMENTS (regions)];
      if (now == G_N_ELEMENTS (regions))
        next = regions[(i - 1) % G_N_ELEMENTS (regions)];
      if (gtk_widget_get_mapped (next) && gtk_widget_child_focus (next, GTK_DIR_TAB_FORWARD))
        return;
    }
}

static void
undo_discard_cb (GSimpleAction *action, GVariant *parameter, gpointer user_data)
{
  gesso_stage_undo_discard (gesso_create_page_get_stage (gesso_window_get_create_page (user_data)));
}

/* Of the filmstrip's selected picture. */
static void
use_result_cb (GSimpleAction *action, GVariant *parameter, gpointer user_data)
{
  GessoStage *stage = gesso_create_page_get_stage (gesso_window_get_create_page (user_data));
  GessoResult *result = gesso_filmstrip_get_selected (gesso_stage_get_filmstrip (stage));
  const char *path = result ? gesso_result_get_path (result) : NULL;
  g_autoptr (GFile) file = path ? g_file_new_for_path (path) : NULL;
  if (file)
    gesso_window_open_picture (user_data, file);
}

/* @parameter: what was pasted into the prompt */
static void
offer_settings_cb (GSimpleAction *action, GVariant *parameter, gpointer user_data)
{
  gesso_recipe_offer_text (user_data, g_variant_get_string (parameter, NULL));
}

/* The keys' own are always enabled, so that a press before the plan of the last keys is there is
 * not lost, and says why when nothing can be made. */
static const GActionEntry entries[] = {
  { "generate", generate_cb },
  { "generate-by-key", generate_cb },
  { "generate-now-by-key", generate_now_cb },
  { "generate-next", generate_next_cb },
  { "generate-now", generate_now_cb },
  { "grid", grid_cb },
  { "prompts-from-file", prompts_from_file_cb },
  { "stop-editing", stop_editing_cb },
  { "new-seed", new_seed_cb },
  { "reset-parameters", reset_cb },
  { "stop", stop_cb },
  { "cancel-all", cancel_all_cb },
  { "clear-ended", clear_ended_cb },
  { "retry-failed", retry_failed_cb },
  { "job-edit", job_edit_cb, "x" },
  { "job-view", job_view_cb, "x" },
  { "restart-worker", restart_worker_cb },
  { "use-cpu", use_cpu_cb },
  { "add-folder", add_folder_cb },
  { "open-pictures-folder", open_pictures_cb },
  { "fullscreen", fullscreen_cb },
  { "toggle-panes", toggle_panes_cb },
  { "focus-prompt", focus_prompt_cb },
  { "next-region", next_region_cb },
  { "undo-discard", undo_discard_cb },
  { "use-result", use_result_cb },
  { "offer-settings", offer_settings_cb, "s" },
};

static void
update_can_generate (GessoCreatePage *page, GParamSpec *pspec, gpointer user_data)
{
  static const char *const names[] = { "generate", "generate-next", "generate-now",
                                       "prompts-from-file" };
  gboolean can = gesso_create_page_get_can_generate (page);
  for (gsize i = 0; i < G_N_ELEMENTS (names); i++)
    g_simple_action_set_enabled (
        G_SIMPLE_ACTION (g_action_map_lookup_action (G_ACTION_MAP (user_data), names[i])), can);
}

static void
add_setting_actions (GessoWindow *window)
{
  static const char *const keys[] = { "show-parameters", "show-queue", "seed-locked" };
  for (gsize i = 0; i < G_N_ELEMENTS (keys); i++)
    {
      g_autoptr (GAction) action =
          g_settings_create_action (gesso_window_get_settings (window), keys[i]);
      g_action_map_add_action (G_ACTION_MAP (window), action);
    }
  g_autoptr (GPropertyAction) pause = g_property_action_new ("pause", queue_of (window), "paused");
  g_action_map_add_action (G_ACTION_MAP (window), G_ACTION (pause));
}

static void
add_filmstrip_menu (GessoWindow *window)
{
  GessoStage *stage = gesso_create_page_get_stage (gesso_window_get_create_page (window));
  g_autoptr (GMenu) menu = g_menu_new ();
  g_menu_append (menu, _ ("_Use Settings or Start From It…"), "win.use-result");
#if GESSO_VIDEO
  g_menu_append (menu, _ ("Expo_rt Film…"), "win.export-result");
#endif
  gesso_filmstrip_set_extra_menu (gesso_stage_get_filmstrip (stage), G_MENU_MODEL (menu));
}

void
gesso_window_actions_add (GessoWindow *window)
{
  g_return_if_fail (GESSO_IS_WINDOW (window));
  g_action_map_add_action_entries (G_ACTION_MAP (window), entries, G_N_ELEMENTS (entries), window);
  add_setting_actions (window);
  gesso_job_actions_add (G_ACTION_MAP (window), queue_of (window));
  gesso_extend_action_add (window);
  gesso_picture_actions_add (window);
#if GESSO_VIDEO
  gesso_export_actions_add (window);
#endif
  add_filmstrip_menu (window);
  GessoCreatePage *page = gesso_window_get_create_page (window);
  g_signal_connect_object (page, "notify::can-generate", G_CALLBACK (update_can_generate), window,
                           0);
  update_can_generate (page, NULL, window);
}
