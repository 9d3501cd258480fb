/* SPDX-License-Identifier: MPL-2.0
 * inspect-adapter.c - `gesso-cli inspect` of LoRAs and their kin.
 */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "cli/inspect.h"
#include "weights/adapter-fit.h"
#include "weights/adapter-info.h"
#include "weights/checkpoint.h"

enum
{
  TAGS_SHOWN = 12,
  LAYERS_SHOWN = 20,
  VALUE_SHOWN = 200
};

/* An adapter on the model that --model names, when it does. */
typedef struct
{
  AdapterFile *adapter;
  AdapterInfo info;
  Checkpoint *model;
  AdapterMap *map;
  AdapterFit fit;
  bool fits;
  Status misfit;
} Report;

static bool
fit_model (Report *r, const char *model, Status *status)
{
  char path[GESSO_PATH_SIZE];
  if (!model)
    return true;
  if (!model_resolve (model, path, status) || !(r->model = checkpoint_open (path, true, status)) ||
      !(r->map = adapter_map_new (r->model->weights, &r->model->config, status)))
    return false;
  r->fits = adapter_fit_init (&r->fit, r->adapter, r->model->weights, r->map, &r->model->config,
                              &r->misfit);
  return true;
}

static void
print_range (const char *label, double least, double most)
{
  if (isnan (least) || most == 0)
    return;
  if (least == most)
    printf (", %s %g", label, least);
  else
    printf (", %s %g to %g", label, least, most);
}

static void
print_words (const AdapterInfo *info)
{
  if (info->trigger)
    printf ("  trigger words: %s\n", info->trigger);
  if (info->n_tags)
    printf ("  trained on: ");
  for (size_t i = 0; i < info->n_tags && i < TAGS_SHOWN; i++)
    printf ("%s%.60s (%lld)", i ? ", " : "", info->tags[i].text, (long long) info->tags[i].count);
  if (info->n_tags)
    printf ("%s\n", info->n_tags > TAGS_SHOWN ? ", ..." : "");
}

static bool
reads_control (const Report *r)
{
  for (size_t i = 0; i < r->fit.n_modules; i++)
    if (r->fit.modules[i].widens)
      return true;
  return false;
}

static void
print_fit (const Report *r)
{
  if (!r->model)
    return;
  if (!r->fits)
    printf ("  does not go with %s: %s\n", r->model->path, r->misfit.message);
  else
    printf ("  on %s (%s): %zu of %zu layers placed%s\n", r->model->path,
            family_name (r->model->config.family), r->fit.n_modules, r->adapter->n_modules,
            reads_control (r) ? "; it then follows a control picture" : "");
  for (size_t i = 0; i < r->fit.n_unmatched && i < LAYERS_SHOWN; i++)
    printf ("    %s\n", r->fit.unmatched[i]);
  if (r->fit.n_unmatched > LAYERS_SHOWN)
    printf ("    ... and %zu more\n", r->fit.n_unmatched - LAYERS_SHOWN);
}

static void
print_text (const Report *r)
{
  const AdapterFile *a = r->adapter;
  char kinds[200];
  adapter_kinds_text (a, kinds, sizeof kinds);
  printf ("%s\n  adapter for %s, named as %s, %s, %.1f MB\n  %s", a->path, a->base_name, a->naming,
          a->source.container, (double) a->source.file_bytes / 1e6, kinds);
  print_range ("rank", (double) a->rank_min, (double) a->rank_max);
  print_range ("alpha", a->alpha_min, a->alpha_max);
  printf ("; %zu layers%s\n", a->n_modules, a->has_text ? ", text encoders among them" : "");
  if (a->n_strange)
    printf ("  %zu tensors of no known kind, first %s\n", a->n_strange, a->strange[0]);
  print_words (&r->info);
  for (size_t i = 0; i < r->info.n_settings; i++)
    printf ("  %s: %.*s%s\n", r->info.settings[i].label, VALUE_SHOWN, r->info.settings[i].value,
            strlen (r->info.settings[i].value) > VALUE_SHOWN ? "..." : "");
  print_fit (r);
}

static void
print_json_texts (const char *label, char *const *texts, size_t n)
{
  printf (", \"%s\": [", label);
  for (size_t i = 0; i < n; i++)
    {
      printf ("%s", i ? ", " : "");
      json_print_string (texts[i]);
    }
  printf ("]");
}

static void
print_json_fit (const Report *r)
{
  if (!r->model)
    return;
  printf (", \"model\": ");
  json_print_string (r->model->path);
  printf (", \"model_family\": \"%s\", \"fits\": %s, \"layers_placed\": %zu, \"control\": %s",
          family_name (r->model->config.family), r->fits ? "true" : "false", r->fit.n_modules,
          reads_control (r) ? "true" : "false");
  print_json_texts ("unmatched", r->fit.unmatched, r->fit.n_unmatched);
  if (!r->fits)
    {
      printf (", \"reason\": ");
      json_print_string (r->misfit.message);
    }
}

static void
print_json (const Report *r)
{
  const AdapterFile *a = r->adapter;
  char kinds[200];
  adapter_kinds_text (a, kinds, sizeof kinds);
  printf ("{\"path\": ");
  json_print_string (a->path);
  printf (", \"type\": \"adapter\", \"family\": \"%s\", \"naming\": \"%s\", \"container\": \"%s\", "
          "\"bytes\": %lld, \"kinds\": \"%s\", \"rank\": [%lld, %lld]",
          a->base_name, a->naming, a->source.container, (long long) a->source.file_bytes, kinds,
          (long long) a->rank_min, (long long) a->rank_max);
  if (isnan (a->alpha_min))
    printf (", \"alpha\": null");
  else
    printf (", \"alpha\": [%g, %g]", a->alpha_min, a->alpha_max);
  printf (", \"layers\": %zu, \"text_encoders\": %s", a->n_modules, a->has_text ? "true" : "false");
  print_json_texts ("unknown", (char *const *) (const void *) a->strange, a->n_strange);
  printf (", \"trigger\": ");
  json_print_string (r->info.trigger ? r->info.trigger : "");
  printf (", \"tags\": [");
  for (size_t i = 0; i < r->info.n_tags; i++)
    {
      printf ("%s{\"tag\": ", i ? ", " : "");
      json_print_string (r->info.tags[i].text);
      printf (", \"count\": %lld}", (long long) r->info.tags[i].count);
    }
  printf ("], \"settings\": {");
  for (size_t i = 0; i < r->info.n_settings; i++)
    {
      printf ("%s\"%s\": ", i ? ", " : "", r->info.settings[i].label);
      json_print_string (r->info.settings[i].value);
    }
  printf ("}");
  print_json_fit (r);
  printf ("}\n");
}

static void
clear (Report *r)
{
  adapter_fit_clear (&r->fit);
  adapter_info_clear (&r->info);
  adapter_map_free (r->map);
  checkpoint_free (r->model);
  adapter_close (r->adapter);
}

InspectEnd
inspect_adapter (const char *path, const char *model, bool json, Status *status)
{
  Report r = { 0 };
  Status other = { 0 };
  if (!(r.adapter = adapter_open (path, &other)))
    return INSPECT_OTHER;
  bool ok = adapter_info_read (&r.info, &r.adapter->source.table, r.adapter->label, status) &&
            fit_model (&r, model, status);
  if (ok)
    (json ? print_json : print_text) (&r);
  clear (&r);
  return ok ? INSPECT_DONE : INSPECT_FAILED;
}
