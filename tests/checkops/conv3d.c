/* SPDX-License-Identifier: MPL-2.0
 * conv3d.c - cases of the conv3d slot.
 */
#include "checkops.h"

enum
{
  FRAMES = 3
};

typedef struct
{
  int64_t n, h, w, c_in, c_out;
  int kernel;
  bool zeros[FRAMES]; /* frames that are not there */
  bool has_bias, has_add, add_is_y;
  Compute compute;
  DType weight;
  Values values;
} Conv3dCase;

static void
run_conv3d (Backend *b, const void *args, float *y)
{
  Conv3dArgs a = *(const Conv3dArgs *) args;
  a.y = y;
  b->ops.conv3d (b, &a);
}

static void
run_conv3d_add_is_y (Backend *b, const void *args, float *y)
{
  Conv3dArgs a = *(const Conv3dArgs *) args;
  a.add = a.y = y;
  b->ops.conv3d (b, &a);
}

/* The input under @tap (frame, row, column) of output pixel (@y, @x). */
static float
input_at (const Conv3dArgs *a, int64_t image, int64_t y, int64_t x, int tap, int64_t c)
{
  int k = a->kernel;
  const float *frame = a->frames[tap / k / k];
  y += tap / k % k - k / 2;
  x += tap % k - k / 2;
  bool inside = frame && y >= 0 && y < a->h && x >= 0 && x < a->w;
  return inside ? frame[((image * a->h + y) * a->w + x) * a->c_in + c] : 0;
}

static void
expect (Checker *c, const Outputs *o, const Conv3dArgs *a, const float *w, const float *bias)
{
  int taps = FRAMES * a->kernel * a->kernel;
  Products p = check_products (c, taps * a->c_in, a->c_out, a->compute);
  for (int64_t i = 0; i < a->c_out * a->c_in * taps; i++)
    check_products_weight (&p, i / taps / a->c_in, i % taps * a->c_in + i / taps % a->c_in, w[i]);
  for (int64_t pixel = 0, i = 0; pixel < a->n * a->h * a->w; pixel++)
    {
      for (int64_t k = 0; k < p.n_in; k++)
        p.x[k] = input_at (a, pixel / a->w / a->h, pixel / a->w % a->h, pixel % a->w,
                           (int) (k / a->c_in), k % a->c_in);
      check_products_row (&p);
      for (int64_t out = 0; out < a->c_out; out++, i++)
        {
          float added[] = { bias ? bias[out] : 0, a->add ? a->add[i] : 0 };
          check_products_expect (o, &p, i, out, added, COUNT (added));
        }
    }
}

static void
check_one (Checker *c, const Conv3dCase *t)
{
  if (!check_begin (c, "conv3d/%s/%lldx%lldx%lldx%lld-%lld+k%d+f%d%d%d+w=%s%s%s%s",
                    check_compute_name (t->compute), (long long) t->n, (long long) t->h,
                    (long long) t->w, (long long) t->c_in, (long long) t->c_out, t->kernel,
                    !t->zeros[0], !t->zeros[1], !t->zeros[2], dtype_name (t->weight),
                    t->has_bias ? "+bias" : "",
                    !t->has_add   ? ""
                    : t->add_is_y ? "+add=y"
                                  : "+add",
                    check_values_name (t->values)))
    return;
  const float *w, *bias = NULL;
  Values w_values = t->values == VALUES_ONE_NAN ? VALUES_NORMAL : t->values;
  Conv3dArgs a = { .n = t->n,
                   .h = t->h,
                   .w = t->w,
                   .c_in = t->c_in,
                   .c_out = t->c_out,
                   .kernel = t->kernel,
                   .compute = t->compute };
  int64_t n = a.n * a.h * a.w * a.c_out,
          n_weights = a.c_out * a.c_in * FRAMES * a.kernel * a.kernel;
  for (int i = 0; i < FRAMES; i++)
    if (!t->zeros[i])
      a.frames[i] = check_input (c, a.n * a.h * a.w * a.c_in, t->values);
  a.weight = check_param (c, t->weight, n_weights, w_values, &w);
  if (t->has_bias)
    a.bias = check_param (c, t->weight, t->c_out, VALUES_NORMAL, &bias);
  if (t->has_add)
    a.add = check_input (c, n, VALUES_NORMAL);
  Outputs o = check_outputs (c, n);
  bool alias = t->has_add && t->add_is_y;
  expect (c, &o, &a, w, bias);
  check_end (c, &(Case){ .outputs = o,
                         .initial = alias ? a.add : NULL,
                         .args = &a,
                         .run = alias ? run_conv3d_add_is_y : run_conv3d });
}

