/* SPDX-License-Identifier: MPL-2.0
 * list-json.c - members of items, checked when they are read.
 */
#include "recipe/list-json.h"

#include <string.h>

#include "recipe/json.h"

/* ---- from JSON ---- */

bool
list_item_fail (const ListItem *item, const char *key, const char *what, Status *status)
{
  return status_fail (status, STATUS_ARGUMENT, "%s of %s %zu in the recipe has to be %s.", key,
                      status_text (item->kind), item->index + 1, status_text (what));
}

bool
list_item_text (const ListItem *item, const char *key, char **out, Status *status)
{
  const char *text = json_member_text (item->object, key);
  if (json_member (item->object, key) && !text)
    return list_item_fail (item, key, STATUS_MARK ("a text"), status);
  return text_replace (out, text, status);
}

bool
list_item_flag (const ListItem *item, const char *key, bool *out, Status *status)
{
  struct json_object *value = json_member (item->object, key);
  if (value && !json_object_is_type (value, json_type_boolean))
    return list_item_fail (item, key, STATUS_MARK ("true or false"), status);
  *out = value && json_object_get_boolean (value);
  return true;
}

bool
list_item_number (
    const ListItem *item, const char *key, double least, double most, double *out, Status *status)
{
  struct json_object *value = json_member (item->object, key);
  if (!value)
    return true;
  bool is_number =
      json_object_is_type (value, json_type_double) || json_object_is_type (value, json_type_int);
  double v = is_number ? json_object_get_double (value) : least;
  if (!is_number || !(v >= least && v <= most))
    return status_fail (status, STATUS_ARGUMENT,
                        "%s of %s %zu in the recipe has to be a number from %g to %g.", key,
                        status_text (item->kind), item->index + 1, least, most);
  *out = v;
  return true;
}

bool
list_json_read (const char *json,
                const char *what,
                const char *kind,
                ListReadItem read,
                void *list,
                Status *status)
{
  if (!json)
    return true;
  struct json_object *root = json_parse (json, strlen (json), PARAM_LIST_MAX_DEPTH, what, status);
  bool ok = root != NULL;
  for (size_t i = 0; ok && i < json_object_array_length (root); i++)
    {
      ListItem item = { kind, i, json_object_array_get_idx (root, i) };
      ok = read (list, &item, status);
    }
  json_object_put (root);
  return ok;
}

/* ---- to JSON ---- */

static bool
add (struct json_object *object, const char *key, struct json_object *value)
{
  if (value && json_object_object_add (object, key, value) == 0)
    return true;
  json_object_put (value);
  return false;
}

bool
list_json_text (struct json_object *object, const char *key, const char *text)
{
  return !text || add (object, key, json_object_new_string (text));
}

bool
list_json_flag (struct json_object *object, const char *key, bool flag)
{
  return !flag || add (object, key, json_object_new_boolean (true));
}

bool
list_json_number (struct json_object *object, const char *key, double number)
{
  char text[TEXT_NUMBER_SIZE];
  text_from_double (text, number);
  return add (object, key, json_object_new_double_s (number, text));
}

bool
list_json_write (Recipe *recipe,
                 const char *key,
                 const void *list,
                 size_t n,
                 ListWriteItem write,
                 Status *status)
{
  struct json_object *root = json_object_new_array ();
  bool ok = root != NULL;
  for (size_t i = 0; ok && i < n; i++)
    {
      struct json_object *object = json_object_new_object ();
      ok = object && write (list, i, object) && json_object_array_add (root, object) == 0;
      if (!ok)
        json_object_put (object);
    }
  const char *text = ok ? json_object_to_json_string_ext (root, JSON_C_TO_STRING_PLAIN |
                                                                    JSON_C_TO_STRING_NOSLASHESCAPE)
                        : NULL;
  ok = text ? recipe_set (recipe, key, text, status)
            : status_fail (status, STATUS_NO_MEMORY,
                           "Out of memory: close other programs and retry.");
  json_object_put (root);
  return ok;
}
