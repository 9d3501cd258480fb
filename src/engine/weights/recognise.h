/* SPDX-License-Identifier: MPL-2.0
 * recognise.h - a model's configuration from the shapes of its weights.
 */
#pragma once

#include "weights/tensor-table.h"
#include "weights/weights.h"

/* recognise_config:
 * @set: weights under canonical names
 * @label: the file's name: for messages, and as a hint where shapes cannot tell
 *
 * Fills everything that shapes say, and the family's usual values for the rest (heads, activations,
 * scaling factor, noise schedule).  Config files are applied over it by the caller.
 *
 * Fails: UNSUPPORTED (a relative that we cannot run, by name), FORMAT (parts of a network missing)
 */
bool
recognise_config (ModelConfig *config, const WeightSet *set, const char *label, Status *status);

/* v-prediction and zero terminal SNR: by marker tensors, metadata, then the file's name. */
void recognise_prediction (ModelConfig *config, const TensorTable *table, const char *label);

/* Which of the FLUX.1 models of one shape this is, by metadata, then by the file's name.
 * @table: NULL where there are no metadata */
void recognise_flux_variant (FluxConfig *f, const TensorTable *table, const char *label);

/* Fails where the transformer's width does not split into so many heads. */
bool wan_set_heads (WanConfig *c, int n_heads);

/* Which expert a file is by the words in @name: high_noise, HighNoise, LOW, ... */
WanExpert wan_expert_of (const char *name);

/* Whether the text encoders are those that the transformer takes.  Fails: SHAPE
 * @label: the file that an encoder came from */
bool recognise_fit (const ModelConfig *config, const char *label, Status *status);

/* What the family's VAE multiplies latents by, once the shift is taken off: 0.18215, 0.13025 or
 * 0.3611. */
float family_scaling_factor (Family family);
float family_shift_factor (Family family); /* 0.1159 for FLUX.1, else 0 */
