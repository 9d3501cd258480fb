/* SPDX-License-Identifier: MPL-2.0
 * conv2d.c - cases of the conv2d slot.
 */
#include "checkops.h"

typedef struct
{
  int64_t n, h, w, c_in, c_out;
  int kernel, stride, pad; /* pad: before; behind it is what h_out implies */
  bool pad_behind;         /* the VAE's downsampling: zeros on the right and below only */
  bool upsample2, has_bias, has_channel_add, has_add, add_is_y;
  Compute compute;
  DType weight;
  Values values;
} ConvCase;

static void
run_conv (Backend *b, const void *args, float *y)
{
  ConvArgs a = *(const ConvArgs *) args;
  a.y = y;
  b->ops.conv2d (b, &a);
}

static void
run_conv_add_is_y (Backend *b, const void *args, float *y)
{
  ConvArgs a = *(const ConvArgs *) args;
  a.add = a.y = y;
  b->ops.conv2d (b, &a);
}

/* x seen through upsampling and padding. */
static float
input_at (const ConvArgs *a, int64_t image, int64_t y, int64_t x, int64_t c)
{
  int64_t h = a->h_in, w = a->w_in;
  if (a->upsample2)
    {
      if (y < 0 || x < 0)
        return 0;
      y /= 2;
      x /= 2;
    }
  return y < 0 || y >= h || x < 0 || x >= w ? 0 : a->x[((image * h + y) * w + x) * a->c_in + c];
}

/* What a kernel sees at output pixel (@y, @x): (row, column, channel). */
static void
fill_row (float *row, const ConvArgs *a, int64_t image, int64_t y, int64_t x)
{
  for (int t = 0; t < a->kernel * a->kernel; t++)
    for (int64_t c = 0; c < a->c_in; c++)
      *row++ = input_at (a, image, y * a->stride + t / a->kernel - a->pad_top,
                         x * a->stride + t % a->kernel - a->pad_left, c);
}

static void
expect (Checker *c, const Outputs *o, const ConvArgs *a, const float *w, const float *bias)
{
  int taps = a->kernel * a->kernel;
  Products p = check_products (c, taps * a->c_in, a->c_out, a->compute);
  for (int64_t i = 0; i < a->c_out * a->c_in * taps; i++)
    check_products_weight (&p, i / taps / a->c_in, i % taps * a->c_in + i / taps % a->c_in, w[i]);
  for (int64_t pixel = 0, i = 0; pixel < a->n * a->h_out * a->w_out; pixel++)
    {
      int64_t image = pixel / a->w_out / a->h_out;
      fill_row (p.x, a, image, pixel / a->w_out % a->h_out, pixel % a->w_out);
      check_products_row (&p);
      for (int64_t out = 0; out < a->c_out; out++, i++)
        {
          float added[] = { bias ? bias[out] : 0,
                            a->channel_add ? a->channel_add[image * a->c_out + out] : 0,
                            a->add ? a->add[i] : 0 };
          check_products_expect (o, &p, i, out, added, COUNT (added));
        }
    }
}

static int64_t
size_out (int64_t size, const ConvCase *t)
{
  int64_t padded = size * (t->upsample2 ? 2 : 1) + (t->pad_behind ? t->pad + 1 : 2 * t->pad);
  return (padded - t->kernel) / t->stride + 1;
}

