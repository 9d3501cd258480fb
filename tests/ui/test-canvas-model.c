/* SPDX-License-Identifier: MPL-2.0
 * test-canvas-model.c - the canvas document: strokes, history, drafts, the frame.  Needs no
 * display.
 */
#include <glib/gstdio.h>
#include <string.h>

#include "app/canvas/gesso-document-private.h"
#include "media/png.h"

static const GessoBrushShape brush = { .radius = 30, .softness = 0.4 };

/* A picture whose every pixel tells where it is. */
static GBytes *
make_rgb (int width, int height, int seed)
{
  guint8 *rgb = g_malloc ((gsize) width * height * 3), *p = rgb;
  for (int y = 0; y < height; y++)
    for (int x = 0; x < width; x++, p += 3)
      {
        p[0] = (guint8) (x + seed);
        p[1] = (guint8) (y + seed);
        p[2] = (guint8) ((x >> 8) * 16 + (y >> 8) + seed);
      }
  return g_bytes_new_take (rgb, (gsize) width * height * 3);
}

static void
put (GessoDocument *doc, GBytes *rgb, int width, int height, GessoRect where)
{
  GError *error = NULL;
  gboolean ok = gesso_document_put (doc, rgb, width, height, &where, &error);
  g_assert_no_error (error);
  g_assert_true (ok);
}

static GessoDocument *
new_with_picture (int width, int height)
{
  GessoDocument *doc = gesso_document_new ();
  g_autoptr (GBytes) rgb = make_rgb (width, height, 0);
  put (doc, rgb, width, height, (GessoRect){ 0, 0, width, height });
  return doc;
}

static void
stroke (GessoDocument *doc, double x0, double y0, double x1, double y1, gboolean eraser)
{
  gesso_document_stroke_begin (doc, &brush, eraser, x0, y0, 1);
  gesso_document_stroke_move (doc, x1, y1, 1);
  gesso_document_stroke_end (doc);
}

static guint8
mask_at (GessoDocument *doc, int x, int y)
{
  guint8 value;
  gesso_plane_read (gesso_document_peek_state (doc)->layers[GESSO_LAYER_MASK],
                    &(GessoRect){ x, y, 1, 1 }, &value);
  return value;
}

/* Everything a user can see, in one number: the draft ends with its checksum. */
static char *
digest (GessoDocument *doc)
{
  g_autoptr (GBytes) bytes = gesso_document_serialise (doc);
  gsize n;
  const guint8 *data = g_bytes_get_data (bytes, &n);
  guint32 sum;
  memcpy (&sum, data + n - sizeof sum, sizeof sum);
  return g_strdup_printf ("%zu/%08x", n, sum);
}

static void
test_canvas_model_stroke_is_round (void)
{
  g_autoptr (GessoDocument) doc = new_with_picture (600, 600);
  GessoBrushShape hard = { .radius = 50 };
  gesso_document_stroke_begin (doc, &hard, FALSE, 300, 300, 1);
  gesso_document_stroke_end (doc);
  double area = 0;
  for (int y = 240; y < 360; y++)
    for (int x = 240; x < 360; x++)
      area += mask_at (doc, x, y) / 255.0;
  /* The smoothed edge is one pixel wide and centred on the radius. */
  g_assert_cmpfloat_with_epsilon (area, G_PI * 50 * 50, 10);
  g_assert_cmpint (mask_at (doc, 300, 300), ==, 255);
  g_assert_cmpint (mask_at (doc, 300 + 48, 300), ==, 255);
  g_assert_cmpint (mask_at (doc, 300 + 52, 300), ==, 0);
}

