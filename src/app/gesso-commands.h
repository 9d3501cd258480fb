/* SPDX-License-Identifier: MPL-2.0
 * gesso-commands.h - every key in one table: accelerators and the shortcuts window come from it.
 */
#pragma once

#include <adwaita.h>

G_BEGIN_DECLS

typedef struct
{
  const char *group;  /* untranslated heading */
  const char *action; /* "win.generate"; NULL for keys that a widget handles itself while it has the
                         focus */
  const char *title;  /* untranslated */
  const char *accels[3];
} GessoCommand;

/* @n: receives the number of commands.  Groups are consecutive. */
const GessoCommand *gesso_commands (guint *n);
void gesso_commands_set_accels (GtkApplication *app);
GtkWindow *gesso_commands_new_window (GtkWindow *parent);

G_END_DECLS
