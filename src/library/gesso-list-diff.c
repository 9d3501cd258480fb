/* SPDX-License-Identifier: MPL-2.0
 * gesso-list-diff.c - the common ends, then runs of what went and came between them.
 */
#include "library/gesso-list-diff.h"

#include <string.h>

enum
{
  MAX_RUNS = 64 /* beyond that one large change is cheaper for those who listen */
};

typedef struct
{
  guint position; /* in the old list */
  guint n_removed, n_added;
  guint from; /* in the new list */
} Run;

static GHashTable *
positions_of (const guint64 *keys, guint n)
{
  GHashTable *set = g_hash_table_new (g_int64_hash, g_int64_equal);
  for (guint i = 0; i < n; i++)
    g_hash_table_add (set, (gpointer) &keys[i]);
  return set;
}

/* Returns: FALSE when keys changed places or there are too many runs */
static gboolean
find_runs (const guint64 *old, guint n_old, const guint64 *wanted, guint n_wanted, GArray *runs)
{
  g_autoptr (GHashTable) in_old = positions_of (old, n_old);
  g_autoptr (GHashTable) in_new = positions_of (wanted, n_wanted);
  guint i = 0, j = 0;
  while (i < n_old || j < n_wanted)
    {
      Run run = { .position = i, .from = j };
      while (i < n_old && !g_hash_table_contains (in_new, &old[i]))
        i++;
      while (j < n_wanted && !g_hash_table_contains (in_old, &wanted[j]))
        j++;
      run.n_removed = i - run.position;
      run.n_added = j - run.from;
      if (run.n_removed || run.n_added)
        g_array_append_val (runs, run);
      if (runs->len > MAX_RUNS)
        return FALSE;
      if (i == n_old && j == n_wanted)
        break;
      if (i == n_old || j == n_wanted || old[i] != wanted[j])
        return FALSE;
      i++;
      j++;
    }
  return TRUE;
}

static void
splice (GListModel *list,
        GArray *items,
        guint position,
        guint n_removed,
        const guint64 *added,
        guint n_added)
{
  if (n_removed)
    g_array_remove_range (items, position, n_removed);
  if (n_added)
    g_array_insert_vals (items, position, added, n_added);
  g_list_model_items_changed (list, position, n_removed, n_added);
}

void
gesso_list_diff (GListModel *list, GArray *items, const guint64 *wanted, guint n_wanted)
{
  g_return_if_fail (G_IS_LIST_MODEL (list));
  g_return_if_fail (g_array_get_element_size (items) == sizeof *wanted);
  const guint64 *old = (const guint64 *) (gpointer) items->data;
  guint n_old = items->len, head = 0, tail = 0;
  while (head < n_old && head < n_wanted && old[head] == wanted[head])
    head++;
  while (tail < n_old - head && tail < n_wanted - head &&
         old[n_old - 1 - tail] == wanted[n_wanted - 1 - tail])
    tail++;
  guint n_removed = n_old - head - tail, n_added = n_wanted - head - tail;
  if (!n_removed && !n_added)
    return;
  g_autoptr (GArray) runs = g_array_new (FALSE, FALSE, sizeof (Run));
  if (!n_removed || !n_added || !find_runs (old + head, n_removed, wanted + head, n_added, runs))
    {
      splice (list, items, head, n_removed, wanted + head, n_added);
      return;
    }
  for (guint r = runs->len; r-- > 0;) /* from the end, so that positions stay true */
    {
      const Run *run = &g_array_index (runs, Run, r);
      splice (list, items, head + run->position, run->n_removed, wanted + head + run->from,
              run->n_added);
    }
}
