// SPDX-License-Identifier: MPL-2.0
// attention-40.cu - attention.cuh for heads of 40 values.
#include "attention.cuh"

extern "C" int
gk_attention_40 (const GkAttention *a, void *stream)
{
  return attention_launch<40> (a, stream);
}
