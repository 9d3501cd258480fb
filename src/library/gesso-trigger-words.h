/* SPDX-License-Identifier: MPL-2.0
 * gesso-trigger-words.h - the words that a LoRA was trained on.
 */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

/* gesso_trigger_words_read:
 * @path: a LoRA's file; any thread
 *
 * Its author's own words, else the most frequent tags of the captions it was trained with.  Reads
 * the header only.
 *
 * Returns: (transfer full) (nullable): words with commas between them; NULL when the file says none
 */
char *gesso_trigger_words_read (const char *path);

G_END_DECLS
