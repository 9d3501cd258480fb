/* SPDX-License-Identifier: MPL-2.0
 * test-video.c - which encoder is taken, any frame of a film, patience and limits.
 */
#include <glib.h>
#include <glib/gstdio.h>
#include <string.h>

#include "core/mem.h"
#include "media/video/encoders.h"
#include "media/video/film-copy.h"
#include "media/video/film-encode.h"
#include "media/video/video.h"
#include "media/video/watchdog.h"

enum
{
  WIDTH = 64,
  HEIGHT = 48,
  N_FRAMES = 40,
  N_BITS = 6, /* of a frame's number, as stripes */
  FRAME_BYTES = WIDTH * HEIGHT * 3
};

static char *folder; /* a fresh one for each test */
static const FilmInfo info = { WIDTH, HEIGHT, { 30000, 1001 }, N_FRAMES };

static void
enter (void)
{
  folder = g_dir_make_tmp ("gesso-video-XXXXXX", NULL);
}

static char *
in_folder (const char *name)
{
  return g_build_filename (folder, name, NULL);
}

/* Returns: how many files were there */
static int
leave (void)
{
  GDir *dir = g_dir_open (folder, 0, NULL);
  int n = 0;
  for (const char *name; (name = g_dir_read_name (dir)); n++)
    {
      g_autofree char *path = in_folder (name);
      g_unlink (path);
    }
  g_dir_close (dir);
  g_rmdir (folder);
  g_clear_pointer (&folder, g_free);
  return n;
}

/* The number of a frame as stripes of black and white, which every codec keeps. */
static void
paint_number (uint8_t *rgb, int number)
{
  for (int i = 0; i < WIDTH * HEIGHT; i++)
    memset (rgb + 3 * i, number >> (i % WIDTH * N_BITS / WIDTH) & 1 ? 255 : 0, 3);
}

static int
read_number (const uint8_t *rgb)
{
  int number = 0;
  for (int bit = 0; bit < N_BITS; bit++)
    {
      int x = (2 * bit + 1) * WIDTH / (2 * N_BITS), at = 3 * (HEIGHT / 2 * WIDTH + x);
      number |= (rgb[at] > 127) << bit;
    }
  return number;
}

static bool
write_numbers (FilmWriter *writer, Status *status)
{
  uint8_t rgb[FRAME_BYTES];
  bool ok = writer != NULL;
  for (int n = 0; ok && n < N_FRAMES; n++)
    {
      paint_number (rgb, n);
      ok = film_writer_add (writer, rgb, status);
    }
  ok = ok && film_writer_finish (writer, status);
  film_writer_close (writer);
  return ok;
}

static bool
can_write (FilmFormat format)
{
  const char *package = NULL;
  if (film_can_write (format, &package))
    return true;
  g_autofree char *why = g_strdup_printf ("%s needs %s", film_format_info (format)->name, package);
  g_test_skip (why);
  return false;
}

/* ---- encoders ---- */

static const EncoderChoice some[] = {
  { "gesso-no-such-encoder", true, true, YUV_I420, YUV_NONE, { "", "", "" } },
  { "gesso-no-such-either", false, true, YUV_I420, YUV_NONE, { "", "", "" } },
  /* stands for a card whose driver is there and does not work */
  { "identity",
    true,
    true,
    YUV_I420,
    YUV_NONE,
    { "error-after=2", "error-after=2", "error-after=2" } },
  { "x264enc",
    false,
    false,
    YUV_I420,
    YUV_Y444,
    { "pass=qual quantizer=20", "pass=qual quantizer=20", "" } },
  { NULL },
};

static const EncoderChoice working[] = {
  /* stands for a card that works */
  { "identity", true, true, YUV_I420, YUV_NONE, { "", "", "" } },
  { "x264enc", false, false, YUV_I420, YUV_Y444, { "", "", "" } },
  { NULL },
};

static void
test_hardware_is_taken_only_when_it_works (void)
{
  Status status = { 0 };
  g_assert_true (video_start (&status));
  if (!can_write (FILM_H264))
    return;
  for (int i = 0; i < 2; i++) /* the second time from memory */
    {
      const EncoderChoice *c = encoder_choose (some, false, WIDTH, HEIGHT);
      g_assert_nonnull (c);
      g_assert_cmpstr (c->factory, ==, "x264enc");
    }
  g_assert_cmpstr (encoder_choose (working, false, 16, 16)->factory, ==, "identity");
  g_assert_cmpstr (encoder_choose (working, true, 16, 16)->factory, ==, "x264enc"); /* 4:4:4 */
  g_assert_null (encoder_choose (some + 4, false, WIDTH, HEIGHT));
}

