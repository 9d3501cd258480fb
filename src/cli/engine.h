/* SPDX-License-Identifier: MPL-2.0
 * engine.h - opening a backend and a pipeline for a command.
 */
#pragma once

#include "cli/cli.h"
#include "pipelines/pipeline.h"
#include "worker/inputs.h"
#include "worker/job.h"

typedef struct
{
  Backend *backend;
  Pipeline *pipeline;
  PipelineJob job;
  JobInputs inputs;
  char model_path[CLI_PATH_SIZE], tokenizers[CLI_PATH_SIZE + 16];
} Engine;

/* engine_open:
 * @header_only: plans need no weights
 *
 * Finds the model, binds it and completes @o's recipe from it.  End with engine_close in any case.
 */
bool engine_open (Engine *e, Options *o, bool header_only, Status *status);
void engine_close (Engine *e);
