/* SPDX-License-Identifier: MPL-2.0
 * bench.c - `gesso-cli bench`: how fast each operator is here, beside the peaks of the same run.
 *
 * Shapes are those of SDXL (1024 x 1024, guidance as a batch of two) and FLUX.1 (1024 x 1024);
 * weights are made up, since speed does not depend on values.  A share counts floating point
 * operations against the largest product of the run, bytes against the copy of the run.
 */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "backend/backend.h"
#include "cli/cli.h"
#include "core/mem.h"

enum
{
  FLAG_BACKEND = 1000,
  FLAG_VRAM_LIMIT,
  FLAG_SMALL,
  FLAG_JSON,
  FLAG_THREADS,
  ROUNDS = 7,
  N_BUFFERS = 3,
  SMALL = 32, /* --small divides counts of rows by that */
  MAX_REPEATS = 1000
};

static const double ROUND_SECONDS = 0.05;

static const struct option flags[] = {
  { "backend", required_argument, NULL, FLAG_BACKEND },
  { "vram-limit", required_argument, NULL, FLAG_VRAM_LIMIT },
  { "threads", required_argument, NULL, FLAG_THREADS },
  { "small", no_argument, NULL, FLAG_SMALL },
  { "json", no_argument, NULL, FLAG_JSON },
  { "help", no_argument, NULL, 'h' },
  { NULL, 0, NULL, 0 },
};

typedef enum
{
  BENCH_COPY,
  BENCH_LINEAR,
  BENCH_CONV,
  BENCH_ATTENTION,
  BENCH_GROUP_NORM,
  BENCH_MODULATE,
  BENCH_GEGLU
} Kind;

/* Linear: rows, out, in.  Convolution: pictures x side x side, out, in.  Attention: queries, keys,
 * head size; heads in n.  Norms and copies: rows, columns. */
typedef struct
{
  const char *name;
  Kind kind;
  int64_t n, a, b, c;
} Row;

/* The first two are what the others are measured against. */
static const Row rows[] = {
  { "copy", BENCH_COPY, 1, 65536, 4096, 0 },
  { "product 8192x8192x8192", BENCH_LINEAR, 1, 8192, 8192, 8192 },
  { "sdxl linear 8192x1280x1280", BENCH_LINEAR, 1, 8192, 1280, 1280 },
  { "sdxl linear 2048x10240x1280", BENCH_LINEAR, 1, 2048, 10240, 1280 },
  { "sdxl linear 154x1280x2048", BENCH_LINEAR, 1, 154, 1280, 2048 },
  { "flux linear 4608x9216x3072", BENCH_LINEAR, 1, 4608, 9216, 3072 },
  { "flux linear 4608x12288x3072", BENCH_LINEAR, 1, 4608, 12288, 3072 },
  { "sdxl conv 2x128x128x320-320", BENCH_CONV, 2, 128, 320, 320 },
  { "sdxl conv 2x64x64x640-640", BENCH_CONV, 2, 64, 640, 640 },
  { "sdxl conv 2x32x32x1280-1280", BENCH_CONV, 2, 32, 1280, 1280 },
  { "vae conv 1x512x512x256-256", BENCH_CONV, 1, 512, 256, 256 },
  { "flux attention 24x4608x4608x128", BENCH_ATTENTION, 24, 4608, 4608, 128 },
  { "sdxl attention 20x4096x4096x64", BENCH_ATTENTION, 20, 4096, 4096, 64 },
  { "sdxl attention 40x1024x1024x64", BENCH_ATTENTION, 40, 1024, 1024, 64 },
  { "sdxl attention 20x4096x77x64", BENCH_ATTENTION, 20, 4096, 77, 64 },
  { "vae attention 1x4096x4096x512", BENCH_ATTENTION, 1, 4096, 4096, 512 },
  { "sdxl group norm + silu 2x16384x320", BENCH_GROUP_NORM, 2, 16384, 320, 0 },
  { "flux norm + modulate 4608x3072", BENCH_MODULATE, 1, 4608, 3072, 0 },
  { "sdxl geglu 2048x5120", BENCH_GEGLU, 1, 2048, 5120, 0 },
};

enum
{
  N_ROWS = sizeof rows / sizeof *rows
};

typedef struct
{
  Backend *backend;
  bool small, json;
  void *buffer[N_BUFFERS];
  size_t buffer_bytes, element_bytes;
  uint16_t *weights; /* bf16 */
  size_t n_weights;
  double copy_rate, peak; /* bytes and operations in a second */
} Bench;

