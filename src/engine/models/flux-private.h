/* SPDX-License-Identifier: MPL-2.0
 * flux-private.h - the transformer's parts, shared by its two functions.
 */
#pragma once

#include "models/flux.h"

/* What attends: image tokens and text tokens have weights of their own in double blocks. */
typedef struct
{
  Layer q, k, v;
  const Weight *norm_q, *norm_k;
} FluxHeads;

typedef struct
{
  FluxHeads heads;
  Layer out, mlp_in, mlp_out;
} FluxStream;

typedef struct
{
  FluxStream img, txt;
} FluxDouble;

typedef struct
{
  FluxHeads heads;
  Layer mlp_in, out;
} FluxSingle;

/* An embedding: linear, silu, linear. */
typedef struct
{
  Layer in, out;
} FluxEmbedder;

/* What flux_modulation reads. */
typedef struct
{
  FluxEmbedder time, guidance, pooled;
  Layer *layers; /* n_layers, in the order of their columns */
  int n_layers;
} FluxModulation;

struct Flux
{
  FluxConfig config;
  Layer img_in, txt_in, proj_out;
  FluxDouble *doubles;
  FluxSingle *singles;
  FluxModulation modulation;
};

enum
{
  /* Vectors of a modulation: shift, scale and gate of a norm. */
  FLUX_STREAM_VECTORS = 6, /* of attention, then of the MLP */
  FLUX_SINGLE_VECTORS = 3,
  FLUX_FINAL_VECTORS = 2
};

/* Fills flux->modulation.  Returns: false and the binder's status when out of memory */
bool flux_bind_modulation (const Binder *b, Flux *flux);
