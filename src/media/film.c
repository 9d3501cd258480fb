/* SPDX-License-Identifier: MPL-2.0
 * film.c - frame rates as fractions, formats by name.
 */
#include "media/film.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

enum
{
  NTSC_DEN = 1001,
  DECIMAL_DEN = 1000
};

static const FilmFormatInfo formats[FILM_N_FORMATS] = {
  [FILM_H264] = { "h264", ".mp4", "MP4, H.264", true },
  [FILM_H265] = { "h265", ".mp4", "MP4, H.265", true },
  [FILM_AV1] = { "av1", ".mp4", "MP4, AV1", true },
  [FILM_VP9] = { "vp9", ".webm", "WebM, VP9", true },
  [FILM_WEBM] = { "webm-av1", ".webm", "WebM, AV1", true },
  [FILM_FFV1] = { "ffv1", ".mkv", "MKV, FFV1 (lossless)", true },
  [FILM_PRORES] = { "prores", ".mov", "MOV, ProRes", true },
  [FILM_WEBP] = { "webp", ".webp", "moving WebP", false },
  [FILM_GIF] = { "gif", ".gif", "GIF", false },
  [FILM_PNG] = { "png", "", "folder of PNG pictures", false },
  [FILM_CLIP] = { "clip", ".gclip", "clip of Gesso (lossless)", false },
};

static const char *const qualities[FILM_N_QUALITIES] = { "draft", "standard", "high" };

static int
gcd (int a, int b)
{
  while (b)
    {
      int rest = a % b;
      a = b;
      b = rest;
    }
  return a;
}

FrameRate
frame_rate_reduce (FrameRate rate)
{
  int divisor = gcd (rate.num, rate.den);
  return divisor > 0 ? (FrameRate){ rate.num / divisor, rate.den / divisor } : rate;
}

bool
frame_rate_is_valid (FrameRate rate)
{
  return rate.num > 0 && rate.den > 0 && (int64_t) rate.num <= (int64_t) rate.den * FILM_MAX_RATE;
}

/* 23.976, 29.97 and 59.94 are short for 24, 30 and 60 times 1000/1001. */
static FrameRate
from_decimal (double value)
{
  double whole = round (value * NTSC_DEN / DECIMAL_DEN);
  double ntsc = whole * DECIMAL_DEN / NTSC_DEN;
  if (fabs (value - round (value)) > 1e-9 && fabs (value - ntsc) < 0.006)
    return (FrameRate){ (int) whole * DECIMAL_DEN, NTSC_DEN };
  return frame_rate_reduce ((FrameRate){ (int) lround (value * DECIMAL_DEN), DECIMAL_DEN });
}

bool
frame_rate_parse (FrameRate *rate, const char *text, Status *status)
{
  char *end;
  FrameRate r = { 0, 1 };
  double value = strtod (text, &end);
  bool is_number = end != text && text[strspn (text, "0123456789./")] == '\0';
  if (is_number && *end == '/')
    {
      char *behind;
      long num = strtol (text, &end, 10), den = strtol (end + 1, &behind, 10);
      if (*end == '/' && behind != end + 1 && *behind == '\0' && num <= INT32_MAX &&
          den <= INT32_MAX)
        r = frame_rate_reduce ((FrameRate){ (int) num, (int) den });
    }
  else if (is_number && *end == '\0' && value <= FILM_MAX_RATE)
    r = from_decimal (value);
  if (!frame_rate_is_valid (r))
    return status_fail (
        status, STATUS_ARGUMENT,
        "A frame rate is a number up to %d, as 16, 23.976 or 30000/1001, not \"%.40s\".",
        FILM_MAX_RATE, text);
  *rate = r;
  return true;
}

int64_t
frame_rate_time (FrameRate rate, int64_t n, int64_t per_second)
{
  __int128 scaled = (__int128) n * rate.den * per_second;
  return (int64_t) ((scaled + rate.num / 2) / rate.num);
}

static bool
is_on_grid (FrameRate rate, const int64_t *ends, int n, int64_t per_second)
{
  int64_t last = 0;
  for (int i = 0; i < n; i++)
    {
      int64_t k = frame_rate_time ((FrameRate){ rate.den, rate.num }, ends[i], 1);
      k = (k + per_second / 2) / per_second;
      if (k <= last || frame_rate_time (rate, k, per_second) != ends[i])
        return false;
      last = k;
    }
  return n > 0;
}

