/* SPDX-License-Identifier: MPL-2.0
 * gesso-canvas-menu.c - what can be done with the canvas, under the right button and the menu key.
 */
#include "app/canvas/gesso-canvas-private.h"

#include <glib/gi18n.h>

#include "app/gesso-menu.h"

static GMenu *
new_model (void)
{
  static const GessoMenuEntry picture[] = { { N_ ("_Paste Picture"), "canvas.paste" },
                                            { N_ ("_Clear Canvas"), "canvas.clear" } };
  static const GessoMenuEntry edit[] = { { N_ ("_Undo"), "canvas.undo" },
                                         { N_ ("_Redo"), "canvas.redo" } };
  static const GessoMenuEntry mask[] = { { N_ ("Show _Mask"), "canvas.show-mask" },
                                         { N_ ("_Invert Mask"), "canvas.invert-mask" },
                                         { N_ ("C_lear Mask"), "canvas.clear-mask" } };
  static const GessoMenuEntry view[] = { { N_ ("_Fit"), "canvas.fit" },
                                         { N_ ("_Actual Size"), "canvas.actual-size" },
                                         { N_ ("F_rame Around Picture"),
                                           "canvas.frame-to-picture" } };
  GMenu *menu = g_menu_new ();
  gesso_menu_add_section (menu, picture, G_N_ELEMENTS (picture));
  gesso_menu_add_section (menu, edit, G_N_ELEMENTS (edit));
  gesso_menu_add_section (menu, mask, G_N_ELEMENTS (mask));
  gesso_menu_add_section (menu, view, G_N_ELEMENTS (view));
  return menu;
}

/* Who clicks on a result means the result. */
static void
update_model (GessoCanvas *self)
{
  gboolean wanted = self->result.texture && self->result_menu;
  if (wanted == self->menu_has_result)
    return;
  self->menu_has_result = wanted;
  if (wanted)
    g_menu_prepend_section (self->menu_model, NULL, self->result_menu);
  else
    g_menu_remove (self->menu_model, 0);
}

static void
popup_at (GessoCanvas *self, double x, double y)
{
  update_model (self);
  GdkRectangle at = { (int) x, (int) y, 1, 1 };
  gtk_popover_set_pointing_to (GTK_POPOVER (self->menu), &at);
  gtk_popover_popup (GTK_POPOVER (self->menu));
}

static gboolean
is_mouse (GtkGesture *gesture)
{
  GdkEvent *event = gtk_event_controller_get_current_event (GTK_EVENT_CONTROLLER (gesture));
  GdkDeviceTool *tool = event ? gdk_event_get_device_tool (event) : NULL;
  GdkDeviceToolType type = tool ? gdk_device_tool_get_tool_type (tool) : GDK_DEVICE_TOOL_TYPE_MOUSE;
  return type == GDK_DEVICE_TOOL_TYPE_MOUSE || type == GDK_DEVICE_TOOL_TYPE_UNKNOWN;
}

/* The pen's side button pans, and Alt with the right one sets the brush. */
static void
right_click_cb (GtkGestureClick *gesture, int n_press, double x, double y, GessoCanvas *self)
{
  GdkModifierType state =
      gtk_event_controller_get_current_event_state (GTK_EVENT_CONTROLLER (gesture));
  if ((state & GDK_ALT_MASK) || !is_mouse (GTK_GESTURE (gesture)))
    {
      gtk_gesture_set_state (GTK_GESTURE (gesture), GTK_EVENT_SEQUENCE_DENIED);
      return;
    }
  gtk_gesture_set_state (GTK_GESTURE (gesture), GTK_EVENT_SEQUENCE_CLAIMED);
  popup_at (self, x, y);
}

static gboolean
menu_key_cb (GtkWidget *widget, GVariant *args, gpointer user_data)
{
  popup_at (GESSO_CANVAS (widget), gtk_widget_get_width (widget) / 2.0,
            gtk_widget_get_height (widget) / 2.0);
  return TRUE;
}

void
gesso_canvas_init_menu (GessoCanvas *self)
{
  self->menu_model = new_model ();
  self->menu = gtk_popover_menu_new_from_model (G_MENU_MODEL (self->menu_model));
  gtk_widget_set_parent (self->menu, GTK_WIDGET (self));
  GtkGesture *click = gtk_gesture_click_new ();
  gtk_gesture_single_set_button (GTK_GESTURE_SINGLE (click), GDK_BUTTON_SECONDARY);
  g_signal_connect (click, "pressed", G_CALLBACK (right_click_cb), self);
  gtk_widget_add_controller (GTK_WIDGET (self), GTK_EVENT_CONTROLLER (click));
  GtkEventController *keys = gtk_shortcut_controller_new ();
  gesso_menu_add_keys (GTK_SHORTCUT_CONTROLLER (keys), menu_key_cb, NULL);
  gtk_widget_add_controller (GTK_WIDGET (self), keys);
}

void
gesso_canvas_set_result_menu (GessoCanvas *self, GMenuModel *menu)
{
  g_return_if_fail (GESSO_IS_CANVAS (self) && G_IS_MENU_MODEL (menu));
  g_return_if_fail (!self->menu_has_result);
  g_set_object (&self->result_menu, menu);
}
