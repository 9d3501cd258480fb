/* SPDX-License-Identifier: MPL-2.0
 * cuda.h - the CUDA backend's insides.  Private to this folder.
 *
 * Everything is queued on one stream, `compute`; parameters come by another, `copies`, and events
 * order the two.  The first failure is kept in `status`: from then on nothing is queued, and the
 * Ctx hears of it at its next finish or download.
 */
#pragma once

#include "backend/backend.h"
#include "backend/cuda-module.h"
#include "driver.h"
#include "kernels/cuda/launch.h"

/* Physical memory under a range of addresses of its own. */
typedef struct
{
  DriverPointer address; /* 0: there is none */
  DriverPage *pages;
  size_t n_pages, n_mapped;
} CudaBlock;

enum
{
  STAGING_BUFFERS = 4,
  STAGING_BYTES = 4 << 20,        /* each; pinned memory in all: 16 MiB */
  MAX_ARENAS = 16,                /* of the Ctx that are alive at once */
  CUDA_WORKSPACE_BYTES = 32 << 20 /* that a library may write on */
};

/* Pinned memory through which all bytes pass; a buffer is free once its copy is done. */
typedef struct
{
  void *memory;
  DriverEvent done;
  bool in_flight;
} CudaStaging;

/* pace.c */
enum
{
  CUDA_MARKS = 2
};

typedef struct
{
  DriverEvent marks[CUDA_MARKS];
  bool is_set[CUDA_MARKS];
  int next, n_launches, n_multiprocessors;
  double seconds, stretch, rate; /* queued since the last mark; most of that; operations a second */
} CudaPace;

/* A copy of activations in 8 bits, for the products that read them next. */
typedef struct
{
  CudaBlock block;
  size_t size_bytes;
  const void *x; /* whose rows it has; NULL: nobody's */
  int64_t n_rows, dim;
} CudaNarrow;

typedef struct CudaWeights CudaWeights;
typedef struct CudaChoices CudaChoices;
typedef struct CudaScales CudaScales;
typedef struct CudaGraph CudaGraph;

typedef enum
{
  CUDA_RUN_EAGER,
  CUDA_RUN_RECORD,
  CUDA_RUN_REPLAY
} CudaRunMode;

typedef struct
{
  Backend base; /* first */
  const Driver *driver;
  int device; /* the driver's number */
  int capability;
  char name[CUDA_NAME_SIZE], level[8];
  DriverContext context;
  DriverStream compute, copies;
  GkType type; /* of activations, from one DeviceMemory.begin to the next */
  Status status;

  /* memory.c */
  size_t page_bytes, max_pages, n_pages; /* n_pages: made and not freed */
  DriverPage *free_pages;
  size_t n_free, free_capacity;
  CudaBlock arenas[MAX_ARENAS];
  CudaBlock scratch;
  size_t scratch_bytes;
  CudaNarrow narrow;
  bool is_fp8; /* a product was of 8 bits since DeviceMemory.begin */

  CudaStaging staging[STAGING_BUFFERS];
  int next_staging;

  CudaPace pace;
  CudaWeights *weights;
  CudaScales *scales; /* NULL: no adapter has come yet */
  /* graph.c: of the run under way */
  CudaGraph *graphs[MAX_ARENAS], *graph;
  CudaRunMode run_mode;
  size_t n_replayed;
  bool is_capturing, has_moved;
  double run_start,
      graph_times[2];   /* seconds: of the last that was tried, without it and with it */
  int64_t epoch;        /* grows when parameters change places */
  CudaChoices *choices; /* NULL: no library is at hand */
  char remark[STATUS_MESSAGE_SIZE]; /* for the user, until it is told */
} CudaBackend;

/* Whether work can be queued still; records what the driver answered otherwise.  @doing: ends the
 * sentence "... while ..." and is given to status_text. */
