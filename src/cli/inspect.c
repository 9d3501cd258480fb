/* SPDX-License-Identifier: MPL-2.0
 * inspect.c - `gesso-cli inspect`: what a model file is.
 */
#include <stdio.h>
#include <string.h>

#include "cli/inspect.h"
#include "pipelines/pipeline.h"

enum
{
  MAX_LISTED = 20,
  MAX_VALUE_SHOWN = 120
};

typedef struct
{
  const char *label, *prefix;
} Part;

static const Part parts[] = {
  { "U-Net", "unet." },
  { "VAE", "vae." },
  { "text encoder", "text_encoder." },
  { "text encoder 2", "text_encoder_2." },
  { "transformer", "transformer." },
  { "second expert", "expert." },
  { "image encoder", "image_encoder." },
  { "T5 text encoder", "t5." },
  { "ControlNet", "control." },
  { "preview decoder", "tiny." },
};

/* What a part's weights are stored as. */
typedef struct
{
  int64_t count[DTYPE_COUNT]; /* parameters */
  int64_t n_bytes;
  int main;  /* the format of most parameters; -1: there is no such part */
  int kinds; /* how many formats occur */
} Storage;

static Storage
part_storage (const WeightSet *set, const char *prefix)
{
  Storage s = { .main = -1 };
  for (int i = 0; i < weights_count (set); i++)
    {
      const Weight *w = weights_at (set, i);
      int64_t n = 1;
      for (int k = 0; k < w->rank; k++)
        n *= w->ne[k];
      if (strncmp (w->name, prefix, strlen (prefix)) != 0)
        continue;
      s.count[w->dtype] += n;
      s.n_bytes += weight_bytes (w);
    }
  for (int d = 0; d < DTYPE_COUNT; d++)
    {
      s.kinds += s.count[d] > 0;
      if (s.count[d] > 0 && (s.main < 0 || s.count[d] > s.count[s.main]))
        s.main = d;
    }
  return s;
}

/* "q4_k" or "q4_k 97.2 %, f32 2.8 %": the most used first. */
static void
print_formats (const Storage *s, int64_t n_parameters)
{
  bool printed[DTYPE_COUNT] = { false };
  if (s->kinds == 1)
    printf ("%s", dtype_name ((DType) s->main));
  for (int k = 0; s->kinds > 1 && k < s->kinds; k++)
    {
      int best = -1;
      for (int d = 0; d < DTYPE_COUNT; d++)
        if (s->count[d] > 0 && !printed[d] && (best < 0 || s->count[d] > s->count[best]))
          best = d;
      printed[best] = true;
      printf ("%s%s %.1f %%", k ? ", " : "", dtype_name ((DType) best),
              100.0 * (double) s->count[best] / (double) n_parameters);
    }
}

static int
count_unused (const WeightSet *set)
{
  int n = 0;
  for (int i = 0; i < weights_count (set); i++)
    n += !weights_at (set, i)->used && strncmp (weights_at (set, i)->name, "tiny.", 5) != 0;
  return n;
}

static void
print_list (const char *label,
            int n,
            const char *(*at) (const Checkpoint *c, int i),
            const Checkpoint *c)
{
  if (n > 0)
    printf ("%s (%d):\n", label, n);
  for (int i = 0; i < n && i < MAX_LISTED; i++)
    printf ("  %s\n", at (c, i));
  if (n > MAX_LISTED)
    printf ("  ... and %d more\n", n - MAX_LISTED);
}

static const char *
problem_at (const Checkpoint *c, int i)
{
  return weights_problem (c->weights, i);
}

static const char *
unknown_at (const Checkpoint *c, int i)
{
  return c->unknown[i];
}

static const char *
unused_at (const Checkpoint *c, int wanted)
{
  for (int i = 0; i < weights_count (c->weights); i++)
    {
      const Weight *w = weights_at (c->weights, i);
      if (!w->used && strncmp (w->name, "tiny.", 5) != 0 && wanted-- == 0)
        return w->file_name;
    }
  return "";
}

/* A file of one network, as ComfyUI keeps them in folders of their own: which, and for whom.
 * Returns: false when it holds several, or none */
