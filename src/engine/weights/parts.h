/* SPDX-License-Identifier: MPL-2.0
 * parts.h - the networks inside a file, each under a prefix and with a naming scheme of its own.
 */
#pragma once

#include "weights/names.h"
#include "weights/weight-set.h"

typedef enum
{
  PART_UNET,
  PART_VAE,
  PART_CLIP_0,
  PART_CLIP_1,
  PART_TINY,
  PART_FLUX,
  PART_WAN,
  PART_EXPERT, /* Wan's low-noise transformer: never found in a file by itself */
  PART_VISION,
  PART_T5,
  PART_CONTROL, /* a ControlNet: all that is read of its file */
  PART_COUNT
} PartKind;

typedef struct
{
  PartKind kind;
  NameScheme scheme;
  const char *prefix; /* in the file */
  BlockMap map;
} Part;

typedef struct
{
  Part parts[PART_COUNT + 1]; /* TAESD's two halves can come under two prefixes */
  int n_parts;
} PartList;

/* Tensors that no name map knows. */
typedef struct
{
  char **names; /* in the set's pool */
  size_t n, capacity;
} UnknownList;

/* parts_find:
 * @kind: PART_COUNT for whatever is there; else the file is known to hold just this (a folder says
 * so)
 */
void parts_find (PartList *list, const TensorTable *table, PartKind kind);

/* parts_load:
 * @label: the file's name, for messages
 *
 * Adds every tensor of the parts under its canonical name.  Data stays mapped; transposed and f64
 * tensors are copied, unless @header_only.  The file's other tensors go to @unknown by name, but
 * for ignorable ones.
 *
 * Fails: UNSUPPORTED (a number format that we cannot compute with), FORMAT, NO_MEMORY
 */
bool parts_load (WeightSet *set,
                 const PartList *list,
                 const TensorTable *table,
                 bool header_only,
                 UnknownList *unknown,
                 const char *label,
                 Status *status);

/* "unet.", "vae.", "text_encoder.", "text_encoder_2.", "tiny.", "transformer.", "expert.",
 * "image_encoder.", "t5.", "control." */
const char *part_prefix (PartKind kind);
