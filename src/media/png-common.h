/* SPDX-License-Identifier: MPL-2.0
 * png-common.h - how libpng reports errors and takes memory; for png-write.c and png-read.c only.
 */
#pragma once

#include <png.h>

#include "core/status.h"

enum
{
  PNG_MESSAGE_SIZE = 120
};

typedef struct
{
  png_structp png;
  png_infop info;
  Status *status;
  const char *name; /* for messages */
  bool writes;
  char message[PNG_MESSAGE_SIZE];
  bool no_memory;
} PngState;

/* Takes libpng back to its setjmp. */
void png_error_cb (png_structp png, png_const_charp message);
void png_warning_cb (png_structp png, png_const_charp message);
png_voidp png_malloc_cb (png_structp png, png_alloc_size_t n_bytes);
void png_free_cb (png_structp png, png_voidp p);

/* Turns what libpng said into the status, unless a cause is recorded already.  Returns: false */
bool png_state_failed (PngState *state);
