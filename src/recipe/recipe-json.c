/* SPDX-License-Identifier: MPL-2.0
 * recipe-json.c - recipes as keyed JSON with a version and migrations.
 */
#include <string.h>

#include "core/mem.h"
#include "recipe/json.h"
#include "recipe/recipe.h"

static const char version_key[] = "version";

/* migrations[v] turns a recipe of version v into one of version v + 1, in place; NULL where only
 * parameters came, since those get their defaults.  A new version adds its migration here and a
 * fixture tests/unit/recipes/vN.json.  1: the first; 2: masks; 3: FLUX.1; 4: adapters; 5: clips; 6:
 * longer ones, and the sampler that a model expects; 7: ControlNets.
 */
typedef bool (*Migration) (struct json_object *root, Status *status);

static bool
add_member (struct json_object *root, const char *key, struct json_object *value)
{
  if (value && json_object_object_add (root, key, value) == 0)
    return true;
  json_object_put (value);
  return false;
}

/* Who said nothing of the sampler had Euler. */
static bool
name_sampler (struct json_object *root, Status *status)
{
  return json_member (root, "sampler") ||
         add_member (root, "sampler", json_object_new_string ("euler")) ||
         status_fail (status, STATUS_NO_MEMORY, "Out of memory: close other programs and retry.");
}

static const Migration migrations[RECIPE_VERSION] = {
  [1] = NULL, [2] = NULL, [3] = NULL, [4] = NULL, [5] = name_sampler, [6] = NULL
};

static struct json_object *
value_to_json (const RecipeParam *p, const char *text)
{
  switch (p->type)
    {
    case PARAM_STRING:
    case PARAM_PATH:
    case PARAM_ENUM:
      return json_object_new_string (text);
    case PARAM_LIST:
      return *text ? json_tokener_parse (text) : json_object_new_array ();
    case PARAM_BOOL:
      return json_object_new_boolean (strcmp (text, "true") == 0);
    case PARAM_INT:
    case PARAM_U64:
    case PARAM_FLOAT:
      return json_object_new_double_s (0, text); /* prints @text, which is the exact number */
    }
  return NULL;
}

static bool
add_params (struct json_object *root, const Recipe *recipe, Status *status)
{
  for (int i = 0; i < recipe_table_count (); i++)
    {
      const RecipeParam *p = &recipe_table ()[i];
      char *text = param_get_text (p, recipe, status);
      bool added = text && add_member (root, p->key, value_to_json (p, text));
      mem_free (text);
      if (!added)
        return false;
    }
  return true;
}

/* Writes again what recipe_from_json() kept in @unknown_json. */
static bool
add_unknown (struct json_object *root, const Recipe *recipe, Status *status)
{
  if (!recipe->unknown_json)
    return true;
  struct json_object *unknown =
      json_parse (recipe->unknown_json, strlen (recipe->unknown_json), RECIPE_JSON_MAX_DEPTH,
                  STATUS_MARK ("The part of a newer recipe"), status);
  bool ok = unknown != NULL;
  struct json_object_iter it;
  if (ok && json_object_is_type (unknown, json_type_object))
    json_object_object_foreachC (unknown, it)
    {
      ok = ok && add_member (root, it.key, json_object_get (it.val));
    }
  json_object_put (unknown);
  return ok;
}

static char *
dup_printed (struct json_object *root)
{
  const char *text = json_object_to_json_string_ext (root, JSON_C_TO_STRING_PRETTY |
                                                               JSON_C_TO_STRING_NOSLASHESCAPE);
  return text ? mem_strdup (text) : NULL;
}

char *
recipe_to_json (const Recipe *recipe, Status *status)
{
  struct json_object *root = json_object_new_object ();
  char *text = NULL;
  if (root && add_member (root, version_key, json_object_new_int (RECIPE_VERSION)) &&
      add_params (root, recipe, status) && add_unknown (root, recipe, status))
    text = dup_printed (root);
  json_object_put (root);
  if (!text)
    status_fail (status, STATUS_NO_MEMORY, "Out of memory: close other programs and retry.");
  return text;
}

static bool
type_fits (const RecipeParam *p, struct json_object *value)
{
  enum json_type type = json_object_get_type (value);
  switch (p->type)
    {
    case PARAM_STRING:
    case PARAM_PATH:
    case PARAM_ENUM:
      return type == json_type_string &&
             strlen (json_object_get_string (value)) == (size_t) json_object_get_string_len (value);
    case PARAM_LIST:
      return type == json_type_array;
    case PARAM_BOOL:
      return type == json_type_boolean;
    case PARAM_INT:
    case PARAM_U64:
      return type == json_type_int;
    case PARAM_FLOAT:
      return type == json_type_double || type == json_type_int;
    }
  return false;
}

