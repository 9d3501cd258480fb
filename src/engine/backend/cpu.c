/* SPDX-License-Identifier: MPL-2.0
 * cpu.c - makes a CPU backend: picks the level, starts the threads, fills the table.
 */
#include "backend/cpu.h"

#include <stdlib.h>
#include <string.h>

#include "core/mem.h"
#include "kernels/cpu/ref/ref.h"

#define REF_SLOT(slot, Args)                                                                       \
  static void cpu_ref_##slot (Backend *base, const Args *a)                                        \
  {                                                                                                \
    if (!cpu_is_cancelled (base))                                                                  \
      ref_##slot (a);                                                                              \
  }

REF_SLOT (linear, LinearArgs)
REF_SLOT (conv2d, ConvArgs)
REF_SLOT (conv3d, Conv3dArgs)
REF_SLOT (attention, AttentionArgs)
REF_SLOT (group_norm, GroupNormArgs)
REF_SLOT (layer_norm, LayerNormArgs)
REF_SLOT (rms_norm, RmsNormArgs)
REF_SLOT (norm_modulate, NormModulateArgs)
REF_SLOT (rope, RopeArgs)
REF_SLOT (unary, UnaryArgs)
REF_SLOT (add, AddArgs)
REF_SLOT (add_gated, AddGatedArgs)
REF_SLOT (gated, GatedArgs)
REF_SLOT (scale, ScaleArgs)
REF_SLOT (geglu, GegluArgs)
REF_SLOT (embed, EmbedArgs)
REF_SLOT (concat, ConcatArgs)
REF_SLOT (copy, CopyArgs)
REF_SLOT (avg_down, AvgDownArgs)
REF_SLOT (dup_up, DupUpArgs)
REF_SLOT (round, RoundArgs)
REF_SLOT (resize, ResizeArgs)
REF_SLOT (sinusoid, SinusoidArgs)

static const BackendOps ref_ops = {
  .linear = cpu_ref_linear,
  .conv2d = cpu_ref_conv2d,
  .conv3d = cpu_ref_conv3d,
  .attention = cpu_ref_attention,
  .group_norm = cpu_ref_group_norm,
  .layer_norm = cpu_ref_layer_norm,
  .rms_norm = cpu_ref_rms_norm,
  .norm_modulate = cpu_ref_norm_modulate,
  .rope = cpu_ref_rope,
  .unary = cpu_ref_unary,
  .add = cpu_ref_add,
  .add_gated = cpu_ref_add_gated,
  .gated = cpu_ref_gated,
  .scale = cpu_ref_scale,
  .geglu = cpu_ref_geglu,
  .embed = cpu_ref_embed,
  .concat = cpu_ref_concat,
  .copy = cpu_ref_copy,
  .avg_down = cpu_ref_avg_down,
  .dup_up = cpu_ref_dup_up,
  .round = cpu_ref_round,
  .resize = cpu_ref_resize,
  .sinusoid = cpu_ref_sinusoid,
};

/* The names of the levels that pass @filter, best first: "amx, avx512". */
static void
list_levels (char *out, size_t size, bool (*filter) (CpuLevel level))
{
  out[0] = '\0';
  for (int level = CPU_LEVEL_COUNT - 1; level >= 0; level--)
    if (!filter || filter ((CpuLevel) level))
      {
        if (out[0])
          strncat (out, ", ", size - strlen (out) - 1);
        strncat (out, cpu_level_name ((CpuLevel) level), size - strlen (out) - 1);
      }
}

static CpuLevel
best_level (void)
{
  int level = CPU_LEVEL_COUNT - 1;
  while (level > CPU_REF && !cpu_has_level ((CpuLevel) level))
    level--;
  return (CpuLevel) level;
}

static bool
choose_level (const char *name, CpuLevel *out, Status *status)
{
  enum
  {
    LIST_SIZE = 80
  };
  char list[LIST_SIZE];
  if (!name)
    name = getenv ("GESSO_LEVEL");
  if (!name || !*name)
    {
      *out = best_level ();
      return true;
    }
  for (int level = 0; level < CPU_LEVEL_COUNT; level++)
    if (strcmp (name, cpu_level_name ((CpuLevel) level)) == 0)
      {
        *out = (CpuLevel) level;
        if (cpu_has_level (*out))
          return true;
        list_levels (list, sizeof list, cpu_has_level);
        return status_fail (status, STATUS_UNSUPPORTED,
                            "This processor lacks the CPU level \"%s\"; it has: %s.", name, list);
      }
  list_levels (list, sizeof list, NULL);
  return status_fail (status, STATUS_ARGUMENT,
                      "There is no CPU level \"%.40s\"; choose one of: %s.", name, list);
}

static void
cpu_free (Backend *base)
{
  CpuBackend *b = (CpuBackend *) base;
  cpu_free_gemm (b);
  threads_free (b->threads);
  mem_free (b);
}

static bool
set_up (CpuBackend *b, int n_threads, Status *status)
{
  b->base.ops = ref_ops;
  b->base.name = "cpu";
  b->base.level = cpu_level_name (b->level);
  b->base.fastest = COMPUTE_F32;
  b->base.free = cpu_free;
  b->threads = threads_new (n_threads, status);
  if (!b->threads)
    return false;
  b->base.n_threads = threads_count (b->threads);
  cpu_init_elementwise (b);
  return cpu_init_gemm (b, status);
}

Backend *
backend_cpu_new (const char *level, int n_threads, Status *status)
{
  CpuLevel chosen = CPU_REF;
  if (!choose_level (level, &chosen, status))
    return NULL;
  CpuBackend *b = mem_calloc (1, sizeof *b);
  if (!b)
    {
      status_fail (status, STATUS_NO_MEMORY, "Out of memory while setting up the CPU backend.");
      return NULL;
    }
  b->level = chosen;
  if (!set_up (b, n_threads, status))
    {
      cpu_free (&b->base);
      return NULL;
    }
  return &b->base;
}
