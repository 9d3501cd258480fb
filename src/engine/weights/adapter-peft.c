/* SPDX-License-Identifier: MPL-2.0
 * adapter-peft.c - PEFT's configuration: its files carry no alpha.
 *
 * Source: peft.LoraConfig (lora_alpha, r, use_rslora, alpha_pattern, rank_pattern), which PEFT
 * writes as adapter_config.json and diffusers as the metadata entry "lora_adapter_metadata", there
 * with the network's name and a dot before each key.
 */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "weights/adapter-private.h"
#include "weights/json.h"

enum
{
  PATH_SIZE = 4096
};

typedef struct
{
  struct json_object *config;
  const char *prefix; /* of its keys: "", "unet.", ... */
} Peft;

static struct json_object *
member (const Peft *peft, const char *key)
{
  char name[64];
  snprintf (name, sizeof name, "%s%s", peft->prefix, key);
  return json_object_object_get (peft->config, name);
}

/* The pattern's value for @layer: its key is the layer's name or the end of it. */
static bool
pattern_value (const Peft *peft, const char *pattern, const char *layer, double *value)
{
  struct json_object *rows = member (peft, pattern);
  if (!json_object_is_type (rows, json_type_object))
    return false;
  size_t n = strlen (layer);
  json_object_object_foreach (rows, key, row)
  {
    size_t m = strlen (key);
    bool fits =
        m > 0 && n >= m && strcmp (layer + n - m, key) == 0 && (n == m || layer[n - m - 1] == '.');
    if (fits &&
        (json_object_is_type (row, json_type_int) || json_object_is_type (row, json_type_double)))
      {
        *value = json_object_get_double (row);
        return true;
      }
  }
  return false;
}

static void
apply (const Peft *peft, AdapterModule *m)
{
  struct json_object *alpha_value = member (peft, "lora_alpha");
  double alpha = json_object_get_double (alpha_value), rank = (double) m->rank;
  if (!pattern_value (peft, "alpha_pattern", m->layer, &alpha) && !alpha_value)
    return;
  bool rank_stabilised = json_object_get_boolean (member (peft, "use_rslora"));
  if (!isfinite (alpha) || rank < 1)
    return;
  m->alpha = alpha;
  m->scale *= alpha / (rank_stabilised ? sqrt (rank) : rank);
}

/* @prefix: only the layers under it, "" for all */
static void
apply_all (AdapterFile *a, struct json_object *config, const char *prefix)
{
  Peft peft = { config, prefix };
  for (size_t i = 0; i < a->n_modules; i++)
    {
      AdapterModule *m = &a->modules[i];
      bool is_mine = strncmp (m->layer, prefix, strlen (prefix)) == 0;
      if (is_mine && m->kind != ADAPTER_DIFF && m->rank > 0 && !isfinite (m->alpha))
        apply (&peft, m);
    }
}

static bool
apply_metadata (AdapterFile *a, const char *text, Status *status)
{
  static const char *const prefixes[] = { "unet.", "transformer.", "text_encoder.",
                                          "text_encoder_2." };
  struct json_object *config = json_parse_object (text, strlen (text), a->label, status);
  if (!config)
    return false;
  for (size_t i = 0; i < sizeof prefixes / sizeof *prefixes; i++)
    apply_all (a, config, prefixes[i]);
  json_object_put (config);
  return true;
}

bool
adapter_apply_peft (AdapterFile *a, Status *status)
{
  const char *text = table_metadata (&a->source.table, "lora_adapter_metadata");
  if (text && !apply_metadata (a, text, status))
    return false;
  char path[PATH_SIZE];
  int n_folder = (int) (a->label - a->path);
  if (strncmp (a->label, "adapter_model.", 14) != 0)
    return true;
  Status absent = { 0 };
  snprintf (path, sizeof path, "%.*sadapter_config.json", n_folder, a->path);
  struct json_object *config = json_read_object (path, &absent);
  if (!config) /* without it the scale is 1; one that is there but unreadable is an error */
    return absent.code == STATUS_NOT_FOUND ||
           status_fail (status, absent.code, "%s", absent.message);
  apply_all (a, config, "");
  json_object_put (config);
  return true;
}
