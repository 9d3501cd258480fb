/* SPDX-License-Identifier: MPL-2.0 */
#define _GNU_SOURCE
#include <glib.h>
#include <glib/gstdio.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <zlib.h>

#include "core/mem.h"
#include "media/png.h"
#include "media/texts.h"

static char *folder; /* a fresh one for each test */

static void
enter (void)
{
  folder = g_dir_make_tmp ("gesso-png-XXXXXX", NULL);
}

static int
count_files (void)
{
  GDir *dir = g_dir_open (folder, 0, NULL);
  int n = 0;
  while (g_dir_read_name (dir))
    n++;
  g_dir_close (dir);
  return n;
}

static void
leave (void)
{
  GDir *dir = g_dir_open (folder, 0, NULL);
  for (const char *name; (name = g_dir_read_name (dir));)
    {
      g_autofree char *path = g_build_filename (folder, name, NULL);
      g_unlink (path);
    }
  g_dir_close (dir);
  g_rmdir (folder);
  g_clear_pointer (&folder, g_free);
}

static char *
in_folder (const char *name)
{
  return g_build_filename (folder, name, NULL);
}

static Image
test_picture (int width, int height)
{
  Image image = { width, height, mem_calloc ((size_t) width * (size_t) height, IMAGE_CHANNELS) };
  uint32_t state = 7;
  for (int i = 0; i < width * height * IMAGE_CHANNELS; i++)
    image.rgb[i] = (uint8_t) ((state = state * 1664525 + 1013904223) >> 24);
  return image;
}

static void
assert_same_picture (const Image *a, const Image *b)
{
  g_assert_cmpint (a->width, ==, b->width);
  g_assert_cmpint (a->height, ==, b->height);
  g_assert_cmpmem (a->rgb, (size_t) (a->width * a->height * 3), b->rgb,
                   (size_t) (b->width * b->height * 3));
}

static void
test_picture_and_texts_round_trip (void)
{
  static const PngText texts[] = { { "parameters", "a fox\nNegative prompt: dog\nSteps: 20" },
                                   { "latin", "naïve café" },
                                   { "gesso", "{\"prompt\": \"狐 🦊\"}" },
                                   { "empty", "" } };
  Image image = test_picture (33, 17), read = { 0 };
  MediaTexts found = { 0 };
  Status status = { 0 };
  PngOptions options = { .texts = texts, .n_texts = G_N_ELEMENTS (texts) };
  enter ();
  g_autofree char *path = in_folder ("a.png");
  g_assert_true (png_write_file (path, &image, &options, &status));
  g_assert_true (image_read (&read, path, &status));
  assert_same_picture (&image, &read);
  g_assert_true (media_texts_read (&found, path, &status));
  g_assert_cmpint (found.n, ==, G_N_ELEMENTS (texts));
  g_assert_false (found.damaged);
  for (size_t i = 0; i < G_N_ELEMENTS (texts); i++)
    g_assert_cmpstr (media_texts_find (&found, texts[i].key), ==, texts[i].value);
  g_assert_cmpint (count_files (), ==, 1);
  media_texts_clear (&found);
  image_clear (&image);
  image_clear (&read);
  leave ();
}

/* tEXt for what Latin-1 can say, iTXt for the rest: old readers know only tEXt. */
static void
test_latin1_text_is_text_chunk (void)
{
  static const PngText texts[] = { { "a", "caf\xc3\xa9" }, { "b", "狐" } };
  Image image = test_picture (1, 1);
  Status status = { 0 };
  g_autofree char *bytes = NULL;
  gsize n;
  enter ();
  g_autofree char *path = in_folder ("a.png");
  g_assert_true (
      png_write_file (path, &image, &(PngOptions){ .texts = texts, .n_texts = 2 }, &status));
  g_assert_true (g_file_get_contents (path, &bytes, &n, NULL));
  g_assert_nonnull (memmem (bytes, n, "tEXta\0caf\xe9", 10));
  g_assert_nonnull (memmem (bytes, n, "iTXtb\0\0\0\0\0狐", 13));
  image_clear (&image);
  leave ();
}

