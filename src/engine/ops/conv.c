/* SPDX-License-Identifier: MPL-2.0 */
#include "backend/backend.h"
#include "ops/ops.h"
#include "ops/private.h"

/* Geometry from shapes and options; pointers are filled in when running. */
static ConvArgs
conv_geometry (const Tensor *x, const Weight *w, ConvOptions o)
{
  int kernel = w->rank == 4 ? (int) w->ne[2] : 1, stride = o.stride ? o.stride : 1;
  int pad = o.pad_after ? 0 : kernel / 2, pad_total = o.pad_after ? kernel - 2 : 2 * pad;
  int64_t scale = o.upsample2 ? 2 : 1;
  return (ConvArgs){ .n = x->ne[0],
                     .h_in = x->ne[1],
                     .w_in = x->ne[2],
                     .c_in = x->ne[3],
                     .h_out = (x->ne[1] * scale + pad_total - kernel) / stride + 1,
                     .w_out = (x->ne[2] * scale + pad_total - kernel) / stride + 1,
                     .c_out = w->ne[0],
                     .kernel = kernel,
                     .stride = stride,
                     .pad_top = pad,
                     .pad_left = pad,
                     .upsample2 = o.upsample2 };
}

static bool
conv_fits (const Tensor *x, const Weight *w)
{
  if (x->rank != 4 || w->rank < 2 || w->ne[1] != x->ne[3])
    return false;
  return w->rank < 4 || (w->ne[2] == w->ne[3] && (w->ne[2] == 1 || w->ne[2] == 3));
}

static Tensor *
base_conv2d (Ctx *ctx,
             const Tensor *x,
             Layer layer,
             ConvOptions options,
             const SidePath *fold,
             const float *scale)
{
  const Weight *w = layer.weight;
  if (ctx_failed (ctx) || !x || !w)
    return op_operand_missing (ctx);
  if (!conv_fits (x, w))
    return ctx_fail (ctx, STATUS_SHAPE, "Convolution %s does not fit an input of %lld channels.",
                     w->name, (long long) tensor_last (x));
  ConvArgs args = conv_geometry (x, w, options);
  int64_t ne[4] = { args.n, args.h_out, args.w_out, args.c_out };
  double products = (double) args.n * (double) args.h_out * (double) args.w_out *
                    (double) args.c_out * (double) args.c_in * args.kernel * args.kernel;
  OpRecord record = { .kind = OP_CONV2D,
                      .source = { x, options.channel_add, options.add },
                      .inplace = options.add ? 2 : -1,
                      .flops = 2 * products +
                               op_fold_flops (fold, args.c_in * args.kernel * args.kernel) };
  op_record_weight (&record, w);
  if (options.add && (options.add->rank != 4 || memcmp (options.add->ne, ne, sizeof ne) != 0))
    return ctx_fail (ctx, STATUS_SHAPE, "The residual of %s has another shape than its result.",
                     w->name);
  const Tensor *c = options.channel_add;
  if (c && (c->rank != 2 || c->ne[0] != args.n || c->ne[1] != args.c_out))
    return ctx_fail (ctx, STATUS_SHAPE, "What is added to the channels of %s does not fit.",
                     w->name);
  Tensor *y = ctx_emit (ctx, record, ctx_activation (ctx), 4, ne);
  if (!y || !y->data)
    return y;
  args.x = x->data;
  args.w = weight_param (w);
  args.bias = weight_param (layer.bias);
  args.fold = op_low_rank (fold);
  args.scale = scale;
  args.channel_add = options.channel_add ? options.channel_add->data : NULL;
  args.add = options.add ? options.add->data : NULL;
  args.y = y->data;
  args.compute = ctx_compute (ctx);
  ctx_backend (ctx)->ops.conv2d (ctx_backend (ctx), &args);
  return y;
}

static bool
conv3d_fits (const Tensor *const frames[3], const Weight *w)
{
  const Tensor *x = frames[2];
  if (x->rank != 4 || w->rank < 3 || w->ne[1] != x->ne[3] || w->ne[2] != 3)
    return false;
  for (int i = 0; i < 2; i++)
    if (frames[i] && !op_same_shape (frames[i], x))
      return false;
  return w->rank < 5 || (w->ne[3] == w->ne[4] && (w->ne[3] == 1 || w->ne[3] == 3));
}

Tensor *
op_conv3d (Ctx *ctx, const Tensor *const frames[3], Layer layer, const Tensor *add)
{
  const Weight *w = layer.weight;
  const Tensor *x = frames[2];
  if (ctx_failed (ctx) || !x || !w)
    return op_operand_missing (ctx);
  if (!conv3d_fits (frames, w))
    return ctx_fail (ctx, STATUS_SHAPE, "Convolution %s does not fit an input of %lld channels.",
                     w->name, (long long) tensor_last (x));
  int64_t ne[4] = { x->ne[0], x->ne[1], x->ne[2], w->ne[0] };
  if (add && (add->rank != 4 || memcmp (add->ne, ne, sizeof ne) != 0))
    return ctx_fail (ctx, STATUS_SHAPE, "The residual of %s has another shape than its result.",
                     w->name);
  Conv3dArgs args = { .n = ne[0],
                      .h = ne[1],
                      .w = ne[2],
                      .c_in = x->ne[3],
                      .c_out = ne[3],
                      .kernel = w->rank == 5 ? (int) w->ne[3] : 1,
                      .compute = ctx_compute (ctx) };
  double n_frames = 1 + (frames[0] != NULL) + (frames[1] != NULL);
  OpRecord record = { .kind = OP_CONV3D,
                      .source = { frames[0], frames[1], x, add },
                      .inplace = add ? 3 : -1,
                      .flops = 2 * n_frames * (double) (tensor_elements (x) * ne[3]) * args.kernel *
                               args.kernel };
  op_record_weight (&record, w);
  Tensor *y = ctx_emit (ctx, record, ctx_activation (ctx), 4, ne);
  if (!y || !y->data)
    return y;
  for (int i = 0; i < 3; i++)
    args.frames[i] = frames[i] ? frames[i]->data : NULL;
  args.weight = weight_param (w);
  args.bias = weight_param (layer.bias);
  args.add = add ? add->data : NULL;
  args.y = y->data;
  ctx_backend (ctx)->ops.conv3d (ctx_backend (ctx), &args);
  return y;
}

Tensor *
op_conv2d (Ctx *ctx, const Tensor *x, Layer layer, ConvOptions options)
{
  const SidePath *side = layer.weight ? layer.weight->side : NULL;
  bool fits = side && x && conv_fits (x, layer.weight);
  ConvArgs shape = fits ? conv_geometry (x, layer.weight, options) : (ConvArgs){ 0 };
  bool folds = fits && op_folds (ctx, side, shape.h_out * shape.w_out);
  Tensor *y = base_conv2d (ctx, x, layer, options, folds ? side : NULL, NULL);
  if (!side || folds)
    return y;
  ConvOptions plain = options;
  plain.add = plain.channel_add = NULL;
  bool scales = op_fuses_side (ctx);
  Tensor *h =
      base_conv2d (ctx, x, (Layer){ side->a, NULL }, plain, NULL, scales ? side->scale : NULL);
  return scales ? op_linear (ctx, h, (Layer){ side->b, side->bias }, y)
                : op_side_path (ctx, h, side, y);
}
