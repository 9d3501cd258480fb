/* SPDX-License-Identifier: MPL-2.0
 * gesso-model-list.c - keeps the objects of files that did not change.
 */
#include "library/gesso-model-list.h"

#include <string.h>

#include "library/gesso-list-diff.h"

enum
{
  MIN_HASH_DIGITS = 8 /* A1111's oldest hashes have as many */
};

struct _GessoModelList
{
  GObject parent_instance;
  GArray *items;     /* GessoModelFile* as guint64 */
  GPtrArray *owners; /* their references */
};

static void list_model_init (GListModelInterface *iface);

G_DEFINE_FINAL_TYPE_WITH_CODE (GessoModelList,
                               gesso_model_list,
                               G_TYPE_OBJECT,
                               G_IMPLEMENT_INTERFACE (G_TYPE_LIST_MODEL, list_model_init))

static GessoModelFile *
file_at (GessoModelList *self, guint i)
{
  return GSIZE_TO_POINTER ((gsize) g_array_index (self->items, guint64, i));
}

static GType
get_item_type (GListModel *model)
{
  return GESSO_TYPE_MODEL_FILE;
}

static guint
get_n_items (GListModel *model)
{
  return GESSO_MODEL_LIST (model)->items->len;
}

static gpointer
get_item (GListModel *model, guint position)
{
  GessoModelList *self = GESSO_MODEL_LIST (model);
  return position < self->items->len ? g_object_ref (file_at (self, position)) : NULL;
}

static void
list_model_init (GListModelInterface *iface)
{
  iface->get_item_type = get_item_type;
  iface->get_n_items = get_n_items;
  iface->get_item = get_item;
}

static void
gesso_model_list_finalize (GObject *object)
{
  GessoModelList *self = GESSO_MODEL_LIST (object);
  g_array_unref (self->items);
  g_ptr_array_unref (self->owners);
  G_OBJECT_CLASS (gesso_model_list_parent_class)->finalize (object);
}

static void
gesso_model_list_class_init (GessoModelListClass *klass)
{
  G_OBJECT_CLASS (klass)->finalize = gesso_model_list_finalize;
}

static void
gesso_model_list_init (GessoModelList *self)
{
  self->items = g_array_new (FALSE, FALSE, sizeof (guint64));
  self->owners = g_ptr_array_new_with_free_func (g_object_unref);
}

GessoModelList *
gesso_model_list_new (void)
{
  return g_object_new (GESSO_TYPE_MODEL_LIST, NULL);
}

static int
compare (gconstpointer a, gconstpointer b)
{
  return gesso_model_file_compare (*(GessoModelFile *const *) a, *(GessoModelFile *const *) b);
}

static GHashTable *
index_by_id (GPtrArray *files)
{
  GHashTable *by_id = g_hash_table_new_full (g_int64_hash, g_int64_equal, g_free, NULL);
  for (guint i = 0; i < files->len; i++)
    {
      gint64 *id = g_new (gint64, 1);
      *id = gesso_model_file_get_id (files->pdata[i]);
      g_hash_table_replace (by_id, id, files->pdata[i]);
    }
  return by_id;
}

gboolean
gesso_model_list_update (GessoModelList *self, GPtrArray *files)
{
  g_return_val_if_fail (GESSO_IS_MODEL_LIST (self), FALSE);
  g_return_val_if_fail (files != NULL, FALSE);
  g_autoptr (GHashTable) before = index_by_id (self->owners);
  GPtrArray *owners = g_ptr_array_new_with_free_func (g_object_unref);
  gboolean changed = files->len != self->owners->len;
  for (guint i = 0; i < files->len; i++)
    {
      gint64 id = gesso_model_file_get_id (files->pdata[i]);
      GessoModelFile *old = g_hash_table_lookup (before, &id);
      gboolean same = old && gesso_model_file_equal (old, files->pdata[i]);
      changed |= !same;
      g_ptr_array_add (owners, g_object_ref (same ? old : files->pdata[i]));
    }
  g_ptr_array_sort (owners, compare);
  g_autofree guint64 *wanted = g_new (guint64, owners->len + 1);
  for (guint i = 0; i < owners->len; i++)
    wanted[i] = GPOINTER_TO_SIZE (owners->pdata[i]);
  /* both sets live while listeners look at the list on its way */
  gesso_list_diff (G_LIST_MODEL (self), self->items, wanted, owners->len);
  g_ptr_array_unref (self->owners);
  self->owners = owners;
  return changed;
}

/* -- finding ------------------------------------------------------------------------------------
 */

static const char *
base_of (const char *path)
{
  const char *slash = strrchr (path, '/');
  return slash ? slash + 1 : path;
}

static char *
dup_without_suffix (const char *name)
{
  static const char *const suffixes[] = { ".safetensors", ".sft", ".ckpt", ".pt",
                                          ".pth",         ".bin", ".gguf" };
  gsize n = strlen (name);
  for (guint i = 0; i < G_N_ELEMENTS (suffixes); i++)
    {
      gsize m = strlen (suffixes[i]);
      if (n > m && g_ascii_strcasecmp (name + n - m, suffixes[i]) == 0)
        return g_strndup (name, n - m);
    }
  return g_strdup (name);
}

