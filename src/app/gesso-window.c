/* SPDX-License-Identifier: MPL-2.0
 * gesso-window.c - the window: header bar, pages, queue pane, toasts, the one banner.
 */
#include "app/gesso-window.h"

#include <glib/gi18n.h>

#if GESSO_VIDEO
#  include "app/gesso-film-maker.h"
#endif
#include "app/gesso-found.h"
#include "app/gesso-gallery-link.h"
#include "app/gesso-open.h"
#include "app/gesso-progress-ring.h"
#include "app/gesso-project-actions.h"
#include "app/gesso-recipe-offer.h"
#include "app/gesso-refresh.h"
#include "app/gesso-tooltip.h"
#include "app/gesso-window-actions.h"

enum
{
  COLLAPSED_WIDTH = 760,   /* px; below it one pane is seen at a time */
  BOTH_PANES_WIDTH = 1100, /* px; below it parameters and queue leave the picture no room */
  NARROW_WIDTH = 560       /* px; below it the view switcher shows icons over small names */
};

struct _GessoWindow
{
  AdwApplicationWindow parent_instance;
  GessoSession *session;
  GessoLibrary *library;
  GSettings *settings;
#if GESSO_VIDEO
  GessoFilmMaker *films;
#endif
  GessoProject *project;
  GtkWidget *toasts, *header, *parameters_button, *switcher, *banner_place, *pages, *queue_revealer,
      *queue_separator;
  GtkWidget *queue_place, *queue_button, *queue_ring, *queue_count, *menu_button;
  GtkWidget *project_label;
  GMenu *recent_menu;
  GtkWidget *create, *queue_pane, *banner;
  AdwToast *answer; /* weak: the last one */
  guint layout_idle;
  gboolean collapsed;
};

G_DEFINE_FINAL_TYPE (GessoWindow, gesso_window, ADW_TYPE_APPLICATION_WINDOW)

/* ---- telling ---- */

static AdwToast *
new_toast (const char *message)
{
  g_autofree char *escaped = g_markup_escape_text (message, -1);
  return adw_toast_new (escaped);
}

static void
show_toast (GessoWindow *self, AdwToast *toast)
{
  adw_toast_overlay_add_toast (ADW_TOAST_OVERLAY (self->toasts), toast);
}

/* An answer to what was done just now is not to wait behind news, nor behind older answers. */
void
gesso_window_say (GessoWindow *self, const char *message)
{
  g_return_if_fail (GESSO_IS_WINDOW (self) && message);
  AdwToast *older = self->answer, *toast = new_toast (message);
  g_set_weak_pointer (&self->answer, toast);
  adw_toast_set_priority (toast, ADW_TOAST_PRIORITY_HIGH);
  if (older)
    adw_toast_dismiss (older);
  show_toast (self, toast);
}

/* What has a button comes back when a later answer is through. */
void
gesso_window_say_with_action (GessoWindow *self,
                              const char *message,
                              const char *button,
                              const char *action)
{
  g_return_if_fail (GESSO_IS_WINDOW (self) && message);
  AdwToast *toast = new_toast (message);
  adw_toast_set_button_label (toast, button);
  adw_toast_set_action_name (toast, action);
  adw_toast_set_priority (toast, ADW_TOAST_PRIORITY_HIGH);
  show_toast (self, toast);
}

void
gesso_window_tell_news (GessoWindow *self, const char *message)
{
  g_return_if_fail (GESSO_IS_WINDOW (self) && message);
  show_toast (self, new_toast (message));
}

static void
message_cb (GessoCreatePage *page, const char *message, gpointer user_data)
{
  gesso_window_say (user_data, message);
}

static void
discarded_cb (GessoWindow *self)
{
  gesso_window_say_with_action (self, _ ("Moved to the trash"), _ ("_Undo"), "win.undo-discard");
}

static void
job_ended_cb (GessoQueue *queue, GessoJob *job, gpointer user_data)
{
  GessoWindow *self = user_data;
  if (gesso_job_get_state (job) != GESSO_JOB_FAILED)
    return;
  gesso_window_say_with_action (self, gesso_job_get_error (job), _ ("Queue"), "win.show-queue");
}

