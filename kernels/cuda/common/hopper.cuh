// SPDX-License-Identifier: MPL-2.0
// hopper.cuh - TMA and mbarriers (sm_90 and later), wgmma (sm_90a only).  Included by device.cuh.
#pragma once

#if GK_HAS_TMA
GK_DEV void
gk_barrier_init (uint32_t barrier, int n_arrivals)
{
  asm volatile("mbarrier.init.shared::cta.b64 [%0], %1;" ::"r"(barrier), "r"(n_arrivals)
               : "memory");
}
// After the last gk_barrier_init of a thread: the copy engine sees them.
GK_DEV void
gk_barrier_fence_init ()
{
  asm volatile("fence.mbarrier_init.release.cluster;" ::: "memory");
  asm volatile("fence.proxy.async.shared::cta;" ::: "memory");
}
// What this thread stored to shared memory is visible to TMA and wgmma.
GK_DEV void
gk_fence_async ()
{
  asm volatile("fence.proxy.async.shared::cta;" ::: "memory");
}
// Arrives, and lets the phase wait for @n_bytes of copies.
GK_DEV void
gk_barrier_expect (uint32_t barrier, int n_bytes)
{
  asm volatile("mbarrier.arrive.expect_tx.shared::cta.b64 _, [%0], %1;" ::"r"(barrier), "r"(n_bytes)
               : "memory");
}
GK_DEV void
gk_barrier_arrive (uint32_t barrier)
{
  asm volatile("mbarrier.arrive.shared::cta.b64 _, [%0];" ::"r"(barrier) : "memory");
}
// Returns once the phase of @parity has ended.
GK_DEV void
gk_barrier_wait (uint32_t barrier, int parity)
{
  asm volatile("{\n.reg .pred done;\n"
               "again_%=:\n"
               "mbarrier.try_wait.parity.shared::cta.b64 done, [%0], %1;\n"
               "@!done bra again_%=;\n}" ::"r"(barrier),
               "r"(parity)
               : "memory");
}
GK_DEV void
gk_tma_load2 (uint32_t dst, const GkTensorMap *map, int x, int y, uint32_t barrier)
{
  asm volatile("cp.async.bulk.tensor.2d.shared::cluster.global.mbarrier::complete_tx::bytes "
               "[%0], [%1, {%2, %3}], [%4];" ::"r"(dst),
               "l"(map), "r"(x), "r"(y), "r"(barrier)
               : "memory");
}
GK_DEV void
gk_tma_load4 (uint32_t dst, const GkTensorMap *map, int x, int y, int z, int w, uint32_t barrier)
{
  asm volatile("cp.async.bulk.tensor.4d.shared::cluster.global.mbarrier::complete_tx::bytes "
               "[%0], [%1, {%2, %3, %4, %5}], [%6];" ::"r"(dst),
               "l"(map), "r"(x), "r"(y), "r"(z), "r"(w), "r"(barrier)
               : "memory");
}
// From (@x, @y) of @picture on as many pixels as the map's columns have, each seen @tap_x to the
// right and @tap_y below; an im2col map of rank 4.
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
  asm volatile("cp.async.bulk.tensor.4d.shared::cluster.global.im2col.mbarrier::complete_tx::bytes "
               "[%0], [%1, {%2, %3, %4, %5}], [%6], {%7, %8};" ::"r"(dst),
               "l"(map), "r"(channel), "r"(x), "r"(y), "r"(picture), "r"(barrier),
               "h"((uint16_t) tap_x), "h"((uint16_t) tap_y)
               : "memory");
}
#endif

#if GK_HAS_WGMMA
GK_DEV void
gk_wgmma_fence ()
{
  asm volatile("wgmma.fence.sync.aligned;" ::: "memory");
}
GK_DEV void
gk_wgmma_commit ()
{
  asm volatile("wgmma.commit_group.sync.aligned;" ::: "memory");
}
template <int N>
GK_DEV void
gk_wgmma_wait ()
{
  asm volatile("wgmma.wait_group.sync.aligned %0;" ::"n"(N) : "memory");
}
template <int N>
GK_DEV void
gk_registers_more ()
{
  asm volatile("setmaxnreg.inc.sync.aligned.u32 %0;" ::"n"(N));
}
template <int N>
GK_DEV void
gk_registers_fewer ()
{
  asm volatile("setmaxnreg.dec.sync.aligned.u32 %0;" ::"n"(N));
}

// --- wgmma: d (64 x N) = a b (+ d) ---
//
// An instruction names each register of d, so that its text differs from N to N: it is put together
// from the lists below.  Columns and operands as in mma.sync, PTX ISA, wgmma.mma_async.

#  define GK_NAMES_32                                                                              \
    "%0, %1, %2, %3, %4, %5, %6, %7, %8, %9, %10, %11, %12, %13, %14, %15, "                       \
    "%16, %17, %18, %19, %20, %21, %22, %23, %24, %25, %26, %27, %28, %29, %30, %31"
#  define GK_NAMES_64                                                                              \
    GK_NAMES_32                                                                                    \
    ", %32, %33, %34, %35, %36, %37, %38, %39, %40, %41, %42, %43, %44, %45, %46, %47, "           \
    "%48, %49, %50, %51, %52, %53, %54, %55, %56, %57, %58, %59, %60, %61, %62, %63"
#  define GK_NAMES_96                                                                              \
    GK_NAMES_64                                                                                    \
    ", %64, %65, %66, %67, %68, %69, %70, %71, %72, %73, %74, %75, %76, %77, %78, %79, "           \
    "%80, %81, %82, %83, %84, %85, %86, %87, %88, %89, %90, %91, %92, %93, %94, %95"

