/* SPDX-License-Identifier: MPL-2.0
 * pickle-machine.h - reads the data in a Python pickle without ever running any of it.
 *
 * A pickle is a program for a stack machine whose GLOBAL and REDUCE can call any Python function.
 * This machine knows a closed list of opcodes and a closed list of harmless callables (build a
 * dict, describe a tensor); every other object becomes opaque: something that was there, and no
 * more.
 */
#pragma once

#include "core/dtype.h"
#include "weights/pool.h"

#include <stdint.h>

typedef enum
{
  PICKLE_NONE,
  PICKLE_BOOL,
  PICKLE_INT,
  PICKLE_FLOAT,
  PICKLE_TEXT,  /* strings and bytes */
  PICKLE_TUPLE, /* also lists and sets */
  PICKLE_LIST,
  PICKLE_DICT, /* items: key, value, key, value ... in file order */
  PICKLE_GLOBAL,
  PICKLE_STORAGE,
  PICKLE_TENSOR,
  PICKLE_OPAQUE,
  PICKLE_MARK
} PickleKind;

enum
{
  PICKLE_MAX_RANK = 8
};

typedef struct PickleValue PickleValue;

/* Raw numbers that tensors are views of. */
typedef struct
{
  const char *key;
  DType dtype;           /* DTYPE_COUNT: known by name only */
  const char *type_name; /* "HalfStorage" */
  uint64_t n_elements;   /* UntypedStorage: bytes */
  bool is_untyped;
} PickleStorage;

typedef struct
{
  const PickleValue *storage;
  DType dtype;
  const char *type_name;
  int rank;
  int64_t ne[PICKLE_MAX_RANK], stride[PICKLE_MAX_RANK]; /* in elements */
  int64_t offset;                                       /* in elements */
} PickleTensor;

struct PickleValue
{
  PickleKind kind;
  union
  {
    int64_t integer; /* also bool; saturated */
    double real;
    struct
    {
      const char *bytes; /* zero-terminated after @size bytes */
      size_t size;
    } text; /* also global: "module.name" */
    struct
    {
      PickleValue **items;
      size_t n, capacity;
    } list; /* tuple, list, dict (two items a member) */
    PickleStorage *storage;
    PickleTensor *tensor;
  };
};

/* pickle_run:
 * @p: where the pickle begins; moved behind its STOP
 * @end: end of the bytes
 * @label: the file's name, for messages
 *
 * Returns: the value that the pickle describes, in @pool; NULL and @status set
 * Fails: FORMAT, UNSUPPORTED (an opcode outside of the list), NO_MEMORY
 */
PickleValue *
pickle_run (Pool *pool, const uint8_t **p, const uint8_t *end, const char *label, Status *status);

/* The value under a text key of a dict; the last one wins.  NULL: absent, or not a dict */
const PickleValue *pickle_member (const PickleValue *dict, const char *key);
