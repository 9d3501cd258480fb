// SPDX-License-Identifier: MPL-2.0
// gemm.cu - y = epilogue (x w^T) by mma.sync: a block makes 128 x 128 (or 64 x 64) of y.
//
// Shapes   x (n_rows, n_in), w (n_out, n_in), y (n_rows, n_out) or half as wide for GEGLU.
// Numbers  16-bit factors, f32 sums, one rounding after the epilogue.
// Limit    the tensor cores from 64 rows on (n_rows, n_out > 500 fill them); below, reading w.
// Aliases  epilogue.add may equal y: a thread reads what it then writes.
#include "common/epilogue.cuh"

struct Gemm
{
  GkGemm u;
  Epilogue epilogue;
};

template <class T, class S> GK_KERNEL (S::n_threads, 1) gemm (const GK_CONST Gemm a)
{
  GK_DYNAMIC_SHARED (memory);
  bool geglu = a.epilogue.u.activation == GK_ACT_GEGLU;
  int64_t row = (int64_t) gk_block_x () * S::m,
          column = (int64_t) gk_block_y () * (geglu ? S::n / 2 : S::n);
  RowLoader<S::pieces_a, S::n_threads, 2> load_x;
  RowLoader<S::pieces_b, S::n_threads, 2> load_w;
  Sums<S> sums;
  load_x.init (a.u.x, a.u.x_stride, a.u.n_in,
               [&] (int r) { return row + r < a.u.n_rows ? row + r : -1; });
  load_w.init (a.u.w, a.u.n_in, a.u.n_in,
               [&] (int r) { return epilogue_column (a.epilogue, column, r); });
  int n_steps = (int) ((a.u.n_in * 2 + TILE_ROW_BYTES - 1) / TILE_ROW_BYTES);
  multiply<T> (sums, load_x, load_w, n_steps, gk_shared_address (memory));
  epilogue_finish<T> (a.epilogue, sums, row, column, memory);
}

template <class T, class S>
static int
launch (const Gemm &a, GkStream stream)
{
  // Blocks that follow one another share w's rows: x changes fastest.
  dim3 grid ((uint32_t) gk_ceil_div (a.u.n_rows, S::m), (uint32_t) gk_ceil_div (a.u.n_out, S::n));
  auto kernel = gemm<T, S>;
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
gk_gemm (const GkGemm *u, void *stream)
{
  Gemm a = { *u, epilogue_new (u->epilogue, u->n_rows, u->n_out) };
  bool geglu = u->epilogue.activation == GK_ACT_GEGLU;
  if (u->format != GK_WEIGHT_16 || (geglu && u->n_out % 16))
    return GK_INVALID;
  if (u->n_rows <= 0 || u->n_out <= 0)
    return GK_OK;
  return u->type == GK_TYPE_BF16 ? launch_shape<Bf16> (a, (GkStream) stream)
                                 : launch_shape<F16> (a, (GkStream) stream);
}
