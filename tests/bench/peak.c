/* SPDX-License-Identifier: MPL-2.0 */
#include "bench/peak.h"

#include <immintrin.h>
#include <time.h>

enum
{
  ITERATIONS = 4000000,
  N_SUMS = 12, /* more than latency times units */
  TRIES = 7
};

/* Twelve independent sums, by name: arrays would spill. */
#define SUMS(X) X (0) X (1) X (2) X (3) X (4) X (5) X (6) X (7) X (8) X (9) X (10) X (11)

#define PEAK_LOOP(name, features, Type, constraint, zero, step)                                    \
  __attribute__ ((target (features))) static void name (void)                                      \
  {                                                                                                \
    Type x = zero, y = zero;                                                                       \
    SUMS (DECLARE_##name)                                                                          \
    for (int i = 0; i < ITERATIONS; i++)                                                           \
      {                                                                                            \
        SUMS (step)                                                                                \
      }                                                                                            \
    (void) x;                                                                                      \
    (void) y;                                                                                      \
  }

#define DECLARE_run_sse2(i) __m128 s##i = _mm_setzero_ps ();
#define STEP_SSE2(i)                                                                               \
  {                                                                                                \
    __m128 t;                                                                                      \
    __asm__ volatile("movaps %1, %0\n\tmulps %2, %0" : "=&x"(t) : "x"(x), "x"(y));                 \
    __asm__ volatile("addps %1, %0" : "+x"(s##i) : "x"(t));                                        \
  }
PEAK_LOOP (run_sse2, "sse2", __m128, "x", _mm_setzero_ps (), STEP_SSE2)

#define DECLARE_run_avx2(i) __m256 s##i = _mm256_setzero_ps ();
#define STEP_AVX2(i) __asm__ volatile("vfmadd231ps %1, %2, %0" : "+x"(s##i) : "x"(x), "x"(y));
PEAK_LOOP (run_avx2, "avx2,fma", __m256, "x", _mm256_setzero_ps (), STEP_AVX2)

#define DECLARE_run_avx512(i) __m512 s##i = _mm512_setzero_ps ();
#define STEP_AVX512(i) __asm__ volatile("vfmadd231ps %1, %2, %0" : "+v"(s##i) : "v"(x), "v"(y));
PEAK_LOOP (run_avx512, "avx512f", __m512, "v", _mm512_setzero_ps (), STEP_AVX512)

#define DECLARE_run_dot(i) __m512 s##i = _mm512_setzero_ps ();
#define STEP_DOT(i) __asm__ volatile("vdpbf16ps %1, %2, %0" : "+v"(s##i) : "v"(x), "v"(y));
PEAK_LOOP (run_dot, "avx512f,avx512bf16", __m512, "v", _mm512_setzero_ps (), STEP_DOT)

__attribute__ ((target ("amx-tile,amx-bf16"))) static void
run_amx (void)
{
  struct
  {
    unsigned char palette, start_row, reserved[14];
    unsigned short row_bytes[16];
    unsigned char rows[16];
  } config = { .palette = 1 };
  for (int i = 0; i < 8; i++)
    {
      config.row_bytes[i] = 64;
      config.rows[i] = 16;
    }
  __asm__ volatile("ldtilecfg %0" : : "m"(config));
  for (int i = 0; i < ITERATIONS / 8; i++)
    {
      _tile_dpbf16ps (0, 6, 7);
      _tile_dpbf16ps (1, 6, 7);
      _tile_dpbf16ps (2, 6, 7);
      _tile_dpbf16ps (3, 6, 7);
      _tile_dpbf16ps (4, 6, 7);
      _tile_dpbf16ps (5, 6, 7);
    }
  _tile_release ();
}

static double
seconds (void)
{
  struct timespec t;
  clock_gettime (CLOCK_THREAD_CPUTIME_ID, &t);
  return (double) t.tv_sec + 1e-9 * (double) t.tv_nsec;
}

double
peak_flops (PeakKind kind)
{
  static const struct
  {
    void (*run) (void);
    double flops; /* of one run */
  } loops[] = {
    [PEAK_SSE2] = { run_sse2, (double) ITERATIONS * N_SUMS * 8 },
    [PEAK_AVX2] = { run_avx2, (double) ITERATIONS * N_SUMS * 16 },
    [PEAK_AVX512] = { run_avx512, (double) ITERATIONS * N_SUMS * 32 },
    [PEAK_AVX512BF16] = { run_dot, (double) ITERATIONS * N_SUMS * 64 },
    [PEAK_AMX] = { run_amx, (double) ITERATIONS / 8 * 6 * 16 * 16 * 32 * 2 },
  };
  double best = 0;
  for (int i = 0; i < TRIES; i++)
    {
      double t = seconds ();
      loops[kind].run ();
      double rate = loops[kind].flops / (seconds () - t);
      best = rate > best ? rate : best;
    }
  return best;
}
