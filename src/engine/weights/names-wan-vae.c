/* SPDX-License-Identifier: MPL-2.0
 * names-wan-vae.c - rules for Wan's VAEs, 2.1 and 2.2.
 *
 * Source of the correspondences: Wan-Video's vae2_1.py and vae2_2.py, and diffusers'
 * AutoencoderKLWan.  2.1 numbers the blocks of all levels in one row, 2.2 level by level.
 */
#include "weights/names-private.h"

static const NameRule residual_rules[] = {
  { "residual.0.*", "norm1." }, { "residual.2.*", "conv1." },       { "residual.3.*", "norm2." },
  { "residual.6.*", "conv2." }, { "shortcut.*", "conv_shortcut." }, { 0 },
};

static const NameRule attention_rules[] = {
  { "to_qkv.*", "{to_q|to_k|to_v}.", NULL, NAME_SPLIT },
  { "*", "" },
  { 0 },
};

static const NameRule end_rules[] = {
  { "conv1.*", "conv_in." },
  { "head.0.*", "norm_out." },
  { "head.2.*", "conv_out." },
  { "middle.0.*", "mid_block.resnets.0.", residual_rules },
  { "middle.1.*", "mid_block.attentions.0.", attention_rules },
  { "middle.2.*", "mid_block.resnets.1.", residual_rules },
  { 0 },
};

/* What resamples a level is the last of its blocks. */
const NameRule names_wan_vae[] = {
  { "encoder.downsamples.#.downsamples.#.resample.*",
    "encoder.down_blocks.{1}.downsampler.resample." },
  { "encoder.downsamples.#.downsamples.#.time_conv.*",
    "encoder.down_blocks.{1}.downsampler.time_conv." },
  { "encoder.downsamples.#.downsamples.#.*", "encoder.down_blocks.{1}.resnets.{2}.",
    residual_rules },
  { "encoder.downsamples.#.resample.*", "encoder.down_blocks.{1}.resample." },
  { "encoder.downsamples.#.time_conv.*", "encoder.down_blocks.{1}.time_conv." },
  { "encoder.downsamples.#.*", "encoder.down_blocks.{1}.", residual_rules },
  { "decoder.upsamples.#.upsamples.#.resample.*", "decoder.up_blocks.{1}.upsampler.resample." },
  { "decoder.upsamples.#.upsamples.#.time_conv.*", "decoder.up_blocks.{1}.upsampler.time_conv." },
  { "decoder.upsamples.#.upsamples.#.*", "decoder.up_blocks.{1}.resnets.{2}.", residual_rules },
  { "decoder.upsamples.#.resample.*", "decoder.up_blocks.{level}.upsamplers.0.resample." },
  { "decoder.upsamples.#.time_conv.*", "decoder.up_blocks.{level}.upsamplers.0.time_conv." },
  { "decoder.upsamples.#.*", "decoder.up_blocks.{level}.resnets.{block}.", residual_rules },
  { "encoder.*", "encoder.", end_rules },
  { "decoder.*", "decoder.", end_rules },
  { "conv1.*", "quant_conv." },
  { "conv2.*", "post_quant_conv." },
  { 0 },
};

const NameRule names_wan_vae_diffusers[] = {
  { "encoder.mid_block.attentions.0.*", "encoder.mid_block.attentions.0.", attention_rules },
  { "decoder.mid_block.attentions.0.*", "decoder.mid_block.attentions.0.", attention_rules },
  { "encoder.*", "encoder." },
  { "decoder.*", "decoder." },
  { "quant_conv.*", "quant_conv." },
  { "post_quant_conv.*", "post_quant_conv." },
  { 0 },
};
