/* SPDX-License-Identifier: MPL-2.0
 * clip-bpe.c - text to ids: normalise, split into words, merge the bytes of each word.
 *
 * Merging goes in rounds, as CLIP's own code does: the pair of lowest rank is merged wherever it
 * occurs, left to right, then the next.  A heap of (rank, place) finds the rounds, so a word of n
 * bytes takes O(n log n), not a scan for each merge.
 */
#include "text/clip-bpe.h"

#include <string.h>
#include <utf8proc.h>

#include "core/mem.h"
#include "text/clip-vocab.h"

enum
{
  END_OF_LIST = -1,
  MAX_PUSHES_PER_SYMBOL = 3 /* once at first, then at most two for each merge */
};

/* One word being merged: a doubly linked list of symbols over arrays, and the heap. */
typedef struct
{
  const ClipBpe *bpe;
  int32_t *symbol, *prev, *next;
  int32_t *merged; /* places of this round */
  uint64_t *heap;  /* rank << 32 | place, smallest first */
  int n, n_heap;
  size_t capacity, heap_capacity; /* in symbols */
} Word;

static void
word_clear (Word *w)
{
  mem_free (w->symbol);
  mem_free (w->heap);
}

static bool
word_reserve (Word *w, size_t n_symbols, Status *status)
{
  if (!mem_grow (&w->symbol, &w->capacity, n_symbols, 4 * sizeof *w->symbol, status) ||
      !mem_grow (&w->heap, &w->heap_capacity, n_symbols, MAX_PUSHES_PER_SYMBOL * sizeof *w->heap,
                 status))
    return false;
  w->prev = w->symbol + w->capacity;
  w->next = w->prev + w->capacity;
  w->merged = w->next + w->capacity;
  return true;
}

static void
heap_push (Word *w, uint64_t key)
{
  int i = w->n_heap++;
  for (; i > 0 && w->heap[(i - 1) / 2] > key; i = (i - 1) / 2)
    w->heap[i] = w->heap[(i - 1) / 2];
  w->heap[i] = key;
}

static uint64_t
heap_pop (Word *w)
{
  uint64_t top = w->heap[0], key = w->heap[--w->n_heap];
  int i = 0;
  for (int child; (child = 2 * i + 1) < w->n_heap; i = child)
    {
      if (child + 1 < w->n_heap && w->heap[child + 1] < w->heap[child])
        child++;
      if (w->heap[child] >= key)
        break;
      w->heap[i] = w->heap[child];
    }
  w->heap[i] = key;
  return top;
}

/* Offers the pair that begins at @place, if the vocabulary merges it. */
static void
offer_pair (Word *w, int32_t place)
{
  if (place == END_OF_LIST || w->next[place] == END_OF_LIST)
    return;
  int32_t rank = clip_vocab_rank (w->bpe, w->symbol[place], w->symbol[w->next[place]]);
  if (rank >= 0)
    heap_push (w, (uint64_t) rank << 32 | (uint32_t) place);
}

/* Merges at @place unless an earlier merge took one half of the pair away. */
static bool
merge_at (Word *w, const ClipMerge *m, int32_t place)
{
  int32_t right = w->next[place];
  if (w->symbol[place] != m->left || right == END_OF_LIST || w->symbol[right] != m->right)
    return false;
  w->symbol[place] = m->result;
  w->symbol[right] = CLIP_NO_SYMBOL;
  w->next[place] = w->next[right];
  if (w->next[place] != END_OF_LIST)
    w->prev[w->next[place]] = place;
  return true;
}

/* All places of the lowest rank, left to right; only then are the pairs offered that they make. */
static void
merge_round (Word *w)
{
  uint32_t rank = (uint32_t) (w->heap[0] >> 32);
  int n_merged = 0;
  while (w->n_heap && w->heap[0] >> 32 == rank)
    {
      int32_t place = (int32_t) (uint32_t) heap_pop (w);
      if (merge_at (w, &w->bpe->merges[rank], place))
        w->merged[n_merged++] = place;
    }
  for (int i = 0; i < n_merged; i++)
    {
      offer_pair (w, w->prev[w->merged[i]]);
      offer_pair (w, w->merged[i]);
    }
}

static bool
add_id (TokenIds *ids, int32_t id, Status *status)
{
  if (!mem_grow (&ids->items, &ids->capacity, ids->n + 1, sizeof *ids->items, status))
    return false;
  ids->items[ids->n++] = id;
  return true;
}

/* Lays the UTF-8 bytes of @points out as symbols; the last one ends the word. */
static void
word_begin (Word *w, const int32_t *points, size_t n_points)
{
  w->n = w->n_heap = 0;
  for (size_t i = 0; i < n_points; i++)
    {
      utf8proc_uint8_t bytes[4];
      utf8proc_ssize_t n_bytes = utf8proc_encode_char (points[i], bytes);
      for (utf8proc_ssize_t k = 0; k < n_bytes; k++, w->n++)
        {
          w->symbol[w->n] = w->bpe->byte_symbol[bytes[k]];
          w->prev[w->n] = w->n - 1;
          w->next[w->n] = w->n + 1;
        }
    }
  w->symbol[w->n - 1] += CLIP_N_BYTES;
  w->next[w->n - 1] = END_OF_LIST;
}

