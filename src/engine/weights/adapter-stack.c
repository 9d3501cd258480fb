/* SPDX-License-Identifier: MPL-2.0
 * adapter-stack.c - which weight is touched by what, side paths, mounting.
 */
#include "weights/adapter-stack.h"

#include <string.h>

#include "core/mem.h"
#include "weights/adapter-private.h"
#include "weights/adapter-stack-private.h"

enum
{
  DATA_ALIGNMENT = 64
};

/* ---- weights that are touched ---- */

Touched *
adapter_stack_touched (AdapterStack *stack, const Weight *w)
{
  int32_t i = name_index_find (&stack->index, w->name);
  return i < 0 ? NULL : &stack->touched[i];
}

static bool
touch (AdapterStack *stack, Weight *w, Status *status)
{
  if (adapter_stack_touched (stack, w))
    return true;
  size_t n = stack->n_touched;
  if (!mem_grow (&stack->touched, &stack->touched_capacity, n + 1, sizeof *stack->touched,
                 status) ||
      !name_index_set (&stack->index, w->name, (int32_t) n, status))
    return false;
  stack->touched[n] =
      (Touched){ .weight = w, .bare = *w, .original = *w, .last_reader = -1, .group = (int) n };
  stack->n_touched++;
  return true;
}

static bool
touch_module (AdapterStack *stack, int adapter, const FitModule *m, Status *status)
{
  for (int i = 0; i < m->n_weights; i++)
    {
      if (!touch (stack, m->weights[i].weight, status))
        return false;
      if (m->module->reads_weight)
        adapter_stack_touched (stack, m->weights[i].weight)->last_reader = adapter;
    }
  for (int i = 0; i < m->n_biases; i++)
    if (!touch (stack, m->biases[i].weight, status))
      return false;
  if (m->widens)
    adapter_stack_touched (stack, m->weights[0].weight)->original.ne[1] = m->shape.n_in;
  stack->touches_text |= m->is_text;
  return true;
}

/* Quantised weights become f32: their blocks would not end where the rows do. */
static bool
widen (Touched *t, bool header_only, Status *status)
{
  int64_t n_rows = t->bare.ne[0], n_own = t->bare.ne[1], n_columns = t->original.ne[1];
  DType type = dtype_is_real (t->bare.dtype) ? t->bare.dtype : DTYPE_F32;
  size_t row_bytes = (size_t) n_columns * dtype_size (type);
  t->wide_bytes = (size_t) n_rows * row_bytes;
  t->original.dtype = type;
  weight_set_param (&t->original, (Param){ 0 });
  if (header_only)
    return true;
  if (!(t->wide = mem_map (t->wide_bytes)))
    return out_of_memory (status);
  t->original.data = t->wide;
  Param own = weight_param (&t->bare);
  for (int64_t i = 0; i < n_rows; i++)
    {
      char *to = (char *) t->wide + (size_t) i * row_bytes;
      if (type != t->bare.dtype)
        param_to_f32 ((float *) (void *) to, &own, i * n_own, n_own);
      else
        memcpy (to,
                (const char *) t->bare.data +
                    (size_t) (t->bare.first + i * n_own) * dtype_size (type),
                (size_t) n_own * dtype_size (type));
    }
  return true;
}

/* ---- uses ---- */

/* Beside the layer, unless an adapter behind it reads the weight that it changes. */
static bool
runs_beside (AdapterStack *stack, int adapter, const FitModule *m)
{
  if (!m->module->is_low_rank)
    return false;
  for (int i = 0; i < m->n_weights; i++)
    if (adapter_stack_touched (stack, m->weights[i].weight)->last_reader > adapter)
      return false;
  return true;
}

/* Targets of one module must be merged together. */
static void
join_groups (AdapterStack *stack, const FitModule *m)
{
  int first = adapter_stack_touched (stack, m->weights[0].weight)->group;
  for (int i = 1; i < m->n_weights; i++)
    {
      int other = adapter_stack_touched (stack, m->weights[i].weight)->group;
      for (size_t t = 0; other != first && t < stack->n_touched; t++)
        if (stack->touched[t].group == other)
          stack->touched[t].group = first;
    }
}

static int64_t
side_rank (const FitModule *m)
{
  const FileTensor *mid = m->module->tensors[ROLE_MID];
  return mid ? mid->ne[0] : m->module->tensors[ROLE_DOWN]->ne[0];
}

static void
plan_side (AdapterStack *stack, Use *use)
{
  const FitModule *m = use->module;
  use->rank = side_rank (m);
  for (int i = 0; i < m->n_weights; i++)
    {
      Touched *t = adapter_stack_touched (stack, m->weights[i].weight);
      use->offset[i] = t->rank;
      t->rank += use->rank;
    }
}

