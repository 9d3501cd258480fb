/* SPDX-License-Identifier: MPL-2.0
 * film-writer-clip.c - frames from elsewhere as a clip of Gesso.
 */
#include "core/mem.h"
#include "media/clip.h"
#include "media/film-writer.h"

typedef struct
{
  ClipWriter clip;
  const char *recipe;
  bool overwrite;
} ClipFilm;

static bool
clip_add (void *self, const uint8_t *rgb, Status *status)
{
  return clip_writer_add (&((ClipFilm *) self)->clip, rgb, status);
}

static bool
clip_finish (void *self, Status *status)
{
  ClipFilm *c = self;
  return (!c->recipe || clip_writer_add_recipe (&c->clip, c->recipe, status)) &&
         clip_writer_commit (&c->clip, c->overwrite, status);
}

static void
clip_close (void *self)
{
  clip_writer_discard (&((ClipFilm *) self)->clip);
  mem_free (self);
}

FilmWriter *
film_writer_clip (const char *path,
                  const FilmInfo *info,
                  const FilmOptions *options,
                  Status *status)
{
  static const FilmWriterKind kind = { clip_add, clip_finish, clip_close };
  ClipFilm *c = mem_calloc (1, sizeof *c);
  if (!c)
    {
      status_fail (status, STATUS_NO_MEMORY, "Out of memory: close other programs and retry.");
      return NULL;
    }
  c->recipe = options->recipe;
  c->overwrite = options->overwrite;
  if (clip_writer_open (&c->clip, path, info, status))
    return film_writer_new (&kind, c, info, options, status);
  clip_close (c);
  return NULL;
}
