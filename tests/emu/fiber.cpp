// SPDX-License-Identifier: MPL-2.0
// fiber.cpp - runs a launch: a fiber for each thread, in turns, one block after another.
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#ifndef __x86_64__
#  include <ucontext.h>
#endif

#include "internal.h"

enum
{
  STACK_BYTES = 68 << 10,
  STACK_GUARD_BYTES = 4 << 10,
  CACHE_LINE = 64,
  COLOURS = 64,          // stacks at equal offsets would share the same few cache lines
  SWITCH_WARP_EVERY = 16 // under a seed: on average
};

EmuOptions emu_options = { true, 0, EMU_COPIES_LATE, false };
EmuCounts emu_counts;
Machine machine;
Fiber *current;

// --- switching ---

// Saves what a call preserves, leaves the stack pointer in *save, and goes on with @load.
#if defined(__x86_64__)
extern "C" void emu_switch (void **save, void *load);
asm(R"(
.text
.globl emu_switch
.hidden emu_switch
.type emu_switch, @function
emu_switch:
  pushq %rbp
  pushq %rbx
  pushq %r12
  pushq %r13
  pushq %r14
  pushq %r15
  movq %rsp, (%rdi)
  movq %rsi, %rsp
  popq %r15
  popq %r14
  popq %r13
  popq %r12
  popq %rbx
  popq %rbp
  ret
.size emu_switch, .-emu_switch
)");

static void *
new_stack (uint8_t *top, void (*entry) ())
{
  enum
  {
    N_PRESERVED = 6
  };
  void **s = (void **) top;
  *--s = NULL; // entry never returns; keeps the stack aligned as after a call
  *--s = (void *) entry;
  for (int i = 0; i < N_PRESERVED; i++)
    *--s = NULL;
  return s;
}
#else
static void
emu_switch (void **save, void *load)
{
  ucontext_t here;
  *save = &here;
  swapcontext (&here, (ucontext_t *) load);
}

static void *
new_stack (uint8_t *top, void (*entry) ())
{
  ucontext_t *c =
      (ucontext_t *) (top - (sizeof (ucontext_t) + CACHE_LINE) / CACHE_LINE * CACHE_LINE);
  getcontext (c);
  c->uc_stack.ss_sp = (uint8_t *) c - STACK_BYTES / 2;
  c->uc_stack.ss_size = STACK_BYTES / 2;
  makecontext (c, entry, 0);
  return c;
}
#endif

// xorshift32: Marsaglia, Xorshift RNGs, 2003.
uint32_t
machine_random ()
{
  uint32_t x = machine.random;
  x ^= x << 13;
  x ^= x >> 17;
  x ^= x << 5;
  return machine.random = x;
}

void
machine_abandon_block ()
{
  void *unused;
  emu_switch (&unused, machine.main_stack_pointer);
  __builtin_unreachable ();
}

void
fiber_wake (uint32_t thread)
{
  machine.warps[thread / WARP].ready |= 1u << thread % WARP;
}

static void
report_stuck ()
{
  std::map<std::pair<std::string, uintptr_t>, int> where;
  uintptr_t pc = 0;
  for (int i = 0; i < machine.n_threads; i++)
    if (!machine.fibers[i].done)
      {
        where[{ machine.fibers[i].waits_for, machine.fibers[i].pc }]++;
        pc = machine.fibers[i].pc;
      }
  std::string text;
  for (auto &w : where)
    text += "; " + std::to_string (w.second) + " wait for " + w.first.first + " at " +
            report_line (w.first.second);
  REPORT (EMU_STUCK, pc, "nobody can go on: %d threads have ended%s",
          machine.n_threads - machine.n_alive, text.c_str ());
}

// The warp to go on with; NULL when all wait for one another.
static Warp *
next_warp (uint32_t mine)
{
  Warp *warps = machine.warps;
  bool random = emu_options.seed;
  if (warps[mine].ready && !(random && machine_random () % SWITCH_WARP_EVERY == 0))
    return &warps[mine];
  uint32_t n = (uint32_t) machine.n_warps, first = random ? machine_random () % n : mine + 1;
  for (;;)
    {
      for (uint32_t i = 0; i < n; i++)
        if (warps[(first + i) % n].ready)
          return &warps[(first + i) % n];
      if (!async_advance ())
        return NULL;
    }
}

static uint32_t
next_lane (uint32_t ready)
{
  uint32_t skipped = emu_options.seed ? machine_random () % WARP : 0;
  uint32_t rest = ready >> skipped;
  return (uint32_t) (rest ? (int) skipped + __builtin_ctz (rest) : __builtin_ctz (ready));
}

static void
yield_to_another ()
{
  Fiber *me = current;
  Warp *w = next_warp (me->warp);
  emu_counts.n_switches++;
  if (!w)
    {
      if (machine.n_alive)
        report_stuck ();
      machine_abandon_block ();
    }
  uint32_t lane = next_lane (w->ready);
  w->ready &= ~(1u << lane);
  current = &machine.fibers[(uint32_t) (w - machine.warps) * WARP + lane];
  if (current != me)
    emu_switch (&me->stack_pointer, current->stack_pointer);
}