/* ---- queue button ---- */

static void
update_queue_button (GtkWidget *widget)
{
  GessoWindow *self = GESSO_WINDOW (widget);
  GessoQueue *queue = gesso_session_get_queue (self->session);
  int n = gesso_queue_get_n_waiting (queue);
  g_autofree char *count = n > 0 ? g_strdup_printf ("%d", n) : g_strdup ("");
  gtk_label_set_label (GTK_LABEL (self->queue_count), count);
  gtk_widget_set_visible (self->queue_count, n > 0);
  gesso_progress_ring_set_fraction (GESSO_PROGRESS_RING (self->queue_ring),
                                    n > 0 ? gesso_queue_get_fraction (queue) : -1);
  g_autofree char *spoken =
      n > 0 ? g_strdup_printf (g_dngettext (NULL, "Queue, %d job", "Queue, %d jobs", (gulong) n), n)
            : g_strdup (_ ("Queue"));
  gesso_tooltip_set (self->queue_button, spoken);
  gtk_accessible_update_property (GTK_ACCESSIBLE (self->queue_button),
                                  GTK_ACCESSIBLE_PROPERTY_LABEL, spoken, -1);
}

static void
queue_changed_cb (GessoWindow *self)
{
  gesso_refresh_queue (GTK_WIDGET (self), update_queue_button);
}

static void
connect_queue (GessoWindow *self)
{
  GessoQueue *queue = gesso_session_get_queue (self->session);
  static const char *const watched[] = { "notify::n-waiting", "notify::fraction" };
  for (gsize i = 0; i < G_N_ELEMENTS (watched); i++)
    g_signal_connect_object (queue, watched[i], G_CALLBACK (queue_changed_cb), self,
                             G_CONNECT_SWAPPED);
  g_signal_connect_object (queue, "job-ended", G_CALLBACK (job_ended_cb), self, 0);
  update_queue_button (GTK_WIDGET (self));
}

/* ---- project ---- */

static void
update_title (GessoWindow *self)
{
  g_autofree char *name = gesso_project_dup_name (self->project);
  gboolean modified = name && gesso_project_get_modified (self->project);
  g_autofree char *shown =
      /* Translators: a project's name, with changes that are not saved */
      modified ? g_strdup_printf (_ ("• %s"), name) : g_strdup (name ? name : "");
  g_autofree char *title =
      name ? g_strdup_printf (_ ("%s — Gesso"), shown) : g_strdup (_ ("Gesso"));
  g_autofree char *spoken =
      modified ? g_strdup_printf (_ ("%s, not saved"), name) : g_strdup (name ? name : "");
  gtk_window_set_title (GTK_WINDOW (self), title);
  gtk_label_set_label (GTK_LABEL (self->project_label), shown);
  gtk_widget_set_tooltip_text (self->project_label, gesso_project_get_path (self->project));
  gtk_widget_set_visible (self->project_label, name && !self->collapsed);
  gtk_accessible_update_property (GTK_ACCESSIBLE (self->project_label),
                                  GTK_ACCESSIBLE_PROPERTY_LABEL, spoken, -1);
}

/* ---- layout by width ---- */

static void
update_panes (GessoWindow *self)
{
  gboolean queue = g_settings_get_boolean (self->settings, "show-queue");
  gboolean alone = self->collapsed && queue;
  gtk_revealer_set_reveal_child (GTK_REVEALER (self->queue_revealer), queue);
  gtk_widget_set_hexpand (self->queue_revealer, alone);
  gtk_widget_set_visible (self->queue_separator, queue && !alone);
  gtk_widget_set_visible (self->pages, !alone);
}

