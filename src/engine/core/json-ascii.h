/* SPDX-License-Identifier: MPL-2.0
 * json-ascii.h - JSON with every character beyond ASCII written as \uXXXX.
 *
 * json-c 0.18 in strict mode refuses any string that holds such a character (its issue 892);
 * written this way every version reads the same.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

/* json_ascii:
 * @text: @n_bytes of JSON, need not be terminated
 * @n_out: receives the copy's length
 * @invalid_at: receives where @text stops being UTF-8, or @n_bytes
 *
 * Returns: the copy, terminated, the caller's to mem_free; NULL when @text is not UTF-8
 * (@invalid_at < @n_bytes) or memory ran out
 */
char *json_ascii (const char *text, size_t n_bytes, size_t *n_out, size_t *invalid_at);
