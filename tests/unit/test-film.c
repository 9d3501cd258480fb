/* SPDX-License-Identifier: MPL-2.0
 * test-film.c - frame rates, clips, GIF and WebP as films, planes for encoders, texts of films.
 */
#define _GNU_SOURCE
#include <glib.h>
#include <glib/gstdio.h>
#include <signal.h>
#include <string.h>
#include <sys/resource.h>

#include "core/mem.h"
#include "media/clip.h"
#include "media/film-file.h"
#include "media/film-tags.h"
#include "media/film-writer.h"
#include "media/frames.h"
#include "media/yuv.h"

enum
{
  WIDTH = 21,
  HEIGHT = 14,
  N_FRAMES = 7,
  FRAME_BYTES = WIDTH * HEIGHT * 3
};

static char *folder; /* a fresh one for each test */

static void
enter (void)
{
  folder = g_dir_make_tmp ("gesso-film-XXXXXX", NULL);
}

static char *
in_folder (const char *name)
{
  return g_build_filename (folder, name, NULL);
}

static int
remove_all (const char *path)
{
  GDir *dir = g_dir_open (path, 0, NULL);
  int n = 0;
  for (const char *name; dir && (name = g_dir_read_name (dir)); n++)
    {
      g_autofree char *inner = g_build_filename (path, name, NULL);
      if (g_file_test (inner, G_FILE_TEST_IS_DIR))
        remove_all (inner);
      g_unlink (inner);
    }
  g_clear_pointer (&dir, g_dir_close);
  g_rmdir (path);
  return n;
}

/* Returns: how many files were there */
static int
leave (void)
{
  int n = remove_all (folder);
  g_clear_pointer (&folder, g_free);
  return n;
}

/* Frames of few colours, or of noise. */
static uint8_t *
make_frames (bool noise)
{
  uint8_t *rgb = g_malloc (N_FRAMES * FRAME_BYTES);
  uint32_t state = 5;
  for (int i = 0; i < N_FRAMES * FRAME_BYTES; i++)
    {
      state = state * 1664525 + 1013904223;
      rgb[i] = noise ? (uint8_t) (state >> 24) : (uint8_t) (i / FRAME_BYTES * 30 + i / 60 % 4 * 17);
    }
  return rgb;
}

static const FilmInfo info = { WIDTH, HEIGHT, { 16, 1 }, N_FRAMES };

/* Returns: whether all went in and the file has its name */
static bool
write_film (const char *path, const uint8_t *rgb, const FilmOptions *options, Status *status)
{
  FilmWriter *writer = film_writer_new_plain (path, &info, options, status);
  bool ok = writer != NULL;
  for (int n = 0; ok && n < N_FRAMES; n++)
    ok = film_writer_add (writer, rgb + n * FRAME_BYTES, status);
  ok = ok && film_writer_finish (writer, status);
  film_writer_close (writer);
  return ok;
}

static void
assert_frame (FrameSource *source, int n, const uint8_t *rgb)
{
  uint8_t got[FRAME_BYTES];
  bool end = false;
  Status status = { 0 };
  if (!frames_get (source, n, got, &end, &status))
    g_error ("frame %d: %s", n, status.message);
  g_assert_false (end);
  g_assert_cmpmem (got, FRAME_BYTES, rgb + n * FRAME_BYTES, FRAME_BYTES);
}

/* ---- rates ---- */

