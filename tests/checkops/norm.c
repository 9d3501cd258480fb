/* SPDX-License-Identifier: MPL-2.0
 * norm.c - cases of the group_norm, layer_norm, norm_modulate and rms_norm slots.
 */
#include "checkops.h"

static void
run_group_norm (Backend *b, const void *args, float *y)
{
  GroupNormArgs a = *(const GroupNormArgs *) args;
  a.y = y;
  b->ops.group_norm (b, &a);
}

static void
run_group_norm_in_place (Backend *b, const void *args, float *y)
{
  GroupNormArgs a = *(const GroupNormArgs *) args;
  a.x = a.y = y;
  b->ops.group_norm (b, &a);
}

static void
run_layer_norm (Backend *b, const void *args, float *y)
{
  LayerNormArgs a = *(const LayerNormArgs *) args;
  a.y = y;
  b->ops.layer_norm (b, &a);
}

static void
run_layer_norm_in_place (Backend *b, const void *args, float *y)
{
  LayerNormArgs a = *(const LayerNormArgs *) args;
  a.x = a.y = y;
  b->ops.layer_norm (b, &a);
}

/* What both norms are made of: @n_rows pieces of @width elements, @stride apart, that share their
 * moments; element i of a piece takes weight[i] and bias[i]. */
typedef struct
{
  const float *x, *weight, *bias; /* weight and bias may be NULL */
  int64_t first, n_rows, width, stride;
  float eps;
  bool silu;
} Group;

typedef struct
{
  double mean, inverse;
  double size; /* mean of |x|: what the rounding of the mean is relative to */
  float plain_mean, plain_inverse;
} Statistics;

static Statistics
statistics_of (const Group *g)
{
  Statistics s = { 0 };
  double squares = 0, count = (double) (g->n_rows * g->width);
  float plain_squares = 0;
  for (int64_t i = 0; i < g->n_rows * g->width; i++)
    {
      float x = g->x[g->first + i / g->width * g->stride + i % g->width];
      s.mean += x;
      s.size += fabs (x);
      s.plain_mean += x;
    }
  s.mean /= count;
  s.size /= count;
  s.plain_mean /= (float) count;
  for (int64_t i = 0; i < g->n_rows * g->width; i++)
    {
      float x = g->x[g->first + i / g->width * g->stride + i % g->width];
      squares += (x - s.mean) * (x - s.mean);
      plain_squares += (x - s.plain_mean) * (x - s.plain_mean);
    }
  s.inverse = 1 / sqrt (squares / count + g->eps);
  s.plain_inverse = 1 / sqrtf (plain_squares / (float) count + g->eps);
  return s;
}

static void
expect_group (const Outputs *o, const Group *g)
{
  Statistics s = statistics_of (g);
  for (int64_t i = 0; i < g->n_rows * g->width; i++)
    {
      int64_t c = i % g->width, at = g->first + i / g->width * g->stride + c;
      float weight = g->weight ? g->weight[c] : 1, bias = g->bias ? g->bias[c] : 0;
      double y = (g->x[at] - s.mean) * s.inverse * weight + bias;
      float plain = (g->x[at] - s.plain_mean) * s.plain_inverse * weight + bias;
      o->exact[at] = g->silu ? y / (1 + exp (-y)) : y;
      o->plain[at] = g->silu ? plain / (1 + expf (-plain)) : plain;
      o->scale[at] = (fabs (g->x[at] - s.mean) + s.size) * s.inverse * fabs (weight) + fabs (bias);
    }
}

typedef struct
{
  int64_t n, n_pixels, n_channels;
  int n_groups;
  bool silu, in_place, affine;
  DType dtype;
  Values values;
} GroupCase;

