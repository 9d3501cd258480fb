/* SPDX-License-Identifier: MPL-2.0
 * checkops.c - every slot of the CPU backend, on every level that this machine has.
 *
 * checkops [--op NAME] [--level NAME] [--seed N] [--threads N] [--list] [--long] [--bench]
 * [--verbose]
 *
 * --op takes any part of a case's name: "linear" or "linear/bf16/33x65".  All levels share a
 * case's inputs and its f64 reference, which take longer than the slots.  A line of TAP for each
 * level; those that this machine lacks are skipped.  Exit status: 0 all passed, 1 some failed, 2
 * wrong usage.
 */
#include "checkops.h"

#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/mem.h"
#include "support/tap.h"

enum
{
  EXIT_USAGE = 2,
  GUARD_BYTES = 256,
  GUARD_PATTERN = 0xa5,
  MAX_REPORTS = 40, /* failures shown in full */
  INDEX_BITS = 16,
  N_NORMALS = 1 << INDEX_BITS
};

static const uint32_t FILL_BITS = 0x7fc0dead; /* a NaN that no arithmetic makes */

typedef struct
{
  const char *op, *level;
  uint64_t seed;
  int n_threads;
  bool list, long_run, bench, verbose;
} Options;

struct Checker
{
  Options options;
  Backend *backends[MAX_LEVELS];
  int n_backends;
  char name[NAME_SIZE];
  uint64_t random;
  float normals[N_NORMALS]; /* draws that normal () takes its own from */
  Guarded *memory;
  int64_t n_passed[MAX_LEVELS], n_failed[MAX_LEVELS]; /* of each backend */
  int64_t n_reports;
};

static char running[NAME_SIZE * 2]; /* for the signal handler only */

static void
crash_cb (int signal_number)
{
  static const char text[] = "Bail out! touched memory out of bounds: ";
  if (write (STDOUT_FILENO, text, sizeof text - 1) < 0 ||
      write (STDOUT_FILENO, running, strlen (running)) < 0 || write (STDOUT_FILENO, "\n", 1) < 0)
    _exit (EXIT_USAGE);
  _exit (EXIT_FAILURE);
}

/* --- values --- */

/* splitmix64: Steele, Lea, Flood, Fast Splittable Pseudorandom Number Generators, 2014. */
static uint64_t
next_random (Checker *c)
{
  uint64_t z = (c->random += 0x9e3779b97f4a7c15u);
  z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
  z = (z ^ z >> 27) * 0x94d049bb133111ebu;
  return z ^ z >> 31;
}

double
check_uniform (Checker *c)
{
  return ((double) (next_random (c) >> 11) + 0.5) * 0x1p-53;
}

/* Box and Muller, A Note on the Generation of Random Normal Deviates, 1958.  Cases take so many
 * that a logarithm and a cosine for each would cost as much as the slots. */
static void
draw_normals (Checker *c)
{
  c->random = c->options.seed;
  for (int i = 0; i < N_NORMALS; i++)
    {
      double radius = sqrt (-2 * log (check_uniform (c)));
      c->normals[i] = (float) (radius * cos (2 * M_PI * check_uniform (c)));
    }
}

static double
normal (Checker *c)
{
  return c->normals[next_random (c) >> (64 - INDEX_BITS)];
}

static float
one_value (Checker *c, Values values)
{
  switch (values)
    {
    case VALUES_NORMAL:
    case VALUES_ONE_NAN:
      return (float) normal (c);
    case VALUES_OFFSET:
      return (float) (1000 + normal (c));
    case VALUES_HUGE:
      return (float) (1e15 * normal (c));
    case VALUES_TINY:
      return (float) (1e-39 * normal (c));
    case VALUES_ZEROS:
      {
        double u = check_uniform (c);
        return u < 0.4 ? 0.0f : u < 0.8 ? -0.0f : (float) normal (c);
      }
    case VALUES_CONSTANT:
      return 3.1f;
    }
  return NAN;
}

double *
check_doubles (Checker *c, int64_t n)
{
  return guarded_new (&c->memory, (size_t) n * sizeof (double));
}

