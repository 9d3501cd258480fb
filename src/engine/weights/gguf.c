/* SPDX-License-Identifier: MPL-2.0
 * gguf.c - validated parse of a GGUF file, versions 2 and 3.
 *
 * Source: the format's public description (ggml, docs/gguf.md): magic, u32 version, u64 tensors,
 * u64 key-value pairs, the pairs, one record a tensor, padding, data.  All little endian.
 */
#include "weights/gguf.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum
{
  VERSION_MIN = 2,
  VERSION_MAX = 3,
  LEAST_PAIR_BYTES = 8 + 4 + 1,       /* an empty key, a type, a byte */
  LEAST_TENSOR_BYTES = 8 + 4 + 4 + 8, /* an empty name, no dimensions, type, offset */
  DEFAULT_ALIGNMENT = 32,
  MAX_ALIGNMENT = 1 << 20,
  MAX_KEY_BYTES = 65535,
  LONGEST_RENAMED = 160
};

/* Types of metadata values, by their number in the file. */
static const struct
{
  MetadataKind kind;
  int size;
} value_types[] = {
  { METADATA_U8, 1 },   { METADATA_I8, 1 },    { METADATA_U16, 2 }, { METADATA_I16, 2 },
  { METADATA_U32, 4 },  { METADATA_I32, 4 },   { METADATA_F32, 4 }, { METADATA_BOOL, 1 },
  { METADATA_TEXT, 0 }, { METADATA_COUNT, 0 }, { METADATA_U64, 8 }, { METADATA_I64, 8 },
  { METADATA_F64, 8 },
};

enum
{
  N_VALUE_TYPES = sizeof value_types / sizeof *value_types
};

typedef struct
{
  uint32_t id;
  const char *name;
  DType dtype; /* DTYPE_COUNT: known by name only */
  int block_elements, block_bytes;
} TypeRow;

#define KNOWN(id, dtype, elements, bytes)                                                          \
  {                                                                                                \
    id, NULL, dtype, elements, bytes                                                               \
  }
#define NAMED(id, name, elements, bytes)                                                           \
  {                                                                                                \
    id, name, DTYPE_COUNT, elements, bytes                                                         \
  }

static const TypeRow types[] = {
  KNOWN (0, DTYPE_F32, 1, 4),       KNOWN (1, DTYPE_F16, 1, 2),
  KNOWN (2, DTYPE_Q4_0, 32, 18),    KNOWN (3, DTYPE_Q4_1, 32, 20),
  KNOWN (6, DTYPE_Q5_0, 32, 22),    KNOWN (7, DTYPE_Q5_1, 32, 24),
  KNOWN (8, DTYPE_Q8_0, 32, 34),    NAMED (9, "q8_1", 32, 40),
  KNOWN (10, DTYPE_Q2_K, 256, 84),  KNOWN (11, DTYPE_Q3_K, 256, 110),
  KNOWN (12, DTYPE_Q4_K, 256, 144), KNOWN (13, DTYPE_Q5_K, 256, 176),
  KNOWN (14, DTYPE_Q6_K, 256, 210), NAMED (15, "q8_k", 256, 292),
  NAMED (16, "iq2_xxs", 256, 66),   NAMED (17, "iq2_xs", 256, 74),
  NAMED (18, "iq3_xxs", 256, 98),   NAMED (19, "iq1_s", 256, 50),
  NAMED (20, "iq4_nl", 32, 18),     NAMED (21, "iq3_s", 256, 110),
  NAMED (22, "iq2_s", 256, 82),     NAMED (23, "iq4_xs", 256, 136),
  KNOWN (24, DTYPE_I8, 1, 1),       KNOWN (25, DTYPE_I16, 1, 2),
  KNOWN (26, DTYPE_I32, 1, 4),      KNOWN (27, DTYPE_I64, 1, 8),
  KNOWN (28, DTYPE_F64, 1, 8),      NAMED (29, "iq1_m", 256, 56),
  KNOWN (30, DTYPE_BF16, 1, 2),     NAMED (34, "tq1_0", 256, 54),
  NAMED (35, "tq2_0", 256, 66),     NAMED (39, "mxfp4", 32, 17),
  NAMED (40, "nvfp4", 64, 36),
};

