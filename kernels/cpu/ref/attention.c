/* SPDX-License-Identifier: MPL-2.0
 * attention.c - y = softmax (scale q k^T + biases + mask) v, one query and head at a time.
 *
 * Shapes   q (n, len_q, heads x head_dim), k and v (n, len_k, ...), strided; y contiguous.
 * Numbers  sums in f64; under COMPUTE_BF16 q, k, v and exp (score - max) are rounded, the softmax's
 *          denominator is not.
 * Limit    the scores are computed twice: once for their maximum, once to use them.
 * Aliases  none.
 */
#include <math.h>

#include "ref.h"

enum
{
  CHUNK = 256, /* keys whose scores are held at a time */
  PIECE = 64   /* elements of a head that are converted at a time */
};

/* One query of one head, with its keys and values. */
typedef struct
{
  const float *q, *k, *v;
  const uint16_t *k_bf16, *v_bf16;       /* in place of k and v, or NULL */
  const float *relative_bias, *key_bias; /* of its first key, or NULL */
  float *y;
  int64_t n_keys; /* that it may see */
} Query;

/* @n factors, of @x or of @x_bf16 when there is that. */
static void
load (double *out, const float *x, const uint16_t *x_bf16, int64_t n, Compute compute)
{
  for (int64_t i = 0; x_bf16 && i < n; i++)
    out[i] = bf16_to_f32 (x_bf16[i]);
  if (!x_bf16)
    ref_factors (out, x, n, compute);
}

static void
load_key (double *out, const AttentionArgs *a, const Query *s, int64_t key, int64_t at, int64_t n)
{
  int64_t i = key * a->k_stride + at;
  load (out, s->k ? s->k + i : NULL, s->k_bf16 ? s->k_bf16 + i : NULL, n, a->compute);
}

static void
load_value (double *out, const AttentionArgs *a, const Query *s, int64_t key, int64_t at, int64_t n)
{
  int64_t i = key * a->v_stride + at;
  load (out, s->v ? s->v + i : NULL, s->v_bf16 ? s->v_bf16 + i : NULL, n, a->compute);
}

/* scores[j]: of key @first + j */
static void
find_scores (double *scores, const AttentionArgs *a, const Query *s, int64_t first, int64_t n)
{
  double q[PIECE], k[PIECE];
  for (int64_t j = 0; j < n; j++)
    scores[j] = 0;
  for (int64_t at = 0; at < a->head_dim; at += PIECE)
    {
      int64_t width = ref_least (PIECE, a->head_dim - at);
      load (q, s->q + at, NULL, width, a->compute);
      for (int64_t j = 0; j < n; j++)
        {
          load_key (k, a, s, first + j, at, width);
          scores[j] += ref_dot (q, k, width);
        }
    }
  for (int64_t j = 0; j < n; j++)
    {
      scores[j] *= a->scale;
      if (s->relative_bias)
        scores[j] += s->relative_bias[(first + j) * a->n_heads];
      if (s->key_bias)
        scores[j] += s->key_bias[first + j];
    }
}

/* y += p[j] times the value of key @first + j */
static void
add_values (const AttentionArgs *a, const Query *s, const double *p, int64_t first, int64_t n)
{
  double sums[PIECE], v[PIECE];
  for (int64_t at = 0; at < a->head_dim; at += PIECE)
    {
      int64_t width = ref_least (PIECE, a->head_dim - at);
      for (int64_t i = 0; i < width; i++)
        sums[i] = s->y[at + i];
      for (int64_t j = 0; j < n; j++)
        {
          load_value (v, a, s, first + j, at, width);
          for (int64_t i = 0; i < width; i++)
            sums[i] += p[j] * v[i];
        }
      for (int64_t i = 0; i < width; i++)
        s->y[at + i] = (float) sums[i];
    }
}

static void
attend (const AttentionArgs *a, const Query *s)
{
  double max = -INFINITY, total = 0, p[CHUNK];
  for (int64_t first = 0; first < s->n_keys; first += CHUNK)
    {
      int64_t n = ref_least (CHUNK, s->n_keys - first);
      find_scores (p, a, s, first, n);
      for (int64_t j = 0; j < n; j++)
        max = p[j] > max ? p[j] : max;
    }
  for (int64_t i = 0; i < a->head_dim; i++)
    s->y[i] = 0;
  for (int64_t first = 0; first < s->n_keys; first += CHUNK)
    {
      int64_t n = ref_least (CHUNK, s->n_keys - first);
      find_scores (p, a, s, first, n);
      for (int64_t j = 0; j < n; j++)
        {
          double e = exp (p[j] - max);
          total += e;
          p[j] = a->compute == COMPUTE_BF16 ? ref_factor ((float) e, a->compute) : e;
        }
      add_values (a, s, p, first, n);
    }
  for (int64_t i = 0; i < a->head_dim; i++)
    s->y[i] = (float) (s->y[i] / total);
}

void
ref_attention (const AttentionArgs *a)
{
  for (int64_t image = 0; image < a->n; image++)
    for (int64_t head = 0; head < a->n_heads; head++)
      for (int64_t i = 0; i < a->len_q; i++)
        {
          int64_t column = head * a->head_dim, row = image * a->len_q + i;
          Query query = { .q = a->q + row * a->q_stride + column,
                          .y = a->y + row * a->n_heads * a->head_dim + column,
                          .n_keys = a->causal && i + 1 < a->len_k ? i + 1 : a->len_k };
          if (a->k_bf16)
            {
              query.k_bf16 = a->k_bf16 + image * a->len_k * a->k_stride + column;
              query.v_bf16 = a->v_bf16 + image * a->len_k * a->v_stride + column;
            }
          else
            {
              query.k = a->k + image * a->len_k * a->k_stride + column;
              query.v = a->v + image * a->len_k * a->v_stride + column;
            }
          if (a->relative_bias)
            query.relative_bias = a->relative_bias + (a->len_q - 1 - i) * a->n_heads + head;
          if (a->key_bias)
            query.key_bias = a->key_bias + image * a->len_k;
          attend (a, &query);
        }
}