static void
test_bad_arguments_are_refused (void)
{
  g_autofree char *long_key = g_strnfill (80, 'k');
  const PngText bad[] = { { "", "x" },  { " a", "x" },   { "a\n", "x" },
                          { "é", "x" }, { "a", "\xff" }, { long_key, "x" } };
  Image image = test_picture (2, 2), none = { 0 };
  enter ();
  g_autofree char *path = in_folder ("a.png");
  for (size_t i = 0; i < G_N_ELEMENTS (bad); i++)
    {
      Status status = { 0 };
      g_assert_false (
          png_write_file (path, &image, &(PngOptions){ .texts = &bad[i], .n_texts = 1 }, &status));
      g_assert_cmpint (status.code, ==, STATUS_ARGUMENT);
    }
  Status status = { 0 };
  g_assert_false (png_write_file (path, &none, NULL, &status));
  g_assert_cmpint (status.code, ==, STATUS_ARGUMENT);
  g_assert_cmpint (count_files (), ==, 0);
  image_clear (&image);
  leave ();
}

static void
test_overwrites_only_when_asked (void)
{
  Image first = test_picture (4, 4), second = test_picture (5, 5), read = { 0 };
  Status status = { 0 };
  enter ();
  g_autofree char *path = in_folder ("a.png");
  g_assert_true (png_write_file (path, &first, NULL, &status));
  g_assert_false (png_write_file (path, &second, NULL, &status));
  g_assert_nonnull (strstr (status.message, "a file of that name exists already"));
  g_assert_cmpint (count_files (), ==, 1);
  status = (Status){ 0 };
  g_assert_true (image_read (&read, path, &status));
  assert_same_picture (&first, &read);
  image_clear (&read);
  g_assert_true (png_write_file (path, &second, &(PngOptions){ .overwrite = true }, &status));
  g_assert_true (image_read (&read, path, &status));
  assert_same_picture (&second, &read);
  image_clear (&read);
  image_clear (&first);
  image_clear (&second);
  leave ();
}

static void
test_new_names_count_up (void)
{
  Image image = test_picture (1, 1);
  Status status = { 0 };
  enter ();
  for (int i = 1; i <= 3; i++)
    {
      char *path = png_new_name (folder, "fox", &status);
      g_autofree char *expected = g_strdup_printf ("%s/fox-%05d.png", folder, i);
      g_assert_cmpstr (path, ==, expected);
      g_assert_true (png_write_file (path, &image, NULL, &status));
      mem_free (path);
    }
  image_clear (&image);
  leave ();
}

static void
test_file_has_the_usual_permissions (void)
{
  Image image = test_picture (1, 1);
  Status status = { 0 };
  struct stat st;
  enter ();
  g_autofree char *path = in_folder ("a.png");
  mode_t mask = umask (022);
  g_assert_true (png_write_file (path, &image, NULL, &status));
  umask (mask);
  g_assert_cmpint (stat (path, &st), ==, 0);
  g_assert_cmpint (st.st_mode & 0777, ==, 0644);
  image_clear (&image);
  leave ();
}

/* A limit on file sizes fails write() just as a full disk does. */
static void
test_full_disk_leaves_nothing (void)
{
  Image image = test_picture (256, 256); /* noise: about 190 KiB */
  struct rlimit before, limit;
  getrlimit (RLIMIT_FSIZE, &before);
  signal (SIGXFSZ, SIG_IGN);
  enter ();
  g_autofree char *path = in_folder ("a.png");
  for (rlim_t n = 0; n < 200000; n += 20011)
    {
      Status status = { 0 };
      limit = (struct rlimit){ n, before.rlim_max };
      setrlimit (RLIMIT_FSIZE, &limit);
      bool ok = png_write_file (path, &image, NULL, &status);
      setrlimit (RLIMIT_FSIZE, &before);
      g_assert_false (ok && n < 190000);
      if (ok)
        break;
      g_assert_cmpint (status.code, ==, STATUS_IO);
      g_assert_nonnull (strstr (status.message, "the disk is full"));
      g_assert_cmpint (count_files (), ==, 0);
    }
  image_clear (&image);
  leave ();
}

static void
test_missing_folder_is_named (void)
{
  Image image = test_picture (1, 1);
  Status status = { 0 };
  g_assert_false (png_write_file ("/no/such/folder/a.png", &image, NULL, &status));
  g_assert_cmpstr (status.message, ==,
                   "Cannot write \"/no/such/folder/a.png\": there is no such file or folder.");
  image_clear (&image);
}

