/* SPDX-License-Identifier: MPL-2.0
 * bench-gallery.c - 10,000 pictures: how scrolling and searching feel, and what they cost.
 *
 * tests/ui/xvfb.sh build/tests/ui/bench-gallery [N] [--json] [--only
 * scroll|jump|search|select|idle]. Frame times are those of the main thread between two frames of a
 * scroll by 40 px a frame; "blocked" is the longest time that one turn of the main loop took,
 * "worked" the processor time of the turns, which a busy machine does not lengthen.
 */
#include <adwaita.h>
#include <glib/gstdio.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "app/gallery/gesso-gallery-private.h"
#include "media/png.h"

enum
{
  WIDTH = 128, /* px */
  HEIGHT = 96,
  SCROLL_FRAMES = 600,
  SCROLL_STEP = 40, /* px */
  JUMPS = 20
};

typedef struct
{
  GtkWidget *page, *window;
  GessoGalleryPage *self;
  GessoLibrary *library;
  GArray *times, *worked; /* double, ms; of what is measured, and of each turn meanwhile */
  int n_frames;
  double blocked_ms;
  gboolean json;
} Bench;

static double
now_ms (void)
{
  return (double) g_get_monotonic_time () / 1000;
}

static double
cpu_ms (void)
{
  struct timespec cpu;
  clock_gettime (CLOCK_THREAD_CPUTIME_ID, &cpu);
  return (double) cpu.tv_sec * 1000 + (double) cpu.tv_nsec / 1e6;
}

static gint64
rss_kib (void)
{
  long pages = 0;
  FILE *file = fopen ("/proc/self/statm", "r");
  if (!file || fscanf (file, "%*s %ld", &pages) != 1)
    pages = 0;
  if (file)
    fclose (file);
  return (gint64) pages * sysconf (_SC_PAGESIZE) / 1024;
}

static void
note_work (Bench *b, double since_ms)
{
  double took = cpu_ms () - since_ms;
  g_array_append_val (b->worked, took);
}

/* One turn of the main loop, its work timed without the waiting. */
static void
turn (Bench *b)
{
  GMainContext *context = g_main_context_default ();
  if (!g_main_context_pending (context))
    {
      g_usleep (500);
      return;
    }
  double begin = now_ms (), cpu = cpu_ms ();
  g_main_context_iteration (context, FALSE);
  b->blocked_ms = MAX (b->blocked_ms, now_ms () - begin);
  note_work (b, cpu);
}

static void
turn_for (Bench *b, double duration_ms)
{
  for (double end = now_ms () + duration_ms; now_ms () < end;)
    turn (b);
}

static int
compare_doubles (gconstpointer a, gconstpointer b)
{
  return *(const double *) a < *(const double *) b ? -1 : *(const double *) a > *(const double *) b;
}

static double
percentile (GArray *times, double p)
{
  g_array_sort (times, compare_doubles);
  return times->len ? g_array_index (times, double, (guint) (p * (times->len - 1))) : 0;
}

static void
report (Bench *b, const char *what)
{
  printf (b->json ? "{\"bench\": \"gallery\", \"what\": \"%s\", \"p50_ms\": %.1f, \"p99_ms\": "
                    "%.1f, \"max_ms\": %.1f, \"blocked_ms\": %.1f, \"worked_p50_ms\": %.2f, "
                    "\"worked_p99_ms\": %.1f, \"worked_ms\": %.1f, \"rss_mib\": %.0f}\n"
                  : "  %-24s p50 %7.1f ms   p99 %7.1f ms   max %7.1f ms   blocked %6.1f ms   "
                    "worked p50 %5.2f p99 %5.1f max %5.1f ms   RSS %4.0f MiB\n",
          what, percentile (b->times, 0.5), percentile (b->times, 0.99), percentile (b->times, 1),
          b->blocked_ms, percentile (b->worked, 0.5), percentile (b->worked, 0.99),
          percentile (b->worked, 1), (double) rss_kib () / 1024);
  fflush (stdout);
  g_array_set_size (b->times, 0);
  g_array_set_size (b->worked, 0);
  b->blocked_ms = 0;
}

