/* SPDX-License-Identifier: MPL-2.0
 * checkpoint.h - opens what users have: a safetensors or GGUF file, a torch pickle, a diffusers
 * folder.
 */
#pragma once

#include "weights/config.h"
#include "weights/token-pieces.h"
#include "weights/weights.h"

typedef enum
{
  LAYOUT_UNKNOWN,
  LAYOUT_LDM,      /* one file, original names */
  LAYOUT_DIFFUSERS /* a folder, or one file with diffusers names */
} Layout;

typedef struct
{
  char *path;
  Layout layout;
  const char *container; /* "safetensors", "GGUF", "pickle", "pickle (legacy)", "folder" */
  ModelConfig config;
  WeightSet *weights;
  char
      *tokenizer_dir[2]; /* folders with merges.txt for clip[i]; NULL: use the bundled vocabulary */
  char *t5_tokenizer;    /* file or folder for unigram_new; NULL: see t5_model, then the bundled */
  const void *t5_model;  /* a ModelProto inside the weights' file, in @weights' memory, or NULL */
  size_t t5_model_size;
  const TokenPieces *t5_pieces; /* the same of a GGUF file's metadata, or NULL */
  int n_metadata;               /* safetensors __metadata__ */
  char **metadata_keys, **metadata_values;
  int n_unknown; /* tensors that no name map knows, by file name */
  char **unknown;
  int64_t file_bytes; /* all files together */
} Checkpoint;

/* checkpoint_open:
 * @path: file or folder
 * @header_only: read headers only; weights have names and shapes but may have data NULL
 *
 * Recognises family, layout, precision and configuration from keys and shapes.  Never executes
 * anything in a pickle.  Mapped read-only; nothing is copied but transposed projections.
 *
 * Fails: NOT_FOUND, IO, FORMAT (damaged), UNSUPPORTED (another family or storage format: named)
 */
Checkpoint *checkpoint_open (const char *path, bool header_only, Status *status);
void checkpoint_free (Checkpoint *c);

/* Adds the tensors of another file (a separate VAE or TAESD file) under @prefix ("vae.", "tiny."),
 * replacing those there, and updates config.vae. */
bool checkpoint_add (Checkpoint *c, const char *path, const char *prefix, Status *status);

const char *flux_variant_name (FluxVariant variant); /* "dev", "Kontext", "Canny or Depth" */
const char *family_name (Family family);             /* "SD 1.5", "SDXL", "FLUX.1" */
const char *layout_name (Layout layout);
