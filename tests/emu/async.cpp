// SPDX-License-Identifier: MPL-2.0
// async.cpp - what goes on while threads compute: cp.async, and Hopper's TMA, mbarriers and wgmma.
//
// Everything lands as late as the program allows, so that a missing wait shows.  Descriptors,
// swizzles and phases follow the PTX ISA, sections on asynchronous copies, mbarrier and wgmma.
#include <algorithm>
#include <string.h>

#include "internal.h"

// --- cp.async: of one thread, waited for by that thread ---

static void
copy_data (const Copy &c)
{
  uint8_t *to = machine.arena + c.dst;
  memcpy (to, c.src, (size_t) c.valid_bytes);
  memset (to + c.valid_bytes, 0, (size_t) (16 - c.valid_bytes));
}

static bool
lands_at_once ()
{
  return emu_options.copies == EMU_COPIES_EARLY ||
         (emu_options.copies == EMU_COPIES_RANDOM && machine_random () % 2);
}

extern "C" void
gk_copy16 (uint32_t dst, const void *src, int valid_bytes)
{
  uintptr_t pc = CALLER;
  if (valid_bytes && emu_options.check)
    global_access ((uintptr_t) src, (uint32_t) valid_bytes, READ, pc);
  if (valid_bytes && (uintptr_t) src % 16)
    REPORT (EMU_ALIGN, pc, "copies 16 bytes from an address that is no multiple of 16");
  shared_access (dst, 16, ASYNC_WRITE, pc, current->thread);
  Copy c = { dst, valid_bytes, current->copy_group, src };
  if (lands_at_once ())
    copy_data (c);
  current->copies.push_back (c);
  emu_counts.n_copies++;
}

extern "C" void
gk_copy_commit (void)
{
  current->copy_group++;
}

extern "C" void
emu_copy_wait (int n)
{
  auto &copies = current->copies;
  size_t k = 0;
  for (; k < copies.size () && copies[k].group < current->copy_group - n; k++)
    {
      copy_data (copies[k]);
      if (emu_options.check)
        shared_landed (copies[k].dst, 16, current->thread, current->clock);
    }
  copies.erase (copies.begin (), copies.begin () + (long) k);
}

// --- mbarriers ---

static AsyncBarrier *
find_barrier (uint32_t at, uintptr_t pc)
{
  auto found = machine.async_barriers.find (at);
  if (found == machine.async_barriers.end ())
    {
      REPORT (EMU_UNINIT, pc, "the mbarrier at shared byte %u was never initialised", at);
      machine_abandon_block ();
    }
  return &found->second;
}

// As find_barrier, for a thread: its initialisation has to be known to this one.
static AsyncBarrier *
use_barrier (uint32_t at, uintptr_t pc)
{
  AsyncBarrier *b = find_barrier (at, pc);
  shared_access (at, 8, READ, pc, current->thread);
  return b;
}

static void
barrier_advance (AsyncBarrier *b)
{
  if (b->missing > 0 || b->missing_bytes)
    return;
  b->phase ^= 1;
  b->missing = b->expected;
  if (emu_options.check)
    clock_join (b->done_clock.data (), b->next_clock.data ());
  for (uint32_t t : b->waiting)
    fiber_wake (t);
  b->waiting.clear ();
}

extern "C" void
gk_barrier_init (uint32_t barrier, int n_arrivals)
{
  shared_access (barrier, 8, WRITE, CALLER, current->thread);
  AsyncBarrier b = { n_arrivals, n_arrivals, 0, 0, {}, {}, {} };
  b.done_clock.assign (machine.clock_size, 0);
  b.next_clock.assign (machine.clock_size, 0);
  machine.async_barriers[barrier] = b;
}

extern "C" void
emu_barrier_arrive (uint32_t barrier, int expected_bytes)
{
  AsyncBarrier *b = use_barrier (barrier, CALLER);
  if (emu_options.check)
    clock_tell (current->thread, b->next_clock.data ());
  b->missing_bytes += expected_bytes;
  if (--b->missing < 0)
    REPORT (EMU_STUCK, CALLER, "more arrive at the mbarrier at %u than it counts", barrier);
  barrier_advance (b);
}

