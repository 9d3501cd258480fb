/* SPDX-License-Identifier: MPL-2.0
 * guard.c - the SIGBUS handler and its table of mappings.
 *
 * A slot is published by storing its size last and withdrawn by clearing it first, so that the
 * handler, which may run at any instruction of any thread, never sees half a slot.
 */
#define _GNU_SOURCE
#include "core/guard.h"

#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

enum
{
  N_SLOTS = 256, /* more files than any job maps: a sharded model has 20 */
  NAME_BYTES = 120
};

typedef struct
{
  atomic_bool taken;
  atomic_uintptr_t begin;
  atomic_size_t size; /* 0: not to be looked at */
  atomic_bool lost;
  char name[NAME_BYTES]; /* written before size, read by guard_check only */
} Slot;

static Slot slots[N_SLOTS];
static atomic_int n_lost;
static uintptr_t page_bytes;

static Slot *
slot_of (uintptr_t address)
{
  for (int i = 0; i < N_SLOTS; i++)
    {
      size_t size = atomic_load (&slots[i].size);
      uintptr_t begin = atomic_load (&slots[i].begin);
      if (size && address >= begin && address - begin < size)
        return &slots[i];
    }
  return NULL;
}

/* Zeros from the page that is gone to the end: what follows is gone as well, or no longer wanted.
 */
static bool
cover (Slot *s, uintptr_t address)
{
  uintptr_t page = address & ~(page_bytes - 1);
  uintptr_t end = atomic_load (&s->begin) + atomic_load (&s->size);
  void *p = mmap ((void *) page, end - page, PROT_READ,
                  MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED | MAP_NORESERVE, -1, 0);
  if (p == MAP_FAILED)
    return false;
  if (!atomic_exchange (&s->lost, true))
    atomic_fetch_add (&n_lost, 1);
  return true;
}

static void
bus_error_cb (int number, siginfo_t *info, void *context)
{
  (void) context;
  int saved = errno;
  Slot *s = info->si_code > 0 ? slot_of ((uintptr_t) info->si_addr) : NULL;
  if (!s || !cover (s, (uintptr_t) info->si_addr))
    {
      /* Not ours: the touch is repeated, or the signal sent again, and the system acts. */
      signal (number, SIG_DFL);
      if (info->si_code <= 0)
        raise (number);
    }
  errno = saved;
}

void
guard_install (void)
{
  page_bytes = (uintptr_t) sysconf (_SC_PAGESIZE);
  struct sigaction action = { .sa_sigaction = bus_error_cb, .sa_flags = SA_SIGINFO | SA_RESTART };
  sigemptyset (&action.sa_mask);
  sigaction (SIGBUS, &action, NULL);
}

int
guard_add (const void *data, size_t size_bytes, const char *name)
{
  for (int i = 0; i < N_SLOTS; i++)
    if (!atomic_exchange (&slots[i].taken, true))
      {
        atomic_store (&slots[i].lost, false);
        snprintf (slots[i].name, NAME_BYTES, "%s", name);
        atomic_store (&slots[i].begin, (uintptr_t) data);
        atomic_store (&slots[i].size, size_bytes);
        return i;
      }
  return -1;
}

void
guard_remove (int slot)
{
  if (slot < 0)
    return;
  Slot *s = &slots[slot];
  atomic_store (&s->size, 0);
  if (atomic_exchange (&s->lost, false))
    atomic_fetch_sub (&n_lost, 1);
  atomic_store (&s->taken, false);
}

bool
guard_check (Status *status)
{
  if (atomic_load_explicit (&n_lost, memory_order_relaxed) == 0)
    return true;
  for (int i = 0; i < N_SLOTS; i++)
    if (atomic_load (&slots[i].lost))
      return status_fail (status, STATUS_IO,
                          "\"%s\" can no longer be read: it was shortened or its disk failed while "
                          "it was in use. Put the whole file back and try again.",
                          slots[i].name);
  return true;
}