Outputs
check_outputs (Checker *c, int64_t n)
{
  return (Outputs){ .n = n,
                    .exact = check_doubles (c, n),
                    .scale = check_doubles (c, n),
                    .slack = check_doubles (c, n),
                    .plain = check_floats (c, n) };
}

float *
check_floats (Checker *c, int64_t n)
{
  return guarded_new (&c->memory, (size_t) n * sizeof (float));
}

float *
check_input (Checker *c, int64_t n, Values values)
{
  return check_rows (c, 1, n, n, values);
}

float *
check_rows (Checker *c, int64_t n_rows, int64_t width, int64_t stride, Values values)
{
  float *x = check_floats (c, n_rows * stride);
  for (int64_t i = 0; i < n_rows * stride; i++)
    x[i] = i % stride < width ? one_value (c, values) : NAN;
  if (values == VALUES_ONE_NAN && n_rows > 0)
    {
      int64_t row = (int64_t) (check_uniform (c) * (double) n_rows);
      x[row * stride + (int64_t) (check_uniform (c) * (double) width)] = NAN;
    }
  return x;
}

int32_t *
check_ids (Checker *c, int64_t n, int32_t limit)
{
  int32_t *ids = guarded_new (&c->memory, (size_t) n * sizeof *ids);
  for (int64_t i = 0; i < n; i++)
    ids[i] = (int32_t) (check_uniform (c) * limit);
  return ids;
}

static void
store_param (char *data, DType dtype, float f)
{
  uint16_t half = dtype == DTYPE_F16 ? f32_to_f16 (f) : f32_to_bf16 (f);
  if (dtype == DTYPE_F32)
    memcpy (data, &f, sizeof f);
  else
    memcpy (data, &half, sizeof half);
}

/* One byte more than needed, so that the data can start at an odd address. */
void *
check_bytes (Checker *c, int64_t n_bytes)
{
  char *data = guarded_new (&c->memory, (size_t) n_bytes + 1);
  return data + ((uintptr_t) data % 2 ? 0 : 1);
}

void *
check_memory (Checker *c, size_t n_bytes)
{
  return guarded_new (&c->memory, n_bytes);
}

Param
check_param (Checker *c, DType dtype, int64_t n, Values values, const float **floats)
{
  if (!dtype_is_real (dtype))
    return check_format (c, dtype, n, floats);
  char *data = check_bytes (c, n * (int64_t) dtype_size (dtype));
  float *f = check_floats (c, n);
  for (int64_t i = 0; i < n; i++)
    {
      char *element = data + i * (int64_t) dtype_size (dtype);
      store_param (element, dtype, one_value (c, values));
      f[i] = dtype_load (element, dtype, 0);
    }
  *floats = f;
  return (Param){ .data = data, .dtype = dtype };
}

const char *
check_compute_name (Compute compute)
{
  return compute == COMPUTE_BF16 ? "bf16" : "f32";
}

const char *
check_values_name (Values values)
{
  static const char *const names[] = { "",       "/offset", "/huge",    "/tiny",
                                       "/zeros", "/nan",    "/constant" };
  return names[values];
}

/* --- judging --- */

/* The distance between f32 numbers of @magnitude; 0 for 0: such an element has to be exact. */
static double
ulp_of (double magnitude)
{
  int exponent;
  if (magnitude == 0)
    return 0;
  frexp (magnitude, &exponent);
  return ldexp (1, exponent - FLT_MANT_DIG > -149 ? exponent - FLT_MANT_DIG : -149);
}

/* At least half an ulp: what a plain answer is allowed to have, even where it was lucky. */
static double
plain_error (const Outputs *o)
{
  double worst = FLT_EPSILON / 2;
  for (int64_t i = 0; i < o->n; i++)
    {
      double error = fabs (o->plain[i] - o->exact[i]);
      if (o->exact[i] != GAP && isfinite (error) && o->scale[i] > 0 && error > worst * o->scale[i])
        worst = error / o->scale[i];
    }
  return worst;
}

/* Of @y, for whoever reads a report. */
static double
worst_error (const Outputs *o, const float *y)
{
  double worst = 0;
  for (int64_t i = 0; i < o->n; i++)
    if (o->exact[i] != GAP && o->scale[i] > 0)
      worst = fmax (worst, fabs (y[i] - o->exact[i]) / o->scale[i]);
  return worst;
}

