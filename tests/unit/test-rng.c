/* SPDX-License-Identifier: MPL-2.0
 * test-rng.c - normals against values that PyTorch's CPU generator and A1111's "NV" generator drew.
 */
#include <glib.h>
#include <math.h>
#include <string.h>

#include "core/rng.h"

/* Four printed decimals. */
static const double printed = 6e-5;

static void
check_values (const float *got, const double *want, int n, double tolerance)
{
  for (int i = 0; i < n; i++)
    g_assert_cmpfloat_with_epsilon (got[i], want[i], tolerance);
}

static void
test_rng_draws_torch_scalar_path (void)
{
  static const double want[] = { 1.5410, -0.2934, -2.1788, 0.5684 };
  Rng rng;
  float out[4];
  rng_init (&rng, RNG_CPU, 0);
  rng_normal (&rng, out, 4);
  check_values (out, want, 4, printed);
}

static void
test_rng_draws_torch_vector_path (void)
{
  static const double want[] = { -1.1258, -1.1524, -0.2506, -0.4339, 0.8487, 0.6920,
                                 -0.3160, -2.1152, 0.3223,  -1.2633, 0.3500, 0.3081,
                                 0.1198,  1.2377,  1.1168,  -0.2473 };
  static const double want_42[] = { 1.9269, 1.4873, 0.9007, -2.1055 };
  Rng rng;
  float out[16];
  rng_init (&rng, RNG_CPU, 0);
  rng_normal (&rng, out, 16);
  check_values (out, want, 16, printed);
  rng_init (&rng, RNG_CPU, 42);
  rng_normal (&rng, out, 16);
  check_values (out, want_42, 4, printed);
}

static void
test_rng_redraws_the_last_sixteen (void)
{
  static const double want[] = { -1.1258, -1.1524, -0.2506, -0.4339, 0.5988, -1.5551, -0.3414,
                                 1.8530,  0.4681,  -0.1577, 1.4437,  0.2660, 1.3894,  1.5863,
                                 0.9463,  -0.8437, 0.9318,  1.2590,  2.0050, 0.0537 };
  Rng rng;
  float out[20];
  rng_init (&rng, RNG_CPU, 0);
  rng_normal (&rng, out, 20);
  check_values (out, want, 20, printed);
}

/* torch.randn (n) for n in sizes from one generator with seed 1234567890123, on a processor with
 * AVX2: first and last value of each draw, equal to the last bit.  The odd draws leave a cached
 * normal behind, which the next small draw uses. */
static void
test_rng_equals_torch_bit_for_bit (void)
{
  static const int sizes[] = { 1, 4, 15, 16, 17, 20, 64, 1000, 65539, 7, 3, 2, 33 };
  static const float first_last[][2] = {
    { 0.612099051f, 0.612099051f },   { -0.930138052f, 0.387402028f },
    { 0.703606606f, 0.973423719f },   { -0.226420566f, 0.341083676f },
    { 0.829089522f, -0.0913036466f }, { 1.19016266f, 0.211189285f },
    { -1.63861966f, 1.14897442f },    { -1.35871589f, -0.267521828f },
    { 0.666838765f, -2.17156816f },   { -1.36643457f, -0.287839979f },
    { -1.46719873f, -0.212612301f },  { 0.0351018049f, -1.47250473f },
    { 1.13872921f, 0.0656054914f }
  };
  Rng rng;
  g_autofree float *out = g_new (float, 65539);
  rng_init (&rng, RNG_CPU, 1234567890123u);
  for (unsigned i = 0; i < G_N_ELEMENTS (sizes); i++)
    {
      rng_normal (&rng, out, sizes[i]);
      g_assert_true (out[0] == first_last[i][0]);
      g_assert_true (out[sizes[i] - 1] == first_last[i][1]);
    }
}

