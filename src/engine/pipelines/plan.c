/* SPDX-License-Identifier: MPL-2.0
 * plan.c - what a job needs, known before it runs.
 */
#include "pipelines/pipeline-private.h"

const char *
phase_name (PipelinePhase phase)
{
  static const char *const names[PHASE_COUNT] = {
    [PHASE_TEXT] = "text",
    [PHASE_ENCODE] = "encode",
    [PHASE_DENOISE] = "denoise",
    [PHASE_DECODE] = "decode",
  };
  return names[phase];
}

bool
copy_ctx_status (const Ctx *ctx, Status *status)
{
  const Status *s = ctx_status (ctx);
  return s->code == STATUS_OK || status_fail (status, s->code, "%s", s->message);
}

/* Weights that several operators use (two prompts through one encoder) are counted once by the
 * phase's own trace, because a trace names each weight once a pass. */
void
plan_phase (const Ctx *ctx, PhasePlan *plan, int n_passes)
{
  *plan = (PhasePlan){ .n_ops = ctx_op_count (ctx),
                       .activation_bytes = ctx_peak_bytes (ctx),
                       .bound_bytes = ctx_bound_bytes (ctx),
                       .n_passes = n_passes };
  int64_t beside_bytes = 0;
  for (int i = 0; i < plan->n_ops; i++)
    {
      int64_t n = ctx_op (ctx, i)->weight_bytes, beside = ctx_op (ctx, i)->beside_bytes;
      beside_bytes = beside > beside_bytes ? beside : beside_bytes;
      plan->weight_bytes += n;
      plan->largest_weight_bytes = n > plan->largest_weight_bytes ? n : plan->largest_weight_bytes;
      plan->flops += ctx_op (ctx, i)->flops;
    }
  plan->activation_bytes += (size_t) beside_bytes;
  plan->bound_bytes += (size_t) beside_bytes;
}

void
plan_add_network (PhasePlan *plan, const PhasePlan *network)
{
  plan->n_ops += network->n_ops;
  plan->flops += network->flops;
  plan->weight_bytes += network->weight_bytes;
  if (plan->largest_weight_bytes < network->largest_weight_bytes)
    plan->largest_weight_bytes = network->largest_weight_bytes;
  plan->n_passes = 1;
  if (network->activation_bytes > plan->activation_bytes)
    {
      plan->activation_bytes = network->activation_bytes;
      plan->bound_bytes = network->bound_bytes;
    }
}

/* One pass after the other through the same weights.  Operators count as work of an average pass.
 */
void
plan_join (PhasePlan *plan, const PhasePlan *other)
{
  double flops = plan->flops * plan->n_passes + other->flops * other->n_passes;
  plan->n_passes += other->n_passes;
  plan->flops = plan->n_passes > 0 ? flops / plan->n_passes : 0;
  plan->n_ops = plan->n_ops > other->n_ops ? plan->n_ops : other->n_ops;
  if (plan->weight_bytes < other->weight_bytes)
    plan->weight_bytes = other->weight_bytes;
  if (plan->largest_weight_bytes < other->largest_weight_bytes)
    plan->largest_weight_bytes = other->largest_weight_bytes;
  if (plan->activation_bytes < other->activation_bytes)
    {
      plan->activation_bytes = other->activation_bytes;
      plan->bound_bytes = other->bound_bytes;
    }
}

bool
plan_pictures (Pipeline *pipeline, const PipelineJob *job, PipelinePlan *plan, Status *status)
{
  LatentShape s = pipeline_latent_shape (pipeline, job);
  PhasePlan *encode = &plan->phases[PHASE_ENCODE], *decode = &plan->phases[PHASE_DECODE], other;
  plan->vae_tile = pipeline_vae_tile (pipeline, job, status);
  if (plan->vae_tile < 0)
    return false;
  int n_encodes = pipeline->family->n_encodes (pipeline, job);
  if (n_encodes > 0 && !pipeline_vae_encode (pipeline, job, NULL, NULL, job->height, job->width,
                                             NULL, plan->vae_tile, encode, status))
    return false;
  encode->n_passes *= n_encodes;
  for (int i = 0; i < job->n_references; i++)
    {
      const PipelineReference *r = &job->references[i];
      if (!pipeline_vae_encode (pipeline, job, NULL, NULL, r->height, r->width, NULL,
                                plan->vae_tile, &other, status))
        return false;
      plan_join (encode, &other);
    }
  if (!pipeline_vae_decode (pipeline, job, NULL, s.h, s.w, NULL, plan->vae_tile, decode, status))
    return false;
  decode->n_passes *= job->batch_size;
  return true;
}

/* A clip needs the memory of one of its windows. */
static void
plan_windows (Pipeline *pipeline,
              const PipelineJob *job,
              const PipelineText *text,
              PipelinePlan *plan,
              Status *status)
{
  PhasePlan *denoise = &plan->phases[PHASE_DENOISE];
  const ClipWindows w = clip_windows (job);
  const PipelineJob one = clip_window_job (job, &w, 0);
  pipeline->family->denoiser_new (pipeline, &one, text, NULL, denoise, status);
  denoise->n_passes *= w.n;
  plan->n_windows = w.n;
  plan->window_frames = one.n_frames;
}

static bool
plan_job (Pipeline *pipeline, const PipelineJob *job, PipelinePlan *plan, Status *status)
{
  const PipelineFamily *family = pipeline->family;
  PipelineText *text = NULL;
  AdapterSet *set = job->n_adapters > 0 ? adapter_set_get (pipeline, job, status) : NULL;
  if (!status_ok (status) ||
      !adapter_set_use (pipeline, set, job->adapters, 0, job->steps, NULL, status))
    {
      adapter_set_release (set);
      return false;
    }
  plan->adapter_bytes = set ? adapter_set_bytes (set) : 0;
  text = family->text_encode (pipeline, job, &plan->phases[PHASE_TEXT], status);
  if (text)
    plan_windows (pipeline, job, text, plan, status);
  bool ok = status_ok (status) && family->plan_pixels (pipeline, job, plan, status);
  for (int i = 0; ok && i < PHASE_COUNT; i++)
    ok = room_check (pipeline->backend, &plan->phases[i], (PipelinePhase) i, status);
  family->text_free (text);
  for (int i = 0; i < PHASE_COUNT; i++)
    {
      plan->weight_bytes += plan->phases[i].weight_bytes;
      if (plan->phases[i].activation_bytes > plan->peak_bytes)
        plan->peak_bytes = plan->phases[i].activation_bytes;
    }
  plan->peak_bytes += plan->scratch_bytes + (size_t) plan->adapter_bytes;
  adapter_set_use (pipeline, NULL, NULL, 0, 1, NULL, status);
  adapter_set_release (set);
  return ok;
}

bool
pipeline_plan (Pipeline *pipeline, const PipelineJob *job, PipelinePlan *plan, Status *status)
{
  PipelineJob own = *job;
  *plan = (PipelinePlan){ .scratch_bytes = pipeline->backend->scratch_bytes };
  if (!pipeline_job_check (pipeline, job, status))
    return false;
  ControlSet *controls = job->n_controls > 0 ? control_set_get (pipeline, job, status) : NULL;
  own.control_set = controls;
  bool ok = status_ok (status) && plan_job (pipeline, &own, plan, status);
  control_set_release (controls);
  return ok;
}
