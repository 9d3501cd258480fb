/* SPDX-License-Identifier: MPL-2.0
 * gemm-bf16.c - products of bf16 by VDPBF16PS: two products and two sums for each 32-bit lane.
 *
 * 12 x 32 as in f32; K counts in pairs.  The instruction rounds sums to nearest even and takes
 * subnormals for zero.  Limit: that instruction.
 */
#define PAIRS 1
#include "kernels/cpu/x86/gemm-rows.h"

#define MR 12
#define BROAD_MR 0

INLINE V
multiply_add (V sum, V a, V b)
{
  return (V) _mm512_dpbf16_ps ((__m512) sum, (__m512bh) a, (__m512bh) b);
}

#include "kernels/cpu/x86/gemm-tile.h"

#define NAME pairs
#define TABLE gemm_pairs_avx512bf16
#define FORMAT GEMM_PAIRS
#define ROUNDED false
#define WINOGRAD NULL
#include "kernels/cpu/x86/gemm-table.h"
