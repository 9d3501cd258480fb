/* SPDX-License-Identifier: MPL-2.0 */
#define _GNU_SOURCE
#include "core/ctx.h"

#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "core/arena.h"
#include "core/device.h"
#include "core/guard.h"
#include "core/mem.h"
#include "core/plan.h"

struct Ctx
{
  CtxMode mode;
  bool planned;
  Status status;
  Backend *backend;
  Compute compute;
  DType activation;
  const atomic_bool *cancel;
  OpRecord *ops;
  size_t n_ops, cap_ops;
  PlanBuffer *buffers; /* the i-th operator defines the i-th buffer */
  size_t cap_buffers;
  Arena measured; /* tensors of the measurement: the trace points to them */
  Arena running;  /* tensors of the current run */
  size_t cursor;  /* next operator of the run */
  int64_t op_started_ns, op_started_cpu_ns;
  char *memory;
  size_t peak_bytes, bound_bytes;
};

static int64_t
now_ns (clockid_t clock)
{
  struct timespec t;
  clock_gettime (clock, &t);
  return (int64_t) t.tv_sec * 1000000000 + t.tv_nsec;
}

int64_t
tensor_elements (const Tensor *t)
{
  int64_t n = 1;
  for (int i = 0; i < t->rank; i++)
    n *= t->ne[i];
  return n;
}

int64_t
tensor_last (const Tensor *t)
{
  return t->ne[t->rank - 1];
}

int64_t
tensor_rows (const Tensor *t)
{
  int64_t n = 1;
  for (int i = 0; i + 1 < t->rank; i++)
    n *= t->ne[i];
  return n;
}

size_t
tensor_bytes (const Tensor *t)
{
  return (size_t) tensor_elements (t) * dtype_size (t->dtype);
}

void *
tensor_at (const Tensor *t, int64_t i)
{
  return (char *) t->data + i * (int64_t) dtype_size (t->dtype);
}

/* NULL: the program's own memory is the device's. */
static const DeviceMemory *
memory_of (const Ctx *ctx)
{
  return ctx->backend ? ((Device *) ctx->backend)->memory : NULL;
}

DType
ctx_activation (const Ctx *ctx)
{
  return ctx->activation;
}

Ctx *
ctx_new (Backend *backend, Compute compute, const atomic_bool *cancel, Status *status)
{
  Ctx *ctx = mem_calloc (1, sizeof *ctx);
  if (!ctx)
    {
      status_fail (status, STATUS_NO_MEMORY, "Out of memory: close other programs and retry.");
      return NULL;
    }
  ctx->backend = backend;
  ctx->compute = compute;
  ctx->activation = device_activation ((Device *) backend, compute);
  ctx->cancel = cancel;
  return ctx;
}

void
ctx_free (Ctx *ctx)
{
  if (!ctx)
    return;
  if (!memory_of (ctx))
    mem_unmap (ctx->memory, ctx->peak_bytes);
  else if (ctx->memory)
    memory_of (ctx)->give_back ((Device *) ctx->backend, ctx->memory);
  arena_clear (&ctx->measured);
  arena_clear (&ctx->running);
  mem_free (ctx->ops);
  mem_free (ctx->buffers);
  mem_free (ctx);
}

Tensor *
ctx_fail (Ctx *ctx, StatusCode code, const char *format, ...)
{
  char message[STATUS_MESSAGE_SIZE];
  va_list args;
  va_start (args, format);
  vsnprintf (message, sizeof message, status_text (format), args);
  va_end (args);
  status_fail (&ctx->status, code, "%s", message);
  return NULL;
}

static Tensor *
new_tensor (Ctx *ctx, DType dtype, int rank, const int64_t *ne)
{
  Arena *arena = ctx->mode == CTX_RUN ? &ctx->running : &ctx->measured;
  Tensor *t = arena_alloc (arena, sizeof *t, &ctx->status);
  if (!t)
    return NULL;
  *t = (Tensor){ .dtype = dtype, .rank = rank, .buffer = -1 };
  memcpy (t->ne, ne, (size_t) rank * sizeof *ne);
  return t;
}

