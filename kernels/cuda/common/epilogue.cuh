// SPDX-License-Identifier: MPL-2.0
// epilogue.cuh - from a warp's sums to memory: scales, bias, activation, gate, residual, rounding.
//
// Each warp puts 16 rows at a time into its own part of shared memory and takes them out in pieces
// of eight columns, so that everything beside the sums is read and written in 16 bytes.
#pragma once

#include "tile.cuh"

struct Epilogue
{
  GkEpilogue u;
  int64_t n_rows, n_columns; // of the product
  bool wide;                 // y, add, gate, entry_add in pieces of 16 bytes
};

static inline Epilogue
epilogue_new (const GkEpilogue &u, int64_t n_rows, int64_t n_columns)
{
  bool wide = gk_is_wide (u.y, u.y_stride) && gk_is_wide (u.add, 0) &&
              gk_is_wide (u.entry_add, u.entry_add ? n_columns : 0) &&
              gk_is_wide (u.gate, u.gate ? u.gate_stride : 0);
  return { u, n_rows, n_columns, wide };
}

GK_DEV float
epilogue_activation (GkActivation kind, float x)
{
  switch (kind)
    {
    case GK_ACT_SILU:
      return gk_silu (x);
    case GK_ACT_GELU:
      return gk_gelu (x);
    case GK_ACT_GELU_TANH:
      return gk_gelu_tanh (x);
    case GK_ACT_QUICK_GELU:
      return gk_quick_gelu (x);
    case GK_ACT_NONE:
    case GK_ACT_GEGLU:
      break;
    }
  return x;
}

// v: columns column .. column + 8 of the product's @row, @n_valid of them there.
template <class T>
GK_DEV void
epilogue_before (const Epilogue &e, float (&v)[8], int64_t row, int64_t column, int64_t n_valid)
{
  float row_scale = e.u.row_scale ? e.u.row_scale[row] : 1, other[8];
  GK_UNROLL
  for (int i = 0; i < 8; i++)
    if (gk_within (i < n_valid))
      {
        v[i] *= row_scale * (e.u.column_scale ? e.u.column_scale[column + i] : 1);
        v[i] += e.u.bias ? e.u.bias[column + i] : 0;
      }
  if (!e.u.entry_add)
    return;
  int64_t entry = row / e.u.rows_per_entry;
  gk_read8<T> (other, gk_input<T> (e.u.entry_add) + entry * e.n_columns + column, n_valid, e.wide);
  GK_UNROLL
  for (int i = 0; i < 8; i++)
    v[i] += other[i];
}

// v: columns of the result.
template <class T>
GK_DEV void
epilogue_store (const Epilogue &e, float (&v)[8], int64_t row, int64_t column, int64_t n_valid)
{
  float other[8];
  int64_t at = row * e.u.y_stride + column;
  if (e.u.gate)
    {
      int64_t entry = row / e.u.rows_per_entry;
      gk_read8<T> (other, gk_input<T> (e.u.gate) + entry * e.u.gate_stride + column, n_valid,
                   e.wide);
      GK_UNROLL
      for (int i = 0; i < 8; i++)
        v[i] *= other[i];
    }
  if (e.u.add)
    {
      gk_read8<T> (other, gk_input<T> (e.u.add) + at, n_valid, e.wide);
      GK_UNROLL
      for (int i = 0; i < 8; i++)
        v[i] += other[i];
    }
  gk_write8<T> (gk_output<T> (e.u.y) + at, v, n_valid, e.wide);
}

GK_DEV void
epilogue_take (float (&v)[8], const float *cells)
{
  GK_UNROLL
  for (int i = 0; i < 8; i++)
    v[i] = cells[i];
}

