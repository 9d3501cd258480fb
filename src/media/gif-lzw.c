/* SPDX-License-Identifier: MPL-2.0
 * gif-lzw.c - variable-length LZW (GIF89a, appendix F) in sub-blocks.
 */
#include <string.h>

#include "core/mem.h"
#include "media/gif.h"

enum
{
  BLOCK_MAX = 255,
  MAX_BITS = 12,
  MAX_CODES = 1 << MAX_BITS,
  N_SLOTS = 1 << 14 /* of the string table; four times the strings, so that searches are short */
};

typedef struct
{
  GifBytes *out;
  Status *status;
  uint32_t bits; /* not yet written, lowest first */
  int n_bits;
  uint8_t block[BLOCK_MAX];
  int n_block;
  int code_bits, n_codes; /* of codes now; the next free code */
  uint32_t keys[N_SLOTS]; /* prefix and index + 1; 0 for free */
  uint16_t codes[N_SLOTS];
  bool failed;
} Lzw;

bool
gif_bytes_put (GifBytes *out, const void *data, size_t n_bytes, Status *status)
{
  if (!mem_grow (&out->data, &out->capacity, out->n + n_bytes, 1, status))
    return false;
  if (n_bytes)
    memcpy (out->data + out->n, data, n_bytes);
  out->n += n_bytes;
  return true;
}

bool
gif_bytes_put_blocks (GifBytes *out, const void *data, size_t n_bytes, Status *status)
{
  const uint8_t *p = data;
  bool ok = true;
  while (ok && n_bytes > 0)
    {
      uint8_t n = n_bytes < BLOCK_MAX ? (uint8_t) n_bytes : BLOCK_MAX;
      ok = gif_bytes_put (out, &n, 1, status) && gif_bytes_put (out, p, n, status);
      p += n;
      n_bytes -= n;
    }
  return ok && gif_bytes_put (out, "", 1, status);
}

static void
flush_block (Lzw *l)
{
  uint8_t n = (uint8_t) l->n_block;
  if (n && !l->failed)
    l->failed = !gif_bytes_put (l->out, &n, 1, l->status) ||
                !gif_bytes_put (l->out, l->block, n, l->status);
  l->n_block = 0;
}

static void
put_code (Lzw *l, int code)
{
  l->bits |= (uint32_t) code << l->n_bits;
  l->n_bits += l->code_bits;
  while (l->n_bits >= 8)
    {
      l->block[l->n_block++] = (uint8_t) l->bits;
      l->bits >>= 8;
      l->n_bits -= 8;
      if (l->n_block == BLOCK_MAX)
        flush_block (l);
    }
}

static void
reset (Lzw *l, int index_bits)
{
  memset (l->keys, 0, sizeof l->keys);
  l->code_bits = index_bits + 1;
  l->n_codes = (1 << index_bits) + 2; /* behind "clear" and "end" */
}

static uint32_t
find_slot (const Lzw *l, uint32_t key)
{
  uint32_t slot = key * 2654435761u >> 18;
  while (l->keys[slot] && l->keys[slot] != key)
    slot = (slot + 1) % N_SLOTS;
  return slot;
}

/* The string of @prefix and @index is new: its prefix goes out, and it gets a code. */
static void
add_string (Lzw *l, uint32_t slot, uint32_t key, int prefix, int index_bits)
{
  put_code (l, prefix);
  if (l->n_codes < MAX_CODES)
    {
      if (l->n_codes == 1 << l->code_bits)
        l->code_bits++;
      l->keys[slot] = key;
      l->codes[slot] = (uint16_t) l->n_codes++;
      return;
    }
  put_code (l, 1 << index_bits);
  reset (l, index_bits);
}

static void
encode (Lzw *l, const uint8_t *indices, int width, int height, int stride, int index_bits)
{
  int prefix = indices[0];
  reset (l, index_bits);
  put_code (l, 1 << index_bits);
  for (int y = 0; y < height; y++)
    for (int x = y ? 0 : 1; x < width; x++)
      {
        uint8_t index = indices[(size_t) y * (size_t) stride + (size_t) x];
        uint32_t key = ((uint32_t) prefix << 8 | index) + 1, slot = find_slot (l, key);
        if (l->keys[slot])
          {
            prefix = l->codes[slot];
            continue;
          }
        add_string (l, slot, key, prefix, index_bits);
        prefix = index;
      }
  put_code (l, prefix);
  /* the reader adds a string here, too, and may so come to need one bit more */
  if (l->n_codes == 1 << l->code_bits && l->code_bits < MAX_BITS)
    l->code_bits++;
  put_code (l, (1 << index_bits) + 1);
  l->code_bits = 7; /* what is left of the last byte */
  put_code (l, 0);
  flush_block (l);
}

bool
gif_lzw (GifBytes *out,
         const uint8_t *indices,
         int width,
         int height,
         int stride,
         int n_bits,
         Status *status)
{
  uint8_t first = (uint8_t) n_bits;
  Lzw *l = mem_calloc (1, sizeof *l);
  if (!l)
    return status_fail (status, STATUS_NO_MEMORY, "Out of memory: close other programs and retry.");
  l->out = out;
  l->status = status;
  bool ok = gif_bytes_put (out, &first, 1, status);
  if (ok)
    encode (l, indices, width, height, stride, n_bits);
  ok = ok && !l->failed && gif_bytes_put (out, "", 1, status);
  mem_free (l);
  return ok;
}
