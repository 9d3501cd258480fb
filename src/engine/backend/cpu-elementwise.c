/* SPDX-License-Identifier: MPL-2.0
 * cpu-elementwise.c - cuts element-wise operators and norms into tasks for the threads.
 *
 * The cuts depend on shapes only, never on the number of threads, so results do not either.
 */
#include "backend/cpu.h"

#include "kernels/cpu/ref/ref.h"
#if defined(__x86_64__)
#  include "kernels/cpu/x86/elementwise.h"

enum
{
  TASK_SIZE = 32 * 1024, /* elements: 10 to 50 microseconds, several times what a wake-up costs */
  MAX_PARTS = 64,        /* of an image, for group_norm's statistics */
  GROUPS_AT_ONCE = 32    /* group_norm walks wider sets of groups in turns */
};

static int64_t
min64 (int64_t a, int64_t b)
{
  return a < b ? a : b;
}

static int64_t
divide_up (int64_t a, int64_t b)
{
  return (a + b - 1) / b;
}

static const ElementwiseKernels *
kernels_of (const CpuBackend *b)
{
  if (b->level >= CPU_AVX512)
    return &elementwise_avx512;
  return b->level >= CPU_AVX2 ? &elementwise_avx2 : &elementwise_sse2;
}

/* An operator cut into runs of rows (for unary and add: elements). */
typedef struct
{
  const ElementwiseKernels *kernels;
  const void *args;
  int64_t n_rows, rows_per_task;
} Job;

typedef struct
{
  int64_t first, n;
} Rows;

static Rows
rows_of (const Job *job, int64_t task)
{
  int64_t first = task * job->rows_per_task;
  return (Rows){ first, min64 (job->rows_per_task, job->n_rows - first) };
}

/* @row_size: elements that a row stands for; tasks get about TASK_SIZE of them. */
static void
run_rows (Backend *base, const void *args, TaskFunc func, int64_t n_rows, int64_t row_size)
{
  CpuBackend *b = (CpuBackend *) base;
  if (n_rows <= 0 || row_size <= 0)
    return;
  Job job = { .kernels = kernels_of (b),
              .args = args,
              .n_rows = n_rows,
              .rows_per_task = divide_up (TASK_SIZE, row_size) };
  threads_run (b->threads, divide_up (n_rows, job.rows_per_task), func, &job, base->cancel);
}

static void
unary_task (void *data, int64_t task, int thread)
{
  const Job *job = data;
  Rows rows = rows_of (job, task);
  UnaryArgs a = *(const UnaryArgs *) job->args;
  a.n = rows.n;
  a.x += rows.first;
  a.y += rows.first;
  job->kernels->unary (&a);
}

static void
cpu_unary (Backend *b, const UnaryArgs *a)
{
  run_rows (b, a, unary_task, a->n, 1);
}

static void
add_task (void *data, int64_t task, int thread)
{
  const Job *job = data;
  Rows rows = rows_of (job, task);
  AddArgs a = *(const AddArgs *) job->args;
  int64_t first = rows.first * a.n_b;
  a.n = min64 (rows.n * a.n_b, a.n - first);
  a.x += first;
  a.y += first;
  job->kernels->add (&a);
}

/* x and b of one length: b is cut along. */
static void
add_equal_task (void *data, int64_t task, int thread)
{
  const Job *job = data;
  Rows rows = rows_of (job, task);
  AddArgs a = *(const AddArgs *) job->args;
  a.n = a.n_b = rows.n;
  a.x += rows.first;
  a.b += rows.first;
  a.y += rows.first;
  job->kernels->add (&a);
}

static void
cpu_add (Backend *b, const AddArgs *a)
{
  if (a->n_b >= a->n)
    run_rows (b, a, add_equal_task, a->n, 1);
  else
    run_rows (b, a, add_task, divide_up (a->n, a->n_b), a->n_b);
}

static void
gated_task (void *data, int64_t task, int thread)
{
  const Job *job = data;
  Rows rows = rows_of (job, task);
  GatedArgs a = *(const GatedArgs *) job->args;
  a.n = rows.n;
  a.x += rows.first;
  a.gate += rows.first;
  a.y += rows.first;
  job->kernels->gated (&a);
}

static void
cpu_gated (Backend *b, const GatedArgs *a)
{
  run_rows (b, a, gated_task, a->n, 1);
}