static bool
element_is_right (const Outputs *o, int64_t i, float y, double plain)
{
  double exact = o->exact[i];
  uint32_t bits;
  memcpy (&bits, &y, sizeof bits);
  if (exact == GAP)
    return bits == FILL_BITS;
  if (bits == FILL_BITS)
    return false;
  if (isnan (exact))
    return isnan (y);
  if (isinf ((float) exact))
    return y == (float) exact;
  double error = fabs (y - exact), allowed = 2 * plain * o->scale[i];
  return error <= allowed || error <= allowed + ulp_of (o->scale[i]) + o->slack[i];
}

static void report (Checker *c, int backend, const char *format, ...)
    __attribute__ ((format (printf, 3, 4)));

static void
report (Checker *c, int backend, const char *format, ...)
{
  va_list list;
  c->n_failed[backend]++;
  if (++c->n_reports > MAX_REPORTS)
    return;
  printf ("# FAIL: %s/%s/seed=%llu: ", c->name, c->backends[backend]->level,
          (unsigned long long) c->options.seed);
  va_start (list, format);
  vprintf (format, list);
  va_end (list);
  printf ("\n");
}

static bool
guards_hold (const unsigned char *memory, size_t size_bytes)
{
  for (size_t i = 0; i < GUARD_BYTES; i++)
    if (memory[i] != GUARD_PATTERN || memory[GUARD_BYTES + size_bytes + i] != GUARD_PATTERN)
      return false;
  return true;
}

static void
judge (Checker *c, const Outputs *o, int backend, const unsigned char *memory, double plain)
{
  const float *y = (const float *) (const void *) (memory + GUARD_BYTES);
  int64_t n_wrong = 0, first = -1;
  if (!guards_hold (memory, (size_t) o->n * sizeof (float)))
    {
      report (c, backend, "wrote outside its output");
      return;
    }
  for (int64_t i = 0; i < o->n; i++)
    if (!element_is_right (o, i, y[i], plain))
      {
        n_wrong++;
        first = first < 0 ? i : first;
      }
  if (n_wrong > 0)
    report (c, backend,
            "%lld of %lld wrong, first [%lld] is %.9g, should be %.9g%s; error %.3g, plain %.3g",
            (long long) n_wrong, (long long) o->n, (long long) first, y[first],
            o->exact[first] == GAP ? NAN : o->exact[first],
            o->exact[first] == GAP ? " (a gap)" : "", worst_error (o, y), plain);
  else
    c->n_passed[backend]++;
  if (c->options.verbose && n_wrong == 0)
    printf ("# right: %s/%s/seed=%llu: error %.3g, plain %.3g\n", c->name,
            c->backends[backend]->level, (unsigned long long) c->options.seed, worst_error (o, y),
            plain);
}

bool
check_begin (Checker *c, const char *format, ...)
{
  va_list list;
  va_start (list, format);
  vsnprintf (c->name, sizeof c->name, format, list);
  va_end (list);
  if (c->options.op && !strstr (c->name, c->options.op))
    return false;
  if (c->options.list)
    {
      printf ("%s\n", c->name);
      return false;
    }
  c->random = c->options.seed; /* every case is the same whichever others run */
  for (const char *p = c->name; *p; p++)
    c->random = (c->random ^ (uint64_t) (unsigned char) *p) * 0x100000001b3u;
  return true;
}

void
check_end (Checker *c, const Case *k)
{
  const Outputs *o = &k->outputs;
  size_t size = (size_t) o->n * sizeof (float);
  unsigned char *memory = guarded_new (&c->memory, size + (size_t) 2 * GUARD_BYTES);
  float *y = (float *) (void *) (memory + GUARD_BYTES);
  double plain = plain_error (o);
  for (int i = 0; i < c->n_backends; i++)
    {
      Backend *b = c->backends[i];
      if (k->takes && !k->takes (b, k->args))
        continue;
      snprintf (running, sizeof running, "%s/%s", c->name, b->level);
      memset (memory, GUARD_PATTERN, GUARD_BYTES);
      memset (memory + GUARD_BYTES + size, GUARD_PATTERN, GUARD_BYTES);
      for (int64_t e = 0; e < o->n; e++)
        if (!k->initial || o->exact[e] == GAP)
          memcpy (&y[e], &FILL_BITS, sizeof FILL_BITS);
        else
          y[e] = k->initial[e];
      k->run (b, k->args, y);
      judge (c, o, i, memory, plain);
    }
  guarded_free_all (&c->memory);
}