static void
test_rates_are_parsed (void)
{
  static const struct
  {
    const char *text;
    FrameRate rate;
  } good[] = { { "16", { 16, 1 } },           { "24", { 24, 1 } },
               { "23.976", { 24000, 1001 } }, { "29.97", { 30000, 1001 } },
               { "59.94", { 60000, 1001 } },  { "30000/1001", { 30000, 1001 } },
               { "12.5", { 25, 2 } },         { "48/2", { 24, 1 } },
               { "240", { 240, 1 } } };
  static const char *const bad[] = {
    "",   "x",  "0",   "-1",  "1/0", "0/1",  "16x",           "241",  "nan",
    "1/", "/2", "1e9", "inf", "16 ", "0x10", "99999999999/1", "1/2/3"
  };
  for (size_t i = 0; i < G_N_ELEMENTS (good); i++)
    {
      FrameRate rate;
      Status status = { 0 };
      g_assert_true (frame_rate_parse (&rate, good[i].text, &status));
      g_assert_cmpint (rate.num, ==, good[i].rate.num);
      g_assert_cmpint (rate.den, ==, good[i].rate.den);
    }
  for (size_t i = 0; i < G_N_ELEMENTS (bad); i++)
    {
      FrameRate rate;
      Status status = { 0 };
      g_assert_false (frame_rate_parse (&rate, bad[i], &status));
      g_assert_cmpint (status.code, ==, STATUS_ARGUMENT);
    }
}

static void
test_times_do_not_drift (void)
{
  const FrameRate ntsc = { 30000, 1001 };
  g_assert_cmpint (frame_rate_time (ntsc, 30000, 1000), ==, 1001000);
  g_assert_cmpint (frame_rate_time (ntsc, 1, 1000000000), ==, 33366667);
  for (int n = 0; n < 100; n++) /* the same rate takes each frame once */
    g_assert_cmpint (frame_rate_convert (ntsc, ntsc, n), ==, n);
  g_assert_cmpint (frame_rate_convert ((FrameRate){ 16, 1 }, (FrameRate){ 8, 1 }, 3), ==, 7);
}

static void
test_rates_are_found_from_times (void)
{
  static const FrameRate rates[] = { { 16, 1 }, { 24, 1 }, { 25, 1 },
                                     { 30, 1 }, { 50, 1 }, { 12, 1 } };
  for (size_t r = 0; r < G_N_ELEMENTS (rates); r++)
    for (int per_second = 100; per_second <= 1000; per_second += 900)
      {
        int64_t ends[30];
        int n = 0;
        for (int frame = 1; frame <= 30; frame++)
          if (frame % 7 != 3) /* pictures that are shown twice */
            ends[n++] = frame_rate_time (rates[r], frame, per_second);
        FrameRate rate = frame_rate_of_ends (ends, n, per_second);
        g_assert_cmpint (rate.num * rates[r].den, ==, rates[r].num * rate.den);
        g_assert_cmpint (frame_rate_count (rate, ends[n - 1], per_second), ==, 30);
        g_assert_cmpint (frame_rate_find (rate, ends, n, 2, per_second), ==, 2);
        g_assert_cmpint (frame_rate_find (rate, ends, n, 3, per_second), ==, 2);
        g_assert_cmpint (frame_rate_find (rate, ends, n, 4, per_second), ==, 3);
      }
  const int64_t odd[] = { 70, 140, 350 };
  FrameRate rate = frame_rate_of_ends (odd, 3, 1000);
  g_assert_cmpint (frame_rate_count (rate, 350, 1000), ==, 5);
}

/* ---- clips ---- */

