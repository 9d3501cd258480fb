/* SPDX-License-Identifier: MPL-2.0
 * gesso-expand.h - one request becomes many recipes: wildcards, choices, files of prompts, grids.
 */
#pragma once

#include <gio/gio.h>

G_BEGIN_DECLS

enum
{
  GESSO_EXPAND_MAX = 10000 /* recipes of one request */
};

/* gesso_expand_prompt:
 * @wildcards_dir: folder with NAME.txt, one entry a line, "#" comments, "2::entry" for a weight;
 * sub-folders as "sub/name"; NULL for none
 * @seed: which entry is taken follows from it, so that a picture can be made again
 *
 * Replaces __name__ (also __sub/name__, and __name*__ for any match) by a line and {a|b|2::c} by a
 * choice (weights before "::"; {2$$a|b|c} takes two, {1-2$$a|b|c} one or two, joined by ", "); both
 * nest up to 16 deep.  "\{", "\|" and "\}" are literal.
 *
 * Fails: G_IO_ERROR_NOT_FOUND with the wildcard's name; G_IO_ERROR_INVALID_DATA for endless nesting
 */
char *
gesso_expand_prompt (const char *prompt, const char *wildcards_dir, guint64 seed, GError **error);

/* One axis of a grid: a recipe key and its values as text.  "prompt" with S/R: values[0] is
 * searched for in the prompt and replaced by each value (as A1111's Prompt S/R). */
typedef struct
{
  char *key; /* of recipe.h's table, or "prompt-replace" */
  char **values;
} GessoAxis;
void gesso_axis_clear (GessoAxis *axis);

/* Parses what a user types for an axis: "20, 30, 40", "1-5", "1-10 (+3)", "1-10 [4]", quoted texts,
 * checked against the key's declaration. */
gboolean gesso_axis_parse (GessoAxis *axis, const char *key, const char *text, GError **error);

/* gesso_expand_recipe:
 * @recipe: JSON
 * @axes: @n_axes of 0 to 3 (X, Y, Z)
 * @prompts: NULL, or NULL-terminated: each in place of the recipe's prompt, with "--key value" as
 * in gesso_prompts_from_file()
 *
 * Wildcards and choices are those of each recipe's own seed; a recipe of several batches whose
 * prompt has any becomes one recipe for each batch, so that each batch has its own choices.
 *
 * Returns: NULL-terminated JSON recipes, prompts slowest, then Z, X fastest; each valid by
 * recipe_validate
 */
char **gesso_expand_recipe (const char *recipe,
                            const GessoAxis *axes,
                            int n_axes,
                            const char *const *prompts,
                            const char *wildcards_dir,
                            GError **error);

/* gesso_prompts_from_file:
 *
 * Lines of a file: empty ones and "#" comments left out.  "--negative_prompt ..." and other "--key
 * value" of the recipe table (also A1111's cfg_scale, n_iter, sampler_name, ...) at a line's end
 * set those keys, as A1111's "Prompts from file"; they stay in the line, for gesso_expand_recipe().
 *
 * Fails: with the number of the line whose settings are wrong
 */
char **gesso_prompts_from_file (const char *path, GError **error);

G_END_DECLS
