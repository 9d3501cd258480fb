/* SPDX-License-Identifier: MPL-2.0 */
#include "client.h"

#include <glib/gstdio.h>
#include <signal.h>
#include <string.h>

/* ---- Client1 ---- */

static gboolean
handle_progress (TestClient *c,
                 GDBusMethodInvocation *invocation,
                 const char *batch,
                 const char *phase,
                 int done,
                 int total,
                 double eta)
{
  g_autofree char *word = g_strconcat (phase, " ", NULL);
  if (!strstr (c->phases->str, word))
    g_string_append (c->phases, word);
  g_assert_cmpint (done, >=, 0);
  g_assert_cmpint (done, <=, total);
  c->last_eta = eta;
  if (g_str_equal (phase, "denoise"))
    {
      c->step = done;
      c->n_steps = total;
    }
  gesso_ipc_client1_complete_progress (c->skeleton, invocation);
  if (c->on_step && (g_str_equal (phase, "denoise") || g_str_equal (phase, "decode")))
    c->on_step (c, phase, done);
  return TRUE;
}

static gboolean
handle_preview (TestClient *c,
                GDBusMethodInvocation *invocation,
                GUnixFDList *fds,
                const char *batch,
                int step,
                int width,
                int height,
                int n_frames,
                double rate,
                GVariant *frame)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (GBytes) rgb = gesso_ipc_frame_receive (fds, frame, width, height * n_frames, &error);
  g_assert_no_error (error);
  g_assert_true ((n_frames > 1) == (rate > 0));
  c->preview_frames = n_frames;
  c->preview_rate = rate;
  g_assert_cmpint (step, >, c->last_preview_step);
  c->last_preview_step = step;
  c->n_previews++;
  c->n_open_previews++;
  c->max_open_previews = MAX (c->max_open_previews, c->n_open_previews);
  if (c->hold_previews)
    {
      g_ptr_array_add (c->held, invocation);
      return TRUE;
    }
  c->n_open_previews--;
  gesso_ipc_client1_complete_preview (c->skeleton, invocation, NULL);
  return TRUE;
}

static void
picture_free (gpointer data)
{
  TestPicture *p = data;
  g_clear_pointer (&p->rgb, g_bytes_unref);
  g_clear_pointer (&p->recipe, g_free);
  g_clear_pointer (&p->clip, g_free);
  g_free (p);
}

static gboolean
handle_picture (TestClient *c,
                GDBusMethodInvocation *invocation,
                GUnixFDList *fds,
                const char *batch,
                guint index,
                int width,
                int height,
                GVariant *frame,
                const char *recipe)
{
  g_autoptr (GError) error = NULL;
  GBytes *rgb = gesso_ipc_frame_receive (fds, frame, width, height, &error);
  g_assert_no_error (error);
  TestPicture *p = g_new (TestPicture, 1);
  *p = (TestPicture){ index, width, height, rgb, g_strdup (recipe), NULL };
  g_ptr_array_add (c->pictures, p);
  if (c->hold_pictures)
    g_ptr_array_add (c->held, invocation);
  else if (c->refuse_pictures)
    g_dbus_method_invocation_return_error_literal (invocation, G_IO_ERROR, G_IO_ERROR_NO_SPACE,
                                                   "The disk is full.");
  else
    gesso_ipc_client1_complete_picture (c->skeleton, invocation, NULL);
  return TRUE;
}

static gboolean
handle_clip (TestClient *c,
             GDBusMethodInvocation *invocation,
             GUnixFDList *fds,
             const char *batch,
             guint index,
             int width,
             int height,
             GVariant *frame,
             const char *recipe,
             const char *path)
{
  g_autoptr (GError) error = NULL;
  GBytes *rgb = gesso_ipc_frame_receive (fds, frame, width, height, &error);
  g_assert_no_error (error);
  TestPicture *p = g_new (TestPicture, 1);
  *p = (TestPicture){
    index, width, height, rgb, g_strdup (recipe), g_strconcat (path, ".taken", NULL)
  };
  g_assert_cmpint (g_rename (path, p->clip), ==, 0);
  g_ptr_array_add (c->pictures, p);
  gesso_ipc_client1_complete_clip (c->skeleton, invocation, NULL);
  return TRUE;
}

static gboolean
handle_note (TestClient *c,
             GDBusMethodInvocation *invocation,
             const char *batch,
             const char *sentence)
{
  g_test_message ("note: %s", sentence);
  g_ptr_array_add (c->notes, g_strdup (sentence));
  gesso_ipc_client1_complete_note (c->skeleton, invocation);
  return TRUE;
}

static void
take_end (TestClient *c, const char *end)
{
  g_assert_null (c->end); /* one word ends a batch */
  c->ended_at = g_get_monotonic_time ();
  c->end = g_strdup (end);
}

