/* SPDX-License-Identifier: MPL-2.0
 * runner.h - runs one batch from its recipe to its pictures, so that nothing of it can be lost.
 *
 * Keeps the model open between batches.  One batch at a time, on one thread; other threads reach a
 * running batch through its BatchControl only.
 *
 * Variables of the environment for tests: GESSO_NULL_STEP_MS makes each step and each decoding on
 * the null backend take so long; GESSO_JOURNAL_MS is the time between two writes of the journal
 * (3000; 0: after every step); GESSO_FREE_MIB is taken for the machine's free memory.
 */
#pragma once

#include "backend/backend.h"
#include "recipe/recipe.h"
#include "worker/control.h"

typedef struct Runner Runner;

/* @backend: borrowed; @data_dir: the program's data (path_data_dir), copied
 * Returns: NULL and @status (NO_MEMORY) */
Runner *runner_new (Backend *backend, const char *data_dir, Status *status);
void runner_free (Runner *runner);
/* Lets go of the model and of everything remembered with it.  Not while a batch runs. */
void runner_forget (Runner *runner);

typedef struct
{
  const char *name;     /* in the journal */
  const Recipe *recipe; /* batch_count 1; the seed of its first picture */
  const char *journal;  /* path, "" for none */
  const uint32_t *skip; /* indices of pictures that nobody needs any more, @n_skip */
  size_t n_skip;
  BatchControl *control;
} RunnerBatch;

/* What is told, all on runner_run's thread. */
typedef struct
{
  /* phase: "loading", "text", "encode", "denoise", "decode"; eta in seconds, -1: not known */
  void (*progress) (void *data, const char *phase, int done, int total, double eta);
  /* Asked after each step: a preview that is not wanted is not computed. */
  bool (*wants_preview) (void *data);
  /* @rgb: (n_frames, height, width, 3), valid during the call; @rate: frames a second, 0 of one */
  void (*preview) (
      void *data, const uint8_t *rgb, int n_frames, double rate, int width, int height, int step);
  /* @rgb: (height, width, 3), valid during the call; @recipe: JSON of this one picture.
   * Need not wait until the picture is safe. */
  bool (*picture) (void *data,
                   int index,
                   const uint8_t *rgb,
                   int width,
                   int height,
                   const char *recipe,
                   Status *status);
  /* The same of a clip: @path is a finished file of clip.h with frames, latents and recipe, which
   * the receiver takes away; @rgb its first frame.  A file that is left there is overwritten when
   * the batch comes again. */
  bool (*clip) (void *data,
                int index,
                const char *path,
                const uint8_t *rgb,
                int width,
                int height,
                const char *recipe,
                Status *status);
  /* Waits until at most @max_open pictures are not safe yet.
   * Fails: when one could not be kept; CANCELLED as soon as the batch's control has a wish */
  bool (*settle) (void *data, int max_open, Status *status);
  void (*note) (void *data, const char *sentence);
  void *data;
} RunnerEvents;

typedef enum
{
  RUNNER_FINISHED, /* every picture is safe, the journal is gone */
  RUNNER_PARKED,   /* the journal is kept */
  RUNNER_FAILED    /* @status says why; the journal is kept unless it says CANCELLED */
} RunnerEnd;

/* runner_run:
 * @step: receives the steps that a parked batch has behind it
 *
 * Goes on from the journal when it is of this very batch; one that is not is put aside and a note
 * says so.
 */
RunnerEnd runner_run (Runner *runner,
                      const RunnerBatch *batch,
                      const RunnerEvents *events,
                      int *step,
                      Status *status);