bool cuda_works (CudaBackend *b, int error, const char *doing);
static inline bool
cuda_failed (const CudaBackend *b)
{
  return b->status.code != STATUS_OK;
}

/* --- memory.c --- */

bool cuda_memory_open (CudaBackend *b, int64_t limit_bytes, Status *status);
void cuda_memory_close (CudaBackend *b);
/* Reserves addresses and puts pages under them; parameters make room when there are too few.
 * Fails: NO_MEMORY, with a sentence for the user */
bool cuda_map (CudaBackend *b, CudaBlock *block, size_t size_bytes, Status *status);
/* Its pages can be used again; nothing that is queued may read it still. */
void cuda_unmap (CudaBackend *b, CudaBlock *block);
/* Whether a block of that size could be mapped without moving anything else. */
bool cuda_has_room (const CudaBackend *b, size_t size_bytes);
/* Memory for the length of one operator; NULL after failure. */
void *cuda_scratch (CudaBackend *b, size_t size_bytes);

/* --- narrow.c --- */

/* Whether a product is of 8 bits. */
bool cuda_narrow_takes (const CudaBackend *b, const LinearArgs *a);
/* Whether x has to be rounded first, and how. */
bool cuda_narrow_begin (CudaBackend *b, const LinearArgs *a, GkQuantise *q);
/* The factors of such a product, once that is queued. */
void cuda_narrow_factors (CudaBackend *b, const LinearArgs *a, GkGemm *g);
/* Lets a norm round its result, too, where products of 8 bits may follow. */
void cuda_narrow_norm (const CudaBackend *b, GkNormRow *g);
/* The norm, or a product of 8 bits or not, has been queued. */
void cuda_narrow_normed (CudaBackend *b, const GkNormRow *g);
void cuda_narrow_multiplied (CudaBackend *b, const CudaNarrow *before, const GkGemm *g);
/* Activations have changed. */
static inline void
cuda_narrow_forget (CudaBackend *b)
{
  b->narrow.x = NULL;
}
/* Gives its memory back; nothing that reads it is queued. */
void cuda_narrow_close (CudaBackend *b);

/* --- staging.c --- */

bool cuda_staging_open (CudaBackend *b, Status *status);
void cuda_staging_close (CudaBackend *b);
/* Fills @n bytes that begin @offset bytes behind the copy's first. */
typedef void (*CudaFill) (void *data, void *out, size_t offset_bytes, size_t n_bytes);
/* Queues a copy to the device in pieces of at most STAGING_BYTES, @unit_bytes never cut. */
bool cuda_copy_in (CudaBackend *b,
                   DriverStream stream,
                   DriverPointer to,
                   size_t size_bytes,
                   size_t unit_bytes,
                   CudaFill fill,
                   void *data);
bool cuda_copy_out (CudaBackend *b, void *to, DriverPointer from, size_t size_bytes);

/* --- weights.c --- */

typedef enum
{
  CUDA_ROWS,   /* elements in order, in the type that activations have at that time */
  CUDA_F32,    /* elements in order, f32 */
  CUDA_CONV,   /* (c_out, taps, ceil8 (c_in)), in that type */
  CUDA_BLOCKS, /* as the file has them */
  CUDA_SCALES  /* a scale for each c_in elements, f32 */
} CudaLayout;

typedef struct
{
  CudaLayout layout;
  GkType type;               /* cuda_weight fills it in */
  int64_t n;                 /* elements */
  int64_t c_out, c_in, taps; /* CUDA_CONV, and see CUDA_SCALES */
} CudaShape;

bool cuda_weights_open (CudaBackend *b, Status *status);
void cuda_weights_close (CudaBackend *b);
/* cuda_weight:
 * @p: where the parameter lies in the program's memory; data NULL: there is none
 *
 * Brings it to the device unless it is there, in its place in the order of use.
 *
 * Returns: valid for what is queued until cuda_weights_used; NULL without data or after failure
 */
