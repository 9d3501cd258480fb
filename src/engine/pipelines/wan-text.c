/* SPDX-License-Identifier: MPL-2.0
 * wan-text.c - prompt and negative prompt through umT5.
 *
 * umT5 does not see its padding, so that it is run on the words alone; the transformer then takes
 * zeros behind them, up to 512 tokens, and does see those.  Wan and diffusers clean a text first:
 * HTML's names for characters twice, then white space; ComfyUI takes it as it is.
 */
#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "core/mem.h"
#include "core/trace.h"
#include "core/utf8.h"
#include "pipelines/digest.h"
#include "pipelines/wan-private.h"

/* One text on its way. */
typedef struct
{
  Pipeline *pipeline;
  const PipelineJob *job;
  TokenIds ids;
  int32_t *rows; /* the same, and the end token */
  int64_t n_rows;
  int64_t length;
  WanEncoding *out;
} Encoding;

static bool
no_memory (Status *status)
{
  return status_fail (status, STATUS_NO_MEMORY, "Out of memory: use a shorter prompt.");
}

/* ---- cleaning ---- */

/* The names that people's prompts hold; others stay as they are. */
static size_t
unescape_one (const char *text, char *out, size_t *n_out)
{
  static const struct
  {
    const char *name, *value;
  } names[] = { { "&amp;", "&" }, { "&lt;", "<" },   { "&gt;", ">" },         { "&quot;", "\"" },
                { "&#39;", "'" }, { "&apos;", "'" }, { "&nbsp;", "\xc2\xa0" } };
  for (size_t i = 0; i < sizeof names / sizeof *names; i++)
    {
      size_t n = strlen (names[i].name);
      if (strncmp (text, names[i].name, n) != 0)
        continue;
      *n_out = strlen (names[i].value);
      memcpy (out, names[i].value, *n_out);
      return n;
    }
  *out = *text;
  *n_out = 1;
  return 1;
}

/* In place: it only gets shorter. */
static void
unescape (char *text)
{
  char *to = text;
  for (const char *from = text; *from;)
    {
      size_t n;
      from += unescape_one (from, to, &n);
      to += n;
    }
  *to = '\0';
}

/* Bytes of the white space that @text begins with: ASCII's and the no-break space. */
static size_t
space_at (const char *text)
{
  if (isspace ((unsigned char) *text))
    return 1;
  return (unsigned char) text[0] == 0xc2 && (unsigned char) text[1] == 0xa0 ? 2 : 0;
}

static void
collapse_spaces (char *text)
{
  char *to = text;
  for (const char *from = text; *from;)
    {
      size_t n = space_at (from);
      if (n == 0)
        {
          *to++ = *from++;
          continue;
        }
      while ((n = space_at (from)) > 0)
        from += n;
      if (to > text && *from)
        *to++ = ' ';
    }
  *to = '\0';
}

/* Returns: the caller's to mem_free */
static char *
clean (const PipelineJob *job, const char *text, Status *status)
{
  char *out = mem_strdup (text);
  if (!out)
    {
      no_memory (status);
      return NULL;
    }
  if (job->convention == CONVENTION_DIFFUSERS)
    {
      unescape (out);
      unescape (out);
      collapse_spaces (out);
    }
  return out;
}

/* ---- encoding ---- */

static void
note_lost_words (const Encoding *e, size_t n_ids)
{
  char note[STATUS_MESSAGE_SIZE];
  if (!e->job->note)
    return;
  snprintf (
      note, sizeof note,
      status_text ("The prompt has %zu tokens, of which Wan reads the first %lld: shorten it."),
      n_ids, (long long) e->length - 1);
  e->job->note (e->job->data, note);
}

static bool
tokenize (Encoding *e, const char *text, Status *status)
{
  const Unigram *u = wan_networks (e->pipeline)->unigram;
  if (!unigram_encode (u, text, &e->ids, status))
    return false;
  if ((int64_t) e->ids.n > e->length - 1)
    {
      note_lost_words (e, e->ids.n);
      e->ids.n = (size_t) e->length - 1;
    }
  e->out->n_tokens = (int) e->ids.n;
  e->n_rows = (int64_t) e->ids.n + 1;
  e->rows = mem_calloc ((size_t) e->n_rows, sizeof *e->rows);
  if (!e->rows)
    return no_memory (status);
  if (e->ids.n > 0)
    memcpy (e->rows, e->ids.items, e->ids.n * sizeof *e->rows);
  e->rows[e->ids.n] = unigram_eos (u);
  return true;
}

