/* SPDX-License-Identifier: MPL-2.0
 * alone.c - a row or picture among others has to be, bit for bit, the same made alone.
 *
 * A case's run computes both ways on its level; y tells the elements that differ, and is expected
 * to be zero.  Numbers of rows lie around the sides of every level's tiles and tasks.
 */
#include <string.h>

#include "checkops.h"
#include "core/mem.h"

/* y[i] = whether a[i] and b[i] have different bits. */
static void
tell_differences (float *y, const float *a, const float *b, int64_t n)
{
  for (int64_t i = 0; i < n; i++)
    y[i] = memcmp (&a[i], &b[i], sizeof *a) ? 1 : 0;
}

static void
run_linear (Backend *b, const void *args, float *y)
{
  LinearArgs a = *(const LinearArgs *) args;
  int64_t n = a.n_rows * a.n_out;
  float *both = mem_calloc ((size_t) n * 2, sizeof *both);
  a.y = both;
  b->ops.linear (b, &a);
  LinearArgs row = a;
  row.n_rows = 1;
  for (int64_t r = 0; r < a.n_rows; r++)
    {
      row.x = a.x + r * a.x_stride;
      row.add = a.add ? a.add + r * a.y_stride : NULL;
      row.y = both + n + r * a.y_stride;
      b->ops.linear (b, &row);
    }
  tell_differences (y, both, both + n, n);
  mem_free (both);
}

static void
run_conv (Backend *b, const void *args, float *y)
{
  ConvArgs a = *(const ConvArgs *) args;
  int64_t in = a.h_in * a.w_in * a.c_in, out = a.h_out * a.w_out * a.c_out, n = a.n * out;
  float *both = mem_calloc ((size_t) n * 2, sizeof *both);
  a.y = both;
  b->ops.conv2d (b, &a);
  ConvArgs one = a;
  one.n = 1;
  for (int64_t i = 0; i < a.n; i++)
    {
      one.x = a.x + i * in;
      one.channel_add = a.channel_add + i * a.c_out;
      one.y = both + n + i * out;
      b->ops.conv2d (b, &one);
    }
  tell_differences (y, both, both + n, n);
  mem_free (both);
}

static void
run_attention (Backend *b, const void *args, float *y)
{
  AttentionArgs a = *(const AttentionArgs *) args;
  int64_t out = a.len_q * a.n_heads * a.head_dim, n = a.n * out;
  float *both = mem_calloc ((size_t) n * 2, sizeof *both);
  a.y = both;
  b->ops.attention (b, &a);
  AttentionArgs one = a;
  one.n = 1;
  for (int64_t i = 0; i < a.n; i++)
    {
      one.key_bias = a.key_bias ? a.key_bias + i * a.len_k : NULL;
      one.q = a.q + i * a.len_q * a.q_stride;
      one.k = a.k + i * a.len_k * a.k_stride;
      one.v = a.v + i * a.len_k * a.v_stride;
      one.y = both + n + i * out;
      b->ops.attention (b, &one);
    }
  tell_differences (y, both, both + n, n);
  mem_free (both);
}

static void
check_linear_alone (Checker *c, int64_t n_rows, int64_t n_in, int64_t n_out, Compute compute)
{
  const float *w, *bias;
  if (!check_begin (c, "alone/linear/%s/%lldx%lldx%lld", check_compute_name (compute),
                    (long long) n_rows, (long long) n_in, (long long) n_out))
    return;
  LinearArgs a = { .n_rows = n_rows,
                   .n_in = n_in,
                   .n_out = n_out,
                   .x_stride = n_in,
                   .y_stride = n_out,
                   .compute = compute };
  a.x = check_input (c, n_rows * n_in, VALUES_NORMAL);
  a.w = check_param (c, DTYPE_F16, n_out * n_in, VALUES_NORMAL, &w);
  a.bias = check_param (c, DTYPE_F16, n_out, VALUES_NORMAL, &bias);
  if (n_rows % 2)
    a.add = check_input (c, n_rows * n_out, VALUES_NORMAL);
  check_end (
      c, &(Case){ .outputs = check_outputs (c, n_rows * n_out), .args = &a, .run = run_linear });
}

