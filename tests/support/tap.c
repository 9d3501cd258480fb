/* SPDX-License-Identifier: MPL-2.0 */
#include "support/tap.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

static int n_results, n_failed;

void
tap_ok (bool ok, const char *name, const char *format, ...)
{
  char detail[1024];
  va_list args;
  va_start (args, format);
  vsnprintf (detail, sizeof detail, format, args);
  va_end (args);
  printf ("%s %d - %s%s%s\n", ok ? "ok" : "not ok", ++n_results, name, *detail ? ": " : "", detail);
  n_failed += !ok;
  fflush (stdout);
}

void
tap_skip (const char *name, const char *why)
{
  printf ("ok %d - %s # SKIP %s\n", ++n_results, name, why);
}

void
tap_bail_out (const Status *status)
{
  printf ("Bail out! %s\n", status->message);
  exit (EXIT_FAILURE);
}

int
tap_end (void)
{
  printf ("1..%d\n", n_results);
  return n_failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
