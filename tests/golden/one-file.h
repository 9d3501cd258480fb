/* SPDX-License-Identifier: MPL-2.0
 * one-file.h - an all-in-one checkpoint whose two vocabularies are too large to be kept in full.
 */
#pragma once

#include <stdbool.h>

#include "core/status.h"

/* one_file_write:
 * @fixture: a safetensors file in which a table NAME has only some rows; NAME.rows holds how many
 *   there are in all, then the numbers of those
 *
 * Writes @path with whole tables, as holes but for those rows.
 */
bool one_file_write (const char *fixture, const char *path, Status *status);
