/* SPDX-License-Identifier: MPL-2.0
 * gesso-watcher.h - says which folders changed, some time after they stopped changing.
 *
 * Main thread, which waits for no disk here.  Signal "changed" (char **folders); "watched" (char
 * **folders), from when on that is said of them; "rescan" where folders cannot be watched and
 * everything has to be looked at now and then.
 */
#pragma once

#include <gio/gio.h>

G_BEGIN_DECLS

#define GESSO_TYPE_WATCHER (gesso_watcher_get_type ())
G_DECLARE_FINAL_TYPE (GessoWatcher, gesso_watcher, GESSO, WATCHER, GObject)

GessoWatcher *gesso_watcher_new (void);
void gesso_watcher_stop (GessoWatcher *self);
/* A set of paths, besides those that are watched. */
void gesso_watcher_add (GessoWatcher *self, GHashTable *folders);
/* Whether "watched" is still to come for some. */
gboolean gesso_watcher_is_busy (GessoWatcher *self);
/* Forgets all folders but these: a set of paths. */
void gesso_watcher_keep (GessoWatcher *self, GHashTable *folders);
/* Periodic rescans are on: a folder could not be watched. */
gboolean gesso_watcher_is_polling (GessoWatcher *self);
/* For tests: as if the system's limit of watches was @limit folders. */
void gesso_watcher_set_limit (GessoWatcher *self, guint limit);

G_END_DECLS
