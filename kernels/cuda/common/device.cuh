// SPDX-License-Identifier: MPL-2.0
// device.cuh - the only place with PTX: each function is one instruction, or an obvious few.
//
// tests/emu/wrappers.h is the other half: the same names on the host.  Semantics and layouts are
// those of the PTX ISA.  Shared memory is addressed by 32 bits, as cvta.shared gives them.
#pragma once

#include <cuda.h> // CUtensorMap
#include <cuda_runtime.h>
#include <stdint.h>
#include <string.h>

// The architecture a kernel is compiled for; the host's pass over a file sees all of it.
#ifdef __CUDA_ARCH__
#  define GK_ARCH (__CUDA_ARCH__ / 10)
#else
#  define GK_ARCH 999
#endif
#define GK_HAS_FP8 (GK_ARCH >= 89)
#define GK_HAS_TMA (GK_ARCH >= 90)
#if !defined(__CUDA_ARCH__) || defined(__CUDA_ARCH_FEAT_SM90_ALL)
#  define GK_HAS_WGMMA 1
#else
#  define GK_HAS_WGMMA 0
#endif

// Of the family of sm_120, when it is compiled for as such.
#if defined(__CUDA_ARCH__) && GK_ARCH >= 120 &&                                                    \
    (defined(__CUDA_ARCH_FAMILY_SPECIFIC__) || defined(__CUDA_ARCH_SPECIFIC__))
#  define GK_HAS_BLOCK_SCALE 1
#else
#  define GK_HAS_BLOCK_SCALE 0
#endif

#define GK_DEV static __device__ __forceinline__
#define GK_DEV_MEMBER __device__ __forceinline__
#define GK_BOTH static __host__ __device__ __forceinline__
#define GK_KERNEL(n_threads, min_blocks)                                                           \
  static __global__ void __launch_bounds__ (n_threads, min_blocks)
#define GK_UNROLL _Pragma ("unroll")
#define GK_CONST __grid_constant__
#define GK_DYNAMIC_SHARED(name) extern __shared__ __align__ (1024) unsigned char name[]
#define GK_SHARED(type, name, n) __shared__ __align__ (16) type name[n]

typedef cudaStream_t GkStream;
typedef CUtensorMap GkTensorMap;

// Evaluates to a cudaError_t.
#define GK_LAUNCH(kernel, grid, block, shared_bytes, stream, ...)                                  \
  gk_launch ([&] {                                                                                 \
    auto body = kernel;                                                                            \
    if ((shared_bytes) > 48 << 10)                                                                 \
      {                                                                                            \
        cudaError_t error = cudaFuncSetAttribute ((const void *) body,                             \
                                                  cudaFuncAttributeMaxDynamicSharedMemorySize,     \
                                                  (int) (shared_bytes));                           \
        if (error != cudaSuccess)                                                                  \
          return error;                                                                            \
      }                                                                                            \
    body<<<(grid), (block), (shared_bytes), (stream)>>> (__VA_ARGS__);                             \
    return cudaGetLastError ();                                                                    \
  })

template <class F>
static inline int
gk_launch (F f)
{
  return (int) f ();
}

// --- threads ---

GK_DEV int
gk_thread ()
{
  return (int) threadIdx.x;
}
GK_DEV int
gk_block_x ()
{
  return (int) blockIdx.x;
}
GK_DEV int
gk_block_y ()
{
  return (int) blockIdx.y;
}
GK_DEV int
gk_block_z ()
{
  return (int) blockIdx.z;
}
GK_DEV int
gk_grid_x ()
{
  return (int) gridDim.x;
}
GK_DEV void
gk_sync ()
{
  __syncthreads ();
}
GK_DEV void
gk_sync_warp ()
{
  __syncwarp ();
}
GK_DEV void
gk_sync_named (int id, int n_threads)
{
  asm volatile("bar.sync %0, %1;" ::"r"(id), "r"(n_threads) : "memory");
}
// Counts as arrived at the named barrier that others wait at.
GK_DEV void
gk_arrive_named (int id, int n_threads)
{
  asm volatile("bar.arrive %0, %1;" ::"r"(id), "r"(n_threads) : "memory");
}
GK_DEV float
gk_shuffle_xor (float v, int mask)
{
  return __shfl_xor_sync (0xffffffffu, v, mask);
}
GK_DEV float
gk_shuffle (float v, int lane)
{
  return __shfl_sync (0xffffffffu, v, lane);
}
// A condition that keeps an access inside its tensor (the emulator can ignore it, to see what then
// is noticed).
GK_DEV bool
gk_within (bool condition)
{
  return condition;
}

// --- shared memory ---

