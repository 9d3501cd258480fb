/* SPDX-License-Identifier: MPL-2.0
 * prompt-networks.c - takes <lora:name:0.8> and its kin out of a prompt.
 */
#define _GNU_SOURCE
#include <float.h>
#include <math.h>
#include <string.h>

#include "core/mem.h"
#include "text/chars.h"
#include "text/prompt-grammar.h"

typedef struct
{
  PromptNetworks *out;
  size_t item_capacity, arg_capacity, n_args;
  char *to; /* free part of the pool, which is as long as the prompt */
} Taker;

/* The tag <kind:...> at @p: where it ends, and the colon behind its kind; NULL when it is none. */
static const char *
match_tag (const char *p, const char *end, const char **colon)
{
  const char *q = p + 1;
  int n;
  while (q < end && char_is_word (char_at (q, end, &n)))
    q += n;
  if (q == p + 1 || q == end || *q != ':' || q + 1 == end || q[1] == '>')
    return NULL;
  *colon = q;
  const char *close = memchr (q, '>', (size_t) (end - q));
  return close ? close + 1 : NULL;
}

static const char *
add_string (Taker *t, const char *p, size_t n)
{
  char *text = t->to;
  memcpy (text, p, n);
  text[n] = 0;
  t->to += n + 1;
  return text;
}

/* "value" or "key=value"; two signs of equality make it a value. */
static bool
add_arg (Taker *t, const char *p, size_t n, Status *status)
{
  PromptNetworks *out = t->out;
  if (!mem_grow (&out->args, &t->arg_capacity, t->n_args + 1, sizeof *out->args, status))
    return false;
  PromptNetworkArg *arg = &out->args[t->n_args++];
  const char *equals = memchr (p, '=', n);
  *arg = (PromptNetworkArg){ 0 };
  if (equals && !memchr (equals + 1, '=', n - (size_t) (equals + 1 - p)))
    {
      arg->key = add_string (t, p, (size_t) (equals - p));
      n -= (size_t) (equals + 1 - p);
      p = equals + 1;
    }
  arg->value = add_string (t, p, n);
  out->items[out->n - 1].n_args++;
  return true;
}

/* A tag: @p is its '<', @colon ends the kind, @end lies behind its '>'. */
static bool
add_network (Taker *t, const char *p, const char *colon, const char *end, Status *status)
{
  PromptNetworks *out = t->out;
  if (!mem_grow (&out->items, &t->item_capacity, (size_t) out->n + 1, sizeof *out->items, status))
    return false;
  PromptNetwork *network = &out->items[out->n++];
  *network = (PromptNetwork){ .kind = add_string (t, p + 1, (size_t) (colon - p - 1)) };
  end--;
  for (p = colon + 1; p <= end;)
    {
      const char *next = memchr (p, ':', (size_t) (end - p));
      next = next ? next : end;
      if (!network->name)
        network->name = add_string (t, p, (size_t) (next - p));
      else if (!add_arg (t, p, (size_t) (next - p), status))
        return false;
      p = next + 1;
    }
  return true;
}

static bool
take (Taker *t, const char *p, const char *end, Status *status)
{
  char *rest = t->out->rest;
  /* Behind the last '>' nothing can match; without this a row of '<a:' takes quadratic time. */
  const char *last_close = memrchr (p, '>', (size_t) (end - p));
  while (p < end)
    {
      const char *colon, *tag_end = NULL;
      if (*p == '<' && last_close && p < last_close)
        tag_end = match_tag (p, end, &colon);
      if (!tag_end)
        *rest++ = *p++;
      else if (!add_network (t, p, colon, tag_end, status))
        return false;
      else
        p = tag_end;
    }
  return true;
}

bool
prompt_take_networks (const char *text, PromptNetworks *networks, Status *status)
{
  size_t n;
  *networks = (PromptNetworks){ 0 };
  if (!text_check_length (text, &n, status))
    return false;
  networks->rest = mem_calloc (n + 1, 1);
  networks->pool = mem_calloc (n + 1, 1);
  Taker t = { .out = networks, .to = networks->pool };
  bool ok = (networks->rest && networks->pool) || text_no_memory (status);
  ok = ok && take (&t, text, text + n, status);
  const PromptNetworkArg *args = networks->args;
  for (int i = 0; ok && i < networks->n; args += networks->items[i++].n_args)
    networks->items[i].args = args;
  if (!ok)
    prompt_networks_clear (networks);
  return ok;
}

void
prompt_networks_clear (PromptNetworks *networks)
{
  mem_free (networks->items);
  mem_free (networks->args);
  mem_free (networks->pool);
  mem_free (networks->rest);
  *networks = (PromptNetworks){ 0 };
}

/* The @place-th argument without a key, or the one with @key, which wins; NULL: neither is there.
 */
static const char *
find_arg (const PromptNetwork *network, int place, const char *key)
{
  const char *value = NULL;
  for (int i = 0; i < network->n_args; i++)
    {
      const PromptNetworkArg *arg = &network->args[i];
      if (arg->key && !strcmp (arg->key, key))
        return arg->value;
      if (!arg->key && place-- == 0)
        value = arg->value;
    }
  return value;
}

static bool
read_weight (
    const PromptNetwork *network, int place, const char *key, double *weight, Status *status)
{
  const char *p = find_arg (network, place, key);
  if (!p)
    return true;
  const char *end = p + strlen (p);
  p += text_space_length (p, end);
  while (end > p && char_is_space (end[-1]))
    end--;
  if (decimal_parse (p, (size_t) (end - p), true, weight) && fabs (*weight) <= (double) FLT_MAX)
    return true;
  return status_fail (
      status, STATUS_ARGUMENT,
      "A weight of <%.40s:%.200s:...> in the prompt is not a number of any use: correct "
      "it.",
      network->kind, network->name);
}

bool
prompt_network_weights (const PromptNetwork *network, double *te, double *unet, Status *status)
{
  *te = 1;
  if (!read_weight (network, 0, "te", te, status))
    return false;
  *unet = *te;
  return read_weight (network, 1, "unet", unet, status);
}