/* The pane that was opened last stays; with both, the window would grow beyond a small screen. */
static void
make_room_for (GSettings *settings, const char *opened, gpointer user_data)
{
  GessoWindow *self = user_data;
  gboolean is_queue = g_str_equal (opened, "show-queue");
  const char *other = is_queue ? "show-parameters" : "show-queue";
  int width = gtk_widget_get_width (GTK_WIDGET (self));
  if (self->collapsed && !is_queue) /* which covers them */
    g_settings_set_boolean (settings, other, FALSE);
  if (width >= COLLAPSED_WIDTH && width < BOTH_PANES_WIDTH &&
      g_settings_get_boolean (settings, opened))
    g_settings_set_boolean (settings, other, FALSE);
}

/* On the other pages nobody would see what the button does.  Who turns to a page wants to see it:
 * in a narrow window the queue covers them all. */
static void
page_cb (GessoWindow *self)
{
  if (self->collapsed)
    g_settings_set_boolean (self->settings, "show-queue", FALSE);
  const char *page = adw_view_stack_get_visible_child_name (ADW_VIEW_STACK (self->pages));
  gtk_widget_set_visible (self->parameters_button, g_strcmp0 (page, "create") == 0);
}

static gboolean
layout_cb (gpointer user_data)
{
  GessoWindow *self = user_data;
  self->layout_idle = 0;
  int width = gtk_widget_get_width (GTK_WIDGET (self));
  gboolean collapsed = width > 0 && width < COLLAPSED_WIDTH;
  adw_view_switcher_set_policy (ADW_VIEW_SWITCHER (self->switcher),
                                width < NARROW_WIDTH ? ADW_VIEW_SWITCHER_POLICY_NARROW
                                                     : ADW_VIEW_SWITCHER_POLICY_WIDE);
  if (collapsed == self->collapsed)
    return G_SOURCE_REMOVE;
  self->collapsed = collapsed;
  g_object_set (self->create, "collapsed", collapsed, NULL);
  update_panes (self);
  update_title (self);
  return G_SOURCE_REMOVE;
}

/* Children may not be shown or hidden while sizes are given out. */
static void
gesso_window_size_allocate (GtkWidget *widget, int width, int height, int baseline)
{
  GessoWindow *self = GESSO_WINDOW (widget);
  GTK_WIDGET_CLASS (gesso_window_parent_class)->size_allocate (widget, width, height, baseline);
  if (!self->layout_idle)
    self->layout_idle = g_idle_add_full (G_PRIORITY_DEFAULT, layout_cb, self, NULL);
}

/* ---- pages and recipes ---- */

void
gesso_window_show_page (GessoWindow *self, const char *name)
{
  g_return_if_fail (GESSO_IS_WINDOW (self) && name);
  if (adw_view_stack_get_child_by_name (ADW_VIEW_STACK (self->pages), name))
    adw_view_stack_set_visible_child_name (ADW_VIEW_STACK (self->pages), name);
}

void
gesso_window_open_picture (GessoWindow *self, GFile *file)
{
  g_return_if_fail (GESSO_IS_WINDOW (self) && G_IS_FILE (file));
  gesso_recipe_offer (self, file);
}

gboolean
gesso_window_use_recipe (GessoWindow *self, const char *json, gint64 job)
{
  g_return_val_if_fail (GESSO_IS_WINDOW (self) && json, FALSE);
  g_autoptr (GError) error = NULL;
  if (!gesso_create_page_load_recipe (GESSO_CREATE_PAGE (self->create), json, job, &error))
    {
      gesso_window_say (self, error->message);
      return FALSE;
    }
  gesso_window_show_page (self, "create");
  g_settings_set_boolean (self->settings, "show-parameters", TRUE);
  return TRUE;
}

static gboolean
picture_dropped_cb (GessoCreatePage *page, GFile *file, gpointer user_data)
{
  g_autoptr (GSList) files = g_slist_prepend (NULL, file);
  gesso_open_files (user_data, files);
  return TRUE;
}

static gboolean
drop_cb (GtkDropTarget *target, const GValue *value, double x, double y, gpointer user_data)
{
  GessoWindow *self = user_data;
  if (!G_VALUE_HOLDS (value, GDK_TYPE_FILE_LIST))
    return FALSE;
  g_autoptr (GSList) files = gdk_file_list_get_files (g_value_get_boxed (value));
  if (!files)
    return FALSE;
  gesso_open_files (self, files);
  return TRUE;
}

