/* SPDX-License-Identifier: MPL-2.0
 * mapped.c - open, map, advise; every refusal of the system becomes a sentence.
 */
#define _GNU_SOURCE
#include "weights/mapped.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/guard.h"

const char *
path_base (const char *path)
{
  const char *slash = strrchr (path, '/');
  return slash && slash[1] ? slash + 1 : path;
}

bool
fail_errno (Status *status, int error, const char *verb, const char *path)
{
  char buffer[128];
  const char *reason = strerror_r (error, buffer, sizeof buffer);
  if (error == ENOENT || error == ENOTDIR)
    return status_fail (status, STATUS_NOT_FOUND,
                        "There is no file \"%s\": it may have been moved or renamed.", path);
  return status_fail (status, STATUS_IO, "Cannot %s \"%s\": %s.", status_text (verb), path, reason);
}

static bool
map_fd (MappedFile *file, int fd, const char *path, Status *status)
{
  struct stat info;
  if (fstat (fd, &info) != 0)
    return fail_errno (status, errno, STATUS_MARK ("read"), path);
  if (S_ISDIR (info.st_mode))
    return fail_errno (status, EISDIR, STATUS_MARK ("read"), path);
  if (!S_ISREG (info.st_mode))
    return status_fail (status, STATUS_IO, "\"%s\" is not a regular file.", path);
  if (info.st_size == 0)
    return status_fail (status, STATUS_FORMAT,
                        "\"%s\" is empty: its download did not finish, fetch it again.",
                        path_base (path));
  void *p = mmap (NULL, (size_t) info.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
  if (p == MAP_FAILED)
    return fail_errno (status, errno, STATUS_MARK ("map"), path);
  file->data = p;
  file->size = (size_t) info.st_size;
  file->guard = guard_add (p, file->size, path_base (path));
  return true;
}

bool
mapped_open (MappedFile *file, const char *path, Status *status)
{
  *file = (MappedFile){ 0 };
  int fd = open (path, O_RDONLY | O_CLOEXEC | O_NONBLOCK); /* a FIFO must not hold us up */
  if (fd < 0)
    return fail_errno (status, errno, STATUS_MARK ("open"), path);
  bool ok = map_fd (file, fd, path, status);
  close (fd);
  return ok;
}

void
mapped_close (MappedFile *file)
{
  if (file->data)
    {
      guard_remove (file->guard);
      munmap ((void *) file->data, file->size);
    }
  *file = (MappedFile){ 0 };
}

void
mapped_will_need (const void *data, size_t size)
{
  uintptr_t page = (uintptr_t) sysconf (_SC_PAGESIZE);
  uintptr_t begin = (uintptr_t) data / page * page;
  if (data && size)
    madvise ((void *) begin, (uintptr_t) data + size - begin, MADV_WILLNEED);
}

/* Of Linux 5.14, which headers of Debian 12 have; older kernels are asked to begin at least. */
bool
mapped_read (const void *data, size_t size)
{
  uintptr_t page = (uintptr_t) sysconf (_SC_PAGESIZE);
  uintptr_t begin = (uintptr_t) data / page * page;
  if (madvise ((void *) begin, (uintptr_t) data + size - begin, MADV_POPULATE_READ) == 0)
    return true;
  bool is_old = errno == EINVAL;
  if (is_old)
    mapped_will_need (data, size);
  return is_old;
}

void
mapped_read_around (const MappedFile *file, bool does)
{
  if (file->data)
    madvise ((void *) file->data, file->size, does ? MADV_NORMAL : MADV_RANDOM);
}

/* Whole pages only: their neighbours may be in use. */
void
mapped_wont_need (const void *data, size_t size)
{
  uintptr_t page = (uintptr_t) sysconf (_SC_PAGESIZE);
  uintptr_t begin = ((uintptr_t) data + page - 1) / page * page;
  uintptr_t end = ((uintptr_t) data + size) / page * page;
  if (data && begin < end)
    madvise ((void *) begin, end - begin, MADV_DONTNEED);
}
