/* SPDX-License-Identifier: MPL-2.0
 * gesso-gallery-actions.c - the commands of the gallery, group "gallery".
 */
#include <glib/gi18n.h>

#include "app/gallery/gesso-gallery-private.h"
#include "app/gallery/gesso-gallery-recipe.h"

#define ZOOM_STEP 1.25

/* ---- looking ---- */

static guint
first_selected (GessoGalleryPage *self)
{
  g_autoptr (GtkBitset) selected =
      gtk_selection_model_get_selection (GTK_SELECTION_MODEL (self->selection));
  return gtk_bitset_is_empty (selected) ? GTK_INVALID_LIST_POSITION
                                        : gtk_bitset_get_minimum (selected);
}

static void
open_cb (GSimpleAction *action, GVariant *parameter, gpointer user_data)
{
  gesso_gallery_view_position (user_data, first_selected (user_data), FALSE);
}

static void
quick_look_cb (GSimpleAction *action, GVariant *parameter, gpointer user_data)
{
  gesso_gallery_view_position (user_data, first_selected (user_data), TRUE);
}

static void
back_cb (GSimpleAction *action, GVariant *parameter, gpointer user_data)
{
  gesso_gallery_back (user_data);
}

static void
next_cb (GSimpleAction *action, GVariant *parameter, gpointer user_data)
{
  GessoGalleryPage *self = user_data;
  gesso_gallery_view_position (self, self->viewed + 1, self->quick);
}

static void
previous_cb (GSimpleAction *action, GVariant *parameter, gpointer user_data)
{
  GessoGalleryPage *self = user_data;
  if (self->viewed > 0)
    gesso_gallery_view_position (self, self->viewed - 1, self->quick);
}

static void
compare_cb (GSimpleAction *action, GVariant *parameter, gpointer user_data)
{
  gesso_gallery_compare_selected (user_data);
}

static void
details_cb (GSimpleAction *action, GVariant *parameter, gpointer user_data)
{
  GessoGalleryPage *self = user_data;
  /* a quick look hides them without forgetting that they are wanted */
  gboolean shown =
      self->details_wanted && !(gesso_gallery_get_mode (self) == GESSO_GALLERY_VIEW && self->quick);
  gesso_gallery_set_details (self, !shown);
}

static GessoPictureView *
view_of (GessoGalleryPage *self)
{
  gboolean compare = gesso_gallery_get_mode (self) == GESSO_GALLERY_COMPARE;
  return gesso_gallery_viewer_get_view (
      GESSO_GALLERY_VIEWER (compare ? self->compare : self->viewer));
}

static void
zoom_in_cb (GSimpleAction *action, GVariant *parameter, gpointer user_data)
{
  gesso_picture_view_zoom_by (view_of (user_data), ZOOM_STEP);
}

static void
zoom_out_cb (GSimpleAction *action, GVariant *parameter, gpointer user_data)
{
  gesso_picture_view_zoom_by (view_of (user_data), 1 / ZOOM_STEP);
}

static void
zoom_fit_cb (GSimpleAction *action, GVariant *parameter, gpointer user_data)
{
  gesso_picture_view_fit (view_of (user_data));
}

static void
zoom_original_cb (GSimpleAction *action, GVariant *parameter, gpointer user_data)
{
  gesso_picture_view_set_original (view_of (user_data));
}

static GessoClipBar *
clip_bar_of (GessoGalleryPage *self)
{
  return gesso_gallery_viewer_get_clip_bar (GESSO_GALLERY_VIEWER (self->viewer));
}

static void
play_cb (GSimpleAction *action, GVariant *parameter, gpointer user_data)
{
  gesso_clip_bar_toggle (clip_bar_of (user_data));
}

static void
step_cb (GSimpleAction *action, GVariant *parameter, gpointer user_data)
{
  gesso_clip_bar_step (clip_bar_of (user_data), g_variant_get_int32 (parameter));
}

/* The window's. */
static void
extend_cb (GSimpleAction *action, GVariant *parameter, gpointer user_data)
{
  g_autoptr (GessoPicture) picture = gesso_gallery_ref_picture (user_data);
  if (picture && *gesso_picture_get_path (picture))
    gtk_widget_activate_action (user_data, "win.extend", "s", gesso_picture_get_path (picture));
}

/* The window's, where it was built with films. */
static void
export_cb (GSimpleAction *action, GVariant *parameter, gpointer user_data)
{
  g_autoptr (GessoPicture) picture = gesso_gallery_ref_picture (user_data);
  if (picture && *gesso_picture_get_path (picture))
    gtk_widget_activate_action (user_data, "win.export", "s", gesso_picture_get_path (picture));
}

