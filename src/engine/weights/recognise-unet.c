/* SPDX-License-Identifier: MPL-2.0
 * recognise-unet.c - a U-Net's configuration, or that of a ControlNet's copy of its way down.
 */
#include <stdio.h>
#include <string.h>

#include "weights/recognise-private.h"

enum
{
  SD15_CONTEXT = 768,
  SD15_HEADS = 8,
  SD2_CONTEXT = 1024,
  HEAD_WIDTH = 64, /* of SD 2 and SDXL */
  REFINER_ADM = 2560,
  N_SIZE_EMBEDDINGS = 6, /* original size, crop, target size */
  ADM_TIME_DIM = 256,
  PIX2PIX_CHANNELS = 8
};

static int
count_transformers (const WeightSet *set, const char *attention)
{
  int n = 0;
  while (n < DEPTH_LIMIT &&
         find_weight (set, "%s.transformer_blocks.%d.norm1.weight", attention, n))
    n++;
  return n;
}

/* Depth common to all @n_blocks of a level; -1 when they differ. */
static int
level_depth (const WeightSet *set, const char *way, int level, int n_blocks)
{
  int depth = 0;
  for (int j = 0; j < n_blocks; j++)
    {
      char name[64];
      snprintf (name, sizeof name, "%s.%d.attentions.%d", way, level, j);
      int d = count_transformers (set, name);
      if (j && d != depth)
        return -1;
      depth = d;
    }
  return depth;
}

int
count_resnets (const WeightSet *set, const char *way, int level)
{
  int n = 0;
  while (n < DEPTH_LIMIT && find_weight (set, "%s.%d.resnets.%d.conv1.weight", way, level, n))
    n++;
  return n;
}

/* @net: "unet" or "control" */
static bool
read_way_down (
    UnetConfig *u, const WeightSet *set, const char *net, const char *label, Status *status)
{
  char way[32];
  snprintf (way, sizeof way, "%s.down_blocks", net);
  for (int i = 0; (u->res_blocks[i] = count_resnets (set, way, i)); i++)
    {
      u->channels[i] = weight_dim (find_weight (set, "%s.%d.resnets.0.conv1.weight", way, i), 0);
      u->depth_down[i] = level_depth (set, way, i, u->res_blocks[i]);
      u->n_levels = i + 1;
      if (!u->channels[i])
        return damaged (status, label, "level %d of its UNet has no channels", i);
      if (i + 1 == MAX_LEVELS)
        break;
    }
  return u->n_levels || damaged (status, label, "its UNet has no blocks");
}

static bool
read_way_up (UnetConfig *u, const WeightSet *set, const char *label, Status *status)
{
  for (int i = 0; i < u->n_levels; i++)
    {
      int n = count_resnets (set, "unet.up_blocks", i);
      u->depth_up[i] = level_depth (set, "unet.up_blocks", i, n);
      if (n != u->res_blocks[u->n_levels - 1 - i] + 1)
        return damaged (status, label, "level %d of its UNet's way up has %d blocks", i, n);
    }
  return true;
}

static bool
check_depths (const UnetConfig *u, const char *label, Status *status)
{
  for (int i = 0; i < u->n_levels; i++)
    if (u->depth_up[i] < 0 || u->depth_down[i] < 0)
      return status_fail (status, STATUS_UNSUPPORTED,
                          "\"%.100s\" is a pruned SDXL relative (SSD-1B kind) whose blocks differ "
                          "within a level; this version cannot run it.",
                          label);
  return true;
}

static int
middle_depth (const WeightSet *set, const char *net)
{
  char attention[64];
  if (!find_weight (set, "%s.mid_block.resnets.0.conv1.weight", net))
    return -2;
  snprintf (attention, sizeof attention, "%s.mid_block.attentions.0", net);
  int depth = count_transformers (set, attention);
  return depth ? depth : -1;
}

static const Weight *
find_context (const WeightSet *set, const char *net, const UnetConfig *u)
{
  static const char tail[] = "attentions.0.transformer_blocks.0.attn2.to_k.weight";
  const Weight *w = find_weight (set, "%s.mid_block.%s", net, tail);
  for (int i = 0; !w && i < u->n_levels; i++)
    w = find_weight (set, "%s.down_blocks.%d.%s", net, i, tail);
  return w;
}

static bool
has_linear_projection (const WeightSet *set, const char *net, const UnetConfig *u)
{
  const Weight *w = find_weight (set, "%s.mid_block.attentions.0.proj_in.weight", net);
  for (int i = 0; !w && i < u->n_levels; i++)
    w = find_weight (set, "%s.down_blocks.%d.attentions.0.proj_in.weight", net, i);
  /* Some converters flatten SD 1.5's convolutions; the two are the same operation. */
  return w && w->rank == 2;
}

static void
guess_heads (UnetConfig *u)
{
  for (int i = 0; i < u->n_levels; i++)
    if (u->context_dim == SD15_CONTEXT && !u->adm_dim)
      u->heads[i] = SD15_HEADS;
    else
      u->heads[i] = u->channels[i] >= HEAD_WIDTH ? u->channels[i] / HEAD_WIDTH : 1;
}

