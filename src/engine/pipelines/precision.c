/* SPDX-License-Identifier: MPL-2.0
 * precision.c - which network computes in what.
 *
 * On the processor texts are encoded in f32, since every step reads them, and the rest as the job
 * says.  On a card "bf16" stands for 16 bits, and each network gets those that suit it: SD's U-Nets
 * and CLIP f16, in which they were published and whose 11 bits their pictures need (a batch of
 * SDXL's golden cases: 47 dB, against 34 in bf16); T5, the transformers and all VAEs bf16, because
 * their activations leave f16's range (SDXL's VAE is known for it).  Where a U-Net or CLIP
 * leaves it, too, the answer is asked for again in bf16, for the rest of the job.
 *
 * "fp8" is of cards and of models whose layers are stored in e4m3, which is otherwise decoded to 16
 * bits, exactly.  It rounds what enters those layers of the network that denoises; texts and
 * pictures are encoded and decoded as by "bf16".
 */
#include <stdio.h>
#include <string.h>

#include "pipelines/pipeline-private.h"

#include "backend/backend.h"
#include "core/blocks.h"

/* Of @role, when the job says "bf16". */
static Compute
in_16_bits (const PipelineJob *job, NetworkRole role)
{
  bool suits_f16 = role == NETWORK_CLIP || role == NETWORK_UNET;
  return suits_f16 && !job->avoids_f16 ? COMPUTE_F16 : COMPUTE_BF16;
}

Compute
pipeline_compute (const Pipeline *pipeline, const PipelineJob *job, NetworkRole role)
{
  bool is_card = pipeline->backend->device.memory != NULL;
  if (!is_card)
    return role == NETWORK_CLIP || role == NETWORK_TEXT ? COMPUTE_F32 : job->compute;
  bool denoises = role == NETWORK_UNET || role == NETWORK_TRANSFORMER;
  if (job->compute == COMPUTE_FP8 && denoises)
    return in_16_bits (job, role) == COMPUTE_F16 ? COMPUTE_FP8_F16 : COMPUTE_FP8;
  return job->compute == COMPUTE_BF16 || job->compute == COMPUTE_FP8 ? in_16_bits (job, role)
                                                                     : job->compute;
}

static bool
is_of_denoiser (const char *name)
{
  static const char *const prefixes[] = { "unet.", "transformer.", "expert." };
  for (size_t i = 0; i < sizeof prefixes / sizeof *prefixes; i++)
    if (strncmp (name, prefixes[i], strlen (prefixes[i])) == 0)
      return true;
  return false;
}

static bool
has_fp8_layers (const WeightSet *set)
{
  for (int i = 0; i < weights_count (set); i++)
    {
      const Weight *w = weights_at (set, i);
      Param p = weight_param (w);
      if (w->rank == 2 && is_of_denoiser (w->name) && param_is_e4m3 (&p, w->ne[1]))
        return true;
    }
  return false;
}

bool
pipeline_compute_check (const Pipeline *pipeline, const PipelineJob *job, Status *status)
{
  if (job->compute != COMPUTE_FP8)
    return true;
  if (!pipeline->backend->has_fp8)
    return status_fail (status, STATUS_UNSUPPORTED,
                        "The precision fp8 needs an NVIDIA card of compute capability 8.9, 9.0 or "
                        "12, as RTX 40 and RTX 50 have: choose the precision auto or bf16.");
  return has_fp8_layers (pipeline->checkpoint->weights) ||
         status_fail (status, STATUS_UNSUPPORTED,
                      "\"%.200s\" has no layers in fp8 (e4m3) that the precision fp8 could "
                      "compute with: choose the precision auto or bf16, or the fp8 form of this "
                      "model.",
                      pipeline->checkpoint->path);
}

bool
pipeline_are_numbers (const float *values, int64_t n)
{
  float sum = 0; /* 0 times infinity and NaN are NaN, and stay it */
  for (int64_t i = 0; i < n; i++)
    sum += 0 * values[i];
  return sum == 0;
}

bool
pipeline_widen (PipelineJob *job, Compute compute, const char *what, Status *status)
{
  char note[STATUS_MESSAGE_SIZE];
  if (compute != COMPUTE_F16 && compute != COMPUTE_FP8_F16)
    return status_fail (
        status, STATUS_UNSUPPORTED,
        "What %s computes are no numbers any more: lower the weights of adapters or "
        "the guidance, choose another precision, or check the model's file.",
        status_text (what));
  job->avoids_f16 = true;
  snprintf (
      note, sizeof note,
      status_text ("In this job %s left the range of f16; it computes again, and from here on, "
                   "in bf16."),
      status_text (what));
  if (job->note)
    job->note (job->data, note);
  return true;
}
