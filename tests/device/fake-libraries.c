/* SPDX-License-Identifier: MPL-2.0
 * fake-libraries.c - a libcublasLt.so.13 and a libcudnn.so.9 that compute on the host.
 *
 * As much of both as Gesso calls, in the same 16-bit types, summed in f32.  They are there when
 * FAKE_CUDA_LIBRARIES says their versions, "130100 91900"; else their version is 0, and so they
 * stand before real ones.  A descriptor is an array of ints that begins with its kind.
 */
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/dtype.h"
#include "fake-driver.h"

#define EXPORT __attribute__ ((visibility ("default")))

enum
{
  KIND_DESC = 1,
  KIND_LAYOUT,
  KIND_PREFERENCE,
  KIND_TENSOR,
  KIND_FILTER,
  KIND_CONVOLUTION,
  KIND_ACTIVATION,
  KIND_HANDLE,
  N_FIELDS = 12,
  INVALID = 7,
  WORKSPACE = 4096 /* that a product asks for, and fills */
};

typedef struct
{
  int kind;
  int64_t field[N_FIELDS];
} Thing;

FakeCuda *fake_cuda (void);

static size_t
version (int i)
{
  const char *text = getenv ("FAKE_CUDA_LIBRARIES");
  unsigned long of[2] = { 0, 0 };
  if (text)
    sscanf (text, "%lu %lu", &of[0], &of[1]);
  return of[i];
}

static int
call (void)
{
  FakeCuda *f = fake_cuda ();
  return ++f->n_library_calls == f->fail_library_at ? f->library_error : 0;
}

static int
make (void **out, int kind)
{
  int error = call ();
  Thing *t = error ? NULL : calloc (1, sizeof *t);
  if (!t)
    return error ? error : INVALID;
  t->kind = kind;
  fake_cuda ()->n_library_things++;
  *out = t;
  return 0;
}

static int
destroy (void *thing, int kind)
{
  Thing *t = thing;
  if (!t || t->kind != kind)
    {
      fake_cuda ()->n_misuses++;
      return INVALID;
    }
  free (t);
  fake_cuda ()->n_library_things--;
  return call ();
}

static int
set (void *thing, int kind, int n, const int64_t *values)
{
  Thing *t = thing;
  int error = call ();
  if (error || t->kind != kind)
    return error ? error : INVALID;
  memcpy (t->field, values, (size_t) n * sizeof *values);
  return 0;
}

/* ---- values ---- */

static float
value (const void *p, int64_t i, bool is_bf16)
{
  uint16_t bits = ((const uint16_t *) p)[i];
  return is_bf16 ? bf16_to_f32 (bits) : f16_to_f32 (bits);
}

static uint16_t
rounded (float v, bool is_bf16)
{
  return is_bf16 ? f32_to_bf16 (v) : f32_to_f16 (v);
}

/* Begins a product: its workspace is written on, as a library's would be. */
static void
begin_product (void *workspace, size_t size_bytes)
{
  FakeCuda *f = fake_cuda ();
  f->n_library_products++;
  f->clock_ms += f->library_ms;
  fake_open_memory (true);
  if (size_bytes)
    memset (workspace, 0x7f, size_bytes);
}

static void
end_product (void *y, size_t size_bytes)
{
  fake_open_memory (false);
  fake_wrote (y, size_bytes);
}

/* ---- cuBLASLt ---- */

size_t cublasLtGetVersion (void);
int cublasLtCreate (void **handle);
int cublasLtDestroy (void *handle);
int cublasLtMatmulDescCreate (void **desc, int compute, int scale);
int cublasLtMatmulDescDestroy (void *desc);
int cublasLtMatmulDescSetAttribute (void *desc, int attribute, const void *value, size_t size);
int
cublasLtMatrixLayoutCreate (void **layout, int type, uint64_t rows, uint64_t columns, int64_t ld);
int cublasLtMatrixLayoutDestroy (void *layout);
int cublasLtMatmulPreferenceCreate (void **preference);
int cublasLtMatmulPreferenceDestroy (void *preference);
int cublasLtMatmulPreferenceSetAttribute (void *p, int attribute, const void *value, size_t size);

typedef struct
{
  uint64_t algorithm[8];
  size_t workspace_bytes;
  int state;
  float waves;
  int reserved[4];
} Heuristic;

int cublasLtMatmulAlgoGetHeuristic (void *handle,
                                    void *desc,
                                    void *a,
                                    void *b,
                                    void *c,
                                    void *d,
                                    void *preference,
                                    int n_wanted,
                                    Heuristic *found,
                                    int *n_found);
