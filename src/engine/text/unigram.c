/* SPDX-License-Identifier: MPL-2.0 */
#include "text/unigram.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/mem.h"
#include "text/unigram-private.h"

enum
{
  MAX_FILE_BYTES = 64 << 20,
  READ_BYTES = 1 << 16,
  PATH_SIZE = 4096
};

/* ---- vocabulary ---- */

Unigram *
unigram_alloc (Status *status)
{
  Unigram *u = mem_calloc (1, sizeof *u);
  if (!u)
    text_no_memory (status);
  else
    u->unk = u->eos = u->pad = UNIGRAM_NO_ID;
  return u;
}

void
unigram_free (Unigram *u)
{
  if (!u)
    return;
  text_buf_clear (&u->names);
  mem_free (u->name_end);
  mem_free (u->scores);
  mem_free (u->kinds);
  mem_free (u->sorted);
  mem_free (u->markers);
  mem_free (u->trie);
  mem_free (u->replacements);
  mem_free (u);
}

bool
unigram_add (
    Unigram *u, const char *name, size_t n_bytes, double score, PieceKind kind, Status *status)
{
  size_t n = (size_t) u->n + 1;
  if (u->n >= UNIGRAM_MAX_PIECES || !isfinite (score))
    return status_fail (status, STATUS_FORMAT,
                        "The tokenizer's vocabulary is damaged: get its file again.");
  if (!mem_grow (&u->name_end, &u->name_capacity, n, sizeof *u->name_end, status) ||
      !mem_grow (&u->scores, &u->score_capacity, n, sizeof *u->scores, status) ||
      !mem_grow (&u->kinds, &u->kind_capacity, n, sizeof *u->kinds, status) ||
      !text_buf_add (&u->names, name, n_bytes, status))
    return false;
  u->name_end[u->n] = u->names.n;
  u->scores[u->n] = score;
  u->kinds[u->n++] = (uint8_t) kind;
  return true;
}

bool
unigram_add_marker (Unigram *u, int32_t id, Status *status)
{
  if (!mem_grow (&u->markers, &u->marker_capacity, (size_t) u->n_markers + 1, sizeof *u->markers,
                 status))
    return false;
  u->markers[u->n_markers++] = id;
  return true;
}

const char *
unigram_name (const Unigram *u, int32_t id, size_t *n_bytes)
{
  size_t begin = id > 0 ? u->name_end[id - 1] : 0;
  *n_bytes = u->name_end[id] - begin;
  return u->names.data + begin;
}

int32_t
unigram_find (const Unigram *u, const char *name, size_t n_bytes)
{
  for (int32_t id = 0; id < u->n; id++)
    {
      size_t n;
      const char *other = unigram_name (u, id, &n);
      if (n == n_bytes && memcmp (name, other, n) == 0)
        return id;
    }
  return UNIGRAM_NO_ID;
}

typedef struct
{
  const char *name;
  size_t n;
  int32_t id;
} SortItem;

static int
compare_items (const void *a, const void *b)
{
  const SortItem *x = a, *y = b;
  int order = memcmp (x->name, y->name, x->n < y->n ? x->n : y->n);
  if (order == 0)
    order = (x->n > y->n) - (x->n < y->n);
  return order ? order : (x->id > y->id) - (x->id < y->id);
}

/* SentencePiece never finds markers and single bytes in a text. */
static bool
is_findable (const Unigram *u, int32_t id)
{
  PieceKind kind = (PieceKind) u->kinds[id];
  return kind == PIECE_NORMAL || kind == PIECE_USER_DEFINED || kind == PIECE_UNUSED;
}