// Returns once the phase of @parity has ended.
extern "C" void
emu_barrier_wait (uint32_t barrier, int parity)
{
  AsyncBarrier *b = use_barrier (barrier, CALLER);
  while (b->phase == parity)
    {
      b->waiting.push_back (current->thread);
      fiber_wait ("an mbarrier", CALLER);
    }
  if (emu_options.check)
    clock_learn (current->thread, b->done_clock.data ());
}

// --- TMA ---

// Address bits 4-6 are exclusive-ored with bits 7-9 (of which narrower modes use fewer).
static uint32_t
swizzled (uint32_t at, int mode)
{
  static const uint32_t masks[] = { 0, 0x70, 0x30, 0x10 };
  return at ^ (at >> 3 & masks[mode]);
}

static uint32_t
row_bytes (const GkTensorMap &map)
{
  return (uint32_t) (map.box[0] * map.element_bytes);
}

static void
begin_load (const TmaLoad &load, const int *at, int n_pixels)
{
  if (load.dst % 128)
    REPORT (EMU_ALIGN, load.pc, "TMA writes to multiples of 128 bytes, not to %u", load.dst);
  if (load.map.rank != load.rank || load.map.n_pixels != n_pixels)
    REPORT (EMU_ALIGN, load.pc, "a tensor map of rank %d, used as one of rank %d%s", load.map.rank,
            load.rank, n_pixels ? ", im2col" : ", tiled");
  shared_access (load.dst, load.size_bytes, ASYNC_WRITE, load.pc, current->thread);
  machine.loads.push_back (load);
  std::copy (at, at + load.rank, machine.loads.back ().at);
  emu_counts.n_tma++;
}

extern "C" void
emu_tma_load (uint32_t dst, const GkTensorMap *map, int rank, const int *at, uint32_t barrier)
{
  TmaLoad load = { dst, barrier, row_bytes (*map), *map, rank, {}, {}, CALLER };
  for (int i = 1; i < rank; i++)
    load.size_bytes *= (uint32_t) map->box[i];
  begin_load (load, at, 0);
}

extern "C" void
emu_tma_load_pixels (uint32_t dst,
                     const GkTensorMap *map,
                     int rank,
                     const int *at,
                     const int *offsets,
                     uint32_t barrier)
{
  TmaLoad load = { dst, barrier, row_bytes (*map), *map, rank, {}, {}, CALLER };
  load.size_bytes *= (uint32_t) map->n_pixels;
  std::copy (offsets, offsets + rank - 2, load.offsets);
  begin_load (load, at, map->n_pixels ? map->n_pixels : -1);
}

extern "C" bool
emu_tensor_map (void *map,
                int element_bytes,
                const void *base,
                int rank,
                const int64_t *dims,
                const int64_t *strides,
                const int *box)
{
  GkTensorMap m = {};
  m.base = (const unsigned char *) base;
  m.rank = (int8_t) rank;
  m.element_bytes = (int8_t) element_bytes;
  m.swizzle = 1;
  for (int d = 0; d < rank; d++)
    {
      m.dim[d] = dims[d];
      m.stride_bytes[d] = element_bytes * (d ? strides[d - 1] : 1);
      m.box[d] = box[d];
    }
  memcpy (map, &m, sizeof m);
  return true;
}

extern "C" bool
emu_pixel_map (void *map,
               const void *base,
               const int64_t *dims,
               const int *lower,
               const int *upper,
               const int *step,
               int n_channels,
               int n_pixels)
{
  const int64_t strides[] = { dims[0], dims[0] * dims[1], dims[0] * dims[1] * dims[2] };
  const int box[] = { n_channels, 1, 1, 1 };
  GkTensorMap m = {};
  emu_tensor_map (&m, 2, base, 4, dims, strides, box);
  m.n_pixels = (int16_t) n_pixels;
  for (int d = 0; d < 2; d++)
    {
      m.first[d] = (int16_t) lower[d];
      m.last[d] = (int16_t) (dims[d + 1] - 1 + upper[d]);
      m.step[d] = (int16_t) step[d];
    }
  memcpy (map, &m, sizeof m);
  return true;
}

