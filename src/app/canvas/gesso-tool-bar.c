/* SPDX-License-Identifier: MPL-2.0
 * gesso-tool-bar.c - the floating column of tools at the canvas's edge.
 */
#include "app/canvas/gesso-tool-bar.h"

#include <glib/gi18n.h>
#include <math.h>

#include "app/canvas/gesso-canvas-style.h"

/* The slider moves in half powers of two: fine where brushes are small. */
#define RADIUS_STEPS_MAX 22.0

struct _GessoToolBar
{
  GtkWidget parent_instance;

  GessoCanvas *canvas;
  GtkWidget *column, *brush_label;
  GtkAdjustment *size, *softness;
};

G_DEFINE_FINAL_TYPE (GessoToolBar, gesso_tool_bar, GTK_TYPE_WIDGET)

typedef struct
{
  const char *target, *icon, *label, *tooltip;
} Tool;

static const Tool tools[] = {
  { "move", "gesso-tool-move-symbolic", N_ ("Move"), N_ ("Move (V)") },
  { "mask", "gesso-tool-mask-symbolic", N_ ("Paint Mask"), N_ ("Paint mask (B)") },
  { "erase", "gesso-tool-erase-symbolic", N_ ("Erase Mask"), N_ ("Erase mask (E)") },
  { "frame", "gesso-tool-frame-symbolic", N_ ("Frame"), N_ ("Frame (C)") },
  { "compare", "gesso-tool-compare-symbolic", N_ ("Compare"),
    N_ ("Compare (Shift+X; hold X for before)") },
};

static void
set_label (GtkWidget *widget, const char *label)
{
  gtk_accessible_update_property (GTK_ACCESSIBLE (widget), GTK_ACCESSIBLE_PROPERTY_LABEL, label,
                                  -1);
}

static GtkWidget *
new_tool (const Tool *tool)
{
  GtkWidget *button = gtk_toggle_button_new ();
  gtk_button_set_icon_name (GTK_BUTTON (button), tool->icon);
  gtk_actionable_set_action_name (GTK_ACTIONABLE (button), "canvas.tool");
  gtk_actionable_set_action_target (GTK_ACTIONABLE (button), "s", tool->target);
  gtk_widget_set_tooltip_text (button, _ (tool->tooltip));
  gtk_widget_add_css_class (button, "flat");
  set_label (button, _ (tool->label));
  return button;
}

/* Back to making pictures from words alone; the button has no place while there is no picture. */
static GtkWidget *
new_clear_button (void)
{
  GtkWidget *button = gtk_button_new_from_icon_name ("gesso-canvas-clear-symbolic");
  gtk_actionable_set_action_name (GTK_ACTIONABLE (button), "canvas.clear");
  gtk_widget_set_tooltip_text (button, _ ("Take the picture off the canvas (Ctrl+Delete)"));
  gtk_widget_add_css_class (button, "flat");
  set_label (button, _ ("Clear Canvas"));
  g_object_bind_property (button, "sensitive", button, "visible", G_BINDING_SYNC_CREATE);
  return button;
}

static gboolean
radius_to_steps (GBinding *binding, const GValue *from, GValue *to, gpointer user_data)
{
  g_value_set_double (to, 2 * log2 (g_value_get_double (from)));
  return TRUE;
}

static gboolean
steps_to_radius (GBinding *binding, const GValue *from, GValue *to, gpointer user_data)
{
  g_value_set_double (to, exp2 (g_value_get_double (from) / 2));
  return TRUE;
}

static char *
format_size (GtkScale *scale, double steps, gpointer user_data)
{
  return g_strdup_printf (_ ("%.0f px"), 2 * exp2 (steps / 2));
}

static char *
format_softness (GtkScale *scale, double value, gpointer user_data)
{
  return g_strdup_printf (_ ("%.0f %%"), value * 100);
}

static void
add_slider (GtkWidget *grid,
            int row,
            const char *title,
            const char *tooltip,
            GtkAdjustment *adjustment,
            GtkScaleFormatValueFunc format)
{
  GtkWidget *label = gtk_label_new (title);
  GtkWidget *scale = gtk_scale_new (GTK_ORIENTATION_HORIZONTAL, adjustment);
  gtk_label_set_xalign (GTK_LABEL (label), 0);
  gtk_scale_set_draw_value (GTK_SCALE (scale), TRUE);
  gtk_scale_set_value_pos (GTK_SCALE (scale), GTK_POS_RIGHT);
  gtk_scale_set_format_value_func (GTK_SCALE (scale), format, NULL, NULL);
  gtk_widget_set_size_request (scale, 220, -1);
  gtk_widget_set_tooltip_text (scale, tooltip);
  set_label (scale, title);
  gtk_grid_attach (GTK_GRID (grid), label, 0, row, 1, 1);
  gtk_grid_attach (GTK_GRID (grid), scale, 1, row, 1, 1);
}

