/* SPDX-License-Identifier: MPL-2.0
 * clip-load.c - reads the tokenizer folder of a model: merges.txt and vocab.json, or
 * tokenizer.json.
 *
 * The files come from anywhere, so nothing in them is believed: sizes, ids and names are checked,
 * and a vocabulary that does not fit its merges is an error, because its ids would mean other
 * words.
 */
#include <errno.h>
#include <json-c/json.h>
#include <stdio.h>
#include <string.h>

#include "core/mem.h"
#include "text/clip-vocab.h"

enum
{
  MAX_FILE_BYTES = 64 << 20,
  READ_BYTES = 1 << 16,
  MAX_ID = 1 << 20,
  JSON_DEPTH = 32,
  PATH_SIZE = 4096
};

static bool
join_path (char path[PATH_SIZE], const char *folder, const char *name, Status *status)
{
  int n = snprintf (path, PATH_SIZE, "%s/%s", folder, name);
  if (n < 0 || n >= PATH_SIZE)
    return status_fail (status, STATUS_ARGUMENT, "The path of the tokenizer folder is too long.");
  return true;
}

static bool
read_stream (FILE *file, const char *path, TextBuf *out, Status *status)
{
  for (;;)
    {
      if (!mem_grow (&out->data, &out->capacity, out->n + READ_BYTES, 1, status))
        return false;
      size_t n = fread (out->data + out->n, 1, READ_BYTES, file);
      out->n += n;
      if (ferror (file))
        return status_fail (status, STATUS_IO, "The tokenizer file %s cannot be read: %s.", path,
                            strerror (errno));
      if (!n)
        return true;
      if (out->n > MAX_FILE_BYTES)
        return status_fail (status, STATUS_FORMAT,
                            "%s is too big to be a tokenizer file: get it again.", path);
    }
}

/* Reads @folder/@name to @out.  A file that is not there leaves @found false and is no failure. */
static bool
read_file (const char *folder, const char *name, TextBuf *out, bool *found, Status *status)
{
  char path[PATH_SIZE];
  *found = false;
  if (!join_path (path, folder, name, status))
    return false;
  FILE *file = fopen (path, "rb");
  if (!file && (errno == ENOENT || errno == ENOTDIR))
    return true;
  if (!file)
    return status_fail (status, STATUS_IO, "The tokenizer file %s cannot be opened: %s.", path,
                        strerror (errno));
  *found = true;
  bool ok = read_stream (file, path, out, status);
  fclose (file);
  return ok;
}

/* The object in @folder/@name, to be put by the caller; NULL when the file is not there, or on
 * failure. */
static json_object *
read_json (const char *folder, const char *name, Status *status)
{
  TextBuf text = { 0 };
  bool found;
  json_object *root = NULL;
  if (read_file (folder, name, &text, &found, status) && found)
    {
      json_tokener *tokener = json_tokener_new_ex (JSON_DEPTH);
      root = tokener ? json_tokener_parse_ex (tokener, text.data, (int) text.n) : NULL;
      if (!tokener)
        text_no_memory (status);
      else if (!json_object_is_type (root, json_type_object))
        status_fail (status, STATUS_FORMAT, "%s/%s is not valid JSON: get the file again.", folder,
                     name);
      if (tokener)
        json_tokener_free (tokener);
      if (!status_ok (status))
        {
          json_object_put (root);
          root = NULL;
        }
    }
  text_buf_clear (&text);
  return root;
}

static bool
damaged_merges (const char *folder, int number, Status *status)
{
  return status_fail (status, STATUS_FORMAT,
                      "Merge %d of the tokenizer in %s is damaged: get the file again.", number,
                      folder);
}

/* "left right" without the line's end. */
static bool
add_merge_line (ClipBpe *bpe, const char *folder, const char *line, size_t n, Status *status)
{
  const char *space = memchr (line, ' ', n);
  if (!space || space == line || space + 1 == line + n ||
      memchr (space + 1, ' ', n - (size_t) (space + 1 - line)))
    return damaged_merges (folder, bpe->n_merges + 1, status);
  size_t n_left = (size_t) (space - line);
  return clip_vocab_add_merge (bpe, line, n_left, space + 1, n - n_left - 1, status);
}