// One element of the tensor; outside of it all is zero.
static void
load_element (const TmaLoad &l, const int *index, uint8_t *to)
{
  const uint8_t *from = l.map.base;
  for (int d = 0; d < l.rank; d++)
    {
      int64_t i = (int64_t) l.at[d] + index[d];
      if (i < 0 || i >= l.map.dim[d])
        {
          memset (to, 0, (size_t) l.map.element_bytes);
          return;
        }
      from += i * l.map.stride_bytes[d];
    }
  if (emu_options.check)
    global_access ((uintptr_t) from, (uint32_t) l.map.element_bytes, READ, l.pc);
  memcpy (to, from, (size_t) l.map.element_bytes);
}

static void
load_box (const TmaLoad &l)
{
  int index[5] = {};
  for (uint32_t byte = 0; byte < l.size_bytes; byte += (uint32_t) l.map.element_bytes)
    {
      load_element (l, index, machine.arena + swizzled (l.dst + byte, l.map.swizzle));
      for (int d = 0; d < l.rank && ++index[d] == l.map.box[d]; d++)
        index[d] = 0;
    }
}

// The pixel behind @at: to the right, then down, then in the next picture.
static void
next_pixel (const GkTensorMap &m, int *at)
{
  for (int d = 1; d + 1 < m.rank; d++)
    {
      at[d] += m.step[d - 1];
      if (at[d] <= m.last[d - 1])
        return;
      at[d] = m.first[d - 1];
    }
  at[m.rank - 1]++;
}

// Columns of pixels: PTX ISA, tensors, im2col mode.
static void
load_pixels (const TmaLoad &l)
{
  TmaLoad pixel = l;
  uint32_t to = l.dst;
  for (int i = 0; i < l.map.n_pixels; i++, next_pixel (l.map, pixel.at))
    for (int c = 0; c < l.map.box[0]; c++, to += (uint32_t) l.map.element_bytes)
      {
        const int index[] = { c, l.offsets[0], l.offsets[1], 0 };
        load_element (pixel, index, machine.arena + swizzled (to, l.map.swizzle));
      }
}

bool
async_advance ()
{
  if (machine.loads.empty ())
    return false;
  size_t i = emu_options.seed ? machine_random () % machine.loads.size () : 0;
  TmaLoad l = machine.loads[i];
  machine.loads.erase (machine.loads.begin () + (long) i);
  if (l.map.n_pixels)
    load_pixels (l);
  else
    load_box (l);
  AsyncBarrier *b = find_barrier (l.barrier, l.pc);
  uint32_t engine = (uint32_t) machine.n_threads;
  shared_landed (l.dst, l.size_bytes, engine, ++machine.engine_clock);
  b->next_clock[engine] = std::max (b->next_clock[engine], machine.engine_clock);
  b->missing_bytes -= l.size_bytes;
  barrier_advance (b);
  return true;
}

void
async_reset ()
{
  machine.async_barriers.clear ();
  machine.loads.clear ();
  for (int i = 0; i * WARPGROUP < machine.n_threads; i++)
    {
      Warpgroup *g = &machine.warpgroups[i];
      g->team.first = (uint32_t) i * WARPGROUP;
      g->team.size = WARPGROUP;
      g->team.arrived = 0;
      g->group = 0;
      g->products.clear ();
    }
}

// --- wgmma ---

enum
{
  WGMMA_M = 64,
  WGMMA_K_BYTES = 32, // 16 values of 16 bits, or 32 of 8
  WGMMA_MAX_K = 32,
  WGMMA_MAX_N = 256,
  CHUNK_BYTES = 16
};

// Where the descriptor's matrix has its @chunk-th 16 bytes along the contiguous dimension, of @line
// along the other.  Eight lines make a core matrix, whose lines are as wide as the swizzle.
static uint32_t
chunk_address (uint64_t descriptor, bool k_contiguous, uint32_t line, uint32_t chunk)
{
  static const uint32_t widths[] = { 16, 128, 64, 32 };
  uint32_t start = (uint32_t) (descriptor & 0x3fff) << 4;
  uint32_t leading = (uint32_t) (descriptor >> 16 & 0x3fff) << 4;
  uint32_t stride = (uint32_t) (descriptor >> 32 & 0x3fff) << 4;
  int mode = (int) (descriptor >> 62);
  uint32_t width = widths[mode], per_line = width / CHUNK_BYTES;
  uint32_t at = start + line / 8 * stride + line % 8 * width;
  // Along K a swizzled line holds all of an instruction's values; along M or N a matrix wider than
  // a line goes on @leading bytes further.
  at += k_contiguous && mode ? chunk * CHUNK_BYTES
                             : chunk % per_line * CHUNK_BYTES + chunk / per_line * leading;
  return swizzled (at, mode);
}

