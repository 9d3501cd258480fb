// SPDX-License-Identifier: MPL-2.0
// attention-160.cu - attention.cuh for heads of 160 values.
#include "attention.cuh"

extern "C" int
gk_attention_160 (const GkAttention *a, void *stream)
{
  return attention_launch<160> (a, stream);
}
