/* SPDX-License-Identifier: MPL-2.0
 * convert.h - from a file's tensors to a file in another storage format, tensor by tensor.
 */
#pragma once

#include "cli/cli.h"
#include "media/file.h"
#include "weights/source.h"

typedef enum
{
  CONVERT_BF16,
  CONVERT_FP8,  /* safetensors, e4m3 with ComfyUI's scale_weight */
  CONVERT_Q8_0, /* GGUF */
  CONVERT_Q4_K,
  CONVERT_COUNT
} ConvertFormat;

/* One tensor of the output. */
typedef struct
{
  const FileTensor *source;
  const char *name;
  DType dtype;              /* in the output */
  bool is_copy;             /* the bytes as they are: no float, or already in @dtype */
  bool is_scaled;           /* fp8: a scale follows */
  bool is_reshaped;         /* GGUF: stored as rows of 256 */
  int64_t n;                /* elements */
  uint64_t offset, n_bytes; /* in the data area */
  uint64_t scale_offset;
  double relative_rms, max_error; /* once it is written */
} OutTensor;

typedef struct
{
  ConvertFormat format;
  const TensorTable *table;
  const char *label;
  OutTensor *tensors; /* in the pool */
  size_t n_tensors, n_left_out;
  bool may_be_copy;          /* a file that the format does not change is no error */
  bool is_t5;                /* a lone T5 encoder that goes into a GGUF file */
  const char *scaled_marker; /* the name of ComfyUI's scaled_fp8 */
  uint64_t marker_offset;
  uint64_t data_bytes; /* of the data area */
  Pool *pool;
} ConvertPlan;

bool convert_is_gguf (ConvertFormat format);

/* convert_plan:
 * @plan: format, table, label and pool are filled in
 *
 * Chooses formats by ComfyUI-GGUF's rules: vectors, small tensors and the first and last layers of
 * a network stay as they are or in 32 bits, as do VAE and CLIP.
 *
 * Fails: UNSUPPORTED (no model that the format is for), NO_MEMORY
 */
bool convert_plan (ConvertPlan *plan, Status *status);

/* Everything in front of the data area, with its padding; in the pool. */
bool convert_header (const ConvertPlan *plan, const uint8_t **header, size_t *size, Status *status);

/* Writes @output, which is not there yet, from @input.  @shown: what @output will be called */
typedef bool (*ConvertPart) (
    void *data, const char *input, const char *output, const char *shown, Status *status);

/* convert_folder:
 * @input: a diffusers folder, or a part of one
 * @output: a folder that does not exist
 *
 * The best form of each part's weights goes through @part, shards into one file; everything else is
 * copied, but for other forms of the same weights.  The folder appears under its name when all of
 * it is there.
 *
 * Fails: as @part; IO, NOT_FOUND (no weights in it)
 */
bool convert_folder (
    const char *input, const char *output, ConvertPart part, void *data, Status *status);

/* Called after each piece.  Returns: false to stop */
typedef bool (*ConvertProgress) (void *data, const OutTensor *done, uint64_t n_bytes);

/* convert_write:
 *
 * Writes header and data and fills in the errors.  A few megabytes are held at a time; pages of the
 * source are given back behind it.
 *
 * Fails: IO, CANCELLED, NO_MEMORY
 */
bool convert_write (ConvertPlan *plan,
                    AtomicFile *file,
                    int n_threads,
                    ConvertProgress progress,
                    void *data,
                    Status *status);
