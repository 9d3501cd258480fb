// SPDX-License-Identifier: MPL-2.0
// shadow.cpp - shared memory: who touched what, and whether anything orders it.
#include <algorithm>
#include <string.h>

#include "internal.h"

static inline bool
is_later (uint32_t clock, uint32_t thread, uint32_t me)
{
  return thread != me && clock > machine.fibers[me].knows->clocks[thread];
}

bool
shared_in_range (uint32_t at, uint32_t size_bytes)
{
  for (auto &r : machine.ranges)
    if (at >= r.first && at + size_bytes <= r.second)
      return true;
  return false;
}

// --- lines and cells ---

static inline uint32_t
most_readers (const Line &l)
{
  return l.cell_bytes / GRANULE_BYTES * READERS_PER_GRANULE;
}

static inline Reader &
reader (Cell &c, uint32_t k)
{
  return (&c)[k / READERS_PER_GRANULE].readers[k % READERS_PER_GRANULE];
}

static void
divide (Line &l, Cell *cells, uint32_t cell_bytes)
{
  Cell whole[N_CELLS];
  uint32_t old_step = l.cell_bytes / GRANULE_BYTES, step = cell_bytes / GRANULE_BYTES;
  memcpy (whole, cells, sizeof whole);
  l.cell_bytes = cell_bytes;
  for (uint32_t i = 0; i < N_CELLS; i += step)
    {
      Cell &c = cells[i], &from = whole[i / old_step * old_step];
      uint32_t n = from.n_readers, first = n > most_readers (l) ? machine_random () : 0;
      c = from;
      c.n_readers = (uint8_t) std::min (n, most_readers (l));
      for (uint32_t k = 0; k < c.n_readers; k++)
        reader (c, k) = reader (from, (first + k) % n);
    }
}

// Once all of it has been written by one access.
static void
unite (Line &l, const Cell *cells)
{
  for (uint32_t i = 0; i < N_CELLS; i += l.cell_bytes / GRANULE_BYTES)
    if (cells[i].pending != cells->pending || cells[i].initialised != cells->initialised ||
        cells[i].n_async_reads != cells->n_async_reads)
      return;
  l.cell_bytes = LINE_BYTES;
}

// The line of bytes @from up to @to, divided so that none of its cells goes beyond them.
static inline Line &
find_line (uint32_t from, uint32_t to, Cell *cells)
{
  Line &l = machine.lines[from / LINE_BYTES];
  if (l.block != machine.block)
    {
      l = { machine.block, LINE_BYTES };
      cells[0] = Cell{};
    }
  uint32_t ends = (from | to) % LINE_BYTES, largest = ends & -ends;
  if (ends && largest < l.cell_bytes && l.cell_bytes > GRANULE_BYTES)
    divide (l, cells, std::max<uint32_t> (largest, GRANULE_BYTES));
  return l;
}

// Calls f (line, cell, shared byte) for all that these bytes are in, and then, if the bytes are all
// of a line, g (line, cells).
template <class F, class G>
static inline void
each_cell (uint32_t at, uint32_t size_bytes, F f, G g)
{
  uint32_t end = at + size_bytes;
  for (uint32_t from = at, to; from < end; from = to)
    {
      uint32_t start = from / LINE_BYTES * LINE_BYTES;
      Cell *cells = &machine.cells[start / GRANULE_BYTES];
      to = std::min (end, start + LINE_BYTES);
      Line &l = find_line (from, to, cells);
      for (uint32_t byte = from & -l.cell_bytes; byte < to; byte += l.cell_bytes)
        f (l, cells[(byte - start) / GRANULE_BYTES], byte);
      if (to - from == LINE_BYTES && l.cell_bytes != LINE_BYTES)
        g (l, cells);
    }
}

static void
nothing (const Line &, const Cell *)
{
}

// --- accesses ---

static void
note_reader (const Line &l, Cell &c, uintptr_t pc, uint32_t thread)
{
  uint32_t slot = 0;
  while (slot < c.n_readers && is_later (reader (c, slot).clock, reader (c, slot).thread, thread))
    slot++;
  if (slot == most_readers (l))
    slot = machine_random () % slot; // taken from another only if all are in use
  c.n_readers = (uint8_t) std::max<uint32_t> (c.n_readers, slot + 1);
  reader (c, slot) = { machine.fibers[thread].clock, report_short_pc (pc), (uint16_t) thread };
}

