/* SPDX-License-Identifier: MPL-2.0
 * gesso-resolve.c - the model that a recipe means, where it does not lie where the recipe says.
 */
#include "app/gesso-resolve.h"

#include "app/gesso-presence.h"

typedef struct
{
  GessoForm *form;
  GessoLibrary *library;
  char *name, *before;
} Named;

static void
named_free (Named *named)
{
  g_object_unref (named->form);
  g_object_unref (named->library);
  g_free (named->name);
  g_free (named->before);
  g_free (named);
}

G_DEFINE_AUTOPTR_CLEANUP_FUNC (Named, named_free)

static void
choose (GessoForm *form, GessoLibrary *library, const char *before)
{
  const Recipe *recipe = gesso_form_peek (form);
  GessoModelFile *found = gesso_library_find_model (
      library, GESSO_FILE_CHECKPOINT, recipe_str (recipe->model), recipe_str (recipe->model_hash));
  g_autofree char *path = g_strdup (found ? gesso_model_file_get_path (found) : before);
  gesso_form_set_text (form, "model", path, NULL);
  gesso_form_reset (form, "model_hash");
}

static void
looked_cb (GObject *source, GAsyncResult *result, gpointer user_data)
{
  g_autoptr (Named) named = user_data;
  gboolean there = gesso_presence_finish (result, NULL);
  if (!there && g_str_equal (recipe_str (gesso_form_peek (named->form)->model), named->name))
    choose (named->form, named->library, named->before);
}

static gboolean
is_listed (GessoLibrary *library, const char *path)
{
  GListModel *models = gesso_library_get_models (library, GESSO_FILE_CHECKPOINT);
  for (guint i = 0; i < g_list_model_get_n_items (models); i++)
    {
      g_autoptr (GessoModelFile) file = g_list_model_get_item (models, i);
      if (g_str_equal (gesso_model_file_get_path (file), path))
        return TRUE;
    }
  return FALSE;
}

void
gesso_resolve_model (GessoForm *form, GessoLibrary *library, const char *before)
{
  g_return_if_fail (GESSO_IS_FORM (form) && GESSO_IS_LIBRARY (library) && before);
  const char *name = recipe_str (gesso_form_peek (form)->model);
  if (!g_path_is_absolute (name))
    {
      choose (form, library, before);
      return;
    }
  if (is_listed (library, name))
    return;
  Named *named = g_new (Named, 1);
  *named =
      (Named){ g_object_ref (form), g_object_ref (library), g_strdup (name), g_strdup (before) };
  gesso_presence_async (name, NULL, looked_cb, named);
}
