/* SPDX-License-Identifier: MPL-2.0
 * gemm-formats.c - cases of kernels/cuda/gemm-fp8.cu, gemm-wgmma.cu of 8 bits, gemm-quant.cu and
 * quantise.cu.
 *
 * Blocks are random bytes with small scales; the engine's decoder (core/blocks.h) says their
 * values.
 */
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "core/blocks.h"

static int
run_fp8 (const void *args, void *stream)
{
  return gk_gemm_fp8 (args, stream);
}

static int
run_quant (const void *args, void *stream)
{
  return gk_gemm_quant (args, stream);
}

static int
run_quantise (const void *args, void *stream)
{
  return gk_quantise (args, stream);
}

/* y and its magnitudes from x, w, a scale for each row of either, and a bias. */
static void
expect_product (Output *o,
                const GkGemm *g,
                const float *x,
                const float *w,
                const float *row_scale,
                const float *column_scale,
                const float *bias)
{
  for (int64_t row = 0; row < g->n_rows; row++)
    for (int64_t column = 0; column < g->n_out; column++)
      {
        double sum = 0, size = 0;
        double scale = (row_scale ? row_scale[row] : 1) * (column_scale ? column_scale[column] : 1);
        for (int64_t k = 0; k < g->n_in; k++)
          {
            double product = (double) x[row * g->x_stride + k] * w[column * g->n_in + k] * scale;
            sum += product;
            size += fabs (product);
          }
        int64_t at = row * g->epilogue.y_stride + column;
        o->exact[at] = (float) (sum + bias[column]);
        o->magnitude[at] = (float) (size + fabs (bias[column]) + 1e-6);
      }
}

static uint8_t
random_byte (Check *c)
{
  return (uint8_t) (check_uniform (c) * 256);
}

/* --- e4m3 --- */

static Values
make_e4m3 (Check *c, int64_t n)
{
  uint8_t *bytes = malloc ((size_t) n);
  float *host = check_host (c, n);
  for (int64_t i = 0; i < n; i++)
    do
      bytes[i] = random_byte (c);
    while ((bytes[i] & 0x7f) > 0x48); /* no NaN, and up to 4: sums of a similar size */
  dtype_to_f32 (host, bytes, DTYPE_F8_E4M3, n);
  void *device = check_upload (c, bytes, (size_t) n, "e4m3 values");
  free (bytes);
  return (Values){ device, host };
}

static void
check_fp8 (Check *c, bool hopper, GkType type, int64_t n_rows, int64_t n_out, int64_t n_in)
{
  if (!check_begin (c, "gemm-fp8%s/%s/%lldx%lldx%lld", hopper ? "-wgmma" : "",
                    check_type_name (type), (long long) n_rows, (long long) n_out,
                    (long long) n_in))
    return;
  int64_t y_stride = (n_out + 7) / 8 * 8;
  Values x = make_e4m3 (c, n_rows * n_in), w = make_e4m3 (c, n_out * n_in);
  Values row_scale = check_floats (c, n_rows, 0.01f, 0.05f);
  Values column_scale = check_floats (c, n_out, 0.01f, 0.05f), bias = check_floats (c, n_out, 1, 0);
  Output y = check_output (c, (OutType) type, n_rows * y_stride, NULL);
  GkGemm args = { .type = type,
                  .n_rows = n_rows,
                  .n_out = n_out,
                  .n_in = n_in,
                  .x = x.device,
                  .x_stride = n_in,
                  .format = GK_WEIGHT_E4M3,
                  .w = w.device,
                  .epilogue = { .row_scale = row_scale.device,
                                .column_scale = column_scale.device,
                                .bias = bias.device,
                                .rows_per_entry = n_rows,
                                .y = y.device,
                                .y_stride = y_stride } };
  for (int64_t i = 0; i < y.n; i++)
    y.exact[i] = GAP;
  expect_product (&y, &args, x.host, w.host, row_scale.host, column_scale.host, bias.host);
  if (hopper)
    check_end_wgmma (c, &args, &y);
  else
    check_end (c, run_fp8, &args, &y);
}