/* How well @file answers to @name: 0 not at all.  @stem: its last part without suffix. */
static int
score (GessoModelFile *file, const char *name, const char *stem)
{
  const char *path = gesso_model_file_get_path (file), *own = gesso_model_file_get_name (file);
  g_autofree char *tail = g_strconcat ("/", name, NULL);
  g_autofree char *display = g_filename_display_name (path);
  enum
  {
    BY_ALIAS = 1,
    BY_FOLDED_NAME,
    BY_NAME,
    BY_PATH_END,
    BY_PATH
  };
  if (g_str_equal (path, name))
    return BY_PATH;
  if (g_str_has_suffix (display, tail))
    return BY_PATH_END;
  if (g_str_equal (own, stem) || g_str_equal (own, base_of (name)))
    return BY_NAME;
  if (g_ascii_strcasecmp (own, stem) == 0)
    return BY_FOLDED_NAME;
  return g_str_equal (gesso_model_file_get_alias (file), stem) ? BY_ALIAS : 0;
}

static GessoModelFile *
find_by_name (GessoModelList *self, const char *name)
{
  g_autofree char *slashed = g_strdelimit (g_strdup (name), "\\", '/'); /* from Windows */
  g_strstrip (slashed);
  char *bracket = strstr (slashed, " ["); /* A1111: "name.ckpt [0123abcd]" */
  if (bracket && g_str_has_suffix (slashed, "]"))
    *bracket = '\0';
  g_autofree char *stem = dup_without_suffix (base_of (slashed));
  GessoModelFile *best = NULL;
  int best_score = 0;
  for (guint i = 0; *stem && i < self->items->len; i++)
    {
      int s = score (file_at (self, i), slashed, stem);
      if (s > best_score)
        {
          best_score = s;
          best = file_at (self, i);
        }
    }
  return best;
}

static GessoModelFile *
find_by_hash (GessoModelList *self, const char *hash)
{
  if (g_str_has_prefix (hash, "0x"))
    hash += 2;
  gsize n = strlen (hash);
  for (guint i = 0; n >= MIN_HASH_DIGITS && i < self->items->len; i++)
    if (g_ascii_strncasecmp (gesso_model_file_get_hash (file_at (self, i)), hash, n) == 0)
      return file_at (self, i);
  return NULL;
}

GessoModelFile *
gesso_model_list_find (GessoModelList *self, const char *name, const char *hash)
{
  g_return_val_if_fail (GESSO_IS_MODEL_LIST (self), NULL);
  GessoModelFile *file = hash ? find_by_hash (self, hash) : NULL;
  return file || !name || !*name ? file : find_by_name (self, name);
}

/* -- titles -------------------------------------------------------------------------------------
 */

/* Folders of @path from the nearest on.  What is called by its folder begins with the one above. */
static char **
dup_folders (GessoModelFile *file)
{
  g_autofree char *display = g_filename_display_name (gesso_model_file_get_path (file));
  g_auto (GStrv) parts = g_strsplit (display, "/", -1);
  GStrvBuilder *builder = g_strv_builder_new ();
  guint n = g_strv_length (parts) - 1; /* the last is the file */
  if (n > 0 && g_str_equal (parts[n - 1], gesso_model_file_get_name (file)))
    n--;
  while (n-- > 0)
    g_strv_builder_add (builder, parts[n]);
  char **folders = g_strv_builder_end (builder);
  g_strv_builder_unref (builder);
  return folders;
}

/* How many folders of @mine it takes until they are not those of @other. */
static guint
n_until_different (char **mine, char **other)
{
  guint n = 0;
  while (mine[n] && *mine[n] && other[n] && g_str_equal (mine[n], other[n]))
    n++;
  return mine[n] && *mine[n] ? n + 1 : n;
}

char *
gesso_model_list_dup_title (GessoModelList *self, GessoModelFile *file)
{
  g_return_val_if_fail (GESSO_IS_MODEL_LIST (self) && GESSO_IS_MODEL_FILE (file), NULL);
  const char *name = gesso_model_file_get_name (file);
  g_auto (GStrv) folders = dup_folders (file);
  guint n_shown = 0;
  for (guint i = 0; i < self->items->len; i++)
    {
      GessoModelFile *other = file_at (self, i);
      if (!g_str_equal (gesso_model_file_get_name (other), name) ||
          g_str_equal (gesso_model_file_get_path (other), gesso_model_file_get_path (file)))
        continue;
      g_auto (GStrv) others = dup_folders (other);
      n_shown = MAX (n_shown, n_until_different (folders, others));
    }
  g_autoptr (GString) title = g_string_new (NULL);
  while (n_shown-- > 0)
    g_string_append_printf (title, "%s/", folders[n_shown]);
  g_string_append (title, name);
  return g_strdup (title->str);
}
