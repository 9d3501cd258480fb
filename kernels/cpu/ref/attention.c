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
  CHUNK = 256 /* keys whose scores are held at a time */
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

static float
key_at (const Query *s, int64_t i)
{
  return s->k_bf16 ? bf16_to_f32 (s->k_bf16[i]) : s->k[i];
}

static float
value_at (const Query *s, int64_t i)
{
  return s->v_bf16 ? bf16_to_f32 (s->v_bf16[i]) : s->v[i];
}

static double
score (const AttentionArgs *a, const Query *s, int64_t key)
{
  double sum = 0;
  for (int64_t i = 0; i < a->head_dim; i++)
    sum += (double) ref_factor (s->q[i], a->compute) *
           ref_factor (key_at (s, key * a->k_stride + i), a->compute);
  sum *= a->scale;
  if (s->relative_bias)
    sum += s->relative_bias[key * a->n_heads];
  return s->key_bias ? sum + s->key_bias[key] : sum;
}

static void
attend (const AttentionArgs *a, const Query *s)
{
  double max = -INFINITY, total = 0, p[CHUNK];
  for (int64_t key = 0; key < s->n_keys; key++)
    max = fmax (max, score (a, s, key));
  for (int64_t i = 0; i < a->head_dim; i++)
    s->y[i] = 0;
  for (int64_t first = 0; first < s->n_keys; first += CHUNK)
    {
      int64_t n = s->n_keys - first < CHUNK ? s->n_keys - first : CHUNK;
      for (int64_t j = 0; j < n; j++)
        {
          double e = exp (score (a, s, first + j) - max);
          total += e;
          p[j] = a->compute == COMPUTE_BF16 ? ref_factor ((float) e, a->compute) : e;
        }
      for (int64_t i = 0; i < a->head_dim; i++)
        {
          double sum = s->y[i];
          for (int64_t j = 0; j < n; j++)
            sum += p[j] * ref_factor (value_at (s, (first + j) * a->v_stride + i), a->compute);
          s->y[i] = (float) sum;
        }
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
