/* SPDX-License-Identifier: MPL-2.0
 * gesso-generate-bar.c - what it will take, the button that does it, and how many.
 */
#include "app/gesso-generate-bar.h"

#include <glib/gi18n.h>

#include "app/gesso-compat.h"
#include "app/gesso-name.h"
#include "app/gesso-tooltip.h"

enum
{
  POINT_OUT_MS = 1200 /* as long as the style's animation */
};

struct _GessoGenerateBar
{
  AdwBin parent_instance;
  GessoForm *form;
  GtkWidget *editing_row, *clip_row, *clip, *line, *button, *count;
  GessoMode mode;
  guint pointing; /* timeout, 0 while the line is as ever */
  gboolean editing, updating;
};

G_DEFINE_FINAL_TYPE (GessoGenerateBar, gesso_generate_bar, ADW_TYPE_BIN)

static const char *
mode_label (GessoGenerateBar *self)
{
  if (self->editing)
    return _ ("Update Job");
  switch (self->mode)
    {
    case GESSO_MODE_REFINE:
      return _ ("Refine");
    case GESSO_MODE_INPAINT:
      return _ ("Inpaint");
    case GESSO_MODE_ANIMATE:
      return _ ("Animate");
    case GESSO_MODE_EXTEND:
      return _ ("Extend");
    case GESSO_MODE_GENERATE:
      break;
    }
  return _ ("Generate");
}

static void
update_button (GessoGenerateBar *self)
{
  adw_split_button_set_label (ADW_SPLIT_BUTTON (self->button), mode_label (self));
  gtk_widget_set_visible (self->editing_row, self->editing);
}

static void
form_changed_cb (GessoGenerateBar *self)
{
  self->updating = TRUE;
  gtk_spin_button_set_value (GTK_SPIN_BUTTON (self->count),
                             gesso_form_peek (self->form)->batch_count);
  self->updating = FALSE;
}

static void
count_changed_cb (GtkSpinButton *spin, gpointer user_data)
{
  GessoGenerateBar *self = user_data;
  if (self->updating || !self->form)
    return;
  g_autofree char *text = g_strdup_printf ("%d", gtk_spin_button_get_value_as_int (spin));
  gesso_form_set_text (self->form, "batch_count", text, NULL);
}

static void
gesso_generate_bar_dispose (GObject *object)
{
  GessoGenerateBar *self = GESSO_GENERATE_BAR (object);
  g_clear_handle_id (&self->pointing, g_source_remove);
  gtk_widget_dispose_template (GTK_WIDGET (self), GESSO_TYPE_GENERATE_BAR);
  g_clear_object (&self->form);
  G_OBJECT_CLASS (gesso_generate_bar_parent_class)->dispose (object);
}

static void
gesso_generate_bar_class_init (GessoGenerateBarClass *klass)
{
  GtkWidgetClass *widget_class = GTK_WIDGET_CLASS (klass);
  G_OBJECT_CLASS (klass)->dispose = gesso_generate_bar_dispose;
  gtk_widget_class_set_template_from_resource (
      widget_class, "/io/github/gesso_studio/Gesso/ui/gesso-generate-bar.ui");
  gtk_widget_class_bind_template_child (widget_class, GessoGenerateBar, editing_row);
  gtk_widget_class_bind_template_child (widget_class, GessoGenerateBar, clip_row);
  gtk_widget_class_bind_template_child (widget_class, GessoGenerateBar, clip);
  gtk_widget_class_bind_template_child (widget_class, GessoGenerateBar, line);
  gtk_widget_class_bind_template_child (widget_class, GessoGenerateBar, button);
  gtk_widget_class_bind_template_child (widget_class, GessoGenerateBar, count);
}

static void
gesso_generate_bar_init (GessoGenerateBar *self)
{
  gtk_widget_init_template (GTK_WIDGET (self));
  gesso_name_buttons (GTK_WIDGET (self));
}

/* Adwaita has no name for the arrow's button. */
static void
name_arrow (GessoGenerateBar *self)
{
  const char *name = _ ("More ways to generate");
  adw_split_button_set_dropdown_tooltip (ADW_SPLIT_BUTTON (self->button), name);
  for (GtkWidget *child = gtk_widget_get_first_child (self->button); child;
       child = gtk_widget_get_next_sibling (child))
    if (GTK_IS_MENU_BUTTON (child))
      gtk_accessible_update_property (GTK_ACCESSIBLE (child), GTK_ACCESSIBLE_PROPERTY_LABEL, name,
                                      -1);
}