static bool
describe_alone (const Checkpoint *c, char *out, size_t size)
{
  const ModelConfig *m = &c->config;
  bool has_clip[2] = { m->clip[0].vocab > 0, m->clip[1].vocab > 0 };
  int n = m->has_unet + m->has_vae + m->has_tiny + m->has_flux + m->has_t5 + m->has_wan +
          m->has_wan_vae + m->has_vision + m->has_control + has_clip[0] + has_clip[1];
  if (n != 1)
    return false;
  const ClipConfig *clip = &m->clip[has_clip[1]];
  if (m->has_t5)
    snprintf (out, size, "%s text encoder, %d layers of %d",
              m->t5.has_layer_bias ? "umT5" : "T5 v1.1", m->t5.n_layers, m->t5.dim);
  else if (has_clip[0] || has_clip[1])
    snprintf (out, size, "CLIP text encoder, %d layers of %d", clip->n_layers, clip->dim);
  else if (m->has_vision)
    snprintf (out, size, "CLIP image encoder, %d layers of %d, pictures of %d x %d",
              m->vision.n_layers, m->vision.dim, m->vision.image_size, m->vision.image_size);
  else if (m->has_vae)
    snprintf (out, size, "VAE, %d latent channels", m->vae.latent_channels);
  else if (m->has_wan_vae)
    snprintf (out, size, "video VAE, %d latent channels", m->wan_vae.latent_channels);
  else if (m->has_tiny)
    snprintf (out, size, "preview decoder");
  else if (m->has_control)
    snprintf (out, size, "ControlNet for %s", family_name (m->family));
  else
    snprintf (out, size, "%s of %s, without text encoders and VAE",
              m->has_flux || m->has_wan ? "transformer" : "U-Net", family_name (m->family));
  return true;
}

static void
print_video_vae (const WanVaeConfig *c)
{
  int side = c->patch << (c->n_levels - 1);
  printf ("  Wan %s VAE: latents of %d channels for %d x %d pixels of 4 frames%s\n",
          c->is_residual ? "2.2" : "2.1", c->latent_channels, side, side,
          !c->has_encoder   ? ", decoder only"
          : !c->has_decoder ? ", encoder only"
                            : "");
}

static void
print_wan (const ModelConfig *m)
{
  static const char *const kinds[WAN_VARIANT_COUNT] = {
    [WAN_T2V] = "T2V", [WAN_I2V] = "I2V", [WAN_TI2V] = "TI2V"
  };
  printf ("  %s: %d layers of %d, %d input channels%s\n",
          m->wan.image_positions > 0 ? "FLF2V" : kinds[m->wan.variant], m->wan.n_layers, m->wan.dim,
          m->wan.in_channels, m->wan.image_dim > 0 ? ", looks at pictures through CLIP" : "");
}

static void
print_text (const Checkpoint *c)
{
  char alone[MAX_VALUE_SHOWN];
  const ModelConfig *m = &c->config;
  printf ("%s\n  %s, %s layout, %s, %.1f MB\n", c->path, family_name (m->family),
          layout_name (c->layout), c->container, (double) c->file_bytes / 1e6);
  if (describe_alone (c, alone, sizeof alone))
    printf ("  one network: %s\n", alone);
  if (m->has_flux)
    printf ("  %s: %d double and %d single blocks, %d input channels\n",
            flux_variant_name (m->flux.variant), m->flux.n_double, m->flux.n_single,
            m->flux.in_channels);
  if (m->has_wan)
    print_wan (m);
  if (m->has_unet)
    printf ("  %s prediction%s%s\n", m->prediction == PREDICTION_V ? "v" : "epsilon",
            m->zero_terminal_snr ? ", zero terminal SNR" : "",
            m->unet.in_channels == 9 ? ", inpainting (9 input channels)" : "");
  if (m->has_wan_vae)
    print_video_vae (&m->wan_vae);
  for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
    {
      Storage storage = part_storage (c->weights, parts[i].prefix);
      int64_t n = weights_parameters (c->weights, parts[i].prefix);
      if (storage.main < 0)
        continue;
      printf ("  %-16s %10.3f M parameters, %.1f MB, ", parts[i].label, (double) n / 1e6,
              (double) storage.n_bytes / 1e6);
      print_formats (&storage, n);
      printf ("\n");
    }
  print_list ("missing or misshapen", weights_problem_count (c->weights), problem_at, c);
  print_list ("left over", count_unused (c->weights), unused_at, c);
  print_list ("unknown", c->n_unknown, unknown_at, c);
  for (int i = 0; i < c->n_metadata; i++)
    printf ("  %s: %.*s%s\n", c->metadata_keys[i], MAX_VALUE_SHOWN, c->metadata_values[i],
            strlen (c->metadata_values[i]) > MAX_VALUE_SHOWN ? "..." : "");
}

