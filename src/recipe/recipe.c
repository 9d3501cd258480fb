/* SPDX-License-Identifier: MPL-2.0
 * recipe.c - a recipe's life: defaults, copies, values by key, and whether its values fit together.
 */
#include "recipe/recipe.h"

#include <inttypes.h>
#include <string.h>

#include "core/mem.h"

void
recipe_init (Recipe *recipe)
{
  *recipe = (Recipe){ 0 };
  Status status = { 0 };
  /* Defaults of the table are in range (a test sets every one) and empty strings allocate nothing.
   */
  for (int i = 0; i < recipe_table_count (); i++)
    param_set (&recipe_table ()[i], recipe, recipe_table ()[i].default_text, &status);
}

static void
free_strings (Recipe *recipe)
{
  for (int i = 0; i < recipe_table_count (); i++)
    if (param_is_string (&recipe_table ()[i]))
      param_clear_string (&recipe_table ()[i], recipe);
  mem_free (recipe->unknown_json);
  recipe->unknown_json = NULL;
}

void
recipe_clear (Recipe *recipe)
{
  free_strings (recipe);
  recipe_init (recipe);
}

static bool
copy_string (char **slot, const char *from)
{
  *slot = from ? mem_strdup (from) : NULL;
  return *slot || !from;
}

bool
recipe_copy (Recipe *to, const Recipe *from, Status *status)
{
  Recipe copy = *from;
  bool ok = copy_string (&copy.unknown_json, from->unknown_json);
  for (int i = 0; i < recipe_table_count (); i++)
    {
      const RecipeParam *p = &recipe_table ()[i];
      if (param_is_string (p))
        ok &= copy_string ((char **) ((char *) &copy + p->offset),
                           *(char *const *) ((const char *) from + p->offset));
    }
  if (!ok)
    {
      free_strings (&copy);
      return status_fail (status, STATUS_NO_MEMORY,
                          "Out of memory: close other programs and retry.");
    }
  free_strings (to);
  *to = copy;
  return true;
}

static const RecipeParam *
find_or_fail (const char *key, Status *status)
{
  const RecipeParam *p = recipe_find_param (key);
  char excerpt[TEXT_EXCERPT_SIZE];
  if (!p)
    status_fail (status, STATUS_NOT_FOUND,
                 "There is no parameter \"%s\": see the list of parameters for its name.",
                 text_excerpt (excerpt, key));
  return p;
}

bool
recipe_set (Recipe *recipe, const char *key, const char *text, Status *status)
{
  const RecipeParam *p = find_or_fail (key, status);
  return p && param_set (p, recipe, text, status);
}

char *
recipe_get_text (const Recipe *recipe, const char *key, Status *status)
{
  const RecipeParam *p = find_or_fail (key, status);
  return p ? param_get_text (p, recipe, status) : NULL;
}

const char *
recipe_param_name (const char *key)
{
  return param_name (recipe_find_param (key));
}

static bool
check_sizes (const Recipe *r, Status *status)
{
  enum
  {
    PIXELS_PER_LATENT = 8,
    SMALLEST_TILE = 64
  };
  if (r->width % PIXELS_PER_LATENT || r->height % PIXELS_PER_LATENT)
    return status_fail (status, STATUS_ARGUMENT,
                        "width and height have to be multiples of %d, not %d x %d: try %d x %d.",
                        PIXELS_PER_LATENT, r->width, r->height,
                        (r->width + PIXELS_PER_LATENT / 2) / PIXELS_PER_LATENT * PIXELS_PER_LATENT,
                        (r->height + PIXELS_PER_LATENT / 2) / PIXELS_PER_LATENT *
                            PIXELS_PER_LATENT);
  if (!r->width != !r->height)
    return status_fail (
        status, STATUS_ARGUMENT,
        "Only one of width and height is set: set both, or both to 0 for the model's own.");
  if (r->vae_tile % PIXELS_PER_LATENT || (r->vae_tile && r->vae_tile < SMALLEST_TILE))
    return status_fail (
        status, STATUS_ARGUMENT, "%s has to be 0 or a multiple of %d from %d on, not %d.",
        recipe_param_name ("vae_tile"), PIXELS_PER_LATENT, SMALLEST_TILE, r->vae_tile);
  return true;
}

static bool
check_initial_image (const Recipe *r, Status *status)
{
  if (r->init_image && r->denoise == 0)
    return status_fail (status, STATUS_ARGUMENT,
                        "%s is 0, which would leave the initial image as it is: set it above 0.",
                        recipe_param_name ("denoise"));
  if (!r->init_image && r->denoise < 1)
    return status_fail (
        status, STATUS_ARGUMENT,
        "%s is below 1 but there is no %s to start from: choose one, or set the former to 1.",
        recipe_param_name ("denoise"), recipe_param_name ("init_image"));
  if (r->mask_image && !r->init_image)
    return status_fail (status, STATUS_ARGUMENT,
                        "There is a %s but no %s that it belongs to: choose one.",
                        recipe_param_name ("mask_image"), recipe_param_name ("init_image"));
  return true;
}

bool
recipe_validate (const Recipe *r, Status *status)
{
  if (!r->model)
    return status_fail (status, STATUS_ARGUMENT,
                        "No model is chosen: set model to a checkpoint file.");
  if (!check_sizes (r, status) || !check_initial_image (r, status))
    return false;
  uint64_t n_pictures = (uint64_t) r->batch_count * (uint64_t) r->batch_size;
  if (r->seed > UINT64_MAX - (n_pictures - 1))
    return status_fail (status, STATUS_ARGUMENT,
                        "The seeds of %" PRIu64 " pictures from %" PRIu64
                        " on would pass the largest seed: choose a smaller seed.",
                        n_pictures, r->seed);
  if (r->eta < 0 && r->eta != -1)
    return status_fail (status, STATUS_ARGUMENT,
                        "%s has to be -1 for the sampler's own, or from 0 on.",
                        recipe_param_name ("eta"));
  return true;
}
