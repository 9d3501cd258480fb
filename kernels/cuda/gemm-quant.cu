// SPDX-License-Identifier: MPL-2.0
// gemm-quant.cu - y = epilogue (x w^T) of weights in blocks, which are decoded on their way into
// shared memory and multiplied by mma.sync as 16-bit values.
//
// Shapes   x (n_rows, n_in), y (n_rows, n_out) 16-bit; w as its format says, rows in a run:
//   Q8_0 to Q2_K   ggml's blocks of 32 or 256 values, as core/blocks.c spells them out
//   NF4            codes into a book of 16 values, the first in the high half of a byte; an f32
//                  scale for every 64 (Dettmers et al., QLoRA, 2023)
// Numbers  a decoded weight is rounded to 16 bits once; f32 sums.
// Limit    above some 100 rows the tensor cores, below reading w: 0.33 to 1.06 bytes a weight.
// Source   block layouts: ggml's block_q8_0, block_q4_K and their kin.
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

// Eight bytes in a row; blocks begin at even addresses, no more.
struct Eight
{
  uint16_t pairs[4];

  GK_DEV_MEMBER
  Eight (const uint8_t *p)
  {
    GK_UNROLL
    for (int i = 0; i < 4; i++)
      pairs[i] = ((const uint16_t *) p)[i];
  }
  GK_DEV_MEMBER int
  at (int i) const
  {
    return pairs[i / 2] >> 8 * (i % 2) & 255;
  }
};

// --- blocks: eight values from value @e on, a multiple of 8, of the block at @b ---

struct Q8_0
{
  static constexpr int block = 32, block_bytes = 34;

  GK_DEV_MEMBER static void
  values (float (&v)[8], const uint8_t *b, int e)
  {
    Eight codes (b + 2 + e);
    float scale = half_at (b);
    GK_UNROLL
    for (int i = 0; i < 8; i++)
      v[i] = scale * (float) (int8_t) codes.at (i);
  }
};

// Four or five bits: the fifth ones in front of the codes, whose bytes hold values e and e + 16;
// with a minimum, or around zero.
template <bool FIFTH, bool MINIMUM> struct Small
{
  static constexpr int head = MINIMUM ? 4 : 2, codes_at = head + (FIFTH ? 4 : 0);
  static constexpr int block = 32, block_bytes = codes_at + 16, middle = FIFTH ? 16 : 8;

  GK_DEV_MEMBER static void
  values (float (&v)[8], const uint8_t *b, int e)
  {
    Eight codes (b + codes_at + e % 16);
    int fifth = FIFTH ? b[head + e / 8] : 0;
    float scale = half_at (b), minimum = MINIMUM ? half_at (b + 2) : 0;
    GK_UNROLL
    for (int i = 0; i < 8; i++)
      {
        int code = (codes.at (i) >> e / 16 * 4 & 15) | (fifth >> i & 1) << 4;
        v[i] = MINIMUM ? scale * (float) code + minimum : scale * (float) (code - middle);
      }
  }
};
typedef Small<true, true> Q5_1;
typedef Small<true, false> Q5_0;
typedef Small<false, true> Q4_1;
typedef Small<false, false> Q4_0;

// The 6-bit scale and minimum of each 32 values: the first four pairs in bytes 0-3 and 4-7, the
// others' low four bits in bytes 8-11, their high two above the first four's.
GK_DEV void
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

// 64 values share 32 bytes, the first 32 in the low halves; a fifth bit's place is its 32 values'.
template <bool FIFTH> struct Paired
{
  static constexpr int fifth_at = 16, codes_at = FIFTH ? 48 : 16;
  static constexpr int block = 256, block_bytes = codes_at + 128;

  GK_DEV_MEMBER static void
  values (float (&v)[8], const uint8_t *b, int e)
  {
    int group = e / 32, scale, minimum;
    scale_and_minimum (b + 4, group, &scale, &minimum);
    float d = half_at (b) * (float) scale, m = half_at (b + 2) * (float) minimum;
    Eight codes (b + codes_at + e / 64 * 32 + e % 32);
    Eight fifth (b + fifth_at + (FIFTH ? e % 32 : 0));
    GK_UNROLL
    for (int i = 0; i < 8; i++)
      {
        int high = FIFTH ? (fifth.at (i) >> group & 1) << 4 : 0;
        v[i] = d * (float) ((codes.at (i) >> group % 2 * 4 & 15) | high) - m;
      }
  }
};
typedef Paired<true> Q5_K;
typedef Paired<false> Q4_K;

