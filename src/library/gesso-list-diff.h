/* SPDX-License-Identifier: MPL-2.0
 * gesso-list-diff.h - from an old list to a new one in few "items-changed".
 */
#pragma once

#include <gio/gio.h>

G_BEGIN_DECLS

/* gesso_list_diff:
 * @list: the model that emits
 * @items: its array of guint64 keys (numbers or pointers), unique; becomes @n_wanted @wanted
 *
 * Every emission happens with @items as the emission says, so that whoever listens sees a list that
 * is whole.  Many scattered changes become one.  Keys that are in both lists are expected in the
 * same order; when they are not, the part between the common ends is replaced.
 */
void gesso_list_diff (GListModel *list, GArray *items, const guint64 *wanted, guint n_wanted);

G_END_DECLS
