/* SPDX-License-Identifier: MPL-2.0
 * json.h - reading JSON that strangers wrote: bounded in size and depth, errors as sentences.
 */
#pragma once

#include <json-c/json.h>

#include "core/status.h"

/* json_parse:
 * @text: @n_bytes, need not be terminated
 * @max_depth: nesting allowed
 * @what: names the text in the error sentence, "The recipe"
 *
 * Strict JSON, but the words NaN and Infinity are numbers (ComfyUI writes them).
 * Returns: a new reference; NULL and @status set (FORMAT, NO_MEMORY)
 */
struct json_object *
json_parse (const char *text, size_t n_bytes, int max_depth, const char *what, Status *status);

/* Borrow @object's member, NULL when @object is no JSON object or has no such member. */
struct json_object *json_member (struct json_object *object, const char *key);
/* Borrow a member that is a text without NUL characters; else NULL. */
const char *json_member_text (struct json_object *object, const char *key);
