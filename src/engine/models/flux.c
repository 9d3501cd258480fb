/* SPDX-License-Identifier: MPL-2.0 */
#include "models/flux.h"

#include "models/flux-private.h"

static const float FLUX_EPS = 1e-6f;

/* ---- binding ---- */

static bool
is_sound (const FluxConfig *c)
{
  int axes = 0;
  for (int i = 0; i < FLUX_N_AXES; i++)
    axes += c->axes[i];
  return c->dim > 0 && c->n_heads > 0 && c->head_dim * c->n_heads == c->dim &&
         axes == c->head_dim && c->head_dim % 2 == 0 && c->n_double >= 0 && c->n_single >= 0 &&
         c->in_channels > 0 && c->out_channels > 0 && c->mlp_dim > 0 && c->time_dim > 0;
}

/* @q, @k, @v, @norm_q, @norm_k: under "NAME.attn." */
static FluxHeads
bind_heads (const Binder *b, const FluxConfig *c, const char *name, const char *const keys[5])
{
  int64_t d = c->dim;
  return (FluxHeads){
    .q = bind_linear (b, d, d, true, name_of ("%s.attn.%s", name, keys[0]).text),
    .k = bind_linear (b, d, d, true, name_of ("%s.attn.%s", name, keys[1]).text),
    .v = bind_linear (b, d, d, true, name_of ("%s.attn.%s", name, keys[2]).text),
    .norm_q = bind_scale (b, c->head_dim, name_of ("%s.attn.%s", name, keys[3]).text),
    .norm_k = bind_scale (b, c->head_dim, name_of ("%s.attn.%s", name, keys[4]).text),
  };
}

static const char *const image_heads[] = { "to_q", "to_k", "to_v", "norm_q", "norm_k" };
static const char *const text_heads[] = { "add_q_proj", "add_k_proj", "add_v_proj", "norm_added_q",
                                          "norm_added_k" };

static FluxStream
bind_stream (const Binder *b, const FluxConfig *c, const char *name, bool is_text)
{
  int64_t d = c->dim, m = c->mlp_dim;
  const char *out = is_text ? "to_add_out" : "to_out.0", *ff = is_text ? "ff_context" : "ff";
  return (FluxStream){
    .heads = bind_heads (b, c, name, is_text ? text_heads : image_heads),
    .out = bind_linear (b, d, d, true, name_of ("%s.attn.%s", name, out).text),
    .mlp_in = bind_linear (b, m, d, true, name_of ("%s.%s.net.0.proj", name, ff).text),
    .mlp_out = bind_linear (b, d, m, true, name_of ("%s.%s.net.2", name, ff).text),
  };
}

static FluxDouble
bind_double (const Binder *b, const FluxConfig *c, int i)
{
  Name name = name_of ("transformer.transformer_blocks.%d", i);
  return (FluxDouble){ .img = bind_stream (b, c, name.text, false),
                       .txt = bind_stream (b, c, name.text, true) };
}

static FluxSingle
bind_single (const Binder *b, const FluxConfig *c, int i)
{
  Name name = name_of ("transformer.single_transformer_blocks.%d", i);
  int64_t d = c->dim, m = c->mlp_dim;
  return (FluxSingle){
    .heads = bind_heads (b, c, name.text, image_heads),
    .mlp_in = bind_linear (b, m, d, true, name_of ("%s.proj_mlp", name.text).text),
    .out = bind_linear (b, d, d + m, true, name_of ("%s.proj_out", name.text).text),
  };
}

static void
bind_all (const Binder *b, Flux *flux)
{
  const FluxConfig *c = &flux->config;
  flux->img_in = bind_linear (b, c->dim, c->in_channels, true, "transformer.x_embedder");
  flux->txt_in = bind_linear (b, c->dim, c->context_dim, true, "transformer.context_embedder");
  for (int i = 0; i < c->n_double; i++)
    flux->doubles[i] = bind_double (b, c, i);
  for (int i = 0; i < c->n_single; i++)
    flux->singles[i] = bind_single (b, c, i);
  flux->proj_out = bind_linear (b, c->out_channels, c->dim, true, "transformer.proj_out");
}

Flux *
flux_bind (const Binder *b, const FluxConfig *config)
{
  if (!is_sound (config))
    {
      status_fail (b->status, STATUS_UNSUPPORTED,
                   "This transformer's configuration is not FLUX.1's.");
      return NULL;
    }
  Flux *flux = arena_alloc (b->arena, sizeof *flux, b->status);
  if (!flux)
    return NULL;
  flux->config = *config;
  flux->doubles =
      arena_alloc (b->arena, (size_t) config->n_double * sizeof *flux->doubles, b->status);
  flux->singles =
      arena_alloc (b->arena, (size_t) config->n_single * sizeof *flux->singles, b->status);
  if (!status_ok (b->status) || !flux_bind_modulation (b, flux))
    return NULL;
  bind_all (b, flux);
  return flux;
}

/* ---- a step ---- */

/* What every block takes. */
typedef struct
{
  Ctx *ctx;
  const FluxConfig *config;
  const Tensor *modulation, *positions;
  int64_t column; /* of the modulation: where the block's vectors begin */
} Step;

/* Vector @i of those at the step's column. */
static int64_t
vector (const Step *s, int i)
{
  return s->column + (int64_t) i * s->config->dim;
}