static void
accept_drops (GessoWindow *self)
{
  GtkDropTarget *target = gtk_drop_target_new (GDK_TYPE_FILE_LIST, GDK_ACTION_COPY);
  g_signal_connect (target, "drop", G_CALLBACK (drop_cb), self);
  gtk_widget_add_controller (self->toasts, GTK_EVENT_CONTROLLER (target));
}

/* ---- picture of the window ---- */

gboolean
gesso_window_save_screenshot (GtkWindow *window, const char *path, GError **error)
{
  g_return_val_if_fail (GTK_IS_WINDOW (window) && path, FALSE);
  int width = gtk_widget_get_width (GTK_WIDGET (window));
  int height = gtk_widget_get_height (GTK_WIDGET (window));
  GskRenderer *renderer = gtk_native_get_renderer (GTK_NATIVE (window));
  g_autoptr (GdkPaintable) paintable = gtk_widget_paintable_new (GTK_WIDGET (window));
  GtkSnapshot *snapshot = gtk_snapshot_new ();
  gdk_paintable_snapshot (paintable, snapshot, width, height);
  GskRenderNode *node = gtk_snapshot_free_to_node (snapshot);
  if (!renderer || !node)
    {
      g_clear_pointer (&node, gsk_render_node_unref);
      g_set_error_literal (error, G_IO_ERROR, G_IO_ERROR_NOT_INITIALIZED,
                           _ ("The window is not drawn yet."));
      return FALSE;
    }
  g_autoptr (GdkTexture) texture =
      gsk_renderer_render_texture (renderer, node, &GRAPHENE_RECT_INIT (0, 0, width, height));
  gsk_render_node_unref (node);
  if (gdk_texture_save_to_png (texture, path))
    return TRUE;
  g_set_error (error, G_IO_ERROR, G_IO_ERROR_FAILED, _ ("%s could not be written."), path);
  return FALSE;
}

/* ---- making ---- */

static void
restore_state (GessoWindow *self)
{
  gtk_window_set_default_size (GTK_WINDOW (self),
                               g_settings_get_int (self->settings, "window-width"),
                               g_settings_get_int (self->settings, "window-height"));
  if (g_settings_get_boolean (self->settings, "window-maximized"))
    gtk_window_maximize (GTK_WINDOW (self));
  g_autofree char *page = g_settings_get_string (self->settings, "page");
  gesso_window_show_page (self, page);
  g_settings_bind (self->settings, "window-width", self, "default-width", G_SETTINGS_BIND_SET);
  g_settings_bind (self->settings, "window-height", self, "default-height", G_SETTINGS_BIND_SET);
  g_settings_bind (self->settings, "window-maximized", self, "maximized", G_SETTINGS_BIND_SET);
  g_settings_bind (self->settings, "page", self->pages, "visible-child-name", G_SETTINGS_BIND_SET);
}

void
gesso_window_add_page (
    GessoWindow *self, GtkWidget *page, const char *name, const char *title, const char *icon)
{
  g_return_if_fail (GESSO_IS_WINDOW (self) && GTK_IS_WIDGET (page));
  AdwViewStackPage *added =
      adw_view_stack_add_titled (ADW_VIEW_STACK (self->pages), page, name, title);
  adw_view_stack_page_set_icon_name (added, icon);
}

