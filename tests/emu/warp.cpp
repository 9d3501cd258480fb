// SPDX-License-Identifier: MPL-2.0
// warp.cpp - what the lanes of a warp do together: shuffles, matrix loads and products.
//
// Each lane leaves a pointer to its operands; the last to arrive acts for all.  Fragment layouts
// are those of the PTX ISA, sections on mma.m16n8k16, mma.m16n8k32 and ldmatrix.
#include <math.h>
#include <string.h>

#include "internal.h"

static const char *const names[] = {
  "the warp's barrier", "shuffle",      "ldmatrix",  "mma", "wgmma",
  "wgmma fence",        "wgmma commit", "wgmma wait"
};

bool
team_meet (Team *team, uint32_t slot, Collective kind, void *operand, uintptr_t pc)
{
  if (team->arrived && team->kind != kind)
    {
      REPORT (EMU_STUCK, pc, "this lane is at %s, others of its warp wait for %s", names[kind],
              names[team->kind]);
      machine_abandon_block ();
    }
  team->kind = kind;
  team->operands[slot] = operand;
  if (++team->arrived == team->size)
    return true;
  fiber_wait (names[kind], pc);
  return false;
}

void
team_leave (Team *team, uint32_t slot)
{
  team->arrived = 0;
  for (uint32_t i = 0; i < team->size; i++)
    if (i != slot)
      fiber_wake (team->first + i);
}

static Team *
my_team ()
{
  return &machine.warps[current->warp].team;
}

extern "C" void
emu_warp_barrier (void)
{
  Team *team = my_team ();
  uint32_t threads[WARP];
  if (!team_meet (team, current->lane, SYNC_WARP, NULL, CALLER))
    return;
  for (uint32_t i = 0; i < team->size; i++)
    threads[i] = team->first + i;
  if (emu_options.check)
    clock_meet (threads, team->size);
  team_leave (team, current->lane);
}

struct Shuffle
{
  float value, result;
  int lane;
  bool exclusive_or;
};

extern "C" float
emu_shuffle (float v, int lane, bool exclusive_or)
{
  Team *team = my_team ();
  Shuffle mine = { v, 0, lane, exclusive_or };
  if (team_meet (team, current->lane, SHUFFLE, &mine, CALLER))
    {
      for (uint32_t i = 0; i < team->size; i++)
        {
          Shuffle *s = (Shuffle *) team->operands[i];
          uint32_t from = (s->exclusive_or ? i ^ (uint32_t) s->lane : (uint32_t) s->lane) % WARP;
          s->result = from < team->size ? ((Shuffle *) team->operands[from])->value : s->value;
        }
      team_leave (team, current->lane);
    }
  return mine.result;
}

// --- shared memory ---

extern "C" void
emu_shared_store (uint32_t address, const void *value, int size_bytes)
{
  shared_access (address, (uint32_t) size_bytes, WRITE, CALLER, current->thread);
  memcpy (machine.arena + address, value, (size_t) size_bytes);
}

extern "C" void
emu_shared_load (uint32_t address, void *value, int size_bytes)
{
  shared_access (address, (uint32_t) size_bytes, READ, CALLER, current->thread);
  memcpy (value, machine.arena + address, (size_t) size_bytes);
}

struct MatrixLoad
{
  uint32_t *r, address;
};

// Eight rows of 16 bytes each are read at once; rows in the same bank cost another turn.
static void
count_conflicts (const uint32_t *rows)
{
  unsigned taken = 0;
  for (int i = 0; i < 8; i++)
    {
      unsigned bank = 1u << (rows[i] / 16 % 8);
      emu_counts.n_bank_conflicts += (taken & bank) != 0;
      taken |= bank;
    }
}

static void
load_matrix (Team *team, int m, bool transposed, uintptr_t pc)
{
  uint16_t cell[8][8];
  uint32_t rows[8];
  for (int i = 0; i < 8; i++)
    {
      rows[i] = ((MatrixLoad *) team->operands[m * 8 + i])->address;
      if (rows[i] % 16)
        REPORT (EMU_ALIGN, pc, "ldmatrix takes rows at multiples of 16 bytes, not %u", rows[i]);
      shared_access (rows[i] & ~15u, 16, READ, pc, team->first + (uint32_t) (m * 8 + i));
      memcpy (cell[i], machine.arena + (rows[i] & ~15u), 16);
    }
  count_conflicts (rows);
  for (int lane = 0; lane < WARP; lane++)
    {
      int i = lane / 4, j = lane % 4 * 2;
      uint32_t low = transposed ? cell[j][i] : cell[i][j];
      uint32_t high = transposed ? cell[j + 1][i] : cell[i][j + 1];
      ((MatrixLoad *) team->operands[lane])->r[m] = low | high << 16;
    }
}

extern "C" void
emu_ldmatrix (uint32_t *r, uint32_t address, bool transposed)
{
  Team *team = my_team ();
  MatrixLoad mine = { r, address };
  uintptr_t pc = CALLER;
  if (!team_meet (team, current->lane, LDMATRIX, &mine, pc))
    return;
  for (int m = 0; m < 4; m++)
    load_matrix (team, m, transposed, pc);
  emu_counts.n_ldmatrix++;
  team_leave (team, current->lane);
}

