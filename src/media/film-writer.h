/* SPDX-License-Identifier: MPL-2.0
 * film-writer.h - frames into a file (or folder) that appears when it is complete.
 */
#pragma once

#include <stdatomic.h>

#include "media/film.h"

typedef struct
{
  FilmFormat format;
  FilmQuality quality;
  bool full_chroma;       /* 4:4:4 in place of 4:2:0 (ProRes: 4:2:2), where the format has it */
  bool overwrite;         /* replace a file of that name; else it is an error.  Folders never. */
  const char *recipe;     /* JSON, kept so that media_texts_read() finds it as "gesso"; or NULL */
  const char *parameters; /* A1111's text, in formats that have room for two; or NULL */
  const atomic_bool *cancel; /* NULL, or looked at while waiting */
} FilmOptions;

typedef struct FilmWriter FilmWriter;

/* What a kind of file does; @self is FilmWriter.self. */
typedef struct
{
  bool (*add) (void *self, const uint8_t *rgb, Status *status);
  bool (*finish) (void *self, Status *status); /* until the file has its name */
  void (*close) (void *self);                  /* removes what is not finished */
} FilmWriterKind;

struct FilmWriter
{
  FilmInfo info;       /* n_frames: so far */
  char note[256];      /* a sentence about what had to be changed; "" for none */
  const char *encoder; /* what does the work, for --json; static */
  bool has_ruled_out;  /* a card's encoder failed: a film begun anew is made by another one */
  const FilmWriterKind *kind;
  void *self;
  const atomic_bool *cancel;
};

/* film_writer_new_plain:
 * @path: where it appears; the folder must exist
 * @info: size and rate; n_frames is how many are expected, -1 when that is not known
 * @options: borrowed, with its strings, until film_writer_close; a .format that needs no GStreamer
 *
 * media/video/video.h writes every format.
 *
 * Returns: to film_writer_close; NULL and ARGUMENT for what the format cannot hold, IO, NO_MEMORY
 */
FilmWriter *film_writer_new_plain (const char *path,
                                   const FilmInfo *info,
                                   const FilmOptions *options,
                                   Status *status);

/* film_writer_add:
 * @rgb: (height, width, 3), sRGB
 *
 * May wait for the encoder, so never on a thread that draws.  After a failure only
 * film_writer_close helps: the file will not be there, and the frames are the caller's still.
 * Fails: IO (disk full), CANCELLED, UNSUPPORTED, NO_MEMORY
 */
bool film_writer_add (FilmWriter *writer, const uint8_t *rgb, Status *status);
/* Brings the file to the disk, then the name.  Fails: also ARGUMENT without a frame */
bool film_writer_finish (FilmWriter *writer, Status *status);
/* Leaves nothing behind unless it was finished.  NULL is fine. */
void film_writer_close (FilmWriter *writer);

/* ---- for the kinds ---- */

/* @self is taken, and closed on failure. */
FilmWriter *film_writer_new (const FilmWriterKind *kind,
                             void *self,
                             const FilmInfo *info,
                             const FilmOptions *options,
                             Status *status);
FilmWriter *film_writer_gif (const char *path,
                             const FilmInfo *info,
                             const FilmOptions *options,
                             Status *status);
FilmWriter *film_writer_webp (const char *path,
                              const FilmInfo *info,
                              const FilmOptions *options,
                              Status *status);
FilmWriter *film_writer_folder (const char *path,
                                const FilmInfo *info,
                                const FilmOptions *options,
                                Status *status);
FilmWriter *film_writer_clip (const char *path,
                              const FilmInfo *info,
                              const FilmOptions *options,
                              Status *status);
