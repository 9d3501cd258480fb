/* SPDX-License-Identifier: MPL-2.0
 * gesso-devices.c - what can compute on this machine.
 *
 * The worker prints a line each, with tabs: name, title, bytes of memory; of what cannot be used
 * the name is empty and the title says why.
 */
#include "session/gesso-devices.h"

enum
{
  N_FIELDS = 3
};

void
gesso_device_free (GessoDevice *device)
{
  g_free (device->name);
  g_free (device->title);
  g_free (device);
}

gboolean
gesso_device_is_card (const char *name)
{
  return name && (g_str_has_prefix (name, "cuda") || g_str_equal (name, "auto"));
}

static GPtrArray *
parse (const char *text)
{
  GPtrArray *devices = g_ptr_array_new_with_free_func ((GDestroyNotify) gesso_device_free);
  g_auto (GStrv) lines = g_strsplit (text ? text : "", "\n", -1);
  for (int i = 0; lines[i]; i++)
    {
      g_auto (GStrv) fields = g_strsplit (lines[i], "\t", N_FIELDS);
      if (g_strv_length (fields) < N_FIELDS)
        continue;
      GessoDevice *device = g_new (GessoDevice, 1);
      *device = (GessoDevice){ *fields[0] ? g_strdup (fields[0]) : NULL,
                               g_utf8_make_valid (fields[1], -1),
                               g_ascii_strtoull (fields[2], NULL, 10) };
      g_ptr_array_add (devices, device);
    }
  return devices;
}

static void
on_told_cb (GObject *source, GAsyncResult *result, gpointer data)
{
  g_autoptr (GTask) task = data;
  GError *error = NULL;
  g_autofree char *text = NULL;
  if (g_subprocess_communicate_utf8_finish (G_SUBPROCESS (source), result, &text, NULL, &error))
    g_task_return_pointer (task, parse (text), (GDestroyNotify) g_ptr_array_unref);
  else
    g_task_return_error (task, error);
}

void
gesso_devices_list_async (const char *program,
                          GCancellable *cancellable,
                          GAsyncReadyCallback callback,
                          gpointer user_data)
{
  g_return_if_fail (program);
  g_autoptr (GTask) task = g_task_new (NULL, cancellable, callback, user_data);
  GError *error = NULL;
  g_task_set_source_tag (task, gesso_devices_list_async);
  g_autoptr (GSubprocess) process =
      g_subprocess_new (G_SUBPROCESS_FLAGS_STDOUT_PIPE | G_SUBPROCESS_FLAGS_STDERR_SILENCE, &error,
                        program, "--devices", NULL);
  if (process)
    g_subprocess_communicate_utf8_async (process, NULL, cancellable, on_told_cb,
                                         g_steal_pointer (&task));
  else
    g_task_return_error (task, error);
}

GPtrArray *
gesso_devices_list_finish (GAsyncResult *result, GError **error)
{
  g_return_val_if_fail (g_task_is_valid (result, NULL), NULL);
  return g_task_propagate_pointer (G_TASK (result), error);
}
