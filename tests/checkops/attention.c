/* SPDX-License-Identifier: MPL-2.0
 * attention.c - cases of the attention slot.
 */
#include "checkops.h"

typedef struct
{
  int64_t n, n_heads, head_dim, len_q, len_k;
  bool in_16_bits; /* keys and values */
  bool fused;      /* q, k, v are slices of one (n, len, 3 channels) tensor */
  bool causal;
  bool has_relative_bias, has_key_bias;
  Compute compute;
  double spread; /* standard deviation of the scores */
} AttentionCase;

static void
run_attention (Backend *b, const void *args, float *y)
{
  AttentionArgs a = *(const AttentionArgs *) args;
  a.y = y;
  b->ops.attention (b, &a);
}

/* One head of one image's query. */
typedef struct
{
  const float *q, *k, *v;
  const float *plain_q, *plain_k, *plain_v; /* the same as the compute type sees them */
  const float *relative_bias, *key_bias;    /* of the first key, or NULL */
  int64_t n_keys;
  double *scores, *magnitudes; /* n_keys each: of q k^T, and of |q| |k|^T */
  float *plain;                /* n_keys */
} Head;

static void
find_scores (const AttentionArgs *a, Head *h)
{
  for (int64_t j = 0; j < h->n_keys; j++)
    {
      const float *k = h->k + j * a->k_stride, *plain_k = h->plain_k + j * a->k_stride;
      double score = 0, magnitude = 0;
      float plain = 0;
      for (int64_t i = 0; i < a->head_dim; i++)
        {
          double product = (double) h->q[i] * k[i] * a->scale;
          score += product;
          magnitude += fabs (product);
          plain += h->plain_q[i] * plain_k[i];
        }
      h->scores[j] = score;
      h->magnitudes[j] = magnitude;
      h->plain[j] = plain * a->scale;
      float bias = h->relative_bias ? h->relative_bias[j * a->n_heads] : 0;
      bias += h->key_bias ? h->key_bias[j] : 0;
      h->scores[j] += bias;
      h->magnitudes[j] += isfinite (bias) ? fabs (bias) : 0;
      h->plain[j] += bias;
    }
}

/* Scores become exp (score - max).  Returns: their sum; *@plain_sum likewise in f32 */
static double
exponentiate (Head *h, float *plain_sum)
{
  double max = -INFINITY, sum = 0;
  float plain_max = -INFINITY;
  *plain_sum = 0;
  for (int64_t j = 0; j < h->n_keys; j++)
    {
      max = fmax (max, h->scores[j]);
      plain_max = fmaxf (plain_max, h->plain[j]);
    }
  for (int64_t j = 0; j < h->n_keys; j++)
    {
      h->scores[j] = exp (h->scores[j] - max);
      h->plain[j] = expf (h->plain[j] - plain_max);
      sum += h->scores[j];
      *plain_sum += h->plain[j];
    }
  return sum;
}

/* Sums of the values of key @j, weighted, into the elements from @first on. */
static void
add_value (const Outputs *o, const AttentionArgs *a, const Head *h, int64_t first, int64_t j)
{
  double *exact = o->exact + first, *magnitude = o->scale + first;
  float *plain = o->plain + first, plain_score = check_factor (h->plain[j], a->compute);
  const float *v = h->v + j * a->v_stride, *plain_v = h->plain_v + j * a->v_stride;
  for (int64_t i = 0; i < a->head_dim; i++)
    {
      exact[i] += h->scores[j] * v[i];
      magnitude[i] += h->scores[j] * fabs (v[i]);
      plain[i] += plain_score * plain_v[i];
    }
}

static void
expect (const Outputs *o, const AttentionArgs *a, Head *h, int64_t first)
{
  float plain_sum;
  double condition = 0;
  find_scores (a, h);
  double sum = exponentiate (h, &plain_sum);
  for (int64_t j = 0; j < h->n_keys; j++)
    if (h->scores[j] > 0)
      condition = fmax (condition, h->magnitudes[j]);
  for (int64_t j = 0; j < h->n_keys; j++)
    add_value (o, a, h, first, j);
  for (int64_t i = first; i < first + a->head_dim; i++)
    {
      double magnitude = o->scale[i];
      o->exact[i] /= sum;
      o->plain[i] /= plain_sum;
      /* An error of u in a score of size S is one of u S in its exponential. */
      o->scale[i] = magnitude / sum * (1 + condition);
      /* One rounding of a factor to bf16: a handful of outputs may be exact in the plain answer. */
      if (a->compute == COMPUTE_BF16)
        o->slack[i] = ldexp (magnitude / sum, -9);
    }
}

