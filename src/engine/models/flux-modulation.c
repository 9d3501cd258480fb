/* SPDX-License-Identifier: MPL-2.0
 * flux-modulation.c - shifts, scales and gates of all norms, from time, guidance and pooled text.
 *
 * Columns: for each double block the image's six vectors and the text's six (shift, scale, gate of
 * attention, then of the MLP), for each single block three, then shift and scale of the last norm.
 */
#include <string.h>

#include "models/flux-private.h"

static const float TIMES = 1000; /* time and guidance are embedded as thousandths */

int64_t
flux_modulation_size (const FluxConfig *c)
{
  int64_t n_vectors = 2 * FLUX_STREAM_VECTORS * (int64_t) c->n_double +
                      FLUX_SINGLE_VECTORS * (int64_t) c->n_single + FLUX_FINAL_VECTORS;
  return n_vectors * c->dim;
}

static FluxEmbedder
bind_embedder (const Binder *b, const FluxConfig *c, int n_in, const char *kind)
{
  Name name = name_of ("transformer.time_text_embed.%s_embedder", kind);
  return (FluxEmbedder){
    .in = bind_linear (b, c->dim, n_in, true, name_of ("%s.linear_1", name.text).text),
    .out = bind_linear (b, c->dim, c->dim, true, name_of ("%s.linear_2", name.text).text),
  };
}

static void
bind_layers (const Binder *b, const FluxConfig *c, Layer *next)
{
  int64_t d = c->dim;
  for (int i = 0; i < c->n_double; i++)
    {
      Name n = name_of ("transformer.transformer_blocks.%d", i);
      *next++ = bind_linear (b, FLUX_STREAM_VECTORS * d, d, true,
                             name_of ("%s.norm1.linear", n.text).text);
      *next++ = bind_linear (b, FLUX_STREAM_VECTORS * d, d, true,
                             name_of ("%s.norm1_context.linear", n.text).text);
    }
  for (int i = 0; i < c->n_single; i++)
    *next++ =
        bind_linear (b, FLUX_SINGLE_VECTORS * d, d, true,
                     name_of ("transformer.single_transformer_blocks.%d.norm.linear", i).text);
  *next++ = bind_linear (b, d, d, true, "transformer.norm_out.shift");
  *next++ = bind_linear (b, d, d, true, "transformer.norm_out.scale");
}

bool
flux_bind_modulation (const Binder *b, Flux *flux)
{
  const FluxConfig *c = &flux->config;
  FluxModulation *m = &flux->modulation;
  m->n_layers = 2 * c->n_double + c->n_single + FLUX_FINAL_VECTORS;
  m->layers = arena_alloc (b->arena, (size_t) m->n_layers * sizeof *m->layers, b->status);
  if (!m->layers)
    return false;
  m->time = bind_embedder (b, c, c->time_dim, "timestep");
  if (c->has_guidance)
    m->guidance = bind_embedder (b, c, c->time_dim, "guidance");
  m->pooled = bind_embedder (b, c, c->pooled_dim, "text");
  bind_layers (b, c, m->layers);
  return true;
}

/* Returns: (n, dim), plus @add */
static Tensor *
embed (Ctx *ctx, const FluxEmbedder *e, const Tensor *x, const Tensor *add)
{
  Tensor *h = op_linear_unary (ctx, x, e->in, UNARY_SILU);
  return op_linear (ctx, h, e->out, add);
}

/* The columns of @n layers: joined half by half, so that few copies are alive at once. */
static Tensor *
join_layers (Ctx *ctx, const Layer *layers, int n, const Tensor *vec)
{
  if (n == 1)
    return op_linear (ctx, vec, layers[0], NULL);
  Tensor *first = join_layers (ctx, layers, n / 2, vec);
  Tensor *second = join_layers (ctx, layers + n / 2, n - n / 2, vec);
  return op_concat (ctx, first, second);
}

Tensor *
flux_modulation (
    Ctx *ctx, const Flux *flux, const Tensor *t, const Tensor *guidance, const Tensor *pooled)
{
  const FluxModulation *m = &flux->modulation;
  int64_t dim = flux->config.time_dim;
  if (flux->config.has_guidance != (guidance != NULL))
    return ctx_fail (ctx, STATUS_SHAPE, "Internal error: this FLUX model %s guidance.",
                     guidance ? status_text ("takes no") : status_text ("needs"));
  Tensor *vec = embed (ctx, &m->time, op_sinusoid (ctx, t, TIMES, dim), NULL);
  if (guidance)
    vec = embed (ctx, &m->guidance, op_sinusoid (ctx, guidance, TIMES, dim), vec);
  vec = op_unary (ctx, UNARY_SILU, embed (ctx, &m->pooled, pooled, vec));
  Tensor *all = join_layers (ctx, m->layers, m->n_layers, vec);
  ctx_keep (ctx, all);
  return all;
}

bool
flux_is_modulation_weight (const char *name)
{
  static const char *const heads[] = { "transformer.time_text_embed.", "transformer.norm_out." };
  static const char *const parts[] = { ".norm1.linear.", ".norm1_context.linear.",
                                       ".norm.linear." };
  for (size_t i = 0; i < sizeof heads / sizeof *heads; i++)
    if (strncmp (name, heads[i], strlen (heads[i])) == 0)
      return true;
  bool found = false;
  for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
    found |= strstr (name, parts[i]) != NULL;
  return found && strncmp (name, "transformer.", strlen ("transformer.")) == 0;
}

int64_t
flux_weight_bytes (const WeightSet *weights, bool after_modulation)
{
  int64_t total = 0;
  for (int i = 0; i < weights_count (weights); i++)
    {
      const Weight *w = weights_at (weights, i);
      if (strncmp (w->name, "transformer.", strlen ("transformer.")) == 0 &&
          !(after_modulation && flux_is_modulation_weight (w->name)))
        total += weight_bytes (w);
    }
  return total;
}
