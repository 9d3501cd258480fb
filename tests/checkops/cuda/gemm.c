/* SPDX-License-Identifier: MPL-2.0
 * gemm.c - cases of kernels/cuda/gemm.cu, and of product-f32.cu.
 */
#include <string.h>

#include "check.h"

typedef struct
{
  const char *name;
  GkActivation activation;
  bool bias, entry_add, gate, add, in_place;
} EpilogueKind;

static const EpilogueKind epilogues[] = {
  { "plain", GK_ACT_NONE, false, false, false, false, false },
  { "bias-gelu-tanh", GK_ACT_GELU_TANH, true, false, false, false, false },
  { "bias-silu-entry", GK_ACT_SILU, true, true, false, false, false },
  { "gate-add", GK_ACT_NONE, true, false, true, true, false },
  { "add-in-place", GK_ACT_GELU, true, false, false, true, true },
  { "geglu", GK_ACT_GEGLU, true, false, false, false, false },
  { "quick-gelu", GK_ACT_QUICK_GELU, true, false, false, false, false },
};

static int
run_gemm (const void *args, void *stream)
{
  return gk_gemm (args, stream);
}

static int
run_gemm_f32 (const void *args, void *stream)
{
  return gk_gemm_f32 (args, stream);
}

static float
activate (GkActivation kind, float x)
{
  static const UnaryKind kinds[] = { [GK_ACT_SILU] = UNARY_SILU,
                                     [GK_ACT_GELU] = UNARY_GELU,
                                     [GK_ACT_GELU_TANH] = UNARY_GELU_TANH,
                                     [GK_ACT_QUICK_GELU] = UNARY_QUICK_GELU };
  float y = x;
  if (kind != GK_ACT_NONE)
    ref_unary (&(UnaryArgs){ .kind = kinds[kind], .n = 1, .x = &x, .y = &y });
  return y;
}

/* Sums of products, and of their absolute values. */
static void
multiply_exactly (
    Check *c, const GkGemm *g, const float *x, const float *w, float **product, float **absolute)
{
  LinearArgs args = { .n_rows = g->n_rows,
                      .n_out = g->n_out,
                      .n_in = g->n_in,
                      .x = x,
                      .x_stride = g->x_stride,
                      .w = { .data = w, .dtype = DTYPE_F32 },
                      .y_stride = g->n_out };
  float *magnitudes_x = check_host (c, g->n_rows * g->x_stride);
  float *magnitudes_w = check_host (c, g->n_out * g->n_in);
  args.y = *product = check_host (c, g->n_rows * g->n_out);
  ref_linear (&args);
  for (int64_t i = 0; i < g->n_rows * g->x_stride; i++)
    magnitudes_x[i] = fabsf (x[i]);
  for (int64_t i = 0; i < g->n_out * g->n_in; i++)
    magnitudes_w[i] = fabsf (w[i]);
  args.x = magnitudes_x;
  args.w.data = magnitudes_w;
  args.y = *absolute = check_host (c, g->n_rows * g->n_out);
  ref_linear (&args);
}

static int
run_wgmma (const void *args, void *stream)
{
  return gk_gemm_wgmma (args, stream);
}

void
check_end_wgmma (Check *c, const GkGemm *g, const Output *o)
{
  static _Alignas(64) unsigned char x_map[DEVICE_MAP_BYTES], w_map[DEVICE_MAP_BYTES];
  int64_t half = g->n_out / 2;
  int bytes = g->format == GK_WEIGHT_E4M3 ? 1 : 2, line = bytes == 1 ? GK_WGMMA_K8 : GK_WGMMA_K;
  bool made = device_tensor_map (x_map, bytes, g->x, 2, (int64_t[]){ g->n_in, g->n_rows },
                                 (int64_t[]){ g->x_stride }, (int[]){ line, GK_WGMMA_M });
  if (g->epilogue.activation == GK_ACT_GEGLU)
    made &= device_tensor_map (w_map, bytes, g->w, 4, (int64_t[]){ g->n_in, 8, 2, half / 8 },
                               (int64_t[]){ g->n_in, half * g->n_in, 8 * g->n_in },
                               (int[]){ line, 8, 2, GK_WGMMA_N / 16 });
  else
    made &= device_tensor_map (w_map, bytes, g->w, 2, (int64_t[]){ g->n_in, g->n_out },
                               (int64_t[]){ g->n_in }, (int[]){ line, GK_WGMMA_N });
  GkGemmWgmma args = { *g, made ? x_map : NULL, made ? w_map : NULL };
  check_end (c, run_wgmma, &args, o);
}

typedef struct
{
  Values bias, entry_add, gate, add;
} Beside;

/* The epilogue of element (@row, @column) of the product. */
static void
finish_element (const GkGemm *g,
                const EpilogueKind *k,
                const Beside *b,
                const float *product,
                const float *absolute,
                int64_t row,
                int64_t column,
                Output *o)
{
  bool geglu = k->activation == GK_ACT_GEGLU;
  int64_t width = geglu ? g->n_out / 2 : g->n_out, at = row * g->epilogue.y_stride + column;
  int64_t entry = row / g->epilogue.rows_per_entry;
  float v = product[row * g->n_out + column], size = absolute[row * g->n_out + column];
  v += (k->bias ? b->bias.host[column] : 0);
  v += (k->entry_add ? b->entry_add.host[entry * g->n_out + column] : 0);
  size += fabsf (v);
  if (geglu)
    {
      float other = product[row * g->n_out + width + column] + b->bias.host[width + column];
      size = (size + absolute[row * g->n_out + width + column]) * (1 + fabsf (v) + fabsf (other));
      v *= activate (GK_ACT_GELU, other);
    }
  else
    v = activate (k->activation, v);
  if (k->gate)
    {
      float gate = b->gate.host[entry * g->epilogue.gate_stride + column];
      v *= gate;
      size *= fabsf (gate);
    }
  float add = k->add ? b->add.host[at] : 0;
  o->exact[at] = v + add;
  o->magnitude[at] = size + fabsf (add) + 1e-6f;
}

