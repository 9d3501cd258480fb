/* SPDX-License-Identifier: MPL-2.0
 * gesso-gallery-page.c - the Gallery: thumbnails, a picture large, or two to compare; details
 * beside.
 */
#include "app/gallery/gesso-gallery-private.h"

#include <glib/gi18n.h>

#include "app/gallery/gesso-gallery-style.h"

enum
{
  NARROW_WIDTH = 800 /* px; below it pictures and details are not shown side by side */
};

G_DEFINE_FINAL_TYPE (GessoGalleryPage, gesso_gallery_page, GTK_TYPE_WIDGET)

static guint signals[GESSO_GALLERY_N_SIGNALS];

/* ---- telling ---- */

void
gesso_gallery_emit (GessoGalleryPage *self, GessoGallerySignal signal, const char *text)
{
  if (signal == GESSO_GALLERY_GO_TO_CREATE)
    g_signal_emit (self, signals[signal], 0);
  else
    g_signal_emit (self, signals[signal], 0, text);
}

void
gesso_gallery_dismiss_undo (GessoGalleryPage *self)
{
  AdwToast *toast = self->undo_toast;
  g_clear_weak_pointer (&self->undo_toast);
  if (toast)
    adw_toast_dismiss (toast);
}

void
gesso_gallery_say (GessoGalleryPage *self, const char *message, gboolean with_undo)
{
  g_autofree char *escaped = g_markup_escape_text (message, -1);
  if (!self->toasts)
    return;
  AdwToast *toast = adw_toast_new (escaped);
  if (with_undo)
    {
      adw_toast_set_button_label (toast, _ ("_Undo"));
      adw_toast_set_action_name (toast, "gallery.undo");
      gesso_gallery_dismiss_undo (self);
      g_set_weak_pointer (&self->undo_toast, toast);
    }
  adw_toast_overlay_add_toast (ADW_TOAST_OVERLAY (self->toasts), toast);
}

/* ---- which pictures ---- */

GessoGalleryMode
gesso_gallery_get_mode (GessoGalleryPage *self)
{
  GtkWidget *shown = gtk_stack_get_visible_child (GTK_STACK (self->stack));
  if (shown == self->viewer)
    return GESSO_GALLERY_VIEW;
  return shown == self->compare ? GESSO_GALLERY_COMPARE : GESSO_GALLERY_BROWSE;
}

GPtrArray *
gesso_gallery_dup_pictures (GessoGalleryPage *self, guint max)
{
  GPtrArray *pictures = g_ptr_array_new_with_free_func (g_object_unref);
  if (gesso_gallery_get_mode (self) == GESSO_GALLERY_VIEW)
    {
      GessoPicture *picture =
          gesso_gallery_viewer_get_picture (GESSO_GALLERY_VIEWER (self->viewer), 0);
      if (picture && max > 0)
        g_ptr_array_add (pictures, g_object_ref (picture));
      return pictures;
    }
  g_autoptr (GtkBitset) selected =
      gtk_selection_model_get_selection (GTK_SELECTION_MODEL (self->selection));
  GtkBitsetIter iter;
  guint position;
  for (gboolean ok = gtk_bitset_iter_init_first (&iter, selected, &position);
       ok && pictures->len < max; ok = gtk_bitset_iter_next (&iter, &position))
    {
      GessoPicture *picture = g_list_model_get_item (G_LIST_MODEL (self->list), position);
      if (picture)
        g_ptr_array_add (pictures, picture);
    }
  return pictures;
}

guint
gesso_gallery_get_n_pictures (GessoGalleryPage *self)
{
  if (gesso_gallery_get_mode (self) == GESSO_GALLERY_VIEW)
    return 1;
  g_autoptr (GtkBitset) selected =
      gtk_selection_model_get_selection (GTK_SELECTION_MODEL (self->selection));
  return (guint) gtk_bitset_get_size (selected);
}

GessoPicture *
gesso_gallery_ref_picture (GessoGalleryPage *self)
{
  g_autoptr (GPtrArray) pictures = gesso_gallery_dup_pictures (self, 1);
  return pictures->len ? g_object_ref (pictures->pdata[0]) : NULL;
}

