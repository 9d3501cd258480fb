/* SPDX-License-Identifier: MPL-2.0
 * test-available.c - what is left to take, of the machine and of the control groups around us.
 */
#include <glib.h>
#include <glib/gstdio.h>

#include "core/available.h"

#define MIB ((gsize) 1 << 20)

static char *root;

static void
put (const char *name, const char *text)
{
  g_autofree char *path = g_build_filename (root, name, NULL);
  g_autofree char *folder = g_path_get_dirname (path);
  g_assert_cmpint (g_mkdir_with_parents (folder, 0700), ==, 0);
  g_assert_true (g_file_set_contents (path, text, -1, NULL));
}

static void
remove_tree (const char *path)
{
  g_autoptr (GDir) dir = g_dir_open (path, 0, NULL);
  for (const char *name; dir && (name = g_dir_read_name (dir));)
    {
      g_autofree char *child = g_build_filename (path, name, NULL);
      remove_tree (child);
    }
  g_remove (path);
}

static void
set_up (gpointer *fixture, gconstpointer data)
{
  root = g_dir_make_tmp ("gesso-available-XXXXXX", NULL);
  put ("proc/meminfo", "MemTotal:  9000000 kB\nMemAvailable:    2048000 kB\n");
}

static void
tear_down (gpointer *fixture, gconstpointer data)
{
  remove_tree (root);
  g_clear_pointer (&root, g_free);
}

static void
test_machine (gpointer *fixture, gconstpointer data)
{
  g_assert_cmpuint (available_bytes_in (root), ==, 2000 * MIB); /* no groups at all */
  put ("proc/self/cgroup", "12:memory:/old\n0::/user/app\n");
  put ("sys/fs/cgroup/user/app/memory.max", "max\n");
  g_assert_cmpuint (available_bytes_in (root), ==, 2000 * MIB);
  g_assert_cmpuint (available_bytes_in ("/nowhere"), ==, 0);
  g_assert_cmpuint (available_bytes (), >, 0);
}

/* The tightest on the way up counts, and page cache that nobody uses is free. */
static void
test_groups (gpointer *fixture, gconstpointer data)
{
  put ("proc/self/cgroup", "0::/user/app\n");
  put ("sys/fs/cgroup/user/app/memory.max", "1048576000\n"); /* 1000 MiB */
  put ("sys/fs/cgroup/user/app/memory.current", "419430400\n");
  g_assert_cmpuint (available_bytes_in (root), ==, 600 * MIB);
  put ("sys/fs/cgroup/user/app/memory.stat", "anon 1\ninactive_file 209715200\n");
  g_assert_cmpuint (available_bytes_in (root), ==, 800 * MIB);
  put ("sys/fs/cgroup/user/memory.max", "max\n");
  put ("sys/fs/cgroup/user/memory.high", "524288000\n");
  put ("sys/fs/cgroup/user/memory.current", "419430400\n");
  g_assert_cmpuint (available_bytes_in (root), ==, 100 * MIB);
  put ("sys/fs/cgroup/memory.max", "1048576\n"); /* as a container sees its own */
  put ("sys/fs/cgroup/memory.current", "2097152\n");
  g_assert_cmpuint (available_bytes_in (root), ==, 1);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add ("/available/machine", gpointer, NULL, set_up, test_machine, tear_down);
  g_test_add ("/available/groups", gpointer, NULL, set_up, test_groups, tear_down);
  return g_test_run ();
}
