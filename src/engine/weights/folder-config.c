/* SPDX-License-Identifier: MPL-2.0
 * folder-config.c - config.json files of a diffusers folder, which win over what shapes tell.
 */
#include "weights/folder.h"

#include <stdio.h>
#include <string.h>

#include "weights/json.h"
#include "weights/recognise.h"
#include "weights/tensor-table.h"

enum
{
  LARGEST = 1 << 24, /* no count in a config comes near */
  DEFAULT_HEADS = 8,
  MAX_DEPTH = 64,
  MAX_GUIDANCE = 100, /* as a recipe */
  MAX_STEPS = 1000,
  MAX_FPS = 240
};

typedef struct
{
  struct json_object *object;
  const char *label; /* "unet/config.json" */
  Status *status;
} Config;

static bool
nonsense (Config *c, const char *key)
{
  return damaged (c->status, c->label, "\"%.60s\" has a value that makes no sense", key);
}

static bool
unsupported (Config *c, const char *key, const char *value)
{
  return status_fail (c->status, STATUS_UNSUPPORTED,
                      "\"%.100s\" asks for %.60s = \"%.60s\", which this version cannot run.",
                      c->label, key, value);
}

/* Absent or null leaves @out as it is. */
static bool
read_count (Config *c, const char *key, int *out)
{
  int v;
  if (!json_member_int (c->object, key, &v))
    return true;
  if (v < 1 || v > LARGEST)
    return nonsense (c, key);
  *out = v;
  return true;
}

/* Per level, from a list or one number of @least or more; @n_found 0 when absent. */
static bool
read_levels_from (
    Config *c, const char *key, int least, int n_levels, int out[MAX_LEVELS], int *n_found)
{
  int values[MAX_LEVELS];
  int n = json_member_ints (c->object, key, values, n_levels);
  *n_found = 0;
  if (n == 0)
    return true;
  if (n != n_levels)
    return nonsense (c, key);
  for (int i = 0; i < n; i++)
    {
      if (values[i] < least || values[i] > LARGEST)
        return nonsense (c, key);
      out[i] = values[i];
    }
  *n_found = n;
  return true;
}

static bool
read_levels (Config *c, const char *key, int n_levels, int out[MAX_LEVELS], int *n_found)
{
  return read_levels_from (c, key, 1, n_levels, out, n_found);
}

/* A list's own length decides on the number of levels. */
static bool
read_channels (Config *c, int *n_levels, int channels[MAX_LEVELS])
{
  struct json_object *list = json_object_object_get (c->object, "block_out_channels");
  if (!json_object_is_type (list, json_type_array))
    return true;
  size_t n = json_object_array_length (list);
  int n_found;
  if (n < 1 || n > MAX_LEVELS)
    return nonsense (c, "block_out_channels");
  *n_levels = (int) n;
  return read_levels (c, "block_out_channels", *n_levels, channels, &n_found) &&
         (n_found || nonsense (c, "block_out_channels"));
}

/* Which levels have attention, by their blocks' class names; false in *known when absent. */
static bool
read_attention (Config *c, const char *key, int n_levels, bool out[MAX_LEVELS], bool *known)
{
  struct json_object *list = json_object_object_get (c->object, key);
  *known = json_object_is_type (list, json_type_array);
  if (!*known)
    return true;
  if (json_object_array_length (list) != (size_t) n_levels)
    return nonsense (c, key);
  for (int i = 0; i < n_levels; i++)
    {
      struct json_object *item = json_object_array_get_idx (list, (size_t) i);
      const char *type =
          json_object_is_type (item, json_type_string) ? json_object_get_string (item) : "";
      out[i] = strncmp (type, "CrossAttn", 9) == 0;
      if (!out[i] && strcmp (type, "DownBlock2D") != 0 && strcmp (type, "UpBlock2D") != 0)
        return unsupported (c, key, type);
    }
  return true;
}

