/* SPDX-License-Identifier: MPL-2.0
 * text-network.c - an encoder of texts or pictures planned or run once for a job.
 *
 * It is run once, and every step reads its result: so in f32 where that costs little (precision.c).
 */
#include <string.h>

#include "core/trace.h"
#include "pipelines/pipeline-private.h"

static void
add_to_plan (const Ctx *ctx, PhasePlan *plan)
{
  PhasePlan one;
  plan_phase (ctx, &one, 1);
  plan_add_network (plan, &one);
}

static bool
run (Ctx *ctx, EncoderForward forward, const void *data, float *out, size_t n, Status *status)
{
  Tensor *t = ctx_begin_run (ctx) ? forward (ctx, data) : NULL;
  const float *values = ctx_end_run (ctx) ? ctx_read (ctx, t) : NULL;
  if (!values)
    return copy_ctx_status (ctx, status);
  memcpy (out, values, n * sizeof *out);
  return true;
}

bool
pipeline_run_network (const Pipeline *pipeline,
                      const PipelineJob *job,
                      PipelinePhase phase,
                      EncoderForward forward,
                      const void *data,
                      PhasePlan *plan,
                      float *out,
                      size_t n,
                      Status *status)
{
  Compute compute = pipeline_compute (pipeline, job, NETWORK_TEXT);
  Ctx *ctx = ctx_new (pipeline->backend, compute, job->cancel, status);
  if (!ctx)
    return false;
  forward (ctx, data);
  bool ok = ctx_plan (ctx) || copy_ctx_status (ctx, status);
  if (ok && plan)
    add_to_plan (ctx, plan);
  else if (ok)
    ok = run (ctx, forward, data, out, n, status);
  trace_write (ctx, phase_name (phase));
  ctx_free (ctx);
  return ok;
}
