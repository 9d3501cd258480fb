/* SPDX-License-Identifier: MPL-2.0
 * hopper.c - products, convolutions and attention by wgmma on cards of capability 9.0, whose tensor
 * cores mma.sync does not fill (Luo et al., Benchmarking and Dissecting the Nvidia Hopper GPU
 * Architecture, 2024).
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
  MAP_U8 = 0,
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
  int element_bytes, rank;
  int64_t dims[MAX_RANK], strides[MAX_RANK - 1];
  uint32_t box[MAX_RANK];
} Tiles;

static int
map_type (const CudaBackend *b)
{
  return b->type == GK_TYPE_F16 ? MAP_F16 : MAP_BF16;
}

static int
encode (const CudaBackend *b, Map *map, const void *base, const Tiles *t)
{
  const uint32_t ones[MAX_RANK] = { 1, 1, 1, 1 };
  uint64_t dims[MAX_RANK], stride_bytes[MAX_RANK - 1];
  for (int i = 0; i < t->rank; i++)
    dims[i] = (uint64_t) t->dims[i];
  for (int i = 0; i + 1 < t->rank; i++)
    stride_bytes[i] = (uint64_t) (t->strides[i] * t->element_bytes);
  return b->driver->tensor_map (map, t->element_bytes == 1 ? MAP_U8 : map_type (b),
                                (uint32_t) t->rank, (void *) (uintptr_t) base, dims, stride_bytes,
                                t->box, ones, 0, MAP_SWIZZLE_128B, MAP_L2_256B, 0);
}

/* Of a product's factors. */
static int
factor_bytes (const GkGemm *g)
{
  return g->format == GK_WEIGHT_E4M3 ? 1 : sizeof (uint16_t);
}

/* Values in a line of 128 bytes, which is what a load brings of each row. */
static uint32_t
line_of (int element_bytes)
{
  return element_bytes == 1 ? GK_WGMMA_K8 : GK_WGMMA_K;
}

static Tiles
rows_of (int element_bytes, int64_t n_rows, int64_t n_in, int64_t stride, uint32_t box)
{
  return (
      Tiles){ element_bytes, 2, { n_in, n_rows }, { stride }, { line_of (element_bytes), box } };
}

/* Eight rows of a, then the same eight of g: see launch.h. */
static Tiles
halves_of (const GkGemm *g)
{
  enum
  {
    TOGETHER = 8
  };
  int64_t half = g->n_out / 2, n_in = g->n_in;
  return (Tiles){ factor_bytes (g),
                  4,
                  { n_in, TOGETHER, 2, half / TOGETHER },
                  { n_in, half * n_in, TOGETHER * n_in },
                  { line_of (factor_bytes (g)), TOGETHER, 2, GK_WGMMA_N / 2 / TOGETHER } };
}

static bool
is_aligned (const void *p, int64_t stride)
{
  return (uintptr_t) p % ALIGNMENT == 0 && stride * (int64_t) sizeof (uint16_t) % ALIGNMENT == 0;
}

bool
cuda_hopper_takes (const CudaBackend *b, const GkGemm *g)
{
  if (g->format == GK_WEIGHT_E4M3)
    return b->capability == HOPPER; /* by nothing else there */
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
  int bytes = factor_bytes (g);
  const Tiles x = rows_of (bytes, g->n_rows, g->n_in, g->x_stride, GK_WGMMA_M),
              w = geglu ? halves_of (g) : rows_of (bytes, g->n_out, g->n_in, g->n_in, GK_WGMMA_N);
  int error = encode (b, &x_map, g->x, &x);
  error = error ? error : encode (b, &w_map, g->w, &w);
  GkGemmWgmma product = { *g, &x_map, &w_map };
  return error ? error : gk_gemm_wgmma (&product, b->compute);
}