static bool
apply_depths (Config *c, UnetConfig *u)
{
  int n = u->n_levels, depth[MAX_LEVELS], up[MAX_LEVELS], n_found, n_up;
  bool down_attention[MAX_LEVELS], up_attention[MAX_LEVELS], knows_down, knows_up;
  struct json_object *layers = json_object_object_get (c->object, "transformer_layers_per_block");
  for (int i = 0; i < n; i++)
    depth[i] = 1;
  if (!read_attention (c, "down_block_types", n, down_attention, &knows_down) ||
      !read_attention (c, "up_block_types", n, up_attention, &knows_up) ||
      !read_levels_from (c, "transformer_layers_per_block", 0, n, depth, &n_found))
    return false;
  if (layers && !n_found) /* a list of lists: the shapes have told already */
    return true;
  for (int i = 0; i < n; i++)
    up[i] = depth[n - 1 - i];
  if (!read_levels_from (c, "reverse_transformer_layers_per_block", 0, n, up, &n_up))
    return false;
  if (layers && depth[n - 1] > MAX_DEPTH)
    return nonsense (c, "transformer_layers_per_block");
  for (int i = 0; i < n; i++)
    {
      if (knows_down)
        u->depth_down[i] = down_attention[i] ? depth[i] : 0;
      if (knows_up)
        u->depth_up[i] = up_attention[i] ? up[i] : 0;
    }
  if (u->depth_mid > 0)
    u->depth_mid = depth[n - 1];
  return true;
}

/* diffusers' quirk: attention_head_dim is the number of heads where num_attention_heads is null. */
static bool
apply_heads (Config *c, UnetConfig *u)
{
  int n_found;
  if (!read_levels (c, "num_attention_heads", u->n_levels, u->heads, &n_found))
    return false;
  if (!n_found && !read_levels (c, "attention_head_dim", u->n_levels, u->heads, &n_found))
    return false;
  for (int i = 0; i < u->n_levels; i++)
    {
      if (!n_found)
        u->heads[i] = DEFAULT_HEADS;
      if (u->channels[i] % u->heads[i] && (u->depth_down[i] || u->depth_up[u->n_levels - 1 - i]))
        return nonsense (c, "attention_head_dim");
    }
  return true;
}

static bool
refuse_unet_options (Config *c)
{
  static const char *const must_be_null[] = { "class_embed_type", "encoder_hid_dim_type",
                                              "time_cond_proj_dim", "resnet_skip_time_act" };
  for (size_t i = 0; i < sizeof must_be_null / sizeof *must_be_null; i++)
    {
      struct json_object *v = json_object_object_get (c->object, must_be_null[i]);
      bool is_false = json_object_is_type (v, json_type_boolean) && !json_object_get_boolean (v);
      if (v && !is_false)
        return unsupported (c, must_be_null[i], json_object_get_string (v));
    }
  const char *shift = json_member_string (c->object, "resnet_time_scale_shift");
  if (shift && strcmp (shift, "default") != 0)
    return unsupported (c, "resnet_time_scale_shift", shift);
  return true;
}

static bool
apply_unet (Config *c, UnetConfig *u)
{
  int context[MAX_LEVELS], n;
  if (!refuse_unet_options (c) || !read_channels (c, &u->n_levels, u->channels) ||
      !read_levels (c, "layers_per_block", u->n_levels, u->res_blocks, &n) ||
      !apply_depths (c, u) || !apply_heads (c, u) ||
      !read_levels (c, "cross_attention_dim", u->n_levels, context, &n))
    return false;
  for (int i = 1; i < n; i++)
    if (context[i] != context[0])
      return unsupported (c, "cross_attention_dim", "different on each level");
  if (n)
    u->context_dim = context[0];
  json_member_bool (c->object, "use_linear_projection", &u->linear_projection);
  const char *addition = json_member_string (c->object, "addition_embed_type");
  if (addition && strcmp (addition, "text_time") != 0)
    return unsupported (c, "addition_embed_type", addition);
  if (addition && (!read_count (c, "addition_time_embed_dim", &u->adm_time_dim) ||
                   !read_count (c, "projection_class_embeddings_input_dim", &u->adm_dim)))
    return false;
  return read_count (c, "in_channels", &u->in_channels) &&
         read_count (c, "out_channels", &u->out_channels) &&
         read_count (c, "norm_num_groups", &u->norm_groups);
}

