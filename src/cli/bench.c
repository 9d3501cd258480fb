/* SPDX-License-Identifier: MPL-2.0
 * bench.c - `gesso-cli bench`: how fast each operator and whole passes are here, beside the peaks
 * of the same run.
 *
 * Weights are made up, since speed does not depend on values.  A share counts floating point
 * operations against the largest product of the run, bytes against the copy of the run.  A pass's
 * floor is its operations at that peak, or its weights read once, whichever takes longer.
 */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "backend/backend.h"
#include "cli/bench-rows.h"
#include "cli/cli.h"
#include "core/mem.h"
#include "pipelines/bench-passes.h"

enum
{
  FLAG_BACKEND = 1000,
  FLAG_VRAM_LIMIT,
  FLAG_SMALL,
  FLAG_JSON,
  FLAG_THREADS,
  FLAG_ONLY,
  FLAG_SECONDS,
  ROUNDS = 7,
  N_BUFFERS = 3,
  MAX_REPEATS = 1000,
  PASS_ROUNDS = 5
};

static const double ROUND_SECONDS = 0.05;
/* What weights come to a card at, to guess how long a pass will take: a slow file's rate. */
static const double LOAD_RATE = 2e9;

static const struct option flags[] = {
  { "backend", required_argument, NULL, FLAG_BACKEND },
  { "vram-limit", required_argument, NULL, FLAG_VRAM_LIMIT },
  { "threads", required_argument, NULL, FLAG_THREADS },
  { "only", required_argument, NULL, FLAG_ONLY },
  { "seconds", required_argument, NULL, FLAG_SECONDS },
  { "small", no_argument, NULL, FLAG_SMALL },
  { "json", no_argument, NULL, FLAG_JSON },
  { "help", no_argument, NULL, 'h' },
  { NULL, 0, NULL, 0 },
};

typedef struct
{
  Backend *backend;
  bool small, json;
  const char *only;      /* a part of the name of what is measured; NULL: all */
  double seconds, start; /* that it may take, 0: any; when it began */
  void *buffer[N_BUFFERS];
  size_t buffer_bytes, element_bytes;
  uint16_t *weights; /* bf16 */
  size_t n_weights;
  double copy_rate, peak; /* bytes and operations in a second */
} Bench;

static void
run_row (const Bench *b, const BenchRow *r)
{
  const BenchOperands o = {
    b->buffer[0], b->buffer[1], b->buffer[2], { .data = b->weights, .dtype = DTYPE_BF16 }
  };
  bench_row_run (b->backend, r, &o);
}

static double
seconds_now (void)
{
  struct timespec t;
  clock_gettime (CLOCK_MONOTONIC, &t);
  return (double) t.tv_sec + 1e-9 * (double) t.tv_nsec;
}

static bool
finish (const Bench *b, Status *status)
{
  const DeviceMemory *memory = b->backend->device.memory;
  return !memory || memory->finish (&b->backend->device, status);
}

static bool
time_repeats (const Bench *b, const BenchRow *r, int n, double *seconds, Status *status)
{
  double start = seconds_now ();
  for (int i = 0; i < n; i++)
    run_row (b, r);
  bool ok = finish (b, status);
  *seconds = (seconds_now () - start) / n;
  return ok;
}

static int
compare_doubles (const void *x, const void *y)
{
  double a = *(const double *) x, b = *(const double *) y;
  return (a > b) - (a < b);
}

/* The median of ROUNDS rounds after one to get warm. */
static bool
time_row (const Bench *b, const BenchRow *r, double *seconds, Status *status)
{
  double rounds[ROUNDS], once;
  if (!time_repeats (b, r, 1, &once, status) || !time_repeats (b, r, 1, &once, status))
    return false;
  int n = b->small || once > ROUND_SECONDS ? 1 : (int) (ROUND_SECONDS / (once + 1e-9)) + 1;
  n = n < MAX_REPEATS ? n : MAX_REPEATS;
  int n_rounds = b->small ? 1 : ROUNDS;
  for (int i = 0; i < n_rounds; i++)
    if (atomic_load (&cli_cancel))
      return status_fail (status, STATUS_CANCELLED, "Cancelled.");
    else if (!time_repeats (b, r, n, &rounds[i], status))
      return false;
  qsort (rounds, (size_t) n_rounds, sizeof *rounds, compare_doubles);
  *seconds = rounds[n_rounds / 2];
  return true;
}

