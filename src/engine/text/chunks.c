/* SPDX-License-Identifier: MPL-2.0
 * chunks.c - the three ways of cutting a prompt into chunks. */
#include "text/chunks.h"

#include <string.h>

#include "core/mem.h"
#include "text/chars.h"

enum
{
  NONE = -1,
  COMFYUI_MAX_WHOLE = 8 /* pieces of this many tokens and more are cut */
};

/* The chunk being filled is the last one in @out; its content begins behind the start token. */
typedef struct
{
  TokenChunks *out;
  const ChunkOptions *options;
  int32_t comma_id;
  size_t id_capacity, weight_capacity, eos_capacity;
  int n;           /* content tokens in it */
  int last_comma;  /* place in it, or NONE */
  TokenIds *names; /* of the options' embeddings; NULL: none */
} Chunker;

static bool
reserve (Chunker *c, int n_chunks, Status *status)
{
  TokenChunks *t = c->out;
  size_t n = (size_t) n_chunks * CHUNK_LENGTH;
  return mem_grow (&t->ids, &c->id_capacity, n, sizeof *t->ids, status) &&
         mem_grow (&t->weights, &c->weight_capacity, n, sizeof *t->weights, status) &&
         mem_grow (&t->eos_index, &c->eos_capacity, (size_t) n_chunks, sizeof *t->eos_index,
                   status);
}

static void
fill_empty (TokenChunks *t, int chunk)
{
  int32_t *ids = t->ids + (size_t) chunk * CHUNK_LENGTH;
  float *weights = t->weights + (size_t) chunk * CHUNK_LENGTH;
  for (int i = 0; i < CHUNK_LENGTH; i++)
    {
      ids[i] = i == 0 ? t->bos_id : i == 1 ? t->eos_id : t->pad_id;
      weights[i] = 1;
    }
  t->eos_index[chunk] = 1;
}

static bool
begin_chunk (Chunker *c, Status *status)
{
  if (!reserve (c, c->out->n_chunks + 1, status))
    return false;
  fill_empty (c->out, c->out->n_chunks++);
  c->n = 0;
  c->last_comma = NONE;
  return true;
}

/* Content of the last chunk: @ids and @weights point at its first content token. */
static int32_t *
content (const Chunker *c, float **weights)
{
  size_t at = (size_t) (c->out->n_chunks - 1) * CHUNK_LENGTH + 1;
  *weights = c->out->weights + at;
  return c->out->ids + at;
}

static void
put (Chunker *c, int32_t id, double weight)
{
  float *weights;
  content (c, &weights)[c->n] = id;
  weights[c->n++] = (float) weight;
}

/* Ends the last chunk: the end token behind its content, then padding.  A1111 pads from the first
 * end token on, even where the user typed it; the others only behind the content. */
static void
end_chunk (Chunker *c)
{
  TokenChunks *t = c->out;
  size_t at = (size_t) (t->n_chunks - 1) * CHUNK_LENGTH;
  int32_t *ids = t->ids + at;
  ids[1 + c->n] = t->eos_id;
  int eos = 1;
  while (ids[eos] != t->eos_id)
    eos++;
  t->eos_index[t->n_chunks - 1] = eos;
  bool from_first = c->options->mode == CHUNKS_A1111 && t->pad_id != t->eos_id;
  for (int i = (from_first ? eos : 1 + c->n) + 1; i < CHUNK_LENGTH; i++)
    ids[i] = t->pad_id;
}

/* Ends the last chunk, which A1111 counts as full, and begins a new one. */
static bool
next_chunk (Chunker *c, Status *status)
{
  end_chunk (c);
  c->out->n_tokens += c->options->mode == CHUNKS_A1111 ? CHUNK_CONTENT : 0;
  return begin_chunk (c, status);
}

/* Ends the last chunk behind its last comma and carries what follows over to a new one. */
static bool
move_behind_comma (Chunker *c, Status *status)
{
  int32_t moved_ids[CHUNK_CONTENT];
  float moved_weights[CHUNK_CONTENT], *weights;
  int keep = c->last_comma + 1, n_moved = c->n - keep;
  int32_t *ids = content (c, &weights);
  memcpy (moved_ids, ids + keep, (size_t) n_moved * sizeof *ids);
  memcpy (moved_weights, weights + keep, (size_t) n_moved * sizeof *weights);
  for (int i = keep; i < c->n; i++)
    weights[i] = 1;
  c->n = keep;
  if (!next_chunk (c, status))
    return false;
  for (int i = 0; i < n_moved; i++)
    put (c, moved_ids[i], (double) moved_weights[i]);
  return true;
}

