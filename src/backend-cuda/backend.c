/* SPDX-License-Identifier: MPL-2.0
 * backend.c - a card as a backend: its streams, and what a Ctx asks of its memory.
 */
#include <stdio.h>
#include <string.h>

#include "core/mem.h"
#include "cuda.h"

bool
cuda_works (CudaBackend *b, int error, const char *doing)
{
  if (error == DRIVER_OUT_OF_MEMORY)
    status_fail (&b->status, STATUS_NO_MEMORY,
                 "The graphics card is out of memory: close programs that use it, or choose a "
                 "smaller size.");
  else if (error)
    status_fail (&b->status, STATUS_IO,
                 "The NVIDIA card failed while %s (%s, error %d): try again; if it fails again, "
                 "restart the machine or let the CPU compute.",
                 status_text (doing), driver_error (b->driver, error), error);
  return !cuda_failed (b);
}

static CudaBackend *
enter (Device *d)
{
  CudaBackend *b = (CudaBackend *) d;
  cuda_works (b, b->driver->context_use (b->context), STATUS_MARK ("it was addressed"));
  return b;
}

/* What has failed so far, told once.  After running out of memory, less may still be done. */
static bool
tell (CudaBackend *b, Status *status)
{
  if (!cuda_failed (b))
    return true;
  status_fail (status, b->status.code, "%s", b->status.message);
  if (b->status.code == STATUS_NO_MEMORY)
    b->status = (Status){ 0 };
  return false;
}

static size_t
room (const Device *d)
{
  const CudaBackend *b = (const CudaBackend *) d;
  return b->max_pages * b->page_bytes;
}

static void
begin (Device *d, DType type, void *memory)
{
  CudaBackend *b = enter (d);
  b->is_fp8 = false; /* until a product says so */
  cuda_narrow_forget (b);
  b->type = type == DTYPE_F32 ? GK_TYPE_F32 : type == DTYPE_F16 ? GK_TYPE_F16 : GK_TYPE_BF16;
  cuda_graph_begin (b, memory);
}

static void *
take (Device *d, size_t size_bytes, Status *status)
{
  CudaBackend *b = enter (d);
  cuda_narrow_close (b); /* another network will have other needs */
  for (int i = 0; i < MAX_ARENAS; i++)
    if (!b->arenas[i].address)
      return cuda_map (b, &b->arenas[i], size_bytes, status)
                 ? (void *) (uintptr_t) b->arenas[i].address
                 : NULL;
  status_fail (status, STATUS_NO_MEMORY, "The graphics card computes too much at once.");
  return NULL;
}

static void
give_back (Device *d, void *memory)
{
  CudaBackend *b = enter (d);
  cuda_works (b, b->driver->stream_wait (b->compute), STATUS_MARK ("it computed"));
  for (int i = 0; i < MAX_ARENAS; i++)
    if (b->arenas[i].address == (uintptr_t) memory)
      {
        cuda_graph_free (b, i);
        cuda_unmap (b, &b->arenas[i]);
      }
}

static void
clear (Device *d, void *memory, size_t size_bytes)
{
  CudaBackend *b = enter (d);
  cuda_graph_break (b);
  cuda_narrow_forget (b);
  if (!cuda_failed (b))
    cuda_works (b, b->driver->fill ((uintptr_t) memory, 0, size_bytes, b->compute),
                STATUS_MARK ("memory was cleared"));
}

typedef struct
{
  const float *values;
  DType dtype;
} Upload;

static void
fill_upload (void *data, void *out, size_t offset_bytes, size_t n_bytes)
{
  const Upload *u = data;
  size_t size = dtype_size (u->dtype), n = n_bytes / size;
  const float *from = u->values + offset_bytes / size;
  uint16_t *to = out;
  if (u->dtype == DTYPE_F32)
    memcpy (out, from, n_bytes);
  else
    for (size_t i = 0; i < n; i++)
      to[i] = u->dtype == DTYPE_BF16 ? f32_to_bf16 (from[i]) : f32_to_f16 (from[i]);
}

static void
upload (Device *d, void *to, DType dtype, const float *from, int64_t n)
{
  CudaBackend *b = enter (d);
  Upload u = { from, dtype };
  cuda_copy_in (b, b->compute, (uintptr_t) to, (size_t) n * dtype_size (dtype), sizeof *from,
                fill_upload, &u);
}

