/* SPDX-License-Identifier: MPL-2.0
 * quantised.h - brings together what quantised files keep apart: numbers, scales, codes, markers.
 */
#pragma once

#include "weights/tensor-table.h"

/* quantised_resolve:
 * @label: the file's name, for messages
 *
 * Gives scaled fp8 weights and bitsandbytes' 4-bit weights their ParamQuant and logical shape, and
 * marks the tensors that they are made of as companions.  Arrays stay where they are, but for the
 * scales of fp8, which become f32 in the table's pool.
 *
 * Fails: UNSUPPORTED (a storage format that is known by name only), FORMAT (parts that are missing
 * or do not fit), NO_MEMORY
 */
bool quantised_resolve (TensorTable *table, const char *label, Status *status);