static void
write_pictures (const char *folder, int n)
{
  static const char *const words[] = { "hills", "harbour", "fox",     "storm",
                                       "city",  "forest",  "portrait" };
  Image image = { WIDTH, HEIGHT, g_malloc (WIDTH * HEIGHT * 3) };
  for (int i = 0; i < n; i++)
    {
      for (int p = 0; p < WIDTH * HEIGHT * 3; p++)
        image.rgb[p] = (uint8_t) (p / (WIDTH * 3) * 2 + i * 7 + p % 3 * 40);
      g_autofree char *name = g_strdup_printf ("%s/bench-%05d.png", folder, i);
      g_autofree char *text = g_strdup_printf (
          "a %s, number %d\nSteps: 20, Sampler: Euler a, CFG scale: 7, Seed: %d, Size: 512x512",
          words[i % 7], i, i);
      PngText recipe = { "parameters", text };
      PngOptions options = { .texts = &recipe, .n_texts = 1 };
      Status status = { 0 };
      if (!png_write_file (name, &image, &options, &status))
        g_error ("%s", status.message);
    }
  g_free (image.rgb);
}

static gboolean
is_busy (Bench *b)
{
  gboolean loading, scanning;
  g_object_get (b->self->list, "loading", &loading, NULL);
  g_object_get (b->library, "scanning", &scanning, NULL);
  return loading || scanning;
}

static gboolean
tick_cb (GtkWidget *widget, GdkFrameClock *clock, gpointer user_data)
{
  static double last;
  Bench *b = user_data;
  double now = now_ms (), took = now - last;
  if (b->n_frames > 0)
    g_array_append_val (b->times, took);
  last = now;
  GtkAdjustment *adjustment =
      gesso_gallery_grid_get_adjustment (GESSO_GALLERY_GRID (b->self->grid));
  gtk_adjustment_set_value (adjustment, gtk_adjustment_get_value (adjustment) + SCROLL_STEP);
  return ++b->n_frames < SCROLL_FRAMES ? G_SOURCE_CONTINUE : G_SOURCE_REMOVE;
}

static void
bench_scroll (Bench *b)
{
  gtk_widget_add_tick_callback (b->page, tick_cb, b, NULL);
  while (b->n_frames < SCROLL_FRAMES)
    turn (b);
  report (b, "scroll, 40 px a frame");
}

static void
painted_cb (GdkFrameClock *clock, gboolean *painted)
{
  *painted = TRUE;
}

static void
bench_jumps (Bench *b)
{
  GtkAdjustment *adjustment =
      gesso_gallery_grid_get_adjustment (GESSO_GALLERY_GRID (b->self->grid));
  GdkFrameClock *clock = gtk_widget_get_frame_clock (b->window);
  gboolean painted = FALSE;
  gulong id = g_signal_connect (clock, "after-paint", G_CALLBACK (painted_cb), &painted);
  for (int i = 0; i < JUMPS; i++)
    {
      double begin = now_ms ();
      painted = FALSE;
      double cpu = cpu_ms ();
      gtk_adjustment_set_value (adjustment,
                                gtk_adjustment_get_upper (adjustment) * ((i * 7) % JUMPS) / JUMPS);
      note_work (b, cpu);
      while (!painted)
        turn (b);
      double took = now_ms () - begin;
      g_array_append_val (b->times, took);
      turn_for (b, 300); /* its thumbnails come */
    }
  g_signal_handler_disconnect (clock, id);
  report (b, "jump to a far place");
}

/* As typed: "storm 12", a letter at a time; until the grid shows the answer. */
static void
bench_search (Bench *b)
{
  static const char typed[] = "storm 12";
  for (gsize n = 1; n < sizeof typed; n++)
    {
      g_autofree char *text = g_strndup (typed, n);
      double begin = now_ms ();
      gesso_picture_list_set_search (b->self->list, text);
      while (is_busy (b))
        turn (b);
      double took = now_ms () - begin;
      g_array_append_val (b->times, took);
      turn_for (b, 200);
    }
  report (b, "search, each letter");
  double begin = now_ms ();
  gesso_picture_list_set_search (b->self->list, "");
  while (is_busy (b))
    turn (b);
  double took = now_ms () - begin;
  g_array_append_val (b->times, took);
  turn_for (b, 300); /* it is painted */
  report (b, "search cleared");
}

static void
bench_select (Bench *b)
{
  gtk_widget_activate_action (b->page, "gallery.select-all", NULL);
  turn_for (b, 200);
  double took = b->blocked_ms;
  g_array_append_val (b->times, took);
  report (b, "select all");
}

