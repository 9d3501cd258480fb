/* SPDX-License-Identifier: MPL-2.0 */
#include "cli/outputs.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "core/mem.h"
#include "media/file.h"
#include "worker/model-hash.h"

enum
{
  STEM_LENGTH = 48,
  LENGTH_BYTES = 8 /* of a safetensors header, in front of it */
};

void
output_stem (char out[OUTPUT_STEM_SIZE], const char *prompt)
{
  int n = 0;
  bool dash = false;
  for (const unsigned char *p = (const unsigned char *) prompt; *p && n < STEM_LENGTH; p++)
    if (isalnum (*p) || *p >= 0x80)
      {
        if (dash && n > 0)
          out[n++] = '-';
        dash = false;
        out[n++] = (char) tolower (*p);
      }
    else
      dash = true;
  while (n > 0 && ((unsigned char) out[n - 1] & 0xc0) == 0x80)
    n--; /* do not cut a UTF-8 character */
  if (n > 0 && (unsigned char) out[n - 1] >= 0xc0)
    n--;
  out[n] = '\0';
  if (n == 0)
    strcpy (out, "picture");
}

bool
output_is_folder (const char *path)
{
  struct stat st;
  size_t n = strlen (path);
  return (n > 0 && path[n - 1] == '/') || (stat (path, &st) == 0 && S_ISDIR (st.st_mode));
}

bool
output_take_hashes (Engine *engine, Recipe *recipe, Status *status)
{
  char hash[MODEL_HASH_SIZE], note[STATUS_MESSAGE_SIZE];
  if (!model_hash (engine->model_path, hash, &cli_cancel, status) ||
      !recipe_set (recipe, "model_hash", hash, status) ||
      !job_adapters_hash (recipe, &cli_cancel, note, status))
    return false;
  if (*note)
    engine->job.note (engine->job.data, note);
  return true;
}

/* Behind its length, padded to a multiple of that.  Returns: bytes of both */
static size_t
write_header (char *out, size_t room, const PipelineResult *r, int n, size_t n_bytes)
{
  char frames[16] = "";
  if (r->n_frames > 1)
    snprintf (frames, sizeof frames, "%d,", r->latent_frames);
  int length = snprintf (out + LENGTH_BYTES, room - LENGTH_BYTES,
                         "{\"latent\":{\"dtype\":\"F32\",\"shape\":[%d,%d,%s%d,%d],"
                         "\"data_offsets\":[0,%zu]}}",
                         n, r->latent_channels, frames, r->latent_height, r->latent_width, n_bytes);
  while (length % LENGTH_BYTES != 0)
    out[LENGTH_BYTES + length++] = ' ';
  for (int i = 0; i < LENGTH_BYTES; i++)
    out[i] = (char) ((uint64_t) length >> (8 * i));
  return (size_t) length + LENGTH_BYTES;
}

uint8_t *
output_latents_new (const PipelineResult *r, int first, int n, size_t *n_bytes, Status *status)
{
  char header[256];
  size_t one = (size_t) r->latent_channels * (size_t) r->latent_frames * (size_t) r->latent_height *
               (size_t) r->latent_width * sizeof (float);
  size_t n_header = write_header (header, sizeof header, r, n, (size_t) n * one);
  *n_bytes = n_header + (size_t) n * one;
  uint8_t *data = mem_calloc (*n_bytes, 1);
  if (!data)
    {
      status_fail (status, STATUS_NO_MEMORY, "Out of memory: close other programs and retry.");
      return NULL;
    }
  memcpy (data, header, n_header);
  memcpy (data + n_header, (const char *) r->latents + (size_t) first * one, (size_t) n * one);
  return data;
}

bool
output_write_latents (const char *path, const PipelineResult *result, Status *status)
{
  size_t n_bytes;
  uint8_t *data = output_latents_new (result, 0, result->n, &n_bytes, status);
  AtomicFile file = { 0 };
  bool ok = data && atomic_file_open (&file, path, status) &&
            atomic_file_write (&file, data, n_bytes, status) &&
            atomic_file_commit (&file, true, status);
  atomic_file_discard (&file);
  mem_free (data);
  return ok;
}
