/* SPDX-License-Identifier: MPL-2.0
 * report.c - failures, to a person and to a script.
 */
#include <stdio.h>
#include <string.h>

#include "cli/cli.h"
#include "core/utf8.h"

/* What is not UTF-8, as file names may be, would not be JSON: each such byte becomes U+FFFD. */
void
json_print_string (const char *text)
{
  size_t left = strlen (text);
  putchar ('"');
  while (left > 0)
    {
      uint32_t code = 0;
      int step = utf8_next (text, left, &code);
      if (step == 0)
        fputs ("\xef\xbf\xbd", stdout);
      else if (code == '"' || code == '\\')
        printf ("\\%c", (int) code);
      else if (code < ' ')
        printf ("\\u%04x", code);
      else
        fwrite (text, 1, (size_t) step, stdout);
      step = step ? step : 1;
      text += step;
      left -= (size_t) step;
    }
  putchar ('"');
}

/* One failure is one line, whatever names it quotes. */
static void
print_line (const char *text)
{
  fputs ("gesso-cli: ", stderr);
  for (const unsigned char *p = (const unsigned char *) text; *p; p++)
    fputc (*p < ' ' || *p == 0x7f ? ' ' : *p, stderr);
  fputc ('\n', stderr);
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
  print_line (status->message);
  return EXIT_FAILED;
}

int
cli_usage_error (const Status *status)
{
  print_line (status->message);
  return EXIT_USAGE;
}
