/* SPDX-License-Identifier: MPL-2.0
 * precision.c - which network computes in what.
 *
 * On the processor texts are encoded in f32, since every step reads them, and the rest as the job
 * says.  On a card "bf16" stands for 16 bits, and each network gets those that suit it: SD's U-Nets
 * and CLIP f16, in which they were published and whose 11 bits their pictures need (a batch of
 * SDXL's golden cases: 47 dB, against 34 in bf16); T5, the transformers and all VAEs bf16, because
 * their activations leave f16's range (SDXL's VAE is known for it).  Where a U-Net or CLIP
 * leaves it, too, the answer is asked for again in bf16, for the rest of the job.
 */
#include <stdio.h>

#include "pipelines/pipeline-private.h"

#include "backend/backend.h"

Compute
pipeline_compute (const Pipeline *pipeline, const PipelineJob *job, NetworkRole role)
{
  bool is_card = pipeline->backend->device.memory != NULL;
  if (!is_card)
    return role == NETWORK_CLIP || role == NETWORK_TEXT ? COMPUTE_F32 : job->compute;
  if (job->compute != COMPUTE_BF16)
    return job->compute;
  bool suits_f16 = role == NETWORK_CLIP || role == NETWORK_UNET;
  return suits_f16 && !job->avoids_f16 ? COMPUTE_F16 : COMPUTE_BF16;
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
  if (compute != COMPUTE_F16)
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
