/* SPDX-License-Identifier: MPL-2.0
 * gesso-prompts-file.c - one prompt a line, with settings of its own behind it.
 */
#include <errno.h>
#include <glib/gi18n.h>
#include <string.h>
#include <sys/stat.h>

#include "recipe/infotext.h"
#include "session/gesso-expand-private.h"
#include "session/gesso-recipe.h"

enum
{
  MAX_FILE_BYTES = 16 << 20
};

/* A1111's names of settings that a recipe calls otherwise. */
static const char *const aliases[][2] = {
  { "cfg_scale", "guidance_scale" },   { "n_iter", "batch_count" },
  { "sampler_name", "sampler" },       { "scheduler", "schedule" },
  { "denoising_strength", "denoise" }, { "negative", "negative_prompt" },
};

static const char *
real_key (const char *key)
{
  for (guint i = 0; i < G_N_ELEMENTS (aliases); i++)
    if (strcmp (aliases[i][0], key) == 0)
      return aliases[i][1];
  return key;
}

/* Returns: where "--key" begins, after white space or at the beginning; NULL for none */
static const char *
find_option (const char *text)
{
  for (const char *p = text; (p = strstr (p, "--")); p += 2)
    if ((p == text || g_ascii_isspace (p[-1])) && g_ascii_isalpha (p[2]))
      return p;
  return NULL;
}

/* The value behind "--key", in quotes or up to the next option.  @at: moved behind it */
static char *
read_value (const char **at)
{
  const char *p = *at;
  while (g_ascii_isspace (*p))
    p++;
  if (*p != '"')
    {
      const char *end = find_option (p);
      *at = end ? end : p + strlen (p);
      return g_strchomp (g_strndup (p, (gsize) (*at - p)));
    }
  g_autoptr (GString) value = g_string_new (NULL);
  for (p++; *p && *p != '"'; p++)
    {
      if (*p == '\\' && (p[1] == '"' || p[1] == '\\'))
        p++;
      g_string_append_c (value, *p);
    }
  *at = *p == '"' ? p + 1 : p;
  return g_string_free (g_steal_pointer (&value), FALSE);
}

/* Names of samplers come from A1111 as well. */
static gboolean
set_value (Recipe *recipe, const char *key, const char *value, GError **error)
{
  Status status = { 0 };
  RecipeSampler sampler;
  RecipeSchedule schedule = recipe->schedule;
  if (strcmp (key, "sampler") == 0 && infotext_find_sampler (value, &sampler, &schedule))
    {
      recipe->sampler = sampler;
      recipe->schedule = schedule;
      return TRUE;
    }
  if (strcmp (key, "schedule") == 0 && infotext_find_schedule (value, &schedule))
    {
      recipe->schedule = schedule;
      return TRUE;
    }
  recipe_set (recipe, key, value, &status);
  return gesso_status_propagate (&status, error);
}

gboolean
gesso_recipe_apply_line (Recipe *recipe, const char *line, GError **error)
{
  const char *p = find_option (line);
  g_autofree char *prompt = g_strndup (line, p ? (gsize) (p - line) : strlen (line));
  g_strstrip (prompt);
  if ((*prompt || !p) && !set_value (recipe, "prompt", prompt, error))
    return FALSE;
  while (p && *p)
    {
      const char *end = p + 2;
      while (g_ascii_isalnum (*end) || *end == '_' || *end == '-')
        end++;
      g_autofree char *key = g_strdelimit (g_strndup (p + 2, (gsize) (end - p - 2)), "-", '_');
      g_autofree char *value = read_value (&end);
      if (!set_value (recipe, real_key (key), value, error))
        return FALSE;
      p = find_option (end);
    }
  return TRUE;
}

/* A settings' fault is said with the line it stands in, before anything is queued. */
static gboolean
check_line (const char *line, guint number, GError **error)
{
  g_auto (Recipe) scratch;
  recipe_init (&scratch);
  if (gesso_recipe_apply_line (&scratch, line, error))
    return TRUE;
  g_prefix_error (error, _ ("Line %u: "), number);
  return FALSE;
}

static char *
read_file (const char *path, GError **error)
{
  struct stat st;
  g_autofree char *text = NULL;
  gsize n;
  if (stat (path, &st) == 0 && st.st_size > MAX_FILE_BYTES)
    {
      g_set_error (error, G_IO_ERROR, G_IO_ERROR_INVALID_DATA,
                   _ ("“%s” is too large for a file of prompts: split it into files below 16 MiB."),
                   path);
      return NULL;
    }
  if (!g_file_get_contents (path, &text, &n, error))
    return NULL;
  return g_utf8_make_valid (g_str_has_prefix (text, "\357\273\277") ? text + 3 : text, -1);
}

char **
gesso_prompts_from_file (const char *path, GError **error)
{
  g_return_val_if_fail (path, NULL);
  g_autofree char *text = read_file (path, error);
  if (!text)
    return NULL;
  g_autoptr (GStrvBuilder) prompts = g_strv_builder_new ();
  g_auto (GStrv) lines = g_strsplit (text, "\n", -1);
  guint n = 0;
  for (guint i = 0; lines[i]; i++)
    {
      const char *line = g_strstrip (lines[i]);
      if (*line == '\0' || *line == '#')
        continue;
      if (!check_line (line, i + 1, error))
        return NULL;
      g_strv_builder_add (prompts, line);
      n++;
    }
  if (n > 0 && n <= GESSO_EXPAND_MAX)
    return g_strv_builder_end (prompts);
  g_set_error (error, G_IO_ERROR, G_IO_ERROR_INVALID_DATA,
               n == 0 ? _ ("“%s” has no prompts.")
                      : _ ("“%s” has more than 10,000 prompts: split it."),
               path);
  return NULL;
}
