/* SPDX-License-Identifier: MPL-2.0
 * loading.c - a model's weights, read from the disk while its first job begins.
 *
 * Networks are used one after the other, so they are read in that order: while the prompt is
 * encoded the denoising network comes, and on a card each copy finds its pages there.  Weights that
 * the system has in memory cost next to nothing.
 */
#include <string.h>

#include "pipelines/pipeline-private.h"
#include "weights/prefetch.h"
#include "weights/weight-set.h"

/* Smaller models are there before a thread has begun. */
static const int64_t SMALLEST_BYTES = 64 << 20;

static bool
is_large (const WeightSet *set)
{
  int64_t n_bytes = 0;
  for (size_t i = 0; i < set->n_items && n_bytes < SMALLEST_BYTES; i++)
    n_bytes += weight_bytes (set->items[i]);
  return n_bytes >= SMALLEST_BYTES;
}

void
pipeline_start_loading (Pipeline *pipeline)
{
  static const char *const order[] = { "text_encoder", "image_encoder.", "unet.",
                                       "transformer.", "vae.",           NULL };
  const WeightSet *set = pipeline->checkpoint->weights;
  bool computes = !pipeline->header_only && strcmp (pipeline->backend->name, "null") != 0;
  if (pipeline->was_loaded || !computes || !is_large (set))
    return;
  pipeline->was_loaded = true;
  pipeline->loading = prefetch_start (set, order, prefetch_room (set, NULL));
}

void
pipeline_end_loading (Pipeline *pipeline)
{
  prefetch_stop (pipeline->loading);
  pipeline->loading = NULL;
}
