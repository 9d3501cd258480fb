/* SPDX-License-Identifier: MPL-2.0
 * gesso-walk.c - reads folders, decides by name what is worth opening.
 */
#include "library/gesso-walk.h"

#include <glib/gstdio.h>
#include <string.h>
#include <sys/stat.h>

#include "weights/folder-wan.h"

enum
{
  MAX_DEPTH = 24,
  MODEL_FOLDER_DEPTH = 3,
  NS_PER_SECOND = 1000000000
};

static const char *const model_suffixes[] = { ".safetensors", ".sft", ".ckpt", ".pt",
                                              ".pth",         ".bin", ".gguf" };
static const char *const picture_suffixes[] = {
  ".png", ".jpg", ".jpeg", ".webp", ".gclip", ".gif"
};
static const char *const thumbnail_suffixes[] = { ".preview.png",  ".preview.jpg", ".preview.jpeg",
                                                  ".preview.webp", ".png",         ".jpg",
                                                  ".jpeg",         ".webp" };

static const char *
find_suffix (const char *name, const char *const *suffixes, guint n)
{
  gsize length = strlen (name);
  for (guint i = 0; i < n; i++)
    {
      gsize m = strlen (suffixes[i]);
      if (length > m && g_ascii_strcasecmp (name + length - m, suffixes[i]) == 0)
        return name + length - m;
    }
  return NULL;
}

static const char *
model_suffix (const char *name)
{
  return find_suffix (name, model_suffixes, G_N_ELEMENTS (model_suffixes));
}

gboolean
gesso_walk_is_picture (const char *name)
{
  return find_suffix (name, picture_suffixes, G_N_ELEMENTS (picture_suffixes)) != NULL;
}

static void
set_identity (GessoIdentity *identity, const struct stat *info)
{
  identity->size_bytes = info->st_size;
  identity->mtime_ns = (gint64) info->st_mtim.tv_sec * NS_PER_SECOND + info->st_mtim.tv_nsec;
  identity->inode = info->st_ino;
}

static void
add_up (GessoIdentity *sum, const char *dir, int depth)
{
  g_autoptr (GDir) d = g_dir_open (dir, 0, NULL);
  const char *name;
  while (d && (name = g_dir_read_name (d)))
    {
      struct stat info;
      GessoIdentity one;
      g_autofree char *path = g_build_filename (dir, name, NULL);
      if (name[0] == '.' || stat (path, &info) != 0)
        continue;
      if (S_ISDIR (info.st_mode) && depth > 1)
        add_up (sum, path, depth - 1);
      else if (S_ISREG (info.st_mode))
        {
          set_identity (&one, &info);
          sum->size_bytes += one.size_bytes;
          sum->mtime_ns = MAX (sum->mtime_ns, one.mtime_ns);
        }
    }
}

gboolean
gesso_walk_identify (const char *path, GessoIdentity *identity)
{
  struct stat info;
  if (stat (path, &info) != 0)
    return FALSE;
  set_identity (identity, &info);
  if (!S_ISDIR (info.st_mode))
    return S_ISREG (info.st_mode);
  identity->size_bytes = 0;
  identity->mtime_ns = 0;
  add_up (identity, path, MODEL_FOLDER_DEPTH);
  return TRUE;
}

static gboolean
is_model_folder (const char *path)
{
  g_autofree char *index = g_build_filename (path, "model_index.json", NULL);
  return g_file_test (index, G_FILE_TEST_IS_REGULAR) || folder_is_wan (path);
}

/* Hugging Face's cache: ".../models--org--name/snapshots/0123abc" */
static char *
dup_cache_name (const char *path)
{
  const char *models = strstr (path, "/models--"), *snapshots = strstr (path, "/snapshots/");
  if (!models || !snapshots || snapshots < models)
    return NULL;
  g_autofree char *entry = g_strndup (models + 1, (gsize) (snapshots - models - 1));
  char *name = g_strrstr (entry, "--");
  return g_filename_display_name (name ? name + 2 : entry);
}

char *
gesso_walk_dup_model_name (const char *path)
{
  g_return_val_if_fail (path != NULL, NULL);
  static const char *const shared[] = { "diffusion_pytorch_model", "model", "pytorch_model" };
  char *cached = dup_cache_name (path);
  if (cached)
    return cached;
  g_autofree char *base = g_path_get_basename (path);
  const char *suffix = model_suffix (base);
  g_autofree char *stem = suffix ? g_strndup (base, (gsize) (suffix - base)) : g_strdup (base);
  char *shard = strstr (stem, "-00001-of-");
  if (shard)
    *shard = '\0';
  for (guint i = 0; i < G_N_ELEMENTS (shared); i++)
    if (suffix && (g_str_equal (stem, shared[i]) ||
                   (g_str_has_prefix (stem, shared[i]) && stem[strlen (shared[i])] == '.')))
      {
        g_autofree char *dir = g_path_get_dirname (path);
        g_autofree char *parent = g_path_get_basename (dir);
        return g_filename_display_name (parent);
      }
  return g_filename_display_name (stem);
}

void
gesso_walk_init (GessoWalk *walk)
{
  walk->folders = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);
  walk->sub_folders = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);
  walk->unreadable = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);
  walk->visited = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);
}

