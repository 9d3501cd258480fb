/* SPDX-License-Identifier: MPL-2.0
 * test-cuda.c - the CUDA backend on the emulator and the tests' driver: results, residency, faults.
 *
 * The network below uses every operator that a card's table has.  GESSO_CUDA_MODULE names the
 * emulated module (tests/device/meson.build).
 */
#include <dlfcn.h>
#include <glib.h>
#include <math.h>
#include <string.h>

#include "backend/backend.h"
#include "core/mem.h"
#include "fake-driver.h"
#include "ops/ops.h"
#include "weights/encode.h"

enum
{
  SIDE = 8,
  N_PIXELS = SIDE * SIDE,
  IN = 4,
  WIDTH = 64,
  N_HEADS = 2,
  HEAD_DIM = WIDTH / N_HEADS,
  VOCABULARY = 10,
  N_LAYERS = 6,
  PAGE = 4096,       /* as the environment says, too */
  TIGHT = 30 * PAGE, /* parameters come and go */
  MOST_PAGES = 70,   /* enough for all of it */
  MAX_WEIGHTS = 64
};

/* Of the largest value: each of some 40 operators rounds to 8 bits once. */
static const float BF16_TOLERANCE = 0.04f;

typedef struct
{
  Weight weights[MAX_WEIGHTS];
  void *memory[MAX_WEIGHTS];
  int n;
  GRand *random;
  Compute on_card;
  Layer conv_in, conv_out, film, time, scales, block[N_LAYERS], norm, head_norm;
  const Weight *table, *bias_table;
  SidePath side, more[3];
  ParamQuant quant;
  float book[16], scales_64[WIDTH * WIDTH / 64];
  float side_scale[4];
  float x[N_PIXELS * IN], t;
  float positions[N_PIXELS * HEAD_DIM];
} Net;

static FakeCuda *
fake (void)
{
  void *module = dlopen (g_getenv ("GESSO_CUDA_MODULE"), RTLD_NOW | RTLD_NOLOAD);
  FakeCudaEntry entry = module ? (FakeCudaEntry) dlsym (module, FAKE_CUDA_ENTRY) : NULL;
  g_assert_nonnull (entry);
  return entry ();
}

/* Random codes with a scale for every 64, as bitsandbytes has them. */
static void
fill_codes (Net *net, Weight *w, uint8_t *data, int64_t n, float scale)
{
  enum
  {
    RUN = 64
  };
  for (int i = 0; i < 16; i++)
    net->book[i] = (float) (i - 8) / 8;
  for (int64_t i = 0; i < n / 2; i++)
    data[i] = (uint8_t) g_rand_int_range (net->random, 0, 256);
  for (int64_t i = 0; i < n / RUN; i++)
    net->scales_64[i] = (float) g_rand_double_range (net->random, 0.5, 1) * scale;
  net->quant = (ParamQuant){ .scales = net->scales_64, .scale_run = RUN, .code_book = net->book };
  w->quant = &net->quant;
}

/* Random blocks of q4_0 or q5_0, which begin with their scale. */
static void
fill_blocks (Net *net, DType dtype, uint8_t *data, int64_t n, float scale)
{
  int block_bytes = dtype_block_bytes (dtype);
  uint16_t d = f32_to_f16 (scale / (dtype == DTYPE_Q4_0 ? 8 : 16));
  for (int64_t at = 0; at < dtype_bytes (dtype, n); at += block_bytes)
    {
      for (int i = 0; i < block_bytes; i++)
        data[at + i] = (uint8_t) g_rand_int_range (net->random, 0, 256);
      memcpy (data + at, &d, sizeof d);
    }
}

static const Weight *
add_weight (Net *net, DType dtype, int rank, const int64_t *ne, float scale, float offset)
{
  int64_t n = 1;
  Weight *w = &net->weights[net->n];
  for (int i = 0; i < rank; i++)
    n *= ne[i];
  g_autofree float *values = g_new (float, n);
  for (int64_t i = 0; i < n; i++)
    values[i] = (float) g_rand_double_range (net->random, -scale, scale) + offset;
  void *data = g_malloc ((gsize) dtype_bytes (dtype, n));
  if (encode_can (dtype))
    encode (data, dtype, values, n);
  *w = (Weight){ .name = "layer", .dtype = dtype, .rank = rank, .data = data };
  if (dtype == DTYPE_NF4)
    fill_codes (net, w, data, n, scale);
  if (dtype == DTYPE_Q4_0 || dtype == DTYPE_Q5_0)
    fill_blocks (net, dtype, data, n, scale);
  memcpy (w->ne, ne, (size_t) rank * sizeof *ne);
  net->memory[net->n++] = data;
  return w;
}

static const Weight *
add_row (Net *net, DType dtype, int64_t n, float scale, float offset)
{
  return add_weight (net, dtype, 1, &n, scale, offset);
}

static Layer
add_linear (Net *net, DType dtype, int64_t n_out, int64_t n_in)
{
  return (Layer){ add_weight (net, dtype, 2, (int64_t[]){ n_out, n_in },
                              1.7f / sqrtf ((float) n_in), 0),
                  add_row (net, DTYPE_F16, n_out, 0.1f, 0) };
}

