/* SPDX-License-Identifier: MPL-2.0
 * gesso-gallery-link.c - the gallery as a page of the window.
 *
 * The gallery knows nothing of the window: it says what was chosen, and here it is done.
 */
#include "app/gesso-gallery-link.h"

#include <glib/gi18n.h>

#include "app/gallery/gesso-gallery-page.h"
#include "app/gesso-dialog.h"

#define PAGE "gallery"

static void
use_recipe_cb (GessoGalleryPage *page, const char *json, gpointer user_data)
{
  gesso_window_use_recipe (user_data, json, 0);
}

/* The seed is kept for the next pictures, or the next press would draw another. */
static void
use_seed_cb (GessoGalleryPage *page, const char *seed, gpointer user_data)
{
  GessoWindow *window = user_data;
  GessoForm *form = gesso_create_page_get_form (gesso_window_get_create_page (window));
  g_autoptr (GError) error = NULL;
  if (!gesso_form_set_text (form, "seed", seed, &error))
    {
      gesso_window_say (window, error->message);
      return;
    }
  g_settings_set_boolean (gesso_window_get_settings (window), "seed-locked", TRUE);
  g_autofree char *text = g_strdup_printf (_ ("The next pictures use the seed %s"), seed);
  gesso_window_say (window, text);
}

static void
send_to_canvas_cb (GessoGalleryPage *page, const char *path, gpointer user_data)
{
  GessoWindow *window = user_data;
  g_autoptr (GFile) file = g_file_new_for_path (path);
  gesso_window_show_page (window, "create");
  gesso_create_page_load_picture (gesso_window_get_create_page (window), file);
}

static void
go_to_create_cb (GessoGalleryPage *page, gpointer user_data)
{
  gesso_window_show_page (user_data, "create");
}

/* What was asked about, whatever is selected meanwhile. */
typedef struct
{
  GessoGalleryPage *page;
  GListModel *pictures;
} Trash;

static void
trash_free (gpointer data)
{
  Trash *trash = data;
  g_object_unref (trash->page);
  g_object_unref (trash->pictures);
  g_free (trash);
}

static void
trash_answered_cb (int answer, gpointer user_data)
{
  Trash *trash = user_data;
  if (answer == 1)
    gesso_gallery_page_trash (trash->page, trash->pictures);
}

static void
ask_trash_cb (GessoGalleryPage *page, GListModel *pictures, guint n, gpointer user_data)
{
  const char *const buttons[] = { _ ("_Cancel"), _ ("Move to _Trash"), NULL };
  g_autofree char *heading =
      g_strdup_printf (g_dngettext (NULL, "Move %u picture of another program to the trash?",
                                    "Move %u pictures of other programs to the trash?", n),
                       n);
  Trash *trash = g_new (Trash, 1);
  *trash = (Trash){ g_object_ref (page), g_object_ref (pictures) };
  gesso_ask (user_data, heading, _ ("Gesso only shows what lies in such folders."), buttons,
             GESSO_ASK_DESTRUCTIVE, trash_answered_cb, trash, trash_free);
}

static void
search_cb (GSimpleAction *action, GVariant *parameter, gpointer user_data)
{
  GtkWidget *page = user_data;
  GtkRoot *window = gtk_widget_get_root (page);
  if (!GESSO_IS_WINDOW (window))
    return;
  gesso_window_show_page (GESSO_WINDOW (window), PAGE);
  gesso_gallery_page_focus_search (GESSO_GALLERY_PAGE (page));
}

GtkWidget *
gesso_gallery_link_new (GessoWindow *window, GessoCreatePage *create)
{
  g_return_val_if_fail (GESSO_IS_WINDOW (window) && GESSO_IS_CREATE_PAGE (create), NULL);
  GtkWidget *page =
      gesso_gallery_page_new (gesso_window_get_session (window), gesso_window_get_library (window));
  g_signal_connect_object (page, "use-recipe", G_CALLBACK (use_recipe_cb), window, 0);
  g_signal_connect_object (page, "use-seed", G_CALLBACK (use_seed_cb), window, 0);
  g_signal_connect_object (page, "send-to-canvas", G_CALLBACK (send_to_canvas_cb), window, 0);
  g_signal_connect_object (page, "go-to-create", G_CALLBACK (go_to_create_cb), window, 0);
  g_signal_connect_object (page, "ask-trash", G_CALLBACK (ask_trash_cb), window, 0);
  g_autoptr (GSimpleAction) search = g_simple_action_new ("search", NULL);
  g_signal_connect_object (search, "activate", G_CALLBACK (search_cb), page, 0);
  g_action_map_add_action (G_ACTION_MAP (window), G_ACTION (search));
  return page;
}
