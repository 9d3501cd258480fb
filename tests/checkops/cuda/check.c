/* SPDX-License-Identifier: MPL-2.0
 * check.c - the cases' memory, the judge, and the lines that have to matter.
 *
 * checkops-cuda [--family NAME] [--op NAME] [--seed N] [--full] [--list] [--mutate] [--verbose]
 *
 * --op takes any part of a case's name; families are small, products, attention. --mutate
 * runs each case again without each barrier, wait and bound that it passes (one at a time): some
 * case has to fail, or the line is not covered. Exit status: 0 all passed, 1 some failed, 2 wrong
 * usage, 77 (skipped) when there is no device.
 */
#include "check.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "mutate.h"

enum
{
  EXIT_SKIPPED = 77,
  EXIT_USAGE = 2,
  NAME_SIZE = 160,
  MAX_BUFFERS = 32,
  MAX_BEFORE = 4,
  MAX_REPORTS = 30
};

typedef struct
{
  void *device;
  void *initial; /* NULL: nothing */
  size_t size_bytes;
} Buffer;

typedef struct
{
  Launch launch;
  void *args;
} Step;

struct Check
{
  const char *family, *op;
  uint64_t seed;
  bool full, list, mutate, verbose;
  char name[NAME_SIZE];
  uint64_t random;
  Buffer buffers[MAX_BUFFERS];
  int n_buffers;
  float *floats[MAX_BUFFERS];
  int n_floats;
  Step before[MAX_BEFORE];
  int n_before;
  double worst_rms, worst_share;
  int64_t n_cases, n_failed;
};

/* --- values --- */

/* splitmix64: Steele, Lea, Flood, Fast Splittable Pseudorandom Number Generators, 2014. */
static uint64_t
next_random (Check *c)
{
  uint64_t z = (c->random += 0x9e3779b97f4a7c15u);
  z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
  z = (z ^ z >> 27) * 0x94d049bb133111ebu;
  return z ^ z >> 31;
}

double
check_uniform (Check *c)
{
  return ((double) (next_random (c) >> 11) + 0.5) * 0x1p-53;
}

/* Normal; one in 64 is ten times as large, one in 64 is zero. */
static float
one_value (Check *c)
{
  double v = sqrt (-2 * log (check_uniform (c))) * cos (2 * M_PI * check_uniform (c));
  uint64_t kind = next_random (c) % 64;
  return kind == 0 ? 0 : (float) (kind == 1 ? 10 * v : v);
}

bool
check_is_full (const Check *c)
{
  return c->full;
}

const char *
check_type_name (GkType type)
{
  static const char *const names[] = { "bf16", "f16", "f32" };
  return names[type];
}

const void *
check_at (GkType type, const void *p, int64_t i)
{
  return (const char *) p + i * (type == GK_TYPE_F32 ? 4 : 2);
}

/* --- memory --- */

static void *
add_buffer (Check *c, size_t size_bytes, void *initial, const char *name, int granule_bytes)
{
  Buffer *b = &c->buffers[c->n_buffers++];
  if (c->n_buffers > MAX_BUFFERS)
    exit (EXIT_USAGE);
  *b = (Buffer){ device_alloc (size_bytes, name, granule_bytes), initial, size_bytes };
  return b->device;
}

float *
check_host (Check *c, int64_t n)
{
  if (c->n_floats == MAX_BUFFERS)
    exit (EXIT_USAGE);
  return c->floats[c->n_floats++] = calloc ((size_t) n + 1, sizeof (float));
}

void *
check_upload (Check *c, const void *host, size_t size_bytes, const char *name)
{
  void *initial = malloc (size_bytes + 1);
  memcpy (initial, host, size_bytes);
  return add_buffer (c, size_bytes, initial, name, 1);
}

void *
check_scratch (Check *c, size_t size_bytes)
{
  return add_buffer (c, size_bytes, NULL, "scratch", 2);
}

static uint16_t
round_to (GkType type, float f)
{
  return type == GK_TYPE_F16 ? f32_to_f16 (f) : f32_to_bf16 (f);
}

