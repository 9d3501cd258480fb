/* SPDX-License-Identifier: MPL-2.0
 * gesso-queue-row.c - one job in the queue pane.
 */
#include "app/gesso-queue-row.h"

#include <glib/gi18n.h>

#include "app/gesso-job-text.h"
#include "app/gesso-name.h"
#include "app/gesso-refresh.h"
#include "app/gesso-texture.h"
#include "app/gesso-tooltip.h"

enum
{
  THUMBNAIL_SIZE = 96 /* px; drawn at half of it */
};

struct _GessoQueueRow
{
  AdwBin parent_instance;
  GessoLibrary *library;
  GessoJob *job;
  GtkWidget *section, *card, *picture, *title, *details, *progress, *retry, *stop, *show, *grip;
  gboolean picture_changed, state_changed;
};

G_DEFINE_FINAL_TYPE (GessoQueueRow, gesso_queue_row, ADW_TYPE_BIN)

enum
{
  MENU,
  MOVED,
  N_SIGNALS
};
static guint signals[N_SIGNALS];

static void
update_picture (GessoQueueRow *self)
{
  const GessoFrame *preview = gesso_job_get_preview (self->job);
  const char *last = gesso_job_get_last_picture (self->job);
  if (preview)
    {
      gesso_texture_show_thumbnail (GTK_PICTURE (self->picture), self->library, NULL, 0);
      g_autoptr (GBytes) rgb = gesso_frame_dup_rgb (preview, preview->n_frames / 2);
      g_autoptr (GdkTexture) texture = gesso_texture_new (rgb, preview->width, preview->height);
      gtk_picture_set_paintable (GTK_PICTURE (self->picture), GDK_PAINTABLE (texture));
    }
  else
    gesso_texture_show_thumbnail (GTK_PICTURE (self->picture), self->library,
                                  last && *last ? last : NULL, THUMBNAIL_SIZE);
}

static void
update_progress (GessoQueueRow *self)
{
  g_autofree char *details = gesso_job_text_dup_details (self->job);
  gtk_label_set_label (GTK_LABEL (self->details), details ? details : "");
  gtk_progress_bar_set_fraction (GTK_PROGRESS_BAR (self->progress),
                                 CLAMP (gesso_job_get_fraction (self->job), 0, 1));
}

static void
update_name (GessoQueueRow *self)
{
  const char *title = gtk_label_get_label (GTK_LABEL (self->title));
  /* Translators: a job's title and its state */
  g_autofree char *name =
      g_strdup_printf (_ ("%s, %s"), title, gesso_job_text_get_section (self->job));
  gesso_name_list_item (GTK_WIDGET (self), name);
}

static void
update_state (GessoQueueRow *self)
{
  GessoJobState state = gesso_job_get_state (self->job);
  gboolean active = gesso_job_text_is_active (self->job);
  gboolean failed = state == GESSO_JOB_FAILED;
  const char *last = gesso_job_get_last_picture (self->job);
  gtk_widget_set_visible (self->progress, state == GESSO_JOB_RUNNING || state == GESSO_JOB_PARKED);
  gtk_widget_set_visible (self->retry, failed || state == GESSO_JOB_CANCELLED);
  gtk_widget_set_visible (self->grip, state == GESSO_JOB_WAITING || state == GESSO_JOB_PARKED);
  gtk_widget_set_visible (self->show, !active && last && *last);
  gtk_widget_set_cursor_from_name (self->picture, last && *last ? "pointer" : NULL);
  gesso_tooltip_set (self->picture, last && *last ? _ ("Show picture") : NULL);
  gtk_button_set_icon_name (GTK_BUTTON (self->stop),
                            active ? "window-close-symbolic" : "edit-clear-symbolic");
  const char *tip = active ? _ ("Cancel") : _ ("Remove from the list");
  gesso_tooltip_set (self->stop, tip);
  gesso_name (self->stop, tip);
  gtk_actionable_set_action_name (GTK_ACTIONABLE (self->stop),
                                  active ? "win.job-cancel" : "win.job-remove");
  gtk_label_set_lines (GTK_LABEL (self->details), failed ? 5 : 2);
  if (failed)
    gtk_widget_add_css_class (self->details, "error");
  else
    gtk_widget_remove_css_class (self->details, "error");
  if (active)
    gtk_widget_remove_css_class (self->card, "ended");
  else
    gtk_widget_add_css_class (self->card, "ended");
  update_name (self);
}

