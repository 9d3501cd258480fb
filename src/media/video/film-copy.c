/* SPDX-License-Identifier: MPL-2.0
 * film-copy.c - a clip, pictures or a film as a film of another format.
 */
#include "media/video/film-copy.h"

#include <stdio.h>

#include "core/mem.h"

typedef struct
{
  const FilmCopyOptions *options;
  FrameSource *source;
  FilmWriter *writer;
  uint8_t *rgb; /* a frame */
} Copy;

static void
report (const Copy *c, int n_done)
{
  int n = c->source->info.n_frames >= 0 ? c->source->info.n_frames : c->source->n_expected;
  FrameRate from = c->source->info.rate, to = c->writer->info.rate;
  if (frame_rate_is_valid (from) && frame_rate_is_valid (to))
    n = (int) ((int64_t) n * from.den * to.num / ((int64_t) from.num * to.den));
  if (c->options->progress)
    c->options->progress (c->options->data, n_done, n > n_done ? n : n_done);
}

static bool
copy_frames (Copy *c, Status *status)
{
  FrameRate from = c->source->info.rate, to = c->writer->info.rate;
  bool convert = frame_rate_is_valid (from) && frame_rate_is_valid (to) &&
                 (int64_t) from.num * to.den != (int64_t) to.num * from.den;
  for (int k = 0;; k++)
    {
      bool end = false;
      int n = convert ? (int) frame_rate_convert (from, to, k) : k;
      if (!frames_get (c->source, n, c->rgb, &end, status))
        return false;
      if (end)
        return true;
      if (!film_writer_add (c->writer, c->rgb, status))
        return false;
      report (c, k + 1);
    }
}

static bool
choose_rate (const Copy *c, const char *from, FilmInfo *info, Status *status)
{
  *info = c->source->info;
  if (frame_rate_is_valid (c->options->rate))
    info->rate = c->options->rate;
  return frame_rate_is_valid (info->rate) || c->options->film.format == FILM_PNG ||
         status_fail (status, STATUS_ARGUMENT,
                      "The %s \"%.300s\" has no frame rate: name one (%s).", c->source->description,
                      from, status_here ("--fps", STATUS_MARK ("Frame rate")));
}

/* A1111's text lies under either name. */
static void
take_texts (const MediaTexts *texts, FilmOptions *film)
{
  if (!film->recipe)
    film->recipe = media_texts_find (texts, "gesso");
  if (!film->parameters)
    film->parameters = media_texts_find (texts, "parameters");
  if (!film->parameters)
    film->parameters = media_texts_find (texts, "UserComment");
}

static bool
run (Copy *c, const char *from, const char *to, Status *status)
{
  FilmInfo info;
  FilmOptions film = c->options->film;
  c->source = film_open (from, &c->options->limits, status);
  if (!c->source || !choose_rate (c, from, &info, status))
    return false;
  take_texts (&c->source->texts, &film);
  c->rgb = mem_calloc (frames_size_bytes (&info), 1);
  if (!c->rgb)
    return status_fail (status, STATUS_NO_MEMORY, "Out of memory: close other programs and retry.");
  c->writer = film_writer_open (to, &info, &film, status);
  return c->writer && copy_frames (c, status) && film_writer_finish (c->writer, status);
}

static void
clear (Copy *c)
{
  film_writer_close (c->writer);
  frames_close (c->source);
  mem_free (c->rgb);
  *c = (Copy){ .options = c->options };
}

static void
take_note (FilmCopied *done, const FilmWriter *writer, const char *failed)
{
  if (*writer->note || !failed)
    snprintf (done->note, sizeof done->note, "%s", writer->note);
  else
    snprintf (done->note, sizeof done->note,
              status_text ("The graphics card's encoder %s failed: %s made the film."), failed,
              writer->encoder);
}

bool
film_copy (const char *from,
           const char *to,
           const FilmCopyOptions *options,
           FilmCopied *done,
           Status *status)
{
  Copy c = { .options = options };
  const char *failed = NULL;
  Status one = { 0 };
  bool ok = run (&c, from, to, &one);
  while (!ok && c.writer && c.writer->has_ruled_out) /* there are few, and each goes once */
    {
      failed = c.writer->encoder;
      clear (&c);
      one = (Status){ 0 };
      ok = run (&c, from, to, &one);
    }
  if (ok)
    {
      *done = (FilmCopied){ .info = c.writer->info, .encoder = c.writer->encoder };
      take_note (done, c.writer, failed);
    }
  clear (&c);
  return ok || status_fail (status, one.code, "%s", one.message);
}
