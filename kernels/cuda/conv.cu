// SPDX-License-Identifier: MPL-2.0
// conv.cu - convolution of channels-last pictures, or of three frames in a row, as a product whose
// A is gathered: a row for each output pixel, a column for each tap and channel.
//
// Shapes   x (n, h_in, w_in, c_in), w (c_out, kernel, kernel, ceil8 (c_in)), y (n, h_out, w_out,
//          c_out); kernel 1 or 3, stride 1 or 2; with upsample2 x is seen doubled.  Over time w has
//          three times the taps, the oldest frame's first; leading frames of zeros are left out.
// Numbers  as gemm.cu; a normed input is rounded to 16 bits before it is multiplied.
// Limit    the tensor cores from 32 channels on; with a norm, the arithmetic of the norm, which is
//          done once a tap.
// Aliases  epilogue.add may equal y.
#include "common/epilogue.cuh"

struct Conv
{
  GkConv u;
  Epilogue epilogue;
  int64_t c_padded, n_k, w_stride;
  int n_taps, taps_per_frame;
  const uint16_t *frames[3]; // oldest first; of a picture the first
  bool wide;
};

// Pieces of eight channels under a tap, one row of the tile for each output pixel.
template <class T, class S, bool NORM> struct PixelLoader
{
  const Conv &a;
  int64_t image[S::pieces_a];
  int y[S::pieces_a], x[S::pieces_a]; // of the first tap, in the picture as the kernel sees it
  int tap[S::pieces_a], channel[S::pieces_a];
  uint4 held[S::pieces_a];
  const float *affine[S::pieces_a]; // NULL: outside, zero

  GK_DEV_MEMBER
  PixelLoader (const Conv &a_, int64_t first_row) : a (a_)
  {
    GK_UNROLL
    for (int i = 0; i < S::pieces_a; i++)
      {
        int at = i * S::n_threads + gk_thread ();
        int64_t pixel = first_row + at / TILE_PIECES, per_image = a.u.h_out * a.u.w_out;
        image[i] = pixel < a.epilogue.n_rows ? pixel / per_image : -1;
        y[i] = (int) (pixel % per_image / a.u.w_out) * a.u.stride - a.u.pad_top;
        x[i] = (int) (pixel % a.u.w_out) * a.u.stride - a.u.pad_left;
        tap[i] = 0;
        channel[i] = at % TILE_PIECES * 8;
        skip_to_tap (i);
      }
  }

  // A tap has c_padded channels.
  GK_DEV_MEMBER void
  skip_to_tap (int i)
  {
    while (channel[i] >= a.c_padded)
      {
        channel[i] -= (int) a.c_padded;
        tap[i]++;
      }
  }

  // Where piece i reads; NULL outside of the picture, in a frame of zeros and past the last tap.
  GK_DEV_MEMBER const uint16_t *
  source (int i)
  {
    int scale = a.u.upsample2 ? 2 : 1, number = tap[i] / a.taps_per_frame;
    int cell = tap[i] - number * a.taps_per_frame;
    int sy = y[i] + cell / a.u.kernel, sx = x[i] + cell % a.u.kernel;
    const uint16_t *frame = number == 0 ? a.frames[0] : number == 1 ? a.frames[1] : a.frames[2];
    bool inside = image[i] >= 0 && tap[i] < a.n_taps && frame && sy >= 0 && sx >= 0;
    if (!inside || !gk_within (sy < a.u.h_in * scale) || !gk_within (sx < a.u.w_in * scale))
      return NULL;
    int64_t pixel = (image[i] * a.u.h_in + sy / scale) * a.u.w_in + sx / scale;
    return frame + pixel * a.u.c_in + channel[i];
  }

  GK_DEV_MEMBER void
  begin (int, uint32_t tile)
  {
    GK_UNROLL
    for (int i = 0; i < S::pieces_a; i++)
      {
        int at = i * S::n_threads + gk_thread ();
        const uint16_t *p = source (i);
        int64_t n_valid = p ? gk_min (a.u.c_in - channel[i], 8) : 0;
        uint32_t to = tile_at (tile, at / TILE_PIECES, at % TILE_PIECES);
        if (NORM)
          {
            held[i] = gk_fetch8 (p, n_valid, a.wide);
            affine[i] = p ? a.u.affine + (image[i] * a.u.c_in + channel[i]) * 2 : NULL;
          }
        else if (a.wide)
          gk_copy16 (to, p ? (const void *) p : a.u.x, (int) n_valid * 2);
        else
          gk_store16 (to, gk_fetch8 (p, n_valid, false));
        channel[i] += TILE_ROW_BYTES / 2;
        skip_to_tap (i);
      }
  }

  GK_DEV_MEMBER uint4
  normed (int i)
  {
    float v[8];
    gk_unpack8<T> (v, held[i]);
    GK_UNROLL
    for (int c = 0; c < 8; c++)
      v[c] = gk_silu (v[c] * affine[i][2 * c] + affine[i][2 * c + 1]);
    return gk_pack8<T> (v);
  }

  GK_DEV_MEMBER void
  finish (uint32_t tile)
  {
    GK_UNROLL
    for (int i = 0; NORM && i < S::pieces_a; i++)
      {
        int at = i * S::n_threads + gk_thread ();
        gk_store16 (tile_at (tile, at / TILE_PIECES, at % TILE_PIECES),
                    affine[i] ? normed (i) : uint4{});
      }
  }
};

