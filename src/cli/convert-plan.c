/* SPDX-License-Identifier: MPL-2.0
 * convert-plan.c - which tensor becomes what, and where it lies.
 *
 * Source: ComfyUI-GGUF's converter and its patch of llama.cpp's quantiser (which tensors stay
 * whole, how rows that are no whole blocks are reshaped).
 */
#include <string.h>

#include "cli/convert.h"
#include "weights/gguf.h"

enum
{
  SMALL_ELEMENTS = 1024, /* tensors up to this many stay in 32 bits */
  LONG_ROW = 256,        /* of a reshaped tensor */
  GGUF_ALIGNMENT = 32,
  GGUF_MAX_RANK = 4,
  MARKER_BYTES = 2 /* two elements say: multiply in 16 bits */
};

/* Parts of names of what decides a picture's colours and shape and costs next to nothing. */
static const char *const whole_parts[] = {
  "time_embedding.",  "add_embedding.",
  "class_embedding.", "time_embed.",
  "label_emb.",       "time_in.",
  "txt_in.",          "vector_in.",
  "img_in.",          "guidance_in.",
  "final_layer.",     "conv_in.",
  "conv_out.",        "relative_attention_bias",
  "x_embedder.",      "context_embedder.",
  "time_text_embed.",
};

/* Tails of the names of first and last layers, and of tables that are looked up. */
static const char *const whole_tails[] = {
  "input_blocks.0.0.weight",   "out.2.weight",           "shared.weight", "embed_tokens.weight",
  "position_embedding.weight", "token_embedding.weight",
};

/* Networks that stay in 16 bits. */
static const char *const whole_heads[] = {
  "first_stage_model.", "vae.",        "cond_stage_model.", "conditioner.",    "text_encoders.clip",
  "decoder.",           "text_model.", "model_ema.",        "encoder.conv_in", "encoder.down",
};

#define COUNT(array) (sizeof (array) / sizeof *(array))

bool
convert_is_gguf (ConvertFormat format)
{
  return format == CONVERT_Q8_0 || format == CONVERT_Q4_K;
}

static bool
ends_with (const char *name, const char *tail)
{
  size_t n = strlen (name), m = strlen (tail);
  return n >= m && strcmp (name + n - m, tail) == 0;
}

static bool
stays_whole (const FileTensor *t, int64_t n)
{
  if (t->rank < 2 || n <= SMALL_ELEMENTS || !ends_with (t->name, ".weight"))
    return true;
  for (size_t i = 0; i < COUNT (whole_parts); i++)
    if (strstr (t->name, whole_parts[i]))
      return true;
  for (size_t i = 0; i < COUNT (whole_tails); i++)
    if (ends_with (t->name, whole_tails[i]))
      return true;
  for (size_t i = 0; i < COUNT (whole_heads); i++)
    if (strncmp (t->name, whole_heads[i], strlen (whole_heads[i])) == 0)
      return true;
  return false;
}

/* What is not quantised: as it was; 32 bits where it is small, 16 where it was quantised. */
static DType
whole_type (const FileTensor *t, int64_t n)
{
  if (dtype_is_real (t->dtype))
    return t->dtype;
  return t->rank < 2 || n <= SMALL_ELEMENTS || t->dtype == DTYPE_F64 ? DTYPE_F32 : DTYPE_BF16;
}

static bool
is_float (const FileTensor *t)
{
  return dtype_is_weight (t->dtype) || t->dtype == DTYPE_F64;
}

/* Rows of whole blocks; else, as ComfyUI-GGUF has it for U-Nets, rows of 256; else larger blocks.
 */
static DType
gguf_type (const FileTensor *t, int64_t n, DType wanted, bool *is_reshaped)
{
  int64_t row = t->ne[t->rank - 1];
  if (row % dtype_block_elements (wanted) == 0)
    return wanted;
  *is_reshaped = n % LONG_ROW == 0;
  if (*is_reshaped)
    return wanted;
  return row % dtype_block_elements (DTYPE_Q8_0) == 0 ? DTYPE_Q8_0 : DTYPE_F16;
}

static void
choose (const ConvertPlan *plan, OutTensor *o)
{
  const FileTensor *t = o->source;
  bool is_whole = stays_whole (t, o->n);
  o->dtype = whole_type (t, o->n);
  switch (plan->format)
    {
    case CONVERT_BF16:
      o->dtype = DTYPE_BF16;
      break;
    case CONVERT_FP8:
      o->is_scaled = !is_whole && t->rank == 2;
      o->dtype = o->is_scaled ? DTYPE_F8_E4M3 : o->dtype;
      break;
    case CONVERT_Q8_0:
    case CONVERT_Q4_K:
      if (!is_whole)
        o->dtype = gguf_type (t, o->n, plan->format == CONVERT_Q8_0 ? DTYPE_Q8_0 : DTYPE_Q4_K,
                              &o->is_reshaped);
      break;
    case CONVERT_COUNT:
      break;
    }
  o->is_copy = o->dtype == t->dtype && !t->quant && !o->is_scaled;
}

