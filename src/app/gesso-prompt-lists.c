/* SPDX-License-Identifier: MPL-2.0
 * gesso-prompt-lists.c - the popovers beside the prompt: earlier prompts, and named styles.
 */
#include "app/gesso-prompt-lists.h"

#include <glib/gi18n.h>

#include "app/gesso-name.h"
#include "app/gesso-prompt-view.h"

enum
{
  SHOWN_PROMPTS = 50,
  POPOVER_WIDTH = 340,
  LIST_HEIGHT = 320
};

/* Lives as long as its popover. */
typedef struct
{
  GessoForm *form;
  GessoSession *session;
  GtkWidget *popover, *list, *empty, *name;
} Lists;

static void
lists_free (gpointer data)
{
  Lists *lists = data;
  g_object_unref (lists->form);
  g_object_unref (lists->session);
  g_free (lists);
}

static void
clear_list (Lists *lists)
{
  GtkWidget *child;
  while ((child = gtk_widget_get_first_child (lists->list)))
    gtk_list_box_remove (GTK_LIST_BOX (lists->list), child);
}

static GtkWidget *
new_line (const char *text, int n_lines)
{
  GtkWidget *label = gtk_label_new (text);
  gtk_label_set_xalign (GTK_LABEL (label), 0);
  gtk_label_set_wrap (GTK_LABEL (label), TRUE);
  gtk_label_set_wrap_mode (GTK_LABEL (label), PANGO_WRAP_WORD_CHAR);
  gtk_label_set_lines (GTK_LABEL (label), n_lines);
  gtk_label_set_ellipsize (GTK_LABEL (label), PANGO_ELLIPSIZE_END);
  gtk_widget_set_hexpand (label, TRUE);
  return label;
}

static GtkWidget *
new_button (const char *icon, const char *tip)
{
  GtkWidget *button = gtk_button_new_from_icon_name (icon);
  gtk_widget_add_css_class (button, "flat");
  gtk_widget_set_valign (button, GTK_ALIGN_CENTER);
  gtk_widget_set_tooltip_text (button, tip);
  gtk_accessible_update_property (GTK_ACCESSIBLE (button), GTK_ACCESSIBLE_PROPERTY_LABEL, tip, -1);
  return button;
}

static void
append_row (Lists *lists, GtkWidget *child, char *value)
{
  GtkWidget *row = gtk_list_box_row_new ();
  gtk_list_box_row_set_child (GTK_LIST_BOX_ROW (row), child);
  g_object_set_data_full (G_OBJECT (row), "value", value, g_free);
  gesso_name (row, value);
  gtk_list_box_append (GTK_LIST_BOX (lists->list), row);
}

static void
update_empty (Lists *lists)
{
  gboolean empty = gtk_widget_get_first_child (lists->list) == NULL;
  gtk_widget_set_visible (lists->empty, empty);
  gtk_widget_set_visible (gtk_widget_get_ancestor (lists->list, GTK_TYPE_SCROLLED_WINDOW), !empty);
}

static void
fill_history (Lists *lists)
{
  clear_list (lists);
  g_auto (GStrv) prompts = gesso_session_dup_prompts (lists->session, SHOWN_PROMPTS);
  for (int i = 0; prompts && prompts[i]; i++)
    append_row (lists, new_line (prompts[i], 3), g_strdup (prompts[i]));
  update_empty (lists);
}

static void
history_activated_cb (GtkListBox *list, GtkListBoxRow *row, gpointer user_data)
{
  Lists *lists = user_data;
  gesso_form_set_text (lists->form, "prompt", g_object_get_data (G_OBJECT (row), "value"), NULL);
  gtk_popover_popdown (GTK_POPOVER (lists->popover));
}

static const GessoStyle *
find_style (Lists *lists, const char *name)
{
  GPtrArray *styles = gesso_session_get_styles (lists->session);
  for (guint i = 0; styles && i < styles->len; i++)
    {
      const GessoStyle *style = g_ptr_array_index (styles, i);
      if (g_str_equal (style->name, name))
        return style;
    }
  return NULL;
}

