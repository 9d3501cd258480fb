/* SPDX-License-Identifier: MPL-2.0
 * pointwise.c - cases of kernels/cuda/pointwise.cu.
 */
#include "check.h"

enum
{
  N_TYPES = 3 /* bf16, f16, f32 */
};

/* Around one piece of eight, one block of threads, and more. */
static const int64_t counts[] = { 1, 7, 8, 2047, 2048, 5003 };

static int
run_unary (const void *args, void *stream)
{
  return gk_unary (args, stream);
}

static int
run_add (const void *args, void *stream)
{
  return gk_add (args, stream);
}

static int
run_scale (const void *args, void *stream)
{
  return gk_scale (args, stream);
}

static int
run_add_gated (const void *args, void *stream)
{
  return gk_add_gated (args, stream);
}

static int
run_gated (const void *args, void *stream)
{
  return gk_gated (args, stream);
}

static int
run_convert (const void *args, void *stream)
{
  return gk_convert (args, stream);
}

static void
check_unary (Check *c, GkType type, UnaryKind kind, int64_t n, bool in_place)
{
  static const char *const names[] = { "silu", "gelu", "gelu-tanh", "quick-gelu", "relu", "tanh3" };
  if (!check_begin (c, "unary/%s/%s/%lld%s", check_type_name (type), names[kind], (long long) n,
                    in_place ? "/in-place" : ""))
    return;
  Values x = check_values (c, type, n, 2, 0);
  Output y = check_output (c, (OutType) type, n, in_place ? x.device : NULL);
  ref_unary (&(UnaryArgs){ .kind = kind, .n = n, .x = x.host, .y = y.exact });
  for (int64_t i = 0; i < n; i++)
    y.magnitude[i] = fabsf (x.host[i]) + 1e-6f; /* a tail's own size would ask for too much */
  GkUnary args = { type, kind, n, x.device, y.device };
  check_end (c, run_unary, &args, &y);
}

static void
check_add (Check *c, GkType type, int64_t n, int64_t n_b)
{
  if (!check_begin (c, "add/%s/%lldby%lld", check_type_name (type), (long long) n, (long long) n_b))
    return;
  Values x = check_values (c, type, n, 1, 0), b = check_values (c, type, n_b, 1, 0);
  Output y = check_output (c, (OutType) type, n, NULL);
  ref_add (&(AddArgs){ .n = n, .n_b = n_b, .x = x.host, .b = b.host, .y = y.exact });
  for (int64_t i = 0; i < n; i++)
    y.magnitude[i] = fabsf (x.host[i]) + fabsf (b.host[i % n_b]) + 1e-6f;
  GkAdd args = { type, n, n_b, x.device, b.device, y.device };
  check_end (c, run_add, &args, &y);
}

static void
check_add_gated (Check *c, GkType type, int64_t n, int64_t n_rows, int64_t dim)
{
  int64_t stride = 3 * dim; /* a part of all modulations */
  if (!check_begin (c, "add-gated/%s/%lldx%lldx%lld", check_type_name (type), (long long) n,
                    (long long) n_rows, (long long) dim))
    return;
  Values x = check_values (c, type, n * n_rows * dim, 1, 0);
  Values b = check_values (c, type, n * n_rows * dim, 1, 0);
  Values gate = check_rows (c, type, n, dim, stride);
  Output y = check_output (c, (OutType) type, n * n_rows * dim, NULL);
  for (int64_t i = 0; i < y.n; i++)
    {
      float product = gate.host[i / dim / n_rows * stride + i % dim] * b.host[i];
      y.exact[i] = x.host[i] + product;
      y.magnitude[i] = fabsf (x.host[i]) + fabsf (product) + 1e-6f;
    }
  GkAddGated args = { type, n, n_rows, dim, x.device, b.device, gate.device, stride, y.device };
  check_end (c, run_add_gated, &args, &y);
}

static void
check_scale (Check *c, GkType type, int64_t n, int64_t n_s)
{
  if (!check_begin (c, "scale/%s/%lldby%lld", check_type_name (type), (long long) n,
                    (long long) n_s))
    return;
  Values x = check_values (c, type, n, 1, 0), s = check_floats (c, n_s, 1, 0);
  for (int64_t i = 0; i < n_s; i += 3)
    s.host[i] = 0;
  s.device = check_upload (c, s.host, (size_t) n_s * sizeof *s.host, "s");
  Output y = check_output (c, (OutType) type, n, NULL);
  ref_scale (&(ScaleArgs){ .n = n, .n_s = n_s, .x = x.host, .s = s.host, .y = y.exact });
  GkScale args = { type, n, n_s, x.device, s.device, y.device };
  check_end (c, run_scale, &args, &y);
}

static void
check_gated (Check *c, GkType type, int64_t n_rows, int64_t dim)
{
  if (!check_begin (c, "geglu/%s/%lldx%lld", check_type_name (type), (long long) n_rows,
                    (long long) dim))
    return;
  Values x = check_values (c, type, n_rows * 2 * dim, 1, 0);
  Output y = check_output (c, (OutType) type, n_rows * dim, NULL);
  ref_geglu (&(GegluArgs){ .n_rows = n_rows, .dim = dim, .x = x.host, .y = y.exact });
  for (int64_t i = 0; i < y.n; i++)
    {
      const float *row = x.host + i / dim * 2 * dim + i % dim;
      y.magnitude[i] = fabsf (row[0] * row[dim]) + 1e-6f;
    }
  GkGated args = {
    type, UNARY_GELU, n_rows, dim, 2 * dim, x.device, check_at (type, x.device, dim), y.device
  };
  check_end (c, run_gated, &args, &y);
}

static void
check_convert (Check *c, GkType from, GkType to, int64_t n)
{
  if (!check_begin (c, "convert/%s-%s/%lld", check_type_name (from), check_type_name (to),
                    (long long) n))
    return;
  Values x = check_values (c, from, n, 3, 0);
  Output y = check_output (c, (OutType) to, n, NULL);
  for (int64_t i = 0; i < n; i++)
    y.exact[i] = x.host[i];
  GkConvert args = { from, to, n, x.device, y.device };
  check_end (c, run_convert, &args, &y);
}

void
check_pointwise (Check *c)
{
  for (int type = 0; type < N_TYPES; type++)
    {
      for (int i = 0; i < COUNT (counts); i++)
        check_unary (c, (GkType) type, (UnaryKind) (i % UNARY_COUNT), counts[i], i % 2);
      for (int kind = 0; kind < UNARY_COUNT; kind++)
        check_unary (c, (GkType) type, (UnaryKind) kind, 300, false);
      check_add (c, (GkType) type, 320, 320);
      check_add (c, (GkType) type, 13 * 77, 77);
      check_add (c, (GkType) type, 40 * 72, 72);
      check_scale (c, (GkType) type, 5 * 64, 64);
      check_scale (c, (GkType) type, 700 * 9, 9);
      check_add_gated (c, (GkType) type, 2, 5, 64);
      check_add_gated (c, (GkType) type, 3, 2, 37);
      check_gated (c, (GkType) type, 9, 40);
      check_gated (c, (GkType) type, 3, 21);
      for (int to = 0; to <= GK_TYPE_F32; to++)
        check_convert (c, (GkType) type, (GkType) to, 777);
    }
}
