/* SPDX-License-Identifier: MPL-2.0
 * unigram-normalise.c - a text as the pieces spell it: compatibility forms, spaces.
 *
 * The charsmap is a double array from byte strings to replacements, as Darts builds it.
 */
#include <string.h>
#include <utf8proc.h>

#include "core/mem.h"
#include "core/utf8.h"
#include "text/unigram-private.h"

enum
{
  SPACE_BYTES = sizeof UNIGRAM_SPACE - 1,
  GRAPHEME_MAX_BYTES = 6 /* longer ones are looked up character by character */
};

/* ---- charsmap ---- */

static uint32_t
unit_offset (uint32_t unit)
{
  return (unit >> 10) << ((unit & 0x200) >> 6);
}

/* @longest: else the shortest.  Returns: bytes of @p .. @end that are replaced; 0: none */
static size_t
find_replacement (
    const Unigram *u, const char *p, const char *end, bool longest, const char **replacement)
{
  size_t found = 0;
  size_t at = u->trie ? unit_offset (u->trie[0]) : 0;
  for (size_t i = 0; u->trie && p + i < end; i++)
    {
      uint8_t byte = (uint8_t) p[i];
      at ^= byte;
      if (at >= u->n_units || (u->trie[at] & 0x800000ff) != byte)
        break;
      bool has_leaf = u->trie[at] >> 8 & 1;
      at ^= unit_offset (u->trie[at]);
      if (!has_leaf)
        continue;
      size_t value = at < u->n_units ? u->trie[at] & 0x7fffffff : u->n_replacements;
      if (value >= u->n_replacements)
        break;
      *replacement = u->replacements + value;
      found = i + 1;
      if (!longest)
        break;
    }
  return found;
}

bool
unigram_set_charsmap (Unigram *u, const void *data, size_t size, Status *status)
{
  uint32_t trie_bytes = 0;
  if (size == 0)
    return true;
  if (size > sizeof trie_bytes)
    memcpy (&trie_bytes, data, sizeof trie_bytes);
  if (trie_bytes < 4 || trie_bytes % 4 || trie_bytes >= size - sizeof trie_bytes)
    return status_fail (status, STATUS_FORMAT,
                        "The tokenizer's table of characters is damaged: get its file again.");
  const char *texts = (const char *) data + sizeof trie_bytes + trie_bytes;
  u->n_units = trie_bytes / 4;
  u->n_replacements = size - sizeof trie_bytes - trie_bytes;
  u->trie = mem_calloc (u->n_units, 4);
  u->replacements = mem_calloc (u->n_replacements + 1, 1); /* whatever ends it, a zero follows */
  if (!u->trie || !u->replacements)
    return text_no_memory (status);
  memcpy (u->trie, (const char *) data + sizeof trie_bytes, trie_bytes);
  memcpy (u->replacements, texts, u->n_replacements);
  return true;
}

/* ---- SentencePiece ---- */

typedef struct
{
  const char *text;
  size_t n, consumed;
} Piece;

static Piece
next_piece (const Unigram *u, const char *p, const char *end)
{
  uint32_t code;
  Piece piece = { .text = p };
  size_t n = u->has_user_defined ? unigram_longest_user_defined (u, p, end) : 0;
  if (n > 0)
    return (Piece){ p, n, n };
  piece.consumed = find_replacement (u, p, end, true, &piece.text);
  if (piece.consumed > 0)
    {
      piece.n = strlen (piece.text);
      return piece;
    }
  piece.n = piece.consumed = (size_t) utf8_next (p, (size_t) (end - p), &code);
  return piece.consumed > 0 ? piece : (Piece){ "\xef\xbf\xbd", 3, 1 };
}

static bool
add_spelled (TextBuf *out, const char *text, size_t n, Status *status)
{
  for (size_t i = 0; i < n; i++)
    if (text[i] == ' ' ? !text_buf_add (out, UNIGRAM_SPACE, SPACE_BYTES, status)
                       : !text_buf_add (out, text + i, 1, status))
      return false;
  return true;
}

static bool
ends_with_space (const TextBuf *out, size_t from)
{
  return out->n >= from + SPACE_BYTES &&
         memcmp (out->data + out->n - SPACE_BYTES, UNIGRAM_SPACE, SPACE_BYTES) == 0;
}

static bool
normalise_sentencepiece (
    const Unigram *u, const char *p, const char *end, TextBuf *out, Status *status)
{
  size_t from = out->n;
  bool joins = u->rules.join_spaces, after_space = joins;
  for (Piece piece; joins && p < end; p += piece.consumed)
    {
      piece = next_piece (u, p, end);
      if (piece.n != 1 || *piece.text != ' ')
        break;
    }
  if (p == end)
    return true;
  if (u->rules.prefix != PREFIX_NEVER && !text_buf_add (out, UNIGRAM_SPACE, SPACE_BYTES, status))
    return false;
  while (p < end)
    {
      Piece piece = next_piece (u, p, end);
      for (p += piece.consumed; after_space && piece.n > 0 && *piece.text == ' '; piece.n--)
        piece.text++;
      if (!add_spelled (out, piece.text, piece.n, status))
        return false;
      if (piece.n > 0)
        after_space = joins && piece.text[piece.n - 1] == ' ';
    }
  while (joins && ends_with_space (out, from))
    out->n -= SPACE_BYTES;
  return true;
}