static void
add_side_path (Net *net, SidePath *side, const Layer *layer)
{
  *side = (SidePath){
    .a = add_weight (net, DTYPE_F32, 2, (int64_t[]){ 4, layer->weight->ne[1] }, 0.1f, 0),
    .b = add_weight (net, DTYPE_F16, 2, (int64_t[]){ layer->weight->ne[0], 4 }, 0.1f, 0),
    .scale = net->side_scale,
    .rank = 4,
  };
  for (int i = 0; i < 4; i++)
    net->side_scale[i] = (float) i / 2;
  for (int i = 0; i < net->n; i++)
    if (&net->weights[i] == layer->weight)
      net->weights[i].side = side;
}

static Net *
net_new (DType dtype)
{
  Net *net = g_new0 (Net, 1);
  net->random = g_rand_new_with_seed (5);
  net->on_card = COMPUTE_BF16;
  const int64_t in[4] = { WIDTH, IN, 3, 3 }, out[4] = { IN, WIDTH, 3, 3 };
  net->conv_in = (Layer){ add_weight (net, DTYPE_F16, 4, in, 0.3f, 0),
                          add_row (net, DTYPE_F32, WIDTH, 0.1f, 0) };
  net->conv_out = (Layer){ add_weight (net, DTYPE_F32, 4, out, 0.07f, 0), NULL };
  net->film = (Layer){ add_weight (net, DTYPE_BF16, 5, (int64_t[]){ IN, IN, 3, 3, 3 }, 0.1f, 0),
                       add_row (net, DTYPE_F32, IN, 0.1f, 0) };
  net->time = add_linear (net, DTYPE_BF16, 2 * WIDTH, 32);
  net->scales = add_linear (net, DTYPE_F32, 3 * WIDTH, WIDTH);
  for (int i = 0; i < N_LAYERS; i++)
    net->block[i] = add_linear (net, dtype, WIDTH, WIDTH);
  net->norm = (Layer){ add_row (net, DTYPE_BF16, WIDTH, 0.2f, 1),
                       add_row (net, DTYPE_BF16, WIDTH, 0.2f, 0) };
  net->head_norm = (Layer){ add_row (net, DTYPE_F32, HEAD_DIM, 0.2f, 1), NULL };
  net->table = add_weight (net, DTYPE_F16, 2, (int64_t[]){ VOCABULARY, WIDTH }, 1, 0);
  net->bias_table = add_weight (net, DTYPE_F32, 2, (int64_t[]){ VOCABULARY, N_HEADS }, 1, 0);
  add_side_path (net, &net->side, &net->block[0]);
  for (int i = 0; i < N_PIXELS * IN; i++)
    net->x[i] = (float) g_rand_double_range (net->random, -2, 2);
  for (int i = 0; i < N_PIXELS * HEAD_DIM; i += 2)
    {
      net->positions[i] = cosf ((float) i * 0.01f);
      net->positions[i + 1] = sinf ((float) i * 0.01f);
    }
  net->t = 481.25f;
  return net;
}

static void
net_free (Net *net)
{
  for (int i = 0; i < net->n; i++)
    g_free (net->memory[i]);
  g_rand_free (net->random);
  g_free (net);
}

static Tensor *
attend (Ctx *ctx, Net *net, const Tensor *x, const Tensor *positions)
{
  enum
  {
    N_BIASES = 2 * N_PIXELS - 1
  };
  static int32_t rows[N_BIASES];
  for (int i = 0; i < N_BIASES; i++)
    rows[i] = i % VOCABULARY;
  AttentionOptions options = { .relative_bias = op_lookup (ctx, rows, N_BIASES, net->bias_table) };
  Tensor *q = op_linear (ctx, x, net->block[0], NULL), *v = op_linear (ctx, x, net->block[1], NULL);
  Tensor *k =
      op_rope (ctx, (Heads){ q, net->head_norm.weight }, (Heads){ 0 }, N_HEADS, 1e-6f, positions);
  Tensor *y = op_attention_biased (ctx, k, k, v, N_HEADS, options);
  return op_linear (ctx, y, net->block[2], x);
}

/* Tokens that texts begin with, and rows of what comes out. */
static Tensor *
speak (Ctx *ctx, Net *net, const Tensor *x)
{
  static const int32_t ids[] = { 3, 1, 4 }, picked[] = { 2, 60 };
  Tensor *words = op_embed (ctx, ids, 1, 3, net->table, NULL);
  Tensor *all = op_join (ctx, words, op_tokens (ctx, x, 1, N_PIXELS - 3));
  Tensor *rows = op_rows (ctx, op_rms_norm_silu (ctx, all, net->norm.weight, 1e-6f), picked, 2);
  Tensor *wide = op_concat (ctx, rows, rows);
  Tensor *gated = op_geglu (ctx, wide);
  Tensor *one = op_view (ctx, gated, 1, (int64_t[]){ 2 * WIDTH });
  return op_columns (ctx, op_view (ctx, one, 2, (int64_t[]){ 2, WIDTH }), 0, WIDTH);
}

