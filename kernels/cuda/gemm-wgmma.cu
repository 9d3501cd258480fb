// SPDX-License-Identifier: MPL-2.0
// gemm-wgmma.cu - y = epilogue (x w^T) on sm_90a: TMA fills a ring of tiles, two warpgroups
// multiply them by wgmma; a block makes 128 x 128 of y.
//
// Shapes   as gemm.cu; n_in and x_stride multiples of 8, of 16 for e4m3; for GEGLU n_out a multiple
//          of 16.
// Numbers  as gemm.cu, of e4m3 as gemm-fp8.cu.
// Limit    L2 before the tensor cores: 128 x 128 x 64 takes 512 cycles of them and 32 KB of L2, 64
//          bytes a cycle, which is the most that an SM gets from there.
// Aliases  epilogue.add may equal y.
#include "common/gemm.cuh"
#include "common/wgmma.cuh"

#if GK_HAS_WGMMA
template <class F> struct RowsLoader
{
  const GkTensorMap *x_map, *w_map;
  int row, column; // of x, of w
  bool geglu;      // w in groups of eight columns, first of a, then of g

  GK_DEV_MEMBER void
  next (int step, uint32_t tile, uint32_t full)
  {
    int k = step * F::line;
    gk_tma_load2 (tile, x_map, k, row, full);
    if (geglu)
      gk_tma_load4 (tile + A_BYTES, w_map, k, 0, 0, column / 16, full);
    else
      gk_tma_load2 (tile + A_BYTES, w_map, k, column, full);
  }
};
#endif

template <class T, class F>
GK_KERNEL (N_THREADS, 1)
gemm_wgmma (const GK_CONST GkTensorMap x_map,
            const GK_CONST GkTensorMap w_map,
            const GK_CONST Gemm a)
{
#if GK_HAS_WGMMA
  bool geglu = a.epilogue.u.activation == GK_ACT_GEGLU;
  GemmPlace<WgmmaShape> place (a);
  RowsLoader<F> loader = { &x_map, &w_map, (int) place.row, gk_block_y () * GK_WGMMA_N, geglu };
  int n_steps = (int) ((a.u.n_in + F::line - 1) / F::line);
  wgmma_block<T, F> (a.epilogue, loader, n_steps, place.row, place.column);
#endif
}

extern "C" int
gk_gemm_wgmma (const GkGemmWgmma *u, void *stream)
{
  const GkGemm *g = &u->gemm;
  Gemm a = gemm_new (g);
  bool is_narrow = g->format == GK_WEIGHT_E4M3, is_bf16 = g->type == GK_TYPE_BF16;
  int together = is_narrow ? 16 : 8;
  if ((g->format != GK_WEIGHT_16 && !is_narrow) || g->n_in % together || g->x_stride % together ||
      !gemm_has_columns (g) || !u->x_map || !u->w_map)
    return GK_INVALID;
  if (g->n_rows <= 0 || g->n_out <= 0)
    return GK_OK;
  GkTensorMap x_map = *(const GkTensorMap *) u->x_map, w_map = *(const GkTensorMap *) u->w_map;
  auto wide = is_bf16 ? gemm_wgmma<Bf16, Wide<Bf16>> : gemm_wgmma<F16, Wide<F16>>;
  auto narrow = is_bf16 ? gemm_wgmma<Bf16, E4m3> : gemm_wgmma<F16, E4m3>;
  auto kernel = is_narrow ? narrow : wide;
  return GK_LAUNCH (kernel, gemm_grid<WgmmaShape> (a), dim3 (N_THREADS), SHARED_BYTES,
                    (GkStream) stream, x_map, w_map, a);
}
