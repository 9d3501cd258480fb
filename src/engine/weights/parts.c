/* SPDX-License-Identifier: MPL-2.0
 * parts.c - finds a file's networks by decisive keys and brings their tensors into a WeightSet.
 */
#include "weights/parts.h"

#include <stdio.h>
#include <string.h>

#include "core/blocks.h"
#include "core/mem.h"

typedef struct
{
  PartKind kind;
  const char *prefix;
} PrefixRow;

/* Tried in this order; the empty prefix last: component files.  A ControlNet looks like the U-Net
 * that it is a copy of, and the first of them came with one: it goes first. */
static const PrefixRow prefixes[] = {
  { PART_CONTROL, "control_model." },
  { PART_CONTROL, "" },
  { PART_UNET, "model.diffusion_model." },
  { PART_UNET, "model.model." },
  { PART_UNET, "net." },
  { PART_UNET, "diffusion_model." },
  { PART_UNET, "unet." },
  { PART_UNET, "model." },
  { PART_UNET, "" },
  { PART_VAE, "first_stage_model." },
  { PART_VAE, "vae." },
  { PART_VAE, "" },
  { PART_CLIP_0, "cond_stage_model.transformer." },
  { PART_CLIP_0, "cond_stage_model.model." },
  { PART_CLIP_0, "conditioner.embedders.0.transformer." },
  { PART_CLIP_0, "text_encoders.clip_l.transformer." },
  { PART_CLIP_0, "text_encoders.clip_l." },
  { PART_CLIP_0, "text_encoder." },
  { PART_CLIP_1, "conditioner.embedders.1.model." },
  { PART_CLIP_1, "conditioner.embedders.0.model." },
  { PART_CLIP_1, "text_encoders.clip_g.transformer." },
  { PART_CLIP_1, "text_encoder_2." },
  { PART_TINY, "tiny." },
  { PART_TINY, "" },
  { PART_FLUX, "model.diffusion_model." },
  { PART_FLUX, "diffusion_model." },
  { PART_FLUX, "transformer." },
  { PART_FLUX, "model." },
  { PART_FLUX, "" },
  { PART_WAN, "model.diffusion_model." },
  { PART_WAN, "diffusion_model." },
  { PART_WAN, "transformer." },
  { PART_WAN, "model." },
  { PART_WAN, "" },
  { PART_EXPERT, "model.diffusion_model." },
  { PART_EXPERT, "diffusion_model." },
  { PART_EXPERT, "transformer." },
  { PART_EXPERT, "model." },
  { PART_VISION, "image_encoder." },
  { PART_VISION, "clip_vision." },
  { PART_VISION, "visual." },
  { PART_VISION, "" },
  { PART_T5, "text_encoders.t5xxl.transformer." },
  { PART_T5, "text_encoders.umt5xxl.transformer." },
  { PART_T5, "text_encoders.t5xxl." },
  { PART_T5, "t5." },
  { PART_T5, "" },
};

typedef struct
{
  NameScheme scheme;
  const char *key, *also; /* @also NULL: @key is enough */
} Signature;

