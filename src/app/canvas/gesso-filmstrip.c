/* SPDX-License-Identifier: MPL-2.0
 * gesso-filmstrip.c - the latest results in a row: newest first, the running one in front.
 *
 * A horizontal list view makes widgets only for what is seen, so that the number of results does
 * not matter.  What is done to a result is the window's business: the strip says what was asked.
 */
#include "app/canvas/gesso-filmstrip.h"

#include <glib/gi18n.h>

#include "app/canvas/gesso-canvas-style.h"
#include "app/canvas/gesso-filmstrip-tile.h"
#include "app/gesso-compat.h"
#include "app/gesso-menu.h"

enum
{
  STRIP_HEIGHT = 92 /* logical pixels */
};

struct _GessoFilmstrip
{
  GtkWidget parent_instance;

  GtkWidget *box, *stack, *list, *keep, *star, *extend, *discard, *menu;
  GListStore *store; /* GessoResult; the live one first */
  GtkSingleSelection *selection;
  GessoResult *live;
  GMenu *menu_model;
  GessoResult *selected; /* as last notified; borrowed, for comparison only */
};

G_DEFINE_FINAL_TYPE (GessoFilmstrip, gesso_filmstrip, GTK_TYPE_WIDGET)

enum
{
  PROP_0,
  PROP_SELECTED,
  N_PROPS
};

enum
{
  KEEP,
  STAR,
  DISCARD,
  SHOWN,
  HIDDEN,
  N_SIGNALS
};

static GParamSpec *props[N_PROPS];
static guint signals[N_SIGNALS];

/* @path: (nullable) */
static gboolean
is_clip (const char *path)
{
  return path && g_str_has_suffix (path, ".gclip");
}

static void
update_buttons (GessoFilmstrip *self)
{
  GessoResult *r = gesso_filmstrip_get_selected (self);
  gboolean done = r && !gesso_result_get_live (r);
  gboolean starred = done && gesso_result_get_starred (r);
  gtk_widget_action_set_enabled (GTK_WIDGET (self), "filmstrip.keep", done);
  gtk_widget_action_set_enabled (GTK_WIDGET (self), "filmstrip.star", done);
  gtk_widget_action_set_enabled (GTK_WIDGET (self), "filmstrip.discard", done);
  gtk_widget_action_set_enabled (GTK_WIDGET (self), "filmstrip.copy", done);
  gtk_widget_action_set_enabled (GTK_WIDGET (self), "filmstrip.show-in-files",
                                 done && gesso_result_get_path (r));
  gboolean clip = done && is_clip (gesso_result_get_path (r));
  gtk_widget_action_set_enabled (GTK_WIDGET (self), "filmstrip.extend", clip);
  gtk_widget_set_visible (self->extend, clip);
  gtk_button_set_icon_name (GTK_BUTTON (self->star), starred ? "gesso-result-starred-symbolic"
                                                             : "gesso-result-star-symbolic");
}

static void
selected_cb (GtkSingleSelection *selection, GParamSpec *pspec, GessoFilmstrip *self)
{
  GessoResult *now = gesso_filmstrip_get_selected (self);
  if (now == self->selected)
    return;
  self->selected = now;
  update_buttons (self);
  g_object_notify_by_pspec (G_OBJECT (self), props[PROP_SELECTED]);
}

/* The buttons have something to do once there is a result. */
static void
items_changed_cb (GListModel *store, guint position, guint removed, guint added, gpointer user_data)
{
  GessoFilmstrip *self = user_data;
  gboolean any = g_list_model_get_n_items (store) > 0;
  if (!self->stack)
    return;
  gtk_stack_set_visible_child_name (GTK_STACK (self->stack), any ? "results" : "hint");
  gtk_widget_set_visible (self->keep, any);
  gtk_widget_set_visible (self->star, any);
  gtk_widget_set_visible (self->discard, any);
}

static void
result_changed_cb (GessoResult *result, GParamSpec *pspec, GessoFilmstrip *self)
{
  if (result == gesso_filmstrip_get_selected (self))
    update_buttons (self);
}

