// SPDX-License-Identifier: MPL-2.0
// wrappers.h - the host half of kernels/cuda/common/device.cuh: the same names, emulated.
//
// Wrappers that order or bound something take their caller's line, so that a test can disable it.
#pragma once

#include <math.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define GK_EMULATED 1
#ifndef GK_ARCH
#  define GK_ARCH 89 // of the mma.sync family the one with the least shared memory
#endif
#define GK_HAS_FP8 (GK_ARCH >= 89)
#define GK_HAS_TMA (GK_ARCH >= 90)
#define GK_HAS_WGMMA (GK_ARCH == 90)

#define GK_DEV static inline __attribute__ ((always_inline))
#define GK_DEV_MEMBER inline __attribute__ ((always_inline))
#define GK_BOTH static inline
#define GK_KERNEL(n_threads, min_blocks) static void
#define GK_UNROLL
#define GK_CONST
#define GK_DYNAMIC_SHARED(name) unsigned char *name = emu_dynamic_shared ()
#define GK_SHARED(type, name, n)                                                                   \
  static char name##_tag;                                                                          \
  type *name = (type *) emu_static_shared (&name##_tag, sizeof (type) * (n))
#define GK_SITE const char *file = __builtin_FILE(), int line = __builtin_LINE()

struct alignas (16) uint4
{
  uint32_t x, y, z, w;
};
struct alignas (8) uint2
{
  uint32_t x, y;
};
struct dim3
{
  uint32_t x, y, z;
  dim3 (uint32_t x_ = 1, uint32_t y_ = 1, uint32_t z_ = 1) : x (x_), y (y_), z (z_)
  {
  }
};

// A tensor map: what cuTensorMapEncodeTiled makes, or cuTensorMapEncodeIm2col, in the open.
struct GkTensorMap
{
  const unsigned char *base;
  int64_t dim[5], stride_bytes[5]; // stride_bytes[0] is the element's size
  int box[5];
  int8_t rank, element_bytes;
  int8_t swizzle; // 0 none, 1 128 bytes, 2 64 bytes, 3 32 bytes: as in a wgmma descriptor
  // Im2col: columns of pixels, which begin in a box; of dimensions 1 and 2.
  int16_t n_pixels, first[2], last[2], step[2];
};
static_assert (sizeof (GkTensorMap) <= 128, "no larger than a CUtensorMap");

enum EmuProduct
{
  EMU_BF16,
  EMU_F16,
  EMU_E4M3
};

struct EmuLaunch
{
  const char *name;
  dim3 grid, block;
  size_t shared_bytes;
  int arch;
  void (*body) (void *);
  void *arguments;
  size_t arguments_bytes;
};

struct EmuWgmma
{
  EmuProduct type;
  int n;
  const uint32_t *a; // four registers, which live until the wait; or NULL: a_descriptor
  uint64_t a_descriptor, b_descriptor;
  bool b_transposed, accumulate;
  float *d;
};

extern "C"
{
  extern bool emu_sites_watched;
  bool emu_site_runs (const char *kind, const char *file, int line);
  int emu_launch (const EmuLaunch *launch);
  unsigned char *emu_dynamic_shared (void);
  void *emu_static_shared (const void *tag, size_t size_bytes);
  uint32_t gk_shared_address (const void *p);
  int gk_thread (void);
  int gk_block_x (void);
  int gk_block_y (void);
  int gk_block_z (void);
  int gk_grid_x (void);

  void emu_barrier (int id, int n_threads);
  void gk_arrive_named (int id, int n_threads);
  void emu_warp_barrier (void);
  float emu_shuffle (float v, int lane, bool exclusive_or);

  void gk_copy16 (uint32_t dst, const void *src, int valid_bytes);
  void gk_copy_commit (void);
  void emu_copy_wait (int n);

  void emu_shared_store (uint32_t address, const void *value, int size_bytes);
  void emu_shared_load (uint32_t address, void *value, int size_bytes);
  void emu_ldmatrix (uint32_t *r, uint32_t address, bool transposed);
  void emu_mma (EmuProduct type, float *c, const uint32_t *a, uint32_t b0, uint32_t b1);

  void gk_barrier_init (uint32_t barrier, int n_arrivals);
  void emu_barrier_arrive (uint32_t barrier, int expected_bytes);
  void emu_barrier_wait (uint32_t barrier, int parity);
  void gk_fence_async (void);
  void
  emu_tma_load (uint32_t dst, const GkTensorMap *map, int rank, const int *at, uint32_t barrier);
  void emu_tma_load_pixels (uint32_t dst,
                            const GkTensorMap *map,
                            int rank,
                            const int *at,
                            const int *offsets,
                            uint32_t barrier);
  void emu_wgmma (const EmuWgmma *product);
  void gk_wgmma_fence (void);
  void gk_wgmma_commit (void);
  void emu_wgmma_wait (int n);

  uint8_t emu_f32_to_e4m3 (float f);
}

typedef void *GkStream;

template <class F>
static inline int
emu_launch_body (const char *name, dim3 grid, dim3 block, size_t shared_bytes, F body)
{
  EmuLaunch launch = { name,         grid,       block,
                       shared_bytes, GK_ARCH,    [] (void *p) { (*(F *) p) (); },
                       &body,        sizeof body };
  return emu_launch (&launch);
}
#define GK_LAUNCH(kernel, grid, block, shared_bytes, stream, ...)                                  \
  ((void) (stream), emu_launch_body (#kernel, (grid), (block), (shared_bytes), [=] {               \
     auto body = kernel;                                                                           \
     body (__VA_ARGS__);                                                                           \
   }))

