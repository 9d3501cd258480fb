/* SPDX-License-Identifier: MPL-2.0
 * gesso-list-diff.h - from an old list to a new one in few "items-changed".
 */
#pragma once

#include <gio/gio.h>

G_BEGIN_DECLS

typedef struct
{
  guint position; /* in the old list */
  guint n_removed, n_added;
  guint from; /* in the new list */
} GessoListRun;

/* gesso_list_diff:
 * @list: the model that emits
 * @items: its array of guint64 keys (numbers or pointers), unique; becomes @n_wanted @wanted
 *
 * Every emission happens with @items as the emission says, so that whoever listens sees a list that
 * is whole.  Many scattered changes become one.  Keys that are in both lists are expected in the
 * same order; when they are not, the part between the common ends is replaced.
 */
void gesso_list_diff (GListModel *list, GArray *items, const guint64 *wanted, guint n_wanted);

/* The same a run at a time, for lists whose listeners have much to do: gesso_list_diff_apply_last()
 * is called until @runs is empty, with the same @wanted.  The last run comes first, so that the
 * positions of the others stay true; in between the list is whole, and partly new.  Many new rows
 * in one place come in a few runs.  @at_once: what went and came is not looked for in between; the
 * beginning is exchanged for the new one at once.  Returns: GessoListRun, the caller's; empty when
 * nothing changed */
GArray *
gesso_list_diff_find (GArray *items, const guint64 *wanted, guint n_wanted, gboolean at_once);
void
gesso_list_diff_apply_last (GListModel *list, GArray *items, GArray *runs, const guint64 *wanted);

G_END_DECLS