static void
test_clip_gives_any_frame (void)
{
  static const int order[] = { 6, 0, 3, 3, 2, 5, 1, 4, 6 };
  static const char latents[] = "a safetensors file\0with zeros";
  g_autofree uint8_t *rgb = make_frames (true);
  ClipWriter clip = { 0 };
  Status status = { 0 };
  size_t n_bytes;
  bool end;
  uint8_t frame[FRAME_BYTES];
  enter ();
  g_autofree char *film = in_folder ("a.mp4");
  char *path = clip_path_beside (film, &status);
  g_assert_true (g_str_has_suffix (path, "/a.gclip"));
  g_assert_true (clip_writer_open (&clip, path, &info, &status));
  for (int n = 0; n < N_FRAMES; n++)
    g_assert_true (clip_writer_add (&clip, rgb + n * FRAME_BYTES, &status));
  g_assert_true (clip_writer_add_latents (&clip, latents, sizeof latents, &status));
  g_assert_true (clip_writer_add_recipe (&clip, "{\"prompt\": \"a boat\"}", &status));
  g_assert_true (clip_writer_commit (&clip, false, &status));
  FrameSource *source = frames_open (path, NULL, &status);
  g_assert_nonnull (source);
  g_assert_cmpint (source->info.n_frames, ==, N_FRAMES);
  g_assert_cmpint (source->info.rate.num, ==, 16);
  g_assert_cmpstr (media_texts_find (&source->texts, "gesso"), ==, "{\"prompt\": \"a boat\"}");
  for (size_t i = 0; i < G_N_ELEMENTS (order); i++)
    assert_frame (source, order[i], rgb);
  g_assert_true (frames_get (source, N_FRAMES, frame, &end, &status) && end);
  frames_close (source);
  uint8_t *kept = clip_read_latents (path, &n_bytes, &status);
  g_assert_cmpmem (kept, n_bytes, latents, sizeof latents);
  mem_free (kept);
  mem_free (path);
  g_assert_cmpint (leave (), ==, 1);
}

static void
test_unfinished_clip_leaves_nothing (void)
{
  g_autofree uint8_t *rgb = make_frames (true);
  ClipWriter clip = { 0 };
  Status status = { 0 };
  enter ();
  g_autofree char *path = in_folder ("a.gclip");
  g_assert_true (clip_writer_open (&clip, path, &info, &status));
  g_assert_true (clip_writer_add (&clip, rgb, &status));
  clip_writer_discard (&clip);
  g_assert_true (clip_writer_open (&clip, path, &info, &status));
  g_assert_false (clip_writer_commit (&clip, false, &status)); /* without frames */
  g_assert_cmpint (status.code, ==, STATUS_ARGUMENT);
  g_assert_cmpint (leave (), ==, 0);
}

/* Whatever byte is wrong: the right frames, or a sentence. */
static void
test_damaged_clip_is_said_or_right (void)
{
  g_autofree uint8_t *rgb = make_frames (false);
  Status status = { 0 };
  gsize n;
  char *file;
  int n_refused = 0;
  const FilmOptions options = { .format = FILM_CLIP, .overwrite = true };
  enter ();
  g_autofree char *path = in_folder ("a.gclip");
  g_assert_true (write_film (path, rgb, &options, &status));
  g_assert_true (g_file_get_contents (path, &file, &n, NULL));
  for (gsize at = 0; at < n; at++)
    {
      file[at] ^= 0x41;
      g_assert_true (
          g_file_set_contents_full (path, file, (gssize) n, G_FILE_SET_CONTENTS_NONE, 0600, NULL));
      file[at] ^= 0x41;
      status = (Status){ 0 };
      FrameSource *source = frames_open (path, NULL, &status);
      bool ok = source && source->info.width == WIDTH && source->info.height == HEIGHT;
      for (int i = 0; ok && i < source->info.n_frames && i < N_FRAMES; i++)
        {
          uint8_t frame[FRAME_BYTES];
          bool end = false;
          ok = frames_get (source, i, frame, &end, &status);
          if (ok)
            g_assert_cmpmem (frame, FRAME_BYTES, rgb + i * FRAME_BYTES, FRAME_BYTES);
        }
      n_refused += status.code != STATUS_OK;
      g_assert_true (ok || !source || status.code == STATUS_FORMAT || source->info.width != WIDTH ||
                     source->info.height != HEIGHT);
      frames_close (source);
    }
  g_assert_cmpint (n_refused, >, (int) n / 2);
  g_free (file);
  leave ();
}

/* ---- films without GStreamer ---- */

