// SPDX-License-Identifier: MPL-2.0
// attention-wgmma.cu - y = softmax (scale q k^T) v on sm_90a: a block has 128 queries of one head;
// TMA brings keys and values in turns, two warpgroups of 64 queries multiply them by wgmma.
//
// Shapes     as attention.cuh, D one of 40, 64, 80, 128, 160; no causality, no biases.
// Numbers    as attention.cuh.
// Limit      the tensor cores: 128 queries and 128 keys take 16 D cycles of them, and 1024 of
//            exponentials: as many at D 64, half at D 128.
// Registers  D 128: 64 of scores, 64 of sums, 32 of weights, of 240 that a thread may have.
// Source     Shah et al., FlashAttention-3, 2024, sections 3.1 and 3.2: while one warpgroup softens
//            its scores, the other multiplies (they take turns by named barriers); and a
//            warpgroup's scores of the next keys are made together with the sums of these values.
//
// In shared memory rows have whole lines of 64 values; past D they are zeros, as TMA fills what is
// outside of the tensor.  Sums of those are made, too, and not stored.
#include "common/ring.cuh"

enum
{
  N_GROUPS = 2,
  GROUP_QUERIES = 64,
  GROUP_THREADS = 128,
  N_CONSUMERS = N_GROUPS * GROUP_THREADS,
  N_THREADS = N_CONSUMERS + GROUP_THREADS, // and a warpgroup of which one thread loads
  BOX = 64,                                // rows, and values of each, that one load brings
  BOX_BYTES = BOX * RING_LINE_BYTES,
  LINE = RING_LINE_BYTES / 2, // values
  N_STAGES = 2,
  TURN_BARRIER = 1, // and one more: of the second warpgroup
  CONSUMER_REGISTERS = 240,
  PRODUCER_REGISTERS = 24
};

static constexpr float LOG2_E = 1.44269504f;

struct Maps
{
  GkTensorMap q, k, v;
};

template <int D> struct Layout
{
  static constexpr int lines = (D + LINE - 1) / LINE;
  static constexpr int step_keys = D <= 128 ? 128 : 64;
  static constexpr int boxes = step_keys / BOX; // one above the other; lines lie beside each other
  static constexpr int line_bytes = step_keys * RING_LINE_BYTES; // from line to line
  static constexpr int tile_bytes = lines * line_bytes;
  static constexpr int query_bytes = N_GROUPS * lines * BOX_BYTES;
  static constexpr int shared_bytes =
      query_bytes + 2 * N_STAGES * (tile_bytes + 2 * RING_MARK_BYTES) + RING_MARK_BYTES;
};

#if GK_HAS_WGMMA
template <int D> struct Memory
{
  typedef Layout<D> L;
  typedef Ring<N_STAGES, L::tile_bytes> Tiles;
  uint32_t queries, queries_full;
  Tiles keys, values;

  GK_DEV_MEMBER
  Memory (uint32_t shared)
  {
    queries = shared;
    keys.tiles = shared + L::query_bytes;
    values.tiles = keys.tiles + Tiles::tile_bytes;
    keys.marks = values.tiles + Tiles::tile_bytes;
    values.marks = keys.marks + Tiles::mark_bytes;
    queries_full = values.marks + Tiles::mark_bytes;
  }

  GK_DEV_MEMBER void
  init () const
  {
    keys.init (N_CONSUMERS / GK_WARP);
    values.init (N_CONSUMERS / GK_WARP);
    gk_barrier_init (queries_full, 1);
    gk_barrier_fence_init ();
  }
};

// --- the thread that loads ---

template <int D>
GK_DEV void
load_tile (uint32_t tile, uint32_t full, const GkTensorMap *map, int row)
{
  typedef Layout<D> L;
  GK_UNROLL
  for (int line = 0; line < L::lines; line++)
    GK_UNROLL
  for (int box = 0; box < L::boxes; box++)
    gk_tma_load4 (tile + (uint32_t) (line * L::line_bytes + box * BOX_BYTES), map, line * LINE,
                  row + box * BOX, gk_block_y (), gk_block_z (), full);
}

