/* SPDX-License-Identifier: MPL-2.0
 * gesso-project-actions.h - new, open, recent, save: the commands about .gesso files.
 */
#pragma once

#include "app/gesso-window.h"

G_BEGIN_DECLS

/* gesso_project_actions_add:
 * @recent: the menu that lists the projects opened last
 *
 * Also opens anew what was declined at the last end (gesso_project_decline).
 */
void gesso_project_actions_add (GessoWindow *window, GMenu *recent);
/* Asks first when something would be lost. */
void gesso_project_actions_open (GessoWindow *window, const char *path);
/* gesso_project_actions_ask_close:
 *
 * The window is to be closed while its project has changes that are not saved.
 *
 * Returns: TRUE when it was asked; the window is closed after the answer, unless that is Cancel
 */
gboolean gesso_project_actions_ask_close (GessoWindow *window);

G_END_DECLS
