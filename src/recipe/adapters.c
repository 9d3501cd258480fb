/* SPDX-License-Identifier: MPL-2.0
 * adapters.c - the list of adapters to and from its JSON.
 */
#include "recipe/adapters.h"

#include <stddef.h>
#include <string.h>

#include "core/mem.h"
#include "recipe/json.h"
#include "recipe/text.h"

static const struct
{
  const char *key;
  size_t offset;
} texts[] = {
  { "name", offsetof (RecipeAdapter, name) },     { "path", offsetof (RecipeAdapter, path) },
  { "hash", offsetof (RecipeAdapter, hash) },     { "autov3", offsetof (RecipeAdapter, autov3) },
  { "blocks", offsetof (RecipeAdapter, blocks) }, { "curve", offsetof (RecipeAdapter, curve) },
  { "steps", offsetof (RecipeAdapter, steps) },
};

enum
{
  N_TEXTS = sizeof texts / sizeof texts[0]
};

static char **
text_field (RecipeAdapter *item, int i)
{
  return (char **) (void *) ((char *) item + texts[i].offset);
}

bool
recipe_adapter_set (char **field, const char *text, Status *status)
{
  char *copy = text && *text ? mem_strdup (text) : NULL;
  if (text && *text && !copy)
    return status_fail (status, STATUS_NO_MEMORY, "Out of memory: close other programs and retry.");
  mem_free (*field);
  *field = copy;
  return true;
}

static void
clear_item (RecipeAdapter *item)
{
  for (int i = 0; i < N_TEXTS; i++)
    mem_free (*text_field (item, i));
}

RecipeAdapter *
recipe_adapters_add (RecipeAdapters *list, const char *name, Status *status)
{
  if (list->n >= PARAM_LIST_MAX_ITEMS)
    {
      status_fail (status, STATUS_ARGUMENT, "At most %d adapters go into one picture.",
                   PARAM_LIST_MAX_ITEMS);
      return NULL;
    }
  if (!mem_grow (&list->items, &list->capacity, list->n + 1, sizeof *list->items, status))
    return NULL;
  RecipeAdapter *item = &list->items[list->n];
  *item = (RecipeAdapter){ .weight = 1, .text_weight = 1 };
  if (!recipe_adapter_set (&item->name, name, status))
    return NULL;
  list->n++;
  return item;
}

void
recipe_adapters_forget (RecipeAdapter *item)
{
  *item = (RecipeAdapter){ 0 };
}

void
recipe_adapters_remove (RecipeAdapters *list, size_t index)
{
  if (index >= list->n)
    return;
  clear_item (&list->items[index]);
  memmove (&list->items[index], &list->items[index + 1],
           (list->n - index - 1) * sizeof *list->items);
  list->n--;
}

void
recipe_adapters_clear (RecipeAdapters *list)
{
  for (size_t i = 0; i < list->n; i++)
    clear_item (&list->items[i]);
  mem_free (list->items);
  *list = (RecipeAdapters){ 0 };
}

static bool
is_number (struct json_object *value)
{
  return json_object_is_type (value, json_type_double) ||
         json_object_is_type (value, json_type_int);
}

static bool
bad_item (size_t i, const char *key, const char *kind, Status *status)
{
  return status_fail (status, STATUS_ARGUMENT, "%s of adapter %zu in the recipe has to be %s.", key,
                      i + 1, status_text (kind));
}

static bool
read_number (struct json_object *o, size_t i, const char *key, double *out, Status *status)
{
  struct json_object *value = json_member (o, key);
  if (!value)
    return true;
  double v = is_number (value) ? json_object_get_double (value) : -1e9;
  if (!(v >= -100 && v <= 100))
    return bad_item (i, key, STATUS_MARK ("a number from -100 to 100"), status);
  *out = v;
  return true;
}