struct Operand
{
  uint64_t descriptor;
  bool k_contiguous;
  uint32_t n_lines, n_chunks;
};

static uint32_t
element_bytes (EmuProduct type)
{
  return type == EMU_E4M3 ? 1 : 2;
}

static Operand
operand_b (const EmuWgmma &w)
{
  if (w.b_transposed)
    return { w.b_descriptor, false, WGMMA_K_BYTES / 2, (uint32_t) w.n * 2 / CHUNK_BYTES };
  return { w.b_descriptor, true, (uint32_t) w.n, WGMMA_K_BYTES / CHUNK_BYTES };
}

static Operand
operand_a (const EmuWgmma &w)
{
  return { w.a_descriptor, true, w.a ? 0u : (uint32_t) WGMMA_M, WGMMA_K_BYTES / CHUNK_BYTES };
}

template <class F>
static void
each_chunk (const Operand &o, F f)
{
  for (uint32_t line = 0; line < o.n_lines; line++)
    for (uint32_t chunk = 0; chunk < o.n_chunks; chunk++)
      f (line, chunk, chunk_address (o.descriptor, o.k_contiguous, line, chunk));
}

static float
element (EmuProduct type, const uint8_t *p)
{
  uint16_t bits;
  if (type == EMU_E4M3)
    return emu_e4m3_to_f32 (*p);
  memcpy (&bits, p, sizeof bits);
  return type == EMU_F16 ? emu_f16_to_f32 (bits) : gk_bits_float ((uint32_t) bits << 16);
}

// Element i of line l goes to m[l * line_step + i * step].
static void
gather (const Operand &o, EmuProduct type, float *m, uint32_t line_step, uint32_t step)
{
  uint32_t size = element_bytes (type), n = CHUNK_BYTES / size;
  each_chunk (o, [&] (uint32_t line, uint32_t chunk, uint32_t at) {
    for (uint32_t i = 0; i < n; i++)
      m[line * line_step + (chunk * n + i) * step] = element (type, machine.arena + at + size * i);
  });
}

// A from registers lies as in mma.m16n8k16, warp after warp.
static void
gather_registers (const Product &p, float *a, uint32_t n_k)
{
  for (int t = 0; t < WARPGROUP; t++)
    for (int i = 0; i < 8; i++)
      {
        int row = t / 32 * 16 + t % 32 / 4 + i / 2 % 2 * 8, k = t % 4 * 2 + i % 2 + i / 4 * 8;
        uint16_t bits = (uint16_t) (p.a[t][i / 2] >> 16 * (i % 2));
        a[row * (int) n_k + k] = element (p.what.type, (const uint8_t *) &bits);
      }
}

static float *
accumulator (const Product &p, int row, int column)
{
  int t = row / 16 * 32 + row % 8 * 4 + column % 8 / 2;
  return &p.d[t][column / 8 * 4 + row % 16 / 8 * 2 + column % 2];
}

static void
multiply_row (const Product &p, int row, const float *a, const float *b, uint32_t n_k)
{
  float sums[WGMMA_MAX_N];
  int n = p.what.n;
  for (int column = 0; column < n; column++)
    sums[column] = p.what.accumulate ? *accumulator (p, row, column) : 0;
  for (uint32_t k = 0; k < n_k; k++)
    for (int column = 0; column < n; column++)
      sums[column] += a[k] * b[k * (uint32_t) n + (uint32_t) column];
  for (int column = 0; column < n; column++)
    *accumulator (p, row, column) = sums[column];
}

