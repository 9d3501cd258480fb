/* SPDX-License-Identifier: MPL-2.0
 * text.h - building text piece by piece, numbers as text in any locale, lists of notes.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "core/status.h"

/* A text that grows.  Zero-initialise.  Running out of memory is remembered in @failed, so that a
 * writer needs one check at its end, in text_steal(). */
typedef struct
{
  char *data; /* terminated once anything was appended */
  size_t length, capacity;
  bool failed;
} Text;

void text_append (Text *text, const char *piece);
void text_append_n (Text *text, const char *piece, size_t n_bytes);
void text_printf (Text *text, const char *format, ...) __attribute__ ((format (printf, 2, 3)));
void text_clear (Text *text);

/* Returns: the terminated text, the caller's to mem_free; NULL and @status set when memory ran out.
 */
char *text_steal (Text *text, Status *status);

enum
{
  TEXT_NUMBER_SIZE = 32,
  TEXT_EXCERPT_SIZE = 84
};

/* The shortest decimal that reads back as the same double; '.' in every locale. */
void text_from_double (char out[TEXT_NUMBER_SIZE], double value);

/* Reads all of @text as a finite decimal number with '.'; white space around it is allowed. */
bool text_to_double (const char *text, double *value);

/* The beginning of @text for a sentence to the user: one line, valid UTF-8, "..." where cut. */
const char *text_excerpt (char out[TEXT_EXCERPT_SIZE], const char *text);

/* Replaces @field, the string of a struct; NULL and "" empty it.  Fails: NO_MEMORY, it stays then
 */
bool text_replace (char **field, const char *text, Status *status);

/* How much of @name, of a model's file, stands before its extension. */
size_t text_stem_length (const char *name);

/* True for NULL and "". */
bool text_is_empty (const char *text);
/* ASCII letters compare alike in both cases, whatever the locale. */
bool text_equal_nocase (const char *a, const char *b);
bool text_starts_with (const char *text, const char *prefix);
bool text_ends_with (const char *text, const char *suffix);

enum
{
  NOTES_MAX = 100
};

/* Sentences about what a file says that a recipe cannot hold.  Zero-initialise.  At most NOTES_MAX
 * are kept; further ones are counted in @n_dropped. */
typedef struct
{
  char **items;
  size_t n, capacity;
  size_t n_dropped;
} Notes;

/* Returns: false and @status set when memory ran out. */
bool notes_add (Notes *notes, Status *status, const char *format, ...)
    __attribute__ ((format (printf, 3, 4)));
void notes_clear (Notes *notes);
