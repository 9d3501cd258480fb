/* SPDX-License-Identifier: MPL-2.0
 * bench-prefetch.c - what reading an expert's weights ahead saves, from a file that is on the disk
 * but not in memory.
 *
 *   bench-prefetch [--mib N] [--seconds S] FOLDER
 *
 * Writes N MiB (2048) of numbers to FOLDER, which must have room and a real disk under it, and has
 * the system forget them.  Then every page is touched in order: cold, as on demand; and once more
 * forgotten, after a computation of S seconds (5) during which they were read in the background.
 * Prints one JSON object with the seconds of both, and of the computation with and without.
 */
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "core/mem.h"
#include "weights/prefetch.h"
#include "weights/weight-set.h"

enum
{
  MIB = 1 << 20,
  PATH_SIZE = 4096,
  N_LAYERS = 64
};

static double
now (clockid_t clock)
{
  struct timespec t;
  clock_gettime (clock, &t);
  return (double) t.tv_sec + 1e-9 * (double) t.tv_nsec;
}

static bool
write_file (const char *path, int64_t n_mib)
{
  static uint32_t piece[MIB / 4];
  uint32_t x = 1;
  FILE *f = fopen (path, "wb");
  bool ok = f != NULL;
  for (int64_t k = 0; ok && k < n_mib; k++)
    {
      for (size_t i = 0; i < MIB / 4; i++)
        piece[i] = x = x * 1664525u + 1013904223u;
      ok = fwrite (piece, 1, MIB, f) == MIB;
    }
  if (f)
    ok = fflush (f) == 0 && fsync (fileno (f)) == 0 && fclose (f) == 0 && ok;
  return ok;
}

static uint64_t
touch_all (const uint8_t *data, size_t size)
{
  uint64_t sum = 0;
  for (size_t i = 0; i < size; i += 4096)
    sum += data[i];
  return sum;
}

/* Share of the file's pages that are in memory. */
static double
resident (const uint8_t *data, size_t size)
{
  size_t n = (size + 4095) / 4096, k = 0;
  unsigned char *pages = mem_calloc (n, 1);
  if (pages && mincore ((void *) (uintptr_t) data, size, pages) == 0)
    for (size_t i = 0; i < n; i++)
      k += pages[i] & 1;
  mem_free (pages);
  return (double) k / (double) n;
}

/* Does arithmetic for so much of its own CPU time.  Returns: wall seconds */
static double
compute (double seconds)
{
  volatile double x = 1;
  double start = now (CLOCK_MONOTONIC), cpu = now (CLOCK_THREAD_CPUTIME_ID);
  while (now (CLOCK_THREAD_CPUTIME_ID) - cpu < seconds)
    for (int i = 0; i < 100000; i++)
      x = x * 0.999999 + 1e-6;
  return now (CLOCK_MONOTONIC) - start;
}

static bool
forget (const char *path, const uint8_t *data, size_t size)
{
  int fd = open (path, O_RDONLY);
  madvise ((void *) (uintptr_t) data, size, MADV_DONTNEED);
  bool ok = fd >= 0 && posix_fadvise (fd, 0, 0, POSIX_FADV_DONTNEED) == 0;
  if (fd >= 0)
    close (fd);
  return ok;
}

/* The file as the layers of an expert. */
static WeightSet *
layers_of (const uint8_t *data, size_t size, Status *status)
{
  WeightSet *set = weights_new_declared (status);
  int64_t n = (int64_t) (size / 2 / N_LAYERS);
  for (int i = 0; set && i < N_LAYERS; i++)
    weights_bind (set, 1, &n, "expert.blocks.%d.weight", i);
  for (int i = 0; set && i < N_LAYERS; i++)
    set->items[i]->data = data + (size_t) i * (size_t) n * 2;
  return set;
}

static bool
measure (const char *path, const uint8_t *data, size_t size, double seconds, Status *status)
{
  WeightSet *set = layers_of (data, size, status);
  if (!set || !forget (path, data, size))
    return false;
  double cold_share = resident (data, size), t = now (CLOCK_MONOTONIC);
  uint64_t sum = touch_all (data, size);
  double cold = now (CLOCK_MONOTONIC) - t;
  double alone = compute (seconds);
  forget (path, data, size);
  double start_share = resident (data, size);
  Prefetch *p = prefetch_start (set, (const char *const[]){ "expert.", NULL }, size);
  double beside = compute (seconds);
  size_t n_read = prefetch_stop (p);
  double warm_share = resident (data, size);
  t = now (CLOCK_MONOTONIC);
  sum += touch_all (data, size);
  double warm = now (CLOCK_MONOTONIC) - t;
  printf ("{\"bench\":\"prefetch\",\"mib\":%zu,\"resident_before\":%.3f,\"cold_s\":%.2f,"
          "\"compute_s\":%.2f,\"resident_at_start\":%.3f,\"compute_beside_s\":%.2f,"
          "\"read_mib\":%zu,\"resident_then\":%.3f,\"warm_s\":%.2f,\"sum\":%" PRIu64 "}\n",
          size / MIB, cold_share, cold, alone, start_share, beside, n_read / MIB, warm_share, warm,
          sum);
  weights_free (set);
  return true;
}

int
main (int argc, char **argv)
{
  int64_t n_mib = 2048;
  double seconds = 5;
  const char *folder = NULL;
  char path[PATH_SIZE];
  Status status = { 0 };
  for (int i = 1; i < argc; i++)
    if (!strcmp (argv[i], "--mib") && i + 1 < argc)
      n_mib = atoll (argv[++i]);
    else if (!strcmp (argv[i], "--seconds") && i + 1 < argc)
      seconds = atof (argv[++i]);
    else
      folder = argv[i];
  if (!folder || n_mib < N_LAYERS)
    {
      fprintf (stderr, "bench-prefetch: see the head of bench-prefetch.c\n");
      return 2;
    }
  snprintf (path, sizeof path, "%s/bench-prefetch.bin", folder);
  size_t size = (size_t) n_mib * MIB;
  int fd = write_file (path, n_mib) ? open (path, O_RDONLY) : -1;
  void *data = fd >= 0 ? mmap (NULL, size, PROT_READ, MAP_PRIVATE, fd, 0) : MAP_FAILED;
  bool ok = data != MAP_FAILED && measure (path, data, size, seconds, &status);
  if (!ok)
    fprintf (stderr, "bench-prefetch: %s cannot be written or read\n", path);
  if (data != MAP_FAILED)
    munmap (data, size);
  if (fd >= 0)
    close (fd);
  unlink (path);
  return ok ? 0 : 1;
}
