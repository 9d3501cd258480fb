/* SPDX-License-Identifier: MPL-2.0
 * cublaslt.c - plain products by NVIDIA's cuBLASLt, found when the program runs.
 *
 * Prototypes and numbers are those of cublasLt.h of CUDA 13.  It counts by columns, so y (rows,
 * n_out) = x w^T is its D (n_out, rows) = A^T B with A = w, B = x.
 */
#include "choices.h"

#include "core/mem.h"

enum
{
  MIN_VERSION = 130000,
  R_32F = 0, /* cudaDataType */
  R_16F = 2,
  R_16BF = 14,
  COMPUTE_32F_SUMS = 68, /* CUBLAS_COMPUTE_32F */
  TRANSPOSED = 1,        /* CUBLAS_OP_T */
  DESC_TRANS_A = 3,      /* CUBLASLT_MATMUL_DESC_... */
  DESC_EPILOGUE = 7,
  DESC_BIAS_POINTER = 8,
  EPILOGUE_BIAS = 4,
  PREF_WORKSPACE = 1, /* CUBLASLT_MATMUL_PREF_... */
  PREF_ALIGNMENT_A = 5,
  PREF_ALIGNMENT_D = 8,
  ALIGNMENT = 16, /* bytes, of all operands: choices.c */
  NOT_SUPPORTED = 15
};

typedef struct
{
  uint64_t data[8];
} Algorithm;

typedef struct
{
  Algorithm algorithm;
  size_t workspace_bytes;
  int state;
  float waves;
  int reserved[4];
} Heuristic;

typedef void *Handle, *Desc, *Layout, *Preference;

typedef struct
{
  size_t (*version) (void);
  int (*create) (Handle *handle);
  int (*destroy) (Handle handle);
  int (*desc_new) (Desc *desc, int compute, int scale);
  int (*desc_free) (Desc desc);
  int (*desc_set) (Desc desc, int attribute, const void *value, size_t size_bytes);
  int (*layout_new) (Layout *layout, int type, uint64_t rows, uint64_t columns, int64_t stride);
  int (*layout_free) (Layout layout);
  int (*preference_new) (Preference *preference);
  int (*preference_free) (Preference preference);
  int (*preference_set) (Preference preference,
                         int attribute,
                         const void *value,
                         size_t size_bytes);
  int (*heuristic) (Handle handle,
                    Desc desc,
                    Layout a,
                    Layout b,
                    Layout c,
                    Layout d,
                    Preference preference,
                    int n_wanted,
                    Heuristic *found,
                    int *n_found);
  int (*matmul) (Handle handle,
                 Desc desc,
                 const void *alpha,
                 const void *a,
                 Layout a_layout,
                 const void *b,
                 Layout b_layout,
                 const void *beta,
                 const void *c,
                 Layout c_layout,
                 void *d,
                 Layout d_layout,
                 const Algorithm *algorithm,
                 void *workspace,
                 size_t workspace_bytes,
                 DriverStream stream);
} Functions;

static const CudaSymbol symbols[] = {
  { "cublasLtGetVersion", offsetof (Functions, version) },
  { "cublasLtCreate", offsetof (Functions, create) },
  { "cublasLtDestroy", offsetof (Functions, destroy) },
  { "cublasLtMatmulDescCreate", offsetof (Functions, desc_new) },
  { "cublasLtMatmulDescDestroy", offsetof (Functions, desc_free) },
  { "cublasLtMatmulDescSetAttribute", offsetof (Functions, desc_set) },
  { "cublasLtMatrixLayoutCreate", offsetof (Functions, layout_new) },
  { "cublasLtMatrixLayoutDestroy", offsetof (Functions, layout_free) },
  { "cublasLtMatmulPreferenceCreate", offsetof (Functions, preference_new) },
  { "cublasLtMatmulPreferenceDestroy", offsetof (Functions, preference_free) },
  { "cublasLtMatmulPreferenceSetAttribute", offsetof (Functions, preference_set) },
  { "cublasLtMatmulAlgoGetHeuristic", offsetof (Functions, heuristic) },
  { "cublasLtMatmul", offsetof (Functions, matmul) },
};

typedef struct
{
  Desc desc;
  Layout a, b, d;
  Algorithm algorithm;
  size_t workspace_bytes;
} Plan;

static const Functions *
functions_of (const CudaBackend *b)
{
  return b->choices->libraries[CUDA_CALL_GEMM].functions;
}

