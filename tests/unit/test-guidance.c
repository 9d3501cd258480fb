/* SPDX-License-Identifier: MPL-2.0
 * test-guidance.c - classifier-free guidance, AND prompts and rescale against their definitions.
 */
#include <glib.h>
#include <math.h>

#include "core/rng.h"
#include "samplers/guidance.h"

static void
test_guidance_combines_in_x0 (void)
{
  const float cond[] = { 1, 2, -1 }, other[] = { 0, 4, 2 }, uncond[] = { 0.5f, 1, 1 };
  const float *conds[] = { cond, other };
  const double weights[] = { 1, 0.5 };
  float out[3];
  guidance_cfg (out, cond, uncond, 7, 3);
  g_assert_cmpfloat_with_epsilon (out[0], 0.5 + 7 * 0.5, 1e-6);
  g_assert_cmpfloat_with_epsilon (out[2], 1 - 7 * 2, 1e-6);
  guidance_cfg (out, cond, uncond, 1, 3);
  g_assert_cmpmem (out, sizeof out, cond, sizeof cond);
  guidance_compose (out, conds, weights, 2, uncond, 3, 3);
  g_assert_cmpfloat_with_epsilon (out[1], 1 + 3 * (1 + 0.5 * 3), 1e-6);
}

static double
deviation (const double *v, int n)
{
  double mean = 0, squares = 0;
  for (int i = 0; i < n; i++)
    mean += v[i] / n;
  for (int i = 0; i < n; i++)
    squares += (v[i] - mean) * (v[i] - mean);
  return sqrt (squares / (n - 1));
}

/* The definition, in the network's own output: out' = out (phi std (cond) / std (out) + 1 - phi),
 * for each of two pictures, then back to x0. */
static void
test_guidance_rescale_follows_its_definition (void)
{
  enum
  {
    N = 16
  };
  const double sigma = 3, phi = 0.7;
  float x[2 * N], cond[2 * N], guided[2 * N];
  Rng rng;
  rng_init (&rng, RNG_CPU, 3);
  for (int prediction = PREDICTION_EPSILON; prediction <= PREDICTION_V; prediction++)
    {
      rng_normal (&rng, x, 2 * N);
      rng_normal (&rng, cond, 2 * N);
      rng_normal (&rng, guided, 2 * N);
      double c2 = 1 / (1 + sigma * sigma);
      double skip = prediction == PREDICTION_V ? c2 : 1;
      double factor = prediction == PREDICTION_V ? -sigma * sqrt (c2) : -sigma;
      double want[2 * N];
      for (int p = 0; p < 2; p++)
        {
          double of_cond[N], of_guided[N];
          for (int i = 0; i < N; i++)
            {
              x[p * N + i] *= (float) sigma;
              guided[p * N + i] *= 4 + 2 * (float) p;
              of_cond[i] = (cond[p * N + i] - skip * x[p * N + i]) / factor;
              of_guided[i] = (guided[p * N + i] - skip * x[p * N + i]) / factor;
            }
          double k = phi * deviation (of_cond, N) / deviation (of_guided, N) + 1 - phi;
          for (int i = 0; i < N; i++)
            want[p * N + i] = skip * x[p * N + i] + factor * k * of_guided[i];
        }
      guidance_rescale (guided, cond, x, sigma, (Prediction) prediction, phi, 2, N);
      for (int i = 0; i < 2 * N; i++)
        g_assert_cmpfloat_with_epsilon (guided[i], want[i], 5e-6);
    }
}

static void
test_guidance_rescale_of_a_constant_stays (void)
{
  float x[] = { 1, 1 }, cond[] = { 0, 1 }, guided[] = { 2, 2 };
  guidance_rescale (guided, cond, x, 2, PREDICTION_EPSILON, 0.7, 1, 2);
  g_assert_cmpfloat (guided[0], ==, 2);
  g_assert_cmpfloat (guided[1], ==, 2);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/samplers/guidance/combines-in-x0", test_guidance_combines_in_x0);
  g_test_add_func ("/samplers/guidance/rescale-follows-its-definition",
                   test_guidance_rescale_follows_its_definition);
  g_test_add_func ("/samplers/guidance/rescale-of-a-constant-stays",
                   test_guidance_rescale_of_a_constant_stays);
  return g_test_run ();
}