static void
test_fallback_writes_the_film (void)
{
  Status status = { 0 };
  const FilmOptions options = { .format = FILM_H264 };
  if (!can_write (FILM_H264))
    return;
  EncoderSet set = *encoder_set (FILM_H264);
  set.choices = some;
  enter ();
  g_autofree char *path = in_folder ("a.mp4");
  FilmWriter *writer = film_encode_new_with (&set, path, &info, &options, &status);
  g_assert_nonnull (writer);
  g_assert_cmpstr (writer->encoder, ==, "x264enc");
  g_assert_true (write_numbers (writer, &status));
  g_assert_cmpint (leave (), ==, 1);
}

/* SVT-AV1 2.3 took no side below 64 px, failed at the first frame, and nothing was tried instead.
 */
static void
test_small_frames_go_to_another_encoder (void)
{
  static const EncoderChoice choices[] = {
    { "identity",
      false,
      true,
      YUV_I420,
      YUV_NONE,
      { "error-after=1", "error-after=1", "error-after=1" },
      HEIGHT + 1 },
    { "x264enc", false, false, YUV_I420, YUV_Y444, { "", "", "" }, 0 },
    { NULL },
  };
  const EncoderChoice alone[] = { choices[0], { NULL } };
  const EncoderSet set = { alone, NULL, NULL, "matroskamux", "", "package", "Test" };
  const FilmOptions options = { .format = FILM_FFV1 };
  Status status = { 0 };
  if (!can_write (FILM_H264))
    return;
  g_assert_cmpstr (encoder_choose (choices, false, WIDTH, HEIGHT)->factory, ==, "x264enc");
  g_assert_cmpstr (encoder_choose (choices, false, WIDTH, HEIGHT + 1)->factory, ==, "identity");
  enter ();
  g_autofree char *path = in_folder ("a.mkv");
  g_assert_null (film_encode_new_with (&set, path, &info, &options, &status));
  g_assert_cmpstr (status.message, ==,
                   "Test cannot be written here with 64 x 48 px: choose another format.");
  g_assert_cmpint (leave (), ==, 0);
}

static void
test_failing_encoder_is_said (void)
{
  /* goes on for a while, so that the probe would not have found it */
  static const EncoderChoice choices[] = {
    { "identity",
      false,
      true,
      YUV_I420,
      YUV_NONE,
      { "error-after=9", "error-after=9", "error-after=9" } },
    { NULL },
  };
  const EncoderSet set = { choices, NULL, NULL, "matroskamux", "", "package", "Test" };
  Status status = { 0 };
  const FilmOptions options = { .format = FILM_FFV1 };
  g_assert_true (video_start (&status));
  enter ();
  g_autofree char *path = in_folder ("a.mkv");
  FilmWriter *writer = film_encode_new_with (&set, path, &info, &options, &status);
  g_assert_nonnull (writer);
  g_assert_false (write_numbers (writer, &status));
  g_assert_cmpint (status.code, ==, STATUS_IO);
  g_assert_nonnull (strstr (status.message, "a.mkv"));
  g_assert_cmpint (leave (), ==, 0);
}

/* ---- a card's encoder under its own name ---- */

/* x264 behind a guard that lets so many frames through and then fails; 0: all of them. */
static int frames_until_failure;

typedef struct
{
  GstBin parent_instance;
} FakeCard;

typedef struct
{
  GstBinClass parent_class;
} FakeCardClass;

GType fake_card_get_type (void);
G_DEFINE_TYPE (FakeCard, fake_card, GST_TYPE_BIN)

static void
fake_card_init (FakeCard *self)
{
  GstElement *guard = gst_element_factory_make ("identity", NULL);
  GstElement *encoder = gst_element_factory_make ("x264enc", NULL);
  g_object_set (guard, "error-after", frames_until_failure > 0 ? frames_until_failure : -1, NULL);
  gst_bin_add_many (GST_BIN (self), guard, encoder, NULL);
  g_assert_true (gst_element_link (guard, encoder));
  g_autoptr (GstPad) in = gst_element_get_static_pad (guard, "sink");
  g_autoptr (GstPad) out = gst_element_get_static_pad (encoder, "src");
  gst_element_add_pad (GST_ELEMENT (self), gst_ghost_pad_new ("sink", in));
  gst_element_add_pad (GST_ELEMENT (self), gst_ghost_pad_new ("src", out));
}

