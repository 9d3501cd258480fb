/* SPDX-License-Identifier: MPL-2.0
 * planner.h - what a recipe needs, beside a batch that is running.
 *
 * Has a device and a model of its own, of which it reads headers only.  One thread at a time.
 */
#pragma once

#include <stdatomic.h>

#include "backend/backend.h"
#include "recipe/recipe.h"

typedef struct Planner Planner;

typedef struct
{
  uint64_t peak_bytes, weight_bytes;
  double seconds; /* of all batches; 0: not known */
  char *recipe;   /* JSON, complete; the caller's to mem_free */
} PlannerPlan;

/* @backend: taken, also on failure; @data_dir: copied */
Planner *planner_new (Backend *backend, const char *data_dir, Status *status);
void planner_free (Planner *planner);
void planner_forget (Planner *planner);

/* planner_plan:
 * @recipe: initialised; completed from its model
 * @may_measure: the device is free, so that it can be timed if it was not yet
 *
 * Fails: as opening the model and its pictures does; ARGUMENT
 */
bool planner_plan (
    Planner *planner, Recipe *recipe, bool may_measure, PlannerPlan *plan, Status *status);