bool
check_is_long (const Checker *c)
{
  return c->options.long_run;
}

/* --- the program --- */

static bool
parse_options (Options *o, int argc, char **argv)
{
  for (int i = 1; i < argc; i++)
    {
      const char *name = argv[i], *value = i + 1 < argc ? argv[i + 1] : NULL;
      if (strcmp (name, "--list") == 0)
        o->list = true;
      else if (strcmp (name, "--long") == 0)
        o->long_run = true;
      else if (strcmp (name, "--bench") == 0)
        o->bench = true;
      else if (strcmp (name, "--verbose") == 0)
        o->verbose = true;
      else if (!value)
        return false;
      else if (strcmp (name, "--op") == 0)
        o->op = argv[++i];
      else if (strcmp (name, "--level") == 0)
        o->level = argv[++i];
      else if (strcmp (name, "--seed") == 0)
        o->seed = strtoull (argv[++i], NULL, 0);
      else if (strcmp (name, "--threads") == 0)
        o->n_threads = atoi (argv[++i]);
      else
        return false;
    }
  return true;
}

static const char *
wanted_level (const Checker *c, int level)
{
  const char *name = cpu_level_name ((CpuLevel) level);
  return !c->options.level || strcmp (c->options.level, name) == 0 ? name : NULL;
}

/* Returns: false when a level that is here could not be opened, or none is named so */
static bool
open_levels (Checker *c)
{
  bool known = false;
  for (int level = 0; level < CPU_LEVEL_COUNT; level++)
    {
      Status status = { 0 };
      const char *name = wanted_level (c, level);
      known |= name != NULL;
      if (!name || !cpu_has_level ((CpuLevel) level))
        continue;
      Backend *b = backend_cpu_new (name, c->options.n_threads, &status);
      if (!b)
        tap_bail_out (&status);
      c->backends[c->n_backends++] = b;
    }
  return known;
}

static void
run_all (Checker *c)
{
  check_linear (c);
  check_fold (c);
  check_conv2d (c);
  check_conv3d (c);
  check_attention (c);
  check_norms (c);
  check_rope (c);
  check_elementwise (c);
  check_rows_ops (c);
  check_shortcuts (c);
  check_alone (c);
}

static int
tell_results (const Checker *c)
{
  for (int level = 0, i = 0; level < CPU_LEVEL_COUNT; level++)
    {
      const char *name = wanted_level (c, level);
      if (name && !cpu_has_level ((CpuLevel) level))
        tap_skip (name, "this processor lacks it");
      else if (name)
        {
          tap_ok (c->n_failed[i] == 0 && c->n_passed[i] > 0, name,
                  "%lld right, %lld wrong (seed %llu)", (long long) c->n_passed[i],
                  (long long) c->n_failed[i], (unsigned long long) c->options.seed);
          i++;
        }
    }
  return tap_end ();
}

static int
run (Checker *c)
{
  if (c->options.bench)
    {
      bench_all (c->backends, c->n_backends, c->options.op);
      return EXIT_SUCCESS;
    }
  draw_normals (c);
  run_all (c);
  return c->options.list ? EXIT_SUCCESS : tell_results (c);
}

int
main (int argc, char **argv)
{
  Checker c = { .options = { .seed = 7, .n_threads = 2 } };
  if (!parse_options (&c.options, argc, argv) || !open_levels (&c))
    {
      fprintf (stderr,
               "usage: checkops [--op NAME] [--level NAME] [--seed N] [--threads N] [--list] "
               "[--long] [--bench] [--verbose]\n");
      return EXIT_USAGE;
    }
  signal (SIGSEGV, crash_cb);
  signal (SIGBUS, crash_cb);
  setvbuf (stdout, NULL, _IOLBF, 0);
  int result = run (&c);
  for (int i = 0; i < c.n_backends; i++)
    backend_free (c.backends[i]);
  guarded_unmap ();
  return result;
}
