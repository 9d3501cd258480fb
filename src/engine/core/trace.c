/* SPDX-License-Identifier: MPL-2.0 */
#include "core/trace.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/mem.h"

enum
{
  LINE_SIZE = 1024,
  SHAPE_SIZE = 96
};

typedef struct
{
  const OpRecord *op;
  double wall_us, cpu_us; /* of one run */
} OpTime;

static OpTime
time_of (const OpRecord *op)
{
  double runs = op->n_runs > 0 ? (double) op->n_runs : 1;
  return (OpTime){ op, (double) op->duration_ns / runs * 1e-3, (double) op->cpu_ns / runs * 1e-3 };
}

static double
gflops_per_second (double flops, double cpu_us)
{
  return cpu_us > 0 ? flops / cpu_us * 1e-3 : 0;
}

/* "64x64x320": what stands between the brackets is the caller's. */
static const char *
shape_text (char out[SHAPE_SIZE], const Tensor *t, char separator)
{
  size_t n = 0;
  out[0] = 0;
  for (int i = 0; t && i < t->rank && n + 24 < SHAPE_SIZE; i++)
    {
      if (i > 0)
        out[n++] = separator;
      n += (size_t) snprintf (out + n, SHAPE_SIZE - n, "%" PRId64, t->ne[i]);
    }
  return out;
}

/* Operators without a weight of their own, like attention, have none to name. */
static void
json_line (char line[LINE_SIZE], const char *phase, int index, const OpTime *t)
{
  char out[SHAPE_SIZE], source[OP_MAX_SOURCES][SHAPE_SIZE];
  for (int i = 0; i < OP_MAX_SOURCES; i++)
    shape_text (source[i], t->op->source[i], ',');
  snprintf (line, LINE_SIZE,
            "{\"phase\":\"%s\",\"index\":%d,\"kind\":\"%s\",\"out\":[%s],"
            "\"sources\":[[%s],[%s],[%s],[%s],[%s]],\"weight\":\"%s\",\"weight_bytes\":%" PRId64
            ",\"flops\":%.0f,\"runs\":%" PRId64
            ",\"wall_us\":%.1f,\"cpu_us\":%.1f,\"gflops_per_s\":%.1f}\n",
            phase, index, op_kind_name (t->op->kind), shape_text (out, t->op->out, ','), source[0],
            source[1], source[2], source[3], source[4],
            t->op->weight_name ? t->op->weight_name : "", t->op->weight_bytes, t->op->flops,
            t->op->n_runs, t->wall_us, t->cpu_us, gflops_per_second (t->op->flops, t->cpu_us));
}

static void
append_json (const char *path, const Ctx *ctx, const char *phase)
{
  FILE *file = fopen (path, "a");
  if (!file)
    return;
  for (int i = 0; i < ctx_op_count (ctx); i++)
    {
      char line[LINE_SIZE];
      OpTime t = time_of (ctx_op (ctx, i));
      json_line (line, phase, i, &t);
      fputs (line, file);
    }
  fclose (file);
}

static int
compare_dearest (const void *a, const void *b)
{
  double x = ((const OpTime *) a)->cpu_us, y = ((const OpTime *) b)->cpu_us;
  return (x < y) - (x > y);
}

static void
print_line (const OpTime *t, double total_us)
{
  char line[LINE_SIZE], out[SHAPE_SIZE], in[SHAPE_SIZE];
  snprintf (line, LINE_SIZE, "%9.2f ms %5.1f %% %7.1f GFLOP/s  %-11s %-18s <- %-18s %s\n",
            t->cpu_us * 1e-3, total_us > 0 ? 100 * t->cpu_us / total_us : 0,
            gflops_per_second (t->op->flops, t->cpu_us), op_kind_name (t->op->kind),
            shape_text (out, t->op->out, 'x'), shape_text (in, t->op->source[0], 'x'),
            t->op->weight_name ? t->op->weight_name : "");
  fputs (line, stderr);
}

static void
print_sums (const char *phase, const OpTime *times, int n, double total_us)
{
  char line[LINE_SIZE];
  for (OpKind k = 0; k < OP_KIND_COUNT; k++)
    {
      double us = 0, flops = 0;
      int n_ops = 0;
      for (int i = 0; i < n; i++)
        if (times[i].op->kind == k)
          {
            us += times[i].cpu_us;
            flops += times[i].op->flops;
            n_ops++;
          }
      if (!n_ops)
        continue;
      snprintf (line, LINE_SIZE, "%-8s %-11s %5d operators %10.2f ms %5.1f %% %8.1f GFLOP/s\n",
                phase, op_kind_name (k), n_ops, us * 1e-3, total_us > 0 ? 100 * us / total_us : 0,
                gflops_per_second (flops, us));
      fputs (line, stderr);
    }
}

static void
print_table (const Ctx *ctx, const char *phase)
{
  int n = ctx_op_count (ctx);
  OpTime *times = mem_calloc ((size_t) n, sizeof *times);
  double total_us = 0;
  for (int i = 0; times && i < n; i++)
    {
      times[i] = time_of (ctx_op (ctx, i));
      total_us += times[i].cpu_us;
    }
  if (times)
    {
      qsort (times, (size_t) n, sizeof *times, compare_dearest);
      for (int i = 0; i < n; i++)
        print_line (&times[i], total_us);
      print_sums (phase, times, n, total_us);
    }
  mem_free (times);
}

void
trace_write (const Ctx *ctx, const char *phase)
{
  const char *path = getenv ("GESSO_TRACE"), *debug = getenv ("GESSO_DEBUG");
  if (!ctx || ctx_op_count (ctx) == 0 || ctx_op (ctx, 0)->n_runs == 0)
    return;
  if (path && *path)
    append_json (path, ctx, phase);
  if (debug && strstr (debug, "ops"))
    print_table (ctx, phase);
}
