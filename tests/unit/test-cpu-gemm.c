/* SPDX-License-Identifier: MPL-2.0
 * Products, convolutions and attention of every level against loops in f64, on shapes that leave
 * tails everywhere.  Outputs start as NaN between guards; weights lie unaligned.
 */
#include <glib.h>
#include <math.h>
#include <string.h>

#include "backend/cpu-gemm.h"
#include "core/dtype.h"

enum
{
  GUARD = 64 /* floats on both sides of an output */
};

static const float GUARD_VALUE = 12345.5f;

static uint32_t seed = 1;

static float
uniform (void)
{
  seed = seed * 1664525u + 1013904223u;
  return (float) (seed >> 8) * 0x1p-23f - 1.0f;
}

static float *
random_floats (int64_t n)
{
  float *x = g_new (float, n);
  for (int64_t i = 0; i < n; i++)
    x[i] = uniform ();
  return x;
}

/* n elements of @dtype at an odd address; free with free_param. */
static Param
random_param (int64_t n, DType dtype)
{
  char *p = (char *) g_malloc ((gsize) n * dtype_size (dtype) + 1) + 1;
  for (int64_t i = 0; i < n; i++)
    {
      float x = uniform () * 0.5f;
      uint16_t h = dtype == DTYPE_F16 ? f32_to_f16 (x) : f32_to_bf16 (x);
      memcpy (p + (gsize) i * dtype_size (dtype), dtype == DTYPE_F32 ? (void *) &x : (void *) &h,
              dtype_size (dtype));
    }
  return (Param){ p, dtype };
}

static void
free_param (Param p)
{
  if (p.data)
    g_free ((char *) p.data - 1);
}

static float *
new_output (int64_t n)
{
  float *y = g_new (float, n + 2 * GUARD);
  for (int64_t i = 0; i < n + 2 * GUARD; i++)
    y[i] = i < GUARD || i >= n + GUARD ? GUARD_VALUE : NAN;
  return y + GUARD;
}

static void
free_output (float *y, int64_t n)
{
  for (int i = 0; i < GUARD; i++)
    {
      g_assert_cmpfloat (y[-1 - i], ==, GUARD_VALUE);
      g_assert_cmpfloat (y[n + i], ==, GUARD_VALUE);
    }
  g_free (y - GUARD);
}

static double
factor (float x, Compute compute)
{
  return compute == COMPUTE_BF16 ? bf16_to_f32 (f32_to_bf16 (x)) : x;
}

static double
param_at (const Param *p, int64_t i)
{
  return p->data ? dtype_load (p->data, (DType) p->dtype, i) : 0.0;
}

/* @n factors as the compute type sees them; free with g_free. */
static double *
factors_of (const float *x, int64_t n, Compute compute)
{
  double *out = g_new (double, n);
  for (int64_t i = 0; i < n; i++)
    out[i] = factor (x[i], compute);
  return out;
}

static double *
param_factors (const Param *p, int64_t n, Compute compute)
{
  double *out = g_new (double, n);
  for (int64_t i = 0; i < n; i++)
    out[i] = factor ((float) param_at (p, i), compute);
  return out;
}

/* Sums of n products whose magnitudes add up to @magnitude: f32 in any order. */
static double
tolerance (int64_t n, double magnitude)
{
  return 0x1p-24 * (8.0 + 2.0 * sqrt ((double) n)) * (magnitude + 1.0);
}

static void
check_value (float y, double expected, double allowed, const char *what, int64_t index)
{
  if (!(fabs (y - expected) <= allowed))
    g_error ("%s: element %" G_GINT64_FORMAT " is %.9g, expected %.9g +- %.2g", what, index, y,
             expected, allowed);
}

/* @level: "dot" is avx512bf16 with VDPBF16PS even where it is slow. */
static Backend *
new_backend (const char *level, int n_threads)
{
  Status status = { 0 };
  bool dot = level && strcmp (level, "dot") == 0;
  Backend *b = backend_cpu_new (dot ? "avx512bf16" : level, n_threads, &status);
  if (!b)
    g_assert_cmpint (status.code, ==, STATUS_UNSUPPORTED);
  else if (dot)
    cpu_use_dot ((CpuBackend *) b);
  return b;
}

