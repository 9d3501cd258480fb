// SPDX-License-Identifier: MPL-2.0
// hooks.cpp - what -fsanitize=thread calls on every load and store of a kernel.
//
// Kernels are compiled with that option and never linked with its library: these are the only
// definitions of its callbacks (their names are those of LLVM's and GCC's ThreadSanitizer ABI).
#include <string.h>

#include "internal.h"

static inline void
saw (void *p, uint32_t size_bytes, Access access, uintptr_t pc)
{
  uintptr_t at = (uintptr_t) p, offset = at - (uintptr_t) machine.arena;
  if (!emu_options.check || !current || !size_bytes)
    return;
  if (at - (uintptr_t) machine.stacks < (uintptr_t) MAX_THREADS * (68 << 10))
    return; // a thread's own variables
  if (offset < ARENA_BYTES)
    shared_access ((uint32_t) offset, size_bytes, access, pc, current->thread);
  else
    global_access (at, size_bytes, access, pc);
}

#define HOOKS(n)                                                                                   \
  void __tsan_read##n (void *p)                                                                    \
  {                                                                                                \
    saw (p, n, READ, CALLER);                                                                      \
  }                                                                                                \
  void __tsan_write##n (void *p)                                                                   \
  {                                                                                                \
    saw (p, n, WRITE, CALLER);                                                                     \
  }                                                                                                \
  void __tsan_unaligned_read##n (void *p)                                                          \
  {                                                                                                \
    saw (p, n, READ, CALLER);                                                                      \
  }                                                                                                \
  void __tsan_unaligned_write##n (void *p)                                                         \
  {                                                                                                \
    saw (p, n, WRITE, CALLER);                                                                     \
  }                                                                                                \
  void __tsan_volatile_read##n (void *p)                                                           \
  {                                                                                                \
    saw (p, n, READ, CALLER);                                                                      \
  }                                                                                                \
  void __tsan_volatile_write##n (void *p)                                                          \
  {                                                                                                \
    saw (p, n, WRITE, CALLER);                                                                     \
  }                                                                                                \
  void __tsan_read_write##n (void *p)                                                              \
  {                                                                                                \
    saw (p, n, READ, CALLER);                                                                      \
    saw (p, n, WRITE, CALLER);                                                                     \
  }                                                                                                \
  void __tsan_unaligned_read_write##n (void *p)                                                    \
  {                                                                                                \
    saw (p, n, READ, CALLER);                                                                      \
    saw (p, n, WRITE, CALLER);                                                                     \
  }

#pragma GCC diagnostic ignored "-Wmissing-declarations"
extern "C"
{
  HOOKS (1)
  HOOKS (2)
  HOOKS (4)
  HOOKS (8)
  HOOKS (16)

  void
  __tsan_read_range (void *p, unsigned long n)
  {
    saw (p, (uint32_t) n, READ, CALLER);
  }
  void
  __tsan_write_range (void *p, unsigned long n)
  {
    saw (p, (uint32_t) n, WRITE, CALLER);
  }
  void *
  __tsan_memcpy (void *to, const void *from, unsigned long n)
  {
    saw ((void *) from, (uint32_t) n, READ, CALLER);
    saw (to, (uint32_t) n, WRITE, CALLER);
    return memcpy (to, from, n);
  }
  void *
  __tsan_memmove (void *to, const void *from, unsigned long n)
  {
    saw ((void *) from, (uint32_t) n, READ, CALLER);
    saw (to, (uint32_t) n, WRITE, CALLER);
    return memmove (to, from, n);
  }
  void *
  __tsan_memset (void *to, int value, unsigned long n)
  {
    saw (to, (uint32_t) n, WRITE, CALLER);
    return memset (to, value, n);
  }
  void
  __tsan_init (void)
  {
  }
  void
  __tsan_func_entry (void *)
  {
  }
  void
  __tsan_func_exit (void)
  {
  }
}