/* The line at @p without its end; @next is set behind it. */
static size_t
line_length (const char *p, const char *end, const char **next)
{
  const char *newline = memchr (p, '\n', (size_t) (end - p));
  size_t n = (size_t) ((newline ? newline : end) - p);
  *next = newline ? newline + 1 : end;
  return n && p[n - 1] == '\r' ? n - 1 : n;
}

static bool
is_header (const char *line, size_t n)
{
  static const char mark[] = "#version:";
  for (size_t i = 0; i + strlen (mark) <= n; i++)
    if (!memcmp (line + i, mark, strlen (mark)))
      return true;
  return false;
}

static bool
add_merges_text (ClipBpe *bpe, const char *folder, const TextBuf *text, Status *status)
{
  const char *end = text->data + text->n, *next = text->data;
  int n_lines = 0;
  for (const char *p = next; p < end && n_lines <= CLIP_MAX_MERGES; p = next, n_lines++)
    line_length (p, end, &next);
  if (!clip_vocab_init (bpe, n_lines < CLIP_MAX_MERGES ? n_lines : CLIP_MAX_MERGES, status))
    return false;
  bool first = true;
  for (const char *p = text->data; p < end && bpe->n_merges < CLIP_MAX_MERGES; p = next)
    {
      size_t n = line_length (p, end, &next);
      bool skip = n == 0 || (first && is_header (p, n));
      first = false;
      if (!skip && !add_merge_line (bpe, folder, p, n, status))
        return false;
    }
  if (!bpe->n_merges)
    return status_fail (status, STATUS_FORMAT, "%s/merges.txt holds no merges: get the file again.",
                        folder);
  return true;
}

/* One entry of tokenizer.json's merges: "left right", or since 2024 ["left", "right"]. */
static bool
add_merge_json (ClipBpe *bpe, const char *folder, json_object *item, Status *status)
{
  if (json_object_is_type (item, json_type_string))
    return add_merge_line (bpe, folder, json_object_get_string (item),
                           (size_t) json_object_get_string_len (item), status);
  if (!json_object_is_type (item, json_type_array) || json_object_array_length (item) != 2)
    return damaged_merges (folder, bpe->n_merges + 1, status);
  json_object *left = json_object_array_get_idx (item, 0);
  json_object *right = json_object_array_get_idx (item, 1);
  if (!json_object_is_type (left, json_type_string) ||
      !json_object_is_type (right, json_type_string))
    return damaged_merges (folder, bpe->n_merges + 1, status);
  return clip_vocab_add_merge (
      bpe, json_object_get_string (left), (size_t) json_object_get_string_len (left),
      json_object_get_string (right), (size_t) json_object_get_string_len (right), status);
}

/* The id that the vocabulary @vocab gives to @name. */
static bool
find_id (json_object *vocab, const char *folder, const char *name, int32_t *id, Status *status)
{
  json_object *value;
  if (!json_object_object_get_ex (vocab, name, &value))
    return status_fail (status, STATUS_FORMAT,
                        "The vocabulary in %s lacks the token \"%.40s\", so it does not belong to "
                        "the merges beside it: get the folder again.",
                        folder, name);
  int64_t number = json_object_is_type (value, json_type_int) ? json_object_get_int64 (value) : -1;
  if (number < 0 || number >= MAX_ID)
    return status_fail (
        status, STATUS_FORMAT,
        "The vocabulary in %s gives the token \"%.40s\" no valid id: get the folder "
        "again.",
        folder, name);
  *id = (int32_t) number;
  return true;
}

