/* SPDX-License-Identifier: MPL-2.0
 * folder.h - where things lie in a diffusers folder, and what its config files say.
 */
#pragma once

#include "weights/config.h"
#include "weights/parts.h"

/* folder_resolve:
 *
 * Finds the model in @path: itself, or the current snapshot of a Hugging Face cache entry.
 *
 * Returns: a path in @pool; NULL and @status set (NOT_FOUND when there is no model)
 */
const char *folder_resolve (Pool *pool, const char *path, Status *status);

bool file_exists (const char *path);

/* The weights of one component, the best form that is there: safetensors before shards, plain
 * before fp16, pickles last.  NULL: none, or NO_MEMORY in @status */
const char *folder_find_weights (Pool *pool, const char *folder, Status *status);

/* Sub-folder of a part in a pipeline: "unet", ..., "text_encoder_2". */
const char *folder_of_part (PartKind kind);

/* The part that a config.json describes; PART_COUNT when it is none of ours. */
PartKind folder_part_kind (const char *config_path, Status *status);

/* The part that a pipeline's model_index.json says its sub-folder @name is; PART_COUNT when it says
 * nothing, or none of ours. */
PartKind folder_indexed_kind (const char *index_path, const char *name, Status *status);

/* Values of PART's config.json replace what shapes told. */
bool folder_apply_config (
    ModelConfig *config, PartKind kind, Pool *pool, const char *config_path, Status *status);

/* model_index.json, scheduler/scheduler_config.json, and our own gesso.json, in which the maker of
 * a model says what guidance and steps it is meant for.  Fails: UNSUPPORTED for another pipeline */
bool folder_apply_pipeline (ModelConfig *config, Pool *pool, const char *folder, Status *status);

/* Token ids from a tokenizer folder.  Returns: false only for damaged files */
bool folder_read_tokenizer (ClipConfig *clip, Pool *pool, const char *folder, Status *status);