/* As a frame of a clip: with one before it, and around a level that halves it. */
static Tensor *
film (Ctx *ctx, Net *net, const Tensor *x)
{
  const int64_t half[4] = { 1, SIDE / 2, SIDE / 2, IN };
  Tensor *y = op_conv3d (ctx, (const Tensor *[]){ NULL, x, x }, net->film, x);
  Tensor *small = op_resize (ctx, y, half[1], half[2]);
  small = op_avg_down (ctx, (const Tensor *[]){ x, y }, (AvgDown){ 2, 2 }, small);
  /* a token at a time, as what is shared out is joined again */
  Tensor *tokens = op_view (ctx, small, 3, (int64_t[]){ 1, half[1] * half[2], IN });
  Tensor *whole = op_room (ctx, true, half[1] * half[2], IN);
  whole = op_put (ctx, whole, op_tokens (ctx, tokens, 0, 5), 0);
  whole = op_put (ctx, whole, op_tokens (ctx, tokens, 5, half[1] * half[2] - 5), 5);
  return op_dup_up (ctx, op_view (ctx, whole, 4, half), (DupUp){ 1, 2, 2 }, y);
}

static Tensor *
forward (Ctx *ctx, Net *net)
{
  DType type = ctx_activation (ctx);
  const int64_t picture[4] = { 1, SIDE, SIDE, IN }, tokens[3] = { 1, N_PIXELS, WIDTH };
  Tensor *in = film (ctx, net, ctx_input (ctx, type, 4, picture, net->x));
  Tensor *t = ctx_input (ctx, DTYPE_F32, 1, (int64_t[]){ 1 }, &net->t);
  Tensor *positions =
      ctx_input (ctx, DTYPE_F32, 2, (int64_t[]){ N_PIXELS, HEAD_DIM }, net->positions);
  Tensor *time = op_linear (ctx, op_sinusoid (ctx, t, 1, 32), net->time, NULL);
  Tensor *vec = op_columns (ctx, op_unary (ctx, UNARY_SILU, time), WIDTH, WIDTH);
  vec = op_add (ctx, vec, op_linear_geglu (ctx, op_sinusoid (ctx, t, 1, 32), net->time));
  Tensor *scales = op_linear (ctx, vec, net->scales, NULL);
  Tensor *x = op_conv2d (ctx, in, net->conv_in, (ConvOptions){ .channel_add = vec });
  x = op_group_norm (ctx, x, net->norm, 8, 1e-5f, true);
  Tensor *seen = attend (ctx, net, op_view (ctx, x, 3, tokens), positions);
  Tensor *n = op_norm_modulate (ctx, seen, scales, 0, WIDTH, 1e-6f);
  Tensor *up = op_linear_unary (ctx, n, net->block[3], UNARY_GELU),
         *gate = op_linear (ctx, n, net->block[4], NULL);
  x = op_linear_gated (ctx, op_gated (ctx, UNARY_GELU_TANH, up, gate), net->block[5], seen, scales,
                       2 * WIDTH);
  x = op_add_gated (ctx, x, up, scales, WIDTH);
  x = op_layer_norm (ctx, x, net->norm, 1e-5f);
  Tensor *spoken = speak (ctx, net, x);
  x = op_add (ctx, x,
              op_view (ctx, op_rows (ctx, spoken, (int32_t[]){ 1 }, 1), 1, (int64_t[]){ WIDTH }));
  x = op_resize (ctx, op_view (ctx, x, 4, (int64_t[]){ 1, SIDE, SIDE, WIDTH }), SIDE / 2, SIDE / 2);
  return op_conv2d (ctx, x, net->conv_out, (ConvOptions){ .upsample2 = true });
}

/* Several passes through the network; the last result.  NULL and @status after a failure. */
static float *
run_in (Backend *backend, Compute compute, Net *net, int n_passes, Status *status)
{
  Ctx *ctx = backend ? ctx_new (backend, compute, NULL, status) : NULL;
  float *result = NULL;
  if (ctx)
    {
      forward (ctx, net);
      bool ok = ctx_plan (ctx);
      for (int i = 0; ok && i < n_passes; i++)
        {
          Tensor *out = ctx_begin_run (ctx) ? forward (ctx, net) : NULL;
          const float *values = ctx_end_run (ctx) ? ctx_read (ctx, out) : NULL;
          g_free (result);
          result = values ? g_memdup2 (values, N_PIXELS * IN * sizeof *values) : NULL;
          ok = values != NULL;
        }
      if (!ok)
        status_fail (status, ctx_status (ctx)->code, "%s", ctx_status (ctx)->message);
    }
  ctx_free (ctx);
  return result;
}

/* In f32 on the processor, in bf16 or 8 bits on a card. */
static float *
run (Backend *backend, Net *net, int n_passes, Status *status)
{
  bool is_card = backend && backend->device.memory;
  return run_in (backend, is_card ? net->on_card : COMPUTE_F32, net, n_passes, status);
}

