/* SPDX-License-Identifier: MPL-2.0
 * cpu-pack.c - which kernels a level uses, and the scratch they pack into: made once, never grown.
 */
#define _GNU_SOURCE
#include "backend/cpu-gemm.h"

#include <string.h>
#include <sys/mman.h>

#include "core/mem.h"

#if defined(__x86_64__)

#  include <cpuid.h>
#  include <sys/syscall.h>
#  include <unistd.h>

/* VDPBF16PS does two products where a multiply-add does one, but not every core has as many units
 * for it.  Measured with registers only: Zen 4 231 GFLOP/s against 115 of f32; Sapphire Rapids 104
 * against 211.  So AMD's cores use it; elsewhere factors are rounded to bf16 and multiplied as f32,
 * which is the same product at f32's speed.  A fixed rule, not a calibration: results do not depend
 * on what else the machine did while it started. */
static bool
has_fast_dot (void)
{
  unsigned a, b, c, d;
  if (!__get_cpuid (0, &a, &b, &c, &d))
    return false;
  return b == signature_AMD_ebx && c == signature_AMD_ecx && d == signature_AMD_edx;
}

void
cpu_use_dot (CpuBackend *b)
{
  b->gemm->bf16 = &gemm_pairs_avx512bf16;
  b->base.fastest = COMPUTE_BF16;
}

static void
choose_kernels (CpuBackend *b)
{
  CpuGemm *g = b->gemm;
  g->f32 = &gemm_f32_sse2;
  g->bf16 = &gemm_rounded_sse2;
  if (b->level < CPU_AVX2)
    return;
  g->f32 = &gemm_f32_avx2;
  g->bf16 = &gemm_rounded_avx2;
  if (b->level < CPU_AVX512)
    return;
  g->f32 = &gemm_f32_avx512;
  g->bf16 = &gemm_rounded_avx512;
  if (b->level < CPU_AVX512BF16)
    return;
  if (has_fast_dot ())
    cpu_use_dot (b);
  if (b->level < CPU_AMX)
    return;
  g->bf16 = &gemm_pairs_amx;
  b->base.fastest = COMPUTE_BF16;
}

/* Tile registers enlarge a thread's saved state, so Linux grants them to processes that ask. */
static bool
ask_for_tiles (Status *status)
{
  enum
  {
    REQUEST_PERMISSION = 0x1023, /* ARCH_REQ_XCOMP_PERM */
    TILE_DATA = 18
  };
  if (syscall (SYS_arch_prctl, REQUEST_PERMISSION, TILE_DATA) == 0)
    return true;
  return status_fail (status, STATUS_UNSUPPORTED,
                      "The system does not grant AMX tile registers: set GESSO_LEVEL=avx512bf16.");
}

bool
cpu_init_gemm (CpuBackend *b, Status *status)
{
  b->base.fastest = COMPUTE_F32;
  if (b->level < CPU_SSE2)
    return true;
  CpuGemm *g = b->gemm = mem_calloc (1, sizeof *g);
  if (!g)
    return status_fail (status, STATUS_NO_MEMORY,
                        "Out of memory while setting up the CPU backend.");
  size_t bias_bytes = BIAS_FLOATS * sizeof (float);
  g->total_bytes = SHARED_BYTES + bias_bytes + (size_t) threads_count (b->threads) * THREAD_BYTES;
  g->shared = mem_map (g->total_bytes);
  if (!g->shared)
    return status_fail (status, STATUS_NO_MEMORY,
                        "Out of memory: the CPU backend needs %zu MiB of scratch; close other "
                        "programs and retry.",
                        g->total_bytes >> 20);
  /* Only advice: fewer page walks while panels stream. */
  madvise (g->shared, g->total_bytes, MADV_HUGEPAGE);
  g->biases = (float *) (g->shared + SHARED_BYTES);
  g->threads = g->shared + SHARED_BYTES + bias_bytes;
  b->base.scratch_bytes = g->total_bytes;
  if (b->level >= CPU_AMX && !ask_for_tiles (status))
    return false;
  choose_kernels (b);
  b->base.ops.linear = cpu_linear;
  b->base.ops.conv2d = cpu_conv2d;
  b->base.ops.conv3d = cpu_conv3d;
  b->base.ops.attention = cpu_attention;
  b->base.folds = cpu_folds;
  return true;
}

const GemmKernels *
gemm_kernels (const CpuBackend *b, Compute compute)
{
  return compute == COMPUTE_BF16 ? b->gemm->bf16 : b->gemm->f32;
}

#else

bool
cpu_init_gemm (CpuBackend *b, Status *status)
{
  b->base.fastest = COMPUTE_F32; /* the reference stays in place */
  return true;
}

#endif

void
cpu_free_gemm (CpuBackend *b)
{
  if (!b->gemm)
    return;
  if (b->gemm->shared)
    mem_unmap (b->gemm->shared, b->gemm->total_bytes);
  mem_free (b->gemm);
  b->gemm = NULL;
}
