/* SPDX-License-Identifier: MPL-2.0 */
#include "worker/client-link.h"

#include "ipc/frame.h"
#include "worker/edge.h"

enum
{
  POLL_MS = 20 /* how soon a batch that waits for an answer sees a wish */
};

struct ClientLink
{
  gatomicrefcount ref_count; /* the batch's own and one for each call that is not answered */
  GessoIpcClient1 *client;
  char *batch;
  BatchControl *control;
  GMutex mutex;
  GCond answered;
  int n_open;            /* pictures that are not safe yet */
  gboolean preview_open; /* the last preview was not answered */
  GError *error;         /* why the client could not keep a picture */
};

static ClientLink *
link_ref (ClientLink *link)
{
  g_atomic_ref_count_inc (&link->ref_count);
  return link;
}

void
client_link_unref (ClientLink *link)
{
  if (!g_atomic_ref_count_dec (&link->ref_count))
    return;
  g_clear_object (&link->client);
  g_clear_pointer (&link->batch, g_free);
  g_clear_error (&link->error);
  g_mutex_clear (&link->mutex);
  g_cond_clear (&link->answered);
  g_free (link);
}

ClientLink *
client_link_new (GessoIpcClient1 *client, const char *batch, BatchControl *control)
{
  ClientLink *link = g_new0 (ClientLink, 1);
  g_atomic_ref_count_init (&link->ref_count);
  g_mutex_init (&link->mutex);
  g_cond_init (&link->answered);
  link->client = g_object_ref (client);
  link->batch = g_strdup (batch);
  link->control = control;
  return link;
}

/* Calls without a callback carry the flag that no reply is wanted. */
static void
on_progress (void *data, const char *phase, int done, int total, double eta)
{
  ClientLink *link = data;
  gesso_ipc_client1_call_progress (link->client, link->batch, phase, done, total, eta, NULL, NULL,
                                   NULL);
}

static void
on_note (void *data, const char *text)
{
  ClientLink *link = data;
  g_autofree char *sentence = edge_sentence (text);
  gesso_ipc_client1_call_note (link->client, link->batch, sentence, NULL, NULL, NULL);
}

static bool
on_wants_preview (void *data)
{
  ClientLink *link = data;
  g_mutex_lock (&link->mutex);
  bool wants = !link->preview_open;
  g_mutex_unlock (&link->mutex);
  return wants;
}

static void
preview_answered_cb (GObject *source, GAsyncResult *result, gpointer user_data)
{
  g_autoptr (ClientLink) link = user_data;
  g_autoptr (GError) error = NULL;
  if (!gesso_ipc_client1_call_preview_finish (GESSO_IPC_CLIENT1 (source), NULL, result, &error))
    g_debug ("A preview was not taken: %s", error->message);
  g_mutex_lock (&link->mutex);
  link->preview_open = FALSE;
  g_mutex_unlock (&link->mutex);
}

static void
on_preview (
    void *data, const uint8_t *rgb, int n_frames, double rate, int width, int height, int step)
{
  ClientLink *link = data;
  g_autoptr (GUnixFDList) fds = NULL;
  g_autoptr (GError) error = NULL;
  GVariant *frame = gesso_ipc_frame_send (rgb, width, height * n_frames, &fds, &error);
  if (!frame)
    {
      g_warning ("No preview: %s", error->message);
      return;
    }
  g_mutex_lock (&link->mutex);
  link->preview_open = TRUE;
  g_mutex_unlock (&link->mutex);
  gesso_ipc_client1_call_preview (link->client, link->batch, step, width, height, n_frames, rate,
                                  frame, fds, NULL, preview_answered_cb, link_ref (link));
}

/* @error: taken */
static void
note_answer (ClientLink *link, GError *error)
{
  g_mutex_lock (&link->mutex);
  link->n_open--;
  if (error && !link->error)
    link->error = g_steal_pointer (&error);
  g_cond_signal (&link->answered);
  g_mutex_unlock (&link->mutex);
  g_clear_error (&error);
}

static void
picture_answered_cb (GObject *source, GAsyncResult *result, gpointer user_data)
{
  g_autoptr (ClientLink) link = user_data;
  GError *error = NULL;
  gesso_ipc_client1_call_picture_finish (GESSO_IPC_CLIENT1 (source), NULL, result, &error);
  note_answer (link, error);
}

