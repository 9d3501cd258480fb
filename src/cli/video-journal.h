/* SPDX-License-Identifier: MPL-2.0
 * video-journal.h - what clips under way leave beside their film when the program is killed.
 *
 * One journal a batch, "FILM.journal", of the first film's name.  It goes when the batch is done or
 * when the user interrupts it; it stays when the program is told to end, dies or fails.
 */
#pragma once

#include "cli/engine.h"
#include "worker/journal.h"

enum
{
  VIDEO_JOURNAL_PATH_SIZE = CLI_PATH_SIZE + 64
};

/* Zero-initialise. */
typedef struct
{
  char path[VIDEO_JOURNAL_PATH_SIZE]; /* "" while there is none */
  bool is_given;                      /* by --resume, read already */
  Journal now, old;                   /* what is written, and what the disk had */
  size_t capacity;                    /* of now.state */
  double written, interval;           /* seconds; the environment's GESSO_JOURNAL_MS sets it */
  bool is_there, is_broken;
} VideoJournal;

/* video_journal_resume:
 * @path: --resume's
 * @o: receives the recipe of the clips that were begun
 * @film: VIDEO_JOURNAL_PATH_SIZE, receives where the first one goes
 *
 * Fails: NOT_FOUND, FORMAT, as recipe_from_json
 */
bool
video_journal_resume (VideoJournal *j, Options *o, const char *path, char *film, Status *status);

/* Before the recipe is completed: a clip without a seed of its own takes that of the journal which
 * lies beside @film, if there is one. */
void video_journal_seed (const char *film, Options *o);

/* video_journal_begin:
 * @film: of the batch's first clip
 * @run: just made; goes on where the journal of this very batch left off, and a sentence says so.
 *   A journal of another batch is put aside.
 */
bool video_journal_begin (VideoJournal *j,
                          Engine *engine,
                          const Recipe *recipe,
                          const char *film,
                          PipelineRun *run,
                          Status *status);
/* After a step: writes it when it is time, or @now.  A failure is said once. */
void video_journal_step (VideoJournal *j, Engine *engine, const PipelineRun *run, bool now);
/* Clip @index is on the disk. */
void video_journal_clip (VideoJournal *j, Engine *engine, const PipelineRun *run, int index);
/* How many clips of the batch were finished before. */
int video_journal_n_clips (const VideoJournal *j);
/* @keep: whether the journal stays, if there is one */
void video_journal_end (VideoJournal *j, bool keep);