static void
build (GessoWindow *self)
{
  self->create = gesso_create_page_new (self->session, self->library, self->settings);
  gesso_window_add_page (self, self->create, "create", _ ("Create"), "gesso-create-symbolic");
  GtkWidget *gallery = gesso_gallery_link_new (self, GESSO_CREATE_PAGE (self->create));
  gesso_window_add_page (self, gallery, "gallery", _ ("Gallery"), "gesso-gallery-symbolic");
  self->banner = gesso_banner_new (self->session);
  gtk_box_append (GTK_BOX (self->banner_place), self->banner);
  self->queue_pane = gesso_queue_pane_new (gesso_session_get_queue (self->session), self->library);
  gtk_widget_set_hexpand (self->queue_pane, TRUE);
  gtk_box_append (GTK_BOX (self->queue_place), self->queue_pane);
  self->project =
      gesso_project_new (self->session, GESSO_CREATE_PAGE (self->create), self->settings);
  g_signal_connect_object (self->project, "changed", G_CALLBACK (update_title), self,
                           G_CONNECT_SWAPPED);
  g_signal_connect_object (self->create, "message", G_CALLBACK (message_cb), self, 0);
  g_signal_connect_object (self->create, "discarded", G_CALLBACK (discarded_cb), self,
                           G_CONNECT_SWAPPED);
  g_signal_connect_object (self->create, "picture-dropped", G_CALLBACK (picture_dropped_cb), self,
                           0);
}

static void
add_property_actions (GessoWindow *self)
{
  g_autoptr (GPropertyAction) page =
      g_property_action_new ("page", self->pages, "visible-child-name");
  g_action_map_add_action (G_ACTION_MAP (self), G_ACTION (page));
  g_autoptr (GSimpleAction) menu = g_simple_action_new ("menu", NULL);
  g_signal_connect_object (menu, "activate", G_CALLBACK (gtk_menu_button_popup), self->menu_button,
                           G_CONNECT_SWAPPED);
  g_action_map_add_action (G_ACTION_MAP (self), G_ACTION (menu));
}

/* The bus may hold the group of actions a little longer than the window lives; a change of the
 * queue or of a setting must not reach the window through it. */
static void
remove_actions (GessoWindow *self)
{
  g_auto (GStrv) names = g_action_group_list_actions (G_ACTION_GROUP (self));
  for (int i = 0; names[i]; i++)
    g_action_map_remove_action (G_ACTION_MAP (self), names[i]);
}

#if GESSO_VIDEO
static void
film_message_cb (GessoFilmMaker *films, const char *message, gpointer user_data)
{
  gesso_window_say (user_data, message);
}
#endif

static void
gesso_window_dispose (GObject *object)
{
  GessoWindow *self = GESSO_WINDOW (object);
  if (self->session)
    {
      gesso_create_page_keep_draft (GESSO_CREATE_PAGE (self->create));
      remove_actions (self);
    }
  g_clear_handle_id (&self->layout_idle, g_source_remove);
  g_clear_weak_pointer (&self->answer);
  if (self->project)
    g_object_run_dispose (G_OBJECT (self->project));
  g_clear_object (&self->project);
#if GESSO_VIDEO
  if (self->films)
    g_object_run_dispose (G_OBJECT (self->films));
  g_clear_object (&self->films);
#endif
  gtk_widget_dispose_template (GTK_WIDGET (self), GESSO_TYPE_WINDOW);
  g_clear_object (&self->session);
  g_clear_object (&self->library);
  g_clear_object (&self->settings);
  G_OBJECT_CLASS (gesso_window_parent_class)->dispose (object);
}

static void
gesso_window_class_init (GessoWindowClass *klass)
{
  GtkWidgetClass *widget_class = GTK_WIDGET_CLASS (klass);
  G_OBJECT_CLASS (klass)->dispose = gesso_window_dispose;
  widget_class->size_allocate = gesso_window_size_allocate;
  g_type_ensure (GESSO_TYPE_PROGRESS_RING);
  gtk_widget_class_set_template_from_resource (widget_class,
                                               "/io/github/gesso_studio/Gesso/ui/gesso-window.ui");
  gtk_widget_class_bind_template_child (widget_class, GessoWindow, toasts);
  gtk_widget_class_bind_template_child (widget_class, GessoWindow, header);
  gtk_widget_class_bind_template_child (widget_class, GessoWindow, parameters_button);
  gtk_widget_class_bind_template_child (widget_class, GessoWindow, switcher);
  gtk_widget_class_bind_template_child (widget_class, GessoWindow, banner_place);
  gtk_widget_class_bind_template_child (widget_class, GessoWindow, pages);
  gtk_widget_class_bind_template_child (widget_class, GessoWindow, queue_revealer);
  gtk_widget_class_bind_template_child (widget_class, GessoWindow, queue_separator);
  gtk_widget_class_bind_template_child (widget_class, GessoWindow, queue_place);
  gtk_widget_class_bind_template_child (widget_class, GessoWindow, queue_button);
  gtk_widget_class_bind_template_child (widget_class, GessoWindow, queue_ring);
  gtk_widget_class_bind_template_child (widget_class, GessoWindow, queue_count);
  gtk_widget_class_bind_template_child (widget_class, GessoWindow, menu_button);
  gtk_widget_class_bind_template_child (widget_class, GessoWindow, project_label);
  gtk_widget_class_bind_template_child (widget_class, GessoWindow, recent_menu);
}