static void
test_canvas_model_spacing_does_not_show (void)
{
  g_autoptr (GessoDocument) doc = new_with_picture (600, 600);
  stroke (doc, 100, 300, 500, 300, FALSE);
  int least = 255, most = 0;
  for (int x = 150; x < 450; x++)
    {
      int value = mask_at (doc, x, 300 + 24);
      least = MIN (least, value);
      most = MAX (most, value);
    }
  /* Dabs a quarter of the radius apart: a soft edge waves by a few of 255 steps at most. */
  g_assert_cmpint (most - least, <=, 8);
  g_assert_cmpint (most, >, 60);
}

static void
test_canvas_model_pressure_is_size_or_softness (void)
{
  g_autoptr (GessoDocument) doc = new_with_picture (600, 600);
  GessoBrushShape shape = { .radius = 60, .softness = 1 };
  shape.pressure_softness = TRUE;
  gesso_document_stroke_begin (doc, &shape, FALSE, 150, 150, 0.2);
  gesso_document_stroke_end (doc);
  gesso_document_stroke_begin (doc, &shape, FALSE, 450, 150, 1);
  gesso_document_stroke_end (doc);
  g_assert_cmpint (mask_at (doc, 150 + 50, 150), <, 40);
  g_assert_cmpint (mask_at (doc, 450 + 50, 150), ==, 255);
  shape.pressure_softness = FALSE;
  shape.softness = 0;
  gesso_document_stroke_begin (doc, &shape, FALSE, 150, 450, 0.5);
  gesso_document_stroke_end (doc);
  g_assert_cmpint (mask_at (doc, 150 + 28, 450), ==, 255);
  g_assert_cmpint (mask_at (doc, 150 + 32, 450), ==, 0);
}

static void
test_canvas_model_eraser_takes_away (void)
{
  g_autoptr (GessoDocument) doc = new_with_picture (600, 600);
  stroke (doc, 100, 300, 500, 300, FALSE);
  g_assert_true (gesso_document_has_mask (doc));
  for (int i = 0; i < 4; i++)
    stroke (doc, 60, 270 + i * 20, 540, 270 + i * 20, TRUE);
  g_assert_cmpint (mask_at (doc, 300, 300), ==, 0);
  g_assert_false (gesso_document_has_mask (doc));
}

static void
test_canvas_model_stroke_stays_inside (void)
{
  g_autoptr (GessoDocument) doc = new_with_picture (300, 300);
  gesso_document_set_frame (doc, &(GessoRect){ 0, 0, 64, 64 });
  stroke (doc, -100, 150, 500, 150, FALSE);
  g_assert_cmpint (mask_at (doc, 299, 150), ==, 255);
  g_assert_cmpint (mask_at (doc, 300, 150), ==, 0);
  g_assert_cmpint (mask_at (doc, -1, 150), ==, 0);
}

static void
test_canvas_model_cancelled_stroke_leaves_nothing (void)
{
  g_autoptr (GessoDocument) doc = new_with_picture (600, 600);
  stroke (doc, 100, 100, 500, 500, FALSE);
  g_autofree char *before = digest (doc);
  gesso_document_stroke_begin (doc, &brush, TRUE, 300, 300, 1);
  gesso_document_stroke_move (doc, 500, 100, 1);
  gesso_document_stroke_cancel (doc);
  g_autofree char *after = digest (doc);
  g_assert_cmpstr (before, ==, after);
  g_assert_cmpuint (gesso_history_get_n_undo (gesso_document_peek_history (doc)), ==, 2);
}

static void
random_change (GessoDocument *doc, GRand *rand, int i)
{
  double at[4];
  for (int k = 0; k < 4; k++)
    at[k] = g_rand_double_range (rand, -50, 450);
  if (i % 100 == 50)
    gesso_document_invert_mask (doc);
  else if (i % 250 == 99)
    gesso_document_clear_mask (doc);
  else if (i % 200 == 77)
    {
      g_autoptr (GBytes) rgb = make_rgb (128, 96, i);
      put (doc, rgb, 128, 96, (GessoRect){ (int) at[0], (int) at[1], 128, 96 });
    }
  else
    stroke (doc, at[0], at[1], at[2], at[3], g_rand_int_range (rand, 0, 3) == 0);
}

