/* SPDX-License-Identifier: MPL-2.0 */
#include "folder.h"

#include <errno.h>
#include <glib/gstdio.h>
#include <signal.h>
#include <unistd.h>

static void
run (const char *const *argv)
{
  g_autoptr (GError) error = NULL;
  int status = 0;
  g_spawn_sync (NULL, (char **) argv, NULL, G_SPAWN_SEARCH_PATH, NULL, NULL, NULL, NULL, &status,
                &error);
  g_assert_no_error (error);
  g_assert_true (g_spawn_check_wait_status (status, &error));
}

static void
remove_folder (const char *path)
{
  run ((const char *const[]){ "rm", "-rf", path, NULL });
}

/* Folders are named after processes: those that are gone cannot have wanted theirs. */
static void
remove_old (const char *base)
{
  g_autoptr (GDir) dir = g_dir_open (base, 0, NULL);
  const char *name;
  while (dir && (name = g_dir_read_name (dir)))
    {
      pid_t pid = (pid_t) g_ascii_strtoll (name, NULL, 10);
      g_autofree char *path = g_build_filename (base, name, NULL);
      if (pid > 0 && kill (pid, 0) != 0 && errno == ESRCH)
        remove_folder (path);
    }
}

char *
test_folder_new (void)
{
  g_autoptr (GError) error = NULL;
  g_autofree char *program = g_file_read_link ("/proc/self/exe", &error);
  g_assert_no_error (error);
  g_autofree char *base = g_strconcat (program, ".d", NULL);
  char *folder = g_strdup_printf ("%s/%ld", base, (long) getpid ());
  remove_old (base);
  g_assert_cmpint (g_mkdir_with_parents (folder, 0700), ==, 0);
  g_setenv ("GESSO_TEST_DIR", folder, TRUE);
  g_setenv ("XDG_CACHE_HOME", folder, TRUE);
  return folder;
}

void
test_folder_copy_data (const char *folder)
{
  const char *data = g_getenv ("GESSO_DATA");
  g_autofree char *copy = g_build_filename (folder, "data", NULL);
  g_autofree char *models = g_build_filename (copy, "models", NULL);
  g_autofree char *model = g_build_filename (data, "models", "gesso-mini", NULL);
  g_autofree char *tokenizers = g_build_filename (data, "tokenizers", NULL);
  g_assert_cmpint (g_mkdir_with_parents (models, 0700), ==, 0);
  run ((const char *const[]){ "cp", "-r", model, models, NULL });
  run ((const char *const[]){ "cp", "-r", tokenizers, copy, NULL });
  g_setenv ("GESSO_DATA", copy, TRUE);
}

void
test_folder_free (char *folder)
{
  remove_folder (folder);
  g_free (folder);
}
