/* SPDX-License-Identifier: MPL-2.0
 * file.c - reading by position, writing atomically.
 */
#define _GNU_SOURCE
#include "media/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/mem.h"

enum
{
  COPY_BYTES = 1 << 20
};

static bool
fail_io (Status *status, const char *verb, const char *path, int error)
{
  const char *what = error == ENOSPC || error == EDQUOT || error == EFBIG
                         ? STATUS_MARK ("the disk is full")
                     : error == ENOENT ? STATUS_MARK ("there is no such file or folder")
                     : error == EACCES || error == EROFS ? STATUS_MARK ("it is not permitted")
                     : error == EEXIST ? STATUS_MARK ("a file of that name exists already")
                     : error == EISDIR ? STATUS_MARK ("it is a folder")
                                       : NULL;
  char buffer[128] = "";
  if (!what)
    what = strerror_r (error, buffer, sizeof buffer);
  return status_fail (status, error == ENOENT ? STATUS_NOT_FOUND : STATUS_IO,
                      "Cannot %s \"%.300s\": %s.", status_text (verb), path, status_text (what));
}

bool
media_source_open (MediaSource *source, const char *path, Status *status)
{
  *source = (MediaSource){ .name = path, .fd = open (path, O_RDONLY | O_CLOEXEC | O_NONBLOCK) };
  struct stat st;
  if (source->fd < 0)
    return fail_io (status, STATUS_MARK ("open"), path, errno);
  if (fstat (source->fd, &st) != 0 || !S_ISREG (st.st_mode))
    {
      media_source_close (source);
      return status_fail (status, STATUS_IO, "\"%.300s\" is not a file.", path);
    }
  source->size_bytes = (uint64_t) st.st_size;
  return true;
}

MediaSource
media_source_from_memory (const void *data, size_t n_bytes, const char *name)
{
  return (MediaSource){ .name = name, .fd = -1, .data = data, .size_bytes = n_bytes };
}

void
media_source_close (MediaSource *source)
{
  if (source->fd >= 0)
    close (source->fd);
  *source = (MediaSource){ .fd = -1 };
}

bool
media_source_read (const MediaSource *source, uint64_t offset, void *out, size_t n_bytes)
{
  if (offset > source->size_bytes || n_bytes > source->size_bytes - offset)
    return false;
  if (source->fd < 0)
    {
      if (n_bytes)
        memcpy (out, source->data + offset, n_bytes);
      return true;
    }
  for (size_t done = 0; done < n_bytes;)
    {
      ssize_t n = pread (source->fd, (char *) out + done, n_bytes - done, (off_t) (offset + done));
      if (n == 0 || (n < 0 && errno != EINTR))
        return false;
      done += n > 0 ? (size_t) n : 0;
    }
  return true;
}

uint8_t *
media_source_read_all (const MediaSource *source, Status *status)
{
  if (source->size_bytes > MEDIA_SOURCE_MAX_BYTES)
    {
      status_fail (status, STATUS_UNSUPPORTED,
                   "\"%.200s\" is larger than %d MiB: scale it down first.", source->name,
                   MEDIA_SOURCE_MAX_BYTES >> 20);
      return NULL;
    }
  size_t n = (size_t) source->size_bytes;
  uint8_t *data = mem_calloc (n + 1, 1);
  if (!data)
    status_fail (status, STATUS_NO_MEMORY, "Out of memory: close other programs and retry.");
  else if (!media_source_read (source, 0, data, n))
    {
      status_fail (status, STATUS_IO, "Cannot read \"%.200s\": reading failed.", source->name);
      mem_free (data);
      data = NULL;
    }
  return data;
}

static char *
folder_of (const char *path)
{
  const char *slash = strrchr (path, '/');
  size_t n = slash ? (size_t) (slash - path) + 1 : 0;
  char *folder = mem_calloc (n + 2, 1);
  if (folder)
    memcpy (folder, n ? path : "./", n ? n : 2);
  return folder;
}

