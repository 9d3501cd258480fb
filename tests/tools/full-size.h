/* SPDX-License-Identifier: MPL-2.0
 * full-size.h - SD 1.5, SDXL and FLUX.1 as they are published, for tools that need a model of real
 * size where there is no checkpoint.
 */
#pragma once

#include <stdio.h>

#include "core/arena.h"
#include "weights/config.h"
#include "weights/weights.h"

typedef struct
{
  const char *name; /* "sd15" */
  bool is_xl, is_flux;
  UnetConfig unet;
  FluxConfig flux; /* and t5: of FLUX, instead of unet */
  T5Config t5;
  VaeConfig vae;
  ClipConfig clip[2];
  int n_clips;
} FullSize;

/* The VAEs of Wan 2.1 (and of 2.2 A14B), and of 2.2 TI2V-5B. */
extern const WanVaeConfig full_size_wan21_vae, full_size_wan22_vae;

/* The image encoder of Wan 2.1's image-to-video models: OpenCLIP's ViT-H/14. */
extern const ClipVisionConfig full_size_clip_h;

/* Returns: NULL for an unknown name */
const FullSize *full_size_find (const char *name);

/* full_size_declare:
 *
 * The models bind themselves to a declared set, so its names and shapes are theirs.
 *
 * Returns: to be freed by the caller; NULL and @status
 */
WeightSet *full_size_declare (const FullSize *model, Status *status);

enum
{
  FILE_NAME_SIZE = 256,
  FUSED_MAX = 3
};

/* A tensor as a file holds it. */
typedef struct
{
  char name[FILE_NAME_SIZE];
  int rank;
  int64_t ne[4];
  const Weight *source[FUSED_MAX]; /* rows of the tensor, in this order */
  int n_sources;
  bool transpose; /* the file has (in, out) */
} StoredTensor;

/* ldm_tensor:
 * @set: of full_size_declare
 *
 * The tensor of a single-file checkpoint that begins with weight @w: LDM's names for U-Net and VAE,
 * OpenCLIP's for bigG.
 *
 * Returns: false for a weight that is part of one that began before (fused queries, keys, values)
 */
bool ldm_tensor (const FullSize *model, const WeightSet *set, const Weight *w, StoredTensor *out);

/* The tensor of a diffusers folder; its name has no part in front. */
void diffusers_tensor (const FullSize *model, const Weight *w, StoredTensor *out);

typedef struct
{
  const char *path; /* in the folder */
  void (*write) (const FullSize *model, FILE *out);
  bool xl_only;
} ConfigFile;

/* The folder's small JSON files, terminated by a NULL path. */
extern const ConfigFile full_size_configs[];

/* Writes CLIP's vocab.json as its merges imply it: bytes, bytes that end a word, merges, marks. */
bool full_size_write_vocab (FILE *merges, FILE *out);