static void
print_row (Bench *b, int i, const BenchRow *r, double seconds)
{
  double flops = bench_row_operations (r) / seconds, peak = b->peak;
  double bytes = bench_row_elements (r) * (double) b->element_bytes / seconds;
  bool computes = bench_row_operations (r) > 0;
  if (i == 0)
    b->copy_rate = bytes;
  if (i == 1)
    b->peak = peak = flops;
  double share = computes ? flops / peak : bytes / b->copy_rate;
  BackendTimes both;
  bool has_both = computes && b->backend->compared && b->backend->compared (b->backend, &both);
  if (b->json)
    printf ("{\"name\": \"%s\", \"ms\": %.4f, \"%s\": %.4g, \"share\": %.3f", r->name,
            seconds * 1e3, computes ? "flops" : "bytes_per_s", computes ? flops : bytes, share);
  else
    printf ("%-36s %10.3f ms %9.2f %-8s %5.0f %% of the run's %s", r->name, seconds * 1e3,
            computes ? flops * 1e-12 : bytes * 1e-9, computes ? "TFLOP/s" : "GB/s", share * 100,
            computes ? "largest product" : "copy");
  if (has_both && b->json)
    printf (", \"own_ms\": %.4f, \"library\": \"%s\", \"library_ms\": %.4f", both.own_ms,
            both.library, both.library_ms);
  else if (has_both)
    printf ("; ours %.3f ms, %s %.3f ms", both.own_ms, both.library, both.library_ms);
  printf (b->json ? "}\n" : "\n");
  fflush (stdout);
}

/* ---- whole passes ---- */

static bool
is_wanted (const Bench *b, const char *name)
{
  return !b->only || strstr (name, b->only);
}

static double
seconds_left (const Bench *b)
{
  return b->seconds > 0 ? b->seconds - (seconds_now () - b->start) : 1e9;
}

static void
print_pass (const Bench *b, const char *name, const BenchPassCosts *c, double first, double seconds)
{
  double copy_seconds = (double) c->weight_bytes / b->copy_rate, floor = c->flops / b->peak;
  floor = floor > copy_seconds ? floor : copy_seconds;
  if (b->json)
    printf ("{\"name\": \"%s\", \"ms\": %.3f, \"flops\": %.4g, \"floor_ms\": %.3f, "
            "\"times_floor\": %.3f, \"first_ms\": %.1f, \"parameters\": %lld, "
            "\"weight_bytes\": %lld, \"activation_bytes\": %zu",
            name, seconds * 1e3, c->flops / seconds, floor * 1e3, seconds / floor, first * 1e3,
            (long long) c->n_parameters, (long long) c->weight_bytes, c->activation_bytes);
  else
    printf ("%-36s %10.3f ms %9.2f TFLOP/s  %5.2f times its floor; %lld + %zu MiB, first %.1f s",
            name, seconds * 1e3, c->flops / seconds * 1e-12, seconds / floor,
            (long long) (c->weight_bytes >> 20), c->activation_bytes >> 20, first);
  double eager, graph; /* of the pass that was tried last: this one, or none */
  if (b->backend->graph_times && b->backend->graph_times (b->backend, &eager, &graph))
    printf (b->json ? ", \"eager_ms\": %.3f, \"graph_ms\": %.3f"
                    : "; launches %.3f ms, graph %.3f ms",
            eager, graph);
  printf (b->json ? "}\n" : "\n");
  fflush (stdout);
}

static void
print_not_measured (const Bench *b, const char *name, const char *reason)
{
  if (b->json)
    {
      printf ("{\"name\": \"%s\", \"not_measured\": ", name);
      json_print_string (reason);
      printf ("}\n");
    }
  else
    printf ("%-36s not measured: %s\n", name, reason);
  fflush (stdout);
}

