/* SPDX-License-Identifier: MPL-2.0
 * gesso-control-list.c - the ControlNets of the recipe: which, what they see, how strong, when.
 *
 * The form's JSON is the truth, as in gesso-adapter-list.c: a change made here is written into it
 * at once; one that comes from elsewhere makes the rows anew.
 */
#include "app/gesso-control-list.h"

#include <glib/gi18n.h>

#include "app/gesso-compat.h"
#include "app/gesso-control-preview.h"
#include "app/gesso-model-picker.h"
#include "app/gesso-name.h"
#include "app/gesso-wheel.h"
#include "recipe/controls.h"

#define KEY "controls"
#define LEAST_WEIGHT 0.0
#define LARGEST_WEIGHT 2.0
#define STEP 0.05
#define PREVIEW_HEIGHT 120

struct _GessoControlList
{
  AdwBin parent_instance;
  GessoForm *form;
  GessoLibrary *library;
  GtkWidget *rows, *hint;
  gboolean busy; /* a change that we make ourselves is no news */
};

G_DEFINE_FINAL_TYPE (GessoControlList, gesso_control_list, ADW_TYPE_BIN)

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

/* The form takes texts: a recipe of its own makes one of the list. */
static void
write_list (GessoControlList *self, const RecipeControls *list)
{
  Recipe recipe;
  Status status = { 0 };
  recipe_init (&recipe);
  if (recipe_controls_write (list, &recipe, &status))
    gesso_form_set_text (self->form, KEY, recipe.controls ? recipe.controls : "", NULL);
  recipe_clear (&recipe);
}

/* ---- one row ---- */

typedef struct
{
  GessoControlList *self; /* which owns the row */
  guint index;
  GtkPicture *preview;        /* of the same row, borrowed */
  GtkAdjustment *start, *end; /* the same */
} Place;

static void
free_place (gpointer data, GClosure *closure)
{
  g_free (data);
}

static void
connect (Place place, gpointer object, const char *signal, GCallback callback)
{
  g_signal_connect_data (object, signal, callback, g_memdup2 (&place, sizeof place), free_place, 0);
}

static void
change (const Place *place, void (*set) (RecipeControl *item, double value), double value)
{
  GessoControlList *self = place->self;
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
  const Place *place = user_data;
  double start = gtk_adjustment_get_value (adjustment);
  if (gtk_adjustment_get_value (place->end) < start + STEP)
    gtk_adjustment_set_value (place->end, start + STEP);
  change (place, set_start, start);
}

static void
end_cb (GtkAdjustment *adjustment, gpointer user_data)
{
  const Place *place = user_data;
  double end = gtk_adjustment_get_value (adjustment);
  if (gtk_adjustment_get_value (place->start) > end - STEP)
    gtk_adjustment_set_value (place->start, end - STEP);
  change (place, set_end, end);
}

static void
on_cb (GObject *toggle, GParamSpec *pspec, gpointer user_data)
{
  change (user_data, set_off, !gtk_switch_get_active (GTK_SWITCH (toggle)));
}

static void
show_preview (const Place *place)
{
  g_auto (RecipeControls) list = read_list (place->self);
  if (place->index < list.n)
    gesso_control_preview_show (place->preview, &list.items[place->index]);
}

static void
preprocess_cb (GtkDropDown *drop_down, GParamSpec *pspec, gpointer user_data)
{
  change (user_data, set_preprocess, gtk_drop_down_get_selected (drop_down));
  show_preview (user_data);
}

static void
resize_cb (GtkDropDown *drop_down, GParamSpec *pspec, gpointer user_data)
{
  change (user_data, set_resize, gtk_drop_down_get_selected (drop_down));
}

/* ---- removing ---- */

static gboolean
remove_later_cb (gpointer user_data)
{
  const Place *place = user_data;
  g_auto (RecipeControls) list = read_list (place->self);
  if (place->index < list.n)
    {
      recipe_controls_remove (&list, place->index);
      write_list (place->self, &list);
    }
  return G_SOURCE_REMOVE;
}