static float
value_of (GkType type, uint16_t bits)
{
  return type == GK_TYPE_F16 ? f16_to_f32 (bits) : bf16_to_f32 (bits);
}

static Values
upload_values (Check *c, GkType type, float *host, int64_t n)
{
  if (type == GK_TYPE_F32)
    return (Values){ check_upload (c, host, (size_t) n * sizeof *host, "an f32 input"), host };
  uint16_t *bits = malloc ((size_t) n * sizeof *bits + 1);
  for (int64_t i = 0; i < n; i++)
    {
      bits[i] = round_to (type, host[i]);
      host[i] = value_of (type, bits[i]);
    }
  return (Values){ add_buffer (c, (size_t) n * sizeof *bits, bits, "an input", 2), host };
}

Values
check_values (Check *c, GkType type, int64_t n, float scale, float offset)
{
  float *host = check_host (c, n);
  for (int64_t i = 0; i < n; i++)
    host[i] = one_value (c) * scale + offset;
  return upload_values (c, type, host, n);
}

Values
check_rows (Check *c, GkType type, int64_t n_rows, int64_t width, int64_t stride)
{
  float *host = check_host (c, n_rows * stride);
  for (int64_t i = 0; i < n_rows * stride; i++)
    host[i] = i % stride < width ? one_value (c) : NAN;
  return upload_values (c, type, host, n_rows * stride);
}

Values
check_floats (Check *c, int64_t n, float scale, float offset)
{
  return check_values (c, GK_TYPE_F32, n, scale, offset);
}

static size_t
element_bytes (OutType type)
{
  return type == OUT_BYTES || type == OUT_E4M3 ? 1 : type == OUT_F32 ? 4 : 2;
}

Output
check_output (Check *c, OutType type, int64_t n, void *device)
{
  size_t size_bytes = (size_t) n * element_bytes (type);
  return (Output){ .device = device ? device
                                    : add_buffer (c, size_bytes, NULL, "the output",
                                                  element_bytes (type) == 1 ? 1 : 2),
                   .type = type,
                   .n = n,
                   .exact = check_host (c, n),
                   .magnitude = check_host (c, n) };
}

Param
check_param (const Values *v)
{
  return (Param){ .data = v->host, .dtype = DTYPE_F32 };
}

static void
free_case (Check *c)
{
  for (int i = 0; i < c->n_buffers; i++)
    {
      device_free (c->buffers[i].device);
      free (c->buffers[i].initial);
    }
  for (int i = 0; i < c->n_floats; i++)
    free (c->floats[i]);
  for (int i = 0; i < c->n_before; i++)
    free (c->before[i].args);
  c->n_buffers = c->n_floats = c->n_before = 0;
}

/* --- judging --- */

static float
element (const Output *o, const void *data, int64_t i)
{
  switch (o->type)
    {
    case OUT_BF16:
    case OUT_F16:
      return value_of ((GkType) o->type, ((const uint16_t *) data)[i]);
    case OUT_F32:
      return ((const float *) data)[i];
    case OUT_BYTES:
      return ((const uint8_t *) data)[i];
    case OUT_E4M3:
      return dtype_load (data, DTYPE_F8_E4M3, i);
    }
  return NAN;
}

static bool
is_untouched (const Output *o, const void *data, int64_t i)
{
  const uint8_t *bytes = (const uint8_t *) data + (size_t) i * element_bytes (o->type);
  for (size_t k = 0; k < element_bytes (o->type); k++)
    if (bytes[k] != 0xff)
      return false;
  return true;
}

/* Limits on the relative root mean square error, and on an element's share of its magnitude: see
 * check.h.  f32 results are sums of f32 in another order; bytes may fall to either side; of e4m3
 * the magnitude is half a step (and a little, where the exact value lies between two). */
static const double rms_limit[] = { 4e-3, 5e-4, 1e-5, 4e-3, 3e-2 };
static const double share_limit[] = { 1.0 / 64, 1.0 / 512, 1e-4, 1.01, 1.01 };

