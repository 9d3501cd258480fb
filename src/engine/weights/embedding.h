/* SPDX-License-Identifier: MPL-2.0
 * embedding.h - textual inversion: vectors that stand for a word in the prompt.
 */
#pragma once

#include "weights/source.h"

enum
{
  EMBEDDING_MAX_VECTORS = 75, /* what a chunk of tokens holds */
  EMBEDDING_PREFIX_SIZE = 256
};

typedef struct
{
  WeightSet *set; /* the mapped file */
  Source source;
  const char *label;
  char *path;
  char prefix[EMBEDDING_PREFIX_SIZE]; /* of the tensors that count */
} EmbeddingFile;

/* embedding_open:
 * @path: A1111's .pt, safetensors (emb_params; clip_l and clip_g; one tensor of any name),
 * diffusers' .bin, pickled lists
 * @bundle: NULL, or which of the embeddings that a LoRA file carries (bundle_emb.NAME.*)
 *
 * Fails: NOT_FOUND, IO, FORMAT, UNSUPPORTED (no embedding)
 */
EmbeddingFile *embedding_open (const char *path, const char *bundle, Status *status);
void embedding_close (EmbeddingFile *e);

/* embedding_bundled:
 * @out: the name of the embedding that tensor @name of a LoRA file belongs to
 *
 * Returns: false when it belongs to none
 */
bool embedding_bundled (const char *name, char *out, size_t size);

/* embedding_vectors:
 * @encoder: 0 is CLIP-L, 1 is bigG: known by the tensor's name where that says so, else by @dim
 * @out: NULL, or receives (n, @dim)
 *
 * Returns: n, 0 when the file has none for this encoder
 */
int64_t embedding_vectors (const EmbeddingFile *e, int encoder, int64_t dim, float *out);

/* Whether the file holds nothing but vectors and single numbers. */
bool embedding_is_alone (const EmbeddingFile *e);

/* "768 and 1280": the widths in the file, for messages. */
void embedding_widths (const EmbeddingFile *e, char *out, size_t size);
