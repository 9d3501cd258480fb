/* SPDX-License-Identifier: MPL-2.0
 * cpu.h - the CPU backend's insides: levels, threads, scratch.  Private to this folder and its
 * tests.
 */
#pragma once

#include "backend/backend.h"
#include "core/threads.h"

typedef enum
{
  CPU_REF, /* scalar specification */
  CPU_SSE2,
  CPU_AVX2,       /* with FMA and F16C */
  CPU_AVX512,     /* F, BW, VL, DQ */
  CPU_AVX512BF16, /* + VDPBF16PS */
  CPU_AMX,        /* + AMX tiles for bf16 products */
  CPU_LEVEL_COUNT
} CpuLevel;

typedef struct CpuGemm CpuGemm; /* packing buffers and microkernels: cpu-gemm.c */

typedef struct
{
  Backend base; /* first */
  CpuLevel level;
  Threads *threads;
  CpuGemm *gemm;
} CpuBackend;

const char *cpu_level_name (CpuLevel level);
bool cpu_has_level (CpuLevel level); /* asks CPUID and the system */

static inline bool
cpu_is_cancelled (const Backend *b)
{
  return b->cancel && atomic_load_explicit (b->cancel, memory_order_relaxed);
}

/* Each fills the slots it improves for b->level and returns at the first level not supported. */
bool cpu_init_gemm (CpuBackend *b,
                    Status *status); /* linear, conv2d, attention; sets base.fastest */
void cpu_free_gemm (CpuBackend *b);
void cpu_init_elementwise (CpuBackend *b); /* everything else */
