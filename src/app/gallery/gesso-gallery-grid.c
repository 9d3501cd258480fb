/* SPDX-License-Identifier: MPL-2.0
 * gesso-gallery-grid.c - the thumbnails with search, star filter, date and selection bar.
 */
#include "app/gallery/gesso-gallery-grid-private.h"

#include <adwaita.h>
#include <glib/gi18n.h>

#include "app/gallery/gesso-gallery-keys.h"
#include "app/gallery/gesso-gallery-style.h"
#include "app/gallery/gesso-gallery-text.h"
#include "app/gesso-name.h"

enum
{
  DEFAULT_SIZE = 2,
  CELL_PADDING = 8, /* px, as in gallery.css, both sides */
  DATE_SHOWN_MS = 1200,
  FOCUS_RETRY_MS = 10, /* a frame at most */
  FOCUS_TRIES = 50,
  DATE_PROBE = 40 /* px from the top left corner: within the first row that is seen */
};

static const int cell_sizes[] = { 96, 128, 168, 224, 320 }; /* px */

G_DEFINE_FINAL_TYPE (GessoGalleryGrid, gesso_gallery_grid, GTK_TYPE_WIDGET)

enum
{
  OPENED,
  KEY_COMPARE,
  N_SIGNALS
};
static guint signals[N_SIGNALS];

/* ---- cells ---- */

static void
cell_gone_cb (gpointer data, GObject *cell)
{
  g_ptr_array_remove_fast (data, cell);
}

static void
setup_cb (GtkSignalListItemFactory *factory, GtkListItem *item, gpointer user_data)
{
  GessoGalleryGrid *self = user_data;
  GtkWidget *cell = gesso_gallery_cell_new (self->library, cell_sizes[self->size_index]);
  g_ptr_array_add (self->cells, cell);
  g_object_weak_ref (G_OBJECT (cell), cell_gone_cb, self->cells);
  gtk_list_item_set_child (item, cell);
}

static void
bind_cb (GtkSignalListItemFactory *factory, GtkListItem *item, gpointer user_data)
{
  gesso_gallery_cell_set_picture (GESSO_GALLERY_CELL (gtk_list_item_get_child (item)),
                                  gtk_list_item_get_item (item));
}

static void
unbind_cb (GtkSignalListItemFactory *factory, GtkListItem *item, gpointer user_data)
{
  gesso_gallery_cell_set_picture (GESSO_GALLERY_CELL (gtk_list_item_get_child (item)), NULL);
}

/* The grid keeps widgets for 30 rows of as many columns as it may have: no more than there can be.
 */
static gboolean
columns_cb (gpointer user_data)
{
  GessoGalleryGrid *self = user_data;
  int width = gtk_widget_get_width (self->scroller);
  guint columns = (guint) MAX (1, width / (cell_sizes[self->size_index] + CELL_PADDING));
  self->columns_idle = 0;
  if (columns != gtk_grid_view_get_max_columns (GTK_GRID_VIEW (self->view)))
    gtk_grid_view_set_max_columns (GTK_GRID_VIEW (self->view), columns);
  return G_SOURCE_REMOVE;
}

static void
queue_columns (GessoGalleryGrid *self)
{
  if (!self->columns_idle)
    self->columns_idle = g_idle_add_full (G_PRIORITY_DEFAULT, columns_cb, self, NULL);
}

gboolean
gesso_gallery_grid_resize (GessoGalleryGrid *self, int steps)
{
  g_return_val_if_fail (GESSO_IS_GALLERY_GRID (self), FALSE);
  int index = CLAMP (self->size_index + steps, 0, (int) G_N_ELEMENTS (cell_sizes) - 1);
  if (index == self->size_index)
    return FALSE;
  self->size_index = index;
  for (guint i = 0; i < self->cells->len; i++)
    gesso_gallery_cell_set_size (self->cells->pdata[i], cell_sizes[index]);
  queue_columns (self);
  return TRUE;
}

/* Of the few hundred rows that have widgets, the one of @picture. */
static GtkWidget *
row_of (GessoGalleryGrid *self, GessoPicture *picture)
{
  for (guint i = 0; i < self->cells->len; i++)
    if (gesso_gallery_cell_get_picture (self->cells->pdata[i]) == picture)
      return gtk_widget_get_parent (self->cells->pdata[i]);
  return NULL;
}

