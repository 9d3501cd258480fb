/* SPDX-License-Identifier: MPL-2.0
 * adapters.h - a recipe's adapters and those in its prompt, found on disk, as the engine takes
 * them.
 */
#pragma once

#include "pipelines/pipeline.h"
#include "recipe/adapters.h"
#include "worker/paths.h"

/* Zero-initialise. */
typedef struct
{
  RecipeAdapters list;    /* in the order in which they are applied; paths are those found */
  PipelineAdapter *items; /* one for each that is there */
  PipelineEmbedding *embeddings;
  char **embedding_texts; /* their names and paths */
  size_t n_embeddings, embedding_capacity, text_capacity;
  char note[STATUS_MESSAGE_SIZE];
} JobAdapters;

/* job_adapters_load:
 * @family: of the model that draws
 * @recipe: its list is written anew, with the paths found and with the prompt's own
 *
 * Tags <lora:NAME:...> count where the weighting is A1111's, and always for FLUX.1:
 * <lora:NAME:TEXT:NETWORK>, the second weight being the first unless given; te=, unet=, lbw=,
 * start=, stop=, step=; a weight may be WEIGHT@WHEN,...
 *
 * Embeddings are found by their file's stem: as "embedding:NAME" in any prompt, and where the
 * weighting is A1111's wherever the name stands.
 *
 * Fails: NOT_FOUND naming what is nowhere, ARGUMENT; @adapters is empty then
 */
bool job_adapters_load (JobAdapters *adapters, Recipe *recipe, Family family, Status *status);

/* Lets @job, whose steps are known, borrow them.  Fails: ARGUMENT, NO_MEMORY */
bool job_adapters_give (JobAdapters *adapters, PipelineJob *job, Status *status);
void job_adapters_clear (JobAdapters *adapters);

/* job_adapters_hash:
 * @recipe: as job_adapters_load left it; each item gets its file's hash
 * @note: NULL, or receives a sentence when a file is not what the recipe was made with; else ""
 *
 * Reads files whose hash is not remembered.  Fails: IO, CANCELLED
 */
bool job_adapters_hash (Recipe *recipe,
                        const atomic_bool *cancel,
                        char note[STATUS_MESSAGE_SIZE],
                        Status *status);