// Of six-, three- and two-bit blocks each half has runs of 32 values one above the other in the
// bits of its bytes, and a scale for every 16.

struct Q6_K
{
  static constexpr int block = 256, block_bytes = 210;

  GK_DEV_MEMBER static void
  values (float (&v)[8], const uint8_t *b, int e)
  {
    int half = e / 128, run = e % 128 / 32;
    Eight low (b + half * 64 + run % 2 * 32 + e % 32), high (b + 128 + half * 32 + e % 32);
    float scale = half_at (b + 208) * (float) (int8_t) b[192 + e / 16];
    GK_UNROLL
    for (int i = 0; i < 8; i++)
      {
        int code = (low.at (i) >> run / 2 * 4 & 15) | (high.at (i) >> 2 * run & 3) << 4;
        v[i] = scale * (float) (code - 32);
      }
  }
};

struct Q3_K
{
  static constexpr int block = 256, block_bytes = 110;

  // Six bits of 16 in 12 bytes.
  GK_DEV_MEMBER static int
  scale (const uint8_t *packed, int s)
  {
    int low = s < 8 ? packed[s] & 15 : packed[s - 8] >> 4;
    return (low | (packed[8 + s % 4] >> 2 * (s / 4) & 3) << 4) - 32;
  }

  // A clear high bit takes 4 off.
  GK_DEV_MEMBER static void
  values (float (&v)[8], const uint8_t *b, int e)
  {
    int half = e / 128, run = e % 128 / 32;
    Eight low (b + 32 + half * 32 + e % 32), high (b + e % 32);
    float d = half_at (b + 108) * (float) scale (b + 96, e / 16);
    GK_UNROLL
    for (int i = 0; i < 8; i++)
      v[i] = d * (float) ((low.at (i) >> 2 * run & 3) - (high.at (i) >> e / 32 & 1 ? 0 : 4));
  }
};

struct Q2_K
{
  static constexpr int block = 256, block_bytes = 84;

  GK_DEV_MEMBER static void
  values (float (&v)[8], const uint8_t *b, int e)
  {
    int half = e / 128, run = e % 128 / 32, scale = b[e / 16];
    Eight codes (b + 16 + half * 32 + e % 32);
    float d = half_at (b + 80) * (float) (scale & 15), m = half_at (b + 82) * (float) (scale >> 4);
    GK_UNROLL
    for (int i = 0; i < 8; i++)
      v[i] = d * (float) (codes.at (i) >> 2 * run & 3) - m;
  }
};

// --- formats: eight values from @k on, a multiple of 8, of @row ---

template <class B> struct Blocks
{
  static constexpr int block = B::block;

  GK_DEV_MEMBER static void
  decode (float (&v)[8], const GkGemm &g, const float *, int64_t row, int64_t k)
  {
    int64_t at = row * g.n_in + k;
    B::values (v, (const uint8_t *) g.w + at / block * B::block_bytes, (int) (at % block));
  }
};

struct Nf4
{
  static constexpr int block = 64;

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
      return launch<T, Blocks<Q8_0>> (a, stream);
    case GK_WEIGHT_Q6_K:
      return launch<T, Blocks<Q6_K>> (a, stream);
    case GK_WEIGHT_Q5_K:
      return launch<T, Blocks<Q5_K>> (a, stream);
    case GK_WEIGHT_Q5_1:
      return launch<T, Blocks<Q5_1>> (a, stream);
    case GK_WEIGHT_Q5_0:
      return launch<T, Blocks<Q5_0>> (a, stream);
    case GK_WEIGHT_Q4_K:
      return launch<T, Blocks<Q4_K>> (a, stream);
    case GK_WEIGHT_Q4_1:
      return launch<T, Blocks<Q4_1>> (a, stream);
    case GK_WEIGHT_Q4_0:
      return launch<T, Blocks<Q4_0>> (a, stream);
    case GK_WEIGHT_Q3_K:
      return launch<T, Blocks<Q3_K>> (a, stream);
    case GK_WEIGHT_Q2_K:
      return launch<T, Blocks<Q2_K>> (a, stream);
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
