/* SPDX-License-Identifier: MPL-2.0
 * unigram-private.h - a unigram vocabulary and its rules; filled by the readers, used by unigram.c.
 *
 * Two programs write these vocabularies and differ in what they do to spaces, to combining
 * characters and in the width of their sums.  A file is read as the program that wrote it reads it:
 * a ModelProto as SentencePiece, tokenizer.json as transformers' fast tokenizers.
 */
#pragma once

#include "text/chars.h"
#include "text/unigram.h"

enum
{
  UNIGRAM_N_BYTES = 256,
  UNIGRAM_MAX_PIECES = 1 << 22,
  UNIGRAM_NO_ID = -1
};

#define UNIGRAM_SPACE "\xe2\x96\x81" /* U+2581 stands for a space */

typedef enum
{
  PREFIX_NEVER,
  PREFIX_FIRST, /* the text's begin only */
  PREFIX_ALWAYS /* behind each marker, too */
} SpacePrefix;

typedef struct
{
  bool is_fast;       /* as tokenizer.json says, else SentencePiece */
  SpacePrefix prefix; /* a space in front of the first word */
  bool join_spaces;   /* of a run one stays; SentencePiece: and none at either end */
  bool byte_fallback;
  /* of the fast ones */
  bool strip_left, strip_right;
  bool split_white; /* white space only separates */
  bool split_words; /* a piece has a space at its begin only */
} UnigramRules;

struct Unigram
{
  UnigramRules rules;
  TextBuf names;    /* all pieces, one behind the other */
  size_t *name_end; /* per piece: where its name ends in @names */
  double *scores;
  uint8_t *kinds; /* PieceKind */
  int n;
  size_t name_capacity, score_capacity, kind_capacity;
  int32_t *sorted; /* pieces that may be found in a text, by their bytes */
  int n_sorted;
  int32_t first[UNIGRAM_N_BYTES + 1]; /* where pieces that begin with a byte begin in @sorted */
  int32_t *markers; /* of the fast ones: texts that become an id before anything else is done */
  int n_markers;
  size_t marker_capacity;
  int32_t byte_ids[UNIGRAM_N_BYTES];
  bool has_user_defined;
  double least, most; /* scores of normal pieces */
  int32_t unk, eos, pad;
  uint32_t *trie; /* of the charsmap; NULL: there is none */
  size_t n_units;
  char *replacements; /* terminated texts */
  size_t n_replacements;
};

/* Fails: NO_MEMORY */
Unigram *unigram_alloc (Status *status);

/* The next id.  Fails: NO_MEMORY; FORMAT when there are too many */
bool unigram_add (
    Unigram *u, const char *name, size_t n_bytes, double score, PieceKind kind, Status *status);
bool unigram_add_marker (Unigram *u, int32_t id, Status *status);

/* A charsmap as SentencePiece compiles it; @size 0: none.  Fails: FORMAT, NO_MEMORY */
bool unigram_set_charsmap (Unigram *u, const void *data, size_t size, Status *status);

/* Sorts, and finds what was not told.  Fails: FORMAT when it is no whole vocabulary, NO_MEMORY */
bool unigram_finish (Unigram *u, Status *status);

int32_t unigram_find (const Unigram *u, const char *name, size_t n_bytes);
const char *unigram_name (const Unigram *u, int32_t id, size_t *n_bytes);

/* unigram_longest:
 * @user_defined: only pieces of that kind count
 *
 * Returns: how many bytes of @p .. @end a piece takes, the longest one; 0 when there is none
 */
size_t unigram_longest_user_defined (const Unigram *u, const char *p, const char *end);

/* unigram-proto.c and unigram-json.c */
bool unigram_read_proto (Unigram *u, const void *data, size_t size, Status *status);
bool unigram_read_json (Unigram *u, const char *data, size_t size, Status *status);

/* unigram-normalise.c: what becomes of @p .. @end is added to @out, spaces written as
 * UNIGRAM_SPACE unless @out is to be split at white space.  @is_start: nothing is in front. */
bool unigram_normalise (
    const Unigram *u, const char *p, const char *end, bool is_start, TextBuf *out, Status *status);

/* unigram-path.c: the most likely pieces of @p .. @end, which is normalised. */
typedef struct
{
  double score;
  size_t start; /* of the last piece */
  int32_t id;
  bool reached;
} PathNode;

typedef struct
{
  PathNode *nodes;
  size_t capacity;
} PathSpace;

bool unigram_path (const Unigram *u,
                   const char *p,
                   const char *end,
                   PathSpace *space,
                   TokenIds *ids,
                   Status *status);
