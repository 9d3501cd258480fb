/* SPDX-License-Identifier: MPL-2.0
 * args.h - what operators hand to kernels: raw pointers, counts and strides, nothing else.
 *
 * Shared by every backend.  Layouts: tokens (N, L, C) and images (N, H, W, C), channels contiguous.
 * Strides count elements.  Activations are f32 on the CPU backend, as the fields say; a device that
 * computes in 16 bits (core/device.h) is given pointers to its own memory in the same fields and
 * reads them as its type, but for those marked "f32 always".  Parameters (weights, biases, norm
 * scales) stay as the checkpoint stores them, quantised or not, possibly unaligned, mapped.
 * Outputs never overlap inputs unless a field says "may equal".
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/* How products are formed.  Accumulation is f32 in all; on a device with memory of its own this is
 * the type of activations, too. */
typedef enum
{
  COMPUTE_F32,
  COMPUTE_BF16, /* both factors rounded to bf16 (nearest even) first */
  COMPUTE_F16,  /* of such devices only */
  /* Of devices whose Backend.has_fp8 says so: layers that the file stores in e4m3 multiply e4m3, x
   * rounded with a scale for each row; all else as COMPUTE_BF16, or as COMPUTE_F16. */
  COMPUTE_FP8,
  COMPUTE_FP8_F16
} Compute;

static inline bool
compute_is_fp8 (Compute compute)
{
  return compute == COMPUTE_FP8 || compute == COMPUTE_FP8_F16;
}

/* What a quantised parameter needs besides its bytes.  Arrays may be unaligned.  Element e, counted
 * from data, has the value: (decoded number or code_book[code]) * scale, rounded once. */
typedef struct
{
  const void *scales;    /* f32, one for each scale_run elements; NULL: there are none */
  int64_t scale_run;     /* elements that share a scale; 0: all do */
  const void *code_book; /* NULL, or 16 f32 that 4-bit codes stand for */
  /* Scales that are quantised themselves (bitsandbytes' double quantisation): then scales are bytes
   * b, and scale i is nested_book[b] * nested_scales[i / nested_run] + nested_offset, each
   * operation rounded. */
  const void *nested_book;   /* NULL, or 256 f32 */
  const void *nested_scales; /* f32 */
  int64_t nested_run;
  float nested_offset;
} ParamQuant;

/* A parameter tensor where it lies: in the mapped file.  data NULL: there is none.  In formats with
 * blocks of several elements, elements lie in one run, row after row, and a row may begin inside a
 * block. */
typedef struct
{
  const void *data;
  int dtype;               /* DType: one of dtype_is_weight */
  const ParamQuant *quant; /* NULL: blocks say everything */
  int64_t first;           /* this parameter's first element, counted from data (a part of a fused
                            * tensor); 0 for f32, f16 and bf16 */
} Param;

typedef enum
{
  UNARY_SILU,       /* x * sigmoid (x) */
  UNARY_GELU,       /* x * Phi (x), by erf */
  UNARY_GELU_TANH,  /* the tanh approximation */
  UNARY_QUICK_GELU, /* x * sigmoid (1.702 x) */
  UNARY_RELU,
  UNARY_TANH3, /* 3 tanh (x / 3): the soft clamp in front of TAESD */
  UNARY_COUNT
} UnaryKind;

/* What adapters add to a weight: W + up diag (scale) down, and to its bias.  The sum is formed in
 * f32 and is not rounded for COMPUTE_BF16.  Only for levels whose Backend.folds
 * says so: the reference, which is to be read, goes beside the layer. */
typedef struct
{
  int64_t rank;       /* 0: nothing is added */
  Param down;         /* (rank, ...), rows as W's; f32, f16 or bf16 as up */
  Param up;           /* (n_out, rank) */
  Param bias;         /* none, or (n_out) */
  const float *scale; /* (rank); what has 0 adds nothing whatever its factors hold */
} LowRank;

/* What follows a product before it is stored. */
typedef enum
{
  LINEAR_PLAIN,
  LINEAR_UNARY, /* y = f (x W^T + bias) */
  LINEAR_GEGLU, /* the columns are [a | g]: y (n_rows, n_out / 2) = a * gelu_erf (g) */
  LINEAR_GATED  /* y = add + gate * (x W^T + bias); gate (n_rows / rows_per_gate, n_out), rows
                 * gate_stride apart */
} LinearNext;