static void
divider_cb (GSimpleAction *action, GVariant *parameter, gpointer user_data)
{
  GessoPictureView *view = view_of (user_data);
  gesso_picture_view_set_divider (view, gesso_picture_view_get_divider (view) +
                                            g_variant_get_double (parameter));
}

static void
swap_cb (GSimpleAction *action, GVariant *parameter, gpointer user_data)
{
  GessoGalleryPage *self = user_data;
  GessoGalleryViewer *viewer = GESSO_GALLERY_VIEWER (self->compare);
  GessoPicture *first = gesso_gallery_viewer_get_picture (viewer, 0);
  GessoPicture *second = gesso_gallery_viewer_get_picture (viewer, 1);
  if (!first || !second)
    return;
  g_autoptr (GessoPicture) held = g_object_ref (first);
  g_autoptr (GessoPicture) other = g_object_ref (second);
  gesso_gallery_viewer_show (viewer, other, held);
}

static void
wipe_cb (GSimpleAction *action, GVariant *state, gpointer user_data)
{
  gboolean wipe = g_variant_get_boolean (state);
  GessoGalleryPage *self = user_data;
  gesso_picture_view_set_mode (gesso_gallery_viewer_get_view (GESSO_GALLERY_VIEWER (self->compare)),
                               wipe ? GESSO_VIEW_WIPE : GESSO_VIEW_SIDES);
  g_simple_action_set_state (action, state);
}

/* ---- the list ---- */

static void
search_cb (GSimpleAction *action, GVariant *parameter, gpointer user_data)
{
  gesso_gallery_page_focus_search (user_data);
}

static void
clear_search_cb (GSimpleAction *action, GVariant *parameter, gpointer user_data)
{
  GessoGalleryPage *self = user_data;
  gesso_gallery_grid_clear_search (GESSO_GALLERY_GRID (self->grid));
}

static void
starred_only_cb (GSimpleAction *action, GVariant *state, gpointer user_data)
{
  GessoGalleryPage *self = user_data;
  gesso_picture_list_set_starred_only (self->list, g_variant_get_boolean (state));
  g_simple_action_set_state (action, state);
}

static void
show_all_cb (GSimpleAction *action, GVariant *parameter, gpointer user_data)
{
  GessoGalleryPage *self = user_data;
  g_action_group_change_action_state (G_ACTION_GROUP (self->actions), "starred-only",
                                      g_variant_new_boolean (FALSE));
}

static void
larger_cb (GSimpleAction *action, GVariant *parameter, gpointer user_data)
{
  GessoGalleryPage *self = user_data;
  gesso_gallery_grid_resize (GESSO_GALLERY_GRID (self->grid), 1);
}

static void
smaller_cb (GSimpleAction *action, GVariant *parameter, gpointer user_data)
{
  GessoGalleryPage *self = user_data;
  gesso_gallery_grid_resize (GESSO_GALLERY_GRID (self->grid), -1);
}

static void
select_all_cb (GSimpleAction *action, GVariant *parameter, gpointer user_data)
{
  GessoGalleryPage *self = user_data;
  gtk_selection_model_select_all (GTK_SELECTION_MODEL (self->selection));
}

static void
unselect_cb (GSimpleAction *action, GVariant *parameter, gpointer user_data)
{
  GessoGalleryPage *self = user_data;
  gtk_selection_model_unselect_all (GTK_SELECTION_MODEL (self->selection));
}

static void
menu_cb (GSimpleAction *action, GVariant *parameter, gpointer user_data)
{
  GessoGalleryPage *self = user_data;
  gesso_gallery_grid_popup_menu (GESSO_GALLERY_GRID (self->grid));
}

static void
go_to_create_cb (GSimpleAction *action, GVariant *parameter, gpointer user_data)
{
  gesso_gallery_emit (user_data, GESSO_GALLERY_GO_TO_CREATE, NULL);
}

/* ---- with the recipe ---- */

typedef struct
{
  GessoGalleryPage *self;
  GessoGallerySignal signal;
} Use;

static void
use (Use *to, const char *json)
{
  g_autoptr (GError) error = NULL;
  if (to->signal == GESSO_GALLERY_USE_RECIPE)
    {
      gesso_gallery_emit (to->self, to->signal, json);
      return;
    }
  g_autoptr (GessoRecipeText) text = gesso_recipe_text_new (json, NULL, &error);
  if (text)
    gesso_gallery_emit (to->self, to->signal, text->seed);
  else
    gesso_gallery_say (to->self, error->message, FALSE);
}

