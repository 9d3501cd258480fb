/* SPDX-License-Identifier: MPL-2.0
 * export.c - `gesso-cli export`: a clip, pictures or a film as a film of another format.
 */
#include <getopt.h>
#include <stdio.h>
#include <string.h>

#include "cli/cli.h"
#include "core/mem.h"
#include "media/video/video.h"

typedef struct
{
  const char *input, *output;
  FilmOptions film;
  FrameLimits limits;
  FrameRate fps; /* 0/1 when none was named */
  bool has_format, json, help;
} Export;

enum
{
  FLAG_FORMAT = 1000,
  FLAG_QUALITY,
  FLAG_CHROMA,
  FLAG_FPS,
  FLAG_OVERWRITE,
  FLAG_JSON
};

static const struct option flags[] = {
  { "format", required_argument, NULL, FLAG_FORMAT },
  { "quality", required_argument, NULL, FLAG_QUALITY },
  { "chroma", required_argument, NULL, FLAG_CHROMA },
  { "fps", required_argument, NULL, FLAG_FPS },
  { "overwrite", no_argument, NULL, FLAG_OVERWRITE },
  { "json", no_argument, NULL, FLAG_JSON },
  { "help", no_argument, NULL, 'h' },
  { NULL, 0, NULL, 0 },
};

static void
print_help (const char *usage)
{
  printf ("%s", usage);
  printf (
      "      --format NAME          by default as OUTPUT ends: .mp4, .webm, .mkv, .mov, .webp,\n"
      "                             .gif, .gclip, or / for a folder of pictures; one of\n"
      "                             ");
  for (int i = 0; i < FILM_N_FORMATS; i++)
    printf ("%s%s", i ? ", " : "", film_format_info ((FilmFormat) i)->name);
  printf ("\n"
          "      --quality NAME         draft, standard or high; default standard\n"
          "      --chroma NAME          420, which plays everywhere, or 444, which keeps fine\n"
          "                             colours; default 420\n"
          "      --fps RATE             as 16, 23.976 or 30000/1001: of pictures their rate; of\n"
          "                             clips and films another one, by leaving out or repeating\n"
          "                             frames; default that of INPUT\n"
          "      --overwrite            replace OUTPUT if it is there\n"
          "      --json                 JSON lines on standard output\n"
          "  -h, --help                 this text\n");
}

static bool
parse_chroma (Export *e, const char *text, Status *status)
{
  e->film.full_chroma = strcmp (text, "444") == 0;
  return e->film.full_chroma || strcmp (text, "420") == 0 ||
         status_fail (status, STATUS_ARGUMENT, "--chroma takes 420 or 444, not %.40s.", text);
}

static bool
take_flag (Export *e, int flag, char **argv, Status *status)
{
  switch (flag)
    {
    case FLAG_FORMAT:
      e->has_format = true;
      return film_format_parse (&e->film.format, optarg, status);
    case FLAG_QUALITY:
      return film_quality_parse (&e->film.quality, optarg, status);
    case FLAG_CHROMA:
      return parse_chroma (e, optarg, status);
    case FLAG_FPS:
      return frame_rate_parse (&e->fps, optarg, status);
    case FLAG_OVERWRITE:
      return e->film.overwrite = true;
    case FLAG_JSON:
      return e->json = true;
    case 'h':
      return e->help = true;
    case ':':
      return status_fail (status, STATUS_ARGUMENT, "%s needs a value; --help lists all flags.",
                          argv[optind - 1]);
    default:
      return status_fail (status, STATUS_ARGUMENT, "There is no flag %s; --help lists all flags.",
                          argv[optind - 1]);
    }
}

static bool
parse (Export *e, int argc, char **argv, Status *status)
{
  int flag;
  *e = (Export){ .film = { .quality = FILM_STANDARD, .cancel = &cli_cancel },
                 .limits = { .cancel = &cli_cancel },
                 .fps = { 0, 1 } };
  opterr = 0;
  while ((flag = getopt_long (argc, argv, ":h", flags, NULL)) != -1)
    if (!take_flag (e, flag, argv, status))
      return false;
  if (e->help)
    return true;
  if (argc - optind != 2)
    return status_fail (status, STATUS_ARGUMENT,
                        "export needs what to read and where to write: gesso-cli export clip.gclip "
                        "film.mp4.");
  e->input = argv[optind];
  e->output = argv[optind + 1];
  return e->has_format || film_format_of_path (&e->film.format, e->output, status);
}

