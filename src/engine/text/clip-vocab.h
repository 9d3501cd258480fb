/* SPDX-License-Identifier: MPL-2.0
 * clip-vocab.h - the tables behind a ClipBpe: symbols by name, merges by pair, ids by symbol.
 *
 * Symbol s is 0-255: the bytes; 256-511: the bytes at the end of a word; then what the merges make,
 * in order.  A symbol's name is its string with every byte written as one visible character, so
 * that it can be looked up in vocab.json.  Ids are another thing: a file may number symbols as it
 * likes.
 */
#pragma once

#include "text/chars.h"
#include "text/clip-bpe.h"

enum
{
  CLIP_N_BYTES = 256,
  CLIP_MAX_MERGES = 48894, /* 49152 - 256 - 2: longer lists (OpenAI's) were trained this far */
  CLIP_NO_SYMBOL = -1
};

#define CLIP_BOS "<|startoftext|>"
#define CLIP_EOS "<|endoftext|>"

typedef struct
{
  int32_t left, right, result; /* symbols */
} ClipMerge;

struct ClipBpe
{
  TextBuf names;    /* all names, one behind the other */
  size_t *name_end; /* per symbol: where its name ends in @names */
  int32_t *ids;     /* per symbol */
  int n_symbols, max_symbols;
  uint32_t *name_slots; /* open addressing: symbol + 1, 0 is free */
  uint32_t name_mask;

  ClipMerge *merges; /* by rank */
  int n_merges;
  uint32_t *pair_slots; /* open addressing: rank + 1, 0 is free */
  uint32_t pair_mask;

  int16_t byte_symbol[CLIP_N_BYTES];
  int n_ids;
  int32_t bos, eos, pad, comma;
};

/* Room for @max_merges, and the 512 byte symbols.  On failure free with clip_bpe_free. */
bool clip_vocab_init (ClipBpe *bpe, int max_merges, Status *status);
void clip_vocab_clear (ClipBpe *bpe);

/* The next merge, of the symbols named @left and @right.  Fails: FORMAT when one is not known. */
bool clip_vocab_add_merge (ClipBpe *bpe,
                           const char *left,
                           size_t n_left,
                           const char *right,
                           size_t n_right,
                           Status *status);

/* Ids as CLIP numbers them: symbols in order, then the start and the end token. */
void clip_vocab_number (ClipBpe *bpe);

int32_t clip_vocab_find (const ClipBpe *bpe, const char *name, size_t n_bytes);
const char *clip_vocab_name (const ClipBpe *bpe, int symbol, size_t *n_bytes);

/* The rank of the merge of two symbols, -1 when there is none. */
int32_t clip_vocab_rank (const ClipBpe *bpe, int32_t left, int32_t right);
