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
#include "common/epilogue.cuh"

struct E4m3
{
  GK_DEV_MEMBER static void
  mma (float (&c)[4], const uint32_t (&a)[4], uint32_t b0, uint32_t b1)
  {
    gk_mma_e4m3 (c, a, b0, b1);
  }
};

struct Gemm
{
  GkGemm u;
  Epilogue epilogue;
};

template <class T, class S> GK_KERNEL (S::n_threads, 1) gemm_fp8 (const GK_CONST Gemm a)
{
  GK_DYNAMIC_SHARED (memory);
  bool geglu = a.epilogue.u.activation == GK_ACT_GEGLU;
  int64_t row = (int64_t) gk_block_x () * S::m;
  int64_t column = (int64_t) gk_block_y () * (geglu ? S::n / 2 : S::n);
  RowLoader<S::pieces_a, S::n_threads, 1> load_x;
  RowLoader<S::pieces_b, S::n_threads, 1> load_w;
  Sums<S> sums;
  load_x.init (a.u.x, a.u.x_stride, a.u.n_in,
               [&] (int r) { return row + r < a.u.n_rows ? row + r : -1; });
  load_w.init (a.u.w, a.u.n_in, a.u.n_in,
               [&] (int r) { return epilogue_column (a.epilogue, column, r); });
  int n_steps = (int) ((a.u.n_in + TILE_ROW_BYTES - 1) / TILE_ROW_BYTES);
  multiply<E4m3> (sums, load_x, load_w, n_steps, gk_shared_address (memory));
  epilogue_finish<T> (a.epilogue, sums, row, column, memory);
}

template <class T, class S>
static int
launch (const Gemm &a, GkStream stream)
{
  dim3 grid ((uint32_t) gk_ceil_div (a.u.n_rows, S::m), (uint32_t) gk_ceil_div (a.u.n_out, S::n));
  auto kernel = gemm_fp8<T, S>;
  return GK_LAUNCH (kernel, grid, dim3 (S::n_threads), S::stages * S::stage_bytes, stream, a);
}

template <class T>
static int
launch_shape (const Gemm &a, GkStream stream)
{
  return shape_is_large (a.u.n_rows, a.u.n_out) ? launch<T, LargeShape> (a, stream)
                                                : launch<T, SmallShape> (a, stream);
}

extern "C" int
gk_gemm_fp8 (const GkGemm *u, void *stream)
{
  Gemm a = { *u, epilogue_new (u->epilogue, u->n_rows, u->n_out) };
  bool geglu = u->epilogue.activation == GK_ACT_GEGLU;
  if (u->format != GK_WEIGHT_E4M3 || u->n_in % 16 || u->x_stride % 16 || (geglu && u->n_out % 16))
    return GK_INVALID;
  if (u->n_rows <= 0 || u->n_out <= 0)
    return GK_OK;
  return u->type == GK_TYPE_BF16 ? launch_shape<Bf16> (a, (GkStream) stream)
                                 : launch_shape<F16> (a, (GkStream) stream);
}
