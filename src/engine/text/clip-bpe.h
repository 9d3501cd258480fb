/* SPDX-License-Identifier: MPL-2.0
 * clip-bpe.h - CLIP's byte-pair tokenizer, for CLIP-L and OpenCLIP alike.
 *
 * Source: Radford et al., "Learning Transferable Visual Models From Natural Language Supervision",
 * and the vocabulary published with it; text preparation as the fast tokenizer of transformers does
 * it (NFC, white space to one space, lower case by character).
 *
 * A ClipBpe does not change once made: any number of threads may encode with it.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/status.h"

typedef struct ClipBpe ClipBpe;

/* Zero-initialise, end with token_ids_clear. */
typedef struct
{
  int32_t *items;
  size_t n, capacity;
} TokenIds;

/* clip_bpe_new:
 * @folder: a model's tokenizer folder.  merges.txt, with vocab.json where there is one (else the
 * ids follow from the order of the merges); or tokenizer.json alone.  The pad token is what
 *          special_tokens_map.json or tokenizer_config.json names, else the end token.
 *
 * Returns: owned by the caller, clip_bpe_free; NULL and @status set
 * Fails: NOT_FOUND when the folder holds no tokenizer, IO, FORMAT when a file is damaged or the
 *        files do not belong together, NO_MEMORY
 */
ClipBpe *clip_bpe_new (const char *folder, Status *status);

/* The vocabulary that comes with the program, @data_dir/tokenizers/clip; pads with the end token.
 */
ClipBpe *clip_bpe_new_bundled (const char *data_dir, Status *status);
void clip_bpe_free (ClipBpe *bpe);

int clip_bpe_n_ids (const ClipBpe *bpe); /* highest id + 1: 49408 */
int32_t clip_bpe_bos (const ClipBpe *bpe);
int32_t clip_bpe_eos (const ClipBpe *bpe);
int32_t clip_bpe_pad (const ClipBpe *bpe);
int32_t clip_bpe_comma (const ClipBpe *bpe); /* the id of "," as a word of its own */

/* clip_bpe_encode:
 * @text: any bytes, terminated; the strings <|startoftext|> and <|endoftext|> become their ids
 * @ids: (added to) content ids only, neither begun nor ended nor padded
 *
 * Fails: NO_MEMORY; ARGUMENT when @text is longer than a mebibyte.  @ids may then hold a part.
 */
bool clip_bpe_encode (const ClipBpe *bpe, const char *text, TokenIds *ids, Status *status);

/* How many ids @text takes; -1 and @status set. */
int clip_bpe_count (const ClipBpe *bpe, const char *text, Status *status);

void token_ids_clear (TokenIds *ids);
