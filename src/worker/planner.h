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
  uint64_t room_bytes; /* what a card may give; 0: the machine's memory is what counts */
  double seconds;      /* of all batches; 0: not known */
  char *recipe;        /* JSON, complete; the caller's to mem_free */
  int size_step;       /* pixels that sides are multiples of */
  int native_side;     /* of the square that is as large as the model's own size */
} PlannerPlan;

/* @backend: taken, also on failure; a card's twin (backend_twin_new) cannot be timed: who has the
 * card does that, planner_know_rate().  @data_dir: copied */
Planner *planner_new (Backend *backend, const char *data_dir, Status *status);
void planner_free (Planner *planner);
void planner_forget (Planner *planner);
/* @rate: of estimate_rate(); from any thread */
void planner_know_rate (Planner *planner, Compute compute, double rate);

/* planner_plan:
 * @recipe: initialised; completed from its model
 * @may_measure: the device is free, so that it can be timed if it was not yet
 *
 * Fails: as opening the model and its pictures does; ARGUMENT
 */
bool planner_plan (
    Planner *planner, Recipe *recipe, bool may_measure, PlannerPlan *plan, Status *status);
