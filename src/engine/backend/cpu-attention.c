/* SPDX-License-Identifier: MPL-2.0
 * cpu-attention.c - attention block by block, so that scores never leave the first level cache.
 *
 * Source: FlashAttention (Dao et al. 2022, arXiv:2205.14135), algorithm 1, with the softmax in
 * base 2. Keys and values of as many heads as fit are packed once into shared scratch; tasks are
 * blocks of queries of one head.  For each block of keys a strip of query rows makes its scores,
 * turns them into probabilities in place and adds their product with the values to its output.
 * Where not even one head fits, every task packs the block of keys it is about to use.
 */
#include "backend/cpu-gemm.h"

#include <math.h>
#include <string.h>

#include "kernels/cpu/ref/ref.h"

enum
{
  MOST_KEYS = 256, /* of a block: a row of scores is a row of A */
  LEAST_KEYS = 32,
  MOST_QUERIES = 192,
  MOST_HEAD_DIM = 4096,
  MOST_BIASES = 1 << 18, /* of a head: one for each distance between a query and a key */
  KEY_BLOCK_BYTES = 1 << 20,
  QUERY_BYTES = 3 << 19, /* queries and outputs of a task */
  SCORE_STRIDE = GEMM_A_STRIDE / 4
};

typedef struct
{
  _Alignas(64) char scores[GEMM_MAX_MR * GEMM_A_STRIDE];
  _Alignas(64) char keys[KEY_BLOCK_BYTES];
  _Alignas(64) char queries[QUERY_BYTES];
  float biases[MOST_BIASES]; /* of the task's distances, least first */
  float max[MOST_QUERIES], sum[MOST_QUERIES];
  const float *rows[MOST_QUERIES];
} AttentionScratch;

_Static_assert(sizeof (AttentionScratch) <= THREAD_BYTES, "a thread's scratch holds attention");
_Static_assert(MOST_KEYS * 4 + 64 <= GEMM_A_STRIDE, "a row of scores fits a row of A");

typedef struct
{
  CpuBackend *cpu;
  const GemmKernels *kernels;
  const AttentionArgs *args;
  float scale; /* in base 2 */
  /* head_dim as K of the first product */
  int64_t dim_block, n_dim_blocks, dim_block_units, dim_units;
  int64_t dim_padded; /* head_dim as columns of the second */
  int64_t keys_a_block, n_key_blocks, key_block_bytes, values_offset;
  int64_t queries_a_task, n_query_blocks;
  bool has_bias;
  int64_t head0, n_heads; /* of this pass, counted over the batch */
  bool pack_in_task;
} Job;

/* The keys of one block, as two factors. */
typedef struct
{
  int64_t k0;
  int n, units; /* keys; units of K in the second product */
  const char *keys, *values;
} KeyBlock;

/* The queries of one task. */
typedef struct
{
  const Job *job;
  AttentionScratch *s;
  int64_t head, q0;
  int n;
  float *out; /* (n, dim_padded) */
} QueryBlock;

static int
units_of (const Job *job, int64_t elements)
{
  return (int) round_up (ceil_div (elements, elements_per_unit (job->kernels)),
                         job->kernels->unit_align);
}

static const float *
head_of (const Job *job, const float *x, int64_t stride, int64_t len, int64_t head)
{
  const AttentionArgs *a = job->args;
  return x + head / a->n_heads * len * stride + head % a->n_heads * a->head_dim;
}

static const uint16_t *
head_bf16_of (const Job *job, const uint16_t *x, int64_t stride, int64_t len, int64_t head)
{
  const AttentionArgs *a = job->args;
  return x + head / a->n_heads * len * stride + head % a->n_heads * a->head_dim;
}

static int
width_of (const GemmKernels *k, int64_t cols_left)
{
  return cols_left <= k->narrow ? k->narrow : k->nr;
}

static void
pack_keys (const Job *job, char *dst, int64_t head, int64_t k0, int n)
{
  const AttentionArgs *a = job->args;
  const GemmKernels *k = job->kernels;
  Param keys = { .dtype = a->k_bf16 ? DTYPE_BF16 : DTYPE_F32 };
  if (a->k_bf16)
    keys.data = head_bf16_of (job, a->k_bf16, a->k_stride, a->len_k, head);
  else
    keys.data = head_of (job, a->k, a->k_stride, a->len_k, head);
  GemmWeights w = { keys, a->k_stride, 1 };
  for (int j = 0; j < n; j += k->nr)
    for (int64_t d = 0; d < a->head_dim; d += job->dim_block)
      {
        int nc = (int) min_i64 (job->dim_block, a->head_dim - d);
        int width = width_of (k, n - j), units = units_of (job, nc);
        k->pack_b (dst, width, &w, k0 + j, (int) min_i64 (n - j, k->nr), d, nc, units);
        dst += (int64_t) width * units * 4;
      }
}