GK_DEV bool
gk_within (bool condition, GK_SITE)
{
  return (emu_sites_watched && !emu_site_runs ("bound", file, line)) || condition;
}
GK_DEV void
gk_sync (GK_SITE)
{
  if (!emu_sites_watched || emu_site_runs ("barrier", file, line))
    emu_barrier (0, 0);
}
GK_DEV void
gk_sync_named (int id, int n_threads, GK_SITE)
{
  if (!emu_sites_watched || emu_site_runs ("named barrier", file, line))
    emu_barrier (id, n_threads);
}
GK_DEV void
gk_sync_warp (GK_SITE)
{
  if (!emu_sites_watched || emu_site_runs ("warp barrier", file, line))
    emu_warp_barrier ();
}
template <int N>
GK_DEV void
gk_copy_wait (GK_SITE)
{
  if (!emu_sites_watched || emu_site_runs ("copy wait", file, line))
    emu_copy_wait (N);
}
GK_DEV void
gk_barrier_wait (uint32_t barrier, int parity, GK_SITE)
{
  if (!emu_sites_watched || emu_site_runs ("mbarrier wait", file, line))
    emu_barrier_wait (barrier, parity);
}
template <int N>
GK_DEV void
gk_wgmma_wait (GK_SITE)
{
  if (!emu_sites_watched || emu_site_runs ("wgmma wait", file, line))
    emu_wgmma_wait (N);
}

GK_DEV float
gk_shuffle_xor (float v, int mask)
{
  return emu_shuffle (v, mask, true);
}
GK_DEV float
gk_shuffle (float v, int lane)
{
  return emu_shuffle (v, lane, false);
}
GK_DEV void
gk_store16 (uint32_t address, uint4 v)
{
  emu_shared_store (address, &v, sizeof v);
}
GK_DEV void
gk_store4 (uint32_t address, uint32_t v)
{
  emu_shared_store (address, &v, sizeof v);
}
GK_DEV uint4
gk_load16 (uint32_t address)
{
  uint4 v;
  emu_shared_load (address, &v, sizeof v);
  return v;
}
GK_DEV void
gk_ldmatrix (uint32_t (&r)[4], uint32_t address)
{
  emu_ldmatrix (r, address, false);
}
GK_DEV void
gk_ldmatrix_transposed (uint32_t (&r)[4], uint32_t address)
{
  emu_ldmatrix (r, address, true);
}
GK_DEV void
gk_mma_bf16 (float (&c)[4], const uint32_t (&a)[4], uint32_t b0, uint32_t b1)
{
  emu_mma (EMU_BF16, c, a, b0, b1);
}
GK_DEV void
gk_mma_f16 (float (&c)[4], const uint32_t (&a)[4], uint32_t b0, uint32_t b1)
{
  emu_mma (EMU_F16, c, a, b0, b1);
}
GK_DEV void
gk_mma_e4m3 (float (&c)[4], const uint32_t (&a)[4], uint32_t b0, uint32_t b1)
{
  emu_mma (EMU_E4M3, c, a, b0, b1);
}

