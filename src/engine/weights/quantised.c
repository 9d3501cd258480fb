/* SPDX-License-Identifier: MPL-2.0
 * quantised.c - tables of the tensors that stand beside quantised weights.
 *
 * Source: ComfyUI's scaled fp8 (scale_weight beside weight, the marker scaled_fp8), its newer
 * comfy_quant (weight_scale, a JSON marker), bitsandbytes' packed QuantState.
 */
#include "weights/quantised.h"

#include <math.h>
#include <string.h>

#include "weights/json.h"

enum
{
  LONGEST_NAME = 512,
  LONGEST_MARKER = 4096, /* bytes of JSON */
  N_CODES = 16,
  N_NESTED_CODES = 256
};

typedef struct
{
  TensorTable *table;
  const char *label;
  Status *status;
} Resolver;

/* What a storage format is called in markers, and why it is refused; NULL: it is not. */
typedef struct
{
  const char *name, *refusal;
} StorageRow;

static const StorageRow storages[] = {
  { "float8_e4m3fn", NULL },
  { "float8_e5m2", NULL },
  { "mxfp8", "MXFP8" },
  { "nvfp4", "NVFP4" },
  { "int8_tensorwise", "8-bit integers (ConvRot)" },
  { "convrot_w4a4", "4-bit integers (ConvRot)" },
  { "asym_w4a8_int8", "4-bit and 6-bit integers (W4A8)" },
  { "awq_w4a16", "4-bit integers (AWQ)" },
};

static bool
refuse_storage (Resolver *r, const char *what)
{
  return status_fail (r->status, STATUS_UNSUPPORTED,
                      "\"%.100s\" stores its weights as %s, which this version does not compute "
                      "with; choose the fp8, GGUF, f16 or bf16 form of this model.",
                      r->label, what);
}

static bool
check_storage (Resolver *r, const char *name)
{
  for (size_t i = 0; i < sizeof storages / sizeof *storages; i++)
    if (strcmp (storages[i].name, name) == 0)
      return !storages[i].refusal || refuse_storage (r, storages[i].refusal);
  return status_fail (r->status, STATUS_UNSUPPORTED,
                      "\"%.100s\" stores its weights in the format \"%.40s\", which this version "
                      "does not know; choose the fp8, GGUF, f16 or bf16 form of this model.",
                      r->label, name);
}

static bool
ends_with (const char *name, const char *tail)
{
  size_t n = strlen (name), m = strlen (tail);
  return n >= m && strcmp (name + n - m, tail) == 0;
}

/* The tensor called as @t with @n letters of its name replaced by @tail; NULL when absent. */
static FileTensor *
sibling (Resolver *r, const FileTensor *t, size_t n, const char *tail)
{
  char name[LONGEST_NAME];
  size_t length = strlen (t->name) - n;
  if (length + strlen (tail) >= sizeof name)
    return NULL;
  memcpy (name, t->name, length);
  strcpy (name + length, tail);
  int32_t i = name_index_find (&r->table->index, name);
  return i < 0 ? NULL : &r->table->items[i];
}

static int64_t
elements (const FileTensor *t)
{
  uint64_t n = 0;
  shape_elements (t->ne, t->rank, &n);
  return (int64_t) n;
}

static ParamQuant *
new_quant (Resolver *r)
{
  return pool_alloc (r->table->pool, 1, sizeof (ParamQuant), r->status);
}

/* ---- fp8 with scales ---- */

/* The format that a scale's own type gives away. */
static bool
refuse_scale_type (Resolver *r, const FileTensor *weight, const FileTensor *scale)
{
  if (weight->dtype == DTYPE_I8 || weight->dtype == DTYPE_U8)
    return refuse_storage (r, scale->dtype == DTYPE_F8_E4M3 ? "NVFP4" : "8-bit or 4-bit integers");
  if (scale->dtype == DTYPE_U8 || scale->dtype == DTYPE_COUNT)
    return refuse_storage (r, "MXFP8");
  return damaged (r->status, r->label, "the scale \"%.120s\" is stored as %.20s", scale->name,
                  scale->type_name);
}

static float *
read_scales (Resolver *r, const FileTensor *scale, int64_t n)
{
  float *out = pool_alloc (r->table->pool, (size_t) n, sizeof *out, r->status);
  if (!out)
    return NULL;
  dtype_to_f32 (out, scale->data, scale->dtype, n);
  for (int64_t i = 0; i < n; i++)
    if (!isfinite (out[i]))
      {
        damaged (r->status, r->label, "a scale in \"%.120s\" is not a number", scale->name);
        return NULL;
      }
  return out;
}

