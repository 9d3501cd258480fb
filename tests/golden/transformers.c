/* SPDX-License-Identifier: MPL-2.0
 * transformers.c - FLUX.1's transformer, T5, umT5 and the 16-channel VAE against what diffusers and
 * transformers compute.
 *
 * transformers [--level NAME] [--precision f32|bf16]; GESSO_SOURCE names the source tree.  The
 * files are made by transformer_cases.py.
 */
#include "pass.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/mem.h"
#include "models/flux.h"
#include "models/t5.h"
#include "models/vae.h"
#include "support/tap.h"

/* Of the largest value of a result.  Sums in another order than the reference's round to about
 * 1e-6; and the reference makes its sinusoids' angles in f32, where one of 900 radians is off by
 * 5e-5. Measured worst 1.3e-5 (FLUX), 3.0e-6 (the others). */
static const double TOLERANCE_F32 = 3e-5;
/* Factors keep 8 bits: 2^-9 each, and errors of the layers add up as a random walk.  torch's own
 * bf16 autocast is off by 0.018 (T5) and 0.013 (umT5); measured worst here 0.019. */
static const double TOLERANCE_BF16 = 0.03;

/* ---- FLUX.1 ---- */

typedef struct
{
  const Flux *flux;
  const FluxConfig *config;
  const FileTensor *img, *txt, *t, *guidance, *pooled;
  float *modulation, *positions;
  int64_t n_target;
} FluxCase;

static Tensor *
modulation_pass (Ctx *ctx, void *data)
{
  FluxCase *c = data;
  return flux_modulation (ctx, c->flux, file_input (ctx, c->t), file_input (ctx, c->guidance),
                          file_input (ctx, c->pooled));
}

static Tensor *
flux_pass (Ctx *ctx, void *data)
{
  FluxCase *c = data;
  int64_t modulation[] = { c->t->ne[0], flux_modulation_size (c->config) };
  int64_t positions[] = { c->txt->ne[1] + c->img->ne[1], c->config->head_dim };
  FluxInputs in = { .img = file_input (ctx, c->img),
                    .txt = file_input (ctx, c->txt),
                    .modulation = ctx_input (ctx, DTYPE_F32, 2, modulation, c->modulation),
                    .positions = ctx_input (ctx, DTYPE_F32, 2, positions, c->positions),
                    .n_target = c->n_target };
  return flux_forward (ctx, c->flux, &in);
}

/* What a step takes besides its tokens. */
static bool
prepare (Model *m, FluxCase *c, const FileTensor *grids)
{
  enum
  {
    MAX_GRIDS = 4
  };
  FluxGrid all[MAX_GRIDS] = { 0 };
  const int32_t *numbers = (const int32_t *) (const void *) grids->data;
  int64_t n_tokens = c->txt->ne[1] + c->img->ne[1];
  for (int64_t i = 0; i < grids->ne[0]; i++)
    all[i] = (FluxGrid){ numbers[3 * i], 0, 0, numbers[3 * i + 1], numbers[3 * i + 2] };
  c->n_target = all[0].h * all[0].w;
  c->positions = mem_calloc ((size_t) (n_tokens * c->config->head_dim), sizeof (float));
  flux_positions (c->positions, c->config, c->txt->ne[1], all, (int) grids->ne[0]);
  Tensor *modulation = model_run (m, modulation_pass, c);
  if (!modulation)
    return false;
  c->modulation = mem_calloc (tensor_bytes (modulation), 1);
  memcpy (c->modulation, modulation->data, tensor_bytes (modulation));
  return true;
}

/* @inputs: whose they are; @name: whose result is expected */
static void
test_flux (Suite *s, const char *path, const char *inputs, const char *name)
{
  Model m;
  FluxCase c = { .img = expected (s, inputs, "img"),
                 .txt = expected (s, inputs, "txt"),
                 .t = expected (s, inputs, "t"),
                 .guidance = expected (s, inputs, "guidance"),
                 .pooled = expected (s, inputs, "pooled") };
  printf ("# %s\n", path);
  if (model_open (&m, s, path))
    {
      Binder b = model_binder (&m);
      c.config = &m.checkpoint->config.flux;
      c.flux = flux_bind (&b, c.config);
    }
  Tensor *y = c.flux && prepare (&m, &c, expected (s, inputs, "grids"))
                  ? model_run (&m, flux_pass, &c)
                  : NULL;
  compare (s, name, "y", got_whole (s, y));
  mem_free (c.modulation);
  mem_free (c.positions);
  model_close (&m, name);
}

/* diffusers packs (N, C, H, W); ours lies (H, W, C).  Exact, there and back. */
static void
test_packing (Suite *s)
{
  const FileTensor *latent = expected (s, "packing", "latent"),
                   *tokens = expected (s, "packing", "tokens");
  int64_t c = latent->ne[1], h = latent->ne[2] / 2, w = latent->ne[3] / 2, n = elements (latent);
  float *pixels = mem_calloc ((size_t) n, sizeof (float));
  float *packed = mem_calloc ((size_t) n, sizeof (float));
  float *back = mem_calloc ((size_t) n, sizeof (float));
  for (int64_t i = 0; i < n; i++)
    pixels[our_index (latent, i, c)] = floats (latent)[i];
  flux_patchify (packed, 4 * c, pixels, h, w, c);
  flux_unpatchify (back, packed, h, w, c);
  bool ok = !memcmp (packed, tokens->data, (size_t) n * sizeof (float)) &&
            !memcmp (back, pixels, (size_t) n * sizeof (float));
  tap_ok (ok, "packing", "%s", ok ? "equal" : "differs");
  mem_free (pixels);
  mem_free (packed);
  mem_free (back);
}