static bool
number_symbols (ClipBpe *bpe, const char *folder, json_object *vocab, Status *status)
{
  TextBuf name = { 0 };
  bool ok = true;
  for (int symbol = 0; ok && symbol < bpe->n_symbols; symbol++)
    {
      size_t n;
      const char *bytes = clip_vocab_name (bpe, symbol, &n);
      name.n = 0;
      ok = text_buf_add (&name, bytes, n, status) && text_buf_add (&name, "", 1, status) &&
           find_id (vocab, folder, name.data, &bpe->ids[symbol], status);
    }
  text_buf_clear (&name);
  return ok;
}

/* Two tokens with one id would make different words the same. */
static bool
check_distinct (const ClipBpe *bpe, const char *folder, Status *status)
{
  bool *seen = mem_calloc ((size_t) bpe->n_ids, sizeof *seen);
  if (!seen)
    return text_no_memory (status);
  seen[bpe->bos] = true;
  bool ok = !seen[bpe->eos];
  seen[bpe->eos] = true;
  for (int symbol = 0; ok && symbol < bpe->n_symbols; symbol++)
    {
      ok = !seen[bpe->ids[symbol]];
      seen[bpe->ids[symbol]] = true;
    }
  mem_free (seen);
  if (!ok)
    return status_fail (status, STATUS_FORMAT,
                        "The vocabulary in %s gives one id to two tokens: get the folder again.",
                        folder);
  return true;
}

static bool
number_from_vocab (ClipBpe *bpe, const char *folder, json_object *vocab, Status *status)
{
  if (!number_symbols (bpe, folder, vocab, status) ||
      !find_id (vocab, folder, CLIP_BOS, &bpe->bos, status) ||
      !find_id (vocab, folder, CLIP_EOS, &bpe->eos, status))
    return false;
  json_object_object_foreach (vocab, key, value)
  {
    int32_t id = 0;
    (void) value;
    if (!find_id (vocab, folder, key, &id, status))
      return false;
    bpe->n_ids = id >= bpe->n_ids ? id + 1 : bpe->n_ids;
  }
  bpe->pad = bpe->eos;
  bpe->comma = bpe->ids[clip_vocab_find (bpe, ",</w>", strlen (",</w>"))];
  return check_distinct (bpe, folder, status);
}

/* The token that @root names in its "pad_token", a string or {"content": string}; NULL: none. */
static const char *
pad_name (json_object *root)
{
  json_object *value = NULL;
  if (!json_object_object_get_ex (root, "pad_token", &value))
    return NULL;
  if (json_object_is_type (value, json_type_object))
    json_object_object_get_ex (value, "content", &value);
  return json_object_is_type (value, json_type_string) ? json_object_get_string (value) : NULL;
}

/* The id of a token: by @vocab, or, where there is none (NULL), by the order of the merges. */
static bool
token_id (const ClipBpe *bpe,
          const char *folder,
          json_object *vocab,
          const char *name,
          int32_t *id,
          Status *status)
{
  if (vocab)
    return find_id (vocab, folder, name, id, status);
  int32_t symbol = clip_vocab_find (bpe, name, strlen (name));
  if (!strcmp (name, CLIP_EOS) || !strcmp (name, CLIP_BOS))
    *id = strcmp (name, CLIP_EOS) ? bpe->bos : bpe->eos;
  else if (symbol != CLIP_NO_SYMBOL)
    *id = bpe->ids[symbol];
  else
    return status_fail (status, STATUS_FORMAT,
                        "The tokenizer in %s pads with \"%.40s\", which is not in its vocabulary: "
                        "get the folder again.",
                        folder, name);
  return true;
}

/* Sets the pad token from the first of the two files that names one. */
static bool
read_pad (ClipBpe *bpe, const char *folder, json_object *vocab, Status *status)
{
  static const char *const files[] = { "special_tokens_map.json", "tokenizer_config.json" };
  bool known = false;
  for (size_t i = 0; !known && i < sizeof files / sizeof *files; i++)
    {
      json_object *root = read_json (folder, files[i], status);
      const char *name = root ? pad_name (root) : NULL;
      known = name && token_id (bpe, folder, vocab, name, &bpe->pad, status);
      json_object_put (root);
      if (!status_ok (status))
        return false;
    }
  return true;
}

