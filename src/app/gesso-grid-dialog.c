/* SPDX-License-Identifier: MPL-2.0
 * gesso-grid-dialog.c - an X/Y/Z grid: up to three parameters, each with its values.
 */
#include "app/gesso-grid-dialog.h"

#include <glib/gi18n.h>

#include "app/gesso-name.h"

enum
{
  N_AXES = 3
};

#define PROMPT_REPLACE "prompt-replace"

typedef struct
{
  GtkWidget *key, *values, *problem;
  GessoAxis axis; /* of the last parse */
  gboolean used, valid;
} AxisRow;

struct _GessoGridDialog
{
  AdwWindow parent_instance;
  GessoCreatePage *page;
  GPtrArray *keys; /* of const char *, as in the drop-downs */
  AxisRow rows[N_AXES];
  GtkWidget *axes, *line, *add;
  int n_pictures;
};

G_DEFINE_FINAL_TYPE (GessoGridDialog, gesso_grid_dialog, ADW_TYPE_WINDOW)

static const char *
chosen_key (GessoGridDialog *self, AxisRow *row)
{
  guint i = gtk_drop_down_get_selected (GTK_DROP_DOWN (row->key));
  return i < self->keys->len ? g_ptr_array_index (self->keys, i) : "";
}

static void
parse_row (GessoGridDialog *self, AxisRow *row)
{
  gesso_axis_clear (&row->axis);
  row->axis = (GessoAxis){ 0 };
  const char *key = chosen_key (self, row);
  const char *text = gtk_editable_get_text (GTK_EDITABLE (row->values));
  g_autoptr (GError) error = NULL;
  row->used = key[0] != '\0';
  row->valid = !row->used || gesso_axis_parse (&row->axis, key, text, &error);
  gtk_widget_set_sensitive (row->values, row->used);
  gtk_label_set_label (GTK_LABEL (row->problem), error && *text ? error->message : "");
  gtk_widget_set_visible (row->problem, error && *text);
}

/* Returns: 0 and a reason when there is nothing to make */
static int
count (GessoGridDialog *self, const char **reason)
{
  gint64 n = gesso_form_peek (gesso_create_page_get_form (self->page))->batch_count;
  n *= gesso_form_peek (gesso_create_page_get_form (self->page))->batch_size;
  gint64 jobs = 1;
  gboolean any = FALSE;
  for (int i = 0; i < N_AXES; i++)
    {
      AxisRow *row = &self->rows[i];
      *reason = row->used ? _ ("Type the values, for example 20, 30 or 1-5.") : NULL;
      if (!row->valid)
        return 0;
      any |= row->used;
      jobs *= row->used ? (gint64) g_strv_length (row->axis.values) : 1;
      *reason = _ ("A grid may have at most 10 000 jobs.");
      if (jobs > GESSO_EXPAND_MAX)
        return 0;
    }
  *reason = _ ("Choose a parameter for X.");
  return any ? (int) MIN (jobs * n, G_MAXINT) : 0;
}

static void
update (GessoGridDialog *self)
{
  for (int i = 0; i < N_AXES; i++)
    parse_row (self, &self->rows[i]);
  const char *reason = NULL;
  self->n_pictures = count (self, &reason);
  g_autofree char *text = self->n_pictures
                              ? g_strdup_printf (g_dngettext (NULL, "%d picture", "%d pictures",
                                                              (gulong) self->n_pictures),
                                                 self->n_pictures)
                              : g_strdup (reason);
  gtk_label_set_label (GTK_LABEL (self->line), text);
  gtk_widget_set_sensitive (self->add, self->n_pictures > 0);
}

static GtkWidget *
new_key_choice (GessoGridDialog *self)
{
  g_autoptr (GtkStringList) labels = gtk_string_list_new (NULL);
  for (guint i = 0; i < self->keys->len; i++)
    {
      const char *key = g_ptr_array_index (self->keys, i);
      const RecipeParam *param = recipe_find_param (key);
      gtk_string_list_append (labels, !key[0]  ? _ ("None")
                                      : !param ? _ ("Prompt: replace words")
                                               : _ (param->label));
    }
  /* more than anyone wants to scroll through */
  GtkExpression *text = gtk_property_expression_new (GTK_TYPE_STRING_OBJECT, NULL, "string");
  GtkWidget *choice = gtk_drop_down_new (G_LIST_MODEL (g_steal_pointer (&labels)), text);
  gtk_drop_down_set_enable_search (GTK_DROP_DOWN (choice), TRUE);
  return choice;
}

