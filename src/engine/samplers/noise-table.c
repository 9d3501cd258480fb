/* SPDX-License-Identifier: MPL-2.0
 * noise-table.c - training noise levels: building the table, and sigma <-> timestep.
 */
#include "samplers/noise-table.h"

#include <math.h>

enum
{
  LAST = NOISE_TABLE_STEPS - 1
};

NoiseTableParams
noise_table_params_default (Convention convention)
{
  bool diffusers = convention == CONVENTION_DIFFUSERS;
  return (NoiseTableParams){
    .beta_start = 0.00085,
    .beta_end = 0.012,
    .terminal_alpha = diffusers ? NOISE_TERMINAL_DIFFUSERS : NOISE_TERMINAL_COMFYUI,
    .f32_betas = diffusers,
  };
}

static double
beta_f64 (const NoiseTableParams *p, int i)
{
  double from = p->linear ? p->beta_start : sqrt (p->beta_start);
  double to = p->linear ? p->beta_end : sqrt (p->beta_end);
  double v = from + (to - from) * i / LAST;
  return p->linear ? v : v * v;
}

/* As torch.linspace in f32: both halves counted from their own end. */
static float
beta_f32 (const NoiseTableParams *p, int i)
{
  float from = (float) (p->linear ? p->beta_start : sqrt (p->beta_start));
  float to = (float) (p->linear ? p->beta_end : sqrt (p->beta_end));
  float step = (to - from) / (float) LAST;
  float v = i < NOISE_TABLE_STEPS / 2 ? fmaf (step, (float) i, from)
                                      : fmaf (-step, (float) (LAST - i), to);
  return p->linear ? v : v * v;
}

/* Shifts and scales sqrt (alphas_cumprod) to end at 0 and begin where it did (Lin et al. 2023,
 * algorithm 1). */
static void
rescale_f64 (double *alphas_cumprod, double terminal_alpha)
{
  double first = sqrt (alphas_cumprod[0]);
  double last = sqrt (alphas_cumprod[LAST]);
  double scale = first / (first - last);
  for (int i = 0; i < LAST; i++)
    {
      double a = (sqrt (alphas_cumprod[i]) - last) * scale;
      alphas_cumprod[i] = a * a;
    }
  alphas_cumprod[LAST] = terminal_alpha;
}

/* The same with diffusers' roundings: it goes back to betas in f32 and multiplies them up again. */
static void
rescale_f32 (float *alphas_cumprod, double terminal_alpha)
{
  float first = sqrtf (alphas_cumprod[0]);
  float last = sqrtf (alphas_cumprod[LAST]);
  float scale = first / (first - last);
  double product = 1;
  float previous = 1;
  for (int i = 0; i < LAST; i++)
    {
      float a = (sqrtf (alphas_cumprod[i]) - last) * scale;
      float squared = a * a;
      float beta = 1.0f - squared / previous;
      previous = squared;
      alphas_cumprod[i] = (float) (product *= 1.0f - beta);
    }
  alphas_cumprod[LAST] = (float) terminal_alpha;
}

static void
fill_f64 (NoiseTable *table, const NoiseTableParams *p)
{
  double alphas_cumprod[NOISE_TABLE_STEPS];
  double product = 1;
  for (int i = 0; i < NOISE_TABLE_STEPS; i++)
    alphas_cumprod[i] = product *= 1 - beta_f64 (p, i);
  if (p->zero_terminal_snr)
    rescale_f64 (alphas_cumprod, p->terminal_alpha);
  for (int i = 0; i < NOISE_TABLE_STEPS; i++)
    {
      double sigma = sqrt ((1 - alphas_cumprod[i]) / alphas_cumprod[i]);
      table->alphas_cumprod[i] = (float) alphas_cumprod[i];
      table->sigma[i] = (float) sigma;
      table->log_sigma[i] = (float) log (sigma);
    }
}