Tensor *
ctx_view (Ctx *ctx, const Tensor *t, int rank, const int64_t *ne, size_t offset)
{
  if (ctx_failed (ctx))
    return NULL;
  Tensor *v = new_tensor (ctx, t->dtype, rank, ne);
  if (!v)
    return NULL;
  if (offset + tensor_bytes (v) > tensor_bytes (t))
    return ctx_fail (ctx, STATUS_SHAPE, "Internal error: a view reaches beyond its tensor.");
  v->buffer = t->buffer;
  v->offset = t->offset + offset;
  v->data = t->data ? (char *) t->data + offset : NULL;
  return v;
}

static Tensor *
emit_measured (Ctx *ctx, OpRecord record, Tensor *out)
{
  size_t id = ctx->n_ops;
  if (!mem_grow (&ctx->ops, &ctx->cap_ops, id + 1, sizeof *ctx->ops, &ctx->status) ||
      !mem_grow (&ctx->buffers, &ctx->cap_buffers, id + 1, sizeof *ctx->buffers, &ctx->status))
    return NULL;
  for (int i = 0; i < OP_MAX_SOURCES; i++)
    if (record.source[i] && record.source[i]->buffer >= 0 &&
        ctx->buffers[record.source[i]->buffer].last < (int) id)
      ctx->buffers[record.source[i]->buffer].last = (int) id;
  size_t size = (tensor_bytes (out) + PLAN_ALIGNMENT - 1) & ~(size_t) (PLAN_ALIGNMENT - 1);
  ctx->buffers[id] =
      (PlanBuffer){ .size = size, .first = (int) id, .last = (int) id, .alias_of = -1 };
  out->buffer = (int) id;
  record.out = out;
  ctx->ops[id] = record;
  ctx->n_ops++;
  return out;
}

/* The same operator on the same buffers as when it was measured. */
static bool
repeats (const OpRecord *planned, const OpRecord *record, const Tensor *out)
{
  if (planned->kind != record->kind || planned->out->rank != out->rank ||
      planned->out->dtype != out->dtype || memcmp (planned->out->ne, out->ne, sizeof out->ne) != 0)
    return false;
  for (int i = 0; i < OP_MAX_SOURCES; i++)
    {
      const Tensor *a = planned->source[i], *b = record->source[i];
      if (!a != !b || (a && (a->buffer != b->buffer || a->offset != b->offset)))
        return false;
    }
  return true;
}

/* Time up to now belongs to the operator before the cursor. */
static void
clock_operator (Ctx *ctx)
{
  int64_t now = now_ns (CLOCK_MONOTONIC), cpu = now_ns (CLOCK_PROCESS_CPUTIME_ID);
  if (ctx->cursor > 0)
    {
      ctx->ops[ctx->cursor - 1].duration_ns += now - ctx->op_started_ns;
      ctx->ops[ctx->cursor - 1].cpu_ns += cpu - ctx->op_started_cpu_ns;
    }
  ctx->op_started_ns = now;
  ctx->op_started_cpu_ns = cpu;
}

static Tensor *
emit_running (Ctx *ctx, const OpRecord *record, Tensor *out)
{
  size_t id = ctx->cursor;
  if (id >= ctx->n_ops || !repeats (&ctx->ops[id], record, out))
    return ctx_fail (
        ctx, STATUS_PLAN,
        "Internal error: the run left its plan at operator %zu (%s); please report it.", id,
        op_kind_name (record->kind));
  clock_operator (ctx);
  ctx->ops[id].n_runs++;
  ctx->cursor++;
  out->buffer = (int) id;
  out->data = ctx->memory + ctx->buffers[id].offset;
  return out;
}

