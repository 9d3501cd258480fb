/* SPDX-License-Identifier: MPL-2.0
 * linear.c - cases of the linear slot.
 */
#include "checkops.h"

#include <string.h>

typedef enum
{
  ADD_NONE,
  ADD_SEPARATE,
  ADD_IS_Y,
  ADD_COUNT
} AddMode;

typedef struct
{
  int64_t n_rows, n_out, n_in, x_gap, y_gap;
  Compute compute;
  DType w, bias;
  bool has_bias;
  AddMode add;
  Values values;
} LinearCase;

static const char *const add_names[ADD_COUNT] = { "", "+add", "+add=y" };
static void
run_linear (Backend *b, const void *args, float *y)
{
  LinearArgs a = *(const LinearArgs *) args;
  a.y = y;
  b->ops.linear (b, &a);
}

static void
run_linear_add_is_y (Backend *b, const void *args, float *y)
{
  LinearArgs a = *(const LinearArgs *) args;
  a.add = a.y = y;
  b->ops.linear (b, &a);
}

static void
expect (Checker *c,
        const Outputs *o,
        const LinearArgs *a,
        const float *w,
        const float *bias,
        const float *add)
{
  Products p = check_products (c, a->n_in, a->n_out, a->compute);
  for (int64_t i = 0; i < a->n_out * a->n_in; i++)
    check_products_weight (&p, i / a->n_in, i % a->n_in, w[i]);
  for (int64_t i = 0; i < a->n_rows * a->y_stride; i++)
    o->exact[i] = GAP;
  for (int64_t row = 0; row < a->n_rows; row++)
    {
      memcpy (p.x, a->x + row * a->x_stride, (size_t) a->n_in * sizeof *p.x);
      check_products_row (&p);
      for (int64_t out = 0, i = row * a->y_stride; out < a->n_out; out++, i++)
        {
          float added[] = { bias ? bias[out] : 0, add ? add[i] : 0 };
          check_products_expect (o, &p, i, out, added, COUNT (added));
        }
    }
}

static void
check_one (Checker *c, const LinearCase *t)
{
  if (!check_begin (c, "linear/%s/%lldx%lldx%lld+w=%s%s%s%s+strides=%lld,%lld%s",
                    check_compute_name (t->compute), (long long) t->n_rows, (long long) t->n_out,
                    (long long) t->n_in, dtype_name (t->w), t->has_bias ? "+bias=" : "",
                    t->has_bias ? dtype_name (t->bias) : "", add_names[t->add],
                    (long long) (t->n_in + t->x_gap), (long long) (t->n_out + t->y_gap),
                    check_values_name (t->values)))
    return;
  const float *w, *bias = NULL, *add = NULL;
  /* A NaN in x belongs to one row; one in w would be everywhere. */
  Values w_values = t->values == VALUES_ONE_NAN ? VALUES_NORMAL : t->values;
  LinearArgs a = { .n_rows = t->n_rows,
                   .n_out = t->n_out,
                   .n_in = t->n_in,
                   .x_stride = t->n_in + t->x_gap,
                   .y_stride = t->n_out + t->y_gap,
                   .compute = t->compute };
  a.x = check_rows (c, t->n_rows, t->n_in, a.x_stride, t->values);
  a.w = check_param (c, t->w, t->n_out * t->n_in, w_values, &w);
  if (t->has_bias)
    a.bias = check_param (c, t->bias, t->n_out, VALUES_NORMAL, &bias);
  if (t->add != ADD_NONE)
    add = check_rows (c, t->n_rows, t->n_out, a.y_stride, VALUES_NORMAL);
  a.add = add;
  Outputs o = check_outputs (c, t->n_rows * a.y_stride);
  Case k = { .outputs = o,
             .initial = t->add == ADD_IS_Y ? add : NULL,
             .args = &a,
             .run = t->add == ADD_IS_Y ? run_linear_add_is_y : run_linear };
  expect (c, &o, &a, w, bias, add);
  check_end (c, &k);
}

