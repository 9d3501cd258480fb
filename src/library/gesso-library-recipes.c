/* SPDX-License-Identifier: MPL-2.0
 * gesso-library-recipes.c - the recipe inside a picture, with models as they are called here.
 */
#include <glib/gi18n.h>
#include <string.h>
#include <unistd.h>

#include "core/mem.h"
#include "library/gesso-library-private.h"
#include "media/texts.h"
#include "recipe/adapters.h"
#include "recipe/import.h"
#include "text/prompt-grammar.h"

#define COMFYUI_KEY "\"class_type\"" /* each node of a graph has it */

typedef struct
{
  char *path; /* NULL: @text says it */
  char *text;
  Recipe recipe;
  ImportSource source;
  Notes notes;
  GPtrArray *loras; /* of Lora */
} Reading;

/* One that the picture was made with, and whose file is not where it was. */
typedef struct
{
  char *name, *hash;
} Lora;

static void
lora_free (gpointer data)
{
  Lora *lora = data;
  g_free (lora->name);
  g_free (lora->hash);
  g_free (lora);
}

static void
reading_free (gpointer data)
{
  Reading *r = data;
  g_free (r->path);
  g_free (r->text);
  recipe_clear (&r->recipe);
  notes_clear (&r->notes);
  g_clear_pointer (&r->loras, g_ptr_array_unref);
  g_free (r);
}

static GIOErrorEnum
error_code (const Status *status)
{
  switch (status->code)
    {
    case STATUS_NOT_FOUND:
      return G_IO_ERROR_NOT_FOUND;
    case STATUS_UNSUPPORTED:
      return G_IO_ERROR_NOT_SUPPORTED;
    case STATUS_FORMAT:
      return G_IO_ERROR_INVALID_DATA;
    default:
      return G_IO_ERROR_FAILED;
    }
}

static void
set_error (GError **error, GIOErrorEnum code, const Status *status)
{
  g_autofree char *message = g_utf8_make_valid (status->message, -1);
  g_set_error_literal (error, G_IO_ERROR, (int) code, message);
}

static void
add_lora (Reading *r, const char *name, const char *hash)
{
  for (guint i = 0; i < r->loras->len; i++)
    if (g_str_equal (((Lora *) r->loras->pdata[i])->name, name))
      return;
  Lora *lora = g_new (Lora, 1);
  *lora = (Lora){ g_strdup (name), g_strdup (hash) };
  g_ptr_array_add (r->loras, lora);
}

static gboolean
add_listed_loras (Reading *r, Status *status)
{
  RecipeAdapters list = { 0 };
  if (!recipe_adapters_read (&list, &r->recipe, status))
    return FALSE;
  for (size_t i = 0; i < list.n; i++)
    {
      const RecipeAdapter *item = &list.items[i];
      const char *name = text_is_empty (item->name) ? item->path : item->name;
      gboolean there = item->path && access (item->path, R_OK) == 0;
      if (name && !there && !item->muted && !item->is_embedding)
        add_lora (r, name, item->hash);
    }
  recipe_adapters_clear (&list);
  return TRUE;
}

static gboolean
add_loras_of_prompt (Reading *r, Status *status)
{
  PromptNetworks networks = { 0 };
  if (!prompt_take_networks (recipe_str (r->recipe.prompt), &networks, status))
    return FALSE;
  for (int i = 0; i < networks.n; i++)
    if (!strcmp (networks.items[i].kind, "lora") || !strcmp (networks.items[i].kind, "lyco"))
      add_lora (r, networks.items[i].name, NULL);
  prompt_networks_clear (&networks);
  return TRUE;
}

static gboolean
import (Reading *r, const ImportText *texts, gsize n, Status *status)
{
  return import_recipe (&r->recipe, texts, n, &r->source, &r->notes, status) &&
         add_listed_loras (r, status) && add_loras_of_prompt (r, status);
}

static gboolean
read_recipe (Reading *r, Status *status)
{
  if (!r->path)
    {
      const char *key = strstr (r->text, COMFYUI_KEY) ? "prompt" : "parameters";
      return import (r, &(ImportText){ key, r->text }, 1, status);
    }
  MediaTexts texts = { 0 };
  gboolean ok = media_texts_read (&texts, r->path, status);
  g_autofree ImportText *pairs = g_new0 (ImportText, texts.n + 1);
  for (size_t i = 0; i < texts.n; i++)
    pairs[i] = (ImportText){ texts.items[i].key, texts.items[i].value };
  ok = ok && import (r, pairs, texts.n, status);
  media_texts_clear (&texts);
  return ok;
}

static void
read_thread (GTask *task, gpointer source, gpointer data, GCancellable *cancellable)
{
  Reading *r = data;
  Status status = { 0 };
  GError *error = NULL;
  if (read_recipe (r, &status))
    {
      g_task_return_boolean (task, TRUE);
      return;
    }
  /* a picture that says nothing is told from one that is not there */
  gboolean gone = status.code == STATUS_NOT_FOUND && r->path && access (r->path, F_OK) != 0;
  set_error (&error, gone ? G_IO_ERROR_FAILED : error_code (&status), &status);
  g_task_return_error (task, error);
}

static void
read_cb (GObject *source, GAsyncResult *result, gpointer user_data)
{
  g_autoptr (GTask) task = user_data;
  GError *error = NULL;
  if (g_task_propagate_boolean (G_TASK (result), &error))
    g_task_return_boolean (task, TRUE);
  else
    g_task_return_error (task, error);
}

