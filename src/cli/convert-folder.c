/* SPDX-License-Identifier: MPL-2.0
 * convert-folder.c - a diffusers folder in another storage format, file by file.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <ftw.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/convert.h"
#include "weights/folder.h"
#include "worker/paths.h"

enum
{
  COPY_BYTES = 1 << 20,
  MOST_OPEN = 16, /* folders while a tree is removed */
  MOST_DEPTH = 3
};

typedef struct
{
  ConvertPart part;
  void *data;
  const char *final;  /* what the folder will be called */
  size_t n_temporary; /* letters of what it is called until then */
  Pool pool;
  int n_converted;
  Status *status;
} Walk;

static bool
join (char out[GESSO_PATH_SIZE], const char *folder, const char *name, Status *status)
{
  return snprintf (out, GESSO_PATH_SIZE, "%s/%s", folder, name) < GESSO_PATH_SIZE ||
         status_fail (status, STATUS_IO, "The path of \"%.200s\" is too long.", name);
}

static bool
is_folder (const char *path)
{
  struct stat info;
  return stat (path, &info) == 0 && S_ISDIR (info.st_mode);
}

static bool
ends_with (const char *text, const char *tail)
{
  size_t n = strlen (text), m = strlen (tail);
  return n >= m && strcmp (text + n - m, tail) == 0;
}

/* Weights in any form, and the lists of their shards: one form of them is converted, none copied.
 */
static bool
is_weights (const char *name)
{
  static const char *const tails[] = { ".safetensors", ".safetensors.index.json",
                                       ".bin",         ".bin.index.json",
                                       ".ckpt",        ".pt",
                                       ".pth",         ".msgpack",
                                       ".onnx",        ".onnx_data",
                                       ".h5",          ".gguf" };
  for (size_t i = 0; i < sizeof tails / sizeof *tails; i++)
    if (ends_with (name, tails[i]))
      return true;
  return false;
}

static bool
copy_file (const char *from, const char *to, Status *status)
{
  static char buffer[COPY_BYTES];
  AtomicFile out = { 0 };
  FILE *in = fopen (from, "rb");
  if (!in)
    return fail_errno (status, errno, STATUS_MARK ("read"), from);
  bool ok = atomic_file_open (&out, to, status);
  size_t n = 0;
  while (ok && (n = fread (buffer, 1, sizeof buffer, in)) > 0)
    ok = atomic_file_write (&out, buffer, n, status);
  if (ok && ferror (in))
    ok = fail_errno (status, errno, STATUS_MARK ("read"), from);
  ok = ok && atomic_file_commit (&out, false, status);
  atomic_file_discard (&out);
  fclose (in);
  return ok;
}

/* "model.fp16.safetensors.index.json" becomes "model.fp16.safetensors". */
static bool
convert_weights (Walk *w, const char *input, const char *output)
{
  char name[GESSO_PATH_SIZE], path[GESSO_PATH_SIZE], shown[2 * GESSO_PATH_SIZE];
  static const char *const tails[] = { ".index.json", ".safetensors", ".bin", ".ckpt", ".pt" };
  const char *found = folder_find_weights (&w->pool, input, w->status);
  if (!found)
    return status_ok (w->status);
  snprintf (name, sizeof name, "%s", path_base (found));
  for (size_t i = 0; i < sizeof tails / sizeof *tails; i++)
    if (ends_with (name, tails[i]))
      name[strlen (name) - strlen (tails[i])] = '\0';
  strncat (name, ".safetensors", sizeof name - strlen (name) - 1);
  w->n_converted++;
  if (!join (path, output, name, w->status))
    return false;
  snprintf (shown, sizeof shown, "%s%s", w->final, path + w->n_temporary);
  return w->part (w->data, found, path, shown, w->status);
}

static bool
walk (Walk *w, const char *input, const char *output, int depth)
{
  if (mkdir (output, 0777) != 0)
    return fail_errno (w->status, errno, STATUS_MARK ("write"), output);
  DIR *dir = opendir (input);
  if (!dir)
    return fail_errno (w->status, errno, STATUS_MARK ("read"), input);
  bool ok = convert_weights (w, input, output);
  for (struct dirent *e; ok && (e = readdir (dir));)
    {
      char from[GESSO_PATH_SIZE], to[GESSO_PATH_SIZE];
      if (e->d_name[0] == '.' || is_weights (e->d_name))
        continue;
      ok = join (from, input, e->d_name, w->status) && join (to, output, e->d_name, w->status);
      if (ok && !is_folder (from))
        ok = copy_file (from, to, w->status);
      else if (ok && depth < MOST_DEPTH)
        ok = walk (w, from, to, depth + 1);
    }
  closedir (dir);
  return ok;
}

static int
remove_one (const char *path, const struct stat *info, int flag, struct FTW *place)
{
  remove (path);
  return 0;
}

bool
convert_folder (const char *input, const char *output, ConvertPart part, void *data, Status *status)
{
  char temporary[GESSO_PATH_SIZE];
  Walk w = { .part = part, .data = data, .final = output, .status = status };
  size_t n = strlen (output);
  while (n > 1 && output[n - 1] == '/')
    n--;
  if (access (output, F_OK) == 0)
    return status_fail (status, STATUS_IO, "\"%.200s\" exists already: choose another name.",
                        output);
  if ((size_t) snprintf (temporary, sizeof temporary, "%.*s.part-%ld", (int) n, output,
                         (long) getpid ()) >= sizeof temporary)
    return status_fail (status, STATUS_IO, "The path of \"%.200s\" is too long.", output);
  w.n_temporary = strlen (temporary);
  bool ok =
      walk (&w, input, temporary, 1) &&
      (w.n_converted > 0 || status_fail (status, STATUS_NOT_FOUND,
                                         "There are no weights in the folder \"%.200s\".", input));
  if (ok && rename (temporary, output) != 0)
    ok = fail_errno (status, errno, STATUS_MARK ("write"), output);
  if (!ok)
    nftw (temporary, remove_one, MOST_OPEN, FTW_DEPTH | FTW_PHYS);
  pool_clear (&w.pool);
  return ok;
}