/* Every combination of @rows, @outs, @ins; what else there is to vary walks along with them. */
static void
check_product (Checker *c,
               const int64_t *rows,
               int n_rows,
               const int64_t *outs,
               int n_outs,
               const int64_t *ins,
               int n_ins)
{
  for (int i = 0; i < n_rows * n_outs * n_ins; i++)
    for (Compute compute = COMPUTE_F32; compute <= COMPUTE_BF16; compute++)
      {
        unsigned mix = (unsigned) i * 2654435761u >> 16;
        check_one (c, &(LinearCase){ .n_rows = rows[i % n_rows],
                                     .n_out = outs[i / n_rows % n_outs],
                                     .n_in = ins[i / n_rows / n_outs],
                                     .x_gap = mix % 4 == 0 ? 3 : 0,
                                     .y_gap = mix / 4 % 4 == 0 ? 5 : 0,
                                     .compute = compute,
                                     .w = (DType) (i % 3),
                                     .bias = (DType) (mix % 3),
                                     .has_bias = mix / 16 % 2,
                                     .add = (AddMode) (mix / 32 % ADD_COUNT) });
      }
}

static void
check_variants (Checker *c)
{
  for (int i = 0; i < 2 * 3 * 4 * ADD_COUNT; i++)
    for (Values values = VALUES_NORMAL; values <= VALUES_ONE_NAN; values++)
      {
        int bias = i / 6 % 4;
        check_one (c, &(LinearCase){ .n_rows = 9,
                                     .n_out = 35,
                                     .n_in = 45,
                                     .x_gap = i % 5,
                                     .y_gap = i % 3,
                                     .compute = (Compute) (i % 2),
                                     /* f16 holds no huge or tiny values */
                                     .w = values == VALUES_HUGE || values == VALUES_TINY
                                              ? (i / 2 % 2 ? DTYPE_F32 : DTYPE_BF16)
                                              : (DType) (i / 2 % 3),
                                     .bias = bias < 3 ? (DType) bias : DTYPE_F32,
                                     .has_bias = bias < 3,
                                     .add = (AddMode) (i / 24),
                                     .values = values });
      }
}

/* Every quantised format; rows that are whole blocks and rows that are not, few and many. */
static void
check_formats (Checker *c)
{
  static const int64_t ins[] = { 1, 36, 64, 320, 1280 }, rows[] = { 1, 5, 301 };
  for (DType dtype = DTYPE_F8_E4M3; dtype < DTYPE_COUNT; dtype++)
    for (int i = 0; i < COUNT (ins) * COUNT (rows) * 2; i++)
      check_one (c, &(LinearCase){ .n_rows = rows[i / COUNT (ins) % COUNT (rows)],
                                   .n_out = i % 4 ? 33 : 67,
                                   .n_in = ins[i % COUNT (ins)],
                                   .compute = (Compute) (i / COUNT (ins) / COUNT (rows)),
                                   .w = dtype,
                                   .bias = dtype,
                                   .has_bias = i % 3 == 0 });
}

void
check_linear (Checker *c)
{
  check_formats (c);
  static const int64_t rows[] = { 1, 2, 3, 4, 5, 7, 12, 17, 33, 77 };
  static const int64_t outs[] = { 1, 3, 16, 17, 31, 33, 65, 127 };
  static const int64_t ins[] = { 1, 2, 3, 5, 31, 63, 65, 127 };
  check_product (c, rows, COUNT (rows), outs, COUNT (outs), ins, COUNT (ins));
  static const int64_t some_rows[] = { 1, 6, 37 }, some_outs[] = { 31, 320 };
  static const int64_t long_ins[] = { 575, 1280, 2049, 5121 };
  check_product (c, some_rows, COUNT (some_rows), some_outs, COUNT (some_outs), long_ins,
                 COUNT (long_ins));
  static const int64_t many_rows[] = { 145, 301 }, wide[] = { 256, 640 }, ins3[] = { 96, 320 };
  check_product (c, many_rows, COUNT (many_rows), wide, COUNT (wide), ins3, COUNT (ins3));
  check_variants (c);
  static const int64_t model_rows[] = { 77, 1024 }, model_outs[] = { 640, 5120 };
  static const int64_t model_ins[] = { 768, 640, 2560 };
  if (check_is_long (c))
    check_product (c, model_rows, COUNT (model_rows), model_outs, COUNT (model_outs), model_ins,
                   COUNT (model_ins));
}
