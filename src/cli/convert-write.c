/* SPDX-License-Identifier: MPL-2.0
 * convert-write.c - a tensor at a time, a few megabytes at a time: decode, encode, decode again.
 */
#include <math.h>
#include <string.h>

#include "cli/convert.h"
#include "core/blocks.h"
#include "core/guard.h"
#include "core/mem.h"
#include "core/threads.h"
#include "weights/encode.h"
#include "weights/mapped.h"

enum
{
  PIECE = 1 << 20, /* elements held at a time */
  TASK = 1 << 14,  /* elements of a thread's share */
  N_TASKS = PIECE / TASK,
  AGAIN = 256, /* elements decoded again at a time */
  COPY_BYTES = 4 << 20
};

static const float E4M3_MOST = 448;

typedef struct
{
  ConvertPlan *plan;
  AtomicFile *file;
  Threads *threads;
  ConvertProgress progress;
  void *data;
  Status *status;
  uint64_t header_bytes, at; /* in the data area */
  float *values;             /* PIECE */
  uint8_t *encoded;          /* PIECE * sizeof (float) */
  /* the piece in work */
  OutTensor *out;
  Param source;
  int64_t first, n;
  float scale;
  double squares[N_TASKS], errors[N_TASKS], most[N_TASKS];
} Writer;

static bool
check_stop (Writer *w, uint64_t n_bytes)
{
  if (!guard_check (w->status))
    return false;
  return w->progress (w->data, w->out, n_bytes) ||
         status_fail (w->status, STATUS_CANCELLED, "Cancelled.");
}

static bool
write_bytes (Writer *w, const void *data, uint64_t n)
{
  if (!atomic_file_write (w->file, data, n, w->status))
    return false;
  w->at += n;
  return true;
}

/* Zeros up to @offset of the data area. */
static bool
pad_to (Writer *w, uint64_t offset)
{
  static const uint8_t zeros[64];
  while (w->at < offset)
    {
      uint64_t n = offset - w->at < sizeof zeros ? offset - w->at : sizeof zeros;
      if (!write_bytes (w, zeros, n))
        return false;
    }
  return true;
}

static bool
copy_bytes (Writer *w)
{
  const uint8_t *p = w->out->source->data;
  for (uint64_t done = 0; done < w->out->n_bytes;)
    {
      uint64_t left = w->out->n_bytes - done, n = left < COPY_BYTES ? left : COPY_BYTES;
      if (!write_bytes (w, p + done, n) || !check_stop (w, n))
        return false;
      done += n;
    }
  return true;
}

/* ---- one piece, by all threads ---- */

static void
source_values (const Writer *w, float *out, int64_t first, int64_t n)
{
  if (w->source.dtype == DTYPE_F64)
    dtype_to_f32 (out, (const char *) w->source.data + first * (int64_t) sizeof (double), DTYPE_F64,
                  n);
  else
    param_to_f32 (out, &w->source, first, n);
}

static int64_t
task_range (const Writer *w, int64_t task, int64_t *n)
{
  int64_t begin = task * TASK;
  *n = w->n - begin < TASK ? w->n - begin : TASK;
  return begin;
}

static void
measure_task (void *data, int64_t task, int thread)
{
  Writer *w = data;
  int64_t n, begin = task_range (w, task, &n);
  float *x = w->values + begin, most = 0;
  source_values (w, x, w->first + begin, n);
  for (int64_t i = 0; i < n; i++)
    most = fmaxf (most, fabsf (x[i]));
  w->most[task] = most;
}

static void
encode_task (void *data, int64_t task, int thread)
{
  Writer *w = data;
  DType dtype = w->out->dtype;
  int64_t n, begin = task_range (w, task, &n);
  float *x = w->values + begin, again[AGAIN];
  uint8_t *bytes = w->encoded + dtype_bytes (dtype, begin);
  double squares = 0, errors = 0, most = 0;
  source_values (w, x, w->first + begin, n);
  for (int64_t i = 0; w->out->is_scaled && i < n; i++)
    x[i] /= w->scale;
  encode (bytes, dtype, x, n);
  Param p = { .data = bytes, .dtype = dtype };
  for (int64_t i = 0; i < n; i += AGAIN)
    {
      int64_t m = n - i < AGAIN ? n - i : AGAIN;
      param_to_f32 (again, &p, i, m);
      for (int64_t k = 0; k < m; k++)
        {
          double exact = (double) x[i + k] * w->scale, e = (double) again[k] * w->scale - exact;
          squares += exact * exact;
          errors += e * e;
          most = fmax (most, fabs (e));
        }
    }
  w->squares[task] = squares;
  w->errors[task] = errors;
  w->most[task] = most;
}