#  define GK_SUMS_4(i) "+f"(d[i]), "+f"(d[(i) + 1]), "+f"(d[(i) + 2]), "+f"(d[(i) + 3])
#  define GK_SUMS_8(i) GK_SUMS_4 (i), GK_SUMS_4 ((i) + 4)
#  define GK_SUMS_16(i) GK_SUMS_8 (i), GK_SUMS_8 ((i) + 8)
#  define GK_SUMS_32(i) GK_SUMS_16 (i), GK_SUMS_16 ((i) + 16)
#  define GK_SUMS_64(i) GK_SUMS_32 (i), GK_SUMS_32 ((i) + 32)
#  define GK_SUMS_96(i) GK_SUMS_64 (i), GK_SUMS_32 ((i) + 64)

// Both operands by descriptors of tiles that are contiguous along K.  I0..: the names of the
// inputs.
#  define GK_WGMMA_SHARED(function, N, kind, tail, NAMES, SUMS, I0, I1, I2)                        \
    static __device__ __forceinline__ void function (float (&d)[N / 2], uint64_t a, uint64_t b,    \
                                                     int accumulate)                               \
    {                                                                                              \
      asm volatile("{\n.reg .pred p;\nsetp.ne.b32 p, " I2 ", 0;\n"                                 \
                   "wgmma.mma_async.sync.aligned.m64n" #N kind " {" NAMES "}, " I0 ", " I1         \
                   ", p, 1, 1" tail ";\n}"                                                         \
                   : SUMS (0)                                                                      \
                   : "l"(a), "l"(b), "r"(accumulate));                                             \
    }
// a from registers; b's tile is contiguous along N.
#  define GK_WGMMA_REGISTERS(function, N, kind, NAMES, SUMS, I0, I1, I2, I3, I4, I5)               \
    static __device__ __forceinline__ void function (float (&d)[N / 2], const uint32_t (&a)[4],    \
                                                     uint64_t b, int accumulate)                   \
    {                                                                                              \
      asm volatile("{\n.reg .pred p;\nsetp.ne.b32 p, " I5 ", 0;\n"                                 \
                   "wgmma.mma_async.sync.aligned.m64n" #N kind " {" NAMES "}, {" I0 ", " I1        \
                   ", " I2 ", " I3 "}, " I4 ", p, 1, 1, 1;\n}"                                     \
                   : SUMS (0)                                                                      \
                   : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "l"(b), "r"(accumulate));         \
    }
#  define GK_WGMMA_SHAPE(N, NAMES, SUMS, I0, I1, I2, I3, I4, I5)                                   \
    template <> struct GkWgmma<N>                                                                  \
    {                                                                                              \
      GK_WGMMA_SHARED (bf16, N, "k16.f32.bf16.bf16", ", 0, 0", NAMES, SUMS, I0, I1, I2)            \
      GK_WGMMA_SHARED (f16, N, "k16.f32.f16.f16", ", 0, 0", NAMES, SUMS, I0, I1, I2)               \
      GK_WGMMA_SHARED (e4m3, N, "k32.f32.e4m3.e4m3", "", NAMES, SUMS, I0, I1, I2)                  \
      GK_WGMMA_REGISTERS (                                                                         \
          bf16_registers, N, "k16.f32.bf16.bf16", NAMES, SUMS, I0, I1, I2, I3, I4, I5)             \
      GK_WGMMA_REGISTERS (                                                                         \
          f16_registers, N, "k16.f32.f16.f16", NAMES, SUMS, I0, I1, I2, I3, I4, I5)                \
    };

template <int N> struct GkWgmma;
GK_WGMMA_SHAPE (64, GK_NAMES_32, GK_SUMS_32, "%32", "%33", "%34", "%35", "%36", "%37")
GK_WGMMA_SHAPE (128, GK_NAMES_64, GK_SUMS_64, "%64", "%65", "%66", "%67", "%68", "%69")
GK_WGMMA_SHAPE (192, GK_NAMES_96, GK_SUMS_96, "%96", "%97", "%98", "%99", "%100", "%101")

// a (64 x 16) and b (16 x N) by descriptors; what was stored to d or to a's registers before lies
// before a gk_wgmma_fence.
template <int N, bool F16>
GK_DEV void
gk_wgmma (float (&d)[N / 2], uint64_t a, uint64_t b, bool accumulate)
{
  if constexpr (F16)
    GkWgmma<N>::f16 (d, a, b, accumulate);
  else
    GkWgmma<N>::bf16 (d, a, b, accumulate);
}
// a (64 x 32) and b (32 x N) of 8 bits.
template <int N>
GK_DEV void
gk_wgmma_e4m3 (float (&d)[N / 2], uint64_t a, uint64_t b, bool accumulate)
{
  GkWgmma<N>::e4m3 (d, a, b, accumulate);
}
// a from registers, laid out as for gk_mma, which keep their values until the product is waited
// for; b's tile is contiguous along N.
template <int N, bool F16>
GK_DEV void
gk_wgmma_transposed (float (&d)[N / 2], const uint32_t (&a)[4], uint64_t b, bool accumulate)
{
  if constexpr (F16)
    GkWgmma<N>::f16_registers (d, a, b, accumulate);
  else
    GkWgmma<N>::bf16_registers (d, a, b, accumulate);
}
// Behind the wait for them: the compiler takes no sums from before it.
template <int N>
GK_DEV void
gk_wgmma_taken (float (&d)[N])
{
  GK_UNROLL
  for (int i = 0; i < N; i++)
    asm volatile("" : "+f"(d[i])::"memory");
}
#endif
