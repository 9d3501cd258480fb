/* SPDX-License-Identifier: MPL-2.0
 * gesso-queue-pane.c - the queue: every job with its progress and everything that can be done to
 * it.
 *
 * One virtualised list, because a grid makes thousands of jobs.  A row that begins another part of
 * the list (running, waiting, ended) carries its heading; what changes is shown once a frame.
 */
#include "app/gesso-queue-pane.h"

#include <glib/gi18n.h>

#include "app/gesso-compat.h"
#include "app/gesso-job-text.h"
#include "app/gesso-lazy-rows.h"
#include "app/gesso-menu.h"
#include "app/gesso-planner.h"
#include "app/gesso-queue-row.h"
#include "app/gesso-refresh.h"

enum
{
  ROW_HEIGHT = 64 /* logical pixels */
};

struct _GessoQueuePane
{
  AdwBin parent_instance;
  GessoQueue *queue;
  GessoLibrary *library;
  GessoLazyRows *rows;
  GtkWidget *stack, *list, *summary, *menu;
  GtkSingleSelection *selection;
  guint selected; /* the position that was selected last */
};

G_DEFINE_FINAL_TYPE (GessoQueuePane, gesso_queue_pane, ADW_TYPE_BIN)

/* ---- rows ---- */

static void
show_row (GtkWidget *row, GtkListItem *item, gpointer user_data)
{
  GessoQueuePane *self = user_data;
  guint position = gtk_list_item_get_position (item);
  GessoJob *job = gtk_list_item_get_item (item);
  if (!job || position == GTK_INVALID_LIST_POSITION)
    return;
  if (gesso_queue_row_get_job (GESSO_QUEUE_ROW (row)) != job)
    gesso_queue_row_set_job (GESSO_QUEUE_ROW (row), job);
  const char *section = gesso_job_text_get_section (job);
  g_autoptr (GessoJob) before =
      position > 0 ? g_list_model_get_item (G_LIST_MODEL (self->queue), position - 1) : NULL;
  gboolean same = before && g_str_equal (gesso_job_text_get_section (before), section);
  gesso_queue_row_set_section (GESSO_QUEUE_ROW (row), same ? NULL : section);
}

static void
clear_row (GtkWidget *row, gpointer user_data)
{
  gesso_queue_row_set_job (GESSO_QUEUE_ROW (row), NULL);
}

/* ---- menu ---- */

static void
append_job_item (GMenu *menu, const char *label, const char *action, GessoJob *job)
{
  g_autoptr (GMenuItem) item = g_menu_item_new (label, NULL);
  g_menu_item_set_action_and_target (item, action, "x", gesso_job_get_id (job));
  g_menu_append_item (menu, item);
}

static void
append_section (GMenu *menu, GMenu *section)
{
  if (g_menu_model_get_n_items (G_MENU_MODEL (section)) > 0)
    g_menu_append_section (menu, NULL, G_MENU_MODEL (section));
}

GMenuModel *
gesso_queue_pane_new_menu (GessoJob *job)
{
  g_return_val_if_fail (GESSO_IS_JOB (job), NULL);
  GessoJobState state = gesso_job_get_state (job);
  gboolean active = gesso_job_text_is_active (job);
  gboolean movable = active && state != GESSO_JOB_RUNNING;
  const char *last = gesso_job_get_last_picture (job);
  g_autoptr (GMenu) order = g_menu_new (), use = g_menu_new (), end = g_menu_new ();
  if (movable)
    {
      append_job_item (order, _ ("Do _First"), "win.job-first", job);
      append_job_item (order, _ ("Move _Up"), "win.job-up", job);
      append_job_item (order, _ ("Move _Down"), "win.job-down", job);
    }
  append_job_item (use, state == GESSO_JOB_WAITING ? _ ("_Edit") : _ ("_Use Settings"),
                   "win.job-edit", job);
  append_job_item (use, _ ("Du_plicate"), "win.job-duplicate", job);
  if (last && *last)
    {
      append_job_item (use, _ ("Show Pict_ure"), "win.job-view", job);
      append_job_item (use, _ ("_Show Picture in Files"), "win.job-show", job);
    }
  if (state == GESSO_JOB_FAILED || state == GESSO_JOB_CANCELLED)
    append_job_item (use, _ ("_Try Again"), "win.job-retry", job);
  append_job_item (end, active ? _ ("_Cancel") : _ ("_Remove From List"),
                   active ? "win.job-cancel" : "win.job-remove", job);
  GMenu *menu = g_menu_new ();
  append_section (menu, order);
  append_section (menu, use);
  append_section (menu, end);
  return G_MENU_MODEL (menu);
}

