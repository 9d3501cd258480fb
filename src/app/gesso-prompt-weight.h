/* SPDX-License-Identifier: MPL-2.0
 * gesso-prompt-weight.h - (words:1.1) around the selection or the word at the cursor.
 */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

/* gesso_prompt_weight:
 * @start, @end: selection in characters, equal for a bare cursor; receive the words' new place
 * @delta: what the weight changes by, 0.1 or -0.1
 *
 * A cursor or selection that fills (words:1.2) changes its number; at 1 the brackets go.
 * Returns: the new text, the caller's to g_free; NULL when there is no word at the cursor
 */
char *gesso_prompt_weight (const char *text, int *start, int *end, double delta);

G_END_DECLS
