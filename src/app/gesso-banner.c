/* SPDX-License-Identifier: MPL-2.0
 * gesso-banner.c - the one strip under the header bar that tells of a lasting state.
 */
#include "app/gesso-banner.h"

#include <glib/gi18n.h>

#include "app/gesso-name.h"

struct _GessoBanner
{
  AdwBin parent_instance;
  GessoSession *session;
  GtkWidget *revealer, *label, *cpu, *go_on, *button;
  gboolean about_queue;
  char *died; /* why the worker died last */
};

G_DEFINE_FINAL_TYPE (GessoBanner, gesso_banner, ADW_TYPE_BIN)

void
gesso_banner_show (GessoBanner *self, const char *text, const char *button, const char *action)
{
  g_return_if_fail (GESSO_IS_BANNER (self) && text);
  gtk_label_set_label (GTK_LABEL (self->label), text);
  self->about_queue = FALSE;
  gtk_widget_set_visible (self->cpu, FALSE);
  gtk_widget_set_visible (self->go_on, FALSE);
  gtk_widget_set_visible (self->button, button != NULL);
  gtk_button_set_label (GTK_BUTTON (self->button), button ? button : "");
  gesso_name_by_label (self->button);
  gtk_actionable_set_action_name (GTK_ACTIONABLE (self->button), action);
  gtk_revealer_set_reveal_child (GTK_REVEALER (self->revealer), TRUE);
}

void
gesso_banner_hide (GessoBanner *self)
{
  g_return_if_fail (GESSO_IS_BANNER (self));
  gtk_revealer_set_reveal_child (GTK_REVEALER (self->revealer), FALSE);
}

const char *
gesso_banner_get_text (GessoBanner *self)
{
  g_return_val_if_fail (GESSO_IS_BANNER (self), NULL);
  if (!gtk_revealer_get_reveal_child (GTK_REVEALER (self->revealer)))
    return NULL;
  return gtk_label_get_label (GTK_LABEL (self->label));
}

static void
worker_state_cb (GessoBanner *self)
{
  switch (gesso_session_get_worst_worker_state (self->session))
    {
    case GESSO_WORKER_STOPPED:
      gesso_banner_show (self, self->died ? self->died : _ ("The engine is stopped."),
                         _ ("_Restart"), "win.restart-worker");
      gtk_widget_set_visible (self->cpu, gesso_session_offers_cpu (self->session));
      return;
    case GESSO_WORKER_WAITING:
      gesso_banner_show (
          self, _ ("The engine stopped and is being restarted. Jobs go on where they were."), NULL,
          NULL);
      return;
    case GESSO_WORKER_STARTING:
      return;
    case GESSO_WORKER_READY:
      break;
    }
  gesso_banner_hide (self);
}

static void
worker_died_cb (GessoSession *session, const char *sentence, gpointer user_data)
{
  GessoBanner *self = user_data;
  g_free (self->died);
  self->died = g_strdup (sentence);
  worker_state_cb (self);
}

static void
queue_failed_cb (GessoQueue *queue, const char *sentence, gpointer user_data)
{
  GessoBanner *self = user_data;
  gboolean paused = gesso_queue_get_paused (queue);
  g_autofree char *text = g_strdup_printf (
      "%s %s", sentence, paused ? _ ("The queue waits until that is mended.") : "");
  gesso_banner_show (self, text, _ ("_Open Pictures Folder"), "win.open-pictures-folder");
  gtk_widget_set_visible (self->go_on, paused);
  self->about_queue = TRUE;
}

/* Whoever lets the queue go on has seen to it. */
static void
paused_cb (GessoBanner *self)
{
  if (self->about_queue && !gesso_queue_get_paused (gesso_session_get_queue (self->session)))
    worker_state_cb (self);
}

static void
gesso_banner_dispose (GObject *object)
{
  GessoBanner *self = GESSO_BANNER (object);
  g_clear_object (&self->session);
  g_clear_pointer (&self->died, g_free);
  G_OBJECT_CLASS (gesso_banner_parent_class)->dispose (object);
}

static void
gesso_banner_class_init (GessoBannerClass *klass)
{
  G_OBJECT_CLASS (klass)->dispose = gesso_banner_dispose;
}

static GtkWidget *
append_button (GtkWidget *row, const char *label, const char *action)
{
  GtkWidget *button = gesso_name_new_button (label);
  gtk_actionable_set_action_name (GTK_ACTIONABLE (button), action);
  gtk_widget_set_valign (button, GTK_ALIGN_CENTER);
  gtk_widget_set_visible (button, FALSE);
  gtk_box_append (GTK_BOX (row), button);
  return button;
}

static void
gesso_banner_init (GessoBanner *self)
{
  GtkWidget *row = gtk_box_new (GTK_ORIENTATION_HORIZONTAL, 12);
  gtk_widget_add_css_class (row, "lasting-banner");
  self->label = gtk_label_new (NULL);
  gtk_label_set_wrap (GTK_LABEL (self->label), TRUE);
  gtk_widget_set_hexpand (self->label, TRUE);
  self->button = gesso_name_new_button ("");
  gtk_widget_set_valign (self->button, GTK_ALIGN_CENTER);
  gtk_box_append (GTK_BOX (row), self->label);
  self->cpu = append_button (row, _ ("_Use the CPU"), "win.use-cpu");
  self->go_on = append_button (row, _ ("_Go On"), "win.pause");
  gtk_box_append (GTK_BOX (row), self->button);
  self->revealer = gtk_revealer_new ();
  gtk_revealer_set_child (GTK_REVEALER (self->revealer), row);
  adw_bin_set_child (ADW_BIN (self), self->revealer);
}

GtkWidget *
gesso_banner_new (GessoSession *session)
{
  g_return_val_if_fail (GESSO_IS_SESSION (session), NULL);
  GessoBanner *self = g_object_new (GESSO_TYPE_BANNER, NULL);
  self->session = g_object_ref (session);
  g_signal_connect_object (session, "notify::worker-state", G_CALLBACK (worker_state_cb), self,
                           G_CONNECT_SWAPPED);
  g_signal_connect_object (session, "worker-died", G_CALLBACK (worker_died_cb), self, 0);
  g_signal_connect_object (gesso_session_get_queue (session), "failed",
                           G_CALLBACK (queue_failed_cb), self, 0);
  g_signal_connect_object (gesso_session_get_queue (session), "notify::paused",
                           G_CALLBACK (paused_cb), self, G_CONNECT_SWAPPED);
  worker_state_cb (self);
  return GTK_WIDGET (self);
}