/* (n, cols) of 16 bits, rows @stride apart, as f32 with rows GEMM_MAX_NR apart. */
static void
widen (float *to, const uint16_t *from, int64_t stride, int n, int cols)
{
  for (int i = 0; i < n; i++)
    for (int j = 0; j < cols; j++)
      to[i * GEMM_MAX_NR + j] = bf16_to_f32 (from[i * stride + j]);
}

static void
pack_values_bf16 (const Job *job, char *dst, int64_t head, int64_t k0, int n)
{
  const AttentionArgs *a = job->args;
  const GemmKernels *k = job->kernels;
  const uint16_t *v = head_bf16_of (job, a->v_bf16, a->v_stride, a->len_k, head) + k0 * a->v_stride;
  int units = units_of (job, n);
  float wide[MOST_KEYS * GEMM_MAX_NR];
  for (int64_t d = 0; d < a->head_dim; d += k->nr)
    {
      int width = width_of (k, a->head_dim - d);
      int cols = (int) min_i64 (a->head_dim - d, k->nr);
      widen (wide, v + d, a->v_stride, n, cols);
      k->pack_v (dst, width, wide, GEMM_MAX_NR, cols, n, units);
      dst += (int64_t) width * units * 4;
    }
}

static void
pack_values (const Job *job, char *dst, int64_t head, int64_t k0, int n)
{
  const AttentionArgs *a = job->args;
  const GemmKernels *k = job->kernels;
  const float *v = head_of (job, a->v, a->v_stride, a->len_k, head) + k0 * a->v_stride;
  int units = units_of (job, n);
  for (int64_t d = 0; d < a->head_dim; d += k->nr)
    {
      int width = width_of (k, a->head_dim - d);
      int cols = (int) min_i64 (a->head_dim - d, k->nr);
      k->pack_v (dst, width, v + d, a->v_stride, cols, n, units);
      dst += (int64_t) width * units * 4;
    }
}

static KeyBlock
key_block (const Job *job, char *memory, int64_t block)
{
  KeyBlock b = { .k0 = block * job->keys_a_block };
  b.n = (int) min_i64 (job->keys_a_block, job->args->len_k - b.k0);
  b.units = units_of (job, b.n);
  b.keys = memory;
  b.values = memory + job->values_offset;
  return b;
}

static void
pack_key_block (const Job *job, char *memory, int64_t head, int64_t block)
{
  KeyBlock b = key_block (job, memory, block);
  pack_keys (job, memory, head, b.k0, b.n);
  (job->args->v_bf16 ? pack_values_bf16 : pack_values) (job, memory + job->values_offset, head,
                                                        b.k0, b.n);
}

static char *
shared_keys (const Job *job, int64_t head, int64_t block)
{
  int64_t slot = (head - job->head0) * job->n_key_blocks + block;
  return job->cpu->gemm->shared + slot * job->key_block_bytes;
}

static void
pack_task (void *data, int64_t index, int thread)
{
  const Job *job = data;
  int64_t head = job->head0 + index / job->n_key_blocks, block = index % job->n_key_blocks;
  pack_key_block (job, shared_keys (job, head, block), head, block);
}

/* From the least distance, between the last query and the first key.  Scores are scaled later. */
static void
gather_biases (const QueryBlock *q)
{
  const AttentionArgs *a = q->job->args;
  int64_t first = a->len_q - q->q0 - q->n, n = a->len_k + q->n - 1;
  const float *from = a->relative_bias + first * a->n_heads + q->head % a->n_heads;
  for (int64_t i = 0; i < n; i++)
    q->s->biases[i] = from[i * a->n_heads] / a->scale;
}

/* What is added to a strip's scores, where they will be. */
static void
set_biases (const QueryBlock *q, const KeyBlock *b, int row0, int rows)
{
  const AttentionArgs *a = q->job->args;
  const float *key_bias =
      a->key_bias ? a->key_bias + q->head / a->n_heads * a->len_k + b->k0 : NULL;
  for (int r = 0; r < rows; r++)
    {
      float *scores = (float *) q->s->scores + r * SCORE_STRIDE;
      memset (scores, 0, (size_t) round_up (b->n, GEMM_MAX_NR) * sizeof *scores);
      if (a->relative_bias)
        memcpy (scores, q->s->biases + b->k0 + q->n - 1 - (row0 + r),
                (size_t) b->n * sizeof *scores);
      for (int j = 0; key_bias && j < b->n; j++)
        scores[j] += key_bias[j] / a->scale;
    }
}

