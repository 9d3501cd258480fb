/* SPDX-License-Identifier: MPL-2.0
 * film-decode.h - frames of film files through GStreamer's decoders; for video.c and tests.
 */
#pragma once

#include "media/frames.h"

/* Whether a file begins like a film of the kinds that film_open() reads. */
bool film_decode_knows (const char *path);
FrameSource *film_decode_open (const char *path, const FrameLimits *limits, Status *status);