static char *
temp_name (const char *path, unsigned attempt)
{
  enum
  {
    NAME_BYTES = 64
  };
  char *folder = folder_of (path);
  size_t n = folder ? strlen (folder) + NAME_BYTES : 0;
  char *name = folder ? mem_calloc (n, 1) : NULL;
  if (name)
    snprintf (name, n, "%s.gesso-%ld-%u.part", folder, (long) getpid (), attempt);
  mem_free (folder);
  return name;
}

/* Created with the permissions that the user's umask gives every file, unlike mkstemp's. */
static bool
create_temp (AtomicFile *file, Status *status)
{
  enum
  {
    MAX_ATTEMPTS = 1000
  };
  for (unsigned attempt = 0; attempt < MAX_ATTEMPTS; attempt++)
    {
      char *name = temp_name (file->path, attempt);
      if (!name)
        return status_fail (status, STATUS_NO_MEMORY,
                            "Out of memory: close other programs and retry.");
      file->fd = open (name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
      file->open = file->fd >= 0;
      if (file->open)
        {
          file->temp_path = name;
          return true;
        }
      int error = errno;
      mem_free (name);
      if (error != EEXIST)
        return fail_io (status, STATUS_MARK ("write"), file->path, error);
    }
  return fail_io (status, STATUS_MARK ("write"), file->path, EEXIST);
}

bool
atomic_file_open (AtomicFile *file, const char *path, Status *status)
{
  *file = (AtomicFile){ .path = mem_strdup (path) };
  if (!file->path)
    return status_fail (status, STATUS_NO_MEMORY, "Out of memory: close other programs and retry.");
  if (create_temp (file, status))
    return true;
  atomic_file_discard (file);
  return false;
}

/* @path: for the sentence */
static bool
write_all (int fd, const void *data, size_t n_bytes, const char *path, Status *status)
{
  const char *p = data;
  while (n_bytes > 0)
    {
      ssize_t n = write (fd, p, n_bytes);
      if (n < 0 && errno == EINTR)
        continue;
      if (n < 0)
        return fail_io (status, STATUS_MARK ("write"), path, errno);
      p += n;
      n_bytes -= (size_t) n;
    }
  return true;
}

bool
atomic_file_write (AtomicFile *file, const void *data, size_t n_bytes, Status *status)
{
  return write_all (file->fd, data, n_bytes, file->path, status);
}

bool
atomic_file_write_at (
    AtomicFile *file, uint64_t offset, const void *data, size_t n_bytes, Status *status)
{
  const char *p = data;
  while (n_bytes > 0)
    {
      ssize_t n = pwrite (file->fd, p, n_bytes, (off_t) offset);
      if (n < 0 && errno == EINTR)
        continue;
      if (n < 0)
        return fail_io (status, "write", file->path, errno);
      p += n;
      offset += (uint64_t) n;
      n_bytes -= (size_t) n;
    }
  return true;
}

int
media_spool_open (const char *path, Status *status)
{
  char *folder = folder_of (path);
  if (!folder)
    {
      status_fail (status, STATUS_NO_MEMORY, "Out of memory: close other programs and retry.");
      return -1;
    }
  int fd = open (folder, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600), error = errno;
  mem_free (folder);
  if (fd >= 0)
    return fd;
  if (error != EOPNOTSUPP && error != EISDIR && error != EINVAL)
    {
      fail_io (status, STATUS_MARK ("write"), path, error);
      return -1;
    }
  AtomicFile named = { 0 }; /* a file system without nameless files */
  if (!atomic_file_open (&named, path, status))
    return -1;
  fd = open (named.temp_path, O_RDWR | O_CLOEXEC);
  error = errno;
  atomic_file_discard (&named);
  if (fd < 0)
    fail_io (status, STATUS_MARK ("write"), path, error);
  return fd;
}

bool
media_spool_write (int spool, const void *data, size_t n_bytes, const char *path, Status *status)
{
  return write_all (spool, data, n_bytes, path, status);
}

bool
media_spool_read (
    int spool, uint64_t offset, void *out, size_t n_bytes, const char *path, Status *status)
{
  const MediaSource source = { .name = path, .fd = spool, .size_bytes = UINT64_MAX };
  return media_source_read (&source, offset, out, n_bytes) ||
         status_fail (status, STATUS_IO, "Cannot write \"%.300s\": its frames cannot be read back.",
                      path);
}

void
media_spool_close (int spool)
{
  if (spool >= 0)
    close (spool);
}

/* So that the new name, too, survives a power cut.  Some file systems refuse it: no harm. */
static void
sync_folder (const char *path)
{
  char *folder = folder_of (path);
  int fd = folder ? open (folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
  if (fd >= 0)
    {
      fsync (fd);
      close (fd);
    }
  mem_free (folder);
}

/* Without RENAME_NOREPLACE in the file system, a hard link keeps the promise as well. */
static int
rename_new (const char *from, const char *to)
{
  if (renameat2 (AT_FDCWD, from, AT_FDCWD, to, RENAME_NOREPLACE) == 0)
    return 0;
  if (errno != EINVAL && errno != ENOSYS)
    return -1;
  return link (from, to) == 0 ? unlink (from) : -1;
}

bool
atomic_file_commit (AtomicFile *file, bool overwrite, Status *status)
{
  int error = fsync (file->fd) != 0 ? errno : 0;
  if (close (file->fd) != 0 && !error)
    error = errno;
  file->open = false;
  if (!error && (overwrite ? rename (file->temp_path, file->path)
                           : rename_new (file->temp_path, file->path)) != 0)
    error = errno;
  if (error)
    fail_io (status, STATUS_MARK ("write"), file->path, error);
  else
    {
      sync_folder (file->path);
      mem_free (file->temp_path);
      file->temp_path = NULL;
    }
  atomic_file_discard (file);
  return !error;
}

void
atomic_file_discard (AtomicFile *file)
{
  if (file->open)
    close (file->fd);
  if (file->temp_path)
    unlink (file->temp_path);
  mem_free (file->temp_path);
  mem_free (file->path);
  *file = (AtomicFile){ 0 };
}

/* Block by block, since a clip may be larger than memory. */
static bool
copy_bytes (int fd, AtomicFile *file, const char *from, Status *status)
{
  uint8_t *block = mem_calloc (COPY_BYTES, 1);
  bool ok = block || status_fail (status, STATUS_NO_MEMORY,
                                  "Out of memory: close other programs and retry.");
  for (ssize_t n = 1; ok && n > 0;)
    {
      n = read (fd, block, COPY_BYTES);
      if (n < 0)
        ok = fail_io (status, STATUS_MARK ("read"), from, errno);
      else if (n > 0)
        ok = atomic_file_write (file, block, (size_t) n, status);
    }
  mem_free (block);
  return ok;
}

static bool
copy_new (const char *from, const char *to, Status *status)
{
  AtomicFile file = { 0 };
  int fd = open (from, O_RDONLY | O_CLOEXEC);
  if (fd < 0)
    return fail_io (status, STATUS_MARK ("read"), from, errno);
  bool ok = atomic_file_open (&file, to, status) && copy_bytes (fd, &file, from, status) &&
            atomic_file_commit (&file, false, status);
  atomic_file_discard (&file);
  close (fd);
  return ok;
}

bool
file_move_new (const char *from, const char *to, Status *status)
{
  if (rename_new (from, to) == 0)
    {
      sync_folder (to);
      return true;
    }
  if (errno != EXDEV)
    return fail_io (status, STATUS_MARK ("write"), to, errno);
  if (!copy_new (from, to, status))
    return false;
  unlink (from);
  return true;
}