/* @x as the compute type sees it; @n elements */
static const float *
factors_of (Checker *c, const float *x, int64_t n, Compute compute)
{
  if (compute == COMPUTE_F32)
    return x;
  float *out = check_floats (c, n);
  for (int64_t i = 0; i < n; i++)
    out[i] = check_factor (x[i], compute);
  return out;
}

static void
expect_all (Checker *c, const Outputs *o, const AttentionArgs *a)
{
  Head h = { .scores = check_doubles (c, a->len_k),
             .magnitudes = check_doubles (c, a->len_k),
             .plain = check_floats (c, a->len_k) };
  int64_t width = a->n_heads * a->head_dim, n_keys = a->n * a->len_k - 1;
  const float *plain_q =
      factors_of (c, a->q, (a->n * a->len_q - 1) * a->q_stride + width, a->compute);
  const float *plain_k = factors_of (c, a->k, n_keys * a->k_stride + width, a->compute);
  const float *plain_v = factors_of (c, a->v, n_keys * a->v_stride + width, a->compute);
  for (int64_t image = 0; image < a->n; image++)
    for (int64_t head = 0; head < a->n_heads; head++)
      for (int64_t i = 0; i < a->len_q; i++)
        {
          int64_t column = head * a->head_dim;
          int64_t q = (image * a->len_q + i) * a->q_stride + column;
          int64_t k = image * a->len_k * a->k_stride + column;
          int64_t v = image * a->len_k * a->v_stride + column;
          h.q = a->q + q;
          h.k = a->k + k;
          h.v = a->v + v;
          h.plain_q = plain_q + q;
          h.plain_k = plain_k + k;
          h.plain_v = plain_v + v;
          if (a->relative_bias)
            h.relative_bias = a->relative_bias + (a->len_q - 1 - i) * a->n_heads + head;
          if (a->key_bias)
            h.key_bias = a->key_bias + image * a->len_k;
          h.n_keys = a->causal && i + 1 < a->len_k ? i + 1 : a->len_k;
          expect (o, a, &h, (image * a->len_q + i) * a->n_heads * a->head_dim + column);
        }
}

static void
set_inputs (Checker *c, AttentionArgs *a, bool fused)
{
  int64_t width = a->n_heads * a->head_dim;
  if (fused)
    {
      float *qkv = check_input (c, a->n * a->len_q * 3 * width, VALUES_NORMAL);
      a->q = qkv;
      a->k = qkv + width;
      a->v = qkv + 2 * width;
      a->q_stride = a->k_stride = a->v_stride = 3 * width;
      return;
    }
  a->q_stride = width;
  a->k_stride = width + 3;
  a->v_stride = width + 1;
  a->q = check_rows (c, a->n * a->len_q, width, a->q_stride, VALUES_NORMAL);
  a->k = check_rows (c, a->n * a->len_k, width, a->k_stride, VALUES_NORMAL);
  a->v = check_rows (c, a->n * a->len_k, width, a->v_stride, VALUES_NORMAL);
}

/* A third of the keys hidden, but never the first, which every query has to see. */
static float *
key_biases (Checker *c, int64_t n, int64_t len_k)
{
  float *bias = check_input (c, n * len_k, VALUES_NORMAL);
  for (int64_t i = 0; i < n * len_k; i++)
    if (i % len_k > 0 && check_uniform (c) < 1.0 / 3)
      bias[i] = -INFINITY;
  return bias;
}

/* What @x points to becomes what 16 bits hold of it.  Returns: those */
static uint16_t *
round_rows (Checker *c, const float **x, int64_t n)
{
  uint16_t *out = (uint16_t *) (void *) check_floats (c, n / 2 + 1);
  float *values = (float *) (uintptr_t) *x; /* drawn just now, for this case */
  for (int64_t i = 0; i < n; i++)
    {
      out[i] = f32_to_bf16 (values[i]);
      values[i] = bf16_to_f32 (out[i]);
    }
  return out;
}

