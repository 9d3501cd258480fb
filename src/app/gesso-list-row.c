/* SPDX-License-Identifier: MPL-2.0
 * gesso-list-row.c - what rows of the recipe's lists have in common: LoRAs, ControlNets.
 */
#include "app/gesso-list-row.h"

#include <glib/gi18n.h>

#include "app/gesso-name.h"
#include "app/gesso-presence.h"
#include "app/gesso-wheel.h"

/* ---- places ---- */

static void
free_place (gpointer data, GClosure *closure)
{
  g_free (data);
}

void
gesso_list_row_connect (GessoListPlace place,
                        gpointer object,
                        const char *signal,
                        GCallback callback)
{
  g_signal_connect_data (object, signal, callback, g_memdup2 (&place, sizeof place), free_place, 0);
}

static void
free_later (gpointer data)
{
  GessoListPlace *place = data;
  g_object_unref (place->list);
  g_free (place);
}

static void
clicked_cb (GtkButton *button, gpointer user_data)
{
  const GessoListPlace *place = user_data;
  GessoListPlace later = { .list = g_object_ref (place->list), .index = place->index };
  GSourceFunc clicked = (GSourceFunc) g_object_get_data (G_OBJECT (button), "clicked");
  g_idle_add_full (G_PRIORITY_DEFAULT, clicked, g_memdup2 (&later, sizeof later), free_later);
}

/* ---- parts ---- */

GtkWidget *
gesso_list_row_new_button (GessoListPlace place,
                           const char *icon,
                           const char *name,
                           GSourceFunc clicked)
{
  GtkWidget *button = gtk_button_new_from_icon_name (icon);
  gtk_widget_add_css_class (button, "flat");
  gtk_widget_set_tooltip_text (button, name);
  gesso_name (button, name);
  g_object_set_data (G_OBJECT (button), "clicked", (gpointer) clicked);
  gesso_list_row_connect (place, button, "clicked", G_CALLBACK (clicked_cb));
  return button;
}

GtkWidget *
gesso_list_row_new_head (GessoListPlace place, const GessoListHead *head)
{
  GtkWidget *box = gtk_box_new (GTK_ORIENTATION_HORIZONTAL, 8), *on = gtk_switch_new ();
  GtkWidget *label = gtk_label_new (head->name);
  g_autofree char *on_name = g_strdup_printf (_ ("Use %s"), head->name);
  g_autofree char *remove_name = g_strdup_printf (_ ("Take %s off the list"), head->name);
  gtk_switch_set_active (GTK_SWITCH (on), head->is_on);
  gtk_widget_set_sensitive (on, head->can_be_on);
  gtk_widget_set_valign (on, GTK_ALIGN_CENTER);
  gesso_name (on, on_name);
  gtk_label_set_ellipsize (GTK_LABEL (label), PANGO_ELLIPSIZE_MIDDLE);
  gtk_label_set_xalign (GTK_LABEL (label), 0);
  gtk_widget_set_hexpand (label, TRUE);
  gtk_widget_set_tooltip_text (label, head->path);
  gtk_box_append (GTK_BOX (box), on);
  gtk_box_append (GTK_BOX (box), label);
  gtk_box_append (GTK_BOX (box), gesso_list_row_new_button (place, "user-trash-symbolic",
                                                            remove_name, head->remove));
  gesso_list_row_connect (place, on, "notify::active", head->on_cb);
  return box;
}

GtkWidget *
gesso_list_row_new_caption (const char *text)
{
  GtkWidget *caption = gtk_label_new (text);
  gtk_widget_add_css_class (caption, "caption");
  gtk_label_set_xalign (GTK_LABEL (caption), 0);
  return caption;
}

GtkWidget *
gesso_list_row_new_spin (GtkAdjustment *adjustment, const char *spoken)
{
  GtkWidget *spin = gtk_spin_button_new (adjustment, GESSO_LIST_ROW_STEP, 2);
  gtk_editable_set_width_chars (GTK_EDITABLE (spin), 5);
  gesso_wheel_leave_to_page (spin);
  gesso_name (spin, spoken);
  return spin;
}

