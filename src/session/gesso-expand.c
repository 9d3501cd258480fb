/* SPDX-License-Identifier: MPL-2.0
 * gesso-expand.c - one request becomes many recipes: prompts, grids, then wildcards and choices.
 */
#include <glib/gi18n.h>
#include <string.h>

#include "session/gesso-expand-private.h"
#include "session/gesso-recipe.h"

/* What the second text of a picture is drawn from, so that it does not follow the first. */
static const guint64 NEGATIVE_SEED = 0xd1b54a32d192ed03u;

typedef struct
{
  const GessoAxis *axes;
  int n_axes;
  const char *folder;
  GPtrArray *out; /* of JSON */
} Request;

static gboolean
set_key (Recipe *recipe, const char *key, const char *value, GError **error)
{
  Status status = { 0 };
  recipe_set (recipe, key, value, &status);
  return gesso_status_propagate (&status, error);
}

static char *
replace_all (const char *text, const char *from, const char *to)
{
  g_auto (GStrv) parts = g_strsplit (text, from, -1);
  return g_strjoinv (to, parts);
}

/* As A1111's Prompt S/R: the first value is what is searched for, and itself the first result. */
static gboolean
replace_in_prompt (Recipe *recipe, const char *from, const char *to, GError **error)
{
  const char *prompt = recipe_str (recipe->prompt),
             *negative = recipe_str (recipe->negative_prompt);
  if (*from == '\0' || (!strstr (prompt, from) && !strstr (negative, from)))
    {
      g_set_error (
          error, G_IO_ERROR, G_IO_ERROR_NOT_FOUND,
          _ ("“%s” stands neither in the prompt nor in the negative prompt: the first value of "
             "the axis is the text to be replaced."),
          from);
      return FALSE;
    }
  g_autofree char *new_prompt = replace_all (prompt, from, to);
  g_autofree char *new_negative = replace_all (negative, from, to);
  return set_key (recipe, "prompt", new_prompt, error) &&
         set_key (recipe, "negative_prompt", new_negative, error);
}

static gboolean
apply_value (Recipe *recipe, const GessoAxis *axis, guint i, GError **error)
{
  if (strcmp (axis->key, "prompt-replace") == 0)
    return replace_in_prompt (recipe, axis->values[0], axis->values[i], error);
  return set_key (recipe, axis->key, axis->values[i], error);
}

static gboolean
add_recipe (Request *request, const Recipe *recipe, GError **error)
{
  Status status = { 0 };
  recipe_validate (recipe, &status);
  char *json =
      gesso_status_propagate (&status, error) ? gesso_recipe_dup_json (recipe, error) : NULL;
  if (!json)
    return FALSE;
  g_ptr_array_add (request->out, json);
  if (request->out->len <= GESSO_EXPAND_MAX)
    return TRUE;
  g_set_error (error, G_IO_ERROR, G_IO_ERROR_INVALID_ARGUMENT,
               _ ("That would be more than %d jobs at once: use fewer values."), GESSO_EXPAND_MAX);
  return FALSE;
}

/* The texts as they are for the recipe's seed. */
static gboolean
expand_texts (Request *request, Recipe *recipe, GError **error)
{
  g_autofree char *prompt =
      gesso_expand_prompt (recipe_str (recipe->prompt), request->folder, recipe->seed, error);
  g_autofree char *negative =
      prompt ? gesso_expand_prompt (recipe_str (recipe->negative_prompt), request->folder,
                                    recipe->seed ^ NEGATIVE_SEED, error)
             : NULL;
  return negative && set_key (recipe, "prompt", prompt, error) &&
         set_key (recipe, "negative_prompt", negative, error);
}

/* Each batch of a prompt with choices is a job of its own, with the choices of its own seed. */
static gboolean
add_batches (Request *request, Recipe *recipe, GError **error)
{
  g_auto (Recipe) one;
  Status status = { 0 };
  recipe_init (&one);
  gboolean varies = gesso_prompt_varies (recipe_str (recipe->prompt)) ||
                    gesso_prompt_varies (recipe_str (recipe->negative_prompt));
  const int n = varies ? recipe->batch_count : 1;
  for (int i = 0; i < n; i++)
    {
      recipe_copy (&one, recipe, &status);
      one.batch_count = varies ? 1 : recipe->batch_count;
      one.seed += (guint64) i * (guint64) recipe->batch_size;
      if (!gesso_status_propagate (&status, error) || !expand_texts (request, &one, error) ||
          !add_recipe (request, &one, error))
        return FALSE;
    }
  return TRUE;
}

static gboolean
add_point (Request *request, const Recipe *recipe, guint64 point, GError **error)
{
  g_auto (Recipe) one;
  Status status = { 0 };
  recipe_init (&one);
  recipe_copy (&one, recipe, &status);
  gboolean ok = gesso_status_propagate (&status, error);
  for (int a = 0; ok && a < request->n_axes; a++)
    {
      const guint n = g_strv_length (request->axes[a].values);
      ok = apply_value (&one, &request->axes[a], (guint) (point % n), error);
      point /= n;
    }
  return ok && add_batches (request, &one, error);
}

static gboolean
add_grid (Request *request, const Recipe *recipe, GError **error)
{
  guint64 n_points = 1;
  for (int a = 0; a < request->n_axes; a++)
    n_points *= MIN (g_strv_length (request->axes[a].values), GESSO_EXPAND_MAX + 1);
  for (guint64 i = 0; i < n_points; i++)
    if (!add_point (request, recipe, i, error))
      return FALSE;
  return TRUE;
}

char **
gesso_expand_recipe (const char *json,
                     const GessoAxis *axes,
                     int n_axes,
                     const char *const *prompts,
                     const char *wildcards_dir,
                     GError **error)
{
  g_return_val_if_fail (json && n_axes >= 0 && n_axes <= 3 && (axes || n_axes == 0), NULL);
  g_autoptr (GPtrArray) out = g_ptr_array_new_with_free_func (g_free);
  Request request = { axes, n_axes, wildcards_dir, out };
  g_auto (Recipe) recipe;
  gboolean ok =
      gesso_recipe_parse (&recipe, json, error) && (prompts || add_grid (&request, &recipe, error));
  for (guint i = 0; ok && prompts && prompts[i]; i++)
    {
      g_auto (Recipe) line;
      Status status = { 0 };
      recipe_init (&line);
      recipe_copy (&line, &recipe, &status);
      ok = gesso_status_propagate (&status, error) &&
           gesso_recipe_apply_line (&line, prompts[i], error) && add_grid (&request, &line, error);
    }
  if (!ok)
    return NULL;
  g_ptr_array_add (out, NULL);
  return (char **) g_ptr_array_free (g_steal_pointer (&out), FALSE);
}
