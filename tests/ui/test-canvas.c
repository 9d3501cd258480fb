/* SPDX-License-Identifier: MPL-2.0
 * test-canvas.c - the canvas, its tools and the filmstrip in a real window, with real input.
 *
 * Needs a display of its own: tests/ui/xvfb.sh build/tests/ui/test-canvas
 * build/tests/ui/drag-source With GESSO_SCREENSHOTS=FOLDER it leaves a picture of each stage there.
 * With -m perf it measures.
 */
#include <adwaita.h>
#include <glib/gstdio.h>
#include <math.h>
#include <string.h>
#include <sys/resource.h>

#include "app/canvas/gesso-canvas-private.h"
#include "app/canvas/gesso-filmstrip.h"
#include "app/canvas/gesso-tool-bar.h"
#include "app/canvas/gesso-viewport.h"
#include "media/png.h"

#define WAIT_US (20 * G_USEC_PER_SEC)

typedef struct
{
  GtkWidget *window, *strip;
  GessoCanvas *canvas;
  GessoDocument *document;
  char *failure; /* the last "failed" */
} Fixture;

static const char *drag_source;

static void
settle (void)
{
  while (g_main_context_iteration (NULL, FALSE))
    ;
}

/* Iterates until @done says so; the test fails when it never does. */
static void
wait_until (gboolean (*done) (gpointer), gpointer data)
{
  gint64 end = g_get_monotonic_time () + WAIT_US;
  while (!done (data))
    {
      g_assert_cmpint (g_get_monotonic_time (), <, end);
      if (!g_main_context_iteration (NULL, FALSE))
        g_usleep (2000);
    }
}

static gboolean
is_set (gpointer flag)
{
  return *(gboolean *) flag;
}

static void
process_done_cb (GObject *source, GAsyncResult *result, gpointer user_data)
{
  g_assert_true (g_subprocess_wait_check_finish (G_SUBPROCESS (source), result, NULL));
  *(gboolean *) user_data = TRUE;
}

/* A shell line with xdotool, while this program goes on handling what it does. */
static void
input (const char *line)
{
  gboolean done = FALSE;
  g_autoptr (GSubprocess) process =
      g_subprocess_new (G_SUBPROCESS_FLAGS_NONE, NULL, "sh", "-ec", line, NULL);
  g_assert_nonnull (process);
  g_subprocess_wait_check_async (process, NULL, process_done_cb, &done);
  wait_until (is_set, &done);
  settle ();
}

static void
after_paint_cb (GdkFrameClock *clock, gboolean *painted)
{
  *painted = TRUE;
}

static void
draw (Fixture *f)
{
  gboolean painted = FALSE;
  GdkFrameClock *clock = gtk_widget_get_frame_clock (f->window);
  gulong id = g_signal_connect (clock, "after-paint", G_CALLBACK (after_paint_cb), &painted);
  gtk_widget_queue_draw (GTK_WIDGET (f->canvas));
  wait_until (is_set, &painted);
  g_signal_handler_disconnect (clock, id);
}

static GdkTexture *
shoot (Fixture *f, GtkWidget *widget)
{
  /* Textures come a few a frame. */
  do
    draw (f);
  while (f->canvas->again_id);
  int width = gtk_widget_get_width (widget), height = gtk_widget_get_height (widget);
  g_autoptr (GdkPaintable) paintable = gtk_widget_paintable_new (widget);
  GtkSnapshot *snapshot = gtk_snapshot_new ();
  gdk_paintable_snapshot (paintable, snapshot, width, height);
  GskRenderNode *node = gtk_snapshot_free_to_node (snapshot);
  GskRenderer *renderer = gtk_native_get_renderer (gtk_widget_get_native (widget));
  GdkTexture *texture =
      gsk_renderer_render_texture (renderer, node, &GRAPHENE_RECT_INIT (0, 0, width, height));
  gsk_render_node_unref (node);
  return texture;
}

static void
save (Fixture *f, const char *name)
{
  const char *folder = g_getenv ("GESSO_SCREENSHOTS");
  if (!folder)
    return;
  g_autoptr (GdkTexture) texture = shoot (f, f->window);
  g_autofree char *path = g_strdup_printf ("%s/%s.png", folder, name);
  g_assert_true (gdk_texture_save_to_png (texture, path));
}

/* 0xRRGGBB of the canvas at widget coordinates. */
static guint32
pixel_at (Fixture *f, double x, double y)
{
  g_autoptr (GdkTexture) texture = shoot (f, GTK_WIDGET (f->canvas));
  int width = gdk_texture_get_width (texture), height = gdk_texture_get_height (texture);
  g_autofree guint32 *pixels = g_new (guint32, (gsize) width * height);
  gdk_texture_download (texture, (guchar *) pixels, (gsize) width * 4);
  g_assert_true (x >= 0 && y >= 0 && x < width && y < height);
  return pixels[(int) y * width + (int) x] & 0xffffff;
}

static guint32
pixel_at_document (Fixture *f, double doc_x, double doc_y)
{
  double x, y;
  gesso_canvas_to_widget (f->canvas, doc_x, doc_y, &x, &y);
  return pixel_at (f, x, y);
}

static GBytes *
flat_rgb (int width, int height, guint32 color)
{
  gsize n = (gsize) width * height;
  guint8 *rgb = g_malloc (n * 3);
  for (gsize i = 0; i < n; i++)
    {
      rgb[3 * i] = (guint8) (color >> 16);
      rgb[3 * i + 1] = (guint8) (color >> 8);
      rgb[3 * i + 2] = (guint8) color;
    }
  return g_bytes_new_take (rgb, n * 3);
}