void
gesso_walk_clear (GessoWalk *walk)
{
  g_clear_pointer (&walk->folders, g_hash_table_unref);
  g_clear_pointer (&walk->sub_folders, g_hash_table_unref);
  g_clear_pointer (&walk->unreadable, g_hash_table_unref);
  g_clear_pointer (&walk->visited, g_hash_table_unref);
}

static char *
dup_thumbnail (const char *dir, const char *name, GHashTable *names)
{
  const char *suffix = model_suffix (name);
  g_autofree char *stem = g_strndup (name, suffix ? (gsize) (suffix - name) : strlen (name));
  for (guint i = 0; i < G_N_ELEMENTS (thumbnail_suffixes); i++)
    {
      g_autofree char *candidate = g_strconcat (stem, thumbnail_suffixes[i], NULL);
      if (g_hash_table_contains (names, candidate))
        return g_build_filename (dir, candidate, NULL);
    }
  return g_strdup ("");
}

/* The second and later shards of a model are part of the first. */
static gboolean
is_later_shard (const char *name)
{
  const char *of = strstr (name, "-of-");
  const int n_digits = 5;
  return of && of - name > n_digits && of[-n_digits - 1] == '-' && g_ascii_isdigit (of[-1]) &&
         strncmp (of - n_digits, "00001", (gsize) n_digits) != 0;
}

static void
report (GessoWalk *walk, const char *dir, const char *name, const char *path, GHashTable *names)
{
  GessoFound found = { .path = path, .hint = walk->hint, .is_picture = walk->pictures };
  if (walk->pictures ? !gesso_walk_is_picture (name)
                     : !is_model_folder (path) && (!model_suffix (name) || is_later_shard (name)))
    return;
  if (!gesso_walk_identify (path, &found.identity))
    return; /* it went while we looked */
  g_autofree char *thumbnail = walk->pictures ? NULL : dup_thumbnail (dir, name, names);
  found.thumbnail = thumbnail ? thumbnail : "";
  walk->found (&found, walk->data);
}

/* Returns: FALSE when this folder was walked already */
static gboolean
visit (GessoWalk *walk, const struct stat *info)
{
  char *key = g_strdup_printf ("%" G_GUINT64_FORMAT ":%" G_GUINT64_FORMAT, (guint64) info->st_dev,
                               (guint64) info->st_ino);
  return g_hash_table_add (walk->visited, key);
}

static GHashTable *
read_names (const char *path)
{
  g_autoptr (GDir) dir = g_dir_open (path, 0, NULL);
  const char *name;
  if (!dir)
    return NULL;
  GHashTable *names = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);
  while ((name = g_dir_read_name (dir)))
    if (name[0] != '.')
      g_hash_table_add (names, g_strdup (name));
  return names;
}

static int
compare_names (gconstpointer a, gconstpointer b)
{
  return strcmp (*(const char *const *) a, *(const char *const *) b);
}

static gboolean
walk_folder (GessoWalk *walk, const char *path, int depth)
{
  struct stat info;
  if (stat (path, &info) != 0 || !S_ISDIR (info.st_mode))
    return FALSE;
  if (!visit (walk, &info))
    return TRUE;
  g_autoptr (GHashTable) names = read_names (path);
  if (!names)
    {
      g_hash_table_add (walk->unreadable, g_strdup (path));
      return FALSE;
    }
  g_hash_table_add (walk->folders, g_strdup (path));
  guint n = 0;
  g_autofree char **sorted = (char **) g_hash_table_get_keys_as_array (names, &n);
  if (n > 0)
    qsort (sorted, n, sizeof *sorted, compare_names);
  for (guint i = 0; i < n; i++)
    {
      g_autofree char *child = g_build_filename (path, sorted[i], NULL);
      g_atomic_int_inc (walk->n_steps);
      if (g_cancellable_is_cancelled (walk->cancellable))
        return FALSE;
      if (!g_file_test (child, G_FILE_TEST_IS_DIR) || (!walk->pictures && is_model_folder (child)))
        {
          report (walk, path, sorted[i], child, names);
          continue;
        }
      g_hash_table_add (walk->sub_folders, g_strdup (child));
      if (depth < MAX_DEPTH && (walk->recursive || walk->is_new (child, walk->data)))
        walk_folder (walk, child, depth + 1);
    }
  return TRUE;
}

/* A link back to a folder that this one lies in is no new folder, however long its name has grown:
 * walks that begin inside a tree would follow it once more each time. */
static void
visit_parents (GessoWalk *walk, const char *path)
{
  struct stat info;
  for (g_autofree char *dir = g_path_get_dirname (path); dir[1] != '\0';)
    {
      if (stat (dir, &info) == 0)
        visit (walk, &info);
      char *parent = g_path_get_dirname (dir);
      g_free (dir);
      dir = parent;
    }
}

gboolean
gesso_walk_folder (GessoWalk *walk, const char *path)
{
  g_return_val_if_fail (walk->folders != NULL && walk->found != NULL, FALSE);
  visit_parents (walk, path);
  if (walk->pictures || !is_model_folder (path))
    return walk_folder (walk, path, 0) && !g_cancellable_is_cancelled (walk->cancellable);
  /* the user named a model folder itself */
  g_autofree char *dir = g_path_get_dirname (path);
  g_autofree char *name = g_path_get_basename (path);
  g_autoptr (GHashTable) none = g_hash_table_new (g_str_hash, g_str_equal);
  g_hash_table_add (walk->folders, g_strdup (path));
  report (walk, dir, name, path, none);
  return TRUE;
}
