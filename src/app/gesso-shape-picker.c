/* SPDX-License-Identifier: MPL-2.0
 * gesso-shape-picker.c - a button with the picture's shape; its popover has ratios and exact sizes.
 */
#include "app/gesso-shape-picker.h"

#include <glib/gi18n.h>

#include "app/gesso-name.h"
#include "app/gesso-parameter-editor.h"
#include "app/gesso-shape.h"

enum
{
  DEFAULT_NATIVE = 512, /* px, until a plan told the model's own */
  GLYPH_SIDE = 22,      /* px, of the drawn rectangle's square */
  COLUMNS = 4
};

struct _GessoShapePicker
{
  AdwBin parent_instance;
  GessoForm *form;
  int native, step;
  GtkWidget *button, *label;
};

G_DEFINE_FINAL_TYPE (GessoShapePicker, gesso_shape_picker, ADW_TYPE_BIN)

static int
native_or_default (GessoShapePicker *self)
{
  return self->native > 0 ? self->native : DEFAULT_NATIVE;
}

static void
set_size (GessoShapePicker *self, int width, int height)
{
  g_autofree char *w = g_strdup_printf ("%d", width), *h = g_strdup_printf ("%d", height);
  gesso_form_set_text (self->form, "width", w, NULL);
  gesso_form_set_text (self->form, "height", h, NULL);
}

void
gesso_shape_picker_choose (GessoShapePicker *self, double ratio)
{
  g_return_if_fail (GESSO_IS_SHAPE_PICKER (self));
  int w, h;
  gesso_shape_fit (ratio, native_or_default (self), self->step, &w, &h);
  set_size (self, w, h);
}

static int
effective (GessoShapePicker *self, const char *key, int value)
{
  g_autofree char *filled = value ? NULL : gesso_form_dup_filled (self->form, key);
  return filled ? (int) g_ascii_strtoll (filled, NULL, 10) : value;
}

static void
update (GessoShapePicker *self)
{
  const Recipe *recipe = gesso_form_peek (self->form);
  int w = effective (self, "width", recipe->width), h = effective (self, "height", recipe->height);
  g_autofree char *text = NULL;
  if (w && h)
    {
      const char *ratio = gesso_shape_find (w, h, native_or_default (self), self->step);
      text =
          ratio ? g_strdup_printf ("%s · %d × %d", ratio, w, h) : g_strdup_printf ("%d × %d", w, h);
    }
  else
    text = g_strdup (_ ("Auto"));
  gtk_label_set_label (GTK_LABEL (self->label), text);
  g_autofree char *spoken = g_strdup_printf (_ ("Shape: %s"), text);
  gtk_accessible_update_property (GTK_ACCESSIBLE (self->button), GTK_ACCESSIBLE_PROPERTY_LABEL,
                                  spoken, -1);
}

static void
preset_clicked_cb (GtkButton *button, gpointer user_data)
{
  GessoShapePicker *self = user_data;
  const GessoRatio *ratio = g_object_get_data (G_OBJECT (button), "ratio");
  if (ratio)
    gesso_shape_picker_choose (self, ratio->ratio);
  else
    set_size (self, 0, 0);
}

static void
swap_clicked_cb (GtkButton *button, gpointer user_data)
{
  GessoShapePicker *self = user_data;
  const Recipe *recipe = gesso_form_peek (self->form);
  set_size (self, effective (self, "height", recipe->height),
            effective (self, "width", recipe->width));
}

static GtkWidget *
new_glyph (double ratio)
{
  GtkWidget *glyph = gtk_box_new (GTK_ORIENTATION_HORIZONTAL, 0);
  gtk_widget_add_css_class (glyph, "shape-glyph");
  gtk_widget_set_size_request (glyph, ratio < 1 ? (int) (GLYPH_SIDE * ratio) : GLYPH_SIDE,
                               ratio < 1 ? GLYPH_SIDE : (int) (GLYPH_SIDE / ratio));
  gtk_widget_set_halign (glyph, GTK_ALIGN_CENTER);
  gtk_widget_set_valign (glyph, GTK_ALIGN_CENTER);
  gtk_widget_set_vexpand (glyph, TRUE);
  return glyph;
}

static GtkWidget *
new_preset (GessoShapePicker *self, const GessoRatio *ratio)
{
  GtkWidget *box = gtk_box_new (GTK_ORIENTATION_VERTICAL, 4);
  gtk_box_append (GTK_BOX (box), new_glyph (ratio->ratio));
  GtkWidget *label = gtk_label_new (ratio->label);
  gtk_widget_add_css_class (label, "caption");
  gtk_box_append (GTK_BOX (box), label);
  GtkWidget *button = gtk_button_new ();
  gtk_button_set_child (GTK_BUTTON (button), box);
  gtk_widget_add_css_class (button, "flat");
  gtk_widget_set_size_request (button, 60, 58);
  g_object_set_data (G_OBJECT (button), "ratio", (gpointer) ratio);
  gtk_accessible_update_property (GTK_ACCESSIBLE (button), GTK_ACCESSIBLE_PROPERTY_LABEL,
                                  ratio->label, -1);
  g_signal_connect_object (button, "clicked", G_CALLBACK (preset_clicked_cb), self, 0);
  return button;
}

