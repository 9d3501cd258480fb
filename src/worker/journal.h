/* SPDX-License-Identifier: MPL-2.0
 * journal.h - what a batch needs to go on after the program died: one file a batch.
 *
 * A journal is whole or not there: it is written beside its place, brought to the disk, renamed,
 * and ends in a checksum over all that stands before it.  Numbers are in the machine's order, since
 * only the machine that wrote it can go on bit for bit.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "core/status.h"
#include "worker/identity.h"

enum
{
  JOURNAL_BATCH_SIZE = 65
};

/* Zero-initialise. */
typedef struct
{
  char batch[JOURNAL_BATCH_SIZE];
  char identity[IDENTITY_SIZE];       /* of model, device and every file that the recipe names */
  char *recipe;                       /* JSON, complete */
  int step;                           /* steps done */
  int decode_picture, decode_started; /* which picture's decoding began, and how often */
  void *state;                        /* of the engine's run, @state_bytes */
  size_t state_bytes;
} Journal;

void journal_clear (Journal *journal);

typedef enum
{
  JOURNAL_READ,
  JOURNAL_NONE,    /* there is no such file */
  JOURNAL_DAMAGED, /* it is no journal, cut off, or its checksum is wrong */
  JOURNAL_FAILED   /* the world's fault: @status is set (IO, NO_MEMORY) */
} JournalResult;

/* @journal: empty; the caller's to journal_clear */
JournalResult journal_read (Journal *journal, const char *path, Status *status);

/* Fails: IO (disk full, not permitted, ...), with the journal that was there before unharmed */
bool journal_write (const Journal *journal, const char *path, Status *status);

/* Renames it to "PATH.aside", so that nothing is lost and the batch can begin anew. */
bool journal_put_aside (const char *path, Status *status);
void journal_remove (const char *path);
