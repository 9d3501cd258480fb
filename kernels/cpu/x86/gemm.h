/* SPDX-License-Identifier: MPL-2.0
 * gemm.h - the kernels under linear, conv2d and attention, as one table for each level and format.
 *
 * A product C = A B is cut into blocks of K.  Inside a block both factors are counted in units of
 * 32 bits: one float, or a pair of bf16 that one instruction multiplies and adds.
 *
 * A block     rows of units, GEMM_A_STRIDE bytes apart: plain copies, so that an image needs no
 *             transposing, and constant offsets for the broadcasts.
 * B panel     [units][columns] units: nr columns, or `narrow` where fewer remain; missing columns
 *             are zero.  Pairs in this order are what both VDPBF16PS and TDPBF16PS read.
 * C           f32 where the caller wants it, rows `ldc` floats apart.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "kernels/args.h"

enum
{
  GEMM_BLOCK_UNITS = 288, /* 9 taps of 32 floats or 64 bf16: a B panel of 32 columns is 36 KiB */
  GEMM_A_STRIDE = 1216,   /* 19 cache lines: odd, so that rows spread over all sets */
  GEMM_FETCH_BYTES = 16,  /* a tile prefetches this much for each unit it multiplies */
  GEMM_BROAD_FETCH_BYTES = 32, /* and a broad one this much */
  GEMM_MAX_MR = 32,
  GEMM_MAX_NR = 48
};

typedef enum
{
  GEMM_F32,     /* units are floats */
  GEMM_ROUNDED, /* units are floats that were rounded to bf16 */
  GEMM_PAIRS    /* units are two bf16, the lower index in the lower half */
} GemmFormat;

/* Rows of a parameter (or of keys), each n_channels * taps elements: [channel][tap] as files have
 * it. */
typedef struct
{
  Param param;        /* any format; a row need not begin with a block */
  int64_t row_stride; /* elements */
  int taps;
} GemmWeights;

/* The transforms of a 3 x 3 convolution by tiles of 4 x 4 pixels that overlap by two: 16 products
 * of single channels make 2 x 2 pixels where the sum itself takes 36. */
typedef struct
{
  /* One tile: element i, channels c0 .. c0 + n - 1, goes to dst + i * step (bytes).
   * @pixels: 4 x 4, where channel 0 lies; NULL reads as zeros
   * @n: a multiple of 16, as everywhere here */
  void (*input) (char *dst, int64_t step, const float *const pixels[16], int64_t c0, int n);

  /* taps (9, n) to 16 rows of n, @step bytes apart. */
  void (*filter) (char *dst, int64_t step, const float *taps, int64_t n);

  /* Four pixels from 16 rows of sums, @step floats apart; those outside the picture are NULL.
   * @bias: NULL or (n)
   * @add: NULL, or added to each pixel; may be the same memory */
  void (*output) (float *const y[4],
                  const float *sums,
                  int64_t step,
                  int64_t n,
                  const float *bias,
                  const float *const add[4]);
} WinogradKernels;

typedef struct
{
  GemmFormat format;
  int mr, nr, narrow;  /* rows and columns of a register tile; columns of its narrow form */
  int broad_mr, broad; /* rows and columns of the broad tile; 0: there is none */
  int unit_align;      /* blocks are padded with zeros to a multiple of this many units */

  /* Around any calls of tile () in a thread; NULL where nothing is to be done. */
  void (*begin) (void);
  void (*end) (void);

  /* c (rows, columns) = a b + init + bias; columns = wide ? nr : narrow.  An element comes out the
   * same, bit for bit, whatever the number of rows and its place among them.
   * @rows: 1 .. mr
   * @init: NULL or shaped as c with the same ldc; may equal c
   * @bias: NULL or one float a column
   * @next: units * GEMM_FETCH_BYTES from here go to the second level cache meanwhile; any
   *        address, never NULL */
  void (*tile) (int rows,
                bool wide,
                int units,
                const void *a,
                const void *b,
                float *c,
                int64_t ldc,
                const float *init,
                const float *bias,
                const void *next);

  /* The same with 1 .. broad_mr rows of a panel `broad` columns wide, and units *
   * GEMM_BROAD_FETCH_BYTES of @next.  Sums are made in the same order as by tile (). */
  void (*tile_broad) (int rows,
                      int units,
                      const void *a,
                      const void *b,
                      float *c,
                      int64_t ldc,
                      const float *init,
                      const float *bias,
                      const void *next);

  /* Fills one block of A, ordered [tap][channel], each tap padded to whole units.
   * @rows: [n_rows][taps], where channel 0 of that tap lies; NULL reads as zeros
   * @c0, @nc: channels of this block */
  void (*pack_a) (
      void *dst, const float *const *rows, int n_rows, int taps, int64_t c0, int nc, int units);

  /* Fills one block of one panel of B from rows n0 .. n0 + n_cols - 1 of @w, in pack_a's order.
   * @width: broad, nr or narrow */
  void (*pack_b) (void *dst,
                  int width,
                  const GemmWeights *w,
                  int64_t n0,
                  int n_cols,
                  int64_t c0,
                  int nc,
                  int units);

  /* The same from a matrix that lies with K outside: v (n_keys, n_cols), rows @stride apart. */
  void (*pack_v) (
      void *dst, int width, const float *v, int64_t stride, int n_cols, int n_keys, int units);

  /* One row of a running softmax in base 2.  In: n scores.  Out, over them: 2^(c s - max) as
   * elements of A, zeros up to n_padded elements.  @max and @sum carry on from block to block.
   * @c: not negative
   * Returns: the factor by which earlier blocks' results have to shrink */
  float (*softmax) (float *row, int n, int n_padded, float c, float *max, float *sum);

  /* dst = src * factor; dst may equal src */
  void (*scale) (float *dst, const float *src, int64_t n, float factor);

  const WinogradKernels *winograd; /* NULL where rounding of factors forbids it */
} GemmKernels;

extern const GemmKernels gemm_f32_sse2, gemm_rounded_sse2;
extern const GemmKernels gemm_f32_avx2, gemm_rounded_avx2;
extern const GemmKernels gemm_f32_avx512, gemm_rounded_avx512;
extern const GemmKernels gemm_pairs_avx512bf16;
extern const GemmKernels gemm_pairs_amx;
