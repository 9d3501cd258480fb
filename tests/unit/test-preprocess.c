/* SPDX-License-Identifier: MPL-2.0
 * test-preprocess.c - what ControlNets see, against slow references and OpenCV.
 */
#include <glib.h>
#include <math.h>
#include <string.h>

#include "core/mem.h"
#include "media/preprocess.h"

enum
{
  WIDTH = 48,
  HEIGHT = 32,
  N = WIDTH * HEIGHT
};

static Image
picture (int width, int height, guint32 seed)
{
  g_autoptr (GRand) rand = g_rand_new_with_seed (seed);
  gsize n = (gsize) width * (gsize) height * IMAGE_CHANNELS;
  Image image = { width, height, mem_calloc (n, 1) };
  for (gsize i = 0; i < n; i++)
    image.rgb[i] = (uint8_t) (seed % 2 ? g_rand_int_range (rand, 0, 256)
                                       : g_rand_int_range (rand, 0, 2) * 90 + (int) (i % 97));
  return image;
}

/* ---- Canny ---- */

/* cv2.Canny (picture, 100, 200) of OpenCV 5.0, a bit a pixel, of the picture below. */
static const uint8_t opencv_edges[N / 8] = {
  0x00, 0x00, 0x04, 0x20, 0x40, 0x2e, 0x00, 0x00, 0x05, 0x20, 0x50, 0x28, 0x00, 0x00, 0x05, 0x40,
  0x50, 0x30, 0x00, 0x00, 0x09, 0x40, 0x40, 0x20, 0x00, 0x00, 0x0a, 0x00, 0x80, 0x60, 0x00, 0x00,
  0x12, 0x80, 0x80, 0x42, 0x00, 0x00, 0x34, 0x01, 0x00, 0xc0, 0x00, 0x00, 0x61, 0x03, 0x41, 0x80,
  0x00, 0x00, 0xca, 0x02, 0x01, 0x01, 0x00, 0x01, 0x90, 0x06, 0x03, 0x03, 0x00, 0x03, 0x20, 0x0c,
  0x06, 0x04, 0x00, 0x06, 0x40, 0x18, 0x04, 0x0d, 0x00, 0x18, 0x00, 0x30, 0x0c, 0x08, 0x00, 0x32,
  0x40, 0x60, 0x18, 0x10, 0x01, 0xc0, 0x00, 0xc0, 0x30, 0x30, 0x06, 0x12, 0x01, 0x80, 0x60, 0x60,
  0xf8, 0x80, 0x03, 0x00, 0xc0, 0xc0, 0x02, 0x20, 0x0e, 0x01, 0x81, 0x81, 0x30, 0x80, 0x18, 0x03,
  0x03, 0x01, 0x04, 0x00, 0x60, 0x06, 0x06, 0x04, 0x60, 0x00, 0xc8, 0x0c, 0x0c, 0x0d, 0x00, 0x03,
  0x80, 0x38, 0x18, 0x18, 0x00, 0x0c, 0x00, 0x60, 0x30, 0x30, 0x00, 0x71, 0x00, 0xc0, 0x60, 0x60,
  0x01, 0x84, 0x03, 0x80, 0xc1, 0x81, 0x1e, 0x10, 0x06, 0x03, 0x83, 0x05, 0xe4, 0x00, 0x1c, 0x06,
  0x06, 0x0d, 0x00, 0x00, 0x70, 0x0c, 0x0c, 0x18, 0x20, 0x01, 0xc0, 0x38, 0x18, 0x30, 0x00, 0x0f,
  0x00, 0x60, 0x60, 0x40, 0x1f, 0x10, 0x00, 0x41, 0x80, 0x41, 0x00, 0x5a, 0x02, 0xc1, 0x61, 0xc3
};

static void
test_canny_is_opencvs (void)
{
  Status status = { 0 };
  Image image = { WIDTH, HEIGHT, mem_calloc (N, IMAGE_CHANNELS) };
  for (int y = 0; y < HEIGHT; y++)
    for (int x = 0; x < WIDTH; x++)
      for (int k = 0; k < IMAGE_CHANNELS; k++)
        image.rgb[(y * WIDTH + x) * IMAGE_CHANNELS + k] =
            (uint8_t) ((x * x * 3 + y * y * 5) / 8 + k * 40 + x * y / 4);
  g_assert_true (image_preprocess (&image, PREPROCESS_CANNY, -1, -1, &status));
  for (int i = 0; i < N; i++)
    g_assert_cmpint (image.rgb[i * IMAGE_CHANNELS] == 255, ==,
                     opencv_edges[i / 8] >> (7 - i % 8) & 1);
  image_clear (&image);
}

