/* SPDX-License-Identifier: MPL-2.0
 * decode.h - quantised weights to f32, by vectors.
 *
 * Every format is decoded in runs of 32 elements: its small block, or a sub-block of a k block.
 * Values agree to the bit with core/blocks.c: the same operations in the same order, and products
 * and sums are rounded each.  Limit: instructions; 0.5 to 1.2 cycles an element on AVX2.
 */
#pragma once

#include "core/blocks.h"
#include "kernels/cpu/x86/gemm-vec.h"

enum
{
  RUN = 32,
  HALF_BLOCK_RUNS = 4, /* runs of a half of a k block, which lie one above the other */
  K_RUNS = 8           /* runs of a k block */
};

/* VW bytes as integers. */
INLINE VI
v_bytes (const uint8_t *p)
{
#if defined(__AVX512F__)
  return (VI) _mm512_cvtepu8_epi32 (_mm_loadu_si128 ((const void *) p));
#elif defined(__AVX2__)
  return (VI) _mm256_cvtepu8_epi32 (_mm_loadl_epi64 ((const void *) p));
#else
  const __m128i zero = _mm_setzero_si128 ();
  int four;
  memcpy (&four, p, sizeof four);
  return (VI) _mm_unpacklo_epi16 (_mm_unpacklo_epi8 (_mm_cvtsi32_si128 (four), zero), zero);
#endif
}

INLINE V
v_from_int (VI x)
{
#if defined(__AVX512F__)
  return (V) _mm512_cvtepi32_ps ((__m512i) x);
#elif defined(__AVX2__)
  return (V) _mm256_cvtepi32_ps ((__m256i) x);
#else
  return (V) _mm_cvtepi32_ps ((__m128i) x);
#endif
}

/* The two values beside a block of GGML are f16. */
INLINE float
load_half (const uint8_t *p)
{
  uint16_t h;
  memcpy (&h, p, sizeof h);
#if defined(__F16C__)
  return _cvtsh_ss (h);
#else
  return f16_to_f32 (h);
#endif
}

/* The lower or (@shift 4) upper halves of bytes. */
INLINE VI
v_nibbles (const uint8_t *p, int shift)
{
  return v_bytes (p) >> shift & 15;
}

/* 1 << lane */
INLINE VI
v_lane_bits (void)
{
#if defined(__AVX512F__)
  return (VI){ 1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 2048, 4096, 8192, 16384, 32768 };
#elif defined(__AVX2__)
  return (VI){ 1, 2, 4, 8, 16, 32, 64, 128 };
#else
  return (VI){ 1, 2, 4, 8 };
#endif
}

/* 16 in the lanes whose bit of @bits is set; lane 0 has the lowest. */
INLINE VI
v_fifth_bits (uint32_t bits)
{
  VI of_lane = v_lane_bits ();
  VI word = (VI) (bits + (VU){ 0 });
  return ((word & of_lane) == of_lane) & 16;
}

INLINE void
run_q8_0 (float *out, const uint8_t *b)
{
  V d = v_set (load_half (b));
  for (int i = 0; i < RUN; i += VW)
    {
      VI q = (v_bytes (b + 2 + i) ^ 128) - 128;
      v_store (out + i, d * v_from_int (q));
    }
}

/* q4_0, q4_1, q5_0, q5_1: d, perhaps m, perhaps fifth bits, nibbles; d (q - middle) + m */
INLINE void
run_small (float *out, const uint8_t *b, bool has_min, bool has_fifth, int middle)
{
  V d = v_set (load_half (b)), m = v_set (has_min ? load_half (b + 2) : 0);
  uint32_t fifth = 0;
  b += has_min ? 4 : 2;
  if (has_fifth)
    {
      memcpy (&fifth, b, sizeof fifth);
      b += sizeof fifth;
    }
  for (int i = 0; i < RUN; i += VW)
    {
      VI q = v_nibbles (b + i % (RUN / 2), i < RUN / 2 ? 0 : 4);
      if (has_fifth)
        q |= v_fifth_bits (fifth >> i);
      V x = d * v_from_int (q - middle);
      if (has_min)
        x += m;
      v_store (out + i, x);
    }
}

