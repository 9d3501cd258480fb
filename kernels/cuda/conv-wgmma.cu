// SPDX-License-Identifier: MPL-2.0
// conv-wgmma.cu - conv.cu's convolution on sm_90a: TMA gathers the pixels under each tap (im2col
// mode, zeros outside of the picture) into a ring of tiles, which wgmma multiplies.
//
// Shapes   as conv.cu without affine and upsample2; c_in a multiple of 8.
// Numbers  as conv.cu; channels past c_in in a tile are zeros of x, so that w's may be anything.
// Limit    as gemm-wgmma.cu: L2 before the tensor cores; of 64 n + r channels, r also take 64.
// Aliases  epilogue.add may equal y.
#include "common/wgmma.cuh"

enum
{
  MOST_FRAMES = 3
};

struct Conv
{
  GkConv u;
  Epilogue epilogue;
  int n_frames, first_tap; // frames of zeros in front are left out
};

struct Frames
{
  GkTensorMap map[MOST_FRAMES]; // oldest first
};

#if GK_HAS_WGMMA
struct PixelsLoader
{
  const Frames &frames;
  const GkTensorMap *w_map;
  const Conv &a;
  int picture, y, x, column; // of the block's first pixel under the first tap; of w
  int frame, tap_y, tap_x, channel;

  GK_DEV_MEMBER void
  next (int, uint32_t tile, uint32_t full)
  {
    int kernel = a.u.kernel, tap = (frame * kernel + tap_y) * kernel + tap_x + a.first_tap;
    int k = tap * (int) a.u.c_in + channel;
    gk_tma_load_pixels (tile, &frames.map[frame], channel, x, y, picture, tap_x, tap_y, full);
    gk_tma_load2 (tile + A_BYTES, w_map, k, column, full);
    advance ();
  }

  // Channels, then taps to the right, down, and of the next frame.
  GK_DEV_MEMBER void
  advance ()
  {
    channel += GK_WGMMA_K;
    if (channel < a.u.c_in)
      return;
    channel = 0;
    if (++tap_x < a.u.kernel)
      return;
    tap_x = 0;
    if (++tap_y < a.u.kernel)
      return;
    tap_y = 0;
    frame++;
  }
};
#endif

template <class T>
GK_KERNEL (N_THREADS, 1)
conv_wgmma (const GK_CONST Frames frames, const GK_CONST GkTensorMap w_map, const GK_CONST Conv a)
{
#if GK_HAS_WGMMA
  int64_t row = (int64_t) gk_block_x () * GK_WGMMA_M, per_picture = a.u.h_out * a.u.w_out;
  int column = gk_block_y () * GK_WGMMA_N;
  int y = (int) (row % per_picture / a.u.w_out) * a.u.stride - a.u.pad_top;
  int x = (int) (row % a.u.w_out) * a.u.stride - a.u.pad_left;
  PixelsLoader loader = { frames, &w_map, a, (int) (row / per_picture), y, x, column, 0, 0, 0, 0 };
  int n_pieces = (int) (a.u.c_in + GK_WGMMA_K - 1) / GK_WGMMA_K;
  int n_steps = a.n_frames * a.u.kernel * a.u.kernel * n_pieces;
  wgmma_block<T, Wide<T>> (a.epilogue, loader, n_steps, row, column);
#endif
}

extern "C" int
gk_conv_wgmma (const GkConvWgmma *c, void *stream)
{
  const GkConv *u = &c->conv;
  int64_t n_rows = u->n * u->h_out * u->w_out;
  Conv a = { *u, epilogue_new (u->epilogue, n_rows, u->c_out), 0, 0 };
  Frames frames = {};
  int first = !u->over_time || (!u->older[0] && !u->older[1]) ? 2 : u->older[0] ? 0 : 1;
  if (u->affine || u->upsample2 || u->c_in % 8 || u->epilogue.activation == GK_ACT_GEGLU)
    return GK_INVALID;
  for (int i = first; i < MOST_FRAMES; i++)
    {
      if (!c->frame_maps[i])
        return GK_INVALID;
      frames.map[a.n_frames++] = *(const GkTensorMap *) c->frame_maps[i];
    }
  a.first_tap = u->over_time ? first * u->kernel * u->kernel : 0;
  if (!c->w_map)
    return GK_INVALID;
  if (n_rows <= 0 || u->c_out <= 0)
    return GK_OK;
  dim3 grid ((uint32_t) gk_ceil_div (n_rows, GK_WGMMA_M),
             (uint32_t) gk_ceil_div (u->c_out, GK_WGMMA_N));
  GkTensorMap w_map = *(const GkTensorMap *) c->w_map;
  auto kernel = u->type == GK_TYPE_BF16 ? conv_wgmma<Bf16> : conv_wgmma<F16>;
  return GK_LAUNCH (kernel, grid, dim3 (N_THREADS), SHARED_BYTES, (GkStream) stream, frames, w_map,
                    a);
}
