/* SPDX-License-Identifier: MPL-2.0
 * film.h - what films have in common: rate, size, formats, quality.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "core/status.h"

enum
{
  FILM_MAX_SIDE = 8192,
  FILM_MAX_FRAMES = 20000, /* 20 minutes at 16 frames a second */
  FILM_MAX_RATE = 240
};

/* Frames a second, exactly: 30000/1001 is not 29.97. */
typedef struct
{
  int num, den;
} FrameRate;

/* frame_rate_parse:
 * @text: "16", "30000/1001", "23.976" and the like, which are taken for 24000/1001
 *
 * Fails: ARGUMENT for what is no rate above 0 and up to FILM_MAX_RATE
 */
bool frame_rate_parse (FrameRate *rate, const char *text, Status *status);
bool frame_rate_is_valid (FrameRate rate);
/* Lowest terms. */
FrameRate frame_rate_reduce (FrameRate rate);
/* When frame @n begins, in units of @per_second; rounded to the nearest, so that no error adds up.
 */
int64_t frame_rate_time (FrameRate rate, int64_t n, int64_t per_second);
/* frame_rate_of_ends:
 * @ends: when each of @n pictures ends, in units of @per_second, growing; formats that round times
 *   and put pictures that are alike together have nothing else
 *
 * Returns: the lowest of the common rates on whose grid all ends lie, else one that has the
 * shortest picture for a frame; 0/1 when there is no time at all
 */
FrameRate frame_rate_of_ends (const int64_t *ends, int n, int64_t per_second);
/* How many frames of @rate last until @end; at least 1, at most INT32_MAX. */
int frame_rate_count (FrameRate rate, int64_t end, int64_t per_second);
/* Which of the pictures, whose @ends grow, is shown in the middle of frame @frame. */
int frame_rate_find (FrameRate rate, const int64_t *ends, int n, int frame, int64_t per_second);
/* Which frame of @from is shown in the middle of frame @n of @to. */
int64_t frame_rate_convert (FrameRate from, FrameRate to, int64_t n);

typedef struct
{
  int width, height; /* upright, square pixels */
  FrameRate rate;    /* 0/1 when the source has none, as a folder of pictures */
  int n_frames;      /* -1 while it is not known */
} FilmInfo;

typedef enum
{
  FILM_H264,   /* MP4 */
  FILM_H265,   /* MP4 */
  FILM_AV1,    /* MP4 */
  FILM_VP9,    /* WebM */
  FILM_WEBM,   /* AV1 in WebM */
  FILM_FFV1,   /* MKV, RGB, lossless */
  FILM_PRORES, /* MOV, 4:2:2 or 4:4:4, 10 bits */
  FILM_WEBP,   /* moving WebP */
  FILM_GIF,
  FILM_PNG,  /* a folder of numbered pictures */
  FILM_CLIP, /* clip.h */
  FILM_N_FORMATS
} FilmFormat;

typedef enum
{
  FILM_DRAFT,
  FILM_STANDARD,
  FILM_HIGH,
  FILM_N_QUALITIES
} FilmQuality;

typedef struct
{
  const char *name;      /* for command lines */
  const char *extension; /* with its dot; "" for a folder */
  const char *title;     /* for people */
  bool needs_gstreamer;
} FilmFormatInfo;

const FilmFormatInfo *film_format_info (FilmFormat format);
const char *film_quality_name (FilmQuality quality);
bool film_format_parse (FilmFormat *format, const char *name, Status *status);
bool film_quality_parse (FilmQuality *quality, const char *name, Status *status);

/* film_format_of_path:
 *
 * By the extension; a path that ends in "/" or names a folder is FILM_PNG.
 * Fails: ARGUMENT
 */
bool film_format_of_path (FilmFormat *format, const char *path, Status *status);
