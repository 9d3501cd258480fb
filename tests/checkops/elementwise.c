/* SPDX-License-Identifier: MPL-2.0
 * elementwise.c - cases of the unary, add, add_gated, gated, scale and geglu slots.
 */
#include "checkops.h"

static const char *const kind_names[UNARY_COUNT] = {
  [UNARY_SILU] = "silu",           [UNARY_GELU] = "gelu",
  [UNARY_GELU_TANH] = "gelu_tanh", [UNARY_QUICK_GELU] = "quick_gelu",
  [UNARY_RELU] = "relu",           [UNARY_TANH3] = "tanh3"
};

/* Below it, results are as good as zero: silu (-89) is 2e-37, and e^89 overflows on the way. */
static const double NEGLIGIBLE = 1e-30;

static void
run_unary (Backend *b, const void *args, float *y)
{
  UnaryArgs a = *(const UnaryArgs *) args;
  a.y = y;
  b->ops.unary (b, &a);
}

static void
run_unary_in_place (Backend *b, const void *args, float *y)
{
  UnaryArgs a = *(const UnaryArgs *) args;
  a.x = a.y = y;
  b->ops.unary (b, &a);
}

static double
exact_gelu (double x)
{
  return 0.5 * x * erfc (-x / sqrt (2));
}

static float
plain_gelu (float x)
{
  return 0.5f * x * (1 + erff (x * 0.70710678f));
}

static double
exact_value (UnaryKind kind, double x)
{
  switch (kind)
    {
    case UNARY_SILU:
      return x / (1 + exp (-x));
    case UNARY_GELU:
      return exact_gelu (x);
    case UNARY_GELU_TANH:
      return x / (1 + exp (-2 * sqrt (2 / M_PI) * (x + 0.044715 * x * x * x)));
    case UNARY_QUICK_GELU:
      return x / (1 + exp (-1.702 * x));
    case UNARY_RELU:
      return x < 0 ? 0 : x;
    case UNARY_TANH3:
      return 3 * tanh (x / 3);
    case UNARY_COUNT:
      break;
    }
  return NAN;
}

static float
plain_value (UnaryKind kind, float x)
{
  switch (kind)
    {
    case UNARY_SILU:
      return x / (1 + expf (-x));
    case UNARY_GELU:
      return plain_gelu (x);
    case UNARY_GELU_TANH:
      return 0.5f * x * (1 + tanhf (0.79788456f * (x + 0.044715f * x * x * x)));
    case UNARY_QUICK_GELU:
      return x / (1 + expf (-1.702f * x));
    case UNARY_RELU:
      return x < 0 ? 0 : x;
    case UNARY_TANH3:
      return 3 * tanhf (x / 3);
    case UNARY_COUNT:
      break;
    }
  return NAN;
}

/* The plain GELUs cancel below zero, where only the size of x counts. */
static double
scale_of (UnaryKind kind, double x, double exact)
{
  if (kind == UNARY_RELU)
    return 0; /* exact */
  bool cancels = kind == UNARY_GELU || kind == UNARY_GELU_TANH;
  return fmax (NEGLIGIBLE, fabs (cancels ? x : exact));
}

static void
check_unary (Checker *c, UnaryKind kind, const float *x, int64_t n, bool in_place)
{
  UnaryArgs a = { .kind = kind, .n = n, .x = x };
  Outputs o = check_outputs (c, n);
  for (int64_t i = 0; i < n; i++)
    {
      o.exact[i] = exact_value (kind, x[i]);
      o.plain[i] = plain_value (kind, x[i]);
      o.scale[i] = scale_of (kind, x[i], o.exact[i]);
    }
  check_end (c, &(Case){ .outputs = o,
                         .initial = in_place ? x : NULL,
                         .args = &a,
                         .run = in_place ? run_unary_in_place : run_unary });
}

static void
check_unary_kind (Checker *c, UnaryKind kind)
{
  static const int64_t counts[] = {
    1, 2, 3, 5, 7, 15, 16, 17, 31, 33, 63, 65, 77, 127, 1001, 100003
  };
  static const float corners[] = { 0.0f,    -0.0f,   1e-45f,  -1e-45f, 1e-39f, -1e-39f, 1e-38f,
                                   -1e-38f, 1e-20f,  -1e-20f, 1e-8f,   -1e-8f, 1e-4f,   -1e-4f,
                                   0.65f,   -0.65f,  1.95f,   -1.95f,  14.4f,  -14.4f,  14.6f,
                                   -14.6f,  60.0f,   -60.0f,  88.0f,   -88.0f, 89.0f,   -89.0f,
                                   104.0f,  -104.0f, 1e4f,    -1e4f,   1e10f,  -1e10f,  NAN,
                                   2.0f,    1e30f,   -1e30f,  INFINITY };
  enum
  {
    STEPS = 100000
  };
  for (int i = 0; i < COUNT (counts); i++)
    if (check_begin (c, "unary/%s/%lld", kind_names[kind], (long long) counts[i]))
      check_unary (c, kind, check_input (c, counts[i], VALUES_NORMAL), counts[i], i % 2);
  if (check_begin (c, "unary/%s/corners", kind_names[kind]))
    check_unary (c, kind, corners, COUNT (corners), false);
  if (check_begin (c, "unary/%s/sweep", kind_names[kind]))
    {
      float *x = check_floats (c, STEPS);
      for (int i = 0; i < STEPS; i++)
        x[i] = (float) (-24 + 48 * check_uniform (c));
      check_unary (c, kind, x, STEPS, false);
    }
  if (check_begin (c, "unary/%s/sweep-small", kind_names[kind]))
    {
      float *x = check_floats (c, STEPS);
      for (int i = 0; i < STEPS; i++)
        x[i] = (float) ((i % 2 ? -1 : 1) * exp (-40 * check_uniform (c)));
      check_unary (c, kind, x, STEPS, false);
    }
}

