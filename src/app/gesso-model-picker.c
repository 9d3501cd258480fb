/* SPDX-License-Identifier: MPL-2.0
 * gesso-model-picker.c - a button with the chosen model's name; its popover lists the library's.
 */
#include "app/gesso-model-picker.h"

#include <glib/gi18n.h>

#include "app/gesso-compat.h"
#include "app/gesso-fit.h"
#include "app/gesso-model-row.h"
#include "app/gesso-name.h"
#include "app/gesso-tooltip.h"
#include "library/gesso-walk.h"

struct _GessoModelPicker
{
  AdwBin parent_instance;
  GessoForm *form;
  GessoLibrary *library;
  GessoFileKind kind;
  const RecipeParam *param; /* NULL: "chosen" is emitted in its place */
  char *search;             /* case-folded, "" for all */
  const char *family;       /* of the chosen model; "" when not known */
  gboolean show_others;     /* those for other models, too */
  gboolean filtering;       /* what changes is counted once, at the end */
  GtkWidget *button, *label, *entry, *stack, *view, *others;
  GtkFilterListModel *filtered;
  GtkFilter *filter;
};

G_DEFINE_FINAL_TYPE (GessoModelPicker, gesso_model_picker, ADW_TYPE_BIN)

static guint chosen_signal;

/* What the recipe draws with: all else may come with it. */
static gboolean
is_model (GessoModelPicker *self)
{
  return self->param && g_str_equal (self->param->key, "model");
}

static gboolean
fits (GessoModelPicker *self, GessoModelFile *file)
{
  return is_model (self) || gesso_fit_is_for (gesso_model_file_get_family (file), self->family);
}

static gboolean
matches (gpointer item, gpointer user_data)
{
  GessoModelPicker *self = user_data;
  return (self->show_others || fits (self, item)) && gesso_model_row_matches (item, self->search);
}

static GessoModelFile *
find_by_path (GessoModelPicker *self, const char *path)
{
  GListModel *models = gesso_library_get_models (self->library, self->kind);
  for (guint i = 0; i < g_list_model_get_n_items (models); i++)
    {
      g_autoptr (GessoModelFile) file = g_list_model_get_item (models, i);
      if (g_str_equal (gesso_model_file_get_path (file), path))
        return g_steal_pointer (&file);
    }
  return NULL;
}

static char *
dup_shown_name (GessoModelPicker *self, const char *path)
{
  if (!path[0])
    return g_strdup (is_model (self) ? _ ("None") : _ ("Model’s own"));
  g_autoptr (GessoModelFile) file = find_by_path (self, path);
  if (file)
    return gesso_library_dup_title (self->library, file);
  return gesso_walk_dup_model_name (path);
}

static void
update (GessoModelPicker *self)
{
  if (!self->param)
    return;
  g_autofree char *path = gesso_form_dup_text (self->form, self->param->key);
  g_autofree char *name = dup_shown_name (self, path);
  gtk_label_set_label (GTK_LABEL (self->label), name);
  g_autofree char *shown = g_filename_display_name (path);
  gesso_tooltip_set (self->button, path[0] ? shown : _ (self->param->help));
  g_autofree char *spoken = g_strdup_printf ("%s: %s", _ (self->param->label), name);
  gtk_accessible_update_property (GTK_ACCESSIBLE (self->button), GTK_ACCESSIBLE_PROPERTY_LABEL,
                                  spoken, -1);
}

static void
choose (GessoModelPicker *self, const char *path)
{
  if (self->param)
    gesso_form_set_text (self->form, self->param->key, path, NULL);
  else
    g_signal_emit (self, chosen_signal, 0, path);
  gtk_menu_button_popdown (GTK_MENU_BUTTON (self->button));
}

static void
activate_cb (GtkListView *view, guint position, gpointer user_data)
{
  GessoModelPicker *self = user_data;
  g_autoptr (GessoModelFile) file = g_list_model_get_item (G_LIST_MODEL (self->filtered), position);
  if (file)
    choose (self, gesso_model_file_get_path (file));
}

static void
own_clicked_cb (GtkButton *button, gpointer user_data)
{
  choose (user_data, "");
}

static guint
count_others (GessoModelPicker *self)
{
  GListModel *models = gesso_library_get_models (self->library, self->kind);
  guint n = 0;
  for (guint i = 0; i < g_list_model_get_n_items (models); i++)
    {
      g_autoptr (GessoModelFile) file = g_list_model_get_item (models, i);
      n += !fits (self, file) && gesso_model_row_matches (file, self->search);
    }
  return n;
}