static gboolean
handle_finished (TestClient *c, GDBusMethodInvocation *invocation, const char *batch)
{
  take_end (c, "finished");
  gesso_ipc_client1_complete_finished (c->skeleton, invocation);
  return TRUE;
}

static gboolean
handle_parked (TestClient *c, GDBusMethodInvocation *invocation, const char *batch, int step)
{
  take_end (c, "parked");
  c->parked_step = step;
  gesso_ipc_client1_complete_parked (c->skeleton, invocation);
  return TRUE;
}

static gboolean
handle_failed (TestClient *c,
               GDBusMethodInvocation *invocation,
               const char *batch,
               const char *code,
               const char *sentence)
{
  take_end (c, "failed");
  g_test_message ("failed (%s): %s", code, sentence);
  c->code = g_strdup (code);
  c->sentence = g_strdup (sentence);
  gesso_ipc_client1_complete_failed (c->skeleton, invocation);
  return TRUE;
}

/* ---- beginning and end ---- */

static void
connect_client (TestClient *c)
{
  static const struct
  {
    const char *signal;
    GCallback func;
  } handlers[] = {
    { "handle-progress", G_CALLBACK (handle_progress) },
    { "handle-preview", G_CALLBACK (handle_preview) },
    { "handle-picture", G_CALLBACK (handle_picture) },
    { "handle-clip", G_CALLBACK (handle_clip) },
    { "handle-note", G_CALLBACK (handle_note) },
    { "handle-finished", G_CALLBACK (handle_finished) },
    { "handle-parked", G_CALLBACK (handle_parked) },
    { "handle-failed", G_CALLBACK (handle_failed) },
  };
  c->skeleton = gesso_ipc_client1_skeleton_new ();
  for (gsize i = 0; i < G_N_ELEMENTS (handlers); i++)
    g_signal_connect_swapped (c->skeleton, handlers[i].signal, handlers[i].func, c);
}

static void
closed_cb (TestClient *c)
{
  c->gone = TRUE;
}

static void
connected_cb (GObject *source, GAsyncResult *result, gpointer user_data)
{
  TestClient *c = user_data;
  g_autoptr (GError) error = NULL;
  c->connection = gesso_ipc_peer_new_finish (result, &error);
  g_assert_no_error (error);
  g_dbus_interface_skeleton_export (G_DBUS_INTERFACE_SKELETON (c->skeleton), c->connection,
                                    GESSO_IPC_CLIENT_PATH, &error);
  g_assert_no_error (error);
  g_signal_connect_swapped (c->connection, "closed", G_CALLBACK (closed_cb), c);
  g_dbus_connection_start_message_processing (c->connection);
}

static gboolean
deadline_cb (gpointer user_data)
{
  g_error ("Nothing happened for %d seconds", CLIENT_DEADLINE_S);
  return G_SOURCE_REMOVE;
}

TestClient *
test_client_new (const char *backend, const char *const *env)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (GSubprocessLauncher) launcher = g_subprocess_launcher_new (G_SUBPROCESS_FLAGS_NONE);
  TestClient *c = g_new0 (TestClient, 1);
  int ours = -1, theirs = -1;
  c->pictures = g_ptr_array_new_with_free_func (picture_free);
  c->notes = g_ptr_array_new_with_free_func (g_free);
  c->held = g_ptr_array_new ();
  c->phases = g_string_new (NULL);
  connect_client (c);
  gesso_ipc_socket_pair (&ours, &theirs, &error);
  g_assert_no_error (error);
  for (gsize i = 0; env && env[i]; i++)
    {
      g_auto (GStrv) pair = g_strsplit (env[i], "=", 2);
      g_subprocess_launcher_setenv (launcher, pair[0], pair[1], TRUE);
    }
  g_subprocess_launcher_take_fd (launcher, theirs, GESSO_IPC_WORKER_FD);
  c->process = g_subprocess_launcher_spawn (launcher, &error, g_getenv ("GESSO_WORKER"),
                                            "--backend", backend, "--threads", "1", NULL);
  g_assert_no_error (error);
  g_subprocess_launcher_close (launcher); /* or the worker's end would stay open here */
  gesso_ipc_peer_new (ours, GESSO_IPC_CLIENT, NULL, connected_cb, c);
  guint deadline = g_timeout_add_seconds (CLIENT_DEADLINE_S, deadline_cb, NULL);
  while (!c->connection)
    g_main_context_iteration (NULL, TRUE);
  g_source_remove (deadline);
  c->worker = gesso_ipc_worker1_proxy_new_sync (c->connection, G_DBUS_PROXY_FLAGS_NONE, NULL,
                                                GESSO_IPC_WORKER_PATH, NULL, &error);
  g_assert_no_error (error);
  g_dbus_proxy_set_default_timeout (G_DBUS_PROXY (c->worker), CLIENT_DEADLINE_S * 1000);
  return c;
}