/* The bytes are compared as what they stand for: a neighbouring e4m3 is up to 1/8 away. */
static void
check_quantise (Check *c, GkType type, int64_t n_rows, int64_t dim)
{
  if (!check_begin (c, "quantise/%s/%lldx%lld", check_type_name (type), (long long) n_rows,
                    (long long) dim))
    return;
  Values x = check_rows (c, type, n_rows, dim, dim + 8);
  float *scale = check_scratch (c, (size_t) n_rows * sizeof *scale);
  Output y = check_output (c, OUT_E4M3, n_rows * dim, NULL);
  for (int64_t row = 0; row < n_rows; row++)
    {
      const float *in = x.host + row * (dim + 8);
      float largest = 0;
      for (int64_t i = 0; i < dim; i++)
        largest = fmaxf (largest, fabsf (in[i]));
      for (int64_t i = 0; i < dim; i++)
        {
          y.exact[row * dim + i] = in[i] / (largest / 448);
          /* Half a step of three bits, of a normal number or of the smallest (2^-9). */
          y.magnitude[row * dim + i] = fmaxf (fabsf (y.exact[row * dim + i]) / 16, 0x1p-10f);
        }
    }
  GkQuantise args = { type, n_rows, dim, x.device, dim + 8, y.device, scale };
  check_end (c, run_quantise, &args, &y);
}

/* And the scales; one row is all zeros. */
static void
check_scales (Check *c, GkType type, int64_t n_rows, int64_t dim)
{
  if (!check_begin (c, "quantise-scales/%s/%lldx%lld", check_type_name (type), (long long) n_rows,
                    (long long) dim))
    return;
  Values x = check_values (c, type, n_rows * dim, 1, 0);
  Output scale = check_output (c, OUT_F32, n_rows, NULL);
  uint16_t *bits = calloc ((size_t) (n_rows * dim), sizeof *bits);
  for (int64_t i = dim; i < n_rows * dim; i++)
    {
      bits[i] = type == GK_TYPE_F16 ? f32_to_f16 (x.host[i]) : f32_to_bf16 (x.host[i]);
      scale.exact[i / dim] = fmaxf (scale.exact[i / dim], fabsf (x.host[i]) / 448);
    }
  GkQuantise args = { .type = type,
                      .n_rows = n_rows,
                      .dim = dim,
                      .x = check_upload (c, bits, (size_t) (n_rows * dim) * sizeof *bits, "rows"),
                      .x_stride = dim,
                      .y = check_scratch (c, (size_t) (n_rows * dim)),
                      .scale = scale.device };
  free (bits);
  check_end (c, run_quantise, &args, &scale);
}

/* --- blocks --- */

typedef struct
{
  const char *name;
  GkWeightFormat format;
  DType dtype;
  int scale_at, n_scales; /* f16, in a block */
} Format;

static const Format formats[] = {
  { "q8_0", GK_WEIGHT_Q8_0, DTYPE_Q8_0, 0, 1 },   { "q6_k", GK_WEIGHT_Q6_K, DTYPE_Q6_K, 208, 1 },
  { "q5_k", GK_WEIGHT_Q5_K, DTYPE_Q5_K, 0, 2 },   { "q5_1", GK_WEIGHT_Q5_1, DTYPE_Q5_1, 0, 2 },
  { "q5_0", GK_WEIGHT_Q5_0, DTYPE_Q5_0, 0, 1 },   { "q4_k", GK_WEIGHT_Q4_K, DTYPE_Q4_K, 0, 2 },
  { "q4_1", GK_WEIGHT_Q4_1, DTYPE_Q4_1, 0, 2 },   { "q4_0", GK_WEIGHT_Q4_0, DTYPE_Q4_0, 0, 1 },
  { "q3_k", GK_WEIGHT_Q3_K, DTYPE_Q3_K, 108, 1 }, { "q2_k", GK_WEIGHT_Q2_K, DTYPE_Q2_K, 80, 2 },
  { "nf4", GK_WEIGHT_NF4, DTYPE_NF4, 0, 0 },
};

/* Quantiles of the normal distribution: Dettmers et al., QLoRA, 2023, appendix E. */
static const float nf4_book[16] = { -1.0f,        -0.69619280f, -0.52507305f,  -0.39491749f,
                                    -0.28444138f, -0.18477343f, -0.091050036f, 0.0f,
                                    0.079580300f, 0.16093020f,  0.24611230f,   0.33791524f,
                                    0.44070983f,  0.56261700f,  0.72295684f,   1.0f };

