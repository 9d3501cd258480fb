/* SPDX-License-Identifier: MPL-2.0
 * gesso-library-others.c - what other programs have on this computer.
 */
#define G_LOG_DOMAIN "gesso-library"

#include "library/gesso-layouts.h"
#include "library/gesso-library-private.h"

typedef struct
{
  char **folders, **picture_folders; /* named, at the call */
  GPtrArray *installations, *outputs;
} Search;

/* Below the user's home folder. */
static const char *const usual_places[] = {
  "ComfyUI",
  "comfyui",
  "Documents/ComfyUI",
  "stable-diffusion-webui",
  "stable-diffusion-webui-forge",
  "SwarmUI",
  "swarmui",
  "sd-webui-forge-classic",
  "AI/ComfyUI",
  "src/ComfyUI",
  "git/ComfyUI",
  "StableSwarmUI",
};

static void
search_free (gpointer data)
{
  Search *search = data;
  g_strfreev (search->folders);
  g_strfreev (search->picture_folders);
  g_ptr_array_unref (search->installations);
  g_ptr_array_unref (search->outputs);
  g_free (search);
}

static gboolean
is_installation (const char *path)
{
  if (!g_file_test (path, G_FILE_TEST_IS_DIR))
    return FALSE;
  g_autoptr (GPtrArray) folders = gesso_layouts_resolve (path);
  GessoScanFolder *first = folders->len ? folders->pdata[0] : NULL;
  return first && !g_str_equal (first->path, path); /* else it only has the name */
}

/* Of ComfyUI, of Forge and A1111, of SwarmUI. */
static void
add_outputs (GPtrArray *outputs, const char *installation)
{
  static const char *const names[] = { "output", "outputs", "Output" };
  for (guint i = 0; i < G_N_ELEMENTS (names); i++)
    {
      g_autofree char *path = g_build_filename (installation, names[i], NULL);
      if (g_file_test (path, G_FILE_TEST_IS_DIR))
        g_ptr_array_add (outputs, g_steal_pointer (&path));
    }
}

/* One may be named by its folder of models, beside which the pictures are. */
static void
look_beside (Search *search, const char *folder)
{
  g_autofree char *parent = g_path_get_dirname (folder);
  g_autofree char *name = g_path_get_basename (folder);
  if (is_installation (folder))
    add_outputs (search->outputs, g_ascii_strcasecmp (name, "models") ? folder : parent);
}

static void
look_thread (GTask *task, gpointer source, gpointer data, GCancellable *cancellable)
{
  Search *search = data;
  for (guint i = 0; i < G_N_ELEMENTS (usual_places); i++)
    {
      g_autofree char *path = g_build_filename (g_get_home_dir (), usual_places[i], NULL);
      if (!is_installation (path))
        continue;
      add_outputs (search->outputs, path);
      g_ptr_array_add (search->installations, g_steal_pointer (&path));
    }
  for (char **folder = search->folders; *folder; folder++)
    look_beside (search, *folder);
  g_task_return_boolean (task, TRUE);
}

static void
looked_cb (GObject *source, GAsyncResult *result, gpointer user_data)
{
  g_autoptr (GTask) task = user_data;
  g_task_return_boolean (task, g_task_propagate_boolean (G_TASK (result), NULL));
}

void
gesso_library_find_others_async (GessoLibrary *self,
                                 GCancellable *cancellable,
                                 GAsyncReadyCallback callback,
                                 gpointer user_data)
{
  g_return_if_fail (GESSO_IS_LIBRARY (self));
  Search *search = g_new (Search, 1);
  *search =
      (Search){ gesso_library_dup_folders (self), gesso_library_dup_picture_folders (self),
                g_ptr_array_new_with_free_func (g_free), g_ptr_array_new_with_free_func (g_free) };
  g_autoptr (GTask) task = g_task_new (self, cancellable, callback, user_data);
  g_task_set_task_data (task, search, search_free);
  /* the thread may be the last to let go of its task, which must not be what holds the library */
  g_autoptr (GTask) inner = g_task_new (NULL, NULL, looked_cb, g_object_ref (task));
  g_task_set_task_data (inner, search, NULL);
  g_task_run_in_thread (inner, look_thread);
}

