/* SPDX-License-Identifier: MPL-2.0
 * gesso-choice.c - what a recipe's fixed choices are called.
 */
#include "session/gesso-choice.h"

#include <glib/gi18n.h>

/* Names that users know from elsewhere, and words; the rest reads well as it is. */
static const struct
{
  const char *choice, *label;
} choice_labels[] = {
  { "auto", N_ ("Auto") },
  { "none", N_ ("None") },
  { "on", N_ ("On") },
  { "off", N_ ("Off") },
  { "normal", N_ ("Normal") },
  { "exponential", N_ ("Exponential") },
  { "polyexponential", N_ ("Polyexponential") },
  { "simple", N_ ("Simple") },
  { "kl_optimal", N_ ("KL optimal") },
  { "linear_quadratic", N_ ("Linear quadratic") },
  { "original", N_ ("Original") },
  { "latent_noise", N_ ("Latent noise") },
  { "latent_nothing", N_ ("Latent nothing") },
  { "fill", N_ ("Fill") },
  { "whole", N_ ("Whole picture") },
  { "masked", N_ ("Only masked") },
  { "zeros", N_ ("Zeros") },
  { "encode", N_ ("Encode") },
  { "a1111_no_norm", N_ ("A1111, not normalised") },
  { "cpu", "CPU" },
  { "nv", "NV" },
  { "ddim", "DDIM" },
  { "ddpm", "DDPM" },
  { "dpm_2", "DPM2" },
  { "dpm_2_a", "DPM2 a" },
  { "lms", "LMS" },
  { "dpmpp_2s_a", "DPM++ 2S a" },
  { "dpmpp_2m", "DPM++ 2M" },
  { "dpmpp_2m_sde", "DPM++ 2M SDE" },
  { "dpmpp_2m_sde_heun", "DPM++ 2M SDE Heun" },
  { "dpmpp_sde", "DPM++ SDE" },
  { "dpmpp_3m_sde", "DPM++ 3M SDE" },
  { "res_multistep", "RES multistep" },
  { "unipc", "UniPC" },
  { "unipc_bh2", "UniPC bh2" },
  { "lcm", "LCM" },
  { "tcd", "TCD" },
  { "ays", "AYS" },
  { "ddim_uniform", "DDIM uniform" },
  { "sgm_uniform", "SGM uniform" },
  { "comfyui", "ComfyUI" },
};

char *
gesso_choice_dup_label (const char *choice)
{
  for (gsize i = 0; i < G_N_ELEMENTS (choice_labels); i++)
    if (g_str_equal (choice_labels[i].choice, choice))
      return g_strdup (_ (choice_labels[i].label));
  char *label = g_strdelimit (g_strdup (choice), "_", ' ');
  label[0] = g_ascii_toupper (label[0]);
  return label;
}