static void
start_reading (GessoLibrary *self,
               const char *path,
               const char *text,
               GCancellable *cancellable,
               GAsyncReadyCallback callback,
               gpointer user_data)
{
  g_autoptr (GTask) task = g_task_new (self, cancellable, callback, user_data);
  Reading *r = g_new0 (Reading, 1);
  r->path = g_strdup (path);
  r->text = g_strdup (text);
  r->loras = g_ptr_array_new_with_free_func (lora_free);
  recipe_init (&r->recipe);
  g_task_set_source_tag (task, gesso_library_read_recipe_async);
  g_task_set_task_data (task, r, reading_free);
  /* the thread may be the last to let go of its task, which must not be what holds the library */
  g_autoptr (GTask) inner = g_task_new (NULL, cancellable, read_cb, g_object_ref (task));
  g_task_set_task_data (inner, r, NULL);
  g_task_run_in_thread (inner, read_thread);
}

void
gesso_library_read_recipe_async (GessoLibrary *self,
                                 const char *path,
                                 GCancellable *cancellable,
                                 GAsyncReadyCallback callback,
                                 gpointer user_data)
{
  g_return_if_fail (GESSO_IS_LIBRARY (self) && path);
  start_reading (self, path, NULL, cancellable, callback, user_data);
}

gboolean
gesso_library_text_has_settings (const char *text)
{
  g_return_val_if_fail (text, FALSE);
  return g_regex_match_simple ("^Steps: \\d+, ", text, G_REGEX_MULTILINE, 0) ||
         (g_regex_match_simple ("^\\s*\\{", text, 0, 0) && strstr (text, COMFYUI_KEY));
}

void
gesso_library_read_text_async (GessoLibrary *self,
                               const char *text,
                               GCancellable *cancellable,
                               GAsyncReadyCallback callback,
                               gpointer user_data)
{
  g_return_if_fail (GESSO_IS_LIBRARY (self) && text);
  start_reading (self, NULL, text, cancellable, callback, user_data);
}

static void
add_note (GStrvBuilder *notes, const char *text)
{
  g_autofree char *valid = g_utf8_make_valid (text, -1);
  g_strv_builder_add (notes, valid);
}

/* Puts the file of this library in place of the name, or says that there is none. */
static gboolean
resolve (GessoLibrary *self,
         Reading *r,
         GessoFileKind kind,
         const char *key,
         const char *name,
         const char *hash,
         GStrvBuilder *notes,
         Status *status)
{
  if (text_is_empty (name) && text_is_empty (hash))
    return TRUE;
  GessoModelFile *file = gesso_library_find_model (self, kind, name, hash);
  if (file)
    return recipe_set (&r->recipe, key, gesso_model_file_get_path (file), status);
  g_autofree char *note =
      text_is_empty (name)
          ? g_strdup_printf (_ ("The model with the hash %s is not in your library."), hash)
          : g_strdup_printf (_ ("The model “%s” is not in your library."), name);
  add_note (notes, note);
  return TRUE;
}

static void
note_missing_loras (GessoLibrary *self, const Reading *r, GStrvBuilder *notes)
{
  for (guint i = 0; i < r->loras->len; i++)
    {
      const Lora *lora = r->loras->pdata[i];
      if (gesso_library_find_model (self, GESSO_FILE_LORA, lora->name, lora->hash))
        continue;
      g_autofree char *note =
          g_strdup_printf (_ ("The LoRA “%s” is not in your library."), lora->name);
      add_note (notes, note);
    }
}

static char *
finish_recipe (GessoLibrary *self, Reading *r, GStrvBuilder *notes, Status *status)
{
  g_autofree char *model = g_strdup (r->recipe.model), *hash = g_strdup (r->recipe.model_hash);
  g_autofree char *expert = g_strdup (r->recipe.model_2);
  g_autofree char *vae = g_strdup (r->recipe.vae), *tiny = g_strdup (r->recipe.tiny_vae);
  for (size_t i = 0; i < r->notes.n; i++)
    add_note (notes, r->notes.items[i]);
  if (!resolve (self, r, GESSO_FILE_CHECKPOINT, "model", model, hash, notes, status) ||
      !resolve (self, r, GESSO_FILE_CHECKPOINT, "model_2", expert, NULL, notes, status) ||
      !resolve (self, r, GESSO_FILE_VAE, "vae", vae, NULL, notes, status) ||
      !resolve (self, r, GESSO_FILE_TINY_VAE, "tiny_vae", tiny, NULL, notes, status))
    return NULL;
  note_missing_loras (self, r, notes);
  char *json = recipe_to_json (&r->recipe, status);
  char *copy = g_strdup (json);
  mem_free (json);
  return copy;
}

char *
gesso_library_read_recipe_finish (
    GessoLibrary *self, GAsyncResult *result, char **source, char ***notes, GError **error)
{
  g_return_val_if_fail (g_task_is_valid (result, self), NULL);
  Reading *r = g_task_get_task_data (G_TASK (result));
  Status status = { 0 };
  if (!g_task_propagate_boolean (G_TASK (result), error))
    return NULL;
  GStrvBuilder *builder = g_strv_builder_new ();
  char *json = finish_recipe (self, r, builder, &status);
  g_auto (GStrv) all = g_strv_builder_end (builder);
  g_strv_builder_unref (builder);
  if (!json)
    {
      set_error (error, error_code (&status), &status);
      return NULL;
    }
  if (source)
    *source = g_strdup (import_source_name (r->source));
  if (notes)
    *notes = g_steal_pointer (&all);
  return json;
}
