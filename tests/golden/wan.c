/* SPDX-License-Identifier: MPL-2.0
 * wan.c - Wan's transformer against what diffusers computes, from files of every layout.
 *
 * wan [--level NAME] [--precision f32|bf16]; GESSO_SOURCE names the source tree.  The files are
 * made by wan_models.py.
 */
#include "pass.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/mem.h"
#include "models/wan.h"

/* Of the largest value of a result.  Sums in another order than the reference's round to about
 * 1e-6, and the reference makes its sinusoids' angles in f32. */
static const double TOLERANCE_F32 = 3e-5;
/* Factors keep 8 bits: 2^-9 each, and errors of the layers add up as a random walk. */
static const double TOLERANCE_BF16 = 0.03;

/* ---- cases ---- */

typedef struct
{
  const Wan *wan;
  const WanConfig *config;
  const FileTensor *latent, *text, *times, *image;
  WanGrid grid;
  float *tokens, *positions;
} WanCase;

static int64_t
n_tokens (const WanCase *c)
{
  return c->grid.t * c->grid.h * c->grid.w;
}

static Tensor *
wan_pass (Ctx *ctx, void *data)
{
  WanCase *c = data;
  int64_t tokens[] = { 1, n_tokens (c), WAN_PATCH * WAN_PATCH * c->config->in_channels };
  int64_t positions[] = { n_tokens (c), c->config->head_dim };
  const WanInputs in = { .tokens = ctx_input (ctx, DTYPE_F32, 3, tokens, c->tokens),
                         .times = file_input (ctx, c->times),
                         .text = file_input (ctx, c->text),
                         .image = file_input (ctx, c->image),
                         .positions = ctx_input (ctx, DTYPE_F32, 2, positions, c->positions) };
  return wan_forward (ctx, c->wan, &in);
}

/* Tokens from a latent (1, C, T, H, W). */
static void
prepare (WanCase *c)
{
  const int64_t *ne = c->latent->ne, n_in = WAN_PATCH * WAN_PATCH * ne[1];
  c->grid = (WanGrid){ ne[2], ne[3] / WAN_PATCH, ne[4] / WAN_PATCH };
  c->tokens = mem_calloc ((size_t) (n_tokens (c) * n_in), sizeof (float));
  c->positions = mem_calloc ((size_t) (n_tokens (c) * c->config->head_dim), sizeof (float));
  wan_patchify (c->tokens, n_in, floats (c->latent), c->grid, ne[1]);
  wan_positions (c->positions, c->config, c->grid);
}

/* @inputs: whose they are; @name: whose result is expected */
static void
test_wan (Suite *s, const char *path, const char *inputs, const char *name)
{
  Model m;
  WanCase c = { .latent = expected (s, inputs, "latent"),
                .text = expected (s, inputs, "text"),
                .times = expected (s, inputs, "times"),
                .image = expected (s, inputs, "image") };
  float *answer = NULL;
  printf ("# %s\n", path);
  if (model_open (&m, s, path))
    {
      Binder b = model_binder (&m);
      c.config = &m.checkpoint->config.wan;
      c.wan = wan_bind (&b, c.config, "transformer");
      prepare (&c);
    }
  Tensor *y = c.wan ? model_run (&m, wan_pass, &c) : NULL;
  if (y)
    {
      answer = mem_calloc ((size_t) tensor_elements (y), sizeof *answer);
      wan_unpatchify (answer, y->data, c.grid, c.config->out_channels);
    }
  compare (s, name, "y", got_floats (s, answer));
  mem_free (answer);
  mem_free (c.tokens);
  mem_free (c.positions);
  model_close (&m, name);
}

static void
test_all (Suite *s)
{
  test_wan (s, "t2v", "t2v", "t2v");
  test_wan (s, "ti2v", "ti2v", "ti2v");
  test_wan (s, "plain.safetensors", "plain", "plain");
  test_wan (s, "plain-q8.gguf", "plain", "plain-q8");
  test_wan (s, "plain-fp8.safetensors", "plain", "plain-fp8");
  test_wan (s, "i2v.safetensors", "i2v", "i2v");
  test_wan (s, "flf.safetensors", "flf", "flf");
}

int
main (int argc, char **argv)
{
  Suite s = { .fixtures = "wan",
              .expectation = "expect.safetensors",
              .tolerance_f32 = TOLERANCE_F32,
              .tolerance_bf16 = TOLERANCE_BF16,
              .test_all = test_all };
  return suite_main (&s, argc, argv);
}