INLINE void
run_q2_k (float *out, const uint8_t *b, int run)
{
  float d = load_half (b + 80), dmin = load_half (b + 82);
  const uint8_t *codes = b + 16 + run / HALF_BLOCK_RUNS * RUN;
  int shift = run % HALF_BLOCK_RUNS * 2;
  for (int i = 0; i < RUN; i += VW)
    {
      int scale = b[run * 2 + i / 16];
      V q = v_from_int (v_bytes (codes + i) >> shift & 3);
      v_store (out + i, v_set (d * (float) (scale & 15)) * q - v_set (dmin * (float) (scale >> 4)));
    }
}

INLINE void
run_q3_k (float *out, const uint8_t *b, int run)
{
  float d = load_half (b + 108);
  const uint8_t *codes = b + 32 + run / HALF_BLOCK_RUNS * RUN, *scales = b + 96;
  int shift = run % HALF_BLOCK_RUNS * 2;
  for (int i = 0; i < RUN; i += VW)
    {
      int s = run * 2 + i / 16, low = s < 8 ? scales[s] & 15 : scales[s - 8] >> 4;
      int scale = (low | (scales[8 + s % 4] >> 2 * (s / 4) & 3) << 4) - 32;
      VI high = (v_bytes (b + i) >> run & 1) << 2;
      VI q = (v_bytes (codes + i) >> shift & 3) + high - 4;
      v_store (out + i, v_set (d * (float) scale) * v_from_int (q));
    }
}

/* Six-bit scale and minimum @run of a block of q4_k or q5_k, times d and dmin. */
INLINE void
k_scale (const uint8_t *b, int run, V *scale, V *min)
{
  const uint8_t *p = b + 4;
  int s = p[run] & 63, m = p[run + 4] & 63;
  if (run >= 4)
    {
      s = (p[run + 4] & 15) | (p[run - 4] >> 6) << 4;
      m = p[run + 4] >> 4 | (p[run] >> 6) << 4;
    }
  *scale = v_set (load_half (b) * (float) s);
  *min = v_set (load_half (b + 2) * (float) m);
}

INLINE void
run_q4_k (float *out, const uint8_t *b, int run)
{
  V scale, min;
  k_scale (b, run, &scale, &min);
  const uint8_t *codes = b + 16 + run / 2 * RUN;
  for (int i = 0; i < RUN; i += VW)
    v_store (out + i, scale * v_from_int (v_nibbles (codes + i, run % 2 * 4)) - min);
}

INLINE void
run_q5_k (float *out, const uint8_t *b, int run)
{
  V scale, min;
  k_scale (b, run, &scale, &min);
  const uint8_t *codes = b + 48 + run / 2 * RUN;
  for (int i = 0; i < RUN; i += VW)
    {
      VI q = v_nibbles (codes + i, run % 2 * 4) | (v_bytes (b + 16 + i) >> run & 1) << 4;
      v_store (out + i, scale * v_from_int (q) - min);
    }
}

INLINE void
run_q6_k (float *out, const uint8_t *b, int run)
{
  float d = load_half (b + 208);
  int half = run / HALF_BLOCK_RUNS, of_half = run % HALF_BLOCK_RUNS;
  const uint8_t *low = b + half * 64 + of_half % 2 * RUN, *high = b + 128 + half * RUN;
  for (int i = 0; i < RUN; i += VW)
    {
      VI q = v_nibbles (low + i, of_half / 2 * 4) | (v_bytes (high + i) >> of_half * 2 & 3) << 4;
      float scale = d * (float) (int8_t) b[192 + run * 2 + i / 16];
      v_store (out + i, v_set (scale) * v_from_int (q - 32));
    }
}

