/* SPDX-License-Identifier: MPL-2.0
 * film-copy.h - a clip, pictures or a film as a film of another format.
 */
#pragma once

#include "media/video/video.h"

typedef struct
{
  FilmOptions film; /* .recipe and .parameters NULL: those of the source */
  FrameRate rate;   /* 0/1: that of the source.  Of pictures their rate; of clips and films another
                       one, by leaving out or repeating frames */
  FrameLimits limits;
  /* NULL, or called after each frame on the calling thread; @n_expected is never below @n_done */
  void (*progress) (void *data, int n_done, int n_expected);
  void *data;
} FilmCopyOptions;

typedef struct
{
  FilmInfo info;       /* of what was written */
  char note[256];      /* as FilmWriter.note, or what another encoder took over from */
  const char *encoder; /* as FilmWriter.encoder */
} FilmCopied;

/* film_copy:
 * @from: what film_open() reads
 * @to: as film_writer_open()
 *
 * Where a card's encoder fails, the film is made once more from its first frame by the next one,
 * and @done->note says so.
 *
 * @done: filled in on success
 *
 * Works until the file has its name, so never on a thread that draws.  On failure, as when
 * cancelled, there is no file.
 * Fails: ARGUMENT when pictures have no rate and none is named; as film_open, film_writer_add
 */
bool film_copy (const char *from,
                const char *to,
                const FilmCopyOptions *options,
                FilmCopied *done,
                Status *status);