/* What is wrong with @data in @text, or false. */
static bool
find_fault (Check *c, const Output *o, const void *data, char *text, size_t text_bytes)
{
  double squares = 0, errors = 0, worst = 0;
  int64_t at = -1;
  for (int64_t i = 0; i < o->n; i++)
    {
      double exact = o->exact[i], y = element (o, data, i), error = fabs (y - exact);
      double magnitude = o->type == OUT_BYTES  ? 1
                         : o->magnitude[i] > 0 ? o->magnitude[i]
                                               : fabs (exact) + 1e-6;
      if (o->type == OUT_F16)
        magnitude += 0x1p-15; /* half of the smallest f16, 2^-25, over the limit */
      if (o->exact[i] == GAP)
        {
          if (is_untouched (o, data, i))
            continue;
          snprintf (text, text_bytes, "element %lld is not part of the result, but was written",
                    (long long) i);
          return true;
        }
      if (!(error / magnitude <= worst))
        {
          worst = error / magnitude;
          at = i;
        }
      if (isnan (error))
        break;
      squares += exact * exact;
      errors += error * error;
    }
  double rms = sqrt (errors / (squares + 1e-30));
  c->worst_rms = fmax (c->worst_rms, rms);
  c->worst_share = fmax (c->worst_share, worst);
  if (worst <= share_limit[o->type] && rms <= rms_limit[o->type])
    return false;
  snprintf (text, text_bytes,
            "element %lld is %g, not %g: %.3g of its magnitude; relative rms error %.3g",
            (long long) at, at < 0 ? 0 : element (o, data, at), at < 0 ? 0 : o->exact[at], worst,
            rms);
  return true;
}

/* One run.  True when it is right; else @text says what is not. */
static bool
run_once (Check *c, Launch launch, const void *args, const Output *o, char *text, size_t text_bytes)
{
  for (int i = 0; i < c->n_buffers; i++)
    device_write (c->buffers[i].device, c->buffers[i].initial, c->buffers[i].size_bytes);
  int error = 0;
  for (int i = 0; i < c->n_before && !error; i++)
    error = c->before[i].launch (c->before[i].args, NULL);
  error = error ? error : launch (args, NULL);
  const char *said = device_finish ();
  if (error || said)
    {
      snprintf (text, text_bytes, "%s (error %d)", said ? said : "the launch failed", error);
      return false;
    }
  size_t size_bytes = (size_t) o->n * element_bytes (o->type);
  void *data = malloc (size_bytes + 1);
  device_read (data, o->device, size_bytes);
  bool wrong = find_fault (c, o, data, text, text_bytes);
  free (data);
  return !wrong;
}

static bool
run_schedules (Check *c, Launch launch, const void *args, const Output *o)
{
  char text[800];
  for (int i = 0; i < device_schedule_count (); i++)
    {
      device_schedule (i, (uint32_t) (c->seed + (uint64_t) i));
      if (run_once (c, launch, args, o, text, sizeof text))
        continue;
      if (c->n_failed < MAX_REPORTS)
        printf ("FAIL: %s/seed=%llu, schedule %d: %s\n", c->name, (unsigned long long) c->seed, i,
                text);
      return false;
    }
  return true;
}

/* Whether any schedule notices; the line is away. */
static bool
is_noticed (
    Check *c, Launch launch, const void *args, const Output *o, char *text, size_t text_bytes)
{
  for (int i = 0; i < device_schedule_count (); i++)
    {
      device_schedule (i, (uint32_t) (c->seed + (uint64_t) i));
      if (!run_once (c, launch, args, o, text, text_bytes))
        return true;
    }
  return false;
}

/* The case again without each line that it has passed and that no case has needed yet. */
static void
run_mutants (Check *c, Launch launch, const void *args, const Output *o)
{
  char text[800];
  for (int i = 0; mutate_next (&i); i++)
    if (is_noticed (c, launch, args, o, text, sizeof text))
      {
        if (c->verbose)
          printf ("%s without %s: %s\n", c->name, mutate_site_name (i), text);
        mutate_was_needed (i);
      }
}

