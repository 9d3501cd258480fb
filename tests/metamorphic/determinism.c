/* SPDX-License-Identifier: MPL-2.0
 * determinism.c - a picture depends on its recipe and the processor's level, and on nothing else:
 * not on the number of threads, on which of them takes a task, or on what memory held before.
 *
 * determinism [REPEATS]; GESSO_SOURCE names the source tree.  The shipped model at every level that
 * this machine has.  What an operator is about to write, and all scratch, is filled with a pattern
 * before the operator runs: a value that is read before it was written shows in the picture.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "backend/cpu-gemm.h"
#include "core/mem.h"
#include "pipelines/pipeline.h"
#include "support/fixtures.h"
#include "support/tap.h"

enum
{
  STEPS = 1,
  SHARED_PREFIX = 4 << 20, /* of shared scratch: more than this model packs at once */
  NO_POISON = -1,
  SCRATCH_EVERY = 4 /* operators, where several threads make scratch large */
};

/* An odd one, whose tiles, rows and blocks are all cut off at the end. */
static const struct
{
  int width, height;
} sizes[] = { { 128, 128 }, { 136, 72 } };

/* The first is what the others are compared with. */
static const struct
{
  int n_threads, pattern; /* 0xff: NaN */
} runs[] = { { 1, NO_POISON }, { 1, 0xff }, { 2, NO_POISON }, { 3, 0x3f }, { 4, 0xff } };

/* The CPU backend behind a table that spoils memory first. */
typedef struct
{
  Backend base;
  CpuBackend *cpu;
  BackendOps ops; /* the CPU's own */
  int pattern, n_operators;
} Poisoner;

/* ---- poison ---- */

static void
spoil (const Poisoner *p, void *memory, int64_t n_bytes)
{
  if (p->pattern != NO_POISON)
    memset (memory, p->pattern, (size_t) n_bytes);
}

/* @y unless it is also read, as @x or @add */
static void
spoil_output (const Poisoner *p, float *y, int64_t n, const float *x, const float *add)
{
  p->cpu->base.cancel = p->base.cancel;
  if (y != x && y != add)
    spoil (p, y, n * (int64_t) sizeof *y);
}

static void
spoil_scratch (Poisoner *p)
{
  const CpuGemm *g = p->cpu->gemm;
  if (!g || (threads_count (p->cpu->threads) > 1 && p->n_operators++ % SCRATCH_EVERY != 0))
    return;
  spoil (p, g->shared, SHARED_PREFIX);
  spoil (p, g->biases, BIAS_FLOATS * (int64_t) sizeof *g->biases);
  spoil (p, g->threads, (int64_t) threads_count (p->cpu->threads) * THREAD_BYTES);
}

#define SLOT(name, Args, n_values, read, added, uses_scratch)                                      \
  static void poison_##name (Backend *base, const Args *a)                                         \
  {                                                                                                \
    Poisoner *p = (Poisoner *) base;                                                               \
    if (uses_scratch)                                                                              \
      spoil_scratch (p);                                                                           \
    spoil_output (p, a->y, n_values, read, added);                                                 \
    p->ops.name (&p->cpu->base, a);                                                                \
  }

SLOT (linear, LinearArgs, a->n_rows * a->n_out, a->x, a->add, true)
SLOT (conv2d, ConvArgs, a->n * a->h_out * a->w_out * a->c_out, a->x, a->add, true)
SLOT (attention, AttentionArgs, a->n * a->len_q * a->n_heads * a->head_dim, a->q, NULL, true)
SLOT (group_norm, GroupNormArgs, a->n * a->n_pixels * a->n_channels, a->x, NULL, false)
SLOT (layer_norm, LayerNormArgs, a->n_rows * a->dim, a->x, NULL, false)
SLOT (unary, UnaryArgs, a->n, a->x, NULL, false)
SLOT (add, AddArgs, a->n, a->x, NULL, false)
SLOT (scale, ScaleArgs, a->n, a->x, NULL, false)
SLOT (geglu, GegluArgs, a->n_rows * a->dim, a->x, NULL, false)
SLOT (embed, EmbedArgs, a->n_rows * a->dim, NULL, NULL, false)
SLOT (concat, ConcatArgs, a->n_rows *(a->dim_a + a->dim_b), NULL, NULL, false)
SLOT (resize, ResizeArgs, a->n * a->h_out * a->w_out * a->n_channels, a->x, NULL, false)
SLOT (sinusoid, SinusoidArgs, a->n * a->dim, a->t, NULL, false)

/* Rows of @y may stand apart, and what is between them is another's. */
static void
poison_copy (Backend *base, const CopyArgs *a)
{
  const Poisoner *p = (const Poisoner *) base;
  for (int64_t i = 0; i < a->n_rows; i++)
    spoil_output (p, a->y + i * a->y_stride, a->width, a->x + i * a->x_stride, NULL);
  p->ops.copy (&p->cpu->base, a);
}