static void
bench_idle (Bench *b)
{
  struct rusage before, after;
  turn_for (b, 2000);
  getrusage (RUSAGE_SELF, &before);
  for (double end = now_ms () + 5000; now_ms () < end;)
    if (!g_main_context_iteration (NULL, FALSE))
      g_usleep (20000);
  getrusage (RUSAGE_SELF, &after);
  double cpu = (double) (after.ru_utime.tv_sec - before.ru_utime.tv_sec + after.ru_stime.tv_sec -
                         before.ru_stime.tv_sec) +
               (double) (after.ru_utime.tv_usec - before.ru_utime.tv_usec + after.ru_stime.tv_usec -
                         before.ru_stime.tv_usec) /
                   1e6;
  if (b->json)
    printf ("{\"bench\": \"gallery\", \"what\": \"idle\", \"cpu_percent\": %.2f, \"peak_rss_mib\": "
            "%.0f}\n",
            cpu / 5 * 100, (double) after.ru_maxrss / 1024);
  else
    printf (
        "  idle %.2f %% of a core, polled 50 times a second by this program; peak RSS %.0f MiB\n",
        cpu / 5 * 100, (double) after.ru_maxrss / 1024);
}

static void
open_window (Bench *b, const char *dir)
{
  g_autofree char *database = g_build_filename (dir, "library.db", NULL);
  g_autofree char *cache = g_build_filename (dir, "cache", NULL);
  g_autoptr (GError) error = NULL;
  b->library = gesso_library_new (database, cache, NULL, &error);
  if (!b->library)
    g_error ("%s", error->message);
  b->page = gesso_gallery_page_new (NULL, b->library);
  b->self = GESSO_GALLERY_PAGE (b->page);
  b->window = adw_window_new ();
  gtk_window_set_default_size (GTK_WINDOW (b->window), 1200, 850);
  adw_window_set_content (ADW_WINDOW (b->window), b->page);
  gtk_window_present (GTK_WINDOW (b->window));
  turn_for (b, 1000); /* styles and fonts are read for the first time: no work of a scan */
  report (b, "window opened");
}

static const struct
{
  const char *name;
  void (*run) (Bench *b);
} parts[] = {
  { "scroll", bench_scroll }, { "jump", bench_jumps }, { "search", bench_search },
  { "select", bench_select }, { "idle", bench_idle },
};

int
main (int argc, char **argv)
{
  int n = 10000;
  const char *only = NULL;
  Bench b = { .times = g_array_new (FALSE, FALSE, sizeof (double)),
              .worked = g_array_new (FALSE, FALSE, sizeof (double)) };
  for (int i = 1; i < argc; i++)
    if (strcmp (argv[i], "--json") == 0)
      b.json = TRUE;
    else if (strcmp (argv[i], "--only") == 0 && i + 1 < argc)
      only = argv[++i];
    else
      n = atoi (argv[i]);
  gtk_init ();
  adw_init ();
  g_autofree char *dir = g_dir_make_tmp ("gesso-bench-XXXXXX", NULL);
  g_autofree char *pictures = g_build_filename (dir, "pictures", NULL);
  g_mkdir (pictures, 0700);
  write_pictures (pictures, n);
  open_window (&b, dir);
  double begin = now_ms ();
  gesso_library_add_pictures_folder (b.library, pictures);
  while (is_busy (&b) || g_list_model_get_n_items (G_LIST_MODEL (b.self->list)) < (guint) n)
    turn (&b);
  double took = now_ms () - begin;
  g_array_append_val (b.times, took);
  turn_for (&b, 300);
  report (&b, "first scan");
  for (gsize i = 0; i < G_N_ELEMENTS (parts); i++)
    if (!only || strcmp (only, parts[i].name) == 0)
      parts[i].run (&b);
  gtk_window_destroy (GTK_WINDOW (b.window));
  gesso_library_close (b.library);
  g_object_unref (b.library);
  g_array_unref (b.times);
  g_array_unref (b.worked);
  const char *arguments[] = { "rm", "-rf", dir, NULL };
  g_spawn_sync (NULL, (char **) arguments, NULL, G_SPAWN_SEARCH_PATH, NULL, NULL, NULL, NULL, NULL,
                NULL);
  return 0;
}
