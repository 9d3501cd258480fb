/* SPDX-License-Identifier: MPL-2.0 */
#include "worker/service.h"

#include <malloc.h>

#include "config.h"
#include "core/mem.h"
#include "ipc/peer.h"
#include "worker/batch-request.h"
#include "worker/client-link.h"
#include "worker/edge.h"
#include "worker/estimate.h"
#include "worker/planner.h"

/* What the engine's thread is told to do. */
typedef enum
{
  COMMAND_RUN,
  COMMAND_FORGET,
  COMMAND_QUIT
} CommandKind;

typedef struct
{
  CommandKind kind;
  BatchRequest *request; /* RUN */
} Command;

/* One call of Plan, or of Forget when @recipe is NULL; the planner has a thread of its own. */
typedef struct
{
  GDBusMethodInvocation *invocation;
  char *recipe;
} PlanRequest;

struct _GessoService
{
  GObject parent_instance;
  GDBusConnection *connection;
  GessoIpcWorker1 *skeleton;
  GessoIpcClient1 *client;
  Backend *backend; /* borrowed; the engine thread's */
  GThread *engine;
  GAsyncQueue *commands;
  GThreadPool *planning;
  Planner *planner; /* the planning thread's */
  Runner *runner;   /* the engine thread's */
  gboolean quitting, ended;
  GMutex mutex;
  BatchRequest *running; /* under the mutex: from Run until its last word is said */
};

G_DEFINE_FINAL_TYPE (GessoService, gesso_service, G_TYPE_OBJECT)

enum
{
  ENDED,
  N_SIGNALS
};

static guint signals[N_SIGNALS];

/* ---- the engine's thread ---- */

/* Only then may the client be told that the batch ended, since it may begin the next at once. */
static void
set_idle (GessoService *self)
{
  g_mutex_lock (&self->mutex);
  g_clear_pointer (&self->running, batch_request_unref);
  g_mutex_unlock (&self->mutex);
}

static void
run_request (GessoService *self, BatchRequest *request)
{
  g_autoptr (ClientLink) link = client_link_new (self->client, request->name, &request->control);
  const RunnerEvents events = client_link_events (link);
  const RunnerBatch batch = { .name = request->name,
                              .recipe = &request->recipe,
                              .journal = request->journal,
                              .skip = request->skip,
                              .n_skip = request->n_skip,
                              .control = &request->control };
  Status status = { 0 };
  int step = 0;
  RunnerEnd end = runner_run (self->runner, &batch, &events, &step, &status);
  set_idle (self);
  client_link_end (link, end, step, &status);
}

static gboolean
ended_cb (gpointer user_data)
{
  GessoService *self = user_data;
  self->ended = TRUE;
  g_signal_emit (self, signals[ENDED], 0);
  return G_SOURCE_REMOVE;
}

/* A card is timed by the thread that has it, for the one that plans. */
static void
time_card (GessoService *self)
{
  for (Compute compute = COMPUTE_F32; compute <= COMPUTE_BF16; compute++)
    {
      Status status = { 0 };
      double rate = 0;
      if (estimate_rate (self->backend, compute, &rate, &status))
        planner_know_rate (self->planner, compute, rate);
      else
        g_message ("The card could not be timed: %s", status.message);
    }
}

static gpointer
engine_thread (gpointer user_data)
{
  GessoService *self = user_data;
  if (self->backend->device.memory)
    time_card (self);
  for (;;)
    {
      g_autofree Command *command = g_async_queue_pop (self->commands);
      switch (command->kind)
        {
        case COMMAND_RUN:
          run_request (self, command->request);
          batch_request_unref (command->request);
          break;
        case COMMAND_FORGET:
          runner_forget (self->runner);
          malloc_trim (0);
          break;
        case COMMAND_QUIT:
          g_idle_add_full (G_PRIORITY_DEFAULT, ended_cb, g_object_ref (self), g_object_unref);
          return NULL;
        }
    }
}