/* Halves in the lower 16 bits of each lane. */
INLINE V
v_from_halves (VI h)
{
#if defined(__AVX512F__)
  return (V) _mm512_cvtph_ps (_mm512_cvtepi32_epi16 ((__m512i) h));
#elif defined(__AVX2__)
  __m256i packed = _mm256_packus_epi32 ((__m256i) h, (__m256i) h);
  return (V) _mm256_cvtph_ps (_mm256_castsi256_si128 (_mm256_permute4x64_epi64 (packed, 0x08)));
#else
  VU sign = ((VU) h & 0x8000u) << 16, magnitude = ((VU) h & 0x7fffu) << 13;
  V scaled = (V) magnitude * v_set (0x1p112f);
  VU special = (VU) ((VI) magnitude >= 0x0f800000) & 0x7f800000u;
  return (V) ((VU) scaled | special | sign);
#endif
}

/* e4m3 has f16's layout with a bit less of exponent, whose bias is 8 less; its single NaN would be
 * 480. */
INLINE V
v_from_e4m3 (VI b)
{
  VI magnitude = b & 0x7f;
  V x = v_from_halves ((b & 0x80) << 8 | magnitude << 7) * v_set (256);
  return v_select (magnitude == 0x7f, v_set (__builtin_nanf ("")), x);
}

INLINE void
run_e4m3 (float *out, const uint8_t *b)
{
  for (int i = 0; i < RUN; i += VW)
    v_store (out + i, v_from_e4m3 (v_bytes (b + i)));
}

INLINE void
run_e5m2 (float *out, const uint8_t *b)
{
  for (int i = 0; i < RUN; i += VW)
    v_store (out + i, v_from_halves (v_bytes (b + i) << 8));
}

/* 16 bytes hold 32 codes, the first in the upper half. */
INLINE void
run_codes (float *out, const uint8_t *b, const float *book)
{
  uint8_t codes[RUN];
  const __m128i mask = _mm_set1_epi8 (15);
  __m128i bytes = _mm_loadu_si128 ((const void *) b), low = _mm_and_si128 (bytes, mask);
  __m128i high = _mm_and_si128 (_mm_srli_epi16 (bytes, 4), mask);
  _mm_storeu_si128 ((void *) codes, _mm_unpacklo_epi8 (high, low));
  _mm_storeu_si128 ((void *) (codes + RUN / 2), _mm_unpackhi_epi8 (high, low));
#if defined(__AVX512F__)
  __m512 values = _mm512_loadu_ps (book);
  for (int i = 0; i < RUN; i += VW)
    v_store (out + i, (V) _mm512_permutexvar_ps ((__m512i) v_bytes (codes + i), values));
#elif defined(__AVX2__)
  __m256 first = _mm256_loadu_ps (book), second = _mm256_loadu_ps (book + 8);
  for (int i = 0; i < RUN; i += VW)
    {
      __m256i q = (__m256i) v_bytes (codes + i);
      __m256 a = _mm256_permutevar8x32_ps (first, q), c = _mm256_permutevar8x32_ps (second, q);
      v_store (out + i,
               (V) _mm256_blendv_ps (a, c, _mm256_castsi256_ps (_mm256_slli_epi32 (q, 28))));
    }
#else
  for (int i = 0; i < RUN; i++)
    out[i] = book[codes[i]];
#endif
}

/* Block formats: @n runs from run @run of @data on. */
static __attribute__ ((unused)) void
decode_runs (float *out, const uint8_t *data, DType dtype, int64_t run, int64_t n)
{
  const int64_t bytes = dtype_block_bytes (dtype);
  const float *end = out + n * RUN;
  const uint8_t *small = data + run * bytes;
#define EACH_SMALL(call)                                                                           \
  for (; out < end; out += RUN, small += bytes)                                                    \
  call
#define EACH_LONG(function)                                                                        \
  for (; out < end; out += RUN, run++)                                                             \
  function (out, data + run / K_RUNS * bytes, (int) (run % K_RUNS))
  if (dtype == DTYPE_Q8_0)
    EACH_SMALL (run_q8_0 (out, small));
  else if (dtype == DTYPE_Q4_0)
    EACH_SMALL (run_small (out, small, false, false, 8));
  else if (dtype == DTYPE_Q4_1)
    EACH_SMALL (run_small (out, small, true, false, 0));
  else if (dtype == DTYPE_Q5_0)
    EACH_SMALL (run_small (out, small, false, true, 16));
  else if (dtype == DTYPE_Q5_1)
    EACH_SMALL (run_small (out, small, true, true, 0));
  else if (dtype == DTYPE_Q2_K)
    EACH_LONG (run_q2_k);
  else if (dtype == DTYPE_Q3_K)
    EACH_LONG (run_q3_k);
  else if (dtype == DTYPE_Q4_K)
    EACH_LONG (run_q4_k);
  else if (dtype == DTYPE_Q5_K)
    EACH_LONG (run_q5_k);
  else
    EACH_LONG (run_q6_k);
#undef EACH_SMALL
#undef EACH_LONG
}

