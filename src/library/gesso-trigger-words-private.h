/* SPDX-License-Identifier: MPL-2.0
 * gesso-trigger-words-private.h - the words of a LoRA whose header is read already.
 */
#pragma once

#include <glib.h>

#include "weights/tensor-table.h"

G_BEGIN_DECLS

/* As gesso_trigger_words_read; @label: the file's name */
char *gesso_trigger_words_of (const TensorTable *table, const char *label);

G_END_DECLS