static void
test_few_colours_are_exact (void)
{
  static const FilmOptions kinds[] = { { .format = FILM_GIF },
                                       { .format = FILM_WEBP, .quality = FILM_HIGH },
                                       { .format = FILM_CLIP },
                                       { .format = FILM_PNG } };
  static const int order[] = { 2, 0, 6, 5, 1, 4, 3 };
  g_autofree uint8_t *rgb = make_frames (false);
  for (size_t k = 0; k < G_N_ELEMENTS (kinds); k++)
    {
      Status status = { 0 };
      FilmOptions options = kinds[k];
      options.recipe = "{\"prompt\": \"a <boat>\"}";
      enter ();
      g_autofree char *path = in_folder ("film");
      g_assert_true (write_film (path, rgb, &options, &status));
      FrameSource *source = frames_open (path, NULL, &status);
      g_assert_nonnull (source);
      g_assert_cmpint (source->info.n_frames, ==, N_FRAMES);
      g_assert_cmpint (source->info.rate.num, ==, options.format == FILM_PNG ? 0 : 16);
      g_assert_cmpstr (media_texts_find (&source->texts, "gesso"), ==, options.recipe);
      for (size_t i = 0; i < G_N_ELEMENTS (order); i++)
        assert_frame (source, order[i], rgb);
      frames_close (source);
      g_assert_cmpint (leave (), ==, 1);
    }
}

/* A smooth picture has thousands of colours; 256 of them, dithered, keep its mean. */
static void
test_many_colours_keep_their_mean (void)
{
  enum
  {
    SIDE = 64
  };
  g_autofree uint8_t *rgb = g_malloc (SIDE * SIDE * 3), *got = g_malloc (SIDE * SIDE * 3);
  const FilmInfo square = { SIDE, SIDE, { 16, 1 }, 1 };
  const FilmOptions options = { .format = FILM_GIF };
  Status status = { 0 };
  bool end = false;
  double wanted = 0, kept = 0, worst = 0;
  for (int i = 0; i < SIDE * SIDE; i++)
    {
      rgb[3 * i] = (uint8_t) (i % SIDE * 4);
      rgb[3 * i + 1] = (uint8_t) (i / SIDE * 4);
      rgb[3 * i + 2] = (uint8_t) ((i % SIDE + i / SIDE) * 2);
    }
  enter ();
  g_autofree char *path = in_folder ("a.gif");
  FilmWriter *writer = film_writer_new_plain (path, &square, &options, &status);
  g_assert_true (film_writer_add (writer, rgb, &status) && film_writer_finish (writer, &status));
  film_writer_close (writer);
  FrameSource *source = frames_open (path, NULL, &status);
  g_assert_true (frames_get (source, 0, got, &end, &status));
  for (int i = 0; i < SIDE * SIDE * 3; i++)
    {
      wanted += rgb[i];
      kept += got[i];
      worst = MAX (worst, ABS (rgb[i] - got[i]));
    }
  /* 256 colours on a plane of 256 x 256 levels lie 16 apart; dithering reaches the next one */
  g_assert_cmpfloat (worst, <=, 40);
  g_assert_cmpfloat (ABS (wanted - kept) / (SIDE * SIDE * 3), <, 1.0);
  frames_close (source);
  leave ();
}

static void
test_every_failure_leaves_nothing (void)
{
  static const FilmFormat formats[] = { FILM_GIF, FILM_WEBP, FILM_CLIP, FILM_PNG };
  g_autofree uint8_t *rgb = make_frames (true);
  struct rlimit before, limit;
  getrlimit (RLIMIT_FSIZE, &before);
  signal (SIGXFSZ, SIG_IGN);
  for (size_t f = 0; f < G_N_ELEMENTS (formats); f++)
    for (int kind = 0; kind < 3; kind++)
      {
        Status status = { 0 };
        const atomic_bool cancel = kind == 1;
        FilmOptions options = { .format = formats[f], .quality = FILM_HIGH, .cancel = &cancel };
        enter ();
        g_autofree char *path = in_folder ("film");
        limit = (struct rlimit){ 500, before.rlim_max };
        if (kind == 0)
          setrlimit (RLIMIT_FSIZE, &limit);
        if (kind == 2) /* never finished */
          {
            FilmWriter *writer = film_writer_new_plain (path, &info, &options, &status);
            g_assert_true (film_writer_add (writer, rgb, &status));
            film_writer_close (writer);
          }
        else
          g_assert_false (write_film (path, rgb, &options, &status));
        setrlimit (RLIMIT_FSIZE, &before);
        g_assert_cmpint (status.code, ==,
                         kind == 0   ? STATUS_IO
                         : kind == 1 ? STATUS_CANCELLED
                                     : STATUS_OK);
        if (kind == 0)
          g_assert_nonnull (strstr (status.message, "disk is full"));
        g_assert_cmpint (leave (), ==, 0);
      }
}

