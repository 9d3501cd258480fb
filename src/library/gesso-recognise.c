/* SPDX-License-Identifier: MPL-2.0
 * gesso-recognise.c - kinds by decisive keys; models and their parts by the engine.
 *
 * Order matters: an adapter's keys contain its base model's, and an all-in-one file holds encoders
 * and a VAE.  What can be run is asked of the engine's own recognition.
 */
#include "library/gesso-recognise.h"

#include <glib/gi18n.h>
#include <string.h>

#include "library/gesso-family.h"
#include "library/gesso-header.h"
#include "library/gesso-trigger-words-private.h"
#include "weights/adapter.h"
#include "weights/checkpoint.h"
#include "weights/parts.h"
#include "weights/recognise.h"
#include "weights/refuse.h"

enum
{
  FLUX_VAE_CHANNELS = 16,
  ALIAS_MAX_BYTES = 200,
  WORDS_MAX_BYTES = 1000 /* of what is searched; some authors write an essay */
};

typedef enum
{
  WHOLE,
  HEAD,
  TAIL,
  PART
} Match;

typedef struct
{
  Match match;
  const char *key;
  GessoFileKind kind;
} KeyRow;

static const KeyRow decisive[] = {
  { TAIL, "lora_up.weight", GESSO_FILE_LORA },
  { TAIL, "lora_down.weight", GESSO_FILE_LORA },
  { TAIL, "lora_A.weight", GESSO_FILE_LORA },
  { TAIL, "lora_B.weight", GESSO_FILE_LORA },
  { TAIL, "lora_A.default.weight", GESSO_FILE_LORA },
  { TAIL, ".lora_A", GESSO_FILE_LORA },
  { TAIL, ".lora_B", GESSO_FILE_LORA },
  { TAIL, "lora.up.weight", GESSO_FILE_LORA },
  { TAIL, "lora.down.weight", GESSO_FILE_LORA },
  { TAIL, "lora_linear_layer.up.weight", GESSO_FILE_LORA },
  { TAIL, "_lora1.down.weight", GESSO_FILE_LORA },
  { TAIL, "hada_w1_a", GESSO_FILE_LORA },
  { TAIL, "lokr_w1", GESSO_FILE_LORA },
  { TAIL, "lokr_w1_a", GESSO_FILE_LORA },
  { TAIL, "oft_blocks", GESSO_FILE_LORA },
  { TAIL, "oft_diag", GESSO_FILE_LORA },
  { TAIL, "dora_scale", GESSO_FILE_LORA },
  { TAIL, ".diff", GESSO_FILE_LORA },
  { TAIL, ".diff_b", GESSO_FILE_LORA },
  { PART, "lllite_", GESSO_FILE_CONTROLNET },
  { WHOLE, "lora_controlnet", GESSO_FILE_CONTROLNET },
  { HEAD, "control_model.", GESSO_FILE_CONTROLNET },
  { PART, "controlnet_", GESSO_FILE_CONTROLNET },
  { PART, "input_hint_block", GESSO_FILE_CONTROLNET },
  { PART, "zero_convs.", GESSO_FILE_CONTROLNET },
  { HEAD, "adapter.body", GESSO_FILE_CONTROLNET },
  { HEAD, "body.0.in_conv", GESSO_FILE_CONTROLNET },
  { HEAD, "body.0.resnets", GESSO_FILE_CONTROLNET },
  { HEAD, "body.0.block1", GESSO_FILE_CONTROLNET },
  { HEAD, "image_proj.", GESSO_FILE_UNKNOWN },
  { HEAD, "ip_adapter.", GESSO_FILE_UNKNOWN },
  { HEAD, "string_to_param", GESSO_FILE_EMBEDDING },
  { WHOLE, "emb_params", GESSO_FILE_EMBEDDING },
  { TAIL, "body.0.rdb1.conv1.weight", GESSO_FILE_UPSCALER },
  { WHOLE, "model.1.sub.0.RDB1.conv1.0.weight", GESSO_FILE_UPSCALER },
  { TAIL, "layers.0.residual_group.blocks.0.attn.qkv.weight", GESSO_FILE_UPSCALER },
};

/* Of what the engine cannot run: where people look for it. */
static const KeyRow transformers[] = {
  { PART, "double_blocks.0.", GESSO_FILE_CHECKPOINT },
  { PART, "transformer_blocks.0.attn.norm_q", GESSO_FILE_CHECKPOINT },
  { PART, "joint_blocks.0.", GESSO_FILE_CHECKPOINT },
  { TAIL, "head.modulation", GESSO_FILE_CHECKPOINT },
  { PART, "condition_embedder.time_embedder.", GESSO_FILE_CHECKPOINT },
  { PART, "clf.1.weight", GESSO_FILE_CHECKPOINT },
};

static gboolean
matches (const KeyRow *row, const char *name)
{
  switch (row->match)
    {
    case WHOLE:
      return strcmp (name, row->key) == 0;
    case HEAD:
      return g_str_has_prefix (name, row->key);
    case TAIL:
      return g_str_has_suffix (name, row->key);
    case PART:
      return strstr (name, row->key) != NULL;
    }
  return FALSE;
}

