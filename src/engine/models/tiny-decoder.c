/* SPDX-License-Identifier: MPL-2.0
 * tiny-decoder.c - TAESD: a few residual ReLU blocks, for a preview at every step.
 *
 * Its architecture is read from its layer list: "N.conv.0.weight" is a block, "N.weight" a
 * convolution, and a number without tensors between them an upsampling (number 1, behind the first
 * convolution, is the ReLU).  Source: madebyollin's taesd, in the numbering of diffusers'
 * AutoencoderTiny.
 */
#include "models/vae.h"

enum
{
  MAX_TINY_LAYERS = 64,
  FIRST_BLOCK = 2
};

typedef enum
{
  TINY_CONV,
  TINY_BLOCK,
  TINY_UPSAMPLE
} TinyKind;

typedef struct
{
  TinyKind kind;
  Layer conv[3], skip;
} TinyLayer;

struct TinyDecoder
{
  int n_layers, channels, factor;
  Layer conv_in;
  TinyLayer layers[MAX_TINY_LAYERS];
};

/* A 3x3 or 1x1 convolution of whatever width the file has; weight NULL when absent. */
static Layer
bind_any_conv (const Binder *b, const char *name)
{
  const Weight *found = weights_find (b->weights, name_of ("%s.weight", name).text);
  if (!found || found->rank != 4)
    return (Layer){ 0 };
  return (Layer){ .weight = weights_bind (b->weights, 4, found->ne, "%s.weight", name),
                  .bias = weights_bind_optional (b->weights, 1, found->ne, "%s.bias", name) };
}

static TinyLayer
bind_layer (const Binder *b, int index)
{
  Name name = name_of ("tiny.decoder.layers.%d", index);
  TinyLayer l = { .kind = TINY_UPSAMPLE };
  if (bind_has (b, name_of ("%s.conv.0.weight", name.text).text))
    {
      l.kind = TINY_BLOCK;
      for (int i = 0; i < 3; i++)
        l.conv[i] = bind_any_conv (b, name_of ("%s.conv.%d", name.text, 2 * i).text);
      l.skip = bind_any_conv (b, name_of ("%s.skip", name.text).text);
    }
  else if (bind_has (b, name_of ("%s.weight", name.text).text))
    {
      l.kind = TINY_CONV;
      l.conv[0] = bind_any_conv (b, name.text);
    }
  return l;
}

static int
last_layer (const Binder *b)
{
  int last = -1;
  for (int i = 0; i < MAX_TINY_LAYERS + FIRST_BLOCK; i++)
    if (bind_has (b, name_of ("tiny.decoder.layers.%d.weight", i).text) ||
        bind_has (b, name_of ("tiny.decoder.layers.%d.conv.0.weight", i).text))
      last = i;
  return last;
}

TinyDecoder *
tiny_decoder_bind (const Binder *b)
{
  int last = last_layer (b);
  if (last < FIRST_BLOCK)
    {
      status_fail (b->status, STATUS_FORMAT,
                   "The preview decoder file has no TAESD decoder in it.");
      return NULL;
    }
  TinyDecoder *t = arena_alloc (b->arena, sizeof *t, b->status);
  if (!t)
    return NULL;
  t->conv_in = bind_any_conv (b, "tiny.decoder.layers.0");
  t->channels = t->conv_in.weight ? (int) t->conv_in.weight->ne[1] : 0;
  t->n_layers = last + 1 - FIRST_BLOCK;
  t->factor = 1;
  for (int i = 0; i < t->n_layers; i++)
    {
      t->layers[i] = bind_layer (b, i + FIRST_BLOCK);
      t->factor *= t->layers[i].kind == TINY_UPSAMPLE ? 2 : 1;
    }
  return t;
}

int
tiny_decoder_channels (const TinyDecoder *tiny)
{
  return tiny->channels;
}

int
tiny_decoder_factor (const TinyDecoder *tiny)
{
  return tiny->factor;
}

static Tensor *
tiny_block (Ctx *ctx, const TinyLayer *l, Tensor *x)
{
  Tensor *h = op_unary (ctx, UNARY_RELU, op_conv2d (ctx, x, l->conv[0], (ConvOptions){ 0 }));
  h = op_unary (ctx, UNARY_RELU, op_conv2d (ctx, h, l->conv[1], (ConvOptions){ 0 }));
  if (l->skip.weight)
    x = op_conv2d (ctx, x, l->skip, (ConvOptions){ 0 });
  return op_unary (ctx, UNARY_RELU, op_conv2d (ctx, h, l->conv[2], (ConvOptions){ .add = x }));
}

/* The upsampling itself is left to the convolution behind it, which reads a doubled picture. */
Tensor *
tiny_decode (Ctx *ctx, const TinyDecoder *t, const Tensor *z)
{
  Tensor *h = op_unary (ctx, UNARY_TANH3, z);
  h = op_unary (ctx, UNARY_RELU, op_conv2d (ctx, h, t->conv_in, (ConvOptions){ 0 }));
  bool doubled = false;
  for (int i = 0; i < t->n_layers; i++)
    {
      const TinyLayer *l = &t->layers[i];
      if (l->kind == TINY_UPSAMPLE)
        doubled = true;
      else if (l->kind == TINY_CONV)
        {
          h = op_conv2d (ctx, h, l->conv[0], (ConvOptions){ .upsample2 = doubled });
          doubled = false;
        }
      else
        h = tiny_block (ctx, l, h);
    }
  return h;
}