static void
pop_up_menu (GessoQueuePane *self, GtkWidget *row, double x, double y)
{
  GessoJob *job = gesso_queue_row_get_job (GESSO_QUEUE_ROW (row));
  if (!job)
    return;
  g_autoptr (GMenuModel) model = gesso_queue_pane_new_menu (job);
  double px, py;
  gtk_widget_translate_coordinates (row, GTK_WIDGET (self), x, y, &px, &py);
  gtk_popover_menu_set_menu_model (GTK_POPOVER_MENU (self->menu), model);
  gtk_popover_set_pointing_to (GTK_POPOVER (self->menu),
                               &(GdkRectangle){ (int) px, (int) py, 1, 1 });
  gtk_popover_popup (GTK_POPOVER (self->menu));
}

static void
menu_cb (GtkWidget *row, double x, double y, gpointer user_data)
{
  pop_up_menu (user_data, row, x, y);
}

/* ---- reordering ---- */

static void
moved_cb (GessoQueueRow *row, GessoJob *dropped, gboolean after, gpointer user_data)
{
  GessoQueuePane *self = user_data;
  GessoJob *here = gesso_queue_row_get_job (row);
  guint n = g_list_model_get_n_items (G_LIST_MODEL (self->queue));
  for (guint i = 0; after && i < n; i++)
    {
      g_autoptr (GessoJob) job = g_list_model_get_item (G_LIST_MODEL (self->queue), i);
      if (job != here)
        continue;
      g_autoptr (GessoJob) next = g_list_model_get_item (G_LIST_MODEL (self->queue), i + 1);
      here = next && gesso_job_text_is_active (next) ? next : NULL;
      gesso_queue_move (self->queue, dropped, here == dropped ? NULL : here);
      return;
    }
  gesso_queue_move (self->queue, dropped, here);
}

static GtkWidget *
make_row (gpointer user_data)
{
  GessoQueuePane *self = user_data;
  GtkWidget *row = gesso_queue_row_new (self->library);
  g_signal_connect (row, "menu", G_CALLBACK (menu_cb), self);
  g_signal_connect (row, "moved", G_CALLBACK (moved_cb), self);
  return row;
}

/* ---- keys ---- */

GessoJob *
gesso_queue_pane_get_selected (GessoQueuePane *self)
{
  g_return_val_if_fail (GESSO_IS_QUEUE_PANE (self), NULL);
  return gtk_single_selection_get_selected_item (self->selection);
}

void
gesso_queue_pane_select (GessoQueuePane *self, guint position)
{
  g_return_if_fail (GESSO_IS_QUEUE_PANE (self));
  gtk_single_selection_set_selected (self->selection, position);
}

static gboolean
key_cb (GtkWidget *widget, GVariant *args, gpointer user_data)
{
  GessoQueuePane *self = user_data;
  GessoJob *job = gesso_queue_pane_get_selected (self);
  if (!job)
    return FALSE;
  const char *action = g_variant_get_string (args, NULL);
  if (g_str_equal (action, "win.job-cancel") && !gesso_job_text_is_active (job))
    action = "win.job-remove";
  return gtk_widget_activate_action (widget, action, "x", gesso_job_get_id (job));
}

static gboolean
menu_key_cb (GtkWidget *widget, GVariant *args, gpointer user_data)
{
  GessoQueuePane *self = user_data;
  GessoJob *job = gesso_queue_pane_get_selected (self);
  GtkWidget *row = job ? gesso_lazy_rows_get_row (self->rows, job) : NULL;
  if (!row)
    return FALSE;
  pop_up_menu (self, row, 24, gtk_widget_get_height (row) / 2.0);
  return TRUE;
}

