/* SPDX-License-Identifier: MPL-2.0
 * gemm-broad.h - the k loop of broad tiles, 8 or 9 rows of AVX-512 by 48 columns, in assembly.
 *
 * 9 x 48 takes 27 registers for sums, three for B and two for A: all there are.  gcc 12 spills some
 * of them, and a spill costs more than its share.  Measured on Sapphire Rapids, where multiply-adds
 * alone reach 100 %: with less than one load for each two of them 91 %, with more 85 %, almost
 * whatever their number.
 */
#pragma once

/* What the loop reads: @n times four units of A, B, and two lines of what is fetched. */
typedef struct
{
  const void *a, *b, *next;
  int64_t n;
} BroadLoop;

_Static_assert(GEMM_A_STRIDE == 1216 && GEMM_BROAD_FETCH_BYTES == 32, "the loop spells them out");

#define BROAD_ZERO(r)                                                                              \
  "vpxord %[s" #r "0], %[s" #r "0], %[s" #r "0]\n\t"                                               \
  "vpxord %[s" #r "1], %[s" #r "1], %[s" #r "1]\n\t"                                               \
  "vpxord %[s" #r "2], %[s" #r "2], %[s" #r "2]\n\t"

/* Row @r of unit @i; 1216: GEMM_A_STRIDE */
#define BROAD_ROW(r, i, q)                                                                         \
  "vbroadcastss 1216*" #r "+4*" #i "(%%rax), %%" #q "\n\t"                                         \
  "vfmadd231ps %%zmm29, %%" #q ", %[s" #r "0]\n\t"                                                 \
  "vfmadd231ps %%zmm30, %%" #q ", %[s" #r "1]\n\t"                                                 \
  "vfmadd231ps %%zmm31, %%" #q ", %[s" #r "2]\n\t"

#define BROAD_UNIT_8(i)                                                                            \
  "vmovups 192*" #i "(%%rcx), %%zmm29\n\t"                                                         \
  "vmovups 192*" #i "+64(%%rcx), %%zmm30\n\t"                                                      \
  "vmovups 192*" #i "+128(%%rcx), %%zmm31\n\t" BROAD_ROW (0, i, zmm27) BROAD_ROW (1, i, zmm28)     \
      BROAD_ROW (2, i, zmm27) BROAD_ROW (3, i, zmm28) BROAD_ROW (4, i, zmm27)                      \
          BROAD_ROW (5, i, zmm28) BROAD_ROW (6, i, zmm27) BROAD_ROW (7, i, zmm28)
#define BROAD_UNIT_9(i) BROAD_UNIT_8 (i) BROAD_ROW (8, i, zmm27)

#define BROAD_LOOP(zeros, unit)                                                                    \
  "mov (%[loop]), %%rax\n\tmov 8(%[loop]), %%rcx\n\t"                                              \
  "mov 16(%[loop]), %%rdx\n\tmov 24(%[loop]), %%r8\n\t" zeros ".p2align 5\n"                       \
  "1:\n\tprefetcht1 (%%rdx)\n\t" unit (0) unit (1) "prefetcht1 64(%%rdx)\n\t" unit (2)             \
      unit (3) "add $16, %%rax\n\tadd $768, %%rcx\n\tadd $128, %%rdx\n\tdec %%r8\n\tjnz 1b\n"

#define BROAD_SUMS(r)                                                                              \
  [s##r##0] "=&v"(acc[r][0]), [s##r##1] "=&v"(acc[r][1]), [s##r##2] "=&v"(acc[r][2])
#define BROAD_CLOBBERS                                                                             \
  "rax", "rcx", "rdx", "r8", "zmm27", "zmm28", "zmm29", "zmm30", "zmm31", "cc", "memory"
#define EACH_OF_8(X) X (0) X (1) X (2) X (3) X (4) X (5) X (6) X (7)

/* Sets the sums of @rows rows, 8 or 9. */
INLINE void
broad_loop (const int rows, V acc[][3], const BroadLoop *loop)
{
  if (rows == 9)
    __asm__ volatile(BROAD_LOOP (EACH_OF_8 (BROAD_ZERO) BROAD_ZERO (8), BROAD_UNIT_9)
                     : BROAD_SUMS (0), BROAD_SUMS (1), BROAD_SUMS (2), BROAD_SUMS (3),
                       BROAD_SUMS (4), BROAD_SUMS (5), BROAD_SUMS (6), BROAD_SUMS (7),
                       BROAD_SUMS (8)
                     : [loop] "r"(loop)
                     : BROAD_CLOBBERS);
  else
    __asm__ volatile(BROAD_LOOP (EACH_OF_8 (BROAD_ZERO), BROAD_UNIT_8)
                     : BROAD_SUMS (0), BROAD_SUMS (1), BROAD_SUMS (2), BROAD_SUMS (3),
                       BROAD_SUMS (4), BROAD_SUMS (5), BROAD_SUMS (6), BROAD_SUMS (7)
                     : [loop] "r"(loop)
                     : BROAD_CLOBBERS);
}