static void
plan_merge (AdapterStack *stack, const FitModule *m)
{
  if (m->n_weights > 0)
    join_groups (stack, m);
  for (int i = 0; i < m->n_weights; i++)
    adapter_stack_touched (stack, m->weights[i].weight)->is_merged = true;
}

static bool
add_use (AdapterStack *stack, int adapter, const FitModule *m, Status *status)
{
  if (!mem_grow (&stack->uses, &stack->use_capacity, stack->n_uses + 1, sizeof *stack->uses,
                 status))
    return false;
  Use *use = &stack->uses[stack->n_uses++];
  *use = (Use){ .adapter = adapter, .module = m };
  use->is_beside = m->n_weights > 0 && runs_beside (stack, adapter, m);
  if (use->is_beside)
    plan_side (stack, use);
  else
    plan_merge (stack, m);
  for (int i = 0; i < m->n_biases; i++)
    adapter_stack_touched (stack, m->biases[i].weight)->is_merged = true;
  for (int i = 0; m->bias_beside && i < m->n_weights; i++)
    adapter_stack_touched (stack, m->weights[i].weight)->has_side_bias = true;
  return true;
}

/* ---- side paths ---- */

/* One type for all factors when the files agree on it, else f32; a folded core is f32. */
static void
choose_types (AdapterStack *stack)
{
  for (size_t i = 0; i < stack->n_touched; i++)
    stack->touched[i].a_type = stack->touched[i].b_type = DTYPE_COUNT;
  for (size_t i = 0; i < stack->n_uses; i++)
    for (int k = 0; stack->uses[i].is_beside && k < stack->uses[i].module->n_weights; k++)
      {
        const FitModule *m = stack->uses[i].module;
        Touched *t = adapter_stack_touched (stack, m->weights[k].weight);
        DType down = m->module->tensors[ROLE_DOWN]->dtype, up = m->module->tensors[ROLE_UP]->dtype;
        if (m->module->tensors[ROLE_MID] || !dtype_is_real (down))
          down = DTYPE_F32;
        if (!dtype_is_real (up))
          up = DTYPE_F32;
        t->a_type = t->a_type == DTYPE_COUNT || t->a_type == down ? down : DTYPE_F32;
        t->b_type = t->b_type == DTYPE_COUNT || t->b_type == up ? up : DTYPE_F32;
      }
}

static AdapterShape
shape_of (const Weight *w)
{
  AdapterShape s = { w->ne[0], w->rank >= 2 ? w->ne[1] : 1, 1 };
  for (int i = 2; i < w->rank; i++)
    s.area *= w->ne[i];
  return s;
}

static size_t
padded (size_t n_bytes)
{
  return (n_bytes + DATA_ALIGNMENT - 1) & ~(size_t) (DATA_ALIGNMENT - 1);
}

/* Shapes of a layer's side path, and what its data takes. */
static size_t
declare_side (Touched *t)
{
  AdapterShape s = shape_of (&t->original);
  if (t->rank == 0 && !t->has_side_bias)
    return 0;
  if (t->rank == 0) /* a bias alone has to be carried by something */
    t->rank = 1, t->a_type = t->b_type = DTYPE_F32;
  SidePath *side = &t->side;
  t->has_side = true;
  t->a = (Weight){ .name = t->original.name, .file_name = "A", .dtype = t->a_type, .used = true };
  t->a.rank = t->original.rank;
  memcpy (t->a.ne, t->original.ne, sizeof t->a.ne);
  t->a.ne[0] = t->rank;
  t->b = (Weight){ .name = t->original.name, .file_name = "B", .dtype = t->b_type, .used = true };
  t->b.rank = 2;
  t->b.ne[0] = s.n_out;
  t->b.ne[1] = t->rank;
  t->bias = (Weight){ .name = t->original.name, .file_name = "bias", .dtype = DTYPE_F32 };
  t->bias.rank = 1;
  t->bias.ne[0] = s.n_out;
  *side = (SidePath){
    .a = &t->a, .b = &t->b, .bias = t->has_side_bias ? &t->bias : NULL, .rank = t->rank
  };
  return padded ((size_t) (t->rank * s.n_in * s.area) * dtype_size (t->a_type)) +
         padded ((size_t) (t->rank * s.n_out) * dtype_size (t->b_type)) +
         padded ((size_t) t->rank * sizeof (float)) +
         (t->has_side_bias ? padded ((size_t) s.n_out * sizeof (float)) : 0);
}

static char *
place_side (Touched *t, char *at)
{
  AdapterShape s = shape_of (&t->original);
  t->a.data = at;
  at += padded ((size_t) (t->rank * s.n_in * s.area) * dtype_size (t->a_type));
  t->b.data = at;
  at += padded ((size_t) (t->rank * s.n_out) * dtype_size (t->b_type));
  t->side.scale = t->scale = (float *) (void *) at;
  at += padded ((size_t) t->rank * sizeof (float));
  if (!t->has_side_bias)
    return at;
  t->bias.data = at;
  return at + padded ((size_t) s.n_out * sizeof (float));
}