static void
poison_round (Backend *base, const RoundArgs *a)
{
  const Poisoner *p = (const Poisoner *) base;
  p->cpu->base.cancel = p->base.cancel;
  spoil (p, a->y, a->n_rows * a->dim * (int64_t) sizeof *a->y);
  p->ops.round (&p->cpu->base, a);
}

static const BackendOps poison_ops = {
  .linear = poison_linear,
  .conv2d = poison_conv2d,
  .attention = poison_attention,
  .group_norm = poison_group_norm,
  .layer_norm = poison_layer_norm,
  .unary = poison_unary,
  .add = poison_add,
  .scale = poison_scale,
  .geglu = poison_geglu,
  .embed = poison_embed,
  .concat = poison_concat,
  .copy = poison_copy,
  .round = poison_round,
  .resize = poison_resize,
  .sinusoid = poison_sinusoid,
};

static Poisoner
poisoner_new (const char *level, int n_threads, int pattern)
{
  Status status = { 0 };
  Backend *cpu = backend_cpu_new (level, n_threads, &status);
  if (!cpu)
    tap_bail_out (&status);
  Poisoner p = { .base = *cpu,
                 .cpu = (CpuBackend *) cpu,
                 .ops = cpu->ops,
                 .pattern = pattern,
                 .n_operators = n_threads };
  p.base.ops = poison_ops;
  return p;
}

/* ---- pictures ---- */

static Pipeline *
open_model (Backend *backend)
{
  Status status = { 0 };
  char model[4096], data[4096];
  snprintf (data, sizeof data, "%s/data", source_root ());
  snprintf (model, sizeof model, "%s/models/gesso-mini", data);
  const PipelineSource from = { .model_path = model, .tokenizers_dir = data };
  Pipeline *pipeline = pipeline_open (&from, backend, &status);
  if (!pipeline)
    tap_bail_out (&status);
  return pipeline;
}

static PipelineResult
draw (Pipeline *pipeline, Compute compute, int size)
{
  PipelineJob job;
  pipeline_job_defaults (pipeline_checkpoint (pipeline), &job);
  job.prompt = "a red apple";
  job.seed = 7;
  job.steps = STEPS;
  job.sampler = SAMPLER_DPMPP_2M_SDE;
  job.compute = compute;
  job.width = sizes[size].width;
  job.height = sizes[size].height;
  return generate_or_exit (pipeline, &job);
}

/* Draws with one backend again and again.  Returns: how many pictures differ from @first, which is
 * filled in if it is empty */
static int
compare_run (
    const char *level, Compute compute, int size, int run, int n_repeats, PipelineResult *first)
{
  int n_different = 0;
  Poisoner p = poisoner_new (level, runs[run].n_threads, runs[run].pattern);
  Pipeline *pipeline = open_model (&p.base);
  for (int i = 0; i < n_repeats; i++)
    {
      PipelineResult result = draw (pipeline, compute, size);
      if (!first->rgb)
        {
          *first = result;
          continue;
        }
      n_different += !results_equal (first, &result);
      pipeline_result_clear (&result);
    }
  if (n_different > 0)
    printf ("# %d of %d differ with %d threads and pattern %d\n", n_different, n_repeats,
            runs[run].n_threads, runs[run].pattern);
  pipeline_free (pipeline);
  backend_free (&p.cpu->base);
  return n_different;
}

static void
test_case (const char *level, Compute compute, int size, int n_repeats)
{
  char name[96];
  PipelineResult first = { 0 };
  int n_different = 0;
  for (int run = 0; run < (int) (sizeof runs / sizeof *runs); run++)
    n_different += compare_run (level, compute, size, run, n_repeats, &first);
  pipeline_result_clear (&first);
  snprintf (name, sizeof name, "%s %s %dx%d", level, compute == COMPUTE_BF16 ? "bf16" : "f32",
            sizes[size].width, sizes[size].height);
  tap_ok (n_different == 0, name, "%s", "");
}

int
main (int argc, char **argv)
{
  int n_repeats = argc > 1 ? atoi (argv[1]) : 1;
  setvbuf (stdout, NULL, _IOLBF, 0);
  for (int level = CPU_SSE2; level < CPU_LEVEL_COUNT; level++)
    {
      if (!cpu_has_level ((CpuLevel) level))
        continue;
      for (int compute = 0; compute < 2; compute++)
        for (int size = 0; size < (int) (sizeof sizes / sizeof *sizes); size++)
          test_case (cpu_level_name ((CpuLevel) level), (Compute) compute, size, n_repeats);
    }
  if (!cpu_has_level (CPU_SSE2))
    tap_skip ("levels", "only the reference, which has neither threads nor scratch");
  return tap_end ();
}
