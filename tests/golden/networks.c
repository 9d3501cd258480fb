/* SPDX-License-Identifier: MPL-2.0
 * networks.c - one pass of every network against what diffusers and transformers compute.
 *
 * networks [--level NAME] [--precision f32|bf16]; GESSO_SOURCE names the source tree.  What the
 * tensors of networks.safetensors mean stands in README.md beside this file.
 */
#include "pass.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/mem.h"
#include "models/clip.h"
#include "models/unet.h"
#include "models/vae.h"
#include "support/tap.h"

/* Of the largest value of a result.  f32 sums of a thousand products round to about 1e-6 a layer,
 * in another order than the reference's, and the deepest network here has some sixty layers. */
static const double TOLERANCE_F32 = 1e-4;
/* bf16 keeps 8 bits: 2^-9 for each factor, so about 5e-3 for a product of two; errors of a layer's
 * products are independent and average out, those of layers add up as a random walk.  Measured
 * worst 0.043, over every level. */
static const double TOLERANCE_BF16 = 0.06;
/* The U-Nets of random weights magnify errors: torch's own bf16 autocast is off by up to 0.113 of
 * the largest value (sdxl-tiny/unet; 0.036, 0.029, 0.048 and 0.014 on the others), ours by 0.107.
 */
static const double UNET_TOLERANCE_BF16 = 0.13;

enum
{
  N_SIZES = 6,
  CLIP_LENGTH = 77
};

/* ---- U-Nets ---- */

typedef struct
{
  const Unet *unet;
  const FileTensor *shape, *context;
  float *x, *t, *vector;
  int64_t vector_dim;
} UnetCase;

static Tensor *
unet_pass (Ctx *ctx, void *data)
{
  UnetCase *c = data;
  int64_t n = c->shape->ne[0];
  Tensor *x = image_input (ctx, c->shape, c->x);
  Tensor *t = ctx_input (ctx, DTYPE_F32, 1, &n, c->t);
  Tensor *context =
      ctx_input (ctx, DTYPE_F32, 3, c->context->ne, (void *) (uintptr_t) c->context->data);
  Tensor *vector = NULL;
  if (c->vector)
    vector = ctx_input (ctx, DTYPE_F32, 2, (int64_t[]){ n, c->vector_dim }, c->vector);
  return unet_forward (ctx, c->unet, x, t, context, vector);
}

/* Pooled text, then a sinusoid of each size (Podell et al. 2023, 2.2). */
static void
fill_vector (UnetCase *c, const FileTensor *pooled, const FileTensor *sizes, int64_t sinusoid_dim)
{
  int64_t n_pooled = pooled->ne[1], half = sinusoid_dim / 2;
  for (int64_t n = 0; n < c->shape->ne[0]; n++)
    {
      float *row = c->vector + n * c->vector_dim;
      memcpy (row, floats (pooled) + n * n_pooled, (size_t) n_pooled * sizeof *row);
      for (int64_t i = 0; i < N_SIZES * half; i++)
        {
          double size = (double) floats (sizes)[n * N_SIZES + i / half];
          double angle = size * exp (-log (10000.0) * (double) (i % half) / (double) half);
          float *at = row + n_pooled + i / half * sinusoid_dim + i % half;
          at[0] = (float) cos (angle);
          at[half] = (float) sin (angle);
        }
    }
}

/* @path: a model's folder, or one network's; @name: of the fixture, "-odd" being of a size that
 * halving rounds. */