/* @n elements of @t from element @from on, in another type. */
static void
copy_elements (void *out, DType type, const FileTensor *t, int64_t from, int64_t n)
{
  if (type == t->dtype)
    memcpy (out, t->data + (size_t) from * dtype_size (type), (size_t) n * dtype_size (type));
  else
    file_tensor_read (out, t, from, n);
}

/* Its rows may be shorter than those of a widened layer. */
static bool
fill_down (const Use *use, Touched *t, int64_t offset, Status *status)
{
  const FitModule *m = use->module;
  int64_t n_columns = m->shape.n_in * m->shape.area, n_all = t->original.ne[1] * m->shape.area;
  size_t row_bytes = (size_t) n_all * dtype_size (t->a_type);
  char *out = (char *) t->a.data + (size_t) offset * row_bytes;
  if (m->module->tensors[ROLE_MID])
    return adapter_delta_down (m->module, &m->shape, (float *) (void *) out, status);
  for (int64_t r = 0; r < use->rank; r++)
    copy_elements (out + (size_t) r * row_bytes, t->a_type, m->module->tensors[ROLE_DOWN],
                   r * n_columns, n_columns);
  return true;
}

static void
fill_up (const Use *use, Touched *t, const FitTarget *target, int64_t offset)
{
  size_t size = dtype_size (t->b_type);
  for (int64_t i = 0; i < target->n_rows; i++)
    copy_elements ((char *) t->b.data + (size_t) ((target->row + i) * t->rank + offset) * size,
                   t->b_type, use->module->module->tensors[ROLE_UP],
                   (target->source_row + i) * use->rank, use->rank);
}

static bool
fill_sides (AdapterStack *stack, Status *status)
{
  for (size_t i = 0; i < stack->n_uses; i++)
    {
      const Use *use = &stack->uses[i];
      for (int k = 0; use->is_beside && k < use->module->n_weights; k++)
        {
          const FitTarget *target = &use->module->weights[k];
          Touched *t = adapter_stack_touched (stack, target->weight);
          if (!fill_down (use, t, use->offset[k], status))
            return false;
          fill_up (use, t, target, use->offset[k]);
        }
    }
  return true;
}

static bool
make_sides (AdapterStack *stack, bool header_only, Status *status)
{
  choose_types (stack);
  for (size_t i = 0; i < stack->n_touched; i++)
    stack->side_bytes += declare_side (&stack->touched[i]);
  if (header_only || stack->side_bytes == 0)
    return true;
  if (!(stack->side_data = mem_map (stack->side_bytes)))
    return status_fail (status, STATUS_NO_MEMORY,
                        "Not enough memory for the adapters: they need %zu MiB; use fewer of them.",
                        stack->side_bytes >> 20);
  char *at = stack->side_data;
  for (size_t i = 0; i < stack->n_touched; i++)
    if (stack->touched[i].has_side)
      at = place_side (&stack->touched[i], at);
  return fill_sides (stack, status);
}

/* ---- the stack ---- */

static bool
collect (AdapterStack *stack, const AdapterFit *const *fits, int n, Status *status)
{
  for (int i = 0; i < n; i++)
    for (size_t m = 0; m < fits[i]->n_modules; m++)
      if (!touch_module (stack, i, &fits[i]->modules[m], status))
        return false;
  for (size_t i = 0; i < stack->n_touched; i++)
    if (stack->touched[i].original.ne[1] != stack->touched[i].bare.ne[1] &&
        !widen (&stack->touched[i], stack->header_only, status))
      return false;
  for (int i = 0; i < n; i++)
    for (size_t m = 0; m < fits[i]->n_modules; m++)
      if (!add_use (stack, i, &fits[i]->modules[m], status))
        return false;
  return true;
}

AdapterStack *
adapter_stack_new (const AdapterFit *const *fits, int n, bool header_only, Status *status)
{
  AdapterStack *stack = mem_calloc (1, sizeof *stack);
  if (!stack)
    {
      out_of_memory (status);
      return NULL;
    }
  stack->header_only = header_only;
  if (collect (stack, fits, n, status) && make_sides (stack, header_only, status) &&
      adapter_stack_prepare_merges (stack, status))
    return stack;
  adapter_stack_free (stack);
  return NULL;
}

void
adapter_stack_free (AdapterStack *stack)
{
  if (!stack)
    return;
  adapter_stack_unmount (stack);
  mem_unmap (stack->side_data, stack->side_bytes);
  for (size_t i = 0; i < stack->n_touched; i++)
    {
      mem_unmap (stack->touched[i].merged, stack->touched[i].merged_bytes);
      mem_unmap (stack->touched[i].wide, stack->touched[i].wide_bytes);
    }
  name_index_clear (&stack->index);
  mem_free (stack->touched);
  mem_free (stack->uses);
  mem_free (stack);
}

