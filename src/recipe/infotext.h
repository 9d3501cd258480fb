/* SPDX-License-Identifier: MPL-2.0
 * infotext.h - A1111's "parameters" text: the settings line that most programs and sites read.
 *
 *   <prompt, any number of lines>
 *   Negative prompt: <any number of lines>
 *   Steps: 20, Sampler: Euler a, Schedule type: Karras, CFG scale: 7, Seed: 1, Size: 512x512, ...
 */
#pragma once

#include "recipe/recipe.h"

enum
{
  INFOTEXT_MAX_BYTES = 4 << 20,
  INFOTEXT_MIN_PAIRS = 3 /* a last line with fewer "key: value" pairs belongs to the prompt */
};

/* infotext_write:
 * @recipe: of one picture, with its own seed and with sizes, steps and guidance as they were used;
 * a field that is still 0 ("the model's own") is left out
 *
 * The grammar has no escape in prompts: white space around lines is not kept, and a line of the
 * prompt that begins with "Negative prompt:" reads back as one.  The exact recipe is its JSON.
 *
 * Returns: UTF-8, the caller's to mem_free; NULL and @status set
 */
char *infotext_write (const Recipe *recipe, Status *status);

/* infotext_parse:
 * @recipe: initialised; what the text says is set, the rest stays
 * @notes: receives a sentence for each field that the recipe cannot hold
 *
 * Model and VAE are names as the other program knew them, not paths.  Missing fields mean what
 * A1111 means by leaving them out (noise of the GPU, weighting "Original").
 *
 * Fails: FORMAT when @text is too long or not UTF-8, NO_MEMORY
 */
bool infotext_parse (Recipe *recipe, const char *text, Notes *notes, Status *status);

/* A1111's names of our samplers and schedules.  Names of schedules that A1111 lacks are our own. */
const char *infotext_sampler_label (RecipeSampler sampler);
const char *infotext_schedule_label (RecipeSchedule schedule);

/* infotext_find_sampler:
 * @name: "Euler a", "k_euler_a", "DPM++ 2M Karras" (the names before 1.9 carry the schedule)
 * @schedule: set when @name carries one, else untouched
 *
 * Returns: false when there is no such sampler; @schedule may be set nevertheless
 */
bool infotext_find_sampler (const char *name, RecipeSampler *sampler, RecipeSchedule *schedule);
bool infotext_find_schedule (const char *name, RecipeSchedule *schedule);