static void
test_cancelled_write_leaves_nothing (void)
{
  Image image = test_picture (16, 16);
  atomic_bool cancel = true;
  Status status = { 0 };
  enter ();
  g_autofree char *path = in_folder ("a.png");
  g_assert_false (png_write_file (path, &image, &(PngOptions){ .cancel = &cancel }, &status));
  g_assert_cmpint (status.code, ==, STATUS_CANCELLED);
  g_assert_cmpint (count_files (), ==, 0);
  image_clear (&image);
  leave ();
}

/* Building PNG files by hand: what our own writer never writes. */

static void
append_u32 (GByteArray *out, uint32_t v)
{
  uint8_t bytes[4] = { (uint8_t) (v >> 24), (uint8_t) (v >> 16), (uint8_t) (v >> 8), (uint8_t) v };
  g_byte_array_append (out, bytes, 4);
}

static void
append_chunk (GByteArray *out, const char *type, const void *data, size_t n)
{
  append_u32 (out, (uint32_t) n);
  guint start = out->len;
  g_byte_array_append (out, (const uint8_t *) type, 4);
  g_byte_array_append (out, data, (guint) n);
  append_u32 (out, (uint32_t) crc32 (0, out->data + start, (uInt) (4 + n)));
}

static GByteArray *
begin_png (int width, int height, int depth, int color_type, int interlace)
{
  GByteArray *out = g_byte_array_new ();
  uint8_t header[13] = { 0,
                         0,
                         0,
                         (uint8_t) width,
                         0,
                         0,
                         0,
                         (uint8_t) height,
                         (uint8_t) depth,
                         (uint8_t) color_type,
                         0,
                         0,
                         (uint8_t) interlace };
  g_byte_array_append (out, (const uint8_t *) "\x89PNG\r\n\x1a\n", 8);
  append_chunk (out, "IHDR", header, sizeof header);
  return out;
}

static void
append_pixels (GByteArray *out, const void *rows, size_t n)
{
  uint8_t packed[1024];
  uLongf n_packed = sizeof packed;
  g_assert_cmpint (compress (packed, &n_packed, rows, n), ==, Z_OK);
  append_chunk (out, "IDAT", packed, n_packed);
}

static void
end_png (GByteArray *out)
{
  append_chunk (out, "IEND", "", 0);
}

static void
assert_pixels (GByteArray *png, const char *expected, size_t n)
{
  Image image = { 0 };
  Status status = { 0 };
  if (!image_read_memory (&image, png->data, png->len, "test", &status))
    g_error ("%s", status.message);
  g_assert_cmpmem (image.rgb, (size_t) (image.width * image.height * 3), expected, n);
  image_clear (&image);
  g_byte_array_unref (png);
}

static void
test_every_colour_type_becomes_rgb (void)
{
  GByteArray *png = begin_png (2, 1, 8, 6, 0); /* RGBA: over white */
  append_pixels (png, "\0\x10\x20\x30\xff\x00\x00\x00\x80", 9);
  end_png (png);
  assert_pixels (png, "\x10\x20\x30\x7f\x7f\x7f", 6);
  png = begin_png (2, 1, 8, 4, 0); /* grey with alpha */
  append_pixels (png, "\0\x40\xff\x00\x00", 5);
  end_png (png);
  assert_pixels (png, "\x40\x40\x40\xff\xff\xff", 6);
  png = begin_png (2, 1, 16, 2, 0); /* 16 bits are cut */
  append_pixels (png, "\0\x12\xff\x34\xff\x56\xff\xfe\x00\xdc\x00\xba\x00", 13);
  end_png (png);
  assert_pixels (png, "\x12\x34\x56\xfe\xdc\xba", 6);
  png = begin_png (8, 1, 1, 0, 0); /* 1-bit grey */
  append_pixels (png, "\0\xa0", 2);
  end_png (png);
  assert_pixels (png, "\xff\xff\xff\0\0\0\xff\xff\xff\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0", 24);
  png = begin_png (2, 1, 8, 3, 0); /* palette, its first colour transparent */
  append_chunk (png, "PLTE", "\x01\x02\x03\x04\x05\x06", 6);
  append_chunk (png, "tRNS", "\0", 1);
  append_pixels (png, "\0\x00\x01", 3);
  end_png (png);
  assert_pixels (png, "\xff\xff\xff\x04\x05\x06", 6);
  png = begin_png (2, 2, 8, 0, 1); /* interlaced: passes 1, 6 and 7 hold these four pixels */
  append_pixels (png, "\0\x01\0\x02\0\x03\x04", 7);
  end_png (png);
  assert_pixels (png, "\1\1\1\2\2\2\3\3\3\4\4\4", 12);
}

