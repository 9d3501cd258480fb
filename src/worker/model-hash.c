/* SPDX-License-Identifier: MPL-2.0
 * model-hash.c - lines "HASH SIZE SECONDS.NANOSECONDS PATH", appended to; the last one counts.
 */
#include "worker/model-hash.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "weights/hash.h"
#include "worker/paths.h"

typedef struct
{
  char path[GESSO_PATH_SIZE]; /* absolute */
  long long size, seconds;
  long nanoseconds;
} FileIdentity;

static bool
identify (const char *path, FileIdentity *id)
{
  struct stat st;
  char *resolved = realpath (path, NULL);
  bool ok = resolved && strlen (resolved) < GESSO_PATH_SIZE && stat (resolved, &st) == 0 &&
            S_ISREG (st.st_mode);
  if (ok)
    {
      snprintf (id->path, sizeof id->path, "%s", resolved);
      id->size = (long long) st.st_size;
      id->seconds = (long long) st.st_mtim.tv_sec;
      id->nanoseconds = st.st_mtim.tv_nsec;
    }
  (free) (resolved); /* realpath's memory is the C library's */
  return ok;
}

static bool
cache_file (char out[GESSO_PATH_SIZE], bool make)
{
  char dir[GESSO_PATH_SIZE];
  Status ignored = { 0 };
  const char *cache = getenv ("XDG_CACHE_HOME"), *home = getenv ("HOME");
  int n = cache && *cache ? snprintf (dir, sizeof dir, "%s/gesso", cache)
                          : snprintf (dir, sizeof dir, "%s/.cache/gesso", home ? home : "");
  if (n >= GESSO_PATH_SIZE || (make && !path_make_dirs (dir, &ignored)))
    return false;
  return snprintf (out, GESSO_PATH_SIZE, "%s/hashes", dir) < GESSO_PATH_SIZE;
}

static bool
remembered (const FileIdentity *id, char out[MODEL_HASH_SIZE])
{
  char path[GESSO_PATH_SIZE], line[GESSO_PATH_SIZE + 256], hash[MODEL_HASH_SIZE];
  FILE *f = cache_file (path, false) ? fopen (path, "r") : NULL;
  bool found = false;
  while (f && fgets (line, sizeof line, f))
    {
      long long size, seconds;
      long nanoseconds;
      int at = 0;
      line[strcspn (line, "\n")] = '\0';
      if (sscanf (line, "%64[0-9a-f] %lld %lld.%ld %n", hash, &size, &seconds, &nanoseconds, &at) ==
              4 &&
          at > 0 && strlen (hash) == MODEL_HASH_SIZE - 1 && size == id->size &&
          seconds == id->seconds && nanoseconds == id->nanoseconds && !strcmp (line + at, id->path))
        {
          memcpy (out, hash, MODEL_HASH_SIZE);
          found = true;
        }
    }
  if (f)
    fclose (f);
  return found;
}

/* One write a line, so that two programs may add theirs at the same time. */
static void
remember (const FileIdentity *id, const char *hash)
{
  char path[GESSO_PATH_SIZE], line[GESSO_PATH_SIZE + 256];
  if (strchr (id->path, '\n') || !cache_file (path, true))
    return;
  int fd = open (path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0666);
  if (fd < 0)
    return;
  int n = snprintf (line, sizeof line, "%s %lld %lld.%ld %s\n", hash, id->size, id->seconds,
                    id->nanoseconds, id->path);
  ssize_t written = write (fd, line, (size_t) n);
  (void) written; /* half a line is not taken for a hash */
  close (fd);
}

static bool
go_on (void *data, int64_t done, int64_t total)
{
  const atomic_bool *cancel = data;
  (void) done;
  (void) total;
  return !cancel || !atomic_load (cancel);
}

static bool
hash_from (const char *path,
           const char *mark,
           int64_t from,
           char out[MODEL_HASH_SIZE],
           const atomic_bool *cancel,
           Status *status)
{
  FileIdentity id;
  char marked[GESSO_PATH_SIZE];
  *out = '\0';
  if (!identify (path, &id))
    return true;
  FileIdentity named = id;
  if (snprintf (marked, sizeof marked, "%s%s", mark, id.path) >= GESSO_PATH_SIZE)
    return true;
  memcpy (named.path, marked, sizeof marked);
  if (remembered (&named, out))
    return true;
  if (!file_sha256_from (id.path, from, out, go_on, (void *) cancel, status))
    return false;
  remember (&named, out);
  return true;
}

bool
model_hash (const char *path, char out[MODEL_HASH_SIZE], const atomic_bool *cancel, Status *status)
{
  return hash_from (path, "", 0, out, cancel, status);
}

/* Bytes in front of a safetensors file's tensors; 0 for other files. */
static int64_t
header_bytes (const char *path)
{
  unsigned char head[9];
  FILE *f = fopen (path, "rb");
  size_t n = f ? fread (head, 1, sizeof head, f) : 0;
  if (f)
    fclose (f);
  int64_t length = 0;
  for (int i = 7; n == sizeof head && i >= 0; i--)
    length = length << 8 | head[i];
  return n == sizeof head && head[8] == '{' && length > 0 ? length + 8 : 0;
}

bool
model_tensors_hash (const char *path,
                    char out[MODEL_HASH_SIZE],
                    const atomic_bool *cancel,
                    Status *status)
{
  int64_t from = header_bytes (path);
  return from ? hash_from (path, "tensors:", from, out, cancel, status)
              : model_hash (path, out, cancel, status);
}