static GtkWidget *
new_brush_popover (GessoToolBar *self)
{
  GtkWidget *grid = gtk_grid_new (), *popover = gtk_popover_new ();
  gtk_grid_set_row_spacing (GTK_GRID (grid), 6);
  gtk_grid_set_column_spacing (GTK_GRID (grid), 12);
  add_slider (grid, 0, _ ("Size"), _ ("Brush size ( [ and ] )"), self->size, format_size);
  add_slider (grid, 1, _ ("Softness"), _ ("Brush softness ( { and } )"), self->softness,
              format_softness);
  GtkWidget *pressure =
      gtk_check_button_new_with_label (_ ("Pen pressure sets softness in place of size"));
  GtkWidget *finger = gtk_check_button_new_with_label (_ ("Paint with the finger"));
  g_object_bind_property (self->canvas, "pressure-softness", pressure, "active",
                          G_BINDING_SYNC_CREATE | G_BINDING_BIDIRECTIONAL);
  g_object_bind_property (self->canvas, "finger-paints", finger, "active",
                          G_BINDING_SYNC_CREATE | G_BINDING_BIDIRECTIONAL);
  gtk_grid_attach (GTK_GRID (grid), pressure, 0, 2, 2, 1);
  gtk_grid_attach (GTK_GRID (grid), finger, 0, 3, 2, 1);
  gtk_popover_set_child (GTK_POPOVER (popover), grid);
  gtk_popover_set_position (GTK_POPOVER (popover), GTK_POS_RIGHT);
  return popover;
}

static GtkWidget *
new_brush_button (GessoToolBar *self)
{
  GtkWidget *button = gtk_menu_button_new ();
  self->brush_label = gtk_label_new (NULL);
  gtk_menu_button_set_child (GTK_MENU_BUTTON (button), self->brush_label);
  gtk_menu_button_set_popover (GTK_MENU_BUTTON (button), new_brush_popover (self));
  gtk_widget_add_css_class (button, "flat");
  gtk_widget_set_tooltip_text (button, _ ("Brush size and softness ( [ ] and { } )"));
  set_label (button, _ ("Brush size and softness"));
  return button;
}

static void
radius_changed_cb (GessoCanvas *canvas, GParamSpec *pspec, GessoToolBar *self)
{
  g_autofree char *text = g_strdup_printf ("%.0f", 2 * gesso_canvas_get_brush_radius (canvas));
  gtk_label_set_text (GTK_LABEL (self->brush_label), text);
}

static void
build (GessoToolBar *self)
{
  self->column = gtk_box_new (GTK_ORIENTATION_VERTICAL, 2);
  gtk_widget_add_css_class (self->column, "gesso-tools");
  for (gsize i = 0; i < G_N_ELEMENTS (tools); i++)
    gtk_box_append (GTK_BOX (self->column), new_tool (&tools[i]));
  gtk_box_append (GTK_BOX (self->column), gtk_separator_new (GTK_ORIENTATION_HORIZONTAL));
  self->size = g_object_ref_sink (gtk_adjustment_new (10, 0, RADIUS_STEPS_MAX, 0.5, 2, 0));
  self->softness = g_object_ref_sink (gtk_adjustment_new (0.3, 0, 1, 0.05, 0.2, 0));
  gtk_box_append (GTK_BOX (self->column), new_brush_button (self));
  gtk_box_append (GTK_BOX (self->column), new_clear_button ());
  gtk_widget_set_parent (self->column, GTK_WIDGET (self));
  g_object_bind_property_full (self->canvas, "brush-radius", self->size, "value",
                               G_BINDING_SYNC_CREATE | G_BINDING_BIDIRECTIONAL, radius_to_steps,
                               steps_to_radius, NULL, NULL);
  g_object_bind_property (self->canvas, "brush-softness", self->softness, "value",
                          G_BINDING_SYNC_CREATE | G_BINDING_BIDIRECTIONAL);
  g_signal_connect_object (self->canvas, "notify::brush-radius", G_CALLBACK (radius_changed_cb),
                           self, 0);
  radius_changed_cb (self->canvas, NULL, self);
}

static void
gesso_tool_bar_dispose (GObject *object)
{
  GessoToolBar *self = GESSO_TOOL_BAR (object);
  g_clear_pointer (&self->column, gtk_widget_unparent);
  g_clear_object (&self->size);
  g_clear_object (&self->softness);
  g_clear_object (&self->canvas);
  G_OBJECT_CLASS (gesso_tool_bar_parent_class)->dispose (object);
}

static void
gesso_tool_bar_class_init (GessoToolBarClass *klass)
{
  GtkWidgetClass *widget_class = GTK_WIDGET_CLASS (klass);
  G_OBJECT_CLASS (klass)->dispose = gesso_tool_bar_dispose;
  gtk_widget_class_set_layout_manager_type (widget_class, GTK_TYPE_BIN_LAYOUT);
  gtk_widget_class_set_css_name (widget_class, "gessotoolbar");
  gtk_widget_class_set_accessible_role (widget_class, GTK_ACCESSIBLE_ROLE_TOOLBAR);
}

static void
gesso_tool_bar_init (GessoToolBar *self)
{
  gesso_canvas_style_ensure ();
  gtk_widget_set_halign (GTK_WIDGET (self), GTK_ALIGN_START);
  gtk_widget_set_valign (GTK_WIDGET (self), GTK_ALIGN_START);
  gtk_widget_set_margin_start (GTK_WIDGET (self), 12);
  gtk_widget_set_margin_top (GTK_WIDGET (self), 12);
  set_label (GTK_WIDGET (self), _ ("Canvas tools"));
}

GtkWidget *
gesso_tool_bar_new (GessoCanvas *canvas)
{
  g_return_val_if_fail (GESSO_IS_CANVAS (canvas), NULL);
  GessoToolBar *self = g_object_new (GESSO_TYPE_TOOL_BAR, NULL);
  self->canvas = g_object_ref (canvas);
  gtk_widget_insert_action_group (GTK_WIDGET (self), "canvas", gesso_canvas_get_actions (canvas));
  build (self);
  return GTK_WIDGET (self);
}