FrameRate
frame_rate_of_ends (const int64_t *ends, int n, int64_t per_second)
{
  static const FrameRate common[] = { { 8, 1 },        { 10, 1 },       { 12, 1 },      { 15, 1 },
                                      { 16, 1 },       { 20, 1 },       { 24, 1 },      { 25, 1 },
                                      { 30, 1 },       { 48, 1 },       { 50, 1 },      { 60, 1 },
                                      { 24000, 1001 }, { 30000, 1001 }, { 60000, 1001 } };
  int64_t shortest = INT64_MAX, begin = 0;
  for (size_t i = 0; i < sizeof common / sizeof common[0]; i++)
    if (is_on_grid (common[i], ends, n, per_second))
      return common[i];
  for (int i = 0; i < n; i++)
    {
      int64_t length = ends[i] - begin;
      shortest = length > 0 && length < shortest ? length : shortest;
      begin = ends[i];
    }
  FrameRate rate = { (int) per_second, (int) (shortest < INT32_MAX ? shortest : INT32_MAX) };
  return frame_rate_is_valid (rate) ? frame_rate_reduce (rate) : (FrameRate){ 0, 1 };
}

int
frame_rate_count (FrameRate rate, int64_t end, int64_t per_second)
{
  __int128 n = ((__int128) end * rate.num + (__int128) per_second * rate.den / 2) /
               ((__int128) per_second * rate.den);
  return n < 1 ? 1 : n > INT32_MAX ? INT32_MAX : (int) n;
}

int
frame_rate_find (FrameRate rate, const int64_t *ends, int n, int frame, int64_t per_second)
{
  int low = 0, high = n - 1;
  while (low < high)
    {
      int middle = (low + high) / 2;
      if ((__int128) 2 * ends[middle] * rate.num >
          (__int128) (2 * (int64_t) frame + 1) * rate.den * per_second)
        high = middle;
      else
        low = middle + 1;
    }
  return low;
}

int64_t
frame_rate_convert (FrameRate from, FrameRate to, int64_t n)
{
  __int128 middle = (__int128) (2 * n + 1) * to.den * from.num;
  return (int64_t) (middle / ((__int128) 2 * to.num * from.den));
}

const FilmFormatInfo *
film_format_info (FilmFormat format)
{
  return &formats[format];
}

const char *
film_quality_name (FilmQuality quality)
{
  return qualities[quality];
}

bool
film_format_parse (FilmFormat *format, const char *name, Status *status)
{
  char list[STATUS_MESSAGE_SIZE / 2] = "";
  for (int i = 0; i < FILM_N_FORMATS; i++)
    {
      if (strcmp (formats[i].name, name) == 0)
        {
          *format = (FilmFormat) i;
          return true;
        }
      size_t n = strlen (list);
      snprintf (list + n, sizeof list - n, "%s%s", i ? ", " : "", formats[i].name);
    }
  return status_fail (status, STATUS_ARGUMENT, "There is no format %.40s; there are %s.", name,
                      list);
}

bool
film_quality_parse (FilmQuality *quality, const char *name, Status *status)
{
  for (int i = 0; i < FILM_N_QUALITIES; i++)
    if (strcmp (qualities[i], name) == 0)
      {
        *quality = (FilmQuality) i;
        return true;
      }
  return status_fail (status, STATUS_ARGUMENT,
                      "There is no quality %.40s; there are draft, standard and high.", name);
}

static bool
is_folder (const char *path)
{
  struct stat st;
  size_t n = strlen (path);
  return (n > 0 && path[n - 1] == '/') || (stat (path, &st) == 0 && S_ISDIR (st.st_mode));
}

bool
film_format_of_path (FilmFormat *format, const char *path, Status *status)
{
  const char *name = strrchr (path, '/'), *dot = strrchr (name ? name : path, '.');
  if (is_folder (path))
    {
      *format = FILM_PNG;
      return true;
    }
  for (int i = 0; dot && i < FILM_N_FORMATS; i++)
    if (strcasecmp (formats[i].extension, dot) == 0)
      {
        *format = (FilmFormat) i; /* the first is the one that plays everywhere */
        return true;
      }
  return status_fail (status, STATUS_ARGUMENT,
                      "Cannot tell the format of \"%.200s\": end it in .mp4, .webm, .mkv, .mov, "
                      ".webp, .gif, .gclip or / (pictures), or name a format.",
                      path);
}
