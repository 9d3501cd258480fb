/* SPDX-License-Identifier: MPL-2.0
 * json.c - json-c with the checks that it leaves out.
 */
#include "weights/json.h"

#include <errno.h>
#include <limits.h>
#include <string.h>

#include "core/json-ascii.h"
#include "core/mem.h"
#include "weights/mapped.h"
#include "weights/pool.h"
#include "weights/tensor-table.h"

enum
{
  MAX_DEPTH = 32,
  MAX_JSON_BYTES = 100 << 20
};

/* In valid JSON every colon outside of strings makes one member. */
static size_t
count_colons (const char *text, size_t size)
{
  size_t n = 0;
  bool in_string = false;
  for (size_t i = 0; i < size; i++)
    if (in_string && text[i] == '\\')
      i++;
    else if (text[i] == '"')
      in_string = !in_string;
    else if (!in_string && text[i] == ':')
      n++;
  return n;
}

/* Depth is bounded by the tokener. */
static size_t
count_members (struct json_object *value)
{
  size_t n = 0;
  if (json_object_is_type (value, json_type_object))
    {
      json_object_object_foreach (value, key, member)
      {
        (void) key;
        n += 1 + count_members (member);
      }
    }
  else if (json_object_is_type (value, json_type_array))
    for (size_t i = 0; i < json_object_array_length (value); i++)
      n += count_members (json_object_array_get_idx (value, i));
  return n;
}

static struct json_object *
parse_text (
    struct json_tokener *tokener, const char *text, size_t size, const char *label, Status *status)
{
  json_tokener_set_flags (tokener, JSON_TOKENER_STRICT);
  struct json_object *value = json_tokener_parse_ex (tokener, text, (int) size);
  enum json_tokener_error error = json_tokener_get_error (tokener);
#if JSON_C_VERSION_NUM >= (17 << 8)
  if (error == json_tokener_error_memory)
    out_of_memory (status);
#endif
  if (error == json_tokener_continue)
    damaged (status, label, "its JSON ends too early");
  else if (error != json_tokener_success)
    damaged (status, label, "its JSON is not valid (%s at byte %zu)",
             json_tokener_error_desc (error), json_tokener_get_parse_end (tokener));
  else if (!json_object_is_type (value, json_type_object))
    damaged (status, label, "its JSON is not an object");
  else if (json_tokener_get_parse_end (tokener) != size)
    damaged (status, label, "its JSON goes on after its end");
  else if (count_members (value) != count_colons (text, size))
    damaged (status, label, "its JSON uses the same name twice");
  if (status_ok (status))
    return value;
  json_object_put (value);
  return NULL;
}

struct json_object *
json_parse_object (const char *text, size_t size, const char *label, Status *status)
{
  while (size && (text[size - 1] == ' ' || text[size - 1] == '\n' || text[size - 1] == '\r' ||
                  text[size - 1] == '\t'))
    size--;
  if (!size || size > MAX_JSON_BYTES)
    {
      damaged (status, label, "its JSON is %s",
               size ? status_text (STATUS_MARK ("too long")) : status_text (STATUS_MARK ("empty")));
      return NULL;
    }
  size_t n_ascii, invalid_at;
  char *ascii = json_ascii (text, size, &n_ascii, &invalid_at);
  struct json_tokener *tokener = ascii ? json_tokener_new_ex (MAX_DEPTH) : NULL;
  struct json_object *value = NULL;
  if (!ascii && invalid_at < size)
    damaged (status, label, "its JSON is not UTF-8 at byte %zu", invalid_at);
  else if (!tokener)
    out_of_memory (status);
  else
    value = parse_text (tokener, ascii, n_ascii, label, status);
  if (tokener)
    json_tokener_free (tokener);
  mem_free (ascii);
  return value;
}

struct json_object *
json_read_object (const char *path, Status *status)
{
  MappedFile file;
  if (!mapped_open (&file, path, status))
    return NULL;
  struct json_object *value =
      json_parse_object ((const char *) file.data, file.size, path_base (path), status);
  mapped_close (&file);
  return value;
}

bool
json_get_i64 (struct json_object *value, int64_t *out)
{
  if (!json_object_is_type (value, json_type_int))
    return false;
  errno = 0;
  int64_t v = json_object_get_int64 (value);
  /* json-c saturates: the largest value stands for every larger one. */
  if (errno || v == INT64_MAX || v == INT64_MIN)
    return false;
  *out = v;
  return true;
}

static bool
get_int (struct json_object *value, int *out)
{
  int64_t v;
  if (!json_get_i64 (value, &v) || v < INT_MIN || v > INT_MAX)
    return false;
  *out = (int) v;
  return true;
}

bool
json_member_int (struct json_object *object, const char *key, int *out)
{
  return get_int (json_object_object_get (object, key), out);
}

bool
json_member_double (struct json_object *object, const char *key, double *out)
{
  struct json_object *value = json_object_object_get (object, key);
  if (!json_object_is_type (value, json_type_double) && !json_object_is_type (value, json_type_int))
    return false;
  *out = json_object_get_double (value);
  return true;
}

bool
json_member_bool (struct json_object *object, const char *key, bool *out)
{
  struct json_object *value = json_object_object_get (object, key);
  if (!json_object_is_type (value, json_type_boolean))
    return false;
  *out = json_object_get_boolean (value);
  return true;
}

const char *
json_member_string (struct json_object *object, const char *key)
{
  struct json_object *value = json_object_object_get (object, key);
  return json_object_is_type (value, json_type_string) ? json_object_get_string (value) : NULL;
}

int
json_member_ints (struct json_object *object, const char *key, int *out, int n)
{
  struct json_object *value = json_object_object_get (object, key);
  int single;
  if (get_int (value, &single))
    {
      for (int i = 0; i < n; i++)
        out[i] = single;
      return n;
    }
  if (!json_object_is_type (value, json_type_array))
    return 0;
  size_t length = json_object_array_length (value);
  if (length > (size_t) n)
    return -1;
  for (size_t i = 0; i < length; i++)
    if (!get_int (json_object_array_get_idx (value, i), &out[i]))
      return 0;
  return (int) length;
}