GtkWidget *
gesso_generate_bar_new (GessoForm *form)
{
  g_return_val_if_fail (GESSO_IS_FORM (form), NULL);
  GessoGenerateBar *self = g_object_new (GESSO_TYPE_GENERATE_BAR, NULL);
  const RecipeParam *param = recipe_find_param ("batch_count");
  self->form = g_object_ref (form);
  gtk_spin_button_set_range (GTK_SPIN_BUTTON (self->count), param->min, param->max);
  gtk_spin_button_set_increments (GTK_SPIN_BUTTON (self->count), 1, 4);
  g_signal_connect (self->count, "value-changed", G_CALLBACK (count_changed_cb), self);
  g_signal_connect_object (form, "changed::batch_count", G_CALLBACK (form_changed_cb), self,
                           G_CONNECT_SWAPPED);
  name_arrow (self);
  form_changed_cb (self);
  update_button (self);
  return GTK_WIDGET (self);
}

void
gesso_generate_bar_set_plan (GessoGenerateBar *self,
                             const char *text,
                             const char *problem,
                             gboolean warning)
{
  g_return_if_fail (GESSO_IS_GENERATE_BAR (self));
  g_autofree char *shown =
      problem || warning ? g_strdup_printf ("⚠ %s", problem ? problem : text) : g_strdup (text);
  gtk_label_set_label (GTK_LABEL (self->line), shown);
  gesso_tooltip_set (self->line, problem);
  gtk_widget_remove_css_class (self->line, problem || warning ? "dim-label" : "warning");
  gtk_widget_add_css_class (self->line, problem || warning ? "warning" : "dim-label");
  gtk_accessible_update_property (GTK_ACCESSIBLE (self->button),
                                  GTK_ACCESSIBLE_PROPERTY_DESCRIPTION, problem ? problem : text,
                                  -1);
}

static gboolean
pointed_out_cb (gpointer user_data)
{
  GessoGenerateBar *self = user_data;
  self->pointing = 0;
  gtk_widget_remove_css_class (self->line, "asked");
  return G_SOURCE_REMOVE;
}

void
gesso_generate_bar_point_out (GessoGenerateBar *self)
{
  g_return_if_fail (GESSO_IS_GENERATE_BAR (self));
  gesso_compat_announce (self->line, gtk_label_get_label (GTK_LABEL (self->line)));
  if (self->pointing)
    return;
  gtk_widget_add_css_class (self->line, "asked");
  self->pointing = g_timeout_add (POINT_OUT_MS, pointed_out_cb, self);
}

void
gesso_generate_bar_set_mode (GessoGenerateBar *self, GessoMode mode)
{
  g_return_if_fail (GESSO_IS_GENERATE_BAR (self));
  self->mode = mode;
  update_button (self);
}

void
gesso_generate_bar_set_clip (GessoGenerateBar *self, const char *path, gboolean again)
{
  g_return_if_fail (GESSO_IS_GENERATE_BAR (self));
  g_autofree char *name = path ? g_filename_display_basename (path) : NULL;
  g_autofree char *text = !name   ? NULL
                          : again ? g_strdup_printf (_ ("Extends %s again"), name)
                                  : g_strdup_printf (_ ("Extends %s"), name);
  gtk_label_set_label (GTK_LABEL (self->clip), text ? text : "");
  gtk_widget_set_tooltip_text (self->clip, path);
  gtk_widget_set_visible (self->clip_row, path != NULL);
}

void
gesso_generate_bar_set_editing (GessoGenerateBar *self, gboolean editing)
{
  g_return_if_fail (GESSO_IS_GENERATE_BAR (self));
  self->editing = editing;
  update_button (self);
}

const char *
gesso_generate_bar_get_label (GessoGenerateBar *self)
{
  g_return_val_if_fail (GESSO_IS_GENERATE_BAR (self), NULL);
  return adw_split_button_get_label (ADW_SPLIT_BUTTON (self->button));
}

const char *
gesso_generate_bar_get_line (GessoGenerateBar *self)
{
  g_return_val_if_fail (GESSO_IS_GENERATE_BAR (self), NULL);
  return gtk_label_get_label (GTK_LABEL (self->line));
}
