/* SPDX-License-Identifier: MPL-2.0
 * adapters.h - a recipe's list of LoRAs and their kin, as items instead of JSON.
 */
#pragma once

#include "recipe/recipe.h"

/* One of them.  Strings are NULL when empty. */
typedef struct
{
  char *name;   /* the file's stem, or what its trainer called it */
  char *path;   /* where it was last */
  char *hash;   /* SHA-256 of the file, or its first digits */
  char *autov3; /* that of its tensors, without the header: what A1111 and Civitai know it by */
  double weight, text_weight;
  char *blocks; /* as lbw= in a prompt: numbers for blocks, or a preset's name */
  char *curve;  /* "0@0,1@0.5": instead of weight */
  char *steps;  /* "5-15": off outside of these */
  bool muted;
  bool from_prompt;  /* a tag of the prompt brought it: this only says which file that was */
  bool is_embedding; /* the same of a word of the prompt that stands for vectors */
} RecipeAdapter;

/* Zero-initialise; end with recipe_adapters_clear. */
typedef struct
{
  RecipeAdapter *items;
  size_t n, capacity;
} RecipeAdapters;

/* Fails: ARGUMENT for an item of the wrong kind, NO_MEMORY; @list is empty then */
bool recipe_adapters_read (RecipeAdapters *list, const Recipe *recipe, Status *status);
/* Replaces the recipe's list. */
bool recipe_adapters_write (const RecipeAdapters *list, Recipe *recipe, Status *status);
void recipe_adapters_clear (RecipeAdapters *list);

/* Returns: a new item with weights 1, its strings the list's; NULL and NO_MEMORY */
RecipeAdapter *recipe_adapters_add (RecipeAdapters *list, const char *name, Status *status);
/* Empties an item whose strings have got another owner. */
void recipe_adapters_forget (RecipeAdapter *item);
void recipe_adapters_remove (RecipeAdapters *list, size_t index);
