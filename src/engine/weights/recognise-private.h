/* SPDX-License-Identifier: MPL-2.0
 * recognise-private.h - what the recognisers of single networks share.
 */
#pragma once

#include "weights/recognise.h"

enum
{
  DEPTH_LIMIT = 64
};

const Weight *find_weight (const WeightSet *set, const char *format, ...)
    __attribute__ ((format (printf, 2, 3)));

/* A dimension that fits an int; 0 when there is none. */
int weight_dim (const Weight *w, int i);

/* How many of "HEAD.0.TAIL", "HEAD.1.TAIL", ... there are. */
int count_blocks (const WeightSet *set, const char *head, const char *tail);

/* Res blocks of level @level of @way ("unet.down_blocks"). */
int count_resnets (const WeightSet *set, const char *way, int level);

/* Normalisation groups: 32 everywhere but in toy models, which need a count that divides. */
int norm_groups (int channels);

/* Fails: UNSUPPORTED, saying that the file is @what.  Returns: false */
bool refuse_relative (const char *label, const char *what, Status *status);

/* @word (small letters) anywhere in @label, letters' case aside */
bool label_says (const char *label, const char *word);

/* From shapes.  Fails: FORMAT (layers are missing), UNSUPPORTED (a relative, named) */
bool recognise_unet (
    UnetConfig *u, const WeightSet *set, int projection_dim, const char *label, Status *status);
bool recognise_control (ControlConfig *c, const WeightSet *set, const char *label, Status *status);
bool recognise_flux (FluxConfig *f, const WeightSet *set, const char *label, Status *status);
bool recognise_wan_vae (WanVaeConfig *c, const WeightSet *set, const char *label, Status *status);
bool recognise_wan (
    WanConfig *c, const WeightSet *set, const char *name, const char *label, Status *status);
bool
recognise_vision (ClipVisionConfig *c, const WeightSet *set, const char *label, Status *status);
bool recognise_t5 (T5Config *c, const WeightSet *set, const char *label, Status *status);
