/* SPDX-License-Identifier: MPL-2.0
 * recognise-transformers.c - FLUX.1's transformer and T5's encoder, from their weights' shapes.
 */
#include "weights/recognise-private.h"

enum
{
  FLUX_PATCH_AREA = 4, /* latent pixels of a token */
  FLUX_HEAD_DIM = 128,
  FLUX_AXIS_SHARE = 8,   /* of a head's columns, the index takes one in eight: 16 of 128 */
  FLUX_FILL_MOST = 6,    /* columns of Fill's tokens, in those of the noise */
  T5_MAX_DISTANCE = 128, /* not in the weights; the same in every T5 */
  T5_PAD = 0,
  T5_EOS = 1
};

int
count_blocks (const WeightSet *set, const char *head, const char *tail)
{
  int n = 0;
  while (n < DEPTH_LIMIT && find_weight (set, "%s.%d.%s", head, n, tail))
    n++;
  return n;
}

/* Index, row, column: the two sides alike, all even. */
static void
set_axes (FluxConfig *f)
{
  f->axes[0] = f->head_dim / FLUX_AXIS_SHARE / 2 * 2;
  f->axes[1] = (f->head_dim - f->axes[0]) / 4 * 2;
  f->axes[2] = f->head_dim - f->axes[0] - f->axes[1];
}

static bool
find_variant (FluxConfig *f, const char *label, Status *status)
{
  if (f->in_channels == f->out_channels)
    f->variant = f->has_guidance ? FLUX_DEV : FLUX_SCHNELL;
  else if (f->in_channels == 2 * f->out_channels)
    f->variant = FLUX_CONTROL;
  else if (f->in_channels > 2 * f->out_channels &&
           f->in_channels <= FLUX_FILL_MOST * f->out_channels)
    f->variant = FLUX_FILL;
  else
    return status_fail (
        status, STATUS_UNSUPPORTED,
        "\"%.100s\" is a FLUX.1 relative whose tokens have %d columns (Flex.2 and its "
        "kind), which this version cannot run; choose FLUX.1 dev, schnell, Krea, "
        "Kontext, Fill, Canny or Depth.",
        label, f->in_channels);
  return true;
}

bool
recognise_flux (FluxConfig *f, const WeightSet *set, const char *label, Status *status)
{
  const Weight *in = find_weight (set, "transformer.x_embedder.weight");
  f->dim = weight_dim (in, 0);
  f->in_channels = weight_dim (in, 1);
  f->out_channels = weight_dim (find_weight (set, "transformer.proj_out.weight"), 0);
  f->latent_channels = f->out_channels / FLUX_PATCH_AREA;
  f->context_dim = weight_dim (find_weight (set, "transformer.context_embedder.weight"), 1);
  f->n_double = count_blocks (set, "transformer.transformer_blocks", "norm1.linear.weight");
  f->n_single = count_blocks (set, "transformer.single_transformer_blocks", "norm.linear.weight");
  f->mlp_dim =
      weight_dim (find_weight (set, "transformer.transformer_blocks.0.ff.net.0.proj.weight"), 0);
  f->head_dim =
      weight_dim (find_weight (set, "transformer.transformer_blocks.0.attn.norm_k.weight"), 0);
#define EMBEDDER "transformer.time_text_embed."
  f->time_dim = weight_dim (find_weight (set, EMBEDDER "timestep_embedder.linear_1.weight"), 1);
  f->pooled_dim = weight_dim (find_weight (set, EMBEDDER "text_embedder.linear_1.weight"), 1);
  f->has_guidance = find_weight (set, EMBEDDER "guidance_embedder.linear_1.weight") != NULL;
  if (!f->dim || !f->in_channels || !f->latent_channels || !f->context_dim || !f->n_double ||
      !f->mlp_dim || !f->head_dim || !f->time_dim || !f->pooled_dim || f->dim % f->head_dim)
    return damaged (status, label, "its transformer lacks layers");
  f->n_heads = f->dim / f->head_dim;
  set_axes (f);
  return find_variant (f, label, status);
}

/* @word in the file's name, or in what its metadata call it */
static bool
is_called (const TensorTable *table, const char *label, const char *word)
{
  static const char *const keys[] = { "modelspec.architecture", "modelspec.title",
                                      "modelspec.hash_sha256_title" };
  bool found = label_says (label, word);
  for (size_t i = 0; table && i < sizeof keys / sizeof *keys; i++)
    {
      const char *value = table_metadata (table, keys[i]);
      found |= value && label_says (value, word);
    }
  return found;
}

