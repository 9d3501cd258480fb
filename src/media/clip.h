/* SPDX-License-Identifier: MPL-2.0
 * clip.h - the frames of a generated clip, kept without loss, and its last latents.
 *
 * A .gclip is a ZIP archive whose members are stored as they are:
 *
 *   mimetype              "application/x-gesso-clip", first, so that the file says what it is
 *   frames/00000.png ...  each frame alone, so that any is read without the others
 *   latents.safetensors   what the decoder made the frames from, for extending the clip; optional
 *   recipe.json           the exact recipe; optional
 *   clip.txt              "gesso-clip 1", "size WxH", "rate N/D", "frames N", one a line
 *
 * FFV1 in Matroska was the other choice: a little smaller, but it needs a plugin that many systems
 * lack, GStreamer in the worker, and a search for each frame.
 */
#pragma once

#include "media/film.h"
#include "media/frames.h"
#include "media/png.h"
#include "media/zip.h"

enum
{
  CLIP_HEAD_BYTES = 62
};

/* Whether a file that begins so is a clip.  CLIP_HEAD_BYTES are enough. */
bool clip_is (const uint8_t *data, size_t n_bytes);

/* A clip that appears under its name when it is complete.  Zero-initialise. */
typedef struct
{
  ZipWriter zip;
  FilmInfo info; /* n_frames: so far */
} ClipWriter;

/* clip_writer_open:
 * @info: size and rate; the number of frames is not looked at
 *
 * Fails: ARGUMENT for an impossible size or rate; IO, NO_MEMORY
 */
bool clip_writer_open (ClipWriter *clip, const char *path, const FilmInfo *info, Status *status);
/* @rgb: (height, width, 3).  After a failure, as of a full disk, only clip_writer_discard helps;
 * the frames are the caller's still. */
bool clip_writer_add (ClipWriter *clip, const uint8_t *rgb, Status *status);
/* @data: a whole safetensors file; at most once */
bool clip_writer_add_latents (ClipWriter *clip, const void *data, size_t n_bytes, Status *status);
bool clip_writer_add_recipe (ClipWriter *clip, const char *json, Status *status);
/* Fails: also ARGUMENT when there is no frame.  @clip is empty afterwards in any case. */
bool clip_writer_commit (ClipWriter *clip, bool overwrite, Status *status);
void clip_writer_discard (ClipWriter *clip);

/* clip_read_latents:
 *
 * Returns: the safetensors file of *@n_bytes that was kept, the caller's to mem_free; NULL and
 * NOT_FOUND when the clip has none, else as frames_of_clip
 */
uint8_t *clip_read_latents (const char *path, size_t *n_bytes, Status *status);

/* For media_texts_read(): adds the recipe as "gesso". */
bool clip_read_texts (MediaTexts *texts, const MediaSource *source, Status *status);

/* Whether a film and a clip were made by one recipe; false also when either cannot be read. */
bool clip_has_film (const char *clip, const char *film);

/* clip_path_beside:
 *
 * Returns: @film with ".gclip" in place of its extension, where the clip of a delivery file lies;
 * the caller's to mem_free; NULL and NO_MEMORY
 */
char *clip_path_beside (const char *film, Status *status);
