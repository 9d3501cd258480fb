/* SPDX-License-Identifier: MPL-2.0
 * gesso-wheel.c - the wheel scrolls the page, also where a number lies under the pointer.
 */
#include "app/gesso-wheel.h"

void
gesso_wheel_leave_to_page (GtkWidget *widget)
{
  g_return_if_fail (GTK_IS_SPIN_BUTTON (widget) || GTK_IS_RANGE (widget));
  g_autoptr (GListModel) controllers = gtk_widget_observe_controllers (widget);
  for (guint i = 0; i < g_list_model_get_n_items (controllers); i++)
    {
      g_autoptr (GtkEventController) controller = g_list_model_get_item (controllers, i);
      if (GTK_IS_EVENT_CONTROLLER_SCROLL (controller))
        gtk_event_controller_set_propagation_phase (controller, GTK_PHASE_NONE);
    }
}
