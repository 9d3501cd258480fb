/* SPDX-License-Identifier: MPL-2.0
 * adapters.c - a pipeline's adapters: opened once, mounted for whichever run goes on.
 */
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "backend/backend.h"
#include "core/mem.h"
#include "pipelines/digest.h"
#include "pipelines/pipeline-private.h"
#include "weights/adapter-stack.h"
#include "weights/recognise.h"

enum
{
  SAMPLED_TENSORS = 256,
  SAMPLED_BYTES = 64,
  NAMED_LAYERS = 3 /* of those that found no place, in a note */
};

struct AdapterSet
{
  Backend *backend; /* borrowed */
  int n_users;
  int n;
  uint64_t key;    /* of paths, sizes and times: whether the files are still the same */
  uint64_t digest; /* of what is in them */
  AdapterFile **files;
  AdapterFit *fits; /* n_fits: of a file on each network that it is for */
  int n_fits;
  int *fit_of; /* n_fits: which file's */
  AdapterStack *stack;
  AdapterStrength *strengths; /* as set last; blocks points into @blocks */
  double *blocks;             /* (n_fits, ADAPTER_BLOCK_COUNT) */
  bool was_set;
  uint64_t version; /* counts how often weights have moved */
};

/* ---- opening ---- */

static uint64_t
files_key (const Pipeline *pipeline, const PipelineJob *job)
{
  uint64_t key = digest_int (DIGEST_START, job->n_adapters);
  for (int i = 0; i < job->n_adapters; i++)
    {
      struct stat info = { 0 };
      stat (job->adapters[i].path, &info);
      key = digest_int (digest_text (key, job->adapters[i].path), info.st_size);
      key = digest_int (digest_int (key, info.st_mtim.tv_sec), info.st_mtim.tv_nsec);
    }
  return key;
}

/* Names, types and shapes of all tensors, and the first bytes of some. */
static uint64_t
file_digest (uint64_t d, const AdapterFile *file)
{
  const TensorTable *table = &file->source.table;
  size_t every = table->n_items / SAMPLED_TENSORS + 1;
  for (size_t i = 0; i < table->n_items; i++)
    {
      const FileTensor *t = &table->items[i];
      d = digest_int (digest_text (d, t->name), t->dtype);
      d = digest_bytes (d, t->ne, (size_t) t->rank * sizeof *t->ne);
      if (t->data && i % every == 0)
        d = digest_bytes (d, t->data, t->n_bytes < SAMPLED_BYTES ? t->n_bytes : SAMPLED_BYTES);
    }
  for (size_t i = 0; i < file->n_modules; i++)
    d = digest_real (d, file->modules[i].scale); /* may come from a file beside it */
  return d;
}

static void
set_free (AdapterSet *set)
{
  backend_forget (set->backend);
  adapter_stack_free (set->stack);
  for (int i = 0; i < set->n_fits; i++)
    adapter_fit_clear (&set->fits[i]);
  for (int i = 0; set->files && i < set->n; i++)
    adapter_close (set->files[i]);
  mem_free (set->fits);
  mem_free (set->fit_of);
  mem_free (set->files);
  mem_free (set->strengths);
  mem_free (set->blocks);
  mem_free (set);
}

/* Which of two experts a file is for: as its own name says, else its folder's; else both. */
static bool
is_for (const char *path, int expert)
{
  char folder[PATH_MAX];
  const char *slash = strrchr (path, '/');
  WanExpert said = wan_expert_of (slash ? slash + 1 : path);
  if (said == WAN_EXPERT_UNKNOWN && slash)
    {
      snprintf (folder, sizeof folder, "%.*s", (int) (slash - path), path);
      slash = strrchr (folder, '/');
      said = wan_expert_of (slash ? slash + 1 : folder);
    }
  return said == WAN_EXPERT_UNKNOWN || (said == WAN_EXPERT_LOW) == (expert == 1);
}

static bool
open_one (Pipeline *pipeline, AdapterSet *set, int i, const char *path, Status *status)
{
  const Checkpoint *model = pipeline->checkpoint;
  set->files[i] = adapter_open (path, status);
  if (!set->files[i])
    return false;
  for (int e = 0; e < PIPELINE_EXPERTS; e++)
    {
      if (!pipeline->adapter_maps[e] || (pipeline->adapter_maps[1] && !is_for (path, e)))
        continue;
      set->fit_of[set->n_fits] = i;
      if (!adapter_fit_init (&set->fits[set->n_fits++], set->files[i], model->weights,
                             pipeline->adapter_maps[e], &model->config, status))
        return false;
    }
  set->digest = file_digest (set->digest, set->files[i]);
  return true;
}