static void
fill_f32 (NoiseTable *table, const NoiseTableParams *p)
{
  double product = 1;
  for (int i = 0; i < NOISE_TABLE_STEPS; i++)
    table->alphas_cumprod[i] = (float) (product *= 1.0f - beta_f32 (p, i));
  if (p->zero_terminal_snr)
    rescale_f32 (table->alphas_cumprod, p->terminal_alpha);
  for (int i = 0; i < NOISE_TABLE_STEPS; i++)
    {
      float a = table->alphas_cumprod[i];
      table->sigma[i] = sqrtf ((1.0f - a) / a);
      table->log_sigma[i] = (float) log (table->sigma[i]);
    }
}

static bool
check_params (const NoiseTableParams *p, Status *status)
{
  if (!(p->beta_start > 0 && p->beta_end > p->beta_start && p->beta_end < 1))
    return status_fail (
        status, STATUS_ARGUMENT,
        "The noise range %g to %g is not usable: both ends must lie between 0 and 1 "
        "and rise; check the model's configuration.",
        p->beta_start, p->beta_end);
  if (p->zero_terminal_snr && !(p->terminal_alpha > 0 && p->terminal_alpha < 1))
    return status_fail (status, STATUS_ARGUMENT,
                        "The terminal alpha %g is not usable: it must lie between 0 and 1.",
                        p->terminal_alpha);
  return true;
}

bool
noise_table_init (NoiseTable *table, const NoiseTableParams *params, Status *status)
{
  if (!check_params (params, status))
    return false;
  if (params->f32_betas)
    fill_f32 (table, params);
  else
    fill_f64 (table, params);
  return true;
}

/* Largest index whose log_sigma is not above @log_sigma; 0 when there is none. */
static int
index_below (const NoiseTable *table, double log_sigma)
{
  int low = 0, high = NOISE_TABLE_STEPS;
  while (high - low > 1)
    {
      int middle = (low + high) / 2;
      if (table->log_sigma[middle] <= log_sigma)
        low = middle;
      else
        high = middle;
    }
  return low;
}

static double
safe_log (double sigma)
{
  const double tiny = 1e-10; /* diffusers' floor: the last sigma of a schedule is 0 */
  return log (fmax (sigma, tiny));
}

/* In f32 like ComfyUI: of two equally near ones the lower. */
int
noise_table_nearest (const NoiseTable *table, double sigma)
{
  float log_sigma = (float) safe_log ((float) sigma);
  int i = index_below (table, log_sigma);
  if (i < LAST && table->log_sigma[i + 1] - log_sigma < log_sigma - table->log_sigma[i])
    i++;
  return i;
}

double
noise_table_timestep (const NoiseTable *table, double sigma)
{
  double log_sigma = safe_log (sigma);
  int i = index_below (table, log_sigma);
  if (i == LAST)
    i--;
  double low = table->log_sigma[i], high = table->log_sigma[i + 1];
  double w = fmin (fmax ((low - log_sigma) / (low - high), 0), 1);
  return (1 - w) * i + w * (i + 1);
}

/* In f32 like ComfyUI, where half-way timesteps are common: there the last digit of sigma decides
 * which of its neighbours noise_table_nearest() finds. */
double
noise_table_sigma_log_linear (const NoiseTable *table, double timestep)
{
  float t = fminf (fmaxf ((float) timestep, 0), LAST);
  int low = (int) t;
  int high = low < LAST ? low + 1 : LAST;
  float w = t - (float) low;
  return expf ((1 - w) * table->log_sigma[low] + w * table->log_sigma[high]);
}

double
noise_table_sigma_linear (const NoiseTable *table, double timestep)
{
  double t = fmin (fmax (timestep, 0), LAST);
  int i = (int) t;
  if (i == LAST)
    return table->sigma[LAST];
  return ((double) table->sigma[i + 1] - table->sigma[i]) * (t - i) + table->sigma[i];
}

double
prediction_input_scale (double sigma)
{
  return 1 / sqrt (sigma * sigma + 1);
}

void
prediction_to_x0 (
    Prediction prediction, float *x0, const float *x, const float *output, double sigma, int64_t n)
{
  double scale = prediction_input_scale (sigma);
  double skip = prediction == PREDICTION_V ? scale * scale : 1; /* epsilon and flow: x - sigma y */
  double out = prediction == PREDICTION_V ? -sigma * scale : -sigma;
  for (int64_t i = 0; i < n; i++)
    x0[i] = (float) (skip * x[i] + out * output[i]);
}