static void
fake_card_class_init (FakeCardClass *klass)
{
}

/* A clip whose frames have numbers, @height high: what encoders do is remembered for each size. */
static char *
write_clip (int height)
{
  Status status = { 0 };
  const FilmOptions options = { .format = FILM_CLIP };
  const FilmInfo tall = { WIDTH, height, info.rate, N_FRAMES };
  g_autofree uint8_t *rgb = g_malloc0 ((gsize) WIDTH * (gsize) height * 3);
  char *path = in_folder ("a.gclip");
  FilmWriter *writer = film_writer_open (path, &tall, &options, &status);
  for (int n = 0; n < N_FRAMES; n++)
    {
      paint_number (rgb, n);
      g_assert_true (film_writer_add (writer, rgb, &status));
    }
  g_assert_true (film_writer_finish (writer, &status));
  film_writer_close (writer);
  return path;
}

static void
assert_numbers (const char *path, int height)
{
  Status status = { 0 };
  bool end = false;
  g_autofree uint8_t *rgb = g_malloc0 ((gsize) WIDTH * (gsize) height * 3);
  FrameSource *source = film_open (path, NULL, &status);
  g_assert_nonnull (source);
  for (int n = 0; n < N_FRAMES; n++)
    {
      g_assert_true (frames_get (source, n, rgb, &end, &status) && !end);
      g_assert_cmpint (read_number (rgb), ==, n);
    }
  g_assert_true (frames_get (source, N_FRAMES, rgb, &end, &status) && end);
  frames_close (source);
}

static void
count_cb (void *data, int n_done, int n_expected)
{
  ++*(int *) data;
}

/* Whether it works, cannot begin, or fails behind the frames that it is tried with: the film is
 * whole, and the user is told who made it after all. */
static void
test_cards_encoder_may_fail_at_any_time (void)
{
  enum
  {
    WORKS_PX = 56,
    AT_START_PX = 64,
    IN_THE_MIDDLE_PX = 72
  };
  static const struct
  {
    int until_failure, height;
    const char *encoder;
    bool again;
  } cases[] = { { 0, WORKS_PX, "nvh264enc", false },
                { 2, AT_START_PX, "x264enc", false },
                { 20, IN_THE_MIDDLE_PX, "x264enc", true },
                { 0, IN_THE_MIDDLE_PX, "x264enc", false } }; /* not trusted any more */
  Status started = { 0 };
  g_assert_true (video_start (&started));
  g_autoptr (GstElementFactory) real = gst_element_factory_find ("nvh264enc");
  if (!can_write (FILM_H264))
    return;
  if (real)
    {
      g_test_skip ("a card's own encoder is there");
      return;
    }
  g_assert_true (gst_element_register (NULL, "nvh264enc", GST_RANK_NONE, fake_card_get_type ()));
  for (gsize i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      Status status = { 0 };
      FilmCopied done;
      int n_told = 0;
      const FilmCopyOptions options = {
        .film = { .format = FILM_H264 }, .rate = { 0, 1 }, .progress = count_cb, .data = &n_told
      };
      frames_until_failure = cases[i].until_failure;
      enter ();
      g_autofree char *clip = write_clip (cases[i].height), *film = in_folder ("a.mp4");
      if (!film_copy (clip, film, &options, &done, &status))
        g_error ("%s", status.message);
      g_assert_cmpstr (done.encoder, ==, cases[i].encoder);
      g_assert_cmpint (done.info.n_frames, ==, N_FRAMES);
      g_assert_cmpint (strstr (done.note, "nvh264enc") != NULL, ==, cases[i].again);
      g_assert_cmpint (n_told > N_FRAMES, ==, cases[i].again);
      assert_numbers (film, cases[i].height);
      g_assert_cmpint (leave (), ==, 2);
    }
}

/* ---- frames ---- */