/* The next rows of a task that lie in one entry of a batch of entries of @n_rows each. */
typedef struct
{
  int64_t entry, first, n; /* first: counted from the batch's start */
} EntryRows;

static bool
next_rows (EntryRows *part, Rows rows, int64_t n_rows)
{
  part->first += part->n;
  if (part->first >= rows.first + rows.n)
    return false;
  part->entry = part->first / n_rows;
  part->n = min64 ((part->entry + 1) * n_rows, rows.first + rows.n) - part->first;
  return true;
}

static void
add_gated_task (void *data, int64_t task, int thread)
{
  const Job *job = data;
  const AddGatedArgs *whole = job->args;
  Rows rows = rows_of (job, task);
  for (EntryRows part = { .first = rows.first }; next_rows (&part, rows, whole->n_rows);)
    {
      AddGatedArgs a = *whole;
      int64_t at = part.first * a.dim;
      a.n_rows = part.n;
      a.x += at;
      a.b += at;
      a.y += at;
      a.gate += part.entry * a.gate_stride;
      job->kernels->add_gated (&a);
    }
}

static void
cpu_add_gated (Backend *b, const AddGatedArgs *a)
{
  run_rows (b, a, add_gated_task, a->n * a->n_rows, a->dim);
}

static void
norm_modulate_task (void *data, int64_t task, int thread)
{
  const Job *job = data;
  const NormModulateArgs *whole = job->args;
  Rows rows = rows_of (job, task);
  for (EntryRows part = { .first = rows.first }; next_rows (&part, rows, whole->n_rows);)
    {
      NormModulateArgs a = *whole;
      a.n_rows = part.n;
      a.x += part.first * a.dim;
      a.y += part.first * a.dim;
      a.scale += part.entry * a.modulation_stride;
      a.shift += part.entry * a.modulation_stride;
      job->kernels->norm_modulate (&a);
    }
}

static void
cpu_norm_modulate (Backend *b, const NormModulateArgs *a)
{
  run_rows (b, a, norm_modulate_task, a->n * a->n_rows, a->dim);
}

static void
rope_task (void *data, int64_t task, int thread)
{
  const Job *job = data;
  const RopeArgs *whole = job->args;
  Rows rows = rows_of (job, task);
  for (EntryRows part = { .first = rows.first }; next_rows (&part, rows, whole->len);)
    {
      RopeArgs a = *whole;
      int64_t token = part.first - part.entry * whole->len;
      a.len = part.n;
      a.x += part.first * a.x_stride;
      a.y += part.entry * a.y_entry + token * a.n_heads * a.head_dim;
      a.table = a.table ? a.table + token * a.head_dim : NULL;
      job->kernels->rope (&a);
    }
}

static void
cpu_rope (Backend *b, const RopeArgs *a)
{
  if (a->head_dim > ROPE_MAX_HEAD_DIM)
    ref_rope (a); /* no model has such heads: right, and slow */
  else
    run_rows (b, a, rope_task, a->n * a->len, a->n_heads * a->head_dim);
}

static void
rms_norm_task (void *data, int64_t task, int thread)
{
  const Job *job = data;
  Rows rows = rows_of (job, task);
  RmsNormArgs a = *(const RmsNormArgs *) job->args;
  a.n_rows = rows.n;
  a.x += rows.first * a.dim;
  a.y += rows.first * a.dim;
  job->kernels->rms_norm (&a);
}

static void
cpu_rms_norm (Backend *b, const RmsNormArgs *a)
{
  run_rows (b, a, rms_norm_task, a->n_rows, a->dim);
}

static void
scale_task (void *data, int64_t task, int thread)
{
  const Job *job = data;
  Rows rows = rows_of (job, task);
  ScaleArgs a = *(const ScaleArgs *) job->args;
  int64_t first = rows.first * a.n_s;
  a.n = min64 (rows.n * a.n_s, a.n - first);
  a.x += first;
  a.y += first;
  job->kernels->scale (&a);
}

static void
cpu_scale (Backend *b, const ScaleArgs *a)
{
  run_rows (b, a, scale_task, divide_up (a->n, a->n_s), a->n_s);
}

static void
geglu_task (void *data, int64_t task, int thread)
{
  const Job *job = data;
  Rows rows = rows_of (job, task);
  GegluArgs a = *(const GegluArgs *) job->args;
  a.n_rows = rows.n;
  a.x += rows.first * 2 * a.dim;
  a.y += rows.first * a.dim;
  job->kernels->geglu (&a);
}

