/* SPDX-License-Identifier: MPL-2.0
 * plan.h - where each buffer of a trace lies in the arena.
 */
#pragma once

#include <stddef.h>

#include "core/ctx.h"

enum
{
  PLAN_ALIGNMENT = 256
};

/* A buffer lives from the operator that defines it to the last one that reads it. */
typedef struct
{
  size_t size, offset;
  int first, last; /* operator indices */
  int alias_of;    /* takes over this buffer's place, -1: has its own */
} PlanBuffer;

/* Lets operators write over a source that dies at them and fits exactly. */
void plan_inplace (PlanBuffer *buffers, const OpRecord *ops, int n_ops);

/* Sets every offset.  Returns: false when out of memory */
bool plan_place (PlanBuffer *buffers, int n_buffers, size_t *peak_bytes, Status *status);

/* The largest sum of buffers alive at one operator.  Returns: false when out of memory */
bool plan_bound (
    const PlanBuffer *buffers, int n_buffers, int n_ops, size_t *bound_bytes, Status *status);