static void
put_in (GessoFilmstrip *self, guint position, GessoResult *result)
{
  g_signal_connect_object (result, "notify", G_CALLBACK (result_changed_cb), self, 0);
  g_list_store_insert (self->store, position, result);
}

static guint
first_finished (GessoFilmstrip *self)
{
  return self->live ? 1 : 0;
}

GListModel *
gesso_filmstrip_get_model (GessoFilmstrip *self)
{
  g_return_val_if_fail (GESSO_IS_FILMSTRIP (self), NULL);
  return G_LIST_MODEL (self->store);
}

GessoResult *
gesso_filmstrip_get_selected (GessoFilmstrip *self)
{
  g_return_val_if_fail (GESSO_IS_FILMSTRIP (self), NULL);
  return self->selection ? gtk_single_selection_get_selected_item (self->selection) : NULL;
}

GessoResult *
gesso_filmstrip_find (GessoFilmstrip *self, const char *path)
{
  g_return_val_if_fail (GESSO_IS_FILMSTRIP (self) && path, NULL);
  GListModel *results = G_LIST_MODEL (self->store);
  for (guint i = 0; i < g_list_model_get_n_items (results); i++)
    {
      g_autoptr (GessoResult) result = g_list_model_get_item (results, i);
      if (g_strcmp0 (gesso_result_get_path (result), path) == 0)
        return result; /* the store keeps it */
    }
  return NULL;
}

void
gesso_filmstrip_set_selected (GessoFilmstrip *self, GessoResult *result)
{
  g_return_if_fail (GESSO_IS_FILMSTRIP (self));
  guint position = GTK_INVALID_LIST_POSITION;
  if (result && !g_list_store_find (self->store, result, &position))
    return;
  gtk_single_selection_set_selected (self->selection, position);
  if (result)
    gesso_compat_list_scroll_to (self->list, position);
}

void
gesso_filmstrip_step (GessoFilmstrip *self, int direction)
{
  g_return_if_fail (GESSO_IS_FILMSTRIP (self));
  guint n = g_list_model_get_n_items (G_LIST_MODEL (self->store));
  guint now = gtk_single_selection_get_selected (self->selection);
  int to = now == GTK_INVALID_LIST_POSITION ? 0 : (int) now + (direction < 0 ? -1 : 1);
  if (n == 0 || to < 0 || to >= (int) n)
    return;
  g_autoptr (GessoResult) result = g_list_model_get_item (G_LIST_MODEL (self->store), (guint) to);
  gesso_filmstrip_set_selected (self, result);
}

void
gesso_filmstrip_add (GessoFilmstrip *self, GessoResult *result)
{
  g_return_if_fail (GESSO_IS_FILMSTRIP (self));
  g_return_if_fail (GESSO_IS_RESULT (result));
  guint selected = gtk_single_selection_get_selected (self->selection);
  guint position = first_finished (self);
  put_in (self, position, result);
  if (selected != GTK_INVALID_LIST_POSITION && selected <= position)
    gesso_filmstrip_set_selected (self, result);
}

void
gesso_filmstrip_insert (GessoFilmstrip *self, guint position, GessoResult *result)
{
  g_return_if_fail (GESSO_IS_FILMSTRIP (self));
  g_return_if_fail (GESSO_IS_RESULT (result));
  guint n = g_list_model_get_n_items (G_LIST_MODEL (self->store));
  put_in (self, MIN (position + first_finished (self), n), result);
}

int
gesso_filmstrip_remove (GessoFilmstrip *self, GessoResult *result)
{
  g_return_val_if_fail (GESSO_IS_FILMSTRIP (self), -1);
  guint position;
  if (!g_list_store_find (self->store, result, &position) || result == self->live)
    return -1;
  /* Its neighbour is looked at next, so that one can go through a row with Delete. */
  gboolean was_selected = result == gesso_filmstrip_get_selected (self);
  g_signal_handlers_disconnect_by_func (result, result_changed_cb, self);
  g_list_store_remove (self->store, position);
  guint n = g_list_model_get_n_items (G_LIST_MODEL (self->store));
  if (was_selected)
    gtk_single_selection_set_selected (self->selection,
                                       n > 0 ? MIN (position, n - 1) : GTK_INVALID_LIST_POSITION);
  return (int) (position - first_finished (self));
}