static void
recipe_cb (GObject *source, GAsyncResult *result, gpointer user_data)
{
  g_autofree Use *to = user_data;
  g_autoptr (GessoGalleryPage) self = to->self;
  g_autoptr (GError) error = NULL;
  g_autofree char *json =
      gesso_library_read_recipe_finish (GESSO_LIBRARY (source), result, NULL, NULL, &error);
  if (json)
    use (to, json);
  else if (!g_error_matches (error, G_IO_ERROR, G_IO_ERROR_CANCELLED))
    gesso_gallery_say (self, error->message, FALSE);
}

static void
read_and_use (GessoGalleryPage *self, GessoGallerySignal signal)
{
  g_autoptr (GessoPicture) picture = gesso_gallery_ref_picture (self);
  if (!picture || !*gesso_picture_get_path (picture))
    return;
  Use *to = g_new (Use, 1);
  *to = (Use){ g_object_ref (self), signal };
  gesso_library_read_recipe_async (self->library, gesso_picture_get_path (picture),
                                   self->cancellable, recipe_cb, to);
}

static void
use_recipe_cb (GSimpleAction *action, GVariant *parameter, gpointer user_data)
{
  read_and_use (user_data, GESSO_GALLERY_USE_RECIPE);
}

static void
use_seed_cb (GSimpleAction *action, GVariant *parameter, gpointer user_data)
{
  read_and_use (user_data, GESSO_GALLERY_USE_SEED);
}

static void
send_to_canvas_cb (GSimpleAction *action, GVariant *parameter, gpointer user_data)
{
  g_autoptr (GessoPicture) picture = gesso_gallery_ref_picture (user_data);
  if (picture && *gesso_picture_get_path (picture))
    gesso_gallery_emit (user_data, GESSO_GALLERY_SEND_TO_CANVAS, gesso_picture_get_path (picture));
}

static void
copy_prompt_cb (GSimpleAction *action, GVariant *parameter, gpointer user_data)
{
  g_autoptr (GessoPicture) picture = gesso_gallery_ref_picture (user_data);
  if (!picture)
    return;
  const char *prompt = gesso_picture_get_prompt (picture);
  if (*prompt)
    gdk_clipboard_set_text (gtk_widget_get_clipboard (GTK_WIDGET (user_data)), prompt);
  gesso_gallery_say (user_data, *prompt ? _ ("Prompt copied") : _ ("This picture has no prompt."),
                     FALSE);
}

/* ---- with the file ---- */

static void
folder_opened_cb (GObject *source, GAsyncResult *result, gpointer user_data)
{
  g_autoptr (GessoGalleryPage) self = user_data;
  g_autoptr (GError) error = NULL;
  if (!g_app_info_launch_default_for_uri_finish (result, &error))
    gesso_gallery_say (self, error->message, FALSE);
}

static void
shown_cb (GObject *source, GAsyncResult *result, gpointer user_data)
{
  g_autoptr (GessoGalleryPage) self = user_data;
  g_autoptr (GVariant) reply =
      g_dbus_connection_call_finish (G_DBUS_CONNECTION (source), result, NULL);
  g_autoptr (GessoPicture) picture = gesso_gallery_ref_picture (self);
  if (reply || !picture)
    return;
  /* no file manager that selects files: at least its folder */
  g_autofree char *folder = g_path_get_dirname (gesso_picture_get_path (picture));
  g_autofree char *uri = g_filename_to_uri (folder, NULL, NULL);
  if (uri)
    g_app_info_launch_default_for_uri_async (uri, NULL, NULL, folder_opened_cb,
                                             g_object_ref (self));
}

static void
bus_cb (GObject *source, GAsyncResult *result, gpointer user_data)
{
  g_autoptr (GessoGalleryPage) self = user_data;
  g_autoptr (GError) error = NULL;
  g_autoptr (GDBusConnection) bus = g_bus_get_finish (result, &error);
  g_autoptr (GessoPicture) picture = gesso_gallery_ref_picture (self);
  if (!bus)
    {
      gesso_gallery_say (self, error->message, FALSE);
      return;
    }
  g_autofree char *uri =
      picture ? g_filename_to_uri (gesso_picture_get_path (picture), NULL, NULL) : NULL;
  if (!uri)
    return;
  const char *const uris[] = { uri, NULL };
  g_dbus_connection_call (bus, "org.freedesktop.FileManager1", "/org/freedesktop/FileManager1",
                          "org.freedesktop.FileManager1", "ShowItems",
                          g_variant_new ("(^ass)", uris, ""), NULL, G_DBUS_CALL_FLAGS_NONE, -1,
                          NULL, shown_cb, g_object_ref (self));
}