/* ---- date while scrolling ---- */

static gboolean
hide_date_cb (gpointer user_data)
{
  GessoGalleryGrid *self = user_data;
  self->date_timeout = 0;
  gtk_widget_set_visible (self->date, FALSE);
  return G_SOURCE_REMOVE;
}

static void
scrolled_cb (GessoGalleryGrid *self)
{
  GessoGalleryCell *cell = gesso_gallery_grid_cell_at (self, DATE_PROBE, DATE_PROBE);
  GessoPicture *picture = cell ? gesso_gallery_cell_get_picture (cell) : NULL;
  if (!picture || gesso_picture_get_created (picture) == 0)
    return;
  g_autofree char *day = gesso_gallery_day_text (gesso_picture_get_created (picture),
                                                 g_get_real_time () / G_USEC_PER_SEC);
  if (g_strcmp0 (gtk_label_get_label (GTK_LABEL (self->date)), day) != 0)
    gtk_label_set_label (GTK_LABEL (self->date), day);
  gtk_widget_set_visible (self->date, TRUE);
  g_clear_handle_id (&self->date_timeout, g_source_remove);
  self->date_timeout = g_timeout_add (DATE_SHOWN_MS, hide_date_cb, self);
}

/* ---- selection bar ---- */

static void
selection_changed_cb (GessoGalleryGrid *self)
{
  g_autoptr (GtkBitset) selected =
      gtk_selection_model_get_selection (GTK_SELECTION_MODEL (self->selection));
  guint64 n = gtk_bitset_get_size (selected);
  g_autofree char *text =
      g_strdup_printf (ngettext ("%u selected", "%u selected", (gulong) n), (guint) n);
  gtk_label_set_label (GTK_LABEL (self->count), text);
  gtk_revealer_set_reveal_child (GTK_REVEALER (self->bar), n > 1);
}

/* ---- search ---- */

static void
search_changed_cb (GtkSearchEntry *entry, gpointer user_data)
{
  GessoGalleryGrid *self = user_data;
  const char *text = gtk_editable_get_text (GTK_EDITABLE (entry));
  self->leaves_search &= !*text; /* unless it is written on */
  gesso_picture_list_set_search (self->list, text);
}

/* Return or Down: on to the pictures, of which the details show one. */
static void
leave_search (GessoGalleryGrid *self)
{
  GtkSelectionModel *selection = GTK_SELECTION_MODEL (self->selection);
  if (g_list_model_get_n_items (G_LIST_MODEL (self->list)) == 0)
    return;
  g_autoptr (GtkBitset) selected = gtk_selection_model_get_selection (selection);
  if (gtk_bitset_is_empty (selected))
    gtk_selection_model_select_item (selection, 0, TRUE);
  gesso_gallery_grid_focus_position (self, 0);
}

/* Where nothing was found, the pictures come only when the list has been asked anew. */
static void
stop_search_cb (GessoGalleryGrid *self)
{
  gesso_gallery_grid_clear_search (self);
  self->leaves_search = g_list_model_get_n_items (G_LIST_MODEL (self->list)) == 0;
  leave_search (self);
}

void
gesso_gallery_grid_focus_search (GessoGalleryGrid *self)
{
  g_return_if_fail (GESSO_IS_GALLERY_GRID (self));
  gtk_widget_grab_focus (self->search);
  gtk_editable_select_region (GTK_EDITABLE (self->search), 0, -1);
}

void
gesso_gallery_grid_clear_search (GessoGalleryGrid *self)
{
  g_return_if_fail (GESSO_IS_GALLERY_GRID (self));
  gtk_editable_set_text (GTK_EDITABLE (self->search), "");
  gesso_picture_list_set_search (self->list, "");
}

static gboolean
search_key_cb (
    GtkEventControllerKey *keys, guint key, guint code, GdkModifierType state, gpointer data)
{
  if (key != GDK_KEY_Down)
    return FALSE;
  leave_search (data);
  return TRUE;
}

/* ---- focus ---- */

static gboolean
focus_cb (gpointer user_data)
{
  GessoGalleryGrid *self = user_data;
  g_autoptr (GessoPicture) picture =
      g_list_model_get_item (G_LIST_MODEL (self->list), self->focus_position);
  GtkWidget *row = picture ? row_of (self, picture) : NULL;
  if (picture && !row && self->focus_tries-- > 0)
    return G_SOURCE_CONTINUE;
  self->focus_idle = 0;
  if (row)
    gtk_widget_grab_focus (row);
  return G_SOURCE_REMOVE;
}

