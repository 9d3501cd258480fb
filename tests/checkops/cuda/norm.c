/* SPDX-License-Identifier: MPL-2.0
 * norm.c - cases of kernels/cuda/norm-row.cu and norm-group.cu.
 */
#include "check.h"

static int
run_norm_row (const void *args, void *stream)
{
  return gk_norm_row (args, stream);
}

static int
run_rope (const void *args, void *stream)
{
  return gk_rope (args, stream);
}

static int
run_statistics (const void *args, void *stream)
{
  return gk_group_statistics (args, stream);
}

static int
run_apply (const void *args, void *stream)
{
  return gk_group_apply (args, stream);
}

/* --- rows --- */

typedef struct
{
  const char *name;
  bool rms, silu, weight, bias, modulated, in_place;
  float offset; /* of the values */
} RowKind;

static const RowKind row_kinds[] = {
  { "layer", false, false, true, true, false, false, 0 },
  { "layer-offset", false, false, true, true, false, true, 8 },
  { "modulate", false, false, false, false, true, false, 0 },
  { "rms", true, false, true, false, false, false, 0 },
  { "rms-silu", true, true, true, false, false, true, 0 },
};

static void
norm_row_exactly (const RowKind *k, int64_t dim, float eps, const float *x, float *y)
{
  double mean = 0, squares = 0;
  for (int64_t i = 0; i < dim && !k->rms; i++)
    mean += x[i] / (double) dim;
  for (int64_t i = 0; i < dim; i++)
    squares += (x[i] - mean) * (x[i] - mean) / (double) dim;
  for (int64_t i = 0; i < dim; i++)
    y[i] = (float) ((x[i] - mean) / sqrt (squares + eps));
}

/* What @y is as e4m3 with a scale for each row.  An error is relative to half a step of three bits,
 * of a normal number or of the smallest (2^-9), and to what rounding @y to 16 bits first costs. */
static Output
as_e4m3 (Check *c, const Output *y, int64_t dim)
{
  Output o = check_output (c, OUT_E4M3, y->n, NULL);
  for (int64_t i = 0; i < y->n; i++)
    {
      float largest = 0, *row = y->exact + i / dim * dim;
      for (int64_t k = 0; k < dim; k++)
        largest = fmaxf (largest, fabsf (row[k]));
      o.exact[i] = y->exact[i] / (largest / 448);
      o.magnitude[i] = fmaxf (fabsf (o.exact[i]) / 16, 0x1p-10f) + fabsf (o.exact[i]) / 128;
    }
  return o;
}

static void
check_norm_row (
    Check *c, GkType type, const RowKind *k, int64_t n, int64_t n_rows, int64_t dim, bool narrow)
{
  int64_t stride = 2 * dim;
  if (!check_begin (c, "norm-row/%s/%s/%lldx%lldx%lld%s", check_type_name (type), k->name,
                    (long long) n, (long long) n_rows, (long long) dim, narrow ? "/e4m3" : ""))
    return;
  Values x = check_values (c, type, n * n_rows * dim, 1, k->offset);
  Values weight = check_floats (c, dim, 0.3f, 1), bias = check_floats (c, dim, 0.3f, 0);
  Values modulation = check_values (c, type, n * stride, 0.3f, 0); /* [scale | shift] */
  Output y = check_output (c, (OutType) type, n * n_rows * dim, k->in_place ? x.device : NULL);
  for (int64_t row = 0; row < n * n_rows; row++)
    {
      float *exact = y.exact + row * dim, *scale = modulation.host + row / n_rows * stride;
      norm_row_exactly (k, dim, 1e-5f, x.host + row * dim, exact);
      for (int64_t i = 0; i < dim; i++)
        {
          exact[i] = exact[i] * (k->weight ? weight.host[i] : 1) + (k->bias ? bias.host[i] : 0);
          if (k->modulated)
            exact[i] = exact[i] * (1 + scale[i]) + scale[dim + i];
          if (k->silu)
            exact[i] = (float) (exact[i] / (1 + exp (-(double) exact[i])));
          y.magnitude[row * dim + i] = fabsf (exact[i]) + 1;
        }
    }
  const void *scale = modulation.device;
  GkNormRow args = { .type = type,
                     .n = n,
                     .n_rows = n_rows,
                     .dim = dim,
                     .eps = 1e-5f,
                     .rms = k->rms,
                     .silu = k->silu,
                     .x = x.device,
                     .weight = k->weight ? weight.device : NULL,
                     .bias = k->bias ? bias.device : NULL,
                     .scale = k->modulated ? scale : NULL,
                     .shift = k->modulated ? check_at (type, scale, dim) : NULL,
                     .modulation_stride = stride,
                     .y = y.device };
  Output y8 = narrow ? as_e4m3 (c, &y, dim) : y;
  if (narrow)
    {
      args.y8 = y8.device;
      args.scale8 = check_scratch (c, (size_t) (n * n_rows) * sizeof (float));
    }
  check_end (c, run_norm_row, &args, &y8);
}

