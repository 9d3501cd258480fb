// SPDX-License-Identifier: MPL-2.0
// gemm-fp8.cu - y = epilogue (x w^T) of e4m3 by mma.sync, a scale for each row of x and of w.
//
// Shapes   x (n_rows, n_in), w (n_out, n_in) bytes, y (n_rows, n_out) 16-bit; n_in a multiple
// of 16. Numbers  f32 sums (of tensor cores that keep fewer bits on some cards: to be measured
// there);
//          scales are applied once, before the bias.
// Limit    the tensor cores: twice gemm.cu's rate on sm_89, four times on sm_120, where the
//          block-scaled instruction with scales of one makes the same products at twice the plain
//          one's rate.  Not built for sm_90, where mma.sync makes these products in software: see
//          gemm-wgmma.cu.
// Aliases  epilogue.add may equal y.
#include "common/gemm.cuh"

struct E4m3
{
  static constexpr int bytes = 1;
  GK_DEV_MEMBER static void
  mma (float (&c)[4], const uint32_t (&a)[4], uint32_t b0, uint32_t b1)
  {
    gk_mma_e4m3 (c, a, b0, b1);
  }
};

extern "C" int
gk_gemm_fp8 (const GkGemm *u, void *stream)
{
  if (u->format != GK_WEIGHT_E4M3 || u->n_in % 16 || u->x_stride % 16 || !gemm_has_columns (u))
    return GK_INVALID;
  return u->type == GK_TYPE_BF16 ? gemm_launch<Bf16, E4m3> (gemm_new (u), (GkStream) stream)
                                 : gemm_launch<F16, E4m3> (gemm_new (u), (GkStream) stream);
}