static void
add_axis (GessoGridDialog *self, int i)
{
  static const char *const names[] = { "X", "Y", "Z" };
  AxisRow *row = &self->rows[i];
  GtkWidget *box = gtk_box_new (GTK_ORIENTATION_VERTICAL, 4);
  GtkWidget *line = gtk_box_new (GTK_ORIENTATION_HORIZONTAL, 8);
  GtkWidget *name = gtk_label_new (names[i]);
  gtk_widget_add_css_class (name, "heading");
  row->key = new_key_choice (self);
  row->values = gtk_entry_new ();
  gtk_widget_set_hexpand (row->values, TRUE);
  gtk_entry_set_activates_default (GTK_ENTRY (row->values), TRUE);
  gtk_entry_set_placeholder_text (GTK_ENTRY (row->values), _ ("20, 30, 40 or 1-5 or 1-10 [4]"));
  g_autofree char *spoken = g_strdup_printf (_ ("Values of %s"), names[i]);
  gtk_accessible_update_property (GTK_ACCESSIBLE (row->values), GTK_ACCESSIBLE_PROPERTY_LABEL,
                                  spoken, -1);
  gesso_name_drop_down (row->key, names[i]);
  row->problem = gtk_label_new (NULL);
  gtk_label_set_wrap (GTK_LABEL (row->problem), TRUE);
  gtk_label_set_xalign (GTK_LABEL (row->problem), 0);
  gtk_widget_add_css_class (row->problem, "error");
  gtk_widget_add_css_class (row->problem, "caption");
  gtk_box_append (GTK_BOX (line), name);
  gtk_box_append (GTK_BOX (line), row->key);
  gtk_box_append (GTK_BOX (line), row->values);
  gtk_box_append (GTK_BOX (box), line);
  gtk_box_append (GTK_BOX (box), row->problem);
  gtk_box_append (GTK_BOX (self->axes), box);
  g_signal_connect_swapped (row->key, "notify::selected", G_CALLBACK (update), self);
  g_signal_connect_swapped (row->values, "changed", G_CALLBACK (update), self);
}

static void
list_keys (GessoGridDialog *self)
{
  g_ptr_array_add (self->keys, (gpointer) "");
  g_ptr_array_add (self->keys, (gpointer) PROMPT_REPLACE);
  for (int i = 0; i < recipe_table_count (); i++)
    g_ptr_array_add (self->keys, (gpointer) recipe_table ()[i].key);
}

static void
gesso_grid_dialog_finalize (GObject *object)
{
  GessoGridDialog *self = GESSO_GRID_DIALOG (object);
  for (int i = 0; i < N_AXES; i++)
    gesso_axis_clear (&self->rows[i].axis);
  g_ptr_array_unref (self->keys);
  g_clear_object (&self->page);
  G_OBJECT_CLASS (gesso_grid_dialog_parent_class)->finalize (object);
}

static void
gesso_grid_dialog_class_init (GessoGridDialogClass *klass)
{
  GtkWidgetClass *widget_class = GTK_WIDGET_CLASS (klass);
  G_OBJECT_CLASS (klass)->finalize = gesso_grid_dialog_finalize;
  gtk_widget_class_set_template_from_resource (
      widget_class, "/io/github/gesso_studio/Gesso/ui/gesso-grid-dialog.ui");
  gtk_widget_class_bind_template_child (widget_class, GessoGridDialog, axes);
  gtk_widget_class_bind_template_child (widget_class, GessoGridDialog, line);
  gtk_widget_class_bind_template_child (widget_class, GessoGridDialog, add);
  gtk_widget_class_bind_template_callback_full (widget_class, "add",
                                                G_CALLBACK (gesso_grid_dialog_add));
  gtk_widget_class_add_binding_action (widget_class, GDK_KEY_Escape, 0, "window.close", NULL);
}

static void
gesso_grid_dialog_init (GessoGridDialog *self)
{
  self->keys = g_ptr_array_new ();
  gtk_widget_init_template (GTK_WIDGET (self));
  gesso_name_buttons (GTK_WIDGET (self));
}

GtkWidget *
gesso_grid_dialog_new (GtkWindow *parent, GessoCreatePage *page)
{
  g_return_val_if_fail (GESSO_IS_CREATE_PAGE (page), NULL);
  GessoGridDialog *self = g_object_new (GESSO_TYPE_GRID_DIALOG, "transient-for", parent, NULL);
  self->page = g_object_ref (page);
  list_keys (self);
  for (int i = 0; i < N_AXES; i++)
    add_axis (self, i);
  update (self);
  return GTK_WIDGET (self);
}

void
gesso_grid_dialog_set_axis (GessoGridDialog *self, int axis, const char *key, const char *values)
{
  g_return_if_fail (GESSO_IS_GRID_DIALOG (self) && axis >= 0 && axis < N_AXES);
  for (guint i = 0; i < self->keys->len; i++)
    if (g_str_equal (g_ptr_array_index (self->keys, i), key))
      gtk_drop_down_set_selected (GTK_DROP_DOWN (self->rows[axis].key), i);
  gtk_editable_set_text (GTK_EDITABLE (self->rows[axis].values), values);
}

int
gesso_grid_dialog_get_n_pictures (GessoGridDialog *self)
{
  g_return_val_if_fail (GESSO_IS_GRID_DIALOG (self), 0);
  return self->n_pictures;
}

const char *
gesso_grid_dialog_get_line (GessoGridDialog *self)
{
  g_return_val_if_fail (GESSO_IS_GRID_DIALOG (self), NULL);
  return gtk_label_get_label (GTK_LABEL (self->line));
}

void
gesso_grid_dialog_add (GessoGridDialog *self)
{
  g_return_if_fail (GESSO_IS_GRID_DIALOG (self));
  GessoAxis axes[N_AXES];
  int n = 0;
  for (int i = 0; i < N_AXES; i++)
    if (self->rows[i].used)
      axes[n++] = self->rows[i].axis;
  GessoGenerateOptions options = { .axes = axes, .n_axes = n };
  gesso_create_page_generate (self->page, &options);
  gtk_window_close (GTK_WINDOW (self));
}