static void
update_empty (GessoModelPicker *self)
{
  gboolean empty = g_list_model_get_n_items (G_LIST_MODEL (self->filtered)) == 0;
  guint n = count_others (self);
  g_autofree char *text = g_strdup_printf (
      g_dngettext (NULL, "Show %u for other models", "Show %u for other models", n), n);
  gtk_stack_set_visible_child_name (GTK_STACK (self->stack), empty ? "empty" : "list");
  gtk_check_button_set_label (GTK_CHECK_BUTTON (self->others), text);
  gtk_widget_set_visible (self->others, n > 0);
}

static void
items_changed (GessoModelPicker *self)
{
  if (!self->filtering)
    update_empty (self);
}

static void
filter_again (GessoModelPicker *self)
{
  self->filtering = TRUE;
  gtk_filter_changed (self->filter, GTK_FILTER_CHANGE_DIFFERENT);
  self->filtering = FALSE;
  update_empty (self);
}

static void
others_cb (GtkCheckButton *button, gpointer user_data)
{
  GessoModelPicker *self = user_data;
  self->show_others = gtk_check_button_get_active (button);
  filter_again (self);
}

/* Another model was chosen, or a scan has found out what the chosen one is. */
static void
update_family (GessoModelPicker *self)
{
  const char *family = gesso_fit_family (self->library, gesso_form_peek (self->form));
  if (family == self->family)
    return;
  self->family = family;
  filter_again (self);
}

/* As high as it was: while one types, a popover that shrinks jumps to where it has room. */
static void
search_changed_cb (GtkSearchEntry *entry, gpointer user_data)
{
  GessoModelPicker *self = user_data;
  gtk_widget_set_size_request (self->stack, -1, gtk_widget_get_height (self->stack));
  gesso_model_picker_set_search (user_data, gtk_editable_get_text (GTK_EDITABLE (entry)));
}

/* The entry waits a moment before it tells of the last keys. */
static void
search_activate_cb (GtkSearchEntry *entry, gpointer user_data)
{
  search_changed_cb (entry, user_data);
  activate_cb (NULL, 0, user_data);
}

/* The entry takes Escape before the popover sees it. */
static void
stop_search_cb (GtkSearchEntry *entry, gpointer user_data)
{
  gtk_menu_button_popdown (GTK_MENU_BUTTON (((GessoModelPicker *) user_data)->button));
}

static GtkWidget *
new_list (GessoModelPicker *self)
{
  GListModel *models = gesso_library_get_models (self->library, self->kind);
  self->filter = GTK_FILTER (gtk_custom_filter_new (matches, self, NULL));
  self->filtered = gtk_filter_list_model_new (g_object_ref (models), g_object_ref (self->filter));
  GtkSingleSelection *selection = gtk_single_selection_new (NULL);
  gtk_single_selection_set_autoselect (selection, FALSE);
  gtk_single_selection_set_can_unselect (selection, TRUE);
  gtk_single_selection_set_model (selection, G_LIST_MODEL (self->filtered));
  GtkListItemFactory *factory = gesso_model_row_new_factory (G_LIST_MODEL (self->filtered));
  GtkWidget *view = self->view = gtk_list_view_new (GTK_SELECTION_MODEL (selection), factory);
  gtk_list_view_set_single_click_activate (GTK_LIST_VIEW (view), TRUE);
  gtk_widget_add_css_class (view, "navigation-sidebar");
  gesso_name (view, _ ("Models"));
  g_signal_connect (view, "activate", G_CALLBACK (activate_cb), self);
  GtkWidget *scrolled = gtk_scrolled_window_new ();
  gtk_scrolled_window_set_policy (GTK_SCROLLED_WINDOW (scrolled), GTK_POLICY_NEVER,
                                  GTK_POLICY_AUTOMATIC);
  gtk_scrolled_window_set_min_content_height (GTK_SCROLLED_WINDOW (scrolled), 120);
  gtk_scrolled_window_set_max_content_height (GTK_SCROLLED_WINDOW (scrolled), 360);
  gtk_scrolled_window_set_propagate_natural_height (GTK_SCROLLED_WINDOW (scrolled), TRUE);
  gtk_scrolled_window_set_child (GTK_SCROLLED_WINDOW (scrolled), view);
  return scrolled;
}

