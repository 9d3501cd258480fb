/* SPDX-License-Identifier: MPL-2.0
 * narrow.c - products of 8 bits, of layers that the file stores in e4m3: what enters them is
 * rounded with a scale for each row, once for all products that read it, by the norm before where
 * there is one.
 */
#include "core/blocks.h"
#include "cuda.h"

enum
{
  TOGETHER = 16 /* bytes that kernels read at once */
};

void
cuda_narrow_close (CudaBackend *b)
{
  if (!b->narrow.block.address)
    return;
  cuda_works (b, b->driver->stream_wait (b->compute), STATUS_MARK ("it computed"));
  cuda_unmap (b, &b->narrow.block);
  b->narrow = (CudaNarrow){ 0 };
}

static size_t
narrow_bytes (int64_t n_rows, int64_t dim)
{
  return (size_t) n_rows * ((size_t) dim + sizeof (float));
}

static uint8_t *
values_of (const CudaBackend *b)
{
  return (uint8_t *) (uintptr_t) b->narrow.block.address;
}

/* Behind the values. */
static float *
scales_of (const CudaBackend *b, int64_t n_rows, int64_t dim)
{
  return (float *) (uintptr_t) (b->narrow.block.address + (uint64_t) (n_rows * dim));
}

bool
cuda_narrow_takes (const CudaBackend *b, const LinearArgs *a)
{
  return b->base.has_fp8 && compute_is_fp8 (a->compute) && b->type != GK_TYPE_F32 && !a->scale &&
         param_is_e4m3 (&a->w, a->n_in) && (uintptr_t) a->x % TOGETHER == 0 &&
         a->x_stride * (int64_t) sizeof (uint16_t) % TOGETHER == 0;
}

static bool
make_room (CudaBackend *b, size_t size_bytes)
{
  if (size_bytes > b->narrow.size_bytes && !cuda_failed (b))
    {
      cuda_graph_moved (b);
      cuda_narrow_close (b);
      if (cuda_map (b, &b->narrow.block, size_bytes, &b->status))
        b->narrow.size_bytes = size_bytes;
    }
  return !cuda_failed (b);
}

static bool
has_rows_of (const CudaNarrow *n, const LinearArgs *a)
{
  return n->x == a->x && n->n_rows == a->n_rows && n->dim == a->n_in && a->x_stride == a->n_in;
}

bool
cuda_narrow_begin (CudaBackend *b, const LinearArgs *a, GkQuantise *q)
{
  b->is_fp8 = true;
  if (has_rows_of (&b->narrow, a) || !make_room (b, narrow_bytes (a->n_rows, a->n_in)))
    return false;
  q->type = b->type;
  q->n_rows = a->n_rows;
  q->dim = a->n_in;
  q->x = a->x;
  q->x_stride = a->x_stride;
  q->y = values_of (b);
  q->scale = scales_of (b, a->n_rows, a->n_in);
  return true;
}

void
cuda_narrow_factors (CudaBackend *b, const LinearArgs *a, GkGemm *g)
{
  CudaNarrow *n = &b->narrow;
  int64_t n_weights = a->n_out * a->n_in;
  CudaShape scales = { .layout = CUDA_SCALES, .n = n_weights, .c_in = a->n_in };
  n->x = a->x_stride == a->n_in ? a->x : NULL;
  n->n_rows = a->n_rows;
  n->dim = a->n_in;
  g->format = GK_WEIGHT_E4M3;
  g->x = values_of (b);
  g->x_stride = a->n_in;
  g->epilogue.row_scale = scales_of (b, a->n_rows, a->n_in);
  g->w = cuda_weight (b, &a->w, (CudaShape){ .layout = CUDA_BLOCKS, .n = n_weights });
  if (a->w.quant)
    g->epilogue.column_scale = cuda_weight (b, &a->w, scales);
}

/* Only into memory that there is already: a product has asked for it, and planned with it. */
void
cuda_narrow_norm (const CudaBackend *b, GkNormRow *g)
{
  int64_t n_rows = g->n * g->n_rows;
  bool fits = narrow_bytes (n_rows, g->dim) <= b->narrow.size_bytes && g->dim % TOGETHER == 0;
  bool is_wide = (uintptr_t) g->x % TOGETHER == 0 && (uintptr_t) g->y % TOGETHER == 0;
  if (!b->is_fp8 || !b->base.has_fp8 || !fits || !is_wide || g->type == GK_TYPE_F32)
    return;
  g->y8 = values_of (b);
  g->scale8 = scales_of (b, n_rows, g->dim);
}

void
cuda_narrow_normed (CudaBackend *b, const GkNormRow *g)
{
  if (!g->y8)
    return;
  b->narrow.x = g->y;
  b->narrow.n_rows = g->n * g->n_rows;
  b->narrow.dim = g->dim;
}

/* Its result may have taken the place of what was rounded. */
void
cuda_narrow_multiplied (CudaBackend *b, const CudaNarrow *before, const GkGemm *g)
{
  uintptr_t x = (uintptr_t) before->x, y = (uintptr_t) g->epilogue.y;
  uintptr_t x_end = x + (uintptr_t) (before->n_rows * before->dim) * sizeof (uint16_t);
  uintptr_t y_end = y + (uintptr_t) (g->n_rows * g->epilogue.y_stride) * sizeof (uint16_t);
  if (x_end <= y || y_end <= x)
    b->narrow.x = before->x;
}
