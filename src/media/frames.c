/* SPDX-License-Identifier: MPL-2.0
 * frames.c - what all sources of frames share, and those in memory.
 */
#include "media/frames.h"

#include <string.h>
#include <strings.h>
#include <sys/stat.h>

#include "core/mem.h"
#include "media/clip.h"
#include "media/jpeg.h"
#include "media/png.h"
#include "media/riff.h"

enum
{
  HEAD_BYTES = CLIP_HEAD_BYTES
};

size_t
frames_size_bytes (const FilmInfo *info)
{
  return (size_t) info->width * (size_t) info->height * IMAGE_CHANNELS;
}

FrameSource *
frames_new (const FrameSourceKind *kind, void *self, Status *status)
{
  FrameSource *source = mem_calloc (1, sizeof *source);
  if (!source)
    {
      status_fail (status, STATUS_NO_MEMORY, "Out of memory: close other programs and retry.");
      kind->close (self);
      return NULL;
    }
  source->kind = kind;
  source->self = self;
  source->info = (FilmInfo){ .rate = { 0, 1 }, .n_frames = -1 };
  return source;
}

void
frames_close (FrameSource *source)
{
  if (!source)
    return;
  source->kind->close (source->self);
  media_texts_clear (&source->texts);
  mem_free (source);
}

bool
frames_get (FrameSource *source, int n, uint8_t *rgb, bool *end, Status *status)
{
  *end = n < 0 || (source->info.n_frames >= 0 && n >= source->info.n_frames);
  return *end || source->kind->get (source->self, n, rgb, end, status);
}

bool
frames_check_limits (const FilmInfo *info,
                     const FrameLimits *limits,
                     const char *name,
                     Status *status)
{
  int64_t max_pixels =
      limits && limits->max_pixels ? limits->max_pixels : (int64_t) FILM_MAX_SIDE * FILM_MAX_SIDE;
  int max_frames = limits && limits->max_frames ? limits->max_frames : FILM_MAX_FRAMES;
  if (info->width < 1 || info->height < 1 || info->width > IMAGE_MAX_SIDE ||
      info->height > IMAGE_MAX_SIDE || (int64_t) info->width * info->height > max_pixels)
    return status_fail (status, STATUS_UNSUPPORTED,
                        "\"%.300s\" has frames of %d x %d px, more than can be read: scale it down "
                        "first.",
                        name, info->width, info->height);
  return info->n_frames <= max_frames ||
         status_fail (status, STATUS_UNSUPPORTED,
                      "\"%.300s\" has more than %d frames: cut it first.", name, max_frames);
}

bool
frames_is_cancelled (const FrameLimits *limits, Status *status)
{
  return limits && limits->cancel && atomic_load (limits->cancel) &&
         !status_fail (status, STATUS_CANCELLED, "Cancelled.");
}

/* ---- memory ---- */

typedef struct
{
  const uint8_t *rgb;
  size_t frame_bytes;
} MemoryFrames;

static bool
memory_get (void *self, int n, uint8_t *rgb, bool *end, Status *status)
{
  const MemoryFrames *m = self;
  memcpy (rgb, m->rgb + (size_t) n * m->frame_bytes, m->frame_bytes);
  return true;
}

FrameSource *
frames_of_memory (const uint8_t *rgb, const FilmInfo *info, Status *status)
{
  static const FrameSourceKind kind = { memory_get, mem_free };
  MemoryFrames *m = mem_calloc (1, sizeof *m);
  if (!m)
    {
      status_fail (status, STATUS_NO_MEMORY, "Out of memory: close other programs and retry.");
      return NULL;
    }
  *m = (MemoryFrames){ rgb, frames_size_bytes (info) };
  FrameSource *source = frames_new (&kind, m, status);
  if (source)
    {
      source->info = *info;
      source->description = "frames in memory";
    }
  return source;
}

/* ---- by content ---- */

FrameSource *
frames_open (const char *path, const FrameLimits *limits, Status *status)
{
  struct stat st;
  MediaSource file;
  uint8_t head[HEAD_BYTES] = { 0 };
  if (stat (path, &st) == 0 && S_ISDIR (st.st_mode))
    return frames_of_folder (path, limits, status);
  if (!media_source_open (&file, path, status))
    return NULL;
  size_t n = file.size_bytes < sizeof head ? (size_t) file.size_bytes : sizeof head;
  bool ok = media_source_read (&file, 0, head, n);
  media_source_close (&file);
  if (ok && clip_is (head, n))
    return frames_of_clip (path, limits, status);
  if (ok && n > 4 && memcmp (head, "GIF8", 4) == 0)
    return frames_of_gif (path, limits, status);
  if (ok && riff_is_webp (head, n))
    return frames_of_webp (path, limits, status);
  if (ok && (png_is (head, n) || jpeg_is (head, n)))
    return frames_of_folder (path, limits, status);
  if (ok)
    status_fail (status, STATUS_UNSUPPORTED, "\"%.300s\" is no clip, folder or picture.", path);
  else
    status_fail (status, STATUS_IO, "Cannot read \"%.300s\": reading failed.", path);
  return NULL;
}

static bool
ends_in (const char *name, const char *ending)
{
  size_t length = strlen (name), n = strlen (ending);
  return length > n && strcasecmp (name + length - n, ending) == 0;
}

static bool
is_webp (const char *name)
{
  return ends_in (name, ".webp");
}

bool
frames_may_move (const char *name)
{
  return is_webp (name) || ends_in (name, ".gclip") || ends_in (name, ".gif");
}

static bool
read_first (Image *image, FrameSource *source, const char *path, Status *status)
{
  bool end = false;
  *image = (Image){ source->info.width, source->info.height,
                    mem_calloc (frames_size_bytes (&source->info), 1) };
  if (!image->rgb)
    return status_fail (status, STATUS_NO_MEMORY, "Out of memory: close other programs and retry.");
  if (!frames_get (source, 0, image->rgb, &end, status))
    return false;
  return !end || status_fail (status, STATUS_FORMAT, "\"%.300s\" has no frame.", path);
}

bool
frames_read_picture (Image *image, const char *path, FilmInfo *info, Status *status)
{
  FilmInfo still = { .rate = { 0, 1 }, .n_frames = 1 };
  if (!frames_may_move (path))
    {
      if (info)
        *info = still;
      return image_read (image, path, status);
    }
  FrameSource *source = frames_open (path, NULL, status);
  bool moves = source && source->info.n_frames != 1;
  /* a still WebP is a picture, with a profile and an orientation */
  bool ok = source && (moves || !is_webp (path) ? read_first (image, source, path, status)
                                                : image_read (image, path, status));
  if (ok && info)
    *info = moves ? source->info : still;
  frames_close (source);
  if (!ok)
    image_clear (image);
  return ok;
}