static void
make_scores (const QueryBlock *q, const KeyBlock *b, int row0, int rows)
{
  const Job *job = q->job;
  const GemmKernels *k = job->kernels;
  float *scores = (float *) q->s->scores;
  const char *keys = b->keys;
  for (int j = 0; j < b->n; j += k->nr)
    for (int64_t i = 0; i < job->n_dim_blocks; i++)
      {
        int width = width_of (k, b->n - j);
        int units =
            units_of (job, min_i64 (job->dim_block, job->args->head_dim - i * job->dim_block));
        const char *a = q->s->queries + (i * job->queries_a_task + row0) * GEMM_A_STRIDE;
        k->tile (rows, width == k->nr, units, a, keys, scores + j, SCORE_STRIDE,
                 i > 0 || job->has_bias ? scores + j : NULL, NULL, keys);
        keys += (int64_t) width * units * 4;
      }
}

static void
make_probabilities (const QueryBlock *q, const KeyBlock *b, int row0, int rows)
{
  const Job *job = q->job;
  const GemmKernels *k = job->kernels;
  int n_padded = b->units * elements_per_unit (k);
  for (int r = 0; r < rows; r++)
    {
      float *scores = (float *) q->s->scores + r * SCORE_STRIDE;
      float *out = q->out + (row0 + r) * job->dim_padded;
      int64_t seen = job->args->causal ? q->q0 + row0 + r + 1 - b->k0 : b->n;
      if (seen <= 0)
        {
          memset (scores, 0, (size_t) n_padded * (k->format == GEMM_PAIRS ? 2 : 4));
          continue;
        }
      float factor = k->softmax (scores, (int) min_i64 (seen, b->n), n_padded, job->scale,
                                 &q->s->max[row0 + r], &q->s->sum[row0 + r]);
      if (b->k0 > 0 && factor != 1.0f)
        k->scale (out, out, job->dim_padded, factor);
    }
}

static void
add_values (const QueryBlock *q, const KeyBlock *b, int row0, int rows)
{
  const Job *job = q->job;
  const GemmKernels *k = job->kernels;
  const char *values = b->values;
  for (int64_t d = 0; d < job->args->head_dim; d += k->nr)
    {
      int width = width_of (k, job->args->head_dim - d);
      float *out = q->out + row0 * job->dim_padded + d;
      k->tile (rows, width == k->nr, b->units, q->s->scores, values, out, job->dim_padded,
               b->k0 > 0 ? out : NULL, NULL, values);
      values += (int64_t) width * b->units * 4;
    }
}

static void
pack_queries (const QueryBlock *q)
{
  const Job *job = q->job;
  const AttentionArgs *a = job->args;
  const float *x = head_of (job, a->q, a->q_stride, a->len_q, q->head) + q->q0 * a->q_stride;
  for (int r = 0; r < q->n; r++)
    {
      q->s->rows[r] = x + r * a->q_stride;
      q->s->max[r] = -3.4e38f; /* below every score, and finite so that differences are */
      q->s->sum[r] = 0.0f;
    }
  for (int64_t i = 0; i < job->n_dim_blocks; i++)
    {
      int64_t d = i * job->dim_block;
      int nc = (int) min_i64 (job->dim_block, a->head_dim - d);
      char *dst = q->s->queries + i * job->queries_a_task * GEMM_A_STRIDE;
      job->kernels->pack_a (dst, q->s->rows, q->n, 1, d, nc, units_of (job, nc));
    }
}

static void
write_out (const QueryBlock *q)
{
  const Job *job = q->job;
  const AttentionArgs *a = job->args;
  int64_t stride = a->n_heads * a->head_dim;
  float *y = a->y + (q->head / a->n_heads * a->len_q + q->q0) * stride +
             q->head % a->n_heads * a->head_dim;
  for (int r = 0; r < q->n; r++)
    job->kernels->scale (y + r * stride, q->out + r * job->dim_padded, a->head_dim,
                         1.0f / q->s->sum[r]);
}

static void
attend (const QueryBlock *q)
{
  const Job *job = q->job;
  int64_t last = job->args->causal ? q->q0 + q->n - 1 : INT64_MAX;
  for (int64_t i = 0; i < job->n_key_blocks && i * job->keys_a_block <= last; i++)
    {
      char *memory = job->pack_in_task ? q->s->keys : shared_keys (job, q->head, i);
      if (job->pack_in_task)
        pack_key_block (job, memory, q->head, i);
      KeyBlock b = key_block (job, memory, i);
      for (int r = 0; r < q->n; r += job->kernels->mr)
        {
          int rows = (int) min_i64 (job->kernels->mr, q->n - r);
          if (job->args->causal && q->q0 + r + rows - 1 < b.k0)
            continue;
          if (job->has_bias)
            set_biases (q, &b, r, rows);
          make_scores (q, &b, r, rows);
          make_probabilities (q, &b, r, rows);
          add_values (q, &b, r, rows);
        }
    }
}