static bool
load_tokenizer_json (ClipBpe *bpe, const char *folder, json_object *root, Status *status)
{
  json_object *model = NULL, *vocab = NULL, *merges = NULL, *suffix = NULL;
  json_object_object_get_ex (root, "model", &model);
  bool ok = json_object_is_type (model, json_type_object) &&
            json_object_object_get_ex (model, "vocab", &vocab) &&
            json_object_is_type (vocab, json_type_object) &&
            json_object_object_get_ex (model, "merges", &merges) &&
            json_object_is_type (merges, json_type_array) &&
            json_object_object_get_ex (model, "end_of_word_suffix", &suffix) &&
            json_object_is_type (suffix, json_type_string) &&
            !strcmp (json_object_get_string (suffix), "</w>");
  if (!ok)
    return status_fail (status, STATUS_FORMAT,
                        "%s/tokenizer.json is not a CLIP tokenizer: get the folder again.", folder);
  size_t n = json_object_array_length (merges);
  int n_merges = n < CLIP_MAX_MERGES ? (int) n : CLIP_MAX_MERGES;
  if (!clip_vocab_init (bpe, n_merges, status))
    return false;
  for (int i = 0; i < n_merges; i++)
    if (!add_merge_json (bpe, folder, json_object_array_get_idx (merges, (size_t) i), status))
      return false;
  return number_from_vocab (bpe, folder, vocab, status) && read_pad (bpe, folder, vocab, status);
}

static bool
load_merges (ClipBpe *bpe, const char *folder, const TextBuf *merges, Status *status)
{
  if (!add_merges_text (bpe, folder, merges, status))
    return false;
  json_object *vocab = read_json (folder, "vocab.json", status);
  bool ok = status_ok (status);
  if (ok && vocab)
    ok = number_from_vocab (bpe, folder, vocab, status);
  else if (ok)
    clip_vocab_number (bpe);
  ok = ok && read_pad (bpe, folder, vocab, status);
  json_object_put (vocab);
  return ok;
}

static bool
load_folder (ClipBpe *bpe, const char *folder, Status *status)
{
  TextBuf merges = { 0 };
  bool found, ok = read_file (folder, "merges.txt", &merges, &found, status);
  if (ok && found)
    ok = load_merges (bpe, folder, &merges, status);
  else if (ok)
    {
      json_object *root = read_json (folder, "tokenizer.json", status);
      if (root)
        ok = load_tokenizer_json (bpe, folder, root, status);
      else
        ok = status_fail (status, STATUS_NOT_FOUND,
                          "%s holds neither merges.txt nor tokenizer.json: put the model's "
                          "tokenizer there.",
                          folder);
      json_object_put (root);
    }
  text_buf_clear (&merges);
  return ok;
}

ClipBpe *
clip_bpe_new (const char *folder, Status *status)
{
  ClipBpe *bpe = mem_calloc (1, sizeof *bpe);
  if (!bpe)
    {
      text_no_memory (status);
      return NULL;
    }
  if (load_folder (bpe, folder, status))
    return bpe;
  clip_bpe_free (bpe);
  return NULL;
}

ClipBpe *
clip_bpe_new_bundled (const char *data_dir, Status *status)
{
  char folder[PATH_SIZE];
  if (!join_path (folder, data_dir, "tokenizers/clip", status))
    return NULL;
  ClipBpe *bpe = clip_bpe_new (folder, status);
  if (!bpe || bpe->n_merges == CLIP_MAX_MERGES)
    return bpe;
  status_fail (status, STATUS_FORMAT,
               "%s/merges.txt has %d merges, not %d: install the program again.", folder,
               bpe->n_merges, CLIP_MAX_MERGES);
  clip_bpe_free (bpe);
  return NULL;
}
