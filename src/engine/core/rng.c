/* SPDX-License-Identifier: MPL-2.0
 * rng.c - Mersenne twister and Philox streams, turned into normals as PyTorch and A1111 do.
 *
 * Which uniforms feed which normal, and in what precision, is part of what a seed means to users,
 * so the normal paths below follow PyTorch's, bit for bit where it runs with AVX2 or better.
 */
#include "core/rng.h"

#include <math.h>
#include <string.h>

enum
{
  MT_SHIFT = 397,
  BLOCK = 16, /* PyTorch's vectorised path makes normals sixteen at a time */
  HALF_BLOCK = BLOCK / 2,
  PAIRS = 256, /* computed in one go */
  PHILOX_ROUNDS = 10,
};

static const uint32_t mt_matrix = 0x9908b0dfu;
static const uint32_t mt_upper = 0x80000000u;
static const uint32_t mt_lower = 0x7fffffffu;
static const uint32_t mt_seed_multiplier = 1812433253u;

static const uint32_t philox_m0 = 0xd2511f53u;
static const uint32_t philox_m1 = 0xcd9e8d57u;
static const uint32_t philox_w0 = 0x9e3779b9u;
static const uint32_t philox_w1 = 0xbb67ae85u;

static const double two_pi = 6.283185307179586476925;

/* The loops below are also compiled for wider vectors, and the one that fits is taken when the
 * program starts.  Every fused operation is written out and no other may be made, so all of them
 * give the same bits.  (Not under the thread sanitizer, whose hooks would run before it does.) */
#if defined(__x86_64__) && defined(__GLIBC__) && !defined(__clang__) &&                            \
    !defined(__SANITIZE_THREAD__)
#  define VECTOR_CLONES                                                                            \
    __attribute__ ((target_clones ("arch=x86-64-v4", "arch=x86-64-v3", "default"),                 \
                    optimize ("O3", "fp-contract=off", "no-math-errno")))
#else
#  define VECTOR_CLONES
#endif

/* PyTorch seeds the twister with the low 32 bits only. */
static void
mt_seed (Rng *rng, uint32_t seed)
{
  rng->mt[0] = seed;
  for (uint32_t i = 1; i < MT19937_STATE; i++)
    {
      uint32_t previous = rng->mt[i - 1];
      rng->mt[i] = mt_seed_multiplier * (previous ^ previous >> 30) + i;
    }
  rng->mt_index = MT19937_STATE;
}

static inline uint32_t
mt_twist (uint32_t high, uint32_t low, uint32_t shifted)
{
  uint32_t y = (high & mt_upper) | (low & mt_lower);
  return shifted ^ y >> 1 ^ (-(y & 1) & mt_matrix);
}

VECTOR_CLONES static void
mt_refill (Rng *rng)
{
  uint32_t *mt = rng->mt;
  const int wrap = MT19937_STATE - MT_SHIFT;
  for (int i = 0; i < wrap; i++)
    mt[i] = mt_twist (mt[i], mt[i + 1], mt[i + MT_SHIFT]);
  for (int i = wrap; i < MT19937_STATE - 1; i++)
    mt[i] = mt_twist (mt[i], mt[i + 1], mt[i - wrap]);
  mt[MT19937_STATE - 1] = mt_twist (mt[MT19937_STATE - 1], mt[0], mt[MT_SHIFT - 1]);
  rng->mt_index = 0;
}

static inline uint32_t
mt_temper (uint32_t y)
{
  y ^= y >> 11;
  y ^= y << 7 & 0x9d2c5680u;
  y ^= y << 15 & 0xefc60000u;
  return y ^ y >> 18;
}

static uint32_t
mt_next (Rng *rng)
{
  /* A state restored from a journal may hold any index; out of range means "used up". */
  if (rng->mt_index < 0 || rng->mt_index >= MT19937_STATE)
    mt_refill (rng);
  return mt_temper (rng->mt[rng->mt_index++]);
}

VECTOR_CLONES static void
temper_24 (const uint32_t *restrict words, float *restrict out, int64_t n)
{
  for (int64_t i = 0; i < n; i++)
    out[i] = (float) (int32_t) (mt_temper (words[i]) & 0xffffffu) * 0x1p-24f;
}

