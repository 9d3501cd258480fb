/* SPDX-License-Identifier: MPL-2.0
 * backend.c - what every backend shares.
 */
#include "backend/backend.h"

void
backend_free (Backend *b)
{
  if (b)
    b->free (b);
}

void
backend_forget (Backend *b)
{
  if (b && b->device.memory)
    b->device.memory->forget (&b->device);
}
