/* SPDX-License-Identifier: MPL-2.0
 * safetensors.c - validated parse of a safetensors header.
 *
 * Source: the format's public description: u64 header length (little endian), a JSON object
 * {name: {dtype, shape, data_offsets: [begin, end]}} that may end in spaces, the data area.
 */
#include "weights/safetensors.h"

#include <string.h>

#include "weights/json.h"

enum
{
  LENGTH_BYTES = 8,
  MAX_HEADER_BYTES = 100 << 20,
};

typedef struct
{
  TensorTable *table;
  const char *label;
  const uint8_t *area; /* the tensors' bytes */
  uint64_t area_size;
  Status *status;
} Reader;

typedef struct
{
  const char *name;
  DType dtype; /* DTYPE_COUNT: known by name only */
  int bits;
} TypeRow;

static const TypeRow types[] = {
  { "F32", DTYPE_F32, 32 },      { "F16", DTYPE_F16, 16 },        { "BF16", DTYPE_BF16, 16 },
  { "F64", DTYPE_F64, 64 },      { "I64", DTYPE_I64, 64 },        { "I32", DTYPE_I32, 32 },
  { "I16", DTYPE_I16, 16 },      { "I8", DTYPE_I8, 8 },           { "U8", DTYPE_U8, 8 },
  { "BOOL", DTYPE_BOOL, 8 },     { "F8_E4M3", DTYPE_F8_E4M3, 8 }, { "F8_E5M2", DTYPE_F8_E5M2, 8 },
  { "F8_E8M0", DTYPE_COUNT, 8 }, { "U16", DTYPE_COUNT, 16 },      { "U32", DTYPE_COUNT, 32 },
  { "U64", DTYPE_COUNT, 64 },    { "C64", DTYPE_COUNT, 64 },      { "F4", DTYPE_COUNT, 4 },
  { "F6_E2M3", DTYPE_COUNT, 6 }, { "F6_E3M2", DTYPE_COUNT, 6 },
};

static const TypeRow *
find_type (const char *name)
{
  for (size_t i = 0; i < sizeof types / sizeof *types; i++)
    if (strcmp (types[i].name, name) == 0)
      return &types[i];
  return NULL;
}

static uint64_t
read_u64 (const uint8_t *p)
{
  uint64_t v = 0;
  for (int i = 7; i >= 0; i--)
    v = v << 8 | p[i];
  return v;
}

bool
safetensors_sniff (const void *data, size_t size)
{
  const uint8_t *p = data;
  return size > LENGTH_BYTES && p[LENGTH_BYTES] == '{' &&
         read_u64 (p) <= (uint64_t) MAX_HEADER_BYTES * 16;
}

static bool
read_shape (Reader *r, const char *name, struct json_object *shape, FileTensor *t)
{
  if (!json_object_is_type (shape, json_type_array))
    return damaged (r->status, r->label, "tensor \"%.100s\" has no shape", name);
  size_t rank = json_object_array_length (shape);
  if (rank > FILE_TENSOR_MAX_RANK)
    return damaged (r->status, r->label, "tensor \"%.100s\" has %zu dimensions", name, rank);
  t->rank = (int) rank;
  for (size_t i = 0; i < rank; i++)
    if (!json_get_i64 (json_object_array_get_idx (shape, i), &t->ne[i]) || t->ne[i] < 0)
      return damaged (r->status, r->label, "the shape of tensor \"%.100s\" is not made of counts",
                      name);
  return true;
}

static bool
read_offsets (Reader *r, const char *name, struct json_object *pair, uint64_t *begin, uint64_t *end)
{
  int64_t b, e;
  if (!json_object_is_type (pair, json_type_array) || json_object_array_length (pair) != 2 ||
      !json_get_i64 (json_object_array_get_idx (pair, 0), &b) ||
      !json_get_i64 (json_object_array_get_idx (pair, 1), &e) || b < 0 || e < 0)
    return damaged (r->status, r->label, "tensor \"%.100s\" has no valid data_offsets", name);
  if (b > e)
    return damaged (r->status, r->label, "tensor \"%.100s\" ends before it begins", name);
  if ((uint64_t) e > r->area_size)
    return damaged (r->status, r->label,
                    "tensor \"%.100s\" reaches beyond the end of the file, which was cut short",
                    name);
  *begin = (uint64_t) b;
  *end = (uint64_t) e;
  return true;
}

