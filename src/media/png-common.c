/* SPDX-License-Identifier: MPL-2.0
 * png-common.c - libpng's errors as a Status, its memory through core/mem.h.
 */
#include "media/png-common.h"

#include <stdio.h>

#include "core/mem.h"

void
png_error_cb (png_structp png, png_const_charp message)
{
  PngState *state = png_get_error_ptr (png);
  snprintf (state->message, sizeof state->message, "%s", message ? message : "unknown error");
  png_longjmp (png, 1);
}

/* Warnings are about chunks that do not matter to the picture. */
void
png_warning_cb (png_structp png, png_const_charp message)
{
}

png_voidp
png_malloc_cb (png_structp png, png_alloc_size_t n_bytes)
{
  PngState *state = png_get_mem_ptr (png);
  void *p = mem_calloc (n_bytes, 1);
  if (!p && state)
    state->no_memory = true;
  return p;
}

void
png_free_cb (png_structp png, png_voidp p)
{
  mem_free (p);
}

bool
png_state_failed (PngState *state)
{
  if (state->no_memory)
    return status_fail (state->status, STATUS_NO_MEMORY,
                        "Out of memory: close other programs and retry.");
  if (state->writes)
    return status_fail (state->status, STATUS_FORMAT, "Cannot write \"%.300s\": %s.", state->name,
                        state->message);
  return status_fail (state->status, STATUS_FORMAT,
                      "Cannot read \"%.300s\": the PNG is damaged (%s). Get the file again.",
                      state->name, state->message);
}
