/* SPDX-License-Identifier: MPL-2.0
 * bench-loading.c - ways to bring a file from the disk into a ring of buffers, compared in one run.
 *
 *   bench-loading [--mib N] [--rounds N] FOLDER
 *
 * Writes N MiB (1024) of numbers to FOLDER, which must have room and a real disk under it.  Before
 * each way the system is made to forget the file, and asked whether it has; the ways take turns, so
 * that a busy disk hits all of them.  Prints a JSON object a line: the way, its best and its worst
 * GB/s, and the CPU seconds of the best.  "ahead" is what prefetch.c does; "touched" is a mapping
 * that is read where it is used.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <inttypes.h>
#include <linux/io_uring.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

enum
{
  MIB = 1 << 20,
  PATH_SIZE = 4096,
  N_BUFFERS = 32,
  BUFFER_BYTES = 4 * MIB,
  MAX_THREADS = 16
};

typedef struct
{
  const char *path;
  size_t size;
  char *buffers[N_BUFFERS];
} Bench;

static double
wall (void)
{
  struct timespec t;
  clock_gettime (CLOCK_MONOTONIC, &t);
  return (double) t.tv_sec + 1e-9 * (double) t.tv_nsec;
}

static double
seconds_of (struct timeval t)
{
  return (double) t.tv_sec + 1e-6 * (double) t.tv_usec;
}

static double
cpu (void)
{
  struct rusage r;
  getrusage (RUSAGE_SELF, &r);
  return seconds_of (r.ru_utime) + seconds_of (r.ru_stime);
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

static void *
map_file (const Bench *b)
{
  int fd = open (b->path, O_RDONLY | O_CLOEXEC);
  void *p = mmap (NULL, b->size, PROT_READ, MAP_PRIVATE, fd, 0);
  close (fd);
  return p == MAP_FAILED ? NULL : p;
}

/* Returns: the share of the file that the system has in memory afterwards */
static double
forget (const Bench *b)
{
  const size_t n = b->size / (size_t) sysconf (_SC_PAGESIZE);
  unsigned char *in_memory = calloc (n, 1);
  size_t n_in_memory = 0;
  int fd = open (b->path, O_RDONLY | O_CLOEXEC);
  posix_fadvise (fd, 0, 0, POSIX_FADV_DONTNEED);
  close (fd);
  void *p = map_file (b);
  if (p && in_memory && mincore (p, b->size, in_memory) == 0)
    for (size_t i = 0; i < n; i++)
      n_in_memory += in_memory[i] & 1;
  if (p)
    munmap (p, b->size);
  free (in_memory);
  return (double) n_in_memory / (double) n;
}

/* ---- mapped ---- */

static void
touched (const Bench *b, int unused)
{
  (void) unused;
  char *p = map_file (b);
  for (size_t at = 0; p && at < b->size; at += BUFFER_BYTES)
    memcpy (b->buffers[at / BUFFER_BYTES % N_BUFFERS], p + at, BUFFER_BYTES);
  if (p)
    munmap (p, b->size);
}

/* ---- by several threads ---- */

typedef struct
{
  const Bench *bench;
  char *mapping; /* NULL: read by descriptor */
  int fd;
  size_t piece_bytes;
  atomic_size_t next;
  atomic_bool *is_there; /* pieces */
} Shared;

typedef struct
{
  Shared *shared;
  char *buffer;
} Thread;

static void *
read_pieces (void *data)
{
  Thread *t = data;
  Shared *s = t->shared;
  size_t at;
  while ((at = atomic_fetch_add (&s->next, s->piece_bytes)) < s->bench->size)
    {
      bool ok = s->mapping ? madvise (s->mapping + at, s->piece_bytes, MADV_POPULATE_READ) == 0
                           : pread (s->fd, t->buffer, s->piece_bytes, (off_t) at) > 0;
      if (!ok)
        perror ("bench-loading");
      if (s->is_there)
        atomic_store (&s->is_there[at / s->piece_bytes], true);
    }
  return NULL;
}

static void
start (Shared *s, pthread_t *ids, Thread *threads, int n)
{
  for (int i = 0; i < n; i++)
    {
      threads[i] = (Thread){ s, s->bench->buffers[i] };
      pthread_create (&ids[i], NULL, read_pieces, &threads[i]);
    }
}

