// SPDX-License-Identifier: MPL-2.0
// attention.cu - picks attention-D.cu by the head dimension.
#include "common/gk.cuh"

extern "C" int
gk_attention (const GkAttention *a, void *stream)
{
  switch (a->head_dim)
    {
    case 40:
      return gk_attention_40 (a, stream);
    case 64:
      return gk_attention_64 (a, stream);
    case 80:
      return gk_attention_80 (a, stream);
    case 128:
      return gk_attention_128 (a, stream);
    case 160:
      return gk_attention_160 (a, stream);
    default:
      return GK_INVALID;
    }
}
