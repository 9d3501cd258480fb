/* SPDX-License-Identifier: MPL-2.0
 * fake-worker.c - a worker without an engine, whose prompts say how it behaves.
 *
 *   "hold"        waits after its first step until it is parked or cancelled
 *   "die"         ends itself with SIGKILL after its second step, each time
 *   "speak"       says something to its log before
 *   "hang-up"     closes its socket after its first step, and stays
 *   "fail:CODE"   fails with that code after its first step
 *   "only:NAME"   fails with "no-memory" after its first step unless NAME is its backend
 *   "refuse"      is about to end as it is asked, the first N_ENDS times
 *   "one-by-one"  ends itself with SIGKILL after each picture
 *   anything      N_STEPS steps, then noise pictures that follow from the seed
 *
 * With GESSO_FAKE_HANGS_UP set it hangs up as soon as it has been greeted.  With GESSO_FAKE_CARDS
 * set, a number, it has that many cards.  With GESSO_FAKE_FAILS set to the name of its backend it
 * says why and ends before it answers.
 *
 * A parked batch leaves its step in the journal; one that goes on says so in a Note.
 */
#include <glib-unix.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "ipc/gesso-ipc.h"
#include "ipc/peer.h"
#include "session/gesso-recipe.h"

enum
{
  N_STEPS = 4,
  N_ENDS = 2,
  PREVIEW_SIDE = 8
};

typedef struct
{
  GMainLoop *loop;
  char *backend; /* its name; NULL when it was given none */
  char *limit;   /* of a card's memory, in MiB */
  GessoIpcWorker1 *skeleton;
  GessoIpcClient1 *client;
  char *batch, *journal; /* NULL when idle */
  Recipe recipe;
  GArray *skip; /* of guint32 */
  int step;
  guint picture; /* the next */
  guint idle;
  GSourceFunc next; /* step_cb */
} Fake;

static gboolean
is_told (Fake *f, const char *word)
{
  return strstr (recipe_str (f->recipe.prompt), word) != NULL;
}

static void
end (Fake *f)
{
  g_clear_handle_id (&f->idle, g_source_remove);
  g_clear_pointer (&f->batch, g_free);
  g_clear_pointer (&f->journal, g_free);
}

static void
fail (Fake *f, const char *code, const char *sentence)
{
  g_autofree char *batch = g_strdup (f->batch);
  end (f);
  gesso_ipc_client1_call_failed (f->client, batch, code, sentence, NULL, NULL, NULL);
}

static void
park (Fake *f)
{
  g_autofree char *batch = g_strdup (f->batch);
  g_autofree char *step = g_strdup_printf ("%d", f->step);
  g_file_set_contents (f->journal, step, -1, NULL);
  end (f);
  gesso_ipc_client1_call_parked (f->client, batch, f->step, NULL, NULL, NULL);
}

/* Noise does not compress: a picture's file is as large as its pixels. */
static guint8 *
make_pixels (guint64 seed, int width, int height)
{
  gsize n = (gsize) width * (gsize) height * 3;
  guint8 *rgb = g_malloc (n);
  guint64 x = seed * 2 + 1;
  for (gsize i = 0; i < n; i++)
    {
      x = x * 6364136223846793005u + 1442695040888963407u;
      rgb[i] = (guint8) (x >> 56);
    }
  return rgb;
}

static void
on_kept_cb (GObject *source, GAsyncResult *result, gpointer data)
{
  Fake *f = data;
  g_autoptr (GError) error = NULL;
  if (!gesso_ipc_client1_call_picture_finish (f->client, NULL, result, &error))
    {
      g_dbus_error_strip_remote_error (error);
      if (f->batch)
        fail (f, "io", error->message);
      return;
    }
  f->picture++;
  if (is_told (f, "one-by-one"))
    raise (SIGKILL);
  if (f->batch)
    f->idle = g_idle_add (f->next, f);
}

