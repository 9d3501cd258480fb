// SPDX-License-Identifier: MPL-2.0
// gemm-quant.cu - y = epilogue (x w^T) of weights in blocks, which are decoded on their way into
// shared memory and multiplied by mma.sync as 16-bit values.
//
// Shapes   x (n_rows, n_in), y (n_rows, n_out) 16-bit; w as its format says, rows in a run:
//   Q8_0   blocks of 32: f16 scale, 32 signed bytes (34 bytes)
//   Q4_K   blocks of 256: f16 scale and minimum, 8 pairs of 6 bits, 256 x 4 bits (144 bytes)
//   NF4    codes into a book of 16 values, the first in the high half of a byte; an f32 scale for
//          every 64 (Dettmers et al., QLoRA, 2023)
// Numbers  a decoded weight is rounded to 16 bits once; f32 sums.
// Limit    above some 100 rows the tensor cores, below reading w: 0.53 to 1.06 bytes a weight.
// Source   block layouts: ggml's block_q8_0 and block_q4_K.
#include "common/gemm.cuh"

enum
{
  BOOK_VALUES = 16
};

GK_DEV float
half_at (const uint8_t *p)
{
  return F16::low (*(const uint16_t *) p);
}

// Eight values from @k on, a multiple of 8, of @row.
struct Q8_0
{
  static constexpr int block = 32, block_bytes = 34;

  GK_DEV_MEMBER static void
  decode (float (&v)[8], const GkGemm &g, const float *book, int64_t row, int64_t k)
  {
    int64_t at = row * g.n_in + k;
    const uint8_t *b = (const uint8_t *) g.w + at / block * block_bytes;
    const uint16_t *codes = (const uint16_t *) (b + 2 + at % block);
    float scale = half_at (b);
    GK_UNROLL
    for (int i = 0; i < 8; i++)
      v[i] = scale * (float) (int8_t) (codes[i / 2] >> 8 * (i % 2));
  }
};

struct Q4_K
{
  static constexpr int block = 256, block_bytes = 144;

  // The 6-bit scale and minimum of each 32 values: the first four pairs in bytes 0-3 and 4-7, the
  // others' low four bits in bytes 8-11, their high two above the first four's.
  GK_DEV_MEMBER static void
  scale_and_minimum (const uint8_t *packed, int i, int *scale, int *minimum)
  {
    if (i < 4)
      {
        *scale = packed[i] & 63;
        *minimum = packed[i + 4] & 63;
        return;
      }
    *scale = (packed[i + 4] & 15) | packed[i - 4] >> 6 << 4;
    *minimum = packed[i + 4] >> 4 | packed[i] >> 6 << 4;
  }

  GK_DEV_MEMBER static void
  decode (float (&v)[8], const GkGemm &g, const float *book, int64_t row, int64_t k)
  {
    int64_t at = row * g.n_in + k;
    const uint8_t *b = (const uint8_t *) g.w + at / block * block_bytes;
    int in_block = (int) (at % block), group = in_block / 32, scale, minimum;
    scale_and_minimum (b + 4, group, &scale, &minimum);
    float d = half_at (b) * (float) scale, m = half_at (b + 2) * (float) minimum;
    // 64 values share 32 bytes: the first 32 in the low halves.
    const uint32_t *codes = (const uint32_t *) (b + 16 + in_block / 64 * 32 + in_block % 32);
    GK_UNROLL
    for (int i = 0; i < 8; i++)
      v[i] = d * (float) (codes[i / 4] >> (8 * (i % 4) + 4 * (group % 2)) & 15) - m;
  }
};

struct Nf4
{
  static constexpr int block = 64, block_bytes = 32;

  GK_DEV_MEMBER static void
  decode (float (&v)[8], const GkGemm &g, const float *book, int64_t row, int64_t k)
  {
    int64_t at = row * g.n_in + k;
    uint32_t codes = *(const uint32_t *) ((const uint8_t *) g.w + at / 2);
    float scale = g.w_scales[at / block];
    GK_UNROLL
    for (int i = 0; i < 8; i++)
      v[i] = scale * book[codes >> (8 * (i / 2) + (i % 2 ? 0 : 4)) & 15];
  }
};

