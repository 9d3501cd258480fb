// SPDX-License-Identifier: MPL-2.0
// gemm.cuh - y = epilogue (x w^T) of rows in memory by mma.sync: what gemm.cu and gemm-fp8.cu are
// but for the type of their factors, and what the other products take from them.
#pragma once

#include "epilogue.cuh"

struct Gemm
{
  GkGemm u;
  Epilogue epilogue;
};

static inline Gemm
gemm_new (const GkGemm *u)
{
  return { *u, epilogue_new (u->epilogue, u->n_rows, u->n_out) };
}

// For GEGLU halves are taken eight columns at a time.
static inline bool
gemm_has_columns (const GkGemm *u)
{
  return u->epilogue.activation != GK_ACT_GEGLU || u->n_out % 16 == 0;
}

// Where the block's tile begins: x's row, and y's column.
template <class S> struct GemmPlace
{
  int64_t row, column;

  GK_DEV_MEMBER
  GemmPlace (const Gemm &a)
  {
    bool geglu = a.epilogue.u.activation == GK_ACT_GEGLU;
    row = (int64_t) gk_block_x () * S::m;
    column = (int64_t) gk_block_y () * (geglu ? S::n / 2 : S::n);
  }

  template <class Loader>
  GK_DEV_MEMBER void
  begin_x (Loader &load, const Gemm &a) const
  {
    load.init (a.u.x, a.u.x_stride, a.u.n_in,
               [&] (int r) { return row + r < a.u.n_rows ? row + r : -1; });
  }
};

// Blocks that follow one another share w's rows: x changes fastest.
template <class S>
static dim3
gemm_grid (const Gemm &a)
{
  return dim3 ((uint32_t) gk_ceil_div (a.u.n_rows, S::m), (uint32_t) gk_ceil_div (a.u.n_out, S::n));
}

// @F: multiplies factors of F::bytes; @T: y's type.
template <class T, class F, class S> GK_KERNEL (S::n_threads, 1) gemm (const GK_CONST Gemm a)
{
  GK_DYNAMIC_SHARED (memory);
  GemmPlace<S> place (a);
  RowLoader<S::pieces_a, S::n_threads, F::bytes> load_x;
  RowLoader<S::pieces_b, S::n_threads, F::bytes> load_w;
  Sums<S> sums;
  place.begin_x (load_x, a);
  load_w.init (a.u.w, a.u.n_in, a.u.n_in,
               [&] (int r) { return epilogue_column (a.epilogue, place.column, r); });
  int n_steps = (int) ((a.u.n_in * F::bytes + TILE_ROW_BYTES - 1) / TILE_ROW_BYTES);
  multiply<F> (sums, load_x, load_w, n_steps, gk_shared_address (memory));
  epilogue_finish<T> (a.epilogue, sums, place.row, place.column, memory);
}

template <class T, class F, class S>
static int
gemm_launch_shape (const Gemm &a, GkStream stream)
{
  auto kernel = gemm<T, F, S>;
  return GK_LAUNCH (kernel, gemm_grid<S> (a), dim3 (S::n_threads), S::stages * S::stage_bytes,
                    stream, a);
}

template <class T, class F>
static int
gemm_launch (const Gemm &a, GkStream stream)
{
  if (a.u.n_rows <= 0 || a.u.n_out <= 0)
    return GK_OK;
  return shape_is_large (a.u.n_rows, a.u.n_out) ? gemm_launch_shape<T, F, LargeShape> (a, stream)
                                                : gemm_launch_shape<T, F, SmallShape> (a, stream);
}
