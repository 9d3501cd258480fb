/* SPDX-License-Identifier: MPL-2.0
 * gesso-trash.c - moving one file into the trash, finding it there, moving it back.
 *
 * GIO's trash does not tell where a file went.  A file keeps its inode when it is renamed, so it is
 * looked for by that in the trash folders of the freedesktop.org specification.
 */
#include "library/gesso-trash.h"

#include <errno.h>
#include <glib/gi18n.h>
#include <glib/gstdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum
{
  MAX_NAMES = 10000
};

/* The highest folder on the same file system. */
static char *
dup_mount (const char *path, dev_t device)
{
  char *top = g_path_get_dirname (path);
  for (;;)
    {
      struct stat info;
      g_autofree char *parent = g_path_get_dirname (top);
      if (g_str_equal (parent, top) || g_stat (parent, &info) != 0 || info.st_dev != device)
        return top;
      g_free (top);
      top = g_steal_pointer (&parent);
    }
}

static char *
find_inode (const char *trash, const struct stat *wanted)
{
  g_autofree char *files = g_build_filename (trash, "files", NULL);
  g_autoptr (GDir) dir = g_dir_open (files, 0, NULL);
  const char *name;
  while (dir && (name = g_dir_read_name (dir)))
    {
      struct stat info;
      g_autofree char *path = g_build_filename (files, name, NULL);
      if (g_lstat (path, &info) == 0 && info.st_ino == wanted->st_ino &&
          info.st_dev == wanted->st_dev)
        return g_steal_pointer (&path);
    }
  return NULL;
}

static char *
find_trashed (const char *path, const struct stat *wanted)
{
  g_autofree char *mount = dup_mount (path, wanted->st_dev);
  g_autofree char *home = g_build_filename (g_get_user_data_dir (), "Trash", NULL);
  g_autofree char *user = g_strdup_printf ("%u", (guint) getuid ());
  g_autofree char *shared = g_build_filename (mount, ".Trash", user, NULL);
  g_autofree char *own_name = g_strconcat (".Trash-", user, NULL);
  g_autofree char *own = g_build_filename (mount, own_name, NULL);
  const char *const places[] = { home, shared, own };
  char *found = NULL;
  for (guint i = 0; i < G_N_ELEMENTS (places) && !found; i++)
    found = find_inode (places[i], wanted);
  return found ? found : g_strdup ("");
}

/* "picture.png", "picture (2).png", ...: the first name that is free. */
static char *
dup_free_name (const char *dir, const char *name)
{
  const char *dot = strrchr (name, '.');
  gsize n_stem = dot && dot != name ? (gsize) (dot - name) : strlen (name);
  for (int i = 1; i < MAX_NAMES; i++)
    {
      struct stat info;
      g_autofree char *number = i > 1 ? g_strdup_printf (" (%d)", i) : g_strdup ("");
      g_autofree char *stem = g_strndup (name, n_stem);
      g_autofree char *full = g_strconcat (dir, "/", stem, number, name + n_stem, NULL);
      if (g_lstat (full, &info) != 0)
        return g_steal_pointer (&full);
    }
  return g_build_filename (dir, name, NULL);
}

static gboolean
move (const char *from, const char *to, GCancellable *cancellable, GError **error)
{
  g_autoptr (GFile) a = g_file_new_for_path (from);
  g_autoptr (GFile) b = g_file_new_for_path (to);
  return g_file_move (a, b, G_FILE_COPY_NOFOLLOW_SYMLINKS | G_FILE_COPY_ALL_METADATA, cancellable,
                      NULL, NULL, error);
}

static char *
info_of (const char *trashed)
{
  g_autofree char *files = g_path_get_dirname (trashed);
  g_autofree char *trash = g_path_get_dirname (files);
  g_autofree char *base = g_path_get_basename (trashed);
  g_autofree char *name = g_strconcat (base, ".trashinfo", NULL);
  return g_build_filename (trash, "info", name, NULL);
}

/* For people who look into the folder; nothing of ours reads it. */
static void
write_info (const char *trashed, const char *path)
{
  g_autoptr (GDateTime) now = g_date_time_new_now_local ();
  g_autofree char *when = now ? g_date_time_format (now, "%Y-%m-%dT%H:%M:%S") : NULL;
  g_autofree char *escaped = g_uri_escape_string (path, "/", FALSE);
  g_autofree char *text =
      g_strdup_printf ("[Trash Info]\nPath=%s\nDeletionDate=%s\n", escaped, when ? when : "");
  g_autofree char *info = info_of (trashed);
  g_file_set_contents (info, text, -1, NULL);
}

static char *
move_to_own_trash (const char *path, const char *own_dir, GCancellable *cancellable, GError **error)
{
  g_autofree char *files = g_build_filename (own_dir, "files", NULL);
  g_autofree char *infos = g_build_filename (own_dir, "info", NULL);
  g_autofree char *name = g_path_get_basename (path);
  if (g_mkdir_with_parents (files, 0700) != 0 || g_mkdir_with_parents (infos, 0700) != 0)
    {
      g_set_error (error, G_IO_ERROR, (int) g_io_error_from_errno (errno),
                   _ ("The trash folder %s cannot be made: %s."), files, g_strerror (errno));
      return NULL;
    }
  g_autofree char *to = dup_free_name (files, name);
  if (!move (path, to, cancellable, error))
    return NULL;
  write_info (to, path);
  return g_steal_pointer (&to);
}

char *
gesso_trash_file (const char *path, const char *own_dir, GCancellable *cancellable, GError **error)
{
  g_return_val_if_fail (path != NULL && own_dir != NULL, NULL);
  g_autoptr (GFile) file = g_file_new_for_path (path);
  g_autoptr (GError) local = NULL;
  struct stat info;
  if (g_lstat (path, &info) != 0)
    {
      int code = errno;
      g_autofree char *display = g_filename_display_name (path);
      g_set_error (error, G_IO_ERROR, (int) g_io_error_from_errno (code),
                   _ ("%s cannot be moved to the trash: %s."), display, g_strerror (code));
      return NULL;
    }
  if (g_file_trash (file, cancellable, &local))
    return find_trashed (path, &info);
  if (g_error_matches (local, G_IO_ERROR, G_IO_ERROR_CANCELLED) || g_access (path, F_OK) != 0)
    {
      g_propagate_error (error, g_steal_pointer (&local));
      return NULL;
    }
  return move_to_own_trash (path, own_dir, cancellable, error);
}

char *
gesso_untrash_file (const char *trashed, const char *path, GError **error)
{
  g_return_val_if_fail (trashed != NULL && path != NULL, NULL);
  g_autofree char *dir = g_path_get_dirname (path);
  g_autofree char *name = g_path_get_basename (path);
  if (!g_path_is_absolute (trashed) || g_access (trashed, F_OK) != 0)
    {
      g_autofree char *display = g_filename_display_name (path);
      g_set_error (error, G_IO_ERROR, G_IO_ERROR_NOT_FOUND,
                   _ ("%s cannot be brought back: look for it in the desktop's trash."), display);
      return NULL;
    }
  g_mkdir_with_parents (dir, 0777); /* when it cannot be made, moving says why */
  g_autofree char *to = dup_free_name (dir, name);
  if (!move (trashed, to, NULL, error))
    return NULL;
  g_autofree char *info = info_of (trashed);
  g_unlink (info);
  return g_steal_pointer (&to);
}
