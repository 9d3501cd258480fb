/* SPDX-License-Identifier: MPL-2.0
 * controls.c - the list of ControlNets to and from its JSON.
 */
#include "recipe/controls.h"

#include <stddef.h>
#include <string.h>

#include "core/mem.h"
#include "recipe/json.h"
#include "recipe/text.h"

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

bool
recipe_control_set (char **field, const char *text, Status *status)
{
  char *copy = text && *text ? mem_strdup (text) : NULL;
  if (text && *text && !copy)
    return status_fail (status, STATUS_NO_MEMORY, "Out of memory: close other programs and retry.");
  mem_free (*field);
  *field = copy;
  return true;
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
  if (!recipe_control_set (&item->model, model, status))
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
bad_item (size_t i, const char *key, const char *kind, Status *status)
{
  return status_fail (status, STATUS_ARGUMENT, "%s of ControlNet %zu in the recipe has to be %s.",
                      key, i + 1, status_text (kind));
}

static bool
read_number (struct json_object *o, size_t i, int k, RecipeControl *item, Status *status)
{
  struct json_object *value = json_member (o, numbers[k].key);
  if (!value)
    return true;
  bool is_number =
      json_object_is_type (value, json_type_double) || json_object_is_type (value, json_type_int);
  double v = is_number ? json_object_get_double (value) : numbers[k].max + 1;
  if (!(v >= numbers[k].min && v <= numbers[k].max))
    return status_fail (status, STATUS_ARGUMENT,
                        "%s of ControlNet %zu in the recipe has to be a number from %g to %g.",
                        numbers[k].key, i + 1, numbers[k].min, numbers[k].max);
  *(double *) (void *) ((char *) item + numbers[k].offset) = v;
  return true;
}

static bool
read_text (struct json_object *o, size_t i, const char *key, char **out, Status *status)
{
  const char *text = json_member_text (o, key);
  if (json_member (o, key) && !text)
    return bad_item (i, key, STATUS_MARK ("a text"), status);
  return recipe_control_set (out, text, status);
}

static bool
read_choice (struct json_object *o,
             size_t i,
             const char *key,
             const char *const *names,
             int *out,
             Status *status)
{
  const char *text = json_member_text (o, key);
  if (!json_member (o, key))
    return true;
  *out = text ? recipe_control_choice (names, text) : -1;
  return *out >= 0 || bad_item (i, key, STATUS_MARK ("one of its choices"), status);
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
read_item (RecipeControls *list, struct json_object *o, size_t i, Status *status)
{
  int preprocess = RECIPE_PREPROCESS_NONE, resize = RECIPE_RESIZE_CROP;
  RecipeControl *item = recipe_controls_add (list, NULL, status);
  if (!item)
    return false;
  for (int k = 0; k < N_NUMBERS; k++)
    if (!read_number (o, i, k, item, status))
      return false;
  if (!read_text (o, i, "model", &item->model, status) ||
      !read_text (o, i, "image", &item->image, status) ||
      !read_choice (o, i, "preprocessor", recipe_preprocess_names, &preprocess, status) ||
      !read_choice (o, i, "resize", recipe_resize_names, &resize, status) ||
      !read_flag (o, i, "off", &item->off, status))
    return false;
  item->preprocess = (RecipePreprocess) preprocess;
  item->resize = (RecipeResize) resize;
  return item->start < item->end || status_fail (status, STATUS_ARGUMENT,
                                                 "ControlNet %zu in the recipe ends at %g of the "
                                                 "steps, before it starts at %g.",
                                                 i + 1, item->end, item->start);
}

bool
recipe_controls_read (RecipeControls *list, const Recipe *recipe, Status *status)
{
  list->n = 0;
  if (!recipe->controls)
    return true;
  struct json_object *root =
      json_parse (recipe->controls, strlen (recipe->controls), PARAM_LIST_MAX_DEPTH,
                  STATUS_MARK ("The list of ControlNets"), status);
  bool ok = root != NULL;
  for (size_t i = 0; ok && i < json_object_array_length (root); i++)
    ok = read_item (list, json_object_array_get_idx (root, i), i, status);
  json_object_put (root);
  if (!ok)
    recipe_controls_clear (list);
  return ok;
}

/* ---- to JSON ---- */

static bool
add (struct json_object *o, const char *key, struct json_object *value)
{
  if (value && json_object_object_add (o, key, value) == 0)
    return true;
  json_object_put (value);
  return false;
}

static bool
add_text (struct json_object *o, const char *key, const char *text)
{
  return !text || add (o, key, json_object_new_string (text));
}

static bool
add_number (struct json_object *o, const char *key, double v)
{
  char text[TEXT_NUMBER_SIZE];
  text_from_double (text, v);
  return add (o, key, json_object_new_double_s (v, text));
}

static struct json_object *
item_to_json (const RecipeControl *item)
{
  struct json_object *o = json_object_new_object ();
  bool ok = o && add_text (o, "model", item->model) && add_text (o, "image", item->image) &&
            add_text (o, "preprocessor", recipe_preprocess_names[item->preprocess]) &&
            add_text (o, "resize", recipe_resize_names[item->resize]) &&
            (item->a < 0 || add_number (o, "a", item->a)) &&
            (item->b < 0 || add_number (o, "b", item->b)) &&
            add_number (o, "weight", item->weight) && add_number (o, "start", item->start) &&
            add_number (o, "end", item->end) &&
            (!item->off || add (o, "off", json_object_new_boolean (true)));
  if (ok)
    return o;
  json_object_put (o);
  return NULL;
}

bool
recipe_controls_write (const RecipeControls *list, Recipe *recipe, Status *status)
{
  if (list->n == 0)
    return recipe_set (recipe, "controls", "", status);
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
  ok = text ? recipe_set (recipe, "controls", text, status)
            : status_fail (status, STATUS_NO_MEMORY,
                           "Out of memory: close other programs and retry.");
  json_object_put (root);
  return ok;
}
