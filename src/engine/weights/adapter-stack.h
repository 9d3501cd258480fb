/* SPDX-License-Identifier: MPL-2.0
 * adapter-stack.h - all adapters of a job on a model's weights.
 *
 * Low-rank modules run beside their layer (SidePath in weights.h): the factors of all adapters of a
 * layer stand side by side in one A and one B, made once, and the weights are a few floats that may
 * change at any time.  Other kinds are merged into a copy of just the weights they touch, made anew
 * when their weight moves.  Adapters that read the weight (DoRA, GLoRA, OFT, ...) see it as those
 * before them left it; all others add what they would add to the model's own.
 *
 * A stack is mounted on its WeightSet for a run and taken off again.  One stack at a time.
 */
#pragma once

#include "weights/adapter-fit.h"

typedef struct AdapterStack AdapterStack;

typedef struct
{
  double network, text; /* weights of U-Net or transformer, and of the text encoders */
  const double *blocks; /* NULL, or ADAPTER_BLOCK_COUNT factors on top */
} AdapterStrength;

/* adapter_stack_new:
 * @fits: in the order in which they are applied; borrowed, like their files
 * @n: at least 1
 * @header_only: shapes only, for plans
 *
 * Strengths are 0 until adapter_stack_set.
 *
 * Fails: NO_MEMORY
 */
AdapterStack *
adapter_stack_new (const AdapterFit *const *fits, int n, bool header_only, Status *status);
void adapter_stack_free (AdapterStack *stack); /* takes it off first */

/* How many threads merge at most; one a core unless said. */
void adapter_stack_set_threads (AdapterStack *stack, int n_threads);

/* adapter_stack_set:
 * @strengths: one an adapter
 *
 * Merges what has to be merged anew; without such kinds it only writes floats.  May be called while
 * mounted, between steps.
 *
 * Fails: NO_MEMORY: the stack is then as before for its low-rank part and must be set again
 */
bool adapter_stack_set (AdapterStack *stack, const AdapterStrength *strengths, Status *status);

/* The model's weights are the adapted ones until adapter_stack_unmount. */
void adapter_stack_mount (AdapterStack *stack);
void adapter_stack_unmount (AdapterStack *stack);

/* Bytes of side paths and widened weights and, when they are all made, of merged copies. */
int64_t adapter_stack_side_bytes (const AdapterStack *stack);
int64_t adapter_stack_merged_bytes (const AdapterStack *stack);
int adapter_stack_side_count (const AdapterStack *stack); /* layers with a side path */
/* Whether adapter_stack_set changes parameters where they lie, of which a device may have copies.
 */
bool adapter_stack_changes_parameters (const AdapterStack *stack);
bool adapter_stack_touches_text (const AdapterStack *stack);
/* Whether it changes a weight whose name @func knows. */
bool adapter_stack_touches (const AdapterStack *stack, bool (*func) (const char *name));