static bool
add_a1111 (Chunker *c, int32_t id, double weight, Status *status)
{
  if (id == c->comma_id)
    c->last_comma = c->n;
  else if (c->n == CHUNK_CONTENT && c->options->comma_backtrack && c->last_comma != NONE &&
           c->n - c->last_comma <= c->options->comma_backtrack && !move_behind_comma (c, status))
    return false;
  if (c->n == CHUNK_CONTENT && !next_chunk (c, status))
    return false;
  put (c, id, weight);
  return true;
}

/* Vectors of one embedding stay in one chunk. */
static bool
add_embedding (Chunker *c, const TokenEmbedding *e, double weight, Status *status)
{
  bool truncates = c->options->mode == CHUNKS_TRUNCATE;
  if (!truncates && c->n + e->n_vectors > CHUNK_CONTENT && !next_chunk (c, status))
    return false;
  if (c->options->mode != CHUNKS_A1111)
    c->out->n_tokens += e->n_vectors;
  for (int i = 0; i < e->n_vectors && c->n < CHUNK_CONTENT; i++)
    put (c, e->first_id + i, weight);
  return true;
}

/* The embedding with the longest name whose tokens stand at @at. */
static const TokenEmbedding *
match_embedding (const Chunker *c, const TokenIds *ids, size_t at, size_t *n_matched)
{
  const TokenEmbedding *best = NULL;
  *n_matched = 0;
  for (int i = 0; i < c->options->n_embeddings; i++)
    {
      const TokenIds *name = &c->names[i];
      if (name->n > *n_matched && at + name->n <= ids->n &&
          memcmp (ids->items + at, name->items, name->n * sizeof *name->items) == 0)
        {
          best = &c->options->embeddings[i];
          *n_matched = name->n;
        }
    }
  return best;
}

static bool
add_piece_a1111 (Chunker *c, const TokenIds *ids, double weight, Status *status)
{
  for (size_t i = 0, n; i < ids->n; i += n ? n : 1)
    {
      const TokenEmbedding *e = match_embedding (c, ids, i, &n);
      if (e ? !add_embedding (c, e, weight, status) : !add_a1111 (c, ids->items[i], weight, status))
        return false;
    }
  return true;
}

static bool
add_piece_comfyui (Chunker *c, const TokenIds *ids, double weight, Status *status)
{
  bool whole = ids->n < COMFYUI_MAX_WHOLE;
  c->out->n_tokens += (int) ids->n;
  for (size_t i = 0; i < ids->n; i++)
    {
      bool full = whole && i == 0 ? c->n + (int) ids->n > CHUNK_CONTENT : c->n == CHUNK_CONTENT;
      if (full && !next_chunk (c, status))
        return false;
      put (c, ids->items[i], weight);
    }
  return true;
}

static void
add_piece_truncate (Chunker *c, const TokenIds *ids, double weight)
{
  c->out->n_tokens += (int) ids->n;
  for (size_t i = 0; i < ids->n && c->n < CHUNK_CONTENT; i++)
    put (c, ids->items[i], weight);
}

static bool
add_words (
    Chunker *c, const ClipBpe *bpe, const char *words, double weight, TokenIds *ids, Status *status)
{
  ids->n = 0;
  if (!clip_bpe_encode (bpe, words, ids, status))
    return false;
  if (c->options->mode == CHUNKS_A1111)
    return add_piece_a1111 (c, ids, weight, status);
  if (c->options->mode == CHUNKS_COMFYUI)
    return add_piece_comfyui (c, ids, weight, status);
  add_piece_truncate (c, ids, weight);
  return true;
}

static bool
is_word_end (char ch)
{
  return ch == '\0' || strchr (" \t\r\n,()[]", ch);
}

/* "embedding:NAME" at or behind @text.  Returns: where it stands; NULL when nowhere */
static char *
find_marked (const Chunker *c, char *text, const TokenEmbedding **embedding, char **end)
{
  static const char mark[] = "embedding:";
  for (char *p = strstr (text, mark); p; p = strstr (p + 1, mark))
    {
      char *name = p + sizeof mark - 1;
      for (int i = 0; i < c->options->n_embeddings; i++)
        {
          size_t n = strlen (c->options->embeddings[i].name);
          if (strncmp (name, c->options->embeddings[i].name, n) == 0 && is_word_end (name[n]))
            {
              *embedding = &c->options->embeddings[i];
              *end = name + n;
              return p;
            }
        }
    }
  return NULL;
}

