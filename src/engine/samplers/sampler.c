/* SPDX-License-Identifier: MPL-2.0
 * sampler.c - the state machine around the families of samplers, and its saved form.
 */
#include "samplers/sampler.h"

#include <math.h>
#include <string.h>

#include "core/mem.h"
#include "samplers/step.h"

typedef bool (*StepFunc) (const Step *step);

typedef struct
{
  StepFunc func;
  int n_scratch;
  int n_history; /* before options.order has its say */
} Family;

static const Family families[SAMPLER_COUNT] = {
  [SAMPLER_EULER] = { step_euler, 2, 0 },
  [SAMPLER_EULER_ANCESTRAL] = { step_euler, 2, 0 },
  [SAMPLER_HEUN] = { step_heun, 3, 0 },
  [SAMPLER_DPM_2] = { step_midpoint, 3, 0 },
  [SAMPLER_DPM_2_ANCESTRAL] = { step_midpoint, 3, 0 },
  [SAMPLER_LMS] = { step_lms, 2, SAMPLER_MAX_HISTORY },
  [SAMPLER_DDIM] = { step_euler, 2, 0 },
  [SAMPLER_DDPM] = { step_euler, 2, 0 }, /* its step is the ancestral one with eta 1 */
  [SAMPLER_DPMPP_2S_ANCESTRAL] = { step_midpoint, 3, 0 },
  [SAMPLER_DPMPP_2M] = { step_dpmpp_2m, 1, 1 },
  [SAMPLER_DPMPP_2M_SDE] = { step_dpmpp_2m_sde, 2, 1 },
  [SAMPLER_DPMPP_2M_SDE_HEUN] = { step_dpmpp_2m_sde, 2, 1 },
  [SAMPLER_DPMPP_SDE] = { step_dpmpp_sde, 3, 0 },
  [SAMPLER_DPMPP_3M_SDE] = { step_dpmpp_3m_sde, 2, 2 },
  [SAMPLER_RES_MULTISTEP] = { step_dpmpp_2m, 1, 1 },
  [SAMPLER_UNIPC] = { step_unipc, 2, SAMPLER_MAX_HISTORY },
  [SAMPLER_UNIPC_BH2] = { step_unipc, 2, SAMPLER_MAX_HISTORY },
  [SAMPLER_LCM] = { step_lcm, 2, 0 },
  [SAMPLER_TCD] = { step_tcd, 2, 0 },
};

static bool
is_unipc (SamplerKind kind)
{
  return kind == SAMPLER_UNIPC || kind == SAMPLER_UNIPC_BH2;
}

/* Model outputs that have to survive a step. */
static int
history_length (const Sampler *s)
{
  return is_unipc (s->kind) ? s->options.order : families[s->kind].n_history;
}

enum
{
  CHUNK = 256 /* values whose sums in f64 stay in the first level cache */
};

/* Term by term, so that loops are of vectors; each value's terms are added in the same order. */
static void
combine_chunk (float *out, int64_t at, int n, const Term *terms, int n_terms)
{
  double sums[CHUNK];
  for (int i = 0; i < n; i++)
    sums[i] = terms[0].factor * terms[0].values[at + i];
  for (int k = 1; k < n_terms; k++)
    for (int i = 0; i < n; i++)
      sums[i] += terms[k].factor * terms[k].values[at + i];
  for (int i = 0; i < n; i++)
    out[i] = (float) sums[i];
}

void
combine (float *out, int64_t n, const Term *terms, int n_terms)
{
  for (int64_t i = 0; i < n; i += CHUNK)
    combine_chunk (out + i, i, n - i < CHUNK ? (int) (n - i) : CHUNK, terms, n_terms);
}

bool
step_denoise (const Step *step, const float *x, double sigma, double timestep, float *x0)
{
  const Denoiser *d = step->denoiser;
  return d->denoise (d->data, x, sigma, timestep, x0, step->status);
}

bool
step_noise (const Step *step, double sigma, double sigma_next, float *out)
{
  if (step->noise == NULL)
    return status_fail (step->status, STATUS_ARGUMENT,
                        "%s draws noise at every step, but was given no source of it.",
                        sampler_info (step->sampler->kind)->label);
  step->noise->normal (step->noise->data, sigma, sigma_next, out, step->n);
  return true;
}

double
step_alpha (const Schedule *s, double sigma)
{
  return s->convention == CONVENTION_DIFFUSERS ? schedule_alpha (s, sigma) : 1;
}

double
step_lambda (const Step *step, double from, double to)
{
  const Schedule *s = step->sampler->schedule;
  return log (schedule_alpha (s, to) / schedule_alpha (s, from)) - log (to / from);
}

