/* SPDX-License-Identifier: MPL-2.0
 * cli.h - what the commands of gesso-cli share.
 */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "core/status.h"
#include "recipe/recipe.h"
#include "worker/models.h"
#include "worker/paths.h"

/* What scripts may rely on. */
enum
{
  EXIT_DONE = 0,
  EXIT_FAILED = 1,
  EXIT_USAGE = 2
};

enum
{
  CLI_PATH_SIZE = GESSO_PATH_SIZE
};

/* The command line after the command's name. */
typedef struct
{
  Recipe recipe;
  bool has_seed;
  const char *output;     /* --output */
  const char *latent_out; /* --latent-out */
  const char *preview;    /* --preview */
  const char *resume;     /* --resume */
  const char *level;      /* --level */
  int n_threads;          /* --threads */
  const char *backend;    /* --backend */
  int64_t vram_limit_mib; /* --vram-limit */
  const char *format;     /* --format */
  bool force;             /* --force */
  bool json, help;
  char **operands; /* what is no flag */
  int n_operands;
} Options;

typedef enum
{
  FLAGS_PLAIN,   /* --json and --help */
  FLAGS_DRAW,    /* also one for every parameter of the recipe table, and what goes with them */
  FLAGS_CONVERT, /* also --format, --force and --threads */
} FlagSet;

/* Returns: false after @status says what is wrong with the usage */
bool options_parse (Options *o, int argc, char **argv, FlagSet set, Status *status);
void options_clear (Options *o);
void options_print_help (FlagSet set);

/* Set by SIGINT and SIGTERM. */
extern atomic_bool cli_cancel;
/* By SIGTERM: what is under way may be taken up later. */
extern atomic_bool cli_told_to_end;

/* "gesso-cli: SENTENCE" on stderr, as JSON too when @json.  Returns: EXIT_FAILED, or EXIT_USAGE */
int cli_fail (const Status *status, bool json);
int cli_usage_error (const Status *status);

/* Writes @text as a JSON string. */
void json_print_string (const char *text);

int command_generate (Options *o);
int command_video (Options *o);
int command_plan (Options *o);
int command_inspect (Options *o);
int command_convert (Options *o);
int command_recipe (Options *o);
int command_models (Options *o);
int command_devices (Options *o);

/* bench and export have flags of their own.  They read argv from the command's name on, and print
 * their own help. */
int command_bench (int argc, char **argv, const char *usage);
int command_export (int argc, char **argv, const char *usage);

/* ---- places (paths.c) ---- */

/* Pictures/Gesso of the user, made when missing. */
bool path_pictures_dir (char out[CLI_PATH_SIZE], Status *status);

/* ---- progress (progress.c) ---- */

typedef struct
{
  bool json, terminal;
  double started, phase_started;
  int phase, picture, n_pictures;
  int done_before; /* of the phase, by a run before this one */
} Progress;

void progress_init (Progress *p, bool json, int n_pictures);
/* PipelineJob's callback; @data is the Progress. */
void progress_step (void *data, int phase, int done, int total);
/* The same under any name. */
void progress_named (Progress *p, const char *label, int done, int total);
void progress_clear_line (Progress *p);
double progress_now (void);
