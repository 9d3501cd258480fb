/* SPDX-License-Identifier: MPL-2.0
 * film-writer-gif.c - a GIF with one palette for the whole film (GIF89a).
 *
 * The palette needs all frames before the first is written, and a film may not fit into memory:
 * frames wait as they are in a nameless file beside the target.
 */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "core/mem.h"
#include "media/film-writer.h"
#include "media/frames.h"
#include "media/gif.h"

enum
{
  CENTISECONDS = 100,
  MAX_RATE = 50, /* viewers slow delays below 2/100 s down to 10/100 s */
  COMMENT_MAX = 1 << 20
};

typedef struct
{
  AtomicFile file;
  int spool;     /* file descriptor */
  FilmInfo info; /* n_frames: so far */
  const FilmOptions *options;
  GifColours *colours;
  GifPalette palette;
  uint8_t *rgb, *indices, *last; /* a frame; its indices; those of the one before */
  GifBytes out;
} GifFilm;

static bool
gif_add (void *self, const uint8_t *rgb, Status *status)
{
  GifFilm *g = self;
  size_t n = frames_size_bytes (&g->info);
  gif_colours_add (g->colours, rgb, n / IMAGE_CHANNELS);
  g->info.n_frames++;
  return media_spool_write (g->spool, rgb, n, g->file.path, status);
}

static bool
put_u16s (GifBytes *out, const int *values, int n, Status *status)
{
  uint8_t bytes[16];
  for (int i = 0; i < n; i++)
    {
      bytes[2 * i] = (uint8_t) values[i];
      bytes[2 * i + 1] = (uint8_t) (values[i] >> 8);
    }
  return gif_bytes_put (out, bytes, 2 * (size_t) n, status);
}

/* Bits of an index: 2 to 8, as the format asks. */
static int
index_bits (const GifPalette *palette)
{
  int n_bits = 2;
  while (1 << n_bits < palette->n)
    n_bits++;
  return n_bits;
}

static bool
put_comment (GifBytes *out, const char *mark, const char *text, Status *status)
{
  GifBytes joined = { 0 };
  if (!text || strlen (text) > COMMENT_MAX)
    return true;
  bool ok = gif_bytes_put (&joined, mark, strlen (mark), status) &&
            gif_bytes_put (&joined, text, strlen (text), status) &&
            gif_bytes_put (out, "\x21\xfe", 2, status) &&
            gif_bytes_put_blocks (out, joined.data, joined.n, status);
  mem_free (joined.data);
  return ok;
}

static bool
put_header (GifFilm *g, Status *status)
{
  static const uint8_t forever[] = "\x21\xff\x0bNETSCAPE2.0\x03\x01\0\0";
  int n_bits = index_bits (&g->palette);
  const int size[] = { g->info.width, g->info.height };
  uint8_t flags[3] = { (uint8_t) (0xf0 | (n_bits - 1)), 0, 0 };
  return gif_bytes_put (&g->out, "GIF89a", 6, status) && put_u16s (&g->out, size, 2, status) &&
         gif_bytes_put (&g->out, flags, sizeof flags, status) &&
         gif_bytes_put (&g->out, g->palette.rgb, (size_t) 3 << n_bits, status) &&
         gif_bytes_put (&g->out, forever, sizeof forever, status) &&
         put_comment (&g->out, "gesso:", g->options->recipe, status) &&
         put_comment (&g->out, "parameters:", g->options->parameters, status);
}

typedef struct
{
  int x, y, width, height;
} Rectangle;

/* Where a frame differs from the one before; a pixel when it does not. */
static Rectangle
changed_part (const GifFilm *g, int n)
{
  int w = g->info.width, h = g->info.height;
  int x0 = w, y0 = h, x1 = -1, y1 = -1;
  if (n == 0)
    return (Rectangle){ 0, 0, w, h };
  for (int y = 0; y < h; y++)
    for (int x = 0; x < w; x++)
      if (g->indices[(size_t) y * (size_t) w + (size_t) x] !=
          g->last[(size_t) y * (size_t) w + (size_t) x])
        {
          x0 = x < x0 ? x : x0;
          x1 = x > x1 ? x : x1;
          y0 = y < y0 ? y : y0;
          y1 = y;
        }
  return x1 < 0 ? (Rectangle){ 0, 0, 1, 1 } : (Rectangle){ x0, y0, x1 - x0 + 1, y1 - y0 + 1 };
}

