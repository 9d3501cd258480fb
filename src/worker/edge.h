/* SPDX-License-Identifier: MPL-2.0
 * edge.h - the one place where the engine's Status becomes what the other process reads.
 */
#pragma once

#include "core/status.h"
#include "ipc/errors.h"

/* edge_error:
 * @status: a failure
 *
 * Returns: (transfer full): in the domain GESSO_IPC_ERROR; its message is the status's sentence in
 * valid UTF-8, since it may quote names of files
 */
GError *edge_error (const Status *status);

/* Returns: (transfer full): @text, with what is not UTF-8 or a control character replaced */
char *edge_sentence (const char *text);
