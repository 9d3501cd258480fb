// SPDX-License-Identifier: MPL-2.0
// shadow.cpp - shared memory: who touched what, and whether anything orders it.
#include <stdlib.h>
#include <string.h>

#include "internal.h"

enum
{
  GRANULE_BYTES = 2 // no kernel shares memory by single bytes
};

// --- clocks ---

uint32_t *
clock_of (uint32_t thread)
{
  return &machine.clocks[(size_t) thread * machine.clock_size];
}

void
clock_join (uint32_t *into, const uint32_t *from)
{
  for (uint32_t i = 0; i < machine.clock_size; i++)
    into[i] = into[i] > from[i] ? into[i] : from[i];
}

// A barrier among @threads: what each did before it is known to all after it.
void
clock_meet (const uint32_t *threads, size_t n)
{
  static std::vector<uint32_t> all;
  all.assign (machine.clock_size, 0);
  for (size_t i = 0; i < n; i++)
    clock_join (all.data (), clock_of (threads[i]));
  for (size_t i = 0; i < n; i++)
    {
      memcpy (clock_of (threads[i]), all.data (), machine.clock_size * sizeof (uint32_t));
      clock_of (threads[i])[threads[i]]++;
    }
}

// --- cells ---

static bool
is_later (uint32_t clock, uint32_t thread, uint32_t me)
{
  return clock && thread != me && clock > clock_of (me)[thread];
}

void
shared_reset ()
{
  machine.clock_size = (uint32_t) machine.n_threads + 1;
  machine.engine_clock = 0;
  if (!emu_options.check)
    return;
  machine.clocks.assign ((size_t) machine.clock_size * machine.clock_size, 0);
  for (uint32_t i = 0; i < machine.clock_size; i++)
    clock_of (i)[i] = 1;
  if (!machine.cells)
    machine.cells = (Cell *) malloc (sizeof (Cell) * (ARENA_BYTES / GRANULE_BYTES));
}

// Every format reads 0xff.. as a NaN.
void
shared_clear (uint32_t from, uint32_t size_bytes)
{
  memset (machine.arena + from, 0xff, size_bytes);
  if (emu_options.check)
    memset (machine.cells + from / GRANULE_BYTES, 0,
            sizeof (Cell) * (size_bytes / GRANULE_BYTES + 1));
}

bool
shared_in_range (uint32_t at, uint32_t size_bytes)
{
  for (auto &r : machine.ranges)
    if (at >= r.first && at + size_bytes <= r.second)
      return true;
  return false;
}

static void
note_reader (Cell &c, uint32_t thread, uintptr_t pc)
{
  int slot = (int) (machine_random () % N_READERS); // taken from another only if all are in use
  for (int i = 0; i < N_READERS; i++)
    if (c.read_thread[i] == thread || !is_later (c.read_clock[i], c.read_thread[i], thread))
      slot = i;
  c.read_thread[slot] = (uint16_t) thread;
  c.read_clock[slot] = clock_of (thread)[thread];
  c.read_pc[slot] = report_short_pc (pc);
}

static void
read_cell (Cell &c, uint32_t at, Access access, uintptr_t pc, uint32_t thread)
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
  note_reader (c, thread, pc);
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
  for (int i = 0; i < N_READERS; i++)
    if (is_later (c.read_clock[i], c.read_thread[i], thread))
      REPORT (EMU_RACE, pc, "writes shared byte %u, which thread %u reads at %s", at,
              c.read_thread[i], report_line (c.read_pc[i]).c_str ());
  memset (c.read_clock, 0, sizeof c.read_clock);
  c.write_clock = clock_of (thread)[thread];
  c.write_thread = (uint16_t) thread;
  c.write_pc = report_short_pc (pc);
  c.atomic = access == ATOMIC;
  if (access == ASYNC_WRITE)
    c.pending = true;
  else
    c.initialised = true;
}

void
shared_access (uint32_t at, uint32_t size_bytes, Access access, uintptr_t pc, uint32_t thread)
{
  bool reads = access == READ || access == ASYNC_READ;
  if (!shared_in_range (at, size_bytes))
    {
      REPORT (EMU_BOUNDS, pc, "%s %u shared bytes at %u, outside of what it has",
              reads ? "reads" : "writes", size_bytes, at);
      machine_abandon_block ();
    }
  if (size_bytes <= 16 && at & (size_bytes - 1))
    REPORT (EMU_ALIGN, pc, "%u misaligned shared bytes at %u", size_bytes, at);
  if (!emu_options.check)
    return;
  for (uint32_t i = at / GRANULE_BYTES; i <= (at + size_bytes - 1) / GRANULE_BYTES; i++)
    {
      Cell &c = machine.cells[i];
      if (c.pending)
        REPORT (EMU_ASYNC, pc, "%s shared byte %u while the copy into it at %s is in flight",
                reads ? "reads" : "writes", i * GRANULE_BYTES, report_line (c.write_pc).c_str ());
      if (reads)
        read_cell (c, i * GRANULE_BYTES, access, pc, thread);
      else
        write_cell (c, i * GRANULE_BYTES, access, pc, thread);
    }
}

// An asynchronous copy has landed: as if @thread had written it at @clock.
void
shared_landed (uint32_t at, uint32_t size_bytes, uint32_t thread, uint32_t clock)
{
  if (!emu_options.check)
    return;
  for (uint32_t i = at / GRANULE_BYTES; i <= (at + size_bytes - 1) / GRANULE_BYTES; i++)
    {
      Cell &c = machine.cells[i];
      c.pending = false;
      c.initialised = true;
      c.write_clock = clock;
      c.write_thread = (uint16_t) thread;
    }
}

// A product has read its operands; who waited for it has read them now.
void
shared_read_done (uint32_t at, uint32_t size_bytes, uint32_t thread)
{
  for (uint32_t i = at / GRANULE_BYTES; i <= (at + size_bytes - 1) / GRANULE_BYTES; i++)
    {
      Cell &c = machine.cells[i];
      c.n_async_reads -= c.n_async_reads > 0;
      for (int k = 0; k < N_READERS; k++)
        if (c.read_clock[k] && c.read_thread[k] == thread)
          c.read_clock[k] = clock_of (thread)[thread];
    }
}
