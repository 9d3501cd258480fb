/* SPDX-License-Identifier: MPL-2.0
 * guidance.h - combines the model's answers for prompt and negative prompt, all as x0.
 *
 * Every parametrisation is linear in x0 for a given x and sigma, so guidance in x0 equals guidance
 * of epsilon or v.  Outputs may be the inputs.
 */
#pragma once

#include <stdint.h>

#include "samplers/noise-table.h"

/* Classifier-free guidance (Ho & Salimans 2022): out = uncond + scale (cond - uncond); n values. */
void guidance_cfg (float *out, const float *cond, const float *uncond, double scale, int64_t n);

/* guidance_compose:
 * @cond: @n_cond arrays of (n), at least one; @weight: (n_cond)
 *
 * Prompts joined by AND (Liu et al. 2022): out = uncond + scale sum weight_i (cond_i - uncond).
 */
void guidance_compose (float *out,
                       const float *const *cond,
                       const double *weight,
                       int n_cond,
                       const float *uncond,
                       double scale,
                       int64_t n);

/* guidance_rescale:
 * @guided: (n_pictures, n_per_picture) x0 after guidance, changed in place
 * @cond: x0 of the prompt alone
 * @x, @sigma: where the model was asked
 * @prediction: space in which the deviations are compared: the model's own in diffusers, always V
 *   in ComfyUI
 * @phi: 0 leaves @guided, 1 gives each picture the standard deviation that it has in @cond
 *
 * Against the over-exposure that strong guidance brings (Lin et al. 2023, section 3.4).
 */
void guidance_rescale (float *guided,
                       const float *cond,
                       const float *x,
                       double sigma,
                       Prediction prediction,
                       double phi,
                       int64_t n_pictures,
                       int64_t n_per_picture);