/* Each once, and none that is named. */
static char **
dup_new (Search *search, GPtrArray *found)
{
  g_autoptr (GHashTable) seen = g_hash_table_new (g_str_hash, g_str_equal);
  GStrvBuilder *builder = g_strv_builder_new ();
  for (guint i = 0; i < found->len; i++)
    if (g_hash_table_add (seen, found->pdata[i]) &&
        !g_strv_contains ((const char *const *) search->folders, found->pdata[i]) &&
        !g_strv_contains ((const char *const *) search->picture_folders, found->pdata[i]))
      g_strv_builder_add (builder, found->pdata[i]);
  char **paths = g_strv_builder_end (builder);
  g_strv_builder_unref (builder);
  return paths;
}

char **
gesso_library_find_others_finish (GessoLibrary *self, GAsyncResult *result, char ***outputs)
{
  g_return_val_if_fail (g_task_is_valid (result, self), NULL);
  if (!g_task_propagate_boolean (G_TASK (result), NULL))
    return NULL;
  Search *search = g_task_get_task_data (G_TASK (result));
  if (outputs)
    *outputs = dup_new (search, search->outputs);
  return dup_new (search, search->installations);
}

/* -- one that is named --------------------------------------------------------------------------
 */

/* Gives its folders of pictures, none when it is no installation. */
static void
outputs_thread (GTask *task, gpointer source, gpointer path, GCancellable *cancellable)
{
  GPtrArray *outputs = g_ptr_array_new_with_free_func (g_free);
  if (is_installation (path))
    add_outputs (outputs, path);
  g_task_return_pointer (task, outputs, (GDestroyNotify) g_ptr_array_unref);
}

static const char *
add_pictures (GessoLibrary *self, const char *path, const GPtrArray *outputs)
{
  const char *problem =
      outputs->len || self->closed ? NULL : gesso_library_add_pictures_folder (self, path);
  for (guint i = 0; i < outputs->len && !problem && !self->closed; i++)
    problem = gesso_library_add_pictures_folder (self, g_ptr_array_index (outputs, i));
  return problem;
}

static void
outputs_cb (GObject *source, GAsyncResult *result, gpointer user_data)
{
  g_autoptr (GTask) task = user_data;
  g_autoptr (GPtrArray) outputs = g_task_propagate_pointer (G_TASK (result), NULL);
  const char *problem =
      add_pictures (g_task_get_source_object (task), g_task_get_task_data (task), outputs);
  g_task_return_pointer (task, (gpointer) problem, NULL);
}

void
gesso_library_add_pictures_async (GessoLibrary *self,
                                  const char *path,
                                  GAsyncReadyCallback callback,
                                  gpointer user_data)
{
  g_return_if_fail (GESSO_IS_LIBRARY (self) && path);
  g_autoptr (GTask) task = g_task_new (self, NULL, callback, user_data);
  g_task_set_source_tag (task, gesso_library_add_pictures_async);
  g_task_set_task_data (task, g_strdup (path), g_free);
  /* the thread may be the last to let go of its task, which must not be what holds the library */
  g_autoptr (GTask) inner = g_task_new (NULL, NULL, outputs_cb, g_object_ref (task));
  g_task_set_task_data (inner, g_strdup (path), g_free);
  g_task_run_in_thread (inner, outputs_thread);
}

const char *
gesso_library_add_pictures_finish (GessoLibrary *self, GAsyncResult *result)
{
  g_return_val_if_fail (g_task_is_valid (result, self), NULL);
  return g_task_propagate_pointer (G_TASK (result), NULL);
}
