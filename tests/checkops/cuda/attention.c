/* SPDX-License-Identifier: MPL-2.0
 * attention.c - cases of kernels/cuda/attention.cuh and attention-wgmma.cu for every head
 * dimension, and of attention-any.cu and attention-f32.cu.
 */
#include "check.h"

enum
{
  MAX_DIM = 1024
};

typedef struct
{
  int64_t n, n_heads, len_q, len_k;
  bool causal, relative_bias, key_bias;
  float spread; /* of q: large ones make softmax pick one key */
} Shape;

static int
run_attention (const void *args, void *stream)
{
  return gk_attention (args, stream);
}

static int
run_attention_f32 (const void *args, void *stream)
{
  return gk_attention_f32 (args, stream);
}

static int
run_attention_wgmma (const void *args, void *stream)
{
  return gk_attention_wgmma (args, stream);
}

static const void *
map_heads (void *map, const GkAttention *a, const void *base, int64_t len, int64_t stride)
{
  bool made = device_tensor_map (map, 2, base, 4, (int64_t[]){ a->head_dim, len, a->n_heads, a->n },
                                 (int64_t[]){ stride, a->head_dim, len * stride },
                                 (int[]){ GK_ATTENTION_BOX, GK_ATTENTION_BOX, 1, 1 });
  return made ? map : NULL;
}

/* With the maps that launch.h asks for. */
static void
end_hopper (Check *c, const GkAttention *a, const Output *y)
{
  static _Alignas(64) unsigned char maps[3][DEVICE_MAP_BYTES];
  GkAttentionWgmma args = { *a, map_heads (maps[0], a, a->q, a->len_q, a->q_stride),
                            map_heads (maps[1], a, a->k, a->len_k, a->k_stride),
                            map_heads (maps[2], a, a->v, a->len_k, a->v_stride) };
  check_end (c, run_attention_wgmma, &args, y);
}

/* Every eighth key of an entry is hidden; the first never is. */
static Values
make_key_bias (Check *c, const Shape *s)
{
  Values v = check_floats (c, s->n * s->len_k, 1, 0);
  float *host = v.host;
  for (int64_t i = 0; i < s->n * s->len_k; i++)
    if (i % s->len_k % 8 == 7)
      host[i] = -INFINITY;
  v.device = check_upload (c, host, (size_t) (s->n * s->len_k) * sizeof *host, "key_bias");
  return v;
}

typedef struct
{
  const Shape *s;
  int64_t head_dim;
  float scale;
  const float *q;
  int64_t q_stride;
  const float *kv; /* rows [k | v] */
  int64_t kv_stride;
  const float *relative, *keys;
} Exact;

static double
score (const Exact *e, int64_t batch, int64_t head, int64_t i, int64_t j)
{
  const Shape *s = e->s;
  const float *q = e->q + (batch * s->len_q + i) * e->q_stride + head * e->head_dim;
  const float *k = e->kv + (batch * s->len_k + j) * e->kv_stride + head * e->head_dim;
  double sum = 0;
  if (s->causal && j > i)
    return -INFINITY;
  for (int64_t d = 0; d < e->head_dim; d++)
    sum += (double) q[d] * k[d];
  return sum * e->scale +
         (e->relative ? e->relative[(j - i + s->len_q - 1) * s->n_heads + head] : 0) +
         (e->keys ? e->keys[batch * s->len_k + j] : 0);
}

/* Query @index of all entries and heads.  Weights are rounded to 16 bits: an error is relative to
 * the sum of |weight value|; and no f16 weight is more exact than 2^-25, none at all than 2^-126.
 */
static void
attend_exactly (const Exact *e, int64_t index, Output *o)
{
  const Shape *s = e->s;
  int64_t batch = index / s->len_q / s->n_heads, head = index / s->len_q % s->n_heads;
  int64_t i = index % s->len_q, width = s->n_heads * e->head_dim;
  int64_t at = (batch * s->len_q + i) * width + head * e->head_dim;
  double maximum = -INFINITY, total = 0, sum[MAX_DIM] = { 0 }, size[MAX_DIM] = { 0 };
  for (int64_t j = 0; j < s->len_k; j++)
    maximum = fmax (maximum, score (e, batch, head, i, j));
  for (int64_t j = 0; j < s->len_k; j++)
    {
      double weight = exp (score (e, batch, head, i, j) - maximum);
      const float *v = e->kv + (batch * s->len_k + j) * e->kv_stride + width + head * e->head_dim;
      total += weight;
      for (int64_t d = 0; d < e->head_dim; d++)
        {
          sum[d] += weight * v[d];
          size[d] += (weight + (o->type == OUT_F16 ? 512 * 0x1p-25 : 64 * 0x1p-126)) * fabs (v[d]);
        }
    }
  for (int64_t d = 0; d < e->head_dim; d++)
    {
      o->exact[at + d] = (float) (sum[d] / total);
      o->magnitude[at + d] = (float) (size[d] / total);
    }
}

