/* SPDX-License-Identifier: MPL-2.0
 * unigram-json.c - reads tokenizer.json, as transformers' fast tokenizers write it.
 *
 * What the file asks for and is not known here is refused by name: leaving it out would give ids
 * that are nearly right.
 */
#include <json-c/json.h>
#include <string.h>

#include "core/mem.h"
#include "text/unigram-private.h"

enum
{
  JSON_DEPTH = 32
};

static bool
damaged_json (const char *what, Status *status)
{
  return status_fail (status, STATUS_FORMAT,
                      "The tokenizer.json is damaged (%s): get the file again.",
                      status_text (what));
}

static bool
unknown_json (const char *what, const char *type, Status *status)
{
  return status_fail (
      status, STATUS_UNSUPPORTED,
      "The tokenizer.json has a %s \"%.60s\", which this version does not know; put "
      "the model's spiece.model in its place.",
      status_text (what), type);
}

static const char *
text_of (json_object *object, const char *key)
{
  json_object *value = json_object_object_get (object, key);
  return json_object_is_type (value, json_type_string) ? json_object_get_string (value) : "";
}

static bool
is_true (json_object *object, const char *key, bool otherwise)
{
  json_object *value = json_object_object_get (object, key);
  return json_object_is_type (value, json_type_boolean) ? json_object_get_boolean (value)
                                                        : otherwise;
}

/* ---- normalizer ---- */

static int
base64_value (char c)
{
  static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  const char *at = c ? strchr (digits, c) : NULL;
  return at ? (int) (at - digits) : -1;
}

static bool
read_charsmap (Unigram *u, json_object *object, Status *status)
{
  const char *text = text_of (object, "precompiled_charsmap");
  size_t n = strlen (text), size = 0;
  uint8_t *bytes = mem_calloc (n / 4 * 3 + 3, 1);
  uint32_t bits = 0;
  int n_bits = 0;
  if (!bytes)
    return text_no_memory (status);
  for (size_t i = 0; i < n && text[i] != '='; i++)
    {
      int value = base64_value (text[i]);
      if (value < 0)
        {
          mem_free (bytes);
          return damaged_json (STATUS_MARK ("its table of characters"), status);
        }
      bits = bits << 6 | (uint32_t) value;
      n_bits += 6;
      if (n_bits >= 8)
        bytes[size++] = (uint8_t) (bits >> (n_bits -= 8));
    }
  bool ok = u->trie || unigram_set_charsmap (u, bytes, size, status);
  mem_free (bytes);
  return ok;
}

/* Runs of spaces to one space, in whichever way it is said. */
static bool
read_replace (Unigram *u, json_object *object, Status *status)
{
  json_object *pattern = json_object_object_get (object, "pattern");
  const char *regex = text_of (pattern, "Regex"), *content = text_of (object, "content");
  bool is_space = strcmp (content, " ") == 0 || strcmp (content, UNIGRAM_SPACE) == 0;
  if (strcmp (regex, " {2,}") != 0 || !is_space)
    return unknown_json (STATUS_MARK ("replacement"), *regex ? regex : text_of (pattern, "String"),
                         status);
  u->rules.join_spaces = true;
  return true;
}

static bool
read_normalizer (Unigram *u, json_object *object, Status *status)
{
  const char *type = text_of (object, "type");
  if (!object)
    return true;
  if (strcmp (type, "Precompiled") == 0)
    return read_charsmap (u, object, status);
  if (strcmp (type, "Replace") == 0)
    return read_replace (u, object, status);
  if (strcmp (type, "Strip") != 0)
    return unknown_json (STATUS_MARK ("normalizer"), type, status);
  u->rules.strip_left = is_true (object, "strip_left", false);
  u->rules.strip_right = is_true (object, "strip_right", false);
  return true;
}

/* ---- pre-tokenizer ---- */

static bool
read_metaspace (Unigram *u, json_object *object, Status *status)
{
  const char *scheme = text_of (object, "prepend_scheme");
  if (strcmp (text_of (object, "replacement"), UNIGRAM_SPACE) != 0)
    return unknown_json (STATUS_MARK ("space"), text_of (object, "replacement"), status);
  if (!*scheme) /* older files */
    scheme = is_true (object, "add_prefix_space", true) ? "always" : "never";
  u->rules.prefix = strcmp (scheme, "always") == 0  ? PREFIX_ALWAYS
                    : strcmp (scheme, "first") == 0 ? PREFIX_FIRST
                                                    : PREFIX_NEVER;
  u->rules.split_words = is_true (object, "split", true);
  return u->rules.prefix != PREFIX_NEVER || strcmp (scheme, "never") == 0 ||
         unknown_json (STATUS_MARK ("scheme"), scheme, status);
}

