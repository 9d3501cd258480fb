/* SPDX-License-Identifier: MPL-2.0
 * json.h - strict reading of JSON from files that nobody vouches for.
 */
#pragma once

#include <json-c/json.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/status.h"

/* json_parse_object:
 * @text: @size bytes of UTF-8; trailing white space is allowed
 * @label: the file's name, for messages
 *
 * Refuses duplicate keys anywhere: two readers would see two different files.
 *
 * Returns: an object to give back with json_object_put; NULL and @status set
 * Fails: FORMAT, NO_MEMORY
 */
struct json_object *
json_parse_object (const char *text, size_t size, const char *label, Status *status);

/* The object in a file.  Fails: also NOT_FOUND, IO */
struct json_object *json_read_object (const char *path, Status *status);

/* True when @value is a whole number that fits. */
bool json_get_i64 (struct json_object *value, int64_t *out);

/* Members of an object by type; false (and @out untouched) when absent, null or of another type. */
bool json_member_int (struct json_object *object, const char *key, int *out);
bool json_member_double (struct json_object *object, const char *key, double *out);
bool json_member_bool (struct json_object *object, const char *key, bool *out);
const char *json_member_string (struct json_object *object, const char *key); /* or NULL */

/* json_member_ints:
 *
 * A list of whole numbers, or one number that is meant for all @n places.
 *
 * Returns: numbers in the list (1..@n stored in @out; a single number fills @n), 0 when absent or
 * not such a list, -1 when the list is longer than @n
 */
int json_member_ints (struct json_object *object, const char *key, int *out, int n);
