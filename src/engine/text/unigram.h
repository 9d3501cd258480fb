/* SPDX-License-Identifier: MPL-2.0
 * unigram.h - SentencePiece's unigram tokenizer, for T5 and umT5.
 *
 * Source: Kudo, "Subword Regularization", 2018, and the ModelProto that SentencePiece serialises;
 * the text is prepared as the fast tokenizers of transformers do it.
 *
 * A Unigram does not change once made: any number of threads may encode with it.
 */
#pragma once

#include "text/clip-bpe.h"

typedef struct Unigram Unigram;

/* A piece's role; the numbers are SentencePiece's, and GGUF's. */
typedef enum
{
  PIECE_NORMAL = 1,
  PIECE_UNKNOWN,
  PIECE_CONTROL,
  PIECE_USER_DEFINED,
  PIECE_UNUSED,
  PIECE_BYTE
} PieceKind;

/* A vocabulary as arrays, as GGUF's metadata holds it. */
typedef struct
{
  int n;
  const char *const *pieces; /* n, terminated UTF-8; the index is the id */
  const size_t *lengths;     /* n bytes, or NULL: up to the terminator */
  const float *scores;       /* n */
  const int32_t *kinds;      /* n PieceKinds, or NULL: found by the usual names */
  const void *charsmap;      /* precompiled, or NULL: no normalisation but of spaces */
  size_t charsmap_size;
  bool no_space_prefix, keep_extra_spaces; /* the usual T5 has neither */
  int unk_id, eos_id, pad_id;              /* -1: found by the usual names */
} UnigramPieces;

/* unigram_new:
 * @path: spiece.model, tokenizer.json, or a folder with one of them
 *
 * Returns: owned by the caller, unigram_free; NULL and @status set
 * Fails: NOT_FOUND when there is none, IO, FORMAT when it is damaged, UNSUPPORTED when it is not a
 *        unigram model, NO_MEMORY
 */
Unigram *unigram_new (const char *path, Status *status);

/* The same from a serialised ModelProto in memory (a "spiece_model" tensor). */
Unigram *unigram_new_proto (const void *data, size_t size, Status *status);
/* The same from arrays, which are copied. */
Unigram *unigram_new_pieces (const UnigramPieces *pieces, Status *status);

/* T5's vocabulary, @data_dir/tokenizers/t5.  Fails: NOT_FOUND, saying where to put it, when it did
 * not come with the program. */
Unigram *unigram_new_bundled (const char *data_dir, Status *status);
void unigram_free (Unigram *u);

int unigram_n_ids (const Unigram *u); /* highest id + 1: 32100 */
int32_t unigram_eos (const Unigram *u);
int32_t unigram_pad (const Unigram *u);
int32_t unigram_unk (const Unigram *u);

/* unigram_encode:
 * @text: any bytes, terminated
 * @ids: (added to) content ids only, neither ended nor padded
 *
 * Fails: NO_MEMORY; ARGUMENT when @text is longer than a mebibyte.  @ids may then hold a part.
 */
bool unigram_encode (const Unigram *u, const char *text, TokenIds *ids, Status *status);

/* How many ids @text takes; -1 and @status set. */
int unigram_count (const Unigram *u, const char *text, Status *status);