static bool
put_frame (GifFilm *g, int n, Status *status)
{
  FrameRate rate = g->info.rate;
  int delay =
      (int) (frame_rate_time (rate, n + 1, CENTISECONDS) - frame_rate_time (rate, n, CENTISECONDS));
  Rectangle r = changed_part (g, n);
  const int place[] = { r.x, r.y, r.width, r.height };
  size_t first = (size_t) r.y * (size_t) g->info.width + (size_t) r.x;
  return gif_bytes_put (&g->out, "\x21\xf9\x04\x04", 4, status) &&
         put_u16s (&g->out, &delay, 1, status) && gif_bytes_put (&g->out, "\0\0\x2c", 3, status) &&
         put_u16s (&g->out, place, 4, status) && gif_bytes_put (&g->out, "\0", 1, status) &&
         gif_lzw (&g->out, g->indices + first, r.width, r.height, g->info.width,
                  index_bits (&g->palette), status);
}

static bool
flush (GifFilm *g, Status *status)
{
  bool ok = atomic_file_write (&g->file, g->out.data, g->out.n, status);
  g->out.n = 0;
  return ok;
}

static bool
write_frames (GifFilm *g, GifMap *map, Status *status)
{
  const FrameLimits limits = { .cancel = g->options->cancel };
  size_t n_bytes = frames_size_bytes (&g->info);
  for (int n = 0; n < g->info.n_frames; n++)
    {
      uint8_t *swapped = g->last;
      g->last = g->indices;
      g->indices = swapped;
      if (frames_is_cancelled (&limits, status) ||
          !media_spool_read (g->spool, (uint64_t) n * n_bytes, g->rgb, n_bytes, g->file.path,
                             status))
        return false;
      gif_map_rows (map, g->rgb, g->info.width, g->info.height, g->indices);
      if (!put_frame (g, n, status) || !flush (g, status))
        return false;
    }
  return gif_bytes_put (&g->out, "\x3b", 1, status) && flush (g, status);
}

static bool
gif_finish (void *self, Status *status)
{
  GifFilm *g = self;
  GifMap *map = NULL;
  bool ok = gif_palette_make (&g->palette, g->colours, status) &&
            (map = gif_map_new (&g->palette, status)) && put_header (g, status) &&
            write_frames (g, map, status) &&
            atomic_file_commit (&g->file, g->options->overwrite, status);
  gif_map_free (map);
  return ok;
}

static void
gif_close (void *self)
{
  GifFilm *g = self;
  atomic_file_discard (&g->file);
  media_spool_close (g->spool);
  gif_colours_free (g->colours);
  mem_free (g->rgb);
  mem_free (g->indices);
  mem_free (g->last);
  mem_free (g->out.data);
  mem_free (g);
}

static bool
make_room (GifFilm *g, Status *status)
{
  size_t n = frames_size_bytes (&g->info);
  g->rgb = mem_calloc (n, 1);
  g->indices = mem_calloc (n / IMAGE_CHANNELS, 1);
  g->last = mem_calloc (n / IMAGE_CHANNELS, 1);
  g->colours = gif_colours_new (status);
  return (g->rgb && g->indices && g->last && g->colours) ||
         status_fail (status, STATUS_NO_MEMORY, "Out of memory: close other programs and retry.");
}

FilmWriter *
film_writer_gif (const char *path, const FilmInfo *info, const FilmOptions *options, Status *status)
{
  static const FilmWriterKind kind = { gif_add, gif_finish, gif_close };
  if (info->rate.num > info->rate.den * MAX_RATE)
    {
      status_fail (status, STATUS_ARGUMENT,
                   "GIF shows at most %d frames a second: choose a rate of %d or less.", MAX_RATE,
                   MAX_RATE);
      return NULL;
    }
  GifFilm *g = mem_calloc (1, sizeof *g);
  if (!g)
    {
      status_fail (status, STATUS_NO_MEMORY, "Out of memory: close other programs and retry.");
      return NULL;
    }
  *g = (GifFilm){ .spool = -1, .info = *info, .options = options };
  g->info.n_frames = 0;
  if (atomic_file_open (&g->file, path, status) && make_room (g, status) &&
      (g->spool = media_spool_open (path, status)) >= 0)
    return film_writer_new (&kind, g, info, options, status);
  gif_close (g);
  return NULL;
}
