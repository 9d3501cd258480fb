/* SPDX-License-Identifier: MPL-2.0
 * gesso-found.c - says what is in a folder of models that was just named.
 *
 * A folder is news once, when the scan of it is through and the lists have what it found.
 */
#include "app/gesso-found.h"

#include <glib/gi18n.h>

#include "app/gesso-folder-row.h"

typedef struct
{
  GessoWindow *window; /* borrowed: it owns this */
  char **known;
  GPtrArray *news; /* of char *: folders that are looked through */
} Found;

static void
found_free (gpointer data)
{
  Found *found = data;
  g_strfreev (found->known);
  g_ptr_array_unref (found->news);
  g_free (found);
}

/* Returns: whether there are any that were not known */
static gboolean
note_folders (Found *found, GessoLibrary *library)
{
  guint n = found->news->len;
  char **folders = gesso_library_dup_folders (library);
  for (int i = 0; folders[i]; i++)
    if (!g_strv_contains ((const char *const *) found->known, folders[i]))
      g_ptr_array_add (found->news, g_strdup (folders[i]));
  g_strfreev (found->known);
  found->known = folders;
  return found->news->len > n;
}

static void
say_news (Found *found, GessoLibrary *library)
{
  for (guint i = 0; i < found->news->len; i++)
    {
      g_autofree char *name = g_filename_display_basename (found->news->pdata[i]);
      g_autofree char *contents = gesso_folder_row_dup_contents (library, found->news->pdata[i]);
      /* Translators: a folder, then what is in it: "loras: 0 models · 4 LoRAs" */
      g_autofree char *text = g_strdup_printf (_ ("%s: %s"), name, contents);
      gesso_window_tell_news (found->window, text);
    }
  g_ptr_array_set_size (found->news, 0);
}

/* A folder that is new now has not been looked through. */
static void
changed_cb (GessoLibrary *library, gpointer user_data)
{
  Found *found = g_object_get_data (user_data, "found");
  if (!note_folders (found, library) && !gesso_library_is_behind (library))
    say_news (found, library);
}

static void
scanning_cb (GessoLibrary *library, GParamSpec *pspec, gpointer user_data)
{
  note_folders (g_object_get_data (user_data, "found"), library);
}

void
gesso_found_add (GessoWindow *window)
{
  g_return_if_fail (GESSO_IS_WINDOW (window));
  GessoLibrary *library = gesso_window_get_library (window);
  Found *found = g_new (Found, 1);
  *found = (Found){ window, gesso_library_dup_folders (library),
                    g_ptr_array_new_with_free_func (g_free) };
  g_object_set_data_full (G_OBJECT (window), "found", found, found_free);
  g_signal_connect_object (library, "changed", G_CALLBACK (changed_cb), window, 0);
  g_signal_connect_object (library, "notify::scanning", G_CALLBACK (scanning_cb), window, 0);
}
