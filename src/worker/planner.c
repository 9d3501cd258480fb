/* SPDX-License-Identifier: MPL-2.0 */
#include "worker/planner.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "core/mem.h"
#include "worker/estimate.h"
#include "worker/identity.h"
#include "worker/inputs.h"
#include "worker/job.h"
#include "worker/models.h"

enum
{
  N_COMPUTES = 2
};

struct Planner
{
  Backend *backend;
  char data_dir[GESSO_PATH_SIZE];
  Pipeline *pipeline; /* headers only */
  char identity[IDENTITY_SIZE];
  _Atomic double rates[N_COMPUTES]; /* FLOP/s, 0: not measured */
};

Planner *
planner_new (Backend *backend, const char *data_dir, Status *status)
{
  Planner *p = mem_calloc (1, sizeof *p);
  if (!p)
    {
      backend_free (backend);
      status_fail (status, STATUS_NO_MEMORY, "Out of memory: close other programs and retry.");
      return NULL;
    }
  p->backend = backend;
  snprintf (p->data_dir, sizeof p->data_dir, "%s", data_dir);
  return p;
}

void
planner_forget (Planner *p)
{
  pipeline_free (p->pipeline);
  p->pipeline = NULL;
}

void
planner_know_rate (Planner *p, Compute compute, double rate)
{
  if ((int) compute < N_COMPUTES)
    p->rates[compute] = rate;
}

void
planner_free (Planner *p)
{
  if (!p)
    return;
  planner_forget (p);
  backend_free (p->backend);
  mem_free (p);
}

/* People plan with each letter they type: the model stays open while it is the same. */
static bool
open_model (Planner *p, const Recipe *recipe, Status *status)
{
  char path[GESSO_PATH_SIZE], identity[IDENTITY_SIZE];
  Identity id;
  if (!model_resolve (recipe_str (recipe->model), path, status))
    return false;
  identity_init (&id);
  identity_add_models (&id, recipe, path);
  identity_end (&id, identity);
  if (p->pipeline && !strcmp (identity, p->identity))
    return true;
  planner_forget (p);
  PipelineSource source = source_from_recipe (recipe, path, p->data_dir);
  source.header_only = true;
  p->pipeline = pipeline_open (&source, p->backend, status);
  memcpy (p->identity, identity, sizeof identity);
  return p->pipeline != NULL;
}

static bool
estimate (Planner *p,
          const PipelineJob *job,
          const PipelinePlan *work,
          bool may_measure,
          PlannerPlan *plan,
          Status *status)
{
  if (!strcmp (p->backend->name, "null"))
    return true;
  double rate = p->rates[job->compute];
  may_measure = may_measure && !p->backend->device.memory;
  if (rate <= 0 && (!may_measure || !estimate_rate (p->backend, job->compute, &rate, status)))
    return status_ok (status);
  p->rates[job->compute] = rate;
  plan->seconds = estimate_from_rate (work, rate).total_seconds;
  return true;
}

/* What the model says of sizes, whatever the recipe's is. */
static void
take_size (const Planner *p, PlannerPlan *plan)
{
  PipelineJob job;
  const Checkpoint *model = pipeline_checkpoint (p->pipeline);
  pipeline_job_defaults (model, &job);
  plan->size_step = pipeline_size_step (model);
  plan->native_side = (int) lround (sqrt ((double) job.width * job.height));
}

static bool
plan_job (Planner *p, Recipe *recipe, bool may_measure, PlannerPlan *plan, Status *status)
{
  PipelineJob job;
  PipelinePlan work;
  JobInputs inputs = { 0 };
  bool ok = job_inputs_load (&inputs, recipe, pipeline_checkpoint (p->pipeline), status) &&
            job_from_recipe (recipe, pipeline_checkpoint (p->pipeline), p->backend, &job, status) &&
            recipe_validate (recipe, status);
  if (ok)
    {
      ok = job_inputs_plan (&inputs, recipe, &job, status) &&
           pipeline_plan (p->pipeline, &job, &work, status) &&
           estimate (p, &job, &work, may_measure, plan, status);
    }
  if (ok)
    {
      const Device *device = &p->backend->device;
      plan->room_bytes = device->memory ? device->memory->room (device) : 0;
      plan->peak_bytes = work.peak_bytes;
      take_size (p, plan);
      plan->weight_bytes = (uint64_t) work.weight_bytes;
      plan->seconds *= recipe->batch_count;
      plan->recipe = recipe_to_json (recipe, status);
    }
  job_inputs_clear (&inputs);
  return ok && plan->recipe;
}

bool
planner_plan (Planner *p, Recipe *recipe, bool may_measure, PlannerPlan *plan, Status *status)
{
  *plan = (PlannerPlan){ 0 };
  return (recipe->model || recipe_set (recipe, "model", SHIPPED_MODEL, status)) &&
         open_model (p, recipe, status) && plan_job (p, recipe, may_measure, plan, status);
}
