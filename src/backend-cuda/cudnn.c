/* SPDX-License-Identifier: MPL-2.0
 * cudnn.c - convolutions by NVIDIA's cuDNN, found when the program runs.
 *
 * Prototypes and numbers are those of cudnn_ops.h, cudnn_cnn.h and cudnn_graph.h of cuDNN 9.  Bias
 * and residual go into its call (without a bias there is no residual: choices.c); a time embedding
 * is a pass of ours behind it.
 */
#include "choices.h"

#include "core/mem.h"

enum
{
  MIN_VERSION = 90000,
  DATA_FLOAT = 0, /* cudnnDataType_t */
  DATA_HALF = 2,
  DATA_BFLOAT16 = 9,
  FORMAT_NHWC = 1,
  CROSS_CORRELATION = 1,
  TENSOR_OP_MATH = 1,
  IMPLICIT_PRECOMP_GEMM = 1, /* the one that takes bias and residual without an activation */
  ACTIVATION_IDENTITY = 5,
  NOT_PROPAGATE_NAN = 0,
  NOT_SUPPORTED = 3000, /* CUDNN_STATUS_NOT_SUPPORTED; its kin have numbers up to 3999 */
  NOT_SUPPORTED_END = 4000
};

typedef void *Handle, *Tensor4, *Filter, *Convolution, *Activation;

typedef struct
{
  size_t (*version) (void);
  int (*create) (Handle *handle);
  int (*destroy) (Handle handle);
  int (*set_stream) (Handle handle, DriverStream stream);
  int (*tensor_new) (Tensor4 *tensor);
  int (*tensor_free) (Tensor4 tensor);
  int (*tensor_set) (Tensor4 tensor, int format, int type, int n, int c, int h, int w);
  int (*filter_new) (Filter *filter);
  int (*filter_free) (Filter filter);
  int (*filter_set) (Filter filter, int type, int format, int k, int c, int h, int w);
  int (*convolution_new) (Convolution *convolution);
  int (*convolution_free) (Convolution convolution);
  int (*convolution_set) (Convolution convolution,
                          int pad_h,
                          int pad_w,
                          int stride_h,
                          int stride_w,
                          int dilation_h,
                          int dilation_w,
                          int mode,
                          int compute);
  int (*set_math) (Convolution convolution, int math);
  int (*activation_new) (Activation *activation);
  int (*activation_free) (Activation activation);
  int (*activation_set) (Activation activation, int mode, int nan, double limit);
  int (*workspace) (Handle handle,
                    Tensor4 x,
                    Filter w,
                    Convolution convolution,
                    Tensor4 y,
                    int algorithm,
                    size_t *size_bytes);
  int (*forward) (Handle handle,
                  const void *alpha,
                  Tensor4 x_desc,
                  const void *x,
                  Filter w_desc,
                  const void *w,
                  Convolution convolution,
                  int algorithm,
                  void *workspace,
                  size_t workspace_bytes,
                  const void *beta,
                  Tensor4 y_desc,
                  void *y);
  int (*forward_biased) (Handle handle,
                         const void *alpha1,
                         Tensor4 x_desc,
                         const void *x,
                         Filter w_desc,
                         const void *w,
                         Convolution convolution,
                         int algorithm,
                         void *workspace,
                         size_t workspace_bytes,
                         const void *alpha2,
                         Tensor4 z_desc,
                         const void *z,
                         Tensor4 bias_desc,
                         const void *bias,
                         Activation activation,
                         Tensor4 y_desc,
                         void *y);
} Functions;

static const CudaSymbol symbols[] = {
  { "cudnnGetVersion", offsetof (Functions, version) },
  { "cudnnCreate", offsetof (Functions, create) },
  { "cudnnDestroy", offsetof (Functions, destroy) },
  { "cudnnSetStream", offsetof (Functions, set_stream) },
  { "cudnnCreateTensorDescriptor", offsetof (Functions, tensor_new) },
  { "cudnnDestroyTensorDescriptor", offsetof (Functions, tensor_free) },
  { "cudnnSetTensor4dDescriptor", offsetof (Functions, tensor_set) },
  { "cudnnCreateFilterDescriptor", offsetof (Functions, filter_new) },
  { "cudnnDestroyFilterDescriptor", offsetof (Functions, filter_free) },
  { "cudnnSetFilter4dDescriptor", offsetof (Functions, filter_set) },
  { "cudnnCreateConvolutionDescriptor", offsetof (Functions, convolution_new) },
  { "cudnnDestroyConvolutionDescriptor", offsetof (Functions, convolution_free) },
  { "cudnnSetConvolution2dDescriptor", offsetof (Functions, convolution_set) },
  { "cudnnSetConvolutionMathType", offsetof (Functions, set_math) },
  { "cudnnCreateActivationDescriptor", offsetof (Functions, activation_new) },
  { "cudnnDestroyActivationDescriptor", offsetof (Functions, activation_free) },
  { "cudnnSetActivationDescriptor", offsetof (Functions, activation_set) },
  { "cudnnGetConvolutionForwardWorkspaceSize", offsetof (Functions, workspace) },
  { "cudnnConvolutionForward", offsetof (Functions, forward) },
  { "cudnnConvolutionBiasActivationForward", offsetof (Functions, forward_biased) },
};

typedef struct
{
  Tensor4 x, y, bias;
  Filter w;
  Convolution convolution;
  Activation identity;
  size_t workspace_bytes;
} Plan;

static const Functions *
functions_of (const CudaBackend *b)
{
  return b->choices->libraries[CUDA_CALL_CONV].functions;
}

