/* SPDX-License-Identifier: MPL-2.0
 * ops.c - the table of operators: each finds its parameters on the card and launches a kernel.
 *
 * Factors and activations have the type of CudaBackend.type, whatever an operator's Compute says,
 * and sums are f32.
 */
#include <string.h>

#include "core/blocks.h"
#include "core/mem.h"
#include "cuda.h"

/* Queues a launch of so many operations (0: few): what it reads may be replaced behind it, and it
 * may write anywhere. */
static void
queue (CudaBackend *b, CudaRun run, const void *args, size_t size, double operations)
{
  cuda_narrow_forget (b);
  if (cuda_failed (b))
    return;
  if (!cuda_graph_takes (b, run, args, size) &&
      cuda_works (b, run (b, args), STATUS_MARK ("it computed")))
    cuda_pace (b, operations);
  cuda_weights_used (b);
}

#define KERNEL(name)                                                                               \
  static int run_##name (CudaBackend *b, const void *args)                                         \
  {                                                                                                \
    return gk_##name (args, b->compute);                                                           \
  }
/* clang-format off */
KERNEL (unary) KERNEL (add) KERNEL (scale) KERNEL (add_gated) KERNEL (gated) KERNEL (copy)
KERNEL (embed) KERNEL (resize) KERNEL (sinusoid) KERNEL (norm_row) KERNEL (rope) KERNEL (avg_down)
KERNEL (dup_up) KERNEL (group_statistics) KERNEL (group_apply) KERNEL (quantise)
    /* clang-format on */

    static int run_call (CudaBackend *b, const void *args)
{
  return cuda_call (b, args);
}

static int
run_attention (CudaBackend *b, const void *args)
{
  const GkAttention *g = args;
  return b->type == GK_TYPE_F32       ? gk_attention_f32 (g, b->compute)
         : cuda_hopper_attends (b, g) ? cuda_hopper_attention (b, g)
                                      : gk_attention (g, b->compute);
}

static const float *
floats_of (CudaBackend *b, const Param *p, int64_t n)
{
  return cuda_weight (b, p, (CudaShape){ .layout = CUDA_F32, .n = n });
}

static size_t
element_bytes (const CudaBackend *b)
{
  return b->type == GK_TYPE_F32 ? sizeof (float) : sizeof (uint16_t);
}

/* Element @i of activations. */
static void *
element_at (const CudaBackend *b, const void *p, int64_t i)
{
  return (char *) (uintptr_t) p + i * (int64_t) element_bytes (b);
}

/* Rows of activations, which kernels move 16 bits at a time. */
static GkCopy
rows_copy (const CudaBackend *b,
           int64_t n_rows,
           int64_t width,
           const void *x,
           int64_t x_stride,
           void *y,
           int64_t y_stride)
{
  int64_t n = (int64_t) (element_bytes (b) / sizeof (uint16_t));
  return (GkCopy){ n_rows, width * n, x, x_stride * n, y, y_stride * n };
}

/* ---- products ---- */

enum
{
  SCALE_RUN = 64 /* of NF4, as bitsandbytes writes it */
};

/* Of DTYPE_Q8_0 to DTYPE_Q2_K. */
static const GkWeightFormat block_formats[] = { GK_WEIGHT_Q8_0, GK_WEIGHT_Q6_K, GK_WEIGHT_Q5_K,
                                                GK_WEIGHT_Q5_1, GK_WEIGHT_Q5_0, GK_WEIGHT_Q4_K,
                                                GK_WEIGHT_Q4_1, GK_WEIGHT_Q4_0, GK_WEIGHT_Q3_K,
                                                GK_WEIGHT_Q2_K };
_Static_assert(sizeof block_formats / sizeof *block_formats == DTYPE_Q2_K - DTYPE_Q8_0 + 1,
               "a kernel for each block format");