typedef struct
{
  int dx, dy, size;
} Slope;

static Slope
slope_of (const Image *image, int x, int y)
{
  static const int kernel[3][3] = { { -1, 0, 1 }, { -2, 0, 2 }, { -1, 0, 1 } };
  Slope best = { 0, 0, -1 };
  for (int k = 0; k < IMAGE_CHANNELS; k++)
    {
      Slope s = { 0 };
      for (int j = -1; j <= 1; j++)
        for (int i = -1; i <= 1; i++)
          {
            int at = CLAMP (y + j, 0, image->height - 1) * image->width +
                     CLAMP (x + i, 0, image->width - 1);
            s.dx += kernel[j + 1][i + 1] * image->rgb[at * IMAGE_CHANNELS + k];
            s.dy += kernel[i + 1][j + 1] * image->rgb[at * IMAGE_CHANNELS + k];
          }
      s.size = ABS (s.dx) + ABS (s.dy);
      if (s.size > best.size)
        best = s;
    }
  return best;
}

static int
size_at (const Image *image, int x, int y)
{
  bool inside = x >= 0 && y >= 0 && x < image->width && y < image->height;
  return inside ? slope_of (image, x, y).size : 0;
}

/* By the slope's angle in degrees, for which no two-decimal tangent of integers lies on a border.
 */
static bool
is_ridge (const Image *image, int x, int y)
{
  Slope s = slope_of (image, x, y);
  double angle = atan2 (abs (s.dy), abs (s.dx)) * 180 / G_PI;
  if (angle < 22.5)
    return s.size > size_at (image, x - 1, y) && s.size >= size_at (image, x + 1, y);
  if (angle > 67.5)
    return s.size > size_at (image, x, y - 1) && s.size >= size_at (image, x, y + 1);
  int side = (s.dx < 0) != (s.dy < 0) ? -1 : 1;
  return s.size > size_at (image, x - side, y - 1) && s.size > size_at (image, x + side, y + 1);
}

static bool
has_strong_neighbour (const uint8_t *edge, int w, int h, int x, int y)
{
  for (int j = MAX (y - 1, 0); j <= MIN (y + 1, h - 1); j++)
    for (int i = MAX (x - 1, 0); i <= MIN (x + 1, w - 1); i++)
      if (edge[j * w + i] == 2)
        return true;
  return false;
}

/* Looks at the whole picture again until nothing changes.  Returns: 2 where there is an edge */
static uint8_t *
slow_canny (const Image *image, int low, int high)
{
  int w = image->width, h = image->height;
  uint8_t *edge = g_malloc0 ((gsize) (w * h));
  for (int y = 0; y < h; y++)
    for (int x = 0; x < w; x++)
      if (size_at (image, x, y) > low && is_ridge (image, x, y))
        edge[y * w + x] = size_at (image, x, y) > high ? 2 : 1;
  for (bool moved = true; moved;)
    {
      moved = false;
      for (int y = 0; y < h; y++)
        for (int x = 0; x < w; x++)
          if (edge[y * w + x] == 1 && has_strong_neighbour (edge, w, h, x, y))
            {
              edge[y * w + x] = 2;
              moved = true;
            }
    }
  return edge;
}

static void
test_canny_is_its_reference (void)
{
  static const int sizes[][2] = { { 48, 32 }, { 31, 17 }, { 1, 9 }, { 9, 1 }, { 1, 1 }, { 3, 3 } };
  static const int limits[][2] = { { 100, 200 }, { 50, 150 }, { 20, 600 }, { 300, 100 } };
  for (gsize s = 0; s < G_N_ELEMENTS (sizes); s++)
    for (gsize l = 0; l < G_N_ELEMENTS (limits); l++)
      for (guint32 seed = 1; seed < 5; seed++)
        {
          Status status = { 0 };
          Image image = picture (sizes[s][0], sizes[s][1], seed);
          int low = MIN (limits[l][0], limits[l][1]), high = MAX (limits[l][0], limits[l][1]);
          g_autofree uint8_t *edge = slow_canny (&image, low, high);
          g_assert_true (
              image_preprocess (&image, PREPROCESS_CANNY, limits[l][0], limits[l][1], &status));
          for (int i = 0; i < image.width * image.height; i++)
            for (int k = 0; k < IMAGE_CHANNELS; k++)
              g_assert_cmpint (image.rgb[i * IMAGE_CHANNELS + k], ==, edge[i] == 2 ? 255 : 0);
          image_clear (&image);
        }
}

