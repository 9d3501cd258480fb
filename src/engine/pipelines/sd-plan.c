/* SPDX-License-Identifier: MPL-2.0
 * sd-plan.c - what a job needs, known before it runs.
 */
#include "pipelines/sd-private.h"

const char *
sd_phase_name (SdPhase phase)
{
  static const char *const names[SD_PHASE_COUNT] = {
    [SD_PHASE_TEXT] = "text",
    [SD_PHASE_ENCODE] = "encode",
    [SD_PHASE_DENOISE] = "denoise",
    [SD_PHASE_DECODE] = "decode",
  };
  return names[phase];
}

bool
sd_ctx_status (const Ctx *ctx, Status *status)
{
  const Status *s = ctx_status (ctx);
  return s->code == STATUS_OK || status_fail (status, s->code, "%s", s->message);
}

/* Weights that several operators use (two prompts through one encoder) are counted once by the
 * phase's own trace, because a trace names each weight once a pass. */
void
sd_plan_phase (const Ctx *ctx, SdPhasePlan *plan, int n_passes)
{
  *plan = (SdPhasePlan){ .n_ops = ctx_op_count (ctx),
                         .activation_bytes = ctx_peak_bytes (ctx),
                         .bound_bytes = ctx_bound_bytes (ctx),
                         .n_passes = n_passes };
  for (int i = 0; i < plan->n_ops; i++)
    {
      plan->weight_bytes += ctx_op (ctx, i)->weight_bytes;
      plan->flops += ctx_op (ctx, i)->flops;
    }
}

static bool
plan_pictures (SdPipeline *sd, const SdJob *job, SdPlan *plan, Status *status)
{
  int f = vae_factor (&sd->checkpoint->config.vae);
  if (job->init_rgb && !sd_vae_encode (sd, job, NULL, NULL, job->height, job->width, NULL,
                                       plan->vae_tile, &plan->phases[SD_PHASE_ENCODE], status))
    return false;
  return sd_vae_decode (sd, job, NULL, job->height / f, job->width / f, NULL, plan->vae_tile,
                        &plan->phases[SD_PHASE_DECODE], status);
}

bool
sd_plan (SdPipeline *sd, const SdJob *job, SdPlan *plan, Status *status)
{
  *plan = (SdPlan){ .scratch_bytes = sd->backend->scratch_bytes };
  SdText text = { 0 };
  if (!sd_job_check (sd, job, status))
    return false;
  plan->vae_tile = sd_vae_tile (sd, job, status);
  bool ok =
      plan->vae_tile >= 0 && sd_text_encode (sd, job, &text, &plan->phases[SD_PHASE_TEXT], status);
  if (ok)
    sd_denoiser_new (sd, job, &text, &plan->phases[SD_PHASE_DENOISE], status);
  ok = status_ok (status) && plan_pictures (sd, job, plan, status);
  sd_text_clear (&text);
  for (int i = 0; i < SD_PHASE_COUNT; i++)
    {
      plan->weight_bytes += plan->phases[i].weight_bytes;
      if (plan->phases[i].activation_bytes > plan->peak_bytes)
        plan->peak_bytes = plan->phases[i].activation_bytes;
    }
  plan->peak_bytes += plan->scratch_bytes;
  return ok;
}