/* The first brings the weights; then the median of a few, as many as there is time for. */
static bool
time_pass (const Bench *b, BenchPass *pass, double *first, double *seconds, Status *status)
{
  double rounds[PASS_ROUNDS], start = seconds_now ();
  int n = 0, n_rounds = b->small ? 1 : PASS_ROUNDS;
  if (!bench_pass_run (pass, status))
    return false;
  *first = seconds_now () - start;
  do
    {
      start = seconds_now ();
      if (!bench_pass_run (pass, status))
        return false;
      rounds[n++] = seconds_now () - start;
    }
  while (n < n_rounds && rounds[n - 1] < seconds_left (b));
  qsort (rounds, (size_t) n, sizeof *rounds, compare_doubles);
  *seconds = rounds[n / 2];
  return true;
}

/* What does not fit the card or the time is said and left. */
static bool
run_pass (const Bench *b, int i, Status *status)
{
  const char *name = bench_pass_name (i);
  Status own = { 0 };
  double first = 0, seconds = 0;
  BenchPass *pass = bench_pass_new (i, b->small, b->backend, &cli_cancel, &own);
  BenchPassCosts costs = pass ? bench_pass_costs (pass) : (BenchPassCosts){ 0 };
  double guess = 4 * costs.flops / b->peak + (double) costs.weight_bytes / LOAD_RATE;
  if (pass && guess > seconds_left (b))
    print_not_measured (b, name, "it would take longer than there is time for.");
  else if (pass && time_pass (b, pass, &first, &seconds, &own))
    print_pass (b, name, &costs, first, seconds);
  else if (own.code == STATUS_NO_MEMORY)
    print_not_measured (b, name, own.message);
  else
    status_fail (status, own.code, "%s", own.message);
  bench_pass_free (pass);
  return status_ok (status);
}

/* On a processor only when asked for by name: most would take minutes. */
static bool
run_passes (const Bench *b, Status *status)
{
  bool ok = true;
  for (int i = 0; ok && i < bench_n_passes (); i++)
    if (is_wanted (b, bench_pass_name (i)) && (b->only || b->backend->device.memory))
      ok = run_pass (b, i, status);
  return ok;
}

/* ---- all of it ---- */

static bool
take_buffers (Bench *b, Status *status)
{
  Device *d = &b->backend->device;
  size_t n_values = 0, n, m;
  for (int i = 0; i < bench_n_rows (); i++)
    {
      BenchRow r = bench_row (i, b->small);
      bench_row_sizes (&r, &n, &m);
      n_values = n > n_values ? n : n_values;
      b->n_weights = m > b->n_weights ? m : b->n_weights;
    }
  DType type = device_activation (d, b->backend->fastest);
  b->element_bytes = dtype_size (type);
  b->buffer_bytes = n_values * b->element_bytes;
  b->weights = mem_calloc (b->n_weights, sizeof *b->weights);
  float *values = mem_calloc (n_values, sizeof *values);
  if (d->memory)
    d->memory->begin (d, type, NULL);
  bool ok = b->weights && values;
  for (size_t i = 0; ok && i < b->n_weights; i++)
    b->weights[i] = f32_to_bf16 ((float) ((int) (i * 2654435761u >> 16 & 255) - 128) / 2048);
  for (size_t i = 0; ok && i < n_values; i++)
    values[i] = (float) ((int) (i * 2654435761u >> 20 & 255) - 128) / 128;
  for (int i = 0; ok && i < N_BUFFERS; i++)
    {
      b->buffer[i] =
          d->memory ? d->memory->take (d, b->buffer_bytes, status) : mem_map (b->buffer_bytes);
      ok = b->buffer[i] != NULL;
      if (ok && d->memory)
        d->memory->upload (d, b->buffer[i], type, values, (int64_t) n_values);
      else if (ok)
        memcpy (b->buffer[i], values, b->buffer_bytes);
    }
  mem_free (values);
  return ok || status_fail (status, STATUS_NO_MEMORY, "Out of memory: close other programs.");
}