void
gesso_filmstrip_clear (GessoFilmstrip *self)
{
  g_return_if_fail (GESSO_IS_FILMSTRIP (self));
  self->live = NULL;
  g_list_store_remove_all (self->store);
}

void
gesso_filmstrip_set_live (GessoFilmstrip *self,
                          GdkPaintable *preview,
                          double fraction,
                          const char *label)
{
  g_return_if_fail (GESSO_IS_FILMSTRIP (self));
  if (!self->live)
    {
      g_autoptr (GessoResult) live = gesso_result_new (NULL, NULL, NULL);
      gesso_result_set_live (live, TRUE);
      self->live = live;
      put_in (self, 0, live);
    }
  gesso_result_set_label (self->live, label);
  gesso_result_set_progress (self->live, fraction);
  if (preview)
    gesso_result_set_paintable (self->live, preview);
}

void
gesso_filmstrip_clear_live (GessoFilmstrip *self)
{
  g_return_if_fail (GESSO_IS_FILMSTRIP (self));
  if (!self->live)
    return;
  gboolean was_selected = gesso_filmstrip_get_selected (self) == self->live;
  self->live = NULL;
  g_list_store_remove (self->store, 0);
  if (was_selected && g_list_model_get_n_items (G_LIST_MODEL (self->store)) > 0)
    gtk_single_selection_set_selected (self->selection, 0);
}

static void
emit_selected (GessoFilmstrip *self, int signal)
{
  GessoResult *r = gesso_filmstrip_get_selected (self);
  if (!r || gesso_result_get_live (r))
    return;
  g_autoptr (GessoResult) kept = g_object_ref (r);
  g_signal_emit (self, signals[signal], 0, kept);
}

static void
keep_cb (GtkWidget *widget, const char *name, GVariant *parameter)
{
  emit_selected (GESSO_FILMSTRIP (widget), KEEP);
}

static void
star_cb (GtkWidget *widget, const char *name, GVariant *parameter)
{
  emit_selected (GESSO_FILMSTRIP (widget), STAR);
}

static void
discard_cb (GtkWidget *widget, const char *name, GVariant *parameter)
{
  emit_selected (GESSO_FILMSTRIP (widget), DISCARD);
}

/* The window's. */
static void
extend_cb (GtkWidget *widget, const char *name, GVariant *parameter)
{
  GessoResult *r = gesso_filmstrip_get_selected (GESSO_FILMSTRIP (widget));
  const char *path = r ? gesso_result_get_path (r) : NULL;
  if (is_clip (path))
    gtk_widget_activate_action (widget, "win.extend", "s", path);
}

static void
shown_cb (GObject *source, GAsyncResult *result, gpointer user_data)
{
  g_autoptr (GError) error = NULL;
  if (!g_app_info_launch_default_for_uri_finish (result, &error))
    g_warning ("The folder cannot be shown: %s", error->message);
}

static void
show_in_files_cb (GtkWidget *widget, const char *name, GVariant *parameter)
{
  GessoResult *r = gesso_filmstrip_get_selected (GESSO_FILMSTRIP (widget));
  const char *path = r ? gesso_result_get_path (r) : NULL;
  if (!path)
    return;
  g_autofree char *folder = g_path_get_dirname (path);
  g_autofree char *uri = g_filename_to_uri (folder, NULL, NULL);
  if (uri)
    g_app_info_launch_default_for_uri_async (uri, NULL, NULL, shown_cb, NULL);
}

/* As a file and as pixels: what the other side takes. */
static GdkContentProvider *
content_of (GessoResult *result)
{
  GdkContentProvider *parts[2];
  gsize n = 0;
  const char *path = gesso_result_get_path (result);
  GdkPaintable *paintable = gesso_result_get_paintable (result);
  if (path)
    {
      g_autoptr (GFile) file = g_file_new_for_path (path);
      GdkFileList *files = gdk_file_list_new_from_array (&file, 1);
      parts[n++] = gdk_content_provider_new_typed (GDK_TYPE_FILE_LIST, files);
      g_boxed_free (GDK_TYPE_FILE_LIST, files);
    }
  /* The thumbnail is no stand-in for the picture: only without a file. */
  else if (GDK_IS_TEXTURE (paintable))
    parts[n++] = gdk_content_provider_new_typed (GDK_TYPE_TEXTURE, paintable);
  return n > 0 ? gdk_content_provider_new_union (parts, n) : NULL;
}