const void *cuda_weight (CudaBackend *b, const Param *p, CudaShape shape);
/* All that reads the parameters asked for since the last call has been queued. */
void cuda_weights_used (CudaBackend *b);
/* Frees one resident piece.  Returns: false when all that is left is in use */
bool cuda_weights_make_room (CudaBackend *b);
void cuda_weights_forget (CudaBackend *b);

/* --- scales.c --- */

/* @n floats of the program's memory, as they are now, for what is queued next; NULL after failure.
 */
const float *cuda_scales (CudaBackend *b, const float *from, int64_t n);
void cuda_scales_forget (CudaBackend *b);
void cuda_scales_close (CudaBackend *b);

/* --- hopper.c --- */

bool cuda_hopper_takes (const CudaBackend *b, const GkGemm *g);
int cuda_hopper_gemm (const CudaBackend *b, const GkGemm *g);
bool cuda_hopper_convolves (const CudaBackend *b, const GkConv *c);
int cuda_hopper_conv (const CudaBackend *b, const GkConv *c);
bool cuda_hopper_attends (const CudaBackend *b, const GkAttention *a);
int cuda_hopper_attention (const CudaBackend *b, const GkAttention *a);

/* --- graph.c --- */

/* Queues something on the compute stream, from nothing but its arguments. */
typedef int (*CudaRun) (CudaBackend *b, const void *args);

void cuda_graph_begin (CudaBackend *b, const void *memory);
/* Whether a launch is, or will be, part of a graph; else the caller runs it. */
bool cuda_graph_takes (CudaBackend *b, CudaRun run, const void *args, size_t size);
/* Something that no graph can hold is about to be queued. */
void cuda_graph_break (CudaBackend *b);
/* Parameters are about to change places, or time is taken for something else. */
void cuda_graph_moved (CudaBackend *b);
/* All of a run is there; and it is done. */
void cuda_graph_launch (CudaBackend *b);
void cuda_graph_end (CudaBackend *b);
void cuda_graph_free (CudaBackend *b, int arena);
bool cuda_graph_times (const Backend *base, double *eager_ms, double *graph_ms);

/* --- pace.c --- */

bool cuda_pace_open (CudaBackend *b, Status *status);
void cuda_pace_close (CudaBackend *b);
/* An operator of so many operations was queued; waits when that is too far ahead of the card. */
void cuda_pace (CudaBackend *b, double operations);
/* How many queries to attend for at once, of one entry; all of them: entries together. */
int64_t cuda_pace_queries (const CudaBackend *b, const GkAttention *a);

/* --- ops.c --- */

extern const BackendOps cuda_ops;

/* By our kernels. */
int cuda_own_gemm (const CudaBackend *b, const GkGemm *g);
int cuda_own_conv (const CudaBackend *b, const GkConv *g);

/* --- choices.c --- */

typedef enum
{
  CUDA_CALL_GEMM,
  CUDA_CALL_CONV,
  CUDA_CALL_KINDS
} CudaCallKind;

/* A product or a convolution, whoever computes it. */
typedef struct
{
  CudaCallKind kind;
  GkGemm gemm; /* the one of @kind */
  GkConv conv;
  Param bias; /* as the program has it */
} CudaCall;

void cuda_choices_open (CudaBackend *b, bool is_limited);
void cuda_choices_close (CudaBackend *b);
/* Keeps what was measured since the last time. */
void cuda_choices_save (CudaBackend *b);
/* Queues it, by whoever was measured to be faster. */
int cuda_call (CudaBackend *b, const CudaCall *call);
/* Its bias in the type of activations, as libraries want it. */
const void *cuda_call_bias (CudaBackend *b, const CudaCall *call);
bool cuda_compared (const Backend *base, BackendTimes *times);

/* --- backend.c --- */

Backend *cuda_backend_new (const Driver *driver,
                           int number, /* the driver's */
                           const CudaDevice *device,
                           const CudaOptions *options,
                           Status *status);