typedef struct
{
  int64_t n_rows, n_out, n_in;
  bool bias, add, in_place, padded;
} LinearCase;

static void
check_linear (Backend *b, const LinearCase *c, DType dtype, Compute compute)
{
  int64_t xs = c->n_in + (c->padded ? 3 : 0), ys = c->n_out + (c->padded ? 5 : 0);
  LinearArgs a = { .n_rows = c->n_rows,
                   .n_out = c->n_out,
                   .n_in = c->n_in,
                   .x_stride = xs,
                   .y_stride = ys,
                   .compute = compute };
  float *x = random_floats (c->n_rows * xs), *add = random_floats (c->n_rows * ys);
  int64_t n_y = (c->n_rows - 1) * ys + c->n_out;
  a.x = x;
  a.w = random_param (c->n_out * c->n_in, dtype);
  a.bias = c->bias ? random_param (c->n_out, dtype) : (Param){ 0 };
  a.y = new_output (n_y);
  if (c->padded)
    for (int64_t i = 0; i < n_y; i++)
      a.y[i] = i % ys < c->n_out ? NAN : GUARD_VALUE;
  a.add = c->in_place ? a.y : c->add ? add : NULL;
  if (c->in_place)
    for (int64_t i = 0; i < n_y; i++)
      a.y[i] = i % ys < c->n_out ? add[i] : GUARD_VALUE;
  b->ops.linear (b, &a);
  double *x_factors = factors_of (x, c->n_rows * xs, compute);
  double *w_factors = param_factors (&a.w, c->n_out * c->n_in, compute);
  char *what = g_strdup_printf ("linear %s %s %s %dx%dx%d", b->level, dtype_name (dtype),
                                compute == COMPUTE_BF16 ? "bf16" : "f32", (int) c->n_rows,
                                (int) c->n_out, (int) c->n_in);
  for (int64_t r = 0; r < c->n_rows; r++)
    for (int64_t n = 0; n < ys && r * ys + n < n_y; n++)
      {
        if (n >= c->n_out)
          {
            g_assert_cmpfloat (a.y[r * ys + n], ==, GUARD_VALUE);
            continue;
          }
        double sum = param_at (&a.bias, n) + (c->add || c->in_place ? add[r * ys + n] : 0.0);
        double magnitude = fabs (sum);
        for (int64_t k = 0; k < c->n_in; k++)
          {
            double p = x_factors[r * xs + k] * w_factors[n * c->n_in + k];
            sum += p;
            magnitude += fabs (p);
          }
        check_value (a.y[r * ys + n], sum, tolerance (c->n_in, magnitude), what, r * ys + n);
      }
  free_output (a.y, n_y);
  free_param (a.w);
  free_param (a.bias);
  g_free (x_factors);
  g_free (w_factors);
  g_free (x);
  g_free (add);
  g_free (what);
}

static const LinearCase linear_cases[] = {
  { 1, 1, 1 },
  { 1, 67, 131, true, true },
  { 2, 64, 320, true },
  { 3, 5, 7, true, false, true, true },
  { 4, 130, 33, false, true, false, true },
  { 5, 3, 4, true },
  { 7, 33, 289, true, true },
  { 12, 32, 288 },
  { 13, 47, 577, true, false, true },
  { 77, 80, 768, true },
  { 64, 320, 96, true, true, false, true },
  { 33, 65, 1153, true },
  { 290, 70, 40, true, true },
  { 601, 36, 35, true, false, true, true },
  { 520, 16, 300, false },
  { 700, 4, 64, true },
};

static void
test_linear (gconstpointer level)
{
  for (int n_threads = 1; n_threads <= 3; n_threads += 2)
    {
      Backend *b = new_backend (level, n_threads);
      if (!b)
        {
          g_test_skip ("this machine lacks the level");
          return;
        }
      for (gsize i = 0; i < G_N_ELEMENTS (linear_cases); i++)
        for (DType dtype = DTYPE_F32; dtype <= DTYPE_BF16; dtype++)
          for (Compute compute = COMPUTE_F32; compute <= COMPUTE_BF16; compute++)
            check_linear (b, &linear_cases[i], dtype, compute);
      backend_free (b);
    }
}

