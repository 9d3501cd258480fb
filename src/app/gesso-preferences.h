/* SPDX-License-Identifier: MPL-2.0
 * gesso-preferences.h - folders of models, where pictures go, light or dark.
 */
#pragma once

#include "app/gesso-window.h"

G_BEGIN_DECLS

GtkWindow *gesso_preferences_new (GessoWindow *window);

G_END_DECLS
