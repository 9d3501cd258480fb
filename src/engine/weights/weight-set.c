/* SPDX-License-Identifier: MPL-2.0
 * weight-set.c - a set of named weights: finding, binding, and the list of what did not fit.
 */
#include "weights/weight-set.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "core/blocks.h"
#include "core/mem.h"

enum
{
  NAME_BUFFER = 512,
  PROBLEMS_SHOWN = 3
};

WeightSet *
weights_new (Status *status)
{
  WeightSet *set = mem_calloc (1, sizeof *set);
  if (!set)
    out_of_memory (status);
  return set;
}

WeightSet *
weights_new_declared (Status *status)
{
  WeightSet *set = weights_new (status);
  if (set)
    set->is_declared = true;
  return set;
}

void
weights_free (WeightSet *set)
{
  while (set)
    {
      WeightSet *next = set->absorbed;
      for (size_t i = 0; i < set->n_files; i++)
        mapped_close (&set->files[i]);
      mem_free (set->files);
      mem_free (set->items);
      name_index_clear (&set->index);
      pool_clear (&set->pool);
      mem_free (set);
      set = next;
    }
}

int
weights_map_file (WeightSet *set, const char *path, Status *status)
{
  if (!mem_grow (&set->files, &set->file_capacity, set->n_files + 1, sizeof *set->files, status) ||
      !mapped_open (&set->files[set->n_files], path, status))
    return -1;
  return (int) set->n_files++;
}

Weight *
weights_add (WeightSet *set, const Weight *weight, Status *status)
{
  if (weights_find (set, weight->name))
    {
      status_fail (status, STATUS_FORMAT, "Two tensors are both \"%s\".", weight->name);
      return NULL;
    }
  Weight *copy = pool_alloc (&set->pool, 1, sizeof *copy, status);
  if (!copy ||
      !mem_grow (&set->items, &set->capacity, set->n_items + 1, sizeof *set->items, status) ||
      !name_index_set (&set->index, weight->name, (int32_t) set->n_items, status))
    return NULL;
  *copy = *weight;
  set->items[set->n_items++] = copy;
  return copy;
}

static bool
starts_with (const char *name, const char *prefix)
{
  return strncmp (name, prefix, strlen (prefix)) == 0;
}

/* Items of @set outside of @prefix, then all of @from. */
static bool
merge (
    WeightSet *out, const WeightSet *set, const WeightSet *from, const char *prefix, Status *status)
{
  size_t n = set->n_items + from->n_items;
  out->items = mem_calloc (n, sizeof *out->items);
  if (!out->items)
    return out_of_memory (status);
  out->capacity = n;
  for (size_t i = 0; i < n; i++)
    {
      bool is_new = i >= set->n_items;
      Weight *w = is_new ? from->items[i - set->n_items] : set->items[i];
      if (!is_new && starts_with (w->name, prefix))
        continue;
      if (!name_index_set (&out->index, w->name, (int32_t) out->n_items, status))
        return false;
      out->items[out->n_items++] = w;
    }
  return true;
}

bool
weights_absorb (WeightSet *set, WeightSet *from, const char *prefix, Status *status)
{
  WeightSet merged = { 0 };
  if (!merge (&merged, set, from, prefix, status))
    {
      mem_free (merged.items);
      name_index_clear (&merged.index);
      weights_free (from);
      return false;
    }
  mem_free (set->items);
  name_index_clear (&set->index);
  set->items = merged.items;
  set->n_items = merged.n_items;
  set->capacity = merged.capacity;
  set->index = merged.index;
  WeightSet **tail = &set->absorbed;
  while (*tail)
    tail = &(*tail)->absorbed;
  *tail = from;
  return true;
}

int
weights_count (const WeightSet *set)
{
  return (int) set->n_items;
}

const Weight *
weights_at (const WeightSet *set, int i)
{
  return i >= 0 && (size_t) i < set->n_items ? set->items[i] : NULL;
}

const Weight *
weights_find (const WeightSet *set, const char *name)
{
  int32_t i = name_index_find (&set->index, name);
  return i < 0 ? NULL : set->items[i];
}

static int
effective_rank (int rank, const int64_t *ne)
{
  while (rank > 0 && ne[rank - 1] == 1)
    rank--;
  return rank;
}

static bool
same_shape (const Weight *w, int rank, const int64_t *ne)
{
  int a = effective_rank (w->rank, w->ne), b = effective_rank (rank, ne);
  return a == b && memcmp (w->ne, ne, (size_t) a * sizeof *ne) == 0;
}

static const char *
shape_text (char *out, size_t size, int rank, const int64_t *ne)
{
  size_t n = (size_t) snprintf (out, size, "(");
  for (int i = 0; i < rank && n < size; i++)
    n += (size_t) snprintf (out + n, size - n, "%s%lld", i ? ", " : "", (long long) ne[i]);
  if (n < size)
    snprintf (out + n, size - n, ")");
  return out;
}

static void
note_problem (WeightSet *set, const char *text)
{
  Status status = { 0 };
  if (pool_grow (&set->pool, &set->problems, &set->problem_capacity, set->n_problems + 1,
                 sizeof *set->problems, &status))
    {
      char *copy = pool_strdup (&set->pool, text, &status);
      if (copy)
        set->problems[set->n_problems++] = copy;
    }
  set->is_out_of_memory |= !status_ok (&status);
}

static void
note_shape (WeightSet *set, const Weight *w, int rank, const int64_t *ne)
{
  char have[160], need[160], text[NAME_BUFFER + 400];
  snprintf (text, sizeof text, "misshapen: %s is %s, the model needs %s", w->name,
            shape_text (have, sizeof have, w->rank, w->ne),
            shape_text (need, sizeof need, rank, ne));
  note_problem (set, text);
}