static void
check_group_norm (Checker *c, const GroupCase *t)
{
  if (!check_begin (c, "group_norm/%lldx%lldx%lld-%d%s%s+w=%s%s", (long long) t->n,
                    (long long) t->n_pixels, (long long) t->n_channels, t->n_groups,
                    t->silu ? "+silu" : "", t->in_place ? "+y=x" : "",
                    t->affine ? dtype_name (t->dtype) : "none", check_values_name (t->values)))
    return;
  const float *weight = NULL, *bias = NULL;
  int64_t n = t->n * t->n_pixels * t->n_channels, width = t->n_channels / t->n_groups;
  GroupNormArgs a = { .n = t->n,
                      .n_pixels = t->n_pixels,
                      .n_channels = t->n_channels,
                      .n_groups = t->n_groups,
                      .eps = 1e-5f,
                      .silu = t->silu };
  a.x = check_input (c, n, t->values);
  if (t->affine)
    {
      a.weight = check_param (c, t->dtype, t->n_channels, VALUES_NORMAL, &weight);
      a.bias = check_param (c, t->dtype, t->n_channels, VALUES_NORMAL, &bias);
    }
  Outputs o = check_outputs (c, n);
  for (int64_t image = 0; image < t->n; image++)
    for (int64_t group = 0; group < t->n_groups; group++)
      expect_group (&o, &(Group){ .x = a.x,
                                  .weight = weight ? weight + group * width : NULL,
                                  .bias = bias ? bias + group * width : NULL,
                                  .first = image * t->n_pixels * t->n_channels + group * width,
                                  .n_rows = t->n_pixels,
                                  .width = width,
                                  .stride = t->n_channels,
                                  .eps = a.eps,
                                  .silu = t->silu });
  check_end (c, &(Case){ .outputs = o,
                         .initial = t->in_place ? a.x : NULL,
                         .args = &a,
                         .run = t->in_place ? run_group_norm_in_place : run_group_norm });
}

typedef struct
{
  int64_t n_rows, dim;
  bool in_place, has_weight, has_bias, silu;
  DType dtype;
  Values values;
} LayerCase;

static void
check_layer_norm (Checker *c, const LayerCase *t)
{
  if (!check_begin (c, "layer_norm/%lldx%lld%s+w=%s%s%s%s", (long long) t->n_rows,
                    (long long) t->dim, t->in_place ? "+y=x" : "", dtype_name (t->dtype),
                    t->has_weight ? "" : "-weight", t->has_bias ? "" : "-bias",
                    check_values_name (t->values)))
    return;
  const float *weight = NULL, *bias = NULL;
  LayerNormArgs a = { .n_rows = t->n_rows, .dim = t->dim, .eps = 1e-5f };
  a.x = check_rows (c, t->n_rows, t->dim, t->dim, t->values);
  if (t->has_weight)
    a.weight = check_param (c, t->dtype, t->dim, VALUES_NORMAL, &weight);
  if (t->has_bias)
    a.bias = check_param (c, t->dtype, t->dim, VALUES_NORMAL, &bias);
  Outputs o = check_outputs (c, t->n_rows * t->dim);
  for (int64_t row = 0; row < t->n_rows; row++)
    expect_group (&o, &(Group){ .x = a.x,
                                .weight = weight,
                                .bias = bias,
                                .first = row * t->dim,
                                .n_rows = 1,
                                .width = t->dim,
                                .stride = t->dim,
                                .eps = a.eps });
  check_end (c, &(Case){ .outputs = o,
                         .initial = t->in_place ? a.x : NULL,
                         .args = &a,
                         .run = t->in_place ? run_layer_norm_in_place : run_layer_norm });
}

static void
run_norm_modulate (Backend *b, const void *args, float *y)
{
  NormModulateArgs a = *(const NormModulateArgs *) args;
  a.y = y;
  b->ops.norm_modulate (b, &a);
}

static void
run_norm_modulate_in_place (Backend *b, const void *args, float *y)
{
  NormModulateArgs a = *(const NormModulateArgs *) args;
  a.x = a.y = y;
  b->ops.norm_modulate (b, &a);
}

static void
check_norm_modulate (
    Checker *c, int64_t n, int64_t n_rows, int64_t dim, bool in_place, Values values)
{
  if (!check_begin (c, "norm_modulate/%lldx%lldx%lld%s%s", (long long) n, (long long) n_rows,
                    (long long) dim, in_place ? "+y=x" : "", check_values_name (values)))
    return;
  NormModulateArgs a = { .n = n, .n_rows = n_rows, .dim = dim, .eps = 1e-6f };
  a.modulation_stride = 2 * dim + 1;
  a.x = check_rows (c, n * n_rows, dim, dim, values);
  float *weight = check_floats (c, dim);
  float *modulation = check_input (c, (n - 1) * a.modulation_stride + 2 * dim, VALUES_NORMAL);
  a.shift = modulation;
  a.scale = modulation + dim;
  Outputs o = check_outputs (c, n * n_rows * dim);
  for (int64_t row = 0; row < n * n_rows; row++)
    {
      int64_t at = row / n_rows * a.modulation_stride;
      for (int64_t i = 0; i < dim; i++)
        weight[i] = 1 + a.scale[at + i];
      expect_group (&o, &(Group){ .x = a.x,
                                  .weight = weight,
                                  .bias = a.shift + at,
                                  .first = row * dim,
                                  .n_rows = 1,
                                  .width = dim,
                                  .stride = dim,
                                  .eps = a.eps });
      /* 1 + scale is rounded once, here as in the kernels. */
      for (int64_t i = row * dim; i < (row + 1) * dim; i++)
        o.slack[i] = FLT_EPSILON * o.scale[i];
    }
  check_end (c, &(Case){ .outputs = o,
                         .initial = in_place ? a.x : NULL,
                         .args = &a,
                         .run = in_place ? run_norm_modulate_in_place : run_norm_modulate });
}

