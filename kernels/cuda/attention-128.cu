// SPDX-License-Identifier: MPL-2.0
// attention-128.cu - attention.cuh for heads of 128 values.
#include "attention.cuh"

extern "C" int
gk_attention_128 (const GkAttention *a, void *stream)
{
  return attention_launch<128> (a, stream);
}