/* Every allocation that is ours fails once, writing and reading. */
static void
test_no_memory_is_said (void)
{
  static const FilmFormat formats[] = { FILM_GIF, FILM_WEBP, FILM_CLIP, FILM_PNG };
  g_autofree uint8_t *rgb = make_frames (false);
  for (size_t f = 0; f < G_N_ELEMENTS (formats); f++)
    {
      bool done = false;
      for (int64_t nth = 1; !done; nth++)
        {
          Status status = { 0 };
          const FilmOptions options = { .format = formats[f], .recipe = "{}" };
          uint8_t frame[FRAME_BYTES];
          bool end;
          enter ();
          g_autofree char *path = in_folder ("film");
          int64_t live = mem_live ();
          mem_fail_at (nth);
          FrameSource *source =
              write_film (path, rgb, &options, &status) ? frames_open (path, NULL, &status) : NULL;
          bool ok = source && frames_get (source, 1, frame, &end, &status);
          done = ok && nth > mem_count ();
          mem_fail_at (0);
          g_assert_true (ok || status.code == STATUS_NO_MEMORY);
          frames_close (source);
          g_assert_cmpint (mem_live (), ==, live);
          g_assert_cmpint (nth, <, 2000);
          leave ();
        }
    }
}

static void
test_limits_hold (void)
{
  g_autofree uint8_t *rgb = make_frames (false);
  const FilmOptions options = { .format = FILM_CLIP };
  const FrameLimits few = { .max_frames = N_FRAMES - 1 }, small = { .max_pixels = 100 };
  const FilmInfo huge = { 100000, 100000, { 16, 1 }, 1 }, timeless = { 8, 8, { 0, 1 }, 1 };
  Status status = { 0 };
  enter ();
  g_autofree char *path = in_folder ("a.gclip");
  g_assert_true (write_film (path, rgb, &options, &status));
  g_assert_null (frames_open (path, &few, &status));
  g_assert_cmpint (status.code, ==, STATUS_UNSUPPORTED);
  status = (Status){ 0 };
  g_assert_null (frames_open (path, &small, &status));
  g_assert_cmpint (status.code, ==, STATUS_UNSUPPORTED);
  status = (Status){ 0 };
  g_assert_null (film_writer_new_plain (path, &huge, &options, &status));
  status = (Status){ 0 };
  g_assert_null (film_writer_new_plain (path, &timeless, &options, &status));
  g_assert_cmpint (status.code, ==, STATUS_ARGUMENT);
  leave ();
}

/* ---- planes ---- */

