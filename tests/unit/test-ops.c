/* SPDX-License-Identifier: MPL-2.0
 * test-ops.c - operators refuse what does not fit, with a sentence, before anything is computed.
 */
#include <glib.h>
#include <string.h>

#include "backend/backend.h"
#include "ops/ops.h"

static float weight_data[4096];

static const Weight linear_8_4 = {
  .name = "fc.weight", .rank = 2, .ne = { 8, 4 }, .data = weight_data
};
static const Weight conv_8_4 = {
  .name = "conv.weight", .rank = 4, .ne = { 8, 4, 3, 3 }, .data = weight_data
};
static const Weight conv3d_8_4 = {
  .name = "conv3d.weight", .rank = 5, .ne = { 8, 4, 3, 3, 3 }, .data = weight_data
};
static const Weight conv_5x5 = {
  .name = "conv5.weight", .rank = 4, .ne = { 8, 4, 5, 5 }, .data = weight_data
};
static const Weight norm_8 = { .name = "norm.weight", .rank = 1, .ne = { 8 }, .data = weight_data };
static const Weight table_9_4 = {
  .name = "tokens", .rank = 2, .ne = { 9, 4 }, .data = weight_data
};
static const Weight places_3_4 = {
  .name = "places", .rank = 2, .ne = { 3, 4 }, .data = weight_data
};

#define LAYER(w) ((Layer){ .weight = &(w) })
#define SHAPE(...)                                                                                 \
  (sizeof ((int64_t[]){ __VA_ARGS__ }) / sizeof (int64_t)), (int64_t[])                            \
  {                                                                                                \
    __VA_ARGS__                                                                                    \
  }

static Tensor *
input (Ctx *ctx, size_t rank, const int64_t *ne)
{
  return ctx_input (ctx, DTYPE_F32, (int) rank, ne, NULL);
}

static Tensor *
misfit_linear (Ctx *ctx)
{
  return op_linear (ctx, input (ctx, SHAPE (2, 5)), LAYER (linear_8_4), NULL);
}

static Tensor *
misfit_linear_add (Ctx *ctx)
{
  Tensor *add = input (ctx, SHAPE (2, 4));
  return op_linear (ctx, input (ctx, SHAPE (2, 4)), LAYER (linear_8_4), add);
}

static Tensor *
misfit_conv (Ctx *ctx)
{
  return op_conv2d (ctx, input (ctx, SHAPE (1, 6, 6, 3)), LAYER (conv_8_4), (ConvOptions){ 0 });
}

static Tensor *
misfit_conv_kernel (Ctx *ctx)
{
  return op_conv2d (ctx, input (ctx, SHAPE (1, 6, 6, 4)), LAYER (conv_5x5), (ConvOptions){ 0 });
}

static Tensor *
misfit_conv_add (Ctx *ctx)
{
  ConvOptions options = { .add = input (ctx, SHAPE (1, 6, 5, 8)) };
  return op_conv2d (ctx, input (ctx, SHAPE (1, 6, 6, 4)), LAYER (conv_8_4), options);
}

static Tensor *
misfit_conv3d (Ctx *ctx)
{
  const Tensor *frames[3] = { NULL, input (ctx, SHAPE (1, 6, 5, 4)),
                              input (ctx, SHAPE (1, 6, 6, 4)) };
  return op_conv3d (ctx, frames, LAYER (conv3d_8_4), NULL);
}

static Tensor *
misfit_conv3d_add (Ctx *ctx)
{
  const Tensor *frames[3] = { NULL, NULL, input (ctx, SHAPE (1, 6, 6, 4)) };
  return op_conv3d (ctx, frames, LAYER (conv3d_8_4), input (ctx, SHAPE (1, 6, 6, 4)));
}

static Tensor *
misfit_avg_down (Ctx *ctx)
{
  const Tensor *x[2] = { NULL, input (ctx, SHAPE (1, 6, 6, 4)) };
  return op_avg_down (ctx, x, (AvgDown){ 2, 2 }, input (ctx, SHAPE (1, 3, 3, 5)));
}

static Tensor *
misfit_dup_up (Ctx *ctx)
{
  return op_dup_up (ctx, input (ctx, SHAPE (1, 3, 3, 4)), (DupUp){ 2, 2, 2 },
                    input (ctx, SHAPE (1, 6, 6, 4)));
}