static bool
encode_word (Word *w, const int32_t *points, size_t n_points, TokenIds *ids, Status *status)
{
  if (!word_reserve (w, 4 * n_points, status))
    return false;
  word_begin (w, points, n_points);
  for (int i = 0; i < w->n; i++)
    offer_pair (w, i);
  while (w->n_heap)
    merge_round (w);
  for (int32_t i = 0; i != END_OF_LIST; i = w->next[i])
    if (!add_id (ids, w->bpe->ids[w->symbol[i]], status))
      return false;
  return true;
}

/* How many of the @n code points at @p spell @text; 0 unless all of it is there. */
static size_t
match_ascii (const int32_t *p, size_t n, const char *text)
{
  size_t length = strlen (text);
  if (n < length)
    return 0;
  for (size_t i = 0; i < length; i++)
    if (p[i] != text[i])
      return 0;
  return length;
}

static size_t
match_contraction (const int32_t *p, size_t n)
{
  static const char *const endings[] = { "'s", "'t", "'re", "'ve", "'m", "'ll", "'d" };
  for (size_t i = 0; i < sizeof endings / sizeof *endings; i++)
    if (match_ascii (p, n, endings[i]))
      return strlen (endings[i]);
  return 0;
}

static size_t
match_special (const ClipBpe *bpe, const int32_t *p, size_t n, int32_t *id)
{
  size_t length = match_ascii (p, n, CLIP_BOS);
  *id = bpe->bos;
  if (length)
    return length;
  *id = bpe->eos;
  return match_ascii (p, n, CLIP_EOS);
}

/* The length of the word at @p, which is not white space.  Letters stay together, a digit is a
 * word, a run of anything else stays together but ends where a special token begins. */
static size_t
word_length (const ClipBpe *bpe, const int32_t *p, size_t n)
{
  size_t length = p[0] == '\'' ? match_contraction (p, n) : 0;
  if (length)
    return length;
  if (char_is_number (p[0]))
    return 1;
  bool letters = char_is_letter (p[0]);
  int32_t id;
  for (length = 1; length < n; length++)
    {
      int32_t c = p[length];
      if (char_is_letter (c) != letters)
        break;
      if (!letters && (char_is_space (c) || char_is_number (c) ||
                       (c == '<' && match_special (bpe, p + length, n - length, &id))))
        break;
    }
  return length;
}

static bool
encode_points (const ClipBpe *bpe, const CodePoints *points, TokenIds *ids, Status *status)
{
  Word w = { .bpe = bpe };
  bool ok = true;
  size_t length;
  for (size_t i = 0; ok && i < points->n; i += length)
    {
      const int32_t *p = points->items + i;
      int32_t special;
      length = match_special (bpe, p, points->n - i, &special);
      if (length)
        {
          ok = add_id (ids, special, status);
          continue;
        }
      length = 1;
      if (char_is_space (*p))
        continue;
      length = word_length (bpe, p, points->n - i);
      ok = encode_word (&w, p, length, ids, status);
    }
  word_clear (&w);
  return ok;
}

bool
clip_bpe_encode (const ClipBpe *bpe, const char *text, TokenIds *ids, Status *status)
{
  CodePoints points = { 0 };
  bool ok = text_normalise (text, &points, status) && encode_points (bpe, &points, ids, status);
  code_points_clear (&points);
  return ok;
}

int
clip_bpe_count (const ClipBpe *bpe, const char *text, Status *status)
{
  TokenIds ids = { 0 };
  int n = clip_bpe_encode (bpe, text, &ids, status) ? (int) ids.n : -1;
  token_ids_clear (&ids);
  return n;
}

void
token_ids_clear (TokenIds *ids)
{
  mem_free (ids->items);
  *ids = (TokenIds){ 0 };
}

void
clip_bpe_free (ClipBpe *bpe)
{
  if (!bpe)
    return;
  clip_vocab_clear (bpe);
  mem_free (bpe);
}

int
clip_bpe_n_ids (const ClipBpe *bpe)
{
  return bpe->n_ids;
}

int32_t
clip_bpe_bos (const ClipBpe *bpe)
{
  return bpe->bos;
}

int32_t
clip_bpe_eos (const ClipBpe *bpe)
{
  return bpe->eos;
}

int32_t
clip_bpe_pad (const ClipBpe *bpe)
{
  return bpe->pad;
}

int32_t
clip_bpe_comma (const ClipBpe *bpe)
{
  return bpe->comma;
}
