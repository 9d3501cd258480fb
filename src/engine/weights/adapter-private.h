/* SPDX-License-Identifier: MPL-2.0
 * adapter-private.h - what the files that read adapters share.
 */
#pragma once

#include "core/blocks.h"
#include "weights/adapter.h"

enum
{
  ADAPTER_KEY_SIZE = 640 /* longer than any tensor name that a parser lets through */
};

/* Dots become underscores: trainers disagree on which of the two they write. */
void adapter_flatten (char *out, size_t size, const char *name);

/* Fills base and naming. */
void adapter_recognise (AdapterFile *adapter);

/* Elements @from .. @from + @n - 1 of @t, whatever its format. */
static inline void
file_tensor_read (float *out, const FileTensor *t, int64_t from, int64_t n)
{
  Param p = { .data = t->data, .dtype = (int) t->dtype };
  param_to_f32 (out, &p, from, n);
}

/* The first value of @t; @fallback when it has none. */
double adapter_scalar (const FileTensor *t, double fallback);

/* Scales of the modules without alpha, as PEFT's configuration gives them, from the file beside
 * @adapter or from its metadata.  Fails: FORMAT, NO_MEMORY */
bool adapter_apply_peft (AdapterFile *adapter, Status *status);
