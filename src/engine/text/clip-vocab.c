/* SPDX-License-Identifier: MPL-2.0
 * clip-vocab.c - hash tables of symbols and merges. */
#include "text/clip-vocab.h"

#include <string.h>
#include <utf8proc.h>

#include "core/mem.h"

static const char WORD_END[] = "</w>";

/* Bytes that stand for themselves as a character; the others are written as U+0100 and on. */
static bool
is_visible_byte (int byte)
{
  return (byte >= '!' && byte <= '~') || (byte >= 0xa1 && byte <= 0xac) || byte >= 0xae;
}

static uint32_t
hash_name (const char *name, size_t n_bytes)
{
  uint32_t h = 2166136261u; /* FNV-1a */
  for (size_t i = 0; i < n_bytes; i++)
    h = (h ^ (unsigned char) name[i]) * 16777619u;
  return h ^ h >> 15;
}

static uint32_t
hash_pair (int32_t left, int32_t right)
{
  uint64_t h = ((uint64_t) (uint32_t) left << 32 | (uint32_t) right) * 0x9e3779b97f4a7c15u;
  return (uint32_t) (h >> 32);
}

const char *
clip_vocab_name (const ClipBpe *bpe, int symbol, size_t *n_bytes)
{
  size_t start = symbol ? bpe->name_end[symbol - 1] : 0;
  *n_bytes = bpe->name_end[symbol] - start;
  return bpe->names.data + start;
}

/* The slot that holds @name, or the free one where it belongs. */
static uint32_t *
name_slot (const ClipBpe *bpe, const char *name, size_t n_bytes)
{
  uint32_t i = hash_name (name, n_bytes) & bpe->name_mask;
  for (; bpe->name_slots[i]; i = (i + 1) & bpe->name_mask)
    {
      size_t n;
      const char *other = clip_vocab_name (bpe, (int) bpe->name_slots[i] - 1, &n);
      if (n == n_bytes && !memcmp (other, name, n))
        break;
    }
  return &bpe->name_slots[i];
}

int32_t
clip_vocab_find (const ClipBpe *bpe, const char *name, size_t n_bytes)
{
  return (int32_t) *name_slot (bpe, name, n_bytes) - 1;
}

static uint32_t *
pair_slot (const ClipBpe *bpe, int32_t left, int32_t right)
{
  uint32_t i = hash_pair (left, right) & bpe->pair_mask;
  for (; bpe->pair_slots[i]; i = (i + 1) & bpe->pair_mask)
    {
      const ClipMerge *m = &bpe->merges[bpe->pair_slots[i] - 1];
      if (m->left == left && m->right == right)
        break;
    }
  return &bpe->pair_slots[i];
}

int32_t
clip_vocab_rank (const ClipBpe *bpe, int32_t left, int32_t right)
{
  return (int32_t) *pair_slot (bpe, left, right) - 1;
}

/* The symbol named @first followed by @second, made if new; CLIP_NO_SYMBOL when out of memory.
 * Neither may lie in the name table, which moves. */
static int32_t
add_symbol (ClipBpe *bpe,
            const char *first,
            size_t n_first,
            const char *second,
            size_t n_second,
            Status *status)
{
  size_t start = bpe->names.n, n = n_first + n_second;
  if (!text_buf_add (&bpe->names, first, n_first, status) ||
      !text_buf_add (&bpe->names, second, n_second, status))
    return CLIP_NO_SYMBOL;
  uint32_t *slot = name_slot (bpe, bpe->names.data + start, n);
  if (*slot)
    {
      bpe->names.n = start;
      return (int32_t) *slot - 1;
    }
  bpe->name_end[bpe->n_symbols] = bpe->names.n;
  *slot = (uint32_t) ++bpe->n_symbols;
  return bpe->n_symbols - 1;
}

static bool
add_byte (ClipBpe *bpe, int byte, int character, Status *status)
{
  utf8proc_uint8_t name[4];
  utf8proc_ssize_t n = utf8proc_encode_char (character, name);
  int32_t symbol = add_symbol (bpe, (const char *) name, (size_t) n, NULL, 0, status);
  bpe->byte_symbol[byte] = (int16_t) symbol;
  return symbol != CLIP_NO_SYMBOL;
}

