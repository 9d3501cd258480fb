/* SPDX-License-Identifier: MPL-2.0
 * pickle.h - torch.save files: the ZIP container and the older one of pickles in a row.
 */
#pragma once

#include "weights/tensor-table.h"

typedef enum
{
  PICKLE_NOT,
  PICKLE_ZIP,
  PICKLE_LEGACY /* before torch 1.6 */
} PickleContainer;

PickleContainer pickle_sniff (const void *data, size_t size);

/* pickle_parse:
 * @data, @size: the whole file; must outlive the table's tensors
 * @header_only: describe tensors but touch none of their bytes: their data is NULL
 * @label: the file's name, for messages
 *
 * Finds the state dict in what the file holds.  Tensors whose strides are not those of a plain
 * array are copied into the table's pool; everything else stays where it is.
 *
 * Fails: FORMAT, UNSUPPORTED, NO_MEMORY
 */
bool pickle_parse (TensorTable *table,
                   const void *data,
                   size_t size,
                   bool header_only,
                   const char *label,
                   Status *status);
