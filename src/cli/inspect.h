/* SPDX-License-Identifier: MPL-2.0
 * inspect.h - the kinds of files that `gesso-cli inspect` reads besides models.
 */
#pragma once

#include "cli/cli.h"

typedef enum
{
  INSPECT_DONE,
  INSPECT_OTHER, /* the file is of another kind: nothing was printed */
  INSPECT_FAILED /* @status says why */
} InspectEnd;

/* A textual inversion, alone in its file. */
InspectEnd inspect_embedding (const char *path, bool json);

/* @model: NULL, or a model that is asked whether the adapter goes with it */
InspectEnd inspect_adapter (const char *path, const char *model, bool json, Status *status);
