/* SPDX-License-Identifier: MPL-2.0
 * recipe.h - everything that determines a picture, declared once in a table.
 *
 * The table drives the command line's flags, the JSON, the documentation and the fuzz dictionary.
 * A Recipe is plain data that owns its strings.
 */
#pragma once

#include <stdint.h>

#include "core/status.h"
#include "recipe/param.h"
#include "recipe/text.h"

enum
{
  RECIPE_VERSION = 7,
  RECIPE_JSON_MAX_BYTES = 16 << 20,
  RECIPE_JSON_MAX_DEPTH = 32
};

typedef enum
{
  RECIPE_SAMPLER_AUTO,
  RECIPE_SAMPLER_EULER,
  RECIPE_SAMPLER_EULER_A,
  RECIPE_SAMPLER_HEUN,
  RECIPE_SAMPLER_DPM_2,
  RECIPE_SAMPLER_DPM_2_A,
  RECIPE_SAMPLER_LMS,
  RECIPE_SAMPLER_DDIM,
  RECIPE_SAMPLER_DDPM,
  RECIPE_SAMPLER_DPMPP_2S_A,
  RECIPE_SAMPLER_DPMPP_2M,
  RECIPE_SAMPLER_DPMPP_2M_SDE,
  RECIPE_SAMPLER_DPMPP_2M_SDE_HEUN,
  RECIPE_SAMPLER_DPMPP_SDE,
  RECIPE_SAMPLER_DPMPP_3M_SDE,
  RECIPE_SAMPLER_RES_MULTISTEP,
  RECIPE_SAMPLER_UNIPC,
  RECIPE_SAMPLER_UNIPC_BH2,
  RECIPE_SAMPLER_LCM,
  RECIPE_SAMPLER_TCD
} RecipeSampler;

typedef enum
{
  RECIPE_SCHEDULE_AUTO,
  RECIPE_SCHEDULE_NORMAL,
  RECIPE_SCHEDULE_KARRAS,
  RECIPE_SCHEDULE_EXPONENTIAL,
  RECIPE_SCHEDULE_POLYEXPONENTIAL,
  RECIPE_SCHEDULE_SGM_UNIFORM,
  RECIPE_SCHEDULE_SIMPLE,
  RECIPE_SCHEDULE_BETA,
  RECIPE_SCHEDULE_KL_OPTIMAL,
  RECIPE_SCHEDULE_LINEAR_QUADRATIC,
  RECIPE_SCHEDULE_AYS,
  RECIPE_SCHEDULE_DDIM_UNIFORM,
  RECIPE_SCHEDULE_LEADING,
  RECIPE_SCHEDULE_TRAILING,
  RECIPE_SCHEDULE_LINSPACE
} RecipeSchedule;

typedef enum
{
  RECIPE_INPAINT_ORIGINAL,
  RECIPE_INPAINT_LATENT_NOISE,
  RECIPE_INPAINT_LATENT_NOTHING,
  RECIPE_INPAINT_FILL
} RecipeInpaintFill;

typedef enum
{
  RECIPE_INPAINT_WHOLE,
  RECIPE_INPAINT_MASKED
} RecipeInpaintArea;

typedef enum
{
  RECIPE_REFERENCES_OFFSET,
  RECIPE_REFERENCES_INDEX,
  RECIPE_REFERENCES_UXO
} RecipeReferencePlaces;

typedef enum
{
  RECIPE_NOISE_CPU,
  RECIPE_NOISE_NV
} RecipeNoise;

/* As the family's users expect: A1111's for SD, none for FLUX, whose T5 reads whole sentences. */
typedef enum
{
  RECIPE_WEIGHTING_AUTO,
  RECIPE_WEIGHTING_A1111,
  RECIPE_WEIGHTING_A1111_NO_NORM,
  RECIPE_WEIGHTING_COMFYUI,
  RECIPE_WEIGHTING_NONE
} RecipeWeighting;

typedef enum
{
  RECIPE_EMPTY_AUTO,
  RECIPE_EMPTY_ZEROS,
  RECIPE_EMPTY_ENCODE
} RecipeEmptyNegative;

typedef enum
{
  RECIPE_CONVENTION_AUTO,
  RECIPE_CONVENTION_COMFYUI,
  RECIPE_CONVENTION_DIFFUSERS
} RecipeConvention;

typedef enum
{
  RECIPE_PREDICTION_AUTO,
  RECIPE_PREDICTION_EPSILON,
  RECIPE_PREDICTION_V
} RecipePrediction;

typedef enum
{
  RECIPE_SNR_AUTO,
  RECIPE_SNR_ON,
  RECIPE_SNR_OFF
} RecipeZeroSnr;

