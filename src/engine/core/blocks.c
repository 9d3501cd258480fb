/* SPDX-License-Identifier: MPL-2.0
 * blocks.c - one decoder a block format, and parameters made of such blocks.
 *
 * Source: GGML's definition of its block types, in the order of operations of the Python package
 * gguf (quants.py); bitsandbytes' 4-bit formats as its functional interface dequantises them.
 * Layouts are written beside each decoder; all numbers are little endian.
 */
#include "core/blocks.h"

#include <string.h>

enum
{
  RUN = 32,       /* elements of a small block, and of a sub-block of q4_k and q5_k */
  LONG_RUN = 256, /* elements of a k block */
  N_CODES = 16
};

static float
read_f16 (const uint8_t *p)
{
  return f16_to_f32 ((uint16_t) (p[0] | p[1] << 8));
}

/* Code @i of 16 bytes: lower halves first, then upper ones. */
static int
nibble (const uint8_t *bytes, int i)
{
  return i < RUN / 2 ? bytes[i] & 15 : bytes[i - RUN / 2] >> 4;
}

/* d, i8 q[32] */
static void
decode_q8_0 (float *out, const uint8_t *b)
{
  float d = read_f16 (b);
  for (int i = 0; i < RUN; i++)
    out[i] = d * (float) (int8_t) b[2 + i];
}

/* d, nibbles[16] */
static void
decode_q4_0 (float *out, const uint8_t *b)
{
  float d = read_f16 (b);
  for (int i = 0; i < RUN; i++)
    out[i] = d * (float) (nibble (b + 2, i) - 8);
}

/* d, m, nibbles[16] */
static void
decode_q4_1 (float *out, const uint8_t *b)
{
  float d = read_f16 (b), m = read_f16 (b + 2);
  for (int i = 0; i < RUN; i++)
    out[i] = d * (float) nibble (b + 4, i) + m;
}

static int
fifth_bit (const uint8_t *bits, int i)
{
  return (bits[i / 8] >> i % 8 & 1) << 4;
}

/* d, fifth bits[4], nibbles[16] */
static void
decode_q5_0 (float *out, const uint8_t *b)
{
  float d = read_f16 (b);
  for (int i = 0; i < RUN; i++)
    out[i] = d * (float) ((nibble (b + 6, i) | fifth_bit (b + 2, i)) - 16);
}

/* d, m, fifth bits[4], nibbles[16] */
static void
decode_q5_1 (float *out, const uint8_t *b)
{
  float d = read_f16 (b), m = read_f16 (b + 2);
  for (int i = 0; i < RUN; i++)
    out[i] = d * (float) (nibble (b + 8, i) | fifth_bit (b + 4, i)) + m;
}

/* scales[16] (scale | minimum << 4), 2-bit codes[64], d, dmin.  Half of a block (128 elements)
 * takes 32 bytes, four runs of 32 elements one above the other. */
static void
decode_q2_k (float *out, const uint8_t *b)
{
  const uint8_t *codes = b + 16;
  float d = read_f16 (b + 80), dmin = read_f16 (b + 82);
  for (int i = 0; i < LONG_RUN; i++)
    {
      int half = i / 128, run = i % 128 / RUN, scale = b[i / 16];
      int q = codes[half * RUN + i % RUN] >> 2 * run & 3;
      out[i] = d * (float) (scale & 15) * (float) q - dmin * (float) (scale >> 4);
    }
}

/* high bits[32], 2-bit codes[64], 16 six-bit scales[12], d.  A clear high bit takes 4 off. */
static void
decode_q3_k (float *out, const uint8_t *b)
{
  const uint8_t *codes = b + 32, *scales = b + 96;
  float d = read_f16 (b + 108);
  for (int i = 0; i < LONG_RUN; i++)
    {
      int half = i / 128, run = i % 128 / RUN, s = i / 16;
      int low = s < 8 ? scales[s] & 15 : scales[s - 8] >> 4;
      int scale = (low | (scales[8 + s % 4] >> 2 * (s / 4) & 3) << 4) - 32;
      int q = (codes[half * RUN + i % RUN] >> 2 * run & 3) - (b[i % RUN] >> i / RUN & 1 ? 0 : 4);
      out[i] = d * (float) scale * (float) q;
    }
}

/* Scale and minimum @j of eight: six bits each in 12 bytes. */
static void
unpack_k_scale (const uint8_t *p, int j, int *scale, int *min)
{
  if (j < 4)
    {
      *scale = p[j] & 63;
      *min = p[j + 4] & 63;
      return;
    }
  *scale = (p[j + 4] & 15) | (p[j - 4] >> 6) << 4;
  *min = p[j + 4] >> 4 | (p[j] >> 6) << 4;
}

/* d, dmin, eight scales and minima[12], nibbles[128]: 32 bytes hold two runs of 32 elements, the
 * first in their lower halves. */
static void
decode_q4_k (float *out, const uint8_t *b)
{
  float d = read_f16 (b), dmin = read_f16 (b + 2);
  for (int j = 0; j < LONG_RUN / RUN; j++)
    {
      int scale, min;
      unpack_k_scale (b + 4, j, &scale, &min);
      float ds = d * (float) scale, dm = dmin * (float) min;
      for (int i = 0; i < RUN; i++)
        out[j * RUN + i] = ds * (float) (b[16 + j / 2 * RUN + i] >> j % 2 * 4 & 15) - dm;
    }
}

