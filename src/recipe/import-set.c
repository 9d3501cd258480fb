/* SPDX-License-Identifier: MPL-2.0
 * import-set.c - filling a recipe from foreign values.
 */
#include "recipe/import-set.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "core/mem.h"
#include "recipe/adapters.h"
#include "recipe/json.h"

enum
{
  MAX_ADAPTER_WEIGHT = 100 /* of what a recipe takes */
};

bool
import_set (Import *im, const char *key, const char *text)
{
  Status bad = { 0 };
  if (recipe_set (im->recipe, key, text, &bad))
    return true;
  if (bad.code == STATUS_NO_MEMORY)
    return status_fail (im->status, bad.code, "%s", bad.message);
  return notes_add (im->notes, im->status, "A value was left out: %s", bad.message);
}

bool
import_set_json (Import *im, const char *key, struct json_object *value)
{
  enum json_type type = json_object_get_type (value);
  if (type == json_type_null)
    return true;
  if (type == json_type_object || type == json_type_array)
    return notes_add (im->notes, im->status, "%s was left out: it is no single value.",
                      recipe_param_name (key));
  const char *text = json_object_get_string (value);
  return text ? import_set (im, key, text)
              : status_fail (im->status, STATUS_NO_MEMORY,
                             "Out of memory: close other programs and retry.");
}

bool
import_set_choice (Import *im, const char *key, int choice)
{
  return import_set (im, key, recipe_find_param (key)->choices[choice]);
}

bool
import_left_out (Import *im, const char *what)
{
  char excerpt[TEXT_EXCERPT_SIZE];
  return notes_add (im->notes, im->status, "%s is left out: a recipe cannot hold it yet.",
                    text_excerpt (excerpt, what));
}

bool
import_unknown_name (Import *im, const char *key, const char *name)
{
  char excerpt[TEXT_EXCERPT_SIZE];
  char *kept = recipe_get_text (im->recipe, key, im->status);
  bool ok = kept && notes_add (im->notes, im->status,
                               "%s: \"%s\" is not available, the recipe uses %s instead.",
                               recipe_param_name (key), text_excerpt (excerpt, name), kept);
  mem_free (kept);
  return ok;
}

char *
import_stem (Import *im, const char *name)
{
  char *stem = mem_strdup (name);
  if (!stem)
    {
      status_fail (im->status, STATUS_NO_MEMORY, "Out of memory: close other programs and retry.");
      return NULL;
    }
  for (char *p = stem; *p; p++)
    if (*p == '\\')
      *p = '/';
  stem[text_stem_length (stem)] = '\0';
  return stem;
}

bool
import_note_weight (Import *im, const char *name, const char *said, double used)
{
  char excerpt[TEXT_EXCERPT_SIZE], weight[TEXT_EXCERPT_SIZE], number[TEXT_NUMBER_SIZE];
  text_from_double (number, used);
  return notes_add (im->notes, im->status,
                    "\"%s\" had a weight of %s, which does not fit: the recipe has %s.",
                    text_excerpt (excerpt, name), text_excerpt (weight, said), number);
}

/* @weight: stays where @text is NULL, or does not fit, which is noted */
static bool
take_weight (Import *im, const char *name, const char *text, double *weight)
{
  double v;
  if (text && (!text_to_double (text, &v) || fabs (v) > MAX_ADAPTER_WEIGHT))
    return import_note_weight (im, name, text, *weight);
  *weight = text ? v : *weight;
  return true;
}

/* A list that is full is not read again for each of those that do not fit.
 * Returns: a new item of @list, which was read; NULL when there is no room, or the status is set */
static RecipeAdapter *
new_adapter (Import *im, RecipeAdapters *list, const char *name)
{
  *list = (RecipeAdapters){ 0 };
  if (strlen (name) >= IMPORT_NAME_SIZE)
    {
      import_left_out (im, name);
      return NULL;
    }
  if (im->adapters_full || !recipe_adapters_read (list, im->recipe, im->status))
    return NULL;
  if (list->n < PARAM_LIST_MAX_ITEMS)
    return recipe_adapters_add (list, name, im->status);
  im->adapters_full = true;
  notes_add (im->notes, im->status, "A recipe holds at most %d LoRAs: the others are left out.",
             PARAM_LIST_MAX_ITEMS);
  return NULL;
}