static float *
run_on_card (Net *net, int64_t limit_bytes, int n_passes, Status *status)
{
  Backend *backend = backend_cuda_new (0, limit_bytes, status);
  float *result = run (backend, net, n_passes, status);
  backend_free (backend);
  return result;
}

static void
assert_nothing_left (void)
{
  const FakeCuda *f = fake ();
  g_assert_cmpint (f->n_misuses, ==, 0);
  g_assert_cmpint (f->n_contexts + f->n_streams + f->n_events + f->n_host + f->n_graphs, ==, 0);
  g_assert_cmpint (f->n_pages + f->n_ranges + f->n_mapped, ==, 0);
}

/* ---- results ---- */

static void
assert_within (const float *have, const float *want, float tolerance)
{
  float largest = 0, worst = 0;
  for (int i = 0; i < N_PIXELS * IN; i++)
    {
      largest = fmaxf (largest, fabsf (want[i]));
      worst = isnan (have[i]) ? INFINITY : fmaxf (worst, fabsf (have[i] - want[i]));
    }
  g_test_message ("off by %.2g of the largest value", (double) (worst / largest));
  g_assert_cmpfloat (worst, <=, tolerance * largest);
}

static void
assert_near (const float *have, const float *want)
{
  assert_within (have, want, BF16_TOLERANCE);
}

/* Kernels read these formats as they are, or get them in 16 bits. */
static void
test_cuda_equals_cpu (void)
{
  static const DType formats[] = { DTYPE_F32,  DTYPE_F16,  DTYPE_BF16, DTYPE_F8_E4M3, DTYPE_Q8_0,
                                   DTYPE_Q5_0, DTYPE_Q4_K, DTYPE_Q4_0, DTYPE_NF4 };
  for (size_t i = 0; i < G_N_ELEMENTS (formats); i++)
    {
      Status status = { 0 };
      Net *net = net_new (formats[i]);
      Backend *cpu = backend_cpu_new (NULL, 1, &status);
      g_autofree float *want = run (cpu, net, 1, &status);
      g_autofree float *have = run_on_card (net, 0, 2, &status);
      g_assert_cmpstr (status.message, ==, "");
      g_test_message ("%s", dtype_name (formats[i]));
      assert_near (have, want);
      backend_free (cpu);
      net_free (net);
      assert_nothing_left ();
    }
}

/* One card takes turns: what it keeps of parameters for one type serves no other. */
static void
test_cuda_computes_in_three_types (void)
{
  static const struct
  {
    Compute compute;
    float tolerance; /* a share of bf16's: 3 bits more, and some 15 (both sum in f32) */
  } types[] = {
    { COMPUTE_BF16, 1 }, { COMPUTE_F16, 0.125f }, { COMPUTE_F32, 1e-4f }, { COMPUTE_BF16, 1 }
  };
  Status status = { 0 };
  Net *net = net_new (DTYPE_F32);
  Backend *cpu = backend_cpu_new (NULL, 1, &status), *card = backend_cuda_new (0, 0, &status);
  g_autofree float *want = run (cpu, net, 1, &status);
  for (size_t i = 0; i < G_N_ELEMENTS (types); i++)
    {
      g_autofree float *have = run_in (card, types[i].compute, net, 1, &status);
      g_assert_cmpstr (status.message, ==, "");
      assert_within (have, want, BF16_TOLERANCE * types[i].tolerance);
    }
  backend_free (card);
  backend_free (cpu);
  net_free (net);
  assert_nothing_left ();
}

static void
test_cuda_fused_products_equal_their_parts (void)
{
  Status status = { 0 };
  Net *net = net_new (DTYPE_F32);
  Backend *card = backend_cuda_new (0, 0, &status);
  int64_t n_launches[2];
  float *pictures[2];
  g_free (run (card, net, 1, &status)); /* parameters are there, and rounded */
  for (int fused = 0; fused < 2; fused++)
    {
      card->fuses = fused;
      fake ()->n_launches = 0;
      pictures[fused] = run (card, net, 1, &status);
      n_launches[fused] = fake ()->n_launches;
      g_assert_cmpstr (status.message, ==, "");
    }
  g_test_message ("%d launches, %d in parts", (int) n_launches[1], (int) n_launches[0]);
  g_assert_cmpint (n_launches[1], ==, n_launches[0] - 3);
  assert_near (pictures[1], pictures[0]);
  g_free (pictures[0]);
  g_free (pictures[1]);
  backend_free (card);
  net_free (net);
  assert_nothing_left ();
}

/* Beside a product that is followed by GEGLU, by an activation and by a gate; and what a scale of 0
 * means.  A moved scale is seen, one that was not moved is not copied again. */