static void
show_in_files_cb (GSimpleAction *action, GVariant *parameter, gpointer user_data)
{
  g_bus_get (G_BUS_TYPE_SESSION, NULL, bus_cb, g_object_ref (user_data));
}

/* ---- star ---- */

static gboolean
are_all_starred (GPtrArray *pictures)
{
  for (guint i = 0; i < pictures->len; i++)
    if (!gesso_picture_get_starred (pictures->pdata[i]))
      return FALSE;
  return pictures->len > 0;
}

static void
star_cb (GSimpleAction *action, GVariant *parameter, gpointer user_data)
{
  GessoGalleryPage *self = user_data;
  g_autoptr (GPtrArray) pictures = gesso_gallery_dup_pictures (self, G_MAXUINT);
  gboolean starred = !are_all_starred (pictures);
  for (guint i = 0; i < pictures->len; i++)
    if (gesso_picture_get_starred (pictures->pdata[i]) != starred)
      gesso_library_set_starred (self->library, pictures->pdata[i], starred);
  gesso_gallery_actions_update (self);
}

/* ---- trash ---- */

typedef struct
{
  GessoGalleryPage *self;
  guint n_asked, n_listed, position;
} Trash;

static void
trashed_cb (GObject *source, GAsyncResult *result, gpointer user_data)
{
  g_autofree Trash *trash = user_data;
  g_autoptr (GessoGalleryPage) self = trash->self;
  g_autoptr (GError) error = NULL;
  gboolean ok = gesso_library_trash_finish (GESSO_LIBRARY (source), result, &error);
  if (!self->toasts) /* the window is closed */
    return;
  gboolean moved = ok || g_list_model_get_n_items (G_LIST_MODEL (self->list)) < trash->n_listed;
  self->n_undo += moved;
  g_autofree char *done = g_strdup_printf (
      ngettext ("%u picture moved to the trash", "%u pictures moved to the trash", trash->n_asked),
      trash->n_asked);
  gesso_gallery_say (self, ok ? done : error->message, moved);
  if (moved && gesso_gallery_get_mode (self) == GESSO_GALLERY_BROWSE)
    gesso_gallery_select_position (self, trash->position);
  gesso_gallery_actions_update (self);
}

void
gesso_gallery_page_trash (GessoGalleryPage *self, GListModel *pictures)
{
  g_return_if_fail (GESSO_IS_GALLERY_PAGE (self) && G_IS_LIST_MODEL (pictures));
  Trash *trash = g_new (Trash, 1);
  *trash = (Trash){ g_object_ref (self), g_list_model_get_n_items (pictures),
                    g_list_model_get_n_items (G_LIST_MODEL (self->list)), first_selected (self) };
  gesso_library_trash_async (self->library, pictures, NULL, trashed_cb, trash);
}

static guint
count_others (GessoGalleryPage *self, GPtrArray *pictures)
{
  guint n = 0;
  for (guint i = 0; i < pictures->len; i++)
    n += gesso_library_is_of_others (self->library, gesso_picture_get_path (pictures->pdata[i]));
  return n;
}

static void
trash_cb (GSimpleAction *action, GVariant *parameter, gpointer user_data)
{
  GessoGalleryPage *self = user_data;
  g_autoptr (GPtrArray) pictures = gesso_gallery_dup_pictures (self, G_MAXUINT);
  if (pictures->len == 0)
    return;
  g_autoptr (GListStore) store = g_list_store_new (GESSO_TYPE_PICTURE);
  g_list_store_splice (store, 0, 0, pictures->pdata, pictures->len);
  guint n_others = count_others (self, pictures);
  if (n_others > 0)
    g_signal_emit_by_name (self, "ask-trash", store, n_others);
  else
    gesso_gallery_page_trash (self, G_LIST_MODEL (store));
}

static void
untrashed_cb (GObject *source, GAsyncResult *result, gpointer user_data)
{
  g_autoptr (GessoGalleryPage) self = user_data;
  g_autoptr (GError) error = NULL;
  if (!gesso_library_untrash_finish (GESSO_LIBRARY (source), result, &error))
    gesso_gallery_say (self, error->message, FALSE);
}

static void
undo_cb (GSimpleAction *action, GVariant *parameter, gpointer user_data)
{
  GessoGalleryPage *self = user_data;
  if (self->n_undo == 0)
    return;
  self->n_undo--;
  gesso_gallery_dismiss_undo (self);
  gesso_library_untrash_async (self->library, NULL, untrashed_cb, g_object_ref (self));
  gesso_gallery_actions_update (self);
}

/* ---- all of them ---- */