static void
free_later (gpointer data)
{
  Place *place = data;
  g_object_unref (place->self);
  g_free (place);
}

/* The rows are made anew once the button's signal is over. */
static void
remove_cb (GtkButton *button, gpointer user_data)
{
  const Place *place = user_data;
  Place *later = g_new (Place, 1);
  *later = (Place){ .self = g_object_ref (place->self), .index = place->index };
  g_idle_add_full (G_PRIORITY_DEFAULT, remove_later_cb, later, free_later);
}

/* ---- the picture ---- */

static void
image_chosen_cb (GFile *file, gpointer user_data)
{
  g_autoptr (GtkWidget) button = user_data;
  const Place *place = g_object_get_data (G_OBJECT (button), "place");
  if (file && gtk_widget_get_root (button))
    gesso_control_list_set_image (place->self, place->index, g_file_peek_path (file));
}

static void
image_clicked_cb (GtkButton *button, gpointer user_data)
{
  GtkWindow *window = GTK_WINDOW (gtk_widget_get_root (GTK_WIDGET (button)));
  gesso_compat_choose (window, GESSO_CHOOSE_FILE, _ ("Picture for the ControlNet"), NULL, NULL,
                       image_chosen_cb, g_object_ref (button));
}

static gboolean
drop_cb (GtkDropTarget *target, const GValue *value, double x, double y, gpointer user_data)
{
  const Place *place = user_data;
  GSList *files = gdk_file_list_get_files (g_value_get_boxed (value));
  const char *path = files ? g_file_peek_path (files->data) : NULL;
  if (path)
    gesso_control_list_set_image (place->self, place->index, path);
  g_slist_free (files);
  return path != NULL;
}

static GtkWidget *
new_image_button (Place place, const RecipeControl *item, const char *name)
{
  g_autofree char *base =
      item->image ? g_filename_display_basename (item->image) : g_strdup (_ ("Choose a picture"));
  g_autofree char *spoken = g_strdup_printf (_ ("Picture for %s: %s"), name, base);
  GtkWidget *button = gtk_button_new (), *label = gtk_label_new (base);
  gtk_label_set_ellipsize (GTK_LABEL (label), PANGO_ELLIPSIZE_MIDDLE);
  gtk_button_set_child (GTK_BUTTON (button), label);
  gtk_widget_set_hexpand (button, TRUE);
  gtk_widget_set_tooltip_text (button, item->image);
  gesso_name (button, spoken);
  g_object_set_data_full (G_OBJECT (button), "place", g_memdup2 (&place, sizeof place), g_free);
  connect (place, button, "clicked", G_CALLBACK (image_clicked_cb));
  return button;
}

static void
take_drops (Place place, GtkWidget *row)
{
  GtkDropTarget *target = gtk_drop_target_new (GDK_TYPE_FILE_LIST, GDK_ACTION_COPY);
  connect (place, target, "drop", G_CALLBACK (drop_cb));
  gtk_widget_add_controller (row, GTK_EVENT_CONTROLLER (target));
}

/* ---- its parts ---- */

static GtkWidget *
new_choice (Place place,
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
  connect (place, widget, "notify::selected", G_CALLBACK (callback));
  return widget;
}

static GtkWidget *
new_spin (GtkAdjustment *adjustment, const char *spoken)
{
  GtkWidget *spin = gtk_spin_button_new (adjustment, STEP, 2);
  gtk_editable_set_width_chars (GTK_EDITABLE (spin), 5);
  gesso_wheel_leave_to_page (spin);
  gesso_name (spin, spoken);
  return spin;
}

static GtkWidget *
new_caption (const char *text)
{
  GtkWidget *label = gtk_label_new (text);
  gtk_widget_add_css_class (label, "caption");
  gtk_label_set_xalign (GTK_LABEL (label), 0);
  return label;
}

