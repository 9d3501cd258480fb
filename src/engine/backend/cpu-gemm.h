/* SPDX-License-Identifier: MPL-2.0
 * cpu-gemm.h - products C = A B on the CPU: how they are cut into tasks, and the scratch they use.
 *
 * Linear layers and convolutions differ in where a row of A lies and in nothing else: a convolution
 * is a product over [tap][channel] whose rows are pointers into the picture.
 */
#pragma once

#include "backend/cpu.h"
#include "kernels/cpu/x86/gemm.h"

enum
{
  MAX_TAPS_OF_A_ROW = 27,
  MAX_FRAMES = 3,
  MAX_TILE_ROWS = 512, /* of C that one task makes */
  SHARED_BYTES = 48 << 20,
  BIAS_FLOATS = 1 << 18,
  FOLD_MOST_RANK = GEMM_BLOCK_UNITS, /* that is folded at a time */
  A_BYTES = 1 << 20,     /* packed A of a task: what shares a second level cache with B and C */
  THREAD_BYTES = 8 << 20 /* what a tile of Winograd's convolution needs */
};

struct CpuGemm
{
  const GemmKernels *f32, *bf16;
  char *shared;  /* SHARED_BYTES: packed weights, or keys and values */
  float *biases; /* BIAS_FLOATS */
  char *threads; /* threads_count * THREAD_BYTES */
  size_t total_bytes;
};

typedef struct GemmJob GemmJob;

/* Fills @table[n][taps]: where the rows row0 .. row0 + n - 1 of A lie; NULL reads as zeros. */
typedef void (*RowPointers) (const GemmJob *job, int64_t row0, int n, const float **table);

/* What is added to the weights while they are packed (cpu-fold.c). */
typedef struct
{
  const LowRank *low_rank; /* NULL: nothing */
  int64_t rank0;           /* of those that are added now */
  int64_t block_channels;  /* that are packed together */
  bool is_ready;           /* factors from rank0 on are transposed */
} Fold;

struct GemmJob
{
  CpuBackend *cpu;
  const GemmKernels *kernels;
  RowPointers row_pointers;
  const void *source; /* LinearArgs or ConvArgs, for row_pointers */
  GemmWeights w;
  Param bias, more_bias; /* both are added */
  Fold fold;
  int64_t n_rows, n_out, n_channels; /* of C; K = n_channels * taps */
  int64_t rows_per_picture;          /* rows that share a channel_add */
  const float *dense_rows; /* A where its rows of n_channels floats lie without gaps, or NULL */
  const float *channel_add, *add;
  float *c;
  int64_t c_stride;
  /* the cut, made by gemm_run */
  int64_t block_channels, n_blocks, block_units, panel_units;
  int64_t col0, n_cols, n_panels, n_broad;  /* of this pass; broad panels come first */
  int64_t tile_rows, n_tiles, slice_panels; /* of a task */
  bool broad;                               /* most panels are as wide as the broad tile */
  bool keep_a;       /* A is packed for all of K at once, so that C is finished panel by panel */
  bool pack_in_task; /* weights go through a thread's scratch, not the shared */
  const float *pass_biases; /* (pictures, n_cols), or NULL */
};

/* Computes the product; everything but the cut is filled in. */
void gemm_run (GemmJob *job);

/* Sets pass_biases of columns col0 .. col0 + n_cols - 1: bias and what is added for each picture.
 */
void gemm_gather_biases (GemmJob *job);

/* A convolution as both ways to compute it see it: the sum over one frame, or over three. */
typedef struct
{
  ConvArgs args;                   /* of each frame; its x is not looked at */
  int n_frames;                    /* that the weights have taps for: 1 or 3 */
  const float *frames[MAX_FRAMES]; /* as args.x; NULL: zeros */
} ConvSum;

/* Whether a convolution is worth Winograd's transforms, from its shape alone: not from the number
 * of pictures, so that one is made alike alone and in a batch. */
bool winograd_applies (const GemmKernels *k, const ConvSum *s);
void winograd_convolve (CpuBackend *b, const ConvSum *s);

/* Where input pixel (y, x) of the (doubled) picture of @frame lies; NULL outside. */
const float *
conv_pixel (const ConvArgs *a, const float *frame, int64_t picture, int64_t y, int64_t x);

/* gemm_fold_*: the order is begin, then for each panel up and, block by block, add; then again from
 * rank gemm_fold_next () on, up to the end. */
void gemm_fold_init (GemmJob *job, const LowRank *low_rank);

/* Transposes the factors from rank @rank0 on, unless they are. */
void gemm_fold_begin (GemmJob *job, int64_t rank0, int64_t block_channels);
int64_t gemm_fold_next (const GemmJob *job);

/* @up: room for GEMM_BLOCK_UNITS * @width; receives columns @col .. @col + @n_cols - 1 of the pass
 */
void gemm_fold_up (const GemmJob *job, float *up, int width, int64_t col, int n_cols);

/* @panel: (@n, @width) floats, units from @unit0 on as they are packed */
void
gemm_fold_add (const GemmJob *job, float *panel, int width, const float *up, int64_t unit0, int n);

bool cpu_folds (const Backend *base, Compute compute, int64_t n_rows, int64_t n_out, int64_t n_in);

const GemmKernels *gemm_kernels (const CpuBackend *b, Compute compute);

static inline char *
thread_scratch (const CpuBackend *b, int thread)
{
  return b->gemm->threads + (int64_t) thread * THREAD_BYTES;
}

static inline int64_t
ceil_div (int64_t a, int64_t b)
{
  return (a + b - 1) / b;
}

static inline int64_t
round_up (int64_t a, int64_t b)
{
  return ceil_div (a, b) * b;
}

static inline int64_t
min_i64 (int64_t a, int64_t b)
{
  return a < b ? a : b;
}

static inline int64_t
max_i64 (int64_t a, int64_t b)
{
  return a > b ? a : b;
}

/* How many elements of K a unit holds. */
static inline int
elements_per_unit (const GemmKernels *k)
{
  return k->format == GEMM_PAIRS ? 2 : 1;
}

/* Of the shared scratch, at its end: the transposed factors of what is folded. */
static inline int64_t
fold_bytes (const GemmJob *job)
{
  return job->fold.low_rank ? (job->n_channels * job->w.taps + GEMM_MAX_MR) * GEMM_A_STRIDE : 0;
}

/* Makes bf16 products with VDPBF16PS, whatever the processor: for tests and measurements.  The
 * level has to be avx512bf16 or better. */
void cpu_use_dot (CpuBackend *b);

void cpu_linear (Backend *base, const LinearArgs *a);
void cpu_conv2d (Backend *base, const ConvArgs *a);
void cpu_conv3d (Backend *base, const Conv3dArgs *a);
void cpu_attention (Backend *base, const AttentionArgs *a);
