/* SPDX-License-Identifier: MPL-2.0
 * prompt-grammar.h - what users write around their words: weights, schedules, AND, <lora:...>.
 *
 * The order is that of A1111: prompt_take_networks, prompt_split_and, prompt_schedule,
 * prompt_parse_attention, then tokens.  Every parser takes any bytes; what does not parse is text.
 * Brackets may nest TEXT_MAX_NESTING deep and a prompt may have TEXT_MAX_BYTES.
 *
 * Results are plain lists.  Zero-initialise, end with the matching clear function; a function that
 * fails leaves its list empty.  All fail with NO_MEMORY, or ARGUMENT when a limit is passed.
 */
#pragma once

#include <stdbool.h>

#include "core/status.h"

typedef enum
{
  PROMPT_A1111,   /* (x) [x] (x:1.3) multiply; BREAK; backslash escapes */
  PROMPT_COMFYUI, /* (x) multiplies by 1.1, (x:1.3) sets; \( and \) escape; nothing else */
  PROMPT_PLAIN    /* the text as it stands, weight 1 */
} PromptSyntax;

typedef struct
{
  const char *text; /* "" for a break */
  double weight;
  bool is_break; /* the chunk of tokens ends here */
} PromptPiece;

typedef struct
{
  PromptPiece *items;
  int n;
  char *pool; /* the texts */
} PromptPieces;

/* prompt_parse_attention:
 *
 * The text in pieces of equal weight, in order.  In PROMPT_A1111 neighbours of one weight are
 * joined and there is at least one piece; BREAK inside brackets breaks too.
 *
 * Fails: ARGUMENT also when a weight is too large for a float
 */
bool prompt_parse_attention (const char *text,
                             PromptSyntax syntax,
                             PromptPieces *pieces,
                             Status *status);

/* prompt_split_and:
 *
 * The prompts between the words AND, each with the weight behind its last colon ("a cat :0.5"),
 * default 1.  Combine as u + sum of w_i * cfg * (c_i - u).  At least one piece.
 */
bool prompt_split_and (const char *text, PromptPieces *pieces, Status *status);

void prompt_pieces_clear (PromptPieces *pieces);

typedef struct
{
  int end_at_step; /* the last step, from 1, that uses @text */
  const char *text;
} PromptPhase;

typedef struct
{
  PromptPhase *items; /* by rising end_at_step; the last one ends at the last step */
  int n;
  char *pool;
} PromptSchedule;

enum
{
  PROMPT_MAX_STEPS = 10000
};

typedef struct
{
  int steps;          /* of this pass, 1 .. PROMPT_MAX_STEPS */
  int base_steps;     /* 0: first pass; else steps of the first pass, and this is the hires pass */
  bool old_timelines; /* A1111's "Old prompt editing timelines": below 1 is a fraction */
} PromptScheduleOptions;

/* prompt_schedule:
 *
 * Resolves [from:to:when], [to:when], [from::when] and [a|b|c].  @when with a point is a fraction
 * of the steps, else a step; in the hires pass fractions begin at 1.0 and steps behind the base
 * steps. Brackets that fit none of these stay as they are; a | outside of [a|b] leaves the whole
 * text as it is, as in A1111.  Neighbouring phases may have the same text.
 */
bool prompt_schedule (const char *text,
                      const PromptScheduleOptions *options,
                      PromptSchedule *schedule,
                      Status *status);
void prompt_schedule_clear (PromptSchedule *schedule);

typedef struct
{
  const char *key; /* NULL: by place */
  const char *value;
} PromptNetworkArg;

typedef struct
{
  const char *kind; /* "lora", "lyco", "hypernet", ... as written */
  const char *name;
  const PromptNetworkArg *args; /* behind the name */
  int n_args;
} PromptNetwork;

typedef struct
{
  PromptNetwork *items;
  int n;
  PromptNetworkArg *args;
  char *pool;
  char *rest; /* the prompt without the tags */
} PromptNetworks;

/* Takes every <kind:name:...> out of @text; what remains is @networks->rest. */
bool prompt_take_networks (const char *text, PromptNetworks *networks, Status *status);
void prompt_networks_clear (PromptNetworks *networks);

/* prompt_network_weights:
 * @te, @unet: multipliers of text encoder and UNet
 *
 * <lora:name:te:unet>, te= and unet= win; the UNet's is the encoder's unless given, and 1 is
 * default.
 *
 * Fails: ARGUMENT when one is not a number, or does not fit a float
 */
bool
prompt_network_weights (const PromptNetwork *network, double *te, double *unet, Status *status);