static void
add_keys (GessoQueuePane *self)
{
  static const struct
  {
    guint key;
    GdkModifierType modifiers;
    const char *action;
  } keys[] = {
    { GDK_KEY_Up, GDK_ALT_MASK, "win.job-up" },
    { GDK_KEY_Down, GDK_ALT_MASK, "win.job-down" },
    { GDK_KEY_Home, GDK_ALT_MASK, "win.job-first" },
    { GDK_KEY_d, GDK_CONTROL_MASK, "win.job-duplicate" },
    { GDK_KEY_r, GDK_CONTROL_MASK, "win.job-retry" },
    { GDK_KEY_Delete, 0, "win.job-cancel" },
  };
  GtkEventController *controller = gtk_shortcut_controller_new ();
  gtk_event_controller_set_propagation_phase (controller, GTK_PHASE_CAPTURE);
  GtkShortcutController *c = GTK_SHORTCUT_CONTROLLER (controller);
  for (gsize i = 0; i < G_N_ELEMENTS (keys); i++)
    {
      GtkShortcut *shortcut =
          gtk_shortcut_new (gtk_keyval_trigger_new (keys[i].key, keys[i].modifiers),
                            gtk_callback_action_new (key_cb, self, NULL));
      gtk_shortcut_set_arguments (shortcut, g_variant_new_string (keys[i].action));
      gtk_shortcut_controller_add_shortcut (c, shortcut);
    }
  gesso_menu_add_keys (c, menu_key_cb, self);
  gtk_widget_add_controller (self->list, controller);
}

static void
activate_cb (GtkListView *view, guint position, gpointer user_data)
{
  GessoQueuePane *self = user_data;
  g_autoptr (GessoJob) job = g_list_model_get_item (G_LIST_MODEL (self->queue), position);
  if (job)
    gtk_widget_activate_action (GTK_WIDGET (self), "win.job-edit", "x", gesso_job_get_id (job));
}

/* ---- */

static void
update_summary (GessoQueuePane *self)
{
  int n = gesso_queue_get_n_waiting (self->queue);
  double eta = gesso_queue_get_eta (self->queue);
  g_autofree char *text = NULL;
  if (gesso_queue_get_paused (self->queue) && n > 0)
    text =
        g_strdup_printf (g_dngettext (NULL, "Paused · %d job", "Paused · %d jobs", (gulong) n), n);
  else if (n > 0 && eta >= 0)
    {
      g_autofree char *time = gesso_planner_format_seconds (eta);
      text = g_strdup_printf (
          g_dngettext (NULL, "%d job · about %s", "%d jobs · about %s", (gulong) n), n, time);
    }
  else if (n > 0)
    text = g_strdup_printf (g_dngettext (NULL, "%d job", "%d jobs", (gulong) n), n);
  gtk_label_set_label (GTK_LABEL (self->summary), text ? text : _ ("Queue"));
}

/* Of several jobs that run the stage follows the selected one. */
static void
selected_cb (GessoQueuePane *self)
{
  guint position = gtk_single_selection_get_selected (self->selection);
  GessoJob *job = gesso_queue_pane_get_selected (self);
  if (position != GTK_INVALID_LIST_POSITION)
    self->selected = position;
  if (job)
    gesso_queue_watch (self->queue, job);
}

/* When the selected job has left, its place is selected: GTK would hand the focus to some button.
 */
static void
keep_place (GessoQueuePane *self)
{
  guint n = g_list_model_get_n_items (G_LIST_MODEL (self->queue));
  GtkRoot *root = gtk_widget_get_root (self->list);
  GtkWidget *focus = root ? gtk_root_get_focus (root) : NULL;
  if (gtk_single_selection_get_selected (self->selection) != GTK_INVALID_LIST_POSITION ||
      self->selected == GTK_INVALID_LIST_POSITION || n == 0 ||
      (focus && gtk_widget_get_root (focus) && !gtk_widget_is_ancestor (focus, self->list)))
    return;
  guint position = MIN (self->selected, n - 1);
  gtk_single_selection_set_selected (self->selection, position);
  GtkWidget *item = gesso_lazy_rows_get_row (
      self->rows, gtk_single_selection_get_selected_item (self->selection));
  while (item && item != self->list && !gtk_widget_get_focusable (item))
    item = gtk_widget_get_parent (item);
  if (item)
    gtk_widget_grab_focus (item);
}

/* Which rows begin a part of the list changes with the list and with what runs. */
static void
refresh (GtkWidget *widget)
{
  GessoQueuePane *self = GESSO_QUEUE_PANE (widget);
  gboolean empty = g_list_model_get_n_items (G_LIST_MODEL (self->queue)) == 0;
  gtk_stack_set_visible_child_name (GTK_STACK (self->stack), empty ? "empty" : "list");
  update_summary (self);
  gesso_lazy_rows_update (self->rows);
  keep_place (self);
}

static void
changed_cb (GessoQueuePane *self)
{
  gesso_refresh_queue (GTK_WIDGET (self), refresh);
}

