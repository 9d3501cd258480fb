/* SPDX-License-Identifier: MPL-2.0
 * brownian.h - the Brownian path in sigma that k-diffusion and diffusers draw noise from.
 *
 * Both use torchsde's BrownianTree: a binary tree of halved intervals whose nodes each have a seed
 * of their own, made from the path's seed and the place in the tree (numpy's SeedSequence).  So
 * the path is a function of seed and time alone, whatever is asked for and in whatever order.
 * Here it is the same function: equal to torchsde's but for the order of a sum (1e-6).
 *
 * One object holds the paths of a batch: picture i has the path of seed + i, as if made alone.
 * diffusers does so when given a list of seeds, A1111 always; ComfyUI lays one path through the
 * whole batch, which is the same for a batch of one.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "core/rng.h"
#include "core/status.h"

typedef struct Brownian Brownian;

/* brownian_new:
 * @kind: RNG_CPU for torch's CPU generator (ComfyUI, diffusers), RNG_NV for A1111's source "NV"
 * @start, @end: where the path begins and ends, start <= end: the smallest and largest sigma
 * @n_values: of one picture's latent
 *
 * Memory for the path to one point is taken here, about 25 buffers of the batch's latents for
 * Stable Diffusion's range of sigmas; nothing later allocates.
 *
 * Returns: free with brownian_free; NULL and ARGUMENT or NO_MEMORY in @status
 */
Brownian *brownian_new (RngKind kind,
                        uint64_t seed,
                        double start,
                        double end,
                        int n_pictures,
                        int64_t n_values,
                        Status *status);
void brownian_free (Brownian *brownian);

/* brownian_normal:
 * @brownian: a Brownian; the function is a NoiseSource's
 * @sigma, @sigma_next: sigma >= sigma_next; beyond the path's ends they count as these
 * @out: (n) the path's change on the way down, divided by sqrt (sigma - sigma_next)
 * @n: values of the batch, n_pictures * n_values
 *
 * Cheapest when @sigma is the last call's @sigma_next, because the way there is kept.
 */
void brownian_normal (void *brownian, double sigma, double sigma_next, float *out, int64_t n);