static Tensor *
misfit_store (Ctx *ctx)
{
  op_store (ctx, input (ctx, SHAPE (1, 3, 3, 4)), input (ctx, SHAPE (1, 3, 4, 3)));
  return NULL;
}

static Tensor *
misfit_conv_channel_add (Ctx *ctx)
{
  ConvOptions options = { .channel_add = input (ctx, SHAPE (2, 8)) };
  return op_conv2d (ctx, input (ctx, SHAPE (1, 6, 6, 4)), LAYER (conv_8_4), options);
}

static Tensor *
misfit_attention_heads (Ctx *ctx)
{
  Tensor *q = input (ctx, SHAPE (1, 5, 8));
  return op_attention (ctx, q, q, q, 3, false);
}

static Tensor *
misfit_attention_keys (Ctx *ctx)
{
  Tensor *q = input (ctx, SHAPE (1, 5, 8)), *k = input (ctx, SHAPE (1, 6, 8));
  return op_attention (ctx, q, k, q, 2, false);
}

static Tensor *
misfit_attention_batch (Ctx *ctx)
{
  Tensor *q = input (ctx, SHAPE (1, 5, 8)), *k = input (ctx, SHAPE (2, 5, 8));
  return op_attention (ctx, q, k, k, 2, false);
}

static Tensor *
misfit_attention_bias (Ctx *ctx)
{
  Tensor *q = input (ctx, SHAPE (1, 5, 8));
  AttentionOptions options = { .relative_bias = input (ctx, SHAPE (8, 2)) };
  return op_attention_biased (ctx, q, q, q, 2, options);
}

static Tensor *
misfit_attention_key_bias (Ctx *ctx)
{
  Tensor *q = input (ctx, SHAPE (1, 5, 8));
  AttentionOptions options = { .key_bias = input (ctx, SHAPE (1, 4)) };
  return op_attention_biased (ctx, q, q, q, 2, options);
}

static Tensor *
misfit_put (Ctx *ctx)
{
  return op_put (ctx, input (ctx, SHAPE (1, 5, 8)), input (ctx, SHAPE (1, 3, 8)), 3);
}

static Tensor *
misfit_put_width (Ctx *ctx)
{
  return op_put (ctx, input (ctx, SHAPE (1, 5, 8)), input (ctx, SHAPE (1, 3, 4)), 0);
}

static Tensor *
misfit_rms_norm (Ctx *ctx)
{
  return op_rms_norm (ctx, input (ctx, SHAPE (3, 7)), &norm_8, 1e-6f);
}

static Tensor *
misfit_modulation (Ctx *ctx)
{
  Tensor *x = input (ctx, SHAPE (2, 5, 8));
  return op_norm_modulate (ctx, x, input (ctx, SHAPE (2, 16)), 0, 9, 1e-6f);
}

static Tensor *
misfit_modulation_rows (Ctx *ctx)
{
  Tensor *x = input (ctx, SHAPE (2, 5, 8));
  return op_norm_modulate (ctx, x, input (ctx, SHAPE (3, 16)), 0, 8, 1e-6f);
}

static Tensor *
misfit_gate (Ctx *ctx)
{
  Tensor *x = input (ctx, SHAPE (2, 5, 8));
  return op_add_gated (ctx, x, x, input (ctx, SHAPE (2, 7)), 0);
}

static Tensor *
misfit_gated (Ctx *ctx)
{
  return op_gated (ctx, UNARY_SILU, input (ctx, SHAPE (2, 8)), input (ctx, SHAPE (2, 7)));
}

static Tensor *
misfit_rope_heads (Ctx *ctx)
{
  Heads a = { input (ctx, SHAPE (2, 5, 8)), &norm_8 };
  return op_rope (ctx, a, (Heads){ 0 }, 2, 1e-6f, NULL);
}

static Tensor *
misfit_rope_positions (Ctx *ctx)
{
  Heads a = { .x = input (ctx, SHAPE (2, 5, 8)) };
  return op_rope (ctx, a, a, 2, 1e-6f, input (ctx, SHAPE (9, 4)));
}

static Tensor *
misfit_join (Ctx *ctx)
{
  return op_join (ctx, input (ctx, SHAPE (1, 5, 8)), input (ctx, SHAPE (1, 5, 7)));
}