void
recognise_flux_variant (FluxConfig *f, const TensorTable *table, const char *label)
{
  if (f->variant == FLUX_DEV && is_called (table, label, "kontext"))
    f->variant = FLUX_KONTEXT;
  else if (f->variant == FLUX_DEV && is_called (table, label, "krea"))
    f->variant = FLUX_KREA;
  else if (f->variant == FLUX_CONTROL && is_called (table, label, "canny"))
    f->variant = FLUX_CANNY;
  else if (f->variant == FLUX_CONTROL && is_called (table, label, "depth"))
    f->variant = FLUX_DEPTH;
}

bool
recognise_t5 (T5Config *c, const WeightSet *set, const char *label, Status *status)
{
#define BLOCK "t5.encoder.block."
  const Weight *tokens = find_weight (set, "t5.shared.weight");
  const Weight *bias =
      find_weight (set, BLOCK "0.layer.0.SelfAttention.relative_attention_bias.weight");
  if (find_weight (set, BLOCK "0.layer.1.DenseReluDense.wi.weight"))
    return status_fail (status, STATUS_UNSUPPORTED,
                        "\"%.100s\" is a T5 of the first kind, whose layers have no gates; choose "
                        "the T5 v1.1 XXL text encoder.",
                        label);
  c->vocab = weight_dim (tokens, 0);
  c->dim = weight_dim (tokens, 1);
  c->n_layers = count_blocks (set, "t5.encoder.block", "layer.0.SelfAttention.q.weight");
  c->n_buckets = weight_dim (bias, 0);
  c->n_heads = weight_dim (bias, 1);
  int inner = weight_dim (find_weight (set, BLOCK "0.layer.0.SelfAttention.q.weight"), 0);
  c->mlp_dim = weight_dim (find_weight (set, BLOCK "0.layer.1.DenseReluDense.wi_0.weight"), 0);
  c->has_layer_bias =
      find_weight (set, BLOCK "1.layer.0.SelfAttention.relative_attention_bias.weight") != NULL;
  if (!c->vocab || !c->dim || !c->n_layers || !c->n_buckets || !c->n_heads || !c->mlp_dim ||
      !inner || inner % c->n_heads)
    return damaged (status, label, "its T5 text encoder lacks layers");
  c->head_dim = inner / c->n_heads;
  c->max_distance = T5_MAX_DISTANCE;
  c->pad_id = T5_PAD;
  c->eos_id = T5_EOS;
  return true;
}

bool
recognise_fit (const ModelConfig *c, const char *label, Status *status)
{
  if (c->has_flux && c->has_t5 && c->t5.dim != c->flux.context_dim)
    return status_fail (status, STATUS_SHAPE,
                        "The T5 text encoder in \"%.100s\" is %d wide, the model takes %d: choose "
                        "T5 v1.1 XXL.",
                        label, c->t5.dim, c->flux.context_dim);
  if (c->has_wan && c->has_t5 && c->t5.dim != c->wan.text_dim)
    return status_fail (status, STATUS_SHAPE,
                        "The T5 text encoder in \"%.100s\" is %d wide, the model takes %d: choose "
                        "umT5-XXL.",
                        label, c->t5.dim, c->wan.text_dim);
  if (c->has_wan && c->has_t5 && !c->t5.has_layer_bias)
    return status_fail (status, STATUS_UNSUPPORTED,
                        "The text encoder in \"%.100s\" is FLUX.1's T5; Wan reads umT5: choose "
                        "umt5_xxl.",
                        label);
  if (c->has_wan && c->has_vision && c->wan.image_dim > 0 && c->vision.dim != c->wan.image_dim)
    return status_fail (status, STATUS_SHAPE,
                        "The image encoder in \"%.100s\" is %d wide, the model takes %d: choose "
                        "CLIP-H (clip_vision_h).",
                        label, c->vision.dim, c->wan.image_dim);
  if (c->has_flux && c->n_clips > 0 && c->clip[0].dim != c->flux.pooled_dim)
    return status_fail (
        status, STATUS_SHAPE,
        "The CLIP text encoder in \"%.100s\" is %d wide, the model takes %d: choose "
        "CLIP-L.",
        label, c->clip[0].dim, c->flux.pooled_dim);
  return true;
}
