/* SPDX-License-Identifier: MPL-2.0
 * gesso-recent.c - the projects opened last, as the desktop remembers them.
 */
#include "app/gesso-recent.h"

#include "app/gesso-presence.h"
#include "session/gesso-project-file.h"

enum
{
  MOST_SHOWN = 8,
  MOST_ASKED = 32 /* whether they are there */
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
  char *path, *label;
  gboolean there; /* as far as is known */
} Project;

static void
project_free (gpointer data)
{
  Project *project = data;
  g_free (project->path);
  g_free (project->label);
  g_free (project);
}

typedef struct
{
  GMenu *menu;
  char *action;
  GPtrArray *projects;       /* of Project, newest first */
  GCancellable *cancellable; /* of what asks whether they are there */
} Filling;

static void
filling_free (gpointer data, GClosure *closure)
{
  Filling *filling = data;
  g_cancellable_cancel (filling->cancellable);
  g_object_unref (filling->cancellable);
  g_ptr_array_unref (filling->projects);
  g_object_unref (filling->menu);
  g_free (filling->action);
  g_free (filling);
}

static void
show (const Filling *filling)
{
  g_menu_remove_all (filling->menu);
  int n = 0;
  for (guint i = 0; i < filling->projects->len && n < MOST_SHOWN; i++)
    {
      const Project *project = g_ptr_array_index (filling->projects, i);
      if (!project->there)
        continue;
      g_autoptr (GMenuItem) item = g_menu_item_new (project->label, NULL);
      g_menu_item_set_action_and_target (item, filling->action, "s", project->path);
      g_menu_append_item (filling->menu, item);
      n++;
    }
}

typedef struct
{
  Filling *filling; /* both there until it is cancelled */
  Project *project;
} Question;

static void
looked_cb (GObject *source, GAsyncResult *result, gpointer user_data)
{
  g_autofree Question *question = user_data;
  g_autoptr (GError) error = NULL;
  gboolean there = gesso_presence_finish (result, &error);
  if (error || there == question->project->there)
    return;
  question->project->there = there;
  show (question->filling);
}

static void
ask (Filling *filling, Project *project)
{
  Question *question = g_new (Question, 1);
  *question = (Question){ filling, project };
  gesso_presence_async (project->path, filling->cancellable, looked_cb, question);
}

static gboolean
is_known (const GPtrArray *projects, const char *path)
{
  for (guint i = 0; i < projects->len; i++)
    {
      const Project *project = g_ptr_array_index (projects, i);
      if (project->there && g_str_equal (project->path, path))
        return TRUE;
    }
  return FALSE;
}

/* Returns: of Project; those that @before has stay until it is known better */
static GPtrArray *
list_projects (GtkRecentManager *manager, const GPtrArray *before)
{
  GPtrArray *projects = g_ptr_array_new_with_free_func (project_free);
  GList *infos = g_list_sort (gtk_recent_manager_get_items (manager), compare_newest);
  for (GList *l = infos; l && projects->len < MOST_ASKED; l = l->next)
    {
      if (g_strcmp0 (gtk_recent_info_get_mime_type (l->data), GESSO_PROJECT_MIME_TYPE) != 0)
        continue;
      g_autofree char *path = g_filename_from_uri (gtk_recent_info_get_uri (l->data), NULL, NULL);
      if (!path || !g_utf8_validate (path, -1, NULL))
        continue;
      Project *project = g_new (Project, 1);
      gboolean there = is_known (before, path);
      *project = (Project){ g_steal_pointer (&path), dup_label (l->data), there };
      g_ptr_array_add (projects, project);
    }
  g_list_free_full (infos, free_info);
  return projects;
}

static void
changed_cb (GtkRecentManager *manager, gpointer user_data)
{
  Filling *filling = user_data;
  g_autoptr (GPtrArray) before = filling->projects;
  g_cancellable_cancel (filling->cancellable);
  g_object_unref (filling->cancellable);
  filling->cancellable = g_cancellable_new ();
  filling->projects = list_projects (manager, before);
  show (filling);
  for (guint i = 0; i < filling->projects->len; i++)
    ask (filling, g_ptr_array_index (filling->projects, i));
}

void
gesso_recent_fill (GMenu *menu, GObject *owner, const char *action)
{
  g_return_if_fail (G_IS_MENU (menu) && G_IS_OBJECT (owner) && action);
  GtkRecentManager *manager = gtk_recent_manager_get_default ();
  Filling *filling = g_new (Filling, 1);
  *filling = (Filling){ g_object_ref (menu), g_strdup (action),
                        g_ptr_array_new_with_free_func (project_free), g_cancellable_new () };
  GClosure *closure = g_cclosure_new (G_CALLBACK (changed_cb), filling, filling_free);
  g_object_watch_closure (owner, closure);
  g_signal_connect_closure (manager, "changed", closure, FALSE);
  changed_cb (manager, filling);
}
