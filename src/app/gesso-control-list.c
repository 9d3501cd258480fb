/* SPDX-License-Identifier: MPL-2.0
 * gesso-control-list.c - the ControlNets of the recipe: which, what they see, how strong, when.
 *
 * The form's JSON is the truth, as in gesso-adapter-list.c: a change made here is written into it
 * at once; one that comes from elsewhere makes those rows anew that it changes.
 */
#include "app/gesso-control-list.h"

#include <glib/gi18n.h>

#include "app/gesso-compat.h"
#include "app/gesso-control-preview.h"
#include "app/gesso-fit.h"
#include "app/gesso-list-row.h"
#include "app/gesso-model-picker.h"
#include "app/gesso-name.h"
#include "library/gesso-walk.h"
#include "recipe/controls.h"

#define KEY "controls"
#define LEAST_WEIGHT 0.0
#define LARGEST_WEIGHT 2.0
#define STEP GESSO_LIST_ROW_STEP
#define ROW "control-row"
#define PREVIEW_HEIGHT 120

struct _GessoControlList
{
  AdwBin parent_instance;
  GessoForm *form;
  GessoLibrary *library;
  GtkWidget *rows, *hint;
  gboolean busy; /* a change that the rows show already */
};

G_DEFINE_FINAL_TYPE (GessoControlList, gesso_control_list, ADW_TYPE_BIN)

static guint message_signal;

/* In the order of RecipePreprocess and RecipeResize. */
static const char *const preprocess_labels[] = { N_ ("As it is"),        N_ ("Canny edges"),
                                                 N_ ("Inverted"),        N_ ("Blurred"),
                                                 N_ ("Black and white"), NULL };
static const char *const resize_labels[] = { N_ ("Crop"), N_ ("Fill"), N_ ("Stretch"), NULL };

/* ---- the list in the form ---- */

