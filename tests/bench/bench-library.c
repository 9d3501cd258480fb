/* SPDX-License-Identifier: MPL-2.0
 * bench-library.c - a gallery of many pictures: opening, searching while typing, scrolling,
 * scanning.
 *
 * Usage: bench-library [N_PICTURES].  Prints one JSON object.  The pictures are links to one file,
 * their prompts are drawn from a list of words; longest_turn_ms is the longest time that one turn
 * of the main loop took while all this went on: what a window would have felt.
 */
#include <glib/gstdio.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

#include "library/gesso-index.h"
#include "library/gesso-library-private.h"
#include "library/gesso-schema.h"
#include "library/gesso-walk.h"
#include "media/png.h"

enum
{
  DEFAULT_PICTURES = 25000,
  WORDS_IN_PROMPT = 40,
  N_SCROLLS = 50
};

static const char *const words[] = {
  "sunset",      "portrait", "forest",   "castle",    "robot",    "dragon",    "ocean",
  "mountain",    "city",     "neon",     "cat",       "dog",      "fox",       "woman",
  "man",         "child",    "painting", "oil",       "photo",    "realistic", "anime",
  "sketch",      "ink",      "detailed", "intricate", "lighting", "cinematic", "volumetric",
  "masterpiece", "quality",  "sharp",    "focus",     "bokeh",    "golden",    "hour",
  "blue",        "red",      "green",    "violet",    "snow",     "rain",      "storm",
  "desert",      "river",    "bridge",   "train",     "ship",     "space",     "galaxy",
  "planet",      "knight",   "armor",    "sword",     "magic",    "fire",      "water",
  "stone",       "glass",    "crystal",  "flower",    "garden",   "autumn",    "winter",
  "spring",
};

typedef struct
{
  char *dir, *pictures, *db;
  int n;
  GessoIdentity identity;
} World;

static double
ms_since (gint64 start_us)
{
  return (double) (g_get_monotonic_time () - start_us) / 1000;
}

static double longest_turn_ms;

/* One turn of the main loop; waiting for something to happen does not count. */
static void
turn (void)
{
  static GPollFunc poll_func;
  GMainContext *context = g_main_context_default ();
  gint priority, timeout_ms;
  GPollFD fds[64];
  if (!poll_func)
    poll_func = g_main_context_get_poll_func (context);
  g_main_context_acquire (context);
  g_main_context_prepare (context, &priority);
  gint n = g_main_context_query (context, priority, &timeout_ms, fds, G_N_ELEMENTS (fds));
  poll_func (fds, (guint) n, timeout_ms < 0 ? 100 : timeout_ms);
  gint64 start_us = g_get_monotonic_time ();
  if (g_main_context_check (context, priority, fds, n))
    g_main_context_dispatch (context);
  longest_turn_ms = MAX (longest_turn_ms, ms_since (start_us));
  g_main_context_release (context);
}

static void
make_files (World *w)
{
  Status status = { 0 };
  g_autofree guint8 *rgb = g_malloc0 (8 * 8 * 3);
  Image image = { 8, 8, rgb };
  w->dir = g_dir_make_tmp ("gesso-bench-XXXXXX", NULL);
  w->pictures = g_build_filename (w->dir, "pictures", NULL);
  w->db = g_build_filename (w->dir, "library.db", NULL);
  g_autofree char *first = g_build_filename (w->dir, "first.png", NULL);
  g_mkdir (w->pictures, 0700);
  if (!png_write_file (first, &image, NULL, &status))
    g_error ("%s", status.message);
  for (int i = 0; i < w->n; i++)
    {
      g_autofree char *path = g_strdup_printf ("%s/picture-%05d.png", w->pictures, i);
      if (link (first, path) != 0)
        g_error ("%s cannot be linked", path);
    }
  gesso_walk_identify (first, &w->identity);
}

static char *
dup_prompt (GRand *random)
{
  GString *prompt = g_string_new (NULL);
  for (int k = 0; k < WORDS_IN_PROMPT; k++)
    g_string_append_printf (prompt, "%s%s", k ? ", " : "",
                            words[g_rand_int_range (random, 0, G_N_ELEMENTS (words))]);
  return g_string_free (prompt, FALSE);
}

static gboolean
put_rows (sqlite3 *db, gpointer data, GError **error)
{
  World *w = data;
  g_autoptr (GRand) random = g_rand_new_with_seed (1);
  for (int i = 0; i < w->n; i++)
    {
      g_autoptr (GessoEntry) entry = g_new0 (GessoEntry, 1);
      entry->path = g_strdup_printf ("%s/picture-%05d.png", w->pictures, i);
      entry->name = g_strdup_printf ("picture-%05d.png", i);
      entry->kind = GESSO_FILE_PICTURE;
      entry->identity = w->identity;
      entry->picture.width = entry->picture.height = 8;
      entry->picture.prompt = dup_prompt (random);
      entry->picture.negative = g_strdup ("blurry, low quality, watermark");
      entry->picture.model = g_strdup (i % 2 ? "juggernaut" : "dreamshaper");
      if (!gesso_index_put (db, entry, error))
        return FALSE;
    }
  return TRUE;
}