template <int D>
GK_DEV void
load_queries (const Memory<D> &m, const GkTensorMap *map)
{
  typedef Layout<D> L;
  gk_barrier_expect (m.queries_full, L::query_bytes);
  GK_UNROLL
  for (int group = 0; group < N_GROUPS; group++)
    GK_UNROLL
  for (int line = 0; line < L::lines; line++)
    gk_tma_load4 (m.queries + (uint32_t) ((group * L::lines + line) * BOX_BYTES), map, line * LINE,
                  (gk_block_x () * N_GROUPS + group) * GROUP_QUERIES, gk_block_y (), gk_block_z (),
                  m.queries_full);
}

// In the order of use: keys are wanted one step before their values.
template <int D>
GK_DEV void
produce (const Memory<D> &m, const Maps &maps, int n_steps)
{
  typedef Layout<D> L;
  load_queries (m, &maps.q);
  for (int step = 0; step <= n_steps; step++)
    {
      int before = step - 1;
      if (step < n_steps)
        {
          if (step >= N_STAGES)
            gk_barrier_wait (m.keys.empty (step), m.keys.phase (step) ^ 1);
          gk_barrier_expect (m.keys.full (step), L::tile_bytes);
          load_tile<D> (m.keys.tile (step), m.keys.full (step), &maps.k, step * L::step_keys);
        }
      if (step == 0)
        continue;
      if (before >= N_STAGES)
        gk_barrier_wait (m.values.empty (before), m.values.phase (before) ^ 1);
      gk_barrier_expect (m.values.full (before), L::tile_bytes);
      load_tile<D> (m.values.tile (before), m.values.full (before), &maps.v, before * L::step_keys);
    }
}

// --- a warpgroup's 64 queries ---

