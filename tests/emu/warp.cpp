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
  for (uint32_t i = 0; i < team->size; i += WARP)
    {
      uint32_t n = team->size - i;
      machine.warps[(team->first + i) / WARP].ready |= n < WARP ? (1u << n) - 1 : UINT32_MAX;
    }
  machine.warps[(team->first + slot) / WARP].ready &= ~(1u << slot % WARP);
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

// A and B's columns along k, two or four values a word.
enum
{
  K_WORDS = 8
};
struct Factors
{
  uint32_t a[16][K_WORDS], b[8][K_WORDS];
};

static void
gather (const Team *team, Factors *f, float (*c)[8])
{
  for (int lane = 0; lane < WARP; lane++)
    {
      const Mma *m = (const Mma *) team->operands[lane];
      int row = lane / 4, quad = lane % 4;
      for (int i = 0; i < 4; i++)
        {
          c[row + i / 2 * 8][quad * 2 + i % 2] = m->c[i];
          f->a[row + i % 2 * 8][quad + i / 2 * 4] = m->a[i];
        }
      f->b[row][quad] = m->b[0];
      f->b[row][quad + 4] = m->b[1];
    }
}

static inline float
value (EmuProduct type, uint32_t bits)
{
  return type == EMU_BF16  ? gk_bits_float (bits << 16)
         : type == EMU_F16 ? emu_f16_to_f32 ((uint16_t) bits)
                           : emu_e4m3_to_f32 ((uint8_t) bits);
}

template <EmuProduct type, class Bits>
static void
unpack (const uint32_t *words, int n_words, float *values)
{
  Bits bits[sizeof (Factors) / sizeof (Bits)];
  memcpy (bits, words, (size_t) n_words * sizeof *words);
  for (int i = 0; i < n_words * (int) (sizeof *words / sizeof (Bits)); i++)
    values[i] = value (type, bits[i]);
}

template <EmuProduct type, class Bits>
static void
multiply (const Team *team)
{
  constexpr int k_size = K_WORDS * (int) (sizeof (uint32_t) / sizeof (Bits));
  float a[16][k_size], columns[8][k_size], b[k_size][8], c[16][8];
  Factors factors;
  gather (team, &factors, c);
  unpack<type, Bits> (factors.a[0], 16 * K_WORDS, a[0]);
  unpack<type, Bits> (factors.b[0], 8 * K_WORDS, columns[0]);
  for (int k = 0; k < k_size; k++)
    for (int column = 0; column < 8; column++)
      b[k][column] = columns[column][k];
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
    multiply<EMU_BF16, uint16_t> (team);
  else if (type == EMU_F16)
    multiply<EMU_F16, uint16_t> (team);
  else
    multiply<EMU_E4M3, uint8_t> (team);
  emu_counts.n_mma++;
  team_leave (team, current->lane);
}
