/* SPDX-License-Identifier: MPL-2.0
 * refuse.c - tables of decisive keys of files that are something else.
 *
 * Order matters: an adapter's keys contain its base model's, and an all-in-one file holds encoders.
 */
#include "weights/refuse.h"

#include <string.h>

typedef enum
{
  WHOLE, /* the key itself */
  HEAD,  /* the key begins with it */
  TAIL,  /* the key ends with it */
  PART   /* anywhere */
} KeyMatch;

typedef struct
{
  KeyMatch match;
  const char *key;
  const char *what;
} KeyRow;

static const char lora[] =
    STATUS_MARK ("a LoRA or another adapter; it changes a model but is none itself: open a "
                 "checkpoint first");
static const char lllite[] =
    STATUS_MARK ("a ControlNet-LLLite, which comes in a later version; choose a whole ControlNet");
static const char control_lora[] =
    STATUS_MARK ("a Control-LoRA, which comes in a later version; choose a whole ControlNet");
static const char flux_control[] =
    STATUS_MARK ("a ControlNet for FLUX.1 or another transformer, which comes in a later version; "
                 "those for SD 1.5 and SDXL can be used, and FLUX.1 Canny and Depth");
static const char t2i_adapter[] =
    STATUS_MARK ("a T2I adapter, which comes in a later version; choose a ControlNet");
static const char difference[] =
    STATUS_MARK ("a ControlNet stored as a difference to its base model, which comes in a later "
                 "version; choose a whole ControlNet");
static const char ip_adapter[] =
    STATUS_MARK ("an IP-Adapter, not a checkpoint; these come in a later version");
static const char embedding[] =
    STATUS_MARK ("a textual-inversion embedding, not a checkpoint; put it into the folder of "
                 "embeddings and name it in the prompt");
static const char upscaler[] =
    STATUS_MARK ("an upscaler, not a checkpoint; these come in a later version");
static const char flux2[] =
    STATUS_MARK ("a FLUX.2 model, which this version does not know; choose an SD 1.5, SDXL "
                 "or FLUX.1 checkpoint");
static const char chroma[] =
    STATUS_MARK ("a Chroma model, which this version does not know; choose an SD 1.5, SDXL "
                 "or FLUX.1 checkpoint");
static const char hunyuan[] = STATUS_MARK (
    "a HunyuanVideo model, which this version does not know; choose an SD 1.5, SDXL or FLUX.1 "
    "checkpoint");
static const char wan[] =
    STATUS_MARK ("a Wan model with more than words and pictures to follow (VACE, Animate, S2V), "
                 "which comes in a later version; choose a T2V, I2V or TI2V model");
static const char sd3[] =
    STATUS_MARK ("an SD 3 model, which this version does not know; choose an SD 1.5, SDXL "
                 "or FLUX.1 checkpoint");
static const char cascade[] =
    STATUS_MARK ("a Stable Cascade model, which this version does not know; choose an SD 1.5, "
                 "SDXL or FLUX.1 checkpoint");
static const char edm[] =
    STATUS_MARK ("an SDXL model trained with EDM noise levels (Playground 2.5, CosXL), which this "
                 "version cannot sample; choose another SDXL checkpoint");
static const char animate[] =
    STATUS_MARK ("an AnimateDiff motion module, which this version does not know");
static const char language[] = STATUS_MARK (
    "a language model in GGUF form, which no model here uses; choose an SD 1.5, SDXL or FLUX.1 "
    "checkpoint");
static const char vision[] =
    STATUS_MARK ("an image encoder (CLIP vision), not a checkpoint; these come in a later "
                 "version");

static const KeyRow decisive[] = {
  /* adapters */
  { TAIL, "lora_up.weight", lora },
  { TAIL, "lora_down.weight", lora },
  { TAIL, "lora_A.weight", lora },
  { TAIL, "lora_B.weight", lora },
  { TAIL, ".lora_A", lora },
  { TAIL, ".lora_B", lora },
  { TAIL, "lora.up.weight", lora },
  { TAIL, "lora.down.weight", lora },
  { TAIL, "lora_linear_layer.up.weight", lora },
  { TAIL, "lora_A.default.weight", lora },
  { TAIL, "_lora1.down.weight", lora },
  { TAIL, "hada_w1_a", lora },
  { TAIL, "lokr_w1", lora },
  { TAIL, "lokr_w1_a", lora },
  { TAIL, "oft_blocks", lora },
  { TAIL, "oft_diag", lora },
  { TAIL, "dora_scale", lora },
  { TAIL, ".diff", lora },
  { TAIL, ".diff_b", lora },
  { PART, "lllite_", lllite },
  { WHOLE, "lora_controlnet", control_lora },
  { PART, "controlnet_x_embedder.", flux_control },
  { PART, "controlnet_blocks.", flux_control },
  { WHOLE, "difference", difference },
  { HEAD, "adapter.body", t2i_adapter },
  { HEAD, "body.0.in_conv", t2i_adapter },
  { HEAD, "body.0.resnets", t2i_adapter },
  { HEAD, "body.0.block1", t2i_adapter },
  { HEAD, "image_proj.", ip_adapter },
  { HEAD, "ip_adapter.", ip_adapter },
  { PART, "motion_modules.", animate },
  { HEAD, "string_to_param", embedding },
  { WHOLE, "emb_params", embedding },
  /* other families */
  { PART, "double_stream_modulation_img.", flux2 },
  { PART, "distilled_guidance_layer.", chroma },
  { PART, "txt_in.individual_token_refiner.", hunyuan },
  { PART, "joint_blocks.0.", sd3 },
  { PART, "vace_blocks.0.", wan },
  { PART, "face_adapter.", wan },
  { PART, "casual_audio_encoder.", wan },
  { PART, "audio_proj.audio_proj_glob_1.", wan },
  { PART, "control_adapter.conv.", wan },
  { PART, "clf.1.weight", cascade },
  { WHOLE, "edm_mean", edm },
  { WHOLE, "edm_std", edm },
  { HEAD, "edm_vpred.", edm },
};

