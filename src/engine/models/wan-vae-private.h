/* SPDX-License-Identifier: MPL-2.0
 * wan-vae-private.h - what Wan's VAE is made of, and how a frame walks through it.
 *
 * Frames go through the network one by one, depth first: where a level doubles their number, all
 * that lies above is done for the first before the second is begun.  So one frame of the finest
 * level exists at a time, and every layer over time sees single frames: its own, and two that it
 * remembers.
 */
#pragma once

#include <assert.h>
#include <string.h>

#include "models/wan-vae.h"

enum
{
  WAN_VAE_MAX_BLOCKS = 8,
  WAN_VAE_COLOURS = 3
};

/* The reference divides by the norm, or by 1e-12 where it is less; only zeros see a difference. */
static const float WAN_VAE_EPS = 1e-24f;

/* A convolution over time and where it remembers its frames. */
typedef struct
{
  Layer conv;
  int memory;
} WanTimeConv;

typedef struct
{
  const Weight *norm1, *norm2;
  WanTimeConv conv1, conv2;
  Layer shortcut;
} WanRes;

typedef struct
{
  WanRes res1, res2;
  const Weight *norm;
  Layer q, k, v, out;
} WanMid;

typedef struct
{
  WanRes blocks[WAN_VAE_MAX_BLOCKS];
  int n_blocks;
  int64_t n_in, n_out; /* channels */
  Layer resample;      /* weight NULL at the last level */
  WanTimeConv time;    /* conv.weight NULL where only space is resampled */
} WanLevel;

typedef struct
{
  WanTimeConv conv_in, conv_out;
  const Weight *norm_out;
  Layer quant; /* behind the encoder, in front of the decoder */
  WanMid mid;
  WanLevel levels[MAX_LEVELS]; /* in the order in which they are walked */
  int n_memories;
} WanVaeHalf;

struct WanVae
{
  WanVaeConfig config;
  WanVaeHalf encoder, decoder;
};

/* One chunk on its way. */
typedef struct
{
  Ctx *ctx;
  const WanVae *vae;
  WanVaeMemory *memory;
  bool is_first;
  int n_levels;                /* decoder: that are walked */
  int n_out;                   /* results so far */
  Tensor *out[WAN_VAE_CHUNK];  /* frames, or a latent */
  Tensor *waiting[MAX_LEVELS]; /* encoder: a level's input, while its pair is incomplete */
} WanWalk;

/* @x becomes the newer of the two frames that @c remembers. */
void wan_remember (WanWalk *w, const WanTimeConv *c, const Tensor *x);

/* The frame and the two before it, which in a first chunk are zeros; then remembers it. */
Tensor *wan_time_conv (WanWalk *w, const WanTimeConv *c, const Tensor *x, const Tensor *add);

/* RMSNorm of each pixel, then silu. */
Tensor *wan_norm (WanWalk *w, const Weight *gamma, const Tensor *x);

Tensor *wan_res_block (WanWalk *w, const WanRes *r, Tensor *x);
Tensor *wan_mid_block (WanWalk *w, const WanMid *m, Tensor *x);
