/* SPDX-License-Identifier: MPL-2.0
 * launch.h - the CUDA kernels as C functions: each takes device pointers, counts and strides.
 *
 * Shared by the CUDA backend and by the tests, which run the same functions on the emulator.
 * Semantics are those of the slots in kernels/args.h; what differs: activations and the weights
 * that products read have 16 bits, or are f32 (GkType; only the products and attention that say so
 * take the latter), parameters for each channel (biases, norm weights) are
 * f32, and weights are laid out as each struct says.  Tensors begin at multiples of 16 bytes;
 * strides count elements.
 *
 * Every function returns 0, or a cudaError_t (1, invalid value, for what a kernel cannot do).
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "kernels/args.h"

#ifdef __cplusplus
#  define GK_C_BEGIN                                                                               \
    extern "C"                                                                                     \
    {
#  define GK_C_END }
#else
#  define GK_C_BEGIN
#  define GK_C_END
#endif

GK_C_BEGIN

typedef enum
{
  GK_TYPE_BF16,
  GK_TYPE_F16,
  GK_TYPE_F32 /* for comparing with other programs */
} GkType;

/* --- pointwise.cu --- */

typedef struct
{
  GkType type;
  UnaryKind kind;
  int64_t n;
  const void *x;
  void *y; /* may equal x */
} GkUnary;
int gk_unary (const GkUnary *a, void *stream);

/* y[i] = x[i] + b[i % n_b] */
typedef struct
{
  GkType type;
  int64_t n, n_b;
  const void *x, *b;
  void *y; /* may equal x */
} GkAdd;
int gk_add (const GkAdd *a, void *stream);

/* y[i] = s[i % n_s] == 0 ? 0 : x[i] * s[i % n_s]; n a multiple of n_s */
typedef struct
{
  GkType type;
  int64_t n, n_s;
  const void *x;
  const float *s;
  void *y; /* may equal x */
} GkScale;
int gk_scale (const GkScale *a, void *stream);

/* y = x + gate * b; x, b, y (n, n_rows, dim), gate (n, dim), rows gate_stride apart. */
typedef struct
{
  GkType type;
  int64_t n, n_rows, dim;
  const void *x, *b, *gate;
  int64_t gate_stride;
  void *y; /* may equal x or b */
} GkAddGated;
int gk_add_gated (const GkAddGated *a, void *stream);

/* y = x * f (gate), rows of dim, x_stride apart (both); GEGLU: gate = x + dim, x_stride 2 dim. */
typedef struct
{
  GkType type;
  UnaryKind kind;
  int64_t n_rows, dim, x_stride;
  const void *x, *gate;
  void *y; /* (n_rows, dim); may equal x or gate when x_stride is dim */
} GkGated;
int gk_gated (const GkGated *a, void *stream);

/* Between any two of f32, bf16, f16: to nearest even. */
typedef struct
{
  GkType from, to;
  int64_t n;
  const void *x;
  void *y;
} GkConvert;
int gk_convert (const GkConvert *a, void *stream);

/* --- rows.cu --- */

/* n_rows rows of width; a concatenation is two of these. */
typedef struct
{
  int64_t n_rows, width;
  const void *x;
  int64_t x_stride;
  void *y;
  int64_t y_stride;
} GkCopy;
int gk_copy (const GkCopy *a, void *stream);

/* y[r] = table[ids[r]] + positions[r % n_positions]; positions may be NULL. */
typedef struct
{
  GkType type;
  int64_t n_rows, dim, n_positions;
  const int32_t *ids;
  const void *table, *positions;
  void *y;
} GkEmbed;
int gk_embed (const GkEmbed *a, void *stream);

/* Nearest neighbour: source index = floor (i * in / out). */
typedef struct
{
  int64_t n, h_in, w_in, h_out, w_out, n_channels;
  const void *x;
  void *y;
} GkResize;
int gk_resize (const GkResize *a, void *stream);

/* y (n, dim) = [cos (t f), sin (t f)]; t (n) f32, multiplied by times first. */
typedef struct
{
  GkType type;
  int64_t n, dim;
  const float *t;
  float times;
  void *y;
} GkSinusoid;
int gk_sinusoid (const GkSinusoid *a, void *stream);