void
step_ancestral (const Step *step,
                float *out,
                const float *base,
                const float *x0,
                double target,
                double eta,
                const float *noise)
{
  const Schedule *schedule = step->sampler->schedule;
  double alpha = schedule_alpha (schedule, step->sigma);
  double alpha_to = schedule_alpha (schedule, target);
  double s = step->sigma / alpha, t = target / alpha_to;
  double up = fmin (t, eta * sqrt (fmax (t * t * (s * s - t * t) / (s * s), 0)));
  double ratio = sqrt (t * t - up * up) / s;
  double fresh = alpha_to * up * step->sampler->options.s_noise;
  Term terms[] = { { alpha_to / alpha * ratio, base },
                   { alpha_to * (1 - ratio), x0 },
                   { fresh, noise } };
  combine (out, step->n, terms, up > 0 ? 3 : 2);
}

void
step_remember (const Step *step)
{
  Sampler *s = step->sampler;
  int length = history_length (s);
  float *oldest = s->history[length - 1];
  for (int i = length - 1; i > 0; i--)
    s->history[i] = s->history[i - 1];
  s->history[0] = s->scratch[0];
  s->scratch[0] = oldest;
  if (s->n_history < length)
    s->n_history++;
}

SamplerOptions
sampler_options_default (SamplerKind kind, Convention convention)
{
  return (SamplerOptions){ .eta = sampler_info (kind)->eta,
                           .s_noise = 1,
                           .order = convention == CONVENTION_DIFFUSERS ? 2 : 3,
                           .heun =
                               kind == SAMPLER_DPMPP_2M_SDE_HEUN || kind == SAMPLER_RES_MULTISTEP };
}

static bool
check_options (SamplerKind kind, const SamplerOptions *o, Status *status)
{
  if ((unsigned) kind >= SAMPLER_COUNT)
    return status_fail (status, STATUS_ARGUMENT, "The sampler is not one this program knows.");
  if (!(o->eta >= 0 && isfinite (o->eta)) || (kind == SAMPLER_TCD && o->eta > 1))
    return status_fail (status, STATUS_ARGUMENT,
                        "Eta is %g; choose 0 or more, and at most 1 for TCD.", o->eta);
  if (!isfinite (o->s_noise))
    return status_fail (status, STATUS_ARGUMENT, "The noise factor is not a number; choose 1.");
  if (is_unipc (kind) && (o->order < 1 || o->order > SAMPLER_MAX_HISTORY))
    return status_fail (status, STATUS_ARGUMENT, "UniPC's order is %d; choose 1 to %d.", o->order,
                        SAMPLER_MAX_HISTORY);
  return true;
}

static bool
alloc_values (float **out, int64_t n, Status *status)
{
  *out = mem_calloc ((size_t) n, sizeof **out);
  if (*out != NULL)
    return true;
  return status_fail (status, STATUS_NO_MEMORY,
                      "There is no memory for a sampler's buffer of %lld values; choose a smaller "
                      "picture or batch.",
                      (long long) n);
}

bool
sampler_init (Sampler *sampler,
              SamplerKind kind,
              const NoiseTable *table,
              const Schedule *schedule,
              const SamplerOptions *options,
              int64_t n_values,
              Status *status)
{
  if (!check_options (kind, options, status))
    return false;
  if (schedule->sampler != kind)
    return status_fail (status, STATUS_ARGUMENT, "The schedule was made for %s, not for %s.",
                        sampler_info (schedule->sampler)->label, sampler_info (kind)->label);
  if (n_values < 1 || (uint64_t) n_values > SIZE_MAX / sizeof (float))
    return status_fail (status, STATUS_ARGUMENT, "The latent has no values, or too many.");
  *sampler = (Sampler){
    .kind = kind, .options = *options, .table = table, .schedule = schedule, .n_values = n_values
  };
  bool ok = true;
  for (int i = 0; ok && i < families[kind].n_scratch; i++)
    ok = alloc_values (&sampler->scratch[i], n_values, status);
  for (int i = 0; ok && i < history_length (sampler); i++)
    ok = alloc_values (&sampler->history[i], n_values, status);
  if (ok && is_unipc (kind))
    ok = alloc_values (&sampler->last_x, n_values, status);
  return ok;
}

void
sampler_clear (Sampler *sampler)
{
  for (int i = 0; i < SAMPLER_MAX_SCRATCH; i++)
    mem_free (sampler->scratch[i]);
  for (int i = 0; i < SAMPLER_MAX_HISTORY; i++)
    mem_free (sampler->history[i]);
  mem_free (sampler->last_x);
  *sampler = (Sampler){ 0 };
}

void
sampler_restart (Sampler *sampler)
{
  sampler->next_step = sampler->n_history = sampler->last_order = 0;
}

/* x_vp stays when the step's level is not the one the next step starts from: see Schedule. */
static void
rescale_to_next (const Step *step)
{
  double next = step->sampler->schedule->sigma[step->index + 1];
  if (next == step->target)
    return;
  double factor = prediction_input_scale (step->target) / prediction_input_scale (next);
  combine (step->x, step->n, (Term[]){ { factor, step->x } }, 1);
}

/* The level between two of the schedule's at which a step asks again; 0 for none: Heun and the last
 * predictions ask at levels of the schedule. */
