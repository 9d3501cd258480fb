/* SPDX-License-Identifier: MPL-2.0
 * device.h - what a Ctx needs to know of the device behind its backend.
 *
 * A device either works in the program's own memory, as the CPU does, or has memory of its own.
 * Then tensors lie there: what the caller gives is copied to it (ctx_input), what the caller reads
 * is copied back (ctx_read), and operators between make values of the type that products take.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/dtype.h"
#include "core/status.h"
#include "kernels/args.h"

typedef struct Device Device;

/* Work is queued and done in order; a failure is remembered, and what follows does nothing. */
typedef struct
{
  /* The most bytes that all that is taken, and parameters, may have for now. */
  size_t (*room) (const Device *d);
  /* What is queued from here on, to finish, reads and makes activations of @type.  @memory: as
   * taken, where they lie, for runs that may be repeated there; or NULL */
  void (*begin) (Device *d, DType type, void *memory);
  /* Memory for the activations of a Ctx, or for what a model remembers from run to run; its address
   * stays until it is given back. */
  void *(*take) (Device *d, size_t size_bytes, Status *status);
  void (*give_back) (Device *d, void *memory);
  /* Queues zeros. */
  void (*clear) (Device *d, void *memory, size_t size_bytes);
  /* Queues @n values of @from, rounded to @dtype (f32, f16 or bf16).  @from may change at once. */
  void (*upload) (Device *d, void *to, DType dtype, const float *from, int64_t n);
  /* Waits for all that is queued. */
  bool (*download) (Device *d, float *to, const void *from, DType dtype, int64_t n, Status *status);
  /* Waits, and says what has failed since the last call. */
  bool (*finish) (Device *d, Status *status);
  /* Parameters in the program's memory are about to change or to go: no copy of them is valid. */
  void (*forget) (Device *d);
} DeviceMemory;

struct Device
{
  const DeviceMemory *memory; /* NULL: the program's own */
};

/* Of what operators read and make. */
static inline DType
device_activation (const Device *d, Compute compute)
{
  if (!d || !d->memory || compute == COMPUTE_F32)
    return DTYPE_F32;
  return compute == COMPUTE_F16 || compute == COMPUTE_FP8_F16 ? DTYPE_F16 : DTYPE_BF16;
}
