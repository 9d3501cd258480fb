/* SPDX-License-Identifier: MPL-2.0
 * scales.c - how strongly adapters act: a few floats a layer, on the card.
 *
 * A slider or a schedule may change them between any two runs, and nobody says so: each use
 * compares with what was copied last, and copies only what is new.  They share a page; when it is
 * full, it begins anew.
 */
#include "cuda.h"

#include <string.h>

#include "core/mem.h"

enum
{
  TABLE = 4096, /* open addressing, at most three quarters full */
  ALIGNMENT = 4 /* floats */
};

typedef struct
{
  const float *from; /* NULL: free */
  int64_t n, first;  /* floats */
} Slot;

struct CudaScales
{
  CudaBlock block;
  float *known; /* what the page holds, or will when all that is queued is done */
  int64_t used, capacity;
  int n;
  Slot table[TABLE];
};

void
cuda_scales_forget (CudaBackend *b)
{
  CudaScales *s = b->scales;
  if (!s)
    return;
  memset (s->table, 0, sizeof s->table);
  s->used = s->n = 0;
}

void
cuda_scales_close (CudaBackend *b)
{
  if (!b->scales)
    return;
  cuda_unmap (b, &b->scales->block);
  mem_free (b->scales->known);
  mem_free (b->scales);
  b->scales = NULL;
}

static bool
open_page (CudaBackend *b)
{
  CudaScales *s = b->scales = mem_calloc (1, sizeof *s);
  if (s)
    s->known = mem_calloc (b->page_bytes, 1);
  if (!s || !s->known)
    return status_fail (&b->status, STATUS_NO_MEMORY,
                        "Out of memory: close other programs and retry.");
  s->capacity = (int64_t) (b->page_bytes / sizeof (float));
  return cuda_map (b, &s->block, b->page_bytes, &b->status);
}

static Slot *
find (CudaScales *s, const float *from, int64_t n)
{
  uint64_t h = (uint64_t) (uintptr_t) from * 0x9e3779b97f4a7c15u;
  size_t i = (size_t) (h >> 40) & (TABLE - 1);
  while (s->table[i].from && (s->table[i].from != from || s->table[i].n != n))
    i = (i + 1) & (TABLE - 1);
  return &s->table[i];
}

static void
fill (void *data, void *out, size_t offset_bytes, size_t n_bytes)
{
  memcpy (out, (const char *) data + offset_bytes, n_bytes);
}

const float *
cuda_scales (CudaBackend *b, const float *from, int64_t n)
{
  if (cuda_failed (b))
    return NULL;
  if (!b->scales && !open_page (b))
    {
      cuda_scales_close (b);
      return NULL;
    }
  CudaScales *s = b->scales;
  Slot *slot = find (s, from, n);
  size_t n_bytes = (size_t) n * sizeof *from;
  bool is_new = !slot->from;
  if (is_new && (s->used + n > s->capacity || s->n >= TABLE / 4 * 3))
    {
      cuda_scales_forget (b); /* copies wait for what is queued, which reads what was there */
      slot = find (s, from, n);
    }
  if (n > s->capacity)
    {
      status_fail (&b->status, STATUS_NO_MEMORY, "Out of memory: use fewer adapters.");
      return NULL;
    }
  if (is_new)
    {
      *slot = (Slot){ from, n, s->used };
      s->used += (n + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
      s->n++;
    }
  DriverPointer at = s->block.address + (size_t) slot->first * sizeof *from;
  float *known = s->known + slot->first;
  if (is_new || memcmp (known, from, n_bytes) != 0)
    {
      memcpy (known, from, n_bytes);
      cuda_copy_in (b, b->compute, at, n_bytes, sizeof *from, fill, known);
    }
  return cuda_failed (b) ? NULL : (const float *) (uintptr_t) at;
}