/* @n uniforms of 24 bits in 0 .. 1 */
static void
fill_uniform_24 (Rng *rng, float *out, int64_t n)
{
  while (n > 0)
    {
      if (rng->mt_index < 0 || rng->mt_index >= MT19937_STATE)
        mt_refill (rng);
      int64_t left = MT19937_STATE - rng->mt_index, now = n < left ? n : left;
      temper_24 (rng->mt + rng->mt_index, out, now);
      rng->mt_index += (int32_t) now;
      out += now;
      n -= now;
    }
}

static double
uniform_53 (Rng *rng)
{
  uint64_t high = mt_next (rng);
  uint64_t low = mt_next (rng);
  return (double) ((high << 32 | low) & 0x1fffffffffffffu) * 0x1p-53;
}

/* y (x) = ((c[0] x + c[1]) x + ...), each step rounded once. */
static inline float
polynomial (float x, const float *c, int n)
{
  float y = c[0];
#pragma GCC unroll 16
  for (int i = 1; i < n; i++)
    y = fmaf (y, x, c[i]);
  return y;
}

/* @x of log: normal and positive.  log, sin and cos in f32 after the Cephes library (Moshier), with
 * fused multiply-adds where PyTorch's vector code has them: libm's better rounded values would
 * differ by up to 2e-6.  Every fused operation is written out, so the result does not depend on
 * compiler or processor. */
static inline float
cephes_log (float x)
{
  static const float c[] = { 7.0376836292e-2f,  -1.1514610310e-1f, 1.1676998740e-1f,
                             -1.2420140846e-1f, 1.4249322787e-1f,  -1.6668057665e-1f,
                             2.0000714765e-1f,  -2.4999993993e-1f, 3.3333331174e-1f };
  const float sqrt_half = 0.707106781186547524f;
  const float ln2_high = 0.693359375f;
  const float ln2_low = -2.12194440e-4f;
  uint32_t bits;
  memcpy (&bits, &x, sizeof bits);
  float e = (float) ((int32_t) (bits >> 23) - 126); /* frexp of a normal number */
  bits = (bits & 0x7fffffu) | 0x3f000000u;
  float m;
  memcpy (&m, &bits, sizeof m);
  bool low_half = m < sqrt_half;
  m = m - 1.0f + (low_half ? m : 0.0f);
  e -= low_half ? 1.0f : 0.0f;
  float z = m * m;
  float y = polynomial (m, c, (int) (sizeof c / sizeof *c)) * m;
  float low = e * ln2_low;
  y = fmaf (y, z, low);
  y = fmaf (z, -0.5f, y);
  return fmaf (e, ln2_high, m + y);
}

/* @x: 0 .. 2 pi */
static inline void
cephes_sin_cos (float x, float *sine, float *cosine)
{
  static const float s[] = { -1.9515295891e-4f, 8.3321608736e-3f, -1.6666654611e-1f };
  static const float c[] = { 2.443315711809948e-5f, -1.388731625493765e-3f, 4.166664568298827e-2f };
  static const float quarter_pi[] = { 0.78515625f, 2.4187564849853515625e-4f,
                                      3.77489497744594108e-8f };
  const float four_over_pi = 1.27323954473516f;
  int octant = ((int) (x * four_over_pi) + 1) & ~1;
  float y = (float) octant;
  x = fmaf (y, -quarter_pi[0], x);
  x = fmaf (y, -quarter_pi[1], x);
  x = fmaf (y, -quarter_pi[2], x);
  float z = x * x;
  float half = z * 0.5f;
  float cos_x = fmaf (polynomial (z, c, 3) * z, z, -half) + 1.0f;
  float sin_x = fmaf (polynomial (z, s, 3) * z, x, x);
  bool swap = octant & 2;
  float sin_y = swap ? cos_x : sin_x;
  float cos_y = swap ? sin_x : cos_x;
  *sine = octant & 4 ? -sin_y : sin_y;
  *cosine = (octant - 2) & 4 ? cos_y : -cos_y;
}

/* Box-Muller: @a and @b, uniforms, become radius * cosine and radius * sine. */
VECTOR_CLONES static void
normal_pairs (float *restrict a, float *restrict b, int n)
{
  for (int i = 0; i < n; i++)
    {
      float radius = sqrtf (-2.0f * cephes_log (1.0f - a[i]));
      float sine, cosine;
      cephes_sin_cos ((float) two_pi * b[i], &sine, &cosine);
      a[i] = radius * cosine;
      b[i] = radius * sine;
    }
}