/* The @i-th mixture of what a case may have. */
static void
check_mixed (Checker *c, int i, int64_t n, int64_t h, int64_t w, int64_t c_in, int64_t c_out)
{
  unsigned mix = (unsigned) i * 2654435761u >> 16;
  Conv3dCase t = { .n = n, .h = h, .w = w, .c_in = c_in, .c_out = c_out };
  t.kernel = i % 3 == 0 ? 1 : 3;
  t.has_bias = mix % 4 != 0;
  t.has_add = mix / 4 % 2;
  t.add_is_y = mix / 8 % 2;
  t.zeros[0] = mix / 16 % 4 == 0;
  t.zeros[1] = mix / 16 % 8 == 0;
  t.weight = (DType) (mix / 128 % 3);
  for (t.compute = COMPUTE_F32; t.compute <= COMPUTE_BF16; t.compute++)
    check_one (c, &t);
}

static void
check_values (Checker *c)
{
  for (Values values = VALUES_OFFSET; values <= VALUES_ONE_NAN; values++)
    for (Compute compute = COMPUTE_F32; compute <= COMPUTE_BF16; compute++)
      check_one (c, &(Conv3dCase){ .n = 1,
                                   .h = 6,
                                   .w = 9,
                                   .c_in = 19,
                                   .c_out = 21,
                                   .kernel = 3,
                                   .has_bias = true,
                                   .weight = DTYPE_BF16,
                                   .values = values,
                                   .compute = compute });
}

/* Every quantised format by the plain sum, and by Winograd's way. */
static void
check_formats (Checker *c)
{
  for (DType dtype = DTYPE_F8_E4M3; dtype < DTYPE_COUNT; dtype++)
    for (int i = 0; i < 3; i++)
      check_one (c, &(Conv3dCase){ .n = 1,
                                   .h = i < 2 ? 5 : 32,
                                   .w = i < 2 ? 7 : 32,
                                   .c_in = i < 2 ? 37 : 32,
                                   .c_out = i < 2 ? 19 : 32,
                                   .kernel = 3,
                                   .has_bias = true,
                                   .weight = dtype,
                                   .compute = (Compute) (i % 2) });
}

/* Pictures that a backend may take Winograd's way with: blocks of channels that hold three frames,
 * that end where a frame does, and that end within one; frames that are not there. */
static void
check_winograd (Checker *c)
{
  static const struct
  {
    int64_t n, h, w, c_in, c_out;
    bool zeros[FRAMES], add, add_is_y;
    DType weight;
    Values values;
  } cases[] = {
    { 1, 32, 32, 32, 32, { 0 }, false, false, DTYPE_F32, VALUES_NORMAL },
    { 1, 33, 31, 96, 48, { 0 }, true, true, DTYPE_F16, VALUES_NORMAL },
    { 2, 31, 33, 208, 64, { 0 }, true, false, DTYPE_BF16, VALUES_NORMAL },
    { 1, 32, 32, 96, 32, { true, true }, false, false, DTYPE_F16, VALUES_NORMAL },
    { 1, 32, 33, 48, 80, { true }, true, true, DTYPE_F32, VALUES_OFFSET },
    { 1, 32, 32, 304, 32, { false, true }, false, false, DTYPE_F32, VALUES_CONSTANT },
  };
  for (int i = 0; i < COUNT (cases); i++)
    check_one (c, &(Conv3dCase){ .n = cases[i].n,
                                 .h = cases[i].h,
                                 .w = cases[i].w,
                                 .c_in = cases[i].c_in,
                                 .c_out = cases[i].c_out,
                                 .kernel = 3,
                                 .zeros = { cases[i].zeros[0], cases[i].zeros[1] },
                                 .has_bias = i > 0,
                                 .has_add = cases[i].add,
                                 .add_is_y = cases[i].add_is_y,
                                 .weight = cases[i].weight,
                                 .values = cases[i].values });
}

void
check_conv3d (Checker *c)
{
  static const int64_t sizes[] = { 1, 2, 5, 17 }, ins[] = { 1, 3, 8, 17, 33, 67 };
  static const int64_t outs[] = { 1, 3, 16, 33, 65 };
  int i = 0;
  for (int h = 0; h < COUNT (sizes); h++)
    for (int in = 0; in < COUNT (ins); in++)
      for (int out = 0; out < COUNT (outs); out++, i++)
        check_mixed (c, i, 1 + i % 2, sizes[h], sizes[(h + i) % COUNT (sizes)], ins[in], outs[out]);
  for (int k = 0; k < 3; k++, i++)
    check_mixed (c, i, 1, 16, 24, 128, 40);
  check_values (c);
  check_formats (c);
  check_winograd (c);
}
