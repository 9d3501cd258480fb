/* SPDX-License-Identifier: MPL-2.0
 * gesso-dialog.c - windows that ask.
 */
#include "app/gesso-dialog.h"

#include "app/gesso-name.h"

enum
{
  ASK_WIDTH = 380
};

typedef struct
{
  GessoAnswered callback;
  gpointer user_data;
  GDestroyNotify destroy;
  int answer;
} Question;

static void
close_on_escape (GtkWidget *window)
{
  GtkEventController *keys = gtk_shortcut_controller_new ();
  gtk_shortcut_controller_add_shortcut (
      GTK_SHORTCUT_CONTROLLER (keys), gtk_shortcut_new (gtk_keyval_trigger_new (GDK_KEY_Escape, 0),
                                                        gtk_named_action_new ("window.close")));
  gtk_widget_add_controller (window, keys);
}

GtkWindow *
gesso_dialog_new (GtkWindow *parent, const char *title, GtkWidget *content)
{
  g_return_val_if_fail (GTK_IS_WIDGET (content), NULL);
  GtkWidget *window = adw_window_new ();
  GtkWidget *box = gtk_box_new (GTK_ORIENTATION_VERTICAL, 0);
  gtk_box_append (GTK_BOX (box), adw_header_bar_new ());
  gtk_box_append (GTK_BOX (box), content);
  adw_window_set_content (ADW_WINDOW (window), box);
  gtk_window_set_title (GTK_WINDOW (window), title);
  gtk_window_set_transient_for (GTK_WINDOW (window), parent);
  gtk_window_set_modal (GTK_WINDOW (window), TRUE);
  close_on_escape (window);
  return GTK_WINDOW (window);
}

static void
button_clicked_cb (GtkButton *button, gpointer user_data)
{
  GtkWindow *window = GTK_WINDOW (gtk_widget_get_root (GTK_WIDGET (button)));
  Question *question = g_object_get_data (G_OBJECT (window), "question");
  question->answer = GPOINTER_TO_INT (user_data);
  gtk_window_close (window);
}

/* The window is gone before the callback may open the next one. */
static gboolean
answer_cb (gpointer user_data)
{
  Question *question = user_data;
  if (question->callback)
    question->callback (question->answer, question->user_data);
  if (question->destroy)
    question->destroy (question->user_data);
  g_free (question);
  return G_SOURCE_REMOVE;
}

static void
ask_destroyed_cb (GtkWidget *window, gpointer user_data)
{
  Question *question = g_object_steal_data (G_OBJECT (window), "question");
  if (question)
    g_idle_add_full (G_PRIORITY_DEFAULT, answer_cb, question, NULL);
}

static GtkWidget *
ask_label (const char *text, const char *css_class)
{
  GtkWidget *label = gtk_label_new (text);
  gtk_label_set_wrap (GTK_LABEL (label), TRUE);
  gtk_label_set_wrap_mode (GTK_LABEL (label), PANGO_WRAP_WORD_CHAR);
  gtk_label_set_justify (GTK_LABEL (label), GTK_JUSTIFY_CENTER);
  gtk_label_set_max_width_chars (GTK_LABEL (label), 44);
  if (css_class)
    gtk_widget_add_css_class (label, css_class);
  return label;
}

static void
add_buttons (GtkWidget *box, GtkWindow *window, const char *const *buttons, GessoAskFlags flags)
{
  for (int i = 0; buttons[i]; i++)
    {
      GtkWidget *button = gesso_name_new_button (buttons[i]);
      gtk_widget_set_hexpand (button, TRUE);
      g_signal_connect (button, "clicked", G_CALLBACK (button_clicked_cb), GINT_TO_POINTER (i));
      gtk_box_append (GTK_BOX (box), button);
      if (buttons[i + 1])
        continue;
      if (flags & GESSO_ASK_SUGGESTED)
        gtk_widget_add_css_class (button, "suggested-action");
      if (flags & GESSO_ASK_DESTRUCTIVE)
        gtk_widget_add_css_class (button, "destructive-action");
      gtk_window_set_default_widget (window, button);
      gtk_window_set_focus (window, button);
    }
}

GtkWindow *
gesso_ask (GtkWindow *parent,
           const char *heading,
           const char *body,
           const char *const *buttons,
           GessoAskFlags flags,
           GessoAnswered callback,
           gpointer user_data,
           GDestroyNotify destroy)
{
  g_return_val_if_fail (heading && body && buttons, NULL);
  Question *question = g_new (Question, 1);
  *question = (Question){ callback, user_data, destroy, -1 };

  GtkWidget *content = gtk_box_new (GTK_ORIENTATION_VERTICAL, 12);
  gtk_widget_add_css_class (content, "ask");
  gtk_box_append (GTK_BOX (content), ask_label (heading, "title-2"));
  gtk_box_append (GTK_BOX (content), ask_label (body, NULL));
  GtkWidget *row = gtk_box_new (GTK_ORIENTATION_HORIZONTAL, 12);
  gtk_widget_set_margin_top (row, 12);
  gtk_box_append (GTK_BOX (content), row);

  GtkWindow *window = gesso_dialog_new (parent, "", content);
  gtk_window_set_default_size (window, ASK_WIDTH, -1);
  g_object_set_data (G_OBJECT (window), "question", question);
  g_signal_connect (window, "destroy", G_CALLBACK (ask_destroyed_cb), NULL);
  gtk_accessible_update_property (GTK_ACCESSIBLE (window), GTK_ACCESSIBLE_PROPERTY_LABEL, heading,
                                  -1);
  add_buttons (row, window, buttons, flags);
  gtk_window_present (window);
  return window;
}
