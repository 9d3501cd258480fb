// SPDX-License-Identifier: MPL-2.0
// gemm.cu - y = epilogue (x w^T) by mma.sync: a block makes 128 x 128 (or 64 x 64) of y.
//
// Shapes   x (n_rows, n_in), w (n_out, n_in), y (n_rows, n_out) or half as wide for GEGLU.
// Numbers  16-bit factors, f32 sums, one rounding after the epilogue.
// Limit    the tensor cores from 64 rows on (n_rows, n_out > 500 fill them); below, reading w.
// Aliases  epilogue.add may equal y: a thread reads what it then writes.
#include "common/gemm.cuh"

template <class T> struct Wide : T
{
  static constexpr int bytes = 2;
};

extern "C" int
gk_gemm (const GkGemm *u, void *stream)
{
  if (u->format != GK_WEIGHT_16 || !gemm_has_columns (u))
    return GK_INVALID;
  return u->type == GK_TYPE_BF16 ? gemm_launch<Bf16, Wide<Bf16>> (gemm_new (u), (GkStream) stream)
                                 : gemm_launch<F16, Wide<F16>> (gemm_new (u), (GkStream) stream);
}