void
test_client_reset (TestClient *c)
{
  g_ptr_array_set_size (c->pictures, 0);
  g_ptr_array_set_size (c->notes, 0);
  g_string_truncate (c->phases, 0);
  g_clear_pointer (&c->end, g_free);
  g_clear_pointer (&c->code, g_free);
  g_clear_pointer (&c->sentence, g_free);
  c->step = c->n_previews = c->last_preview_step = 0;
}

static void
drop_held (TestClient *c)
{
  for (guint i = 0; i < c->held->len; i++)
    g_object_unref (c->held->pdata[i]);
  g_ptr_array_set_size (c->held, 0);
}

void
test_client_free (TestClient *c)
{
  if (!c->gone && g_subprocess_get_identifier (c->process))
    {
      g_dbus_connection_close_sync (c->connection, NULL, NULL);
      g_assert_cmpint (test_client_wait_exit (c), ==, 0);
    }
  test_client_reset (c);
  drop_held (c);
  g_clear_pointer (&c->pictures, g_ptr_array_unref);
  g_clear_pointer (&c->notes, g_ptr_array_unref);
  g_clear_pointer (&c->held, g_ptr_array_unref);
  g_string_free (c->phases, TRUE);
  g_signal_handlers_disconnect_by_data (c->connection, c);
  g_dbus_interface_skeleton_unexport (G_DBUS_INTERFACE_SKELETON (c->skeleton));
  g_clear_object (&c->skeleton);
  g_clear_object (&c->worker);
  g_clear_object (&c->connection);
  g_clear_object (&c->process);
  g_free (c);
}

/* ---- calls ---- */

gboolean
test_client_run (TestClient *c,
                 const char *batch,
                 const char *recipe,
                 const char *journal,
                 GVariant *skip,
                 GError **error)
{
  if (!skip)
    skip = g_variant_new_array (G_VARIANT_TYPE_UINT32, NULL, 0);
  return gesso_ipc_worker1_call_run_sync (c->worker, batch, recipe, journal, skip, NULL, error);
}

void
test_client_wait (TestClient *c, const gboolean *flag)
{
  guint deadline = g_timeout_add_seconds (CLIENT_DEADLINE_S, deadline_cb, NULL);
  while (!*flag)
    g_main_context_iteration (NULL, TRUE);
  g_source_remove (deadline);
}

void
test_client_wait_end (TestClient *c)
{
  guint deadline = g_timeout_add_seconds (CLIENT_DEADLINE_S, deadline_cb, NULL);
  while (!c->end && !c->gone)
    g_main_context_iteration (NULL, TRUE);
  g_source_remove (deadline);
}

void
test_client_run_to_end (TestClient *c, const char *batch, const char *recipe, const char *journal)
{
  g_autoptr (GError) error = NULL;
  test_client_reset (c);
  test_client_run (c, batch, recipe, journal, NULL, &error);
  g_assert_no_error (error);
  test_client_wait_end (c);
}

int
test_client_wait_exit (TestClient *c)
{
  g_autoptr (GError) error = NULL;
  g_subprocess_wait (c->process, NULL, &error);
  g_assert_no_error (error);
  g_assert_true (g_subprocess_get_if_exited (c->process));
  return g_subprocess_get_exit_status (c->process);
}

void
test_client_kill (TestClient *c)
{
  g_autoptr (GError) error = NULL;
  g_subprocess_send_signal (c->process, SIGKILL);
  g_subprocess_wait (c->process, NULL, &error);
  g_assert_no_error (error);
  test_client_wait (c, &c->gone);
}

const TestPicture *
test_client_picture (TestClient *c, guint index)
{
  for (guint i = 0; i < c->pictures->len; i++)
    if (((TestPicture *) c->pictures->pdata[i])->index == index)
      return c->pictures->pdata[i];
  g_error ("There is no picture %u among %u", index, c->pictures->len);
}

void
test_assert_same_pictures (TestClient *a, TestClient *b)
{
  g_assert_cmpuint (a->pictures->len, ==, b->pictures->len);
  for (guint i = 0; i < a->pictures->len; i++)
    {
      const TestPicture *p = test_client_picture (a, i), *q = test_client_picture (b, i);
      g_assert_cmpint (p->width, ==, q->width);
      g_assert_cmpint (p->height, ==, q->height);
      g_assert_true (g_bytes_equal (p->rgb, q->rgb));
      g_assert_cmpstr (p->recipe, ==, q->recipe);
    }
}
