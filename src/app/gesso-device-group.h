/* SPDX-License-Identifier: MPL-2.0
 * gesso-device-group.h - the part of the preferences that says what computes.
 */
#pragma once

#include "app/gesso-window.h"

G_BEGIN_DECLS

/* An AdwPreferencesGroup with a switch for each device; looks for them itself. */
GtkWidget *gesso_device_group_new (GessoWindow *window);

G_END_DECLS
