/* SPDX-License-Identifier: MPL-2.0
 * infotext-names.c - A1111's names of samplers and schedules.
 */
#include <string.h>

#include "recipe/infotext.h"

enum
{
  SAMPLER_NAMES = 4
};

/* First the label that is written, then names that are read alike. */
static const char *const sampler_names[][SAMPLER_NAMES] = {
  [RECIPE_SAMPLER_AUTO] = { "Automatic" },
  [RECIPE_SAMPLER_EULER] = { "Euler", "k_euler" },
  [RECIPE_SAMPLER_EULER_A] = { "Euler a", "k_euler_a", "k_euler_ancestral", "Euler Ancestral" },
  [RECIPE_SAMPLER_HEUN] = { "Heun", "k_heun" },
  [RECIPE_SAMPLER_DPM_2] = { "DPM2", "k_dpm_2" },
  [RECIPE_SAMPLER_DPM_2_A] = { "DPM2 a", "k_dpm_2_a", "k_dpm_2_ancestral" },
  [RECIPE_SAMPLER_LMS] = { "LMS", "k_lms" },
  [RECIPE_SAMPLER_DDIM] = { "DDIM" },
  [RECIPE_SAMPLER_DDPM] = { "DDPM" },
  [RECIPE_SAMPLER_DPMPP_2S_A] = { "DPM++ 2S a", "k_dpmpp_2s_a", "k_dpmpp_2s_ancestral" },
  [RECIPE_SAMPLER_DPMPP_2M] = { "DPM++ 2M", "k_dpmpp_2m" },
  [RECIPE_SAMPLER_DPMPP_2M_SDE] = { "DPM++ 2M SDE", "k_dpmpp_2m_sde" },
  [RECIPE_SAMPLER_DPMPP_2M_SDE_HEUN] = { "DPM++ 2M SDE Heun", "k_dpmpp_2m_sde_heun" },
  [RECIPE_SAMPLER_DPMPP_SDE] = { "DPM++ SDE", "k_dpmpp_sde" },
  [RECIPE_SAMPLER_DPMPP_3M_SDE] = { "DPM++ 3M SDE", "k_dpmpp_3m_sde" },
  [RECIPE_SAMPLER_RES_MULTISTEP] = { "Res Multistep" },
  [RECIPE_SAMPLER_UNIPC] = { "UniPC" },
  [RECIPE_SAMPLER_UNIPC_BH2] = { "UniPC bh2" },
  [RECIPE_SAMPLER_LCM] = { "LCM", "k_lcm" },
  [RECIPE_SAMPLER_TCD] = { "TCD" },
};

static const char *const schedule_names[] = {
  [RECIPE_SCHEDULE_AUTO] = "Automatic",
  [RECIPE_SCHEDULE_NORMAL] = "Uniform", /* A1111 also has "Normal", which is the same for SD */
  [RECIPE_SCHEDULE_KARRAS] = "Karras",
  [RECIPE_SCHEDULE_EXPONENTIAL] = "Exponential",
  [RECIPE_SCHEDULE_POLYEXPONENTIAL] = "Polyexponential",
  [RECIPE_SCHEDULE_SGM_UNIFORM] = "SGM Uniform",
  [RECIPE_SCHEDULE_SIMPLE] = "Simple",
  [RECIPE_SCHEDULE_BETA] = "Beta",
  [RECIPE_SCHEDULE_KL_OPTIMAL] = "KL Optimal",
  [RECIPE_SCHEDULE_LINEAR_QUADRATIC] = "Linear Quadratic",
  [RECIPE_SCHEDULE_AYS] = "Align Your Steps",
  [RECIPE_SCHEDULE_DDIM_UNIFORM] = "DDIM",
  [RECIPE_SCHEDULE_LEADING] = "Leading",
  [RECIPE_SCHEDULE_TRAILING] = "Trailing",
  [RECIPE_SCHEDULE_LINSPACE] = "Linspace",
};

enum
{
  N_SAMPLERS = sizeof sampler_names / sizeof sampler_names[0],
  N_SCHEDULES = sizeof schedule_names / sizeof schedule_names[0]
};

const char *
infotext_sampler_label (RecipeSampler sampler)
{
  return sampler_names[sampler][0];
}

const char *
infotext_schedule_label (RecipeSchedule schedule)
{
  return schedule_names[schedule];
}

bool
infotext_find_schedule (const char *name, RecipeSchedule *schedule)
{
  for (int i = 0; i < N_SCHEDULES; i++)
    if (text_equal_nocase (name, schedule_names[i]))
      {
        *schedule = (RecipeSchedule) i;
        return true;
      }
  bool normal = text_equal_nocase (name, "Normal");
  if (normal)
    *schedule = RECIPE_SCHEDULE_NORMAL;
  return normal;
}

static bool
find_exact (const char *name, RecipeSampler *sampler)
{
  for (int i = 0; i < N_SAMPLERS; i++)
    for (int j = 0; j < SAMPLER_NAMES && sampler_names[i][j]; j++)
      if (text_equal_nocase (name, sampler_names[i][j]))
        {
          *sampler = (RecipeSampler) i;
          return true;
        }
  return false;
}

bool
infotext_find_sampler (const char *name, RecipeSampler *sampler, RecipeSchedule *schedule)
{
  enum
  {
    LONGEST_NAME = 64
  };
  if (find_exact (name, sampler))
    return true;
  size_t n = strlen (name);
  for (const char *space = name; n < LONGEST_NAME && (space = strchr (space, ' ')); space++)
    {
      if (!infotext_find_schedule (space + 1, schedule))
        continue;
      char base[LONGEST_NAME] = "";
      memcpy (base, name, (size_t) (space - name));
      return find_exact (base, sampler);
    }
  return false;
}