GK_DEV uint32_t
gk_shared_address (const void *p)
{
  return (uint32_t) __cvta_generic_to_shared (p);
}
GK_DEV void
gk_store16 (uint32_t address, uint4 v)
{
  asm volatile("st.shared.v4.u32 [%0], {%1, %2, %3, %4};" ::"r"(address), "r"(v.x), "r"(v.y),
               "r"(v.z), "r"(v.w)
               : "memory");
}
GK_DEV void
gk_store4 (uint32_t address, uint32_t v)
{
  asm volatile("st.shared.u32 [%0], %1;" ::"r"(address), "r"(v) : "memory");
}
GK_DEV uint4
gk_load16 (uint32_t address)
{
  uint4 v;
  asm volatile("ld.shared.v4.u32 {%0, %1, %2, %3}, [%4];"
               : "=r"(v.x), "=r"(v.y), "=r"(v.z), "=r"(v.w)
               : "r"(address)
               : "memory");
  return v;
}
GK_DEV void
gk_ldmatrix (uint32_t (&r)[4], uint32_t address)
{
  asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0, %1, %2, %3}, [%4];"
               : "=r"(r[0]), "=r"(r[1]), "=r"(r[2]), "=r"(r[3])
               : "r"(address)
               : "memory");
}
GK_DEV void
gk_ldmatrix_transposed (uint32_t (&r)[4], uint32_t address)
{
  asm volatile("ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%0, %1, %2, %3}, [%4];"
               : "=r"(r[0]), "=r"(r[1]), "=r"(r[2]), "=r"(r[3])
               : "r"(address)
               : "memory");
}

// 16 bytes, of which those past @valid_bytes are zeros; @src is read only for valid bytes.
GK_DEV void
gk_copy16 (uint32_t dst, const void *src, int valid_bytes)
{
  asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;" ::"r"(dst), "l"(src),
               "r"(valid_bytes)
               : "memory");
}
GK_DEV void
gk_copy_commit ()
{
  asm volatile("cp.async.commit_group;" ::: "memory");
}
template <int N>
GK_DEV void
gk_copy_wait ()
{
  asm volatile("cp.async.wait_group %0;" ::"n"(N) : "memory");
}

// --- products on a warp: 16 x 8 += 16 x 16 (or 32) by 16 (or 32) x 8 ---

GK_DEV void
gk_mma_bf16 (float (&c)[4], const uint32_t (&a)[4], uint32_t b0, uint32_t b1)
{
  asm volatile("mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 "
               "{%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, {%0, %1, %2, %3};"
               : "+f"(c[0]), "+f"(c[1]), "+f"(c[2]), "+f"(c[3])
               : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b0), "r"(b1));
}
GK_DEV void
gk_mma_f16 (float (&c)[4], const uint32_t (&a)[4], uint32_t b0, uint32_t b1)
{
  asm volatile("mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32 "
               "{%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, {%0, %1, %2, %3};"
               : "+f"(c[0]), "+f"(c[1]), "+f"(c[2]), "+f"(c[3])
               : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b0), "r"(b1));
}
#if GK_HAS_FP8
// On sm_120 by the block-scaled instruction, whose scales (ue8m0, 127: one) change nothing.
GK_DEV void
gk_mma_e4m3 (float (&c)[4], const uint32_t (&a)[4], uint32_t b0, uint32_t b1)
{
#  if GK_HAS_BLOCK_SCALE
  const uint32_t ones = 0x7f7f7f7f;
  const uint16_t first = 0;
  asm volatile("mma.sync.aligned.kind::mxf8f6f4.block_scale.scale_vec::1X.m16n8k32.row.col.f32.e4m3"
               ".e4m3.f32.ue8m0 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, {%0, %1, %2, %3}, "
               "{%10}, {%11, %11}, {%10}, {%11, %11};"
               : "+f"(c[0]), "+f"(c[1]), "+f"(c[2]), "+f"(c[3])
               : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b0), "r"(b1), "r"(ones),
                 "h"(first));
#  else
  asm volatile("mma.sync.aligned.m16n8k32.row.col.f32.e4m3.e4m3.f32 "
               "{%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, {%0, %1, %2, %3};"
               : "+f"(c[0]), "+f"(c[1]), "+f"(c[2]), "+f"(c[3])
               : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b0), "r"(b1));
#  endif
}
GK_DEV uint32_t
gk_pack_e4m3 (float low, float high)
{
  uint16_t r;
  asm("cvt.rn.satfinite.e4m3x2.f32 %0, %1, %2;" : "=h"(r) : "f"(high), "f"(low));
  return r;
}
#endif

// --- arithmetic ---

GK_DEV uint32_t
gk_float_bits (float f)
{
  return __float_as_uint (f);
}
GK_DEV float
gk_bits_float (uint32_t u)
{
  return __uint_as_float (u);
}
GK_DEV uint32_t
gk_pack_bf16 (float low, float high)
{
  uint32_t r;
  asm("cvt.rn.bf16x2.f32 %0, %1, %2;" : "=r"(r) : "f"(high), "f"(low));
  return r;
}
GK_DEV uint32_t
gk_pack_f16 (float low, float high)
{
  uint32_t r;
  asm("cvt.rn.f16x2.f32 %0, %1, %2;" : "=r"(r) : "f"(high), "f"(low));
  return r;
}
// The low half.
GK_DEV float
gk_unpack_f16 (uint32_t bits)
{
  float f;
  asm("cvt.f32.f16 %0, %1;" : "=f"(f) : "h"((uint16_t) bits));
  return f;
}
GK_DEV float
gk_exp2 (float x)
{
  float y;
  asm("ex2.approx.ftz.f32 %0, %1;" : "=f"(y) : "f"(x));
  return y;
}
GK_DEV float
gk_reciprocal (float x)
{
  return __fdividef (1, x);
}
GK_DEV float
gk_rsqrt (float x)
{
  return rsqrtf (x);
}

#include "hopper.cuh"