static bool
check_size (Reader *r, const FileTensor *t, int bits)
{
  uint64_t n, n_bits;
  if (!shape_elements (t->ne, t->rank, &n) || __builtin_mul_overflow (n, (uint64_t) bits, &n_bits))
    return damaged (r->status, r->label, "the shape of tensor \"%.100s\" is too large", t->name);
  if (n_bits % 8 || n_bits / 8 != t->n_bytes)
    return damaged (r->status, r->label,
                    "tensor \"%.100s\" holds %llu bytes where its shape needs %llu", t->name,
                    (unsigned long long) t->n_bytes, (unsigned long long) (n_bits / 8));
  return true;
}

static bool
read_tensor (Reader *r, const char *name, struct json_object *entry)
{
  if (!json_object_is_type (entry, json_type_object))
    return damaged (r->status, r->label, "the entry of tensor \"%.100s\" is not an object", name);
  struct json_object *type_text = json_object_object_get (entry, "dtype");
  if (!json_object_is_type (type_text, json_type_string))
    return damaged (r->status, r->label, "tensor \"%.100s\" has no dtype", name);
  const TypeRow *type = find_type (json_object_get_string (type_text));
  if (!type)
    return status_fail (
        r->status, STATUS_UNSUPPORTED,
        "\"%.100s\" stores tensor \"%.100s\" as \"%.20s\", a number format that this "
        "version does not know.",
        r->label, name, json_object_get_string (type_text));
  FileTensor t = { .dtype = type->dtype, .type_name = type->name };
  uint64_t begin = 0, end = 0;
  if (!read_shape (r, name, json_object_object_get (entry, "shape"), &t) ||
      !read_offsets (r, name, json_object_object_get (entry, "data_offsets"), &begin, &end))
    return false;
  t.data = r->area + begin;
  t.n_bytes = end - begin;
  t.name = pool_strdup (r->table->pool, name, r->status);
  return t.name && check_size (r, &t, type->bits) && table_add (r->table, &t, r->label, r->status);
}

static bool
read_metadata (Reader *r, struct json_object *metadata)
{
  if (!json_object_is_type (metadata, json_type_object))
    return damaged (r->status, r->label, "its __metadata__ is not an object");
  json_object_object_foreach (metadata, key, value)
  {
    if (!json_object_is_type (value, json_type_string))
      return damaged (r->status, r->label, "its __metadata__ has a value that is not text");
    if (!table_add_metadata (r->table, key, json_object_get_string (value), r->status))
      return false;
  }
  return true;
}

static bool
read_header (Reader *r, struct json_object *header)
{
  json_object_object_foreach (header, name, entry)
  {
    bool ok = strcmp (name, "__metadata__") == 0 ? read_metadata (r, entry)
                                                 : read_tensor (r, name, entry);
    if (!ok)
      return false;
  }
  return r->table->n_items || damaged (r->status, r->label, "it holds no tensors");
}

bool
safetensors_parse (
    TensorTable *table, const void *data, size_t size, const char *label, Status *status)
{
  const uint8_t *bytes = data;
  if (size < LENGTH_BYTES)
    return damaged (status, label, "it is only %zu bytes long", size);
  uint64_t n = read_u64 (bytes);
  if (n > size - LENGTH_BYTES)
    return damaged (status, label, "its header is longer than the file, which was cut short");
  if (n > MAX_HEADER_BYTES)
    return status_fail (status, STATUS_UNSUPPORTED,
                        "\"%.100s\" has a header of %llu MB; headers over %d MB are refused.",
                        label, (unsigned long long) (n >> 20), MAX_HEADER_BYTES >> 20);
  Reader r = { table, label, bytes + LENGTH_BYTES + n, size - LENGTH_BYTES - n, status };
  struct json_object *header =
      json_parse_object ((const char *) bytes + LENGTH_BYTES, n, label, status);
  if (!header)
    return false;
  bool ok = read_header (&r, header);
  json_object_put (header);
  return ok;
}