/* In place over blocks of sixteen uniforms: cosines go to the first half, sines to the second. */
static void
normal_blocks (float *v, int64_t n_blocks)
{
  float a[PAIRS], b[PAIRS];
  const size_t half_bytes = HALF_BLOCK * sizeof *v;
  while (n_blocks > 0)
    {
      int now = n_blocks < PAIRS / HALF_BLOCK ? (int) n_blocks : PAIRS / HALF_BLOCK;
      for (int k = 0; k < now; k++)
        {
          memcpy (a + k * HALF_BLOCK, v + k * BLOCK, half_bytes);
          memcpy (b + k * HALF_BLOCK, v + k * BLOCK + HALF_BLOCK, half_bytes);
        }
      normal_pairs (a, b, now * HALF_BLOCK);
      for (int k = 0; k < now; k++)
        {
          memcpy (v + k * BLOCK, a + k * HALF_BLOCK, half_bytes);
          memcpy (v + k * BLOCK + HALF_BLOCK, b + k * HALF_BLOCK, half_bytes);
        }
      v += now * BLOCK;
      n_blocks -= now;
    }
}

static void
normal_vectorised (Rng *rng, float *out, int64_t n)
{
  fill_uniform_24 (rng, out, n);
  normal_blocks (out, n / BLOCK);
  if (n % BLOCK == 0)
    return;
  float *tail = out + n - BLOCK;
  fill_uniform_24 (rng, tail, BLOCK);
  normal_blocks (tail, 1);
}

static double
normal_scalar (Rng *rng)
{
  if (rng->has_cached)
    {
      rng->has_cached = false;
      return rng->cached_normal;
    }
  double u1 = uniform_53 (rng);
  double u2 = uniform_53 (rng);
  double radius = sqrt (-2.0 * log1p (-u2));
  rng->cached_normal = radius * sin (two_pi * u1);
  rng->has_cached = true;
  return radius * cos (two_pi * u1);
}

/* Philox 4x32-10 (Salmon et al., "Parallel random numbers: as easy as 1, 2, 3"); in place. */
static void
philox (uint32_t c[4], uint64_t seed)
{
  uint32_t k0 = (uint32_t) seed;
  uint32_t k1 = (uint32_t) (seed >> 32);
  for (int round = 0; round < PHILOX_ROUNDS; round++)
    {
      uint64_t p0 = (uint64_t) philox_m0 * c[0];
      uint64_t p1 = (uint64_t) philox_m1 * c[2];
      uint32_t next[4] = { (uint32_t) (p1 >> 32) ^ c[1] ^ k0, (uint32_t) p1,
                           (uint32_t) (p0 >> 32) ^ c[3] ^ k1, (uint32_t) p0 };
      memcpy (c, next, sizeof next);
      k0 += philox_w0;
      k1 += philox_w1;
    }
}

/* A1111 rounds 2^-32 * 2 pi to f32 before it computes in f64. */
static void
normal_philox (Rng *rng, float *out, int64_t n)
{
  const double angle_scale = (double) (float) (0x1p-32 * 6.2831855);
  for (int64_t i = 0; i < n; i++)
    {
      uint32_t c[4] = { rng->philox_offset, 0, (uint32_t) i, 0 };
      philox (c, rng->seed);
      double u = c[0] * 0x1p-32 + 0x1p-33;
      double v = c[1] * angle_scale + angle_scale / 2;
      out[i] = (float) (sqrt (-2.0 * log (u)) * sin (v));
    }
  rng->philox_offset++;
}

void
rng_init (Rng *rng, RngKind kind, uint64_t seed)
{
  *rng = (Rng){ .kind = kind, .seed = seed };
  mt_seed (rng, (uint32_t) seed);
}

void
rng_normal (Rng *rng, float *out, int64_t n)
{
  if (rng->kind == RNG_NV)
    normal_philox (rng, out, n);
  else if (n >= BLOCK)
    normal_vectorised (rng, out, n);
  else
    for (int64_t i = 0; i < n; i++)
      out[i] = (float) normal_scalar (rng);
}