static void
test_any_frame_is_the_right_one (gconstpointer data)
{
  FilmFormat format = (FilmFormat) GPOINTER_TO_INT (data);
  static const int order[] = { 0, 1, 39, 0, 17, 18, 16, 38, 3, 39, 39, 20, 2, 31, 7 };
  const FilmOptions options = { .format = format, .quality = FILM_DRAFT };
  uint8_t rgb[FRAME_BYTES];
  Status status = { 0 };
  bool end = false;
  if (!can_write (format))
    return;
  enter ();
  g_autofree char *path = in_folder ("a.film");
  g_assert_true (write_numbers (film_writer_open (path, &info, &options, &status), &status));
  FrameSource *source = film_open (path, NULL, &status);
  if (!source)
    g_error ("%s", status.message);
  g_assert_cmpint (source->info.width, ==, WIDTH);
  g_assert_cmpint (source->info.rate.num, ==, 30000);
  g_assert_cmpint (source->info.rate.den, ==, 1001);
  for (size_t i = 0; i < G_N_ELEMENTS (order); i++)
    {
      if (!frames_get (source, order[i], rgb, &end, &status))
        g_error ("frame %d: %s", order[i], status.message);
      g_assert_false (end);
      g_assert_cmpint (read_number (rgb), ==, order[i]);
    }
  g_assert_true (frames_get (source, N_FRAMES, rgb, &end, &status) && end);
  g_assert_cmpint (source->info.n_frames, ==, N_FRAMES);
  g_assert_true (frames_get (source, 5, rgb, &end, &status) && !end); /* back from the end */
  g_assert_cmpint (read_number (rgb), ==, 5);
  frames_close (source);
  leave ();
}

/* Small and noisy: VP9 lost the last frames, which waited in the encoder. */
static void
test_the_last_frames_are_there (gconstpointer data)
{
  FilmFormat format = (FilmFormat) GPOINTER_TO_INT (data);
  const FilmOptions options = { .format = format, .quality = FILM_HIGH };
  uint8_t rgb[FRAME_BYTES];
  Status status = { 0 };
  bool end = false;
  if (!can_write (format))
    return;
  g_autoptr (GRand) rand = g_rand_new_with_seed (1);
  enter ();
  g_autofree char *path = in_folder ("a.film");
  FilmWriter *writer = film_writer_open (path, &info, &options, &status);
  g_assert_nonnull (writer);
  for (int n = 0; n < N_FRAMES; n++)
    {
      for (int i = 0; i < FRAME_BYTES; i++)
        rgb[i] = (uint8_t) g_rand_int_range (rand, 0, 256);
      g_assert_true (film_writer_add (writer, rgb, &status));
    }
  g_assert_true (film_writer_finish (writer, &status));
  film_writer_close (writer);
  FrameSource *source = film_open (path, NULL, &status);
  g_assert_nonnull (source);
  for (int n = 0; n < N_FRAMES; n++)
    g_assert_true (frames_get (source, n, rgb, &end, &status) && !end);
  frames_close (source);
  leave ();
}

static void
test_limits_and_cancel (void)
{
  const FilmOptions options = { .format = FILM_FFV1 };
  atomic_bool cancel = false;
  const FrameLimits few = { .max_frames = 10 }, small = { .max_pixels = 1000 },
                    stopped = { .cancel = &cancel };
  uint8_t rgb[FRAME_BYTES];
  Status status = { 0 };
  bool end = false;
  if (!can_write (FILM_FFV1))
    return;
  enter ();
  g_autofree char *path = in_folder ("a.mkv");
  g_assert_true (write_numbers (film_writer_open (path, &info, &options, &status), &status));
  FrameSource *source = film_open (path, &few, &status);
  g_assert_true (frames_get (source, 9, rgb, &end, &status));
  g_assert_false (frames_get (source, 10, rgb, &end, &status));
  g_assert_cmpint (status.code, ==, STATUS_UNSUPPORTED);
  frames_close (source);
  status = (Status){ 0 };
  g_assert_null (film_open (path, &small, &status));
  g_assert_cmpint (status.code, ==, STATUS_UNSUPPORTED);
  g_assert_nonnull (strstr (status.message, "64 x 48"));
  status = (Status){ 0 };
  source = film_open (path, &stopped, &status);
  atomic_store (&cancel, true);
  g_assert_false (frames_get (source, 30, rgb, &end, &status));
  g_assert_cmpint (status.code, ==, STATUS_CANCELLED);
  frames_close (source);
  leave ();
}