static void
print_json_list (const char *label,
                 int n,
                 const char *(*at) (const Checkpoint *c, int i),
                 const Checkpoint *c)
{
  printf (", \"%s\": [", label);
  for (int i = 0; i < n; i++)
    {
      printf ("%s", i ? ", " : "");
      json_print_string (at (c, i));
    }
  printf ("]");
}

static void
print_json (const Checkpoint *c)
{
  const ModelConfig *m = &c->config;
  printf ("{\"path\": ");
  json_print_string (c->path);
  printf (", \"family\": \"%s\", \"layout\": \"%s\", \"container\": \"%s\", \"bytes\": %lld, "
          "\"prediction\": \"%s\", \"zero_terminal_snr\": %s, \"parts\": {",
          family_name (m->family), layout_name (c->layout), c->container, (long long) c->file_bytes,
          m->prediction == PREDICTION_V ? "v" : "epsilon", m->zero_terminal_snr ? "true" : "false");
  char alone[MAX_VALUE_SHOWN];
  bool first = true;
  for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
    {
      Storage storage = part_storage (c->weights, parts[i].prefix);
      if (storage.main < 0)
        continue;
      printf ("%s\"%s\": {\"parameters\": %lld, \"bytes\": %lld, \"precision\": \"%s\", "
              "\"mixed\": %s, \"formats\": {",
              first ? "" : ", ", parts[i].label,
              (long long) weights_parameters (c->weights, parts[i].prefix),
              (long long) storage.n_bytes, dtype_name ((DType) storage.main),
              storage.kinds > 1 ? "true" : "false");
      const char *comma = "";
      for (int d = 0; d < DTYPE_COUNT; d++)
        if (storage.count[d] > 0)
          {
            printf ("%s\"%s\": %lld", comma, dtype_name ((DType) d), (long long) storage.count[d]);
            comma = ", ";
          }
      printf ("}}");
      first = false;
    }
  printf ("}");
  if (describe_alone (c, alone, sizeof alone))
    {
      printf (", \"alone\": ");
      json_print_string (alone);
    }
  print_json_list ("missing", weights_problem_count (c->weights), problem_at, c);
  print_json_list ("left_over", count_unused (c->weights), unused_at, c);
  print_json_list ("unknown", c->n_unknown, unknown_at, c);
  printf (", \"metadata\": {");
  for (int i = 0; i < c->n_metadata; i++)
    {
      printf ("%s", i ? ", " : "");
      json_print_string (c->metadata_keys[i]);
      printf (": ");
      json_print_string (c->metadata_values[i]);
    }
  printf ("}}\n");
}

static bool
inspect_model (const Options *o, int operand, Status *status)
{
  Checkpoint *c = checkpoint_open (o->operands[operand], true, status);
  if (!c)
    return false;
  pipeline_bind_report (c);
  (o->json ? print_json : print_text) (c);
  checkpoint_free (c);
  return true;
}

int
command_inspect (Options *o)
{
  Status status = { 0 };
  if (o->n_operands == 0)
    {
      status_fail (&status, STATUS_ARGUMENT, "inspect needs at least one file or folder.");
      return cli_usage_error (&status);
    }
  int code = EXIT_DONE;
  for (int i = 0; i < o->n_operands && !atomic_load (&cli_cancel); i++)
    {
      Status one = { 0 };
      InspectEnd end = inspect_adapter (o->operands[i], o->recipe.model, o->json, &one);
      if (end == INSPECT_FAILED || (end == INSPECT_OTHER && !inspect_model (o, i, &one) &&
                                    inspect_embedding (o->operands[i], o->json) != INSPECT_DONE))
        code = cli_fail (&one, o->json);
    }
  return code;
}
