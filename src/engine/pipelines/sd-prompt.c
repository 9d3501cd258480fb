/* SPDX-License-Identifier: MPL-2.0
 * sd-prompt.c - a prompt and its negative as a list of distinct texts, and which step uses which.
 */
#include <string.h>

#include "core/mem.h"
#include "pipelines/sd-private.h"

static bool
no_memory (Status *status)
{
  return status_fail (status, STATUS_NO_MEMORY, "Out of memory: use a shorter prompt.");
}

/* Index of @source among the distinct texts, added when new; -1 when out of memory. */
static int
text_index (SdPrompts *p, const char *source, bool zeros, const PipelineJob *job, Status *status)
{
  for (size_t i = 0; i < p->n_texts; i++)
    if (p->texts[i].zeros == zeros && !strcmp (p->texts[i].source, source))
      return (int) i;
  if (!mem_grow (&p->texts, &p->cap_texts, p->n_texts + 1, sizeof *p->texts, status))
    return -1;
  SdPromptText *t = &p->texts[p->n_texts];
  *t = (SdPromptText){ .zeros = zeros, .source = mem_strdup (source) };
  if (!t->source)
    {
      no_memory (status);
      return -1;
    }
  p->n_texts++;
  return prompt_parse_attention (source, pipeline_prompt_syntax (job), &t->pieces, status)
             ? (int) p->n_texts - 1
             : -1;
}

/* Texts without prompt editing have one switch that holds to the end. */
static bool
parse_part (SdPrompts *p,
            SdPart *part,
            const char *text,
            bool zeros,
            const PipelineJob *job,
            Status *status)
{
  PromptSchedule schedule = { 0 };
  const PromptPhase whole = { job->steps, text };
  const PromptPhase *phases = &whole;
  int n = 1;
  if (pipeline_prompt_syntax (job) == PROMPT_A1111)
    {
      if (!prompt_schedule (text, &(PromptScheduleOptions){ .steps = job->steps }, &schedule,
                            status))
        return false;
      phases = schedule.items;
      n = schedule.n;
    }
  part->switches = mem_calloc ((size_t) n, sizeof *part->switches);
  bool ok = part->switches || no_memory (status);
  for (int i = 0; ok && i < n; i++)
    {
      int index = text_index (p, phases[i].text, zeros, job, status);
      part->switches[part->n_switches++] = (SdSwitch){ phases[i].end_at_step, index };
      ok = index >= 0;
    }
  prompt_schedule_clear (&schedule);
  return ok;
}

int
sd_part_text (const SdPart *part, int step)
{
  int i = 0;
  while (i + 1 < part->n_switches && part->switches[i].end_at_step < step)
    i++;
  return part->switches[i].index;
}

static bool
parse_positive (SdPrompts *p, const char *text, const PipelineJob *job, Status *status)
{
  PromptPieces parts = { 0 };
  PromptPiece whole = { .text = text, .weight = 1 };
  PromptPiece *items = &whole;
  int n = 1;
  if (pipeline_prompt_syntax (job) == PROMPT_A1111)
    {
      if (!prompt_split_and (text, &parts, status))
        return false;
      items = parts.items;
      n = parts.n;
    }
  bool ok = n <= SD_MAX_PARTS ||
            status_fail (status, STATUS_ARGUMENT,
                         "The prompt joins %d parts by AND; at most %d go.", n, SD_MAX_PARTS);
  if (ok)
    ok = (p->positive = mem_calloc ((size_t) n, sizeof *p->positive)) != NULL || no_memory (status);
  for (int i = 0; ok && i < n; i++)
    {
      SdPart *part = &p->positive[p->n_positive++];
      part->weight = items[i].weight;
      ok = parse_part (p, part, items[i].text, false, job, status);
    }
  prompt_pieces_clear (&parts);
  return ok;
}

static bool
negative_is_zeros (const Pipeline *pipeline, const PipelineJob *job)
{
  if (*job->negative_prompt != '\0' || job->empty_negative == SD_EMPTY_ENCODE)
    return false;
  return job->empty_negative == SD_EMPTY_ZEROS ||
         pipeline->checkpoint->config.force_zeros_for_empty_prompt;
}

