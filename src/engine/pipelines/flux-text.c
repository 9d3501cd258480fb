/* SPDX-License-Identifier: MPL-2.0
 * flux-text.c - prompt and negative prompt through T5 and CLIP-L.
 *
 * T5's states are what the transformer reads beside the picture; of CLIP-L it takes one vector, the
 * last layer's at the end token, not projected.  T5 attends to its padding, so that the length
 * counts: BFL and diffusers pad to 512 tokens (schnell 256) and cut what is longer, ComfyUI pads to
 * 256 and lets longer prompts grow.
 */
#include <stdio.h>
#include <string.h>

#include "core/mem.h"
#include "core/trace.h"
#include "pipelines/digest.h"
#include "pipelines/flux-private.h"
#include "text/weighting.h"

/* One text on its way. */
typedef struct
{
  Pipeline *pipeline;
  const PipelineJob *job;
  PromptPieces pieces;
  TokenIds ids;   /* T5's, without end and padding */
  float *weights; /* of @ids */
  size_t n_weights;
  int32_t *rows; /* (n_rows, length): the text, then the empty one if it is needed */
  int n_rows;
  TokenChunks *chunks; /* CLIP-L's */
  FluxEncoding *out;
} Encoding;

static bool
no_memory (Status *status)
{
  return status_fail (status, STATUS_NO_MEMORY, "Out of memory: use a shorter prompt.");
}

static bool
add_weights (Encoding *e, double weight, Status *status)
{
  float *grown = mem_realloc (e->weights, (e->ids.n + 1) * sizeof *grown);
  if (!grown)
    return no_memory (status);
  e->weights = grown;
  while (e->n_weights < e->ids.n)
    e->weights[e->n_weights++] = (float) weight;
  return true;
}

static bool
tokenize (Encoding *e, const char *text, Status *status)
{
  const FluxNetworks *flux = flux_networks (e->pipeline);
  if (!prompt_parse_attention (text, pipeline_prompt_syntax (e->job), &e->pieces, status))
    return false;
  for (int i = 0; i < e->pieces.n; i++)
    {
      const PromptPiece *p = &e->pieces.items[i];
      if (!p->is_break && (!unigram_encode (flux->unigram, p->text, &e->ids, status) ||
                           !add_weights (e, p->weight, status)))
        return false;
    }
  bool comfyui = e->job->convention == CONVENTION_COMFYUI;
  const ChunkOptions options = { .mode = comfyui ? CHUNKS_COMFYUI : CHUNKS_TRUNCATE,
                                 .pad_id = clip_bpe_pad (flux->bpe) };
  e->chunks = token_chunks_new (flux->bpe, &e->pieces, &options, status);
  return e->chunks != NULL;
}

/* T5's tokens with the end token and the padding. */
static int64_t
text_length (const Encoding *e)
{
  const PipelineJob *job = e->job;
  int64_t wanted = (int64_t) e->ids.n + 1;
  if (job->max_tokens > 0)
    return job->max_tokens;
  if (job->convention == CONVENTION_DIFFUSERS)
    return e->pipeline->checkpoint->config.flux.variant == FLUX_SCHNELL ? FLUX_TOKENS_SHORT
                                                                        : FLUX_TOKENS_DEV;
  return wanted < FLUX_TOKENS_SHORT ? FLUX_TOKENS_SHORT
         : wanted < T5_MAX_LENGTH   ? wanted
                                    : T5_MAX_LENGTH;
}

static void
note_lost_words (const Encoding *e, int64_t n_read)
{
  char note[STATUS_MESSAGE_SIZE];
  if (!e->job->note || (int64_t) e->ids.n <= n_read)
    return;
  snprintf (
      note, sizeof note,
      status_text (
          "The prompt has %zu tokens, of which T5 reads the first %lld: shorten it, or raise the "
          "number of T5 tokens."),
      e->ids.n, (long long) n_read);
  e->job->note (e->job->data, note);
}

