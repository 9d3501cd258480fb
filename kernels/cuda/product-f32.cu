// SPDX-License-Identifier: MPL-2.0
// product-f32.cu - products and convolutions with f32 factors, for comparing with other programs.
//
// Shapes   as gemm.cu and conv.cu, all of it f32; no GEGLU, no norm in front.
// Numbers  f32 factors and sums, one multiply-add after the other.
// Limit    the f32 units: an eighth of the tensor cores' rate at best, and tiles are small.
// Aliases  epilogue.add may equal y: a thread reads what it then writes.
#include "common/epilogue.cuh"

enum
{
  N_THREADS = 128,
  TILE = 64,        // rows and columns of a block
  STEP = 16,        // along K
  PITCH = TILE + 4, // of a row in shared memory
  THREAD_ROWS = 4,  // of 8 columns each
  PER_THREAD = TILE * STEP / N_THREADS
};

// Where a factor's element (row, k) lies; NULL: zero.
struct Rows
{
  const float *base;
  int64_t n_rows, stride, n_k;

  GK_DEV_MEMBER const float *
  at (int64_t row, int64_t k) const
  {
    bool inside = gk_within (row < n_rows) && gk_within (k < n_k);
    return inside ? base + row * stride + k : NULL;
  }
};

// As PixelLoader of conv.cu, an element at a time.
struct Pixels
{
  GkConv u;
  int64_t n_rows, c_padded, n_k;
  int taps_per_frame;
  const float *frames[3];

  GK_DEV_MEMBER const float *
  at (int64_t row, int64_t k) const
  {
    int tap = (int) (k / c_padded), number = tap / taps_per_frame, cell = tap % taps_per_frame;
    int64_t channel = k % c_padded, scale = u.upsample2 ? 2 : 1;
    int64_t y = row / u.w_out % u.h_out * u.stride - u.pad_top + cell / u.kernel;
    int64_t x = row % u.w_out * u.stride - u.pad_left + cell % u.kernel;
    const float *frame = number == 0 ? frames[0] : number == 1 ? frames[1] : frames[2];
    bool inside = gk_within (row < n_rows) && gk_within (k < n_k) && frame && y >= 0 && x >= 0 &&
                  gk_within (channel < u.c_in);
    if (!inside || !gk_within (y < u.h_in * scale) || !gk_within (x < u.w_in * scale))
      return NULL;
    int64_t image = row / (u.h_out * u.w_out);
    return frame + ((image * u.h_in + y / scale) * u.w_in + x / scale) * u.c_in + channel;
  }
};

template <class A> struct Product
{
  A a;
  Rows w;
  int64_t n_k;
  Epilogue epilogue;
};

// A tile, K outermost, so that a thread's columns lie together.
template <class F>
GK_DEV void
load_tile (float *tile, const F &f, int64_t first_row, int64_t first_k)
{
  GK_UNROLL
  for (int i = 0; i < PER_THREAD; i++)
    {
      int at = i * N_THREADS + gk_thread (), k = at % STEP, row = at / STEP;
      const float *p = f.at (first_row + row, first_k + k);
      tile[k * PITCH + row] = p ? *p : 0;
    }
}

GK_DEV void
take4 (float *v, const float *cells)
{
  uint4 w = *(const uint4 *) cells;
  GK_UNROLL
  for (int i = 0; i < 4; i++)
    v[i] = gk_bits_float (gk_word (w, i));
}

template <class A> GK_KERNEL (N_THREADS, 1) product_f32 (const GK_CONST Product<A> a)
{
  GK_SHARED (float, tile_a, STEP *PITCH);
  GK_SHARED (float, tile_w, STEP *PITCH);
  int64_t first_row = (int64_t) gk_block_x () * TILE, first_column = (int64_t) gk_block_y () * TILE;
  int row = gk_thread () / (TILE / 8) * THREAD_ROWS, column = gk_thread () % (TILE / 8) * 8;
  float sums[THREAD_ROWS][8] = {};
  for (int64_t k0 = 0; k0 < a.n_k; k0 += STEP)
    {
      load_tile (tile_a, a.a, first_row, k0);
      load_tile (tile_w, a.w, first_column, k0);
      gk_sync (); // the tiles are there
      for (int k = 0; k < STEP; k++)
        {
          float x[THREAD_ROWS], w[8];
          take4 (x, tile_a + k * PITCH + row);
          take4 (w, tile_w + k * PITCH + column);
          take4 (w + 4, tile_w + k * PITCH + column + 4);
          GK_UNROLL
          for (int r = 0; r < THREAD_ROWS; r++)
            GK_UNROLL
          for (int c = 0; c < 8; c++)
            sums[r][c] += x[r] * w[c];
        }
      gk_sync (); // everybody is done with them
    }
  GK_UNROLL
  for (int r = 0; r < THREAD_ROWS; r++)
    {
      int64_t y = first_row + row + r, x = first_column + column,
              n_valid = a.epilogue.n_columns - x;
      if (!gk_within (y < a.epilogue.n_rows) || n_valid <= 0)
        continue;
      epilogue_before<F32> (a.epilogue, sums[r], y, x, n_valid);
      GK_UNROLL
      for (int c = 0; c < 8; c++)
        sums[r][c] = epilogue_activation (a.epilogue.u.activation, sums[r][c]);
      epilogue_store<F32> (a.epilogue, sums[r], y, x, n_valid);
    }
}

template <class A>
static int
launch (const Product<A> &a, void *stream)
{
  dim3 grid ((uint32_t) gk_ceil_div (a.epilogue.n_rows, TILE),
             (uint32_t) gk_ceil_div (a.epilogue.n_columns, TILE));
  auto kernel = product_f32<A>;
  if (a.epilogue.u.activation == GK_ACT_GEGLU)
    return GK_INVALID;
  if (a.epilogue.n_rows <= 0 || a.epilogue.n_columns <= 0)
    return GK_OK;
  return GK_LAUNCH (kernel, grid, dim3 (N_THREADS), 0, (GkStream) stream, a);
}

extern "C" int
gk_gemm_f32 (const GkGemm *u, void *stream)
{
  Product<Rows> a = { { (const float *) u->x, u->n_rows, u->x_stride, u->n_in },
                      { (const float *) u->w, u->n_out, u->n_in, u->n_in },
                      u->n_in,
                      epilogue_new (u->epilogue, u->n_rows, u->n_out) };
  return u->format == GK_WEIGHT_16 ? launch (a, stream) : GK_INVALID;
}

extern "C" int
gk_conv_f32 (const GkConv *u, void *stream)
{
  Product<Pixels> a = {};
  int64_t n_rows = u->n * u->h_out * u->w_out;
  Pixels &p = a.a;
  p.u = *u;
  p.n_rows = n_rows;
  p.c_padded = (u->c_in + 7) / 8 * 8;
  p.taps_per_frame = u->kernel * u->kernel;
  p.n_k = a.n_k = p.taps_per_frame * p.c_padded * (u->over_time ? 3 : 1);
  for (int i = 0; u->over_time && i < 2; i++)
    p.frames[i] = (const float *) u->older[i];
  p.frames[u->over_time ? 2 : 0] = (const float *) u->x;
  a.w = { (const float *) u->w, u->c_out, a.n_k, a.n_k };
  a.epilogue = epilogue_new (u->epilogue, n_rows, u->c_out);
  return u->affine ? GK_INVALID : launch (a, stream);
}
