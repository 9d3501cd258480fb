/* SPDX-License-Identifier: MPL-2.0
 * gesso-parameter-list.c - a row for each key of the recipe table, the common ones on top.
 *
 * A key that a later version of the table brings appears under Advanced by itself.  What is there
 * is made when somebody looks: its rows were a third of what a window made at its start.
 */
#include "app/gesso-parameter-list.h"

#include <glib/gi18n.h>

#include "app/gesso-name.h"
#include "app/gesso-parameter-row.h"
#include "app/gesso-shape-picker.h"

struct _GessoParameterList
{
  AdwBin parent_instance;
  GessoForm *form;
  GessoLibrary *library;
  GtkWidget *shape;
  GtkWidget *advanced; /* without rows until they are asked for */
  GHashTable *rows;    /* key -> GtkWidget, borrowed */
  gboolean has_mask;
};

G_DEFINE_FINAL_TYPE (GessoParameterList, gesso_parameter_list, ADW_TYPE_BIN)

static guint families_changed_signal;

static const char *const common_keys[] = { "model",       "extend",         "width", "frames",
                                           "steps",       "guidance_scale", "seed",  "denoise",
                                           "first_frame", "last_frame",     NULL };

gboolean
gesso_parameter_list_is_elsewhere (const char *key)
{
  static const char *const keys[] = { "prompt",     "negative_prompt", "batch_count",
                                      "init_image", "mask_image",      "mask",
                                      "model_hash", "adapters",        "controls",
                                      NULL };
  return g_strv_contains (keys, key);
}

static GtkWidget *
new_shape_row (GessoParameterList *self)
{
  static const char *const keys[] = { "width", "height", NULL };
  self->shape = gesso_shape_picker_new (self->form);
  GtkWidget *row = gesso_parameter_row_new_with_editor (
      self->form, _ ("Shape"), _ ("Ratio and size of the picture."), keys, self->shape);
  g_hash_table_insert (self->rows, (gpointer) "height", row);
  return row;
}

static GtkWidget *
new_row (GessoParameterList *self, const char *key)
{
  GtkWidget *row = g_str_equal (key, "width")
                       ? new_shape_row (self)
                       : gesso_parameter_row_new (self->form, key, self->library);
  g_hash_table_insert (self->rows, (gpointer) key, row);
  return row;
}

/* The family of the chosen model, as a mask of ParamFamily; all of them while it is not known. */
static unsigned
families_of_model (GessoParameterList *self)
{
  g_autofree char *name = gesso_form_dup_text (self->form, "model");
  if (!name[0])
    return PARAM_FOR_SD; /* the model that ships */
  GessoModelFile *file =
      gesso_library_find_model (self->library, GESSO_FILE_CHECKPOINT, name, NULL);
  const char *family = file ? gesso_model_file_get_family (file) : "";
  if (g_str_equal (family, "FLUX.1"))
    return PARAM_FOR_FLUX;
  if (g_str_equal (family, "Wan"))
    return PARAM_FOR_WAN;
  return g_str_has_prefix (family, "SD") ? PARAM_FOR_SD : ~0u;
}

/* A further reference is asked for once there is one before it. */
static gboolean
waits_for_reference (GessoParameterList *self, const char *key)
{
  const char *before = g_str_equal (key, "reference_places") ? recipe_reference_keys[1] : NULL;
  for (int i = 1; !before && i < RECIPE_MAX_REFERENCES; i++)
    if (g_str_equal (key, recipe_reference_keys[i]))
      before = recipe_reference_keys[i - 1];
  return before && gesso_form_is_default (self->form, before) &&
         gesso_form_is_default (self->form, key);
}

static gboolean
needs_mask (const char *key)
{
  return g_str_has_prefix (key, "mask_") || g_str_has_prefix (key, "inpaint_");
}

/* What has no effect on the chosen model is not shown, nor what only matters to a masked part
 * without one. */
static void
show_what_counts (GessoParameterList *self)
{
  unsigned families = families_of_model (self);
  GHashTableIter iter;
  gpointer key, row;
  g_hash_table_iter_init (&iter, self->rows);
  while (g_hash_table_iter_next (&iter, &key, &row))
    {
      const RecipeParam *param = recipe_find_param (key);
      /* on top only what certainly has an effect */
      gboolean sure = families != ~0u || !g_strv_contains (common_keys, key);
      gboolean counts = !param->families || (sure && (param->families & families) != 0 &&
                                             !waits_for_reference (self, key));
      if (param->families || needs_mask (key))
        gtk_widget_set_visible (row, counts && (self->has_mask || !needs_mask (key)));
    }
}

static void
model_changed_cb (GessoParameterList *self)
{
  show_what_counts (self);
  g_signal_emit (self, families_changed_signal, 0);
}

