/* SPDX-License-Identifier: MPL-2.0
 * video.h - films of every kind, in and out.
 *
 * Plain C, without a main loop: each call works on the thread that makes it and waits for
 * GStreamer's own, so never on a thread that draws.  Several may be in use at once, each by one
 * thread.
 */
#pragma once

#include "media/film-writer.h"
#include "media/frames.h"

/* video_start:
 *
 * Starts GStreamer, once; a first start ever looks at all plugins, which takes seconds.  Called by
 * the others; an early call from a thread of its own spares the first film the wait.
 */
bool video_start (Status *status);

/* video_hush:
 *
 * SVT-AV1 writes its settings to stderr, and only the environment can tell it not to.  For programs
 * to call before any thread begins.
 */
void video_hush (void);

/* film_writer_open:
 * @path: where the film appears; the folder must exist
 * @info: size and rate; n_frames is how many are expected, -1 when that is not known
 * @options: borrowed, with its strings, until film_writer_close
 *
 * As film_writer_new_plain(), for every format.  Encoders are chosen from what is installed: those
 * of the graphics card first, if a few frames come through them now; then the best in software.
 * Where the encoder needs even sides and a side is odd, its last column or row is repeated and
 * FilmWriter.note says so.
 *
 * Fails: UNSUPPORTED, with the package to install, where no encoder is
 */
FilmWriter *film_writer_open (const char *path,
                              const FilmInfo *info,
                              const FilmOptions *options,
                              Status *status);

/* film_can_write:
 *
 * Whether encoder and container for @format are there.  @package: receives what to install when
 * they are not, static; may be NULL
 */
bool film_can_write (FilmFormat format, const char **package);

/* film_open:
 * @path: what frames_open() reads, or a film
 * @limits: NULL for the default ones; borrowed until frames_close
 *
 * Films are MP4, MOV, Matroska, WebM, AVI, MPEG, Ogg and FLV files, read from the disk alone:
 * nothing in them can make the program fetch anything.  HDR films are refused.  Frames are sRGB,
 * upright as the rotation says, of square pixels.  Frames come in their order, each once, however
 * long it is shown; what was seen once is found again exactly.  Asking far ahead decodes what lies
 * between.
 *
 * Fails: also UNSUPPORTED, with the package to install, where no decoder is; FORMAT for a damaged
 * file; frames_get() fails so when frames stop coming
 */
FrameSource *film_open (const char *path, const FrameLimits *limits, Status *status);
