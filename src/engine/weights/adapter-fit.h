/* SPDX-License-Identifier: MPL-2.0
 * adapter-fit.h - an adapter's modules on the layers of one model.
 */
#pragma once

#include "weights/adapter-delta.h"
#include "weights/adapter-map.h"

/* Rows of a weight that stand for rows of the module's own, from @source_row on. */
typedef struct
{
  Weight *weight;
  int64_t row, n_rows, source_row;
} FitTarget;

typedef struct
{
  const AdapterModule *module;
  AdapterShape shape; /* of the layer as the module sees it */
  FitTarget weights[ADAPTER_MAX_TARGETS], biases[ADAPTER_MAX_TARGETS];
  int n_weights, n_biases; /* 0 where the module leaves them alone */
  bool bias_beside;        /* it adds a bias to a layer that has none */
  bool widens;             /* the layer's weight gets columns of zeros, up to shape.n_in */
  bool is_text;
  int block;
} FitModule;

typedef struct
{
  const AdapterFile *file; /* borrowed */
  FitModule *modules;
  size_t n_modules, capacity;
  char **unmatched; /* "LAYER: why" */
  size_t n_unmatched, unmatched_capacity;
  Pool pool;
} AdapterFit;

/* adapter_fit_init:
 * @fit: zeroed; give back with adapter_fit_clear, also after failure
 * @set: of the model; borrowed
 *
 * Layers that the model does not have, or has in another shape, are listed and left out.
 *
 * Fails: UNSUPPORTED when the adapter was made for another model, by what its tensors say or
 *   because more than half of its layers find no place; NO_MEMORY
 */
bool adapter_fit_init (AdapterFit *fit,
                       const AdapterFile *file,
                       WeightSet *set,
                       const AdapterMap *map,
                       const ModelConfig *config,
                       Status *status);
void adapter_fit_clear (AdapterFit *fit);
