/* SPDX-License-Identifier: MPL-2.0
 *
 * Greedy by size over live intervals: sort buffers by size, put each at the lowest offset where no
 * placed buffer that lives at the same time is in the way.  On the traces of real models this meets
 * the lower bound or comes within a few per cent of it (tests/plan).
 */
#include "core/plan.h"

#include <stdlib.h>

#include "core/mem.h"

static int
root_of (const PlanBuffer *buffers, int i)
{
  while (buffers[i].alias_of >= 0)
    i = buffers[i].alias_of;
  return i;
}

/* Operators read other sources while they write: only the one that is overwritten may lie there. */
static bool
is_read_twice (const PlanBuffer *buffers, const OpRecord *op, int root)
{
  for (int i = 0; i < OP_MAX_SOURCES; i++)
    if (i != op->inplace && op->source[i] && op->source[i]->buffer >= 0 &&
        root_of (buffers, op->source[i]->buffer) == root)
      return true;
  return false;
}

void
plan_inplace (PlanBuffer *buffers, const OpRecord *ops, int n_ops)
{
  for (int i = 0; i < n_ops; i++)
    {
      const Tensor *source = ops[i].inplace < 0 ? NULL : ops[i].source[ops[i].inplace];
      if (!source || source->buffer < 0 || source->offset != 0)
        continue;
      PlanBuffer *out = &buffers[ops[i].out->buffer];
      int root = root_of (buffers, source->buffer);
      PlanBuffer *in = &buffers[root];
      if (in->last != i || in->size != out->size ||
          tensor_bytes (source) != tensor_bytes (ops[i].out) ||
          is_read_twice (buffers, &ops[i], root))
        continue;
      out->alias_of = root;
      in->last = out->last;
    }
}

typedef struct
{
  size_t size;
  int index;
} Sized;

static int
by_size_descending (const void *a, const void *b)
{
  const Sized *x = a, *y = b;
  if (x->size != y->size)
    return x->size < y->size ? 1 : -1;
  return x->index - y->index; /* a total order: the plan must not depend on qsort */
}

static int
by_offset (const void *a, const void *b)
{
  const PlanBuffer *x = *(PlanBuffer *const *) a, *y = *(PlanBuffer *const *) b;
  return x->offset < y->offset ? -1 : x->offset > y->offset;
}

/* Lowest gap for @b among @placed, which are sorted by offset. */
static size_t
lowest_gap (const PlanBuffer *b, PlanBuffer *const *placed, int n_placed)
{
  size_t at = 0;
  for (int i = 0; i < n_placed; i++)
    {
      const PlanBuffer *p = placed[i];
      bool alive_together = b->first <= p->last && p->first <= b->last;
      if (!alive_together || p->offset + p->size <= at)
        continue;
      if (p->offset >= at + b->size)
        break;
      at = p->offset + p->size;
    }
  return at;
}

static void
insert_by_offset (PlanBuffer **placed, int n_placed, PlanBuffer *b)
{
  int i = n_placed;
  for (; i > 0 && by_offset (&placed[i - 1], &b) > 0; i--)
    placed[i] = placed[i - 1];
  placed[i] = b;
}

bool
plan_place (PlanBuffer *buffers, int n_buffers, size_t *peak_bytes, Status *status)
{
  Sized *order = mem_calloc ((size_t) n_buffers, sizeof *order);
  PlanBuffer **placed = mem_calloc ((size_t) n_buffers, sizeof *placed);
  *peak_bytes = 0;
  if (!order || !placed)
    {
      mem_free (order);
      mem_free (placed);
      return status_fail (status, STATUS_NO_MEMORY, "Out of memory while planning.");
    }
  int n = 0;
  for (int i = 0; i < n_buffers; i++)
    if (buffers[i].alias_of < 0)
      order[n++] = (Sized){ buffers[i].size, i };
  qsort (order, (size_t) n, sizeof *order, by_size_descending);

  for (int i = 0; i < n; i++)
    {
      PlanBuffer *b = &buffers[order[i].index];
      b->offset = lowest_gap (b, placed, i);
      insert_by_offset (placed, i, b);
      if (b->offset + b->size > *peak_bytes)
        *peak_bytes = b->offset + b->size;
    }
  for (int i = 0; i < n_buffers; i++)
    buffers[i].offset = buffers[root_of (buffers, i)].offset;
  mem_free (order);
  mem_free (placed);
  return true;
}

bool
plan_bound (
    const PlanBuffer *buffers, int n_buffers, int n_ops, size_t *bound_bytes, Status *status)
{
  int64_t *change = mem_calloc ((size_t) n_ops + 1, sizeof *change); /* of what is alive */
  if (!change)
    return status_fail (status, STATUS_NO_MEMORY, "Out of memory while planning.");
  for (int i = 0; i < n_buffers; i++)
    if (buffers[i].alias_of < 0)
      {
        int last = buffers[i].last < n_ops ? buffers[i].last : n_ops - 1;
        change[buffers[i].first] += (int64_t) buffers[i].size;
        change[last + 1] -= (int64_t) buffers[i].size;
      }
  int64_t live = 0, bound = 0;
  for (int op = 0; op < n_ops; op++)
    {
      live += change[op];
      bound = live > bound ? live : bound;
    }
  mem_free (change);
  *bound_bytes = (size_t) bound;
  return true;
}