/* Hills under an evening sky, so that the screenshots look like something. */
static GBytes *
landscape (int width, int height)
{
  guint8 *rgb = g_malloc ((gsize) width * height * 3), *p = rgb;
  for (int y = 0; y < height; y++)
    for (int x = 0; x < width; x++, p += 3)
      {
        double u = (double) x / width, v = (double) y / height;
        double r = 255 - 120 * v, g = 170 - 60 * v, b = 120 + 90 * v;
        for (int i = 0; i < 4; i++)
          if (v > 0.45 + 0.13 * i + 0.05 * sin (u * (5 + 3 * i) + i * 2))
            {
              r = 120 - 26 * i;
              g = 130 - 20 * i;
              b = 90 - 18 * i;
            }
        p[0] = (guint8) r;
        p[1] = (guint8) g;
        p[2] = (guint8) b;
      }
  return g_bytes_new_take (rgb, (gsize) width * height * 3);
}

static void
put (Fixture *f, GBytes *rgb, int width, int height)
{
  GessoRect where = { 0, 0, width, height };
  g_assert_true (gesso_document_put (f->document, rgb, width, height, &where, NULL));
  gesso_document_set_frame (f->document, &where);
}

static void
failed_cb (GessoCanvas *canvas, const char *message, Fixture *f)
{
  g_free (f->failure);
  f->failure = g_strdup (message);
}

static void
set_up (Fixture *f, gconstpointer data)
{
  f->document = gesso_document_new ();
  f->canvas = GESSO_CANVAS (gesso_canvas_new (f->document));
  f->strip = gesso_filmstrip_new ();
  f->window = gtk_window_new ();
  GtkWidget *overlay = gtk_overlay_new (), *box = gtk_box_new (GTK_ORIENTATION_VERTICAL, 0);
  gtk_widget_set_vexpand (overlay, TRUE);
  gtk_overlay_set_child (GTK_OVERLAY (overlay), GTK_WIDGET (f->canvas));
  gtk_overlay_add_overlay (GTK_OVERLAY (overlay), gesso_tool_bar_new (f->canvas));
  gtk_box_append (GTK_BOX (box), overlay);
  gtk_box_append (GTK_BOX (box), f->strip);
  gtk_window_set_child (GTK_WINDOW (f->window), box);
  gtk_window_set_title (GTK_WINDOW (f->window), "CanvasTest");
  gtk_window_set_decorated (GTK_WINDOW (f->window), FALSE);
  gtk_window_set_default_size (GTK_WINDOW (f->window), 1000, 760);
  g_signal_connect (f->canvas, "failed", G_CALLBACK (failed_cb), f);
  gtk_window_present (GTK_WINDOW (f->window));
  gtk_widget_grab_focus (GTK_WIDGET (f->canvas));
  draw (f);
  input ("w=$(xdotool search --sync --onlyvisible --name '^CanvasTest$' | tail -1);"
         "xdotool windowmove $w 0 0 windowfocus --sync $w mousemove 990 10 sleep 0.1");
}

static void
tear_down (Fixture *f, gconstpointer data)
{
  gtk_window_destroy (GTK_WINDOW (f->window));
  settle ();
  g_clear_object (&f->document);
  g_clear_pointer (&f->failure, g_free);
}

static guint8
mask_at (Fixture *f, double x, double y)
{
  guint8 value;
  gesso_plane_read (gesso_document_peek_state (f->document)->layers[GESSO_LAYER_MASK],
                    &(GessoRect){ (int) x, (int) y, 1, 1 }, &value);
  return value;
}

static void
test_canvas_empty_invites (Fixture *f, gconstpointer data)
{
  save (f, "canvas-empty");
  /* The ground is dark, the frame's outline is light. */
  g_assert_cmphex (pixel_at (f, 700, 650), ==, 0x1f1f21);
}

static void
test_canvas_zoom_keeps_the_point (Fixture *f, gconstpointer data)
{
  g_autoptr (GBytes) rgb = landscape (1200, 800);
  put (f, rgb, 1200, 800);
  static const double zooms[] = { 0.5, 3.7, 0.02, 8, 1, 0.333 };
  for (gsize i = 0; i < G_N_ELEMENTS (zooms); i++)
    {
      double x0, y0, x1, y1;
      gesso_canvas_to_document (f->canvas, 321, 234, &x0, &y0);
      gesso_canvas_zoom_at (f->canvas, zooms[i], 321, 234);
      gesso_canvas_to_document (f->canvas, 321, 234, &x1, &y1);
      /* At whole zooms the picture lies on whole pixels: half of one off at most. */
      g_assert_cmpfloat_with_epsilon (x0, x1, 0.51 / zooms[i]);
      g_assert_cmpfloat_with_epsilon (y0, y1, 0.51 / zooms[i]);
      g_assert_cmpfloat_with_epsilon (gesso_canvas_get_zoom (f->canvas), zooms[i], 1e-9);
    }
}

static void
test_canvas_wheel_zooms_at_the_pointer (Fixture *f, gconstpointer data)
{
  double x0, y0, x1, y1, before = gesso_canvas_get_zoom (f->canvas);
  gesso_canvas_to_document (f->canvas, 300, 200, &x0, &y0);
  input ("xdotool mousemove 300 200 sleep 0.05 click 4 sleep 0.05 click 4 sleep 0.05");
  gesso_canvas_to_document (f->canvas, 300, 200, &x1, &y1);
  g_assert_cmpfloat (gesso_canvas_get_zoom (f->canvas), >, before * 1.3);
  g_assert_cmpfloat_with_epsilon (x0, x1, 0.01);
  g_assert_cmpfloat_with_epsilon (y0, y1, 0.01);
}

