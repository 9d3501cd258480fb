/* SPDX-License-Identifier: MPL-2.0
 * null.c - a backend that computes nothing: shapes, plans and windows work without a device.
 */
#include "backend/backend.h"
#include "core/mem.h"

static void
null_linear (Backend *b, const LinearArgs *a)
{
}

static void
null_conv2d (Backend *b, const ConvArgs *a)
{
}

static void
null_attention (Backend *b, const AttentionArgs *a)
{
}

static void
null_group_norm (Backend *b, const GroupNormArgs *a)
{
}

static void
null_layer_norm (Backend *b, const LayerNormArgs *a)
{
}

static void
null_unary (Backend *b, const UnaryArgs *a)
{
}

static void
null_add (Backend *b, const AddArgs *a)
{
}

static void
null_geglu (Backend *b, const GegluArgs *a)
{
}

static void
null_embed (Backend *b, const EmbedArgs *a)
{
}

static void
null_concat (Backend *b, const ConcatArgs *a)
{
}

static void
null_resize (Backend *b, const ResizeArgs *a)
{
}

static void
null_sinusoid (Backend *b, const SinusoidArgs *a)
{
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
             .attention = null_attention,
             .group_norm = null_group_norm,
             .layer_norm = null_layer_norm,
             .unary = null_unary,
             .add = null_add,
             .geglu = null_geglu,
             .embed = null_embed,
             .concat = null_concat,
             .resize = null_resize,
             .sinusoid = null_sinusoid },
    .name = "null",
    .level = "null",
    .fastest = COMPUTE_F32,
    .free = null_free,
  };
  return b;
}
