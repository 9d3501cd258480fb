/* SPDX-License-Identifier: MPL-2.0
 * far-disk.c - the C library's functions that take a path or read and write a file, each with a
 * look at the path first.
 *
 * The program's definitions come before those of the shared libraries.  None of the headers that
 * declare the functions is included: they rename some of them and make others inline.
 */
#undef _FILE_OFFSET_BITS /* it renames them, too */
#define _GNU_SOURCE
#include "support/far-disk.h"

#include <dlfcn.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>

enum
{
  MAX_PATH = 4096,
  AT_WORKING_FOLDER = -100, /* AT_FDCWD */
  WITH_MODE = 020000100     /* O_CREAT, or the bit that O_TMPFILE has beside O_DIRECTORY */
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t answered = PTHREAD_COND_INITIALIZER;
static char far_folder[MAX_PATH];
static size_t n_folder; /* bytes of it; 0: nothing is looked at */
static bool is_held;
static int n_calls, n_waiting;

long syscall (long number, ...);
int getpid (void);
long readlink (const char *path, char *out, size_t n);
long readlinkat (int fd, const char *path, char *out, size_t n);

static bool
is_far (const char *path)
{
  size_t n = __atomic_load_n (&n_folder, __ATOMIC_ACQUIRE);
  return n > 0 && path && strncmp (path, far_folder, n) == 0 && (path[n] == '/' || path[n] == '\0');
}

static void
wait_for_answer (void)
{
  pthread_mutex_lock (&lock);
  n_calls++;
  n_waiting++;
  while (is_held)
    pthread_cond_wait (&answered, &lock);
  n_waiting--;
  pthread_mutex_unlock (&lock);
}

static void
meet (const char *function, const char *path)
{
  if (!is_far (path))
    return;
  if (syscall (SYS_gettid) == getpid ())
    {
      fprintf (stderr, "%s (\"%s\") on the main thread: the window waits for a disk.\n", function,
               path);
      abort ();
    }
  wait_for_answer ();
}

static void
meet_file (const char *function, int fd)
{
  char link[64], path[MAX_PATH];
  if (fd < 0 || __atomic_load_n (&n_folder, __ATOMIC_ACQUIRE) == 0)
    return;
  snprintf (link, sizeof link, "/proc/self/fd/%d", fd);
  long n = syscall (SYS_readlink, link, path, sizeof path - 1);
  path[n > 0 ? n : 0] = '\0';
  meet (function, path);
}

static void
meet_at (const char *function, int fd, const char *path)
{
  if (fd == AT_WORKING_FOLDER || (path && path[0] == '/'))
    meet (function, path);
  else
    meet_file (function, fd);
}

#define WRAP(type, name, parameters, arguments, look) \
  __attribute__ ((visibility ("default"))) type name parameters; \
  type name parameters \
  { \
    static type (*real) parameters; \
    if (!real) \
      *(void **) &real = dlsym (RTLD_NEXT, #name); \
    look; \
    return real arguments; \
  }
#define PATH(type, name, parameters, arguments) \
  WRAP (type, name, parameters, arguments, meet (#name, path))
#define AT(type, name, parameters, arguments) \
  WRAP (type, name, parameters, arguments, meet_at (#name, fd, path))
#define FD(type, name, parameters, arguments) \
  WRAP (type, name, parameters, arguments, meet_file (#name, fd))
#define TWO(type, name, parameters, arguments) \
  WRAP (type, name, parameters, arguments, (meet (#name, from), meet (#name, to)))

/* With a mode where one is made. */
#define OPEN(name) \
  __attribute__ ((visibility ("default"))) int name (const char *path, int flags, ...); \
  int name (const char *path, int flags, ...) \
  { \
    static int (*real) (const char *, int, ...); \
    va_list list; \
    va_start (list, flags); \
    int mode = flags & WITH_MODE ? va_arg (list, int) : 0; \
    va_end (list); \
    if (!real) \
      *(void **) &real = dlsym (RTLD_NEXT, #name); \
    meet (#name, path); \
    return real (path, flags, mode); \
  }
#define OPEN_AT(name) \
  __attribute__ ((visibility ("default"))) int name (int fd, const char *path, int flags, ...); \
  int name (int fd, const char *path, int flags, ...) \
  { \
    static int (*real) (int, const char *, int, ...); \
    va_list list; \
    va_start (list, flags); \
    int mode = flags & WITH_MODE ? va_arg (list, int) : 0; \
    va_end (list); \
    if (!real) \
      *(void **) &real = dlsym (RTLD_NEXT, #name); \
    meet_at (#name, fd, path); \
    return real (fd, path, flags, mode); \
  }

/* clang-format off */
OPEN (open)
OPEN (open64)
OPEN_AT (openat)
OPEN_AT (openat64)
PATH (int, __open_2, (const char *path, int flags), (path, flags))
PATH (int, __open64_2, (const char *path, int flags), (path, flags))
PATH (int, creat, (const char *path, unsigned mode), (path, mode))
PATH (int, creat64, (const char *path, unsigned mode), (path, mode))
PATH (FILE *, fopen, (const char *path, const char *mode), (path, mode))
PATH (FILE *, fopen64, (const char *path, const char *mode), (path, mode))
PATH (void *, opendir, (const char *path), (path))
PATH (int, mkstemp, (char *path), (path))
PATH (int, mkstemp64, (char *path), (path))
PATH (char *, mkdtemp, (char *path), (path))

PATH (int, stat, (const char *path, void *out), (path, out))
PATH (int, stat64, (const char *path, void *out), (path, out))
PATH (int, lstat, (const char *path, void *out), (path, out))
PATH (int, lstat64, (const char *path, void *out), (path, out))
AT (int, fstatat, (int fd, const char *path, void *out, int flags), (fd, path, out, flags))
AT (int, fstatat64, (int fd, const char *path, void *out, int flags), (fd, path, out, flags))
AT (int, statx, (int fd, const char *path, int flags, unsigned mask, void *out), (fd, path, flags, mask, out))
PATH (int, statfs, (const char *path, void *out), (path, out))
PATH (int, statfs64, (const char *path, void *out), (path, out))
PATH (int, statvfs, (const char *path, void *out), (path, out))
PATH (int, statvfs64, (const char *path, void *out), (path, out))
PATH (int, access, (const char *path, int mode), (path, mode))
PATH (int, euidaccess, (const char *path, int mode), (path, mode))
PATH (int, eaccess, (const char *path, int mode), (path, mode))
AT (int, faccessat, (int fd, const char *path, int mode, int flags), (fd, path, mode, flags))
PATH (long, readlink, (const char *path, char *out, size_t n), (path, out, n))
AT (long, readlinkat, (int fd, const char *path, char *out, size_t n), (fd, path, out, n))
PATH (char *, realpath, (const char *path, char *out), (path, out))
PATH (char *, canonicalize_file_name, (const char *path), (path))
PATH (long, getxattr, (const char *path, const char *name, void *out, size_t n), (path, name, out, n))
PATH (long, lgetxattr, (const char *path, const char *name, void *out, size_t n), (path, name, out, n))
PATH (long, listxattr, (const char *path, char *out, size_t n), (path, out, n))
PATH (long, llistxattr, (const char *path, char *out, size_t n), (path, out, n))
WRAP (int, inotify_add_watch, (int fd, const char *path, unsigned mask), (fd, path, mask), meet ("inotify_add_watch", path))

PATH (int, mkdir, (const char *path, unsigned mode), (path, mode))
AT (int, mkdirat, (int fd, const char *path, unsigned mode), (fd, path, mode))
PATH (int, unlink, (const char *path), (path))
AT (int, unlinkat, (int fd, const char *path, int flags), (fd, path, flags))
PATH (int, rmdir, (const char *path), (path))
PATH (int, remove, (const char *path), (path))
PATH (int, chdir, (const char *path), (path))
PATH (int, chmod, (const char *path, unsigned mode), (path, mode))
PATH (int, utime, (const char *path, const void *times), (path, times))
PATH (int, utimes, (const char *path, const void *times), (path, times))
AT (int, utimensat, (int fd, const char *path, const void *times, int flags), (fd, path, times, flags))
PATH (int, truncate, (const char *path, long n), (path, n))
PATH (int, truncate64, (const char *path, long n), (path, n))
TWO (int, rename, (const char *from, const char *to), (from, to))
TWO (int, link, (const char *from, const char *to), (from, to))
WRAP (int, symlink, (const char *from, const char *to), (from, to), meet ("symlink", to))
WRAP (int, renameat2, (int a, const char *from, int b, const char *to, unsigned flags), (a, from, b, to, flags),
      (meet_at ("renameat2", a, from), meet_at ("renameat2", b, to)))
WRAP (int, linkat, (int a, const char *from, int b, const char *to, int flags), (a, from, b, to, flags),
      (meet_at ("linkat", a, from), meet_at ("linkat", b, to)))

FD (long, read, (int fd, void *out, size_t n), (fd, out, n))
FD (long, pread, (int fd, void *out, size_t n, long at), (fd, out, n, at))
FD (long, pread64, (int fd, void *out, size_t n, long at), (fd, out, n, at))
FD (long, write, (int fd, const void *from, size_t n), (fd, from, n))
FD (long, pwrite, (int fd, const void *from, size_t n, long at), (fd, from, n, at))
FD (long, pwrite64, (int fd, const void *from, size_t n, long at), (fd, from, n, at))
FD (int, fstat, (int fd, void *out), (fd, out))
FD (int, fstat64, (int fd, void *out), (fd, out))
FD (int, fsync, (int fd), (fd))
FD (int, fdatasync, (int fd), (fd))
FD (int, ftruncate, (int fd, long n), (fd, n))
FD (int, ftruncate64, (int fd, long n), (fd, n))
/* clang-format on */

void
far_disk_begin (const char *folder)
{
  size_t n = strlen (folder);
  while (n > 1 && folder[n - 1] == '/')
    n--;
  pthread_mutex_lock (&lock);
  memcpy (far_folder, folder, n);
  far_folder[n] = '\0';
  n_calls = 0;
  pthread_mutex_unlock (&lock);
  __atomic_store_n (&n_folder, n, __ATOMIC_RELEASE);
}

void
far_disk_hold (bool held)
{
  pthread_mutex_lock (&lock);
  is_held = held;
  pthread_cond_broadcast (&answered);
  pthread_mutex_unlock (&lock);
}

void
far_disk_end (void)
{
  __atomic_store_n (&n_folder, 0, __ATOMIC_RELEASE);
  far_disk_hold (false);
}

static int
read_count (const int *count)
{
  pthread_mutex_lock (&lock);
  int n = *count;
  pthread_mutex_unlock (&lock);
  return n;
}

int
far_disk_n_calls (void)
{
  return read_count (&n_calls);
}

int
far_disk_n_waiting (void)
{
  return read_count (&n_waiting);
}
