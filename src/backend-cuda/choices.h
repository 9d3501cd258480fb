/* SPDX-License-Identifier: MPL-2.0
 * choices.h - NVIDIA's libraries as alternatives to our kernels, where a measurement says so.
 *
 * cuBLASLt for plain products and cuDNN for convolutions are looked for when a backend starts;
 * nothing needs them.  The first call of each shape is timed both ways on the card, on the call's
 * own operands, which takes four runs of a long shape and ten of a short one.  What was
 * found is kept in the user's cache folder, so that a picture is the same the next time, too: see
 * choices-file.c.
 *
 * They are left alone where the card's memory has a limit, since theirs is not counted, and in f32.
 * GESSO_CUDA_LIBRARIES=off leaves them alone; =measure neither reads nor writes the file.
 */
#pragma once

#include "cuda.h"

typedef enum
{
  CHOICE_UNKNOWN,
  CHOICE_OWN,
  CHOICE_LIBRARY
} CudaWinner;

enum
{
  CHOICE_KEY = 16,
  CHOICE_TABLE = 1024, /* open addressing */
  MAX_CHOICES = 768,   /* what comes after that is not measured */
  NOT_THIS_SHAPE = -1  /* no failure of the library: it has nothing for this call */
};

/* Of one shape; key[0] is never 0. */
typedef struct
{
  int64_t key[CHOICE_KEY];
  CudaWinner winner;
  float own_ms, library_ms;
  void *plan; /* the library's */
} CudaChoice;

/* A library's side.  Errors are the library's own, or NOT_THIS_SHAPE; 0 is success. */
typedef struct
{
  const char *name;
  long version;
  void *handle; /* the library's */
  const void *functions;
  int (*plan) (CudaBackend *b, const CudaCall *call, void **plan);
  size_t (*workspace) (const void *plan);
  /* @y: instead of the call's */
  int (*run) (CudaBackend *b, const CudaCall *call, const void *plan, void *y, void *workspace);
  void (*plan_free) (CudaBackend *b, void *plan);
  void (*close) (CudaBackend *b);
  bool is_broken;
} CudaLibrary;

struct CudaChoices
{
  CudaLibrary libraries[CUDA_CALL_KINDS]; /* name NULL: not here */
  CudaChoice table[CHOICE_TABLE];
  int n, n_unsaved;
  DriverEvent begin, end;
  char path[512], card[384]; /* "": not kept; what the file has to be of */
  const CudaChoice *last;
};

/* The key's place: the choice, or a free one with key[0] 0. */
CudaChoice *choices_find (CudaChoices *c, const int64_t key[CHOICE_KEY]);

/* --- cublaslt.c, cudnn.c --- */

/* Returns: false, with nothing left behind, when the library is not here or does not start. */
bool cublaslt_open (CudaBackend *b, CudaLibrary *library);
bool cudnn_open (CudaBackend *b, CudaLibrary *library);

typedef struct
{
  const char *name;
  size_t offset; /* in a table of functions */
} CudaSymbol;

/* Loads the library of that name.  Returns: false unless it has them all */
bool library_load (const char *name, const CudaSymbol *symbols, size_t n, void *functions);

/* --- choices-file.c --- */

/* Fills in path and card, and reads what was measured before; a file that is damaged or of another
 * card, driver, library or build of ours counts as none. */
void choices_read (CudaBackend *b, CudaChoices *c);
/* Whole or not at all; a folder that cannot be written is no error. */
void choices_write (CudaChoices *c);