static Tensor *
modulated (const Step *s, const Tensor *x, int shift)
{
  return op_norm_modulate (s->ctx, x, s->modulation, vector (s, shift), vector (s, shift + 1),
                           FLUX_EPS);
}

/* Returns: x + gate * (y W^T + b) */
static Tensor *
gated (const Step *s, const Tensor *x, const Tensor *y, Layer layer, int gate)
{
  return op_linear_gated (s->ctx, y, layer, x, s->modulation, vector (s, gate));
}

/* @n_b NULL: one stream.  Text comes first.  Returns: what all tokens attend to */
static Tensor *
attend (const Step *s, const FluxHeads *a, const Tensor *n_a, const FluxHeads *b, const Tensor *n_b)
{
  Ctx *ctx = s->ctx;
  int n_heads = s->config->n_heads;
  Heads q_a = { op_linear (ctx, n_a, a->q, NULL), a->norm_q }, q_b = { 0 };
  if (n_b)
    q_b = (Heads){ op_linear (ctx, n_b, b->q, NULL), b->norm_q };
  Tensor *q = op_rope (ctx, q_a, q_b, n_heads, FLUX_EPS, s->positions);
  Heads k_a = { op_linear (ctx, n_a, a->k, NULL), a->norm_k }, k_b = { 0 };
  if (n_b)
    k_b = (Heads){ op_linear (ctx, n_b, b->k, NULL), b->norm_k };
  Tensor *k = op_rope (ctx, k_a, k_b, n_heads, FLUX_EPS, s->positions);
  Tensor *v = op_linear (ctx, n_a, a->v, NULL);
  if (n_b)
    v = op_join (ctx, v, op_linear (ctx, n_b, b->v, NULL));
  return op_attention (ctx, q, k, v, n_heads, false);
}

/* What follows attention in one stream of a double block. */
static Tensor *
finish_stream (const Step *s, const FluxStream *w, Tensor *x, const Tensor *attended)
{
  x = gated (s, x, attended, w->out, 2);
  Tensor *h = op_linear_unary (s->ctx, modulated (s, x, 3), w->mlp_in, UNARY_GELU_TANH);
  return gated (s, x, h, w->mlp_out, 5);
}

static void
double_block (Step *s, const FluxDouble *w, Tensor **img, Tensor **txt)
{
  Step text = *s;
  text.column += FLUX_STREAM_VECTORS * (int64_t) s->config->dim;
  Tensor *n_img = modulated (s, *img, 0), *n_txt = modulated (&text, *txt, 0);
  Tensor *a = attend (s, &w->txt.heads, n_txt, &w->img.heads, n_img);
  if (ctx_failed (s->ctx))
    return;
  int64_t n_text = (*txt)->ne[1], n_image = (*img)->ne[1];
  *img = finish_stream (s, &w->img, *img, op_tokens (s->ctx, a, n_text, n_image));
  *txt = finish_stream (&text, &w->txt, *txt, op_tokens (s->ctx, a, 0, n_text));
  s->column += 2 * FLUX_STREAM_VECTORS * (int64_t) s->config->dim;
}

static Tensor *
single_block (Step *s, const FluxSingle *w, Tensor *x)
{
  Tensor *n = modulated (s, x, 0);
  Tensor *a = attend (s, &w->heads, n, NULL, NULL);
  Tensor *m = op_linear_unary (s->ctx, n, w->mlp_in, UNARY_GELU_TANH);
  x = gated (s, x, op_concat (s->ctx, a, m), w->out, 2);
  s->column += FLUX_SINGLE_VECTORS * (int64_t) s->config->dim;
  return x;
}

int64_t
flux_n_in (const Flux *flux)
{
  return flux->img_in.weight ? flux->img_in.weight->ne[1] : flux->config.in_channels;
}

static bool
inputs_fit (const Flux *flux, const FluxInputs *in)
{
  const FluxConfig *c = &flux->config;
  int64_t n = in->img->ne[0], rows = tensor_rows (in->modulation);
  return in->img->rank == 3 && in->txt->rank == 3 && in->txt->ne[0] == n &&
         tensor_last (in->img) == flux_n_in (flux) && tensor_last (in->txt) == c->context_dim &&
         (rows == 1 || rows == n) && tensor_last (in->modulation) == flux_modulation_size (c) &&
         in->n_target > 0 && in->n_target <= in->img->ne[1];
}

Tensor *
flux_forward (Ctx *ctx, const Flux *flux, const FluxInputs *in)
{
  bool is_whole = in->img && in->txt && in->modulation && in->positions;
  if (ctx_failed (ctx) || !is_whole || !inputs_fit (flux, in))
    return ctx_fail (ctx, STATUS_SHAPE, "Internal error: inputs do not fit this FLUX model.");
  Step s = { ctx, &flux->config, in->modulation, in->positions, 0 };
  Tensor *img = op_linear (ctx, in->img, flux->img_in, NULL);
  Tensor *txt = op_linear (ctx, in->txt, flux->txt_in, NULL);
  for (int i = 0; i < flux->config.n_double; i++)
    double_block (&s, &flux->doubles[i], &img, &txt);
  Tensor *x = op_join (ctx, txt, img);
  for (int i = 0; i < flux->config.n_single; i++)
    x = single_block (&s, &flux->singles[i], x);
  x = op_tokens (ctx, x, in->txt->ne[1], in->n_target);
  return op_linear (ctx, modulated (&s, x, 0), flux->proj_out, NULL);
}
