/* SPDX-License-Identifier: MPL-2.0
 * gesso-paths.c - where the program's own files are.
 *
 * Everything is found from the program itself, so that an installation can be moved.
 */
#include "app/gesso-paths.h"

#include <glib/gi18n.h>

#define SCHEMA_ID "io.github.gesso_studio.Gesso"

static char *
program_dir (void)
{
  g_autofree char *exe = g_file_read_link ("/proc/self/exe", NULL);
  return exe ? g_path_get_dirname (exe) : g_strdup (".");
}

static char *
existing (const char *base, const char *relative, const char *probe)
{
  g_autofree char *path = g_canonicalize_filename (relative, base);
  g_autofree char *inside = g_build_filename (path, probe, NULL);
  return g_file_test (inside, G_FILE_TEST_EXISTS) ? g_steal_pointer (&path) : NULL;
}

char *
gesso_paths_dup_data_dir (GError **error)
{
  const char *override = g_getenv ("GESSO_DATA");
  if (override && *override)
    return g_strdup (override);
  static const char *const relative[] = { "../share/gesso", "../../../data" };
  g_autofree char *dir = program_dir ();
  for (gsize i = 0; i < G_N_ELEMENTS (relative); i++)
    {
      char *found = existing (dir, relative[i], "tokenizers");
      if (found)
        return found;
    }
  g_set_error_literal (error, G_IO_ERROR, G_IO_ERROR_NOT_FOUND,
                       _ ("The program's data is missing: reinstall Gesso, or set GESSO_DATA to "
                          "its data folder."));
  return NULL;
}

char *
gesso_paths_dup_bundled_dir (void)
{
  g_autofree char *data = gesso_paths_dup_data_dir (NULL);
  return data ? g_build_filename (data, "models", NULL) : NULL;
}

char *
gesso_paths_dup_shipped_model (void)
{
  g_autofree char *models = gesso_paths_dup_bundled_dir ();
  return models ? existing (models, "gesso-mini", "model_index.json") : NULL;
}

char *
gesso_paths_dup_worker (void)
{
  g_autofree char *dir = program_dir ();
  static const char *const relative[] = { ".", "../worker", "../../src/worker" };
  for (gsize i = 0; i < G_N_ELEMENTS (relative); i++)
    {
      g_autofree char *folder = existing (dir, relative[i], "gesso-worker");
      if (folder)
        return g_build_filename (folder, "gesso-worker", NULL);
    }
  return NULL;
}

char *
gesso_paths_dup_locale_dir (const char *installed)
{
  g_return_val_if_fail (installed != NULL, NULL);
  static const char *const relative[] = { "../share/locale", "../../po" };
  g_autofree char *dir = program_dir ();
  for (gsize i = 0; i < G_N_ELEMENTS (relative); i++)
    {
      /* any language will do: all of them are built and installed together */
      char *found = existing (dir, relative[i], "de/LC_MESSAGES/gesso.mo");
      if (found)
        return found;
    }
  return g_strdup (installed);
}

char *
gesso_paths_dup_wildcards_dir (void)
{
  return g_build_filename (g_get_user_data_dir (), "gesso", "wildcards", NULL);
}

/* Beside the program, installed or in the build tree; else where the desktop looks. */
static GSettingsSchema *
lookup_schema (void)
{
  static const char *const relative[] = { "../share/glib-2.0/schemas", "../../data" };
  g_autofree char *dir = program_dir ();
  GSettingsSchemaSource *standard = g_settings_schema_source_get_default ();
  for (gsize i = 0; i < G_N_ELEMENTS (relative); i++)
    {
      g_autofree char *folder = existing (dir, relative[i], "gschemas.compiled");
      g_autoptr (GSettingsSchemaSource) source =
          folder ? g_settings_schema_source_new_from_directory (folder, standard, FALSE, NULL)
                 : NULL;
      GSettingsSchema *schema =
          source ? g_settings_schema_source_lookup (source, SCHEMA_ID, FALSE) : NULL;
      if (schema)
        return schema;
    }
  return standard ? g_settings_schema_source_lookup (standard, SCHEMA_ID, TRUE) : NULL;
}

GSettings *
gesso_paths_new_settings (GError **error)
{
  g_autoptr (GSettingsSchema) schema = lookup_schema ();
  if (schema)
    return g_settings_new_full (schema, NULL, NULL);
  g_set_error_literal (error, G_IO_ERROR, G_IO_ERROR_NOT_FOUND,
                       _ ("The settings schema of Gesso is not installed: run `meson install`, or "
                          "start it from its build folder."));
  return NULL;
}
