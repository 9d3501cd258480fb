// SPDX-License-Identifier: MPL-2.0
// attention-80.cu - attention.cuh for heads of 80 values.
#include "attention.cuh"

extern "C" int
gk_attention_80 (const GkAttention *a, void *stream)
{
  return attention_launch<80> (a, stream);
}