static bool
apply_control (Config *c, ControlConfig *control)
{
  const char *order = json_member_string (c->object, "controlnet_conditioning_channel_order");
  bool pools = false;
  if (order && strcmp (order, "rgb") != 0)
    return unsupported (c, "controlnet_conditioning_channel_order", order);
  json_member_bool (c->object, "global_pool_conditions", &pools);
  if (pools)
    return unsupported (c, "global_pool_conditions", "true");
  return apply_unet (c, &control->unet);
}

static bool
apply_vae (Config *c, VaeConfig *v)
{
  double factor;
  if (json_object_object_get (c->object, "latents_mean") ||
      json_object_object_get (c->object, "latents_std"))
    return unsupported (c, "latents_mean", "a list");
  if (json_member_double (c->object, "scaling_factor", &factor))
    {
      if (!(factor > 1e-6 && factor < 1e6))
        return nonsense (c, "scaling_factor");
      v->scaling_factor = (float) factor;
      v->has_own_scaling = true;
    }
  if (json_member_double (c->object, "shift_factor", &factor))
    v->shift_factor = (float) factor;
  json_member_bool (c->object, "use_quant_conv", &v->has_quant_conv);
  json_member_bool (c->object, "use_post_quant_conv", &v->has_post_quant_conv);
  return read_channels (c, &v->n_levels, v->channels) &&
         read_count (c, "layers_per_block", &v->res_blocks) &&
         read_count (c, "in_channels", &v->in_channels) &&
         read_count (c, "latent_channels", &v->latent_channels) &&
         read_count (c, "norm_num_groups", &v->norm_groups);
}

/* A number for each latent channel, none of them less than @least. */
static bool
read_statistics (Config *c, const char *key, double least, int n, float *out)
{
  struct json_object *list = json_object_object_get (c->object, key);
  if (!list)
    return true;
  if (!json_object_is_type (list, json_type_array) || json_object_array_length (list) != (size_t) n)
    return nonsense (c, key);
  for (int i = 0; i < n; i++)
    {
      double v = json_object_get_double (json_object_array_get_idx (list, (size_t) i));
      if (!(v >= least && v <= LARGEST))
        return nonsense (c, key);
      out[i] = (float) v;
    }
  return true;
}

/* Channels and levels follow from the shapes. */
static bool
apply_wan_vae (Config *c, WanVaeConfig *v)
{
  static const double LEAST_STD = 1e-6;
  int n = v->latent_channels;
  v->has_own_statistics = json_object_object_get (c->object, "latents_std") != NULL;
  return read_statistics (c, "latents_mean", -LARGEST, n, v->mean) &&
         read_statistics (c, "latents_std", LEAST_STD, n, v->std);
}

static bool
apply_clip (Config *c, ClipConfig *clip)
{
  const char *act = json_member_string (c->object, "hidden_act");
  if (act && strcmp (act, "quick_gelu") == 0)
    clip->activation = CLIP_QUICK_GELU;
  else if (act && strcmp (act, "gelu") == 0)
    clip->activation = CLIP_GELU;
  else if (act)
    return unsupported (c, "hidden_act", act);
  /* Token ids in these files are wrong in every published model: the tokenizer has them. */
  if (clip->projection_dim && !read_count (c, "projection_dim", &clip->projection_dim))
    return false;
  if (!read_count (c, "vocab_size", &clip->vocab) ||
      !read_count (c, "max_position_embeddings", &clip->n_positions) ||
      !read_count (c, "hidden_size", &clip->dim) ||
      !read_count (c, "num_hidden_layers", &clip->n_layers) ||
      !read_count (c, "num_attention_heads", &clip->n_heads) ||
      !read_count (c, "intermediate_size", &clip->mlp_dim))
    return false;
  return clip->dim % clip->n_heads == 0 || nonsense (c, "num_attention_heads");
}

static bool
apply_vision (Config *c, ClipVisionConfig *v)
{
  const char *act = json_member_string (c->object, "hidden_act");
  if (act && strcmp (act, "quick_gelu") == 0)
    v->activation = CLIP_QUICK_GELU;
  else if (act && strcmp (act, "gelu") == 0)
    v->activation = CLIP_GELU;
  else if (act)
    return unsupported (c, "hidden_act", act);
  return read_count (c, "num_attention_heads", &v->n_heads) &&
         (v->dim % v->n_heads == 0 || nonsense (c, "num_attention_heads"));
}