static GtkWidget *
new_empty (GessoFileKind kind)
{
  GtkWidget *label =
      gtk_label_new (kind == GESSO_FILE_LORA ? _ ("No LoRAs found") : _ ("No models found"));
  gtk_widget_add_css_class (label, "dim-label");
  gtk_widget_set_margin_top (label, 24);
  gtk_widget_set_margin_bottom (label, 24);
  return label;
}

static GtkWidget *
new_flat_button (const char *label, const char *action)
{
  GtkWidget *button = gesso_name_new_button (label);
  gtk_widget_add_css_class (button, "flat");
  if (action)
    gtk_actionable_set_action_name (GTK_ACTIONABLE (button), action);
  return button;
}

/* Returns: where the chosen model stands in the list, 0 when it does not */
static guint
chosen_position (GessoModelPicker *self)
{
  GListModel *models = G_LIST_MODEL (self->filtered);
  g_autofree char *path =
      self->param ? gesso_form_dup_text (self->form, self->param->key) : g_strdup ("");
  for (guint i = 0; path[0] && i < g_list_model_get_n_items (models); i++)
    {
      g_autoptr (GessoModelFile) file = g_list_model_get_item (models, i);
      if (g_str_equal (gesso_model_file_get_path (file), path) ||
          g_str_equal (gesso_model_file_get_name (file), path))
        return i;
    }
  return 0;
}

/* All models, the chosen one in sight: neither what was searched for the last time nor where new
 * models have pushed the list to. */
static void
opened_cb (GtkPopover *popover, gpointer user_data)
{
  GessoModelPicker *self = user_data;
  gtk_widget_set_size_request (self->stack, -1, -1);
  gtk_editable_set_text (GTK_EDITABLE (self->entry), "");
  gesso_model_picker_set_search (self, "");
  if (g_list_model_get_n_items (G_LIST_MODEL (self->filtered)) > 0)
    gesso_compat_list_scroll_to (self->view, chosen_position (self));
  gtk_widget_grab_focus (self->entry);
}

static GtkWidget *
new_popover (GessoModelPicker *self)
{
  GtkWidget *box = gtk_box_new (GTK_ORIENTATION_VERTICAL, 6);
  const char *what = self->kind == GESSO_FILE_LORA ? _ ("Search names, folders and trigger words")
                                                   : _ ("Search names, families and folders");
  self->entry = gtk_search_entry_new ();
  g_object_set (self->entry, "placeholder-text", what, NULL);
  gesso_name (self->entry, what);
  g_signal_connect (self->entry, "search-changed", G_CALLBACK (search_changed_cb), self);
  g_signal_connect (self->entry, "activate", G_CALLBACK (search_activate_cb), self);
  g_signal_connect (self->entry, "stop-search", G_CALLBACK (stop_search_cb), self);
  gtk_box_append (GTK_BOX (box), self->entry);
  self->stack = gtk_stack_new ();
  gtk_stack_add_named (GTK_STACK (self->stack), new_list (self), "list");
  gtk_stack_add_named (GTK_STACK (self->stack), new_empty (self->kind), "empty");
  gtk_box_append (GTK_BOX (box), self->stack);
  self->others = gtk_check_button_new ();
  g_signal_connect (self->others, "toggled", G_CALLBACK (others_cb), self);
  gtk_box_append (GTK_BOX (box), self->others);
  if (self->param && !is_model (self))
    {
      GtkWidget *own = new_flat_button (_ ("_Model’s own"), NULL);
      g_signal_connect (own, "clicked", G_CALLBACK (own_clicked_cb), self);
      gtk_box_append (GTK_BOX (box), own);
    }
  gtk_box_append (GTK_BOX (box), new_flat_button (_ ("_Add Folder…"), "win.add-folder"));
  GtkWidget *popover = gtk_popover_new ();
  gtk_widget_set_size_request (popover, 320, -1);
  gtk_popover_set_child (GTK_POPOVER (popover), box);
  g_signal_connect (popover, "show", G_CALLBACK (opened_cb), self);
  return popover;
}

static void
gesso_model_picker_dispose (GObject *object)
{
  GessoModelPicker *self = GESSO_MODEL_PICKER (object);
  g_clear_object (&self->filter);
  g_clear_object (&self->form);
  g_clear_object (&self->library);
  g_clear_pointer (&self->search, g_free);
  G_OBJECT_CLASS (gesso_model_picker_parent_class)->dispose (object);
}