/* ---- */

typedef struct
{
  const Export *e;
  FrameSource *source;
  FilmWriter *writer;
  Progress progress;
  uint8_t *rgb; /* a frame */
} Run;

static void
report_frame (Run *r, int done)
{
  int n = r->source->info.n_frames >= 0 ? r->source->info.n_frames : r->source->n_expected;
  FrameRate from = r->source->info.rate, to = r->writer->info.rate;
  int total = n;
  if (frame_rate_is_valid (from) && frame_rate_is_valid (to))
    total = (int) ((int64_t) n * from.den * to.num / ((int64_t) from.num * to.den));
  total = total > done ? total : done;
  progress_named (&r->progress, "export", done, total);
}

static bool
copy_frames (Run *r, Status *status)
{
  FrameRate from = r->source->info.rate, to = r->writer->info.rate;
  bool convert = frame_rate_is_valid (from) && frame_rate_is_valid (to) &&
                 (int64_t) from.num * to.den != (int64_t) to.num * from.den;
  for (int k = 0;; k++)
    {
      bool end = false;
      int n = convert ? (int) frame_rate_convert (from, to, k) : k;
      if (!frames_get (r->source, n, r->rgb, &end, status))
        return false;
      if (end)
        return true;
      if (!film_writer_add (r->writer, r->rgb, status))
        return false;
      report_frame (r, k + 1);
    }
}

static bool
choose_rate (const Export *e, const FrameSource *source, FilmInfo *info, Status *status)
{
  *info = source->info;
  if (frame_rate_is_valid (e->fps))
    info->rate = e->fps;
  return frame_rate_is_valid (info->rate) || e->film.format == FILM_PNG ||
         status_fail (status, STATUS_ARGUMENT,
                      "The %s \"%.300s\" has no frame rate: name one with --fps.",
                      source->description, e->input);
}

static bool
run (Run *r, FilmOptions *options, Status *status)
{
  FilmInfo info;
  r->source = film_open (r->e->input, &r->e->limits, status);
  if (!r->source || !choose_rate (r->e, r->source, &info, status))
    return false;
  options->recipe = media_texts_find (&r->source->texts, "gesso");
  options->parameters = media_texts_find (&r->source->texts, "parameters");
  if (!options->parameters)
    options->parameters = media_texts_find (&r->source->texts, "UserComment");
  r->rgb = mem_calloc (frames_size_bytes (&info), 1);
  if (!r->rgb)
    return status_fail (status, STATUS_NO_MEMORY, "Out of memory: close other programs and retry.");
  r->writer = film_writer_open (r->e->output, &info, options, status);
  return r->writer && copy_frames (r, status) && film_writer_finish (r->writer, status);
}

static void
report_result (const Run *r)
{
  const FilmWriter *w = r->writer;
  if (*w->note && !r->e->json)
    fprintf (stderr, "gesso-cli: %s\n", w->note);
  if (!r->e->json)
    {
      printf ("%s\n", r->e->output);
      return;
    }
  printf ("{\"event\": \"result\", \"file\": ");
  json_print_string (r->e->output);
  printf (", \"format\": \"%s\", \"encoder\": \"%s\", \"frames\": %d, \"width\": %d, "
          "\"height\": %d, \"rate\": \"%d/%d\", \"note\": ",
          film_format_info (r->e->film.format)->name, w->encoder, w->info.n_frames, w->info.width,
          w->info.height, w->info.rate.num, w->info.rate.den);
  json_print_string (w->note);
  printf ("}\n");
}

int
command_export (int argc, char **argv, const char *usage)
{
  Export e;
  Status status = { 0 };
  if (!parse (&e, argc, argv, &status))
    return cli_usage_error (&status);
  if (e.help)
    {
      print_help (usage);
      return EXIT_DONE;
    }
  Run r = { .e = &e };
  progress_init (&r.progress, e.json, 1);
  bool ok = run (&r, &e.film, &status);
  progress_clear_line (&r.progress);
  if (ok)
    report_result (&r);
  else if (status.code == STATUS_CANCELLED)
    {
      status = (Status){ 0 };
      status_fail (&status, STATUS_CANCELLED, "Cancelled; nothing was written.");
    }
  film_writer_close (r.writer);
  frames_close (r.source);
  mem_free (r.rgb);
  return ok ? EXIT_DONE : cli_fail (&status, e.json);
}