/* ---- layout ---- */

static void
update_panes (GessoGalleryPage *self)
{
  GessoGalleryMode mode = gesso_gallery_get_mode (self);
  gboolean details = self->details_wanted && mode != GESSO_GALLERY_COMPARE &&
                     !(mode == GESSO_GALLERY_VIEW && self->quick);
  gboolean under = details && self->narrow;
  gtk_orientable_set_orientation (GTK_ORIENTABLE (self->row), self->narrow
                                                                  ? GTK_ORIENTATION_VERTICAL
                                                                  : GTK_ORIENTATION_HORIZONTAL);
  gtk_orientable_set_orientation (GTK_ORIENTABLE (self->separator), self->narrow
                                                                        ? GTK_ORIENTATION_HORIZONTAL
                                                                        : GTK_ORIENTATION_VERTICAL);
  gtk_widget_set_vexpand (self->details_revealer, under);
  gtk_widget_set_visible (self->separator, details);
  gtk_widget_set_visible (self->details_revealer, details);
}

static int
least_width (GtkWidget *widget)
{
  int minimum;
  gtk_widget_measure (widget, GTK_ORIENTATION_HORIZONTAL, -1, &minimum, NULL, NULL, NULL);
  return minimum;
}

static gboolean
layout_cb (gpointer user_data)
{
  GessoGalleryPage *self = user_data;
  int width = gtk_widget_get_width (GTK_WIDGET (self));
  int both = least_width (self->stack) + least_width (self->separator) +
             least_width (self->details_revealer);
  gboolean narrow = width > 0 && width < MAX (NARROW_WIDTH, both);
  self->layout_idle = 0;
  if (narrow != self->narrow)
    {
      self->narrow = narrow;
      update_panes (self);
    }
  return G_SOURCE_REMOVE;
}

void
gesso_gallery_set_details (GessoGalleryPage *self, gboolean wanted)
{
  GAction *action = g_action_map_lookup_action (G_ACTION_MAP (self->actions), "details");
  self->details_wanted = wanted;
  self->quick = FALSE;
  g_simple_action_set_state (G_SIMPLE_ACTION (action), g_variant_new_boolean (wanted));
  update_panes (self);
}

/* ---- selection ---- */

static gboolean
update_cb (gpointer user_data)
{
  GessoGalleryPage *self = user_data;
  guint n = gesso_gallery_get_n_pictures (self);
  g_autoptr (GessoPicture) picture = n == 1 ? gesso_gallery_ref_picture (self) : NULL;
  self->update_idle = 0;
  gesso_gallery_details_show (GESSO_GALLERY_DETAILS (self->details), picture, n);
  gesso_gallery_actions_update (self);
  return G_SOURCE_REMOVE;
}

/* Selecting a range tells many times. */
static void
queue_update (GessoGalleryPage *self)
{
  if (!self->update_idle)
    self->update_idle = g_idle_add_full (G_PRIORITY_DEFAULT, update_cb, self, NULL);
}

void
gesso_gallery_select_position (GessoGalleryPage *self, guint position)
{
  guint n = g_list_model_get_n_items (G_LIST_MODEL (self->list));
  if (n == 0)
    return;
  position = MIN (position, n - 1);
  gtk_selection_model_select_item (GTK_SELECTION_MODEL (self->selection), position, TRUE);
  gesso_gallery_grid_focus_position (GESSO_GALLERY_GRID (self->grid), position);
}

/* ---- large ---- */

static void
show_child (GessoGalleryPage *self, GtkWidget *child)
{
  gtk_stack_set_visible_child (GTK_STACK (self->stack), child);
  update_panes (self);
  queue_update (self);
}

void
gesso_gallery_view_position (GessoGalleryPage *self, guint position, gboolean quick)
{
  g_autoptr (GessoPicture) picture = g_list_model_get_item (G_LIST_MODEL (self->list), position);
  if (!picture)
    return;
  self->viewed = position;
  if (gesso_gallery_get_mode (self) != GESSO_GALLERY_VIEW)
    self->quick = quick;
  show_child (self, self->viewer);
  gesso_gallery_viewer_show (GESSO_GALLERY_VIEWER (self->viewer), picture, NULL);
}