/* Which tokens carry a weight decides whether ComfyUI needs the empty text to weigh against. */
static bool
fill_rows (Encoding *e, Status *status)
{
  const Unigram *u = flux_networks (e->pipeline)->unigram;
  int64_t length = e->out->length, n = length - 1;
  if ((int64_t) e->ids.n < n)
    n = (int64_t) e->ids.n;
  e->n_rows = e->job->weighting == WEIGHTING_COMFYUI ? 2 : 1;
  e->rows = mem_calloc ((size_t) (e->n_rows * length), sizeof *e->rows);
  if (!e->rows)
    return no_memory (status);
  for (int64_t i = 0; i < e->n_rows * length; i++)
    e->rows[i] = unigram_pad (u);
  for (int64_t i = 0; i < n; i++)
    e->rows[i] = e->ids.items[i];
  e->rows[n] = unigram_eos (u);
  if (e->n_rows > 1)
    e->rows[length] = unigram_eos (u);
  return true;
}

/* As pipeline_run_text. */
static bool
run (const Encoding *e,
     EncoderForward forward,
     PhasePlan *plan,
     float *out,
     size_t n,
     Status *status)
{
  return pipeline_run_network (e->pipeline, e->job, PHASE_TEXT, forward, e, plan, out, n, status);
}

static Tensor *
t5 (Ctx *ctx, const void *encoding)
{
  const Encoding *e = encoding;
  return t5_forward (ctx, flux_networks (e->pipeline)->t5, e->rows, e->n_rows, e->out->length,
                     NULL);
}

/* The first chunk's; weights do not touch it. */
static Tensor *
clip (Ctx *ctx, const void *encoding)
{
  const Encoding *e = encoding;
  const int32_t eos = e->chunks->eos_index[0];
  const ClipOptions options = { .final_norm = true, .eos = &eos, .plain_pooled = true };
  return clip_forward (ctx, flux_networks (e->pipeline)->clip, e->chunks->ids, 1, CHUNK_LENGTH,
                       options)
      .pooled;
}

static bool
weigh (const Encoding *e, float *states, Status *status)
{
  int64_t length = e->out->length;
  int dim = e->pipeline->checkpoint->config.t5.dim;
  float *weights = mem_calloc ((size_t) length, sizeof *weights);
  if (!weights)
    return no_memory (status);
  for (int64_t i = 0; i < length; i++)
    weights[i] = i < (int64_t) e->n_weights && i < length - 1 ? e->weights[i] : 1;
  const TokenChunks one = { .n_chunks = 1, .length = (int) length, .weights = weights };
  const float *empty = e->n_rows > 1 ? states + length * dim : NULL;
  bool ok = weighting_apply (e->job->weighting, &one, states, empty, dim, status);
  mem_free (weights);
  return ok;
}

static bool
encode (const Encoding *e, PhasePlan *plan, Status *status)
{
  const ModelConfig *c = &e->pipeline->checkpoint->config;
  size_t n = (size_t) (e->out->length * c->t5.dim), n_states = n * (size_t) e->n_rows;
  size_t n_pooled = (size_t) c->clip[0].dim;
  if (plan)
    return run (e, t5, plan, NULL, 0, status) && run (e, clip, plan, NULL, 0, status);
  float *states = mem_calloc (n_states, sizeof *states);
  bool ok = (states || no_memory (status)) && run (e, t5, NULL, states, n_states, status) &&
            weigh (e, states, status) && run (e, clip, NULL, e->out->pooled, n_pooled, status);
  if (ok)
    memcpy (e->out->context, states, n * sizeof *states);
  mem_free (states);
  return ok;
}

static bool
allocate (FluxEncoding *out, const ModelConfig *c, Status *status)
{
  size_t n = (size_t) (out->length * c->t5.dim);
  out->n_values = n + (size_t) c->clip[0].dim;
  out->context = mem_calloc (out->n_values, sizeof *out->context);
  if (!out->context)
    return no_memory (status);
  out->pooled = out->context + n;
  return true;
}

