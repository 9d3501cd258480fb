/* SPDX-License-Identifier: MPL-2.0 */
#include "support/imported.h"

#include <glib.h>
#include <string.h>

Imported
imported_texts (const ImportText *texts, size_t n)
{
  Imported im = { .notes = { 0 } };
  Status status = { 0 };
  recipe_init (&im.recipe);
  if (!import_recipe (&im.recipe, texts, n, &im.source, &im.notes, &status))
    g_error ("%s", status.message);
  return im;
}

Imported
imported_text (const char *key, const char *value)
{
  return imported_texts (&(ImportText){ key, value }, 1);
}

char *
imported_graph (const char *name)
{
  g_autofree char *path =
      g_build_filename (g_getenv ("GESSO_SOURCE"), "tests/unit/graphs", name, NULL);
  g_autoptr (GError) error = NULL;
  char *text = NULL;
  if (!g_file_get_contents (path, &text, NULL, &error))
    g_error ("%s", error->message);
  return text;
}

Imported
imported_file (const char *key, const char *name)
{
  g_autofree char *text = imported_graph (name);
  return imported_text (key, text);
}

void
imported_clear (Imported *im)
{
  recipe_clear (&im->recipe);
  notes_clear (&im->notes);
}

void
assert_note (const Imported *im, const char *part)
{
  for (size_t i = 0; i < im->notes.n; i++)
    if (strstr (im->notes.items[i], part))
      return;
  for (size_t i = 0; i < im->notes.n; i++)
    g_test_message ("%s", im->notes.items[i]);
  g_error ("no note says \"%s\"", part);
}

void
assert_n_notes (const Imported *im, size_t n)
{
  for (size_t i = 0; im->notes.n != n && i < im->notes.n; i++)
    g_test_message ("%s", im->notes.items[i]);
  g_assert_cmpint (im->notes.n, ==, n);
}

void
assert_refused (const char *key, const char *value, const char *part)
{
  Recipe recipe;
  Notes notes = { 0 };
  Status status = { 0 };
  ImportSource source;
  recipe_init (&recipe);
  recipe_set (&recipe, "prompt", "before", &status);
  g_assert_false (
      import_recipe (&recipe, &(ImportText){ key, value }, 1, &source, &notes, &status));
  if (!strstr (status.message, part))
    g_error ("%s: \"%s\"", key, status.message);
  g_assert_cmpstr (recipe.prompt, ==, "before");
  notes_clear (&notes);
  recipe_clear (&recipe);
}