static void
test_cuda_adapters_ride_along (void)
{
  Status status = { 0 };
  Net *net = net_new (DTYPE_F32);
  add_side_path (net, &net->more[0], &net->time);
  add_side_path (net, &net->more[1], &net->block[3]);
  add_side_path (net, &net->more[2], &net->block[5]);
  net->more[1].bias = add_row (net, DTYPE_F32, WIDTH, 0.3f, 0);
  Backend *card = backend_cuda_new (0, 0, &status), *cpu = backend_cpu_new (NULL, 1, &status);
  for (int zeros = 1; zeros >= 0; zeros--)
    {
      net->side_scale[0] = zeros ? 0 : -0.75f;
      int64_t n_launches[2];
      size_t copied[2];
      g_autofree float *want = run (cpu, net, 1, &status);
      for (int fused = 0; fused < 2; fused++)
        {
          card->fuses = fused;
          g_free (run (card, net, 1, &status)); /* parameters are there */
          fake ()->n_launches = 0;
          fake ()->copied_bytes = 0;
          g_autofree float *have = run (card, net, 1, &status);
          n_launches[fused] = fake ()->n_launches;
          copied[fused] = fake ()->copied_bytes;
          g_assert_cmpstr (status.message, ==, "");
          assert_near (have, want);
        }
      g_test_message ("%d launches and %zu bytes copied, in parts %d and %zu", (int) n_launches[1],
                      copied[1], (int) n_launches[0], copied[0]);
      /* five layers are adapted, time twice; scales, unless one of them is 0, and what follows */
      g_assert_cmpint (n_launches[0] - n_launches[1], ==, zeros ? 3 : 3 + 5);
      g_assert_cmpuint (copied[0] - copied[1], ==, 5 * sizeof net->side_scale);
    }
  backend_free (cpu);
  backend_free (card);
  net_free (net);
  assert_nothing_left ();
}

static void
test_cuda_sees_new_parameters_once_told (void)
{
  Status status = { 0 };
  Net *net = net_new (DTYPE_F32);
  Backend *cpu = backend_cpu_new (NULL, 1, &status);
  Backend *card = backend_cuda_new (0, 0, &status);
  g_autofree float *before = run (card, net, 1, &status);
  float *weights = (float *) net->memory[0]; /* of another layer: block[0], below */
  for (int i = 0; i < net->n; i++)
    if (&net->weights[i] == net->block[2].weight)
      weights = net->memory[i];
  for (int i = 0; i < WIDTH * WIDTH; i++)
    weights[i] = -weights[i];
  backend_forget (card);
  g_autofree float *after = run (card, net, 1, &status);
  g_autofree float *want = run (cpu, net, 1, &status);
  g_assert_cmpstr (status.message, ==, "");
  assert_near (after, want);
  g_assert_true (memcmp (before, after, N_PIXELS * IN * sizeof *after) != 0);
  backend_free (card);
  backend_free (cpu);
  net_free (net);
  assert_nothing_left ();
}

/* ---- instructions of one kind of card ---- */

enum
{
  N_TOKENS = 160, /* more than a tile of wgmma has rows */
  TOKEN_DIM = 128,
  /* The same numbers as pixels, and enough channels for as many blocks as a convolution needs. */
  N_LINES = 40,
  LINE = 16,
  PIXEL_DIM = 32,
  WIDE_DIM = 896
};

typedef struct
{
  Layer in, both, out, norm, film, narrow;
  float x[N_TOKENS * TOKEN_DIM];
} Mlp;

static Tensor *
run_mlp (Ctx *ctx, Mlp *m)
{
  const int64_t ne[3] = { 1, N_TOKENS, TOKEN_DIM };
  Tensor *x = ctx_input (ctx, ctx_activation (ctx), 3, ne, m->x);
  Tensor *h = op_linear_unary (ctx, x, m->in, UNARY_GELU_TANH);
  return op_linear (ctx, op_linear_geglu (ctx, h, m->both), m->out, x);
}

static Tensor *
run_attention (Ctx *ctx, Mlp *m)
{
  const int64_t ne[3] = { 1, N_TOKENS, TOKEN_DIM };
  Tensor *x = ctx_input (ctx, ctx_activation (ctx), 3, ne, m->x);
  return op_attention (ctx, x, x, x, 2, false);
}

static Tensor *
run_conv (Ctx *ctx, Mlp *m)
{
  const int64_t ne[4] = { 1, N_LINES, LINE, PIXEL_DIM };
  Tensor *x = ctx_input (ctx, ctx_activation (ctx), 4, ne, m->x);
  Tensor *y = op_conv3d (ctx, (const Tensor *[]){ NULL, x, x }, m->film, NULL);
  return op_linear (ctx, y, m->narrow, x);
}

typedef Tensor *(*Block) (Ctx *ctx, Mlp *m);

static float *
block_on (Backend *backend, Compute compute, Block block, Mlp *m, Status *status)
{
  Ctx *ctx = ctx_new (backend, compute, NULL, status);
  block (ctx, m);
  g_assert_true (ctx_plan (ctx) && ctx_begin_run (ctx));
  Tensor *out = block (ctx, m);
  ctx_end_run (ctx);
  g_assert_cmpstr (ctx_status (ctx)->message, ==, "");
  float *result = g_memdup2 (ctx_read (ctx, out), sizeof m->x);
  ctx_free (ctx);
  return result;
}

