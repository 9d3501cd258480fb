/* SPDX-License-Identifier: MPL-2.0 */
#include "models/t5.h"

#include <math.h>

static const float T5_EPS = 1e-6f;

typedef struct
{
  const Weight *norm1, *norm2, *bias_table; /* bias_table NULL: the first layer's serves */
  Layer q, k, v, out, gate, up, down;
} T5Layer;

struct T5
{
  T5Config config;
  const Weight *tokens, *final_norm;
  T5Layer *layers;
  /* Row of the bias table for distances -(T5_MAX_LENGTH - 1) .. T5_MAX_LENGTH - 1, key less query.
   */
  int32_t *buckets;
};

/* Half of the buckets for keys behind the query; of each half, the first half is exact, the rest
 * grows by powers up to max_distance.  In f32, as the reference rounds. */
static int32_t
bucket_of (const T5Config *c, int distance)
{
  int half = c->n_buckets / 2, n_exact = half / 2;
  int first = distance > 0 ? half : 0, n = distance < 0 ? -distance : distance;
  if (n < n_exact)
    return first + n;
  float share = logf ((float) n / (float) n_exact) /
                (float) log ((double) c->max_distance / (double) n_exact);
  int far = n_exact + (int) (share * (float) (half - n_exact));
  return first + (far < half ? far : half - 1);
}

static T5Layer
bind_layer (const Binder *b, const T5Config *c, int i)
{
  Name name = name_of ("t5.encoder.block.%d", i);
  const char *n = name.text;
  int64_t d = c->dim, inner = (int64_t) c->n_heads * c->head_dim, m = c->mlp_dim;
  T5Layer l = {
    .norm1 = bind_scale (b, d, name_of ("%s.layer.0.layer_norm", n).text),
    .q = bind_linear (b, inner, d, false, name_of ("%s.layer.0.SelfAttention.q", n).text),
    .k = bind_linear (b, inner, d, false, name_of ("%s.layer.0.SelfAttention.k", n).text),
    .v = bind_linear (b, inner, d, false, name_of ("%s.layer.0.SelfAttention.v", n).text),
    .out = bind_linear (b, d, inner, false, name_of ("%s.layer.0.SelfAttention.o", n).text),
    .norm2 = bind_scale (b, d, name_of ("%s.layer.1.layer_norm", n).text),
    .gate = bind_linear (b, m, d, false, name_of ("%s.layer.1.DenseReluDense.wi_0", n).text),
    .up = bind_linear (b, m, d, false, name_of ("%s.layer.1.DenseReluDense.wi_1", n).text),
    .down = bind_linear (b, d, m, false, name_of ("%s.layer.1.DenseReluDense.wo", n).text),
  };
  if (i == 0 || c->has_layer_bias)
    l.bias_table = weights_bind (b->weights, 2, (int64_t[]){ c->n_buckets, c->n_heads },
                                 "%s.layer.0.SelfAttention.relative_attention_bias.weight", n);
  return l;
}

static bool
is_sound (const T5Config *c)
{
  return c->n_layers >= 1 && c->n_heads >= 1 && c->head_dim >= 1 && c->n_buckets >= 4 &&
         c->n_buckets % 4 == 0 && c->max_distance > c->n_buckets / 4;
}

T5 *
t5_bind (const Binder *b, const T5Config *config)
{
  if (!is_sound (config))
    {
      status_fail (b->status, STATUS_UNSUPPORTED, "This text encoder's configuration is not T5's.");
      return NULL;
    }
  int n_buckets = 2 * T5_MAX_LENGTH - 1;
  T5 *t5 = arena_alloc (b->arena, sizeof *t5, b->status);
  if (!t5)
    return NULL;
  t5->config = *config;
  t5->layers = arena_alloc (b->arena, (size_t) config->n_layers * sizeof *t5->layers, b->status);
  t5->buckets = arena_alloc (b->arena, (size_t) n_buckets * sizeof *t5->buckets, b->status);
  if (!t5->layers || !t5->buckets)
    return NULL;
  for (int i = 0; i < n_buckets; i++)
    t5->buckets[i] = bucket_of (config, i - (T5_MAX_LENGTH - 1));
  t5->tokens =
      weights_bind (b->weights, 2, (int64_t[]){ config->vocab, config->dim }, "t5.shared.weight");
  for (int i = 0; i < config->n_layers; i++)
    t5->layers[i] = bind_layer (b, config, i);
  t5->final_norm = bind_scale (b, config->dim, "t5.encoder.final_layer_norm");
  return t5;
}

/* Returns: (2 length - 1, n_heads): the bias of each distance from key to query */
static Tensor *
relative_bias (Ctx *ctx, const T5 *t5, const Weight *table, int64_t length)
{
  int64_t n = 2 * length - 1;
  return op_lookup (ctx, t5->buckets + T5_MAX_LENGTH - length, n, table);
}

static Tensor *
t5_layer (Ctx *ctx, const T5Layer *l, int n_heads, Tensor *x, AttentionOptions options)
{
  Tensor *n = op_rms_norm (ctx, x, l->norm1, T5_EPS);
  Tensor *q = op_linear (ctx, n, l->q, NULL);
  Tensor *k = op_linear (ctx, n, l->k, NULL);
  Tensor *v = op_linear (ctx, n, l->v, NULL);
  x = op_linear (ctx, op_attention_biased (ctx, q, k, v, n_heads, options), l->out, x);
  n = op_rms_norm (ctx, x, l->norm2, T5_EPS);
  Tensor *gate = op_linear (ctx, n, l->gate, NULL);
  Tensor *up = op_linear (ctx, n, l->up, NULL);
  return op_linear (ctx, op_gated (ctx, UNARY_GELU_TANH, up, gate), l->down, x);
}

Tensor *
t5_forward (
    Ctx *ctx, const T5 *t5, const int32_t *ids, int64_t n, int64_t length, const Tensor *key_bias)
{
  if (length < 1 || length > T5_MAX_LENGTH)
    return ctx_fail (ctx, STATUS_SHAPE,
                     "This text has %lld tokens; the T5 text encoder takes up to %d: shorten it.",
                     (long long) length, T5_MAX_LENGTH);
  Tensor *x = op_embed (ctx, ids, n, length, t5->tokens, NULL), *bias = NULL;
  for (int i = 0; i < t5->config.n_layers; i++)
    {
      const T5Layer *l = &t5->layers[i];
      if (i == 0 || t5->config.has_layer_bias)
        bias = relative_bias (ctx, t5, l->bias_table, length);
      x = t5_layer (ctx, l, t5->config.n_heads, x,
                    (AttentionOptions){ .scale = 1, .relative_bias = bias, .key_bias = key_bias });
    }
  x = op_rms_norm (ctx, x, t5->final_norm, T5_EPS);
  ctx_keep (ctx, x);
  return x;
}