static bool
sort_pieces (Unigram *u, Status *status)
{
  SortItem *items = mem_calloc ((size_t) u->n, sizeof *items);
  u->sorted = mem_calloc ((size_t) u->n, sizeof *u->sorted);
  if (!items || !u->sorted)
    {
      mem_free (items);
      return text_no_memory (status);
    }
  for (int32_t id = 0; id < u->n; id++)
    {
      SortItem item = { .id = id };
      item.name = unigram_name (u, id, &item.n);
      if (item.n > 0 && is_findable (u, id))
        items[u->n_sorted++] = item;
    }
  qsort (items, (size_t) u->n_sorted, sizeof *items, compare_items);
  int next = 0;
  for (int i = 0; i < u->n_sorted; i++)
    {
      u->sorted[i] = items[i].id;
      for (; next <= (uint8_t) *items[i].name; next++)
        u->first[next] = i;
    }
  for (; next <= UNIGRAM_N_BYTES; next++)
    u->first[next] = u->n_sorted;
  mem_free (items);
  return true;
}

/* Returns: whether all bytes have one */
static bool
find_bytes (Unigram *u)
{
  for (int i = 0; i < UNIGRAM_N_BYTES; i++)
    u->byte_ids[i] = UNIGRAM_NO_ID;
  for (int32_t id = 0; id < u->n; id++)
    {
      size_t n;
      unsigned byte;
      char text[8] = "";
      const char *name = unigram_name (u, id, &n);
      if (n == 6)
        memcpy (text, name, n);
      if (n == 6 && sscanf (text, "<0x%2X>", &byte) == 1 && u->byte_ids[byte] < 0)
        u->byte_ids[byte] = id;
    }
  for (int i = 0; i < UNIGRAM_N_BYTES; i++)
    if (u->byte_ids[i] < 0)
      return false;
  return true;
}

static void
find_scores (Unigram *u)
{
  bool found = false;
  for (int32_t id = 0; id < u->n; id++)
    {
      u->has_user_defined |= u->kinds[id] == PIECE_USER_DEFINED;
      if (u->kinds[id] != PIECE_NORMAL)
        continue;
      u->least = found ? fmin (u->least, u->scores[id]) : u->scores[id];
      u->most = found ? fmax (u->most, u->scores[id]) : u->scores[id];
      found = true;
    }
}

static int32_t
id_or_named (const Unigram *u, int32_t id, const char *name)
{
  return id >= 0 && id < u->n ? id : unigram_find (u, name, strlen (name));
}

bool
unigram_finish (Unigram *u, Status *status)
{
  for (int32_t id = 0; id < u->n && u->unk < 0; id++)
    if (u->kinds[id] == PIECE_UNKNOWN)
      u->unk = id;
  u->unk = id_or_named (u, u->unk, "<unk>");
  u->eos = id_or_named (u, u->eos, "</s>");
  u->pad = id_or_named (u, u->pad, "<pad>");
  if (u->unk < 0 || u->eos < 0)
    return status_fail (status, STATUS_FORMAT,
                        "The tokenizer's vocabulary lacks %s: it is none of T5's kind.",
                        u->unk < 0 ? "<unk>" : "</s>");
  if (u->pad < 0)
    u->pad = 0;
  if (!find_bytes (u))
    u->rules.byte_fallback = false;
  find_scores (u);
  return sort_pieces (u, status);
}

/* ---- making one ---- */

/* Takes over @u, filled when @ok. */
static Unigram *
finish (Unigram *u, bool ok, Status *status)
{
  if (ok && unigram_finish (u, status))
    return u;
  unigram_free (u);
  return NULL;
}

Unigram *
unigram_new_proto (const void *data, size_t size, Status *status)
{
  Unigram *u = unigram_alloc (status);
  return u ? finish (u, unigram_read_proto (u, data, size, status), status) : NULL;
}

static PieceKind
usual_kind (const char *name, size_t n)
{
  static const char *const markers[] = { "<pad>", "</s>", "<s>" };
  if (n == 5 && memcmp (name, "<unk>", n) == 0)
    return PIECE_UNKNOWN;
  for (size_t i = 0; i < sizeof markers / sizeof *markers; i++)
    if (n == strlen (markers[i]) && memcmp (name, markers[i], n) == 0)
      return PIECE_CONTROL;
  if (n > 10 && memcmp (name, "<extra_id_", 10) == 0)
    return PIECE_CONTROL;
  return n == 6 && memcmp (name, "<0x", 3) == 0 && name[5] == '>' ? PIECE_BYTE : PIECE_NORMAL;
}