/* On 9.0 by wgmma, which needs @n_maps of its tensors; elsewhere by mma.sync. */
static void
assert_hopper_has_its_own (Block block, int n_maps)
{
  const struct
  {
    const char *card;
    int n_maps;
  } cards[] = { { "8.9", 0 }, { "9.0", n_maps }, { "12.0", 0 } };
  Status status = { 0 };
  Net *net = net_new (DTYPE_F32);
  Mlp *m = g_new0 (Mlp, 1);
  m->in = add_linear (net, DTYPE_BF16, 2 * TOKEN_DIM, TOKEN_DIM);
  m->both = add_linear (net, DTYPE_F16, 4 * TOKEN_DIM, 2 * TOKEN_DIM);
  m->out = add_linear (net, DTYPE_F32, TOKEN_DIM, 2 * TOKEN_DIM);
  const int64_t film[] = { WIDE_DIM, PIXEL_DIM, 3, 1, 1 };
  m->film = (Layer){ add_weight (net, DTYPE_BF16, 5, film, 0.1f, 0), NULL };
  m->narrow = add_linear (net, DTYPE_BF16, PIXEL_DIM, WIDE_DIM);
  for (int i = 0; i < N_TOKENS * TOKEN_DIM; i++)
    m->x[i] = (float) g_rand_double_range (net->random, -1, 1);
  Backend *cpu = backend_cpu_new (NULL, 1, &status);
  g_autofree float *want = block_on (cpu, COMPUTE_F32, block, m, &status);
  for (size_t i = 0; i < G_N_ELEMENTS (cards); i++)
    {
      g_setenv ("FAKE_CUDA_CARDS", cards[i].card, true);
      fake ()->n_tensor_maps = 0;
      Backend *card = backend_cuda_new (0, 0, &status);
      g_autofree float *have = block_on (card, COMPUTE_BF16, block, m, &status);
      g_assert_cmpint (fake ()->n_tensor_maps, ==, cards[i].n_maps);
      float largest = 0, worst = 0;
      for (int k = 0; k < N_TOKENS * TOKEN_DIM; k++)
        {
          largest = fmaxf (largest, fabsf (want[k]));
          worst = isnan (have[k]) ? INFINITY : fmaxf (worst, fabsf (have[k] - want[k]));
        }
      g_test_message ("%s: off by %.4f of the largest value", card->level,
                      (double) (worst / largest));
      g_assert_cmpfloat (worst, <=, BF16_TOLERANCE * largest);
      backend_free (card);
      assert_nothing_left ();
    }
  g_setenv ("FAKE_CUDA_CARDS", "8.9", true);
  backend_free (cpu);
  g_free (m);
  net_free (net);
}

/* ---- products of 8 bits ---- */

/* A norm, whose result two products read; one of another type; a norm that rounds its result
 * itself, because the memory for that is there now; and a product in the place of a residual. */
static Tensor *
run_narrow (Ctx *ctx, Mlp *m)
{
  const int64_t ne[3] = { 1, N_TOKENS, TOKEN_DIM };
  Tensor *x = ctx_input (ctx, ctx_activation (ctx), 3, ne, m->x);
  Tensor *n = op_layer_norm (ctx, x, m->norm, 1e-5f);
  Tensor *h = op_linear_geglu (ctx, n, m->both);
  Tensor *a = op_linear (ctx, n, m->in, NULL);
  Tensor *y = op_linear (ctx, h, m->out, a);
  return op_linear (ctx, op_layer_norm (ctx, y, m->norm, 1e-5f), m->in, n);
}

/* Rows and columns with scales of their own, of powers of two: decoding is exact in any type. */
static void
scale_rows (Weight *w, ParamQuant *q, float *scales)
{
  for (int64_t i = 0; i < w->ne[0]; i++)
    scales[i] = i % 2 ? 0.25f : 1;
  *q = (ParamQuant){ .scales = scales, .scale_run = w->ne[1] };
  w->quant = q;
}

/* The root of the mean square of the difference, of that of @want. */
static double
distance (const float *have, const float *want)
{
  double errors = 0, squares = 0;
  for (int i = 0; i < N_TOKENS * TOKEN_DIM; i++)
    {
      errors += ((double) have[i] - want[i]) * ((double) have[i] - want[i]);
      squares += (double) want[i] * want[i];
    }
  return sqrt (errors / squares);
}

/* Rounding a value to e4m3 costs 2^-4 of it at most and 0.026 on average, rounding to bf16 32 times
 * less; four products follow one another, of which residuals carry a part past. */