static void
test_canvas_actual_size_is_exact (Fixture *f, gconstpointer data)
{
  guint8 *noise = g_malloc (1400 * 900 * 3);
  g_autoptr (GRand) rand = g_rand_new_with_seed (1);
  for (int i = 0; i < 1400 * 900 * 3; i++)
    noise[i] = (guint8) g_rand_int (rand);
  g_autoptr (GBytes) rgb = g_bytes_new_take (noise, 1400 * 900 * 3);
  put (f, rgb, 1400, 900);
  g_action_group_activate_action (gesso_canvas_get_actions (f->canvas), "actual-size", NULL);
  g_autoptr (GdkTexture) texture = shoot (f, GTK_WIDGET (f->canvas));
  int width = gdk_texture_get_width (texture), height = gdk_texture_get_height (texture);
  g_autofree guint32 *pixels = g_new (guint32, (gsize) width * height);
  gdk_texture_download (texture, (guchar *) pixels, (gsize) width * 4);
  double left, top;
  gesso_canvas_to_document (f->canvas, 0, 0, &left, &top);
  /* Tile borders at 512 included; the frame's outline and its label lie outside of this part. */
  for (int y = 100; y < height - 100; y++)
    for (int x = 100; x < width - 100; x++)
      {
        const guint8 *p = noise + 3 * ((gsize) (y + (int) top) * 1400 + (gsize) (x + (int) left));
        guint32 want = (guint32) (p[0] << 16 | p[1] << 8 | p[2]);
        g_assert_cmphex (pixels[y * width + x] & 0xffffff, ==, want);
      }
}

static void
test_canvas_middle_drag_pans (Fixture *f, gconstpointer data)
{
  double x0, y0, x1, y1;
  gesso_canvas_to_document (f->canvas, 0, 0, &x0, &y0);
  gesso_canvas_set_tool (f->canvas, GESSO_TOOL_MASK);
  input ("xdotool mousemove 400 300 mousedown 2 mousemove 420 310 sleep 0.05 mousemove 450 330 "
         "sleep 0.05 mouseup 2 sleep 0.05");
  gesso_canvas_to_document (f->canvas, 0, 0, &x1, &y1);
  double zoom = gesso_canvas_get_zoom (f->canvas);
  g_assert_cmpfloat_with_epsilon ((x0 - x1) * zoom, 50, 0.01);
  g_assert_cmpfloat_with_epsilon ((y0 - y1) * zoom, 30, 0.01);
  g_assert_false (gesso_document_has_mask (f->document));
  input (
      "xdotool keydown space sleep 0.1 mousemove 400 300 mousedown 1 mousemove 380 300 sleep 0.05 "
      "mousemove 350 300 sleep 0.05 mouseup 1 sleep 0.05 keyup space sleep 0.05");
  gesso_canvas_to_document (f->canvas, 0, 0, &x0, &y0);
  g_assert_cmpfloat_with_epsilon ((x0 - x1) * zoom, 50, 0.01);
  g_assert_false (gesso_document_has_mask (f->document));
}

static void
test_canvas_paints_with_the_mouse (Fixture *f, gconstpointer data)
{
  g_autoptr (GBytes) rgb = landscape (1216, 832);
  put (f, rgb, 1216, 832);
  gesso_canvas_set_tool (f->canvas, GESSO_TOOL_MASK);
  gesso_canvas_set_brush_radius (f->canvas, 48);
  guint32 before = pixel_at (f, 450, 300);
  input ("xdotool mousemove 300 250 mousedown 1; for i in 1 2 3 4 5 6 7 8 9 10; do "
         "xdotool mousemove $((300 + i * 25)) $((250 + i * 8)) sleep 0.02; done; xdotool mouseup 1 "
         "sleep 0.1");
  for (int i = 0; i <= 10; i++)
    {
      double x, y;
      gesso_canvas_to_document (f->canvas, 300 + i * 25, 250 + i * 8, &x, &y);
      g_assert_cmpint (mask_at (f, x, y), ==, 255);
    }
  g_assert_cmphex (pixel_at (f, 450, 300), !=, before);
  save (f, "canvas-mask");
  input ("xdotool key m sleep 0.05");
  g_assert_cmphex (pixel_at (f, 450, 300), ==, before);
  input ("xdotool key m key i sleep 0.05");
  double x, y;
  gesso_canvas_to_document (f->canvas, 450, 298, &x, &y);
  g_assert_cmpint (mask_at (f, x, y), ==, 0);
  input ("xdotool key ctrl+z key ctrl+z sleep 0.05");
  g_assert_false (gesso_document_has_mask (f->document));
  input ("xdotool key ctrl+shift+z sleep 0.05");
  g_assert_true (gesso_document_has_mask (f->document));
  input ("xdotool key e mousemove 425 290 click 1 sleep 0.1");
  gesso_canvas_to_document (f->canvas, 425, 290, &x, &y);
  g_assert_cmpint (mask_at (f, x, y), ==, 0);
}

static void
test_canvas_by_keyboard_alone (Fixture *f, gconstpointer data)
{
  input ("xdotool key b sleep 0.05");
  g_assert_cmpint (gesso_canvas_get_tool (f->canvas), ==, GESSO_TOOL_MASK);
  double radius = gesso_canvas_get_brush_radius (f->canvas);
  input ("xdotool key bracketleft key bracketleft key braceright sleep 0.05");
  g_assert_cmpfloat (gesso_canvas_get_brush_radius (f->canvas), <, radius);
  g_assert_cmpfloat (gesso_canvas_get_brush_softness (f->canvas), >, 0.35);
  input ("xdotool key Left key Up sleep 0.05");
  g_assert_true (f->canvas->key_cursor);
  double x0 = f->canvas->key_x, y0 = f->canvas->key_y;
  input (
      "xdotool keydown space sleep 0.1 key Right key Right key shift+Right sleep 0.05 keyup space "
      "sleep 0.05");
  g_assert_cmpfloat (f->canvas->key_x, >, x0 + 60);
  g_assert_cmpint (mask_at (f, x0, y0), ==, 255);
  g_assert_cmpint (mask_at (f, (x0 + f->canvas->key_x) / 2, y0), ==, 255);
  g_assert_cmpuint (gesso_history_get_n_undo (gesso_document_peek_history (f->document)), ==, 1);
  save (f, "canvas-key-cursor");
  GessoRect a = gesso_document_get_frame (f->document);
  input ("xdotool key c key Right key shift+Down sleep 0.05");
  GessoRect b = gesso_document_get_frame (f->document);
  g_assert_cmpint (b.x - a.x, ==, 8);
  g_assert_cmpint (b.y - a.y, ==, 64);
  input ("xdotool key plus sleep 0.05");
  double zoom = gesso_canvas_get_zoom (f->canvas);
  input ("xdotool key minus sleep 0.05");
  g_assert_cmpfloat (gesso_canvas_get_zoom (f->canvas), <, zoom);
  input ("xdotool key 1 sleep 0.05");
  g_assert_cmpfloat (gesso_canvas_get_zoom (f->canvas), ==, 1);
  input ("xdotool key Escape sleep 0.05");
  g_assert_cmpint (gesso_canvas_get_tool (f->canvas), ==, GESSO_TOOL_MOVE);
}