static void
clip_answered_cb (GObject *source, GAsyncResult *result, gpointer user_data)
{
  g_autoptr (ClientLink) link = user_data;
  GError *error = NULL;
  gesso_ipc_client1_call_clip_finish (GESSO_IPC_CLIENT1 (source), NULL, result, &error);
  note_answer (link, error);
}

/* Returns: the handle (floating) of the frame in *@fds */
static GVariant *
send_frame (const uint8_t *rgb, int width, int height, GUnixFDList **fds, Status *status)
{
  g_autoptr (GError) error = NULL;
  GVariant *frame = gesso_ipc_frame_send (rgb, width, height, fds, &error);
  if (!frame)
    status_fail (status,
                 g_error_matches (error, G_IO_ERROR, G_IO_ERROR_INVALID_DATA) ? STATUS_ARGUMENT
                                                                              : STATUS_NO_MEMORY,
                 "The finished picture could not be handed over: %s.", error->message);
  return frame;
}

static void
count_open (ClientLink *link)
{
  g_mutex_lock (&link->mutex);
  link->n_open++;
  g_mutex_unlock (&link->mutex);
}

static bool
on_picture (void *data,
            int index,
            const uint8_t *rgb,
            int width,
            int height,
            const char *recipe,
            Status *status)
{
  ClientLink *link = data;
  g_autoptr (GUnixFDList) fds = NULL;
  g_autofree char *valid = g_utf8_make_valid (recipe, -1);
  GVariant *frame = send_frame (rgb, width, height, &fds, status);
  if (!frame)
    return false;
  count_open (link);
  gesso_ipc_client1_call_picture (link->client, link->batch, (guint) index, width, height, frame,
                                  valid, fds, NULL, picture_answered_cb, link_ref (link));
  return true;
}

static bool
on_clip (void *data,
         int index,
         const char *path,
         const uint8_t *rgb,
         int width,
         int height,
         const char *recipe,
         Status *status)
{
  ClientLink *link = data;
  g_autoptr (GUnixFDList) fds = NULL;
  g_autofree char *valid = g_utf8_make_valid (recipe, -1);
  GVariant *frame = send_frame (rgb, width, height, &fds, status);
  if (!frame)
    return false;
  count_open (link);
  gesso_ipc_client1_call_clip (link->client, link->batch, (guint) index, width, height, frame,
                               valid, path, fds, NULL, clip_answered_cb, link_ref (link));
  return true;
}

static bool
on_settle (void *data, int max_open, Status *status)
{
  ClientLink *link = data;
  bool ok = true;
  g_mutex_lock (&link->mutex);
  while (ok && link->n_open > max_open && !link->error)
    if (control_get (link->control) != WISH_NONE)
      ok = status_fail (status, STATUS_CANCELLED, "Cancelled.");
    else
      g_cond_wait_until (&link->answered, &link->mutex,
                         g_get_monotonic_time () + POLL_MS * G_TIME_SPAN_MILLISECOND);
  if (ok && link->error)
    {
      g_autoptr (GError) error = g_error_copy (link->error);
      g_dbus_error_strip_remote_error (error);
      ok = status_fail (status, STATUS_IO, "%s", error->message);
    }
  g_mutex_unlock (&link->mutex);
  return ok;
}

RunnerEvents
client_link_events (ClientLink *link)
{
  return (RunnerEvents){ .progress = on_progress,
                         .wants_preview = on_wants_preview,
                         .preview = on_preview,
                         .picture = on_picture,
                         .clip = on_clip,
                         .settle = on_settle,
                         .note = on_note,
                         .data = link };
}

void
client_link_end (ClientLink *link, RunnerEnd end, int step, const Status *status)
{
  switch (end)
    {
    case RUNNER_FINISHED:
      gesso_ipc_client1_call_finished (link->client, link->batch, NULL, NULL, NULL);
      break;
    case RUNNER_PARKED:
      gesso_ipc_client1_call_parked (link->client, link->batch, step, NULL, NULL, NULL);
      break;
    case RUNNER_FAILED:
      {
        g_autoptr (GError) error = edge_error (status);
        const char *code = gesso_ipc_error_code_name ((GessoIpcError) error->code);
        g_message ("Batch %s failed (%s): %s", link->batch, code, error->message);
        gesso_ipc_client1_call_failed (link->client, link->batch, code, error->message, NULL, NULL,
                                       NULL);
        break;
      }
    }
}