static void
check_one (Checker *c, const AttentionCase *t)
{
  if (t->fused && t->len_q != t->len_k)
    return;
  if (!check_begin (c, "attention/%s/%lldx%lldx%lldx%lld-%lld%s%s%s%s%s+spread=%g",
                    check_compute_name (t->compute), (long long) t->n, (long long) t->n_heads,
                    (long long) t->len_q, (long long) t->len_k, (long long) t->head_dim,
                    t->fused ? "+fused" : "", t->in_16_bits ? "+kv16" : "",
                    t->causal ? "+causal" : "", t->has_relative_bias ? "+relative" : "",
                    t->has_key_bias ? "+keys" : "", t->spread))
    return;
  AttentionArgs a = { .n = t->n,
                      .n_heads = t->n_heads,
                      .head_dim = t->head_dim,
                      .len_q = t->len_q,
                      .len_k = t->len_k,
                      .scale = (float) (t->spread / sqrt ((double) t->head_dim)),
                      .causal = t->causal,
                      .compute = t->compute };
  set_inputs (c, &a, t->fused);
  if (t->has_relative_bias)
    a.relative_bias = check_input (c, (t->len_q + t->len_k - 1) * t->n_heads, VALUES_NORMAL);
  if (t->has_key_bias)
    a.key_bias = key_biases (c, t->n, t->len_k);
  Outputs o = check_outputs (c, t->n * t->len_q * t->n_heads * t->head_dim);
  uint16_t *k_bf16 = NULL, *v_bf16 = NULL;
  if (t->in_16_bits)
    {
      k_bf16 = round_rows (c, &a.k, t->n * t->len_k * a.k_stride);
      v_bf16 = round_rows (c, &a.v, t->n * t->len_k * a.v_stride);
    }
  expect_all (c, &o, &a);
  a.k_bf16 = k_bf16;
  a.v_bf16 = v_bf16;
  if (t->in_16_bits)
    a.k = a.v = NULL;
  check_end (c, &(Case){ .outputs = o, .args = &a, .run = run_attention });
}

void
check_attention (Checker *c)
{
  static const int64_t dims[] = { 1, 3, 8, 33, 40, 64, 80, 160 };
  static const int64_t lens[] = { 1, 2, 5, 17, 31, 65, 77, 130 };
  for (int i = 0; i < COUNT (dims) * COUNT (lens) * COUNT (lens); i++)
    for (Compute compute = COMPUTE_F32; compute <= COMPUTE_BF16; compute++)
      {
        unsigned mix = (unsigned) i * 2654435761u >> 16;
        check_one (c, &(AttentionCase){ .n = 1 + mix % 2,
                                        .n_heads = 1 + mix / 2 % 3,
                                        .head_dim = dims[i % COUNT (dims)],
                                        .len_q = lens[i / COUNT (dims) % COUNT (lens)],
                                        .len_k = lens[i / COUNT (dims) / COUNT (lens)],
                                        .fused = mix / 8 % 2,
                                        .causal = mix / 16 % 2,
                                        .has_relative_bias = mix / 32 % 4 == 0,
                                        .has_key_bias = mix / 128 % 4 == 0,
                                        .in_16_bits = mix / 8 % 2 == 0 && mix / 512 % 2,
                                        .compute = compute,
                                        .spread = 1 });
      }
  static const double spreads[] = { 0, 30, 1e4 };
  for (int i = 0; i < COUNT (spreads); i++)
    for (Compute compute = COMPUTE_F32; compute <= COMPUTE_BF16; compute++)
      for (int causal = 0; causal < 2; causal++)
        check_one (c, &(AttentionCase){ .n = 1,
                                        .n_heads = 2,
                                        .head_dim = 40,
                                        .len_q = 90,
                                        .len_k = 90,
                                        .causal = causal,
                                        .compute = compute,
                                        .spread = spreads[i] });
  for (Compute compute = COMPUTE_F32; compute <= COMPUTE_BF16; compute++)
    {
      AttentionCase vae = { .n = 1, .n_heads = 1, .head_dim = 512, .len_q = 64, .len_k = 64 };
      AttentionCase many = { .n = 1, .n_heads = 1, .head_dim = 40, .len_q = 70, .len_k = 1100 };
      AttentionCase model = { .n = 2, .n_heads = 8, .head_dim = 40, .len_q = 1024, .len_k = 1024 };
      vae.compute = many.compute = model.compute = compute;
      vae.spread = many.spread = model.spread = 2;
      /* T5's scale and biases, over several blocks of keys and of queries; FLUX's heads */
      AttentionCase t5 = { .n = 2,
                           .n_heads = 2,
                           .head_dim = 64,
                           .len_q = 270,
                           .len_k = 270,
                           .has_relative_bias = true,
                           .compute = compute,
                           .spread = 8 };
      AttentionCase masked = t5, flux = t5;
      masked.has_key_bias = true;
      flux.has_relative_bias = false;
      flux.head_dim = 128;
      flux.spread = 2;
      check_one (c, &t5);
      check_one (c, &masked);
      check_one (c, &flux);
      check_one (c, &vae);
      check_one (c, &many);
      if (check_is_long (c))
        check_one (c, &model);
    }
}
