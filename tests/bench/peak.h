/* SPDX-License-Identifier: MPL-2.0
 * peak.h - what a multiply instruction reaches when its operands never leave the registers.
 */
#pragma once

typedef enum
{
  PEAK_SSE2,       /* mulps and addps, no FMA */
  PEAK_AVX2,       /* vfmadd231ps ymm */
  PEAK_AVX512,     /* vfmadd231ps zmm */
  PEAK_AVX512BF16, /* vdpbf16ps zmm */
  PEAK_AMX,        /* tdpbf16ps */
} PeakKind;

/* FLOP/s of the calling thread, by its CPU time; the best of several tries.  The processor has to
 * have the instruction. */
double peak_flops (PeakKind kind);