static bool
apply_flux (Config *c, FluxConfig *f)
{
  int n_found, patch = 1, axes[MAX_LEVELS];
  if (!read_count (c, "patch_size", &patch) ||
      !read_count (c, "attention_head_dim", &f->head_dim) ||
      !read_count (c, "num_attention_heads", &f->n_heads))
    return false;
  if (patch != 1)
    return unsupported (c, "patch_size", "more than 1");
  if (!read_levels_from (c, "axes_dims_rope", 0, FLUX_N_AXES, axes, &n_found))
    return false;
  for (int i = 0; i < n_found; i++)
    f->axes[i] = axes[i];
  int columns = f->axes[0] + f->axes[1] + f->axes[2];
  if (columns != f->head_dim || f->axes[0] % 2 || f->axes[1] % 2 || f->axes[2] % 2)
    return nonsense (c, "axes_dims_rope");
  return f->dim == f->n_heads * f->head_dim || nonsense (c, "num_attention_heads");
}

static bool
apply_wan (Config *c, WanConfig *w)
{
  int n_heads = w->n_heads, patch[3] = { 1, WAN_PATCH, WAN_PATCH };
  json_member_ints (c->object, "patch_size", patch, 3);
  if (patch[0] != 1 || patch[1] != WAN_PATCH || patch[2] != WAN_PATCH)
    return unsupported (c, "patch_size", "another than 1, 2, 2");
  return read_count (c, "num_attention_heads", &n_heads) && read_count (c, "num_heads", &n_heads) &&
         (wan_set_heads (w, n_heads) || nonsense (c, "num_attention_heads"));
}

static bool
apply_t5 (Config *c, T5Config *t5)
{
  const char *act = json_member_string (c->object, "feed_forward_proj");
  if (act && strcmp (act, "gated-gelu") != 0)
    return unsupported (c, "feed_forward_proj", act);
  json_member_int (c->object, "pad_token_id", &t5->pad_id);
  json_member_int (c->object, "eos_token_id", &t5->eos_id);
  return read_count (c, "relative_attention_max_distance", &t5->max_distance);
}

bool
folder_apply_config (
    ModelConfig *config, PartKind kind, Pool *pool, const char *config_path, Status *status)
{
  const char *label = pool_printf (pool, status, "%s/config.json", folder_of_part (kind));
  Config c = { label ? json_read_object (config_path, status) : NULL, label, status };
  if (!c.object)
    return false;
  bool ok = true;
  switch (kind)
    {
    case PART_UNET:
      ok = apply_unet (&c, &config->unet) && read_count (&c, "sample_size", &config->sample_size);
      break;
    case PART_VAE:
      ok =
          config->has_wan_vae ? apply_wan_vae (&c, &config->wan_vae) : apply_vae (&c, &config->vae);
      break;
    case PART_CLIP_0:
    case PART_CLIP_1:
      ok = apply_clip (&c, &config->clip[kind - PART_CLIP_0]);
      break;
    case PART_FLUX:
      ok = apply_flux (&c, &config->flux);
      break;
    case PART_WAN:
      ok = apply_wan (&c, &config->wan);
      break;
    case PART_VISION:
      ok = apply_vision (&c, &config->vision);
      break;
    case PART_T5:
      ok = apply_t5 (&c, &config->t5);
      break;
    case PART_CONTROL:
      ok = apply_control (&c, &config->control);
      break;
    case PART_EXPERT: /* as the first */
    case PART_TINY:
    case PART_COUNT:
      break;
    }
  json_object_put (c.object);
  return ok;
}

/* ---- pipeline ---- */

