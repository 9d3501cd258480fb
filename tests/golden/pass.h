/* SPDX-License-Identifier: MPL-2.0
 * pass.h - one pass of a network against a fixture, for the programs of this folder that test them.
 *
 * A program names its fixtures and tolerances in a Suite and calls suite_main.  A test opens a
 * Model, binds its network, runs it in a Ctx and compares what comes with "NAME.KEY" of the
 * fixtures' table.
 */
#pragma once

#include "backend/backend.h"
#include "core/arena.h"
#include "core/ctx.h"
#include "models/common.h"
#include "weights/checkpoint.h"
#include "weights/mapped.h"
#include "weights/tensor-table.h"

typedef struct Suite Suite;

struct Suite
{
  const char *fixtures;                 /* folder below tests/golden/fixtures, "" for that itself */
  const char *expectation;              /* safetensors file in it */
  double tolerance_f32, tolerance_bf16; /* of the largest value of a result */
  void (*test_all) (Suite *s);
  /* filled in by suite_main */
  char folder[2048];
  Pool pool;
  MappedFile file;
  TensorTable expected;
  Backend *backend;
  Compute compute;
  double worst;
};

/* suite_main:
 * @argv: [--level NAME] [--precision f32|bf16]; GESSO_SOURCE names the source tree
 *
 * Runs all tests of @s as TAP; a level that this processor lacks is skipped as a whole.
 * Returns: the program's exit status
 */
int suite_main (Suite *s, int argc, char **argv);

/* ---- fixtures ---- */

/* What stands under "NAME.KEY", or "NAME" where @key is "".  Returns: NULL when there is none */
const FileTensor *expected (const Suite *s, const char *name, const char *key);
int64_t elements (const FileTensor *t);
const float *floats (const FileTensor *t);

/* Where element @i of @t, stored (N, C, H, W) when of rank 4, lies in our (N, H, W, C) with
 * @stride channels. */
int64_t our_index (const FileTensor *t, int64_t i, int64_t stride);

/* (N, C, H, W) of a file as a new (N, H, W, C). */
float *new_channels_last (const FileTensor *t);

/* ---- models ---- */

/* Opened, bound and run in one Ctx at a time. */
typedef struct
{
  Suite *suite;
  Checkpoint *checkpoint;
  Arena arena;
  Status status;
  Ctx *ctx;
} Model;

typedef Tensor *(*ForwardFunc) (Ctx *ctx, void *data);

/* @path: of a file or folder, below the suite's */
bool model_open (Model *m, Suite *s, const char *path);
Binder model_binder (Model *m);
/* Measures, plans and runs.  Returns: the result in the model's Ctx, NULL on failure */
Tensor *model_run (Model *m, ForwardFunc forward, void *data);
/* Closes it; what failed is a test called @name that failed. */
void model_close (Model *m, const char *name);

/* A file's numbers as they are. */
Tensor *file_input (Ctx *ctx, const FileTensor *t);
/* A file's (N, C, H, W) from @data, which is (N, H, W, C). */
Tensor *image_input (Ctx *ctx, const FileTensor *t, float *data);

/* ---- results ---- */

/* What a network gave, and how it is to be read. */
typedef struct
{
  const float *data; /* first channel to compare; NULL: no result */
  int64_t stride;    /* channels of a pixel */
  int64_t entry;     /* floats from an entry of the batch to the next; 0: they follow each other */
  float scale, shift, least;
  double unit; /* what errors are shares of; 0: the largest value expected */
  double tolerance_f32, tolerance_bf16;
} Got;

Got got_whole (const Suite *s, const Tensor *t);
/* A plain array in the file's order. */
Got got_floats (const Suite *s, const float *data);
void compare (Suite *s, const char *name, const char *key, Got got);
