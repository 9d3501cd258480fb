// SPDX-License-Identifier: MPL-2.0
// gemm-wgmma.cu - y = epilogue (x w^T) on sm_90a: TMA fills a ring of tiles, two warpgroups
// multiply them by wgmma; a block makes 128 x 128 of y.
//
// Shapes   as gemm.cu; n_in and x_stride multiples of 8; for GEGLU n_out a multiple of 16.
// Numbers  as gemm.cu.
// Limit    L2 before the tensor cores: 128 x 128 x 64 takes 512 cycles of them and 32 KB of L2, 64
//          bytes a cycle, which is the most that an SM gets from there.
// Aliases  epilogue.add may equal y.
#include "common/epilogue.cuh"
#include "common/ring.cuh"

struct Gemm
{
  GkGemm u;
  Epilogue epilogue;
};

// A warp has 16 rows of all columns, as wgmma leaves its sums.
typedef Shape<GK_WGMMA_M, GK_WGMMA_N, 8, 1, 4> WgmmaShape;

enum
{
  N_CONSUMERS = WgmmaShape::n_threads,
  N_THREADS = N_CONSUMERS + 128, // and a warpgroup of which one thread loads
  A_BYTES = GK_WGMMA_M * RING_LINE_BYTES,
  STAGE_BYTES = (GK_WGMMA_M + GK_WGMMA_N) * RING_LINE_BYTES,
  N_STAGES = WgmmaShape::stages,
  SHARED_BYTES = N_STAGES * (STAGE_BYTES + 2 * RING_MARK_BYTES),
  CONSUMERS_BARRIER = 1
};

#if GK_HAS_WGMMA
typedef Ring<N_STAGES, STAGE_BYTES> Tiles;

GK_DEV void
produce (const Tiles &ring,
         const GkTensorMap *x_map,
         const GkTensorMap *w_map,
         const Gemm &a,
         int n_steps)
{
  int row = gk_block_x () * GK_WGMMA_M, column = gk_block_y () * GK_WGMMA_N;
  bool geglu = a.epilogue.u.activation == GK_ACT_GEGLU;
  for (int step = 0; step < n_steps; step++)
    {
      uint32_t full = ring.full (step), tile = ring.tile (step);
      if (step >= N_STAGES)
        gk_barrier_wait (ring.empty (step), ring.phase (step) ^ 1);
      gk_barrier_expect (full, STAGE_BYTES);
      gk_tma_load2 (tile, x_map, step * GK_WGMMA_K, row, full);
      if (geglu) // groups of eight columns, first of a, then of g
        gk_tma_load4 (tile + A_BYTES, w_map, step * GK_WGMMA_K, 0, 0, column / 16, full);
      else
        gk_tma_load2 (tile + A_BYTES, w_map, step * GK_WGMMA_K, column, full);
    }
}

template <class T>
GK_DEV void
consume (const Tiles &ring, Sums<WgmmaShape> &sums, int n_steps)
{
  uint32_t my_rows = (uint32_t) (gk_thread () / 128 * 64 * RING_LINE_BYTES);
  float (&d)[GK_WGMMA_N / 2] = (float (&)[GK_WGMMA_N / 2]) sums.c;
  bool arrives = gk_thread () % GK_WARP == 0;
  sums.clear ();
  for (int step = 0; step < n_steps; step++)
    {
      uint32_t tile = ring.tile (step);
      gk_barrier_wait (ring.full (step), ring.phase (step));
      gk_wgmma_fence ();
      GK_UNROLL
      for (int k = 0; k < GK_WGMMA_K; k += 16)
        gk_wgmma<GK_WGMMA_N, T::is_f16> (d, tile_descriptor (tile + my_rows + k * 2),
                                         tile_descriptor (tile + A_BYTES + k * 2), true);
      gk_wgmma_commit ();
      gk_wgmma_wait<1> (); // the products of the step before are done: its slot is free
      if (step > 0 && arrives)
        gk_barrier_arrive (ring.empty (step - 1));
    }
  gk_wgmma_wait<0> ();
  gk_wgmma_taken (d);
}
#endif

template <class T>
GK_KERNEL (N_THREADS, 1)
gemm_wgmma (const GK_CONST GkTensorMap x_map,
            const GK_CONST GkTensorMap w_map,
            const GK_CONST Gemm a)
{
#if GK_HAS_WGMMA
  GK_DYNAMIC_SHARED (memory);
  bool geglu = a.epilogue.u.activation == GK_ACT_GEGLU;
  Tiles ring = { gk_shared_address (memory), gk_shared_address (memory) + Tiles::tile_bytes };
  int n_steps = (int) ((a.u.n_in + GK_WGMMA_K - 1) / GK_WGMMA_K);
  if (gk_thread () == 0)
    {
      ring.init (N_CONSUMERS / GK_WARP);
      gk_barrier_fence_init ();
    }
  gk_sync ();
  if (gk_thread () >= N_CONSUMERS)
    {
      if (gk_thread () == N_CONSUMERS)
        produce (ring, &x_map, &w_map, a, n_steps);
      return;
    }
  Sums<WgmmaShape> sums;
  consume<T> (ring, sums, n_steps);
  gk_sync_named (CONSUMERS_BARRIER, N_CONSUMERS); // the epilogue takes the ring's memory
  epilogue_finish<T> (a.epilogue, sums, (int64_t) gk_block_x () * GK_WGMMA_M,
                      (int64_t) gk_block_y () * (geglu ? GK_WGMMA_N / 2 : GK_WGMMA_N), memory);
#endif
}

extern "C" int
gk_gemm_wgmma (const GkGemmWgmma *u, void *stream)
{
  const GkGemm *g = &u->gemm;
  Gemm a = { *g, epilogue_new (g->epilogue, g->n_rows, g->n_out) };
  dim3 grid ((uint32_t) gk_ceil_div (g->n_rows, GK_WGMMA_M),
             (uint32_t) gk_ceil_div (g->n_out, GK_WGMMA_N));
  bool geglu = g->epilogue.activation == GK_ACT_GEGLU;
  if (g->format != GK_WEIGHT_16 || g->n_in % 8 || g->x_stride % 8 || (geglu && g->n_out % 16))
    return GK_INVALID;
  if (!u->x_map || !u->w_map)
    return GK_INVALID;
  if (g->n_rows <= 0 || g->n_out <= 0)
    return GK_OK;
  GkTensorMap x_map = *(const GkTensorMap *) u->x_map, w_map = *(const GkTensorMap *) u->w_map;
  auto kernel = g->type == GK_TYPE_BF16 ? gemm_wgmma<Bf16> : gemm_wgmma<F16>;
  return GK_LAUNCH (kernel, grid, dim3 (N_THREADS), SHARED_BYTES, (GkStream) stream, x_map, w_map,
                    a);
}