static int64_t
run_piece (Writer *w, int64_t first, TaskFunc func)
{
  w->first = first;
  w->n = w->out->n - first < PIECE ? w->out->n - first : PIECE;
  int64_t n_tasks = (w->n + TASK - 1) / TASK;
  threads_run (w->threads, n_tasks, func, w, NULL);
  return n_tasks;
}

/* ---- one tensor ---- */

/* The scale that brings the largest number to the largest that e4m3 has. */
static bool
find_scale (Writer *w)
{
  double most = 0;
  for (int64_t first = 0; first < w->out->n; first += PIECE)
    {
      int64_t n_tasks = run_piece (w, first, measure_task);
      for (int64_t t = 0; t < n_tasks; t++)
        most = fmax (most, w->most[t]);
      if (!check_stop (w, 0))
        return false;
    }
  w->scale = most > 0 && isfinite (most) ? (float) most / E4M3_MOST : 1;
  return atomic_file_write_at (w->file, w->header_bytes + w->out->scale_offset, &w->scale,
                               sizeof w->scale, w->status);
}

static bool
encode_tensor (Writer *w)
{
  OutTensor *o = w->out;
  double squares = 0, errors = 0;
  w->source = (Param){ .data = o->source->data,
                       .dtype = (int) o->source->dtype,
                       .quant = o->source->quant };
  w->scale = 1;
  if (o->is_scaled && !find_scale (w))
    return false;
  for (int64_t first = 0; first < o->n; first += PIECE)
    {
      int64_t n_tasks = run_piece (w, first, encode_task);
      for (int64_t t = 0; t < n_tasks; t++)
        {
          squares += w->squares[t];
          errors += w->errors[t];
          o->max_error = fmax (o->max_error, w->most[t]);
        }
      uint64_t n_bytes = (uint64_t) dtype_bytes (o->dtype, w->n);
      if (!write_bytes (w, w->encoded, n_bytes) || !check_stop (w, n_bytes))
        return false;
    }
  o->relative_rms = squares > 0 ? sqrt (errors / squares) : 0;
  return true;
}

static bool
write_tensor (Writer *w, OutTensor *o)
{
  w->out = o;
  bool ok = pad_to (w, o->offset) && (o->is_copy ? copy_bytes (w) : encode_tensor (w));
  mapped_wont_need (o->source->data, o->source->n_bytes);
  return ok;
}

/* In the order of their offsets: large elements first in safetensors, as they come in GGUF. */
static bool
write_tensors (Writer *w)
{
  const ConvertPlan *plan = w->plan;
  if (convert_is_gguf (plan->format))
    {
      for (size_t i = 0; i < plan->n_tensors; i++)
        if (!write_tensor (w, &plan->tensors[i]))
          return false;
      return true;
    }
  for (int size = 8; size > 0; size /= 2)
    for (size_t i = 0; i < plan->n_tensors; i++)
      if ((int) dtype_size (plan->tensors[i].dtype) == size && !write_tensor (w, &plan->tensors[i]))
        return false;
  return true;
}

static bool
write_all (Writer *w)
{
  const uint8_t *header;
  size_t size;
  if (!convert_header (w->plan, &header, &size, w->status) ||
      !atomic_file_write (w->file, header, size, w->status))
    return false;
  w->header_bytes = size;
  return write_tensors (w) && pad_to (w, w->plan->data_bytes);
}

bool
convert_write (ConvertPlan *plan,
               AtomicFile *file,
               int n_threads,
               ConvertProgress progress,
               void *data,
               Status *status)
{
  Writer *w = mem_calloc (1, sizeof *w);
  if (!w)
    return out_of_memory (status);
  *w = (Writer){ .plan = plan,
                 .file = file,
                 .threads = threads_new (n_threads, status),
                 .progress = progress,
                 .data = data,
                 .status = status,
                 .values = mem_calloc (PIECE, sizeof (float)),
                 .encoded = mem_calloc (PIECE, sizeof (float)) };
  bool ok = w->threads && ((w->values && w->encoded) || out_of_memory (status)) && write_all (w);
  threads_free (w->threads);
  mem_free (w->values);
  mem_free (w->encoded);
  mem_free (w);
  return ok;
}
