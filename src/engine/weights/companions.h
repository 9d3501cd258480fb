/* SPDX-License-Identifier: MPL-2.0
 * companions.h - the files that a lone transformer needs, found where ComfyUI and Forge keep them.
 *
 * Names are hints only: what a file holds is decided by its keys when it is opened.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "weights/config.h"

typedef enum
{
  COMPANION_CLIP_L,
  COMPANION_T5,
  COMPANION_FLUX_VAE,
  COMPANION_UMT5,
  COMPANION_WAN21_VAE,
  COMPANION_WAN22_VAE,
  COMPANION_CLIP_VISION, /* CLIP-H, of Wan 2.1's image-to-video models */
  COMPANION_TOKENIZER,   /* spiece.model or tokenizer.json */
  COMPANION_TAESD,       /* decoders of previews, for SD 1.5, SDXL and FLUX.1 */
  COMPANION_TAESDXL,
  COMPANION_TAEF1,
  COMPANION_COUNT
} CompanionKind;

/* companion_find:
 * @model_path: the transformer's file
 * @out: receives the path
 *
 * Looks in the model's own folder, and in text_encoders, clip and text_encoder (vae and VAE for a
 * VAE, clip_vision for an image encoder, vae_approx, VAE-taesd and VAE-approx for previews; for a
 * tokenizer also where Wan-AI and kijai's nodes keep it) of the folders above it, one level of
 * folders deep.  Of several the most exact: 16 bits before scaled fp8 before fp8 before GGUF and
 * pickles, then by name.
 *
 * Returns: false when there is none, or its path is too long
 */
bool companion_find (const char *model_path, CompanionKind kind, char *out, size_t size);

/* The same of those that @serves says true of; it is not asked about all. */
typedef bool (*CompanionServes) (const char *path, void *data);
bool companion_find_that (const char *model_path,
                          CompanionKind kind,
                          CompanionServes serves,
                          void *data,
                          char *out,
                          size_t size);

/* The same in @folder itself only. */
bool companion_in_folder (const char *folder, CompanionKind kind, char *out, size_t size);

/* companion_find_expert:
 * @model_path: the file of one of Wan 2.2's experts
 * @wanted: the other
 *
 * Looks for a file of the same name but for the words that tell the two apart, in the model's own
 * folder, and in the folders beside it (HighNoise, LowNoise).
 *
 * Returns: false when there is none, or more than one
 */
bool companion_find_expert (const char *model_path, WanExpert wanted, char *out, size_t size);

/* "CLIP-L (clip_l.safetensors)": for a sentence that says what is missing. */
const char *companion_label (CompanionKind kind);