/* y = 255 * clamp (x W^T + bias, 0, 1), to nearest: x (n_pixels, n_channels), w (3, n_channels)
 * f32, y (n_pixels, 3) bytes.  A picture: n_channels 3, W = 0.5, bias 0.5.  A preview: the
 * latent's projection. */
typedef struct
{
  GkType type;
  int64_t n_pixels;
  int n_channels;
  const void *x;
  const float *w, *bias;
  uint8_t *y;
} GkPixels;
int gk_pixels (const GkPixels *a, void *stream);

/* --- norm-row.cu --- */

/* Rows of dim, n_rows for each of n entries.  y = (x - mean) / sqrt (variance + eps), or with rms
 * x / sqrt (mean (x^2) + eps); then * weight + bias, then * (1 + scale) + shift, as far as they
 * are there; then silu when asked for. */
typedef struct
{
  GkType type;
  int64_t n, n_rows, dim;
  float eps;
  bool rms, silu;
  const void *x;
  const float *weight, *bias; /* (dim) or NULL */
  const void *scale, *shift;  /* (n, dim), rows modulation_stride apart; both or none */
  int64_t modulation_stride;
  void *y; /* may equal x */
  /* y again, as gk_quantise makes it; NULL, or both, with dim a multiple of 16, 16-bit types, and
   * from sm_89 on */
  uint8_t *y8;   /* (n * n_rows, dim) */
  float *scale8; /* (n * n_rows) */
} GkNormRow;
int gk_norm_row (const GkNormRow *a, void *stream);

/* As RopeArgs: each head normed (norm NULL: not), then turned (table NULL: not). */
typedef struct
{
  GkType type;
  int64_t n, len, n_heads, head_dim;
  const void *x;
  int64_t x_stride;
  const float *norm; /* (head_dim) or NULL */
  float eps;
  const float *table; /* (len, head_dim) cos and sin in turns, or NULL */
  void *y;
  int64_t y_stride, y_entry; /* from token to token, from entry to entry */
} GkRope;
int gk_rope (const GkRope *a, void *stream);

/* --- norm-group.cu --- */

enum
{
  GK_GROUP_CHUNKS = 256 /* partial sums an image, at most */
};

/* The statistics of a GroupNorm, folded with its parameters: normed = x * affine[0] + affine[1].
 */
typedef struct
{
  GkType type;
  int64_t n, n_pixels, n_channels;
  int n_groups;
  float eps;
  const void *x;
  const float *weight, *bias; /* (n_channels) or NULL */
  float *partial;             /* scratch: n * GK_GROUP_CHUNKS * n_groups * 2 */
  float *affine;              /* (n, n_channels, 2) */
} GkGroupStatistics;
int gk_group_statistics (const GkGroupStatistics *a, void *stream);

typedef struct
{
  GkType type;
  int64_t n, n_pixels, n_channels;
  bool silu;
  const void *x;
  const float *affine;
  void *y; /* may equal x */
} GkGroupApply;
int gk_group_apply (const GkGroupApply *a, void *stream);

/* --- products: product-f32.cu, gemm.cu, gemm-fp8.cu, gemm-quant.cu, gemm-wgmma.cu, conv.cu, and
 * quantise.cu --- */

typedef enum
{
  GK_ACT_NONE,
  GK_ACT_SILU,
  GK_ACT_GELU,
  GK_ACT_GELU_TANH,
  GK_ACT_QUICK_GELU,
  GK_ACT_GEGLU /* the columns are [a | g], the result (n_rows, n_out / 2) = a * gelu (g) */
} GkActivation;

/* What happens to a product before it is stored, in this order; what is NULL does not. */
typedef struct
{
  const float *row_scale, *column_scale; /* (n_rows), (n_out): of 8-bit factors */
  const float *bias;                     /* (n_out) */
  const void *entry_add;                 /* (n, n_out): an entry has rows_per_entry rows */
  GkActivation activation;
  const void *gate; /* (n, n_out), rows gate_stride apart */
  int64_t gate_stride;
  const void *add; /* as y; may equal y */
  int64_t rows_per_entry;
  void *y;
  int64_t y_stride;
} GkEpilogue;