int cublasLtMatmul (void *handle,
                    void *desc,
                    const float *alpha,
                    const void *a,
                    const Thing *a_layout,
                    const void *b,
                    const Thing *b_layout,
                    const float *beta,
                    const void *c,
                    const Thing *c_layout,
                    void *d,
                    const Thing *d_layout,
                    const uint64_t *algorithm,
                    void *workspace,
                    size_t workspace_bytes,
                    void *stream);

enum
{
  TRANSPOSE_A = 3,
  EPILOGUE = 7,
  BIAS_POINTER = 8,
  R_16BF = 14,
  MAGIC = 4711 /* in an algorithm */
};

EXPORT size_t
cublasLtGetVersion (void)
{
  return version (0);
}

EXPORT int
cublasLtCreate (void **handle)
{
  return make (handle, KIND_HANDLE);
}

EXPORT int
cublasLtDestroy (void *handle)
{
  return destroy (handle, KIND_HANDLE);
}

EXPORT int
cublasLtMatmulDescCreate (void **desc, int compute, int scale)
{
  return make (desc, KIND_DESC);
}

EXPORT int
cublasLtMatmulDescDestroy (void *desc)
{
  return destroy (desc, KIND_DESC);
}

EXPORT int
cublasLtMatmulDescSetAttribute (void *desc, int attribute, const void *from, size_t size)
{
  Thing *t = desc;
  int error = call ();
  if (error || attribute >= N_FIELDS || size > sizeof *t->field)
    return error ? error : INVALID;
  memcpy (&t->field[attribute], from, size);
  return 0;
}

EXPORT int
cublasLtMatrixLayoutCreate (void **layout, int type, uint64_t rows, uint64_t columns, int64_t ld)
{
  const int64_t fields[] = { type, (int64_t) rows, (int64_t) columns, ld };
  int error = make (layout, KIND_LAYOUT);
  if (!error)
    memcpy (((Thing *) *layout)->field, fields, sizeof fields);
  return error;
}

EXPORT int
cublasLtMatrixLayoutDestroy (void *layout)
{
  return destroy (layout, KIND_LAYOUT);
}

EXPORT int
cublasLtMatmulPreferenceCreate (void **preference)
{
  return make (preference, KIND_PREFERENCE);
}

EXPORT int
cublasLtMatmulPreferenceDestroy (void *preference)
{
  return destroy (preference, KIND_PREFERENCE);
}

EXPORT int
cublasLtMatmulPreferenceSetAttribute (void *p, int attribute, const void *from, size_t size)
{
  return call ();
}

EXPORT int
cublasLtMatmulAlgoGetHeuristic (void *handle,
                                void *desc,
                                void *a,
                                void *b,
                                void *c,
                                void *d,
                                void *preference,
                                int n_wanted,
                                Heuristic *found,
                                int *n_found)
{
  *found = (Heuristic){ .algorithm = { MAGIC }, .workspace_bytes = WORKSPACE };
  *n_found = 1;
  return call ();
}

/* d (m, n) = a^T b, by columns, + beta c + bias of each row. */
EXPORT int
cublasLtMatmul (void *handle,
                void *desc,
                const float *alpha,
                const void *a,
                const Thing *a_layout,
                const void *b,
                const Thing *b_layout,
                const float *beta,
                const void *c,
                const Thing *c_layout,
                void *d,
                const Thing *d_layout,
                const uint64_t *algorithm,
                void *workspace,
                size_t workspace_bytes,
                void *stream)
{
  const Thing *t = desc;
  const int64_t *at = a_layout->field, *bt = b_layout->field, *dt = d_layout->field;
  const void *bias = t->field[EPILOGUE] ? (const void *) (uintptr_t) t->field[BIAS_POINTER] : NULL;
  bool bf = dt[0] == R_16BF, fits = at[1] == bt[1] && at[2] == dt[1] && bt[2] == dt[2];
  int error = call ();
  if (error || !fits || !t->field[TRANSPOSE_A] || algorithm[0] != MAGIC || !stream)
    return error ? error : INVALID;
  begin_product (workspace, workspace_bytes);
  for (int64_t n = 0; n < dt[2]; n++)
    for (int64_t m = 0; m < dt[1]; m++)
      {
        float sum = 0;
        for (int64_t k = 0; k < at[1]; k++)
          sum += value (a, m * at[3] + k, bf) * value (b, n * bt[3] + k, bf);
        sum = *alpha * sum + (*beta != 0 ? *beta * value (c, n * dt[3] + m, bf) : 0);
        ((uint16_t *) d)[n * dt[3] + m] = rounded (sum + (bias ? value (bias, m, bf) : 0), bf);
      }
  end_product (d, (size_t) ((dt[2] - 1) * dt[3] + dt[1]) * sizeof (uint16_t));
  return 0;
}