Tensor *
ctx_emit (Ctx *ctx, OpRecord record, DType dtype, int rank, const int64_t *ne)
{
  if (ctx_failed (ctx))
    return NULL;
  if (ctx->cancel && atomic_load_explicit (ctx->cancel, memory_order_relaxed))
    return ctx_fail (ctx, STATUS_CANCELLED, "Cancelled.");
  if (ctx->mode == CTX_RUN && !guard_check (&ctx->status))
    return NULL;
  Tensor *out = new_tensor (ctx, dtype, rank, ne);
  if (!out)
    return NULL;
  return ctx->mode == CTX_RUN ? emit_running (ctx, &record, out) : emit_measured (ctx, record, out);
}

/* On the device's side: a buffer like any other, filled when the operators before it are done. */
static Tensor *
copy_input (Ctx *ctx, DType dtype, int rank, const int64_t *ne, const float *data)
{
  Tensor *t = ctx_emit (ctx, (OpRecord){ .kind = OP_INPUT, .inplace = -1 }, dtype, rank, ne);
  if (t && t->data)
    memory_of (ctx)->upload ((Device *) ctx->backend, t->data, dtype, data, tensor_elements (t));
  return t;
}

Tensor *
ctx_input (Ctx *ctx, DType dtype, int rank, const int64_t *ne, void *data)
{
  if (ctx_failed (ctx))
    return NULL;
  if (memory_of (ctx))
    return copy_input (ctx, dtype, rank, ne, data);
  Tensor *t = new_tensor (ctx, dtype, rank, ne);
  if (t)
    t->data = data;
  return t;
}

Tensor *
ctx_borrow (Ctx *ctx, const Tensor *t)
{
  if (ctx_failed (ctx))
    return NULL;
  Tensor *own = t ? new_tensor (ctx, t->dtype, t->rank, t->ne) : NULL;
  if (own)
    own->data = t->data;
  return own;
}

Tensor *
ctx_memory (Ctx *ctx, int rank, const int64_t *ne, void *memory)
{
  Tensor *t = ctx_failed (ctx) ? NULL : new_tensor (ctx, ctx_activation (ctx), rank, ne);
  if (t)
    t->data = memory;
  return t;
}

float *
ctx_read (Ctx *ctx, const Tensor *t)
{
  if (!t || !memory_of (ctx))
    return t ? t->data : NULL;
  int64_t n = tensor_elements (t);
  float *values = arena_alloc (&ctx->running, (size_t) n * sizeof *values, &ctx->status);
  bool ok = values && memory_of (ctx)->download ((Device *) ctx->backend, values, t->data, t->dtype,
                                                 n, &ctx->status);
  return ok ? values : NULL;
}

void
ctx_keep (Ctx *ctx, const Tensor *t)
{
  if (!ctx_failed (ctx) && ctx->mode == CTX_MEASURE && t->buffer >= 0)
    ctx->buffers[t->buffer].last = INT_MAX;
}

bool
ctx_plan (Ctx *ctx)
{
  if (ctx_failed (ctx))
    return false;
  int n = (int) ctx->n_ops;
  plan_inplace (ctx->buffers, ctx->ops, n);
  ctx->planned = plan_bound (ctx->buffers, n, n, &ctx->bound_bytes, &ctx->status) &&
                 plan_place (ctx->buffers, n, &ctx->peak_bytes, &ctx->status);
  return ctx->planned;
}

static bool
take_memory (Ctx *ctx)
{
  if (memory_of (ctx))
    ctx->memory = memory_of (ctx)->take ((Device *) ctx->backend, ctx->peak_bytes, &ctx->status);
  else if (!(ctx->memory = mem_map (ctx->peak_bytes)))
    ctx_fail (
        ctx, STATUS_NO_MEMORY,
        "Not enough memory: this step needs %.0f MiB; choose a smaller size or close programs.",
        (double) ctx->peak_bytes / (1 << 20));
  return ctx->memory != NULL;
}

