/* SPDX-License-Identifier: MPL-2.0
 * chunks.h - pieces of a prompt as the sequences of 77 tokens that a CLIP encoder takes.
 *
 * A chunk is the start token, 75 content tokens, the end token; what is not used is padding.  Each
 * chunk is encoded by itself and the results are joined along the tokens; the pooled vector comes
 * from the first one.
 */
#pragma once

#include "text/clip-bpe.h"
#include "text/prompt-grammar.h"

enum
{
  CHUNK_LENGTH = 77,
  CHUNK_CONTENT = 75,
  CHUNK_COMMA_BACKTRACK = 20 /* A1111's default */
};

typedef enum
{
  CHUNKS_A1111,   /* token by token; a full chunk is cut behind a comma nearby; BREAK */
  CHUNKS_COMFYUI, /* pieces of fewer than 8 tokens stay whole; longer ones are cut */
  CHUNKS_TRUNCATE /* diffusers: one chunk, what is beyond it is lost (n_tokens tells), no BREAK */
} ChunkMode;

/* A word that vectors stand for: tokens first_id, first_id + 1, ... take its place. */
typedef struct
{
  const char *name;
  int n_vectors; /* 1 .. CHUNK_CONTENT */
  int32_t first_id;
} TokenEmbedding;

typedef struct
{
  ChunkMode mode;
  int comma_backtrack; /* A1111 only: tokens moved to the next chunk at most; 0: never */
  int32_t pad_id;      /* behind the first end token: CLIP-L pads with the end token, bigG with 0 */
  /* Found as "embedding:NAME", and in CHUNKS_A1111 wherever the name's own tokens stand. */
  const TokenEmbedding *embeddings;
  int n_embeddings;
} ChunkOptions;

typedef struct
{
  int n_chunks;   /* at least 1 */
  int length;     /* CHUNK_LENGTH */
  int n_tokens;   /* content tokens of the prompt, the number to show; a BREAK fills its chunk */
  int32_t *ids;   /* (n_chunks, length) */
  float *weights; /* (n_chunks, length); 1 for start, end and padding */
  int *eos_index; /* (n_chunks): place of the first end token, where the pooled vector is taken */
  int32_t bos_id, eos_id, pad_id;
} TokenChunks;

/* token_chunks_new:
 * @pieces: from prompt_parse_attention
 *
 * Returns: owned by the caller, token_chunks_free; NULL and @status set
 * Fails: NO_MEMORY; ARGUMENT when a piece is too long
 */
TokenChunks *token_chunks_new (const ClipBpe *bpe,
                               const PromptPieces *pieces,
                               const ChunkOptions *options,
                               Status *status);
void token_chunks_free (TokenChunks *chunks);

/* Adds empty chunks (start, end, padding) until there are @n_chunks; never takes any away. */
bool token_chunks_extend (TokenChunks *chunks, int n_chunks, Status *status);

/* Extends the shorter of two prompts, so that both encode to the same number of tokens. */
bool token_chunks_match (TokenChunks *a, TokenChunks *b, Status *status);