static void
set_targets (GessoQueueRow *self)
{
  GtkWidget *const buttons[] = { self->retry, self->stop, self->show };
  for (gsize i = 0; i < G_N_ELEMENTS (buttons); i++)
    gtk_actionable_set_action_target (GTK_ACTIONABLE (buttons[i]), "x",
                                      gesso_job_get_id (self->job));
  /* after their targets, or GTK warns of a missing parameter */
  gtk_actionable_set_action_name (GTK_ACTIONABLE (self->retry), "win.job-retry");
  gtk_actionable_set_action_name (GTK_ACTIONABLE (self->show), "win.job-show");
}

static void
refresh (GtkWidget *widget)
{
  GessoQueueRow *self = GESSO_QUEUE_ROW (widget);
  if (!self->job)
    return;
  if (self->picture_changed)
    update_picture (self);
  if (self->state_changed)
    update_state (self);
  self->picture_changed = self->state_changed = FALSE;
  update_progress (self);
}

static void
job_notify_cb (GessoJob *job, GParamSpec *pspec, gpointer user_data)
{
  GessoQueueRow *self = user_data;
  const char *name = g_param_spec_get_name (pspec);
  gboolean last = g_str_equal (name, "last-picture");
  self->picture_changed |= last || g_str_equal (name, "preview");
  self->state_changed |= last || g_str_equal (name, "state");
  gesso_refresh_queue (GTK_WIDGET (self), refresh);
}

void
gesso_queue_row_set_job (GessoQueueRow *self, GessoJob *job)
{
  g_return_if_fail (GESSO_IS_QUEUE_ROW (self));
  if (self->job)
    g_signal_handlers_disconnect_by_data (self->job, self);
  g_set_object (&self->job, job);
  if (!job)
    {
      gesso_texture_show_thumbnail (GTK_PICTURE (self->picture), self->library, NULL, 0);
      return;
    }
  const char *title = gesso_job_get_title (job);
  gtk_label_set_label (GTK_LABEL (self->title), title && *title ? title : _ ("Without words"));
  g_signal_connect_object (job, "notify", G_CALLBACK (job_notify_cb), self, 0);
  set_targets (self);
  self->picture_changed = self->state_changed = TRUE;
  refresh (GTK_WIDGET (self));
}

GessoJob *
gesso_queue_row_get_job (GessoQueueRow *self)
{
  g_return_val_if_fail (GESSO_IS_QUEUE_ROW (self), NULL);
  return self->job;
}

void
gesso_queue_row_set_section (GessoQueueRow *self, const char *section)
{
  g_return_if_fail (GESSO_IS_QUEUE_ROW (self));
  gtk_widget_set_visible (self->section, section != NULL);
  if (section)
    gtk_label_set_label (GTK_LABEL (self->section), section);
}

/* ---- reordering by drag; Alt+Up and Alt+Down are its keys ---- */

static GdkContentProvider *
drag_prepare_cb (GtkDragSource *source, double x, double y, gpointer user_data)
{
  GessoQueueRow *self = user_data;
  GessoJobState state = self->job ? gesso_job_get_state (self->job) : GESSO_JOB_DONE;
  if (state != GESSO_JOB_WAITING && state != GESSO_JOB_PARKED)
    return NULL;
  g_autoptr (GdkPaintable) icon = gtk_widget_paintable_new (self->card);
  gtk_drag_source_set_icon (source, icon, (int) x, (int) y);
  return gdk_content_provider_new_typed (GESSO_TYPE_JOB, self->job);
}

static gboolean
drop_cb (GtkDropTarget *target, const GValue *value, double x, double y, gpointer user_data)
{
  GessoQueueRow *self = user_data;
  GessoJob *dropped = g_value_get_object (value);
  if (!dropped || dropped == self->job || !self->job || !gesso_job_text_is_active (self->job))
    return FALSE;
  gboolean after = y > gtk_widget_get_height (self->card) / 2.0;
  g_signal_emit (self, signals[MOVED], 0, dropped, after);
  return TRUE;
}

static void
pressed_cb (GtkGestureClick *click, int n_press, double x, double y, gpointer user_data)
{
  gtk_gesture_set_state (GTK_GESTURE (click), GTK_EVENT_SEQUENCE_CLAIMED);
  g_signal_emit (user_data, signals[MENU], 0, x, y);
}

/* The row is selected by it, too. */
static void
picture_released_cb (GtkGestureClick *click, int n_press, double x, double y, gpointer user_data)
{
  GessoQueueRow *self = user_data;
  const char *last = self->job ? gesso_job_get_last_picture (self->job) : NULL;
  if (last && *last)
    gtk_widget_activate_action (GTK_WIDGET (self), "win.job-view", "x",
                                gesso_job_get_id (self->job));
}