static const KeyRow *
find_row (const KeyRow *rows, guint n_rows, const TensorTable *table)
{
  for (guint r = 0; r < n_rows; r++)
    for (size_t i = 0; i < table->n_items; i++)
      if (matches (&rows[r], table->items[i].name))
        return &rows[r];
  return NULL;
}

/* The number format that holds most bytes. */
static const char *
main_type (const TensorTable *table)
{
  g_autoptr (GHashTable) bytes = g_hash_table_new_full (g_str_hash, g_str_equal, NULL, g_free);
  const char *best = "";
  guint64 most = 0;
  for (size_t i = 0; i < table->n_items; i++)
    {
      const FileTensor *t = &table->items[i];
      guint64 *sum = g_hash_table_lookup (bytes, t->type_name);
      if (!sum)
        {
          sum = g_new0 (guint64, 1);
          g_hash_table_insert (bytes, (gpointer) t->type_name, sum);
        }
      *sum += t->n_bytes;
      if (*sum > most)
        {
          most = *sum;
          best = t->type_name;
        }
    }
  return best;
}

static void
set_text (char **field, const char *text)
{
  g_free (*field);
  *field = g_utf8_make_valid (text, -1);
}

static gboolean
has_parts (const PartList *list, PartKind kind)
{
  for (int i = 0; i < list->n_parts; i++)
    if (list->parts[i].kind == kind)
      return TRUE;
  return FALSE;
}

static gboolean
has_clip (const PartList *list)
{
  return has_parts (list, PART_CLIP_0) || has_parts (list, PART_CLIP_1);
}

/* A model that the engine knows, but whose file does not hold all that a picture needs. */
static void
note_missing_parts (GessoRecognised *out, const ModelConfig *config)
{
  if (config->family == FAMILY_FLUX || config->family == FAMILY_WAN)
    return; /* their encoders and VAE are found beside them */
  if (config->n_clips < (config->family == FAMILY_SDXL ? 2 : 1))
    set_text (&out->problem, _ ("This file holds no complete text encoder: choose a checkpoint "
                                "with everything in one file."));
}

/* What the engine would say to the file, were it opened.  Returns: FALSE and @out's problem */
static gboolean
ask_engine (GessoRecognised *out,
            GessoHeader *h,
            const PartList *list,
            const char *label,
            ModelConfig *config)
{
  Status status = { 0 };
  UnknownList unknown = { 0 };
  const TensorTable *table = &h->source.table;
  gboolean ok = refuse_known (table, label, &status) &&
                (list->n_parts > 0 || refuse_rest (table, label, &status)) &&
                parts_load (h->set, list, table, true, &unknown, label, &status) &&
                recognise_config (config, h->set, label, &status);
  set_text (&out->problem, ok ? "" : status.message);
  return ok;
}

static GessoFileKind
kind_of_parts (const PartList *list, const TensorTable *table, GessoFileKind hint)
{
  if (has_parts (list, PART_UNET) || has_parts (list, PART_FLUX) || has_parts (list, PART_WAN) ||
      find_row (transformers, G_N_ELEMENTS (transformers), table))
    return GESSO_FILE_CHECKPOINT;
  if (has_parts (list, PART_VAE))
    return GESSO_FILE_VAE;
  if (has_parts (list, PART_TINY))
    return GESSO_FILE_TINY_VAE;
  if (has_clip (list) || has_parts (list, PART_T5))
    return GESSO_FILE_TEXT_ENCODER;
  if (has_parts (list, PART_VISION))
    return GESSO_FILE_IMAGE_ENCODER;
  return hint;
}

/* A part alone belongs where it can be told apart: an SD 1.5 VAE has the shapes of SDXL's. */
static const char *
family_of_config (const ModelConfig *config)
{
  if (config->family != FAMILY_UNKNOWN)
    return family_name (config->family);
  if (config->has_wan_vae || config->has_vision || config->t5.has_layer_bias)
    return family_name (FAMILY_WAN);
  if (config->has_t5 || (config->has_vae && config->vae.latent_channels == FLUX_VAE_CHANNELS))
    return family_name (FAMILY_FLUX);
  return "";
}

static void
recognise_networks (GessoRecognised *out, GessoHeader *h, const char *label, GessoFileKind hint)
{
  PartList list;
  ModelConfig config = { 0 };
  const TensorTable *table = &h->source.table;
  parts_find (&list, table, PART_COUNT);
  out->kind = kind_of_parts (&list, table, hint);
  if (list.n_parts == 0 && out->kind == hint && gesso_family_is_embedding (table))
    {
      out->kind = GESSO_FILE_EMBEDDING;
      set_text (&out->family, gesso_family_of_embedding (table));
    }
  else if (!ask_engine (out, h, &list, label, &config))
    set_text (&out->family, gesso_family_of_keys (table));
  else
    {
      set_text (&out->family, family_of_config (&config));
      if (out->kind == GESSO_FILE_CHECKPOINT)
        note_missing_parts (out, &config);
    }
}

