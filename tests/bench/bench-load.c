/* SPDX-License-Identifier: MPL-2.0
 * bench-load.c - opening a model of twelve thousand million parameters in scaled fp8: time, and
 * whose memory it takes.
 *
 *   bench-load [--folder DIR] [--check]
 *
 * Writes FLUX.1 dev's transformer as a sparse file (a header, and holes that read as zeros), opens
 * it, binds the network, then touches every page, as a step does.  Anonymous memory is the
 * program's own; file pages are the system's cache, which it may drop.  With --check the program
 * fails when the model is doubled, and is skipped (77) where 16 GB are not free.
 */
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "models/flux.h"
#include "tools/full-size.h"
#include "weights/checkpoint.h"

enum
{
  EXIT_SKIPPED = 77,
  NEEDED_GB = 16,
  MOST_ANONYMOUS_KB = 256 << 10, /* names, tables and scales take 8 MB; a copy would take 12 GB */
  PAGE = 4096
};

static double
seconds (clockid_t clock)
{
  struct timespec t;
  clock_gettime (clock, &t);
  return (double) t.tv_sec + 1e-9 * (double) t.tv_nsec;
}

/* A line of /proc/self/status or /proc/meminfo, in kB; 0 when it is not there. */
static long
proc_kb (const char *path, const char *key)
{
  char line[256];
  long kb = 0;
  FILE *file = fopen (path, "r");
  while (file && fgets (line, sizeof line, file))
    if (strncmp (line, key, strlen (key)) == 0)
      kb = strtol (line + strlen (key), NULL, 10);
  if (file)
    fclose (file);
  return kb;
}

typedef struct
{
  double wall, cpu;
} Clock;

/* Time since the last stage, and memory up to now. */
static void
report (Clock *since, const char *stage)
{
  static const char status[] = "/proc/self/status";
  Clock now = { seconds (CLOCK_MONOTONIC), seconds (CLOCK_PROCESS_CPUTIME_ID) };
  printf ("%-6s %9.1f ms wall %9.1f ms CPU   resident %6.2f GB at most: anonymous %7.1f MB, file "
          "pages %6.2f GB\n",
          stage, 1e3 * (now.wall - since->wall), 1e3 * (now.cpu - since->cpu),
          (double) proc_kb (status, "VmHWM:") / 1e6, (double) proc_kb (status, "RssAnon:") / 1e3,
          (double) proc_kb (status, "RssFile:") / 1e6);
  *since = now;
}

/* ---- the file ---- */

typedef struct
{
  FILE *header; /* into memory first: its length stands in front */
  uint64_t at;
  bool first;
} Sparse;

/* A tensor as the file has it: diffusers keeps the last modulation's halves in one. */
typedef struct
{
  char name[256];
  int rank;
  int64_t ne[WEIGHT_MAX_RANK], n;
  bool is_matrix;
} Stored;

static bool
stored_as (const Weight *w, Stored *t)
{
  static const char prefix[] = "transformer.";
  static const char first[] = "norm_out.scale.", second[] = "norm_out.shift.";
  if (strncmp (w->name, prefix, sizeof prefix - 1) != 0)
    return false;
  const char *name = w->name + sizeof prefix - 1;
  if (strncmp (name, second, sizeof second - 1) == 0)
    return false;
  bool is_half = strncmp (name, first, sizeof first - 1) == 0;
  *t = (Stored){ .rank = w->rank, .n = is_half ? 2 : 1 };
  snprintf (t->name, sizeof t->name, "%s%s", is_half ? "norm_out.linear." : "",
            is_half ? name + sizeof first - 1 : name);
  for (int d = 0; d < w->rank; d++)
    {
      t->ne[d] = w->ne[d] * (is_half && d == 0 ? 2 : 1);
      t->n *= w->ne[d];
    }
  t->is_matrix = w->rank == 2 && strstr (t->name, ".weight");
  return true;
}

static void
add_tensor (Sparse *s, const char *name, const char *type, const Stored *t, int64_t n_bytes)
{
  fprintf (s->header, "%s\"%s\":{\"dtype\":\"%s\",\"shape\":[", s->first ? "{" : ",", name, type);
  for (int d = 0; t && d < t->rank; d++)
    fprintf (s->header, "%s%" PRId64, d ? "," : "", t->ne[d]);
  fprintf (s->header, "],\"data_offsets\":[%" PRIu64 ",%" PRIu64 "]}", s->at,
           s->at + (uint64_t) n_bytes);
  s->at += (uint64_t) n_bytes;
  s->first = false;
}

/* Matrices in fp8 with a scale each, vectors in bf16, under the names of a diffusers file; large
 * elements first, as safetensors' own writer has it. */