static const Signature unet_signatures[] = {
  { NAMES_UNET_LDM, "input_blocks.0.0.weight", NULL },
  { NAMES_UNET_DIFFUSERS, "conv_in.weight", "down_blocks.0.resnets.0.conv1.weight" },
};
static const Signature vae_signatures[] = {
  { NAMES_VAE_LDM, "decoder.conv_in.weight", "decoder.mid.block_1.norm1.weight" },
  { NAMES_VAE_LDM, "encoder.conv_in.weight", "encoder.mid.block_1.norm1.weight" },
  { NAMES_VAE_DIFFUSERS, "decoder.conv_in.weight", "decoder.mid_block.resnets.0.norm1.weight" },
  { NAMES_VAE_DIFFUSERS, "encoder.conv_in.weight", "encoder.mid_block.resnets.0.norm1.weight" },
  { NAMES_WAN_VAE, "decoder.middle.0.residual.0.gamma", NULL },
  { NAMES_WAN_VAE, "encoder.middle.0.residual.0.gamma", NULL },
  { NAMES_WAN_VAE_DIFFUSERS, "decoder.mid_block.resnets.0.norm1.gamma", NULL },
  { NAMES_WAN_VAE_DIFFUSERS, "encoder.mid_block.resnets.0.norm1.gamma", NULL },
};
static const Signature clip_signatures[] = {
  { NAMES_CLIP_HF, "text_model.embeddings.token_embedding.weight", NULL },
  { NAMES_CLIP_HF, "embeddings.token_embedding.weight", NULL },
  { NAMES_CLIP_OPENCLIP, "token_embedding.weight", "positional_embedding" },
};
static const Signature tiny_signatures[] = {
  { NAMES_TINY_DIFFUSERS, "decoder.layers.0.weight", NULL },
  { NAMES_TINY_DIFFUSERS, "encoder.layers.0.weight", NULL },
  { NAMES_TINY_NUMBERED, "taesd_decoder.1.weight", NULL },
  { NAMES_TINY_NUMBERED, "taesd_encoder.0.weight", NULL },
  { NAMES_TINY_NUMBERED, "decoder.1.weight", "decoder.3.conv.0.weight" },
  { NAMES_TINY_NUMBERED, "encoder.0.weight", "encoder.1.conv.0.weight" },
  { NAMES_TINY_FLAT_DECODER, "1.weight", "3.conv.0.weight" },
  { NAMES_TINY_FLAT_ENCODER, "0.weight", "1.conv.0.weight" },
};

static const Signature flux_signatures[] = {
  { NAMES_FLUX_BFL, "img_in.weight", "double_blocks.0.img_attn.norm.key_norm.scale" },
  { NAMES_FLUX_BFL, "img_in.weight", "double_blocks.0.img_attn.norm.key_norm.weight" },
  { NAMES_FLUX_DIFFUSERS, "x_embedder.weight", "transformer_blocks.0.attn.norm_added_k.weight" },
};
static const Signature wan_signatures[] = {
  { NAMES_WAN, "head.modulation", "blocks.0.self_attn.q.weight" },
  { NAMES_WAN_DIFFUSERS, "patch_embedding.weight", "blocks.0.attn1.to_q.weight" },
};
static const Signature vision_signatures[] = {
  { NAMES_VISION_HF, "vision_model.embeddings.class_embedding", NULL },
  { NAMES_VISION_OPENCLIP, "class_embedding", "transformer.resblocks.0.attn.in_proj_weight" },
  { NAMES_VISION_WAN, "cls_embedding", "transformer.0.attn.to_qkv.weight" },
};
static const Signature t5_signatures[] = {
  { NAMES_T5_HF, "encoder.block.0.layer.0.SelfAttention.q.weight", NULL },
  { NAMES_T5_WAN, "token_embedding.weight", "blocks.0.pos_embedding.embedding.weight" },
  { NAMES_T5_GGUF, "token_embd.weight", "enc.blk.0.attn_q.weight" },
};
static const Signature control_signatures[] = {
  { NAMES_CONTROL_LDM, "input_hint_block.0.weight", "zero_convs.0.0.weight" },
  { NAMES_CONTROL_DIFFUSERS, "controlnet_cond_embedding.conv_in.weight",
    "controlnet_down_blocks.0.weight" },
};

#define COUNT(array) (sizeof (array) / sizeof *(array))

static const struct
{
  const Signature *rows;
  size_t n;
  const char *prefix;
} kinds[] = {
  [PART_UNET] = { unet_signatures, COUNT (unet_signatures), "unet." },
  [PART_VAE] = { vae_signatures, COUNT (vae_signatures), "vae." },
  [PART_CLIP_0] = { clip_signatures, COUNT (clip_signatures), "text_encoder." },
  [PART_CLIP_1] = { clip_signatures, COUNT (clip_signatures), "text_encoder_2." },
  [PART_TINY] = { tiny_signatures, COUNT (tiny_signatures), "tiny." },
  [PART_FLUX] = { flux_signatures, COUNT (flux_signatures), "transformer." },
  [PART_WAN] = { wan_signatures, COUNT (wan_signatures), "transformer." },
  [PART_EXPERT] = { wan_signatures, COUNT (wan_signatures), "expert." },
  [PART_VISION] = { vision_signatures, COUNT (vision_signatures), "image_encoder." },
  [PART_T5] = { t5_signatures, COUNT (t5_signatures), "t5." },
  [PART_CONTROL] = { control_signatures, COUNT (control_signatures), "control." },
};