static void
toggle_cb (GSimpleAction *action, GVariant *parameter, gpointer user_data)
{
  g_autoptr (GVariant) state = g_action_get_state (G_ACTION (action));
  g_action_change_state (G_ACTION (action), g_variant_new_boolean (!g_variant_get_boolean (state)));
}

static const GActionEntry entries[] = {
  { "open", open_cb },
  { "quick-look", quick_look_cb },
  { "back", back_cb },
  { "next", next_cb },
  { "previous", previous_cb },
  { "compare", compare_cb },
  { "details", details_cb, NULL, "true" },
  { "zoom-in", zoom_in_cb },
  { "zoom-out", zoom_out_cb },
  { "zoom-fit", zoom_fit_cb },
  { "zoom-original", zoom_original_cb },
  { "play", play_cb },
  { "step", step_cb, "i" },
  { "export", export_cb },
  { "extend", extend_cb },
  { "divider", divider_cb, "d" },
  { "swap", swap_cb },
  { "wipe", toggle_cb, NULL, "false", wipe_cb },
  { "search", search_cb },
  { "clear-search", clear_search_cb },
  { "starred-only", toggle_cb, NULL, "false", starred_only_cb },
  { "show-all", show_all_cb },
  { "larger", larger_cb },
  { "smaller", smaller_cb },
  { "select-all", select_all_cb },
  { "unselect", unselect_cb },
  { "menu", menu_cb },
  { "go-to-create", go_to_create_cb },
  { "use-recipe", use_recipe_cb },
  { "use-seed", use_seed_cb },
  { "send-to-canvas", send_to_canvas_cb },
  { "copy-prompt", copy_prompt_cb },
  { "show-in-files", show_in_files_cb },
  { "star", star_cb, NULL, "false" },
  { "trash", trash_cb },
  { "undo", undo_cb },
};

static void
enable (GessoGalleryPage *self, const char *name, gboolean enabled)
{
  GAction *action = g_action_map_lookup_action (G_ACTION_MAP (self->actions), name);
  g_simple_action_set_enabled (G_SIMPLE_ACTION (action), enabled);
}

/* What moves, moves; what does not can be painted over. */
static void
update_clip_actions (GessoGalleryPage *self, guint n)
{
  g_autoptr (GessoPicture) picture = n == 1 ? gesso_gallery_ref_picture (self) : NULL;
  gboolean moves = picture && gesso_picture_get_duration (picture) > 0;
  gboolean viewed = gesso_gallery_get_mode (self) == GESSO_GALLERY_VIEW;
  enable (self, "export", GESSO_VIDEO && moves);
  enable (self, "extend", moves);
  enable (self, "play", moves && viewed);
  enable (self, "step", moves && viewed);
  enable (self, "send-to-canvas", n == 1 && !moves);
}

void
gesso_gallery_actions_update (GessoGalleryPage *self)
{
  static const char *const of_one[] = { "use-recipe", "use-seed", "copy-prompt", "show-in-files" };
  static const char *const of_some[] = { "open", "quick-look", "star", "trash" };
  GessoGalleryMode mode = gesso_gallery_get_mode (self);
  guint n = mode == GESSO_GALLERY_COMPARE ? 0 : gesso_gallery_get_n_pictures (self);
  guint n_listed = g_list_model_get_n_items (G_LIST_MODEL (self->list));
  for (gsize i = 0; i < G_N_ELEMENTS (of_one); i++)
    enable (self, of_one[i], n == 1);
  for (gsize i = 0; i < G_N_ELEMENTS (of_some); i++)
    enable (self, of_some[i], n > 0);
  update_clip_actions (self, n);
  enable (self, "compare", mode == GESSO_GALLERY_BROWSE && n == 2);
  enable (self, "next", mode == GESSO_GALLERY_VIEW && self->viewed + 1 < n_listed);
  enable (self, "previous", mode == GESSO_GALLERY_VIEW && self->viewed > 0);
  enable (self, "undo", self->n_undo > 0);
  g_autoptr (GPtrArray) some = gesso_gallery_dup_pictures (self, n);
  GAction *star = g_action_map_lookup_action (G_ACTION_MAP (self->actions), "star");
  g_simple_action_set_state (G_SIMPLE_ACTION (star),
                             g_variant_new_boolean (n > 0 && are_all_starred (some)));
}

void
gesso_gallery_actions_add (GessoGalleryPage *self)
{
  self->actions = g_simple_action_group_new ();
  g_action_map_add_action_entries (G_ACTION_MAP (self->actions), entries, G_N_ELEMENTS (entries),
                                   self);
  gtk_widget_insert_action_group (GTK_WIDGET (self), "gallery", G_ACTION_GROUP (self->actions));
}