static const char control_part[] = STATUS_MARK ("a part of a ControlNet, not the whole");

static const KeyRow rest[] = {
  { HEAD, "control_model.", control_part },
  { PART, "input_hint_block", control_part },
  { PART, "zero_convs.", control_part },
  { PART, "controlnet_", control_part },
  { PART, "double_blocks.",
    STATUS_MARK ("a part of a FLUX.1 transformer or of one like it, not the whole") },
  { PART, "transformer_blocks.",
    STATUS_MARK ("a part of a transformer like FLUX.1's, not the whole") },
  { PART, "DenseReluDense",
    STATUS_MARK ("a T5 of another kind than the v1.1 text encoders, or a part of one") },
  { TAIL, "head.modulation", STATUS_MARK ("a part of a Wan transformer, not the whole") },
  { HEAD, "blk.0.", language },
  { HEAD, "vision_model.", vision },
  { HEAD, "visual.", vision },
  { WHOLE, "conv_first.weight", upscaler },
  { WHOLE, "model.0.weight", upscaler },
  { WHOLE, "redux_up.weight",
    STATUS_MARK ("a FLUX.1 Redux adapter, which comes in a later version") },
  { WHOLE, "clip_g", embedding },
  { WHOLE, "clip_l", embedding },
};

static bool
matches (const KeyRow *row, const char *key)
{
  size_t n = strlen (key), m = strlen (row->key);
  switch (row->match)
    {
    case WHOLE:
      return strcmp (key, row->key) == 0;
    case HEAD:
      return strncmp (key, row->key, m) == 0;
    case TAIL:
      return n >= m && strcmp (key + n - m, row->key) == 0;
    case PART:
      return strstr (key, row->key) != NULL;
    }
  return false;
}

static const KeyRow *
find_row (const KeyRow *rows, size_t n, const TensorTable *table)
{
  for (size_t r = 0; r < n; r++)
    for (size_t i = 0; i < table->n_items; i++)
      if (matches (&rows[r], table->items[i].name))
        return &rows[r];
  return NULL;
}

static bool
refuse (const char *label, const char *what, Status *status)
{
  return status_fail (status, STATUS_UNSUPPORTED, "\"%.100s\" is %s.", label, status_text (what));
}

/* A video TAESD sees two frames at once: its blocks take twice the channels that they give. */
static bool
is_video_tiny (const TensorTable *table)
{
  const FileTensor *t = table_find (table, "decoder.3.conv.0.weight");
  return t && t->rank == 4 && t->ne[1] == 2 * t->ne[0];
}

bool
refuse_known (const TensorTable *table, const char *label, Status *status)
{
  const KeyRow *row = find_row (decisive, sizeof decisive / sizeof *decisive, table);
  if (row)
    return refuse (label, row->what, status);
  if (is_video_tiny (table))
    return refuse (
        label, STATUS_MARK ("the tiny decoder of a video model, which comes in a later version"),
        status);
  return true;
}

bool
refuse_rest (const TensorTable *table, const char *label, Status *status)
{
  const KeyRow *row = find_row (rest, sizeof rest / sizeof *rest, table);
  if (row)
    return refuse (label, row->what, status);
  if (table->n_items == 1 && table->items[0].rank == 2)
    return refuse (label, embedding, status);
  return status_fail (
      status, STATUS_UNSUPPORTED,
      "\"%.100s\" is a model of a kind that this version does not know (its first tensor "
      "is \"%.120s\"); choose an SD 1.5, SDXL or FLUX.1 checkpoint.",
      label, table->n_items ? table->items[0].name : "");
}

static const struct
{
  const char *magic;
  size_t size;
  const char *what;
} containers[] = {
  { "version https://git-lfs", 23,
    STATUS_MARK ("only a Git LFS pointer, not the model itself; download the file it "
                 "stands for") },
  { "<!DOCTYPE", 9,
    STATUS_MARK ("a web page, not a model; the download needs a login or another address") },
  { "<!doctype", 9,
    STATUS_MARK ("a web page, not a model; the download needs a login or another address") },
  { "<html", 5,
    STATUS_MARK ("a web page, not a model; the download needs a login or another address") },
  { "\x89PNG", 4, STATUS_MARK ("a picture, not a model") },
  { "\xff\xd8\xff", 3, STATUS_MARK ("a picture, not a model") },
  { "\x1f\x8b", 2,
    STATUS_MARK ("a compressed archive; extract it first and open the model inside") },
  { "7z\xbc\xaf", 4,
    STATUS_MARK ("a compressed archive; extract it first and open the model inside") },
  { "Rar!", 4, STATUS_MARK ("a compressed archive; extract it first and open the model inside") },
  { "\x89HDF", 4, STATUS_MARK ("a Keras model, which this version does not read") },
};

bool
refuse_container (const void *data, size_t size, const char *label, Status *status)
{
  for (size_t i = 0; i < sizeof containers / sizeof *containers; i++)
    if (size >= containers[i].size && memcmp (data, containers[i].magic, containers[i].size) == 0)
      return refuse (label, containers[i].what, status);
  return true;
}
