/* SPDX-License-Identifier: MPL-2.0
 * backend.h - a device as a table of functions.  No slot may be NULL: what a level does not
 * improve, the scalar reference does, so there is never a silent hole.
 */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

#include "core/device.h"
#include "core/status.h"
#include "kernels/args.h"

typedef struct Backend Backend;

typedef struct
{
  void (*linear) (Backend *b, const LinearArgs *a);
  void (*conv2d) (Backend *b, const ConvArgs *a);
  void (*conv3d) (Backend *b, const Conv3dArgs *a);
  void (*attention) (Backend *b, const AttentionArgs *a);
  void (*group_norm) (Backend *b, const GroupNormArgs *a);
  void (*layer_norm) (Backend *b, const LayerNormArgs *a);
  void (*rms_norm) (Backend *b, const RmsNormArgs *a);
  void (*norm_modulate) (Backend *b, const NormModulateArgs *a);
  void (*rope) (Backend *b, const RopeArgs *a);
  void (*unary) (Backend *b, const UnaryArgs *a);
  void (*add) (Backend *b, const AddArgs *a);
  void (*add_gated) (Backend *b, const AddGatedArgs *a);
  void (*gated) (Backend *b, const GatedArgs *a);
  void (*scale) (Backend *b, const ScaleArgs *a);
  void (*geglu) (Backend *b, const GegluArgs *a);
  void (*embed) (Backend *b, const EmbedArgs *a);
  void (*concat) (Backend *b, const ConcatArgs *a);
  void (*copy) (Backend *b, const CopyArgs *a);
  void (*avg_down) (Backend *b, const AvgDownArgs *a);
  void (*dup_up) (Backend *b, const DupUpArgs *a);
  void (*round) (Backend *b, const RoundArgs *a);
  void (*resize) (Backend *b, const ResizeArgs *a);
  void (*sinusoid) (Backend *b, const SinusoidArgs *a);
} BackendOps;

/* Who was faster at a product or a convolution. */
typedef struct
{
  const char *library; /* "cuBLASLt" */
  double own_ms, library_ms;
} BackendTimes;

/* Backends embed this as their first member. */
struct Backend
{
  Device device; /* first: the Ctx knows no more of a backend */
  BackendOps ops;
  const char *name;  /* "cpu" */
  const char *level; /* "ref", "sse2", "avx2", "avx512", "avx512bf16", "amx"; a card's "sm89" */
  const char *device_name;   /* a card's; NULL: the processor */
  Compute fastest;           /* what --precision auto picks on this device */
  bool has_fp8;              /* forms products as COMPUTE_FP8 says */
  bool fuses;                /* its products do what LinearNext says, too, and scale and add what an
                              * adapter gives: fewer passes over memory */
  const atomic_bool *cancel; /* set by the Ctx for the length of a run; may be NULL */
  /* Whether a product takes the low-rank part of its weights (LowRank) into them rather than beside
   * it, from its shape alone; NULL: never.  @n_rows: of one picture, so that a picture is made
   * alike alone and in a batch; @n_in: elements of a row of the weight */
  bool (*folds) (const Backend *b, Compute compute, int64_t n_rows, int64_t n_out, int64_t n_in);
  /* Of the operator queued last, where a vendor's library could do it, too, and the two were
   * measured; else false.  NULL: there are no such libraries */
  bool (*compared) (const Backend *b, BackendTimes *times);
  /* Of the run that was last tried as a graph of launches; the faster way stayed.  False when none
   * was.  NULL: never */
  bool (*graph_times) (const Backend *b, double *eager_ms, double *graph_ms);
  /* A sentence for the user, told once; false when there is none.  NULL: never */
  bool (*take_remark) (Backend *b, char *out, size_t size);
  int n_threads;        /* it computes with, the caller's included; 0: none of the CPU's */
  size_t scratch_bytes; /* packing buffers and the like, allocated once by the constructor */
  void (*free) (Backend *b);
};

/* backend_cpu_new:
 * @level: NULL for the best this machine has (or the environment's GESSO_LEVEL), else a level's
 * name
 * @n_threads: 0 for one a core
 *
 * Fails: UNSUPPORTED when the machine lacks @level, naming those it has; ARGUMENT when unknown
 */
Backend *backend_cpu_new (const char *level, int n_threads, Status *status);

/* backend_cuda_new:
 * @device: of the cards that have kernels, from 0
 * @memory_limit_bytes: what it may take of the card's memory; 0: what is free, less a reserve
 *
 * Fails: what is missing, in one sentence: the module, the driver, a card, memory
 */
Backend *backend_cuda_new (int device, int64_t memory_limit_bytes, Status *status);

typedef struct
{
  const char *name;         /* "cpu" (also NULL), "cuda", "cuda:1", "auto", or "null" for tests */
  const char *level;        /* as backend_cpu_new, for the CPU */
  int n_threads;            /* the same */
  int64_t memory_limit_mib; /* of a card; 0: what is free, less a reserve */
} BackendChoice;

/* backend_new:
 *
 * What a user asks for by name.  A card that cannot be used is an error that offers the CPU, never
 * the CPU in silence; "auto" is a card where there is one.
 */
Backend *backend_new (const BackendChoice *choice, Status *status);

/* Shapes only, computes nothing: for planning and for tests of what stands above.  Its `fuses` may
 * be set to plan for a card. */
Backend *backend_null_new (Status *status);

/* backend_twin_new:
 * @of: a card; borrowed, outlives the twin
 *
 * Plans as @of would, with the room that @of has at the time, and computes nothing: for a thread
 * that plans while another computes.
 */
Backend *backend_twin_new (const Backend *of, Status *status);

/* To be called before parameters change or are freed: a device may hold copies of them. */
void backend_forget (Backend *b);

void backend_free (Backend *b);