static void
copy_cb (GtkWidget *widget, const char *name, GVariant *parameter)
{
  GessoResult *r = gesso_filmstrip_get_selected (GESSO_FILMSTRIP (widget));
  g_autoptr (GdkContentProvider) content = r ? content_of (r) : NULL;
  if (content)
    gdk_clipboard_set_content (gtk_widget_get_clipboard (widget), content);
}

static GdkContentProvider *
drag_prepare_cb (GtkDragSource *source, double x, double y, gpointer user_data)
{
  GtkWidget *tile = gtk_event_controller_get_widget (GTK_EVENT_CONTROLLER (source));
  GessoResult *result = gesso_filmstrip_tile_get_result (GESSO_FILMSTRIP_TILE (tile));
  if (!result || gesso_result_get_live (result))
    return NULL;
  g_autoptr (GdkPaintable) icon = gtk_widget_paintable_new (tile);
  g_autoptr (GdkPaintable) still = gdk_paintable_get_current_image (icon);
  gtk_drag_source_set_icon (source, still, (int) x, (int) y);
  return content_of (result);
}

static void
popup_menu (GessoFilmstrip *self, GtkWidget *tile)
{
  graphene_rect_t bounds;
  if (!gtk_widget_compute_bounds (tile, GTK_WIDGET (self), &bounds))
    return;
  GdkRectangle at = { (int) bounds.origin.x, (int) bounds.origin.y, (int) bounds.size.width,
                      (int) bounds.size.height };
  gtk_popover_set_pointing_to (GTK_POPOVER (self->menu), &at);
  gtk_popover_popup (GTK_POPOVER (self->menu));
}

static void
right_click_cb (GtkGestureClick *gesture, int n_press, double x, double y, GessoFilmstrip *self)
{
  GtkWidget *tile = gtk_event_controller_get_widget (GTK_EVENT_CONTROLLER (gesture));
  gesso_filmstrip_set_selected (self,
                                gesso_filmstrip_tile_get_result (GESSO_FILMSTRIP_TILE (tile)));
  popup_menu (self, tile);
}

static gboolean
menu_key_cb (GtkWidget *widget, GVariant *args, gpointer user_data)
{
  GessoFilmstrip *self = GESSO_FILMSTRIP (widget);
  if (!gesso_filmstrip_get_selected (self))
    return FALSE;
  GtkWidget *focus = gtk_root_get_focus (gtk_widget_get_root (widget));
  popup_menu (self, focus && gtk_widget_is_ancestor (focus, self->list) ? focus : self->list);
  return TRUE;
}

static void
setup_cb (GtkSignalListItemFactory *factory, GtkListItem *item, GessoFilmstrip *self)
{
  GtkWidget *tile = gesso_filmstrip_tile_new ();
  GtkDragSource *drag = gtk_drag_source_new ();
  gtk_drag_source_set_actions (drag, GDK_ACTION_COPY);
  g_signal_connect (drag, "prepare", G_CALLBACK (drag_prepare_cb), NULL);
  gtk_widget_add_controller (tile, GTK_EVENT_CONTROLLER (drag));
  GtkGesture *click = gtk_gesture_click_new ();
  gtk_gesture_single_set_button (GTK_GESTURE_SINGLE (click), GDK_BUTTON_SECONDARY);
  g_signal_connect (click, "pressed", G_CALLBACK (right_click_cb), self);
  gtk_widget_add_controller (tile, GTK_EVENT_CONTROLLER (click));
  gtk_list_item_set_child (item, tile);
}

static void
bind_cb (GtkSignalListItemFactory *factory, GtkListItem *item, GessoFilmstrip *self)
{
  GessoResult *result = gtk_list_item_get_item (item);
  gesso_filmstrip_tile_set_result (GESSO_FILMSTRIP_TILE (gtk_list_item_get_child (item)), result);
  g_signal_emit (self, signals[SHOWN], 0, result);
}