/* ---- cuDNN ---- */

size_t cudnnGetVersion (void);
int cudnnCreate (void **handle);
int cudnnDestroy (void *handle);
int cudnnSetStream (void *handle, void *stream);
int cudnnCreateTensorDescriptor (void **t);
int cudnnDestroyTensorDescriptor (void *t);
int cudnnSetTensor4dDescriptor (void *t, int format, int type, int n, int c, int h, int w);
int cudnnCreateFilterDescriptor (void **t);
int cudnnDestroyFilterDescriptor (void *t);
int cudnnSetFilter4dDescriptor (void *t, int type, int format, int k, int c, int h, int w);
int cudnnCreateConvolutionDescriptor (void **t);
int cudnnDestroyConvolutionDescriptor (void *t);
int cudnnSetConvolution2dDescriptor (
    void *t, int pad_h, int pad_w, int u, int v, int dil_h, int dil_w, int mode, int compute);
int cudnnSetConvolutionMathType (void *t, int math);
int cudnnCreateActivationDescriptor (void **t);
int cudnnDestroyActivationDescriptor (void *t);
int cudnnSetActivationDescriptor (void *t, int mode, int nan, double limit);
int cudnnGetConvolutionForwardWorkspaceSize (
    void *handle, void *x, void *w, void *conv, void *y, int algorithm, size_t *size_bytes);
int cudnnConvolutionForward (void *handle,
                             const float *alpha,
                             const Thing *x_desc,
                             const void *x,
                             const Thing *w_desc,
                             const void *w,
                             const Thing *conv,
                             int algorithm,
                             void *workspace,
                             size_t workspace_bytes,
                             const float *beta,
                             const Thing *y_desc,
                             void *y);
int cudnnConvolutionBiasActivationForward (void *handle,
                                           const float *alpha1,
                                           const Thing *x_desc,
                                           const void *x,
                                           const Thing *w_desc,
                                           const void *w,
                                           const Thing *conv,
                                           int algorithm,
                                           void *workspace,
                                           size_t workspace_bytes,
                                           const float *alpha2,
                                           const Thing *z_desc,
                                           const void *z,
                                           const Thing *bias_desc,
                                           const void *bias,
                                           const Thing *activation,
                                           const Thing *y_desc,
                                           void *y);

EXPORT size_t
cudnnGetVersion (void)
{
  return version (1);
}

EXPORT int
cudnnCreate (void **handle)
{
  return make (handle, KIND_HANDLE);
}

EXPORT int
cudnnDestroy (void *handle)
{
  return destroy (handle, KIND_HANDLE);
}

EXPORT int
cudnnSetStream (void *handle, void *stream)
{
  return stream ? call () : INVALID;
}

EXPORT int
cudnnCreateTensorDescriptor (void **t)
{
  return make (t, KIND_TENSOR);
}

EXPORT int
cudnnDestroyTensorDescriptor (void *t)
{
  return destroy (t, KIND_TENSOR);
}

EXPORT int
cudnnSetTensor4dDescriptor (void *t, int format, int type, int n, int c, int h, int w)
{
  return format == 1 ? set (t, KIND_TENSOR, 5, (int64_t[]){ type, n, c, h, w }) : INVALID;
}

EXPORT int
cudnnCreateFilterDescriptor (void **t)
{
  return make (t, KIND_FILTER);
}

EXPORT int
cudnnDestroyFilterDescriptor (void *t)
{
  return destroy (t, KIND_FILTER);
}

EXPORT int
cudnnSetFilter4dDescriptor (void *t, int type, int format, int k, int c, int h, int w)
{
  return format == 1 ? set (t, KIND_FILTER, 5, (int64_t[]){ type, k, c, h, w }) : INVALID;
}

EXPORT int
cudnnCreateConvolutionDescriptor (void **t)
{
  return make (t, KIND_CONVOLUTION);
}

EXPORT int
cudnnDestroyConvolutionDescriptor (void *t)
{
  return destroy (t, KIND_CONVOLUTION);
}