/* Pages are brought by threads, and copied in order behind them. */
static void
ahead (const Bench *b, int n_threads)
{
  pthread_t ids[MAX_THREADS];
  Thread threads[MAX_THREADS];
  Shared s = { .bench = b, .mapping = map_file (b), .piece_bytes = BUFFER_BYTES };
  s.is_there = calloc (b->size / BUFFER_BYTES, sizeof *s.is_there);
  start (&s, ids, threads, n_threads);
  for (size_t at = 0; at < b->size; at += BUFFER_BYTES)
    {
      while (!atomic_load (&s.is_there[at / BUFFER_BYTES]))
        usleep (100);
      memcpy (b->buffers[at / BUFFER_BYTES % N_BUFFERS], s.mapping + at, BUFFER_BYTES);
    }
  for (int i = 0; i < n_threads; i++)
    pthread_join (ids[i], NULL);
  munmap (s.mapping, b->size);
  free (s.is_there);
}

static void
by_descriptor (const Bench *b, int flags, int n_threads)
{
  pthread_t ids[MAX_THREADS];
  Thread threads[MAX_THREADS];
  Shared s = { .bench = b, .fd = open (b->path, O_RDONLY | O_CLOEXEC | flags), .piece_bytes = MIB };
  start (&s, ids, threads, n_threads);
  for (int i = 0; i < n_threads; i++)
    pthread_join (ids[i], NULL);
  close (s.fd);
}

static void
cached (const Bench *b, int n_threads)
{
  by_descriptor (b, 0, n_threads);
}

static void
direct (const Bench *b, int n_threads)
{
  by_descriptor (b, O_DIRECT, n_threads);
}

/* ---- io_uring, by the system's calls ---- */

typedef struct
{
  int fd;
  struct io_uring_params p;
  char *sq, *cq;
  struct io_uring_sqe *entries;
} Ring;

static bool
ring_open (Ring *r, unsigned depth)
{
  *r = (Ring){ 0 };
  r->fd = (int) syscall (SYS_io_uring_setup, depth, &r->p);
  if (r->fd < 0)
    return false; /* a container may refuse it */
  const int rw = PROT_READ | PROT_WRITE;
  r->sq = mmap (NULL, r->p.sq_off.array + r->p.sq_entries * sizeof (unsigned), rw, MAP_SHARED,
                r->fd, IORING_OFF_SQ_RING);
  r->cq = mmap (NULL, r->p.cq_off.cqes + r->p.cq_entries * sizeof (struct io_uring_cqe), rw,
                MAP_SHARED, r->fd, IORING_OFF_CQ_RING);
  r->entries =
      mmap (NULL, r->p.sq_entries * sizeof *r->entries, rw, MAP_SHARED, r->fd, IORING_OFF_SQES);
  return true;
}

static atomic_uint *
word_at (char *ring, unsigned offset)
{
  return (atomic_uint *) (void *) (ring + offset);
}

static void
ring_push (Ring *r, int fd, char *to, size_t at, int buffer)
{
  atomic_uint *tail = word_at (r->sq, r->p.sq_off.tail);
  unsigned t = atomic_load (tail), slot = t & (r->p.sq_entries - 1);
  r->entries[slot] = (struct io_uring_sqe){ .opcode = IORING_OP_READ,
                                            .fd = fd,
                                            .addr = (uintptr_t) to,
                                            .len = MIB,
                                            .off = at,
                                            .user_data = (uint64_t) buffer };
  ((unsigned *) (void *) (r->sq + r->p.sq_off.array))[slot] = slot;
  atomic_store (tail, t + 1);
}

/* Returns: a buffer that is filled; -1 while there is none */
static int
ring_pop (Ring *r)
{
  atomic_uint *head = word_at (r->cq, r->p.cq_off.head);
  unsigned h = atomic_load (head);
  if (h == atomic_load (word_at (r->cq, r->p.cq_off.tail)))
    return -1;
  const struct io_uring_cqe *cqes = (void *) (r->cq + r->p.cq_off.cqes);
  int buffer = (int) cqes[h & (r->p.cq_entries - 1)].user_data;
  if (cqes[h & (r->p.cq_entries - 1)].res < 0)
    fprintf (stderr, "bench-loading: %s\n", strerror (-cqes[h & (r->p.cq_entries - 1)].res));
  atomic_store (head, h + 1);
  return buffer;
}

