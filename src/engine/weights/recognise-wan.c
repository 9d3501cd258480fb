/* SPDX-License-Identifier: MPL-2.0
 * recognise-wan.c - Wan's transformers, from their weights' shapes and their files' names.
 */
#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "weights/recognise-private.h"

enum
{
  PATCH_AREA = WAN_PATCH * WAN_PATCH,
  USUAL_HEAD_DIM = 128,
  AXIS_PARTS = 6,       /* of a head's columns row and column take two in six each, time the rest */
  I2V_MASK_CHANNELS = 4 /* between noise and known frames */
};

static void
set_axes (WanConfig *c)
{
  c->axes[1] = c->axes[2] = c->head_dim / AXIS_PARTS * 2;
  c->axes[0] = c->head_dim - c->axes[1] - c->axes[2];
}

/* Heads are no part of any shape: 128 columns each in every model that was published. */
bool
wan_set_heads (WanConfig *c, int n_heads)
{
  if (n_heads < 1 || c->dim % n_heads != 0 || c->dim / n_heads % 2 != 0)
    return false;
  c->n_heads = n_heads;
  c->head_dim = c->dim / n_heads;
  set_axes (c);
  return true;
}

static bool
find_variant (WanConfig *c, const char *label, Status *status)
{
  if (c->in_channels == c->out_channels)
    c->variant = c->out_channels > WAN_A14B_CHANNELS ? WAN_TI2V : WAN_T2V;
  else if (c->in_channels == 2 * c->out_channels + I2V_MASK_CHANNELS)
    c->variant = WAN_I2V;
  else
    return status_fail (status, STATUS_UNSUPPORTED,
                        "\"%.100s\" is a Wan relative that reads %d channels (Fun-Control, camera "
                        "control and their kind), which this version cannot run; choose a T2V, I2V "
                        "or TI2V model.",
                        label, c->in_channels);
  return true;
}

bool
recognise_wan (
    WanConfig *c, const WeightSet *set, const char *name, const char *label, Status *status)
{
#define FIND(tail) find_weight (set, "%s." tail, name)
  char blocks[64];
  snprintf (blocks, sizeof blocks, "%s.blocks", name);
  const Weight *patch = FIND ("patch_embedding.weight");
  const Weight *positions = FIND ("condition_embedder.image_embedder.pos_embed");
  c->dim = weight_dim (patch, 0);
  c->in_channels = weight_dim (patch, 1) / PATCH_AREA;
  c->out_channels = weight_dim (FIND ("proj_out.weight"), 0) / PATCH_AREA;
  c->n_layers = count_blocks (set, blocks, "attn1.to_q.weight");
  c->mlp_dim = weight_dim (FIND ("blocks.0.ffn.net.0.proj.weight"), 0);
  c->text_dim = weight_dim (FIND ("condition_embedder.text_embedder.linear_1.weight"), 1);
  c->time_dim = weight_dim (FIND ("condition_embedder.time_embedder.linear_1.weight"), 1);
  c->image_dim = weight_dim (FIND ("condition_embedder.image_embedder.norm1.weight"), 0);
  if (c->image_dim > 0 && positions)
    c->image_positions = weight_dim (positions, 1) / c->image_dim;
  int n_heads = c->dim >= USUAL_HEAD_DIM ? c->dim / USUAL_HEAD_DIM : 1;
  if (!c->dim || !c->in_channels || !c->out_channels || !c->n_layers || !c->mlp_dim ||
      !c->text_dim || !c->time_dim || !wan_set_heads (c, n_heads))
    return damaged (status, label, "its Wan transformer lacks layers");
  return find_variant (c, label, status);
}

/* ---- which of two experts ---- */

typedef struct
{
  bool high, low;
} Marks;

/* Words of @text: split at what is no letter and where small letters turn to capitals. */
static void
mark_words (Marks *m, const char *text)
{
  static const char *const others[] = { "vram", "cfg", "res", "angle", "quality", "memory" };
  char word[32], next[32];
  bool was_high = false, was_low = false;
  for (const char *p = text; *p;)
    {
      size_t n = 0;
      while (*p && !isalpha ((unsigned char) *p))
        p++;
      const char *start = p;
      while (isalpha ((unsigned char) *p) &&
             !(p > start && isupper ((unsigned char) *p) && islower ((unsigned char) p[-1])))
        p++;
      for (const char *q = start; q < p && n + 1 < sizeof word; q++)
        word[n++] = (char) tolower ((unsigned char) *q);
      word[n] = '\0';
      memcpy (next, word, sizeof next);
      for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        if (strcmp (next, others[i]) == 0)
          was_high = was_low = false;
      m->high |= was_high;
      m->low |= was_low;
      was_high = strcmp (word, "high") == 0;
      was_low = strcmp (word, "low") == 0;
      m->high |= strcmp (word, "highnoise") == 0;
      m->low |= strcmp (word, "lownoise") == 0;
    }
  m->high |= was_high;
  m->low |= was_low;
}

WanExpert
wan_expert_of (const char *name)
{
  Marks m = { false, false };
  mark_words (&m, name);
  if (m.high == m.low)
    return WAN_EXPERT_UNKNOWN;
  return m.high ? WAN_EXPERT_HIGH : WAN_EXPERT_LOW;
}