GK_DEV void
gk_barrier_fence_init ()
{
}
GK_DEV void
gk_barrier_expect (uint32_t barrier, int n_bytes)
{
  emu_barrier_arrive (barrier, n_bytes);
}
GK_DEV void
gk_barrier_arrive (uint32_t barrier)
{
  emu_barrier_arrive (barrier, 0);
}
GK_DEV void
gk_tma_load2 (uint32_t dst, const GkTensorMap *map, int x, int y, uint32_t barrier)
{
  int at[] = { x, y };
  emu_tma_load (dst, map, 2, at, barrier);
}
GK_DEV void
gk_tma_load4 (uint32_t dst, const GkTensorMap *map, int x, int y, int z, int w, uint32_t barrier)
{
  int at[] = { x, y, z, w };
  emu_tma_load (dst, map, 4, at, barrier);
}
GK_DEV void
gk_tma_load_pixels (uint32_t dst,
                    const GkTensorMap *map,
                    int channel,
                    int x,
                    int y,
                    int picture,
                    int tap_x,
                    int tap_y,
                    uint32_t barrier)
{
  int at[] = { channel, x, y, picture }, offsets[] = { tap_x, tap_y };
  emu_tma_load_pixels (dst, map, 4, at, offsets, barrier);
}
template <int N, bool F16>
GK_DEV void
gk_wgmma (float (&d)[N / 2], uint64_t a, uint64_t b, bool accumulate)
{
  EmuWgmma product = { F16 ? EMU_F16 : EMU_BF16, N, NULL, a, b, false, accumulate, d };
  emu_wgmma (&product);
}
template <int N, bool F16>
GK_DEV void
gk_wgmma_transposed (float (&d)[N / 2], const uint32_t (&a)[4], uint64_t b, bool accumulate)
{
  EmuWgmma product = { F16 ? EMU_F16 : EMU_BF16, N, a, 0, b, true, accumulate, d };
  emu_wgmma (&product);
}
template <int N>
GK_DEV void
gk_wgmma_e4m3 (float (&d)[N / 2], uint64_t a, uint64_t b, bool accumulate)
{
  EmuWgmma product = { EMU_E4M3, N, NULL, a, b, false, accumulate, d };
  emu_wgmma (&product);
}
template <int N>
GK_DEV void
gk_wgmma_taken (float (&)[N])
{
}
template <int N>
GK_DEV void
gk_registers_more ()
{
}
template <int N>
GK_DEV void
gk_registers_fewer ()
{
}

// --- arithmetic ---

GK_DEV uint32_t
gk_float_bits (float f)
{
  uint32_t u;
  memcpy (&u, &f, sizeof u);
  return u;
}
GK_DEV float
gk_bits_float (uint32_t u)
{
  float f;
  memcpy (&f, &u, sizeof f);
  return f;
}
GK_DEV uint32_t
emu_f32_to_bf16 (float f)
{
  uint32_t u = gk_float_bits (f);
  return (u & 0x7fffffff) > 0x7f800000 ? 0x7fff : (u + 0x7fff + (u >> 16 & 1)) >> 16;
}
// Powers of two are moved to where floats have theirs by products, which are exact.
GK_DEV float
emu_f16_to_f32 (uint16_t v)
{
  uint32_t magnitude = v & 0x7fff, sign = (uint32_t) (v & 0x8000) << 16;
  uint32_t finite = gk_float_bits (gk_bits_float (magnitude << 13) * 0x1p112f);
  uint32_t special = magnitude > 0x7c00 ? 0x7fc00000 : 0x7f800000;
  return gk_bits_float ((magnitude < 0x7c00 ? finite : special) | sign);
}

// To nearest even.  Below 2^-14 the sum with 0.5 rounds to multiples of 2^-24, which are the units.
GK_DEV uint16_t
emu_f32_to_f16 (float f)
{
  uint32_t bits = gk_float_bits (f), sign = bits >> 16 & 0x8000, magnitude = bits & 0x7fffffff;
  uint32_t normal = (magnitude - (112 << 23) + 0xfff + (magnitude >> 13 & 1)) >> 13;
  uint32_t units = gk_float_bits (gk_bits_float (magnitude) + 0.5f) - gk_float_bits (0.5f);
  uint32_t special = magnitude > 0x7f800000 ? 0x7fff : 0x7c00;
  bool is_finite = magnitude < gk_float_bits (65520),
       is_normal = magnitude >= gk_float_bits (0x1p-14f);
  return (uint16_t) (sign | (!is_finite ? special : is_normal ? normal : units));
}

GK_DEV float
emu_e4m3_to_f32 (uint8_t v)
{
  uint32_t magnitude = v & 0x7f, sign = (uint32_t) (v & 0x80) << 24;
  uint32_t finite = gk_float_bits (gk_bits_float (magnitude << 20) * 0x1p120f);
  return gk_bits_float ((magnitude == 0x7f ? 0x7fc00000 : finite) | sign);
}

GK_DEV uint32_t
gk_pack_bf16 (float low, float high)
{
  return emu_f32_to_bf16 (low) | emu_f32_to_bf16 (high) << 16;
}
GK_DEV uint32_t
gk_pack_f16 (float low, float high)
{
  return emu_f32_to_f16 (low) | (uint32_t) emu_f32_to_f16 (high) << 16;
}
GK_DEV float
gk_unpack_f16 (uint32_t bits)
{
  return emu_f16_to_f32 ((uint16_t) bits);
}
GK_DEV uint32_t
gk_pack_e4m3 (float low, float high)
{
  return emu_f32_to_e4m3 (low) | (uint32_t) emu_f32_to_e4m3 (high) << 8;
}
GK_DEV float
gk_exp2 (float x)
{
  return exp2f (x);
}
GK_DEV float
gk_reciprocal (float x)
{
  return 1 / x;
}
GK_DEV float
gk_rsqrt (float x)
{
  return 1 / sqrtf (x);
}