typedef enum
{
  RECIPE_PRECISION_AUTO,
  RECIPE_PRECISION_F32,
  RECIPE_PRECISION_BF16,
  RECIPE_PRECISION_FP8
} RecipePrecision;

/* Field names are the table's keys; what each means stands in the table (recipe-table.c).  A string
 * is NULL when empty: read it through recipe_str(). */
typedef struct
{
  char *model, *model_2, *vae, *text_encoder, *text_encoder_2, *image_encoder, *tiny_vae;
  char *prompt, *negative_prompt;
  char *adapters; /* a JSON list: read it through adapters.h */
  uint64_t seed;
  int width, height; /* px; 0 = the model's own, as for @steps and @guidance_scale */
  int steps;
  RecipeSampler sampler;
  RecipeSchedule schedule;
  double guidance_scale, guidance_rescale;
  double distilled_guidance; /* 0 = the model's own */
  double flow_shift;         /* mu; -1 = the model's own */
  int max_tokens;            /* 0 = the model's own */
  int frames;                /* of a clip; 0 = the model's own, as for those that follow */
  double fps, shift, guidance_scale_2;
  double boundary; /* 0 .. 1; -1 = the model's own */
  char *first_frame, *last_frame;
  char *extend;        /* the clip or film that the clip goes on from */
  int overlap, window; /* latent frames; frames.  0 = the model's own */
  int clip_skip;
  double denoise;
  char *init_image, *mask_image;
  int mask_blur; /* px */
  RecipeInpaintFill inpaint_fill;
  RecipeInpaintArea inpaint_area;
  int inpaint_padding; /* px of the initial image */
  char *reference_image, *reference_image_2, *reference_image_3, *reference_image_4;
  RecipeReferencePlaces reference_places;
  char *control_image;
  char *controls; /* a JSON list: read it through controls.h */
  int batch_count, batch_size;
  RecipeNoise noise;
  RecipeWeighting weighting;
  RecipeEmptyNegative empty_negative;
  RecipeConvention convention;
  RecipePrediction prediction;
  RecipeZeroSnr zero_terminal_snr;
  double eta; /* -1 = the sampler's own */
  RecipePrecision precision;
  int vae_tile; /* px */
  char *model_hash;
  char *unknown_json; /* a JSON object: keys of a newer version, kept and written again */
} Recipe;

enum
{
  RECIPE_MAX_REFERENCES = 4
};

/* Keys of the reference images, in their order. */
extern const char *const recipe_reference_keys[RECIPE_MAX_REFERENCES];

static inline const char *
recipe_str (const char *field)
{
  return field ? field : "";
}

/* The declared parameters, in the order in which they are shown and written. */
const RecipeParam *recipe_table (void);
int recipe_table_count (void);
/* Returns: NULL when no parameter has this key */
const RecipeParam *recipe_find_param (const char *key);
/* param_name() of the parameter @key, which there has to be. */
const char *recipe_param_name (const char *key);

/* Sets every field to its default, without reading what is there. */
void recipe_init (Recipe *recipe);
/* Frees the strings and sets the defaults again. */
void recipe_clear (Recipe *recipe);
/* recipe_copy: @to is initialised already; on failure it keeps what it held. */
bool recipe_copy (Recipe *to, const Recipe *from, Status *status);

/* Fails: NOT_FOUND for an unknown key, ARGUMENT for a bad value; @recipe is unchanged then */
bool recipe_set (Recipe *recipe, const char *key, const char *text, Status *status);
/* Returns: the value as text, the caller's to mem_free; NULL and @status set */
char *recipe_get_text (const Recipe *recipe, const char *key, Status *status);

/* recipe_validate:
 *
 * Checks what no single parameter can: is the recipe complete, do its values fit together?
 * Fails: ARGUMENT with the first problem and its cure
 */
bool recipe_validate (const Recipe *recipe, Status *status);

/* Returns: a JSON object with "version", every parameter, and the kept unknown keys; the caller's
 * to mem_free; NULL and @status set */
char *recipe_to_json (const Recipe *recipe, Status *status);

/* recipe_from_json:
 * @recipe: initialised; unchanged on failure
 * @json: @n_bytes, need not be terminated
 * @notes: receives a sentence for each key that this version does not know; such keys are kept
 *
 * Older versions are migrated.  Keys that are absent get their defaults.
 * Fails: FORMAT for damaged JSON, ARGUMENT for a bad value, NO_MEMORY
 */
bool
recipe_from_json (Recipe *recipe, const char *json, size_t n_bytes, Notes *notes, Status *status);
