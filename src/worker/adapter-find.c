/* SPDX-License-Identifier: MPL-2.0
 * adapter-find.c - the folders of other programs, walked by name.
 */
#include "worker/adapter-find.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/mem.h"
#include "weights/adapter.h"
#include "worker/models.h"

enum
{
  SEARCH_DEPTH = 4,
  SHORTEST_HASH = 8 /* digits; fewer would meet by chance */
};

/* Below a folder that models are looked for in, or two steps above it. */
static const char *const adapter_folders[] = { "loras",        "Lora",        "LyCORIS",
                                               "models/loras", "models/Lora", "models/LyCORIS",
                                               "Models/Lora",  NULL };
static const char *const embedding_folders[] = { "embeddings", "Embeddings", "models/embeddings",
                                                 "Models/Embeddings", NULL };

static const char *const control_folders[] = { "controlnet",        "ControlNet",
                                               "models/controlnet", "models/ControlNet",
                                               "Models/ControlNet", NULL };

typedef struct
{
  FindKind kind;
  AdapterFunc func;
  void *data;
  bool stopped;
} Walk;

static bool
is_folder (const char *path)
{
  struct stat st;
  return stat (path, &st) == 0 && S_ISDIR (st.st_mode);
}

/* The name without an extension that @kind has; false for other files. */
static bool
stem_of (FindKind kind, const char *name, char out[GESSO_PATH_SIZE])
{
  static const char *const extensions[] = { ".safetensors", ".pt", ".ckpt", ".bin", ".pth" };
  size_t n = strlen (name);
  for (size_t i = 0; i < sizeof extensions / sizeof *extensions; i++)
    {
      size_t e = strlen (extensions[i]);
      if (n > e && n < GESSO_PATH_SIZE && strcmp (name + n - e, extensions[i]) == 0)
        {
          snprintf (out, GESSO_PATH_SIZE, "%.*s", (int) (n - e), name);
          return true;
        }
    }
  return false;
}

static void
walk_folder (Walk *w, const char *folder, int depth)
{
  struct dirent **entries;
  int n = scandir (folder, &entries, NULL, alphasort);
  for (int i = 0; i < n; i++)
    {
      const char *name = entries[i]->d_name;
      char path[GESSO_PATH_SIZE], stem[GESSO_PATH_SIZE];
      bool fits = snprintf (path, sizeof path, "%s/%s", folder, name) < GESSO_PATH_SIZE;
      if (!w->stopped && fits && name[0] != '.')
        {
          if (is_folder (path))
            {
              if (depth > 1)
                walk_folder (w, path, depth - 1);
            }
          else if (stem_of (w->kind, name, stem))
            w->stopped = !w->func (w->data, path, stem);
        }
      (free) (entries[i]); /* scandir's memory is the C library's */
    }
  if (n >= 0)
    (free) (entries);
}

static const char *const *
folders_of (FindKind kind)
{
  switch (kind)
    {
    case FIND_ADAPTER:
      return adapter_folders;
    case FIND_CONTROLNET:
      return control_folders;
    case FIND_EMBEDDING:
      break;
    }
  return embedding_folders;
}

/* Models lie in ROOT, ROOT/checkpoints or ROOT/models/Stable-diffusion. */
static bool
walk_beside (void *data, const char *models)
{
  static const char *const ups[] = { "", "/..", "/../.." };
  Walk *w = data;
  const char *const *names = folders_of (w->kind);
  for (size_t u = 0; u < sizeof ups / sizeof *ups; u++)
    for (size_t i = 0; names[i] && !w->stopped; i++)
      {
        char path[GESSO_PATH_SIZE];
        if (snprintf (path, sizeof path, "%s%s/%s", models, ups[u], names[i]) < GESSO_PATH_SIZE &&
            is_folder (path))
          walk_folder (w, path, SEARCH_DEPTH);
      }
  return !w->stopped;
}

static bool
walk_itself (void *data, const char *models)
{
  Walk *w = data;
  walk_folder (w, models, 2);
  return !w->stopped;
}

void
adapters_walk (FindKind kind, AdapterFunc func, void *data)
{
  Walk w = { kind, func, data, false };
  model_folders_walk (walk_beside, &w);
  if (!w.stopped)
    model_folders_walk (walk_itself, &w);
}

void
embeddings_walk (AdapterFunc func, void *data)
{
  Walk w = { FIND_EMBEDDING, func, data, false };
  model_folders_walk (walk_beside, &w);
}

/* ---- by name ---- */

typedef struct
{
  const char *name, *hash;
  char *out;
  bool found;
} Search;

/* Without the steps upwards that led there. */
static void
take_path (char out[GESSO_PATH_SIZE], const char *path)
{
  char *resolved = realpath (path, NULL);
  snprintf (out, GESSO_PATH_SIZE, "%s", resolved ? resolved : path);
  (free) (resolved); /* realpath's memory is the C library's */
}

/* "style" and "people/style" both name .../people/style.safetensors. */
static bool
match_stem (void *data, const char *path, const char *stem)
{
  Search *s = data;
  const char *dot = strrchr (path, '.');
  size_t n = (size_t) (dot - path), m = strlen (s->name);
  const char *extension = strrchr (s->name, '.');
  if (extension && strcmp (extension, dot) == 0)
    n = strlen (path);
  s->found = m > 0 && n > m && path[n - m - 1] == '/' && strncmp (path + n - m, s->name, m) == 0;
  if (s->found)
    take_path (s->out, path);
  return !s->found;
}

/* What only the file itself says. */
static bool
match_inside (void *data, const char *path, const char *stem)
{
  Search *s = data;
  Status ignored = { 0 };
  AdapterFile *a = adapter_open (path, &ignored);
  if (!a)
    return true;
  const char *name = table_metadata (&a->source.table, "ss_output_name");
  const char *hash = table_metadata (&a->source.table, "sshs_model_hash");
  size_t n = strlen (s->hash);
  s->found = (name && strcmp (name, s->name) == 0) ||
             (hash && n >= SHORTEST_HASH && strncmp (hash, s->hash, n) == 0);
  adapter_close (a);
  if (s->found)
    take_path (s->out, path);
  return !s->found;
}

bool
adapter_find (FindKind kind, const char *name, const char *hash, char out[GESSO_PATH_SIZE])
{
  Search s = { .name = name, .hash = hash, .out = out };
  *out = '\0';
  if (*name == '/' || *name == '.' || (strchr (name, '/') && access (name, R_OK) == 0))
    {
      bool there = access (name, R_OK) == 0 && strlen (name) < GESSO_PATH_SIZE;
      snprintf (out, GESSO_PATH_SIZE, "%s", there ? name : "");
      return there;
    }
  adapters_walk (kind, match_stem, &s);
  if (!s.found && kind == FIND_ADAPTER)
    adapters_walk (kind, match_inside, &s);
  return s.found;
}