/* Of a thousand states these are compared. */
static gboolean
is_looked_at (guint i)
{
  return i % 9 == 0 || i < 5;
}

static void
assert_as_before (GessoDocument *doc, GPtrArray *digests, guint i)
{
  if (!digests->pdata[i])
    return;
  g_autofree char *now = digest (doc);
  g_assert_cmpstr (now, ==, digests->pdata[i]);
}

/* The promise "without limit": steps far over the bound of memory come back from the file. */
static void
undo_thousand (gsize history_bytes)
{
  const int n = 1000;
  g_autoptr (GessoDocument) doc = gesso_document_new_with_memory (history_bytes);
  g_autoptr (GBytes) rgb = make_rgb (400, 400, 0);
  g_autoptr (GRand) rand = g_rand_new_with_seed (7);
  g_autoptr (GPtrArray) digests = g_ptr_array_new_with_free_func (g_free);
  put (doc, rgb, 400, 400, (GessoRect){ 0, 0, 400, 400 });
  const GessoHistory *history = gesso_document_peek_history (doc);
  g_ptr_array_add (digests, digest (doc));
  for (int i = 0; i < n; i++)
    {
      guint n_steps = gesso_history_get_n_undo (history);
      random_change (doc, rand, i);
      while (g_main_context_iteration (NULL, FALSE))
        ;
      g_assert_cmpuint (gesso_history_get_memory_bytes (history), <=, history_bytes);
      if (gesso_history_get_n_undo (history) > n_steps)
        g_ptr_array_add (digests, is_looked_at (digests->len) ? digest (doc) : NULL);
    }
  g_assert_cmpuint (digests->len, >, 900);
  g_free (digests->pdata[digests->len - 1]);
  digests->pdata[digests->len - 1] = digest (doc);
  for (int pass = 0; pass < 2; pass++)
    {
      GError *error = NULL;
      for (guint i = digests->len - 1; i > 0; i--)
        {
          g_assert_true (gesso_document_undo (doc, &error));
          g_assert_no_error (error);
          assert_as_before (doc, digests, i - 1);
        }
      for (guint i = 1; i < digests->len; i++)
        {
          g_assert_true (gesso_document_redo (doc, &error));
          g_assert_no_error (error);
          assert_as_before (doc, digests, i);
        }
      while (g_main_context_iteration (NULL, FALSE))
        ;
    }
  g_assert_false (gesso_document_can_redo (doc));
}

static void
test_canvas_model_undo_in_memory (void)
{
  undo_thousand ((gsize) 4 << 30);
}

static void
test_canvas_model_undo_from_file (void)
{
  undo_thousand (1 << 20);
}

static void
test_canvas_model_new_step_forgets_redo (void)
{
  g_autoptr (GessoDocument) doc = new_with_picture (300, 300);
  stroke (doc, 50, 50, 200, 200, FALSE);
  g_assert_true (gesso_document_undo (doc, NULL));
  g_assert_true (gesso_document_can_redo (doc));
  stroke (doc, 250, 50, 250, 60, FALSE);
  g_assert_false (gesso_document_can_redo (doc));
  g_assert_false (gesso_document_redo (doc, NULL));
}

static void
test_canvas_model_undo_file_that_is_refused (void)
{
  /* The disk takes nothing: history stays in memory, nothing is lost. */
  g_autoptr (GessoDocument) doc = gesso_document_new_with_memory (1 << 16);
  g_autofree char *folder = g_build_filename (g_get_user_cache_dir (), "gesso", NULL);
  g_autofree char *before = digest (doc);
  g_rmdir (folder);
  g_assert_true (g_file_set_contents (folder, "in the way", -1, NULL));
  for (int i = 0; i < 20; i++)
    {
      stroke (doc, 20 + 20 * i, 20, 20 + 20 * i, 480, i % 2);
      while (g_main_context_iteration (NULL, FALSE))
        ;
    }
  for (int i = 0; i < 20 && gesso_document_can_undo (doc); i++)
    g_assert_true (gesso_document_undo (doc, NULL));
  g_autofree char *after = digest (doc);
  g_assert_cmpstr (before, ==, after);
  g_unlink (folder);
}

