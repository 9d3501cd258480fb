/* SPDX-License-Identifier: MPL-2.0
 * png-read.c - reading a PNG of any kind as 8-bit RGB.
 */
#include <png.h>
#include <setjmp.h>
#include <string.h>

#include "core/mem.h"
#include "media/icc.h"
#include "media/pixels.h"
#include "media/png-common.h"
#include "media/png.h"

enum
{
  SIGNATURE_BYTES = 8,
  CHUNK_MAX_BYTES = 20 << 20,
  CHUNKS_MAX = 1000
};

typedef struct
{
  PngState state; /* first: libpng's callbacks see it */
  const MediaSource *source;
  uint64_t offset;
  uint8_t *pixels; /* RGBA while it is read, packed to RGB at the end */
  png_bytep *rows;
  int width, height;
} PngReader;

bool
png_is (const uint8_t *data, size_t n_bytes)
{
  return n_bytes >= SIGNATURE_BYTES && png_sig_cmp (data, 0, SIGNATURE_BYTES) == 0;
}

static void
read_cb (png_structp png, png_bytep out, size_t n_bytes)
{
  PngReader *r = png_get_io_ptr (png);
  if (!media_source_read (r->source, r->offset, out, n_bytes))
    png_error (png, "it ends too early");
  r->offset += n_bytes;
}

/* Texts are not wanted here: they would only cost time and memory. */
static void
set_limits (png_structp png)
{
  static const png_byte skipped[] = "tEXt\0zTXt\0iTXt\0eXIf\0sPLT\0hIST";
  png_set_keep_unknown_chunks (png, PNG_HANDLE_CHUNK_NEVER, skipped, (int) (sizeof skipped / 5));
  png_set_user_limits (png, IMAGE_MAX_SIDE, IMAGE_MAX_SIDE);
  png_set_chunk_malloc_max (png, CHUNK_MAX_BYTES);
  png_set_chunk_cache_max (png, CHUNKS_MAX);
}

static void
ask_for_rgba8 (PngReader *r)
{
  png_structp png = r->state.png;
  png_set_expand (png); /* palettes, less than 8 bits, a transparent colour */
  png_set_strip_16 (png);
  png_set_gray_to_rgb (png);
  png_set_add_alpha (png, 0xff, PNG_FILLER_AFTER);
  png_set_interlace_handling (png);
  png_read_update_info (png, r->state.info);
}

static bool
make_room (PngReader *r)
{
  png_uint_32 width = png_get_image_width (r->state.png, r->state.info);
  png_uint_32 height = png_get_image_height (r->state.png, r->state.info);
  if ((uint64_t) width * height > IMAGE_MAX_PIXELS)
    return status_fail (r->state.status, STATUS_UNSUPPORTED,
                        "\"%.300s\" has %u x %u px, more than can be read: scale it down first.",
                        r->state.name, (unsigned) width, (unsigned) height);
  size_t row_bytes = (size_t) width * RGBA_CHANNELS;
  r->width = (int) width;
  r->height = (int) height;
  r->pixels = mem_calloc (height, row_bytes);
  r->rows = mem_calloc (height, sizeof *r->rows);
  if (!r->pixels || !r->rows)
    return status_fail (r->state.status, STATUS_NO_MEMORY,
                        "Out of memory: close other programs and retry.");
  for (size_t y = 0; y < height; y++)
    r->rows[y] = r->pixels + y * row_bytes;
  return true;
}

static void
apply_profile (PngReader *r)
{
  png_charp name;
  png_bytep profile;
  png_uint_32 n_bytes;
  int compression;
  if (png_get_iCCP (r->state.png, r->state.info, &name, &compression, &profile, &n_bytes))
    icc_to_srgb (r->pixels, (size_t) r->width * (size_t) r->height, RGBA_CHANNELS, profile,
                 n_bytes);
}

/* libpng comes back here on errors; all that has to be freed is in @r. */
static bool
decode (PngReader *r)
{
  if (setjmp (png_jmpbuf (r->state.png)))
    return png_state_failed (&r->state);
  png_set_read_fn (r->state.png, r, read_cb);
  set_limits (r->state.png);
  png_read_info (r->state.png, r->state.info);
  ask_for_rgba8 (r);
  if (!make_room (r))
    return false;
  png_read_image (r->state.png, r->rows);
  apply_profile (r);
  return true; /* what follows the pixels is not needed */
}

bool
png_decode (Image *image, const MediaSource *source, bool opacity, Status *status)
{
  PngReader r = { .state = { .status = status, .name = source->name },
                  .source = source };
  PngState *s = &r.state;
  s->png = png_create_read_struct_2 (PNG_LIBPNG_VER_STRING, s, png_error_cb, png_warning_cb, s,
                                     png_malloc_cb, png_free_cb);
  s->info = s->png ? png_create_info_struct (s->png) : NULL;
  bool ok = s->info || status_fail (status, STATUS_NO_MEMORY,
                                    "Out of memory: close other programs and retry.");
  ok = ok && decode (&r);
  png_destroy_read_struct (&s->png, &s->info, NULL);
  mem_free (r.rows);
  if (ok)
    pixels_take_rgba (image, r.pixels, r.width, r.height, opacity);
  else
    mem_free (r.pixels);
  return ok;
}
