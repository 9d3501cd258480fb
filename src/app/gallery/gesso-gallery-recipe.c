/* SPDX-License-Identifier: MPL-2.0
 * gesso-gallery-recipe.c - a recipe as texts to be read, made from the table of parameters.
 */
#include "app/gallery/gesso-gallery-recipe.h"

#include <glib/gi18n.h>
#include <string.h>

#include "core/mem.h"
#include "recipe/adapters.h"
#include "recipe/infotext.h"
#include "session/gesso-choice.h"

static void
row_free (gpointer data)
{
  GessoRecipeRow *row = data;
  g_free (row->label);
  g_free (row->value);
  g_free (row);
}

void
gesso_recipe_text_free (GessoRecipeText *self)
{
  if (!self)
    return;
  g_free (self->prompt);
  g_free (self->negative);
  g_free (self->seed);
  g_ptr_array_unref (self->rows);
  g_free (self);
}

static char *
dup_value (const RecipeParam *param, const Recipe *recipe)
{
  Status status = { 0 };
  char *text = recipe_get_text (recipe, param->key, &status);
  char *copy = g_strdup (text ? text : "");
  mem_free (text);
  return copy;
}

static void
add_row (GessoRecipeText *self, const char *label, const char *value)
{
  GessoRecipeRow *row = g_new (GessoRecipeRow, 1);
  *row = (GessoRecipeRow){ g_strdup (label), g_utf8_make_valid (value, -1) };
  g_ptr_array_add (self->rows, row);
}

/* A file's name says more than its path; and whether it is there. */
static char *
dup_model_text (const char *path, GessoFileKind kind, GessoLibrary *library)
{
  g_autofree char *name = g_filename_display_basename (path);
  if (!library)
    return g_steal_pointer (&name);
  gboolean present = gesso_library_find_model (library, kind, path, NULL) != NULL;
  return present ? g_steal_pointer (&name) : g_strdup_printf (_ ("%s (not in your library)"), name);
}

/* "gouache 0.75, ink 1": those that took part. */
static char *
dup_adapters_text (const Recipe *recipe)
{
  RecipeAdapters list = { 0 };
  Status status = { 0 };
  g_autoptr (GString) text = g_string_new (NULL);
  recipe_adapters_read (&list, recipe, &status);
  for (size_t i = 0; i < list.n; i++)
    {
      const RecipeAdapter *item = &list.items[i];
      g_autofree char *base = item->path ? g_filename_display_basename (item->path) : NULL;
      const char *name = item->name ? item->name : base;
      if (item->muted || !name)
        continue;
      g_string_append_printf (text, "%s%s", text->len > 0 ? ", " : "", name);
      if (item->curve)
        g_string_append_printf (text, " %s", item->curve);
      else if (!item->is_embedding)
        g_string_append_printf (text, " %g", item->weight);
    }
  recipe_adapters_clear (&list);
  return g_string_free (g_steal_pointer (&text), FALSE);
}

static char *
dup_shown (const RecipeParam *param, const Recipe *recipe, GessoLibrary *library)
{
  g_autofree char *value = dup_value (param, recipe);
  if (strcmp (param->key, "sampler") == 0)
    return g_strdup (infotext_sampler_label (recipe->sampler));
  if (strcmp (param->key, "schedule") == 0)
    return g_strdup (infotext_schedule_label (recipe->schedule));
  if (strcmp (param->key, "model") == 0)
    return dup_model_text (value, GESSO_FILE_CHECKPOINT, library);
  if (strcmp (param->key, "vae") == 0)
    return dup_model_text (value, GESSO_FILE_VAE, library);
  if (param->type == PARAM_PATH)
    return g_filename_display_basename (value);
  if (strcmp (param->key, "adapters") == 0)
    return dup_adapters_text (recipe);
  if (param->type == PARAM_ENUM)
    return gesso_choice_dup_label (value);
  if (param->unit && strcmp (param->unit, "px") == 0)
    return g_strdup_printf (_ ("%s px"), value);
  return g_steal_pointer (&value);
}

/* Shown even when it is what every recipe says. */
static gboolean
is_always_shown (const char *key)
{
  return strcmp (key, "seed") == 0 || strcmp (key, "sampler") == 0;
}

/* Of no use to the reader, or shown elsewhere in the pane. */
static gboolean
is_hidden (const char *key)
{
  static const char *const hidden[] = { "prompt", "negative_prompt", "tiny_vae", "batch_count",
                                        "batch_size" };
  for (gsize i = 0; i < G_N_ELEMENTS (hidden); i++)
    if (strcmp (key, hidden[i]) == 0)
      return TRUE;
  return FALSE;
}

static void
fill (GessoRecipeText *self, const Recipe *recipe, GessoLibrary *library)
{
  const RecipeParam *table = recipe_table ();
  for (int i = 0; i < recipe_table_count (); i++)
    {
      const RecipeParam *param = &table[i];
      g_autofree char *value = dup_value (param, recipe);
      gboolean is_default = strcmp (value, param->default_text) == 0;
      if (is_hidden (param->key) || (is_default && !is_always_shown (param->key)))
        continue;
      g_autofree char *shown = dup_shown (param, recipe, library);
      if (*shown)
        add_row (self, _ (param->label), shown);
    }
}

GessoRecipeText *
gesso_recipe_text_new (const char *json, GessoLibrary *library, GError **error)
{
  g_return_val_if_fail (json != NULL, NULL);
  Recipe recipe;
  Notes notes = { 0 };
  Status status = { 0 };
  recipe_init (&recipe);
  gboolean ok = recipe_from_json (&recipe, json, strlen (json), &notes, &status);
  notes_clear (&notes);
  if (!ok)
    {
      recipe_clear (&recipe);
      g_set_error_literal (error, G_IO_ERROR, G_IO_ERROR_INVALID_DATA, status.message);
      return NULL;
    }
  GessoRecipeText *self = g_new0 (GessoRecipeText, 1);
  self->prompt = g_strdup (recipe_str (recipe.prompt));
  self->negative = g_strdup (recipe_str (recipe.negative_prompt));
  self->seed = g_strdup_printf ("%" G_GUINT64_FORMAT, recipe.seed);
  self->rows = g_ptr_array_new_with_free_func (row_free);
  fill (self, &recipe, library);
  recipe_clear (&recipe);
  return self;
}
