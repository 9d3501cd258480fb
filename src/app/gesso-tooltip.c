/* SPDX-License-Identifier: MPL-2.0
 * gesso-tooltip.c - a tooltip of the widget itself.
 *
 * GTK asks a popover's parents for a tooltip, too, with coordinates outside of them.  And
 * gtk_widget_set_tooltip_text() asks the display server where the pointer is and waits for the
 * answer each time; what changes while jobs run is set here, which waits for nothing.
 */
#include "app/gesso-tooltip.h"

static gboolean
query_cb (GtkWidget *widget, int x, int y, gboolean keyboard, GtkTooltip *tooltip, gpointer unused)
{
  const char *text = g_object_get_data (G_OBJECT (widget), "tooltip");
  if (!text || !gtk_widget_contains (widget, x, y))
    return FALSE;
  gtk_tooltip_set_text (tooltip, text);
  return TRUE;
}

void
gesso_tooltip_set (GtkWidget *widget, const char *text)
{
  g_return_if_fail (GTK_IS_WIDGET (widget));
  if (!gtk_widget_get_has_tooltip (widget))
    {
      gtk_widget_set_has_tooltip (widget, TRUE);
      g_signal_connect (widget, "query-tooltip", G_CALLBACK (query_cb), NULL);
    }
  g_object_set_data_full (G_OBJECT (widget), "tooltip", g_strdup (text), g_free);
}
