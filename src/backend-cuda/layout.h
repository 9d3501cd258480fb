/* SPDX-License-Identifier: MPL-2.0
 * layout.h - from a parameter in the program's memory to its bytes on the card.
 */
#pragma once

#include "cuda.h"

typedef struct
{
  Param param;
  CudaShape shape;
  float *values; /* room for a row of CUDA_CONV: c_in * taps */
} CudaSource;

size_t layout_bytes (const Param *p, const CudaShape *s);
/* What a copy's pieces must be a multiple of. */
size_t layout_unit_bytes (const CudaShape *s);
/* A CudaFill; @data: a CudaSource.  16-bit values keep their file's type. */
void layout_fill (void *data, void *out, size_t offset_bytes, size_t n_bytes);
/* Whether layout_fill left values in the other 16-bit type, @from. */
bool layout_needs_rounding (const CudaSource *s, GkType *from);
