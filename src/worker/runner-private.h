/* SPDX-License-Identifier: MPL-2.0
 * runner-private.h - what the files of the runner share.
 */
#pragma once

#include "pipelines/pipeline.h"
#include "worker/eta.h"
#include "worker/hasher.h"
#include "worker/inputs.h"
#include "worker/journal.h"
#include "worker/paths.h"
#include "worker/runner.h"

enum
{
  PACE_KEY_SIZE = IDENTITY_SIZE + 112
};

struct Runner
{
  Backend *backend;
  char data_dir[GESSO_PATH_SIZE];
  int null_step_ms, free_mib; /* free_mib: 0 to ask the system */
  double journal_interval;    /* seconds */

  /* the model that is open, and how fast its last batch was */
  Pipeline *pipeline;
  char model_identity[IDENTITY_SIZE];
  Hasher *hasher;
  Eta eta;
  char pace_key[PACE_KEY_SIZE]; /* what @eta was measured on */
};

/* One batch under way. */
typedef struct
{
  Runner *runner;
  const RunnerBatch *spec;
  const RunnerEvents *events;
  Recipe recipe; /* complete */
  JobInputs inputs;
  PipelineJob job;
  PipelineRun *run;
  Journal old;     /* what the disk had */
  Journal journal; /* what goes there; @state_capacity bytes of state */
  size_t state_capacity;
  double journal_written, step_began; /* on clock_seconds */
  bool journal_broken;                /* said once */
  int n_wanted, n_decoded;            /* pictures that are not skipped */
  int tile_px;                        /* for decoding; -1: as the job has it */
  size_t decode_bytes;                /* of memory, as planned */
} Batch;

/* @path: GESSO_PATH_SIZE.  Opens the recipe's model unless it is open already. */
bool runner_open_model (Batch *b, Status *status);

bool batch_skips (const Batch *b, int index);
/* Writes the journal as of the run's present step.  A failure is noted once and otherwise no
 * matter: the batch itself is not harmed. */
void batch_write_journal (Batch *b);
void batch_note (const Batch *b, const char *sentence);

/* The recipe of one picture: its own seed, a batch of one, the tiles that it was decoded in; the
 * caller's to mem_free. */
char *batch_picture_recipe (Batch *b, int index, Status *status);
/* batch_decode_one:
 * @decode: decodes picture @index in tiles of @b->tile_px; tried again in smaller ones when it
 *   fails with NO_MEMORY
 */
typedef bool (*BatchDecode) (Batch *b, int index, void *data, Status *status);
bool batch_decode_one (Batch *b, int index, BatchDecode decode, void *data, Status *status);
/* A clip into a file of its own, which is then given away (runner-clip.c). */
bool batch_make_clip (Batch *b, int index, Status *status);

/* Decodes every picture that is wanted and gives it away; with smaller tiles where memory is short
 * (runner-decode.c). */
bool batch_decode (Batch *b, Status *status);