static void
add_gestures (GessoQueueRow *self)
{
  GtkGesture *look = gtk_gesture_click_new ();
  g_signal_connect (look, "released", G_CALLBACK (picture_released_cb), self);
  gtk_widget_add_controller (self->picture, GTK_EVENT_CONTROLLER (look));
  GtkDragSource *drag = gtk_drag_source_new ();
  gtk_drag_source_set_actions (drag, GDK_ACTION_MOVE);
  g_signal_connect (drag, "prepare", G_CALLBACK (drag_prepare_cb), self);
  gtk_widget_add_controller (self->card, GTK_EVENT_CONTROLLER (drag));
  GtkDropTarget *drop = gtk_drop_target_new (GESSO_TYPE_JOB, GDK_ACTION_MOVE);
  g_signal_connect (drop, "drop", G_CALLBACK (drop_cb), self);
  gtk_widget_add_controller (self->card, GTK_EVENT_CONTROLLER (drop));
  GtkGesture *click = gtk_gesture_click_new ();
  gtk_gesture_single_set_button (GTK_GESTURE_SINGLE (click), GDK_BUTTON_SECONDARY);
  g_signal_connect (click, "pressed", G_CALLBACK (pressed_cb), self);
  gtk_widget_add_controller (GTK_WIDGET (self), GTK_EVENT_CONTROLLER (click));
}

static void
gesso_queue_row_dispose (GObject *object)
{
  GessoQueueRow *self = GESSO_QUEUE_ROW (object);
  if (self->job)
    g_signal_handlers_disconnect_by_data (self->job, self);
  g_clear_object (&self->job);
  if (self->picture)
    g_object_set_data (G_OBJECT (self->picture), "thumbnail", NULL);
  gtk_widget_dispose_template (GTK_WIDGET (self), GESSO_TYPE_QUEUE_ROW);
  g_clear_object (&self->library);
  G_OBJECT_CLASS (gesso_queue_row_parent_class)->dispose (object);
}

static void
gesso_queue_row_class_init (GessoQueueRowClass *klass)
{
  GtkWidgetClass *widget_class = GTK_WIDGET_CLASS (klass);
  G_OBJECT_CLASS (klass)->dispose = gesso_queue_row_dispose;
  signals[MENU] = g_signal_new ("menu", GESSO_TYPE_QUEUE_ROW, G_SIGNAL_RUN_LAST, 0, NULL, NULL,
                                NULL, G_TYPE_NONE, 2, G_TYPE_DOUBLE, G_TYPE_DOUBLE);
  signals[MOVED] = g_signal_new ("moved", GESSO_TYPE_QUEUE_ROW, G_SIGNAL_RUN_LAST, 0, NULL, NULL,
                                 NULL, G_TYPE_NONE, 2, GESSO_TYPE_JOB, G_TYPE_BOOLEAN);
  gtk_widget_class_set_template_from_resource (
      widget_class, "/io/github/gesso_studio/Gesso/ui/gesso-queue-row.ui");
  gtk_widget_class_bind_template_child (widget_class, GessoQueueRow, section);
  gtk_widget_class_bind_template_child (widget_class, GessoQueueRow, card);
  gtk_widget_class_bind_template_child (widget_class, GessoQueueRow, picture);
  gtk_widget_class_bind_template_child (widget_class, GessoQueueRow, title);
  gtk_widget_class_bind_template_child (widget_class, GessoQueueRow, details);
  gtk_widget_class_bind_template_child (widget_class, GessoQueueRow, progress);
  gtk_widget_class_bind_template_child (widget_class, GessoQueueRow, retry);
  gtk_widget_class_bind_template_child (widget_class, GessoQueueRow, stop);
  gtk_widget_class_bind_template_child (widget_class, GessoQueueRow, show);
  gtk_widget_class_bind_template_child (widget_class, GessoQueueRow, grip);
}

static void
gesso_queue_row_init (GessoQueueRow *self)
{
  gtk_widget_init_template (GTK_WIDGET (self));
  gesso_tooltip_set (self->retry, _ ("Try again"));
  gesso_tooltip_set (self->show, _ ("Show picture in Files"));
  gesso_tooltip_set (self->grip, _ ("Drag to reorder, or Alt+Up and Alt+Down"));
  add_gestures (self);
}

GtkWidget *
gesso_queue_row_new (GessoLibrary *library)
{
  g_return_val_if_fail (GESSO_IS_LIBRARY (library), NULL);
  GessoQueueRow *self = g_object_new (GESSO_TYPE_QUEUE_ROW, NULL);
  self->library = g_object_ref (library);
  return GTK_WIDGET (self);
}