static Tensor *
misfit_tokens (Ctx *ctx)
{
  return op_tokens (ctx, input (ctx, SHAPE (1, 5, 8)), 3, 3);
}

static Tensor *
misfit_columns (Ctx *ctx)
{
  return op_columns (ctx, input (ctx, SHAPE (1, 5, 8)), 4, 5);
}

static Tensor *
misfit_group_norm (Ctx *ctx)
{
  return op_group_norm (ctx, input (ctx, SHAPE (1, 6, 6, 8)), LAYER (norm_8), 3, 1e-5f, false);
}

static Tensor *
misfit_group_norm_width (Ctx *ctx)
{
  return op_group_norm (ctx, input (ctx, SHAPE (1, 6, 6, 6)), LAYER (norm_8), 2, 1e-5f, false);
}

static Tensor *
misfit_layer_norm (Ctx *ctx)
{
  return op_layer_norm (ctx, input (ctx, SHAPE (3, 7)), LAYER (norm_8), 1e-5f);
}

static Tensor *
misfit_add (Ctx *ctx)
{
  return op_add (ctx, input (ctx, SHAPE (3, 7)), input (ctx, SHAPE (3, 6)));
}

static Tensor *
misfit_geglu (Ctx *ctx)
{
  return op_geglu (ctx, input (ctx, SHAPE (3, 7)));
}

static Tensor *
misfit_embed_id (Ctx *ctx)
{
  return op_embed (ctx, (const int32_t[]){ 0, 9 }, 1, 2, &table_9_4, NULL);
}

static Tensor *
misfit_embed_negative (Ctx *ctx)
{
  return op_embed (ctx, (const int32_t[]){ -1, 0 }, 1, 2, &table_9_4, NULL);
}

static Tensor *
misfit_embed_places (Ctx *ctx)
{
  return op_embed (ctx, (const int32_t[]){ 0, 1, 2, 3 }, 1, 4, &table_9_4, &places_3_4);
}

static Tensor *
misfit_rows (Ctx *ctx)
{
  return op_rows (ctx, input (ctx, SHAPE (2, 3, 8)), (const int32_t[]){ 6 }, 1);
}

static Tensor *
misfit_concat (Ctx *ctx)
{
  return op_concat (ctx, input (ctx, SHAPE (1, 3, 8)), input (ctx, SHAPE (1, 4, 8)));
}

static Tensor *
misfit_resize (Ctx *ctx)
{
  return op_resize (ctx, input (ctx, SHAPE (1, 3, 3, 8)), 0, 3);
}

static Tensor *
misfit_view (Ctx *ctx)
{
  return op_view (ctx, input (ctx, SHAPE (3, 8)), SHAPE (5, 5));
}

typedef struct
{
  Tensor *(*call) (Ctx *ctx);
  const char *name, *says;
} Misfit;

