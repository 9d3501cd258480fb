/* SPDX-License-Identifier: MPL-2.0
 * t5.h - the encoder of T5 v1.1 (FLUX.1's text) and of umT5 (Wan's).
 */
#pragma once

#include "models/common.h"
#include "weights/config.h"

typedef struct T5 T5;

enum
{
  T5_MAX_LENGTH = 4096 /* tokens of one text */
};

/* t5_bind:
 *
 * Weights under "t5.".  Returns: owned by the binder's arena; NULL and the binder's status when out
 * of memory.  Missing weights are listed by the set.
 */
T5 *t5_bind (const Binder *b, const T5Config *config);

/* t5_forward:
 * @ids: n * length token ids, borrowed until the run ends
 * @key_bias: (n, length): 0 for tokens that may be seen, -INFINITY for padding; NULL: all are seen.
 *            FLUX hides nothing, Wan its padding.
 *
 * Pre-norm transformer without biases; scores are not scaled, a relative bias is added to them
 * (Raffel et al. 2020; Chung et al. 2023 for a table in each layer).
 *
 * Returns: (n, length, dim), kept to the end of the run
 * Fails: SHAPE when @length is over T5_MAX_LENGTH
 */
Tensor *t5_forward (
    Ctx *ctx, const T5 *t5, const int32_t *ids, int64_t n, int64_t length, const Tensor *key_bias);
