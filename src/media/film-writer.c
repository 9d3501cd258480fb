/* SPDX-License-Identifier: MPL-2.0
 * film-writer.c - what all kinds of film files share.
 */
#include "media/film-writer.h"

#include "core/mem.h"
#include "media/frames.h"

FilmWriter *
film_writer_new (const FilmWriterKind *kind,
                 void *self,
                 const FilmInfo *info,
                 const FilmOptions *options,
                 Status *status)
{
  FilmWriter *writer = mem_calloc (1, sizeof *writer);
  if (!writer)
    {
      status_fail (status, STATUS_NO_MEMORY, "Out of memory: close other programs and retry.");
      kind->close (self);
      return NULL;
    }
  *writer = (FilmWriter){ .info = *info,
                          .encoder = film_format_info (options->format)->name,
                          .kind = kind,
                          .self = self,
                          .cancel = options->cancel };
  writer->info.n_frames = 0;
  return writer;
}

static bool
is_cancelled (const FilmWriter *writer, Status *status)
{
  return writer->cancel && atomic_load (writer->cancel) &&
         !status_fail (status, STATUS_CANCELLED, "Cancelled.");
}

bool
film_writer_add (FilmWriter *writer, const uint8_t *rgb, Status *status)
{
  if (writer->info.n_frames >= FILM_MAX_FRAMES)
    return status_fail (status, STATUS_UNSUPPORTED, "A film has at most %d frames: cut it first.",
                        FILM_MAX_FRAMES);
  if (is_cancelled (writer, status) || !writer->kind->add (writer->self, rgb, status))
    return false;
  writer->info.n_frames++;
  return true;
}

bool
film_writer_finish (FilmWriter *writer, Status *status)
{
  if (writer->info.n_frames == 0)
    return status_fail (status, STATUS_ARGUMENT, "A film without frames cannot be written.");
  return !is_cancelled (writer, status) && writer->kind->finish (writer->self, status);
}

void
film_writer_close (FilmWriter *writer)
{
  if (!writer)
    return;
  writer->kind->close (writer->self);
  mem_free (writer);
}

FilmWriter *
film_writer_new_plain (const char *path,
                       const FilmInfo *info,
                       const FilmOptions *options,
                       Status *status)
{
  if (!frames_check_limits (info, NULL, path, status))
    return NULL;
  if (!frame_rate_is_valid (info->rate) && options->format != FILM_PNG)
    {
      status_fail (status, STATUS_ARGUMENT, "A film needs a frame rate: name one.");
      return NULL;
    }
  if (options->format == FILM_GIF)
    return film_writer_gif (path, info, options, status);
  if (options->format == FILM_WEBP)
    return film_writer_webp (path, info, options, status);
  if (options->format == FILM_PNG)
    return film_writer_folder (path, info, options, status);
  if (options->format == FILM_CLIP)
    return film_writer_clip (path, info, options, status);
  status_fail (status, STATUS_UNSUPPORTED, "This program was built without video: choose %s.",
               "gif, webp, png or clip");
  return NULL;
}
