// SPDX-License-Identifier: MPL-2.0
// rows.cu - whole rows copied and looked up, pictures resized, times turned into waves, pixels
// rounded to bytes.
//
// Shapes   as in launch.h; any counts and strides; a thread takes eight values of a row.
// Numbers  copies are exact; embed adds in f32; a wave's angle in f64, its cosine in f32.
// Limit    memory: 4 bytes an element.
// Aliases  none.
#include "common/gk.cuh"

enum
{
  N_THREADS = 256
};

// Where row @row of the result comes from.
struct Rows
{
  int64_t n_rows, width, x_stride, y_stride;
  const uint16_t *x;
  uint16_t *y;
  bool wide;
  // Resized pictures; h_in 0: rows stay in order.
  int64_t h_in, w_in, h_out, w_out;
};

GK_DEV int64_t
source_row (const Rows &a, int64_t row)
{
  if (!a.h_in)
    return row;
  int64_t image = row / (a.h_out * a.w_out), y = row / a.w_out % a.h_out, x = row % a.w_out;
  return (image * a.h_in + y * a.h_in / a.h_out) * a.w_in + x * a.w_in / a.w_out;
}

GK_KERNEL (N_THREADS, 1)
copy_rows (const GK_CONST Rows a)
{
  int64_t per_row = (a.width + 7) / 8;
  int64_t piece = (int64_t) gk_block_x () * N_THREADS + gk_thread ();
  if (!gk_within (piece < a.n_rows * per_row))
    return;
  int64_t row = piece / per_row, column = piece % per_row * 8, n_valid = a.width - column;
  uint4 w = gk_fetch8 (a.x + source_row (a, row) * a.x_stride + column, n_valid, a.wide);
  gk_put8 (a.y + row * a.y_stride + column, w, n_valid, a.wide);
}

static int
launch_copy (const Rows &a, void *stream)
{
  dim3 grid ((uint32_t) gk_ceil_div (a.n_rows * gk_ceil_div (a.width, 8), N_THREADS));
  if (a.n_rows <= 0 || a.width <= 0)
    return GK_OK;
  return GK_LAUNCH (copy_rows, grid, dim3 (N_THREADS), 0, (GkStream) stream, a);
}

extern "C" int
gk_copy (const GkCopy *u, void *stream)
{
  Rows a = {};
  a.n_rows = u->n_rows;
  a.width = u->width;
  a.x_stride = u->x_stride;
  a.y_stride = u->y_stride;
  a.x = (const uint16_t *) u->x;
  a.y = (uint16_t *) u->y;
  a.wide = gk_is_wide (u->x, u->x_stride) && gk_is_wide (u->y, u->y_stride);
  return launch_copy (a, stream);
}

extern "C" int
gk_resize (const GkResize *u, void *stream)
{
  Rows a = {};
  a.n_rows = u->n * u->h_out * u->w_out;
  a.width = a.x_stride = a.y_stride = u->n_channels;
  a.x = (const uint16_t *) u->x;
  a.y = (uint16_t *) u->y;
  a.wide = gk_is_wide (u->x, u->n_channels) && gk_is_wide (u->y, u->n_channels);
  a.h_in = u->h_in;
  a.w_in = u->w_in;
  a.h_out = u->h_out;
  a.w_out = u->w_out;
  return u->h_in > 0 && u->w_in > 0 ? launch_copy (a, stream) : GK_INVALID;
}

// --- embeddings ---

template <class T> GK_KERNEL (N_THREADS, 1) embed (const GK_CONST GkEmbed a)
{
  int64_t per_row = (a.dim + 7) / 8;
  int64_t piece = (int64_t) gk_block_x () * N_THREADS + gk_thread ();
  if (!gk_within (piece < a.n_rows * per_row))
    return;
  int64_t row = piece / per_row, column = piece % per_row * 8, n_valid = a.dim - column;
  bool wide = a.dim % 8 == 0;
  float v[8], position[8];
  gk_read8<T> (v, gk_input<T> (a.table) + a.ids[row] * a.dim + column, n_valid, wide);
  if (a.positions)
    {
      int64_t at = row % a.n_positions * a.dim + column;
      gk_read8<T> (position, gk_input<T> (a.positions) + at, n_valid, wide);
      GK_UNROLL
      for (int i = 0; i < 8; i++)
        v[i] += position[i];
    }
  gk_write8<T> (gk_output<T> (a.y) + row * a.dim + column, v, n_valid, wide);
}

extern "C" int
gk_embed (const GkEmbed *u, void *stream)
{
  GkEmbed a = *u;
  dim3 grid ((uint32_t) gk_ceil_div (a.n_rows * gk_ceil_div (a.dim, 8), N_THREADS));
  if (a.n_rows <= 0 || a.dim <= 0)
    return GK_OK;
  auto kernel = GK_INSTANCE (a.type, embed);
  return GK_LAUNCH (kernel, grid, dim3 (N_THREADS), 0, (GkStream) stream, a);
}

// Vaswani et al., Attention Is All You Need, section 3.5, cosines first; an odd dim ends with 0.
GK_KERNEL (N_THREADS, 1)
sinusoid (const GK_CONST GkSinusoid a)
{
  const double log_period = 9.210340371976184; // ln 10000
  int64_t i = (int64_t) gk_block_x () * N_THREADS + gk_thread ();
  if (!gk_within (i < a.n * a.dim))
    return;
  int64_t row = i / a.dim, column = i % a.dim, half = a.dim / 2;
  float v = 0;
  if (column < 2 * half)
    {
      float t = a.t[row] * (a.times == 0 ? 1 : a.times);
      double angle = t * exp (-log_period * (double) (column % half) / (double) half);
      v = (float) (column < half ? cos (angle) : sin (angle));
    }
  gk_store_as (a.type, a.y, i, v);
}

extern "C" int
gk_sinusoid (const GkSinusoid *u, void *stream)
{
  GkSinusoid a = *u;
  dim3 grid ((uint32_t) gk_ceil_div (a.n * a.dim, N_THREADS));
  return a.n * a.dim > 0 ? GK_LAUNCH (sinusoid, grid, dim3 (N_THREADS), 0, (GkStream) stream, a)
                         : GK_OK;
}

// --- pixels ---

// A thread makes one pixel; w and bias are read by all at once.
template <class T> GK_KERNEL (N_THREADS, 1) pixels (const GK_CONST GkPixels a)
{
  int64_t i = (int64_t) gk_block_x () * N_THREADS + gk_thread ();
  if (!gk_within (i < a.n_pixels))
    return;
  const typename T::Element *x = gk_input<T> (a.x) + i * a.n_channels;
  for (int c = 0; c < 3; c++)
    {
      float v = a.bias[c];
      for (int k = 0; k < a.n_channels; k++)
        v += T::value (x[k]) * a.w[c * a.n_channels + k];
      a.y[i * 3 + c] = v > 0 ? (uint8_t) rintf (fminf (v, 1) * 255) : 0; // NaN becomes 0
    }
}

extern "C" int
gk_pixels (const GkPixels *u, void *stream)
{
  GkPixels a = *u;
  dim3 grid ((uint32_t) gk_ceil_div (a.n_pixels, N_THREADS));
  if (a.n_pixels <= 0)
    return GK_OK;
  auto kernel = GK_INSTANCE (a.type, pixels);
  return GK_LAUNCH (kernel, grid, dim3 (N_THREADS), 0, (GkStream) stream, a);
}