typedef enum
{
  GK_WEIGHT_16,   /* (n_out, n_in) of the activations' type */
  GK_WEIGHT_Q8_0, /* GGUF blocks of 32 and 256 values, rows in a run */
  GK_WEIGHT_Q6_K,
  GK_WEIGHT_Q5_K,
  GK_WEIGHT_Q5_1,
  GK_WEIGHT_Q5_0,
  GK_WEIGHT_Q4_K,
  GK_WEIGHT_Q4_1,
  GK_WEIGHT_Q4_0,
  GK_WEIGHT_Q3_K,
  GK_WEIGHT_Q2_K,
  GK_WEIGHT_NF4, /* two codes in a byte, high half first; an f32 scale for every 64 */
  GK_WEIGHT_E4M3 /* bytes, as x then has them; epilogue.row_scale and column_scale */
} GkWeightFormat;

/* y = epilogue (x w^T). */
typedef struct
{
  GkType type;
  int64_t n_rows, n_out, n_in;
  const void *x;
  int64_t x_stride;
  GkWeightFormat format;
  const void *w;
  const float *w_scales; /* NF4: (n_out * n_in / 64) */
  const float *w_book;   /* NF4: the 16 values that codes stand for */
  GkEpilogue epilogue;
} GkGemm;
int gk_gemm (const GkGemm *a, void *stream);

/* Weights in blocks; n_in a multiple of the block. */
int gk_gemm_quant (const GkGemm *a, void *stream);

/* GK_WEIGHT_E4M3: type is y's; n_in a multiple of 16.  Not on sm_90. */
int gk_gemm_fp8 (const GkGemm *a, void *stream);

/* As gk_gemm and gk_conv, all of it f32; without affine and GEGLU. */
int gk_gemm_f32 (const GkGemm *a, void *stream);

enum
{
  GK_WGMMA_M = 128, /* rows of x, rows of w, and values along n_in that a block takes at once */
  GK_WGMMA_N = 128,
  GK_WGMMA_K = 64,
  GK_WGMMA_K8 = 128 /* of 8 bits */
};

/* As gk_gemm by wgmma and TMA, on sm_90a; n_in and x_stride multiples of 8.  With GK_WEIGHT_E4M3 as
 * gk_gemm_fp8: both multiples of 16, elements of 8 bits, GK_WGMMA_K8 in the place of GK_WGMMA_K.
 * Maps with a swizzle of 128 bytes, in host memory:
 * x_map    (n_in, n_rows), boxes of (GK_WGMMA_K, GK_WGMMA_M)
 * w_map    (n_in, n_out), boxes of (GK_WGMMA_K, GK_WGMMA_N); for GEGLU with half = n_out / 2:
 *          (n_in, 8, 2, half / 8), strides n_in, half * n_in and 8 n_in, boxes of (GK_WGMMA_K, 8,
 * 2, GK_WGMMA_N / 16) */
typedef struct
{
  GkGemm gemm;
  const void *x_map, *w_map; /* CUtensorMap; on the emulator its own GkTensorMap */
} GkGemmWgmma;
int gk_gemm_wgmma (const GkGemmWgmma *a, void *stream);

/* Rows of e4m3 with a scale each: y = round (x / scale), scale = max |x| / 448.  From sm_89 on. */
typedef struct
{
  GkType type;
  int64_t n_rows, dim; /* dim a multiple of 16 */
  const void *x;
  int64_t x_stride;
  uint8_t *y;   /* (n_rows, dim) */
  float *scale; /* (n_rows); 0 for a row of zeros */
} GkQuantise;
int gk_quantise (const GkQuantise *a, void *stream);

/* As ConvArgs; w (c_out, kernel, kernel, ceil8 (c_in)), the channels past c_in zero.  With affine
 * the input is silu (x * affine[0] + affine[1]) where it is in the picture.
 *
 * Over time, as Conv3dArgs: x is the newest of three frames, w (c_out, 3, kernel, kernel, ceil8
 * (c_in)), stride 1, without affine. */