static void
check_case (Check *c, bool hopper, GkType type, int64_t head_dim, const Shape *s)
{
  int64_t width = s->n_heads * head_dim, kv_stride = 2 * width;
  int64_t q_stride = width + (head_dim % 8 ? 2 : 8);
  if (!check_begin (c, "attention%s/%s/%lldx%lldx%lldx%lldx%lld%s%s%s%s", hopper ? "-wgmma" : "",
                    check_type_name (type), (long long) s->n, (long long) s->n_heads,
                    (long long) s->len_q, (long long) s->len_k, (long long) head_dim,
                    s->causal ? "/causal" : "", s->relative_bias ? "/relative" : "",
                    s->key_bias ? "/keys" : "", s->spread > 1 ? "/sharp" : ""))
    return;
  Values q = check_rows (c, type, s->n * s->len_q, width, q_stride);
  Values kv = check_values (c, type, s->n * s->len_k * kv_stride, 1, 0);
  Values relative = check_floats (c, (s->len_q + s->len_k - 1) * s->n_heads, 1, 0);
  Values keys = make_key_bias (c, s);
  Output y = check_output (c, (OutType) type, s->n * s->len_q * width, NULL);
  float scale = s->spread / sqrtf ((float) head_dim);
  Exact exact = { s,
                  head_dim,
                  scale,
                  q.host,
                  q_stride,
                  kv.host,
                  kv_stride,
                  s->relative_bias ? relative.host : NULL,
                  s->key_bias ? keys.host : NULL };
  for (int64_t i = 0; i < s->n * s->n_heads * s->len_q; i++)
    attend_exactly (&exact, i, &y);
  GkAttention args = { .type = type,
                       .n = s->n,
                       .n_heads = s->n_heads,
                       .head_dim = head_dim,
                       .len_q = s->len_q,
                       .len_k = s->len_k,
                       .q = q.device,
                       .k = kv.device,
                       .v = check_at (type, kv.device, width),
                       .q_stride = q_stride,
                       .k_stride = kv_stride,
                       .v_stride = kv_stride,
                       .y = y.device,
                       .scale = scale,
                       .causal = s->causal,
                       .relative_bias = s->relative_bias ? relative.device : NULL,
                       .key_bias = s->key_bias ? keys.device : NULL };
  if (hopper)
    end_hopper (c, &args, &y);
  else
    check_end (c, type == GK_TYPE_F32 ? run_attention_f32 : run_attention, &args, &y);
}

static void
check_one (Check *c, GkType type, int64_t head_dim, const Shape *s)
{
  check_case (c, false, type, head_dim, s);
}

static void
check_hopper_attention (Check *c)
{
  static const int64_t head_dims[] = { 40, 80, 128, 160 };
  static const Shape all_slots = { 1, 1, 130, 700, .spread = 1 },
                     sharp = { 1, 1, 5, 200, .spread = 8 }, entries = { 2, 2, 70, 77, .spread = 1 };
  if (!device_has_capability (90))
    return;
  check_case (c, true, GK_TYPE_BF16, 64, &all_slots);
  check_case (c, true, GK_TYPE_F16, 64, &sharp);
  for (int d = 0; d < COUNT (head_dims); d++)
    for (int type = 0; type <= GK_TYPE_F16; type++)
      check_case (c, true, (GkType) type, head_dims[d], &entries);
  if (check_is_full (c))
    for (int d = 0; d < COUNT (head_dims); d++)
      check_case (c, true, GK_TYPE_F16, head_dims[d], &all_slots);
}

void
check_attention (Check *c)
{
  static const int64_t head_dims[] = { 40, 64, 80, 128, 160 };
  static const int64_t other_dims[] = { 12, 96, 512, 640 };
  static const Shape shapes[] = {
    { 1, 2, 70, 77, false, false, false, 1 },
    { 2, 1, 33, 130, false, true, true, 1 },
    { 1, 1, 90, 90, true, false, false, 1 },
    { 1, 1, 5, 200, false, false, false, 8 },
  };
  for (int type = 0; type <= GK_TYPE_F16; type++)
    for (int d = 0; d < COUNT (head_dims); d++)
      for (int i = 0; i < (check_is_full (c) ? COUNT (shapes) : d == 1 ? COUNT (shapes) : 2); i++)
        check_one (c, (GkType) type, head_dims[d], &shapes[i]);
  for (int type = 0; type <= GK_TYPE_F16; type++)
    for (int d = 0; d < COUNT (other_dims); d++)
      for (int i = 0; i < (d < 2 ? COUNT (shapes) : 1); i++)
        check_one (c, (GkType) type, other_dims[d], &shapes[i]);
  for (int d = 0; d < 2; d++)
    for (int i = 0; i < COUNT (shapes); i++)
      check_one (c, GK_TYPE_F32, other_dims[d], &shapes[i]);
  check_hopper_attention (c);
}
