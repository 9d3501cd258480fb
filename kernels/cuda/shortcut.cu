// SPDX-License-Identifier: MPL-2.0
// shortcut.cu - the ways around levels of a video VAE that halve or double frames, rows and
// columns.
//
// Shapes   as AvgDownArgs and DupUpArgs; a thread makes eight channels of an output pixel.
// Numbers  means in f32; what is added enters before the one rounding.
// Limit    memory: 2 bytes for each value read and 4 for each written; neighbours share lines.
// Aliases  add may equal y: eight values are read before they are written.
#include "common/gk.cuh"

enum
{
  N_THREADS = 256
};

// Channels @channel .. + 8 of output pixel @pixel; pixel < 0: none.
struct Piece
{
  int64_t pixel, channel;
};

GK_DEV Piece
piece_of (int64_t n_pixels, int64_t n_channels)
{
  int64_t per_pixel = (n_channels + 7) / 8;
  int64_t i = (int64_t) gk_block_x () * N_THREADS + gk_thread ();
  return { gk_within (i < n_pixels * per_pixel) ? i / per_pixel : -1, i % per_pixel * 8 };
}

static dim3
grid_of (int64_t n_pixels, int64_t n_channels)
{
  return dim3 ((uint32_t) gk_ceil_div (n_pixels * gk_ceil_div (n_channels, 8), N_THREADS));
}

template <class T>
GK_DEV void
add_and_store (float (&v)[8], const void *add, void *y, int64_t at, int64_t n_valid, bool wide)
{
  float other[8];
  if (add)
    {
      gk_read8<T> (other, gk_input<T> (add) + at, n_valid, wide);
      GK_UNROLL
      for (int i = 0; i < 8; i++)
        v[i] += other[i];
    }
  gk_write8<T> (gk_output<T> (y) + at, v, n_valid, wide);
}

// --- means ---

struct AvgDown
{
  GkAvgDown u;
  int64_t run; // values that share an output channel
  bool wide;
};

// Value @j of the block under output pixel (@y, @x), numbered (channel, frame, row, column).
template <class T>
GK_DEV float
block_value (const AvgDown &a, int64_t image, int64_t y, int64_t x, int64_t j)
{
  int f = a.u.factor, cells = a.u.n_frames * f * f, cell = (int) (j % cells);
  const typename T::Element *frame = gk_input<T> (cell < f * f ? a.u.x[0] : a.u.x[1]);
  int64_t row = (image * a.u.h + y) * f + cell / f % f, column = x * f + cell % f;
  return frame ? T::value (frame[(row * a.u.w * f + column) * a.u.c_in + j / cells]) : 0;
}

template <class T> GK_KERNEL (N_THREADS, 1) avg_down (const GK_CONST AvgDown a)
{
  Piece p = piece_of (a.u.n * a.u.h * a.u.w, a.u.c_out);
  if (p.pixel < 0)
    return;
  int64_t x = p.pixel % a.u.w, y = p.pixel / a.u.w % a.u.h, image = p.pixel / a.u.w / a.u.h;
  float v[8];
  for (int i = 0; i < 8; i++)
    {
      v[i] = 0;
      for (int64_t k = 0; gk_within (p.channel + i < a.u.c_out) && k < a.run; k++)
        v[i] += block_value<T> (a, image, y, x, (p.channel + i) * a.run + k);
      v[i] /= (float) a.run;
    }
  add_and_store<T> (v, a.u.add, a.u.y, p.pixel * a.u.c_out + p.channel, a.u.c_out - p.channel,
                    a.wide);
}

extern "C" int
gk_avg_down (const GkAvgDown *u, void *stream)
{
  int64_t cells = u->n_frames * u->factor * u->factor, n_pixels = u->n * u->h * u->w;
  if (u->c_out <= 0 || u->c_in * cells % u->c_out)
    return GK_INVALID;
  AvgDown a = { *u, u->c_in * cells / u->c_out,
                gk_is_wide (u->y, u->c_out) && gk_is_wide (u->add, u->c_out) };
  if (n_pixels <= 0)
    return GK_OK;
  auto kernel = GK_INSTANCE (u->type, avg_down);
  return GK_LAUNCH (kernel, grid_of (n_pixels, u->c_out), dim3 (N_THREADS), 0, (GkStream) stream,
                    a);
}

// --- copies ---

struct DupUp
{
  GkDupUp u;
  int64_t h, w, run; // of y; values of an output pixel's block that a channel of x becomes
  bool wide;
};

template <class T> GK_KERNEL (N_THREADS, 1) dup_up (const GK_CONST DupUp a)
{
  Piece p = piece_of (a.u.n * a.h * a.w, a.u.c_out);
  if (p.pixel < 0)
    return;
  int f = a.u.factor, cells = a.u.n_frames * f * f;
  int64_t x = p.pixel % a.w, y = p.pixel / a.w % a.h, image = p.pixel / a.w / a.h;
  int64_t cell = (a.u.frame * f + y % f) * f + x % f;
  const typename T::Element *from =
      gk_input<T> (a.u.x) + ((image * a.u.h + y / f) * a.u.w + x / f) * a.u.c_in;
  float v[8];
  for (int i = 0; i < 8; i++)
    {
      bool there = gk_within (p.channel + i < a.u.c_out);
      v[i] = there ? T::value (from[((p.channel + i) * cells + cell) / a.run]) : 0;
    }
  add_and_store<T> (v, a.u.add, a.u.y, p.pixel * a.u.c_out + p.channel, a.u.c_out - p.channel,
                    a.wide);
}

extern "C" int
gk_dup_up (const GkDupUp *u, void *stream)
{
  int64_t cells = u->n_frames * u->factor * u->factor;
  if (u->c_in <= 0 || u->c_out * cells % u->c_in)
    return GK_INVALID;
  DupUp a = { *u, u->h * u->factor, u->w * u->factor, u->c_out * cells / u->c_in,
              gk_is_wide (u->y, u->c_out) && gk_is_wide (u->add, u->c_out) };
  int64_t n_pixels = u->n * a.h * a.w;
  if (n_pixels <= 0 || u->c_out <= 0)
    return GK_OK;
  auto kernel = GK_INSTANCE (u->type, dup_up);
  return GK_LAUNCH (kernel, grid_of (n_pixels, u->c_out), dim3 (N_THREADS), 0, (GkStream) stream,
                    a);
}
