/* SPDX-License-Identifier: MPL-2.0
 * elementwise-isa.h - this compilation's kernels, by the names that carry its instruction set.
 */
#pragma once

#include "elementwise.h"
#include "vec.h"

#define ISA_PASTE(name, isa) name##_##isa
#define ISA_NAME(name, isa) ISA_PASTE (name, isa)
#define KERNEL(name) ISA_NAME (name, ISA) /* unary -> unary_avx2 */

void KERNEL (unary) (const UnaryArgs *a);
void KERNEL (add) (const AddArgs *a);
void KERNEL (add_gated) (const AddGatedArgs *a);
void KERNEL (gated) (const GatedArgs *a);
void KERNEL (scale) (const ScaleArgs *a);
void KERNEL (geglu) (const GegluArgs *a);
void KERNEL (embed) (const EmbedArgs *a);
void KERNEL (layer_norm) (const LayerNormArgs *a);
void KERNEL (rms_norm) (const RmsNormArgs *a);
void KERNEL (norm_modulate) (const NormModulateArgs *a);
void KERNEL (rope) (const RopeArgs *a);
void KERNEL (avg_down) (const AvgDownArgs *a, int64_t row);
void KERNEL (dup_up) (const DupUpArgs *a, int64_t row);
void KERNEL (group_moments) (const GroupNormArgs *a, const GroupPart *part, Moments *out);
void KERNEL (group_apply) (const GroupNormArgs *a, const GroupPart *part, const Moments *moments);