template <class T, int D> struct Consumer
{
  typedef Layout<D> L;
  static constexpr int columns = L::lines * LINE, fragments = columns / 8;
  static constexpr int keys = L::step_keys / 8; // fragments of scores
  static constexpr int steps = (D + 15) / 16;   // of 16 along D

  const GkAttention &a;
  const Memory<D> &m;
  int group, n_steps;
  float scores[keys][4], sums[fragments][4]; // as mma.sync has them: rows lane / 4 and 8 further
  uint32_t weights[keys / 2][4];             // scores of the step before, softened and rounded
  float maximum[2], total[2]; // of this lane's two rows; of totals, its own columns' share

  GK_DEV_MEMBER
  Consumer (const GkAttention &a_, const Memory<D> &m_, int n_steps_)
      : a (a_), m (m_), group (gk_thread () / GROUP_THREADS), n_steps (n_steps_)
  {
    GK_UNROLL
    for (int i = 0; i < fragments; i++)
      GK_UNROLL
    for (int e = 0; e < 4; e++)
      sums[i][e] = 0;
    GK_UNROLL
    for (int r = 0; r < 2; r++)
      {
        maximum[r] = -1e30f;
        total[r] = 0;
      }
  }

  // The first warpgroup begins; it has nobody to wait for, and the second has nobody to call last.
  GK_DEV_MEMBER void
  take_turn (int step)
  {
    if (group > 0 || step > 0)
      gk_sync_named (TURN_BARRIER + group, N_CONSUMERS);
  }
  GK_DEV_MEMBER void
  give_turn (int step)
  {
    if (group == 0 || step + 1 < n_steps)
      gk_arrive_named (TURN_BARRIER + 1 - group, N_CONSUMERS);
  }

  // Issues scores = q k^T.
  GK_DEV_MEMBER void
  multiply_keys (int step)
  {
    float (&d)[L::step_keys / 2] = (float (&)[L::step_keys / 2]) scores;
    uint32_t mine = m.queries + (uint32_t) (group * L::lines * BOX_BYTES),
             tile = m.keys.tile (step);
    gk_wgmma_fence ();
    GK_UNROLL
    for (int s = 0; s < steps; s++)
      {
        uint32_t along = (uint32_t) (s * 16 % LINE * 2);
        int line = s * 16 / LINE;
        gk_wgmma<L::step_keys, T::is_f16> (
            d, tile_descriptor (mine + (uint32_t) (line * BOX_BYTES) + along),
            tile_descriptor (tile + (uint32_t) (line * L::line_bytes) + along), s > 0);
      }
    gk_wgmma_commit ();
  }

  // Issues sums += weights v.
  GK_DEV_MEMBER void
  multiply_values (int step)
  {
    float (&d)[columns / 2] = (float (&)[columns / 2]) sums;
    gk_wgmma_fence ();
    GK_UNROLL
    for (int s = 0; s < L::step_keys / 16; s++)
      gk_wgmma_transposed<columns, T::is_f16> (
          d, weights[s],
          tile_descriptor (m.values.tile (step) + (uint32_t) (s * 16 * RING_LINE_BYTES),
                           L::line_bytes),
          true);
    gk_wgmma_commit ();
  }

  GK_DEV_MEMBER void
  release (uint32_t empty)
  {
    if (gk_thread () % GK_WARP == 0)
      gk_barrier_arrive (empty);
  }

  // Scores of keys that are not there never weigh.
  GK_DEV_MEMBER void
  mask (int step)
  {
    int first = step * L::step_keys + gk_thread () % 4 * 2;
    if ((step + 1) * L::step_keys <= a.len_k)
      return;
    GK_UNROLL
    for (int n = 0; n < keys; n++)
      GK_UNROLL
    for (int e = 0; e < 4; e++)
      if (!gk_within (first + n * 8 + e % 2 < a.len_k))
        scores[n][e] = -INFINITY;
  }

  // Turns scores of row @r into weights.  Returns: what its sums are to be multiplied by
  GK_DEV_MEMBER float
  soften (int r)
  {
    float highest = maximum[r], sum = 0, factor = a.scale * LOG2_E;
    GK_UNROLL
    for (int n = 0; n < keys; n++)
      highest = fmaxf (highest, fmaxf (scores[n][2 * r], scores[n][2 * r + 1]));
    highest = fmaxf (highest, gk_shuffle_xor (highest, 1));
    highest = fmaxf (highest, gk_shuffle_xor (highest, 2));
    float shrink = gk_exp2 ((maximum[r] - highest) * factor), offset = highest * factor;
    maximum[r] = highest;
    GK_UNROLL
    for (int n = 0; n < keys; n++)
      GK_UNROLL
    for (int e = 2 * r; e < 2 * r + 2; e++)
      {
        scores[n][e] = gk_exp2 (scores[n][e] * factor - offset);
        sum += scores[n][e];
      }
    total[r] = total[r] * shrink + sum;
    return shrink;
  }

  GK_DEV_MEMBER void
  round_weights ()
  {
    GK_UNROLL
    for (int s = 0; s < keys / 2; s++)
      GK_UNROLL
    for (int i = 0; i < 4; i++)
      {
        const float *two = &scores[2 * s + i / 2][i % 2 * 2];
        weights[s][i] = T::pack (two[0], two[1]);
      }
  }

  GK_DEV_MEMBER void
  shrink_sums (const float (&shrink)[2])
  {
    GK_UNROLL
    for (int i = 0; i < fragments; i++)
      GK_UNROLL
    for (int e = 0; e < 4; e++)
      sums[i][e] *= shrink[e / 2];
  }

  // The scores of @step, and the sums of the values before.
  GK_DEV_MEMBER void
  advance (int step)
  {
    int before = step - 1;
    gk_barrier_wait (m.keys.full (step), m.keys.phase (step));
    take_turn (step);
    multiply_keys (step);
    if (step > 0)
      {
        gk_barrier_wait (m.values.full (before), m.values.phase (before));
        multiply_values (before);
      }
    give_turn (step);
    if (step > 0)
      gk_wgmma_wait<1> ();
    else
      gk_wgmma_wait<0> ();
    gk_wgmma_taken ((float (&)[keys * 4]) scores);
    release (m.keys.empty (step));
    mask (step);
    float shrink[2] = { soften (0), soften (1) };
    if (step > 0)
      {
        gk_wgmma_wait<0> ();
        gk_wgmma_taken ((float (&)[fragments * 4]) sums);
        release (m.values.empty (before));
        shrink_sums (shrink);
      }
    round_weights ();
  }

  GK_DEV_MEMBER void
  finish ()
  {
    int last = n_steps - 1;
    gk_barrier_wait (m.values.full (last), m.values.phase (last));
    multiply_values (last);
    gk_wgmma_wait<0> ();
    gk_wgmma_taken ((float (&)[fragments * 4]) sums);
  }

  GK_DEV_MEMBER void
  store ()
  {
    int lane = gk_thread () % GK_WARP, warp = gk_thread () / GK_WARP;
    GK_UNROLL
    for (int r = 0; r < 2; r++)
      {
        float sum = total[r] + gk_shuffle_xor (total[r], 1);
        float inverse = gk_reciprocal (sum + gk_shuffle_xor (sum, 2));
        int64_t query = ((int64_t) gk_block_x () * N_GROUPS * 4 + warp) * 16 + lane / 4 + r * 8;
        int64_t row = (gk_block_z () * a.len_q + query) * a.n_heads + gk_block_y ();
        uint16_t *y = (uint16_t *) a.y + row * D + lane % 4 * 2;
        if (!gk_within (query < a.len_q))
          continue;
        GK_UNROLL
        for (int i = 0; i < D / 8; i++)
          gk_write2<T> (y + i * 8, sums[i][2 * r] * inverse, sums[i][2 * r + 1] * inverse);
      }
  }

  GK_DEV_MEMBER void
  run ()
  {
    gk_barrier_wait (m.queries_full, 0);
    advance (0);
    for (int step = 1; step < n_steps; step++)
      advance (step);
    finish ();
    store ();
  }
};
#endif