/* Whether a kernel decodes rows of @p on the fly; else they are kept as activations are. */
static GkWeightFormat
format_of (const CudaBackend *b, const Param *p, int64_t n_in)
{
  int64_t block = dtype_block_elements ((DType) p->dtype);
  bool whole = n_in % block == 0 && p->first % block == 0;
  const ParamQuant *q = p->quant;
  if (b->type == GK_TYPE_F32)
    return GK_WEIGHT_16;
  if (whole && !q && p->dtype >= DTYPE_Q8_0 && p->dtype <= DTYPE_Q2_K)
    return block_formats[p->dtype - DTYPE_Q8_0];
  bool codes = q && q->code_book && q->scales && q->scale_run == SCALE_RUN;
  return codes && n_in % SCALE_RUN == 0 && p->first % SCALE_RUN == 0 ? GK_WEIGHT_NF4 : GK_WEIGHT_16;
}

/* Rounding ends an operator, so it comes before parameters are asked for. */
static void
take_narrow (CudaBackend *b, const LinearArgs *a, GkGemm *g)
{
  GkQuantise q;
  memset (&q, 0, sizeof q);
  if (cuda_narrow_begin (b, a, &q))
    queue (b, run_quantise, &q, sizeof q, 0);
  cuda_narrow_factors (b, a, g);
}

static void
take_factors (CudaBackend *b, const LinearArgs *a, GkGemm *g)
{
  int64_t n = a->n_out * a->n_in;
  if (cuda_narrow_takes (b, a))
    {
      take_narrow (b, a, g);
      return;
    }
  g->format = format_of (b, &a->w, a->n_in);
  CudaLayout layout = g->format == GK_WEIGHT_16 ? CUDA_ROWS : CUDA_BLOCKS;
  g->w = cuda_weight (b, &a->w, (CudaShape){ .layout = layout, .n = n });
  if (g->format != GK_WEIGHT_NF4)
    return;
  Param book = { .data = a->w.quant->code_book, .dtype = DTYPE_F32 };
  CudaShape scales = { .layout = CUDA_SCALES, .n = n, .c_in = SCALE_RUN };
  g->w_scales = cuda_weight (b, &a->w, scales);
  g->w_book = floats_of (b, &book, 1 << 4);
}

static GkActivation
activation_of (const LinearArgs *a)
{
  if (a->next == LINEAR_GEGLU)
    return GK_ACT_GEGLU;
  if (a->next != LINEAR_UNARY)
    return GK_ACT_NONE;
  switch (a->unary)
    {
    case UNARY_SILU:
      return GK_ACT_SILU;
    case UNARY_GELU:
      return GK_ACT_GELU;
    case UNARY_GELU_TANH:
      return GK_ACT_GELU_TANH;
    case UNARY_QUICK_GELU:
      return GK_ACT_QUICK_GELU;
    case UNARY_RELU:
    case UNARY_TANH3:
    case UNARY_COUNT:
      break; /* op_linear_unary asks for none of these */
    }
  return GK_ACT_NONE;
}

/* What scales the columns of a product: its epilogue, or where one of them is 0 a pass of its own,
 * because 0 times what has overflowed would be no number. */
typedef struct
{
  const float *fused, *apart;
} Scaling;

static Scaling
scaling_of (CudaBackend *b, const float *scale, int64_t n)
{
  bool has_zero = false;
  for (int64_t i = 0; scale && i < n; i++)
    has_zero |= scale[i] == 0;
  const float *there = scale ? cuda_scales (b, scale, n) : NULL;
  return has_zero ? (Scaling){ .apart = there } : (Scaling){ .fused = there };
}

static void
scale_rows (CudaBackend *b, const Scaling *scaling, int64_t n_rows, int64_t n, void *y)
{
  GkScale g = { b->type, n_rows * n, n, y, scaling->apart, y };
  if (scaling->apart && !cuda_failed (b))
    queue (b, run_scale, &g, sizeof g, 0);
}

int
cuda_own_gemm (const CudaBackend *b, const GkGemm *g)
{
  if (cuda_hopper_takes (b, g))
    return cuda_hopper_gemm (b, g);
  if (g->format == GK_WEIGHT_E4M3)
    return gk_gemm_fp8 (g, b->compute);
  if (g->format != GK_WEIGHT_16)
    return gk_gemm_quant (g, b->compute);
  return g->type == GK_TYPE_F32 ? gk_gemm_f32 (g, b->compute) : gk_gemm (g, b->compute);
}

