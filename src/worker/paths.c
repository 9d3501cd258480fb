/* SPDX-License-Identifier: MPL-2.0
 * paths.c - where the program's own files are.
 */
#include "worker/paths.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static bool
too_long (Status *status)
{
  return status_fail (status, STATUS_ARGUMENT, "A path is longer than %d bytes: use a shorter one.",
                      GESSO_PATH_SIZE - 1);
}

static bool
join (char out[GESSO_PATH_SIZE], const char *dir, const char *name, Status *status)
{
  int n = snprintf (out, GESSO_PATH_SIZE, "%s/%s", dir, name);
  return (n >= 0 && n < GESSO_PATH_SIZE) || too_long (status);
}

/* @out: receives the folder of the running program */
static bool
program_dir (char out[GESSO_PATH_SIZE], Status *status)
{
  ssize_t n = readlink ("/proc/self/exe", out, GESSO_PATH_SIZE - 1);
  if (n <= 0)
    return status_fail (status, STATUS_IO, "The program cannot find itself: is /proc mounted?");
  out[n] = '\0';
  *strrchr (out, '/') = '\0';
  return true;
}

/* Both layouts are found from the program itself, so that an installation can be moved. */
bool
path_data_dir (char out[GESSO_PATH_SIZE], Status *status)
{
  const char *override = getenv ("GESSO_DATA");
  if (override && *override)
    return snprintf (out, GESSO_PATH_SIZE, "%s", override) < GESSO_PATH_SIZE || too_long (status);
  char exe[GESSO_PATH_SIZE];
  if (!program_dir (exe, status))
    return false;
  static const char *const relative[] = { "../share/gesso", "../../../data" };
  char probe[GESSO_PATH_SIZE + 16];
  for (size_t i = 0; i < sizeof relative / sizeof *relative; i++)
    {
      if (!join (out, exe, relative[i], status))
        return false;
      snprintf (probe, sizeof probe, "%s/tokenizers", out);
      if (access (probe, R_OK) == 0)
        return true;
    }
  return status_fail (
      status, STATUS_NOT_FOUND,
      "The program's data is missing: reinstall Gesso, or set GESSO_DATA to its data "
      "folder.");
}

void
path_locale_dir (char out[GESSO_PATH_SIZE], const char *installed)
{
  static const char *const relative[] = { "../share/locale", "../../po" };
  char exe[GESSO_PATH_SIZE], probe[GESSO_PATH_SIZE + 32];
  Status status = { 0 };
  bool known = program_dir (exe, &status);
  for (size_t i = 0; known && i < sizeof relative / sizeof *relative; i++)
    {
      known = join (out, exe, relative[i], &status);
      /* any language will do: all of them are built and installed together */
      snprintf (probe, sizeof probe, "%s/de/LC_MESSAGES/gesso.mo", known ? out : "");
      if (known && access (probe, R_OK) == 0)
        return;
    }
  snprintf (out, GESSO_PATH_SIZE, "%s", installed);
}

bool
path_make_dirs (const char *dir, Status *status)
{
  char partial[GESSO_PATH_SIZE];
  if (snprintf (partial, sizeof partial, "%s", dir) >= GESSO_PATH_SIZE)
    return too_long (status);
  for (char *p = partial + 1;; p++)
    if (*p == '/' || *p == '\0')
      {
        char end = *p;
        *p = '\0';
        if (mkdir (partial, 0777) != 0 && errno != EEXIST)
          return status_fail (status, STATUS_IO, "The folder %s could not be made: %s.", partial,
                              strerror (errno));
        if (end == '\0')
          return true;
        *p = end;
      }
}