static void
test_canvas_frame_by_mouse (Fixture *f, gconstpointer data)
{
  g_autoptr (GBytes) rgb = landscape (1216, 832);
  put (f, rgb, 1216, 832);
  gesso_document_set_frame (f->document, &(GessoRect){ 200, 104, 512, 512 });
  gesso_canvas_set_tool (f->canvas, GESSO_TOOL_FRAME);
  double x, y, zoom = gesso_canvas_get_zoom (f->canvas);
  gesso_canvas_to_widget (f->canvas, 712, 616, &x, &y);
  g_autofree char *line = g_strdup_printf (
      "xdotool mousemove %d %d mousedown 1 sleep 0.05 mousemove_relative 10 10 sleep 0.05 "
      "mousemove_relative -- 60 -50 sleep 0.05 mouseup 1 sleep 0.05",
      (int) x, (int) y);
  input (line);
  GessoRect frame = gesso_document_get_frame (f->document);
  g_assert_cmpint (frame.x, ==, 200);
  g_assert_cmpint (frame.y, ==, 104);
  g_assert_cmpint (abs (frame.width - 512 - (int) (70 / zoom)), <=, 8);
  g_assert_cmpint (abs (frame.height - 512 + (int) (40 / zoom)), <=, 8);
  g_assert_cmpint (frame.width % 8, ==, 0);
  save (f, "canvas-frame");
}

static void
test_canvas_preview_and_result (Fixture *f, gconstpointer data)
{
  gesso_document_set_frame (f->document, &(GessoRect){ 0, 0, 640, 512 });
  g_autoptr (GBytes) green = flat_rgb (80, 64, 0x00c040), blue = flat_rgb (640, 512, 0x2040ff);
  gesso_canvas_set_preview (f->canvas, green, 80, 64, NULL);
  g_assert_cmphex (pixel_at_document (f, 320, 256), ==, 0x00c040);
  g_autoptr (GdkTexture) texture =
      gdk_memory_texture_new (640, 512, GDK_MEMORY_R8G8B8, blue, 640 * 3);
  gesso_canvas_set_result (f->canvas, texture, NULL);
  g_assert_cmphex (pixel_at_document (f, 320, 256), ==, 0x00c040);
  gesso_canvas_clear_preview (f->canvas);
  g_assert_cmphex (pixel_at_document (f, 320, 256), ==, 0x2040ff);
  g_assert_false (gesso_document_has_picture (f->document));
  gesso_canvas_set_result (f->canvas, NULL, NULL);
  g_assert_cmphex (pixel_at_document (f, 100, 400), ==, 0x1f1f21);
}

/* The mask's stripes lay over what inpainting had made, and over clips that played. */
static void
test_canvas_result_comes_without_the_mask (Fixture *f, gconstpointer data)
{
  g_autoptr (GBytes) red = flat_rgb (640, 512, 0xd02020), blue = flat_rgb (640, 512, 0x2040ff);
  put (f, red, 640, 512);
  gesso_document_invert_mask (f->document);
  g_assert_cmphex (pixel_at_document (f, 320, 256), !=, 0xd02020);
  gesso_canvas_set_tool (f->canvas, GESSO_TOOL_MASK);
  g_autoptr (GdkTexture) texture =
      gdk_memory_texture_new (640, 512, GDK_MEMORY_R8G8B8, blue, 640 * 3);
  gesso_canvas_set_result (f->canvas, texture, NULL);
  g_assert_cmphex (pixel_at_document (f, 320, 256), ==, 0x2040ff);
  /* The brush over the canvas wants to see what it paints on. */
  input ("xdotool mousemove 300 250 sleep 0.05 mousemove 310 250 sleep 0.1");
  g_assert_cmphex (pixel_at_document (f, 320, 256), !=, 0x2040ff);
  gesso_canvas_set_result (f->canvas, NULL, NULL);
  g_assert_cmphex (pixel_at_document (f, 320, 256), !=, 0xd02020);
}

static gboolean
menu_is_open (gpointer canvas)
{
  return gtk_widget_get_visible (((GessoCanvas *) canvas)->menu);
}

static gboolean
menu_is_closed (gpointer canvas)
{
  return !menu_is_open (canvas);
}

/* Who had kept a result could make pictures from words alone only in a new project. */
static void
test_canvas_is_cleared_by_hand (Fixture *f, gconstpointer data)
{
  g_autoptr (GBytes) red = flat_rgb (640, 512, 0xd02020);
  put (f, red, 640, 512);
  input ("xdotool mousemove 500 300 click 3 sleep 0.1");
  wait_until (menu_is_open, f->canvas);
  input ("xdotool key Escape sleep 0.1");
  wait_until (menu_is_closed, f->canvas);
  gtk_widget_grab_focus (GTK_WIDGET (f->canvas));
  input ("xdotool key ctrl+Delete sleep 0.1");
  g_assert_false (gesso_document_has_picture (f->document));
  input ("xdotool key ctrl+z sleep 0.1");
  g_assert_true (gesso_document_has_picture (f->document));
}

