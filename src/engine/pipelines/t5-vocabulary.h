/* SPDX-License-Identifier: MPL-2.0
 * t5-vocabulary.h - the tokenizer of a model's T5, wherever it came from.
 */
#pragma once

#include "text/unigram.h"
#include "weights/checkpoint.h"

/* Whether the model brought one, so that T5's bundled one is not needed. */
bool t5_vocabulary_is_known (const Checkpoint *c);

/* From the model, else the bundled one of T5.  Fails: as unigram_new and kin */
Unigram *t5_vocabulary_load (const Checkpoint *c, const char *tokenizers_dir, Status *status);

/* For an encoder that came without one: a tokenizer's own file, or another umT5 that holds one,
 * where companions of @path (the model or its encoder) lie.
 *
 * Returns: owned by the caller; NULL when there is none that fits */
Unigram *t5_vocabulary_find (const Checkpoint *c, const char *path);

/* Whether the encoder, called @encoder, knows all ids.  Fails: FORMAT */
bool
t5_vocabulary_fits (const Unigram *u, const Checkpoint *c, const char *encoder, Status *status);
