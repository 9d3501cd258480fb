/* SPDX-License-Identifier: MPL-2.0
 * transformers.c - FLUX.1's transformer, T5, umT5 and the 16-channel VAE against what diffusers and
 * transformers compute.
 *
 * transformers [--level NAME] [--precision f32|bf16]; GESSO_SOURCE names the source tree.  The
 * files are made by transformer_cases.py.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "backend/backend.h"
#include "core/mem.h"
#include "models/flux.h"
#include "models/t5.h"
#include "models/vae.h"
#include "weights/checkpoint.h"
#include "weights/mapped.h"
#include "weights/safetensors.h"

/* Of the largest value of a result.  Sums in another order than the reference's round to about
 * 1e-6; and the reference makes its sinusoids' angles in f32, where one of 900 radians is off by
 * 5e-5. Measured worst 1.3e-5 (FLUX), 3.0e-6 (the others). */
static const double TOLERANCE_F32 = 3e-5;
/* Factors keep 8 bits: 2^-9 each, and errors of the layers add up as a random walk.  torch's own
 * bf16 autocast is off by 0.018 (T5) and 0.013 (umT5); measured worst here 0.019. */
static const double TOLERANCE_BF16 = 0.03;

typedef struct
{
  char folder[2048];
  Pool pool;
  TensorTable expected;
  Backend *backend;
  Compute compute;
  int n, n_failed;
  double worst;
} Suite;

typedef struct
{
  Suite *suite;
  Checkpoint *checkpoint;
  Arena arena;
  Status status;
  Ctx *ctx;
} Model;

/* ---- reporting ---- */

static void
report (Suite *s, bool ok, const char *name, const char *detail)
{
  printf ("%s %d - %s: %s\n", ok ? "ok" : "not ok", ++s->n, name, detail);
  s->n_failed += !ok;
}

static const FileTensor *
expected (const Suite *s, const char *name, const char *key)
{
  char full[256];
  snprintf (full, sizeof full, "%s.%s", name, key);
  return table_find (&s->expected, full);
}

static int64_t
elements (const FileTensor *t)
{
  int64_t n = 1;
  for (int i = 0; i < t->rank; i++)
    n *= t->ne[i];
  return n;
}

static const float *
floats (const FileTensor *t)
{
  return (const float *) (const void *) t->data;
}

/* Where element @i of @t, stored (N, C, H, W) when of rank 4, lies in our (N, H, W, C) with
 * @stride channels. */
static int64_t
our_index (const FileTensor *t, int64_t i, int64_t stride)
{
  if (t->rank != 4)
    return i;
  int64_t c = t->ne[1], hw = t->ne[2] * t->ne[3];
  return (i / (c * hw) * hw + i % hw) * stride + i / hw % c;
}

/* @entry: floats from an entry of the batch to the next; 0: they follow each other */
static void
compare_part (
    Suite *s, const char *name, const char *key, const float *got, int64_t stride, int64_t entry)
{
  const FileTensor *want = expected (s, name, key);
  char full[256], detail[128];
  snprintf (full, sizeof full, "%s.%s", name, key);
  if (!want || !got)
    {
      report (s, false, full, want ? "no result" : "no such fixture");
      return;
    }
  double largest = 0, worst = 0;
  int64_t in_entry = elements (want) / want->ne[0];
  for (int64_t i = 0; i < elements (want); i++)
    {
      int64_t at = entry ? i / in_entry * entry + i % in_entry : our_index (want, i, stride);
      double error = fabs ((double) got[at] - (double) floats (want)[i]);
      largest = fmax (largest, fabs ((double) floats (want)[i]));
      worst = error > worst || isnan (error) ? error : worst;
    }
  double relative = worst / largest;
  s->worst = relative > s->worst || isnan (relative) ? relative : s->worst;
  snprintf (detail, sizeof detail, "off by %.1e of its largest value", relative);
  report (s, relative <= (s->compute == COMPUTE_F32 ? TOLERANCE_F32 : TOLERANCE_BF16), full,
          detail);
}

static void
compare (Suite *s, const char *name, const char *key, const Tensor *t)
{
  compare_part (s, name, key, t ? t->data : NULL, t ? tensor_last (t) : 1, 0);
}

/* ---- running ---- */

static bool
model_open (Model *m, Suite *s, const char *path)
{
  char full[2304];
  snprintf (full, sizeof full, "%s/%s", s->folder, path);
  *m = (Model){ .suite = s };
  m->checkpoint = checkpoint_open (full, false, &m->status);
  return m->checkpoint != NULL;
}

static Binder
binder (Model *m)
{
  return (Binder){ m->checkpoint->weights, &m->arena, &m->status };
}

static void
model_close (Model *m, const char *name)
{
  const char *why =
      m->ctx && ctx_failed (m->ctx) ? ctx_status (m->ctx)->message : m->status.message;
  if (*why)
    report (m->suite, false, name, why);
  ctx_free (m->ctx);
  arena_clear (&m->arena);
  checkpoint_free (m->checkpoint);
}

typedef Tensor *(*ForwardFunc) (Ctx *ctx, void *data);

