// SPDX-License-Identifier: MPL-2.0
// attention-64.cu - attention.cuh for heads of 64 values.
#include "attention.cuh"

extern "C" int
gk_attention_64 (const GkAttention *a, void *stream)
{
  return attention_launch<64> (a, stream);
}
