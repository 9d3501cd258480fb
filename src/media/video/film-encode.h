/* SPDX-License-Identifier: MPL-2.0
 * film-encode.h - film files through GStreamer's encoders; for video.c and tests.
 */
#pragma once

#include "media/film-writer.h"
#include "media/video/encoders.h"

/* As film_writer_open(), for formats that need GStreamer. */
FilmWriter *film_encode_new (const char *path,
                             const FilmInfo *info,
                             const FilmOptions *options,
                             Status *status);
/* The same with encoders of the caller's choice. */
FilmWriter *film_encode_new_with (const EncoderSet *set,
                                  const char *path,
                                  const FilmInfo *info,
                                  const FilmOptions *options,
                                  Status *status);