static bool
download (Device *d, float *to, const void *from, DType dtype, int64_t n, Status *status)
{
  CudaBackend *b = enter (d);
  size_t size_bytes = (size_t) n * dtype_size (dtype);
  /* 16-bit values go into the upper half of the result, and are spread from its start. */
  char *raw = (char *) (to + n) - size_bytes;
  if (!cuda_copy_out (b, raw, (uintptr_t) from, size_bytes))
    return tell (b, status);
  if (dtype != DTYPE_F32)
    for (int64_t i = 0; i < n; i++)
      to[i] = dtype_load (raw, dtype, i);
  return true;
}

static bool
finish (Device *d, Status *status)
{
  CudaBackend *b = enter (d);
  cuda_graph_launch (b);
  cuda_works (b, b->driver->stream_wait (b->compute), STATUS_MARK ("it computed"));
  cuda_graph_end (b);
  cuda_choices_save (b);
  return tell (b, status);
}

static void
forget (Device *d)
{
  cuda_weights_forget (enter (d));
  cuda_scales_forget ((CudaBackend *) d);
  memset (((CudaBackend *) d)->graph_times, 0, sizeof ((CudaBackend *) d)->graph_times);
}

static const DeviceMemory device_memory = {
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

static bool
take_remark (Backend *base, char *out, size_t size)
{
  CudaBackend *b = (CudaBackend *) base;
  bool any = *b->remark != '\0';
  snprintf (out, size, "%s", b->remark);
  *b->remark = '\0';
  return any;
}

static void
cuda_free (Backend *base)
{
  CudaBackend *b = (CudaBackend *) base;
  if (b->context)
    b->driver->context_use (b->context);
  for (int i = 0; i < MAX_ARENAS; i++)
    cuda_graph_free (b, i);
  cuda_choices_close (b);
  cuda_scales_close (b);
  cuda_weights_close (b);
  cuda_memory_close (b);
  cuda_staging_close (b);
  cuda_pace_close (b);
  if (b->copies)
    b->driver->stream_free (b->copies);
  if (b->compute)
    b->driver->stream_free (b->compute);
  if (b->context)
    b->driver->context_release (b->device);
  mem_free (b);
}

static bool
start (CudaBackend *b, Status *status)
{
  const Driver *d = b->driver;
  int error = d->context_retain (&b->context, b->device);
  error = error ? error : d->context_use (b->context);
  error = error ? error : d->stream_new (&b->compute, DRIVER_STREAM_NON_BLOCKING);
  error = error ? error : d->stream_new (&b->copies, DRIVER_STREAM_NON_BLOCKING);
  if (error)
    return status_fail (status, STATUS_UNSUPPORTED,
                        "The NVIDIA card cannot be used (%s, error %d): close other programs that "
                        "use it, or let the CPU compute.",
                        driver_error (d, error), error);
  return true;
}

/* What gemm-fp8.cu and gemm-wgmma.cu are built for. */
static bool
has_fp8 (int capability)
{
  return capability == 89 || capability == 90 || capability / 10 == 12;
}

Backend *
cuda_backend_new (const Driver *driver,
                  int number,
                  const CudaDevice *device,
                  const CudaOptions *options,
                  Status *status)
{
  CudaBackend *b = mem_calloc (1, sizeof *b);
  if (!b)
    {
      status_fail (status, STATUS_NO_MEMORY, "Out of memory: close other programs and retry.");
      return NULL;
    }
  *b = (CudaBackend){
    .driver = driver, .device = number, .capability = device->capability, .type = GK_TYPE_BF16
  };
  b->base = (Backend){ .device = { &device_memory },
                       .ops = cuda_ops,
                       .name = "cuda",
                       .level = b->level,
                       .device_name = b->name,
                       .fastest = COMPUTE_BF16,
                       .has_fp8 = has_fp8 (device->capability),
                       .fuses = true,
                       .compared = cuda_compared,
                       .graph_times = cuda_graph_times,
                       .take_remark = take_remark,
                       .free = cuda_free };
  snprintf (b->name, sizeof b->name, "%s", device->name);
  snprintf (b->level, sizeof b->level, "sm%d", device->capability % 1000);
  if (start (b, status) && cuda_pace_open (b, status) && cuda_staging_open (b, status) &&
      cuda_memory_open (b, options->memory_limit_bytes, status) && cuda_weights_open (b, status))
    {
      cuda_choices_open (b, options->memory_limit_bytes > 0);
      return &b->base;
    }
  cuda_free (&b->base);
  return NULL;
}
