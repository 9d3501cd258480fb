/* SPDX-License-Identifier: MPL-2.0
 * adapter-delta.h - what a module makes of a weight, in f32.
 *
 * Source of the formulas: Hu et al. 2021 (LoRA), Hyeon-Woo et al. 2022 (LoHa), Yeh et al. 2024
 * (LyCORIS: LoCon, LoHa, LoKr), Chavan et al. 2023 (GLoRA), Liu et al. 2022 ((IA)3), Qiu et al.
 * 2023 (OFT), Liu et al. 2024 (BOFT), Liu et al. 2024 (DoRA, with ComfyUI's choice of the norm).
 */
#pragma once

#include "weights/adapter.h"

/* Of the layer as the module sees it: (out, in, kernel, kernel); a norm is (out). */
typedef struct
{
  int64_t n_out, n_in, area; /* area: elements of the kernel */
} AdapterShape;

/* adapter_delta_fits:
 *
 * Whether all of the module's tensors for the weight agree with @shape and with each other.
 */
bool adapter_delta_fits (const AdapterModule *module, const AdapterShape *shape);

/* adapter_delta_apply:
 * @module: fits @shape
 * @w: (n_out, n_in, area), changed in place
 * @weight: the user's; 0 changes nothing
 *
 * LoRA and kin: W += weight * delta; with DoRA's magnitudes W + weight (W' - W).  Rotations read W.
 * Another weight in place of W replaces it whole at any weight but 0, as in ComfyUI and diffusers.
 *
 * Fails: NO_MEMORY
 */
bool adapter_delta_apply (const AdapterModule *module,
                          const AdapterShape *shape,
                          double weight,
                          float *w,
                          Status *status);

/* Whether the module changes the layer's weight at all, or only its bias. */
bool adapter_delta_has_weight (const AdapterModule *module);

/* The (r, in * area) matrix that is multiplied with the layer's input: with a Tucker core, that is
 * folded into it.  @out: as many f32.  Fails: NO_MEMORY */
bool adapter_delta_down (const AdapterModule *module,
                         const AdapterShape *shape,
                         float *out,
                         Status *status);
