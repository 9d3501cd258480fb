/* SPDX-License-Identifier: MPL-2.0
 * adapter-args.h - weights of blocks and weights over steps, as prompts write them.
 *
 * Source of the forms: A1111's sd-webui-lora-block-weight (lbw=, start=, stop=, step=) and loractl
 * ("1@0,0@0.5").
 */
#pragma once

#include "pipelines/pipeline.h"

/* adapter_parse_blocks:
 * @text: a preset's name (ALL, NONE, INS, IND, INALL, MIDD, OUTD, OUTS, OUTALL), or numbers with
 *   commas: 12 or 20 for SDXL, 17 or 26 for SD 1.5, 58 for FLUX.1.  The first is for the text
 *   encoders and everything outside of blocks; blocks that a short list leaves out get 0.
 *
 * Fails: ARGUMENT
 */
bool adapter_parse_blocks (PipelineAdapter *adapter, const char *text, Status *status);

/* adapter_parse_curve:
 * @text: a number, or "WEIGHT@WHEN,..."; WHEN below 1 is a part of the steps, else a step
 * @n_steps: of the job
 *
 * Fills points, or weight for a plain number.  Fails: ARGUMENT
 */
bool adapter_parse_curve (PipelineAdapter *adapter, const char *text, int n_steps, Status *status);

/* @text: "5-15", "5-" or "-15"; counted from 1.  Fails: ARGUMENT */
bool adapter_parse_steps (PipelineAdapter *adapter, const char *text, Status *status);
