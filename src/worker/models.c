/* SPDX-License-Identifier: MPL-2.0
 * models.c - finding models by name.
 *
 * Models stay where the user keeps them: the program's own folder, $XDG_DATA_HOME/gesso/models, the
 * folders that the window searches (listed in $XDG_DATA_HOME/gesso/folders, or in the file that
 * GESSO_FOLDERS names: a window with data of its own has a list of its own) and those in
 * GESSO_MODELS (colon-separated: ComfyUI's models/checkpoints, Forge's models/Stable-diffusion,
 * ...) are searched, two levels deep.
 */
#include "worker/models.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/mem.h"
#include "weights/folder-wan.h"

enum
{
  MAX_FOLDERS = 64,
  SEARCH_DEPTH = 2
};

typedef struct
{
  char paths[MAX_FOLDERS][GESSO_PATH_SIZE];
  int n;
} Folders;

static void
add_folder (Folders *f, const char *path)
{
  if (f->n < MAX_FOLDERS && access (path, R_OK) == 0)
    snprintf (f->paths[f->n++], GESSO_PATH_SIZE, "%s", path);
}

static FILE *
open_folder_list (void)
{
  char path[GESSO_PATH_SIZE];
  const char *own = getenv ("GESSO_FOLDERS"), *xdg = getenv ("XDG_DATA_HOME");
  const char *home = getenv ("HOME");
  int n = own && *own ? snprintf (path, sizeof path, "%s", own)
          : xdg && *xdg
              ? snprintf (path, sizeof path, "%s/gesso/folders", xdg)
              : snprintf (path, sizeof path, "%s/.local/share/gesso/folders", home ? home : "");
  return n < GESSO_PATH_SIZE ? fopen (path, "re") : NULL;
}

/* What the window's library searches, which it writes down for others. */
static void
add_window_folders (Folders *f)
{
  char line[GESSO_PATH_SIZE];
  FILE *file = open_folder_list ();
  while (file && fgets (line, sizeof line, file))
    {
      line[strcspn (line, "\n")] = '\0';
      if (line[0] == '/')
        add_folder (f, line);
    }
  if (file)
    fclose (file);
}

static void
find_folders (Folders *f)
{
  char path[GESSO_PATH_SIZE + 32];
  char data[GESSO_PATH_SIZE];
  Status ignored = { 0 };
  f->n = 0;
  if (path_data_dir (data, &ignored))
    {
      snprintf (path, sizeof path, "%s/models", data);
      add_folder (f, path);
    }
  const char *xdg = getenv ("XDG_DATA_HOME"), *home = getenv ("HOME");
  if (xdg && *xdg)
    snprintf (path, sizeof path, "%s/gesso/models", xdg);
  else
    snprintf (path, sizeof path, "%s/.local/share/gesso/models", home ? home : "");
  add_folder (f, path);
  add_window_folders (f);
  const char *list = getenv ("GESSO_MODELS");
  while (list && *list)
    {
      size_t n = strcspn (list, ":");
      if (n > 0 && n < GESSO_PATH_SIZE)
        {
          snprintf (path, sizeof path, "%.*s", (int) n, list);
          add_folder (f, path);
        }
      list += n + (list[n] == ':');
    }
}

static bool
is_folder (const char *path)
{
  struct stat st;
  return stat (path, &st) == 0 && S_ISDIR (st.st_mode);
}

static bool
is_model_folder (const char *path)
{
  char index[GESSO_PATH_SIZE + 32];
  snprintf (index, sizeof index, "%s/model_index.json", path);
  return access (index, R_OK) == 0 || folder_is_wan (path);
}

static bool
has_model_extension (const char *name)
{
  static const char *const extensions[] = {
    ".safetensors", ".sft", ".gguf", ".ckpt", ".pt", ".pth"
  };
  size_t n = strlen (name);
  for (size_t i = 0; i < sizeof extensions / sizeof *extensions; i++)
    {
      size_t e = strlen (extensions[i]);
      if (n > e && !strcmp (name + n - e, extensions[i]))
        return true;
    }
  return false;
}

static bool
walk (const char *dir, int depth, ModelFunc func, void *data)
{
  struct dirent **entries;
  int n = scandir (dir, &entries, NULL, alphasort);
  bool go_on = true;
  for (int i = 0; i < n; i++)
    {
      const char *name = entries[i]->d_name;
      char path[GESSO_PATH_SIZE];
      bool fits = snprintf (path, sizeof path, "%s/%s", dir, name) < GESSO_PATH_SIZE;
      if (go_on && fits && name[0] != '.')
        {
          if (is_model_folder (path) || (!is_folder (path) && has_model_extension (name)))
            go_on = func (data, path, name);
          else if (depth > 1 && is_folder (path))
            go_on = walk (path, depth - 1, func, data);
        }
      (free) (entries[i]); /* scandir's memory is the C library's */
    }
  if (n >= 0)
    (free) (entries);
  return go_on;
}

void
models_walk (ModelFunc func, void *data)
{
  Folders *folders = mem_calloc (1, sizeof *folders); /* too large for the stack */
  if (folders)
    find_folders (folders);
  for (int i = 0; folders && i < folders->n; i++)
    if (!walk (folders->paths[i], SEARCH_DEPTH, func, data))
      break;
  mem_free (folders);
}

void
model_folders_walk (bool (*func) (void *data, const char *path), void *data)
{
  Folders *folders = mem_calloc (1, sizeof *folders);
  if (folders)
    find_folders (folders);
  for (int i = 0; folders && i < folders->n; i++)
    if (!func (data, folders->paths[i]))
      break;
  mem_free (folders);
}

typedef struct
{
  const char *wanted;
  char *out;
  bool found;
} Search;

/* The name with or without its extension. */
static bool
match (void *data, const char *path, const char *name)
{
  Search *s = data;
  size_t n = strlen (s->wanted);
  if (strncmp (name, s->wanted, n) != 0 || (name[n] != '\0' && !has_model_extension (name + n - 1)))
    return true;
  if (name[n] != '\0' && strchr (name + n + 1, '.'))
    return true;
  snprintf (s->out, GESSO_PATH_SIZE, "%s", path);
  s->found = true;
  return false;
}

bool
model_resolve (const char *name, char out[GESSO_PATH_SIZE], Status *status)
{
  if (!*name)
    name = SHIPPED_MODEL;
  if (access (name, F_OK) == 0)
    return snprintf (out, GESSO_PATH_SIZE, "%s", name) < GESSO_PATH_SIZE ||
           status_fail (status, STATUS_ARGUMENT, "The model's path is too long.");
  if (strchr (name, '/'))
    return status_fail (status, STATUS_NOT_FOUND,
                        "The model \"%.300s\" is not there: choose another one, or bring it back "
                        "(its disk may not be connected).",
                        name);
  Search s = { .wanted = name, .out = out };
  models_walk (match, &s);
  return s.found ||
         status_fail (
             status, STATUS_NOT_FOUND, "There is no model %s: %s.", name,
             status_here (
                 STATUS_MARK ("give a file, a folder, or a name that `gesso-cli models` lists "
                              "(folders to search are named in GESSO_MODELS)"),
                 STATUS_MARK ("choose one in the list, or add its folder in the Preferences, under "
                              "Models")));
}