void
gesso_gallery_grid_focus_position (GessoGalleryGrid *self, guint position)
{
  g_return_if_fail (GESSO_IS_GALLERY_GRID (self));
  if (position >= g_list_model_get_n_items (G_LIST_MODEL (self->list)))
    return;
  gtk_widget_activate_action (self->view, "list.scroll-to-item", "u", position);
  self->focus_position = position;
  self->focus_tries = FOCUS_TRIES;
  /* its widget is there after the next layout */
  if (!self->focus_idle)
    self->focus_idle = g_timeout_add (FOCUS_RETRY_MS, focus_cb, self);
}

/* ---- states ---- */

/* It is among the pictures, or was until they went: then the toast has it, or nobody. */
static gboolean
has_keyboard (GessoGalleryGrid *self)
{
  GtkRoot *root = gtk_widget_get_root (GTK_WIDGET (self));
  GtkWidget *focus = root ? gtk_root_get_focus (root) : NULL;
  if (!root || !gtk_widget_get_mapped (GTK_WIDGET (self)))
    return FALSE;
  if (!focus || gtk_widget_is_ancestor (focus, self->stack))
    return TRUE;
  return GTK_IS_ACTIONABLE (focus) &&
         g_strcmp0 (gtk_actionable_get_action_name (GTK_ACTIONABLE (focus)), "gallery.undo") == 0;
}

static void
show_state (GessoGalleryGrid *self, const char *name)
{
  if (g_strcmp0 (name, gtk_stack_get_visible_child_name (GTK_STACK (self->stack))) == 0)
    return;
  gboolean ours = has_keyboard (self);
  gtk_stack_set_visible_child_name (GTK_STACK (self->stack), name);
  if (ours && g_strcmp0 (name, "grid") == 0)
    gesso_gallery_grid_focus_position (self, 0);
  else if (ours)
    gtk_widget_child_focus (gtk_stack_get_visible_child (GTK_STACK (self->stack)),
                            GTK_DIR_TAB_FORWARD);
}

static void
update_state (GessoGalleryGrid *self)
{
  g_autofree char *search = NULL;
  gboolean starred, loading;
  g_object_get (self->list, "search", &search, "starred-only", &starred, "loading", &loading, NULL);
  const char *name = "grid";
  if (g_list_model_get_n_items (G_LIST_MODEL (self->list)) > 0)
    name = "grid";
  else if (loading)
    return; /* what is there stays until the answer is */
  else if (search && *search)
    name = "no-results";
  else
    name = starred ? "no-stars" : "empty";
  show_state (self, name);
  if (self->leaves_search && !loading)
    {
      self->leaves_search = FALSE;
      leave_search (self);
    }
}

/* ---- building ---- */

static void
activate_cb (GtkGridView *view, guint position, gpointer user_data)
{
  g_signal_emit (user_data, signals[OPENED], 0, position);
}

static GtkWidget *
new_search (GessoGalleryGrid *self)
{
  self->search = gtk_search_entry_new ();
  gtk_widget_set_hexpand (self->search, TRUE);
  g_object_set (self->search, "placeholder-text", _ ("Search prompts, models, file names"), NULL);
  gtk_accessible_update_property (GTK_ACCESSIBLE (self->search), GTK_ACCESSIBLE_PROPERTY_LABEL,
                                  _ ("Search pictures"), -1);
  g_signal_connect (self->search, "search-changed", G_CALLBACK (search_changed_cb), self);
  g_signal_connect_swapped (self->search, "stop-search", G_CALLBACK (stop_search_cb), self);
  g_signal_connect_swapped (self->search, "activate", G_CALLBACK (leave_search), self);
  GtkEventController *keys = gtk_event_controller_key_new ();
  gtk_event_controller_set_propagation_phase (keys, GTK_PHASE_CAPTURE);
  g_signal_connect (keys, "key-pressed", G_CALLBACK (search_key_cb), self);
  gtk_widget_add_controller (self->search, keys);
  return self->search;
}

