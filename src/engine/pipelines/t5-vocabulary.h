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

/* Whether the encoder, called @encoder, knows all ids.  Fails: FORMAT */
bool
t5_vocabulary_fits (const Unigram *u, const Checkpoint *c, const char *encoder, Status *status);
