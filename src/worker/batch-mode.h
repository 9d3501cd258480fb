/* SPDX-License-Identifier: MPL-2.0
 * batch-mode.h - one recipe to a folder of pictures, with no other process: for debuggers and job
 * schedulers.
 */
#pragma once

#include "backend/backend.h"
#include "worker/control.h"

typedef enum
{
  BATCH_MODE_DONE,
  BATCH_MODE_FAILED,
  BATCH_MODE_PARKED /* run it again: it goes on where it stopped */
} BatchModeEnd;

/* batch_mode_run:
 * @recipe_path: JSON as `gesso-cli recipe` prints it
 * @folder: made when missing
 * @control: ends it from a signal handler's thread
 *
 * Writes picture i as "FOLDER/NNNNN-SEED.png", NNNNN being i + 1; a file of that name that is there
 * already counts as done.  The journal lies beside them.
 */
BatchModeEnd batch_mode_run (Backend *backend,
                             const char *data_dir,
                             const char *recipe_path,
                             const char *folder,
                             BatchControl *control,
                             Status *status);