static void
test_cuda_multiplies_eight_bits (void)
{
  static const char *const cards[] = { "8.9", "9.0", "12.0", "8.6" };
  static const double most = 4 * 0.026;
  Status status = { 0 };
  Net *net = net_new (DTYPE_F32);
  Mlp *m = g_new0 (Mlp, 1);
  ParamQuant quant;
  float scales[4 * TOKEN_DIM];
  m->in = add_linear (net, DTYPE_F8_E4M3, TOKEN_DIM, TOKEN_DIM);
  m->both = add_linear (net, DTYPE_F8_E4M3, 4 * TOKEN_DIM, TOKEN_DIM);
  m->out = add_linear (net, DTYPE_BF16, TOKEN_DIM, 2 * TOKEN_DIM);
  m->norm = (Layer){ add_row (net, DTYPE_F32, TOKEN_DIM, 0.3f, 1),
                     add_row (net, DTYPE_F32, TOKEN_DIM, 0.1f, 0) };
  scale_rows ((Weight *) m->both.weight, &quant, scales);
  for (int i = 0; i < N_TOKENS * TOKEN_DIM; i++)
    m->x[i] = (float) g_rand_double_range (net->random, -1, 1);
  Backend *cpu = backend_cpu_new (NULL, 1, &status);
  g_autofree float *want = block_on (cpu, COMPUTE_F32, run_narrow, m, &status);
  for (size_t i = 0; i < G_N_ELEMENTS (cards); i++)
    {
      g_setenv ("FAKE_CUDA_CARDS", cards[i], true);
      Backend *card = backend_cuda_new (0, 0, &status);
      g_autofree float *wide = block_on (card, COMPUTE_BF16, run_narrow, m, &status);
      g_autofree float *narrow = block_on (card, COMPUTE_FP8, run_narrow, m, &status);
      double in_16 = distance (wide, want), in_8 = distance (narrow, want);
      g_test_message ("%s: off by %.4f, in 16 bits by %.4f", card->level, in_8, in_16);
      g_assert_cmpfloat (in_16, <, most / 8);
      g_assert_cmpfloat (in_8, <, most);
      g_assert_true (card->has_fp8 == (i < 3));
      if (card->has_fp8)
        g_assert_cmpfloat (in_8, >, 2 * in_16);
      backend_free (card);
      assert_nothing_left ();
    }
  g_assert_cmpstr (status.message, ==, "");
  g_setenv ("FAKE_CUDA_CARDS", "8.9", true);
  backend_free (cpu);
  g_free (m);
  net_free (net);
}

static void
test_cuda_hopper_has_its_own_products (void)
{
  assert_hopper_has_its_own (run_mlp, 6);
}

static void
test_cuda_hopper_has_its_own_attention (void)
{
  assert_hopper_has_its_own (run_attention, 3);
}

/* Two frames and a weight. */
static void
test_cuda_hopper_has_its_own_convolution (void)
{
  assert_hopper_has_its_own (run_conv, 3);
}

/* ---- memory ---- */

/* With numbers of pages from @n_pages, too few, to enough: the same bits or a clear sentence, and
 * never a page more than allowed. */
static void
assert_keeps_its_limit (DType weights, int n_pages)
{
  Status status = { 0 };
  fake ()->copied_bytes = 0;
  Net *net = net_new (weights);
  net->on_card = weights == DTYPE_F8_E4M3 ? COMPUTE_FP8 : COMPUTE_BF16;
  g_autofree float *want = run_on_card (net, 0, 1, &status);
  int n_refused = 0, n_drawn = 0, n_streamed = 0;
  size_t once = fake ()->copied_bytes, inputs = sizeof net->positions + sizeof net->x;
  g_assert_cmpstr (status.message, ==, "");
  for (; n_pages <= MOST_PAGES; n_pages += g_test_slow () ? 3 : 6)
    {
      status = (Status){ 0 };
      fake ()->most_used_bytes = fake ()->copied_bytes = 0;
      g_autofree float *have = run_on_card (net, (int64_t) n_pages * PAGE + PAGE / 2, 3, &status);
      g_assert_cmpuint (fake ()->most_used_bytes, <=, (size_t) n_pages * PAGE);
      assert_nothing_left ();
      n_drawn += have != NULL;
      n_refused += have == NULL;
      n_streamed += have && fake ()->copied_bytes > once + 4 * inputs;
      g_test_message ("%d pages: %zu bytes copied", n_pages, fake ()->copied_bytes);
      if (have)
        g_assert_cmpmem (have, N_PIXELS * IN * sizeof *have, want, N_PIXELS * IN * sizeof *want);
      else
        g_assert_cmpint (status.code, ==, STATUS_NO_MEMORY);
    }
  g_assert_cmpint (n_refused, >, 0);
  g_assert_cmpint (n_streamed, >, 0);
  g_assert_cmpint (n_drawn, >, n_streamed);
  net_free (net);
}

static void
test_cuda_keeps_its_limit (void)
{
  assert_keeps_its_limit (DTYPE_F32, 1);
}

static void
test_cuda_keeps_its_limit_in_eight_bits (void)
{
  assert_keeps_its_limit (DTYPE_F8_E4M3, g_test_slow () ? 1 : 4);
}

/* Another program takes all but a few pages between two passes. */
static void
test_cuda_makes_do_with_what_is_left (void)
{
  Status status = { 0 };
  Net *net = net_new (DTYPE_F32);
  size_t before = fake ()->memory_bytes;
  int n_drawn = 0;
  g_autofree float *want = run_on_card (net, 0, 1, &status);
  for (int n_left = 0; n_left < MOST_PAGES; n_left += 9)
    {
      status = (Status){ 0 };
      Backend *card = backend_cuda_new (0, 0, &status);
      g_assert_nonnull (card);
      fake ()->memory_bytes = (size_t) n_left * PAGE;
      g_autofree float *have = run (card, net, 2, &status);
      fake ()->memory_bytes = before;
      backend_free (card);
      assert_nothing_left ();
      n_drawn += have != NULL;
      if (have)
        g_assert_cmpmem (have, N_PIXELS * IN * sizeof *have, want, N_PIXELS * IN * sizeof *want);
      else
        g_assert_cmpint (status.code, ==, STATUS_NO_MEMORY);
    }
  g_assert_cmpint (n_drawn, >, 0);
  net_free (net);
}