const char *
part_prefix (PartKind kind)
{
  return kinds[kind].prefix;
}

static bool
find_under (PartList *list, const TensorTable *table, PartKind kind, const char *prefix)
{
  for (size_t i = 0; i < kinds[kind].n; i++)
    {
      const Signature *s = &kinds[kind].rows[i];
      if (!table_find_under (table, prefix, s->key) ||
          (s->also && !table_find_under (table, prefix, s->also)))
        continue;
      Part *part = &list->parts[list->n_parts++];
      *part = (Part){ .kind = kind, .scheme = s->scheme, .prefix = prefix };
      names_block_map (&part->map, table, prefix);
      return true;
    }
  return false;
}

/* A text encoder on its own: bigG has 32 layers, CLIP-L 12; both tables are as wide as the model.
 */
static PartKind
bare_clip_kind (const TensorTable *table)
{
  bool is_large = table_find (table, "text_model.encoder.layers.30.mlp.fc1.weight") ||
                  table_find (table, "encoder.layers.30.mlp.fc1.weight") ||
                  table_find (table, "transformer.resblocks.30.mlp.c_fc.weight");
  return is_large ? PART_CLIP_1 : PART_CLIP_0;
}

void
parts_find (PartList *list, const TensorTable *table, PartKind kind)
{
  bool found[PART_COUNT] = { false };
  list->n_parts = 0;
  if (kind != PART_COUNT && find_under (list, table, kind, ""))
    return;
  for (size_t i = 0; i < COUNT (prefixes); i++)
    {
      const PrefixRow *row = &prefixes[i];
      bool wanted = kind == row->kind || (kind == PART_COUNT && row->kind != PART_EXPERT);
      if (!found[row->kind] && wanted)
        found[row->kind] = find_under (list, table, row->kind, row->prefix);
      if (found[PART_CONTROL])
        return;
    }
  bool has_others = list->n_parts > (found[PART_VISION] ? 1 : 0);
  if (kind == PART_COUNT && !has_others) /* both halves of a CLIP may be in one file */
    find_under (list, table, bare_clip_kind (table), "");
}

typedef struct
{
  WeightSet *set;
  bool header_only;
  UnknownList *unknown;
  const char *label;
  Status *status;
} Loader;

static bool
note_unknown (Loader *l, const char *name)
{
  UnknownList *u = l->unknown;
  if (!pool_grow (&l->set->pool, &u->names, &u->capacity, u->n + 1, sizeof *u->names, l->status))
    return false;
  char *copy = pool_strdup (&l->set->pool, name, l->status);
  if (copy)
    u->names[u->n++] = copy;
  return copy != NULL;
}

static bool
add_weight (Loader *l, Weight *w, const char *name)
{
  if (weights_find (l->set, name))
    return note_unknown (l, w->file_name); /* the first of two stays */
  w->name = pool_strdup (&l->set->pool, name, l->status);
  return w->name && weights_add (l->set, w, l->status);
}

static bool
refuse_type (Loader *l, const FileTensor *t)
{
  return status_fail (
      l->status, STATUS_UNSUPPORTED,
      "\"%.100s\" stores \"%.120s\" as %.40s, which is no format for weights that this "
      "version knows; choose the f16, bf16, fp8 or another GGUF form of this model.",
      l->label, t->name, t->type_name);
}

/* f64 is brought to f32; everything else must be a format that operators compute with. */
static bool
convert (Loader *l, const FileTensor *t, Weight *w)
{
  if (!dtype_is_weight (t->dtype) && t->dtype != DTYPE_F64)
    return refuse_type (l, t);
  if (t->dtype != DTYPE_F64)
    return true;
  uint64_t n = t->n_bytes / sizeof (double);
  w->dtype = DTYPE_F32;
  w->data = NULL;
  if (l->header_only || !t->data)
    return true;
  float *copy = pool_alloc (&l->set->pool, n, sizeof *copy, l->status);
  if (copy)
    dtype_to_f32 (copy, t->data, DTYPE_F64, (int64_t) n);
  w->data = copy;
  return copy != NULL;
}

