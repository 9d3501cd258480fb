/* SPDX-License-Identifier: MPL-2.0
 * precision.c - which network computes in what.
 *
 * On the processor texts are encoded in f32, since every step reads them, and the rest as the job
 * says.  On a card "bf16" stands for 16 bits, and each network gets those that suit it: SD's U-Nets
 * and CLIP f16, in which they were published and whose 11 bits their pictures need (a batch of
 * SDXL's golden cases: 47 dB, against 34 in bf16); T5, the transformers and all VAEs bf16, because
 * their activations leave f16's range (SDXL's VAE is known for it).
 */
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
  return role == NETWORK_CLIP || role == NETWORK_UNET ? COMPUTE_F16 : COMPUTE_BF16;
}
