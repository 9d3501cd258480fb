/* SPDX-License-Identifier: MPL-2.0
 * twin.c - a card for plans: it measures as the card does, asks it what room there is, and computes
 * nothing.  So a plan is made beside a running job, and the card is not opened a second time.
 */
#include "backend/backend.h"
#include "core/mem.h"

typedef struct
{
  Backend base;
  const Backend *of;
} Twin;

static size_t
room (const Device *d)
{
  const Device *of = &((const Twin *) d)->of->device;
  return of->memory->room (of);
}

static bool
refuse (Status *status)
{
  return status_fail (status, STATUS_PLAN, "A backend that plans was asked to compute.");
}

static void
begin (Device *d, DType type, void *memory)
{
}

static void *
take (Device *d, size_t size_bytes, Status *status)
{
  refuse (status);
  return NULL;
}

static void
give_back (Device *d, void *memory)
{
}

static void
clear (Device *d, void *memory, size_t size_bytes)
{
}

static void
upload (Device *d, void *to, DType dtype, const float *from, int64_t n)
{
}

static bool
download (Device *d, float *to, const void *from, DType dtype, int64_t n, Status *status)
{
  return refuse (status);
}

static bool
finish (Device *d, Status *status)
{
  return refuse (status);
}

static void
forget (Device *d)
{
}

static const DeviceMemory twin_memory = {
  .room = room,
  .begin = begin,
  .take = take,
  .give_back = give_back,
  .clear = clear,
  .upload = upload,
  .download = download,
  .finish = finish,
  .forget = forget,
};

static void
twin_free (Backend *b)
{
  mem_free (b);
}

Backend *
backend_twin_new (const Backend *of, Status *status)
{
  Backend *null = backend_null_new (status);
  Twin *twin = null ? mem_calloc (1, sizeof *twin) : NULL;
  if (twin)
    {
      *twin = (Twin){ *of, of };
      twin->base.device.memory = &twin_memory;
      twin->base.ops = null->ops;
      twin->base.cancel = NULL;
      twin->base.free = twin_free;
    }
  else if (null)
    status_fail (status, STATUS_NO_MEMORY, "Out of memory: close other programs and retry.");
  backend_free (null);
  return twin ? &twin->base : NULL;
}
