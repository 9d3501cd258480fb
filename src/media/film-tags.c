/* SPDX-License-Identifier: MPL-2.0
 * film-tags.c - BT.709 into AV1 sequence headers and ProRes frame headers.
 */
#include "media/film-tags.h"

#include <string.h>

enum
{
  OBU_SEQUENCE_HEADER = 1,
  SIZE_MAX_ONE_BYTE = 127,
  BT709 = 1,
  CHROMA_LEFT = 1
};

typedef struct
{
  const uint8_t *data;
  size_t n_bits, at;
} Bits;

static uint32_t
get (Bits *b, int n)
{
  uint32_t v = 0;
  for (; n > 0; n--, b->at++)
    v = v << 1 | (b->at < b->n_bits ? b->data[b->at / 8] >> (7 - b->at % 8) & 1u : 0);
  return v;
}

static void
skip_sizes (Bits *b, bool reduced)
{
  int n_width = (int) get (b, 4) + 1, n_height = (int) get (b, 4) + 1;
  get (b, n_width);
  get (b, n_height);
  if (!reduced && get (b, 1)) /* frame ids */
    get (b, 7);
}

static void
skip_tools (Bits *b, bool reduced)
{
  get (b, 3); /* 128 x 128 superblocks, filter intra, intra edge filter */
  if (!reduced)
    {
      get (b, 4); /* compounds, warped motion, dual filter */
      bool order_hint = get (b, 1);
      if (order_hint)
        get (b, 2);
      bool any_screen = get (b, 1) || get (b, 1);
      if (any_screen && !get (b, 1))
        get (b, 1);
      if (order_hint)
        get (b, 3);
    }
  get (b, 3); /* super-resolution, CDEF, restoration */
}

/* Moves to the bit that says whether colours are described.  Returns: false for what libaom does
 * not write: timing information, operating points with more than one layer. */
static bool
find_colour (Bits *b, uint32_t *profile)
{
  *profile = get (b, 3);
  get (b, 1);
  bool reduced = get (b, 1);
  if (reduced)
    get (b, 5);
  else
    {
      bool timing = get (b, 1), delay = get (b, 1);
      uint32_t n_points = get (b, 5) + 1;
      get (b, 12);
      if (timing || n_points != 1)
        return false;
      if (get (b, 5) > 7) /* the level, then the tier */
        get (b, 1);
      if (delay && get (b, 1))
        get (b, 4);
    }
  skip_sizes (b, reduced);
  skip_tools (b, reduced);
  bool deep = get (b, 1);
  if (*profile == 2 && deep)
    get (b, 1);
  bool grey = *profile != 1 && get (b, 1);
  return !grey && b->at + 1 < b->n_bits;
}

static void
set_bits (uint8_t *data, size_t at, uint32_t value, int n)
{
  for (int i = n - 1; i >= 0; i--, at++)
    {
      uint8_t mask = (uint8_t) (0x80 >> at % 8);
      data[at / 8] = (uint8_t) (value >> i & 1 ? data[at / 8] | mask : data[at / 8] & ~mask);
    }
}

/* 24 bits go in, so what follows keeps its place within its byte. */
static bool
describe (uint8_t *out, const uint8_t *header, size_t n_bytes)
{
  Bits b = { header, n_bytes * 8, 0 };
  uint32_t profile;
  if (!find_colour (&b, &profile) || get (&b, 1))
    return false;
  size_t at = b.at, byte = at / 8;
  memcpy (out, header, byte + 1);
  memcpy (out + byte + AV1_TAG_BYTES, header + byte, n_bytes - byte);
  set_bits (out, at - 1, 1, 1);
  /* the bits before @at of its byte, once more in their own byte, are overwritten here */
  set_bits (out, at, BT709, 8);
  set_bits (out, at + 8, BT709, 8);
  set_bits (out, at + 16, BT709, 8);
  if (profile == 0)
    set_bits (out, at + 24 + 1, CHROMA_LEFT, 2); /* behind the range */
  return true;
}

/* An OBU with a size of one byte.  Returns: its bytes, 0 when it is none */
static size_t
obu_bytes (const uint8_t *p, size_t left)
{
  enum
  {
    HAS_EXTENSION = 4,
    HAS_SIZE = 2
  };
  if (left < 2 || !(p[0] & HAS_SIZE) || p[0] & HAS_EXTENSION || p[1] > SIZE_MAX_ONE_BYTE ||
      p[1] > left - 2)
    return 0;
  return 2 + (size_t) p[1];
}

bool
av1_add_colour (uint8_t *out, const uint8_t *unit, size_t n_bytes)
{
  for (size_t at = 0, n; (n = obu_bytes (unit + at, n_bytes - at)) > 0; at += n)
    if ((unit[at] >> 3 & 15) == OBU_SEQUENCE_HEADER)
      {
        if (n > SIZE_MAX_ONE_BYTE - AV1_TAG_BYTES || !describe (out + at + 2, unit + at + 2, n - 2))
          return false;
        memcpy (out, unit, at + 2);
        out[at + 1] = (uint8_t) (unit[at + 1] + AV1_TAG_BYTES);
        memcpy (out + at + n + AV1_TAG_BYTES, unit + at + n, n_bytes - at - n);
        return true;
      }
  return false;
}

bool
prores_add_colour (uint8_t *frame, size_t n_bytes)
{
  enum
  {
    PRIMARIES_OFFSET = 22, /* size, "icpf", header size, version, creator, sides, flags, aspect */
    HEADER_BYTES = 28
  };
  if (n_bytes < HEADER_BYTES || memcmp (frame + 4, "icpf", 4) != 0)
    return false;
  memset (frame + PRIMARIES_OFFSET, BT709, 3);
  return true;
}