static void
gesso_model_picker_class_init (GessoModelPickerClass *klass)
{
  G_OBJECT_CLASS (klass)->dispose = gesso_model_picker_dispose;
  chosen_signal = g_signal_new ("chosen", GESSO_TYPE_MODEL_PICKER, G_SIGNAL_RUN_LAST, 0, NULL, NULL,
                                NULL, G_TYPE_NONE, 1, G_TYPE_STRING);
}

static void
gesso_model_picker_init (GessoModelPicker *self)
{
  self->search = g_strdup ("");
  self->family = "";
}

static void
follow (GessoModelPicker *self)
{
  g_signal_connect_object (self->filtered, "items-changed", G_CALLBACK (items_changed), self,
                           G_CONNECT_SWAPPED);
  g_signal_connect_object (self->form, "changed::model", G_CALLBACK (update_family), self,
                           G_CONNECT_SWAPPED);
  g_signal_connect_object (self->library, "changed", G_CALLBACK (update_family), self,
                           G_CONNECT_SWAPPED);
  update_family (self);
  update_empty (self);
}

GtkWidget *
gesso_model_picker_new (GessoForm *form, const char *key, GessoLibrary *library, GessoFileKind kind)
{
  g_return_val_if_fail (GESSO_IS_FORM (form) && GESSO_IS_LIBRARY (library), NULL);
  GessoModelPicker *self = g_object_new (GESSO_TYPE_MODEL_PICKER, NULL);
  self->form = g_object_ref (form);
  self->library = g_object_ref (library);
  self->kind = kind;
  self->param = recipe_find_param (key);

  self->label = gtk_label_new (NULL);
  gtk_label_set_ellipsize (GTK_LABEL (self->label), PANGO_ELLIPSIZE_END);
  gtk_label_set_max_width_chars (GTK_LABEL (self->label), 18);
  self->button = gtk_menu_button_new ();
  gtk_menu_button_set_child (GTK_MENU_BUTTON (self->button), self->label);
  gtk_menu_button_set_always_show_arrow (GTK_MENU_BUTTON (self->button), TRUE);
  gtk_widget_set_valign (self->button, GTK_ALIGN_CENTER);
  gtk_menu_button_set_popover (GTK_MENU_BUTTON (self->button), new_popover (self));
  adw_bin_set_child (ADW_BIN (self), self->button);

  g_autofree char *detail = g_strconcat ("changed::", key, NULL);
  g_signal_connect_object (form, detail, G_CALLBACK (update), self, G_CONNECT_SWAPPED);
  g_signal_connect_object (library, "changed", G_CALLBACK (update), self, G_CONNECT_SWAPPED);
  follow (self);
  update (self);
  return GTK_WIDGET (self);
}

GtkWidget *
gesso_model_picker_new_chooser (GessoForm *form,
                                GessoLibrary *library,
                                GessoFileKind kind,
                                const char *label)
{
  g_return_val_if_fail (GESSO_IS_FORM (form) && GESSO_IS_LIBRARY (library) && label, NULL);
  GessoModelPicker *self = g_object_new (GESSO_TYPE_MODEL_PICKER, NULL);
  self->form = g_object_ref (form);
  self->library = g_object_ref (library);
  self->kind = kind;
  self->button = gtk_menu_button_new ();
  gtk_menu_button_set_icon_name (GTK_MENU_BUTTON (self->button), "list-add-symbolic");
  gtk_widget_set_tooltip_text (self->button, label);
  gesso_name (self->button, label);
  gtk_menu_button_set_popover (GTK_MENU_BUTTON (self->button), new_popover (self));
  adw_bin_set_child (ADW_BIN (self), self->button);
  follow (self);
  return GTK_WIDGET (self);
}

GListModel *
gesso_model_picker_get_list (GessoModelPicker *self)
{
  g_return_val_if_fail (GESSO_IS_MODEL_PICKER (self), NULL);
  return G_LIST_MODEL (self->filtered);
}

void
gesso_model_picker_set_search (GessoModelPicker *self, const char *text)
{
  g_return_if_fail (GESSO_IS_MODEL_PICKER (self));
  g_free (self->search);
  self->search = g_utf8_casefold (text, -1);
  filter_again (self);
  /* the list stays with the row it began with, which may be the last of thousands now */
  if (g_list_model_get_n_items (G_LIST_MODEL (self->filtered)) > 0)
    gesso_compat_list_scroll_to (self->view, 0);
}

void
gesso_model_picker_set_show_others (GessoModelPicker *self, gboolean show_others)
{
  g_return_if_fail (GESSO_IS_MODEL_PICKER (self));
  gtk_check_button_set_active (GTK_CHECK_BUTTON (self->others), show_others);
}
