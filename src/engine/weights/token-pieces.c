/* SPDX-License-Identifier: MPL-2.0
 * token-pieces.c - the tokenizer.ggml keys of a GGUF file.
 *
 * Source: the public description of GGUF's tokenizer metadata; "t5" is SentencePiece's unigram.
 */
#include "weights/token-pieces.h"

#include <stdlib.h>
#include <string.h>

enum
{
  MOST_PIECES = 1 << 20
};

typedef struct
{
  const TensorTable *table;
  const char *label;
  Status *status;
} Reader;

static int
id_of (const Reader *r, const char *key)
{
  const char *text = table_metadata (r->table, key);
  return text ? atoi (text) : -1;
}

static bool
is_false (const Reader *r, const char *key)
{
  const char *text = table_metadata (r->table, key);
  return text && strcmp (text, "false") == 0;
}

static bool
read_texts (const Reader *r, TokenPieces *p, const MetadataArray *tokens)
{
  const char **pieces = pool_alloc (r->table->pool, (size_t) tokens->n, sizeof *pieces, r->status);
  size_t *lengths = pool_alloc (r->table->pool, (size_t) tokens->n, sizeof *lengths, r->status);
  size_t at = 0;
  for (int64_t i = 0; pieces && lengths && i < tokens->n; i++)
    {
      const char *text = metadata_text (tokens, &at, &lengths[i]);
      pieces[i] = pool_strndup (r->table->pool, text, lengths[i], r->status);
      if (!pieces[i])
        return false;
    }
  p->n = (int) tokens->n;
  p->pieces = pieces;
  p->lengths = lengths;
  return pieces && lengths;
}

static bool
read_numbers (const Reader *r,
              TokenPieces *p,
              const MetadataArray *scores,
              const MetadataArray *kinds)
{
  float *s = pool_alloc (r->table->pool, (size_t) p->n, sizeof *s, r->status);
  int32_t *k = kinds ? pool_alloc (r->table->pool, (size_t) p->n, sizeof *k, r->status) : NULL;
  if (!s || (kinds && !k))
    return false;
  for (int i = 0; i < p->n; i++)
    {
      s[i] = (float) metadata_number (scores, i);
      if (k)
        k[i] = (int32_t) metadata_number (kinds, i);
    }
  p->scores = s;
  p->kinds = k;
  return true;
}

static bool
is_integers (const MetadataArray *a)
{
  return a->kind == METADATA_I32 || a->kind == METADATA_U32;
}

static void
read_options (const Reader *r, TokenPieces *p)
{
  const MetadataArray *map = table_array (r->table, "tokenizer.ggml.precompiled_charsmap");
  if (map && (map->kind == METADATA_U8 || map->kind == METADATA_I8) && map->n > 0)
    {
      p->charsmap = map->data;
      p->charsmap_size = (size_t) map->n;
    }
  p->no_space_prefix = is_false (r, "tokenizer.ggml.add_space_prefix");
  p->keep_extra_spaces = is_false (r, "tokenizer.ggml.remove_extra_whitespaces");
  p->unk_id = id_of (r, "tokenizer.ggml.unknown_token_id");
  p->eos_id = id_of (r, "tokenizer.ggml.eos_token_id");
  p->pad_id = id_of (r, "tokenizer.ggml.padding_token_id");
}

bool
token_pieces_read (const TokenPieces **pieces,
                   const TensorTable *table,
                   const char *label,
                   Status *status)
{
  Reader r = { table, label, status };
  const char *model = table_metadata (table, "tokenizer.ggml.model");
  const MetadataArray *tokens = table_array (table, "tokenizer.ggml.tokens");
  const MetadataArray *scores = table_array (table, "tokenizer.ggml.scores");
  const MetadataArray *kinds = table_array (table, "tokenizer.ggml.token_type");
  *pieces = NULL;
  if (!model || strcmp (model, "t5") != 0 || !tokens || !scores)
    return true;
  if (tokens->kind != METADATA_TEXT || tokens->n < 1 || tokens->n > MOST_PIECES ||
      scores->kind != METADATA_F32 || scores->n != tokens->n ||
      (kinds && (!is_integers (kinds) || kinds->n != tokens->n)))
    return damaged (status, label, "the lists of its tokenizer do not fit");
  TokenPieces *p = pool_alloc (table->pool, 1, sizeof *p, status);
  if (!p || !read_texts (&r, p, tokens) || !read_numbers (&r, p, scores, kinds))
    return false;
  read_options (&r, p);
  *pieces = p;
  return true;
}
