/* SPDX-License-Identifier: MPL-2.0
 * gesso-few-steps.c - the offer to sample a distilled model as its makers do.
 */
#include "app/gesso-few-steps.h"

#include <glib/gi18n.h>

#include "app/gesso-name.h"
#include "app/gesso-paths.h"
#include "library/gesso-model-file.h"
#include "recipe/adapters.h"
#include "recipe/few-steps.h"
#include "session/gesso-choice.h"

#define N_TEXTS 3

struct _GessoFewSteps
{
  AdwBin parent_instance;
  GessoForm *form;
  GessoLibrary *library;
  GtkWidget *row;
  char *shipped; /* the model that comes with Gesso */
  FewSteps found;
  gssize adapter; /* in the list, whose it is; -1: the model's */
};

G_DEFINE_FINAL_TYPE (GessoFewSteps, gesso_few_steps, ADW_TYPE_BIN)

static void
clear_list (RecipeAdapters *list)
{
  recipe_adapters_clear (list);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (RecipeAdapters, clear_list)

/* ---- finding ---- */

static unsigned
families_of (const char *family)
{
  if (g_str_equal (family, "FLUX.1"))
    return PARAM_FOR_FLUX;
  if (g_str_equal (family, "Wan"))
    return PARAM_FOR_WAN;
  return g_str_has_prefix (family, "SD") ? PARAM_FOR_SD : 0;
}

/* What the library knows of the file, then its name with its folder's. */
static gboolean
is_one (
    FewSteps *found, GessoModelFile *file, const char *path, unsigned families, gboolean adapter)
{
  g_autofree char *folder = g_path_get_dirname (path);
  g_autofree char *above = g_path_get_basename (folder);
  g_autofree char *name = g_path_get_basename (path);
  g_autofree char *both = g_build_filename (above, name, NULL);
  const char *texts[N_TEXTS] = { file ? gesso_model_file_get_alias (file) : NULL,
                                 file ? gesso_model_file_get_name (file) : NULL, both };
  return few_steps_find (found, families, adapter, texts, N_TEXTS);
}

/* Adapters count before the model: they are what changes it. */
static gboolean
find (GessoFewSteps *self)
{
  const Recipe *recipe = gesso_form_peek (self->form);
  const char *path = recipe_str (recipe->model);
  GessoModelFile *model =
      gesso_library_find_model (self->library, GESSO_FILE_CHECKPOINT, path, NULL);
  unsigned families = model ? families_of (gesso_model_file_get_family (model))
                      : !g_strcmp0 (path, self->shipped) ? PARAM_FOR_SD
                                                         : 0;
  g_auto (RecipeAdapters) list = { 0 };
  Status ignored = { 0 };
  if (families && recipe_adapters_read (&list, recipe, &ignored))
    for (size_t i = 0; i < list.n; i++)
      {
        const RecipeAdapter *item = &list.items[i];
        const char *name = recipe_str (item->path ? item->path : item->name);
        GessoModelFile *file =
            gesso_library_find_model (self->library, GESSO_FILE_LORA, name, item->hash);
        if (item->muted || item->is_embedding || !is_one (&self->found, file, name, families, TRUE))
          continue;
        self->adapter = (gssize) i;
        return TRUE;
      }
  self->adapter = -1;
  return is_one (&self->found, model, path, families, FALSE);
}

/* ---- offering ---- */

/* What the form asks for, or what the model chooses where that is left to it. */
static double
effective (GessoFewSteps *self, const char *key)
{
  double value = 0;
  g_autofree char *filled = gesso_form_dup_filled (self->form, key);
  g_autofree char *text = gesso_form_dup_text (self->form, key);
  text_to_double (filled ? filled : text, &value);
  return value;
}

/* "Steps: 4, Guidance: 1, Sampler: Euler" */
static char *
describe (const FewSteps *found)
{
  FewStepsValue values[FEW_STEPS_VALUES];
  int n = few_steps_values (found, values);
  GString *text = g_string_new (NULL);
  for (int i = 0; i < n; i++)
    {
      const RecipeParam *param = recipe_find_param (values[i].key);
      g_autofree char *value = param->type == PARAM_ENUM ? gesso_choice_dup_label (values[i].text)
                                                         : g_strdup (values[i].text);
      /* Translators: the name of a parameter, then its value */
      g_string_append_printf (text, _ ("%s: %s"), _ (param->label), value);
      if (i + 1 < n || few_steps_weight (found) > 0)
        g_string_append (text, ", ");
    }
  if (few_steps_weight (found) > 0)
    {
      char weight[TEXT_NUMBER_SIZE];
      text_from_double (weight, few_steps_weight (found));
      g_string_append_printf (text, _ ("%s: %s"), _ ("Weight"), weight);
    }
  return g_string_free (text, FALSE);
}

static void
update (GessoFewSteps *self)
{
  gboolean offers = find (self) && !few_steps_fit (&self->found, (int) effective (self, "steps"),
                                                   effective (self, "guidance_scale"));
  gtk_widget_set_visible (GTK_WIDGET (self), offers);
  if (!offers)
    return;
  g_autofree char *title =
      g_strdup_printf (_ ("%s is made for few steps"), few_steps_name (&self->found));
  g_autofree char *settings = describe (&self->found);
  adw_preferences_row_set_title (ADW_PREFERENCES_ROW (self->row), title);
  adw_action_row_set_subtitle (ADW_ACTION_ROW (self->row), settings);
}

/* Each key of a prompt is a change, too. */
static void
changed_cb (GessoForm *form, const char *key, GessoFewSteps *self)
{
  static const char *const others[] = { "prompt", "negative_prompt", "seed", NULL };
  if (!g_strv_contains (others, key))
    update (self);
}

/* The weight that the LoRA's makers say, where the user left it at 1.  The list is the one that
 * find () saw: each change of the form looks again. */
static void
set_weight (GessoFewSteps *self)
{
  double weight = few_steps_weight (&self->found);
  g_auto (RecipeAdapters) list = { 0 };
  Recipe recipe;
  Status status = { 0 };
  if (weight <= 0 || self->adapter < 0 ||
      !recipe_adapters_read (&list, gesso_form_peek (self->form), &status) ||
      (gsize) self->adapter >= list.n || list.items[self->adapter].weight != 1)
    return;
  list.items[self->adapter].weight = list.items[self->adapter].text_weight = weight;
  recipe_init (&recipe);
  if (recipe_adapters_write (&list, &recipe, &status))
    gesso_form_set_text (self->form, "adapters", recipe_str (recipe.adapters), NULL);
  recipe_clear (&recipe);
}

static void
use_cb (GtkButton *button, gpointer user_data)
{
  GessoFewSteps *self = user_data;
  FewStepsValue values[FEW_STEPS_VALUES];
  int n = few_steps_values (&self->found, values);
  set_weight (self);
  for (int i = 0; i < n; i++)
    gesso_form_set_text (self->form, values[i].key, values[i].text, NULL);
}

static void
gesso_few_steps_dispose (GObject *object)
{
  GessoFewSteps *self = GESSO_FEW_STEPS (object);
  g_clear_object (&self->form);
  g_clear_object (&self->library);
  g_clear_pointer (&self->shipped, g_free);
  G_OBJECT_CLASS (gesso_few_steps_parent_class)->dispose (object);
}

static void
gesso_few_steps_class_init (GessoFewStepsClass *klass)
{
  G_OBJECT_CLASS (klass)->dispose = gesso_few_steps_dispose;
}

static void
gesso_few_steps_init (GessoFewSteps *self)
{
  GtkWidget *list = gtk_list_box_new ();
  self->row = adw_action_row_new ();
  GtkWidget *button = gesso_name_new_button (_ ("_Use"));
  gtk_widget_add_css_class (list, "boxed-list");
  gtk_list_box_set_selection_mode (GTK_LIST_BOX (list), GTK_SELECTION_NONE);
  gtk_widget_set_valign (button, GTK_ALIGN_CENTER);
  gtk_widget_set_tooltip_text (button, _ ("Set steps, guidance and sampler as its makers do"));
  g_signal_connect (button, "clicked", G_CALLBACK (use_cb), self);
  adw_action_row_add_suffix (ADW_ACTION_ROW (self->row), button);
  gtk_list_box_append (GTK_LIST_BOX (list), self->row);
  adw_bin_set_child (ADW_BIN (self), list);
}

GtkWidget *
gesso_few_steps_new (GessoForm *form, GessoLibrary *library)
{
  g_return_val_if_fail (GESSO_IS_FORM (form) && GESSO_IS_LIBRARY (library), NULL);
  GessoFewSteps *self = g_object_new (GESSO_TYPE_FEW_STEPS, NULL);
  self->form = g_object_ref (form);
  self->library = g_object_ref (library);
  self->shipped = gesso_paths_dup_shipped_model ();
  g_signal_connect_object (form, "changed", G_CALLBACK (changed_cb), self, 0);
  g_signal_connect_object (form, "filled", G_CALLBACK (update), self, G_CONNECT_SWAPPED);
  g_signal_connect_object (library, "changed", G_CALLBACK (update), self, G_CONNECT_SWAPPED);
  update (self);
  return GTK_WIDGET (self);
}
