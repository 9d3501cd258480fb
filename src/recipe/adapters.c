/* SPDX-License-Identifier: MPL-2.0
 * adapters.c - the list of adapters to and from its JSON.
 */
#include "recipe/adapters.h"

#include <stddef.h>
#include <string.h>

#include "core/mem.h"
#include "recipe/list-json.h"

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
  N_TEXTS = sizeof texts / sizeof texts[0],
  MAX_WEIGHT = 100
};

static char **
text_field (RecipeAdapter *item, int i)
{
  return (char **) (void *) ((char *) item + texts[i].offset);
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
  if (!text_replace (&item->name, name, status))
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

/* ---- from JSON ---- */

static bool
read_item (void *data, const ListItem *from, Status *status)
{
  RecipeAdapters *list = data;
  RecipeAdapter *item = recipe_adapters_add (list, NULL, status);
  if (!item)
    return false;
  for (int k = 0; k < N_TEXTS; k++)
    if (!list_item_text (from, texts[k].key, text_field (item, k), status))
      return false;
  if (!item->name && !item->path)
    return list_item_fail (from, "name", STATUS_MARK ("given, or a path"), status);
  if (!list_item_number (from, "weight", -MAX_WEIGHT, MAX_WEIGHT, &item->weight, status))
    return false;
  item->text_weight = item->weight;
  return list_item_number (from, "text_weight", -MAX_WEIGHT, MAX_WEIGHT, &item->text_weight,
                           status) &&
         list_item_flag (from, "muted", &item->muted, status) &&
         list_item_flag (from, "from_prompt", &item->from_prompt, status) &&
         list_item_flag (from, "embedding", &item->is_embedding, status);
}

bool
recipe_adapters_read (RecipeAdapters *list, const Recipe *recipe, Status *status)
{
  *list = (RecipeAdapters){ 0 };
  if (list_json_read (recipe->adapters, STATUS_MARK ("The list of adapters"),
                      STATUS_MARK ("adapter"), read_item, list, status))
    return true;
  recipe_adapters_clear (list);
  return false;
}

/* ---- to JSON ---- */

static bool
write_item (const void *data, size_t index, struct json_object *o)
{
  RecipeAdapter *item = &((const RecipeAdapters *) data)->items[index];
  for (int i = 0; i < N_TEXTS; i++)
    if (!list_json_text (o, texts[i].key, *text_field (item, i)))
      return false;
  return list_json_number (o, "weight", item->weight) &&
         list_json_number (o, "text_weight", item->text_weight) &&
         list_json_flag (o, "muted", item->muted) &&
         list_json_flag (o, "from_prompt", item->from_prompt) &&
         list_json_flag (o, "embedding", item->is_embedding);
}

bool
recipe_adapters_write (const RecipeAdapters *list, Recipe *recipe, Status *status)
{
  return list_json_write (recipe, "adapters", list, list->n, write_item, status);
}
