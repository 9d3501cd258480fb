/* SPDX-License-Identifier: MPL-2.0
 * gif-frames.c - a GIF as frames (GIF87a, GIF89a).
 *
 * The file is a list of pictures, each laid over what is there already, with durations in 1/100 s;
 * the frames are what is seen, at a rate that fits to all durations.  Where nothing was laid it is
 * white.
 */
#include <string.h>

#include "core/mem.h"
#include "media/frames.h"

enum
{
  CENTISECONDS = 100,
  HEADER_BYTES = 13,
  DESCRIPTOR_BYTES = 10, /* with its mark */
  MAX_CODES = 4096,
  MAX_BITS = 12,
  USUAL_DELAY = 10, /* what viewers take for delays below 2 */
  KEEP = 0,
  CLEAR = 2, /* disposals */
  RESTORE = 3
};

typedef struct
{
  size_t at;                 /* of the descriptor */
  int64_t end;               /* 1/100 s */
  int disposal, transparent; /* transparent: its index, -1 for none */
} Picture;

typedef struct
{
  char *path;
  uint8_t *data; /* the file */
  size_t n_bytes;
  const FrameLimits *limits;
  FilmInfo info;
  Picture *pictures;
  int64_t *ends;
  size_t n_pictures, capacity;
  uint8_t *canvas,
      *saved;       /* (height, width, 3); saved: before a picture that is to be taken away */
  uint8_t *indices; /* of a picture, at most a canvas of them */
  int next;         /* the picture that is laid next */
} GifFrames;

static bool
no_memory (Status *status)
{
  return status_fail (status, STATUS_NO_MEMORY, "Out of memory: close other programs and retry.");
}

static bool
damaged (const GifFrames *g, Status *status)
{
  return status_fail (status, STATUS_FORMAT,
                      "Cannot read \"%.300s\": the GIF is damaged or cut off.", g->path);
}

static int
u16 (const uint8_t *p)
{
  return p[0] | p[1] << 8;
}

/* Bytes of a colour table whose flags say that there is one. */
static size_t
table_bytes (uint8_t flags)
{
  return flags & 0x80 ? (size_t) 3 << ((flags & 7) + 1) : 0;
}

/* Returns: behind the sub-blocks at @at; 0 when they are cut off */
static size_t
skip_blocks (const GifFrames *g, size_t at)
{
  while (at < g->n_bytes && g->data[at] != 0)
    at += 1 + (size_t) g->data[at];
  return at < g->n_bytes ? at + 1 : 0;
}

/* ---- the list ---- */

static bool
add_picture (GifFrames *g, Picture *p, Status *status)
{
  if (g->n_pictures > FILM_MAX_FRAMES)
    return status_fail (status, STATUS_UNSUPPORTED, "\"%.300s\" has more than %d pictures.",
                        g->path, FILM_MAX_FRAMES);
  if (!mem_grow (&g->pictures, &g->capacity, g->n_pictures + 1, sizeof *g->pictures, status))
    return false;
  g->pictures[g->n_pictures++] = *p;
  p->disposal = KEEP;
  p->transparent = -1;
  return true;
}

static void
read_control (const GifFrames *g, size_t at, Picture *p, int *delay)
{
  const uint8_t *c = g->data + at;
  if (g->n_bytes - at < 6 || c[0] != 4)
    return;
  p->disposal = c[1] >> 2 & 7;
  p->transparent = c[1] & 1 ? c[4] : -1;
  *delay = u16 (c + 2);
}

/* The mark at the end is often missing; a picture that is cut off is not forgiven. */
static bool
list_pictures (GifFrames *g, Status *status)
{
  Picture p = { .disposal = KEEP, .transparent = -1 };
  int delay = 0;
  size_t at = HEADER_BYTES + table_bytes (g->data[10]);
  while (at > 0 && at + 2 < g->n_bytes && g->data[at] != 0x3b)
    {
      if (g->data[at] == 0x21)
        {
          if (g->data[at + 1] == 0xf9)
            read_control (g, at + 2, &p, &delay);
          at = skip_blocks (g, at + 2);
        }
      else if (g->data[at] == 0x2c && g->n_bytes - at > DESCRIPTOR_BYTES)
        {
          size_t begin = at;
          at = skip_blocks (g, at + DESCRIPTOR_BYTES + table_bytes (g->data[at + 9]) + 1);
          if (!at)
            break;
          p.at = begin;
          p.end += delay >= 2 ? delay : USUAL_DELAY;
          if (!add_picture (g, &p, status))
            return false;
          delay = 0;
        }
      else
        break;
    }
  bool whole = at == g->n_bytes || (at > 0 && at < g->n_bytes && g->data[at] == 0x3b);
  return (whole && g->n_pictures > 0) || damaged (g, status);
}