/* Byte by byte the same for the same arguments: graph.c compares them. */
static CudaCall
call_of (CudaCallKind kind, const Param *bias)
{
  CudaCall call;
  memset (&call, 0, sizeof call);
  call.kind = kind;
  call.bias.data = bias->data;
  call.bias.dtype = bias->dtype;
  call.bias.first = bias->first;
  call.bias.quant = bias->quant;
  return call;
}

static void
cuda_linear (Backend *base, const LinearArgs *a)
{
  CudaBackend *b = (CudaBackend *) base;
  GkGemm g = { .type = b->type,
               .n_rows = a->n_rows,
               .n_out = a->n_out,
               .n_in = a->n_in,
               .x = a->x,
               .x_stride = a->x_stride,
               .epilogue = { .activation = activation_of (a),
                             .gate = a->next == LINEAR_GATED ? a->gate : NULL,
                             .gate_stride = a->gate_stride,
                             .add = a->add,
                             .rows_per_entry =
                                 a->next == LINEAR_GATED ? a->rows_per_gate : a->n_rows,
                             .y = a->y,
                             .y_stride = a->y_stride } };
  if (a->before)
    { /* an entry of its own for each row: added before the activation */
      g.epilogue.entry_add = a->before;
      g.epilogue.rows_per_entry = 1;
    }
  take_factors (b, a, &g);
  Scaling scaling = scaling_of (b, a->scale, a->n_out);
  if (scaling.fused)
    g.epilogue.column_scale = scaling.fused; /* of an adapter; then there are no others */
  g.epilogue.bias = floats_of (b, &a->bias, a->n_out);
  CudaCall call = call_of (CUDA_CALL_GEMM, &a->bias);
  call.gemm = g;
  CudaNarrow before = b->narrow;
  queue (b, run_call, &call, sizeof call, 2.0 * (double) (g.n_rows * g.n_out) * (double) g.n_in);
  cuda_narrow_multiplied (b, &before, &g);
  scale_rows (b, &scaling, a->n_rows, a->n_out, a->y);
}

int
cuda_own_conv (const CudaBackend *b, const GkConv *g)
{
  if (cuda_hopper_convolves (b, g))
    return cuda_hopper_conv (b, g);
  return g->type == GK_TYPE_F32 ? gk_conv_f32 (g, b->compute) : gk_conv (g, b->compute);
}

static void
convolve (CudaBackend *b, const GkConv *g, const Param *bias)
{
  CudaCall call = call_of (CUDA_CALL_CONV, bias);
  call.conv = *g;
  int64_t taps = (int64_t) g->kernel * g->kernel * (g->over_time ? 3 : 1);
  double n_out = (double) (g->n * g->h_out * g->w_out) * (double) g->c_out;
  queue (b, run_call, &call, sizeof call, 2 * n_out * (double) (taps * g->c_in));
}

const void *
cuda_call_bias (CudaBackend *b, const CudaCall *call)
{
  int64_t n = call->kind == CUDA_CALL_GEMM ? call->gemm.n_out : call->conv.c_out;
  return cuda_weight (b, &call->bias, (CudaShape){ .layout = CUDA_ROWS, .n = n });
}

static CudaShape
conv_shape (int64_t c_out, int64_t c_in, int64_t taps)
{
  return (CudaShape){
    .layout = CUDA_CONV, .n = c_out * c_in * taps, .c_out = c_out, .c_in = c_in, .taps = taps
  };
}

static void
cuda_conv2d (Backend *base, const ConvArgs *a)
{
  CudaBackend *b = (CudaBackend *) base;
  CudaShape shape = conv_shape (a->c_out, a->c_in, a->kernel * a->kernel);
  Scaling scaling = scaling_of (b, a->scale, a->c_out);
  GkConv g = { .type = b->type,
               .n = a->n,
               .h_in = a->h_in,
               .w_in = a->w_in,
               .c_in = a->c_in,
               .h_out = a->h_out,
               .w_out = a->w_out,
               .c_out = a->c_out,
               .kernel = a->kernel,
               .stride = a->stride,
               .pad_top = a->pad_top,
               .pad_left = a->pad_left,
               .upsample2 = a->upsample2,
               .x = a->x,
               .w = cuda_weight (b, &a->w, shape),
               .epilogue = { .column_scale = scaling.fused,
                             .bias = floats_of (b, &a->bias, a->c_out),
                             .entry_add = a->channel_add,
                             .add = a->add,
                             .rows_per_entry = a->h_out * a->w_out,
                             .y = a->y,
                             .y_stride = a->c_out } };
  convolve (b, &g, &a->bias);
  scale_rows (b, &scaling, a->n * a->h_out * a->w_out, a->c_out, a->y);
}