static void
gesso_window_init (GessoWindow *self)
{
  gtk_widget_init_template (GTK_WIDGET (self));
}

GtkWidget *
gesso_window_new (GtkApplication *app,
                  GessoSession *session,
                  GessoLibrary *library,
                  GSettings *settings)
{
  g_return_val_if_fail (GESSO_IS_SESSION (session) && GESSO_IS_LIBRARY (library), NULL);
  g_return_val_if_fail (G_IS_SETTINGS (settings), NULL);
  GessoWindow *self = g_object_new (GESSO_TYPE_WINDOW, "application", app, NULL);
  self->session = g_object_ref (session);
  self->library = g_object_ref (library);
  self->settings = g_object_ref (settings);
  build (self);
  add_property_actions (self);
  gesso_window_actions_add (self);
  gesso_project_actions_add (self, self->recent_menu);
  connect_queue (self);
  gesso_found_add (self);
  accept_drops (self);
  g_signal_connect_object (self->pages, "notify::visible-child-name", G_CALLBACK (page_cb), self,
                           G_CONNECT_SWAPPED);
#if GESSO_VIDEO
  self->films = gesso_film_maker_new (gesso_session_get_queue (session), settings);
  g_signal_connect_object (self->films, "message", G_CALLBACK (film_message_cb), self, 0);
#endif
  g_signal_connect_object (settings, "changed::show-queue", G_CALLBACK (make_room_for), self, 0);
  g_signal_connect_object (settings, "changed::show-parameters", G_CALLBACK (make_room_for), self,
                           0);
  g_signal_connect_object (settings, "changed::show-queue", G_CALLBACK (update_panes), self,
                           G_CONNECT_SWAPPED);
  update_panes (self);
  update_title (self);
  restore_state (self);
  gesso_create_page_focus_prompt (GESSO_CREATE_PAGE (self->create));
  return GTK_WIDGET (self);
}

GessoCreatePage *
gesso_window_get_create_page (GessoWindow *self)
{
  g_return_val_if_fail (GESSO_IS_WINDOW (self), NULL);
  return GESSO_CREATE_PAGE (self->create);
}

GessoQueuePane *
gesso_window_get_queue_pane (GessoWindow *self)
{
  g_return_val_if_fail (GESSO_IS_WINDOW (self), NULL);
  return GESSO_QUEUE_PANE (self->queue_pane);
}

GessoBanner *
gesso_window_get_banner (GessoWindow *self)
{
  g_return_val_if_fail (GESSO_IS_WINDOW (self), NULL);
  return GESSO_BANNER (self->banner);
}

GessoProject *
gesso_window_get_project (GessoWindow *self)
{
  g_return_val_if_fail (GESSO_IS_WINDOW (self), NULL);
  return self->project;
}

GessoSession *
gesso_window_get_session (GessoWindow *self)
{
  g_return_val_if_fail (GESSO_IS_WINDOW (self), NULL);
  return self->session;
}

GessoLibrary *
gesso_window_get_library (GessoWindow *self)
{
  g_return_val_if_fail (GESSO_IS_WINDOW (self), NULL);
  return self->library;
}

GSettings *
gesso_window_get_settings (GessoWindow *self)
{
  g_return_val_if_fail (GESSO_IS_WINDOW (self), NULL);
  return self->settings;
}