static MediaTexts
texts_of (GByteArray *file)
{
  MediaTexts texts = { 0 };
  Status status = { 0 };
  if (!media_texts_read_memory (&texts, file->data, file->len, "test", &status))
    g_error ("%s", status.message);
  g_byte_array_unref (file);
  return texts;
}

static void
append_ztxt (GByteArray *out, const char *key, const char *text, size_t n)
{
  GByteArray *data = g_byte_array_new ();
  uLongf n_packed = compressBound (n);
  g_autofree uint8_t *packed = g_malloc (n_packed);
  compress (packed, &n_packed, (const uint8_t *) text, n);
  g_byte_array_append (data, (const uint8_t *) key, (guint) strlen (key) + 1);
  g_byte_array_append (data, (const uint8_t *) "", 1);
  g_byte_array_append (data, packed, (guint) n_packed);
  append_chunk (out, "zTXt", data->data, data->len);
  g_byte_array_unref (data);
}

static void
test_every_text_chunk_is_read (void)
{
  GByteArray *png = begin_png (1, 1, 8, 0, 0);
  append_chunk (png, "tEXt", "latin\0caf\xe9", 10);
  append_chunk (png, "tEXt", "utf8\0caf\xc3\xa9", 10);
  append_ztxt (png, "packed", "much text", 9);
  append_pixels (png, "\0\0", 2);
  append_chunk (png, "iTXt", "after\0\0\0en\0Titel\0\xe7\x8b\x90", 20);
  append_chunk (png, "comf", "prompt\0{}", 9);
  append_chunk (png, "eXIf",
                "MM\0*\0\0\0\x08\0\x01\x87\x69\0\x04\0\0\0\x01\0\0\0\x1a\0\0\0\0"
                "\0\x01\x92\x86\0\x07\0\0\0\x0e\0\0\0\x2c\0\0\0\0UNICODE\0\0f\0o\0x",
                58);
  end_png (png);
  MediaTexts texts = texts_of (png);
  g_assert_false (texts.damaged);
  g_assert_cmpint (texts.n, ==, 6);
  g_assert_cmpstr (media_texts_find (&texts, "latin"), ==, "café");
  g_assert_cmpstr (media_texts_find (&texts, "utf8"), ==, "café");
  g_assert_cmpstr (media_texts_find (&texts, "packed"), ==, "much text");
  g_assert_cmpstr (media_texts_find (&texts, "after"), ==, "狐");
  g_assert_cmpstr (media_texts_find (&texts, "prompt"), ==, "{}");
  g_assert_cmpstr (media_texts_find (&texts, "UserComment"), ==, "fox");
  media_texts_clear (&texts);
}

static void
test_truncated_file_gives_what_it_has (void)
{
  GByteArray *png = begin_png (1, 1, 8, 0, 0);
  append_chunk (png, "tEXt", "one\0first", 9);
  guint end_of_first = png->len;
  append_chunk (png, "tEXt", "two\0second", 10);
  append_pixels (png, "\0\0", 2);
  end_png (png);
  for (guint n = 8; n < png->len; n++)
    {
      Image image = { 0 };
      Status status = { 0 };
      GByteArray *cut = g_byte_array_append (g_byte_array_new (), png->data, n);
      MediaTexts texts = texts_of (cut);
      g_assert_cmpint (texts.damaged, ==, n < png->len - 4); /* IEND's checksum is not needed */
      g_assert_cmpint (media_texts_find (&texts, "one") != NULL, ==, n >= end_of_first);
      media_texts_clear (&texts);
      if (!image_read_memory (&image, png->data, n, "cut.png", &status))
        g_assert_true (
            g_str_has_prefix (status.message, "Cannot read \"cut.png\": the PNG is damaged ("));
      image_clear (&image);
    }
  png->data[end_of_first - 6] ^= 1; /* a byte of the first text: its checksum is wrong now */
  MediaTexts texts = texts_of (png);
  g_assert_true (texts.damaged);
  g_assert_null (media_texts_find (&texts, "one"));
  g_assert_cmpstr (media_texts_find (&texts, "two"), ==, "second");
  media_texts_clear (&texts);
}