static void
cuda_conv3d (Backend *base, const Conv3dArgs *a)
{
  enum
  {
    FRAMES = 3
  };
  CudaBackend *b = (CudaBackend *) base;
  CudaShape shape = conv_shape (a->c_out, a->c_in, FRAMES * a->kernel * a->kernel);
  GkConv g = { .type = b->type,
               .n = a->n,
               .h_in = a->h,
               .w_in = a->w,
               .c_in = a->c_in,
               .h_out = a->h,
               .w_out = a->w,
               .c_out = a->c_out,
               .kernel = a->kernel,
               .stride = 1,
               .pad_top = a->kernel / 2,
               .pad_left = a->kernel / 2,
               .over_time = true,
               .older = { a->frames[0], a->frames[1] },
               .x = a->frames[2],
               .w = cuda_weight (b, &a->weight, shape),
               .epilogue = { .bias = floats_of (b, &a->bias, a->c_out),
                             .add = a->add,
                             .rows_per_entry = a->h * a->w,
                             .y = a->y,
                             .y_stride = a->c_out } };
  convolve (b, &g, &a->bias);
}

static void
attend (CudaBackend *b, const GkAttention *g)
{
  double operations =
      4.0 * (double) (g->n * g->n_heads * g->head_dim) * (double) g->len_q * (double) g->len_k;
  queue (b, run_attention, g, sizeof *g, operations);
}

/* Queries @first and up of entry @entry alone. */
static GkAttention
part_of (const CudaBackend *b, const GkAttention *g, int64_t entry, int64_t first, int64_t n)
{
  GkAttention part = *g;
  part.n = 1;
  part.len_q = n;
  part.q = element_at (b, g->q, (entry * g->len_q + first) * g->q_stride);
  part.k = element_at (b, g->k, entry * g->len_k * g->k_stride);
  part.v = element_at (b, g->v, entry * g->len_k * g->v_stride);
  part.y = element_at (b, g->y, (entry * g->len_q + first) * g->n_heads * g->head_dim);
  part.key_bias = g->key_bias ? g->key_bias + entry * g->len_k : NULL;
  return part;
}

/* In parts where all at once would take long: a query does not depend on the others. */
static void
attend_in_parts (CudaBackend *b, const GkAttention *g, int64_t n_queries)
{
  for (int64_t entry = 0; entry < g->n; entry++)
    for (int64_t first = 0, n; first < g->len_q; first += n)
      {
        int64_t left = g->len_q - first;
        n = left < 2 * n_queries ? left : n_queries; /* a rest would not fill a block */
        GkAttention part = part_of (b, g, entry, first, n);
        attend (b, &part);
      }
}

static void
cuda_attention (Backend *base, const AttentionArgs *a)
{
  CudaBackend *b = (CudaBackend *) base;
  GkAttention g = { .type = b->type,
                    .n = a->n,
                    .n_heads = a->n_heads,
                    .head_dim = a->head_dim,
                    .len_q = a->len_q,
                    .len_k = a->len_k,
                    .q = a->q,
                    .k = a->k,
                    .v = a->v,
                    .q_stride = a->q_stride,
                    .k_stride = a->k_stride,
                    .v_stride = a->v_stride,
                    .y = a->y,
                    .scale = a->scale,
                    .causal = a->causal,
                    .relative_bias = a->relative_bias,
                    .key_bias = a->key_bias };
  int64_t n_queries = cuda_pace_queries (b, &g);
  if (n_queries < g.len_q)
    attend_in_parts (b, &g, n_queries);
  else
    attend (b, &g);
}

/* ---- norms ---- */