typedef struct
{
  GkType type;
  int64_t n, h_in, w_in, c_in, h_out, w_out, c_out;
  int kernel, stride, pad_top, pad_left;
  bool upsample2, over_time;
  const void *older[2]; /* the frames before x, oldest first; NULL: zeros */
  const void *x;
  const float *affine; /* (n, c_in, 2) or NULL */
  const void *w;
  GkEpilogue epilogue; /* rows are pixels */
} GkConv;
int gk_conv (const GkConv *a, void *stream);
int gk_conv_f32 (const GkConv *a, void *stream);

/* As gk_conv by wgmma and TMA, on sm_90a; without affine and upsample2, c_in a multiple of 8.  Maps
 * of 16-bit elements with a swizzle of 128 bytes, in host memory:
 * frame_maps  of x the last, of `older` the first two (NULL where they are): (c_in, w_in, h_in, n),
 *             im2col, GK_WGMMA_K channels of GK_WGMMA_M pixels; boxes from -pad_left and -pad_top
 *             to those of the last output pixel, in steps of stride
 * w_map       (n_taps * c_in, c_out), boxes of (GK_WGMMA_K, GK_WGMMA_N) */
typedef struct
{
  GkConv conv;
  const void *frame_maps[3], *w_map;
} GkConvWgmma;
int gk_conv_wgmma (const GkConvWgmma *a, void *stream);

/* --- shortcut.cu --- */

/* As AvgDownArgs. */
typedef struct
{
  GkType type;
  int64_t n, h, w, c_in, c_out;
  int n_frames, factor;
  const void *x[2];
  const void *add; /* NULL, or as y; may equal y */
  void *y;
} GkAvgDown;
int gk_avg_down (const GkAvgDown *a, void *stream);

/* As DupUpArgs. */
typedef struct
{
  GkType type;
  int64_t n, h, w, c_in, c_out;
  int n_frames, frame, factor;
  const void *x;
  const void *add; /* NULL, or as y; may equal y */
  void *y;
} GkDupUp;
int gk_dup_up (const GkDupUp *a, void *stream);

/* --- attention.cuh, attention-any.cu, attention-wgmma.cu --- */

typedef struct
{
  GkType type;
  int64_t n, n_heads, head_dim, len_q, len_k;
  const void *q, *k, *v;
  int64_t q_stride, k_stride, v_stride; /* from token to token */
  void *y;                              /* (n, len_q, n_heads * head_dim) */
  float scale;
  bool causal;
  const float *relative_bias; /* NULL, or (len_q + len_k - 1, n_heads): row j - i + len_q - 1 */
  const float *key_bias;      /* NULL, or (n, len_k) */
} GkAttention;
int gk_attention (const GkAttention *a, void *stream); /* head_dim even, at most 1024 */
/* Strides are multiples of 8. */
int gk_attention_40 (const GkAttention *a, void *stream);
int gk_attention_64 (const GkAttention *a, void *stream);
int gk_attention_80 (const GkAttention *a, void *stream);
int gk_attention_128 (const GkAttention *a, void *stream);
int gk_attention_160 (const GkAttention *a, void *stream);
int gk_attention_any (const GkAttention *a, void *stream); /* any strides */
int gk_attention_f32 (const GkAttention *a, void *stream); /* f32, any strides */

enum
{
  GK_ATTENTION_BOX = 64 /* tokens, and values of a head, that TMA brings at once */
};

/* As gk_attention by wgmma and TMA, on sm_90a: without causality and biases, scale positive, for
 * heads of 40, 64, 80, 128 or 160 values.  Maps as of GkGemmWgmma, of q, k and v: (head_dim, len,
 * n_heads, n), strides stride, head_dim and len * stride, boxes of (GK_ATTENTION_BOX,
 * GK_ATTENTION_BOX, 1, 1). */
typedef struct
{
  GkAttention attention;
  const void *q_map, *k_map, *v_map;
} GkAttentionWgmma;
int gk_attention_wgmma (const GkAttentionWgmma *a, void *stream);

GK_C_END
