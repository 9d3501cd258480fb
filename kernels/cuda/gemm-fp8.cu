// SPDX-License-Identifier: MPL-2.0
// gemm-fp8.cu - y = epilogue (x w^T) of e4m3 by mma.sync, a scale for each row of x and of w; and
// the rounding of rows to e4m3.
//
// Shapes   x (n_rows, n_in), w (n_out, n_in) bytes, y (n_rows, n_out) 16-bit; n_in a multiple
// of 16. Numbers  f32 sums (of tensor cores that keep fewer bits on some cards: to be measured
// there);
//          scales are applied once, before the bias.
// Limit    the tensor cores: twice gemm.cu's rate on sm_89, the same on sm_120 until the
//          block-scaled instruction is used.  Not built for sm_90, where mma.sync makes these
//          products in software (and spills): that card wants wgmma.
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
  if (u->n_in % 16 || u->x_stride % 16 || (geglu && u->n_out % 16))
    return GK_INVALID;
  if (u->n_rows <= 0 || u->n_out <= 0)
    return GK_OK;
  return u->type == GK_TYPE_BF16 ? launch_shape<Bf16> (a, (GkStream) stream)
                                 : launch_shape<F16> (a, (GkStream) stream);
}

// --- rounding ---

enum
{
  N_THREADS = 128,
  N_WARPS = N_THREADS / GK_WARP
};

static constexpr float E4M3_MAX = 448;

template <class T> GK_KERNEL (N_THREADS, 1) quantise (const GK_CONST GkQuantise a)
{
  GK_SHARED (float, cells, N_WARPS);
  int64_t row = gk_block_x ();
  const uint16_t *x = (const uint16_t *) a.x + row * a.x_stride;
  float v[8], largest = 0;
  for (int64_t i = gk_thread () * 8; gk_within (i < a.dim); i += N_THREADS * 8)
    {
      gk_unpack8<T> (v, *(const uint4 *) (x + i));
      GK_UNROLL
      for (int k = 0; k < 8; k++)
        largest = fmaxf (largest, fabsf (v[k]));
    }
  largest = gk_warp_max (largest);
  if (gk_thread () % GK_WARP == 0)
    cells[gk_thread () / GK_WARP] = largest;
  gk_sync ();
  GK_UNROLL
  for (int i = 0; i < N_WARPS; i++)
    largest = fmaxf (largest, cells[i]);
  float inverse = largest > 0 ? E4M3_MAX / largest : 0;
  if (gk_thread () == 0)
    a.scale[row] = largest / E4M3_MAX;
  for (int64_t i = gk_thread () * 8; i < a.dim; i += N_THREADS * 8)
    {
      gk_unpack8<T> (v, *(const uint4 *) (x + i));
      uint32_t low = gk_pack_e4m3 (v[0] * inverse, v[1] * inverse) |
                     gk_pack_e4m3 (v[2] * inverse, v[3] * inverse) << 16;
      uint32_t high = gk_pack_e4m3 (v[4] * inverse, v[5] * inverse) |
                      gk_pack_e4m3 (v[6] * inverse, v[7] * inverse) << 16;
      *(uint2 *) (a.y + row * a.dim + i) = uint2{ low, high };
    }
}

extern "C" int
gk_quantise (const GkQuantise *u, void *stream)
{
  GkQuantise a = *u;
  dim3 grid ((uint32_t) a.n_rows);
  if (a.dim % 16 || a.x_stride % 8)
    return GK_INVALID;
  if (a.n_rows <= 0)
    return GK_OK;
  return a.type == GK_TYPE_BF16
             ? GK_LAUNCH (quantise<Bf16>, grid, dim3 (N_THREADS), 0, (GkStream) stream, a)
             : GK_LAUNCH (quantise<F16>, grid, dim3 (N_THREADS), 0, (GkStream) stream, a);
}