static Row
row_of (const Bench *b, int i)
{
  Row r = rows[i];
  if (!b->small)
    return r;
  r.a = (r.a + SMALL - 1) / SMALL;
  if (r.kind == BENCH_LINEAR || r.kind == BENCH_COPY)
    {
      r.b = (r.b + SMALL - 1) / SMALL;
      r.c = (r.c + SMALL - 1) / SMALL;
    }
  if (r.kind == BENCH_CONV)
    {
      r.b = (r.b / SMALL + 31) / 32 * 32;
      r.c = (r.c / SMALL + 31) / 32 * 32;
    }
  if (r.kind == BENCH_ATTENTION)
    {
      r.n = 1;
      r.b = (r.b + SMALL - 1) / SMALL;
    }
  return r;
}

static double
operations (const Row *r)
{
  switch (r->kind)
    {
    case BENCH_LINEAR:
      return 2.0 * (double) r->a * (double) r->b * (double) r->c;
    case BENCH_CONV:
      return 2.0 * 9 * (double) (r->n * r->a * r->a) * (double) r->b * (double) r->c;
    case BENCH_ATTENTION:
      return 4.0 * (double) r->n * (double) r->a * (double) r->b * (double) r->c;
    default:
      return 0;
    }
}

/* Read and written at least, of what only moves bytes. */
static double
moved_elements (const Row *r)
{
  double n = (double) r->n * (double) r->a * (double) r->b;
  return r->kind == BENCH_GEGLU ? 3 * n : 2 * n;
}

/* Elements of x, y, and weights that a row needs. */
static void
sizes_of (const Row *r, size_t *n_values, size_t *n_weights)
{
  int64_t x = r->n * r->a * r->b, y = x, w = r->b;
  if (r->kind == BENCH_LINEAR)
    {
      x = r->a * r->c;
      y = r->a * r->b;
      w = r->b * r->c;
    }
  else if (r->kind == BENCH_CONV)
    {
      x = r->n * r->a * r->a * r->c;
      y = r->n * r->a * r->a * r->b;
      w = r->b * r->c * 9;
    }
  else if (r->kind == BENCH_ATTENTION)
    {
      x = r->n * (r->b > r->a ? r->b : r->a) * r->c;
      y = x;
    }
  else if (r->kind == BENCH_GEGLU)
    x *= 2;
  *n_values = (size_t) (x > y ? x : y);
  *n_weights = (size_t) w;
}

/* Random, large enough for every row. */
typedef struct
{
  const float *x, *z;
  float *y;
  Param w;
} Operands;

static void
run_linear (Backend *k, const Row *r, const Operands *o)
{
  k->ops.linear (k, &(LinearArgs){ .n_rows = r->a,
                                   .n_out = r->b,
                                   .n_in = r->c,
                                   .x = o->x,
                                   .x_stride = r->c,
                                   .w = o->w,
                                   .y = o->y,
                                   .y_stride = r->b,
                                   .compute = k->fastest });
}

static void
run_conv (Backend *k, const Row *r, const Operands *o)
{
  k->ops.conv2d (k, &(ConvArgs){ .n = r->n,
                                 .h_in = r->a,
                                 .w_in = r->a,
                                 .c_in = r->c,
                                 .h_out = r->a,
                                 .w_out = r->a,
                                 .c_out = r->b,
                                 .kernel = 3,
                                 .stride = 1,
                                 .pad_top = 1,
                                 .pad_left = 1,
                                 .x = o->x,
                                 .w = o->w,
                                 .y = o->y,
                                 .compute = k->fastest });
}

static void
run_attention (Backend *k, const Row *r, const Operands *o)
{
  k->ops.attention (k, &(AttentionArgs){ .n = 1,
                                         .n_heads = r->n,
                                         .head_dim = r->c,
                                         .len_q = r->a,
                                         .len_k = r->b,
                                         .q = o->x,
                                         .k = o->z,
                                         .v = o->z,
                                         .q_stride = r->n * r->c,
                                         .k_stride = r->n * r->c,
                                         .v_stride = r->n * r->c,
                                         .y = o->y,
                                         .scale = 0.1f,
                                         .compute = k->fastest });
}

static void
run_group_norm (Backend *k, const Row *r, const Operands *o)
{
  k->ops.group_norm (k, &(GroupNormArgs){ .n = r->n,
                                          .n_pixels = r->a,
                                          .n_channels = r->b,
                                          .n_groups = 32,
                                          .eps = 1e-5f,
                                          .silu = true,
                                          .x = o->x,
                                          .weight = o->w,
                                          .bias = o->w,
                                          .y = o->y });
}

