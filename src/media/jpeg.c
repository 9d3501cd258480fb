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
#include "media/icc.h"
#include "media/pixels.h"

typedef struct
{
  struct jpeg_error_mgr errors; /* first: libjpeg hands back its address */
  struct jpeg_decompress_struct jpeg;
  jmp_buf jump;
  const MediaSource *source;
  Status *status;
  uint8_t *data;    /* the file */
  uint8_t *profile; /* NULL when there is none */
  Image image;
} JpegReader;

enum
{
  ICC_MARKER = JPEG_APP0 + 2,
  ICC_HEAD_BYTES = 14, /* "ICC_PROFILE\0", number of the part, number of parts */
  SCANS_MAX = 500      /* a progressive file with more is made to waste time */
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
               "Cannot read \"%.200s\": the JPEG is damaged (%.100s). Get the file again.",
               r->source->name, message);
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
      status_fail (r->status, STATUS_FORMAT,
                   "Cannot read \"%.200s\": the JPEG is damaged. Get the file again.",
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

static bool
is_icc_part (const struct jpeg_marker_struct *m)
{
  return m->marker == ICC_MARKER && m->data_length > ICC_HEAD_BYTES &&
         memcmp (m->data, "ICC_PROFILE", 12) == 0;
}

/* A profile comes in parts of up to 64 KiB, numbered from 1.  Returns: its bytes, 0 when a part is
 * missing or there is none */
static size_t
join_profile (const JpegReader *r, uint8_t *out)
{
  size_t n_bytes = 0;
  for (int part = 1, n_parts = 1; part <= n_parts; part++)
    {
      const struct jpeg_marker_struct *m = r->jpeg.marker_list;
      while (m && !(is_icc_part (m) && m->data[12] == part))
        m = m->next;
      if (!m)
        return 0;
      n_parts = m->data[13];
      if (out)
        memcpy (out + n_bytes, m->data + ICC_HEAD_BYTES, m->data_length - ICC_HEAD_BYTES);
      n_bytes += m->data_length - ICC_HEAD_BYTES;
    }
  return n_bytes;
}

static bool
apply_profile (JpegReader *r)
{
  size_t n_bytes = join_profile (r, NULL);
  if (!n_bytes)
    return true;
  r->profile = mem_calloc (n_bytes, 1);
  if (!r->profile)
    return status_fail (r->status, STATUS_NO_MEMORY,
                        "Out of memory: close other programs and retry.");
  join_profile (r, r->profile);
  icc_to_srgb (r->image.rgb, (size_t) r->image.width * (size_t) r->image.height, IMAGE_CHANNELS,
               r->profile, n_bytes);
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
  jpeg_save_markers (&r->jpeg, ICC_MARKER, 0xffff);
  jpeg_read_header (&r->jpeg, TRUE);
  if (!check_header (r))
    return false;
  r->jpeg.out_color_space = JCS_RGB;
  jpeg_start_decompress (&r->jpeg);
  if (!read_rows (r) || !apply_profile (r))
    return false;
  jpeg_finish_decompress (&r->jpeg);
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
  bool ok = (r.data = media_source_read_all (source, status)) && decode (&r, &progress);
  jpeg_destroy_decompress (&r.jpeg);
  mem_free (r.data);
  mem_free (r.profile);
  ok = ok && pixels_turn_upright (&r.image, exif_orientation (source), status);
  if (ok)
    *image = r.image;
  else
    mem_free (r.image.rgb);
  return ok;
}