/* PyTorch seeds its twister with 32 bits; Philox takes all 64. */
static void
test_rng_uses_the_seed_bits_of_the_original (void)
{
  const uint64_t high = (uint64_t) 7 << 32;
  Rng a, b;
  float x[16], y[16];
  rng_init (&a, RNG_CPU, 5);
  rng_init (&b, RNG_CPU, high | 5);
  rng_normal (&a, x, 16);
  rng_normal (&b, y, 16);
  g_assert_cmpmem (x, sizeof x, y, sizeof y);
  rng_init (&a, RNG_NV, 5);
  rng_init (&b, RNG_NV, high | 5);
  rng_normal (&a, x, 16);
  rng_normal (&b, y, 16);
  g_assert_true (memcmp (x, y, sizeof x) != 0);
}

static void
test_rng_draws_nv_stream (void)
{
  static const double want[] = { -0.9247, -0.4253, -2.6438, 0.1452,  -0.1209, -0.5797,
                                 -0.6229, -0.3284, -1.0745, -0.3631, -1.6711, 2.2655 };
  Rng rng;
  float out[12], again[12];
  rng_init (&rng, RNG_NV, 0);
  rng_normal (&rng, out, 12);
  check_values (out, want, 12, printed);
  rng_normal (&rng, again, 12);
  g_assert_cmpuint (rng.philox_offset, ==, 2);
  g_assert_true (memcmp (out, again, sizeof out) != 0);
}

/* A copy taken in the middle, cached normal included, goes on as the original does. */
static void
test_rng_resumes_from_a_copy (void)
{
  for (int kind = RNG_CPU; kind <= RNG_NV; kind++)
    {
      Rng rng, copy;
      float x[700], y[700];
      rng_init (&rng, (RngKind) kind, 99);
      rng_normal (&rng, x, 3);
      copy = rng;
      rng_normal (&rng, x, 5);
      rng_normal (&copy, y, 5);
      g_assert_cmpmem (x, 5 * sizeof *x, y, 5 * sizeof *y);
      rng_normal (&rng, x, 700);
      rng_normal (&copy, y, 700);
      g_assert_cmpmem (x, sizeof x, y, sizeof y);
    }
}

static void
test_rng_normals_have_unit_variance (void)
{
  enum
  {
    N = 100000
  };
  /* standard errors: mean 0.0032, variance 0.0045; four of them */
  for (int kind = RNG_CPU; kind <= RNG_NV; kind++)
    {
      Rng rng;
      g_autofree float *v = g_new (float, N);
      rng_init (&rng, (RngKind) kind, 11);
      rng_normal (&rng, v, N);
      double sum = 0, squares = 0;
      for (int i = 0; i < N; i++)
        {
          g_assert_true (isfinite (v[i]));
          sum += v[i];
          squares += (double) v[i] * v[i];
        }
      g_assert_cmpfloat_with_epsilon (sum / N, 0, 0.013);
      g_assert_cmpfloat_with_epsilon (squares / N, 1, 0.018);
    }
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/core/rng/draws-torch-scalar-path", test_rng_draws_torch_scalar_path);
  g_test_add_func ("/core/rng/draws-torch-vector-path", test_rng_draws_torch_vector_path);
  g_test_add_func ("/core/rng/redraws-the-last-sixteen", test_rng_redraws_the_last_sixteen);
  g_test_add_func ("/core/rng/equals-torch-bit-for-bit", test_rng_equals_torch_bit_for_bit);
  g_test_add_func ("/core/rng/uses-the-seed-bits-of-the-original",
                   test_rng_uses_the_seed_bits_of_the_original);
  g_test_add_func ("/core/rng/draws-nv-stream", test_rng_draws_nv_stream);
  g_test_add_func ("/core/rng/resumes-from-a-copy", test_rng_resumes_from_a_copy);
  g_test_add_func ("/core/rng/normals-have-unit-variance", test_rng_normals_have_unit_variance);
  return g_test_run ();
}