static void
push_command (GessoService *self, CommandKind kind, BatchRequest *request)
{
  Command *command = g_new (Command, 1);
  *command = (Command){ kind, request };
  g_async_queue_push (self->commands, command);
}

/* ---- the planning thread ---- */

static gboolean
is_idle (GessoService *self)
{
  g_mutex_lock (&self->mutex);
  gboolean idle = self->running == NULL;
  g_mutex_unlock (&self->mutex);
  return idle;
}

static GVariant *
describe_plan (const PlannerPlan *plan)
{
  GVariantDict dict;
  g_autofree char *recipe = g_utf8_make_valid (plan->recipe, -1);
  g_variant_dict_init (&dict, NULL);
  g_variant_dict_insert (&dict, "peak-bytes", "t", plan->peak_bytes);
  g_variant_dict_insert (&dict, "weight-bytes", "t", plan->weight_bytes);
  g_variant_dict_insert (&dict, "room-bytes", "t", plan->room_bytes);
  g_variant_dict_insert (&dict, "seconds", "d", plan->seconds);
  g_variant_dict_insert (&dict, "recipe", "s", recipe);
  g_variant_dict_insert (&dict, "size-step", "i", plan->size_step);
  g_variant_dict_insert (&dict, "native-side", "i", plan->native_side);
  return g_variant_dict_end (&dict);
}

/* Returns: (transfer floating): NULL and @error with the sentence for the user */
static GVariant *
make_plan (GessoService *self, const char *json, GError **error)
{
  Recipe recipe;
  PlannerPlan plan = { 0 };
  Status status = { 0 };
  GVariant *described = NULL;
  recipe_init (&recipe);
  if (recipe_from_client (&recipe, json, error))
    {
      if (planner_plan (self->planner, &recipe, is_idle (self), &plan, &status))
        described = describe_plan (&plan);
      else
        g_propagate_error (error, edge_error (&status));
    }
  mem_free (plan.recipe);
  recipe_clear (&recipe);
  return described;
}

static void
plan_request_free (PlanRequest *request)
{
  g_clear_object (&request->invocation);
  g_clear_pointer (&request->recipe, g_free);
  g_free (request);
}

static void
planning_func (gpointer data, gpointer user_data)
{
  GessoService *self = user_data;
  PlanRequest *request = data;
  g_autoptr (GError) error = NULL;
  GDBusMethodInvocation *invocation = g_steal_pointer (&request->invocation);
  if (!request->recipe)
    {
      planner_forget (self->planner);
      gesso_ipc_worker1_complete_forget (self->skeleton, invocation);
    }
  else
    {
      GVariant *plan = make_plan (self, request->recipe, &error);
      if (plan)
        gesso_ipc_worker1_complete_plan (self->skeleton, invocation, plan);
      else
        g_dbus_method_invocation_return_gerror (invocation, error);
    }
  plan_request_free (request);
}

static void
push_plan (GessoService *self, GDBusMethodInvocation *invocation, const char *recipe)
{
  PlanRequest *request = g_new (PlanRequest, 1);
  *request = (PlanRequest){ invocation, g_strdup (recipe) };
  g_thread_pool_push (self->planning, request, NULL);
}

/* ---- Worker1, on the main thread ---- */

static gboolean
handle_plan (GessoService *self, GDBusMethodInvocation *invocation, const char *recipe)
{
  push_plan (self, invocation, recipe);
  return G_DBUS_METHOD_INVOCATION_HANDLED;
}