static uint8_t *
make_blocks (Check *c, const Format *f, int64_t n)
{
  size_t size_bytes = (size_t) dtype_bytes (f->dtype, n);
  int block_bytes = dtype_block_bytes (f->dtype);
  uint8_t *bytes = malloc (size_bytes);
  for (size_t i = 0; i < size_bytes; i++)
    bytes[i] = random_byte (c);
  for (size_t i = 0; i < size_bytes && f->n_scales; i += (size_t) block_bytes)
    for (int k = 0; k < f->n_scales; k++)
      {
        uint16_t scale = f32_to_f16 ((float) (0.001 + 0.001 * check_uniform (c)));
        memcpy (bytes + i + f->scale_at + 2 * k, &scale, sizeof scale);
      }
  return bytes;
}

static void
check_quant (Check *c, GkType type, const Format *f, int64_t n_rows, int64_t n_out, int64_t n_in)
{
  if (!check_begin (c, "gemm-%s/%s/%lldx%lldx%lld", f->name, check_type_name (type),
                    (long long) n_rows, (long long) n_out, (long long) n_in))
    return;
  int64_t n_w = n_out * n_in;
  Values x = check_values (c, type, n_rows * n_in, 1, 0), bias = check_floats (c, n_out, 1, 0);
  Values scales = check_floats (c, n_w / 64 + 1, 0.2f, 1), book = check_floats (c, 16, 1, 0);
  uint8_t *blocks = make_blocks (c, f, n_w);
  float *w = check_host (c, n_w);
  book.device = check_upload (c, nf4_book, sizeof nf4_book, "the code book");
  ParamQuant quant = { .scales = scales.host, .scale_run = 64, .code_book = nf4_book };
  Param param = { .data = blocks,
                  .dtype = f->dtype,
                  .quant = f->format == GK_WEIGHT_NF4 ? &quant : NULL };
  param_to_f32 (w, &param, 0, n_w);
  for (int64_t i = 0; i < n_w; i++)
    w[i] = type == GK_TYPE_F16 ? f16_to_f32 (f32_to_f16 (w[i])) : bf16_to_f32 (f32_to_bf16 (w[i]));
  Output y = check_output (c, (OutType) type, n_rows * n_out, NULL);
  GkGemm args = {
    .type = type,
    .n_rows = n_rows,
    .n_out = n_out,
    .n_in = n_in,
    .x = x.device,
    .x_stride = n_in,
    .format = f->format,
    .w = check_upload (c, blocks, (size_t) dtype_bytes (f->dtype, n_w), "blocks"),
    .w_scales = scales.device,
    .w_book = f->format == GK_WEIGHT_NF4 ? book.device : NULL,
    .epilogue = { .bias = bias.device, .rows_per_entry = n_rows, .y = y.device, .y_stride = n_out }
  };
  free (blocks);
  expect_product (&y, &args, x.host, w, NULL, NULL, bias.host);
  check_end (c, run_quant, &args, &y);
}

void
check_gemm_formats (Check *c)
{
  for (int type = 0; type <= GK_TYPE_F16; type++)
    {
      check_fp8 (c, false, (GkType) type, 37, 24, 80);
      check_fp8 (c, false, (GkType) type, 70, 67, 208);
      if (device_has_capability (90))
        check_fp8 (c, true, (GkType) type, 140, 131, 656); /* all slots twice */
      check_scales (c, (GkType) type, 3, 48);
      check_quantise (c, (GkType) type, 3, 32);
      check_quantise (c, (GkType) type, 2, 1088);
      for (int i = 0; i < COUNT (formats); i++)
        {
          check_quant (c, (GkType) type, &formats[i], 21, 40, 256);
          if (dtype_block_elements (formats[i].dtype) < 256)
            check_quant (c, (GkType) type, &formats[i], 5, 8, formats[i].n_scales ? 96 : 64);
        }
      check_quant (c, (GkType) type, &formats[0], 66, 70, 512);
    }
}
