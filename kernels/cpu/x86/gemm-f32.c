/* SPDX-License-Identifier: MPL-2.0
 * gemm-f32.c - products of f32 by multiply-adds; the level's flags choose the vectors.
 *
 * AVX-512: 9 x 48 (27 sums, 12 loads for each 27 multiply-adds) and 12 x 32 (24, 14 for 24);
 * AVX2: 6 x 16; SSE2: 4 x 8.
 * Limit: multiply-adds.
 */
#define PAIRS 0
#include "kernels/cpu/x86/gemm-rows.h"

#if defined(__AVX512F__)
#  define MR 12
#  define BROAD_MR 9
#  define LEVEL avx512
#elif defined(__AVX2__)
#  define MR 6
#  define BROAD_MR 0
#  define LEVEL avx2
#else
#  define MR 4
#  define BROAD_MR 0
#  define LEVEL sse2
#endif

INLINE V
multiply_add (V sum, V a, V b)
{
#if defined(__AVX512F__)
  /* Named, so that sums stay where they are: gcc 12 otherwise takes forms that overwrite a factor
   * and moves sums between registers, of which the broad tile leaves one. */
  __asm__("vfmadd231ps %2, %1, %0" : "+v"(sum) : "v"(a), "v"(b));
  return sum;
#else
  return v_fma (a, b, sum);
#endif
}

#include "kernels/cpu/x86/gemm-tile.h"
#include "kernels/cpu/x86/gemm-winograd.h"

#define PASTE_(a, b) a##b
#define PASTE(a, b) PASTE_ (a, b)

#define NAME f32
#define TABLE PASTE (gemm_f32_, LEVEL)
#define FORMAT GEMM_F32
#define ROUNDED false
#define WINOGRAD &winograd_kernels
#include "kernels/cpu/x86/gemm-table.h"

#define NAME rounded
#define TABLE PASTE (gemm_rounded_, LEVEL)
#define FORMAT GEMM_ROUNDED
#define ROUNDED true
#define WINOGRAD NULL
#include "kernels/cpu/x86/gemm-table.h"