static void
read_cell (const Line &l, Cell &c, uint32_t at, Access access, uintptr_t pc, uint32_t thread)
{
  if (!c.initialised && !c.pending)
    REPORT (EMU_UNINIT, pc, "reads shared byte %u, which nothing wrote", at);
  if (is_later (c.write_clock, c.write_thread, thread))
    REPORT (EMU_RACE, pc, "reads shared byte %u, which thread %u writes at %s", at, c.write_thread,
            report_line (c.write_pc).c_str ());
  if (access == ASYNC_READ && c.write_thread < machine.n_threads &&
      c.write_clock > machine.fibers[c.write_thread].fence_clock)
    REPORT (EMU_ASYNC, pc, "reads shared byte %u, which thread %u wrote at %s without a fence", at,
            c.write_thread, report_line (c.write_pc).c_str ());
  note_reader (l, c, pc, thread);
  if (access == ASYNC_READ)
    c.n_async_reads++;
}

static void
write_cell (Cell &c, uint32_t at, Access access, uintptr_t pc, uint32_t thread)
{
  if (c.n_async_reads)
    REPORT (EMU_ASYNC, pc, "writes shared byte %u, which a product in flight reads", at);
  if (is_later (c.write_clock, c.write_thread, thread) && !(access == ATOMIC && c.atomic))
    REPORT (EMU_RACE, pc, "writes shared byte %u, as thread %u does at %s", at, c.write_thread,
            report_line (c.write_pc).c_str ());
  for (uint32_t k = c.n_readers; k-- > 0;)
    if (is_later (reader (c, k).clock, reader (c, k).thread, thread))
      REPORT (EMU_RACE, pc, "writes shared byte %u, which thread %u reads at %s", at,
              reader (c, k).thread, report_line (reader (c, k).pc).c_str ());
  c.n_readers = 0;
  c.write_clock = machine.fibers[thread].clock;
  c.write_thread = (uint16_t) thread;
  c.write_pc = report_short_pc (pc);
  c.atomic = access == ATOMIC;
  if (access == ASYNC_WRITE)
    c.pending = true;
  else
    c.initialised = true;
}

static void
report_place (uint32_t at, uint32_t size_bytes, bool reads, uintptr_t pc)
{
  if (!shared_in_range (at, size_bytes))
    {
      REPORT (EMU_BOUNDS, pc, "%s %u shared bytes at %u, outside of what it has",
              reads ? "reads" : "writes", size_bytes, at);
      machine_abandon_block ();
    }
  if (size_bytes <= 16 && at & (size_bytes - 1))
    REPORT (EMU_ALIGN, pc, "%u misaligned shared bytes at %u", size_bytes, at);
}

static inline void
report_pending (const Cell &c, uint32_t at, bool reads, uintptr_t pc)
{
  if (c.pending)
    REPORT (EMU_ASYNC, pc, "%s shared byte %u while the copy into it at %s is in flight",
            reads ? "reads" : "writes", at, report_line (c.write_pc).c_str ());
}

void
shared_access (uint32_t at, uint32_t size_bytes, Access access, uintptr_t pc, uint32_t thread)
{
  bool reads = access == READ || access == ASYNC_READ;
  report_place (at, size_bytes, reads, pc);
  if (!emu_options.check)
    return;
  if (reads)
    each_cell (
        at, size_bytes,
        [=] (const Line &l, Cell &c, uint32_t byte) {
          report_pending (c, byte, reads, pc);
          read_cell (l, c, byte, access, pc, thread);
        },
        nothing);
  else
    each_cell (
        at, size_bytes,
        [=] (const Line &, Cell &c, uint32_t byte) {
          report_pending (c, byte, reads, pc);
          write_cell (c, byte, access, pc, thread);
        },
        unite);
}

// An asynchronous copy has landed: as if @thread had written it at @clock.
void
shared_landed (uint32_t at, uint32_t size_bytes, uint32_t thread, uint32_t clock)
{
  if (!emu_options.check)
    return;
  each_cell (
      at, size_bytes,
      [=] (const Line &, Cell &c, uint32_t) {
        c.pending = false;
        c.initialised = true;
        c.write_clock = clock;
        c.write_thread = (uint16_t) thread;
      },
      nothing);
}

// A product has read its operands; who waited for it has read them now.
void
shared_read_done (uint32_t at, uint32_t size_bytes, uint32_t thread)
{
  each_cell (
      at, size_bytes,
      [=] (const Line &, Cell &c, uint32_t) {
        c.n_async_reads -= c.n_async_reads > 0;
        for (uint32_t k = 0; k < c.n_readers; k++)
          if (reader (c, k).thread == thread)
            reader (c, k).clock = machine.fibers[thread].clock;
      },
      nothing);
}
