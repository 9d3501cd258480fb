/* SPDX-License-Identifier: MPL-2.0
 * gesso-recipe.c - recipes as JSON text, errors as GError.
 */
#include "session/gesso-recipe.h"

#include <glib/gi18n.h>
#include <string.h>

#include "core/mem.h"

enum
{
  TITLE_LENGTH = 80, /* characters */
  STEM_LENGTH = 48   /* bytes */
};

static GIOErrorEnum
error_code_of (StatusCode code)
{
  switch (code)
    {
    case STATUS_NO_MEMORY:
      return G_IO_ERROR_NO_SPACE;
    case STATUS_NOT_FOUND:
      return G_IO_ERROR_NOT_FOUND;
    case STATUS_UNSUPPORTED:
      return G_IO_ERROR_NOT_SUPPORTED;
    case STATUS_ARGUMENT:
      return G_IO_ERROR_INVALID_ARGUMENT;
    case STATUS_CANCELLED:
      return G_IO_ERROR_CANCELLED;
    case STATUS_FORMAT:
    case STATUS_SHAPE:
      return G_IO_ERROR_INVALID_DATA;
    case STATUS_IO:
    case STATUS_PLAN:
    case STATUS_OK:
      break;
    }
  return G_IO_ERROR_FAILED;
}

gboolean
gesso_status_propagate (const Status *status, GError **error)
{
  if (status_ok (status))
    return TRUE;
  g_set_error_literal (error, G_IO_ERROR, (int) error_code_of (status->code), status->message);
  return FALSE;
}

gboolean
gesso_recipe_parse (Recipe *recipe, const char *json, GError **error)
{
  Status status = { 0 };
  Notes notes = { 0 };
  recipe_init (recipe);
  recipe_from_json (recipe, json, strlen (json), &notes, &status);
  notes_clear (&notes);
  return gesso_status_propagate (&status, error);
}

char *
gesso_recipe_dup_json (const Recipe *recipe, GError **error)
{
  Status status = { 0 };
  char *json = recipe_to_json (recipe, &status);
  char *copy = g_strdup (json);
  mem_free (json);
  gesso_status_propagate (&status, error);
  return copy;
}

char *
gesso_recipe_dup_title (const Recipe *recipe)
{
  g_autofree char *line = g_strdup (recipe_str (recipe->prompt));
  for (char *p = line; *p; p++)
    if (g_ascii_isspace (*p))
      *p = ' ';
  g_strstrip (line);
  if (*line == '\0')
    return g_strdup (_ ("No prompt"));
  if (g_utf8_strlen (line, -1) <= TITLE_LENGTH)
    return g_steal_pointer (&line);
  g_autofree char *cut = g_utf8_substring (line, 0, TITLE_LENGTH - 1);
  return g_strconcat (g_strchomp (cut), "…", NULL);
}

char *
gesso_recipe_dup_stem (const char *prompt)
{
  g_autoptr (GString) stem = g_string_new (NULL);
  gboolean dash = FALSE;
  for (const char *p = prompt; *p; p = g_utf8_next_char (p))
    {
      gunichar c = g_utf8_get_char (p);
      if (!g_unichar_isalnum (c) && !g_unichar_ismark (c))
        {
          dash = TRUE;
          continue;
        }
      char bytes[6];
      gsize n = (gsize) g_unichar_to_utf8 (g_unichar_tolower (c), bytes);
      if (stem->len + n + 1 > STEM_LENGTH)
        break;
      if (dash && stem->len > 0)
        g_string_append_c (stem, '-');
      g_string_append_len (stem, bytes, (gssize) n);
      dash = FALSE;
    }
  return stem->len > 0 ? g_string_free (g_steal_pointer (&stem), FALSE) : g_strdup ("picture");
}

char *
gesso_recipe_for_batch (const char *json, int batch, GError **error)
{
  g_auto (Recipe) recipe;
  if (!gesso_recipe_parse (&recipe, json, error))
    return NULL;
  recipe.seed += (guint64) batch * (guint64) recipe.batch_size;
  recipe.batch_count = 1;
  return gesso_recipe_dup_json (&recipe, error);
}
