/* SPDX-License-Identifier: MPL-2.0
 * gesso-drop.c - a file was dropped on the window: a picture, a model, a folder of models?
 */
#include "app/gesso-drop.h"

#include <glib/gi18n.h>

#include "app/gesso-recipe-offer.h"

static void
say_of_file (GessoWindow *window, const char *format, GFile *file)
{
  g_autofree char *name = g_filename_display_basename (g_file_peek_path (file));
  g_autoptr (GString) text = g_string_new (format);
  g_string_replace (text, "%s", name, 1);
  gesso_window_say (window, text->str);
}

static void
add_folder (GessoWindow *window, GFile *folder)
{
  gesso_library_add_folder (gesso_window_get_library (window), g_file_peek_path (folder));
  say_of_file (window, _ ("Looking for models in “%s”; its files stay there"), folder);
}

static gboolean
is_model (const char *path)
{
  static const char *const endings[] = { ".safetensors", ".ckpt", ".pt", ".pth" };
  g_autofree char *folded = g_ascii_strdown (path, -1);
  for (gsize i = 0; i < G_N_ELEMENTS (endings); i++)
    if (g_str_has_suffix (folded, endings[i]))
      return TRUE;
  return FALSE;
}

/* Whether it can be used is said by the plan, above the Generate button. */
static void
use_model (GessoWindow *window, GFile *file)
{
  GessoForm *form = gesso_create_page_get_form (gesso_window_get_create_page (window));
  g_autoptr (GError) error = NULL;
  if (!gesso_form_set_text (form, "model", g_file_peek_path (file), &error))
    {
      gesso_window_say (window, error->message);
      return;
    }
  gesso_window_show_page (window, "create");
  say_of_file (window, _ ("“%s” is the model now"), file);
}

static void
type_cb (GObject *source, GAsyncResult *result, gpointer user_data)
{
  g_autoptr (GessoWindow) window = user_data;
  GFile *file = G_FILE (source);
  g_autoptr (GError) error = NULL;
  g_autoptr (GFileInfo) info = g_file_query_info_finish (file, result, &error);
  if (!gesso_window_get_library (window)) /* closed meanwhile */
    return;
  if (!info)
    gesso_window_say (window, error->message);
  else if (g_file_info_get_file_type (info) == G_FILE_TYPE_DIRECTORY)
    add_folder (window, file);
  else if (is_model (g_file_peek_path (file)))
    use_model (window, file);
  else
    gesso_recipe_offer (window, file);
}

void
gesso_drop_file (GessoWindow *window, GFile *file)
{
  g_return_if_fail (GESSO_IS_WINDOW (window) && G_IS_FILE (file));
  if (g_file_peek_path (file))
    g_file_query_info_async (file, G_FILE_ATTRIBUTE_STANDARD_TYPE, G_FILE_QUERY_INFO_NONE,
                             G_PRIORITY_DEFAULT, NULL, type_cb, g_object_ref (window));
  else
    gesso_window_say (window, _ ("This file is not on this computer: save it first."));
}
