/* SPDX-License-Identifier: MPL-2.0
 * gesso-form.c - the recipe that is being written, with change notification.
 */
#include "app/gesso-form.h"

#include <string.h>

#include "core/mem.h"

struct _GessoForm
{
  GObject parent_instance;
  Recipe recipe;
  Recipe filled;
  gboolean has_filled;
};

G_DEFINE_FINAL_TYPE (GessoForm, gesso_form, G_TYPE_OBJECT)

enum
{
  CHANGED,
  FILLED,
  N_SIGNALS
};
static guint signals[N_SIGNALS];

static void
take_status (const Status *status, int code, GError **error)
{
  g_set_error_literal (error, G_IO_ERROR, code, status->message);
}

/* The engine's heap and GLib's are not the same door. */
static char *
take_text (char *engine_text)
{
  char *text = g_strdup (engine_text ? engine_text : "");
  mem_free (engine_text);
  return text;
}

static void
emit_changed (GessoForm *self, const char *key)
{
  g_signal_emit (self, signals[CHANGED], g_quark_from_string (key), key);
}

static void
emit_all_changed (GessoForm *self)
{
  for (int i = 0; i < recipe_table_count (); i++)
    emit_changed (self, recipe_table ()[i].key);
}

static void
gesso_form_finalize (GObject *object)
{
  GessoForm *self = GESSO_FORM (object);
  recipe_clear (&self->recipe);
  recipe_clear (&self->filled);
  G_OBJECT_CLASS (gesso_form_parent_class)->finalize (object);
}

static void
gesso_form_class_init (GessoFormClass *klass)
{
  G_OBJECT_CLASS (klass)->finalize = gesso_form_finalize;
  signals[CHANGED] =
      g_signal_new ("changed", GESSO_TYPE_FORM, G_SIGNAL_RUN_LAST | G_SIGNAL_DETAILED, 0, NULL,
                    NULL, NULL, G_TYPE_NONE, 1, G_TYPE_STRING);
  signals[FILLED] = g_signal_new ("filled", GESSO_TYPE_FORM, G_SIGNAL_RUN_LAST, 0, NULL, NULL, NULL,
                                  G_TYPE_NONE, 0);
}

static void
gesso_form_init (GessoForm *self)
{
  recipe_init (&self->recipe);
  recipe_init (&self->filled);
}

GessoForm *
gesso_form_new (void)
{
  return g_object_new (GESSO_TYPE_FORM, NULL);
}

char *
gesso_form_dup_text (GessoForm *self, const char *key)
{
  g_return_val_if_fail (GESSO_IS_FORM (self), NULL);
  Status status = { 0 };
  return take_text (recipe_get_text (&self->recipe, key, &status));
}

gboolean
gesso_form_set_text (GessoForm *self, const char *key, const char *text, GError **error)
{
  g_return_val_if_fail (GESSO_IS_FORM (self), FALSE);
  g_return_val_if_fail (key != NULL && text != NULL, FALSE);

  g_autofree char *before = gesso_form_dup_text (self, key);
  Status status = { 0 };
  if (!recipe_set (&self->recipe, key, text, &status))
    {
      take_status (&status, G_IO_ERROR_INVALID_ARGUMENT, error);
      return FALSE;
    }
  g_autofree char *after = gesso_form_dup_text (self, key);
  if (strcmp (before, after) != 0)
    emit_changed (self, key);
  return TRUE;
}

void
gesso_form_reset (GessoForm *self, const char *key)
{
  const RecipeParam *param = recipe_find_param (key);
  g_return_if_fail (param != NULL);
  gesso_form_set_text (self, key, param->default_text, NULL);
}

void
gesso_form_reset_all (GessoForm *self)
{
  static const char *const kept[] = { "prompt", "negative_prompt", "model", "init_image", "mask",
                                      NULL };
  for (int i = 0; i < recipe_table_count (); i++)
    if (!g_strv_contains (kept, recipe_table ()[i].key))
      gesso_form_reset (self, recipe_table ()[i].key);
}

gboolean
gesso_form_is_default (GessoForm *self, const char *key)
{
  const RecipeParam *param = recipe_find_param (key);
  g_return_val_if_fail (param != NULL, TRUE);
  g_autofree char *text = gesso_form_dup_text (self, key);
  return strcmp (text, param->default_text) == 0;
}

const Recipe *
gesso_form_peek (GessoForm *self)
{
  g_return_val_if_fail (GESSO_IS_FORM (self), NULL);
  return &self->recipe;
}

char *
gesso_form_to_json (GessoForm *self)
{
  g_return_val_if_fail (GESSO_IS_FORM (self), NULL);
  Status status = { 0 };
  return take_text (recipe_to_json (&self->recipe, &status));
}

static gboolean
load (Recipe *recipe, const char *json, GError **error)
{
  Status status = { 0 };
  Notes notes = { 0 };
  gboolean ok = recipe_from_json (recipe, json, strlen (json), &notes, &status);
  notes_clear (&notes);
  if (!ok)
    take_status (&status, G_IO_ERROR_INVALID_DATA, error);
  return ok;
}

gboolean
gesso_form_load (GessoForm *self, const char *json, GError **error)
{
  g_return_val_if_fail (GESSO_IS_FORM (self), FALSE);
  g_return_val_if_fail (json != NULL, FALSE);
  if (!load (&self->recipe, json, error))
    return FALSE;
  emit_all_changed (self);
  return TRUE;
}

void
gesso_form_set_filled (GessoForm *self, const char *json)
{
  g_return_if_fail (GESSO_IS_FORM (self));
  self->has_filled = json && load (&self->filled, json, NULL);
  g_signal_emit (self, signals[FILLED], 0);
}

char *
gesso_form_dup_filled (GessoForm *self, const char *key)
{
  g_return_val_if_fail (GESSO_IS_FORM (self), NULL);
  if (!self->has_filled || !gesso_form_is_default (self, key))
    return NULL;
  Status status = { 0 };
  g_autofree char *filled = take_text (recipe_get_text (&self->filled, key, &status));
  const RecipeParam *param = recipe_find_param (key);
  return strcmp (filled, param->default_text) == 0 ? NULL : g_steal_pointer (&filled);
}
