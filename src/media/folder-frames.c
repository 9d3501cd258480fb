/* SPDX-License-Identifier: MPL-2.0
 * folder-frames.c - a folder of numbered pictures, or one picture, as frames.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

#include "core/mem.h"
#include "media/frames.h"

typedef struct
{
  char **paths; /* @n, in the order of their numbers */
  size_t n, capacity;
  FilmInfo info;
  const FrameLimits *limits;
} FolderFrames;

static bool
no_memory (Status *status)
{
  return status_fail (status, STATUS_NO_MEMORY, "Out of memory: close other programs and retry.");
}

static bool
is_picture (const char *name)
{
  static const char *const suffixes[] = { ".png", ".jpg", ".jpeg", ".webp" };
  const char *dot = strrchr (name, '.');
  for (size_t i = 0; dot && name[0] != '.' && i < sizeof suffixes / sizeof suffixes[0]; i++)
    if (strcasecmp (dot, suffixes[i]) == 0)
      return true;
  return false;
}

static bool
add_path (FolderFrames *f, const char *folder, const char *name, Status *status)
{
  if (!mem_grow (&f->paths, &f->capacity, f->n + 1, sizeof *f->paths, status))
    return false;
  size_t room = (folder ? strlen (folder) + 1 : 0) + strlen (name) + 1;
  char *path = mem_calloc (room, 1);
  if (!path)
    return no_memory (status);
  snprintf (path, room, "%s%s%s", folder ? folder : "", folder ? "/" : "", name);
  f->paths[f->n++] = path;
  return true;
}

/* "frame-2" before "frame-10". */
static int
compare_cb (const void *a, const void *b)
{
  const char *x = *(char *const *) a, *y = *(char *const *) b;
  int order = strverscmp (x, y);
  return order ? order : strcmp (x, y);
}

static bool
list_folder (FolderFrames *f, const char *path, Status *status)
{
  DIR *dir = opendir (path);
  if (!dir)
    return status_fail (status, STATUS_IO, "Cannot open the folder \"%.300s\".", path);
  bool ok = true;
  for (struct dirent *d; ok && (d = readdir (dir));)
    if (is_picture (d->d_name))
      ok = (f->n <= FILM_MAX_FRAMES ||
            status_fail (status, STATUS_UNSUPPORTED, "\"%.300s\" has more than %d pictures.", path,
                         FILM_MAX_FRAMES)) &&
           add_path (f, path, d->d_name, status);
  closedir (dir);
  if (ok && f->n == 0)
    ok = status_fail (status, STATUS_NOT_FOUND,
                      "There is no PNG, JPEG or WebP picture in \"%.300s\".", path);
  if (ok)
    qsort (f->paths, f->n, sizeof *f->paths, compare_cb);
  return ok;
}

/* The first picture says how large all are. */
static bool
measure (FolderFrames *f, const FrameLimits *limits, Status *status)
{
  Image first;
  if (!image_read (&first, f->paths[0], status))
    return false;
  f->info = (FilmInfo){ first.width, first.height, { 0, 1 }, (int) f->n };
  image_clear (&first);
  return frames_check_limits (&f->info, limits, f->paths[0], status);
}

static void
folder_close (void *self)
{
  FolderFrames *f = self;
  for (size_t i = 0; i < f->n; i++)
    mem_free (f->paths[i]);
  mem_free (f->paths);
  mem_free (f);
}

static bool
folder_get (void *self, int n, uint8_t *rgb, bool *end, Status *status)
{
  const FolderFrames *f = self;
  Image image;
  if (frames_is_cancelled (f->limits, status) || !image_read (&image, f->paths[n], status))
    return false;
  bool same = image.width == f->info.width && image.height == f->info.height;
  if (same)
    memcpy (rgb, image.rgb, frames_size_bytes (&f->info));
  else
    status_fail (status, STATUS_FORMAT,
                 "\"%.200s\" is %d x %d px, but the first picture is %d x %d: make them alike.",
                 f->paths[n], image.width, image.height, f->info.width, f->info.height);
  image_clear (&image);
  return same;
}

/* The recipe is in every picture of a sequence, if in any; one without is no fault. */
static bool
read_texts (FrameSource *source, const FolderFrames *f, Status *status)
{
  Status mine = { 0 };
  return media_texts_read (&source->texts, f->paths[0], &mine) || mine.code != STATUS_NO_MEMORY ||
         no_memory (status);
}

FrameSource *
frames_of_folder (const char *path, const FrameLimits *limits, Status *status)
{
  static const FrameSourceKind kind = { folder_get, folder_close };
  FolderFrames *f = mem_calloc (1, sizeof *f);
  if (!f)
    {
      no_memory (status);
      return NULL;
    }
  f->limits = limits;
  struct stat st;
  bool is_folder = stat (path, &st) == 0 && S_ISDIR (st.st_mode);
  bool ok = (is_folder ? list_folder (f, path, status) : add_path (f, NULL, path, status)) &&
            measure (f, limits, status);
  if (!ok)
    folder_close (f);
  FrameSource *source = ok ? frames_new (&kind, f, status) : NULL;
  if (!source)
    return NULL;
  source->info = f->info;
  source->description = f->n > 1 ? "folder of pictures" : "picture";
  if (read_texts (source, f, status))
    return source;
  frames_close (source);
  return NULL;
}
