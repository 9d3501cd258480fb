/* SPDX-License-Identifier: MPL-2.0
 * extend.h - the clip that a recipe goes on from: its latents, or its last frames; and its frames
 * once more, in front of the new ones.
 */
#pragma once

#include "media/clip.h"
#include "pipelines/pipeline.h"
#include "recipe/recipe.h"

/* Zero-initialise. */
typedef struct
{
  char *path;          /* of the frames; NULL: no clip is extended */
  FilmInfo info;       /* n_frames -1 while it is not known */
  uint8_t *latents;    /* the file that was kept with them, or NULL */
  const float *values; /* (channels, n_latents, h, w), in @latents */
  int n_latents;
  uint8_t *rgb; /* NULL, or the last 1 + 4 (n_latents - 1) frames, (n, height, width, 3) */
  int width, height, n_rgb; /* of these */
  uint8_t *last;            /* NULL, or with latents the last frame, where the model looks at it */
} ExtendInput;

/* extend_load:
 * @recipe: names the clip; a size or rate that it leaves open becomes the clip's
 * @note: STATUS_MESSAGE_SIZE, receives a sentence for the user, or stays as it is
 *
 * Latents that were kept are read where this model's VAE understands them, also when a film is
 * named beside which its clip lies; else the last frames.
 *
 * Fails: NOT_FOUND, FORMAT, UNSUPPORTED as film_open; ARGUMENT when size or rate do not fit
 */
bool
extend_load (ExtendInput *in, Recipe *recipe, const Checkpoint *model, char *note, Status *status);

/* Lets @job, complete but for this, go on from the clip, and borrow it. */
void extend_give (const ExtendInput *in, PipelineJob *job);

/* extend_copy_frames:
 * @clip: of the job's size, without frames yet
 * @first: NULL, or receives the first frame, (height, width, 3)
 *
 * Nothing where no clip is extended.
 * Fails: as film_open, clip_writer_add; CANCELLED
 */
bool extend_copy_frames (const ExtendInput *in,
                         ClipWriter *clip,
                         uint8_t *first,
                         const atomic_bool *cancel,
                         Status *status);

/* The rate of the joined clip: the extended one's. */
bool extend_rate (const ExtendInput *in, FrameRate *rate);
void extend_clear (ExtendInput *in);