static bool
add_marked (
    Chunker *c, const ClipBpe *bpe, char *text, double weight, TokenIds *ids, Status *status)
{
  const TokenEmbedding *embedding;
  char *end, *at;
  for (; (at = find_marked (c, text, &embedding, &end)); text = end)
    {
      *at = '\0';
      if (!add_words (c, bpe, text, weight, ids, status) ||
          !add_embedding (c, embedding, weight, status))
        return false;
    }
  return add_words (c, bpe, text, weight, ids, status);
}

static bool
add_piece (Chunker *c, const ClipBpe *bpe, const PromptPiece *piece, TokenIds *ids, Status *status)
{
  if (piece->is_break)
    return c->options->mode == CHUNKS_TRUNCATE || next_chunk (c, status);
  if (!c->options->n_embeddings)
    return add_words (c, bpe, piece->text, piece->weight, ids, status);
  char *copy = mem_strdup (piece->text);
  bool ok = copy ? add_marked (c, bpe, copy, piece->weight, ids, status) : text_no_memory (status);
  mem_free (copy);
  return ok;
}

static void
clear_names (Chunker *c)
{
  for (int i = 0; c->names && i < c->options->n_embeddings; i++)
    token_ids_clear (&c->names[i]);
  mem_free (c->names);
}

static bool
make_names (Chunker *c, const ClipBpe *bpe, Status *status)
{
  if (!c->options->n_embeddings)
    return true;
  c->names = mem_calloc ((size_t) c->options->n_embeddings, sizeof *c->names);
  bool ok = c->names || text_no_memory (status);
  for (int i = 0; ok && i < c->options->n_embeddings; i++)
    ok = clip_bpe_encode (bpe, c->options->embeddings[i].name, &c->names[i], status);
  return ok;
}

static bool
build (Chunker *c, const ClipBpe *bpe, const PromptPieces *pieces, Status *status)
{
  TokenIds ids = { 0 };
  bool ok = begin_chunk (c, status);
  for (int i = 0; ok && i < pieces->n; i++)
    ok = add_piece (c, bpe, &pieces->items[i], &ids, status);
  token_ids_clear (&ids);
  if (!ok)
    return false;
  /* Only a BREAK at the very end leaves an empty chunk behind a full one. */
  if (c->n == 0 && c->out->n_chunks > 1)
    c->out->n_chunks--;
  else
    end_chunk (c);
  if (c->options->mode == CHUNKS_A1111)
    c->out->n_tokens += c->n;
  return true;
}

TokenChunks *
token_chunks_new (const ClipBpe *bpe,
                  const PromptPieces *pieces,
                  const ChunkOptions *options,
                  Status *status)
{
  TokenChunks *t = mem_calloc (1, sizeof *t);
  if (!t)
    {
      text_no_memory (status);
      return NULL;
    }
  *t = (TokenChunks){ .length = CHUNK_LENGTH,
                      .bos_id = clip_bpe_bos (bpe),
                      .eos_id = clip_bpe_eos (bpe),
                      .pad_id = options->pad_id };
  Chunker c = { .out = t, .options = options, .comma_id = clip_bpe_comma (bpe) };
  bool ok = make_names (&c, bpe, status) && build (&c, bpe, pieces, status);
  clear_names (&c);
  if (ok)
    return t;
  token_chunks_free (t);
  return NULL;
}

void
token_chunks_free (TokenChunks *chunks)
{
  if (!chunks)
    return;
  mem_free (chunks->ids);
  mem_free (chunks->weights);
  mem_free (chunks->eos_index);
  mem_free (chunks);
}

bool
token_chunks_extend (TokenChunks *chunks, int n_chunks, Status *status)
{
  if (n_chunks <= chunks->n_chunks)
    return true;
  Chunker c = { .out = chunks };
  if (!reserve (&c, n_chunks, status))
    return false;
  while (chunks->n_chunks < n_chunks)
    fill_empty (chunks, chunks->n_chunks++);
  return true;
}

bool
token_chunks_match (TokenChunks *a, TokenChunks *b, Status *status)
{
  return token_chunks_extend (a, b->n_chunks, status) &&
         token_chunks_extend (b, a->n_chunks, status);
}