typedef struct
{
  int64_t n, h, w, c_in, c_out;
  int kernel, stride, pad, pad_end; /* pad: top and left; pad_end: bottom and right */
  bool upsample2, bias, channel_add, add, in_place;
} ConvCase;

/* @x, @w: the factors of @a's. */
static double
conv_at (const ConvArgs *a,
         const double *x,
         const double *w,
         int64_t p,
         int64_t oy,
         int64_t ox,
         int64_t o,
         double *magnitude)
{
  int64_t zoom = a->upsample2 ? 2 : 1, k = a->kernel;
  double sum = 0;
  for (int64_t t = 0; t < k * k; t++)
    {
      int64_t iy = oy * a->stride - a->pad_top + t / k, ix = ox * a->stride - a->pad_left + t % k;
      if (iy < 0 || ix < 0 || iy >= a->h_in * zoom || ix >= a->w_in * zoom)
        continue;
      const double *pixel = x + ((p * a->h_in + iy / zoom) * a->w_in + ix / zoom) * a->c_in;
      for (int64_t c = 0; c < a->c_in; c++)
        {
          double product = pixel[c] * w[(o * a->c_in + c) * k * k + t];
          sum += product;
          *magnitude += fabs (product);
        }
    }
  return sum;
}

static void
check_conv (Backend *b, const ConvCase *c, DType dtype, Compute compute)
{
  int64_t zoom = c->upsample2 ? 2 : 1;
  ConvArgs a = { .n = c->n,
                 .h_in = c->h,
                 .w_in = c->w,
                 .c_in = c->c_in,
                 .c_out = c->c_out,
                 .kernel = c->kernel,
                 .stride = c->stride,
                 .pad_top = c->pad,
                 .pad_left = c->pad,
                 .upsample2 = c->upsample2,
                 .compute = compute };
  a.h_out = (c->h * zoom + c->pad + c->pad_end - c->kernel) / c->stride + 1;
  a.w_out = (c->w * zoom + c->pad + c->pad_end - c->kernel) / c->stride + 1;
  int64_t n_y = c->n * a.h_out * a.w_out * c->c_out;
  float *x = random_floats (c->n * c->h * c->w * c->c_in), *add = random_floats (n_y);
  float *channel_add = random_floats (c->n * c->c_out);
  a.x = x;
  a.w = random_param (c->c_out * c->c_in * c->kernel * c->kernel, dtype);
  a.bias = c->bias ? random_param (c->c_out, dtype) : (Param){ 0 };
  a.channel_add = c->channel_add ? channel_add : NULL;
  a.y = new_output (n_y);
  a.add = c->in_place ? a.y : c->add ? add : NULL;
  if (c->in_place)
    memcpy (a.y, add, (gsize) n_y * sizeof *add);
  b->ops.conv2d (b, &a);
  double *x_factors = factors_of (x, c->n * c->h * c->w * c->c_in, compute);
  double *w_factors = param_factors (&a.w, c->c_out * c->c_in * c->kernel * c->kernel, compute);
  char *what =
      g_strdup_printf ("conv2d %s %s %s %dx%dx%dx%d to %d, kernel %d", b->level, dtype_name (dtype),
                       compute == COMPUTE_BF16 ? "bf16" : "f32", (int) c->n, (int) c->h, (int) c->w,
                       (int) c->c_in, (int) c->c_out, c->kernel);
  for (int64_t i = 0; i < n_y; i++)
    {
      int64_t o = i % c->c_out, pixel = i / c->c_out, p = pixel / (a.h_out * a.w_out);
      double sum = param_at (&a.bias, o) + (c->add || c->in_place ? add[i] : 0.0) +
                   (c->channel_add ? channel_add[p * c->c_out + o] : 0.0);
      double magnitude = fabs (sum);
      sum += conv_at (&a, x_factors, w_factors, p, pixel / a.w_out % a.h_out, pixel % a.w_out, o,
                      &magnitude);
      check_value (a.y[i], sum, tolerance (c->c_in * c->kernel * c->kernel, magnitude), what, i);
    }
  free_output (a.y, n_y);
  free_param (a.w);
  free_param (a.bias);
  g_free (x_factors);
  g_free (w_factors);
  g_free (x);
  g_free (add);
  g_free (channel_add);
  g_free (what);
}