static GtkWidget *
new_weight (Place place, const RecipeControl *item, const char *name)
{
  GtkWidget *box = gtk_box_new (GTK_ORIENTATION_HORIZONTAL, 6);
  g_autofree char *spoken = g_strdup_printf (_ ("Weight of %s"), name);
  GtkAdjustment *weight =
      gtk_adjustment_new (item->weight, MIN (LEAST_WEIGHT, item->weight),
                          MAX (LARGEST_WEIGHT, item->weight), STEP, 4 * STEP, 0);
  GtkWidget *scale = gtk_scale_new (GTK_ORIENTATION_HORIZONTAL, weight);
  gtk_scale_add_mark (GTK_SCALE (scale), 1, GTK_POS_BOTTOM, NULL);
  gtk_widget_set_hexpand (scale, TRUE);
  gesso_wheel_leave_to_page (scale);
  gesso_name (scale, spoken);
  gtk_box_append (GTK_BOX (box), new_caption (_ ("Weight")));
  gtk_box_append (GTK_BOX (box), scale);
  gtk_box_append (GTK_BOX (box), new_spin (weight, spoken));
  connect (place, weight, "value-changed", G_CALLBACK (weight_cb));
  return box;
}

static GtkWidget *
new_range (Place *place, const RecipeControl *item, const char *name)
{
  GtkWidget *box = gtk_box_new (GTK_ORIENTATION_HORIZONTAL, 6);
  g_autofree char *starts = g_strdup_printf (_ ("Part of the steps that %s starts at"), name);
  g_autofree char *ends = g_strdup_printf (_ ("Part of the steps that %s ends at"), name);
  place->start = gtk_adjustment_new (item->start, 0, 1 - STEP, STEP, 4 * STEP, 0);
  place->end = gtk_adjustment_new (item->end, STEP, 1, STEP, 4 * STEP, 0);
  gtk_box_append (GTK_BOX (box), new_caption (_ ("From")));
  gtk_box_append (GTK_BOX (box), new_spin (place->start, starts));
  gtk_box_append (GTK_BOX (box), new_caption (_ ("to")));
  gtk_box_append (GTK_BOX (box), new_spin (place->end, ends));
  gtk_box_append (GTK_BOX (box), new_caption (_ ("of the steps")));
  connect (*place, place->start, "value-changed", G_CALLBACK (start_cb));
  connect (*place, place->end, "value-changed", G_CALLBACK (end_cb));
  return box;
}

static GtkWidget *
new_head (Place place, const RecipeControl *item, const char *name)
{
  GtkWidget *head = gtk_box_new (GTK_ORIENTATION_HORIZONTAL, 8), *on = gtk_switch_new ();
  GtkWidget *label = gtk_label_new (name);
  GtkWidget *remove = gtk_button_new_from_icon_name ("user-trash-symbolic");
  g_autofree char *on_name = g_strdup_printf (_ ("Use %s"), name);
  g_autofree char *remove_name = g_strdup_printf (_ ("Take %s off the list"), name);
  gtk_switch_set_active (GTK_SWITCH (on), !item->off);
  gtk_widget_set_valign (on, GTK_ALIGN_CENTER);
  gesso_name (on, on_name);
  gtk_label_set_ellipsize (GTK_LABEL (label), PANGO_ELLIPSIZE_MIDDLE);
  gtk_label_set_xalign (GTK_LABEL (label), 0);
  gtk_widget_set_hexpand (label, TRUE);
  gtk_widget_set_tooltip_text (label, item->model);
  gtk_widget_add_css_class (remove, "flat");
  gtk_widget_set_tooltip_text (remove, remove_name);
  gesso_name (remove, remove_name);
  gtk_box_append (GTK_BOX (head), on);
  gtk_box_append (GTK_BOX (head), label);
  gtk_box_append (GTK_BOX (head), remove);
  connect (place, on, "notify::active", G_CALLBACK (on_cb));
  connect (place, remove, "clicked", G_CALLBACK (remove_cb));
  return head;
}

