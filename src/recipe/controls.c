/* SPDX-License-Identifier: MPL-2.0
 * controls.c - the list of ControlNets to and from its JSON.
 */
#include "recipe/controls.h"

#include <stddef.h>
#include <string.h>

#include "core/mem.h"
#include "recipe/json.h"
#include "recipe/list-json.h"

const char *const recipe_preprocess_names[] = {
  "none", "canny", "invert", "blur", "threshold", NULL
};
const char *const recipe_resize_names[] = { "crop", "fill", "stretch", NULL };

/* Stored through an int. */
_Static_assert(sizeof (RecipePreprocess) == sizeof (int), "enums of a recipe are ints");

static const struct
{
  const char *key;
  size_t offset;
  double min, max;
} numbers[] = {
  { "weight", offsetof (RecipeControl, weight), -10, 10 },
  { "start", offsetof (RecipeControl, start), 0, 1 },
  { "end", offsetof (RecipeControl, end), 0, 1 },
  { "a", offsetof (RecipeControl, a), -1, 1000 },
  { "b", offsetof (RecipeControl, b), -1, 1000 },
};

enum
{
  N_NUMBERS = sizeof numbers / sizeof numbers[0]
};

int
recipe_control_choice (const char *const *names, const char *name)
{
  for (int i = 0; names[i]; i++)
    if (text_equal_nocase (names[i], name))
      return i;
  return -1;
}

static void
clear_item (RecipeControl *item)
{
  mem_free (item->model);
  mem_free (item->image);
  *item = (RecipeControl){ 0 };
}

RecipeControl *
recipe_controls_add (RecipeControls *list, const char *model, Status *status)
{
  if (list->n >= RECIPE_MAX_CONTROLS)
    {
      status_fail (status, STATUS_ARGUMENT, "At most %d ControlNets go into one picture.",
                   RECIPE_MAX_CONTROLS);
      return NULL;
    }
  RecipeControl *item = &list->items[list->n];
  *item = (RecipeControl){ .weight = 1, .end = 1, .a = -1, .b = -1 };
  if (!text_replace (&item->model, model, status))
    return NULL;
  list->n++;
  return item;
}

void
recipe_controls_remove (RecipeControls *list, size_t index)
{
  if (index >= list->n)
    return;
  clear_item (&list->items[index]);
  memmove (&list->items[index], &list->items[index + 1],
           (list->n - index - 1) * sizeof *list->items);
  list->n--;
}

void
recipe_controls_clear (RecipeControls *list)
{
  for (size_t i = 0; i < list->n; i++)
    clear_item (&list->items[i]);
  list->n = 0;
}

/* ---- from JSON ---- */

static bool
read_choice (
    const ListItem *from, const char *key, const char *const *names, int *out, Status *status)
{
  const char *text = json_member_text (from->object, key);
  if (!json_member (from->object, key))
    return true;
  *out = text ? recipe_control_choice (names, text) : -1;
  return *out >= 0 || list_item_fail (from, key, STATUS_MARK ("one of its choices"), status);
}

static bool
read_item (void *data, const ListItem *from, Status *status)
{
  RecipeControls *list = data;
  int preprocess = RECIPE_PREPROCESS_NONE, resize = RECIPE_RESIZE_CROP;
  RecipeControl *item = recipe_controls_add (list, NULL, status);
  if (!item)
    return false;
  for (int k = 0; k < N_NUMBERS; k++)
    if (!list_item_number (from, numbers[k].key, numbers[k].min, numbers[k].max,
                           (double *) (void *) ((char *) item + numbers[k].offset), status))
      return false;
  if (!list_item_text (from, "model", &item->model, status) ||
      !list_item_text (from, "image", &item->image, status) ||
      !read_choice (from, "preprocessor", recipe_preprocess_names, &preprocess, status) ||
      !read_choice (from, "resize", recipe_resize_names, &resize, status) ||
      !list_item_flag (from, "off", &item->off, status))
    return false;
  item->preprocess = (RecipePreprocess) preprocess;
  item->resize = (RecipeResize) resize;
  return item->start < item->end || status_fail (status, STATUS_ARGUMENT,
                                                 "ControlNet %zu in the recipe ends at %g of the "
                                                 "steps, before it starts at %g.",
                                                 from->index + 1, item->end, item->start);
}

bool
recipe_controls_read (RecipeControls *list, const Recipe *recipe, Status *status)
{
  list->n = 0;
  if (list_json_read (recipe->controls, STATUS_MARK ("The list of ControlNets"),
                      STATUS_MARK ("ControlNet"), read_item, list, status))
    return true;
  recipe_controls_clear (list);
  return false;
}

/* ---- to JSON ---- */

static bool
write_item (const void *data, size_t index, struct json_object *o)
{
  const RecipeControl *item = &((const RecipeControls *) data)->items[index];
  return list_json_text (o, "model", item->model) && list_json_text (o, "image", item->image) &&
         list_json_text (o, "preprocessor", recipe_preprocess_names[item->preprocess]) &&
         list_json_text (o, "resize", recipe_resize_names[item->resize]) &&
         (item->a < 0 || list_json_number (o, "a", item->a)) &&
         (item->b < 0 || list_json_number (o, "b", item->b)) &&
         list_json_number (o, "weight", item->weight) &&
         list_json_number (o, "start", item->start) && list_json_number (o, "end", item->end) &&
         list_json_flag (o, "off", item->off);
}

bool
recipe_controls_write (const RecipeControls *list, Recipe *recipe, Status *status)
{
  return list_json_write (recipe, "controls", list, list->n, write_item, status);
}
