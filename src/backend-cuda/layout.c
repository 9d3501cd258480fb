/* SPDX-License-Identifier: MPL-2.0
 * layout.c - parameters as kernels read them: see kernels/cuda/launch.h.
 *
 * Values of 16 bits are moved as they are; where the file's type is not the activations', the card
 * itself rounds them afterwards, which is faster by far.
 */
#include "layout.h"

#include <string.h>

#include "core/blocks.h"

enum
{
  BYTES_16 = 2,
  PIECE = 1024 /* values decoded at once */
};

static int64_t
padded_channels (const CudaShape *s)
{
  return (s->c_in + 7) / 8 * 8;
}

/* Of an element of CUDA_ROWS and CUDA_CONV. */
static size_t
element_bytes (const CudaShape *s)
{
  return s->type == GK_TYPE_F32 ? sizeof (float) : BYTES_16;
}

static size_t
conv_row_bytes (const CudaShape *s)
{
  return (size_t) (s->taps * padded_channels (s)) * element_bytes (s);
}

size_t
layout_bytes (const Param *p, const CudaShape *s)
{
  switch (s->layout)
    {
    case CUDA_ROWS:
      return (size_t) s->n * element_bytes (s);
    case CUDA_F32:
      return (size_t) s->n * sizeof (float);
    case CUDA_CONV:
      return (size_t) s->c_out * conv_row_bytes (s);
    case CUDA_BLOCKS:
      return (size_t) dtype_bytes ((DType) p->dtype, s->n);
    case CUDA_SCALES:
      return (size_t) (s->n / s->c_in) * sizeof (float);
    }
  return 0;
}

size_t
layout_unit_bytes (const CudaShape *s)
{
  return s->layout == CUDA_CONV ? conv_row_bytes (s) : sizeof (float);
}

static bool
is_16 (const Param *p)
{
  return p->dtype == DTYPE_F16 || p->dtype == DTYPE_BF16;
}

/* Values that are moved as they are: 16 bits to 16 bits. */
static bool
is_moved (const CudaSource *s)
{
  return is_16 (&s->param) && s->shape.type != GK_TYPE_F32;
}

static uint16_t
round_16 (GkType type, float v)
{
  return type == GK_TYPE_BF16 ? f32_to_bf16 (v) : f32_to_f16 (v);
}

static void
fill_rows (const CudaSource *s, uint16_t *out, int64_t first, int64_t n)
{
  float values[PIECE];
  if (is_moved (s))
    {
      memcpy (out, param_at (&s->param, first), (size_t) n * BYTES_16);
      return;
    }
  for (int64_t i = 0; i < n; i += PIECE)
    {
      int64_t m = n - i < PIECE ? n - i : PIECE;
      param_to_f32 (values, &s->param, first + i, m);
      for (int64_t k = 0; k < m; k++)
        out[i + k] = round_16 (s->shape.type, values[k]);
    }
}

/* One output channel: from (c_in, taps) to (taps, ceil8 (c_in)). */
static void
fill_conv_row (const CudaSource *s, void *out, int64_t row)
{
  int64_t taps = s->shape.taps, width = padded_channels (&s->shape);
  int64_t n = s->shape.c_in * taps;
  const char *raw = is_moved (s) ? param_at (&s->param, row * n) : NULL;
  if (!raw)
    param_to_f32 (s->values, &s->param, row * n, n);
  for (int64_t tap = 0; tap < taps; tap++)
    for (int64_t c = 0; c < width; c++)
      {
        uint16_t *to = &((uint16_t *) out)[tap * width + c];
        int64_t from = c * taps + tap;
        bool inside = c < s->shape.c_in;
        if (s->shape.type == GK_TYPE_F32)
          ((float *) out)[tap * width + c] = inside ? s->values[from] : 0;
        else if (!inside)
          *to = 0;
        else if (raw)
          memcpy (to, raw + from * BYTES_16, BYTES_16); /* may be unaligned */
        else
          *to = round_16 (s->shape.type, s->values[from]);
      }
}

static void
fill_conv (const CudaSource *s, char *out, size_t offset_bytes, size_t n_bytes)
{
  size_t row_bytes = conv_row_bytes (&s->shape);
  for (size_t at = 0; at < n_bytes; at += row_bytes)
    fill_conv_row (s, out + at, (int64_t) ((offset_bytes + at) / row_bytes));
}

void
layout_fill (void *data, void *out, size_t offset_bytes, size_t n_bytes)
{
  const CudaSource *s = data;
  int64_t first = (int64_t) (offset_bytes / sizeof (float));
  int64_t n = (int64_t) (n_bytes / sizeof (float));
  switch (s->shape.layout)
    {
    case CUDA_ROWS:
      if (s->shape.type == GK_TYPE_F32)
        param_to_f32 (out, &s->param, first, n);
      else
        fill_rows (s, out, (int64_t) offset_bytes / BYTES_16, (int64_t) n_bytes / BYTES_16);
      break;
    case CUDA_F32:
      param_to_f32 (out, &s->param, first, n);
      break;
    case CUDA_CONV:
      fill_conv (s, out, offset_bytes, n_bytes);
      break;
    case CUDA_BLOCKS:
      memcpy (out, param_at (&s->param, 0) + offset_bytes, n_bytes);
      break;
    case CUDA_SCALES:
      for (int64_t i = 0; i < n; i++)
        ((float *) out)[i] =
            quant_scale (s->param.quant, s->param.first + (first + i) * s->shape.c_in);
      break;
    }
}

bool
layout_needs_rounding (const CudaSource *s, GkType *from)
{
  *from = s->param.dtype == DTYPE_F16 ? GK_TYPE_F16 : GK_TYPE_BF16;
  return is_moved (s) && *from != s->shape.type &&
         (s->shape.layout == CUDA_ROWS || s->shape.layout == CUDA_CONV);
}