static GtkWidget *
new_toggle (const char *icon, const char *action, const char *label)
{
  GtkWidget *toggle = gtk_toggle_button_new ();
  gtk_button_set_icon_name (GTK_BUTTON (toggle), icon);
  gtk_actionable_set_detailed_action_name (GTK_ACTIONABLE (toggle), action);
  gtk_widget_set_tooltip_text (toggle, label);
  gtk_accessible_update_property (GTK_ACCESSIBLE (toggle), GTK_ACCESSIBLE_PROPERTY_LABEL, label,
                                  -1);
  return toggle;
}

static GtkWidget *
new_tools (GessoGalleryGrid *self)
{
  GtkWidget *tools = gtk_box_new (GTK_ORIENTATION_HORIZONTAL, 6);
  gtk_widget_add_css_class (tools, "gallery-tools");
  gtk_box_append (GTK_BOX (tools), new_search (self));
  gtk_box_append (GTK_BOX (tools), new_toggle ("gesso-starred-symbolic", "gallery.starred-only",
                                               _ ("Only pictures with a star")));
  gtk_box_append (
      GTK_BOX (tools),
      gesso_gallery_icon_button ("zoom-out-symbolic", "gallery.smaller", _ ("Smaller thumbnails")));
  gtk_box_append (GTK_BOX (tools), gesso_gallery_icon_button ("zoom-in-symbolic", "gallery.larger",
                                                              _ ("Larger thumbnails")));
  gtk_box_append (GTK_BOX (tools),
                  new_toggle ("gesso-details-symbolic", "gallery.details", _ ("Details")));
  return tools;
}

static void
add_status (GessoGalleryGrid *self,
            const char *name,
            const char *icon,
            const char *title,
            const char *text,
            const char *button,
            const char *action)
{
  GtkWidget *page = adw_status_page_new ();
  adw_status_page_set_icon_name (ADW_STATUS_PAGE (page), icon);
  adw_status_page_set_title (ADW_STATUS_PAGE (page), title);
  adw_status_page_set_description (ADW_STATUS_PAGE (page), text);
  GtkWidget *child = gesso_name_new_button (button);
  gtk_actionable_set_detailed_action_name (GTK_ACTIONABLE (child), action);
  gtk_widget_add_css_class (child, "pill");
  gtk_widget_set_halign (child, GTK_ALIGN_CENTER);
  adw_status_page_set_child (ADW_STATUS_PAGE (page), child);
  gtk_stack_add_named (GTK_STACK (self->stack), page, name);
}

static GtkWidget *
new_view (GessoGalleryGrid *self)
{
  GtkListItemFactory *factory = gtk_signal_list_item_factory_new ();
  g_signal_connect_object (factory, "setup", G_CALLBACK (setup_cb), self, 0);
  g_signal_connect_object (factory, "bind", G_CALLBACK (bind_cb), self, 0);
  g_signal_connect (factory, "unbind", G_CALLBACK (unbind_cb), NULL);
  self->view = gtk_grid_view_new (g_object_ref (GTK_SELECTION_MODEL (self->selection)), factory);
  gtk_widget_add_css_class (self->view, "gallery-grid");
  gtk_accessible_update_property (GTK_ACCESSIBLE (self->view), GTK_ACCESSIBLE_PROPERTY_LABEL,
                                  _ ("Pictures"), -1);
  g_signal_connect (self->view, "activate", G_CALLBACK (activate_cb), self);
  self->scroller = gtk_scrolled_window_new ();
  gtk_scrolled_window_set_policy (GTK_SCROLLED_WINDOW (self->scroller), GTK_POLICY_NEVER,
                                  GTK_POLICY_AUTOMATIC);
  gtk_scrolled_window_set_child (GTK_SCROLLED_WINDOW (self->scroller), self->view);
  g_signal_connect_object (gesso_gallery_grid_get_adjustment (self), "value-changed",
                           G_CALLBACK (scrolled_cb), self, G_CONNECT_SWAPPED);
  self->date = gtk_label_new ("");
  gtk_widget_add_css_class (self->date, "gallery-date");
  gtk_widget_set_halign (self->date, GTK_ALIGN_CENTER);
  gtk_widget_set_valign (self->date, GTK_ALIGN_START);
  gtk_widget_set_can_target (self->date, FALSE);
  gtk_widget_set_visible (self->date, FALSE);
  GtkWidget *overlay = gtk_overlay_new ();
  gtk_overlay_set_child (GTK_OVERLAY (overlay), self->scroller);
  gtk_overlay_add_overlay (GTK_OVERLAY (overlay), self->date);
  return overlay;
}