bool
check_begin (Check *c, const char *format, ...)
{
  va_list list;
  va_start (list, format);
  vsnprintf (c->name, sizeof c->name, format, list);
  va_end (list);
  if (c->op && !strstr (c->name, c->op))
    return false;
  if (c->list)
    {
      printf ("%s\n", c->name);
      return false;
    }
  c->random = c->seed;
  for (const char *p = c->name; *p; p++)
    c->random = c->random * 31 + (unsigned char) *p;
  return true;
}

void
check_before (Check *c, Launch launch, const void *args, size_t args_bytes)
{
  if (c->n_before == MAX_BEFORE)
    exit (EXIT_USAGE);
  c->before[c->n_before++] = (Step){ launch, memcpy (malloc (args_bytes), args, args_bytes) };
}

void
check_end (Check *c, Launch launch, const void *args, const Output *o)
{
  if (c->mutate)
    mutate_record (true);
  bool right = run_schedules (c, launch, args, o);
  mutate_record (false);
  c->n_cases++;
  c->n_failed += !right;
  if (right && c->mutate)
    run_mutants (c, launch, args, o);
  if (c->verbose && right)
    printf ("%s: ok, rms %.2e, of magnitude %.2e\n", c->name, c->worst_rms, c->worst_share);
  c->worst_rms = c->worst_share = 0;
  free_case (c);
}

/* --- the program --- */

static bool
parse (int argc, char **argv, Check *c)
{
  for (int i = 1; i < argc; i++)
    if (!strcmp (argv[i], "--family") && i + 1 < argc)
      c->family = argv[++i];
    else if (!strcmp (argv[i], "--op") && i + 1 < argc)
      c->op = argv[++i];
    else if (!strcmp (argv[i], "--seed") && i + 1 < argc)
      c->seed = strtoull (argv[++i], NULL, 10);
    else if (!strcmp (argv[i], "--full"))
      c->full = true;
    else if (!strcmp (argv[i], "--list"))
      c->list = true;
    else if (!strcmp (argv[i], "--mutate"))
      c->mutate = true;
    else if (!strcmp (argv[i], "--verbose"))
      c->verbose = true;
    else
      return false;
  return true;
}

int
main (int argc, char **argv)
{
  static const struct
  {
    const char *name;
    void (*run) (Check *c);
  } families[] = { { "small", check_pointwise },       { "small", check_rows_kernels },
                   { "small", check_norms },           { "products", check_gemm },
                   { "products", check_gemm_formats }, { "products", check_conv },
                   { "products", check_conv_wgmma },   { "products", check_conv3d },
                   { "small", check_shortcuts },       { "attention", check_attention },
                   { "products", check_hopper } };
  Check c = { .seed = 1 };
  setvbuf (stdout, NULL, _IOLBF, 0);
  if (!parse (argc, argv, &c))
    {
      fprintf (stderr,
               "usage: checkops-cuda [--family NAME] [--op NAME] [--seed N] [--full] [--list] "
               "[--mutate] [--verbose]\n");
      return EXIT_USAGE;
    }
  const char *missing = c.list ? NULL : device_open ();
  if (missing)
    {
      printf ("SKIPPED: %s\n", missing);
      return EXIT_SKIPPED;
    }
  for (int i = 0; i < COUNT (families); i++)
    if (!c.family || !strcmp (c.family, families[i].name))
      families[i].run (&c);
  if (c.list)
    return EXIT_SUCCESS;
  int n_uncovered = c.mutate ? mutate_report () : 0;
  printf ("%lld cases on %s, %lld failed; seed %llu\n", (long long) c.n_cases, device_name (),
          (long long) c.n_failed, (unsigned long long) c.seed);
  return c.n_failed || n_uncovered || !c.n_cases ? EXIT_FAILURE : EXIT_SUCCESS;
}