/* All but what comes out of it: the way down, the middle, and what enters. */
static bool
read_encoder (UnetConfig *u,
              const WeightSet *set,
              const char *net,
              int projection_dim,
              const char *label,
              Status *status)
{
  u->in_channels = weight_dim (find_weight (set, "%s.conv_in.weight", net), 1);
  u->time_dim = weight_dim (find_weight (set, "%s.time_embedding.linear_1.weight", net), 0);
  if (!u->in_channels || !u->time_dim)
    return damaged (status, label, "its UNet lacks its first or last layer");
  if (!read_way_down (u, set, net, label, status))
    return false;
  u->depth_mid = middle_depth (set, net);
  u->context_dim = weight_dim (find_context (set, net, u), 1);
  u->linear_projection = has_linear_projection (set, net, u);
  u->norm_groups = norm_groups (u->channels[0]);
  u->adm_dim = weight_dim (find_weight (set, "%s.add_embedding.linear_1.weight", net), 1);
  int rest = u->adm_dim - projection_dim;
  if (u->adm_dim)
    u->adm_time_dim = projection_dim && rest > 0 && rest % N_SIZE_EMBEDDINGS == 0
                          ? rest / N_SIZE_EMBEDDINGS
                          : ADM_TIME_DIM;
  guess_heads (u);
  return true;
}

static bool
read_unet (
    UnetConfig *u, const WeightSet *set, int projection_dim, const char *label, Status *status)
{
  u->out_channels = weight_dim (find_weight (set, "unet.conv_out.weight"), 0);
  if (!u->out_channels)
    return damaged (status, label, "its UNet lacks its first or last layer");
  return read_encoder (u, set, "unet", projection_dim, label, status) &&
         read_way_up (u, set, label, status) && check_depths (u, label, status);
}

bool
refuse_relative (const char *label, const char *what, Status *status)
{
  return status_fail (status, STATUS_UNSUPPORTED,
                      "\"%.100s\" is %s, which this version cannot run; choose an SD 1.5, SDXL "
                      "or FLUX.1 checkpoint.",
                      label, what);
}

static bool
refuse_unet_relatives (const UnetConfig *u, const WeightSet *set, const char *label, Status *status)
{
  if (u->adm_dim == REFINER_ADM)
    return refuse_relative (label, "the SDXL refiner", status);
  if (find_weight (set, "unet.class_embedding.linear_1.weight"))
    return refuse_relative (label, "an SD 2 unCLIP model", status);
  if (!u->adm_dim && u->context_dim == SD2_CONTEXT)
    return refuse_relative (label, "an SD 2 model", status);
  if (u->in_channels == PIX2PIX_CHANNELS)
    return refuse_relative (label, "an InstructPix2Pix model", status);
  if (find_weight (set, "unet.time_embedding.cond_proj.weight"))
    return refuse_relative (label, "a latent consistency model with embedded guidance", status);
  return true;
}

bool
recognise_unet (
    UnetConfig *u, const WeightSet *set, int projection_dim, const char *label, Status *status)
{
  return read_unet (u, set, projection_dim, label, status) &&
         refuse_unet_relatives (u, set, label, status);
}

/* ---- ControlNet ---- */

/* The hint's own convolutions: conv_in, a pair for each halving, conv_out. */
static bool
read_hint (ControlConfig *c, const WeightSet *set, const char *label, Status *status)
{
  static const char hint[] = "control.controlnet_cond_embedding";
  const Weight *w = find_weight (set, "%s.conv_in.weight", hint);
  c->hint_in = weight_dim (w, 1);
  while (w && c->n_hints < CONTROL_MAX_HINTS)
    {
      c->hints[c->n_hints++] = weight_dim (w, 0);
      w = find_weight (set, "%s.blocks.%d.weight", hint, 2 * c->n_hints - 1);
    }
  return (c->hint_in && c->n_hints > 1 && !w) ||
         damaged (status, label, "the layers that its picture enters through are incomplete");
}

bool
recognise_control (ControlConfig *c, const WeightSet *set, const char *label, Status *status)
{
  UnetConfig *u = &c->unet;
  if (find_weight (set, "control.control_add_embedding.linear_1.weight"))
    return status_fail (status, STATUS_UNSUPPORTED,
                        "\"%.100s\" is a ControlNet Union, which comes in a later version; choose "
                        "a ControlNet for one kind of picture.",
                        label);
  if (label_says (label, "shuffle"))
    return status_fail (
        status, STATUS_UNSUPPORTED,
        "\"%.100s\" is a ControlNet Shuffle, which comes in a later version; choose "
        "a ControlNet of another kind.",
        label);
  if (!read_encoder (u, set, "control", 0, label, status) || !read_hint (c, set, label, status))
    return false;
  if (!u->adm_dim && u->context_dim == SD2_CONTEXT)
    return status_fail (
        status, STATUS_UNSUPPORTED,
        "\"%.100s\" is a ControlNet for SD 2, which this version cannot run; choose "
        "one for SD 1.5 or SDXL.",
        label);
  if (u->depth_mid < 1 || !u->context_dim)
    return status_fail (
        status, STATUS_UNSUPPORTED,
        "\"%.100s\" is a small ControlNet that does not read the prompt, which this "
        "version cannot run; choose a whole one.",
        label);
  return check_depths (u, label, status);
}