static void
run_rms_norm (Backend *b, const void *args, float *y)
{
  RmsNormArgs a = *(const RmsNormArgs *) args;
  a.y = y;
  b->ops.rms_norm (b, &a);
}

static void
run_rms_norm_in_place (Backend *b, const void *args, float *y)
{
  RmsNormArgs a = *(const RmsNormArgs *) args;
  a.x = a.y = y;
  b->ops.rms_norm (b, &a);
}

static void
check_rms_norm (Checker *c, const LayerCase *t)
{
  if (!check_begin (c, "rms_norm/%lldx%lld%s%s+w=%s%s%s", (long long) t->n_rows, (long long) t->dim,
                    t->silu ? "+silu" : "", t->in_place ? "+y=x" : "", dtype_name (t->dtype),
                    t->has_weight ? "" : "-weight", check_values_name (t->values)))
    return;
  const float *weight = NULL;
  RmsNormArgs a = { .n_rows = t->n_rows, .dim = t->dim, .eps = 1e-6f, .silu = t->silu };
  a.x = check_rows (c, t->n_rows, t->dim, t->dim, t->values);
  if (t->has_weight)
    a.weight = check_param (c, t->dtype, t->dim, VALUES_NORMAL, &weight);
  Outputs o = check_outputs (c, t->n_rows * t->dim);
  for (int64_t row = 0; row < t->n_rows; row++)
    {
      double squares = 0;
      float plain = 0;
      for (int64_t i = row * t->dim; i < (row + 1) * t->dim; i++)
        {
          squares += (double) a.x[i] * a.x[i];
          plain += a.x[i] * a.x[i];
        }
      double inverse = 1 / sqrt (squares / (double) t->dim + a.eps);
      float plain_inverse = 1 / sqrtf (plain / (float) t->dim + a.eps);
      for (int64_t i = 0, at = row * t->dim; i < t->dim; i++, at++)
        {
          double exact = a.x[at] * inverse * (weight ? weight[i] : 1);
          float normed = a.x[at] * plain_inverse * (weight ? weight[i] : 1);
          o.exact[at] = t->silu ? exact / (1 + exp (-exact)) : exact;
          o.plain[at] = t->silu ? normed / (1 + expf (-normed)) : normed;
          o.scale[at] = fabs (exact);
        }
    }
  check_end (c, &(Case){ .outputs = o,
                         .initial = t->in_place ? a.x : NULL,
                         .args = &a,
                         .run = t->in_place ? run_rms_norm_in_place : run_rms_norm });
}