/* @item: new in @list, which is cleared; NULL for none */
static bool
store_adapter (Import *im, RecipeAdapters *list, const RecipeAdapter *item)
{
  bool ok =
      status_ok (im->status) && (!item || recipe_adapters_write (list, im->recipe, im->status));
  recipe_adapters_clear (list);
  return ok;
}

bool
import_adapter (Import *im, const char *name, const char *weight, const char *text_weight)
{
  RecipeAdapters list = { 0 };
  char *stem = import_stem (im, name);
  RecipeAdapter *item = stem && *stem ? new_adapter (im, &list, stem) : NULL;
  mem_free (stem);
  if (item)
    {
      take_weight (im, name, weight, &item->weight);
      item->text_weight = item->weight;
      take_weight (im, name, text_weight, &item->text_weight);
    }
  return store_adapter (im, &list, item);
}

static bool
add_from_prompt (
    Import *im, const char *name, const char *hash, const char *autov3, bool is_embedding)
{
  RecipeAdapters list;
  RecipeAdapter *item = new_adapter (im, &list, name);
  if (item)
    {
      item->from_prompt = true;
      item->is_embedding = is_embedding;
      if (text_replace (&item->autov3, autov3, im->status))
        text_replace (&item->hash, hash, im->status);
    }
  return store_adapter (im, &list, item);
}

bool
import_adapter_hash (Import *im, const char *name, const char *autov3)
{
  return add_from_prompt (im, name, NULL, autov3, false);
}

bool
import_embedding_hash (Import *im, const char *name, const char *hash)
{
  return add_from_prompt (im, name, hash, NULL, true);
}

static bool
note_networks_in (Import *im, const char *prompt)
{
  static const char *const kinds[] = { "<hypernet:" };
  for (const char *p = prompt; (p = strchr (p, '<')); p++)
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++)
      {
        size_t n = strcspn (p, ">");
        char tag[TEXT_EXCERPT_SIZE] = "", excerpt[TEXT_EXCERPT_SIZE];
        if (!text_starts_with (p, kinds[i]) || p[n] != '>')
          continue;
        memcpy (tag, p, n + 1 < sizeof tag ? n + 1 : sizeof tag - 1);
        if (!notes_add (im->notes, im->status, "The prompt uses %s.", text_excerpt (excerpt, tag)))
          return false;
      }
  return true;
}

bool
import_note_extra_networks (Import *im)
{
  return note_networks_in (im, recipe_str (im->recipe->prompt)) &&
         note_networks_in (im, recipe_str (im->recipe->negative_prompt));
}

bool
import_note_initial_image (Import *im)
{
  return notes_add (im->notes, im->status,
                    "It was made from another picture, which it does not contain: choose that "
                    "picture as the initial image.");
}

bool
import_set_fields (Import *im,
                   struct json_object *from,
                   const char *const fields[][2],
                   size_t n_fields)
{
  for (size_t i = 0; i < n_fields; i++)
    if (!import_set_json (im, fields[i][1], json_member (from, fields[i][0])))
      return false;
  return true;
}

bool
import_is_nothing (struct json_object *value)
{
  switch (json_object_get_type (value))
    {
    case json_type_null:
      return true;
    case json_type_boolean:
      return !json_object_get_boolean (value);
    case json_type_array:
      return json_object_array_length (value) == 0;
    case json_type_object:
    case json_type_string:
    case json_type_int:
    case json_type_double:
      return false;
    }
  return false;
}

bool
import_note_rest (Import *im, struct json_object *root, const char *const *read)
{
  struct json_object_iter it;
  bool ok = true;
  json_object_object_foreachC (root, it)
  {
    bool known = import_is_nothing (it.val);
    for (const char *const *key = read; *key && !known; key++)
      known = strcmp (*key, it.key) == 0;
    ok = ok && (known || import_left_out (im, it.key));
  }
  return ok;
}
