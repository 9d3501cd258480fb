/* SPDX-License-Identifier: MPL-2.0
 * model-hash.c - lines "HASH SIZE SECONDS.NANOSECONDS PATH", appended to; the last one counts.
 */
#include "cli/model-hash.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "weights/hash.h"

typedef struct
{
  char path[CLI_PATH_SIZE]; /* absolute */
  long long size, seconds;
  long nanoseconds;
} FileIdentity;

static bool
identify (const char *path, FileIdentity *id)
{
  struct stat st;
  char *resolved = realpath (path, NULL);
  bool ok = resolved && strlen (resolved) < CLI_PATH_SIZE && stat (resolved, &st) == 0 &&
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
cache_file (char out[CLI_PATH_SIZE], bool make)
{
  char dir[CLI_PATH_SIZE];
  Status ignored = { 0 };
  const char *cache = getenv ("XDG_CACHE_HOME"), *home = getenv ("HOME");
  int n = cache && *cache ? snprintf (dir, sizeof dir, "%s/gesso", cache)
                          : snprintf (dir, sizeof dir, "%s/.cache/gesso", home ? home : "");
  if (n >= CLI_PATH_SIZE || (make && !path_make_dirs (dir, &ignored)))
    return false;
  return snprintf (out, CLI_PATH_SIZE, "%s/hashes", dir) < CLI_PATH_SIZE;
}

static bool
remembered (const FileIdentity *id, char out[MODEL_HASH_SIZE])
{
  char path[CLI_PATH_SIZE], line[CLI_PATH_SIZE + 256], hash[MODEL_HASH_SIZE];
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

static void
remember (const FileIdentity *id, const char *hash)
{
  char path[CLI_PATH_SIZE];
  FILE *f = !strchr (id->path, '\n') && cache_file (path, true) ? fopen (path, "a") : NULL;
  if (!f)
    return;
  fprintf (f, "%s %lld %lld.%ld %s\n", hash, id->size, id->seconds, id->nanoseconds, id->path);
  fclose (f);
}

static bool
go_on (void *data, int64_t done, int64_t total)
{
  (void) data;
  (void) done;
  (void) total;
  return !atomic_load (&cli_cancel);
}

bool
model_hash (const char *path, char out[MODEL_HASH_SIZE], Status *status)
{
  FileIdentity id;
  *out = '\0';
  if (!identify (path, &id) || remembered (&id, out))
    return true;
  if (!file_sha256 (id.path, out, go_on, NULL, status))
    return false;
  remember (&id, out);
  return true;
}