typedef struct
{
  TensorTable *table;
  const char *label;
  const uint8_t *data;
  uint64_t size, at; /* at <= size, always */
  uint64_t alignment;
  bool is_t5;
  NameIndex keys; /* of the metadata, so that none comes twice */
  Status *status;
} Reader;

static const TypeRow *
find_type (uint32_t id)
{
  for (size_t i = 0; i < sizeof types / sizeof *types; i++)
    if (types[i].id == id)
      return &types[i];
  return NULL;
}

static bool
cut_short (Reader *r)
{
  return damaged (r->status, r->label, "it ends inside its header, the download was cut short");
}

static bool
read_uint (Reader *r, int n_bytes, uint64_t *out)
{
  *out = 0;
  if (r->size - r->at < (uint64_t) n_bytes)
    return cut_short (r);
  for (int i = n_bytes - 1; i >= 0; i--)
    *out = *out << 8 | r->data[r->at + (uint64_t) i];
  r->at += (uint64_t) n_bytes;
  return true;
}

/* Text that ends at its length; it is not terminated in the file. */
static bool
read_text (Reader *r, const char **text, uint64_t *length)
{
  *text = NULL;
  if (!read_uint (r, 8, length))
    return false;
  if (*length > r->size - r->at)
    return cut_short (r);
  *text = (const char *) r->data + r->at;
  r->at += *length;
  return true;
}

/* A key or a tensor's name, copied. */
static char *
read_name (Reader *r)
{
  const char *text;
  uint64_t length;
  if (!read_text (r, &text, &length))
    return NULL;
  if (length > MAX_KEY_BYTES || memchr (text, '\0', length))
    {
      damaged (r->status, r->label, "a name in it is no text");
      return NULL;
    }
  return pool_strndup (r->table->pool, text, length, r->status);
}

/* ---- metadata ---- */

static const char *
number_text (char *out, size_t size, MetadataKind kind, uint64_t bits)
{
  float f;
  double d;
  uint32_t low = (uint32_t) bits;
  memcpy (&f, &low, sizeof f);
  memcpy (&d, &bits, sizeof d);
  switch (kind)
    {
    case METADATA_I8:
      snprintf (out, size, "%d", (int8_t) bits);
      break;
    case METADATA_I16:
      snprintf (out, size, "%d", (int16_t) bits);
      break;
    case METADATA_I32:
      snprintf (out, size, "%" PRId32, (int32_t) bits);
      break;
    case METADATA_I64:
      snprintf (out, size, "%" PRId64, (int64_t) bits);
      break;
    case METADATA_F32:
      snprintf (out, size, "%.9g", (double) f);
      break;
    case METADATA_F64:
      snprintf (out, size, "%.17g", d);
      break;
    case METADATA_BOOL:
      return bits ? "true" : "false";
    case METADATA_U8:
    case METADATA_U16:
    case METADATA_U32:
    case METADATA_U64:
    case METADATA_TEXT:
    case METADATA_COUNT:
      snprintf (out, size, "%" PRIu64, bits);
      break;
    }
  return out;
}

static bool
read_alignment (Reader *r, uint64_t n)
{
  if (n == 0 || n > MAX_ALIGNMENT || n & (n - 1))
    return damaged (r->status, r->label, "its alignment is %" PRIu64, n);
  r->alignment = n;
  return true;
}

