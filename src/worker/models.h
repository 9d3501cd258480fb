/* SPDX-License-Identifier: MPL-2.0
 * models.h - finding models by name.
 */
#pragma once

#include <stdbool.h>

#include "worker/paths.h"

/* What is drawn with when nothing is chosen. */
#define SHIPPED_MODEL "gesso-mini"
#define SHIPPED_VIDEO_MODEL "gesso-mini-video" /* the same for clips */

/* Returns: false to stop the walk */
typedef bool (*ModelFunc) (void *data, const char *path, const char *name);

/* Calls @func for each model in the known folders, by name in each. */
void models_walk (ModelFunc func, void *data);

/* Calls @func for each folder that models are looked for in, until it returns false. */
void model_folders_walk (bool (*func) (void *data, const char *path), void *data);

/* model_resolve:
 * @name: "" for the model that ships; a file, a folder, or a name as `gesso-cli models` lists it
 *
 * Fails: NOT_FOUND, saying where it looked
 */
bool model_resolve (const char *name, char out[GESSO_PATH_SIZE], Status *status);