static void
test_canvas_brush_fits_a_small_picture (Fixture *f, gconstpointer data)
{
  g_assert_cmpfloat (gesso_canvas_get_brush_radius (f->canvas), ==, 32);
  gesso_document_set_frame (f->document, &(GessoRect){ 0, 0, 128, 128 });
  g_assert_cmpfloat (gesso_canvas_get_brush_radius (f->canvas), ==, 8);
  gesso_document_set_frame (f->document, &(GessoRect){ 0, 0, 1024, 768 });
  g_assert_cmpfloat (gesso_canvas_get_brush_radius (f->canvas), ==, 32);
  gesso_canvas_set_brush_radius (f->canvas, 20); /* by hand: it stays */
  gesso_document_set_frame (f->document, &(GessoRect){ 0, 0, 128, 128 });
  g_assert_cmpfloat (gesso_canvas_get_brush_radius (f->canvas), ==, 20);
}

static void
test_canvas_compares (Fixture *f, gconstpointer data)
{
  g_autoptr (GBytes) red = flat_rgb (640, 512, 0xd02020), blue = flat_rgb (640, 512, 0x2040ff);
  put (f, red, 640, 512);
  put (f, blue, 640, 512);
  g_assert_cmphex (pixel_at_document (f, 320, 256), ==, 0x2040ff);
  input ("xdotool keydown x sleep 0.1");
  g_assert_cmphex (pixel_at_document (f, 320, 256), ==, 0xd02020);
  input ("xdotool keyup x sleep 0.1");
  g_assert_cmphex (pixel_at_document (f, 320, 256), ==, 0x2040ff);
  input ("xdotool key shift+x sleep 0.05");
  g_assert_cmpint (gesso_canvas_get_tool (f->canvas), ==, GESSO_TOOL_COMPARE);
  double x = gesso_canvas_divider_x (f->canvas);
  g_assert_cmphex (pixel_at (f, x - 40, 250), ==, 0xd02020);
  g_assert_cmphex (pixel_at (f, x + 40, 250), ==, 0x2040ff);
  input ("xdotool key shift+Right sleep 0.05");
  g_assert_cmphex (pixel_at (f, x + 40, 250), ==, 0xd02020);
  input (
      "xdotool mousemove 300 400 mousedown 1 mousemove 400 400 sleep 0.05 mousemove 420 400 sleep "
      "0.05 mouseup 1 sleep 0.05");
  g_assert_cmpfloat_with_epsilon (gesso_canvas_divider_x (f->canvas), 420, 1.5);
  save (f, "canvas-compare");
}

static char *
write_landscape (int width, int height)
{
  g_autofree char *path = g_build_filename (g_get_tmp_dir (), "gesso-drop-XXXXXX.png", NULL);
  g_autoptr (GBytes) rgb = landscape (width, height);
  int fd = g_mkstemp (path);
  g_assert_cmpint (fd, >=, 0);
  close (fd);
  Status status = { 0 };
  Image image = { width, height, (uint8_t *) g_bytes_get_data (rgb, NULL) };
  g_assert_true (png_write_file (path, &image, &(PngOptions){ .overwrite = true }, &status));
  return g_steal_pointer (&path);
}

static gboolean
has_picture (gpointer document)
{
  return gesso_document_has_picture (document);
}

static gboolean
has_mask (gpointer document)
{
  return gesso_document_has_mask (document);
}

/* From the other window onto (500, @y) of this one; a picture on the way, where zones are shown. */
static void
drag_to (int y)
{
  const char *folder = g_getenv ("GESSO_SCREENSHOTS");
  g_autofree char *line =
      g_strdup_printf ("w=$(xdotool search --sync --onlyvisible --name '^DragSource$' | tail -1);"
                       "xdotool windowmove --sync $w 1100 100; xdotool mousemove 1200 160 sleep "
                       "0.2 mousedown 1 sleep 0.2;"
                       "for x in 1180 1150 1100 1000 900 800 700 600 550 500; do xdotool mousemove "
                       "$x %d sleep 0.06; done;"
                       "%s%s%s xdotool sleep 0.2 mouseup 1 sleep 0.3",
                       y, folder ? "import -window root " : "", folder ? folder : "",
                       folder ? "/canvas-drop.png;" : "");
  input (line);
}

static void
test_canvas_takes_a_drop (Fixture *f, gconstpointer data)
{
  if (!drag_source)
    {
      g_test_skip ("no drag-source program was given");
      return;
    }
  g_autofree char *path = write_landscape (900, 600);
  g_autoptr (GSubprocess) source =
      g_subprocess_new (G_SUBPROCESS_FLAGS_STDOUT_SILENCE, NULL, drag_source, path, NULL);
  g_assert_nonnull (source);
  drag_to (300);
  wait_until (has_picture, f->document);
  GessoRect bounds = gesso_document_get_bounds (f->document);
  g_assert_cmpint (bounds.width, ==, 900);
  g_assert_cmpint (bounds.height, ==, 600);
  int height = gtk_widget_get_height (GTK_WIDGET (f->canvas));
  drag_to (height - 30);
  wait_until (has_mask, f->document);
  g_subprocess_force_exit (source);
  g_subprocess_wait (source, NULL, NULL);
  save (f, "canvas-dropped");
  g_unlink (path);
}

static gboolean
has_failed (gpointer fixture)
{
  return ((Fixture *) fixture)->failure != NULL;
}

