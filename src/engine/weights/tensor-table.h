/* SPDX-License-Identifier: MPL-2.0
 * tensor-table.h - what a parser finds in a file: tensors under the file's own names, and metadata.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/dtype.h"
#include "core/status.h"
#include "kernels/args.h"
#include "weights/name-index.h"
#include "weights/pool.h"

enum
{
  FILE_TENSOR_MAX_RANK = 8,
  TENSOR_MAX_COUNT = 1 << 21 /* no model comes near; keeps positions in 32 bits */
};

typedef struct
{
  const char *name;
  DType dtype;           /* DTYPE_COUNT: a type that this build only knows by name */
  const char *type_name; /* "f16", "F8_E8M0", "expanded view" */
  int rank;
  int64_t ne[FILE_TENSOR_MAX_RANK];
  const uint8_t *data; /* NULL when only the header was read */
  uint64_t n_bytes;
  const ParamQuant *quant; /* in the pool; NULL where the data says everything */
  bool is_companion;       /* scales and the like of another tensor: no weight of its own */
} FileTensor;

typedef enum
{
  METADATA_U8,
  METADATA_I8,
  METADATA_U16,
  METADATA_I16,
  METADATA_U32,
  METADATA_I32,
  METADATA_F32,
  METADATA_BOOL,
  METADATA_TEXT,
  METADATA_U64,
  METADATA_I64,
  METADATA_F64,
  METADATA_COUNT
} MetadataKind;

/* A list in a file's metadata, where it lies in the file: checked to be all there. */
typedef struct
{
  const char *key;
  MetadataKind kind;
  int64_t n;
  const uint8_t *data;
} MetadataArray;

typedef struct
{
  Pool *pool; /* borrowed; owns every string and array here */
  FileTensor *items;
  size_t n_items, capacity;
  NameIndex index; /* owned by the table */
  char **metadata_keys, **metadata_values;
  size_t n_metadata, metadata_capacity[2];
  MetadataArray *arrays;
  size_t n_arrays, array_capacity;
} TensorTable;

void table_init (TensorTable *table, Pool *pool);
void table_clear (TensorTable *table);

/* table_add:
 * @label: the file's name, for messages
 * @tensor: copied; its name must live in the pool
 *
 * Fails: FORMAT when the name is there already, NO_MEMORY
 */
bool table_add (TensorTable *table, const FileTensor *tensor, const char *label, Status *status);
bool table_add_metadata (TensorTable *table, const char *key, const char *value, Status *status);

/* @array: copied; its key must live in the pool */
bool table_add_array (TensorTable *table, const MetadataArray *array, Status *status);

/* NULL when absent. */
const FileTensor *table_find (const TensorTable *table, const char *name);
const FileTensor *table_find_under (const TensorTable *table, const char *prefix, const char *name);
const char *table_metadata (const TensorTable *table, const char *key);
const MetadataArray *table_array (const TensorTable *table, const char *key);

double metadata_number (const MetadataArray *array, int64_t i); /* 0 for texts */
/* The text at *@at, a place in the array that starts at 0 and is moved to the next text.  It is not
 * terminated. */
const char *metadata_text (const MetadataArray *array, size_t *at, size_t *length);

/* Elements of a shape.  Returns: false when they overflow 62 bits */
bool shape_elements (const int64_t *ne, int rank, uint64_t *n_elements);

/* STATUS_FORMAT: "NAME is damaged: what.  Download it again."  Returns: false */
bool damaged (Status *status, const char *label, const char *format, ...)
    __attribute__ ((format (printf, 3, 4)));