static bool
read_flag (struct json_object *o, size_t i, const char *key, bool *out, Status *status)
{
  struct json_object *value = json_member (o, key);
  if (value && !json_object_is_type (value, json_type_boolean))
    return bad_item (i, key, STATUS_MARK ("true or false"), status);
  *out = value && json_object_get_boolean (value);
  return true;
}

static bool
read_item (RecipeAdapters *list, struct json_object *o, size_t i, Status *status)
{
  RecipeAdapter *item = recipe_adapters_add (list, NULL, status);
  if (!item)
    return false;
  for (int k = 0; k < N_TEXTS; k++)
    {
      const char *text = json_member_text (o, texts[k].key);
      if (json_member (o, texts[k].key) && !text)
        return bad_item (i, texts[k].key, STATUS_MARK ("a text"), status);
      if (!recipe_adapter_set (text_field (item, k), text, status))
        return false;
    }
  if (!item->name && !item->path)
    return bad_item (i, "name", STATUS_MARK ("given, or a path"), status);
  if (!read_number (o, i, "weight", &item->weight, status))
    return false;
  item->text_weight = item->weight;
  return read_number (o, i, "text_weight", &item->text_weight, status) &&
         read_flag (o, i, "muted", &item->muted, status) &&
         read_flag (o, i, "from_prompt", &item->from_prompt, status) &&
         read_flag (o, i, "embedding", &item->is_embedding, status);
}

bool
recipe_adapters_read (RecipeAdapters *list, const Recipe *recipe, Status *status)
{
  *list = (RecipeAdapters){ 0 };
  if (!recipe->adapters)
    return true;
  struct json_object *root = json_parse (recipe->adapters, strlen (recipe->adapters),
                                         PARAM_LIST_MAX_DEPTH, "The list of adapters", status);
  bool ok = root != NULL;
  for (size_t i = 0; ok && i < json_object_array_length (root); i++)
    ok = read_item (list, json_object_array_get_idx (root, i), i, status);
  json_object_put (root);
  if (!ok)
    recipe_adapters_clear (list);
  return ok;
}

static bool
add (struct json_object *o, const char *key, struct json_object *value)
{
  if (value && json_object_object_add (o, key, value) == 0)
    return true;
  json_object_put (value);
  return false;
}

static struct json_object *
number (double v)
{
  char text[TEXT_NUMBER_SIZE];
  text_from_double (text, v);
  return json_object_new_double_s (v, text);
}

static struct json_object *
item_to_json (const RecipeAdapter *item)
{
  struct json_object *o = json_object_new_object ();
  bool ok = o != NULL;
  for (int i = 0; ok && i < N_TEXTS; i++)
    {
      const char *text = *text_field ((RecipeAdapter *) item, i);
      ok = !text || add (o, texts[i].key, json_object_new_string (text));
    }
  ok = ok && add (o, "weight", number (item->weight)) &&
       add (o, "text_weight", number (item->text_weight)) &&
       (!item->muted || add (o, "muted", json_object_new_boolean (true))) &&
       (!item->from_prompt || add (o, "from_prompt", json_object_new_boolean (true))) &&
       (!item->is_embedding || add (o, "embedding", json_object_new_boolean (true)));
  if (ok)
    return o;
  json_object_put (o);
  return NULL;
}

bool
recipe_adapters_write (const RecipeAdapters *list, Recipe *recipe, Status *status)
{
  struct json_object *root = json_object_new_array ();
  bool ok = root != NULL;
  for (size_t i = 0; ok && i < list->n; i++)
    {
      struct json_object *o = item_to_json (&list->items[i]);
      ok = o && json_object_array_add (root, o) == 0;
    }
  const char *text = ok ? json_object_to_json_string_ext (root, JSON_C_TO_STRING_PLAIN |
                                                                    JSON_C_TO_STRING_NOSLASHESCAPE)
                        : NULL;
  ok = text ? recipe_set (recipe, "adapters", text, status)
            : status_fail (status, STATUS_NO_MEMORY,
                           "Out of memory: close other programs and retry.");
  json_object_put (root);
  return ok;
}
