/* SPDX-License-Identifier: MPL-2.0
 * adapter-merge.c - copies of weights with their adapters merged in.
 *
 * A copy has the type of the model's weight, or bf16 where that is quantised; biases and norms are
 * f32, for they take no room.  Sums are formed in f32 and rounded once.  Groups are independent:
 * threads take one each, so that as many weights are in f32 at a time as there are threads.
 */
#include <stdatomic.h>
#include <string.h>

#include "core/mem.h"
#include "core/threads.h"
#include "weights/adapter-private.h"
#include "weights/adapter-stack-private.h"

static int64_t
elements_of (const Weight *w)
{
  int64_t n = 1;
  for (int i = 0; i < w->rank; i++)
    n *= w->ne[i];
  return n;
}

static DType
copy_type (const Weight *w)
{
  if (w->rank < 2)
    return DTYPE_F32;
  return dtype_is_real (w->dtype) ? w->dtype : DTYPE_BF16;
}

bool
adapter_stack_prepare_merges (AdapterStack *stack, Status *status)
{
  for (size_t i = 0; i < stack->n_touched; i++)
    {
      Touched *t = &stack->touched[i];
      if (!t->is_merged)
        continue;
      DType type = copy_type (&t->original);
      t->merged_bytes = (size_t) elements_of (&t->original) * dtype_size (type);
      t->copy = (Weight){ .name = t->original.name,
                          .file_name = t->original.file_name,
                          .dtype = type,
                          .rank = t->original.rank };
      memcpy (t->copy.ne, t->original.ne, sizeof t->copy.ne);
    }
  return true;
}

static bool
no_memory (Status *status)
{
  return status_fail (
      status, STATUS_NO_MEMORY,
      "Not enough memory to merge the adapters into the model: use fewer of them, or "
      "plain LoRAs, which need no copy.");
}

/* ---- a weight in f32, and back ---- */

static bool
take_work (Touched *t, Status *status)
{
  int64_t n = elements_of (&t->original);
  if (t->work)
    return true;
  if (!(t->work = mem_map ((size_t) n * sizeof (float))))
    return no_memory (status);
  Param p = weight_param (&t->original);
  param_to_f32 (t->work, &p, 0, n);
  return true;
}

static void
drop_work (Touched *t)
{
  mem_unmap (t->work, (size_t) elements_of (&t->original) * sizeof (float));
  t->work = NULL;
}

static bool
store (Touched *t, Status *status)
{
  int64_t n = elements_of (&t->original);
  if (!t->merged && !(t->merged = mem_map (t->merged_bytes)))
    return no_memory (status);
  uint16_t *half = t->merged;
  switch (t->copy.dtype)
    {
    case DTYPE_F16:
      for (int64_t i = 0; i < n; i++)
        half[i] = f32_to_f16 (t->work[i]);
      break;
    case DTYPE_BF16:
      for (int64_t i = 0; i < n; i++)
        half[i] = f32_to_bf16 (t->work[i]);
      break;
    default: /* f32: copy_type knows no other */
      memcpy (t->merged, t->work, t->merged_bytes);
    }
  t->copy.data = t->merged;
  t->is_active = true;
  return true;
}

/* ---- one use ---- */

/* Of a widened weight a module may see the first columns only. */
static void
move_rows (AdapterStack *stack, const FitModule *m, float *w, bool back)
{
  int64_t n_columns = m->shape.n_in * m->shape.area;
  for (int i = 0; i < m->n_weights; i++)
    {
      const FitTarget *t = &m->weights[i];
      const Touched *touched = adapter_stack_touched (stack, t->weight);
      int64_t stride = elements_of (&touched->original) / touched->original.ne[0];
      for (int64_t r = 0; r < t->n_rows; r++)
        {
          float *work = touched->work + (t->row + r) * stride;
          float *mine = w + (t->source_row + r) * n_columns;
          memcpy (back ? work : mine, back ? mine : work, (size_t) n_columns * sizeof *w);
        }
    }
}

static bool
merge_weight (AdapterStack *stack, const Use *use, Status *status)
{
  const FitModule *m = use->module;
  const Weight *whole = &adapter_stack_touched (stack, m->weights[0].weight)->original;
  bool is_whole = m->n_weights == 1 && m->weights[0].n_rows == whole->ne[0] &&
                  m->shape.n_out * m->shape.n_in * m->shape.area == elements_of (whole);
  if (is_whole)
    return adapter_delta_apply (m->module, &m->shape, use->weight,
                                adapter_stack_touched (stack, m->weights[0].weight)->work, status);
  size_t n = (size_t) (m->shape.n_out * m->shape.n_in * m->shape.area);
  float *w = mem_calloc (n, sizeof *w);
  if (!w)
    return no_memory (status);
  move_rows (stack, m, w, false);
  bool ok = adapter_delta_apply (m->module, &m->shape, use->weight, w, status);
  if (ok)
    move_rows (stack, m, w, true);
  mem_free (w);
  return ok;
}