static bool
open_all (Pipeline *pipeline, AdapterSet *set, const PipelineJob *job, Status *status)
{
  size_t n = (size_t) set->n, n_fits = PIPELINE_EXPERTS * n;
  const AdapterFit **fits = mem_calloc (n_fits, sizeof *fits);
  set->files = mem_calloc (n, sizeof *set->files);
  set->fits = mem_calloc (n_fits, sizeof *set->fits);
  set->fit_of = mem_calloc (n_fits, sizeof *set->fit_of);
  set->strengths = mem_calloc (n_fits, sizeof *set->strengths);
  set->blocks = mem_calloc (n_fits * ADAPTER_BLOCK_COUNT, sizeof *set->blocks);
  bool ok = (fits && set->files && set->fits && set->fit_of && set->strengths && set->blocks) ||
            status_fail (status, STATUS_NO_MEMORY, "Out of memory: use fewer adapters.");
  for (int i = 0; ok && i < set->n; i++)
    ok = open_one (pipeline, set, i, job->adapters[i].path, status);
  for (int i = 0; ok && i < set->n_fits; i++)
    fits[i] = &set->fits[i];
  if (ok)
    set->stack = adapter_stack_new (fits, set->n_fits, pipeline->header_only, status);
  if (set->stack)
    adapter_stack_set_threads (set->stack, pipeline->backend->n_threads);
  mem_free (fits);
  return set->stack != NULL;
}

static bool
make_maps (Pipeline *pipeline, Status *status)
{
  const Checkpoint *c = pipeline->checkpoint;
  AdapterMap **maps = pipeline->adapter_maps;
  if (!maps[0])
    maps[0] = adapter_map_new (c->weights, &c->config, status);
  if (maps[0] && !maps[1] && c->config.has_expert)
    maps[1] = adapter_map_new_expert (c->weights, &c->config, status);
  return maps[0] && (maps[1] || !c->config.has_expert);
}

AdapterSet *
adapter_set_get (Pipeline *pipeline, const PipelineJob *job, Status *status)
{
  uint64_t key = files_key (pipeline, job);
  AdapterSet *set = pipeline->last_set;
  if (set && set->key == key && set->n == job->n_adapters)
    {
      set->n_users++;
      return set;
    }
  if (!make_maps (pipeline, status))
    return NULL;
  adapter_set_use (pipeline, NULL, NULL, 0, 1, NULL, status); /* fits are made on the model's own */
  set = mem_calloc (1, sizeof *set);
  if (!set)
    {
      status_fail (status, STATUS_NO_MEMORY, "Out of memory: use fewer adapters.");
      return NULL;
    }
  *set = (AdapterSet){ .backend = pipeline->backend,
                       .n_users = 2,
                       .n = job->n_adapters,
                       .key = key,
                       .digest = DIGEST_START };
  adapter_set_release (pipeline->last_set);
  pipeline->last_set = NULL;
  if (!open_all (pipeline, set, job, status))
    {
      set_free (set);
      return NULL;
    }
  pipeline->last_set = set;
  return set;
}

void
adapter_set_release (AdapterSet *set)
{
  if (set && --set->n_users == 0)
    set_free (set);
}

/* ---- using ---- */

/* The weight on the network at @at (0 .. 1) of the steps. */
static double
weight_at (const PipelineAdapter *a, double at)
{
  if (a->n_points == 0)
    return a->weight;
  int i = 0;
  while (i < a->n_points && a->points[i].at <= at)
    i++;
  if (i == 0 || i == a->n_points)
    return a->points[i ? i - 1 : 0].weight;
  double from = a->points[i - 1].at, to = a->points[i].at, f = (at - from) / (to - from);
  return a->points[i - 1].weight + f * (a->points[i].weight - a->points[i - 1].weight);
}

/* @blocks: receives the factors, if there are any */
static AdapterStrength
strength_of (const PipelineAdapter *a, int step, int n_steps, double *blocks)
{
  bool is_on = step + 1 >= a->first_step && (a->last_step == 0 || step + 1 <= a->last_step);
  AdapterStrength s = { .network = is_on ? weight_at (a, (double) step / n_steps) : 0,
                        .text = a->text_weight };
  if (a->has_blocks)
    {
      memcpy (blocks, a->blocks, sizeof a->blocks);
      s.blocks = blocks;
    }
  return s;
}

static bool
is_same (const AdapterStrength *a, const AdapterStrength *b)
{
  size_t size = ADAPTER_BLOCK_COUNT * sizeof *a->blocks;
  return a->network == b->network && a->text == b->text && !a->blocks == !b->blocks &&
         (!a->blocks || memcmp (a->blocks, b->blocks, size) == 0);
}

