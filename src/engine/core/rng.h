/* SPDX-License-Identifier: MPL-2.0
 * rng.h - the normal deviates that other programs draw for a seed, number for number.
 *
 * CPU noise: PyTorch's CPU generator, as ComfyUI and diffusers use it (Mersenne twister MT19937).
 * NV noise: the Philox 4x32-10 stream of PyTorch's CUDA generator, as A1111's "NV" source emulates
 * it.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

typedef enum
{
  RNG_CPU,
  RNG_NV
} RngKind;

enum
{
  MT19937_STATE = 624
};

/* A generator's whole state: plain data, so that a journal can store it. */
typedef struct
{
  RngKind kind;
  uint64_t seed;
  uint32_t mt[MT19937_STATE]; /* RNG_CPU */
  int32_t mt_index;
  double cached_normal; /* second value of a Box-Muller pair (small draws only) */
  bool has_cached;
  uint32_t philox_offset; /* RNG_NV: draws made so far */
} Rng;

void rng_init (Rng *rng, RngKind kind, uint64_t seed);

/* rng_normal:
 * @out: receives @n standard normal deviates
 *
 * RNG_CPU equals torch.randn (n, generator): for @n of 16 or more PyTorch's vectorised path (24-bit
 * uniforms, blocks of 16), below that its scalar path.  RNG_NV equals one call of A1111's
 * generator.
 */
void rng_normal (Rng *rng, float *out, int64_t n);
