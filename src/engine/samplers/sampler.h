/* SPDX-License-Identifier: MPL-2.0
 * sampler.h - takes a noisy latent down a schedule, one step at a time.
 *
 * x is in sigma space, x = x0 + sigma n, or, of a flow-matching model, x = (1 - sigma) x0 + sigma
 * n. Between two steps everything a sampler remembers is in Sampler and can be saved: a run
 * restored from (x, saved sampler, noise state) goes on bit for bit as if it had not stopped. State
 * is f32, coefficients are f64.
 */
#pragma once

#include <stddef.h>

#include "core/status.h"
#include "samplers/kinds.h"
#include "samplers/noise-table.h"
#include "samplers/schedule.h"

enum
{
  SAMPLER_MAX_HISTORY = 3, /* model outputs kept: UniPC of order 3 */
  SAMPLER_MAX_SCRATCH = 3,
};

/* The model with its guidance. */
typedef struct
{
  /* denoise:
   * @x: (n) as the samplers have it; scale it with prediction_input_scale() for a VP network
   * @timestep: as the schedule's convention has it; may be fractional
   * @x0: (n) receives the guided clean picture; never overlaps @x
   *
   * Returns: false after setting @status; the step then leaves x and the sampler as they were
   */
  bool (*denoise) (
      void *data, const float *x, double sigma, double timestep, float *x0, Status *status);
  void *data;
} Denoiser;

/* Where fresh noise comes from: a generator, or a path that is a function of the interval. */
typedef struct
{
  /* normal:
   * @sigma, @sigma_next: the part of the way down that the noise is for, sigma >= sigma_next > 0
   * @out: (n) standard normals, independent of those for intervals that do not overlap with it
   *
   * A sampler never asks for overlapping intervals, unless a step that failed is done again.
   */
  void (*normal) (void *data, double sigma, double sigma_next, float *out, int64_t n);
  void *data;
} NoiseSource;

typedef struct
{
  double eta;     /* share of fresh noise: ancestral samplers, DDIM, DPM++ SDE; TCD's gamma */
  double s_noise; /* factor on fresh noise; 1 */
  int order;      /* UniPC: 1 .. 3 */
  bool heun;      /* DPM++ 2M (SDE): second-order term of Heun's type, not the midpoint's */
  bool first_order_last; /* DPM++ 2M (SDE), diffusers: euler_at_final */
} SamplerOptions;

/* A sampler at work; read the fields, but only the functions below change them. */
typedef struct
{
  SamplerKind kind;
  SamplerOptions options;
  const NoiseTable *table;  /* borrowed */
  const Schedule *schedule; /* borrowed */
  int64_t n_values;
  int next_step;  /* steps done so far */
  int n_history;  /* valid entries of history */
  int last_order; /* UniPC: order of the prediction that made the present x */
  float *
      history[SAMPLER_MAX_HISTORY]; /* (n_values) x0 of the last steps, newest first; LMS: slopes */
  float *last_x;                    /* (n_values) UniPC: x before that prediction */
  float *scratch[SAMPLER_MAX_SCRATCH]; /* (n_values) used within a step */
} Sampler;

/* The defaults of the program whose convention it is: eta of SamplerInfo, UniPC of order 3 in
 * ComfyUI and 2 in diffusers. */
SamplerOptions sampler_options_default (SamplerKind kind, Convention convention);

/* sampler_init:
 * @sampler: zeroed or cleared; free with sampler_clear, also after failure
 * @table, @schedule: must outlive @sampler
 * @n_values: values of x: the whole batch, if the pictures share a schedule
 *
 * Fails: ARGUMENT for options out of range or another sampler's schedule, NO_MEMORY
 */
bool sampler_init (Sampler *sampler,
                   SamplerKind kind,
                   const NoiseTable *table,
                   const Schedule *schedule,
                   const SamplerOptions *options,
                   int64_t n_values,
                   Status *status);
void sampler_clear (Sampler *sampler);
/* Before the first step again, as sampler_init left it. */
void sampler_restart (Sampler *sampler);

/* sampler_timesteps:
 * @timesteps: NULL, or receives every timestep that the steps may ask the model about, as denoise
 *   will be given it; repeats are possible
 *
 * Returns: how many
 */
int sampler_timesteps (const Sampler *sampler, double *timesteps);

/* sampler_step:
 * @step: 0 .. schedule->n - 1, in order
 * @x: (n_values) from schedule->sigma[step] to schedule->sigma[step + 1]
 * @noise: may be NULL for samplers that draw none
 *
 * Noise is drawn only where it counts: none for a step to sigma 0 (or eta 0).  DPM++ SDE
 * draws for both parts of a step and joins them, so that its two noises lie on one Brownian path.
 *
 * Fails: ARGUMENT out of order or without the noise it needs; what the denoiser says.  x and the
 * sampler are then unchanged, though @noise may have been drawn from.
 */
bool sampler_step (Sampler *sampler,
                   int step,
                   float *x,
                   const Denoiser *denoiser,
                   const NoiseSource *noise,
                   Status *status);

/* State between steps as bytes, for a journal read on the same machine.  @data needs
 * sampler_save_size() bytes. */
size_t sampler_save_size (const Sampler *sampler);
void sampler_save (const Sampler *sampler, void *data);

/* sampler_restore:
 * @sampler: just initialised with the same kind, options, schedule and size
 *
 * Fails: FORMAT when @data is not the state of such a sampler
 */
bool sampler_restore (Sampler *sampler, const void *data, size_t size_bytes, Status *status);