static void
check_one (Checker *c, const ConvCase *t)
{
  if (size_out (t->h, t) < 1 || size_out (t->w, t) < 1)
    return;
  if (!check_begin (c, "conv2d/%s/%lldx%lldx%lldx%lld-%lld+k%ds%dp%d%s%s+w=%s%s%s%s%s",
                    check_compute_name (t->compute), (long long) t->n, (long long) t->h,
                    (long long) t->w, (long long) t->c_in, (long long) t->c_out, t->kernel,
                    t->stride, t->pad, t->pad_behind ? "+behind" : "",
                    t->upsample2 ? "+upsample2" : "", dtype_name (t->weight),
                    t->has_bias ? "+bias" : "", t->has_channel_add ? "+channel" : "",
                    !t->has_add   ? ""
                    : t->add_is_y ? "+add=y"
                                  : "+add",
                    check_values_name (t->values)))
    return;
  const float *w, *bias = NULL;
  Values w_values = t->values == VALUES_ONE_NAN ? VALUES_NORMAL : t->values;
  ConvArgs a = { .n = t->n,
                 .h_in = t->h,
                 .w_in = t->w,
                 .c_in = t->c_in,
                 .h_out = size_out (t->h, t),
                 .w_out = size_out (t->w, t),
                 .c_out = t->c_out,
                 .kernel = t->kernel,
                 .stride = t->stride,
                 .pad_top = t->pad,
                 .pad_left = t->pad,
                 .upsample2 = t->upsample2,
                 .compute = t->compute };
  int64_t n = a.n * a.h_out * a.w_out * a.c_out;
  a.x = check_input (c, t->n * t->h * t->w * t->c_in, t->values);
  a.w = check_param (c, t->weight, t->c_out * t->c_in * t->kernel * t->kernel, w_values, &w);
  if (t->has_bias)
    a.bias = check_param (c, t->weight, t->c_out, VALUES_NORMAL, &bias);
  if (t->has_channel_add)
    a.channel_add = check_input (c, t->n * t->c_out, VALUES_NORMAL);
  if (t->has_add)
    a.add = check_input (c, n, VALUES_NORMAL);
  Outputs o = check_outputs (c, n);
  bool alias = t->has_add && t->add_is_y;
  expect (c, &o, &a, w, bias);
  check_end (c, &(Case){ .outputs = o,
                         .initial = alias ? a.add : NULL,
                         .args = &a,
                         .run = alias ? run_conv_add_is_y : run_conv });
}

/* The kinds of convolution in UNet and VAE, by number. */
enum
{
  N_KINDS = 6
};

static ConvCase
kind_of_conv (int kind)
{
  switch (kind)
    {
    case 0: /* ResNet block */
      return (ConvCase){ .kernel = 3, .stride = 1, .pad = 1 };
    case 1: /* shortcut, projection */
      return (ConvCase){ .kernel = 1, .stride = 1 };
    case 2: /* UNet downsampling */
      return (ConvCase){ .kernel = 3, .stride = 2, .pad = 1 };
    case 3: /* VAE downsampling */
      return (ConvCase){ .kernel = 3, .stride = 2, .pad_behind = true };
    case 4: /* upsampling */
      return (ConvCase){ .kernel = 3, .stride = 1, .pad = 1, .upsample2 = true };
    default:
      return (ConvCase){ .kernel = 1, .stride = 2 };
    }
}

static void
check_mixed (Checker *c, int i, int64_t n, int64_t h, int64_t w, int64_t c_in, int64_t c_out)
{
  unsigned mix = (unsigned) i * 2654435761u >> 16;
  ConvCase t = kind_of_conv (i % N_KINDS);
  t.n = n;
  t.h = h;
  t.w = w;
  t.c_in = c_in;
  t.c_out = c_out;
  t.has_bias = mix % 4 != 0;
  t.has_channel_add = mix / 4 % 2;
  t.has_add = mix / 8 % 2;
  t.add_is_y = mix / 16 % 2;
  t.weight = (DType) (mix / 32 % 3);
  for (t.compute = COMPUTE_F32; t.compute <= COMPUTE_BF16; t.compute++)
    check_one (c, &t);
}

static void
check_values (Checker *c)
{
  for (Values values = VALUES_OFFSET; values <= VALUES_ONE_NAN; values++)
    for (int kind = 0; kind < N_KINDS; kind++)
      for (Compute compute = COMPUTE_F32; compute <= COMPUTE_BF16; compute++)
        {
          ConvCase t = kind_of_conv (kind);
          t.n = 2;
          t.h = 6;
          t.w = 9;
          t.c_in = 19;
          t.c_out = 21;
          t.weight = DTYPE_BF16;
          t.has_bias = true;
          t.values = values;
          t.compute = compute;
          check_one (c, &t);
        }
}

