/* SPDX-License-Identifier: MPL-2.0
 * blocks.h - decodes parameters of every storage format: the scalar specification.
 *
 * Each step is one operation in f32, rounded, in the order in which the formats' own programs do
 * them, so that decoded values agree to the bit.
 */
#pragma once

#include <stdint.h>

#include "core/dtype.h"
#include "kernels/args.h"

/* Elements @first .. @first + @n - 1 of @p (which has data) as f32. */
void param_to_f32 (float *out, const Param *p, int64_t first, int64_t n);

/* The scale of element @i, counted from the data; 1 where there is none. */
float quant_scale (const ParamQuant *q, int64_t i);

/* Where the block lies that holds element @i of @p. */
static inline const char *
param_at (const Param *p, int64_t i)
{
  DType dtype = (DType) p->dtype;
  return (const char *) p->data +
         (p->first + i) / dtype_block_elements (dtype) * dtype_block_bytes (dtype);
}

/* Whether products of 8 bits take @p, rows of @n_in: e4m3, a scale for each row or for more. */
static inline bool
param_is_e4m3 (const Param *p, int64_t n_in)
{
  enum
  {
    TOGETHER = 16 /* bytes that kernels read at once */
  };
  const ParamQuant *q = p->quant;
  if (p->dtype != DTYPE_F8_E4M3 || n_in < 1 || n_in % TOGETHER)
    return false;
  return !q ||
         (!q->code_book && !q->nested_book && q->scale_run % n_in == 0 && p->first % n_in == 0);
}

/* The part of @p that begins at its element @i. */
static inline Param
param_from (Param p, int64_t i)
{
  if (dtype_is_real ((DType) p.dtype))
    p.data = (const char *) p.data + i * (int64_t) dtype_size ((DType) p.dtype);
  else
    p.first += i;
  return p;
}
