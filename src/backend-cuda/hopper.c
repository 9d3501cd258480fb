/* SPDX-License-Identifier: MPL-2.0
 * hopper.c - products by wgmma on cards of capability 9.0, whose tensor cores mma.sync does not
 * fill (Luo et al., Benchmarking and Dissecting the Nvidia Hopper GPU Architecture, 2024).
 *
 * Not measured on a card yet.  Choice is by shape alone, so that a picture is the same each time.
 */
#include "cuda.h"

enum
{
  HOPPER = 90,
  ALIGNMENT = 16, /* of what TMA reads: addresses and strides, bytes */
  MAP_BYTES = 128,
  MAX_RANK = 4,
  /* Of the CUDA driver API (cuda.h of CUDA 13). */
  MAP_F16 = 6,
  MAP_BF16 = 9,
  MAP_SWIZZLE_128B = 3,
  MAP_L2_256B = 3
};

typedef struct
{
  _Alignas(64) unsigned char bytes[MAP_BYTES]; /* CUtensorMap */
} Map;

/* Dimensions from the contiguous one on; strides of all but that, in elements. */
typedef struct
{
  int rank;
  int64_t dims[MAX_RANK], strides[MAX_RANK - 1];
  uint32_t box[MAX_RANK];
} Tiles;

static int
encode (const CudaBackend *b, Map *map, const void *base, const Tiles *t)
{
  const uint32_t ones[MAX_RANK] = { 1, 1, 1, 1 };
  uint64_t dims[MAX_RANK], stride_bytes[MAX_RANK - 1];
  for (int i = 0; i < t->rank; i++)
    dims[i] = (uint64_t) t->dims[i];
  for (int i = 0; i + 1 < t->rank; i++)
    stride_bytes[i] = (uint64_t) t->strides[i] * sizeof (uint16_t);
  return b->driver->tensor_map (map, b->type == GK_TYPE_F16 ? MAP_F16 : MAP_BF16,
                                (uint32_t) t->rank, (void *) (uintptr_t) base, dims, stride_bytes,
                                t->box, ones, 0, MAP_SWIZZLE_128B, MAP_L2_256B, 0);
}

static Tiles
rows_of (int64_t n_rows, int64_t n_in, int64_t stride, uint32_t box)
{
  return (Tiles){ 2, { n_in, n_rows }, { stride }, { GK_WGMMA_K, box } };
}

/* Eight rows of a, then the same eight of g: see launch.h. */
static Tiles
halves_of (int64_t n_out, int64_t n_in)
{
  enum
  {
    TOGETHER = 8
  };
  int64_t half = n_out / 2;
  return (Tiles){ 4,
                  { n_in, TOGETHER, 2, half / TOGETHER },
                  { n_in, half * n_in, TOGETHER * n_in },
                  { GK_WGMMA_K, TOGETHER, 2, GK_WGMMA_N / 2 / TOGETHER } };
}

static bool
is_aligned (const void *p, int64_t stride)
{
  return (uintptr_t) p % ALIGNMENT == 0 && stride * (int64_t) sizeof (uint16_t) % ALIGNMENT == 0;
}

bool
cuda_hopper_takes (const CudaBackend *b, const GkGemm *g)
{
  /* With fewer rows a product waits for its weights, whatever multiplies them. */
  bool is_large = g->n_rows >= GK_WGMMA_M && g->n_out >= GK_WGMMA_N && g->n_in >= GK_WGMMA_K;
  return b->capability == HOPPER && g->format == GK_WEIGHT_16 && g->type != GK_TYPE_F32 &&
         is_large && is_aligned (g->x, g->x_stride) && is_aligned (g->w, g->n_in);
}

int
cuda_hopper_gemm (const CudaBackend *b, const GkGemm *g)
{
  Map x_map, w_map;
  bool geglu = g->epilogue.activation == GK_ACT_GEGLU;
  const Tiles x = rows_of (g->n_rows, g->n_in, g->x_stride, GK_WGMMA_M),
              w = geglu ? halves_of (g->n_out, g->n_in)
                        : rows_of (g->n_out, g->n_in, g->n_in, GK_WGMMA_N);
  int error = encode (b, &x_map, g->x, &x);
  error = error ? error : encode (b, &w_map, g->w, &w);
  GkGemmWgmma product = { *g, &x_map, &w_map };
  return error ? error : gk_gemm_wgmma (&product, b->compute);
}
