/* SPDX-License-Identifier: MPL-2.0
 * common.h - binding layers by canonical name, for every model.
 */
#pragma once

#include "core/arena.h"
#include "ops/ops.h"
#include "weights/weights.h"

/* What a model needs while its weights are looked up.  Names are @prefix + a printf format. */
typedef struct
{
  WeightSet *weights;
  Arena *arena; /* owns the model's structs */
  Status *status;
} Binder;

/* NAME.weight (n_out, n_in) and, unless @bias is false, NAME.bias. */
Layer bind_linear (const Binder *b, int64_t n_out, int64_t n_in, bool bias, const char *name);
/* NAME.weight (n_out, n_in, k, k) and NAME.bias. */
Layer bind_conv (const Binder *b, int64_t n_out, int64_t n_in, int k, const char *name);
Layer bind_conv_no_bias (const Binder *b, int64_t n_out, int64_t n_in, int k, const char *name);
/* NAME.weight (n_out, n_in, 3, k, k) and NAME.bias: three frames of a convolution over time. */
Layer bind_conv3d (const Binder *b, int64_t n_out, int64_t n_in, int k, const char *name);
/* NAME.weight (n) and NAME.bias (n). */
Layer bind_norm (const Binder *b, int64_t n, const char *name);

/* NAME.weight (n), without a bias: RMSNorm. */
const Weight *bind_scale (const Binder *b, int64_t n, const char *name);

bool bind_has (const Binder *b, const char *name); /* the tensor of exactly this name exists */

enum
{
  MODEL_NAME_SIZE = 256
};

/* A name under a name: "unet.mid_block" + ".attentions.%d".  By value: binding is not a hot path.
 */
typedef struct
{
  char text[MODEL_NAME_SIZE];
} Name;

Name name_of (const char *format, ...) __attribute__ ((format (printf, 1, 2)));