static GtkWidget *
new_exact (GessoShapePicker *self)
{
  GtkWidget *row = gtk_box_new (GTK_ORIENTATION_HORIZONTAL, 6);
  GtkWidget *width = gesso_parameter_editor_new (self->form, recipe_find_param ("width"), NULL);
  GtkWidget *height = gesso_parameter_editor_new (self->form, recipe_find_param ("height"), NULL);
  GtkWidget *swap = gtk_button_new_from_icon_name ("gesso-swap-symbolic");
  gtk_widget_set_tooltip_text (swap, _ ("Swap width and height"));
  gtk_accessible_update_property (GTK_ACCESSIBLE (swap), GTK_ACCESSIBLE_PROPERTY_LABEL,
                                  _ ("Swap width and height"), -1);
  gtk_widget_add_css_class (swap, "flat");
  g_signal_connect_object (swap, "clicked", G_CALLBACK (swap_clicked_cb), self, 0);
  gtk_box_append (GTK_BOX (row), width);
  gtk_box_append (GTK_BOX (row), swap);
  gtk_box_append (GTK_BOX (row), height);
  return row;
}

static GtkWidget *
new_popover (GessoShapePicker *self)
{
  GtkWidget *grid = gtk_grid_new ();
  gtk_grid_set_column_homogeneous (GTK_GRID (grid), TRUE);
  guint n;
  const GessoRatio *ratios = gesso_shape_ratios (&n);
  for (guint i = 0; i < n; i++)
    gtk_grid_attach (GTK_GRID (grid), new_preset (self, &ratios[i]), (int) i % COLUMNS,
                     (int) i / COLUMNS, 1, 1);
  GtkWidget *box = gtk_box_new (GTK_ORIENTATION_VERTICAL, 6);
  gtk_box_append (GTK_BOX (box), grid);
  gtk_box_append (GTK_BOX (box), new_exact (self));
  GtkWidget *own = gesso_name_new_button (_ ("_Model’s own"));
  gtk_widget_add_css_class (own, "flat");
  g_signal_connect_object (own, "clicked", G_CALLBACK (preset_clicked_cb), self, 0);
  gtk_box_append (GTK_BOX (box), own);
  GtkWidget *popover = gtk_popover_new ();
  gtk_popover_set_child (GTK_POPOVER (popover), box);
  return popover;
}

static void
gesso_shape_picker_dispose (GObject *object)
{
  g_clear_object (&GESSO_SHAPE_PICKER (object)->form);
  G_OBJECT_CLASS (gesso_shape_picker_parent_class)->dispose (object);
}

static void
gesso_shape_picker_class_init (GessoShapePickerClass *klass)
{
  G_OBJECT_CLASS (klass)->dispose = gesso_shape_picker_dispose;
}

static void
gesso_shape_picker_init (GessoShapePicker *self)
{
  self->label = gtk_label_new (NULL);
  gtk_widget_add_css_class (self->label, "numeric");
  self->button = gtk_menu_button_new ();
  gtk_menu_button_set_child (GTK_MENU_BUTTON (self->button), self->label);
  gtk_menu_button_set_always_show_arrow (GTK_MENU_BUTTON (self->button), TRUE);
  adw_bin_set_child (ADW_BIN (self), self->button);
}

GtkWidget *
gesso_shape_picker_new (GessoForm *form)
{
  g_return_val_if_fail (GESSO_IS_FORM (form), NULL);
  GessoShapePicker *self = g_object_new (GESSO_TYPE_SHAPE_PICKER, NULL);
  self->form = g_object_ref (form);
  gtk_menu_button_set_popover (GTK_MENU_BUTTON (self->button), new_popover (self));
  static const char *const watched[] = { "changed::width", "changed::height", "filled" };
  for (gsize i = 0; i < G_N_ELEMENTS (watched); i++)
    g_signal_connect_object (form, watched[i], G_CALLBACK (update), self, G_CONNECT_SWAPPED);
  update (self);
  return GTK_WIDGET (self);
}

void
gesso_shape_picker_set_native (GessoShapePicker *self, int side, int step)
{
  g_return_if_fail (GESSO_IS_SHAPE_PICKER (self));
  self->native = side;
  self->step = step;
  update (self);
}