static bool
read_single (Reader *r, const char *key, uint32_t type)
{
  if (value_types[type].kind == METADATA_TEXT)
    {
      const char *text;
      uint64_t length;
      if (!read_text (r, &text, &length))
        return false;
      const char *copy = pool_strndup (r->table->pool, text, length, r->status);
      if (copy && strcmp (key, "general.architecture") == 0)
        r->is_t5 = strcmp (copy, "t5") == 0 || strcmp (copy, "t5encoder") == 0;
      return copy && table_add_metadata (r->table, key, copy, r->status);
    }
  char text[32];
  uint64_t bits;
  if (!read_uint (r, value_types[type].size, &bits))
    return false;
  if (strcmp (key, "general.alignment") == 0 && !read_alignment (r, bits))
    return false;
  return table_add_metadata (
      r->table, key, number_text (text, sizeof text, value_types[type].kind, bits), r->status);
}

static bool
read_array (Reader *r, const char *key)
{
  uint64_t type, n;
  if (!read_uint (r, 4, &type) || !read_uint (r, 8, &n))
    return false;
  if (type >= N_VALUE_TYPES || value_types[type].kind == METADATA_COUNT)
    return damaged (r->status, r->label, "the list \"%.100s\" has items of type %" PRIu64, key,
                    type);
  uint64_t start = r->at, n_bytes = 0;
  if (value_types[type].kind == METADATA_TEXT)
    for (uint64_t i = 0; i < n; i++)
      {
        const char *text;
        uint64_t length;
        if (!read_text (r, &text, &length))
          return false;
      }
  else if (__builtin_mul_overflow (n, (uint64_t) value_types[type].size, &n_bytes) ||
           n_bytes > r->size - r->at)
    return cut_short (r);
  r->at += n_bytes;
  MetadataArray array = { key, value_types[type].kind, (int64_t) n, r->data + start };
  return table_add_array (r->table, &array, r->status);
}

static bool
read_pair (Reader *r)
{
  enum
  {
    ARRAY = 9
  };
  uint64_t type;
  const char *key = read_name (r);
  if (!key || !read_uint (r, 4, &type))
    return false;
  if (name_index_find (&r->keys, key) >= 0)
    return damaged (r->status, r->label, "\"%.100s\" is there twice", key);
  if (!name_index_set (&r->keys, key, 0, r->status))
    return false;
  if (type == ARRAY)
    return read_array (r, key);
  if (type >= N_VALUE_TYPES)
    return damaged (r->status, r->label, "\"%.100s\" has type %" PRIu64, key, type);
  return read_single (r, key, (uint32_t) type);
}

/* ---- names of T5 ---- */

static const struct
{
  const char *llama, *hf;
} t5_names[] = {
  { "attn_q", "layer.0.SelfAttention.q" },
  { "attn_k", "layer.0.SelfAttention.k" },
  { "attn_v", "layer.0.SelfAttention.v" },
  { "attn_o", "layer.0.SelfAttention.o" },
  { "attn_rel_b", "layer.0.SelfAttention.relative_attention_bias" },
  { "attn_norm", "layer.0.layer_norm" },
  { "ffn_gate", "layer.1.DenseReluDense.wi_0" },
  { "ffn_up", "layer.1.DenseReluDense.wi_1" },
  { "ffn_down", "layer.1.DenseReluDense.wo" },
  { "ffn_norm", "layer.1.layer_norm" },
};

static const struct
{
  const char *llama, *hf;
} t5_whole_names[] = {
  { "token_embd.weight", "shared.weight" },
  { "enc.output_norm.weight", "encoder.final_layer_norm.weight" },
};

#define COUNT(array) (sizeof (array) / sizeof *(array))

static bool
is_between (const char *name, const char *middle, const char *tail)
{
  size_t n = strlen (middle);
  return strncmp (name, middle, n) == 0 && strcmp (name + n, tail) == 0;
}

/* Returns: @name itself where there is no rule; NULL and @status set when out of memory */
static const char *
t5_name (Reader *r, const char *name)
{
  int block = 0, n = 0;
  for (size_t i = 0; i < COUNT (t5_whole_names); i++)
    if (strcmp (name, t5_whole_names[i].llama) == 0)
      return t5_whole_names[i].hf;
  if (sscanf (name, "enc.blk.%3d.%n", &block, &n) != 1 || n == 0)
    return name;
  for (size_t i = 0; i < COUNT (t5_names); i++)
    if (is_between (name + n, t5_names[i].llama, ".weight"))
      return pool_printf (r->table->pool, r->status, "encoder.block.%d.%s.weight", block,
                          t5_names[i].hf);
  return name;
}