static void
test_unet (Suite *s, const char *path, const char *name)
{
  Model m;
  UnetCase c = { .shape = expected (s, name, "x"), .context = expected (s, name, "context") };
  if (model_open (&m, s, path) && c.shape && c.context)
    {
      const UnetConfig *config = &m.checkpoint->config.unet;
      Binder b = model_binder (&m);
      c.unet = unet_bind (&b, config);
      c.vector_dim = config->adm_dim;
      c.x = new_channels_last (c.shape);
      c.t = mem_calloc ((size_t) c.shape->ne[0], sizeof *c.t);
      for (int64_t i = 0; i < c.shape->ne[0]; i++)
        c.t[i] = floats (expected (s, name, "t"))[0];
      if (c.vector_dim > 0)
        {
          c.vector = mem_calloc ((size_t) (c.shape->ne[0] * c.vector_dim), sizeof *c.vector);
          fill_vector (&c, expected (s, name, "pooled"), expected (s, name, "time_ids"),
                       config->adm_time_dim);
        }
    }
  Tensor *y = c.unet ? model_run (&m, unet_pass, &c) : NULL;
  Got got = got_whole (s, y);
  got.tolerance_bf16 = UNET_TOLERANCE_BF16;
  compare (s, name, "y", got);
  mem_free (c.x);
  mem_free (c.t);
  mem_free (c.vector);
  model_close (&m, name);
}

/* ---- VAEs ---- */

typedef struct
{
  const void *net;
  const FileTensor *shape;
  float *data;
} ImageCase;

static Tensor *
encode_pass (Ctx *ctx, void *data)
{
  ImageCase *c = data;
  return vae_encode (ctx, c->net, image_input (ctx, c->shape, c->data));
}

static Tensor *
decode_pass (Ctx *ctx, void *data)
{
  ImageCase *c = data;
  return vae_decode (ctx, c->net, image_input (ctx, c->shape, c->data));
}

static Tensor *
tiny_pass (Ctx *ctx, void *data)
{
  ImageCase *c = data;
  return tiny_decode (ctx, c->net, image_input (ctx, c->shape, c->data));
}

static Tensor *
run_image (Model *m, ForwardFunc forward, ImageCase *c, const FileTensor *input)
{
  c->shape = input;
  mem_free (c->data);
  c->data = new_channels_last (input);
  return model_run (m, forward, c);
}

static void
test_vae (Suite *s, const char *folder)
{
  enum
  {
    LEAST_LOGVAR = -30
  };
  char name[256];
  snprintf (name, sizeof name, "%s/vae", folder);
  Model m;
  ImageCase c = { 0 };
  if (model_open (&m, s, folder))
    {
      Binder b = model_binder (&m);
      c.net = vae_bind (&b, &m.checkpoint->config.vae, VAE_DECODER | VAE_ENCODER);
    }
  Tensor *encoded = c.net ? run_image (&m, encode_pass, &c, expected (s, name, "image")) : NULL;
  Got got = got_whole (s, encoded);
  compare (s, name, "mean", got);
  got.data += encoded ? m.checkpoint->config.vae.latent_channels : 0;
  got.least = LEAST_LOGVAR;
  compare (s, name, "logvar", got);
  Tensor *decoded = c.net ? run_image (&m, decode_pass, &c, expected (s, name, "z")) : NULL;
  compare (s, name, "decoded", got_whole (s, decoded));
  mem_free (c.data);
  model_close (&m, name);
}

/* @path: one of the layouts in which TAESD decoders are found. */
static void
test_tiny (Suite *s, const char *path)
{
  char full[2304];
  snprintf (full, sizeof full, "%s/%s", s->folder, path);
  Model m;
  ImageCase c = { 0 };
  if (model_open (&m, s, "sd15-tiny") && checkpoint_add (m.checkpoint, full, "tiny.", &m.status))
    {
      Binder b = model_binder (&m);
      c.net = tiny_decoder_bind (&b);
    }
  Tensor *out = c.net ? run_image (&m, tiny_pass, &c, expected (s, "taesd-tiny", "z")) : NULL;
  Got got = got_whole (s, out);
  got.scale = 2;
  got.shift = -1;
  printf ("# %s\n", path);
  compare (s, "taesd-tiny", "decoded", got);
  mem_free (c.data);
  model_close (&m, path);
}

/* ---- text encoders ---- */

typedef struct
{
  const Clip *clip;
  const int32_t *ids;
  int64_t n_rows;
  ClipOptions options;
  Tensor *pooled;
} ClipCase;