static void
test_canvas_pastes (Fixture *f, gconstpointer data)
{
  g_autoptr (GBytes) rgb = landscape (320, 200);
  g_autoptr (GdkTexture) texture = gdk_memory_texture_new (320, 200, GDK_MEMORY_R8G8B8, rgb, 960);
  GdkClipboard *clipboard = gtk_widget_get_clipboard (f->window);
  gdk_clipboard_set_texture (clipboard, texture);
  input ("xdotool key ctrl+v sleep 0.05");
  wait_until (has_picture, f->document);
  g_autoptr (GessoFramePixels) pixels = gesso_document_extract_frame (f->document, 0, 0, NULL);
  g_assert_true (g_bytes_equal (pixels->rgb, rgb));
  gdk_clipboard_set_text (clipboard, "no picture");
  input ("xdotool key ctrl+v sleep 0.05");
  wait_until (has_failed, f);
  g_clear_pointer (&f->failure, g_free);
  g_autoptr (GFile) bad = g_file_new_for_path ("/proc/self/status");
  gesso_canvas_load_file (f->canvas, bad, GESSO_DROP_PICTURE);
  wait_until (has_failed, f);
  g_assert_true (gesso_document_has_picture (f->document));
}

static void
test_canvas_actions_say_what_is_possible (Fixture *f, gconstpointer data)
{
  GActionGroup *actions = gesso_canvas_get_actions (f->canvas);
  g_assert_false (g_action_group_get_action_enabled (actions, "undo"));
  g_assert_false (g_action_group_get_action_enabled (actions, "clear-mask"));
  gesso_canvas_stroke_begin (f->canvas, 100, 100, 1, FALSE);
  gesso_canvas_stroke_move (f->canvas, 300, 200, 1);
  gesso_canvas_stroke_end (f->canvas);
  g_assert_true (g_action_group_get_action_enabled (actions, "undo"));
  g_action_group_activate_action (actions, "clear-mask", NULL);
  g_assert_false (gesso_document_has_mask (f->document));
  g_action_group_change_action_state (actions, "tool", g_variant_new_string ("frame"));
  g_assert_cmpint (gesso_canvas_get_tool (f->canvas), ==, GESSO_TOOL_FRAME);
  guint n;
  const GessoCanvasKey *keys = gesso_canvas_keys (&n);
  for (guint i = 0; i < n; i++)
    if (keys[i].action)
      g_assert_true (g_action_group_has_action (actions, keys[i].action + strlen ("canvas.")));
  g_assert_cmpint (gtk_accessible_get_accessible_role (GTK_ACCESSIBLE (f->canvas)), ==,
                   GTK_ACCESSIBLE_ROLE_IMG);
}

static void
paint_counter_cb (GdkFrameClock *clock, int *n)
{
  ++*n;
}

static gboolean
flag_cb (gpointer flag)
{
  *(gboolean *) flag = TRUE;
  return G_SOURCE_REMOVE;
}

static void
test_canvas_idle_draws_nothing (Fixture *f, gconstpointer data)
{
  g_autoptr (GBytes) rgb = landscape (1216, 832);
  put (f, rgb, 1216, 832);
  g_autoptr (GdkTexture) complete = shoot (f, f->window);
  settle ();
  int n = 0;
  gboolean over = FALSE;
  gulong id = g_signal_connect (gtk_widget_get_frame_clock (f->window), "after-paint",
                                G_CALLBACK (paint_counter_cb), &n);
  g_timeout_add (600, flag_cb, &over);
  wait_until (is_set, &over);
  g_signal_handler_disconnect (gtk_widget_get_frame_clock (f->window), id);
  /* The frame that was under way when counting began. */
  g_assert_cmpint (n, <=, 2);
}

static int
count_widgets (GtkWidget *widget)
{
  int n = 1;
  for (GtkWidget *c = gtk_widget_get_first_child (widget); c; c = gtk_widget_get_next_sibling (c))
    n += count_widgets (c);
  return n;
}

static void
note_cb (GessoFilmstrip *strip, GessoResult *result, GessoResult **at)
{
  *at = result;
}

static void
shown_cb (GessoFilmstrip *strip, GessoResult *result, GHashTable *shown)
{
  g_assert_true (g_hash_table_add (shown, result));
}

static void
hidden_cb (GessoFilmstrip *strip, GessoResult *result, GHashTable *shown)
{
  g_assert_true (g_hash_table_remove (shown, result));
}

/* What holds a picture is what can be seen, wherever the strip is scrolled to. */
static void
test_canvas_filmstrip_shows_some (Fixture *f, gconstpointer data)
{
  GessoFilmstrip *strip = GESSO_FILMSTRIP (f->strip);
  GListModel *model = gesso_filmstrip_get_model (strip);
  g_autoptr (GHashTable) shown = g_hash_table_new (NULL, NULL);
  g_signal_connect (strip, "shown", G_CALLBACK (shown_cb), shown);
  g_signal_connect (strip, "hidden", G_CALLBACK (hidden_cb), shown);
  for (int i = 0; i < 500; i++)
    {
      g_autofree char *path = g_strdup_printf ("/nowhere/%d.png", i);
      g_autoptr (GessoResult) result = gesso_result_new (path, NULL, "Hills");
      gesso_filmstrip_add (strip, result);
    }
  g_autoptr (GessoResult) newest = g_list_model_get_item (model, 0);
  g_autoptr (GessoResult) middle = g_list_model_get_item (model, 250);
  gesso_filmstrip_set_selected (strip, newest);
  draw (f);
  g_assert_true (g_hash_table_contains (shown, newest));
  g_assert_false (g_hash_table_contains (shown, middle));
  g_assert_cmpuint (g_hash_table_size (shown), <, 250);
  gesso_filmstrip_set_selected (strip, middle);
  draw (f);
  g_assert_true (g_hash_table_contains (shown, middle));
  g_test_message ("tiles for 500 results: %u", g_hash_table_size (shown));
  g_assert_cmpuint (g_hash_table_size (shown), <, 250);
  gesso_filmstrip_clear (strip);
  draw (f);
  g_assert_cmpuint (g_hash_table_size (shown), ==, 0);
}