bool
ctx_begin_run (Ctx *ctx)
{
  if (ctx_failed (ctx))
    return false;
  if (!ctx->planned)
    {
      ctx_fail (ctx, STATUS_PLAN, "Internal error: a run was started before its plan.");
      return false;
    }
  if (!ctx->memory && !take_memory (ctx))
    return false;
  if (memory_of (ctx))
    memory_of (ctx)->begin ((Device *) ctx->backend, ctx->activation, ctx->memory);
  ctx->mode = CTX_RUN;
  ctx->cursor = 0;
  arena_reset (&ctx->running);
  return true;
}

bool
ctx_end_run (Ctx *ctx)
{
  Status device = { 0 };
  if (memory_of (ctx) && !memory_of (ctx)->finish ((Device *) ctx->backend, &device))
    ctx_fail (ctx, device.code, "%s", device.message);
  if (ctx_failed (ctx))
    return false;
  if (ctx->cancel && atomic_load (ctx->cancel))
    ctx_fail (ctx, STATUS_CANCELLED, "Cancelled.");
  else if (ctx->cursor != ctx->n_ops)
    ctx_fail (ctx, STATUS_PLAN, "Internal error: the run ended before its plan; please report it.");
  else if (guard_check (&ctx->status))
    clock_operator (ctx);
  return !ctx_failed (ctx);
}

size_t
ctx_peak_bytes (const Ctx *ctx)
{
  return ctx->peak_bytes;
}

size_t
ctx_bound_bytes (const Ctx *ctx)
{
  return ctx->bound_bytes;
}

const Status *
ctx_status (const Ctx *ctx)
{
  return &ctx->status;
}

Status *
ctx_status_mutable (Ctx *ctx)
{
  return &ctx->status;
}

bool
ctx_failed (const Ctx *ctx)
{
  return ctx->status.code != STATUS_OK;
}

bool
ctx_running (const Ctx *ctx)
{
  return ctx->mode == CTX_RUN;
}

Backend *
ctx_backend (const Ctx *ctx)
{
  return ctx->backend;
}

Compute
ctx_set_compute (Ctx *ctx, Compute compute)
{
  Compute before = ctx->compute;
  ctx->compute = compute;
  return before;
}

Compute
ctx_compute (const Ctx *ctx)
{
  return ctx->compute;
}

int
ctx_op_count (const Ctx *ctx)
{
  return (int) ctx->n_ops;
}

const OpRecord *
ctx_op (const Ctx *ctx, int i)
{
  return &ctx->ops[i];
}

const char *
op_kind_name (OpKind kind)
{
  static const char *const names[OP_KIND_COUNT] = {
    [OP_LINEAR] = "linear",
    [OP_CONV2D] = "conv2d",
    [OP_CONV3D] = "conv3d",
    [OP_ATTENTION] = "attention",
    [OP_GROUP_NORM] = "group_norm",
    [OP_LAYER_NORM] = "layer_norm",
    [OP_RMS_NORM] = "rms_norm",
    [OP_NORM_MODULATE] = "norm_modulate",
    [OP_ROPE] = "rope",
    [OP_UNARY] = "unary",
    [OP_ADD] = "add",
    [OP_ADD_GATED] = "add_gated",
    [OP_GATED] = "gated",
    [OP_GEGLU] = "geglu",
    [OP_EMBED] = "embed",
    [OP_CONCAT] = "concat",
    [OP_COPY] = "copy",
    [OP_ROOM] = "room",
    [OP_PUT] = "put",
    [OP_AVG_DOWN] = "avg_down",
    [OP_DUP_UP] = "dup_up",
    [OP_RESIZE] = "resize",
    [OP_SINUSOID] = "sinusoid",
    [OP_SCALE] = "scale",
    [OP_INPUT] = "input",
  };
  return names[kind];
}