static void
fill_advanced (GessoParameterList *self)
{
  for (int i = 0; i < recipe_table_count (); i++)
    {
      const char *key = recipe_table ()[i].key;
      if (!gesso_parameter_list_is_elsewhere (key) && !g_hash_table_contains (self->rows, key))
        adw_expander_row_add_row (ADW_EXPANDER_ROW (self->advanced), new_row (self, key));
    }
  show_what_counts (self);
}

static void
fill (GessoParameterList *self)
{
  GtkWidget *group = adw_preferences_group_new ();
  gtk_widget_add_css_class (group, "parameters");
  for (int i = 0; common_keys[i]; i++)
    adw_preferences_group_add (ADW_PREFERENCES_GROUP (group), new_row (self, common_keys[i]));
  self->advanced = adw_expander_row_new ();
  adw_preferences_row_set_title (ADW_PREFERENCES_ROW (self->advanced), _ ("Advanced"));
  g_signal_connect_swapped (self->advanced, "notify::expanded", G_CALLBACK (fill_advanced), self);
  adw_preferences_group_add (ADW_PREFERENCES_GROUP (group), self->advanced);
  adw_bin_set_child (ADW_BIN (self), group);
  gesso_name (self->advanced, _ ("Advanced"));
  gesso_name_lists (group, _ ("Parameters"));
  gesso_name_lists (self->advanced, _ ("Advanced"));
  gesso_parameter_list_set_has_pixels (self, FALSE);
}

gboolean
gesso_parameter_list_makes_clips (GessoParameterList *self)
{
  g_return_val_if_fail (GESSO_IS_PARAMETER_LIST (self), FALSE);
  return families_of_model (self) == PARAM_FOR_WAN;
}

static void
gesso_parameter_list_dispose (GObject *object)
{
  GessoParameterList *self = GESSO_PARAMETER_LIST (object);
  g_clear_object (&self->form);
  g_clear_object (&self->library);
  g_clear_pointer (&self->rows, g_hash_table_unref);
  G_OBJECT_CLASS (gesso_parameter_list_parent_class)->dispose (object);
}

static void
gesso_parameter_list_class_init (GessoParameterListClass *klass)
{
  G_OBJECT_CLASS (klass)->dispose = gesso_parameter_list_dispose;
  families_changed_signal = g_signal_new ("families-changed", GESSO_TYPE_PARAMETER_LIST,
                                          G_SIGNAL_RUN_LAST, 0, NULL, NULL, NULL, G_TYPE_NONE, 0);
}

static void
gesso_parameter_list_init (GessoParameterList *self)
{
  self->rows = g_hash_table_new (g_str_hash, g_str_equal);
}

GtkWidget *
gesso_parameter_list_new (GessoForm *form, GessoLibrary *library)
{
  g_return_val_if_fail (GESSO_IS_FORM (form) && GESSO_IS_LIBRARY (library), NULL);
  GessoParameterList *self = g_object_new (GESSO_TYPE_PARAMETER_LIST, NULL);
  self->form = g_object_ref (form);
  self->library = g_object_ref (library);
  fill (self);
  model_changed_cb (self);
  g_signal_connect_object (form, "changed::model", G_CALLBACK (model_changed_cb), self,
                           G_CONNECT_SWAPPED);
  for (int i = 0; i < RECIPE_MAX_REFERENCES; i++)
    {
      g_autofree char *detail = g_strconcat ("changed::", recipe_reference_keys[i], NULL);
      g_signal_connect_object (form, detail, G_CALLBACK (model_changed_cb), self,
                               G_CONNECT_SWAPPED);
    }
  g_signal_connect_object (gesso_library_get_models (library, GESSO_FILE_CHECKPOINT),
                           "items-changed", G_CALLBACK (model_changed_cb), self, G_CONNECT_SWAPPED);
  return GTK_WIDGET (self);
}

GtkWidget *
gesso_parameter_list_get_row (GessoParameterList *self, const char *key)
{
  g_return_val_if_fail (GESSO_IS_PARAMETER_LIST (self), NULL);
  if (!g_hash_table_contains (self->rows, key))
    fill_advanced (self);
  return g_hash_table_lookup (self->rows, key);
}

void
gesso_parameter_list_set_has_pixels (GessoParameterList *self, gboolean has_pixels)
{
  g_return_if_fail (GESSO_IS_PARAMETER_LIST (self));
  gtk_widget_set_visible (gesso_parameter_list_get_row (self, "denoise"), has_pixels);
}

void
gesso_parameter_list_set_has_mask (GessoParameterList *self, gboolean has_mask)
{
  g_return_if_fail (GESSO_IS_PARAMETER_LIST (self));
  if (self->has_mask == has_mask)
    return;
  self->has_mask = has_mask;
  show_what_counts (self);
}

void
gesso_parameter_list_set_native (GessoParameterList *self, int side, int step)
{
  g_return_if_fail (GESSO_IS_PARAMETER_LIST (self));
  gesso_shape_picker_set_native (GESSO_SHAPE_PICKER (self->shape), side, step);
}