static void
query_task (void *data, int64_t index, int thread)
{
  const Job *job = data;
  QueryBlock q = { .job = job, .s = (AttentionScratch *) thread_scratch (job->cpu, thread) };
  q.head = job->head0 + index / job->n_query_blocks;
  q.q0 = index % job->n_query_blocks * job->queries_a_task;
  q.n = (int) min_i64 (job->queries_a_task, job->args->len_q - q.q0);
  q.out = (float *) (q.s->queries + job->queries_a_task * GEMM_A_STRIDE * job->n_dim_blocks);
  pack_queries (&q);
  if (job->args->relative_bias)
    gather_biases (&q);
  if (job->kernels->begin)
    job->kernels->begin ();
  attend (&q);
  if (job->kernels->end)
    job->kernels->end ();
  write_out (&q);
}

static void
cut_dims (Job *job)
{
  const GemmKernels *k = job->kernels;
  int64_t dim = job->args->head_dim, most = GEMM_BLOCK_UNITS * elements_per_unit (k);
  job->dim_block = min_i64 (most, round_up (ceil_div (dim, ceil_div (dim, most)), 32));
  job->n_dim_blocks = ceil_div (dim, job->dim_block);
  job->dim_block_units = units_of (job, min_i64 (job->dim_block, dim));
  job->dim_units = (job->n_dim_blocks - 1) * job->dim_block_units +
                   units_of (job, dim - (job->n_dim_blocks - 1) * job->dim_block);
  int64_t full = dim / k->nr * k->nr;
  job->dim_padded = full + (dim > full ? width_of (k, dim - full) : 0);
}

static void
cut_keys_and_queries (Job *job)
{
  const AttentionArgs *a = job->args;
  const GemmKernels *k = job->kernels;
  int64_t key_bytes = job->dim_units * 4 + job->dim_padded * 4 / elements_per_unit (k);
  job->keys_a_block = MOST_KEYS;
  while (job->keys_a_block > LEAST_KEYS && job->keys_a_block * key_bytes > KEY_BLOCK_BYTES)
    job->keys_a_block /= 2;
  job->n_key_blocks = ceil_div (a->len_k, job->keys_a_block);
  job->values_offset = job->keys_a_block * job->dim_units * 4;
  job->key_block_bytes = job->keys_a_block * key_bytes;
  int64_t query_bytes = job->n_dim_blocks * GEMM_A_STRIDE + job->dim_padded * 4;
  int64_t most = min_i64 (MOST_QUERIES, QUERY_BYTES / query_bytes / k->mr * k->mr);
  job->n_query_blocks = ceil_div (a->len_q, most);
  job->queries_a_task = round_up (ceil_div (a->len_q, job->n_query_blocks), k->mr);
  job->n_query_blocks = ceil_div (a->len_q, job->queries_a_task);
}

static void
run_pass (Job *job)
{
  CpuBackend *b = job->cpu;
  if (!job->pack_in_task)
    threads_run (b->threads, job->n_heads * job->n_key_blocks, pack_task, job, b->base.cancel);
  threads_run (b->threads, job->n_heads * job->n_query_blocks, query_task, job, b->base.cancel);
}

/* No model has such heads, nor so long a text: the reference is right, and slow. */
static bool
is_beyond_kernels (const AttentionArgs *a)
{
  bool has_bias = a->relative_bias || a->key_bias;
  return a->head_dim > MOST_HEAD_DIM || !(a->scale >= 0.0f) || (has_bias && a->scale == 0.0f) ||
         (a->relative_bias && a->len_k + MOST_QUERIES > MOST_BIASES);
}

void
cpu_attention (Backend *base, const AttentionArgs *a)
{
  CpuBackend *b = (CpuBackend *) base;
  if (is_beyond_kernels (a))
    {
      ref_attention (a);
      return;
    }
  Job job = { .cpu = b,
              .kernels = gemm_kernels (b, a->compute),
              .args = a,
              .scale = a->scale * (float) M_LOG2E,
              .has_bias = a->relative_bias || a->key_bias };
  cut_dims (&job);
  cut_keys_and_queries (&job);
  int64_t all_heads = a->n * a->n_heads;
  int64_t a_pass = SHARED_BYTES / (job.n_key_blocks * job.key_block_bytes);
  job.pack_in_task = a_pass == 0;
  if (job.pack_in_task)
    a_pass = all_heads;
  for (job.head0 = 0; job.head0 < all_heads; job.head0 += a_pass)
    {
      job.n_heads = min_i64 (a_pass, all_heads - job.head0);
      run_pass (&job);
    }
}