void
gesso_gallery_back (GessoGalleryPage *self)
{
  GessoGalleryMode mode = gesso_gallery_get_mode (self);
  if (mode == GESSO_GALLERY_BROWSE)
    return;
  show_child (self, self->grid);
  gesso_gallery_viewer_show (GESSO_GALLERY_VIEWER (self->viewer), NULL, NULL);
  gesso_gallery_viewer_show (GESSO_GALLERY_VIEWER (self->compare), NULL, NULL);
  if (mode == GESSO_GALLERY_VIEW)
    gesso_gallery_select_position (self, self->viewed);
  else
    gtk_widget_grab_focus (gesso_gallery_grid_get_view (GESSO_GALLERY_GRID (self->grid)));
}

void
gesso_gallery_compare_selected (GessoGalleryPage *self)
{
  g_autoptr (GPtrArray) pictures = gesso_gallery_dup_pictures (self, 3);
  if (gesso_gallery_get_mode (self) != GESSO_GALLERY_BROWSE || pictures->len != 2)
    {
      gesso_gallery_say (self, _ ("Select two pictures to compare them."), FALSE);
      return;
    }
  show_child (self, self->compare);
  gesso_gallery_viewer_show (GESSO_GALLERY_VIEWER (self->compare), pictures->pdata[0],
                             pictures->pdata[1]);
}

/* ---- the list changes ---- */

static guint
find_path (GessoGalleryPage *self, const char *path)
{
  guint n = g_list_model_get_n_items (G_LIST_MODEL (self->list));
  for (guint i = 0; i < MIN (n, 128); i++) /* new pictures come first, and whole */
    {
      g_autoptr (GessoPicture) picture = g_list_model_get_item (G_LIST_MODEL (self->list), i);
      if (g_strcmp0 (gesso_picture_get_path (picture), path) == 0)
        return i;
    }
  return GTK_INVALID_LIST_POSITION;
}

static void
show_awaited (GessoGalleryPage *self)
{
  guint position = self->awaited ? find_path (self, self->awaited) : GTK_INVALID_LIST_POSITION;
  if (position == GTK_INVALID_LIST_POSITION)
    return;
  g_clear_pointer (&self->awaited, g_free);
  gtk_selection_model_select_item (GTK_SELECTION_MODEL (self->selection), position, TRUE);
  gesso_gallery_view_position (self, position, FALSE);
}

/* The viewer stays with its picture, or goes on to the next one when that was taken away. */
static void
follow_picture (GessoGalleryPage *self, guint position, guint removed, guint added)
{
  if (gesso_gallery_get_mode (self) != GESSO_GALLERY_VIEW)
    return;
  guint n = g_list_model_get_n_items (G_LIST_MODEL (self->list));
  if (self->viewed >= position + removed)
    self->viewed = self->viewed + added - removed;
  else if (self->viewed >= position)
    {
      if (n == 0)
        {
          gesso_gallery_back (self);
          return;
        }
      self->viewed = MIN (position, n - 1);
    }
  g_autoptr (GessoPicture) now = g_list_model_get_item (G_LIST_MODEL (self->list), self->viewed);
  if (now != gesso_gallery_viewer_get_picture (GESSO_GALLERY_VIEWER (self->viewer), 0))
    gesso_gallery_view_position (self, self->viewed, FALSE);
}

static void
items_changed_cb (GListModel *list, guint position, guint removed, guint added, gpointer user_data)
{
  GessoGalleryPage *self = user_data;
  follow_picture (self, position, removed, added);
  show_awaited (self);
  queue_update (self);
}

static void
opened_cb (GessoGalleryGrid *grid, guint position, gpointer user_data)
{
  gesso_gallery_view_position (user_data, position, FALSE);
}

/* ---- building ---- */

static void
build_details (GessoGalleryPage *self)
{
  self->separator = gtk_separator_new (GTK_ORIENTATION_VERTICAL);
  self->details = gesso_gallery_details_new (self->library);
  self->details_revealer = adw_bin_new ();
  adw_bin_set_child (ADW_BIN (self->details_revealer), self->details);
  gtk_box_append (GTK_BOX (self->row), self->separator);
  gtk_box_append (GTK_BOX (self->row), self->details_revealer);
}

