/* SPDX-License-Identifier: MPL-2.0
 * test-webp.c - WebP in and out, colour profiles of all formats, texts in EXIF and XMP.
 */
#include <glib.h>
#include <glib/gstdio.h>
#include <stdio.h>
#include <string.h>

#include <jpeglib.h>
#include <lcms2.h>
#include <webp/encode.h>
#include <webp/mux.h>
#include <zlib.h>

#include "core/mem.h"
#include "media/exif.h"
#include "media/texts.h"
#include "media/webp.h"
#include "media/xmp.h"

enum
{
  WIDTH = 19,
  HEIGHT = 13
};

static char *folder; /* a fresh one for each test */

static char *
in_folder (const char *name)
{
  return g_build_filename (folder, name, NULL);
}

static void
enter (void)
{
  folder = g_dir_make_tmp ("gesso-webp-XXXXXX", NULL);
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

static Image
noise (int width, int height)
{
  Image image = { width, height, mem_calloc ((size_t) width * (size_t) height, IMAGE_CHANNELS) };
  uint32_t state = 11;
  for (int i = 0; i < width * height * IMAGE_CHANNELS; i++)
    image.rgb[i] = (uint8_t) ((state = state * 1664525 + 1013904223) >> 24);
  return image;
}

static Image
flat (int width, int height, const uint8_t rgb[3])
{
  Image image = { width, height, mem_calloc ((size_t) width * (size_t) height, IMAGE_CHANNELS) };
  for (int i = 0; i < width * height; i++)
    memcpy (image.rgb + i * IMAGE_CHANNELS, rgb, IMAGE_CHANNELS);
  return image;
}

static void
assert_same (const Image *a, const Image *b)
{
  g_assert_cmpint (a->width, ==, b->width);
  g_assert_cmpint (a->height, ==, b->height);
  g_assert_cmpmem (a->rgb, (size_t) (a->width * a->height * 3), b->rgb,
                   (size_t) (b->width * b->height * 3));
}

static void
assert_first_pixel (const Image *image, int r, int g, int b, int tolerance)
{
  g_assert_cmpint (ABS (image->rgb[0] - r), <=, tolerance);
  g_assert_cmpint (ABS (image->rgb[1] - g), <=, tolerance);
  g_assert_cmpint (ABS (image->rgb[2] - b), <=, tolerance);
}

static void
test_lossless_round_trip (void)
{
  Image image = noise (WIDTH, HEIGHT), read;
  Status status = { 0 };
  MediaTexts texts = { 0 };
  const WebpOptions options = { .lossless = true,
                                .parameters = "a fox \xf0\x9f\xa6\x8a\nSteps: 20",
                                .gesso = "{\"prompt\": \"\xe7\x8b\x90\"}" };
  enter ();
  g_autofree char *path = in_folder ("a.webp");
  g_assert_true (webp_write_file (path, &image, &options, &status));
  g_assert_true (image_read (&read, path, &status));
  assert_same (&image, &read);
  g_assert_true (media_texts_read (&texts, path, &status));
  g_assert_false (texts.damaged);
  g_assert_cmpstr (media_texts_find (&texts, "UserComment"), ==, options.parameters);
  g_assert_cmpstr (media_texts_find (&texts, "gesso"), ==, options.gesso);
  media_texts_clear (&texts);
  image_clear (&read);
  image_clear (&image);
  g_assert_cmpint (leave (), ==, 1);
}

static void
test_alpha_goes_out_and_in (void)
{
  Image image = noise (WIDTH, HEIGHT), read;
  uint8_t alpha[WIDTH * HEIGHT];
  Status status = { 0 };
  const WebpOptions options = { .lossless = true, .alpha = alpha };
  for (int i = 0; i < WIDTH * HEIGHT; i++)
    alpha[i] = (uint8_t) (i * 7);
  enter ();
  g_autofree char *path = in_folder ("a.webp");
  g_assert_true (webp_write_file (path, &image, &options, &status));
  g_assert_true (image_read_opacity (&read, path, &status));
  for (int i = 0; i < WIDTH * HEIGHT; i++)
    g_assert_cmpint (read.rgb[3 * i], ==, alpha[i]);
  image_clear (&read);
  g_assert_true (image_read (&read, path, &status));
  for (int i = 0; i < WIDTH * HEIGHT * 3; i++)
    {
      int a = alpha[i / 3], over_white = (image.rgb[i] * a + 255 * (255 - a) + 127) / 255;
      g_assert_cmpint (read.rgb[i], ==, over_white);
    }
  image_clear (&read);
  image_clear (&image);
  leave ();
}

static void
test_lossy_keeps_flat_colours (void)
{
  const uint8_t orange[] = { 230, 120, 30 };
  Image image = flat (32, 32, orange), read;
  Status status = { 0 };
  const WebpOptions options = { .quality = 90 };
  enter ();
  g_autofree char *path = in_folder ("a.webp");
  g_assert_true (webp_write_file (path, &image, &options, &status));
  g_assert_true (image_read (&read, path, &status));
  assert_first_pixel (&read, 230, 120, 30, 6); /* 8-bit limited-range YUV rounds by so much */
  image_clear (&read);
  image_clear (&image);
  leave ();
}

static void
test_what_cannot_be_written (void)
{
  Image small = noise (3, 2), wide = noise (WEBP_MAX_SIDE + 1, 1);
  const atomic_bool cancel = true;
  const struct
  {
    const Image *image;
    WebpOptions options;
    StatusCode code;
  } cases[] = { { &wide, { .quality = 80 }, STATUS_ARGUMENT },
                { &small, { .quality = 101 }, STATUS_ARGUMENT },
                { &small, { .quality = 80, .gesso = "\xff" }, STATUS_ARGUMENT },
                { &small, { .quality = 80, .cancel = &cancel }, STATUS_CANCELLED } };
  enter ();
  g_autofree char *path = in_folder ("a.webp");
  for (size_t i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      Status status = { 0 };
      g_assert_false (webp_write_file (path, cases[i].image, &cases[i].options, &status));
      g_assert_cmpint (status.code, ==, cases[i].code);
    }
  image_clear (&small);
  image_clear (&wide);
  g_assert_cmpint (leave (), ==, 0);
}

/* ---- profiles ---- */

/* Of sRGB's primaries and white, and light itself (gamma 1) as numbers. */
static cmsHPROFILE
linear_profile (void)
{
  cmsCIExyY white = { 0.3127, 0.3290, 1 };
  cmsCIExyYTRIPLE primaries = { { 0.64, 0.33, 1 }, { 0.30, 0.60, 1 }, { 0.15, 0.06, 1 } };
  cmsToneCurve *line = cmsBuildGamma (NULL, 1), *curves[] = { line, line, line };
  cmsHPROFILE profile = cmsCreateRGBProfile (&white, &primaries, curves);
  cmsFreeToneCurve (line);
  return profile;
}

static cmsHPROFILE
grey_profile (void)
{
  cmsToneCurve *line = cmsBuildGamma (NULL, 1);
  cmsHPROFILE profile = cmsCreateGrayProfile (cmsD50_xyY (), line);
  cmsFreeToneCurve (line);
  return profile;
}

static GByteArray *
profile_bytes (cmsHPROFILE profile)
{
  cmsUInt32Number n = 0;
  cmsSaveProfileToMem (profile, NULL, &n);
  GByteArray *bytes = g_byte_array_new ();
  g_byte_array_set_size (bytes, n);
  cmsSaveProfileToMem (profile, bytes->data, &n);
  cmsCloseProfile (profile);
  return bytes;
}

static void
put_be32 (GByteArray *out, uint32_t v)
{
  uint8_t p[] = { (uint8_t) (v >> 24), (uint8_t) (v >> 16), (uint8_t) (v >> 8), (uint8_t) v };
  g_byte_array_append (out, p, sizeof p);
}

static void
put_png_chunk (GByteArray *out, const char *type, const void *data, size_t n)
{
  put_be32 (out, (uint32_t) n);
  size_t start = out->len;
  g_byte_array_append (out, (const guint8 *) type, 4);
  g_byte_array_append (out, data, (guint) n);
  put_be32 (out, (uint32_t) crc32 (0, out->data + start, (uInt) (out->len - start)));
}

/* One pixel, RGB or grey. */
static GByteArray *
png_with_profile (const uint8_t *pixel, int n_channels, const GByteArray *profile)
{
  uint8_t header[13] = { 0, 0, 0, 1, 0, 0, 0, 1, 8, n_channels == 3 ? 2 : 0, 0, 0, 0 };
  uint8_t row[4] = { 0 }, packed[64];
  memcpy (row + 1, pixel, (size_t) n_channels);
  uLongf n_packed = sizeof packed, n_profile = compressBound (profile->len);
  g_autofree uint8_t *iccp = g_malloc0 (n_profile + 3);
  compress (packed, &n_packed, row, 1 + (uLong) n_channels);
  iccp[0] = 'p'; /* the name, a NUL, the method */
  compress (iccp + 3, &n_profile, profile->data, profile->len);
  GByteArray *png = g_byte_array_new ();
  g_byte_array_append (png, (const guint8 *) "\x89PNG\r\n\x1a\n", 8);
  put_png_chunk (png, "IHDR", header, sizeof header);
  put_png_chunk (png, "iCCP", iccp, n_profile + 3);
  put_png_chunk (png, "IDAT", packed, n_packed);
  put_png_chunk (png, "IEND", "", 0);
  return png;
}

static GByteArray *
jpeg_with_profile (const uint8_t *pixel, const GByteArray *profile)
{
  struct jpeg_compress_struct c;
  struct jpeg_error_mgr errors;
  unsigned char *bytes = NULL;
  unsigned long n_bytes = 0;
  c.err = jpeg_std_error (&errors);
  jpeg_create_compress (&c);
  jpeg_mem_dest (&c, &bytes, &n_bytes);
  c.image_width = c.image_height = 1;
  c.input_components = 3;
  c.in_color_space = JCS_RGB;
  jpeg_set_defaults (&c);
  jpeg_set_quality (&c, 100, TRUE);
  jpeg_start_compress (&c, TRUE);
  jpeg_write_icc_profile (&c, profile->data, profile->len);
  JSAMPROW row = (JSAMPROW) pixel;
  jpeg_write_scanlines (&c, &row, 1);
  jpeg_finish_compress (&c);
  jpeg_destroy_compress (&c);
  GByteArray *jpeg = g_byte_array_new ();
  g_byte_array_append (jpeg, bytes, (guint) n_bytes);
  free (bytes);
  return jpeg;
}

static GByteArray *
webp_with_chunk (
    const uint8_t *rgb, int width, int height, const char *type, const void *data, size_t n)
{
  uint8_t *pixels = NULL;
  size_t n_pixels = WebPEncodeLosslessRGB (rgb, width, height, 3 * width, &pixels);
  WebPData image = { pixels, n_pixels }, chunk = { data, n }, file;
  WebPMux *mux = WebPMuxNew ();
  WebPMuxSetImage (mux, &image, false);
  WebPMuxSetChunk (mux, type, &chunk, false);
  g_assert_cmpint (WebPMuxAssemble (mux, &file), ==, WEBP_MUX_OK);
  GByteArray *webp = g_byte_array_new ();
  g_byte_array_append (webp, file.bytes, (guint) file.size);
  WebPDataClear (&file);
  WebPMuxDelete (mux);
  WebPFree (pixels);
  return webp;
}

static Image
read_bytes (GByteArray *file)
{
  Image image;
  Status status = { 0 };
  if (!image_read_memory (&image, file->data, file->len, "file", &status))
    g_error ("%s", status.message);
  g_byte_array_unref (file);
  return image;
}

/* Light l as sRGB (IEC 61966-2-1): 1.055 l^(1/2.4) - 0.055.  55/255 is 128, 10/255 56, 200/255
 * 228.  Tolerance: 8-bit tables of the colour engine, and for JPEG its rounding before. */
static void
test_profiles_become_srgb (void)
{
  const uint8_t light[] = { 55, 10, 200 };
  g_autoptr (GByteArray) profile = profile_bytes (linear_profile ());
  Image images[] = { read_bytes (png_with_profile (light, 3, profile)),
                     read_bytes (
                         webp_with_chunk (light, 1, 1, "ICCP", profile->data, profile->len)),
                     read_bytes (jpeg_with_profile (light, profile)) };
  for (int i = 0; i < 3; i++)
    {
      assert_first_pixel (&images[i], 128, 56, 228, i == 2 ? 5 : 1);
      image_clear (&images[i]);
    }
  g_autoptr (GByteArray) grey = profile_bytes (grey_profile ());
  Image image = read_bytes (png_with_profile (light, 1, grey));
  assert_first_pixel (&image, 128, 128, 128, 1);
  image_clear (&image);
}

static void
test_srgb_profile_changes_nothing (void)
{
  g_autoptr (GByteArray) profile = profile_bytes (cmsCreate_sRGBProfile ());
  Image image = noise (WIDTH, HEIGHT);
  Image read =
      read_bytes (webp_with_chunk (image.rgb, WIDTH, HEIGHT, "ICCP", profile->data, profile->len));
  assert_same (&image, &read);
  image_clear (&read);
  image_clear (&image);
}

static void
test_damaged_profile_is_left_aside (void)
{
  const uint8_t pixel[] = { 55, 10, 200 };
  g_autoptr (GByteArray) profile = profile_bytes (linear_profile ());
  g_byte_array_set_size (profile, profile->len / 2);
  Image images[] = { read_bytes (png_with_profile (pixel, 3, profile)),
                     read_bytes (
                         webp_with_chunk (pixel, 1, 1, "ICCP", profile->data, profile->len)) };
  for (int i = 0; i < 2; i++)
    {
      assert_first_pixel (&images[i], 55, 10, 200, 0);
      image_clear (&images[i]);
    }
}

/* ---- texts ---- */

static void
test_webp_is_turned_as_its_exif_says (void)
{
  static const char turned[] =
      "Exif\0\0II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0\x06\0\0\0\0\0\0";
  const uint8_t rgb[] = { 1, 2, 3, 40, 50, 60 }; /* 2 x 1; the left end comes to the top */
  Image image = read_bytes (webp_with_chunk (rgb, 2, 1, "EXIF", turned, sizeof turned));
  g_assert_cmpint (image.width, ==, 1);
  g_assert_cmpint (image.height, ==, 2);
  g_assert_cmpmem (image.rgb, 6, rgb, 6);
  image_clear (&image);
}

static void
test_xmp_is_read (void)
{
  static const char *const packets[] = {
    "<x:xmpmeta><rdf:Description><exif:UserComment><rdf:Alt><rdf:li xml:lang=\"x-default\">"
    "a &lt;fox&gt; &amp; &#x72D0;&#33;\nSteps: 4</rdf:li></rdf:Alt></exif:UserComment>",
    "<rdf:Description exif:UserComment=\"a &lt;fox&gt; &amp; &#x72D0;&#33;\nSteps: 4\" x=\"y\"/>",
    "<exif:UserComment>a &lt;fox&gt; &amp; &#x72D0;&#33;\nSteps: 4</exif:UserComment>",
  };
  for (size_t i = 0; i < G_N_ELEMENTS (packets); i++)
    {
      const uint8_t black[3] = { 0 };
      Status status = { 0 };
      MediaTexts texts = { 0 };
      g_autoptr (GByteArray) file =
          webp_with_chunk (black, 1, 1, "XMP ", packets[i], strlen (packets[i]));
      g_assert_true (media_texts_read_memory (&texts, file->data, file->len, "file", &status));
      g_assert_cmpstr (media_texts_find (&texts, "UserComment"), ==,
                       "a <fox> & \xe7\x8b\x90!\nSteps: 4");
      media_texts_clear (&texts);
    }
}

static void
test_xmp_survives_every_cut (void)
{
  static const char packet[] =
      "<exif:UserComment a='b'><rdf:li>&#x72D0;&amp;</rdf:li></exif:UserComment>"
      "<dc:description x=\"&lt;\">&#99999999999;&;&#;</dc:description>";
  for (size_t n = 0; n < sizeof packet; n++)
    {
      Status status = { 0 };
      MediaTexts texts = { 0 };
      g_autofree uint8_t *exact = g_memdup2 (packet, n);
      g_assert_true (xmp_read_texts (&texts, exact, n, &status));
      media_texts_clear (&texts);
    }
}

/* Every allocation that is ours fails once. */
static void
test_no_memory_is_said (void)
{
  Image image = noise (5, 4), read;
  Status status = { 0 };
  const WebpOptions options = { .lossless = true, .parameters = "x", .overwrite = true };
  enter ();
  g_autofree char *path = in_folder ("a.webp");
  int64_t live = mem_live ();
  bool done = false;
  for (int64_t nth = 1; !done; nth++)
    {
      status = (Status){ 0 };
      mem_fail_at (nth);
      done = webp_write_file (path, &image, &options, &status) &&
             image_read (&read, path, &status) && nth > mem_count ();
      mem_fail_at (0);
      if (status.code == STATUS_OK)
        image_clear (&read);
      else
        g_assert_cmpint (status.code, ==, STATUS_NO_MEMORY);
      g_assert_cmpint (mem_live (), ==, live);
      g_assert_cmpint (nth, <, 100);
    }
  image_clear (&image);
  leave ();
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/webp/lossless-round-trip", test_lossless_round_trip);
  g_test_add_func ("/webp/alpha-goes-out-and-in", test_alpha_goes_out_and_in);
  g_test_add_func ("/webp/lossy-keeps-flat-colours", test_lossy_keeps_flat_colours);
  g_test_add_func ("/webp/what-cannot-be-written", test_what_cannot_be_written);
  g_test_add_func ("/webp/turned-as-its-exif-says", test_webp_is_turned_as_its_exif_says);
  g_test_add_func ("/webp/no-memory-is-said", test_no_memory_is_said);
  g_test_add_func ("/icc/profiles-become-srgb", test_profiles_become_srgb);
  g_test_add_func ("/icc/srgb-profile-changes-nothing", test_srgb_profile_changes_nothing);
  g_test_add_func ("/icc/damaged-profile-is-left-aside", test_damaged_profile_is_left_aside);
  g_test_add_func ("/xmp/is-read", test_xmp_is_read);
  g_test_add_func ("/xmp/survives-every-cut", test_xmp_survives_every_cut);
  return g_test_run ();
}
