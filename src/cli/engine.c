/* SPDX-License-Identifier: MPL-2.0 */
#include "cli/engine.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/mem.h"
#include "worker/few-steps-job.h"

static void
print_note (void *data, const char *sentence)
{
  (void) data;
  fprintf (stderr, "gesso-cli: %s\n", sentence);
}

/* The prompt may stand as an operand; several words are joined as a shell would show them. */
static bool
take_prompt (Options *o, Status *status)
{
  if (o->n_operands == 0)
    return true;
  if (o->n_operands > 1)
    return status_fail (status, STATUS_ARGUMENT,
                        "The prompt has to be one argument: put it in quotes, as in \"%s %s ...\".",
                        o->operands[0], o->operands[1]);
  return recipe_set (&o->recipe, "prompt", o->operands[0], status);
}

bool
engine_open (Engine *e, Options *o, bool header_only, Status *status)
{
  char data[CLI_PATH_SIZE];
  const BackendChoice choice = { o->backend, o->level, o->n_threads, o->vram_limit_mib };
  *e = (Engine){ 0 };
  Recipe *r = &o->recipe;
  if (!take_prompt (o, status) || (!r->model && !recipe_set (r, "model", SHIPPED_MODEL, status)) ||
      !path_data_dir (data, status) ||
      !model_resolve (recipe_str (r->model), e->model_path, status) ||
      !(e->backend = backend_new (&choice, status)))
    return false;
  snprintf (e->tokenizers, sizeof e->tokenizers, "%s", data);
  PipelineSource source = source_from_recipe (r, e->model_path, e->tokenizers);
  source.header_only = header_only;
  if (!(e->pipeline = pipeline_open (&source, e->backend, status)) ||
      !job_inputs_load (&e->inputs, r, pipeline_checkpoint (e->pipeline), status) ||
      !job_from_recipe (r, pipeline_checkpoint (e->pipeline), e->backend, &e->job, status) ||
      !recipe_validate (r, status))
    return false;
  if (!job_inputs_give (&e->inputs, r, &e->job, status))
    return false;
  char few_steps[STATUS_MESSAGE_SIZE];
  job_few_steps (r, pipeline_checkpoint (e->pipeline), few_steps);
  if (*few_steps)
    print_note (NULL, few_steps);
  if (*e->inputs.note)
    print_note (NULL, e->inputs.note);
  e->job.cancel = &cli_cancel;
  e->job.note = print_note;
  return true;
}

void
engine_close (Engine *e)
{
  pipeline_free (e->pipeline);
  backend_free (e->backend);
  job_inputs_clear (&e->inputs);
}