static void
run_modulate (Backend *k, const Row *r, const Operands *o)
{
  k->ops.norm_modulate (k, &(NormModulateArgs){ .n = 1,
                                                .n_rows = r->a,
                                                .dim = r->b,
                                                .eps = 1e-6f,
                                                .x = o->x,
                                                .scale = o->z,
                                                .shift = o->z,
                                                .modulation_stride = r->b,
                                                .y = o->y });
}

static void
run_row (const Bench *b, const Row *r)
{
  Backend *k = b->backend;
  const Operands o = {
    b->buffer[0], b->buffer[1], b->buffer[2], { .data = b->weights, .dtype = DTYPE_BF16 }
  };
  switch (r->kind)
    {
    case BENCH_COPY:
      k->ops.copy (k, &(CopyArgs){ r->a, r->b, o.x, r->b, o.y, r->b });
      break;
    case BENCH_LINEAR:
      run_linear (k, r, &o);
      break;
    case BENCH_CONV:
      run_conv (k, r, &o);
      break;
    case BENCH_ATTENTION:
      run_attention (k, r, &o);
      break;
    case BENCH_GROUP_NORM:
      run_group_norm (k, r, &o);
      break;
    case BENCH_MODULATE:
      run_modulate (k, r, &o);
      break;
    case BENCH_GEGLU:
      k->ops.geglu (k, &(GegluArgs){ r->a, r->b, o.x, o.y });
      break;
    }
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
time_repeats (const Bench *b, const Row *r, int n, double *seconds, Status *status)
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
time_row (const Bench *b, const Row *r, double *seconds, Status *status)
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
print_row (Bench *b, int i, const Row *r, double seconds)
{
  double flops = operations (r) / seconds, peak = b->peak;
  double bytes = moved_elements (r) * (double) b->element_bytes / seconds;
  bool computes = operations (r) > 0;
  if (i == 0)
    b->copy_rate = bytes;
  if (i == 1)
    b->peak = peak = flops;
  double share = computes ? flops / peak : bytes / b->copy_rate;
  if (b->json)
    printf ("{\"name\": \"%s\", \"ms\": %.4f, \"%s\": %.4g, \"share\": %.3f}\n", rows[i].name,
            seconds * 1e3, computes ? "flops" : "bytes_per_s", computes ? flops : bytes, share);
  else
    printf ("%-36s %10.3f ms %9.2f %-8s %5.0f %% of the run's %s\n", rows[i].name, seconds * 1e3,
            computes ? flops * 1e-12 : bytes * 1e-9, computes ? "TFLOP/s" : "GB/s", share * 100,
            computes ? "largest product" : "copy");
  fflush (stdout);
}

static bool
take_buffers (Bench *b, Status *status)
{
  Device *d = &b->backend->device;
  size_t n_values = 0, n, m;
  for (int i = 0; i < N_ROWS; i++)
    {
      Row r = row_of (b, i);
      sizes_of (&r, &n, &m);
      n_values = n > n_values ? n : n_values;
      b->n_weights = m > b->n_weights ? m : b->n_weights;
    }
  b->element_bytes = dtype_size (d->activation);
  b->buffer_bytes = n_values * b->element_bytes;
  b->weights = mem_calloc (b->n_weights, sizeof *b->weights);
  float *values = mem_calloc (n_values, sizeof *values);
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
        d->memory->upload (d, b->buffer[i], d->activation, values, (int64_t) n_values);
      else if (ok)
        memcpy (b->buffer[i], values, b->buffer_bytes);
    }
  mem_free (values);
  return ok || status_fail (status, STATUS_NO_MEMORY, "Out of memory: close other programs.");
}

static void
bench_clear (Bench *b)
{
  Device *d = b->backend ? &b->backend->device : NULL;
  for (int i = 0; d && i < N_BUFFERS; i++)
    if (b->buffer[i] && d->memory)
      d->memory->give_back (d, b->buffer[i]);
    else if (b->buffer[i])
      mem_unmap (b->buffer[i], b->buffer_bytes);
  backend_forget (b->backend);
  backend_free (b->backend);
  mem_free (b->weights);
}

static bool
run_all (Bench *b, const BackendChoice *choice, Status *status)
{
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
  for (int i = 0; i < N_ROWS; i++)
    {
      Row r = row_of (b, i);
      double seconds = 0;
      if (!time_row (b, &r, &seconds, status))
        return false;
      print_row (b, i, &r, seconds);
    }
  return true;
}

static void
print_help (const char *usage)
{
  printf ("%s", usage);
  printf ("      --backend NAME         cuda (the default), cuda:1, or cpu\n"
          "      --vram-limit MIB       how much of the card's memory to take\n"
          "      --threads N            threads of the CPU; 0 for one a core\n"
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