static void
cuda_group_norm (Backend *base, const GroupNormArgs *a)
{
  CudaBackend *b = (CudaBackend *) base;
  int64_t n_partial = a->n * GK_GROUP_CHUNKS * a->n_groups * 2;
  float *scratch =
      cuda_scratch (b, (size_t) (n_partial + a->n * a->n_channels * 2) * sizeof *scratch);
  GkGroupStatistics s = { .type = b->type,
                          .n = a->n,
                          .n_pixels = a->n_pixels,
                          .n_channels = a->n_channels,
                          .n_groups = a->n_groups,
                          .eps = a->eps,
                          .x = a->x,
                          .weight = floats_of (b, &a->weight, a->n_channels),
                          .bias = floats_of (b, &a->bias, a->n_channels),
                          .partial = scratch };
  if (cuda_failed (b))
    return;
  s.affine = scratch + n_partial;
  GkGroupApply y = { .type = b->type,
                     .n = a->n,
                     .n_pixels = a->n_pixels,
                     .n_channels = a->n_channels,
                     .silu = a->silu,
                     .x = a->x,
                     .affine = s.affine,
                     .y = a->y };
  queue (b, run_group_statistics, &s, sizeof s, 0);
  queue (b, run_group_apply, &y, sizeof y, 0);
}

static void
norm_rows (CudaBackend *b, GkNormRow g, const Param *weight, const Param *bias)
{
  g.type = b->type;
  g.weight = weight ? floats_of (b, weight, g.dim) : NULL;
  g.bias = bias ? floats_of (b, bias, g.dim) : NULL;
  cuda_narrow_norm (b, &g);
  queue (b, run_norm_row, &g, sizeof g, 0);
  cuda_narrow_normed (b, &g);
}

static void
cuda_layer_norm (Backend *base, const LayerNormArgs *a)
{
  GkNormRow g = { .n = 1, .n_rows = a->n_rows, .dim = a->dim, .eps = a->eps, .x = a->x, .y = a->y };
  norm_rows ((CudaBackend *) base, g, &a->weight, &a->bias);
}

static void
cuda_rms_norm (Backend *base, const RmsNormArgs *a)
{
  GkNormRow g = { .n = 1,
                  .n_rows = a->n_rows,
                  .dim = a->dim,
                  .eps = a->eps,
                  .rms = true,
                  .silu = a->silu,
                  .x = a->x,
                  .y = a->y };
  norm_rows ((CudaBackend *) base, g, &a->weight, NULL);
}

static void
cuda_norm_modulate (Backend *base, const NormModulateArgs *a)
{
  GkNormRow g = { .n = a->n,
                  .n_rows = a->n_rows,
                  .dim = a->dim,
                  .eps = a->eps,
                  .x = a->x,
                  .scale = a->scale,
                  .shift = a->shift,
                  .modulation_stride = a->modulation_stride,
                  .y = a->y };
  norm_rows ((CudaBackend *) base, g, NULL, NULL);
}

static void
cuda_rope (Backend *base, const RopeArgs *a)
{
  CudaBackend *b = (CudaBackend *) base;
  GkRope g = { .type = b->type,
               .n = a->n,
               .len = a->len,
               .n_heads = a->n_heads,
               .head_dim = a->head_dim,
               .x = a->x,
               .x_stride = a->x_stride,
               .norm = floats_of (b, &a->norm, a->head_dim),
               .eps = a->eps,
               .table = a->table,
               .y = a->y,
               .y_stride = a->n_heads * a->head_dim,
               .y_entry = a->y_entry };
  queue (b, run_rope, &g, sizeof g, 0);
}

/* ---- element by element ---- */

static void
cuda_unary (Backend *base, const UnaryArgs *a)
{
  CudaBackend *b = (CudaBackend *) base;
  GkUnary g = { b->type, a->kind, a->n, a->x, a->y };
  queue (b, run_unary, &g, sizeof g, 0);
}

static void
cuda_add (Backend *base, const AddArgs *a)
{
  CudaBackend *b = (CudaBackend *) base;
  GkAdd g = { b->type, a->n, a->n_b, a->x, a->b, a->y };
  queue (b, run_add, &g, sizeof g, 0);
}

