/* SPDX-License-Identifier: MPL-2.0
 * gesso-recent.c - the projects opened last, as the desktop remembers them.
 */
#include "app/gesso-recent.h"

#include <string.h>

#include "session/gesso-project-file.h"

enum
{
  MOST_SHOWN = 8
};

void
gesso_recent_add (const char *path)
{
  g_return_if_fail (path != NULL);
  g_autofree char *uri = g_filename_to_uri (path, NULL, NULL);
  char mime_type[] = GESSO_PROJECT_MIME_TYPE, name[] = "Gesso", program[] = "gesso %u";
  GtkRecentData data = { .mime_type = mime_type, .app_name = name, .app_exec = program };
  if (uri)
    gtk_recent_manager_add_full (gtk_recent_manager_get_default (), uri, &data);
}

static int
compare_newest (gconstpointer a, gconstpointer b)
{
  GDateTime *x = gtk_recent_info_get_modified ((GtkRecentInfo *) a);
  GDateTime *y = gtk_recent_info_get_modified ((GtkRecentInfo *) b);
  return g_date_time_compare (y, x);
}

static void
free_info (gpointer info)
{
  gtk_recent_info_unref (info);
}

/* A menu takes "_" for the mark of a key. */
static char *
dup_label (GtkRecentInfo *info)
{
  g_auto (GStrv) parts = g_strsplit (gtk_recent_info_get_display_name (info), "_", -1);
  return g_strjoinv ("__", parts);
}

typedef struct
{
  GMenu *menu;
  char *action;
} Filling;

static void
filling_free (gpointer data, GClosure *closure)
{
  Filling *filling = data;
  g_object_unref (filling->menu);
  g_free (filling->action);
  g_free (filling);
}

static void
append (const Filling *filling, GtkRecentInfo *info)
{
  g_autofree char *path = g_filename_from_uri (gtk_recent_info_get_uri (info), NULL, NULL);
  if (!path || !g_utf8_validate (path, -1, NULL))
    return;
  g_autofree char *label = dup_label (info);
  g_autoptr (GMenuItem) item = g_menu_item_new (label, NULL);
  g_menu_item_set_action_and_target (item, filling->action, "s", path);
  g_menu_append_item (filling->menu, item);
}

static void
fill (GtkRecentManager *manager, const Filling *filling)
{
  GList *infos = g_list_sort (gtk_recent_manager_get_items (manager), compare_newest);
  g_menu_remove_all (filling->menu);
  for (GList *l = infos; l && g_menu_model_get_n_items (G_MENU_MODEL (filling->menu)) < MOST_SHOWN;
       l = l->next)
    if (g_strcmp0 (gtk_recent_info_get_mime_type (l->data), GESSO_PROJECT_MIME_TYPE) == 0 &&
        gtk_recent_info_exists (l->data))
      append (filling, l->data);
  g_list_free_full (infos, free_info);
}

static void
changed_cb (GtkRecentManager *manager, gpointer user_data)
{
  fill (manager, user_data);
}

void
gesso_recent_fill (GMenu *menu, GObject *owner, const char *action)
{
  g_return_if_fail (G_IS_MENU (menu) && G_IS_OBJECT (owner) && action);
  GtkRecentManager *manager = gtk_recent_manager_get_default ();
  Filling *filling = g_new (Filling, 1);
  *filling = (Filling){ g_object_ref (menu), g_strdup (action) };
  GClosure *closure = g_cclosure_new (G_CALLBACK (changed_cb), filling, filling_free);
  g_object_watch_closure (owner, closure);
  g_signal_connect_closure (manager, "changed", closure, FALSE);
  fill (manager, filling);
}
