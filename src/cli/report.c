/* SPDX-License-Identifier: MPL-2.0
 * report.c - failures, to a person and to a script.
 */
#include <stdio.h>

#include "cli/cli.h"

void
json_print_string (const char *text)
{
  putchar ('"');
  for (const unsigned char *p = (const unsigned char *) text; *p; p++)
    if (*p == '"' || *p == '\\')
      printf ("\\%c", *p);
    else if (*p < ' ')
      printf ("\\u%04x", *p);
    else
      putchar (*p);
  putchar ('"');
}

int
cli_fail (const Status *status, bool json)
{
  if (json)
    {
      printf ("{\"event\": \"error\", \"code\": \"%s\", \"message\": ",
              status_code_name (status->code));
      json_print_string (status->message);
      printf ("}\n");
    }
  fprintf (stderr, "gesso-cli: %s\n", status->message);
  return EXIT_FAILED;
}

int
cli_usage_error (const Status *status)
{
  fprintf (stderr, "gesso-cli: %s\n", status->message);
  return EXIT_USAGE;
}