static bool
parse_texts (const Pipeline *pipeline, const PipelineJob *job, SdPrompts *p, Status *status)
{
  PromptNetworks positive = { 0 }, negative = { 0 };
  bool tags = pipeline_prompt_syntax (job) == PROMPT_A1111, guided = job->guidance_scale != 1;
  bool ok = !tags || (prompt_networks_leave (job, job->prompt, &positive, status) &&
                      prompt_networks_leave (job, job->negative_prompt, &negative, status));
  ok = ok && parse_positive (p, tags ? positive.rest : job->prompt, job, status);
  if (ok && guided)
    ok = parse_part (p, &p->negative, tags ? negative.rest : job->negative_prompt,
                     negative_is_zeros (pipeline, job), job, status);
  prompt_networks_clear (&positive);
  prompt_networks_clear (&negative);
  return ok;
}

static ChunkOptions
chunk_options (const Pipeline *pipeline, const PipelineJob *job, const SdPrompts *p, int encoder)
{
  bool comfyui = job->weighting == WEIGHTING_COMFYUI;
  return (ChunkOptions){ .embeddings = p->embeddings.tokens[encoder],
                         .n_embeddings = p->embeddings.n,
                         .mode = comfyui ? CHUNKS_COMFYUI : CHUNKS_A1111,
                         .comma_backtrack = CHUNK_COMMA_BACKTRACK,
                         .pad_id = encoder == 1
                                       ? 0
                                       : clip_bpe_eos (sd_networks (pipeline)->bpe[encoder]) };
}

/* Every text gets as many chunks as the longest. */
static bool
make_tokens (const Pipeline *pipeline, const PipelineJob *job, SdPrompts *p, Status *status)
{
  int n_encoders = pipeline->checkpoint->config.n_clips;
  p->n_chunks = 1;
  for (size_t i = 0; i < p->n_texts; i++)
    for (int e = 0; e < n_encoders; e++)
      {
        SdPromptText *t = &p->texts[i];
        ChunkOptions options = chunk_options (pipeline, job, p, e);
        if (!(t->tokens[e] =
                  token_chunks_new (sd_networks (pipeline)->bpe[e], &t->pieces, &options, status)))
          return false;
        if (t->tokens[e]->n_chunks > p->n_chunks)
          p->n_chunks = t->tokens[e]->n_chunks;
      }
  for (size_t i = 0; i < p->n_texts; i++)
    for (int e = 0; e < n_encoders; e++)
      if (!token_chunks_extend (p->texts[i].tokens[e], p->n_chunks, status))
        return false;
  p->n_tokens[0] = p->texts[sd_part_text (&p->positive[0], 1)].tokens[0]->n_tokens;
  if (p->negative.n_switches > 0)
    p->n_tokens[1] = p->texts[sd_part_text (&p->negative, 1)].tokens[0]->n_tokens;
  return true;
}

bool
sd_prompts_parse (const Pipeline *pipeline,
                  const PipelineJob *job,
                  SdPrompts *prompts,
                  Status *status)
{
  *prompts = (SdPrompts){ 0 };
  if (sd_embeddings_load (&prompts->embeddings, pipeline, job, status) &&
      parse_texts (pipeline, job, prompts, status) && make_tokens (pipeline, job, prompts, status))
    return true;
  sd_prompts_clear (prompts);
  return false;
}

void
sd_prompts_clear (SdPrompts *p)
{
  for (size_t i = 0; i < p->n_texts; i++)
    {
      prompt_pieces_clear (&p->texts[i].pieces);
      mem_free (p->texts[i].source);
      for (int e = 0; e < SD_MAX_ENCODERS; e++)
        token_chunks_free (p->texts[i].tokens[e]);
    }
  sd_embeddings_clear (&p->embeddings);
  for (int i = 0; i < p->n_positive; i++)
    mem_free (p->positive[i].switches);
  mem_free (p->positive);
  mem_free (p->negative.switches);
  mem_free (p->texts);
  *p = (SdPrompts){ 0 };
}
