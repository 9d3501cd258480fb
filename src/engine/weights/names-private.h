/* SPDX-License-Identifier: MPL-2.0
 * names-private.h - the rules between layouts, as names.c applies them.
 */
#pragma once

#include "weights/names.h"

/* A pattern is text with '#' for a number and, at its end, '*' for the rest of the name.  The
 * replacement may use {1} and {2} (the numbers), {-1} (the first less one), {level} and {block}
 * (where the numbered block of a UNet or of Wan's VAE lies), {reversed} (a VAE level counted from
 * the other end), and for tensors that are split {a|b|c}.  The rest goes through the rule's inner
 * table when it has one, else it stays. */
typedef struct NameRule
{
  const char *from, *to;
  const struct NameRule *inner;
  NameAction action;
} NameRule;

/* names-transformers.c, names-vision.c and names-wan.c; each ends with a rule without a pattern. */
extern const NameRule names_flux_bfl[], names_flux_diffusers[];
extern const NameRule names_wan_vae[], names_wan_vae_diffusers[];
extern const NameRule names_wan[], names_wan_diffusers[];
extern const NameRule names_vision_hf[], names_vision_openclip[], names_vision_wan[];
extern const NameRule names_t5_hf[], names_t5_wan[], names_t5_gguf[];