static void
test_planes_are_bt709 (void)
{
  /* Y' = 16 + 219 (0.2126 R + 0.7152 G + 0.0722 B), Cb = 128 + 224 (B - Y) / 1.8556, Cr likewise
   * by 1.5748, of R, G, B from 0 to 1: rounded by hand */
  static const struct
  {
    uint8_t rgb[3], yuv[3];
  } known[] = {
    { { 255, 255, 255 }, { 235, 128, 128 } }, { { 0, 0, 0 }, { 16, 128, 128 } },
    { { 255, 0, 0 }, { 63, 102, 240 } },      { { 0, 255, 0 }, { 173, 42, 26 } },
    { { 0, 0, 255 }, { 32, 240, 118 } },      { { 128, 128, 128 }, { 126, 128, 128 } }
  };
  static const YuvLayout layouts[] = { YUV_I420, YUV_NV12, YUV_Y444, YUV_I422_10, YUV_Y444_10 };
  for (size_t i = 0; i < G_N_ELEMENTS (known); i++)
    for (size_t l = 0; l < G_N_ELEMENTS (layouts); l++)
      {
        uint8_t rgb[3 * 3 * 3];
        uint16_t planes[3][64] = { 0 };
        bool deep = layouts[l] == YUV_I422_10 || layouts[l] == YUV_Y444_10;
        YuvPlanes p = { { (uint8_t *) planes[0], (uint8_t *) planes[1], (uint8_t *) planes[2] },
                        { 16, 16, 16 } };
        for (int k = 0; k < 9; k++)
          memcpy (rgb + 3 * k, known[i].rgb, 3);
        yuv_from_rgb (rgb, 3, 3, layouts[l], &p, 4, 4);
        for (int c = 0; c < 3; c++)
          {
            bool together = layouts[l] == YUV_NV12 && c > 0;
            int at = together ? c - 1 : 0, plane = together ? 1 : c;
            double got = deep ? planes[plane][at] / 4.0 : p.data[plane][at];
            g_assert_cmpfloat (ABS (got - known[i].yuv[c]), <=, deep ? 0.5 : 0);
          }
      }
}

/* Chroma sits on the left column of its pair: the column itself weighs twice its neighbours. */
static void
test_chroma_is_sited_left (void)
{
  static const uint8_t red[3] = { 255, 0, 0 };
  uint8_t rgb[4 * 2 * 3] = { 0 }, y[16], u[16], v[16];
  YuvPlanes p = { { y, u, v }, { 4, 4, 4 } };
  memcpy (rgb + 2 * 3, red, 3); /* column 2, both rows */
  memcpy (rgb + (4 + 2) * 3, red, 3);
  yuv_from_rgb (rgb, 4, 2, YUV_I420, &p, 4, 2);
  g_assert_cmpint (v[0], ==, 128);           /* columns -1, 0, 1: black */
  g_assert_cmpint (v[1], ==, 128 + 112 / 2); /* half of 1, 2, 3 is red */
}

/* ---- what encoders leave out ---- */

/* A sequence header as libaom writes it: profile 0, 64 x 48, no colours. */
static void
test_av1_gets_its_colours (void)
{
  static const uint8_t unit[] = { 0x12, 0x00, 0x0a, 0x0a, 0x00, 0x00, 0x00, 0x02, 0xaf,
                                  0xff, 0x9b, 0x5f, 0x30, 0x08, 0x32, 0x01, 0x10 };
  uint8_t out[sizeof unit + AV1_TAG_BYTES], again[sizeof out + AV1_TAG_BYTES];
  g_assert_true (av1_add_colour (out, unit, sizeof unit));
  g_assert_cmpint (out[3], ==, 0x0a + AV1_TAG_BYTES);
  g_assert_cmpmem (out + sizeof out - 3, 3, unit + sizeof unit - 3, 3);
  g_assert_false (av1_add_colour (again, out, sizeof out)); /* it says them now */
  for (size_t n = 0; n < sizeof unit; n++) /* cut off anywhere: nothing is read behind */
    {
      g_autofree uint8_t *exact = g_memdup2 (unit, n);
      g_autofree uint8_t *room = g_malloc (n + AV1_TAG_BYTES);
      av1_add_colour (room, exact, n);
    }
  g_assert_false (prores_add_colour (out, sizeof out));
}

/* ---- texts ---- */