static void
test_canvas_model_draft_round_trip (void)
{
  g_autoptr (GessoDocument) doc = new_with_picture (1300, 700);
  stroke (doc, 100, 100, 900, 500, FALSE);
  gesso_document_set_frame (doc, &(GessoRect){ -32, 64, 512, 768 });
  g_autoptr (GBytes) bytes = gesso_document_serialise (doc);
  g_autoptr (GessoDocument) copy = gesso_document_new ();
  GError *error = NULL;
  g_assert_true (gesso_document_restore (copy, bytes, &error));
  g_assert_no_error (error);
  g_autofree char *a = digest (doc), *b = digest (copy);
  g_assert_cmpstr (a, ==, b);
  GessoRect frame = gesso_document_get_frame (copy);
  g_assert_true (gesso_rect_equal (&frame, &(GessoRect){ -32, 64, 512, 768 }));
  g_assert_false (gesso_document_can_undo (copy));
  g_assert_true (gesso_document_has_mask (copy));
}

static void
expect_refused (const guint8 *data, gsize n)
{
  g_autoptr (GessoDocument) doc = gesso_document_new ();
  stroke (doc, 100, 100, 200, 200, FALSE);
  g_autofree char *before = digest (doc);
  g_autoptr (GBytes) bytes = g_bytes_new (data, n);
  g_autoptr (GError) error = NULL;
  g_assert_false (gesso_document_restore (doc, bytes, &error));
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_INVALID_DATA);
  g_autofree char *after = digest (doc);
  g_assert_cmpstr (before, ==, after);
}

static void
test_canvas_model_damaged_draft_is_refused (void)
{
  g_autoptr (GessoDocument) doc = new_with_picture (600, 600);
  stroke (doc, 100, 100, 300, 300, FALSE);
  g_autoptr (GBytes) bytes = gesso_document_serialise (doc);
  gsize n;
  const guint8 *data = g_bytes_get_data (bytes, &n);
  for (gsize cut = 0; cut < n; cut += cut < 200 ? 1 : n / 50)
    expect_refused (data, cut);
  g_autoptr (GRand) rand = g_rand_new_with_seed (3);
  g_autofree guint8 *bad = g_malloc (n);
  for (int i = 0; i < 200; i++)
    {
      memcpy (bad, data, n);
      bad[g_rand_int_range (rand, 0, i < 100 ? 100 : (int) n)] ^=
          (guint8) g_rand_int_range (rand, 1, 256);
      expect_refused (bad, n);
    }
}

/* CRC-32 as in ISO 3309, so that the test can make a draft whose checksum is right. */
static guint32
crc (const guint8 *data, gsize n)
{
  guint32 c = ~0u;
  for (gsize i = 0; i < n; i++)
    {
      c ^= data[i];
      for (int k = 0; k < 8; k++)
        c = c & 1 ? c >> 1 ^ 0xedb88320 : c >> 1;
    }
  return ~c;
}