static void
add_page_keys (GessoGalleryPage *self)
{
  GtkEventController *keys = gtk_shortcut_controller_new ();
  gtk_shortcut_controller_add_shortcut (
      GTK_SHORTCUT_CONTROLLER (keys),
      gtk_shortcut_new (gtk_keyval_trigger_new (GDK_KEY_f, GDK_CONTROL_MASK),
                        gtk_named_action_new ("gallery.search")));
  gtk_shortcut_controller_add_shortcut (
      GTK_SHORTCUT_CONTROLLER (keys),
      gtk_shortcut_new (gtk_keyval_trigger_new (GDK_KEY_z, GDK_CONTROL_MASK),
                        gtk_named_action_new ("gallery.undo")));
  gtk_widget_add_controller (GTK_WIDGET (self), keys);
}

static void
build (GessoGalleryPage *self)
{
  self->toasts = adw_toast_overlay_new ();
  gtk_widget_set_parent (self->toasts, GTK_WIDGET (self));
  self->row = gtk_box_new (GTK_ORIENTATION_HORIZONTAL, 0);
  adw_toast_overlay_set_child (ADW_TOAST_OVERLAY (self->toasts), self->row);
  self->stack = gtk_stack_new ();
  /* the viewer's many buttons need not make the grid wide */
  gtk_stack_set_hhomogeneous (GTK_STACK (self->stack), FALSE);
  gtk_widget_set_hexpand (self->stack, TRUE);
  gtk_widget_set_vexpand (self->stack, TRUE);
  gtk_box_append (GTK_BOX (self->row), self->stack);
  self->grid = gesso_gallery_grid_new (self->library, self->list, self->selection);
  self->viewer = gesso_gallery_viewer_new (self->library, FALSE);
  self->compare = gesso_gallery_viewer_new (self->library, TRUE);
  gtk_stack_add_named (GTK_STACK (self->stack), self->grid, "grid");
  gtk_stack_add_named (GTK_STACK (self->stack), self->viewer, "viewer");
  gtk_stack_add_named (GTK_STACK (self->stack), self->compare, "compare");
  build_details (self);
  add_page_keys (self);
}

static void
connect_all (GessoGalleryPage *self)
{
  g_signal_connect_object (self->grid, "opened", G_CALLBACK (opened_cb), self, 0);
  g_signal_connect_object (self->grid, "key-compare", G_CALLBACK (gesso_gallery_compare_selected),
                           self, G_CONNECT_SWAPPED);
  g_signal_connect_object (self->list, "items-changed", G_CALLBACK (items_changed_cb), self, 0);
  g_signal_connect_object (self->selection, "selection-changed", G_CALLBACK (queue_update), self,
                           G_CONNECT_SWAPPED);
}

static void
gesso_gallery_page_size_allocate (GtkWidget *widget, int width, int height, int baseline)
{
  GessoGalleryPage *self = GESSO_GALLERY_PAGE (widget);
  gtk_widget_allocate (self->toasts, width, height, baseline, NULL);
  if (!self->layout_idle)
    self->layout_idle = g_idle_add_full (G_PRIORITY_DEFAULT, layout_cb, self, NULL);
}

/* The details may go below the pictures: a window that is narrow need not grow for them, and one
 * that is wide can be made narrow. */
static void
gesso_gallery_page_measure (GtkWidget *widget,
                            GtkOrientation orientation,
                            int for_size,
                            int *minimum,
                            int *natural,
                            int *minimum_baseline,
                            int *natural_baseline)
{
  GessoGalleryPage *self = GESSO_GALLERY_PAGE (widget);
  gtk_widget_measure (self->toasts, orientation, for_size, minimum, natural, minimum_baseline,
                      natural_baseline);
  if (orientation == GTK_ORIENTATION_HORIZONTAL)
    *minimum = MAX (least_width (self->stack), least_width (self->details_revealer));
}