static bool
add_pieces (Unigram *u, const UnigramPieces *p, Status *status)
{
  for (int i = 0; i < p->n; i++)
    {
      size_t n = p->lengths ? p->lengths[i] : strlen (p->pieces[i]);
      PieceKind kind = p->kinds ? (PieceKind) p->kinds[i] : usual_kind (p->pieces[i], n);
      if (kind < PIECE_NORMAL || kind > PIECE_BYTE)
        kind = PIECE_NORMAL;
      if (!unigram_add (u, p->pieces[i], n, p->scores[i], kind, status))
        return false;
    }
  return true;
}

Unigram *
unigram_new_pieces (const UnigramPieces *pieces, Status *status)
{
  Unigram *u = unigram_alloc (status);
  if (!u)
    return NULL;
  /* Nothing in such a file says whether bytes stand in: they do where all of them are there. */
  u->rules = (UnigramRules){ .prefix = pieces->no_space_prefix ? PREFIX_NEVER : PREFIX_FIRST,
                             .join_spaces = !pieces->keep_extra_spaces,
                             .byte_fallback = true };
  u->unk = pieces->unk_id;
  u->eos = pieces->eos_id;
  u->pad = pieces->pad_id;
  bool ok = unigram_set_charsmap (u, pieces->charsmap, pieces->charsmap_size, status) &&
            add_pieces (u, pieces, status);
  return finish (u, ok, status);
}

static bool
read_file (FILE *file, const char *path, TextBuf *out, Status *status)
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
      if (n == 0)
        return true;
      if (out->n > MAX_FILE_BYTES)
        return status_fail (status, STATUS_FORMAT,
                            "%s is too big to be a tokenizer file: get it again.", path);
    }
}

static Unigram *
new_from_text (const TextBuf *text, const char *path, Status *status)
{
  if (text->n == 0)
    {
      status_fail (status, STATUS_FORMAT, "The tokenizer file %s is empty: get it again.", path);
      return NULL;
    }
  if (*text->data != '{')
    return unigram_new_proto (text->data, text->n, status);
  Unigram *u = unigram_alloc (status);
  return u ? finish (u, unigram_read_json (u, text->data, text->n, status), status) : NULL;
}

static Unigram *
new_from_file (FILE *file, const char *path, Status *status)
{
  TextBuf text = { 0 };
  Unigram *u = read_file (file, path, &text, status) ? new_from_text (&text, path, status) : NULL;
  text_buf_clear (&text);
  fclose (file);
  return u;
}

/* Opens a plain file; a folder is none.  Returns: NULL when there is none, or on failure */
static FILE *
open_file (char path[PATH_SIZE], const char *folder, const char *name, Status *status)
{
  int n = snprintf (path, PATH_SIZE, *name ? "%s/%s" : "%s%s", folder, name);
  FILE *file = n < PATH_SIZE ? fopen (path, "rb") : NULL;
  if (!file && n < PATH_SIZE && errno != ENOENT && errno != ENOTDIR)
    status_fail (status, STATUS_IO, "The tokenizer file %s cannot be opened: %s.", path,
                 strerror (errno));
  errno = 0;
  if (file && fgetc (file) == EOF && errno == EISDIR)
    {
      fclose (file);
      return NULL;
    }
  if (file)
    rewind (file);
  return file;
}

Unigram *
unigram_new (const char *path, Status *status)
{
  static const char *const names[] = { "", "tokenizer.json", "spiece.model" };
  char full[PATH_SIZE];
  for (size_t i = 0; i < sizeof names / sizeof *names; i++)
    {
      FILE *file = open_file (full, path, names[i], status);
      if (file)
        return new_from_file (file, full, status);
      if (!status_ok (status))
        return NULL;
    }
  status_fail (status, STATUS_NOT_FOUND,
               "There is no T5 tokenizer in %.300s: it is a spiece.model or tokenizer.json.", path);
  return NULL;
}