bool
gguf_t5_name (const char *hf, char *out, size_t size)
{
  int block = 0, n = 0, length = -1;
  for (size_t i = 0; i < COUNT (t5_whole_names); i++)
    if (strcmp (hf, t5_whole_names[i].hf) == 0)
      length = snprintf (out, size, "%s", t5_whole_names[i].llama);
  if (sscanf (hf, "encoder.block.%3d.%n", &block, &n) == 1 && n > 0)
    for (size_t i = 0; i < COUNT (t5_names); i++)
      if (is_between (hf + n, t5_names[i].hf, ".weight"))
        length = snprintf (out, size, "enc.blk.%d.%s.weight", block, t5_names[i].llama);
  return length >= 0 && (size_t) length < size;
}

/* ---- tensors ---- */

static bool
read_shape (Reader *r, FileTensor *t)
{
  uint64_t rank, n;
  if (!read_uint (r, 4, &rank))
    return false;
  if (rank > FILE_TENSOR_MAX_RANK)
    return damaged (r->status, r->label, "tensor \"%.100s\" has %" PRIu64 " dimensions", t->name,
                    rank);
  t->rank = (int) rank;
  for (int i = t->rank - 1; i >= 0; i--) /* the fastest dimension comes first in the file */
    {
      if (!read_uint (r, 8, &n))
        return false;
      if (n > INT64_MAX)
        return damaged (r->status, r->label, "tensor \"%.100s\" is too large", t->name);
      t->ne[i] = (int64_t) n;
    }
  return true;
}

/* @t->data: the offset for now; where the data begins is known behind the last record. */
static bool
read_tensor (Reader *r, uint64_t *offset)
{
  FileTensor t = { .name = read_name (r) };
  uint64_t id, n;
  if (!t.name || !read_shape (r, &t) || !read_uint (r, 4, &id) || !read_uint (r, 8, offset))
    return false;
  const TypeRow *type = find_type ((uint32_t) id);
  if (!type)
    return status_fail (r->status, STATUS_UNSUPPORTED,
                        "\"%.100s\" stores tensor \"%.100s\" in GGML type %" PRIu64
                        ", which this version does not know.",
                        r->label, t.name, id);
  if (!shape_elements (t.ne, t.rank, &n))
    return damaged (r->status, r->label, "tensor \"%.100s\" is too large", t.name);
  int64_t row = t.rank ? t.ne[t.rank - 1] : 1;
  if (row % type->block_elements)
    return damaged (r->status, r->label, "rows of tensor \"%.100s\" are no whole blocks", t.name);
  t.dtype = type->dtype;
  t.type_name = type->name ? type->name : dtype_name (type->dtype);
  t.n_bytes = n / (uint64_t) type->block_elements * (uint64_t) type->block_bytes;
  t.name = r->is_t5 ? t5_name (r, t.name) : t.name;
  return t.name && table_add (r->table, &t, r->label, r->status);
}

static bool
place_tensor (Reader *r, FileTensor *t, uint64_t start, uint64_t offset)
{
  if (offset % r->alignment)
    return damaged (r->status, r->label, "tensor \"%.100s\" is not aligned", t->name);
  if (offset > r->size - start || t->n_bytes > r->size - start - offset)
    return damaged (r->status, r->label,
                    "tensor \"%.100s\" reaches beyond the end of the file, which was cut short",
                    t->name);
  t->data = r->data + start + offset;
  return true;
}

/* ComfyUI-GGUF's converter makes rows of 256 where rows are no whole blocks, and notes the shape.
 */
