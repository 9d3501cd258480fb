/* SPDX-License-Identifier: MPL-2.0 */
#define _GNU_SOURCE
#include "core/mem.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static _Atomic int64_t fail_at, n_asked, n_live;

static bool
must_fail (void)
{
  int64_t nth = atomic_fetch_add (&n_asked, 1) + 1;
  return nth == atomic_load_explicit (&fail_at, memory_order_relaxed);
}

void
mem_fail_at (int64_t nth)
{
  atomic_store (&n_asked, 0);
  atomic_store (&fail_at, nth);
}

int64_t
mem_count (void)
{
  return atomic_load (&n_asked);
}

int64_t
mem_live (void)
{
  return atomic_load (&n_live);
}

/* Counts what was given; @p may be NULL. */
static void *
given (void *p)
{
  if (p)
    atomic_fetch_add_explicit (&n_live, 1, memory_order_relaxed);
  return p;
}

static void
taken_back (const void *p)
{
  if (p)
    atomic_fetch_sub_explicit (&n_live, 1, memory_order_relaxed);
}

void *
mem_calloc (size_t count, size_t size)
{
  return must_fail () ? NULL : given (calloc (count ? count : 1, size ? size : 1));
}

void *
mem_realloc (void *p, size_t size_bytes)
{
  if (must_fail ())
    return NULL;
  void *moved = realloc (p, size_bytes ? size_bytes : 1);
  return p ? moved : given (moved);
}

void
mem_free (void *p)
{
  taken_back (p);
  free (p);
}

char *
mem_strdup (const char *text)
{
  return must_fail () ? NULL : given (strdup (text));
}

void *
mem_map (size_t size_bytes)
{
  if (must_fail ())
    return NULL;
  void *p = mmap (NULL, size_bytes ? size_bytes : 1, PROT_READ | PROT_WRITE,
                  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  return p == MAP_FAILED ? NULL : given (p);
}

static bool
map_over (char *to, size_t size_bytes, int file, size_t pattern_bytes)
{
  bool ok = true;
  for (size_t at = 0; ok && at < size_bytes; at += pattern_bytes)
    {
      size_t n = size_bytes - at < pattern_bytes ? size_bytes - at : pattern_bytes;
      ok = mmap (to + at, n, PROT_READ, MAP_SHARED | MAP_FIXED, file, 0) != MAP_FAILED;
    }
  return ok;
}

void *
mem_map_repeated (size_t size_bytes, const void *pattern, size_t pattern_bytes)
{
  if (must_fail ())
    return NULL;
  /* addresses alone: no memory is asked for that all of it would need */
  char *p = mmap (NULL, size_bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  p = p == MAP_FAILED ? NULL : given (p);
  int file = p ? memfd_create ("repeated", MFD_CLOEXEC) : -1;
  bool ok = file >= 0 && write (file, pattern, pattern_bytes) == (ssize_t) pattern_bytes &&
            map_over (p, size_bytes, file, pattern_bytes);
  if (file >= 0)
    close (file);
  if (ok)
    return p;
  mem_unmap (p, size_bytes);
  return NULL;
}

void
mem_unmap (void *p, size_t size_bytes)
{
  taken_back (p);
  if (p)
    munmap (p, size_bytes ? size_bytes : 1);
}

bool
mem_grow (void *items, size_t *capacity, size_t needed, size_t item_size, Status *status)
{
  if (needed <= *capacity)
    return true;
  size_t cap = *capacity ? *capacity * 2 : 16;
  if (cap < needed)
    cap = needed;
  void **slot = items;
  void *p = cap > SIZE_MAX / item_size ? NULL : mem_realloc (*slot, cap * item_size);
  if (!p)
    return status_fail (status, STATUS_NO_MEMORY, "Out of memory: close other programs and retry.");
  *slot = p;
  *capacity = cap;
  return true;
}
