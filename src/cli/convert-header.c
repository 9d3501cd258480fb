/* SPDX-License-Identifier: MPL-2.0
 * convert-header.c - what stands in front of the tensors: a safetensors header, or a GGUF one.
 */
#include <stdio.h>
#include <string.h>

#include "cli/convert.h"
#include "weights/json.h"

enum
{
  HEADER_ALIGNMENT = 32, /* of the data area in the file, for both */
  GGUF_VERSION = 3,
  GGUF_U32 = 4,
  GGUF_I32 = 5,
  GGUF_TEXT = 8,
  GGUF_ARRAY = 9,
  QUANTISATION_VERSION = 2,
  MOSTLY_Q8_0 = 7,
  MOSTLY_Q4_K_S = 14,
  LONG_ROW = 256
};

/* ---- safetensors ---- */

static const char *
safetensors_type (DType dtype)
{
  static const char *const names[DTYPE_COUNT] = {
    [DTYPE_F32] = "F32",   [DTYPE_F16] = "F16",         [DTYPE_BF16] = "BF16",
    [DTYPE_F64] = "F64",   [DTYPE_I64] = "I64",         [DTYPE_I32] = "I32",
    [DTYPE_I16] = "I16",   [DTYPE_I8] = "I8",           [DTYPE_U8] = "U8",
    [DTYPE_BOOL] = "BOOL", [DTYPE_F8_E4M3] = "F8_E4M3", [DTYPE_F8_E5M2] = "F8_E5M2",
  };
  return names[dtype];
}

/* json-c's functions give NULL when out of memory; adding NULL would be null in the file. */
static bool
add_entry (struct json_object *header,
           const char *name,
           DType dtype,
           const int64_t *ne,
           int rank,
           uint64_t begin,
           uint64_t n_bytes)
{
  struct json_object *entry = json_object_new_object ();
  struct json_object *shape = json_object_new_array (), *offsets = json_object_new_array ();
  for (int i = 0; i < rank; i++)
    json_object_array_add (shape, json_object_new_int64 (ne[i]));
  json_object_array_add (offsets, json_object_new_int64 ((int64_t) begin));
  json_object_array_add (offsets, json_object_new_int64 ((int64_t) (begin + n_bytes)));
  json_object_object_add (entry, "dtype", json_object_new_string (safetensors_type (dtype)));
  json_object_object_add (entry, "shape", shape);
  json_object_object_add (entry, "data_offsets", offsets);
  return json_object_object_add (header, name, entry) == 0;
}

static bool
add_scale (struct json_object *header, const ConvertPlan *plan, const OutTensor *o, Status *status)
{
  int n_base = (int) (strlen (o->name) - strlen ("weight"));
  const char *name = pool_printf (plan->pool, status, "%.*sscale_weight", n_base, o->name);
  return name && add_entry (header, name, DTYPE_F32, NULL, 0, o->scale_offset, sizeof (float));
}

static struct json_object *
safetensors_object (const ConvertPlan *plan, Status *status)
{
  struct json_object *header = json_object_new_object ();
  struct json_object *metadata = json_object_new_object ();
  const TensorTable *table = plan->table;
  for (size_t i = 0; i < table->n_metadata; i++)
    if (strcmp (table->metadata_keys[i], "_quantization_metadata") != 0)
      json_object_object_add (metadata, table->metadata_keys[i],
                              json_object_new_string (table->metadata_values[i]));
  if (!table->n_metadata)
    json_object_object_add (metadata, "format", json_object_new_string ("pt"));
  json_object_object_add (header, "__metadata__", metadata);
  bool ok = header != NULL;
  for (size_t i = 0; ok && i < plan->n_tensors; i++)
    {
      const OutTensor *o = &plan->tensors[i];
      ok = add_entry (header, o->name, o->dtype, o->source->ne, o->source->rank, o->offset,
                      o->n_bytes) &&
           (!o->is_scaled || add_scale (header, plan, o, status));
    }
  const int64_t two = 2;
  if (ok && plan->scaled_marker)
    ok = add_entry (header, plan->scaled_marker, DTYPE_F8_E4M3, &two, 1, plan->marker_offset, 2);
  if (!ok)
    {
      json_object_put (header);
      out_of_memory (status);
      return NULL;
    }
  return header;
}

/* Spaces pad it, so that the data begins at a multiple of the alignment. */
static bool
safetensors_header (const ConvertPlan *plan, const uint8_t **out, size_t *size, Status *status)
{
  struct json_object *header = safetensors_object (plan, status);
  if (!header)
    return false;
  const char *text = json_object_to_json_string_ext (header, JSON_C_TO_STRING_PLAIN |
                                                                 JSON_C_TO_STRING_NOSLASHESCAPE);
  size_t n = text ? strlen (text) : 0;
  *size = (8 + n + HEADER_ALIGNMENT - 1) / HEADER_ALIGNMENT * HEADER_ALIGNMENT;
  uint8_t *bytes = text ? pool_alloc (plan->pool, *size, 1, status) : NULL;
  if (bytes)
    {
      uint64_t length = *size - 8;
      for (int i = 0; i < 8; i++)
        bytes[i] = (uint8_t) (length >> 8 * i);
      memset (bytes + 8, ' ', length);
      memcpy (bytes + 8, text, n);
    }
  json_object_put (header);
  *out = bytes;
  return bytes || out_of_memory (status);
}

/* ---- GGUF ---- */

typedef struct
{
  Pool *pool;
  uint8_t *data;
  size_t n, capacity;
  Status *status;
} Bytes;