static const ConvCase conv_cases[] = {
  { 1, 1, 1, 1, 1, 3, 1, 1, 1 },
  { 1, 5, 7, 4, 33, 3, 1, 1, 1, false, true },
  { 2, 6, 5, 3, 8, 3, 1, 1, 1, false, true, true, true },
  { 1, 9, 8, 9, 20, 3, 2, 1, 1, false, true },
  { 2, 8, 9, 35, 17, 3, 2, 0, 1, false, true, false, false, true },
  { 3, 3, 4, 64, 70, 3, 1, 1, 1, true, true, true },
  { 1, 4, 4, 100, 4, 3, 1, 1, 1, false, true },
  { 2, 20, 17, 33, 3, 3, 1, 1, 1, false, true, true, false, true },
  { 2, 4, 4, 160, 64, 3, 1, 1, 1, false, true, true, true },
  { 2, 5, 5, 70, 36, 1, 1, 0, 0, false, true, false, true },
  { 1, 6, 6, 8, 8, 1, 2, 0, 0, false, true },
  { 1, 26, 25, 20, 33, 3, 1, 1, 1, false, true, true },
  { 2, 18, 20, 16, 48, 3, 1, 1, 1, false, false, true, true },
};

static void
test_conv (gconstpointer level)
{
  Backend *b = new_backend (level, 2);
  if (!b)
    {
      g_test_skip ("this machine lacks the level");
      return;
    }
  for (gsize i = 0; i < G_N_ELEMENTS (conv_cases); i++)
    for (DType dtype = DTYPE_F32; dtype <= DTYPE_BF16; dtype++)
      for (Compute compute = COMPUTE_F32; compute <= COMPUTE_BF16; compute++)
        check_conv (b, &conv_cases[i], dtype, compute);
  backend_free (b);
}

typedef struct
{
  int64_t n, n_heads, head_dim, len_q, len_k;
  bool causal, padded;
  float gain; /* of queries: large ones make the maximum move from block to block */
} AttentionCase;

/* A score's error is f32's times the score's size, and becomes relative in its power.  In bf16
 * probabilities are rounded, too: 2^-9 of what they weigh, and as much for their sum. */
static void
check_query (const AttentionArgs *a, int64_t p, int64_t h, int64_t i, const char *what)
{
  int64_t n_keys = a->causal ? MIN (i + 1, a->len_k) : a->len_k, d = a->head_dim;
  const float *q = a->q + (p * a->len_q + i) * a->q_stride + h * d;
  double *s = g_new (double, n_keys), highest = -INFINITY, total = 0, size = 0;
  for (int64_t j = 0; j < n_keys; j++)
    {
      const float *k = a->k + (p * a->len_k + j) * a->k_stride + h * d;
      double absolute = 0;
      s[j] = 0;
      for (int64_t c = 0; c < d; c++)
        {
          double product = factor (q[c], a->compute) * factor (k[c], a->compute) * a->scale;
          s[j] += product;
          absolute += fabs (product);
        }
      size = MAX (size, absolute);
      highest = MAX (highest, s[j]);
    }
  for (int64_t j = 0; j < n_keys; j++)
    total += s[j] = exp (s[j] - highest);
  for (int64_t c = 0; c < d; c++)
    {
      double sum = 0, magnitude = 0;
      for (int64_t j = 0; j < n_keys; j++)
        {
          double v = factor (a->v[(p * a->len_k + j) * a->v_stride + h * d + c], a->compute);
          sum += s[j] / total * v;
          magnitude += s[j] / total * fabs (v);
        }
      double allowed = 0x1p-23 * (magnitude + 1e-2) * (8 + 2 * size);
      if (a->compute == COMPUTE_BF16)
        allowed += 0x1p-8 * magnitude;
      int64_t at = ((p * a->len_q + i) * a->n_heads + h) * d + c;
      check_value (a->y[at], sum, allowed, what, at);
    }
  g_free (s);
}