static bool
read_pre_tokenizer (Unigram *u, json_object *object, Status *status)
{
  const char *type = text_of (object, "type");
  if (!object)
    return true;
  if (strcmp (type, "Metaspace") == 0)
    return read_metaspace (u, object, status);
  u->rules.split_white = true;
  return strcmp (type, "WhitespaceSplit") == 0 ||
         unknown_json (STATUS_MARK ("pre-tokenizer"), type, status);
}

/* A single one or a Sequence of them under @list. */
static bool
read_each (Unigram *u,
           json_object *object,
           const char *list,
           bool (*read) (Unigram *, json_object *, Status *),
           Status *status)
{
  json_object *items = json_object_object_get (object, list);
  if (strcmp (text_of (object, "type"), "Sequence") != 0)
    return read (u, object, status);
  if (!json_object_is_type (items, json_type_array))
    return damaged_json (list, status);
  for (size_t i = 0; i < json_object_array_length (items); i++)
    if (!read (u, json_object_array_get_idx (items, i), status))
      return false;
  return true;
}

/* ---- vocabulary ---- */

static bool
read_vocabulary (Unigram *u, json_object *model, Status *status)
{
  json_object *vocab = json_object_object_get (model, "vocab");
  json_object *unk = json_object_object_get (model, "unk_id");
  const char *type = text_of (model, "type");
  if (*type && strcmp (type, "Unigram") != 0)
    return unknown_json (STATUS_MARK ("model"), type, status);
  if (!json_object_is_type (vocab, json_type_array))
    return damaged_json (STATUS_MARK ("it has no vocabulary"), status);
  for (size_t i = 0; i < json_object_array_length (vocab); i++)
    {
      json_object *item = json_object_array_get_idx (vocab, i);
      bool is_pair =
          json_object_is_type (item, json_type_array) && json_object_array_length (item) == 2;
      json_object *name = is_pair ? json_object_array_get_idx (item, 0) : NULL;
      json_object *score = is_pair ? json_object_array_get_idx (item, 1) : NULL;
      if (!json_object_is_type (name, json_type_string))
        return damaged_json (STATUS_MARK ("its vocabulary"), status);
      if (!unigram_add (u, json_object_get_string (name),
                        (size_t) json_object_get_string_len (name), json_object_get_double (score),
                        PIECE_NORMAL, status))
        return false;
    }
  if (json_object_is_type (unk, json_type_int))
    u->unk = json_object_get_int (unk);
  u->rules.byte_fallback = is_true (model, "byte_fallback", false);
  return true;
}

/* Ids may lie behind the vocabulary: what is between is never found in a text. */
static bool
read_markers (Unigram *u, json_object *list, Status *status)
{
  size_t n = json_object_is_type (list, json_type_array) ? json_object_array_length (list) : 0;
  for (size_t i = 0; i < n; i++)
    {
      json_object *item = json_object_array_get_idx (list, i);
      json_object *id = json_object_object_get (item, "id");
      const char *content = text_of (item, "content");
      int64_t number = json_object_is_type (id, json_type_int) ? json_object_get_int64 (id) : -1;
      if (number < 0 || number > UNIGRAM_MAX_PIECES || !*content)
        return damaged_json (STATUS_MARK ("its markers"), status);
      while (u->n <= number)
        {
          bool is_it = u->n == number;
          if (!unigram_add (u, is_it ? content : "", is_it ? strlen (content) : 0, 0, PIECE_UNUSED,
                            status))
            return false;
        }
      size_t n_name;
      const char *name = unigram_name (u, (int32_t) number, &n_name);
      if (n_name != strlen (content) || memcmp (name, content, n_name) != 0)
        return damaged_json (STATUS_MARK ("a marker is not what its vocabulary says"), status);
      if (!unigram_add_marker (u, (int32_t) number, status))
        return false;
    }
  return true;
}

static bool
read_root (Unigram *u, json_object *root, Status *status)
{
  json_object *model = json_object_object_get (root, "model");
  u->rules = (UnigramRules){ .is_fast = true };
  return read_vocabulary (u, model, status) &&
         read_markers (u, json_object_object_get (root, "added_tokens"), status) &&
         read_each (u, json_object_object_get (root, "normalizer"), "normalizers", read_normalizer,
                    status) &&
         read_each (u, json_object_object_get (root, "pre_tokenizer"), "pretokenizers",
                    read_pre_tokenizer, status);
}

bool
unigram_read_json (Unigram *u, const char *data, size_t size, Status *status)
{
  json_tokener *tokener = json_tokener_new_ex (JSON_DEPTH);
  if (!tokener)
    return text_no_memory (status);
  json_object *root = json_tokener_parse_ex (tokener, data, (int) size);
  bool ok = json_object_is_type (root, json_type_object)
                ? read_root (u, root, status)
                : damaged_json (STATUS_MARK ("no JSON"), status);
  json_tokener_free (tokener);
  json_object_put (root);
  return ok;
}
