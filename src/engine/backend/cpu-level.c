/* SPDX-License-Identifier: MPL-2.0
 * cpu-level.c - which instruction sets this machine has and its system keeps registers for.
 *
 * Source: Intel 64 and IA-32 Architectures Software Developer's Manual, volume 1, chapters 13.3,
 * 14.3, 15.2 and 18.2 (CPUID leaves 1 and 7, XCR0); Linux Documentation/arch/x86/xstate.rst for
 * AMX.
 */
#define _GNU_SOURCE
#include "backend/cpu.h"

#if defined(__x86_64__)
#  include <cpuid.h>
#  include <sys/syscall.h>
#  include <unistd.h>
#endif

static const char *const level_names[CPU_LEVEL_COUNT] = {
  [CPU_REF] = "ref",
  [CPU_SSE2] = "sse2",
  [CPU_AVX2] = "avx2",
  [CPU_AVX512] = "avx512",
  [CPU_AVX512BF16] = "avx512bf16",
  [CPU_AMX] = "amx",
};

const char *
cpu_level_name (CpuLevel level)
{
  return level_names[level];
}

#if defined(__x86_64__)

enum
{
  /* leaf 1, ECX */
  BIT_FMA = 1 << 12,
  BIT_OSXSAVE = 1 << 27,
  BIT_AVX = 1 << 28,
  BIT_F16C = 1 << 29,
  /* leaf 7, EBX */
  BIT_AVX2 = 1 << 5,
  BIT_AVX512F = 1 << 16,
  BIT_AVX512DQ = 1 << 17,
  BIT_AVX512BW = 1 << 30,
  /* leaf 7, EDX */
  BIT_AMX_BF16 = 1 << 22,
  BIT_AMX_TILE = 1 << 24,
  /* leaf 7 subleaf 1, EAX */
  BIT_AVX512_BF16 = 1 << 5,
  /* XCR0: registers that the system saves */
  STATE_YMM = 0x6,
  STATE_ZMM = 0xe6,
  STATE_TILES = 0x60000
};

static const unsigned BIT_AVX512VL = 1u << 31; /* leaf 7, EBX */

typedef struct
{
  unsigned ecx1, eax7_1, ebx7, edx7;
  uint64_t xcr0;
} Features;

static uint64_t
read_xcr0 (void)
{
  uint32_t low, high;
  __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
  return (uint64_t) high << 32 | low;
}

static Features
read_features (void)
{
  Features f = { 0 };
  unsigned a, b, c, d;
  if (__get_cpuid (1, &a, &b, &c, &d))
    f.ecx1 = c;
  if (__get_cpuid_count (7, 0, &a, &b, &c, &d))
    {
      f.ebx7 = b;
      f.edx7 = d;
      if (a >= 1 && __get_cpuid_count (7, 1, &a, &b, &c, &d))
        f.eax7_1 = a;
    }
  if (f.ecx1 & BIT_OSXSAVE)
    f.xcr0 = read_xcr0 ();
  return f;
}

static bool
has_all (unsigned word, unsigned bits)
{
  return (word & bits) == bits;
}

/* Linux hands out tile registers on request; this only asks whether it would. */
static bool
system_grants_tiles (void)
{
  enum
  {
    GET_SUPPORTED = 0x1021, /* ARCH_GET_XCOMP_SUPP */
    TILE_DATA = 1 << 18
  };
  uint64_t supported = 0;
  return syscall (SYS_arch_prctl, GET_SUPPORTED, &supported) == 0 && (supported & TILE_DATA);
}

bool
cpu_has_level (CpuLevel level)
{
  Features f = read_features ();
  switch (level)
    {
    case CPU_REF:
    case CPU_SSE2:
      return true;
    case CPU_AVX2:
      return has_all (f.ecx1, BIT_FMA | BIT_AVX | BIT_F16C) && has_all (f.ebx7, BIT_AVX2) &&
             (f.xcr0 & STATE_YMM) == STATE_YMM;
    case CPU_AVX512:
      return cpu_has_level (CPU_AVX2) &&
             has_all (f.ebx7, BIT_AVX512F | BIT_AVX512DQ | BIT_AVX512BW | BIT_AVX512VL) &&
             (f.xcr0 & STATE_ZMM) == STATE_ZMM;
    case CPU_AVX512BF16:
      return cpu_has_level (CPU_AVX512) && has_all (f.eax7_1, BIT_AVX512_BF16);
    case CPU_AMX:
      return cpu_has_level (CPU_AVX512BF16) && has_all (f.edx7, BIT_AMX_BF16 | BIT_AMX_TILE) &&
             (f.xcr0 & STATE_TILES) == STATE_TILES && system_grants_tiles ();
    case CPU_LEVEL_COUNT:
      break;
    }
  return false;
}

#else

bool
cpu_has_level (CpuLevel level)
{
  return level == CPU_REF;
}

#endif
