/* SPDX-License-Identifier: MPL-2.0
 * choose.c - a backend by the name that a user gives.
 *
 * A card that is asked for and cannot be used is an error that offers the CPU; nobody who asked for
 * a card waits for the CPU unawares.  `auto` is the CPU only where there is no card at all.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "backend/backend.h"
#include "backend/cuda.h"

static const int64_t MIB = 1 << 20;

enum
{
  MAX_CARDS = 64
};

/* "cuda", or "cuda:1" for another than the first card. */
static bool
parse_card (const char *name, int *card)
{
  static const char cuda[] = "cuda";
  size_t n = sizeof cuda - 1;
  char *end;
  *card = 0;
  if (strncmp (name, cuda, n) != 0)
    return false;
  if (!name[n])
    return true;
  long i = strtol (name + n + 1, &end, 10);
  *card = (int) i;
  return name[n] == ':' && name[n + 1] && !*end && i >= 0 && i < MAX_CARDS;
}

static Backend *
open_card (const BackendChoice *c, int card, Status *status)
{
  Status own = { 0 };
  Backend *b = backend_cuda_new (card, c->memory_limit_mib * MIB, &own);
  if (!b)
    status_fail (status, own.code, "%.320s The CPU can compute instead: %s.", own.message,
                 status_here (STATUS_MARK ("give --backend cpu"),
                              STATUS_MARK ("switch it on in the Preferences, under Devices")));
  return b;
}

static bool
has_card (void)
{
  Status ignored = { 0 };
  const CudaModule *module = cuda_module_load (&ignored);
  return module && module->count_devices (&ignored) > 0;
}

Backend *
backend_new (const BackendChoice *choice, Status *status)
{
  const char *name = choice->name ? choice->name : "cpu";
  int card = 0;
  if (choice->memory_limit_mib < 0)
    {
      status_fail (status, STATUS_ARGUMENT, "A limit for the card's memory is a number of MiB.");
      return NULL;
    }
  if (!strcmp (name, "null"))
    return backend_null_new (status);
  if (!strcmp (name, "auto"))
    name = has_card () ? "cuda" : "cpu";
  if (!strcmp (name, "cpu"))
    return backend_cpu_new (choice->level, choice->n_threads, status);
  if (parse_card (name, &card))
    return open_card (choice, card, status);
  status_fail (status, STATUS_ARGUMENT,
               "There is no backend \"%.40s\"; choose cpu, cuda (cuda:1 for the second card) or "
               "auto.",
               name);
  return NULL;
}
