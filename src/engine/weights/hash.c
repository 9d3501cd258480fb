/* SPDX-License-Identifier: MPL-2.0
 * hash.c - SHA-256 of a file, read in pieces so that the page cache is not filled twice.
 */
#define _GNU_SOURCE
#include "weights/hash.h"

#include <errno.h>
#include <fcntl.h>
#include <nettle/sha2.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/mem.h"
#include "weights/mapped.h"
#include "weights/pool.h"

enum
{
  PIECE_BYTES = 4 << 20
};

typedef struct
{
  int fd;
  const char *path;
  uint8_t *buffer;
  HashProgress progress;
  void *data;
  int64_t total;
  Status *status;
} Hasher;

static bool
hash_pieces (Hasher *h, struct sha256_ctx *sha)
{
  int64_t done = 0;
  for (;;)
    {
      ssize_t n = read (h->fd, h->buffer, PIECE_BYTES);
      if (n < 0 && errno == EINTR)
        continue;
      if (n < 0)
        return fail_errno (h->status, errno, STATUS_MARK ("read"), h->path);
      if (n == 0)
        return true;
      sha256_update (sha, (size_t) n, h->buffer);
      done += n;
      if (h->progress && !h->progress (h->data, done, h->total))
        return status_fail (h->status, STATUS_CANCELLED, "Hashing \"%s\" was cancelled.", h->path);
    }
}

static bool
hash_fd (Hasher *h, char hex[SHA256_HEX_SIZE])
{
  struct stat info;
  if (fstat (h->fd, &info) != 0)
    return fail_errno (h->status, errno, STATUS_MARK ("read"), h->path);
  h->total = info.st_size;
  h->buffer = mem_calloc (PIECE_BYTES, 1);
  if (!h->buffer)
    return out_of_memory (h->status);
  struct sha256_ctx sha;
  sha256_init (&sha);
  bool ok = hash_pieces (h, &sha);
  mem_free (h->buffer);
  uint8_t digest[SHA256_DIGEST_SIZE];
  sha256_digest (&sha, sizeof digest, digest);
  for (size_t i = 0; ok && i < sizeof digest; i++)
    snprintf (hex + 2 * i, 3, "%02x", digest[i]);
  return ok;
}

bool
file_sha256_from (const char *path,
                  int64_t from,
                  char hex[SHA256_HEX_SIZE],
                  HashProgress progress,
                  void *data,
                  Status *status)
{
  hex[0] = 0;
  int fd = open (path, O_RDONLY | O_CLOEXEC);
  if (fd < 0)
    return fail_errno (status, errno, STATUS_MARK ("open"), path);
  Hasher h = { .fd = fd, .path = path, .progress = progress, .data = data, .status = status };
  bool ok = (from == 0 || lseek (fd, from, SEEK_SET) == from ||
             fail_errno (status, errno, "read", path)) &&
            hash_fd (&h, hex);
  close (fd);
  return ok;
}

bool
file_sha256 (
    const char *path, char hex[SHA256_HEX_SIZE], HashProgress progress, void *data, Status *status)
{
  return file_sha256_from (path, 0, hex, progress, data, status);
}