/* y = x W^T + bias + add.  x (n_rows, n_in), w (n_out, n_in) row-major, y (n_rows, n_out). */
typedef struct
{
  int64_t n_rows, n_out, n_in;
  const float *x;
  int64_t x_stride; /* from row to row, at least n_in */
  Param w, bias;
  LowRank fold;
  const float *add; /* NULL, or (n_rows, n_out) with stride y_stride; may equal y */
  float *y;
  int64_t y_stride; /* at least n_out */
  Compute compute;
  /* Never but LINEAR_PLAIN where Backend.fuses does not say so. */
  LinearNext next;
  UnaryKind unary;
  const float *gate;
  int64_t gate_stride, rows_per_gate;
  /* The same holds for these, which adapters beside a layer need. */
  const float *scale;  /* NULL, or (n_out), in the program's memory: of x W^T; what has 0 is 0 */
  const float *before; /* NULL, or (n_rows, n_out): added to the product before what follows */
} LinearArgs;

/* Cross-correlation as in torch.nn.Conv2d, on channels-last images.
 * x (n, h_in, w_in, c_in); w (c_out, c_in, kernel, kernel) as files store it;
 * y (n, h_out, w_out, c_out).
 * Input outside the picture is zero.  With upsample2 the kernel sees x doubled by nearest neighbour
 * (h_in, w_in still count the stored picture), so the doubled picture never exists. */
typedef struct
{
  int64_t n, h_in, w_in, c_in, h_out, w_out, c_out;
  int kernel, stride;    /* kernel 1 or 3; stride 1 or 2 */
  int pad_top, pad_left; /* bottom and right follow from h_out and w_out */
  bool upsample2;
  const float *x;
  Param w, bias;
  LowRank fold;
  const float *channel_add; /* NULL, or (n, c_out): added to every pixel (time embedding) */
  const float *add;         /* NULL, or shaped as y (residual); may equal y */
  float *y;
  Compute compute;
  const float *scale; /* NULL, or (c_out), as LinearArgs has it */
} ConvArgs;

/* conv2d's sum over three frames in a row, of stride 1: one frame of a causal convolution over
 * time. frames, oldest first: each (n, h, w, c_in), NULL: zeros, but never the last; w (c_out,
 * c_in, 3, kernel, kernel), padded by kernel / 2 in space; y (n, h, w, c_out). */
typedef struct
{
  int64_t n, h, w, c_in, c_out;
  int kernel; /* 1 or 3 */
  const float *frames[3];
  Param weight, bias;
  const float *add; /* NULL, or shaped as y (residual); may equal y */
  float *y;
  Compute compute;
} Conv3dArgs;

/* y = softmax (scale q k^T + biases + causal mask) v for each head; softmax in f32.
 * Head h occupies columns h * head_dim .. (h + 1) * head_dim - 1.  Row strides let q, k, v be
 * slices. */
typedef struct
{
  int64_t n, n_heads, head_dim, len_q, len_k;
  const float *q, *k, *v;
  /* Both NULL, or keys and values in 16 bits, read instead of k and v. */
  const uint16_t *k_bf16, *v_bf16;
  int64_t q_stride, k_stride, v_stride; /* from token to token; a batch entry is len * stride */
  float *y;                             /* (n, len_q, n_heads * head_dim), contiguous */
  float scale;
  bool causal; /* query i sees keys 0 .. i */
  /* NULL, or (len_q + len_k - 1, n_heads): query i takes row j - i + len_q - 1 for key j (T5); f32
   * always. */
  const float *relative_bias;
  /* NULL, or (n, len_k): one for each key; -INFINITY hides it.  Every query must see a key; f32
   * always. */
  const float *key_bias;
  Compute compute;
} AttentionArgs;

/* GroupNorm over (pixels x channels of a group), affine, optionally followed by silu.
 * x, y (n, n_pixels, n_channels); mean and variance in f32, two passes; y may equal x. */
typedef struct
{
  int64_t n, n_pixels, n_channels;
  int n_groups;
  float eps;
  bool silu;
  const float *x;
  Param weight, bias;
  float *y;
} GroupNormArgs;

/* LayerNorm over rows of dim; weight and bias may be absent (data NULL); y may equal x. */
typedef struct
{
  int64_t n_rows, dim;
  float eps;
  const float *x;
  Param weight, bias;
  float *y;
} LayerNormArgs;

/* y = x / sqrt (mean (x^2) + eps) * weight over rows of dim, optionally followed by silu; y may
 * equal x. */
typedef struct
{
  int64_t n_rows, dim;
  float eps;
  bool silu;
  const float *x;
  Param weight;
  float *y;
} RmsNormArgs;

/* y = layer_norm (x) * (1 + scale) + shift, without other parameters.
 * x, y (n, n_rows, dim); scale, shift (n, dim), rows modulation_stride apart; y may equal x. */
typedef struct
{
  int64_t n, n_rows, dim;
  float eps;
  const float *x, *scale, *shift;
  int64_t modulation_stride;
  float *y;
} NormModulateArgs;

