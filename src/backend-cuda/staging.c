/* SPDX-License-Identifier: MPL-2.0
 * staging.c - copies to and from the card through a few pinned buffers.
 *
 * Pinned memory is what the card reads by itself, and it is taken from all other programs: so there
 * is little of it, used in turns.  Values are converted while they are written into a buffer.
 */
#include <string.h>

#include "cuda.h"

bool
cuda_staging_open (CudaBackend *b, Status *status)
{
  for (int i = 0; i < STAGING_BUFFERS; i++)
    {
      CudaStaging *s = &b->staging[i];
      int error = b->driver->host_new (&s->memory, STAGING_BYTES, 0);
      error = error ? error : b->driver->event_new (&s->done, DRIVER_EVENT_NO_TIMING);
      if (error)
        return status_fail (status, STATUS_NO_MEMORY,
                            "The NVIDIA driver gives no memory for copies (%s, error %d): close "
                            "other programs.",
                            driver_error (b->driver, error), error);
    }
  return true;
}

void
cuda_staging_close (CudaBackend *b)
{
  for (int i = 0; i < STAGING_BUFFERS; i++)
    {
      if (b->staging[i].done)
        b->driver->event_free (b->staging[i].done);
      if (b->staging[i].memory)
        b->driver->host_free (b->staging[i].memory);
    }
}

/* The next buffer, once the copy that used it last is done. */
static CudaStaging *
take_staging (CudaBackend *b)
{
  CudaStaging *s = &b->staging[b->next_staging];
  b->next_staging = (b->next_staging + 1) % STAGING_BUFFERS;
  if (s->in_flight &&
      !cuda_works (b, b->driver->event_wait (s->done), STATUS_MARK ("values were copied to it")))
    return NULL;
  s->in_flight = false;
  return s;
}

bool
cuda_copy_in (CudaBackend *b,
              DriverStream stream,
              DriverPointer to,
              size_t size_bytes,
              size_t unit_bytes,
              CudaFill fill,
              void *data)
{
  size_t piece = STAGING_BYTES / unit_bytes * unit_bytes;
  if (stream == b->compute)
    {
      cuda_graph_break (b);
      cuda_narrow_forget (b);
    }
  for (size_t at = 0; at < size_bytes && !cuda_failed (b); at += piece)
    {
      size_t n = size_bytes - at < piece ? size_bytes - at : piece;
      CudaStaging *s = take_staging (b);
      if (!s)
        return false;
      fill (data, s->memory, at, n);
      int error = b->driver->to_device (to + at, s->memory, n, stream);
      error = error ? error : b->driver->event_record (s->done, stream);
      s->in_flight = error == DRIVER_OK;
      cuda_works (b, error, STATUS_MARK ("values were copied to it"));
    }
  return !cuda_failed (b);
}

bool
cuda_copy_out (CudaBackend *b, void *to, DriverPointer from, size_t size_bytes)
{
  for (size_t at = 0; at < size_bytes && !cuda_failed (b); at += STAGING_BYTES)
    {
      size_t n = size_bytes - at < STAGING_BYTES ? size_bytes - at : STAGING_BYTES;
      CudaStaging *s = take_staging (b);
      if (!s)
        return false;
      int error = b->driver->to_host (s->memory, from + at, n, b->compute);
      error = error ? error : b->driver->stream_wait (b->compute);
      if (cuda_works (b, error, STATUS_MARK ("results were copied from it")))
        memcpy ((char *) to + at, s->memory, n);
    }
  return !cuda_failed (b);
}