static void
cpu_geglu (Backend *b, const GegluArgs *a)
{
  run_rows (b, a, geglu_task, a->n_rows, a->dim);
}

static void
layer_norm_task (void *data, int64_t task, int thread)
{
  const Job *job = data;
  Rows rows = rows_of (job, task);
  LayerNormArgs a = *(const LayerNormArgs *) job->args;
  a.n_rows = rows.n;
  a.x += rows.first * a.dim;
  a.y += rows.first * a.dim;
  job->kernels->layer_norm (&a);
}

static void
cpu_layer_norm (Backend *b, const LayerNormArgs *a)
{
  run_rows (b, a, layer_norm_task, a->n_rows, a->dim);
}

/* Whole periods of the positions in a task, or the task's rows would start in the middle of one. */
static void
embed_task (void *data, int64_t task, int thread)
{
  const Job *job = data;
  Rows rows = rows_of (job, task);
  EmbedArgs a = *(const EmbedArgs *) job->args;
  int64_t period = a.positions.data ? a.n_positions : 1;
  int64_t first = rows.first * period;
  a.n_rows = min64 (rows.n * period, a.n_rows - first);
  a.ids += first;
  a.y += first * a.dim;
  job->kernels->embed (&a);
}

static void
cpu_embed (Backend *b, const EmbedArgs *a)
{
  int64_t period = a->positions.data ? a->n_positions : 1;
  run_rows (b, a, embed_task, divide_up (a->n_rows, period), period * a->dim);
}

/* Copies have nothing to gain from an instruction set: the C library's memcpy knows it already. */
static void
concat_task (void *data, int64_t task, int thread)
{
  const Job *job = data;
  Rows rows = rows_of (job, task);
  ConcatArgs a = *(const ConcatArgs *) job->args;
  a.n_rows = rows.n;
  a.a += rows.first * a.dim_a;
  a.b += rows.first * a.dim_b;
  a.y += rows.first * (a.dim_a + a.dim_b);
  ref_concat (&a);
}

static void
cpu_concat (Backend *b, const ConcatArgs *a)
{
  run_rows (b, a, concat_task, a->n_rows, a->dim_a + a->dim_b);
}

static void
copy_task (void *data, int64_t task, int thread)
{
  const Job *job = data;
  Rows rows = rows_of (job, task);
  CopyArgs a = *(const CopyArgs *) job->args;
  a.n_rows = rows.n;
  a.x += rows.first * a.x_stride;
  a.y += rows.first * a.y_stride;
  ref_copy (&a);
}

static void
cpu_copy (Backend *b, const CopyArgs *a)
{
  run_rows (b, a, copy_task, a->n_rows, a->width);
}

static void
avg_down_task (void *data, int64_t task, int thread)
{
  const Job *job = data;
  Rows rows = rows_of (job, task);
  for (int64_t row = rows.first; row < rows.first + rows.n; row++)
    job->kernels->avg_down (job->args, row);
}

static void
cpu_avg_down (Backend *b, const AvgDownArgs *a)
{
  run_rows (b, a, avg_down_task, a->n * a->h, a->w * a->factor * a->factor * a->c_in);
}

static void
dup_up_task (void *data, int64_t task, int thread)
{
  const Job *job = data;
  Rows rows = rows_of (job, task);
  for (int64_t row = rows.first; row < rows.first + rows.n; row++)
    job->kernels->dup_up (job->args, row);
}

static void
cpu_dup_up (Backend *b, const DupUpArgs *a)
{
  run_rows (b, a, dup_up_task, a->n * a->h * a->factor, a->w * a->factor * a->c_out);
}

static void
round_task (void *data, int64_t task, int thread)
{
  const Job *job = data;
  Rows rows = rows_of (job, task);
  RoundArgs a = *(const RoundArgs *) job->args;
  a.n_rows = rows.n;
  a.x += rows.first * a.dim;
  a.y += rows.first * a.dim;
  ref_round (&a);
}

static void
cpu_round (Backend *b, const RoundArgs *a)
{
  run_rows (b, a, round_task, a->n_rows, a->dim);
}

