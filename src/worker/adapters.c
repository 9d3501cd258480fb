/* SPDX-License-Identifier: MPL-2.0
 * adapters.c - from names of adapters to files, and from tags to weights.
 */
#define _GNU_SOURCE
#include "worker/adapters.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "core/mem.h"
#include "text/prompt-grammar.h"
#include "weights/adapter.h"
#include "weights/embedding.h"
#include "worker/adapter-args.h"
#include "worker/adapter-find.h"
#include "worker/model-hash.h"

/* ---- tags ---- */

/* What a tag says; NULL: nothing. */
typedef struct
{
  const char *text, *network, *blocks, *steps, *start, *stop;
} Tag;

static void
read_tag (const PromptNetwork *network, Tag *tag, char note[STATUS_MESSAGE_SIZE])
{
  const struct
  {
    const char *key;
    const char **value;
  } keys[] = { { "te", &tag->text },    { "unet", &tag->network }, { "lbw", &tag->blocks },
               { "step", &tag->steps }, { "start", &tag->start },  { "stop", &tag->stop } };
  const char **places[] = { &tag->text, &tag->network };
  size_t n_places = 0;
  *tag = (Tag){ 0 };
  for (int i = 0; i < network->n_args; i++)
    if (!network->args[i].key && n_places < 2)
      *places[n_places++] = network->args[i].value;
  for (int i = 0; i < network->n_args; i++)
    {
      const PromptNetworkArg *arg = &network->args[i];
      bool known = !arg->key;
      for (size_t k = 0; !known && k < sizeof keys / sizeof *keys; k++)
        if (strcmp (arg->key, keys[k].key) == 0)
          {
            *keys[k].value = arg->value;
            known = true;
          }
      if (!known && !*note)
        snprintf (note, STATUS_MESSAGE_SIZE,
                  status_text ("%.40s= in <lora:%.200s:...> has no effect."), arg->key,
                  network->name);
    }
}

/* A weight, or the first of a curve. */
static bool
first_weight (const char *text, double *out, bool *is_curve, Status *status)
{
  PipelineAdapter a = { .weight = 1 };
  if (!adapter_parse_curve (&a, text, 1, status))
    return false;
  *is_curve = a.n_points > 0;
  *out = *is_curve ? a.points[0].weight : a.weight;
  return true;
}

static bool
set_weights (RecipeAdapter *item, const Tag *tag, Status *status)
{
  const char *network = tag->network ? tag->network : tag->text;
  bool is_curve;
  if (tag->text && !first_weight (tag->text, &item->text_weight, &is_curve, status))
    return false;
  if (!network)
    return true;
  return first_weight (network, &item->weight, &is_curve, status) &&
         (!is_curve || text_replace (&item->curve, network, status));
}

static bool
set_steps (RecipeAdapter *item, const Tag *tag, Status *status)
{
  char range[64];
  snprintf (range, sizeof range, "%.30s-%.30s", tag->start ? tag->start : "",
            tag->stop ? tag->stop : "");
  if (tag->steps)
    return text_replace (&item->steps, tag->steps, status);
  return (!tag->start && !tag->stop) || text_replace (&item->steps, range, status);
}

/* What the recipe knows of a tag's file from the last time. */
static const RecipeAdapter *
known_tag (const RecipeAdapters *old, const char *name)
{
  for (size_t i = 0; i < old->n; i++)
    if (old->items[i].from_prompt && !old->items[i].is_embedding && old->items[i].name &&
        !strcmp (old->items[i].name, name))
      return &old->items[i];
  return NULL;
}

static bool
add_tag (JobAdapters *a, const RecipeAdapters *old, const PromptNetwork *network, Status *status)
{
  Tag tag;
  if (strcmp (network->kind, "lora") != 0 && strcmp (network->kind, "lyco") != 0)
    return true; /* the pipeline says so */
  read_tag (network, &tag, a->note);
  const RecipeAdapter *known = known_tag (old, network->name);
  RecipeAdapter *item = recipe_adapters_add (&a->list, network->name, status);
  if (!item)
    return false;
  item->from_prompt = true;
  return set_weights (item, &tag, status) && set_steps (item, &tag, status) &&
         text_replace (&item->blocks, tag.blocks, status) &&
         (!known || (text_replace (&item->path, known->path, status) &&
                     text_replace (&item->hash, known->hash, status) &&
                     text_replace (&item->autov3, known->autov3, status)));
}

/* Left open, the weighting of SD's models is A1111's. */
static bool
reads_a1111 (const Recipe *recipe)
{
  return recipe->weighting == RECIPE_WEIGHTING_A1111 ||
         recipe->weighting == RECIPE_WEIGHTING_A1111_NO_NORM ||
         recipe->weighting == RECIPE_WEIGHTING_AUTO;
}

