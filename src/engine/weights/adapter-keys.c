/* SPDX-License-Identifier: MPL-2.0
 * adapter-keys.c - what the end of a tensor's name says, for every trainer's habits.
 *
 * Source of the correspondences: the files that kohya's scripts, LyCORIS, PEFT, diffusers, XLabs
 * and OneTrainer write.
 */
#include <stdio.h>
#include <string.h>

#include "weights/adapter.h"

typedef struct
{
  const char *tail;
  AdapterRole role;
  const char *mark; /* stays with the layer's name */
} TailRow;

/* A tail that ends in another one stands in front of it. */
static const TailRow tails[] = {
  { ".lora_up.weight", ROLE_UP },
  { ".lora_down.weight", ROLE_DOWN },
  { ".lora_mid.weight", ROLE_MID },
  { ".lora_B.weight", ROLE_UP },
  { ".lora_A.weight", ROLE_DOWN },
  { ".lora_B.bias", ROLE_UP_BIAS },
  { ".lora_B", ROLE_UP },
  { ".lora_A", ROLE_DOWN },
  { ".lora_linear_layer.up.weight", ROLE_UP },
  { ".lora_linear_layer.down.weight", ROLE_DOWN },
  { ".lora.up.weight", ROLE_UP },
  { ".lora.down.weight", ROLE_DOWN },
  { "_lora.up.weight", ROLE_UP },
  { "_lora.down.weight", ROLE_DOWN },
  { "_lora1.up.weight", ROLE_UP, "1" },
  { "_lora1.down.weight", ROLE_DOWN, "1" },
  { "_lora2.up.weight", ROLE_UP, "2" },
  { "_lora2.down.weight", ROLE_DOWN, "2" },
  { ".alpha", ROLE_ALPHA },
  { ".scalar", ROLE_SCALAR },
  { ".dora_scale", ROLE_DORA_SCALE },
  { ".lora_magnitude_vector.weight", ROLE_DORA_SCALE },
  { ".lora_magnitude_vector", ROLE_DORA_SCALE },
  { ".reshape_weight", ROLE_RESHAPE },
  { ".diff", ROLE_DIFF },
  { ".diff_m", ROLE_DIFF, ".modulation" }, /* of Wan's blocks and head: a table of its own */
  { ".diff_b", ROLE_DIFF_BIAS },
  { ".set_weight", ROLE_SET },
  { "_norm.scale", ROLE_SET, "_norm" }, /* the control LoRAs of FLUX hold whole norms */
  { ".w_norm", ROLE_NORM_WEIGHT },
  { ".b_norm", ROLE_NORM_BIAS },
  { ".hada_w1_a", ROLE_HADA_W1_A },
  { ".hada_w1_b", ROLE_HADA_W1_B },
  { ".hada_w2_a", ROLE_HADA_W2_A },
  { ".hada_w2_b", ROLE_HADA_W2_B },
  { ".hada_t1", ROLE_HADA_T1 },
  { ".hada_t2", ROLE_HADA_T2 },
  { ".lokr_w1", ROLE_LOKR_W1 },
  { ".lokr_w1_a", ROLE_LOKR_W1_A },
  { ".lokr_w1_b", ROLE_LOKR_W1_B },
  { ".lokr_w2", ROLE_LOKR_W2 },
  { ".lokr_w2_a", ROLE_LOKR_W2_A },
  { ".lokr_w2_b", ROLE_LOKR_W2_B },
  { ".lokr_t2", ROLE_LOKR_T2 },
  { ".a1.weight", ROLE_A1 },
  { ".a2.weight", ROLE_A2 },
  { ".b1.weight", ROLE_B1 },
  { ".b2.weight", ROLE_B2 },
  { ".bm.weight", ROLE_BM },
  { ".oft_blocks", ROLE_OFT_BLOCKS },
  { ".boft_blocks", ROLE_OFT_BLOCKS },
  { ".rescale", ROLE_RESCALE },
  { ".on_input", ROLE_ON_INPUT },
};

/* PEFT may name the adapter inside of a key; the common name says nothing. */
static void
drop_default (char *key)
{
  static const char word[] = ".default";
  char *p = strstr (key, word);
  size_t n = sizeof word - 1;
  if (p && (p[n] == '.' || p[n] == '\0'))
    memmove (p, p + n, strlen (p + n) + 1);
}

AdapterRole
adapter_role (const char *key, char *layer, size_t layer_size)
{
  int n_key = snprintf (layer, layer_size, "%s", key);
  if (n_key < 0 || (size_t) n_key + 1 >= layer_size)
    return ROLE_COUNT;
  drop_default (layer);
  size_t n = strlen (layer);
  for (size_t i = 0; i < sizeof tails / sizeof *tails; i++)
    {
      size_t m = strlen (tails[i].tail);
      if (n <= m || strcmp (layer + n - m, tails[i].tail) != 0)
        continue;
      const char *mark = tails[i].mark ? tails[i].mark : "";
      if (n - m + strlen (mark) >= layer_size)
        return ROLE_COUNT;
      strcpy (layer + n - m, mark);
      return tails[i].role;
    }
  return ROLE_COUNT;
}

const char *
adapter_kind_name (AdapterKind kind)
{
  static const char *const names[ADAPTER_KIND_COUNT] = {
    [ADAPTER_LORA] = "LoRA",       [ADAPTER_LOHA] = "LoHa",
    [ADAPTER_LOKR] = "LoKr",       [ADAPTER_GLORA] = "GLoRA",
    [ADAPTER_OFT] = "OFT",         [ADAPTER_BOFT] = "BOFT",
    [ADAPTER_IA3] = "IA3",         [ADAPTER_DIFF] = "full difference",
    [ADAPTER_SET] = "replacement", [ADAPTER_NONE] = "nothing",
  };
  return names[kind];
}

const char *
adapter_base_name (AdapterBase base)
{
  static const char *const names[] = {
    [BASE_UNKNOWN] = "unknown",     [BASE_SD15] = "SD 1.5", [BASE_SD2] = "SD 2",
    [BASE_SDXL] = "SDXL",           [BASE_FLUX] = "FLUX.1", [BASE_WAN] = "Wan",
    [BASE_OTHER] = "another model",
  };
  return names[base];
}
