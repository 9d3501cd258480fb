/* SPDX-License-Identifier: MPL-2.0
 * noise-table.h - the 1000 noise levels that Stable Diffusion models were trained on.
 *
 * A variance-preserving (VP) model saw x_vp = a x0 + b n with a^2 = alphas_cumprod[t] and
 * a^2 + b^2 = 1.  The samplers work on x = x_vp / a = x0 + sigma n instead ("sigma space"), with
 * sigma[t] = b / a.  Source: Ho et al., DDPM; Karras et al., EDM, table 1.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "core/prediction.h"
#include "core/status.h"
#include "samplers/kinds.h"

enum
{
  NOISE_TABLE_STEPS = 1000
};

/* What the last alphas_cumprod is set to when zero terminal SNR would make sigma infinite. */
#define NOISE_TERMINAL_COMFYUI 4.8973451890853435e-08 /* sigma_max 4518.76 */
#define NOISE_TERMINAL_DIFFUSERS 0x1p-24              /* sigma_max 4096 */
/* For the diffusers samplers that do compute with alpha = 0 (DDIM, LCM, TCD): sigma_max 1e6 leaves
 * a millionth of x0 in x. */
#define NOISE_TERMINAL_NEARLY_ZERO 1e-12

typedef struct
{
  double beta_start, beta_end;
  bool linear;            /* betas linear; false: their square roots are (all SD models) */
  bool zero_terminal_snr; /* rescaled so that the last step is pure noise (Lin et al. 2023) */
  double terminal_alpha;  /* alphas_cumprod of the last step with @zero_terminal_snr */
  bool f32_betas;         /* betas in f32 as diffusers has them; false: f64 as ComfyUI */
} NoiseTableParams;

/* Plain data.  Index = timestep; sigma and log_sigma ascend. */
typedef struct
{
  float alphas_cumprod[NOISE_TABLE_STEPS];
  float sigma[NOISE_TABLE_STEPS];
  float log_sigma[NOISE_TABLE_STEPS];
} NoiseTable;

/* SD 1.x, 2.x and SDXL: 0.00085 to 0.012, roots linear, no rescale; precision and terminal alpha of
 * @convention. */
NoiseTableParams noise_table_params_default (Convention convention);

/* Fails: ARGUMENT when the betas or the terminal alpha are not between 0 and 1. */
bool noise_table_init (NoiseTable *table, const NoiseTableParams *params, Status *status);

static inline double
noise_table_sigma_min (const NoiseTable *table)
{
  return table->sigma[0];
}

static inline double
noise_table_sigma_max (const NoiseTable *table)
{
  return table->sigma[NOISE_TABLE_STEPS - 1];
}

/* Timestep whose ln sigma is nearest: what ComfyUI and A1111 hand to the model. */
int noise_table_nearest (const NoiseTable *table, double sigma);

/* Fractional timestep, linear in ln sigma between neighbours, 0 .. 999 (diffusers). */
double noise_table_timestep (const NoiseTable *table, double sigma);

/* sigma at a fractional @timestep: linear in ln sigma (ComfyUI) or in sigma (diffusers). */
double noise_table_sigma_log_linear (const NoiseTable *table, double timestep);
double noise_table_sigma_linear (const NoiseTable *table, double timestep);

/* Factor that turns x into the network's input x_vp: 1 / sqrt (sigma^2 + 1). */
double prediction_input_scale (double sigma);

/* prediction_to_x0:
 * @x0: (n) receives the clean picture that @output implies; may be @x or @output
 * @x: (n) in sigma space
 * @output: (n) what the network returned for x_vp
 */
void prediction_to_x0 (
    Prediction prediction, float *x0, const float *x, const float *output, double sigma, int64_t n);