/* Measures, plans and runs.  Returns: the result in the model's Ctx, NULL on failure */
static Tensor *
run (Model *m, ForwardFunc forward, void *data)
{
  if (!m->checkpoint || !weights_check (m->checkpoint->weights, &m->status))
    return NULL;
  ctx_free (m->ctx);
  m->ctx = ctx_new (m->suite->backend, m->suite->compute, NULL, &m->status);
  if (!m->ctx)
    return NULL;
  forward (m->ctx, data);
  Tensor *out = ctx_plan (m->ctx) && ctx_begin_run (m->ctx) ? forward (m->ctx, data) : NULL;
  return ctx_end_run (m->ctx) ? out : NULL;
}

static Tensor *
file_input (Ctx *ctx, const FileTensor *t)
{
  return t ? ctx_input (ctx, DTYPE_F32, t->rank, t->ne, (void *) (uintptr_t) t->data) : NULL;
}

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
  Tensor *modulation = run (m, modulation_pass, c);
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
      Binder b = binder (&m);
      c.config = &m.checkpoint->config.flux;
      c.flux = flux_bind (&b, c.config);
    }
  Tensor *y =
      c.flux && prepare (&m, &c, expected (s, inputs, "grids")) ? run (&m, flux_pass, &c) : NULL;
  compare (s, name, "y", y);
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
  report (s, ok, "packing", ok ? "equal" : "differs");
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
      Binder b = binder (&m);
      c.t5 = t5_bind (&b, &m.checkpoint->config.t5);
    }
  compare (s, name, "states", c.t5 ? run (&m, t5_pass, &c) : NULL);
  c.key_bias = mem_calloc ((size_t) elements (mask), sizeof (float));
  for (int64_t i = 0; i < elements (mask); i++)
    c.key_bias[i] = floats (mask)[i] > 0 ? 0 : -INFINITY;
  Tensor *y = c.t5 ? run (&m, t5_pass, &c) : NULL;
  compare_part (s, name, "masked", y ? y->data : NULL, 0, y ? y->ne[1] * y->ne[2] : 0);
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
image_input (Ctx *ctx, const VaeCase *c)
{
  const int64_t *ne = c->shape->ne;
  return ctx_input (ctx, DTYPE_F32, 4, (int64_t[]){ ne[0], ne[2], ne[3], ne[1] }, c->data);
}

static Tensor *
encode_pass (Ctx *ctx, void *data)
{
  VaeCase *c = data;
  return vae_encode (ctx, c->vae, image_input (ctx, c));
}

static Tensor *
decode_pass (Ctx *ctx, void *data)
{
  VaeCase *c = data;
  return vae_decode (ctx, c->vae, image_input (ctx, c));
}

static Tensor *
run_image (Model *m, ForwardFunc forward, VaeCase *c, const FileTensor *input)
{
  c->shape = input;
  mem_free (c->data);
  c->data = mem_calloc ((size_t) elements (input), sizeof (float));
  for (int64_t i = 0; i < elements (input); i++)
    c->data[our_index (input, i, input->ne[1])] = floats (input)[i];
  return c->vae ? run (m, forward, c) : NULL;
}

static void
test_vae (Suite *s)
{
  Model m;
  VaeCase c = { 0 };
  if (model_open (&m, s, "ae.safetensors"))
    {
      Binder b = binder (&m);
      c.vae = vae_bind (&b, &m.checkpoint->config.vae, VAE_DECODER | VAE_ENCODER);
    }
  Tensor *encoded = run_image (&m, encode_pass, &c, expected (s, "ae", "image"));
  compare (s, "ae", "mean", encoded);
  compare_part (s, "ae", "logvar",
                encoded ? (float *) encoded->data + tensor_last (encoded) / 2 : NULL,
                encoded ? tensor_last (encoded) : 1, 0);
  compare (s, "ae", "decoded", run_image (&m, decode_pass, &c, expected (s, "ae", "z")));
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

static bool
set_up (Suite *s, MappedFile *file, const char *level, const char *precision, Status *status)
{
  char path[2304];
  const char *root = getenv ("GESSO_SOURCE");
  snprintf (s->folder, sizeof s->folder, "%s/tests/golden/fixtures/transformers",
            root ? root : ".");
  snprintf (path, sizeof path, "%s/expect.safetensors", s->folder);
  s->compute = precision && !strcmp (precision, "bf16") ? COMPUTE_BF16 : COMPUTE_F32;
  table_init (&s->expected, &s->pool);
  s->backend = backend_cpu_new (level, 0, status);
  return s->backend && mapped_open (file, path, status) &&
         safetensors_parse (&s->expected, file->data, file->size, path, status);
}

int
main (int argc, char **argv)
{
  const char *level = NULL, *precision = NULL;
  for (int i = 1; i + 1 < argc; i += 2)
    {
      level = strcmp (argv[i], "--level") == 0 ? argv[i + 1] : level;
      precision = strcmp (argv[i], "--precision") == 0 ? argv[i + 1] : precision;
    }
  Suite s = { 0 };
  MappedFile file = { 0 };
  Status status = { 0 };
  int failed = 1;
  if (set_up (&s, &file, level, precision, &status))
    {
      test_all (&s);
      printf ("1..%d\n# worst: %.2e\n", s.n, s.worst);
      failed = s.n_failed > 0;
    }
  else if (status.code == STATUS_UNSUPPORTED)
    {
      printf ("1..0 # SKIP %s\n", status.message);
      failed = 0;
    }
  else
    printf ("Bail out! %s\n", status.message);
  table_clear (&s.expected);
  mapped_close (&file);
  pool_clear (&s.pool);
  backend_free (s.backend);
  return failed;
}