/* A lone T5 encoder goes by llama.cpp's names.  Returns: false when the tensor is left out */
static bool
rename_t5 (ConvertPlan *plan, OutTensor *o, Status *status)
{
  char name[256];
  if (!plan->is_t5)
    return true;
  if (!gguf_t5_name (o->name, name, sizeof name))
    return false;
  o->name = pool_strdup (plan->pool, name, status);
  return o->name != NULL;
}

static bool
add_tensor (ConvertPlan *plan, const FileTensor *t, Status *status)
{
  uint64_t n;
  OutTensor *o = &plan->tensors[plan->n_tensors];
  *o = (OutTensor){ .source = t, .name = t->name };
  if (!shape_elements (t->ne, t->rank, &n))
    n = 0;
  o->n = (int64_t) n;
  bool is_known = t->dtype != DTYPE_COUNT && t->data;
  if (is_float (t) && is_known && rename_t5 (plan, o, status))
    choose (plan, o);
  else if (convert_is_gguf (plan->format))
    {
      plan->n_left_out++; /* counters, vocabularies and copies, which GGUF files go without */
      return status_ok (status);
    }
  else if (!is_known)
    return status_fail (status, STATUS_UNSUPPORTED,
                        "\"%.100s\" stores \"%.120s\" as %.40s, which cannot be converted.",
                        plan->label, t->name, t->type_name);
  else
    {
      o->dtype = t->dtype;
      o->is_copy = true;
    }
  if (convert_is_gguf (plan->format) && t->rank > GGUF_MAX_RANK)
    return status_fail (status, STATUS_UNSUPPORTED,
                        "\"%.120s\" has %d dimensions, and GGUF files hold four at most: choose "
                        "--format bf16 or fp8.",
                        t->name, t->rank);
  o->n_bytes = (uint64_t) dtype_bytes (o->dtype, o->n);
  plan->n_tensors++;
  return true;
}

/* Large elements first, as safetensors' own writer has it, so that all are aligned. */
static void
place_safetensors (ConvertPlan *plan)
{
  uint64_t at = 0;
  for (int size = 8; size > 0; size /= 2)
    {
      for (size_t i = 0; i < plan->n_tensors; i++)
        {
          OutTensor *o = &plan->tensors[i];
          if (size == (int) sizeof (float) && o->is_scaled)
            {
              o->scale_offset = at;
              at += sizeof (float);
            }
          if ((int) dtype_size (o->dtype) == size)
            {
              o->offset = at;
              at += o->n_bytes;
            }
        }
    }
  plan->marker_offset = at;
  plan->data_bytes = at + (plan->scaled_marker ? MARKER_BYTES : 0);
}

static void
place_gguf (ConvertPlan *plan)
{
  uint64_t at = 0;
  for (size_t i = 0; i < plan->n_tensors; i++)
    {
      plan->tensors[i].offset = at;
      at += (plan->tensors[i].n_bytes + GGUF_ALIGNMENT - 1) / GGUF_ALIGNMENT * GGUF_ALIGNMENT;
    }
  plan->data_bytes = at;
}

/* ComfyUI looks for its marker where the network's names begin. */
static const char *
marker_name (const TensorTable *table)
{
  static const char prefix[] = "model.diffusion_model.";
  for (size_t i = 0; i < table->n_items; i++)
    if (strncmp (table->items[i].name, prefix, sizeof prefix - 1) == 0)
      return "model.diffusion_model.scaled_fp8";
  return "scaled_fp8";
}

bool
convert_plan (ConvertPlan *plan, Status *status)
{
  bool has_scales = false, has_work = false;
  plan->is_t5 = convert_is_gguf (plan->format) &&
                table_find (plan->table, "encoder.block.0.layer.0.SelfAttention.q.weight");
  plan->tensors = pool_alloc (plan->pool, plan->table->n_items, sizeof *plan->tensors, status);
  if (!plan->tensors)
    return false;
  for (size_t i = 0; i < plan->table->n_items; i++)
    if (!plan->table->items[i].is_companion && !add_tensor (plan, &plan->table->items[i], status))
      return false;
  for (size_t i = 0; i < plan->n_tensors; i++)
    {
      has_scales |= plan->tensors[i].is_scaled;
      has_work |= !plan->tensors[i].is_copy;
    }
  if (!has_work && !plan->may_be_copy)
    return status_fail (status, STATUS_UNSUPPORTED,
                        "\"%.100s\" holds nothing that this format would change.", plan->label);
  plan->scaled_marker = has_scales ? marker_name (plan->table) : NULL;
  (convert_is_gguf (plan->format) ? place_gguf : place_safetensors) (plan);
  return true;
}