static bool
restore_shape (Reader *r, const MetadataArray *shape)
{
  static const char prefix[] = "comfy.gguf.orig_shape.";
  if (strncmp (shape->key, prefix, sizeof prefix - 1) != 0)
    return true;
  int32_t i = name_index_find (&r->table->index, shape->key + sizeof prefix - 1);
  if (i < 0)
    return true; /* of a tensor that was left out */
  FileTensor *t = &r->table->items[i];
  int64_t ne[FILE_TENSOR_MAX_RANK];
  uint64_t n_stored = 0, n;
  shape_elements (t->ne, t->rank, &n_stored);
  if (shape->n < 1 || shape->n > FILE_TENSOR_MAX_RANK)
    return damaged (r->status, r->label, "\"%.120s\" is no shape", shape->key);
  for (int d = 0; d < (int) shape->n; d++)
    {
      double size = metadata_number (shape, d);
      if (!(size >= 1 && size <= (double) n_stored))
        return damaged (r->status, r->label, "\"%.120s\" is no shape", shape->key);
      ne[d] = (int64_t) size;
    }
  if (!shape_elements (ne, (int) shape->n, &n) || n != n_stored)
    return damaged (r->status, r->label, "\"%.120s\" is another number of elements", shape->key);
  t->rank = (int) shape->n;
  memcpy (t->ne, ne, sizeof ne);
  return true;
}

static bool
read_pairs (Reader *r, uint64_t n)
{
  bool ok = true;
  for (uint64_t i = 0; ok && i < n; i++)
    ok = read_pair (r);
  name_index_clear (&r->keys);
  return ok;
}

static bool
read_tensors (Reader *r, uint64_t n)
{
  uint64_t *offsets = pool_alloc (r->table->pool, n, sizeof *offsets, r->status);
  if (!offsets)
    return false;
  for (uint64_t i = 0; i < n; i++)
    if (!read_tensor (r, &offsets[i]))
      return false;
  uint64_t start = (r->at + r->alignment - 1) / r->alignment * r->alignment;
  if (start > r->size)
    return cut_short (r);
  for (uint64_t i = 0; i < n; i++)
    if (!place_tensor (r, &r->table->items[i], start, offsets[i]))
      return false;
  for (size_t i = 0; i < r->table->n_arrays; i++)
    if (!restore_shape (r, &r->table->arrays[i]))
      return false;
  return true;
}

static bool
check_version (Reader *r, uint64_t version)
{
  if (version >= VERSION_MIN && version <= VERSION_MAX)
    return true;
  if (version >> 24 && !(version & 0xffff))
    return status_fail (r->status, STATUS_UNSUPPORTED,
                        "\"%.100s\" is a GGUF file for big-endian machines; download the usual "
                        "form.",
                        r->label);
  return status_fail (r->status, STATUS_UNSUPPORTED,
                      "\"%.100s\" is a GGUF file of version %" PRIu64
                      "; this program reads versions 2 and 3.",
                      r->label, version);
}

bool
gguf_sniff (const void *data, size_t size)
{
  return size >= 4 && memcmp (data, "GGUF", 4) == 0;
}

bool
gguf_parse (TensorTable *table, const void *data, size_t size, const char *label, Status *status)
{
  Reader r = { .table = table,
               .label = label,
               .data = data,
               .size = size,
               .at = 4,
               .alignment = DEFAULT_ALIGNMENT,
               .status = status };
  uint64_t version, n_tensors, n_pairs;
  if (!gguf_sniff (data, size))
    return damaged (status, label, "it is no GGUF file");
  if (!read_uint (&r, 4, &version) || !check_version (&r, version) ||
      !read_uint (&r, 8, &n_tensors) || !read_uint (&r, 8, &n_pairs))
    return false;
  if (n_tensors > TENSOR_MAX_COUNT || n_tensors > (r.size - r.at) / LEAST_TENSOR_BYTES ||
      n_pairs > (r.size - r.at) / LEAST_PAIR_BYTES)
    return damaged (status, label, "it claims more tensors than it has room for");
  if (n_tensors == 0)
    return damaged (status, label, "it holds no tensors");
  return read_pairs (&r, n_pairs) && read_tensors (&r, n_tensors);
}