static void
unbind_cb (GtkSignalListItemFactory *factory, GtkListItem *item, GessoFilmstrip *self)
{
  gesso_filmstrip_tile_set_result (GESSO_FILMSTRIP_TILE (gtk_list_item_get_child (item)), NULL);
  g_signal_emit (self, signals[HIDDEN], 0, gtk_list_item_get_item (item));
}

static void
activate_cb (GtkListView *list, guint position, GessoFilmstrip *self)
{
  gtk_single_selection_set_selected (self->selection, position);
  emit_selected (self, KEEP);
}

static GtkWidget *
new_list (GessoFilmstrip *self)
{
  GtkListItemFactory *factory = gtk_signal_list_item_factory_new ();
  g_signal_connect (factory, "setup", G_CALLBACK (setup_cb), self);
  g_signal_connect (factory, "bind", G_CALLBACK (bind_cb), self);
  g_signal_connect (factory, "unbind", G_CALLBACK (unbind_cb), self);
  self->store = g_list_store_new (GESSO_TYPE_RESULT);
  self->selection = gtk_single_selection_new (g_object_ref (G_LIST_MODEL (self->store)));
  gtk_single_selection_set_autoselect (self->selection, FALSE);
  gtk_single_selection_set_can_unselect (self->selection, TRUE);
  gtk_single_selection_set_selected (self->selection, GTK_INVALID_LIST_POSITION);
  g_signal_connect_object (self->selection, "notify::selected-item", G_CALLBACK (selected_cb), self,
                           0);
  self->list = gtk_list_view_new (g_object_ref (GTK_SELECTION_MODEL (self->selection)), factory);
  gtk_orientable_set_orientation (GTK_ORIENTABLE (self->list), GTK_ORIENTATION_HORIZONTAL);
  g_signal_connect (self->list, "activate", G_CALLBACK (activate_cb), self);
  gtk_accessible_update_property (GTK_ACCESSIBLE (self->list), GTK_ACCESSIBLE_PROPERTY_LABEL,
                                  _ ("Latest results"), -1);
  GtkWidget *scroller = gtk_scrolled_window_new ();
  gtk_scrolled_window_set_policy (GTK_SCROLLED_WINDOW (scroller), GTK_POLICY_AUTOMATIC,
                                  GTK_POLICY_NEVER);
  gtk_scrolled_window_set_child (GTK_SCROLLED_WINDOW (scroller), self->list);
  gtk_widget_set_hexpand (scroller, TRUE);
  return scroller;
}

static GtkWidget *
new_hint (void)
{
  GtkWidget *hint = gtk_label_new (_ ("What you make appears here"));
  gtk_label_set_ellipsize (GTK_LABEL (hint), PANGO_ELLIPSIZE_END);
  gtk_widget_add_css_class (hint, "dim-label");
  return hint;
}

static GtkWidget *
new_stack (GessoFilmstrip *self)
{
  self->stack = gtk_stack_new ();
  gtk_stack_add_named (GTK_STACK (self->stack), new_hint (), "hint");
  gtk_stack_add_named (GTK_STACK (self->stack), new_list (self), "results");
  gtk_widget_set_hexpand (self->stack, TRUE);
  /* As high as with results, so that the first one does not move the canvas. */
  gtk_widget_set_size_request (self->stack, -1, STRIP_HEIGHT);
  return self->stack;
}

static GtkWidget *
new_button (const char *icon, const char *label, const char *tooltip, const char *action)
{
  GtkWidget *button = gtk_button_new_from_icon_name (icon);
  gtk_widget_set_tooltip_text (button, tooltip);
  gtk_actionable_set_action_name (GTK_ACTIONABLE (button), action);
  gtk_widget_set_valign (button, GTK_ALIGN_CENTER);
  gtk_widget_add_css_class (button, "flat");
  gtk_accessible_update_property (GTK_ACCESSIBLE (button), GTK_ACCESSIBLE_PROPERTY_LABEL, label,
                                  -1);
  return button;
}