static const Misfit misfits[] = {
  { misfit_linear, "linear", "fc.weight takes rows of 4 values but was given 5" },
  { misfit_linear_add, "linear-add", "residual of fc.weight has another shape" },
  { misfit_conv, "conv", "conv.weight does not fit an input of 3 channels" },
  { misfit_conv_kernel, "conv-kernel", "conv5.weight does not fit" },
  { misfit_conv_add, "conv-add", "residual of conv.weight has another shape" },
  { misfit_conv_channel_add, "conv-channel-add", "added to the channels of conv.weight" },
  { misfit_conv3d, "conv3d", "conv3d.weight does not fit" },
  { misfit_conv3d_add, "conv3d-add", "residual of conv3d.weight" },
  { misfit_avg_down, "avg-down", "shortcut" },
  { misfit_dup_up, "dup-up", "shortcut" },
  { misfit_store, "store", "under another shape" },
  { misfit_attention_heads, "attention-heads", "8 channels does not split into 3 heads" },
  { misfit_attention_keys, "attention-keys", "Attention over" },
  { misfit_attention_batch, "attention-batch", "Attention over" },
  { misfit_attention_bias, "attention-bias", "biases have another shape" },
  { misfit_attention_key_bias, "attention-key-bias", "biases have another shape" },
  { misfit_put, "put", "tokens that do not fit" },
  { misfit_put_width, "put-width", "tokens that do not fit" },
  { misfit_rms_norm, "rms-norm", "norm.weight is 8 wide but its input is 7" },
  { misfit_modulation, "modulation", "modulation that does not fit" },
  { misfit_modulation_rows, "modulation-rows", "modulation that does not fit" },
  { misfit_gate, "gate", "gated sum do not fit" },
  { misfit_gated, "gated", "a gate and its values differ" },
  { misfit_rope_heads, "rope-heads", "do not split into 2 heads that turn" },
  { misfit_rope_positions, "rope-positions", "10 tokens have 9 positions" },
  { misfit_join, "join", "joined tokens differ in width" },
  { misfit_tokens, "tokens", "tokens 3 to 6 of 5" },
  { misfit_columns, "columns", "columns 4 to 9 of 8" },
  { misfit_group_norm, "group-norm", "norm.weight: 8 channels do not split into 3 groups" },
  { misfit_group_norm_width, "group-norm-width", "norm.weight: 6 channels" },
  { misfit_layer_norm, "layer-norm", "norm.weight is 8 wide but its input is 7" },
  { misfit_add, "add", "terms of a sum differ in shape" },
  { misfit_geglu, "geglu", "gated layer of odd width" },
  { misfit_embed_id, "embed-id", "Token 9 is outside the vocabulary of tokens (9 entries)" },
  { misfit_embed_negative, "embed-negative", "Token -1 is outside the vocabulary" },
  { misfit_embed_places, "embed-places", "places has places for 3 tokens, not 4" },
  { misfit_rows, "rows", "row 6 of 6 was asked for" },
  { misfit_concat, "concat", "joined tensors differ in rows" },
  { misfit_resize, "resize", "resize to 3 x 0" },
  { misfit_view, "view", "view reaches beyond its tensor" },
};

static Ctx *
new_ctx (void)
{
  Status status = { 0 };
  Ctx *ctx = ctx_new (NULL, COMPUTE_F32, NULL, &status);
  g_assert_nonnull (ctx);
  return ctx;
}

static void
test_ops_refuses (gconstpointer data)
{
  const Misfit *m = data;
  Ctx *ctx = new_ctx ();
  g_assert_null (m->call (ctx));
  g_assert_cmpint (ctx_status (ctx)->code, ==, STATUS_SHAPE);
  if (!strstr (ctx_status (ctx)->message, m->says))
    g_error ("\"%s\" does not say \"%s\"", ctx_status (ctx)->message, m->says);
  g_assert_cmpint (ctx_op_count (ctx), ==, 0);
  ctx_free (ctx);
}

static Tensor *
call_without_operand (Ctx *ctx, int which)
{
  int64_t ne = 4;
  const Tensor *t = ctx_input (ctx, DTYPE_F32, 1, &ne, NULL);
  switch (which)
    {
    case 0:
      return op_linear (ctx, NULL, LAYER (linear_8_4), NULL);
    case 1:
      return op_linear (ctx, t, (Layer){ 0 }, NULL);
    case 2:
      return op_conv2d (ctx, NULL, LAYER (conv_8_4), (ConvOptions){ 0 });
    case 3:
      return op_conv2d (ctx, t, (Layer){ 0 }, (ConvOptions){ 0 });
    case 4:
      return op_attention (ctx, t, NULL, t, 1, false);
    case 5:
      return op_attention (ctx, NULL, t, t, 1, false);
    case 6:
      return op_group_norm (ctx, t, (Layer){ 0 }, 1, 1e-5f, false);
    case 7:
      return op_group_norm (ctx, NULL, LAYER (norm_8), 1, 1e-5f, false);
    case 8:
      return op_layer_norm (ctx, t, (Layer){ 0 }, 1e-5f);
    case 9:
      return op_layer_norm (ctx, NULL, LAYER (norm_8), 1e-5f);
    case 10:
      return op_unary (ctx, UNARY_SILU, NULL);
    case 11:
      return op_add (ctx, t, NULL);
    case 12:
      return op_geglu (ctx, NULL);
    case 13:
      return op_embed (ctx, (const int32_t[]){ 0 }, 1, 1, NULL, NULL);
    case 14:
      return op_rows (ctx, NULL, (const int32_t[]){ 0 }, 1);
    case 15:
      return op_concat (ctx, NULL, t);
    case 16:
      return op_resize (ctx, NULL, 1, 1);
    case 17:
      return op_sinusoid (ctx, NULL, 1, 4);
    case 18:
      return op_view (ctx, NULL, 1, &ne);
    case 19:
      return op_rms_norm (ctx, t, NULL, 1e-6f);
    case 20:
      return op_norm_modulate (ctx, t, NULL, 0, 0, 1e-6f);
    case 21:
      return op_add_gated (ctx, t, t, NULL, 0);
    case 22:
      return op_gated (ctx, UNARY_SILU, t, NULL);
    case 23:
      return op_rope (ctx, (Heads){ 0 }, (Heads){ 0 }, 1, 1e-6f, NULL);
    case 24:
      return op_join (ctx, t, NULL);
    case 25:
      return op_tokens (ctx, NULL, 0, 1);
    case 26:
      return op_columns (ctx, NULL, 0, 1);
    case 27:
      return op_conv3d (ctx, (const Tensor *const[]){ NULL, t, NULL }, LAYER (conv3d_8_4), NULL);
    case 28:
      return op_avg_down (ctx, (const Tensor *const[]){ t, NULL }, (AvgDown){ 2, 1 }, t);
    case 29:
      return op_dup_up (ctx, t, (DupUp){ 0, 1, 1 }, NULL);
    case 30:
      op_store (ctx, t, NULL);
      return NULL;
    default:
      return NULL;
    }
}