/* ---- the others ---- */

static int
mirrored (int v, int n)
{
  int period = 2 * (n - 1), at = n > 1 ? ((v % period) + period) % period : 0;
  return at < n ? at : period - at;
}

/* In two dimensions at once, in double. */
static double
slow_blur (const Image *image, int x, int y, int k, double sigma)
{
  int radius = (int) ceil (3 * sigma);
  double sum = 0, weights = 0;
  for (int j = -radius; j <= radius; j++)
    for (int i = -radius; i <= radius; i++)
      {
        double weight = exp (-(i * i + j * j) / (2 * sigma * sigma));
        int at = mirrored (y + j, image->height) * image->width + mirrored (x + i, image->width);
        sum += weight * image->rgb[at * IMAGE_CHANNELS + k];
        weights += weight;
      }
  return sum / weights;
}

static void
test_blur_is_a_gaussian (void)
{
  static const int sizes[][2] = { { 31, 17 }, { 5, 3 }, { 1, 4 }, { 1, 1 } };
  for (gsize s = 0; s < G_N_ELEMENTS (sizes); s++)
    {
      Status status = { 0 };
      Image image = picture (sizes[s][0], sizes[s][1], 7),
            blurred = picture (sizes[s][0], sizes[s][1], 7);
      g_assert_true (image_preprocess (&blurred, PREPROCESS_BLUR, 2.5, -1, &status));
      for (int y = 0; y < image.height; y++)
        for (int x = 0; x < image.width; x++)
          for (int k = 0; k < IMAGE_CHANNELS; k++) /* half a level of rounding, and f32's */
            g_assert_cmpfloat_with_epsilon (blurred.rgb[(y * image.width + x) * IMAGE_CHANNELS + k],
                                            slow_blur (&image, x, y, k, 2.5), 0.501);
      image_clear (&image);
      image_clear (&blurred);
    }
}

static void
test_values_alone (void)
{
  Status status = { 0 };
  uint8_t rgb[] = { 0, 127, 255, 128, 128, 128, 128, 127, 200 };
  Image image = { 3, 1, rgb };
  g_assert_true (image_preprocess (&image, PREPROCESS_INVERT, -1, -1, &status));
  g_assert_cmpmem (rgb, sizeof rgb, ((uint8_t[]){ 255, 128, 0, 127, 127, 127, 127, 128, 55 }),
                   sizeof rgb);
  g_assert_true (image_preprocess (&image, PREPROCESS_INVERT, -1, -1, &status));
  g_assert_true (image_preprocess (&image, PREPROCESS_NONE, -1, -1, &status));
  g_assert_true (image_preprocess (&image, PREPROCESS_THRESHOLD, -1, -1, &status));
  g_assert_cmpmem (rgb, sizeof rgb, ((uint8_t[]){ 0, 0, 0, 255, 255, 255, 0, 0, 0 }), sizeof rgb);
}

/* Every allocation may fail: the picture is then as it was. */
static void
test_memory_may_run_out (void)
{
  static const Preprocess kinds[] = { PREPROCESS_CANNY, PREPROCESS_BLUR };
  for (gsize i = 0; i < G_N_ELEMENTS (kinds); i++)
    for (int n = 1;; n++)
      {
        Status status = { 0 };
        Image image = picture (8, 8, 3), before = picture (8, 8, 3);
        mem_fail_at (n);
        bool done = image_preprocess (&image, kinds[i], -1, -1, &status);
        mem_fail_at (0);
        if (!done)
          {
            g_assert_cmpint (status.code, ==, STATUS_NO_MEMORY);
            g_assert_cmpmem (image.rgb, 192, before.rgb, 192);
          }
        image_clear (&image);
        image_clear (&before);
        if (done)
          break;
      }
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/preprocess/canny/opencv", test_canny_is_opencvs);
  g_test_add_func ("/preprocess/canny/reference", test_canny_is_its_reference);
  g_test_add_func ("/preprocess/blur", test_blur_is_a_gaussian);
  g_test_add_func ("/preprocess/values", test_values_alone);
  g_test_add_func ("/preprocess/memory", test_memory_may_run_out);
  return g_test_run ();
}
