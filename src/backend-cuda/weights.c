/* SPDX-License-Identifier: MPL-2.0
 * weights.c - parameters on the card, as many as there is room for.
 *
 * Parameters lie in segments in the order in which they were first used, so a segment is what is
 * needed together and moves as one.  Each remembers which segment was used after it the last time:
 * a pass through a network repeats the pass before, so that chain says what comes next.  From it
 *
 *   the next segment is copied while this one computes, on a stream of its own;
 *   when there is no room, the segment goes that is needed last (Belady, A study of replacement
 *   algorithms for virtual-storage computers, 1966), and what no chain leads to goes first: the
 *   text encoder's while the network denoises.
 *
 * So a network that fits is copied once, and of one that does not, as much as fits stays.
 */
#include <limits.h>
#include <string.h>

#include "core/mem.h"
#include "layout.h"

enum
{
  ALIGNMENT = 256,
  MAX_SEGMENT_BYTES = 64 << 20,
  SEGMENTS_AT_ONCE = 24, /* at least that many have room */
  MAX_TOUCHED = 8,       /* segments that one operator reads */
  FIRST_TABLE = 1024
};

typedef struct
{
  Param param;
  CudaShape shape;
  size_t offset;
  int segment;
} Entry;

typedef struct
{
  CudaBlock block;
  size_t capacity, used;
  int first_entry, n_entries;
  bool is_resident, is_waited_for; /* the latter: computing begins behind its copy */
  DriverEvent ready, done;         /* its copy; the last operator that reads it */
  bool was_read;                   /* since it was copied */
  int64_t last_use;                /* number of the operator */
  int next, distance;
} Segment;

struct CudaWeights
{
  Entry *entries;
  size_t n_entries, entries_capacity;
  int *table; /* entry + 1, open addressing */
  size_t table_size;
  Segment *segments;
  size_t n_segments, segments_capacity;
  size_t segment_bytes;
  int64_t operator_number;
  int current; /* segment; -1: none yet */
  int touched[MAX_TOUCHED], n_touched;
  float *row;
  size_t row_capacity;
};

bool
cuda_weights_open (CudaBackend *b, Status *status)
{
  CudaWeights *w = b->weights = mem_calloc (1, sizeof *w);
  if (!w)
    return status_fail (status, STATUS_NO_MEMORY, "Out of memory: close other programs and retry.");
  size_t pages = b->max_pages / SEGMENTS_AT_ONCE;
  w->segment_bytes = (pages ? pages : 1) * b->page_bytes;
  if (w->segment_bytes > MAX_SEGMENT_BYTES)
    w->segment_bytes = MAX_SEGMENT_BYTES;
  w->current = -1;
  return true;
}

static void
wait_for_all (CudaBackend *b)
{
  int error = b->driver->stream_wait (b->copies);
  error = error ? error : b->driver->stream_wait (b->compute);
  cuda_works (b, error, STATUS_MARK ("it computed"));
}

static void
drop (CudaBackend *b, Segment *s)
{
  cuda_unmap (b, &s->block);
  b->epoch++;
  s->is_resident = s->was_read = false;
}

void
cuda_weights_forget (CudaBackend *b)
{
  CudaWeights *w = b->weights;
  if (w->n_segments)
    wait_for_all (b);
  for (size_t i = 0; i < w->n_segments; i++)
    {
      drop (b, &w->segments[i]);
      if (w->segments[i].ready)
        b->driver->event_free (w->segments[i].ready);
      if (w->segments[i].done)
        b->driver->event_free (w->segments[i].done);
    }
  w->n_segments = w->n_entries = 0;
  w->n_touched = 0;
  w->current = -1;
  if (w->table)
    memset (w->table, 0, w->table_size * sizeof *w->table);
}

void
cuda_weights_close (CudaBackend *b)
{
  if (!b->weights)
    return;
  cuda_weights_forget (b);
  mem_free (b->weights->entries);
  mem_free (b->weights->segments);
  mem_free (b->weights->table);
  mem_free (b->weights->row);
  mem_free (b->weights);
}

/* ---- which goes ---- */

/* How many segments are used before each is used again; INT_MAX: nothing says that it will be. */
static void
measure_distances (CudaWeights *w)
{
  for (size_t i = 0; i < w->n_segments; i++)
    w->segments[i].distance = INT_MAX;
  int at = w->current;
  for (int d = 0; at >= 0 && w->segments[at].distance == INT_MAX; d++)
    {
      w->segments[at].distance = d;
      at = w->segments[at].next;
    }
}

/* A resident segment that the running operator does not read.  @nearest: how near its next use may
 * be.  Returns: -1 when there is none */