void
fiber_wait (const char *what, uintptr_t pc)
{
  current->waits_for = what;
  current->pc = pc;
  yield_to_another ();
}

// --- barriers ---

static void
barrier_open (Barrier *b)
{
  if (emu_options.check)
    clock_meet (b->waiting.data (), b->waiting.size ());
  for (uint32_t t : b->waiting)
    if (emu_options.check && b->n_arrived)
      clock_learn (t, b->arrived_clock.data ());
  b->n_arrived = 0;
  for (uint32_t t : b->waiting)
    if (&machine.fibers[t] != current || current->done)
      fiber_wake (t);
  b->waiting.clear ();
  emu_counts.n_barriers++;
}

extern "C" void
emu_barrier (int id, int n_threads)
{
  Barrier *b = &machine.barriers[id % N_BARRIERS];
  b->waiting.push_back (current->thread);
  if ((int) b->waiting.size () + b->n_arrived >= (id ? n_threads : machine.n_alive))
    barrier_open (b);
  else
    fiber_wait (id ? "a named barrier" : "the block's barrier", CALLER);
}

extern "C" void
gk_arrive_named (int id, int n_threads)
{
  Barrier *b = &machine.barriers[id % N_BARRIERS];
  if (!b->n_arrived)
    b->arrived_clock.assign (machine.clock_size, 0);
  b->n_arrived++;
  if (emu_options.check)
    clock_tell (current->thread, b->arrived_clock.data ());
  if ((int) b->waiting.size () + b->n_arrived < n_threads)
    return;
  if (b->waiting.empty ())
    REPORT (EMU_STUCK, CALLER, "all arrive at named barrier %d and nobody waits there", id);
  barrier_open (b);
}

// --- blocks ---

static void
fiber_main ()
{
  machine.launch->body (machine.launch->arguments);
  Fiber *me = current;
  if (emu_options.check && !me->copies.empty ())
    REPORT (EMU_LEAK, 0, "a thread ends with %zu copies in flight", me->copies.size ());
  me->done = true;
  machine.n_alive--;
  Barrier *b = &machine.barriers[0]; // as on the device, who has ended counts as arrived
  if (machine.n_alive && !b->waiting.empty () && (int) b->waiting.size () >= machine.n_alive)
    barrier_open (b);
  yield_to_another ();
}