static bool
add_bytes (ClipBpe *bpe, Status *status)
{
  int n_hidden = 0;
  for (int byte = 0; byte < CLIP_N_BYTES; byte++)
    if (is_visible_byte (byte) && !add_byte (bpe, byte, byte, status))
      return false;
  for (int byte = 0; byte < CLIP_N_BYTES; byte++)
    if (!is_visible_byte (byte) && !add_byte (bpe, byte, CLIP_N_BYTES + n_hidden++, status))
      return false;
  for (int symbol = 0; symbol < CLIP_N_BYTES; symbol++)
    {
      size_t n;
      char name[4];
      const char *bytes = clip_vocab_name (bpe, symbol, &n);
      memcpy (name, bytes, n);
      if (add_symbol (bpe, name, n, WORD_END, strlen (WORD_END), status) == CLIP_NO_SYMBOL)
        return false;
    }
  return true;
}

/* A mask for a table of @n entries that stays at least half free. */
static uint32_t
table_mask (int n)
{
  uint32_t size = 1024;
  while (size < 2 * (uint32_t) n)
    size *= 2;
  return size - 1;
}

bool
clip_vocab_init (ClipBpe *bpe, int max_merges, Status *status)
{
  int max_symbols = 2 * CLIP_N_BYTES + max_merges;
  *bpe = (ClipBpe){ .max_symbols = max_symbols,
                    .name_mask = table_mask (max_symbols),
                    .pair_mask = table_mask (max_merges) };
  bpe->name_end = mem_calloc ((size_t) max_symbols, sizeof *bpe->name_end);
  bpe->ids = mem_calloc ((size_t) max_symbols, sizeof *bpe->ids);
  bpe->name_slots = mem_calloc ((size_t) bpe->name_mask + 1, sizeof *bpe->name_slots);
  bpe->merges = mem_calloc ((size_t) max_merges, sizeof *bpe->merges);
  bpe->pair_slots = mem_calloc ((size_t) bpe->pair_mask + 1, sizeof *bpe->pair_slots);
  if (!bpe->name_end || !bpe->ids || !bpe->name_slots || !bpe->merges || !bpe->pair_slots)
    return text_no_memory (status);
  return add_bytes (bpe, status);
}

void
clip_vocab_clear (ClipBpe *bpe)
{
  text_buf_clear (&bpe->names);
  mem_free (bpe->name_end);
  mem_free (bpe->ids);
  mem_free (bpe->name_slots);
  mem_free (bpe->merges);
  mem_free (bpe->pair_slots);
}

bool
clip_vocab_add_merge (ClipBpe *bpe,
                      const char *left,
                      size_t n_left,
                      const char *right,
                      size_t n_right,
                      Status *status)
{
  if (bpe->n_merges == bpe->max_symbols - 2 * CLIP_N_BYTES)
    return status_fail (status, STATUS_ARGUMENT, "The tokenizer has more merges than announced.");
  ClipMerge m = { .left = clip_vocab_find (bpe, left, n_left),
                  .right = clip_vocab_find (bpe, right, n_right) };
  if (m.left == CLIP_NO_SYMBOL || m.right == CLIP_NO_SYMBOL)
    return status_fail (status, STATUS_FORMAT,
                        "Merge %d of the tokenizer joins a symbol that no earlier merge makes: "
                        "the file is damaged, get it again.",
                        bpe->n_merges + 1);
  m.result = add_symbol (bpe, left, n_left, right, n_right, status);
  if (m.result == CLIP_NO_SYMBOL)
    return false;
  bpe->ids[m.result] = 2 * CLIP_N_BYTES + bpe->n_merges;
  bpe->merges[bpe->n_merges++] = m;
  *pair_slot (bpe, m.left, m.right) = (uint32_t) bpe->n_merges;
  return true;
}

void
clip_vocab_number (ClipBpe *bpe)
{
  for (int symbol = 0; symbol < 2 * CLIP_N_BYTES; symbol++)
    bpe->ids[symbol] = symbol;
  /* The others got theirs with their merge. */
  bpe->bos = 2 * CLIP_N_BYTES + bpe->n_merges;
  bpe->eos = bpe->bos + 1;
  bpe->pad = bpe->eos;
  bpe->n_ids = bpe->eos + 1;
  bpe->comma = bpe->ids[clip_vocab_find (bpe, ",</w>", strlen (",</w>"))];
}