template <class T, int D>
GK_KERNEL (N_THREADS, 1)
attention_wgmma (const GK_CONST Maps maps, const GK_CONST GkAttention a)
{
#if GK_HAS_WGMMA
  GK_DYNAMIC_SHARED (memory);
  Memory<D> m (gk_shared_address (memory));
  int n_steps = (int) ((a.len_k + Layout<D>::step_keys - 1) / Layout<D>::step_keys);
  if (gk_thread () == 0)
    m.init ();
  gk_sync ();
  if (gk_thread () >= N_CONSUMERS)
    {
      gk_registers_fewer<PRODUCER_REGISTERS> ();
      if (gk_thread () == N_CONSUMERS)
        produce (m, maps, n_steps);
      return;
    }
  gk_registers_more<CONSUMER_REGISTERS> ();
  Consumer<T, D> consumer (a, m, n_steps);
  consumer.run ();
#endif
}

template <int D>
static int
launch (const GkAttentionWgmma *u, GkStream stream)
{
  const GkAttention &a = u->attention;
  dim3 grid ((uint32_t) gk_ceil_div (a.len_q, N_GROUPS * GROUP_QUERIES), (uint32_t) a.n_heads,
             (uint32_t) a.n);
  Maps maps = { *(const GkTensorMap *) u->q_map, *(const GkTensorMap *) u->k_map,
                *(const GkTensorMap *) u->v_map };
  auto kernel = a.type == GK_TYPE_BF16 ? attention_wgmma<Bf16, D> : attention_wgmma<F16, D>;
  return GK_LAUNCH (kernel, grid, dim3 (N_THREADS), Layout<D>::shared_bytes, stream, maps, a);
}

extern "C" int
gk_attention_wgmma (const GkAttentionWgmma *u, void *stream)
{
  const GkAttention &a = u->attention;
  if (a.causal || a.relative_bias || a.key_bias || a.len_k <= 0 || !(a.scale > 0) ||
      a.len_q + a.len_k > INT32_MAX || !u->q_map || !u->k_map || !u->v_map)
    return GK_INVALID;
  if (a.len_q <= 0 || a.n <= 0)
    return GK_OK;
  switch (a.head_dim)
    {
    case 40:
      return launch<40> (u, (GkStream) stream);
    case 64:
      return launch<64> (u, (GkStream) stream);
    case 80:
      return launch<80> (u, (GkStream) stream);
    case 128:
      return launch<128> (u, (GkStream) stream);
    case 160:
      return launch<160> (u, (GkStream) stream);
    default:
      return GK_INVALID;
    }
}