/* ---- a picture ---- */

typedef struct
{
  const uint8_t *p, *end;
  int left; /* bytes of this sub-block */
  uint32_t bits;
  int n_bits;
} Codes;

/* Returns: -1 at the end */
static int
next_code (Codes *c, int n_bits)
{
  while (c->n_bits < n_bits)
    {
      if (c->left == 0)
        {
          if (c->p >= c->end || *c->p == 0)
            return -1;
          c->left = *c->p++;
        }
      if (c->p >= c->end)
        return -1;
      c->bits |= (uint32_t) *c->p++ << c->n_bits;
      c->n_bits += 8;
      c->left--;
    }
  int code = (int) (c->bits & ((1u << n_bits) - 1));
  c->bits >>= n_bits;
  c->n_bits -= n_bits;
  return code;
}

/* Fills @n_pixels of @out.  Returns: false when the codes are wrong or too few */
static bool
unpack (const GifFrames *g, size_t at, uint8_t *out, size_t n_pixels)
{
  uint16_t prefix[MAX_CODES];
  uint8_t last[MAX_CODES], first[MAX_CODES], stack[MAX_CODES + 1];
  int index_bits = g->data[at], clear = 1 << index_bits;
  Codes c = { g->data + at + 1, g->data + g->n_bytes, 0, 0, 0 };
  int n_bits = index_bits + 1, n_codes = clear + 2, before = -1;
  size_t n = 0;
  if (index_bits < 1 || index_bits > 8)
    return false;
  for (int i = 0; i < clear; i++)
    last[i] = first[i] = (uint8_t) i;
  while (n < n_pixels)
    {
      int code = next_code (&c, n_bits), depth = 0;
      if (code == clear)
        {
          n_bits = index_bits + 1;
          n_codes = clear + 2;
          before = -1;
          continue;
        }
      if (code < 0 || code == clear + 1 || code > n_codes || (code == n_codes && before < 0))
        return false;
      int walk = code;
      if (code == n_codes) /* the string before and its own first index once more */
        {
          stack[depth++] = first[before];
          walk = before;
        }
      for (; walk >= clear; walk = prefix[walk])
        stack[depth++] = last[walk];
      stack[depth++] = (uint8_t) walk;
      if (before >= 0 && n_codes < MAX_CODES)
        {
          prefix[n_codes] = (uint16_t) before;
          last[n_codes] = (uint8_t) walk;
          first[n_codes] = first[before];
          if (++n_codes == 1 << n_bits && n_bits < MAX_BITS)
            n_bits++;
        }
      while (depth > 0 && n < n_pixels)
        out[n++] = stack[--depth];
      before = code;
    }
  return true;
}

/* Rows of interlaced pictures come as every 8th from 0 and 4, every 4th from 2, every 2nd from 1.
 */
static int
row_of (int i, int height, bool interlaced)
{
  static const int starts[] = { 0, 4, 2, 1 }, steps[] = { 8, 8, 4, 2 };
  for (int pass = 0; interlaced && pass < 4; pass++)
    {
      int n = (height - starts[pass] + steps[pass] - 1) / steps[pass];
      if (i < n)
        return starts[pass] + i * steps[pass];
      i -= n > 0 ? n : 0;
    }
  return i;
}

typedef struct
{
  int x, y, width, height; /* may lie outside the canvas */
} Place;

static Place
place_of (const GifFrames *g, const Picture *p)
{
  const uint8_t *d = g->data + p->at;
  return (Place){ u16 (d + 1), u16 (d + 3), u16 (d + 5), u16 (d + 7) };
}

static void
paint (GifFrames *g, const Picture *p, const uint8_t *table, size_t n_colours)
{
  Place at = place_of (g, p);
  bool interlaced = g->data[p->at + 9] & 0x40;
  for (int i = 0; i < at.height; i++)
    {
      int y = at.y + row_of (i, at.height, interlaced);
      const uint8_t *in = g->indices + (size_t) i * (size_t) at.width;
      for (int x = at.x; y < g->info.height && x < at.x + at.width && x < g->info.width; x++, in++)
        if (*in != p->transparent && *in < n_colours)
          memcpy (g->canvas + ((size_t) y * (size_t) g->info.width + (size_t) x) * 3,
                  table + 3 * *in, 3);
    }
}

static bool
lay_picture (GifFrames *g, const Picture *p, Status *status)
{
  uint8_t flags = g->data[p->at + 9];
  size_t own_bytes = table_bytes (flags),
         n_bytes = own_bytes ? own_bytes : table_bytes (g->data[10]);
  const uint8_t *table = g->data + (own_bytes ? p->at + DESCRIPTOR_BYTES : HEADER_BYTES);
  Place at = place_of (g, p);
  size_t n_pixels = (size_t) at.width * (size_t) at.height;
  if (n_pixels > (size_t) g->info.width * (size_t) g->info.height ||
      !unpack (g, p->at + DESCRIPTOR_BYTES + own_bytes, g->indices, n_pixels))
    return damaged (g, status);
  paint (g, p, table, n_bytes / 3);
  return true;
}

