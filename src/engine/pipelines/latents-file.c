/* SPDX-License-Identifier: MPL-2.0 */
#include "pipelines/latents-file.h"

#include <stdio.h>
#include <string.h>

#include "core/mem.h"
#include "weights/safetensors.h"

enum
{
  HEADER_BYTES = 320, /* with its length; more than any shape takes */
  ALIGNMENT = 8
};

/* Returns: bytes of @out that are used */
static size_t
write_header (char out[HEADER_BYTES], const PipelineResult *r, int n, size_t n_data)
{
  char frames[24] = "", kind[48] = "";
  if (r->n_frames > 1)
    snprintf (frames, sizeof frames, "%d,", r->latent_frames);
  if (*r->latent_kind)
    snprintf (kind, sizeof kind, "\"__metadata__\":{\"vae\":\"%s\"},", r->latent_kind);
  int length =
      snprintf (out + ALIGNMENT, HEADER_BYTES - ALIGNMENT,
                "{%s\"latent\":{\"dtype\":\"F32\",\"shape\":[%d,%d,%s%d,%d],"
                "\"data_offsets\":[0,%zu]}}",
                kind, n, r->latent_channels, frames, r->latent_height, r->latent_width, n_data);
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

/* ---- reading ---- */

enum
{
  CLIP_RANK = 5,
  MOST = 1 << 16 /* of any side, and of frames */
};

/* (1, channels, frames, height, width) in whole floats. */
static bool
take_tensor (ClipLatents *l, const FileTensor *t)
{
  if (!t || t->dtype != DTYPE_F32 || t->rank != CLIP_RANK || t->ne[0] != 1)
    return false;
  for (int i = 1; i < CLIP_RANK; i++)
    if (t->ne[i] < 1 || t->ne[i] > MOST)
      return false;
  l->channels = (int) t->ne[1];
  l->frames = (int) t->ne[2];
  l->height = (int) t->ne[3];
  l->width = (int) t->ne[4];
  l->values = (const float *) (const void *) t->data;
  return (uintptr_t) t->data % sizeof (float) == 0;
}

bool
latents_read_clip (
    ClipLatents *l, const uint8_t *file, size_t n_bytes, const char *name, Status *status)
{
  Pool pool = { 0 };
  TensorTable table;
  *l = (ClipLatents){ 0 };
  table_init (&table, &pool);
  bool ok = safetensors_parse (&table, file, n_bytes, name, status) &&
            (take_tensor (l, table_find (&table, "latent")) ||
             status_fail (status, STATUS_FORMAT,
                          "The latents in \"%.300s\" are damaged: the clip can be played, but not "
                          "be gone on from.",
                          name));
  const char *kind = ok ? table_metadata (&table, "vae") : NULL;
  snprintf (l->kind, sizeof l->kind, "%s", kind ? kind : "");
  table_clear (&table);
  pool_clear (&pool);
  return ok;
}