template <class T, class Format, class S> struct BlockLoader
{
  const Gemm &a;
  const float *book;
  int64_t row[S::pieces_b];
  uint4 held[S::pieces_b];

  GK_DEV_MEMBER
  BlockLoader (const Gemm &a_, const float *book_, int64_t column) : a (a_), book (book_)
  {
    GK_UNROLL
    for (int i = 0; i < S::pieces_b; i++)
      row[i] =
          epilogue_column (a.epilogue, column, (i * S::n_threads + gk_thread ()) / TILE_PIECES);
  }

  GK_DEV_MEMBER void
  begin (int step, uint32_t)
  {
    GK_UNROLL
    for (int i = 0; i < S::pieces_b; i++)
      {
        int64_t k = (int64_t) step * (TILE_ROW_BYTES / 2) + gk_thread () % TILE_PIECES * 8;
        float v[8];
        held[i] = uint4{};
        if (gk_within (row[i] >= 0) && gk_within (k < a.u.n_in))
          {
            Format::decode (v, a.u, book, row[i], k);
            held[i] = gk_pack8<T> (v);
          }
      }
  }

  GK_DEV_MEMBER void
  finish (uint32_t tile)
  {
    GK_UNROLL
    for (int i = 0; i < S::pieces_b; i++)
      {
        int at = i * S::n_threads + gk_thread ();
        gk_store16 (tile_at (tile, at / TILE_PIECES, at % TILE_PIECES), held[i]);
      }
  }
};

template <class T, class Format, class S>
GK_KERNEL (S::n_threads, 1)
gemm_quant (const GK_CONST Gemm a)
{
  GK_DYNAMIC_SHARED (memory);
  GK_SHARED (float, book, BOOK_VALUES);
  GemmPlace<S> place (a);
  RowLoader<S::pieces_a, S::n_threads, 2> load_x;
  BlockLoader<T, Format, S> load_w (a, book, place.column);
  Sums<S> sums;
  place.begin_x (load_x, a);
  int n_steps = (int) ((a.u.n_in * 2 + TILE_ROW_BYTES - 1) / TILE_ROW_BYTES);
  if (a.u.w_book && gk_thread () < BOOK_VALUES)
    book[gk_thread ()] = a.u.w_book[gk_thread ()];
  gk_sync ();
  multiply<T> (sums, load_x, load_w, n_steps, gk_shared_address (memory));
  epilogue_finish<T> (a.epilogue, sums, place.row, place.column, memory);
}

template <class T, class Format>
static int
launch (const Gemm &a, GkStream stream)
{
  typedef SmallShape S; // many blocks decode at once
  auto kernel = gemm_quant<T, Format, S>;
  if (a.u.n_in % Format::block)
    return GK_INVALID;
  return GK_LAUNCH (kernel, gemm_grid<S> (a), dim3 (S::n_threads), S::stages * S::stage_bytes,
                    stream, a);
}

template <class T>
static int
launch_format (const Gemm &a, GkStream stream)
{
  switch (a.u.format)
    {
    case GK_WEIGHT_Q8_0:
      return launch<T, Q8_0> (a, stream);
    case GK_WEIGHT_Q4_K:
      return launch<T, Q4_K> (a, stream);
    case GK_WEIGHT_NF4:
      return launch<T, Nf4> (a, stream);
    case GK_WEIGHT_16:
    case GK_WEIGHT_E4M3:
      break;
    }
  return GK_INVALID;
}

extern "C" int
gk_gemm_quant (const GkGemm *u, void *stream)
{
  Gemm a = gemm_new (u);
  if (!gemm_has_columns (u))
    return GK_INVALID;
  if (u->n_rows <= 0 || u->n_out <= 0)
    return GK_OK;
  return u->type == GK_TYPE_BF16 ? launch_format<Bf16> (a, (GkStream) stream)
                                 : launch_format<F16> (a, (GkStream) stream);
}