void
adapter_stack_set_threads (AdapterStack *stack, int n_threads)
{
  stack->n_threads = n_threads;
}

double
adapter_use_weight (const Use *use, const AdapterStrength *strengths)
{
  const AdapterStrength *s = &strengths[use->adapter];
  double weight = use->module->is_text ? s->text : s->network;
  return s->blocks ? weight * s->blocks[use->module->block] : weight;
}

static void
set_side_bias (AdapterStack *stack, const Use *use)
{
  const FitModule *m = use->module;
  const FileTensor *t = m->module->tensors[ROLE_UP_BIAS];
  for (int k = 0; k < m->n_weights; k++)
    {
      const FitTarget *target = &m->weights[k];
      float *bias = (float *) adapter_stack_touched (stack, target->weight)->bias.data;
      for (int64_t i = 0; i < target->n_rows; i++)
        {
          float v;
          file_tensor_read (&v, t, target->source_row + i, 1);
          bias[target->row + i] += (float) (use->weight * m->module->scale) * v;
        }
    }
}

static void
set_sides (AdapterStack *stack)
{
  for (size_t i = 0; i < stack->n_touched; i++)
    if (stack->touched[i].has_side_bias)
      memset ((float *) stack->touched[i].bias.data, 0,
              (size_t) stack->touched[i].bias.ne[0] * sizeof (float));
  for (size_t i = 0; i < stack->n_uses; i++)
    {
      const Use *use = &stack->uses[i];
      for (int k = 0; use->is_beside && k < use->module->n_weights; k++)
        {
          Touched *t = adapter_stack_touched (stack, use->module->weights[k].weight);
          for (int64_t r = 0; r < use->rank; r++)
            t->scale[use->offset[k] + r] = (float) (use->weight * use->module->module->scale);
        }
      if (use->module->bias_beside)
        set_side_bias (stack, use);
    }
}

bool
adapter_stack_set (AdapterStack *stack, const AdapterStrength *strengths, Status *status)
{
  for (size_t i = 0; i < stack->n_uses; i++)
    stack->uses[i].weight = adapter_use_weight (&stack->uses[i], strengths);
  if (stack->header_only)
    return true;
  set_sides (stack);
  bool was_mounted = stack->is_mounted;
  adapter_stack_unmount (stack);
  bool ok = adapter_stack_merge (stack, status);
  if (was_mounted)
    adapter_stack_mount (stack);
  return ok;
}

void
adapter_stack_mount (AdapterStack *stack)
{
  if (stack->is_mounted)
    return;
  for (size_t i = 0; i < stack->n_touched; i++)
    {
      Touched *t = &stack->touched[i];
      bool used = t->weight->used;
      *t->weight = t->is_active ? t->copy : t->original;
      t->weight->side = t->has_side ? &t->side : NULL;
      t->weight->used = used;
    }
  stack->is_mounted = true;
}

void
adapter_stack_unmount (AdapterStack *stack)
{
  if (!stack->is_mounted)
    return;
  for (size_t i = 0; i < stack->n_touched; i++)
    {
      Touched *t = &stack->touched[i];
      bool used = t->weight->used;
      *t->weight = t->bare;
      t->weight->used = used;
    }
  stack->is_mounted = false;
}

int64_t
adapter_stack_side_bytes (const AdapterStack *stack)
{
  size_t n = stack->side_bytes;
  for (size_t i = 0; i < stack->n_touched; i++)
    n += stack->touched[i].wide_bytes;
  return (int64_t) n;
}

int64_t
adapter_stack_merged_bytes (const AdapterStack *stack)
{
  int64_t n = 0;
  for (size_t i = 0; i < stack->n_touched; i++)
    n += stack->touched[i].is_merged ? (int64_t) stack->touched[i].merged_bytes : 0;
  return n;
}

int
adapter_stack_side_count (const AdapterStack *stack)
{
  int n = 0;
  for (size_t i = 0; i < stack->n_touched; i++)
    n += stack->touched[i].has_side;
  return n;
}

bool
adapter_stack_changes_parameters (const AdapterStack *stack)
{
  bool any = false;
  for (size_t i = 0; i < stack->n_touched; i++)
    any |= stack->touched[i].is_merged || stack->touched[i].has_side_bias;
  return any;
}

bool
adapter_stack_touches_text (const AdapterStack *stack)
{
  return stack->touches_text;
}

bool
adapter_stack_touches (const AdapterStack *stack, bool (*func) (const char *name))
{
  for (size_t i = 0; i < stack->n_touched; i++)
    if (func (stack->touched[i].original.name))
      return true;
  return false;
}