// The block's tile of the product is at (@first_row, @first_column).  @shared: its memory, free.
template <class T, class S>
GK_DEV void
epilogue_run (const Epilogue &e,
              Sums<S> &sums,
              int64_t first_row,
              int64_t first_column,
              unsigned char *shared)
{
  constexpr int pitch = S::warp_n + 8, pieces = S::warp_n / 8;
  int lane = gk_thread () % GK_WARP, warp = gk_thread () / GK_WARP;
  float *cells = (float *) shared + warp * 16 * pitch;
  first_row += warp / S::warps_n * S::warp_m;
  first_column += warp % S::warps_n * S::warp_n;
  GK_UNROLL
  for (int m = 0; m < S::fragments_m; m++)
    {
      gk_sync_warp ();
      GK_UNROLL
      for (int j = 0; j < S::fragments_n; j++)
        GK_UNROLL
      for (int i = 0; i < 4; i++)
        cells[(lane / 4 + i / 2 * 8) * pitch + j * 8 + lane % 4 * 2 + i % 2] = sums.c[m][j][i];
      gk_sync_warp ();
      for (int at = lane; at < 16 * pieces; at += GK_WARP)
        {
          int64_t row = first_row + m * 16 + at / pieces, column = first_column + at % pieces * 8;
          int64_t n_valid = e.n_columns - column;
          float v[8];
          if (!gk_within (row < e.n_rows) || n_valid <= 0)
            continue;
          epilogue_take (v, cells + at / pieces * pitch + at % pieces * 8);
          epilogue_before<T> (e, v, row, column, n_valid);
          GK_UNROLL
          for (int i = 0; i < 8; i++)
            v[i] = epilogue_activation (e.u.activation, v[i]);
          epilogue_store<T> (e, v, row, column, n_valid);
        }
    }
}

// GEGLU: the tile's columns are eight of a, then the same eight of g, and so on, from @first_column
// of the result on.
template <class T, class S>
GK_DEV void
epilogue_run_geglu (const Epilogue &e,
                    Sums<S> &sums,
                    int64_t first_row,
                    int64_t first_column,
                    unsigned char *shared)
{
  constexpr int pitch = S::warp_n + 8, pieces = S::warp_n / 16;
  int lane = gk_thread () % GK_WARP, warp = gk_thread () / GK_WARP;
  int64_t half = e.n_columns / 2;
  float *cells = (float *) shared + warp * 16 * pitch;
  first_row += warp / S::warps_n * S::warp_m;
  first_column += warp % S::warps_n * S::warp_n / 2;
  GK_UNROLL
  for (int m = 0; m < S::fragments_m; m++)
    {
      gk_sync_warp ();
      GK_UNROLL
      for (int j = 0; j < S::fragments_n; j++)
        GK_UNROLL
      for (int i = 0; i < 4; i++)
        cells[(lane / 4 + i / 2 * 8) * pitch + j * 8 + lane % 4 * 2 + i % 2] = sums.c[m][j][i];
      gk_sync_warp ();
      for (int at = lane; at < 16 * pieces; at += GK_WARP)
        {
          int64_t row = first_row + m * 16 + at / pieces, column = first_column + at % pieces * 8;
          int64_t n_valid = half - column;
          float a[8], g[8];
          if (!gk_within (row < e.n_rows) || n_valid <= 0)
            continue;
          epilogue_take (a, cells + at / pieces * pitch + at % pieces * 16);
          epilogue_take (g, cells + at / pieces * pitch + at % pieces * 16 + 8);
          epilogue_before<T> (e, a, row, column, n_valid);
          epilogue_before<T> (e, g, row, half + column, n_valid);
          GK_UNROLL
          for (int i = 0; i < 8; i++)
            a[i] *= gk_gelu (g[i]);
          epilogue_store<T> (e, a, row, column, n_valid);
        }
    }
}

// The result's column that the tile's row r of B makes; -1 past the end.
GK_DEV int64_t
epilogue_column (const Epilogue &e, int64_t first, int r)
{
  if (e.u.activation != GK_ACT_GEGLU)
    return first + r < e.n_columns ? first + r : -1;
  int64_t column = first + (r >> 4) * 8 + (r & 7), half = e.n_columns / 2;
  return column < half ? (r >> 3 & 1) * half + column : -1;
}

template <class T, class S>
GK_DEV void
epilogue_finish (
    const Epilogue &e, Sums<S> &sums, int64_t row, int64_t column, unsigned char *shared)
{
  if (e.u.activation == GK_ACT_GEGLU)
    epilogue_run_geglu<T> (e, sums, row, column, shared);
  else
    epilogue_run<T> (e, sums, row, column, shared);
}
