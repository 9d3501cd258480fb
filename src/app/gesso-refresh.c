/* SPDX-License-Identifier: MPL-2.0
 * gesso-refresh.c - what a widget shows, brought up to date once a frame.
 */
#include "app/gesso-refresh.h"

#define KEY "gesso-refresh"

typedef struct
{
  GessoRefresh refresh;
} Task;

static gboolean
tick_cb (GtkWidget *widget, GdkFrameClock *clock, gpointer user_data)
{
  Task *task = user_data;
  g_object_set_data (G_OBJECT (widget), KEY, NULL);
  task->refresh (widget);
  return G_SOURCE_REMOVE;
}

void
gesso_refresh_queue (GtkWidget *widget, GessoRefresh refresh)
{
  g_return_if_fail (GTK_IS_WIDGET (widget) && refresh);
  if (g_object_get_data (G_OBJECT (widget), KEY))
    return;
  Task *task = g_new (Task, 1);
  task->refresh = refresh;
  g_object_set_data (G_OBJECT (widget), KEY, task);
  gtk_widget_add_tick_callback (widget, tick_cb, task, g_free);
}