static void
check_rope (Check *c, GkType type, int64_t len, int64_t head_dim, bool norm, bool table)
{
  int64_t n = 2, n_heads = 3, width = n_heads * head_dim, stride = 3 * width;
  int64_t entry = (len + 2) * width; /* y is a part of a longer sequence */
  if (!check_begin (c, "rope/%s/%lldx%lld%s%s", check_type_name (type), (long long) len,
                    (long long) head_dim, norm ? "/norm" : "", table ? "/table" : ""))
    return;
  Values x = check_rows (c, type, n * len, width, stride);
  Values weight = check_floats (c, head_dim, 0.3f, 1),
         turns = check_floats (c, len * head_dim, 1, 0);
  Output y = check_output (c, (OutType) type, n * entry, NULL);
  for (int64_t i = 0; i < y.n; i++)
    y.exact[i] = GAP;
  for (int64_t head = 0; head < n * len * n_heads; head++)
    {
      int64_t token = head / n_heads, column = head % n_heads * head_dim;
      const float *in = x.host + token * stride + column;
      int64_t at = token / len * entry + token % len * width + column;
      double squares = 0;
      for (int64_t i = 0; i < head_dim; i++)
        squares += (double) in[i] * in[i] / (double) head_dim;
      double inverse = norm ? 1 / sqrt (squares + 1e-6) : 1;
      for (int64_t i = 0; i < head_dim; i += 2)
        {
          double x0 = in[i] * inverse * (norm ? weight.host[i] : 1);
          double x1 = in[i + 1] * inverse * (norm ? weight.host[i + 1] : 1);
          const float *turn = turns.host + token % len * head_dim + i;
          double cosine = table ? turn[0] : 1, sine = table ? turn[1] : 0;
          y.exact[at + i] = (float) (x0 * cosine - x1 * sine);
          y.exact[at + i + 1] = (float) (x1 * cosine + x0 * sine);
          y.magnitude[at + i] = y.magnitude[at + i + 1] =
              (float) ((fabs (x0) + fabs (x1)) * (fabs (cosine) + fabs (sine)) + 1e-6);
        }
    }
  GkRope args = { .type = type,
                  .n = n,
                  .len = len,
                  .n_heads = n_heads,
                  .head_dim = head_dim,
                  .x = x.device,
                  .x_stride = stride,
                  .norm = norm ? weight.device : NULL,
                  .eps = 1e-6f,
                  .table = table ? turns.device : NULL,
                  .y = y.device,
                  .y_stride = width,
                  .y_entry = entry };
  check_end (c, run_rope, &args, &y);
}

/* --- groups --- */

typedef struct
{
  int64_t n, n_pixels, n_channels;
  int n_groups;
  float offset;
  bool silu, in_place;
} Groups;

static void
check_group (Check *c, GkType type, const Groups *g)
{
  int64_t n = g->n * g->n_pixels * g->n_channels;
  if (!check_begin (c, "norm-group/%s/%lldx%lldx%lld/%d%s", check_type_name (type),
                    (long long) g->n, (long long) g->n_pixels, (long long) g->n_channels,
                    g->n_groups, g->silu ? "/silu" : ""))
    return;
  Values x = check_values (c, type, n, 1, g->offset);
  Values weight = check_floats (c, g->n_channels, 0.3f, 1);
  Values bias = check_floats (c, g->n_channels, 0.3f, 0);
  Output y = check_output (c, (OutType) type, n, g->in_place ? x.device : NULL);
  ref_group_norm (&(GroupNormArgs){ .n = g->n,
                                    .n_pixels = g->n_pixels,
                                    .n_channels = g->n_channels,
                                    .n_groups = g->n_groups,
                                    .eps = 1e-5f,
                                    .silu = g->silu,
                                    .x = x.host,
                                    .weight = check_param (&weight),
                                    .bias = check_param (&bias),
                                    .y = y.exact });
  for (int64_t i = 0; i < n; i++)
    y.magnitude[i] = fabsf (y.exact[i]) + 1;
  GkGroupStatistics statistics = {
    type,
    g->n,
    g->n_pixels,
    g->n_channels,
    g->n_groups,
    1e-5f,
    x.device,
    weight.device,
    bias.device,
    check_scratch (c, sizeof (float) * 2 * (size_t) (g->n * GK_GROUP_CHUNKS * g->n_groups)),
    check_scratch (c, sizeof (float) * 2 * (size_t) (g->n * g->n_channels))
  };
  check_before (c, run_statistics, &statistics, sizeof statistics);
  GkGroupApply args = { type,    g->n,     g->n_pixels,       g->n_channels,
                        g->silu, x.device, statistics.affine, y.device };
  check_end (c, run_apply, &args, &y);
}

void
check_norms (Check *c)
{
  static const Groups groups[] = {
    { 2, 64, 32, 8, 0, true, false },    { 1, 900, 40, 4, 8, false, true },
    { 1, 33, 320, 32, 0, true, false },  { 2, 7, 30, 5, 0, true, false },
    { 1, 300, 128, 32, 3, true, false },
  };
  static const int64_t dims[] = { 8, 40, 77, 1032 };
  for (int type = 0; type <= GK_TYPE_F32; type++)
    {
      for (int k = 0; k < COUNT (row_kinds); k++)
        for (int i = 0; i < COUNT (dims); i++)
          check_norm_row (c, (GkType) type, &row_kinds[k], 2, 3, dims[i], false);
      if (type != GK_TYPE_F32)
        {
          check_norm_row (c, (GkType) type, &row_kinds[2], 2, 3, 1040, true);
          check_norm_row (c, (GkType) type, &row_kinds[1], 1, 2, 48, true);
        }
      check_rope (c, (GkType) type, 5, 64, true, true);
      check_rope (c, (GkType) type, 3, 128, true, true);
      check_rope (c, (GkType) type, 7, 40, false, true);
      check_rope (c, (GkType) type, 7, 128, true, false);
      for (int i = 0; i < COUNT (groups); i++)
        check_group (c, (GkType) type, &groups[i]);
    }
}
