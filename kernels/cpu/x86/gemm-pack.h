/* SPDX-License-Identifier: MPL-2.0
 * gemm-pack.h - copies of A and B in the order that tiles read, for the three formats.
 *
 * Included by each level's sources, which define PAIRS (0 or 1).  Limit: memory; packing B costs
 * about a quarter of a cycle an element (one transposing shuffle for each four), A a tenth.
 */
#pragma once

#include "kernels/cpu/x86/decode.h"
#include "kernels/cpu/x86/gemm-vec.h"
#include "kernels/cpu/x86/gemm.h"

enum
{
  PICTURE_TAPS = 9, /* 3 x 3 */
  MAX_TAPS = 27,    /* of three frames */
  PIECE_UNITS = 64,
  CHANNELS_AT_ONCE = 16, /* even, so that pairs of channels stay together */
  ROWS_AHEAD = 6         /* of A that are fetched while one is copied */
};

INLINE V
load_any (const char *p, int dtype)
{
  return dtype == DTYPE_F32 ? v_load (p) : dtype == DTYPE_F16 ? v_load_f16 (p) : v_load_bf16 (p);
}

/* The first n < VW elements at p, zeros behind them; reads nothing further. */
INLINE V
load_any_part (const char *p, int dtype, int n)
{
  char buffer[VW * 4] = { 0 };
  memcpy (buffer, p, (size_t) n * (dtype == DTYPE_F32 ? 4 : 2));
  return load_any (buffer, dtype);
}

INLINE V
load_upto (const char *p, int dtype, int64_t n)
{
  return n >= VW ? load_any (p, dtype) : n > 0 ? load_any_part (p, dtype, (int) n) : (V){ 0 };
}

INLINE V
maybe_round (V x, bool rounded)
{
  return rounded ? v_round_bf16 (x) : x;
}

#if PAIRS
/* Units (lo, hi) of 16 columns: each rounded to bf16. */
INLINE V
v_pair (V lo, V hi)
{
  static const uint16_t order[32] = {
    0, 16, 1, 17, 2,  18, 3,  19, 4,  20, 5,  21, 6,  22, 7,  23,
    8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31
  };
  __m512i both = (__m512i) _mm512_cvtne2ps_pbh ((__m512) hi, (__m512) lo);
  return (V) _mm512_permutexvar_epi16 (_mm512_loadu_si512 (order), both);
}

/* 16 units = 32 consecutive elements. */
INLINE V
load_units (const char *p, int dtype, int64_t n)
{
  if (dtype == DTYPE_BF16)
    {
      if (n >= 2 * VW)
        return v_load (p);
      char buffer[VW * 4] = { 0 };
      if (n > 0)
        memcpy (buffer, p, (size_t) n * 2);
      return v_load (buffer);
    }
  V lo = load_upto (p, dtype, n);
  V hi = load_upto (p + VW * (dtype == DTYPE_F32 ? 4 : 2), dtype, n - VW);
  return (V) (__m512i) _mm512_cvtne2ps_pbh ((__m512) hi, (__m512) lo);
}
#endif

INLINE void
pack_segment (char *dst, const float *x, int n, bool rounded)
{
#if PAIRS
  for (; n >= 32; n -= 32, x += 32, dst += 64)
    v_store (dst,
             (V) (__m512i) _mm512_cvtne2ps_pbh ((__m512) v_load (x + 16), (__m512) v_load (x)));
  if (n > 0)
    {
      __mmask16 m_lo = (__mmask16) (n >= 16 ? 0xffff : (1 << n) - 1);
      __mmask16 m_hi = (__mmask16) (n > 16 ? (1 << (n - 16)) - 1 : 0);
      __m512 lo = _mm512_maskz_loadu_ps (m_lo, x), hi = _mm512_maskz_loadu_ps (m_hi, x + 16);
      __mmask16 units = (__mmask16) ((1 << ((n + 1) / 2)) - 1);
      _mm512_mask_storeu_epi32 (dst, units, (__m512i) _mm512_cvtne2ps_pbh (hi, lo));
    }
#else
  float *out = (float *) dst;
  int i = 0;
  for (; i + VW <= n; i += VW)
    v_store (out + i, maybe_round (v_load (x + i), rounded));
  for (; i < n; i++)
    {
      V one = maybe_round (v_set (x[i]), rounded);
      out[i] = one[0];
    }
#endif
}