/* Returns: whether adapter @i weighs something else than before */
static bool
set_strength (AdapterSet *set, int i, const PipelineAdapter *a, int step, int n_steps)
{
  double blocks[ADAPTER_BLOCK_COUNT];
  AdapterStrength s = strength_of (a, step, n_steps, blocks);
  if (is_same (&s, &set->strengths[i]))
    return false;
  if (s.blocks)
    s.blocks = memcpy (set->blocks + (size_t) i * ADAPTER_BLOCK_COUNT, blocks, sizeof blocks);
  set->strengths[i] = s;
  return true;
}

static bool
set_strengths (Pipeline *pipeline,
               AdapterSet *set,
               const PipelineAdapter *a,
               int step,
               int n_steps,
               Status *status)
{
  bool moved = !set->was_set;
  for (int i = 0; i < set->n_fits; i++)
    moved |= set_strength (set, i, &a[set->fit_of[i]], step, n_steps);
  if (moved && adapter_stack_changes_parameters (set->stack))
    backend_forget (pipeline->backend);
  set->version += moved;
  set->was_set = !moved || adapter_stack_set (set->stack, set->strengths, status);
  return set->was_set;
}

/* Encodings depend on the weights on the text encoders only. */
static uint64_t
text_digest (const AdapterSet *set)
{
  uint64_t d = digest_int (DIGEST_START, (int64_t) set->digest);
  if (!adapter_stack_touches_text (set->stack))
    return 0;
  for (int i = 0; i < set->n_fits; i++)
    {
      const AdapterStrength *s = &set->strengths[i];
      d = digest_real (d, s->blocks ? s->text * s->blocks[ADAPTER_BLOCK_BASE] : s->text);
    }
  return d;
}

bool
adapter_set_use (Pipeline *pipeline,
                 AdapterSet *set,
                 const PipelineAdapter *adapters,
                 int step,
                 int n_steps,
                 bool *moved,
                 Status *status)
{
  AdapterSet *before = pipeline->mounted;
  if (moved)
    *moved = false;
  if (before != set)
    {
      /* the model's own weights stay where they are, and a device's copies of them */
      if (before)
        adapter_stack_unmount (before->stack);
      pipeline->mounted = NULL;
      adapter_set_release (before);
    }
  pipeline->text_digest = 0;
  if (!set)
    return true;
  uint64_t version = set->version;
  if (!set_strengths (pipeline, set, adapters, step, n_steps, status))
    return false;
  if (moved)
    *moved =
        set->version != version && adapter_stack_touches (set->stack, pipeline->family->reads_once);
  pipeline->text_digest = text_digest (set);
  if (pipeline->mounted)
    return true;
  adapter_stack_mount (set->stack);
  pipeline->mounted = set;
  set->n_users++;
  return true;
}

/* ---- what is said of them ---- */

static void
report_one (const AdapterFit *fit, const PipelineJob *job)
{
  char names[320] = "", note[STATUS_MESSAGE_SIZE];
  size_t n = 0;
  for (size_t i = 0; i < fit->n_unmatched && i < NAMED_LAYERS && n < sizeof names; i++)
    n += (size_t) snprintf (names + n, sizeof names - n, "%s%.100s", i ? "; " : "",
                            fit->unmatched[i]);
  snprintf (
      note, sizeof note, status_text ("%zu parts of the adapter \"%.60s\" have no effect: %s%s"),
      fit->n_unmatched, fit->file->label, names, fit->n_unmatched > NAMED_LAYERS ? "; ..." : ".");
  job->note (job->data, note);
}

void
adapter_set_report (const AdapterSet *set, const PipelineJob *job)
{
  /* on both of two experts the same layers are missing */
  for (int i = 0; job->note && i < set->n_fits; i++)
    if (set->fits[i].n_unmatched && (i == 0 || set->fit_of[i] != set->fit_of[i - 1]))
      report_one (&set->fits[i], job);
}

uint64_t
adapters_digest (uint64_t d, const AdapterSet *set, const PipelineAdapter *adapters, int n_adapters)
{
  if (!set)
    return d;
  d = digest_int (digest_int (d, n_adapters), (int64_t) set->digest);
  for (int i = 0; i < n_adapters; i++)
    {
      const PipelineAdapter *a = &adapters[i];
      d = digest_real (digest_real (d, a->weight), a->text_weight);
      d = digest_int (digest_int (d, a->first_step), a->last_step);
      d = a->has_blocks ? digest_bytes (d, a->blocks, sizeof a->blocks) : digest_int (d, 0);
      d = digest_bytes (digest_int (d, a->n_points), a->points,
                        (size_t) a->n_points * sizeof *a->points);
    }
  return d;
}

int64_t
adapter_set_bytes (const AdapterSet *set)
{
  return adapter_stack_side_bytes (set->stack) + adapter_stack_merged_bytes (set->stack);
}
