/* SPDX-License-Identifier: MPL-2.0
 * weights.h - the tensors of a model under one canonical set of names, wherever they came from.
 *
 * Canonical names are those of a diffusers folder with the sub-folder in front:
 *   unet.down_blocks.0.resnets.0.conv1.weight
 *   vae.decoder.up_blocks.0.resnets.0.norm1.weight
 *   text_encoder.text_model.encoder.layers.0.mlp.fc1.weight     (CLIP-L)
 *   text_encoder_2.text_model...                                (OpenCLIP bigG)
 *   transformer.transformer_blocks.0.attn.to_q.weight           (FLUX.1)
 *   t5.encoder.block.0.layer.0.SelfAttention.q.weight           (T5 and umT5, in any folder)
 *   tiny.decoder.layers.0.weight                                (TAESD)
 * Other layouts are renamed while a file is opened (names.c); data stays mapped in the file.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/dtype.h"
#include "core/status.h"
#include "kernels/args.h"
#include "weights/config.h"

enum
{
  WEIGHT_MAX_RANK = 5
};

typedef struct SidePath SidePath;

typedef struct
{
  const char *name;      /* canonical */
  const char *file_name; /* as the file calls it, for messages */
  DType dtype;
  int rank;
  int64_t ne[WEIGHT_MAX_RANK]; /* PyTorch order: (out, in, kh, kw) */
  const void *data;            /* mapped, maybe unaligned; NULL in a set that was only declared */
  const ParamQuant *quant; /* scales and codes of quantised formats, or NULL; owned by the set */
  int64_t first;           /* as in Param: a part of a fused tensor may begin inside a block */
  bool used;               /* some model asked for it */
  const SidePath *side;    /* NULL, or adapters that run beside the layer */
} Weight;

/* The low-rank adapters of a layer side by side: y += B (scale . (A x)) + bias.  The scales may
 * change between runs; they are all that an adapter's weight touches. */
struct SidePath
{
  const Weight *a;    /* (rank, in) or (rank, in, k, k), as the layer's own */
  const Weight *b;    /* (out, rank) */
  const Weight *bias; /* NULL, or (out) */
  const float *scale; /* (rank) */
  int64_t rank;
};

typedef struct WeightSet WeightSet;

/* An empty set for models whose file does not exist: every weight asked for is declared with the
 * shape asked for (f16, no data).  For plans, parameter counts and writing synthetic files. */
WeightSet *weights_new_declared (Status *status);
void weights_free (WeightSet *set);

int weights_count (const WeightSet *set);
const Weight *weights_at (const WeightSet *set, int i);
/* NULL when absent; does not mark it used. */
const Weight *weights_find (const WeightSet *set, const char *name);

/* weights_bind:
 * @rank, @ne: the shape the model needs; trailing dimensions of 1 are forgiven either way
 *
 * Finds a weight and marks it used.  A missing one or one of another shape is noted in the set's
 * list of problems, so that a report can name them all.
 *
 * Returns: borrowed; NULL when missing or misshapen
 */
const Weight *
weights_bind (WeightSet *set, int rank, const int64_t *ne, const char *name_format, ...)
    __attribute__ ((format (printf, 4, 5)));

/* The same, but absence is no problem.  In a declared set it is declared like any other. */
const Weight *
weights_bind_optional (WeightSet *set, int rank, const int64_t *ne, const char *name_format, ...)
    __attribute__ ((format (printf, 4, 5)));

/* Problems met by weights_bind, one line each ("missing: unet.conv_in.weight"). */
int weights_problem_count (const WeightSet *set);
const char *weights_problem (const WeightSet *set, int i);
/* Sets @status (FORMAT) naming the first problems when there are any. */
bool weights_check (const WeightSet *set, Status *status);

int64_t weight_bytes (const Weight *w);                                /* as stored */
int64_t weights_parameters (const WeightSet *set, const char *prefix); /* number of elements */

/* Weights under @prefix ("" for all) that no model has asked for: left over once models are built.
 * weights_unused gives the @i-th of them, NULL behind the last. */
int weights_unused_count (const WeightSet *set, const char *prefix);
const Weight *weights_unused (const WeightSet *set, const char *prefix, int i);

/* Asks the system to read the weights under @prefix from disk now; call it for a group of weights
 * ("unet.down_blocks.1.") shortly before they are needed. */
void weights_will_need (const WeightSet *set, const char *prefix);

/* Gives back the memory of weights whose name @func knows, so far as it holds pages of a file: they
 * are read again when somebody asks for them. */
void weights_wont_need (const WeightSet *set, bool (*func) (const char *name));

static inline void
weight_set_param (Weight *w, Param p)
{
  w->data = p.data;
  w->quant = p.quant;
  w->first = p.first;
}

static inline Param
weight_param (const Weight *w)
{
  return w ? (Param){ w->data, w->dtype, w->quant, w->first } : (Param){ 0 };
}