static void
gesso_gallery_page_dispose (GObject *object)
{
  GessoGalleryPage *self = GESSO_GALLERY_PAGE (object);
  g_clear_handle_id (&self->layout_idle, g_source_remove);
  g_clear_handle_id (&self->update_idle, g_source_remove);
  if (self->cancellable)
    g_cancellable_cancel (self->cancellable);
  g_clear_object (&self->cancellable);
  if (self->list)
    g_signal_handlers_disconnect_by_data (self->list, self);
  if (self->selection)
    g_signal_handlers_disconnect_by_data (self->selection, self);
  g_clear_weak_pointer (&self->undo_toast);
  g_clear_pointer (&self->toasts, gtk_widget_unparent);
  g_clear_object (&self->actions);
  g_clear_object (&self->selection);
  g_clear_object (&self->list);
  g_clear_object (&self->library);
  g_clear_object (&self->session);
  g_clear_pointer (&self->awaited, g_free);
  G_OBJECT_CLASS (gesso_gallery_page_parent_class)->dispose (object);
}

static void
gesso_gallery_page_class_init (GessoGalleryPageClass *klass)
{
  static const char *const names[] = { "use-recipe", "use-seed", "send-to-canvas", "go-to-create",
                                       "ask-trash" };
  GtkWidgetClass *widget_class = GTK_WIDGET_CLASS (klass);
  G_OBJECT_CLASS (klass)->dispose = gesso_gallery_page_dispose;
  widget_class->size_allocate = gesso_gallery_page_size_allocate;
  widget_class->measure = gesso_gallery_page_measure;
  for (int i = 0; i < GESSO_GALLERY_GO_TO_CREATE; i++)
    signals[i] = g_signal_new (names[i], GESSO_TYPE_GALLERY_PAGE, G_SIGNAL_RUN_LAST, 0, NULL, NULL,
                               NULL, G_TYPE_NONE, 1, G_TYPE_STRING);
  signals[GESSO_GALLERY_GO_TO_CREATE] =
      g_signal_new (names[GESSO_GALLERY_GO_TO_CREATE], GESSO_TYPE_GALLERY_PAGE, G_SIGNAL_RUN_LAST,
                    0, NULL, NULL, NULL, G_TYPE_NONE, 0);
  signals[GESSO_GALLERY_ASK_TRASH] =
      g_signal_new (names[GESSO_GALLERY_ASK_TRASH], GESSO_TYPE_GALLERY_PAGE, G_SIGNAL_RUN_LAST, 0,
                    NULL, NULL, NULL, G_TYPE_NONE, 2, G_TYPE_LIST_MODEL, G_TYPE_UINT);
}

static void
gesso_gallery_page_init (GessoGalleryPage *self)
{
  gesso_gallery_style_ensure ();
  self->details_wanted = TRUE;
  self->cancellable = g_cancellable_new ();
}

GtkWidget *
gesso_gallery_page_new (GessoSession *session, GessoLibrary *library)
{
  g_return_val_if_fail (GESSO_IS_LIBRARY (library), NULL);
  GessoGalleryPage *self = g_object_new (GESSO_TYPE_GALLERY_PAGE, NULL);
  self->session = session ? g_object_ref (session) : NULL;
  self->library = g_object_ref (library);
  self->list = gesso_picture_list_new (library);
  self->selection = gtk_multi_selection_new (g_object_ref (G_LIST_MODEL (self->list)));
  gesso_gallery_actions_add (self);
  build (self);
  connect_all (self);
  update_panes (self);
  gesso_gallery_actions_update (self);
  return GTK_WIDGET (self);
}

void
gesso_gallery_page_focus_search (GessoGalleryPage *self)
{
  g_return_if_fail (GESSO_IS_GALLERY_PAGE (self));
  gesso_gallery_back (self);
  gesso_gallery_grid_focus_search (GESSO_GALLERY_GRID (self->grid));
}

void
gesso_gallery_page_show_picture (GessoGalleryPage *self, const char *path)
{
  g_return_if_fail (GESSO_IS_GALLERY_PAGE (self) && path);
  gesso_gallery_grid_clear_search (GESSO_GALLERY_GRID (self->grid));
  gesso_picture_list_set_starred_only (self->list, FALSE);
  g_free (self->awaited);
  self->awaited = g_strdup (path);
  show_awaited (self);
}
