/* SPDX-License-Identifier: MPL-2.0
 * pickle-torch.h - the few callables in torch's pickles that describe tensors.
 */
#pragma once

#include "weights/pickle-machine.h"

/* pickle_torch_call:
 * @callable: what REDUCE would call, usually a global
 * @args: its argument tuple
 *
 * Understands OrderedDict and its like, torch's rebuild functions and torch.Size; whatever else is
 * called gives an opaque value.  Nothing is executed.
 *
 * Returns: in @pool; NULL and @status set (FORMAT when a tensor's description makes no sense)
 */
PickleValue *pickle_torch_call (
    Pool *pool, PickleValue *callable, PickleValue *args, const char *label, Status *status);

/* The storage that a persistent id ("storage", class, key, device, n_elements[, view]) names. */
PickleValue *
pickle_torch_storage (Pool *pool, const PickleValue *id, const char *label, Status *status);
