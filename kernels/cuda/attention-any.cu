// SPDX-License-Identifier: MPL-2.0
// attention-any.cu - attention for the head dimensions that attention.cuh is not compiled for: the
// one wide head of a VAE, small models.  A block has 32 queries of one head; its eight warps share
// the scores and then the columns.
//
// Shapes   as attention.cuh; D even, at most 1024.  What is wider than 512 is taken in parts:
// scores
//          are sums over them, and each part of the values has a block of its own.
// Numbers  as attention.cuh.
// Limit    shared memory: each score is stored once and read once in f32, and a fragment of keys is
//          read by two warps only.  Its share of a VAE's time is small.
#include "common/tile.cuh"

enum
{
  QUERIES = 32,
  KEYS = 32, // at once: a lane for each in the softmax
  N_WARPS = 8,
  N_THREADS = N_WARPS * GK_WARP,
  PART_DIM = 512,
  MAX_DIM = 2 * PART_DIM,
  WARP_COLUMNS = PART_DIM / 8 / N_WARPS, // fragments of 8 along D that a warp sums up
  ROWS_PER_WARP = QUERIES / N_WARPS
};

static constexpr float LOG2_E = 1.44269504f;

struct Any
{
  GkAttention u;
  int n_parts, pieces, row_bytes; // of a row in shared memory: 16 bytes each, zeros past D
  bool wide;
};

