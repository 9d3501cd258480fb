/* SPDX-License-Identifier: MPL-2.0
 * ctx.h - eager operators over a measured plan.
 *
 * A model is a function that calls operators.  It is run twice with the same arguments: first in
 * MEASURE mode, where operators only compute shapes and append to the trace; then, after ctx_plan
 * has given every buffer an offset, in RUN mode, any number of times, where the n-th output gets
 * the n-th planned offset and the backend computes.  A run that does not repeat its measurement
 * stops with STATUS_PLAN; it never writes outside its arena.
 *
 * What must hold in a model function: control flow depends on shapes and parameters only, never on
 * data, so that the two passes agree.
 */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/dtype.h"
#include "core/status.h"
#include "kernels/args.h"

enum
{
  TENSOR_MAX_RANK = 5,
  OP_MAX_SOURCES = 5
};

typedef struct Backend Backend; /* backend/backend.h; begins with a Device */
typedef struct Ctx Ctx;

typedef enum
{
  CTX_MEASURE,
  CTX_RUN
} CtxMode;

typedef enum
{
  OP_LINEAR,
  OP_CONV2D,
  OP_CONV3D,
  OP_ATTENTION,
  OP_GROUP_NORM,
  OP_LAYER_NORM,
  OP_RMS_NORM,
  OP_NORM_MODULATE,
  OP_ROPE,
  OP_UNARY,
  OP_ADD,
  OP_ADD_GATED,
  OP_GATED,
  OP_GEGLU,
  OP_EMBED,
  OP_CONCAT,
  OP_COPY,
  OP_ROOM,
  OP_PUT,
  OP_AVG_DOWN,
  OP_DUP_UP,
  OP_RESIZE,
  OP_SINUSOID,
  OP_SCALE,
  OP_INPUT, /* on devices with memory of their own: a copy of what the caller gave */
  OP_KIND_COUNT
} OpKind;

/* Row-major; ne[rank - 1] is contiguous.  Images are (N, H, W, C), tokens (N, L, C). */
typedef struct
{
  DType dtype;
  int rank;
  int64_t ne[TENSOR_MAX_RANK];
  void *data;    /* on the device; NULL while measuring */
  int buffer;    /* index in the plan; -1 for inputs, which belong to the caller */
  size_t offset; /* of a view inside its buffer, bytes */
} Tensor;

/* One line of the trace. */
typedef struct
{
  OpKind kind;
  const Tensor *out;
  const Tensor *source[OP_MAX_SOURCES];
  const char *weight_name; /* NULL: none */
  int64_t weight_bytes;
  int64_t beside_bytes;        /* that a device needs besides, for its length */
  double flops;                /* 2 a multiply-add */
  int inplace;                 /* index of the source that the output may overwrite, -1: none */
  int64_t duration_ns, n_runs; /* of the runs so far */
  int64_t cpu_ns;              /* of all threads of the process, over the same runs */
} OpRecord;

/* ctx_new:
 * @backend: borrowed; computes in RUN mode
 * @compute: how products are formed
 * @cancel: borrowed, may be NULL; once set, operators fail with STATUS_CANCELLED
 *
 * Returns: in MEASURE mode; NULL and @status when out of memory
 */
Ctx *ctx_new (Backend *backend, Compute compute, const atomic_bool *cancel, Status *status);
void ctx_free (Ctx *ctx);

/* ctx_plan:
 *
 * Ends MEASURE: places every buffer at the lowest offset that is free for its lifetime, biggest
 * first; an operator that may work in place takes over a source that dies there.
 *
 * Returns: false when the measurement failed; the reason is the Ctx's status
 */
bool ctx_plan (Ctx *ctx);

/* Bytes of all buffers at once under the plan, and the lower bound no plan can beat. */
size_t ctx_peak_bytes (const Ctx *ctx);
size_t ctx_bound_bytes (const Ctx *ctx);

/* Starts a run: takes the arena on the first call.  Results of the run before are gone. */
bool ctx_begin_run (Ctx *ctx);

/* Ends a run: the last operator may have been cut short by the cancel flag, so only a true answer
 * means that results are whole. */
bool ctx_end_run (Ctx *ctx);

/* The result outlives the operators that read it (a second output of a model). */
void ctx_keep (Ctx *ctx, const Tensor *t);

/* ctx_read:
 *
 * The values of a result after ctx_end_run, in the program's memory.
 *
 * Returns: owned by @ctx until the next run, may be written to; NULL when @t is NULL or the device
 * has failed (the Ctx's status)
 */
float *ctx_read (Ctx *ctx, const Tensor *t);

/* The type of what operators make: F32, or on devices with memory of their own what ctx_new's
 * @compute says. */
DType ctx_activation (const Ctx *ctx);

const Status *ctx_status (const Ctx *ctx);
Status *ctx_status_mutable (Ctx *ctx);
bool ctx_failed (const Ctx *ctx);
bool ctx_running (const Ctx *ctx);
Backend *ctx_backend (const Ctx *ctx);
Compute ctx_compute (const Ctx *ctx);
/* For the layers that follow.  Returns: what it was before */
Compute ctx_set_compute (Ctx *ctx, Compute compute);

int ctx_op_count (const Ctx *ctx);
const OpRecord *ctx_op (const Ctx *ctx, int i);
const char *op_kind_name (OpKind kind);

/* --- for operators ------------------------------------------------------------------------- */

/* ctx_emit:
 * @record: kind, sources, weight, flops and inplace filled in
 *
 * The one door of every operator: checks the sticky status and the cancel flag, appends to the
 * trace or follows it, and makes the output.
 *
 * Returns: the output, its data set when running; NULL once the Ctx has failed
 */
Tensor *ctx_emit (Ctx *ctx, OpRecord record, DType dtype, int rank, const int64_t *ne);

/* Records the failure on the Ctx.  Returns: NULL */
Tensor *ctx_fail (Ctx *ctx, StatusCode code, const char *format, ...)
    __attribute__ ((format (printf, 3, 4)));

/* A tensor over f32 memory of the caller (NULL data is fine while measuring), which stays valid
 * until the run ends.  @dtype: F32, or ctx_activation for what operators take in the device's own
 * type. */
Tensor *ctx_input (Ctx *ctx, DType dtype, int rank, const int64_t *ne, void *data);

/* ctx_borrow:
 * @t: kept (ctx_keep) by another Ctx of the same backend, which must not run before this run ends
 *
 * Returns: its values as an input, not copied; without data while either is measured
 */
Tensor *ctx_borrow (Ctx *ctx, const Tensor *t);

/* A tensor of ctx_activation's type over the device's own memory, which the caller has taken (NULL
 * is fine while measuring): what a model remembers from run to run. */
Tensor *ctx_memory (Ctx *ctx, int rank, const int64_t *ne, void *memory);

/* The same bytes under another shape, or a part of them; @offset in bytes. */
Tensor *ctx_view (Ctx *ctx, const Tensor *t, int rank, const int64_t *ne, size_t offset);

int64_t tensor_elements (const Tensor *t);
int64_t tensor_rows (const Tensor *t); /* elements / last dimension */
int64_t tensor_last (const Tensor *t);
size_t tensor_bytes (const Tensor *t);
/* Where element @i lies. */
void *tensor_at (const Tensor *t, int64_t i);
