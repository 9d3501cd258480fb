/* SPDX-License-Identifier: MPL-2.0 */
#include "cli/outputs.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "core/mem.h"
#include "media/file.h"
#include "pipelines/latents-file.h"
#include "worker/model-hash.h"

enum
{
  STEM_LENGTH = 48
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

bool
output_write_latents (const char *path, const PipelineResult *result, Status *status)
{
  size_t n_bytes;
  uint8_t *data = latents_file (result, 0, result->n, &n_bytes, status);
  AtomicFile file = { 0 };
  bool ok = data && atomic_file_open (&file, path, status) &&
            atomic_file_write (&file, data, n_bytes, status) &&
            atomic_file_commit (&file, true, status);
  atomic_file_discard (&file);
  mem_free (data);
  return ok;
}