static void
delete_style_cb (GtkButton *button, gpointer user_data)
{
  Lists *lists = user_data;
  GtkWidget *row = gtk_widget_get_ancestor (GTK_WIDGET (button), GTK_TYPE_LIST_BOX_ROW);
  gesso_session_delete_style (lists->session, g_object_get_data (G_OBJECT (row), "value"));
  gtk_list_box_remove (GTK_LIST_BOX (lists->list), row);
  update_empty (lists);
}

static void
fill_styles (Lists *lists)
{
  clear_list (lists);
  GPtrArray *styles = gesso_session_get_styles (lists->session);
  for (guint i = 0; styles && i < styles->len; i++)
    {
      const GessoStyle *style = g_ptr_array_index (styles, i);
      GtkWidget *box = gtk_box_new (GTK_ORIENTATION_HORIZONTAL, 6);
      GtkWidget *line = new_line (style->name, 1);
      gtk_widget_set_tooltip_text (line, style->prompt);
      gtk_box_append (GTK_BOX (box), line);
      g_autofree char *tip = g_strdup_printf (_ ("Delete the style %s"), style->name);
      GtkWidget *button = new_button ("user-trash-symbolic", tip);
      g_signal_connect (button, "clicked", G_CALLBACK (delete_style_cb), lists);
      gtk_box_append (GTK_BOX (box), button);
      append_row (lists, box, g_strdup (style->name));
    }
  update_empty (lists);
}

static void
apply (Lists *lists, const char *key, const char *style)
{
  g_autofree char *text = gesso_form_dup_text (lists->form, key);
  g_autofree char *applied = gesso_prompt_view_apply_style (style, text);
  gesso_form_set_text (lists->form, key, applied, NULL);
}

static void
style_activated_cb (GtkListBox *list, GtkListBoxRow *row, gpointer user_data)
{
  Lists *lists = user_data;
  const GessoStyle *style = find_style (lists, g_object_get_data (G_OBJECT (row), "value"));
  if (!style)
    return;
  apply (lists, "prompt", style->prompt ? style->prompt : "");
  apply (lists, "negative_prompt", style->negative ? style->negative : "");
  gtk_popover_popdown (GTK_POPOVER (lists->popover));
}

static void
save_style_cb (GtkWidget *widget, gpointer user_data)
{
  Lists *lists = user_data;
  g_autofree char *name =
      g_strstrip (g_strdup (gtk_editable_get_text (GTK_EDITABLE (lists->name))));
  if (!name[0])
    return;
  g_autofree char *prompt = gesso_form_dup_text (lists->form, "prompt");
  g_autofree char *negative = gesso_form_dup_text (lists->form, "negative_prompt");
  gesso_session_save_style (lists->session, name, prompt, negative);
  gtk_editable_set_text (GTK_EDITABLE (lists->name), "");
  fill_styles (lists);
}

static void
name_changed_cb (GtkEditable *entry, gpointer user_data)
{
  gtk_widget_set_sensitive (user_data, gtk_editable_get_text (entry)[0] != '\0');
}

static GtkWidget *
new_save_row (Lists *lists)
{
  GtkWidget *row = gtk_box_new (GTK_ORIENTATION_HORIZONTAL, 6);
  lists->name = gtk_entry_new ();
  gtk_entry_set_placeholder_text (GTK_ENTRY (lists->name), _ ("Save prompts as style…"));
  gtk_accessible_update_property (GTK_ACCESSIBLE (lists->name), GTK_ACCESSIBLE_PROPERTY_LABEL,
                                  _ ("Name of the new style"), -1);
  gtk_widget_set_hexpand (lists->name, TRUE);
  GtkWidget *save = gesso_name_new_button (_ ("_Save"));
  gtk_widget_set_sensitive (save, FALSE);
  g_signal_connect (save, "clicked", G_CALLBACK (save_style_cb), lists);
  g_signal_connect (lists->name, "activate", G_CALLBACK (save_style_cb), lists);
  g_signal_connect (lists->name, "changed", G_CALLBACK (name_changed_cb), save);
  gtk_box_append (GTK_BOX (row), lists->name);
  gtk_box_append (GTK_BOX (row), save);
  return row;
}