static void
clear_list (RecipeControls *list)
{
  recipe_controls_clear (list);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (RecipeControls, clear_list)

static RecipeControls
read_list (GessoControlList *self)
{
  RecipeControls list = { .n = 0 };
  Status status = { 0 };
  recipe_controls_read (&list, gesso_form_peek (self->form), &status);
  return list;
}

static void
say (GessoControlList *self, const char *sentence)
{
  g_signal_emit (self, message_signal, 0, sentence);
}

/* The form takes texts: a recipe of its own makes one of the list. */
static void
write_list (GessoControlList *self, const RecipeControls *list)
{
  Recipe recipe;
  Status status = { 0 };
  recipe_init (&recipe);
  if (recipe_controls_write (list, &recipe, &status))
    gesso_form_set_text (self->form, KEY, recipe_str (recipe.controls), NULL);
  else
    say (self, status.message);
  recipe_clear (&recipe);
}

/* ---- one row ---- */

/* What of a row callbacks need, and what is told anew while the row stays: the focus and half-typed
 * values are in it.  The widgets are the row's, borrowed. */
typedef struct
{
  char *made_of; /* what it takes another row for, as dup_made_of() has it */
  GtkWidget *image, *image_label;
  GtkWidget *problem, *missing, *unread; /* warnings: about the item, its file, its picture */
  GtkPicture *preview;
  GtkAdjustment *start, *end;
} Row;

static void
row_free (gpointer data)
{
  Row *row = data;
  g_free (row->made_of);
  g_free (row);
}

static void
change (const GessoListPlace *place, void (*set) (RecipeControl *item, double value), double value)
{
  GessoControlList *self = GESSO_CONTROL_LIST (place->list);
  g_auto (RecipeControls) list = read_list (self);
  if (self->busy || place->index >= list.n)
    return;
  set (&list.items[place->index], value);
  self->busy = TRUE;
  write_list (self, &list);
  self->busy = FALSE;
}

static void
set_weight (RecipeControl *item, double value)
{
  item->weight = value;
}

static void
set_start (RecipeControl *item, double value)
{
  item->start = value;
}

static void
set_end (RecipeControl *item, double value)
{
  item->end = value;
}

static void
set_off (RecipeControl *item, double value)
{
  item->off = value != 0;
}

static void
set_resize (RecipeControl *item, double value)
{
  item->resize = (RecipeResize) value;
}

/* Another preprocessor has parameters of its own. */
static void
set_preprocess (RecipeControl *item, double value)
{
  item->preprocess = (RecipePreprocess) value;
  item->a = item->b = -1;
}

static void
weight_cb (GtkAdjustment *adjustment, gpointer user_data)
{
  change (user_data, set_weight, gtk_adjustment_get_value (adjustment));
}

/* An end before the start would be no range: the other one gives way. */
static void
start_cb (GtkAdjustment *adjustment, gpointer user_data)
{
  const GessoListPlace *place = user_data;
  const Row *row = place->row;
  double start = gtk_adjustment_get_value (adjustment);
  if (gtk_adjustment_get_value (row->end) < start + STEP)
    gtk_adjustment_set_value (row->end, start + STEP);
  change (place, set_start, start);
}

static void
end_cb (GtkAdjustment *adjustment, gpointer user_data)
{
  const GessoListPlace *place = user_data;
  const Row *row = place->row;
  double end = gtk_adjustment_get_value (adjustment);
  if (gtk_adjustment_get_value (row->start) > end - STEP)
    gtk_adjustment_set_value (row->start, end - STEP);
  change (place, set_end, end);
}

static void
on_cb (GObject *toggle, GParamSpec *pspec, gpointer user_data)
{
  change (user_data, set_off, !gtk_switch_get_active (GTK_SWITCH (toggle)));
}

static void
preprocess_cb (GtkDropDown *drop_down, GParamSpec *pspec, gpointer user_data)
{
  change (user_data, set_preprocess, gtk_drop_down_get_selected (drop_down));
}

static void
resize_cb (GtkDropDown *drop_down, GParamSpec *pspec, gpointer user_data)
{
  change (user_data, set_resize, gtk_drop_down_get_selected (drop_down));
}

static gboolean
remove_cb (gpointer user_data)
{
  const GessoListPlace *place = user_data;
  GessoControlList *self = GESSO_CONTROL_LIST (place->list);
  g_auto (RecipeControls) list = read_list (self);
  if (place->index < list.n)
    {
      recipe_controls_remove (&list, place->index);
      write_list (self, &list);
    }
  return G_SOURCE_REMOVE;
}

/* ---- the picture ---- */

/* A row may be made anew while its chooser is open. */
typedef struct
{
  GessoControlList *self;
  gsize index;
  char *model; /* of the item at @index when the chooser was opened */
} Choice;

static void
choice_free (Choice *choice)
{
  g_object_unref (choice->self);
  g_free (choice->model);
  g_free (choice);
}

G_DEFINE_AUTOPTR_CLEANUP_FUNC (Choice, choice_free)

/* Returns: whether @file can be a picture's at all */
static gboolean
use_file (GessoControlList *self, gsize index, GFile *file)
{
  const char *path = g_file_peek_path (file);
  if (path)
    gesso_control_list_set_image (self, (guint) index, path);
  else
    say (self, _ ("This file is not on this computer: save it first."));
  return path != NULL;
}

static void
image_chosen_cb (GFile *file, gpointer user_data)
{
  g_autoptr (Choice) choice = user_data;
  if (!file || !gtk_widget_get_root (GTK_WIDGET (choice->self)))
    return;
  g_auto (RecipeControls) list = read_list (choice->self);
  if (choice->index < list.n && g_strcmp0 (list.items[choice->index].model, choice->model) == 0)
    use_file (choice->self, choice->index, file);
  else
    say (choice->self, _ ("This ControlNet is not in the list any more: add it again."));
}

static void
image_clicked_cb (GtkButton *button, gpointer user_data)
{
  const GessoListPlace *place = user_data;
  GtkWindow *window = GTK_WINDOW (gtk_widget_get_root (GTK_WIDGET (button)));
  GessoControlList *self = GESSO_CONTROL_LIST (place->list);
  g_auto (RecipeControls) list = read_list (self);
  if (place->index >= list.n)
    return;
  Choice *choice = g_new (Choice, 1);
  *choice =
      (Choice){ g_object_ref (self), place->index, g_strdup (list.items[place->index].model) };
  gesso_compat_choose (window, GESSO_CHOOSE_FILE, _ ("Picture for the ControlNet"), NULL, NULL,
                       image_chosen_cb, choice);
}

static gboolean
drop_cb (GtkDropTarget *target, const GValue *value, double x, double y, gpointer user_data)
{
  const GessoListPlace *place = user_data;
  g_autoptr (GSList) files = gdk_file_list_get_files (g_value_get_boxed (value));
  return files && use_file (GESSO_CONTROL_LIST (place->list), place->index, files->data);
}

static GtkWidget *
new_image_button (GessoListPlace place)
{
  Row *row = place.row;
  row->image = gtk_button_new ();
  row->image_label = gtk_label_new (NULL);
  gtk_label_set_ellipsize (GTK_LABEL (row->image_label), PANGO_ELLIPSIZE_MIDDLE);
  gtk_button_set_child (GTK_BUTTON (row->image), row->image_label);
  gtk_widget_set_hexpand (row->image, TRUE);
  gesso_list_row_connect (place, row->image, "clicked", G_CALLBACK (image_clicked_cb));
  return row->image;
}

static GtkWidget *
new_preview (Row *row, const char *name)
{
  GtkWidget *preview = gtk_picture_new ();
  g_autofree char *shows = g_strdup_printf (_ ("What %s sees"), name);
  row->preview = GTK_PICTURE (preview);
  gtk_widget_set_size_request (preview, -1, PREVIEW_HEIGHT);
  gtk_widget_set_visible (preview, FALSE);
  gtk_picture_set_alternative_text (row->preview, shows);
  return preview;
}

static void
take_drops (GessoListPlace place, GtkWidget *row)
{
  GtkDropTarget *target = gtk_drop_target_new (GDK_TYPE_FILE_LIST, GDK_ACTION_COPY);
  gesso_list_row_connect (place, target, "drop", G_CALLBACK (drop_cb));
  gtk_widget_add_controller (row, GTK_EVENT_CONTROLLER (target));
}

/* ---- its parts ---- */

static GtkWidget *
new_choice (GessoListPlace place,
            const char *const *labels,
            guint selected,
            const char *spoken,
            void (*callback) (GtkDropDown *drop_down, GParamSpec *pspec, gpointer user_data))
{
  g_autoptr (GtkStringList) shown = gtk_string_list_new (NULL);
  for (int i = 0; labels[i]; i++)
    gtk_string_list_append (shown, _ (labels[i]));
  GtkWidget *widget = gtk_drop_down_new (G_LIST_MODEL (g_steal_pointer (&shown)), NULL);
  gtk_drop_down_set_selected (GTK_DROP_DOWN (widget), selected);
  gesso_name_drop_down (widget, spoken);
  gesso_list_row_connect (place, widget, "notify::selected", G_CALLBACK (callback));
  return widget;
}

static GtkWidget *
new_weight (GessoListPlace place, const RecipeControl *item, const char *name)
{
  g_autofree char *spoken = g_strdup_printf (_ ("Weight of %s"), name);
  GtkAdjustment *weight;
  GtkWidget *box = gesso_list_row_new_weight (_ ("Weight"), item->weight, LEAST_WEIGHT,
                                              LARGEST_WEIGHT, spoken, &weight);
  gesso_list_row_connect (place, weight, "value-changed", G_CALLBACK (weight_cb));
  return box;
}

static GtkWidget *
new_range (GessoListPlace place, const RecipeControl *item, const char *name)
{
  Row *row = place.row;
  GtkWidget *box = gtk_box_new (GTK_ORIENTATION_HORIZONTAL, GESSO_LIST_ROW_GAP);
  g_autofree char *starts = g_strdup_printf (_ ("Part of the steps that %s starts at"), name);
  g_autofree char *ends = g_strdup_printf (_ ("Part of the steps that %s ends at"), name);
  row->start = gtk_adjustment_new (item->start, 0, 1 - STEP, STEP, 4 * STEP, 0);
  row->end = gtk_adjustment_new (item->end, STEP, 1, STEP, 4 * STEP, 0);
  gtk_box_append (GTK_BOX (box), gesso_list_row_new_caption (_ ("From")));
  gtk_box_append (GTK_BOX (box), gesso_list_row_new_spin (row->start, starts));
  gtk_box_append (GTK_BOX (box), gesso_list_row_new_caption (_ ("to")));
  gtk_box_append (GTK_BOX (box), gesso_list_row_new_spin (row->end, ends));
  gtk_box_append (GTK_BOX (box), gesso_list_row_new_caption (_ ("of the steps")));
  gesso_list_row_connect (place, row->start, "value-changed", G_CALLBACK (start_cb));
  gesso_list_row_connect (place, row->end, "value-changed", G_CALLBACK (end_cb));
  return box;
}

/* What is wrong with it besides its file, before the job says so; NULL when nothing is. */
static char *
dup_problem (GessoControlList *self, const RecipeControl *item)
{
  GessoModelFile *file =
      gesso_library_find_model (self->library, GESSO_FILE_CONTROLNET, item->model, NULL);
  const char *of = file ? gesso_model_file_get_family (file) : "";
  const char *wanted = gesso_fit_family (self->library, gesso_form_peek (self->form));
  if (!gesso_fit_is_for (of, wanted))
    return g_strdup_printf (_ ("It is for %s, and the model is one of %s"), of, wanted);
  if (!item->image)
    return g_strdup (_ ("It needs a picture: choose one, or drop one here"));
  return NULL;
}

static GtkWidget *
new_choices (GessoListPlace place, const RecipeControl *item, const char *name)
{
  GtkWidget *box = gtk_box_new (GTK_ORIENTATION_HORIZONTAL, GESSO_LIST_ROW_GAP);
  g_autofree char *made = g_strdup_printf (_ ("What is made of the picture for %s"), name);
  g_autofree char *fits = g_strdup_printf (_ ("How the picture for %s gets its shape"), name);
  GtkWidget *preprocess =
      new_choice (place, preprocess_labels, item->preprocess, made, preprocess_cb);
  gtk_widget_set_hexpand (preprocess, TRUE);
  gtk_box_append (GTK_BOX (box), preprocess);
  gtk_box_append (GTK_BOX (box), new_choice (place, resize_labels, item->resize, fits, resize_cb));
  return box;
}

static char *
dup_shown_name (GessoControlList *self, const RecipeControl *item)
{
  char *title = gesso_list_row_dup_title (self->library, GESSO_FILE_CONTROLNET, item->model);
  if (title)
    return title;
  if (item->model && g_path_is_absolute (item->model))
    return gesso_walk_dup_model_name (item->model);
  return g_strdup (item->model ? item->model : _ ("ControlNet"));
}

/* All that a row shows and show_item() does not tell anew. */
static char *
dup_made_of (const RecipeControl *item, const char *name)
{
  return g_strdup_printf ("%s\n%s\n%.17g %.17g %.17g %d %d %d", name, recipe_str (item->model),
                          item->weight, item->start, item->end, item->preprocess, item->resize,
                          item->off);
}

static void
show_item (GessoControlList *self, const Row *row, const RecipeControl *item, const char *name)
{
  g_autofree char *problem = dup_problem (self, item);
  g_autofree char *base =
      item->image ? g_filename_display_basename (item->image) : g_strdup (_ ("Choose a picture"));
  g_autofree char *spoken = g_strdup_printf (_ ("Picture for %s: %s"), name, base);
  gtk_label_set_text (GTK_LABEL (row->image_label), base);
  gtk_widget_set_tooltip_text (row->image, item->image);
  gesso_name (row->image, spoken);
  gesso_list_row_warn (row->problem, problem);
  gesso_list_row_warn_of_missing (
      row->missing, item->model && g_path_is_absolute (item->model) ? item->model : NULL);
  gesso_control_preview_show (row->preview, row->unread, item);
}

static GtkWidget *
new_row (GessoControlList *self, const RecipeControl *item, guint i, const char *name)
{
  GtkWidget *box = gtk_box_new (GTK_ORIENTATION_VERTICAL, 4);
  Row *row = g_new0 (Row, 1);
  GessoListPlace place = { GTK_WIDGET (self), i, row };
  GessoListHead head = { name, item->model, !item->off, TRUE, G_CALLBACK (on_cb), remove_cb };
  row->made_of = dup_made_of (item, name);
  row->problem = gesso_list_row_new_warning (NULL);
  row->missing = gesso_list_row_new_warning (NULL);
  row->unread = gesso_list_row_new_warning (NULL);
  g_object_set_data_full (G_OBJECT (box), ROW, row, row_free);
  gtk_widget_add_css_class (box, "adapter-row");
  gtk_box_append (GTK_BOX (box), gesso_list_row_new_head (place, &head));
  gtk_box_append (GTK_BOX (box), new_image_button (place));
  gtk_box_append (GTK_BOX (box), row->unread);
  gtk_box_append (GTK_BOX (box), new_preview (row, name));
  gtk_box_append (GTK_BOX (box), new_choices (place, item, name));
  gtk_box_append (GTK_BOX (box), new_weight (place, item, name));
  gtk_box_append (GTK_BOX (box), new_range (place, item, name));
  gtk_box_append (GTK_BOX (box), row->missing);
  gtk_box_append (GTK_BOX (box), row->problem);
  take_drops (place, box);
  return box;
}

/* ---- all rows ---- */

/* Other models have no use for them; what is in the recipe is shown all the same. */
static gboolean
suits_model (GessoControlList *self)
{
  const char *family = gesso_fit_family (self->library, gesso_form_peek (self->form));
  return !family[0] || g_str_has_prefix (family, "SD");
}

/* @box: the row that is there now, or NULL.  Returns: the row of @item */
static GtkWidget *
update_row (GessoControlList *self, GtkWidget *box, const RecipeControl *item, guint i)
{
  g_autofree char *name = dup_shown_name (self, item);
  g_autofree char *made_of = dup_made_of (item, name);
  Row *row = box ? g_object_get_data (G_OBJECT (box), ROW) : NULL;
  if (!row || (!self->busy && !g_str_equal (row->made_of, made_of)))
    {
      GtkWidget *old = box;
      box = new_row (self, item, i, name);
      gtk_box_insert_child_after (GTK_BOX (self->rows), box,
                                  old ? old : gtk_widget_get_last_child (self->rows));
      if (old)
        gtk_box_remove (GTK_BOX (self->rows), old);
      row = g_object_get_data (G_OBJECT (box), ROW);
    }
  g_free (row->made_of);
  row->made_of = g_steal_pointer (&made_of);
  show_item (self, row, item, name);
  return box;
}

/* A change of the form, another model, or a scan that has found out what something is. */
static void
update (GessoControlList *self)
{
  g_auto (RecipeControls) list = read_list (self);
  GtkWidget *box = gtk_widget_get_first_child (self->rows);
  for (guint i = 0; i < list.n; i++)
    box = gtk_widget_get_next_sibling (update_row (self, box, &list.items[i], i));
  while (box)
    {
      GtkWidget *next = gtk_widget_get_next_sibling (box);
      gtk_box_remove (GTK_BOX (self->rows), box);
      box = next;
    }
  gtk_widget_set_visible (self->hint, list.n == 0);
  gtk_widget_set_visible (GTK_WIDGET (self), list.n > 0 || suits_model (self));
}

void
gesso_control_list_add (GessoControlList *self, const char *path)
{
  g_return_if_fail (GESSO_IS_CONTROL_LIST (self) && path);
  g_auto (RecipeControls) list = read_list (self);
  Status status = { 0 };
  if (recipe_controls_add (&list, path, &status))
    write_list (self, &list);
  else
    say (self, status.message);
}

void
gesso_control_list_set_image (GessoControlList *self, guint index, const char *path)
{
  g_return_if_fail (GESSO_IS_CONTROL_LIST (self) && path);
  g_auto (RecipeControls) list = read_list (self);
  Status status = { 0 };
  if (index >= list.n)
    return;
  if (text_replace (&list.items[index].image, path, &status))
    write_list (self, &list);
  else
    say (self, status.message);
  /* The same path may be that of another file by now, which is no news to the form. */
  update (self);
}

static void
chosen_cb (GessoModelPicker *picker, const char *path, gpointer user_data)
{
  gesso_control_list_add (user_data, path);
}

/* ---- making ---- */

static void
gesso_control_list_dispose (GObject *object)
{
  GessoControlList *self = GESSO_CONTROL_LIST (object);
  g_clear_object (&self->form);
  g_clear_object (&self->library);
  G_OBJECT_CLASS (gesso_control_list_parent_class)->dispose (object);
}

static void
gesso_control_list_class_init (GessoControlListClass *klass)
{
  G_OBJECT_CLASS (klass)->dispose = gesso_control_list_dispose;
  message_signal = g_signal_new ("message", GESSO_TYPE_CONTROL_LIST, G_SIGNAL_RUN_LAST, 0, NULL,
                                 NULL, NULL, G_TYPE_NONE, 1, G_TYPE_STRING);
}

static void
gesso_control_list_init (GessoControlList *self)
{
}

GtkWidget *
gesso_control_list_new (GessoForm *form, GessoLibrary *library)
{
  g_return_val_if_fail (GESSO_IS_FORM (form) && GESSO_IS_LIBRARY (library), NULL);
  GessoControlList *self = g_object_new (GESSO_TYPE_CONTROL_LIST, NULL);
  self->form = g_object_ref (form);
  self->library = g_object_ref (library);
  GtkWidget *picker =
      gesso_model_picker_new_chooser (form, library, GESSO_FILE_CONTROLNET, _ ("Add a ControlNet"));
  g_signal_connect_object (picker, "chosen", G_CALLBACK (chosen_cb), self, 0);
  adw_bin_set_child (
      ADW_BIN (self),
      gesso_list_row_new_group (_ ("ControlNets"), picker,
                                _ ("None. A ControlNet makes SD 1.5 and SDXL follow a picture."),
                                &self->rows, &self->hint));
  g_signal_connect_object (form, "changed::" KEY, G_CALLBACK (update), self, G_CONNECT_SWAPPED);
  g_signal_connect_object (form, "changed::model", G_CALLBACK (update), self, G_CONNECT_SWAPPED);
  g_signal_connect_object (library, "changed", G_CALLBACK (update), self, G_CONNECT_SWAPPED);
  update (self);
  return GTK_WIDGET (self);
}
