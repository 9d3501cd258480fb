/* SPDX-License-Identifier: MPL-2.0
 * pairs.h - the "key: value, key: value" line of A1111's text, split by its rules.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "core/status.h"

typedef struct
{
  char *key, *value;
  bool used; /* for whoever reads them: this one has been understood */
} Pair;

/* Zero-initialise. */
typedef struct
{
  Pair *items;
  size_t n, capacity;
} Pairs;

enum
{
  PAIRS_MAX = 4096,
  PAIRS_MAX_VALUE_BYTES = 1 << 18 /* a longer quoted or bracketed value is not seen as one */
};

/* pairs_split:
 * @line: @n_bytes without line breaks
 *
 * Keys are two characters or more out of letters, digits, "_", "-", "/" and space.  A value ends at
 * a comma, unless it is a JSON string in quotes or a balanced JSON array or object ("Civitai
 * resources").  What is no pair is passed over, as A1111 does.
 *
 * Fails: FORMAT for more than PAIRS_MAX pairs, NO_MEMORY
 */
bool pairs_split (Pairs *pairs, const char *line, size_t n_bytes, Status *status);
void pairs_clear (Pairs *pairs);

/* The first pair with this key, marked as used; NULL when there is none. */
Pair *pairs_take (Pairs *pairs, const char *key);
