/* SPDX-License-Identifier: MPL-2.0
 * gesso-list-diff.c - the common ends, then runs of what went and came between them.
 *
 * Whoever shows a list pays for each emission, so many small runs are worth their price only when
 * what is looked at stays where it is; an answer to another question is one run.
 */
#include "library/gesso-list-diff.h"

#include <string.h>

enum
{
  MAX_RUNS = 64,  /* beyond that one large change is cheaper for those who listen */
  PIECE = 64,     /* rows of one emission while a grid may make widgets for them: 0.05 ms each */
  MAX_PIECES = 8, /* then the rest at once: a grid makes widgets for about 400 rows, and no more */
};

static GHashTable *
positions_of (const guint64 *keys, guint n)
{
  GHashTable *set = g_hash_table_new (g_int64_hash, g_int64_equal);
  for (guint i = 0; i < n; i++)
    g_hash_table_add (set, (gpointer) &keys[i]);
  return set;
}

/* @head, @runs: how much both lists begin with alike, and where to put the runs
 * Returns: FALSE when keys changed places or there are too many runs */
static gboolean
find_runs (const guint64 *old,
           guint n_old,
           const guint64 *wanted,
           guint n_wanted,
           guint head,
           GArray *runs)
{
  g_autoptr (GHashTable) in_old = positions_of (old, n_old);
  g_autoptr (GHashTable) in_new = positions_of (wanted, n_wanted);
  guint i = 0, j = 0;
  while (i < n_old || j < n_wanted)
    {
      guint i0 = i, j0 = j;
      while (i < n_old && !g_hash_table_contains (in_new, &old[i]))
        i++;
      while (j < n_wanted && !g_hash_table_contains (in_old, &wanted[j]))
        j++;
      GessoListRun run = { head + i0, i - i0, j - j0, head + j0 };
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

/* In pieces where many come: the first is applied first, so it stands last. */
static void
append_in_pieces (GArray *runs, GessoListRun run)
{
  guint n = MIN ((run.n_added + PIECE - 1) / PIECE, MAX_PIECES);
  for (guint i = n; i-- > 1;)
    {
      guint begin = i * PIECE, end = i + 1 < n ? begin + PIECE : run.n_added;
      GessoListRun piece = { run.position + begin, 0, end - begin, run.from + begin };
      g_array_append_val (runs, piece);
    }
  if (n > 1)
    run.n_added = PIECE;
  g_array_append_val (runs, run);
}

GArray *
gesso_list_diff_find (GArray *items, const guint64 *wanted, guint n_wanted, gboolean at_once)
{
  g_return_val_if_fail (g_array_get_element_size (items) == sizeof *wanted, NULL);
  GArray *runs = g_array_new (FALSE, FALSE, sizeof (GessoListRun));
  const guint64 *old = (const guint64 *) (gpointer) items->data;
  guint n_old = items->len, head = 0, tail = 0;
  while (head < n_old && head < n_wanted && old[head] == wanted[head])
    head++;
  while (tail < n_old - head && tail < n_wanted - head &&
         old[n_old - 1 - tail] == wanted[n_wanted - 1 - tail])
    tail++;
  guint n_removed = n_old - head - tail, n_added = n_wanted - head - tail;
  GessoListRun whole = { head, n_removed, n_added, head };
  if (!n_removed && !n_added)
    return runs;
  g_autoptr (GArray) scattered = g_array_new (FALSE, FALSE, sizeof (GessoListRun));
  if (at_once || !n_removed || !n_added ||
      !find_runs (old + head, n_removed, wanted + head, n_added, head, scattered))
    {
      g_array_set_size (scattered, 0);
      g_array_append_val (scattered, whole);
    }
  for (guint i = 0; i < scattered->len; i++)
    append_in_pieces (runs, g_array_index (scattered, GessoListRun, i));
  return runs;
}

void
gesso_list_diff_apply_last (GListModel *list, GArray *items, GArray *runs, const guint64 *wanted)
{
  g_return_if_fail (G_IS_LIST_MODEL (list) && runs->len > 0);
  const GessoListRun run = g_array_index (runs, GessoListRun, runs->len - 1);
  g_array_set_size (runs, runs->len - 1);
  if (run.n_removed)
    g_array_remove_range (items, run.position, run.n_removed);
  if (run.n_added)
    g_array_insert_vals (items, run.position, wanted + run.from, run.n_added);
  g_list_model_items_changed (list, run.position, run.n_removed, run.n_added);
}

void
gesso_list_diff (GListModel *list, GArray *items, const guint64 *wanted, guint n_wanted)
{
  g_autoptr (GArray) runs = gesso_list_diff_find (items, wanted, n_wanted, FALSE);
  while (runs && runs->len)
    gesso_list_diff_apply_last (list, items, runs, wanted);
}
