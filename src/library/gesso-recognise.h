/* SPDX-License-Identifier: MPL-2.0
 * gesso-recognise.h - what a model file is, from its header.
 */
#pragma once

#include "library/gesso-library.h"

G_BEGIN_DECLS

enum
{
  /* Counted up whenever files may be seen as something else than before: what an older version of
   * the program has noted in the index is looked at again. */
  GESSO_RECOGNISE_VERSION = 1
};

typedef struct
{
  GessoFileKind kind;
  char *family;  /* "SD 1.5", ...; "" when not known */
  char *format;  /* "safetensors, f16"; "" when it cannot be read */
  char *alias;   /* what its trainer called it; "" */
  char *words;   /* a LoRA's, that it was trained on; "" */
  char *problem; /* why it cannot be used; "" */
} GessoRecognised;

void gesso_recognised_clear (GessoRecognised *r);

/* gesso_recognise:
 * @path: a file, or a folder in diffusers layout; any thread
 * @hint: the kind of the folder it lies in, for files whose content does not tell
 *
 * Reads headers only.  Never fails: what is wrong stands in problem.
 */
void gesso_recognise (GessoRecognised *out, const char *path, GessoFileKind hint);

G_END_DECLS
