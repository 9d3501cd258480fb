/* SPDX-License-Identifier: MPL-2.0
 * adapter-delta-private.h - what the files of the deltas share.
 */
#pragma once

#include "weights/adapter-delta.h"
#include "weights/adapter-private.h"

/* A factor of LoKr's product: (rows, columns, area). */
typedef struct
{
  int64_t n_rows, n_columns, area;
} KronSide;

int64_t file_tensor_elements (const FileTensor *t);

/* A copy in f32, with room for one element more, so that an empty tensor has an address too.
 * Returns: NULL and NO_MEMORY */
float *file_tensor_f32 (const FileTensor *t, Status *status);

void adapter_kron_sides (const AdapterModule *m, KronSide *one, KronSide *two);

/* W a0 a1 + b0 b1, whichever way round the file has them: LyCORIS turned them once. */
void adapter_glora_order (const AdapterModule *m,
                          const AdapterShape *s,
                          const FileTensor *a[2],
                          const FileTensor *b[2]);

/* DoRA's magnitudes are one an output row, else one an input column. */
bool adapter_dora_by_output (const FileTensor *magnitudes, const AdapterShape *s);

/* @d: (out, in, area) receives (R - I) W, rescaled where the file says so */
bool adapter_delta_oft (
    const AdapterModule *m, const AdapterShape *s, const float *w, float *d, Status *status);

/* Turns @w in place, each stage as far as @weight says. */
bool adapter_delta_boft (
    const AdapterModule *m, const AdapterShape *s, double weight, float *w, Status *status);