static void
make_index (World *w)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (GessoDatabase) db = gesso_database_new (
      w->db, GESSO_DATABASE_FAST, gesso_schema_migrations, gesso_schema_version, &error);
  if (!db || !gesso_database_run (db, TRUE, put_rows, w, &error))
    g_error ("%s", error->message);
}

static gboolean
is_loading (GessoPictureList *list)
{
  gboolean loading;
  g_object_get (list, "loading", &loading, NULL);
  return loading;
}

static gboolean
is_filled (GListModel *list, guint position)
{
  g_autoptr (GessoPicture) picture = g_list_model_get_item (list, position);
  return !picture || *gesso_picture_get_path (picture) != '\0';
}

static int
compare (gconstpointer a, gconstpointer b)
{
  double x = *(const double *) a, y = *(const double *) b;
  return x < y ? -1 : x > y;
}

static void
print_times (const char *name, GArray *times)
{
  g_array_sort (times, compare);
  printf (", \"%s\": {\"n\": %u, \"p50\": %.2f, \"p99\": %.2f, \"max\": %.2f}", name, times->len,
          g_array_index (times, double, times->len / 2),
          g_array_index (times, double, times->len * 99 / 100),
          g_array_index (times, double, times->len - 1));
}

/* From the key press to the first row with all it shows. */
static void
bench_typing (GessoPictureList *list)
{
  g_autoptr (GArray) times = g_array_new (FALSE, FALSE, sizeof (double));
  for (guint i = 0; i < G_N_ELEMENTS (words); i++)
    {
      g_autofree char *text = g_strconcat (words[i], " ", words[(i * 7 + 3) % 64], NULL);
      for (gsize n = 1; n <= strlen (text); n++)
        {
          g_autofree char *typed = g_strndup (text, n);
          gint64 start_us = g_get_monotonic_time ();
          gesso_picture_list_set_search (list, typed);
          while (is_loading (list) || !is_filled (G_LIST_MODEL (list), 0))
            turn ();
          double ms = ms_since (start_us);
          g_array_append_val (times, ms);
        }
    }
  gesso_picture_list_set_search (list, "");
  while (is_loading (list))
    turn ();
  print_times ("typing_ms", times);
}

static void
bench_scrolling (GessoPictureList *list)
{
  g_autoptr (GArray) times = g_array_new (FALSE, FALSE, sizeof (double));
  guint n = g_list_model_get_n_items (G_LIST_MODEL (list));
  for (guint i = 0; i < N_SCROLLS; i++)
    {
      guint position = (guint) ((guint64) n * (i * 29 % N_SCROLLS) / N_SCROLLS);
      gint64 start_us = g_get_monotonic_time ();
      while (!is_filled (G_LIST_MODEL (list), position))
        turn ();
      double ms = ms_since (start_us);
      g_array_append_val (times, ms);
    }
  print_times ("jump_ms", times);
}

static void
settle (GessoLibrary *library)
{
  while (gesso_library_is_busy (library))
    turn ();
}

static void
run (World *w)
{
  g_autoptr (GError) error = NULL;
  gint64 start_us = g_get_monotonic_time ();
  GessoLibrary *library = gesso_library_new (w->db, w->dir, NULL, &error);
  if (!library)
    g_error ("%s", error->message);
  printf ("{\"bench\": \"library\", \"pictures\": %d, \"open_ms\": %.2f", w->n,
          ms_since (start_us));
  start_us = g_get_monotonic_time ();
  GessoPictureList *list = gesso_picture_list_new (library);
  while (g_list_model_get_n_items (G_LIST_MODEL (list)) == 0)
    turn ();
  printf (", \"first_rows_ms\": %.2f", ms_since (start_us));
  start_us = g_get_monotonic_time ();
  gesso_library_add_pictures_folder (library, w->pictures);
  gesso_database_flush (library->writer); /* the folder is noted; its scan follows */
  turn ();
  settle (library);
  printf (", \"scan_unchanged_ms\": %.2f", ms_since (start_us));
  bench_typing (list);
  bench_scrolling (list);
  start_us = g_get_monotonic_time ();
  gesso_library_rescan (library);
  settle (library);
  printf (", \"rescan_ms\": %.2f", ms_since (start_us));
  struct rusage usage;
  getrusage (RUSAGE_SELF, &usage);
  printf (", \"longest_turn_ms\": %.2f, \"max_rss_mib\": %.1f}\n", longest_turn_ms,
          (double) usage.ru_maxrss / 1024);
  g_object_unref (list);
  gesso_library_close (library);
  g_object_unref (library);
}

static void
remove_tree (const char *path)
{
  g_autoptr (GDir) dir = g_dir_open (path, 0, NULL);
  const char *name;
  while (dir && (name = g_dir_read_name (dir)))
    {
      g_autofree char *child = g_build_filename (path, name, NULL);
      remove_tree (child);
    }
  g_remove (path);
}

int
main (int argc, char **argv)
{
  World w = { .n = argc > 1 ? atoi (argv[1]) : DEFAULT_PICTURES };
  if (w.n < 1)
    {
      g_printerr ("Usage: bench-library [N_PICTURES]\n");
      return 2;
    }
  make_files (&w);
  make_index (&w);
  run (&w);
  remove_tree (w.dir);
  g_free (w.dir);
  g_free (w.pictures);
  g_free (w.db);
  return 0;
}