static bool
add_tags (
    JobAdapters *a, const RecipeAdapters *old, const Recipe *recipe, Family family, Status *status)
{
  PromptNetworks networks;
  if (!reads_a1111 (recipe) && family != FAMILY_FLUX)
    return true;
  if (!prompt_take_networks (recipe_str (recipe->prompt), &networks, status))
    return false;
  bool ok = true;
  for (int i = 0; ok && i < networks.n; i++)
    ok = add_tag (a, old, &networks.items[i], status);
  prompt_networks_clear (&networks);
  return ok;
}

/* ---- files ---- */

static bool
find_file (RecipeAdapter *item, Status *status)
{
  char path[GESSO_PATH_SIZE], stem[GESSO_PATH_SIZE];
  if (item->path && access (item->path, R_OK) == 0)
    snprintf (path, sizeof path, "%s", item->path);
  else
    {
      const char *name = recipe_str (item->name), *hash = item->autov3 ? item->autov3 : item->hash;
      const char *slash = item->path ? strrchr (item->path, '/') : NULL;
      bool found = (*name && adapter_find (FIND_ADAPTER, name, recipe_str (hash), path)) ||
                   (slash && adapter_find (FIND_ADAPTER, slash + 1, "", path));
      if (!found && !item->muted)
        return status_fail (status, STATUS_NOT_FOUND,
                            "There is no adapter \"%.300s\" in the folders of LoRAs: put it into "
                            "one, add its folder to those of models, or take it out.",
                            *name ? name : recipe_str (item->path));
      if (!found)
        return true;
    }
  const char *base = strrchr (path, '/');
  snprintf (stem, sizeof stem, "%s", base ? base + 1 : path);
  char *dot = strrchr (stem, '.');
  if (dot && dot != stem)
    *dot = '\0';
  return text_replace (&item->path, path, status) &&
         (item->name || text_replace (&item->name, stem, status));
}

static bool
take_own (JobAdapters *a, RecipeAdapters *old, Status *status)
{
  for (size_t i = 0; i < old->n; i++)
    {
      if (old->items[i].from_prompt)
        continue;
      RecipeAdapter *item = recipe_adapters_add (&a->list, NULL, status);
      if (!item)
        return false;
      *item = old->items[i];
      recipe_adapters_forget (&old->items[i]);
    }
  return true;
}

/* ---- embeddings ---- */

typedef struct
{
  JobAdapters *adapters;
  const RecipeAdapters *old;
  const Recipe *recipe;
  Status *status;
} EmbeddingSearch;

static bool
has_embedding (const JobAdapters *a, const char *name)
{
  for (size_t i = 0; i < a->n_embeddings; i++)
    if (strcmp (a->embeddings[i].name, name) == 0)
      return true;
  return false;
}

/* A file of its own is written into the recipe; a LoRA's bundle is there with the LoRA. */
static bool
note_embedding (const EmbeddingSearch *s, const char *name, const char *path)
{
  JobAdapters *a = s->adapters;
  const RecipeAdapter *known = NULL;
  for (size_t i = 0; i < s->old->n; i++)
    if (s->old->items[i].is_embedding && !strcmp (recipe_str (s->old->items[i].name), name))
      known = &s->old->items[i];
  if (a->list.n >= PARAM_LIST_MAX_ITEMS)
    return true;
  RecipeAdapter *item = recipe_adapters_add (&a->list, name, s->status);
  if (!item)
    return false;
  item->from_prompt = item->is_embedding = true;
  return text_replace (&item->path, path, s->status) &&
         (!known || text_replace (&item->hash, known->hash, s->status));
}

/* @bundle: whether @path is a LoRA that carries it */
static bool
add_embedding (const EmbeddingSearch *s, const char *name, const char *path, bool bundle)
{
  JobAdapters *a = s->adapters;
  Status *status = s->status;
  size_t n = a->n_embeddings;
  if (has_embedding (a, name))
    return true;
  if (!bundle && !note_embedding (s, name, path))
    return false;
  if (!mem_grow (&a->embeddings, &a->embedding_capacity, n + 1, sizeof *a->embeddings, status) ||
      !mem_grow (&a->embedding_texts, &a->text_capacity, 2 * n + 2, sizeof *a->embedding_texts,
                 status))
    return false;
  char *own_name = mem_strdup (name), *own_path = mem_strdup (path);
  if (!own_name || !own_path)
    {
      mem_free (own_name);
      mem_free (own_path);
      return status_fail (status, STATUS_NO_MEMORY, "Out of memory: use fewer embeddings.");
    }
  a->embedding_texts[2 * n] = own_name;
  a->embedding_texts[2 * n + 1] = own_path;
  a->embeddings[n] = (PipelineEmbedding){ own_name, own_path, bundle ? own_name : NULL };
  a->n_embeddings++;
  return true;
}

