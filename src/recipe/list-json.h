/* SPDX-License-Identifier: MPL-2.0
 * list-json.h - the lists in a recipe, of adapters and of ControlNets, item by item to and from
 * their JSON.
 */
#pragma once

#include <json-c/json.h>

#include "recipe/recipe.h"

/* An item that is read, and what sentences call it. */
typedef struct
{
  const char *kind; /* "adapter", marked */
  size_t index;     /* from 0; users count from 1 */
  struct json_object *object;
} ListItem;

/* Fails: ARGUMENT, "@key of adapter 1 in the recipe has to be @what."; @what: marked */
bool list_item_fail (const ListItem *item, const char *key, const char *what, Status *status);

/* Read a member; what is absent makes a text NULL and a flag false, and leaves a number as it is.
 * Fail: ARGUMENT for another type, or a number out of its range; NO_MEMORY */
bool list_item_text (const ListItem *item, const char *key, char **out, Status *status);
bool list_item_flag (const ListItem *item, const char *key, bool *out, Status *status);
bool list_item_number (
    const ListItem *item, const char *key, double least, double most, double *out, Status *status);

typedef bool (*ListReadItem) (void *list, const ListItem *item, Status *status);

/* list_json_read:
 * @json: as the recipe holds it; NULL is the empty list
 * @what: names the list in sentences, @kind one of its items; both marked
 * @read: gets @list and each item, in order
 *
 * Returns: false after the first failure; the caller clears @list
 */
bool list_json_read (const char *json,
                     const char *what,
                     const char *kind,
                     ListReadItem read,
                     void *list,
                     Status *status);

/* Add a member to @object: a NULL text and a false flag are left out.  Return false when memory ran
 * out. */
bool list_json_text (struct json_object *object, const char *key, const char *text);
bool list_json_flag (struct json_object *object, const char *key, bool flag);
bool list_json_number (struct json_object *object, const char *key, double number);

/* Adds the members of item @index; false when memory ran out. */
typedef bool (*ListWriteItem) (const void *list, size_t index, struct json_object *object);

/* Sets the recipe's list @key to @n items of @list. */
bool list_json_write (Recipe *recipe,
                      const char *key,
                      const void *list,
                      size_t n,
                      ListWriteItem write,
                      Status *status);
