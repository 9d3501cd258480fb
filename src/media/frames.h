/* SPDX-License-Identifier: MPL-2.0
 * frames.h - frames by number, wherever they come from: memory, a folder of pictures, a clip, a
 * GIF, a moving WebP, a film.
 */
#pragma once

#include <stdatomic.h>

#include "media/film.h"
#include "media/image.h"
#include "media/texts.h"

typedef struct FrameSource FrameSource;

/* What a kind of source does; @self is FrameSource.self. */
typedef struct
{
  /* As frames_get; @rgb has room for a frame. */
  bool (*get) (void *self, int n, uint8_t *rgb, bool *end, Status *status);
  void (*close) (void *self);
} FrameSourceKind;

struct FrameSource
{
  FilmInfo info;
  int n_expected;          /* how many frames there seem to be, for progress; 0 when unknown */
  MediaTexts texts;        /* as media_texts_read() of the file; the recipe is under "gesso" */
  const char *description; /* of what it is: "clip", "folder of pictures" */
  const FrameSourceKind *kind;
  void *self;
};

typedef struct
{
  int max_frames;            /* 0 for FILM_MAX_FRAMES */
  int64_t max_pixels;        /* of a frame; 0 for 8192 x 8192 */
  const atomic_bool *cancel; /* NULL, or looked at while waiting */
} FrameLimits;

/* frames_open:
 * @path: a clip, a GIF, a moving or still WebP, a still PNG or JPEG, or a folder of numbered
 *   pictures
 * @limits: NULL for the default ones
 *
 * Films need media/video/film-reader.h, which also opens these.
 *
 * Returns: to frames_close; NULL and NOT_FOUND, IO, FORMAT, UNSUPPORTED (also for films), NO_MEMORY
 */
FrameSource *frames_open (const char *path, const FrameLimits *limits, Status *status);

/* frames_of_memory:
 * @rgb: (n_frames, height, width, 3), borrowed as long as the source lives
 */
FrameSource *frames_of_memory (const uint8_t *rgb, const FilmInfo *info, Status *status);

/* frames_get:
 * @n: any frame from 0; the one after the last asked for comes cheapest
 * @rgb: receives (height, width, 3), sRGB
 * @end: set, and @rgb untouched, when the source has no such frame
 *
 * One thread at a time.  Fails: FORMAT, IO, CANCELLED, NO_MEMORY; what is in @rgb is then of no use
 */
bool frames_get (FrameSource *source, int n, uint8_t *rgb, bool *end, Status *status);

/* frames_read_picture:
 * @image: as image_read()
 * @info: receives what of it moves: .n_frames 1 for a still picture; may be NULL
 *
 * Any picture that image_read() takes, or the first frame of a clip, a GIF or a moving WebP.
 */
bool frames_read_picture (Image *image, const char *path, FilmInfo *info, Status *status);

/* Whether a file of this name may hold frames: a clip, a GIF or a WebP.  Looks at its end only. */
bool frames_may_move (const char *name);

size_t frames_size_bytes (const FilmInfo *info);
void frames_close (FrameSource *source);

/* ---- for the kinds ---- */

/* frames_new:
 * @self: taken, and closed on failure
 */
FrameSource *frames_new (const FrameSourceKind *kind, void *self, Status *status);
/* Whether size and number are within @limits (NULL: the default ones). */
bool frames_check_limits (const FilmInfo *info,
                          const FrameLimits *limits,
                          const char *name,
                          Status *status);
bool frames_is_cancelled (const FrameLimits *limits, Status *status);
/* Each opens its kind; @path for the sentence and the file. */
FrameSource *frames_of_folder (const char *path, const FrameLimits *limits, Status *status);
FrameSource *frames_of_clip (const char *path, const FrameLimits *limits, Status *status);
FrameSource *frames_of_gif (const char *path, const FrameLimits *limits, Status *status);
FrameSource *frames_of_webp (const char *path, const FrameLimits *limits, Status *status);