static gboolean
is_skipped (Fake *f, guint32 index)
{
  for (guint i = 0; i < f->skip->len; i++)
    if (g_array_index (f->skip, guint32, i) == index)
      return TRUE;
  return FALSE;
}

static void
send_picture (Fake *f)
{
  g_auto (Recipe) one;
  Status status = { 0 };
  recipe_init (&one);
  recipe_copy (&one, &f->recipe, &status);
  one.seed += f->picture;
  one.batch_size = 1;
  g_autofree char *json = gesso_recipe_dup_json (&one, NULL);
  g_autofree guint8 *rgb = make_pixels (one.seed, one.width, one.height);
  g_autoptr (GUnixFDList) fds = NULL;
  GVariant *frame = gesso_ipc_frame_send (rgb, one.width, one.height, &fds, NULL);
  gesso_ipc_client1_call_picture (f->client, f->batch, f->picture, one.width, one.height, frame,
                                  json, fds, NULL, on_kept_cb, f);
}

static void
send_preview (Fake *f)
{
  g_autofree guint8 *rgb =
      make_pixels (f->recipe.seed + (guint) f->step, PREVIEW_SIDE, PREVIEW_SIDE);
  g_autoptr (GUnixFDList) fds = NULL;
  GVariant *frame = gesso_ipc_frame_send (rgb, PREVIEW_SIDE, PREVIEW_SIDE, &fds, NULL);
  gesso_ipc_client1_call_preview (f->client, f->batch, f->step, PREVIEW_SIDE, PREVIEW_SIDE, 1, 0,
                                  frame, fds, NULL, NULL, NULL);
}

/* Returns: NULL unless the prompt wants it to fail */
static const char *
failure (Fake *f)
{
  const char *code = strstr (recipe_str (f->recipe.prompt), "fail:");
  const char *only = strstr (recipe_str (f->recipe.prompt), "only:");
  if (code)
    return code + strlen ("fail:");
  return only && g_strcmp0 (only + strlen ("only:"), f->backend) != 0 ? "no-memory" : NULL;
}

/* Returns: whether there is more to do without waiting */
static gboolean
go_on (Fake *f)
{
  if (f->step < N_STEPS)
    {
      gesso_ipc_client1_call_progress (f->client, f->batch, "denoise", ++f->step, N_STEPS, -1, NULL,
                                       NULL, NULL);
      send_preview (f);
      const char *code = failure (f);
      if (code)
        fail (f, code, "It was told to fail.");
      if (code || is_told (f, "hold"))
        return FALSE;
      GDBusConnection *connection = g_dbus_proxy_get_connection (G_DBUS_PROXY (f->client));
      if (is_told (f, "hang-up"))
        {
          g_dbus_connection_flush_sync (connection, NULL, NULL); /* what it said is heard */
          g_dbus_connection_close (connection, NULL, NULL, NULL);
          return FALSE;
        }
      if (f->step == 2 && is_told (f, "speak"))
        {
          g_warning ("The oil is out.");
          g_message ("Ending");
        }
      if (f->step == 2 && is_told (f, "die"))
        {
          g_dbus_connection_flush_sync (connection, NULL, NULL);
          raise (SIGKILL);
        }
      return TRUE;
    }
  while (f->picture < (guint) f->recipe.batch_size && is_skipped (f, f->picture))
    f->picture++;
  if (f->picture < (guint) f->recipe.batch_size)
    {
      send_picture (f);
      return FALSE;
    }
  g_autofree char *batch = g_strdup (f->batch);
  end (f);
  gesso_ipc_client1_call_finished (f->client, batch, NULL, NULL, NULL);
  return FALSE;
}

static gboolean
step_cb (gpointer data)
{
  Fake *f = data;
  f->idle = 0;
  if (go_on (f))
    f->idle = g_idle_add (step_cb, f);
  return G_SOURCE_REMOVE;
}

