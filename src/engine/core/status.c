/* SPDX-License-Identifier: MPL-2.0 */
#include "core/status.h"

#include <stdarg.h>
#include <stdio.h>

static StatusTranslate translate_text;
static bool in_window;

void
status_set_translate (StatusTranslate translate)
{
  translate_text = translate;
}

const char *
status_text (const char *text)
{
  return translate_text && *text ? translate_text (text) : text;
}

void
status_set_in_window (bool is)
{
  in_window = is;
}

bool
status_is_in_window (void)
{
  return in_window;
}

const char *
status_here (const char *terminal, const char *window)
{
  return status_text (in_window ? window : terminal);
}

bool
status_fail (Status *status, StatusCode code, const char *format, ...)
{
  if (status->code != STATUS_OK)
    return false;
  va_list args;
  va_start (args, format);
  vsnprintf (status->message, sizeof status->message, status_text (format), args);
  va_end (args);
  status->code = code;
  return false;
}

const char *
status_code_name (StatusCode code)
{
  static const char *const names[] = {
    [STATUS_OK] = "ok",
    [STATUS_NO_MEMORY] = "out-of-memory",
    [STATUS_IO] = "io",
    [STATUS_FORMAT] = "format",
    [STATUS_UNSUPPORTED] = "unsupported",
    [STATUS_NOT_FOUND] = "not-found",
    [STATUS_ARGUMENT] = "argument",
    [STATUS_SHAPE] = "shape",
    [STATUS_PLAN] = "plan",
    [STATUS_CANCELLED] = "cancelled",
  };
  return names[code];
}
