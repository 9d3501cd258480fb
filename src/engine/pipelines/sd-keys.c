/* SPDX-License-Identifier: MPL-2.0
 * sd-keys.c - keys and values of the prompt, which all steps of the U-Net attend to.
 *
 * They depend on the texts and on the weights of attn2.to_k and attn2.to_v alone: made before the
 * first step, and again only when prompt editing changes a text or an adapter moves those weights.
 * For SDXL that is 0.1 of the 13.5 TFLOP of a guided step at 1024 x 1024, but 0.1 of 3.2 at 512 x
 * 512, and a seventh of the weights, which no step reads any more; they take 98 MiB (49 in 16 bits)
 * with guidance, for all pictures of a batch.
 */
#include "core/mem.h"
#include "core/trace.h"
#include "pipelines/sd-private.h"

static void
forward (SdKeys *k, const SdContext *c)
{
  Ctx *ctx = k->ctx;
  const int64_t ne[3] = { c->n_rows, c->length, c->dim };
  const Tensor *context = ctx_input (ctx, ctx_activation (ctx), 3, ne, c->values);
  PromptKeys *of_controls = k->pairs + unet_n_keys (c->unet);
  unet_keys (ctx, c->unet, context, k->pairs);
  for (int i = 0; i < c->controls->n; i++)
    controlnet_keys (ctx, c->controls->nets[i], context, of_controls + c->controls->first_key[i]);
}

bool
sd_keys_init (SdKeys *k,
              const Pipeline *pipeline,
              const PipelineJob *job,
              const SdContext *context,
              Status *status)
{
  int n = unet_n_keys (context->unet) + context->controls->n_keys;
  k->pairs = mem_calloc ((size_t) n + 1, sizeof *k->pairs);
  if (!k->pairs)
    return status_fail (status, STATUS_NO_MEMORY, "Out of memory: close other programs and retry.");
  Compute compute = pipeline_compute (pipeline, job, NETWORK_UNET);
  k->ctx = ctx_new (pipeline->backend, compute, job->cancel, status);
  if (!k->ctx)
    return false;
  forward (k, context);
  return ctx_plan (k->ctx) || copy_ctx_status (k->ctx, status);
}

bool
sd_keys_make (SdKeys *k, const SdContext *context, Status *status)
{
  if (k->are_made)
    return true;
  if (ctx_begin_run (k->ctx))
    forward (k, context);
  k->are_made = ctx_end_run (k->ctx);
  return k->are_made || copy_ctx_status (k->ctx, status);
}

void
sd_keys_plan (const SdKeys *k, PhasePlan *plan)
{
  PhasePlan keys;
  plan_phase (k->ctx, &keys, 1);
  plan->activation_bytes += keys.activation_bytes;
  plan->bound_bytes += keys.bound_bytes;
  plan->once_weight_bytes = keys.weight_bytes;
  plan->flops += keys.flops / plan->n_passes;
}

void
sd_keys_clear (SdKeys *k)
{
  trace_write (k->ctx, "prompt keys");
  ctx_free (k->ctx);
  mem_free (k->pairs);
  *k = (SdKeys){ 0 };
}