/* Each "embedding:NAME" of @prompt. */
static bool
add_marked (const EmbeddingSearch *s, const char *prompt)
{
  static const char mark[] = "embedding:";
  for (const char *p = prompt; (p = strstr (p, mark)); p++)
    {
      char name[256], path[GESSO_PATH_SIZE];
      const char *at = p + sizeof mark - 1;
      size_t n = strcspn (at, " \t\r\n,()[]");
      while (n > 0 && strchr (":.;", at[n - 1]))
        n--;
      if (n == 0 || n >= sizeof name)
        continue;
      snprintf (name, sizeof name, "%.*s", (int) n, at);
      char *weight = strrchr (name, ':'); /* (embedding:NAME:1.2) */
      if (weight)
        *weight = '\0';
      if (has_embedding (s->adapters, name))
        continue;
      if (!adapter_find (FIND_EMBEDDING, name, "", path))
        return status_fail (s->status, STATUS_NOT_FOUND,
                            "There is no embedding \"%.200s\" in the folders of embeddings: put it "
                            "into one, add its folder to those of models, or take it out.",
                            name);
      if (!add_embedding (s, name, path, false))
        return false;
    }
  return true;
}

static bool
is_word_part (char c)
{
  return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
}

/* A word by itself; whether its tokens stand there is decided where the prompt is cut into them. */
static bool
names_it (const char *prompt, const char *name)
{
  size_t n = strlen (name);
  for (const char *p = prompt; n > 0 && (p = strcasestr (p, name)); p++)
    if ((p == prompt || !is_word_part (p[-1])) && !is_word_part (p[n]))
      return true;
  return false;
}

static bool
is_named (const EmbeddingSearch *s, const char *name)
{
  return names_it (recipe_str (s->recipe->prompt), name) ||
         names_it (recipe_str (s->recipe->negative_prompt), name);
}

static bool
match_stem (void *data, const char *path, const char *stem)
{
  EmbeddingSearch *s = data;
  return !is_named (s, stem) || add_embedding (s, stem, path, false);
}

typedef bool (*BundleFunc) (const EmbeddingSearch *s, const char *name, const char *path);

/* Those that the job's LoRAs carry and its prompts name. */
static bool
walk_bundles (const EmbeddingSearch *s, BundleFunc func)
{
  for (size_t i = 0; i < s->adapters->list.n; i++)
    {
      char name[EMBEDDING_PREFIX_SIZE];
      const char *path = s->adapters->list.items[i].path;
      bool counts = path && !s->adapters->list.items[i].is_embedding;
      AdapterFile *file = counts ? adapter_open (path, &(Status){ 0 }) : NULL;
      bool ok = true; /* a file that cannot be read is told where it is put on the model */
      for (size_t t = 0; file && ok && t < file->source.table.n_items; t++)
        if (embedding_bundled (file->source.table.items[t].name, name, sizeof name) &&
            is_named (s, name))
          ok = func (s, name, path);
      adapter_close (file);
      if (!ok)
        return false;
    }
  return true;
}

static bool
add_bundle (const EmbeddingSearch *s, const char *name, const char *path)
{
  return add_embedding (s, name, path, true);
}

static bool
note_bundle (const EmbeddingSearch *s, const char *name, const char *path)
{
  char *note = s->adapters->note;
  if (!*note)
    snprintf (note, sizeof s->adapters->note,
              status_text ("The word \"%.100s\" is read as it is written: the vectors for it in "
                           "\"%.200s\" have no effect on this kind of model."),
              name, path_base (path));
  return true;
}

/* T5 takes no vectors in place of words. */
static bool
note_embeddings (const EmbeddingSearch *s)
{
  const char *mark = "embedding:";
  bool marked = strstr (recipe_str (s->recipe->prompt), mark) ||
                strstr (recipe_str (s->recipe->negative_prompt), mark);
  if (marked && !*s->adapters->note)
    snprintf (
        s->adapters->note, sizeof s->adapters->note, "%s",
        status_text ("Embeddings have no effect on FLUX.1 and Wan: take \"embedding:\" out of "
                     "the prompt."));
  return walk_bundles (s, note_bundle);
}

