/* SPDX-License-Identifier: MPL-2.0
 * export.c - `gesso-cli export`: a clip, pictures or a film as a film of another format.
 */
#include <getopt.h>
#include <stdio.h>
#include <string.h>

#include "cli/cli.h"
#include "media/video/film-copy.h"

typedef struct
{
  const char *input, *output;
  FilmCopyOptions copy;
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
  e->copy.film.full_chroma = strcmp (text, "444") == 0;
  return e->copy.film.full_chroma || strcmp (text, "420") == 0 ||
         status_fail (status, STATUS_ARGUMENT, "--chroma takes 420 or 444, not %.40s.", text);
}

static bool
take_flag (Export *e, int flag, char **argv, Status *status)
{
  switch (flag)
    {
    case FLAG_FORMAT:
      e->has_format = true;
      return film_format_parse (&e->copy.film.format, optarg, status);
    case FLAG_QUALITY:
      return film_quality_parse (&e->copy.film.quality, optarg, status);
    case FLAG_CHROMA:
      return parse_chroma (e, optarg, status);
    case FLAG_FPS:
      return frame_rate_parse (&e->copy.rate, optarg, status);
    case FLAG_OVERWRITE:
      return e->copy.film.overwrite = true;
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
  *e = (Export){ .copy = { .film = { .quality = FILM_STANDARD, .cancel = &cli_cancel },
                           .limits = { .cancel = &cli_cancel },
                           .rate = { 0, 1 } } };
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
  return e->has_format || film_format_of_path (&e->copy.film.format, e->output, status);
}

/* ---- */

static void
report_result (const Export *e, const FilmCopied *film)
{
  if (*film->note && !e->json)
    fprintf (stderr, "gesso-cli: %s\n", film->note);
  if (!e->json)
    {
      printf ("%s\n", e->output);
      return;
    }
  printf ("{\"event\": \"result\", \"file\": ");
  json_print_string (e->output);
  printf (", \"format\": \"%s\", \"encoder\": \"%s\", \"frames\": %d, \"width\": %d, "
          "\"height\": %d, \"rate\": \"%d/%d\", \"note\": ",
          film_format_info (e->copy.film.format)->name, film->encoder, film->info.n_frames,
          film->info.width, film->info.height, film->info.rate.num, film->info.rate.den);
  json_print_string (film->note);
  printf ("}\n");
}

static void
report_frame (void *data, int n_done, int n_expected)
{
  progress_named (data, "export", n_done, n_expected);
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
  Progress progress;
  FilmCopied film;
  progress_init (&progress, e.json, 1);
  e.copy.progress = report_frame;
  e.copy.data = &progress;
  bool ok = film_copy (e.input, e.output, &e.copy, &film, &status);
  progress_clear_line (&progress);
  if (ok)
    {
      report_result (&e, &film);
      return EXIT_DONE;
    }
  if (status.code == STATUS_CANCELLED)
    {
      status = (Status){ 0 };
      status_fail (&status, STATUS_CANCELLED, "Cancelled; nothing was written.");
    }
  return cli_fail (&status, e.json);
}
