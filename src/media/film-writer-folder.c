/* SPDX-License-Identifier: MPL-2.0
 * film-writer-folder.c - frames as numbered PNG pictures in a folder that appears when it is
 * complete.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/mem.h"
#include "media/film-writer.h"
#include "media/png.h"

enum
{
  MAX_ATTEMPTS = 1000,
  NAME_BYTES = 64
};

typedef struct
{
  char *path, *temp_path; /* without "/" at their ends */
  PngText texts[2];
  PngOptions png;
  FilmInfo info; /* n_frames: so far */
} FolderFilm;

static bool
no_memory (Status *status)
{
  return status_fail (status, STATUS_NO_MEMORY, "Out of memory: close other programs and retry.");
}

static char *
dup_without_slashes (const char *path)
{
  char *copy = mem_strdup (path);
  size_t n = copy ? strlen (copy) : 0;
  while (n > 1 && copy[n - 1] == '/')
    copy[--n] = '\0';
  return copy;
}

/* An empty folder may be replaced, one with anything in it is the user's. */
static bool
check_target (const FolderFilm *f, Status *status)
{
  struct stat st;
  if (lstat (f->path, &st) != 0)
    return errno == ENOENT || status_fail (status, STATUS_IO, "Cannot write \"%.300s\".", f->path);
  if (!S_ISDIR (st.st_mode))
    return status_fail (status, STATUS_IO, "Cannot write pictures into \"%.300s\": it is a file.",
                        f->path);
  DIR *dir = opendir (f->path);
  int n = 0;
  while (dir && readdir (dir) && n < 3)
    n++;
  if (dir)
    closedir (dir);
  return (dir && n < 3) /* "." and ".." */ ||
         status_fail (status, STATUS_IO,
                      "The folder \"%.300s\" is not empty: name one that is, or a new one.",
                      f->path);
}

static bool
make_temp (FolderFilm *f, Status *status)
{
  const char *slash = strrchr (f->path, '/');
  size_t n_parent = slash ? (size_t) (slash - f->path) + 1 : 0, room = n_parent + NAME_BYTES;
  f->temp_path = mem_calloc (room, 1);
  if (!f->temp_path)
    return no_memory (status);
  for (int attempt = 0; attempt < MAX_ATTEMPTS; attempt++)
    {
      snprintf (f->temp_path, room, "%.*s.gesso-%ld-%d.part", (int) n_parent, f->path,
                (long) getpid (), attempt);
      if (mkdir (f->temp_path, 0777) == 0)
        return true;
      if (errno != EEXIST)
        break;
    }
  const char *why = errno == ENOENT   ? "there is no such folder"
                    : errno == EACCES ? "it is not permitted"
                    : errno == ENOSPC ? "the disk is full"
                                      : "the folder cannot be made";
  mem_free (f->temp_path);
  f->temp_path = NULL;
  return status_fail (status, STATUS_IO, "Cannot write \"%.300s\": %s.", f->path, why);
}

static bool
folder_add (void *self, const uint8_t *rgb, Status *status)
{
  FolderFilm *f = self;
  const Image image = { f->info.width, f->info.height, (uint8_t *) rgb };
  size_t room = strlen (f->temp_path) + NAME_BYTES;
  char *path = mem_calloc (room, 1);
  if (!path)
    return no_memory (status);
  snprintf (path, room, "%s/frame-%05d.png", f->temp_path, ++f->info.n_frames);
  bool ok = png_write_file (path, &image, &f->png, status);
  mem_free (path);
  return ok;
}

static bool
folder_finish (void *self, Status *status)
{
  FolderFilm *f = self;
  if (!check_target (f, status))
    return false;
  if (rename (f->temp_path, f->path) != 0)
    return status_fail (status, STATUS_IO, "Cannot write \"%.300s\": the folder cannot be named.",
                        f->path);
  mem_free (f->temp_path);
  f->temp_path = NULL;
  return true;
}

/* Only what this writer made is removed, and only files. */
static void
remove_temp (const char *path)
{
  DIR *dir = opendir (path);
  for (struct dirent *d; dir && (d = readdir (dir));)
    if (strcmp (d->d_name, ".") != 0 && strcmp (d->d_name, "..") != 0)
      unlinkat (dirfd (dir), d->d_name, 0);
  if (dir)
    closedir (dir);
  rmdir (path);
}

static void
folder_close (void *self)
{
  FolderFilm *f = self;
  if (f->temp_path)
    remove_temp (f->temp_path);
  mem_free (f->temp_path);
  mem_free (f->path);
  mem_free (f);
}

static void
set_texts (FolderFilm *f, const FilmOptions *options)
{
  if (options->parameters)
    f->texts[f->png.n_texts++] = (PngText){ "parameters", options->parameters };
  if (options->recipe)
    f->texts[f->png.n_texts++] = (PngText){ "gesso", options->recipe };
  f->png.texts = f->texts;
  f->png.cancel = options->cancel;
  f->png.fast = options->quality != FILM_HIGH;
}

FilmWriter *
film_writer_folder (const char *path,
                    const FilmInfo *info,
                    const FilmOptions *options,
                    Status *status)
{
  static const FilmWriterKind kind = { folder_add, folder_finish, folder_close };
  FolderFilm *f = mem_calloc (1, sizeof *f);
  if (!f)
    {
      no_memory (status);
      return NULL;
    }
  *f = (FolderFilm){ .path = dup_without_slashes (path), .info = *info };
  f->info.n_frames = 0;
  set_texts (f, options);
  if ((f->path || no_memory (status)) && check_target (f, status) && make_temp (f, status))
    return film_writer_new (&kind, f, info, options, status);
  folder_close (f);
  return NULL;
}