/* A box of @type around what is in @out. */
static void
wrap (GByteArray *out, const char *type)
{
  uint8_t head[8] = { 0, 0, (uint8_t) ((out->len + 8) >> 8), (uint8_t) (out->len + 8) };
  memcpy (head + 4, type, 4);
  g_byte_array_prepend (out, head, sizeof head);
}

static void
test_mp4_comment_is_read (void)
{
  static const char *const types[] = { "data", "\251cmt", "ilst", "meta", "udta", "moov" };
  static const char text[] = "\0\0\0\1\0\0\0\0gesso:{\"prompt\": \"x\"}";
  g_autoptr (GByteArray) file = g_byte_array_new ();
  g_byte_array_append (file, (const guint8 *) text, sizeof text - 1);
  for (size_t i = 0; i < G_N_ELEMENTS (types); i++)
    {
      if (strcmp (types[i], "meta") == 0)
        g_byte_array_prepend (file, (const guint8 *) "\0\0\0\0", 4); /* version and flags */
      wrap (file, types[i]);
    }
  for (gsize n = file->len; n > 0; n--)
    {
      MediaTexts texts = { 0 };
      Status status = { 0 };
      g_autofree uint8_t *exact = g_memdup2 (file->data, n);
      bool ok = media_texts_read_memory (&texts, exact, n, "film", &status);
      const char *recipe = media_texts_find (&texts, "gesso");
      if (n == file->len)
        g_assert_cmpstr (recipe, ==, "{\"prompt\": \"x\"}");
      else
        g_assert_true (!ok || texts.damaged);
      media_texts_clear (&texts);
    }
}

static void
test_matroska_tags_are_read (void)
{
  static const char file[] = "\x1a\x45\xdf\xa3\x84\x42\x86\x81\x01"
                             "\x18\x53\x80\x67\xa8" /* segment, 40 bytes */
                             "\x12\x54\xc3\x67\xa3" /* tags, 35 */
                             "\x73\x73\xa0"         /* tag, 32 */
                             "\x67\xc8\x9d"         /* simple tag, 29 */
                             "\x45\xa3\x86PROMPT\x44\x87\x91gesso:{\"a\": \"b\"} ";
  for (size_t n = sizeof file - 1; n > 0; n--)
    {
      MediaTexts texts = { 0 };
      Status status = { 0 };
      g_autofree uint8_t *exact = g_memdup2 (file, n);
      media_texts_read_memory (&texts, exact, n, "film", &status);
      if (n == sizeof file - 1)
        g_assert_cmpstr (media_texts_find (&texts, "gesso"), ==, "{\"a\": \"b\"} ");
      media_texts_clear (&texts);
    }
}

static void
add (const char *path, void (*test) (void))
{
  g_test_add_func (path, test);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  add ("/film/rates/parsed", test_rates_are_parsed);
  add ("/film/rates/times-do-not-drift", test_times_do_not_drift);
  add ("/film/rates/found-from-times", test_rates_are_found_from_times);
  add ("/film/clip/any-frame", test_clip_gives_any_frame);
  add ("/film/clip/unfinished-leaves-nothing", test_unfinished_clip_leaves_nothing);
  add ("/film/clip/damaged-is-said-or-right", test_damaged_clip_is_said_or_right);
  add ("/film/plain/few-colours-are-exact", test_few_colours_are_exact);
  add ("/film/plain/many-colours-keep-their-mean", test_many_colours_keep_their_mean);
  add ("/film/plain/every-failure-leaves-nothing", test_every_failure_leaves_nothing);
  add ("/film/plain/no-memory-is-said", test_no_memory_is_said);
  add ("/film/plain/limits-hold", test_limits_hold);
  add ("/film/planes/bt709", test_planes_are_bt709);
  add ("/film/planes/chroma-is-sited-left", test_chroma_is_sited_left);
  add ("/film/tags/av1", test_av1_gets_its_colours);
  add ("/film/texts/mp4", test_mp4_comment_is_read);
  add ("/film/texts/matroska", test_matroska_tags_are_read);
  return g_test_run ();
}
