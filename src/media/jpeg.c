/* SPDX-License-Identifier: MPL-2.0
 * jpeg.c - reading JPEG pictures with libjpeg.
 *
 * libjpeg takes its working memory from the C library itself, a few rows for baseline files and the
 * coefficients for progressive ones, under the limit set here.
 */
#include "media/jpeg.h"

#include <setjmp.h>
#include <stdio.h>
#include <string.h>

#include <jerror.h>
#include <jpeglib.h>

#include "core/mem.h"
#include "media/exif.h"

typedef struct
{
  struct jpeg_error_mgr errors; /* first: libjpeg hands back its address */
  struct jpeg_decompress_struct jpeg;
  jmp_buf jump;
  const MediaSource *source;
  Status *status;
  uint8_t *data; /* the file */
  Image image;
} JpegReader;

enum
{
  FILE_MAX_BYTES = 256 << 20,
  SCANS_MAX = 500 /* a progressive file with more is made to waste time */
};

bool
jpeg_is (const uint8_t *data, size_t n_bytes)
{
  return n_bytes >= 3 && data[0] == 0xff && data[1] == 0xd8 && data[2] == 0xff;
}

static void
error_cb (j_common_ptr info)
{
  JpegReader *r = (JpegReader *) info->err;
  char message[JMSG_LENGTH_MAX];
  r->errors.format_message (info, message);
  status_fail (r->status,
               info->err->msg_code == JERR_OUT_OF_MEMORY ? STATUS_NO_MEMORY : STATUS_FORMAT,
               "Cannot read \"%.200s\": the JPEG is damaged (%.100s).", r->source->name, message);
  longjmp (r->jump, 1);
}

/* A file that is cut off only warns; half a grey picture is no picture to start from. */
static void
message_cb (j_common_ptr info, int level)
{
  if (level < 0 && info->err->msg_code == JWRN_JPEG_EOF)
    error_cb (info);
}

static void
progress_cb (j_common_ptr info)
{
  JpegReader *r = (JpegReader *) info->err;
  if (r->jpeg.input_scan_number > SCANS_MAX)
    {
      status_fail (r->status, STATUS_FORMAT, "Cannot read \"%.200s\": the JPEG is damaged.",
                   r->source->name);
      longjmp (r->jump, 1);
    }
}

static bool
check_header (JpegReader *r)
{
  J_COLOR_SPACE space = r->jpeg.jpeg_color_space;
  uint64_t width = r->jpeg.image_width, height = r->jpeg.image_height;
  if (space == JCS_CMYK || space == JCS_YCCK)
    return status_fail (r->status, STATUS_UNSUPPORTED,
                        "\"%.200s\" is a JPEG in CMYK: convert it to RGB first.", r->source->name);
  if (width > IMAGE_MAX_SIDE || height > IMAGE_MAX_SIDE || width * height > IMAGE_MAX_PIXELS)
    return status_fail (r->status, STATUS_UNSUPPORTED,
                        "\"%.200s\" has %u x %u px, more than can be read: scale it down first.",
                        r->source->name, (unsigned) width, (unsigned) height);
  return true;
}

static bool
read_rows (JpegReader *r)
{
  size_t row_bytes = (size_t) r->jpeg.output_width * IMAGE_CHANNELS;
  r->image = (Image){ (int) r->jpeg.output_width, (int) r->jpeg.output_height,
                      mem_calloc (r->jpeg.output_height, row_bytes) };
  if (!r->image.rgb)
    return status_fail (r->status, STATUS_NO_MEMORY,
                        "Out of memory: close other programs and retry.");
  while (r->jpeg.output_scanline < r->jpeg.output_height)
    {
      JSAMPROW row = r->image.rgb + r->jpeg.output_scanline * row_bytes;
      jpeg_read_scanlines (&r->jpeg, &row, 1);
    }
  return true;
}

/* libjpeg comes back here on errors; all that has to be freed is in @r. */
static bool
decode (JpegReader *r, struct jpeg_progress_mgr *progress)
{
  if (setjmp (r->jump))
    return false;
  jpeg_create_decompress (&r->jpeg);
  r->jpeg.progress = progress;
  jpeg_mem_src (&r->jpeg, r->data, (unsigned long) r->source->size_bytes);
  jpeg_read_header (&r->jpeg, TRUE);
  if (!check_header (r))
    return false;
  r->jpeg.out_color_space = JCS_RGB;
  jpeg_start_decompress (&r->jpeg);
  if (!read_rows (r))
    return false;
  jpeg_finish_decompress (&r->jpeg);
  return true;
}

static bool
read_file (JpegReader *r)
{
  size_t n = (size_t) r->source->size_bytes;
  if (r->source->size_bytes > FILE_MAX_BYTES)
    return status_fail (r->status, STATUS_UNSUPPORTED,
                        "\"%.200s\" is larger than %d MiB: scale it down first.", r->source->name,
                        FILE_MAX_BYTES >> 20);
  r->data = mem_calloc (n, 1);
  if (!r->data)
    return status_fail (r->status, STATUS_NO_MEMORY,
                        "Out of memory: close other programs and retry.");
  return media_source_read (r->source, 0, r->data, n) ||
         status_fail (r->status, STATUS_IO, "Cannot read \"%.200s\": reading failed.",
                      r->source->name);
}

/* EXIF orientations: 2 mirrored, 3 half a turn, 4 upside down mirrored, 5 to 8 with sides swapped.
 */
static bool
turn_upright (Image *image, int orientation, Status *status)
{
  if (orientation < 2 || orientation > 8)
    return true;
  bool swap = orientation >= 5;
  bool flip_x = orientation == 2 || orientation == 3 || orientation == 7 || orientation == 8;
  bool flip_y = orientation == 3 || orientation == 4 || orientation == 6 || orientation == 7;
  int w = image->width, h = image->height, out_w = swap ? h : w, out_h = swap ? w : h;
  uint8_t *out = mem_calloc ((size_t) w * (size_t) h, IMAGE_CHANNELS), *p = out;
  if (!out)
    return status_fail (status, STATUS_NO_MEMORY, "Out of memory: close other programs and retry.");
  for (int y = 0; y < out_h; y++)
    for (int x = 0; x < out_w; x++, p += IMAGE_CHANNELS)
      {
        int in_x = swap ? y : x, in_y = swap ? x : y;
        in_x = flip_x ? w - 1 - in_x : in_x;
        in_y = flip_y ? h - 1 - in_y : in_y;
        memcpy (p, image->rgb + ((size_t) in_y * (size_t) w + (size_t) in_x) * IMAGE_CHANNELS,
                IMAGE_CHANNELS);
      }
  mem_free (image->rgb);
  *image = (Image){ out_w, out_h, out };
  return true;
}

bool
jpeg_decode (Image *image, const MediaSource *source, Status *status)
{
  JpegReader r = { .source = source, .status = status };
  struct jpeg_progress_mgr progress = { .progress_monitor = progress_cb };
  r.jpeg.err = jpeg_std_error (&r.errors);
  r.errors.error_exit = error_cb;
  r.errors.emit_message = message_cb;
  bool ok = read_file (&r) && decode (&r, &progress);
  jpeg_destroy_decompress (&r.jpeg);
  mem_free (r.data);
  ok = ok && turn_upright (&r.image, exif_orientation (source), status);
  if (ok)
    *image = r.image;
  else
    mem_free (r.image.rgb);
  return ok;
}