static GtkWidget *
new_text_button (const char *label, const char *action)
{
  GtkWidget *button = gesso_name_new_button (label);
  gtk_actionable_set_detailed_action_name (GTK_ACTIONABLE (button), action);
  return button;
}

static GtkWidget *
new_bar (GessoGalleryGrid *self)
{
  GtkWidget *box = gtk_box_new (GTK_ORIENTATION_HORIZONTAL, 6);
  gtk_widget_add_css_class (box, "gallery-selection");
  self->count = gtk_label_new ("");
  gtk_label_set_xalign (GTK_LABEL (self->count), 0);
  gtk_widget_set_hexpand (self->count, TRUE);
  gtk_box_append (GTK_BOX (box), self->count);
  gtk_box_append (GTK_BOX (box), new_text_button (_ ("_Star"), "gallery.star"));
  gtk_box_append (GTK_BOX (box), new_text_button (_ ("_Compare"), "gallery.compare"));
  gtk_box_append (GTK_BOX (box), new_text_button (_ ("Move to _Trash"), "gallery.trash"));
  gtk_box_append (GTK_BOX (box),
                  gesso_gallery_icon_button ("window-close-symbolic", "gallery.unselect",
                                             _ ("Select nothing")));
  self->bar = gtk_revealer_new ();
  gtk_revealer_set_transition_type (GTK_REVEALER (self->bar),
                                    GTK_REVEALER_TRANSITION_TYPE_SLIDE_UP);
  gtk_revealer_set_child (GTK_REVEALER (self->bar), box);
  return self->bar;
}

static void
key_compare_cb (GtkWidget *widget, gpointer user_data)
{
  g_signal_emit (user_data, signals[KEY_COMPARE], 0);
}

static void
build (GessoGalleryGrid *self)
{
  self->box = gtk_box_new (GTK_ORIENTATION_VERTICAL, 0);
  gtk_widget_set_parent (self->box, GTK_WIDGET (self));
  self->stack = gtk_stack_new ();
  gtk_widget_set_vexpand (self->stack, TRUE);
  gtk_box_append (GTK_BOX (self->box), new_tools (self));
  gtk_box_append (GTK_BOX (self->box), self->stack);
  gtk_box_append (GTK_BOX (self->box), new_bar (self));
  gtk_stack_add_named (GTK_STACK (self->stack), new_view (self), "grid");
  add_status (self, "empty", "gesso-gallery-symbolic", _ ("Nothing Here Yet"),
              _ ("Every picture you make appears here, with the settings that made it."),
              _ ("_Go to Create"), "gallery.go-to-create");
  add_status (self, "no-results", "edit-find-symbolic", _ ("No Results"),
              _ ("No picture has all of these words in its prompt, model or name."),
              _ ("_Clear Search"), "gallery.clear-search");
  add_status (self, "no-stars", "gesso-star-symbolic", _ ("No Stars Yet"),
              _ ("Give the pictures that you want to find again a star: select one and press S."),
              _ ("_Show All Pictures"), "gallery.show-all");
  self->menu = gtk_popover_menu_new_from_model (G_MENU_MODEL (gesso_gallery_menu ()));
  gtk_popover_set_has_arrow (GTK_POPOVER (self->menu), FALSE);
  gtk_widget_set_halign (self->menu, GTK_ALIGN_START);
  gtk_widget_set_parent (self->menu, GTK_WIDGET (self));
  gesso_gallery_grid_add_input (self);
  gesso_gallery_keys_add (self->scroller, GESSO_KEYS_GRID, G_CALLBACK (key_compare_cb), self);
}

static void
gesso_gallery_grid_size_allocate (GtkWidget *widget, int width, int height, int baseline)
{
  GessoGalleryGrid *self = GESSO_GALLERY_GRID (widget);
  gtk_widget_allocate (self->box, width, height, baseline, NULL);
  gtk_popover_present (GTK_POPOVER (self->menu));
  queue_columns (self);
}

static void
gesso_gallery_grid_measure (GtkWidget *widget,
                            GtkOrientation orientation,
                            int for_size,
                            int *minimum,
                            int *natural,
                            int *minimum_baseline,
                            int *natural_baseline)
{
  gtk_widget_measure (GESSO_GALLERY_GRID (widget)->box, orientation, for_size, minimum, natural,
                      minimum_baseline, natural_baseline);
}