/* A row of the output is a resize of one row of the input. */
static void
resize_task (void *data, int64_t task, int thread)
{
  const Job *job = data;
  Rows rows = rows_of (job, task);
  const ResizeArgs *whole = job->args;
  for (int64_t row = rows.first; row < rows.first + rows.n; row++)
    {
      int64_t image = row / whole->h_out, oy = row % whole->h_out;
      int64_t from = image * whole->h_in + oy * whole->h_in / whole->h_out;
      ResizeArgs a = *whole;
      a.n = a.h_in = a.h_out = 1;
      a.x += from * a.w_in * a.n_channels;
      a.y += row * a.w_out * a.n_channels;
      ref_resize (&a);
    }
}

static void
cpu_resize (Backend *b, const ResizeArgs *a)
{
  run_rows (b, a, resize_task, a->n * a->h_out, a->w_out * a->n_channels);
}

/* group_norm works image by image, some groups at a time: every part of the image gives its
 * moments, they are joined in the order of the parts, then every part is normalised. */
typedef struct
{
  const ElementwiseKernels *kernels;
  const GroupNormArgs *args;
  int64_t image, pixels_per_part, n_parts;
  int first_group, n_groups;
  Moments moments[MAX_PARTS][GROUPS_AT_ONCE];
} GroupJob;

static GroupPart
part_of (const GroupJob *job, int64_t task)
{
  int64_t first = task * job->pixels_per_part;
  return (GroupPart){ .image = job->image,
                      .first_pixel = first,
                      .n_pixels = min64 (job->pixels_per_part, job->args->n_pixels - first),
                      .first_group = job->first_group,
                      .n_groups = job->n_groups };
}

static void
group_moments_task (void *data, int64_t task, int thread)
{
  GroupJob *job = data;
  GroupPart part = part_of (job, task);
  job->kernels->group_moments (job->args, &part, job->moments[task]);
}

static void
group_apply_task (void *data, int64_t task, int thread)
{
  GroupJob *job = data;
  GroupPart part = part_of (job, task);
  job->kernels->group_apply (job->args, &part, job->moments[0]);
}

static void
normalize_groups (CpuBackend *b, GroupJob *job)
{
  const atomic_bool *cancel = b->base.cancel;
  threads_run (b->threads, job->n_parts, group_moments_task, job, cancel);
  if (cpu_is_cancelled (&b->base))
    return;
  for (int64_t part = 1; part < job->n_parts; part++)
    for (int group = 0; group < job->n_groups; group++)
      moments_merge (&job->moments[0][group], job->moments[part][group]);
  threads_run (b->threads, job->n_parts, group_apply_task, job, cancel);
}

static void
cpu_group_norm (Backend *base, const GroupNormArgs *a)
{
  CpuBackend *b = (CpuBackend *) base;
  if (a->n_pixels <= 0 || a->n_channels <= 0)
    return;
  GroupJob job;
  job.kernels = kernels_of (b);
  job.args = a;
  job.pixels_per_part = divide_up (
      a->n_pixels, min64 (MAX_PARTS, divide_up (a->n_pixels * a->n_channels, TASK_SIZE)));
  job.n_parts = divide_up (a->n_pixels, job.pixels_per_part);
  for (job.image = 0; job.image < a->n; job.image++)
    for (job.first_group = 0; job.first_group < a->n_groups; job.first_group += GROUPS_AT_ONCE)
      {
        job.n_groups = (int) min64 (GROUPS_AT_ONCE, a->n_groups - job.first_group);
        normalize_groups (b, &job);
      }
}

void
cpu_init_elementwise (CpuBackend *b)
{
  if (b->level < CPU_SSE2)
    return;
  b->base.ops.unary = cpu_unary;
  b->base.ops.add = cpu_add;
  b->base.ops.add_gated = cpu_add_gated;
  b->base.ops.gated = cpu_gated;
  b->base.ops.scale = cpu_scale;
  b->base.ops.geglu = cpu_geglu;
  b->base.ops.embed = cpu_embed;
  b->base.ops.layer_norm = cpu_layer_norm;
  b->base.ops.rms_norm = cpu_rms_norm;
  b->base.ops.norm_modulate = cpu_norm_modulate;
  b->base.ops.rope = cpu_rope;
  b->base.ops.copy = cpu_copy;
  b->base.ops.round = cpu_round;
  b->base.ops.concat = cpu_concat;
  b->base.ops.avg_down = cpu_avg_down;
  b->base.ops.dup_up = cpu_dup_up;
  b->base.ops.resize = cpu_resize;
  b->base.ops.group_norm = cpu_group_norm;
}

#else

void
cpu_init_elementwise (CpuBackend *b)
{
}

#endif