/* Three pictures. */
static void
check_conv_alone (
    Checker *c, int64_t side, int64_t c_in, int64_t c_out, int stride, Compute compute)
{
  const float *w;
  if (!check_begin (c, "alone/conv2d/%s/%lldx%lld-%lld+s%d", check_compute_name (compute),
                    (long long) side, (long long) c_in, (long long) c_out, stride))
    return;
  int64_t out = (side - 1) / stride + 1;
  ConvArgs a = { .n = 3,
                 .h_in = side,
                 .w_in = side,
                 .c_in = c_in,
                 .h_out = out,
                 .w_out = out,
                 .c_out = c_out,
                 .kernel = 3,
                 .stride = stride,
                 .pad_top = 1,
                 .pad_left = 1,
                 .compute = compute };
  a.x = check_input (c, a.n * side * side * c_in, VALUES_NORMAL);
  a.w = check_param (c, DTYPE_F16, c_out * c_in * 9, VALUES_NORMAL, &w);
  a.channel_add = check_input (c, a.n * c_out, VALUES_NORMAL);
  check_end (c, &(Case){ .outputs = check_outputs (c, a.n * out * out * c_out),
                         .args = &a,
                         .run = run_conv });
}

/* Three pictures of two heads. */
static void
check_attention_alone (
    Checker *c, int64_t len_q, int64_t len_k, int64_t head_dim, bool biased, Compute compute)
{
  if (!check_begin (c, "alone/attention/%s/%lldx%lldx%lld%s", check_compute_name (compute),
                    (long long) len_q, (long long) len_k, (long long) head_dim,
                    biased ? "+biased" : ""))
    return;
  int64_t dim = 2 * head_dim;
  AttentionArgs a = { .n = 3,
                      .n_heads = 2,
                      .head_dim = head_dim,
                      .len_q = len_q,
                      .len_k = len_k,
                      .q_stride = dim,
                      .k_stride = dim,
                      .v_stride = dim,
                      .scale = 0.25f,
                      .compute = compute };
  a.q = check_input (c, a.n * len_q * dim, VALUES_NORMAL);
  a.k = check_input (c, a.n * len_k * dim, VALUES_NORMAL);
  a.v = check_input (c, a.n * len_k * dim, VALUES_NORMAL);
  if (biased)
    {
      a.relative_bias = check_input (c, (len_q + len_k - 1) * a.n_heads, VALUES_NORMAL);
      a.key_bias = check_input (c, a.n * len_k, VALUES_NORMAL);
    }
  check_end (
      c,
      &(Case){ .outputs = check_outputs (c, a.n * len_q * dim), .args = &a, .run = run_attention });
}

void
check_alone (Checker *c)
{
  static const int64_t rows[] = { 2, 3, 4, 5, 12, 13, 17, 31, 33, 145, 289, 300 };
  for (Compute compute = COMPUTE_F32; compute <= COMPUTE_BF16; compute++)
    {
      for (int i = 0; i < COUNT (rows); i++)
        {
          check_linear_alone (c, rows[i], 67, 35, compute);
          check_linear_alone (c, rows[i], 600, 17, compute);
        }
      check_conv_alone (c, 5, 19, 33, 1, compute);
      check_conv_alone (c, 9, 64, 48, 2, compute);
      check_conv_alone (c, 32, 48, 80, 1, compute); /* enough tiles for Winograd */
      check_attention_alone (c, 7, 13, 40, false, compute);
      check_attention_alone (c, 100, 77, 64, false, compute);
      check_attention_alone (c, 90, 300, 64, true, compute);
    }
}