/* Numbers that lie although the checksum is right: refused or harmless, never a crash. */
static void
test_canvas_model_made_up_draft_is_harmless (void)
{
  g_autoptr (GessoDocument) doc = gesso_document_new ();
  stroke (doc, 100, 100, 300, 300, FALSE);
  g_autoptr (GBytes) bytes = gesso_document_serialise (doc);
  gsize n;
  const guint8 *data = g_bytes_get_data (bytes, &n);
  g_autoptr (GRand) rand = g_rand_new_with_seed (5);
  g_autofree guint8 *bad = g_malloc (n);
  static const guint32 values[] = { 0, 1, 255, 0x7fffffff, 0x80000000, 0xffffffff, 1 << 20, 4097 };
  int n_refused = 0;
  for (int i = 0; i < 400; i++)
    {
      memcpy (bad, data, n);
      gsize at = 8 + 4 * (gsize) g_rand_int_range (rand, 0, 24);
      guint32 value = GUINT32_TO_LE (values[g_rand_int_range (rand, 0, G_N_ELEMENTS (values))]);
      memcpy (bad + at, &value, sizeof value);
      guint32 sum = GUINT32_TO_LE (crc (bad, n - 4));
      memcpy (bad + n - 4, &sum, sizeof sum);
      g_autoptr (GessoDocument) other = gesso_document_new ();
      g_autoptr (GBytes) made_up = g_bytes_new (bad, n);
      n_refused += !gesso_document_restore (other, made_up, NULL);
      g_autoptr (GessoFramePixels) pixels = gesso_document_extract_frame (other, 64, 64, NULL);
      g_assert_nonnull (pixels);
    }
  g_assert_cmpint (n_refused, >, 200);
}

static void
check_frame_at (GessoDocument *doc, int width, int height, GessoRect frame)
{
  GError *error = NULL;
  gesso_document_set_frame (doc, &frame);
  GessoRect got = gesso_document_get_frame (doc);
  g_assert_true (gesso_rect_equal (&got, &frame));
  g_autoptr (GessoFramePixels) p = gesso_document_extract_frame (doc, 0, 0, &error);
  g_assert_no_error (error);
  g_assert_true (p->has_picture);
  GessoRect inside = gesso_rect_intersect (&frame, &(GessoRect){ 0, 0, width, height });
  gboolean holes = inside.width != frame.width || inside.height != frame.height;
  g_assert_cmpint (p->has_holes, ==, holes);
  g_assert_cmpint (p->mask != NULL, ==, holes);
  const guint8 *rgb = g_bytes_get_data (p->rgb, NULL);
  const guint8 *mask = p->mask ? g_bytes_get_data (p->mask, NULL) : NULL;
  g_autoptr (GBytes) whole = make_rgb (width, height, 0);
  const guint8 *want = g_bytes_get_data (whole, NULL);
  for (int y = 0; y < frame.height; y++)
    for (int x = 0; x < frame.width; x++)
      {
        int dx = x + frame.x, dy = y + frame.y;
        gboolean hole = dx < 0 || dy < 0 || dx >= width || dy >= height;
        dx = CLAMP (dx, 0, width - 1);
        dy = CLAMP (dy, 0, height - 1);
        gsize i = (gsize) y * frame.width + x;
        g_assert_cmpmem (rgb + i * 3, 3, want + ((gsize) dy * width + dx) * 3, 3);
        g_assert_cmpint (mask ? mask[i] : 0, ==, hole ? 255 : 0);
      }
}

static void
test_canvas_model_frame_at_every_edge (void)
{
  const int width = 640, height = 576;
  g_autoptr (GessoDocument) doc = new_with_picture (width, height);
  static const int xs[] = { -64, 0, 200, 512, 640 - 128, 640 - 64 };
  static const int ys[] = { -64, 0, 256, 440, 576 - 128, 576 - 64 };
  for (gsize i = 0; i < G_N_ELEMENTS (xs); i++)
    for (gsize j = 0; j < G_N_ELEMENTS (ys); j++)
      check_frame_at (doc, width, height, (GessoRect){ xs[i], ys[j], 128, 128 });
}