/* The output's pixels as the first tap sees them: see launch.h. */
static int
encode_pixels (const CudaBackend *b, Map *map, const void *base, const GkConv *c)
{
  const uint64_t dims[MAX_RANK] = { (uint64_t) c->c_in, (uint64_t) c->w_in, (uint64_t) c->h_in,
                                    (uint64_t) c->n };
  const uint64_t line_bytes = dims[0] * sizeof (uint16_t);
  const uint64_t stride_bytes[MAX_RANK - 1] = { line_bytes, line_bytes * dims[1],
                                                line_bytes * dims[1] * dims[2] };
  const int lower[] = { -c->pad_left, -c->pad_top };
  const int upper[] = { (int) ((c->w_out - 1) * c->stride - c->pad_left - (c->w_in - 1)),
                        (int) ((c->h_out - 1) * c->stride - c->pad_top - (c->h_in - 1)) };
  const uint32_t steps[MAX_RANK] = { 1, (uint32_t) c->stride, (uint32_t) c->stride, 1 };
  return b->driver->pixel_map (map, map_type (b), MAX_RANK, (void *) (uintptr_t) base, dims,
                               stride_bytes, lower, upper, GK_WGMMA_K, GK_WGMMA_M, steps, 0,
                               MAP_SWIZZLE_128B, MAP_L2_256B, 0);
}

bool
cuda_hopper_convolves (const CudaBackend *b, const GkConv *c)
{
  enum
  {
    ENOUGH_BLOCKS = 32,             /* fewer keep less of the card busy than small tiles do */
    LEAST_CHANNELS = GK_WGMMA_K / 2 /* of a tile, whose rest would be zeros */
  };
  int64_t n_rows = c->n * c->h_out * c->w_out;
  int64_t n_blocks = (n_rows + GK_WGMMA_M - 1) / GK_WGMMA_M * (c->c_out / GK_WGMMA_N);
  bool is_plain = !c->affine && !c->upsample2 && (c->older[1] || !c->older[0]);
  return b->capability == HOPPER && c->type != GK_TYPE_F32 && is_plain &&
         n_blocks >= ENOUGH_BLOCKS && c->c_in >= LEAST_CHANNELS && is_aligned (c->x, c->c_in) &&
         is_aligned (c->older[0], 0) && is_aligned (c->older[1], 0) && is_aligned (c->w, 0);
}

int
cuda_hopper_conv (const CudaBackend *b, const GkConv *c)
{
  Map maps[3], w_map;
  const void *frames[] = { c->older[0], c->older[1], c->x };
  GkConvWgmma conv = { .conv = *c, .w_map = &w_map };
  int64_t n_k = c->c_in * c->kernel * c->kernel * (c->over_time ? 3 : 1);
  const Tiles w = rows_of (sizeof (uint16_t), c->c_out, n_k, n_k, GK_WGMMA_N);
  int error = encode (b, &w_map, c->w, &w);
  for (int i = 0; i < 3 && !error; i++)
    if (frames[i])
      {
        conv.frame_maps[i] = &maps[i];
        error = encode_pixels (b, &maps[i], frames[i], c);
      }
  return error ? error : gk_conv_wgmma (&conv, b->compute);
}

/* Tokens of each head by themselves: see launch.h. */
static Tiles
heads_of (const GkAttention *a, int64_t len, int64_t stride)
{
  return (Tiles){ sizeof (uint16_t),
                  4,
                  { a->head_dim, len, a->n_heads, a->n },
                  { stride, a->head_dim, len * stride },
                  { GK_ATTENTION_BOX, GK_ATTENTION_BOX, 1, 1 } };
}

static bool
has_head_dim (int64_t head_dim)
{
  return head_dim == 40 || head_dim == 64 || head_dim == 80 || head_dim == 128 || head_dim == 160;
}

bool
cuda_hopper_attends (const CudaBackend *b, const GkAttention *a)
{
  /* Of fewer queries most of a block would be empty. */
  bool is_large = a->len_q >= GK_ATTENTION_BOX;
  bool is_plain = !a->causal && !a->relative_bias && !a->key_bias && a->scale > 0;
  return b->capability == HOPPER && a->type != GK_TYPE_F32 && is_large && is_plain &&
         has_head_dim (a->head_dim) && is_aligned (a->q, a->q_stride) &&
         is_aligned (a->k, a->k_stride) && is_aligned (a->v, a->v_stride);
}

int
cuda_hopper_attention (const CudaBackend *b, const GkAttention *a)
{
  Map q_map, k_map, v_map;
  const Tiles q = heads_of (a, a->len_q, a->q_stride), k = heads_of (a, a->len_k, a->k_stride),
              v = heads_of (a, a->len_k, a->v_stride);
  int error = encode (b, &q_map, a->q, &q);
  error = error ? error : encode (b, &k_map, a->k, &k);
  error = error ? error : encode (b, &v_map, a->v, &v);
  GkAttentionWgmma attention = { *a, &q_map, &k_map, &v_map };
  return error ? error : gk_attention_wgmma (&attention, b->compute);
}
