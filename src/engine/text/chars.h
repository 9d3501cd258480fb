/* SPDX-License-Identifier: MPL-2.0
 * chars.h - characters, numbers and growing text for the parsers and tokenizers in this folder.
 *
 * Any bytes may come in: a byte that is not UTF-8 reads as U+FFFD and the reader goes on behind it.
 * Nothing here looks at the locale (in many of them 1.3 is written 1,3).
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/status.h"

enum
{
  TEXT_MAX_BYTES = 1 << 20, /* of one prompt */
  TEXT_MAX_NESTING = 256    /* brackets in brackets */
};

/* Bytes, not terminated; zero-initialise, end with text_buf_clear. */
typedef struct
{
  char *data;
  size_t n, capacity;
} TextBuf;

/* Code points; zero-initialise, end with code_points_clear. */
typedef struct
{
  int32_t *items;
  size_t n, capacity;
} CodePoints;

bool text_buf_add (TextBuf *buf, const char *bytes, size_t n_bytes, Status *status);
void text_buf_clear (TextBuf *buf);
void code_points_clear (CodePoints *points);

/* Fails with NO_MEMORY; the one sentence for it. */
bool text_no_memory (Status *status);

/* Fails with ARGUMENT when @text is longer than TEXT_MAX_BYTES; sets @n_bytes. */
bool text_check_length (const char *text, size_t *n_bytes, Status *status);

/* The character at @p before @end (@p < @end); @n_bytes: how many it takes, at least 1. */
int32_t char_at (const char *p, const char *end, int *n_bytes);
/* The character that ends right before @p (@start < @p). */
int32_t char_before (const char *start, const char *p);

bool char_is_letter (int32_t c); /* \p{L} */
bool char_is_number (int32_t c); /* \p{N} */
bool char_is_space (int32_t c);  /* White_Space of Unicode */
bool char_is_word (int32_t c);   /* \w: letter, number or underscore */

/* Bytes of white space at the start of @p .. @end. */
size_t text_space_length (const char *p, const char *end);

/* decimal_parse:
 * @exponent: whether 1e3 counts as a number
 *
 * Reads [+-] digits with at most one point, as double rounds it for up to 15 digits.
 *
 * Returns: false when p .. p + n_bytes is not a number from end to end
 */
bool decimal_parse (const char *p, size_t n_bytes, bool exponent, double *value);

/* text_normalise:
 * @text: UTF-8, terminated
 * @out: (added to) NFC, every run of white space as one space, lower case character by character
 *
 * Time is linear whatever the bytes are.  Fails: NO_MEMORY; ARGUMENT when too long
 */
bool text_normalise (const char *text, CodePoints *out, Status *status);