/* One scale for all, or one for each row. */
static bool
attach_scales (Resolver *r, FileTensor *weight, const FileTensor *scale)
{
  int64_t n = elements (scale), n_rows = weight->rank ? weight->ne[0] : 1;
  if (n < 1)
    return damaged (r->status, r->label, "the scale \"%.120s\" is empty", scale->name);
  if (n != 1 && n != n_rows)
    return status_fail (r->status, STATUS_UNSUPPORTED,
                        "\"%.100s\" has scales for blocks of \"%.120s\", which this version does "
                        "not compute with; choose another form of this model.",
                        r->label, weight->name);
  if (!scale->data || !weight->data)
    return true; /* headers only */
  ParamQuant *q = new_quant (r);
  float *scales = q ? read_scales (r, scale, n) : NULL;
  if (!scales)
    return false;
  if (n == 1 && scales[0] == 1)
    return true;
  q->scales = scales;
  q->scale_run = n == 1 ? 0 : elements (weight) / n_rows;
  weight->quant = q;
  if (weight->dtype == DTYPE_F8_E4M3 || weight->dtype == DTYPE_F8_E5M2)
    return true;
  return damaged (r->status, r->label, "there is a scale for \"%.120s\", which is stored as %.20s",
                  weight->name, weight->type_name);
}

static bool
resolve_scale (Resolver *r, FileTensor *scale, const char *tail)
{
  FileTensor *weight = sibling (r, scale, strlen (tail), ".weight");
  if (!weight)
    return true; /* a weight may be called "scale_weight" by itself */
  if (weight->quant)
    return damaged (r->status, r->label, "\"%.120s\" has two scales", weight->name);
  scale->is_companion = true;
  bool is_fp8 = weight->dtype == DTYPE_F8_E4M3 || weight->dtype == DTYPE_F8_E5M2;
  if (!dtype_is_real (scale->dtype) || (!is_fp8 && !dtype_is_real (weight->dtype)))
    return refuse_scale_type (r, weight, scale);
  return attach_scales (r, weight, scale);
}

static bool
skip_scale (Resolver *r, FileTensor *scale, const char *tail)
{
  scale->is_companion |= sibling (r, scale, strlen (tail), ".weight") != NULL;
  return true;
}

/* ---- ComfyUI's markers ---- */

/* @t as JSON; NULL and @status set */
static struct json_object *
read_marker (Resolver *r, const FileTensor *t)
{
  if (t->dtype != DTYPE_U8 || t->n_bytes > LONGEST_MARKER)
    {
      damaged (r->status, r->label, "\"%.120s\" is no text", t->name);
      return NULL;
    }
  return json_parse_object ((const char *) t->data, t->n_bytes, r->label, r->status);
}

static bool
resolve_marker (Resolver *r, FileTensor *t, const char *tail)
{
  t->is_companion = true;
  if (!t->data)
    return true;
  struct json_object *marker = read_marker (r, t);
  if (!marker)
    return false;
  const char *format = json_member_string (marker, "format");
  bool ok = format ? check_storage (r, format)
                   : damaged (r->status, r->label, "\"%.120s\" names no format", t->name);
  json_object_put (marker);
  return ok;
}

static bool
check_layers (Resolver *r, struct json_object *layers)
{
  json_object_object_foreach (layers, name, layer)
  {
    (void) name;
    bool is_object = json_object_is_type (layer, json_type_object);
    const char *format = is_object ? json_member_string (layer, "format") : NULL;
    if (format && !check_storage (r, format))
      return false;
  }
  return true;
}

/* The same for a whole file, as metadata: {"layers": {NAME: {"format": ...}}}. */
static bool
check_metadata (Resolver *r)
{
  const char *text = table_metadata (r->table, "_quantization_metadata");
  if (!text)
    return true;
  struct json_object *object = json_parse_object (text, strlen (text), r->label, r->status);
  if (!object)
    return false;
  struct json_object *layers = json_object_object_get (object, "layers");
  bool ok = !json_object_is_type (layers, json_type_object) || check_layers (r, layers);
  json_object_put (object);
  return ok;
}

/* ---- bitsandbytes ---- */

typedef struct
{
  FileTensor *weight, *absmax, *book, *nested_absmax, *nested_book;
  int rank, run, nested_run;
  int shape[FILE_TENSOR_MAX_RANK];
  double offset;
  DType dtype;
} CodeState;

static bool
misfit (Resolver *r, const CodeState *s)
{
  return damaged (r->status, r->label, "the parts of the 4-bit weight \"%.120s\" do not fit",
                  s->weight->name);
}

static bool
read_code_state (Resolver *r, CodeState *s, struct json_object *state)
{
  const char *type = json_member_string (state, "quant_type");
  s->rank = json_member_ints (state, "shape", s->shape, FILE_TENSOR_MAX_RANK);
  struct json_object *shape = json_object_object_get (state, "shape");
  s->dtype = type && strcmp (type, "nf4") == 0   ? DTYPE_NF4
             : type && strcmp (type, "fp4") == 0 ? DTYPE_FP4
                                                 : DTYPE_COUNT;
  bool is_nested = json_member_int (state, "nested_blocksize", &s->nested_run);
  if (s->dtype == DTYPE_COUNT || s->rank < 1 || !json_object_is_type (shape, json_type_array) ||
      !json_member_int (state, "blocksize", &s->run) || s->run < 1)
    return misfit (r, s);
  return !is_nested ||
         (s->nested_run >= 1 && json_member_double (state, "nested_offset", &s->offset) &&
          isfinite (s->offset)) ||
         misfit (r, s);
}