static void
run_add (Backend *b, const void *args, float *y)
{
  AddArgs a = *(const AddArgs *) args;
  a.y = y;
  b->ops.add (b, &a);
}

static void
run_add_in_place (Backend *b, const void *args, float *y)
{
  AddArgs a = *(const AddArgs *) args;
  a.x = a.y = y;
  b->ops.add (b, &a);
}

static void
check_add (Checker *c, int64_t n, int64_t n_b, bool in_place)
{
  if (!check_begin (c, "add/%lld-%lld%s", (long long) n, (long long) n_b, in_place ? "+y=x" : ""))
    return;
  AddArgs a = { .n = n, .n_b = n_b };
  a.x = check_input (c, n, VALUES_NORMAL);
  a.b = check_input (c, n_b, VALUES_NORMAL);
  Outputs o = check_outputs (c, n);
  for (int64_t i = 0; i < n; i++)
    {
      o.plain[i] = a.x[i] + a.b[i % n_b];
      o.exact[i] = o.plain[i];
    }
  check_end (c, &(Case){ .outputs = o,
                         .initial = in_place ? a.x : NULL,
                         .args = &a,
                         .run = in_place ? run_add_in_place : run_add });
}

static void
run_add_gated (Backend *b, const void *args, float *y)
{
  AddGatedArgs a = *(const AddGatedArgs *) args;
  a.y = y;
  b->ops.add_gated (b, &a);
}

static void
run_add_gated_over_x (Backend *b, const void *args, float *y)
{
  AddGatedArgs a = *(const AddGatedArgs *) args;
  a.x = a.y = y;
  b->ops.add_gated (b, &a);
}

static void
run_add_gated_over_b (Backend *b, const void *args, float *y)
{
  AddGatedArgs a = *(const AddGatedArgs *) args;
  a.b = a.y = y;
  b->ops.add_gated (b, &a);
}

/* @over: 0 y is apart, 1 it is x, 2 it is b */
static void
check_add_gated (Checker *c, int64_t n, int64_t n_rows, int64_t dim, int over)
{
  static void (*const runs[]) (Backend *, const void *, float *) = { run_add_gated,
                                                                     run_add_gated_over_x,
                                                                     run_add_gated_over_b };
  if (!check_begin (c, "add_gated/%lldx%lldx%lld%s", (long long) n, (long long) n_rows,
                    (long long) dim,
                    over == 1 ? "+y=x"
                    : over    ? "+y=b"
                              : ""))
    return;
  AddGatedArgs a = { .n = n, .n_rows = n_rows, .dim = dim, .gate_stride = dim + over };
  a.x = check_input (c, n * n_rows * dim, VALUES_NORMAL);
  a.b = check_input (c, n * n_rows * dim, VALUES_NORMAL);
  a.gate = check_rows (c, n, dim, a.gate_stride, VALUES_NORMAL);
  Outputs o = check_outputs (c, n * n_rows * dim);
  for (int64_t i = 0; i < o.n; i++)
    {
      float gate = a.gate[i / dim / n_rows * a.gate_stride + i % dim];
      o.exact[i] = a.x[i] + (double) gate * a.b[i];
      o.plain[i] = a.x[i] + gate * a.b[i];
      o.scale[i] = fabs (a.x[i]) + fabs ((double) gate * a.b[i]);
    }
  check_end (c, &(Case){ .outputs = o,
                         .initial = over == 1 ? a.x
                                    : over    ? a.b
                                              : NULL,
                         .args = &a,
                         .run = runs[over] });
}

static void
run_gated (Backend *b, const void *args, float *y)
{
  GatedArgs a = *(const GatedArgs *) args;
  a.y = y;
  b->ops.gated (b, &a);
}

static void
run_gated_over_gate (Backend *b, const void *args, float *y)
{
  GatedArgs a = *(const GatedArgs *) args;
  a.gate = a.y = y;
  b->ops.gated (b, &a);
}