static void
plan_free (CudaBackend *b, void *data)
{
  const Functions *f = functions_of (b);
  Plan *p = data;
  if (p->desc)
    f->desc_free (p->desc);
  if (p->a)
    f->layout_free (p->a);
  if (p->b)
    f->layout_free (p->b);
  if (p->d)
    f->layout_free (p->d);
  mem_free (p);
}

static int
describe (const Functions *f, const GkGemm *g, Plan *p)
{
  const int transposed = TRANSPOSED, with_bias = EPILOGUE_BIAS;
  int type = g->type == GK_TYPE_F16 ? R_16F : R_16BF;
  uint64_t n_rows = (uint64_t) g->n_rows, n_out = (uint64_t) g->n_out, n_in = (uint64_t) g->n_in;
  int error = f->desc_new (&p->desc, COMPUTE_32F_SUMS, R_32F);
  error = error ? error : f->desc_set (p->desc, DESC_TRANS_A, &transposed, sizeof transposed);
  if (!error && g->epilogue.bias)
    error = f->desc_set (p->desc, DESC_EPILOGUE, &with_bias, sizeof with_bias);
  error = error ? error : f->layout_new (&p->a, type, n_in, n_out, g->n_in);
  error = error ? error : f->layout_new (&p->b, type, n_in, n_rows, g->x_stride);
  return error ? error : f->layout_new (&p->d, type, n_out, n_rows, g->epilogue.y_stride);
}

/* What the library itself thinks best. */
static int
choose (const Functions *f, Handle handle, Plan *p)
{
  const size_t workspace = CUDA_WORKSPACE_BYTES;
  const uint32_t alignment = ALIGNMENT;
  Preference preference = NULL;
  Heuristic found = { 0 };
  int n = 0, error = f->preference_new (&preference);
  if (error)
    return error;
  error = f->preference_set (preference, PREF_WORKSPACE, &workspace, sizeof workspace);
  for (int i = PREF_ALIGNMENT_A; !error && i <= PREF_ALIGNMENT_D; i++)
    error = f->preference_set (preference, i, &alignment, sizeof alignment);
  error = error ? error
                : f->heuristic (handle, p->desc, p->a, p->b, p->d, p->d, preference, 1, &found, &n);
  f->preference_free (preference);
  if (error == NOT_SUPPORTED || (!error && (n < 1 || found.state)))
    error = NOT_THIS_SHAPE;
  p->algorithm = found.algorithm;
  p->workspace_bytes = found.workspace_bytes;
  return error;
}

static int
plan_new (CudaBackend *b, const CudaCall *call, void **plan)
{
  const Functions *f = functions_of (b);
  Plan *p = mem_calloc (1, sizeof *p);
  if (!p)
    return NOT_THIS_SHAPE;
  int error = describe (f, &call->gemm, p);
  error = error ? error : choose (f, b->choices->libraries[CUDA_CALL_GEMM].handle, p);
  if (error)
    plan_free (b, p);
  else
    *plan = p;
  return error;
}

static size_t
workspace (const void *plan)
{
  return ((const Plan *) plan)->workspace_bytes;
}

static int
run (CudaBackend *b, const CudaCall *call, const void *plan, void *y, void *memory)
{
  const Functions *f = functions_of (b);
  const Plan *p = plan;
  const GkGemm *g = &call->gemm;
  const void *add = g->epilogue.add;
  const float one = 1, beta = add ? 1 : 0;
  int error = 0;
  if (g->epilogue.bias)
    {
      const void *bias = cuda_call_bias (b, call);
      if (cuda_failed (b))
        return 0;
      error = f->desc_set (p->desc, DESC_BIAS_POINTER, &bias, sizeof bias);
    }
  return error ? error
               : f->matmul (b->choices->libraries[CUDA_CALL_GEMM].handle, p->desc, &one, g->w, p->a,
                            g->x, p->b, &beta, add ? add : y, p->d, y, p->d, &p->algorithm, memory,
                            p->workspace_bytes, b->compute);
}

static void
close_library (CudaBackend *b)
{
  functions_of (b)->destroy (b->choices->libraries[CUDA_CALL_GEMM].handle);
}

bool
cublaslt_open (CudaBackend *b, CudaLibrary *library)
{
  static Functions f;
  Handle handle;
  if (!library_load ("libcublasLt.so.13", symbols, sizeof symbols / sizeof *symbols, &f) ||
      f.version () < MIN_VERSION || f.create (&handle) != 0)
    return false;
  *library = (CudaLibrary){ .name = "cuBLASLt",
                            .version = (long) f.version (),
                            .handle = handle,
                            .functions = &f,
                            .plan = plan_new,
                            .workspace = workspace,
                            .run = run,
                            .plan_free = plan_free,
                            .close = close_library };
  return true;
}
