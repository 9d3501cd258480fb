// SPDX-License-Identifier: MPL-2.0
// internal.h - the machine: one block's fibers, shared memory and what is known of it.
//
// Order between threads is happens-before: each thread counts what it does, and knows up to where
// the others had counted when it last met them.  The last count is that of the engine that makes
// asynchronous copies.
#pragma once

#include <map>
#include <string>
#include <utility>
#include <vector>

#include "emu.h"
#include "wrappers.h"

enum
{
  MAX_THREADS = 1024,
  WARP = 32,
  WARPGROUP = 128,
  N_BARRIERS = 16,
  ARENA_BYTES = 232 << 10, // more than any block may have
  GRANULE_BYTES = 2,       // no kernel shares memory by single bytes
  LINE_BYTES = 16,
  N_CELLS = LINE_BYTES / GRANULE_BYTES,
  READERS_PER_GRANULE = 4
};

enum Access
{
  READ,
  WRITE,
  ATOMIC,
  ASYNC_WRITE, // a copy was issued
  ASYNC_READ   // a product was issued
};

enum Collective
{
  SYNC_WARP,
  SHUFFLE,
  LDMATRIX,
  MMA,
  WGMMA,
  WGMMA_FENCE,
  WGMMA_COMMIT,
  WGMMA_WAIT
};

struct Copy
{
  uint32_t dst;
  int valid_bytes, group;
  const void *src;
};

// Threads that a barrier has brought together share one, so none is changed once it is made.
struct Knowledge
{
  uint32_t n_users;
  uint32_t meeting; // the last one that has taken it in
  uint32_t clocks[MAX_THREADS + 1];
};

struct Fiber
{
  void *stack_pointer;
  uint32_t thread, lane, warp;
  bool done;
  const char *waits_for;
  uintptr_t pc;
  uint32_t clock;   // what this thread does now
  Knowledge *knows; // of the others; NULL unless the checks are on
  int copy_group;
  uint32_t fence_clock; // writes up to here are visible to asynchronous engines
  std::vector<Copy> copies;
};

// The lanes of a warp or the threads of a warpgroup, meeting for a collective instruction.
struct Team
{
  uint32_t first, size, arrived;
  Collective kind;
  void *operands[WARPGROUP];
};

struct Warp
{
  uint32_t ready; // a bit a lane
  Team team;
};

struct Product
{
  EmuWgmma what;
  float *d[WARPGROUP];
  uint32_t a[WARPGROUP][4];
  const uint32_t *a_at[WARPGROUP];
  std::vector<float> sums; // when it was issued; empty: another one in flight makes them
  int group;
  uintptr_t pc;
};

struct Warpgroup
{
  Team team;
  int group;
  std::vector<Product> products;
};

struct Barrier
{
  std::vector<uint32_t> waiting;
  int n_arrived; // without waiting
  std::vector<uint32_t> arrived_clock;
};

struct AsyncBarrier
{
  int expected, missing, phase;
  int64_t missing_bytes;
  std::vector<uint32_t> done_clock, next_clock; // of the phase that ended, of the one that runs
  std::vector<uint32_t> waiting;
};

struct TmaLoad
{
  uint32_t dst, barrier, size_bytes;
  GkTensorMap map;
  int rank, at[5], offsets[3];
  uintptr_t pc;
};

struct Reader
{
  uint32_t clock, pc;
  uint16_t thread;
};

struct alignas (64) Cell
{
  uint32_t write_clock, write_pc;
  uint16_t write_thread;
  bool atomic, initialised, pending;
  uint8_t n_async_reads, n_readers;
  Reader readers[READERS_PER_GRANULE];
};

// What is known of 16 bytes of shared memory: one cell as long as nothing touches less than all of
// them, then cells of as many bytes as are touched at once.  A cell of n granules is the first of
// n in the table, and has the readers of all n.
struct Line
{
  uint32_t block; // another block's line is as good as new
  uint32_t cell_bytes;
};

struct Machine
{
  const EmuLaunch *launch;
  int n_threads, n_warps, n_alive;
  uint32_t block_x, block_y, block_z;
  uint32_t block; // counted over all launches, from 2 on: names a writer of global memory
  uint32_t launch_first_block;
  Fiber fibers[MAX_THREADS];
  Warp warps[MAX_THREADS / WARP];
  Warpgroup warpgroups[MAX_THREADS / WARPGROUP];
  Barrier barriers[N_BARRIERS];
  void *main_stack_pointer;
  uint8_t *stacks, *arena;
  uint32_t shared_top, shared_limit;
  std::vector<std::pair<uint32_t, uint32_t>> ranges; // of shared memory that was asked for
  std::map<const void *, uint32_t> statics;
  std::map<uint32_t, AsyncBarrier> async_barriers;
  std::vector<TmaLoad> loads;
  uint32_t clock_size, engine_clock; // clock_size: n_threads + 1
  Line *lines;
  Cell *cells; // N_CELLS for each line
  uint32_t random;
};

extern Machine machine;
extern Fiber *current; // NULL outside kernels

#define CALLER ((uintptr_t) __builtin_return_address (0))

// fiber.cpp
void fiber_wait (const char *what, uintptr_t pc); // until another one wakes it
void fiber_wake (uint32_t thread);
[[noreturn]] void machine_abandon_block ();
uint32_t machine_random ();

// warp.cpp.  True for the last to arrive, who acts for all and then calls team_leave.
bool team_meet (Team *team, uint32_t slot, Collective kind, void *operand, uintptr_t pc);
void team_leave (Team *team, uint32_t slot);

// async.cpp
bool async_advance (); // lets one load land; false when none is on its way
void async_reset ();

// clocks.cpp
void clocks_reset ();
void clock_join (uint32_t *into, const uint32_t *from);
void clock_meet (const uint32_t *threads, size_t n);
void clock_tell (uint32_t thread, uint32_t *to);
void clock_learn (uint32_t thread, const uint32_t *from);

// shadow.cpp
void shared_access (uint32_t at, uint32_t size_bytes, Access access, uintptr_t pc, uint32_t thread);
void shared_landed (uint32_t at, uint32_t size_bytes, uint32_t thread, uint32_t clock);
void shared_read_done (uint32_t at, uint32_t size_bytes, uint32_t thread);
bool shared_in_range (uint32_t at, uint32_t size_bytes);

// memory.cpp
void global_access (uintptr_t at, uint32_t size_bytes, Access access, uintptr_t pc);

// report.cpp
bool report_is_new (EmuReport kind, uintptr_t pc);
void report_add (EmuReport kind, uintptr_t pc, const char *format, ...)
    __attribute__ ((format (printf, 3, 4)));
std::string report_line (uintptr_t pc); // "attention.cu:120"
uint32_t report_short_pc (uintptr_t pc);
// Its arguments are costly: they are evaluated once a line.
#define REPORT(kind, pc, ...)                                                                      \
  do                                                                                               \
    if (report_is_new (kind, pc))                                                                  \
      report_add (kind, pc, __VA_ARGS__);                                                          \
  while (0)