/* Fetches what row @r of pack_a_any reads that rows before it did not: of 3 x 3 taps, the column on
 * the right. */
INLINE void
fetch_row (const float *const *rows, int r, int taps, int64_t c0, int nc)
{
  bool has_columns = taps % PICTURE_TAPS == 0;
  for (int t = has_columns ? 2 : 0; t < taps; t += has_columns ? 3 : 1)
    {
      const float *x = rows[r * taps + t];
      for (int c = 0; x && c < nc; c += 16)
        __builtin_prefetch (x + c0 + c);
    }
}

INLINE void
pack_a_any (void *dst,
            const float *const *rows,
            int n_rows,
            int taps,
            int64_t c0,
            int nc,
            int units,
            bool rounded)
{
  int tap_units = PAIRS ? (nc + 1) / 2 : nc;
  int pad_units = units - taps * tap_units;
  for (int r = 0; r < n_rows; r++)
    {
      if (r + ROWS_AHEAD < n_rows)
        fetch_row (rows, r + ROWS_AHEAD, taps, c0, nc);
      char *out = (char *) dst + (int64_t) r * GEMM_A_STRIDE;
      for (int t = 0; t < taps; t++, out += tap_units * 4)
        {
          const float *x = rows[r * taps + t];
          if (x)
            pack_segment (out, x + c0, nc, rounded);
          else
            memset (out, 0, (size_t) tap_units * 4);
        }
      if (pad_units)
        memset (out, 0, (size_t) pad_units * 4);
    }
}

#if defined(__AVX512F__) && !PAIRS
enum
{
  F16_UNITS = 8,  /* that are transposed at once: 16 bytes of a row */
  LINE_UNITS = 32 /* of f16, in a cache line */
};

/* 16 columns of 8 units of f16, transposed before they are converted: half the shuffles.  Lane i of
 * v[r] is row 4 i + r; pairs, then fours of rows are interleaved inside lanes, then lanes joined.
 */
INLINE void
pack_f16 (char *dst, int width, const char *const rows[VW], int64_t at, bool rounded)
{
  const __m512i even_then_odd = _mm512_setr_epi64 (0, 2, 4, 6, 1, 3, 5, 7);
  __m512i v[4], t[4], u[4];
#  pragma GCC unroll 4
  for (int r = 0; r < 4; r++)
    {
      v[r] = _mm512_castsi128_si512 (_mm_loadu_si128 ((const void *) (rows[r] + at)));
      v[r] = _mm512_inserti32x4 (v[r], _mm_loadu_si128 ((const void *) (rows[4 + r] + at)), 1);
      v[r] = _mm512_inserti32x4 (v[r], _mm_loadu_si128 ((const void *) (rows[8 + r] + at)), 2);
      v[r] = _mm512_inserti32x4 (v[r], _mm_loadu_si128 ((const void *) (rows[12 + r] + at)), 3);
    }
  t[0] = _mm512_unpacklo_epi16 (v[0], v[1]);
  t[1] = _mm512_unpackhi_epi16 (v[0], v[1]);
  t[2] = _mm512_unpacklo_epi16 (v[2], v[3]);
  t[3] = _mm512_unpackhi_epi16 (v[2], v[3]);
  u[0] = _mm512_unpacklo_epi32 (t[0], t[2]);
  u[1] = _mm512_unpackhi_epi32 (t[0], t[2]);
  u[2] = _mm512_unpacklo_epi32 (t[1], t[3]);
  u[3] = _mm512_unpackhi_epi32 (t[1], t[3]);
#  pragma GCC unroll 4
  for (int i = 0; i < 4; i++)
    {
      __m512i x = _mm512_permutexvar_epi64 (even_then_odd, u[i]);
      V lo = (V) _mm512_cvtph_ps (_mm512_castsi512_si256 (x));
      V hi = (V) _mm512_cvtph_ps (_mm512_extracti64x4_epi64 (x, 1));
      v_store (dst + (int64_t) (2 * i) * width * 4, maybe_round (lo, rounded));
      v_store (dst + (int64_t) (2 * i + 1) * width * 4, maybe_round (hi, rounded));
    }
}
#endif