static bool
encode_or_find (Encoding *e, const char *text, PhasePlan *plan, Status *status)
{
  FluxEncoding *out = e->out;
  if (!tokenize (e, text, status))
    return false;
  out->n_tokens = (int) e->ids.n;
  out->length = text_length (e);
  if (!fill_rows (e, status) || !allocate (out, &e->pipeline->checkpoint->config, status))
    return false;
  if (plan)
    return encode (e, plan, status);
  note_lost_words (e, out->length - 1);
  uint64_t key = digest_int (digest_text (DIGEST_START, "flux-text"), e->job->weighting);
  key = digest_int (key, (int64_t) e->pipeline->text_digest);
  key = digest_int (key, pipeline_compute (e->pipeline, e->job, NETWORK_TEXT));
  key = digest_text (digest_int (digest_int (key, out->length), e->job->convention), text);
  EncodingCache *cache = &e->pipeline->cache;
  if (encoding_cache_get (cache, key, out->context, out->n_values))
    return true;
  if (!encode (e, NULL, status))
    return false;
  encoding_cache_put (cache, key, out->context, out->n_values);
  return true;
}

static bool
add_text (FluxText *t,
          Pipeline *pipeline,
          const PipelineJob *job,
          const char *text,
          PhasePlan *plan,
          Status *status)
{
  Encoding e = { .pipeline = pipeline, .job = job, .out = &t->texts[t->n_texts++] };
  bool ok = encode_or_find (&e, text, plan, status);
  prompt_pieces_clear (&e.pieces);
  token_ids_clear (&e.ids);
  token_chunks_free (e.chunks);
  mem_free (e.weights);
  mem_free (e.rows);
  return ok;
}

/* A whole word. */
static bool
says_break (const char *text)
{
  static const char word[] = "BREAK";
  for (const char *p = text; (p = strstr (p, word)); p++)
    {
      char after = p[sizeof word - 1];
      if ((p == text || strchr (" \n\t,.", p[-1])) && (!after || strchr (" \n\t,.", after)))
        return true;
    }
  return false;
}

/* A1111's prompt editing, AND and BREAK.  ComfyUI and diffusers hand them to FLUX.1's encoders as
 * words like others, and so do we: but whoever wrote them should know. */
static bool
note_grammar (const PipelineJob *job, const char *text, Status *status)
{
  PromptSchedule schedule = { 0 };
  PromptPieces pieces = { 0 };
  const PromptScheduleOptions options = { .steps = PROMPT_MAX_STEPS };
  if (!job->note)
    return true;
  bool ok = prompt_split_and (text, &pieces, status) &&
            prompt_schedule (text, &options, &schedule, status);
  if (ok && (pieces.n > 1 || schedule.n > 1 || says_break (text)))
    job->note (job->data, "FLUX.1 takes [from:to:when], AND and BREAK in a prompt for words: they "
                          "switch nothing. Describe the whole picture in one text.");
  prompt_schedule_clear (&schedule);
  prompt_pieces_clear (&pieces);
  return ok;
}

/* <lora:...> is taken out whatever the syntax: nobody draws it. */
static bool
add_prompt (FluxText *t,
            Pipeline *pipeline,
            const PipelineJob *job,
            const char *prompt,
            PhasePlan *plan,
            Status *status)
{
  PromptNetworks networks = { 0 };
  bool ok = prompt_networks_leave (job, prompt, &networks, status) &&
            note_grammar (job, networks.rest, status) &&
            add_text (t, pipeline, job, networks.rest, plan, status);
  prompt_networks_clear (&networks);
  return ok;
}

PipelineText *
flux_text_encode (Pipeline *pipeline, const PipelineJob *job, PhasePlan *plan, Status *status)
{
  FluxText *t = mem_calloc (1, sizeof *t);
  bool ok = t || no_memory (status);
  ok = ok && add_prompt (t, pipeline, job, job->prompt, plan, status);
  if (ok && job->guidance_scale > 1)
    ok = add_prompt (t, pipeline, job, job->negative_prompt, plan, status);
  for (int i = 0; ok && i < t->n_texts; i++)
    t->base.n_tokens[i] = t->texts[i].n_tokens;
  if (ok)
    return &t->base;
  flux_text_free (t ? &t->base : NULL);
  return NULL;
}

void
flux_text_free (PipelineText *text)
{
  FluxText *t = (FluxText *) text;
  if (!t)
    return;
  for (int i = 0; i < t->n_texts; i++)
    mem_free (t->texts[i].context);
  mem_free (t);
}