GtkWidget *
gesso_list_row_new_weight (const char *caption,
                           double value,
                           double least,
                           double largest,
                           const char *spoken,
                           GtkAdjustment **adjustment)
{
  GtkWidget *box = gtk_box_new (GTK_ORIENTATION_HORIZONTAL, GESSO_LIST_ROW_GAP);
  *adjustment = gtk_adjustment_new (value, MIN (least, value), MAX (largest, value),
                                    GESSO_LIST_ROW_STEP, 4 * GESSO_LIST_ROW_STEP, 0);
  GtkWidget *scale = gtk_scale_new (GTK_ORIENTATION_HORIZONTAL, *adjustment);
  GtkWidget *label = gesso_list_row_new_caption (caption);
  gtk_scale_add_mark (GTK_SCALE (scale), 1, GTK_POS_BOTTOM, NULL);
  gtk_widget_set_hexpand (scale, TRUE);
  gesso_wheel_leave_to_page (scale);
  gesso_name (scale, spoken);
  gtk_label_set_width_chars (GTK_LABEL (label), 6);
  gtk_box_append (GTK_BOX (box), label);
  gtk_box_append (GTK_BOX (box), scale);
  gtk_box_append (GTK_BOX (box), gesso_list_row_new_spin (*adjustment, spoken));
  return box;
}

void
gesso_list_row_warn (GtkWidget *warning, const char *text)
{
  gboolean is_wrong = text && text[0];
  g_autofree char *marked = g_strdup_printf ("⚠ %s", is_wrong ? text : "");
  gtk_label_set_text (GTK_LABEL (warning), marked);
  gtk_widget_set_visible (warning, is_wrong);
}

static void
looked_cb (GObject *source, GAsyncResult *result, gpointer user_data)
{
  g_autoptr (GtkWidget) warning = user_data;
  g_autoptr (GError) error = NULL;
  gboolean there = gesso_presence_finish (result, &error);
  if (!error)
    gesso_list_row_warn (warning, there ? NULL : _ ("The file is not there any more"));
}

static void
cancel_and_unref (gpointer cancellable)
{
  g_cancellable_cancel (cancellable);
  g_object_unref (cancellable);
}

void
gesso_list_row_warn_of_missing (GtkWidget *warning, const char *path)
{
  g_return_if_fail (GTK_IS_LABEL (warning));
  GCancellable *cancellable = path ? g_cancellable_new () : NULL;
  g_object_set_data_full (G_OBJECT (warning), "look", cancellable,
                          cancellable ? cancel_and_unref : NULL);
  if (path)
    gesso_presence_async (path, cancellable, looked_cb, g_object_ref (warning));
  else
    gesso_list_row_warn (warning, NULL);
}

GtkWidget *
gesso_list_row_new_warning (const char *text)
{
  GtkWidget *label = gtk_label_new (NULL);
  gtk_widget_add_css_class (label, "error");
  gtk_widget_add_css_class (label, "caption");
  gtk_label_set_wrap (GTK_LABEL (label), TRUE);
  gtk_label_set_wrap_mode (GTK_LABEL (label), PANGO_WRAP_WORD_CHAR); /* paths */
  gtk_label_set_xalign (GTK_LABEL (label), 0);
  gesso_list_row_warn (label, text);
  return label;
}

/* ---- the list around them ---- */

static GtkWidget *
new_hint (const char *text)
{
  GtkWidget *hint = gtk_label_new (text);
  gtk_label_set_wrap (GTK_LABEL (hint), TRUE);
  gtk_label_set_xalign (GTK_LABEL (hint), 0);
  gtk_widget_add_css_class (hint, "dim-label");
  gtk_widget_add_css_class (hint, "caption");
  return hint;
}

GtkWidget *
gesso_list_row_new_group (
    const char *title, GtkWidget *picker, const char *hint, GtkWidget **rows, GtkWidget **label)
{
  GtkWidget *group = adw_preferences_group_new ();
  GtkWidget *box = gtk_box_new (GTK_ORIENTATION_VERTICAL, GESSO_LIST_ROW_GAP);
  adw_preferences_group_set_title (ADW_PREFERENCES_GROUP (group), title);
  adw_preferences_group_set_header_suffix (ADW_PREFERENCES_GROUP (group), picker);
  *label = new_hint (hint);
  *rows = gtk_box_new (GTK_ORIENTATION_VERTICAL, 10);
  gtk_box_append (GTK_BOX (box), *label);
  gtk_box_append (GTK_BOX (box), *rows);
  adw_preferences_group_add (ADW_PREFERENCES_GROUP (group), box);
  return group;
}

char *
gesso_list_row_dup_title (GessoLibrary *library, GessoFileKind kind, const char *path)
{
  GessoModelFile *file = path ? gesso_library_find_model (library, kind, path, NULL) : NULL;
  return file && g_str_equal (gesso_model_file_get_path (file), path)
             ? gesso_library_dup_title (library, file)
             : NULL;
}
