/* SPDX-License-Identifier: MPL-2.0 */
#include "weights/adapter-info.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/mem.h"
#include "weights/json.h"

static const struct
{
  const char *key, *label;
} settings[] = {
  { "modelspec.title", "title" },
  { "modelspec.author", "author" },
  { "modelspec.license", "licence" },
  { "modelspec.date", "date" },
  { "modelspec.description", "description" },
  { "modelspec.usage_hint", "usage" },
  { "ss_output_name", "output name" },
  { "ss_sd_model_name", "trained on" },
  { "ss_training_comment", "comment" },
  { "ss_network_module", "network" },
  { "ss_network_args", "network arguments" },
  { "ss_resolution", "resolution" },
  { "modelspec.resolution", "resolution" },
  { "ss_clip_skip", "CLIP skip" },
  { "modelspec.encoder_layer", "CLIP skip" },
  { "modelspec.prediction_type", "prediction" },
  { "ss_steps", "steps" },
  { "ss_max_train_steps", "steps at most" },
  { "ss_num_epochs", "epochs" },
  { "ss_num_train_images", "images" },
  { "ss_total_batch_size", "batch size" },
  { "ss_learning_rate", "learning rate" },
  { "ss_unet_lr", "learning rate of the network" },
  { "ss_text_encoder_lr", "learning rate of the text encoders" },
  { "ss_optimizer", "optimizer" },
  { "ss_lr_scheduler", "schedule" },
  { "ss_noise_offset", "noise offset" },
  { "ss_min_snr_gamma", "min SNR gamma" },
  { "ss_seed", "seed" },
  { "ss_mixed_precision", "precision" },
  { "training_info", "training" },
  { "software", "software" },
};

static bool
is_said (const char *value)
{
  return value && *value && strcmp (value, "None") != 0;
}

static bool
read_settings (AdapterInfo *info, const TensorTable *table, Status *status)
{
  for (size_t i = 0; i < sizeof settings / sizeof *settings; i++)
    {
      const char *value = table_metadata (table, settings[i].key);
      bool again = info->n_settings &&
                   !strcmp (info->settings[info->n_settings - 1].label, settings[i].label);
      if (!is_said (value) || again)
        continue;
      if (!mem_grow (&info->settings, &info->setting_capacity, info->n_settings + 1,
                     sizeof *info->settings, status))
        return false;
      info->settings[info->n_settings++] = (AdapterSetting){ settings[i].label, value };
    }
  return true;
}

static bool
count_tag (AdapterInfo *info, NameIndex *index, const char *text, int64_t count, Status *status)
{
  while (*text == ' ')
    text++;
  int32_t i = name_index_find (index, text);
  if (*text == '\0' || count <= 0)
    return true;
  if (i >= 0)
    {
      if (__builtin_add_overflow (info->tags[i].count, count, &info->tags[i].count))
        info->tags[i].count = INT64_MAX;
      return true;
    }
  const char *copy = pool_strdup (&info->pool, text, status);
  if (!copy ||
      !mem_grow (&info->tags, &info->tag_capacity, info->n_tags + 1, sizeof *info->tags, status) ||
      !name_index_set (index, copy, (int32_t) info->n_tags, status))
    return false;
  info->tags[info->n_tags++] = (AdapterTag){ copy, count };
  return true;
}

/* {folder: {tag: count}} */
static bool
count_tags (AdapterInfo *info, struct json_object *root, Status *status)
{
  NameIndex index = { 0 };
  bool ok = true;
  json_object_object_foreach (root, folder, tags)
  {
    (void) folder;
    if (!ok || !json_object_is_type (tags, json_type_object))
      continue;
    json_object_object_foreach (tags, text, value)
    {
      int64_t count;
      if (ok && json_get_i64 (value, &count))
        ok = count_tag (info, &index, text, count, status);
    }
  }
  name_index_clear (&index);
  return ok;
}

static int
compare (const void *a, const void *b)
{
  const AdapterTag *x = a, *y = b;
  return x->count != y->count ? (x->count < y->count ? 1 : -1) : strcmp (x->text, y->text);
}

static bool
read_tags (AdapterInfo *info, const TensorTable *table, const char *label, Status *status)
{
  const char *text = table_metadata (table, "ss_tag_frequency");
  Status damaged_text = { 0 };
  struct json_object *root =
      is_said (text) ? json_parse_object (text, strlen (text), label, &damaged_text) : NULL;
  if (!root)
    return damaged_text.code != STATUS_NO_MEMORY || out_of_memory (status);
  bool ok = count_tags (info, root, status);
  json_object_put (root);
  if (ok && info->n_tags)
    qsort (info->tags, info->n_tags, sizeof *info->tags, compare);
  return ok;
}

bool
adapter_info_read (AdapterInfo *info, const TensorTable *table, const char *label, Status *status)
{
  const char *trigger = table_metadata (table, "modelspec.trigger_phrase");
  info->trigger = is_said (trigger) ? trigger : NULL;
  return read_settings (info, table, status) && read_tags (info, table, label, status);
}

void
adapter_info_clear (AdapterInfo *info)
{
  mem_free (info->tags);
  mem_free (info->settings);
  pool_clear (&info->pool);
  *info = (AdapterInfo){ 0 };
}

void
adapter_kinds_text (const AdapterFile *a, char *out, size_t size)
{
  size_t n = 0;
  out[0] = '\0';
  for (int k = 0; k < ADAPTER_KIND_COUNT && n < size; k++)
    if (a->kinds & 1u << k)
      n += (size_t) snprintf (out + n, size - n, "%s%s", n ? ", " : "",
                              adapter_kind_name ((AdapterKind) k));
  if (a->has_dora && n < size)
    n += (size_t) snprintf (out + n, size - n, " with DoRA");
  if (a->has_conv && n < size)
    snprintf (out + n, size - n, ", convolutions too");
}
