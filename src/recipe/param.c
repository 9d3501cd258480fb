/* SPDX-License-Identifier: MPL-2.0
 * param.c - values of declared parameters, from and to text.
 */
#include "recipe/param.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/mem.h"
#include "core/utf8.h"
#include "recipe/json.h"
#include "recipe/text.h"

bool
param_is_string (const RecipeParam *param)
{
  return param->type == PARAM_STRING || param->type == PARAM_PATH || param->type == PARAM_LIST;
}

static void *
field (const RecipeParam *param, void *record)
{
  return (char *) record + param->offset;
}

static const void *
field_const (const RecipeParam *param, const void *record)
{
  return (const char *) record + param->offset;
}

const char *
param_name (const RecipeParam *param)
{
  return status_is_in_window () ? status_text (param->label) : param->key;
}

const char *
param_peek_string (const RecipeParam *param, const void *record)
{
  const char *text = *(char *const *) field_const (param, record);
  return text ? text : "";
}

void
param_clear_string (const RecipeParam *param, void *record)
{
  char **slot = field (param, record);
  mem_free (*slot);
  *slot = NULL;
}

int
param_n_choices (const RecipeParam *param)
{
  int n = 0;
  while (param->choices[n])
    n++;
  return n;
}

static bool
set_string (const RecipeParam *param, void *record, const char *text, Status *status)
{
  size_t n = strlen (text);
  if (n > PARAM_TEXT_MAX_BYTES)
    return status_fail (status, STATUS_ARGUMENT, "%s is too long: at most %d bytes are kept.",
                        param_name (param), PARAM_TEXT_MAX_BYTES);
  if (!utf8_is_valid (text, n))
    return status_fail (status, STATUS_ARGUMENT,
                        "%s is not valid UTF-8: use names and text in UTF-8.", param_name (param));
  if (param->type == PARAM_PATH && strpbrk (text, "\r\n"))
    return status_fail (status, STATUS_ARGUMENT,
                        "%s contains a line break: rename the file to a name of one line.",
                        param_name (param));
  char *copy = n ? mem_strdup (text) : NULL;
  if (n && !copy)
    return status_fail (status, STATUS_NO_MEMORY, "Out of memory: close other programs and retry.");
  param_clear_string (param, record);
  *(char **) field (param, record) = copy;
  return true;
}

/* Kept as it is written, so that equal lists are equal texts. */
static bool
set_list (const RecipeParam *param, void *record, const char *text, Status *status)
{
  size_t n = strlen (text);
  if (text[strspn (text, " \t\r\n")] == '\0')
    return set_string (param, record, "", status);
  struct json_object *list = n <= PARAM_TEXT_MAX_BYTES ? json_parse (text, n, PARAM_LIST_MAX_DEPTH,
                                                                     param_name (param), status)
                                                       : NULL;
  bool ok = json_object_is_type (list, json_type_array) &&
            json_object_array_length (list) <= PARAM_LIST_MAX_ITEMS;
  for (size_t i = 0; ok && i < json_object_array_length (list); i++)
    ok = json_object_is_type (json_object_array_get_idx (list, i), json_type_object);
  if (!ok)
    status_fail (status, STATUS_ARGUMENT, "%s has to be a JSON list of at most %d objects.",
                 param_name (param), PARAM_LIST_MAX_ITEMS);
  else if (json_object_array_length (list) == 0)
    ok = set_string (param, record, "", status);
  else
    ok = set_string (param, record,
                     json_object_to_json_string_ext (list, JSON_C_TO_STRING_PLAIN |
                                                               JSON_C_TO_STRING_NOSLASHESCAPE),
                     status);
  json_object_put (list);
  return ok;
}

static bool
fail_range (const RecipeParam *param, const char *text, const char *kind, Status *status)
{
  char excerpt[TEXT_EXCERPT_SIZE], min[TEXT_NUMBER_SIZE], max[TEXT_NUMBER_SIZE];
  text_from_double (min, param->min);
  text_from_double (max, param->max);
  return status_fail (status, STATUS_ARGUMENT, "%s has to be a %s from %s to %s, not \"%s\".",
                      param_name (param), status_text (kind), min, max,
                      text_excerpt (excerpt, text));
}