static int
find_victim (CudaWeights *w, int nearest)
{
  int best = -1;
  measure_distances (w);
  for (size_t i = 0; i < w->n_segments; i++)
    {
      const Segment *s = &w->segments[i], *t = best < 0 ? NULL : &w->segments[best];
      if (!s->is_resident || s->last_use == w->operator_number || s->distance < nearest)
        continue;
      if (!t || s->distance > t->distance ||
          (s->distance == t->distance && s->last_use < t->last_use))
        best = (int) i;
    }
  return best;
}

bool
cuda_weights_make_room (CudaBackend *b)
{
  int victim = b->weights ? find_victim (b->weights, 0) : -1;
  if (victim < 0)
    return false;
  cuda_graph_moved (b);
  wait_for_all (b);
  drop (b, &b->weights->segments[victim]);
  return !cuda_failed (b);
}

/* ---- copying ---- */

/* The victim's memory changes hands as it is: copies wait on the card for its last reader. */
static bool
take_over (CudaBackend *b, Segment *s, int nearest)
{
  CudaWeights *w = b->weights;
  int i = find_victim (w, nearest);
  Segment *victim = i < 0 ? NULL : &w->segments[i];
  if (!victim || victim->block.n_pages * b->page_bytes < s->capacity)
    return false;
  if (victim->was_read)
    cuda_works (b, b->driver->stream_wait_event (b->copies, victim->done, 0),
                STATUS_MARK ("parameters were copied to it"));
  s->block = victim->block;
  victim->block = (CudaBlock){ 0 };
  victim->is_resident = victim->was_read = false;
  return true;
}

static bool
copy_entry (CudaBackend *b, const Segment *s, const Entry *e)
{
  CudaWeights *w = b->weights;
  CudaSource source = { .param = e->param, .shape = e->shape };
  int64_t row = e->shape.c_in * e->shape.taps;
  GkType from;
  if (e->shape.layout == CUDA_CONV &&
      !mem_grow (&w->row, &w->row_capacity, (size_t) row, sizeof *w->row, &b->status))
    return false;
  source.values = w->row;
  DriverPointer to = s->block.address + e->offset;
  size_t size_bytes = layout_bytes (&e->param, &e->shape);
  if (!cuda_copy_in (b, b->copies, to, size_bytes, layout_unit_bytes (&e->shape), layout_fill,
                     &source))
    return false;
  void *values = (void *) (uintptr_t) to;
  GkConvert round = {
    .to = e->shape.type, .n = (int64_t) size_bytes / 2, .x = values, .y = values
  };
  if (!layout_needs_rounding (&source, &from))
    return true;
  round.from = from;
  return cuda_works (b, gk_convert (&round, b->copies),
                     STATUS_MARK ("parameters were copied to it"));
}

static bool
copy_done (CudaBackend *b, Segment *s)
{
  s->is_waited_for = false;
  return cuda_works (b, b->driver->event_record (s->ready, b->copies),
                     STATUS_MARK ("parameters were copied to it"));
}

/* @must: else only into memory whose parameters are needed later than @s. */
static bool
load (CudaBackend *b, Segment *s, bool must)
{
  bool has_room = cuda_has_room (b, s->capacity);
  cuda_graph_moved (b);
  b->epoch++;
  if (!has_room && !take_over (b, s, must ? 0 : 2) && !must)
    return true;
  Status ignored = { 0 };
  if (!s->block.address && !cuda_map (b, &s->block, s->capacity, must ? &b->status : &ignored))
    return !must && !cuda_failed (b);
  s->is_resident = true;
  for (int i = 0; i < s->n_entries; i++)
    if (!copy_entry (b, s, &b->weights->entries[s->first_entry + i]))
      return false;
  return copy_done (b, s);
}

/* ---- finding ---- */

static size_t
hash (const Param *p, const CudaShape *s)
{
  uint64_t h = (uint64_t) (uintptr_t) p->data * 0x9e3779b97f4a7c15u;
  h ^= ((uint64_t) p->first * 31 + (uint64_t) s->layout * 3 + (uint64_t) s->type) *
       0xbf58476d1ce4e5b9u;
  return (size_t) (h ^ h >> 29);
}

static bool
is_entry (const Entry *e, const Param *p, const CudaShape *s)
{
  const CudaShape *t = &e->shape;
  return e->param.data == p->data && e->param.dtype == p->dtype && e->param.first == p->first &&
         e->param.quant == p->quant && t->layout == s->layout && t->type == s->type &&
         t->n == s->n && t->c_out == s->c_out && t->c_in == s->c_in && t->taps == s->taps;
}

/* Where @p stands in the table, or the free place for it. */
static int *
find_place (const CudaWeights *w, const Param *p, const CudaShape *s)
{
  size_t i = hash (p, s) & (w->table_size - 1);
  while (w->table[i] && !is_entry (&w->entries[w->table[i] - 1], p, s))
    i = (i + 1) & (w->table_size - 1);
  return &w->table[i];
}

