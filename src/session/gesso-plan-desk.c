/* SPDX-License-Identifier: MPL-2.0
 * gesso-plan-desk.c - what a recipe needs, asked of a worker.
 */
#include "session/gesso-plan-desk.h"

#include <glib/gi18n.h>
#include <string.h>

#include "core/available.h"
#include "session/gesso-recipe.h"

void
gesso_plan_free (GessoPlan *plan)
{
  if (!plan)
    return;
  g_free (plan->recipe);
  g_free (plan);
}

/* Measured times are better than the worker's estimate. */
static double
seconds_of (GessoPlanDesk *self, GessoWorkerClient *client, const char *json, double estimate)
{
  g_auto (Recipe) recipe;
  if (!gesso_recipe_parse (&recipe, json, NULL))
    return estimate;
  g_autofree char *key = gesso_work_dup_key (&recipe);
  const GessoWork work = { key, gesso_work_steps (&recipe), recipe.batch_count };
  double batch = gesso_eta_batch (self->eta, gesso_worker_client_get_device (client), &work);
  return batch >= 0 ? batch * recipe.batch_count : estimate;
}

static GessoPlan *
plan_from_variant (GessoPlanDesk *self,
                   GessoWorkerClient *client,
                   const char *asked,
                   GVariant *variant)
{
  GessoPlan *plan = g_new0 (GessoPlan, 1);
  g_variant_lookup (variant, "peak-bytes", "t", &plan->peak_bytes);
  g_variant_lookup (variant, "weight-bytes", "t", &plan->weight_bytes);
  g_variant_lookup (variant, "seconds", "d", &plan->seconds);
  g_variant_lookup (variant, "recipe", "s", &plan->recipe);
  g_variant_lookup (variant, "size-step", "i", &plan->size_step);
  g_variant_lookup (variant, "native-side", "i", &plan->native_side);
  plan->seconds = seconds_of (self, client, asked, plan->seconds);
  if (!g_variant_lookup (variant, "room-bytes", "t", &plan->available_bytes) ||
      plan->available_bytes == 0)
    plan->available_bytes = available_bytes ();
  plan->fits = plan->available_bytes == 0 || plan->peak_bytes <= plan->available_bytes;
  return plan;
}

/* @slot's question ends without an answer. */
static void
drop (GTask **slot, const char *sentence, int code)
{
  g_autoptr (GTask) task = g_steal_pointer (slot);
  if (task)
    g_task_return_new_error (task, G_IO_ERROR, code, "%s", sentence);
}

/* A call and the question it is for. */
typedef struct
{
  GTask *task;
  GessoWorkerClient *client;
  GessoPlanDesk *self; /* valid while @task is the one asked */
} PlanCall;

static void
plan_call_free (PlanCall *call)
{
  g_object_unref (call->task);
  g_object_unref (call->client);
  g_free (call);
}
G_DEFINE_AUTOPTR_CLEANUP_FUNC (PlanCall, plan_call_free)

static void
on_plan_cb (GObject *source, GAsyncResult *result, gpointer data)
{
  g_autoptr (PlanCall) call = data;
  GError *error = NULL;
  g_autoptr (GVariant) variant = gesso_worker_client_plan_finish (call->client, result, &error);
  if (g_task_get_completed (call->task) || g_task_had_error (call->task))
    {
      g_clear_error (&error); /* replaced by a newer question */
      return;
    }
  g_autoptr (GTask) task = g_steal_pointer (&call->self->asked);
  if (variant)
    g_task_return_pointer (
        task, plan_from_variant (call->self, call->client, g_task_get_task_data (task), variant),
        (GDestroyNotify) gesso_plan_free);
  else
    g_task_return_error (task, error);
}

void
gesso_plan_desk_worker_changed (GessoPlanDesk *self)
{
  GessoWorkerClient *client = gesso_workers_get_any_client (self->workers);
  if (gesso_workers_get_state (self->workers) == GESSO_WORKER_STOPPED)
    drop (&self->waiting, _ ("The engine is not running: start it again."),
          G_IO_ERROR_NOT_CONNECTED);
  if (!client || !self->waiting)
    return;
  self->asked = g_steal_pointer (&self->waiting);
  PlanCall *call = g_new (PlanCall, 1);
  *call = (PlanCall){ g_object_ref (self->asked), g_object_ref (client), self };
  gesso_worker_client_plan (client, g_task_get_task_data (self->asked),
                            g_task_get_cancellable (self->asked), on_plan_cb, call);
}

void
gesso_plan_desk_close (GessoPlanDesk *self)
{
  const char *sentence = _ ("The question was replaced by a newer one.");
  drop (&self->waiting, sentence, G_IO_ERROR_CANCELLED);
  drop (&self->asked, sentence, G_IO_ERROR_CANCELLED);
}

void
gesso_plan_desk_ask (GessoPlanDesk *self,
                     gpointer source,
                     const char *recipe,
                     GCancellable *cancellable,
                     GAsyncReadyCallback callback,
                     gpointer user_data)
{
  gesso_plan_desk_close (self);
  self->waiting = g_task_new (source, cancellable, callback, user_data);
  g_task_set_task_data (self->waiting, g_strdup (recipe), g_free);
  gesso_plan_desk_worker_changed (self);
}