static void
make_machine ()
{
  size_t size_bytes = (size_t) MAX_THREADS * STACK_BYTES;
  machine.stacks = (uint8_t *) mmap (NULL, size_bytes, PROT_READ | PROT_WRITE,
                                     MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  for (size_t i = 0; i < MAX_THREADS; i++)
    mprotect (machine.stacks + i * STACK_BYTES, STACK_GUARD_BYTES, PROT_NONE);
  machine.arena = (uint8_t *) aligned_alloc (1024, ARENA_BYTES + 1024);
  machine.lines = (Line *) calloc (ARENA_BYTES / LINE_BYTES, sizeof (Line));
  machine.cells =
      (Cell *) aligned_alloc (alignof (Cell), ARENA_BYTES / GRANULE_BYTES * sizeof (Cell));
}

static void
make_fibers ()
{
  for (int i = 0; i < machine.n_threads; i++)
    {
      Fiber *f = &machine.fibers[i];
      uint8_t *top = machine.stacks + (size_t) (i + 1) * STACK_BYTES - CACHE_LINE;
      f->thread = (uint32_t) i;
      f->lane = f->thread % WARP;
      f->warp = f->thread / WARP;
      f->done = false;
      f->waits_for = "";
      f->copy_group = 0;
      f->fence_clock = 0;
      f->copies.clear ();
      f->stack_pointer = new_stack (top - i * 11 % COLOURS * CACHE_LINE, fiber_main);
    }
}

static void
make_teams ()
{
  machine.n_warps = (machine.n_threads + WARP - 1) / WARP;
  for (int w = 0; w < machine.n_warps; w++)
    {
      uint32_t n =
          (uint32_t) (machine.n_threads - w * WARP < WARP ? machine.n_threads - w * WARP : WARP);
      machine.warps[w].ready = n == WARP ? UINT32_MAX : (1u << n) - 1;
      machine.warps[w].team.first = (uint32_t) w * WARP;
      machine.warps[w].team.size = n;
      machine.warps[w].team.arrived = 0;
    }
  for (Barrier &b : machine.barriers)
    {
      b.waiting.clear ();
      b.n_arrived = 0;
    }
}

// Every format reads 0xff.. as a NaN.
static void
clear_shared (uint32_t from, uint32_t size_bytes)
{
  memset (machine.arena + from, 0xff, size_bytes);
}

static void
run_block ()
{
  machine.n_threads = machine.n_alive = (int) machine.launch->block.x;
  machine.shared_top = (uint32_t) machine.launch->shared_bytes;
  machine.ranges = { { 0, machine.shared_top } };
  machine.statics.clear ();
  machine.random = (emu_options.seed * 2654435761u + machine.block * 40503u) | 1;
  make_teams ();
  clocks_reset ();
  clear_shared (0, machine.shared_top);
  async_reset ();
  make_fibers ();
  current = &machine.fibers[0];
  machine.warps[0].ready &= ~1u;
  emu_switch (&machine.main_stack_pointer, current->stack_pointer);
  current = NULL;
  for (const Barrier &b : machine.barriers)
    if (b.n_arrived && !machine.n_alive)
      REPORT (EMU_LEAK, 0, "%d threads arrived at a named barrier that nobody waits at",
              b.n_arrived);
}

// Shared memory that one block may have: CUDA C++ programming guide, compute capabilities.
static uint32_t
shared_limit (int arch)
{
  return (uint32_t) (arch == 80 ? 163 : arch >= 90 && arch < 120 ? 227 : 99) << 10;
}

static int (*around) (int begins);

extern "C" void
emu_set_around (int (*function) (int begins))
{
  around = function;
}

struct EmuRecord
{
  std::vector<EmuLaunch> launches; // with arguments of their own
};

static EmuRecord *record;

static void
record_launch (const EmuLaunch *launch)
{
  enum
  {
    ALIGNMENT = 64 // of what a kernel may be given
  };
  EmuLaunch own = *launch;
  size_t size = (launch->arguments_bytes + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
  own.arguments = aligned_alloc (ALIGNMENT, size);
  memcpy (own.arguments, launch->arguments, launch->arguments_bytes);
  record->launches.push_back (own);
}

extern "C" void
emu_record_begin (void)
{
  record = new EmuRecord ();
}

extern "C" EmuRecord *
emu_record_end (void)
{
  EmuRecord *done = record;
  record = NULL;
  return done;
}

extern "C" int
emu_record_run (const EmuRecord *done)
{
  int error = 0;
  for (const EmuLaunch &launch : done->launches)
    error = error ? error : emu_launch (&launch);
  return error;
}

extern "C" void
emu_record_free (EmuRecord *done)
{
  for (EmuLaunch &launch : done->launches)
    free (launch.arguments);
  delete done;
}

static void
run_blocks (const EmuLaunch *launch)
{
  static uint32_t next_block = 2;
  machine.launch_first_block = next_block;
  for (machine.block_z = 0; machine.block_z < launch->grid.z; machine.block_z++)
    for (machine.block_y = 0; machine.block_y < launch->grid.y; machine.block_y++)
      for (machine.block_x = 0; machine.block_x < launch->grid.x; machine.block_x++)
        {
          machine.block = next_block++;
          run_block ();
        }
}

extern "C" int
emu_launch (const EmuLaunch *launch)
{
  if (record)
    {
      record_launch (launch);
      return 0;
    }
  int error = around ? around (1) : 0;
  if (error)
    return error > 0 ? error : 0;
  if (!machine.stacks)
    make_machine ();
  machine.launch = launch;
  machine.shared_limit = shared_limit (launch->arch);
  if (launch->shared_bytes > machine.shared_limit || launch->block.x > MAX_THREADS)
    {
      REPORT (EMU_LIMIT, (uintptr_t) 0, "%zu bytes of shared memory, %u threads",
              launch->shared_bytes, launch->block.x);
      return 1;
    }
  run_blocks (launch);
  return around ? around (0) : 0;
}

extern "C" unsigned char *
emu_dynamic_shared (void)
{
  return machine.arena;
}

extern "C" void *
emu_static_shared (const void *tag, size_t size_bytes)
{
  enum
  {
    RED_ZONE = 64,
    ALIGN = 128
  };
  auto found = machine.statics.find (tag);
  if (found == machine.statics.end ())
    {
      uint32_t at = (machine.shared_top + RED_ZONE + ALIGN - 1) / ALIGN * ALIGN;
      machine.shared_top = at + (uint32_t) size_bytes;
      machine.ranges.push_back ({ at, machine.shared_top });
      clear_shared (at, (uint32_t) size_bytes);
      found = machine.statics.insert ({ tag, at }).first;
    }
  return machine.arena + found->second;
}

extern "C" uint32_t
gk_shared_address (const void *p)
{
  return (uint32_t) ((const uint8_t *) p - machine.arena);
}

extern "C" int
gk_thread (void)
{
  return (int) current->thread;
}

extern "C" int
gk_block_x (void)
{
  return (int) machine.block_x;
}

extern "C" int
gk_block_y (void)
{
  return (int) machine.block_y;
}

extern "C" int
gk_block_z (void)
{
  return (int) machine.block_z;
}

extern "C" int
gk_grid_x (void)
{
  return (int) machine.launch->grid.x;
}