static void
check_case (Check *c,
            bool hopper,
            GkType type,
            const EpilogueKind *k,
            int64_t n_rows,
            int64_t n_out,
            int64_t n_in,
            int64_t padding)
{
  bool geglu = k->activation == GK_ACT_GEGLU;
  int64_t width = geglu ? n_out / 2 : n_out, x_stride = n_in + padding, stride = width + padding;
  int64_t rows_per_entry = n_rows / 2 + 1, n_entries = 2;
  Beside b = { 0 };
  float *product, *absolute;
  if (!check_begin (c, "%s/%s/%s/%lldx%lldx%lld%s", hopper ? "gemm-wgmma" : "gemm",
                    check_type_name (type), k->name, (long long) n_rows, (long long) n_out,
                    (long long) n_in, padding ? "/strided" : ""))
    return;
  Values x = check_rows (c, type, n_rows, n_in, x_stride);
  Values w = check_values (c, type, n_out * n_in, 1 / sqrtf ((float) n_in), 0);
  b.bias = check_floats (c, n_out, 1, 0);
  b.entry_add = check_values (c, type, n_entries * n_out, 1, 0);
  b.gate = check_rows (c, type, n_entries, width, 2 * width);
  b.add = check_values (c, type, n_rows * stride, 1, 0);
  Output y = check_output (c, (OutType) type, n_rows * stride, k->in_place ? b.add.device : NULL);
  GkGemm args = { .type = type,
                  .n_rows = n_rows,
                  .n_out = n_out,
                  .n_in = n_in,
                  .x = x.device,
                  .x_stride = x_stride,
                  .w = w.device,
                  .epilogue = { .bias = k->bias ? b.bias.device : NULL,
                                .entry_add = k->entry_add ? b.entry_add.device : NULL,
                                .activation = k->activation,
                                .gate = k->gate ? b.gate.device : NULL,
                                .gate_stride = 2 * width,
                                .add = k->add ? b.add.device : NULL,
                                .rows_per_entry = rows_per_entry,
                                .y = y.device,
                                .y_stride = stride } };
  multiply_exactly (c, &args, x.host, w.host, &product, &absolute);
  for (int64_t i = 0; i < y.n; i++)
    y.exact[i] = k->in_place ? b.add.host[i] : GAP;
  for (int64_t row = 0; row < n_rows; row++)
    for (int64_t column = 0; column < width; column++)
      finish_element (&args, k, &b, product, absolute, row, column, &y);
  if (hopper)
    check_end_wgmma (c, &args, &y);
  else
    check_end (c, type == GK_TYPE_F32 ? run_gemm_f32 : run_gemm, &args, &y);
}

static void
check_one (Check *c,
           GkType type,
           const EpilogueKind *k,
           int64_t n_rows,
           int64_t n_out,
           int64_t n_in,
           int64_t padding)
{
  check_case (c, false, type, k, n_rows, n_out, n_in, padding);
}

void
check_hopper (Check *c)
{
  if (!device_has_capability (90))
    return;
  for (int type = 0; type <= GK_TYPE_F16; type++)
    {
      check_case (c, true, (GkType) type, &epilogues[3], 70, 80, 456, 8); /* all slots twice */
      check_case (c, true, (GkType) type, &epilogues[5], 140, 272, 64, 8);
      check_case (c, true, (GkType) type, &epilogues[1], 3, 131, 24, 0);
    }
}

void
check_gemm (Check *c)
{
  for (int type = 0; type <= GK_TYPE_F16; type++)
    {
      for (int k = 0; k < COUNT (epilogues); k++)
        check_one (c, (GkType) type, &epilogues[k], 37, 48, 72, 0);
      check_one (c, (GkType) type, &epilogues[3], 66, 80, 232, 8);  /* several tiles, odd ends */
      check_one (c, (GkType) type, &epilogues[5], 65, 144, 64, 16); /* halves that end in a tile */
      check_one (c, (GkType) type, &epilogues[1], 5, 7, 9, 0);      /* nothing aligned */
      check_one (c, (GkType) type, &epilogues[4], 3, 70, 40, 2);    /* y alone unaligned */
      check_one (c, (GkType) type, &epilogues[2], 130, 12, 33, 0);
      check_one (c, (GkType) type, &epilogues[3], 20, 12, 40, 4); /* ends within a wide piece */
      check_one (c, (GkType) type, &epilogues[0], 1, 320, 16, 0);
    }
  check_one (c, GK_TYPE_F32, &epilogues[2], 70, 69, 37, 0);
  check_one (c, GK_TYPE_F32, &epilogues[3], 37, 48, 72, 4);
  check_one (c, GK_TYPE_F32, &epilogues[4], 5, 7, 9, 2);
  if (!check_is_full (c)) /* tiles of 128 need thousands of rows to be chosen */
    return;
  for (int type = 0; type <= GK_TYPE_F16; type++)
    {
      check_one (c, (GkType) type, &epilogues[3], 1530, 1020, 40, 4);
      check_one (c, (GkType) type, &epilogues[5], 1500, 1056, 40, 0);
    }
}
