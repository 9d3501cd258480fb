/* SPDX-License-Identifier: MPL-2.0
 * fuzz-film.c - damaged clips, GIFs, moving WebPs and film headers: frames and texts, or a
 * sentence.
 *
 * Run alone: fuzz-film --runs 3000 --seed 1
 */
#define _GNU_SOURCE
#include <sys/mman.h>
#include <unistd.h>

#include "core/mem.h"
#include "core/utf8.h"
#include "media/film-tags.h"
#include "media/film-writer.h"
#include "media/frames.h"
#include "mutate.h"

enum
{
  WIDTH = 9,
  HEIGHT = 7,
  N_FRAMES = 3,
  FRAME_BYTES = WIDTH * HEIGHT * 3,
  ROOM = 1 << 14,
  MOST_CHANGES = 8,
  N_SEEDS = 5,
  MAX_FRAMES = 100
};

typedef struct
{
  uint8_t data[ROOM];
  size_t n;
} Bytes;

static void
die (const char *what, long run)
{
  fprintf (stderr, "fuzz-film: run %ld: %s\n", run, what);
  exit (1);
}

/* A file of each kind that the project writes itself. */
static void
make_film (Bytes *b, FilmFormat format)
{
  char path[] = "/tmp/gesso-fuzz-film-XXXXXX";
  uint8_t rgb[FRAME_BYTES];
  Status status = { 0 };
  const FilmInfo info = { WIDTH, HEIGHT, { 16, 1 }, N_FRAMES };
  const FilmOptions options = {
    .format = format, .quality = FILM_HIGH, .overwrite = true, .recipe = "{\"prompt\": \"x\"}"
  };
  int fd = mkstemp (path);
  FilmWriter *writer = film_writer_new_plain (path, &info, &options, &status);
  for (int n = 0; writer && n < N_FRAMES; n++)
    {
      for (int i = 0; i < FRAME_BYTES; i++)
        rgb[i] = (uint8_t) (i * 3 + n * 40);
      film_writer_add (writer, rgb, &status);
    }
  if (!writer || !film_writer_finish (writer, &status))
    die (status.message, -1);
  film_writer_close (writer);
  FILE *f = fopen (path, "rb");
  b->n = f ? fread (b->data, 1, ROOM, f) : 0;
  if (f)
    fclose (f);
  unlink (path);
  close (fd);
}

static void
make_head (Bytes *b, const char *data, size_t n)
{
  memcpy (b->data, data, n);
  b->n = n;
}

static bool
is_sentence (const Status *status)
{
  return status->message[0] && utf8_is_valid (status->message, strlen (status->message));
}

static bool
try_frames (const Bytes *b, long run)
{
  char path[64];
  const FrameLimits limits = { .max_frames = MAX_FRAMES, .max_pixels = 1 << 16 };
  Status status = { 0 };
  int fd = memfd_create ("film", 0);
  if (fd < 0 || write (fd, b->data, b->n) != (ssize_t) b->n)
    die ("no memory file", run);
  snprintf (path, sizeof path, "/proc/self/fd/%d", fd);
  FrameSource *source = frames_open (path, &limits, &status);
  bool ok = source != NULL;
  uint8_t *rgb = ok ? malloc (frames_size_bytes (&source->info)) : NULL;
  for (int n = 0; ok && n < source->info.n_frames; n++)
    {
      bool end = false;
      ok = frames_get (source, n, rgb, &end, &status);
    }
  if (!ok && !is_sentence (&status))
    die ("neither frames nor a sentence", run);
  free (rgb);
  frames_close (source);
  close (fd);
  return ok;
}

/* From allocations of exactly this size, so that reading past them is seen. */
static void
try_headers (const Bytes *b, long run)
{
  uint8_t *data = malloc (b->n ? b->n : 1), *room = malloc (b->n + AV1_TAG_BYTES);
  MediaTexts texts = { 0 };
  Status status = { 0 };
  memcpy (data, b->data, b->n);
  if (!media_texts_read_memory (&texts, data, b->n, "fuzz", &status) && !is_sentence (&status))
    die ("refused without a sentence", run);
  for (size_t i = 0; i < texts.n; i++)
    if (!utf8_is_valid (texts.items[i].value, strlen (texts.items[i].value)))
      die ("a text is not UTF-8", run);
  media_texts_clear (&texts);
  av1_add_colour (room, data, b->n);
  prores_add_colour (data, b->n);
  free (room);
  free (data);
}

static const char mp4[] = "\0\0\0\x10"
                          "ftypmp42\0\0\0\0"
                          "\0\0\0\x59"
                          "moov\0\0\0\x51udta\0\0\0\x49meta\0\0\0\0"
                          "\0\0\0\x3dilst\0\0\0\x35\251cmt\0\0\0\x2d"
                          "data\0\0\0\1\0\0\0\0gesso:{\"prompt\": \"x\", \"y\": 1}";
static const char matroska[] =
    "\x1a\x45\xdf\xa3\x84\x42\x86\x81\x01\x18\x53\x80\x67\xa8\x12\x54\xc3\x67\xa3\x73\x73\xa0"
    "\x67\xc8\x9d\x45\xa3\x86PROMPT\x44\x87\x91gesso:{\"a\": \"b\"} ";

int
main (int argc, char **argv)
{
  static Bytes seeds[N_SEEDS], b;
  static const char *const words[] = {
    "PK\1\2", "PK\3\4",       "PK\5\6",           "frames/00001.png",
    "ANMF",   "\x21\xf9\x04", "\xff\xff\xff\xff", "\x7f\xff\xff\xff",
    "moov",   "\x2c",         "\x12\x54\xc3\x67"
  };
  long n_accepted = 0;
  FuzzOptions options;
  if (fuzz_options (&options, argc, argv) != 0)
    return 2;
  make_film (&seeds[0], FILM_CLIP);
  make_film (&seeds[1], FILM_GIF);
  make_film (&seeds[2], FILM_WEBP);
  make_head (&seeds[3], mp4, sizeof mp4 - 1);
  make_head (&seeds[4], matroska, sizeof matroska - 1);
  FuzzRandom r = { options.seed };
  for (long run = 0; run < options.runs; run++)
    {
      b = seeds[fuzz_below (&r, N_SEEDS)];
      for (size_t i = fuzz_below (&r, MOST_CHANGES); i > 0; i--)
        b.n = fuzz_mutate (&r, b.data, b.n, ROOM, words, sizeof words / sizeof words[0]);
      try_headers (&b, run);
      n_accepted += try_frames (&b, run);
    }
  printf ("%ld runs, %ld gave all frames\n", options.runs, n_accepted);
  return 0;
}