static void
put (Bytes *b, const void *data, size_t n)
{
  if (!status_ok (b->status) ||
      !pool_grow (b->pool, &b->data, &b->capacity, b->n + n, 1, b->status))
    return;
  memcpy (b->data + b->n, data, n);
  b->n += n;
}

static void
put_uint (Bytes *b, uint64_t value, int n_bytes)
{
  uint8_t bytes[8];
  for (int i = 0; i < n_bytes; i++)
    bytes[i] = (uint8_t) (value >> 8 * i);
  put (b, bytes, (size_t) n_bytes);
}

static void
put_text (Bytes *b, const char *text)
{
  put_uint (b, strlen (text), 8);
  put (b, text, strlen (text));
}

static void
put_number (Bytes *b, const char *key, uint32_t value)
{
  put_text (b, key);
  put_uint (b, GGUF_U32, 4);
  put_uint (b, value, 4);
}

/* The network that a file is called after; NULL: none that GGUF readers know. */
static const char *
architecture (const TensorTable *table)
{
  static const struct
  {
    const char *key, *name;
  } rows[] = {
    { "double_blocks.0.img_attn.proj.weight", "flux" },
    { "transformer_blocks.0.attn.norm_added_k.weight", NULL },
    { "label_emb.0.0.weight", "sdxl" },
    { "add_embedding.linear_1.weight", "sdxl" },
    { "input_blocks.0.0.weight", "sd1" },
    { "down_blocks.0.resnets.0.conv1.weight", "sd1" },
    { "encoder.block.0.layer.0.SelfAttention.q.weight", "t5encoder" },
  };
  static const char *const prefixes[] = { "model.diffusion_model.", "" };
  for (size_t p = 0; p < 2; p++)
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
      if (table_find_under (table, prefixes[p], rows[i].key))
        return rows[i].name;
  return NULL;
}

static uint32_t
ggml_type (DType dtype)
{
  static const uint32_t ids[DTYPE_COUNT] = {
    [DTYPE_F32] = 0,   [DTYPE_F16] = 1,   [DTYPE_Q4_0] = 2,  [DTYPE_Q4_1] = 3,  [DTYPE_Q5_0] = 6,
    [DTYPE_Q5_1] = 7,  [DTYPE_Q8_0] = 8,  [DTYPE_Q2_K] = 10, [DTYPE_Q3_K] = 11, [DTYPE_Q4_K] = 12,
    [DTYPE_Q5_K] = 13, [DTYPE_Q6_K] = 14, [DTYPE_BF16] = 30,
  };
  return ids[dtype];
}

static void
put_shape (Bytes *b, const OutTensor *o)
{
  char key[600];
  const FileTensor *t = o->source;
  snprintf (key, sizeof key, "comfy.gguf.orig_shape.%s", o->name);
  put_text (b, key);
  put_uint (b, GGUF_ARRAY, 4);
  put_uint (b, GGUF_I32, 4);
  put_uint (b, (uint64_t) t->rank, 8);
  for (int d = 0; d < t->rank; d++)
    put_uint (b, (uint64_t) t->ne[d], 4);
}

static void
put_tensor (Bytes *b, const OutTensor *o)
{
  const FileTensor *t = o->source;
  put_text (b, o->name);
  if (o->is_reshaped)
    {
      put_uint (b, 2, 4);
      put_uint (b, LONG_ROW, 8);
      put_uint (b, (uint64_t) (o->n / LONG_ROW), 8);
    }
  else
    {
      put_uint (b, t->rank ? (uint64_t) t->rank : 1, 4);
      for (int d = t->rank - 1; d >= 0; d--)
        put_uint (b, (uint64_t) t->ne[d], 8);
      if (!t->rank)
        put_uint (b, 1, 8);
    }
  put_uint (b, ggml_type (o->dtype), 4);
  put_uint (b, o->offset, 8);
}

static bool
gguf_header (const ConvertPlan *plan, const uint8_t **out, size_t *size, Status *status)
{
  Bytes b = { .pool = plan->pool, .status = status };
  const char *name = architecture (plan->table);
  uint64_t n_pairs = 3;
  if (!name)
    return status_fail (status, STATUS_UNSUPPORTED,
                        "\"%.100s\" has no network that programs read from GGUF files (FLUX.1 in "
                        "its original layout, SDXL, SD 1.5, T5): choose --format bf16 or fp8.",
                        plan->label);
  for (size_t i = 0; i < plan->n_tensors; i++)
    n_pairs += plan->tensors[i].is_reshaped;
  put (&b, "GGUF", 4);
  put_uint (&b, GGUF_VERSION, 4);
  put_uint (&b, plan->n_tensors, 8);
  put_uint (&b, n_pairs, 8);
  put_text (&b, "general.architecture");
  put_uint (&b, GGUF_TEXT, 4);
  put_text (&b, name);
  put_number (&b, "general.quantization_version", QUANTISATION_VERSION);
  put_number (&b, "general.file_type", plan->format == CONVERT_Q8_0 ? MOSTLY_Q8_0 : MOSTLY_Q4_K_S);
  for (size_t i = 0; i < plan->n_tensors; i++)
    if (plan->tensors[i].is_reshaped)
      put_shape (&b, &plan->tensors[i]);
  for (size_t i = 0; i < plan->n_tensors; i++)
    put_tensor (&b, &plan->tensors[i]);
  while (status_ok (status) && b.n % HEADER_ALIGNMENT)
    put_uint (&b, 0, 1);
  *out = b.data;
  *size = b.n;
  return status_ok (status);
}

bool
convert_header (const ConvertPlan *plan, const uint8_t **header, size_t *size, Status *status)
{
  return convert_is_gguf (plan->format) ? gguf_header (plan, header, size, status)
                                        : safetensors_header (plan, header, size, status);
}