/* Takes the last picture away, as it asked for. */
static void
dispose (GifFrames *g, const Picture *p)
{
  Place at = place_of (g, p);
  if (p->disposal == RESTORE)
    memcpy (g->canvas, g->saved, frames_size_bytes (&g->info));
  for (int y = at.y; p->disposal == CLEAR && y < at.y + at.height && y < g->info.height; y++)
    if (at.x < g->info.width)
      {
        int width = at.width < g->info.width - at.x ? at.width : g->info.width - at.x;
        memset (g->canvas + ((size_t) y * (size_t) g->info.width + (size_t) at.x) * 3, 255,
                (size_t) width * 3);
      }
}

static bool
gif_get (void *self, int n, uint8_t *rgb, bool *end, Status *status)
{
  GifFrames *g = self;
  size_t n_bytes = frames_size_bytes (&g->info);
  int picture = frame_rate_find (g->info.rate, g->ends, (int) g->n_pictures, n, CENTISECONDS);
  if (picture < g->next - 1 || g->next == 0)
    {
      memset (g->canvas, 255, n_bytes);
      g->next = 0;
    }
  for (; g->next <= picture; g->next++)
    {
      if (frames_is_cancelled (g->limits, status))
        return false;
      if (g->next > 0)
        dispose (g, &g->pictures[g->next - 1]);
      if (g->pictures[g->next].disposal == RESTORE)
        memcpy (g->saved, g->canvas, n_bytes);
      if (!lay_picture (g, &g->pictures[g->next], status))
        return false;
    }
  memcpy (rgb, g->canvas, n_bytes);
  return true;
}

static void
gif_close (void *self)
{
  GifFrames *g = self;
  mem_free (g->path);
  mem_free (g->data);
  mem_free (g->pictures);
  mem_free (g->ends);
  mem_free (g->canvas);
  mem_free (g->saved);
  mem_free (g->indices);
  mem_free (g);
}

static bool
make_room (GifFrames *g, Status *status)
{
  size_t n = frames_size_bytes (&g->info);
  g->canvas = mem_calloc (n, 1);
  g->saved = mem_calloc (n, 1);
  g->indices = mem_calloc (n / IMAGE_CHANNELS, 1);
  g->ends = mem_calloc (g->n_pictures, sizeof *g->ends);
  if (!g->canvas || !g->saved || !g->indices || !g->ends)
    return no_memory (status);
  for (size_t i = 0; i < g->n_pictures; i++)
    g->ends[i] = g->pictures[i].end;
  return true;
}

static bool
start (GifFrames *g, const MediaSource *source, Status *status)
{
  g->data = media_source_read_all (source, status);
  g->n_bytes = (size_t) source->size_bytes;
  if (!g->data)
    return false;
  if (g->n_bytes < HEADER_BYTES)
    return damaged (g, status);
  g->info = (FilmInfo){ u16 (g->data + 6), u16 (g->data + 8), { 0, 1 }, 1 };
  if (!frames_check_limits (&g->info, g->limits, g->path, status) || !list_pictures (g, status) ||
      !make_room (g, status))
    return false;
  if (g->n_pictures > 1)
    {
      g->info.rate = frame_rate_of_ends (g->ends, (int) g->n_pictures, CENTISECONDS);
      g->info.n_frames = frame_rate_count (g->info.rate, g->ends[g->n_pictures - 1], CENTISECONDS);
    }
  return frames_check_limits (&g->info, g->limits, g->path, status);
}

FrameSource *
frames_of_gif (const char *path, const FrameLimits *limits, Status *status)
{
  static const FrameSourceKind kind = { gif_get, gif_close };
  MediaSource file;
  if (!media_source_open (&file, path, status))
    return NULL;
  GifFrames *g = mem_calloc (1, sizeof *g);
  bool ok = g || no_memory (status);
  if (ok)
    {
      *g = (GifFrames){ .path = mem_strdup (path), .limits = limits };
      ok = (g->path || no_memory (status)) && start (g, &file, status);
    }
  media_source_close (&file);
  if (g && !ok)
    gif_close (g);
  FrameSource *source = ok ? frames_new (&kind, g, status) : NULL;
  if (!source)
    return NULL;
  source->info = g->info;
  source->description = "GIF";
  if (media_texts_read (&source->texts, path, status))
    return source;
  frames_close (source);
  return NULL;
}