static void
test_canvas_filmstrip (Fixture *f, gconstpointer data)
{
  GessoFilmstrip *strip = GESSO_FILMSTRIP (f->strip);
  g_autoptr (GBytes) rgb = landscape (84, 84);
  g_autoptr (GdkTexture) thumb = gdk_memory_texture_new (84, 84, GDK_MEMORY_R8G8B8, rgb, 84 * 3);
  for (int i = 0; i < 500; i++)
    {
      g_autofree char *path = g_strdup_printf ("/nowhere/%d.png", i);
      g_autofree char *label = g_strdup_printf ("Hills %d", i);
      g_autoptr (GessoResult) result = gesso_result_new (path, GDK_PAINTABLE (thumb), label);
      gesso_filmstrip_add (strip, result);
    }
  g_assert_null (gesso_filmstrip_get_selected (strip));
  gesso_filmstrip_set_live (strip, GDK_PAINTABLE (thumb), 0.4, "Step 4 of 10");
  draw (f);
  g_test_message ("widgets for 500 results: %d", count_widgets (f->strip));
  g_assert_cmpint (count_widgets (f->strip), <, 2500);
  GListModel *model = gesso_filmstrip_get_model (strip);
  g_autoptr (GessoResult) newest = g_list_model_get_item (model, 1);
  g_assert_cmpstr (gesso_result_get_label (newest), ==, "Hills 499");
  gesso_filmstrip_set_selected (strip, newest);
  GessoResult *kept = NULL, *starred = NULL, *discarded = NULL;
  g_signal_connect (strip, "keep", G_CALLBACK (note_cb), &kept);
  g_signal_connect (strip, "star", G_CALLBACK (note_cb), &starred);
  g_signal_connect (strip, "discard", G_CALLBACK (note_cb), &discarded);
  gtk_widget_child_focus (f->strip, GTK_DIR_TAB_FORWARD);
  input ("xdotool key s key Delete sleep 0.05");
  g_assert_true (starred == newest);
  g_assert_true (discarded == newest);
  gesso_result_set_starred (newest, TRUE);
  gesso_result_set_kept (newest, TRUE);
  save (f, "canvas-filmstrip");
  /* Newer GTK (seen in 4.18) begins at the first item, the live one, wherever the selection is. */
  input ("xdotool key Right sleep 0.05 key Right sleep 0.05 key Return sleep 0.05");
  g_assert_nonnull (kept);
  g_assert_cmpint (gesso_filmstrip_remove (strip, newest), ==, 0);
  gesso_filmstrip_insert (strip, 0, newest);
  g_autoptr (GessoResult) again = g_list_model_get_item (model, 1);
  g_assert_true (again == newest);
  gesso_filmstrip_clear_live (strip);
  g_assert_cmpuint (g_list_model_get_n_items (model), ==, 500);
}

/* What one frame costs, by itself: snapshot and rendering of the canvas alone. */
static double
frame_ms (Fixture *f)
{
  GtkWidget *widget = GTK_WIDGET (f->canvas);
  GskRenderer *renderer = gtk_native_get_renderer (gtk_widget_get_native (widget));
  gint64 begin = g_get_monotonic_time ();
  GtkSnapshot *snapshot = gtk_snapshot_new ();
  GTK_WIDGET_GET_CLASS (widget)->snapshot (widget, snapshot);
  GskRenderNode *node = gtk_snapshot_free_to_node (snapshot);
  g_autoptr (GdkTexture) texture = gsk_renderer_render_texture (
      renderer, node,
      &GRAPHENE_RECT_INIT (0, 0, gtk_widget_get_width (widget), gtk_widget_get_height (widget)));
  gsk_render_node_unref (node);
  return (double) (g_get_monotonic_time () - begin) / 1000;
}

static int
compare_doubles (gconstpointer a, gconstpointer b)
{
  double d = *(const double *) a - *(const double *) b;
  return d < 0 ? -1 : d > 0;
}

static void
measure (Fixture *f, const char *name, void (*step) (Fixture *, int))
{
  enum
  {
    N = 60
  };
  double ms[N], own[N];
  for (int i = 0; i < N; i++)
    {
      gint64 begin = g_get_monotonic_time ();
      step (f, i);
      own[i] = (double) (g_get_monotonic_time () - begin) / 1000;
      ms[i] = frame_ms (f);
    }
  qsort (ms, N, sizeof *ms, compare_doubles);
  qsort (own, N, sizeof *own, compare_doubles);
  g_test_message ("%-28s frame p50 %6.2f  p95 %6.2f  max %6.2f ms; step p50 %.2f max %.2f ms", name,
                  ms[N / 2], ms[N * 95 / 100], ms[N - 1], own[N / 2], own[N - 1]);
}

static void
pan_step (Fixture *f, int i)
{
  gesso_canvas_pan (f->canvas, -37, -23);
}

static void
zoom_step (Fixture *f, int i)
{
  gesso_canvas_zoom_at (f->canvas, gesso_canvas_get_zoom (f->canvas) * 1.06, 400, 300);
}

static void
stroke_step (Fixture *f, int i)
{
  if (i == 0)
    gesso_canvas_stroke_begin (f->canvas, 3000, 3000, 1, FALSE);
  gesso_canvas_stroke_move (f->canvas, 3000 + i * 20, 3000 + 100 * sin (i * 0.3), 1);
}

static void
preview_step (Fixture *f, int i)
{
  g_autoptr (GBytes) rgb = flat_rgb (128, 128, (guint32) i * 1234567);
  gesso_canvas_set_preview (f->canvas, rgb, 128, 128, NULL);
}