static void
plan_free (CudaBackend *b, void *data)
{
  const Functions *f = functions_of (b);
  Plan *p = data;
  Tensor4 tensors[] = { p->x, p->y, p->bias };
  for (int i = 0; i < 3; i++)
    if (tensors[i])
      f->tensor_free (tensors[i]);
  if (p->w)
    f->filter_free (p->w);
  if (p->convolution)
    f->convolution_free (p->convolution);
  if (p->identity)
    f->activation_free (p->identity);
  mem_free (p);
}

static int
answer (int error)
{
  return error >= NOT_SUPPORTED && error < NOT_SUPPORTED_END ? NOT_THIS_SHAPE : error;
}

static int
make_parts (const Functions *f, Plan *p)
{
  int error = f->tensor_new (&p->x);
  error = error ? error : f->tensor_new (&p->y);
  error = error ? error : f->tensor_new (&p->bias);
  error = error ? error : f->filter_new (&p->w);
  error = error ? error : f->convolution_new (&p->convolution);
  return error ? error : f->activation_new (&p->identity);
}

static int
describe (const Functions *f, const GkConv *g, Plan *p)
{
  int type = g->type == GK_TYPE_F16 ? DATA_HALF : DATA_BFLOAT16, n = (int) g->n;
  int c_in = (int) g->c_in, c_out = (int) g->c_out, side = g->kernel, pad = g->pad_top;
  int error = f->tensor_set (p->x, FORMAT_NHWC, type, n, c_in, (int) g->h_in, (int) g->w_in);
  error = error ? error
                : f->tensor_set (p->y, FORMAT_NHWC, type, n, c_out, (int) g->h_out, (int) g->w_out);
  error = error ? error : f->tensor_set (p->bias, FORMAT_NHWC, type, 1, c_out, 1, 1);
  error = error ? error : f->filter_set (p->w, type, FORMAT_NHWC, c_out, c_in, side, side);
  error = error ? error
                : f->convolution_set (p->convolution, pad, pad, g->stride, g->stride, 1, 1,
                                      CROSS_CORRELATION, DATA_FLOAT);
  error = error ? error : f->set_math (p->convolution, TENSOR_OP_MATH);
  return error ? error : f->activation_set (p->identity, ACTIVATION_IDENTITY, NOT_PROPAGATE_NAN, 0);
}

static int
plan_new (CudaBackend *b, const CudaCall *call, void **plan)
{
  const Functions *f = functions_of (b);
  Plan *p = mem_calloc (1, sizeof *p);
  if (!p)
    return NOT_THIS_SHAPE;
  int error = make_parts (f, p);
  error = error ? error : describe (f, &call->conv, p);
  error = error ? error
                : f->workspace (b->choices->libraries[CUDA_CALL_CONV].handle, p->x, p->w,
                                p->convolution, p->y, IMPLICIT_PRECOMP_GEMM, &p->workspace_bytes);
  if (!error && p->workspace_bytes > CUDA_WORKSPACE_BYTES)
    error = NOT_THIS_SHAPE;
  if (error)
    plan_free (b, p);
  else
    *plan = p;
  return answer (error);
}

static size_t
workspace (const void *plan)
{
  return ((const Plan *) plan)->workspace_bytes;
}

/* Each picture's row of values for its channels. */
static int
add_entries (CudaBackend *b, const GkConv *g, uint16_t *y)
{
  int64_t n = g->h_out * g->w_out * g->c_out;
  const uint16_t *rows = g->epilogue.entry_add;
  int error = 0;
  for (int64_t i = 0; rows && !error && i < g->n; i++)
    {
      GkAdd a = { g->type, n, g->c_out, y + i * n, rows + i * g->c_out, y + i * n };
      error = gk_add (&a, b->compute);
    }
  return error;
}

static int
run (CudaBackend *b, const CudaCall *call, const void *plan, void *y, void *memory)
{
  const Functions *f = functions_of (b);
  Handle handle = b->choices->libraries[CUDA_CALL_CONV].handle;
  const Plan *p = plan;
  const GkConv *g = &call->conv;
  const float one = 1, zero = 0;
  const void *add = g->epilogue.add, *bias = g->epilogue.bias ? cuda_call_bias (b, call) : NULL;
  if (cuda_failed (b))
    return 0;
  int error = bias ? f->forward_biased (handle, &one, p->x, g->x, p->w, g->w, p->convolution,
                                        IMPLICIT_PRECOMP_GEMM, memory, p->workspace_bytes,
                                        add ? &one : &zero, p->y, add ? add : y, p->bias, bias,
                                        p->identity, p->y, y)
                   : f->forward (handle, &one, p->x, g->x, p->w, g->w, p->convolution,
                                 IMPLICIT_PRECOMP_GEMM, memory, p->workspace_bytes, &zero, p->y, y);
  if (error)
    return answer (error);
  cuda_works (b, add_entries (b, g, y), STATUS_MARK ("it computed"));
  return 0;
}

static void
close_library (CudaBackend *b)
{
  functions_of (b)->destroy (b->choices->libraries[CUDA_CALL_CONV].handle);
}

bool
cudnn_open (CudaBackend *b, CudaLibrary *library)
{
  static Functions f;
  Handle handle;
  if (!library_load ("libcudnn.so.9", symbols, sizeof symbols / sizeof *symbols, &f) ||
      f.version () < MIN_VERSION || f.create (&handle) != 0)
    return false;
  if (f.set_stream (handle, b->compute) != 0)
    return f.destroy (handle), false;
  *library = (CudaLibrary){ .name = "cuDNN",
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
