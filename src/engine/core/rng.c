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

static void
mt_refill (Rng *rng)
{
  for (int i = 0; i < MT19937_STATE; i++)
    {
      uint32_t y = (rng->mt[i] & mt_upper) | (rng->mt[(i + 1) % MT19937_STATE] & mt_lower);
      rng->mt[i] = rng->mt[(i + MT_SHIFT) % MT19937_STATE] ^ y >> 1 ^ (y & 1 ? mt_matrix : 0);
    }
  rng->mt_index = 0;
}

static uint32_t
mt_next (Rng *rng)
{
  /* A state restored from a journal may hold any index; out of range means "used up". */
  if (rng->mt_index < 0 || rng->mt_index >= MT19937_STATE)
    mt_refill (rng);
  uint32_t y = rng->mt[rng->mt_index++];
  y ^= y >> 11;
  y ^= y << 7 & 0x9d2c5680u;
  y ^= y << 15 & 0xefc60000u;
  return y ^ y >> 18;
}

static float
uniform_24 (Rng *rng)
{
  return (float) (mt_next (rng) & 0xffffffu) * 0x1p-24f;
}

static double
uniform_53 (Rng *rng)
{
  uint64_t high = mt_next (rng);
  uint64_t low = mt_next (rng);
  return (double) ((high << 32 | low) & 0x1fffffffffffffu) * 0x1p-53;
}

/* y (x) = ((c[0] x + c[1]) x + ...), each step rounded once. */
static float
polynomial (float x, const float *c, int n)
{
  float y = c[0];
  for (int i = 1; i < n; i++)
    y = fmaf (y, x, c[i]);
  return y;
}

/* log, sin and cos in f32 after the Cephes library (Moshier), with fused multiply-adds where
 * PyTorch's vector code has them: libm's better rounded values would differ by up to 2e-6.  Every
 * fused operation is written out, so the result does not depend on compiler or processor. */
static float
cephes_log (float x)
{
  static const float c[] = { 7.0376836292e-2f,  -1.1514610310e-1f, 1.1676998740e-1f,
                             -1.2420140846e-1f, 1.4249322787e-1f,  -1.6668057665e-1f,
                             2.0000714765e-1f,  -2.4999993993e-1f, 3.3333331174e-1f };
  const float sqrt_half = 0.707106781186547524f;
  const float ln2_high = 0.693359375f;
  const float ln2_low = -2.12194440e-4f;
  int exponent;
  float m = frexpf (x, &exponent);
  float e = (float) exponent;
  if (m < sqrt_half)
    {
      m = m - 1.0f + m;
      e -= 1.0f;
    }
  else
    m -= 1.0f;
  float z = m * m;
  float y = polynomial (m, c, (int) (sizeof c / sizeof *c)) * m;
  float low = e * ln2_low;
  y = fmaf (y, z, low);
  y = fmaf (z, -0.5f, y);
  return fmaf (e, ln2_high, m + y);
}

/* @x: 0 .. 2 pi */
static void
cephes_sin_cos (float x, float *sine, float *cosine)
{
  static const float s[] = { -1.9515295891e-4f, 8.3321608736e-3f, -1.6666654611e-1f };
  static const float c[] = { 2.443315711809948e-5f, -1.388731625493765e-3f, 4.166664568298827e-2f };
  static const float quarter_pi[] = { 0.78515625f, 2.4187564849853515625e-4f,
                                      3.77489497744594108e-8f };
  const float four_over_pi = 1.27323954473516f;
  int octant = ((int) (x * four_over_pi) + 1) & ~1;
  float y = (float) octant;
  for (int i = 0; i < 3; i++)
    x = fmaf (y, -quarter_pi[i], x);
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

/* Box-Muller over sixteen uniforms in place: cosines go to the first half, sines to the second. */
static void
normal_block (float *v)
{
  for (int j = 0; j < HALF_BLOCK; j++)
    {
      float radius = sqrtf (-2.0f * cephes_log (1.0f - v[j]));
      float sine, cosine;
      cephes_sin_cos ((float) two_pi * v[j + HALF_BLOCK], &sine, &cosine);
      v[j] = radius * cosine;
      v[j + HALF_BLOCK] = radius * sine;
    }
}

static void
normal_vectorised (Rng *rng, float *out, int64_t n)
{
  for (int64_t i = 0; i < n; i++)
    out[i] = uniform_24 (rng);
  for (int64_t i = 0; i + BLOCK <= n; i += BLOCK)
    normal_block (out + i);
  if (n % BLOCK == 0)
    return;
  float *tail = out + n - BLOCK;
  for (int i = 0; i < BLOCK; i++)
    tail[i] = uniform_24 (rng);
  normal_block (tail);
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