/* Gives the passes the memory that operators had. */
static void
give_buffers_back (Bench *b)
{
  Device *d = b->backend ? &b->backend->device : NULL;
  for (int i = 0; d && i < N_BUFFERS; i++)
    if (b->buffer[i] && d->memory)
      d->memory->give_back (d, b->buffer[i]);
    else if (b->buffer[i])
      mem_unmap (b->buffer[i], b->buffer_bytes);
  memset (b->buffer, 0, sizeof b->buffer);
  backend_forget (b->backend);
}

static void
bench_clear (Bench *b)
{
  give_buffers_back (b);
  backend_free (b->backend);
  mem_free (b->weights);
}

static bool
run_all (Bench *b, const BackendChoice *choice, Status *status)
{
  b->start = seconds_now ();
  setenv ("GESSO_CUDA_LIBRARIES", "measure", 0); /* in this run, whatever was known */
  b->backend = backend_new (choice, status);
  if (!b->backend || !take_buffers (b, status))
    return false;
  const char *name = b->backend->device_name ? b->backend->device_name : b->backend->name;
  if (b->json)
    {
      printf ("{\"device\": ");
      json_print_string (name);
      printf (", \"level\": \"%s\"}\n", b->backend->level);
    }
  else
    printf ("%s, %s%s\n", name, b->backend->level,
            b->small ? ", shapes a 32nd of what is named: no measurement" : "");
  for (int i = 0; i < bench_n_rows (); i++)
    {
      BenchRow r = bench_row (i, b->small);
      double seconds = 0;
      if (i > 1 && !is_wanted (b, r.name)) /* the first two are what others are measured against */
        continue;
      if (!time_row (b, &r, &seconds, status))
        return false;
      print_row (b, i, &r, seconds);
    }
  give_buffers_back (b);
  return run_passes (b, status);
}

static void
print_help (const char *usage)
{
  printf ("%s", usage);
  printf ("      --backend NAME         cuda (the default), cuda:1, or cpu\n"
          "      --vram-limit MIB       how much of the card's memory to take\n"
          "      --threads N            threads of the CPU; 0 for one a core\n"
          "      --only TEXT            only what has TEXT in its name\n"
          "      --seconds N            leave out passes that would take longer than N in all\n"
          "      --small                small shapes, once: to see that it works\n"
          "      --json                 JSON lines on standard output\n"
          "  -h, --help                 this text\n");
}

/* Returns: false and @status; @help is set by --help */
static bool
parse (int argc, char **argv, Bench *b, BackendChoice *choice, bool *help, Status *status)
{
  int flag;
  opterr = 0;
  while ((flag = getopt_long (argc, argv, ":h", flags, NULL)) >= 0)
    switch (flag)
      {
      case FLAG_BACKEND:
        choice->name = optarg;
        break;
      case FLAG_VRAM_LIMIT:
        choice->memory_limit_mib = strtol (optarg, NULL, 10);
        break;
      case FLAG_THREADS:
        choice->n_threads = (int) strtol (optarg, NULL, 10);
        break;
      case FLAG_ONLY:
        b->only = optarg;
        break;
      case FLAG_SECONDS:
        b->seconds = strtod (optarg, NULL);
        break;
      case FLAG_SMALL:
        b->small = true;
        break;
      case FLAG_JSON:
        b->json = true;
        break;
      case 'h':
        return *help = true;
      default:
        return status_fail (status, STATUS_ARGUMENT, "bench does not take %s that way.",
                            argv[optind - 1]);
      }
  return optind == argc ||
         status_fail (status, STATUS_ARGUMENT, "bench takes no names: %s", argv[optind]);
}

int
command_bench (int argc, char **argv, const char *usage)
{
  Bench b = { 0 };
  Status status = { 0 };
  BackendChoice choice = { .name = "cuda" };
  bool help = false;
  if (!parse (argc, argv, &b, &choice, &help, &status))
    return cli_usage_error (&status);
  if (help)
    print_help (usage);
  bool ok = help || run_all (&b, &choice, &status);
  bench_clear (&b);
  return ok ? EXIT_DONE : cli_fail (&status, b.json);
}
