/* SPDX-License-Identifier: MPL-2.0 */
#include "pipelines/latents-file.h"

#include <stdio.h>
#include <string.h>

#include "core/mem.h"

enum
{
  HEADER_BYTES = 256, /* with its length; more than any shape takes */
  ALIGNMENT = 8
};

/* Returns: bytes of @out that are used */
static size_t
write_header (char out[HEADER_BYTES], const PipelineResult *r, int n, size_t n_data)
{
  char frames[24] = "";
  if (r->n_frames > 1)
    snprintf (frames, sizeof frames, "%d,", r->latent_frames);
  int length = snprintf (out + ALIGNMENT, HEADER_BYTES - ALIGNMENT,
                         "{\"latent\":{\"dtype\":\"F32\",\"shape\":[%d,%d,%s%d,%d],"
                         "\"data_offsets\":[0,%zu]}}",
                         n, r->latent_channels, frames, r->latent_height, r->latent_width, n_data);
  while (length % ALIGNMENT != 0)
    out[ALIGNMENT + length++] = ' ';
  for (int i = 0; i < ALIGNMENT; i++)
    out[i] = (char) ((uint64_t) length >> (8 * i));
  return (size_t) length + ALIGNMENT;
}

uint8_t *
latents_file (const PipelineResult *r, int first, int n, size_t *n_bytes, Status *status)
{
  char header[HEADER_BYTES];
  size_t n_frames = r->latent_frames > 1 ? (size_t) r->latent_frames : 1;
  size_t one =
      (size_t) r->latent_channels * n_frames * (size_t) r->latent_height * (size_t) r->latent_width;
  size_t n_data = (size_t) n * one * sizeof *r->latents;
  size_t n_header = write_header (header, r, n, n_data);
  uint8_t *file = mem_calloc (n_header + n_data, 1);
  if (!file)
    {
      status_fail (status, STATUS_NO_MEMORY, "Out of memory: close other programs and retry.");
      return NULL;
    }
  memcpy (file, header, n_header);
  memcpy (file + n_header, r->latents + (size_t) first * one, n_data);
  *n_bytes = n_header + n_data;
  return file;
}
