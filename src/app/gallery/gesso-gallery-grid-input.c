/* SPDX-License-Identifier: MPL-2.0
 * gesso-gallery-grid-input.c - what the mouse does in the grid, besides selecting: context menu,
 * size of the thumbnails, dragging files out.
 */
#include "app/gallery/gesso-gallery-grid-private.h"

enum
{
  DRAG_HOT_SPOT = 40 /* px; where the pointer holds the dragged thumbnail */
};

GessoGalleryCell *
gesso_gallery_grid_cell_at (GessoGalleryGrid *self, double x, double y)
{
  GtkWidget *widget = gtk_widget_pick (self->view, x, y, GTK_PICK_DEFAULT);
  for (; widget && widget != self->view; widget = gtk_widget_get_parent (widget))
    {
      if (GESSO_IS_GALLERY_CELL (widget))
        return GESSO_GALLERY_CELL (widget);
      GtkWidget *child = gtk_widget_get_first_child (widget);
      if (child && GESSO_IS_GALLERY_CELL (child))
        return GESSO_GALLERY_CELL (child);
    }
  return NULL;
}

/* GTK_INVALID_LIST_POSITION when it is not listed. */
static guint
position_of (GessoGalleryGrid *self, GessoPicture *picture)
{
  guint n = g_list_model_get_n_items (G_LIST_MODEL (self->list));
  for (guint i = 0; i < n; i++)
    {
      g_autoptr (GessoPicture) other = g_list_model_get_item (G_LIST_MODEL (self->list), i);
      if (other == picture)
        return i;
    }
  return GTK_INVALID_LIST_POSITION;
}

/* ---- mouse: menu, size, drag ---- */

/* As file managers do: the menu is about what was clicked, unless that is part of the selection. */
static void
select_under (GessoGalleryGrid *self, GessoPicture *picture)
{
  guint position = position_of (self, picture);
  GtkSelectionModel *model = GTK_SELECTION_MODEL (self->selection);
  if (position != GTK_INVALID_LIST_POSITION && !gtk_selection_model_is_selected (model, position))
    gtk_selection_model_select_item (model, position, TRUE);
}

static void
popup_at (GessoGalleryGrid *self, GtkWidget *widget, double x, double y)
{
  graphene_point_t from = GRAPHENE_POINT_INIT ((float) x, (float) y), to;
  if (!gtk_widget_compute_point (widget, GTK_WIDGET (self), &from, &to))
    return;
  gtk_popover_set_pointing_to (GTK_POPOVER (self->menu),
                               &(GdkRectangle){ (int) to.x, (int) to.y, 1, 1 });
  gtk_popover_popup (GTK_POPOVER (self->menu));
}

static void
right_click_cb (GtkGestureClick *click, int n, double x, double y, gpointer user_data)
{
  GessoGalleryGrid *self = user_data;
  GessoGalleryCell *cell = gesso_gallery_grid_cell_at (self, x, y);
  if (!cell || !gesso_gallery_cell_get_picture (cell))
    return;
  gtk_gesture_set_state (GTK_GESTURE (click), GTK_EVENT_SEQUENCE_CLAIMED);
  select_under (self, gesso_gallery_cell_get_picture (cell));
  popup_at (self, self->view, x, y);
}

void
gesso_gallery_grid_popup_menu (GessoGalleryGrid *self)
{
  g_return_if_fail (GESSO_IS_GALLERY_GRID (self));
  GtkWidget *row = gtk_widget_get_focus_child (self->view);
  GtkWidget *cell = row ? gtk_widget_get_first_child (row) : NULL;
  if (!cell || !GESSO_IS_GALLERY_CELL (cell))
    return;
  select_under (self, gesso_gallery_cell_get_picture (GESSO_GALLERY_CELL (cell)));
  popup_at (self, cell, gtk_widget_get_width (cell) / 2.0, gtk_widget_get_height (cell) / 2.0);
}

