/* SPDX-License-Identifier: MPL-2.0
 * sd-text.c - every text of a job through the text encoders, all in one batch an encoder.
 */
#include <string.h>

#include "core/mem.h"
#include "core/trace.h"
#include "pipelines/digest.h"
#include "pipelines/sd-private.h"

typedef struct
{
  Pipeline *pipeline;
  const PipelineJob *job;
  SdText *text;
  int encoder;
  int32_t
      *ids; /* (n_rows, CHUNK_LENGTH): all chunks of all texts, then the empty prompt if needed */
  int32_t *eos; /* (n_rows): absolute rows of the end tokens */
  int n_rows;
  float *embedded; /* (n_rows, CHUNK_LENGTH, dim) when there are vectors among the tokens */
} Encoding;

static bool
has_pooled (const Encoding *e)
{
  return e->pipeline->checkpoint->config.family == FAMILY_SDXL && e->encoder == 1;
}

/* SD 1.5 counts from the last layer and norms; SDXL never goes above the penultimate, without norm.
 */
static ClipOptions
clip_options (const Encoding *e)
{
  bool sdxl = e->pipeline->checkpoint->config.family == FAMILY_SDXL;
  int skip = e->job->clip_skip, least = sdxl ? 2 : 1;
  return (ClipOptions){ .skip_layers = (skip > least ? skip : least) - 1,
                        .final_norm = !sdxl,
                        .eos = has_pooled (e) ? e->eos : NULL };
}

static ClipOutput
forward (Ctx *ctx, const Encoding *e)
{
  ClipOptions options = clip_options (e);
  int64_t ne[3] = { e->n_rows, CHUNK_LENGTH, e->pipeline->checkpoint->config.clip[e->encoder].dim };
  if (e->embedded)
    options.embedded = ctx_input (ctx, ctx_activation (ctx), 3, ne, e->embedded);
  return clip_forward (ctx, sd_networks (e->pipeline)->clip[e->encoder], e->ids, e->n_rows,
                       CHUNK_LENGTH, options);
}

/* The empty prompt's tokens: what ComfyUI's weighting interpolates from. */
static void
fill_empty_row (const Encoding *e, const TokenChunks *like, int row)
{
  int32_t *ids = e->ids + row * CHUNK_LENGTH;
  for (int i = 0; i < CHUNK_LENGTH; i++)
    ids[i] = i == 0 ? like->bos_id : i == 1 ? like->eos_id : like->pad_id;
}

static bool
fill_ids (Encoding *e, Status *status)
{
  const SdPrompts *p = &e->text->prompts;
  size_t per_text = (size_t) p->n_chunks * CHUNK_LENGTH;
  bool with_empty = e->job->weighting == WEIGHTING_COMFYUI;
  e->n_rows = (int) p->n_texts * p->n_chunks + with_empty;
  e->ids = mem_calloc ((size_t) e->n_rows * CHUNK_LENGTH, sizeof *e->ids);
  e->eos = mem_calloc ((size_t) e->n_rows, sizeof *e->eos);
  if (!e->ids || !e->eos)
    return status_fail (status, STATUS_NO_MEMORY, "Out of memory: use a shorter prompt.");
  for (size_t i = 0; i < p->n_texts; i++)
    {
      const TokenChunks *t = p->texts[i].tokens[e->encoder];
      memcpy (e->ids + i * per_text, t->ids, per_text * sizeof *e->ids);
      for (int k = 0; k < p->n_chunks; k++)
        {
          int row = (int) i * p->n_chunks + k;
          e->eos[row] = row * CHUNK_LENGTH + t->eos_index[k];
        }
    }
  if (with_empty)
    {
      fill_empty_row (e, p->texts[0].tokens[e->encoder], e->n_rows - 1);
      e->eos[e->n_rows - 1] = (e->n_rows - 1) * CHUNK_LENGTH + 1;
    }
  return true;
}

static bool
embed_vectors (Encoding *e, Status *status)
{
  int64_t n = (int64_t) e->n_rows * CHUNK_LENGTH;
  if (!sd_embeddings_used (&e->pipeline->checkpoint->config.clip[e->encoder], e->ids, n))
    return true;
  e->embedded = sd_embeddings_embed (&e->text->prompts.embeddings, e->pipeline, e->encoder, e->ids,
                                     n, status);
  return e->embedded != NULL;
}

/* Weights one text's encoding and puts it beside the other encoder's in the context. */
static bool
store_text (const Encoding *e, size_t index, float *hidden, const float *pooled, Status *status)
{
  const SdPrompts *p = &e->text->prompts;
  SdText *t = e->text;
  const ClipConfig *clips = e->pipeline->checkpoint->config.clip;
  int64_t dim = clips[e->encoder].dim, column = e->encoder == 1 ? clips[0].dim : 0;
  float *z = hidden + (int64_t) index * t->length * dim;
  bool with_empty = e->job->weighting == WEIGHTING_COMFYUI;
  const float *z_empty = with_empty ? hidden + (int64_t) p->n_texts * t->length * dim : NULL;
  if (p->texts[index].zeros)
    return true;
  if (!weighting_apply (e->job->weighting, p->texts[index].tokens[e->encoder], z, z_empty,
                        (int) dim, status))
    return false;
  for (int64_t i = 0; i < t->length; i++)
    memcpy (t->context + ((int64_t) index * t->length + i) * t->context_dim + column, z + i * dim,
            (size_t) dim * sizeof *z);
  if (pooled)
    memcpy (t->pooled + (int64_t) index * t->pooled_dim,
            pooled + (int64_t) index * p->n_chunks * t->pooled_dim,
            (size_t) t->pooled_dim * sizeof *pooled);
  return true;
}