static gboolean
handle_run (GessoService *self,
            GDBusMethodInvocation *invocation,
            const char *batch,
            const char *recipe,
            const char *journal,
            GVariant *skip)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (BatchRequest) request = NULL;
  if (self->quitting)
    {
      /* as if the call had come too late: the batch is as good as it was */
      g_dbus_method_invocation_return_error_literal (invocation, G_IO_ERROR, G_IO_ERROR_CLOSED,
                                                     "The worker is about to end.");
      return G_DBUS_METHOD_INVOCATION_HANDLED;
    }
  if (!is_idle (self))
    {
      g_dbus_method_invocation_return_error_literal (
          invocation, GESSO_IPC_ERROR, GESSO_IPC_ERROR_BUSY, "Another batch is running.");
      return G_DBUS_METHOD_INVOCATION_HANDLED;
    }
  request = batch_request_new (batch, recipe, journal, skip, &error);
  if (!request)
    {
      g_dbus_method_invocation_return_gerror (invocation, error);
      return G_DBUS_METHOD_INVOCATION_HANDLED;
    }
  g_mutex_lock (&self->mutex);
  self->running = batch_request_ref (request);
  g_mutex_unlock (&self->mutex);
  /* first the reply: what happens to a batch follows its being accepted */
  gesso_ipc_worker1_complete_run (self->skeleton, invocation);
  push_command (self, COMMAND_RUN, g_steal_pointer (&request));
  return G_DBUS_METHOD_INVOCATION_HANDLED;
}

/* @batch: NULL for whichever is running */
static void
wish (GessoService *self, const char *batch, Wish what)
{
  g_mutex_lock (&self->mutex);
  if (self->running && (!batch || g_str_equal (batch, self->running->name)))
    control_wish (&self->running->control, what);
  g_mutex_unlock (&self->mutex);
}

static gboolean
handle_park (GessoService *self, GDBusMethodInvocation *invocation, const char *batch)
{
  wish (self, batch, WISH_PARK);
  gesso_ipc_worker1_complete_park (self->skeleton, invocation);
  return G_DBUS_METHOD_INVOCATION_HANDLED;
}

static gboolean
handle_cancel (GessoService *self, GDBusMethodInvocation *invocation, const char *batch)
{
  wish (self, batch, WISH_CANCEL);
  gesso_ipc_worker1_complete_cancel (self->skeleton, invocation);
  return G_DBUS_METHOD_INVOCATION_HANDLED;
}

/* A running batch keeps its model, and with it everything that the runner has. */
static gboolean
handle_forget (GessoService *self, GDBusMethodInvocation *invocation)
{
  if (is_idle (self) && !self->quitting)
    push_command (self, COMMAND_FORGET, NULL);
  push_plan (self, invocation, NULL);
  return G_DBUS_METHOD_INVOCATION_HANDLED;
}

static gboolean
handle_quit (GessoService *self, GDBusMethodInvocation *invocation)
{
  gesso_ipc_worker1_complete_quit (self->skeleton, invocation);
  gesso_service_quit (self);
  return G_DBUS_METHOD_INVOCATION_HANDLED;
}

static void
closed_cb (GessoService *self)
{
  g_message ("The client is gone");
  gesso_service_quit (self);
}

/* ---- the object ---- */

static void
gesso_service_init (GessoService *self)
{
  g_mutex_init (&self->mutex);
  self->commands = g_async_queue_new_full (g_free);
}

/* The threads have references to what is freed here: both have to be gone. */
static void
gesso_service_finalize (GObject *object)
{
  GessoService *self = GESSO_SERVICE (object);
  if (self->engine)
    {
      wish (self, NULL, WISH_STOP);
      if (!self->quitting)
        push_command (self, COMMAND_QUIT, NULL);
      g_thread_join (self->engine);
    }
  if (self->planning)
    g_thread_pool_free (self->planning, FALSE, TRUE);
  g_clear_pointer (&self->planner, planner_free);
  g_clear_pointer (&self->runner, runner_free);
  g_clear_pointer (&self->commands, g_async_queue_unref);
  g_clear_object (&self->skeleton);
  g_clear_object (&self->client);
  g_clear_object (&self->connection);
  g_mutex_clear (&self->mutex);
  G_OBJECT_CLASS (gesso_service_parent_class)->finalize (object);
}

static void
gesso_service_class_init (GessoServiceClass *klass)
{
  G_OBJECT_CLASS (klass)->finalize = gesso_service_finalize;
  signals[ENDED] = g_signal_new ("ended", GESSO_TYPE_SERVICE, G_SIGNAL_RUN_LAST, 0, NULL, NULL,
                                 NULL, G_TYPE_NONE, 0);
}

