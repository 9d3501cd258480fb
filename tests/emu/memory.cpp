// SPDX-License-Identifier: MPL-2.0
// memory.cpp - global memory: buffers with a guard page, and who wrote and read each granule.
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include <algorithm>

#include "internal.h"

enum
{
  PAGE = 4096,
  ALIGNMENT = 256, // what a device's allocator gives
  UNWRITTEN = 0,
  HOST = 1 // written before the launch; blocks count from 2 on
};

static const uint32_t BY_ATOMICS = UINT32_MAX;

// A word for each granule, zero at first.  Many come fresh from the system, which gives a page once
// it is written, as most of a card's memory never is.
class Marks
{
  enum
  {
    MANY = 1 << 14
  };
  uint32_t *first;
  size_t n;

public:
  explicit Marks (size_t n_granules) : n (n_granules)
  {
    void *memory = n < MANY ? calloc (n + 1, sizeof *first)
                            : mmap (NULL, n * sizeof *first, PROT_READ | PROT_WRITE,
                                    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (!memory || memory == MAP_FAILED)
      abort ();
    first = (uint32_t *) memory;
  }
  Marks (const Marks &) = delete;
  Marks &operator= (const Marks &) = delete;
  ~Marks ()
  {
    if (n < MANY)
      free (first);
    else
      munmap (first, n * sizeof *first);
  }
  bool
  empty () const
  {
    return n == 0;
  }
  uint32_t &
  operator[] (size_t i)
  {
    return first[i];
  }
  void
  fill (size_t from, size_t count, uint32_t mark)
  {
    std::fill_n (first + from, count, mark);
  }
  void
  fill (uint32_t mark)
  {
    fill (0, n, mark);
  }
};

struct Buffer
{
  uintptr_t from, to;
  uint8_t *map;
  size_t map_bytes;
  const char *name;
  uint32_t granule_shift; // a granule has 1 or 2 bytes
  Marks writer, reader;
};

static std::vector<Buffer *> buffers;
static Buffer *recent[64]; // what was found last, by the last bits of a page's number

extern "C" void *
emu_alloc (size_t size_bytes, const char *name, int granule_bytes, bool initialised)
{
  size_t body = (size_bytes + PAGE) / PAGE * PAGE, total = body + 2 * PAGE;
  uint8_t *map =
      (uint8_t *) mmap (NULL, total, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (map == MAP_FAILED)
    return NULL;
  mprotect (map, PAGE, PROT_NONE);
  mprotect (map + PAGE + body, PAGE, PROT_NONE);
  uint8_t *p = map + PAGE + (body - (size_bytes + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT);
  memset (map + PAGE, 0xff, body);
  size_t n = size_bytes / (size_t) granule_bytes + 1;
  buffers.push_back (new Buffer{ (uintptr_t) p, (uintptr_t) p + size_bytes, map, total, name,
                                 granule_bytes > 1, Marks (n), Marks (n) });
  if (initialised)
    buffers.back ()->writer.fill (HOST);
  return p;
}

extern "C" void
emu_free (void *p)
{
  std::fill (std::begin (recent), std::end (recent), nullptr);
  for (size_t i = 0; i < buffers.size (); i++)
    if (buffers[i]->from == (uintptr_t) p)
      {
        if (buffers[i]->map)
          munmap (buffers[i]->map, buffers[i]->map_bytes);
        delete buffers[i];
        buffers.erase (buffers.begin () + (long) i);
        return;
      }
}

extern "C" void
emu_reset (void *p, const void *initial)
{
  for (Buffer *b : buffers)
    if (b->from == (uintptr_t) p)
      {
        b->writer.fill (initial ? HOST : UNWRITTEN);
        b->reader.fill (0);
        if (initial)
          memcpy (p, initial, b->to - b->from);
        else
          memset (p, 0xff, b->to - b->from);
      }
}

extern "C" void
emu_adopt (void *p, size_t size_bytes, const char *name)
{
  size_t n = emu_options.check ? size_bytes / 2 + 1 : 0;
  buffers.push_back (new Buffer{ (uintptr_t) p, (uintptr_t) p + size_bytes, NULL, 0, name, 1,
                                 Marks (n), Marks (n) });
}

extern "C" void
emu_abandon (void *p)
{
  emu_free (p);
}

static Buffer *
find_buffer (uintptr_t at)
{
  Buffer *&found = recent[at / PAGE % (sizeof recent / sizeof *recent)];
  if (found && at >= found->from && at < found->to)
    return found;
  for (Buffer *b : buffers)
    if (at >= b->from && at < b->to)
      return found = b;
  return NULL;
}

extern "C" void
emu_host_wrote (void *p, size_t size_bytes)
{
  Buffer *b = find_buffer ((uintptr_t) p);
  if (!b || b->writer.empty ())
    return;
  size_t from = ((uintptr_t) p - b->from) >> b->granule_shift;
  size_t n = (size_bytes + b->granule_shift) >> b->granule_shift;
  b->writer.fill (from, n, HOST);
  b->reader.fill (from, n, 0);
}

// The launch's own arguments, and constants of the program or library that kernels are in, may be
// read.  Asked before buffers: it is what kernels read most.
static inline bool
is_constant (uintptr_t at, Access access)
{
  extern char __ehdr_start __attribute__ ((visibility ("hidden")));
  extern char end __attribute__ ((visibility ("hidden")));
  uintptr_t image = (uintptr_t) &__ehdr_start, arguments = (uintptr_t) machine.launch->arguments;
  return access == READ && (at - image < (uintptr_t) &end - image ||
                            at - arguments < machine.launch->arguments_bytes);
}

static inline bool
by_other_block (uint32_t who)
{
  return who >= machine.launch_first_block && who != machine.block && who != BY_ATOMICS;
}

static inline bool
is_faulty (uint32_t writer, uint32_t reader, Access access)
{
  return (access != WRITE && writer == UNWRITTEN) ||
         (access != ATOMIC && by_other_block (writer)) ||
         (access == WRITE && by_other_block (reader));
}

static void
report_granule (Buffer *b, size_t i, Access access, uintptr_t pc)
{
  uint32_t writer = b->writer[i], reader = b->reader[i];
  size_t byte = i << b->granule_shift;
  if (access != WRITE && writer == UNWRITTEN)
    REPORT (EMU_UNINIT, pc, "reads byte %zu of '%s', which nothing wrote", byte, b->name);
  if (access == READ && by_other_block (writer))
    REPORT (EMU_BLOCKS, pc, "reads byte %zu of '%s', which another block writes", byte, b->name);
  if (access == WRITE && by_other_block (writer))
    REPORT (EMU_BLOCKS, pc, "writes byte %zu of '%s', as another block does", byte, b->name);
  if (access == WRITE && by_other_block (reader))
    REPORT (EMU_BLOCKS, pc, "writes byte %zu of '%s', which another block reads", byte, b->name);
}

static void
report_place (const Buffer *b, uintptr_t at, uint32_t size_bytes, Access access, uintptr_t pc)
{
  const char *verb = access == READ ? "reads" : "writes";
  if (b && at + size_bytes <= b->to)
    {
      REPORT (EMU_ALIGN, pc, "%s %u misaligned bytes of '%s'", verb, size_bytes, b->name);
      return;
    }
  if (b)
    REPORT (EMU_BOUNDS, pc, "%s %u bytes past the end of '%s'", verb, size_bytes, b->name);
  else
    REPORT (EMU_BOUNDS, pc, "%s %u bytes outside of every buffer", verb, size_bytes);
  machine_abandon_block ();
}

void
global_access (uintptr_t at, uint32_t size_bytes, Access access, uintptr_t pc)
{
  if (is_constant (at, access))
    return;
  Buffer *b = find_buffer (at);
  if (!b || at + size_bytes > b->to || at & (size_bytes - 1))
    report_place (b, at, size_bytes, access, pc);
  size_t from = (at - b->from) >> b->granule_shift;
  size_t to = (at + size_bytes - 1 - b->from) >> b->granule_shift;
  for (size_t i = from; i <= to; i++)
    {
      uint32_t &writer = b->writer[i], &reader = b->reader[i];
      if (is_faulty (writer, reader, access))
        report_granule (b, i, access, pc);
      if (access == READ)
        reader = machine.block;
      else
        writer = access == ATOMIC ? BY_ATOMICS : machine.block;
    }
}
