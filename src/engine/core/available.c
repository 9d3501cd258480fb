/* SPDX-License-Identifier: MPL-2.0
 * available.c - /proc/meminfo, and memory.max of the control groups from ours up to the root.
 *
 * Source: Linux, Documentation/admin-guide/cgroup-v2.rst, "Memory Interface Files".
 */
#include "core/available.h"

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum
{
  PATH_SIZE = 4096,
  LINE_SIZE = 4096
};

/* The number behind @name at the begin of a line.  Returns: @otherwise where there is none */
static unsigned long long
read_number (const char *path, const char *name, unsigned long long otherwise)
{
  char line[LINE_SIZE], *end = NULL;
  size_t n = strlen (name);
  FILE *f = fopen (path, "re");
  while (f && !end && fgets (line, sizeof line, f))
    if (strncmp (line, name, n) == 0)
      {
        unsigned long long number = strtoull (line + n, &end, 10);
        otherwise = end > line + n ? number : otherwise;
      }
  if (f)
    fclose (f);
  return otherwise;
}

static unsigned long long
group_number (const char *root,
              const char *group,
              const char *file,
              const char *name,
              unsigned long long otherwise)
{
  char path[3 * PATH_SIZE];
  snprintf (path, sizeof path, "%s/sys/fs/cgroup%s/%s", root, group, file);
  return read_number (path, name, otherwise);
}

/* "max" is no number. */
static unsigned long long
room_in_group (const char *root, const char *group)
{
  unsigned long long max = group_number (root, group, "memory.max", "", ULLONG_MAX);
  unsigned long long high = group_number (root, group, "memory.high", "", ULLONG_MAX);
  unsigned long long limit = max < high ? max : high;
  if (limit == ULLONG_MAX)
    return limit;
  unsigned long long used = group_number (root, group, "memory.current", "", 0);
  unsigned long long idle = group_number (root, group, "memory.stat", "inactive_file ", 0);
  used -= idle < used ? idle : used;
  return limit > used ? limit - used : 0;
}

/* The group of the unified hierarchy, "/" for the root or none. */
static void
own_group (const char *root, char group[PATH_SIZE])
{
  char path[PATH_SIZE], line[LINE_SIZE];
  snprintf (path, sizeof path, "%s/proc/self/cgroup", root);
  snprintf (group, PATH_SIZE, "/");
  FILE *f = fopen (path, "re");
  while (f && fgets (line, sizeof line, f))
    if (strncmp (line, "0::/", 4) == 0)
      {
        line[strcspn (line, "\n")] = '\0';
        snprintf (group, PATH_SIZE, "%s", line + 3);
      }
  if (f)
    fclose (f);
}

static unsigned long long
room_in_groups (const char *root)
{
  char group[PATH_SIZE];
  unsigned long long least = ULLONG_MAX;
  own_group (root, group);
  for (char *slash = group; slash;)
    {
      unsigned long long room = room_in_group (root, group);
      least = room < least ? room : least;
      if ((slash = strrchr (group, '/')))
        *slash = '\0';
    }
  return least;
}

size_t
available_bytes_in (const char *root)
{
  char path[PATH_SIZE];
  snprintf (path, sizeof path, "%s/proc/meminfo", root);
  unsigned long long machine = read_number (path, "MemAvailable:", 0) << 10;
  unsigned long long groups = room_in_groups (root);
  unsigned long long least = machine > 0 && machine < groups ? machine : groups;
  if (least == ULLONG_MAX)
    return 0;
  return least == 0 ? 1 : least < SIZE_MAX ? (size_t) least : SIZE_MAX;
}

size_t
available_bytes (void)
{
  return available_bytes_in ("");
}