static void
cuda_add_gated (Backend *base, const AddGatedArgs *a)
{
  CudaBackend *b = (CudaBackend *) base;
  GkAddGated g = { b->type, a->n, a->n_rows, a->dim, a->x, a->b, a->gate, a->gate_stride, a->y };
  queue (b, run_add_gated, &g, sizeof g, 0);
}

static void
cuda_gated (Backend *base, const GatedArgs *a)
{
  CudaBackend *b = (CudaBackend *) base;
  GkGated g = { b->type, a->kind, 1, a->n, a->n, a->x, a->gate, a->y };
  queue (b, run_gated, &g, sizeof g, 0);
}

static void
cuda_scale (Backend *base, const ScaleArgs *a)
{
  CudaBackend *b = (CudaBackend *) base;
  GkScale g = { b->type, a->n, a->n_s, a->x, a->s, a->y };
  queue (b, run_scale, &g, sizeof g, 0);
}

static void
cuda_geglu (Backend *base, const GegluArgs *a)
{
  CudaBackend *b = (CudaBackend *) base;
  GkGated g = {
    b->type, UNARY_GELU, a->n_rows, a->dim, 2 * a->dim, a->x, element_at (b, a->x, a->dim), a->y
  };
  queue (b, run_gated, &g, sizeof g, 0);
}

/* ---- rows ---- */

static void
fill_ids (void *data, void *out, size_t offset_bytes, size_t n_bytes)
{
  const EmbedArgs *a = data;
  for (size_t i = 0; i < n_bytes / sizeof *a->ids; i++)
    ((int32_t *) out)[i] = a->ids[offset_bytes / sizeof *a->ids + i];
}

static void
pick_rows (CudaBackend *b, const EmbedArgs *a)
{
  size_t size_bytes = (size_t) a->n_rows * sizeof *a->ids;
  int32_t *ids = cuda_scratch (b, size_bytes);
  EmbedArgs args = *a;
  GkEmbed g = { b->type, a->n_rows, a->dim, a->n_positions, ids, a->table.data, NULL, a->y };
  if (ids &&
      cuda_copy_in (b, b->compute, (uintptr_t) ids, size_bytes, sizeof *ids, fill_ids, &args))
    queue (b, run_embed, &g, sizeof g, 0);
}

typedef struct
{
  const EmbedArgs *args;
  float *row, *position; /* (dim) */
  GkType type;
} Lookup;

static void
look_up (const Lookup *l, int64_t row)
{
  const EmbedArgs *a = l->args;
  param_to_f32 (l->row, &a->table, a->ids[row] * a->dim, a->dim);
  if (!a->positions.data)
    return;
  param_to_f32 (l->position, &a->positions, row % a->n_positions * a->dim, a->dim);
  for (int64_t i = 0; i < a->dim; i++)
    l->row[i] += l->position[i];
}

static void
fill_lookup (void *data, void *out, size_t offset_bytes, size_t n_bytes)
{
  const Lookup *l = data;
  int64_t dim = l->args->dim;
  bool in_f32 = l->args->in_f32 || l->type == GK_TYPE_F32;
  size_t size = in_f32 ? sizeof (float) : sizeof (uint16_t);
  int64_t first = (int64_t) (offset_bytes / size) / dim, n = (int64_t) (n_bytes / size) / dim;
  for (int64_t r = 0; r < n; r++)
    {
      look_up (l, first + r);
      for (int64_t i = 0; i < dim; i++)
        if (in_f32)
          ((float *) out)[r * dim + i] = l->row[i];
        else
          ((uint16_t *) out)[r * dim + i] =
              l->type == GK_TYPE_BF16 ? f32_to_bf16 (l->row[i]) : f32_to_f16 (l->row[i]);
    }
}

/* Tables stay in the program's memory: a text reads a few rows of tens of thousands. */
static void
cuda_embed (Backend *base, const EmbedArgs *a)
{
  CudaBackend *b = (CudaBackend *) base;
  if (a->of_activations)
    {
      pick_rows (b, a);
      return;
    }
  Lookup l = { .args = a, .row = mem_calloc ((size_t) a->dim * 2, sizeof *l.row), .type = b->type };
  size_t row_bytes = (size_t) a->dim * (a->in_f32 ? sizeof (float) : element_bytes (b));
  l.position = l.row + a->dim;
  if (!l.row)
    status_fail (&b->status, STATUS_NO_MEMORY, "Out of memory: close other programs and retry.");
  else
    cuda_copy_in (b, b->compute, (uintptr_t) a->y, (size_t) a->n_rows * row_bytes, row_bytes,
                  fill_lookup, &l);
  mem_free (l.row);
}

