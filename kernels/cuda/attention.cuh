// SPDX-License-Identifier: MPL-2.0
// attention.cuh - y = softmax (scale q k^T + biases) v by mma.sync; a block has 64 queries of one
// head, a warp 16 of them.  attention-D.cu compiles it for a head dimension.
//
// Shapes   q (n, len_q, heads x D), k and v (n, len_k, heads x D) with strides, y (n, len_q, heads
//          x D); any lengths; D a multiple of 8.
// Numbers  16-bit factors; scores, maxima and sums f32; weights are rounded to 16 bits for the
//          second product.
// Limit    the tensor cores: 4 len_q len_k D multiply-adds a head; exponentials at D 40 and 64.
// Source   Dao, FlashAttention-2, 2023: the sums are rescaled when the running maximum grows.
#pragma once

#include "common/gk.cuh"

enum
{
  ATTENTION_QUERIES = 64,
  ATTENTION_THREADS = ATTENTION_QUERIES / 16 * GK_WARP
};

static constexpr float LOG2_E = 1.44269504f;

template <class T, int D> struct Attention
{
  static constexpr int steps = (D + 15) / 16;          // of 16 along D
  static constexpr int columns = steps * 2;            // fragments of 8 along D
  static constexpr int step_keys = D <= 128 ? 64 : 32; // at once: scores stay in registers
  static constexpr int keys = step_keys / 8;
  static constexpr int row_bytes = (D + 63) / 64 * 128; // swizzles go over 128 bytes
  static constexpr int tile_bytes = ATTENTION_QUERIES * row_bytes;
  static constexpr int shared_bytes = tile_bytes + 2 * step_keys * row_bytes;
  static constexpr int pieces = columns;          // of 16 bytes a row, zeros past D
  static constexpr bool keeps_queries = D <= 128; // in registers, as long as there are enough

  const GkAttention &a;
  uint32_t tile_q, tile_k, tile_v;
  int first_query, batch, head, len_q, len_k;
  uint32_t q[keeps_queries ? steps : 1][4];
  float sums[columns][4], scores[keys][4];
  float maximum[2], total[2]; // of this lane's two rows; of totals, its own columns' share

  GK_DEV_MEMBER
  Attention (const GkAttention &a_, uint32_t shared)
      : a (a_), tile_q (shared), tile_k (shared + tile_bytes),
        tile_v (tile_k + step_keys * row_bytes)
  {
    first_query = gk_block_x () * ATTENTION_QUERIES;
    head = gk_block_y ();
    batch = gk_block_z ();
    len_q = (int) a.len_q;
    len_k = (int) a.len_k;
    GK_UNROLL
    for (int i = 0; i < columns; i++)
      GK_UNROLL
    for (int e = 0; e < 4; e++)
      sums[i][e] = 0;
    GK_UNROLL
    for (int r = 0; r < 2; r++)
      {
        maximum[r] = -1e30f; // finite, so that a hidden key's -inf stays 0 weight
        total[r] = 0;
      }
  }

  GK_DEV_MEMBER static uint32_t
  at (uint32_t tile, int row, int piece)
  {
    return tile + (uint32_t) (row * row_bytes + ((piece ^ (row & 7)) << 4));
  }

  // Starts to copy ROWS rows of this head from @first on; zeros past @n_rows.
  template <int ROWS>
  GK_DEV_MEMBER void
  load (uint32_t tile, const void *base, int64_t stride, int first, int n_rows)
  {
    const uint16_t *p = (const uint16_t *) base + (int64_t) batch * n_rows * stride + head * D;
    GK_UNROLL
    for (int i = 0; i < (ROWS * pieces + ATTENTION_THREADS - 1) / ATTENTION_THREADS; i++)
      {
        int index = i * ATTENTION_THREADS + gk_thread (), row = index / pieces;
        int piece = index % pieces;
        bool inside = gk_within (first + row < n_rows) && piece * 8 < D;
        if (ROWS * pieces % ATTENTION_THREADS && index >= ROWS * pieces)
          break;
        gk_copy16 (at (tile, row, piece),
                   inside ? p + (int64_t) (first + row) * stride + piece * 8 : p, inside ? 16 : 0);
      }
    gk_copy_commit ();
  }

  GK_DEV_MEMBER int
  first_row () // of this warp, in the tile
  {
    return gk_thread () / GK_WARP * 16;
  }

  GK_DEV_MEMBER void
  take_queries (uint32_t (&r)[4], int step)
  {
    int lane = gk_thread () % GK_WARP;
    gk_ldmatrix (r, at (tile_q, first_row () + lane % 16, step * 2 + lane / 16));
  }

  GK_DEV_MEMBER void
  multiply_keys ()
  {
    int lane = gk_thread () % GK_WARP;
    GK_UNROLL
    for (int n = 0; n < keys; n++)
      GK_UNROLL
    for (int e = 0; e < 4; e++)
      scores[n][e] = 0;
    GK_UNROLL
    for (int s = 0; s < steps; s++)
      {
        uint32_t (&query)[4] = q[keeps_queries ? s : 0];
        if (!keeps_queries)
          take_queries (query, s);
        GK_UNROLL
        for (int n = 0; n < keys; n += 2)
          {
            uint32_t k[4];
            gk_ldmatrix (k, at (tile_k, n * 8 + lane % 8 + lane / 16 * 8, s * 2 + lane / 8 % 2));
            T::mma (scores[n], query, k[0], k[1]);
            T::mma (scores[n + 1], query, k[2], k[3]);
          }
      }
  }

  // Key @j as query @i sees it, in powers of two.
  GK_DEV_MEMBER float
  biased (float score, int i, int j)
  {
    float bias = 0;
    if (a.relative_bias)
      bias += a.relative_bias[(int64_t) (j - i + len_q - 1) * a.n_heads + head];
    if (a.key_bias)
      bias += a.key_bias[(int64_t) batch * len_k + j];
    return (score * a.scale + bias) * LOG2_E;
  }

  // Biases, and -inf for keys that are not there or not seen.  Returns: what scores are to be
  // multiplied by
  GK_DEV_MEMBER float
  bias_and_mask (int first_key)
  {
    int lane = gk_thread () % GK_WARP;
    bool has_bias = a.relative_bias || a.key_bias;
    if (!has_bias && !a.causal && first_key + step_keys <= len_k)
      return a.scale * LOG2_E;
    GK_UNROLL
    for (int n = 0; n < keys; n++)
      GK_UNROLL
    for (int e = 0; e < 4; e++)
      {
        int i = first_query + first_row () + lane / 4 + e / 2 * 8;
        int j = first_key + n * 8 + lane % 4 * 2 + e % 2;
        if (!gk_within (j < len_k) || (a.causal && j > i))
          scores[n][e] = -INFINITY;
        else if (has_bias && gk_within (i < len_q))
          scores[n][e] = biased (scores[n][e], i, j);
      }
    return has_bias ? 1 : a.scale * LOG2_E;
  }

  // Turns scores into weights of row @r and rescales its sums.
  GK_DEV_MEMBER void
  soften (int r, float factor)
  {
    float m = maximum[r], sum = 0;
    GK_UNROLL
    for (int n = 0; n < keys; n++)
      m = fmaxf (m, fmaxf (scores[n][2 * r] * factor, scores[n][2 * r + 1] * factor));
    m = fmaxf (m, gk_shuffle_xor (m, 1));
    m = fmaxf (m, gk_shuffle_xor (m, 2));
    float shrink = gk_exp2 (maximum[r] - m);
    maximum[r] = m;
    GK_UNROLL
    for (int n = 0; n < keys; n++)
      GK_UNROLL
    for (int e = 2 * r; e < 2 * r + 2; e++)
      {
        scores[n][e] = gk_exp2 (scores[n][e] * factor - m);
        sum += scores[n][e];
      }
    total[r] = total[r] * shrink + sum;
    GK_UNROLL
    for (int i = 0; i < columns; i++)
      {
        sums[i][2 * r] *= shrink;
        sums[i][2 * r + 1] *= shrink;
      }
  }

  GK_DEV_MEMBER void
  multiply_values ()
  {
    int lane = gk_thread () % GK_WARP;
    GK_UNROLL
    for (int s = 0; s < step_keys / 16; s++)
      {
        const float *left = scores[2 * s], *right = scores[2 * s + 1];
        uint32_t p[4] = { T::pack (left[0], left[1]), T::pack (left[2], left[3]),
                          T::pack (right[0], right[1]), T::pack (right[2], right[3]) };
        GK_UNROLL
        for (int i = 0; i < columns; i += 2)
          {
            uint32_t v[4];
            gk_ldmatrix_transposed (v, at (tile_v, s * 16 + lane % 16, i + lane / 16));
            T::mma (sums[i], p, v[0], v[1]);
            T::mma (sums[i + 1], p, v[2], v[3]);
          }
      }
  }

  // Through this warp's rows of the queries' tile, so that rows are written in 16 bytes.
  GK_DEV_MEMBER void
  store ()
  {
    int lane = gk_thread () % GK_WARP;
    float inverse[2];
    GK_UNROLL
    for (int r = 0; r < 2; r++)
      {
        float sum = total[r] + gk_shuffle_xor (total[r], 1);
        inverse[r] = gk_reciprocal (sum + gk_shuffle_xor (sum, 2));
      }
    GK_UNROLL
    for (int i = 0; i < columns; i++)
      GK_UNROLL
    for (int r = 0; r < 2; r++)
      gk_store4 (at (tile_q, first_row () + lane / 4 + r * 8, i) + lane % 4 * 4,
                 T::pack (sums[i][2 * r] * inverse[r], sums[i][2 * r + 1] * inverse[r]));
    gk_sync_warp ();
    for (int index = lane; index < 16 * (D / 8); index += GK_WARP)
      {
        int row = first_row () + index / (D / 8), piece = index % (D / 8);
        uint4 w = gk_load16 (at (tile_q, row, piece));
        uint16_t *y = (uint16_t *) a.y +
                      (((int64_t) batch * len_q + first_query + row) * a.n_heads + head) * D +
                      piece * 8;
        if (gk_within (first_query + row < len_q))
          *(uint4 *) y = w;
      }
  }

  // The next keys are on their way while weights and values are multiplied, and values while
  // queries and keys are.
  GK_DEV_MEMBER void
  run ()
  {
    int n_keys = a.causal ? (int) gk_min (len_k, first_query + ATTENTION_QUERIES) : len_k;
    load<ATTENTION_QUERIES> (tile_q, a.q, a.q_stride, first_query, len_q);
    load<step_keys> (tile_k, a.k, a.k_stride, 0, len_k);
    for (int first = 0; first < n_keys; first += step_keys)
      {
        gk_copy_wait<0> ();
        gk_sync (); // these keys are there; everybody is done with the values before
        load<step_keys> (tile_v, a.v, a.v_stride, first, len_k);
        GK_UNROLL
        for (int s = 0; keeps_queries && s < steps; s++)
          if (first == 0)
            take_queries (q[s], s);
        multiply_keys ();
        float factor = bias_and_mask (first);
        gk_copy_wait<0> ();
        gk_sync (); // these values are there; everybody is done with the keys
        if (first + step_keys < n_keys)
          load<step_keys> (tile_k, a.k, a.k_stride, first + step_keys, len_k);
        soften (0, factor);
        soften (1, factor);
        multiply_values ();
      }
    store ();
  }
};

template <class T, int D> GK_KERNEL (ATTENTION_THREADS, 1) attention (const GK_CONST GkAttention a)
{
  GK_DYNAMIC_SHARED (memory);
  Attention<T, D> block (a, gk_shared_address (memory));
  block.run ();
}

template <int D>
static int
attention_launch (const GkAttention *u, void *stream)
{
  GkAttention a = *u;
  dim3 grid ((uint32_t) gk_ceil_div (a.len_q, ATTENTION_QUERIES), (uint32_t) a.n_heads,
             (uint32_t) a.n);
  constexpr int shared_bytes = Attention<Bf16, D>::shared_bytes;
  if (a.head_dim != D || a.len_k <= 0 || a.len_q + a.len_k > INT32_MAX || a.q_stride % 8 ||
      a.k_stride % 8 || a.v_stride % 8)
    return GK_INVALID;
  if (a.len_q <= 0 || a.n <= 0)
    return GK_OK;
  auto kernel = a.type == GK_TYPE_BF16 ? attention<Bf16, D> : attention<F16, D>;
  return GK_LAUNCH (kernel, grid, dim3 (ATTENTION_THREADS), shared_bytes, (GkStream) stream, a);
}
