/* SPDX-License-Identifier: MPL-2.0
 * formats.c - parameters in quantised formats, with whatever goes with them, at odd places.
 *
 * Blocks are random bytes whose f16 fields were set to numbers of ordinary size.  What they decode
 * to is taken from core/blocks.c, which tests/unit/test-formats.c holds against the formats' own
 * programs.
 */
#include <string.h>

#include "checkops.h"
#include "core/blocks.h"

/* Where the f16 fields of a block lie; -1: none. */
static const int half_fields[DTYPE_COUNT][2] = {
  [DTYPE_Q8_0] = { 0, -1 },  [DTYPE_Q6_K] = { 208, -1 }, [DTYPE_Q5_K] = { 0, 2 },
  [DTYPE_Q5_1] = { 0, 2 },   [DTYPE_Q5_0] = { 0, -1 },   [DTYPE_Q4_K] = { 0, 2 },
  [DTYPE_Q4_1] = { 0, 2 },   [DTYPE_Q4_0] = { 0, -1 },   [DTYPE_Q3_K] = { 108, -1 },
  [DTYPE_Q2_K] = { 80, 82 },
};

enum
{
  N_CODES = 16,
  N_BYTES = 256,
  CODE_RUN = 64,   /* elements with one absmax */
  NESTED_RUN = 256 /* of those with one scale of their own */
};

static const float NESTED_OFFSET = 0.4f;

static void
random_bytes (Checker *c, uint8_t *p, int64_t n)
{
  for (int64_t i = 0; i < n; i++)
    p[i] = (uint8_t) (check_uniform (c) * N_BYTES);
}

/* @n floats between @low and 1 at an odd address. */
static void *
odd_floats (Checker *c, int64_t n, float low)
{
  char *p = check_bytes (c, n * (int64_t) sizeof (float));
  for (int64_t i = 0; i < n; i++)
    {
      float f = low + (1 - low) * (float) check_uniform (c);
      memcpy (p + i * (int64_t) sizeof f, &f, sizeof f);
    }
  return p;
}

/* fp8 with NaNs would make all of a layer NaN. */
static void
replace_nans (uint8_t *p, int64_t n, DType dtype)
{
  uint8_t first = dtype == DTYPE_F8_E4M3 ? 0x7f : 0x7c;
  for (int64_t i = 0; i < n; i++)
    if ((p[i] & 0x7f) >= first)
      p[i] &= 0x8f;
}

static void
set_halves (Checker *c, uint8_t *blocks, int64_t n_blocks, DType dtype)
{
  for (int64_t i = 0; i < n_blocks; i++)
    for (int k = 0; k < 2 && half_fields[dtype][k] >= 0; k++)
      {
        uint16_t h = f32_to_f16 ((float) (check_uniform (c) - 0.3) / 64);
        memcpy (blocks + i * dtype_block_bytes (dtype) + half_fields[dtype][k], &h, sizeof h);
      }
}

/* Codes with one scale for 64 of them, plain or quantised again; fp8 with none, one, or several. */
static const ParamQuant *
make_quant (Checker *c, DType dtype, int64_t n, int variant)
{
  ParamQuant *q = check_memory (c, sizeof *q);
  bool is_code = dtype == DTYPE_NF4 || dtype == DTYPE_FP4;
  if (!is_code && variant % 3 == 0)
    return NULL;
  q->scale_run = is_code ? CODE_RUN : variant % 3 == 1 ? 0 : n / 5 + 1;
  int64_t n_scales = q->scale_run ? (n + q->scale_run - 1) / q->scale_run : 1;
  q->code_book = is_code ? odd_floats (c, N_CODES, -1) : NULL;
  if (!is_code || variant % 2 == 0)
    {
      q->scales = odd_floats (c, n_scales, 0.01f);
      return q;
    }
  uint8_t *scales = check_bytes (c, n_scales);
  random_bytes (c, scales, n_scales);
  q->scales = scales;
  q->nested_book = odd_floats (c, N_BYTES, -1);
  q->nested_run = NESTED_RUN;
  q->nested_scales = odd_floats (c, (n_scales + NESTED_RUN - 1) / NESTED_RUN, 0.01f);
  q->nested_offset = NESTED_OFFSET;
  return q;
}

Param
check_format (Checker *c, DType dtype, int64_t n, const float **floats)
{
  int variant = (int) (check_uniform (c) * 12), skipped = variant % 4 * (int) (n % 7 + 1);
  int64_t total = n + skipped, n_bytes = dtype_bytes (dtype, total);
  uint8_t *data = check_bytes (c, n_bytes);
  random_bytes (c, data, n_bytes);
  Param p = { .data = data, .dtype = dtype, .first = skipped };
  if (dtype_block_elements (dtype) >= 32)
    set_halves (c, data, n_bytes / dtype_block_bytes (dtype), dtype);
  else
    p.quant = make_quant (c, dtype, total, variant);
  if (dtype_block_elements (dtype) == 1)
    replace_nans (data, n_bytes, dtype);
  float *f = check_floats (c, n);
  param_to_f32 (f, &p, 0, n);
  *floats = f;
  return p;
}