static void
resume (Fake *f)
{
  g_autofree char *text = NULL;
  f->step = 0;
  if (!g_file_get_contents (f->journal, &text, NULL, NULL))
    return;
  f->step = atoi (text);
  g_autofree char *note = g_strdup_printf ("Goes on from step %d", f->step);
  gesso_ipc_client1_call_note (f->client, f->batch, note, NULL, NULL, NULL);
}

/* How often it was, stands in the journal.  Returns: whether it is once more */
static gboolean
ends_instead (Fake *f, const char *journal)
{
  g_autofree char *text = NULL;
  int n = g_file_get_contents (journal, &text, NULL, NULL) ? atoi (text) : 0;
  if (!is_told (f, "refuse") || n >= N_ENDS)
    return FALSE;
  g_autofree char *more = g_strdup_printf ("%d", n + 1);
  return g_file_set_contents (journal, more, -1, NULL);
}

static gboolean
on_run (Fake *f,
        GDBusMethodInvocation *invocation,
        const char *batch,
        const char *recipe,
        const char *journal,
        GVariant *skip)
{
  g_autoptr (GError) error = NULL;
  recipe_clear (&f->recipe);
  if (f->batch || !gesso_recipe_parse (&f->recipe, recipe, &error))
    {
      g_dbus_method_invocation_return_error (invocation, GESSO_IPC_ERROR, GESSO_IPC_ERROR_BUSY,
                                             "Busy");
      return TRUE;
    }
  if (ends_instead (f, journal))
    {
      GDBusConnection *connection = g_dbus_method_invocation_get_connection (invocation);
      g_dbus_method_invocation_return_error (invocation, G_IO_ERROR, G_IO_ERROR_CLOSED, "Ending");
      g_dbus_connection_flush_sync (connection, NULL, NULL);
      g_main_loop_quit (f->loop);
      return TRUE;
    }
  gsize n;
  const guint32 *indices = g_variant_get_fixed_array (skip, &n, sizeof (guint32));
  g_array_set_size (f->skip, 0);
  g_array_append_vals (f->skip, indices, (guint) n);
  f->batch = g_strdup (batch);
  f->journal = g_strdup (journal);
  f->picture = 0;
  gesso_ipc_worker1_complete_run (f->skeleton, invocation);
  resume (f);
  f->idle = g_idle_add (step_cb, f);
  return TRUE;
}

static gboolean
on_park (Fake *f, GDBusMethodInvocation *invocation, const char *batch)
{
  gesso_ipc_worker1_complete_park (f->skeleton, invocation);
  if (g_strcmp0 (batch, f->batch) == 0)
    park (f);
  return TRUE;
}

static gboolean
on_cancel (Fake *f, GDBusMethodInvocation *invocation, const char *batch)
{
  gesso_ipc_worker1_complete_cancel (f->skeleton, invocation);
  if (g_strcmp0 (batch, f->batch) == 0)
    fail (f, "cancelled", "Cancelled.");
  return TRUE;
}

static gboolean
on_plan (Fake *f, GDBusMethodInvocation *invocation, const char *recipe)
{
  GVariantDict dict;
  g_variant_dict_init (&dict, NULL);
  g_variant_dict_insert (&dict, "peak-bytes", "t", (guint64) 1000);
  g_variant_dict_insert (&dict, "weight-bytes", "t", (guint64) 600);
  g_variant_dict_insert (&dict, "seconds", "d", 12.0);
  g_variant_dict_insert (&dict, "recipe", "s", recipe);
  gesso_ipc_worker1_complete_plan (f->skeleton, invocation, g_variant_dict_end (&dict));
  return TRUE;
}

static gboolean
on_quit (Fake *f, GDBusMethodInvocation *invocation)
{
  gesso_ipc_worker1_complete_quit (f->skeleton, invocation);
  if (f->batch)
    park (f);
  g_main_loop_quit (f->loop);
  return TRUE;
}

/* Who hangs up stays, as a process that is stuck would. */
static void
on_closed (GDBusConnection *connection, gboolean by_peer, GError *error, gpointer data)
{
  Fake *f = data;
  if (by_peer)
    g_main_loop_quit (f->loop);
}