static void
test_canvas_model_rounded_frame_is_no_hole (void)
{
  g_autoptr (GessoDocument) doc = new_with_picture (333, 251);
  gesso_document_set_frame (doc, &(GessoRect){ 0, 0, 336, 256 });
  g_autoptr (GessoFramePixels) p = gesso_document_extract_frame (doc, 0, 0, NULL);
  g_assert_false (p->has_holes);
  g_assert_null (p->mask);
  g_autoptr (GBytes) rgb = make_rgb (336, 256, 50);
  put (doc, rgb, 336, 256, (GessoRect){ 0, 0, 336, 256 });
  GessoRect bounds = gesso_document_get_bounds (doc);
  g_assert_true (gesso_rect_equal (&bounds, &(GessoRect){ 0, 0, 333, 251 }));
}

static void
test_canvas_model_result_returns_bit_for_bit (void)
{
  g_autoptr (GessoDocument) doc = new_with_picture (700, 700);
  g_autoptr (GBytes) rgb = make_rgb (256, 192, 91);
  GessoRect where = { 440, -64, 256, 192 };
  put (doc, rgb, 256, 192, where);
  gesso_document_set_frame (doc, &where);
  g_autoptr (GessoFramePixels) p = gesso_document_extract_frame (doc, 0, 0, NULL);
  g_assert_true (g_bytes_equal (p->rgb, rgb));
  GessoRect bounds = gesso_document_get_bounds (doc);
  g_assert_true (gesso_rect_equal (&bounds, &(GessoRect){ 0, -64, 700, 764 }));
  g_assert_true (gesso_document_undo (doc, NULL));
  bounds = gesso_document_get_bounds (doc);
  g_assert_true (gesso_rect_equal (&bounds, &(GessoRect){ 0, 0, 700, 700 }));
}

static void
test_canvas_model_does_not_grow_without_limit (void)
{
  g_autoptr (GessoDocument) doc = new_with_picture (300, 300);
  g_autoptr (GBytes) rgb = make_rgb (128, 128, 0);
  g_autofree char *before = digest (doc);
  g_autoptr (GError) error = NULL;
  GessoRect far = { 900000, 900000, 128, 128 };
  g_assert_false (gesso_document_put (doc, rgb, 128, 128, &far, &error));
  g_assert_nonnull (error);
  g_autofree char *after = digest (doc);
  g_assert_cmpstr (before, ==, after);
}

static void
test_canvas_model_frame_snaps (void)
{
  g_autoptr (GessoDocument) doc = gesso_document_new ();
  gesso_document_set_frame (doc, &(GessoRect){ 13, -13, 517, 3 });
  GessoRect f = gesso_document_get_frame (doc);
  g_assert_true (gesso_rect_equal (&f, &(GessoRect){ 16, -16, 520, 64 }));
  gesso_document_set_frame (doc, &(GessoRect){ 0, 0, 512, 512 });
  for (int i = 0; i < 10; i++)
    {
      gesso_document_set_frame_size (doc, 520, 768);
      gesso_document_set_frame_size (doc, 512, 512);
    }
  f = gesso_document_get_frame (doc);
  g_assert_true (gesso_rect_equal (&f, &(GessoRect){ 0, 0, 512, 512 }));
}

static void
test_canvas_model_frame_at_another_size (void)
{
  g_autoptr (GessoDocument) doc = new_with_picture (1024, 1024);
  gesso_document_set_frame (doc, &(GessoRect){ 0, 0, 1024, 512 });
  stroke (doc, 100, 256, 900, 256, FALSE);
  g_autoptr (GessoFramePixels) p = gesso_document_extract_frame (doc, 256, 128, NULL);
  g_assert_cmpuint (g_bytes_get_size (p->rgb), ==, 256 * 128 * 3);
  g_assert_cmpuint (g_bytes_get_size (p->mask), ==, 256 * 128);
  const guint8 *mask = g_bytes_get_data (p->mask, NULL);
  g_assert_cmpint (mask[64 * 256 + 128], ==, 255);
  g_assert_cmpint (mask[10 * 256 + 128], ==, 0);
}