static void
note_words (GessoRecognised *out, const TensorTable *table, const char *label)
{
  g_autofree char *words = gesso_trigger_words_of (table, label);
  if (!words)
    return;
  const char *end;
  g_autofree char *cut = g_strndup (words, WORDS_MAX_BYTES);
  g_utf8_validate (cut, -1, &end); /* up to a character that was cut through */
  cut[end - cut] = '\0';
  set_text (&out->words, cut);
}

static void
recognise_lora (GessoRecognised *out, const TensorTable *table, const char *label)
{
  Status status = { 0 };
  const char *family = adapter_made_for (table, label, &status);
  set_text (&out->family, family && *family ? family : gesso_family_of_adapter (table));
  set_text (&out->problem, status.message);
  note_words (out, table, label);
}

/* A kind that only the window's lists know: usable or not is decided by who uses it. */
static void
recognise_decisive (GessoRecognised *out, const KeyRow *row, GessoHeader *h, const char *label)
{
  Status status = { 0 };
  const TensorTable *table = &h->source.table;
  out->kind = row->kind;
  if (row->kind == GESSO_FILE_LORA)
    recognise_lora (out, table, label);
  else if (row->kind == GESSO_FILE_EMBEDDING)
    set_text (&out->family, gesso_family_of_embedding (table));
  else
    set_text (&out->family, gesso_family_of_adapter (table));
  if (row->kind != GESSO_FILE_UNKNOWN)
    return;
  refuse_known (table, label, &status);
  refuse_rest (table, label, &status);
  set_text (&out->problem, status.message);
}

static void
note_alias (GessoRecognised *out, const TensorTable *table)
{
  const char *alias = table_metadata (table, "ss_output_name");
  if (alias && strlen (alias) <= ALIAS_MAX_BYTES)
    set_text (&out->alias, alias);
}

/* Of a file that cannot be read, in a folder that does not say either: where people look for it. */
static GessoFileKind
likely_kind (const char *label, GessoFileKind hint)
{
  static const char *const suffixes[] = { ".safetensors", ".sft", ".ckpt", ".gguf" };
  for (guint i = 0; i < G_N_ELEMENTS (suffixes); i++)
    if (hint == GESSO_FILE_UNKNOWN && g_str_has_suffix (label, suffixes[i]))
      return GESSO_FILE_CHECKPOINT;
  return hint;
}

static void
recognise_file (GessoRecognised *out, const char *path, GessoFileKind hint)
{
  GessoHeader h = { 0 };
  Status status = { 0 };
  g_autofree char *name = g_path_get_basename (path);
  g_autofree char *label = g_filename_display_name (name);
  out->kind = hint;
  if (!gesso_header_read (&h, path, &status))
    {
      out->kind = likely_kind (label, hint);
      set_text (&out->problem, status.message);
    }
  else
    {
      const KeyRow *row = find_row (decisive, G_N_ELEMENTS (decisive), &h.source.table);
      g_autofree char *type = g_ascii_strdown (main_type (&h.source.table), -1);
      g_free (out->format);
      out->format = g_strdup_printf ("%s, %s", h.source.container, type);
      note_alias (out, &h.source.table);
      if (row)
        recognise_decisive (out, row, &h, label);
      else
        recognise_networks (out, &h, label, hint);
    }
  gesso_header_clear (&h);
}

/* A pipeline is read by the engine itself: its config files count. */
static void
recognise_folder (GessoRecognised *out, const char *path)
{
  Status status = { 0 };
  Checkpoint *c = checkpoint_open (path, true, &status);
  out->kind = GESSO_FILE_CHECKPOINT;
  set_text (&out->format, "diffusers");
  if (!c)
    {
      set_text (&out->problem, status.message);
      return;
    }
  set_text (&out->family, c->config.family == FAMILY_UNKNOWN ? "" : family_name (c->config.family));
  if (weights_count (c->weights))
    {
      g_free (out->format);
      out->format =
          g_strdup_printf ("diffusers, %s", dtype_name (weights_at (c->weights, 0)->dtype));
    }
  note_missing_parts (out, &c->config);
  checkpoint_free (c);
}

void
gesso_recognise (GessoRecognised *out, const char *path, GessoFileKind hint)
{
  g_return_if_fail (out != NULL && path != NULL);
  *out = (GessoRecognised){
    .kind = hint,
    .family = g_strdup (""),
    .format = g_strdup (""),
    .alias = g_strdup (""),
    .words = g_strdup (""),
    .problem = g_strdup (""),
  };
  if (g_file_test (path, G_FILE_TEST_IS_DIR))
    recognise_folder (out, path);
  else
    recognise_file (out, path, hint);
}

void
gesso_recognised_clear (GessoRecognised *r)
{
  g_free (r->family);
  g_free (r->format);
  g_free (r->alias);
  g_free (r->words);
  g_free (r->problem);
  memset (r, 0, sizeof *r);
}
