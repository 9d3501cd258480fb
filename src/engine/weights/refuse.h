/* SPDX-License-Identifier: MPL-2.0
 * refuse.h - names what a file is when it is not a model that this version can run.
 */
#pragma once

#include "weights/tensor-table.h"

/* By its first bytes: a web page saved instead of a model, a picture.  False and @status set
 * when it is one of those. */
bool refuse_container (const void *data, size_t size, const char *label, Status *status);

/* By tensor names: adapters, ControlNets, other families.  False and @status set
 * when it is one of those. */
bool refuse_known (const TensorTable *table, const char *label, Status *status);

/* For a file in which no known part was found: always false, with the best sentence there is. */
bool refuse_rest (const TensorTable *table, const char *label, Status *status);
