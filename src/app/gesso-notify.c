/* SPDX-License-Identifier: MPL-2.0
 * gesso-notify.c - what the desktop is told.
 */
#include "app/gesso-notify.h"

#include <glib/gi18n.h>

#define NOTIFICATION_ID "queue-drained"

enum
{
  REST_S = 2 /* without a running job before the machine may sleep */
};

struct _GessoNotify
{
  GObject parent_instance;
  GtkApplication *app; /* borrowed: it owns us */
  GessoSession *session;
  GSettings *settings;
  guint cookie; /* of the inhibition, 0 for none */
  gboolean inhibiting, sent;
  int n_pictures; /* since the queue was last empty */
  char *last_picture;
  guint rest_timeout;
};

G_DEFINE_FINAL_TYPE (GessoNotify, gesso_notify, G_TYPE_OBJECT)

static void
set_inhibiting (GessoNotify *self, gboolean inhibiting)
{
  if (inhibiting == self->inhibiting)
    return;
  self->inhibiting = inhibiting;
  if (inhibiting)
    self->cookie =
        gtk_application_inhibit (self->app, gtk_application_get_active_window (self->app),
                                 GTK_APPLICATION_INHIBIT_SUSPEND, _ ("Making pictures"));
  else if (self->cookie)
    gtk_application_uninhibit (self->app, self->cookie);
}

static gboolean
rest_cb (gpointer user_data)
{
  GessoNotify *self = user_data;
  self->rest_timeout = 0;
  set_inhibiting (self, FALSE);
  return G_SOURCE_REMOVE;
}

/* Between two jobs nothing runs for a moment: the desktop, which is asked each time, need not hear
 * of it. */
static void
running_cb (GessoNotify *self)
{
  GessoQueue *queue = gesso_session_get_queue (self->session);
  gboolean works = gesso_queue_get_running (queue) != NULL && !gesso_queue_get_paused (queue);
  if (works)
    {
      g_clear_handle_id (&self->rest_timeout, g_source_remove);
      set_inhibiting (self, TRUE);
    }
  else if (self->inhibiting && !self->rest_timeout)
    self->rest_timeout = g_timeout_add_seconds (REST_S, rest_cb, self);
}

static gboolean
window_is_active (GessoNotify *self)
{
  GtkWindow *window = gtk_application_get_active_window (self->app);
  return window && gtk_window_is_active (window);
}

static void
send (GessoNotify *self)
{
  g_autoptr (GNotification) notification = g_notification_new (_ ("The queue is done"));
  g_autofree char *body = g_strdup_printf (
      g_dngettext (NULL, "%d picture was made", "%d pictures were made", (gulong) self->n_pictures),
      self->n_pictures);
  g_notification_set_body (notification, body);
  if (self->last_picture)
    {
      g_autoptr (GFile) file = g_file_new_for_path (self->last_picture);
      g_autoptr (GIcon) icon = g_file_icon_new (file);
      g_notification_set_icon (notification, icon);
    }
  g_notification_set_default_action (notification, "app.show");
  g_application_send_notification (G_APPLICATION (self->app), NOTIFICATION_ID, notification);
  self->sent = TRUE;
}

static void
drained_cb (GessoNotify *self)
{
  if (self->n_pictures > 0 && g_settings_get_boolean (self->settings, "notify") &&
      !window_is_active (self))
    send (self);
  self->n_pictures = 0;
}

static void
picture_cb (GessoQueue *queue, GessoJob *job, int index, const char *path, gpointer user_data)
{
  GessoNotify *self = user_data;
  self->n_pictures++;
  g_free (self->last_picture);
  self->last_picture = g_strdup (path);
}

static void
gesso_notify_dispose (GObject *object)
{
  GessoNotify *self = GESSO_NOTIFY (object);
  g_clear_handle_id (&self->rest_timeout, g_source_remove);
  set_inhibiting (self, FALSE);
  /* GLib 2.74 runs without end through what is still shown when the application goes. */
  if (self->sent)
    g_application_withdraw_notification (G_APPLICATION (self->app), NOTIFICATION_ID);
  self->sent = FALSE;
  g_clear_object (&self->session);
  g_clear_object (&self->settings);
  g_clear_pointer (&self->last_picture, g_free);
  G_OBJECT_CLASS (gesso_notify_parent_class)->dispose (object);
}

static void
gesso_notify_class_init (GessoNotifyClass *klass)
{
  G_OBJECT_CLASS (klass)->dispose = gesso_notify_dispose;
}

static void
gesso_notify_init (GessoNotify *self)
{
}

GessoNotify *
gesso_notify_new (GtkApplication *app, GessoSession *session, GSettings *settings)
{
  g_return_val_if_fail (GTK_IS_APPLICATION (app) && GESSO_IS_SESSION (session), NULL);
  GessoNotify *self = g_object_new (GESSO_TYPE_NOTIFY, NULL);
  self->app = app;
  self->session = g_object_ref (session);
  self->settings = g_object_ref (settings);
  GessoQueue *queue = gesso_session_get_queue (session);
  static const char *const watched[] = { "notify::running", "notify::paused" };
  for (gsize i = 0; i < G_N_ELEMENTS (watched); i++)
    g_signal_connect_object (queue, watched[i], G_CALLBACK (running_cb), self, G_CONNECT_SWAPPED);
  g_signal_connect_object (queue, "picture", G_CALLBACK (picture_cb), self, 0);
  g_signal_connect_object (queue, "drained", G_CALLBACK (drained_cb), self, G_CONNECT_SWAPPED);
  running_cb (self);
  return self;
}

gboolean
gesso_notify_is_inhibiting (GessoNotify *self)
{
  g_return_val_if_fail (GESSO_IS_NOTIFY (self), FALSE);
  return self->inhibiting;
}
