/* SPDX-License-Identifier: MPL-2.0
 * safetensors.h - the safetensors container: a JSON header, then the tensors' bytes.
 */
#pragma once

#include "weights/tensor-table.h"

/* Eight bytes of length, then a '{': true also for files with a wrong extension. */
bool safetensors_sniff (const void *data, size_t size);

/* safetensors_parse:
 * @data, @size: the whole file; must outlive the table's tensors
 * @label: the file's name, for messages
 *
 * Checks every length and offset before it is used; holes and overlaps between tensors are
 * tolerated, as other readers do.  Touches header pages only.
 *
 * Fails: FORMAT, UNSUPPORTED (header over 100 MB), NO_MEMORY
 */
bool safetensors_parse (
    TensorTable *table, const void *data, size_t size, const char *label, Status *status);