static void
test_canvas_bench (Fixture *f, gconstpointer data)
{
  const int side = 8192;
  g_autoptr (GBytes) rgb = landscape (side, side);
  put (f, rgb, side, side);
  g_test_message ("canvas %d x %d, document %d x %d", gtk_widget_get_width (GTK_WIDGET (f->canvas)),
                  gtk_widget_get_height (GTK_WIDGET (f->canvas)), side, side);
  gesso_canvas_zoom_at (f->canvas, 1, 0, 0);
  gesso_canvas_pan (f->canvas, -500, -500);
  measure (f, "pan at 100 %", pan_step);
  gesso_canvas_zoom_at (f->canvas, 0.43, 0, 0);
  measure (f, "pan at 43 %", pan_step);
  gesso_canvas_fit (f->canvas);
  measure (f, "zoom from fit, 6 % a frame", zoom_step);
  gesso_canvas_zoom_at (f->canvas, 6, 400, 300);
  measure (f, "pan at 600 %", pan_step);
  gesso_canvas_zoom_at (f->canvas, 0.5, 400, 300);
  gesso_canvas_set_brush_radius (f->canvas, 120);
  gesso_canvas_set_tool (f->canvas, GESSO_TOOL_MASK);
  double x, y;
  gesso_canvas_to_widget (f->canvas, 3600, 3000, &x, &y);
  gesso_canvas_pan (f->canvas, 500 - x, 300 - y);
  measure (f, "stroke, radius 120, 50 %", stroke_step);
  gesso_canvas_stroke_end (f->canvas);
  gesso_canvas_fit (f->canvas);
  gesso_canvas_set_brush_radius (f->canvas, 400);
  measure (f, "stroke, radius 400, fit", stroke_step);
  gesso_canvas_stroke_end (f->canvas);
  measure (f, "preview 128 x 128 each frame", preview_step);
  gint64 begin = g_get_monotonic_time ();
  gesso_document_invert_mask (f->document);
  g_test_message ("invert mask %.1f ms", (double) (g_get_monotonic_time () - begin) / 1000);
  begin = g_get_monotonic_time ();
  g_autoptr (GBytes) draft = gesso_document_serialise (f->document);
  double first = (double) (g_get_monotonic_time () - begin) / 1000;
  begin = g_get_monotonic_time ();
  g_autoptr (GBytes) again = gesso_document_serialise (f->document);
  g_test_message ("draft (on a thread): first %.0f ms, unchanged %.0f ms, %.1f MiB", first,
                  (double) (g_get_monotonic_time () - begin) / 1000,
                  (double) g_bytes_get_size (draft) / 1048576);
  begin = g_get_monotonic_time ();
  g_autoptr (GessoState) copy = gesso_state_copy (gesso_document_peek_state (f->document));
  g_test_message ("copy of the state %.2f ms", (double) (g_get_monotonic_time () - begin) / 1000);
}

static GessoViewport
fitted (int side)
{
  GessoViewport view = { 1, 0, 0, 900, 700 };
  gesso_viewport_fit (&view, &(GessoRect){ 0, 0, side, side }, 64, 24);
  return view;
}

/* A picture of 128 px was a stamp in the middle. */
static void
test_canvas_fit_enlarges_small_pictures (void)
{
  g_assert_cmpfloat (fitted (64).zoom, ==, 4);
  g_assert_cmpfloat (fitted (128).zoom, ==, 4);
  g_assert_cmpfloat (fitted (256).zoom, ==, 2); /* 2.5 would make squares of two sizes */
  g_assert_cmpfloat_with_epsilon (fitted (512).zoom, 652 / 512.0, 1e-9);
  g_assert_cmpfloat_with_epsilon (fitted (1304).zoom, 0.5, 1e-9);
  g_assert_cmpfloat (fitted (128).x, ==, (900 - 512) / 2);
}

int
main (int argc, char **argv)
{
  gtk_test_init (&argc, &argv, NULL);
  adw_init ();
  g_log_set_always_fatal (G_LOG_LEVEL_CRITICAL | G_LOG_LEVEL_ERROR);
  drag_source = argc > 1 ? argv[1] : NULL;
#define TEST(path, name)                                                                           \
  g_test_add ("/canvas/" path, Fixture, NULL, set_up, test_canvas_##name, tear_down)
  TEST ("empty/invites", empty_invites);
  g_test_add_func ("/canvas/zoom/fit-enlarges-small-pictures",
                   test_canvas_fit_enlarges_small_pictures);
  TEST ("zoom/keeps-the-point", zoom_keeps_the_point);
  TEST ("zoom/wheel-at-the-pointer", wheel_zooms_at_the_pointer);
  TEST ("zoom/actual-size-is-exact", actual_size_is_exact);
  TEST ("pan/middle-drag-and-space", middle_drag_pans);
  TEST ("mask/with-the-mouse", paints_with_the_mouse);
  TEST ("keyboard/alone", by_keyboard_alone);
  TEST ("frame/by-mouse", frame_by_mouse);
  TEST ("preview/and-result", preview_and_result);
  TEST ("result/comes-without-the-mask", result_comes_without_the_mask);
  TEST ("clear/by-hand", is_cleared_by_hand);
  TEST ("brush/fits-a-small-picture", brush_fits_a_small_picture);
  TEST ("compare/before-and-after", compares);
  TEST ("drop/from-another-process", takes_a_drop);
  TEST ("paste/texture", pastes);
  TEST ("actions/say-what-is-possible", actions_say_what_is_possible);
  TEST ("idle/draws-nothing", idle_draws_nothing);
  TEST ("filmstrip/five-hundred", filmstrip);
  TEST ("filmstrip/shows-some", filmstrip_shows_some);
  if (g_test_perf ())
    TEST ("bench/8k", bench);
#undef TEST
  return g_test_run ();
}
