/* SPDX-License-Identifier: MPL-2.0
 * resume.c - a run between two steps as bytes, and back.
 *
 * A header, then the latents, what is finished of a clip in windows, each picture's generator, and
 * the sampler's own saved form.  Numbers
 * are as this machine has them.  A Brownian path is a function of seed and sigma and needs none.
 */
#include <stddef.h>
#include <string.h>

#include "pipelines/digest.h"
#include "pipelines/run-private.h"

static const char saved_magic[8] = "GESSORUN";
static const uint32_t saved_version = 2;

typedef struct
{
  char magic[8];
  uint64_t checksum; /* of all that follows */
  uint64_t size_bytes;
  uint64_t fingerprint;
  uint32_t version;
  uint32_t n_pictures;
  int64_t n_values; /* of one picture's latent */
  int64_t window;   /* of a clip's */
} SavedHeader;

_Static_assert(sizeof (SavedHeader) == 56, "no gaps: every byte is checked");

/* A generator without the gaps of its struct. */
typedef struct
{
  uint64_t seed;
  double cached_normal;
  uint32_t mt[MT19937_STATE];
  int32_t kind, mt_index, has_cached;
  uint32_t philox_offset;
} SavedRng;

_Static_assert(sizeof (SavedRng) == 16 + 4 * (MT19937_STATE + 4), "no gaps: every byte is checked");

static SavedRng
pack_rng (const Rng *rng)
{
  SavedRng s = { .seed = rng->seed,
                 .cached_normal = rng->cached_normal,
                 .kind = (int32_t) rng->kind,
                 .mt_index = rng->mt_index,
                 .has_cached = rng->has_cached,
                 .philox_offset = rng->philox_offset };
  memcpy (s.mt, rng->mt, sizeof s.mt);
  return s;
}

static Rng
unpack_rng (const SavedRng *s)
{
  Rng rng = { .kind = s->kind == RNG_NV ? RNG_NV : RNG_CPU,
              .seed = s->seed,
              .mt_index = s->mt_index,
              .cached_normal = s->cached_normal,
              .has_cached = s->has_cached != 0,
              .philox_offset = s->philox_offset };
  memcpy (rng.mt, s->mt, sizeof rng.mt);
  return rng;
}

static size_t
latent_bytes (const PipelineRun *r)
{
  return (size_t) r->info.n * (size_t) r->n_values * sizeof *r->x;
}

static size_t
clip_bytes (const PipelineRun *r)
{
  return run_clip_new (r) * sizeof *r->clip;
}

static size_t
fixed_bytes (const PipelineRun *r)
{
  return sizeof (SavedHeader) + latent_bytes (r) + clip_bytes (r) +
         (size_t) r->info.n * sizeof (SavedRng);
}

/* All but magic and checksum themselves. */
static uint64_t
checksum (const void *data, size_t size_bytes)
{
  size_t from = offsetof (SavedHeader, size_bytes);
  return digest_bytes (DIGEST_START, (const char *) data + from, size_bytes - from);
}

size_t
pipeline_run_save_size (const PipelineRun *r)
{
  return fixed_bytes (r) + sampler_save_size (&r->sampler);
}

void
pipeline_run_save (const PipelineRun *r, void *data)
{
  SavedHeader h = { .size_bytes = pipeline_run_save_size (r),
                    .fingerprint = r->fingerprint,
                    .version = saved_version,
                    .n_pictures = (uint32_t) r->info.n,
                    .n_values = r->n_values,
                    .window = r->window };
  memcpy (h.magic, saved_magic, sizeof h.magic);
  char *p = data;
  memcpy (p, &h, sizeof h);
  memcpy (p + sizeof h, r->x, latent_bytes (r));
  p += sizeof h + latent_bytes (r);
  run_clip_save (r, (float *) (void *) p);
  p += clip_bytes (r);
  for (int i = 0; i < r->info.n; i++, p += sizeof (SavedRng))
    {
      SavedRng saved = pack_rng (&r->rngs[i]);
      memcpy (p, &saved, sizeof saved);
    }
  sampler_save (&r->sampler, p);
  h.checksum = checksum (data, h.size_bytes);
  memcpy (data, &h, sizeof h);
}

static bool
check_header (const PipelineRun *r, const void *data, size_t size_bytes, Status *status)
{
  SavedHeader h = { 0 };
  if (size_bytes >= sizeof h)
    memcpy (&h, data, sizeof h);
  if (memcmp (h.magic, saved_magic, sizeof h.magic) != 0)
    return status_fail (status, STATUS_FORMAT,
                        "This is not the saved state of a run: start the run again.");
  if (h.size_bytes != size_bytes || h.checksum != checksum (data, size_bytes))
    return status_fail (status, STATUS_FORMAT,
                        "The saved state of the run is damaged: start the run again.");
  if (h.version != saved_version)
    return status_fail (status, STATUS_FORMAT,
                        "The run was saved by another version of the program: start it again.");
  if (h.fingerprint != r->fingerprint || h.n_pictures != (uint32_t) r->info.n ||
      h.n_values != r->n_values || h.window < 0 || h.window >= r->windows.n ||
      size_bytes < fixed_bytes (r))
    return status_fail (status, STATUS_FORMAT,
                        "The saved state belongs to another job or model: start the run again.");
  return true;
}

bool
pipeline_run_restore (PipelineRun *r, const void *data, size_t size_bytes, Status *status)
{
  if (!check_header (r, data, size_bytes, status))
    return false;
  const char *p = data;
  size_t n = fixed_bytes (r);
  if (!sampler_restore (&r->sampler, p + n, size_bytes - n, status))
    return false;
  SavedHeader h;
  memcpy (&h, data, sizeof h);
  r->window = (int) h.window;
  memcpy (r->x, p + sizeof (SavedHeader), latent_bytes (r));
  p += sizeof (SavedHeader) + latent_bytes (r);
  run_clip_restore (r, (const float *) (const void *) p);
  p += clip_bytes (r);
  for (int i = 0; i < r->info.n; i++, p += sizeof (SavedRng))
    {
      SavedRng saved;
      memcpy (&saved, p, sizeof saved);
      r->rngs[i] = unpack_rng (&saved);
    }
  pipeline_run_park (r);
  return true;
}
