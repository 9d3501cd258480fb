/* SPDX-License-Identifier: MPL-2.0 */
#include "pipelines/t5-vocabulary.h"

#include <string.h>

#include "weights/companions.h"

bool
t5_vocabulary_is_known (const Checkpoint *c)
{
  return c->t5_tokenizer || c->t5_model || c->t5_pieces;
}

/* A GGUF file's metadata. */
static Unigram *
unigram_of_pieces (const TokenPieces *p, Status *status)
{
  return unigram_new_pieces (&(UnigramPieces){ .n = p->n,
                                               .pieces = p->pieces,
                                               .lengths = p->lengths,
                                               .scores = p->scores,
                                               .kinds = p->kinds,
                                               .charsmap = p->charsmap,
                                               .charsmap_size = p->charsmap_size,
                                               .no_space_prefix = p->no_space_prefix,
                                               .keep_extra_spaces = p->keep_extra_spaces,
                                               .unk_id = p->unk_id,
                                               .eos_id = p->eos_id,
                                               .pad_id = p->pad_id },
                             status);
}

Unigram *
t5_vocabulary_load (const Checkpoint *c, const char *tokenizers_dir, Status *status)
{
  if (c->t5_tokenizer)
    return unigram_new (c->t5_tokenizer, status);
  if (c->t5_model)
    return unigram_new_proto (c->t5_model, c->t5_model_size, status);
  if (c->t5_pieces)
    return unigram_of_pieces (c->t5_pieces, status);
  return unigram_new_bundled (tokenizers_dir, status);
}

bool
t5_vocabulary_fits (const Unigram *u, const Checkpoint *c, const char *encoder, Status *status)
{
  int n_ids = unigram_n_ids (u), n_rows = c->config.t5.vocab;
  return n_ids <= n_rows || status_fail (status, STATUS_FORMAT,
                                         "The tokenizer of %s has %d tokens but the encoder of %s "
                                         "knows only %d: the files do not belong together.",
                                         encoder, n_ids, c->path, n_rows);
}

/* ---- lying about ---- */

typedef struct
{
  int n_rows; /* of the encoder's embedding */
  Unigram *found;
} VocabularySearch;

static Unigram *
load_any (const char *path)
{
  Status ignored = { 0 };
  const char *end = strrchr (path, '.');
  if (end && (strcmp (end, ".model") == 0 || strcmp (end, ".json") == 0))
    return unigram_new (path, &ignored);
  Checkpoint *c = checkpoint_open (path, false, &ignored);
  Unigram *u = c && t5_vocabulary_is_known (c) ? t5_vocabulary_load (c, NULL, &ignored) : NULL;
  checkpoint_free (c);
  return u;
}

/* The rows beyond the last id are few: T5's own 32100 ids are not those of umT5's 256384 rows. */
static bool
serves (const char *path, void *data)
{
  VocabularySearch *search = data;
  Unigram *u = load_any (path);
  int n_ids = u ? unigram_n_ids (u) : 0;
  if (n_ids > search->n_rows || n_ids < search->n_rows / 3)
    {
      unigram_free (u);
      return false;
    }
  unigram_free (search->found);
  search->found = u;
  return true;
}

Unigram *
t5_vocabulary_find (const Checkpoint *c, const char *path)
{
  static const CompanionKind kinds[] = { COMPANION_TOKENIZER, COMPANION_UMT5 };
  VocabularySearch search = { .n_rows = c->config.t5.vocab };
  char found[4096];
  for (size_t i = 0; !search.found && i < sizeof kinds / sizeof *kinds; i++)
    companion_find_that (path, kinds[i], serves, &search, found, sizeof found);
  return search.found;
}