static bool
set_int (const RecipeParam *param, void *record, const char *text, Status *status)
{
  double v;
  if (!text_to_double (text, &v) || v < param->min || v > param->max || v != floor (v))
    return fail_range (param, text, STATUS_MARK ("whole number"), status);
  *(int *) field (param, record) = (int) v;
  return true;
}

static bool
set_float (const RecipeParam *param, void *record, const char *text, Status *status)
{
  double v;
  if (!text_to_double (text, &v) || v < param->min || v > param->max)
    return fail_range (param, text, STATUS_MARK ("number"), status);
  *(double *) field (param, record) = v == 0 ? 0 : v; /* no negative zero */
  return true;
}

static bool
set_u64 (const RecipeParam *param, void *record, const char *text, Status *status)
{
  const char *p = text + strspn (text, " \t");
  size_t n_digits = strspn (p, "0123456789");
  errno = 0;
  uint64_t v = n_digits ? strtoull (p, NULL, 10) : 0;
  if (n_digits == 0 || errno || p[n_digits + strspn (p + n_digits, " \t")])
    {
      char excerpt[TEXT_EXCERPT_SIZE];
      return status_fail (status, STATUS_ARGUMENT,
                          "%s has to be a whole number from 0 to %" PRIu64 ", not \"%s\".",
                          param_name (param), UINT64_MAX, text_excerpt (excerpt, text));
    }
  *(uint64_t *) field (param, record) = v;
  return true;
}

static bool
fail_choice (const RecipeParam *param, const char *text, const char *choices, Status *status)
{
  char excerpt[TEXT_EXCERPT_SIZE];
  return status_fail (status, STATUS_ARGUMENT, "%s has to be one of %s, not \"%s\".",
                      param_name (param), choices, text_excerpt (excerpt, text));
}

static bool
set_bool (const RecipeParam *param, void *record, const char *text, Status *status)
{
  bool on = text_equal_nocase (text, "true");
  if (!on && !text_equal_nocase (text, "false"))
    return fail_choice (param, text, "true, false", status);
  *(bool *) field (param, record) = on;
  return true;
}

static bool
set_enum (const RecipeParam *param, void *record, const char *text, Status *status)
{
  char choices[STATUS_MESSAGE_SIZE / 2];
  size_t n = 0;
  for (int i = 0; param->choices[i]; i++)
    {
      if (text_equal_nocase (param->choices[i], text))
        {
          *(int *) field (param, record) = i;
          return true;
        }
      if (n < sizeof choices)
        n += (size_t) snprintf (choices + n, sizeof choices - n, "%s%s", i ? ", " : "",
                                param->choices[i]);
    }
  return fail_choice (param, text, choices, status);
}

bool
param_set (const RecipeParam *param, void *record, const char *text, Status *status)
{
  switch (param->type)
    {
    case PARAM_STRING:
    case PARAM_PATH:
      return set_string (param, record, text, status);
    case PARAM_LIST:
      return set_list (param, record, text, status);
    case PARAM_INT:
      return set_int (param, record, text, status);
    case PARAM_U64:
      return set_u64 (param, record, text, status);
    case PARAM_FLOAT:
      return set_float (param, record, text, status);
    case PARAM_BOOL:
      return set_bool (param, record, text, status);
    case PARAM_ENUM:
      return set_enum (param, record, text, status);
    }
  return status_fail (status, STATUS_ARGUMENT, "%s has no known type.", param_name (param));
}

char *
param_get_text (const RecipeParam *param, const void *record, Status *status)
{
  char number[TEXT_NUMBER_SIZE] = "";
  const char *text = number;
  const void *value = field_const (param, record);
  switch (param->type)
    {
    case PARAM_STRING:
    case PARAM_PATH:
    case PARAM_LIST:
      text = param_peek_string (param, record);
      break;
    case PARAM_INT:
      snprintf (number, sizeof number, "%d", *(const int *) value);
      break;
    case PARAM_U64:
      snprintf (number, sizeof number, "%" PRIu64, *(const uint64_t *) value);
      break;
    case PARAM_FLOAT:
      text_from_double (number, *(const double *) value);
      break;
    case PARAM_BOOL:
      text = *(const bool *) value ? "true" : "false";
      break;
    case PARAM_ENUM:
      text = param->choices[*(const int *) value];
      break;
    }
  char *copy = mem_strdup (text);
  if (!copy)
    status_fail (status, STATUS_NO_MEMORY, "Out of memory: close other programs and retry.");
  return copy;
}