static bool
is_list (const FileTensor *t, DType dtype, int64_t n)
{
  return t && t->dtype == dtype && elements (t) == n;
}

static bool
check_code_parts (Resolver *r, const CodeState *s, int64_t n)
{
  int64_t n_scales = n ? (n - 1) / s->run + 1 : 0;
  bool ok = n > 0 && s->weight->dtype == DTYPE_U8 &&
            (uint64_t) dtype_bytes (s->dtype, n) == s->weight->n_bytes &&
            is_list (s->book, DTYPE_F32, N_CODES);
  if (!s->nested_run)
    return (ok && is_list (s->absmax, DTYPE_F32, n_scales)) || misfit (r, s);
  return (ok && is_list (s->absmax, DTYPE_U8, n_scales) &&
          is_list (s->nested_book, DTYPE_F32, N_NESTED_CODES) &&
          is_list (s->nested_absmax, DTYPE_F32, (n_scales - 1) / s->nested_run + 1)) ||
         misfit (r, s);
}

static bool
attach_codes (Resolver *r, const CodeState *s)
{
  FileTensor *w = s->weight;
  int64_t ne[FILE_TENSOR_MAX_RANK] = { 0 };
  uint64_t n;
  for (int i = 0; i < s->rank; i++)
    ne[i] = s->shape[i];
  if (!shape_elements (ne, s->rank, &n) || !check_code_parts (r, s, (int64_t) n))
    return status_ok (r->status) ? misfit (r, s) : false;
  ParamQuant *q = new_quant (r);
  if (!q)
    return false;
  q->scales = s->absmax->data;
  q->scale_run = s->run;
  q->code_book = s->book->data;
  if (s->nested_run)
    {
      q->nested_book = s->nested_book->data;
      q->nested_scales = s->nested_absmax->data;
      q->nested_run = s->nested_run;
      q->nested_offset = (float) s->offset;
    }
  w->quant = w->data ? q : NULL;
  w->dtype = s->dtype;
  w->type_name = dtype_name (s->dtype);
  w->rank = s->rank;
  memcpy (w->ne, ne, sizeof ne);
  return true;
}

static FileTensor *
code_part (Resolver *r, const FileTensor *state, const char *tail, const char *name)
{
  FileTensor *t = sibling (r, state, strlen (tail), name);
  if (t)
    t->is_companion = true;
  return t;
}

static bool
resolve_codes (Resolver *r, FileTensor *t, const char *tail)
{
  CodeState s = { .weight = sibling (r, t, strlen (tail), ""),
                  .absmax = code_part (r, t, tail, ".absmax"),
                  .book = code_part (r, t, tail, ".quant_map"),
                  .nested_absmax = code_part (r, t, tail, ".nested_absmax"),
                  .nested_book = code_part (r, t, tail, ".nested_quant_map") };
  t->is_companion = true;
  if (!s.weight || s.weight->quant)
    return damaged (r->status, r->label, "\"%.120s\" describes no tensor", t->name);
  if (!t->data)
    return status_fail (r->status, STATUS_UNSUPPORTED,
                        "\"%.100s\" holds 4-bit weights in a torch checkpoint; choose its "
                        "safetensors form.",
                        r->label);
  struct json_object *state = read_marker (r, t);
  if (!state)
    return false;
  bool ok = read_code_state (r, &s, state) && attach_codes (r, &s);
  json_object_put (state);
  return ok;
}

static bool
skip_marker (Resolver *r, FileTensor *t, const char *tail)
{
  t->is_companion = true;
  return true;
}

static bool
refuse_int8 (Resolver *r, FileTensor *t, const char *tail)
{
  return !sibling (r, t, strlen (tail), ".weight") ||
         refuse_storage (r, "8-bit integers (bitsandbytes)");
}

static bool
refuse_svdquant (Resolver *r, FileTensor *t, const char *tail)
{
  return refuse_storage (r, "nunchaku's SVDQuant");
}

/* ---- all of them ---- */

static const struct
{
  const char *tail;
  bool (*resolve) (Resolver *r, FileTensor *t, const char *tail);
} tails[] = {
  { ".comfy_quant", resolve_marker }, /* before scales: they say more */
  { "scaled_fp8", skip_marker },
  { ".SCB", refuse_int8 },
  { ".qweight", refuse_svdquant },
  { ".quant_state.bitsandbytes__nf4", resolve_codes },
  { ".quant_state.bitsandbytes__fp4", resolve_codes },
  { ".scale_weight", resolve_scale },
  { ".weight_scale", resolve_scale },
  { ".scale_input", skip_scale },
  { ".input_scale", skip_scale },
};

bool
quantised_resolve (TensorTable *table, const char *label, Status *status)
{
  Resolver r = { table, label, status };
  if (!check_metadata (&r))
    return false;
  for (size_t k = 0; k < sizeof tails / sizeof *tails; k++)
    for (size_t i = 0; i < table->n_items; i++)
      if (ends_with (table->items[i].name, tails[k].tail) &&
          !tails[k].resolve (&r, &table->items[i], tails[k].tail))
        return false;
  return true;
}