static gboolean
scroll_cb (GtkEventControllerScroll *scroll, double dx, double dy, gpointer user_data)
{
  GdkModifierType state =
      gtk_event_controller_get_current_event_state (GTK_EVENT_CONTROLLER (scroll));
  if (!(state & GDK_CONTROL_MASK) || dy == 0)
    return FALSE;
  gesso_gallery_grid_resize (user_data, dy < 0 ? 1 : -1);
  return TRUE;
}

/* The dragged picture, or the whole selection when it is part of that. */
static GPtrArray *
dup_dragged (GessoGalleryGrid *self, GessoPicture *picture)
{
  GPtrArray *files = g_ptr_array_new_with_free_func (g_object_unref);
  g_autoptr (GtkBitset) selected =
      gtk_selection_model_get_selection (GTK_SELECTION_MODEL (self->selection));
  GtkBitsetIter iter;
  guint position;
  gboolean within = FALSE;
  for (gboolean ok = gtk_bitset_iter_init_first (&iter, selected, &position); ok;
       ok = gtk_bitset_iter_next (&iter, &position))
    {
      g_autoptr (GessoPicture) one = g_list_model_get_item (G_LIST_MODEL (self->list), position);
      within |= one == picture;
      if (one && *gesso_picture_get_path (one))
        g_ptr_array_add (files, g_file_new_for_path (gesso_picture_get_path (one)));
    }
  if (within)
    return files;
  g_ptr_array_set_size (files, 0);
  g_ptr_array_add (files, g_file_new_for_path (gesso_picture_get_path (picture)));
  return files;
}

static GdkContentProvider *
drag_prepare_cb (GtkDragSource *source, double x, double y, gpointer user_data)
{
  GessoGalleryGrid *self = user_data;
  GessoGalleryCell *cell = gesso_gallery_grid_cell_at (self, x, y);
  GessoPicture *picture = cell ? gesso_gallery_cell_get_picture (cell) : NULL;
  if (!picture || !*gesso_picture_get_path (picture))
    return NULL;
  g_autoptr (GPtrArray) files = dup_dragged (self, picture);
  if (gesso_gallery_cell_get_texture (cell))
    gtk_drag_source_set_icon (source, GDK_PAINTABLE (gesso_gallery_cell_get_texture (cell)),
                              DRAG_HOT_SPOT, DRAG_HOT_SPOT);
  g_auto (GValue) value = G_VALUE_INIT;
  g_value_init (&value, GDK_TYPE_FILE_LIST);
  g_value_take_boxed (&value, gdk_file_list_new_from_array ((GFile **) files->pdata, files->len));
  return gdk_content_provider_new_for_value (&value);
}

void
gesso_gallery_grid_add_input (GessoGalleryGrid *self)
{
  GtkGesture *click = gtk_gesture_click_new ();
  gtk_gesture_single_set_button (GTK_GESTURE_SINGLE (click), GDK_BUTTON_SECONDARY);
  g_signal_connect (click, "pressed", G_CALLBACK (right_click_cb), self);
  gtk_widget_add_controller (self->view, GTK_EVENT_CONTROLLER (click));
  GtkEventController *scroll = gtk_event_controller_scroll_new (
      GTK_EVENT_CONTROLLER_SCROLL_VERTICAL | GTK_EVENT_CONTROLLER_SCROLL_DISCRETE);
  gtk_event_controller_set_propagation_phase (scroll, GTK_PHASE_CAPTURE);
  g_signal_connect (scroll, "scroll", G_CALLBACK (scroll_cb), self);
  gtk_widget_add_controller (self->scroller, scroll);
  GtkDragSource *drag = gtk_drag_source_new ();
  gtk_drag_source_set_actions (drag, GDK_ACTION_COPY);
  g_signal_connect (drag, "prepare", G_CALLBACK (drag_prepare_cb), self);
  gtk_widget_add_controller (self->view, GTK_EVENT_CONTROLLER (drag));
}
