/* SPDX-License-Identifier: MPL-2.0
 * controls.h - a recipe's list of ControlNets and what they see, as items instead of JSON.
 */
#pragma once

#include "recipe/recipe.h"

typedef enum
{
  RECIPE_PREPROCESS_NONE,
  RECIPE_PREPROCESS_CANNY,
  RECIPE_PREPROCESS_INVERT,
  RECIPE_PREPROCESS_BLUR,
  RECIPE_PREPROCESS_THRESHOLD
} RecipePreprocess;

/* How a picture of another shape is brought to the result's. */
typedef enum
{
  RECIPE_RESIZE_CROP,   /* what does not fit is cut off */
  RECIPE_RESIZE_FILL,   /* all of it, black around it */
  RECIPE_RESIZE_STRETCH /* all of it, out of shape */
} RecipeResize;

enum
{
  RECIPE_MAX_CONTROLS = 8
};

/* One of them.  Strings are NULL when empty. */
typedef struct
{
  char *model; /* the file's path, or its name */
  char *image; /* the picture's path */
  RecipePreprocess preprocess;
  RecipeResize resize;
  double a, b;       /* of the preprocessor, see preprocess.h; below 0: the usual */
  double weight;     /* -10 .. 10 */
  double start, end; /* of the steps that it acts in, 0 .. 1 */
  bool off;
} RecipeControl;

/* Zero-initialise; end with recipe_controls_clear. */
typedef struct
{
  RecipeControl items[RECIPE_MAX_CONTROLS];
  size_t n;
} RecipeControls;

/* Names in JSON and on the command line, NULL at the end. */
extern const char *const recipe_preprocess_names[];
extern const char *const recipe_resize_names[];

/* Returns: -1 when none of @names is @name, whatever its case */
int recipe_control_choice (const char *const *names, const char *name);

/* Fails: ARGUMENT for an item of the wrong kind, NO_MEMORY; @list is empty then */
bool recipe_controls_read (RecipeControls *list, const Recipe *recipe, Status *status);
/* Replaces the recipe's list. */
bool recipe_controls_write (const RecipeControls *list, Recipe *recipe, Status *status);
void recipe_controls_clear (RecipeControls *list);

/* Returns: a new item of weight 1 for all steps, its strings the list's; NULL and @status: ARGUMENT
 * when there are too many, NO_MEMORY */
RecipeControl *recipe_controls_add (RecipeControls *list, const char *model, Status *status);
void recipe_controls_remove (RecipeControls *list, size_t index);
