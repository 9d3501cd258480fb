/* SPDX-License-Identifier: MPL-2.0
 * adapter.h - a LoRA file or one of its kin, as it lies on disk: which layers it changes and how.
 *
 * An adapter is a list of modules, one a layer it changes.  How a layer is called differs from
 * trainer to trainer; adapter-map.h knows the names a model's layers go by, and adapter-fit.h joins
 * the two.  Nothing here depends on a model.
 */
#pragma once

#include "weights/source.h"

typedef enum
{
  ADAPTER_LORA,  /* up (out, r) down (r, in [, k, k]), also with a Tucker core */
  ADAPTER_LOHA,  /* (w1a w1b) * (w2a w2b), element by element */
  ADAPTER_LOKR,  /* w1 (x) w2, Kronecker */
  ADAPTER_GLORA, /* b1 b2 + W a1 a2 */
  ADAPTER_OFT,   /* rotations of blocks of output rows */
  ADAPTER_BOFT,  /* the same in butterfly stages */
  ADAPTER_IA3,   /* W (1 + w) along one axis */
  ADAPTER_DIFF,  /* the difference itself, of weight, bias or norm */
  ADAPTER_SET,   /* another weight in place of the model's */
  ADAPTER_NONE,  /* companions without what they belong to */
  ADAPTER_KIND_COUNT
} AdapterKind;

/* What a tensor of a module is. */
typedef enum
{
  ROLE_UP,
  ROLE_DOWN,
  ROLE_MID,
  ROLE_UP_BIAS,
  ROLE_ALPHA,
  ROLE_SCALAR,
  ROLE_DORA_SCALE,
  ROLE_RESHAPE,
  ROLE_DIFF,
  ROLE_DIFF_BIAS,
  ROLE_SET,
  ROLE_NORM_WEIGHT,
  ROLE_NORM_BIAS,
  ROLE_HADA_W1_A,
  ROLE_HADA_W1_B,
  ROLE_HADA_W2_A,
  ROLE_HADA_W2_B,
  ROLE_HADA_T1,
  ROLE_HADA_T2,
  ROLE_LOKR_W1,
  ROLE_LOKR_W1_A,
  ROLE_LOKR_W1_B,
  ROLE_LOKR_W2,
  ROLE_LOKR_W2_A,
  ROLE_LOKR_W2_B,
  ROLE_LOKR_T2,
  ROLE_A1,
  ROLE_A2,
  ROLE_B1,
  ROLE_B2,
  ROLE_BM,
  ROLE_OFT_BLOCKS,
  ROLE_RESCALE,
  ROLE_IA3_WEIGHT,
  ROLE_ON_INPUT,
  ROLE_COUNT
} AdapterRole;

typedef struct
{
  const char *layer; /* as the file calls it */
  const FileTensor *tensors[ROLE_COUNT];
  AdapterKind kind;
  int64_t rank;      /* 0 where there is none */
  double alpha;      /* NAN: not said */
  double scale;      /* alpha / rank or what stands for it; 1 where nothing is said */
  bool is_low_rank;  /* runs beside the layer; others change a copy of its weight */
  bool reads_weight; /* the result depends on the weight as it is by then */
} AdapterModule;

/* The model an adapter was made for. */
typedef enum
{
  BASE_UNKNOWN,
  BASE_SD15,
  BASE_SD2,
  BASE_SDXL,
  BASE_FLUX,
  BASE_WAN,
  BASE_OTHER /* recognised, but no model that Gesso runs */
} AdapterBase;

typedef struct
{
  char *path;
  const char *label; /* the last part of the path */
  WeightSet *set;    /* the mapped file */
  Source source;
  AdapterModule *modules;
  size_t n_modules, module_capacity;
  const char **strange; /* tensors that are no part of any adapter that we know */
  size_t n_strange, strange_capacity;
  AdapterBase base;
  bool base_is_certain;  /* read from shapes and names of tensors, not from metadata */
  const char *base_name; /* "SDXL"; for BASE_OTHER which one */
  const char *naming;    /* "kohya", "PEFT", ... */
  int64_t rank_min, rank_max;
  double alpha_min, alpha_max; /* NAN when no module says */
  unsigned kinds;              /* bit 1 << AdapterKind */
  bool has_dora, has_conv, has_text, has_unet;
} AdapterFile;

/* adapter_open:
 * @path: safetensors or a torch pickle; or a folder of PEFT's
 *
 * Maps the file and sorts its tensors.  PEFT's adapter_config.json beside it, or the same inside
 * its metadata, gives the scale where the file has no alpha.
 *
 * Fails: NOT_FOUND, IO, FORMAT (damaged), UNSUPPORTED (no adapter, or one of a kind unknown: named)
 */
AdapterFile *adapter_open (const char *path, Status *status);
void adapter_close (AdapterFile *adapter);

/* adapter_made_for:
 * @table: of an adapter's header; values may be absent
 * @label: the file's name, for messages
 *
 * Returns: the model's name, "SDXL", "Qwen-Image", static; "" where neither tensors nor metadata
 * tell; NULL and @status for what adapter_open would refuse by its names
 */
const char *adapter_made_for (const TensorTable *table, const char *label, Status *status);

/* adapter_role:
 * @key: a tensor's name
 * @layer: receives the part that names the layer
 *
 * Returns: ROLE_COUNT when @key is of no adapter
 */
AdapterRole adapter_role (const char *key, char *layer, size_t layer_size);

const char *adapter_kind_name (AdapterKind kind); /* "LoRA", "LoHa", ... */
const char *adapter_base_name (AdapterBase base); /* "SD 1.5", ... */