/* What is wrong with it, before the job says so; NULL when nothing is. */
static char *
dup_problem (GessoControlList *self, const RecipeControl *item)
{
  g_autofree char *model = gesso_form_dup_text (self->form, "model");
  GessoModelFile *file = gesso_library_find_model (self->library, GESSO_FILE_CONTROLNET,
                                                   item->model ? item->model : "", NULL);
  GessoModelFile *base =
      gesso_library_find_model (self->library, GESSO_FILE_CHECKPOINT, model, NULL);
  const char *of = file ? gesso_model_file_get_family (file) : "";
  const char *wanted = base ? gesso_model_file_get_family (base) : "";
  if (item->model && g_path_is_absolute (item->model) &&
      !g_file_test (item->model, G_FILE_TEST_EXISTS))
    return g_strdup (_ ("The file is not there any more"));
  if (of[0] && wanted[0] && !g_str_equal (of, wanted))
    return g_strdup_printf (_ ("It is for %s, and the model is one of %s"), of, wanted);
  if (!item->image)
    return g_strdup (_ ("It needs a picture: choose one, or drop one here"));
  return NULL;
}

static GtkWidget *
new_problem (const char *problem)
{
  GtkWidget *label = gtk_label_new (problem);
  gtk_widget_add_css_class (label, "error");
  gtk_widget_add_css_class (label, "caption");
  gtk_label_set_wrap (GTK_LABEL (label), TRUE);
  gtk_label_set_xalign (GTK_LABEL (label), 0);
  return label;
}

static GtkWidget *
new_choices (Place place, const RecipeControl *item, const char *name)
{
  GtkWidget *box = gtk_box_new (GTK_ORIENTATION_HORIZONTAL, 6);
  g_autofree char *made = g_strdup_printf (_ ("What is made of the picture for %s"), name);
  g_autofree char *fits = g_strdup_printf (_ ("How the picture for %s gets its shape"), name);
  GtkWidget *preprocess =
      new_choice (place, preprocess_labels, item->preprocess, made, preprocess_cb);
  gtk_widget_set_hexpand (preprocess, TRUE);
  gtk_box_append (GTK_BOX (box), preprocess);
  gtk_box_append (GTK_BOX (box), new_choice (place, resize_labels, item->resize, fits, resize_cb));
  return box;
}

static GtkWidget *
new_row (GessoControlList *self, const RecipeControl *item, guint i)
{
  GtkWidget *box = gtk_box_new (GTK_ORIENTATION_VERTICAL, 4), *preview = gtk_picture_new ();
  g_autofree char *name =
      g_filename_display_basename (item->model ? item->model : _ ("ControlNet"));
  g_autofree char *problem = dup_problem (self, item);
  g_autofree char *shows = g_strdup_printf (_ ("What %s sees"), name);
  Place place = { .self = self, .index = i, .preview = GTK_PICTURE (preview) };
  gtk_widget_set_size_request (preview, -1, PREVIEW_HEIGHT);
  gtk_widget_set_visible (preview, FALSE);
  gtk_picture_set_alternative_text (GTK_PICTURE (preview), shows);
  gtk_widget_add_css_class (box, "adapter-row");
  gtk_box_append (GTK_BOX (box), new_head (place, item, name));
  gtk_box_append (GTK_BOX (box), new_image_button (place, item, name));
  gtk_box_append (GTK_BOX (box), preview);
  gtk_box_append (GTK_BOX (box), new_choices (place, item, name));
  gtk_box_append (GTK_BOX (box), new_weight (place, item, name));
  gtk_box_append (GTK_BOX (box), new_range (&place, item, name));
  if (problem)
    gtk_box_append (GTK_BOX (box), new_problem (problem));
  take_drops (place, box);
  gesso_control_preview_show (GTK_PICTURE (preview), item);
  return box;
}

