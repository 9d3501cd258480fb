/* SPDX-License-Identifier: MPL-2.0
 * prompt-build.h - what the prompt parsers share: pieces under construction. */
#pragma once

#include "text/chars.h"
#include "text/prompt-grammar.h"

/* A piece of text.data from @start; it ends where the next one starts. */
typedef struct
{
  size_t start;
  double weight;
  bool is_break;
} Draft;

typedef struct
{
  TextBuf text;
  Draft *items;
  size_t n, capacity;
} Drafts;

bool drafts_add (
    Drafts *d, const char *bytes, size_t n_bytes, double weight, bool is_break, Status *status);

/* Turns the drafts into @pieces; ARGUMENT when a weight does not fit a float. */
bool drafts_finish (const Drafts *d, PromptPieces *pieces, Status *status);
void drafts_clear (Drafts *d);

/* Where the word @word (ASCII letters) stands alone at or after @p: between characters that are
 * neither letter, number nor underscore.  NULL: nowhere before @end.  @start: where the text
 * begins. */
const char *find_word (const char *start, const char *p, const char *end, const char *word);

/* Its pieces with ComfyUI's rules, added to @d. */
bool comfyui_parse (Drafts *d, const char *text, size_t n_bytes, Status *status);

bool prompt_too_deep (Status *status);
