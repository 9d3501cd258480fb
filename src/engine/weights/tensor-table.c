/* SPDX-License-Identifier: MPL-2.0
 * tensor-table.c - the parsers' common result.
 */
#include "weights/tensor-table.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum
{
  LONGEST_NAME = 512 /* longer tensor names exist in no model */
};

void
table_init (TensorTable *table, Pool *pool)
{
  *table = (TensorTable){ .pool = pool };
}

void
table_clear (TensorTable *table)
{
  name_index_clear (&table->index);
  *table = (TensorTable){ 0 };
}

bool
damaged (Status *status, const char *label, const char *format, ...)
{
  char what[320];
  va_list args;
  va_start (args, format);
  vsnprintf (what, sizeof what, status_text (format), args);
  va_end (args);
  return status_fail (status, STATUS_FORMAT, "\"%.100s\" is damaged: %s. Download it again.", label,
                      what);
}

bool
table_add (TensorTable *table, const FileTensor *tensor, const char *label, Status *status)
{
  if (strlen (tensor->name) > LONGEST_NAME)
    return damaged (status, label, "a tensor's name is longer than %d bytes", LONGEST_NAME);
  if (table->n_items >= TENSOR_MAX_COUNT)
    return damaged (status, label, "it claims more than %d tensors", TENSOR_MAX_COUNT);
  if (table_find (table, tensor->name))
    return damaged (status, label, "tensor \"%.120s\" is there twice", tensor->name);
  if (!pool_grow (table->pool, &table->items, &table->capacity, table->n_items + 1,
                  sizeof *table->items, status) ||
      !name_index_set (&table->index, tensor->name, (int32_t) table->n_items, status))
    return false;
  table->items[table->n_items++] = *tensor;
  return true;
}

bool
table_add_metadata (TensorTable *table, const char *key, const char *value, Status *status)
{
  size_t n = table->n_metadata + 1;
  if (!pool_grow (table->pool, &table->metadata_keys, &table->metadata_capacity[0], n,
                  sizeof (char *), status) ||
      !pool_grow (table->pool, &table->metadata_values, &table->metadata_capacity[1], n,
                  sizeof (char *), status))
    return false;
  char *k = pool_strdup (table->pool, key, status);
  char *v = pool_strdup (table->pool, value, status);
  if (!k || !v)
    return false;
  table->metadata_keys[n - 1] = k;
  table->metadata_values[n - 1] = v;
  table->n_metadata = n;
  return true;
}

bool
table_add_array (TensorTable *table, const MetadataArray *array, Status *status)
{
  if (!pool_grow (table->pool, &table->arrays, &table->array_capacity, table->n_arrays + 1,
                  sizeof *table->arrays, status))
    return false;
  table->arrays[table->n_arrays++] = *array;
  return true;
}

const MetadataArray *
table_array (const TensorTable *table, const char *key)
{
  for (size_t i = 0; i < table->n_arrays; i++)
    if (strcmp (table->arrays[i].key, key) == 0)
      return &table->arrays[i];
  return NULL;
}

#define NUMBER(type)                                                                               \
  do                                                                                               \
    {                                                                                              \
      type v;                                                                                      \
      memcpy (&v, array->data + i * (int64_t) sizeof v, sizeof v);                                 \
      return (double) v;                                                                           \
    }                                                                                              \
  while (0)

double
metadata_number (const MetadataArray *array, int64_t i)
{
  switch (array->kind)
    {
    case METADATA_U8:
    case METADATA_BOOL:
      NUMBER (uint8_t);
    case METADATA_I8:
      NUMBER (int8_t);
    case METADATA_U16:
      NUMBER (uint16_t);
    case METADATA_I16:
      NUMBER (int16_t);
    case METADATA_U32:
      NUMBER (uint32_t);
    case METADATA_I32:
      NUMBER (int32_t);
    case METADATA_U64:
      NUMBER (uint64_t);
    case METADATA_I64:
      NUMBER (int64_t);
    case METADATA_F32:
      NUMBER (float);
    case METADATA_F64:
      NUMBER (double);
    case METADATA_TEXT:
    case METADATA_COUNT:
      break;
    }
  return 0;
}

const char *
metadata_text (const MetadataArray *array, size_t *at, size_t *length)
{
  uint64_t n;
  memcpy (&n, array->data + *at, sizeof n);
  const char *text = (const char *) array->data + *at + sizeof n;
  *at += sizeof n + n;
  *length = n;
  return text;
}

const FileTensor *
table_find (const TensorTable *table, const char *name)
{
  int32_t i = name_index_find (&table->index, name);
  return i < 0 ? NULL : &table->items[i];
}

const FileTensor *
table_find_under (const TensorTable *table, const char *prefix, const char *name)
{
  char full[LONGEST_NAME];
  int n = snprintf (full, sizeof full, "%s%s", prefix, name);
  return n < 0 || n >= (int) sizeof full ? NULL : table_find (table, full);
}

const char *
table_metadata (const TensorTable *table, const char *key)
{
  for (size_t i = 0; i < table->n_metadata; i++)
    if (strcmp (table->metadata_keys[i], key) == 0)
      return table->metadata_values[i];
  return NULL;
}

bool
shape_elements (const int64_t *ne, int rank, uint64_t *n_elements)
{
  uint64_t n = 1;
  bool is_empty = false;
  for (int i = 0; i < rank; i++)
    {
      if (ne[i] < 0)
        return false;
      is_empty |= ne[i] == 0;
      if (ne[i] && (__builtin_mul_overflow (n, (uint64_t) ne[i], &n) || n >> 62))
        return false;
    }
  *n_elements = is_empty ? 0 : n;
  return true;
}
