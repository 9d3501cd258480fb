/* SPDX-License-Identifier: MPL-2.0
 * gesso-wheel.h - the wheel scrolls the page, also where a number lies under the pointer.
 */
#pragma once

#include <gtk/gtk.h>

G_BEGIN_DECLS

/* gesso_wheel_leave_to_page:
 * @widget: a spin button or a scale inside of something that scrolls
 *
 * GTK lets both take the wheel and change their value, so that whoever scrolls a page of parameters
 * changes those that pass under the pointer, and hardly sees it.
 */
void gesso_wheel_leave_to_page (GtkWidget *widget);

G_END_DECLS