static gboolean
make_engine (GessoService *self, const GessoServiceOptions *options, GError **error)
{
  Status status = { 0 };
  self->backend = options->backend;
  self->planner = planner_new (options->plan_backend, options->data_dir, &status);
  self->runner = self->planner ? runner_new (options->backend, options->data_dir, &status) : NULL;
  if (!self->runner)
    {
      g_propagate_error (error, edge_error (&status));
      return FALSE;
    }
  self->planning = g_thread_pool_new (planning_func, self, 1, FALSE, error);
  if (!self->planning)
    return FALSE;
  self->engine = g_thread_try_new ("engine", engine_thread, self, error);
  return self->engine != NULL;
}

static gboolean
make_ends (GessoService *self, const GessoServiceOptions *options, GError **error)
{
  self->client = gesso_ipc_client1_proxy_new_sync (self->connection,
                                                   G_DBUS_PROXY_FLAGS_DO_NOT_LOAD_PROPERTIES |
                                                       G_DBUS_PROXY_FLAGS_DO_NOT_CONNECT_SIGNALS,
                                                   NULL, GESSO_IPC_CLIENT_PATH, NULL, error);
  if (!self->client)
    return FALSE;
  /* a disk may take its time to keep a picture */
  g_dbus_proxy_set_default_timeout (G_DBUS_PROXY (self->client), G_MAXINT);
  self->skeleton = gesso_ipc_worker1_skeleton_new ();
  gesso_ipc_worker1_set_version (self->skeleton, GESSO_VERSION);
  gesso_ipc_worker1_set_device (self->skeleton, options->device);
  gesso_ipc_worker1_set_backend (self->skeleton, options->backend->name);
  g_signal_connect_object (self->skeleton, "handle-plan", G_CALLBACK (handle_plan), self,
                           G_CONNECT_SWAPPED);
  g_signal_connect_object (self->skeleton, "handle-run", G_CALLBACK (handle_run), self,
                           G_CONNECT_SWAPPED);
  g_signal_connect_object (self->skeleton, "handle-park", G_CALLBACK (handle_park), self,
                           G_CONNECT_SWAPPED);
  g_signal_connect_object (self->skeleton, "handle-cancel", G_CALLBACK (handle_cancel), self,
                           G_CONNECT_SWAPPED);
  g_signal_connect_object (self->skeleton, "handle-forget", G_CALLBACK (handle_forget), self,
                           G_CONNECT_SWAPPED);
  g_signal_connect_object (self->skeleton, "handle-quit", G_CALLBACK (handle_quit), self,
                           G_CONNECT_SWAPPED);
  g_signal_connect_object (self->connection, "closed", G_CALLBACK (closed_cb), self,
                           G_CONNECT_SWAPPED);
  return g_dbus_interface_skeleton_export (G_DBUS_INTERFACE_SKELETON (self->skeleton),
                                           self->connection, GESSO_IPC_WORKER_PATH, error);
}

GessoService *
gesso_service_new (GDBusConnection *connection, const GessoServiceOptions *options, GError **error)
{
  g_return_val_if_fail (G_IS_DBUS_CONNECTION (connection), NULL);
  g_autoptr (GessoService) self = g_object_new (GESSO_TYPE_SERVICE, NULL);
  self->connection = g_object_ref (connection);
  if (!make_engine (self, options, error) || !make_ends (self, options, error))
    return NULL;
  g_dbus_connection_start_message_processing (connection);
  if (g_dbus_connection_is_closed (connection)) /* maybe before anyone listened to "closed" */
    closed_cb (self);
  return g_steal_pointer (&self);
}

void
gesso_service_quit (GessoService *self)
{
  g_return_if_fail (GESSO_IS_SERVICE (self));
  if (self->quitting)
    return;
  self->quitting = TRUE;
  wish (self, NULL, WISH_STOP);
  push_command (self, COMMAND_QUIT, NULL);
}