// --- formats ---

// Powers of two are moved to where floats have theirs by products, which are exact.
extern "C" float
emu_f16_to_f32 (uint16_t v)
{
  uint32_t magnitude = v & 0x7fff, sign = (uint32_t) (v & 0x8000) << 16;
  uint32_t finite = gk_float_bits (gk_bits_float (magnitude << 13) * 0x1p112f);
  uint32_t special = magnitude > 0x7c00 ? 0x7fc00000 : 0x7f800000;
  return gk_bits_float ((magnitude < 0x7c00 ? finite : special) | sign);
}

// To nearest even.  Below 2^-14 the sum with 0.5 rounds to multiples of 2^-24, which are the units.
extern "C" uint16_t
emu_f32_to_f16 (float f)
{
  uint32_t bits = gk_float_bits (f), sign = bits >> 16 & 0x8000, magnitude = bits & 0x7fffffff;
  uint32_t normal = (magnitude - (112 << 23) + 0xfff + (magnitude >> 13 & 1)) >> 13;
  uint32_t units = gk_float_bits (gk_bits_float (magnitude) + 0.5f) - gk_float_bits (0.5f);
  uint32_t special = magnitude > 0x7f800000 ? 0x7fff : 0x7c00;
  bool is_finite = magnitude < gk_float_bits (65520),
       is_normal = magnitude >= gk_float_bits (0x1p-14f);
  return (uint16_t) (sign | (!is_finite ? special : is_normal ? normal : units));
}

extern "C" float
emu_e4m3_to_f32 (uint8_t v)
{
  uint32_t magnitude = v & 0x7f, sign = (uint32_t) (v & 0x80) << 24;
  uint32_t finite = gk_float_bits (gk_bits_float (magnitude << 20) * 0x1p120f);
  return gk_bits_float ((magnitude == 0x7f ? 0x7fc00000 : finite) | sign);
}

// To nearest even, saturating at 448 as cvt.rn.satfinite does.
extern "C" uint8_t
emu_f32_to_e4m3 (float f)
{
  uint8_t sign = (uint8_t) (gk_float_bits (f) >> 24 & 0x80);
  float magnitude = fabsf (f);
  if (isnan (f))
    return 0x7f;
  if (magnitude >= 448)
    return sign | 0x7e;
  int exponent;
  frexpf (magnitude, &exponent);
  exponent = exponent < -5 ? -5 : exponent;
  float units = rintf (ldexpf (magnitude, 4 - exponent));
  if (units >= 16)
    {
      units /= 2;
      exponent++;
    }
  return (uint8_t) (sign | (units < 8 ? (int) units : (exponent + 6) << 3 | ((int) units - 8)));
}

// --- products ---

struct Mma
{
  float *c;
  const uint32_t *a;
  uint32_t b[2];
};

template <EmuProduct type>
static inline float
unpack (uint32_t word, int i)
{
  switch (type)
    {
    case EMU_BF16:
      return gk_bits_float (i ? word & 0xffff0000u : word << 16);
    case EMU_F16:
      return emu_f16_to_f32 ((uint16_t) (word >> 16 * i));
    case EMU_E4M3:
      return emu_e4m3_to_f32 ((uint8_t) (word >> 8 * i));
    }
  return NAN;
}

template <EmuProduct type>
static void
multiply (const Team *team)
{
  constexpr int per_word = type == EMU_E4M3 ? 4 : 2, k_half = 4 * per_word, k_size = 2 * k_half;
  float a[16][k_size], b[k_size][8], c[16][8];
  for (int lane = 0; lane < WARP; lane++)
    {
      const Mma *m = (const Mma *) team->operands[lane];
      int row = lane / 4, quad = lane % 4;
      for (int i = 0; i < 4; i++)
        c[row + i / 2 * 8][quad * 2 + i % 2] = m->c[i];
      for (int i = 0; i < per_word; i++)
        {
          int k = quad * per_word + i;
          for (int word = 0; word < 4; word++)
            a[row + word % 2 * 8][k + word / 2 * k_half] = unpack<type> (m->a[word], i);
          b[k][row] = unpack<type> (m->b[0], i);
          b[k + k_half][row] = unpack<type> (m->b[1], i);
        }
    }
  for (int row = 0; row < 16; row++)
    for (int k = 0; k < k_size; k++)
      for (int column = 0; column < 8; column++)
        c[row][column] += a[row][k] * b[k][column];
  for (int lane = 0; lane < WARP; lane++)
    for (int i = 0; i < 4; i++)
      ((Mma *) team->operands[lane])->c[i] = c[lane / 4 + i / 2 * 8][lane % 4 * 2 + i % 2];
}

extern "C" void
emu_mma (EmuProduct type, float *c, const uint32_t *a, uint32_t b0, uint32_t b1)
{
  Team *team = my_team ();
  Mma mine = { c, a, { b0, b1 } };
  if (!team_meet (team, current->lane, MMA, &mine, CALLER))
    return;
  if (type == EMU_BF16)
    multiply<EMU_BF16> (team);
  else if (type == EMU_F16)
    multiply<EMU_F16> (team);
  else
    multiply<EMU_E4M3> (team);
  emu_counts.n_mma++;
  team_leave (team, current->lane);
}