static void
add_keys (GessoFilmstrip *self)
{
  static const struct
  {
    guint key;
    GdkModifierType modifiers;
    const char *action;
  } keys[] = {
    { GDK_KEY_s, 0, "filmstrip.star" },
    { GDK_KEY_e, 0, "filmstrip.extend" },
    { GDK_KEY_Delete, 0, "filmstrip.discard" },
    { GDK_KEY_c, GDK_CONTROL_MASK, "filmstrip.copy" },
  };
  GtkEventController *controller = gtk_shortcut_controller_new ();
  for (gsize i = 0; i < G_N_ELEMENTS (keys); i++)
    gtk_shortcut_controller_add_shortcut (
        GTK_SHORTCUT_CONTROLLER (controller),
        gtk_shortcut_new (gtk_keyval_trigger_new (keys[i].key, keys[i].modifiers),
                          gtk_named_action_new (keys[i].action)));
  gesso_menu_add_keys (GTK_SHORTCUT_CONTROLLER (controller), menu_key_cb, NULL);
  gtk_widget_add_controller (GTK_WIDGET (self), controller);
}

static void
add_menu (GessoFilmstrip *self)
{
  g_autoptr (GMenu) own = g_menu_new ();
  g_menu_append (own, _ ("Keep"), "filmstrip.keep");
  g_menu_append (own, _ ("Star"), "filmstrip.star");
  g_menu_append (own, _ ("Extend"), "filmstrip.extend");
  g_menu_append (own, _ ("Copy"), "filmstrip.copy");
  g_menu_append (own, _ ("Show in Files"), "filmstrip.show-in-files");
  g_menu_append (own, _ ("Discard"), "filmstrip.discard");
  self->menu_model = g_menu_new ();
  g_menu_append_section (self->menu_model, NULL, G_MENU_MODEL (own));
  self->menu = gtk_popover_menu_new_from_model (G_MENU_MODEL (self->menu_model));
  gtk_widget_set_parent (self->menu, GTK_WIDGET (self));
}

void
gesso_filmstrip_set_extra_menu (GessoFilmstrip *self, GMenuModel *menu)
{
  g_return_if_fail (GESSO_IS_FILMSTRIP (self));
  if (g_menu_model_get_n_items (G_MENU_MODEL (self->menu_model)) > 1)
    g_menu_remove (self->menu_model, 1);
  if (menu)
    g_menu_append_section (self->menu_model, NULL, menu);
}

static void
gesso_filmstrip_size_allocate (GtkWidget *widget, int width, int height, int baseline)
{
  GessoFilmstrip *self = GESSO_FILMSTRIP (widget);
  gtk_widget_size_allocate (self->box, &(GtkAllocation){ 0, 0, width, height }, baseline);
  gtk_popover_present (GTK_POPOVER (self->menu));
}

static void
gesso_filmstrip_measure (GtkWidget *widget,
                         GtkOrientation orientation,
                         int for_size,
                         int *minimum,
                         int *natural,
                         int *minimum_baseline,
                         int *natural_baseline)
{
  gtk_widget_measure (GESSO_FILMSTRIP (widget)->box, orientation, for_size, minimum, natural,
                      minimum_baseline, natural_baseline);
}

static void
gesso_filmstrip_get_property (GObject *object, guint id, GValue *value, GParamSpec *pspec)
{
  if (id == PROP_SELECTED)
    g_value_set_object (value, gesso_filmstrip_get_selected (GESSO_FILMSTRIP (object)));
  else
    G_OBJECT_WARN_INVALID_PROPERTY_ID (object, id, pspec);
}

static void
gesso_filmstrip_set_property (GObject *object, guint id, const GValue *value, GParamSpec *pspec)
{
  if (id == PROP_SELECTED)
    gesso_filmstrip_set_selected (GESSO_FILMSTRIP (object), g_value_get_object (value));
  else
    G_OBJECT_WARN_INVALID_PROPERTY_ID (object, id, pspec);
}

static void
gesso_filmstrip_dispose (GObject *object)
{
  GessoFilmstrip *self = GESSO_FILMSTRIP (object);
  g_clear_pointer (&self->menu, gtk_widget_unparent);
  self->stack = NULL;
  g_clear_pointer (&self->box, gtk_widget_unparent);
  g_clear_object (&self->menu_model);
  g_clear_object (&self->selection);
  g_clear_object (&self->store);
  self->live = NULL;
  G_OBJECT_CLASS (gesso_filmstrip_parent_class)->dispose (object);
}