static void
test_huge_texts_are_skipped (void)
{
  g_autofree char *big = g_malloc0 (TEXT_MAX_BYTES + 8);
  GByteArray *png = begin_png (1, 1, 8, 0, 0);
  memset (big, 'a', TEXT_MAX_BYTES + 8);
  memcpy (big, "big", 4);
  append_chunk (png, "tEXt", big, TEXT_MAX_BYTES + 1);
  append_ztxt (png, "bomb", big,
               TEXT_MAX_BYTES + 8); /* 20 KiB that unpack to more than is allowed */
  append_chunk (png, "tEXt", "fits\0", 5);
  append_chunk (png, "tEXt", big, TEXT_MAX_BYTES);
  end_png (png);
  MediaTexts texts = texts_of (png);
  g_assert_cmpint (texts.n_skipped, ==, 2);
  g_assert_cmpint (texts.n, ==, 2);
  g_assert_cmpint (strlen (media_texts_find (&texts, "big")), ==, TEXT_MAX_BYTES - 4);
  media_texts_clear (&texts);
}

static void
test_too_many_pixels_are_refused (void)
{
  GByteArray *png = g_byte_array_new ();
  Image image = { 0 };
  Status status = { 0 };
  uint8_t header[13] = { 0, 0, 0x80, 0, 0, 0, 0x80, 0, 8, 2, 0, 0, 0 }; /* 32768 x 32768 */
  g_byte_array_append (png, (const uint8_t *) "\x89PNG\r\n\x1a\n", 8);
  append_chunk (png, "IHDR", header, sizeof header);
  append_pixels (png, "\0\0", 2);
  g_assert_false (image_read_memory (&image, png->data, png->len, "big.png", &status));
  g_assert_cmpstr (status.message, ==,
                   "\"big.png\" has 32768 x 32768 px, more than can be read: scale it down first.");
  g_assert_null (image.rgb);
  g_byte_array_unref (png);
}

/* A JPEG or WebP shell around an EXIF block. */

static GByteArray *
tiff_with_comment (gboolean big, const char *comment, size_t n)
{
  GByteArray *t = g_byte_array_new ();
  if (big)
    g_byte_array_append (
        t,
        (const uint8_t *) "MM\0*\0\0\0\x08\0\x01\x87\x69\0\x04\0\0\0\x01\0\0\0\x1a\0\0\0\0"
                          "\0\x01\x92\x86\0\x07\0\0\0",
        35);
  else
    g_byte_array_append (
        t,
        (const uint8_t *) "II*\0\x08\0\0\0\x01\0\x69\x87\x04\0\x01\0\0\0\x1a\0\0\0\0\0\0\0"
                          "\x01\0\x86\x92\x07\0",
        32);
  uint8_t count[4] = { (uint8_t) n, 0, 0, 0 };
  g_byte_array_append (t, count, big ? 1 : 4);
  g_byte_array_append (t, (const uint8_t *) (big ? "\0\0\0\x2c\0\0\0\0" : "\x2c\0\0\0\0\0\0\0"), 8);
  g_byte_array_append (t, (const uint8_t *) comment, (guint) n);
  return t;
}

static GByteArray *
jpeg_around (GByteArray *tiff)
{
  GByteArray *out = g_byte_array_new ();
  uint8_t length[2] = { 0, (uint8_t) (tiff->len + 8) };
  g_byte_array_append (out, (const uint8_t *) "\xff\xd8\xff\xe0\0\x04JF\xff\xff\xe1", 11);
  g_byte_array_append (out, length, 2);
  g_byte_array_append (out, (const uint8_t *) "Exif\0\0", 6);
  g_byte_array_append (out, tiff->data, tiff->len);
  g_byte_array_append (out, (const uint8_t *) "\xff\xda", 2);
  g_byte_array_unref (tiff);
  return out;
}