/* @n elements from @at on, of which the ends may lie inside runs. */
INLINE void
decode_blocks (float *out, const Param *p, int64_t at, int64_t n)
{
  DType dtype = (DType) p->dtype;
  while (n > 0)
    {
      int skipped = (int) (at % RUN);
      int64_t taken = skipped == 0 && n >= RUN ? n / RUN * RUN : RUN - skipped;
      taken = taken < n ? taken : n;
      if (taken % RUN == 0)
        decode_runs (out, p->data, dtype, at / RUN, taken / RUN);
      else
        {
          float run[RUN];
          decode_runs (run, p->data, dtype, at / RUN, 1);
          memcpy (out, run + skipped, (size_t) taken * sizeof *out);
        }
      out += taken;
      at += taken;
      n -= taken;
    }
}

INLINE void
run_of_bytes (float *out, const uint8_t *b, DType dtype, const float *book)
{
  if (book)
    run_codes (out, b, book);
  else if (dtype == DTYPE_F8_E4M3)
    run_e4m3 (out, b);
  else
    run_e5m2 (out, b);
}

/* fp8 and 4-bit codes: runs begin at any byte, and the last is read no further than it goes. */
INLINE void
decode_bytes (float *out, const Param *p, int64_t at, int64_t n, const float *book)
{
  DType dtype = (DType) p->dtype;
  int per_byte = book ? 2 : 1;
  const uint8_t *b = (const uint8_t *) p->data + at / per_byte;
  if (at % per_byte && n > 0)
    {
      *out++ = book[*b++ & 15];
      n--;
    }
  for (; n >= RUN; n -= RUN, out += RUN, b += RUN / per_byte)
    run_of_bytes (out, b, dtype, book);
  if (n > 0)
    {
      float run[RUN];
      uint8_t padded[RUN] = { 0 };
      memcpy (padded, b, (size_t) ((n + per_byte - 1) / per_byte));
      run_of_bytes (run, padded, dtype, book);
      memcpy (out, run, (size_t) n * sizeof *out);
    }
}

INLINE void
scale_run (float *x, int64_t n, float scale)
{
  int64_t i = 0;
  for (; i + VW <= n; i += VW)
    v_store (x + i, v_load (x + i) * v_set (scale));
  for (; i < n; i++)
    x[i] *= scale;
}

/* Elements @first .. @first + @n - 1 of a parameter in a quantised format. */
static __attribute__ ((unused)) void
decode_param (float *out, const Param *p, int64_t first, int64_t n)
{
  const ParamQuant *q = p->quant;
  int64_t at = p->first + first;
  float book[16];
  if (q && q->code_book)
    {
      memcpy (book, q->code_book, sizeof book);
      decode_bytes (out, p, at, n, book);
    }
  else if (p->dtype == DTYPE_F8_E4M3 || p->dtype == DTYPE_F8_E5M2)
    decode_bytes (out, p, at, n, NULL);
  else
    decode_blocks (out, p, at, n);
  while (q && q->scales && n > 0)
    {
      int64_t run = q->scale_run ? q->scale_run - at % q->scale_run : n;
      run = run < n ? run : n;
      scale_run (out, run, quant_scale (q, at));
      out += run;
      at += run;
      n -= run;
    }
}