template <class T, class S, bool NORM> GK_KERNEL (S::n_threads, 1) conv (const GK_CONST Conv a)
{
  GK_DYNAMIC_SHARED (memory);
  int64_t row = (int64_t) gk_block_x () * S::m, column = (int64_t) gk_block_y () * S::n;
  PixelLoader<T, S, NORM> load_x (a, row);
  RowLoader<S::pieces_b, S::n_threads, 2> load_w;
  Sums<S> sums;
  load_w.init (a.u.w, a.w_stride, a.n_k,
               [&] (int r) { return epilogue_column (a.epilogue, column, r); });
  int n_steps = (int) ((a.n_k * 2 + TILE_ROW_BYTES - 1) / TILE_ROW_BYTES);
  multiply<T> (sums, load_x, load_w, n_steps, gk_shared_address (memory));
  epilogue_run<T> (a.epilogue, sums, row, column, memory);
}

template <class T, class S>
static int
launch (const Conv &a, GkStream stream)
{
  dim3 grid ((uint32_t) gk_ceil_div (a.epilogue.n_rows, S::m),
             (uint32_t) gk_ceil_div (a.u.c_out, S::n));
  auto kernel = a.u.affine ? conv<T, S, true> : conv<T, S, false>;
  return GK_LAUNCH (kernel, grid, dim3 (S::n_threads), S::stages * S::stage_bytes, stream, a);
}

template <class T>
static int
launch_shape (const Conv &a, GkStream stream)
{
  return shape_is_large (a.epilogue.n_rows, a.u.c_out) ? launch<T, LargeShape> (a, stream)
                                                       : launch<T, SmallShape> (a, stream);
}

// Leading zeros take no time: the product begins behind their taps.
static void
take_frames (Conv &a)
{
  int first = a.u.older[0] ? 0 : a.u.older[1] ? 1 : 2, n = 0;
  a.wide = a.wide && gk_is_wide (a.u.older[0], 0) && gk_is_wide (a.u.older[1], 0);
  for (int i = first; i < 3; i++)
    a.frames[n++] = (const uint16_t *) (i < 2 ? a.u.older[i] : a.u.x);
  a.w_stride *= 3;
  a.u.w = (const uint16_t *) a.u.w + first * a.taps_per_frame * a.c_padded;
  a.n_taps *= n;
}

extern "C" int
gk_conv (const GkConv *u, void *stream)
{
  int64_t n_rows = u->n * u->h_out * u->w_out;
  Conv a = {};
  a.u = *u;
  a.epilogue = epilogue_new (u->epilogue, n_rows, u->c_out);
  a.c_padded = (u->c_in + 7) / 8 * 8;
  a.taps_per_frame = a.n_taps = u->kernel * u->kernel;
  a.frames[0] = (const uint16_t *) u->x;
  a.wide = gk_is_wide (u->x, u->c_in);
  a.w_stride = a.n_taps * a.c_padded;
  if (u->over_time)
    take_frames (a);
  a.n_k = a.n_taps * a.c_padded;
  if ((u->affine && u->c_in % 8) || u->epilogue.activation == GK_ACT_GEGLU)
    return GK_INVALID;
  if (u->over_time && (u->affine || u->stride != 1 || u->upsample2))
    return GK_INVALID;
  if (n_rows <= 0 || u->c_out <= 0)
    return GK_OK;
  return u->type == GK_TYPE_BF16 ? launch_shape<Bf16> (a, (GkStream) stream)
                                 : launch_shape<F16> (a, (GkStream) stream);
}