static GByteArray *
webp_around (GByteArray *tiff)
{
  GByteArray *out = g_byte_array_new ();
  uint8_t length[4] = { (uint8_t) tiff->len, 0, 0, 0 };
  g_byte_array_append (out, (const uint8_t *) "RIFF\xff\0\0\0WEBPVP8X\x03\0\0\0abc\0EXIF", 28);
  g_byte_array_append (out, length, 4);
  g_byte_array_append (out, tiff->data, tiff->len);
  g_byte_array_unref (tiff);
  return out;
}

static void
test_exif_comments_of_every_encoding (void)
{
  static const struct
  {
    const char *bytes;
    size_t n;
    const char *text;
  } comments[] = {
    { "UNICODE\0\0f\0o\0x", 14, "fox" },                 /* big-endian */
    { "UNICODE\0f\0o\0x\0", 14, "fox" },                 /* little-endian, no mark */
    { "UNICODE\0\xff\xfe\xd0\x72", 12, "狐" },           /* marked */
    { "UNICODE\0\xfe\xff\xd8\x3e\xdd\x8a", 14, "🦊" }, /* a surrogate pair */
    { "UNICODE\0\xfe\xff\xd8\x3e", 12, "\xef\xbf\xbd" }, /* half of one */
    { "ASCII\0\0\0fox\0", 12, "fox" },
    { "\0\0\0\0\0\0\0\0fox", 11, "fox" },
    { "a plain fox", 11, "a plain fox" }, /* no character set at all */
  };
  for (size_t i = 0; i < G_N_ELEMENTS (comments) * 4; i++)
    {
      size_t k = i / 4;
      GByteArray *tiff = tiff_with_comment (i & 1, comments[k].bytes, comments[k].n);
      MediaTexts texts = texts_of (i & 2 ? jpeg_around (tiff) : webp_around (tiff));
      g_assert_cmpstr (media_texts_find (&texts, "UserComment"), ==, comments[k].text);
      g_assert_false (texts.damaged);
      media_texts_clear (&texts);
    }
}

static void
test_comfyui_graph_in_webp (void)
{
  GByteArray *tiff = g_byte_array_new ();
  g_byte_array_append (
      tiff,
      (const uint8_t *) "II*\0\x08\0\0\0\x01\0\x10\x01\x02\0\x0a\0\0\0\x1a\0\0\0\0\0\0\0prompt:{}",
      35);
  g_byte_array_append (tiff, (const uint8_t *) "", 1);
  MediaTexts texts = texts_of (webp_around (tiff));
  g_assert_cmpstr (media_texts_find (&texts, "prompt"), ==, "{}");
  media_texts_clear (&texts);
}

static void
test_jpeg_is_read_upright (void)
{
  g_autofree char *path =
      g_build_filename (g_getenv ("GESSO_SOURCE"), "tests/unit/pictures/turned.jpg", NULL);
  Image image = { 0 };
  Status status = { 0 };
  if (!image_read (&image, path, &status))
    g_error ("%s", status.message);
  /* Stored 32 x 16, left half red, right half blue, "turn a quarter clockwise": red on top. */
  g_assert_cmpint (image.width, ==, 16);
  g_assert_cmpint (image.height, ==, 32);
  const uint8_t *top = image.rgb + (4 * 16 + 8) * 3, *bottom = image.rgb + (28 * 16 + 8) * 3;
  g_assert_cmpint (top[0], >, 200);
  g_assert_cmpint (top[2], <, 50);
  g_assert_cmpint (bottom[0], <, 50);
  g_assert_cmpint (bottom[2], >, 200);
  image_clear (&image);

  g_autofree char *bytes = NULL;
  gsize n;
  g_assert_true (g_file_get_contents (path, &bytes, &n, NULL));
  for (gsize cut = 3; cut < n; cut += 7)
    {
      status = (Status){ 0 };
      g_assert_false (image_read_memory (&image, bytes, cut, "cut.jpg", &status));
      g_assert_nonnull (strstr (status.message, "the JPEG is damaged"));
    }
}