/* VW columns from row n0 on, one tap: transposes squares of units.  What follows in each row is the
 * next block: rows are too far apart, and their pieces too short, for the processor to foresee. */
INLINE void
pack_b_plain (char *dst,
              int width,
              const char *const *rows,
              int n_cols,
              int dtype,
              int nc,
              int units,
              bool rounded)
{
  int size = dtype == DTYPE_F32 ? 4 : 2, per_unit = PAIRS ? 2 : 1;
  int u = 0;
#if defined(__AVX512F__) && !PAIRS
  if (dtype == DTYPE_F16 && n_cols >= VW)
    for (; u + F16_UNITS <= nc; u += F16_UNITS)
      {
        if (u % LINE_UNITS == 0)
          for (int i = 0; i < VW; i++)
            __builtin_prefetch (rows[i] + (int64_t) (u + nc) * size, 0, 2);
        pack_f16 (dst + (int64_t) u * width * 4, width, rows, (int64_t) u * size, rounded);
      }
#endif
  for (; u < units; u += VW)
    {
      V square[VW];
      int left = nc - u * per_unit;
      for (int i = 0; i < VW; i++)
        {
          const char *p = rows[i] + (int64_t) u * per_unit * size;
          __builtin_prefetch (p + (int64_t) nc * size, 0, 2);
#if PAIRS
          square[i] = i < n_cols ? load_units (p, dtype, left) : (V){ 0 };
#else
          square[i] = i < n_cols ? maybe_round (load_upto (p, dtype, left), rounded) : (V){ 0 };
#endif
        }
      v_transpose (square);
      int n = units - u < VW ? units - u : VW;
      for (int i = 0; i < n; i++)
        v_store (dst + (int64_t) (u + i) * width * 4, square[i]);
    }
}

/* VW columns of a kernel: elements come [channel][tap] and leave [tap][channel], through a
 * buffer of a few channels in the first level cache. */
INLINE void
pack_b_taps (char *dst,
             int width,
             const char *const *rows,
             int n_cols,
             int dtype,
             int taps,
             int nc,
             bool rounded)
{
  int size = dtype == DTYPE_F32 ? 4 : 2, tap_units = PAIRS ? (nc + 1) / 2 : nc;
  V buffer[CHANNELS_AT_ONCE * MAX_TAPS + VW];
  for (int c0 = 0; c0 < nc; c0 += CHANNELS_AT_ONCE)
    {
      int n_channels = nc - c0 < CHANNELS_AT_ONCE ? nc - c0 : CHANNELS_AT_ONCE;
      int n = n_channels * taps;
      for (int k = 0; k < n; k += VW)
        {
          V square[VW];
          for (int i = 0; i < VW; i++)
            {
              const char *p = rows[i] + (int64_t) (c0 * taps + k) * size;
              __builtin_prefetch (p + (int64_t) nc * taps * size, 0, 2);
              square[i] = i < n_cols ? load_upto (p, dtype, n - k) : (V){ 0 };
            }
          v_transpose (square);
          for (int i = 0; i < VW; i++)
            buffer[k + i] = maybe_round (square[i], rounded);
        }
      for (int t = 0; t < taps; t++)
#if PAIRS
        for (int c = 0; c < n_channels; c += 2)
          {
            V hi = c + 1 < n_channels ? buffer[(c + 1) * taps + t] : (V){ 0 };
            v_store (dst + (int64_t) (t * tap_units + (c0 + c) / 2) * width * 4,
                     v_pair (buffer[c * taps + t], hi));
          }
#else
        for (int c = 0; c < n_channels; c++)
          v_store (dst + (int64_t) (t * tap_units + c0 + c) * width * 4, buffer[c * taps + t]);
#endif
    }
}