static bool
grow_table (CudaWeights *w, Status *status)
{
  if (w->table_size > 2 * w->n_entries)
    return true;
  size_t size = w->table_size ? 4 * w->table_size : FIRST_TABLE;
  int *table = mem_calloc (size, sizeof *table);
  if (!table)
    return status_fail (status, STATUS_NO_MEMORY, "Out of memory: close other programs and retry.");
  mem_free (w->table);
  w->table = table;
  w->table_size = size;
  for (size_t i = 0; i < w->n_entries; i++)
    *find_place (w, &w->entries[i].param, &w->entries[i].shape) = (int) i + 1;
  return true;
}

/* A segment behind all others with room for @size_bytes, on the card. */
static Segment *
open_segment (CudaBackend *b, size_t size_bytes)
{
  CudaWeights *w = b->weights;
  Segment *last = w->n_segments ? &w->segments[w->n_segments - 1] : NULL;
  if (last && last->is_resident && last->used + size_bytes <= last->capacity)
    return last;
  if (!mem_grow (&w->segments, &w->segments_capacity, w->n_segments + 1, sizeof *w->segments,
                 &b->status))
    return NULL;
  Segment *s = &w->segments[w->n_segments++];
  *s = (Segment){ .first_entry = (int) w->n_entries, .next = -1, .last_use = -1 };
  s->capacity = size_bytes > w->segment_bytes ? size_bytes : w->segment_bytes;
  int error = b->driver->event_new (&s->ready, DRIVER_EVENT_NO_TIMING);
  error = error ? error : b->driver->event_new (&s->done, DRIVER_EVENT_NO_TIMING);
  return cuda_works (b, error, STATUS_MARK ("it was asked for events")) && load (b, s, true) ? s
                                                                                             : NULL;
}

static bool
add_entry (CudaBackend *b, const Param *p, const CudaShape *shape, int *place)
{
  CudaWeights *w = b->weights;
  size_t size_bytes = (layout_bytes (p, shape) + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
  if (!mem_grow (&w->entries, &w->entries_capacity, w->n_entries + 1, sizeof *w->entries,
                 &b->status))
    return false;
  cuda_graph_moved (b);
  Segment *s = open_segment (b, size_bytes);
  if (!s)
    return false;
  Entry *e = &w->entries[w->n_entries];
  *e = (Entry){ *p, *shape, s->used, (int) (s - w->segments) };
  if (!copy_entry (b, s, e) || !copy_done (b, s))
    return false;
  s->used += size_bytes;
  s->n_entries++;
  *place = (int) ++w->n_entries;
  return true;
}

/* ---- using ---- */

static bool
touch (CudaBackend *b, int index)
{
  CudaWeights *w = b->weights;
  Segment *s = &w->segments[index];
  if (!s->is_waited_for)
    cuda_graph_moved (b);
  if (!s->is_waited_for && !cuda_works (b, b->driver->stream_wait_event (b->compute, s->ready, 0),
                                        STATUS_MARK ("parameters were copied to it")))
    return false;
  s->is_waited_for = true;
  if (s->last_use != w->operator_number && w->n_touched < MAX_TOUCHED)
    w->touched[w->n_touched++] = index;
  s->last_use = w->operator_number;
  if (w->current >= 0 && w->current != index)
    w->segments[w->current].next = index;
  w->current = index;
  int next = s->next;
  return next < 0 || w->segments[next].is_resident || load (b, &w->segments[next], false);
}

const void *
cuda_weight (CudaBackend *b, const Param *p, CudaShape shape)
{
  CudaWeights *w = b->weights;
  if (!p->data || cuda_failed (b) || !grow_table (w, &b->status))
    return NULL;
  shape.type = b->type;
  int *place = find_place (w, p, &shape);
  if (!*place && !add_entry (b, p, &shape, place))
    return NULL;
  const Entry *e = &w->entries[*place - 1];
  Segment *s = &w->segments[e->segment];
  if (!s->is_resident && !load (b, s, true))
    return NULL;
  const void *address = (const void *) (uintptr_t) (s->block.address + e->offset);
  return touch (b, e->segment) ? address : NULL;
}

void
cuda_weights_used (CudaBackend *b)
{
  CudaWeights *w = b->weights;
  /* what a graph reads is done when its run is; nothing moves before */
  for (int i = 0; i < w->n_touched && b->run_mode == CUDA_RUN_EAGER; i++)
    {
      Segment *s = &w->segments[w->touched[i]];
      s->was_read = cuda_works (b, b->driver->event_record (s->done, b->compute),
                                STATUS_MARK ("it computed"));
    }
  w->n_touched = 0;
  w->operator_number++;
}
