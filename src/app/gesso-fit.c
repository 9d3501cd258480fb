/* SPDX-License-Identifier: MPL-2.0
 * gesso-fit.c - what goes with the chosen model, by the families that the library knows.
 */
#include "app/gesso-fit.h"

#include <string.h>

#include "app/gesso-form.h"

static void
clear_list (RecipeAdapters *list)
{
  recipe_adapters_clear (list);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (RecipeAdapters, clear_list)

/* A file that is named by its whole path is that file or an unknown one, not another of its name.
 */
static const char *
family_of (GessoLibrary *library, GessoFileKind kind, const char *name, const char *hash)
{
  GessoModelFile *file = gesso_library_find_model (library, kind, name, hash);
  gboolean other =
      file && g_path_is_absolute (name) && !g_str_equal (gesso_model_file_get_path (file), name);
  return g_intern_string (file && !other ? gesso_model_file_get_family (file) : "");
}

const char *
gesso_fit_family (GessoLibrary *library, const Recipe *recipe)
{
  g_return_val_if_fail (GESSO_IS_LIBRARY (library) && recipe, "");
  const char *model = recipe_str (recipe->model);
  return model[0] ? family_of (library, GESSO_FILE_CHECKPOINT, model, NULL) : "";
}

const char *
gesso_fit_adapter_family (GessoLibrary *library, const RecipeAdapter *item)
{
  g_return_val_if_fail (GESSO_IS_LIBRARY (library) && item, "");
  const char *name = recipe_str (item->path ? item->path : item->name);
  return family_of (library, GESSO_FILE_LORA, name, item->hash);
}

gboolean
gesso_fit_is_for (const char *family, const char *model_family)
{
  return !family[0] || !model_family[0] || g_str_equal (family, model_family);
}

/* Returns: whether any was taken off */
static gboolean
remove_others (RecipeAdapters *list, GessoLibrary *library, const char *model_family)
{
  gsize n = list->n;
  for (gsize i = list->n; i-- > 0;)
    if (!list->items[i].from_prompt &&
        !gesso_fit_is_for (gesso_fit_adapter_family (library, &list->items[i]), model_family))
      recipe_adapters_remove (list, i);
  return list->n != n;
}

/* Most recipes have none, and a grid may be of a thousand. */
static gboolean
has_no_adapters (const char *json)
{
  static const char key[] = "\"adapters\":[";
  const char *at = strstr (json, key);
  return at && at[strlen (key) + strspn (at + strlen (key), " \n")] == ']';
}

char *
gesso_fit_dup_recipe (GessoLibrary *library, const char *json)
{
  g_return_val_if_fail (GESSO_IS_LIBRARY (library) && json, NULL);
  g_autoptr (GessoForm) form = gesso_form_new ();
  g_auto (RecipeAdapters) list = { 0 };
  Status status = { 0 };
  Recipe texts;
  if (has_no_adapters (json) || !gesso_form_load (form, json, NULL) ||
      !recipe_adapters_read (&list, gesso_form_peek (form), &status) ||
      !remove_others (&list, library, gesso_fit_family (library, gesso_form_peek (form))))
    return g_strdup (json);
  recipe_init (&texts);
  if (recipe_adapters_write (&list, &texts, &status))
    gesso_form_set_text (form, "adapters", recipe_str (texts.adapters), NULL);
  recipe_clear (&texts);
  return gesso_form_to_json (form);
}