static Tensor *
clip_pass (Ctx *ctx, void *data)
{
  ClipCase *c = data;
  ClipOutput out = clip_forward (ctx, c->clip, c->ids, c->n_rows, CLIP_LENGTH, c->options);
  c->pooled = out.pooled;
  return out.hidden;
}

/* `hidden.k` is stored for the last prompt alone; clip skip n reads layer count - n + 1. */
static void
test_hidden (Model *m, ClipCase *c, const char *name, int n_layers)
{
  for (int k = 1; k <= n_layers; k++)
    {
      char key[32];
      snprintf (key, sizeof key, "hidden.%d", k);
      c->options = (ClipOptions){ .skip_layers = n_layers - k };
      Tensor *hidden = model_run (m, clip_pass, c);
      Got got = got_whole (m->suite, hidden);
      if (hidden)
        got.data += (c->n_rows - 1) * CLIP_LENGTH * tensor_last (hidden);
      compare (m->suite, name, key, got);
    }
}

/* The pooled output does not depend on the layer that `hidden` is read from. */
static void
test_pooled (Model *m, ClipCase *c, const char *name, const int32_t *eos)
{
  for (int skip = 0; skip < 2; skip++)
    {
      c->options = (ClipOptions){ .skip_layers = skip, .final_norm = true, .eos = eos };
      Tensor *hidden = model_run (m, clip_pass, c);
      if (skip == 0)
        compare (m->suite, name, "last", got_whole (m->suite, hidden));
      compare (m->suite, name, "pooled", got_whole (m->suite, hidden ? c->pooled : NULL));
    }
}

static void
test_clip (Suite *s, const char *folder, int encoder)
{
  enum
  {
    MAX_ROWS = 8
  };
  char name[256];
  snprintf (name, sizeof name, "%s/%s", folder, encoder ? "text_encoder_2" : "text_encoder");
  const FileTensor *ids = expected (s, name, "ids");
  int32_t eos[MAX_ROWS] = { 0 };
  Model m;
  ClipCase c = { 0 };
  if (model_open (&m, s, folder) && ids)
    {
      const ClipConfig *config = &m.checkpoint->config.clip[encoder];
      Binder b = model_binder (&m);
      c.clip = clip_bind (&b, config, encoder ? "text_encoder_2" : "text_encoder");
      c.ids = (const int32_t *) (const void *) ids->data;
      c.n_rows = ids->ne[0];
      for (int64_t row = 0; row < c.n_rows && row < MAX_ROWS; row++)
        for (eos[row] = (int32_t) row * CLIP_LENGTH; c.ids[eos[row]] != config->eos_id;)
          eos[row]++;
      test_hidden (&m, &c, name, config->n_layers);
      test_pooled (&m, &c, name, eos);
    }
  else
    tap_ok (false, name, "%s", "no model, or no fixture");
  model_close (&m, name);
}

/* ---- main ---- */

static void
test_all (Suite *s)
{
  test_unet (s, "sd15-tiny", "sd15-tiny/unet");
  test_unet (s, "sd15-tiny", "sd15-tiny/unet-odd");
  test_unet (s, "sdxl-tiny", "sdxl-tiny/unet");
  test_unet (s, "sdxl-tiny", "sdxl-tiny/unet-odd");
  test_unet (s, "sd15-tiny-inpaint/unet", "sd15-tiny-inpaint/unet");
  test_vae (s, "sd15-tiny");
  test_vae (s, "sdxl-tiny");
  test_clip (s, "sd15-tiny", 0);
  test_clip (s, "sdxl-tiny", 1);
  test_tiny (s, "taesd-tiny");
  test_tiny (s, "taesd-tiny-sharded");
  test_tiny (s, "taesd-tiny-original.safetensors");
  test_tiny (s, "taesd-tiny-decoder-legacy.pt");
}

int
main (int argc, char **argv)
{
  Suite s = { .fixtures = "",
              .expectation = "networks.safetensors",
              .tolerance_f32 = TOLERANCE_F32,
              .tolerance_bf16 = TOLERANCE_BF16,
              .test_all = test_all };
  return suite_main (&s, argc, argv);
}