static bool
run (Ctx *ctx, const Encoding *e, Status *status)
{
  ClipOutput out = { 0 };
  if (ctx_begin_run (ctx))
    out = forward (ctx, e);
  float *hidden = ctx_end_run (ctx) ? ctx_read (ctx, out.hidden) : NULL;
  const float *pooled = hidden ? ctx_read (ctx, out.pooled) : NULL;
  if (ctx_failed (ctx))
    return copy_ctx_status (ctx, status);
  for (size_t i = 0; i < e->text->prompts.n_texts; i++)
    if (!store_text (e, i, hidden, pooled, status))
      return false;
  return true;
}

static bool
encode (Encoding *e, PhasePlan *plan, Status *status)
{
  Compute compute = pipeline_compute (e->pipeline, e->job, NETWORK_CLIP);
  Ctx *ctx = ctx_new (e->pipeline->backend, compute, e->job->cancel, status);
  bool ok = ctx && fill_ids (e, status) && embed_vectors (e, status);
  if (ok)
    {
      forward (ctx, e);
      ok = ctx_plan (ctx) || copy_ctx_status (ctx, status);
    }
  if (ok && plan)
    {
      PhasePlan one;
      plan_phase (ctx, &one, 1);
      plan_add_network (plan, &one);
    }
  else if (ok)
    ok = run (ctx, e, status);
  trace_write (ctx, phase_name (PHASE_TEXT));
  ctx_free (ctx);
  mem_free (e->embedded);
  mem_free (e->ids);
  mem_free (e->eos);
  return ok;
}

static bool
allocate (const Pipeline *pipeline, SdText *text, Status *status)
{
  const ModelConfig *c = &pipeline->checkpoint->config;
  for (int i = 0; i < c->n_clips; i++)
    text->context_dim += c->clip[i].dim;
  text->length = (int64_t) text->prompts.n_chunks * CHUNK_LENGTH;
  if (c->family == FAMILY_SDXL)
    text->pooled_dim = c->clip[1].projection_dim ? c->clip[1].projection_dim : c->clip[1].dim;
  size_t n = text->prompts.n_texts, n_context = n * (size_t) (text->length * text->context_dim);
  text->n_values = n_context + n * (size_t) text->pooled_dim;
  text->context = mem_calloc (text->n_values, sizeof *text->context);
  if (!text->context)
    return status_fail (status, STATUS_NO_MEMORY, "Out of memory: use a shorter prompt.");
  text->pooled = text->pooled_dim > 0 ? text->context + n_context : NULL;
  return true;
}

/* Everything that the encodings depend on besides the model. */
static uint64_t
text_key (const Pipeline *pipeline, const PipelineJob *job, const SdPrompts *p)
{
  uint64_t key = digest_int (digest_text (DIGEST_START, "text"), (int64_t) pipeline->text_digest);
  key = digest_int (digest_int (key, job->weighting), job->clip_skip);
  key = digest_int (key, (int64_t) p->embeddings.digest);
  key = digest_int (key, pipeline_compute (pipeline, job, NETWORK_CLIP));
  for (size_t i = 0; i < p->n_texts; i++)
    key = digest_text (digest_int (key, p->texts[i].zeros), p->texts[i].source);
  return key;
}

static bool
encode_all (
    Pipeline *pipeline, const PipelineJob *job, SdText *text, PhasePlan *plan, Status *status)
{
  for (int i = 0; i < pipeline->checkpoint->config.n_clips; i++)
    {
      Encoding e = { .pipeline = pipeline, .job = job, .text = text, .encoder = i };
      if (!encode (&e, plan, status))
        return false;
    }
  return true;
}

/* As for the network: once more in bf16 where f16's range was too small. */
static bool
check_text (Pipeline *pipeline, const PipelineJob *job, SdText *text, Status *status)
{
  PipelineJob wide = *job;
  while (!pipeline_are_numbers (text->context, (int64_t) text->n_values))
    {
      Compute compute = pipeline_compute (pipeline, &wide, NETWORK_CLIP);
      if (!pipeline_widen (&wide, compute, STATUS_MARK ("the text encoder"), status) ||
          !encode_all (pipeline, &wide, text, NULL, status))
        return false;
    }
  return true;
}

static bool
fill_text (
    Pipeline *pipeline, const PipelineJob *job, SdText *text, PhasePlan *plan, Status *status)
{
  if (!sd_prompts_parse (pipeline, job, &text->prompts, status) ||
      !allocate (pipeline, text, status))
    return false;
  if (plan)
    return encode_all (pipeline, job, text, plan, status);
  uint64_t key = text_key (pipeline, job, &text->prompts);
  if (encoding_cache_get (&pipeline->cache, key, text->context, text->n_values))
    return true;
  if (!encode_all (pipeline, job, text, NULL, status) || !check_text (pipeline, job, text, status))
    return false;
  encoding_cache_put (&pipeline->cache, key, text->context, text->n_values);
  return true;
}

PipelineText *
sd_text_encode (Pipeline *pipeline, const PipelineJob *job, PhasePlan *plan, Status *status)
{
  SdText *text = mem_calloc (1, sizeof *text);
  if (!text)
    status_fail (status, STATUS_NO_MEMORY, "Out of memory: close other programs and retry.");
  else if (fill_text (pipeline, job, text, plan, status))
    {
      memcpy (text->base.n_tokens, text->prompts.n_tokens, sizeof text->base.n_tokens);
      return &text->base;
    }
  if (text)
    sd_text_free (&text->base);
  return NULL;
}

void
sd_text_free (PipelineText *pipeline_text)
{
  SdText *text = (SdText *) pipeline_text;
  if (!text)
    return;
  sd_prompts_clear (&text->prompts);
  mem_free (text->context);
  mem_free (text);
}