/* ---- faults ---- */

static bool
is_sentence (const char *text)
{
  return (strstr (text, "NVIDIA") || strstr (text, "graphics card")) &&
         g_str_has_suffix (text, ".");
}

/* Every call of the driver and every launch fails once, or one of @step does.  Only what frees may
 * fail unheard, when the result is there.  Kernels do nothing, or this would take a minute. */
static void
assert_survives_faults (DType weights, int step)
{
  static const int errors[] = { 700, 2 }; /* an illegal address; out of memory */
  Status status = { 0 };
  Net *net = net_new (weights);
  net->on_card = weights == DTYPE_F8_E4M3 ? COMPUTE_FP8 : COMPUTE_BF16;
  g_free (run_on_card (net, TIGHT, 1, &status));
  FakeCuda *f = fake ();
  f->is_idle = true;
  f->n_calls = 0;
  g_free (run_on_card (net, TIGHT, 2, &status));
  int64_t n = f->n_calls, n_heard = 0;
  g_assert_cmpstr (status.message, ==, "");
  for (size_t e = 0; e < G_N_ELEMENTS (errors); e++)
    for (int64_t i = 1; i <= n; i += step)
      {
        status = (Status){ 0 };
        f->n_calls = 0;
        f->fail_at = i;
        f->error = errors[e];
        g_autofree float *have = run_on_card (net, TIGHT, 2, &status);
        f->fail_at = 0;
        n_heard += !have;
        if (!have && (!is_sentence (status.message) || f->n_misuses))
          g_error ("call %d of %d, error %d: %s", (int) i, (int) n, errors[e], status.message);
        assert_nothing_left ();
      }
  g_test_message ("%d calls, %d faults heard", (int) n, (int) n_heard);
  g_assert_cmpint (n_heard, >, n / step);
  f->is_idle = false;
  net_free (net);
}

static void
test_cuda_survives_each_fault (void)
{
  assert_survives_faults (DTYPE_F32, 1);
}

static void
test_cuda_survives_faults_in_eight_bits (void)
{
  assert_survives_faults (DTYPE_F8_E4M3, g_test_slow () ? 1 : 3);
}

/* The program's own memory runs out in turn, too. */
static void
test_cuda_survives_each_allocation (void)
{
  Net *net = net_new (DTYPE_F32);
  Status status = { 0 };
  g_free (run_on_card (net, 0, 1, &status));
  fake ()->is_idle = true;
  status = (Status){ 0 };
  mem_fail_at (0);
  g_free (run_on_card (net, 0, 1, &status));
  int64_t n = mem_count ();
  for (int64_t i = 1; i <= n; i++)
    {
      status = (Status){ 0 };
      mem_fail_at (i);
      g_autofree float *have = run_on_card (net, 0, 1, &status);
      mem_fail_at (0);
      g_assert_true (have || status.code == STATUS_NO_MEMORY);
      assert_nothing_left ();
    }
  fake ()->is_idle = false;
  net_free (net);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/cuda/equals-cpu", test_cuda_equals_cpu);
  g_test_add_func ("/cuda/computes-in-three-types", test_cuda_computes_in_three_types);
  g_test_add_func ("/cuda/fused-products-equal-their-parts",
                   test_cuda_fused_products_equal_their_parts);
  g_test_add_func ("/cuda/adapters-ride-along", test_cuda_adapters_ride_along);
  g_test_add_func ("/cuda/sees-new-parameters-once-told", test_cuda_sees_new_parameters_once_told);
  g_test_add_func ("/cuda/hopper-has-its-own-products", test_cuda_hopper_has_its_own_products);
  g_test_add_func ("/cuda/hopper-has-its-own-attention", test_cuda_hopper_has_its_own_attention);
  g_test_add_func ("/cuda/hopper-has-its-own-convolution",
                   test_cuda_hopper_has_its_own_convolution);
  g_test_add_func ("/cuda/multiplies-eight-bits", test_cuda_multiplies_eight_bits);
  g_test_add_func ("/cuda/keeps-its-limit", test_cuda_keeps_its_limit);
  g_test_add_func ("/cuda/keeps-its-limit-in-eight-bits", test_cuda_keeps_its_limit_in_eight_bits);
  g_test_add_func ("/cuda/makes-do-with-what-is-left", test_cuda_makes_do_with_what_is_left);
  g_test_add_func ("/cuda/survives-each-fault", test_cuda_survives_each_fault);
  g_test_add_func ("/cuda/survives-faults-in-eight-bits", test_cuda_survives_faults_in_eight_bits);
  g_test_add_func ("/cuda/survives-each-allocation", test_cuda_survives_each_allocation);
  return g_test_run ();
}