static void
gesso_queue_pane_dispose (GObject *object)
{
  GessoQueuePane *self = GESSO_QUEUE_PANE (object);
  g_clear_pointer (&self->menu, gtk_widget_unparent);
  if (self->list)
    gtk_list_view_set_model (GTK_LIST_VIEW (self->list), NULL);
  g_clear_object (&self->rows);
  self->list = NULL;
  g_clear_object (&self->selection);
  g_clear_object (&self->queue);
  g_clear_object (&self->library);
  G_OBJECT_CLASS (gesso_queue_pane_parent_class)->dispose (object);
}

static void
gesso_queue_pane_class_init (GessoQueuePaneClass *klass)
{
  GtkWidgetClass *widget_class = GTK_WIDGET_CLASS (klass);
  G_OBJECT_CLASS (klass)->dispose = gesso_queue_pane_dispose;
  gtk_widget_class_set_template_from_resource (
      widget_class, "/io/github/gesso_studio/Gesso/ui/gesso-queue-pane.ui");
  gtk_widget_class_bind_template_child (widget_class, GessoQueuePane, stack);
  gtk_widget_class_bind_template_child (widget_class, GessoQueuePane, list);
  gtk_widget_class_bind_template_child (widget_class, GessoQueuePane, summary);
}

static void
gesso_queue_pane_init (GessoQueuePane *self)
{
  self->selected = GTK_INVALID_LIST_POSITION;
  gtk_widget_init_template (GTK_WIDGET (self));
  self->menu = gtk_popover_menu_new_from_model (NULL);
  gtk_popover_set_has_arrow (GTK_POPOVER (self->menu), FALSE);
  gtk_widget_set_halign (self->menu, GTK_ALIGN_START);
  gtk_widget_set_parent (self->menu, GTK_WIDGET (self));
  add_keys (self);
}

/* The list would stay with the row that was the first, and the new job be out of sight above it. */
static void
stay_at_the_top (
    GListModel *jobs, guint position, guint n_removed, guint n_added, gpointer user_data)
{
  GessoQueuePane *self = user_data;
  GtkAdjustment *shown = gtk_scrollable_get_vadjustment (GTK_SCROLLABLE (self->list));
  if (position == 0 && n_added > 0 && gtk_adjustment_get_value (shown) == 0)
    gesso_compat_list_scroll_to (self->list, 0);
}

static void
connect_list (GessoQueuePane *self)
{
  self->selection = gtk_single_selection_new (NULL);
  gtk_single_selection_set_autoselect (self->selection, FALSE);
  gtk_single_selection_set_can_unselect (self->selection, TRUE);
  gtk_single_selection_set_model (self->selection, G_LIST_MODEL (self->queue));
  g_signal_connect_object (self->selection, "notify::selected", G_CALLBACK (selected_cb), self,
                           G_CONNECT_SWAPPED);
  static const GessoLazyRowsFuncs funcs = { make_row, show_row, clear_row };
  self->rows = gesso_lazy_rows_new (GTK_LIST_VIEW (self->list), ROW_HEIGHT, &funcs, self);
  gtk_list_view_set_model (GTK_LIST_VIEW (self->list), GTK_SELECTION_MODEL (self->selection));
  /* after the list itself has heard of it */
  g_signal_connect_object (self->selection, "items-changed", G_CALLBACK (stay_at_the_top), self, 0);
  g_signal_connect (self->list, "activate", G_CALLBACK (activate_cb), self);
}

GtkWidget *
gesso_queue_pane_new (GessoQueue *queue, GessoLibrary *library)
{
  g_return_val_if_fail (GESSO_IS_QUEUE (queue) && GESSO_IS_LIBRARY (library), NULL);
  GessoQueuePane *self = g_object_new (GESSO_TYPE_QUEUE_PANE, NULL);
  self->queue = g_object_ref (queue);
  self->library = g_object_ref (library);
  connect_list (self);
  static const char *const news[] = { "notify::n-waiting", "notify::eta", "notify::paused",
                                      "notify::running", "items-changed" };
  for (gsize i = 0; i < G_N_ELEMENTS (news); i++)
    g_signal_connect_object (queue, news[i], G_CALLBACK (changed_cb), self, G_CONNECT_SWAPPED);
  refresh (GTK_WIDGET (self));
  return GTK_WIDGET (self);
}

guint
gesso_queue_pane_get_n_rows (GessoQueuePane *self)
{
  g_return_val_if_fail (GESSO_IS_QUEUE_PANE (self), 0);
  return gesso_lazy_rows_get_n_shown (self->rows);
}