static bool
set_from_json (Recipe *recipe, const RecipeParam *p, struct json_object *value, Status *status)
{
  static const char *const kinds[] = {
    [PARAM_STRING] = STATUS_MARK ("a text"),      [PARAM_PATH] = STATUS_MARK ("a text"),
    [PARAM_INT] = STATUS_MARK ("a whole number"), [PARAM_U64] = STATUS_MARK ("a whole number"),
    [PARAM_FLOAT] = STATUS_MARK ("a number"),     [PARAM_BOOL] = STATUS_MARK ("true or false"),
    [PARAM_ENUM] = STATUS_MARK ("a text"),        [PARAM_LIST] = STATUS_MARK ("a list")
  };
  if (!type_fits (p, value))
    return status_fail (status, STATUS_ARGUMENT, "%s in the recipe has to be %s.", param_name (p),
                        status_text (kinds[p->type]));
  const char *text = json_object_get_string (value);
  if (!text)
    return status_fail (status, STATUS_NO_MEMORY, "Out of memory: close other programs and retry.");
  return param_set (p, recipe, text, status);
}

/* Older ones are migrated; a newer one is read as far as it is understood. */
static bool
bring_to_this_version (struct json_object *root, Status *status)
{
  struct json_object *value = json_member (root, version_key);
  int64_t version = json_object_is_type (value, json_type_int) ? json_object_get_int64 (value) : 0;
  if (version < 1)
    return status_fail (status, STATUS_FORMAT,
                        "This is not a Gesso recipe: it has no version of 1 or more.");
  for (int64_t v = version; v < RECIPE_VERSION; v++)
    if (migrations[v] && !migrations[v](root, status))
      return false;
  return true;
}

static bool
keep_unknown (Recipe *recipe, struct json_object *unknown, Notes *notes, Status *status)
{
  if (json_object_object_length (unknown) == 0)
    return true;
  bool ok = true;
  char excerpt[TEXT_EXCERPT_SIZE];
  struct json_object_iter it;
  json_object_object_foreachC (unknown, it)
  {
    ok = ok && notes_add (notes, status,
                          "\"%s\" in the recipe is not known to this version: it is kept, "
                          "but has no effect.",
                          text_excerpt (excerpt, it.key));
  }
  recipe->unknown_json = ok ? dup_printed (unknown) : NULL;
  return recipe->unknown_json ||
         status_fail (status, STATUS_NO_MEMORY, "Out of memory: close other programs and retry.");
}

static bool
read_members (Recipe *recipe, struct json_object *root, struct json_object *unknown, Status *status)
{
  bool ok = true;
  struct json_object_iter it;
  json_object_object_foreachC (root, it)
  {
    const RecipeParam *p = recipe_find_param (it.key);
    if (!ok || strcmp (it.key, version_key) == 0)
      continue;
    if (p)
      ok = set_from_json (recipe, p, it.val, status);
    else if (!add_member (unknown, it.key, json_object_get (it.val)))
      ok = status_fail (status, STATUS_NO_MEMORY, "Out of memory: close other programs and retry.");
  }
  return ok;
}

static bool
read_root (Recipe *recipe, struct json_object *root, Notes *notes, Status *status)
{
  if (!json_object_is_type (root, json_type_object))
    return status_fail (status, STATUS_FORMAT, "This is not a Gesso recipe: it is no JSON object.");
  struct json_object *unknown = json_object_new_object ();
  bool ok = unknown || status_fail (status, STATUS_NO_MEMORY,
                                    "Out of memory: close other programs and retry.");
  ok = ok && bring_to_this_version (root, status) && read_members (recipe, root, unknown, status) &&
       keep_unknown (recipe, unknown, notes, status);
  json_object_put (unknown);
  return ok;
}

bool
recipe_from_json (Recipe *recipe, const char *json, size_t n_bytes, Notes *notes, Status *status)
{
  if (n_bytes > RECIPE_JSON_MAX_BYTES)
    return status_fail (status, STATUS_FORMAT, "The recipe is larger than %d MiB: it is damaged.",
                        RECIPE_JSON_MAX_BYTES >> 20);
  struct json_object *root =
      json_parse (json, n_bytes, RECIPE_JSON_MAX_DEPTH, STATUS_MARK ("The recipe"), status);
  if (!root)
    return false;
  Recipe read;
  recipe_init (&read);
  bool ok = read_root (&read, root, notes, status);
  json_object_put (root);
  if (!ok)
    {
      recipe_clear (&read);
      return false;
    }
  recipe_clear (recipe);
  *recipe = read;
  return true;
}