static void
test_ops_need_their_operands (void)
{
  enum
  {
    N_CALLS = 31
  };
  for (int i = 0; i < N_CALLS; i++)
    {
      Ctx *ctx = new_ctx ();
      g_assert_null (call_without_operand (ctx, i));
      g_assert_cmpint (ctx_status (ctx)->code, ==, STATUS_SHAPE);
      g_assert_nonnull (strstr (ctx_status (ctx)->message, "without its operands"));
      /* once failed, nothing is called and the reason stays */
      g_assert_null (call_without_operand (ctx, (i + 1) % N_CALLS));
      g_assert_null (misfit_embed_id (ctx));
      g_assert_nonnull (strstr (ctx_status (ctx)->message, "without its operands"));
      ctx_free (ctx);
    }
}

static void
assert_shape (const Tensor *t, size_t rank, const int64_t *ne)
{
  g_assert_nonnull (t);
  g_assert_cmpint (t->rank, ==, (int) rank);
  g_assert_cmpmem (t->ne, rank * sizeof *ne, ne, rank * sizeof *ne);
}

static void
test_ops_give_the_documented_shapes (void)
{
  Ctx *ctx = new_ctx ();
  Tensor *image = input (ctx, SHAPE (2, 7, 5, 4)), *tokens = input (ctx, SHAPE (2, 7, 8));
  Layer conv = LAYER (conv_8_4);
  assert_shape (op_conv2d (ctx, image, conv, (ConvOptions){ 0 }), SHAPE (2, 7, 5, 8));
  assert_shape (op_conv2d (ctx, image, conv, (ConvOptions){ .stride = 2 }), SHAPE (2, 4, 3, 8));
  assert_shape (op_conv2d (ctx, image, conv, (ConvOptions){ .upsample2 = true }),
                SHAPE (2, 14, 10, 8));
  assert_shape (op_conv2d (ctx, input (ctx, SHAPE (2, 6, 4, 4)), conv,
                           (ConvOptions){ .stride = 2, .pad_after = true }),
                SHAPE (2, 3, 2, 8));
  assert_shape (op_linear (ctx, image, LAYER (linear_8_4), NULL), SHAPE (2, 7, 5, 8));
  assert_shape (op_attention (ctx, tokens, tokens, tokens, 2, true), SHAPE (2, 7, 8));
  assert_shape (op_geglu (ctx, tokens), SHAPE (2, 7, 4));
  assert_shape (op_concat (ctx, tokens, tokens), SHAPE (2, 7, 16));
  assert_shape (op_resize (ctx, image, 9, 11), SHAPE (2, 9, 11, 4));
  assert_shape (op_rows (ctx, tokens, (const int32_t[]){ 13, 0, 1 }, 3), SHAPE (3, 8));
  assert_shape (op_sinusoid (ctx, input (ctx, SHAPE (2)), 1, 32), SHAPE (2, 32));
  assert_shape (op_embed (ctx, (const int32_t[]){ 0, 8, 1 }, 1, 3, &table_9_4, &places_3_4),
                SHAPE (1, 3, 4));
  assert_shape (op_add (ctx, tokens, input (ctx, SHAPE (7, 8))), SHAPE (2, 7, 8));
  assert_shape (op_view (ctx, tokens, SHAPE (14, 8)), SHAPE (14, 8));
  Tensor *modulation = input (ctx, SHAPE (2, 24));
  assert_shape (op_rms_norm (ctx, tokens, &norm_8, 1e-6f), SHAPE (2, 7, 8));
  assert_shape (op_norm_modulate (ctx, tokens, modulation, 8, 16, 1e-6f), SHAPE (2, 7, 8));
  assert_shape (op_add_gated (ctx, tokens, tokens, modulation, 16), SHAPE (2, 7, 8));
  assert_shape (op_gated (ctx, UNARY_SILU, tokens, tokens), SHAPE (2, 7, 8));
  Heads heads = { .x = tokens }, none = { 0 };
  assert_shape (op_rope (ctx, heads, none, 2, 1e-6f, input (ctx, SHAPE (7, 4))), SHAPE (2, 7, 8));
  assert_shape (op_rope (ctx, heads, heads, 2, 1e-6f, NULL), SHAPE (2, 14, 8));
  assert_shape (op_join (ctx, tokens, tokens), SHAPE (2, 14, 8));
  assert_shape (op_tokens (ctx, tokens, 2, 3), SHAPE (2, 3, 8));
  assert_shape (op_columns (ctx, tokens, 2, 3), SHAPE (2, 7, 3));
  g_assert_false (ctx_failed (ctx));
  ctx_free (ctx);
}