static Tensor *
forward (Ctx *ctx, const void *encoding)
{
  const Encoding *e = encoding;
  return t5_forward (ctx, wan_networks (e->pipeline)->t5, e->rows, 1, e->n_rows, NULL);
}

static bool
encode (const Encoding *e, PhasePlan *plan, Status *status)
{
  size_t n = (size_t) e->n_rows * (size_t) e->pipeline->checkpoint->config.wan.text_dim;
  return pipeline_run_network (e->pipeline, e->job, PHASE_TEXT, forward, e, plan, e->out->states, n,
                               status);
}

static bool
encode_or_find (Encoding *e, const char *text, PhasePlan *plan, Status *status)
{
  size_t n = (size_t) e->length * (size_t) e->pipeline->checkpoint->config.wan.text_dim;
  if (!tokenize (e, text, status))
    return false;
  if (plan)
    return encode (e, plan, status);
  e->out->states = mem_calloc (n, sizeof *e->out->states);
  if (!e->out->states)
    return no_memory (status);
  uint64_t key = digest_int (digest_text (DIGEST_START, "wan-text"), e->length);
  key = digest_int (key, pipeline_compute (e->pipeline, e->job, NETWORK_TEXT));
  key = digest_text (digest_int (key, (int64_t) e->pipeline->text_digest), text);
  EncodingCache *cache = &e->pipeline->cache;
  if (encoding_cache_get (cache, key, e->out->states, n))
    return true;
  if (!encode (e, NULL, status))
    return false;
  encoding_cache_put (cache, key, e->out->states, n);
  return true;
}

static bool
add_text (WanText *t,
          Pipeline *pipeline,
          const PipelineJob *job,
          const char *text,
          PhasePlan *plan,
          Status *status)
{
  Encoding e = {
    .pipeline = pipeline, .job = job, .length = t->length, .out = &t->texts[t->n_texts++]
  };
  char *cleaned = clean (job, text, status);
  bool ok = cleaned && encode_or_find (&e, cleaned, plan, status);
  token_ids_clear (&e.ids);
  mem_free (e.rows);
  mem_free (cleaned);
  return ok;
}

/* <lora:...> is taken out whatever the syntax: nobody draws it. */
static bool
add_prompt (WanText *t,
            Pipeline *pipeline,
            const PipelineJob *job,
            const char *prompt,
            PhasePlan *plan,
            Status *status)
{
  PromptNetworks networks = { 0 };
  bool ok = prompt_networks_leave (job, prompt, &networks, status) &&
            add_text (t, pipeline, job, networks.rest, plan, status);
  prompt_networks_clear (&networks);
  return ok;
}

PipelineText *
wan_text_encode (Pipeline *pipeline, const PipelineJob *job, PhasePlan *plan, Status *status)
{
  bool two_experts = wan_networks (pipeline)->experts[1] != NULL;
  bool guided = job->guidance_scale > 1 || (two_experts && job->guidance_scale_2 > 1);
  WanText *t = mem_calloc (1, sizeof *t);
  bool ok = t || no_memory (status);
  if (ok)
    {
      t->length = job->max_tokens > 0 ? job->max_tokens : WAN_TOKENS;
      t->n_image = wan_image_tokens (pipeline, job);
    }
  ok = ok && add_prompt (t, pipeline, job, job->prompt, plan, status);
  if (ok && guided)
    ok = add_prompt (t, pipeline, job, job->negative_prompt, plan, status);
  for (int i = 0; ok && i < t->n_texts; i++)
    t->base.n_tokens[i] = t->texts[i].n_tokens;
  if (ok)
    return &t->base;
  wan_text_free (t ? &t->base : NULL);
  return NULL;
}

void
wan_text_free (PipelineText *text)
{
  WanText *t = (WanText *) text;
  if (!t)
    return;
  for (int i = 0; i < t->n_texts; i++)
    mem_free (t->texts[i].states);
  mem_free (t);
}