static void
multiply (const Product &p)
{
  static float a[WGMMA_M * WGMMA_MAX_K], b[WGMMA_MAX_N * WGMMA_MAX_K];
  const EmuWgmma &w = p.what;
  uint32_t n_k = WGMMA_K_BYTES / element_bytes (w.type), n = (uint32_t) w.n;
  if (w.b_transposed)
    gather (operand_b (w), w.type, b, n, 1);
  else
    gather (operand_b (w), w.type, b, 1, n);
  if (w.a)
    gather_registers (p, a, n_k);
  else
    gather (operand_a (w), w.type, a, n_k, 1);
  for (int row = 0; row < WGMMA_M; row++)
    multiply_row (p, row, a + (uint32_t) row * n_k, b, n_k);
}

// Registers belong to the product until it is waited for.
static void
note_registers (Product *p, const Warpgroup &g)
{
  size_t n = (size_t) p->what.n / 2;
  bool is_first = true;
  for (int i = 0; i < WARPGROUP; i++)
    {
      const EmuWgmma *w = (const EmuWgmma *) g.team.operands[i];
      p->d[i] = w->d;
      p->a_at[i] = w->a;
      if (w->a)
        memcpy (p->a[i], w->a, sizeof p->a[i]);
    }
  for (const Product &other : g.products)
    is_first &= other.d[0] != p->d[0];
  for (int i = 0; i < WARPGROUP && is_first && emu_options.check; i++)
    p->sums.insert (p->sums.end (), p->d[i], p->d[i] + n);
}

static void
check_registers (const Product &p)
{
  size_t bytes = (size_t) p.what.n / 2 * sizeof (float);
  for (int i = 0; i < WARPGROUP && emu_options.check; i++)
    if ((p.what.a && memcmp (p.a[i], p.a_at[i], sizeof p.a[i])) ||
        (!p.sums.empty () &&
         memcmp (p.d[i], (const char *) p.sums.data () + (size_t) i * bytes, bytes)))
      REPORT (EMU_ASYNC, p.pc, "registers of a product in flight have changed");
}

static void
mark_operand (const Product &p, const Operand &o, bool issued)
{
  uint32_t reader = current->thread / WARPGROUP * WARPGROUP; // for all of the warpgroup
  each_chunk (o, [&] (uint32_t, uint32_t, uint32_t at) {
    if (issued)
      shared_access (at, CHUNK_BYTES, ASYNC_READ, p.pc, reader);
    else if (emu_options.check)
      shared_read_done (at, CHUNK_BYTES, reader);
  });
}

static Warpgroup *
my_warpgroup ()
{
  return &machine.warpgroups[current->thread / WARPGROUP];
}

static bool
meet (Collective kind, void *operand, uintptr_t pc)
{
  return team_meet (&my_warpgroup ()->team, current->thread % WARPGROUP, kind, operand, pc);
}

static void
leave ()
{
  team_leave (&my_warpgroup ()->team, current->thread % WARPGROUP);
}

extern "C" void
emu_wgmma (const EmuWgmma *product)
{
  uintptr_t pc = CALLER;
  if (!meet (WGMMA, (void *) product, pc))
    return;
  Warpgroup *g = my_warpgroup ();
  Product p = { *product, {}, {}, {}, {}, g->group, pc };
  note_registers (&p, *g);
  mark_operand (p, operand_a (p.what), true);
  mark_operand (p, operand_b (p.what), true);
  g->products.push_back (p);
  emu_counts.n_wgmma++;
  leave ();
}

extern "C" void
gk_wgmma_fence (void)
{
  if (meet (WGMMA_FENCE, NULL, CALLER))
    leave ();
}

extern "C" void
gk_wgmma_commit (void)
{
  if (!meet (WGMMA_COMMIT, NULL, CALLER))
    return;
  my_warpgroup ()->group++;
  leave ();
}

extern "C" void
emu_wgmma_wait (int n)
{
  if (!meet (WGMMA_WAIT, NULL, CALLER))
    return;
  Warpgroup *g = my_warpgroup ();
  size_t k = 0;
  for (; k < g->products.size () && g->products[k].group < g->group - n; k++)
    {
      check_registers (g->products[k]);
      multiply (g->products[k]);
      mark_operand (g->products[k], operand_a (g->products[k].what), false);
      mark_operand (g->products[k], operand_b (g->products[k].what), false);
    }
  g->products.erase (g->products.begin (), g->products.begin () + (long) k);
  leave ();
}

extern "C" void
gk_fence_async (void)
{
  current->fence_clock = current->clock++;
}