/* Parts of 2 tokens one after the other; @reads_old: the whole before the last part is read after
 * it, so that it cannot be written over. */
static Tensor *
put_parts (Ctx *ctx, float *values, bool narrow, bool reads_old)
{
  Tensor *whole = op_room (ctx, narrow, 6, 4), *old = NULL;
  for (int64_t first = 0; first < 6; first += 2)
    {
      old = whole;
      whole = op_put (ctx, whole, ctx_input (ctx, DTYPE_F32, SHAPE (1, 2, 4), values + 4 * first),
                      first);
    }
  if (reads_old)
    op_put (ctx, old, op_tokens (ctx, old, 0, 2), 4);
  ctx_keep (ctx, whole);
  return whole;
}

static void
check_put (bool narrow, bool reads_old)
{
  Status status = { 0 };
  float values[24];
  Backend *backend = backend_cpu_new ("ref", 1, &status);
  Ctx *ctx = ctx_new (backend, COMPUTE_BF16, NULL, &status);
  for (int i = 0; i < 24; i++)
    values[i] = (float) i; /* 16 bits hold them all */
  put_parts (ctx, values, narrow, reads_old);
  g_assert_true (ctx_plan (ctx) && ctx_begin_run (ctx));
  Tensor *whole = put_parts (ctx, values, narrow, reads_old);
  g_assert_true (ctx_end_run (ctx));
  g_assert_cmpint (whole->dtype, ==, narrow ? DTYPE_BF16 : DTYPE_F32);
  for (int i = 0; i < 24; i++)
    g_assert_cmpfloat (dtype_load (whole->data, whole->dtype, i), ==, (float) i);
  if (!reads_old)
    g_assert_cmpuint (ctx_peak_bytes (ctx), ==, 256); /* one buffer, rounded up */
  ctx_free (ctx);
  backend_free (backend);
}

static void
test_ops_put_fills_in_place (void)
{
  check_put (false, false);
  check_put (true, false);
  check_put (false, true);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  for (size_t i = 0; i < sizeof misfits / sizeof *misfits; i++)
    {
      g_autofree char *path = g_strdup_printf ("/ops/refuses/%s", misfits[i].name);
      g_test_add_data_func (path, &misfits[i], test_ops_refuses);
    }
  g_test_add_func ("/ops/need-their-operands", test_ops_need_their_operands);
  g_test_add_func ("/ops/give-the-documented-shapes", test_ops_give_the_documented_shapes);
  g_test_add_func ("/ops/put/fills-in-place", test_ops_put_fills_in_place);
  return g_test_run ();
}
