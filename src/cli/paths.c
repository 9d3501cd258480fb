/* SPDX-License-Identifier: MPL-2.0
 * paths.c - where the user's pictures go, by XDG's rules.
 */
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/cli.h"

static bool
too_long (Status *status)
{
  return status_fail (status, STATUS_ARGUMENT, "A path is longer than %d bytes: use a shorter one.",
                      CLI_PATH_SIZE - 1);
}

static bool
join (char out[CLI_PATH_SIZE], const char *dir, const char *name, Status *status)
{
  int n = snprintf (out, CLI_PATH_SIZE, "%s/%s", dir, name);
  return (n >= 0 && n < CLI_PATH_SIZE) || too_long (status);
}

static const char *
home_dir (void)
{
  const char *home = getenv ("HOME");
  if (home && *home)
    return home;
  const struct passwd *pw = getpwuid (getuid ());
  return pw && pw->pw_dir ? pw->pw_dir : ".";
}

/* Reads XDG_PICTURES_DIR="$HOME/Pictures" from user-dirs.dirs; false when it is not set there. */
static bool
pictures_from_user_dirs (char out[CLI_PATH_SIZE])
{
  char path[CLI_PATH_SIZE], line[CLI_PATH_SIZE];
  const char *config = getenv ("XDG_CONFIG_HOME");
  int n = config && *config
              ? snprintf (path, sizeof path, "%s/user-dirs.dirs", config)
              : snprintf (path, sizeof path, "%s/.config/user-dirs.dirs", home_dir ());
  FILE *f = n < CLI_PATH_SIZE ? fopen (path, "r") : NULL;
  bool found = false;
  static const char key[] = "XDG_PICTURES_DIR=\"";
  while (f && fgets (line, sizeof line, f))
    {
      if (strncmp (line, key, sizeof key - 1) != 0)
        continue;
      char *value = line + sizeof key - 1, *end = strchr (value, '"');
      if (!end)
        continue;
      *end = '\0';
      static const char home[] = "$HOME";
      bool relative = !strncmp (value, home, sizeof home - 1);
      n = relative ? snprintf (out, CLI_PATH_SIZE, "%s%s", home_dir (), value + sizeof home - 1)
                   : snprintf (out, CLI_PATH_SIZE, "%s", value);
      found = n < CLI_PATH_SIZE && *out == '/';
    }
  if (f)
    fclose (f);
  return found;
}

bool
path_pictures_dir (char out[CLI_PATH_SIZE], Status *status)
{
  char pictures[CLI_PATH_SIZE];
  if (!pictures_from_user_dirs (pictures) && !join (pictures, home_dir (), "Pictures", status))
    return false;
  return join (out, pictures, "Gesso", status) && path_make_dirs (out, status);
}