/* Rows @first .. @first + @n - 1, where they lie. */
static Weight
row_range (const Weight *fused, int64_t first, int64_t n)
{
  Weight w = *fused;
  int64_t width = 1;
  for (int d = 1; d < fused->rank; d++)
    width *= fused->ne[d];
  w.ne[0] = n;
  if (w.data)
    weight_set_param (&w, param_from (weight_param (fused), first * width));
  return w;
}

/* "{q|k|v}" in a name: where it is, and how many there are. */
typedef struct
{
  const char *begin, *end; /* the braces */
  int n;
} NameList;

static bool
find_list (NameList *list, const char *pattern)
{
  list->begin = strchr (pattern, '{');
  list->end = list->begin ? strchr (list->begin, '}') : NULL;
  list->n = 1;
  for (const char *p = list->begin; p && p < list->end; p++)
    list->n += *p == '|';
  return list->end != NULL;
}

/* @width: rows of each part but the last; 0: all are alike */
static bool
add_split (Loader *l, const Weight *fused, const char *pattern, int64_t width)
{
  NameList list;
  bool found = find_list (&list, pattern) && fused->rank > 0;
  int64_t rows = found && width == 0 ? fused->ne[0] / list.n : width;
  int64_t last = found ? fused->ne[0] - (list.n - 1) * rows : 0;
  if (rows < 1 || last < 1 || (width == 0 && last != rows))
    return damaged (l->status, l->label, "\"%.120s\" does not hold all that it should",
                    fused->file_name);
  const char *at = list.begin + 1;
  for (int i = 0; i < list.n; i++)
    {
      char name[2 * NAME_SIZE];
      size_t n = strcspn (at, "|}");
      snprintf (name, sizeof name, "%.*s%.*s%s", (int) (list.begin - pattern), pattern, (int) n, at,
                list.end + 1);
      Weight w = row_range (fused, i * rows, i + 1 < list.n ? rows : last);
      if (!add_weight (l, &w, name))
        return false;
      at += n + 1;
    }
  return true;
}

/* (n_in, n_out) to (n_out, n_in), elements of @size bytes. */
static void
transpose_bytes (uint8_t *to, const uint8_t *from, int64_t n_in, int64_t n_out, size_t size)
{
  for (int64_t o = 0; o < n_out; o++)
    for (int64_t i = 0; i < n_in; i++)
      memcpy (to + (size_t) (o * n_in + i) * size, from + (size_t) (i * n_out + o) * size, size);
}

/* The text projection is the one matrix that files store the other way round: few megabytes, so
 * that quantised ones become f32. */
static bool
transpose (Loader *l, Weight *w)
{
  if (w->rank != 2)
    return damaged (l->status, l->label, "\"%.120s\" is not a matrix", w->file_name);
  int64_t n_in = w->ne[0], n_out = w->ne[1], n = n_in * n_out;
  Param from = weight_param (w);
  bool is_plain = dtype_is_real (w->dtype);
  w->ne[0] = n_out;
  w->ne[1] = n_in;
  w->dtype = is_plain ? w->dtype : DTYPE_F32;
  weight_set_param (w, (Param){ .dtype = (int) w->dtype });
  if (l->header_only || !from.data)
    return true;
  size_t size = dtype_size (w->dtype);
  uint8_t *to = pool_alloc (&l->set->pool, (size_t) n, size, l->status);
  float *decoded = is_plain || !to ? NULL : mem_calloc ((size_t) n, sizeof *decoded);
  if (!to || (!is_plain && !decoded))
    return out_of_memory (l->status);
  if (decoded)
    param_to_f32 (decoded, &from, 0, n);
  transpose_bytes (to, decoded ? (const uint8_t *) decoded : from.data, n_in, n_out, size);
  mem_free (decoded);
  w->data = to;
  return true;
}