static void
cuda_concat (Backend *base, const ConcatArgs *a)
{
  CudaBackend *b = (CudaBackend *) base;
  int64_t width = a->dim_a + a->dim_b;
  void *behind = element_at (b, a->y, a->dim_a);
  GkCopy left = rows_copy (b, a->n_rows, a->dim_a, a->a, a->dim_a, a->y, width);
  GkCopy right = rows_copy (b, a->n_rows, a->dim_b, a->b, a->dim_b, behind, width);
  if (cuda_failed (b))
    return;
  queue (b, run_copy, &left, sizeof left, 0);
  queue (b, run_copy, &right, sizeof right, 0);
}

static void
cuda_copy (Backend *base, const CopyArgs *a)
{
  CudaBackend *b = (CudaBackend *) base;
  GkCopy g = rows_copy (b, a->n_rows, a->width, a->x, a->x_stride, a->y, a->y_stride);
  queue (b, run_copy, &g, sizeof g, 0);
}

static void
cuda_avg_down (Backend *base, const AvgDownArgs *a)
{
  CudaBackend *b = (CudaBackend *) base;
  GkAvgDown g = { b->type,     a->n,      a->h,
                  a->w,        a->c_in,   a->c_out,
                  a->n_frames, a->factor, { a->x[0], a->x[1] },
                  a->add,      a->y };
  queue (b, run_avg_down, &g, sizeof g, 0);
}

static void
cuda_dup_up (Backend *base, const DupUpArgs *a)
{
  CudaBackend *b = (CudaBackend *) base;
  GkDupUp g = { b->type,     a->n,     a->h,      a->w, a->c_in, a->c_out,
                a->n_frames, a->frame, a->factor, a->x, a->add,  a->y };
  queue (b, run_dup_up, &g, sizeof g, 0);
}

/* What operators make has the type of all products here already. */
static void
cuda_round (Backend *base, const RoundArgs *a)
{
  CudaBackend *b = (CudaBackend *) base;
  GkCopy g = rows_copy (b, a->n_rows, a->dim, a->x, a->dim, a->y, a->dim);
  queue (b, run_copy, &g, sizeof g, 0);
}

static void
cuda_resize (Backend *base, const ResizeArgs *a)
{
  CudaBackend *b = (CudaBackend *) base;
  int64_t width = a->n_channels * (int64_t) (element_bytes (b) / sizeof (uint16_t));
  GkResize g = { a->n, a->h_in, a->w_in, a->h_out, a->w_out, width, a->x, a->y };
  queue (b, run_resize, &g, sizeof g, 0);
}

static void
cuda_sinusoid (Backend *base, const SinusoidArgs *a)
{
  CudaBackend *b = (CudaBackend *) base;
  GkSinusoid g = { b->type, a->n, a->dim, a->t, a->times, a->y };
  queue (b, run_sinusoid, &g, sizeof g, 0);
}

const BackendOps cuda_ops = {
  .linear = cuda_linear,
  .conv2d = cuda_conv2d,
  .conv3d = cuda_conv3d,
  .attention = cuda_attention,
  .group_norm = cuda_group_norm,
  .layer_norm = cuda_layer_norm,
  .rms_norm = cuda_rms_norm,
  .norm_modulate = cuda_norm_modulate,
  .rope = cuda_rope,
  .unary = cuda_unary,
  .add = cuda_add,
  .add_gated = cuda_add_gated,
  .gated = cuda_gated,
  .scale = cuda_scale,
  .geglu = cuda_geglu,
  .embed = cuda_embed,
  .concat = cuda_concat,
  .copy = cuda_copy,
  .avg_down = cuda_avg_down,
  .dup_up = cuda_dup_up,
  .round = cuda_round,
  .resize = cuda_resize,
  .sinusoid = cuda_sinusoid,
};