static Weight *
declare (WeightSet *set, int rank, const int64_t *ne, const char *name)
{
  Status status = { 0 };
  Weight w = { .dtype = DTYPE_F16, .rank = rank };
  memcpy (w.ne, ne, (size_t) rank * sizeof *ne);
  w.name = w.file_name = pool_strdup (&set->pool, name, &status);
  Weight *added = w.name ? weights_add (set, &w, &status) : NULL;
  set->is_out_of_memory |= !added;
  return added;
}

static const Weight *bind (
    WeightSet *set, int rank, const int64_t *ne, bool is_optional, const char *format, va_list args)
    __attribute__ ((format (printf, 5, 0)));

static const Weight *
bind (
    WeightSet *set, int rank, const int64_t *ne, bool is_optional, const char *format, va_list args)
{
  char name[NAME_BUFFER], text[NAME_BUFFER + 16];
  vsnprintf (name, sizeof name, format, args);
  Weight *w = (Weight *) weights_find (set, name);
  if (!w && set->is_declared && rank >= 0 && rank <= WEIGHT_MAX_RANK)
    {
      w = declare (set, rank, ne, name);
      if (!w)
        return NULL; /* noted as out of memory */
    }
  if (!w)
    {
      snprintf (text, sizeof text, "missing: %s", name);
      if (!is_optional)
        note_problem (set, text);
      return NULL;
    }
  w->used = true;
  if (same_shape (w, rank, ne))
    return w;
  note_shape (set, w, rank, ne);
  return NULL;
}

const Weight *
weights_bind (WeightSet *set, int rank, const int64_t *ne, const char *name_format, ...)
{
  va_list args;
  va_start (args, name_format);
  const Weight *w = bind (set, rank, ne, false, name_format, args);
  va_end (args);
  return w;
}

const Weight *
weights_bind_optional (WeightSet *set, int rank, const int64_t *ne, const char *name_format, ...)
{
  va_list args;
  va_start (args, name_format);
  const Weight *w = bind (set, rank, ne, true, name_format, args);
  va_end (args);
  return w;
}

int
weights_problem_count (const WeightSet *set)
{
  return (int) set->n_problems;
}

const char *
weights_problem (const WeightSet *set, int i)
{
  return i >= 0 && (size_t) i < set->n_problems ? set->problems[i] : NULL;
}

bool
weights_check (const WeightSet *set, Status *status)
{
  if (set->is_out_of_memory)
    return out_of_memory (status);
  if (!set->n_problems)
    return true;
  char list[360] = "";
  size_t n = 0;
  for (size_t i = 0; i < set->n_problems && i < PROBLEMS_SHOWN && n < sizeof list; i++)
    n += (size_t) snprintf (list + n, sizeof list - n, "%s%.110s", i ? "; " : "", set->problems[i]);
  return status_fail (
      status, STATUS_FORMAT,
      "This model file is incomplete or of another kind, %zu weights do not fit: %s%s",
      set->n_problems, list, set->n_problems > PROBLEMS_SHOWN ? "; ..." : ".");
}

int64_t
weights_parameters (const WeightSet *set, const char *prefix)
{
  int64_t total = 0;
  for (size_t i = 0; i < set->n_items; i++)
    {
      const Weight *w = set->items[i];
      int64_t n = 1;
      for (int d = 0; d < w->rank; d++)
        n *= w->ne[d];
      total += starts_with (w->name, prefix) ? n : 0;
    }
  return total;
}

int
weights_unused_count (const WeightSet *set, const char *prefix)
{
  int n = 0;
  for (size_t i = 0; i < set->n_items; i++)
    n += !set->items[i]->used && starts_with (set->items[i]->name, prefix);
  return n;
}

const Weight *
weights_unused (const WeightSet *set, const char *prefix, int i)
{
  for (size_t k = 0; i >= 0 && k < set->n_items; k++)
    if (!set->items[k]->used && starts_with (set->items[k]->name, prefix) && i-- == 0)
      return set->items[k];
  return NULL;
}

int64_t
weight_bytes (const Weight *w)
{
  int64_t n = 1;
  for (int d = 0; d < w->rank; d++)
    n *= w->ne[d];
  return dtype_bytes (w->dtype, n);
}

/* Weights of a group mostly lie side by side: one hint for each run of them. */
void
weights_will_need (const WeightSet *set, const char *prefix)
{
  const uint8_t *begin = NULL, *end = NULL;
  for (size_t i = 0; i < set->n_items; i++)
    {
      const Weight *w = set->items[i];
      if (!w->data || !starts_with (w->name, prefix))
        continue;
      Param p = weight_param (w);
      const uint8_t *data = (const uint8_t *) param_at (&p, 0);
      if (data != end)
        {
          mapped_will_need (begin, (size_t) (end - begin));
          begin = data;
        }
      end = data + weight_bytes (w);
    }
  mapped_will_need (begin, (size_t) (end - begin));
}

/* Other memory would lose what is in it. */
static bool
is_of_file (const WeightSet *set, const uint8_t *data)
{
  for (const WeightSet *s = set; s; s = s->absorbed)
    for (size_t i = 0; i < s->n_files; i++)
      if (data >= s->files[i].data && data < s->files[i].data + s->files[i].size)
        return true;
  return false;
}

void
weights_wont_need (const WeightSet *set, bool (*func) (const char *name))
{
  for (size_t i = 0; i < set->n_items; i++)
    {
      const Weight *w = set->items[i];
      Param p = weight_param (w);
      if (!w->data || !func (w->name))
        continue;
      const uint8_t *data = (const uint8_t *) param_at (&p, 0);
      if (is_of_file (set, data))
        mapped_wont_need (data, (size_t) weight_bytes (w));
    }
}
