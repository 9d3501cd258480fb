/* SPDX-License-Identifier: MPL-2.0
 * gesso-parameter-row.c - one declared parameter as a row.
 *
 * A dot beside the editor marks a value that is not the default; pressing it, or the row twice,
 * resets.
 */
#include "app/gesso-parameter-row.h"

#include <glib/gi18n.h>

#include "app/gesso-generate.h"
#include "app/gesso-parameter-editor.h"
#include "app/gesso-tooltip.h"

struct _GessoParameterRow
{
  AdwActionRow parent_instance;
  GessoForm *form;
  char **keys;
  GtkWidget *editor, *dot;
};

G_DEFINE_FINAL_TYPE (GessoParameterRow, gesso_parameter_row, ADW_TYPE_ACTION_ROW)

/* A model and a seed are always of the user's own choice. */
static gboolean
has_default (const char *key)
{
  return !g_str_equal (key, "model") && !g_str_equal (key, "seed");
}

/* A start picture comes with a strength that nobody has chosen. */
static gboolean
is_strength (const char *key)
{
  return g_str_equal (key, "denoise");
}

static gboolean
is_as_proposed (GessoParameterRow *self, const char *key)
{
  g_autofree char *text = gesso_form_dup_text (self->form, key);
  return gesso_form_is_default (self->form, key) ||
         (is_strength (key) && g_str_equal (text, GESSO_DEFAULT_STRENGTH));
}

gboolean
gesso_parameter_row_get_marked (GessoParameterRow *self)
{
  g_return_val_if_fail (GESSO_IS_PARAMETER_ROW (self), FALSE);
  for (int i = 0; self->keys[i]; i++)
    if (has_default (self->keys[i]) && !is_as_proposed (self, self->keys[i]))
      return TRUE;
  return FALSE;
}

/* The dot keeps its place, so that a change does not move the editors. */
static void
update_dot (GessoParameterRow *self)
{
  gboolean marked = gesso_parameter_row_get_marked (self);
  gtk_widget_set_opacity (self->dot, marked ? 1 : 0);
  gtk_widget_set_sensitive (self->dot, marked);
  gtk_widget_set_can_target (self->dot, marked);
}

void
gesso_parameter_row_reset (GessoParameterRow *self)
{
  g_return_if_fail (GESSO_IS_PARAMETER_ROW (self));
  for (int i = 0; self->keys[i]; i++)
    if (is_strength (self->keys[i]))
      gesso_form_set_text (self->form, self->keys[i], GESSO_DEFAULT_STRENGTH, NULL);
    else if (has_default (self->keys[i]))
      gesso_form_reset (self->form, self->keys[i]);
}

static void
pressed_cb (GtkGestureClick *click, int n_press, double x, double y, gpointer user_data)
{
  if (n_press == 2)
    gesso_parameter_row_reset (user_data);
}

static void
add_dot (GessoParameterRow *self, const char *label)
{
  self->dot = gtk_button_new ();
  GtkWidget *mark = gtk_box_new (GTK_ORIENTATION_HORIZONTAL, 0);
  gtk_widget_set_halign (mark, GTK_ALIGN_CENTER);
  gtk_widget_set_valign (mark, GTK_ALIGN_CENTER);
  gtk_button_set_child (GTK_BUTTON (self->dot), mark);
  gtk_widget_add_css_class (self->dot, "flat");
  gtk_widget_add_css_class (self->dot, "dot");
  gtk_widget_set_valign (self->dot, GTK_ALIGN_CENTER);
  g_autofree char *tip = g_strdup_printf (_ ("Reset %s"), label);
  gtk_widget_set_tooltip_text (self->dot, tip);
  gtk_accessible_update_property (GTK_ACCESSIBLE (self->dot), GTK_ACCESSIBLE_PROPERTY_LABEL, tip,
                                  -1);
  g_signal_connect_swapped (self->dot, "clicked", G_CALLBACK (gesso_parameter_row_reset), self);
  adw_action_row_add_suffix (ADW_ACTION_ROW (self), self->dot);
}

static void
gesso_parameter_row_dispose (GObject *object)
{
  GessoParameterRow *self = GESSO_PARAMETER_ROW (object);
  g_clear_object (&self->form);
  G_OBJECT_CLASS (gesso_parameter_row_parent_class)->dispose (object);
}

static void
gesso_parameter_row_finalize (GObject *object)
{
  g_strfreev (GESSO_PARAMETER_ROW (object)->keys);
  G_OBJECT_CLASS (gesso_parameter_row_parent_class)->finalize (object);
}

static void
gesso_parameter_row_class_init (GessoParameterRowClass *klass)
{
  G_OBJECT_CLASS (klass)->dispose = gesso_parameter_row_dispose;
  G_OBJECT_CLASS (klass)->finalize = gesso_parameter_row_finalize;
}

static void
gesso_parameter_row_init (GessoParameterRow *self)
{
  GtkGesture *click = gtk_gesture_click_new ();
  g_signal_connect (click, "pressed", G_CALLBACK (pressed_cb), self);
  gtk_widget_add_controller (GTK_WIDGET (self), GTK_EVENT_CONTROLLER (click));
}

GtkWidget *
gesso_parameter_row_new_with_editor (GessoForm *form,
                                     const char *label,
                                     const char *help,
                                     const char *const *keys,
                                     GtkWidget *editor)
{
  g_return_val_if_fail (GESSO_IS_FORM (form) && keys && GTK_IS_WIDGET (editor), NULL);
  GessoParameterRow *self = g_object_new (GESSO_TYPE_PARAMETER_ROW, "title", label, NULL);
  self->form = g_object_ref (form);
  self->keys = g_strdupv ((char **) keys);
  self->editor = editor;
  gesso_tooltip_set (GTK_WIDGET (self), help);
  gtk_list_box_row_set_activatable (GTK_LIST_BOX_ROW (self), FALSE);
  add_dot (self, label);
  gtk_widget_set_valign (editor, GTK_ALIGN_CENTER);
  adw_action_row_add_suffix (ADW_ACTION_ROW (self), editor);
  for (int i = 0; keys[i]; i++)
    {
      g_autofree char *detail = g_strconcat ("changed::", keys[i], NULL);
      g_signal_connect_object (form, detail, G_CALLBACK (update_dot), self, G_CONNECT_SWAPPED);
    }
  update_dot (self);
  return GTK_WIDGET (self);
}

GtkWidget *
gesso_parameter_row_new (GessoForm *form, const char *key, GessoLibrary *library)
{
  const RecipeParam *param = recipe_find_param (key);
  g_return_val_if_fail (param != NULL, NULL);
  const char *keys[] = { key, NULL };
  return gesso_parameter_row_new_with_editor (form, gesso_parameter_editor_get_label (param),
                                              _ (param->help), keys,
                                              gesso_parameter_editor_new (form, param, library));
}

GtkWidget *
gesso_parameter_row_get_editor (GessoParameterRow *self)
{
  g_return_val_if_fail (GESSO_IS_PARAMETER_ROW (self), NULL);
  return self->editor;
}
