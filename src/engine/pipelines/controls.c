/* SPDX-License-Identifier: MPL-2.0
 * controls.c - a job's ControlNets: files opened once, kept for the next job.
 */
#include <string.h>
#include <sys/stat.h>

#include "backend/backend.h"
#include "core/mem.h"
#include "pipelines/digest.h"
#include "pipelines/pipeline-private.h"

/* A file with its network; several sets may hold it. */
typedef struct
{
  int n_users;
  uint64_t key;     /* of path, size and time: whether the file is still the same */
  Backend *backend; /* borrowed */
  Checkpoint *checkpoint;
  Arena arena; /* owns the bound network */
  ControlNet *net;
  uint64_t digest; /* of what is in it */
} ControlFile;

struct ControlSet
{
  int n_users, n;
  ControlFile *files[PIPELINE_MAX_CONTROLS];
};

enum
{
  MAX_CONTROL_WEIGHT = 10
};

static const char *
base_name (const char *path)
{
  const char *slash = strrchr (path, '/');
  return slash && slash[1] ? slash + 1 : path;
}

/* ---- files ---- */

static uint64_t
file_key (const char *path)
{
  struct stat info = { 0 };
  stat (path, &info);
  uint64_t key = digest_int (digest_text (DIGEST_START, path), info.st_size);
  return digest_int (digest_int (key, info.st_mtim.tv_sec), info.st_mtim.tv_nsec);
}

static void
file_release (ControlFile *file)
{
  if (!file || --file->n_users > 0)
    return;
  backend_forget (file->backend);
  arena_clear (&file->arena);
  checkpoint_free (file->checkpoint);
  mem_free (file);
}

/* The network has to be one for this model: of its family, with blocks as large as its own. */
static bool
check_fit (const Pipeline *pipeline, const Checkpoint *file, const char *path, Status *status)
{
  const ModelConfig *model = &pipeline->checkpoint->config, *c = &file->config;
  const char *name = base_name (path);
  if (!c->has_control)
    return status_fail (status, STATUS_UNSUPPORTED,
                        "\"%.200s\" is no ControlNet: choose one for %s.", name,
                        family_name (model->family));
  if (c->family != model->family)
    return status_fail (status, STATUS_UNSUPPORTED,
                        "\"%.200s\" is a ControlNet for %s, and the model is one of %s: choose a "
                        "ControlNet for that.",
                        name, family_name (c->family), family_name (model->family));
  return (controlnet_fits (&c->control, &model->unet) &&
          controlnet_factor (&c->control) == vae_factor (&model->vae)) ||
         status_fail (status, STATUS_SHAPE,
                      "The ControlNet \"%.200s\" does not have the sizes of this model's U-Net: it "
                      "belongs to another model.",
                      name);
}

static bool
file_open (Pipeline *pipeline, ControlFile *file, const char *path, Status *status)
{
  file->checkpoint = checkpoint_open (path, pipeline->header_only, status);
  if (!file->checkpoint || !check_fit (pipeline, file->checkpoint, path, status))
    return false;
  const Binder b = { file->checkpoint->weights, &file->arena, status };
  file->net = controlnet_bind (&b, &file->checkpoint->config.control);
  if (!file->net || !weights_check (file->checkpoint->weights, status))
    return false;
  file->digest = weights_digest (file->checkpoint->weights);
  return true;
}

static ControlFile *
file_find (const ControlSet *set, uint64_t key)
{
  for (int i = 0; set && i < set->n; i++)
    if (set->files[i]->key == key)
      return set->files[i];
  return NULL;
}

static ControlFile *
file_get (Pipeline *pipeline, const ControlSet *set, const char *path, Status *status)
{
  uint64_t key = file_key (path);
  ControlFile *file = file_find (set, key);
  if (!file)
    file = file_find (pipeline->last_controls, key);
  if (file)
    {
      file->n_users++;
      return file;
    }
  file = mem_calloc (1, sizeof *file);
  if (!file)
    {
      status_fail (status, STATUS_NO_MEMORY, "Out of memory: use fewer ControlNets.");
      return NULL;
    }
  *file = (ControlFile){ .n_users = 1, .key = key, .backend = pipeline->backend };
  if (file_open (pipeline, file, path, status))
    return file;
  file_release (file);
  return NULL;
}

/* ---- sets ---- */

ControlSet *
control_set_get (Pipeline *pipeline, const PipelineJob *job, Status *status)
{
  ControlSet *set = mem_calloc (1, sizeof *set);
  if (!set)
    {
      status_fail (status, STATUS_NO_MEMORY, "Out of memory: use fewer ControlNets.");
      return NULL;
    }
  set->n_users = 1;
  for (int i = 0; i < job->n_controls; i++)
    {
      ControlFile *file = file_get (pipeline, set, job->controls[i].path, status);
      if (!file)
        {
          control_set_release (set);
          return NULL;
        }
      set->files[set->n++] = file;
    }
  control_set_release (pipeline->last_controls);
  pipeline->last_controls = set;
  set->n_users++;
  return set;
}

void
control_set_release (ControlSet *set)
{
  if (!set || --set->n_users > 0)
    return;
  for (int i = 0; i < set->n; i++)
    file_release (set->files[i]);
  mem_free (set);
}

const ControlNet *
control_set_net (const ControlSet *set, int i)
{
  return set->files[i]->net;
}

const ControlConfig *
control_set_config (const ControlSet *set, int i)
{
  return &set->files[i]->checkpoint->config.control;
}

/* ---- what is said of them ---- */

uint64_t
controls_digest (uint64_t d, const PipelineJob *job)
{
  size_t n = 3 * (size_t) job->width * (size_t) job->height;
  if (job->n_controls == 0)
    return d;
  d = digest_int (d, job->n_controls);
  for (int i = 0; i < job->n_controls; i++)
    {
      const PipelineControl *c = &job->controls[i];
      d = digest_int (d, (int64_t) job->control_set->files[i]->digest);
      d = digest_real (digest_real (digest_real (d, c->weight), c->start), c->end);
      d = digest_bytes (d, c->rgb, n);
    }
  return d;
}

bool
controls_check (const Pipeline *pipeline, const PipelineJob *job, Status *status)
{
  if (job->n_controls > 0 && pipeline->family != &sd_family)
    return status_fail (status, STATUS_UNSUPPORTED,
                        "ControlNets are for models of SD 1.5 and SDXL: leave them out.");
  for (int i = 0; i < job->n_controls; i++)
    {
      const PipelineControl *c = &job->controls[i];
      if (!(c->start >= 0 && c->start < c->end && c->end <= 1))
        return status_fail (status, STATUS_ARGUMENT,
                            "A ControlNet acts from one part of the steps to a later one, both "
                            "from 0 to 1, not from %g to %g.",
                            c->start, c->end);
      if (!(c->weight >= -MAX_CONTROL_WEIGHT && c->weight <= MAX_CONTROL_WEIGHT))
        return status_fail (status, STATUS_ARGUMENT,
                            "A ControlNet's weight is from -%d to %d, not %g.", MAX_CONTROL_WEIGHT,
                            MAX_CONTROL_WEIGHT, c->weight);
    }
  return true;
}