static void
check_attention (Backend *b, const AttentionCase *c, Compute compute)
{
  int64_t dim = c->n_heads * c->head_dim, pad = c->padded ? 7 : 0, n_y = c->n * c->len_q * dim;
  float *q = random_floats (c->n * c->len_q * (dim + pad));
  float *k = random_floats (c->n * c->len_k * (dim + 2 * pad));
  float *v = random_floats (c->n * c->len_k * (dim + 3 * pad));
  for (int64_t i = 0; i < c->n * c->len_q * (dim + pad); i++)
    q[i] *= c->gain;
  AttentionArgs a = { .n = c->n,
                      .n_heads = c->n_heads,
                      .head_dim = c->head_dim,
                      .len_q = c->len_q,
                      .len_k = c->len_k,
                      .q = q,
                      .k = k,
                      .v = v,
                      .q_stride = dim + pad,
                      .k_stride = dim + 2 * pad,
                      .v_stride = dim + 3 * pad,
                      .y = new_output (n_y),
                      .scale = 1.0f / sqrtf ((float) c->head_dim),
                      .causal = c->causal,
                      .compute = compute };
  b->ops.attention (b, &a);
  char *what = g_strdup_printf ("attention %s %s %d heads of %d, %dx%d", b->level,
                                compute == COMPUTE_BF16 ? "bf16" : "f32", (int) c->n_heads,
                                (int) c->head_dim, (int) c->len_q, (int) c->len_k);
  for (int64_t p = 0; p < c->n; p++)
    for (int64_t h = 0; h < c->n_heads; h++)
      for (int64_t i = 0; i < c->len_q; i++)
        check_query (&a, p, h, i, what);
  free_output (a.y, n_y);
  g_free (q);
  g_free (k);
  g_free (v);
  g_free (what);
}

static const AttentionCase attention_cases[] = {
  { 1, 1, 1, 1, 1, false, false, 1 },       { 2, 3, 5, 7, 11, false, true, 4 },
  { 1, 2, 40, 70, 77, false, true, 8 },     { 1, 2, 64, 77, 77, true, false, 4 },
  { 2, 2, 80, 33, 300, false, true, 30 },   { 1, 1, 160, 20, 530, false, false, 100 },
  { 1, 1, 512, 30, 290, false, false, 30 }, { 1, 2, 24, 300, 300, true, true, 20 },
  { 1, 1, 700, 13, 40, false, false, 8 },   { 1, 1, 40, 210, 513, true, false, 8 },
};

static void
test_attention (gconstpointer level)
{
  Backend *b = new_backend (level, 2);
  if (!b)
    {
      g_test_skip ("this machine lacks the level");
      return;
    }
  for (gsize i = 0; i < G_N_ELEMENTS (attention_cases); i++)
    for (Compute compute = COMPUTE_F32; compute <= COMPUTE_BF16; compute++)
      check_attention (b, &attention_cases[i], compute);
  backend_free (b);
}

static void
test_cancel_leaves_the_output (void)
{
  Backend *b = new_backend (NULL, 2);
  atomic_bool cancel = true;
  float x[8 * 16] = { 0 }, w[16 * 16] = { 0 }, y[8 * 16];
  memset (y, 0xff, sizeof y);
  b->cancel = &cancel;
  LinearArgs a = { .n_rows = 8,
                   .n_out = 16,
                   .n_in = 16,
                   .x = x,
                   .x_stride = 16,
                   .w = { w, DTYPE_F32 },
                   .y = y,
                   .y_stride = 16 };
  b->ops.linear (b, &a);
  g_assert_true (isnan (y[0]));
  b->cancel = NULL;
  b->ops.linear (b, &a);
  g_assert_cmpfloat (y[0], ==, 0.0f);
  backend_free (b);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  static const char *const levels[] = {
    "ref", "sse2", "avx2", "avx512", "avx512bf16", "dot", "amx"
  };
  for (gsize i = 0; i < G_N_ELEMENTS (levels); i++)
    {
      char *path = g_strdup_printf ("/backend/cpu/linear/%s", levels[i]);
      g_test_add_data_func (path, levels[i], test_linear);
      memcpy (strstr (path, "linear"), "conv2d", strlen ("conv2d"));
      g_test_add_data_func (path, levels[i], test_conv);
      g_free (path);
      path = g_strdup_printf ("/backend/cpu/attention/%s", levels[i]);
      g_test_add_data_func (path, levels[i], test_attention);
      g_free (path);
    }
  g_test_add_func ("/backend/cpu/cancel-leaves-the-output", test_cancel_leaves_the_output);
  return g_test_run ();
}