/* ---- T5 ---- */

typedef struct
{
  const T5 *t5;
  const FileTensor *ids;
  float *key_bias;
} T5Case;

static Tensor *
t5_pass (Ctx *ctx, void *data)
{
  T5Case *c = data;
  Tensor *bias = NULL;
  if (c->key_bias)
    bias = ctx_input (ctx, DTYPE_F32, 2, c->ids->ne, c->key_bias);
  return t5_forward (ctx, c->t5, (const int32_t *) (const void *) c->ids->data, c->ids->ne[0],
                     c->ids->ne[1], bias);
}

/* Of "masked" only what every row really has is stored. */
static void
test_t5 (Suite *s, const char *path, const char *name)
{
  Model m;
  T5Case c = { .ids = expected (s, name, "ids") };
  const FileTensor *mask = expected (s, name, "mask");
  if (model_open (&m, s, path))
    {
      Binder b = model_binder (&m);
      c.t5 = t5_bind (&b, &m.checkpoint->config.t5);
    }
  compare (s, name, "states", got_whole (s, c.t5 ? model_run (&m, t5_pass, &c) : NULL));
  c.key_bias = mem_calloc ((size_t) elements (mask), sizeof (float));
  for (int64_t i = 0; i < elements (mask); i++)
    c.key_bias[i] = floats (mask)[i] > 0 ? 0 : -INFINITY;
  Tensor *y = c.t5 ? model_run (&m, t5_pass, &c) : NULL;
  Got got = got_whole (s, y);
  got.entry = y ? y->ne[1] * y->ne[2] : 0;
  compare (s, name, "masked", got);
  mem_free (c.key_bias);
  model_close (&m, name);
}

/* ---- VAE ---- */

typedef struct
{
  const Vae *vae;
  const FileTensor *shape;
  float *data;
} VaeCase;

static Tensor *
encode_pass (Ctx *ctx, void *data)
{
  VaeCase *c = data;
  return vae_encode (ctx, c->vae, image_input (ctx, c->shape, c->data));
}

static Tensor *
decode_pass (Ctx *ctx, void *data)
{
  VaeCase *c = data;
  return vae_decode (ctx, c->vae, image_input (ctx, c->shape, c->data));
}

static Tensor *
run_image (Model *m, ForwardFunc forward, VaeCase *c, const FileTensor *input)
{
  c->shape = input;
  mem_free (c->data);
  c->data = new_channels_last (input);
  return c->vae ? model_run (m, forward, c) : NULL;
}

static void
test_vae (Suite *s)
{
  Model m;
  VaeCase c = { 0 };
  if (model_open (&m, s, "ae.safetensors"))
    {
      Binder b = model_binder (&m);
      c.vae = vae_bind (&b, &m.checkpoint->config.vae, VAE_DECODER | VAE_ENCODER);
    }
  Tensor *encoded = run_image (&m, encode_pass, &c, expected (s, "ae", "image"));
  Got got = got_whole (s, encoded);
  compare (s, "ae", "mean", got);
  got.data += encoded ? got.stride / 2 : 0;
  compare (s, "ae", "logvar", got);
  compare (s, "ae", "decoded",
           got_whole (s, run_image (&m, decode_pass, &c, expected (s, "ae", "z"))));
  mem_free (c.data);
  model_close (&m, "ae");
}

static void
test_all (Suite *s)
{
  test_flux (s, "flux-dev", "flux-dev", "flux-dev");
  test_flux (s, "flux-dev-bfl.safetensors", "flux-dev", "flux-dev");
  test_flux (s, "flux-dev-bfl.safetensors", "flux-kontext", "flux-kontext");
  test_flux (s, "flux-schnell-bfl.safetensors", "flux-schnell", "flux-schnell");
  test_flux (s, "flux-fill-bfl.safetensors", "flux-fill", "flux-fill");
  test_flux (s, "flux-schnell-q8.gguf", "flux-schnell", "flux-schnell-q8");
  test_flux (s, "flux-schnell-fp8.safetensors", "flux-schnell", "flux-schnell-fp8");
  test_flux (s, "flux-schnell-nf4.safetensors", "flux-schnell", "flux-schnell-nf4");
  test_packing (s);
  test_t5 (s, "t5", "t5");
  test_t5 (s, "umt5-wan.safetensors", "umt5");
  test_vae (s);
}

int
main (int argc, char **argv)
{
  Suite s = { .fixtures = "transformers",
              .expectation = "expect.safetensors",
              .tolerance_f32 = TOLERANCE_F32,
              .tolerance_bf16 = TOLERANCE_BF16,
              .test_all = test_all };
  return suite_main (&s, argc, argv);
}