/* bias += weight * what the module adds to it */
static void
merge_bias (AdapterStack *stack, const Use *use)
{
  static const AdapterRole roles[] = { ROLE_DIFF_BIAS, ROLE_NORM_BIAS, ROLE_UP_BIAS };
  const FitModule *m = use->module;
  for (size_t r = 0; r < sizeof roles / sizeof *roles; r++)
    {
      const FileTensor *t = m->module->tensors[roles[r]];
      float factor = (float) (use->weight * (roles[r] == ROLE_UP_BIAS ? m->module->scale : 1));
      for (int i = 0; t && i < m->n_biases; i++)
        {
          const FitTarget *target = &m->biases[i];
          float *work = adapter_stack_touched (stack, target->weight)->work + target->row;
          for (int64_t k = 0; k < target->n_rows; k++)
            {
              float v;
              file_tensor_read (&v, t, target->source_row + k, 1);
              work[k] += factor * v;
            }
        }
    }
}

/* ---- all of them, a group at a time ---- */

static bool
is_in_group (AdapterStack *stack, const FitTarget *targets, int n, int group)
{
  return n > 0 && adapter_stack_touched (stack, targets[0].weight)->group == group;
}

typedef enum
{
  GROUP_KEEP, /* nothing moved */
  GROUP_OFF,  /* all weights are 0: the model's own */
  GROUP_MERGE
} GroupState;

static GroupState
group_state (AdapterStack *stack, int group)
{
  bool moved = false, on = false;
  for (size_t i = 0; i < stack->n_uses; i++)
    {
      const Use *use = &stack->uses[i];
      const FitModule *m = use->module;
      bool mine = (!use->is_beside && is_in_group (stack, m->weights, m->n_weights, group)) ||
                  is_in_group (stack, m->biases, m->n_biases, group);
      moved |= mine && use->weight != use->merged_weight;
      on |= mine && use->weight != 0;
    }
  return !moved && stack->was_merged ? GROUP_KEEP : on ? GROUP_MERGE : GROUP_OFF;
}

static bool
take_group (AdapterStack *stack, int group, Status *status)
{
  bool ok = true;
  for (size_t i = 0; ok && i < stack->n_touched; i++)
    if (stack->touched[i].group == group)
      ok = take_work (&stack->touched[i], status);
  return ok;
}

static bool
merge_uses (AdapterStack *stack, int group, Status *status)
{
  bool ok = true;
  for (size_t i = 0; ok && i < stack->n_uses; i++)
    {
      const Use *use = &stack->uses[i];
      const FitModule *m = use->module;
      if (use->weight == 0)
        continue;
      if (!use->is_beside && is_in_group (stack, m->weights, m->n_weights, group))
        ok = merge_weight (stack, use, status);
      if (is_in_group (stack, m->biases, m->n_biases, group))
        merge_bias (stack, use);
    }
  return ok;
}

static bool
merge_group (AdapterStack *stack, int group, Status *status)
{
  GroupState state = group_state (stack, group);
  if (state == GROUP_KEEP)
    return true;
  bool ok = state == GROUP_OFF ||
            (take_group (stack, group, status) && merge_uses (stack, group, status));
  for (size_t i = 0; i < stack->n_touched; i++)
    {
      Touched *t = &stack->touched[i];
      if (t->group != group)
        continue;
      t->is_active = false;
      if (ok && state == GROUP_MERGE)
        ok = store (t, status);
      drop_work (t);
    }
  return ok;
}

/* A merged bias counts in its first target's group, with which all its targets are. */
static void
join_biases (AdapterStack *stack)
{
  for (size_t i = 0; i < stack->n_uses; i++)
    {
      const FitModule *m = stack->uses[i].module;
      for (int k = 1; k < m->n_biases; k++)
        {
          int first = adapter_stack_touched (stack, m->biases[0].weight)->group;
          int other = adapter_stack_touched (stack, m->biases[k].weight)->group;
          for (size_t t = 0; t < stack->n_touched; t++)
            if (stack->touched[t].group == other)
              stack->touched[t].group = first;
        }
    }
}

typedef struct
{
  AdapterStack *stack;
  atomic_bool failed;
  Status *status; /* written by the first that fails */
} Merging;

static void
merge_task (void *data, int64_t i, int thread)
{
  Merging *m = data;
  Status status = { 0 };
  const Touched *t = &m->stack->touched[i];
  if (!t->is_merged || t->group != (int) i || atomic_load (&m->failed))
    return;
  if (!merge_group (m->stack, (int) i, &status) && !atomic_exchange (&m->failed, true))
    *m->status = status;
}

static bool
has_work (AdapterStack *stack)
{
  bool found = false;
  for (size_t i = 0; !found && i < stack->n_touched; i++)
    found = stack->touched[i].is_merged && stack->touched[i].group == (int) i &&
            group_state (stack, (int) i) != GROUP_KEEP;
  return found;
}

static bool
merge_groups (AdapterStack *stack, Status *status)
{
  Threads *threads = threads_new (stack->n_threads, status);
  Merging m = { .stack = stack, .status = status };
  if (!threads)
    return false;
  threads_run (threads, (int64_t) stack->n_touched, merge_task, &m, NULL);
  threads_free (threads);
  return !atomic_load (&m.failed);
}

bool
adapter_stack_merge (AdapterStack *stack, Status *status)
{
  if (!stack->was_merged)
    join_biases (stack);
  bool ok = !has_work (stack) || merge_groups (stack, status);
  for (size_t i = 0; i < stack->n_uses; i++)
    stack->uses[i].merged_weight = stack->uses[i].weight;
  stack->was_merged = ok; /* after a failure all copies are made anew */
  return ok;
}
