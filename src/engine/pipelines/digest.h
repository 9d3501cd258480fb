/* SPDX-License-Identifier: MPL-2.0
 * digest.h - 64 bits that tell inputs apart: FNV-1a (Fowler, Noll, Vo).
 *
 * Against accidents, not against attackers.  Every step is invertible, so that a single changed
 * byte always changes the digest.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <string.h>

static const uint64_t DIGEST_START = 0xcbf29ce484222325u;

static inline uint64_t
digest_bytes (uint64_t digest, const void *data, size_t n_bytes)
{
  const unsigned char *p = data;
  for (size_t i = 0; i < n_bytes; i++)
    digest = (digest ^ p[i]) * 0x100000001b3u;
  return digest;
}

static inline uint64_t
digest_int (uint64_t digest, int64_t value)
{
  return digest_bytes (digest, &value, sizeof value);
}

static inline uint64_t
digest_real (uint64_t digest, double value)
{
  return digest_bytes (digest, &value, sizeof value);
}

/* With its end, so that "a" and "b" differ from "ab" and "". */
static inline uint64_t
digest_text (uint64_t digest, const char *text)
{
  return digest_bytes (digest, text, strlen (text) + 1);
}