static void
check_group_norms (Checker *c)
{
  static const Values values[] = { VALUES_NORMAL, VALUES_OFFSET,   VALUES_TINY,
                                   VALUES_ZEROS,  VALUES_CONSTANT, VALUES_NORMAL };
  static const int64_t pixels[] = { 1, 2, 3, 5, 7, 17, 64, 257, 1031 };
  static const struct
  {
    int64_t n_channels;
    int n_groups;
  } channels[] = { { 1, 1 },    { 4, 1 },    { 5, 5 },   { 6, 2 },    { 30, 3 },
                   { 32, 32 },  { 64, 32 },  { 66, 33 }, { 128, 32 }, { 210, 7 },
                   { 320, 32 }, { 960, 32 }, { 77, 1 },  { 1030, 1 } };
  for (int i = 0; i < COUNT (pixels) * COUNT (channels) * 3; i++)
    {
      unsigned mix = (unsigned) i * 2654435761u >> 16;
      int which = i / COUNT (pixels) % COUNT (channels);
      check_group_norm (c, &(GroupCase){ .n = 1 + mix % 3 % 2,
                                         .n_pixels = pixels[i % COUNT (pixels)],
                                         .n_channels = channels[which].n_channels,
                                         .n_groups = channels[which].n_groups,
                                         .silu = mix / 2 % 2,
                                         .in_place = mix / 4 % 2,
                                         .affine = mix / 8 % 8 != 0,
                                         .dtype = (DType) (mix / 64 % 3),
                                         .values = values[mix / 256 % COUNT (values)] });
    }
  check_group_norm (c, &(GroupCase){ .n = 1,
                                     .n_pixels = 4096,
                                     .n_channels = 320,
                                     .n_groups = 32,
                                     .silu = true,
                                     .affine = true,
                                     .dtype = DTYPE_F16,
                                     .values = VALUES_OFFSET });
  check_group_norm (c, &(GroupCase){ .n = 2,
                                     .n_pixels = 65,
                                     .n_channels = 2560,
                                     .n_groups = 32,
                                     .affine = true,
                                     .dtype = DTYPE_BF16 });
}

static void
check_formats (Checker *c)
{
  for (DType dtype = DTYPE_F8_E4M3; dtype < DTYPE_COUNT; dtype++)
    {
      check_group_norm (c, &(GroupCase){ .n = 1,
                                         .n_pixels = 9,
                                         .n_channels = 66,
                                         .n_groups = 3,
                                         .affine = true,
                                         .dtype = dtype });
      check_layer_norm (
          c, &(LayerCase){
                 .n_rows = 5, .dim = 320, .has_weight = true, .has_bias = true, .dtype = dtype });
    }
}

void
check_norms (Checker *c)
{
  check_formats (c);
  static const int64_t rows[] = { 1, 2, 3, 17, 33 };
  static const int64_t dims[] = { 1, 2, 3, 5, 7, 17, 31, 33, 63, 65, 77, 127, 320, 513, 768, 1280 };
  static const Values values[] = { VALUES_NORMAL, VALUES_OFFSET,   VALUES_TINY,
                                   VALUES_ZEROS,  VALUES_CONSTANT, VALUES_ONE_NAN };
  check_group_norms (c);
  for (int i = 0; i < COUNT (rows) * COUNT (dims) * COUNT (values); i++)
    {
      unsigned mix = (unsigned) i * 2654435761u >> 16;
      check_norm_modulate (c, 1 + mix % 3, rows[i % COUNT (rows)],
                           dims[i / COUNT (rows) % COUNT (dims)], mix / 4 % 2,
                           values[i / COUNT (rows) / COUNT (dims)]);
      check_rms_norm (c, &(LayerCase){ .n_rows = rows[i % COUNT (rows)],
                                       .dim = dims[i / COUNT (rows) % COUNT (dims)],
                                       .in_place = mix % 2,
                                       .has_weight = mix / 2 % 4 != 0,
                                       .silu = mix / 128 % 2,
                                       .dtype = (DType) (mix / 32 % 3),
                                       .values = values[i / COUNT (rows) / COUNT (dims)] });
      check_layer_norm (c, &(LayerCase){ .n_rows = rows[i % COUNT (rows)],
                                         .dim = dims[i / COUNT (rows) % COUNT (dims)],
                                         .in_place = mix % 2,
                                         .has_weight = mix / 2 % 4 != 0,
                                         .has_bias = mix / 8 % 4 != 0,
                                         .dtype = (DType) (mix / 32 % 3),
                                         .values = values[i / COUNT (rows) / COUNT (dims)] });
    }
  check_layer_norm (
      c,
      &(LayerCase){
          .n_rows = 1000, .dim = 320, .has_weight = true, .has_bias = true, .dtype = DTYPE_F16 });
  check_norm_modulate (c, 3, 70, 770, true, VALUES_NORMAL); /* tasks inside entries */
  check_norm_modulate (c, 100, 1, 1536, false, VALUES_NORMAL);
  check_rms_norm (
      c, &(LayerCase){ .n_rows = 100, .dim = 4096, .has_weight = true, .dtype = DTYPE_BF16 });
  check_rms_norm (c, &(LayerCase){ .n_rows = 20,
                                   .dim = 1536,
                                   .has_weight = true,
                                   .dtype = DTYPE_F32,
                                   .values = VALUES_HUGE });
}
