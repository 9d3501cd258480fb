/* SPDX-License-Identifier: MPL-2.0
 * null.c - a backend that computes next to nothing: shapes, plans, queues and windows work without
 * a device.
 *
 * What it gives is defined, so that a test can compare two runs.  Each operator hands the first
 * values of its input on and touches no more memory than that; only layers to a few
 * channels, with which networks end, fill their output: a picture (3 channels) repeats the values
 * that came in, anything else (predicted noise, a latent's moments) is 0.  So a latent follows from
 * seed and schedule alone, and a picture from its latent.  Embeddings, from which all text comes,
 * are positive: a prompt's weights need a mean to restore.
 */
#include <string.h>

#include "backend/backend.h"
#include "core/dtype.h"
#include "core/mem.h"

enum
{
  HANDED_ON = 1024, /* values */
  PICTURE_CHANNELS = 3,
  PATCH_PIXELS = 4,  /* of a channel of pictures that are cut into patches */
  FEW_CHANNELS = 16, /* latents and their moments; inner layers of every model have more */
  EMBEDDED = 8       /* different values of an embedding */
};

static void
hand_on (float *y, int64_t n_y, const float *x, int64_t n_x)
{
  int64_t n = n_y < HANDED_ON ? n_y : HANDED_ON, n_copied = n_x < n ? n_x : n;
  memmove (y, x, (size_t) n_copied * sizeof *y);
  if (n > n_copied)
    memset (y + n_copied, 0, (size_t) (n - n_copied) * sizeof *y);
}

static void
null_linear (Backend *b, const LinearArgs *a)
{
  int64_t n_x = a->x_stride == a->n_in ? a->n_rows * a->n_in : a->n_in;
  int64_t n_y = a->y_stride == a->n_out ? a->n_rows * a->n_out : a->n_out;
  hand_on (a->y, n_y, a->x, n_x);
  if (a->n_out <= FEW_CHANNELS && n_y > HANDED_ON)
    memset (a->y + HANDED_ON, 0, (size_t) (n_y - HANDED_ON) * sizeof *a->y);
}

static void
null_conv2d (Backend *b, const ConvArgs *a)
{
  int64_t n_x = a->n * a->h_in * a->w_in * a->c_in, n_y = a->n * a->h_out * a->w_out * a->c_out;
  if (a->c_out == PICTURE_CHANNELS)
    for (int64_t i = 0, n = n_x < HANDED_ON ? n_x : HANDED_ON; i < n_y; i++)
      a->y[i] = a->x[i % n];
  else if (a->c_out <= FEW_CHANNELS)
    memset (a->y, 0, (size_t) n_y * sizeof *a->y);
  else
    hand_on (a->y, n_y, a->x, n_x);
}

/* As conv2d: a clip's pictures, of patches of 1 or 2 x 2 pixels, repeat what came in. */
static void
null_conv3d (Backend *b, const Conv3dArgs *a)
{
  int64_t pixels = a->n * a->h * a->w;
  const ConvArgs frame = { .n = a->n,
                           .h_in = a->h,
                           .w_in = a->w,
                           .c_in = a->c_in,
                           .h_out = a->h,
                           .w_out = a->w,
                           .c_out = a->c_out,
                           .x = a->frames[2],
                           .y = a->y };
  if (a->c_out != PICTURE_CHANNELS * PATCH_PIXELS)
    null_conv2d (b, &frame);
  else
    for (int64_t i = 0, n = pixels * a->c_in; i < pixels * a->c_out; i++)
      a->y[i] = a->frames[2][i % (n < HANDED_ON ? n : HANDED_ON)];
}

static void
null_attention (Backend *b, const AttentionArgs *a)
{
  int64_t width = a->n_heads * a->head_dim, n = a->n * a->len_q * width;
  hand_on (a->y, n, a->q, a->q_stride == width ? n : width);
}

static void
null_group_norm (Backend *b, const GroupNormArgs *a)
{
  int64_t n = a->n * a->n_pixels * a->n_channels;
  hand_on (a->y, n, a->x, n);
}

static void
null_layer_norm (Backend *b, const LayerNormArgs *a)
{
  hand_on (a->y, a->n_rows * a->dim, a->x, a->n_rows * a->dim);
}

static void
null_rms_norm (Backend *b, const RmsNormArgs *a)
{
  hand_on (a->y, a->n_rows * a->dim, a->x, a->n_rows * a->dim);
}