static void
on_connected_cb (GObject *source, GAsyncResult *result, gpointer data)
{
  Fake *f = data;
  g_autoptr (GError) error = NULL;
  g_autoptr (GDBusConnection) connection = gesso_ipc_peer_new_finish (result, &error);
  if (!connection)
    {
      g_main_loop_quit (f->loop);
      return;
    }
  f->client =
      gesso_ipc_client1_proxy_new_sync (connection, G_DBUS_PROXY_FLAGS_DO_NOT_LOAD_PROPERTIES, NULL,
                                        GESSO_IPC_CLIENT_PATH, NULL, NULL);
  f->skeleton = gesso_ipc_worker1_skeleton_new ();
  gesso_ipc_worker1_set_backend (f->skeleton, g_getenv ("GESSO_FAKE_CARDS") ? "cuda" : "fake");
  g_autofree char *limited = g_strdup_printf ("Fake device, at most %s MiB", f->limit);
  gboolean is_limited = f->limit && strcmp (f->limit, "0") != 0;
  gesso_ipc_worker1_set_device (f->skeleton, is_limited ? limited : "Fake device");
  g_signal_connect_swapped (f->skeleton, "handle-run", G_CALLBACK (on_run), f);
  g_signal_connect_swapped (f->skeleton, "handle-park", G_CALLBACK (on_park), f);
  g_signal_connect_swapped (f->skeleton, "handle-cancel", G_CALLBACK (on_cancel), f);
  g_signal_connect_swapped (f->skeleton, "handle-plan", G_CALLBACK (on_plan), f);
  g_signal_connect_swapped (f->skeleton, "handle-quit", G_CALLBACK (on_quit), f);
  g_signal_connect (connection, "closed", G_CALLBACK (on_closed), f);
  g_dbus_interface_skeleton_export (G_DBUS_INTERFACE_SKELETON (f->skeleton), connection,
                                    GESSO_IPC_WORKER_PATH, NULL);
  g_dbus_connection_start_message_processing (connection);
  if (g_getenv ("GESSO_FAKE_HANGS_UP"))
    g_dbus_connection_close (connection, NULL, NULL, NULL);
}

static int
print_devices (void)
{
  const char *cards = g_getenv ("GESSO_FAKE_CARDS");
  for (int i = 0; cards && i < atoi (cards); i++)
    g_print ("cuda:%d\tFake card %d\t%d\n", i, i, 1 << 30);
  g_print ("cpu\tFake processor\t0\n");
  return 0;
}

int
main (int argc, char **argv)
{
  if (argc > 1 && strcmp (argv[1], "--devices") == 0)
    return print_devices ();
  Fake f = { .next = step_cb };
  for (int i = 1; i + 1 < argc; i++)
    if (strcmp (argv[i], "--backend") == 0)
      f.backend = argv[i + 1];
    else if (strcmp (argv[i], "--vram-limit") == 0)
      f.limit = argv[i + 1];
  if (f.backend && g_strcmp0 (f.backend, g_getenv ("GESSO_FAKE_FAILS")) == 0)
    {
      g_warning ("There is no such card.");
      return 1;
    }
  f.loop = g_main_loop_new (NULL, FALSE);
  f.skip = g_array_new (FALSE, FALSE, sizeof (guint32));
  signal (SIGPIPE, SIG_IGN);
  recipe_init (&f.recipe);
  g_printerr ("fake worker\n");
  gesso_ipc_peer_new (GESSO_IPC_WORKER_FD, GESSO_IPC_WORKER, NULL, on_connected_cb, &f);
  g_main_loop_run (f.loop);
  g_clear_object (&f.skeleton);
  g_clear_object (&f.client);
  recipe_clear (&f.recipe);
  end (&f);
  g_array_unref (f.skip);
  g_main_loop_unref (f.loop);
  return 0;
}
