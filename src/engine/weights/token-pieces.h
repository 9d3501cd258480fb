/* SPDX-License-Identifier: MPL-2.0
 * token-pieces.h - a SentencePiece vocabulary as GGUF's metadata holds it.
 */
#pragma once

#include "weights/tensor-table.h"

typedef struct
{
  int n;
  const char *const *pieces; /* n texts, terminated; the index is the id */
  const size_t *lengths;     /* n bytes */
  const float *scores;       /* n */
  const int32_t *kinds;      /* n, SentencePiece's numbers; NULL: not said */
  const void *charsmap;      /* precompiled, in the mapped file, or NULL */
  size_t charsmap_size;
  bool no_space_prefix, keep_extra_spaces;
  int unk_id, eos_id, pad_id; /* -1: not said */
} TokenPieces;

/* token_pieces_read:
 * @pieces: set to a vocabulary in the table's pool; NULL when the metadata has no unigram model
 *
 * Fails: FORMAT (lists of different lengths), NO_MEMORY
 */
bool token_pieces_read (const TokenPieces **pieces,
                        const TensorTable *table,
                        const char *label,
                        Status *status);