static void
null_norm_modulate (Backend *b, const NormModulateArgs *a)
{
  int64_t n = a->n * a->n_rows * a->dim;
  hand_on (a->y, n, a->x, n);
}

/* One of several that fill an output, maybe: no more than the entry's own rows are touched. */
static void
null_rope (Backend *b, const RopeArgs *a)
{
  int64_t width = a->n_heads * a->head_dim;
  hand_on (a->y, a->len * width, a->x, a->x_stride == width ? a->len * width : width);
}

static void
null_unary (Backend *b, const UnaryArgs *a)
{
  hand_on (a->y, a->n, a->x, a->n);
}

static void
null_add (Backend *b, const AddArgs *a)
{
  hand_on (a->y, a->n, a->x, a->n);
}

static void
null_add_gated (Backend *b, const AddGatedArgs *a)
{
  int64_t n = a->n * a->n_rows * a->dim;
  hand_on (a->y, n, a->x, n);
}

static void
null_gated (Backend *b, const GatedArgs *a)
{
  hand_on (a->y, a->n, a->x, a->n);
}

static void
null_scale (Backend *b, const ScaleArgs *a)
{
  hand_on (a->y, a->n, a->x, a->n);
}

static void
null_geglu (Backend *b, const GegluArgs *a)
{
  hand_on (a->y, a->n_rows * a->dim, a->x, a->n_rows * a->dim * 2);
}

static void
null_embed (Backend *b, const EmbedArgs *a)
{
  for (int64_t i = 0; i < a->n_rows * a->dim; i++)
    a->y[i] = (float) (1 + i % EMBEDDED) / EMBEDDED;
}

static void
null_concat (Backend *b, const ConcatArgs *a)
{
  hand_on (a->y, a->n_rows * (a->dim_a + a->dim_b), a->a, a->n_rows * a->dim_a);
}

static void
null_copy (Backend *b, const CopyArgs *a)
{
  hand_on (a->y, a->width, a->x, a->width);
}

static void
null_avg_down (Backend *b, const AvgDownArgs *a)
{
  int64_t n = a->n * a->h * a->w * a->c_out;
  hand_on (a->y, n, a->add, n);
}

static void
null_dup_up (Backend *b, const DupUpArgs *a)
{
  int64_t n = a->n * a->h * a->w * a->factor * a->factor * a->c_out;
  hand_on (a->y, n, a->add, n);
}

static void
null_round (Backend *b, const RoundArgs *a)
{
  for (int64_t i = 0; i < a->n_rows * a->dim; i++)
    a->y[i] = f32_to_bf16 (a->x[i]);
}

static void
null_resize (Backend *b, const ResizeArgs *a)
{
  hand_on (a->y, a->n * a->h_out * a->w_out * a->n_channels, a->x,
           a->n * a->h_in * a->w_in * a->n_channels);
}

static void
null_sinusoid (Backend *b, const SinusoidArgs *a)
{
  hand_on (a->y, a->n * a->dim, a->t, a->n);
}

static void
null_free (Backend *b)
{
  mem_free (b);
}

Backend *
backend_null_new (Status *status)
{
  Backend *b = mem_calloc (1, sizeof *b);
  if (!b)
    {
      status_fail (status, STATUS_NO_MEMORY, "Out of memory while setting up the null backend.");
      return NULL;
    }
  *b = (Backend){
    .ops = { .linear = null_linear,
             .conv2d = null_conv2d,
             .conv3d = null_conv3d,
             .attention = null_attention,
             .group_norm = null_group_norm,
             .layer_norm = null_layer_norm,
             .rms_norm = null_rms_norm,
             .norm_modulate = null_norm_modulate,
             .rope = null_rope,
             .unary = null_unary,
             .add = null_add,
             .add_gated = null_add_gated,
             .gated = null_gated,
             .scale = null_scale,
             .geglu = null_geglu,
             .embed = null_embed,
             .concat = null_concat,
             .copy = null_copy,
             .avg_down = null_avg_down,
             .dup_up = null_dup_up,
             .round = null_round,
             .resize = null_resize,
             .sinusoid = null_sinusoid },
    .name = "null",
    .level = "null",
    .fastest = COMPUTE_F32,
    .free = null_free,
  };
  return b;
}