/* ---- transformers' fast tokenizers ---- */

/* Well-formed UTF-8: bytes that are none become U+FFFD. */
static bool
add_valid (TextBuf *out, const char *p, const char *end, Status *status)
{
  uint32_t code;
  for (int n; p<end; p += n> 0 ? n : 1)
    {
      n = utf8_next (p, (size_t) (end - p), &code);
      if (!text_buf_add (out, n > 0 ? p : "\xef\xbf\xbd", n > 0 ? (size_t) n : 3, status))
        return false;
    }
  return true;
}

static size_t
grapheme_bytes (const char *p, const char *end)
{
  utf8proc_int32_t state = 0;
  int n;
  int32_t before = char_at (p, end, &n);
  size_t length = (size_t) n;
  while (p + length < end)
    {
      int32_t c = char_at (p + length, end, &n);
      if (utf8proc_grapheme_break_stateful (before, c, &state))
        break;
      length += (size_t) n;
      before = c;
    }
  return length;
}

static bool
add_mapped (const Unigram *u, TextBuf *out, const char *p, size_t n, Status *status)
{
  const char *text = p;
  if (find_replacement (u, p, p + n, false, &text) > 0)
    return text_buf_add (out, text, strlen (text), status);
  return text_buf_add (out, p, n, status);
}

/* A whole cluster is looked up by what it begins with: that is how these tokenizers do it. */
static bool
add_cluster (const Unigram *u, TextBuf *out, const char *p, size_t n, Status *status)
{
  const char *text;
  if (n < GRAPHEME_MAX_BYTES && find_replacement (u, p, p + n, false, &text) > 0)
    return text_buf_add (out, text, strlen (text), status);
  int n_char;
  for (const char *end = p + n; p < end; p += n_char)
    {
      char_at (p, end, &n_char);
      if (!add_mapped (u, out, p, (size_t) n_char, status))
        return false;
    }
  return true;
}

static bool
map_characters (const Unigram *u, const TextBuf *in, TextBuf *out, Status *status)
{
  const char *end = in->data + in->n;
  size_t n = in->n;
  for (const char *p = in->data; p < end; p += n)
    {
      n = u->trie ? grapheme_bytes (p, end) : n;
      if (u->trie ? !add_cluster (u, out, p, n, status) : !text_buf_add (out, p, n, status))
        return false;
    }
  return true;
}

static void
strip (const UnigramRules *rules, const char **p, const char **end)
{
  int n;
  while (rules->strip_left && *p < *end && char_is_space (char_at (*p, *end, &n)))
    *p += n;
  while (rules->strip_right && *p < *end && char_is_space (char_before (*p, *end)))
    for ((*end)--; *p < *end && (**end & 0xc0) == 0x80;)
      (*end)--;
}

/* Prefix, and spaces as pieces spell them, of one word or text. */
static bool
add_words (
    const Unigram *u, const char *p, const char *end, bool prefix, TextBuf *out, Status *status)
{
  if (p == end)
    return true;
  bool has_mark = end - p >= SPACE_BYTES && memcmp (p, UNIGRAM_SPACE, SPACE_BYTES) == 0;
  if (prefix && !has_mark && *p != ' ' && !text_buf_add (out, UNIGRAM_SPACE, SPACE_BYTES, status))
    return false;
  for (; p < end; p++)
    if (!(u->rules.join_spaces && *p == ' ' && p + 1 < end && p[1] == ' ') &&
        !add_spelled (out, p, 1, status))
      return false;
  return true;
}

static bool
split_white (
    const Unigram *u, const char *p, const char *end, bool is_start, TextBuf *out, Status *status)
{
  const char *begin = p;
  int n = 0;
  for (const char *word = p; p < end; p = word)
    {
      for (; p < end && char_is_space (char_at (p, end, &n)); p += n)
        continue;
      for (word = p; word < end && !char_is_space (char_at (word, end, &n)); word += n)
        continue;
      bool prefix = u->rules.prefix == PREFIX_ALWAYS ||
                    (u->rules.prefix == PREFIX_FIRST && is_start && p == begin);
      if (!add_words (u, p, word, prefix, out, status))
        return false;
    }
  return true;
}

static bool
normalise_fast (
    const Unigram *u, const TextBuf *mapped, bool is_start, TextBuf *out, Status *status)
{
  const UnigramRules *rules = &u->rules;
  const char *p = mapped->data, *end = p + mapped->n;
  strip (rules, &p, &end);
  if (rules->split_white)
    return split_white (u, p, end, is_start, out, status);
  bool prefix = rules->prefix == PREFIX_ALWAYS || (rules->prefix == PREFIX_FIRST && is_start);
  return add_words (u, p, end, prefix, out, status);
}

bool
unigram_normalise (
    const Unigram *u, const char *p, const char *end, bool is_start, TextBuf *out, Status *status)
{
  if (!u->rules.is_fast)
    return normalise_sentencepiece (u, p, end, out, status);
  TextBuf valid = { 0 }, mapped = { 0 };
  bool ok = add_valid (&valid, p, end, status) && map_characters (u, &valid, &mapped, status) &&
            normalise_fast (u, &mapped, is_start, out, status);
  text_buf_clear (&valid);
  text_buf_clear (&mapped);
  return ok;
}
