/* SPDX-License-Identifier: MPL-2.0
 * hash.h - the hash by which recipes name a model file.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "core/status.h"

enum
{
  SHA256_HEX_SIZE = 65
};

/* Called now and then; returns false to cancel. */
typedef bool (*HashProgress) (void *data, int64_t done_bytes, int64_t total_bytes);

/* file_sha256:
 * @hex: receives 64 lower-case digits; the first ten are A1111's "AutoV2" model hash
 * @progress: NULL, or asked after every few megabytes
 *
 * Fails: NOT_FOUND, IO, CANCELLED, NO_MEMORY
 */
bool file_sha256 (
    const char *path, char hex[SHA256_HEX_SIZE], HashProgress progress, void *data, Status *status);

/* The same of a file's bytes from @from on. */
bool file_sha256_from (const char *path,
                       int64_t from,
                       char hex[SHA256_HEX_SIZE],
                       HashProgress progress,
                       void *data,
                       Status *status);