static void
add_weights (Sparse *s, const WeightSet *set)
{
  enum
  {
    SCALES,
    VECTORS,
    MATRICES,
    N_PASSES
  };
  for (int pass = SCALES; pass < N_PASSES; pass++)
    for (int i = 0; i < weights_count (set); i++)
      {
        Stored t;
        char scale[300];
        if (!stored_as (weights_at (set, i), &t) || t.is_matrix != (pass != VECTORS))
          continue;
        int n_base = (int) strlen (t.name) - (int) strlen (".weight");
        snprintf (scale, sizeof scale, "%.*s.scale_weight", n_base, t.name);
        if (pass == SCALES)
          add_tensor (s, scale, "F32", NULL, sizeof (float));
        else
          add_tensor (s, t.name, t.is_matrix ? "F8_E4M3" : "BF16", &t, t.is_matrix ? t.n : 2 * t.n);
      }
  fprintf (s->header, "}");
}

static bool
make_file (const char *path, const WeightSet *set)
{
  char *text = NULL;
  size_t size = 0;
  Sparse s = { .header = open_memstream (&text, &size), .first = true };
  if (!s.header)
    return false;
  add_weights (&s, set);
  fclose (s.header);
  uint64_t length = size;
  FILE *file = fopen (path, "wb");
  bool ok = file && fwrite (&length, sizeof length, 1, file) == 1 &&
            fwrite (text, 1, size, file) == size && fflush (file) == 0 &&
            ftruncate (fileno (file), (off_t) (sizeof length + size + s.at)) == 0;
  if (file)
    fclose (file);
  free (text);
  printf ("a file of %.2f GB, sparse\n", (double) s.at / 1e9);
  return ok;
}

/* ---- loading ---- */

static uint64_t
touch_all (const WeightSet *set)
{
  uint64_t sum = 0;
  for (int i = 0; i < weights_count (set); i++)
    {
      const Weight *w = weights_at (set, i);
      const volatile uint8_t *p = w->data;
      int64_t n = w->data ? weight_bytes (w) : 0;
      for (int64_t k = 0; k < n; k += PAGE)
        sum += p[k];
    }
  return sum;
}

static bool
load (const char *path, Status *status)
{
  Clock clock = { seconds (CLOCK_MONOTONIC), seconds (CLOCK_PROCESS_CPUTIME_ID) };
  Checkpoint *c = checkpoint_open (path, false, status);
  if (!c)
    return false;
  report (&clock, "open");
  Arena arena = { 0 };
  Binder b = { c->weights, &arena, status };
  bool ok = flux_bind (&b, &c->config.flux) != NULL && weights_check (c->weights, status);
  report (&clock, "bind");
  if (ok)
    printf ("%.3f G parameters in %.2f GB%s\n",
            (double) weights_parameters (c->weights, "transformer.") / 1e9,
            (double) c->file_bytes / 1e9, touch_all (c->weights) ? " (not of zeros)" : "");
  report (&clock, "touch");
  weights_wont_need (c->weights, flux_is_modulation_weight);
  report (&clock, "drop modulation");
  arena_clear (&arena);
  checkpoint_free (c);
  return ok;
}

int
main (int argc, char **argv)
{
  const char *folder = "/var/tmp";
  bool is_check = false;
  char path[512];
  Status status = { 0 };
  for (int i = 1; i < argc; i++)
    if (strcmp (argv[i], "--check") == 0)
      is_check = true;
    else if (strcmp (argv[i], "--folder") == 0 && i + 1 < argc)
      folder = argv[++i];
  if (is_check && proc_kb ("/proc/meminfo", "MemAvailable:") < (long) NEEDED_GB * 1000000)
    {
      printf ("less than %d GB of memory are free\n", NEEDED_GB);
      return EXIT_SKIPPED;
    }
  snprintf (path, sizeof path, "%s/gesso-bench-load-%ld.safetensors", folder, (long) getpid ());
  WeightSet *set = full_size_declare (full_size_find ("flux-dev"), &status);
  bool ok = set && make_file (path, set) && load (path, &status);
  unlink (path);
  if (set)
    weights_free (set);
  if (!status_ok (&status))
    printf ("%s\n", status.message);
  long anonymous = proc_kb ("/proc/self/status", "RssAnon:");
  if (is_check && anonymous > MOST_ANONYMOUS_KB)
    printf ("%ld kB of anonymous memory are more than %d\n", anonymous, MOST_ANONYMOUS_KB);
  return ok && (!is_check || anonymous <= MOST_ANONYMOUS_KB) ? EXIT_SUCCESS : EXIT_FAILURE;
}