/* Rotary positions over heads that may be normed first.
 * x (n, len, n_heads * head_dim), tokens x_stride apart, an entry len * x_stride; head_dim even.
 * Each head is divided by sqrt (mean (x^2) + eps) and multiplied by norm (head_dim), unless there
 * is none.  Then columns 2 j and 2 j + 1 turn: with c, s = table[token][2 j], table[token][2 j +
 * 1], y = (x0 c - x1 s, x1 c + x0 s). table (len, head_dim), f32 always, shared by all entries and
 * heads; NULL: nothing turns. y: tokens n_heads * head_dim apart, entries y_entry. */
typedef struct
{
  int64_t n, len, n_heads, head_dim;
  const float *x;
  int64_t x_stride;
  Param norm;
  float eps;
  const float *table;
  float *y;
  int64_t y_entry;
} RopeArgs;

/* y = x + gate * b.  x, b, y (n, n_rows, dim); gate (n, dim), rows gate_stride apart; y may equal x
 * or b. */
typedef struct
{
  int64_t n, n_rows, dim;
  const float *x, *b, *gate;
  int64_t gate_stride;
  float *y;
} AddGatedArgs;

/* y = x * f (gate); y may equal x or gate. */
typedef struct
{
  UnaryKind kind;
  int64_t n;
  const float *x, *gate;
  float *y;
} GatedArgs;

/* y may equal x. */
typedef struct
{
  UnaryKind kind;
  int64_t n;
  const float *x;
  float *y;
} UnaryArgs;

/* y[i] = x[i] + b[i % n_b]; y may equal x. */
typedef struct
{
  int64_t n, n_b;
  const float *x, *b;
  float *y;
} AddArgs;

/* y[i] = s[i % n_s] == 0 ? 0 : x[i] * s[i % n_s]: what is off stays off whatever x is; s is
 * f32 always; y may equal x. */
typedef struct
{
  int64_t n, n_s;
  const float *x, *s;
  float *y;
} ScaleArgs;

/* x (n_rows, 2 dim) = [a | g]; y (n_rows, dim) = a * gelu_erf (g). */
typedef struct
{
  int64_t n_rows, dim;
  const float *x;
  float *y;
} GegluArgs;

/* y[r] = table[ids[r]] + positions[r % n_positions]; table (n_table, dim), positions
 * (n_positions, dim).
 * ids were checked by the operator and lie in the program's memory. */
typedef struct
{
  int64_t n_rows, dim, n_positions;
  const int32_t *ids;
  Param table, positions; /* positions.data may be NULL */
  bool of_activations;    /* table is what an operator made, without positions */
  bool in_f32;            /* y is f32 always */
  float *y;
} EmbedArgs;

/* y (n_rows, dim_a + dim_b) = [a | b] row by row. */
typedef struct
{
  int64_t n_rows, dim_a, dim_b;
  const float *a, *b;
  float *y;
} ConcatArgs;

/* n_rows rows of width: x's stride apart to y's. */
typedef struct
{
  int64_t n_rows, width;
  const float *x;
  int64_t x_stride;
  float *y;
  int64_t y_stride;
} CopyArgs;

/* What goes around a level of a network that halves its picture, in space and maybe in time: the
 * mean of every block of input values that shares an output channel.
 * Values of an output pixel are numbered (channel, frame, row, column) over the n_frames frames and
 * factor x factor pixels below it; channel o takes the o-th run of c_in n_frames factor^2 / c_out.
 * x, the older first: each (n, h factor, w factor, c_in), NULL: zeros, but never the last;
 * y (n, h, w, c_out). */
typedef struct
{
  int64_t n, h, w, c_in, c_out;
  int n_frames, factor; /* each 1 or 2 */
  const float *x[2];
  const float *add; /* NULL, or shaped as y; may equal y */
  float *y;
} AvgDownArgs;

/* The way back: frame number `frame` of the n_frames that x becomes.  Value j of an input pixel, in
 * the numbering above over c_out channels, is channel j / (c_out n_frames factor^2 / c_in).
 * x (n, h, w, c_in); y (n, h factor, w factor, c_out). */
typedef struct
{
  int64_t n, h, w, c_in, c_out;
  int n_frames, frame, factor;
  const float *x;
  const float *add; /* NULL, or shaped as y; may equal y */
  float *y;
} DupUpArgs;

/* y = x rounded to bf16, nearest even; both (n_rows, dim). */
typedef struct
{
  int64_t n_rows, dim;
  const float *x;
  uint16_t *y;
} RoundArgs;

/* Nearest-neighbour resize to any size: source index = floor (i * in / out). */
typedef struct
{
  int64_t n, h_in, w_in, h_out, w_out, n_channels;
  const float *x;
  float *y;
} ResizeArgs;

/* y (n, dim): [cos (t f), sin (t f)], f_i = exp (-ln 10000 * i / (dim / 2)); the angles in f64.
 * t is f32 always; times: what it is multiplied by first, in f32 (FLUX: 1000); 0 counts as 1. */
typedef struct
{
  int64_t n, dim;
  const float *t;
  float times;
  float *y;
} SinusoidArgs;