EXPORT int
cudnnSetConvolution2dDescriptor (
    void *t, int pad_h, int pad_w, int u, int v, int dil_h, int dil_w, int mode, int compute)
{
  return mode == 1 && compute == 0 && dil_h == 1 && dil_w == 1
             ? set (t, KIND_CONVOLUTION, 4, (int64_t[]){ pad_h, pad_w, u, v })
             : INVALID;
}

EXPORT int
cudnnSetConvolutionMathType (void *t, int math)
{
  return call ();
}

EXPORT int
cudnnCreateActivationDescriptor (void **t)
{
  return make (t, KIND_ACTIVATION);
}

EXPORT int
cudnnDestroyActivationDescriptor (void *t)
{
  return destroy (t, KIND_ACTIVATION);
}

EXPORT int
cudnnSetActivationDescriptor (void *t, int mode, int nan, double limit)
{
  return set (t, KIND_ACTIVATION, 1, (int64_t[]){ mode });
}

EXPORT int
cudnnGetConvolutionForwardWorkspaceSize (
    void *handle, void *x, void *w, void *conv, void *y, int algorithm, size_t *size_bytes)
{
  *size_bytes = WORKSPACE;
  return call ();
}

typedef struct
{
  const int64_t *x, *w, *conv;
  const void *values, *weights;
  bool is_bf16;
} Window;

static float
convolved (const Window *s, int64_t n, int64_t row, int64_t column, int64_t k)
{
  int64_t h = s->x[3], w = s->x[4], c_in = s->x[2], side = s->w[3];
  float sum = 0;
  for (int64_t i = 0; i < side * side; i++)
    {
      int64_t y = row * s->conv[2] + i / side - s->conv[0];
      int64_t x = column * s->conv[3] + i % side - s->conv[1];
      for (int64_t c = 0; c < c_in && y >= 0 && y < h && x >= 0 && x < w; c++)
        sum += value (s->values, ((n * h + y) * w + x) * c_in + c, s->is_bf16) *
               value (s->weights, (k * side * side + i) * c_in + c, s->is_bf16);
    }
  return sum;
}

EXPORT int
cudnnConvolutionBiasActivationForward (void *handle,
                                       const float *alpha1,
                                       const Thing *x_desc,
                                       const void *x,
                                       const Thing *w_desc,
                                       const void *w,
                                       const Thing *conv,
                                       int algorithm,
                                       void *workspace,
                                       size_t workspace_bytes,
                                       const float *alpha2,
                                       const Thing *z_desc,
                                       const void *z,
                                       const Thing *bias_desc,
                                       const void *bias,
                                       const Thing *activation,
                                       const Thing *y_desc,
                                       void *y)
{
  const int64_t *yt = y_desc->field;
  const Window s = { x_desc->field, w_desc->field, conv->field, x, w, yt[0] == 9 };
  int error = call ();
  if (error || s.w[2] != s.x[2] || s.w[1] != yt[2] || algorithm != 1 ||
      (activation && activation->field[0] != 5))
    return error ? error : INVALID;
  begin_product (workspace, workspace_bytes);
  for (int64_t i = 0; i < yt[1] * yt[3] * yt[4] * yt[2]; i++)
    {
      int64_t k = i % yt[2], pixel = i / yt[2], column = pixel % yt[4], row = pixel / yt[4] % yt[3];
      float sum = *alpha1 * convolved (&s, pixel / yt[4] / yt[3], row, column, k);
      sum += (bias ? value (bias, k, s.is_bf16) : 0) +
             (*alpha2 != 0 ? *alpha2 * value (z, i, s.is_bf16) : 0);
      ((uint16_t *) y)[i] = rounded (sum, s.is_bf16);
    }
  end_product (y, (size_t) (yt[1] * yt[3] * yt[4] * yt[2]) * sizeof (uint16_t));
  return 0;
}

EXPORT int
cudnnConvolutionForward (void *handle,
                         const float *alpha,
                         const Thing *x_desc,
                         const void *x,
                         const Thing *w_desc,
                         const void *w,
                         const Thing *conv,
                         int algorithm,
                         void *workspace,
                         size_t workspace_bytes,
                         const float *beta,
                         const Thing *y_desc,
                         void *y)
{
  return cudnnConvolutionBiasActivationForward (handle, alpha, x_desc, x, w_desc, w, conv,
                                                algorithm, workspace, workspace_bytes, beta, y_desc,
                                                y, NULL, NULL, NULL, y_desc, y);
}