template <class T> struct Block
{
  const Any &a;
  uint32_t tile_q, tile_kv;
  float *scores, *shrink, *total; // shared: (QUERIES, KEYS), (QUERIES), (QUERIES)
  uint16_t *weights;              // shared: (QUERIES, KEYS), swizzled as by tile_at
  int first_query, head, batch, part, lane, warp;
  float sums[2][WARP_COLUMNS][4];
  float maximum[ROWS_PER_WARP], sum[ROWS_PER_WARP];

  GK_DEV_MEMBER
  Block (const Any &a_, uint32_t shared) : a (a_), tile_q (shared)
  {
    tile_kv = shared + (uint32_t) (QUERIES * a.row_bytes);
    first_query = gk_block_x () * QUERIES;
    head = gk_block_y ();
    batch = gk_block_z () / a.n_parts;
    part = gk_block_z () % a.n_parts;
    lane = gk_thread () % GK_WARP;
    warp = gk_thread () / GK_WARP;
    GK_UNROLL
    for (int m = 0; m < 2; m++)
      GK_UNROLL
    for (int c = 0; c < WARP_COLUMNS; c++)
      GK_UNROLL
    for (int e = 0; e < 4; e++)
      sums[m][c][e] = 0;
    GK_UNROLL
    for (int r = 0; r < ROWS_PER_WARP; r++)
      {
        maximum[r] = -1e30f;
        sum[r] = 0;
      }
  }

  GK_DEV_MEMBER uint32_t
  at (uint32_t tile, int row, int piece)
  {
    return tile + (uint32_t) (row * a.row_bytes + ((piece ^ (row & 7)) << 4));
  }

  // Starts to copy a part of 32 rows of this head from @first on; zeros past @n_rows and past D.
  GK_DEV_MEMBER void
  load (uint32_t tile, const void *base, int64_t stride, int first, int64_t n_rows, int of_part)
  {
    const uint16_t *p = (const uint16_t *) base + (int64_t) batch * n_rows * stride +
                        head * a.u.head_dim + of_part * PART_DIM;
    for (int i = gk_thread (); i < QUERIES * a.pieces; i += N_THREADS)
      {
        int row = i / a.pieces, piece = i % a.pieces;
        int64_t left = a.u.head_dim - of_part * PART_DIM - piece * 8;
        int64_t n_valid = gk_within (first + row < n_rows) ? gk_max (gk_min (left, 8), 0) : 0;
        const uint16_t *from = n_valid ? p + (first + row) * stride + piece * 8 : p;
        if (a.wide)
          gk_copy16 (at (tile, row, piece), from, (int) n_valid * 2);
        else
          gk_store16 (at (tile, row, piece), gk_fetch8 (from, n_valid, false));
      }
    gk_copy_commit ();
  }

  // A warp makes 16 x 8 of the scores, part after part.
  GK_DEV_MEMBER void
  multiply_keys (float (&c)[4], bool is_last)
  {
    int row = warp / 4 * 16, column = warp % 4 * 8;
    for (int piece = 0; piece < a.pieces; piece += 4)
      {
        uint32_t q[4], k[4];
        gk_ldmatrix (k, at (tile_kv, column + lane % 8, piece + lane / 8));
        gk_ldmatrix (q, at (tile_q, row + lane % 16, piece + lane / 16));
        T::mma (c, q, k[0], k[1]);
        gk_ldmatrix (q, at (tile_q, row + lane % 16, piece + 2 + lane / 16));
        T::mma (c, q, k[2], k[3]);
      }
    GK_UNROLL
    for (int e = 0; is_last && e < 4; e++)
      scores[(row + lane / 4 + e / 2 * 8) * KEYS + column + lane % 4 * 2 + e % 2] = c[e];
  }

  // The score of query @i and key @j in powers of two.
  GK_DEV_MEMBER float
  biased (float score, int i, int j)
  {
    float bias = 0;
    if (!gk_within (j < a.u.len_k) || (a.u.causal && j > i))
      return -INFINITY;
    if (a.u.relative_bias && gk_within (i < a.u.len_q))
      bias += a.u.relative_bias[(j - i + a.u.len_q - 1) * a.u.n_heads + head];
    if (a.u.key_bias)
      bias += a.u.key_bias[batch * a.u.len_k + j];
    return (score * a.u.scale + bias) * LOG2_E;
  }

  // A warp takes ROWS_PER_WARP queries, a lane one key of each.
  GK_DEV_MEMBER void
  soften (int first_key)
  {
    GK_UNROLL
    for (int r = 0; r < ROWS_PER_WARP; r++)
      {
        int row = warp * ROWS_PER_WARP + r;
        float s = biased (scores[row * KEYS + lane], first_query + row, first_key + lane);
        float m = fmaxf (maximum[r], gk_warp_max (s)), before = gk_exp2 (maximum[r] - m);
        float p = gk_exp2 (s - m);
        maximum[r] = m;
        sum[r] = sum[r] * before + gk_warp_sum (p);
        weights[row * KEYS + ((lane / 8 ^ (row >> 1 & 3)) << 3) + lane % 8] =
            (uint16_t) T::pack (p, 0);
        if (lane == 0)
          shrink[row] = before;
      }
  }

  GK_DEV_MEMBER void
  multiply_values (uint32_t tile_weights)
  {
    GK_UNROLL
    for (int m = 0; m < 2; m++)
      {
        float before[2] = { shrink[m * 16 + lane / 4], shrink[m * 16 + lane / 4 + 8] };
        GK_UNROLL
        for (int c = 0; c < WARP_COLUMNS; c++)
          GK_UNROLL
        for (int e = 0; e < 4; e++)
          sums[m][c][e] *= before[e / 2];
      }
    GK_UNROLL
    for (int s = 0; s < KEYS / 16; s++)
      {
        uint32_t p[2][4], v[4];
        GK_UNROLL
        for (int m = 0; m < 2; m++)
          gk_ldmatrix (p[m], tile_at (tile_weights, m * 16 + lane % 16, s * 2 + lane / 16));
        GK_UNROLL
        for (int c = 0; c < WARP_COLUMNS; c += 2)
          if (warp * WARP_COLUMNS + c < a.pieces)
            {
              gk_ldmatrix_transposed (
                  v, at (tile_kv, s * 16 + lane % 16, warp * WARP_COLUMNS + c + lane / 16));
              GK_UNROLL
              for (int m = 0; m < 2; m++)
                {
                  T::mma (sums[m][c], p[m], v[0], v[1]);
                  T::mma (sums[m][c + 1], p[m], v[2], v[3]);
                }
            }
      }
  }

  GK_DEV_MEMBER void
  store ()
  {
    GK_UNROLL
    for (int r = 0; r < ROWS_PER_WARP; r++)
      if (lane == 0)
        total[warp * ROWS_PER_WARP + r] = sum[r];
    gk_sync ();
    GK_UNROLL
    for (int m = 0; m < 2; m++)
      GK_UNROLL
    for (int half = 0; half < 2; half++)
      {
        int row = m * 16 + lane / 4 + half * 8;
        float inverse = gk_reciprocal (total[row]);
        uint16_t *y = (uint16_t *) a.u.y +
                      ((batch * a.u.len_q + first_query + row) * a.u.n_heads + head) * a.u.head_dim;
        GK_UNROLL
        for (int c = 0; c < WARP_COLUMNS; c++)
          {
            int column = part * PART_DIM + (warp * WARP_COLUMNS + c) * 8 + lane % 4 * 2;
            if (gk_within (first_query + row < a.u.len_q) && gk_within (column < a.u.head_dim))
              *(uint32_t *) (y + column) =
                  T::pack (sums[m][c][2 * half] * inverse, sums[m][c][2 * half + 1] * inverse);
          }
      }
  }

  // Keys and values take turns in one tile.
  GK_DEV_MEMBER void
  run ()
  {
    int n_keys = a.u.causal ? (int) gk_min (a.u.len_k, first_query + QUERIES) : (int) a.u.len_k;
    for (int first = 0; first < n_keys; first += KEYS)
      {
        float c[4] = { 0, 0, 0, 0 };
        for (int p = 0; p < a.n_parts; p++)
          {
            if (a.n_parts > 1 || first == 0)
              load (tile_q, a.u.q, a.u.q_stride, first_query, a.u.len_q, p);
            load (tile_kv, a.u.k, a.u.k_stride, first, a.u.len_k, p);
            gk_copy_wait<0> ();
            gk_sync (); // the keys are there
            multiply_keys (c, p + 1 == a.n_parts);
            gk_sync (); // the scores are there; everybody is done with the keys
          }
        load (tile_kv, a.u.v, a.u.v_stride, first, a.u.len_k, part);
        soften (first);
        gk_copy_wait<0> ();
        gk_sync (); // the values and the weights are there
        multiply_values (gk_shared_address (weights));
        gk_sync (); // everybody is done with the values
      }
    store ();
  }
};