static GtkWidget *
new_list (Lists *lists, const char *label)
{
  lists->list = gtk_list_box_new ();
  gtk_list_box_set_selection_mode (GTK_LIST_BOX (lists->list), GTK_SELECTION_NONE);
  gtk_widget_add_css_class (lists->list, "navigation-sidebar");
  gtk_accessible_update_property (GTK_ACCESSIBLE (lists->list), GTK_ACCESSIBLE_PROPERTY_LABEL,
                                  label, -1);
  GtkWidget *scrolled = gtk_scrolled_window_new ();
  gtk_scrolled_window_set_policy (GTK_SCROLLED_WINDOW (scrolled), GTK_POLICY_NEVER,
                                  GTK_POLICY_AUTOMATIC);
  gtk_scrolled_window_set_max_content_height (GTK_SCROLLED_WINDOW (scrolled), LIST_HEIGHT);
  gtk_scrolled_window_set_propagate_natural_height (GTK_SCROLLED_WINDOW (scrolled), TRUE);
  gtk_scrolled_window_set_child (GTK_SCROLLED_WINDOW (scrolled), lists->list);
  return scrolled;
}

static GtkWidget *
new_popover (
    GessoForm *form, GessoSession *session, const char *label, const char *empty, Lists **out)
{
  Lists *lists = g_new0 (Lists, 1);
  lists->form = g_object_ref (form);
  lists->session = g_object_ref (session);
  lists->popover = gtk_popover_new ();
  gtk_widget_set_size_request (lists->popover, POPOVER_WIDTH, -1);
  g_object_set_data_full (G_OBJECT (lists->popover), "lists", lists, lists_free);
  GtkWidget *box = gtk_box_new (GTK_ORIENTATION_VERTICAL, 6);
  gtk_box_append (GTK_BOX (box), new_list (lists, label));
  lists->empty = gtk_label_new (empty);
  gtk_label_set_wrap (GTK_LABEL (lists->empty), TRUE);
  gtk_widget_add_css_class (lists->empty, "dim-label");
  gtk_widget_add_css_class (lists->empty, "popover-empty");
  gtk_box_append (GTK_BOX (box), lists->empty);
  gtk_popover_set_child (GTK_POPOVER (lists->popover), box);
  *out = lists;
  return lists->popover;
}

GtkWidget *
gesso_prompt_history_new (GessoForm *form, GessoSession *session)
{
  Lists *lists;
  GtkWidget *popover = new_popover (form, session, _ ("Earlier prompts"),
                                    _ ("Prompts you generated with appear here."), &lists);
  g_signal_connect (lists->list, "row-activated", G_CALLBACK (history_activated_cb), lists);
  g_signal_connect_swapped (popover, "show", G_CALLBACK (fill_history), lists);
  return popover;
}

GtkWidget *
gesso_prompt_styles_new (GessoForm *form, GessoSession *session)
{
  Lists *lists;
  GtkWidget *popover = new_popover (
      form, session, _ ("Styles"),
      _ ("A style is a prompt with a name; {prompt} in it is what you write."), &lists);
  gtk_box_append (GTK_BOX (gtk_popover_get_child (GTK_POPOVER (popover))), new_save_row (lists));
  g_signal_connect (lists->list, "row-activated", G_CALLBACK (style_activated_cb), lists);
  g_signal_connect_swapped (popover, "show", G_CALLBACK (fill_styles), lists);
  return popover;
}