INLINE void
pack_b_columns (char *dst,
                int width,
                const GemmWeights *w,
                const char *const *rows,
                int n_cols,
                int nc,
                int units,
                bool rounded)
{
  if (w->taps == 1)
    {
      switch (w->param.dtype)
        {
        case DTYPE_F32:
          pack_b_plain (dst, width, rows, n_cols, DTYPE_F32, nc, units, rounded);
          return;
        case DTYPE_F16:
          pack_b_plain (dst, width, rows, n_cols, DTYPE_F16, nc, units, rounded);
          return;
        default: /* rounding what is bf16 changes nothing */
          pack_b_plain (dst, width, rows, n_cols, DTYPE_BF16, nc, units, false);
          return;
        }
    }
  switch (w->param.dtype)
    {
    case DTYPE_F32:
      pack_b_taps (dst, width, rows, n_cols, DTYPE_F32, w->taps, nc, rounded);
      break;
    case DTYPE_F16:
      pack_b_taps (dst, width, rows, n_cols, DTYPE_F16, w->taps, nc, rounded);
      break;
    default:
      pack_b_taps (dst, width, rows, n_cols, DTYPE_BF16, w->taps, nc, false);
      break;
    }
  int used = w->taps * (PAIRS ? (nc + 1) / 2 : nc);
  for (int u = used; u < units; u++)
    v_store (dst + (int64_t) u * width * 4, (V){ 0 });
}

/* A block of quantised rows is decoded first, VW of them at a time, where the first or second level
 * cache holds it: nothing of it reaches memory. */
INLINE void
pack_b_decoded (void *dst,
                int width,
                const GemmWeights *w,
                int64_t n0,
                int n_cols,
                int64_t c0,
                int nc,
                int units,
                bool rounded)
{
  GemmWeights plain = { .param = { .dtype = DTYPE_F32 }, .taps = w->taps };
  float decoded[VW][GEMM_BLOCK_UNITS * (PAIRS ? 2 : 1)];
  for (int j = 0; j < width; j += VW)
    {
      const char *rows[VW];
      int n = n_cols - j < VW ? n_cols - j : VW;
      for (int i = 0; i < VW; i++)
        {
          rows[i] = (const char *) decoded[i < n ? i : 0];
          if (i < n)
            decode_param (decoded[i], &w->param, (n0 + j + i) * w->row_stride + c0 * w->taps,
                          (int64_t) nc * w->taps);
        }
      pack_b_columns ((char *) dst + (int64_t) j * 4, width, &plain, rows, n, nc, units, rounded);
    }
}

INLINE void
pack_b_any (void *dst,
            int width,
            const GemmWeights *w,
            int64_t n0,
            int n_cols,
            int64_t c0,
            int nc,
            int units,
            bool rounded)
{
  if (!dtype_is_real ((DType) w->param.dtype))
    {
      pack_b_decoded (dst, width, w, n0, n_cols, c0, nc, units, rounded);
      return;
    }
  int size = w->param.dtype == DTYPE_F32 ? 4 : 2, per_unit = PAIRS ? 2 : 1;
  /* Plain rows in pieces, so that what is written is one stream. */
  int piece = w->taps == 1 ? PIECE_UNITS : units;
  for (int u = 0; u < units; u += piece)
    for (int j = 0; j < width; j += VW)
      {
        const char *rows[VW];
        int n = n_cols - j, c = u * per_unit, u_end = units - u < piece ? units : u + piece;
        for (int i = 0; i < VW; i++)
          rows[i] = (const char *) w->param.data +
                    ((n0 + j + (i < n ? i : 0)) * w->row_stride + (c0 + c) * w->taps) * size;
        int left = nc - c, most = w->taps == 1 ? piece * per_unit : nc;
        pack_b_columns ((char *) dst + ((int64_t) u * width + j) * 4, width, w, rows, n,
                        left < most ? left : most, u_end - u, rounded);
      }
}

INLINE V
load_key (const float *v, int64_t stride, int key, int n_keys, int column, int n_cols, bool rounded)
{
  if (key >= n_keys)
    return (V){ 0 };
  const char *p = (const char *) (v + key * stride + column);
  return maybe_round (load_upto (p, DTYPE_F32, n_cols - column), rounded);
}

INLINE void
pack_v_any (void *dst,
            int width,
            const float *v,
            int64_t stride,
            int n_cols,
            int n_keys,
            int units,
            bool rounded)
{
  char *out = dst;
  for (int u = 0; u < units; u++)
    for (int j = 0; j < width; j += VW, out += VW * 4)
      {
#if PAIRS
        V lo = load_key (v, stride, 2 * u, n_keys, j, n_cols, false);
        V hi = load_key (v, stride, 2 * u + 1, n_keys, j, n_cols, false);
        v_store (out, v_pair (lo, hi));
#else
        v_store (out, load_key (v, stride, u, n_keys, j, n_cols, rounded));
#endif
      }
}
