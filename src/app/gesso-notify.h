/* SPDX-License-Identifier: MPL-2.0
 * gesso-notify.h - what the desktop is told: the queue is done, do not sleep while it works.
 */
#pragma once

#include <gtk/gtk.h>

#include "session/gesso-session.h"

G_BEGIN_DECLS

#define GESSO_TYPE_NOTIFY (gesso_notify_get_type ())
G_DECLARE_FINAL_TYPE (GessoNotify, gesso_notify, GESSO, NOTIFY, GObject)

GessoNotify *gesso_notify_new (GtkApplication *app, GessoSession *session, GSettings *settings);
gboolean gesso_notify_is_inhibiting (GessoNotify *self);

G_END_DECLS
