/* SPDX-License-Identifier: MPL-2.0
 * sd-control.c - ControlNets beside a U-Net: what they see, when they act, what they add.
 *
 * When a control acts, programs measure differently.  diffusers counts steps: from the first that
 * begins at @start to the last that ends by @end, of those that are done.  ComfyUI counts noise:
 * between the levels at timesteps 999 (1 - start) and 999 (1 - end), so that a start picture takes
 * its beginning off, too.  A control that acts on none of the steps costs nothing.
 */
#include <math.h>

#include "core/mem.h"
#include "pipelines/sd-private.h"

/* ---- what they see ---- */

typedef struct
{
  const ControlNet *net;
  int64_t height, width;
  float *pixels; /* (height, width, 3), 0 .. 1; NULL while planning */
} HintInput;

static Tensor *
hint_forward (Ctx *ctx, const void *data)
{
  const HintInput *in = data;
  const int64_t ne[4] = { 1, in->height, in->width, 3 };
  return controlnet_hint (ctx, in->net, ctx_input (ctx, ctx_activation (ctx), 4, ne, in->pixels));
}

static bool
make_hint (SdControls *c,
           int i,
           const Pipeline *pipeline,
           const PipelineJob *job,
           PhasePlan *plan,
           Status *status)
{
  HintInput in = { .net = c->nets[i], .height = job->height, .width = job->width };
  size_t n_in = 3 * (size_t) job->height * (size_t) job->width;
  size_t n = (size_t) (c->h * c->w * c->channels);
  if (plan)
    return pipeline_run_network (pipeline, job, PHASE_DENOISE, hint_forward, &in, plan, NULL, n,
                                 status);
  in.pixels = mem_calloc (n_in, sizeof *in.pixels);
  c->hints[i] = mem_calloc (n, sizeof *c->hints[i]);
  bool ok = (in.pixels && c->hints[i]) ||
            status_fail (status, STATUS_NO_MEMORY, "Out of memory: choose a smaller picture.");
  for (size_t p = 0; ok && p < n_in; p++)
    in.pixels[p] = (float) job->controls[i].rgb[p] / 255.0f;
  ok = ok && pipeline_run_network (pipeline, job, PHASE_DENOISE, hint_forward, &in, NULL,
                                   c->hints[i], n, status);
  mem_free (in.pixels);
  return ok;
}

static bool
make_scales (SdControls *c, int i, double weight, Status *status)
{
  c->scales[i] = mem_calloc ((size_t) c->widths[i], sizeof *c->scales[i]);
  for (int64_t k = 0; c->scales[i] && k < c->widths[i]; k++)
    c->scales[i][k] = (float) weight;
  return c->scales[i] ||
         status_fail (status, STATUS_NO_MEMORY, "Out of memory: close other programs and retry.");
}

bool
sd_controls_init (SdControls *c,
                  const Pipeline *pipeline,
                  const PipelineJob *job,
                  PhasePlan *plan,
                  Status *status)
{
  const ModelConfig *model = &pipeline->checkpoint->config;
  int f = vae_factor (&model->vae);
  *c = (SdControls){ .n = job->n_controls,
                     .h = job->height / f,
                     .w = job->width / f,
                     .channels = model->unet.channels[0] };
  for (int i = 0; i < c->n; i++)
    {
      c->nets[i] = control_set_net (job->control_set, i);
      c->widths[i] = controlnet_width (control_set_config (job->control_set, i));
      c->first_key[i] = c->n_keys;
      c->n_keys += controlnet_n_keys (c->nets[i]);
      if (!make_hint (c, i, pipeline, job, plan, status) ||
          (!plan && !make_scales (c, i, job->controls[i].weight, status)))
        return false;
    }
  return true;
}

void
sd_controls_clear (SdControls *c)
{
  for (int i = 0; i < c->n; i++)
    {
      mem_free (c->hints[i]);
      mem_free (c->scales[i]);
    }
  *c = (SdControls){ 0 };
}

/* Hints are made before the first pass, whose memory is taken after theirs was given back. */
void
sd_controls_plan (const PhasePlan *hints, PhasePlan *plan)
{
  plan->flops += hints->flops / (plan->n_passes > 0 ? plan->n_passes : 1);
  plan->once_weight_bytes += hints->weight_bytes;
  if (hints->activation_bytes <= plan->activation_bytes)
    return;
  plan->activation_bytes = hints->activation_bytes;
  plan->bound_bytes = hints->bound_bytes;
}

/* ---- when they act ---- */

static bool
acts_at_step (const PipelineControl *c, int step, int n_steps)
{
  return (double) step / n_steps >= c->start && (double) (step + 1) / n_steps <= c->end;
}

static bool
acts_at_sigma (const PipelineControl *c, const NoiseTable *table, double sigma)
{
  const double last = NOISE_TABLE_STEPS - 1;
  double first =
      c->start > 0 ? noise_table_sigma_log_linear (table, (1 - c->start) * last) : INFINITY;
  double end = c->end < 1 ? noise_table_sigma_log_linear (table, (1 - c->end) * last) : 0;
  return sigma <= first && sigma >= end;
}

unsigned
sd_controls_active (
    const PipelineJob *job, const NoiseTable *table, int step, int n_steps, double sigma)
{
  unsigned active = 0;
  for (int i = 0; i < job->n_controls; i++)
    {
      const PipelineControl *c = &job->controls[i];
      bool acts = job->convention == CONVENTION_DIFFUSERS ? acts_at_step (c, step, n_steps)
                                                          : acts_at_sigma (c, table, sigma);
      if (acts && c->weight != 0)
        active |= 1u << i;
    }
  return active;
}

/* ---- what they add ---- */

void
sd_controls_forward (Ctx *ctx,
                     const SdControls *c,
                     unsigned active,
                     const Tensor *x,
                     const Tensor *t,
                     const PromptKeys *keys,
                     const Tensor *vector,
                     UnetControl *control)
{
  const int64_t ne[3] = { c->h, c->w, c->channels };
  for (int i = 0; i < c->n; i++)
    {
      if (!(active & (1u << i)))
        continue;
      Tensor *hint = ctx_input (ctx, ctx_activation (ctx), 3, ne, c->hints[i]);
      Tensor *scales = ctx_input (ctx, DTYPE_F32, 1, &c->widths[i], c->scales[i]);
      controlnet_forward (ctx, c->nets[i], x, t, keys + c->first_key[i], vector, hint, scales,
                          control);
    }
}