Unigram *
unigram_new_bundled (const char *data_dir, Status *status)
{
  char path[PATH_SIZE];
  FILE *file = open_file (path, data_dir, "tokenizers/t5/spiece.model", status);
  if (file)
    return new_from_file (file, path, status);
  if (status_ok (status))
    status_fail (
        status, STATUS_NOT_FOUND,
        "T5's vocabulary is missing: copy spiece.model from the model's tokenizer_2 folder "
        "to %.300s.",
        path);
  return NULL;
}

/* ---- encoding ---- */

int
unigram_n_ids (const Unigram *u)
{
  return u->n;
}

int32_t
unigram_eos (const Unigram *u)
{
  return u->eos;
}

int32_t
unigram_pad (const Unigram *u)
{
  return u->pad;
}

int32_t
unigram_unk (const Unigram *u)
{
  return u->unk;
}

typedef struct
{
  const Unigram *u;
  TextBuf normal;
  PathSpace space;
  TokenIds *ids;
  Status *status;
} Encoder;

/* The word of @p .. @end: up to the next mark of a space, which begins another. */
static const char *
word_end (const char *p, const char *end)
{
  size_t n_mark = strlen (UNIGRAM_SPACE);
  for (p++; p < end; p++)
    if ((size_t) (end - p) >= n_mark && memcmp (p, UNIGRAM_SPACE, n_mark) == 0)
      return p;
  return end;
}

static bool
encode_plain (Encoder *e, const char *p, const char *end, bool is_start)
{
  e->normal.n = 0;
  if (!unigram_normalise (e->u, p, end, is_start, &e->normal, e->status))
    return false;
  const char *at = e->normal.data, *stop = at + e->normal.n;
  while (at < stop)
    {
      const char *word = e->u->rules.split_words ? word_end (at, stop) : stop;
      if (!unigram_path (e->u, at, word, &e->space, e->ids, e->status))
        return false;
      at = word;
    }
  return true;
}

/* The longest marker that @p .. @end begins with; UNIGRAM_NO_ID: none. */
static int32_t
marker_at (const Unigram *u, const char *p, const char *end, size_t *n_bytes)
{
  int32_t found = UNIGRAM_NO_ID;
  *n_bytes = 0;
  for (int i = 0; i < u->n_markers; i++)
    {
      size_t n;
      const char *name = unigram_name (u, u->markers[i], &n);
      if (n > *n_bytes && n <= (size_t) (end - p) && memcmp (p, name, n) == 0)
        {
          found = u->markers[i];
          *n_bytes = n;
        }
    }
  return found;
}

static bool
encode_marked (Encoder *e, const char *text, const char *end)
{
  const char *plain = text;
  for (const char *p = text; p < end;)
    {
      size_t n;
      int32_t id = marker_at (e->u, p, end, &n);
      if (id < 0)
        {
          p++;
          continue;
        }
      if (!encode_plain (e, plain, p, plain == text) ||
          !mem_grow (&e->ids->items, &e->ids->capacity, e->ids->n + 1, sizeof *e->ids->items,
                     e->status))
        return false;
      e->ids->items[e->ids->n++] = id;
      plain = p += n;
    }
  return encode_plain (e, plain, end, plain == text);
}

bool
unigram_encode (const Unigram *u, const char *text, TokenIds *ids, Status *status)
{
  size_t n;
  if (!text_check_length (text, &n, status))
    return false;
  Encoder e = { .u = u, .ids = ids, .status = status };
  bool ok = encode_marked (&e, text, text + n);
  text_buf_clear (&e.normal);
  mem_free (e.space.nodes);
  return ok;
}

int
unigram_count (const Unigram *u, const char *text, Status *status)
{
  TokenIds ids = { 0 };
  int n = unigram_encode (u, text, &ids, status) ? (int) ids.n : -1;
  token_ids_clear (&ids);
  return n;
}