static void
test_cancelled_film_leaves_nothing (gconstpointer data)
{
  FilmFormat format = (FilmFormat) GPOINTER_TO_INT (data);
  atomic_bool cancel = false;
  const FilmOptions options = { .format = format, .cancel = &cancel };
  uint8_t rgb[FRAME_BYTES] = { 0 };
  if (!can_write (format))
    return;
  for (int kind = 0; kind < 3; kind++)
    {
      Status status = { 0 };
      atomic_store (&cancel, false);
      enter ();
      g_autofree char *path = in_folder ("a.film");
      FilmWriter *writer = film_writer_open (path, &info, &options, &status);
      for (int n = 0; n < 12; n++)
        g_assert_true (film_writer_add (writer, rgb, &status));
      atomic_store (&cancel, kind < 2);
      if (kind == 0)
        g_assert_false (film_writer_add (writer, rgb, &status));
      if (kind == 1)
        g_assert_false (film_writer_finish (writer, &status));
      g_assert_cmpint (status.code, ==, kind < 2 ? STATUS_CANCELLED : STATUS_OK);
      film_writer_close (writer); /* kind 2: never finished */
      g_assert_cmpint (leave (), ==, 0);
    }
}

static void
test_existing_file_is_kept (void)
{
  Status status = { 0 };
  const FilmOptions options = { .format = FILM_FFV1 };
  gsize n;
  enter ();
  g_autofree char *path = in_folder ("a.mkv"), *kept = NULL;
  g_assert_true (g_file_set_contents (path, "mine", 4, NULL));
  g_assert_null (film_writer_open (path, &info, &options, &status));
  g_assert_cmpint (status.code, ==, STATUS_IO);
  g_assert_true (g_file_get_contents (path, &kept, &n, NULL));
  g_assert_cmpmem (kept, n, "mine", 4);
  g_assert_cmpint (leave (), ==, 1);
}

/* ---- patience ---- */

static void
test_watchdog_counts_only_time_without_progress (void)
{
  Watchdog dog = { .limit_us = 100 };
  g_assert_false (watchdog_is_stuck (&dog, 7, 1000000)); /* the first look begins to count */
  g_assert_false (watchdog_is_stuck (&dog, 7, 1000100));
  g_assert_true (watchdog_is_stuck (&dog, 7, 1000101));
  g_assert_false (watchdog_is_stuck (&dog, 8, 1000101)); /* something moved */
  g_assert_false (watchdog_is_stuck (&dog, 8, 1000201));
  watchdog_rest (&dog);
  g_assert_false (watchdog_is_stuck (&dog, 8, 9000000)); /* time spent elsewhere */
  g_assert_true (watchdog_is_stuck (&dog, 8, 9000101));
}

static void
add_for (const char *name, FilmFormat format, GTestDataFunc test)
{
  g_autofree char *path = g_strdup_printf ("/video/%s/%s", name, film_format_info (format)->name);
  g_test_add_data_func (path, GINT_TO_POINTER ((int) format), test);
}

int
main (int argc, char **argv)
{
  static const FilmFormat formats[] = { FILM_H264, FILM_H265, FILM_AV1,   FILM_VP9,
                                        FILM_WEBM, FILM_FFV1, FILM_PRORES };
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/video/encoders/hardware-only-when-it-works",
                   test_hardware_is_taken_only_when_it_works);
  g_test_add_func ("/video/encoders/fallback-writes-the-film", test_fallback_writes_the_film);
  g_test_add_func ("/video/encoders/small-frames-go-to-another",
                   test_small_frames_go_to_another_encoder);
  g_test_add_func ("/video/encoders/failing-is-said", test_failing_encoder_is_said);
  for (size_t i = 0; i < G_N_ELEMENTS (formats); i++)
    {
      add_for ("any-frame", formats[i], test_any_frame_is_the_right_one);
      add_for ("last-frames", formats[i], test_the_last_frames_are_there);
    }
  add_for ("cancel", FILM_H264, test_cancelled_film_leaves_nothing);
  add_for ("cancel", FILM_WEBM, test_cancelled_film_leaves_nothing);
  g_test_add_func ("/video/limits-and-cancel", test_limits_and_cancel);
  g_test_add_func ("/video/existing-file-is-kept", test_existing_file_is_kept);
  g_test_add_func ("/video/watchdog", test_watchdog_counts_only_time_without_progress);
  /* a suite of its own, and the last: its encoder stays in the registry */
  g_test_add_func ("/video/card/may-fail-at-any-time", test_cards_encoder_may_fail_at_any_time);
  return g_test_run ();
}