/* Every quantised format by taps of one and nine, and by Winograd's way. */
static void
check_formats (Checker *c)
{
  for (DType dtype = DTYPE_F8_E4M3; dtype < DTYPE_COUNT; dtype++)
    for (int i = 0; i < 6; i++)
      check_one (c, &(ConvCase){ .n = 1,
                                 .h = i < 4 ? 7 : 32,
                                 .w = i < 4 ? 5 : 32,
                                 .c_in = i < 2 ? 37 : 64,
                                 .c_out = i < 4 ? 19 : 32,
                                 .kernel = i % 4 < 2 ? 3 : 1,
                                 .stride = 1,
                                 .pad = i % 4 < 2,
                                 .has_bias = true,
                                 .weight = dtype,
                                 .compute = (Compute) (i % 2) });
}

/* Pictures of so many tiles, and such channels, that a backend may take Winograd's way: odd sides,
 * channels in several blocks and panels, everything that is added.  Its rounding is relative to the
 * largest of 4 x 4 pixels, so values that are mostly zero are not among them. */
static void
check_winograd (Checker *c)
{
  static const struct
  {
    int64_t n, h, w, c_in, c_out;
    bool upsample2, channel_add, add, add_is_y;
    DType weight;
    Values values;
  } cases[] = {
    { 1, 32, 32, 32, 32, false, false, false, false, DTYPE_F32, VALUES_NORMAL },
    { 2, 33, 31, 48, 80, false, true, true, true, DTYPE_F16, VALUES_NORMAL },
    { 1, 31, 33, 304, 48, false, false, true, false, DTYPE_BF16, VALUES_NORMAL },
    { 2, 17, 16, 64, 304, true, true, false, false, DTYPE_F16, VALUES_NORMAL },
    { 1, 32, 32, 64, 32, false, true, true, false, DTYPE_F32, VALUES_OFFSET },
    { 1, 32, 33, 32, 48, false, false, true, false, DTYPE_F32, VALUES_CONSTANT },
  };
  for (int i = 0; i < COUNT (cases); i++)
    check_one (c, &(ConvCase){ .n = cases[i].n,
                               .h = cases[i].h,
                               .w = cases[i].w,
                               .c_in = cases[i].c_in,
                               .c_out = cases[i].c_out,
                               .kernel = 3,
                               .stride = 1,
                               .pad = 1,
                               .upsample2 = cases[i].upsample2,
                               .has_bias = i > 0,
                               .has_channel_add = cases[i].channel_add,
                               .has_add = cases[i].add,
                               .add_is_y = cases[i].add_is_y,
                               .weight = cases[i].weight,
                               .values = cases[i].values });
}

void
check_conv2d (Checker *c)
{
  check_formats (c);
  static const int64_t sizes[] = { 1, 2, 3, 5, 7, 17 }, ins[] = { 1, 3, 4, 5, 17, 33, 64, 67 };
  static const int64_t outs[] = { 1, 3, 4, 17, 32, 33, 65 };
  int i = 0;
  for (int h = 0; h < COUNT (sizes); h++)
    for (int in = 0; in < COUNT (ins); in++)
      for (int out = 0; out < COUNT (outs); out++, i++)
        check_mixed (c, i, 1 + i % 2, sizes[h], sizes[(h + i) % COUNT (sizes)], ins[in], outs[out]);
  for (int kind = 0; kind < N_KINDS; kind++, i++)
    {
      check_mixed (c, kind + i * N_KINDS, 1, 16, 24, 128, 40);
      check_mixed (c, kind + i * N_KINDS, 2, 8, 8, 320, 64);
    }
  check_values (c);
  check_winograd (c);
  for (int kind = 0; check_is_long (c) && kind < N_KINDS; kind++)
    check_mixed (c, kind, 2, 32, 32, 640, 320);
}