static void
install_actions (GtkWidgetClass *widget_class)
{
  gtk_widget_class_install_action (widget_class, "filmstrip.keep", NULL, keep_cb);
  gtk_widget_class_install_action (widget_class, "filmstrip.star", NULL, star_cb);
  gtk_widget_class_install_action (widget_class, "filmstrip.discard", NULL, discard_cb);
  gtk_widget_class_install_action (widget_class, "filmstrip.extend", NULL, extend_cb);
  gtk_widget_class_install_action (widget_class, "filmstrip.copy", NULL, copy_cb);
  gtk_widget_class_install_action (widget_class, "filmstrip.show-in-files", NULL, show_in_files_cb);
}

static void
gesso_filmstrip_class_init (GessoFilmstripClass *klass)
{
  static const char *const names[N_SIGNALS] = { "keep", "star", "discard", "shown", "hidden" };
  GObjectClass *object_class = G_OBJECT_CLASS (klass);
  GtkWidgetClass *widget_class = GTK_WIDGET_CLASS (klass);
  object_class->get_property = gesso_filmstrip_get_property;
  object_class->set_property = gesso_filmstrip_set_property;
  object_class->dispose = gesso_filmstrip_dispose;
  widget_class->size_allocate = gesso_filmstrip_size_allocate;
  widget_class->measure = gesso_filmstrip_measure;
  gtk_widget_class_set_css_name (widget_class, "gessofilmstrip");
  gtk_widget_class_set_accessible_role (widget_class, GTK_ACCESSIBLE_ROLE_GROUP);
  install_actions (widget_class);
  props[PROP_SELECTED] =
      g_param_spec_object ("selected", NULL, NULL, GESSO_TYPE_RESULT,
                           G_PARAM_READWRITE | G_PARAM_STATIC_STRINGS | G_PARAM_EXPLICIT_NOTIFY);
  g_object_class_install_properties (object_class, N_PROPS, props);
  for (int i = 0; i < N_SIGNALS; i++)
    signals[i] = g_signal_new (names[i], GESSO_TYPE_FILMSTRIP, G_SIGNAL_RUN_LAST, 0, NULL, NULL,
                               NULL, G_TYPE_NONE, 1, GESSO_TYPE_RESULT);
}

static void
gesso_filmstrip_init (GessoFilmstrip *self)
{
  gesso_canvas_style_ensure ();
  self->box = gtk_box_new (GTK_ORIENTATION_HORIZONTAL, 6);
  gtk_box_append (GTK_BOX (self->box), new_stack (self));
  self->keep = new_button ("gesso-result-keep-symbolic", _ ("Keep"),
                           _ ("Keep on the canvas, to go on from it (Enter)"), "filmstrip.keep");
  self->star =
      new_button ("gesso-result-star-symbolic", _ ("Star"), _ ("Star (S)"), "filmstrip.star");
  self->extend = new_button ("gesso-result-extend-symbolic", _ ("Extend"), _ ("Extend Clip (E)"),
                             "filmstrip.extend");
  self->discard = new_button ("gesso-result-discard-symbolic", _ ("Discard"),
                              _ ("Discard (Delete)"), "filmstrip.discard");
  gtk_box_append (GTK_BOX (self->box), self->keep);
  gtk_box_append (GTK_BOX (self->box), self->star);
  gtk_box_append (GTK_BOX (self->box), self->extend);
  gtk_box_append (GTK_BOX (self->box), self->discard);
  gtk_widget_set_parent (self->box, GTK_WIDGET (self));
  g_signal_connect_object (self->store, "items-changed", G_CALLBACK (items_changed_cb), self, 0);
  items_changed_cb (G_LIST_MODEL (self->store), 0, 0, 0, self);
  add_menu (self);
  add_keys (self);
  update_buttons (self);
}

GtkWidget *
gesso_filmstrip_new (void)
{
  return g_object_new (GESSO_TYPE_FILMSTRIP, NULL);
}
