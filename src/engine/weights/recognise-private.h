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

/* @word (small letters) anywhere in @label, letters' case aside */
bool label_says (const char *label, const char *word);

/* From shapes.  Fails: FORMAT (layers are missing), UNSUPPORTED (a relative, named) */
bool recognise_flux (FluxConfig *f, const WeightSet *set, const char *label, Status *status);
bool recognise_wan_vae (WanVaeConfig *c, const WeightSet *set, const char *label, Status *status);
bool recognise_wan (
    WanConfig *c, const WeightSet *set, const char *name, const char *label, Status *status);
bool
recognise_vision (ClipVisionConfig *c, const WeightSet *set, const char *label, Status *status);
bool recognise_t5 (T5Config *c, const WeightSet *set, const char *label, Status *status);