static void
uring (const Bench *b, int depth)
{
  Ring r;
  int unused[N_BUFFERS], n_unused = 0;
  if (!ring_open (&r, (unsigned) depth))
    return;
  int fd = open (b->path, O_RDONLY | O_CLOEXEC | O_DIRECT), buffer;
  while (n_unused < depth)
    {
      unused[n_unused] = n_unused;
      n_unused++;
    }
  for (size_t at = 0; at < b->size || n_unused < depth;)
    {
      unsigned n = 0;
      for (; at < b->size && n_unused > 0; at += MIB, n++)
        {
          buffer = unused[--n_unused];
          ring_push (&r, fd, b->buffers[buffer], at, buffer);
        }
      syscall (SYS_io_uring_enter, r.fd, n, 1, IORING_ENTER_GETEVENTS, NULL, 0);
      while ((buffer = ring_pop (&r)) >= 0)
        unused[n_unused++] = buffer;
    }
  close (fd);
  close (r.fd); /* its mappings go with the program */
}

/* ---- the comparison ---- */

typedef struct
{
  const char *name;
  void (*run) (const Bench *b, int n);
  int n; /* threads, or requests at once */
  double best, worst, cpu, share_in_memory;
} Way;

static void
run_way (const Bench *b, Way *w)
{
  double in_memory = forget (b), start_s = wall (), start_cpu = cpu ();
  w->run (b, w->n);
  double seconds = wall () - start_s, used = cpu () - start_cpu;
  if (in_memory > w->share_in_memory)
    w->share_in_memory = in_memory;
  if (w->best == 0 || seconds < w->best)
    {
      w->best = seconds;
      w->cpu = used;
    }
  if (seconds > w->worst)
    w->worst = seconds;
}

static void
run_all (const Bench *b, int n_rounds)
{
  static Way ways[] = { { "touched", touched, 1 }, { "ahead", ahead, 1 },
                        { "ahead", ahead, 2 },     { "ahead", ahead, 4 },
                        { "cached", cached, 1 },   { "cached", cached, 4 },
                        { "direct", direct, 1 },   { "direct", direct, 2 },
                        { "direct", direct, 4 },   { "direct", direct, 16 },
                        { "io_uring", uring, 8 },  { "io_uring", uring, 32 } };
  const int n_ways = (int) (sizeof ways / sizeof *ways);
  for (int i = 0; i < n_rounds * n_ways; i++)
    run_way (b, &ways[i % n_ways]);
  for (int i = 0; i < n_ways; i++)
    printf ("{\"way\": \"%s\", \"n\": %d, \"best_gbs\": %.3f, \"worst_gbs\": %.3f, "
            "\"cpu_s_per_gb\": %.3f, \"in_memory_before\": %.3f}\n",
            ways[i].name, ways[i].n, (double) b->size / ways[i].best / 1e9,
            (double) b->size / ways[i].worst / 1e9, ways[i].cpu / ((double) b->size / 1e9),
            ways[i].share_in_memory);
}

int
main (int argc, char **argv)
{
  int64_t n_mib = 1024;
  int n_rounds = 3;
  char path[PATH_SIZE];
  for (int i = 1; i + 2 < argc; i += 2)
    if (!strcmp (argv[i], "--mib"))
      n_mib = strtoll (argv[i + 1], NULL, 10) / 4 * 4;
    else if (!strcmp (argv[i], "--rounds"))
      n_rounds = atoi (argv[i + 1]);
  if (argc < 2 || n_mib <= 0 || n_rounds <= 0)
    {
      fprintf (stderr, "usage: bench-loading [--mib N] [--rounds N] FOLDER\n");
      return 2;
    }
  snprintf (path, sizeof path, "%s/bench-loading.bin", argv[argc - 1]);
  Bench b = { .path = path, .size = (size_t) n_mib * MIB };
  bool ok = write_file (path, n_mib);
  for (int i = 0; i < N_BUFFERS; i++)
    b.buffers[i] = mmap (NULL, BUFFER_BYTES, PROT_READ | PROT_WRITE,
                         MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
  if (ok)
    run_all (&b, n_rounds);
  else
    perror (path);
  unlink (path);
  return ok ? 0 : 1;
}