/* ---- all rows ---- */

/* Other models have no use for them; what is in the recipe is shown all the same. */
static gboolean
suits_model (GessoControlList *self)
{
  g_autofree char *model = gesso_form_dup_text (self->form, "model");
  GessoModelFile *file =
      gesso_library_find_model (self->library, GESSO_FILE_CHECKPOINT, model, NULL);
  const char *family = file ? gesso_model_file_get_family (file) : "";
  return !family[0] || g_str_has_prefix (family, "SD");
}

static void
update (GessoControlList *self)
{
  if (self->busy)
    return;
  g_auto (RecipeControls) list = read_list (self);
  GtkWidget *child;
  while ((child = gtk_widget_get_first_child (self->rows)))
    gtk_box_remove (GTK_BOX (self->rows), child);
  for (guint i = 0; i < list.n; i++)
    gtk_box_append (GTK_BOX (self->rows), new_row (self, &list.items[i], i));
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
    gesso_compat_announce (GTK_WIDGET (self), status.message);
}

void
gesso_control_list_set_image (GessoControlList *self, guint index, const char *path)
{
  g_return_if_fail (GESSO_IS_CONTROL_LIST (self));
  g_auto (RecipeControls) list = read_list (self);
  Status status = { 0 };
  if (index < list.n && recipe_control_set (&list.items[index].image, path, &status))
    write_list (self, &list);
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
}

static void
gesso_control_list_init (GessoControlList *self)
{
}

static GtkWidget *
new_hint (void)
{
  GtkWidget *hint =
      gtk_label_new (_ ("None. A ControlNet makes SD 1.5 and SDXL follow a picture."));
  gtk_label_set_wrap (GTK_LABEL (hint), TRUE);
  gtk_label_set_xalign (GTK_LABEL (hint), 0);
  gtk_widget_add_css_class (hint, "dim-label");
  gtk_widget_add_css_class (hint, "caption");
  return hint;
}

GtkWidget *
gesso_control_list_new (GessoForm *form, GessoLibrary *library)
{
  g_return_val_if_fail (GESSO_IS_FORM (form) && GESSO_IS_LIBRARY (library), NULL);
  GessoControlList *self = g_object_new (GESSO_TYPE_CONTROL_LIST, NULL);
  self->form = g_object_ref (form);
  self->library = g_object_ref (library);
  GtkWidget *group = adw_preferences_group_new (), *box = gtk_box_new (GTK_ORIENTATION_VERTICAL, 6);
  GtkWidget *picker =
      gesso_model_picker_new_chooser (form, library, GESSO_FILE_CONTROLNET, _ ("Add a ControlNet"));
  g_signal_connect_object (picker, "chosen", G_CALLBACK (chosen_cb), self, 0);
  adw_preferences_group_set_title (ADW_PREFERENCES_GROUP (group), _ ("ControlNets"));
  adw_preferences_group_set_header_suffix (ADW_PREFERENCES_GROUP (group), picker);
  self->hint = new_hint ();
  self->rows = gtk_box_new (GTK_ORIENTATION_VERTICAL, 10);
  gtk_box_append (GTK_BOX (box), self->hint);
  gtk_box_append (GTK_BOX (box), self->rows);
  adw_preferences_group_add (ADW_PREFERENCES_GROUP (group), box);
  adw_bin_set_child (ADW_BIN (self), group);
  g_signal_connect_object (form, "changed::" KEY, G_CALLBACK (update), self, G_CONNECT_SWAPPED);
  g_signal_connect_object (gesso_library_get_models (library, GESSO_FILE_CHECKPOINT),
                           "items-changed", G_CALLBACK (update), self, G_CONNECT_SWAPPED);
  g_signal_connect_object (form, "changed::model", G_CALLBACK (update), self, G_CONNECT_SWAPPED);
  update (self);
  return GTK_WIDGET (self);
}
