// SPDX-License-Identifier: MPL-2.0
// attention.cu - picks attention-D.cu by the head dimension; attention-any.cu takes the others.
#include "common/gk.cuh"

extern "C" int
gk_attention (const GkAttention *a, void *stream)
{
  bool fits = a->q_stride % 8 == 0 && a->k_stride % 8 == 0 && a->v_stride % 8 == 0;
  switch (fits ? a->head_dim : 0)
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
      return gk_attention_any (a, stream);
    }
}
