/* SPDX-License-Identifier: MPL-2.0
 * sd-embeddings.c - textual inversion: files to vectors, and prompts with vectors among their
 * tokens to what enters the first layer.
 */
#include <stdio.h>
#include <string.h>

#include "core/blocks.h"
#include "core/mem.h"
#include "pipelines/digest.h"
#include "pipelines/sd-private.h"
#include "weights/embedding.h"

/* The file has as many vectors for each of the model's encoders, or it was made for another model.
 */
static bool
count_vectors (const ModelConfig *c, const EmbeddingFile *file, int64_t *n, Status *status)
{
  char widths[128];
  embedding_widths (file, widths, sizeof widths);
  *n = embedding_vectors (file, 0, c->clip[0].dim, NULL);
  bool ok = *n > 0;
  for (int e = 1; e < c->n_clips; e++)
    ok = ok && embedding_vectors (file, e, c->clip[e].dim, NULL) == *n;
  if (!ok)
    return status_fail (
        status, STATUS_UNSUPPORTED,
        "The embedding \"%.100s\" has vectors of %s values, which %s does not take: "
        "choose one for %s.",
        file->label, widths, family_name (c->family), family_name (c->family));
  return *n <= EMBEDDING_MAX_VECTORS ||
         status_fail (status, STATUS_UNSUPPORTED,
                      "The embedding \"%.100s\" has %lld vectors; at most %d go into a prompt.",
                      file->label, (long long) *n, EMBEDDING_MAX_VECTORS);
}

static bool
grow_vectors (SdEmbeddings *all, int encoder, int64_t dim, int64_t n, Status *status)
{
  size_t needed = (size_t) ((all->n_vectors + n) * dim);
  float *more = mem_realloc (all->vectors[encoder], needed * sizeof *more);
  if (!more)
    return status_fail (status, STATUS_NO_MEMORY, "Out of memory: use fewer embeddings.");
  all->vectors[encoder] = more;
  return true;
}

static bool
add_file (SdEmbeddings *all,
          const ModelConfig *c,
          const EmbeddingFile *file,
          const char *name,
          Status *status)
{
  int64_t n;
  if (!count_vectors (c, file, &n, status))
    return false;
  for (int e = 0; e < c->n_clips; e++)
    {
      int64_t dim = c->clip[e].dim;
      if (!grow_vectors (all, e, dim, n, status))
        return false;
      float *out = all->vectors[e] + all->n_vectors * dim;
      embedding_vectors (file, e, dim, out);
      all->digest = digest_bytes (all->digest, out, (size_t) (n * dim) * sizeof *out);
      all->tokens[e][all->n] =
          (TokenEmbedding){ name, (int) n, (int32_t) (c->clip[e].vocab + all->n_vectors) };
    }
  all->digest = digest_text (all->digest, name);
  all->n_vectors += n;
  all->n++;
  return true;
}

bool
sd_embeddings_load (SdEmbeddings *all,
                    const Pipeline *pipeline,
                    const PipelineJob *job,
                    Status *status)
{
  const ModelConfig *c = &pipeline->checkpoint->config;
  *all = (SdEmbeddings){ .digest = DIGEST_START };
  bool ok = true;
  for (int e = 0; ok && job->n_embeddings > 0 && e < c->n_clips; e++)
    {
      all->tokens[e] = mem_calloc ((size_t) job->n_embeddings, sizeof *all->tokens[e]);
      ok = all->tokens[e] ||
           status_fail (status, STATUS_NO_MEMORY, "Out of memory: use fewer embeddings.");
    }
  for (int i = 0; ok && i < job->n_embeddings; i++)
    {
      const PipelineEmbedding *e = &job->embeddings[i];
      EmbeddingFile *file = embedding_open (e->path, e->bundle, status);
      ok = file && add_file (all, c, file, job->embeddings[i].name, status);
      embedding_close (file);
    }
  if (!ok)
    sd_embeddings_clear (all);
  return ok;
}

void
sd_embeddings_clear (SdEmbeddings *all)
{
  for (int e = 0; e < SD_MAX_ENCODERS; e++)
    {
      mem_free (all->vectors[e]);
      mem_free (all->tokens[e]);
    }
  *all = (SdEmbeddings){ 0 };
}

static const Weight *
find_table (const Pipeline *pipeline, int encoder, const char *kind)
{
  char name[128];
  snprintf (name, sizeof name, "text_encoder%s.text_model.embeddings.%s_embedding.weight",
            encoder ? "_2" : "", kind);
  return weights_find (pipeline->checkpoint->weights, name);
}

bool
sd_embeddings_used (const ClipConfig *clip, const int32_t *ids, int64_t n_ids)
{
  for (int64_t i = 0; i < n_ids; i++)
    if (ids[i] >= clip->vocab)
      return true;
  return false;
}

/* Token by token what op_embed does: its row, or the vector, plus the position's. */
float *
sd_embeddings_embed (const SdEmbeddings *all,
                     const Pipeline *pipeline,
                     int encoder,
                     const int32_t *ids,
                     int64_t n_ids,
                     Status *status)
{
  const ClipConfig *clip = &pipeline->checkpoint->config.clip[encoder];
  const Weight *tokens = find_table (pipeline, encoder, "token");
  const Weight *positions = find_table (pipeline, encoder, "position");
  int64_t dim = clip->dim;
  float *out = mem_calloc ((size_t) (n_ids * dim), sizeof *out);
  float *position = mem_calloc ((size_t) dim, sizeof *position);
  bool ok = out && position;
  Param table = weight_param (tokens), places = weight_param (positions);
  for (int64_t i = 0; ok && table.data && places.data && i < n_ids; i++)
    {
      float *row = out + i * dim;
      if (ids[i] >= clip->vocab)
        memcpy (row, all->vectors[encoder] + (ids[i] - clip->vocab) * dim,
                (size_t) dim * sizeof *row);
      else
        param_to_f32 (row, &table, ids[i] * dim, dim);
      param_to_f32 (position, &places, i % CHUNK_LENGTH * dim, dim);
      for (int64_t k = 0; k < dim; k++)
        row[k] += position[k];
    }
  mem_free (position);
  if (ok)
    return out;
  mem_free (out);
  status_fail (status, STATUS_NO_MEMORY, "Out of memory: use a shorter prompt.");
  return NULL;
}