/* d, dmin, eight scales and minima[12], fifth bits[32] (bit j of byte i: run j, element i),
 * nibbles[128] */
static void
decode_q5_k (float *out, const uint8_t *b)
{
  float d = read_f16 (b), dmin = read_f16 (b + 2);
  for (int j = 0; j < LONG_RUN / RUN; j++)
    {
      int scale, min;
      unpack_k_scale (b + 4, j, &scale, &min);
      float ds = d * (float) scale, dm = dmin * (float) min;
      for (int i = 0; i < RUN; i++)
        {
          int low = b[48 + j / 2 * RUN + i] >> j % 2 * 4 & 15;
          out[j * RUN + i] = ds * (float) (low | (b[16 + i] >> j & 1) << 4) - dm;
        }
    }
}

/* low nibbles[128], upper two bits[64], i8 scales[16], d.  Half of a block takes 64 nibble bytes
 * and 32 bytes of upper bits. */
static void
decode_q6_k (float *out, const uint8_t *b)
{
  float d = read_f16 (b + 208);
  for (int i = 0; i < LONG_RUN; i++)
    {
      int half = i / 128, run = i % 128 / RUN;
      int low = b[half * 64 + run % 2 * RUN + i % RUN] >> run / 2 * 4 & 15;
      int high = b[128 + half * RUN + i % RUN] >> 2 * run & 3;
      int8_t scale = (int8_t) b[192 + i / 16];
      out[i] = d * (float) scale * (float) ((low | high << 4) - 32);
    }
}

typedef void (*BlockDecoder) (float *out, const uint8_t *block);

static const BlockDecoder decoders[DTYPE_COUNT] = {
  [DTYPE_Q8_0] = decode_q8_0, [DTYPE_Q6_K] = decode_q6_k, [DTYPE_Q5_K] = decode_q5_k,
  [DTYPE_Q5_1] = decode_q5_1, [DTYPE_Q5_0] = decode_q5_0, [DTYPE_Q4_K] = decode_q4_k,
  [DTYPE_Q4_1] = decode_q4_1, [DTYPE_Q4_0] = decode_q4_0, [DTYPE_Q3_K] = decode_q3_k,
  [DTYPE_Q2_K] = decode_q2_k,
};

/* Elements @first .. @first + @n - 1 of blocks at @data; the ends may lie inside blocks. */
static void
decode_blocks (float *out, const uint8_t *data, DType dtype, int64_t first, int64_t n)
{
  int size = dtype_block_elements (dtype), bytes = dtype_block_bytes (dtype);
  while (n > 0)
    {
      const uint8_t *block = data + first / size * bytes;
      int skipped = (int) (first % size);
      int64_t taken = size - skipped < n ? size - skipped : n;
      float whole[DTYPE_MAX_BLOCK];
      decoders[dtype](taken == size ? out : whole, block);
      if (taken < size)
        memcpy (out, whole + skipped, (size_t) taken * sizeof *out);
      out += taken;
      first += taken;
      n -= taken;
    }
}

static float
read_f32 (const void *array, int64_t i)
{
  float f;
  memcpy (&f, (const char *) array + i * (int64_t) sizeof f, sizeof f);
  return f;
}

static void
decode_codes (float *out, const uint8_t *data, const void *code_book, int64_t first, int64_t n)
{
  float book[N_CODES];
  memcpy (book, code_book, sizeof book);
  for (int64_t i = 0; i < n; i++)
    {
      uint8_t byte = data[(first + i) / 2];
      out[i] = book[(first + i) % 2 ? byte & 15 : byte >> 4];
    }
}

float
quant_scale (const ParamQuant *q, int64_t i)
{
  if (!q || !q->scales)
    return 1;
  int64_t s = q->scale_run ? i / q->scale_run : 0;
  if (!q->nested_book)
    return read_f32 (q->scales, s);
  uint8_t code = ((const uint8_t *) q->scales)[s];
  float scaled = read_f32 (q->nested_book, code) * read_f32 (q->nested_scales, s / q->nested_run);
  return scaled + q->nested_offset;
}

static void
apply_scales (float *out, const ParamQuant *q, int64_t first, int64_t n)
{
  while (n > 0)
    {
      int64_t run = q->scale_run ? q->scale_run - first % q->scale_run : n;
      run = run < n ? run : n;
      float scale = quant_scale (q, first);
      for (int64_t i = 0; i < run; i++)
        out[i] *= scale;
      out += run;
      first += run;
      n -= run;
    }
}

void
param_to_f32 (float *out, const Param *p, int64_t first, int64_t n)
{
  DType dtype = (DType) p->dtype;
  int64_t at = p->first + first;
  if (p->quant && p->quant->code_book)
    decode_codes (out, p->data, p->quant->code_book, at, n);
  else if (decoders[dtype])
    decode_blocks (out, p->data, dtype, at, n);
  else
    dtype_to_f32 (out, (const char *) p->data + at * (int64_t) dtype_size (dtype), dtype, n);
  if (p->quant && p->quant->scales)
    apply_scales (out, p->quant, at, n);
}