static bool
apply_index (Config *c, ModelConfig *config)
{
  static const char *const known[] = {
    "StableDiffusionPipeline",
    "StableDiffusionImg2ImgPipeline",
    "StableDiffusionInpaintPipeline",
    "StableDiffusionXLPipeline",
    "StableDiffusionXLImg2ImgPipeline",
    "StableDiffusionXLInpaintPipeline",
    "LatentConsistencyModelPipeline",
    "FluxPipeline",
    "FluxImg2ImgPipeline",
    "FluxInpaintPipeline",
    "FluxFillPipeline",
    "FluxKontextPipeline",
    "FluxKontextInpaintPipeline",
    "FluxControlPipeline",
    "FluxControlImg2ImgPipeline",
    "FluxControlInpaintPipeline",
    "WanPipeline",
    "WanImageToVideoPipeline",
  };
  const char *class = json_member_string (c->object, "_class_name");
  json_member_double (c->object, "boundary_ratio", &config->boundary);
  if (!(config->boundary >= 0 && config->boundary <= 1))
    return nonsense (c, "boundary_ratio");
  bool expands = false;
  json_member_bool (c->object, "expand_timesteps", &expands);
  if (expands)
    config->wan.variant = WAN_TI2V;
  json_member_bool (c->object, "force_zeros_for_empty_prompt",
                    &config->force_zeros_for_empty_prompt);
  for (size_t i = 0; class && i < sizeof known / sizeof *known; i++)
    if (strcmp (class, known[i]) == 0)
      {
        if (config->family == FAMILY_UNKNOWN) /* the transformer is missing */
          config->family = strncmp (class, "Wan", strlen ("Wan")) == 0     ? FAMILY_WAN
                           : strncmp (class, "Flux", strlen ("Flux")) == 0 ? FAMILY_FLUX
                                                                           : FAMILY_UNKNOWN;
        if (strncmp (class, "FluxKontext", strlen ("FluxKontext")) == 0)
          config->flux.variant = FLUX_KONTEXT;
        return true;
      }
  return status_fail (
      c->status, STATUS_UNSUPPORTED,
      "This folder holds a model for %.80s, which this version cannot run; choose an "
      "SD 1.5, SDXL or FLUX.1 model.",
      class ? class : "an unnamed pipeline");
}

static bool
apply_prediction (Config *c, ModelConfig *config)
{
  const char *type = json_member_string (c->object, "prediction_type");
  if (!type || strcmp (type, "epsilon") == 0)
    config->prediction = PREDICTION_EPSILON;
  else if (strcmp (type, "v_prediction") == 0)
    config->prediction = PREDICTION_V;
  else
    return unsupported (c, "prediction_type", type);
  return true;
}

static bool
apply_flow_scheduler (Config *c, ModelConfig *config)
{
  FlowShift f = { .is_said = true,
                  .shift = 1,
                  .base_shift = 0.5,
                  .max_shift = 1.15,
                  .base_tokens = 256,
                  .max_tokens = 4096 };
  json_member_bool (c->object, "use_dynamic_shifting", &f.is_dynamic);
  json_member_double (c->object, "shift", &f.shift);
  json_member_double (c->object, "base_shift", &f.base_shift);
  json_member_double (c->object, "max_shift", &f.max_shift);
  json_member_int (c->object, "base_image_seq_len", &f.base_tokens);
  json_member_int (c->object, "max_image_seq_len", &f.max_tokens);
  if (!(f.shift > 0 && f.shift < 1e6))
    return nonsense (c, "shift");
  if (f.base_tokens < 1 || f.max_tokens <= f.base_tokens)
    return nonsense (c, "max_image_seq_len");
  config->prediction = PREDICTION_FLOW;
  config->flow_shift = f;
  return true;
}

/* Wan's: UniPC over flow matching's levels. */
static bool
apply_flow_unipc (Config *c, ModelConfig *config)
{
  FlowShift f = { .is_said = true, .shift = 1, .base_tokens = 256, .max_tokens = 4096 };
  json_member_double (c->object, "flow_shift", &f.shift);
  if (!(f.shift > 0 && f.shift < 1e6))
    return nonsense (c, "flow_shift");
  config->prediction = PREDICTION_FLOW;
  config->flow_shift = f;
  return true;
}

