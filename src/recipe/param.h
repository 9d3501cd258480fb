/* SPDX-License-Identifier: MPL-2.0
 * param.h - one declared parameter of a plain struct: its type, range, names, and its value as
 * text.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/status.h"

/* In brackets: the C type of the field. */
typedef enum
{
  PARAM_STRING, /* [char *] UTF-8 of any kind; NULL is the empty text */
  PARAM_PATH,   /* [char *] a file's path or name, one line; NULL is none */
  PARAM_LIST,   /* [char *] a JSON array of objects as text; NULL is the empty list */
  PARAM_INT,    /* [int] */
  PARAM_U64,    /* [uint64_t] */
  PARAM_FLOAT,  /* [double] */
  PARAM_BOOL,   /* [bool] "true" or "false" */
  PARAM_ENUM    /* [an enum] as its choice's name; the value is the index into @choices */
} ParamType;

typedef enum
{
  PARAM_FOR_SD = 1, /* SD 1.5 and SDXL */
  PARAM_FOR_FLUX = 2,
  PARAM_FOR_WAN = 4 /* clips */
} ParamFamily;

enum
{
  PARAM_TEXT_MAX_BYTES = 1 << 20, /* a prompt or path longer than this is refused */
  PARAM_LIST_MAX_ITEMS = 64,
  PARAM_LIST_MAX_DEPTH = 4
};

typedef struct
{
  const char *key; /* in JSON and in recipe_set() */
  ParamType type;
  size_t offset;              /* of the field in its struct */
  const char *default_text;   /* as param_set() takes it */
  double min, max, step;      /* INT and FLOAT: inclusive range, and what a spin button adds */
  const char *unit;           /* "px", "pictures"; NULL for none */
  char letter;                /* one-letter flag on the command line; 0 for none */
  const char *flag;           /* long flag, without its dashes */
  const char *label;          /* in the window */
  const char *help;           /* one sentence */
  int since;                  /* recipe version that introduced it */
  const char *const *choices; /* ENUM: names, NULL at the end */
  unsigned families;          /* of models that it has an effect on, ParamFamily; 0 for all */
} RecipeParam;

/* What the user knows it by: its label in the window, else its key. */
const char *param_name (const RecipeParam *param);

/* param_set:
 * @record: the struct that @param's offset refers to
 * @text: white space around a number is ignored; choices in either case
 *
 * Fails: ARGUMENT, with the range or the valid choices in the sentence; the field keeps its value
 */
bool param_set (const RecipeParam *param, void *record, const char *text, Status *status);

/* Returns: the value as text that param_set() reads back exactly, the caller's to mem_free;
 * NULL and @status set when memory ran out. */
char *param_get_text (const RecipeParam *param, const void *record, Status *status);

/* Borrow or replace the field of a STRING or PATH parameter ("" when it is NULL). */
const char *param_peek_string (const RecipeParam *param, const void *record);
void param_clear_string (const RecipeParam *param, void *record);
bool param_is_string (const RecipeParam *param);

/* Number of choices of an ENUM parameter. */
int param_n_choices (const RecipeParam *param);