static double
level_between (const Sampler *sampler, int step)
{
  const Schedule *s = sampler->schedule;
  if (families[sampler->kind].func == step_midpoint)
    return midpoint_level (sampler, step);
  if (sampler->kind != SAMPLER_DPMPP_SDE || s->target[step] <= 0)
    return 0;
  return level_half_way (s, s->sigma[step], s->target[step]);
}

int
sampler_timesteps (const Sampler *sampler, double *timesteps)
{
  const Schedule *s = sampler->schedule;
  int n = 0;
  for (int i = 0; i < s->n; i++)
    {
      if (timesteps)
        timesteps[n] = s->timestep[i];
      n++;
      double between = level_between (sampler, i);
      if (between <= 0)
        continue;
      if (timesteps)
        timesteps[n] = schedule_timestep_for (s, sampler->table, between);
      n++;
    }
  return n;
}

bool
sampler_step (Sampler *sampler,
              int step,
              float *x,
              const Denoiser *denoiser,
              const NoiseSource *noise,
              Status *status)
{
  const Schedule *schedule = sampler->schedule;
  if (step != sampler->next_step || step >= schedule->n)
    return status_fail (status, STATUS_ARGUMENT,
                        "Step %d was asked for, but step %d of %d is next.", step,
                        sampler->next_step, schedule->n);
  Step s = { .sampler = sampler,
             .index = step,
             .sigma = schedule->sigma[step],
             .timestep = schedule->timestep[step],
             .target = schedule->target[step],
             .x = x,
             .n = sampler->n_values,
             .denoiser = denoiser,
             .noise = noise,
             .status = status };
  if (!families[sampler->kind].func (&s))
    return false;
  rescale_to_next (&s);
  sampler->next_step++;
  return true;
}

/* Saved form: this header, then history[0 .. n_history) and last_x when there is one. */
typedef struct
{
  char id[24]; /* the sampler's, zero-padded */
  int32_t version;
  int32_t n_steps;
  int64_t n_values;
  int32_t next_step;
  int32_t n_history;
  int32_t last_order;
  int32_t order;
} SavedHeader;

static const int32_t saved_version = 1;

static size_t
saved_size (const Sampler *s, int n_history)
{
  size_t n_buffers = (size_t) n_history + (s->last_x != NULL);
  return sizeof (SavedHeader) + n_buffers * (size_t) s->n_values * sizeof (float);
}

size_t
sampler_save_size (const Sampler *sampler)
{
  return saved_size (sampler, sampler->n_history);
}

void
sampler_save (const Sampler *sampler, void *data)
{
  SavedHeader header = { .version = saved_version,
                         .n_steps = sampler->schedule->n,
                         .n_values = sampler->n_values,
                         .next_step = sampler->next_step,
                         .n_history = sampler->n_history,
                         .last_order = sampler->last_order,
                         .order = history_length (sampler) };
  strncpy (header.id, sampler_name (sampler->kind), sizeof header.id - 1);
  size_t bytes = (size_t) sampler->n_values * sizeof (float);
  char *p = data;
  memcpy (p, &header, sizeof header);
  p += sizeof header;
  for (int i = 0; i < sampler->n_history; i++, p += bytes)
    memcpy (p, sampler->history[i], bytes);
  if (sampler->last_x != NULL)
    memcpy (p, sampler->last_x, bytes);
}

static bool
header_fits (const Sampler *s, const SavedHeader *h)
{
  int order = history_length (s);
  bool same_run = strncmp (h->id, sampler_name (s->kind), sizeof h->id) == 0 &&
                  h->version == saved_version && h->n_steps == s->schedule->n &&
                  h->n_values == s->n_values && h->order == order;
  int most = h->next_step < order ? h->next_step : order;
  bool possible = h->next_step >= 0 && h->next_step <= h->n_steps && h->n_history == most &&
                  h->last_order >= 0 && h->last_order <= most &&
                  (s->last_x == NULL || h->next_step == 0 || h->last_order >= 1);
  return same_run && possible;
}

bool
sampler_restore (Sampler *sampler, const void *data, size_t size_bytes, Status *status)
{
  SavedHeader header = { 0 };
  if (size_bytes >= sizeof header)
    memcpy (&header, data, sizeof header);
  if (size_bytes < sizeof header || !header_fits (sampler, &header) ||
      size_bytes != saved_size (sampler, header.n_history))
    return status_fail (status, STATUS_FORMAT,
                        "The saved state of the sampler does not belong to this run; start the run "
                        "again from its first step.");
  size_t bytes = (size_t) sampler->n_values * sizeof (float);
  const char *p = (const char *) data + sizeof header;
  for (int i = 0; i < header.n_history; i++, p += bytes)
    memcpy (sampler->history[i], p, bytes);
  if (sampler->last_x != NULL)
    memcpy (sampler->last_x, p, bytes);
  sampler->next_step = header.next_step;
  sampler->n_history = header.n_history;
  sampler->last_order = header.last_order;
  return true;
}