/* Some GGUF files know four dimensions: the first two of five are one in them. */
static bool
flatten (Loader *l, Weight *w, int64_t width)
{
  int64_t n = 1, rows = w->rank > 0 ? w->ne[0] : 0;
  for (int i = 0; i < w->rank; i++)
    n *= w->ne[i];
  if (width > 0 && rows > width && rows % width == 0)
    rows = width;
  if (rows < 1)
    return damaged (l->status, l->label, "\"%.120s\" has no rows", w->file_name);
  w->rank = 2;
  w->ne[0] = rows;
  w->ne[1] = n / rows;
  return true;
}

static bool
as_rows (Loader *l, Weight *w)
{
  int n_ones = 0;
  while (w->rank - n_ones > 2 && w->ne[n_ones] == 1)
    n_ones++;
  w->rank -= n_ones;
  memmove (w->ne, w->ne + n_ones, (size_t) w->rank * sizeof *w->ne);
  if (w->rank == 1)
    {
      w->ne[1] = w->ne[0];
      w->ne[0] = 1;
      w->rank = 2;
    }
  return w->rank == 2 || damaged (l->status, l->label, "\"%.120s\" is not a matrix", w->file_name);
}

static bool
load_tensor (Loader *l, const FileTensor *t, const NameMatch *match)
{
  Weight w = {
    .file_name = t->name, .dtype = t->dtype, .rank = t->rank, .data = t->data, .quant = t->quant
  };
  uint64_t n;
  if (t->rank > WEIGHT_MAX_RANK || !shape_elements (t->ne, t->rank, &n) || !n)
    return note_unknown (l, t->name);
  memcpy (w.ne, t->ne, (size_t) t->rank * sizeof *w.ne);
  if (!convert (l, t, &w))
    return false;
  switch (match->action)
    {
    case NAME_SPLIT:
      return add_split (l, &w, match->name, 0);
    case NAME_SPLIT_WIDTHS:
      return add_split (l, &w, match->name, match->width);
    case NAME_ALIAS:
      return weights_find (l->set, match->name) || add_weight (l, &w, match->name);
    case NAME_TRANSPOSE:
      return transpose (l, &w) && add_weight (l, &w, match->name);
    case NAME_FLATTEN:
      return flatten (l, &w, match->width) && add_weight (l, &w, match->name);
    case NAME_ROWS:
      return as_rows (l, &w) && add_weight (l, &w, match->name);
    case NAME_SQUEEZE:
      while (w.rank > 2 && w.ne[w.rank - 1] == 1)
        w.rank--;
      return add_weight (l, &w, match->name);
    case NAME_KEEP:
      break;
    }
  return add_weight (l, &w, match->name);
}

static bool
find_match (const PartList *list, const char *name, NameMatch *match)
{
  for (int i = 0; i < list->n_parts; i++)
    {
      const Part *part = &list->parts[i];
      size_t n = strlen (part->prefix);
      NameMatch inner;
      if (strncmp (name, part->prefix, n) != 0 ||
          !names_map (part->scheme, &part->map, name + n, &inner))
        continue;
      const char *prefix = kinds[part->kind].prefix;
      match->action = inner.action;
      match->width = part->map.width;
      if (strlen (prefix) + strlen (inner.name) >= sizeof match->name)
        return false;
      memcpy (match->name, prefix, strlen (prefix));
      memcpy (match->name + strlen (prefix), inner.name, strlen (inner.name) + 1);
      return true;
    }
  return false;
}

bool
parts_load (WeightSet *set,
            const PartList *list,
            const TensorTable *table,
            bool header_only,
            UnknownList *unknown,
            const char *label,
            Status *status)
{
  Loader l = { set, header_only, unknown, label, status };
  /* Copies of tensors come last, so that they are taken only where those are missing. */
  for (int pass = 0; pass < 2; pass++)
    for (size_t i = 0; i < table->n_items; i++)
      {
        const FileTensor *t = &table->items[i];
        NameMatch match = { 0 };
        if (t->is_companion || names_ignorable (t->name))
          continue;
        bool found = find_match (list, t->name, &match);
        if ((found && match.action == NAME_ALIAS) != (pass == 1))
          continue;
        if (!(found ? load_tensor (&l, t, &match) : note_unknown (&l, t->name)))
          return false;
      }
  return true;
}
