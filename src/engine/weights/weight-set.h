/* SPDX-License-Identifier: MPL-2.0
 * weight-set.h - how this folder fills a WeightSet; models see weights.h only.
 */
#pragma once

#include "weights/mapped.h"
#include "weights/name-index.h"
#include "weights/pool.h"
#include "weights/weights.h"

struct WeightSet
{
  Pool pool; /* names, owned tensor data, and whatever a checkpoint's parser keeps */
  bool is_declared, is_out_of_memory;
  Weight **items; /* in the pool: they stay where they are when the set grows */
  size_t n_items, capacity;
  NameIndex index;
  char **problems; /* in the pool */
  size_t n_problems, problem_capacity;
  MappedFile *files; /* owned */
  size_t n_files, file_capacity;
  WeightSet *absorbed; /* sets whose weights live here now; owned for their memory */
};

WeightSet *weights_new (Status *status);

/* Maps a file that lives as long as @set.  Returns: its position in files, -1 and @status set */
int weights_map_file (WeightSet *set, const char *path, Status *status);

/* A copy of @weight, whose name must live in the pool.  Returns: NULL and STATUS_NO_MEMORY, or
 * STATUS_FORMAT when the name is taken */
Weight *weights_add (WeightSet *set, const Weight *weight, Status *status);

/* Moves @from's weights into @set, where all that were under @prefix are forgotten first.  Takes
 * ownership of @from; on failure @set is as it was and @from is freed. */
bool weights_absorb (WeightSet *set, WeightSet *from, const char *prefix, Status *status);
