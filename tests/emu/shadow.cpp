// SPDX-License-Identifier: MPL-2.0
// shadow.cpp - shared memory: who touched what, and whether anything orders it.
#include <algorithm>

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

static void
divide (Line &l, uint32_t cell_bytes)
{
  Line whole = l;
  uint32_t step = cell_bytes / GRANULE_BYTES, n_most = step * READERS_PER_GRANULE;
  l.cell_bytes = cell_bytes;
  for (uint32_t i = 0; i < N_CELLS; i += step)
    {
      uint32_t from = i / (whole.cell_bytes / GRANULE_BYTES) * (whole.cell_bytes / GRANULE_BYTES);
      Cell &c = l.cells[i] = whole.cells[from];
      uint32_t n = c.n_readers, first = n > n_most ? machine_random () : 0;
      c.n_readers = (uint8_t) std::min (n, n_most);
      for (uint32_t k = 0; k < c.n_readers; k++)
        l.readers[i * READERS_PER_GRANULE + k] =
            whole.readers[from * READERS_PER_GRANULE + (first + k) % n];
    }
}

// Once all of it has been written by one access.
static void
unite (Line &l)
{
  const Cell &first = l.cells[0];
  for (uint32_t i = 0; i < N_CELLS; i += l.cell_bytes / GRANULE_BYTES)
    {
      const Cell &c = l.cells[i];
      if (c.pending != first.pending || c.initialised != first.initialised ||
          c.n_async_reads != first.n_async_reads)
        return;
    }
  l.cell_bytes = LINE_BYTES;
}

// The line of bytes @from up to @to, divided so that none of its cells goes beyond them.
static inline Line &
find_line (uint32_t from, uint32_t to)
{
  Line &l = machine.lines[from / LINE_BYTES];
  if (l.block != machine.block)
    {
      l.block = machine.block;
      l.cell_bytes = LINE_BYTES;
      l.cells[0] = Cell{};
    }
  uint32_t ends = (from | to) % LINE_BYTES, largest = ends & -ends;
  if (ends && largest < l.cell_bytes && l.cell_bytes > GRANULE_BYTES)
    divide (l, std::max<uint32_t> (largest, GRANULE_BYTES));
  return l;
}

// Calls f (line, cell, shared byte) for all that these bytes are in, and then, if the bytes are all
// of a line, g (line).
template <class F, class G>
static inline void
each_cell (uint32_t at, uint32_t size_bytes, F f, G g)
{
  uint32_t end = at + size_bytes;
  for (uint32_t from = at, to; from < end; from = to)
    {
      uint32_t start = from / LINE_BYTES * LINE_BYTES;
      to = std::min (end, start + LINE_BYTES);
      Line &l = find_line (from, to);
      uint32_t step = l.cell_bytes / GRANULE_BYTES;
      for (uint32_t i = (from - start) / l.cell_bytes * step; start + i * GRANULE_BYTES < to;
           i += step)
        f (l, i, start + i * GRANULE_BYTES);
      if (to - from == LINE_BYTES && l.cell_bytes != LINE_BYTES)
        g (l);
    }
}

static inline Reader *
readers_of (Line &l, uint32_t i)
{
  return &l.readers[i * READERS_PER_GRANULE];
}

// --- accesses ---

static void
note_reader (Line &l, uint32_t i, uintptr_t pc, uint32_t thread)
{
  Reader *readers = readers_of (l, i);
  uint32_t n = l.cells[i].n_readers, slot = 0;
  uint32_t n_most = l.cell_bytes / GRANULE_BYTES * READERS_PER_GRANULE;
  while (slot < n && is_later (readers[slot].clock, readers[slot].thread, thread))
    slot++;
  if (slot == n_most)
    slot = machine_random () % n_most; // taken from another only if all are in use
  l.cells[i].n_readers = (uint8_t) std::max (n, slot + 1);
  readers[slot] = { machine.fibers[thread].clock, report_short_pc (pc), (uint16_t) thread };
}

static void
read_cell (Line &l, uint32_t i, uint32_t at, Access access, uintptr_t pc, uint32_t thread)
{
  Cell &c = l.cells[i];
  if (!c.initialised && !c.pending)
    REPORT (EMU_UNINIT, pc, "reads shared byte %u, which nothing wrote", at);
  if (is_later (c.write_clock, c.write_thread, thread))
    REPORT (EMU_RACE, pc, "reads shared byte %u, which thread %u writes at %s", at, c.write_thread,
            report_line (c.write_pc).c_str ());
  if (access == ASYNC_READ && c.write_thread < machine.n_threads &&
      c.write_clock > machine.fibers[c.write_thread].fence_clock)
    REPORT (EMU_ASYNC, pc, "reads shared byte %u, which thread %u wrote at %s without a fence", at,
            c.write_thread, report_line (c.write_pc).c_str ());
  note_reader (l, i, pc, thread);
  if (access == ASYNC_READ)
    c.n_async_reads++;
}

static void
write_cell (Line &l, uint32_t i, uint32_t at, Access access, uintptr_t pc, uint32_t thread)
{
  Cell &c = l.cells[i];
  const Reader *readers = readers_of (l, i);
  if (c.n_async_reads)
    REPORT (EMU_ASYNC, pc, "writes shared byte %u, which a product in flight reads", at);
  if (is_later (c.write_clock, c.write_thread, thread) && !(access == ATOMIC && c.atomic))
    REPORT (EMU_RACE, pc, "writes shared byte %u, as thread %u does at %s", at, c.write_thread,
            report_line (c.write_pc).c_str ());
  for (uint32_t k = c.n_readers; k-- > 0;)
    if (is_later (readers[k].clock, readers[k].thread, thread))
      REPORT (EMU_RACE, pc, "writes shared byte %u, which thread %u reads at %s", at,
              readers[k].thread, report_line (readers[k].pc).c_str ());
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
        [=] (Line &l, uint32_t i, uint32_t byte) {
          report_pending (l.cells[i], byte, reads, pc);
          read_cell (l, i, byte, access, pc, thread);
        },
        [] (Line &) {});
  else
    each_cell (
        at, size_bytes,
        [=] (Line &l, uint32_t i, uint32_t byte) {
          report_pending (l.cells[i], byte, reads, pc);
          write_cell (l, i, byte, access, pc, thread);
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
      [=] (Line &l, uint32_t i, uint32_t) {
        Cell &c = l.cells[i];
        c.pending = false;
        c.initialised = true;
        c.write_clock = clock;
        c.write_thread = (uint16_t) thread;
      },
      [] (Line &) {});
}

// A product has read its operands; who waited for it has read them now.
void
shared_read_done (uint32_t at, uint32_t size_bytes, uint32_t thread)
{
  each_cell (
      at, size_bytes,
      [=] (Line &l, uint32_t i, uint32_t) {
        Cell &c = l.cells[i];
        Reader *readers = readers_of (l, i);
        c.n_async_reads -= c.n_async_reads > 0;
        for (uint32_t k = 0; k < c.n_readers; k++)
          if (readers[k].thread == thread)
            readers[k].clock = machine.fibers[thread].clock;
      },
      [] (Line &) {});
}
