// SPDX-License-Identifier: MPL-2.0
// attention-f32.cu - attention in f32, for comparing with other programs: a warp for each query, a
// lane for each of 32 keys, then for every 32nd column.
//
// Shapes   as attention.cuh, all of it f32; head dimensions up to 1024.
// Numbers  f32 throughout; the softmax as it comes, rescaled when a larger score does.
// Limit    the caches: keys and values are read once a query.
// Aliases  none.
#include "common/gk.cuh"

enum
{
  N_WARPS = 4,
  N_THREADS = N_WARPS * GK_WARP,
  MAX_DIM = 1024,
  LANE_COLUMNS = MAX_DIM / GK_WARP
};

static constexpr float LOG2_E = 1.44269504f;

// The score of query @i and key @j in powers of two; @q in shared memory.
GK_DEV float
score_of (const GkAttention &a, const float *q, int64_t batch, int64_t head, int64_t i, int64_t j)
{
  if (!gk_within (j < a.len_k) || (a.causal && j > i))
    return -INFINITY;
  const float *k = (const float *) a.k + (batch * a.len_k + j) * a.k_stride + head * a.head_dim;
  float sum = 0, bias = 0;
  for (int64_t d = 0; d < a.head_dim; d++)
    sum += q[d] * k[d];
  if (a.relative_bias)
    bias += a.relative_bias[(j - i + a.len_q - 1) * a.n_heads + head];
  if (a.key_bias)
    bias += a.key_bias[batch * a.len_k + j];
  return (sum * a.scale + bias) * LOG2_E;
}

GK_KERNEL (N_THREADS, 1)
attention_f32 (const GK_CONST GkAttention a)
{
  GK_SHARED (float, queries, N_WARPS *MAX_DIM);
  int lane = gk_thread () % GK_WARP, warp = gk_thread () / GK_WARP;
  int64_t i = (int64_t) gk_block_x () * N_WARPS + warp, head = gk_block_y (), batch = gk_block_z ();
  float *q = queries + warp * MAX_DIM, sums[LANE_COLUMNS], maximum = -1e30f, total = 0;
  if (!gk_within (i < a.len_q))
    return;
  const float *from = (const float *) a.q + (batch * a.len_q + i) * a.q_stride + head * a.head_dim;
  for (int64_t d = lane; d < a.head_dim; d += GK_WARP)
    q[d] = from[d];
  gk_sync_warp ();
  GK_UNROLL
  for (int c = 0; c < LANE_COLUMNS; c++)
    sums[c] = 0;
  for (int64_t first = 0; first < a.len_k; first += GK_WARP)
    {
      float s = score_of (a, q, batch, head, i, first + lane);
      float m = fmaxf (maximum, gk_warp_max (s)), before = gk_exp2 (maximum - m);
      float p = gk_exp2 (s - m);
      maximum = m;
      total = total * before + gk_warp_sum (p);
      GK_UNROLL
      for (int c = 0; c < LANE_COLUMNS; c++)
        sums[c] *= before;
      for (int j = 0; j < GK_WARP; j++)
        {
          float weight = gk_shuffle (p, j);
          const float *v =
              (const float *) a.v + (batch * a.len_k + first + j) * a.v_stride + head * a.head_dim;
          GK_UNROLL
          for (int c = 0; c < LANE_COLUMNS; c++)
            if (gk_within (first + j < a.len_k) && gk_within (c * GK_WARP + lane < a.head_dim))
              sums[c] += weight * v[c * GK_WARP + lane];
        }
    }
  float *y = (float *) a.y + ((batch * a.len_q + i) * a.n_heads + head) * a.head_dim;
  GK_UNROLL
  for (int c = 0; c < LANE_COLUMNS; c++)
    if (gk_within (c * GK_WARP + lane < a.head_dim))
      y[c * GK_WARP + lane] = sums[c] / total;
}

extern "C" int
gk_attention_f32 (const GkAttention *u, void *stream)
{
  GkAttention a = *u;
  dim3 grid ((uint32_t) gk_ceil_div (a.len_q, N_WARPS), (uint32_t) a.n_heads, (uint32_t) a.n);
  if (a.head_dim < 1 || a.head_dim > MAX_DIM || a.len_k <= 0)
    return GK_INVALID;
  if (a.len_q <= 0 || a.n <= 0)
    return GK_OK;
  return GK_LAUNCH (attention_f32, grid, dim3 (N_THREADS), 0, (GkStream) stream, a);
}