static bool
add_embeddings (
    JobAdapters *a, const RecipeAdapters *old, const Recipe *recipe, Family family, Status *status)
{
  EmbeddingSearch s = { a, old, recipe, status };
  if (family == FAMILY_FLUX || family == FAMILY_WAN)
    return note_embeddings (&s);
  if (!walk_bundles (&s, add_bundle) || !add_marked (&s, recipe_str (recipe->prompt)) ||
      !add_marked (&s, recipe_str (recipe->negative_prompt)))
    return false;
  if (reads_a1111 (recipe) && (recipe->prompt || recipe->negative_prompt))
    embeddings_walk (match_stem, &s);
  return status_ok (status);
}

bool
job_adapters_load (JobAdapters *a, Recipe *recipe, Family family, Status *status)
{
  RecipeAdapters old;
  *a = (JobAdapters){ 0 };
  if (!recipe_adapters_read (&old, recipe, status))
    return false;
  bool ok = add_tags (a, &old, recipe, family, status) && take_own (a, &old, status);
  for (size_t i = 0; ok && i < a->list.n; i++)
    ok = find_file (&a->list.items[i], status);
  ok = ok && add_embeddings (a, &old, recipe, family, status);
  ok = ok && (a->list.n + old.n == 0 || recipe_adapters_write (&a->list, recipe, status));
  recipe_adapters_clear (&old);
  if (!ok)
    job_adapters_clear (a);
  return ok;
}

static bool
fill (PipelineAdapter *out, const RecipeAdapter *item, int n_steps, Status *status)
{
  *out = (PipelineAdapter){ .path = item->path };
  if (item->muted)
    return true; /* weights 0: it can be switched on without loading anything */
  out->weight = item->weight;
  out->text_weight = item->text_weight;
  return (!item->curve || adapter_parse_curve (out, item->curve, n_steps, status)) &&
         (!item->blocks || adapter_parse_blocks (out, item->blocks, status)) &&
         (!item->steps || adapter_parse_steps (out, item->steps, status));
}

bool
job_adapters_give (JobAdapters *a, PipelineJob *job, Status *status)
{
  int n = 0;
  job->embeddings = a->embeddings;
  job->n_embeddings = (int) a->n_embeddings;
  if (a->list.n == 0)
    return true;
  a->items = mem_calloc (a->list.n, sizeof *a->items);
  if (!a->items)
    return status_fail (status, STATUS_NO_MEMORY, "Out of memory: use fewer adapters.");
  for (size_t i = 0; i < a->list.n; i++)
    if (!a->list.items[i].is_embedding && a->list.items[i].path &&
        access (a->list.items[i].path, R_OK) == 0 &&
        !fill (&a->items[n++], &a->list.items[i], job->steps, status))
      return false;
  job->adapters = a->items;
  job->n_adapters = n;
  return true;
}

void
job_adapters_clear (JobAdapters *a)
{
  recipe_adapters_clear (&a->list);
  for (size_t i = 0; i < 2 * a->n_embeddings; i++)
    mem_free (a->embedding_texts[i]);
  mem_free (a->embedding_texts);
  mem_free (a->embeddings);
  mem_free (a->items);
  *a = (JobAdapters){ 0 };
}

/* ---- hashes ---- */

/* @hash: what the recipe had, replaced; a beginning of the new one is no contradiction. */
static bool
hash_item (RecipeAdapter *item, const atomic_bool *cancel, char *note, Status *status)
{
  char hash[MODEL_HASH_SIZE], tensors[MODEL_HASH_SIZE];
  if (!item->path)
    return true;
  *tensors = '\0';
  if (!model_hash (item->path, hash, cancel, status) ||
      (!item->is_embedding && !model_tensors_hash (item->path, tensors, cancel, status)))
    return false;
  size_t n = strlen (recipe_str (item->hash)), m = strlen (recipe_str (item->autov3));
  bool same = (n == 0 || strncmp (hash, item->hash, n) == 0) &&
              (m == 0 || strncmp (tensors, item->autov3, m) == 0);
  if (!same && note && !*note)
    snprintf (
        note, STATUS_MESSAGE_SIZE,
        status_text (
            "The adapter \"%.200s\" is another file than the one that the recipe was made with."),
        recipe_str (item->name));
  return text_replace (&item->hash, hash, status) && text_replace (&item->autov3, tensors, status);
}

bool
job_adapters_hash (Recipe *recipe,
                   const atomic_bool *cancel,
                   char note[STATUS_MESSAGE_SIZE],
                   Status *status)
{
  RecipeAdapters list;
  if (note)
    *note = '\0';
  if (!recipe->adapters)
    return true;
  bool ok = recipe_adapters_read (&list, recipe, status);
  for (size_t i = 0; ok && i < list.n; i++)
    ok = hash_item (&list.items[i], cancel, note, status);
  ok = ok && recipe_adapters_write (&list, recipe, status);
  recipe_adapters_clear (&list);
  return ok;
}