static void
test_other_formats_are_refused (void)
{
  Image image = { 0 };
  MediaTexts texts = { 0 };
  Status status = { 0 };
  g_assert_false (image_read_memory (&image, "GIF89a", 6, "a.gif", &status));
  g_assert_cmpstr (status.message, ==,
                   "\"a.gif\" is neither PNG, JPEG nor WebP: convert it first.");
  status = (Status){ 0 };
  g_assert_false (media_texts_read_memory (&texts, "GIF89a", 6, "a.gif", &status));
  g_assert_cmpstr (status.message, ==, "\"a.gif\" is not a picture or film that Gesso knows.");
  status = (Status){ 0 };
  g_assert_false (image_read (&image, "/no/such.png", &status));
  g_assert_cmpint (status.code, ==, STATUS_NOT_FOUND);
  status = (Status){ 0 };
  g_assert_false (image_read (&image, "/dev/zero", &status));
  g_assert_cmpint (status.code, ==, STATUS_IO);
}

static bool
write_and_read (const char *path, Status *status)
{
  static const PngText texts[] = { { "a", "é" }, { "b", "狐" } };
  Image image = { 2, 2, (uint8_t *) "0123456789ab" }, read = { 0 };
  MediaTexts found = { 0 };
  PngOptions options = { .texts = texts, .n_texts = 2, .overwrite = true };
  bool ok = png_write_file (path, &image, &options, status);
  g_assert_true (ok || count_files () <= 1);
  ok = ok && image_read (&read, path, status) && media_texts_read (&found, path, status);
  image_clear (&read);
  media_texts_clear (&found);
  return ok;
}

/* libpng asks for its memory through mem.h, too.  Three failures do no harm: the copy of the
 * folder's name for its sync, shrinking a buffer, and libpng's optional ones. */
static void
test_every_allocation_may_fail (void)
{
  Status status = { 0 };
  enter ();
  g_autofree char *path = in_folder ("a.png");
  mem_fail_at (0);
  g_assert_true (write_and_read (path, &status));
  int64_t n = mem_count (), n_failed = 0;
  for (int64_t i = 1; i <= n; i++)
    {
      status = (Status){ 0 };
      mem_fail_at (i);
      if (write_and_read (path, &status))
        continue;
      n_failed++;
      g_assert_cmpint (status.code, ==, STATUS_NO_MEMORY);
      mem_fail_at (0);
      g_assert_cmpint (count_files (), <=, 1); /* no temporary file is left */
    }
  mem_fail_at (0);
  g_assert_cmpint (n_failed, >=, n - 3);
  leave ();
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/media/png/round-trip", test_picture_and_texts_round_trip);
  g_test_add_func ("/media/png/latin1", test_latin1_text_is_text_chunk);
  g_test_add_func ("/media/png/bad-arguments", test_bad_arguments_are_refused);
  g_test_add_func ("/media/png/overwrite", test_overwrites_only_when_asked);
  g_test_add_func ("/media/png/new-names", test_new_names_count_up);
  g_test_add_func ("/media/png/permissions", test_file_has_the_usual_permissions);
  g_test_add_func ("/media/png/full-disk", test_full_disk_leaves_nothing);
  g_test_add_func ("/media/png/missing-folder", test_missing_folder_is_named);
  g_test_add_func ("/media/png/cancel", test_cancelled_write_leaves_nothing);
  g_test_add_func ("/media/png/colour-types", test_every_colour_type_becomes_rgb);
  g_test_add_func ("/media/png/too-many-pixels", test_too_many_pixels_are_refused);
  g_test_add_func ("/media/texts/every-chunk", test_every_text_chunk_is_read);
  g_test_add_func ("/media/texts/truncated", test_truncated_file_gives_what_it_has);
  g_test_add_func ("/media/texts/huge", test_huge_texts_are_skipped);
  g_test_add_func ("/media/texts/exif", test_exif_comments_of_every_encoding);
  g_test_add_func ("/media/texts/webp-graph", test_comfyui_graph_in_webp);
  g_test_add_func ("/media/jpeg/upright", test_jpeg_is_read_upright);
  g_test_add_func ("/media/image/other-formats", test_other_formats_are_refused);
  g_test_add_func ("/media/memory/every-allocation-may-fail", test_every_allocation_may_fail);
  return g_test_run ();
}
