/* SPDX-License-Identifier: MPL-2.0
 * gesso-axis.c - the values of one axis of a grid, as a user types them.
 */
#include <glib/gi18n.h>
#include <math.h>
#include <string.h>

#include "core/mem.h"
#include "recipe/text.h"
#include "session/gesso-expand-private.h"
#include "session/gesso-recipe.h"

void
gesso_axis_clear (GessoAxis *axis)
{
  g_clear_pointer (&axis->key, g_free);
  g_clear_pointer (&axis->values, g_strfreev);
}

/* One text between commas; in quotes it may hold commas, and "" is a quote. */
static char *
read_text (const char **at)
{
  g_autoptr (GString) text = g_string_new (NULL);
  const char *p = *at;
  gboolean quoted = FALSE, was_quoted = FALSE;
  while (g_ascii_isspace (*p))
    p++;
  for (; *p && (quoted || *p != ','); p++)
    if (*p == '"' && quoted && p[1] == '"')
      g_string_append_c (text, *p++);
    else if (*p == '"' && (quoted || text->len == 0))
      {
        quoted = !quoted;
        was_quoted = TRUE;
      }
    else
      g_string_append_c (text, *p);
  *at = *p == ',' ? p + 1 : p;
  if (!was_quoted)
    g_strchomp (text->str);
  return g_strdup (text->str);
}

/* "1-5", "1-10 (+3)", "1-10 [4]" */
typedef struct
{
  double first, last, step;
  int count; /* 0: by step */
} Range;

static gboolean
read_number (const char **at, double *value)
{
  char *end;
  while (g_ascii_isspace (**at))
    (*at)++;
  *value = g_ascii_strtod (*at, &end);
  gboolean found = end != *at && isfinite (*value);
  *at = end;
  while (g_ascii_isspace (**at))
    (*at)++;
  return found;
}

/* Returns: FALSE when @text is no range */
static gboolean
read_range (const char *text, Range *range)
{
  double count;
  const char *p = text;
  *range = (Range){ 0 };
  if (!read_number (&p, &range->first) || *p++ != '-' || !read_number (&p, &range->last))
    return FALSE;
  if (*p == '(')
    {
      p++;
      return read_number (&p, &range->step) && range->step != 0 && strcmp (p, ")") == 0;
    }
  if (*p == '[')
    {
      p++;
      gboolean read = read_number (&p, &count) && count >= 1 && count <= GESSO_EXPAND_MAX;
      range->count = read ? (int) count : 0;
      return read && strcmp (p, "]") == 0;
    }
  range->step = range->last < range->first ? -1 : 1;
  return *p == '\0';
}

static void
add_number (GPtrArray *values, double value, gboolean whole)
{
  char text[TEXT_NUMBER_SIZE];
  /* sums like 0.1 + 0.2 are meant as 0.3 */
  text_from_double (text, whole ? round (value) : round (value * 1e9) / 1e9);
  g_ptr_array_add (values, g_strdup (text));
}

static gboolean
fail_too_many (GError **error)
{
  g_set_error (error, G_IO_ERROR, G_IO_ERROR_INVALID_ARGUMENT,
               _ ("That would be more than %d jobs at once: use fewer values."), GESSO_EXPAND_MAX);
  return FALSE;
}

static gboolean
add_range (GPtrArray *values, const Range *range, gboolean whole, GError **error)
{
  const double length = range->last - range->first;
  if (range->count > 0)
    {
      for (int i = 0; i < range->count; i++)
        add_number (values, range->first + (range->count > 1 ? length * i / (range->count - 1) : 0),
                    whole);
      return TRUE;
    }
  const double n = floor (length / range->step + 1e-6) + 1;
  if (n > GESSO_EXPAND_MAX)
    return fail_too_many (error);
  for (int i = 0; i < (int) n; i++)
    add_number (values, range->first + i * range->step, whole);
  if (n >= 1)
    return TRUE;
  g_set_error_literal (
      error, G_IO_ERROR, G_IO_ERROR_INVALID_ARGUMENT,
      _ ("A range whose step leads away from its end has no values: change the sign of "
         "the step."));
  return FALSE;
}

/* Each value is tried on a recipe of its own. */
static gboolean
check_values (const RecipeParam *param, const GPtrArray *values, GError **error)
{
  Status status = { 0 };
  Recipe scratch;
  recipe_init (&scratch);
  for (guint i = 0; i < values->len && status_ok (&status); i++)
    param_set (param, &scratch, g_ptr_array_index (values, i), &status);
  recipe_clear (&scratch);
  return gesso_status_propagate (&status, error);
}

static gboolean
read_values (const RecipeParam *param, const char *text, GPtrArray *values, GError **error)
{
  const gboolean whole = param && (param->type == PARAM_INT || param->type == PARAM_U64);
  const gboolean number = whole || (param && param->type == PARAM_FLOAT);
  for (const char *p = text; *p;)
    {
      Range range;
      g_autofree char *value = read_text (&p);
      if (number && read_range (value, &range))
        {
          if (!add_range (values, &range, whole, error))
            return FALSE;
        }
      else if (*value || !number)
        g_ptr_array_add (values, g_steal_pointer (&value));
      if (values->len > GESSO_EXPAND_MAX)
        return fail_too_many (error);
    }
  if (values->len > 0)
    return !param || check_values (param, values, error);
  g_set_error_literal (
      error, G_IO_ERROR, G_IO_ERROR_INVALID_ARGUMENT,
      _ ("An axis needs values: separate them by commas, or give a range like 1-5."));
  return FALSE;
}

gboolean
gesso_axis_parse (GessoAxis *axis, const char *key, const char *text, GError **error)
{
  g_return_val_if_fail (axis && key && text, FALSE);
  const RecipeParam *param = recipe_find_param (key);
  g_autoptr (GPtrArray) values = g_ptr_array_new_with_free_func (g_free);
  *axis = (GessoAxis){ 0 };
  if (!param && strcmp (key, "prompt-replace") != 0)
    {
      g_set_error (error, G_IO_ERROR, G_IO_ERROR_NOT_FOUND, _ ("A recipe has no parameter “%s”."),
                   key);
      return FALSE;
    }
  if (!read_values (param, text, values, error))
    return FALSE;
  g_ptr_array_add (values, NULL);
  axis->key = g_strdup (key);
  axis->values = (char **) g_ptr_array_free (g_steal_pointer (&values), FALSE);
  return TRUE;
}
