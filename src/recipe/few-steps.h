/* SPDX-License-Identifier: MPL-2.0
 * few-steps.h - models and LoRAs that were distilled to make a picture in a few steps: how they are
 * recognised, and what their makers sample them with.
 *
 * Their tensors look like those of the models they come from; only what a file says of itself and
 * its name tell.  Nothing here changes a recipe: windows and programs offer it.
 */
#pragma once

#include "recipe/recipe.h"

enum
{
  FEW_STEPS_VALUES = 8
};

typedef struct FewStepsKind FewStepsKind;

/* One that was found; zero where none was. */
typedef struct
{
  const FewStepsKind *kind;
  int steps; /* as its name says, else the usual number */
} FewSteps;

/* A parameter of the recipe and what it should be. */
typedef struct
{
  const char *key;
  char text[TEXT_NUMBER_SIZE];
} FewStepsValue;

/* few_steps_find:
 * @found: receives the kind, or zeroes
 * @families: PARAM_FOR_SD, ... of the model that is sampled
 * @adapter: the texts are a LoRA's, whose name may be about anything else
 * @texts: @n_texts, what the file says of itself before its name; NULLs are passed over.  The first
 * that is about a kind decides, also that the file is a variant that is sampled like others
 *
 * Returns: whether it is one
 */
bool few_steps_find (
    FewSteps *found, unsigned families, bool adapter, const char *const *texts, size_t n_texts);

const char *few_steps_name (const FewSteps *found); /* "SDXL Lightning" */
/* What a LoRA is to be weighted with; 0 when its makers say nothing but 1. */
double few_steps_weight (const FewSteps *found);

/* Whether @steps and @guidance_scale are near enough to what it was made for. */
bool few_steps_fit (const FewSteps *found, int steps, double guidance_scale);

/* Returns: how many of @values were filled */
int few_steps_values (const FewSteps *found, FewStepsValue values[FEW_STEPS_VALUES]);
