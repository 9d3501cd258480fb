/* SPDX-License-Identifier: MPL-2.0
 * folder-wan.h - folders as Wan-AI publish their models for their own programs.
 *
 *   high_noise_model/, low_noise_model/   2.2's two experts; else the transformer lies in the
 * folder config.json, diffusion_pytorch_model*.safetensors Wan2.1_VAE.pth or Wan2.2_VAE.pth
 *   models_t5_umt5-xxl-enc-bf16.pth       umT5, and its tokenizer in google/umt5-xxl/
 *   models_clip_open-clip-...-14.pth      CLIP-H of 2.1's image-to-video models
 */
#pragma once

#include "weights/parts.h"

/* What a folder holds; NULL: it is not there. */
typedef struct
{
  const char *weights[PART_COUNT]; /* PART_WAN and PART_EXPERT folders, the others files */
  char *tokenizer;                 /* a folder */
} WanFolder;

/* Whether @path is such a folder, by what lies in it. */
bool folder_is_wan (const char *path);

/* folder_of_wan:
 * @path: anything: a folder, one of its experts' folders, or a transformer's file in one of these
 *
 * Returns: the Wan folder that @path is or is a transformer of, in @pool; NULL: none, or NO_MEMORY
 * in @status
 */
const char *folder_of_wan (Pool *pool, const char *path, Status *status);

/* Fails: NO_MEMORY */
bool folder_find_wan (WanFolder *out, Pool *pool, const char *path, Status *status);