static void
test_canvas_model_invert_twice_is_nothing (void)
{
  g_autoptr (GessoDocument) doc = new_with_picture (700, 300);
  stroke (doc, 100, 100, 600, 200, FALSE);
  g_autofree char *before = digest (doc);
  gesso_document_invert_mask (doc);
  g_assert_cmpint (mask_at (doc, 5, 5), ==, 255);
  g_assert_cmpint (mask_at (doc, 701, 5), ==, 0);
  gesso_document_invert_mask (doc);
  g_autofree char *after = digest (doc);
  g_assert_cmpstr (before, ==, after);
}

static void
test_canvas_model_stroke_does_not_touch_a_copy (void)
{
  g_autoptr (GessoDocument) doc = new_with_picture (600, 600);
  stroke (doc, 100, 100, 500, 500, FALSE);
  g_autoptr (GessoState) copy = gesso_state_copy (gesso_document_peek_state (doc));
  g_autoptr (GBytes) before = gesso_state_serialise (copy);
  stroke (doc, 500, 100, 100, 500, FALSE);
  gesso_document_invert_mask (doc);
  g_autoptr (GBytes) after = gesso_state_serialise (copy);
  g_assert_true (g_bytes_equal (before, after));
}

static void
done_cb (GObject *source, GAsyncResult *result, gpointer user_data)
{
  *(GAsyncResult **) user_data = g_object_ref (result);
}

static GAsyncResult *
wait_for (GAsyncResult **result)
{
  while (!*result)
    g_main_context_iteration (NULL, TRUE);
  return *result;
}

static char *
write_png (int width, int height, GBytes *rgb)
{
  g_autofree char *path = g_build_filename (g_get_tmp_dir (), "gesso-canvas-XXXXXX.png", NULL);
  int fd = g_mkstemp (path);
  g_assert_cmpint (fd, >=, 0);
  close (fd);
  Status status = { 0 };
  Image image = { width, height, (uint8_t *) g_bytes_get_data (rgb, NULL) };
  PngOptions options = { .overwrite = true };
  g_assert_true (png_write_file (path, &image, &options, &status));
  return g_steal_pointer (&path);
}

static void
test_canvas_model_loads_a_file (void)
{
  g_autoptr (GBytes) rgb = make_rgb (1000, 531, 4);
  g_autofree char *path = write_png (1000, 531, rgb);
  g_autoptr (GessoDocument) doc = new_with_picture (300, 300);
  g_autofree char *before = digest (doc);
  g_autoptr (GFile) file = g_file_new_for_path (path);
  g_autoptr (GAsyncResult) result = NULL;
  g_autoptr (GError) error = NULL;
  gesso_document_load_async (doc, file, NULL, done_cb, &result);
  g_assert_true (gesso_document_load_finish (doc, wait_for (&result), &error));
  GessoRect frame = gesso_document_get_frame (doc), bounds = gesso_document_get_bounds (doc);
  g_assert_true (gesso_rect_equal (&frame, &(GessoRect){ 0, 0, 1000, 536 }));
  g_assert_true (gesso_rect_equal (&bounds, &(GessoRect){ 0, 0, 1000, 531 }));
  g_autoptr (GessoFramePixels) p = gesso_document_extract_frame (doc, 0, 0, NULL);
  g_assert_cmpmem (g_bytes_get_data (p->rgb, NULL), 1000 * 531 * 3, g_bytes_get_data (rgb, NULL),
                   1000 * 531 * 3);
  g_assert_true (gesso_document_undo (doc, NULL));
  g_autofree char *after = digest (doc);
  g_assert_cmpstr (before, ==, after);
  g_assert_true (gesso_document_redo (doc, NULL));
  g_unlink (path);
}