static void
check_gated (Checker *c, UnaryKind kind, int64_t n, bool over_gate)
{
  if (!check_begin (c, "gated/%s/%lld%s", kind_names[kind], (long long) n,
                    over_gate ? "+y=gate" : ""))
    return;
  GatedArgs a = { .kind = kind, .n = n };
  a.x = check_input (c, n, VALUES_NORMAL);
  a.gate = check_input (c, n, VALUES_NORMAL);
  Outputs o = check_outputs (c, n);
  for (int64_t i = 0; i < n; i++)
    {
      o.exact[i] = a.x[i] * exact_value (kind, a.gate[i]);
      o.plain[i] = a.x[i] * plain_value (kind, a.gate[i]);
      o.scale[i] = fabs ((double) a.x[i] * a.gate[i]);
    }
  check_end (c, &(Case){ .outputs = o,
                         .initial = over_gate ? a.gate : NULL,
                         .args = &a,
                         .run = over_gate ? run_gated_over_gate : run_gated });
}

static void
run_scale (Backend *b, const void *args, float *y)
{
  ScaleArgs a = *(const ScaleArgs *) args;
  a.y = y;
  b->ops.scale (b, &a);
}

static void
run_scale_in_place (Backend *b, const void *args, float *y)
{
  ScaleArgs a = *(const ScaleArgs *) args;
  a.x = a.y = y;
  b->ops.scale (b, &a);
}

/* Every third scale is 0, and there @x is infinite: what is off must not turn into NaN. */
static void
check_scale (Checker *c, int64_t n_rows, int64_t n_s, bool in_place)
{
  if (!check_begin (c, "scale/%lldx%lld%s", (long long) n_rows, (long long) n_s,
                    in_place ? "+y=x" : ""))
    return;
  int64_t n = n_rows * n_s;
  float *x = check_input (c, n, VALUES_NORMAL), *s = check_input (c, n_s, VALUES_NORMAL);
  for (int64_t i = 0; i < n; i++)
    if (i % n_s % 3 == 2)
      {
        s[i % n_s] = 0;
        x[i] = INFINITY;
      }
  ScaleArgs a = { .n = n, .n_s = n_s, .x = x, .s = s };
  Outputs o = check_outputs (c, n);
  for (int64_t i = 0; i < n; i++)
    {
      o.plain[i] = s[i % n_s] == 0 ? 0 : x[i] * s[i % n_s];
      o.exact[i] = o.plain[i];
    }
  check_end (c, &(Case){ .outputs = o,
                         .initial = in_place ? a.x : NULL,
                         .args = &a,
                         .run = in_place ? run_scale_in_place : run_scale });
}

static void
run_geglu (Backend *b, const void *args, float *y)
{
  GegluArgs a = *(const GegluArgs *) args;
  a.y = y;
  b->ops.geglu (b, &a);
}

static void
check_geglu (Checker *c, int64_t n_rows, int64_t dim, double gain)
{
  if (!check_begin (c, "geglu/%lldx%lld+gain=%g", (long long) n_rows, (long long) dim, gain))
    return;
  float *x = check_input (c, n_rows * 2 * dim, VALUES_NORMAL);
  GegluArgs a = { .n_rows = n_rows, .dim = dim, .x = x };
  Outputs o = check_outputs (c, n_rows * dim);
  for (int64_t i = 0; i < n_rows * 2 * dim; i++)
    x[i] *= (float) gain;
  for (int64_t i = 0; i < n_rows * dim; i++)
    {
      const float *value = x + i / dim * 2 * dim + i % dim, *gate = value + dim;
      o.exact[i] = *value * exact_gelu (*gate);
      o.plain[i] = *value * plain_gelu (*gate);
      o.scale[i] = fabs ((double) *value * *gate);
    }
  check_end (c, &(Case){ .outputs = o, .args = &a, .run = run_geglu });
}

void
check_elementwise (Checker *c)
{
  static const int64_t counts[] = { 1, 2, 3, 5, 7, 17, 31, 33, 63, 65, 77, 127, 1000, 40001 };
  static const int64_t rows[] = { 1, 2, 5, 33 };
  for (int kind = 0; kind < UNARY_COUNT; kind++)
    check_unary_kind (c, (UnaryKind) kind);
  for (int i = 0; i < COUNT (counts); i++)
    for (int j = 0; j < COUNT (counts); j++)
      {
        check_add (c, counts[i], counts[j], (i + j) % 2);
        check_add (c, counts[i] * 3, counts[i], j % 2);
        if (j < COUNT (rows))
          check_add_gated (c, 1 + j % 3, rows[j], counts[i], (i + j) % 3);
        if (j < UNARY_COUNT)
          check_gated (c, (UnaryKind) j, counts[i], i % 2);
        if (j < COUNT (rows))
          check_scale (c, rows[j], counts[i], i % 2);
        if (j < COUNT (rows))
          check_geglu (c, rows[j], counts[i], i % 4 == 3 ? 10 : 1);
      }
  check_add (c, 200000, 200000, true);
  check_add (c, 200000, 1, false);
  check_geglu (c, 257, 1280, 1);
  check_gated (c, UNARY_GELU_TANH, 100003, false);
  check_add_gated (c, 3, 100, 1000, 1); /* tasks that begin and end inside entries */
  check_add_gated (c, 200, 1, 768, 2);
}
