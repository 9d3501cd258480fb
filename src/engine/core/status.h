/* SPDX-License-Identifier: MPL-2.0
 * status.h - what went wrong in the world (files, memory, device), as one code and one sentence.
 *
 * The first failure wins: later ones are consequences and would only hide it.  The engine never
 * prints, aborts or exits; a Status travels up to the edge of the program, which shows it.
 *
 * Sentences are written in English.  A program whose user reads another language names a function
 * that translates formats, since only here do a format and its arguments meet.  What to do about
 * it may differ between programs: see status_here.
 */
#pragma once

#include <stdbool.h>

typedef enum
{
  STATUS_OK,
  STATUS_NO_MEMORY,
  STATUS_IO,          /* the system refused: open, read, write, map */
  STATUS_FORMAT,      /* a file is damaged or not what it claims to be */
  STATUS_UNSUPPORTED, /* understood, but this build cannot do it */
  STATUS_NOT_FOUND,   /* a file, model or tensor that was asked for is not there */
  STATUS_ARGUMENT,    /* a parameter is out of its range */
  STATUS_SHAPE,       /* tensors do not fit together */
  STATUS_PLAN,        /* a run left its plan */
  STATUS_CANCELLED,
} StatusCode;

enum
{
  STATUS_MESSAGE_SIZE = 480
};

/* Zero-initialise: (Status){ 0 } is STATUS_OK. */
typedef struct
{
  StatusCode code;
  char message[STATUS_MESSAGE_SIZE]; /* one sentence for the user: what happened, what to do */
} Status;

/* status_fail:
 *
 * Records the failure unless one is recorded already.  @status may not be NULL.  @format is
 * translated here; what a "%s" stands for is not.
 *
 * Returns: always false, so that a function can `return status_fail (...)`
 */
bool status_fail (Status *status, StatusCode code, const char *format, ...)
    __attribute__ ((format (printf, 3, 4)));

/* A word or half a sentence in a table, given to status_text() when it is used: found by xgettext.
 */
#define STATUS_MARK(text) text

/* Returns: @text in the user's language, or itself; valid for ever, from any thread */
typedef const char *(*StatusTranslate) (const char *text);
/* Once, before there are other threads; NULL: English. */
void status_set_translate (StatusTranslate translate);
/* status_text:
 * @text: as it stands in the source, literal or marked; a format keeps its conversions
 */
const char *status_text (const char *text) __attribute__ ((format_arg (1)));

/* Whether sentences are read in the window, which has rows and pages, and not beside a command,
 * which has flags.  Set once, before there are other threads; false at first. */
void status_set_in_window (bool is);
bool status_is_in_window (void);
/* status_here:
 * @terminal, @window: the part of a sentence that says where something is changed; both marked
 *
 * Returns: the one for this program, as status_text() gives it
 */
const char *status_here (const char *terminal, const char *window);

static inline bool
status_ok (const Status *status)
{
  return status->code == STATUS_OK;
}

const char *status_code_name (StatusCode code);
