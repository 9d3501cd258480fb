/* SPDX-License-Identifier: MPL-2.0
 * step.h - what the families of samplers share: one function a family, and sums of buffers.
 */
#pragma once

#include "samplers/sampler.h"

/* One step's surroundings.  A family computes the new x; sampler_step does the rest. */
typedef struct
{
  Sampler *sampler;
  int index;
  double sigma, timestep; /* where x is */
  double target;          /* where it goes */
  float *x;               /* (n) in place */
  int64_t n;
  const Denoiser *denoiser;
  const NoiseSource *noise;
  Status *status;
} Step;

typedef struct
{
  double factor;
  const float *values;
} Term;

/* out = sum of factor * values, in f64, rounded once; @out may be one of the inputs. */
void combine (float *out, int64_t n, const Term *terms, int n_terms);

bool step_denoise (const Step *step, const float *x, double sigma, double timestep, float *x0);

/* Noise for the way from @sigma to @sigma_next into @out; false (ARGUMENT) when the step has no
 * source. */
bool step_noise (const Step *step, double sigma, double sigma_next, float *out);

/* DPM++ SDE's level half way in lambda between two others. */
double level_half_way (const Schedule *schedule, double sigma, double target);

/* Where step_midpoint() asks a second time in step @step; 0 when it does not. */
double midpoint_level (const Sampler *sampler, int step);

/* The share of the picture that a multistep sampler reckons with at @sigma.  ComfyUI's 2M and UniPC
 * take a flow-matching model's latent for x0 + sigma n. */
double step_alpha (const Schedule *schedule, double sigma);

/* How far lambda, the logarithm of signal over noise, rises between two levels. */
double step_lambda (const Step *step, double from, double to);

/* step_ancestral:
 * @noise: (n); not read when @eta is 0 or @target not between 0 and the step's sigma
 *
 * out = D + (sigma_down / sigma) (base - D) + sigma_up noise: from the step's sigma to @target with
 * @eta of fresh noise.  Of a flow model the same is done to x / alpha, with sigma / alpha.
 */
void step_ancestral (const Step *step,
                     float *out,
                     const float *base,
                     const float *x0,
                     double target,
                     double eta,
                     const float *noise);

/* Makes @x0, in scratch[0], the newest of the history. */
void step_remember (const Step *step);

bool step_euler (const Step *step);
bool step_heun (const Step *step);
bool step_midpoint (const Step *step); /* DPM2, DPM2 a, DPM++ 2S a */
bool step_lms (const Step *step);
bool step_dpmpp_2m (const Step *step);
bool step_dpmpp_2m_sde (const Step *step);
bool step_dpmpp_sde (const Step *step);
bool step_dpmpp_3m_sde (const Step *step);
bool step_unipc (const Step *step);
bool step_lcm (const Step *step);
bool step_tcd (const Step *step);