static void
gesso_gallery_grid_dispose (GObject *object)
{
  GessoGalleryGrid *self = GESSO_GALLERY_GRID (object);
  g_clear_handle_id (&self->date_timeout, g_source_remove);
  g_clear_handle_id (&self->columns_idle, g_source_remove);
  g_clear_handle_id (&self->focus_idle, g_source_remove);
  if (self->list)
    g_signal_handlers_disconnect_by_data (self->list, self);
  if (self->selection)
    g_signal_handlers_disconnect_by_data (self->selection, self);
  g_clear_pointer (&self->menu, gtk_widget_unparent);
  g_clear_pointer (&self->box, gtk_widget_unparent);
  g_clear_object (&self->selection);
  g_clear_object (&self->list);
  g_clear_object (&self->library);
  G_OBJECT_CLASS (gesso_gallery_grid_parent_class)->dispose (object);
}

static void
gesso_gallery_grid_finalize (GObject *object)
{
  GessoGalleryGrid *self = GESSO_GALLERY_GRID (object);
  for (guint i = 0; i < self->cells->len; i++)
    g_object_weak_unref (self->cells->pdata[i], cell_gone_cb, self->cells);
  g_ptr_array_unref (self->cells);
  G_OBJECT_CLASS (gesso_gallery_grid_parent_class)->finalize (object);
}

static void
gesso_gallery_grid_class_init (GessoGalleryGridClass *klass)
{
  GtkWidgetClass *widget_class = GTK_WIDGET_CLASS (klass);
  G_OBJECT_CLASS (klass)->dispose = gesso_gallery_grid_dispose;
  G_OBJECT_CLASS (klass)->finalize = gesso_gallery_grid_finalize;
  widget_class->size_allocate = gesso_gallery_grid_size_allocate;
  widget_class->measure = gesso_gallery_grid_measure;
  signals[OPENED] = g_signal_new ("opened", GESSO_TYPE_GALLERY_GRID, G_SIGNAL_RUN_LAST, 0, NULL,
                                  NULL, NULL, G_TYPE_NONE, 1, G_TYPE_UINT);
  signals[KEY_COMPARE] = g_signal_new ("key-compare", GESSO_TYPE_GALLERY_GRID, G_SIGNAL_RUN_LAST, 0,
                                       NULL, NULL, NULL, G_TYPE_NONE, 0);
}

static void
gesso_gallery_grid_init (GessoGalleryGrid *self)
{
  self->cells = g_ptr_array_new ();
  self->size_index = DEFAULT_SIZE;
}

GtkWidget *
gesso_gallery_grid_new (GessoLibrary *library, GessoPictureList *list, GtkMultiSelection *selection)
{
  g_return_val_if_fail (GESSO_IS_LIBRARY (library) && GESSO_IS_PICTURE_LIST (list), NULL);
  g_return_val_if_fail (GTK_IS_MULTI_SELECTION (selection), NULL);
  GessoGalleryGrid *self = g_object_new (GESSO_TYPE_GALLERY_GRID, NULL);
  self->library = g_object_ref (library);
  self->list = g_object_ref (list);
  self->selection = g_object_ref (selection);
  build (self);
  g_signal_connect_swapped (list, "notify::loading", G_CALLBACK (update_state), self);
  g_signal_connect_swapped (list, "items-changed", G_CALLBACK (update_state), self);
  g_signal_connect_swapped (selection, "selection-changed", G_CALLBACK (selection_changed_cb),
                            self);
  g_signal_connect_swapped (selection, "items-changed", G_CALLBACK (selection_changed_cb), self);
  update_state (self);
  return GTK_WIDGET (self);
}

GtkAdjustment *
gesso_gallery_grid_get_adjustment (GessoGalleryGrid *self)
{
  g_return_val_if_fail (GESSO_IS_GALLERY_GRID (self), NULL);
  return gtk_scrolled_window_get_vadjustment (GTK_SCROLLED_WINDOW (self->scroller));
}

GtkWidget *
gesso_gallery_grid_get_view (GessoGalleryGrid *self)
{
  g_return_val_if_fail (GESSO_IS_GALLERY_GRID (self), NULL);
  return self->view;
}