static bool
apply_scheduler (Config *c, ModelConfig *config)
{
  const char *class = json_member_string (c->object, "_class_name");
  if (class && strncmp (class, "FlowMatch", strlen ("FlowMatch")) == 0)
    return apply_flow_scheduler (c, config);
  const char *type = json_member_string (c->object, "prediction_type");
  if (type && strcmp (type, "flow_prediction") == 0)
    return apply_flow_unipc (c, config);
  const char *schedule = json_member_string (c->object, "beta_schedule");
  const char *spacing = json_member_string (c->object, "timestep_spacing");
  if (schedule && strcmp (schedule, "scaled_linear") != 0)
    return unsupported (c, "beta_schedule", schedule);
  json_member_double (c->object, "beta_start", &config->beta_start);
  json_member_double (c->object, "beta_end", &config->beta_end);
  if (!(config->beta_start > 0 && config->beta_start < config->beta_end && config->beta_end < 1))
    return nonsense (c, "beta_start");
  if (spacing && strcmp (spacing, "leading") != 0 && strcmp (spacing, "trailing") != 0 &&
      strcmp (spacing, "linspace") != 0)
    return unsupported (c, "timestep_spacing", spacing);
  snprintf (config->timestep_spacing, sizeof config->timestep_spacing, "%s",
            spacing ? spacing : "");
  json_member_int (c->object, "steps_offset", &config->steps_offset);
  if (config->steps_offset < 0 || config->steps_offset > 1000)
    return nonsense (c, "steps_offset");
  json_member_bool (c->object, "set_alpha_to_one", &config->set_alpha_to_one);
  json_member_bool (c->object, "rescale_betas_zero_snr", &config->zero_terminal_snr);
  return apply_prediction (c, config);
}

/* "preview": [[r, g, b], ...]: a row for each channel of a latent, and a constant. */
static bool
read_preview (Config *c, ModelConfig *config)
{
  struct json_object *rows = NULL;
  if (!json_object_object_get_ex (c->object, "preview", &rows))
    return true;
  size_t n = json_object_is_type (rows, json_type_array) ? json_object_array_length (rows) : 0;
  if (n < 2 || n > WAN_MAX_LATENT_CHANNELS + 1)
    return nonsense (c, "preview");
  for (size_t i = 0; i < n; i++)
    {
      struct json_object *row = json_object_array_get_idx (rows, i);
      if (!json_object_is_type (row, json_type_array) || json_object_array_length (row) != 3)
        return nonsense (c, "preview");
      for (size_t k = 0; k < 3; k++)
        config->preview[i][k] = (float) json_object_get_double (json_object_array_get_idx (row, k));
    }
  config->n_preview = (int) n - 1;
  return true;
}

/* gesso.json: { "guidance_scale": 4, "steps": 20 }, and "width", "height", "frames", "fps" and
 * "preview" of clips; all optional. */
static bool
apply_suggestions (Config *c, ModelConfig *config)
{
  json_member_double (c->object, "guidance_scale", &config->guidance_scale);
  json_member_int (c->object, "steps", &config->steps);
  json_member_double (c->object, "fps", &config->suggested_fps);
  if (!read_count (c, "width", &config->suggested_width) ||
      !read_count (c, "height", &config->suggested_height) ||
      !read_count (c, "frames", &config->suggested_frames))
    return false;
  if (!read_preview (c, config))
    return false;
  if (!(config->suggested_fps >= 0 && config->suggested_fps <= MAX_FPS))
    return nonsense (c, "fps");
  if (!(config->guidance_scale >= 0 && config->guidance_scale <= MAX_GUIDANCE))
    return nonsense (c, "guidance_scale");
  return (config->steps >= 0 && config->steps <= MAX_STEPS) || nonsense (c, "steps");
}

static bool
apply_file (ModelConfig *config,
            const char *path,
            bool (*apply) (Config *, ModelConfig *),
            const char *label,
            Status *status)
{
  Config c = { json_read_object (path, status), label, status };
  bool ok = c.object && apply (&c, config);
  json_object_put (c.object);
  return ok;
}

bool
folder_apply_pipeline (ModelConfig *config, Pool *pool, const char *folder, Status *status)
{
  const char *index = pool_printf (pool, status, "%s/model_index.json", folder);
  const char *scheduler = pool_printf (pool, status, "%s/scheduler/scheduler_config.json", folder);
  const char *suggestions = pool_printf (pool, status, "%s/gesso.json", folder);
  if (!index || !scheduler || !suggestions)
    return false;
  if (!apply_file (config, index, apply_index, "model_index.json", status) ||
      (file_exists (scheduler) &&
       !apply_file (config, scheduler, apply_scheduler, "scheduler_config.json", status)))
    return false;
  return !file_exists (suggestions) ||
         apply_file (config, suggestions, apply_suggestions, "gesso.json", status);
}