static void
test_canvas_model_refuses_what_is_no_picture (void)
{
  g_autoptr (GessoDocument) doc = new_with_picture (300, 300);
  g_autofree char *before = digest (doc);
  g_autoptr (GFile) file = g_file_new_for_path ("/proc/self/status");
  g_autoptr (GAsyncResult) result = NULL;
  g_autoptr (GError) error = NULL;
  gesso_document_load_async (doc, file, NULL, done_cb, &result);
  g_assert_false (gesso_document_load_finish (doc, wait_for (&result), &error));
  g_assert_nonnull (error);
  g_assert_cmpuint (strlen (error->message), >, 10);
  g_autofree char *after = digest (doc);
  g_assert_cmpstr (before, ==, after);
}

static void
test_canvas_model_mask_from_picture (void)
{
  g_autoptr (GessoDocument) doc = new_with_picture (512, 512);
  guint8 *rgb = g_malloc0 (64 * 64 * 3);
  for (int i = 0; i < 32 * 64; i++)
    memset (rgb + 3 * i, 255, 3);
  g_autoptr (GBytes) bytes = g_bytes_new_take (rgb, 64 * 64 * 3);
  g_autoptr (GAsyncResult) result = NULL;
  gesso_document_load_bytes_async (doc, bytes, 64, 64, TRUE, NULL, done_cb, &result);
  g_assert_true (gesso_document_load_finish (doc, wait_for (&result), NULL));
  g_assert_cmpint (mask_at (doc, 256, 200), ==, 255);
  g_assert_cmpint (mask_at (doc, 256, 300), ==, 0);
  g_assert_true (gesso_document_undo (doc, NULL));
  g_assert_false (gesso_document_has_mask (doc));
}

int
main (int argc, char **argv)
{
  g_autofree char *cache = g_dir_make_tmp ("gesso-canvas-model-XXXXXX", NULL);
  g_setenv ("XDG_CACHE_HOME", cache, TRUE);
  g_test_init (&argc, &argv, NULL);
#define TEST(path, name) g_test_add_func ("/canvas-model/" path, test_canvas_model_##name)
  TEST ("stroke/is-round", stroke_is_round);
  TEST ("stroke/spacing-does-not-show", spacing_does_not_show);
  TEST ("stroke/pressure-is-size-or-softness", pressure_is_size_or_softness);
  TEST ("stroke/eraser-takes-away", eraser_takes_away);
  TEST ("stroke/stays-inside", stroke_stays_inside);
  TEST ("stroke/cancelled-leaves-nothing", cancelled_stroke_leaves_nothing);
  TEST ("stroke/does-not-touch-a-copy", stroke_does_not_touch_a_copy);
  TEST ("mask/invert-twice-is-nothing", invert_twice_is_nothing);
  TEST ("mask/from-picture", mask_from_picture);
  TEST ("history/in-memory", undo_in_memory);
  TEST ("history/from-file", undo_from_file);
  TEST ("history/new-step-forgets-redo", new_step_forgets_redo);
  TEST ("history/file-that-is-refused", undo_file_that_is_refused);
  TEST ("draft/round-trip", draft_round_trip);
  TEST ("draft/damaged-is-refused", damaged_draft_is_refused);
  TEST ("draft/made-up-is-harmless", made_up_draft_is_harmless);
  TEST ("frame/at-every-edge", frame_at_every_edge);
  TEST ("frame/rounded-is-no-hole", rounded_frame_is_no_hole);
  TEST ("frame/result-returns-bit-for-bit", result_returns_bit_for_bit);
  TEST ("frame/does-not-grow-without-limit", does_not_grow_without_limit);
  TEST ("frame/snaps", frame_snaps);
  TEST ("frame/at-another-size", frame_at_another_size);
  TEST ("load/file", loads_a_file);
  TEST ("load/refuses-what-is-no-picture", refuses_what_is_no_picture);
#undef TEST
  int rc = g_test_run ();
  g_autofree char *folder = g_build_filename (cache, "gesso", NULL);
  g_rmdir (folder);
  g_rmdir (cache);
  return rc;
}