template <class T> GK_KERNEL (N_THREADS, 1) attention_any (const GK_CONST Any a)
{
  GK_DYNAMIC_SHARED (memory);
  GK_SHARED (float, scores, QUERIES *KEYS);
  GK_SHARED (float, shrink, QUERIES);
  GK_SHARED (float, total, QUERIES);
  GK_SHARED (uint16_t, weights, QUERIES * KEYS);
  Block<T> block (a, gk_shared_address (memory));
  block.scores = scores;
  block.shrink = shrink;
  block.total = total;
  block.weights = weights;
  block.run ();
}

extern "C" int
gk_attention_any (const GkAttention *u, void *stream)
{
  int64_t dim = u->head_dim, part = gk_min (dim, PART_DIM);
  Any a = { *u, dim > PART_DIM ? 2 : 1, (int) (gk_ceil_div (part, 32) * 4),
            (int) (gk_ceil_div (part, 64) * 128),
            dim % 8 == 0 && gk_is_wide (u->q, u->q_stride) && gk_is_wide (u->k, u->k_stride) &&
                gk_is_wide (u->v, u->v_stride) };
  dim3 grid ((uint32_t) gk_ceil_div (u->len_q, QUERIES), (uint32_t) u->n_heads,
             (uint32_t) (u->n * a.n_parts));
  size_t shared_bytes = (size_t) (2 * QUERIES * a.row_bytes);
  if (dim < 2 || dim > MAX_DIM || dim % 2 || u->len_k <= 0 || u->len_q + u->len_k > INT32_MAX)
    return GK_INVALID;
  if (u->len_q <= 0 || u->n <= 0)
    return GK_OK;
  auto kernel = u->type == GK_TYPE_BF16 ? attention_any<Bf16> : attention_any<F16>;
  return GK_LAUNCH (kernel, grid, dim3 (N_THREADS), shared_bytes, (GkStream) stream, a);
}
